/* Leaves out nodes whose work the node before them does too: rectifiers, and in inference affine maps per channel. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "graph/internal.h"

#include <stdlib.h>

int rv_plan_count_reads(const rv_plan *plan, int value)
{
    int n = 0;
    for (size_t i = 0; i < plan->n_nodes; i++) {
        for (int k = 0; k < plan->nodes[i].node.n_in; k++) {
            n += plan->nodes[i].in[k] == value;
        }
    }
    return n;
}

/* The same of all values. */
static void count_readers(const rv_plan *plan, int *readers)
{
    for (size_t i = 0; i < plan->n_nodes; i++) {
        const rv_plan_node *p = &plan->nodes[i];
        for (int k = 0; k < p->node.n_in; k++) {
            readers[p->in[k]]++;
        }
    }
}

/* The node that makes what p takes, if nobody else sees that; NULL otherwise. */
static rv_plan_node *maker_of(const rv_plan *plan, const rv_plan_node *p, const int *readers)
{
    const rv_plan_value *in = &plan->values[p->in[0]];
    const bool seen = in->output || readers[p->in[0]] != 1;
    return p->node.n_in == 1 && in->producer >= 0 && !seen ? &plan->nodes[in->producer] : NULL;
}

/* The maker's output becomes p's: p has nothing left to do. */
static void leave_out(rv_plan *plan, rv_plan_node *p, rv_plan_node *maker)
{
    maker->out[0] = p->out[0];
    plan->values[p->out[0]].producer = (int)(maker - plan->nodes);
    p->left_out = true;
}

/* --- rectifiers ------------------------------------------------------------------------------ */

/* What backward of the maker or of the rectifier reads has to exist, and a backward of the rectifier's own be done by
 * itself. */
static bool may_rectify(const rv_plan_node *maker, const rv_plan_node *p)
{
    if (rv_runs_backward(p) && p->node.guided) {
        return false;
    }
    const bool maker_reads = rv_runs_backward(maker) && rv_has_trait(maker, RV_OP_BWD_READS_OUTPUT);
    const bool reads = rv_runs_backward(p) && rv_backward_reads_input(&p->node);
    return rv_has_trait(maker, RV_OP_RECTIFIES) && maker->node.slope == 1 && !maker_reads && !reads;
}

/* The one node that takes p's output and hands gradients on to single values of it, so that it can rectify
 * them as p would; NULL: there is none, or others take that output too. */
static rv_plan_node *selector_of(const rv_plan *plan, const rv_plan_node *p, const int *readers)
{
    const rv_plan_value *out = &plan->values[p->out[0]];
    for (size_t i = 0; i < plan->n_nodes && !out->output && readers[p->out[0]] == 1; i++) {
        rv_plan_node *reader = &plan->nodes[i];
        if (reader->node.n_in == 1 && reader->in[0] == p->out[0]) {
            return rv_has_trait(reader, RV_OP_SELECTS) ? reader : NULL;
        }
    }
    return NULL;
}

/* --- gates ------------------------------------------------------------------------------------ */

/* The node that writes the gradient of a value last, by way of its input *k alone: nodes run backward from last to first.
 * NULL: there is none. */
static rv_plan_node *last_writer(rv_plan *plan, int value, int *k)
{
    for (size_t i = 0; i < plan->n_nodes; i++) {
        rv_plan_node *p = &plan->nodes[i];
        int times = 0;
        for (int j = 0; j < p->node.n_in && !p->left_out; j++) {
            if (p->in[j] == value && (p->node.wanted & RV_WANT_INPUT(j)) != 0) {
                *k = j;
                times++;
            }
        }
        if (times > 0) {
            return times == 1 ? p : NULL;
        }
    }
    return NULL;
}

/* What an operation is asked with before the plan's tensors have their places. */
static void show_values(rv_plan *plan, rv_plan_node *p)
{
    for (int k = 0; k < p->node.n_in; k++) {
        p->node.in[k] = &plan->values[p->in[k]].tensor;
    }
    for (int k = 0; k < p->node.n_out; k++) {
        p->node.out[k] = &plan->values[p->out[k]].tensor;
    }
}

/* Whether a gate that takes a joint's rectifiers back has its node read, beside all else, a value that is among the
 * largest: then more has to live at a time than with steps of their own. */
static bool takes_memory(const rv_plan *plan, int value)
{
    size_t largest = 0;
    for (size_t v = 0; v < plan->n_values; v++) {
        const size_t bytes = rv_tensor_bytes(&plan->values[v].tensor);
        largest = bytes > largest ? bytes : largest;
    }
    return 3 * rv_tensor_bytes(&plan->values[value].tensor) > largest;
}

/* Has whoever writes the gradient of a rectified value last make it that of what it was before. A single rectifier is
 * nothing to keep a value for: that its backward is done by another saves less than memory is worth. */
static bool take_gate(rv_plan *plan, int value, float slope, bool of_joint)
{
    int k = 0;
    rv_plan_node *p = last_writer(plan, value, &k);
    if (p == NULL || p->node.op->gates == NULL || (p->node.gated != 0 && p->node.gate != slope)) {
        return false;
    }
    if (!rv_backward_reads_input(&p->node) && !rv_has_trait(p, RV_OP_JOINS) &&
        (!of_joint || takes_memory(plan, value))) {
        return false;
    }
    show_values(plan, p);
    if (!p->node.op->gates(&p->node, plan->device)) {
        return false;
    }
    p->node.gated |= RV_WANT_INPUT(k);
    p->node.gate = slope;
    return true;
}

