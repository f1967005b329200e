/* Draws the weights that a network starts from. */
/* SPDX-License-Identifier: MIT */
#include "graph/init.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/philox.h"
#include "base/pool.h"
#include "base/text.h"
#include "graph/graph.h"

#include <math.h>
#include <stdio.h>
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

/* What a word settles, as bits: no two words of a name may settle the same. */
enum { A_METHOD = 1, A_DISTRIBUTION = 2, A_FAN = 4, A_GAIN = 8 };

static const struct word {
    const char *name;
    int what;
    rv_initializer is; /* all of it for a method, else the one field */
} words[] = {
    {"auto", A_METHOD, {RV_NORMAL, RV_FAN_IN, SQRT_2, 0, true}},
    {"he", A_METHOD, {RV_NORMAL, RV_FAN_IN, SQRT_2, 0, false}},
    {"xavier", A_METHOD, {RV_UNIFORM, RV_FAN_AVERAGE, 1, 0, false}},
    {"glorot", A_METHOD, {RV_UNIFORM, RV_FAN_AVERAGE, 1, 0, false}},
    {"lecun", A_METHOD, {RV_NORMAL, RV_FAN_IN, 1, 0, false}},
    {"normal", A_DISTRIBUTION, {.distribution = RV_NORMAL}},
    {"uniform", A_DISTRIBUTION, {.distribution = RV_UNIFORM}},
    {"truncated", A_DISTRIBUTION, {.distribution = RV_TRUNCATED_NORMAL}},
    {"in", A_FAN, {.fan = RV_FAN_IN}},
    {"out", A_FAN, {.fan = RV_FAN_OUT}},
    {"average", A_FAN, {.fan = RV_FAN_AVERAGE}},
    {"linear", A_GAIN, {.gain = 1}},
    {"logistic", A_GAIN, {.gain = 4}},
    {"sigmoid", A_GAIN, {.gain = 4}},
    {"tanh", A_GAIN, {.gain = 1}},
    {"relu", A_GAIN, {.gain = SQRT_2}},
};

enum { N_WORDS = sizeof words / sizeof words[0], LONGEST_WORD = 16 };

/* The word of that name among those that settle one of `what`. */
static rv_status find_word(const struct word **out, const char *name, int what, const char *text)
{
    const char *names[N_WORDS];
    size_t n = 0;
    for (size_t i = 0; i < N_WORDS; i++) {
        if ((words[i].what & what) != 0) {
            names[n++] = words[i].name;
            if (strcmp(name, words[i].name) == 0) {
                *out = &words[i];
                return RV_OK;
            }
        }
    }
    return rv_fail(RV_ERR_USAGE, "there is no initialiser '%.60s': no '%s'; the nearest is '%s'",
                   text, name, names[rv_nearest(name, names, n)]);
}

static void settle(rv_initializer *by, const struct word *word)
{
    switch (word->what) {
    case A_METHOD:
        *by = word->is;
        break;
    case A_DISTRIBUTION:
        by->distribution = word->is.distribution;
        break;
    case A_FAN:
        by->fan = word->is.fan;
        break;
    default:
        by->gain = word->is.gain;
        by->by_unit = false;
    }
}

/* Copies the next word; *at is moved behind it and its "-". */
static void next_word(char out[LONGEST_WORD], const char **at)
{
    const size_t n = strcspn(*at, "-");
    snprintf(out, LONGEST_WORD, "%.*s", (int)(n < LONGEST_WORD ? n : LONGEST_WORD - 1), *at);
    *at += n + ((*at)[n] == '-');
}

