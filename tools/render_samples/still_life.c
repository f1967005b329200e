/* still_life: fruit in a bowl, a bottle and a cloth in the light of a window, by marching distances. */
/* SPDX-License-Identifier: MIT */
#include "paint.h"

enum { SAMPLES = 4 }; /* a side of a pixel; each has its own point of the window and the lens */

/* Centimetres; the table is at height 0, the camera looks along z. */
typedef enum kind {
    TABLE,
    WALL,
    CLOTH,
    BOWL,
    APPLE,
    GREEN_APPLE,
    ORANGE,
    LEMON,
    PEAR,
    GRAPE,
    BOTTLE,
    CORK,
    STEM
} kind;

typedef struct hit {
    float d; /* distance to the nearest surface */
    kind what;
    vec3 local; /* place on the object, from its centre, turned with it */
} hit;

static const vec3 eye = {3, 25, -66}, aim = {0, 8.6f, 0};
static const vec3 window_centre = {-72, 62, -34}, window_side = {13, 0, -19},
                  window_up = {10, 17, 7};

static void nearer(hit *h, float d, kind what, vec3 local)
{
    if (d < h->d) {
        *h = (hit){d, what, local};
    }
}

/* p as seen from an object at `centre` that leans by `lean` to the right and `nod` towards the camera. */
static vec3 local_to(vec3 p, vec3 centre, float lean, float nod)
{
    const vec3 q = sub(p, centre);
    const float c = cosf(lean), s = sinf(lean), cn = cosf(nod), sn = sinf(nod);
    const float x = c * q.x - s * q.y, y = s * q.x + c * q.y;
    return v3(x, cn * y - sn * q.z, sn * y + cn * q.z);
}

static float smooth_min(float a, float b, float k)
{
    const float h = clamp(0.5f + 0.5f * (b - a) / k, 0, 1);
    return mix(b, a, h) - k * h * (1 - h);
}

static float capsule(vec3 p, vec3 a, vec3 b, float r)
{
    const vec3 pa = sub(p, a), ba = sub(b, a);
    const float t = clamp(dot(pa, ba) / dot(ba, ba), 0, 1);
    return length3(sub(pa, scale(ba, t))) - r;
}

/* A spindle torus, narrower below, gives the two dimples; five low ridges. */
static float apple(vec3 p, float size)
{
    const float taper = 1 + 0.13f * clamp(-p.y / size, -1, 1);
    const float turn = atan2f(p.z, p.x),
                ridge = 1 + 0.018f * sinf(5 * turn) * clamp(-p.y / size, 0, 1);
    const float r = sqrtf(p.x * p.x + p.z * p.z) * taper / ridge, a = 0.40f * size;
    const float dx = r - a, dy = p.y * 1.06f;
    return (sqrtf(dx * dx + dy * dy) - 0.66f * size) * 0.85f;
}

static void put_apple(hit *h, vec3 p, vec3 centre, float size, float lean, float nod, kind what)
{
    const vec3 q = local_to(p, centre, lean, nod);
    const float far = length3(q) - 1.35f * size;
    if (far > h->d) {
        return;
    }
    nearer(h, apple(q, size), what, scale(q, 1 / size));
    nearer(h,
           capsule(q, v3(0, 0.32f * size, 0), v3(0.14f * size, 0.95f * size, 0.05f * size), 0.13f),
           STEM, q);
}

static void put_lemon(hit *h, vec3 p, vec3 centre, float lean, float nod)
{
    const vec3 q = local_to(p, centre, lean, nod);
    const float r = sqrtf(q.x * q.x + q.z * q.z), y = fabsf(q.y);
    const float body = sqrtf(r * r * 1.0f + y * y * 0.62f) - 3.05f;
    const float tip = sqrtf(r * r + (y - 3.9f) * (y - 3.9f)) - 0.62f;
    nearer(h, smooth_min(body, tip, 1.1f) * 0.85f, LEMON, q);
}

static void put_pear(hit *h, vec3 p, vec3 centre, float lean, float nod)
{
    const vec3 q = local_to(p, centre, lean, nod);
    if (length3(q) - 10.5f > h->d) {
        return;
    }
    const float below = length3(q) - 4.1f, above = length3(sub(q, v3(0.25f, 5.1f, 0))) - 2.0f;
    nearer(h, smooth_min(below, above, 3.2f) * 0.9f, PEAR, q);
    nearer(h, capsule(q, v3(0.3f, 6.6f, 0), v3(1.1f, 9.0f, 0.3f), 0.17f), STEM, q);
}

