/* The transforms that recipes name: what each draws, and how it changes the job of the kernels.
 *
 * Geometry is one map from positions in the result to positions in the source: each step puts the inverse of its
 * own map behind it, so that a picture is resampled once, whatever the recipe. Of colours, factors multiply and
 * shifts of hue add up. Blur, colours, noise and erasing follow the geometry, in this order. */
/* SPDX-License-Identifier: MIT */
#include "base/philox.h"
#include "base/system.h"
#include "dataset/recipe.h"

#include <math.h>
#include <string.h>

#define PI 3.14159265358979323846
/* Second word of the key: apart from all other random numbers of the program. */
#define DRAW_KEY 0x61756701u

static const char *const borders[] = {"constant", "reflect", "replicate", NULL};
static const char *const places[] = {"random", "center", NULL};

/* --- drawing ---------------------------------------------------------------------------------------------- */

uint32_t rv_picture_key(const char *relative_path)
{
    const uint64_t hash = rv_hash(RV_HASH_START, relative_path, strlen(relative_path));
    return (uint32_t)(hash ^ hash >> 32);
}

double rv_draw_uniform(const rv_draw_source *s, uint32_t index, double low, double high)
{
    const rv_philox_words counter = {{index, s->step, s->key.copy, s->key.picture}};
    const rv_philox_words words = rv_philox(counter, s->key.seed, DRAW_KEY);
    return low + (high - low) * ((double)words.w[0] * 0x1p-32);
}

/* Parameter i of a step; draws of one parameter are told apart by `again`. */
static double draw(const rv_recipe_step *step, const rv_draw_source *s, int i, uint32_t again)
{
    return rv_draw_uniform(s, 1 + (uint32_t)i + 16 * again, step->low[i], step->high[i]);
}

/* --- geometry --------------------------------------------------------------------------------------------- */

/* matrix = matrix after `inverse`: a position in the new result is taken to one in the old result first. */
static void put_behind(rv_augment_job *job, const double inverse[6])
{
    const float *m = job->matrix;
    const double a = (double)m[0], b = (double)m[1], c = (double)m[2], d = (double)m[3],
                 e = (double)m[4], f = (double)m[5];
    job->matrix[0] = (float)(a * inverse[0] + b * inverse[3]);
    job->matrix[1] = (float)(a * inverse[1] + b * inverse[4]);
    job->matrix[2] = (float)(a * inverse[2] + b * inverse[5] + c);
    job->matrix[3] = (float)(d * inverse[0] + e * inverse[3]);
    job->matrix[4] = (float)(d * inverse[1] + e * inverse[4]);
    job->matrix[5] = (float)(d * inverse[2] + e * inverse[5] + f);
}

static void horizontal_flip(const rv_recipe_step *step, const rv_draw_source *s, double *values,
                            rv_augment_job *job)
{
    (void)step, (void)s, (void)values;
    put_behind(job, (const double[6]){-1, 0, job->width, 0, 1, 0});
}

static void vertical_flip(const rv_recipe_step *step, const rv_draw_source *s, double *values,
                          rv_augment_job *job)
{
    (void)step, (void)s, (void)values;
    put_behind(job, (const double[6]){1, 0, 0, 0, -1, job->height});
}

enum { ROTATE, SCALE, TRANSLATE, SHEAR, BORDER };

/* About the middle: shear along x, scale, rotate clockwise, then shift. */
static void affine(const rv_recipe_step *step, const rv_draw_source *s, double *values,
                   rv_augment_job *job)
{
    const double rotate = draw(step, s, ROTATE, 0) * PI / 180, scale = draw(step, s, SCALE, 0);
    const double x = draw(step, s, TRANSLATE, 0) * job->width,
                 y = draw(step, s, TRANSLATE, 1) * job->height;
    const double shear = tan(draw(step, s, SHEAR, 0) * PI / 180);
    const double middle_x = 0.5 * job->width, middle_y = 0.5 * job->height;
    values[0] = rotate * 180 / PI;
    values[1] = scale;
    values[2] = x;
    values[3] = y;
    values[4] = atan(shear) * 180 / PI;
    /* The inverse of rotation (1, -shear; 0, 1) scale is (1, shear; 0, 1) rotation' / scale. */
    const double c = cos(rotate) / scale, n = sin(rotate) / scale;
    const double a[4] = {c - shear * n, n + shear * c, -n, c};
    put_behind(job, (const double[6]){
                        a[0], a[1], middle_x - a[0] * (middle_x + x) - a[1] * (middle_y + y), a[2],
                        a[3], middle_y - a[2] * (middle_x + x) - a[3] * (middle_y + y)});
    job->border = (int)step->low[BORDER];
}

