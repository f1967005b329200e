/* Writes TIFF: strips of deflated rows, then one directory that the EXIF block of the picture is part of. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "image/rows.h"
#include "image/tiff.h"
#include "image/tiff_fields.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { STRIP_BYTES = 1 << 18, FIELDS = 16 };

typedef struct writer {
    const rv_image_output *to;
    rv_tiff exif; /* data NULL: none */
    rv_tiff_maker maker;
    uint64_t position;
    uint32_t rows_per_strip, n_strips;
    uint8_t *strip, *packed;
    size_t packed_size;
    rv_text offsets, sizes; /* of strips */
    rv_text software;
} writer;

static rv_status put_out(writer *w, const void *bytes, size_t n)
{
    if (fwrite(bytes, 1, n, w->to->file) != n) {
        return rv_fail(RV_ERR_IO, "cannot write %s", w->to->path);
    }
    w->position += n;
    return w->position <= UINT32_MAX
               ? RV_OK
               : rv_fail(RV_ERR_UNSUPPORTED,
                         "cannot write %s: a TIFF file holds at most 4 GB; write a .png instead",
                         w->to->path);
}

/* A number in the byte order of the file, behind others in `to`. */
static void add_number(const writer *w, rv_text *to, uint32_t number, int bytes)
{
    rv_tiff_maker one = {.bytes = *to, .big_endian = w->maker.big_endian};
    rv_tiff_put(&one, number, bytes);
    *to = one.bytes;
}

/* Each sample becomes its difference to that of the pixel before it. */
static void predict(const writer *w, uint8_t *to, const void *row)
{
    const int channels = w->to->image->channels;
    const uint8_t *small = row;
    const uint16_t *large = row;
    for (int i = 0; i < w->to->image->width * channels; i++) {
        if (w->to->bits == 8) {
            to[i] = (uint8_t)(small[i] - (i < channels ? 0 : small[i - channels]));
        } else {
            const uint16_t d = (uint16_t)(large[i] - (i < channels ? 0 : large[i - channels]));
            to[2 * i] = (uint8_t)(w->maker.big_endian ? d >> 8 : d);
            to[2 * i + 1] = (uint8_t)(w->maker.big_endian ? d : d >> 8);
        }
    }
}

static rv_status write_strip(writer *w, uint32_t first)
{
    const size_t row_bytes =
        (size_t)w->to->image->width * (size_t)(w->to->image->channels * w->to->bits / 8);
    const uint32_t left = (uint32_t)w->to->image->height - first;
    const uint32_t n = left < w->rows_per_strip ? left : w->rows_per_strip;
    for (uint32_t y = 0; y < n; y++) {
        predict(w, w->strip + y * row_bytes, rv_rows_get(w->to->rows, (int)(first + y)));
    }
    uLongf size = w->packed_size;
    if (compress2(w->packed, &size, w->strip, n * row_bytes, 6) != Z_OK) {
        return rv_fail(RV_ERR_MEMORY, "not enough memory to write %s", w->to->path);
    }
    add_number(w, &w->offsets, (uint32_t)w->position, 4);
    add_number(w, &w->sizes, (uint32_t)size, 4);
    return put_out(w, w->packed, size);
}

static rv_status write_strips(writer *w)
{
    const size_t row_bytes =
        (size_t)w->to->image->width * (size_t)(w->to->image->channels * w->to->bits / 8);
    const size_t fit = STRIP_BYTES / row_bytes;
    w->rows_per_strip = (uint32_t)(fit > 0 ? fit : 1);
    if (w->rows_per_strip > (uint32_t)w->to->image->height) {
        w->rows_per_strip = (uint32_t)w->to->image->height;
    }
    w->packed_size = compressBound(w->rows_per_strip * row_bytes);
    RV_TRY(rv_alloc(&w->strip, w->rows_per_strip * row_bytes, 1, "a strip of a TIFF"));
    RV_TRY(rv_alloc(&w->packed, w->packed_size, 1, "a strip of a TIFF"));
    for (uint32_t y = 0; y < (uint32_t)w->to->image->height; y += w->rows_per_strip) {
        RV_TRY(write_strip(w, y));
        w->n_strips++;
    }
    RV_TRY(rv_text_status(&w->offsets));
    return rv_text_status(&w->sizes);
}

typedef struct fields {
    rv_tiff_field list[FIELDS];
    size_t n;
    rv_text numbers[FIELDS]; /* values of those that were given as numbers */
} fields;

static void add_field(fields *f, int tag, rv_tiff_type type, uint32_t count, const void *value,
                      size_t bytes)
{
    f->list[f->n++] = (rv_tiff_field){(uint16_t)tag, (uint16_t)type, count, value, bytes};
}

/* `count` times the same number. */
static rv_status add_numbers(const writer *w, fields *f, int tag, rv_tiff_type type, uint32_t value,
                             uint32_t count)
{
    rv_text *to = &f->numbers[f->n];
    for (uint32_t i = 0; i < count; i++) {
        add_number(w, to, value, type == RV_TIFF_SHORT ? 2 : 4);
    }
    RV_TRY(rv_text_status(to));
    add_field(f, tag, type, count, to->data, to->length);
    return RV_OK;
}

