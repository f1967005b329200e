/* Launches the steps of an optimiser over all weights; a table says which part of the arena is moved how. */
/* SPDX-License-Identifier: MIT */
#include "optim/update.h"
#include "base/error.h"
#include "base/memory.h"
#include "ops/reduce.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* What the methods differ in. */
typedef struct method {
    const char *name;
    int n_moments;
    float momentum, decay, epsilon; /* as in the paper */
    bool decoupled;
    bool corrected; /* moments are freed of the bias of their start */
} method;

static const method methods[RV_METHODS] = {
    [RV_METHOD_SGD] = {.name = "sgd"},
    [RV_METHOD_MOMENTUM] = {.name = "momentum", .n_moments = 1, .momentum = 0.9f},
    [RV_METHOD_NESTEROV] = {.name = "nesterov", .n_moments = 1, .momentum = 0.9f},
    [RV_METHOD_ADAGRAD] = {.name = "adagrad", .n_moments = 1, .epsilon = 1e-8f},
    [RV_METHOD_RMSPROP] = {.name = "rmsprop", .n_moments = 1, .decay = 0.9f, .epsilon = 1e-8f},
    [RV_METHOD_ADAM] = {"adam", 2, 0.9f, 0.999f, 1e-8f, false, true},
    [RV_METHOD_ADAMW] = {"adamw", 2, 0.9f, 0.999f, 1e-8f, true, true},
};

struct rv_update {
    rv_device *device;
    rv_params *params;
    rv_update_options options;
    int64_t steps;
    int32_t vectors, per_chunk; /* of B floats: in all, and for each row of the table */
    rv_kernel *step, *norm, *swap;
    rv_buffer *moments[2], *average;
    rv_buffer *table;   /* float4 a chunk: factors of rate, L1, L2 */
    rv_float4 *factors; /* the same on the host */
    size_t n_chunks;
    rv_reduction sum; /* of squares, for the norm */
    rv_buffer *parts;
    rv_tensor squares; /* [1] */
};

rv_update_options rv_update_defaults(rv_method m)
{
    return (rv_update_options){.method = m,
                               .momentum = methods[m].momentum,
                               .decay = methods[m].decay,
                               .epsilon = methods[m].epsilon};
}

const char *rv_method_name(int m)
{
    return m >= 0 && m < RV_METHODS ? methods[m].name : NULL;
}

/* --- create ---------------------------------------------------------------------------------- */

static rv_status check_range(const char *name, double value, double low, double high, bool open)
{
    const bool inside = value >= low && (open ? value < high : value <= high);
    return inside ? RV_OK
                  : rv_fail(RV_ERR_USAGE, "%s is %g, must be from %g to %s%g", name, value, low,
                            open ? "below " : "", high);
}

static rv_status check(const rv_update_options *o)
{
    const double huge = 1e12;
    if ((int)o->method < 0 || o->method >= RV_METHODS) {
        return rv_fail(RV_ERR_USAGE, "there is no optimiser number %d", (int)o->method);
    }
    RV_TRY(check_range("momentum", (double)o->momentum, 0, 1, true));
    RV_TRY(check_range("the decay of squares", (double)o->decay, 0, 1, true));
    RV_TRY(check_range("epsilon", (double)o->epsilon, 0, 1, false));
    RV_TRY(check_range("the L1 penalty", (double)o->l1, 0, huge, false));
    RV_TRY(check_range("the L2 penalty", (double)o->l2, 0, huge, false));
    RV_TRY(check_range("clipping by value", (double)o->clip_value, 0, huge, false));
    RV_TRY(check_range("clipping by norm", (double)o->clip_norm, 0, huge, false));
    return check_range("the decay of the average", (double)o->average, 0, 1, true);
}

static rv_status create_zero(rv_buffer **out, rv_device *device, size_t bytes)
{
    RV_TRY(rv_buffer_create(out, device, bytes));
    return rv_buffer_fill(device, *out, 0, bytes, 0.0f);
}

static rv_status create_arrays(rv_update *u)
{
    const size_t bytes = rv_params_floats(u->params) * sizeof(float);
    for (int i = 0; i < methods[u->options.method].n_moments; i++) {
        RV_TRY(create_zero(&u->moments[i], u->device, bytes));
    }
    if (u->options.average > 0) {
        RV_TRY(create_zero(&u->average, u->device, bytes));
    }
    RV_TRY(rv_reduction_prepare(&u->sum, u->device, u->vectors));
    RV_TRY(rv_buffer_create(&u->parts, u->device, rv_reduction_bytes(&u->sum)));

    return rv_tensor_create(&u->squares, u->device, rv_shape_1(1), RV_PLAIN);
}

