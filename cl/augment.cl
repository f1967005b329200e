/* Augmented pictures: one resampling, blur, colours, noise and erasing, B pixels of a row at a time. */
/* SPDX-License-Identifier: MIT */
#include "augment.clh"
#include "common.clh"
#include "philox.clh"

/* 3: stores floats 0..1 in planes R, G, B; 1: in one plane of grey; 0: bytes R,G,B side by side. */
#ifndef PLANES
#define PLANES 0
#endif
#if PLANES
#define result_t float
#else
#define result_t uchar
#endif

#define uintB         RV_PASTE(uint, B)
#define convert_intB  RV_PASTE(convert_int, B)
#define convert_uintB RV_PASTE(convert_uint, B)
#define as_floatB     RV_PASTE(as_float, B)
#define as_intB       RV_PASTE(as_int, B)

/* Colours of B pixels that lie side by side. */
typedef struct pixels {
    floatB r, g, b;
} pixels;

/* --- geometry ----------------------------------------------------------------------------------------------- */

/* min() and max() are one instruction; clamp(), fmin() and fmax(), which leave out what is no number, are several. */
static inline floatB within(floatB v, float low, float high)
{
    return min(max(v, (floatB)(low)), (floatB)(high));
}

/* The nearest whole number, below 2^22: a float behind 3 * 2^22 has no fraction. What floor() and rint() are made of where
 * they are no instruction is several times as long. */
#define WHOLE 12582912.0f
static inline floatB nearest(floatB v)
{
    return (v + WHOLE) - WHOLE;
}

/* Positions beyond the centres of the first and last pixel, mirrored there. */
static inline floatB fold(floatB u, float last)
{
    const float period = max(2.0f * last, 1.0f);
    return fabs(u - period * nearest(u * (1.0f / period)));
}

/* The share of a pixel of the source, with the border around it, that a position has. */
static inline floatB cover(floatB u, float size)
{
    return within(min(u + 1.0f, size - u), 0.0f, 1.0f);
}

/* A channel of B pixels, four floats each: c is s048c, s159d or s26ae. */
#if B == 16
#define CHANNEL(q, c) (floatB)((q)[0].c, (q)[1].c, (q)[2].c, (q)[3].c)
#elif B == 8
#define CHANNEL(q, c) (floatB)((q)[0].c, (q)[1].c)
#else
#define CHANNEL(q, c) ((q)[0].c)
#endif

/* Eight bytes from anywhere. Of vload8() some compilers of processors make loads of two bytes each. */
#if B == 4
#define LOAD_8(p) as_ulong(vload8(0, p))
#else
typedef ulong __attribute__((aligned(1))) loose_ulong;
#define LOAD_8(p) (*(__global const loose_ulong *)(p))
#endif

/* Of two pixels a mean of the rows above and below: eight floats each, R,G,B on the left, R,G,B on the right, and two more. */
static inline float16 two_pixels(__global const uchar *x, const int *start, int below,
                                 const float *lower)
{
    __global const uchar *p = x + start[0], *q = x + start[1];
    const float16 a = convert_float16(as_uchar16((ulong2)(LOAD_8(p), LOAD_8(q))));
    const float16 b = convert_float16(as_uchar16((ulong2)(LOAD_8(p + below), LOAD_8(q + below))));
    return a + (float16)((float8)(lower[0]), (float8)(lower[1])) * (b - a);
}

/* Bilinear, 0..1, from `column` on. Two pixels side by side come by one load of eight bytes: behind the last source
 * there are five bytes more, for one that is a pixel wide. */
