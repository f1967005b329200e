/* Measures what is bound by memory: elementwise operations, pooling, normalisation, losses, optimisers. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "base/philox.h"
#include "base/system.h"
#include "optim/optim.h"
#include "optim/vector.h"
#include "stages/bench_filter.h"
#include "stages/bench_node.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_INPUTS = 4, MAX_ATTRS = 4, MIN_RUNS = 5, MAX_RUNS = 25, SEED = 1 };
#define MIN_SECONDS 0.12

/* An operation on tensors of some size. */
typedef struct bench_case {
    const char *name, *op;
    rv_shape in[MAX_INPUTS];
    int n_in;
    rv_layout layout;               /* that the inputs are offered in */
    rv_attr_value attrs[MAX_ATTRS]; /* up to the first without a name */
    rv_mode mode;
    uint32_t wanted; /* gradients of inputs that backward gives */
    bool twice; /* statistics of all values come before the first output: inputs are read twice */
} bench_case;

#define MAPS(n, c, h, w) \
    {                    \
        4,               \
        {                \
            n, c, h, w   \
        }                \
    }
#define ATTRS(...)             .attrs = {__VA_ARGS__}
#define ONE(shape)             .in = {shape}, .n_in = 1, .wanted = 1
#define VGG                    MAPS(1, 64, 512, 512)
#define BATCH                  MAPS(64, 32, 64, 64)
#define PICTURE                MAPS(1, 3, 2048, 2048)
#define WINDOW(kernel, stride) RV_SET_INT("kernel", kernel), RV_SET_INT("stride", stride)

static const bench_case cases[] = {
    {"relu, vgg relu1_2", "relu", ONE(VGG), .layout = RV_BLOCKED},
    {"leaky relu, batch 64", "leaky_relu", ONE(BATCH), .layout = RV_BLOCKED},
    {"add, batch 64", "add", .in = {BATCH, BATCH}, .n_in = 2, .wanted = 2, .layout = RV_BLOCKED},
    {"concat, squeezenet fire2", "concat", .in = {MAPS(1, 64, 55, 55), MAPS(1, 64, 55, 55)},
     .n_in = 2, .wanted = 3, .layout = RV_BLOCKED},
    {"concat, inception, batch 16", "concat",
     .in = {MAPS(16, 64, 28, 28), MAPS(16, 128, 28, 28), MAPS(16, 24, 28, 28),
            MAPS(16, 40, 28, 28)},
     .n_in = 4, .wanted = 15, .layout = RV_BLOCKED},
    {"max pool 2/2, vgg pool1", "max_pool", ONE(VGG), .layout = RV_BLOCKED, ATTRS(WINDOW(2, 2))},
    {"max pool 2/2, batch 64", "max_pool", ONE(BATCH), .layout = RV_BLOCKED, ATTRS(WINDOW(2, 2))},
    {"max pool 3/2, squeezenet pool1", "max_pool", ONE(MAPS(1, 96, 111, 111)), .layout = RV_BLOCKED,
     ATTRS(WINDOW(3, 2), RV_SET_INT("ceil_mode", 1))},
    {"max pool 3/2, forward only", "max_pool", .in = {MAPS(1, 96, 111, 111)}, .n_in = 1,
     .layout = RV_BLOCKED, ATTRS(WINDOW(3, 2), RV_SET_INT("ceil_mode", 1))},
    {"average pool 2/2, vgg pool1", "average_pool", ONE(VGG), .layout = RV_BLOCKED,
     ATTRS(WINDOW(2, 2))},
    {"average pool 3/1, batch 64", "average_pool", ONE(BATCH), .layout = RV_BLOCKED,
     ATTRS(WINDOW(3, 1), RV_SET_INT("pads", 1))},
    {"binomial pool 3/2, batch 64", "binomial_pool", ONE(BATCH), .layout = RV_BLOCKED},
    {"global average, batch 64", "average_pool", ONE(BATCH), .layout = RV_BLOCKED,
     ATTRS(RV_SET_INT("global", 1))},
    {"lrn 5, googlenet, batch 8", "lrn", ONE(MAPS(8, 64, 56, 56)), .layout = RV_BLOCKED},
    {"batch norm, training, batch 64", "batch_norm", ONE(BATCH), .layout = RV_BLOCKED,
     ATTRS(RV_SET_INT("affine", 1)), .mode = RV_TRAIN, .twice = true},
    {"batch norm, batch 64", "batch_norm", ONE(BATCH), .layout = RV_BLOCKED,
     ATTRS(RV_SET_INT("affine", 1))},
    {"scale, batch 64", "scale", ONE(BATCH), .layout = RV_BLOCKED, ATTRS(RV_SET_INT("bias", 1))},
    {"softmax, 512 px, 21 classes", "softmax", ONE(MAPS(1, 21, 512, 512)), .layout = RV_BLOCKED},
    {"softmax, batch 4096 of 1000", "softmax", ONE(MAPS(4096, 1000, 1, 1))},
    {"dropout, batch 64 of 25088", "dropout", ONE(MAPS(64, 25088, 1, 1)), .mode = RV_TRAIN},
    {"dropout, batch 64", "dropout", ONE(BATCH), .layout = RV_BLOCKED, .mode = RV_TRAIN},
    {"resize 2048 to 1024 px", "resize", ONE(PICTURE),
     ATTRS(RV_SET_INT("height", 1024), RV_SET_INT("width", 1024))},
    {"resize 1024 to 2048 px", "resize", ONE(MAPS(1, 3, 1024, 1024)),
     ATTRS(RV_SET_INT("height", 2048), RV_SET_INT("width", 2048))},
    {"preprocess, 2048 px", "preprocess", ONE(PICTURE), ATTRS(RV_SET_ENUM("order", "bgr"))},
    {"mse loss, vgg relu1_2", "mse_loss", .in = {VGG, VGG}, .n_in = 2, .wanted = 1,
     .layout = RV_BLOCKED},
    {"tv loss, 2048 px", "tv_loss", ONE(PICTURE)},
    {"range loss, 2048 px", "range_loss", ONE(PICTURE)},
    {"reorder, to blocked, 512 px", "reorder", ONE(VGG)},
    {"reorder, to plain, 512 px", "reorder", ONE(VGG), .layout = RV_BLOCKED},
};
enum { CASES = sizeof cases / sizeof cases[0] };