/* A bunch: rows that grow shorter to its end. */
static void put_grapes(hit *h, vec3 p)
{
    static const vec3 start = {13.2f, 1.9f, -13.5f};
    static const int row_of[] = {4, 5, 4, 3, 2, 1};
    if (length3(sub(p, add(start, v3(5.2f, 1, 1)))) - 11 > h->d) {
        return;
    }
    for (int r = 0, n = 0; r < 6; r++) {
        for (int i = 0; i < row_of[r]; i++, n++) {
            const float across = ((float)i - 0.5f * (float)(row_of[r] - 1)) * 2.45f;
            const float dx = 0.5f * (random2(n, 3) - 0.5f), dy = 0.5f * random2(n, 4),
                        dz = 0.5f * (random2(n, 5) - 0.5f);
            const float size = 1.28f + 0.22f * random2(n, 6);
            const vec3 c = add(
                start, v3((float)r * 2.15f + dx, size - 1.9f + dy, across + dz + 0.3f * (float)r));
            nearer(h, length3(sub(p, c)) - size, GRAPE, sub(p, c));
            if (r < 4 && i + 1 < row_of[r]) { /* a second layer in the gaps */
                const vec3 up = add(c, v3(0.9f, 1.95f, 1.2f));
                nearer(h, length3(sub(p, up)) - 0.97f * size, GRAPE, sub(p, up));
            }
        }
    }
    nearer(h, capsule(p, add(start, v3(-2.6f, 2.4f, 0.4f)), add(start, v3(1.0f, 1.6f, 0)), 0.22f),
           STEM, p);
}

static void put_bowl(hit *h, vec3 p)
{
    static const vec3 centre = {-2.5f, 12.1f, 3};
    const vec3 q = sub(p, centre);
    const float r = sqrtf(q.x * q.x + q.z * q.z);
    if (sqrtf(r * r + q.y * q.y) - 14.5f > h->d) {
        return;
    }
    enum { RADIUS = 13 };
    const float cut = -3.4f, wide = sqrtf(RADIUS * RADIUS - cut * cut);
    const float y = q.y * 1.08f;
    float shell = cut * r < wide * y ? sqrtf((r - wide) * (r - wide) + (y - cut) * (y - cut))
                                     : fabsf(sqrtf(r * r + y * y) - RADIUS);
    shell -= 0.42f;
    const float dx = fabsf(r - 4.6f) - 0.35f, dy = fabsf(q.y + 11.9f) - 0.6f;
    const float foot = sqrtf(fmaxf(dx, 0) * fmaxf(dx, 0) + fmaxf(dy, 0) * fmaxf(dy, 0)) +
                       fminf(fmaxf(dx, dy), 0) - 0.15f;
    nearer(h, smooth_min(shell, foot, 0.5f) * 0.9f, BOWL, q);
}

static void put_bottle(hit *h, vec3 p)
{
    static const vec3 foot = {17.5f, 0, 9};
    const vec3 q = sub(p, foot);
    const float r = sqrtf(q.x * q.x + q.z * q.z);
    if (r - 5.2f > h->d) {
        return;
    }
    /* radius by height: body, shoulder, neck, lip */
    const float shoulder = smoothstep(17.5f, 23.5f, q.y);
    float radius = mix(4.3f, 1.35f, shoulder) +
                   0.28f * smoothstep(28.4f, 28.6f, q.y) * smoothstep(30.2f, 30.0f, q.y);
    radius -= 0.5f * smoothstep(0.9f, 0, q.y);
    const float side = (r - radius) * 0.72f, end = fmaxf(q.y - 30.6f, -q.y + 0.02f);
    const float d = fminf(fmaxf(side, end), 0) +
                    sqrtf(fmaxf(side, 0) * fmaxf(side, 0) + fmaxf(end, 0) * fmaxf(end, 0));
    nearer(h, d - 0.04f, BOTTLE, q);
    nearer(h, fmaxf(r - 0.95f, fabsf(q.y - 31.2f) - 1.1f) - 0.05f, CORK, q);
}

