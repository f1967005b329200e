/* What steps of a plan cost, in floating-point operations of a convolution counted as direct. */
/* SPDX-License-Identifier: MIT */
#include "graph/internal.h"

/* Operations in the time that a byte takes which is moved: the balance of most devices. */
#define FLOPS_PER_BYTE 20.0

static double moved_bytes(const rv_plan_node *p)
{
    double sum = 0;
    for (int k = 0; k < p->node.n_in; k++) {
        sum += (double)rv_tensor_bytes(p->node.in[k]);
    }
    for (int k = 0; k < p->node.n_out; k++) {
        sum += (double)rv_tensor_bytes(p->node.out[k]);
    }
    return sum;
}

static double flops(const rv_node *n, rv_pass pass)
{
    return n->op->flops != NULL ? n->op->flops(n, pass) : 0;
}

double rv_forward_cost(const rv_plan_node *p)
{
    return p->merged ? 0 : flops(&p->node, RV_PASS_FORWARD) + FLOPS_PER_BYTE * moved_bytes(p);
}

/* Read and write. */
double rv_packing_cost(const rv_plan_node *p, rv_step_kind kind)
{
    const bool backward = kind == RV_STEP_BACKWARD;
    const size_t bytes = backward ? p->node.packed_back_bytes : p->node.packed_bytes;
    return p->at[kind] >= 0 ? 2 * FLOPS_PER_BYTE * (double)bytes : 0;
}

double rv_step_cost(const rv_plan *plan, rv_step step)
{
    const rv_plan_node *p = &plan->nodes[step.node];
    const uint32_t inputs = RV_WANT_INPUT(RV_MAX_INPUTS) - 1, wanted = p->node.wanted;
    double cost = p->pack_on_use ? rv_packing_cost(p, step.kind) : 0;
    if (step.kind != RV_STEP_BACKWARD) {
        return cost + rv_forward_cost(p);
    }
    cost += (wanted & inputs) != 0 ? flops(&p->node, RV_PASS_BACKWARD_DATA) : 0;
    cost += (wanted & ~inputs) != 0 ? flops(&p->node, RV_PASS_BACKWARD_PARAMS) : 0;
    return cost + FLOPS_PER_BYTE * moved_bytes(p);
}
