/* XMP: the packet that goes into an output, and the rest of one that is longer than a segment of JPEG. */
/* SPDX-License-Identifier: MIT */
#include "image/xmp.h"
#include "base/error.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

rv_status rv_xmp_for_output(rv_blob *out, const rv_blob *xmp)
{
    static const char name[] = "tiff:Orientation";
    if (xmp->data == NULL) {
        return RV_OK;
    }
    RV_TRY(rv_blob_set(out, xmp->data, xmp->size, "XMP"));
    /* Either an attribute, tiff:Orientation="6", or an element, <tiff:Orientation>6<...: one digit. */
    char *at = (char *)out->data;
    while ((at = strstr(at, name)) != NULL) {
        at += strlen(name);
        char *digit = at + strspn(at, " =\"'>\t\r\n");
        if (digit > at && *digit >= '1' && *digit <= '8') {
            *digit = '1';
        }
    }
    return RV_OK;
}

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void put_big_endian(uint8_t *out, uint32_t v)
{
    for (int i = 0; i < 4; i++) {
        out[i] = (uint8_t)(v >> (24 - 8 * i));
    }
}

/* The packet names its rest: xmpNote:HasExtendedXMP="GUID" or as an element. */
static const char *guid_in(const rv_blob *xmp)
{
    static const char name[] = "HasExtendedXMP";
    const char *at = xmp->data != NULL ? strstr((const char *)xmp->data, name) : NULL;
    if (at == NULL) {
        return NULL;
    }
    at += strlen(name);
    at += strspn(at, " =\"'>\t\r\n");
    return strspn(at, "0123456789ABCDEFabcdef") == RV_XMP_GUID ? at : NULL;
}

rv_status rv_xmp_add_part(rv_xmp_rest *rest, const rv_blob *xmp, const uint8_t *segment, size_t n)
{
    const char *guid = guid_in(xmp);
    if (guid == NULL || n < RV_XMP_PART_HEADER || rest->damaged ||
        memcmp(segment, guid, RV_XMP_GUID) != 0) {
        return RV_OK;
    }
    const uint32_t all = big_endian(segment + RV_XMP_GUID);
    const uint32_t at = big_endian(segment + RV_XMP_GUID + 4);
    const size_t bytes = n - RV_XMP_PART_HEADER;
    if (rest->blob.data == NULL && all <= RV_XMP_LIMIT) {
        RV_TRY(rv_alloc(&rest->blob.data, RV_XMP_GUID + (size_t)all + 1, 1, "XMP"));
        memcpy(rest->blob.data, segment, RV_XMP_GUID);
        rest->blob.size = RV_XMP_GUID + all;
    }
    rest->damaged = rest->blob.data == NULL || all + RV_XMP_GUID != rest->blob.size || at > all ||
                    bytes > all - at;
    if (!rest->damaged) {
        memcpy(rest->blob.data + RV_XMP_GUID + at, segment + RV_XMP_PART_HEADER, bytes);
        rest->received += bytes;
    }
    return RV_OK;
}

void rv_xmp_take_rest(rv_blob *out, rv_xmp_rest *rest)
{
    if (!rest->damaged && rest->blob.size == RV_XMP_GUID + rest->received && rest->received > 0) {
        *out = rest->blob;
        rest->blob = (rv_blob){0};
    }
    rv_blob_release(&rest->blob);
}

size_t rv_xmp_part(uint8_t *out, const rv_blob *rest, size_t at, size_t most)
{
    const size_t all = rest->size - RV_XMP_GUID, left = all - at;
    const size_t n = left < most - RV_XMP_PART_HEADER ? left : most - RV_XMP_PART_HEADER;
    memcpy(out, rest->data, RV_XMP_GUID);
    put_big_endian(out + RV_XMP_GUID, (uint32_t)all);
    put_big_endian(out + RV_XMP_GUID + 4, (uint32_t)at);
    memcpy(out + RV_XMP_PART_HEADER, rest->data + RV_XMP_GUID + at, n);
    return n;
}
