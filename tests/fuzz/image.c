/* Fuzz target: any bytes as a picture, most of which are to be refused by name. */
/* SPDX-License-Identifier: MIT */
#include "picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_picture(NULL, data, size);
}
