/* Has what a node joins be computed in its place, and be handed its gradient there: then nothing is copied. */
/* SPDX-License-Identifier: MIT */
#include "graph/internal.h"

/* Whether a value of several pictures, which lie further apart in the whole, can be a part of it. */
static bool places(const rv_plan *plan, const rv_plan_node *producer)
{
    return plan->values[producer->out[0]].tensor.shape.dim[0] == 1 ||
           (producer->node.op->places != NULL &&
            producer->node.op->places(&producer->node, plan->device));
}

/* Whether the joint alone takes the value, of a node that has a step of its own and is not made of parts itself. */
static bool belongs(const rv_plan *plan, int value)
{
    const rv_plan_value *v = &plan->values[value];
    if (v->producer < 0 || rv_plan_count_reads(plan, value) != 1) {
        return false;
    }
    const rv_plan_node *producer = &plan->nodes[v->producer];
    return !rv_has_trait(producer, RV_OP_JOINS) && !producer->merged && places(plan, producer);
}

/* What backward reads of the value would have to be computed again without the whole. */
static bool may_be_part(const rv_plan *plan, int value)
{
    const rv_plan_value *v = &plan->values[value];
    const rv_plan_node *producer = &plan->nodes[v->producer];
    return !v->output && v->whole < 0 &&
           !(rv_runs_backward(producer) && rv_backward_reads_output(&producer->node));
}

/* Nobody may write over the gradient of the whole, or want it apart. */
static bool may_share_gradient(const rv_plan *plan, const rv_plan_node *p, int k)
{
    const rv_plan_value *v = &plan->values[p->in[k]];
    const uint32_t bit = RV_WANT_INPUT(k);
    return (p->node.wanted & bit) != 0 && (p->node.gated & bit) == 0 &&
           (p->accumulate & bit) == 0 && !v->gradient_output &&
           !rv_has_trait(&plan->nodes[v->producer], RV_OP_BWD_INPLACE);
}

/* The channels lie one behind the other, up to an input that does not fill its blocks. */
static void join_inputs(rv_plan *plan, rv_plan_node *p)
{
    const rv_plan_value *out = &plan->values[p->out[0]];
    const int32_t pictures = out->tensor.shape.dim[0];
    const int32_t apart = pictures > 1 ? rv_tensor_blocks(&out->tensor) : 0;
    size_t offset = 0;
    for (int k = 0; k < p->node.n_in; k++) {
        rv_plan_value *v = &plan->values[p->in[k]];
        if (offset % rv_device_view_step(plan->device) == 0 && belongs(plan, p->in[k])) {
            v->whole_offset = offset;
            if (may_be_part(plan, p->in[k])) {
                v->whole = p->out[0];
                v->tensor.apart = apart;
                p->node.placed |= RV_WANT_INPUT(k);
            }
            if (may_share_gradient(plan, p, k)) {
                v->gradient_whole = p->out[0];
                p->node.gradients_placed |= RV_WANT_INPUT(k);
            }
        }
        if (v->tensor.shape.dim[1] % v->tensor.block != 0) {
            return;
        }
        offset += rv_tensor_bytes(&v->tensor) / (size_t)pictures;
    }
}

void rv_plan_join(rv_plan *plan)
{
    for (size_t i = 0; i < plan->n_nodes; i++) {
        if (rv_has_trait(&plan->nodes[i], RV_OP_JOINS)) {
            join_inputs(plan, &plan->nodes[i]);
        }
    }
}
