/* Sheets: tiles where they should be, labels below them; and colours for numbers. */
/* SPDX-License-Identifier: MIT */
#include "image/sheet.h"
#include "image/colour_map.h"
#include "support/assert.h"

#include <math.h>
#include <string.h>

static rv_image *plain(int width, int height, uint8_t value)
{
    rv_image *image;
    RV_ASSERT_OK(rv_image_create(&image, width, height, 3, 8));
    memset(rv_image_pixels(image), value, (size_t)width * (size_t)height * 3);
    return image;
}

static int at(const rv_image *image, int x, int y)
{
    return ((const uint8_t *)rv_image_pixels_const(image))[3 * (y * rv_image_width(image) + x)];
}

/* Whether a rectangle holds something else than white. */
static bool is_marked(const rv_image *image, int x0, int y0, int width, int height)
{
    for (int y = y0; y < y0 + height; y++) {
        for (int x = x0; x < x0 + width; x++) {
            if (at(image, x, y) != 255) {
                return true;
            }
        }
    }
    return false;
}

Test(sheet, tiles_stand_in_rows_with_labels_below_them)
{
    rv_image *small = plain(20, 10, 7), *large = plain(40, 30, 9), *out;
    const rv_tile tiles[] = {{small, "a"}, {large, "bb\nc"}, {NULL, "empty"}, {small, NULL}};
    const rv_sheet sheet = {.tiles = tiles, .n = 4, .columns = 2};
    RV_ASSERT_OK(rv_sheet_draw(&out, &sheet));
    /* Cells of 40 + 4 by 30 + 4 + two lines of 9 and 2. */
    cr_assert_eq(rv_image_width(out), 4 + 2 * 44);
    cr_assert_eq(rv_image_height(out), 4 + 2 * 54);
    cr_assert(at(out, 4, 4) == 7 && at(out, 23, 13) == 7 && at(out, 24, 4) == 255);
    cr_assert(at(out, 48, 4) == 9 && at(out, 87, 33) == 9 && at(out, 88, 33) == 255);
    cr_assert(at(out, 48, 58) == 7);
    cr_assert(!is_marked(out, 4, 58, 40, 30), "an empty tile is drawn");
    cr_assert(is_marked(out, 4, 36, 5, 7) && !is_marked(out, 10, 36, 34, 7));
    cr_assert(is_marked(out, 48, 45, 5, 7) && !is_marked(out, 54, 45, 34, 7));
    cr_assert(!is_marked(out, 48, 90, 40, 18), "a label that is not there");
    rv_image_destroy(out);
    rv_image_destroy(small);
    rv_image_destroy(large);
}

Test(sheet, what_is_wider_than_a_tile_is_cut_and_titles_widen_the_sheet)
{
    rv_image *tile = plain(30, 4, 7), *out;
    const rv_tile tiles[] = {{tile, "0123456789"}, {tile, "x"}};
    rv_sheet sheet = {.tiles = tiles, .n = 2, .columns = 2};
    RV_ASSERT_OK(rv_sheet_draw(&out, &sheet));
    /* Five letters take 29 pixels: "012..", of which the dots stand in the last two rows. */
    cr_assert(is_marked(out, 4, 10, 30, 7) && !is_marked(out, 34, 10, 4, 7));
    cr_assert(!is_marked(out, 22, 10, 12, 5) && is_marked(out, 22, 15, 12, 2));
    rv_image_destroy(out);
    sheet.title = "a longer title\nmore";
    RV_ASSERT_OK(rv_sheet_draw(&out, &sheet));
    cr_assert_eq(rv_image_width(out), 14 * 12 - 2 + 8);
    cr_assert(is_marked(out, 4, 4, 20, 14) && is_marked(out, 4, 22, 20, 7));
    cr_assert_eq(at(out, 4, 4 + 27 + 4), 7);
    rv_image_destroy(out);
    rv_image_destroy(tile);
}

Test(sheet, many_tiles_make_a_sheet_of_about_four_to_three)
{
    rv_image *tile = plain(36, 36, 0), *out;
    rv_tile tiles[300];
    for (int i = 0; i < 300; i++) {
        tiles[i] = (rv_tile){tile, NULL};
    }
    RV_ASSERT_OK(rv_sheet_draw(&out, &(rv_sheet){.tiles = tiles, .n = 300}));
    cr_assert_eq(rv_image_width(out), 4 + 20 * 40);
    cr_assert_eq(rv_image_height(out), 4 + 15 * 40);
    rv_image_destroy(out);
    RV_ASSERT_FAILS(rv_sheet_draw(&out, &(rv_sheet){.tiles = tiles, .n = 300, .columns = 2000}),
                    RV_ERR_MEMORY, "300 tiles");
    cr_assert_null(out);
    rv_image_destroy(tile);
}

Test(sheet, sheets_can_stand_one_below_the_other)
{
    rv_image *sheets[2] = {plain(20, 10, 7), plain(10, 5, 9)}, *out;
    RV_ASSERT_OK(rv_sheet_stack(&out, sheets, 2));
    cr_assert(rv_image_width(out) == 20 && rv_image_height(out) == 15);
    cr_assert(at(out, 19, 9) == 7 && at(out, 0, 10) == 9 && at(out, 9, 14) == 9);
    cr_assert_eq(at(out, 10, 10), 255);
    rv_image_destroy(out);
    rv_image_destroy(sheets[0]);
    rv_image_destroy(sheets[1]);
}

static double lightness(rv_colour c)
{
    return 0.2126 * c.r + 0.7152 * c.g + 0.0722 * c.b;
}

Test(sheet, colours_of_numbers_get_lighter_all_the_way)
{
    const rv_colour low = rv_colour_of_share(-1), none = rv_colour_of_share(NAN);
    const rv_colour high = rv_colour_of_share(2), middle = rv_colour_of_share(0.5);
    cr_assert(low.r == 68 && low.g == 1 && low.b == 84);
    cr_assert(none.r == 68 && none.g == 1 && none.b == 84);
    cr_assert(high.r == 253 && high.g == 231 && high.b == 37);
    cr_assert(middle.r == 33 && middle.g == 144 && middle.b == 140);
    for (int i = 1; i <= 64; i++) {
        cr_assert_gt(lightness(rv_colour_of_share(i / 64.0)),
                     lightness(rv_colour_of_share((i - 1) / 64.0)));
    }
}

Test(sheet, colours_of_signed_numbers_are_white_at_zero_and_darker_to_both_sides)
{
    const rv_colour zero = rv_colour_of_signed(0), none = rv_colour_of_signed(NAN);
    const rv_colour low = rv_colour_of_signed(-1), high = rv_colour_of_signed(1);
    cr_assert(zero.r == 255 && zero.g == 255 && zero.b == 255 && none.g == 255);
    cr_assert(low.r == 0 && low.b == 178 && high.r == 213 && high.b == 0);
    for (int i = 1; i <= 20; i++) {
        cr_assert_lt(lightness(rv_colour_of_signed(i / 20.0)),
                     lightness(rv_colour_of_signed((i - 1) / 20.0)));
        cr_assert_lt(lightness(rv_colour_of_signed(-i / 20.0)),
                     lightness(rv_colour_of_signed((1 - i) / 20.0)));
    }
}
