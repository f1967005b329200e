/* Places the tensors of a plan: lifetimes over forward and backward steps, sharing, few arenas. */
/* SPDX-License-Identifier: MIT */
#include "base/memory.h"
#include "base/error.h"
#include "graph/internal.h"

#include <limits.h>
#include <stdlib.h>

static int backward_step(const rv_plan *plan, int node)
{
    return 2 * (int)plan->n_nodes - 1 - node;
}

static bool runs_backward(const rv_plan_node *p)
{
    return p->node.wanted != 0;
}

static bool has_trait(const rv_plan_node *p, uint32_t trait)
{
    return (p->node.op->traits & trait) != 0;
}

static rv_status add_storage(rv_plan *plan, int *out, size_t bytes, int first, int last)
{
    RV_TRY(rv_grow(&plan->storages, &plan->storages_capacity, plan->n_storages + 1,
                   sizeof *plan->storages, "plan memory"));
    plan->storages[plan->n_storages] = (rv_storage){bytes, first, last, -1, 0, NULL};
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

/* --- activations ----------------------------------------------------------------------------- */

/* Last step that reads each value, -1 for none. */
static void find_last_reads(const rv_plan *plan, int *last)
{
    for (size_t v = 0; v < plan->n_values; v++) {
        const rv_plan_value *value = &plan->values[v];
        last[v] = value->output || value->producer < 0 ? INT_MAX : -1;
    }
    for (size_t i = 0; i < plan->n_nodes; i++) {
        const rv_plan_node *p = &plan->nodes[i];
        const int back = backward_step(plan, (int)i);
        for (int k = 0; k < p->node.n_in; k++) {
            const bool late = runs_backward(p) && rv_backward_reads_input(&p->node);
            const int step = late ? back : (int)i;
            last[p->in[k]] = step > last[p->in[k]] ? step : last[p->in[k]];
        }
        for (int k = 0; k < p->node.n_out; k++) {
            const bool late = runs_backward(p) && has_trait(p, RV_OP_BWD_READS_OUTPUT);
            const int step = late ? back : (int)i;
            last[p->out[k]] = step > last[p->out[k]] ? step : last[p->out[k]];
        }
    }
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
static bool may_overwrite_input(const rv_plan *plan, int node, const int *last)
{
    const rv_plan_node *p = &plan->nodes[node];
    const rv_plan_value *in = &plan->values[p->in[0]], *out = &plan->values[p->out[0]];
    return has_trait(p, RV_OP_INPLACE) && last[p->in[0]] == node && in->producer >= 0 &&
           !reads_first_twice(p) && same_memory(&in->tensor, &out->tensor);
}

static rv_status store_activations(rv_plan *plan, const int *last)
{
    for (size_t v = 0; v < plan->n_values; v++) {
        rv_plan_value *value = &plan->values[v];
        if (value->producer < 0) {
            RV_TRY(add_storage(plan, &value->storage, rv_tensor_bytes(&value->tensor), 0, INT_MAX));
        }
    }
    for (size_t i = 0; i < plan->n_nodes; i++) {
        const rv_plan_node *p = &plan->nodes[i];
        for (int k = 0; k < p->node.n_out; k++) {
            rv_plan_value *out = &plan->values[p->out[k]];
            if (rv_plan_is_loss(plan, p->out[k])) {
                continue; /* these lie together, to be read at once */
            }
            if (k == 0 && p->node.n_in > 0 && may_overwrite_input(plan, (int)i, last)) {
                out->storage = plan->values[p->in[0]].storage;
                need(plan, out->storage, last[p->out[0]]);
            } else {
                RV_TRY(add_storage(plan, &out->storage, rv_tensor_bytes(&out->tensor), (int)i,
                                   last[p->out[k]]));
            }
        }
    }
    return RV_OK;
}

/* --- gradients, saved tensors, workspace ----------------------------------------------------- */

/* Memory of the gradient of input k of node i: that of d_out[0] where backward may overwrite it. */
static rv_status store_gradient(rv_plan *plan, int i, int k)
{
    const rv_plan_node *p = &plan->nodes[i];
    rv_plan_value *in = &plan->values[p->in[k]];
    const rv_plan_value *out = &plan->values[p->out[0]];
    const int first = backward_step(plan, i);
    const int last = in->gradient_output ? INT_MAX : backward_step(plan, in->producer);
    if (k == 0 && has_trait(p, RV_OP_BWD_INPLACE) && !reads_first_twice(p) &&
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

static rv_status store_extras(rv_plan *plan)
{
    for (int i = 0; i < (int)plan->n_nodes; i++) {
        rv_plan_node *p = &plan->nodes[i];
        const rv_node *n = &p->node;
        const int back = backward_step(plan, i);
        for (int k = 0; runs_backward(p) && k < n->op->n_saved; k++) {
            RV_TRY(add_storage(plan, &p->saved_storage[k], rv_tensor_bytes(&p->saved[k]), i, back));
        }
        if (n->forward_workspace > 0) {
            RV_TRY(add_storage(plan, &p->forward_workspace, n->forward_workspace, i, i));
        }
        if (runs_backward(p) && n->backward_workspace > 0) {
            RV_TRY(add_storage(plan, &p->backward_workspace, n->backward_workspace, back, back));
        }
    }
    return RV_OK;
}

/* --- placement ------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    const rv_storage *x = *(const rv_storage *const *)a, *y = *(const rv_storage *const *)b;
    if (x->bytes != y->bytes) {
        return x->bytes < y->bytes ? 1 : -1;
    }
    return x < y ? -1 : x > y; /* storages are one array: a total order */
}

static bool alive_together(const rv_storage *a, const rv_storage *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* Lowest offset in `arena` where s collides with no storage placed there that lives at the same
 * time. `sorted` holds what was placed so far; greedy by size, as in Pisarchyk and Lee 2020. */
static size_t lowest_offset(rv_storage *const *sorted, size_t n, const rv_storage *s, int arena)
{
    size_t offset = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (size_t i = 0; i < n; i++) {
            const rv_storage *o = sorted[i];
            if (o->arena == arena && alive_together(o, s) && offset < o->offset + o->bytes &&
                o->offset < offset + s->bytes) {
                offset = o->offset + o->bytes;
                moved = true;
            }
        }
    }
    return offset;
}

static rv_status place_one(rv_plan *plan, rv_storage *const *sorted, size_t n, rv_storage *s,
                           size_t *arena_bytes, size_t *n_arenas)
{
    const size_t limit = rv_device_max_alloc(plan->device);
    if (s->bytes > limit) {
        return rv_fail(RV_ERR_DEVICE_MEMORY,
                       "one tensor needs %zu MB, but the device gives %zu MB at most in one piece; "
                       "use a smaller --size",
                       s->bytes >> 20, limit >> 20);
    }
    for (size_t a = 0; a <= *n_arenas; a++) {
        const size_t offset = lowest_offset(sorted, n, s, (int)a);
        if (offset + s->bytes <= limit) {
            s->arena = (int)a;
            s->offset = offset;
            *n_arenas = a == *n_arenas ? a + 1 : *n_arenas;
            const size_t end = offset + s->bytes;
            arena_bytes[a] = end > arena_bytes[a] ? end : arena_bytes[a];
            return RV_OK;
        }
    }
    return rv_fail(RV_ERR_INTERNAL, "no place for a storage of %zu bytes", s->bytes);
}

static rv_status make_arenas(rv_plan *plan, const size_t *arena_bytes, size_t n)
{
    RV_TRY(rv_alloc(&plan->arenas, n + 1, sizeof(rv_buffer *), "plan memory"));
    for (size_t a = 0; a < n; a++) {
        RV_TRY(rv_buffer_create(&plan->arenas[a], plan->device, arena_bytes[a]));
        plan->n_arenas++;
        plan->bytes += arena_bytes[a];
    }
    for (size_t i = 0; i < plan->n_storages; i++) {
        rv_storage *s = &plan->storages[i];
        RV_TRY(rv_buffer_view(&s->view, plan->arenas[s->arena], s->offset, s->bytes));
    }
    return RV_OK;
}

static rv_status place_storages(rv_plan *plan)
{
    const size_t align = rv_device_alignment(plan->device);
    rv_storage **sorted = NULL;
    size_t *arena_bytes = NULL, n_arenas = 0;
    rv_status status = rv_alloc(&sorted, plan->n_storages + 1, sizeof *sorted, "plan memory");
    if (status == RV_OK) {
        status = rv_alloc(&arena_bytes, plan->n_storages + 1, sizeof *arena_bytes, "plan memory");
    }
    if (status != RV_OK) {
        goto cleanup;
    }
    for (size_t i = 0; i < plan->n_storages; i++) {
        sorted[i] = &plan->storages[i];
        sorted[i]->bytes = (sorted[i]->bytes + align - 1) / align * align;
    }
    qsort(sorted, plan->n_storages, sizeof *sorted, by_size);
    for (size_t i = 0; i < plan->n_storages && status == RV_OK; i++) {
        status = place_one(plan, sorted, i, sorted[i], arena_bytes, &n_arenas);
    }
    if (status == RV_OK) {
        status = make_arenas(plan, arena_bytes, n_arenas);
    }
cleanup:
    free(sorted);
    free(arena_bytes);
    return status;
}

/* --- losses ---------------------------------------------------------------------------------- */

/* All losses side by side, so that one transfer reads them; their gradients are all 1. */
static rv_status make_losses(rv_plan *plan)
{
    if (plan->n_losses == 0) {
        return RV_OK;
    }
    const size_t step = rv_device_alignment(plan->device);
    RV_TRY(rv_buffer_create(&plan->loss_buffer, plan->device, plan->n_losses * step));
    RV_TRY(rv_buffer_create(&plan->seed_buffer, plan->device, step));
    RV_TRY(rv_buffer_fill(plan->device, plan->seed_buffer, 0, step, 1.0f));
    RV_TRY(rv_alloc(&plan->loss_views, plan->n_losses, sizeof(rv_buffer *), "plan memory"));
    for (size_t i = 0; i < plan->n_losses; i++) {
        rv_plan_value *v = &plan->values[plan->losses[i]];
        RV_TRY(rv_buffer_view(&plan->loss_views[i], plan->loss_buffer, i * step, sizeof(float)));
        v->tensor.buffer = plan->loss_views[i];
        v->gradient = v->tensor;
        v->gradient.buffer = plan->seed_buffer;
    }
    return RV_OK;
}

/* --- wiring ---------------------------------------------------------------------------------- */

static rv_buffer *view_of(const rv_plan *plan, int storage)
{
    return storage >= 0 ? plan->storages[storage].view : NULL;
}

static void wire(rv_plan *plan)
{
    for (size_t v = 0; v < plan->n_values; v++) {
        rv_plan_value *value = &plan->values[v];
        if (value->storage >= 0) {
            value->tensor.buffer = view_of(plan, value->storage);
        }
        if (value->gradient_storage >= 0) {
            value->gradient = value->tensor;
            value->gradient.buffer = view_of(plan, value->gradient_storage);
        }
    }
    for (size_t i = 0; i < plan->n_nodes; i++) {
        rv_plan_node *p = &plan->nodes[i];
        for (int k = 0; k < p->node.n_in; k++) {
            const bool wanted = (p->node.wanted & RV_WANT_INPUT(k)) != 0;
            p->node.d_in[k] = wanted ? &plan->values[p->in[k]].gradient : NULL;
        }
        for (int k = 0; k < p->node.n_out; k++) {
            p->node.d_out[k] = runs_backward(p) ? &plan->values[p->out[k]].gradient : NULL;
        }
        for (int k = 0; k < RV_MAX_SAVED; k++) {
            p->saved[k].buffer = view_of(plan, p->saved_storage[k]);
        }
        p->forward_buffer = view_of(plan, p->forward_workspace);
        p->backward_buffer = view_of(plan, p->backward_workspace);
    }
}

rv_status rv_plan_place(rv_plan *plan)
{
    int *last;
    RV_TRY(rv_alloc(&last, plan->n_values + 1, sizeof *last, "plan memory"));
    find_last_reads(plan, last);
    rv_status status = store_activations(plan, last);
    free(last);
    if (status == RV_OK) {
        status = store_gradients(plan);
    }
    if (status == RV_OK) {
        status = store_extras(plan);
    }
    if (status == RV_OK) {
        status = place_storages(plan);
    }
    if (status == RV_OK) {
        status = make_losses(plan);
    }
    if (status == RV_OK) {
        wire(plan);
    }
    return status;
}