enum { WIDTH, HEIGHT, PLACE };

/* The result becomes a window of that size; what lies outside is border. */
static void take_window(rv_augment_job *job, double left, double top, int width, int height)
{
    put_behind(job, (const double[6]){1, 0, left, 0, 1, top});
    job->width = width;
    job->height = height;
}

static void crop(const rv_recipe_step *step, const rv_draw_source *s, double *values,
                 rv_augment_job *job)
{
    const int width = (int)step->low[WIDTH], height = (int)step->low[HEIGHT];
    const int free_x = job->width - width, free_y = job->height - height;
    const bool random = step->low[PLACE] == 0;
    values[0] =
        random && free_x > 0 ? floor(rv_draw_uniform(s, 1, 0, free_x + 1)) : floor(0.5 * free_x);
    values[1] =
        random && free_y > 0 ? floor(rv_draw_uniform(s, 2, 0, free_y + 1)) : floor(0.5 * free_y);
    take_window(job, values[0], values[1], width, height);
}

static const char *check_both(const rv_recipe_step *step)
{
    return step->low[WIDTH] > 0 && step->low[HEIGHT] > 0 ? NULL : "needs width and height";
}

/* The part of the result at (left, top) of that size, stretched to width x height. */
static void take_part(rv_augment_job *job, double left, double top, double part_width,
                      double part_height, int width, int height)
{
    put_behind(job, (const double[6]){part_width / width, 0, left, 0, part_height / height, top});
    job->width = width;
    job->height = height;
}

enum { PART_SCALE = 2, PART_RATIO, ATTEMPTS = 10 };

/* A part of random area and shape (Szegedy et al. 2015); where ten draws do not fit, the largest in the middle that
 * keeps to the shapes. */
static void random_resized_crop(const rv_recipe_step *step, const rv_draw_source *s, double *values,
                                rv_augment_job *job)
{
    const double w = job->width, h = job->height;
    const double low = step->low[PART_RATIO], high = step->high[PART_RATIO];
    double width = 0, height = 0, left = 0, top = 0;
    for (uint32_t i = 0; i < ATTEMPTS && width == 0; i++) {
        const double area = w * h * draw(step, s, PART_SCALE, i);
        const double ratio = exp(rv_draw_uniform(s, 1 + PART_RATIO + 16 * i, log(low), log(high)));
        const double try_width = round(sqrt(area * ratio)), try_height = round(sqrt(area / ratio));
        if (try_width >= 1 && try_height >= 1 && try_width <= w && try_height <= h) {
            width = try_width;
            height = try_height;
            left = floor(rv_draw_uniform(s, 13 + 16 * i, 0, w - width + 1));
            top = floor(rv_draw_uniform(s, 14 + 16 * i, 0, h - height + 1));
        }
    }
    if (width == 0) {
        width = w / h > high ? round(h * high) : w;
        height = w / h < low ? round(w / low) : h;
        left = floor(0.5 * (w - width));
        top = floor(0.5 * (h - height));
    }
    values[0] = left;
    values[1] = top;
    values[2] = width;
    values[3] = height;
    take_part(job, left, top, width, height, (int)step->low[WIDTH], (int)step->low[HEIGHT]);
}

static void pad(const rv_recipe_step *step, const rv_draw_source *s, double *values,
                rv_augment_job *job)
{
    (void)s, (void)values;
    const int width = (int)step->low[WIDTH], height = (int)step->low[HEIGHT];
    const int to_width = width > job->width ? width : job->width,
              to_height = height > job->height ? height : job->height;
    job->border = (int)step->low[2];
    job->fill = (float)step->low[3];
    take_window(job, floor(0.5 * (job->width - to_width)), floor(0.5 * (job->height - to_height)),
                to_width, to_height);
}

enum { LONGEST = 2, SHORTEST };

static void resize(const rv_recipe_step *step, const rv_draw_source *s, double *values,
                   rv_augment_job *job)
{
    (void)s, (void)values;
    const double w = job->width, h = job->height;
    double width = step->low[WIDTH], height = step->low[HEIGHT];
    if (step->low[LONGEST] > 0 || step->low[SHORTEST] > 0) {
        const double side = step->low[LONGEST] > 0 ? step->low[LONGEST] : step->low[SHORTEST];
        const double from = (step->low[LONGEST] > 0) == (w > h) ? w : h;
        width = fmax(1, round(w * side / from));
        height = fmax(1, round(h * side / from));
    }
    take_part(job, 0, 0, w, h, (int)width, (int)height);
}

