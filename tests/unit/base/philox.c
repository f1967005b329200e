/* Philox: the published vectors, and what is drawn from it. */
/* SPDX-License-Identifier: MIT */
#include "base/philox.h"

#include <criterion/criterion.h>

/* Known answers of philox4x32-10 in Random123's kat_vectors. */
static const struct {
    uint counter[4], key[2], out[4];
} known[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

Test(philox, agrees_with_the_published_vectors)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        rv_philox_words counter;
        for (int k = 0; k < 4; k++) {
            counter.w[k] = known[i].counter[k];
        }
        const rv_philox_words out = rv_philox(counter, known[i].key[0], known[i].key[1]);
        for (int k = 0; k < 4; k++) {
            cr_assert_eq(out.w[k], known[i].out[k], "vector %zu word %d: %08x", i, k, out.w[k]);
        }
    }
}

Test(philox, uniforms_are_the_top_24_bits_of_the_words_in_order)
{
    const rv_philox_words block = rv_philox((rv_philox_words){{2, 0, 0, 0}}, 7, 3);
    for (uint k = 0; k < 4; k++) {
        cr_assert_eq(rv_philox_uniform(7, 3, 8 + k), (float)(block.w[k] >> 8) / 16777216.0f);
    }
}

Test(philox, uniforms_have_the_moments_of_a_uniform)
{
    double sum = 0, square = 0;
    const int n = 200000;
    for (int i = 0; i < n; i++) {
        const double u = rv_philox_uniform(1, 2, (uint)i);
        cr_assert(u >= 0 && u < 1);
        sum += u;
        square += u * u;
    }
    cr_assert_float_eq(sum / n, 0.5, 0.003);
    cr_assert_float_eq(square / n, 1.0 / 3, 0.003);
}

Test(philox, normals_have_the_moments_of_a_normal_and_neighbours_do_not_correlate)
{
    double sum = 0, square = 0, fourth = 0, product = 0, last = 0;
    const int n = 200000;
    for (int i = 0; i < n; i++) {
        const double v = rv_philox_normal(11, 0, (uint)i);
        cr_assert(isfinite(v));
        sum += v;
        square += v * v;
        fourth += v * v * v * v;
        product += v * last;
        last = v;
    }
    cr_assert_float_eq(sum / n, 0, 0.01);
    cr_assert_float_eq(square / n, 1, 0.015);
    cr_assert_float_eq(fourth / n, 3, 0.1);
    cr_assert_float_eq(product / n, 0, 0.01);
}

Test(philox, streams_and_seeds_differ)
{
    cr_assert_neq(rv_philox_uniform(1, 0, 5), rv_philox_uniform(2, 0, 5));
    cr_assert_neq(rv_philox_uniform(1, 0, 5), rv_philox_uniform(1, 1, 5));
}
