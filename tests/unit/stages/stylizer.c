/* Many photos by one stylizer: each as if it were alone, and what the styles give is found once. */
/* SPDX-License-Identifier: MIT */
#include <reverie/stylize.h>

#include "base/system.h"
#include "small_network.h"
#include "stages/style_cache.h"
#include "support/device.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

Test(stylizer, gives_each_photo_what_it_gives_alone, .timeout = 120)
{
    static const int sizes[][2] = {{40, 30}, {30, 40}, {20, 21}, {36, 27}, {40, 30}};
    rv_device *device = rv_test_device();
    rv_image *styles[2] = {waves(30, 22, 3, 8, 2), waves(50, 60, 3, 8, 3)};
    static const double weights[2] = {1, 3};
    for (int patches = 0; patches < 2; patches++) {
        rv_model *model = NULL;
        rv_stylize_options options = RV_STYLIZE_OPTIONS_INIT;
        rv_stylizer *s;
        options.size = 32;
        options.scales = 2;
        options.iterations = 2;
        options.content_layers = patches ? NULL : "relu3";
        if (patches) {
            cr_assert_eq(rv_model_open(&model, "patches", NULL), RV_OK);
        } else {
            model = small_network();
        }
        cr_assert_eq(rv_stylizer_create(&s, device, model, (const rv_image *const *)styles, weights,
                                        2, &options),
                     RV_OK);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            rv_image *photo = waves(sizes[i][0], sizes[i][1], 3, 8, (uint32_t)i), *one, *want;
            rv_stylize_result a, b;
            cr_assert_eq(rv_stylize(&want, &a, device, model, photo,
                                    (const rv_image *const *)styles, weights, 2, &options),
                         RV_OK, "%s", rv_error_message());
            cr_assert_eq(rv_stylizer_run(&one, &b, s, photo, NULL), RV_OK, "%s",
                         rv_error_message());
            const size_t bytes = (size_t)rv_image_width(want) * (size_t)rv_image_height(want) * 3;
            cr_assert_eq(rv_image_width(one), rv_image_width(want));
            cr_assert_eq(memcmp(rv_image_pixels(one), rv_image_pixels(want), bytes), 0,
                         "photo %zu, patches %d", i, patches);
            cr_assert_str_eq(a.settings, b.settings);
            rv_image_destroy(photo);
            rv_image_destroy(one);
            rv_image_destroy(want);
        }
        rv_stylizer_destroy(s);
        rv_model_close(model);
    }
    rv_image_destroy(styles[0]);
    rv_image_destroy(styles[1]);
    rv_device_close(device);
}

/* Small photos have sizes of their own, which must not pile up. */
Test(stylizer, keeps_the_latest_sizes_only)
{
    rv_style_cache cache = {0};
    rv_style_findings *f;
    rv_terms none = {0};
    for (int size = 1; size <= RV_STYLE_SIZES + 2; size++) {
        cr_assert_eq(rv_style_cache_add(&f, &cache, size, 1, 1, NULL), RV_OK);
        cr_assert_eq(rv_style_findings_take(f, &none), RV_OK);
    }
    cr_assert_eq(cache.n, RV_STYLE_SIZES);
    for (int size = 1; size <= RV_STYLE_SIZES + 2; size++) {
        f = rv_style_cache_find(&cache, size, 1, NULL);
        cr_assert(size <= 2 ? f == NULL : f != NULL && f->size == size, "size %d", size);
    }
    rv_style_cache_release(&cache);
}

