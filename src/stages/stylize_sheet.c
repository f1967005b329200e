/* One photo in a grid of strengths and styles, to choose from. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "image/sheet.h"
#include "stages/stylize_options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double usual_strengths[] = {0.25, 0.5, 0.75, 1};

/* A sheet at work: a row for each style, a column for each strength. */
typedef struct sheet {
    rv_device *device;
    const rv_model *model;
    const rv_image *photo;
    const rv_image *const *styles;
    const rv_image *const *masks; /* of the styles */
    const char *const *names;
    const double *strengths;
    size_t n_styles, n_strengths, n;
    rv_stylize_options options; /* of the cell at work */
    rv_events events;
    const rv_events *outer; /* the caller's */
    double start;
    size_t done;    /* cells */
    rv_tile *tiles; /* [n_styles, n_strengths], pictures and labels owned */
    rv_stylize_result *result;
} sheet;

/* --- events ---------------------------------------------------------------------------------- */

static void on_log(void *payload, rv_log_level level, const char *text)
{
    rv_log(((sheet *)payload)->outer, level, "%s", text);
}

static bool on_cancelled(void *payload)
{
    return rv_cancelled(((sheet *)payload)->outer);
}

/* The share of the whole sheet; cells to come are taken to need as long as those before. */
static void on_progress(void *payload, const rv_progress *progress)
{
    const sheet *s = payload;
    rv_progress all = *progress;
    char task[96];
    snprintf(task, sizeof task, "%zu of %zu, %s", s->done + 1, s->n, progress->task);
    all.task = task;
    all.fraction = ((double)s->done + progress->fraction) / (double)s->n;
    all.seconds_left = all.fraction > 0 && progress->seconds_left >= 0
                           ? (rv_clock() - s->start) * (1 / all.fraction - 1)
                           : -1;
    rv_report(s->outer, &all);
}

/* --- cells ----------------------------------------------------------------------------------- */

/* A picture as sheets take them: 3 channels, 8 bits, on white. */
static rv_status flatten(rv_image **out, const rv_image *image)
{
    const size_t n = (size_t)rv_image_width(image) * (size_t)rv_image_height(image);
    const size_t channels = (size_t)rv_image_channels(image);
    const bool wide = rv_image_bits(image) == 16;
    const uint8_t *small = rv_image_pixels_const(image);
    const uint16_t *large = rv_image_pixels_const(image);
    const float unit = wide ? 1.0f / 65535.0f : 1.0f / 255.0f;
    RV_TRY(rv_image_create(out, rv_image_width(image), rv_image_height(image), 3, 8));
    uint8_t *to = rv_image_pixels(*out);
    for (size_t i = 0; i < n; i++) {
        float v[4] = {0, 0, 0, 1};
        for (size_t c = 0; c < channels; c++) {
            v[c] = unit * (float)(wide ? large[i * channels + c] : small[i * channels + c]);
        }
        for (size_t c = 0; c < 3; c++) {
            to[3 * i + c] = (uint8_t)(255 * (v[3] * v[c] + 1 - v[3]) + 0.5f);
        }
    }
    return RV_OK;
}

static rv_status label(sheet *s, size_t style, double strength, rv_tile *tile)
{
    char *text;
    RV_TRY(rv_format(&text, "%s\nstrength %.2g", s->names[style], strength));
    tile->label = text;
    return RV_OK;
}

static rv_status make_cell(sheet *s, rv_stylizer *stylizer, size_t style, size_t column)
{
    rv_tile *tile = &s->tiles[style * s->n_strengths + column];
    rv_stylize_result result;
    rv_image *picture, *flat = NULL;
    s->options.strength = s->strengths[column];
    RV_TRY(label(s, style, s->options.strength, tile));
    const rv_status status = rv_stylizer_run(&picture, &result, stylizer, s->photo, NULL);
    if (status == RV_OK) {
        const rv_status drawn = flatten(&flat, picture);
        tile->picture = flat;
        rv_image_destroy(picture);
        RV_TRY(drawn);
        s->result->iterations += result.iterations;
        s->result->styled_width = result.styled_width;
        s->result->styled_height = result.styled_height;
        memcpy(s->result->settings, result.settings, sizeof result.settings);
        s->done++;
        return RV_OK;
    }
    rv_image_destroy(picture); /* of a cell that was cancelled: no picture for its label */
    return status;
}

/* What the styles give is found once for all strengths. */
static rv_status make_row(sheet *s, size_t style)
{
    rv_stylizer *stylizer;
    s->options.style_masks = s->masks != NULL ? &s->masks[style] : NULL;
    RV_TRY(rv_stylizer_create(&stylizer, s->device, s->model, &s->styles[style], NULL, 1,
                              &s->options));
    rv_status status = RV_OK;
    for (size_t i = 0; i < s->n_strengths && status == RV_OK; i++) {
        status = make_cell(s, stylizer, style, i);
    }
    rv_stylizer_destroy(stylizer);
    return status;
}

