/* Dense layer: y = x W^T + b with x [N,J], W [K,J], y [N,K]; rank 4 is taken as N, C*H*W.
 *
 * Gradients: dx = dy W, dW = dy^T x, db = sum of dy over the batch. For few pictures
 * each output is a dot product along the features, so that W streams through once; all else is a product in tiles. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/dense_cpu.h"
#include "ops/op.h"

#include <stddef.h>
#include <string.h>

enum { WEIGHT, BIAS };

typedef struct fields {
    int32_t num_output, bias;
} fields;

static const rv_attr attrs[] = {
    {"num_output", RV_ATTR_INT, offsetof(fields, num_output), 1, 1, 1, 1 << 24, NULL,
     "values per picture that come out"},
    {"bias", RV_ATTR_INT, offsetof(fields, bias), 1, 1, 0, 1, NULL,
     "1: add a learned value to each"},
    {.name = NULL},
};

enum {
    FEW = 8,            /* pictures up to which forward streams the weights without tiles */
    FEW_STEP = 4,       /* PICTURES of dense_gpu.cl */
    MAX_GROUPS = 32768, /* along one dimension of a grid */
    SPAN = 24,          /* outputs of a work-item of dense_cpu_forward, a multiple of its OUTPUTS */
    SMALL_BATCH = 4,    /* pictures up to which it takes all features in one go */
    CHUNK = 2048,       /* features at a time otherwise */
    BIAS_VECTORS = 4    /* as in dense.cl, for CPUs */
};

/* A product in tiles. */
typedef struct product {
    rv_dense_product gpu;
    rv_dense_panels cpu;
} product;

typedef struct kernels {
    rv_kernel *forward; /* for few pictures */
    rv_kernel *bias_gradient;
    product all, data, weight; /* forward for more pictures, gradients */
} kernels;

static int32_t features_of(const rv_shape *x)
{
    return x->dim[1] * x->dim[2] * x->dim[3];
}

static rv_status infer(rv_node *n)
{
    const fields *f = n->attrs;
    const rv_shape *x = &n->in[0]->shape;
    RV_TRY(rv_node_takes_maps_or_vectors(n));
    n->out[0]->shape = rv_shape_2(x->dim[0], f->num_output);
    n->param[WEIGHT]->shape = rv_shape_2(f->num_output, features_of(x));
    n->param[BIAS]->shape = f->bias ? rv_shape_1(f->num_output) : (rv_shape){0};
    n->fan_in = features_of(x);
    n->fan_out = f->num_output;
    RV_TRY(rv_shape_check(&n->param[WEIGHT]->shape, n->name));
    return rv_shape_check(&n->out[0]->shape, n->name);
}

static void layouts(const rv_node *n, rv_layout *in, rv_layout *out)
{
    (void)n;
    in[0] = out[0] = RV_PLAIN;
}

static const char by_tiles[] = "tiles", by_blas[] = "clblast";

/* Products of GPUs; a few pictures go by a kernel of their own. */
static size_t algorithms(const rv_node *n, const rv_device *device, rv_pass pass,
                         const char *names[RV_MAX_ALGORITHMS])
{
    const bool few = pass == RV_PASS_FORWARD && n->out[0]->shape.dim[0] <= FEW;
    if (few || !rv_device_gpu_form(device) || !rv_blas_offered(device)) {
        return 0;
    }
    names[0] = by_tiles;
    names[1] = by_blas;
    return 2;
}

/* @param workspace  raised to what it needs. */
static rv_status prepare_product(product *p, rv_device *device, const char *algorithm, int32_t rows,
                                 int32_t inner, int32_t columns, rv_dense_order order,
                                 size_t *workspace)
{
    const bool gpu = rv_device_gpu_form(device);
    const bool blas = algorithm != NULL && strcmp(algorithm, by_blas) == 0;
    RV_TRY(gpu ? rv_dense_product_prepare(&p->gpu, device, blas, rows, inner, columns)
               : rv_dense_panels_prepare(&p->cpu, device, rows, inner, columns, order));
    const size_t bytes = gpu ? p->gpu.workspace_bytes : p->cpu.workspace_bytes;
    *workspace = bytes > *workspace ? bytes : *workspace;
    return RV_OK;
}

