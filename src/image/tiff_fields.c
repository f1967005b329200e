/* Directories of TIFF structures, which EXIF blocks and TIFF files are: fields found, copied and written. */
/* SPDX-License-Identifier: MIT */
#include "image/tiff_fields.h"
#include "base/error.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { HEADER = 8, ENTRY = 12, MOST_FIELDS = 256, MOST_DIRECTORIES = 16 };

/* Of a field that is copied: a whole block of EXIF in a JPEG has no more. */
enum { MOST_BYTES = 65536 };

static uint32_t number_at(const rv_tiff *tiff, size_t at, int bytes)
{
    uint32_t number = 0;
    for (int i = 0; i < bytes; i++) {
        number |= (uint32_t)tiff->data[at + (size_t)i]
                  << 8 * (tiff->big_endian ? bytes - 1 - i : i);
    }
    return number;
}

bool rv_tiff_open(rv_tiff *out, const uint8_t *data, size_t size)
{
    if (size < HEADER || (memcmp(data, "II*\0", 4) != 0 && memcmp(data, "MM\0*", 4) != 0)) {
        return false;
    }
    *out = (rv_tiff){.data = data, .size = size, .big_endian = data[0] == 'M'};
    out->first = number_at(out, 4, 4);
    return true;
}

uint32_t rv_tiff_count(const rv_tiff *tiff, uint32_t at)
{
    if (at < HEADER || at > tiff->size || tiff->size - at < 2) {
        return 0;
    }
    const uint32_t n = number_at(tiff, at, 2);
    return n <= (tiff->size - at - 2) / ENTRY ? n : 0;
}

static size_t size_of(uint32_t type)
{
    static const uint8_t sizes[13] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8};
    return type < sizeof sizes ? sizes[type] : 0;
}

bool rv_tiff_get(const rv_tiff *tiff, uint32_t at, uint32_t i, rv_tiff_field *out)
{
    const size_t entry = (size_t)at + 2 + (size_t)i * ENTRY;
    *out = (rv_tiff_field){.tag = (uint16_t)number_at(tiff, entry, 2),
                           .type = (uint16_t)number_at(tiff, entry + 2, 2),
                           .count = number_at(tiff, entry + 4, 4)};
    const uint64_t bytes = (uint64_t)out->count * size_of(out->type);
    const size_t where = bytes <= 4 ? entry + 8 : number_at(tiff, entry + 8, 4);
    if (bytes == 0 || where > tiff->size || bytes > tiff->size - where) {
        return false;
    }
    out->value = tiff->data + where;
    out->bytes = (size_t)bytes;
    return true;
}

bool rv_tiff_find(const rv_tiff *tiff, uint32_t at, uint16_t tag, rv_tiff_field *out)
{
    const uint32_t n = rv_tiff_count(tiff, at);
    for (uint32_t i = 0; i < n; i++) {
        if (rv_tiff_get(tiff, at, i, out) && out->tag == tag) {
            return true;
        }
    }
    return false;
}

uint32_t rv_tiff_number(const rv_tiff *tiff, const rv_tiff_field *field, uint32_t i)
{
    const size_t bytes = size_of(field->type);
    if (i >= field->count || bytes > 4 || field->type == RV_TIFF_ASCII) {
        return 0;
    }
    return number_at(tiff, (size_t)(field->value - tiff->data) + i * bytes, (int)bytes);
}

uint32_t rv_tiff_next(const rv_tiff *tiff, uint32_t at)
{
    const size_t end = (size_t)at + 2 + (size_t)rv_tiff_count(tiff, at) * ENTRY;
    return end > at + 2u && end <= tiff->size - 4 ? number_at(tiff, end, 4) : 0;
}

/* ---- Writing ---- */

void rv_tiff_put(rv_tiff_maker *maker, uint32_t number, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        const uint8_t byte = (uint8_t)(number >> 8 * (maker->big_endian ? bytes - 1 - i : i));
        rv_text_append_bytes(&maker->bytes, &byte, 1);
    }
}

static void put_padded(rv_tiff_maker *maker, const uint8_t *bytes, size_t n, size_t padded)
{
    static const uint8_t zeros[4] = {0};
    if (n > 0) {
        rv_text_append_bytes(&maker->bytes, bytes, n);
    }
    rv_text_append_bytes(&maker->bytes, zeros, padded - n);
}

