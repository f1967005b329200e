/* Zip files: entries stored as they are, of any size; reading also those that were deflated. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_BASE_ZIP_H
#define RV_BASE_ZIP_H

#include "base/text.h"

#include <stdint.h>

typedef struct rv_zip_entry {
    const char *name;
    uint32_t crc;  /**< rv_zip_crc() of its bytes */
    uint64_t size; /**< bytes */
    uint64_t at;   /**< where its header begins in the file */
} rv_zip_entry;

/** CRC-32 of bytes behind those that gave `crc`, 0 for the first; and of two pieces, the second of n bytes. */
uint32_t rv_zip_crc(uint32_t crc, const void *bytes, size_t n);
uint32_t rv_zip_crc_join(uint32_t first, uint32_t second, uint64_t n);

/** Appends what stands before the bytes of an entry. Its length depends on the name only. */
void rv_zip_header(rv_text *out, const rv_zip_entry *entry);
/** Appends the directory that ends a file. @param at  where it begins in the file */
void rv_zip_directory(rv_text *out, const rv_zip_entry *entries, size_t n, uint64_t at);

/** A zip file that is read; its bytes stay in it. */
typedef struct rv_zip rv_zip;

/** @return RV_ERR_FORMAT: none, or damaged; RV_ERR_UNSUPPORTED: encrypted, or packed by another method than deflate */
RV_NODISCARD rv_status rv_zip_open(rv_zip **out, const char *path);
void rv_zip_close(rv_zip *zip);
size_t rv_zip_count(const rv_zip *zip);
const char *rv_zip_name(const rv_zip *zip, size_t i); /**< borrowed */
/** The bytes of an entry, whose sum is checked.
 *  @param[out] out  where they lie: in the file, or in *own @param[out] own  freed with free(); NULL: in the file */
RV_NODISCARD rv_status rv_zip_read(const rv_zip *zip, size_t i, const uint8_t **out, size_t *n,
                                   uint8_t **own);

#endif
