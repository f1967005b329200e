/* Draws the weights that a network starts from. */
/* SPDX-License-Identifier: MIT */
#include "graph/init.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/philox.h"
#include "base/pool.h"

#include <reverie/names.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Values that one thread draws before it takes the next ones. */
enum { DRAWN_AT_ONCE = 1 << 16 };

/* A draw beyond two deviations is made again; this many in a row have a chance of 1e-21. */
enum { MAX_DRAWS = 16 };
#define TRUNCATED_AT 2.0f
/* Deviation of what is left of a normal distribution of deviation 1. */
#define TRUNCATED_DEVIATION 0.87962566103423978

#define SQRT_2 1.4142135623730951
#define SQRT_3 1.7320508075688772

/* --- names ----------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    rv_initializer initializer;
} initializers[] = {
    {"he", {RV_NORMAL, RV_FAN_IN, SQRT_2, 0}},
    {"he-normal", {RV_NORMAL, RV_FAN_IN, SQRT_2, 0}},
    {"he-uniform", {RV_UNIFORM, RV_FAN_IN, SQRT_2, 0}},
    {"he-truncated", {RV_TRUNCATED_NORMAL, RV_FAN_IN, SQRT_2, 0}},
    {"xavier", {RV_UNIFORM, RV_FAN_AVERAGE, 1, 0}},
    {"xavier-normal", {RV_NORMAL, RV_FAN_AVERAGE, 1, 0}},
    {"xavier-uniform", {RV_UNIFORM, RV_FAN_AVERAGE, 1, 0}},
    {"xavier-truncated", {RV_TRUNCATED_NORMAL, RV_FAN_AVERAGE, 1, 0}},
    {"lecun", {RV_NORMAL, RV_FAN_IN, 1, 0}},
    {"lecun-normal", {RV_NORMAL, RV_FAN_IN, 1, 0}},
    {"lecun-uniform", {RV_UNIFORM, RV_FAN_IN, 1, 0}},
    {"lecun-truncated", {RV_TRUNCATED_NORMAL, RV_FAN_IN, 1, 0}},
};

static const struct {
    const char *name;
    double gain;
} gains[] = {{"linear", 1}, {"logistic", 4}, {"tanh", 1}, {"relu", SQRT_2}};

enum {
    N_INITIALIZERS = sizeof initializers / sizeof initializers[0],
    N_GAINS = sizeof gains / sizeof gains[0]
};

rv_status rv_initializer_find(rv_initializer *out, const char *name)
{
    const char *names[N_INITIALIZERS];
    for (size_t i = 0; i < N_INITIALIZERS; i++) {
        names[i] = initializers[i].name;
        if (strcmp(name, names[i]) == 0) {
            *out = initializers[i].initializer;
            return RV_OK;
        }
    }
    return rv_fail(RV_ERR_USAGE, "there is no initialiser '%s'; the nearest is '%s'", name,
                   names[rv_nearest(name, names, N_INITIALIZERS)]);
}

rv_status rv_initializer_gain(double *out, const char *units)
{
    const char *names[N_GAINS];
    for (size_t i = 0; i < N_GAINS; i++) {
        names[i] = gains[i].name;
        if (strcmp(units, names[i]) == 0) {
            *out = gains[i].gain;
            return RV_OK;
        }
    }
    return rv_fail(RV_ERR_USAGE, "there is no gain for '%s' units; the nearest is '%s'", units,
                   names[rv_nearest(units, names, N_GAINS)]);
}

/* --- draws ----------------------------------------------------------------------------------- */

/* Large networks have a hundred million values: drawn in chunks on all cores. */
typedef struct draw {
    float *data;
    size_t count;
    rv_distribution distribution;
    float factor;
    uint32_t seed, stream;
} draw;

/* Streams beyond those of parameters, for draws that are made again. */
static float truncated(const draw *d, uint32_t index)
{
    float v = rv_philox_normal(d->seed, d->stream, index);
    for (uint32_t again = 1; fabsf(v) > TRUNCATED_AT && again < MAX_DRAWS; again++) {
        v = rv_philox_normal(d->seed, d->stream | again << 28, index);
    }
    return fabsf(v) > TRUNCATED_AT ? 0.0f : v;
}

static float number(const draw *d, uint32_t index)
{
    switch (d->distribution) {
    case RV_UNIFORM:
        return 2.0f * rv_philox_uniform(d->seed, d->stream, index) - 1.0f;
    case RV_TRUNCATED_NORMAL:
        return truncated(d, index);
    default:
        return rv_philox_normal(d->seed, d->stream, index);
    }
}

static rv_status draw_chunk(void *payload, size_t chunk)
{
    const draw *d = payload;
    const size_t end = (chunk + 1) * DRAWN_AT_ONCE;
    for (size_t i = chunk * DRAWN_AT_ONCE; i < end && i < d->count; i++) {
        d->data[i] = d->factor * number(d, (uint32_t)i);
    }
    return RV_OK;
}

static double deviation_of(const rv_initializer *by, const rv_param *p)
{
    const double in = p->fan_in > 0 ? p->fan_in : 1, out = p->fan_out > 0 ? p->fan_out : 1;
    const double fan = by->fan == RV_FAN_IN ? in : by->fan == RV_FAN_OUT ? out : 0.5 * (in + out);
    return by->deviation > 0 ? by->deviation : by->gain / sqrt(fan);
}

static float fixed_value(rv_init init)
{
    return init == RV_INIT_ONE ? 1.0f : init == RV_INIT_QUARTER ? 0.25f : 0.0f;
}

static rv_status initialize(rv_param *p, const rv_initializer *by, uint32_t seed, uint32_t stream)
{
    static const double widths[RV_DISTRIBUTIONS] = {1, SQRT_3, 1 / TRUNCATED_DEVIATION};
    if (p == NULL || p->data != NULL) {
        return RV_OK;
    }
    const size_t count = rv_shape_count(&p->shape);
    RV_TRY(rv_alloc(&p->data, count, sizeof(float), p->node));
    if (p->init != RV_INIT_HE) {
        for (size_t i = 0; i < count; i++) {
            p->data[i] = fixed_value(p->init);
        }
        return RV_OK;
    }
    draw d = {.data = p->data,
              .count = count,
              .distribution = by->distribution,
              .factor = (float)(widths[by->distribution] * deviation_of(by, p)),
              .seed = seed,
              .stream = stream};
    return rv_parallel_for((count + DRAWN_AT_ONCE - 1) / DRAWN_AT_ONCE, 0, draw_chunk, &d);
}

rv_status rv_graph_initialize_by(rv_graph *graph, const rv_initializer *initializer, uint32_t seed)
{
    for (int node = 0; node < rv_graph_node_count(graph); node++) {
        for (int i = 0; i < RV_MAX_PARAMS; i++) {
            RV_TRY(initialize(rv_graph_param(graph, node, i), initializer, seed,
                              (uint32_t)(node * RV_MAX_PARAMS + i)));
        }
        for (int i = 0; i < RV_MAX_STATE; i++) {
            RV_TRY(initialize(rv_graph_state(graph, node, i), initializer, seed, 0));
        }
    }
    return RV_OK;
}

rv_status rv_graph_initialize(rv_graph *graph, uint32_t seed)
{
    const rv_initializer he = RV_INITIALIZER_HE;
    return rv_graph_initialize_by(graph, &he, seed);
}
