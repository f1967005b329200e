/* Lays the steps of a plan in a row, and finds what memory each of them needs. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "graph/internal.h"

#include <limits.h>

/* --- steps ----------------------------------------------------------------------------------- */

/* State that forward changes must not be changed twice: with e->again it is not, but then the numbers
 * have to come from what was saved for backward. What is merged repeats with its maker. What is made of parts stays, as
 * these have no other place. */
bool rv_plan_can_repeat(const rv_plan *plan, const rv_plan_node *p)
{
    if (p->merged && !rv_plan_can_repeat(plan, &plan->nodes[plan->values[p->in[0]].producer])) {
        return false;
    }
    if (p->node.placed != 0) {
        return false;
    }
    return p->node.op->n_state == 0 || plan->mode == RV_INFER || rv_runs_backward(p);
}

static bool has_given_or_wanted_output(const rv_plan *plan, const rv_plan_node *p)
{
    for (int k = 0; k < p->node.n_out; k++) {
        if (plan->values[p->out[k]].output) {
            return true;
        }
    }
    return false;
}

/* Whether backward of some node reads the value, which is output k of node p. */
static bool backward_reads(const rv_plan *plan, int value)
{
    const rv_plan_node *producer = &plan->nodes[plan->values[value].producer];
    if (rv_runs_backward(producer) && rv_backward_reads_output(&producer->node)) {
        return true;
    }
    for (size_t i = 0; i < plan->n_nodes; i++) {
        const rv_plan_node *p = &plan->nodes[i];
        for (int k = 0; k < p->node.n_in; k++) {
            if (p->in[k] == value && rv_runs_backward(p) && rv_backward_reads_input(&p->node)) {
                return true;
            }
        }
    }
    return false;
}

void rv_plan_keep_all(rv_plan *plan)
{
    for (size_t i = 0; i < plan->n_nodes; i++) {
        rv_plan_node *p = &plan->nodes[i];
        p->pack_on_use = false;
        p->kept = has_given_or_wanted_output(plan, p) || !rv_plan_can_repeat(plan, p);
        for (int k = 0; k < p->node.n_out; k++) {
            p->kept = p->kept || backward_reads(plan, p->out[k]);
        }
    }
}

static rv_status add_step(rv_plan *plan, int node, rv_step_kind kind)
{
    RV_TRY(rv_grow(&plan->steps, &plan->steps_capacity, plan->n_steps + 1, sizeof *plan->steps,
                   "plan steps"));
    plan->nodes[node].at[kind] = (int)plan->n_steps;
    plan->steps[plan->n_steps++] = (rv_step){node, kind};
    return RV_OK;
}

/* Has the value computed again unless it is still there; first what that takes, and so on down to
 * what was kept. */
static rv_status bring_back(rv_plan *plan, int value)
{
    const int producer = plan->values[value].producer;
    if (producer < 0 || plan->nodes[producer].kept ||
        plan->nodes[producer].at[RV_STEP_AGAIN] >= 0) {
        return RV_OK;
    }
    const rv_plan_node *p = &plan->nodes[producer];
    for (int k = 0; k < p->node.n_in; k++) {
        RV_TRY(bring_back(plan, p->in[k]));
    }
    return add_step(plan, producer, RV_STEP_AGAIN);
}

static rv_status add_backward(rv_plan *plan, int node)
{
    const rv_plan_node *p = &plan->nodes[node];
    for (int k = 0; rv_backward_reads_input(&p->node) && k < p->node.n_in; k++) {
        RV_TRY(bring_back(plan, p->in[k]));
    }
    for (int k = 0; rv_backward_reads_output(&p->node) && k < p->node.n_out; k++) {
        RV_TRY(bring_back(plan, p->out[k]));
    }
    return add_step(plan, node, RV_STEP_BACKWARD);
}

static rv_status add_steps(rv_plan *plan)
{
    plan->n_steps = 0;
    for (size_t i = 0; i < plan->n_nodes; i++) {
        for (int kind = 0; kind < RV_STEP_KINDS; kind++) {
            plan->nodes[i].at[kind] = -1;
        }
    }
    for (int i = 0; i < (int)plan->n_nodes; i++) {
        RV_TRY(add_step(plan, i, RV_STEP_FORWARD));
    }
    for (int i = (int)plan->n_nodes - 1; i >= 0; i--) {
        if (rv_runs_backward(&plan->nodes[i])) {
            RV_TRY(add_backward(plan, i));
        }
    }
    return RV_OK;
}

/* --- lives ----------------------------------------------------------------------------------- */

/* Whether what step `at` finds of the value is what was computed again. */
static bool is_again(const rv_plan *plan, const rv_plan_value *v, int at)
{
    const int again = v->producer >= 0 ? plan->nodes[v->producer].at[RV_STEP_AGAIN] : -1;
    return again >= 0 && at >= again;
}

static void read_value(rv_plan *plan, int value, int at)
{
    rv_plan_value *v = &plan->values[value];
    int *last = is_again(plan, v, at) ? &v->again_last : &v->last;
    *last = at > *last ? at : *last;
}

