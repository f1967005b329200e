/* landscape: a mountain lake with forests in evening light, marched ray by ray over a height field. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "base/pool.h"
#include "paint.h"

#include <stdlib.h>

/* Metres; the lake is at height 0, the camera looks along z. */
static const vec3 camera = {-120, 15, -60};
enum { SAMPLES = 2 }; /* a side of a pixel */

#define FAR       16000.0f
#define HIGHEST   2300.0f
#define CLOUDS    1900.0f
#define CLOUD_TOP 2600.0f

static vec3 sun(void)
{
    return normalize(v3(-0.80f, 0.36f, -0.34f));
}

/* Ridges and valleys: octaves count less where the sum so far is steep, as if worn by water. */
static float mountains(float x, float z, int octaves)
{
    float sum = 0, amplitude = 1, sx = 0, sz = 0;
    for (int i = 0; i < octaves; i++) {
        float dx, dz;
        const float n = noise2(x, z, &dx, &dz);
        sx += dx;
        sz += dz;
        sum += amplitude * n / (1 + sx * sx + sz * sz);
        amplitude *= 0.5f;
        const float turned = 1.6f * x - 1.2f * z;
        z = 1.2f * x + 1.6f * z;
        x = turned;
    }
    return sum;
}

/* Ground without trees. The lake lies between shores that close in the distance. */
static float ground(float x, float z, int octaves)
{
    const float bend = 240 * sinf(z * 0.0011f + 0.4f) + 70 * sinf(z * 0.0043f + 1.0f);
    const float wide = 430 + 0.10f * z - 260 * smoothstep(1500, 3400, z);
    const float bays = 190 * (fbm2(x * 0.004f + 9, z * 0.004f + 3, 4) - 0.47f);
    const float side = fabsf(x - bend) - wide + bays;
    const float end = z - 3300 + 2 * bays;
    const float shore = side > end ? side : end; /* metres from the water's edge, about */
    const float rise = 100 * smoothstep(0, 900, shore) + 0.10f * clamp(shore, -300, 250);
    const float far = smoothstep(2300, 7200, z + 0.55f * fabsf(x)) +
                      0.30f * smoothstep(500, 2600, fabsf(x - bend));
    const float rocks = mountains(x * 0.00042f + 1.7f, z * 0.00042f + 4.3f, octaves);
    return rise + far * (1750 * rocks * rocks * 0.62f + 330 * rocks) +
           16 * (fbm2(x * 0.02f, z * 0.02f, octaves > 6 ? 4 : 2) - 0.47f) *
               smoothstep(-50, 60, shore);
}

/* The ground in broad strokes, known beforehand every few metres: most of a ray runs far above it. */
enum { COLUMNS = 2400, ROWS = 2200, SPACING = 8, LEFT = -COLUMNS * SPACING / 2, NEAR = -1200 };
static float *broad_ground; /* [ROWS, COLUMNS] */

static rv_status survey(void *payload, size_t j)
{
    (void)payload;
    for (int i = 0; i < COLUMNS; i++) {
        broad_ground[j * COLUMNS + (size_t)i] =
            ground((float)(LEFT + i * SPACING), (float)(NEAR + (int)j * SPACING), 7);
    }
    return RV_OK;
}

static float broad(float x, float z)
{
    const float u = clamp((x - LEFT) / SPACING, 0, COLUMNS - 1.001f),
                v = clamp((z - NEAR) / SPACING, 0, ROWS - 1.001f);
    const int i = (int)u, j = (int)v;
    const float *g = broad_ground + j * COLUMNS + i;
    return mix(mix(g[0], g[1], u - (float)i), mix(g[COLUMNS], g[COLUMNS + 1], u - (float)i),
               v - (float)j);
}

