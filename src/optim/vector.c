/* Launches the vector kernels; knows how a sum is cut into parts. */
/* SPDX-License-Identifier: MIT */
#include "optim/vector.h"
#include "base/error.h"
#include "base/memory.h"

#include <stdlib.h>

/* Parts of a reduction: enough for any device, few enough for one work-item to add up. */
enum { MAX_PARTS = 256, GPU_GROUP = 256, MIN_SHARE = 64 };

typedef enum mode { DOT, ABS_SUM, ABS_MAX } mode;

struct rv_vectors {
    rv_device *device;
    int32_t n;
    int32_t n_parts, share; /* of a reduction: groups, and vectors of B per work-item */
    size_t group;
    rv_kernel *reduce, *reduce_parts, *axpby, *axpy_slot, *axpy_dot, *divide;
    rv_buffer *slots, *parts;
};

static rv_status get_kernels(rv_vectors *v)
{
    const struct {
        rv_kernel **kernel;
        const char *name;
    } table[] = {
        {&v->reduce, "vector_reduce"}, {&v->reduce_parts, "vector_reduce_parts"},
        {&v->axpby, "vector_axpby"},   {&v->axpy_slot, "vector_axpy_slot"},
        {&v->divide, "vector_divide"}, {&v->axpy_dot, "vector_axpy_dot"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        RV_TRY(rv_kernel_get(table[i].kernel, v->device, "vector", table[i].name, NULL));
    }
    return RV_OK;
}

/* The cut depends on n and the device class only, so that sums repeat. */
static void choose_parts(rv_vectors *v)
{
    const int32_t block = rv_device_block(v->device);
    const int32_t vectors = (v->n - 1) / block + 1;
    v->group = rv_device_gpu_form(v->device) ? GPU_GROUP : 1;
    const int32_t per_group = (int32_t)v->group * MIN_SHARE;
    const int32_t parts = (vectors + per_group - 1) / per_group;
    v->n_parts = parts < MAX_PARTS ? parts : MAX_PARTS;
    const int32_t items = v->n_parts * (int32_t)v->group;
    v->share = (vectors + items - 1) / items;
}

static rv_status create(rv_vectors *v)
{
    RV_TRY(get_kernels(v));
    choose_parts(v);
    RV_TRY(rv_buffer_create(&v->slots, v->device, RV_VECTOR_SLOTS * sizeof(float)));
    RV_TRY(rv_buffer_fill(v->device, v->slots, 0, RV_VECTOR_SLOTS * sizeof(float), 0.0f));
    return rv_buffer_create(&v->parts, v->device, MAX_PARTS * sizeof(float));
}

rv_status rv_vectors_create(rv_vectors **out, rv_device *device, size_t n)
{
    *out = NULL;
    if (n == 0 || n > INT32_MAX) {
        return rv_fail(RV_ERR_SHAPE, "a vector of %zu values cannot be optimised", n);
    }
    rv_vectors *v;
    RV_TRY(rv_alloc(&v, 1, sizeof *v, "optimiser"));
    v->device = device;
    v->n = (int32_t)n;
    const rv_status status = create(v);
    if (status != RV_OK) {
        rv_vectors_destroy(v);
        return status;
    }
    *out = v;
    return RV_OK;
}

void rv_vectors_destroy(rv_vectors *v)
{
    if (v != NULL) {
        rv_buffer_destroy(v->slots);
        rv_buffer_destroy(v->parts);
        free(v);
    }
}

rv_buffer *rv_vectors_slots(const rv_vectors *v)
{
    return v->slots;
}

uint64_t rv_vectors_bytes(void)
{
    return (RV_VECTOR_SLOTS + MAX_PARTS) * sizeof(float);
}

/* Second stage. @param times  slot that the result is multiplied by; -1: none */
static rv_status reduce_parts(rv_vectors *v, int32_t slot, int32_t times, int32_t reduction)
{
    return rv_launch(v->device, v->reduce_parts, rv_grid_items(v->device, 1),
                     RV_ARGS(RV_ARG(v->slots), RV_ARG(v->parts), RV_ARG(slot), RV_ARG(times),
                             RV_ARG(v->n_parts), RV_ARG(reduction)));
}

static rv_status reduce(rv_vectors *v, int32_t slot, int32_t times, const rv_buffer *a,
                        const rv_buffer *b, int32_t reduction)
{
    const rv_grid grid = rv_grid_groups((size_t)v->n_parts, 1, 1, v->group, 1, 1);
    RV_TRY(rv_launch(v->device, v->reduce, grid,
                     RV_ARGS(RV_ARG(v->parts), RV_ARG(a), RV_ARG(b), RV_ARG(v->n), RV_ARG(v->share),
                             RV_ARG(reduction))));
    return reduce_parts(v, slot, times, reduction);
}

rv_status rv_vectors_dot(rv_vectors *v, int slot, const rv_buffer *a, const rv_buffer *b)
{
    return reduce(v, slot, -1, a, b, DOT);
}

rv_status rv_vectors_dot_times(rv_vectors *v, int slot, int times, const rv_buffer *a,
                               const rv_buffer *b)
{
    return reduce(v, slot, times, a, b, DOT);
}

rv_status rv_vectors_abs_sum(rv_vectors *v, int slot, const rv_buffer *a)
{
    return reduce(v, slot, -1, a, a, ABS_SUM);
}

rv_status rv_vectors_abs_max(rv_vectors *v, int slot, const rv_buffer *a)
{
    return reduce(v, slot, -1, a, a, ABS_MAX);
}

static rv_grid grid_over(const rv_vectors *v)
{
    const size_t block = (size_t)rv_device_block(v->device);
    return rv_grid_items(v->device, ((size_t)v->n + block - 1) / block);
}

rv_status rv_vectors_axpby(rv_vectors *v, rv_buffer *y, float a, const rv_buffer *x, float b)
{
    return rv_launch(v->device, v->axpby, grid_over(v),
                     RV_ARGS(RV_ARG(y), RV_ARG(x), RV_ARG(v->n), RV_ARG(a), RV_ARG(b)));
}

rv_status rv_vectors_axpy_slot(rv_vectors *v, rv_buffer *y, float factor, int i, int j,
                               const rv_buffer *x)
{
    return rv_launch(v->device, v->axpy_slot, grid_over(v),
                     RV_ARGS(RV_ARG(y), RV_ARG(x), RV_ARG(v->slots), RV_ARG(v->n), RV_ARG(i),
                             RV_ARG(j), RV_ARG(factor)));
}

rv_status rv_vectors_axpy_dot(rv_vectors *v, rv_buffer *y, const rv_vectors_sum *sum, int slot,
                              int times, const rv_buffer *z)
{
    const rv_grid grid = rv_grid_groups((size_t)v->n_parts, 1, 1, v->group, 1, 1);
    const int32_t i = sum->i, j = sum->j, scale = sum->scale;
    RV_TRY(rv_launch(v->device, v->axpy_dot, grid,
                     RV_ARGS(RV_ARG(y), RV_ARG(v->parts), RV_ARG(sum->x), RV_ARG(z),
                             RV_ARG(v->slots), RV_ARG(v->n), RV_ARG(v->share), RV_ARG(i), RV_ARG(j),
                             RV_ARG(scale), RV_ARG(sum->factor))));
    return reduce_parts(v, slot, times, DOT);
}

rv_status rv_vectors_slot_divide(rv_vectors *v, int slot, int i, int j)
{
    const int32_t to = slot, above = i, below = j;
    return rv_launch(v->device, v->divide, rv_grid_items(v->device, 1),
                     RV_ARGS(RV_ARG(v->slots), RV_ARG(to), RV_ARG(above), RV_ARG(below)));
}

rv_status rv_vectors_read(rv_vectors *v, float *out, int first, int n)
{
    return rv_buffer_read(v->device, v->slots, (size_t)first * sizeof(float), out,
                          (size_t)n * sizeof(float));
}
