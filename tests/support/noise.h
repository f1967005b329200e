/* Numbers that look random and follow from a name, the same wherever they are made. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_TESTS_NOISE_H
#define RV_TESTS_NOISE_H

#include <stddef.h>

/** n values evenly spread over centre - half to centre + half. */
void rv_test_noise(float *out, size_t n, const char *name, double centre, double half);

#endif
