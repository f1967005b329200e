/* Recognising what a file holds that this build cannot read, to say so, and what converts it. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "image/tiff_fields.h"

#include <stdlib.h>
#include <string.h>

/* A command: before the file, between it and the result, extension of the result. */
typedef struct converter {
    const char *before, *between, *extension;
} converter;

/* Of the packages libheif-examples, libavif-bin, darktable, libjxl-tools, libopenjp2-tools, webp, imagemagick, ffmpeg. */
static const converter heif = {"heif-convert ", " ", "jpg"};
static const converter avif = {"avifdec ", " ", "png"};
static const converter raw = {"darktable-cli ", " ", "jpg"};
static const converter jxl = {"djxl ", " ", "png"};
static const converter jp2 = {"opj_decompress -i ", " -o ", "png"};
static const converter webp = {"dwebp ", " -o ", "png"};
static const converter magick = {"convert ", " ", "png"};
static const converter video = {"ffmpeg -i ", " -frames:v 1 ", "png"};

typedef struct magic {
    const char *kind; /* with its article */
    size_t offset;
    const char *bytes;
    size_t n;
    const converter *by; /* NULL: no picture */
} magic;

#define MAGIC(kind, offset, bytes, by)             \
    {                                              \
        kind, offset, bytes, sizeof(bytes) - 1, by \
    }

static const char raw_kind[] = "the RAW picture of a camera";

static const magic pictures[] = {
    MAGIC("a HEIC picture", 4, "ftyphe", &heif),
    MAGIC("a HEIC picture", 4, "ftypmif1", &heif),
    MAGIC("a HEIC picture", 4, "ftypmsf1", &heif),
    MAGIC("an AVIF picture", 4, "ftypavif", &avif),
    MAGIC("an AVIF picture", 4, "ftypavis", &avif),
    MAGIC(raw_kind, 4, "ftypcrx", &raw), /* Canon's CR3 */
    MAGIC(raw_kind, 0, "FUJIFILMCCD-RAW", &raw),
    MAGIC(raw_kind, 0, "IIRO", &raw), /* Olympus */
    MAGIC(raw_kind, 0, "IIRS", &raw),
    MAGIC(raw_kind, 0, "MMOR", &raw),
    MAGIC(raw_kind, 0, "IIU\0", &raw), /* Panasonic */
    MAGIC(raw_kind, 0, "FOVb", &raw),  /* Sigma */
    MAGIC(raw_kind, 0, "\0MRM", &raw), /* Minolta */
    MAGIC("a JPEG XL picture", 0, "\xFF\x0A", &jxl),
    MAGIC("a JPEG XL picture", 4, "JXL \r\n", &jxl),
    MAGIC("a JPEG 2000 picture", 4, "jP  \r\n", &jp2),
    MAGIC("a JPEG 2000 picture", 0, "\xFF\x4F\xFF\x51", &jp2),
    MAGIC("a WebP picture", 8, "WEBP", &webp),
    MAGIC("a TIFF picture", 0, "II*\0", &magick),
    MAGIC("a TIFF picture", 0, "MM\0*", &magick),
    MAGIC("a TIFF picture", 0, "II+\0", &magick),
    MAGIC("a TIFF picture", 0, "MM\0+", &magick),
    MAGIC("a GIF picture", 0, "GIF8", &magick),
    MAGIC("an OpenEXR picture", 0, "\x76\x2F\x31\x01", &magick),
    MAGIC("a Photoshop picture", 0, "8BPS", &magick),
    MAGIC("a PNM picture", 0, "P2\n", &magick),
    MAGIC("a PNM picture", 0, "P3\n", &magick),
    MAGIC("a PNM picture", 0, "P4\n", &magick),
    MAGIC("a PNM picture", 0, "P5\n", &magick),
    MAGIC("a PNM picture", 0, "P6\n", &magick),
    MAGIC("an MNG animation", 0, "\x8AMNG", &magick),
    MAGIC("a video", 4, "ftyp", &video),
};

