/* The host side of the harness: a case's shapes and numbers, and what its twin makes of them. */
/* SPDX-License-Identifier: MIT */
#include "support/op_rig.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/philox.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Half the width of the central differences: below half the distance of the values of
 * RV_DATA_DISTINCT, so that no maximum changes its place, and far above rounding in double. */
#define STEP 1e-6

/* Streams of random numbers. */
enum { STREAM_INPUT = 100, STREAM_PARAM = 200, STREAM_STATE = 300, STREAM_D_OUT = 400 };

static float uniform(uint32_t stream, size_t i)
{
    return rv_philox_uniform(RV_RIG_SEED, stream, (uint32_t)i);
}

/* In [-1, 1], at least 0.02 away from 0. */
static float away_from_zero(uint32_t stream, size_t i)
{
    const float u = 2.0f * uniform(stream, i) - 1.0f;
    return u < 0 ? -0.02f + 0.98f * u : 0.02f + 0.98f * u;
}

static void fill_distinct(float *x, size_t n, uint32_t stream)
{
    for (size_t i = 0; i < n; i++) {
        x[i] = n > 1 ? (float)(2.0 * (double)i / (double)(n - 1) - 1.0) : 0.5f;
    }
    for (size_t i = n; i > 1; i--) {
        const size_t k = (size_t)((double)uniform(stream, i) * (double)i);
        const float t = x[i - 1];
        x[i - 1] = x[k];
        x[k] = t;
    }
}

static void fill_dominant(float *x, const rv_shape *shape, uint32_t stream)
{
    const size_t c = (size_t)shape->dim[2], n = rv_shape_count(shape);
    for (size_t i = 0; i < n; i++) {
        const bool on = i / c % c == i % c;
        x[i] = on ? ((float)c + 1) * (1 + uniform(stream, i)) : away_from_zero(stream, i);
    }
}

static void fill(float *x, size_t n, rv_data data, int classes, uint32_t stream)
{
    if (data == RV_DATA_DISTINCT) {
        fill_distinct(x, n, stream);
    }
    for (size_t i = 0; i < n && data != RV_DATA_DISTINCT; i++) {
        x[i] = data == RV_DATA_SIGNED     ? away_from_zero(stream, i)
               : data == RV_DATA_POSITIVE ? 0.1f + 0.9f * uniform(stream, i)
                                          : floorf(uniform(stream, i) * (float)classes);
    }
}

static rv_status draw(float **out, const rv_shape *shape, rv_data data, int classes,
                      uint32_t stream)
{
    const size_t n = rv_shape_count(shape);
    RV_TRY(rv_alloc(out, n, sizeof(float), "test values"));
    if (data == RV_DATA_DOMINANT) {
        fill_dominant(*out, shape, stream);
    } else {
        fill(*out, n, data, classes, stream);
    }
    return RV_OK;
}

bool rv_problem_has_param(const rv_problem *p, int i)
{
    return i < p->op->n_params && p->param[i].shape.rank > 0;
}

static bool has_state(const rv_problem *p, int i)
{
    return i < p->op->n_state && p->state[i].shape.rank > 0;
}

static rv_status infer(rv_problem *p)
{
    rv_node *n = &p->node;
    const rv_op_case *c = p->c;
    if (c->n_in < p->op->min_in || c->n_in > p->op->max_in || c->n_in > RV_RIG_TENSORS ||
        p->op->n_out > RV_RIG_TENSORS) {
        return rv_fail(RV_ERR_USAGE, "the case has %d inputs, the operation takes %d to %d",
                       c->n_in, p->op->min_in, p->op->max_in);
    }
    n->op = p->op;
    n->name = c->name;
    n->mode = c->mode;
    n->n_in = c->n_in;
    n->n_out = p->op->n_out;
    n->in = p->in_list;
    n->out = p->out_list;
    for (int i = 0; i < RV_RIG_TENSORS; i++) {
        p->in_list[i] = &p->in[i];
        p->out_list[i] = &p->out[i];
        p->in[i].block = p->out[i].block = 1;
        p->in[i].shape = i < c->n_in ? c->in[i] : (rv_shape){0};
    }
    for (int i = 0; i < p->op->n_params; i++) {
        n->param[i] = &p->param[i];
        p->param[i].block = 1;
    }
    for (int i = 0; i < p->op->n_state; i++) {
        n->state[i] = &p->state[i];
        p->state[i].block = 1;
    }
    for (int i = 0; i < p->op->n_saved; i++) {
        n->saved[i] = &p->saved[i];
    }
    RV_TRY(rv_alloc(&p->attrs, 1, p->op->attr_size > 0 ? p->op->attr_size : 1, c->name));
    n->attrs = p->attrs;
    RV_TRY(rv_attrs_set(p->attrs, p->op->attrs, c->attrs, (size_t)c->n_attrs, c->name));
    RV_TRY(p->op->infer(n));
    for (int i = 0; i < n->n_out; i++) {
        if (p->out[i].shape.rank < 1) {
            return rv_fail(RV_ERR_USAGE, "output %d has no shape", i);
        }
        RV_TRY(rv_shape_check(&p->out[i].shape, c->name));
    }
    return RV_OK;
}

