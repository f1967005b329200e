/* Drops values at random and scales up the rest. */
/* SPDX-License-Identifier: MIT */
#include "flat.clh"
#include "lanes.clh"

/* A value's number is a word of Philox under the key (seed, stream), made from its place in N,C,H,W order: word
 * place % 4 of the block whose counter is (place / 4, step, 0, 0). */

/* The rounds of rv_philox() for several counters side by side. */
#define PHILOX(type, w0, w1, w2, w3, seed, stream)                                   \
    for (int round = 0; round < 10; round++) {                                       \
        const type high0 = mul_hi((type)(0xD2511F53u), w0), low0 = 0xD2511F53u * w0; \
        const type high1 = mul_hi((type)(0xCD9E8D57u), w2), low1 = 0xCD9E8D57u * w2; \
        w0 = high1 ^ w1 ^ seed;                                                      \
        w1 = low1;                                                                   \
        w2 = high0 ^ w3 ^ stream;                                                    \
        w3 = low0;                                                                   \
        seed += 0x9E3779B9u;                                                         \
        stream += 0xBB67AE85u;                                                       \
    }

#define UNIFORM(words) (convert_floatB((words) >> 8) * 0x1p-24f)

/* Numbers of any places: a block for each. */
static inline floatB uniform_at(uint seed, uint stream, uint step, uintV place)
{
    uintV w0 = place >> 2, w1 = (uintV)(step), w2 = (uintV)(0u), w3 = (uintV)(0u);
    PHILOX(uintV, w0, w1, w2, w3, seed, stream)
    const uintV even = select(w0, w2, (place & 2u) != 0u), odd = select(w1, w3, (place & 2u) != 0u);
    return UNIFORM(select(even, odd, (place & 1u) != 0u));
}

/* Numbers of B neighbours, the first of which is vector i: a block for four of them. */
static inline floatB uniform_beside(uint seed, uint stream, uint step, int i)
{
#if B == 4
    uint w0 = (uint)i, w1 = step, w2 = 0u, w3 = 0u;
    PHILOX(uint, w0, w1, w2, w3, seed, stream)
    return UNIFORM((uint4)(w0, w1, w2, w3));
#elif B == 8
    uint2 w0 = 2u * (uint)i + (uint2)(0u, 1u), w1 = (uint2)(step), w2 = (uint2)(0u), w3 = w2;
    PHILOX(uint2, w0, w1, w2, w3, seed, stream)
    return UNIFORM((uint8)(w0.x, w1.x, w2.x, w3.x, w0.y, w1.y, w2.y, w3.y));
#else
    uint4 w0 = 4u * (uint)i + (uint4)(0u, 1u, 2u, 3u), w1 = (uint4)(step), w2 = (uint4)(0u),
          w3 = w2;
    PHILOX(uint4, w0, w1, w2, w3, seed, stream)
    return UNIFORM((uint16)(w0.x, w1.x, w2.x, w3.x, w0.y, w1.y, w2.y, w3.y, w0.z, w1.z, w2.z, w3.z,
                            w0.w, w1.w, w2.w, w3.w));
#endif
}

/* In both kernels y = x / (1 - ratio) where the value's number is at least `ratio`, else zero; the same for
 * gradients, so that no mask is kept. */
static inline floatB dropped(floatB x, floatB number, float ratio)
{
    return select((floatB)(0.0f), x / (1.0f - ratio), number >= ratio);
}

/* The blocked layout. One work-item: a run of pixels in one block. */
__kernel void dropout_blocked(__global floatB *y, __global const floatB *x, int n, int c,
                              int pixels, int run, uint seed, uint stream, uint step, float ratio,
                              int accumulate)
{
    const rv_run r = rv_run_of(rv_index(), pixels, run);
    const int blocks = rv_blocks(c), picture = r.plane / blocks, block = r.plane % blocks;
    if (picture >= n) {
        return;
    }
    const uint first = (uint)(picture * c + block * B) * (uint)pixels;
    const uintV lanes = RV_LANE_NUMBERS;
    y += r.plane * pixels;
    x += r.plane * pixels;
    for (int p = r.begin; p < r.end; p++) {
        const uintV place = first + (uint)p + lanes * (uint)pixels;
        const floatB number = uniform_at(seed, stream, step, place);
        y[p] = rv_accumulateB(y + p, dropped(x[p], number, ratio), accumulate);
    }
}

/* The plain layout of any rank, n floats: memory is in N,C,H,W order. One work-item: B values. */
__kernel void dropout_plain(__global float *y, __global const float *x, int n, uint seed,
                            uint stream, uint step, float ratio, int accumulate)
{
    const int i = rv_index();
    if (rv_beyond(i, n)) {
        return;
    }
    const floatB number = uniform_beside(seed, stream, step, i);
    rv_store_gradient(y, i, n, dropped(rv_load(x, i, n), number, ratio), accumulate);
}