/* Height of a forest above ground `h`: cones at jittered places of a grid. *shade: which tree, 0 to 1. */
static float forest(float x, float z, float h, float slope, float *shade)
{
    const float cell = 9.5f, wood = fbm2(x * 0.0045f + 20, z * 0.0045f, 3);
    const float limit = 430 + 260 * (noise2(x * 0.003f, z * 0.003f, NULL, NULL) - 0.5f);
    float best = 0;
    if (h < 2.5f || h > limit || wood < 0.36f || slope > 1.1f) {
        return 0;
    }
    const int cx = (int)floorf(x / cell), cz = (int)floorf(z / cell);
    for (int j = cz - 1; j <= cz + 1; j++) {
        for (int i = cx - 1; i <= cx + 1; i++) {
            const float size = random2(i * 3 + 1, j);
            if (size > smoothstep(0.36f, 0.47f, wood) * smoothstep(limit, limit - 120, h)) {
                continue;
            }
            const float dx = x - ((float)i + 0.2f + 0.6f * random2(i, j * 5 + 2)) * cell;
            const float dz = z - ((float)j + 0.2f + 0.6f * random2(i + 77, j * 7)) * cell;
            const float tall = 13 + 15 * random2(i * 7, j + 3), r = sqrtf(dx * dx + dz * dz);
            const float whorls = 1 + 0.16f * sinf(14 * (r - 0.4f * tall));
            const float top = tall * (1 - r * whorls / (0.21f * tall + 1.6f));
            if (top > best) {
                best = top;
                *shade = random2(i * 11 + 5, j * 13);
            }
        }
    }
    return best;
}

typedef struct spot {
    float t; /* along the ray, negative: the sky */
    vec3 p;
    float tree, shade; /* height of the tree's part that was hit above ground */
} spot;

static int octaves_at(float t)
{
    return t < 700 ? 10 : t < 2500 ? 9 : t < 6000 ? 8 : 7;
}

/* Height above ground and trees; what is hit there goes into *s. */
static float above(vec3 p, float t, spot *s)
{
    const float h = ground(p.x, p.z, octaves_at(t));
    s->tree = 0;
    if (p.y - h < 30 && t < 5000) {
        s->tree = forest(p.x, p.z, h, 0, &s->shade);
    }
    return p.y - h - s->tree;
}

static spot march(vec3 from, vec3 along, float start, float detail)
{
    spot s = {.t = start};
    float before = start;
    for (int i = 0; i < 500 && s.t < FAR; i++) {
        s.p = add(from, scale(along, s.t));
        if (s.p.y > HIGHEST && along.y > 0) {
            break;
        }
        const float margin = s.p.y - broad(s.p.x, s.p.z);
        if (margin > 45) {
            before = s.t;
            s.t += 0.36f * (margin - 28);
            continue;
        }
        const float over = above(s.p, s.t, &s);
        if (over < 0.0004f * s.t) {
            for (int k = 0; k < 7; k++) { /* between the last place above and this one */
                const float middle = 0.5f * (before + s.t);
                spot half = s;
                half.p = add(from, scale(along, middle));
                half.t = middle;
                if (above(half.p, middle, &half) < 0.0004f * middle) {
                    s = half;
                } else {
                    before = middle;
                }
            }
            return s;
        }
        const float least = detail * (0.3f + 0.0008f * s.t);
        const float step = (over + s.tree < 30 && s.t < 5000 ? 0.22f : 0.34f) * over;
        before = s.t;
        s.t += step > least ? step : least;
    }
    s.t = -1;
    return s;
}

/* Share of sunlight that reaches a point, with a soft edge. */
static float sunlight(vec3 p, float t)
{
    float light = 1, s = 4 + 0.002f * t;
    const vec3 along = sun();
    for (int i = 0; i < 70 && s < 5000 && light > 0.01f; i++) {
        const vec3 q = add(p, scale(along, s));
        if (q.y > HIGHEST) {
            break;
        }
        const float h = broad(q.x, q.z);
        float tree, over = q.y - h;
        if (over < 30 && over > 0 && t < 1500 && s < 120) {
            over -= forest(q.x, q.z, h, 0, &tree);
        }
        light = fminf(light, 0.5f + 0.5f * 24 * over / s);
        s += clamp(0.5f * over, 3 + 0.02f * s, 160);
    }
    light = clamp(light, 0, 1);
    return light * light * (3 - 2 * light);
}