/* --- one node with its memory ---------------------------------------------------------------- */

typedef struct rig {
    rv_device *device;
    const bench_case *c;
    rv_node node;
    void *attrs;
    rv_tensor in[MAX_INPUTS], d_in[MAX_INPUTS], out, d_out;
    rv_tensor param[RV_MAX_PARAMS], d_param[RV_MAX_PARAMS], state[RV_MAX_STATE],
        saved[RV_MAX_SAVED];
    rv_tensor *ins[MAX_INPUTS], *d_ins[MAX_INPUTS], *outs[1], *d_outs[1];
    rv_buffer *workspace[2];
    bool backward; /* what run() runs */
} rig;

static rv_status fill(rv_device *device, rv_tensor *tensor, float middle, float deviation)
{
    const size_t n = rv_shape_count(&tensor->shape);
    float *values;
    RV_TRY(rv_alloc(&values, n + 4, sizeof *values, "measurement"));
    for (size_t i = 0; i < n; i += 4) { /* four values a draw */
        const rv_philox_words words = rv_philox_block(SEED, 0, (uint32_t)i);
        for (size_t k = 0; k < 4; k++) {
            values[i + k] = middle + deviation * (2.0f * ((float)(words.w[k] >> 8) * 0x1p-24f) - 1);
        }
    }
    const rv_status status = rv_tensor_write(device, tensor, values);
    free(values);
    return status;
}

static void point(rig *r)
{
    rv_node *n = &r->node;
    *n = (rv_node){.op = n->op,
                   .name = r->c->name,
                   .attrs = r->attrs,
                   .n_in = r->c->n_in,
                   .n_out = 1,
                   .in = r->ins,
                   .out = r->outs,
                   .d_in = r->d_ins,
                   .d_out = r->d_outs,
                   .mode = r->c->mode,
                   .wanted = r->c->wanted,
                   .slope = 1};
    for (int i = 0; i < r->c->n_in; i++) {
        r->in[i] = (rv_tensor){.shape = r->c->in[i], .layout = r->c->layout, .block = 1};
        r->ins[i] = &r->in[i];
        r->d_ins[i] = &r->d_in[i];
    }
    r->outs[0] = &r->out;
    r->d_outs[0] = &r->d_out;
    for (int i = 0; i < RV_MAX_PARAMS; i++) {
        n->param[i] = &r->param[i];
        n->d_param[i] = &r->d_param[i];
    }
    for (int i = 0; i < RV_MAX_STATE; i++) {
        n->state[i] = &r->state[i];
    }
    for (int i = 0; i < RV_MAX_SAVED; i++) {
        n->saved[i] = &r->saved[i];
    }
}

