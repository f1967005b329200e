/* Sets up one operation on a device, times its passes and compares samples of what they give. */
/* SPDX-License-Identifier: MIT */
#include "stages/bench_node.h"
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "base/philox.h"
#include "base/system.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SEED = 1, STREAM_SAMPLES = 100, SAMPLES = 48, MAX_RUNS = 15 };

/* Runs go on till they have taken so long in all. */
#define MIN_SECONDS 0.3

double rv_bench_value(uint32_t data, size_t index)
{
    return 2.0 * (double)rv_philox_uniform(SEED, data, (uint32_t)index) - 1.0;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double rv_bench_median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, ascending);
    return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* --- set-up ---------------------------------------------------------------------------------- */

static rv_status fill(rv_device *device, rv_tensor *tensor, uint32_t data)
{
    const size_t n = rv_shape_count(&tensor->shape);
    float *values;
    RV_TRY(rv_alloc(&values, n, sizeof *values, "measurement"));
    for (size_t i = 0; i < n; i += 4) { /* four values a draw */
        const rv_philox_words words = rv_philox_block(SEED, data, (uint32_t)i);
        for (size_t k = 0; k < 4 && i + k < n; k++) {
            values[i + k] = 2.0f * ((float)(words.w[k] >> 8) * 0x1p-24f) - 1.0f;
        }
    }
    const rv_status status = rv_tensor_write(device, tensor, values);
    free(values);
    return status;
}

static rv_status make(rv_bench_node *b, rv_tensor *tensor, rv_shape shape, rv_layout layout)
{
    return rv_tensor_create(tensor, b->device, shape, layout);
}

static rv_status make_params(rv_bench_node *b)
{
    const rv_node *n = &b->node;
    for (int i = 0; i < n->op->n_params; i++) {
        if (b->param[i].shape.rank > 0) {
            const rv_shape shape = b->param[i].shape;
            RV_TRY(make(b, &b->param[i], shape, RV_PLAIN));
            RV_TRY(make(b, &b->d_param[i], shape, RV_PLAIN));
            RV_TRY(fill(b->device, &b->param[i], RV_BENCH_PARAM + (uint32_t)i));
        }
    }
    return RV_OK;
}

static void want_all(rv_bench_node *b)
{
    b->node.wanted = RV_WANT_INPUT(0);
    for (int i = 0; i < b->node.op->n_params; i++) {
        b->node.wanted |= b->param[i].shape.rank > 0 ? RV_WANT_PARAM(i) : 0;
    }
}

static rv_status make_tensors(rv_bench_node *b, rv_layout in, rv_layout out)
{
    const rv_shape in_shape = b->in.shape, out_shape = b->out.shape;
    RV_TRY(make(b, &b->in, in_shape, in));
    RV_TRY(make(b, &b->d_in, in_shape, in));
    RV_TRY(make(b, &b->out, out_shape, out));
    RV_TRY(make(b, &b->d_out, out_shape, out));
    RV_TRY(fill(b->device, &b->in, RV_BENCH_INPUT));
    RV_TRY(fill(b->device, &b->d_out, RV_BENCH_D_OUT));
    return make_params(b);
}

static rv_status make_packed(rv_bench_node *b, rv_buffer **out, size_t bytes, bool backward)
{
    if (bytes == 0) {
        return RV_OK;
    }
    const rv_exec e = {.device = b->device};
    RV_TRY(rv_buffer_create(out, b->device, bytes));
    b->node.packed = *out;
    return b->node.op->pack(&b->node, &e, backward);
}

static rv_status make_workspace(rv_bench_node *b)
{
    const rv_node *n = &b->node;
    if (n->forward_workspace > 0) {
        RV_TRY(rv_buffer_create(&b->forward_workspace, b->device, n->forward_workspace));
    }
    if (n->backward_workspace > 0) {
        RV_TRY(rv_buffer_create(&b->backward_workspace, b->device, n->backward_workspace));
    }
    RV_TRY(make_packed(b, &b->forward_packed, n->packed_bytes, false));
    return make_packed(b, &b->backward_packed, n->packed_back_bytes, true);
}

static rv_status set_up(rv_bench_node *b, const char *op, const rv_attr_value *attrs,
                        size_t n_attrs)
{
    rv_node *n = &b->node;
    RV_TRY(rv_op_find(&n->op, op, n->name));
    RV_TRY(rv_alloc(&b->attrs, 1, n->op->attr_size + 1, "attributes"));
    RV_TRY(rv_attrs_set(b->attrs, n->op->attrs, attrs, n_attrs, n->name));
    n->attrs = b->attrs;
    RV_TRY(n->op->infer(n));
    rv_layout in = RV_PLAIN, out = RV_PLAIN;
    n->op->layouts(n, &in, &out);
    RV_TRY(make_tensors(b, in, out));
    want_all(b);
    RV_TRY(rv_node_tuned(n, b->device));
    RV_TRY(n->op->prepare(n, b->device));
    return make_workspace(b);
}

