/* Where the styles go in a photo: its masks, those of the styles, and transparency. */
/* SPDX-License-Identifier: MIT */
#include "stages/stylize_mask.h"
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "base/pool.h"
#include "stages/enlarge.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Of the pictures in which regions are looked for before the work: what shrinks does not vanish. */
enum { LOOK_SIZE = 256 };

/* Rows that a thread makes at a time, and floats of a photo that are resized at a time: 16 MiB. */
enum { ROWS = 32 };
#define STRIP_FLOATS ((size_t)1 << 22)

/* --- masks ----------------------------------------------------------------------------------- */

static const rv_image *mask_of(const rv_stylize_options *o, int style)
{
    return o->style_masks != NULL ? o->style_masks[style] : NULL;
}

/* Finds the region of each style: *out [n], the first style of each. */
static rv_status group_styles(rv_stylize_masks *m, const rv_stylize_options *o, int n_styles,
                              int **out)
{
    RV_TRY(rv_alloc(&m->of_style, (size_t)n_styles, sizeof *m->of_style, "regions"));
    RV_TRY(rv_alloc(out, (size_t)n_styles, sizeof **out, "regions"));
    for (int i = 0; i < n_styles; i++) {
        int r = 0;
        while (r < m->n && mask_of(o, (*out)[r]) != mask_of(o, i)) {
            r++;
        }
        m->of_style[i] = r;
        if (r == m->n) {
            (*out)[m->n++] = i;
        }
        m->rest = mask_of(o, i) == NULL ? r : m->rest;
    }
    return RV_OK;
}

static rv_status find_strengths(rv_stylize_masks *m, const double *shares, int n_styles)
{
    RV_TRY(rv_alloc(&m->strengths, (size_t)m->n, sizeof *m->strengths, "regions"));
    for (int r = 0; r < m->n; r++) {
        double sum = 0;
        int n = 0;
        for (int i = 0; i < n_styles; i++) {
            sum += m->of_style[i] == r ? shares[i] : 0;
            n += m->of_style[i] == r;
        }
        m->strengths[r] = sum / n * n_styles;
    }
    return RV_OK;
}

/* @param what  the mask in words */
static rv_status take_mask(rv_mask *out, const rv_image *image, const char *what)
{
    RV_TRY(rv_mask_create(out, image));
    if (rv_mask_is_white(out)) {
        rv_mask_release(out);
        return RV_OK;
    }
    return rv_mask_is_black(out)
               ? rv_fail(RV_ERR_FORMAT, "%s is black all over: a style goes where it is white",
                         what)
               : RV_OK;
}

/* The same with soft edges, as wide as the options say in pixels of the photo. */
static rv_status take_soft(rv_mask *out, const rv_stylize_options *o, const rv_image *image,
                           const rv_image *photo, const char *what)
{
    RV_TRY(take_mask(out, image, what));
    return out->values == NULL || !(o->feather > 0)
               ? RV_OK
               : rv_mask_feather(out, o->feather * out->width / rv_image_width(photo),
                                 o->feather * out->height / rv_image_height(photo));
}

rv_status rv_stylize_mask_check(const rv_image *mask)
{
    rv_mask m;
    const rv_status status = take_mask(&m, mask, "the mask");
    rv_mask_release(&m);
    return status;
}

static rv_status take_regions(rv_stylize_masks *m, const rv_stylize_options *o,
                              const rv_image *photo, const int *first)
{
    RV_TRY(rv_alloc(&m->region, (size_t)m->n, sizeof *m->region, "regions"));
    for (int r = 0; r < m->n; r++) {
        char what[64];
        snprintf(what, sizeof what, "the mask of style picture %d", first[r] + 1);
        if (mask_of(o, first[r]) != NULL) {
            RV_TRY(take_soft(&m->region[r], o, mask_of(o, first[r]), photo, what));
        }
    }
    return RV_OK;
}

