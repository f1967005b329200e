/* The methods that make heat maps, each a way to vary a picture and to sum up what comes of it. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "base/philox.h"
#include "stages/heatmap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Brightness of the squares that hide parts of a picture. */
#define GREY 0.5f

/* Integrated gradients: steps to begin and to end with, and how far their sum may be off, as a share. */
enum { FIRST_STEPS = 64, MOST_STEPS = 1024 };
#define MOST_INCOMPLETE 0.01

/* --- class activation maps ------------------------------------------------------------------- */

typedef struct cam {
    const float *features; /* [C,H,W] */
    size_t channels, pixels;
    rv_heat *maps;
    bool plus;
} cam;

static void fill_features(void *context, size_t i, float *values)
{
    const cam *c = context;
    (void)i;
    memcpy(values, c->features, c->channels * c->pixels * sizeof *values);
}

/* Selvaraju et al. 2017: the mean of the gradient over the map. */
static double mean_weight(const float *gradient, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)gradient[i];
    }
    return sum / (double)n;
}

/* Chattopadhay et al. 2018: the sum of a g over what of g is above 0, with a = g^2 / (2 g^2 + S g^3), S the sum of the
 * map; their factor exp(score), the same for all channels, is left out. */
static double plus_weight(const float *map, const float *gradient, size_t n)
{
    double all = 0, sum = 0;
    for (size_t i = 0; i < n; i++) {
        all += (double)map[i];
    }
    for (size_t i = 0; i < n; i++) {
        const double g = (double)gradient[i], below = 2 + all * g;
        sum += g > 0 && below != 0 ? g / below : 0;
    }
    return sum;
}

static void take_cam(void *context, size_t i, const float *gradient)
{
    const cam *c = context;
    float *out = c->maps[i].values;
    for (size_t k = 0; k < c->channels; k++) {
        const float *map = c->features + k * c->pixels, *slope = gradient + k * c->pixels;
        const double weight =
            c->plus ? plus_weight(map, slope, c->pixels) : mean_weight(slope, c->pixels);
        for (size_t p = 0; p < c->pixels; p++) {
            out[p] += (float)weight * map[p];
        }
    }
    for (size_t p = 0; p < c->pixels; p++) {
        out[p] = out[p] < 0 ? 0 : out[p];
    }
}

static rv_status fill_cam(rv_heatmaps *h, rv_heat_method method, rv_heat *maps, const int *classes,
                          size_t n)
{
    const rv_shape *s = rv_graph_shape(h->graph.graph, h->layer);
    cam c = {.features = h->features,
             .channels = (size_t)s->dim[1],
             .pixels = (size_t)s->dim[2] * (size_t)s->dim[3],
             .maps = maps,
             .plus = method == RV_HEAT_GRAD_CAM_PLUS};
    return rv_heatmaps_run(h, &(rv_heat_job){.task = rv_heat_method_name(method),
                                             .context = &c,
                                             .n = n,
                                             .fill = fill_features,
                                             .take = take_cam,
                                             .classes = classes,
                                             .share = 1,
                                             .of_layer = true,
                                             .to = 1});
}

/* --- gradients of pixels --------------------------------------------------------------------- */

typedef struct slopes {
    const rv_heatmaps *h;
    rv_heat_method method;
    size_t values, share; /* of a picture; variants for each class */
    float deviation;      /* of noise */
    float *sums;          /* [classes,C,H,W] */
    double from, to;      /* shares of the call that the next run goes from and to */
} slopes;

/* The picture, the picture with noise, or a point on the way from black to it. */
static void fill_picture(void *context, size_t i, float *values)
{
    const slopes *s = context;
    const float *seen = s->h->seen.data;
    const size_t k = i % s->share;
    const float share = ((float)k + 0.5f) / (float)s->share;
    for (size_t p = 0; p < s->values; p++) {
        values[p] = seen[p];
        if (s->method == RV_HEAT_SMOOTHGRAD) {
            values[p] +=
                s->deviation * rv_philox_normal(s->h->options.seed, (uint32_t)k, (uint32_t)p);
        } else if (s->method == RV_HEAT_INTEGRATED) {
            values[p] *= share;
        }
    }
}

static void take_slope(void *context, size_t i, const float *gradient)
{
    const slopes *s = context;
    float *sum = s->sums + i / s->share * s->values;
    for (size_t p = 0; p < s->values; p++) {
        sum[p] += gradient[p] / (float)s->share;
    }
}

/* Of a gradient the largest absolute value over the channels; of an integrated one the sum of its products with the
 * picture. */
