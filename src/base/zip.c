/* Writes the headers and the directory of zip files, always with sizes of 64 bits. */
/* SPDX-License-Identifier: MIT */
#include "base/zip.h"

#include <string.h>
#include <zlib.h>

enum {
    VERSION = 45,     /* of the format, which has sizes of 64 bits */
    UTF8 = 1 << 11,   /* the flag of names in it */
    FIRST_DAY = 0x21, /* the first day that a zip file knows: files do not depend on the day */
    EXTRA_HEADER = 4, /* id and size before an extra field */
    ZIP64 = 1,        /* the id of sizes of 64 bits */
    LOCAL_SIGNATURE = 0x04034b50,
    ENTRY_SIGNATURE = 0x02014b50,
    END_SIGNATURE = 0x06054b50,
    END64_SIGNATURE = 0x06064b50,
    LOCATOR_SIGNATURE = 0x07064b50
};
static const uint64_t in_64_bits =
    0xffffffff; /* a size, and half of it a number, that stands elsewhere */

uint32_t rv_zip_crc(uint32_t crc, const void *bytes, size_t n)
{
    return (uint32_t)crc32_z(crc, bytes, n);
}

uint32_t rv_zip_crc_join(uint32_t first, uint32_t second, uint64_t n)
{
    return (uint32_t)crc32_combine(first, second, (z_off_t)n);
}

/* Little endian. */
static void append(rv_text *out, uint64_t value, int bytes)
{
    unsigned char text[8];
    for (int i = 0; i < bytes; i++) {
        text[i] = (unsigned char)(value >> (8 * i));
    }
    rv_text_append_bytes(out, text, (size_t)bytes);
}

/* What headers and the directory have in common: from the version that is needed to the length of the name. */
static void append_entry(rv_text *out, const rv_zip_entry *e)
{
    append(out, VERSION, 2);
    append(out, UTF8, 2);
    append(out, 0, 2); /* stored */
    append(out, 0, 2); /* midnight */
    append(out, FIRST_DAY, 2);
    append(out, e->crc, 4);
    append(out, in_64_bits, 4);
    append(out, in_64_bits, 4);
    append(out, strlen(e->name), 2);
}

void rv_zip_header(rv_text *out, const rv_zip_entry *entry)
{
    append(out, LOCAL_SIGNATURE, 4);
    append_entry(out, entry);
    append(out, EXTRA_HEADER + 16, 2);
    rv_text_append_bytes(out, entry->name, strlen(entry->name));
    append(out, ZIP64, 2);
    append(out, 16, 2);
    append(out, entry->size, 8);
    append(out, entry->size, 8); /* stored */
}

static void append_directory_entry(rv_text *out, const rv_zip_entry *e)
{
    append(out, ENTRY_SIGNATURE, 4);
    append(out, VERSION, 2);
    append_entry(out, e);
    append(out, EXTRA_HEADER + 24, 2);
    append(out, 0, 2); /* no comment */
    append(out, 0, 2); /* disk */
    append(out, 0, 2);
    append(out, 0, 4); /* attributes */
    append(out, in_64_bits, 4);
    rv_text_append_bytes(out, e->name, strlen(e->name));
    append(out, ZIP64, 2);
    append(out, 24, 2);
    append(out, e->size, 8);
    append(out, e->size, 8);
    append(out, e->at, 8);
}

void rv_zip_directory(rv_text *out, const rv_zip_entry *entries, size_t n, uint64_t at)
{
    const size_t before = out->length;
    for (size_t i = 0; i < n; i++) {
        append_directory_entry(out, &entries[i]);
    }
    const uint64_t size = out->length - before;
    append(out, END64_SIGNATURE, 4);
    append(out, 44, 8); /* bytes that follow */
    append(out, VERSION, 2);
    append(out, VERSION, 2);
    append(out, 0, 4); /* disks */
    append(out, 0, 4);
    append(out, n, 8);
    append(out, n, 8);
    append(out, size, 8);
    append(out, at, 8);
    append(out, LOCATOR_SIGNATURE, 4);
    append(out, 0, 4);
    append(out, at + size, 8);
    append(out, 1, 4);
    append(out, END_SIGNATURE, 4);
    append(out, 0, 4); /* disks */
    append(out, in_64_bits >> 16, 2);
    append(out, in_64_bits >> 16, 2);
    append(out, in_64_bits, 4);
    append(out, in_64_bits, 4);
    append(out, 0, 2); /* no comment */
}
