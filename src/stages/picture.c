/* Turns samples into planes of floats at any size and back, resizing on the device in linear light. */
/* SPDX-License-Identifier: MIT */
#include "stages/picture.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/pool.h"
#include "image/colour.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Floats of a photo that are on the device at a time: 64 MiB. A constant, since results must not
 * depend on the device's memory. */
#define STRIP_FLOATS ((size_t)1 << 24)

/* Reach of Lanczos-3 to either side, in output pixels where it shrinks, else in source pixels. */
enum { REACH = 3 };

/* --- planes ---------------------------------------------------------------------------------- */

rv_status rv_planar_create(rv_planar *out, int width, int height)
{
    *out = (rv_planar){.width = width, .height = height};
    return rv_alloc(&out->data, 3 * (size_t)width * (size_t)height, sizeof(float), "picture");
}

void rv_planar_release(rv_planar *planar)
{
    free(planar->data);
    *planar = (rv_planar){0};
}

size_t rv_planar_floats(const rv_planar *planar)
{
    return 3 * (size_t)planar->width * (size_t)planar->height;
}

int rv_mirrored(int i, int n)
{
    if (n == 1) {
        return 0;
    }
    const int period = 2 * (n - 1);
    i = ((i % period) + period) % period;
    return i < n ? i : period - i;
}

void rv_plane_pad(float *out, const float *in, int width, int height, int margin)
{
    for (int y = 0; y < height + 2 * margin; y++) {
        const float *row = in + (size_t)rv_mirrored(y - margin, height) * (size_t)width;
        for (int x = 0; x < width + 2 * margin; x++) {
            *out++ = row[rv_mirrored(x - margin, width)];
        }
    }
}

rv_status rv_planar_pad(rv_planar *out, const rv_planar *in, int margin)
{
    RV_TRY(rv_planar_create(out, in->width + 2 * margin, in->height + 2 * margin));
    for (size_t c = 0; c < 3; c++) {
        rv_plane_pad(out->data + c * (size_t)out->width * (size_t)out->height,
                     in->data + c * (size_t)in->width * (size_t)in->height, in->width, in->height,
                     margin);
    }
    return RV_OK;
}

rv_status rv_planar_crop(rv_planar *out, const rv_planar *in, int margin)
{
    RV_TRY(rv_planar_create(out, in->width - 2 * margin, in->height - 2 * margin));
    float *to = out->data;
    for (int c = 0; c < 3; c++) {
        for (int y = 0; y < out->height; y++) {
            const size_t row = (size_t)c * (size_t)in->height + (size_t)y + (size_t)margin;
            memcpy(to, in->data + row * (size_t)in->width + margin,
                   (size_t)out->width * sizeof(float));
            to += out->width;
        }
    }
    return RV_OK;
}

void rv_picture_fit(int *width, int *height, int size)
{
    const int longest = *width > *height ? *width : *height;
    if (longest > size) {
        const double ratio = (double)size / longest;
        *width = (int)fmax(1.0, round(*width * ratio));
        *height = (int)fmax(1.0, round(*height * ratio));
    }
}

rv_part rv_picture_middle(const rv_image *image, int width, int height)
{
    const double w = rv_image_width(image), h = rv_image_height(image);
    const double unit = fmin(w / width, h / height);
    return (rv_part){(w - unit * width) / 2, (h - unit * height) / 2, unit * width, unit * height};
}

static float clamp(float v)
{
    return fminf(fmaxf(v, 0.0f), 1.0f);
}

/* --- resizing -------------------------------------------------------------------------------- */

/* Where rows to be resized come from: one of the two. */
typedef struct source {
    const rv_image *image; /* becomes light, multiplied by alpha */
    const rv_planar *planar;
    float *light; /* of each sample value, for an image */
    int width, height, channels;
    const char *filter;  /* of the op resize */
    rv_resizer *resizer; /* NULL: one for this time alone */
} source;

