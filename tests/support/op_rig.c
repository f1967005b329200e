/* The device side of the harness: one node with every tensor in memory of its own between guard zones. */
/* SPDX-License-Identifier: MIT */
#include "support/op_rig.h"

#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double rv_rig_largest(const float *x, size_t n)
{
    double largest = 0;
    for (size_t i = 0; i < n; i++) {
        largest = fabs((double)x[i]) > largest ? fabs((double)x[i]) : largest;
    }
    return largest;
}

float rv_rig_start_value(int bit, size_t i, double size)
{
    return (float)(size * (double)((int)((i * 7 + (size_t)bit * 3) % 17) - 8) / 8.0);
}

/* --- making the node ------------------------------------------------------------------------- */

static rv_tensor laid_out(const rv_rig *rig, const rv_tensor *shape, rv_layout layout)
{
    return (rv_tensor){.shape = shape->shape,
                       .layout = layout,
                       .block = layout == RV_BLOCKED ? rv_device_block(rig->device) : 1};
}

/* Tensors without memory, as prepare sees them. */
static void shape_node(rv_rig *rig)
{
    const rv_problem *p = rig->problem;
    rv_node *n = &rig->node;
    *n = p->node;
    n->mode = p->c->mode;
    n->wanted = rig->options.wanted;
    n->slope = rig->options.slope;
    n->in = rig->list;
    n->out = n->in + RV_RIG_TENSORS;
    n->d_in = n->out + RV_RIG_TENSORS;
    n->d_out = n->d_in + RV_RIG_TENSORS;
    for (int i = 0; i < n->n_in; i++) {
        rig->in[i] = rig->d_in[i] = laid_out(rig, &p->in[i], rig->options.layouts.in[i]);
        n->in[i] = &rig->in[i];
        n->d_in[i] = (n->wanted & RV_WANT_INPUT(i)) != 0 ? &rig->d_in[i] : NULL;
    }
    for (int i = 0; i < n->n_out; i++) {
        rig->out[i] = rig->d_out[i] = laid_out(rig, &p->out[i], rig->options.layouts.out[i]);
        n->out[i] = &rig->out[i];
        n->d_out[i] = n->wanted != 0 ? &rig->d_out[i] : NULL;
    }
    for (int i = 0; i < p->op->n_params; i++) {
        rig->param[i] = rig->d_param[i] = laid_out(rig, &p->param[i], RV_PLAIN);
        n->param[i] = &rig->param[i];
        n->d_param[i] = (n->wanted & RV_WANT_PARAM(i)) != 0 ? &rig->d_param[i] : NULL;
    }
    for (int i = 0; i < p->op->n_state; i++) {
        rig->state[i] = laid_out(rig, &p->state[i], RV_PLAIN);
        n->state[i] = &rig->state[i];
    }
    for (int i = 0; i < p->op->n_saved; i++) {
        rig->saved[i] = laid_out(rig, &p->saved[i], rig->options.layouts.saved[i]);
        n->saved[i] = &rig->saved[i];
    }
}

size_t rv_rig_algorithms(const char *names[RV_PASSES * RV_MAX_ALGORITHMS], rv_device *device,
                         const rv_problem *problem, const rv_rig_options *options)
{
    rv_rig rig = {.device = device, .problem = problem, .options = *options};
    size_t count = 0;
    shape_node(&rig);
    for (int pass = 0; pass < RV_PASSES && problem->op->algorithms != NULL; pass++) {
        const char *of_pass[RV_MAX_ALGORITHMS];
        const size_t n = problem->op->algorithms(&rig.node, device, (rv_pass)pass, of_pass);
        for (size_t i = 0; i < n; i++) {
            size_t k = 0;
            while (k < count && strcmp(names[k], of_pass[i]) != 0) {
                k++;
            }
            names[k] = of_pass[i];
            count += k == count;
        }
    }
    return count;
}

/* Names the algorithm for each pass that has it. */
static void force_algorithm(rv_rig *rig)
{
    const rv_op *op = rig->problem->op;
    const char *name = rig->options.algorithm;
    for (int pass = 0; pass < RV_PASSES && name != NULL; pass++) {
        const char *names[RV_MAX_ALGORITHMS];
        const size_t n = op->algorithms(&rig->node, rig->device, (rv_pass)pass, names);
        for (size_t i = 0; i < n; i++) {
            if (strcmp(names[i], name) == 0) {
                rig->node.algorithm[pass] = names[i];
            }
        }
    }
}

