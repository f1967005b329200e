/* Draws heat maps over the photo, one by one and on a sheet. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "image/colour_map.h"
#include "image/sheet.h"
#include "stages/heatmap.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Squares along a side that a map is drawn in at most: single pixels of gradients are noise to the eye. */
enum { MOST_SQUARES = 56 };

/* Share of the photo's brightness where the network did not look, and of colour where the map is at its largest. */
static const float blind = 0.45f, most_colour = 0.75f;

static const char *const titles[RV_HEAT_METHODS] = {[RV_HEAT_GRAD_CAM] = "Grad-CAM",
                                                    [RV_HEAT_GRAD_CAM_PLUS] = "Grad-CAM++",
                                                    [RV_HEAT_SALIENCY] = "Saliency",
                                                    [RV_HEAT_SMOOTHGRAD] = "SmoothGrad",
                                                    [RV_HEAT_GUIDED] = "Guided backpropagation",
                                                    [RV_HEAT_INTEGRATED] = "Integrated gradients",
                                                    [RV_HEAT_OCCLUSION] = "Occlusion"};

/* --- values to draw -------------------------------------------------------------------------- */

/* A map as it is drawn: 0..1. */
typedef struct shades {
    int width, height;
    float *data;
} shades;

/* Means of what is above 0 over squares of `side` values. */
static void pool(shades *to, const rv_heat_map *m, int side)
{
    for (int y = 0; y < to->height; y++) {
        for (int x = 0; x < to->width; x++) {
            float sum = 0, n = 0;
            for (int i = y * side; i < (y + 1) * side && i < m->height; i++) {
                for (int k = x * side; k < (x + 1) * side && k < m->width; k++) {
                    sum += fmaxf(m->data[(size_t)i * (size_t)m->width + (size_t)k], 0);
                    n++;
                }
            }
            to->data[(size_t)y * (size_t)to->width + (size_t)x] = sum / n;
        }
    }
}

