/* Plays a plan through without running it, to see that no step finds its memory overwritten. */
/* SPDX-License-Identifier: MIT */
#include "play.h"

#include "build.h"
#include "graph/internal.h"
#include "support/assert.h"

enum { MAX_PIECES = 256 };

/* A piece of memory that holds something now. */
typedef struct piece {
    int storage;
    int id;
} piece;

typedef struct play {
    piece pieces[MAX_PIECES];
    int n;
} play;

static bool overlap(int a, int b)
{
    const rv_storage *x = &plan->storages[a], *y = &plan->storages[b];
    return a >= 0 && b >= 0 && x->arena == y->arena && x->offset < y->offset + y->bytes &&
           y->offset < x->offset + x->bytes;
}

/* Ids: tensors, gradients, saved tensors. */
static int tensor_id(int value)
{
    return 2 * value;
}
static int gradient_id(int value)
{
    return 2 * value + 1;
}
static int saved_id(int node, int k)
{
    return 100000 + node * RV_MAX_SAVED + k;
}
/* Forward and again share what is packed once. */
static int packed_id(int node, rv_step_kind kind)
{
    return 200000 + 2 * node + (kind == RV_STEP_BACKWARD);
}

/* What lay where is gone. */
static void writes(play *p, int storage, int id)
{
    int kept = 0;
    for (int i = 0; i < p->n && storage >= 0; i++) {
        if (!overlap(p->pieces[i].storage, storage)) {
            p->pieces[kept++] = p->pieces[i];
        }
    }
    if (storage >= 0) {
        p->n = kept;
        cr_assert_lt(p->n, MAX_PIECES);
        p->pieces[p->n++] = (piece){storage, id};
    }
}

static bool holds(const play *p, int storage, int id)
{
    for (int i = 0; i < p->n; i++) {
        if (p->pieces[i].storage == storage && p->pieces[i].id == id) {
            return true;
        }
    }
    return storage < 0; /* losses lie apart */
}

static void reads(const play *p, int storage, int id, const char *node, const char *what)
{
    cr_assert(holds(p, storage, id), "'%s' would read its %s, which something else lies on by then",
              node, what);
}

/* A step may write over what it reads only where the operation says so. */
static void apart(int written, int read, const char *node)
{
    cr_assert(!overlap(written, read), "'%s' would write over what it reads", node);
}

/* Where a step that comes `at` finds the value. */
static int storage_at(int value, int at)
{
    const rv_plan_value *v = &plan->values[value];
    const int again = v->producer >= 0 ? plan->nodes[v->producer].at[RV_STEP_AGAIN] : -1;
    return again >= 0 && at >= again ? v->again_storage : v->storage;
}

static void play_forward(play *p, int at)
{
    const rv_plan_node *n = &plan->nodes[plan->steps[at].node];
    const rv_step_kind kind = plan->steps[at].kind;
    const char *name = n->node.name;
    const bool inplace = (n->node.op->traits & RV_OP_INPLACE) != 0;
    if (n->pack_on_use) {
        writes(p, n->packed[kind], packed_id(plan->steps[at].node, kind));
    }
    reads(p, n->packed[kind], packed_id(plan->steps[at].node, kind), name, "packed parameters");
    for (int k = 0; k < n->node.n_in; k++) {
        const int from = storage_at(n->in[k], at);
        reads(p, from, tensor_id(n->in[k]), name, "input");
        apart(n->workspace[kind], from, name);
        apart(n->packed[kind], from, name);
        for (int o = 0; o < n->node.n_out; o++) {
            if (!(inplace && k == 0 && o == 0)) {
                apart(storage_at(n->out[o], at), from, name);
            }
        }
    }
    writes(p, n->workspace[kind], -1);
    for (int k = 0; k < RV_MAX_SAVED; k++) {
        writes(p, n->saved_storage[k], saved_id(plan->steps[at].node, k));
    }
    for (int o = 0; o < n->node.n_out; o++) {
        const int to = storage_at(n->out[o], at);
        apart(n->workspace[kind], to, name);
        apart(n->packed[kind], to, name);
        writes(p, to, tensor_id(n->out[o]));
    }
}

