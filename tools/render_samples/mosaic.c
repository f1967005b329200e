/* mosaic: square stones set along the lines of a picture, after Hausner's "Simulating decorative mosaics" (2001). */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "paint.h"

#include <stdlib.h>

enum {
    ROUNDS = 24,
    CELL = 9,
    MOST = 16
}; /* CELL: side of a stone in pixels; MOST stones in a cell of the grid */

typedef struct stone {
    float x, y;         /* centre, pixels */
    float c, s;         /* direction of a side */
    float sum_x, sum_y; /* of its pixels */
    int n;
    vec3 colour;
    float tilt_x, tilt_y;
} stone;

static stone *stones;
static int n_stones, columns, rows_of_cells;
static int *cells; /* [rows_of_cells, columns, 1 + MOST]: count, then stones */

/* All in parts of the width: the sun, and the arcs of the waves below. */
static const vec2 sun = {0.60f, 0.27f};

static float horizon(float x)
{
    return 0.485f + 0.018f * sinf(9 * x + 0.5f);
}

/* Centre of the wave whose scale covers a place, or false above the sea; nearer rows cover farther ones. */
static bool wave_at(float x, float y, vec2 *out_centre, float *out_r, int *out_row)
{
    const float size = 0.098f;
    for (int k = 7; k >= 0; k--) {
        const float level = horizon(x) * 0.25f + 0.485f * 0.75f + 0.05f + 0.046f * (float)k;
        const float shift = k % 2 == 0 ? 0 : 0.5f;
        const float i = floorf(x / size + shift + 0.5f);
        const vec2 centre = {(i - shift) * size, level + 0.02f};
        const float dx = x - centre.x, dy = (y - centre.y) * 1.12f, r = sqrtf(dx * dx + dy * dy);
        if (r < 0.5f * size * 1.13f && y > horizon(x)) {
            *out_centre = centre;
            *out_r = r / (0.5f * size * 1.13f);
            *out_row = k;
            return true;
        }
    }
    return false;
}

static bool in_border(float x, float y, float *depth)
{
    const float dx = fminf(x, 1 - x), dy = fminf(y, 0.75f - y);
    *depth = fminf(dx, dy);
    return *depth < 0.044f;
}

/* A bird in flight: body and two wings, as distances from curves; 0 outside, else which part. */
static int bird(float x, float y, vec2 *out_along)
{
    const float u = (x - 0.205f) / 0.145f, v = (y - 0.235f) / 0.145f;
    const float body = v - 0.10f * sinf(2.2f * u) - 0.10f,
                thick = 0.13f * sqrtf(clamp(1 - u * u, 0, 1));
    *out_along = (vec2){1, 0.22f * cosf(2.2f * u)};
    if (fabsf(u) < 1 && fabsf(body) < thick) {
        return u > 0.72f ? 3 : 1;
    }
    const float wu = u + 0.12f - 0.38f * (v + 0.05f); /* wings sweep back as they rise */
    const float spread = -v - 0.02f;
    if (spread > 0 && spread < 0.98f &&
        fabsf(wu + 0.55f * spread * spread) < 0.30f * (1 - spread) + 0.10f) {
        *out_along = (vec2){-0.55f + 0.75f * spread, -1};
        return spread > 0.62f ? 2 : spread > 0.33f ? 4 : 1;
    }
    if (u < -0.80f && u > -1.30f && fabsf(body - 0.02f) < 0.10f + 0.22f * (-0.80f - u)) {
        return 2;
    }
    return 0;
}

/* Direction of the rows of stones at a place. */
static vec2 direction(float x, float y)
{
    vec2 d = {1, 0}, centre;
    float depth, r;
    int k;
    if (in_border(x, y, &depth)) {
        return d;
    }
    if (bird(x, y, &d) == 0) {
        d = (vec2){-(y - sun.y), x - sun.x}; /* rings around the sun */
        if (wave_at(x, y, &centre, &r, &k)) {
            d = (vec2){-(y - centre.y) * 1.12f, x - centre.x};
        }
    }
    const float n = sqrtf(d.x * d.x + d.y * d.y) + 1e-6f;
    return (vec2){d.x / n, d.y / n};
}

