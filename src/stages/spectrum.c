/* Pictures as sums of waves, and gradients back to these. */
/* SPDX-License-Identifier: MIT */
#include "stages/spectrum.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/philox.h"
#include "tensor/tensor.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PITCH_MORE = 16,          /* a line of a cache */
    VIEW_STREAM = 0x76696577, /* tells the draws of views from those of numbers */
    VIEW_DRAWS = 4
};

/* What a picture shows beyond its edges, as a photo of grey. */
static const float outside = 0.5f;

/* Deviation of the numbers at the start. */
static const float start_deviation = 0.01f;

/* The root of the covariance of colours in photos, by Olah et al. for lucid (Apache licence 2.0), over the norm of its
 * largest column. */
#define NORM 0.4619527f
const float rv_spectrum_colours[9] = {0.26f / NORM, 0.09f / NORM,  0.02f / NORM,
                                      0.27f / NORM, 0.00f / NORM,  -0.05f / NORM,
                                      0.27f / NORM, -0.09f / NORM, 0.03f / NORM};

struct rv_spectrum {
    rv_device *device;
    int32_t n, side;
    int32_t rows, vectors; /* of cl/spectrum.cl */
    int32_t
        pitch; /* floats from row to row where columns are read: no multiple of a page, so that rows do not push each
                      other out of caches */
    rv_buffer *numbers, *gradient;
    rv_buffer *basis, *turned; /* A and its transpose */
    rv_buffer *scales;
    rv_buffer *picture; /* [side, side, 3, n], without view */
    rv_buffer *work;    /* of its size */
    rv_buffer *pitched; /* of its size with a pitch */
    rv_kernel *multiply, *scale, *colour, *colour_gradient, *view, *view_gradient, *to_pictures,
        *to_places;
};

/* --- tables ---------------------------------------------------------------------------------- */

/* Waves in the whole row that column k of the basis makes. */
static int waves_of(int k)
{
    return (k + 1) / 2;
}

void rv_spectrum_basis(float *out, int side)
{
    for (int x = 0; x < side; x++) {
        for (int k = 0; k < side; k++) {
            const double angle = 2 * M_PI * waves_of(k) * x / side;
            const bool alone = k == 0 || 2 * waves_of(k) == side;
            const double v = alone || k % 2 == 1 ? cos(angle) : sin(angle);
            out[x * side + k] = (float)(v * sqrt((alone ? 1.0 : 2.0) / side));
        }
    }
}

void rv_spectrum_scales(float *out, int side)
{
    for (int y = 0; y < side; y++) {
        for (int x = 0; x < side; x++) {
            const double f = hypot(waves_of(y), waves_of(x)) / side;
            /* The constant makes steps of the size that they have in lucid, of which a fourth is taken. */
            out[y * side + x] = (float)(M_SQRT2 / 4 / fmax(f, 1.0 / side));
        }
    }
}

void rv_spectrum_draw(float *numbers, int n, int side, int picture, uint32_t seed, uint32_t stream)
{
    for (int i = 0; i < 3 * side * side; i++) {
        numbers[(size_t)i * (size_t)n + (size_t)picture] =
            start_deviation * rv_philox_normal(seed, stream, (uint32_t)i);
    }
}

/* From -1 to 1. */
static double draw(uint32_t seed, uint32_t step, uint32_t which)
{
    return 2.0 * (double)rv_philox_uniform(seed, VIEW_STREAM, step * VIEW_DRAWS + which) - 1;
}

rv_view rv_view_draw(int side, double jitter, double scale, double rotate, uint32_t seed,
                     uint32_t step)
{
    const double angle = rotate * M_PI / 180 * draw(seed, step, 0);
    const double zoom = 1 + scale * draw(seed, step, 1), middle = (side - 1) / 2.0;
    const double c = cos(angle) / zoom, s = sin(angle) / zoom;
    const double x = middle + jitter * draw(seed, step, 2),
                 y = middle + jitter * draw(seed, step, 3);
    return (rv_view){{(float)c, (float)-s, (float)s, (float)c},
                     (float)(x - c * middle + s * middle),
                     (float)(y - s * middle - c * middle)};
}