static int by_tag(const void *a, const void *b)
{
    return (int)((const rv_tiff_field *)a)->tag - (int)((const rv_tiff_field *)b)->tag;
}

/* Sorted as the format wants it: the entries, then the values that do not fit into them. */
static rv_status write_directory(rv_tiff_maker *maker, uint32_t *out, rv_tiff_field *fields,
                                 size_t n)
{
    qsort(fields, n, sizeof *fields, by_tag);
    put_padded(maker, NULL, 0, (maker->base + maker->bytes.length) % 2);
    const size_t start = maker->base + maker->bytes.length;
    size_t value = start + 2 + n * ENTRY + 4;
    rv_tiff_put(maker, (uint32_t)n, 2);
    for (size_t i = 0; i < n; i++) {
        const rv_tiff_field *f = &fields[i];
        rv_tiff_put(maker, f->tag, 2);
        rv_tiff_put(maker, f->type, 2);
        rv_tiff_put(maker, f->count, 4);
        if (f->bytes <= 4) {
            put_padded(maker, f->value, f->bytes, 4);
        } else {
            rv_tiff_put(maker, (uint32_t)value, 4);
            value += f->bytes + f->bytes % 2;
        }
    }
    rv_tiff_put(maker, 0, 4); /* no directory behind it */
    for (size_t i = 0; i < n; i++) {
        if (fields[i].bytes > 4) {
            put_padded(maker, fields[i].value, fields[i].bytes,
                       fields[i].bytes + fields[i].bytes % 2);
        }
    }
    *out = (uint32_t)start;
    if (maker->base + maker->bytes.length > UINT32_MAX) {
        return rv_fail(RV_ERR_UNSUPPORTED, "a TIFF file holds at most 4 GB");
    }
    return rv_text_status(&maker->bytes);
}

/* ---- Copying ---- */

/* Tags of a first directory that tell of the photo: names, words, place and time. */
static bool tells_of_photo(uint16_t tag)
{
    static const uint16_t tags[] = {270, 271, 272, 274, 282,   283,          296,
                                    305, 306, 315, 316, 33432, RV_TIFF_EXIF, RV_TIFF_GPS};
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        if (tags[i] == tag) {
            return true;
        }
    }
    return tag >= 0x9C9B && tag <= 0x9C9F; /* words for Windows */
}

typedef enum level { FIRST, EXIF, LAST } level; /* LAST: GPS or interoperability */

static bool leads_on(level at, uint16_t tag)
{
    return at == FIRST ? tag == RV_TIFF_EXIF || tag == RV_TIFF_GPS
                       : at == EXIF && tag == RV_TIFF_INTEROPERABILITY;
}

typedef struct directory {
    rv_tiff_field fields[MOST_FIELDS];
    uint8_t pointers[2][4]; /* to directories that were copied */
    size_t n, n_pointers;
} directory;

static bool has(const directory *d, uint16_t tag)
{
    for (size_t i = 0; i < d->n; i++) {
        if (d->fields[i].tag == tag) {
            return true;
        }
    }
    return false;
}

static rv_status copy_level(rv_tiff_maker *maker, uint32_t *out, const rv_tiff *from, uint32_t at,
                            level where, directory *d);

static rv_status copy_further(rv_tiff_maker *maker, const rv_tiff *from, level where, directory *d,
                              rv_tiff_field field)
{
    const uint32_t at = rv_tiff_number(from, &field, 0);
    if (d->n_pointers == 2 || rv_tiff_count(from, at) == 0) {
        return RV_OK;
    }
    directory *next;
    uint32_t offset;
    RV_TRY(rv_alloc(&next, 1, sizeof *next, "EXIF"));
    const level below = where == FIRST && field.tag == RV_TIFF_EXIF ? EXIF : LAST;
    const rv_status status = copy_level(maker, &offset, from, at, below, next);
    free(next);
    RV_TRY(status);
    uint8_t *pointer = d->pointers[d->n_pointers++];
    for (int i = 0; i < 4; i++) {
        pointer[i] = (uint8_t)(offset >> 8 * (maker->big_endian ? 3 - i : i));
    }
    field = (rv_tiff_field){field.tag, RV_TIFF_LONG, 1, pointer, 4};
    d->fields[d->n++] = field;
    return RV_OK;
}

