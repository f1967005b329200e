/* Gives a plan its device memory, and every tensor, workspace and packed parameter its part of it. */
/* SPDX-License-Identifier: MIT */
#include "base/memory.h"
#include "base/error.h"
#include "base/system.h"
#include "graph/internal.h"

static rv_status make_arenas(rv_plan *plan)
{
    RV_TRY(rv_alloc(&plan->arenas, plan->n_arenas + 1, sizeof(rv_buffer *), "plan memory"));
    for (size_t a = 0; a < plan->n_arenas; a++) {
        RV_TRY(rv_buffer_create(&plan->arenas[a], plan->device, plan->arena_bytes[a]));
    }
    for (size_t i = 0; i < plan->n_storages; i++) {
        rv_storage *s = &plan->storages[i];
        RV_TRY(rv_buffer_view(&s->view, plan->arenas[s->arena], s->offset, s->bytes));
    }
    return RV_OK;
}

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

static rv_buffer *view_of(const rv_plan *plan, int storage)
{
    return storage >= 0 ? plan->storages[storage].view : NULL;
}

/* A part of what a storage holds: a view of the arena, as there are none of views. Up to its last picture the parts of
 * others lie between. */
static rv_status wire_part(const rv_plan *plan, rv_buffer **part, rv_tensor *tensor, int storage,
                           size_t offset)
{
    const rv_storage *s = &plan->storages[storage];
    const size_t picture = rv_tensor_bytes(tensor) / (size_t)tensor->shape.dim[0];
    const size_t block = picture / (size_t)rv_tensor_blocks(tensor);
    const size_t before =
        ((size_t)tensor->shape.dim[0] - 1) * (size_t)rv_tensor_apart(tensor) * block;
    RV_TRY(rv_buffer_view(part, plan->arenas[s->arena], s->offset + offset, before + picture));
    tensor->buffer = *part;
    return RV_OK;
}

/* It was a copy of the value's tensor, which may lie otherwise. */
static rv_status wire_gradient(const rv_plan *plan, rv_plan_value *value)
{
    rv_tensor *gradient = &value->gradient;
    *gradient = value->tensor;
    gradient->apart = 0;
    if (value->gradient_whole < 0) {
        gradient->buffer = view_of(plan, value->gradient_storage);
        return RV_OK;
    }
    if (gradient->shape.dim[0] > 1) {
        gradient->apart = rv_tensor_blocks(&plan->values[value->gradient_whole].tensor);
    }
    return wire_part(plan, &value->gradient_part, gradient, value->gradient_storage,
                     value->whole_offset);
}

static rv_status wire_values(rv_plan *plan)
{
    for (size_t v = 0; v < plan->n_values; v++) {
        rv_plan_value *value = &plan->values[v];
        if (value->whole >= 0) {
            RV_TRY(
                wire_part(plan, &value->part, &value->tensor, value->storage, value->whole_offset));
        } else if (value->storage >= 0) {
            value->tensor.buffer = view_of(plan, value->storage);
        }
        if (value->again_storage >= 0) {
            value->first = view_of(plan, value->storage);
            value->again = view_of(plan, value->again_storage);
        }
        if (value->gradient_storage >= 0) {
            RV_TRY(wire_gradient(plan, value));
        }
    }
    return RV_OK;
}

static void wire_nodes(rv_plan *plan)
{
    for (size_t i = 0; i < plan->n_nodes; i++) {
        rv_plan_node *p = &plan->nodes[i];
        for (int k = 0; k < p->node.n_in; k++) {
            const bool wanted = (p->node.wanted & RV_WANT_INPUT(k)) != 0;
            p->node.d_in[k] = wanted ? &plan->values[p->in[k]].gradient : NULL;
        }
        for (int k = 0; k < p->node.n_out; k++) {
            p->node.d_out[k] = rv_runs_backward(p) ? &plan->values[p->out[k]].gradient : NULL;
        }
        for (int k = 0; k < RV_MAX_SAVED; k++) {
            p->saved[k].buffer = view_of(plan, p->saved_storage[k]);
        }
        for (int k = 0; k < 2; k++) {
            p->folded[k].buffer = view_of(plan, p->folded_storage[k]);
        }
        for (int kind = 0; kind < RV_STEP_KINDS; kind++) {
            p->workspace_view[kind] = view_of(plan, p->workspace[kind]);
            p->packed_view[kind] = view_of(plan, p->packed[kind]);
        }
    }
}

/* The memory comes at once, when kernels have been compiled: what that took is not needed now. */
rv_status rv_plan_allocate(rv_plan *plan)
{
    rv_release_memory();
    RV_TRY(make_arenas(plan));
    RV_TRY(make_losses(plan));
    RV_TRY(wire_values(plan));
    wire_nodes(plan);
    return RV_OK;
}