static inline pixels sample(__global const uchar *x, const rv_augment_job *j, int column, int row)
{
    const float last_x = (float)(j->source_width - 1), last_y = (float)(j->source_height - 1);
    const floatB at = convert_floatB(column + RV_LANES) + 0.5f;
    const float down = (float)row + 0.5f;
    floatB u = j->matrix[0] * at + (j->matrix[1] * down + j->matrix[2] - 0.5f);
    floatB v = j->matrix[3] * at + (j->matrix[4] * down + j->matrix[5] - 0.5f);
    floatB inside = (floatB)(1.0f);
    if (j->border == RV_BORDER_CONSTANT) {
        inside = cover(u, (float)j->source_width) * cover(v, (float)j->source_height);
    } else if (j->border == RV_BORDER_REFLECT) {
        u = fold(u, last_x);
        v = fold(v, last_y);
    }
    u = within(u, 0.0f, last_x);
    v = within(v, 0.0f, last_y);
    const intB left = max(min(convert_intB(u), (intB)(j->source_width - 2)), (intB)(0));
    const intB top = max(min(convert_intB(v), (intB)(j->source_height - 2)), (intB)(0));
    const floatB share_x = u - convert_floatB(left), share_y = v - convert_floatB(top);
    const intB from = (top * j->source_width + left) * 3;
    const int below = j->source_height > 1 ? j->source_width * 3 : 0;
    int start[B];
    float right[B], lower[B];
    RV_PASTE(vstore, B)(from, 0, start);
    vstoreB(share_x, 0, right);
    vstoreB(share_y, 0, lower);
    float16 q[B / 4];
#pragma unroll
    for (int l = 0; l < B; l += 4) {
        const float16 c = two_pixels(x, start + l, below, lower + l),
                      d = two_pixels(x, start + l + 2, below, lower + l + 2);
        const float16 near = (float16)(c.s0122, c.s89aa, d.s0122, d.s89aa),
                      far = (float16)(c.s3455, c.sbcdd, d.s3455, d.sbcdd);
        const float16 share = (float16)((float4)(right[l]), (float4)(right[l + 1]),
                                        (float4)(right[l + 2]), (float4)(right[l + 3]));
        q[l / 4] = near + share * (far - near);
    }
    pixels out;
    const float scale = 1.0f / 255.0f;
    const floatB outside = (1.0f - inside) * j->fill;
    inside *= scale;
    out.r = CHANNEL(q, s048c) * inside + outside;
    out.g = CHANNEL(q, s159d) * inside + outside;
    out.b = CHANNEL(q, s26ae) * inside + outside;
    return out;
}

/* --- colours ------------------------------------------------------------------------------------------------ */

static inline floatB unit(floatB v)
{
    return within(v, 0.0f, 1.0f);
}

static inline floatB grey_of(const pixels *p)
{
    return 0.299f * p->r + 0.587f * p->g + 0.114f * p->b;
}

/* a + factor (c - a), for each channel. */
static inline void blend(pixels *p, floatB a, float factor)
{
    p->r = unit(a + factor * (p->r - a));
    p->g = unit(a + factor * (p->g - a));
    p->b = unit(a + factor * (p->b - a));
}

/* One channel from value, chroma and hue, a share of the circle that the channel's own 5, 3 or 1 sixths are added to: from
 * half a turn behind to half a turn ahead. */
static inline floatB from_hue(floatB value, floatB chroma, floatB h)
{
    h = 6.0f * (h - nearest(h));
    return value - chroma * within(max(h, -2.0f - h), 0.0f, 1.0f);
}

static inline void shift_hue(pixels *p, float shift)
{
    const floatB value = max(max(p->r, p->g), p->b);
    const floatB chroma = value - min(min(p->r, p->g), p->b);
    const floatB by = select(1.0f / (6.0f * chroma), (floatB)(0.0f), chroma <= 0.0f);
    const floatB red = (p->g - p->b) * by, green = (p->b - p->r) * by + 2.0f / 6.0f,
                 blue = (p->r - p->g) * by + 4.0f / 6.0f;
    const floatB h = select(select(blue, green, value == p->g), red, value == p->r) + shift;
    p->r = from_hue(value, chroma, h + 5.0f / 6.0f);
    p->g = from_hue(value, chroma, h + 3.0f / 6.0f);
    p->b = from_hue(value, chroma, h + 1.0f / 6.0f);
}

static inline void change_colours(pixels *p, const rv_augment_job *j)
{
    if (j->brightness != 1.0f) {
        blend(p, (floatB)(0.0f), j->brightness);
    }
    if (j->contrast != 1.0f) {
        blend(p, (floatB)(clamp(j->mean_grey * j->brightness, 0.0f, 1.0f)), j->contrast);
    }
    if (j->saturation != 1.0f) {
        blend(p, grey_of(p), j->saturation);
    }
    if (j->hue != 0.0f) {
        shift_hue(p, j->hue);
    }
    if (j->grey) {
        const floatB grey = grey_of(p);
        p->r = grey;
        p->g = grey;
        p->b = grey;
    }
}

