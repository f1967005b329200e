/* PNG through libpng, with errors that come back instead of ending the process. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "image/rows.h"

#include <math.h>
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

static const char xmp_key[] = "XML:com.adobe.xmp";
static const char settings_key[] = "reverie";

/* Errors of both directions. Every step that calls libpng runs under guard(), owns nothing itself, and so may be
 * left by longjmp. */
typedef struct trouble {
    jmp_buf jump;
    rv_status status;
    const char *name;
    int warnings;
    char first_warning[128];
} trouble;

static void stop(trouble *t, rv_status status)
{
    t->status = status;
    longjmp(t->jump, 1);
}

static void on_error(png_structp png, png_const_charp text)
{
    trouble *t = png_get_error_ptr(png);
    const bool memory = strstr(text, "emory") != NULL;
    stop(t, rv_fail(memory ? RV_ERR_MEMORY : RV_ERR_FORMAT, "%s: PNG: %s", t->name, text));
}

static void on_warning(png_structp png, png_const_charp text)
{
    trouble *t = png_get_error_ptr(png);
    if (t->warnings++ == 0) {
        snprintf(t->first_warning, sizeof t->first_warning, "%s", text);
    }
}

static rv_status guard(trouble *t, void *payload, rv_status (*step)(void *payload))
{
    if (setjmp(t->jump) != 0) {
        return t->status;
    }
    return step(payload);
}

/* libpng speaks big endian. */
static bool is_little_endian(void)
{
    const uint16_t one = 1;
    uint8_t first;
    memcpy(&first, &one, 1);
    return first == 1;
}

/* ---- Reading ---- */

enum { SIGNATURE = 8, HEADER = 33 }; /* bytes: signature, and all of IHDR behind it */

typedef struct reader {
    trouble trouble;
    png_structp png;
    png_infop info;
    const rv_image_source *source;
    size_t position;
    rv_pixel_format format;
    rv_image *image;
    rv_colours *colours;
    void *row;        /* [width, samples] as in the file */
    int pass, passes; /* 7 where the file is interlaced */
    int rows;         /* read in the present pass */
} reader;

static const uint8_t signature[SIGNATURE] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};

/* By its first four bytes, so that what a transfer as text did to the others can be said. */
static bool png_recognise(const rv_image_source *source)
{
    const size_t n = source->size < 4 ? source->size : 4;
    return n >= 2 && memcmp(source->data, signature, n) == 0;
}

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Signature and size, looked at before libpng is asked. */
static rv_status check_start(const rv_image_source *source)
{
    const size_t n = source->size < SIGNATURE ? source->size : SIGNATURE;
    if (memcmp(source->data, signature, n) != 0) {
        return rv_fail(RV_ERR_FORMAT,
                       "%s: the first bytes of the PNG are damaged, as by a transfer as text",
                       source->name);
    }
    if (source->size < HEADER) {
        return rv_fail(RV_ERR_FORMAT, "%s: the PNG is cut off: its %zu bytes end within the header",
                       source->name, source->size);
    }
    if (memcmp(source->data + 12, "IHDR", 4) != 0) {
        return rv_fail(RV_ERR_FORMAT, "%s: the PNG does not begin with IHDR", source->name);
    }
    return rv_image_check_size(source, big_endian(source->data + 16),
                               big_endian(source->data + 20));
}

static rv_status fail_truncated(const reader *r)
{
    const char *name = r->source->name;
    const size_t size = r->source->size;
    if (r->image == NULL) {
        return rv_fail(RV_ERR_FORMAT,
                       "%s: the PNG is cut off: its %zu bytes end before the picture begins", name,
                       size);
    }
    if (r->passes > 1 && r->pass < r->passes) {
        return rv_fail(
            RV_ERR_FORMAT,
            "%s: the PNG is cut off: its %zu bytes end in pass %d of %d of an interlaced picture",
            name, size, r->pass + 1, r->passes);
    }
    if (r->rows == r->image->height) {
        return rv_fail(
            RV_ERR_FORMAT,
            "%s: the PNG is cut off: its %zu bytes end behind the last row, without IEND", name,
            size);
    }
    return rv_fail(RV_ERR_FORMAT, "%s: the PNG is cut off: its %zu bytes end after %d of %d rows",
                   name, size, r->rows, r->image->height);
}

static void read_bytes(png_structp png, png_bytep out, size_t n)
{
    reader *r = png_get_io_ptr(png);
    if (n > r->source->size - r->position) {
        stop(&r->trouble, fail_truncated(r));
    }
    memcpy(out, r->source->data + r->position, n);
    r->position += n;
}

/* Chunks without use here, of which a small file can hold hundreds that inflate to megabytes each. */
static const png_byte skipped[] = "zTXt\0tEXt\0sPLT";
enum { SKIPPED = 3, TEXTS = 16 };

