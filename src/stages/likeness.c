/* Drives pictures of one channel apart by the likeness of their Gram matrices. */
/* SPDX-License-Identifier: MIT */
#include "stages/likeness.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

#include <math.h>
#include <stdlib.h>

typedef struct pair {
    rv_value gram, target;
} pair;

struct rv_likeness {
    rv_device *device;
    int n;
    pair *pairs;
    size_t n_pairs, capacity;
};

rv_status rv_likeness_create(rv_likeness **out, rv_device *device, int n)
{
    *out = NULL;
    RV_TRY(rv_alloc(out, 1, sizeof **out, "likeness"));
    (*out)->device = device;
    (*out)->n = n;
    return RV_OK;
}

void rv_likeness_destroy(rv_likeness *likeness)
{
    if (likeness != NULL) {
        free(likeness->pairs);
        free(likeness);
    }
}

static rv_status add(rv_likeness *l, rv_graph *graph, rv_value value, const char *name,
                     rv_value outputs[2])
{
    pair *p = &l->pairs[l->n_pairs];
    char *part;
    RV_TRY(rv_graph_add(graph, &p->gram, "gram", name, &value, 1, RV_NO_ATTRS));
    RV_TRY(rv_format(&part, "%s target", name));
    rv_status status = rv_graph_input(graph, &p->target, part, *rv_graph_shape(graph, p->gram));
    free(part);
    RV_TRY(status);
    const rv_value in[2] = {p->gram, p->target};
    outputs[1] = p->gram;
    RV_TRY(rv_format(&part, "%s product", name));
    status = rv_graph_add(graph, &outputs[0], "dot_loss", part, in, 2, RV_NO_ATTRS);
    free(part);
    l->n_pairs += status == RV_OK;
    return status;
}

rv_status rv_likeness_add(rv_likeness *likeness, rv_graph *graph, rv_value value,
                          rv_value outputs[2])
{
    rv_likeness *l = likeness;
    char *name;
    RV_TRY(rv_grow(&l->pairs, &l->capacity, l->n_pairs + 1, sizeof *l->pairs, "likeness"));
    RV_TRY(rv_format(&name, "likeness %zu", l->n_pairs));
    const rv_status status = add(l, graph, value, name, outputs);
    free(name);
    return status;
}

static double product(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

/* Adds w (b / |b| - cos a / |a|) / |a| to the target of a. */
static void push(float *target, const float *a, const float *b, size_t n, double w)
{
    const double size_a = sqrt(product(a, a, n)), size_b = sqrt(product(b, b, n));
    if (!(size_a > 0) || !(size_b > 0)) {
        return;
    }
    const double likeness = product(a, b, n) / (size_a * size_b);
    const double by_b = w / (size_a * size_b), by_a = -w * likeness / (size_a * size_a);
    for (size_t i = 0; i < n; i++) {
        target[i] += (float)(by_b * (double)b[i] + by_a * (double)a[i]);
    }
}

static void fill(const rv_likeness *l, float *target, const float *gram, size_t n,
                 const rv_filter *filters, const double *weights)
{
    for (int i = 0; i < l->n; i++) {
        for (int j = 0; j < l->n; j++) {
            if (i != j && filters[i].channel == filters[j].channel &&
                filters[i].sign == filters[j].sign) {
                push(target + (size_t)i * n, gram + (size_t)i * n, gram + (size_t)j * n, n,
                     weights[i]);
            }
        }
    }
}

rv_status rv_likeness_update(rv_likeness *likeness, rv_plan *plan, const rv_filter *filters,
                             const double *weights)
{
    const rv_likeness *l = likeness;
    for (size_t k = 0; k < l->n_pairs; k++) {
        const rv_tensor *gram = rv_plan_tensor(plan, l->pairs[k].gram);
        const size_t n = rv_shape_count(&gram->shape);
        float *values;
        RV_TRY(rv_alloc(&values, 2 * n, sizeof *values, "likeness"));
        rv_status status = rv_tensor_read(l->device, gram, values);
        if (status == RV_OK) {
            fill(l, values + n, values, n / (size_t)l->n, filters, weights);
            status =
                rv_tensor_write(l->device, rv_plan_tensor(plan, l->pairs[k].target), values + n);
        }
        free(values);
        RV_TRY(status);
    }
    return RV_OK;
}
