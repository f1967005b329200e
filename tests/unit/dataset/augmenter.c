/* Augmented pictures: against other programs, twins in double precision, and what is exact. */
/* SPDX-License-Identifier: MIT */
#include "dataset/augmenter.h"
#include "augment_vectors.h"
#include "base/philox.h"
#include "dataset/recipe.h"
#include "support/device.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every width of the vectors, and both forms. */
static const struct {
    rv_form form;
    int block;
} devices[] = {{RV_FORM_AUTO, 0}, {RV_FORM_CPU, 8}, {RV_FORM_GPU, 4}};
enum { N_DEVICES = sizeof devices / sizeof devices[0] };

static rv_device *open_device(int i)
{
    rv_device *device = NULL;
    const rv_status status = rv_test_device_open(&device, devices[i].form, devices[i].block);
    rv_test_skip_without_device(status);
    cr_assert_eq(status, RV_OK, "%s", rv_error_message());
    return device;
}

static rv_source make_source(int width, int height)
{
    static const int base[3] = {0, 25, -35};
    rv_source s;
    cr_assert_eq(rv_source_create(&s, width, height), RV_OK);
    double grey = 0;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            uint8_t *p = s.rgb + 3 * (y * width + x);
            for (int c = 0; c < 3; c++) {
                p[c] = (uint8_t)(40 + 13 * x + 9 * y + base[c] + x * y * (c + 1) % 7);
            }
            grey += (0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]) / 255;
        }
    }
    s.mean_grey = (float)(grey / (width * height));
    return s;
}

static rv_recipe recipe_of(const char *steps)
{
    rv_recipe recipe;
    char text[512];
    snprintf(text, sizeof text, "transforms:\n%s", steps);
    cr_assert_eq(rv_recipe_parse(&recipe, text, strlen(text), "test"), RV_OK, "%s",
                 rv_error_message());
    return recipe;
}

/* What a recipe without chance makes of a source, as bytes or floats. */
static rv_augment_job run(rv_device *device, const char *steps, const rv_source *source,
                          bool planes, void *out, size_t bytes)
{
    const rv_recipe recipe = recipe_of(steps);
    rv_augment_draw draw;
    rv_augmenter *augmenter;
    rv_recipe_draw(&draw, &recipe, (rv_draw_key){1, 2, 3}, source->width, source->height);
    rv_augment_set_source(&draw.job, source, 0);
    cr_assert_eq(rv_augment_values(&draw.job) * (planes ? 4 : 1), bytes);
    cr_assert_eq(
        rv_augmenter_create(&augmenter, device, planes ? RV_AUGMENT_COLOUR : RV_AUGMENT_BYTES),
        RV_OK, "%s", rv_error_message());
    cr_assert_eq(rv_augmenter_run(augmenter, &source, &draw.job, 1, NULL), RV_OK, "%s",
                 rv_error_message());
    cr_assert_eq(rv_augmenter_read(augmenter, out, bytes), RV_OK);
    rv_augmenter_destroy(augmenter);
    return draw.job;
}

/* --- other programs --------------------------------------------------------------------------------------- */

/* Of the largest of the pictures. */
enum { MOST_BYTES = sizeof vector_enlarged };

static void agrees_of(const char *steps, const uint8_t *expected, size_t n)
{
    for (int i = 0; i < N_DEVICES; i++) {
        rv_device *device = open_device(i);
        rv_source source = make_source(VECTOR_WIDTH, VECTOR_HEIGHT);
        uint8_t out[MOST_BYTES];
        run(device, steps, &source, false, out, n);
        for (size_t k = 0; k < n; k++) {
            cr_assert(abs(out[k] - expected[k]) <= 1, "%sblock %d: value %zu is %d, not %d", steps,
                      rv_device_block(device), k, out[k], expected[k]);
        }
        rv_source_release(&source);
        rv_device_close(device);
    }
}

static void agrees(const char *steps, const uint8_t *expected)
{
    agrees_of(steps, expected, VECTOR_BYTES);
}

Test(augmenter, resamples_like_opencv)
{
    agrees(" - affine: {rotate: [20, 20], scale: 1.1}\n", vector_rotated);
    agrees(" - affine: {rotate: [20, 20], scale: 1.1, border: constant}\n", vector_bordered);
    agrees(" - affine: {shear: [15, 15], scale: 0.8, translate: [0.1, 0.1], border: replicate}\n",
           vector_sheared);
    agrees_of(" - affine: {border: replicate}\n - resize: {width: 16, height: 11}\n",
              vector_enlarged, sizeof vector_enlarged);
}

