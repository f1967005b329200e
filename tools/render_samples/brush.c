/* brush: long curved strokes of thick oil paint that follow a swirling field. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "paint.h"

#include <stdlib.h>

/* Whirls of the sky: place in parts of the width, strength (positive: counter-clockwise), radius. */
static const struct whirl {
    float x, y, strength, radius;
} whirls[] = {
    {0.29f, 0.27f, 1.0f, 0.16f},   {0.70f, 0.22f, -0.9f, 0.13f},  {0.505f, 0.43f, 0.75f, 0.075f},
    {0.92f, 0.46f, 0.55f, 0.09f},  {0.06f, 0.10f, -0.55f, 0.09f}, {0.09f, 0.48f, -0.5f, 0.075f},
    {0.50f, 0.08f, -0.45f, 0.06f},
};
enum { WHIRLS = sizeof whirls / sizeof *whirls };

/* Height of the land's edge, in parts of the width from the top. */
static float horizon(float x)
{
    return 0.575f + 0.030f * sinf(7 * x + 0.6f) + 0.022f * sinf(15 * x + 2.1f) -
           0.05f * expf(-40 * (x - 0.8f) * (x - 0.8f));
}

/* Direction of paint at a place: along the whirls in the sky, along the hills on land. */
static vec2 flow(float x, float y)
{
    float u = 0.42f, v = 0.10f * sinf(5 * x + 3 * y);
    for (int i = 0; i < WHIRLS; i++) {
        const float dx = x - whirls[i].x, dy = y - whirls[i].y, r = whirls[i].radius;
        const float d2 = (dx * dx + dy * dy) / (r * r);
        const float k = whirls[i].strength * 2.1f * expf(-0.55f * d2) / r;
        u += k * dy;
        v -= k * dx;
    }
    const float land = smoothstep(-0.035f, 0.02f, y - horizon(x));
    if (land > 0) {
        const float step = 0.004f, depth = y - horizon(x);
        const float slope = (horizon(x + step) - horizon(x - step)) / (2 * step);
        const float bend =
            slope * (1 - 2.2f * depth) + 0.9f * (noise2(6 * x + 3, 9 * y, NULL, NULL) - 0.5f);
        u = mix(u, 1, land);
        v = mix(v, bend, land);
    }
    const float n = sqrtf(u * u + v * v) + 1e-6f;
    return (vec2){u / n, v / n};
}

static const vec3 night[] = {
    {0.05f, 0.09f, 0.30f}, {0.09f, 0.20f, 0.50f}, {0.16f, 0.36f, 0.66f}, {0.34f, 0.58f, 0.76f},
    {0.72f, 0.82f, 0.74f}, {0.13f, 0.28f, 0.58f}, {0.07f, 0.14f, 0.40f}, {0.22f, 0.50f, 0.62f},
};
static const vec3 ground[] = {
    {0.06f, 0.17f, 0.18f}, {0.12f, 0.33f, 0.22f}, {0.30f, 0.46f, 0.20f}, {0.62f, 0.58f, 0.20f},
    {0.10f, 0.22f, 0.33f}, {0.45f, 0.28f, 0.13f}, {0.08f, 0.25f, 0.26f}, {0.78f, 0.66f, 0.28f},
};
static const vec3 glow[] = {
    {0.98f, 0.90f, 0.52f}, {0.96f, 0.74f, 0.20f}, {0.93f, 0.55f, 0.12f}, {0.85f, 0.80f, 0.50f}};

static vec3 from_palette(const vec3 *palette, int n, float t)
{
    t = (t - floorf(t)) * (float)n;
    const int i = (int)t % n;
    return mix3(palette[i], palette[(i + 1) % n], smoothstep(0.25f, 0.75f, t - floorf(t)));
}

/* What the painter sees at a place. */
static vec3 colour_of(float x, float y)
{
    if (y > horizon(x) + 0.006f * (noise2(60 * x, 60 * y, NULL, NULL) - 0.5f)) {
        const float depth = y - horizon(x);
        const vec3 land =
            from_palette(ground, 8, 5.2f * depth + 1.4f * fbm2(5 * x, 16 * y, 3) + 0.06f);
        return scale(land, 0.72f + 0.9f * depth);
    }
    vec3 colour = from_palette(night, 8, 1.5f * fbm2(2.2f * x + 4, 3.4f * y + 1, 3) + 0.35f * y);
    for (int i = 0; i < WHIRLS; i++) {
        const float dx = x - whirls[i].x, dy = y - whirls[i].y,
                    r = sqrtf(dx * dx + dy * dy) / whirls[i].radius;
        const float turn = atan2f(dy, dx) / 6.2831853f;
        /* arms of light that wind around a warm core */
        const float arm =
            0.5f +
            0.5f * sinf(6.2831853f * (2 * turn * (whirls[i].strength > 0 ? 1 : -1) + 1.25f * r));
        const float ring = expf(-1.1f * r * r) * (0.35f + 0.65f * arm);
        colour = mix3(colour, v3(0.60f, 0.78f, 0.80f), clamp(0.62f * ring, 0, 1));
        const float core = smoothstep(0.62f, 0.10f, r);
        colour = mix3(colour, from_palette(glow, 4, 1.1f - 1.7f * r), core);
    }
    /* dawn along the hills */
    const float dawn = expf(-16 * (horizon(x) - y));
    return mix3(colour, v3(0.93f, 0.64f, 0.28f),
                0.75f * dawn * (0.4f + 0.6f * noise2(9 * x, 30 * y, NULL, NULL)));
}

typedef struct layer {
    int strokes;
    float width, length; /* pixels */
    float spread;        /* of colours within the layer */
} layer;