static void finish_slope(const slopes *s, rv_heat *heat, const float *mean)
{
    const size_t pixels = (size_t)heat->map.width * (size_t)heat->map.height;
    for (size_t i = 0; i < s->values; i++) {
        float *out = &heat->values[i % pixels];
        *out = s->method == RV_HEAT_INTEGRATED ? *out + mean[i] * s->h->seen.data[i]
                                               : fmaxf(*out, fabsf(mean[i]));
    }
}

static float range_of(const float *values, size_t n)
{
    float low = values[0], high = values[0];
    for (size_t i = 0; i < n; i++) {
        low = fminf(low, values[i]);
        high = fmaxf(high, values[i]);
    }
    return high - low;
}

/* The means of gradients for n classes, from `share` variants for each, into s->sums; then their maps. */
static rv_status run_slopes(slopes *s, rv_heatmaps *h, rv_heat *maps, const int *classes, size_t n)
{
    memset(s->sums, 0, n * s->values * sizeof *s->sums);
    RV_TRY(rv_heatmaps_run(h, &(rv_heat_job){.task = rv_heat_method_name(s->method),
                                             .context = s,
                                             .n = n * s->share,
                                             .fill = fill_picture,
                                             .take = take_slope,
                                             .classes = classes,
                                             .share = s->share,
                                             .guided = s->method == RV_HEAT_GUIDED,
                                             .from = s->from,
                                             .to = s->to}));
    for (size_t i = 0; i < n; i++) {
        finish_slope(s, &maps[i], s->sums + i * s->values);
    }
    return RV_OK;
}

/* What integrated gradients have to sum up to: score of the picture less that of a black one. */
static rv_status set_differences(rv_heatmaps *h, rv_heat *maps, const int *classes, size_t n)
{
    float *black, *scores = NULL;
    RV_TRY(rv_alloc(&black, rv_heatmaps_values(h), sizeof *black, "a black picture"));
    rv_status status = rv_alloc(&scores, (size_t)h->classes, sizeof *scores, "scores");
    if (status == RV_OK) {
        status = rv_heatmaps_score(h, black, scores);
    }
    for (size_t i = 0; i < n && status == RV_OK; i++) {
        maps[i].map.difference = (double)h->scores[classes[i]] - (double)scores[classes[i]];
    }
    free(black);
    free(scores);
    return status;
}

/* How far the values are from what they have to sum up to, as a share of that. */
static double incomplete(const rv_heat *heat)
{
    double sum = 0;
    for (size_t i = 0; i < (size_t)heat->map.width * (size_t)heat->map.height; i++) {
        sum += (double)heat->values[i];
    }
    const double off = fabs(sum - heat->map.difference);
    return off <= 0 ? 0 : off / fabs(heat->map.difference); /* of a black picture both are 0 */
}

/* Class `index` of n, in ever smaller steps where their number is left to us. */
static rv_status integrate(slopes *s, rv_heatmaps *h, rv_heat *heat, int class, double index,
                           double n)
{
    const size_t pixels = (size_t)heat->map.width * (size_t)heat->map.height;
    const bool given = h->options.steps > 0;
    double left = 1; /* of this class's share, of which each run takes half */
    s->share = given ? (size_t)h->options.steps : FIRST_STEPS;
    for (;;) {
        s->from = (index + 1 - left) / n;
        left = given ? 0 : left / 2;
        s->to = (index + 1 - left) / n;
        RV_TRY(run_slopes(s, h, heat, &class, 1));
        if (given || incomplete(heat) <= MOST_INCOMPLETE || s->share >= MOST_STEPS) {
            break;
        }
        s->share *= 2;
        memset(heat->values, 0, pixels * sizeof *heat->values);
    }
    if (!(incomplete(heat) <= MOST_INCOMPLETE)) {
        rv_log(h->options.events, RV_LOG_WARNING,
               "the integrated gradients of class %d sum up to what they should only but for %.1f "
               "%%; more --steps bring them closer",
               class, 100 * incomplete(heat));
    }
    return RV_OK;
}

static rv_status fill_slopes(rv_heatmaps *h, rv_heat_method method, rv_heat *maps,
                             const int *classes, size_t n)
{
    slopes s = {.h = h, .method = method, .values = rv_heatmaps_values(h), .to = 1};
    s.share = method == RV_HEAT_SMOOTHGRAD ? (size_t)h->options.samples : 1;
    s.deviation = (float)h->options.noise * range_of(h->seen.data, s.values);
    RV_TRY(rv_alloc(&s.sums, n * s.values, sizeof *s.sums, "heat maps"));
    rv_status status = RV_OK;
    if (method != RV_HEAT_INTEGRATED) {
        status = run_slopes(&s, h, maps, classes, n);
    } else {
        status = set_differences(h, maps, classes, n);
        for (size_t i = 0; i < n && status == RV_OK; i++) {
            status = integrate(&s, h, &maps[i], classes[i], (double)i, (double)n);
        }
    }
    free(s.sums);
    return status;
}

