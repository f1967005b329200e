/* Zip files: their bytes are those that another program reads, their sums those that zlib knows. */
/* SPDX-License-Identifier: MIT */
#include "base/zip.h"

#include <criterion/criterion.h>
#include <string.h>

Test(zip, sums_of_pieces_are_those_of_the_whole)
{
    static const char text[] = "123456789";
    cr_assert_eq(rv_zip_crc(0, text, 9), 0xcbf43926u); /* the check value of CRC-32 */
    cr_assert_eq(rv_zip_crc(rv_zip_crc(0, text, 4), text + 4, 5), 0xcbf43926u);
    cr_assert_eq(rv_zip_crc_join(rv_zip_crc(0, text, 4), rv_zip_crc(0, text + 4, 5), 5),
                 0xcbf43926u);
}

static uint64_t number(const rv_text *text, size_t at, int bytes)
{
    uint64_t value = 0;
    for (int i = bytes; i > 0; i--) {
        value = value << 8 | (unsigned char)text->data[at + (size_t)i - 1];
    }
    return value;
}

/* Sizes and places beyond 4 GiB stand in fields of 64 bits (APPNOTE 4.5.3), all others say so. */
Test(zip, sizes_beyond_4_gib_stand_where_readers_look_for_them)
{
    const uint64_t large = (uint64_t)5 << 30;
    const rv_zip_entry entries[2] = {{"a.npy", 0x12345678, large, 0},
                                     {"long/name.npy", 1, 7, large + 55}};
    rv_text text = {0};
    rv_zip_header(&text, &entries[0]);
    cr_assert_eq(text.length, 30 + 5 + 20);
    cr_assert_eq(number(&text, 0, 4), 0x04034b50);
    cr_assert_eq(number(&text, 14, 4), 0x12345678);
    cr_assert_eq(number(&text, 18, 8), UINT64_MAX);
    cr_assert_eq(number(&text, 26, 4), 20u << 16 | 5);
    cr_assert_eq(number(&text, 35, 4), 16u << 16 | 1);
    cr_assert_eq(number(&text, 39, 8), large);
    cr_assert_eq(number(&text, 47, 8), large);
    rv_text_release(&text);
    rv_zip_directory(&text, entries, 2, 2 * large);
    const size_t first = 46 + 5 + 28, both = first + 46 + 13 + 28;
    cr_assert_eq(text.length, both + 56 + 20 + 22);
    cr_assert_eq(number(&text, first, 4), 0x02014b50);
    cr_assert_eq(number(&text, both - 8, 8), large + 55);
    cr_assert_eq(number(&text, both, 4), 0x06064b50);
    cr_assert_eq(number(&text, both + 32, 8), 2);
    cr_assert_eq(number(&text, both + 40, 8), both);
    cr_assert_eq(number(&text, both + 48, 8), 2 * large);
    cr_assert_eq(number(&text, both + 56, 4), 0x07064b50);
    cr_assert_eq(number(&text, both + 64, 8), 2 * large + both);
    cr_assert_eq(number(&text, both + 76, 4), 0x06054b50);
    rv_text_release(&text);
}