static const png_byte coding_points[] = "cICP"; /* of the third edition, which libpng passes on */

static void set_limits(reader *r)
{
    png_set_keep_unknown_chunks(r->png, PNG_HANDLE_CHUNK_NEVER, skipped, SKIPPED);
    png_set_keep_unknown_chunks(r->png, PNG_HANDLE_CHUNK_ALWAYS, coding_points, 1);
    png_set_chunk_cache_max(r->png, TEXTS);
    const uint64_t side = r->source->max_pixels;
    const png_uint_32 limit = side < PNG_UINT_31_MAX ? (png_uint_32)side : PNG_UINT_31_MAX;
    png_set_user_limits(r->png, limit, limit);
    png_set_chunk_malloc_max(r->png, RV_ICC_LIMIT);
    png_set_crc_action(r->png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    /* lcms looks at the profile; libpng's own check would warn of harmless sRGB profiles. */
    png_set_option(r->png, PNG_SKIP_sRGB_CHECK_PROFILE, PNG_OPTION_ON);
}

/* Colours by numbers of ITU-T H.273. False for those that a picture of a range above white has, or that are rare. */
static bool by_numbers(rv_profile *out, int primaries, int transfer)
{
    static const struct {
        int number;
        double xy[8];
    } corners[] = {
        {1, {0.3127, 0.3290, 0.640, 0.330, 0.300, 0.600, 0.150, 0.060}},  /* BT.709, sRGB */
        {9, {0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046}},  /* BT.2020 */
        {12, {0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060}}, /* Display P3 */
    };
    static const double film[5] = {1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081};
    static const struct {
        int number;
        double curve[5];
    } curves[] = {{1, {0}},
                  {4, {2.2, 1, 0, 0, 0}},
                  {5, {2.8, 1, 0, 0, 0}},
                  {6, {0}},
                  {8, {1, 1, 0, 0, 0}},
                  {13, {0}},
                  {14, {0}},
                  {15, {0}}};
    bool known[2] = {false, false};
    for (size_t i = 0; i < sizeof corners / sizeof *corners; i++) {
        if (corners[i].number == primaries) {
            known[0] = out->has_corners = true;
            memcpy(out->xy, corners[i].xy, sizeof out->xy);
        }
    }
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++) {
        if (curves[i].number == transfer) {
            known[1] = true;
            out->has_curve = transfer != 13; /* sRGB, as nothing else is said */
            memcpy(out->curve, curves[i].curve[0] > 0 ? curves[i].curve : film, sizeof out->curve);
        }
    }
    return known[0] && known[1];
}

/* cICP: primaries, transfer, matrix, range. @return whether it decides */
static bool find_coding_points(const reader *r, rv_profile *out)
{
    png_unknown_chunkp chunks = NULL;
    const int n = png_get_unknown_chunks(r->png, r->info, &chunks);
    for (int i = 0; i < n; i++) {
        const png_unknown_chunk *c = &chunks[i];
        if (memcmp(c->name, coding_points, 4) != 0 || c->size != 4) {
            continue;
        }
        if (c->data[2] == 0 && c->data[3] == 1 && by_numbers(out, c->data[0], c->data[1])) {
            return true;
        }
        *out = (rv_profile){0};
        rv_log(r->source->events, RV_LOG_WARNING,
               "%s: its colours by cICP (%d, %d, %d, %d), such as those of HDR, are not known here "
               "and ignored",
               r->source->name, c->data[0], c->data[1], c->data[2], c->data[3]);
        return false;
    }
    return false;
}

/* What the picture says of its colours, in order of precedence: cICP, iCCP, sRGB, gAMA with cHRM, nothing (sRGB). */
static void find_profile(const reader *r, rv_profile *out)
{
    png_charp name;
    int compression, intent;
    png_bytep icc;
    png_uint_32 icc_size;
    double gamma, xy[8];
    if (find_coding_points(r, out)) {
        return;
    }
    if (png_get_iCCP(r->png, r->info, &name, &compression, &icc, &icc_size) != 0) {
        out->icc = icc;
        out->icc_size = icc_size;
        return;
    }
    if (png_get_sRGB(r->png, r->info, &intent) != 0) {
        return;
    }
    /* 1/2.2 is how programs say "sRGB" in a gAMA chunk: taken literally, shadows would change. */
    if (png_get_gAMA(r->png, r->info, &gamma) != 0 && fabs(gamma - 1 / 2.2) > 0.005 &&
        gamma >= 0.1 && gamma <= 10) {
        out->has_curve = true;
        out->curve[0] = 1 / gamma;
        out->curve[1] = 1;
    }
    if (png_get_cHRM(r->png, r->info, &xy[0], &xy[1], &xy[2], &xy[3], &xy[4], &xy[5], &xy[6],
                     &xy[7]) != 0) {
        out->has_corners = true;
        memcpy(out->xy, xy, sizeof xy);
    }
}

