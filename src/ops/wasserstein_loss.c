/* Distance of two clouds of features, each known by its mean and its products (Olkin and Pukelsheim 1982):
 *
 *   A = (M + M^T) / 2 - m m^T + ridge I
 *   y = weight * (mean((m - t)^2) + mean diag(L L^T + A - 2 (L^T A L)^(1/2)))
 *
 * M are mean products of channels and m means of channels; t and L are the target's means, and a matrix with
 * L L^T = its covariance, such as a Cholesky factor: the roots of L^T A L have the same trace for all of them. That is
 * the squared Wasserstein distance of two normal distributions, over C.
 *
 * The root comes by Newton and Schulz's iteration (Higham 2008, equation 6.35), which also gives its inverse, and with
 * that the gradient: dA = weight / C * (I - L (L^T A L)^(-1/2) L^T). All matrices of the iteration are powers of one
 * symmetric matrix, and lie in workspace with rows of whole tiles. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/op.h"

#include <math.h>
#include <stddef.h>

typedef struct fields {
    float weight, ridge;
} fields;

static const rv_attr attrs[] = {
    {"weight", RV_ATTR_FLOAT, offsetof(fields, weight), 1, 1, -1e12, 1e12, NULL,
     "factor of the distance"},
    {"ridge", RV_ATTR_FLOAT, offsetof(fields, ridge), 1, 1e-4, 0, 1e12, NULL,
     "added to the variances"},
    {.name = NULL},
};

enum { SECOND, MEAN, FACTOR, TARGET_MEAN };

enum {
    LONG_STEPS = 7,
    STEPS = 12,
    TILE = 64, /* rows and columns of a matrix are multiples of it, as in matrix_gpu.cl */
    GAP = 16,  /* floats behind each row: rows a power of two apart share lines of a cache */
    SUMS = 16, /* floats at the end of the workspace of forward, as in wasserstein_loss.cl */
    FORWARD_MATRICES = 5,
    BACKWARD_MATRICES = 4
};

/* The step from y to y (3 - z y) / 2 brings an eigenvalue w of z y, above 0 and up to 1, to w (3 - w)^2 / 4, nearer to 1,
 * small ones 2.25 times as large. While many are small, a step for LONG w brings them there 5 times as fast and none
 * beyond 1, 1 itself back to 0.35. Of 1e-7, about what single precision tells from 0, the long ones make 0.007 and all of
 * them nearly 1; of what rounding made of -1e-7, -0.4: with more steps it would run away. */
#define LONG 2.2

typedef struct kernels {
    rv_kernel *multiply, *covariance, *sums, *start, *trace, *finish, *keep;
    rv_kernel *load, *second, *mean;
    rv_grid grid;    /* of multiply */
    int32_t c, side; /* channels, and in whole tiles */
    int32_t stride;  /* floats from row to row */
    int32_t size;    /* floats from matrix to matrix */
} kernels;

static rv_status infer(rv_node *n)
{
    const rv_shape *x = &n->in[MEAN]->shape;
    const int32_t square[3] = {x->dim[0], x->dim[1], x->dim[1]};
    const rv_shape matrix = rv_shape_make(3, square);
    const rv_shape vector = rv_shape_4(x->dim[0], x->dim[1], 1, 1);
    const bool right = rv_shape_equal(&n->in[SECOND]->shape, &matrix) &&
                       rv_shape_equal(&n->in[FACTOR]->shape, &matrix) &&
                       rv_shape_equal(x, &vector) &&
                       rv_shape_equal(&n->in[TARGET_MEAN]->shape, &vector);
    if (!right) {
        char a[64], b[64];
        return rv_fail(
            RV_ERR_SHAPE,
            "'%s': wasserstein_loss compares products NxCxC and means NxCx1x1, not %s and %s",
            n->name, rv_shape_text(a, &n->in[SECOND]->shape), rv_shape_text(b, x));
    }
    n->out[0]->shape = rv_shape_1(1);
    n->saved[0]->shape = matrix;
    return RV_OK;
}