static rv_status draw_all(rv_problem *p)
{
    const rv_op_case *c = p->c;
    for (int i = 0; i < c->n_in; i++) {
        RV_TRY(draw(&p->in_data[i], &p->in[i].shape, c->data[i], c->classes,
                    STREAM_INPUT + (uint32_t)i));
    }
    for (size_t k = 0; k < rv_shape_count(&p->in[0].shape); k++) {
        p->in_data[0][k] += c->shift;
    }
    for (int i = 0; i < p->node.n_out; i++) {
        RV_TRY(draw(&p->d_out_data[i], &p->out[i].shape, RV_DATA_SIGNED, 0,
                    STREAM_D_OUT + (uint32_t)i));
    }
    for (int i = 0; i < p->op->n_params; i++) {
        if (!rv_problem_has_param(p, i)) {
            continue;
        }
        RV_TRY(draw(&p->param_data[i], &p->param[i].shape, RV_DATA_SIGNED, 0,
                    STREAM_PARAM + (uint32_t)i));
        /* Sums over many weights stay of the size of 1, as in a network. */
        const bool he = p->op->param_init[i] == RV_INIT_HE && p->node.fan_in > 0;
        const float scale = he ? sqrtf(3.0f / (float)p->node.fan_in) : 1.0f;
        for (size_t k = 0; k < rv_shape_count(&p->param[i].shape); k++) {
            p->param_data[i][k] *= scale;
        }
    }
    for (int i = 0; i < p->op->n_state; i++) {
        if (has_state(p, i)) {
            RV_TRY(draw(&p->state_data[i], &p->state[i].shape, RV_DATA_POSITIVE, 0,
                        STREAM_STATE + (uint32_t)i));
        }
    }
    return RV_OK;
}

static rv_status as_double(double **out, const float *x, size_t n)
{
    RV_TRY(rv_alloc(out, n, sizeof(double), "test values"));
    for (size_t i = 0; i < n; i++) {
        (*out)[i] = (double)x[i];
    }
    return RV_OK;
}

/* Doubles for one run of the twin; owned. */
typedef struct twin_run {
    double *in[RV_RIG_TENSORS], *param[RV_MAX_PARAMS], *state[RV_MAX_STATE], *out[RV_RIG_TENSORS];
} twin_run;

static void release_run(twin_run *r)
{
    for (int i = 0; i < RV_RIG_TENSORS; i++) {
        free(r->in[i]);
        free(r->out[i]);
    }
    for (int i = 0; i < RV_MAX_PARAMS; i++) {
        free(r->param[i]);
    }
    for (int i = 0; i < RV_MAX_STATE; i++) {
        free(r->state[i]);
    }
    *r = (twin_run){0};
}

static rv_status fill_run(twin_run *r, const rv_problem *p)
{
    for (int i = 0; i < p->c->n_in; i++) {
        RV_TRY(as_double(&r->in[i], p->in_data[i], rv_shape_count(&p->in[i].shape)));
    }
    for (int i = 0; i < p->op->n_params; i++) {
        if (rv_problem_has_param(p, i)) {
            RV_TRY(as_double(&r->param[i], p->param_data[i], rv_shape_count(&p->param[i].shape)));
        }
    }
    for (int i = 0; i < p->op->n_state; i++) {
        if (has_state(p, i)) {
            RV_TRY(as_double(&r->state[i], p->state_data[i], rv_shape_count(&p->state[i].shape)));
        }
    }
    for (int i = 0; i < p->node.n_out; i++) {
        RV_TRY(
            rv_alloc(&r->out[i], rv_shape_count(&p->out[i].shape), sizeof(double), "test values"));
    }
    return RV_OK;
}

static void run_twin(const rv_problem *p, twin_run *r)
{
    rv_reference reference = {
        .node = &p->node, .seed = RV_RIG_SEED, .step = RV_RIG_STEP, .stream = RV_RIG_STREAM};
    memcpy(reference.in, r->in, sizeof r->in);
    memcpy(reference.param, r->param, sizeof r->param);
    memcpy(reference.state, r->state, sizeof r->state);
    memcpy(reference.out, r->out, sizeof r->out);
    p->twin(&reference);
}

static rv_status expect_forward(rv_problem *p)
{
    twin_run r = {0};
    const rv_status status = fill_run(&r, p);
    if (status == RV_OK) {
        run_twin(p, &r);
        memcpy(p->out_twin, r.out, sizeof r.out);
        memcpy(p->state_twin, r.state, sizeof r.state);
        memset(r.out, 0, sizeof r.out);
        memset(r.state, 0, sizeof r.state);
    }
    release_run(&r);
    return status;
}