rv_status rv_initializer_find(rv_initializer *out, const char *text)
{
    rv_initializer by = RV_INITIALIZER_HE;
    char name[LONGEST_WORD];
    const char *at = text;
    const struct word *word;
    next_word(name, &at);
    RV_TRY(find_word(&word, name, A_METHOD | A_DISTRIBUTION, text));
    settle(&by, word);
    if (word->what == A_DISTRIBUTION) {
        RV_TRY(
            rv_parse_double(&by.deviation, at, 1e-9, 1e9, "the deviation behind a distribution"));
        *out = by;
        return RV_OK;
    }
    for (int settled = 0; *at != '\0'; settled |= word->what) {
        next_word(name, &at);
        RV_TRY(find_word(&word, name, A_DISTRIBUTION | A_FAN | A_GAIN, text));
        if ((settled & word->what) != 0) {
            return rv_fail(RV_ERR_USAGE, "the initialiser '%.60s' says twice what '%s' says", text,
                           name);
        }
        settle(&by, word);
    }
    *out = by;
    return RV_OK;
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

/* Whether the first that reads what a node gives, norms and pooling and sums aside, is a unit that halves. */
static bool is_halved(const rv_graph *graph, int node)
{
    rv_value value = rv_graph_node_output(graph, node, 0);
    for (int i = node + 1; i < rv_graph_node_count(graph); i++) {
        const rv_node *n = rv_graph_node(graph, i);
        bool reads = false;
        for (int k = 0; k < n->n_in && !reads; k++) {
            reads = rv_graph_node_inputs(graph, i)[k] == value;
        }
        if (reads && ((n->op->traits & RV_OP_HALVES) != 0 || n->op->param_init[0] == RV_INIT_HE)) {
            return (n->op->traits & RV_OP_HALVES) != 0;
        }
        value = reads ? rv_graph_node_output(graph, i, 0) : value;
    }
    return false;
}

static double deviation_of(const rv_initializer *by, const rv_param *p, bool halved)
{
    const double gain = by->by_unit && !halved ? 1 : by->gain;
    const double in = p->fan_in > 0 ? p->fan_in : 1, out = p->fan_out > 0 ? p->fan_out : 1;
    const double fan = by->fan == RV_FAN_IN ? in : by->fan == RV_FAN_OUT ? out : 0.5 * (in + out);
    return by->deviation > 0 ? by->deviation : gain / sqrt(fan);
}

static float fixed_value(rv_init init)
{
    return init == RV_INIT_ONE ? 1.0f : init == RV_INIT_QUARTER ? 0.25f : 0.0f;
}

/* @param halved  the unit behind halves */
static rv_status initialize(rv_param *p, const rv_initializer *by, bool halved, uint32_t seed,
                            uint32_t stream)
{
    static const double widths[RV_DISTRIBUTIONS] = {1, SQRT_3, 1 / TRUNCATED_DEVIATION};
    if (p == NULL || p->data != NULL || p->lent != NULL) {
        return RV_OK;
    }
    by = p->by.gain > 0 ? &p->by : by;
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
              .factor = (float)(widths[by->distribution] * deviation_of(by, p, halved)),
              .seed = seed,
              .stream = stream};
    return rv_parallel_for((count + DRAWN_AT_ONCE - 1) / DRAWN_AT_ONCE, 0, draw_chunk, &d);
}

rv_status rv_graph_initialize_by(rv_graph *graph, const rv_initializer *initializer, uint32_t seed)
{
    for (int node = 0; node < rv_graph_node_count(graph); node++) {
        const bool halved = is_halved(graph, node);
        for (int i = 0; i < RV_MAX_PARAMS; i++) {
            RV_TRY(initialize(rv_graph_param(graph, node, i), initializer, halved, seed,
                              (uint32_t)(node * RV_MAX_PARAMS + i)));
        }
        for (int i = 0; i < RV_MAX_STATE; i++) {
            RV_TRY(initialize(rv_graph_state(graph, node, i), initializer, halved, seed, 0));
        }
    }
    return RV_OK;
}

rv_status rv_graph_initialize(rv_graph *graph, uint32_t seed)
{
    const rv_initializer he = RV_INITIALIZER_HE;
    return rv_graph_initialize_by(graph, &he, seed);
}
