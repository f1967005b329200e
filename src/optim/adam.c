/* Adam (Kingma and Ba 2015) with a box for pictures. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "optim/internal.h"

#include <math.h>
#include <stdlib.h>

/* Of a memory that is restored: a double tells each from the next. */
#define MAX_STEPS 1e15

struct rv_adam {
    rv_device *device;
    int32_t n;
    rv_adam_options options;
    int64_t step;
    rv_kernel *kernel;
    rv_buffer *m, *v;
};

static rv_status create(rv_adam *a)
{
    const size_t bytes = (size_t)a->n * sizeof(float);
    RV_TRY(rv_kernel_get(&a->kernel, a->device, "adam", "adam_step", NULL));
    RV_TRY(rv_buffer_create(&a->m, a->device, bytes));
    RV_TRY(rv_buffer_create(&a->v, a->device, bytes));
    RV_TRY(rv_buffer_fill(a->device, a->m, 0, bytes, 0.0f));
    return rv_buffer_fill(a->device, a->v, 0, bytes, 0.0f);
}

rv_status rv_adam_create(rv_adam **out, rv_device *device, size_t n, const rv_adam_options *options)
{
    *out = NULL;
    if (n == 0 || n > INT32_MAX) {
        return rv_fail(RV_ERR_SHAPE, "a vector of %zu values cannot be optimised", n);
    }
    rv_adam *a;
    RV_TRY(rv_alloc(&a, 1, sizeof *a, "optimiser"));
    a->device = device;
    a->n = (int32_t)n;
    a->options = *options;
    const rv_status status = create(a);
    if (status != RV_OK) {
        rv_adam_destroy(a);
        return status;
    }
    *out = a;
    return RV_OK;
}

void rv_adam_destroy(rv_adam *adam)
{
    if (adam != NULL) {
        rv_buffer_destroy(adam->m);
        rv_buffer_destroy(adam->v);
        free(adam);
    }
}

uint64_t rv_adam_bytes(size_t n)
{
    return 2 * (uint64_t)n * sizeof(float);
}

void rv_adam_list(const rv_adam *adam, rv_memory *out)
{
    rv_memory_array(out, adam->m, (size_t)adam->n);
    rv_memory_array(out, adam->v, (size_t)adam->n);
    rv_memory_number(out, (double)adam->step);
}

rv_status rv_adam_restore(rv_adam *adam, rv_memory *memory)
{
    return rv_memory_take(memory, 0, MAX_STEPS, &adam->step);
}

rv_status rv_adam_step(rv_adam *adam, rv_buffer *x, const rv_buffer *gradient)
{
    const rv_adam_options *o = &adam->options;
    adam->step++;
    const float scale1 = (float)(1.0 / (1.0 - pow((double)o->beta1, (double)adam->step)));
    const float scale2 = (float)(1.0 / (1.0 - pow((double)o->beta2, (double)adam->step)));
    const int32_t vectors = (adam->n - 1) / rv_device_block(adam->device) + 1;
    return rv_launch(adam->device, adam->kernel, rv_grid_items(adam->device, (size_t)vectors),
                     RV_ARGS(RV_ARG(x), RV_ARG(adam->m), RV_ARG(adam->v), RV_ARG(gradient),
                             RV_ARG(adam->n), RV_ARG(o->learning_rate), RV_ARG(o->beta1),
                             RV_ARG(o->beta2), RV_ARG(o->epsilon), RV_ARG(scale1), RV_ARG(scale2),
                             RV_ARG(o->low), RV_ARG(o->high)));
}
