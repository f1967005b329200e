/* The light steps of the Wasserstein distance of two clouds of features, around the products of matrices.
 *
 * A matrix of the workspace has `side` rows `stride` floats apart, zeros beyond row and column c. Behind all five of
 * forward lie the sums. */
/* SPDX-License-Identifier: MIT */
#include "reduce.clh"

/* Sums: diagonal of A, squares of L and of L^T A L, squares of m - t, diagonal of the root. */
enum { SUM_TRACE, SUM_FACTOR, SUM_SQUARE, SUM_MEAN, SUM_ROOT };

static inline int sums_at(int side, int stride)
{
    return 5 * side * stride;
}

/* Row and block of columns of a work-item, .y beyond `side` where there is none. */
static inline int2 place_of(int side)
{
    const int index = rv_index(), blocks = side / B;
    return (int2)(index / blocks, index % blocks * B);
}

/* Values of a row of a [c,c] from a column on, zeros beyond it. */
static inline floatB load_row(__global const float *m, int row, int column, int c)
{
    float lane[B];
    for (int b = 0; b < B; b++) {
        lane[b] = row < c && column + b < c ? m[row * c + column + b] : 0.0f;
    }
    return vloadB(0, lane);
}

/* The same of its transpose. */
static inline floatB load_column(__global const float *m, int row, int column, int c)
{
    float lane[B];
    for (int b = 0; b < B; b++) {
        lane[b] = row < c && column + b < c ? m[(column + b) * c + row] : 0.0f;
    }
    return vloadB(0, lane);
}

/* `on` where row and column are the same, of the first c, else 0. */
static inline floatB diagonal(int row, int column, int c, float on)
{
    return select((floatB)(0.0f), (floatB)(on),
                  (intB)(column) + RV_LANES == (intB)(row < c ? row : -1));
}

/* Matrices 0, 1 and 4: A = (M + M^T) / 2 - m m^T + ridge I, L and L^T. One work-item: B values of each. */
__kernel void wasserstein_loss_covariance(__global float *work, __global const float *second,
                                          __global const float *mean, __global const float *factor,
                                          int c, int side, int stride, int picture, float ridge)
{
    const int2 at = place_of(side);
    if (at.x >= side) {
        return;
    }
    __global const float *m = second + picture * c * c, *l = factor + picture * c * c;
    __global const float *u = mean + picture * c;
    float right[B];
    for (int b = 0; b < B; b++) {
        right[b] = at.y + b < c ? u[at.y + b] : 0.0f;
    }
    const float left = at.x < c ? u[at.x] : 0.0f;
    const floatB both = load_row(m, at.x, at.y, c) + load_column(m, at.x, at.y, c);
    __global float *to = work + at.x * stride + at.y;
    vstoreB(0.5f * both - left * vloadB(0, right) + diagonal(at.x, at.y, c, ridge), 0, to);
    vstoreB(load_row(l, at.x, at.y, c), 0, to + side * stride);
    vstoreB(load_column(l, at.x, at.y, c), 0, to + 4 * side * stride);
}

/* Sum of squares of a matrix, as far as this work-item has to add. */
static inline floatB add_squares(__global const float *m, int c, int side, int stride)
{
    floatB sum = (floatB)(0.0f);
    const int blocks = side / B;
    for (int i = (int)get_local_id(0); i < c * blocks; i += RV_REDUCE_GROUP) {
        const floatB v = vloadB(0, m + i / blocks * stride + i % blocks * B);
        sum += v * v;
    }
    return sum;
}

static inline floatB add_diagonal(__global const float *m, int c, int stride)
{
    float sum = 0.0f;
    for (int i = (int)get_local_id(0); i < c; i += RV_REDUCE_GROUP) {
        sum += m[i * stride + i];
    }
    return (floatB)(sum / B);
}

/* The first four sums, a work-group each. Matrix 3 is L^T A L. */
RV_REDUCE_KERNEL void wasserstein_loss_sums(__global float *work, __global const float *mean,
                                            __global const float *target, int c, int side,
                                            int stride, int picture)
{
    RV_REDUCE_SCRATCH(scratch);
    const int which = (int)get_group_id(0);
    floatB sum = (floatB)(0.0f);
    if (which == SUM_TRACE) {
        sum = add_diagonal(work, c, stride);
    } else if (which == SUM_MEAN) {
        float squares = 0.0f;
        for (int i = (int)get_local_id(0); i < c; i += RV_REDUCE_GROUP) {
            const float d = mean[picture * c + i] - target[picture * c + i];
            squares += d * d;
        }
        sum = (floatB)(squares / B);
    } else {
        sum = add_squares(work + (which == SUM_FACTOR ? 1 : 3) * side * stride, c, side, stride);
    }
    rv_reduce_store(work + sums_at(side, stride), sum, scratch);
}