/* Height of the cloth above the table, negative beside it: folds that run from one corner, and a hem. */
static float cloth(float x, float z)
{
    const float edge_right = 9 + 1.6f * sinf(z * 0.21f) - 0.42f * z,
                edge_far = 4.5f + 1.3f * sinf(x * 0.27f + 1) + 0.15f * x;
    const float inside = fminf(edge_right - x, edge_far - z) * 0.8f;
    const float wander = 5 * (noise2(x * 0.06f + 2, z * 0.06f, NULL, NULL) - 0.5f);
    const float along = 0.62f * x + 0.78f * z + wander, across = 0.78f * x - 0.62f * z + wander;
    const float fold = powf(0.5f + 0.5f * sinf(0.42f * along + 1.1f), 3.0f),
                fold2 = powf(0.5f + 0.5f * sinf(0.23f * across + 0.2f), 5.0f);
    const float loose = smoothstep(0, 6, inside) * (0.35f + 0.65f * smoothstep(-26, -6, z));
    const float under_bowl = smoothstep(6, 13, sqrtf((x + 2.5f) * (x + 2.5f) + (z - 3) * (z - 3)));
    const float pear = smoothstep(2.5f, 7, sqrtf((x + 17) * (x + 17) + (z + 8) * (z + 8)));
    const float height =
        0.28f + loose * under_bowl * pear *
                    (1.7f * fold + 1.3f * fold2 + 0.5f * noise2(x * 0.3f, z * 0.3f, NULL, NULL));
    return inside < 0 ? 0.28f + 2.0f * inside : fminf(height, 0.28f + 0.9f * inside);
}

static hit scene(vec3 p)
{
    hit h = {p.y, TABLE, p};
    nearer(&h, 46 - p.z, WALL, p);
    if (p.y < 4.5f && p.x < 26 && p.z < 12) {
        nearer(&h, (p.y - cloth(p.x, p.z)) * 0.55f, CLOTH, p);
    } else {
        h.d = fminf(h.d, p.y - 4.4f + 0.2f > 0 ? fmaxf(p.y - 4.2f, 0.3f) : h.d);
    }
    put_bowl(&h, p);
    if (length3(sub(p, v3(-2.5f, 12, 3))) - 14 < h.d) {
        put_apple(&h, p, v3(-7.4f, 10.3f, -0.4f), 4.6f, 0.35f, -0.35f, APPLE);
        put_apple(&h, p, v3(0.6f, 11.6f, 7.4f), 4.5f, -0.2f, 0.2f, GREEN_APPLE);
        nearer(&h, length3(sub(p, v3(1.4f, 9.7f, -2.6f))) - 4.3f, ORANGE,
               sub(p, v3(1.4f, 9.7f, -2.6f)));
        nearer(&h, length3(sub(p, v3(-6.3f, 10.2f, 8.2f))) - 4.2f, ORANGE,
               sub(p, v3(-6.3f, 10.2f, 8.2f)));
        put_lemon(&h, p, v3(6.2f, 11.0f, 3.4f), 1.1f, 0.5f);
    }
    put_bottle(&h, p);
    put_pear(&h, p, v3(-17, 4.25f, -8), 0.12f, 0.12f);
    put_apple(&h, p, v3(21.5f, 3.55f, -5), 4.5f, -0.25f, -0.5f, APPLE);
    put_lemon(&h, p, v3(-4.6f, 3.35f, -16.5f), 1.42f, 0.55f);
    nearer(&h, length3(sub(p, v3(-25.5f, 4.2f, 4))) - 4.2f, ORANGE, sub(p, v3(-25.5f, 4.2f, 4)));
    put_grapes(&h, p);
    return h;
}

static bool march(hit *out, vec3 *out_p, vec3 from, vec3 along, float far)
{
    float t = 0.02f;
    for (int i = 0; i < 160 && t < far; i++) {
        const vec3 p = add(from, scale(along, t));
        const hit h = scene(p);
        if (h.d < 0.0008f * (t + 5)) {
            *out = h;
            *out_p = p;
            return true;
        }
        t += 0.92f * h.d;
    }
    return false;
}

static bool in_shadow(vec3 from, vec3 to)
{
    const vec3 path = sub(to, from);
    const float far = length3(path);
    const vec3 along = scale(path, 1 / far);
    for (float t = 0.05f; t < far && t < 75;) {
        const float d = scene(add(from, scale(along, t))).d;
        if (d < 0.002f) {
            return true;
        }
        t += d > 0.04f ? d : 0.04f;
    }
    return false;
}

