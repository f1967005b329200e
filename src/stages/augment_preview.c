/* A sheet of pictures and of what a recipe makes of them. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "stages/augment.h"

#include <math.h>
#include <string.h>

enum { GAP = 4, PAPER = 245, LARGEST_SHEET = 16384 };

typedef struct sheet {
    rv_image *image;
    int cell;
} sheet;

/* Makes one picture of another on the device. */
static rv_status run_one(rv_source *out, rv_augmenter *augmenter, rv_augment_levels *levels,
                         rv_augment_job job)
{
    rv_status status;
    const rv_source *source = rv_levels_get(levels, &job, &status);
    RV_TRY(status);
    RV_TRY(rv_augmenter_run(augmenter, &source, &job, 1, NULL));
    RV_TRY(rv_source_create(out, job.width, job.height));
    status = rv_augmenter_read(augmenter, out->rgb, rv_augment_values(&job));
    if (status != RV_OK) {
        rv_source_release(out);
    }
    return status;
}

/* Fits a picture into a cell and puts it there. Takes the picture. */
static rv_status put(const sheet *s, rv_augmenter *augmenter, rv_source picture, int row,
                     int column)
{
    rv_augment_levels levels = {{picture}};
    rv_augment_draw draw;
    rv_source small = {0};
    const double longest = picture.width > picture.height ? picture.width : picture.height;
    const double scale = longest / s->cell;
    rv_recipe_draw(&draw, &(rv_recipe){0}, (rv_draw_key){0}, picture.width, picture.height);
    draw.job.width = (int)fmax(1, round(picture.width / scale));
    draw.job.height = (int)fmax(1, round(picture.height / scale));
    draw.job.matrix[0] = (float)picture.width / (float)draw.job.width;
    draw.job.matrix[4] = (float)picture.height / (float)draw.job.height;
    const rv_status status = run_one(&small, augmenter, &levels, draw.job);
    rv_levels_release(&levels);
    RV_TRY(status);
    const size_t width = (size_t)rv_image_width(s->image), step = (size_t)s->cell + GAP;
    const size_t top = GAP + (size_t)row * step + (size_t)(s->cell - small.height) / 2,
                 left = GAP + (size_t)column * step + (size_t)(s->cell - small.width) / 2;
    uint8_t *to = rv_image_pixels(s->image);
    for (size_t y = 0; y < (size_t)small.height; y++) {
        memcpy(to + ((top + y) * width + left) * 3, small.rgb + y * (size_t)small.width * 3,
               (size_t)small.width * 3);
    }
    rv_source_release(&small);
    return RV_OK;
}

static rv_status fill_row(const sheet *s, rv_augment_run *run, size_t picture, int row, int columns)
{
    rv_augment_levels levels = {{{0}}};
    rv_source copy;
    RV_TRY(rv_augment_read(&levels.of[0], run, picture));
    rv_augment_draw draw;
    const rv_draw_key none = {0};
    const int width = levels.of[0].width, height = levels.of[0].height;
    rv_recipe_draw(&draw, &(rv_recipe){0}, none, width, height);
    rv_status status = run_one(&copy, run->augmenter, &levels, draw.job);
    for (int k = 0; status == RV_OK; k++) {
        status = put(s, run->augmenter, copy, row, k);
        if (k == columns || status != RV_OK) {
            break;
        }
        const rv_draw_key key = {run->options.seed, rv_picture_key(run->pictures.paths[picture]),
                                 (uint32_t)k};
        rv_recipe_draw(&draw, &run->recipe, key, width, height);
        status = run_one(&copy, run->augmenter, &levels, draw.job);
    }
    rv_levels_release(&levels);
    return status;
}

static rv_status make_sheet(sheet *s, rv_augment_run *run, int rows, int columns)
{
    const int width = (columns + 1) * (s->cell + GAP) + GAP, height = rows * (s->cell + GAP) + GAP;
    if (width > LARGEST_SHEET || height > LARGEST_SHEET) {
        return rv_fail(RV_ERR_USAGE, "a sheet of %dx%d pixels is too large: fewer or smaller cells",
                       width, height);
    }
    RV_TRY(rv_augmenter_create(&run->augmenter, run->device, RV_AUGMENT_BYTES));
    RV_TRY(rv_image_create(&s->image, width, height, 3, 8));
    memset(rv_image_pixels(s->image), PAPER, (size_t)width * (size_t)height * 3);
    for (int row = 0; row < rows; row++) {
        const size_t picture = run->pictures.n * (size_t)row / (size_t)rows;
        RV_TRY(fill_row(s, run, picture, row, columns));
    }
    return RV_OK;
}

rv_status rv_augment_preview(rv_image **out, rv_device *device, const char *source, int rows,
                             int columns, int cell, const rv_augment_options *options)
{
    rv_augment_run run = {0};
    sheet s = {.cell = cell};
    *out = NULL;
    if (rows < 1 || columns < 1 || cell < 8 || rows > 1000 || columns > 1000 || cell > 4096) {
        return rv_fail(RV_ERR_USAGE, "a sheet of %dx%d cells of %d pixels", rows, columns, cell);
    }
    rv_status status = rv_augment_prepare(&run, device, source, options);
    if (status == RV_OK) {
        const size_t most = run.pictures.n < (size_t)rows ? run.pictures.n : (size_t)rows;
        status = make_sheet(&s, &run, (int)most, columns);
    }
    rv_augment_release(&run);
    if (status != RV_OK) {
        rv_image_destroy(s.image);
        return status;
    }
    *out = s.image;
    return RV_OK;
}