/* Rows of an image as planes [channels, rows, width]. */
static void take_samples(float *out, const source *from, int row, int rows)
{
    const size_t n = (size_t)rows * (size_t)from->width, channels = (size_t)from->channels;
    const size_t first = (size_t)row * (size_t)from->width * channels;
    const bool wide = rv_image_bits(from->image) == 16;
    const uint8_t *small = rv_image_pixels_const(from->image);
    const uint16_t *large = rv_image_pixels_const(from->image);
    const float unit = wide ? 1.0f / 65535.0f : 1.0f / 255.0f;
    for (size_t i = 0; i < n; i++) {
        const size_t at = first + i * channels;
        float alpha = 1.0f;
        if (channels == 4) {
            alpha = unit * (float)(wide ? large[at + 3] : small[at + 3]);
            out[3 * n + i] = alpha;
        }
        for (size_t c = 0; c < 3; c++) {
            out[c * n + i] = alpha * from->light[wide ? large[at + c] : small[at + c]];
        }
    }
}

static void take_rows(float *out, const source *from, int row, int rows)
{
    if (from->image != NULL) {
        take_samples(out, from, row, rows);
        return;
    }
    const size_t width = (size_t)from->width, n = (size_t)rows * width;
    for (size_t c = 0; c < 3; c++) {
        memcpy(out + c * n, from->planar->data + (c * (size_t)from->height + (size_t)row) * width,
               n * sizeof(float));
    }
}

void rv_resizer_release(rv_resizer *resizer)
{
    rv_plan_destroy(resizer->plan);
    rv_graph_destroy(resizer->graph);
    *resizer = (rv_resizer){0};
}

static bool is_same_part(const rv_part *a, const rv_part *b)
{
    return a->left == b->left && a->top == b->top && a->width == b->width && a->height == b->height;
}

/* Makes the plan that resizes a part of planes, unless it is there from the last time. */
static rv_status make_plan(rv_resizer *r, rv_device *device, rv_shape from, rv_shape to,
                           const rv_part *window, const char *filter)
{
    if (r->plan != NULL && rv_shape_equal(&r->from, &from) && rv_shape_equal(&r->to, &to) &&
        is_same_part(&r->window, window)) {
        return RV_OK;
    }
    rv_resizer_release(r);
    RV_TRY(rv_graph_create(&r->graph));
    RV_TRY(rv_graph_input(r->graph, &r->in, "rows", from));
    RV_TRY(rv_graph_add(r->graph, &r->out, "resize", "resized", &r->in, 1,
                        RV_ATTRS(RV_SET_INT("height", to.dim[2]), RV_SET_INT("width", to.dim[3]),
                                 RV_SET_ENUM("filter", filter),
                                 RV_SET_FLOAT4("window", window->top, window->left, window->height,
                                               window->width))));
    const rv_plan_options options = {.mode = RV_INFER, .outputs = &r->out, .n_outputs = 1};
    r->from = from;
    r->to = to;
    r->window = *window;
    return rv_plan_create(&r->plan, r->graph, NULL, device, &options);
}

/* Resizes `rows` rows of the source from `row` on, of which `window` is taken. */
static rv_status resize_rows(float *out, int width, int height, rv_device *device,
                             const source *from, int row, int rows, const rv_part *window)
{
    rv_resizer own = {0}, *r = from->resizer != NULL ? from->resizer : &own;
    float *data = NULL;
    const size_t n = (size_t)from->channels * (size_t)rows;
    rv_status status = rv_alloc(&data, n, (size_t)from->width * sizeof(float), "rows to resize");
    if (status == RV_OK) {
        take_rows(data, from, row, rows);
        status = make_plan(r, device, rv_shape_4(1, from->channels, rows, from->width),
                           rv_shape_4(1, from->channels, height, width), window, from->filter);
    }
    if (status == RV_OK) {
        status = rv_tensor_write(device, rv_plan_tensor(r->plan, r->in), data);
    }
    if (status == RV_OK) {
        status = rv_plan_forward(r->plan);
    }
    if (status == RV_OK) {
        status = rv_tensor_read(device, rv_plan_tensor(r->plan, r->out), out);
    }
    rv_resizer_release(&own);
    free(data);
    return status;
}

static bool is_same_size(const source *from, const rv_part *part, int width, int height)
{
    return width == from->width && height == from->height && part->left <= 0 && part->top <= 0 &&
           part->width >= width && part->height >= height;
}

/* Resizes strip by strip, each with the rows around it that the filter reaches, into
 * [channels, height, width]. */