static vec3 normal_at(vec3 p)
{
    const float e = 0.012f;
    static const float corner[4][3] = {{1, -1, -1}, {-1, -1, 1}, {-1, 1, -1}, {1, 1, 1}};
    vec3 n = {0, 0, 0};
    for (int i = 0; i < 4; i++) {
        const vec3 k = v3(corner[i][0], corner[i][1], corner[i][2]);
        n = add(n, scale(k, scene(add(p, scale(k, e))).d));
    }
    return normalize(n);
}

static float openness(vec3 p, vec3 n)
{
    float closed = 0, weight = 0.36f;
    for (int i = 1; i <= 5; i++) {
        const float reach = 0.15f + 0.62f * (float)(i * i) / 4;
        closed += weight * clamp(reach - scene(add(p, scale(n, reach))).d, 0, reach) / reach;
        weight *= 0.72f;
    }
    return clamp(1 - 0.95f * closed, 0, 1);
}

typedef struct matter {
    vec3 colour;
    float gloss;   /* share of mirror at right angles */
    float rough;   /* of highlights, 0 to 1 */
    float bump;    /* of the normal */
    float through; /* light that comes out on the far side */
} matter;

static vec3 wood(vec3 p)
{
    const float plank = floorf((p.x + 60) / 13), shift = 37 * random2((int)plank, 2);
    const float bend = 1.6f * fbm2(p.x * 0.05f, p.z * 0.016f + shift, 3);
    const float grain = noise2((p.x + 6 * bend) * 0.9f + shift, (p.z + shift) * 0.035f, NULL, NULL);
    const float fibre = noise2(p.x * 7 + shift, p.z * 0.22f, NULL, NULL);
    const float ring = 0.5f + 0.5f * sinf(9 * grain + 5 * bend);
    vec3 c = mix3(v3(0.105f, 0.045f, 0.018f), v3(0.30f, 0.155f, 0.065f),
                  0.25f + 0.55f * ring * (0.6f + 0.4f * fibre));
    const float seam = fabsf((p.x + 60) / 13 - plank - 0.5f);
    return scale(c, (0.85f + 0.3f * random2((int)plank, 9)) *
                        mix(1, 0.25f, smoothstep(0.485f, 0.497f, seam)));
}

static vec3 woven(vec3 p)
{
    const float across = 0.94f * p.x + 0.34f * p.z;
    const float stripe = fabsf(across - 9 * floorf(across / 9 + 0.5f));
    const float thread = 0.93f + 0.07f * sinf(11 * p.x) * sinf(11 * p.z);
    const vec3 white = v3(0.74f, 0.70f, 0.62f), blue = v3(0.055f, 0.115f, 0.29f);
    const float inked =
        smoothstep(1.05f, 0.95f, stripe) + smoothstep(0.16f, 0.1f, fabsf(stripe - 1.6f));
    return scale(mix3(white, blue, clamp(0.92f * inked, 0, 1)), thread);
}

static vec3 apple_skin(vec3 q, bool green)
{
    const float turn = atan2f(q.z, q.x), streak = noise2(9 * turn, 2.2f * q.y + 8, NULL, NULL),
                fine = noise2(30 * turn, 3 * q.y, NULL, NULL);
    const float sunny = fbm2(1.4f * turn + 3, 1.2f * q.y + 6, 3);
    const vec3 red = mix3(v3(0.40f, 0.018f, 0.016f), v3(0.62f, 0.10f, 0.030f), streak),
               yellow = v3(0.70f, 0.46f, 0.085f);
    const vec3 lime = mix3(v3(0.30f, 0.42f, 0.05f), v3(0.52f, 0.55f, 0.12f), streak);
    vec3 c = green
                 ? mix3(lime, v3(0.55f, 0.16f, 0.06f), 0.35f * smoothstep(0.50f, 0.65f, sunny))
                 : mix3(red, yellow, smoothstep(0.42f, 0.68f, 0.6f * sunny + 0.4f * fine) * 0.55f);
    const float cavity =
        smoothstep(0.30f, 0.06f, sqrtf(q.x * q.x + q.z * q.z)) * (q.y > 0 ? 1.0f : 0.6f);
    c = mix3(c, v3(0.33f, 0.28f, 0.08f), 0.7f * cavity);
    const float speck = noise2(34 * turn, 30 * q.y, NULL, NULL);
    return mix3(c, v3(0.72f, 0.55f, 0.28f), 0.5f * smoothstep(0.80f, 0.92f, speck));
}

