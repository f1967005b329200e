/* Fits a plan into little memory: computes values again instead of keeping them, packs on each use. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "graph/internal.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>

/* What is weighed in one round of the search. */
enum { MAX_MOVES = 64 };

/* Parts of the limit: by which it is lowered at least, and in which lower targets are tried. */
enum { SMALLEST_STEP = 50, PARTS = 8 };

/* Of the work of a forward pass, what any plan may spend on memory: next to nothing of an iteration. */
#define SMALL_SHARE 0.02

/* Two decisions for each node; a move changes one of them. */
typedef struct move {
    int node;
    bool packing; /* pack_on_use, otherwise kept */
    size_t bytes; /* that it is about */
} move;

typedef struct search {
    rv_plan *plan;
    uint64_t limit;  /* of what lives at a time */
    double budget;   /* of what may be spent */
    bool packing;    /* packing on use is among the moves */
    int64_t *change; /* by step, of what lives */
    move moves[MAX_MOVES];
    int n_moves;
} search;

/* How far a plan is from its limit, and what it costs to be there. */
typedef struct score {
    double
        excess; /* squares of the megabytes beyond the limit, summed over steps: peaks count most */
    double cost; /* operations beyond those of a plan that keeps all */
} score;

/* --- score ----------------------------------------------------------------------------------- */

static double cost_of(const rv_plan *plan)
{
    double sum = 0;
    for (size_t i = 0; i < plan->n_nodes; i++) {
        const rv_plan_node *p = &plan->nodes[i];
        sum += p->at[RV_STEP_AGAIN] >= 0 ? rv_forward_cost(p) : 0;
        for (int kind = 0; kind < RV_STEP_KINDS && p->pack_on_use; kind++) {
            sum += rv_packing_cost(p, (rv_step_kind)kind);
        }
    }
    return sum;
}

/* Schedules by the decisions as they are. */
static rv_status rate(search *s, score *out)
{
    rv_plan *plan = s->plan;
    RV_TRY(rv_plan_schedule(plan));
    const size_t n = plan->n_steps;
    for (size_t at = 0; at < n + 1; at++) {
        s->change[at] = 0;
    }
    for (size_t i = 0; i < plan->n_storages; i++) {
        const rv_storage *t = &plan->storages[i];
        s->change[t->first] += (int64_t)t->bytes;
        s->change[t->last == INT_MAX ? n : (size_t)t->last + 1] -= (int64_t)t->bytes;
    }
    *out = (score){0, cost_of(plan)};
    int64_t live = 0;
    for (size_t at = 0; at < n; at++) {
        live += s->change[at];
        const double beyond = 1e-6 * ((double)live - (double)s->limit);
        out->excess += beyond > 0 ? beyond * beyond : 0;
    }
    return RV_OK;
}

/* --- moves ----------------------------------------------------------------------------------- */

static bool is_overwritten(const rv_plan *plan, int value)
{
    for (size_t i = 0; i < plan->n_nodes; i++) {
        const rv_plan_node *p = &plan->nodes[i];
        if (p->node.n_in > 0 && p->in[0] == value &&
            plan->values[p->out[0]].storage == plan->values[value].storage) {
            return true;
        }
    }
    return false;
}

/* What is kept may be computed again; what is computed again may be kept, unless the step behind it
 * writes over it: then that step's output is the one to keep. */
static bool can_toggle(const rv_plan *plan, const rv_plan_node *p)
{
    if (!rv_plan_can_repeat(plan, p) || (!p->kept && p->at[RV_STEP_AGAIN] < 0)) {
        return false;
    }
    for (int k = 0; k < p->node.n_out; k++) {
        const rv_plan_value *v = &plan->values[p->out[k]];
        if (v->output || rv_plan_is_loss(plan, p->out[k]) ||
            (!p->kept && is_overwritten(plan, p->out[k]))) {
            return false;
        }
    }
    return true;
}

static void add_move(search *s, move m)
{
    int at = s->n_moves;
    if (at == MAX_MOVES) {
        at--;
        if (s->moves[at].bytes >= m.bytes) {
            return;
        }
    } else {
        s->n_moves++;
    }
    for (; at > 0 && s->moves[at - 1].bytes < m.bytes; at--) {
        s->moves[at] = s->moves[at - 1];
    }
    s->moves[at] = m;
}

/* The moves that are about the most bytes. */
static void find_moves(search *s)
{
    const rv_plan *plan = s->plan;
    s->n_moves = 0;
    for (int i = 0; i < (int)plan->n_nodes; i++) {
        const rv_plan_node *p = &plan->nodes[i];
        const size_t packed = p->node.packed_bytes + p->node.packed_back_bytes;
        if (can_toggle(plan, p)) {
            add_move(s, (move){i, false, rv_tensor_bytes(p->node.out[0])});
        }
        if (packed > 0 && s->packing) {
            add_move(s, (move){i, true, packed});
        }
    }
}

