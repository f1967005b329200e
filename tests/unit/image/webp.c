/* WebP: what libwebp writes comes back, with its metadata; what is written libwebp reads. */
/* SPDX-License-Identifier: MIT */
#include "base/file.h"
#include "make.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <webp/decode.h>
#include <webp/demux.h>
#include <webp/encode.h>
#include <webp/mux.h>

enum { WIDTH = 41, HEIGHT = 31 };

static uint8_t pixels[WIDTH * HEIGHT * 4];

static int value(int i)
{
    return (int)((uint32_t)i * 2654435761u >> 24);
}

/* Noise, or smooth colours. */
static void fill(int channels, bool noise)
{
    for (int i = 0; i < WIDTH * HEIGHT * channels; i++) {
        const int at = i / channels, c = i % channels;
        pixels[i] = (uint8_t)(noise ? value(i) : smooth(at % WIDTH, at / WIDTH, c));
    }
}

static const char *write_bytes(const char *name, uint8_t *bytes, size_t n)
{
    const char *path = rv_test_path(name);
    cr_assert_gt(n, 0);
    rv_test_write(path, bytes, n);
    WebPFree(bytes);
    return path;
}

static const char *make_lossless(const char *name, int channels)
{
    uint8_t *bytes = NULL;
    fill(channels, true);
    const size_t n = channels == 4
                         ? WebPEncodeLosslessRGBA(pixels, WIDTH, HEIGHT, WIDTH * 4, &bytes)
                         : WebPEncodeLosslessRGB(pixels, WIDTH, HEIGHT, WIDTH * 3, &bytes);
    return write_bytes(name, bytes, n);
}

Test(webp, lossless_pictures_come_back_as_they_were)
{
    for (int channels = 3; channels <= 4; channels++) {
        rv_image *image = read_image(make_lossless("a.webp", channels));
        cr_assert_eq(rv_image_width(image), WIDTH);
        cr_assert_eq(rv_image_height(image), HEIGHT);
        cr_assert_eq(rv_image_channels(image), channels);
        cr_assert_eq(rv_image_bits(image), 8);
        for (int i = 0; i < WIDTH * HEIGHT; i++) {
            for (int c = 0; c < channels; c++) {
                /* libwebp's simple encoder forgets colours that nothing shows. */
                const bool hidden = channels == 4 && pixels[4 * i + 3] == 0 && c < 3;
                cr_assert(hidden ||
                          sample(image, i % WIDTH, i / WIDTH, c) == pixels[i * channels + c]);
            }
        }
        rv_image_destroy(image);
    }
}

Test(webp, lossy_ones_nearly_so_with_exact_alpha)
{
    for (int channels = 3; channels <= 4; channels++) {
        uint8_t *bytes = NULL;
        fill(channels, false);
        const size_t n = channels == 4
                             ? WebPEncodeRGBA(pixels, WIDTH, HEIGHT, WIDTH * 4, 95, &bytes)
                             : WebPEncodeRGB(pixels, WIDTH, HEIGHT, WIDTH * 3, 95, &bytes);
        rv_image *image = read_image(write_bytes("a.webp", bytes, n));
        cr_assert_eq(rv_image_channels(image), channels);
        for (int i = 0; i < WIDTH * HEIGHT * channels; i++) {
            const int c = i % channels, at = i / channels;
            const int off = abs(sample(image, at % WIDTH, at / WIDTH, c) - pixels[i]);
            cr_assert_leq(off, c == 3 ? 0 : 14, "%d", off);
        }
        rv_image_destroy(image);
    }
}

