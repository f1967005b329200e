/* Growing text, the nearest name, numbers from text. */
/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include "base/system.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Test(text, grows_by_format_and_by_bytes)
{
    rv_text text = {0};
    rv_text_append(&text, "%s-%d", "conv", 1);
    rv_text_append_bytes(&text, "\0x", 2);
    cr_assert_eq(rv_text_status(&text), RV_OK);
    cr_assert_eq(text.length, 8);
    cr_assert_eq(memcmp(text.data, "conv-1\0x", 9), 0);
    for (int i = 0; i < 1000; i++) {
        rv_text_append(&text, "%d,", i);
    }
    cr_assert_eq(text.length, 8 + 3890);
    cr_assert_str_eq(text.data + text.length - 4, "999,");
    rv_text_release(&text);
    cr_assert_null(text.data);
}

Test(text, appending_nothing_still_makes_a_string)
{
    rv_text text = {0};
    rv_text_append_bytes(&text, NULL, 0);
    cr_assert_str_eq(text.data, "");
    rv_text_release(&text);
}

Test(text, a_failed_append_keeps_what_there_was_and_is_remembered)
{
    rv_text text = {0};
    rv_text_append(&text, "kept");
    rv_text_append_bytes(&text, NULL, SIZE_MAX);
    rv_text_append(&text, "not appended");
    cr_assert_eq(rv_text_status(&text), RV_ERR_MEMORY);
    cr_assert_str_eq(text.data, "kept");
    rv_text_release(&text);
}

Test(text, formats_into_new_memory)
{
    char *out = NULL;
    cr_assert_eq(rv_format(&out, "%05.1f|%s", 3.14159, ""), RV_OK);
    cr_assert_str_eq(out, "003.1|");
    free(out);
}

Test(text, nearest_name)
{
    static const char *const names[] = {"conv1_1", "conv4_2", "relu4_2", "pool4"};
    cr_assert_eq(rv_nearest("conv42", names, 4), 1);
    cr_assert_eq(rv_nearest("rellu4_2", names, 4), 2);
    cr_assert_eq(rv_nearest("pol4", names, 4), 3);
    cr_assert_eq(rv_nearest("", names, 4), 3);
    cr_assert_eq(rv_nearest("conv1_1", names, 1), 0);
    cr_assert_eq(rv_nearest("x", names, 0), -1);
}

Test(text, names_longer_than_the_comparison_do_no_harm)
{
    char longer[5000];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    const char *const names[] = {"bbbb", longer};
    cr_assert_eq(rv_nearest(longer, names, 2), 1);
}

Test(text, numbers_have_a_point_in_every_locale)
{
    int code = -1;
    const char *folder = rv_test_path("de_DE.UTF-8");
    const char *const make[] = {"localedef", "-i", "de_DE", "-f", "UTF-8", folder, NULL};
    if (rv_process_run(&code, make, 60) != RV_OK || code != 0) {
        cr_skip_test("there is no localedef, or it knows no German");
    }
    setenv("LOCPATH", rv_test_folder(), 1);
    cr_assert_not_null(setlocale(LC_ALL, "de_DE.UTF-8"));
    char text[16];
    snprintf(text, sizeof text, "%g", 1.5);
    cr_assert_str_eq(text, "1,5", "the locale has no effect");
    char *out = NULL, *end = NULL;
    double x = 0;
    cr_assert_eq(rv_format(&out, "%g", 1.5), RV_OK);
    cr_assert_str_eq(out, "1.5");
    free(out);
    cr_assert_eq(rv_parse_double(&x, "2.5", 0, 10, "weight"), RV_OK);
    cr_assert_eq(x, 2.5);
    cr_assert(rv_strtod("0.25f", &end) == 0.25 && *end == 'f');
    snprintf(text, sizeof text, "%g", 1.5);
    cr_assert_str_eq(text, "1,5", "the locale of the caller was changed");
}

Test(text, numbers)
{
    double x = 0;
    cr_assert_eq(rv_parse_double(&x, "1e3", 0, 1e6, "weight"), RV_OK);
    cr_assert_eq(x, 1000.0);
    cr_assert_eq(rv_parse_double(&x, "-.5", -1, 1, "weight"), RV_OK);
    cr_assert_eq(x, -0.5);
    static const char *const wrong[] = {"", " 1", "1 ", "nan", "inf", "-inf", "0x1p3", "1,5", "1e"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_assert_eq(rv_parse_double(&x, wrong[i], -1e9, 1e9, "weight"), RV_ERR_USAGE, "'%s'",
                     wrong[i]);
    }
    cr_assert_eq(rv_parse_double(&x, "-1", 0, 1e9, "style weight"), RV_ERR_USAGE);
    cr_assert_str_eq(rv_error_message(), "style weight is -1, must be from 0 to 1e+09");
    cr_assert_eq(rv_parse_double(&x, "1e999", 0, INFINITY, "weight"), RV_ERR_USAGE);
    cr_assert_eq(x, -0.5);
}

Test(text, cells_are_quoted_where_they_must_be)
{
    rv_text text = {0};
    rv_text_append_cell(&text, "a b");
    rv_text_append_cell(&text, "");
    rv_text_append_cell(&text, "c,\"d\"\n");
    cr_assert_eq(rv_text_status(&text), RV_OK);
    cr_assert_str_eq(text.data, "a b\"c,\"\"d\"\"\n\"");
    rv_text_release(&text);
}
