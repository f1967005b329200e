/* SHA-256, by which files from elsewhere are known. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_BASE_SHA256_H
#define RV_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { RV_SHA256_TEXT = 65 }; /**< 64 digits and the NUL */

typedef struct rv_sha256 {
    uint32_t state[8];
    uint64_t bytes;
    uint8_t block[64];
} rv_sha256;

void rv_sha256_init(rv_sha256 *sha);
void rv_sha256_add(rv_sha256 *sha, const void *bytes, size_t n);
/** @param[out] out  hexadecimal digits in lower case */
void rv_sha256_finish(rv_sha256 *sha, char out[RV_SHA256_TEXT]);

#endif
