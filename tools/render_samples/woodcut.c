/* woodcut: a coast with sun, clouds, hills, trees and waves, cut into lines that follow the forms. */
/* SPDX-License-Identifier: MIT */
#include "paint.h"

enum { SAMPLES = 3 }; /* a side of a pixel */

/* What is cut at a place: lines are where `phase` is whole, `ink` is the share of black between two of them. */
typedef struct cut {
    float phase, ink;
} cut;

/* All in parts of the width; y runs down to 0.75. */
static const vec2 sun = {0.66f, 0.20f};
static const float sun_radius = 0.072f, sea = 0.50f;

static float wobble(float x, float y)
{
    return 0.5f * (noise2(9 * x, 9 * y, NULL, NULL) - 0.5f) +
           0.2f * (noise2(31 * x, 31 * y, NULL, NULL) - 0.5f);
}

/* Rings around the sun that open into rays of light and dark. */
static cut sky(float x, float y)
{
    const float dx = x - sun.x, dy = y - sun.y, r = sqrtf(dx * dx + dy * dy), turn = atan2f(dy, dx);
    const float ray = 0.5f + 0.5f * sinf(22 * turn + 2.5f * sinf(3 * turn));
    const float ink = 0.16f + 0.50f * smoothstep(0.08f, 0.62f, r) +
                      0.16f * (ray - 0.5f) * smoothstep(0.07f, 0.2f, r);
    return (cut){(r - sun_radius) * 74 + 0.9f * wobble(x, y), ink};
}

/* Heaped clouds: circles shaded from below, lines along their edges. */
static bool cloud(cut *out, float x, float y)
{
    static const float puffs[][3] = {
        {0.10f, 0.155f, 0.055f}, {0.17f, 0.120f, 0.070f}, {0.25f, 0.110f, 0.062f},
        {0.32f, 0.150f, 0.048f}, {0.21f, 0.165f, 0.055f}, {0.87f, 0.125f, 0.040f},
        {0.92f, 0.100f, 0.052f}, {0.98f, 0.130f, 0.045f}, {0.42f, 0.305f, 0.028f},
        {0.46f, 0.290f, 0.036f}, {0.51f, 0.307f, 0.028f},
    };
    float best = -1;
    for (int i = 0; i < (int)(sizeof puffs / sizeof *puffs); i++) {
        const float floor_at = i < 5 ? 0.19f : i < 8 ? 0.152f : 0.325f;
        const float dx = (x - puffs[i][0]) / puffs[i][2], dy = (y - puffs[i][1]) / puffs[i][2],
                    d = sqrtf(dx * dx + dy * dy);
        if (d < 1 && y < floor_at + 0.004f * sinf(60 * x) && 1 - d > best) {
            best = 1 - d;
            const float light =
                clamp(0.62f * dx * (sun.x > puffs[i][0] ? 1 : -1) - 0.75f * dy, -1, 1);
            const float rim = smoothstep(0.07f, 0.03f, best);
            out->phase = d * puffs[i][2] * 105 + wobble(x, y);
            out->ink = rim > 0.5f ? 0.95f : clamp(0.20f - 0.55f * light, 0, 0.75f);
        }
    }
    return best >= 0;
}

/* Edge of a range of hills, its slope and how far down it a place lies. */
static float range(float x, int i)
{
    static const float base[] = {0.395f, 0.435f, 0.485f};
    const float f = 4.2f - (float)i;
    return base[i] -
           0.115f * (fbm2(f * x + 7.3f * (float)i + 2, 0.5f + (float)i, 5) - 0.42f) *
               (i == 0 ? 1.9f : 1.3f) -
           (i == 2 ? 0.07f * smoothstep(0.42f, 0.0f, x) : 0);
}

/* Slopes fall from the edge in lines that bend with it; those away from the sun are dark. */
static bool hill(cut *out, float x, float y, int i)
{
    const float edge = range(x, i), down = y - edge, e = 0.006f;
    if (down < 0) {
        return false;
    }
    const float slope = (range(x + e, i) - range(x - e, i)) / (2 * e);
    const float ridge = fbm2(26 * x - 16 * down, 9 * down + 5 * (float)i, 3);
    const float turn = (x < sun.x ? -1.0f : 1.0f) * slope;
    const float lit =
        clamp(0.5f - 0.75f * turn * (i == 2 ? 0.5f : 1) + 2.4f * (ridge - 0.45f), 0, 1);
    out->phase = (x * (0.8f + 0.4f * (float)i) + 1.1f * down) * 76 + 3.2f * ridge + wobble(x, y);
    out->ink =
        down < 0.0045f ? 0.97f : mix(0.84f - 0.08f * (float)(2 - i), 0.10f + 0.10f * (float)i, lit);
    return true;
}