/* --- create ---------------------------------------------------------------------------------- */

static size_t floats_of(const rv_spectrum *s)
{
    return 3 * (size_t)s->n * (size_t)s->side * (size_t)s->side;
}

static rv_status get_kernels(rv_spectrum *s)
{
    const struct {
        rv_kernel **to;
        const char *name;
    } kernels[] = {{&s->multiply, "spectrum_multiply"},
                   {&s->scale, "spectrum_scale"},
                   {&s->colour, "spectrum_colour"},
                   {&s->colour_gradient, "spectrum_colour_gradient"},
                   {&s->view, "spectrum_view"},
                   {&s->view_gradient, "spectrum_view_gradient"},
                   {&s->to_pictures, "spectrum_to_pictures"},
                   {&s->to_places, "spectrum_to_places"}};
    char defines[64];
    snprintf(defines, sizeof defines, "-DROWS=%d -DVECTORS=%d", (int)s->rows, (int)s->vectors);
    for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++) {
        RV_TRY(rv_kernel_get(kernels[i].to, s->device, "spectrum", kernels[i].name, defines));
    }
    return RV_OK;
}

static rv_status write_tables(rv_spectrum *s)
{
    const int side = s->side;
    const size_t n = (size_t)side * (size_t)side, bytes = n * sizeof(float);
    float *table;
    RV_TRY(rv_alloc(&table, 2 * n, sizeof *table, "waves"));
    rv_spectrum_basis(table, side);
    for (int y = 0; y < side; y++) {
        for (int x = 0; x < side; x++) {
            table[n + (size_t)(y * side + x)] = table[x * side + y];
        }
    }
    rv_status status = rv_buffer_write(s->device, s->basis, 0, table, bytes);
    if (status == RV_OK) {
        status = rv_buffer_write(s->device, s->turned, 0, table + n, bytes);
    }
    if (status == RV_OK) {
        rv_spectrum_scales(table, side);
        status = rv_buffer_write(s->device, s->scales, 0, table, bytes);
    }
    free(table);
    return status;
}

static rv_status create(rv_spectrum *s)
{
    const size_t bytes = floats_of(s) * sizeof(float);
    const size_t table = (size_t)s->side * (size_t)s->side * sizeof(float);
    const size_t pitched = (size_t)s->side * (size_t)s->pitch * sizeof(float);
    rv_buffer **const large[] = {&s->numbers, &s->gradient, &s->picture, &s->work};
    rv_buffer **const small[] = {&s->basis, &s->turned, &s->scales};
    RV_TRY(get_kernels(s));
    RV_TRY(rv_buffer_create(&s->pitched, s->device, pitched));
    for (int i = 0; i < 4; i++) {
        RV_TRY(rv_buffer_create(large[i], s->device, bytes));
    }
    for (int i = 0; i < 3; i++) {
        RV_TRY(rv_buffer_create(small[i], s->device, table));
    }
    RV_TRY(rv_buffer_fill(s->device, s->numbers, 0, bytes, 0.0f));
    return write_tables(s);
}

rv_status rv_spectrum_create(rv_spectrum **out, rv_device *device, int n, int side)
{
    rv_spectrum *s;
    *out = NULL;
    if (n < 1 || side < 2 || 3.0 * n * side * side > INT32_MAX) {
        return rv_fail(RV_ERR_SHAPE, "%d pictures of %d x %d pixels are none, or too many", n, side,
                       side);
    }
    RV_TRY(rv_alloc(&s, 1, sizeof *s, "waves"));
    s->device = device;
    s->n = n;
    s->side = side;
    s->rows = rv_device_block(device) == 16 ? 8 : 4; /* vectors of 16 come with 32 registers */
    s->vectors = rv_device_block(device) == 16 ? 3 : 2;
    s->pitch = 3 * n * side + PITCH_MORE;
    const rv_status status = create(s);
    if (status != RV_OK) {
        rv_spectrum_destroy(s);
        return status;
    }
    *out = s;
    return RV_OK;
}