static rv_status draw(rv_image **out, const sheet *s)
{
    const rv_sheet grid = {.tiles = s->tiles, .n = s->n, .columns = (int)s->n_strengths};
    return rv_sheet_draw(out, &grid);
}

/* The strength in the settings of a cell gives way to those of the sheet. */
static void sum_up(sheet *s)
{
    char *settings = s->result->settings, *at = strstr(settings, " strength=");
    if (at != NULL) {
        const size_t length = 1 + strcspn(at + 1, " ");
        memmove(at, at + length, strlen(at + length) + 1);
    }
    for (size_t i = 0; i < s->n_strengths; i++) {
        const size_t used = strlen(settings);
        snprintf(settings + used, sizeof s->result->settings - used, "%s%.6g",
                 i == 0 ? " sheet=" : ",", s->strengths[i]);
    }
    s->result->seconds = rv_clock() - s->start;
}

static rv_status start(sheet *s, const rv_stylize_options *options)
{
    if (s->n_styles < 1) {
        return rv_fail(RV_ERR_USAGE, "there is no style picture");
    }
    if (s->strengths == NULL) {
        s->strengths = usual_strengths;
        s->n_strengths = sizeof usual_strengths / sizeof usual_strengths[0];
    }
    s->n = s->n_styles * s->n_strengths;
    s->start = rv_clock();
    s->options = rv_stylize_given(options);
    s->outer = s->options.events;
    s->masks = s->options.style_masks;
    s->events = (rv_events){s, on_log, on_progress, on_cancelled};
    s->options.events = &s->events;
    s->options.output_size = 0;
    s->options.time_limit /= (double)s->n;
    s->options.save_every = 0;
    s->options.resume = false;
    s->options.preview = NULL;
    return rv_alloc(&s->tiles, s->n, sizeof *s->tiles, "sheet");
}

static void release(sheet *s)
{
    for (size_t i = 0; s->tiles != NULL && i < s->n; i++) {
        rv_image_destroy((rv_image *)s->tiles[i].picture);
        free((char *)s->tiles[i].label);
    }
    free(s->tiles);
}

rv_status rv_stylize_sheet(rv_image **out, rv_stylize_result *result, rv_device *device,
                           const rv_model *model, const rv_image *photo,
                           const rv_image *const *styles, const char *const *names, int n_styles,
                           const double *strengths, int n_strengths,
                           const rv_stylize_options *options)
{
    rv_stylize_result own = {0};
    sheet s = {.device = device,
               .model = model,
               .photo = photo,
               .styles = styles,
               .names = names,
               .strengths = strengths,
               .n_styles = n_styles > 0 ? (size_t)n_styles : 0,
               .n_strengths = n_strengths > 0 ? (size_t)n_strengths : 0,
               .result = result != NULL ? result : &own};
    *out = NULL;
    *s.result = (rv_stylize_result){.loss = NAN};
    rv_status status = start(&s, options);
    for (size_t i = 0; i < s.n_styles && status == RV_OK; i++) {
        status = make_row(&s, i);
    }
    if (status == RV_OK || (status == RV_ERR_CANCELLED && s.done > 0)) {
        sum_up(&s);
        const rv_status drawn = draw(out, &s);
        status = drawn != RV_OK ? drawn : status;
    }
    release(&s);
    return status;
}

/* --- what it would take ---------------------------------------------------------------------- */

/* The size of the sheet, by drawing one of empty cells. */
static rv_status measure(const sheet *s, rv_stylize_estimate *cell)
{
    rv_image *empty = NULL, *drawn = NULL;
    rv_status status = rv_image_create(&empty, cell->width, cell->height, 3, 8);
    for (size_t i = 0; i < s->n && status == RV_OK; i++) {
        s->tiles[i] = (rv_tile){.picture = empty, .label = "a style\na strength"};
    }
    if (status == RV_OK) {
        status = draw(&drawn, s);
    }
    if (status == RV_OK) {
        cell->width = rv_image_width(drawn);
        cell->height = rv_image_height(drawn);
        cell->process_bytes += 6 * (uint64_t)cell->width * (uint64_t)cell->height;
    }
    rv_image_destroy(drawn);
    rv_image_destroy(empty);
    return status;
}

rv_status rv_stylize_foresee_sheet(rv_stylize_estimate *out, rv_device *device,
                                   const rv_model *model, const rv_image *photo,
                                   const rv_image *const *styles, int n_styles,
                                   const double *strengths, int n_strengths,
                                   const rv_stylize_options *options)
{
    sheet s = {.styles = styles,
               .strengths = strengths,
               .n_styles = n_styles > 0 ? (size_t)n_styles : 0,
               .n_strengths = n_strengths > 0 ? (size_t)n_strengths : 0};
    rv_status status = start(&s, options);
    if (status == RV_OK) {
        s.options.strength = 1;
        status = rv_stylize_foresee(out, device, model, photo, styles, NULL, 1, &s.options);
    }
    if (status == RV_OK) {
        out->seconds *= (double)s.n;
        status = measure(&s, out);
    }
    free(s.tiles);
    return status;
}