static void layouts(const rv_node *n, rv_layout *in, rv_layout *out)
{
    for (int i = 0; i < n->n_in; i++) {
        in[i] = RV_PLAIN;
    }
    out[0] = n->saved[0]->layout = RV_PLAIN;
}

static double flops(const rv_node *n, rv_pass pass)
{
    const double c = n->in[MEAN]->shape.dim[1], pictures = n->in[MEAN]->shape.dim[0];
    const double products = pass == RV_PASS_FORWARD         ? 3.0 * STEPS
                            : pass == RV_PASS_BACKWARD_DATA ? 2.0
                                                            : 0.0;
    return 2 * pictures * products * c * c * c;
}

static rv_status prepare_multiply(kernels *k, rv_device *device)
{
    const bool gpu = rv_device_gpu_form(device);
    const int32_t b = rv_device_block(device);
    const size_t tiles = (size_t)(k->side / TILE);
    k->grid =
        gpu ? rv_grid_groups(tiles, tiles, 1, 256, 1, 1)
            : rv_grid_groups((size_t)(k->side / (b / 2)), (size_t)(k->side / (2 * b)), 1, 1, 1, 1);
    return rv_kernel_get(&k->multiply, device, gpu ? "matrix_gpu" : "matrix_cpu",
                         gpu ? "matrix_gpu_multiply" : "matrix_cpu_multiply", NULL);
}

static rv_status prepare_backward(rv_node *n, kernels *k, rv_device *device)
{
    static const char file[] = "wasserstein_loss";
    n->backward_workspace = (BACKWARD_MATRICES * (size_t)k->size - GAP) *
                            sizeof(float); /* nothing is behind the last row */
    RV_TRY(rv_kernel_get(&k->load, device, file, "wasserstein_loss_load", NULL));
    RV_TRY(rv_kernel_get(&k->second, device, file, "wasserstein_loss_second", NULL));
    return rv_kernel_get(&k->mean, device, file, "wasserstein_loss_mean", NULL);
}

static rv_status prepare(rv_node *n, rv_device *device)
{
    static const char file[] = "wasserstein_loss";
    RV_TRY(rv_node_private(n, sizeof(kernels)));
    kernels *k = n->priv;
    k->c = n->in[MEAN]->shape.dim[1];
    k->side = rv_divide_up(k->c, TILE) * TILE;
    k->stride = k->side + GAP;
    k->size = k->side * k->stride;
    n->forward_workspace = (FORWARD_MATRICES * (size_t)k->size + SUMS) * sizeof(float);
    RV_TRY(prepare_multiply(k, device));
    RV_TRY(rv_kernel_get(&k->covariance, device, file, "wasserstein_loss_covariance", NULL));
    RV_TRY(rv_kernel_get(&k->sums, device, file, "wasserstein_loss_sums", NULL));
    RV_TRY(rv_kernel_get(&k->start, device, file, "wasserstein_loss_start", NULL));
    RV_TRY(rv_kernel_get(&k->trace, device, file, "wasserstein_loss_trace", NULL));
    RV_TRY(rv_kernel_get(&k->finish, device, file, "wasserstein_loss_finish", NULL));
    RV_TRY(rv_kernel_get(&k->keep, device, file, "wasserstein_loss_keep", NULL));
    return n->wanted != 0 ? prepare_backward(n, k, device) : RV_OK;
}

/* Matrix `out` of the workspace = alpha a b + beta I. */
static rv_status multiply(const rv_node *n, rv_device *device, int32_t out, int32_t a, int32_t b,
                          float alpha, float beta)
{
    const kernels *k = n->priv;
    const rv_int4 at = {{out * k->size, a * k->size, b * k->size, 0}};
    return rv_launch(device, k->multiply, k->grid,
                     RV_ARGS(RV_ARG(n->workspace), RV_ARG(k->c), RV_ARG(k->stride), RV_ARG(at),
                             RV_ARG(alpha), RV_ARG(beta)));
}

static rv_grid grid_of_vectors(const kernels *k, const rv_device *device)
{
    return rv_grid_items(device, (size_t)k->side * (size_t)(k->side / rv_device_block(device)));
}