static rv_status place_values(rv_rig *rig)
{
    const rv_node *n = &rig->node;
    for (int i = 0; i < n->n_in; i++) {
        RV_TRY(rv_area_tensor(&rig->in_area[i], rig, "input", i, &rig->in[i]));
    }
    for (int i = 0; i < n->n_out; i++) {
        if (i == 0 && rig->options.inplace) {
            rig->out[0].buffer = rig->in[0].buffer;
        } else {
            RV_TRY(rv_area_tensor(&rig->out_area[i], rig, "output", i, &rig->out[i]));
        }
    }
    for (int i = 0; i < n->n_out && n->wanted != 0; i++) {
        RV_TRY(rv_area_tensor(&rig->d_out_area[i], rig, "output gradient", i, &rig->d_out[i]));
    }
    for (int i = 0; i < n->n_in; i++) {
        if (i == 0 && rig->options.backward_inplace) {
            rig->d_in[0].buffer = rig->d_out[0].buffer;
        } else if (n->d_in[i] != NULL) {
            RV_TRY(rv_area_tensor(&rig->d_in_area[i], rig, "input gradient", i, &rig->d_in[i]));
        }
    }
    return RV_OK;
}

static rv_status place_rest(rv_rig *rig)
{
    const rv_problem *p = rig->problem;
    const rv_node *n = &rig->node;
    for (int i = 0; i < p->op->n_params; i++) {
        if (rv_problem_has_param(p, i)) {
            RV_TRY(rv_area_tensor(&rig->param_area[i], rig, "parameter", i, &rig->param[i]));
        }
        if (n->d_param[i] != NULL) {
            RV_TRY(rv_area_tensor(&rig->d_param_area[i], rig, "parameter gradient", i,
                                  &rig->d_param[i]));
        }
    }
    for (int i = 0; i < p->op->n_state; i++) {
        if (p->state_data[i] != NULL) {
            RV_TRY(rv_area_tensor(&rig->state_area[i], rig, "state", i, &rig->state[i]));
        }
    }
    for (int i = 0; i < p->op->n_saved && n->wanted != 0; i++) {
        RV_TRY(rv_area_tensor(&rig->saved_area[i], rig, "saved", i, &rig->saved[i]));
    }
    if (n->forward_workspace > 0) {
        RV_TRY(rv_area_create(&rig->forward_area, rig, "forward workspace", 0, NULL,
                              n->forward_workspace));
    }
    if (n->backward_workspace > 0 && n->wanted != 0) {
        RV_TRY(rv_area_create(&rig->backward_area, rig, "backward workspace", 0, NULL,
                              n->backward_workspace));
    }
    if (n->packed_bytes > 0) {
        RV_TRY(
            rv_area_create(&rig->packed_area, rig, "packed parameters", 0, NULL, n->packed_bytes));
    }
    if (n->packed_back_bytes > 0 && n->wanted != 0) {
        RV_TRY(rv_area_create(&rig->packed_back_area, rig, "packed parameters of backward", 0, NULL,
                              n->packed_back_bytes));
    }
    return RV_OK;
}

rv_status rv_rig_create(rv_rig *out, rv_device *device, const rv_problem *problem,
                        const rv_rig_options *options)
{
    *out = (rv_rig){.device = device, .problem = problem, .options = *options};
    shape_node(out);
    force_algorithm(out);
    if (problem->op->prepare != NULL) {
        RV_TRY(problem->op->prepare(&out->node, device));
    }
    const rv_node *n = &out->node;
    const size_t sum =
        n->forward_workspace | n->backward_workspace | n->packed_bytes | n->packed_back_bytes;
    if (sum % sizeof(float) != 0) {
        return rv_fail(RV_ERR_USAGE, "workspace and packed bytes are no multiples of 4");
    }
    if (n->packed_bytes + n->packed_back_bytes > 0 && problem->op->pack == NULL) {
        return rv_fail(RV_ERR_USAGE, "packed bytes are asked for, but there is no pack");
    }
    RV_TRY(place_values(out));
    return place_rest(out);
}