static float *relief; /* thickness of paint, as large as the canvas */

/* One dab of a stroke: a short piece, across which the hairs of the brush leave furrows. */
static void dab(canvas *c, vec2 p, vec2 along, float radius, float age, vec3 colour, int seed)
{
    const int x0 = (int)floorf(p.x - radius), x1 = (int)ceilf(p.x + radius);
    const int y0 = (int)floorf(p.y - radius), y1 = (int)ceilf(p.y + radius);
    for (int y = y0 < 0 ? 0 : y0; y <= y1 && y < c->height; y++) {
        for (int x = x0 < 0 ? 0 : x0; x <= x1 && x < c->width; x++) {
            const float dx = (float)x - p.x, dy = (float)y - p.y;
            const float across = (dy * along.x - dx * along.y) / radius,
                        lengthwise = dx * along.x + dy * along.y;
            if (fabsf(lengthwise) > 1.2f || fabsf(across) > 1) {
                continue;
            }
            const float hair = noise2(4.2f * radius * across * 0.45f + 100,
                                      0.13f * age + (float)seed * 7.3f, NULL, NULL);
            const float hair2 = noise2(9 * across + 40, (float)seed * 3.1f, NULL, NULL);
            const float edge = 1 - across * across * across * across;
            const float dry = smoothstep(0.55f, 1.0f, age / 100); /* the brush runs dry */
            const float cover =
                smoothstep(0.02f, 0.45f, edge * (0.55f + 0.9f * hair) - 0.75f * dry * (1 - hair2));
            const vec3 shade = scale(colour, 0.86f + 0.28f * (0.6f * hair + 0.4f * hair2));
            vec3 *to = at(c, x, y);
            *to = mix3(*to, shade, 0.92f * cover);
            float *thick = &relief[y * c->width + x];
            *thick = mix(*thick, 0.35f * *thick + edge * (0.35f + 0.9f * hair), cover);
        }
    }
}

static vec3 vary(vec3 colour, float spread, int seed)
{
    const float light = 1 + spread * (random2(seed, 11) - 0.5f);
    const vec3 tint =
        v3(random2(seed, 12) - 0.5f, random2(seed, 13) - 0.5f, random2(seed, 14) - 0.5f);
    const vec3 varied = add(scale(colour, light), scale(tint, 0.35f * spread));
    return v3(clamp(varied.x, 0.01f, 1), clamp(varied.y, 0.01f, 1), clamp(varied.z, 0.01f, 1));
}

static void stroke(canvas *c, const layer *l, int seed)
{
    const float size = (float)c->width;
    vec2 p = {random2(seed, 1) * size, random2(seed, 2) * (float)c->height};
    const vec3 colour = vary(colour_of(p.x / size, p.y / size), l->spread, seed);
    const float radius = l->width * (0.6f + 0.6f * random2(seed, 3)),
                length = l->length * (0.5f + random2(seed, 4));
    /* back from the middle, so that the place chosen is the stroke's centre */
    for (float s = 0; s < length / 2; s += 2) {
        const vec2 f = flow(p.x / size, p.y / size);
        p.x -= 2 * f.x;
        p.y -= 2 * f.y;
    }
    for (float s = 0; s < length; s += 1) {
        const vec2 f = flow(p.x / size, p.y / size);
        const float part = s / length,
                    taper = sqrtf(clamp(8 * part, 0, 1)) * sqrtf(clamp(5 * (1 - part), 0, 1));
        dab(c, p, f, 1 + radius * taper, 100 * part, colour, seed);
        p.x += f.x;
        p.y += f.y;
    }
}

static float thickness(const canvas *c, int x, int y)
{
    x = x < 0 ? 0 : x < c->width ? x : c->width - 1;
    y = y < 0 ? 0 : y < c->height ? y : c->height - 1;
    return relief[y * c->width + x];
}

/* Light from the upper left on the relief. */
static void shine(canvas *c)
{
    for (int y = c->height - 1; y >= 0; y--) {
        for (int x = c->width - 1; x >= 0; x--) {
            const float here = thickness(c, x, y) + thickness(c, x + 1, y + 1);
            const float left = thickness(c, x - 1, y) + thickness(c, x - 1, y + 1);
            const float above = thickness(c, x, y - 1) + thickness(c, x + 1, y - 1);
            const vec3 normal = normalize(v3(left - here, above - here, 2.4f));
            const float light = dot(normal, normalize(v3(0.55f, 0.65f, 1.0f)));
            const float flat = 1.0f / sqrtf(0.55f * 0.55f + 0.65f * 0.65f + 1);
            const float gloss =
                powf(clamp(dot(normal, normalize(v3(0.35f, 0.42f, 1.0f))), 0, 1), 40);
            vec3 *p = at(c, x, y);
            *p = add(scale(*p, 1 + 0.75f * (light - flat)),
                     scale(v3(1, 0.97f, 0.9f), 0.06f * (gloss - 0.25f)));
        }
    }
}

rv_status render_brush(canvas *c)
{
    static const layer layers[] = {
        {2600, 11, 90, 0.22f},
        {5200, 6.5f, 74, 0.34f},
        {6500, 3.6f, 52, 0.45f},
    };
    RV_TRY(rv_alloc(&relief, (size_t)c->width * (size_t)c->height, sizeof *relief, "a relief"));
    for (int i = 0; i < c->width * c->height; i++) {
        c->pixels[i] = v3(0.12f, 0.16f, 0.25f);
    }
    int seed = 0;
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < layers[i].strokes; k++) {
            stroke(c, &layers[i], ++seed);
        }
    }
    shine(c);
    free(relief);
    return RV_OK;
}