static rv_status resize(float *out, int width, int height, rv_device *device, const source *from,
                        const rv_part *part, size_t limit)
{
    const double step = part->height / height, reach = REACH * fmax(1.0, step) + 1;
    const size_t row_floats = (size_t)from->width * (size_t)from->channels;
    const double rows = floor(((double)limit / (double)row_floats - 2 * reach) / step);
    const int strip = (int)fmin(height, fmax(1.0, rows));
    float *piece;
    if (is_same_size(from, part, width, height)) {
        take_rows(out, from, 0, height);
        return RV_OK;
    }
    RV_TRY(rv_alloc(&piece, (size_t)from->channels * (size_t)strip, (size_t)width * sizeof(float),
                    "resized picture"));
    rv_status status = RV_OK;
    for (int y = 0; y < height && status == RV_OK; y += strip) {
        const int n = strip < height - y ? strip : height - y;
        const double top = part->top + y * step, bottom = top + n * step;
        const int first = (int)fmax(0, floor(top - reach));
        const int last = (int)fmin(from->height, ceil(bottom + reach));
        const rv_part window = {part->left, top - first, part->width, n * step};
        status = resize_rows(piece, width, n, device, from, first, last - first, &window);
        for (int c = 0; c < from->channels && status == RV_OK; c++) {
            memcpy(out + ((size_t)c * (size_t)height + (size_t)y) * (size_t)width,
                   piece + (size_t)c * (size_t)n * (size_t)width,
                   (size_t)n * (size_t)width * sizeof(float));
        }
    }
    free(piece);
    return status;
}

rv_status rv_planar_resize_by(rv_planar *out, rv_device *device, const rv_planar *in, int width,
                              int height, const char *filter)
{
    const source from = {
        .planar = in, .width = in->width, .height = in->height, .channels = 3, .filter = filter};
    const rv_part all = {0, 0, in->width, in->height};
    RV_TRY(rv_planar_create(out, width, height));
    const rv_status status = resize(out->data, width, height, device, &from, &all, STRIP_FLOATS);
    if (status != RV_OK) {
        rv_planar_release(out);
    }
    return status;
}

rv_status rv_planar_resize(rv_planar *out, rv_device *device, const rv_planar *in, int width,
                           int height)
{
    RV_TRY(rv_planar_resize_by(out, device, in, width, height, "lanczos3"));
    for (size_t i = 0; i < rv_planar_floats(out); i++) {
        out->data[i] = clamp(out->data[i]);
    }
    return RV_OK;
}

/* --- from an image --------------------------------------------------------------------------- */

/* Less alpha than the last place of 16 bits: such a pixel has no colour. */
#define NO_ALPHA (0.5f / 65535.0f)

/* The mean colour of what is visible, weighted by alpha; from colours multiplied by alpha. */
static void mean_colour(float out[3], const float *planes, size_t n)
{
    double sum[4] = {0, 0, 0, 0};
    for (size_t c = 0; c < 4; c++) {
        for (size_t i = 0; i < n; i++) {
            sum[c] += (double)planes[c * n + i];
        }
    }
    for (int c = 0; c < 3; c++) {
        out[c] = sum[3] > 0 ? (float)(sum[c] / sum[3]) : 0.0f;
    }
}

/* Planes of light, colours multiplied by alpha, on their way to sRGB planes and alpha. */
typedef struct finishing {
    rv_planar *out;
    float *alpha; /* NULL: not wanted */
    const float *planes;
    int channels;
    float mean[3];
} finishing;

/* Pixels that a thread takes at a time. */
enum { SHARE = 1 << 14 };

static rv_status finish_share(void *payload, size_t number)
{
    const finishing *f = payload;
    const size_t n = (size_t)f->out->width * (size_t)f->out->height, first = number * SHARE;
    for (size_t i = first; i < n && i < first + SHARE; i++) {
        /* The filter overshoots at edges, alpha and colours by the same share: only their ratio is in
         * range. */
        const float a = f->channels == 4 ? f->planes[3 * n + i] : 1.0f;
        for (size_t c = 0; c < 3; c++) {
            const float light = a > NO_ALPHA ? f->planes[c * n + i] / a : f->mean[c];
            f->out->data[c * n + i] = rv_srgb_from_light(clamp(light));
        }
        if (f->alpha != NULL) {
            f->alpha[i] = clamp(a);
        }
    }
    return RV_OK;
}

