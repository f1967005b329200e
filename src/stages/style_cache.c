/* What the styles give at a size, kept from photo to photo. */
/* SPDX-License-Identifier: MIT */
#include "stages/style_cache.h"
#include "base/error.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static void release(rv_style_findings *f)
{
    for (size_t i = 0; f->targets != NULL && i < f->n_targets; i++) {
        free(f->targets[i]);
    }
    free(f->targets);
    free(f->counts);
    free(f->regions);
    free(f->banks);
    *f = (rv_style_findings){0};
}

void rv_style_cache_release(rv_style_cache *cache)
{
    for (size_t i = 0; i < cache->n; i++) {
        release(&cache->items[i]);
    }
    *cache = (rv_style_cache){0};
}

static const rv_colour_moments own_colours;

static bool same_colours(const rv_colour_moments *a, const rv_colour_moments *b)
{
    bool same = true;
    for (int i = 0; i < 3; i++) {
        same = same && a->mean[i] == b->mean[i];
    }
    for (int i = 0; i < 9; i++) {
        same = same && a->covariance[i] == b->covariance[i];
    }
    return same;
}

rv_style_findings *rv_style_cache_find(rv_style_cache *cache, int size, int n_levels,
                                       const rv_colour_moments *likeness)
{
    const rv_colour_moments *in = likeness != NULL ? likeness : &own_colours;
    for (size_t i = 0; i < cache->n; i++) {
        rv_style_findings *f = &cache->items[i];
        if (f->size == size && f->n_levels == n_levels && f->known &&
            same_colours(&f->likeness, in)) {
            return f;
        }
    }
    return NULL;
}

rv_status rv_style_cache_add(rv_style_findings **out, rv_style_cache *cache, int size, int n_levels,
                             int n_regions, const rv_colour_moments *likeness)
{
    size_t at = 0;
    while (at < cache->n && cache->items[at].known) {
        at++;
    }
    if (at == RV_STYLE_SIZES) {
        at = cache->oldest;
        cache->oldest = (at + 1) % RV_STYLE_SIZES;
    } else if (at == cache->n) {
        cache->n++;
    }
    rv_style_findings *f = &cache->items[at];
    release(f);
    f->size = size;
    f->n_levels = n_levels;
    f->likeness = likeness != NULL ? *likeness : own_colours;
    RV_TRY(rv_alloc(&f->banks, (size_t)n_levels + 1, sizeof *f->banks, "filters"));
    RV_TRY(rv_alloc(&f->regions, (size_t)n_regions, sizeof *f->regions, "colours"));
    *out = f;
    return RV_OK;
}

static size_t count_styles(const rv_terms *terms)
{
    size_t n = 0;
    for (size_t i = 0; i < terms->n; i++) {
        n += terms->items[i].of_style;
    }
    return n;
}

static rv_status copy(float **out, const float *from, size_t n)
{
    RV_TRY(rv_alloc(out, n, sizeof(float), "targets"));
    memcpy(*out, from, n * sizeof(float));
    return RV_OK;
}

rv_status rv_style_findings_take(rv_style_findings *f, const rv_terms *terms)
{
    const size_t n = count_styles(terms);
    RV_TRY(rv_alloc(&f->counts, n + 1, sizeof *f->counts, "targets"));
    RV_TRY(rv_alloc(&f->targets, n + 1, sizeof(float *), "targets"));
    for (size_t i = 0; i < terms->n; i++) {
        const rv_term *t = &terms->items[i];
        if (t->of_style) {
            f->counts[f->n_targets] = t->count;
            RV_TRY(copy(&f->targets[f->n_targets++], t->target, t->count));
        }
    }
    f->known = true;
    return RV_OK;
}

rv_status rv_style_findings_give(const rv_style_findings *f, rv_terms *terms)
{
    const size_t n = count_styles(terms);
    size_t at = 0;
    if (n != f->n_targets) {
        return rv_fail(RV_ERR_INTERNAL, "%zu targets of the styles are known, not %zu",
                       f->n_targets, n);
    }
    for (size_t i = 0; i < terms->n; i++) {
        rv_term *t = &terms->items[i];
        if (t->of_style) {
            t->count = f->counts[at];
            RV_TRY(copy(&t->target, f->targets[at++], t->count));
        }
    }
    return RV_OK;
}