static void choose_layouts(rig *r, rv_layout *in, rv_layout *out)
{
    for (int i = 0; i < r->c->n_in; i++) {
        in[i] = r->c->layout;
    }
    *out = r->c->layout;
    for (int i = 0; i < r->node.op->n_saved; i++) {
        r->saved[i].layout = r->c->layout;
    }
    if (r->node.op->layouts != NULL) {
        r->node.op->layouts(&r->node, in, out);
    }
}

/* Memory of a tensor whose shape is set; drawn around `middle` where that is asked for. */
static rv_status make(rig *r, rv_tensor *t, rv_layout layout, float middle, float deviation)
{
    const rv_shape shape = t->shape;
    if (shape.rank == 0) {
        return RV_OK;
    }
    RV_TRY(rv_tensor_create(t, r->device, shape, layout));
    return fill(r->device, t, middle, deviation);
}

static rv_status make_tensors(rig *r)
{
    rv_node *n = &r->node;
    rv_layout in[MAX_INPUTS], out;
    choose_layouts(r, in, &out);
    for (int i = 0; i < n->n_in; i++) {
        r->d_in[i].shape = r->in[i].shape;
        RV_TRY(make(r, &r->in[i], in[i], 0, 1));
        RV_TRY(make(r, &r->d_in[i], in[i], 0, 0));
    }
    r->d_out.shape = r->out.shape;
    RV_TRY(make(r, &r->out, out, 0, 0));
    RV_TRY(make(r, &r->d_out, out, 0, 1));
    for (int i = 0; i < n->op->n_params; i++) {
        r->d_param[i].shape = r->param[i].shape;
        n->wanted |= r->param[i].shape.rank > 0 ? RV_WANT_PARAM(i) : 0;
        RV_TRY(make(r, &r->param[i], RV_PLAIN, 1, 0.5f));
        RV_TRY(make(r, &r->d_param[i], RV_PLAIN, 0, 0));
    }
    for (int i = 0; i < n->op->n_state; i++) {
        RV_TRY(make(r, &r->state[i], RV_PLAIN, 1, 0.5f));
    }
    return RV_OK;
}

static rv_status set_up(rig *r, const bench_case *c)
{
    rv_node *n = &r->node;
    r->c = c;
    RV_TRY(rv_op_find(&n->op, c->op, c->name));
    RV_TRY(rv_alloc(&r->attrs, 1, n->op->attr_size + 1, "attributes"));
    size_t n_attrs = 0;
    while (n_attrs < MAX_ATTRS && c->attrs[n_attrs].name != NULL) {
        n_attrs++;
    }
    RV_TRY(rv_attrs_set(r->attrs, n->op->attrs, c->attrs, n_attrs, c->name));
    point(r);
    RV_TRY(n->op->infer(n));
    RV_TRY(make_tensors(r));
    RV_TRY(n->op->prepare(n, r->device));
    for (int i = 0; r->c->wanted != 0 && i < n->op->n_saved;
         i++) { /* prepare may have set their shapes */
        RV_TRY(make(r, &r->saved[i], r->saved[i].layout, 0, 0));
    }
    const size_t bytes[] = {n->forward_workspace, n->backward_workspace};
    for (int i = 0; i < 2; i++) {
        if (bytes[i] > 0) {
            RV_TRY(rv_buffer_create(&r->workspace[i], r->device, bytes[i]));
        }
    }
    return RV_OK;
}