static rv_status read_header(void *payload)
{
    reader *r = payload;
    r->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r->trouble, on_error, on_warning);
    r->info = r->png != NULL ? png_create_info_struct(r->png) : NULL;
    if (r->info == NULL) {
        return rv_fail(RV_ERR_MEMORY, "not enough memory to read %s", r->source->name);
    }
    png_set_read_fn(r->png, r, read_bytes);
    set_limits(r);
    png_read_info(r->png, r->info);
    png_set_expand(r->png); /* palettes, fewer than 8 bits, tRNS */
    if (is_little_endian()) {
        png_set_swap(r->png);
    }
    return RV_OK;
}

static rv_status start(void *payload)
{
    reader *r = payload;
    r->passes = png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
    const int samples = png_get_channels(r->png, r->info);
    r->format = (rv_pixel_format){
        .colours = samples <= 2 ? 1 : 3,
        .alpha = samples == 2 || samples == 4,
        .bits = png_get_bit_depth(r->png, r->info),
    };
    const png_uint_32 width = png_get_image_width(r->png, r->info);
    const png_uint_32 height = png_get_image_height(r->png, r->info);
    rv_profile profile = {0};
    find_profile(r, &profile);
    RV_TRY(rv_colours_create(&r->colours, r->format, &profile, r->source));
    RV_TRY(rv_alloc(&r->row, png_get_rowbytes(r->png, r->info), 1, "a row of a PNG"));
    return rv_image_create(&r->image, (int)width, (int)height, r->format.alpha ? 4 : 3,
                           r->format.bits);
}

/* Rows are decoded into the end of the rows of the picture, where later passes of an interlaced file find them,
 * and then turned into sRGB. */
static rv_status read_rows(void *payload)
{
    reader *r = payload;
    const rv_image *image = r->image;
    const size_t from_bytes = png_get_rowbytes(r->png, r->info);
    const size_t to_bytes = (size_t)image->width * (size_t)(image->channels * image->bits / 8);
    uint8_t *pixels = image->pixels;
    for (r->pass = 0; r->pass < r->passes; r->pass++) {
        for (r->rows = 0; r->rows < image->height; r->rows++) {
            uint8_t *end = pixels + ((size_t)r->rows + 1) * to_bytes;
            png_read_row(r->png, end - from_bytes, NULL);
        }
    }
    for (size_t y = 0; y < (size_t)image->height; y++) {
        memcpy(r->row, pixels + (y + 1) * to_bytes - from_bytes, from_bytes);
        rv_colours_row(r->colours, pixels + y * to_bytes, r->row, (size_t)image->width);
    }
    png_read_end(r->png, r->info);
    return RV_OK;
}

static rv_status keep_texts(reader *r)
{
    png_textp texts = NULL;
    const int n = png_get_text(r->png, r->info, &texts, NULL);
    for (int i = 0; i < n; i++) {
        const png_text *t = &texts[i];
        const size_t length =
            t->compression >= PNG_ITXT_COMPRESSION_NONE ? t->itxt_length : t->text_length;
        if (strcmp(t->key, xmp_key) == 0 && r->image->xmp.data == NULL) {
            RV_TRY(rv_blob_set(&r->image->xmp, t->text, length, "XMP"));
        } else if (strcmp(t->key, settings_key) == 0 && r->image->settings == NULL) {
            rv_blob text = {0};
            RV_TRY(rv_blob_set(&text, t->text, length, "settings"));
            r->image->settings = (char *)text.data;
        }
    }
    return RV_OK;
}

static rv_status keep_metadata(void *payload)
{
    reader *r = payload;
    png_uint_32 n = 0;
    png_bytep exif = NULL;
    if (png_get_eXIf_1(r->png, r->info, &n, &exif) != 0 && exif != NULL) {
        rv_blob *blob = &r->image->exif;
        blob->size = RV_EXIF_HEADER_BYTES + (size_t)n;
        RV_TRY(rv_alloc(&blob->data, blob->size + 1, 1, "EXIF"));
        memcpy(blob->data, RV_EXIF_HEADER, RV_EXIF_HEADER_BYTES);
        memcpy(blob->data + RV_EXIF_HEADER_BYTES, exif, n);
    }
    return keep_texts(r);
}

static rv_status decode(reader *r)
{
    static rv_status (*const steps[])(void *) = {read_header, start, read_rows, keep_metadata};
    RV_TRY(check_start(r->source));
    const size_t n = r->source->look ? 2 : sizeof steps / sizeof *steps;
    for (size_t i = 0; i < n; i++) {
        RV_TRY(guard(&r->trouble, r, steps[i]));
    }
    if (r->trouble.warnings > 0) {
        rv_log(r->source->events, RV_LOG_WARNING, "%s: the PNG gave %d warnings, the first: %s",
               r->source->name, r->trouble.warnings, r->trouble.first_warning);
    }
    return RV_OK;
}