static rv_status copy_level(rv_tiff_maker *maker, uint32_t *out, const rv_tiff *from, uint32_t at,
                            level where, directory *d)
{
    const uint32_t n = from != NULL ? rv_tiff_count(from, at) : 0;
    for (uint32_t i = 0; i < n && d->n < MOST_FIELDS; i++) {
        rv_tiff_field f;
        if (!rv_tiff_get(from, at, i, &f) || f.bytes > MOST_BYTES || has(d, f.tag) ||
            (where == FIRST && !tells_of_photo(f.tag))) {
            continue;
        }
        if (leads_on(where, f.tag)) {
            RV_TRY(copy_further(maker, from, where, d, f));
        } else {
            d->fields[d->n++] = f;
        }
    }
    return write_directory(maker, out, d->fields, d->n);
}

rv_status rv_tiff_copy(rv_tiff_maker *maker, uint32_t *out, const rv_tiff *from,
                       const rv_tiff_field *more, size_t n_more)
{
    directory *d;
    RV_TRY(rv_alloc(&d, 1, sizeof *d, "EXIF"));
    for (d->n = 0; d->n < n_more; d->n++) {
        d->fields[d->n] = more[d->n];
    }
    const rv_status status = copy_level(maker, out, from, from != NULL ? from->first : 0, FIRST, d);
    free(d);
    return status;
}

rv_status rv_tiff_exif(rv_blob *out, const uint8_t *data, size_t size)
{
    rv_tiff from;
    if (!rv_tiff_open(&from, data, size)) {
        return RV_OK;
    }
    /* Offsets count from the byte order on, which stands behind the word Exif. */
    rv_tiff_maker maker = {.big_endian = from.big_endian};
    rv_text_append_bytes(&maker.bytes, from.data, 4);
    rv_tiff_put(&maker, 0, 4);
    uint32_t first;
    rv_status status = rv_tiff_copy(&maker, &first, &from, NULL, 0);
    /* A directory without fields is no EXIF. */
    if (status == RV_OK && (maker.bytes.data[first] | maker.bytes.data[first + 1]) != 0) {
        rv_text block = {0};
        rv_text_append_bytes(&block, RV_EXIF_HEADER, RV_EXIF_HEADER_BYTES);
        rv_text_append_bytes(&block, maker.bytes.data, maker.bytes.length);
        status = rv_text_status(&block);
        if (status == RV_OK) {
            for (int i = 0; i < 4; i++) {
                block.data[RV_EXIF_HEADER_BYTES + 4 + i] =
                    (char)(first >> 8 * (maker.big_endian ? 3 - i : i));
            }
            status = rv_blob_set(out, block.data, block.length, "EXIF");
        }
        rv_text_release(&block);
    }
    rv_text_release(&maker.bytes);
    return status;
}

/* ---- Raw pictures ---- */

static bool is_sensor(const rv_tiff *tiff, uint32_t at)
{
    enum { FILTERED = 32803, LINEAR_RAW = 34892 };
    rv_tiff_field f;
    if (!rv_tiff_find(tiff, at, RV_TIFF_PHOTOMETRIC, &f)) {
        return false;
    }
    const uint32_t photometric = rv_tiff_number(tiff, &f, 0);
    return photometric == FILTERED || photometric == LINEAR_RAW;
}

bool rv_tiff_is_raw(const uint8_t *data, size_t size)
{
    rv_tiff tiff;
    rv_tiff_field f;
    if (!rv_tiff_open(&tiff, data, size)) {
        return false;
    }
    if ((size >= 10 && memcmp(data + 8, "CR", 2) == 0) ||
        rv_tiff_find(&tiff, tiff.first, RV_TIFF_DNG, &f)) {
        return true;
    }
    uint32_t at = tiff.first;
    for (int i = 0; i < MOST_DIRECTORIES && at != 0; i++, at = rv_tiff_next(&tiff, at)) {
        if (is_sensor(&tiff, at)) {
            return true;
        }
        if (rv_tiff_find(&tiff, at, RV_TIFF_SUB_DIRECTORIES, &f)) {
            for (uint32_t k = 0; k < f.count && k < MOST_DIRECTORIES; k++) {
                if (is_sensor(&tiff, rv_tiff_number(&tiff, &f, k))) {
                    return true;
                }
            }
        }
    }
    return false;
}