static matter bowl_glaze(vec3 q)
{
    const float turn = atan2f(q.z, q.x), r = sqrtf(q.x * q.x + q.y * q.y + q.z * q.z);
    vec3 c = v3(0.70f, 0.67f, 0.58f);
    const vec3 blue = v3(0.030f, 0.075f, 0.26f);
    if (r > 12.4f) { /* outside: bands, and a row of petals */
        const float band = smoothstep(0.34f, 0.26f, fabsf(q.y + 4.6f)) +
                           smoothstep(0.16f, 0.10f, fabsf(q.y + 5.4f)) +
                           smoothstep(0.3f, 0.22f, fabsf(q.y + 10.4f));
        const float petal = fabsf(sinf(9 * turn)) * 2.3f - fabsf(q.y + 7.9f) * 1.3f;
        const float vein = smoothstep(0.0f, 0.15f, petal) * smoothstep(0.62f, 0.5f, petal);
        c = mix3(c, blue,
                 clamp(band + vein, 0, 1) * (0.8f + 0.2f * noise2(6 * turn, 3 * q.y, NULL, NULL)));
    }
    const float rust = smoothstep(0.62f, 0.8f, fbm2(12 * turn, 2 * q.y + 3, 3)) * 0.3f;
    return (matter){mix3(c, v3(0.42f, 0.30f, 0.18f), rust), 0.05f, 0.06f, 0.004f, 0};
}

static matter plaster(vec3 q)
{
    const float stain = fbm2(q.x * 0.03f + 4, q.y * 0.03f, 5),
                fine = fbm2(q.x * 0.6f, q.y * 0.6f, 3);
    return (matter){scale(mix3(v3(0.20f, 0.175f, 0.135f), v3(0.30f, 0.27f, 0.215f), stain),
                          0.85f + 0.3f * fine),
                    0, 1, 0.06f, 0};
}

static matter orange_peel(vec3 q)
{
    return (matter){
        scale(mix3(v3(0.78f, 0.25f, 0.012f), v3(0.82f, 0.34f, 0.03f), fbm3(scale(q, 0.5f), 3)),
              0.95f),
        0.035f, 0.26f, 0.09f, 0.06f};
}

static matter lemon_peel(vec3 q)
{
    return (matter){
        mix3(v3(0.80f, 0.58f, 0.035f), v3(0.72f, 0.60f, 0.09f), fbm3(scale(q, 0.6f), 3)), 0.035f,
        0.24f, 0.06f, 0.08f};
}

static matter pear_skin(vec3 q)
{
    const float blush = smoothstep(0.45f, 0.62f, fbm3(scale(q, 0.16f), 3) + 0.03f * q.x),
                speck = noise3(scale(q, 4.5f));
    const vec3 c = mix3(v3(0.52f, 0.50f, 0.095f), v3(0.62f, 0.26f, 0.07f), 0.65f * blush);
    return (matter){mix3(c, v3(0.20f, 0.13f, 0.04f), 0.65f * smoothstep(0.74f, 0.86f, speck)),
                    0.03f, 0.30f, 0.015f, 0.05f};
}

static matter grape_skin(vec3 q)
{
    const float bloom = smoothstep(0.42f, 0.66f, fbm3(scale(q, 1.1f), 3));
    return (matter){mix3(v3(0.055f, 0.010f, 0.045f), v3(0.17f, 0.15f, 0.24f), 0.55f * bloom),
                    0.045f, 0.08f + 0.4f * bloom, 0.004f, 0.25f};
}

/* Dark glass, and a label with two rules and a line that could be writing. */
static matter bottle_glass(vec3 q)
{
    const bool label = q.y > 5.2f && q.y < 13.6f && fabsf(atan2f(q.x + 0.6f, -q.z)) < 1.15f;
    const bool rule =
        label && (fabsf(q.y - 12.6f) < 0.13f || fabsf(q.y - 6.2f) < 0.13f ||
                  (fabsf(q.y - 9.9f) < 1.0f &&
                   noise2(q.x * 2.3f + 9, floorf(q.y * 1.1f) * 3, NULL, NULL) > 0.52f &&
                   fabsf(q.y * 1.1f - floorf(q.y * 1.1f) - 0.5f) < 0.22f));
    if (label) {
        return (matter){rule ? v3(0.16f, 0.09f, 0.05f) : v3(0.62f, 0.55f, 0.41f), 0.01f, 0.6f,
                        0.01f, 0};
    }
    return (matter){v3(0.008f, 0.024f, 0.010f), 0.06f, 0.03f, 0, 0.5f};
}

