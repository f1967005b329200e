/* Makes a plan from a graph and runs it: forward, backward, losses. */
/* SPDX-License-Identifier: MIT */
#include "graph/plan.h"
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "graph/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- create ---------------------------------------------------------------------------------- */

static rv_status point_params(rv_plan *plan, rv_plan_node *p)
{
    rv_node *n = &p->node;
    for (int i = 0; i < n->op->n_params; i++) {
        if (n->param[i]->shape.rank == 0) {
            n->param[i] = &p->absent;
            continue;
        }
        n->param[i] =
            plan->params != NULL ? rv_params_tensor(plan->params, p->graph_node, i) : NULL;
        if (n->param[i] == NULL) {
            return rv_fail(RV_ERR_INTERNAL, "'%s': its %s is not on the device", n->name,
                           n->op->param_names[i]);
        }
        if ((n->wanted & RV_WANT_PARAM(i)) != 0) {
            n->d_param[i] = rv_params_gradient(plan->params, p->graph_node, i);
        }
    }
    for (int i = 0; i < n->op->n_state; i++) {
        n->state[i] = plan->params != NULL ? rv_params_state(plan->params, p->graph_node, i) : NULL;
        if (n->state[i] == NULL) {
            return rv_fail(RV_ERR_INTERNAL, "'%s': its %s is not on the device", n->name,
                           n->op->state_names[i]);
        }
    }
    return RV_OK;
}

/* A row per channel in parameter 0, and in any case something to add. */
static void point_folded(rv_plan_node *p)
{
    rv_node *n = &p->node;
    p->folded[0] = *n->param[0];
    p->folded[1] = (rv_tensor){.shape = rv_shape_1(n->param[0]->shape.dim[0]), .block = 1};
    for (int k = 0; k < 2; k++) {
        n->param[k] = &p->folded[k];
    }
}

static rv_status point_node(rv_plan *plan, rv_plan_node *p)
{
    rv_node *n = &p->node;
    for (int k = 0; k < n->n_in; k++) {
        n->in[k] = &plan->values[p->in[k]].tensor;
    }
    for (int k = 0; k < n->n_out; k++) {
        n->out[k] = &plan->values[p->out[k]].tensor;
    }
    for (int k = 0; k < n->op->n_saved; k++) {
        p->saved[k].block = p->saved[k].layout == RV_BLOCKED ? rv_device_block(plan->device) : 1;
        n->saved[k] = &p->saved[k];
    }
    RV_TRY(point_params(plan, p));
    if (p->folds) {
        point_folded(p);
    }
    return RV_OK;
}

/* From here on neither nodes nor values move, so that tensors can be pointed to. */
static rv_status point_tensors(rv_plan *plan)
{
    for (size_t i = 0; i < plan->n_nodes; i++) {
        RV_TRY(point_node(plan, &plan->nodes[i]));
    }
    for (size_t i = 0; i < plan->n_folds; i++) {
        RV_TRY(point_node(plan, &plan->folds[i].affine));
    }
    return RV_OK;
}

static rv_status prepare(rv_plan *plan)
{
    for (size_t i = 0; i < plan->n_nodes; i++) {
        rv_plan_node *p = &plan->nodes[i];
        RV_TRY(rv_node_tuned(&p->node, plan->device));
        RV_TRY(p->node.op->prepare(&p->node, plan->device));
    }
    for (size_t i = 0; i < plan->n_folds; i++) {
        rv_node *n = &plan->folds[i].affine.node;
        RV_TRY(n->op->prepare(n, plan->device));
    }
    return RV_OK;
}

static rv_status fit(rv_plan *plan, const rv_plan_options *options)
{
    uint64_t limit = options->memory;
    if (limit == 0) {
        const uint64_t left = rv_device_memory_left(plan->device);
        limit = left > options->reserve ? left - options->reserve : 0;
    }
    RV_TRY(rv_plan_fit(plan, limit));
    if (plan->bytes <= limit) {
        return RV_OK;
    }
    const double missing = 1e-6 * (double)(plan->bytes - limit);
    const double allowed = 1e-6 * (double)rv_device_memory(plan->device);
    if (options->memory == 0 && allowed > 0) {
        return rv_fail(RV_ERR_DEVICE_MEMORY,
                       "%.0f MB of memory are needed, but --memory allows %.0f MB; give more, or a "
                       "smaller --size",
                       ceil(allowed + missing), allowed);
    }
    return rv_fail(RV_ERR_DEVICE_MEMORY,
                   "%.1f MB more memory are needed than there are; a smaller --size needs less",
                   missing);
}

