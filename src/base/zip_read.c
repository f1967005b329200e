/* Reads zip files: their directory, and entries that are stored or deflated. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/zip.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { END = 22, END64 = 56, LOCATOR = 20, ENTRY = 46, HEADER = 30, LONGEST_COMMENT = 65535 };

typedef struct entry {
    char *name;
    int method;
    uint32_t crc;
    uint64_t packed, size, at;
} entry;

struct rv_zip {
    char *path;
    rv_bytes file;
    entry *entries;
    size_t n;
};

static rv_status fail_damaged(const rv_zip *z)
{
    return rv_fail(RV_ERR_FORMAT, "%s: no zip file, or a damaged one", z->path);
}

/* Whether n bytes at `at` are in the file. */
static bool has(const rv_zip *z, uint64_t at, uint64_t n)
{
    return at <= z->file.size && n <= z->file.size - at;
}

static uint64_t number(const rv_zip *z, uint64_t at, int bytes)
{
    uint64_t value = 0;
    for (int i = bytes; i > 0; i--) {
        value = value << 8 | z->file.data[at + (uint64_t)i - 1];
    }
    return value;
}

static bool is_at(const rv_zip *z, uint64_t at, uint64_t n, const char *signature)
{
    return has(z, at, n) && memcmp(z->file.data + at, signature, 4) == 0;
}

/* Where the directory begins, and how many entries it has. */
static rv_status find_directory(const rv_zip *z, uint64_t *at, uint64_t *n)
{
    uint64_t end = z->file.size;
    const uint64_t last = end > END + LONGEST_COMMENT ? end - END - LONGEST_COMMENT : 0;
    end = end >= END ? end - END : 0;
    while (end > last && !is_at(z, end, END, "PK\5\6")) {
        end--;
    }
    if (!is_at(z, end, END, "PK\5\6")) {
        return fail_damaged(z);
    }
    *n = number(z, end + 10, 2);
    *at = number(z, end + 16, 4);
    if (end >= LOCATOR && is_at(z, end - LOCATOR, LOCATOR, "PK\6\7")) {
        const uint64_t end64 = number(z, end - LOCATOR + 8, 8);
        if (!is_at(z, end64, END64, "PK\6\6")) {
            return fail_damaged(z);
        }
        *n = number(z, end64 + 32, 8);
        *at = number(z, end64 + 48, 8);
    }
    return *n <= z->file.size / ENTRY ? RV_OK : fail_damaged(z);
}

/* Sizes that did not fit stand in an extra field, in this order. */
static rv_status read_extra(const rv_zip *z, entry *e, uint64_t at, uint64_t n)
{
    uint64_t *const fields[] = {&e->size, &e->packed, &e->at};
    while (n >= 4) {
        const uint64_t id = number(z, at, 2), size = number(z, at + 2, 2);
        uint64_t from = at + 4;
        if (size > n - 4) {
            return fail_damaged(z);
        }
        for (int i = 0; id == 1 && i < 3; i++) {
            if (*fields[i] == 0xffffffff) {
                if (from + 8 > at + 4 + size) {
                    return fail_damaged(z);
                }
                *fields[i] = number(z, from, 8);
                from += 8;
            }
        }
        at += 4 + size;
        n -= 4 + size;
    }
    return RV_OK;
}

/* @param at  of the entry in the directory; becomes that of the next */
static rv_status read_entry(rv_zip *z, entry *e, uint64_t *at)
{
    if (!is_at(z, *at, ENTRY, "PK\1\2")) {
        return fail_damaged(z);
    }
    const uint64_t name = number(z, *at + 28, 2), extra = number(z, *at + 30, 2);
    const uint64_t comment = number(z, *at + 32, 2);
    if (!has(z, *at + ENTRY, name + extra + comment)) {
        return fail_damaged(z);
    }
    const char *text = (const char *)z->file.data + *at + ENTRY;
    RV_TRY(rv_format(&e->name, "%.*s", (int)name, text));
    e->method = (int)number(z, *at + 10, 2);
    e->crc = (uint32_t)number(z, *at + 16, 4);
    e->packed = number(z, *at + 20, 4);
    e->size = number(z, *at + 24, 4);
    e->at = number(z, *at + 42, 4);
    RV_TRY(read_extra(z, e, *at + ENTRY + name, extra));
    if ((number(z, *at + 8, 2) & 1) != 0 || (e->method != 0 && e->method != 8)) {
        return rv_fail(RV_ERR_UNSUPPORTED,
                       "%s: '%s' is encrypted, or packed by a method that "
                       "Reverie does not know",
                       z->path, e->name);
    }
    *at += ENTRY + name + extra + comment;
    return RV_OK;
}