static rv_status get_kernels(rv_update *u)
{
    /* AdamW moves as Adam does. */
    const rv_method m = u->options.method == RV_METHOD_ADAMW ? RV_METHOD_ADAM : u->options.method;
    char d[24];
    snprintf(d, sizeof d, "-DMETHOD=%d", (int)m);
    RV_TRY(rv_kernel_get(&u->step, u->device, "update", "update_step", d));
    RV_TRY(rv_kernel_get(&u->norm, u->device, "update", "update_norm", d));
    return rv_kernel_get(&u->swap, u->device, "update", "update_swap", d);
}

/* The rows of a segment: it has its chunks for itself. */
static void fill_rows(rv_update *u, const rv_segment *s, float rate, float l1, float l2)
{
    const size_t chunk = (size_t)u->per_chunk * (size_t)rv_device_block(u->device);
    const size_t first = s->offset / chunk, end = (s->offset + s->count - 1) / chunk + 1;
    for (size_t i = first; i < end; i++) {
        u->factors[i] = (rv_float4){{rate, l1, l2, 0.0f}};
    }
}

static rv_status write_table(rv_update *u)
{
    return rv_buffer_write(u->device, u->table, 0, u->factors, u->n_chunks * sizeof *u->factors);
}

static rv_status fill_table(rv_update *u)
{
    size_t n;
    const rv_segment *segments = rv_params_segments(u->params, &n);
    RV_TRY(rv_alloc(&u->factors, u->n_chunks, sizeof *u->factors, "optimiser"));
    RV_TRY(rv_buffer_create(&u->table, u->device, u->n_chunks * sizeof *u->factors));
    for (size_t i = 0; i < n; i++) {
        const rv_segment *s = &segments[i];
        const rv_tensor *t = s->state ? NULL : rv_params_tensor(u->params, s->node, s->index);
        const bool penalized = t != NULL && (u->options.penalize_all || t->shape.rank > 1);
        const float factor = penalized ? 1.0f : 0.0f;
        fill_rows(u, s, s->state ? 0.0f : 1.0f, factor, factor);
    }
    return write_table(u);
}

static rv_status create(rv_update *u)
{
    const size_t floats = rv_params_floats(u->params);
    const size_t chunk = rv_device_alignment(u->device) / sizeof(float);
    const size_t block = (size_t)rv_device_block(u->device);
    if (floats == 0 || rv_params_gradients(u->params) == NULL) {
        return rv_fail(RV_ERR_INTERNAL, "there are no weights with gradients to move");
    }
    if (floats > INT32_MAX) {
        return rv_fail(RV_ERR_UNSUPPORTED, "%zu weights are more than can be optimised", floats);
    }
    u->vectors = (int32_t)(floats / block);
    u->per_chunk = (int32_t)(chunk / block);
    u->n_chunks = floats / chunk;
    RV_TRY(get_kernels(u));
    RV_TRY(create_arrays(u));
    return fill_table(u);
}

rv_status rv_update_create(rv_update **out, rv_device *device, rv_params *params,
                           const rv_update_options *options)
{
    rv_update *u;
    *out = NULL;
    RV_TRY(check(options));
    RV_TRY(rv_alloc(&u, 1, sizeof *u, "optimiser"));
    u->device = device;
    u->params = params;
    u->options = *options;
    const rv_status status = create(u);
    if (status != RV_OK) {
        rv_update_destroy(u);
        return status;
    }
    *out = u;
    return RV_OK;
}

void rv_update_destroy(rv_update *u)
{
    if (u == NULL) {
        return;
    }
    rv_buffer_destroy(u->moments[0]);
    rv_buffer_destroy(u->moments[1]);
    rv_buffer_destroy(u->average);
    rv_buffer_destroy(u->table);
    rv_buffer_destroy(u->parts);
    rv_tensor_release(&u->squares);
    free(u->factors);
    free(u);
}

/* --- use ------------------------------------------------------------------------------------- */

