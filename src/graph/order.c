/* Orders the nodes of a plan so that values live short: what is nearest to its end runs first. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "graph/internal.h"

#include <stdlib.h>

/* Nodes on the longest way from each node to an end of the graph. */
static void find_heights(const rv_plan *plan, int *heights)
{
    for (size_t i = plan->n_nodes; i > 0; i--) {
        const rv_plan_node *p = &plan->nodes[i - 1];
        for (int k = 0; k < p->node.n_in; k++) {
            const int producer = plan->values[p->in[k]].producer;
            if (producer >= 0 && heights[producer] <= heights[i - 1]) {
                heights[producer] = heights[i - 1] + 1;
            }
        }
    }
}

static bool is_ready(const rv_plan *plan, const rv_plan_node *p, const int *moved)
{
    for (int k = 0; k < p->node.n_in; k++) {
        const int producer = plan->values[p->in[k]].producer;
        if (producer >= 0 && moved[producer] < 0) {
            return false;
        }
    }
    return true;
}

/* A loss on an early layer so runs right behind that layer, and in backward right before it: neither
 * the layer's output nor its gradient waits for the rest of the network. A branch that was begun is
 * finished before the next one begins. moved[i]: new place of node i. */
static void choose(const rv_plan *plan, const int *heights, int *moved)
{
    for (size_t place = 0; place < plan->n_nodes; place++) {
        int best = -1;
        for (int i = 0; i < (int)plan->n_nodes; i++) {
            if (moved[i] < 0 && (best < 0 || heights[i] < heights[best]) &&
                is_ready(plan, &plan->nodes[i], moved)) {
                best = i;
            }
        }
        moved[best] = (int)place;
    }
}

static void move(rv_plan *plan, rv_plan_node *sorted, const int *moved)
{
    for (size_t i = 0; i < plan->n_nodes; i++) {
        sorted[moved[i]] = plan->nodes[i];
    }
    for (size_t v = 0; v < plan->n_values; v++) {
        const int producer = plan->values[v].producer;
        plan->values[v].producer = producer >= 0 ? moved[producer] : -1;
    }
    free(plan->nodes);
    plan->nodes = sorted;
    plan->nodes_capacity = plan->n_nodes;
}

rv_status rv_plan_order(rv_plan *plan)
{
    const size_t n = plan->n_nodes;
    int *heights = NULL, *moved = NULL;
    rv_plan_node *sorted = NULL;
    rv_status status = rv_alloc(&heights, n + 1, sizeof *heights, "plan");
    if (status == RV_OK) {
        status = rv_alloc(&moved, n + 1, sizeof *moved, "plan");
    }
    if (status == RV_OK) {
        status = rv_alloc(&sorted, n + 1, sizeof *sorted, "plan");
    }
    if (status == RV_OK) {
        for (size_t i = 0; i < n; i++) {
            moved[i] = -1;
        }
        find_heights(plan, heights);
        choose(plan, heights, moved);
        move(plan, sorted, moved);
    }
    free(heights);
    free(moved);
    return status;
}
