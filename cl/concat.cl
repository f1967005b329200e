/* Puts channels behind those of other tensors, and takes their gradients out again. */
/* SPDX-License-Identifier: MIT */
#include "lanes.clh"

/* y [n,c_out,pixels] takes the channels of x [n,c,pixels] from number `first` on. One work-item: a run of pixels
 * in one block of y. Lanes before `first` keep what an earlier launch put there; those behind become zero, or a
 * later launch's. */
__kernel void concat_put(__global floatV *y, __global const floatV *x, int n, int c, int pixels,
                         int first, int c_out, int run)
{
    const int shift = first % LANES, touched = (shift + c + LANES - 1) / LANES;
    const rv_run r = rv_run_of(rv_index(), pixels, run);
    const int picture = r.plane / touched, k = r.plane % touched;
    if (picture >= n) {
        return;
    }
    y += (picture * rv_blocks(c_out) + first / LANES + k) * pixels;
    x += picture * rv_blocks(c) * pixels;
    const bool has_this = k < rv_blocks(c);
    for (int p = r.begin; p < r.end; p++) {
        const floatV this = has_this ? x[k * pixels + p] : (floatV)(0.0f);
        if (shift == 0) {
            y[p] = this;
            continue;
        }
        float lane[2 * LANES];
        if (k > 0) {
            vstoreV(x[(k - 1) * pixels + p], 0, lane);
        } else {
            vstoreV(y[p], 0, lane + LANES - shift);
        }
        vstoreV(this, 0, lane + LANES);
        y[p] = vloadV(0, lane + LANES - shift);
    }
}

/* What stands in the place of a block that begins `shift` lanes into block p of a plane; has_next: there is one behind. */
static inline floatV shifted(__global const floatV *x, int p, int pixels, int shift, bool has_next)
{
    if (shift == 0) {
        return x[p];
    }
    float lane[2 * LANES];
    vstoreV(x[p], 0, lane);
    vstoreV(has_next ? x[pixels + p] : (floatV)(0.0f), 0, lane + LANES);
    return vloadV(0, lane + shift);
}

/* The reverse for gradients; y: the output where this input of it came out of a rectifier of that slope, before which dx
 * is then, or NULL. One work-item: a run of pixels in one block of dx. */
__kernel void concat_take(__global floatV *dx, __global const floatV *dy, __global const floatV *y,
                          int n, int c, int pixels, int first, int c_out, int run, float slope,
                          int accumulate)
{
    const int shift = first % LANES, blocks = rv_blocks(c);
    const rv_run r = rv_run_of(rv_index(), pixels, run);
    const int picture = r.plane / blocks, k = r.plane % blocks, from = first / LANES + k;
    if (picture >= n) {
        return;
    }
    const int plane = (picture * rv_blocks(c_out) + from) * pixels;
    const bool has_next = from + 1 < rv_blocks(c_out);
    dx += r.plane * pixels;
    for (int p = r.begin; p < r.end; p++) {
        const floatV v = shifted(dy + plane, p, pixels, shift, has_next);
        const floatV sum = rv_accumulateV(dx + p, rv_maskV(v, k, c), accumulate);
        dx[p] = y == 0 ? sum : rv_gateV(sum, shifted(y + plane, p, pixels, shift, has_next), slope);
    }
}