/* Two frames, the first smaller than the picture if `offset`. */
static const char *make_animation(bool offset)
{
    WebPMux *mux = WebPMuxNew();
    WebPMuxAnimParams params = {.bgcolor = 0xFFFFFFFF, .loop_count = 0};
    const int width = offset ? WIDTH - 10 : WIDTH, height = offset ? HEIGHT - 4 : HEIGHT;
    for (int k = 0; k < 2; k++) {
        WebPMuxFrameInfo frame = {.id = WEBP_CHUNK_ANMF, .duration = 100};
        uint8_t *bytes = NULL;
        fill(3, true);
        if (k == 1) {
            memset(pixels, 77, sizeof pixels);
        }
        const size_t n = WebPEncodeLosslessRGB(pixels, k == 0 ? width : WIDTH,
                                               k == 0 ? height : HEIGHT, WIDTH * 3, &bytes);
        frame.bitstream = (WebPData){bytes, n};
        frame.x_offset = offset && k == 0 ? 8 : 0;
        frame.y_offset = offset && k == 0 ? 2 : 0;
        cr_assert_eq(WebPMuxPushFrame(mux, &frame, 1), WEBP_MUX_OK);
        WebPFree(bytes);
    }
    cr_assert_eq(WebPMuxSetAnimationParams(mux, &params), WEBP_MUX_OK);
    cr_assert_eq(WebPMuxSetCanvasSize(mux, WIDTH, HEIGHT), WEBP_MUX_OK);
    WebPData file;
    cr_assert_eq(WebPMuxAssemble(mux, &file), WEBP_MUX_OK);
    WebPMuxDelete(mux);
    uint8_t *copy = WebPMalloc(file.size);
    memcpy(copy, file.bytes, file.size);
    const size_t n = file.size;
    WebPDataClear(&file);
    return write_bytes("anim.webp", copy, n);
}

Test(webp, of_an_animation_the_first_frame_is_taken_and_said)
{
    for (int offset = 0; offset < 2; offset++) {
        heard h;
        rv_image_read_options options = RV_IMAGE_READ_OPTIONS_INIT;
        options.events = &listen(&h)->events;
        rv_image *image = NULL;
        cr_assert_eq(rv_image_read(&image, make_animation(offset), &options), RV_OK, "%s",
                     rv_error_message());
        cr_assert_eq(h.warnings, 1);
        cr_assert(strstr(h.text, "animation of 2 frames") != NULL, "%s", h.text);
        cr_assert_eq(rv_image_width(image), WIDTH);
        cr_assert_eq(rv_image_channels(image), offset ? 4 : 3);
        fill(3, true);
        for (int c = 0; c < 3; c++) {
            cr_assert_eq(sample(image, offset ? 8 : 0, offset ? 2 : 0, c), pixels[c]);
        }
        if (offset) { /* nothing around it */
            cr_assert_eq(sample(image, 0, 0, 3), 0);
            cr_assert_eq(sample(image, 8, 2, 3), 255);
            cr_assert_eq(sample(image, WIDTH - 1, HEIGHT - 1, 3), 0);
        }
        rv_image_destroy(image);
    }
}

/* Adds chunks to a file of ours. */
static const char *with_chunk(const char *path, const char *name, const uint8_t *bytes, size_t n)
{
    rv_bytes file;
    cr_assert_eq(rv_bytes_open(&file, path, 0), RV_OK);
    const WebPData data = {file.data, file.size}, chunk = {bytes, n};
    WebPMux *mux = WebPMuxCreate(&data, 1);
    cr_assert_not_null(mux);
    cr_assert_eq(WebPMuxSetChunk(mux, name, &chunk, 1), WEBP_MUX_OK);
    WebPData out;
    cr_assert_eq(WebPMuxAssemble(mux, &out), WEBP_MUX_OK);
    WebPMuxDelete(mux);
    rv_bytes_close(&file);
    const char *result = rv_test_path("chunk.webp");
    rv_test_write(result, out.bytes, out.size);
    WebPDataClear(&out);
    return result;
}

/* EXIF with and without the word before it. */
Test(webp, orientation_is_applied)
{
    uint8_t exif[EXIF_BYTES];
    for (int word = 0; word < 2; word++) {
        const size_t n = make_exif(exif, word, 6, false), from = word ? 0 : 6;
        const char *path = make_lossless("a.webp", 3);
        rv_image *image = read_image(with_chunk(path, "EXIF", exif + from, n - from));
        cr_assert_eq(rv_image_width(image), HEIGHT);
        for (int c = 0; c < 3; c++) { /* row 0 is right, column 0 top */
            cr_assert_eq(sample(image, HEIGHT - 1, 0, c), pixels[c]);
        }
        rv_image_destroy(image);
    }
}