Test(stylizer, finds_out_what_a_size_gives_once)
{
    rv_style_cache cache = {0};
    rv_style_findings *f, *g;
    rv_terms terms = {0};
    float *values[2];
    const rv_term style = {.of_style = true, .weight = 1}, photo = {.weight = 1};
    cr_assert_eq(rv_terms_add(&terms, &style, "a", "b"), RV_OK);
    cr_assert_eq(rv_terms_add(&terms, &photo, "c", "d"), RV_OK);
    for (int i = 0; i < 2; i++) {
        values[i] = malloc(3 * sizeof *values[i]);
        memcpy(values[i], (float[]){1 + (float)i, 2, 3}, 3 * sizeof *values[i]);
        terms.items[i].target = values[i];
        terms.items[i].count = 3;
    }
    cr_assert_null(rv_style_cache_find(&cache, 64, 3, NULL));
    cr_assert_eq(rv_style_cache_add(&f, &cache, 64, 3, 1, NULL), RV_OK);
    cr_assert_null(
        rv_style_cache_find(&cache, 64, 3, NULL)); /* a run that ended before it was measured */
    cr_assert_eq(rv_style_cache_add(&g, &cache, 64, 3, 1, NULL), RV_OK);
    cr_assert_eq(cache.n, 1);
    terms.items[1].of_style = true; /* a run that ended for want of memory while it was kept */
    terms.items[1].count = SIZE_MAX;
    cr_assert_eq(rv_style_findings_take(g, &terms), RV_ERR_MEMORY);
    cr_assert_null(rv_style_cache_find(&cache, 64, 3, NULL));
    terms.items[1].of_style = false;
    terms.items[1].count = 3;
    cr_assert_eq(rv_style_cache_add(&g, &cache, 64, 3, 1, NULL), RV_OK);
    cr_assert_eq(cache.n, 1);
    cr_assert_eq(rv_style_findings_take(g, &terms), RV_OK);
    cr_assert_eq(rv_style_cache_find(&cache, 64, 3, NULL), g);
    cr_assert_null(rv_style_cache_find(&cache, 64, 4, NULL));
    cr_assert_null(rv_style_cache_find(&cache, 32, 3, NULL));
    const rv_colour_moments red = {{0.5, 0, 0}, {0}};
    cr_assert_null(rv_style_cache_find(&cache, 64, 3, &red));
    cr_assert_eq(rv_style_cache_add(&f, &cache, 64, 3, 1, &red), RV_OK);
    cr_assert_eq(rv_style_findings_take(f, &terms), RV_OK);
    cr_assert_eq(rv_style_cache_find(&cache, 64, 3, &red), f);
    cr_assert_eq(rv_style_cache_find(&cache, 64, 3, NULL), g);
    free(terms.items[0].target);
    terms.items[0].target = NULL;
    cr_assert_eq(rv_style_findings_give(g, &terms), RV_OK);
    cr_assert(terms.items[0].count == 3 && terms.items[0].target[0] == 1.0f &&
              terms.items[0].target[2] == 3.0f);
    cr_assert_eq(terms.items[1].target, values[1]);
    terms.items[1].of_style = true;
    cr_assert_eq(rv_style_findings_give(g, &terms), RV_ERR_INTERNAL);
    rv_terms_release(&terms);
    rv_style_cache_release(&cache);
}

/* Seconds that each of some further photos takes with so many iterations. */
static double seconds_each(rv_device *device, const rv_model *model, const rv_image *style,
                           int size, int iterations)
{
    enum { FURTHER = 8 };
    rv_stylize_options options = RV_STYLIZE_OPTIONS_INIT;
    rv_stylizer *s;
    rv_image *photo = waves(600, 400, 3, 8, 7), *out;
    double start = 0;
    options.size = size;
    options.optimizer = RV_OPTIMIZER_ADAM; /* an evaluation for each iteration */
    options.scales = 1;
    options.iterations = iterations;
    cr_assert_eq(rv_stylizer_create(&s, device, model, &style, NULL, 1, &options), RV_OK);
    for (int i = -1; i < FURTHER; i++) {
        start = i == 0 ? rv_clock() : start;
        cr_assert_eq(rv_stylizer_run(&out, NULL, s, photo, NULL), RV_OK, "%s", rv_error_message());
        rv_image_destroy(out);
    }
    const double seconds = rv_clock() - start;
    rv_image_destroy(photo);
    rv_stylizer_destroy(s);
    return seconds / FURTHER;
}

/* Of many photos each is planned, measured and painted anew, but what the styles give is known: what that takes beyond
 * iterations, a resize included. */
Test(stylizer, takes_a_tenth_of_a_second_for_each_further_photo, .timeout = 120)
{
    if (getenv("REVERIE_TEST_SPEED") == NULL) {
        cr_skip_test("speeds need a machine of their own: set REVERIE_TEST_SPEED=1");
    }
    rv_device *device = rv_test_device();
    rv_image *style = waves(300, 220, 3, 8, 2);
    rv_model *model;
    cr_assert_eq(rv_model_open(&model, "builtin", NULL), RV_OK, "%s", rv_error_message());
    const double two = seconds_each(device, model, style, 64, 2);
    const double six = seconds_each(device, model, style, 64, 6);
    const double beyond = two - (six - two) / 2;
    cr_log_info("%.3f s beyond iterations of %.4f s\n", beyond, (six - two) / 4);
    cr_assert_leq(beyond, 0.1);
    rv_image_destroy(style);
    rv_model_close(model);
    rv_device_close(device);
}