static void toggle(rv_plan *plan, const move *m)
{
    rv_plan_node *p = &plan->nodes[m->node];
    if (m->packing) {
        p->pack_on_use = !p->pack_on_use;
    } else {
        p->kept = !p->kept;
    }
}

/* Bytes gained per operation; what costs nothing comes first. */
static double worth(const score *from, const score *to)
{
    const double cost = to->cost - from->cost;
    return (from->excess - to->excess) / (cost > 1 ? cost : 1);
}

/* The best move from `now`. *out.node is -1 where none comes nearer to the limit. */
static rv_status find_best(search *s, const score *now, move *out)
{
    double best = 0;
    *out = (move){.node = -1};
    find_moves(s);
    for (int i = 0; i < s->n_moves; i++) {
        score then;
        toggle(s->plan, &s->moves[i]);
        RV_TRY(rate(s, &then));
        toggle(s->plan, &s->moves[i]);
        if (then.excess < now->excess && then.cost <= s->budget && worth(now, &then) > best) {
            best = worth(now, &then);
            *out = s->moves[i];
        }
    }
    return RV_OK;
}

/* Takes back what turns out not to be needed, the dearest first. */
static rv_status give_back(search *s, score *now)
{
    for (;;) {
        move chosen = {.node = -1};
        RV_TRY(rate(s, now));
        score best = *now;
        find_moves(s);
        for (int i = 0; i < s->n_moves; i++) {
            score then;
            toggle(s->plan, &s->moves[i]);
            RV_TRY(rate(s, &then));
            toggle(s->plan, &s->moves[i]);
            if (!(then.excess > 0) && then.cost < best.cost) {
                best = then;
                chosen = s->moves[i];
            }
        }
        if (chosen.node < 0) {
            return rate(s, now);
        }
        toggle(s->plan, &chosen);
    }
}

/* Decides until no step needs more than `target`, or nothing more can be done. */
static rv_status descend(search *s, uint64_t target)
{
    score now;
    rv_plan_keep_all(s->plan);
    s->limit = target;
    RV_TRY(rate(s, &now));
    while (now.excess > 0) {
        move best;
        RV_TRY(find_best(s, &now, &best));
        if (best.node < 0) {
            break;
        }
        toggle(s->plan, &best);
        RV_TRY(rate(s, &now));
    }
    return rate(s, &now);
}

/* Then takes back what is not needed for `allowed`, if that much is reached (*fits). A lower target
 * leads another way. */
static rv_status shrink(search *s, uint64_t target, uint64_t allowed, bool *fits)
{
    score now;
    RV_TRY(descend(s, target));
    s->limit = allowed;
    RV_TRY(rate(s, &now));
    *fits = !(now.excess > 0);
    return *fits ? give_back(s, &now) : rate(s, &now);
}

/* --- fit ------------------------------------------------------------------------------------- */

/* @param[in,out] least  the fewest bytes so far */
static rv_status place(search *s, uint64_t *least)
{
    RV_TRY(rv_plan_place(s->plan));
    *least = s->plan->bytes < *least ? s->plan->bytes : *least;
    return RV_OK;
}

/* Placement wastes a little, so what may live at a time is lowered until that fits too. */
static rv_status fit(search *s, uint64_t limit)
{
    uint64_t allowed = limit, least = UINT64_MAX;
    bool fits = true;
    while (fits) {
        fits = false;
        for (uint64_t part = PARTS; part > 0 && !fits; part--) {
            RV_TRY(shrink(s, allowed / PARTS * part, allowed, &fits));
            RV_TRY(place(s, &least));
            if (s->plan->bytes <= limit) {
                return RV_OK;
            }
        }
        const uint64_t beyond = least - limit, step = limit / SMALLEST_STEP;
        const uint64_t less = beyond > step ? beyond : step;
        allowed -= less < allowed ? less : allowed;
    }
    s->plan->bytes = least;
    return RV_OK;
}

/* What costs next to nothing is computed again in any case. */
static rv_status save(search *s)
{
    rv_plan *plan = s->plan;
    score now;
    s->budget = 0;
    s->packing = false;
    for (size_t i = 0; i < plan->n_nodes; i++) {
        s->budget += SMALL_SHARE * rv_forward_cost(&plan->nodes[i]);
    }
    RV_TRY(descend(s, 0));
    RV_TRY(rv_plan_live_bytes(plan, &s->limit));
    RV_TRY(give_back(s, &now));
    return rv_plan_place(plan);
}

rv_status rv_plan_fit(rv_plan *plan, uint64_t limit)
{
    search s = {.plan = plan};
    RV_TRY(rv_alloc(&s.change, 3 * plan->n_nodes + 1, sizeof *s.change, "plan memory"));
    rv_status status = save(&s);
    if (status == RV_OK && plan->bytes > limit) {
        s.budget = INFINITY;
        s.packing = true;
        status = fit(&s, limit);
    }
    free(s.change);
    return status;
}