void rv_spectrum_destroy(rv_spectrum *spectrum)
{
    if (spectrum == NULL) {
        return;
    }
    rv_buffer *const all[] = {spectrum->numbers, spectrum->gradient, spectrum->basis,
                              spectrum->turned,  spectrum->scales,   spectrum->picture,
                              spectrum->work,    spectrum->pitched};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        rv_buffer_destroy(all[i]);
    }
    free(spectrum);
}

uint64_t rv_spectrum_bytes(int n, int side)
{
    const uint64_t places = (uint64_t)side * (uint64_t)side;
    return (((uint64_t)15 * (uint64_t)n + 3) * places + PITCH_MORE * (uint64_t)side) *
           sizeof(float);
}

size_t rv_spectrum_floats(const rv_spectrum *spectrum)
{
    return floats_of(spectrum);
}

rv_buffer *rv_spectrum_numbers(rv_spectrum *spectrum)
{
    return spectrum->numbers;
}

rv_buffer *rv_spectrum_gradient(rv_spectrum *spectrum)
{
    return spectrum->gradient;
}

/* --- run ------------------------------------------------------------------------------------- */

static rv_status multiply(const rv_spectrum *s, rv_buffer *out, const rv_buffer *basis,
                          const rv_buffer *in, int32_t groups, int32_t length, rv_int4 steps)
{
    const size_t strips = (size_t)rv_divide_up(s->side, s->rows);
    const size_t columns = (size_t)rv_divide_up(length, s->vectors * rv_device_block(s->device));
    return rv_launch(s->device, s->multiply,
                     rv_grid_items(s->device, (size_t)groups * strips * columns),
                     RV_ARGS(RV_ARG(out), RV_ARG(basis), RV_ARG(in), RV_ARG(groups),
                             RV_ARG(s->side), RV_ARG(length), RV_ARG(steps)));
}

/* out = basis in over the rows of a matrix [side, side x 3 x n], of which `in` has a pitch. */
static rv_status multiply_rows(const rv_spectrum *s, rv_buffer *out, const rv_buffer *basis,
                               const rv_buffer *in)
{
    const int32_t length = 3 * s->n * s->side;
    return multiply(s, out, basis, in, 1, length, (rv_int4){{length, 0, s->pitch, 0}});
}

/* The same over the columns, in each row apart; steps from row to row. */
static rv_status multiply_columns(const rv_spectrum *s, rv_buffer *out, const rv_buffer *basis,
                                  const rv_buffer *in, int32_t out_step, int32_t in_step)
{
    const int32_t length = 3 * s->n;
    return multiply(s, out, basis, in, s->side, length,
                    (rv_int4){{length, out_step, length, in_step}});
}

/* Vectors over all places, in each `floats` floats. */
static rv_grid over_places(const rv_spectrum *s, int floats)
{
    const int block = rv_device_block(s->device);
    return rv_grid_items(s->device,
                         (size_t)(s->side * s->side) * (size_t)((floats - 1) / block + 1));
}

static rv_status multiply_scales(const rv_spectrum *s, rv_buffer *out, const rv_buffer *in,
                                 int32_t out_step, int32_t in_step)
{
    const int32_t length = 3 * s->n;
    return rv_launch(s->device, s->scale, over_places(s, length),
                     RV_ARGS(RV_ARG(out), RV_ARG(in), RV_ARG(s->scales), RV_ARG(s->side),
                             RV_ARG(length), RV_ARG(out_step), RV_ARG(in_step)));
}

static rv_float4 float4_of(float a, float b, float c, float d)
{
    return (rv_float4){{a, b, c, d}};
}