static void find_last_reads(rv_plan *plan)
{
    for (size_t i = 0; i < plan->n_values; i++) {
        rv_plan_value *v = &plan->values[i];
        v->last = v->output || v->producer < 0 ? INT_MAX : -1;
        v->again_last = -1;
    }
    for (int at = 0; at < (int)plan->n_steps; at++) {
        const rv_plan_node *p = &plan->nodes[plan->steps[at].node];
        const bool backward = plan->steps[at].kind == RV_STEP_BACKWARD;
        for (int k = 0; (!backward || rv_backward_reads_input(&p->node)) && k < p->node.n_in; k++) {
            read_value(plan, p->in[k], at);
        }
        for (int k = 0; (!backward || rv_backward_reads_output(&p->node)) && k < p->node.n_out;
             k++) {
            read_value(plan, p->out[k], at);
        }
    }
}

/* --- storages -------------------------------------------------------------------------------- */

static rv_status add_storage(rv_plan *plan, int *out, size_t bytes, int first, int last)
{
    const size_t align = rv_device_alignment(plan->device);
    RV_TRY(rv_grow(&plan->storages, &plan->storages_capacity, plan->n_storages + 1,
                   sizeof *plan->storages, "plan memory"));
    plan->storages[plan->n_storages] =
        (rv_storage){(bytes + align - 1) / align * align, first, last, -1, 0, NULL};
    *out = (int)plan->n_storages++;
    return RV_OK;
}

/* Lengthens the life of a storage to cover `step`. */
static void need(rv_plan *plan, int storage, int step)
{
    rv_storage *s = &plan->storages[storage];
    s->first = step < s->first ? step : s->first;
    s->last = step > s->last ? step : s->last;
}

static bool persistent(const rv_plan *plan, int storage)
{
    return plan->storages[storage].last == INT_MAX;
}

static bool same_memory(const rv_tensor *a, const rv_tensor *b)
{
    return a->layout == b->layout && rv_tensor_floats(a) == rv_tensor_floats(b);
}

/* Whether input 0 is another input of its node as well: then the node reads it, or adds to its
 * gradient, after it wrote output 0, or that gradient. */
static bool reads_first_twice(const rv_plan_node *p)
{
    for (int k = 1; k < p->node.n_in; k++) {
        if (p->in[k] == p->in[0]) {
            return true;
        }
    }
    return false;
}

/* Output 0 may take the memory of input 0 where nobody reads that later. */
static bool may_overwrite_input(const rv_plan *plan, const rv_plan_node *p, int at)
{
    if (p->node.n_in == 0 || !rv_has_trait(p, RV_OP_INPLACE) || reads_first_twice(p)) {
        return false;
    }
    const rv_plan_value *in = &plan->values[p->in[0]], *out = &plan->values[p->out[0]];
    const int last = is_again(plan, in, at) ? in->again_last : in->last;
    return last == at && in->producer >= 0 && same_memory(&in->tensor, &out->tensor);
}

/* What is computed as a part of another value lies in its storage, which begins with the first of them. */
static rv_status store_part(rv_plan *plan, rv_plan_value *part, int at)
{
    rv_plan_value *whole = &plan->values[part->whole];
    if (whole->storage < 0) {
        RV_TRY(
            add_storage(plan, &whole->storage, rv_tensor_bytes(&whole->tensor), at, whole->last));
    }
    part->storage = whole->storage;
    need(plan, part->storage, part->last);
    return RV_OK;
}

/* Memory of what a step computes forward, for the first time or again. */
static rv_status store_outputs(rv_plan *plan, int at)
{
    const bool again = plan->steps[at].kind == RV_STEP_AGAIN;
    const rv_plan_node *p = &plan->nodes[plan->steps[at].node];
    for (int k = 0; k < p->node.n_out; k++) {
        rv_plan_value *out = &plan->values[p->out[k]];
        int *storage = again ? &out->again_storage : &out->storage;
        const int last = again ? out->again_last : out->last;
        if (rv_plan_is_loss(plan, p->out[k])) {
            continue; /* these lie together, to be read at once */
        }
        if (out->whole >= 0) {
            RV_TRY(store_part(plan, out, at));
        } else if (*storage >= 0) {
            need(plan, *storage, last); /* its first part came before */
        } else if (k == 0 && may_overwrite_input(plan, p, at)) {
            const rv_plan_value *in = &plan->values[p->in[0]];
            *storage = is_again(plan, in, at) ? in->again_storage : in->storage;
            need(plan, *storage, last);
        } else {
            RV_TRY(add_storage(plan, storage, rv_tensor_bytes(&out->tensor), at, last));
        }
    }
    return RV_OK;
}

static rv_status store_activations(rv_plan *plan)
{
    for (size_t v = 0; v < plan->n_values; v++) {
        rv_plan_value *value = &plan->values[v];
        if (value->producer < 0) {
            RV_TRY(add_storage(plan, &value->storage, rv_tensor_bytes(&value->tensor), 0, INT_MAX));
        }
    }
    for (int at = 0; at < (int)plan->n_steps; at++) {
        if (plan->steps[at].kind != RV_STEP_BACKWARD) {
            RV_TRY(store_outputs(plan, at));
        }
    }
    return RV_OK;
}