static rv_status take_alpha(rv_stylize_masks *m, const rv_image *photo)
{
    if (rv_image_channels(photo) != 4) {
        return RV_OK;
    }
    RV_TRY(rv_mask_create_alpha(&m->visible, photo));
    if (rv_mask_is_white(&m->visible)) {
        rv_mask_release(&m->visible);
        return RV_OK;
    }
    return rv_mask_is_black(&m->visible)
               ? rv_fail(RV_ERR_FORMAT,
                         "the photo is transparent all over: there is nothing to style")
               : RV_OK;
}

/* Says what has no place; fails where nothing has. */
static rv_status look_for_places(const rv_stylize_masks *m, const rv_stylize_options *o,
                                 const rv_image *photo, int n_styles)
{
    int width = rv_image_width(photo), height = rv_image_height(photo), found = 0;
    rv_stylize_regions r;
    rv_picture_fit(&width, &height, LOOK_SIZE);
    RV_TRY(rv_stylize_regions_find(&r, m, width, height, 0));
    for (int i = 0; i < r.n; i++) {
        bool any = false;
        for (size_t k = 0; k < (size_t)width * (size_t)height; k++) {
            any = any || r.planes[i][k] > 0;
        }
        found += any;
        for (int s = 0; s < n_styles && !any; s++) {
            if (m->of_style[s] == i) {
                rv_log(o->events, RV_LOG_WARNING,
                       "masks leave no place in the photo for style picture %d", s + 1);
            }
        }
    }
    rv_stylize_regions_release(&r);
    return found > 0 || !m->any
               ? RV_OK
               : rv_fail(RV_ERR_FORMAT,
                         "the masks, and what is transparent, leave nothing to style");
}

static rv_status create(rv_stylize_masks *m, const rv_stylize_options *o, const rv_image *photo,
                        const double *shares, int n_styles)
{
    int *first = NULL;
    rv_status status = group_styles(m, o, n_styles, &first);
    if (status == RV_OK) {
        status = take_regions(m, o, photo, first);
    }
    free(first);
    RV_TRY(status);
    RV_TRY(find_strengths(m, shares, n_styles));
    if (o->mask != NULL) {
        RV_TRY(take_soft(&m->whole, o, o->mask, photo, "the mask"));
    }
    RV_TRY(take_alpha(m, photo));
    m->any = m->n > 1 || m->region[0].values != NULL || m->whole.values != NULL ||
             m->visible.values != NULL;
    return look_for_places(m, o, photo, n_styles);
}

rv_status rv_stylize_masks_create(rv_stylize_masks *out, const rv_stylize_options *options,
                                  const rv_image *photo, const double *shares, int n_styles)
{
    *out = (rv_stylize_masks){.rest = -1};
    const rv_status status = create(out, options, photo, shares, n_styles);
    if (status != RV_OK) {
        rv_stylize_masks_release(out);
    }
    return status;
}

void rv_stylize_masks_release(rv_stylize_masks *m)
{
    for (int i = 0; m->region != NULL && i < m->n; i++) {
        rv_mask_release(&m->region[i]);
    }
    free(m->region);
    free(m->of_style);
    free(m->strengths);
    rv_mask_release(&m->whole);
    rv_mask_release(&m->visible);
    *m = (rv_stylize_masks){0};
}

/* --- regions of a scale ---------------------------------------------------------------------- */

/* Multiplies values by rows of a mask, by way of a scratch of their size. */
static rv_status multiply(float *values, float *scratch, const rv_mask *mask, int width, int height,
                          int first, int rows)
{
    if (mask->values == NULL) {
        return RV_OK;
    }
    RV_TRY(rv_mask_rows(scratch, mask, width, height, first, rows));
    for (size_t i = 0; i < (size_t)width * (size_t)rows; i++) {
        values[i] *= scratch[i];
    }
    return RV_OK;
}

/* How much of each pixel of some rows has a style, alpha aside. @param scratch  as large as out */
static rv_status find_styled(float *out, float *scratch, const rv_stylize_masks *m, int width,
                             int height, int first, int rows)
{
    const size_t n = (size_t)width * (size_t)rows;
    for (size_t i = 0; i < n; i++) {
        out[i] = m->rest >= 0 ? 1.0f : 0.0f;
    }
    for (int r = 0; r < m->n && m->rest < 0; r++) {
        RV_TRY(rv_mask_rows(scratch, &m->region[r], width, height, first, rows));
        for (size_t i = 0; i < n; i++) {
            out[i] = fminf(out[i] + scratch[i], 1.0f);
        }
    }
    return multiply(out, scratch, &m->whole, width, height, first, rows);
}