static rv_status add_structure(const writer *w, fields *f)
{
    enum { DEFLATE = 8, RGB = 2, CONTIGUOUS = 1, DIFFERENCES = 2, NOT_PREMULTIPLIED = 2 };
    const rv_image *image = w->to->image;
    const uint32_t channels = (uint32_t)image->channels;
    RV_TRY(add_numbers(w, f, 256, RV_TIFF_LONG, (uint32_t)image->width, 1));
    RV_TRY(add_numbers(w, f, 257, RV_TIFF_LONG, (uint32_t)image->height, 1));
    RV_TRY(add_numbers(w, f, 258, RV_TIFF_SHORT, (uint32_t)w->to->bits, channels));
    RV_TRY(add_numbers(w, f, 259, RV_TIFF_SHORT, DEFLATE, 1));
    RV_TRY(add_numbers(w, f, RV_TIFF_PHOTOMETRIC, RV_TIFF_SHORT, RGB, 1));
    RV_TRY(add_numbers(w, f, 277, RV_TIFF_SHORT, channels, 1));
    RV_TRY(add_numbers(w, f, 278, RV_TIFF_LONG, w->rows_per_strip, 1));
    RV_TRY(add_numbers(w, f, 284, RV_TIFF_SHORT, CONTIGUOUS, 1));
    RV_TRY(add_numbers(w, f, 317, RV_TIFF_SHORT, DIFFERENCES, 1));
    if (channels == 4) {
        RV_TRY(add_numbers(w, f, 338, RV_TIFF_SHORT, NOT_PREMULTIPLIED, 1));
    }
    add_field(f, 273, RV_TIFF_LONG, w->n_strips, w->offsets.data, w->offsets.length);
    add_field(f, 279, RV_TIFF_LONG, w->n_strips, w->sizes.data, w->sizes.length);
    return RV_OK;
}

static rv_status add_metadata(writer *w, fields *f)
{
    const rv_image_metadata *m = w->to->metadata;
    if (m->settings != NULL) {
        rv_text_append(&w->software, RV_TIFF_SETTINGS "%s", m->settings);
        RV_TRY(rv_text_status(&w->software));
        const size_t n = w->software.length + 1;
        add_field(f, RV_TIFF_SOFTWARE, RV_TIFF_ASCII, (uint32_t)n, w->software.data, n);
    }
    if (m->xmp.size > 0) {
        add_field(f, 700, RV_TIFF_BYTE, (uint32_t)m->xmp.size, m->xmp.data, m->xmp.size);
    }
    if (m->icc.size > 0) {
        add_field(f, 34675, RV_TIFF_UNDEFINED, (uint32_t)m->icc.size, m->icc.data, m->icc.size);
    }
    return RV_OK;
}

static rv_status write_directories(writer *w, fields *f)
{
    uint32_t first;
    RV_TRY(add_structure(w, f));
    RV_TRY(add_metadata(w, f));
    w->maker.base = (size_t)w->position;
    RV_TRY(rv_tiff_copy(&w->maker, &first, w->exif.data != NULL ? &w->exif : NULL, f->list, f->n));
    RV_TRY(put_out(w, w->maker.bytes.data, w->maker.bytes.length));
    rv_text place = {0};
    add_number(w, &place, first, 4);
    rv_status status = rv_text_status(&place);
    if (status == RV_OK && fseek(w->to->file, 4, SEEK_SET) != 0) {
        status = rv_fail(RV_ERR_IO, "cannot write %s", w->to->path);
    }
    if (status == RV_OK) {
        status = put_out(w, place.data, place.length);
    }
    rv_text_release(&place);
    return status;
}

static rv_status write_all(writer *w, fields *f)
{
    const uint8_t start[2][8] = {{'I', 'I', 42, 0}, {'M', 'M', 0, 42}};
    RV_TRY(put_out(w, start[w->maker.big_endian], 8));
    RV_TRY(write_strips(w));
    return write_directories(w, f);
}

rv_status rv_tiff_encode(const rv_image_output *to)
{
    writer *w = NULL;
    fields *f = NULL;
    rv_status status = rv_alloc(&w, 1, sizeof *w, "writing a TIFF");
    if (status == RV_OK) {
        status = rv_alloc(&f, 1, sizeof *f, "writing a TIFF");
    }
    if (status != RV_OK) {
        goto cleanup;
    }
    w->to = to;
    const rv_blob *exif = &to->metadata->exif;
    if (exif->size > RV_EXIF_HEADER_BYTES &&
        rv_tiff_open(&w->exif, exif->data + RV_EXIF_HEADER_BYTES,
                     exif->size - RV_EXIF_HEADER_BYTES)) {
        w->maker.big_endian = w->exif.big_endian; /* its values are copied as they are */
    }
    status = write_all(w, f);
    rv_text_release(&w->maker.bytes);
    rv_text_release(&w->offsets);
    rv_text_release(&w->sizes);
    rv_text_release(&w->software);
    for (size_t i = 0; i < FIELDS; i++) {
        rv_text_release(&f->numbers[i]);
    }
    free(w->strip);
    free(w->packed);
cleanup:
    free(w);
    free(f);
    return status;
}
