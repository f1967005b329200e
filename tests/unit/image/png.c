/* PNG: every depth and colour type comes back sample by sample; damage is named. */
/* SPDX-License-Identifier: MIT */
#include "base/system.h"
#include "make.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WIDTH = 19, HEIGHT = 13, MOST = WIDTH * HEIGHT * 8 };

/* Sample c of pixel (x, y) with `depth` bits: all values of small depths, bytes that differ of large ones. */
static int value(int x, int y, int c, int depth)
{
    const unsigned mixed = (unsigned)(x * 2654435 + y * 40503 + c * 7919) * 2654435761u;
    return (int)(mixed >> 16 & ((1u << depth) - 1));
}

static int samples_of(int colour_type)
{
    return colour_type == PNG_COLOR_TYPE_RGB          ? 3
           : colour_type == PNG_COLOR_TYPE_RGB_ALPHA  ? 4
           : colour_type == PNG_COLOR_TYPE_GRAY_ALPHA ? 2
                                                      : 1;
}

/* Rows of packed samples, big endian. */
static uint8_t *pack(int colour_type, int depth)
{
    static uint8_t rows[MOST];
    memset(rows, 0, sizeof rows);
    const int n = samples_of(colour_type);
    const size_t row_bytes = (size_t)(WIDTH * n * depth + 7) / 8;
    for (int y = 0; y < HEIGHT; y++) {
        uint8_t *row = rows + (size_t)y * row_bytes;
        for (int i = 0; i < WIDTH * n; i++) {
            const int v = value(i / n, y, i % n, depth);
            if (depth == 16) {
                row[2 * i] = (uint8_t)(v >> 8);
                row[2 * i + 1] = (uint8_t)v;
            } else {
                row[i * depth / 8] |= (uint8_t)(v << (8 - depth - i * depth % 8));
            }
        }
    }
    return rows;
}

static png_spec spec_of(int colour_type, int depth)
{
    return (png_spec){.width = WIDTH,
                      .height = HEIGHT,
                      .colour_type = colour_type,
                      .depth = depth,
                      .rows = pack(colour_type, depth)};
}

static png_color palette_colour(int i)
{
    return (png_color){(uint8_t)(i * 7), (uint8_t)(255 - i), (uint8_t)(i * i)};
}

typedef struct transparency {
    int depth;    /* of a palette, 0: none */
    int n_alpha;  /* palette entries that have one */
    bool has_key; /* the colour of pixel (2, 3) is transparent */
    png_color_16 key;
} transparency;

static int alpha_of(int i)
{
    return (i * 37 + 5) % 256;
}

static void add_palette(png_structp png, png_infop info, void *data)
{
    const transparency *t = data;
    if (t->depth != 0) {
        png_color colours[256];
        for (int i = 0; i < 1 << t->depth; i++) {
            colours[i] = palette_colour(i);
        }
        png_set_PLTE(png, info, colours, 1 << t->depth);
    }
    uint8_t alpha[256];
    for (int i = 0; i < t->n_alpha; i++) {
        alpha[i] = (uint8_t)alpha_of(i);
    }
    if (t->n_alpha > 0 || t->has_key) {
        png_set_tRNS(png, info, alpha, t->n_alpha, &t->key);
    }
}

static rv_image *read_back(png_spec *spec, int channels, int bits)
{
    rv_image *image = read_image(make_png("a.png", spec));
    cr_assert_eq(rv_image_width(image), WIDTH);
    cr_assert_eq(rv_image_height(image), HEIGHT);
    cr_assert_eq(rv_image_channels(image), channels);
    cr_assert_eq(rv_image_bits(image), bits);
    return image;
}

