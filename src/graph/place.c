/* Puts the storages of a plan into as few arenas as the device allows, side by side and in turn. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "graph/internal.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* --- what lives at the same time ------------------------------------------------------------- */

rv_status rv_plan_live_bytes(const rv_plan *plan, uint64_t *out)
{
    int64_t *change, live = 0, most = 0;
    RV_TRY(rv_alloc(&change, plan->n_steps + 2, sizeof *change, "plan memory"));
    for (size_t i = 0; i < plan->n_storages; i++) {
        const rv_storage *s = &plan->storages[i];
        change[s->first] += (int64_t)s->bytes;
        change[s->last == INT_MAX ? plan->n_steps + 1 : (size_t)s->last + 1] -= (int64_t)s->bytes;
    }
    for (size_t at = 0; at < plan->n_steps + 1; at++) {
        live += change[at];
        most = live > most ? live : most;
    }
    free(change);
    *out = (uint64_t)most;
    return RV_OK;
}

/* --- greedy placement ------------------------------------------------------------------------ */

static int by_size(const void *a, const void *b)
{
    const rv_storage *x = *(const rv_storage *const *)a, *y = *(const rv_storage *const *)b;
    if (x->bytes != y->bytes) {
        return x->bytes < y->bytes ? 1 : -1;
    }
    return x < y ? -1 : x > y; /* storages are one array: a total order */
}

/* What lives longest is placed first, so that what comes and goes shares the rest. */
static int by_life(const void *a, const void *b)
{
    const rv_storage *x = *(const rv_storage *const *)a, *y = *(const rv_storage *const *)b;
    const int life_x = x->last - x->first, life_y = y->last - y->first;
    return life_x != life_y ? (life_x < life_y ? 1 : -1) : by_size(a, b);
}

/* Bytes times steps; what lives always comes first. */
static int by_area(const void *a, const void *b)
{
    const rv_storage *x = *(const rv_storage *const *)a, *y = *(const rv_storage *const *)b;
    const double area_x = (double)x->bytes * ((double)x->last - x->first + 1);
    const double area_y = (double)y->bytes * ((double)y->last - y->first + 1);
    return area_x != area_y ? (area_x < area_y ? 1 : -1) : by_size(a, b);
}

/* As they begin to live. */
static int by_order(const void *a, const void *b)
{
    const rv_storage *x = *(const rv_storage *const *)a, *y = *(const rv_storage *const *)b;
    return x->first != y->first ? (x->first < y->first ? -1 : 1) : by_size(a, b);
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

/* One way to place everything. */
typedef struct placement {
    rv_storage **sorted;
    size_t *arena_bytes;
    size_t n_arenas;
    uint64_t bytes;
} placement;

static rv_status place_one(placement *p, size_t n, rv_storage *s, size_t limit)
{
    if (s->bytes > limit) {
        return rv_fail(RV_ERR_DEVICE_MEMORY,
                       "one tensor needs %zu MB, but the device gives %zu MB at most in one piece; "
                       "use a smaller --size",
                       s->bytes >> 20, limit >> 20);
    }
    for (size_t a = 0; a <= p->n_arenas; a++) {
        const size_t offset = lowest_offset(p->sorted, n, s, (int)a);
        if (offset + s->bytes <= limit) {
            s->arena = (int)a;
            s->offset = offset;
            p->n_arenas = a == p->n_arenas ? a + 1 : p->n_arenas;
            const size_t end = offset + s->bytes;
            p->bytes += end > p->arena_bytes[a] ? end - p->arena_bytes[a] : 0;
            p->arena_bytes[a] = end > p->arena_bytes[a] ? end : p->arena_bytes[a];
            return RV_OK;
        }
    }
    return rv_fail(RV_ERR_INTERNAL, "no place for a storage of %zu bytes", s->bytes);
}

static rv_status place_all(rv_plan *plan, placement *p, int (*order)(const void *, const void *))
{
    const size_t n = plan->n_storages, limit = rv_device_max_alloc(plan->device);
    p->n_arenas = 0;
    p->bytes = 0;
    for (size_t i = 0; i < n; i++) {
        p->sorted[i] = &plan->storages[i];
        p->arena_bytes[i] = 0;
    }
    qsort(p->sorted, n, sizeof *p->sorted, order);
    for (size_t i = 0; i < n; i++) {
        RV_TRY(place_one(p, i, p->sorted[i], limit));
    }
    return RV_OK;
}

/* Places in several orders and keeps the best. */
static rv_status place(rv_plan *plan, placement *p)
{
    int (*const orders[])(const void *, const void *) = {by_size, by_life, by_area, by_order};
    const size_t n = sizeof orders / sizeof orders[0];
    uint64_t least = UINT64_MAX;
    size_t best = 0;
    for (size_t i = 0; i < n; i++) {
        RV_TRY(place_all(plan, p, orders[i]));
        best = p->bytes < least ? i : best;
        least = p->bytes < least ? p->bytes : least;
    }
    RV_TRY(place_all(plan, p, orders[best]));
    plan->bytes = p->bytes;
    plan->n_arenas = p->n_arenas;
    return RV_OK;
}

rv_status rv_plan_place(rv_plan *plan)
{
    placement p = {0};
    rv_status status = rv_alloc(&p.sorted, plan->n_storages + 1, sizeof *p.sorted, "plan memory");
    if (status == RV_OK) {
        status =
            rv_alloc(&p.arena_bytes, plan->n_storages + 1, sizeof *p.arena_bytes, "plan memory");
    }
    if (status == RV_OK) {
        status = place(plan, &p);
    }
    free(p.sorted);
    free(plan->arena_bytes);
    plan->arena_bytes = p.arena_bytes;
    return status;
}