Test(augmenter, flips_and_pads_like_opencv)
{
    agrees(" - horizontal_flip\n", vector_mirrored);
    agrees(" - vertical_flip\n", vector_toppled);
    agrees_of(" - pad: {width: 13, height: 9}\n", vector_padded, sizeof vector_padded);
}

Test(augmenter, blurs_like_opencv)
{
    agrees(" - gaussian_blur: {sigma: 1.2}\n", vector_blurred);
}

Test(augmenter, changes_colours_like_pillow)
{
    agrees(" - color_jitter: {brightness: [1.4, 1.4]}\n", vector_brighter);
    agrees(" - color_jitter: {contrast: [0.6, 0.6]}\n", vector_flatter);
    agrees(" - color_jitter: {saturation: [1.7, 1.7]}\n", vector_richer);
    agrees(" - grayscale\n", vector_grey);
}

Test(augmenter, shifts_hue_like_colorsys)
{
    agrees(" - color_jitter: {hue: [0.3, 0.3]}\n", vector_turned);
}

/* --- exact ------------------------------------------------------------------------------------------------ */

enum { W = 37, H = 11, BYTES = W * H * 3 };

/* The result at (x, y) is the source at (x, y) or where `from` says, byte for byte. */
static void is_moved(const char *steps, void (*from)(int *x, int *y))
{
    for (int i = 0; i < N_DEVICES; i++) {
        rv_device *device = open_device(i);
        rv_source source = make_source(W, H);
        uint8_t out[BYTES];
        run(device, steps, &source, false, out, sizeof out);
        for (int y = 0; y < H; y++) {
            for (int x = 0; x < W; x++) {
                int sx = x, sy = y;
                from(&sx, &sy);
                cr_assert_arr_eq(out + 3 * (y * W + x), source.rgb + 3 * (sy * W + sx), 3,
                                 "%s(%d, %d)", steps, x, y);
            }
        }
        rv_source_release(&source);
        rv_device_close(device);
    }
}

static void mirrored_x(int *x, int *y)
{
    (void)y;
    *x = W - 1 - *x;
}
static void mirrored_y(int *x, int *y)
{
    (void)x;
    *y = H - 1 - *y;
}
static void half_turn(int *x, int *y)
{
    mirrored_x(x, y);
    mirrored_y(x, y);
}
static void where_it_was(int *x, int *y)
{
    (void)x, (void)y;
}

Test(augmenter, whole_moves_are_exact)
{
    is_moved(" - horizontal_flip: {}\n", mirrored_x);
    is_moved(" - vertical_flip\n", mirrored_y);
    is_moved(" - horizontal_flip\n - vertical_flip\n", half_turn);
    is_moved(
        " - pad: {width: 47, height: 21}\n - crop: {width: 37, height: 11, position: center}\n",
        where_it_was);
}

Test(augmenter, erases_what_was_drawn_and_no_more)
{
    rv_device *device = open_device(0);
    rv_source source = make_source(W, H);
    uint8_t out[BYTES];
    const rv_augment_job job = run(device, " - random_erasing: {scale: 0.2, ratio: 1, value: 1}\n",
                                   &source, false, out, sizeof out);
    int erased = 0;
    for (int y = 0; y < H; y++) {
        for (int x = 0; x < W; x++) {
            const bool in =
                x >= job.erase[0] && x < job.erase[2] && y >= job.erase[1] && y < job.erase[3];
            const uint8_t white[3] = {255, 255, 255};
            cr_assert_arr_eq(out + 3 * (y * W + x), in ? white : source.rgb + 3 * (y * W + x), 3);
            erased += in;
        }
    }
    cr_assert_eq(erased, 81); /* a square of round(sqrt(0.2 * 37 * 11)) pixels */
    rv_source_release(&source);
    rv_device_close(device);
}

/* --- noise ------------------------------------------------------------------------------------------------ */

/* The normal of a channel of a pixel, as augment.cl has it, in double precision. */
static double normal_at(const rv_augment_job *job, int x, int y, int c)
{
    const uint32_t first = (uint32_t)(y * ((job->width + 31) / 32 * 16) + x / 32 * 16 + x % 16);
    const rv_philox_words counter = {
        {first, job->noise_key[0], job->noise_key[1], job->noise_key[2]}};
    const rv_philox_words words = rv_philox(counter, job->noise_key[3], 0x6e6f6973u);
    const uint32_t word = words.w[x / 16 % 2 * 2 + (c == 2)];
    const double radius = sqrt(-2 * log(((word & 0xffff) + 1) / 65536.0));
    const double angle = 2 * M_PI * ((word >> 16) / 65536.0 - 0.5);
    return radius * (c == 1 ? cos(angle) : sin(angle));
}