/* Letters that text may begin with as well. */
static const magic binary_pictures[] = {
    MAGIC("a BMP picture", 0, "BM", &magick),
};

/* Camera files that look like TIFF; rv_tiff_is_raw() tells. */
static const magic raw_picture = MAGIC(raw_kind, 0, "", &raw);

static const magic others[] = {
    MAGIC("a PDF document", 0, "%PDF", NULL),
    MAGIC("a NumPy array", 0, "\x93NUMPY", NULL),
    MAGIC("a ZIP archive", 0, "PK\x03\x04", NULL),
    MAGIC("a gzip archive", 0, "\x1F\x8B", NULL),
};

static const magic *find(const magic *list, size_t n, const rv_image_source *source)
{
    for (size_t i = 0; i < n; i++) {
        if (source->size >= list[i].offset + list[i].n &&
            memcmp(source->data + list[i].offset, list[i].bytes, list[i].n) == 0) {
            return &list[i];
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

/* A name as a shell takes it: in quotes where it has to be. */
static void quote(rv_text *out, const char *name)
{
    const char *plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/+,:@%-";
    if (name[0] == '-') {
        rv_text_append(out, "./");
    }
    if (name[strspn(name, plain)] == '\0') {
        rv_text_append(out, "%s", name);
        return;
    }
    rv_text_append(out, "'");
    for (; *name != '\0'; name++) {
        rv_text_append(out, *name == '\'' ? "'\\''" : "%c", *name);
    }
    rv_text_append(out, "'");
}

static rv_status refuse_picture(const rv_image_source *source, const magic *m)
{
    rv_text command = {0};
    char *stem = NULL, *result = NULL;
    rv_status status = rv_path_stem(&stem, source->name);
    if (status == RV_OK) {
        status = rv_format(&result, "%s.%s", stem, m->by->extension);
    }
    /* A camera's HEIC is often called .jpg: the command must not write over what it reads. */
    if (status == RV_OK && strcmp(result, rv_path_base(source->name)) == 0) {
        free(result);
        status = rv_format(&result, "%s-converted.%s", stem, m->by->extension);
    }
    if (status == RV_OK) {
        rv_text_append(&command, "%s", m->by->before);
        quote(&command, source->name);
        rv_text_append(&command, "%s", m->by->between);
        quote(&command, result);
        status = rv_text_status(&command);
    }
    if (status == RV_OK) {
        status = rv_fail(RV_ERR_UNSUPPORTED, "%s is %s, which cannot be read; convert it first: %s",
                         source->name, m->kind, command.data);
    }
    rv_text_release(&command);
    free(stem);
    free(result);
    return status;
}

rv_status rv_image_refuse(const rv_image_source *source)
{
    if (source->size == 0) {
        return rv_fail(RV_ERR_FORMAT, "%s: the file is empty", source->name);
    }
    const magic *m = find(pictures, sizeof pictures / sizeof *pictures, source);
    if (rv_tiff_is_raw(source->data, source->size)) {
        m = &raw_picture;
    } else if (m == NULL && !is_text(source)) {
        m = find(binary_pictures, sizeof binary_pictures / sizeof *binary_pictures, source);
    }
    if (m != NULL) {
        return refuse_picture(source, m);
    }
    m = find(others, sizeof others / sizeof *others, source);
    if (m != NULL || is_text(source)) {
        return rv_fail(RV_ERR_FORMAT, "%s holds %s, not a picture (%s)", source->name,
                       m != NULL ? m->kind : "text", rv_image_formats());
    }
    char bytes[3 * 8 + 1] = "";
    for (size_t i = 0; i < source->size && i < 8; i++) {
        snprintf(bytes + 3 * i, 4, " %02x", source->data[i]);
    }
    return rv_fail(RV_ERR_FORMAT,
                   "%s is no picture of a known kind (%s); it begins with the bytes%s",
                   source->name, rv_image_formats(), bytes);
}