static void check(png_spec *spec, bool key)
{
    const int n = samples_of(spec->colour_type), depth = spec->depth;
    const int bits = depth == 16 ? 16 : 8, largest = (1 << bits) - 1;
    const bool alpha = n == 2 || n == 4 || key;
    rv_image *image = read_back(spec, alpha ? 4 : 3, bits);
    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
            bool same = true;
            for (int c = 0; c < 3; c++) {
                const int v = value(x, y, n < 3 ? 0 : c, depth);
                same = same && v == value(2, 3, n < 3 ? 0 : c, depth);
                cr_assert_eq(sample(image, x, y, c), v * (largest / ((1 << depth) - 1)));
            }
            if (key) {
                cr_assert_eq(sample(image, x, y, 3), same ? 0 : largest);
            } else if (alpha) {
                cr_assert_eq(sample(image, x, y, 3), value(x, y, n - 1, depth));
            }
        }
    }
    rv_image_destroy(image);
}

Test(png, every_depth_and_colour_type_plain_and_interlaced)
{
    static const int kinds[][2] = {
        {PNG_COLOR_TYPE_GRAY, 1},        {PNG_COLOR_TYPE_GRAY, 2},
        {PNG_COLOR_TYPE_GRAY, 4},        {PNG_COLOR_TYPE_GRAY, 8},
        {PNG_COLOR_TYPE_GRAY, 16},       {PNG_COLOR_TYPE_RGB, 8},
        {PNG_COLOR_TYPE_RGB, 16},        {PNG_COLOR_TYPE_GRAY_ALPHA, 8},
        {PNG_COLOR_TYPE_GRAY_ALPHA, 16}, {PNG_COLOR_TYPE_RGB_ALPHA, 8},
        {PNG_COLOR_TYPE_RGB_ALPHA, 16},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        for (int interlaced = 0; interlaced < 2; interlaced++) {
            png_spec spec = spec_of(kinds[i][0], kinds[i][1]);
            spec.interlaced = interlaced;
            check(&spec, false);
            if (samples_of(kinds[i][0]) % 2 == 1) { /* one colour transparent */
                transparency t = {.has_key = true};
                t.key.gray = t.key.red = (png_uint_16)value(2, 3, 0, kinds[i][1]);
                t.key.green = (png_uint_16)value(2, 3, 1, kinds[i][1]);
                t.key.blue = (png_uint_16)value(2, 3, 2, kinds[i][1]);
                spec.chunks = add_palette;
                spec.data = &t;
                check(&spec, true);
            }
        }
    }
}

Test(png, palettes_with_and_without_transparency)
{
    for (int depth = 1; depth <= 8; depth *= 2) {
        for (int part = 0; part < 3; part++) { /* no alpha, for half of the entries, for all */
            for (int interlaced = 0; interlaced < 2; interlaced++) {
                png_spec spec = spec_of(PNG_COLOR_TYPE_PALETTE, depth);
                transparency t = {.depth = depth, .n_alpha = (1 << depth) * part / 2};
                spec.interlaced = interlaced;
                spec.chunks = add_palette;
                spec.data = &t;
                rv_image *image = read_back(&spec, part > 0 ? 4 : 3, 8);
                for (int i = 0; i < WIDTH * HEIGHT; i++) {
                    const int x = i % WIDTH, y = i / WIDTH, index = value(x, y, 0, depth);
                    const png_color colour = palette_colour(index);
                    cr_assert_eq(sample(image, x, y, 0), colour.red);
                    cr_assert_eq(sample(image, x, y, 1), colour.green);
                    cr_assert_eq(sample(image, x, y, 2), colour.blue);
                    if (part > 0) {
                        cr_assert_eq(sample(image, x, y, 3),
                                     index < t.n_alpha ? alpha_of(index) : 255);
                    }
                }
                rv_image_destroy(image);
            }
        }
    }
}

Test(png, one_pixel_is_a_picture)
{
    png_spec spec = spec_of(PNG_COLOR_TYPE_RGB, 8);
    spec.width = spec.height = 1;
    spec.interlaced = true;
    rv_image *image = read_image(make_png("a.png", &spec));
    cr_assert_eq(sample(image, 0, 0, 1), value(0, 0, 1, 8));
    rv_image_destroy(image);
}

/* ---- Damage ---- */