/* Every area of a rig, those not in use included. */
static rv_area *area_at(rv_rig *rig, int i)
{
    struct {
        rv_area *first;
        int n;
    } groups[] = {{rig->in_area, RV_RIG_TENSORS},   {rig->out_area, RV_RIG_TENSORS},
                  {rig->d_in_area, RV_RIG_TENSORS}, {rig->d_out_area, RV_RIG_TENSORS},
                  {rig->param_area, RV_MAX_PARAMS}, {rig->d_param_area, RV_MAX_PARAMS},
                  {rig->state_area, RV_MAX_STATE},  {rig->saved_area, RV_MAX_SAVED},
                  {&rig->forward_area, 1},          {&rig->backward_area, 1},
                  {&rig->packed_area, 1},           {&rig->packed_back_area, 1}};
    for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++) {
        if (i < groups[g].n) {
            return &groups[g].first[i];
        }
        i -= groups[g].n;
    }
    return NULL;
}

void rv_rig_release(rv_rig *rig)
{
    rv_area *a;
    for (int i = 0; (a = area_at(rig, i)) != NULL; i++) {
        rv_area_release(a);
    }
    free(rig->node.priv);
    *rig = (rv_rig){0};
}

/* --- running --------------------------------------------------------------------------------- */

static rv_status load_gradient(rv_rig *rig, rv_area *a, int bit, const rv_rig_run *run)
{
    const uint32_t mask = UINT32_C(1) << bit;
    if (a->what == NULL) {
        return RV_OK;
    }
    if ((run->wanted & mask) != 0 && (run->accumulate & mask) == 0) {
        return rv_area_poison(a, rig, false);
    }
    const size_t n = rv_shape_count(&a->tensor->shape);
    const bool sized = run->start != NULL && run->start->gradient[bit] != NULL;
    const double size = sized ? rv_rig_largest(run->start->gradient[bit], n) : 1;
    float *plain;
    RV_TRY(rv_alloc(&plain, n, sizeof(float), a->what));
    for (size_t i = 0; i < n; i++) {
        plain[i] = rv_rig_start_value(bit, i, size);
    }
    const rv_status status = rv_area_write(a, rig, plain, (run->wanted & mask) == 0);
    free(plain);
    return status;
}

static rv_status load_input(rv_rig *rig, int i, bool zero)
{
    rv_area *a = &rig->in_area[i];
    const bool fixed = !(i == 0 && rig->options.inplace);
    if (!zero) {
        return rv_area_write(a, rig, rig->problem->in_data[i], fixed);
    }
    memset(a->wrote, 0, a->bytes);
    return rv_area_send(a, rig, fixed);
}

static rv_status load(rv_rig *rig, const rv_rig_run *run)
{
    const rv_problem *p = rig->problem;
    RV_TRY(rv_area_poison(&rig->forward_area, rig, false));
    RV_TRY(rv_area_poison(&rig->packed_area, rig, false));
    RV_TRY(rv_area_poison(&rig->packed_back_area, rig, false));
    for (int i = 0; i < RV_MAX_SAVED; i++) {
        RV_TRY(rv_area_poison(&rig->saved_area[i], rig, false));
    }
    for (int i = 0; i < rig->node.n_in; i++) {
        RV_TRY(load_input(rig, i, run->zero_inputs));
        RV_TRY(load_gradient(rig, &rig->d_in_area[i], i, run));
    }
    for (int i = 0; i < rig->node.n_out; i++) {
        RV_TRY(rv_area_poison(&rig->out_area[i], rig, false));
    }
    for (int i = 0; i < p->op->n_params; i++) {
        if (rig->param_area[i].what != NULL) {
            RV_TRY(rv_area_write(&rig->param_area[i], rig, p->param_data[i], true));
        }
        RV_TRY(load_gradient(rig, &rig->d_param_area[i], RV_MAX_INPUTS + i, run));
    }
    for (int i = 0; i < p->op->n_state; i++) {
        if (rig->state_area[i].what != NULL) {
            const bool fixed = rig->node.mode == RV_INFER;
            RV_TRY(rv_area_write(&rig->state_area[i], rig, p->state_data[i], fixed));
        }
    }
    return RV_OK;
}

/* What backward did not ask to keep holds something else by then, in a plan as here, and backward
 * may write nothing but gradients and its workspace. */
static rv_status load_backward(rv_rig *rig)
{
    const bool reads_input = rv_backward_reads_input(&rig->node);
    const bool reads_output = rv_backward_reads_output(&rig->node);
    for (int i = 0; i < rig->node.n_in; i++) {
        rv_area *a = &rig->in_area[i];
        const bool is_output = i == 0 && rig->options.inplace;
        RV_TRY(reads_input || (is_output && reads_output) ? rv_area_keep(a, rig)
                                                          : rv_area_poison(a, rig, true));
    }
    for (int i = 0; i < rig->node.n_out; i++) {
        rv_area *a = &rig->out_area[i];
        RV_TRY(reads_output ? rv_area_keep(a, rig) : rv_area_poison(a, rig, true));
        const bool fixed = !(i == 0 && rig->options.backward_inplace);
        RV_TRY(rv_area_write(&rig->d_out_area[i], rig, rig->problem->d_out_data[i], fixed));
    }
    return rv_area_poison(&rig->backward_area, rig, false);
}