/* Waves: level lines that swing, finer in the distance; the sun's path is left white. */
static cut water(float x, float y)
{
    const float down = (y - sea) / (0.75f - sea), near = 0.12f + down;
    const float swing = sinf(x * 26 / near + 6 * noise2(5 * x, 20 * down, NULL, NULL)) * 0.35f +
                        0.8f * (noise2(14 * x / near, 9 * down, NULL, NULL) - 0.5f);
    const float path = fabsf(x - sun.x) / (0.045f + 0.13f * down);
    const float glitter =
        smoothstep(1.15f, 0.25f, path + 1.4f * (noise2(40 * x, 150 * y, NULL, NULL) - 0.5f));
    const float crest =
        smoothstep(0.60f, 0.78f, noise2(9 * x / near, 16 * down + 0.2f * swing, NULL, NULL));
    return (cut){26 * sqrtf(down + 0.01f) + 0.55f * swing,
                 clamp(0.62f - 0.55f * glitter - 0.34f * crest + 0.16f * down, 0.04f, 0.86f)};
}

/* The near bank: dark, with grass cut out of it. */
static float bank(float x)
{
    return 0.655f + 0.075f * smoothstep(0.12f, 0.75f, x) + 0.016f * sinf(11 * x + 1) +
           0.1f * smoothstep(0.6f, 0.95f, x) - 0.012f * fbm2(30 * x, 2, 3);
}

static cut grass(float x, float y)
{
    const float down = y - bank(x), tuft = noise2(46 * x, 30 * y, NULL, NULL);
    const float lean =
        0.35f * sinf(9 * x + 30 * down) + 0.5f * (noise2(12 * x, 12 * y, NULL, NULL) - 0.5f);
    return (cut){(x + lean * down) * 92 + 1.4f * tuft,
                 down < 0.006f ? 0.97f
                               : clamp(0.95f - 0.42f * smoothstep(0.35f, 0.75f, tuft) *
                                                   smoothstep(0.12f, 0.0f, down),
                                       0, 0.97f)};
}

/* A tree on the bank: trunk with bark, crown of round leaf masses. */
static bool tree(cut *out, float x, float y)
{
    static const float crown[][3] = {
        {0.085f, 0.330f, 0.062f}, {0.155f, 0.290f, 0.068f}, {0.225f, 0.335f, 0.058f},
        {0.120f, 0.385f, 0.058f}, {0.195f, 0.395f, 0.055f}, {0.050f, 0.400f, 0.045f},
        {0.255f, 0.405f, 0.042f}, {0.150f, 0.345f, 0.060f},
    };
    const float trunk = 0.150f + 0.012f * sinf(11 * y),
                wide = 0.013f + 0.05f * smoothstep(0.55f, 0.70f, y) * smoothstep(0.55f, 0.70f, y);
    if (y > 0.40f && y < 0.69f && fabsf(x - trunk) < wide) {
        const float across = (x - trunk) / wide;
        *out = (cut){across * 3.1f + 1.2f * noise2(30 * x, 14 * y, NULL, NULL),
                     clamp(0.72f - 0.48f * across, 0.2f, 0.95f)};
        return true;
    }
    float best = -1;
    for (int i = 0; i < (int)(sizeof crown / sizeof *crown); i++) {
        const float dx = (x - crown[i][0]) / crown[i][2], dy = (y - crown[i][1]) / crown[i][2],
                    turn = atan2f(dy, dx);
        const float edge = 1 + 0.07f * sinf(13 * turn + (float)i) + 0.05f * sinf(29 * turn);
        const float d = sqrtf(dx * dx + dy * dy) / edge;
        if (d < 1 && 1 - d > best) {
            best = 1 - d;
            const float light = 0.75f * dx - 0.65f * dy;
            out->phase = d * crown[i][2] * 96 + 0.5f * sinf(13 * turn + (float)i) + wobble(x, y);
            out->ink = best < 0.06f ? 0.97f : clamp(0.60f - 0.52f * light, 0.10f, 0.92f);
        }
    }
    return best >= 0;
}

