/* Measures single operations: convolutions of VGG at 512 px, dense layers, Gram matrices. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "stages/bench_node.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_ATTRS = 3 };

/* One operation with its size. */
typedef struct bench_case {
    const char *name, *op;
    rv_shape in;
    rv_attr_value attrs[MAX_ATTRS];
    size_t n_attrs;
} bench_case;

/* A table of cases, and what they give. */
typedef struct bench_table {
    const char *task;
    const bench_case *cases;
    size_t n;
    rv_bench_expect *expect[2]; /* without and with parameters */
} bench_table;

#define CONV(name, c, k, size)                                                               \
    {                                                                                        \
        name, "conv", {4, {1, c, size, size}},                                               \
            {RV_SET_INT("num_output", k), RV_SET_INT("kernel", 3), RV_SET_INT("pads", 1)}, 3 \
    }
#define DENSE(name, batch, features, outputs)                                               \
    {                                                                                       \
        name, "dense", {2, {batch, features, 1, 1}}, {RV_SET_INT("num_output", outputs)}, 1 \
    }
#define GRAM(name, c, size)                             \
    {                                                   \
        name, "gram", {4, {1, c, size, size}}, {{0}}, 0 \
    }

/* Every shape of VGG-16 and VGG-19 once. */
static const bench_case convolutions[] = {
    CONV("vgg conv1_1", 3, 64, 512),    CONV("vgg conv1_2", 64, 64, 512),
    CONV("vgg conv2_1", 64, 128, 256),  CONV("vgg conv2_2", 128, 128, 256),
    CONV("vgg conv3_1", 128, 256, 128), CONV("vgg conv3_2", 256, 256, 128),
    CONV("vgg conv4_1", 256, 512, 64),  CONV("vgg conv4_2", 512, 512, 64),
    CONV("vgg conv5_1", 512, 512, 32),
};

static const bench_case products[] = {
    DENSE("vgg fc6, batch 1", 1, 25088, 4096),  DENSE("vgg fc6, batch 64", 64, 25088, 4096),
    DENSE("vgg fc7, batch 64", 64, 4096, 4096), GRAM("vgg relu1_1 gram", 64, 512),
    GRAM("vgg relu2_1 gram", 128, 256),         GRAM("vgg relu3_1 gram", 256, 128),
    GRAM("vgg relu4_1 gram", 512, 64),          GRAM("vgg relu5_1 gram", 512, 32),
};

static rv_status measure_case(rv_bench_row *rows, size_t *n, rv_device *device,
                              const bench_table *table, const bench_case *c, double peak)
{
    rv_bench_node *b;
    RV_TRY(rv_bench_node_create(&b, device, c->op, c->name, c->in, c->attrs, c->n_attrs));
    const bool params = b->node.op->n_params > 0;
    const int last = params ? RV_PASS_BACKWARD_PARAMS : RV_PASS_BACKWARD_DATA;
    rv_status status = RV_OK;
    for (int pass = RV_PASS_FORWARD; pass <= last && status == RV_OK; pass++) {
        status = rv_bench_node_measure(b, &rows[*n], (rv_pass)pass, table->expect[params], peak);
        *n += status == RV_OK;
    }
    rv_bench_node_destroy(b);
    return status;
}

static rv_status measure_cases(rv_bench_row *rows, size_t *n, rv_device *device,
                               const bench_table *table, double peak)
{
    const rv_events *events = rv_device_events(device);
    for (size_t i = 0; i < table->n; i++) {
        if (rv_cancelled(events)) {
            return rv_fail(RV_ERR_CANCELLED, "cancelled");
        }
        const rv_status status = measure_case(rows, n, device, table, &table->cases[i], peak);
        if (status == RV_ERR_DEVICE_MEMORY) {
            rv_log(events, RV_LOG_WARNING, "%s is left out: %s", table->cases[i].name,
                   rv_error_message());
        } else if (status != RV_OK) {
            return rv_fail_context(status, "%s", table->cases[i].name);
        }
        const rv_progress progress = {.task = table->task,
                                      .done = (int64_t)i + 1,
                                      .total = (int64_t)table->n,
                                      .fraction = ((double)i + 1) / (double)table->n,
                                      .loss = NAN,
                                      .seconds_left = -1};
        rv_report(events, &progress);
    }
    return RV_OK;
}

static rv_status measure_table(rv_device *device, const bench_table *table, rv_bench_row **out,
                               size_t *n, rv_bench_peak_result *peak)
{
    rv_bench_row *rows;
    *out = NULL;
    *n = 0;
    if (rv_cancelled(rv_device_events(device))) {
        return rv_fail(RV_ERR_CANCELLED, "cancelled");
    }
    RV_TRY(rv_bench_peak(device, peak));
    RV_TRY(rv_alloc(&rows, 3 * table->n, sizeof *rows, "measurements"));
    const rv_status status = measure_cases(rows, n, device, table, peak->fma_gflops);
    if (status != RV_OK) {
        free(rows);
        *n = 0;
        return status;
    }
    *out = rows;
    return RV_OK;
}

rv_status rv_bench_conv(rv_device *device, rv_bench_row **out, size_t *n,
                        rv_bench_peak_result *peak)
{
    const bench_table table = {.task = "bench conv",
                               .cases = convolutions,
                               .n = sizeof convolutions / sizeof convolutions[0],
                               .expect = {NULL, rv_bench_expect_conv}};
    return measure_table(device, &table, out, n, peak);
}

rv_status rv_bench_gemm(rv_device *device, rv_bench_row **out, size_t *n,
                        rv_bench_peak_result *peak)
{
    const bench_table table = {.task = "bench gemm",
                               .cases = products,
                               .n = sizeof products / sizeof products[0],
                               .expect = {rv_bench_expect_gram, rv_bench_expect_dense}};
    return measure_table(device, &table, out, n, peak);
}