static vec3 clear_sky(vec3 along)
{
    const float up = clamp(along.y, 0, 1), towards = clamp(dot(along, sun()), 0, 1);
    vec3 sky = mix3(v3(0.52f, 0.60f, 0.72f), v3(0.055f, 0.15f, 0.42f), powf(up, 0.50f));
    sky = add(sky, scale(v3(0.95f, 0.55f, 0.28f), 0.45f * powf(towards, 5) * (1 - up)));
    const float warm =
        expf(-9 * up) * (0.35f + 0.65f * powf(0.5f + 0.5f * dot(normalize(v3(along.x, 0, along.z)),
                                                                normalize(v3(-1, 0, 0.5f))),
                                              2));
    return add(sky, scale(v3(0.55f, 0.27f, 0.10f), warm));
}

static float cloud_density(vec3 p, int octaves)
{
    const float level = (p.y - CLOUDS) / (CLOUD_TOP - CLOUDS);
    const float shape =
        fbm3(v3(p.x * 0.00125f + 3.1f, p.y * 0.0021f, p.z * 0.00085f + 0.7f), octaves);
    const float body = smoothstep(0, 0.16f, level) * smoothstep(1, 0.45f, level);
    return clamp((shape - 0.53f) * 9.0f * body, 0, 1);
}

/* Clouds between two heights, lit through themselves. */
static vec3 with_clouds(vec3 sky, vec3 along, int steps)
{
    if (along.y < 0.035f) {
        return sky;
    }
    const float first = (CLOUDS - camera.y) / along.y, last = (CLOUD_TOP - camera.y) / along.y;
    const float step = (last - first) / (float)steps;
    float through = 1;
    vec3 light = {0, 0, 0};
    for (int i = 0; i < steps && through > 0.02f; i++) {
        const float t = first + ((float)i + 0.5f) * step;
        const vec3 p = add(camera, scale(along, t));
        const float d = cloud_density(p, 6);
        if (d > 0) {
            const float before = cloud_density(add(p, scale(sun(), 110)), 4) +
                                 0.7f * cloud_density(add(p, scale(sun(), 260)), 3);
            const float lit = expf(-2.1f * before);
            const float ahead = clamp(dot(along, sun()), 0, 1);
            vec3 colour = add(scale(v3(1.75f, 1.24f, 0.86f), lit * (0.75f + 0.7f * powf(ahead, 6))),
                              v3(0.30f, 0.34f, 0.45f));
            colour = mix3(colour, sky, 1 - expf(-t * 0.00006f));
            const float stop = 1 - expf(-d * step * 0.010f);
            light = add(light, scale(colour, through * stop));
            through *= 1 - stop;
        }
    }
    const float near = smoothstep(0.035f, 0.10f, along.y);
    return mix3(sky, add(light, scale(sky, through)), near);
}

static vec3 sky_at(vec3 along, int steps)
{
    return with_clouds(clear_sky(along), along, steps);
}

/* Haze takes the colour of the sky behind it. */
static vec3 haze(vec3 colour, vec3 along, float t)
{
    const vec3 flat = normalize(v3(along.x, 0.03f, along.z));
    const vec3 air = scale(clear_sky(flat), 0.86f);
    const vec3 keep = v3(expf(-t * 0.000042f), expf(-t * 0.000052f), expf(-t * 0.000070f));
    return add(mul(colour, keep), mul(air, v3(1 - keep.x, 1 - keep.y, 1 - keep.z)));
}

static vec3 normal_at(vec3 p, float t, float tree)
{
    const float e = 0.25f + 0.0009f * t;
    const int octaves = octaves_at(t) + 2;
    float shade, h[4];
    const float offset[4][2] = {{e, 0}, {-e, 0}, {0, e}, {0, -e}};
    for (int i = 0; i < 4; i++) {
        const float x = p.x + offset[i][0], z = p.z + offset[i][1], g = ground(x, z, octaves);
        h[i] = g + (tree > 0.4f ? forest(x, z, g, 0, &shade) : 0);
    }
    return normalize(v3(h[1] - h[0], 2 * e, h[3] - h[2]));
}