static rv_grid grid_of_sums(const rv_device *device, size_t n)
{
    return rv_grid_groups(n, 1, 1, rv_device_gpu_form(device) ? 256 : 1, 1, 1);
}

/* 3 / 2 and -1 / 2 of a step, or what a long one has in their place. */
static void factors_of(int step, float *beta, float *alpha)
{
    const double stretch = step < LONG_STEPS ? sqrt(LONG) : 1;
    *beta = (float)(1.5 * stretch);
    *alpha = (float)(-0.5 * stretch * stretch * stretch);
}

/* The sums, then the roots of L^T A L over its norm and of its inverse. The workspace holds A, L and L^T in matrices 0, 1 and 4.
 * @param[out] root, inverse  numbers of the matrices that they are in */
static rv_status find_roots(const rv_node *n, const rv_exec *e, int32_t picture, int32_t *root,
                            int32_t *inverse)
{
    const kernels *k = n->priv;
    enum { A, L, PRODUCT, SQUARE, TRANSPOSED };
    RV_TRY(multiply(n, e->device, PRODUCT, A, L, 1, 0));
    RV_TRY(multiply(n, e->device, SQUARE, TRANSPOSED, PRODUCT, 1, 0));
    RV_TRY(rv_launch(e->device, k->sums, grid_of_sums(e->device, 4),
                     RV_ARGS(RV_ARG(n->workspace), RV_ARG(n->in[MEAN]->buffer),
                             RV_ARG(n->in[TARGET_MEAN]->buffer), RV_ARG(k->c), RV_ARG(k->side),
                             RV_ARG(k->stride), RV_ARG(picture))));
    /* Over its norm into 0, and the first step, from I, into 1. */
    float alpha, beta;
    factors_of(0, &beta, &alpha);
    RV_TRY(rv_launch(e->device, k->start, grid_of_vectors(k, e->device),
                     RV_ARGS(RV_ARG(n->workspace), RV_ARG(k->c), RV_ARG(k->side), RV_ARG(k->stride),
                             RV_ARG(alpha), RV_ARG(beta))));
    int32_t y = 2, z = 1, next_y = 3, next_z = 4;
    RV_TRY(multiply(n, e->device, y, 0, z, 1, 0));
    for (int i = 1; i < STEPS; i++) {
        const int32_t old_y = y, old_z = z;
        factors_of(i, &beta, &alpha);
        RV_TRY(multiply(n, e->device, 0, z, y, alpha, beta));
        RV_TRY(multiply(n, e->device, next_y, y, 0, 1, 0));
        RV_TRY(multiply(n, e->device, next_z, 0, z, 1, 0));
        y = next_y;
        z = next_z;
        next_y = old_y;
        next_z = old_z;
    }
    *root = y;
    *inverse = z;
    return RV_OK;
}

static float share_of(const rv_node *n)
{
    const int32_t *d = n->in[MEAN]->shape.dim;
    return (float)((double)((const fields *)n->attrs)->weight / ((double)d[0] * (double)d[1]));
}

static rv_status forward_one(const rv_node *n, const rv_exec *e, int32_t picture)
{
    const kernels *k = n->priv;
    const fields *f = n->attrs;
    int32_t root, inverse;
    RV_TRY(
        rv_launch(e->device, k->covariance, grid_of_vectors(k, e->device),
                  RV_ARGS(RV_ARG(n->workspace), RV_ARG(n->in[SECOND]->buffer),
                          RV_ARG(n->in[MEAN]->buffer), RV_ARG(n->in[FACTOR]->buffer), RV_ARG(k->c),
                          RV_ARG(k->side), RV_ARG(k->stride), RV_ARG(picture), RV_ARG(f->ridge))));
    RV_TRY(find_roots(n, e, picture, &root, &inverse));
    const int32_t from = root * k->size, other = inverse * k->size;
    RV_TRY(rv_launch(e->device, k->trace, grid_of_sums(e->device, 1),
                     RV_ARGS(RV_ARG(n->workspace), RV_ARG(from), RV_ARG(k->c), RV_ARG(k->side),
                             RV_ARG(k->stride))));
    RV_TRY(rv_launch(e->device, k->finish, rv_grid_items(e->device, 1),
                     RV_ARGS(RV_ARG(n->out[0]->buffer), RV_ARG(n->workspace), RV_ARG(k->side),
                             RV_ARG(k->stride), RV_ARG(picture), RV_ARG(share_of(n)))));
    if (n->saved[0]->buffer == NULL) {
        return RV_OK;
    }
    return rv_launch(e->device, k->keep, grid_of_vectors(k, e->device),
                     RV_ARGS(RV_ARG(n->saved[0]->buffer), RV_ARG(n->workspace), RV_ARG(other),
                             RV_ARG(k->c), RV_ARG(k->side), RV_ARG(k->stride), RV_ARG(picture)));
}

