/* Fuzz target: bytes that begin as PNG do. */
/* SPDX-License-Identifier: MIT */
#include "picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_picture("PNG", data, size);
}