static int compare(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Divides by what one value of a hundred exceeds, and cuts those off; of a small map that is its largest. */
static rv_status normalise(shades *s)
{
    const size_t n = (size_t)s->width * (size_t)s->height;
    float *sorted;
    RV_TRY(rv_alloc(&sorted, n, sizeof *sorted, "a heat map"));
    memcpy(sorted, s->data, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare);
    const float unit = sorted[n - 1 - n / 100] > 0 ? sorted[n - 1 - n / 100] : sorted[n - 1];
    for (size_t i = 0; i < n && unit > 0; i++) {
        s->data[i] = fminf(s->data[i] / unit, 1);
    }
    free(sorted);
    return RV_OK;
}

static rv_status make_shades(shades *out, const rv_heat_map *m)
{
    const int longer = m->width > m->height ? m->width : m->height;
    const int side = (longer + MOST_SQUARES - 1) / MOST_SQUARES;
    *out = (shades){(m->width + side - 1) / side, (m->height + side - 1) / side, NULL};
    RV_TRY(rv_alloc(&out->data, (size_t)out->width * (size_t)out->height, sizeof(float),
                    "a heat map"));
    pool(out, m, side);
    return normalise(out);
}

/* Weights of four neighbours for a place `t` behind the second: a cubic B-spline, smooth and never below 0. */
static void spline(float w[4], float t)
{
    const float u = 1 - t;
    w[0] = u * u * u / 6;
    w[1] = (3 * t * t * t - 6 * t * t + 4) / 6;
    w[2] = (3 * u * u * u - 6 * u * u + 4) / 6;
    w[3] = t * t * t / 6;
}

static int within(int i, int n)
{
    return i < 0 ? 0 : i < n ? i : n - 1;
}

/* The map between its values; x and y are shares of its sides. */
static float shade_at(const shades *s, double x, double y)
{
    const double column = x * s->width - 0.5, row = y * s->height - 0.5;
    const int left = (int)floor(column), top = (int)floor(row);
    float across[4], down[4], sum = 0;
    spline(across, (float)(column - left));
    spline(down, (float)(row - top));
    for (int i = 0; i < 4; i++) {
        const size_t line = (size_t)within(top - 1 + i, s->height) * (size_t)s->width;
        for (int k = 0; k < 4; k++) {
            sum += down[i] * across[k] * s->data[line + (size_t)within(left - 1 + k, s->width)];
        }
    }
    return sum;
}

/* --- overlays -------------------------------------------------------------------------------- */

static float brightness(const rv_planar *p, size_t at)
{
    const size_t n = (size_t)p->width * (size_t)p->height;
    return 0.299f * p->data[at] + 0.587f * p->data[n + at] + 0.114f * p->data[2 * n + at];
}

static uint8_t to_byte(float v)
{
    return (uint8_t)lroundf(255 * fminf(fmaxf(v, 0), 1));
}

/* A pixel: grey, and the more of the map's colour the larger its value; colour keeps some of the photo's light and
 * shade. */
static void draw_pixel(uint8_t *to, float grey, float shade)
{
    const rv_colour c = rv_colour_of_share((double)(0.3f + 0.7f * shade));
    const float part = most_colour * fminf(1, 1.6f * shade);
    const float light = 0.75f + 0.25f * grey;
    to[0] = to_byte((1 - part) * grey + part * light * (float)c.r / 255);
    to[1] = to_byte((1 - part) * grey + part * light * (float)c.g / 255);
    to[2] = to_byte((1 - part) * grey + part * light * (float)c.b / 255);
}

static void draw(rv_image *image, const rv_planar *photo, const rv_part *part, const shades *s,
                 float unit)
{
    uint8_t *to = rv_image_pixels(image);
    for (int y = 0; y < photo->height; y++) {
        for (int x = 0; x < photo->width; x++) {
            const size_t at = (size_t)y * (size_t)photo->width + (size_t)x;
            const double u = (x + 0.5 - part->left) / part->width;
            const double v = (y + 0.5 - part->top) / part->height;
            const float grey = brightness(photo, at);
            const bool seen = u >= 0 && u <= 1 && v >= 0 && v <= 1;
            draw_pixel(to + 3 * at, seen ? grey : blind * grey,
                       seen ? fminf(1, shade_at(s, u, v) * unit) : 0);
        }
    }
}

/* What brings the largest value that is drawn to 1: the spline flattens peaks. */
static float peak_unit(const shades *s)
{
    float largest = 0;
    for (int y = 0; y < s->height; y++) {
        for (int x = 0; x < s->width; x++) {
            largest = fmaxf(largest, shade_at(s, (x + 0.5) / s->width, (y + 0.5) / s->height));
        }
    }
    return largest > 0 ? 1 / largest : 0;
}

/* @param part  what the network looked at, in pixels of `photo` */
static rv_status overlay(rv_image **out, const rv_heatmaps *h, size_t index, const rv_planar *photo,
                         const rv_part *part)
{
    shades s = {0};
    rv_status status = make_shades(&s, &h->maps[index].map);
    if (status == RV_OK) {
        status = rv_image_create(out, photo->width, photo->height, 3, 8);
    }
    if (status == RV_OK) {
        draw(*out, photo, part, &s, peak_unit(&s));
    }
    free(s.data);
    return status;
}

static rv_status check_index(const rv_heatmaps *h, size_t index)
{
    if (index >= h->n_maps || h->photo.data == NULL) {
        return rv_fail(RV_ERR_USAGE, "there is no heat map %zu of a photo among %zu", index,
                       h->n_maps);
    }
    return RV_OK;
}

rv_status rv_heatmaps_overlay(rv_image **out, const rv_heatmaps *heatmaps, size_t index)
{
    *out = NULL;
    RV_TRY(check_index(heatmaps, index));
    return overlay(out, heatmaps, index, &heatmaps->photo, &heatmaps->part);
}

rv_status rv_heatmaps_overlay_on(rv_image **out, const rv_heatmaps *heatmaps, size_t index,
                                 const rv_image *image)
{
    const rv_heatmaps *h = heatmaps;
    rv_planar photo;
    *out = NULL;
    RV_TRY(check_index(h, index));
    RV_TRY(rv_picture_planes(&photo, NULL, h->device, image, NULL, rv_image_width(image),
                             rv_image_height(image)));
    const rv_part part = rv_network_view(image, h->model);
    const rv_status status = overlay(out, h, index, &photo, &part);
    rv_planar_release(&photo);
    return status;
}

/* --- the sheet ------------------------------------------------------------------------------- */

static rv_status write_label(char **out, const rv_heatmaps *h, const rv_prediction *p)
{
    const char *label = p->label != NULL ? p->label : "";
    const bool values = rv_model_task(h->model) == RV_TASK_VALUES;
    return values ? rv_format(out, "%d %s\n%.4g", p->index, label, (double)p->probability)
                  : rv_format(out, "%d %s\n%.3f", p->index, label, (double)p->probability);
}

static rv_status write_title(char **out, const rv_heatmaps *h, rv_heat_method method)
{
    const bool cam = method == RV_HEAT_GRAD_CAM || method == RV_HEAT_GRAD_CAM_PLUS;
    const char *layer = rv_heatmaps_layer(h);
    return rv_format(out, "%s%s%s\n%s: yellow speaks most for the class, grey not at all",
                     titles[method], cam ? " of " : "", cam && layer != NULL ? layer : "",
                     rv_model_name(h->model));
}

/* The photo and maps `first` to `first` + n - 1, with what stands below them. */
static rv_status draw_tiles(rv_tile *tiles, const rv_heatmaps *h, size_t first, size_t n)
{
    rv_image *picture = NULL;
    rv_status status = rv_picture_image(&picture, &h->photo, NULL, 8);
    tiles[0].picture = picture;
    for (size_t i = 0; i < n && status == RV_OK; i++) {
        char *label = NULL;
        status = rv_heatmaps_overlay(&picture, h, first + i);
        tiles[i + 1].picture = picture;
        if (status == RV_OK) {
            status = write_label(&label, h, &h->maps[first + i].map.prediction);
        }
        tiles[i + 1].label = label;
    }
    return status;
}

/* A row: what one call of rv_heatmaps_compute() made. */
static rv_status draw_row(rv_image **out, const rv_heatmaps *h, size_t first, size_t n)
{
    rv_tile *tiles;
    char *title = NULL;
    RV_TRY(rv_alloc(&tiles, n + 1, sizeof *tiles, "a sheet"));
    rv_status status = draw_tiles(tiles, h, first, n);
    if (status == RV_OK) {
        status = write_title(&title, h, h->maps[first].map.method);
    }
    if (status == RV_OK) {
        const rv_sheet sheet = {
            .title = title, .tiles = tiles, .n = n + 1, .columns = n < 6 ? (int)n + 1 : 0};
        status = rv_sheet_draw(out, &sheet);
    }
    for (size_t i = 0; i <= n; i++) {
        rv_image_destroy((rv_image *)tiles[i].picture);
        free((char *)tiles[i].label);
    }
    free(tiles);
    free(title);
    return status;
}

rv_status rv_heatmaps_sheet(rv_image **out, const rv_heatmaps *heatmaps)
{
    const rv_heatmaps *h = heatmaps;
    rv_image **rows;
    *out = NULL;
    if (h->n_maps == 0 || h->photo.data == NULL) {
        return rv_fail(RV_ERR_USAGE, "there are no heat maps of a photo yet");
    }
    RV_TRY(rv_alloc(&rows, (size_t)h->n_rows, sizeof(rv_image *), "a sheet"));
    rv_status status = RV_OK;
    for (size_t i = 0, n; i < h->n_maps && status == RV_OK; i += n) {
        for (n = 1; i + n < h->n_maps && h->maps[i + n].row == h->maps[i].row; n++) {
        }
        status = draw_row(&rows[h->maps[i].row], h, i, n);
    }
    if (status == RV_OK) {
        status = rv_sheet_stack(out, rows, (size_t)h->n_rows);
    }
    for (int i = 0; i < h->n_rows; i++) {
        rv_image_destroy(rows[i]);
    }
    free(rows);
    return status;
}
