/* Fuzz target: bytes that begin as WebP do. */
/* SPDX-License-Identifier: MIT */
#include "picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_picture("WebP", data, size);
}
