/* Exponential average of the iterates of an optimiser, free of the bias of its start. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "optim/internal.h"

#include <math.h>
#include <stdlib.h>

/* Of a memory that is restored: a double tells each from the next. */
#define MAX_UPDATES 1e15

struct rv_average {
    rv_vectors *vectors;
    rv_buffer *sum;
    size_t n;
    float decay;
    int64_t updates;
};

rv_status rv_average_create(rv_average **out, rv_device *device, size_t n, float decay)
{
    *out = NULL;
    rv_average *a;
    RV_TRY(rv_alloc(&a, 1, sizeof *a, "average"));
    a->n = n;
    a->decay = decay;
    rv_status status = rv_vectors_create(&a->vectors, device, n);
    if (status == RV_OK) {
        status = rv_buffer_create(&a->sum, device, n * sizeof(float));
    }
    if (status != RV_OK) {
        rv_average_destroy(a);
        return status;
    }
    *out = a;
    return RV_OK;
}

void rv_average_destroy(rv_average *average)
{
    if (average != NULL) {
        rv_vectors_destroy(average->vectors);
        rv_buffer_destroy(average->sum);
        free(average);
    }
}

uint64_t rv_average_bytes(size_t n)
{
    return rv_vectors_bytes() + (uint64_t)n * sizeof(float);
}

void rv_average_list(const rv_average *average, rv_memory *out)
{
    rv_memory_array(out, average->sum, average->n);
    rv_memory_number(out, (double)average->updates);
}

rv_status rv_average_restore(rv_average *average, rv_memory *memory)
{
    return rv_memory_take(memory, 1, MAX_UPDATES, &average->updates);
}

rv_status rv_average_update(rv_average *average, const rv_buffer *x)
{
    /* The first update must not read the sum, which holds nothing yet. */
    const float keep = average->updates > 0 ? average->decay : 0.0f;
    average->updates++;
    return rv_vectors_axpby(average->vectors, average->sum, 1.0f - average->decay, x, keep);
}

rv_status rv_average_read(rv_average *average, rv_buffer *out)
{
    if (average->updates == 0) {
        return rv_fail(RV_ERR_INTERNAL, "an average of nothing was asked for");
    }
    const double bias = 1.0 - pow((double)average->decay, (double)average->updates);
    return rv_vectors_axpby(average->vectors, out, (float)(1.0 / bias), average->sum, 0.0f);
}
