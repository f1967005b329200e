/* How far each algorithm of a convolution is from double precision, on the shapes of VGG. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "base/philox.h"
#include "stages/bench_filter.h"
#include "stages/bench_node.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Values that stand for all of a result; drawn with a key of their own. */
enum { SAMPLES = 2048, SEED = 7, STREAM = 100 };

/* All with windows of 3x3 between maps of many channels; each shape of VGG-16 and VGG-19 once. */
static const struct shape {
    const char *name;
    int32_t channels, outputs, size;
} shapes[] = {
    {"vgg conv1_2", 64, 64, 512},   {"vgg conv2_1", 64, 128, 256},  {"vgg conv2_2", 128, 128, 256},
    {"vgg conv3_1", 128, 256, 128}, {"vgg conv3_2", 256, 256, 128}, {"vgg conv4_1", 256, 512, 64},
    {"vgg conv4_2", 512, 512, 64},  {"vgg conv5_1", 512, 512, 32},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

/* One call: what it works with, and what it has. */
typedef struct measurement {
    rv_device *device;
    const char *filter;
    const rv_events *events;
    rv_bench_error_row *rows;
    size_t n;
    double expected[SAMPLES];
    size_t at[SAMPLES];
} measurement;

static bool wanted(const measurement *m, size_t index, int pass)
{
    return rv_bench_wanted(m->filter, shapes[index].name, rv_pass_name((rv_pass)pass));
}

static bool any_wanted(const measurement *m, size_t index)
{
    return wanted(m, index, RV_PASS_FORWARD) || wanted(m, index, RV_PASS_BACKWARD_DATA);
}

static void report(const measurement *m, size_t index, rv_pass pass)
{
    char task[96];
    snprintf(task, sizeof task, "bench error: %s %s", shapes[index].name, rv_pass_name(pass));
    const rv_progress progress = {.task = task,
                                  .done = (int64_t)index,
                                  .total = SHAPES,
                                  .fraction = ((double)index + 0.5 * (double)pass) / SHAPES,
                                  .loss = NAN,
                                  .seconds_left = -1};
    rv_report(m->events, &progress);
}

static rv_status find_expected(measurement *m, const rv_bench_node *b, rv_pass pass)
{
    const rv_tensor *result = rv_bench_node_result(b, pass);
    const size_t n = rv_shape_count(&result->shape);
    for (uint32_t i = 0; i < SAMPLES; i++) {
        if (i % 64 == 0) {
            RV_TRY(rv_check_cancelled(m->events));
        }
        m->at[i] = rv_philox_block(SEED, STREAM, 4 * i).w[0] % n;
        m->expected[i] = rv_bench_expect_conv(b, pass, m->at[i]);
    }
    return RV_OK;
}

/* Runs the pass, and compares. */
static rv_status measure(const measurement *m, rv_bench_error_row *row, rv_bench_node *b,
                         rv_pass pass)
{
    const rv_tensor *result = rv_bench_node_result(b, pass);
    double largest = 0, sum = 0, most = 0;
    float *values;
    RV_TRY(rv_bench_node_run(b, pass));
    RV_TRY(rv_alloc(&values, rv_shape_count(&result->shape), sizeof *values, "measurement"));
    const rv_status status = rv_tensor_read(m->device, result, values);
    for (size_t i = 0; i < SAMPLES && status == RV_OK; i++) {
        const double error = fabs((double)values[m->at[i]] - m->expected[i]);
        largest = fmax(largest, fabs(m->expected[i]));
        most = error <= most ? most : error; /* NaN stays */
        sum += error * error;
    }
    free(values);
    row->max_error = most / largest;
    row->rms_error = sqrt(sum / SAMPLES) / largest;
    return status;
}

/* Every algorithm of a pass; the plainest, which is the last, is what the others relate to. */
static rv_status measure_pass(measurement *m, rv_bench_node *b, rv_pass pass)
{
    const char *names[RV_MAX_ALGORITHMS];
    rv_bench_error_row *rows = m->rows + m->n;
    const size_t count = b->node.op->algorithms(&b->node, m->device, pass, names);
    RV_TRY(find_expected(m, b, pass));
    for (size_t i = 0; i < count; i++) {
        RV_TRY(rv_check_cancelled(m->events));
        RV_TRY(rv_bench_node_choose(b, pass, names[i]));
        snprintf(rows[i].name, sizeof rows[i].name, "%s", b->node.name);
        snprintf(rows[i].pass, sizeof rows[i].pass, "%s", rv_pass_name(pass));
        snprintf(rows[i].algorithm, sizeof rows[i].algorithm, "%s", names[i]);
        RV_TRY(measure(m, &rows[i], b, pass));
    }
    for (size_t i = 0; i < count; i++) {
        rows[i].max_ratio = rows[i].max_error / rows[count - 1].max_error;
        rows[i].rms_ratio = rows[i].rms_error / rows[count - 1].rms_error;
    }
    m->n += count;
    return RV_OK;
}

static rv_status measure_shape(measurement *m, size_t index)
{
    const struct shape *s = &shapes[index];
    const rv_attr_value attrs[] = {RV_SET_INT("num_output", s->outputs), RV_SET_INT("kernel", 3),
                                   RV_SET_INT("pads", 1)};
    rv_bench_node *b;
    RV_TRY(rv_bench_node_create(&b, m->device, "conv", s->name,
                                rv_shape_4(1, s->channels, s->size, s->size), attrs, 3));
    rv_status status = RV_OK;
    for (int pass = RV_PASS_FORWARD; pass <= RV_PASS_BACKWARD_DATA && status == RV_OK; pass++) {
        if (wanted(m, index, pass)) {
            report(m, index, (rv_pass)pass);
            status = measure_pass(m, b, (rv_pass)pass);
        }
    }
    rv_bench_node_destroy(b);
    return status;
}

static const char *name_of(const void *unused, size_t i)
{
    (void)unused;
    return shapes[i].name;
}

static rv_status measure_all(measurement *m)
{
    bool any = false;
    RV_TRY(rv_alloc(&m->rows, (size_t)SHAPES * 2 * RV_MAX_ALGORITHMS, sizeof *m->rows,
                    "measurements"));
    for (size_t i = 0; i < SHAPES; i++) {
        if (any_wanted(m, i)) {
            any = true;
            RV_TRY(measure_shape(m, i));
        }
    }
    return any ? RV_OK : rv_bench_nothing_wanted(m->filter, "bench error", name_of, NULL, SHAPES);
}

rv_status rv_bench_error(rv_device *device, rv_bench_error_row **out, size_t *n, const char *filter,
                         const rv_events *events)
{
    measurement *m;
    *out = NULL;
    *n = 0;
    RV_TRY(rv_alloc(&m, 1, sizeof *m, "measurement"));
    m->device = device;
    m->filter = filter;
    m->events = events;
    const rv_status status = measure_all(m);
    if (status == RV_OK) {
        *out = m->rows;
        *n = m->n;
    } else {
        free(m->rows);
    }
    free(m);
    return status;
}