static void release(rig *r)
{
    for (int i = 0; i < MAX_INPUTS; i++) {
        rv_tensor_release(&r->in[i]);
        rv_tensor_release(&r->d_in[i]);
    }
    rv_tensor_release(&r->out);
    rv_tensor_release(&r->d_out);
    for (int i = 0; i < RV_MAX_PARAMS; i++) {
        rv_tensor_release(&r->param[i]);
        rv_tensor_release(&r->d_param[i]);
    }
    for (int i = 0; i < RV_MAX_STATE; i++) {
        rv_tensor_release(&r->state[i]);
    }
    for (int i = 0; i < RV_MAX_SAVED; i++) {
        rv_tensor_release(&r->saved[i]);
    }
    rv_buffer_destroy(r->workspace[0]);
    rv_buffer_destroy(r->workspace[1]);
    free(r->node.priv);
    free(r->attrs);
}

/* --- bytes that have to move ----------------------------------------------------------------- */

static double inputs_bytes(const rig *r)
{
    double sum = 0;
    for (int i = 0; i < r->c->n_in; i++) {
        sum += (double)rv_tensor_bytes(&r->in[i]);
    }
    return sum;
}

static double saved_bytes(const rig *r)
{
    double sum = 0;
    for (int i = 0; r->c->wanted != 0 && i < r->node.op->n_saved; i++) {
        sum += (double)rv_tensor_bytes(&r->saved[i]);
    }
    return sum;
}

/* Each tensor once, pad lanes included, whatever a kernel reads twice; `twice` says where that cannot be helped. */
static double bytes_of(const rig *r)
{
    const rv_op *op = r->node.op;
    const double reads = r->c->twice ? 2 : 1;
    if (!r->backward) {
        return reads * inputs_bytes(r) + (double)rv_tensor_bytes(&r->out) + saved_bytes(r);
    }
    double sum = reads * (double)rv_tensor_bytes(&r->d_out) + saved_bytes(r);
    sum += rv_backward_reads_input(&r->node) ? reads * inputs_bytes(r) : 0;
    sum += (op->traits & RV_OP_BWD_READS_OUTPUT) != 0 ? (double)rv_tensor_bytes(&r->out) : 0;
    for (int i = 0; i < r->c->n_in; i++) {
        const bool wanted = (r->c->wanted & RV_WANT_INPUT(i)) != 0;
        sum += wanted ? (double)rv_tensor_bytes(&r->d_in[i]) : 0;
    }
    return sum;
}

/* --- time ------------------------------------------------------------------------------------ */

/* One call: what it works with, and what it has. */
typedef struct measurement {
    rv_device *device;
    const char *filter;
    const rv_events *events;
    rv_bench_peak_result peak;
    rv_bench_row *rows;
    size_t n, total; /* rows that there are, and that are asked for */
} measurement;

enum { OPTIMIZERS = 2, ROWS = 2 * CASES + OPTIMIZERS };

typedef rv_status run(void *payload);

/* The first run, which compiles, and the kernel that takes most of its time on the device. */
static rv_status find_algorithm(rv_device *device, rv_bench_row *row, run *body, void *payload)
{
    rv_profile_row *rows = NULL;
    size_t n = 0;
    RV_TRY(rv_profile_start(device));
    rv_status status = body(payload);
    rv_error error;
    rv_error_save(&error, status);
    status = rv_profile_stop(device, &rows, &n);
    if (error.status != RV_OK) {
        status = rv_error_restore(&error);
    }
    if (status == RV_OK) {
        snprintf(row->algorithm, sizeof row->algorithm, "%.*s", (int)sizeof row->algorithm - 1,
                 n > 0 ? rows[0].name : "copy");
    }
    free(rows);
    return status;
}

static rv_status measure(measurement *m, const char *name, const char *pass, double bytes,
                         run *body, void *payload)
{
    rv_bench_row *row = &m->rows[m->n];
    double seconds[MAX_RUNS], total = 0;
    size_t n = 0;
    char task[160];
    snprintf(task, sizeof task, "bench elementwise: %s %s", name, pass);
    const rv_progress progress = {.task = task,
                                  .done = (int64_t)m->n,
                                  .total = (int64_t)m->total,
                                  .fraction = (double)m->n / (double)m->total,
                                  .loss = NAN,
                                  .seconds_left = -1};
    rv_report(m->events, &progress);
    snprintf(row->name, sizeof row->name, "%s", name);
    snprintf(row->pass, sizeof row->pass, "%s", pass);
    RV_TRY(find_algorithm(m->device, row, body, payload));
    RV_TRY(body(payload));
    RV_TRY(rv_device_finish(m->device));
    while (n < MIN_RUNS || (n < MAX_RUNS && total < MIN_SECONDS)) {
        RV_TRY(rv_check_cancelled(m->events));
        const double start = rv_clock();
        RV_TRY(body(payload));
        RV_TRY(rv_device_finish(m->device));
        seconds[n] = rv_clock() - start;
        total += seconds[n++];
    }
    row->ms = 1e3 * rv_bench_median(seconds, n);
    row->gbps = 1e-6 * bytes / row->ms;
    row->ratio_to_peak = row->gbps / m->peak.copy_gbps;
    m->n++;
    return RV_OK;
}