static void backward_reads(const play *p, int at, int *list, int *n_list)
{
    const rv_plan_node *n = &plan->nodes[plan->steps[at].node];
    const uint32_t traits = n->node.op->traits;
    const char *name = n->node.name;
    for (int k = 0; k < n->node.n_in && rv_backward_reads_input(&n->node); k++) {
        list[(*n_list)++] = storage_at(n->in[k], at);
        reads(p, storage_at(n->in[k], at), tensor_id(n->in[k]), name, "input in backward");
    }
    for (int k = 0; k < n->node.n_out; k++) {
        const rv_plan_value *out = &plan->values[n->out[k]];
        if (rv_backward_reads_output(&n->node)) {
            list[(*n_list)++] = storage_at(n->out[k], at);
            reads(p, storage_at(n->out[k], at), tensor_id(n->out[k]), name, "output in backward");
        }
        reads(p, out->gradient_storage, gradient_id(n->out[k]), name, "output's gradient");
        if (k > 0 || (traits & RV_OP_BWD_INPLACE) == 0) {
            list[(*n_list)++] = out->gradient_storage;
        }
    }
    for (int k = 0; k < RV_MAX_SAVED; k++) {
        list[(*n_list)++] = n->saved_storage[k];
        reads(p, n->saved_storage[k], saved_id(plan->steps[at].node, k), name, "saved tensor");
    }
    list[(*n_list)++] = n->packed[RV_STEP_BACKWARD];
    reads(p, n->packed[RV_STEP_BACKWARD], packed_id(plan->steps[at].node, RV_STEP_BACKWARD), name,
          "packed parameters");
}

static void play_backward(play *p, int at)
{
    const rv_plan_node *n = &plan->nodes[plan->steps[at].node];
    const int workspace = n->workspace[RV_STEP_BACKWARD];
    int list[64], n_list = 0;
    if (n->pack_on_use) {
        writes(p, n->packed[RV_STEP_BACKWARD], packed_id(plan->steps[at].node, RV_STEP_BACKWARD));
    }
    backward_reads(p, at, list, &n_list);
    for (int r = 0; r < n_list; r++) {
        apart(workspace, list[r], n->node.name);
    }
    writes(p, workspace, -1);
    for (int k = 0; k < n->node.n_in; k++) {
        if ((n->node.wanted & RV_WANT_INPUT(k)) == 0) {
            continue;
        }
        const int to = plan->values[n->in[k]].gradient_storage;
        for (int r = 0; r < n_list; r++) {
            apart(to, list[r], n->node.name);
        }
        if (k > 0) { /* only the first gradient may lie over that of the output */
            apart(to, plan->values[n->out[0]].gradient_storage, n->node.name);
        }
        apart(workspace, to, n->node.name);
        if ((n->accumulate & RV_WANT_INPUT(k)) != 0) {
            reads(p, to, gradient_id(n->in[k]), n->node.name, "gradient to add to");
        }
        writes(p, to, gradient_id(n->in[k]));
    }
}

/* What lies there from before the first run. */
static void begin(play *p)
{
    for (size_t v = 0; v < plan->n_values; v++) {
        if (plan->values[v].producer < 0) {
            writes(p, plan->values[v].storage, tensor_id((int)v));
        }
    }
    for (int i = 0; i < (int)plan->n_nodes; i++) {
        for (int kind = 0; kind < RV_STEP_KINDS && !plan->nodes[i].pack_on_use; kind++) {
            writes(p, plan->nodes[i].packed[kind], packed_id(i, kind));
        }
    }
}

void play_plan(void)
{
    play p = {.n = 0};
    begin(&p);
    for (int run = 0; run < 2; run++) {
        for (int at = 0; at < (int)plan->n_steps; at++) {
            if (plan->steps[at].kind == RV_STEP_BACKWARD) {
                play_backward(&p, at);
            } else {
                play_forward(&p, at);
            }
        }
        for (size_t v = 0; v < plan->n_values; v++) {
            const rv_plan_value *value = &plan->values[v];
            if (value->output || value->producer < 0) {
                reads(&p, value->storage, tensor_id((int)v), "the caller", "output");
            }
            if (value->gradient_output) {
                reads(&p, value->gradient_storage, gradient_id((int)v), "the caller", "gradient");
            }
        }
    }
}
