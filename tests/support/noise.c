/* Hashes a name with a counter. */
/* SPDX-License-Identifier: MIT */
#include "support/noise.h"

#include <stdint.h>

static uint32_t mix(uint32_t h)
{
    h = (h ^ h >> 16) * 0x7feb352du;
    h = (h ^ h >> 15) * 0x846ca68bu;
    return h ^ h >> 16;
}

void rv_test_noise(float *out, size_t n, const char *name, double centre, double half)
{
    uint32_t seed = 0x811c9dc5u;
    for (; *name != '\0'; name++) {
        seed = (seed ^ (uint8_t)*name) * 0x01000193u;
    }
    for (size_t i = 0; i < n; i++) {
        const double u = (double)(mix(mix(seed) + (uint32_t)i) >> 8) / (1 << 24);
        out[i] = (float)(centre + half * (2 * u - 1));
    }
}