static rv_status run_pass(rig *r, bool backward)
{
    const rv_exec e = {.device = r->device, .step = 1};
    r->node.workspace = r->workspace[backward];
    return backward ? r->node.op->backward(&r->node, &e, r->node.wanted)
                    : r->node.op->forward(&r->node, &e);
}

static rv_status run_rig(void *payload)
{
    rig *r = payload;
    return run_pass(r, r->backward);
}

static const char *const passes[] = {"forward", "backward"};

static bool wanted(const measurement *m, const bench_case *c, int pass)
{
    return (pass == 0 || c->wanted != 0) && rv_bench_wanted(m->filter, c->name, passes[pass]);
}

static rv_status measure_case(measurement *m, const bench_case *c)
{
    rig r = {.device = m->device};
    RV_TRY(rv_check_cancelled(m->events));
    rv_status status = set_up(&r, c);
    if (status == RV_OK && !wanted(m, c, 0)) {
        status = run_pass(&r, false); /* what backward reads */
    }
    for (int pass = 0; pass < 2 && status == RV_OK; pass++) {
        r.backward = pass == 1;
        if (wanted(m, c, pass)) {
            status = measure(m, c->name, passes[pass], bytes_of(&r), run_rig, &r);
        }
    }
    release(&r);
    return status;
}

/* --- optimisers ------------------------------------------------------------------------------ */

enum { HISTORY = 10, PICTURE_FLOATS = 3 * 512 * 512, LARGE_FLOATS = 3 * 2048 * 2048 };

typedef struct vectors {
    rv_device *device;
    rv_adam *adam;
    rv_lbfgs *lbfgs;
    rv_vectors *arithmetic;
    rv_tensor x, gradient, linear;
    double loss;
} vectors;

static rv_status run_adam(void *payload)
{
    vectors *v = payload;
    return rv_adam_step(v->adam, v->x.buffer, v->gradient.buffer);
}

/* 500 x^2 + linear * x: each step of 1 % leaves a difference that is no rounding. The loss is made up, as only its being
 * finite counts. */
static rv_status evaluate(void *payload, double *loss)
{
    vectors *v = payload;
    *loss = v->loss;
    RV_TRY(rv_vectors_axpby(v->arithmetic, v->gradient.buffer, 1.0f, v->linear.buffer, 0.0f));
    return rv_vectors_axpby(v->arithmetic, v->gradient.buffer, 1000.0f, v->x.buffer, 1.0f);
}

static rv_status run_lbfgs(void *payload)
{
    vectors *v = payload;
    int evaluations;
    return rv_lbfgs_step(v->lbfgs, v->x.buffer, v->gradient.buffer, &v->loss, evaluate, v,
                         &evaluations);
}

static rv_status make_vectors(vectors *v, int32_t n)
{
    RV_TRY(rv_tensor_create(&v->x, v->device, rv_shape_1(n), RV_PLAIN));
    RV_TRY(rv_tensor_create(&v->gradient, v->device, rv_shape_1(n), RV_PLAIN));
    RV_TRY(rv_tensor_create(&v->linear, v->device, rv_shape_1(n), RV_PLAIN));
    RV_TRY(rv_vectors_create(&v->arithmetic, v->device, (size_t)n));
    RV_TRY(fill(v->device, &v->x, 0, 0));
    RV_TRY(fill(v->device, &v->linear, 0, 1));
    return fill(v->device, &v->gradient, 0, 1);
}

static void release_vectors(vectors *v)
{
    rv_adam_destroy(v->adam);
    rv_lbfgs_destroy(v->lbfgs);
    rv_tensor_release(&v->x);
    rv_tensor_release(&v->gradient);
    rv_tensor_release(&v->linear);
    rv_vectors_destroy(v->arithmetic);
}