static rv_status forward(const rv_node *n, const rv_exec *e)
{
    for (int32_t i = 0; i < n->in[MEAN]->shape.dim[0]; i++) {
        RV_TRY(forward_one(n, e, i));
    }
    return RV_OK;
}

static rv_status backward_one(const rv_node *n, const rv_exec *e, uint32_t wanted, int32_t picture)
{
    const kernels *k = n->priv;
    enum { L, TRANSPOSED, INVERSE, PRODUCT, RESULT = INVERSE };
    RV_TRY(rv_launch(e->device, k->load, grid_of_vectors(k, e->device),
                     RV_ARGS(RV_ARG(n->workspace), RV_ARG(n->in[FACTOR]->buffer),
                             RV_ARG(n->saved[0]->buffer), RV_ARG(k->c), RV_ARG(k->side),
                             RV_ARG(k->stride), RV_ARG(picture))));
    RV_TRY(multiply(n, e->device, PRODUCT, INVERSE, TRANSPOSED, 1, 0));
    RV_TRY(multiply(n, e->device, RESULT, L, PRODUCT, 1, 0));
    if ((wanted & RV_WANT_INPUT(SECOND)) != 0) {
        const int32_t accumulate = (e->accumulate & RV_WANT_INPUT(SECOND)) != 0;
        RV_TRY(rv_launch(
            e->device, k->second, rv_grid_items(e->device, (size_t)k->c * (size_t)k->c),
            RV_ARGS(RV_ARG(n->d_in[SECOND]->buffer), RV_ARG(n->workspace),
                    RV_ARG(n->d_out[0]->buffer), RV_ARG(k->c), RV_ARG(k->stride), RV_ARG(k->size),
                    RV_ARG(picture), RV_ARG(share_of(n)), RV_ARG(accumulate))));
    }
    if ((wanted & RV_WANT_INPUT(MEAN)) != 0) {
        const int32_t accumulate = (e->accumulate & RV_WANT_INPUT(MEAN)) != 0;
        RV_TRY(rv_launch(e->device, k->mean, rv_grid_items(e->device, (size_t)k->c),
                         RV_ARGS(RV_ARG(n->d_in[MEAN]->buffer), RV_ARG(n->workspace),
                                 RV_ARG(n->in[MEAN]->buffer), RV_ARG(n->in[TARGET_MEAN]->buffer),
                                 RV_ARG(n->d_out[0]->buffer), RV_ARG(k->c), RV_ARG(k->stride),
                                 RV_ARG(k->size), RV_ARG(picture), RV_ARG(share_of(n)),
                                 RV_ARG(accumulate))));
    }
    return RV_OK;
}

static rv_status backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    for (int32_t i = 0; i < n->in[MEAN]->shape.dim[0]; i++) {
        RV_TRY(backward_one(n, e, wanted, i));
    }
    return RV_OK;
}

const rv_op rv_op_wasserstein_loss = {
    .name = "wasserstein_loss",
    .summary = "distance of means and covariances to those of a target",
    .attrs = attrs,
    .attr_size = sizeof(fields),
    .traits = RV_OP_LOSS | RV_OP_BWD_READS_INPUT,
    .no_gradient = RV_WANT_INPUT(FACTOR) | RV_WANT_INPUT(TARGET_MEAN),
    .min_in = 4,
    .max_in = 4,
    .n_out = 1,
    .n_saved = 1,
    .infer = infer,
    .layouts = layouts,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .flops = flops,
};
