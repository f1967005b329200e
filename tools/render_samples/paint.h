/* Vectors, noise and a canvas for the programs that render the sample pictures. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_TOOLS_PAINT_H
#define RV_TOOLS_PAINT_H

#include <math.h>
#include <reverie/image.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct vec2 {
    float x, y;
} vec2;

typedef struct vec3 {
    float x, y, z;
} vec3;

static inline vec3 v3(float x, float y, float z)
{
    return (vec3){x, y, z};
}

static inline vec3 add(vec3 a, vec3 b)
{
    return v3(a.x + b.x, a.y + b.y, a.z + b.z);
}

static inline vec3 sub(vec3 a, vec3 b)
{
    return v3(a.x - b.x, a.y - b.y, a.z - b.z);
}

static inline vec3 mul(vec3 a, vec3 b)
{
    return v3(a.x * b.x, a.y * b.y, a.z * b.z);
}

static inline vec3 scale(vec3 a, float s)
{
    return v3(a.x * s, a.y * s, a.z * s);
}

static inline float dot(vec3 a, vec3 b)
{
    return a.x * b.x + a.y * b.y + a.z * b.z;
}

static inline vec3 cross(vec3 a, vec3 b)
{
    return v3(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x);
}

static inline float length3(vec3 a)
{
    return sqrtf(dot(a, a));
}

static inline vec3 normalize(vec3 a)
{
    return scale(a, 1 / length3(a));
}

static inline float mix(float a, float b, float t)
{
    return a + (b - a) * t;
}

static inline vec3 mix3(vec3 a, vec3 b, float t)
{
    return add(a, scale(sub(b, a), t));
}

static inline float clamp(float v, float low, float high)
{
    return v < low ? low : v > high ? high : v;
}

static inline float smoothstep(float from, float to, float v)
{
    const float t = clamp((v - from) / (to - from), 0, 1);
    return t * t * (3 - 2 * t);
}

/** Well mixed bits of two whole numbers. */
static inline uint32_t hash(uint32_t x, uint32_t y)
{
    uint32_t h = x * 0x9E3779B1u ^ (y + 0x7F4A7C15u) * 0x85EBCA77u;
    h = (h ^ h >> 15) * 0x2C1B3C6Du;
    h = (h ^ h >> 12) * 0x297A2D39u;
    return h ^ h >> 15;
}

/** 0 to 1. */
static inline float random2(int x, int y)
{
    return (float)(hash((uint32_t)x, (uint32_t)y) >> 8) * (1.0f / 16777216);
}

/** Smooth value noise, 0 to 1, with its slopes. */
float noise2(float x, float y, float *out_dx, float *out_dy);
float noise3(vec3 p);
/** Sum of octaves of value noise, each of half the size and amplitude, turned against the last; about 0 to 1. */
float fbm2(float x, float y, int octaves);
float fbm3(vec3 p, int octaves);

/** Linear light that film would have kept, as sRGB values 0 to 1. */
vec3 film(vec3 light);

typedef struct canvas {
    int width, height;
    vec3 *pixels; /* [height, width] sRGB values, 0 to 1 */
} canvas;

static inline vec3 *at(canvas *c, int x, int y)
{
    return &c->pixels[y * c->width + x];
}

/** Runs row(payload, y) for all rows, in parallel; what it writes must depend on y alone. */
rv_status for_rows(canvas *c, void (*row)(canvas *c, int y));

/* The pictures. Each fills a canvas of its own size. */
rv_status render_landscape(canvas *c);
rv_status render_still_life(canvas *c);
rv_status render_brush(canvas *c);
rv_status render_woodcut(canvas *c);
rv_status render_mosaic(canvas *c);

#endif