static rv_status allocate(rv_bench_node **out, rv_device *device, const char *name, rv_shape in)
{
    rv_bench_node *b;
    *out = NULL;
    RV_TRY(rv_alloc(&b, 1, sizeof *b, "measurement"));
    b->device = device;
    b->in.shape = in;
    b->ins[0] = &b->in;
    b->outs[0] = &b->out;
    b->d_ins[0] = &b->d_in;
    b->d_outs[0] = &b->d_out;
    b->node = (rv_node){.name = name,
                        .slope = 1,
                        .n_in = 1,
                        .n_out = 1,
                        .in = b->ins,
                        .out = b->outs,
                        .d_in = b->d_ins,
                        .d_out = b->d_outs};
    for (int i = 0; i < RV_MAX_PARAMS; i++) {
        b->node.param[i] = &b->param[i];
        b->node.d_param[i] = &b->d_param[i];
    }
    *out = b;
    return RV_OK;
}

rv_status rv_bench_node_create(rv_bench_node **out, rv_device *device, const char *op,
                               const char *name, rv_shape in, const rv_attr_value *attrs,
                               size_t n_attrs)
{
    rv_bench_node *b;
    *out = NULL;
    RV_TRY(allocate(&b, device, name, in));
    const rv_status status = set_up(b, op, attrs, n_attrs);
    if (status != RV_OK) {
        rv_bench_node_destroy(b);
        return status;
    }
    *out = b;
    return RV_OK;
}

static rv_status set_up_like(rv_bench_node *b, const rv_node *other)
{
    rv_node *n = &b->node;
    n->op = other->op;
    n->attrs = other->attrs;
    n->mode = other->mode;
    n->wanted = other->wanted;
    n->slope = other->slope;
    RV_TRY(n->op->infer(n));
    RV_TRY(make_tensors(b, other->in[0]->layout, other->out[0]->layout));
    RV_TRY(n->op->prepare(n, b->device));
    return make_workspace(b);
}

rv_status rv_bench_node_like(rv_bench_node **out, rv_device *device, const rv_node *other)
{
    rv_bench_node *b;
    *out = NULL;
    if (other->n_in != 1 || other->n_out != 1 || other->op->n_state > 0 || other->op->n_saved > 0) {
        return rv_fail(RV_ERR_UNSUPPORTED, "'%s' has more than one input and one output",
                       other->name);
    }
    RV_TRY(allocate(&b, device, other->name, other->in[0]->shape));
    const rv_status status = set_up_like(b, other);
    if (status != RV_OK) {
        rv_bench_node_destroy(b);
        return status;
    }
    *out = b;
    return RV_OK;
}

static void release_prepared(rv_bench_node *b)
{
    rv_buffer_destroy(b->forward_workspace);
    rv_buffer_destroy(b->backward_workspace);
    rv_buffer_destroy(b->forward_packed);
    rv_buffer_destroy(b->backward_packed);
    free(b->node.priv);
    b->forward_workspace = b->backward_workspace = NULL;
    b->forward_packed = b->backward_packed = NULL;
    b->node.priv = NULL;
}

rv_status rv_bench_node_choose(rv_bench_node *b, rv_pass pass, const char *algorithm)
{
    rv_node *n = &b->node;
    RV_TRY(rv_device_finish(b->device));
    release_prepared(b);
    n->forward_workspace = n->backward_workspace = 0;
    n->packed_bytes = n->packed_back_bytes = 0;
    n->algorithm[pass] = algorithm;
    RV_TRY(n->op->prepare(n, b->device));
    return make_workspace(b);
}

void rv_bench_node_destroy(rv_bench_node *b)
{
    if (b == NULL) {
        return;
    }
    rv_tensor_release(&b->in);
    rv_tensor_release(&b->out);
    rv_tensor_release(&b->d_in);
    rv_tensor_release(&b->d_out);
    for (int i = 0; i < RV_MAX_PARAMS; i++) {
        rv_tensor_release(&b->param[i]);
        rv_tensor_release(&b->d_param[i]);
    }
    release_prepared(b);
    free(b->attrs);
    free(b);
}

/* --- time ------------------------------------------------------------------------------------ */