/* Where masks lie over each other their regions share the place, so that none is styled more than once; what they
 * leave is of the rest. */
static void share_places(const rv_stylize_masks *m, float **planes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float sum = 0;
        for (int r = 0; r < m->n; r++) {
            sum += r != m->rest ? planes[r][i] : 0;
        }
        for (int r = 0; r < m->n && sum > 1; r++) {
            planes[r][i] /= sum;
        }
        if (m->rest >= 0) {
            planes[m->rest][i] = fmaxf(1 - sum, 0.0f);
        }
    }
}

static rv_status pad(float **plane, int width, int height, int margin)
{
    float *padded;
    RV_TRY(rv_alloc(&padded, (size_t)(width + 2 * margin) * (size_t)(height + 2 * margin),
                    sizeof *padded, "regions"));
    rv_plane_pad(padded, *plane, width, height, margin);
    free(*plane);
    *plane = padded;
    return RV_OK;
}

static rv_status find_planes(rv_stylize_regions *out, const rv_stylize_masks *m, int width,
                             int height, float *scratch)
{
    const size_t n = (size_t)width * (size_t)height;
    RV_TRY(rv_alloc(&out->planes, (size_t)m->n, sizeof *out->planes, "regions"));
    out->n = m->n;
    for (int r = 0; r < m->n; r++) {
        RV_TRY(rv_alloc(&out->planes[r], n, sizeof(float), "regions"));
        RV_TRY(rv_mask_rows(out->planes[r], &m->region[r], width, height, 0, height));
    }
    share_places(m, out->planes, n);
    for (int r = 0; r < m->n; r++) {
        RV_TRY(multiply(out->planes[r], scratch, &m->whole, width, height, 0, height));
        RV_TRY(multiply(out->planes[r], scratch, &m->visible, width, height, 0, height));
    }
    if (m->visible.values != NULL) {
        RV_TRY(rv_alloc(&out->visible, n, sizeof *out->visible, "regions"));
        RV_TRY(rv_mask_rows(out->visible, &m->visible, width, height, 0, height));
    }
    return RV_OK;
}

static rv_status find_regions(rv_stylize_regions *out, const rv_stylize_masks *m, int width,
                              int height, int margin)
{
    float *scratch;
    RV_TRY(rv_alloc(&scratch, (size_t)width * (size_t)height, sizeof *scratch, "regions"));
    rv_status status = find_planes(out, m, width, height, scratch);
    free(scratch);
    for (int r = 0; r < m->n && status == RV_OK; r++) {
        status = pad(&out->planes[r], width, height, margin);
    }
    if (status == RV_OK && out->visible != NULL) {
        status = pad(&out->visible, width, height, margin);
    }
    out->regions = (rv_regions){m->n, m->of_style, m->strengths, (const float *const *)out->planes,
                                out->visible};
    return status;
}

rv_status rv_stylize_regions_find(rv_stylize_regions *out, const rv_stylize_masks *m, int width,
                                  int height, int margin)
{
    *out = (rv_stylize_regions){.n = 0};
    const rv_status status = m->any ? find_regions(out, m, width, height, margin) : RV_OK;
    if (status != RV_OK) {
        rv_stylize_regions_release(out);
    }
    return status;
}

void rv_stylize_regions_release(rv_stylize_regions *r)
{
    for (int i = 0; i < r->n; i++) {
        free(r->planes[i]);
    }
    free(r->planes);
    free(r->visible);
    *r = (rv_stylize_regions){.n = 0};
}