static rv_status turn(const rv_spectrum *s, rv_kernel *kernel, rv_buffer *out, rv_buffer *in)
{
    const int32_t places = s->side * s->side, block = rv_device_block(s->device);
    const size_t items = (size_t)((places - 1) / block + 1) * 3 * (size_t)((s->n - 1) / block + 1);
    return rv_launch(s->device, kernel, rv_grid_items(s->device, items),
                     RV_ARGS(RV_ARG(out), RV_ARG(in), RV_ARG(places), RV_ARG(s->n)));
}

/* Numbers to pictures in s->picture. */
static rv_status make_pictures(rv_spectrum *s)
{
    const float *m = rv_spectrum_colours;
    const int32_t places = s->side * s->side;
    const int32_t row = 3 * s->n * s->side;
    RV_TRY(multiply_scales(s, s->pitched, s->numbers, s->pitch, row));
    RV_TRY(multiply_rows(s, s->work, s->basis, s->pitched));
    RV_TRY(multiply_columns(s, s->picture, s->basis, s->work, row, row));
    return rv_launch(s->device, s->colour, over_places(s, s->n),
                     RV_ARGS(RV_ARG(s->picture), RV_ARG(places), RV_ARG(s->n),
                             RV_ARG(float4_of(m[0], m[1], m[2], 0)),
                             RV_ARG(float4_of(m[3], m[4], m[5], 0)),
                             RV_ARG(float4_of(m[6], m[7], m[8], 0))));
}

rv_status rv_spectrum_show(rv_spectrum *spectrum, rv_buffer *out, const rv_view *view)
{
    rv_spectrum *s = spectrum;
    const float *t = view->turn;
    const int32_t length = 3 * s->n;
    RV_TRY(make_pictures(s));
    RV_TRY(rv_launch(s->device, s->view, over_places(s, length),
                     RV_ARGS(RV_ARG(s->work), RV_ARG(s->picture), RV_ARG(s->side), RV_ARG(s->side),
                             RV_ARG(s->side), RV_ARG(s->side), RV_ARG(length),
                             RV_ARG(float4_of(t[0], t[1], t[2], t[3])), RV_ARG(view->left),
                             RV_ARG(view->top), RV_ARG(outside))));
    return turn(s, s->to_pictures, out, s->work);
}

rv_status rv_spectrum_backward(rv_spectrum *spectrum, rv_buffer *d_out, const rv_view *view)
{
    rv_spectrum *s = spectrum;
    const float *t = view->turn, *m = rv_spectrum_colours;
    const float area = t[0] * t[3] - t[1] * t[2];
    const rv_float4 back = float4_of(t[3] / area, -t[1] / area, -t[2] / area, t[0] / area);
    const int32_t places = s->side * s->side, length = 3 * s->n, row = length * s->side;
    RV_TRY(turn(s, s->to_places, s->pitched, d_out));
    RV_TRY(rv_launch(s->device, s->view_gradient, over_places(s, length),
                     RV_ARGS(RV_ARG(s->work), RV_ARG(s->pitched), RV_ARG(s->side), RV_ARG(s->side),
                             RV_ARG(s->side), RV_ARG(s->side), RV_ARG(length),
                             RV_ARG(float4_of(t[0], t[1], t[2], t[3])), RV_ARG(back),
                             RV_ARG(view->left), RV_ARG(view->top))));
    RV_TRY(rv_launch(s->device, s->colour_gradient, over_places(s, s->n),
                     RV_ARGS(RV_ARG(s->work), RV_ARG(s->picture), RV_ARG(places), RV_ARG(s->n),
                             RV_ARG(float4_of(m[0], m[3], m[6], 0)),
                             RV_ARG(float4_of(m[1], m[4], m[7], 0)),
                             RV_ARG(float4_of(m[2], m[5], m[8], 0)))));
    RV_TRY(multiply_columns(s, s->pitched, s->turned, s->work, s->pitch, row));
    RV_TRY(multiply_rows(s, s->work, s->turned, s->pitched));
    return multiply_scales(s, s->gradient, s->work, row, row);
}