static rv_status prepare_forward(rv_node *n, kernels *k, rv_device *device, int32_t pictures,
                                 int32_t features, int32_t outputs)
{
    if (pictures > FEW) {
        return prepare_product(&k->all, device, n->algorithm[RV_PASS_FORWARD], pictures, features,
                               outputs, RV_DENSE_ROWS_OF_BOTH, &n->forward_workspace);
    }
    const bool gpu = rv_device_gpu_form(device);
    return rv_kernel_get(&k->forward, device, gpu ? "dense_gpu" : "dense_cpu",
                         gpu ? "dense_gpu_forward" : "dense_cpu_forward", NULL);
}

static rv_status prepare(rv_node *n, rv_device *device)
{
    const int32_t pictures = n->out[0]->shape.dim[0], outputs = n->out[0]->shape.dim[1];
    const int32_t features = n->param[WEIGHT]->shape.dim[1];
    RV_TRY(rv_node_private(n, sizeof(kernels)));
    kernels *k = n->priv;
    RV_TRY(prepare_forward(n, k, device, pictures, features, outputs));
    if ((n->wanted & RV_WANT_INPUT(0)) != 0) {
        RV_TRY(prepare_product(&k->data, device, n->algorithm[RV_PASS_BACKWARD_DATA], pictures,
                               outputs, features, RV_DENSE_ROWS_OF_A, &n->backward_workspace));
    }
    if ((n->wanted & RV_WANT_PARAM(WEIGHT)) != 0) {
        RV_TRY(prepare_product(&k->weight, device, n->algorithm[RV_PASS_BACKWARD_PARAMS], outputs,
                               pictures, features, RV_DENSE_COLUMNS_OF_A, &n->backward_workspace));
    }
    return n->wanted == 0
               ? RV_OK
               : rv_kernel_get(&k->bias_gradient, device, "dense", "dense_bias_gradient", NULL);
}

/* Work-groups that take b of a each. */
static size_t groups_of(int32_t a, int32_t b)
{
    return (size_t)rv_divide_up(a, b);
}

static rv_status multiply(const rv_node *n, const rv_exec *e, const product *p,
                          const rv_dense_operands *o)
{
    return rv_device_gpu_form(e->device) ? rv_dense_product_run(&p->gpu, e->device, o, n->workspace)
                                         : rv_dense_panels_run(&p->cpu, e->device, o, n->workspace);
}

static const rv_buffer *bias_of(const rv_node *n)
{
    return rv_node_has_param(n, BIAS) ? n->param[BIAS]->buffer : NULL;
}

static rv_status forward_cpu(const rv_node *n, const rv_exec *e)
{
    const kernels *k = n->priv;
    const rv_tensor *y = n->out[0], *w = n->param[WEIGHT];
    const int32_t pictures = y->shape.dim[0], outputs = y->shape.dim[1];
    const int32_t features = w->shape.dim[1];
    const int32_t span = SPAN, chunk = pictures <= SMALL_BATCH ? features : CHUNK;
    return rv_launch(e->device, k->forward, rv_grid_groups(groups_of(outputs, span), 1, 1, 1, 1, 1),
                     RV_ARGS(RV_ARG(y->buffer), RV_ARG(n->in[0]->buffer), RV_ARG(w->buffer),
                             RV_ARG(bias_of(n)), RV_ARG(pictures), RV_ARG(outputs),
                             RV_ARG(features), RV_ARG(span), RV_ARG(chunk), RV_ARG(n->slope)));
}

static rv_status forward_gpu(const rv_node *n, const rv_exec *e)
{
    const kernels *k = n->priv;
    const rv_tensor *y = n->out[0], *w = n->param[WEIGHT];
    const int32_t pictures = y->shape.dim[0], outputs = y->shape.dim[1];
    const int32_t features = w->shape.dim[1];
    const size_t along = outputs < MAX_GROUPS ? (size_t)outputs : MAX_GROUPS;
    return rv_launch(e->device, k->forward,
                     rv_grid_groups(along, groups_of(pictures, FEW_STEP),
                                    groups_of(outputs, MAX_GROUPS), 256, 1, 1),
                     RV_ARGS(RV_ARG(y->buffer), RV_ARG(n->in[0]->buffer), RV_ARG(w->buffer),
                             RV_ARG(bias_of(n)), RV_ARG(pictures), RV_ARG(outputs),
                             RV_ARG(features), RV_ARG(n->slope)));
}