static vec3 sky_colour(float x, float y)
{
    const float dx = x - sun.x, dy = y - sun.y, r = sqrtf(dx * dx + dy * dy), turn = atan2f(dy, dx);
    if (r < 0.062f) {
        return v3(0.98f, 0.86f, 0.42f);
    }
    if (r < 0.094f) {
        return v3(0.95f, 0.66f, 0.15f);
    }
    const float beam = 0.5f + 0.5f * sinf(12 * turn + 9 * r);
    if (r < 0.125f + 0.075f * beam) {
        return r < 0.11f + 0.045f * beam ? v3(0.86f, 0.30f, 0.10f) : v3(0.72f, 0.13f, 0.13f);
    }
    static const vec3 rings[] = {{0.93f, 0.72f, 0.42f}, {0.35f, 0.66f, 0.66f},
                                 {0.12f, 0.42f, 0.60f}, {0.08f, 0.25f, 0.50f},
                                 {0.13f, 0.16f, 0.40f}, {0.24f, 0.14f, 0.38f}};
    const float ring = clamp((r - 0.17f) * 11 + 0.9f * (beam - 0.5f), 0, 4.99f);
    const int i = (int)ring;
    return mix3(rings[i], rings[i + 1], smoothstep(0.35f, 0.85f, ring - (float)i));
}

static vec3 colour_of(float x, float y)
{
    static const vec3 waves[] = {{0.93f, 0.90f, 0.78f},
                                 {0.20f, 0.62f, 0.62f},
                                 {0.08f, 0.44f, 0.56f},
                                 {0.05f, 0.27f, 0.46f},
                                 {0.06f, 0.16f, 0.34f}};
    static const vec3 bird_parts[] = {{0, 0, 0},
                                      {0.95f, 0.92f, 0.84f},
                                      {0.17f, 0.13f, 0.20f},
                                      {0.86f, 0.48f, 0.10f},
                                      {0.62f, 0.68f, 0.74f}};
    float depth, r;
    vec2 centre, along;
    int k;
    if (in_border(x, y, &depth)) {
        if (depth > 0.030f || depth < 0.014f) {
            return v3(0.20f, 0.09f, 0.14f);
        }
        const float t = fabsf(x - 0.5f) > 0.455f ? y : x;
        return fmodf(t, 0.09f) < 0.045f ? v3(0.84f, 0.60f, 0.18f) : v3(0.62f, 0.13f, 0.15f);
    }
    const int part = bird(x, y, &along);
    if (part != 0) {
        return bird_parts[part];
    }
    if (wave_at(x, y, &centre, &r, &k)) {
        const int ring = (int)clamp((1 - r) * 5.4f, 0, 4);
        const vec3 warm = mix3(waves[ring], v3(0.93f, 0.58f, 0.25f),
                               ring == 1 ? 0.75f * expf(-60 * (x - sun.x) * (x - sun.x)) : 0);
        return scale(warm, 1.06f - 0.035f * (float)k);
    }
    return y > horizon(x) ? v3(0.93f, 0.90f, 0.78f) : sky_colour(x, y);
}

static void put_in_cells(void)
{
    for (int i = 0; i < columns * rows_of_cells; i++) {
        cells[i * (1 + MOST)] = 0;
    }
    for (int i = 0; i < n_stones; i++) {
        const int cx = (int)(stones[i].x / CELL), cy = (int)(stones[i].y / CELL);
        int *cell = cells + (cy * columns + cx) * (1 + MOST);
        if (cell[0] < MOST) {
            cell[++cell[0]] = i;
        }
    }
}

/* Nearest stones of a place, measured along their sides, as squares grow. */
static int nearest(float x, float y, float *out_d, float *out_next)
{
    const int cx = (int)(x / CELL), cy = (int)(y / CELL);
    int best = -1;
    *out_d = *out_next = 1e9f;
    for (int j = cy - 2; j <= cy + 2; j++) {
        for (int i = cx - 2; i <= cx + 2; i++) {
            if (i < 0 || j < 0 || i >= columns || j >= rows_of_cells) {
                continue;
            }
            const int *cell = cells + (j * columns + i) * (1 + MOST);
            for (int k = 1; k <= cell[0]; k++) {
                const stone *s = &stones[cell[k]];
                const float dx = x - s->x, dy = y - s->y;
                const float d = fmaxf(fabsf(dx * s->c + dy * s->s), fabsf(dy * s->c - dx * s->s));
                if (d < *out_d) {
                    *out_next = *out_d;
                    *out_d = d;
                    best = cell[k];
                } else if (d < *out_next) {
                    *out_next = d;
                }
            }
        }
    }
    return best;
}

static void align(const canvas *c, stone *s)
{
    const vec2 d = direction(s->x / (float)c->width, s->y / (float)c->width);
    s->c = d.x;
    s->s = d.y;
}