/* Rock, scree, grass, snow, sand and trees by height, slope and chance. */
static vec3 matter(const spot *s, float flatness)
{
    const vec3 p = s->p;
    const float rough = fbm2(p.x * 0.05f, p.z * 0.05f, 4),
                patch = fbm2(p.x * 0.006f + 5, p.z * 0.006f, 4);
    vec3 colour = mix3(v3(0.115f, 0.100f, 0.090f), v3(0.235f, 0.205f, 0.175f), rough);
    const float strata = noise2(p.x * 0.002f, p.y * 0.045f + 2 * patch, NULL, NULL);
    colour = scale(colour, 0.75f + 0.5f * strata);
    const float green =
        smoothstep(0.70f, 0.86f, flatness) * smoothstep(900, 420, p.y + 300 * (patch - 0.5f));
    colour =
        mix3(colour, mix3(v3(0.060f, 0.085f, 0.020f), v3(0.135f, 0.130f, 0.040f), rough), green);
    const float sand = smoothstep(3.4f, 1.2f, p.y + 1.5f * rough);
    colour = mix3(colour, v3(0.24f, 0.205f, 0.155f), sand);
    const float line = 640 + 420 * (patch - 0.5f) + 120 * (rough - 0.5f);
    const float snow = smoothstep(line, line + 170, p.y) *
                       smoothstep(0.50f, 0.74f, flatness + 0.16f * (rough - 0.5f));
    colour = mix3(colour, v3(0.78f, 0.82f, 0.88f), snow);
    if (s->tree > 0.4f) {
        const vec3 needles = mix3(v3(0.012f, 0.030f, 0.012f), v3(0.048f, 0.070f, 0.018f), s->shade);
        const vec3 tinged =
            mix3(needles, v3(0.17f, 0.105f, 0.018f), smoothstep(0.90f, 0.97f, s->shade) * 0.8f);
        colour = scale(tinged, 0.55f + 0.055f * s->tree +
                                   0.5f * noise2(p.x * 1.3f, p.z * 1.3f + p.y, NULL, NULL));
    }
    return colour;
}

static vec3 land(const spot *s, vec3 along)
{
    const vec3 n = normal_at(s->p, s->t, s->tree);
    const float bare = broad(s->p.x, s->p.z), e = 8 + 0.004f * s->t;
    const vec3 slope =
        normalize(v3(bare - broad(s->p.x + e, s->p.z), e, bare - broad(s->p.x, s->p.z + e)));
    const vec3 colour = matter(s, 0.6f * n.y + 0.4f * slope.y);
    const float direct = clamp(dot(n, sun()), 0, 1) * sunlight(add(s->p, v3(0, 0.3f, 0)), s->t);
    const float round =
        s->tree > 0.4f ? clamp(0.25f + s->tree / 18, 0.25f, 1) : 0.55f + 0.45f * slope.y;
    const vec3 sky = scale(v3(0.26f, 0.34f, 0.50f), round * (0.6f + 0.4f * n.y));
    const vec3 back =
        scale(v3(0.16f, 0.12f, 0.09f), round * clamp(0.5f - 0.5f * dot(n, sun()), 0, 1));
    const vec3 light = add(scale(v3(4.3f, 3.05f, 1.95f), direct), add(sky, back));
    return haze(mul(colour, light), along, s->t);
}

/* Slopes of the water: wind in patches, finer near the camera. */
static vec3 ripples(float x, float z, float t)
{
    float dx, dz, sx = 0, sz = 0;
    const float wind =
        0.35f + 0.9f * smoothstep(0.40f, 0.62f, fbm2(x * 0.004f, z * 0.0016f + 3, 3));
    float size = 0.9f, slope = 0.016f;
    for (int i = 0; i < 5; i++) {
        const float fade = clamp(1.6f - t * size * 0.0045f, 0, 1);
        noise2(x * size * 0.55f + 17.0f * (float)i, z * size + 5.0f * (float)i, &dx, &dz);
        sx += fade * slope * dx;
        sz += fade * slope * dz;
        size *= i == 0 ? 0.23f : 2.4f;
        slope *= i == 0 ? 1.1f : 0.72f;
    }
    return normalize(v3(-wind * sx, 1, -wind * sz));
}

