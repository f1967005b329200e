/* Products of plain matrices on GPUs. */
/* SPDX-License-Identifier: MIT */
#include "ops/dense_gpu.h"

#include "base/error.h"
#include "tensor/tensor.h"

enum { LEAST_ITEMS = 128 }; /* of a work-group: with fewer, registers run out */

rv_status rv_dense_product_prepare(rv_dense_product *p, rv_device *device, bool blas, int32_t rows,
                                   int32_t inner, int32_t columns)
{
    /* A tile's rows lie along the columns of the product, where neighbouring work-items then write side by side. */
    const rv_gpu_tile *t = rv_gpu_tile_choose(device, columns, rows, LEAST_ITEMS);
    const int32_t across = rv_divide_up(columns, rv_gpu_tile_rows(t)),
                  down = rv_divide_up(rows, rv_gpu_tile_columns(t));
    char defines[RV_GPU_TILE_DEFINES];
    rv_gpu_tile_defines(defines, t);
    *p = (rv_dense_product){.rows = rows, .inner = inner, .columns = columns, .blas = blas};
    if (blas) {
        p->parts = 1;
        return rv_kernel_get(&p->sum, device, "dense_gpu", "dense_gpu_sum", defines);
    }
    const int32_t parts = rv_gpu_tile_parts((double)across * down, inner, (double)rows * columns);
    p->span = rv_divide_up(rv_divide_up(inner, parts), t->terms) * t->terms;
    p->parts = rv_divide_up(inner, p->span);
    p->grid = rv_grid_groups((size_t)across, (size_t)down, (size_t)p->parts,
                             (size_t)rv_gpu_tile_items(t), 1, 1);
    if (p->parts > 1) {
        p->workspace_bytes = (size_t)p->parts * (size_t)rows * (size_t)columns * sizeof(float);
        RV_TRY(rv_kernel_get(&p->sum, device, "dense_gpu", "dense_gpu_sum", defines));
    }
    return rv_kernel_get(&p->run, device, "dense_gpu", "dense_gpu_product", defines);
}

/* What is left of a product in parts: their sum, bias and rectifier. */
static rv_status add_up(const rv_dense_product *p, rv_device *device, const rv_dense_operands *o,
                        const rv_buffer *partial, int32_t accumulate)
{
    return rv_launch(device, p->sum, rv_grid_items(device, (size_t)p->rows * (size_t)p->columns),
                     RV_ARGS(RV_ARG(o->out), RV_ARG(partial), RV_ARG(o->bias), RV_ARG(p->rows),
                             RV_ARG(p->columns), RV_ARG(p->parts), RV_ARG(accumulate),
                             RV_ARG(o->slope)));
}

static rv_status run_blas(const rv_dense_product *p, rv_device *device, const rv_dense_operands *o)
{
    const bool a_lies = o->a_step != 1, b_lies = o->column_step != 1;
    const rv_blas_matrix a = {o->a, a_lies ? o->a_step : o->row_step, a_lies},
                         b = {o->b, b_lies ? o->column_step : o->b_step, b_lies};
    RV_TRY(
        rv_blas_multiply(device, o->out, a, b, p->rows, p->inner, p->columns, o->accumulate != 0));
    return o->bias != NULL || o->slope != 1 ? add_up(p, device, o, o->out, 0) : RV_OK;
}

rv_status rv_dense_product_run(const rv_dense_product *p, rv_device *device,
                               const rv_dense_operands *o, const rv_buffer *workspace)
{
    if (p->blas) {
        return run_blas(p, device, o);
    }
    const bool whole = p->sum == NULL;
    const rv_buffer *none = NULL;
    RV_TRY(rv_launch(device, p->run, p->grid,
                     RV_ARGS(RV_ARG(whole ? o->out : workspace), RV_ARG(o->a), RV_ARG(o->b),
                             RV_ARG(whole ? o->bias : none), RV_ARG(p->rows), RV_ARG(p->inner),
                             RV_ARG(p->columns), RV_ARG(o->row_step), RV_ARG(o->a_step),
                             RV_ARG(o->column_step), RV_ARG(o->b_step),
                             RV_ARG(whole ? o->accumulate : 0), RV_ARG(whole ? o->slope : 1.0f),
                             RV_ARG(p->span))));
    return whole ? RV_OK : add_up(p, device, o, workspace, o->accumulate);
}