/* --- occlusion ------------------------------------------------------------------------------- */

typedef struct cover {
    const rv_heatmaps *h;
    rv_heat *maps;
    const int *classes;
    size_t n;
    int width, height, window, stride;
    int columns, rows; /* of squares */
    float *times;      /* [H,W]: squares over each pixel */
} cover;

/* How many squares there are along a side: the last one ends where the side does. */
static int squares(int side, int window, int stride)
{
    return (side - window + stride - 1) / stride + 1;
}

static int square_start(int index, int side, int window, int stride)
{
    return index * stride < side - window ? index * stride : side - window;
}

static void fill_cover(void *context, size_t i, float *values)
{
    const cover *c = context;
    const size_t pixels = (size_t)c->width * (size_t)c->height, n = rv_heatmaps_values(c->h);
    const int left = square_start((int)i % c->columns, c->width, c->window, c->stride);
    const int top = square_start((int)i / c->columns, c->height, c->window, c->stride);
    memcpy(values, c->h->seen.data, n * sizeof *values);
    for (size_t plane = 0; plane < n; plane += pixels) {
        for (int y = top; y < top + c->window; y++) {
            float *row = values + plane + (size_t)y * (size_t)c->width;
            for (int x = left; x < left + c->window; x++) {
                row[x] = GREY;
            }
        }
    }
}

/* What of the score is lost goes to each pixel of the square. */
static void take_cover(void *context, size_t i, const float *scores)
{
    const cover *c = context;
    const int left = square_start((int)i % c->columns, c->width, c->window, c->stride);
    const int top = square_start((int)i / c->columns, c->height, c->window, c->stride);
    for (int y = top; y < top + c->window; y++) {
        for (int x = left; x < left + c->window; x++) {
            const size_t p = (size_t)y * (size_t)c->width + (size_t)x;
            c->times[p]++;
            for (size_t k = 0; k < c->n; k++) {
                c->maps[k].values[p] += c->h->scores[c->classes[k]] - scores[c->classes[k]];
            }
        }
    }
}

static rv_status measure_cover(cover *c, const rv_heatmaps *h)
{
    const int shorter = c->width < c->height ? c->width : c->height;
    c->window = h->options.window > 0 ? h->options.window : shorter / 6;
    c->window = c->window > 0 ? c->window : 1;
    c->stride = h->options.stride > 0 ? h->options.stride : c->window / 3;
    c->stride = c->stride > 0 ? c->stride : 1;
    if (c->window > shorter) {
        return rv_fail(RV_ERR_USAGE,
                       "a window of %d pixels is larger than the %d x %d that %s takes", c->window,
                       c->width, c->height, rv_model_name(h->model));
    }
    if (c->stride > c->window) {
        return rv_fail(RV_ERR_USAGE, "a stride of %d pixels leaves gaps between windows of %d",
                       c->stride, c->window);
    }
    c->columns = squares(c->width, c->window, c->stride);
    c->rows = squares(c->height, c->window, c->stride);
    return RV_OK;
}

static rv_status fill_occlusion(rv_heatmaps *h, rv_heat *maps, const int *classes, size_t n)
{
    cover c = {.h = h,
               .maps = maps,
               .classes = classes,
               .n = n,
               .width = h->seen.width,
               .height = h->seen.height};
    const size_t pixels = (size_t)c.width * (size_t)c.height;
    RV_TRY(measure_cover(&c, h));
    RV_TRY(rv_alloc(&c.times, pixels, sizeof *c.times, "heat maps"));
    const rv_status status =
        rv_heatmaps_run(h, &(rv_heat_job){.task = rv_heat_method_name(RV_HEAT_OCCLUSION),
                                          .context = &c,
                                          .n = (size_t)c.columns * (size_t)c.rows,
                                          .fill = fill_cover,
                                          .take = take_cover,
                                          .to = 1});
    for (size_t k = 0; k < n && status == RV_OK; k++) {
        for (size_t p = 0; p < pixels; p++) {
            maps[k].values[p] /= c.times[p];
        }
    }
    free(c.times);
    return status;
}

rv_status rv_heatmaps_fill(rv_heatmaps *h, rv_heat_method method, rv_heat *maps, const int *classes,
                           size_t n)
{
    switch (method) {
    case RV_HEAT_GRAD_CAM:
    case RV_HEAT_GRAD_CAM_PLUS:
        return fill_cam(h, method, maps, classes, n);
    case RV_HEAT_OCCLUSION:
        return fill_occlusion(h, maps, classes, n);
    default:
        return fill_slopes(h, method, maps, classes, n);
    }
}