typedef struct content {
    uint8_t bytes[20000];
    size_t n;
} content;

static content *load(const png_spec *spec)
{
    static content c;
    FILE *file = fopen(make_png("a.png", spec), "rb");
    c.n = fread(c.bytes, 1, sizeof c.bytes, file);
    cr_assert(c.n > 0 && c.n < sizeof c.bytes);
    fclose(file);
    return &c;
}

static content *ordinary(void)
{
    const png_spec spec = spec_of(PNG_COLOR_TYPE_RGB, 8);
    return load(&spec);
}

static const char *rewrite(const content *c, size_t n)
{
    const char *path = rv_test_path("b.png");
    rv_test_write(path, c->bytes, n);
    return path;
}

/* Place of a chunk's length. */
static size_t find(const content *c, const char *type)
{
    for (size_t at = 8; at + 12 <= c->n;) {
        if (memcmp(c->bytes + at + 4, type, 4) == 0) {
            return at;
        }
        const uint8_t *length = c->bytes + at;
        at += 12 + ((size_t)length[0] << 24 | (size_t)length[1] << 16 | (size_t)length[2] << 8 |
                    length[3]);
    }
    cr_assert_fail("no chunk %s", type);
    return 0;
}

static void put_32(uint8_t *to, unsigned long v)
{
    for (int i = 0; i < 4; i++) {
        to[i] = (uint8_t)(v >> (24 - 8 * i));
    }
}

static unsigned long crc_of(const uint8_t *bytes, size_t n)
{
    uint32_t crc = 0xFFFFFFFF;
    for (size_t i = 0; i < n; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xEDB88320 : 0);
        }
    }
    return crc ^ 0xFFFFFFFF;
}

static void fix_crc(content *c, const char *type)
{
    const size_t at = find(c, type);
    const uint8_t *b = c->bytes + at;
    const size_t length = (size_t)b[2] << 8 | b[3];
    put_32(c->bytes + at + 8 + length, crc_of(b + 4, length + 4));
}

static void cut_everywhere(const content *c)
{
    for (size_t n = 0; n < c->n; n++) {
        refuses_bytes(c->bytes, n, RV_ERR_FORMAT,
                      n == 0   ? "empty"
                      : n == 1 ? "no picture of a known kind"
                               : "cut off");
    }
}

Test(png, cut_at_every_byte)
{
    png_spec spec = spec_of(PNG_COLOR_TYPE_RGB_ALPHA, 16);
    cut_everywhere(load(&spec));
    spec.interlaced = true;
    cut_everywhere(load(&spec));
}

Test(png, how_far_a_cut_picture_goes_is_said)
{
    static uint8_t noise[300 * 100 * 3];
    for (size_t i = 0; i < sizeof noise; i++) {
        noise[i] = (uint8_t)(((uint32_t)i * 2654435761u ^ (uint32_t)(i * i) * 40503u) >> 21);
    }
    png_spec spec = {
        .width = 50, .height = 100, .colour_type = PNG_COLOR_TYPE_RGB, .depth = 8, .rows = noise};
    const content *c = load(&spec);
    refuses_image(rewrite(c, c->n - 12), RV_ERR_FORMAT, "without IEND");
    refuses_image(rewrite(c, 40), RV_ERR_FORMAT, "before the picture begins");
    refuses_image(rewrite(c, 20), RV_ERR_FORMAT, "within the header");
    refuses_image(rewrite(c, c->n - 1000), RV_ERR_FORMAT, "of 100 rows");
    spec.interlaced = true;
    c = load(&spec);
    refuses_image(rewrite(c, c->n - 100), RV_ERR_FORMAT, "in pass 7 of 7");
}