/* Where all inputs of a joint are rectified alike, so is what it joins. */
static void lift_gates(rv_plan *plan, rv_plan_node *p, const int *readers)
{
    const uint32_t all = RV_WANT_INPUT(p->node.n_in) - 1;
    if (!rv_has_trait(p, RV_OP_JOINS) || p->node.gated != all || p->accumulate != 0) {
        return;
    }
    rv_plan_node *selector = selector_of(plan, p, readers);
    if (selector != NULL && rv_runs_backward(selector)) {
        selector->node.slope = p->node.gate;
        p->node.gated = 0;
    } else if (take_gate(plan, p->out[0], p->node.gate, true)) {
        p->node.gated = 0;
    }
}

/* Its input's layout is its output's: where its backward stays, the pair shares memory, since it may be done in
 * place. */
static void merge_rectifier(rv_plan *plan, rv_plan_node *p, const int *readers)
{
    rv_plan_node *maker = maker_of(plan, p, readers);
    float slope;
    if (maker == NULL || p->node.op->rectifier == NULL || !rv_has_trait(p, RV_OP_INPLACE) ||
        !p->node.op->rectifier(&p->node, &slope) || !may_rectify(maker, p)) {
        return;
    }
    maker->node.slope = slope;
    rv_plan_node *selector = selector_of(plan, p, readers);
    if (rv_runs_backward(p) && !rv_has_trait(maker, RV_OP_BWD_RECTIFIES) && selector != NULL) {
        selector->node.slope = slope;
        leave_out(plan, p, maker);
    } else if (!rv_runs_backward(p) || rv_has_trait(maker, RV_OP_BWD_RECTIFIES) ||
               take_gate(plan, p->out[0], slope, false)) {
        leave_out(plan, p, maker);
    } else {
        p->merged = true;
    }
}

/* --- affine maps per channel ----------------------------------------------------------------- */

static bool wants_params(const rv_plan_node *p)
{
    return (p->node.wanted & ~(RV_WANT_INPUT(RV_MAX_INPUTS) - 1)) != 0;
}

static rv_status fold_affine(rv_plan *plan, rv_plan_node *p, const int *readers)
{
    rv_plan_node *maker = maker_of(plan, p, readers);
    if (plan->mode != RV_INFER || p->node.op->fold == NULL || maker == NULL ||
        !rv_has_trait(maker, RV_OP_FOLDS) || maker->node.slope != 1 || wants_params(maker) ||
        wants_params(p)) {
        return RV_OK;
    }
    RV_TRY(rv_grow(&plan->folds, &plan->folds_capacity, plan->n_folds + 1, sizeof *plan->folds,
                   "plan nodes"));
    plan->folds[plan->n_folds++] = (rv_plan_fold){*p, (int)(maker - plan->nodes), !maker->folds};
    leave_out(plan, p, maker);
    p->memory = NULL; /* the fold's by now */
    maker->folds = true;
    return RV_OK;
}

/* --- all ------------------------------------------------------------------------------------- */

/* Closes the gaps; moved[i] is the new number of node i. */
static void close_gaps(rv_plan *plan, int *moved)
{
    size_t kept = 0;
    for (size_t i = 0; i < plan->n_nodes; i++) {
        moved[i] = (int)kept;
        if (plan->nodes[i].left_out) {
            free(plan->nodes[i].memory);
        } else {
            plan->nodes[kept++] = plan->nodes[i];
        }
    }
    plan->n_nodes = kept;
    for (size_t v = 0; v < plan->n_values; v++) {
        rv_plan_value *value = &plan->values[v];
        value->producer = value->producer >= 0 ? moved[value->producer] : -1;
    }
    for (size_t i = 0; i < plan->n_folds; i++) {
        plan->folds[i].maker = moved[plan->folds[i].maker];
    }
}

rv_status rv_plan_fuse(rv_plan *plan)
{
    const size_t n = plan->n_values > plan->n_nodes ? plan->n_values : plan->n_nodes;
    int *numbers;
    RV_TRY(rv_alloc(&numbers, n + 1, sizeof *numbers, "plan"));
    count_readers(plan, numbers);
    rv_status status = RV_OK;
    for (size_t i = 0; i < plan->n_nodes && status == RV_OK; i++) {
        status = fold_affine(plan, &plan->nodes[i], numbers);
        if (status == RV_OK && !plan->nodes[i].left_out) {
            merge_rectifier(plan, &plan->nodes[i], numbers);
        }
    }
    for (size_t i = 0; i < plan->n_nodes && status == RV_OK; i++) {
        lift_gates(plan, &plan->nodes[i], numbers);
    }
    if (status == RV_OK) {
        close_gaps(plan, numbers);
    }
    free(numbers);
    return status;
}

/* --- folded parameters ----------------------------------------------------------------------- */

/* The parameters of a node with all that follows folded in: from its own by the first map, then in place. */
rv_status rv_plan_fold_params(rv_plan *plan)
{
    for (size_t i = 0; i < plan->n_folds; i++) {
        const rv_node *affine = &plan->folds[i].affine.node;
        rv_plan_node *maker = &plan->nodes[plan->folds[i].maker];
        rv_tensor *from[2] = {&maker->folded[0], &maker->folded[1]};
        for (int k = 0; plan->folds[i].first && k < 2; k++) {
            from[k] = rv_params_tensor(plan->params, maker->graph_node, k);
        }
        RV_TRY(affine->op->fold(affine, plan->device, maker->folded, from));
    }
    return RV_OK;
}