static rv_status measure_adam(measurement *m, const char *name)
{
    const rv_adam_options options = {
        .learning_rate = 1e-3f, .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-8f, .high = 1};
    vectors v = {.device = m->device};
    rv_status status = make_vectors(&v, LARGE_FLOATS);
    if (status == RV_OK) {
        status = rv_adam_create(&v.adam, m->device, LARGE_FLOATS, &options);
    }
    if (status == RV_OK) { /* x and both moments there and back, and the gradient */
        status = measure(m, name, "step", 7.0 * 4 * LARGE_FLOATS, run_adam, &v);
    }
    release_vectors(&v);
    return status;
}

/* Counts each vector of the history twice, once for its product with the direction and once for the sum, and with each the
 * direction, which is read and written: the next product needs all of it. */
static rv_status measure_lbfgs(measurement *m, const char *name)
{
    const rv_lbfgs_options options = {.learning_rate = 1e-2f, .history = HISTORY};
    vectors v = {.device = m->device, .loss = 1};
    rv_status status = make_vectors(&v, PICTURE_FLOATS);
    if (status == RV_OK) {
        status = rv_lbfgs_create(&v.lbfgs, m->device, PICTURE_FLOATS, &options);
    }
    for (int i = 0; i <= HISTORY && status == RV_OK; i++) {
        status = run_lbfgs(&v);
    }
    if (status == RV_OK) {
        status = measure(m, name, "step", 8.0 * HISTORY * 4 * PICTURE_FLOATS, run_lbfgs, &v);
    }
    release_vectors(&v);
    return status;
}

/* --------------------------------------------------------------------------------------------- */

static const struct step {
    const char *name;
    rv_status (*measure)(measurement *m, const char *name);
} steps[OPTIMIZERS] = {{"adam, 2048 px", measure_adam},
                       {"L-BFGS, history 10, 512 px", measure_lbfgs}};

static const char *name_of(const void *unused, size_t i)
{
    (void)unused;
    return i < CASES ? cases[i].name : steps[i - CASES].name;
}

static bool step_wanted(const measurement *m, size_t i)
{
    return rv_bench_wanted(m->filter, steps[i].name, "step");
}

static size_t count(const measurement *m)
{
    size_t n = 0;
    for (size_t i = 0; i < CASES; i++) {
        n += (size_t)wanted(m, &cases[i], 0) + wanted(m, &cases[i], 1);
    }
    for (size_t i = 0; i < OPTIMIZERS; i++) {
        n += step_wanted(m, i);
    }
    return n;
}

static rv_status measure_all(measurement *m)
{
    m->total = count(m);
    if (m->total == 0) {
        return rv_bench_nothing_wanted(m->filter, "bench elementwise", name_of, NULL,
                                       CASES + OPTIMIZERS);
    }
    RV_TRY(rv_bench_limits(m->device, &m->peak, m->events));
    for (size_t i = 0; i < CASES; i++) {
        const bool any = wanted(m, &cases[i], 0) || wanted(m, &cases[i], 1);
        const rv_status status = any ? measure_case(m, &cases[i]) : RV_OK;
        if (status == RV_ERR_DEVICE_MEMORY) {
            rv_log(m->events, RV_LOG_WARNING, "%s is left out: %s", cases[i].name,
                   rv_error_message());
        } else if (status == RV_ERR_CANCELLED) {
            return status;
        } else if (status != RV_OK) {
            return rv_fail_context(status, "%s", cases[i].name);
        }
    }
    for (size_t i = 0; i < OPTIMIZERS; i++) {
        RV_TRY(step_wanted(m, i) ? steps[i].measure(m, steps[i].name) : RV_OK);
    }
    return RV_OK;
}

rv_status rv_bench_elementwise(rv_device *device, rv_bench_row **out, size_t *n,
                               rv_bench_peak_result *peak, const char *filter,
                               const rv_events *events)
{
    measurement m = {.device = device, .filter = filter, .events = events};
    *out = NULL;
    *n = 0;
    RV_TRY(rv_alloc(&m.rows, ROWS, sizeof *m.rows, "measurements"));
    const rv_status status = measure_all(&m);
    if (status != RV_OK) {
        free(m.rows);
        return status;
    }
    *out = m.rows;
    *n = m.n;
    *peak = m.peak;
    return RV_OK;
}