static rv_status create(rv_plan *plan, const rv_plan_options *options)
{
    if (options->param_gradients &&
        (plan->params == NULL || rv_params_gradients(plan->params) == NULL)) {
        return rv_fail(RV_ERR_INTERNAL, "parameter gradients are wanted, but have no memory");
    }
    RV_TRY(rv_plan_select(plan, options));
    RV_TRY(rv_plan_order(plan));
    RV_TRY(rv_plan_route_gradients(plan, options));
    RV_TRY(rv_plan_fuse(plan));
    RV_TRY(point_tensors(plan));
    rv_plan_join(plan);
    RV_TRY(prepare(plan));
    RV_TRY(fit(plan, options));
    return options->layout_only ? RV_OK : rv_plan_allocate(plan);
}

rv_status rv_plan_create(rv_plan **out, const rv_graph *graph, rv_params *params, rv_device *device,
                         const rv_plan_options *options)
{
    *out = NULL;
    rv_plan *plan;
    RV_TRY(rv_alloc(&plan, 1, sizeof *plan, "plan"));
    plan->device = device;
    plan->params = params;
    plan->graph = graph;
    plan->mode = options->mode;
    plan->seed = options->seed;
    plan->param_gradients = options->param_gradients;
    plan->guided = options->guided;
    plan->frozen = options->frozen;
    plan->events = options->events;
    const rv_status status = create(plan, options);
    plan->graph = NULL;
    plan->frozen = NULL;
    if (status != RV_OK) {
        rv_plan_destroy(plan);
        return status;
    }
    *out = plan;
    return RV_OK;
}

void rv_plan_destroy(rv_plan *plan)
{
    if (plan == NULL) {
        return;
    }
    for (size_t i = 0; i < plan->n_nodes; i++) {
        free(plan->nodes[i].node.priv);
        free(plan->nodes[i].memory);
    }
    for (size_t v = 0; v < plan->n_values; v++) {
        rv_buffer_destroy(plan->values[v].part);
        rv_buffer_destroy(plan->values[v].gradient_part);
    }
    for (size_t i = 0; i < plan->n_folds; i++) {
        free(plan->folds[i].affine.node.priv);
        free(plan->folds[i].affine.memory);
    }
    for (size_t i = 0; i < plan->n_storages; i++) {
        rv_buffer_destroy(plan->storages[i].view);
    }
    for (size_t i = 0; plan->arenas != NULL && i < plan->n_arenas; i++) {
        rv_buffer_destroy(plan->arenas[i]);
    }
    for (size_t i = 0; plan->loss_views != NULL && i < plan->n_losses; i++) {
        rv_buffer_destroy(plan->loss_views[i]);
    }
    rv_buffer_destroy(plan->loss_buffer);
    rv_buffer_destroy(plan->seed_buffer);
    free(plan->loss_views);
    free(plan->losses);
    free(plan->steps);
    free(plan->storages);
    free(plan->arenas);
    free(plan->arena_bytes);
    free(plan->nodes);
    free(plan->folds);
    free(plan->values);
    free(plan->value_of);
    free(plan);
}

/* --- look ------------------------------------------------------------------------------------ */

static rv_plan_value *find(rv_plan *plan, rv_value v)
{
    const bool known = v >= 0 && (size_t)v < plan->n_value_of && plan->value_of[v] >= 0;
    return known ? &plan->values[plan->value_of[v]] : NULL;
}

rv_tensor *rv_plan_tensor(rv_plan *plan, rv_value v)
{
    rv_plan_value *value = find(plan, v);
    return value != NULL && (value->output || value->producer < 0) ? &value->tensor : NULL;
}

rv_tensor *rv_plan_gradient(rv_plan *plan, rv_value v)
{
    rv_plan_value *value = find(plan, v);
    return value != NULL && value->gradient_output ? &value->gradient : NULL;
}

uint64_t rv_plan_bytes(const rv_plan *plan)
{
    return plan->bytes;
}

const rv_node *rv_plan_node_at(const rv_plan *plan, size_t index)
{
    return index < plan->n_nodes ? &plan->nodes[index].node : NULL;
}

int rv_plan_step_count(const rv_plan *plan)
{
    int n = 0;
    for (size_t i = 0; i < plan->n_nodes; i++) {
        n += !plan->nodes[i].merged;
    }
    return n;
}

/* What of the node runs in `pass`: backward counts only where something is wanted. */
static bool takes_part(const rv_node *n, rv_pass pass)
{
    const uint32_t inputs = RV_WANT_INPUT(RV_MAX_INPUTS) - 1;
    return pass == RV_PASS_FORWARD ||
           (n->wanted & (pass == RV_PASS_BACKWARD_DATA ? inputs : ~inputs)) != 0;
}

double rv_plan_flops(const rv_plan *plan, rv_pass pass)
{
    double sum = 0;
    for (size_t i = 0; i < plan->n_nodes; i++) {
        const rv_node *n = &plan->nodes[i].node;
        sum += n->op->flops != NULL && takes_part(n, pass) ? n->op->flops(n, pass) : 0;
    }
    return sum;
}

