/* Recognising what a file holds when it is neither JPEG nor PNG, to say so. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/text.h"
#include "image/internal.h"

#include <stdlib.h>
#include <string.h>

typedef struct magic {
    const char *kind; /* with its article */
    size_t offset;
    const char *bytes;
    size_t n;
} magic;

#define MAGIC(kind, offset, bytes)             \
    {                                          \
        kind, offset, bytes, sizeof(bytes) - 1 \
    }

static const magic pictures[] = {
    MAGIC("a GIF picture", 0, "GIF8"),
    MAGIC("a WebP picture", 8, "WEBP"),
    MAGIC("a TIFF picture", 0, "II*\0"),
    MAGIC("a TIFF picture", 0, "MM\0*"),
    MAGIC("a TIFF picture", 0, "II+\0"),
    MAGIC("a TIFF picture", 0, "MM\0+"),
    MAGIC("an AVIF picture", 4, "ftypavif"),
    MAGIC("an AVIF picture", 4, "ftypavis"),
    MAGIC("a HEIF picture", 4, "ftyphe"),
    MAGIC("a HEIF picture", 4, "ftypmif1"),
    MAGIC("a HEIF picture", 4, "ftypmsf1"),
    MAGIC("a JPEG XL picture", 0, "\xFF\x0A"),
    MAGIC("a JPEG XL picture", 4, "JXL \r\n"),
    MAGIC("a JPEG 2000 picture", 4, "jP  \r\n"),
    MAGIC("a JPEG 2000 picture", 0, "\xFF\x4F\xFF\x51"),
    MAGIC("an OpenEXR picture", 0, "\x76\x2F\x31\x01"),
    MAGIC("a Photoshop picture", 0, "8BPS"),
    MAGIC("a PNM picture", 0, "P2\n"),
    MAGIC("a PNM picture", 0, "P3\n"),
    MAGIC("a PNM picture", 0, "P4\n"),
    MAGIC("a PNM picture", 0, "P5\n"),
    MAGIC("a PNM picture", 0, "P6\n"),
    MAGIC("an MNG animation", 0, "\x8AMNG"),
    MAGIC("a video", 4, "ftyp"),
};

/* Letters that text may begin with as well. */
static const magic binary_pictures[] = {
    MAGIC("a BMP picture", 0, "BM"),
};

static const magic others[] = {
    MAGIC("a PDF document", 0, "%PDF"),
    MAGIC("a NumPy array", 0, "\x93NUMPY"),
    MAGIC("a ZIP archive", 0, "PK\x03\x04"),
    MAGIC("a gzip archive", 0, "\x1F\x8B"),
};

static const char *find(const magic *list, size_t n, const rv_image_source *source)
{
    for (size_t i = 0; i < n; i++) {
        if (source->size >= list[i].offset + list[i].n &&
            memcmp(source->data + list[i].offset, list[i].bytes, list[i].n) == 0) {
            return list[i].kind;
        }
    }
    return NULL;
}

/* No control characters but white space, and no bytes that UTF-8 lacks or does not begin with. */
static bool is_text(const rv_image_source *source)
{
    if ((source->data[0] & 0xC0) == 0x80) {
        return false;
    }
    for (size_t i = 0; i < source->size && i < 512; i++) {
        const uint8_t c = source->data[i];
        if (c == 0 || c == 0x7F || c >= 0xF8 || (c < 0x20 && strchr("\t\n\v\f\r", c) == NULL)) {
            return false;
        }
    }
    return true;
}

rv_status rv_image_refuse(const rv_image_source *source)
{
    if (source->size == 0) {
        return rv_fail(RV_ERR_FORMAT, "%s: the file is empty", source->name);
    }
    const char *kind = find(pictures, sizeof pictures / sizeof *pictures, source);
    if (kind == NULL && !is_text(source)) {
        kind = find(binary_pictures, sizeof binary_pictures / sizeof *binary_pictures, source);
    }
    if (kind != NULL) {
        return rv_fail(RV_ERR_UNSUPPORTED,
                       "%s is %s, which cannot be read; convert it to PNG or JPEG first",
                       source->name, kind);
    }
    kind = find(others, sizeof others / sizeof *others, source);
    if (kind == NULL && is_text(source)) {
        kind = "text";
    }
    if (kind != NULL) {
        return rv_fail(RV_ERR_FORMAT, "%s holds %s, not a JPEG or PNG picture", source->name, kind);
    }
    char bytes[3 * 8 + 1] = "";
    for (size_t i = 0; i < source->size && i < 8; i++) {
        snprintf(bytes + 3 * i, 4, " %02x", source->data[i]);
    }
    return rv_fail(RV_ERR_FORMAT, "%s is neither JPEG nor PNG; it begins with the bytes%s",
                   source->name, bytes);
}