rv_status rv_update_set_rate(rv_update *u, size_t segment, float factor)
{
    size_t n;
    const rv_segment *segments = rv_params_segments(u->params, &n);
    RV_TRY(check_range("the factor of a learning rate", (double)factor, 0, 1e6, false));
    if (segment < n && !segments[segment].state) {
        const size_t chunk = (size_t)u->per_chunk * (size_t)rv_device_block(u->device);
        const rv_float4 now = u->factors[segments[segment].offset / chunk];
        fill_rows(u, &segments[segment], factor, now.s[1], now.s[2]);
    }
    return write_table(u);
}

void rv_update_set_momentum(rv_update *u, float momentum)
{
    u->options.momentum = momentum;
}

static rv_status take_norm(rv_update *u, float scale)
{
    RV_TRY(rv_launch(u->device, u->norm, rv_reduction_grid(&u->sum, u->device),
                     RV_ARGS(RV_ARG(u->parts), RV_ARG(rv_params_gradients(u->params)),
                             RV_ARG(u->table), RV_ARG(u->vectors), RV_ARG(u->sum.share),
                             RV_ARG(u->per_chunk), RV_ARG(scale))));
    return rv_reduction_finish(&u->sum, u->device, &u->squares, u->parts, 1.0f);
}

rv_status rv_update_norm(rv_update *u, float scale, double *out)
{
    float squares;
    RV_TRY(take_norm(u, scale));
    RV_TRY(rv_buffer_read(u->device, u->squares.buffer, 0, &squares, sizeof squares));
    *out = sqrt((double)squares);
    return RV_OK;
}

/* 1 / (1 - decay^t), which frees an average that started at zero of that bias. */
static float correction(float decay, int64_t t)
{
    return (float)(1.0 / (1.0 - pow((double)decay, (double)t)));
}

rv_status rv_update_step(rv_update *u, float rate, float scale)
{
    const rv_update_options *o = &u->options;
    const method *m = &methods[o->method];
    u->steps++;
    if (o->clip_norm > 0) {
        RV_TRY(take_norm(u, scale));
    }
    rv_buffer *squares = o->clip_norm > 0 ? u->squares.buffer : NULL;
    const rv_float4 step = {{rate, scale, o->clip_value, o->clip_norm}};
    rv_float4 own = {{o->momentum, 0, 0, 0}};
    if (o->method == RV_METHOD_RMSPROP) {
        own.s[0] = o->decay;
    } else if (m->corrected) {
        own = (rv_float4){{o->momentum, o->decay, correction(o->momentum, u->steps),
                           correction(o->decay, u->steps)}};
    }
    const rv_float4 decay = {{o->l1, m->decoupled ? 0.0f : o->l2,
                              m->decoupled ? -rate * o->l2 : 0.0f,
                              (1.0f - o->average) * correction(o->average, u->steps)}};
    RV_TRY(rv_launch(u->device, u->step, rv_grid_items(u->device, (size_t)u->vectors),
                     RV_ARGS(RV_ARG(rv_params_values(u->params)), RV_ARG(u->moments[0]),
                             RV_ARG(u->moments[1]), RV_ARG(u->average),
                             RV_ARG(rv_params_gradients(u->params)), RV_ARG(u->table),
                             RV_ARG(squares), RV_ARG(u->vectors), RV_ARG(u->per_chunk),
                             RV_ARG(step), RV_ARG(own), RV_ARG(decay), RV_ARG(o->epsilon))));
    rv_params_changed(u->params);
    return RV_OK;
}

rv_status rv_update_swap_average(rv_update *u)
{
    if (u->average == NULL || u->steps == 0) {
        return rv_fail(RV_ERR_INTERNAL, "there is no average of the weights");
    }
    rv_params_changed(u->params);
    return rv_launch(
        u->device, u->swap, rv_grid_items(u->device, (size_t)u->vectors),
        RV_ARGS(RV_ARG(rv_params_values(u->params)), RV_ARG(u->average), RV_ARG(u->vectors)));
}

rv_update_state rv_update_get_state(rv_update *u)
{
    static const char *const names[2] = {"first", "second"};
    rv_update_state state = {.steps = u->steps};
    for (int i = 0; i < 2; i++) {
        if (u->moments[i] != NULL) {
            state.name[state.n] = names[i];
            state.array[state.n++] = u->moments[i];
        }
    }
    if (u->average != NULL) {
        state.name[state.n] = "average";
        state.array[state.n++] = u->average;
    }
    return state;
}

void rv_update_set_steps(rv_update *u, int64_t steps)
{
    u->steps = steps;
}