/* --- noise -------------------------------------------------------------------------------------------------- */

typedef struct words {
    uintB w[4];
} words;

/* As rv_philox(), for B counters that differ in their first word. */
static inline words philox(uintB first, const uint *key)
{
    uint key0 = key[3], key1 = 0x6e6f6973u;
    words c;
    c.w[0] = first;
    c.w[1] = (uintB)(key[0]);
    c.w[2] = (uintB)(key[1]);
    c.w[3] = (uintB)(key[2]);
#pragma unroll
    for (int round = 0; round < 10; round++) {
        const uintB high0 = mul_hi((uintB)(0xD2511F53u), c.w[0]), low0 = 0xD2511F53u * c.w[0];
        const uintB high1 = mul_hi((uintB)(0xCD9E8D57u), c.w[2]), low1 = 0xCD9E8D57u * c.w[2];
        c.w[0] = high1 ^ c.w[1] ^ key0;
        c.w[1] = low1;
        c.w[2] = high0 ^ c.w[3] ^ key1;
        c.w[3] = low0;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return c;
}

/* sqrt(-2 ln((n + 1) / 65536)) for whole n below 65536: the logarithm of the fraction by a polynomial. */
static inline floatB radius_of(uintB n)
{
    const floatB x = convert_floatB(n + 1u);
    const intB bits = as_intB(x);
    const floatB exponent = convert_floatB((bits >> 23) - (127 + 16));
    const floatB t = as_floatB((bits & 0x007fffff) | 0x3f800000) - 1.0f;
    /* ln(1 + t) on [0, 1), error below 3e-7 */
    const floatB ln =
        t * (0.999981138f +
             t * (-0.499471784f +
                  t * (0.328242196f +
                       t * (-0.225897982f +
                            t * (0.134674479f + t * (-0.0551451515f + t * 0.0107644984f))))));
    return sqrt(max(-2.0f * (exponent * 0.69314718f + ln), 0.0f));
}

/* sin(2 pi t) for t in [-1/4, 1/4], error below 1e-6. */
static inline floatB sine(floatB t)
{
    const floatB s = t * t;
    return t * (6.28316404f + s * (-41.3371418f + s * (81.3407472f - s * 70.9931999f)));
}

/* Random words that a work-item has drawn last, of the counters from `first` on. */
typedef struct drawn {
    int first; /* -1: none yet */
    words w;
} drawn;

/* Adds noise. Of the 16 pixels from column 32 k on and the 16 behind them, pixel l of each takes half of the random words
 * that counter (row, k, l) gives: two normals from each word by Box and Muller. */
static inline void add_noise(pixels *p, const rv_augment_job *j, int column, int row, drawn *d)
{
    const int rows = (j->width + 31) / 32 * 16;
    const int first = row * rows + column / 32 * 16 + column % 16;
    if (first != d->first) {
        d->first = first;
        d->w = philox((uint)first + convert_uintB(RV_LANES), j->noise_key);
    }
    const int second = column / 16 % 2;
    const uintB a = second ? d->w.w[2] : d->w.w[0], b = second ? d->w.w[3] : d->w.w[1];
    const floatB radius = j->noise * radius_of(a & 0xffffu),
                 other = j->noise * radius_of(b & 0xffffu);
    /* Angles: a half turn of the signed fraction, mirrored into the range of sine(). */
    const floatB turn = convert_floatB(a >> 16) * 0x1p-16f - 0.5f,
                 turn_b = convert_floatB(b >> 16) * 0x1p-16f - 0.5f;
    const floatB sign = select((floatB)(0.5f), (floatB)(-0.5f), turn < 0.0f);
    const floatB sign_b = select((floatB)(0.5f), (floatB)(-0.5f), turn_b < 0.0f);
    p->r += radius * sine(select(turn, sign - turn, fabs(turn) > 0.25f));
    p->g += radius * sine(0.25f - fabs(turn));
    p->b += other * sine(select(turn_b, sign_b - turn_b, fabs(turn_b) > 0.25f));
}

/* --- storing ------------------------------------------------------------------------------------------------ */

static inline void erase(pixels *p, const rv_augment_job *j, int column, int row)
{
    if (row >= j->erase[1] && row < j->erase[3]) {
        const intB at = column + RV_LANES;
        const intB out = at >= j->erase[0] & at < j->erase[2];
        p->r = select(p->r, (floatB)(j->erase_value), out);
        p->g = select(p->g, (floatB)(j->erase_value), out);
        p->b = select(p->b, (floatB)(j->erase_value), out);
    }
}

#if PLANES
/* The pixels that are left of a row. */
static inline void store_some(__global float *y, int n, floatB v)
{
    float one[B];
    vstoreB(v, 0, one);
    for (int l = 0; l < n; l++) {
        y[l] = one[l];
    }
}

static inline void store_plane(__global float *y, int n, floatB v)
{
    if (n >= B) {
        vstoreB(v, 0, y);
    } else {
        store_some(y, n, v);
    }
}

static inline void store(__global float *y, const rv_augment_job *j, int column, int row,
                         const pixels *p)
{
    __global float *to = y + row * j->width + column;
    const int n = j->width - column, plane = j->width * j->height;
    store_plane(to, n, unit(p->r));
    if (PLANES == 3) {
        store_plane(to + plane, n, unit(p->g));
        store_plane(to + 2 * plane, n, unit(p->b));
    }
}
#else
/* 0..1 to the nearest of 0..255: its last bits, as nearest() finds it. */
static inline intB byte_of(floatB v)
{
    return as_intB(unit(v) * 255.0f + WHOLE) & 0xff;
}

#if B == 16
/* Anywhere, in one piece: of vstore16() of bytes some compilers make many. */
typedef uchar16 __attribute__((aligned(1))) loose_uchar16;
typedef uint __attribute__((aligned(1))) loose_uint;

/* R,G,B of four pixels, and four bytes that the next ones take the place of. */
#define THREE_OF_FOUR(v) as_uchar16(v).s01245689acde3333
#endif

static inline void store(__global uchar *y, const rv_augment_job *j, int column, int row,
                         const pixels *p)
{
    __global uchar *to = y + 3 * (row * j->width + column);
    const intB rgb = byte_of(p->r) | byte_of(p->g) << 8 | byte_of(p->b) << 16;
#if B == 16
    if (column + B <= j->width) {
        const uchar16 last = THREE_OF_FOUR(rgb.scdef);
        *(__global loose_uchar16 *)to = THREE_OF_FOUR(rgb.s0123);
        *(__global loose_uchar16 *)(to + 12) = THREE_OF_FOUR(rgb.s4567);
        *(__global loose_uchar16 *)(to + 24) = THREE_OF_FOUR(rgb.s89ab);
        *(__global loose_ulong *)(to + 36) = as_ulong2(last).s0;
        *(__global loose_uint *)(to + 44) = as_uint4(last).s2;
        return;
    }
#endif
    int one[B];
    RV_PASTE(vstore, B)(rgb, 0, one);
    for (int l = 0; l < B && column + l < j->width; l++) {
        to[3 * l] = (uchar)one[l];
        to[3 * l + 1] = (uchar)(one[l] >> 8);
        to[3 * l + 2] = (uchar)(one[l] >> 16);
    }
}
#endif

static inline void finish(__global result_t *y, pixels p, const rv_augment_job *j, int column,
                          int row, drawn *d)
{
    change_colours(&p, j);
#if PLANES == 1
    p.r = grey_of(&p); /* all that is stored */
#endif
    if (j->noise > 0.0f) {
        add_noise(&p, j, column, row, d);
    }
    erase(&p, j, column, row);
    store(y + j->start, j, column, row, &p);
}

/* --- kernels ------------------------------------------------------------------------------------------------ */

/* The stretches of B pixels of a job that a work-item does: rows one after the other. */
#define FOR_EACH(j, column, row, per_item)                                                     \
    const int columns = ((j).width + B - 1) / B, end = columns * (j).height;                   \
    const int first = (int)get_global_id(0) * (per_item), last = min(first + (per_item), end); \
    for (int i = first, column = first % columns * B, row = first / columns; i < last;         \
         i++, column = column + B < (j).width ? column + B : 0, row += column == 0)

/* Everything at once, where nothing is blurred. One work-item: per_item stretches of a job; jobs from first_job on along
 * dimension 1. */
__kernel void augment_direct(__global result_t *y, __global const uchar *x,
                             __global const rv_augment_job *jobs, int first_job, int per_item)
{
    const rv_augment_job j = jobs[first_job + (int)get_global_id(1)];
    drawn d = {.first = -1};
    FOR_EACH(j, column, row, per_item)
    {
        finish(y, sample(x + j.source_start, &j, column, row), &j, column, row, &d);
    }
}

/* The resampled picture alone, for a blur: planes R, G, B at `start` floats, rows of `columns` stretches. */
__kernel void augment_warp(__global floatB *y, __global const uchar *x,
                           __global const rv_augment_job *jobs, int first_job, int per_item)
{
    const rv_augment_job j = jobs[first_job + (int)get_global_id(1)];
    FOR_EACH(j, column, row, per_item)
    {
        const pixels p = sample(x + j.source_start, &j, column, row);
        y[i] = p.r;
        y[i + end] = p.g;
        y[i + 2 * end] = p.b;
    }
}

/* Weights of a Gaussian with sum 1; at most four deviations are counted. */
static inline int blur_reach(float deviation)
{
    return min((int)ceil(4.0f * deviation), 80);
}

/* One direction of the blur; the picture is mirrored at its edges. `along`: floats to the next pixel are 1 along
 * rows. */
static inline floatB blur_rows(__global const float *x, const rv_augment_job *j, int column,
                               int row, int stride)
{
    const int reach = blur_reach(j->blur), last = j->width - 1;
    const float k = -0.5f / (j->blur * j->blur);
    floatB sum = (floatB)(0.0f);
    float total = 0.0f;
    for (int d = -reach; d <= reach; d++) {
        const float w = exp(k * (float)(d * d));
        float lane[B];
        for (int l = 0; l < B; l++) {
            int at = abs(min(column + l, last) + d) % max(2 * last, 1);
            lane[l] = x[row * stride + min(at, 2 * last - at)];
        }
        sum += w * vloadB(0, lane);
        total += w;
    }
    return sum / total;
}

static inline floatB blur_columns(__global const floatB *x, const rv_augment_job *j, int stretch,
                                  int row, int columns)
{
    const int reach = blur_reach(j->blur), last = j->height - 1;
    const float k = -0.5f / (j->blur * j->blur);
    floatB sum = (floatB)(0.0f);
    float total = 0.0f;
    for (int d = -reach; d <= reach; d++) {
        const float w = exp(k * (float)(d * d));
        const int at = abs(row + d) % max(2 * last, 1);
        sum += w * x[min(at, 2 * last - at) * columns + stretch];
        total += w;
    }
    return sum / total;
}

__kernel void augment_blur(__global floatB *y, __global const floatB *x,
                           __global const rv_augment_job *jobs, int first_job, int per_item)
{
    const rv_augment_job j = jobs[first_job + (int)get_global_id(1)];
    FOR_EACH(j, column, row, per_item)
    {
        for (int c = 0; c < 3; c++) {
            y[i + c * end] =
                blur_rows((__global const float *)(x + c * end), &j, column, row, columns * B);
        }
    }
}

/* The blur along columns, and all that follows it. */
__kernel void augment_finish(__global result_t *y, __global const floatB *x,
                             __global const rv_augment_job *jobs, int first_job, int per_item)
{
    const rv_augment_job j = jobs[first_job + (int)get_global_id(1)];
    drawn d = {.first = -1};
    FOR_EACH(j, column, row, per_item)
    {
        pixels p;
        p.r = blur_columns(x, &j, column / B, row, columns);
        p.g = blur_columns(x + end, &j, column / B, row, columns);
        p.b = blur_columns(x + 2 * end, &j, column / B, row, columns);
        finish(y, p, &j, column, row, &d);
    }
}