Test(webp, its_profile_becomes_srgb)
{
    size_t n;
    uint8_t *icc = make_rgb_profile(&n);
    rv_image *image = read_image(with_chunk(make_lossless("a.webp", 3), "ICCP", icc, n));
    int largest = 0;
    for (int i = 0; i < WIDTH * HEIGHT * 3; i++) {
        const int off = abs(sample(image, i / 3 % WIDTH, i / 3 / WIDTH, i % 3) - pixels[i]);
        largest = off > largest ? off : largest;
    }
    cr_assert_gt(largest, 30, "%d", largest);
    rv_image_destroy(image);
    free(icc);
}

/* ---- Damage ---- */

static uint8_t bytes[20000];

static size_t load(const char *path)
{
    FILE *file = fopen(path, "rb");
    const size_t n = fread(bytes, 1, sizeof bytes, file);
    cr_assert(n > 0 && n < sizeof bytes);
    fclose(file);
    return n;
}

Test(webp, cut_at_every_byte)
{
    const size_t n = load(make_lossless("a.webp", 4));
    for (size_t i = 0; i < n; i++) {
        refuses_bytes(bytes, i, RV_ERR_FORMAT, i == 0 ? "empty" : i < 12 ? NULL : "cut off");
    }
}

Test(webp, any_changed_byte_is_survived)
{
    uint8_t exif[EXIF_BYTES];
    const size_t m = make_exif(exif, false, 6, false);
    const size_t n = load(with_chunk(make_lossless("a.webp", 4), "EXIF", exif, m));
    for (size_t i = 0; i<n; i += i> 200 && i < n - 300 ? 11 : 1) {
        heard h;
        rv_image_read_options options = RV_IMAGE_READ_OPTIONS_INIT;
        options.events = &listen(&h)->events;
        options.max_pixels = 1 << 20;
        rv_image *image = NULL;
        bytes[i] ^= 0xFF;
        if (decode_copy(&image, bytes, n, &options) != RV_OK) {
            cr_assert_null(image);
        }
        rv_image_destroy(image);
        bytes[i] ^= 0xFF;
    }
}

/* A canvas of 2^24 x 2^24 in the extended header. */
Test(webp, huge_headers_are_refused)
{
    static const uint8_t huge[] = {'R', 'I', 'F',  'F',  44,   0,    0,    0,    'W',  'E',  'B',
                                   'P', 'V', 'P',  '8',  'X',  10,   0,    0,    0,    0,    0,
                                   0,   0,   0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 'V',  'P',  '8',
                                   'L', 14,  0,    0,    0,    0x2F, 0xFF, 0xFF, 0xFF, 0x0F, 0,
                                   0,   0,   0,    0,    0,    0,    0,    0};
    rv_image *image = NULL;
    cr_assert_neq(decode_copy(&image, huge, sizeof huge, NULL), RV_OK);
    cr_assert_null(image);
    const size_t n = load(make_lossless("a.webp", 3));
    bytes[21] = bytes[22] = bytes[23] = 0xFF; /* 14 bits of width and of height, each less one */
    bytes[24] = 0x0F;
    rv_image_read_options options = RV_IMAGE_READ_OPTIONS_INIT;
    cr_assert_eq(decode_copy(&image, bytes, n, &options), RV_ERR_MEMORY, "%s", rv_error_message());
    cr_assert(strstr(rv_error_message(), "16384 x 16384") != NULL, "%s", rv_error_message());
}

/* ---- Writing ---- */

static rv_image *picture(int channels, bool noise)
{
    rv_image *image = NULL;
    cr_assert_eq(rv_image_create(&image, WIDTH, HEIGHT, channels, 8), RV_OK);
    fill(channels, noise);
    memcpy(rv_image_pixels(image), pixels, (size_t)(WIDTH * HEIGHT * channels));
    return image;
}