static matter matter_of(const hit *h)
{
    const vec3 q = h->local;
    switch (h->what) {
    case TABLE:
        return (matter){wood(q), 0.030f, 0.30f, 0.02f, 0};
    case WALL:
        return plaster(q);
    case CLOTH:
        return (matter){woven(q), 0, 1, 0.05f, 0.15f};
    case BOWL:
        return bowl_glaze(q);
    case APPLE:
    case GREEN_APPLE:
        return (matter){apple_skin(q, h->what == GREEN_APPLE), 0.04f, 0.16f, 0.008f, 0.03f};
    case ORANGE:
        return orange_peel(q);
    case LEMON:
        return lemon_peel(q);
    case PEAR:
        return pear_skin(q);
    case GRAPE:
        return grape_skin(q);
    case BOTTLE:
        return bottle_glass(q);
    case CORK:
        return (matter){mix3(v3(0.30f, 0.17f, 0.08f), v3(0.48f, 0.31f, 0.17f), noise3(scale(q, 5))),
                        0, 1, 0.05f, 0};
    default:
        return (matter){v3(0.12f, 0.075f, 0.030f), 0.01f, 0.5f, 0.05f, 0};
    }
}

/* What a mirror sees where nothing stands: the room, and the window with its bars. */
static vec3 room(vec3 from, vec3 along)
{
    const vec3 facing = normalize(cross(window_side, window_up));
    const float slope = dot(along, facing);
    if (fabsf(slope) > 1e-4f) {
        const float t = dot(sub(window_centre, from), facing) / slope;
        const vec3 q = sub(add(from, scale(along, t)), window_centre);
        const float u = dot(q, window_side) / dot(window_side, window_side),
                    v = dot(q, window_up) / dot(window_up, window_up);
        if (t > 0 && fabsf(u) < 1 && fabsf(v) < 1 && fabsf(u) > 0.06f &&
            fabsf(fabsf(v) - 0.34f) > 0.05f) {
            return v3(15, 14.2f, 13);
        }
    }
    const vec3 wall =
        mix3(v3(0.16f, 0.13f, 0.10f), v3(0.34f, 0.33f, 0.32f), smoothstep(-0.2f, 0.9f, along.y));
    return scale(wall, 0.55f + 0.45f * clamp(-along.x, 0, 1));
}

static vec3 diffuse(vec3 p, vec3 n, const matter *m, vec3 lamp)
{
    const vec3 path = sub(lamp, p);
    const float far = length3(path), facing = dot(n, path) / far;
    const float wrapped = clamp((facing + m->through) / (1 + m->through), 0, 1);
    float direct = 0;
    if (wrapped > 0 && !in_shadow(add(p, scale(n, 0.05f)), lamp)) {
        direct = wrapped * 15500 / (far * far);
    } else if (m->through > 0.1f) {
        direct = 0.1f * m->through * 15500 / (far * far);
    }
    const float open = openness(p, n);
    const vec3 above = scale(v3(0.30f, 0.31f, 0.35f), 0.55f + 0.45f * n.y),
               left = scale(v3(0.30f, 0.28f, 0.25f), clamp(-n.x, 0, 1));
    const vec3 below = scale(v3(0.22f, 0.15f, 0.10f), clamp(0.4f - 0.6f * n.y, 0, 1));
    const vec3 around = scale(add(add(above, left), below), open * (0.35f + 0.65f * open));
    return mul(m->colour, add(scale(v3(1, 0.93f, 0.82f), direct), around));
}

static vec3 bumped(vec3 n, const hit *h, float bump)
{
    if (bump <= 0) {
        return n;
    }
    const float k = h->what == ORANGE || h->what == LEMON ? 3.4f : 2.2f, e = 0.05f;
    const vec3 q = scale(h->local, k);
    const float here = noise3(q);
    const vec3 slope = v3(noise3(add(q, v3(e, 0, 0))) - here, noise3(add(q, v3(0, e, 0))) - here,
                          noise3(add(q, v3(0, 0, e))) - here);
    return normalize(sub(n, scale(slope, bump / e)));
}

