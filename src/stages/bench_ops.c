/* Measures single operations: convolutions of VGG, GoogLeNet and ResNet, dense layers, Gram matrices. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "base/system.h"
#include "stages/bench_filter.h"
#include "stages/bench_node.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_ATTRS = 4 };

/* One operation with its size. */
typedef struct bench_case {
    const char *name, *op;
    rv_shape in;
    rv_attr_value attrs[MAX_ATTRS];
    size_t n_attrs;
    int n_passes; /* from the first on */
} bench_case;

/* A table of cases, and what they give. */
typedef struct bench_table {
    const char *task;
    const bench_case *cases;
    size_t n;
    rv_bench_expect *expect[2]; /* without and with parameters */
} bench_table;

#define CONV(name, c, k, size)                                                                  \
    {                                                                                           \
        name, "conv", {4, {1, c, size, size}},                                                  \
            {RV_SET_INT("num_output", k), RV_SET_INT("kernel", 3), RV_SET_INT("pads", 1)}, 3, 3 \
    }
/* A batch of 8 through an odd window, the output as large as the input divided by the stride. */
#define CONV_8(name, c, k, size, window, stride_)                               \
    {                                                                           \
        name, "conv", {4, {8, c, size, size}},                                  \
            {RV_SET_INT("num_output", k), RV_SET_INT("kernel", window),         \
             RV_SET_INT("pads", (window) >> 1), RV_SET_INT("stride", stride_)}, \
            4, 3                                                                \
    }
#define DENSE(name, batch, features, outputs)                                                  \
    {                                                                                          \
        name, "dense", {2, {batch, features, 1, 1}}, {RV_SET_INT("num_output", outputs)}, 1, 3 \
    }
#define GRAM(name, c, size)                                \
    {                                                      \
        name, "gram", {4, {1, c, size, size}}, {{0}}, 0, 2 \
    }

/* Every shape of VGG-16 and VGG-19 once; then the kinds that GoogLeNet and ResNet-50 are made of, at 224 px. */
static const bench_case convolutions[] = {
    CONV("vgg conv1_1", 3, 64, 512),
    CONV("vgg conv1_2", 64, 64, 512),
    CONV("vgg conv2_1", 64, 128, 256),
    CONV("vgg conv2_2", 128, 128, 256),
    CONV("vgg conv3_1", 128, 256, 128),
    CONV("vgg conv3_2", 256, 256, 128),
    CONV("vgg conv4_1", 256, 512, 64),
    CONV("vgg conv4_2", 512, 512, 64),
    CONV("vgg conv5_1", 512, 512, 32),
    CONV_8("googlenet conv1, 7x7/2", 3, 64, 224, 7, 2),
    CONV_8("googlenet conv2 reduce, 1x1", 64, 64, 56, 1, 1),
    CONV_8("googlenet conv2, 3x3", 64, 192, 56, 3, 1),
    CONV_8("googlenet 3a, 1x1", 192, 64, 28, 1, 1),
    CONV_8("googlenet 3a, 3x3", 96, 128, 28, 3, 1),
    CONV_8("googlenet 3a, 5x5", 16, 32, 28, 5, 1),
    CONV_8("googlenet 5b, 1x1", 832, 384, 7, 1, 1),
    CONV_8("resnet res2 reduce, 1x1", 256, 64, 56, 1, 1),
    CONV_8("resnet res2 expand, 1x1", 64, 256, 56, 1, 1),
    CONV_8("resnet res2, 3x3", 64, 64, 56, 3, 1),
    CONV_8("resnet res3, 3x3/2", 128, 128, 56, 3, 2),
    CONV_8("resnet res3 shortcut, 1x1/2", 256, 512, 56, 1, 2),
    CONV_8("resnet res4, 3x3", 256, 256, 14, 3, 1),
    CONV_8("resnet res5 expand, 1x1", 512, 2048, 7, 1, 1),
};

static const bench_case products[] = {
    DENSE("1024 cubed", 1024, 1024, 1024),       DENSE("vgg fc6, batch 1", 1, 25088, 4096),
    DENSE("vgg fc6, batch 64", 64, 25088, 4096), DENSE("vgg fc7, batch 64", 64, 4096, 4096),
    GRAM("vgg relu1_1 gram", 64, 512),           GRAM("vgg relu2_1 gram", 128, 256),
    GRAM("vgg relu3_1 gram", 256, 128),          GRAM("vgg relu4_1 gram", 512, 64),
    GRAM("vgg relu5_1 gram", 512, 32),
};

/* One call: what it works with, and what it has. */
typedef struct measurement {
    rv_device *device;
    const bench_table *table;
    const char *filter;
    const rv_events *events;
    size_t total; /* rows asked for */
    double since; /* clock when the first case began */
    rv_bench_peak_result peak;
    rv_bench_row *rows;
    size_t n;
} measurement;