Test(png, a_wrong_checksum_is_refused_in_any_chunk)
{
    static const char *const types[] = {"IHDR", "IDAT", "IEND", "sRGB"};
    rv_image *image = NULL;
    cr_assert_eq(rv_image_create(&image, 5, 4, 3, 8), RV_OK);
    const char *path = rv_test_path("c.png");
    cr_assert_eq(rv_image_write(image, path, NULL), RV_OK);
    rv_image_destroy(image);
    static content c;
    FILE *file = fopen(path, "rb");
    c.n = fread(c.bytes, 1, sizeof c.bytes, file);
    fclose(file);
    for (int i = 0; i < 4; i++) {
        const size_t at = find(&c, types[i]);
        const size_t crc = at + 8 + c.bytes[at + 3];
        c.bytes[crc] ^= 1;
        refuses_image(rewrite(&c, c.n), RV_ERR_FORMAT, "CRC");
        c.bytes[crc] ^= 1;
    }
    rv_image_destroy(read_image(rewrite(&c, c.n)));
}

Test(png, huge_and_empty_headers_are_refused_before_anything_is_read)
{
    static const unsigned long sizes[][2] = {
        {60000, 60000}, {1, 0x7FFFFFFF}, {0, 16}, {16, 0}, {0xFFFFFFFF, 1}};
    static const rv_status expected[] = {RV_ERR_MEMORY, RV_ERR_MEMORY, RV_ERR_FORMAT, RV_ERR_FORMAT,
                                         RV_ERR_MEMORY};
    content *c = ordinary();
    for (int i = 0; i < 5; i++) {
        put_32(c->bytes + 16, sizes[i][0]);
        put_32(c->bytes + 20, sizes[i][1]);
        fix_crc(c, "IHDR");
        refuses_image(rewrite(c, c->n), expected[i], i < 2 ? "--max-pixels" : NULL);
        refuses_image(rewrite(c, 40), expected[i], NULL);
    }
}

Test(png, idat_shorter_and_longer_than_the_picture)
{
    content *c = ordinary();
    put_32(c->bytes + 20, HEIGHT + 1);
    fix_crc(c, "IHDR");
    refuses_image(rewrite(c, c->n), RV_ERR_FORMAT, "Not enough image data");
    put_32(c->bytes + 20, HEIGHT - 1);
    fix_crc(c, "IHDR");
    heard h;
    rv_image_read_options options = RV_IMAGE_READ_OPTIONS_INIT;
    options.events = &listen(&h)->events;
    rv_image *image = NULL;
    cr_assert_eq(rv_image_read(&image, rewrite(c, c->n), &options), RV_OK, "%s",
                 rv_error_message());
    cr_assert_eq(rv_image_height(image), HEIGHT - 1);
    cr_assert_eq(h.warnings, 1);
    cr_assert(strstr(h.text, "b.png") != NULL, "%s", h.text);
    rv_image_destroy(image);
}

Test(png, a_signature_damaged_by_a_transfer_as_text_is_named)
{
    content *c = ordinary();
    memmove(c->bytes + 4, c->bytes + 5, c->n - 5);
    refuses_image(rewrite(c, c->n - 1), RV_ERR_FORMAT, "transfer as text");
}

Test(png, bytes_behind_the_end_are_ignored)
{
    content *c = ordinary();
    memset(c->bytes + c->n, 0x37, 1000);
    rv_image_destroy(read_image(rewrite(c, c->n + 1000)));
}

Test(png, any_changed_byte_is_survived)
{
    png_spec spec = spec_of(PNG_COLOR_TYPE_PALETTE, 4);
    transparency t = {.depth = 4, .n_alpha = 7};
    spec.chunks = add_palette;
    spec.data = &t;
    content *c = load(&spec);
    for (size_t i = 0; i < c->n; i++) {
        c->bytes[i] ^= 0xFF;
        rv_image *image = NULL;
        cr_assert_neq(decode_copy(&image, c->bytes, c->n, NULL), RV_OK, "byte %zu", i);
        cr_assert_null(image);
        cr_assert(strstr(rv_error_message(), "copy.jpg") != NULL, "%s", rv_error_message());
        c->bytes[i] ^= 0xFF;
    }
}