Test(augmenter, noise_is_the_normals_of_its_counter)
{
    enum { SIDE = 96, VALUES = SIDE * SIDE * 3 };
    static float out[VALUES];
    for (int i = 0; i < N_DEVICES; i++) {
        rv_device *device = open_device(i);
        rv_source source;
        cr_assert_eq(rv_source_create(&source, SIDE, SIDE), RV_OK);
        memset(source.rgb, 128, VALUES);
        const rv_augment_job job =
            run(device, " - gaussian_noise: {std: 0.1}\n", &source, true, out, sizeof out);
        double sum = 0, squares = 0;
        for (int k = 0; k < VALUES; k++) {
            const int c = k / (SIDE * SIDE), y = k / SIDE % SIDE, x = k % SIDE;
            const double normal = ((double)out[k] - 128.0 / 255) / (double)job.noise;
            /* Near 0 the radius is the root of the error of a logarithm. */
            cr_assert_float_eq(normal, normal_at(&job, x, y, c), 1e-4, "%d %d %d: %g %g", x, y, c,
                               normal, normal_at(&job, x, y, c));
            sum += normal;
            squares += normal * normal;
        }
        /* Of 27648 draws the mean has a deviation of 0.006, the variance one of 0.0085. */
        cr_assert_float_eq(sum / VALUES, 0, 0.025);
        cr_assert_float_eq(squares / VALUES, 1, 0.035);
        rv_source_release(&source);
        rv_device_close(device);
    }
}

/* --- grey ------------------------------------------------------------------------------------------------- */

/* Floats of a batch of two jobs of one source. */
static void run_form(float *out, rv_device *device, const char *steps, const rv_source *source,
                     rv_augment_form form)
{
    const rv_recipe recipe = recipe_of(steps);
    const rv_source *sources[2] = {source, source};
    rv_augment_job jobs[2];
    rv_augmenter *augmenter;
    for (uint32_t i = 0; i < 2; i++) {
        rv_augment_draw draw;
        rv_recipe_draw(&draw, &recipe, (rv_draw_key){1, 2, i}, source->width, source->height);
        rv_augment_set_source(&draw.job, source, 0);
        jobs[i] = draw.job;
    }
    cr_assert_eq(rv_augmenter_create(&augmenter, device, form), RV_OK);
    cr_assert_eq(rv_augmenter_run(augmenter, sources, jobs, 2, NULL), RV_OK);
    const size_t values = 2 * W * H * (form == RV_AUGMENT_GREY ? 1 : 3);
    cr_assert_eq(rv_augmenter_read(augmenter, out, values * sizeof *out), RV_OK);
    rv_augmenter_destroy(augmenter);
}

Test(augmenter, grey_is_that_of_the_colours_and_has_noise_of_its_own)
{
    static float colour[2][3][W * H], grey[2][W * H];
    for (int i = 0; i < N_DEVICES; i++) {
        rv_device *device = open_device(i);
        rv_source source = make_source(W, H);
        static const char *const steps = " - affine: {rotate: 30, scale: [0.7, 1.3]}\n"
                                         " - color_jitter: {brightness: 0.2, saturation: 0.4}\n"
                                         " - gaussian_blur: {sigma: 1, p: 0.5}\n";
        run_form(colour[0][0], device, steps, &source, RV_AUGMENT_COLOUR);
        run_form(grey[0], device, steps, &source, RV_AUGMENT_GREY);
        for (int k = 0; k < 2 * W * H; k++) {
            const float(*c)[W * H] = colour[k / (W * H)];
            const int at = k % (W * H);
            const double expected =
                0.299 * (double)c[0][at] + 0.587 * (double)c[1][at] + 0.114 * (double)c[2][at];
            cr_assert_float_eq(grey[k / (W * H)][at], expected, 1e-5, "value %d", k);
        }
        memset(source.rgb, 128, BYTES); /* of a grey source grey is each of the colours */
        run_form(colour[0][0], device, " - gaussian_noise: {std: 0.1}\n", &source,
                 RV_AUGMENT_COLOUR);
        run_form(grey[0], device, " - gaussian_noise: {std: 0.1}\n", &source, RV_AUGMENT_GREY);
        for (int k = 0; k < W * H; k++) {
            cr_assert_float_eq(grey[0][k], colour[0][0][k], 1e-6, "value %d", k);
            cr_assert_float_eq(grey[1][k], colour[1][0][k], 1e-6, "value %d", k);
        }
        rv_source_release(&source);
        rv_device_close(device);
    }
}

/* --- batches ---------------------------------------------------------------------------------------------- */