static vec3 trace(vec3 from, vec3 along, vec3 lamp, float r1, float r2)
{
    hit h;
    vec3 p;
    if (!march(&h, &p, from, along, 240)) {
        return room(from, along);
    }
    const matter m = matter_of(&h);
    const vec3 flat = normal_at(p), n = bumped(flat, &h, m.bump);
    vec3 light = diffuse(p, n, &m, lamp);
    if (m.gloss > 0) {
        const float cosine = clamp(-dot(n, along), 0, 1),
                    fresnel = m.gloss + (1 - m.gloss) * powf(1 - cosine, 5) * (1 - m.rough);
        const vec3 blur =
            scale(v3(r1 - 0.5f, r2 - 0.5f, random2((int)(r1 * 9999), (int)(r2 * 9999)) - 0.5f),
                  1.1f * m.rough * m.rough + 0.02f * m.rough);
        const vec3 away = normalize(add(sub(along, scale(n, 2 * dot(along, n))), blur));
        hit other;
        vec3 q;
        vec3 seen = room(p, away);
        if (dot(away, flat) > 0 && march(&other, &q, add(p, scale(flat, 0.06f)), away, 90)) {
            const matter second = matter_of(&other);
            seen = diffuse(q, normal_at(q), &second, lamp);
        }
        light = add(light, scale(seen, fresnel));
    }
    return light;
}

typedef struct camera {
    vec3 forward, right, up;
} camera;

static camera make_camera(void)
{
    const vec3 forward = normalize(sub(aim, eye)), right = normalize(cross(v3(0, 1, 0), forward));
    return (camera){forward, right, cross(forward, right)};
}

/* Light of sample i of a pixel: its places in the pixel, on the window and on the lens are each spread evenly over
 * the samples of the pixel. */
static vec3 sample(const camera *view, const canvas *c, int x, int y, int i)
{
    const int n = SAMPLES * SAMPLES, id = (y * c->width + x) * n;
    const int turn = (int)(random2(id, 1) * (float)n), other = (i * 7 + turn) % n,
              third = (i * 11 + 3 + turn) % n;
    const float u = ((float)(i % SAMPLES) + random2(id + i, 2)) / SAMPLES,
                v = ((float)(i / SAMPLES) + random2(id + i, 3)) / SAMPLES;
    const float wu = 2 * ((float)(other % SAMPLES) + random2(id + i, 4)) / SAMPLES - 1,
                wv = 2 * ((float)(other / SAMPLES) + random2(id + i, 5)) / SAMPLES - 1;
    const float r1 = ((float)(third % SAMPLES) + random2(id + i, 6)) / SAMPLES,
                r2 = ((float)(third / SAMPLES) + random2(id + i, 7)) / SAMPLES;
    const float h = (float)c->height, px = (2 * ((float)x + u) - (float)c->width) / h,
                py = (h - 2 * ((float)y + v)) / h;
    const vec3 to = normalize(
        add(scale(view->forward, 3.05f), add(scale(view->right, px), scale(view->up, py))));
    const float angle = 6.2831853f * r1, lens = 0.42f * sqrtf(r2);
    const vec3 from =
        add(eye, add(scale(view->right, lens * cosf(angle)), scale(view->up, lens * sinf(angle))));
    const float focus = length3(sub(aim, eye)) - 4;
    const vec3 sharp = add(eye, scale(to, focus / dot(to, view->forward)));
    const vec3 lamp = add(window_centre, add(scale(window_side, wu), scale(window_up, wv)));
    return film(trace(from, normalize(sub(sharp, from)), lamp, r1, r2));
}

static void row(canvas *c, int y)
{
    const camera view = make_camera();
    for (int x = 0; x < c->width; x++) {
        vec3 sum = {0, 0, 0};
        for (int i = 0; i < SAMPLES * SAMPLES; i++) {
            sum = add(sum, sample(&view, c, x, y, i));
        }
        const float dx = (float)x / (float)c->width - 0.5f, dy = (float)y / (float)c->height - 0.5f;
        *at(c, x, y) = scale(sum, (1 - 0.45f * (dx * dx + dy * dy)) / (SAMPLES * SAMPLES));
    }
}

rv_status render_still_life(canvas *c)
{
    return for_rows(c, row);
}
