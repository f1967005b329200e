/* Pictures augmented on their way into a batch: the middle at the network's size, in one resampling. */
/* SPDX-License-Identifier: MIT */
#include "dataset/augmented.h"
#include "dataset/loader.h"
#include "support/assert.h"
#include "support/device.h"
#include "tensor/tensor.h"

#include <math.h>
#include <stdlib.h>

enum { WIDTH = 24, HEIGHT = 16, SIDE = 8 };

/* Rises by 10 a column and by 3 a row, the same in all channels but for 1, 2 more. */
static rv_sample ramp(int width, int height)
{
    rv_sample s = {width, height, 3, calloc((size_t)width * (size_t)height, 3)};
    cr_assert(s.data != NULL);
    for (int i = 0; i < width * height * 3; i++) {
        s.data[i] = (uint8_t)(10 * (i / 3 % width) + 3 * (i / 3 / width) % 200 + i % 3);
    }
    return s;
}

/* What the device makes of one picture. */
static void make(rv_device *device, float *out, rv_augmented *a)
{
    rv_augmenter *augmenter;
    const rv_source *source = &a->source;
    rv_tensor tensor;
    RV_ASSERT_OK(rv_augmenter_create(&augmenter, device, RV_AUGMENT_COLOUR));
    RV_ASSERT_OK(
        rv_tensor_create(&tensor, device, rv_shape_4(1, 3, a->job.height, a->job.width), RV_PLAIN));
    RV_ASSERT_OK(rv_augmenter_run(augmenter, &source, &a->job, 1, tensor.buffer));
    RV_ASSERT_OK(rv_tensor_read(device, &tensor, out));
    rv_tensor_release(&tensor);
    rv_augmenter_destroy(augmenter);
}

/* Means of a linear ramp are its value in the middle, so host and device agree but for rounding to 8 bits. */
Test(augmented, without_transforms_it_is_the_fitted_picture)
{
    rv_device *device = rv_test_device();
    const rv_recipe nothing = {0};
    static const int sizes[][2] = {{SIDE, SIDE}, {WIDTH, HEIGHT}, {16, SIDE}, {9, 13}};
    for (int i = 0; i < 4; i++) {
        rv_sample sample = ramp(sizes[i][0], sizes[i][1]);
        rv_augmented a;
        float host[3 * SIDE * SIDE], made[3 * SIDE * SIDE];
        RV_ASSERT_OK(rv_sample_fit(host, &sample, 3, SIDE, SIDE));
        RV_ASSERT_OK(rv_augmented_draw(&a, &sample, &nothing, (rv_draw_key){1, 2, 3}, SIDE, SIDE));
        make(device, made, &a);
        for (int k = 0; k < 3 * SIDE * SIDE; k++) {
            const int x = k % SIDE, y = k / SIDE % SIDE;
            const bool inside = x > 0 && x < SIDE - 1 && y > 0 && y < SIDE - 1;
            const double allowed = i == 0 ? 1e-6 : inside ? 1.5 / 255 : 8.0 / 255;
            cr_assert_float_eq(made[k], host[k], allowed, "size %d, value %d: %g, not %g", i, k,
                               (double)made[k], (double)host[k]);
        }
        rv_source_release(&a.source);
        rv_sample_release(&sample);
    }
    rv_device_close(device);
}

Test(augmented, rectangles_and_blur_keep_their_place_in_the_fitted_picture)
{
    rv_augment_job job = {.matrix = {1, 0, 0, 0, 1, 0},
                          .width = 40,
                          .height = 20,
                          .blur = 3,
                          .erase = {12, 4, 20, 16}};
    rv_augment_fit(&job, 10, 10);
    /* The middle starts at column 10; two pixels become one. */
    cr_assert(job.width == 10 && job.height == 10);
    cr_assert_float_eq(job.matrix[0], 2, 1e-6);
    cr_assert_float_eq(job.matrix[2], 10, 1e-6);
    cr_assert_float_eq(job.matrix[5], 0, 1e-6);
    cr_assert_float_eq(job.blur, 1.5, 1e-6);
    cr_assert(job.erase[0] == 1 && job.erase[1] == 2 && job.erase[2] == 5 && job.erase[3] == 8);
}

Test(augmented, draws_differ_by_epoch_and_picture_only)
{
    rv_recipe recipe;
    rv_sample sample = ramp(WIDTH, HEIGHT);
    rv_augment_job jobs[4];
    static const rv_draw_key keys[4] = {{1, 5, 0}, {1, 5, 0}, {1, 5, 1}, {1, 6, 0}};
    RV_ASSERT_OK(rv_recipe_load(&recipe, "light"));
    for (int i = 0; i < 4; i++) {
        rv_augmented a;
        RV_ASSERT_OK(rv_augmented_draw(&a, &sample, &recipe, keys[i], SIDE, SIDE));
        jobs[i] = a.job;
        rv_source_release(&a.source);
    }
    cr_assert_arr_eq(&jobs[0], &jobs[1], sizeof jobs[0]);
    cr_assert_arr_neq(&jobs[0], &jobs[2], sizeof jobs[0]);
    cr_assert_arr_neq(&jobs[0], &jobs[3], sizeof jobs[0]);
    rv_sample_release(&sample);
}
