/* Cuts a sum into parts and adds them up. */
/* SPDX-License-Identifier: MIT */
#include "ops/reduce.h"
#include "base/error.h"

/* Vectors per part: work enough for a launch to be worth it, few enough roundings in a row. */
enum { SHARE = 1024, MAX_PARTS = 1024, GPU_GROUP = 256 };

double rv_mean_factor(const rv_node *n, float weight)
{
    return (double)weight / (double)rv_shape_count(&n->in[0]->shape);
}

rv_status rv_reduction_prepare(rv_reduction *out, rv_device *device, int32_t vectors)
{
    const int32_t parts = rv_divide_up(vectors, SHARE);
    out->vectors = vectors;
    out->share = parts <= MAX_PARTS ? SHARE : rv_divide_up(vectors, MAX_PARTS);
    out->parts = rv_divide_up(vectors, out->share);
    return rv_kernel_get(&out->finish, device, "reduce", "reduce_finish", NULL);
}

size_t rv_reduction_bytes(const rv_reduction *r)
{
    return (size_t)r->parts * sizeof(float);
}

rv_grid rv_reduction_grid(const rv_reduction *r, const rv_device *device)
{
    return rv_grid_groups((size_t)r->parts, 1, 1, rv_device_gpu_form(device) ? GPU_GROUP : 1, 1, 1);
}

rv_status rv_reduction_finish(const rv_reduction *r, rv_device *device, rv_tensor *out,
                              const rv_buffer *parts, float factor)
{
    return rv_launch(device, r->finish, rv_grid_items(device, 1),
                     RV_ARGS(RV_ARG(out->buffer), RV_ARG(parts), RV_ARG(r->parts), RV_ARG(factor)));
}
