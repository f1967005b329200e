/* Smoothing of gradients: what stays as it is, and what becomes equally strong. */
/* SPDX-License-Identifier: MIT */
#include "stages/smooth.h"
#include "base/philox.h"
#include "support/assert.h"

#include <criterion/criterion.h>
#include <math.h>

enum { WIDTH = 70, HEIGHT = 51, PLANE = WIDTH * HEIGHT };

static rv_planar make(void)
{
    rv_planar p;
    RV_ASSERT_OK(rv_planar_create(&p, WIDTH, HEIGHT));
    return p;
}

Test(smooth, a_blur_spreads_a_point_and_keeps_its_sum)
{
    rv_planar p = make();
    double sum = 0, spread = 0;
    p.data[25 * WIDTH + 30] = 1;
    RV_ASSERT_OK(rv_smooth_blur(&p, 2));
    for (int i = 0; i < PLANE; i++) {
        const double x = i % WIDTH - 30;
        sum += (double)p.data[i];
        spread += x * x * (double)p.data[i];
    }
    cr_assert_float_eq(sum, 1, 1e-5);
    cr_assert_float_eq(sqrt(spread), 2, 0.05);
    rv_planar_release(&p);
}

Test(smooth, a_blur_keeps_what_is_even_up_to_the_edges)
{
    rv_planar p = make();
    for (int i = 0; i < 3 * PLANE; i++) {
        p.data[i] = 0.25f;
    }
    RV_ASSERT_OK(rv_smooth_blur(&p, 5));
    for (int i = 0; i < 3 * PLANE; i++) {
        cr_assert_float_eq(p.data[i], 0.25f, 1e-6f);
    }
    rv_planar_release(&p);
}

/* Half a wave, level at both edges, and one of two pixels a hundred times weaker. */
static float wave(int i)
{
    return cosf((float)(i % WIDTH) * 3.14159f / (WIDTH - 1)) + 0.01f * (float)(i % 2 == 0 ? 1 : -1);
}

/* Mean product with the pattern of two pixels. */
static double fine_part(const rv_planar *p)
{
    double sum = 0;
    for (int i = 0; i < 3 * PLANE; i++) {
        sum += (double)p->data[i] * (i % 2 == 0 ? 1 : -1);
    }
    return sum / (3.0 * PLANE);
}

Test(smooth, bands_become_equally_strong)
{
    rv_planar p = make();
    double square = 0;
    for (int i = 0; i < 3 * PLANE; i++) {
        p.data[i] = wave(i);
        square += (double)p.data[i] * (double)p.data[i] / (3.0 * PLANE);
    }
    RV_ASSERT_OK(rv_smooth_equalize(&p, 4, 1));
    cr_assert(fine_part(&p) > 0.7, "%g", fine_part(&p));
    for (int i = 0; i < 3 * PLANE; i++) {
        p.data[i] = wave(i);
    }
    RV_ASSERT_OK(rv_smooth_equalize(&p, 4, 0));
    for (int i = 0; i < 3 * PLANE; i++) {
        cr_assert_float_eq(p.data[i], wave(i) / (float)sqrt(square), 1e-4f);
    }
    rv_planar_release(&p);
}

Test(smooth, nothing_stays_nothing)
{
    rv_planar p = make();
    RV_ASSERT_OK(rv_smooth_equalize(&p, 4, 0.5));
    for (int i = 0; i < 3 * PLANE; i++) {
        cr_assert_float_eq(p.data[i], 0, 0);
    }
    rv_planar_release(&p);
}

Test(smooth, colours_are_drawn_to_grey)
{
    rv_planar p = make();
    p.data[0] = 1; /* red */
    p.data[1] = 1; /* grey */
    p.data[PLANE + 1] = 1;
    p.data[2 * PLANE + 1] = 1;
    rv_smooth_colours(&p, 1);
    cr_assert_float_eq(p.data[0], 0.3567f, 1e-6f);
    cr_assert_float_eq(p.data[PLANE], 0.3244f, 1e-6f);
    cr_assert_float_eq(p.data[1] + p.data[PLANE + 1] + p.data[2 * PLANE + 1], 3, 1e-3f);
    rv_smooth_colours(&p, 0);
    cr_assert_float_eq(p.data[0], 0.3567f, 1e-6f);
    rv_planar_release(&p);
}