static uint8_t *decode_by_libwebp(const char *path, int channels)
{
    int width = 0, height = 0;
    const size_t n = load(path);
    uint8_t *out = channels == 4 ? WebPDecodeRGBA(bytes, n, &width, &height)
                                 : WebPDecodeRGB(bytes, n, &width, &height);
    cr_assert_not_null(out);
    cr_assert_eq(width, WIDTH);
    cr_assert_eq(height, HEIGHT);
    return out;
}

Test(webp, what_is_written_libwebp_reads)
{
    rv_image_write_options options = RV_IMAGE_WRITE_OPTIONS_INIT;
    options.overwrite = true;
    const char *path = rv_test_path("out.webp");
    for (int channels = 3; channels <= 4; channels++) {
        options.quality = 100; /* lossless, hidden colours included */
        rv_image *image = picture(channels, true);
        cr_assert_eq(rv_image_write(image, path, &options), RV_OK, "%s", rv_error_message());
        uint8_t *back = decode_by_libwebp(path, channels);
        cr_assert_eq(memcmp(back, pixels, (size_t)(WIDTH * HEIGHT * channels)), 0);
        WebPFree(back);
        rv_image_destroy(image);
        options.quality = 95;
        image = picture(channels, false);
        cr_assert_eq(rv_image_write(image, path, &options), RV_OK, "%s", rv_error_message());
        back = decode_by_libwebp(path, channels);
        for (int i = 0; i < WIDTH * HEIGHT * channels; i++) {
            cr_assert_leq(abs(back[i] - pixels[i]), i % channels == 3 ? 0 : 14);
        }
        WebPFree(back);
        rv_image_destroy(image);
    }
}

static size_t chunk_bytes(const char *path, const char *name)
{
    const size_t n = load(path);
    const WebPData data = {bytes, n};
    WebPDemuxer *demuxer = WebPDemux(&data);
    WebPChunkIterator chunk;
    cr_assert_not_null(demuxer);
    const size_t size = WebPDemuxGetChunk(demuxer, name, 1, &chunk) ? chunk.chunk.size : 0;
    WebPDemuxReleaseChunkIterator(&chunk);
    WebPDemuxDelete(demuxer);
    return size;
}

Test(webp, metadata_goes_into_its_chunks_or_is_stripped)
{
    uint8_t exif[EXIF_BYTES];
    const size_t m = make_exif(exif, false, 1, false);
    rv_image *from = read_image(with_chunk(make_lossless("a.webp", 3), "EXIF", exif, m));
    rv_image *image = picture(3, true);
    cr_assert_eq(rv_image_copy_metadata(image, from), RV_OK);
    rv_image_destroy(from);
    rv_image_write_options options = RV_IMAGE_WRITE_OPTIONS_INIT;
    options.settings = "size=512";
    const char *path = rv_test_path("out.webp"), *bare = rv_test_path("bare.webp");
    cr_assert_eq(rv_image_write(image, path, &options), RV_OK, "%s", rv_error_message());
    cr_assert_gt(chunk_bytes(path, "EXIF"), 50);
    rv_image *back = read_image(path);
    cr_assert_str_eq(rv_image_settings(back), "size=512");
    rv_image_destroy(back);
    options.strip = true;
    cr_assert_eq(rv_image_write(image, bare, &options), RV_OK, "%s", rv_error_message());
    cr_assert_eq(chunk_bytes(bare, "EXIF"), 0);
    cr_assert_eq(chunk_bytes(bare, "RVRS"), 0);
    rv_image_destroy(image);
}

Test(webp, sides_beyond_16383_are_wrong_usage)
{
    rv_image *image = NULL;
    cr_assert_eq(rv_image_create(&image, 16384, 1, 3, 8), RV_OK);
    cr_assert_eq(rv_image_write(image, rv_test_path("a.webp"), NULL), RV_ERR_USAGE);
    cr_assert(strstr(rv_error_message(), "16383") != NULL, "%s", rv_error_message());
    rv_image_destroy(image);
}
