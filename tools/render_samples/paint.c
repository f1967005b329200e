/* Noise, film and rows in parallel for the programs that render the sample pictures. */
/* SPDX-License-Identifier: MIT */
#include "paint.h"
#include "base/pool.h"
#include "image/colour.h"

float noise2(float x, float y, float *out_dx, float *out_dy)
{
    const float fx = floorf(x), fy = floorf(y);
    const int ix = (int)fx, iy = (int)fy;
    const float u = x - fx, v = y - fy;
    const float a = random2(ix, iy), b = random2(ix + 1, iy);
    const float c = random2(ix, iy + 1), d = random2(ix + 1, iy + 1);
    /* fifth order, so that the slopes are smooth as well */
    const float su = u * u * u * (u * (u * 6 - 15) + 10), sv = v * v * v * (v * (v * 6 - 15) + 10);
    const float du = 30 * u * u * (u * (u - 2) + 1), dv = 30 * v * v * (v * (v - 2) + 1);
    const float k1 = b - a, k2 = c - a, k3 = a - b - c + d;
    if (out_dx != NULL) {
        *out_dx = du * (k1 + k3 * sv);
        *out_dy = dv * (k2 + k3 * su);
    }
    return a + k1 * su + k2 * sv + k3 * su * sv;
}

float noise3(vec3 p)
{
    const float fz = floorf(p.z);
    const int iz = (int)fz;
    const float w = p.z - fz, s = w * w * (3 - 2 * w);
    /* layers are the same noise far apart */
    const float a = noise2(p.x + 37.3f * (float)iz, p.y - 17.7f * (float)iz, NULL, NULL);
    const float b =
        noise2(p.x + 37.3f * (float)(iz + 1), p.y - 17.7f * (float)(iz + 1), NULL, NULL);
    return mix(a, b, s);
}

float fbm2(float x, float y, int octaves)
{
    float sum = 0, amplitude = 0.5f;
    for (int i = 0; i < octaves; i++) {
        sum += amplitude * noise2(x, y, NULL, NULL);
        amplitude *= 0.5f;
        const float turned = 1.6f * x - 1.2f * y + 11.3f; /* by 37 degrees, doubled */
        y = 1.2f * x + 1.6f * y - 7.1f;
        x = turned;
    }
    return sum;
}

float fbm3(vec3 p, int octaves)
{
    float sum = 0, amplitude = 0.5f;
    for (int i = 0; i < octaves; i++) {
        sum += amplitude * noise3(p);
        amplitude *= 0.5f;
        p = v3(1.6f * p.x - 1.2f * p.z + 3.7f, 2.02f * p.y + 1.3f, 1.2f * p.x + 1.6f * p.z - 5.2f);
    }
    return sum;
}

/* Narkowicz's fit of the ACES curve. */
static float develop(float v)
{
    v = v < 0 ? 0 : v;
    return rv_srgb_from_light(
        clamp(v * (2.51f * v + 0.03f) / (v * (2.43f * v + 0.59f) + 0.14f), 0, 1));
}

vec3 film(vec3 light)
{
    return v3(develop(light.x), develop(light.y), develop(light.z));
}

typedef struct rows {
    canvas *c;
    void (*row)(canvas *c, int y);
} rows;

static rv_status one_row(void *payload, size_t y)
{
    const rows *r = payload;
    r->row(r->c, (int)y);
    return RV_OK;
}

rv_status for_rows(canvas *c, void (*row)(canvas *c, int y))
{
    rows r = {c, row};
    return rv_parallel_for((size_t)c->height, 0, one_row, &r);
}