/* Every stone moves to the middle of the pixels that are nearest to it. */
static void settle(const canvas *c)
{
    put_in_cells();
    for (int y = 0; y < c->height; y++) {
        for (int x = 0; x < c->width; x++) {
            float d, next;
            const int i = nearest((float)x + 0.5f, (float)y + 0.5f, &d, &next);
            if (i >= 0) {
                stones[i].sum_x += (float)x + 0.5f;
                stones[i].sum_y += (float)y + 0.5f;
                stones[i].n++;
            }
        }
    }
    for (int i = 0; i < n_stones; i++) {
        stone *s = &stones[i];
        if (s->n > 0) {
            s->x = s->sum_x / (float)s->n;
            s->y = s->sum_y / (float)s->n;
        }
        s->sum_x = s->sum_y = 0;
        s->n = 0;
        align(c, s);
    }
}

static void colour_stones(const canvas *c)
{
    for (int i = 0; i < n_stones; i++) {
        stone *s = &stones[i];
        const vec3 colour = colour_of(s->x / (float)c->width, s->y / (float)c->width);
        const vec3 tint = v3(random2(i, 1) - 0.5f, random2(i, 2) - 0.5f, random2(i, 3) - 0.5f);
        s->colour = add(scale(colour, 0.80f + 0.34f * random2(i, 4)), scale(tint, 0.09f));
        s->tilt_x = 0.5f * (random2(i, 5) - 0.5f);
        s->tilt_y = 0.5f * (random2(i, 6) - 0.5f);
    }
}

/* A stone as light from the upper left finds it: tilted, with worn edges, in mortar that lies deeper. */
static vec3 surface(float x, float y)
{
    float d, next;
    const int i = nearest(x, y, &d, &next);
    const float gap = 0.5f * (next - d),
                wear = 0.30f * (noise2(0.55f * x, 0.55f * y, NULL, NULL) - 0.5f);
    const float grit = fbm2(0.7f * x, 0.7f * y, 3);
    const vec3 mortar = scale(v3(0.34f, 0.31f, 0.27f), 0.55f + 0.55f * grit);
    if (i < 0) {
        return mortar;
    }
    const stone *s = &stones[i];
    const float dx = x - s->x, dy = y - s->y, edge = smoothstep(2.1f, 0.7f, gap);
    const vec3 normal =
        normalize(v3(s->tilt_x + 0.11f * edge * dx, s->tilt_y + 0.11f * edge * dy, 1));
    const vec3 lamp = normalize(v3(-0.5f, -0.6f, 0.9f));
    const float light = dot(normal, lamp) / lamp.z,
                gloss = powf(clamp(dot(normal, normalize(v3(-0.22f, -0.28f, 1))), 0, 1), 60);
    const float vein =
        0.90f + 0.20f * fbm2(0.22f * x + 13 * s->tilt_x, 0.22f * y + 31 * s->tilt_y, 3);
    vec3 colour = scale(s->colour, (0.32f + 0.68f * light) * vein * (1 - 0.25f * edge));
    colour = add(colour, scale(v3(1, 0.97f, 0.9f), 0.16f * gloss));
    return mix3(mortar, colour, smoothstep(0.35f, 0.85f, gap + wear));
}

static void row(canvas *c, int y)
{
    for (int x = 0; x < c->width; x++) {
        vec3 sum = {0, 0, 0};
        for (int i = 0; i < 9; i++) {
            sum = add(sum, surface((float)x + ((float)(i % 3) + 0.5f) / 3,
                                   (float)y + ((float)(i / 3) + 0.5f) / 3));
        }
        *at(c, x, y) = scale(sum, 1.0f / 9);
    }
}

static rv_status set_stones(const canvas *c)
{
    columns = c->width / CELL + 1;
    rows_of_cells = c->height / CELL + 1;
    n_stones = c->width * c->height / (CELL * CELL);
    RV_TRY(rv_alloc(&stones, (size_t)n_stones, sizeof *stones, "stones"));
    RV_TRY(
        rv_alloc(&cells, (size_t)(columns * rows_of_cells * (1 + MOST)), sizeof *cells, "stones"));
    for (int i = 0; i < n_stones; i++) {
        stones[i].x = random2(i, 7) * ((float)c->width - 0.01f);
        stones[i].y = random2(i, 8) * ((float)c->height - 0.01f);
        align(c, &stones[i]);
    }
    for (int i = 0; i < ROUNDS; i++) {
        settle(c);
    }
    put_in_cells();
    colour_stones(c);
    return RV_OK;
}

rv_status render_mosaic(canvas *c)
{
    rv_status status = set_stones(c);
    if (status == RV_OK) {
        status = for_rows(c, row);
    }
    free(stones);
    free(cells);
    stones = NULL;
    cells = NULL;
    return status;
}