void rv_stylize_regions_restore(const rv_stylize_regions *r, rv_planar *picture,
                                const rv_planar *photo)
{
    const size_t n = (size_t)picture->width * (size_t)picture->height;
    for (size_t i = 0; i < n && r->n > 0; i++) {
        float styled = 0;
        for (int k = 0; k < r->n; k++) {
            styled = fminf(styled + r->planes[k][i], 1.0f);
        }
        for (size_t at = i; at < 3 * n; at += n) {
            picture->data[at] = photo->data[at] + styled * (picture->data[at] - photo->data[at]);
        }
    }
}

/* --- the result ------------------------------------------------------------------------------ */

typedef struct restoring {
    const rv_stylize_masks *masks;
    rv_image *picture;
    const rv_image *photo; /* rows of it from `first` on */
    int first, rows, from; /* `from`: the row of `photo` that is row `first` of the picture */
} restoring;

static void set_sample(rv_image *image, size_t at, float value)
{
    if (rv_image_bits(image) == 16) {
        ((uint16_t *)rv_image_pixels(image))[at] = (uint16_t)(value + 0.5f);
    } else {
        ((uint8_t *)rv_image_pixels(image))[at] = (uint8_t)(value / 257.0f + 0.5f);
    }
}

static void restore_row(const restoring *w, const float *styled, int y)
{
    const size_t width = (size_t)rv_image_width(w->picture);
    const size_t channels = (size_t)rv_image_channels(w->picture);
    const size_t photo_channels = (size_t)rv_image_channels(w->photo);
    for (size_t x = 0; x < width; x++) {
        const size_t to = ((size_t)y * width + x) * channels;
        const size_t from = ((size_t)(y - w->first + w->from) * width + x) * photo_channels;
        const bool clear = photo_channels == 4 && rv_sample_of(w->photo, from + 3) == 0;
        const float share = clear ? 0.0f : styled[x];
        for (size_t c = 0; c < 3 && share < 1; c++) {
            const float own = (float)rv_sample_of(w->photo, from + c);
            set_sample(w->picture, to + c,
                       own + share * ((float)rv_sample_of(w->picture, to + c) - own));
        }
    }
}

static rv_status restore_rows(void *payload, size_t index)
{
    const restoring *w = payload;
    const int width = rv_image_width(w->picture), height = rv_image_height(w->picture);
    const int first = w->first + (int)index * ROWS, left = w->first + w->rows - first;
    const int rows = left < ROWS ? left : ROWS;
    float *styled = NULL, *scratch = NULL;
    const size_t n = (size_t)width * (size_t)rows;
    rv_status status = rv_alloc(&styled, n, sizeof *styled, "rows of a mask");
    if (status == RV_OK) {
        status = rv_alloc(&scratch, n, sizeof *scratch, "rows of a mask");
    }
    if (status == RV_OK) {
        status = find_styled(styled, scratch, w->masks, width, height, first, rows);
    }
    for (int y = 0; y < rows && status == RV_OK; y++) {
        restore_row(w, styled + (size_t)y * (size_t)width, first + y);
    }
    free(styled);
    free(scratch);
    return status;
}

static rv_status restore_strip(restoring *w)
{
    return rv_parallel_for((size_t)(w->rows - 1) / ROWS + 1, 0, restore_rows, w);
}

rv_status rv_stylize_masks_restore(const rv_stylize_masks *m, rv_image *picture, rv_device *device,
                                   const rv_image *photo)
{
    const int width = rv_image_width(picture), height = rv_image_height(picture);
    const int fit = (int)(STRIP_FLOATS / ((size_t)width * 4) + 1);
    restoring w = {.masks = m, .picture = picture, .photo = photo, .rows = height};
    if (!m->any) {
        return RV_OK;
    }
    if (width == rv_image_width(photo) && height == rv_image_height(photo)) {
        return restore_strip(&w);
    }
    rv_status status = RV_OK;
    for (w.first = 0; w.first < height && status == RV_OK; w.first += fit) {
        rv_image *strip;
        w.rows = fit < height - w.first ? fit : height - w.first;
        status = rv_picture_strip(&strip, device, photo, width, height, w.first, w.rows);
        w.photo = strip;
        if (status == RV_OK) {
            status = restore_strip(&w);
        }
        rv_image_destroy(strip);
    }
    return status;
}