static rv_status finish_planes(rv_planar *out, float *alpha, const float *planes, int channels)
{
    const size_t n = (size_t)out->width * (size_t)out->height;
    finishing f = {.out = out, .alpha = alpha, .planes = planes, .channels = channels};
    if (channels == 4) {
        mean_colour(f.mean, planes, n);
    }
    return rv_parallel_for((n + SHARE - 1) / SHARE, 0, finish_share, &f);
}

static rv_status resize_image(rv_planar *out, float *alpha, rv_device *device,
                              const rv_image *image, const rv_part *part, size_t limit,
                              rv_resizer *resizer)
{
    source from = {.image = image,
                   .width = rv_image_width(image),
                   .height = rv_image_height(image),
                   .channels = rv_image_channels(image),
                   .filter = "lanczos3",
                   .resizer = resizer};
    const size_t values = rv_image_bits(image) == 16 ? 65536 : 256;
    const size_t n = (size_t)out->width * (size_t)out->height;
    float *planes = NULL;
    rv_status status = rv_alloc(&planes, n, (size_t)from.channels * sizeof(float), "picture");
    if (status == RV_OK) {
        status = rv_alloc(&from.light, values, sizeof(float), "table of light");
    }
    if (status == RV_OK) {
        for (size_t i = 0; i < values; i++) {
            from.light[i] = rv_light_from_srgb((float)i / (float)(values - 1));
        }
        status = resize(planes, out->width, out->height, device, &from, part, limit);
    }
    if (status == RV_OK) {
        status = finish_planes(out, alpha, planes, from.channels);
    }
    free(from.light);
    free(planes);
    return status;
}

rv_status rv_picture_planes_within(rv_planar *out, float **alpha, rv_device *device,
                                   const rv_image *image, const rv_part *part, int width,
                                   int height, size_t limit)
{
    const rv_part all = {0, 0, rv_image_width(image), rv_image_height(image)};
    float *a = NULL;
    rv_status status = rv_planar_create(out, width, height);
    if (alpha != NULL) {
        *alpha = NULL;
    }
    if (status == RV_OK && alpha != NULL && rv_image_channels(image) == 4) {
        status = rv_alloc(&a, (size_t)width * (size_t)height, sizeof(float), "alpha");
    }
    if (status == RV_OK) {
        status = resize_image(out, a, device, image, part != NULL ? part : &all, limit, NULL);
    }
    if (status != RV_OK) {
        rv_planar_release(out);
        free(a);
    } else if (alpha != NULL) {
        *alpha = a;
    }
    return status;
}

rv_status rv_picture_planes(rv_planar *out, float **alpha, rv_device *device, const rv_image *image,
                            const rv_part *part, int width, int height)
{
    return rv_picture_planes_within(out, alpha, device, image, part, width, height, STRIP_FLOATS);
}

rv_status rv_picture_planes_by(rv_planar *out, rv_resizer *resizer, rv_device *device,
                               const rv_image *image, const rv_part *part, int width, int height)
{
    RV_TRY(rv_planar_create(out, width, height));
    const rv_status status = resize_image(out, NULL, device, image, part, STRIP_FLOATS, resizer);
    if (status != RV_OK) {
        rv_planar_release(out);
    }
    return status;
}

/* --- to an image ----------------------------------------------------------------------------- */

rv_status rv_picture_image(rv_image **out, const rv_planar *planar, const float *alpha, int bits)
{
    const size_t n = (size_t)planar->width * (size_t)planar->height;
    const size_t channels = alpha != NULL ? 4 : 3;
    const float range = bits == 16 ? 65535.0f : 255.0f;
    RV_TRY(rv_image_create(out, planar->width, planar->height, (int)channels, bits));
    uint8_t *small = rv_image_pixels(*out);
    uint16_t *large = rv_image_pixels(*out);
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < channels; c++) {
            const float v = c < 3 ? planar->data[c * n + i] : alpha[i];
            const float sample = clamp(v) * range + 0.5f;
            if (bits == 16) {
                large[i * channels + c] = (uint16_t)sample;
            } else {
                small[i * channels + c] = (uint8_t)sample;
            }
        }
    }
    return RV_OK;
}