/* --- run ------------------------------------------------------------------------------------- */

static rv_exec exec_for(const rv_plan *plan, const rv_plan_node *p)
{
    return (rv_exec){.device = plan->device,
                     .accumulate = p->accumulate,
                     .seed = plan->seed,
                     .step = plan->run,
                     .stream = (uint32_t)p->graph_node};
}

static rv_status pack(const rv_plan *plan, rv_plan_node *p, rv_step_kind kind)
{
    p->node.packed = p->packed_view[kind];
    if (p->node.packed == NULL) {
        return RV_OK;
    }
    const rv_exec e = exec_for(plan, p);
    return p->node.op->pack(&p->node, &e, kind == RV_STEP_BACKWARD);
}

/* What is packed for as long as parameters stay. */
static rv_status pack_all(rv_plan *plan)
{
    if (plan->params == NULL || plan->packed_version == rv_params_version(plan->params)) {
        return RV_OK;
    }
    RV_TRY(rv_plan_fold_params(plan));
    for (size_t i = 0; i < plan->n_nodes; i++) {
        rv_plan_node *p = &plan->nodes[i];
        RV_TRY(rv_check_cancelled(plan->events));
        if (!p->pack_on_use) {
            RV_TRY(pack(plan, p, RV_STEP_FORWARD));
            RV_TRY(pack(plan, p, RV_STEP_BACKWARD));
        }
    }
    plan->packed_version = rv_params_version(plan->params);
    return RV_OK;
}

/* Has the outputs lie where the step writes them. */
static void turn_outputs(rv_plan *plan, const rv_plan_node *p, rv_step_kind kind)
{
    for (int k = 0; k < p->node.n_out; k++) {
        rv_plan_value *v = &plan->values[p->out[k]];
        if (v->again != NULL) {
            v->tensor.buffer = kind == RV_STEP_AGAIN ? v->again : v->first;
        }
    }
}

static rv_status run_step(rv_plan *plan, rv_step step, bool accumulate_params)
{
    const uint32_t params = ~(RV_WANT_INPUT(RV_MAX_INPUTS) - 1);
    rv_plan_node *p = &plan->nodes[step.node];
    rv_exec e = exec_for(plan, p);
    RV_TRY(rv_check_cancelled(plan->events));
    if (rv_device_rehearses(plan->device)) {
        rv_rehearsal_work(plan->device, rv_step_cost(plan, step));
    }
    if (step.kind != RV_STEP_BACKWARD) {
        turn_outputs(plan, p, step.kind);
    }
    if (step.kind != RV_STEP_BACKWARD && p->merged) {
        return RV_OK;
    }
    if (p->pack_on_use) {
        RV_TRY(pack(plan, p, step.kind));
    }
    p->node.packed = p->packed_view[step.kind];
    p->node.workspace = p->workspace_view[step.kind];
    if (step.kind == RV_STEP_BACKWARD) {
        e.accumulate |= accumulate_params ? params : 0;
        return p->node.op->backward(&p->node, &e, p->node.wanted);
    }
    e.again = step.kind == RV_STEP_AGAIN;
    return p->node.op->forward(&p->node, &e);
}

rv_status rv_plan_forward(rv_plan *plan)
{
    RV_TRY(pack_all(plan));
    plan->run++;
    for (size_t i = 0; i < plan->n_nodes; i++) {
        RV_TRY(run_step(plan, plan->steps[i], false));
    }
    return RV_OK;
}

rv_status rv_plan_backward(rv_plan *plan, bool accumulate_params)
{
    for (size_t i = plan->n_nodes; i < plan->n_steps; i++) {
        RV_TRY(run_step(plan, plan->steps[i], accumulate_params));
    }
    return RV_OK;
}

void rv_plan_set_run(rv_plan *plan, uint32_t run)
{
    plan->run = run;
}

rv_status rv_plan_losses(rv_plan *plan, double *out, double *sum)
{
    const size_t step = rv_device_alignment(plan->device), n = plan->n_losses;
    char *bytes;
    RV_TRY(rv_alloc(&bytes, n + 1, step, "losses"));
    rv_status status = RV_OK;
    if (n > 0) {
        status = rv_buffer_read(plan->device, plan->loss_buffer, 0, bytes, n * step);
    }
    double total = 0;
    for (size_t i = 0; i < n && status == RV_OK; i++) {
        float loss;
        memcpy(&loss, bytes + i * step, sizeof loss);
        total += (double)loss;
        if (out != NULL) {
            out[i] = (double)loss;
        }
    }
    free(bytes);
    if (sum != NULL) {
        *sum = total;
    }
    return status;
}