/* Inputs have the low bits of `wanted`, parameters the high ones. */
static uint32_t offered(const rv_problem *p)
{
    uint32_t bits = 0;
    for (int i = 0; i < p->c->n_in; i++) {
        bits |= RV_WANT_INPUT(i);
    }
    for (int i = 0; i < p->op->n_params; i++) {
        bits |= rv_problem_has_param(p, i) ? RV_WANT_PARAM(i) : 0;
    }
    return p->op->backward != NULL ? bits & ~p->op->no_gradient : 0;
}

rv_status rv_problem_create(rv_problem *out, const rv_op *op, rv_twin *twin, const rv_op_case *c)
{
    *out = (rv_problem){.op = op, .twin = twin, .c = c};
    RV_TRY(infer(out));
    out->offered = offered(out);
    RV_TRY(draw_all(out));
    return expect_forward(out);
}

void rv_problem_release(rv_problem *p)
{
    for (int i = 0; i < RV_RIG_TENSORS; i++) {
        free(p->in_data[i]);
        free(p->d_out_data[i]);
        free(p->out_twin[i]);
    }
    for (int i = 0; i < RV_MAX_PARAMS; i++) {
        free(p->param_data[i]);
    }
    for (int i = 0; i < RV_MAX_STATE; i++) {
        free(p->state_data[i]);
        free(p->state_twin[i]);
    }
    free(p->attrs);
    *p = (rv_problem){0};
}

/* Every other direction touches an eighth of the values only, where a small error stands out. The
 * bits are those of splitmix64, which takes less time than Philox: directions are made often. */
double rv_problem_direction(int bit, int k, size_t i)
{
    uint64_t z = (uint64_t)(bit * RV_RIG_DIRECTIONS + k + 1) << 40 | (uint64_t)i;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    z ^= z >> 31;
    if (k % 2 == 1 && (z & 7) != 0) {
        return 0;
    }
    return (z & 8) != 0 ? 1 : -1;
}

const rv_shape *rv_problem_shape(const rv_problem *p, int bit)
{
    return bit < RV_MAX_INPUTS ? &p->in[bit].shape : &p->param[bit - RV_MAX_INPUTS].shape;
}

/* The twin at x + sign * STEP * direction k. */
static rv_status evaluate(const rv_problem *p, twin_run *r, int bit, int k, double sign)
{
    RV_TRY(fill_run(r, p));
    double *x = bit < RV_MAX_INPUTS ? r->in[bit] : r->param[bit - RV_MAX_INPUTS];
    const size_t n = rv_shape_count(rv_problem_shape(p, bit));
    for (size_t i = 0; i < n; i++) {
        x[i] += sign * STEP * rv_problem_direction(bit, k, i);
    }
    run_twin(p, r);
    return RV_OK;
}

const float rv_rig_slopes[RV_RIG_SLOPES] = {1, 0, 0.1f};

static double rectified(double y, double slope)
{
    return y < 0 ? slope * y : y;
}

/* For each of rv_rig_slopes. */
static rv_status slope(rv_problem *p, int bit, int k)
{
    twin_run plus = {0}, minus = {0};
    rv_status status = evaluate(p, &plus, bit, k, 1);
    if (status == RV_OK) {
        status = evaluate(p, &minus, bit, k, -1);
    }
    for (int s = 0; s < RV_RIG_SLOPES && status == RV_OK; s++) {
        const double factor = (double)rv_rig_slopes[s];
        double sum = 0;
        for (int o = 0; o < p->node.n_out; o++) {
            for (size_t i = 0; i < rv_shape_count(&p->out[o].shape); i++) {
                const double a = rectified(plus.out[o][i], factor);
                const double b = rectified(minus.out[o][i], factor);
                sum += (a - b) * (double)p->d_out_data[o][i];
            }
        }
        p->slope[s][bit][k] = sum / (2 * STEP);
    }
    release_run(&plus);
    release_run(&minus);
    return status;
}

rv_status rv_problem_slopes(rv_problem *p)
{
    double square = 0;
    for (int o = 0; o < p->node.n_out; o++) {
        for (size_t i = 0; i < rv_shape_count(&p->out[o].shape); i++) {
            const double product = p->out_twin[o][i] * (double)p->d_out_data[o][i];
            square += product * product;
        }
    }
    p->slope_noise = 1e-8 * sqrt(square);
    for (int bit = 0; bit < 32; bit++) {
        for (int k = 0; k < RV_RIG_DIRECTIONS && ((p->offered >> bit) & 1) != 0; k++) {
            RV_TRY(slope(p, bit, k));
        }
    }
    return RV_OK;
}
