/* Merges a rectifier into the launch that makes its input, where nobody else reads that input. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "graph/internal.h"

#include <stdlib.h>

/* How often nodes read each value. */
static void count_readers(const rv_plan *plan, int *readers)
{
    for (size_t i = 0; i < plan->n_nodes; i++) {
        const rv_plan_node *p = &plan->nodes[i];
        for (int k = 0; k < p->node.n_in; k++) {
            readers[p->in[k]]++;
        }
    }
}

/* A value that is wanted, or that backward of its maker or of the rectifier reads, has to exist. */
static bool may_vanish(const rv_plan *plan, const rv_plan_node *rectifier, const int *readers)
{
    const rv_plan_value *in = &plan->values[rectifier->in[0]];
    if (in->producer < 0 || in->output || readers[rectifier->in[0]] != 1) {
        return false;
    }
    const rv_node *maker = &plan->nodes[in->producer].node;
    const bool maker_reads =
        maker->wanted != 0 && (maker->op->traits & RV_OP_BWD_READS_OUTPUT) != 0;
    const bool reads = rectifier->node.wanted != 0 && rv_backward_reads_input(&rectifier->node);
    return (maker->op->traits & RV_OP_RECTIFIES) != 0 && !maker_reads && !reads;
}

/* Its input's layout is its output's: the pair shares memory, since it may be done in place. */
static bool is_rectifier(const rv_node *n, float *slope)
{
    return n->op->rectifier != NULL && (n->op->traits & RV_OP_INPLACE) != 0 &&
           n->op->rectifier(n, slope);
}

rv_status rv_plan_fuse(rv_plan *plan)
{
    int *readers;
    RV_TRY(rv_alloc(&readers, plan->n_values + 1, sizeof *readers, "plan"));
    count_readers(plan, readers);
    for (size_t i = 0; i < plan->n_nodes; i++) {
        rv_plan_node *p = &plan->nodes[i];
        float slope;
        if (is_rectifier(&p->node, &slope) && may_vanish(plan, p, readers)) {
            plan->nodes[plan->values[p->in[0]].producer].node.slope = slope;
            p->merged = true;
        }
    }
    free(readers);
    return RV_OK;
}
