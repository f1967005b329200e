/* Pictures that an optimiser moves as sums of waves, in colours that photos have, seen from changing views. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_SPECTRUM_H
#define RV_STAGES_SPECTRUM_H

#include "device/device.h"

/** n square pictures, each of three fields of waves. A picture is
 *
 *      1 / (1 + exp(-M A (s * z) A'))
 *
 *  z the numbers that are moved, [side, side] for each of three fields; s = 1 / max(f, 1 / side), times a constant, f
 *  the frequency in waves per pixel, so that a step of an optimiser changes coarse and fine structures alike; A the
 *  real Fourier basis (1, cos, sin, cos, sin, ...) of orthonormal columns; M mixes the fields to red, green and blue as
 *  they go together in photos (Olah et al. 2017). */
typedef struct rv_spectrum rv_spectrum;

/** How pictures are shown: pixel (x, y) of the view is the point turn (x, y) + (left, top) of the picture, between
 *  pixels by linear interpolation, grey beyond its edges. */
typedef struct rv_view {
    float turn[4]; /**< a matrix, row by row */
    float left, top;
} rv_view;
#define RV_VIEW_PLAIN            \
    {                            \
        {1, 0, 0, 1}, 0.0f, 0.0f \
    }

/** The numbers start at 0, which are grey pictures. @param n, side  at least 1 and 2 */
RV_NODISCARD rv_status rv_spectrum_create(rv_spectrum **out, rv_device *device, int n, int side);
void rv_spectrum_destroy(rv_spectrum *spectrum);
/** Bytes of device memory that one takes. */
uint64_t rv_spectrum_bytes(int n, int side);

/** How many numbers there are: 3 n side side. */
size_t rv_spectrum_floats(const rv_spectrum *spectrum);
/** The numbers, [side, side, 3, n]: frequency of rows, of columns, field, picture. */
rv_buffer *rv_spectrum_numbers(rv_spectrum *spectrum);
/** Their gradient after rv_spectrum_backward(). */
rv_buffer *rv_spectrum_gradient(rv_spectrum *spectrum);
/** Sets the numbers of picture `picture` to normal ones of deviation 0.01, drawn by Philox(seed, stream, their place). */
void rv_spectrum_draw(float *numbers, int n, int side, int picture, uint32_t seed, uint32_t stream);

/** Enqueues views of the pictures, [n,3,side,side], 0 to 1.
 *  @param out  a plain tensor's buffer */
RV_NODISCARD rv_status rv_spectrum_show(rv_spectrum *spectrum, rv_buffer *out, const rv_view *view);
/** Enqueues the gradient of the numbers from that of the views that were shown last. */
RV_NODISCARD rv_status rv_spectrum_backward(rv_spectrum *spectrum, rv_buffer *d_out,
                                            const rv_view *view);

/** A view of pictures of a side, moved, turned and scaled about their middle at random: by up to `jitter` pixels either
 *  way, up to `rotate` degrees, and by factors of 1 - `scale` to 1 + `scale`. Drawn by Philox(seed, its own stream, step). */
rv_view rv_view_draw(int side, double jitter, double scale, double rotate, uint32_t seed,
                     uint32_t step);

/** The basis of `side` waves, [side, side]: row x holds what each of them is at pixel x. */
void rv_spectrum_basis(float *out, int side);
/** s of row and column frequency, [side, side]. */
void rv_spectrum_scales(float *out, int side);
/** M, row by row. */
extern const float rv_spectrum_colours[9];

#endif
