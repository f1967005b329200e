/* The rest of an XMP packet that is longer than a segment of JPEG (XMP specification, part 3, 1.1.3.1). */
/* SPDX-License-Identifier: MIT */
#ifndef RV_IMAGE_XMP_H
#define RV_IMAGE_XMP_H

#include "image/internal.h"

/** Bytes: a GUID in letters; it, the length of all and the place of the part; all that is kept. */
enum { RV_XMP_GUID = 32, RV_XMP_PART_HEADER = RV_XMP_GUID + 8, RV_XMP_LIMIT = 16 << 20 };

/** Being put together; start from {0}. */
typedef struct rv_xmp_rest {
    rv_blob blob; /**< GUID and text */
    size_t received;
    bool damaged;
} rv_xmp_rest;

/** Takes a segment, from its GUID on, that belongs to the packet `xmp`. */
RV_NODISCARD rv_status rv_xmp_add_part(rv_xmp_rest *rest, const rv_blob *xmp,
                                       const uint8_t *segment, size_t n);
/** Hands the rest over if it is complete, and releases it otherwise. */
void rv_xmp_take_rest(rv_blob *out, rv_xmp_rest *rest);
/** Writes a segment of at most `most` bytes that holds the text from `at` on.
 *  @return bytes of text in it */
size_t rv_xmp_part(uint8_t *out, const rv_blob *rest, size_t at, size_t most);

#endif