static const char *check_resize(const rv_recipe_step *step)
{
    const bool both = step->low[WIDTH] > 0 && step->low[HEIGHT] > 0,
               any = step->low[WIDTH] > 0 || step->low[HEIGHT] > 0;
    const int ways = both + (step->low[LONGEST] > 0) + (step->low[SHORTEST] > 0);
    return ways == 1 && any == both ? NULL : "needs width and height, or longest, or shortest";
}

/* --- colours ---------------------------------------------------------------------------------------------- */

enum { BRIGHTNESS, CONTRAST, SATURATION, HUE };

static void color_jitter(const rv_recipe_step *step, const rv_draw_source *s, double *values,
                         rv_augment_job *job)
{
    for (int i = BRIGHTNESS; i <= HUE; i++) {
        values[i] = draw(step, s, i, 0);
    }
    job->brightness *= (float)values[BRIGHTNESS];
    job->contrast *= (float)values[CONTRAST];
    job->saturation *= (float)values[SATURATION];
    job->hue += (float)values[HUE];
}

static void grayscale(const rv_recipe_step *step, const rv_draw_source *s, double *values,
                      rv_augment_job *job)
{
    (void)step, (void)s, (void)values;
    job->grey = 1;
}

static void gaussian_blur(const rv_recipe_step *step, const rv_draw_source *s, double *values,
                          rv_augment_job *job)
{
    values[0] = draw(step, s, 0, 0);
    job->blur = hypotf(job->blur, (float)values[0]); /* one after the other: variances add up */
}

static void gaussian_noise(const rv_recipe_step *step, const rv_draw_source *s, double *values,
                           rv_augment_job *job)
{
    values[0] = draw(step, s, 0, 0);
    job->noise = hypotf(job->noise, (float)values[0]);
    job->noise_key[0] = s->step;
    job->noise_key[1] = s->key.copy;
    job->noise_key[2] = s->key.picture;
    job->noise_key[3] = s->key.seed;
}

enum { AREA, ASPECT, VALUE };

/* A rectangle of random area and shape (Zhong et al. 2017); none where ten draws do not fit. */
static void random_erasing(const rv_recipe_step *step, const rv_draw_source *s, double *values,
                           rv_augment_job *job)
{
    const double w = job->width, h = job->height;
    for (uint32_t i = 0; i < ATTEMPTS; i++) {
        const double area = w * h * draw(step, s, AREA, i);
        const double ratio = exp(rv_draw_uniform(s, 1 + ASPECT + 16 * i, log(step->low[ASPECT]),
                                                 log(step->high[ASPECT])));
        const double width = round(sqrt(area * ratio)), height = round(sqrt(area / ratio));
        if (width >= 1 && height >= 1 && width < w && height < h) {
            values[0] = floor(rv_draw_uniform(s, 13 + 16 * i, 0, w - width + 1));
            values[1] = floor(rv_draw_uniform(s, 14 + 16 * i, 0, h - height + 1));
            values[2] = width;
            values[3] = height;
            values[4] = draw(step, s, VALUE, 0);
            job->erase[0] = (int)values[0];
            job->erase[1] = (int)values[1];
            job->erase[2] = (int)(values[0] + width);
            job->erase[3] = (int)(values[1] + height);
            job->erase_value = (float)values[4];
            return;
        }
    }
}

/* --- the table -------------------------------------------------------------------------------------------- */

#define SIZE_PARAM(name, help)                           \
    {                                                    \
        name, RV_PARAM_WHOLE, 0, 0, 1, 16384, NULL, help \
    }
#define BORDER_PARAM                                                                        \
    {                                                                                       \
        "border", RV_PARAM_CHOICE, RV_BORDER_REFLECT, 0, 0, 0, borders, "what lies outside" \
    }