static rv_status open_zip(rv_zip *z, const char *path)
{
    uint64_t at, n;
    RV_TRY(rv_strdup(&z->path, path));
    RV_TRY(rv_bytes_open(&z->file, path, 0));
    RV_TRY(find_directory(z, &at, &n));
    RV_TRY(rv_alloc(&z->entries, (size_t)n, sizeof *z->entries, "entries"));
    while (z->n < n) {
        RV_TRY(read_entry(z, &z->entries[z->n++], &at));
    }
    return RV_OK;
}

rv_status rv_zip_open(rv_zip **out, const char *path)
{
    rv_zip *z;
    *out = NULL;
    RV_TRY(rv_alloc(&z, 1, sizeof *z, "a zip file"));
    const rv_status status = open_zip(z, path);
    if (status != RV_OK) {
        rv_zip_close(z);
        return status;
    }
    *out = z;
    return RV_OK;
}

void rv_zip_close(rv_zip *zip)
{
    if (zip == NULL) {
        return;
    }
    for (size_t i = 0; i < zip->n; i++) {
        free(zip->entries[i].name);
    }
    rv_bytes_close(&zip->file);
    free(zip->entries);
    free(zip->path);
    free(zip);
}

size_t rv_zip_count(const rv_zip *zip)
{
    return zip->n;
}

const char *rv_zip_name(const rv_zip *zip, size_t i)
{
    return zip->entries[i].name;
}

/* Unpacks to e->size bytes, no more. zlib counts in 32 bits. */
static rv_status inflate_entry(const rv_zip *z, const entry *e, const uint8_t *from, uint8_t *to)
{
    z_stream s = {0};
    uint64_t in = e->packed, out = e->size;
    int result = inflateInit2(&s, -MAX_WBITS);
    s.next_in = (Bytef *)from;
    s.next_out = to;
    while (result == Z_OK) {
        const uInt in_now = (uInt)(in < 1 << 30 ? in : 1 << 30);
        const uInt out_now = (uInt)(out < 1 << 30 ? out : 1 << 30);
        s.avail_in = in_now;
        s.avail_out = out_now;
        result = inflate(&s, Z_NO_FLUSH);
        in -= in_now - s.avail_in;
        out -= out_now - s.avail_out;
    }
    inflateEnd(&s);
    return result == Z_STREAM_END && out == 0 ? RV_OK : fail_damaged(z);
}

rv_status rv_zip_read(const rv_zip *zip, size_t i, const uint8_t **out, size_t *n, uint8_t **own)
{
    const entry *e = &zip->entries[i];
    *own = NULL;
    if (!is_at(zip, e->at, HEADER, "PK\3\4")) {
        return fail_damaged(zip);
    }
    const uint64_t at = e->at + HEADER + number(zip, e->at + 26, 2) + number(zip, e->at + 28, 2);
    /* deflate makes at most 1032 bytes of one */
    if (!has(zip, at, e->packed) || (e->method == 0 && e->size != e->packed) ||
        e->size / 1032 > e->packed + 1) {
        return fail_damaged(zip);
    }
    *out = zip->file.data + at;
    *n = (size_t)e->size;
    rv_status status = RV_OK;
    if (e->method == 8) {
        RV_TRY(rv_alloc(own, (size_t)e->size + 1, 1, e->name));
        status = inflate_entry(zip, e, *out, *own);
        *out = *own;
    }
    if (status == RV_OK && rv_zip_crc(0, *out, *n) != e->crc) {
        status = rv_fail(RV_ERR_FORMAT, "%s: '%s' is damaged", zip->path, e->name);
    }
    if (status != RV_OK) {
        free(*own);
        *own = NULL;
    }
    return status;
}