static bool wanted(const measurement *m, const bench_case *c, int pass)
{
    return rv_bench_wanted(m->filter, c->name, rv_pass_name((rv_pass)pass));
}

/* Rows of a case that are asked for. */
static size_t rows_of(const measurement *m, const bench_case *c)
{
    size_t n = 0;
    for (int pass = RV_PASS_FORWARD; pass < c->n_passes; pass++) {
        n += wanted(m, c, pass);
    }
    return n;
}

/* Says which pass of which case comes next. */
static void report(const measurement *m, const char *name, int pass)
{
    char task[128];
    const double fraction = (double)m->n / (double)m->total;
    snprintf(task, sizeof task, "%s: %s %s", m->table->task, name, rv_pass_name((rv_pass)pass));
    const rv_progress progress = {.task = task,
                                  .done = (int64_t)m->n,
                                  .total = (int64_t)m->total,
                                  .fraction = fraction,
                                  .loss = NAN,
                                  .seconds_left =
                                      m->n > 0 ? (rv_clock() - m->since) * (1 / fraction - 1) : -1};
    rv_report(m->events, &progress);
}

static rv_status measure_case(measurement *m, const bench_case *c)
{
    rv_bench_node *b;
    RV_TRY(rv_check_cancelled(m->events));
    RV_TRY(rv_bench_node_create(&b, m->device, c->op, c->name, c->in, c->attrs, c->n_attrs));
    rv_bench_expect *expect = m->table->expect[b->node.op->n_params > 0];
    rv_status status = RV_OK;
    for (int pass = RV_PASS_FORWARD; pass < c->n_passes && status == RV_OK; pass++) {
        if (wanted(m, c, pass)) {
            report(m, c->name, pass);
            status = rv_bench_node_measure(b, &m->rows[m->n], (rv_pass)pass, expect,
                                           m->peak.fma_gflops, m->events);
            m->n += status == RV_OK;
        }
    }
    rv_bench_node_destroy(b);
    return status;
}

static const char *name_of(const void *cases, size_t i)
{
    return ((const bench_case *)cases)[i].name;
}

static rv_status measure_cases(measurement *m)
{
    const bench_table *table = m->table;
    for (size_t i = 0; i < table->n; i++) {
        m->total += rows_of(m, &table->cases[i]);
    }
    if (m->total == 0) {
        return rv_bench_nothing_wanted(m->filter, table->task, name_of, table->cases, table->n);
    }
    RV_TRY(rv_bench_limits(m->device, &m->peak, m->events));
    m->since = rv_clock();
    for (size_t i = 0; i < table->n; i++) {
        const char *name = table->cases[i].name;
        const rv_status status =
            rows_of(m, &table->cases[i]) > 0 ? measure_case(m, &table->cases[i]) : RV_OK;
        if (status == RV_ERR_DEVICE_MEMORY) {
            rv_log(m->events, RV_LOG_WARNING, "%s is left out: %s", name, rv_error_message());
        } else if (status == RV_ERR_CANCELLED) {
            return status;
        } else if (status != RV_OK) {
            return rv_fail_context(status, "%s", name);
        }
    }
    return RV_OK;
}

static rv_status measure_table(rv_device *device, const bench_table *table, rv_bench_row **out,
                               size_t *n, rv_bench_peak_result *peak, const char *filter,
                               const rv_events *events)
{
    measurement m = {.device = device, .table = table, .filter = filter, .events = events};
    *out = NULL;
    *n = 0;
    RV_TRY(rv_alloc(&m.rows, 3 * table->n, sizeof *m.rows, "measurements"));
    const rv_status status = measure_cases(&m);
    if (status != RV_OK) {
        free(m.rows);
        return status;
    }
    *out = m.rows;
    *n = m.n;
    *peak = m.peak;
    return RV_OK;
}

rv_status rv_bench_conv(rv_device *device, rv_bench_row **out, size_t *n,
                        rv_bench_peak_result *peak, const char *filter, const rv_events *events)
{
    const bench_table table = {.task = "bench conv",
                               .cases = convolutions,
                               .n = sizeof convolutions / sizeof convolutions[0],
                               .expect = {NULL, rv_bench_expect_conv}};
    return measure_table(device, &table, out, n, peak, filter, events);
}

rv_status rv_bench_gemm(rv_device *device, rv_bench_row **out, size_t *n,
                        rv_bench_peak_result *peak, const char *filter, const rv_events *events)
{
    const bench_table table = {.task = "bench gemm",
                               .cases = products,
                               .n = sizeof products / sizeof products[0],
                               .expect = {rv_bench_expect_gram, rv_bench_expect_dense}};
    return measure_table(device, &table, out, n, peak, filter, events);
}