static vec3 shade(vec3 along, int steps);

static vec3 water(vec3 along, float t)
{
    const vec3 p = add(camera, scale(along, t));
    const vec3 n = ripples(p.x, p.z, t);
    vec3 mirrored = sub(along, scale(n, 2 * dot(along, n)));
    mirrored.y = mirrored.y < 0.004f ? 0.004f : mirrored.y;
    mirrored = normalize(mirrored);
    const float cosine = clamp(-dot(along, n), 0, 1);
    const float fresnel = 0.02f + 0.98f * powf(1 - cosine, 5);
    const spot s = march(p, mirrored, 0.5f + 0.002f * t, 1.6f);
    const vec3 seen = s.t > 0 ? land(&s, mirrored) : sky_at(mirrored, 14);
    const float depth = clamp(-broad(p.x, p.z), 0, 60);
    const vec3 deep = v3(0.010f, 0.036f, 0.046f), bed = v3(0.11f, 0.11f, 0.065f);
    const vec3 below = mix3(deep, bed, expf(-0.35f * depth));
    const vec3 colour = add(scale(seen, fresnel), scale(below, 1 - fresnel));
    const float glint = powf(clamp(dot(mirrored, sun()), 0, 1), 500);
    return haze(add(colour, scale(v3(4.0f, 2.6f, 1.4f), glint)), along, 0.8f * t);
}

static vec3 shade(vec3 along, int steps)
{
    const spot s = march(camera, along, 6, 1);
    const float level = along.y < 0 ? -camera.y / along.y : -1;
    if (level > 0 && level < FAR && (s.t < 0 || level < s.t)) {
        return water(along, level);
    }
    return s.t > 0 ? land(&s, along) : sky_at(along, steps);
}

/* A print with deeper shadows and stronger colours. */
static vec3 print_of(vec3 v)
{
    const float grey = 0.30f * v.x + 0.59f * v.y + 0.11f * v.z;
    const vec3 strong = mix3(v3(grey, grey, grey), v, 1.22f);
    const vec3 clamped = v3(clamp(strong.x, 0, 1), clamp(strong.y, 0, 1), clamp(strong.z, 0, 1));
    return mix3(clamped, mul(mul(clamped, clamped), sub(v3(3, 3, 3), scale(clamped, 2))), 0.55f);
}

static void row(canvas *c, int y)
{
    const float w = (float)c->width, h = (float)c->height, zoom = 1.12f;
    for (int x = 0; x < c->width; x++) {
        vec3 sum = {0, 0, 0};
        for (int i = 0; i < SAMPLES * SAMPLES; i++) {
            const float u = (float)x + ((float)(i % SAMPLES) + 0.5f) / SAMPLES;
            const float v = (float)y + ((float)(i / SAMPLES) + 0.5f) / SAMPLES;
            const vec3 along = normalize(v3((2 * u - w) / h, (h - 2 * v) / h + 0.20f, 2 * zoom));
            /* each sample as film sees it, so that glints do not leave jagged edges */
            sum = add(sum, film(scale(shade(along, 22), 0.92f)));
        }
        *at(c, x, y) = print_of(scale(sum, 1.0f / (SAMPLES * SAMPLES)));
    }
}

rv_status render_landscape(canvas *c)
{
    RV_TRY(rv_alloc(&broad_ground, (size_t)ROWS * COLUMNS, sizeof *broad_ground, "heights"));
    rv_status status = rv_parallel_for(ROWS, 0, survey, NULL);
    if (status == RV_OK) {
        status = for_rows(c, row);
    }
    free(broad_ground);
    return status;
}