/* The last one, of the matrix at `from`. */
RV_REDUCE_KERNEL void wasserstein_loss_trace(__global float *work, int from, int c, int side,
                                             int stride)
{
    RV_REDUCE_SCRATCH(scratch);
    const floatB sum = add_diagonal(work + from, c, stride);
    rv_reduce_store(work + sums_at(side, stride) + SUM_ROOT, sum, scratch);
}

/* Matrix 0: matrix 3 over its norm; matrix 1: the first step of the iteration. One work-item: B values of each. */
__kernel void wasserstein_loss_start(__global float *work, int c, int side, int stride, float alpha,
                                     float beta)
{
    const int2 at = place_of(side);
    if (at.x >= side) {
        return;
    }
    const float square = work[sums_at(side, stride) + SUM_SQUARE];
    const float scale = square > 0.0f ? 1.0f / sqrt(square) : 0.0f;
    __global float *to = work + at.x * stride + at.y;
    const floatB y = scale * vloadB(0, to + 3 * side * stride);
    vstoreB(y, 0, to);
    vstoreB(diagonal(at.x, at.y, c, beta) + alpha * y, 0, to + side * stride);
}

/* out (+)= share * (sum of (m - t)^2 + trace of L L^T + A - 2 root). */
__kernel void wasserstein_loss_finish(__global float *out, __global const float *work, int side,
                                      int stride, int add, float share)
{
    __global const float *sum = work + sums_at(side, stride);
    if (rv_index() > 0) {
        return;
    }
    const float root = sqrt(sqrt(sum[SUM_SQUARE])) * sum[SUM_ROOT];
    const float all = sum[SUM_MEAN] + (sum[SUM_FACTOR] + sum[SUM_TRACE] - 2.0f * root);
    out[0] = add ? out[0] + share * all : share * all;
}

/* (L^T A L)^(-1/2) for backward, [N,c,c], from the matrix at `from`. One work-item: up to B values. */
__kernel void wasserstein_loss_keep(__global float *kept, __global const float *work, int from,
                                    int c, int side, int stride, int picture)
{
    const int2 at = place_of(side);
    if (at.x >= c) {
        return;
    }
    const float square = work[sums_at(side, stride) + SUM_SQUARE];
    const float scale = square > 0.0f ? 1.0f / sqrt(sqrt(square)) : 0.0f;
    for (int b = 0; b < B && at.y + b < c; b++) {
        kept[(picture * c + at.x) * c + at.y + b] = scale * work[from + at.x * stride + at.y + b];
    }
}

/* Matrices 0, 1 and 2 of backward: L, L^T and what was kept. One work-item: B values of each. */
__kernel void wasserstein_loss_load(__global float *work, __global const float *factor,
                                    __global const float *kept, int c, int side, int stride,
                                    int picture)
{
    const int2 at = place_of(side);
    if (at.x >= side) {
        return;
    }
    __global float *to = work + at.x * stride + at.y;
    vstoreB(load_row(factor + picture * c * c, at.x, at.y, c), 0, to);
    vstoreB(load_column(factor + picture * c * c, at.x, at.y, c), 0, to + side * stride);
    vstoreB(load_row(kept + picture * c * c, at.x, at.y, c), 0, to + 2 * side * stride);
}

/* I - G in row i and column k, G being L (L^T A L)^(-1/2) L^T made symmetric. */
static inline float pull(__global const float *g, int stride, int i, int k)
{
    return (i == k ? 1.0f : 0.0f) - 0.5f * (g[i * stride + k] + g[k * stride + i]);
}

/* dM = share * dy * (I - G). G is matrix 2. One work-item: one value. */
__kernel void wasserstein_loss_second(__global float *dm, __global const float *work,
                                      __global const float *dy, int c, int stride, int size,
                                      int picture, float share, int accumulate)
{
    const int i = rv_index();
    if (i >= c * c) {
        return;
    }
    __global float *to = dm + picture * c * c + i;
    *to =
        rv_accumulate(to, share * dy[0] * pull(work + 2 * size, stride, i / c, i % c), accumulate);
}

/* dm = 2 * share * dy * (m - t - (I - G) m). One work-item: one channel. */
__kernel void wasserstein_loss_mean(__global float *dm, __global const float *work,
                                    __global const float *mean, __global const float *target,
                                    __global const float *dy, int c, int stride, int size,
                                    int picture, float share, int accumulate)
{
    const int i = rv_index();
    if (i >= c) {
        return;
    }
    __global const float *m = mean + picture * c, *t = target + picture * c;
    float sum = m[i] - t[i];
    for (int k = 0; k < c; k++) {
        sum -= pull(work + 2 * size, stride, i, k) * m[k];
    }
    __global float *to = dm + picture * c + i;
    *to = rv_accumulate(to, 2.0f * share * dy[0] * sum, accumulate);
}