Test(augmenter, a_batch_of_several_sources_and_sizes_gives_what_each_gives_alone)
{
    rv_device *device = open_device(0);
    rv_augmenter *augmenter;
    rv_source sources[2] = {make_source(W, H), make_source(20, 9)};
    const rv_recipe recipe = recipe_of(
        " - affine: {rotate: 30, scale: [0.5, 1.5]}\n - gaussian_blur: {sigma: 1, p: 0.5}\n"
        " - color_jitter: {brightness: 0.3, hue: 0.2}\n - random_resized_crop: {width: 24, height: "
        "16, p: 0.5}\n");
    const rv_source *which[6];
    rv_augment_job jobs[6];
    static uint8_t all[6 * BYTES], one[BYTES];
    size_t bytes = 0;
    int blurred = 0;
    cr_assert_eq(rv_augmenter_create(&augmenter, device, RV_AUGMENT_BYTES), RV_OK);
    for (uint32_t i = 0; i < 6; i++) {
        rv_augment_draw draw;
        which[i] = &sources[i / 3];
        rv_recipe_draw(&draw, &recipe, (rv_draw_key){5, 1, i}, which[i]->width, which[i]->height);
        rv_augment_set_source(&draw.job, which[i], 0);
        jobs[i] = draw.job;
        bytes += rv_augment_values(&jobs[i]);
        blurred += jobs[i].blur > 0;
    }
    cr_assert(blurred > 0 && blurred < 6);
    cr_assert_eq(rv_augmenter_run(augmenter, which, jobs, 6, NULL), RV_OK, "%s",
                 rv_error_message());
    cr_assert_eq(rv_augmenter_read(augmenter, all, bytes), RV_OK);
    for (int i = 0; i < 6; i++) {
        rv_augment_job job = jobs[i];
        const size_t n = rv_augment_values(&job);
        cr_assert_eq(rv_augmenter_run(augmenter, &which[i], &job, 1, NULL), RV_OK);
        cr_assert_eq(rv_augmenter_read(augmenter, one, n), RV_OK);
        cr_assert_arr_eq(one, all + jobs[i].start, n);
    }
    rv_augmenter_destroy(augmenter);
    rv_source_release(&sources[0]);
    rv_source_release(&sources[1]);
    rv_device_close(device);
}

Test(augmenter, a_picture_of_one_pixel_survives_everything)
{
    rv_device *device = open_device(0);
    rv_source source = make_source(1, 1);
    uint8_t out[3];
    run(device, " - affine: {rotate: 40, scale: 2, translate: 0.5}\n - gaussian_blur\n", &source,
        false, out, sizeof out);
    for (int c = 0; c < 3; c++) {
        cr_assert_eq(out[c], source.rgb[c]);
    }
    rv_source_release(&source);
    rv_device_close(device);
}

/* --- sources ---------------------------------------------------------------------------------------------- */

Test(augmenter, halves_are_means_and_jobs_read_them_alike)
{
    rv_source source = make_source(12, 7), half;
    cr_assert_eq(rv_source_halve(&half, &source), RV_OK);
    cr_assert(half.width == 6 && half.height == 3);
    for (int c = 0; c < 3; c++) {
        const int sum = source.rgb[3 * (2 * 12 + 4) + c] + source.rgb[3 * (2 * 12 + 5) + c] +
                        source.rgb[3 * (3 * 12 + 4) + c] + source.rgb[3 * (3 * 12 + 5) + c];
        cr_assert_eq(half.rgb[3 * (6 + 2) + c], (sum + 2) / 4);
    }
    const rv_recipe recipe = recipe_of(" - resize: {width: 3, height: 2}\n");
    rv_augment_draw draw;
    rv_recipe_draw(&draw, &recipe, (rv_draw_key){0}, 12, 7);
    cr_assert_eq(rv_augment_halvings(&draw.job), 1); /* sqrt(4 * 3.5) = 3.7 */
    rv_augment_set_source(&draw.job, &half, 1);
    cr_assert_float_eq(draw.job.matrix[0], 2, 1e-6);
    cr_assert_float_eq(draw.job.matrix[4], 1.75, 1e-6);
    rv_source_release(&half);
    rv_source_release(&source);
}

Test(augmenter, what_is_transparent_becomes_white)
{
    rv_image *image;
    rv_source source;
    cr_assert_eq(rv_image_create(&image, 2, 1, 4, 16), RV_OK);
    const uint16_t pixels[8] = {0, 257, 65535, 0, 0, 65535, 0, 32768};
    memcpy(rv_image_pixels(image), pixels, sizeof pixels);
    cr_assert_eq(rv_source_from_image(&source, image), RV_OK);
    const uint8_t expected[6] = {255, 255, 255, 127, 255, 127};
    cr_assert_arr_eq(source.rgb, expected, 6);
    rv_source_release(&source);
    rv_image_destroy(image);
}
