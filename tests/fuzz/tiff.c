/* Fuzz target: bytes that begin as TIFF do. */
/* SPDX-License-Identifier: MIT */
#include "picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_picture("TIFF", data, size);
}