static bool birds(float x, float y)
{
    static const float places[][3] = {{0.44f, 0.13f, 0.020f},
                                      {0.49f, 0.165f, 0.015f},
                                      {0.39f, 0.19f, 0.012f},
                                      {0.535f, 0.125f, 0.011f}};
    for (int i = 0; i < 4; i++) {
        const float dx = (x - places[i][0]) / places[i][2], dy = (y - places[i][1]) / places[i][2];
        const float wing = 0.55f * sqrtf(fabsf(dx)) - 0.75f * fabsf(dx) * fabsf(dx);
        if (fabsf(dx) < 1 && fabsf(dy + wing) < 0.17f * (1 - fabsf(dx)) + 0.05f) {
            return true;
        }
    }
    return false;
}

static cut cut_at(float x, float y)
{
    const float dx = x - sun.x, dy = y - sun.y, from_sun = sqrtf(dx * dx + dy * dy);
    cut c = {0, 0};
    if (tree(&c, x, y)) {
        return c;
    }
    if (y > bank(x)) {
        return grass(x, y);
    }
    if (y > sea) {
        return water(x, y);
    }
    for (int i = 2; i >= 0; i--) {
        if (hill(&c, x, y, i)) {
            return c;
        }
    }
    if (birds(x, y)) {
        return (cut){0, 1};
    }
    if (cloud(&c, x, y)) {
        return c;
    }
    if (from_sun < sun_radius) {
        return (cut){0, from_sun > 0.93f * sun_radius ? 1 : 0};
    }
    return sky(x, y);
}

/* 1 where the block printed: the knife tapers and shakes, and ink misses a speck here and there. */
static float printed(float x, float y)
{
    const float margin = 0.018f + 0.0016f * (noise2(90 * x, 90 * y, NULL, NULL) - 0.5f);
    if (x < margin || x > 1 - margin || y < margin || y > 0.75f - margin) {
        return 0;
    }
    if (x < margin + 0.006f || x > 1 - margin - 0.006f || y < margin + 0.006f ||
        y > 0.744f - margin) {
        return 1;
    }
    const cut c = cut_at(x, y);
    const float shake = 0.10f * (noise2(70 * x, 70 * y, NULL, NULL) - 0.5f) +
                        0.10f * (noise2(230 * x, 230 * y, NULL, NULL) - 0.5f);
    const float from_line =
        fabsf(c.phase - floorf(c.phase) - 0.5f) * 2; /* 0 in the middle of a line */
    const bool speck =
        noise2(330 * x, 330 * y, NULL, NULL) * (0.7f + 0.5f * noise2(20 * x, 20 * y, NULL, NULL)) >
        1.0f;
    return c.ink >= 0.99f || (c.ink > 0 && from_line < c.ink + shake && !speck) ? 1 : 0;
}

static void row(canvas *c, int y)
{
    for (int x = 0; x < c->width; x++) {
        float sum = 0;
        for (int i = 0; i < SAMPLES * SAMPLES; i++) {
            const float u = (float)x + ((float)(i % SAMPLES) + 0.5f) / SAMPLES,
                        v = (float)y + ((float)(i / SAMPLES) + 0.5f) / SAMPLES;
            sum += printed(u / (float)c->width, v / (float)c->width);
        }
        const float grain = fbm2((float)x * 0.30f, (float)y * 0.22f, 3),
                    stain = fbm2((float)x * 0.008f, (float)y * 0.008f, 3);
        const vec3 paper =
            scale(v3(0.945f, 0.905f, 0.805f), 0.93f + 0.07f * grain + 0.08f * (stain - 0.45f));
        const float even = 0.88f + 0.12f * noise2((float)x * 0.5f, (float)y * 0.5f, NULL, NULL);
        const vec3 ink = scale(v3(0.085f, 0.080f, 0.095f), 0.8f + 0.6f * grain);
        *at(c, x, y) = mix3(paper, ink, even * sum / (SAMPLES * SAMPLES));
    }
}

rv_status render_woodcut(canvas *c)
{
    return for_rows(c, row);
}