static rv_status png_decode(rv_image **out, const rv_image_source *source)
{
    *out = NULL;
    reader *r;
    RV_TRY(rv_alloc(&r, 1, sizeof *r, "reading a PNG"));
    r->source = source;
    r->trouble.name = source->name;
    const rv_status status = decode(r);
    if (status == RV_OK) {
        rv_colours_give_profile(r->colours, r->image);
        *out = r->image;
    } else {
        rv_image_destroy(r->image);
    }
    png_destroy_read_struct(&r->png, &r->info, NULL);
    rv_colours_destroy(r->colours);
    free(r->row);
    free(r);
    return status;
}

/* ---- Writing ---- */

typedef struct writer {
    trouble trouble;
    png_structp png;
    png_infop info;
    const rv_image_output *to;
} writer;

static void write_bytes(png_structp png, png_bytep bytes, size_t n)
{
    writer *w = png_get_io_ptr(png);
    if (fwrite(bytes, 1, n, w->to->file) != n) {
        stop(&w->trouble, rv_fail(RV_ERR_IO, "cannot write %s", w->to->path));
    }
}

static void flush_bytes(png_structp png)
{
    (void)png; /* the output is flushed once, when it is complete */
}

static rv_status set_metadata(writer *w)
{
    const rv_image_metadata *m = w->to->metadata;
    if (m->icc.data != NULL) {
        png_set_iCCP(w->png, w->info, "photo", PNG_COMPRESSION_TYPE_BASE, m->icc.data,
                     (png_uint_32)m->icc.size);
        if (png_get_valid(w->png, w->info, PNG_INFO_iCCP) == 0) {
            return rv_fail(RV_ERR_UNSUPPORTED,
                           "cannot write %s: libpng refuses the colour profile of the photo (%s); "
                           "--icc srgb, or write a .tif",
                           w->to->path, w->trouble.first_warning);
        }
    } else {
        png_set_sRGB(w->png, w->info, PNG_sRGB_INTENT_PERCEPTUAL);
    }
    if (m->exif.size > RV_EXIF_HEADER_BYTES) {
        png_set_eXIf_1(w->png, w->info, (png_uint_32)(m->exif.size - RV_EXIF_HEADER_BYTES),
                       m->exif.data + RV_EXIF_HEADER_BYTES);
    }
    /* libpng copies the text; its struct only lacks the const. */
    const struct {
        const char *key, *text;
    } texts[] = {{xmp_key, (const char *)m->xmp.data}, {settings_key, m->settings}};
    for (size_t i = 0; i < 2; i++) {
        if (texts[i].text != NULL) {
            png_text text = {.compression = PNG_ITXT_COMPRESSION_NONE};
            memcpy(&text.key, &texts[i].key, sizeof text.key);
            memcpy(&text.text, &texts[i].text, sizeof text.text);
            png_set_text(w->png, w->info, &text, 1);
        }
    }
    return RV_OK;
}

static rv_status write_all(void *payload)
{
    writer *w = payload;
    const rv_image *image = w->to->image;
    w->png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &w->trouble, on_error, on_warning);
    w->info = w->png != NULL ? png_create_info_struct(w->png) : NULL;
    if (w->info == NULL) {
        return rv_fail(RV_ERR_MEMORY, "not enough memory to write %s", w->to->path);
    }
    png_set_write_fn(w->png, w, write_bytes, flush_bytes);
    png_set_user_limits(w->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_IHDR(w->png, w->info, (png_uint_32)image->width, (png_uint_32)image->height,
                 image->bits, image->channels == 4 ? PNG_COLOR_TYPE_RGB_ALPHA : PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    RV_TRY(set_metadata(w));
    png_write_info(w->png, w->info);
    if (image->bits == 16 && is_little_endian()) {
        png_set_swap(w->png);
    }
    for (int y = 0; y < image->height; y++) {
        png_write_row(w->png, rv_rows_get(w->to->rows, y));
    }
    png_write_end(w->png, NULL);
    return RV_OK;
}

static rv_status png_encode(const rv_image_output *to)
{
    writer *w;
    RV_TRY(rv_alloc(&w, 1, sizeof *w, "writing a PNG"));
    w->to = to;
    w->trouble.name = to->path;
    const rv_status status = guard(&w->trouble, w, write_all);
    png_destroy_write_struct(&w->png, &w->info);
    free(w);
    return status;
}

const rv_image_format rv_png_format = {
    .name = "PNG",
    .extensions = {".png"},
    .alpha = true,
    .bits = 16,
    .recognise = png_recognise,
    .decode = png_decode,
    .encode = png_encode,
};