/* Memory of the gradient of input k of node i: that of d_out[0] where backward may overwrite it. */
static rv_status store_gradient(rv_plan *plan, int i, int k)
{
    const rv_plan_node *p = &plan->nodes[i];
    rv_plan_value *in = &plan->values[p->in[k]];
    const rv_plan_value *out = &plan->values[p->out[0]];
    const int first = p->at[RV_STEP_BACKWARD];
    const int last = in->gradient_output ? INT_MAX : plan->nodes[in->producer].at[RV_STEP_BACKWARD];
    if (in->gradient_whole >= 0) {
        in->gradient_storage = out->gradient_storage;
        need(plan, in->gradient_storage, last);
        return RV_OK;
    }
    if (k == 0 && rv_has_trait(p, RV_OP_BWD_INPLACE) && !reads_first_twice(p) &&
        !in->gradient_output && out->gradient_storage >= 0 &&
        !persistent(plan, out->gradient_storage) && same_memory(&in->tensor, &out->tensor)) {
        in->gradient_storage = out->gradient_storage;
        need(plan, in->gradient_storage, last);
        return RV_OK;
    }
    return add_storage(plan, &in->gradient_storage, rv_tensor_bytes(&in->tensor),
                       in->gradient_output ? 0 : first, last);
}

static rv_status store_gradients(rv_plan *plan)
{
    for (int i = (int)plan->n_nodes - 1; i >= 0; i--) {
        const rv_plan_node *p = &plan->nodes[i];
        for (int k = 0; k < p->node.n_in; k++) {
            const bool wanted = (p->node.wanted & RV_WANT_INPUT(k)) != 0;
            if (wanted && plan->values[p->in[k]].gradient_storage < 0) {
                RV_TRY(store_gradient(plan, i, k));
            }
        }
    }
    return RV_OK;
}

static rv_status store_packed(rv_plan *plan, rv_plan_node *p)
{
    const size_t bytes[] = {p->node.packed_bytes, p->node.packed_bytes, p->node.packed_back_bytes};
    for (int kind = 0; kind < RV_STEP_KINDS; kind++) {
        const int at = p->at[kind];
        if (at < 0 || bytes[kind] == 0) {
            continue;
        }
        if (p->pack_on_use) {
            RV_TRY(add_storage(plan, &p->packed[kind], bytes[kind], at, at));
        } else if (kind == RV_STEP_AGAIN) {
            p->packed[kind] = p->packed[RV_STEP_FORWARD];
        } else {
            RV_TRY(add_storage(plan, &p->packed[kind], bytes[kind], 0, INT_MAX));
        }
    }
    return RV_OK;
}

static rv_status store_extras(rv_plan *plan)
{
    for (size_t i = 0; i < plan->n_nodes; i++) {
        rv_plan_node *p = &plan->nodes[i];
        const rv_node *n = &p->node;
        const size_t bytes[] = {n->forward_workspace, n->forward_workspace, n->backward_workspace};
        for (int k = 0; rv_runs_backward(p) && k < n->op->n_saved; k++) {
            RV_TRY(add_storage(plan, &p->saved_storage[k], rv_tensor_bytes(&p->saved[k]),
                               p->at[RV_STEP_FORWARD], p->at[RV_STEP_BACKWARD]));
        }
        for (int kind = 0; kind < RV_STEP_KINDS; kind++) {
            if (p->at[kind] >= 0 && bytes[kind] > 0) {
                RV_TRY(
                    add_storage(plan, &p->workspace[kind], bytes[kind], p->at[kind], p->at[kind]));
            }
        }
        RV_TRY(store_packed(plan, p));
        for (int k = 0; p->folds && k < 2; k++) {
            RV_TRY(add_storage(plan, &p->folded_storage[k], rv_tensor_bytes(&p->folded[k]), 0,
                               INT_MAX));
        }
    }
    return RV_OK;
}

static void forget_storages(rv_plan *plan)
{
    plan->n_storages = 0;
    for (size_t v = 0; v < plan->n_values; v++) {
        rv_plan_value *value = &plan->values[v];
        value->storage = value->again_storage = value->gradient_storage = RV_NO_STORAGE;
    }
    for (size_t i = 0; i < plan->n_nodes; i++) {
        rv_plan_node *p = &plan->nodes[i];
        for (int k = 0; k < RV_MAX_SAVED; k++) {
            p->saved_storage[k] = RV_NO_STORAGE;
        }
        p->folded_storage[0] = p->folded_storage[1] = RV_NO_STORAGE;
        for (int kind = 0; kind < RV_STEP_KINDS; kind++) {
            p->workspace[kind] = p->packed[kind] = RV_NO_STORAGE;
        }
    }
}

rv_status rv_plan_schedule(rv_plan *plan)
{
    forget_storages(plan);
    RV_TRY(add_steps(plan));
    find_last_reads(plan);
    RV_TRY(store_activations(plan));
    RV_TRY(store_gradients(plan));
    return store_extras(plan);
}