static rv_status check_areas(rv_rig *rig, rv_text *faults)
{
    rv_area *a;
    for (int i = 0; (a = area_at(rig, i)) != NULL; i++) {
        RV_TRY(rv_area_check(a, rig, faults));
    }
    return RV_OK;
}

/* The area that holds output i, or the gradient of input i. */
static rv_area *output_area(rv_rig *rig, int i)
{
    return i == 0 && rig->options.inplace ? &rig->in_area[0] : &rig->out_area[i];
}

static rv_area *gradient_area(rv_rig *rig, int bit)
{
    if (bit >= RV_MAX_INPUTS) {
        return &rig->d_param_area[bit - RV_MAX_INPUTS];
    }
    return bit == 0 && rig->options.backward_inplace ? &rig->d_out_area[0] : &rig->d_in_area[bit];
}

/* Packs for the pass that runs next, which must not write there. */
static rv_status pack(rv_rig *rig, rv_area *area, const rv_exec *e, bool backward)
{
    rig->node.packed = area->view;
    if (area->what == NULL) {
        return RV_OK;
    }
    RV_TRY(rig->problem->op->pack(&rig->node, e, backward));
    return rv_area_keep(area, rig);
}

static rv_status run_forward(rv_rig *rig, const rv_exec *e, rv_rig_result *out, rv_text *faults)
{
    const rv_problem *p = rig->problem;
    RV_TRY(pack(rig, &rig->packed_area, e, false));
    rig->node.workspace = rig->forward_area.view;
    RV_TRY(p->op->forward(&rig->node, e));
    RV_TRY(rv_device_finish(rig->device));
    RV_TRY(check_areas(rig, faults));
    for (int i = 0; i < rig->node.n_out; i++) {
        RV_TRY(rv_area_read(&out->out[i], output_area(rig, i), rig, faults));
    }
    for (int i = 0; i < p->op->n_state; i++) {
        if (rig->state_area[i].what != NULL) {
            RV_TRY(rv_area_read(&out->state[i], &rig->state_area[i], rig, faults));
        }
    }
    return RV_OK;
}

rv_status rv_rig_run_once(rv_rig *rig, const rv_rig_run *run, rv_rig_result *out, rv_text *faults)
{
    *out = (rv_rig_result){0};
    const rv_exec e = {.device = rig->device,
                       .accumulate = run->accumulate,
                       .seed = RV_RIG_SEED,
                       .step = RV_RIG_STEP,
                       .stream = RV_RIG_STREAM};
    RV_TRY(load(rig, run));
    RV_TRY(run_forward(rig, &e, out, faults));
    if (run->wanted == 0) {
        return RV_OK;
    }
    RV_TRY(load_backward(rig));
    rig->node.workspace = rig->backward_area.view;
    RV_TRY(pack(rig, &rig->packed_back_area, &e, true));
    RV_TRY(rig->problem->op->backward(&rig->node, &e, run->wanted));
    RV_TRY(rv_device_finish(rig->device));
    RV_TRY(check_areas(rig, faults));
    for (int bit = 0; bit < 32; bit++) {
        if (((run->wanted >> bit) & 1) != 0) {
            RV_TRY(rv_area_read(&out->gradient[bit], gradient_area(rig, bit), rig, faults));
        }
    }
    return RV_OK;
}

const char *rv_rig_excess(const rv_rig *rig)
{
    const rv_area *claimed[] = {&rig->forward_area, &rig->backward_area, &rig->packed_area,
                                &rig->packed_back_area};
    for (size_t i = 0; i < sizeof claimed / sizeof claimed[0]; i++) {
        if (claimed[i]->what != NULL && !claimed[i]->filled) {
            return claimed[i]->what;
        }
    }
    return NULL;
}

void rv_rig_result_release(rv_rig_result *result)
{
    for (int i = 0; i < RV_RIG_TENSORS; i++) {
        free(result->out[i]);
    }
    for (int i = 0; i < RV_MAX_STATE; i++) {
        free(result->state[i]);
    }
    for (int i = 0; i < 32; i++) {
        free(result->gradient[i]);
    }
    *result = (rv_rig_result){0};
}
