/* Filters learned from pictures: what they respond with to the picture they were learned from. */
/* SPDX-License-Identifier: MIT */
#include "stages/patch_bank.h"
#include "base/philox.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { W = 64, H = 48, PIXELS = W * H, SIDE = RV_PATCH_SIDE };

static float data[3 * PIXELS];
static rv_patch_bank bank, again;
static const double whole = 1;

/* Stripes at 45 degrees with some noise, each channel with its own strength. */
static rv_planar stripes(uint32_t seed)
{
    for (int c = 0; c < 3; c++) {
        for (int i = 0; i < PIXELS; i++) {
            const float wave = sinf(0.9f * (float)(i % W + i / W));
            data[c * PIXELS + i] = 0.5f + 0.1f * (float)(c + 1) * wave +
                                   0.02f * rv_philox_normal(seed, (uint)c, (uint)i);
        }
    }
    return (rv_planar){W, H, data};
}

static double response(const float *w, float b, int x, int y)
{
    double sum = (double)b;
    for (int i = 0; i < RV_PATCH_VALUES; i++) {
        const int c = i / (SIDE * SIDE), r = i / SIDE % SIDE, s = i % SIDE;
        sum += (double)w[i] * (double)data[c * PIXELS + (y + r) * W + x + s];
    }
    return sum;
}

static void learn(rv_patch_bank *out, const rv_planar *p)
{
    cr_assert_eq(rv_patch_bank_learn(out, p, NULL, &whole, 1, 0.02, 7, 3), RV_OK);
}

Test(patch_bank, responses_have_mean_zero_and_deviation_one)
{
    const rv_planar p = stripes(1);
    learn(&bank, &p);
    for (int f = 0; f < RV_PATCH_CENTROIDS; f++) {
        double sum = 0, square = 0;
        const int n = (W - SIDE + 1) * (H - SIDE + 1);
        for (int y = 0; y + SIDE <= H; y++) {
            for (int x = 0; x + SIDE <= W; x++) {
                const double r = response(bank.weight + f * RV_PATCH_VALUES, bank.bias[f], x, y);
                sum += r / n;
                square += r * r / n;
            }
        }
        /* The picture has fewer patches than are drawn, so all of them were. */
        cr_assert_float_eq(sum, 0, 1e-3, "filter %d: mean %g", f, sum);
        cr_assert_float_eq(square, 1, 2e-3, "filter %d: mean square %g", f, square);
    }
}

Test(patch_bank, the_second_half_is_the_negative_of_the_first)
{
    const rv_planar p = stripes(2);
    learn(&bank, &p);
    for (int i = 0; i < RV_PATCH_CENTROIDS * RV_PATCH_VALUES; i++) {
        cr_assert_eq(bank.weight[i], -bank.weight[RV_PATCH_CENTROIDS * RV_PATCH_VALUES + i]);
    }
    for (int f = 0; f < RV_PATCH_CENTROIDS; f++) {
        cr_assert_eq(bank.bias[f], -bank.bias[RV_PATCH_CENTROIDS + f]);
    }
}

Test(patch_bank, the_same_seed_gives_the_same_bytes_and_another_does_not)
{
    const rv_planar p = stripes(3);
    learn(&bank, &p);
    learn(&again, &p);
    cr_assert_eq(memcmp(&bank, &again, sizeof bank), 0);
    cr_assert_eq(rv_patch_bank_learn(&again, &p, NULL, &whole, 1, 0.02, 8, 3), RV_OK);
    cr_assert_neq(memcmp(&bank, &again, sizeof bank), 0);
}

Test(patch_bank, a_picture_of_one_colour_gives_finite_filters)
{
    for (int i = 0; i < 3 * PIXELS; i++) {
        data[i] = 0.25f;
    }
    const rv_planar p = {W, H, data};
    learn(&bank, &p);
    for (int i = 0; i < RV_PATCH_FILTERS * RV_PATCH_VALUES; i++) {
        cr_assert(isfinite(bank.weight[i]));
    }
}

/* Of a picture whose right half is transparent, the filters are those of its left half alone. */
Test(patch_bank, is_learned_from_what_is_seen)
{
    static float seen[PIXELS], half[3 * PIXELS / 2];
    const float *const part[1] = {seen};
    const rv_planar p = stripes(5), left = {W / 2, H, half};
    for (int i = 0; i < 3 * PIXELS; i++) {
        const int x = i % W, row = i / W;
        seen[i % PIXELS] = x < W / 2 ? 1.0f : 0.0f;
        if (x < W / 2) {
            half[row * W / 2 + x] = data[i];
        } else {
            data[i] = 0.9f;
        }
    }
    learn(&bank, &left);
    cr_assert_eq(rv_patch_bank_learn(&again, &p, part, &whole, 1, 0.02, 7, 3), RV_OK);
    cr_assert_eq(memcmp(&bank, &again, sizeof bank), 0);
    memset(seen, 0, sizeof seen); /* nothing is: as without a word on it */
    learn(&bank, &p);
    cr_assert_eq(rv_patch_bank_learn(&again, &p, part, &whole, 1, 0.02, 7, 3), RV_OK);
    cr_assert_eq(memcmp(&bank, &again, sizeof bank), 0);
}
