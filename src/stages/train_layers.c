/* Layers by name: which stay as they are, and which learn at a rate of their own. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "stages/train_run.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NAME = 128 };

/* --- names ----------------------------------------------------------------------------------- */

/* Copies the next part of "a,b,c" without spaces around it. @return false at the end */
static bool next_part(char out[MAX_NAME], const char **text)
{
    const char *start = *text + strspn(*text, ", ");
    size_t n = strcspn(start, ",");
    *text = start + n;
    while (n > 0 && start[n - 1] == ' ') {
        n--;
    }
    snprintf(out, MAX_NAME, "%.*s", (int)(n < MAX_NAME ? n : MAX_NAME - 1), start);
    return n > 0;
}

/* @return how many nodes fit */
static int for_matching(const rv_train_run *run, const char *pattern,
                        void (*visit)(void *payload, int node), void *payload)
{
    int found = 0;
    for (int i = 0; i < rv_graph_node_count(run->graph.graph); i++) {
        if (fnmatch(pattern, rv_graph_node(run->graph.graph, i)->name, 0) == 0) {
            visit(payload, i);
            found++;
        }
    }
    return found;
}

static rv_status fail_no_layer(const char *pattern)
{
    return rv_fail(RV_ERR_USAGE, "no layer is called '%s'; `reverie models info` lists them",
                   pattern);
}

/* --- what stays ------------------------------------------------------------------------------ */

static void mark(void *payload, int node)
{
    ((bool *)payload)[node] = true;
}

/* All that the marked nodes up to `last` depend on. */
static void mark_below(rv_train_run *run, int last)
{
    const rv_graph *graph = run->graph.graph;
    for (int i = last; i >= 0; i--) {
        for (int k = 0; run->frozen[i] && k < rv_graph_node(graph, i)->n_in; k++) {
            const int from = rv_graph_producer(graph, rv_graph_node_inputs(graph, i)[k]);
            if (from >= 0) {
                run->frozen[from] = true;
            }
        }
    }
}

/* All that a layer depends on, and, with `itself`, the layer. */
static rv_status freeze_down(rv_train_run *run, const char *layer, bool itself)
{
    rv_value value;
    RV_TRY(rv_graph_find(run->graph.graph, &value, layer));
    const int last = rv_graph_producer(run->graph.graph, value);
    if (last >= 0) {
        const bool stays = run->frozen[last] || itself;
        run->frozen[last] = true;
        mark_below(run, last);
        run->frozen[last] = stays;
    }
    return RV_OK;
}

/* "a*,b*", or with "!" before it all but these. */
static rv_status freeze_named(rv_train_run *run, const char *text)
{
    const bool others = text[0] == '!';
    const size_t n = (size_t)rv_graph_node_count(run->graph.graph);
    char pattern[MAX_NAME];
    bool *named;
    RV_TRY(rv_alloc(&named, n, sizeof *named, "layers"));
    rv_status status = RV_OK;
    for (text += others; status == RV_OK && next_part(pattern, &text);) {
        status = for_matching(run, pattern, mark, named) > 0 ? RV_OK : fail_no_layer(pattern);
    }
    for (size_t i = 0; i < n; i++) {
        run->frozen[i] = run->frozen[i] || named[i] != others;
    }
    free(named);
    return status;
}

static bool learns_something(const rv_train_run *run)
{
    for (int i = 0; i < rv_graph_node_count(run->graph.graph); i++) {
        if (!run->frozen[i] && rv_graph_param(run->graph.graph, i, 0) != NULL) {
            return true;
        }
    }
    return false;
}

rv_status rv_train_freeze(rv_train_run *run)
{
    const rv_train_options *o = &run->options;
    rv_value later;
    if (o->unfreeze_from != NULL) {
        /* For the second phase: an unknown name is told before the first. */
        RV_TRY(rv_graph_find(run->graph.graph, &later, o->unfreeze_from));
    }
    if (o->freeze == NULL && o->freeze_until == NULL && o->freeze_below == NULL) {
        return RV_OK;
    }
    RV_TRY(rv_alloc(&run->frozen, (size_t)rv_graph_node_count(run->graph.graph),
                    sizeof *run->frozen, "layers"));
    if (o->freeze_until != NULL) {
        RV_TRY(freeze_down(run, o->freeze_until, true));
    }
    if (o->freeze_below != NULL) {
        RV_TRY(freeze_down(run, o->freeze_below, false));
    }
    if (o->freeze != NULL) {
        RV_TRY(freeze_named(run, o->freeze));
    }
    return learns_something(run)
               ? RV_OK
               : rv_fail(RV_ERR_USAGE, "all layers are frozen: nothing is left to be trained");
}

/* --- rates ----------------------------------------------------------------------------------- */

typedef struct rates {
    const rv_train_run *run;
    float factor;
    rv_status status;
} rates;

static void set_rate(void *payload, int node)
{
    rates *r = payload;
    size_t n;
    const rv_segment *segments = rv_params_segments(r->run->params, &n);
    for (size_t i = 0; i < n && r->status == RV_OK; i++) {
        if (segments[i].node == node && !segments[i].state) {
            r->status = rv_update_set_rate(r->run->update, i, r->factor);
        }
    }
}

static rv_status set_named(rates *r, char *part)
{
    char *equals = strrchr(part, '=');
    double factor;
    if (equals == NULL) {
        return rv_fail(RV_ERR_USAGE,
                       "learning rates of layers are given as in 'conv1_*=0.1', not "
                       "'%s'",
                       part);
    }
    *equals = '\0';
    RV_TRY(rv_parse_double(&factor, equals + 1, 0, 1e6, "the factor of a learning rate"));
    r->factor = (float)factor;
    return for_matching(r->run, part, set_rate, r) > 0 ? r->status : fail_no_layer(part);
}

rv_status rv_train_set_rates(rv_train_run *run)
{
    rates r = {.run = run};
    char part[MAX_NAME];
    for (const char *text = run->options.layer_rates; text != NULL && next_part(part, &text);) {
        RV_TRY(set_named(&r, part));
    }
    r.factor = 0;
    for (int i = 0; run->frozen != NULL && i < rv_graph_node_count(run->graph.graph); i++) {
        if (run->frozen[i]) {
            set_rate(&r, i);
        }
    }
    return r.status;
}