static rv_status forward(const rv_node *n, const rv_exec *e)
{
    const kernels *k = n->priv;
    const int32_t features = n->param[WEIGHT]->shape.dim[1];
    if (k->forward != NULL) {
        return rv_device_gpu_form(e->device) ? forward_gpu(n, e) : forward_cpu(n, e);
    }
    const rv_dense_operands o = {.out = n->out[0]->buffer,
                                 .a = n->in[0]->buffer,
                                 .b = n->param[WEIGHT]->buffer,
                                 .bias = bias_of(n),
                                 .row_step = features,
                                 .a_step = 1,
                                 .column_step = features,
                                 .b_step = 1,
                                 .slope = n->slope};
    return multiply(n, e, &k->all, &o);
}

static rv_status backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    const kernels *k = n->priv;
    const rv_tensor *dy = n->d_out[0], *w = n->param[WEIGHT];
    const int32_t pictures = dy->shape.dim[0], outputs = dy->shape.dim[1];
    const int32_t features = w->shape.dim[1];
    if ((wanted & RV_WANT_INPUT(0)) != 0) {
        const rv_dense_operands o = {.out = n->d_in[0]->buffer,
                                     .a = dy->buffer,
                                     .b = w->buffer,
                                     .row_step = outputs,
                                     .a_step = 1,
                                     .column_step = 1,
                                     .b_step = features,
                                     .accumulate = (e->accumulate & RV_WANT_INPUT(0)) != 0,
                                     .slope = 1};
        RV_TRY(multiply(n, e, &k->data, &o));
    }
    if ((wanted & RV_WANT_PARAM(WEIGHT)) != 0) {
        const rv_dense_operands o = {.out = n->d_param[WEIGHT]->buffer,
                                     .a = dy->buffer,
                                     .b = n->in[0]->buffer,
                                     .row_step = 1,
                                     .a_step = outputs,
                                     .column_step = 1,
                                     .b_step = features,
                                     .accumulate = (e->accumulate & RV_WANT_PARAM(WEIGHT)) != 0,
                                     .slope = 1};
        RV_TRY(multiply(n, e, &k->weight, &o));
    }
    if ((wanted & RV_WANT_PARAM(BIAS)) == 0) {
        return RV_OK;
    }
    const int32_t accumulate = (e->accumulate & RV_WANT_PARAM(BIAS)) != 0;
    const int32_t b = rv_device_block(e->device);
    const rv_grid grid = rv_device_gpu_form(e->device)
                             ? rv_grid_items(e->device, groups_of(outputs, b))
                             : rv_grid_groups(groups_of(outputs, BIAS_VECTORS * b), 1, 1, 1, 1, 1);
    return rv_launch(e->device, k->bias_gradient, grid,
                     RV_ARGS(RV_ARG(n->d_param[BIAS]->buffer), RV_ARG(dy->buffer), RV_ARG(pictures),
                             RV_ARG(outputs), RV_ARG(accumulate)));
}

/* The three products are of one size. */
static double flops(const rv_node *n, rv_pass pass)
{
    (void)pass;
    const rv_shape *w = &n->param[WEIGHT]->shape;
    return 2 * (double)n->out[0]->shape.dim[0] * w->dim[0] * w->dim[1];
}

const rv_op rv_op_dense = {
    .name = "dense",
    .summary = "every output a weighted sum of all inputs",
    .attrs = attrs,
    .attr_size = sizeof(fields),
    .traits = RV_OP_PARAMS_READ_INPUT | RV_OP_RECTIFIES | RV_OP_FOLDS,
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .n_params = 2,
    .param_init = {RV_INIT_HE, RV_INIT_ZERO},
    .param_names = {"weight", "bias"},
    .infer = infer,
    .layouts = layouts,
    .algorithms = algorithms,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .flops = flops,
};