static rv_status run(rv_bench_node *b, rv_pass pass, double *seconds)
{
    const rv_exec e = {.device = b->device};
    rv_node *n = &b->node;
    const uint32_t data = n->wanted & RV_WANT_INPUT(0), params = n->wanted & ~RV_WANT_INPUT(0);
    const double start = rv_clock();
    if (pass == RV_PASS_FORWARD) {
        n->workspace = b->forward_workspace;
        n->packed = b->forward_packed;
        RV_TRY(n->op->forward(n, &e));
    } else {
        n->workspace = b->backward_workspace;
        n->packed = b->backward_packed;
        RV_TRY(n->op->backward(n, &e, pass == RV_PASS_BACKWARD_DATA ? data : params));
    }
    RV_TRY(rv_device_finish(b->device));
    *seconds = rv_clock() - start;
    return RV_OK;
}

rv_status rv_bench_node_run(rv_bench_node *b, rv_pass pass)
{
    double seconds;
    return run(b, pass, &seconds);
}

/* The first run, which compiles. What it ran by: the algorithm where there are several, else the kernel that takes
 * most of the time on the device. */
static rv_status find_algorithm(rv_bench_node *b, rv_bench_row *row, rv_pass pass)
{
    rv_profile_row *rows = NULL;
    size_t n = 0;
    double seconds;
    RV_TRY(rv_profile_start(b->device));
    rv_status status = run(b, pass, &seconds);
    rv_error error;
    rv_error_save(&error, status);
    status = rv_profile_stop(b->device, &rows, &n);
    if (error.status != RV_OK) {
        status = rv_error_restore(&error);
    }
    if (status == RV_OK) {
        const char *chosen = b->node.algorithm[pass];
        snprintf(row->algorithm, sizeof row->algorithm, "%.*s", (int)sizeof row->algorithm - 1,
                 chosen != NULL ? chosen
                 : n > 0        ? rows[0].name
                                : "none");
    }
    free(rows);
    return status;
}

static rv_status find_time(rv_bench_node *b, rv_bench_row *row, rv_pass pass,
                           const rv_events *events)
{
    double seconds[MAX_RUNS] = {0}, total = 0;
    size_t n = 0;
    while (n < MAX_RUNS && total < MIN_SECONDS) {
        RV_TRY(rv_check_cancelled(events));
        RV_TRY(run(b, pass, &seconds[n]));
        total += seconds[n++];
    }
    row->ms = 1e3 * rv_bench_median(seconds, n);
    return RV_OK;
}

/* --- error ----------------------------------------------------------------------------------- */

const rv_tensor *rv_bench_node_result(const rv_bench_node *b, rv_pass pass)
{
    return pass == RV_PASS_FORWARD         ? &b->out
           : pass == RV_PASS_BACKWARD_DATA ? &b->d_in
                                           : &b->d_param[0];
}

static rv_status find_error(rv_bench_node *b, rv_bench_row *row, rv_pass pass,
                            rv_bench_expect *expect)
{
    const rv_tensor *result = rv_bench_node_result(b, pass);
    const size_t n = rv_shape_count(&result->shape);
    double largest = 0, error = 0;
    float *values;
    RV_TRY(rv_alloc(&values, n, sizeof *values, "measurement"));
    const rv_status status = rv_tensor_read(b->device, result, values);
    for (size_t i = 0; i < n && status == RV_OK; i++) {
        largest = fmax(largest, fabs((double)values[i]));
    }
    for (uint32_t i = 0; i < SAMPLES && n > 0 && status == RV_OK; i++) {
        const size_t index = rv_philox_block(SEED, STREAM_SAMPLES, 4 * i).w[0] % n;
        const double deviation = fabs((double)values[index] - expect(b, pass, index));
        error = deviation <= error ? error : deviation; /* NaN stays */
    }
    free(values);
    row->max_error = error / largest;
    return status;
}

/* --------------------------------------------------------------------------------------------- */

rv_status rv_bench_node_measure(rv_bench_node *b, rv_bench_row *row, rv_pass pass,
                                rv_bench_expect *expect, double peak_gflops,
                                const rv_events *events)
{
    *row = (rv_bench_row){0};
    snprintf(row->name, sizeof row->name, "%s", b->node.name);
    snprintf(row->pass, sizeof row->pass, "%s", rv_pass_name(pass));
    RV_TRY(rv_check_cancelled(events));
    RV_TRY(find_algorithm(b, row, pass));
    RV_TRY(find_time(b, row, pass, events));
    RV_TRY(rv_check_cancelled(events));
    row->gflops = 1e-6 * b->node.op->flops(&b->node, pass) / row->ms;
    row->ratio_to_peak = row->gflops / peak_gflops;
    return find_error(b, row, pass, expect);
}