const rv_transform rv_transforms[] = {
    {"horizontal_flip", "left and right exchanged", {{0}}, {0}, horizontal_flip, NULL},
    {"vertical_flip", "top and bottom exchanged", {{0}}, {0}, vertical_flip, NULL},
    {"affine",
     "turned, scaled, sheared about the middle, then shifted",
     {{"rotate", RV_PARAM_AROUND_ZERO, 0, 0, -180, 180, NULL, "degrees, clockwise"},
      {"scale", RV_PARAM_EXACT, 1, 1, 0.01, 100, NULL, "above 1: larger"},
      {"translate", RV_PARAM_AROUND_ZERO, 0, 0, -1, 1, NULL, "share of width and of height"},
      {"shear", RV_PARAM_AROUND_ZERO, 0, 0, -80, 80, NULL, "degrees, along x"},
      BORDER_PARAM},
     {"rotate", "scale", "x", "y", "shear"},
     affine,
     NULL},
    {"crop",
     "a window of width x height",
     {SIZE_PARAM("width", "pixels"),
      SIZE_PARAM("height", "pixels"),
      {"position", RV_PARAM_CHOICE, 0, 0, 0, 0, places, "where it is taken"}},
     {"left", "top"},
     crop,
     check_both},
    {"random_resized_crop",
     "a part of random area and shape, resized to width x height",
     {SIZE_PARAM("width", "pixels"),
      SIZE_PARAM("height", "pixels"),
      {"scale", RV_PARAM_EXACT, 0.08, 1, 0.001, 1, NULL, "share of the area"},
      {"ratio", RV_PARAM_EXACT, 3.0 / 4, 4.0 / 3, 0.01, 100, NULL, "width by height"}},
     {"left", "top", "width", "height"},
     random_resized_crop,
     check_both},
    {"pad",
     "at least width x height, the picture in the middle",
     {SIZE_PARAM("width", "pixels"),
      SIZE_PARAM("height", "pixels"),
      BORDER_PARAM,
      {"fill", RV_PARAM_EXACT, 0, 0, 0, 1, NULL, "grey of a constant border, 0 to 1"}},
     {0},
     pad,
     NULL},
    {"resize",
     "to width x height, or so that the longest or shortest side has that length",
     {SIZE_PARAM("width", "pixels"), SIZE_PARAM("height", "pixels"),
      SIZE_PARAM("longest", "pixels"), SIZE_PARAM("shortest", "pixels")},
     {0},
     resize,
     check_resize},
    {"color_jitter",
     "brightness, contrast, saturation and hue changed",
     {{"brightness", RV_PARAM_AROUND_ONE, 1, 1, 0, 10, NULL, "factor"},
      {"contrast", RV_PARAM_AROUND_ONE, 1, 1, 0, 10, NULL, "factor of the distance to mean grey"},
      {"saturation", RV_PARAM_AROUND_ONE, 1, 1, 0, 10, NULL, "factor of the distance to grey"},
      {"hue", RV_PARAM_AROUND_ZERO, 0, 0, -0.5, 0.5, NULL, "shift, share of the circle"}},
     {"brightness", "contrast", "saturation", "hue"},
     color_jitter,
     NULL},
    {"grayscale", "without colour", {{0}}, {0}, grayscale, NULL},
    {"gaussian_blur",
     "blurred",
     {{"sigma", RV_PARAM_EXACT, 0.1, 2, 0, 20, NULL, "standard deviation in pixels"}},
     {"sigma"},
     gaussian_blur,
     NULL},
    {"gaussian_noise",
     "noise added",
     {{"std", RV_PARAM_EXACT, 0.02, 0.1, 0, 1, NULL, "standard deviation, of values 0 to 1"}},
     {"std"},
     gaussian_noise,
     NULL},
    {"random_erasing",
     "a rectangle covered",
     {{"scale", RV_PARAM_EXACT, 0.02, 0.33, 0.001, 1, NULL, "share of the area"},
      {"ratio", RV_PARAM_EXACT, 0.3, 3.3, 0.01, 100, NULL, "width by height"},
      {"value", RV_PARAM_EXACT, 0, 0, 0, 1, NULL, "grey, 0 to 1"}},
     {"left", "top", "width", "height", "value"},
     random_erasing,
     NULL},
};
const size_t rv_n_transforms = sizeof rv_transforms / sizeof rv_transforms[0];

void rv_recipe_draw(rv_augment_draw *out, const rv_recipe *recipe, rv_draw_key key, int width,
                    int height)
{
    *out = (rv_augment_draw){.job = {.matrix = {1, 0, 0, 0, 1, 0},
                                     .source_width = width,
                                     .source_height = height,
                                     .width = width,
                                     .height = height,
                                     .border = RV_BORDER_REFLECT,
                                     .brightness = 1,
                                     .contrast = 1,
                                     .saturation = 1}};
    for (int i = 0; i < recipe->n; i++) {
        const rv_recipe_step *step = &recipe->steps[i];
        const rv_draw_source source = {key, (uint32_t)i};
        out->applied[i] = rv_draw_uniform(&source, 0, 0, 1) < step->p;
        if (out->applied[i]) {
            step->transform->apply(step, &source, out->values[i], &out->job);
        }
    }
}
