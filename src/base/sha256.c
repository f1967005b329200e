/* SHA-256 as FIPS 180-4 has it. */
/* SPDX-License-Identifier: MIT */
#include "base/sha256.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

/* The fractional parts of the cube roots of the first 64 primes. */
static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

static void schedule(uint32_t w[64], const uint8_t *p)
{
    for (int i = 0; i < 16; i++, p += 4) {
        w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    }
    for (int i = 16; i < 64; i++) {
        const uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[i - 7] +
               (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
    }
}

/* Round i, with the variable that the standard calls a at s[-i mod 8], and so on: none moves. */
static void turn(uint32_t s[8], int i, uint32_t word)
{
    const uint32_t a = s[-i & 7], b = s[(1 - i) & 7], c = s[(2 - i) & 7];
    const uint32_t e = s[(4 - i) & 7], f = s[(5 - i) & 7], g = s[(6 - i) & 7];
    const uint32_t first = s[(7 - i) & 7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
                           ((e & f) ^ (~e & g)) + word;
    s[(3 - i) & 7] += first;
    s[(7 - i) & 7] =
        first + (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
}

static void mix(uint32_t state[8], const uint8_t block[64])
{
    uint32_t w[64], s[8];
    schedule(w, block);
    memcpy(s, state, sizeof s);
    for (int i = 0; i < 64; i += 8) { /* eight at a time, so that indices are known */
        turn(s, 0, constants[i] + w[i]);
        turn(s, 1, constants[i + 1] + w[i + 1]);
        turn(s, 2, constants[i + 2] + w[i + 2]);
        turn(s, 3, constants[i + 3] + w[i + 3]);
        turn(s, 4, constants[i + 4] + w[i + 4]);
        turn(s, 5, constants[i + 5] + w[i + 5]);
        turn(s, 6, constants[i + 6] + w[i + 6]);
        turn(s, 7, constants[i + 7] + w[i + 7]);
    }
    for (int i = 0; i < 8; i++) {
        state[i] += s[i];
    }
}

/* --- by instructions of the processor -------------------------------------------------------- */

#if defined(__x86_64__)
static bool has_instructions(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & bit_SSSE3) == 0 || (c & bit_SSE4_1) == 0) {
        return false;
    }
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA) != 0;
}

/* The instructions take the variables as a, b, e, f and c, d, g, h, from the last lane on. Two rounds each; words of the
 * schedule come four at a time. */
__attribute__((target("sha,sse4.1,ssse3"))) static void
mix_by_instructions(uint32_t state[8], const uint8_t *p, size_t blocks)
{
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    const __m128i low = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xB1);
    const __m128i high = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1B);
    __m128i abef = _mm_alignr_epi8(low, high, 8), cdgh = _mm_blend_epi16(high, low, 0xF0);
    for (; blocks > 0; blocks--, p += 64) {
        const __m128i abef_before = abef, cdgh_before = cdgh;
        __m128i w[4];
        for (int i = 0; i < 4; i++) {
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)p + i), big_endian);
        }
        for (int i = 0; i < 16; i++) {
            const __m128i k = _mm_loadu_si128((const __m128i *)constants + i);
            const __m128i words = _mm_add_epi32(w[i % 4], k);
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, words);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(words, 0x0E));
            const __m128i middle = _mm_alignr_epi8(w[(i + 3) % 4], w[(i + 2) % 4], 4);
            const __m128i sum =
                _mm_add_epi32(_mm_sha256msg1_epu32(w[i % 4], w[(i + 1) % 4]), middle);
            w[i % 4] = _mm_sha256msg2_epu32(sum, w[(i + 3) % 4]);
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    const __m128i feba = _mm_shuffle_epi32(abef, 0x1B), dchg = _mm_shuffle_epi32(cdgh, 0xB1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xF0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}
#endif

static void mix_blocks(uint32_t state[8], const uint8_t *p, size_t blocks)
{
#if defined(__x86_64__)
    if (has_instructions()) {
        mix_by_instructions(state, p, blocks);
        return;
    }
#endif
    for (; blocks > 0; blocks--, p += 64) {
        mix(state, p);
    }
}

/* --------------------------------------------------------------------------------------------- */

void rv_sha256_init(rv_sha256 *sha)
{
    /* The fractional parts of the square roots of the first 8 primes. */
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    *sha = (rv_sha256){.bytes = 0};
    memcpy(sha->state, start, sizeof start);
}

void rv_sha256_add(rv_sha256 *sha, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    while (n > 0) {
        const size_t used = sha->bytes % 64, room = 64 - used;
        const size_t part = used == 0 && n >= 64 ? n / 64 * 64 : n < room ? n : room;
        if (part >= 64) {
            mix_blocks(sha->state, p, part / 64);
        } else {
            memcpy(sha->block + used, p, part);
            if (part == room) {
                mix_blocks(sha->state, sha->block, 1);
            }
        }
        sha->bytes += part;
        p += part;
        n -= part;
    }
}

void rv_sha256_finish(rv_sha256 *sha, char out[RV_SHA256_TEXT])
{
    static const uint8_t padding[64] = {0x80};
    const uint64_t bits = sha->bytes * 8;
    const size_t used = sha->bytes % 64;
    uint8_t length[8];
    for (int i = 0; i < 8; i++) {
        length[i] = (uint8_t)(bits >> (56 - 8 * i));
    }
    rv_sha256_add(sha, padding, used < 56 ? 56 - used : 120 - used);
    rv_sha256_add(sha, length, sizeof length);
    for (int i = 0; i < 8; i++) {
        snprintf(out + (size_t)(8 * i), 9, "%08x", (unsigned)sha->state[i]);
    }
}
