/* Sheets of activations: each pixel of a map is the colour of the value that the network computed. */
/* SPDX-License-Identifier: MIT */
#include "image/colour_map.h"
#include "small_network.h"
#include "support/assert.h"
#include "support/device.h"

#include <math.h>
#include <reverie/visualize.h>
#include <stdlib.h>
#include <string.h>

static rv_model *model;
static rv_device *device;
static rv_features *features;

/* Runs a network of 9 channels of 20 x 24 and one of 11 channels of 10 x 12 over waves. */
static void run(void)
{
    static const char *const layers[] = {"conv1", "relu3"};
    rv_image *image = waves(60, 50, 3, 8, 3);
    model = small_network();
    device = rv_test_device();
    RV_ASSERT_OK(rv_features_create(&features, model, device, layers, 2));
    RV_ASSERT_OK(rv_features_run_image(features, image));
    rv_image_destroy(image);
}

static void end(void)
{
    rv_features_destroy(features);
    rv_device_close(device);
    rv_model_close(model);
}

static const uint8_t *at(const rv_image *image, int x, int y)
{
    return (const uint8_t *)rv_image_pixels_const(image) + 3 * (y * rv_image_width(image) + x);
}

static double largest(const float *v, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        most = fmax(most, fabs((double)v[i]));
    }
    return most;
}

/* The sheet at (left, top) has the map in squares of `times` pixels. */
static void check_map(const rv_image *sheet, int left, int top, const rv_feature_map *map, size_t c,
                      int times, double unit, bool has_sign)
{
    const int h = (int)map->dim[2], w = (int)map->dim[3];
    const float *v = map->data + c * (size_t)(h * w);
    for (int y = 0; y < h * times; y++) {
        for (int x = 0; x < w * times; x++) {
            const double share = (double)v[y / times * w + x / times] / unit;
            const rv_colour colour =
                has_sign ? rv_colour_of_signed(share) : rv_colour_of_share(share);
            cr_assert_arr_eq(at(sheet, left + x, top + y), &colour, 3, "channel %zu at %d, %d", c,
                             x, y);
        }
    }
}

/* Tiles begin below a title of three lines: 4 + 4 x 9 + 4 pixels; 4 pixels and a line of 9 + 2 lie between them. */
Test(activations, every_pixel_is_the_colour_of_its_value)
{
    run();
    const rv_activations_options o = {sizeof o, 0, 24, 0, false};
    rv_image *sheet;
    RV_ASSERT_OK(rv_visualize_activations(&sheet, features, 0, 1, &o));
    rv_feature_map map = rv_features_map(features, 0);
    for (size_t c = 0; c < 9; c++) {
        const double unit = largest(map.data + c * 480, 480);
        check_map(sheet, 4 + 28 * (int)c, 44, &map, c, 1, unit, true);
    }
    rv_image_destroy(sheet);
    RV_ASSERT_OK(rv_visualize_activations(&sheet, features, 1, 1, &o));
    map = rv_features_map(features, 1);
    for (size_t c = 0; c < 11; c++) {
        const double unit = largest(map.data + c * 120, 120);
        check_map(sheet, 4 + 28 * (int)c, 44, &map, c, 2, unit > 0 ? unit : 1, false);
    }
    rv_image_destroy(sheet);
    end();
}

static double strength(const rv_feature_map *map, size_t c)
{
    double sum = 0;
    const size_t n = map->dim[2] * map->dim[3];
    for (size_t i = 0; i < n; i++) {
        sum += fabs((double)map->data[c * n + i]);
    }
    return sum;
}

Test(activations, the_strongest_come_first_and_can_share_a_scale)
{
    run();
    const rv_activations_options o = {sizeof o, 3, 24, 0, true};
    rv_image *sheet;
    bool taken[11] = {false};
    const rv_feature_map map = rv_features_map(features, 1);
    RV_ASSERT_OK(rv_visualize_activations(&sheet, features, 1, 1, &o));
    for (int i = 0; i < 3; i++) {
        size_t best = 0;
        for (size_t c = 0; c < 11; c++) {
            if (!taken[c] && (taken[best] || strength(&map, c) > strength(&map, best))) {
                best = c;
            }
        }
        taken[best] = true;
        check_map(sheet, 4 + 28 * i, 44, &map, best, 2, largest(map.data, (size_t)11 * 120), false);
    }
    rv_image_destroy(sheet);
    end();
}

Test(activations, layers_stand_one_below_the_other_the_same_each_time)
{
    run();
    rv_image *both, *again, *one, *two;
    RV_ASSERT_OK(rv_visualize_activations(&both, features, 0, 2, NULL));
    RV_ASSERT_OK(rv_visualize_activations(&again, features, 0, 2, NULL));
    RV_ASSERT_OK(rv_visualize_activations(&one, features, 0, 1, NULL));
    RV_ASSERT_OK(rv_visualize_activations(&two, features, 1, 1, NULL));
    cr_assert_eq(rv_image_height(both), rv_image_height(one) + rv_image_height(two));
    cr_assert_arr_eq(rv_image_pixels(both), rv_image_pixels(again),
                     (size_t)rv_image_width(both) * (size_t)rv_image_height(both) * 3);
    const int y = rv_image_height(one) + rv_image_height(two) - 20;
    cr_assert_arr_eq(at(both, 0, y), at(two, 0, y - rv_image_height(one)),
                     3 * (size_t)rv_image_width(two));
    rv_image *const all[] = {both, again, one, two};
    for (int i = 0; i < 4; i++) {
        rv_image_destroy(all[i]);
    }
    end();
}

/* What a caller of an older library does not know of is as usual. */
Test(activations, an_older_caller_knows_fewer_options)
{
    rv_image *sheet;
    rv_activations_options o = RV_ACTIVATIONS_OPTIONS_INIT;
    run();
    o.struct_size = offsetof(rv_activations_options, tile);
    o.tile = 2000;
    RV_ASSERT_OK(rv_visualize_activations(&sheet, features, 0, 1, &o));
    rv_image_destroy(sheet);
    end();
}

Test(activations, what_is_not_there_is_refused)
{
    rv_image *sheet;
    static const char *const layers[] = {"conv1"};
    rv_activations_options o = RV_ACTIVATIONS_OPTIONS_INIT;
    run();
    RV_ASSERT_FAILS(rv_visualize_activations(&sheet, features, 1, 2, NULL), RV_ERR_USAGE,
                    "among 2");
    cr_assert_null(sheet);
    o.picture = 1;
    RV_ASSERT_FAILS(rv_visualize_activations(&sheet, features, 0, 1, &o), RV_ERR_USAGE,
                    "no picture 1 among 1");
    o.picture = 0;
    o.tile = 2000;
    RV_ASSERT_FAILS(rv_visualize_activations(&sheet, features, 0, 1, &o), RV_ERR_USAGE, "2000");
    rv_features_destroy(features);
    RV_ASSERT_OK(rv_features_create(&features, model, device, layers, 1));
    RV_ASSERT_FAILS(rv_visualize_activations(&sheet, features, 0, 1, NULL), RV_ERR_USAGE,
                    "not run over anything");
    end();
}