/* A good profile with 60 MB of zeros behind its last tag: 60 kB in the file. */
static void add_large_profile(png_structp png, png_infop info, void *data)
{
    enum { LARGE = 60 << 20 };
    size_t n;
    uint8_t *profile = make_rgb_profile(&n), *large = calloc(LARGE, 1);
    memcpy(large, profile, n);
    put_32(large, LARGE);
    png_set_chunk_malloc_max(png, 0);
    png_set_iCCP(png, info, "large", PNG_COMPRESSION_TYPE_BASE, large, LARGE);
    free(large);
    free(profile);
    (void)data;
}

Test(png, a_profile_that_explodes_is_left_out)
{
    png_spec spec = spec_of(PNG_COLOR_TYPE_RGB, 8);
    spec.chunks = add_large_profile;
    heard h;
    rv_image_read_options options = RV_IMAGE_READ_OPTIONS_INIT;
    options.events = &listen(&h)->events;
    rv_image *image = NULL;
    cr_assert_eq(rv_image_read(&image, make_png("a.png", &spec), &options), RV_OK, "%s",
                 rv_error_message());
    cr_assert_eq(h.warnings, 1);
    cr_assert_eq(sample(image, 3, 2, 1), value(3, 2, 1, 8));
    rv_image_destroy(image);
}

/* Texts of a megabyte each, a kilobyte in the file. */
static void add_texts(png_structp png, png_infop info, void *data)
{
    enum { TEXTS = 60, LARGE = 1 << 20 };
    char *large = malloc(LARGE), key[] = "Comment";
    memset(large, 'x', LARGE);
    large[LARGE - 1] = '\0';
    for (int i = 0; i < 2 * TEXTS; i++) {
        png_text text = {.compression =
                             i < TEXTS ? PNG_TEXT_COMPRESSION_zTXt : PNG_ITXT_COMPRESSION_zTXt,
                         .key = key,
                         .text = large};
        text.text_length = text.itxt_length = LARGE - 1;
        png_set_text(png, info, &text, 1);
    }
    free(large);
    (void)data;
}

Test(png, texts_that_explode_take_little_memory)
{
    png_spec spec = spec_of(PNG_COLOR_TYPE_RGB, 8);
    spec.chunks = add_texts;
    const char *path = make_png("a.png", &spec);
    const pid_t child = fork(); /* whose peak begins anew */
    if (child == 0) {
        const uint64_t before = rv_process_peak_bytes();
        rv_image *image = NULL;
        const rv_status status = rv_image_read(&image, path, NULL);
        _exit(status != RV_OK ? 2 : rv_process_peak_bytes() - before < 60 << 20 ? 0 : 1);
    }
    int code = -1;
    cr_assert_eq(waitpid(child, &code, 0), child);
    cr_assert(WIFEXITED(code));
    cr_assert_eq(WEXITSTATUS(code), 0);
}

/* A chunk put in at `at`. */
static void insert(content *c, size_t at, const char *type, const uint8_t *data, size_t n)
{
    memmove(c->bytes + at + 12 + n, c->bytes + at, c->n - at);
    put_32(c->bytes + at, n);
    memcpy(c->bytes + at + 4, type, 4);
    memcpy(c->bytes + at + 8, data, n);
    put_32(c->bytes + at + 8 + n, crc_of(c->bytes + at + 4, n + 4));
    c->n += 12 + n;
}

/* Two frames; the second, in chunks of its own, holds what no PNG holds. */
Test(png, of_an_animation_the_first_frame_is_read)
{
    static const uint8_t control[8] = {0, 0, 0, 2}, garbage[40] = {0, 0, 0, 1, 0xFF, 0xFF};
    content *c = ordinary();
    insert(c, find(c, "IEND"), "fdAT", garbage, sizeof garbage);
    insert(c, find(c, "IDAT"), "acTL", control, sizeof control);
    rv_image *image = read_image(rewrite(c, c->n));
    cr_assert_eq(sample(image, 7, 3, 1), value(7, 3, 1, 8));
    cr_assert_eq(rv_image_height(image), HEIGHT);
    rv_image_destroy(image);
}
