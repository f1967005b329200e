/* Reads TIFF through libtiff, from memory and within limits: the first picture of a file, in strips, tiles or planes. */
/* SPDX-License-Identifier: MIT */
#include "image/tiff.h"
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "image/tiff_fields.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>

enum {
    MOST_SAMPLES = 16,
    MOST_INSIDE = 256 << 20, /* bytes that libtiff may take at a time */
    MORE_THAN_PICTURE = 64 << 20
};

typedef struct reader {
    const rv_image_source *source;
    TIFF *tiff;
    toff_t position;
    char error[256], warning[256]; /* the first of each */
    int warnings;
    uint32_t width, height;
    uint16_t bits, samples, photometric, planar, number; /* as the file says */
    uint16_t *palette[3];
    bool small_palette; /* of 8 bits */
    bool premultiplied;
    rv_pixel_format format; /* of `row` */
    rv_colours *colours;
    rv_image *image;
    uint8_t
        *band; /* rows as in the file: one, a row of tiles, or all where samples lie in planes */
    size_t row_bytes;
    uint32_t band_rows;
    uint8_t *tile;
    void *row; /* [width, colours and alpha] */
} reader;

/* ---- What libtiff asks of a file ---- */

static tmsize_t read_bytes(thandle_t handle, void *out, tmsize_t n)
{
    reader *r = handle;
    const toff_t size = r->source->size;
    const toff_t left = r->position < size ? size - r->position : 0;
    const size_t taken = (toff_t)n < left ? (size_t)n : (size_t)left;
    memcpy(out, r->source->data + (r->position < size ? r->position : 0), taken);
    r->position += taken;
    return (tmsize_t)taken;
}

static tmsize_t write_bytes(thandle_t handle, void *bytes, tmsize_t n)
{
    (void)handle;
    (void)bytes;
    (void)n;
    return -1;
}

static toff_t seek(thandle_t handle, toff_t offset, int whence)
{
    reader *r = handle;
    r->position = whence == SEEK_SET   ? offset
                  : whence == SEEK_CUR ? r->position + offset
                                       : r->source->size + offset;
    return r->position;
}

static int close_file(thandle_t handle)
{
    (void)handle;
    return 0;
}

static toff_t size_of(thandle_t handle)
{
    return ((reader *)handle)->source->size;
}

static int map(thandle_t handle, void **base, toff_t *size)
{
    const rv_image_source *source = ((reader *)handle)->source;
    memcpy(base, &source->data, sizeof *base); /* which libtiff only reads */
    *size = source->size;
    return 1;
}

static void unmap(thandle_t handle, void *base, toff_t size)
{
    (void)handle;
    (void)base;
    (void)size;
}

static int on_error(TIFF *tiff, void *data, const char *module, const char *format, va_list args)
{
    reader *r = data;
    (void)tiff;
    (void)module;
    if (r->error[0] == '\0') {
        vsnprintf(r->error, sizeof r->error, format, args);
    }
    return 1; /* nothing else is to be called */
}

static int on_warning(TIFF *tiff, void *data, const char *module, const char *format, va_list args)
{
    reader *r = data;
    (void)tiff;
    (void)module;
    if (r->warnings++ == 0) {
        vsnprintf(r->warning, sizeof r->warning, format, args);
    }
    return 1;
}

static rv_status fail(const reader *r)
{
    return rv_fail(RV_ERR_FORMAT, "%s: TIFF: %s", r->source->name,
                   r->error[0] != '\0' ? r->error : "damaged");
}

static rv_status open_file(reader *r)
{
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (options == NULL) {
        return rv_fail(RV_ERR_MEMORY, "not enough memory to read %s", r->source->name);
    }
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, MOST_INSIDE);
    TIFFOpenOptionsSetErrorHandlerExtR(options, on_error, r);
    TIFFOpenOptionsSetWarningHandlerExtR(options, on_warning, r);
    r->tiff = TIFFClientOpenExt("", "r", r, read_bytes, write_bytes, seek, close_file, size_of, map,
                                unmap, options);
    TIFFOpenOptionsFree(options);
    return r->tiff != NULL ? RV_OK : fail(r);
}

/* ---- What the file says of its samples ---- */

static uint16_t short_of(const reader *r, uint32_t tag, uint16_t otherwise)
{
    uint16_t value = otherwise;
    return TIFFGetFieldDefaulted(r->tiff, tag, &value) != 0 ? value : otherwise;
}

static rv_status cannot(const reader *r, const char *what)
{
    return rv_fail(RV_ERR_UNSUPPORTED,
                   "%s: a TIFF of %s cannot be read; convert it to RGB of 8 or 16 bits first",
                   r->source->name, what);
}

/* Colours of the samples, 0: none that can be read. */
static int colours_of(const reader *r)
{
    switch (r->photometric) {
    case PHOTOMETRIC_MINISWHITE:
    case PHOTOMETRIC_MINISBLACK:
    case PHOTOMETRIC_PALETTE:
        return 1;
    case PHOTOMETRIC_RGB:
        return 3;
    case PHOTOMETRIC_SEPARATED:
        return short_of(r, TIFFTAG_INKSET, INKSET_CMYK) == INKSET_CMYK ? 4 : 0;
    default:
        return 0;
    }
}

/* The sample behind the colours is alpha only where the file says so. */
static void find_alpha(reader *r, int colours)
{
    uint16_t n = 0, *kinds = NULL;
    if (r->photometric == PHOTOMETRIC_SEPARATED || r->photometric == PHOTOMETRIC_PALETTE ||
        r->samples <= colours ||
        TIFFGetFieldDefaulted(r->tiff, TIFFTAG_EXTRASAMPLES, &n, &kinds) == 0 || n == 0) {
        return;
    }
    r->format.alpha = kinds[0] == EXTRASAMPLE_ASSOCALPHA || kinds[0] == EXTRASAMPLE_UNASSALPHA;
    r->premultiplied = kinds[0] == EXTRASAMPLE_ASSOCALPHA;
}

static rv_status find_palette(reader *r)
{
    if (r->bits > 8 || TIFFGetField(r->tiff, TIFFTAG_COLORMAP, &r->palette[0], &r->palette[1],
                                    &r->palette[2]) == 0) {
        return rv_fail(RV_ERR_FORMAT, "%s: TIFF: its palette is missing or damaged",
                       r->source->name);
    }
    r->small_palette = true;
    for (int i = 0; i < 3 << r->bits; i++) {
        r->small_palette = r->small_palette && r->palette[i % 3][i / 3] < 256;
    }
    return RV_OK;
}

static rv_status find_samples(reader *r)
{
    TIFFGetField(r->tiff, TIFFTAG_IMAGEWIDTH, &r->width);
    TIFFGetField(r->tiff, TIFFTAG_IMAGELENGTH, &r->height);
    RV_TRY(rv_image_check_size(r->source, r->width, r->height));
    r->photometric = short_of(r, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
    if (r->photometric == PHOTOMETRIC_YCBCR &&
        short_of(r, TIFFTAG_COMPRESSION, COMPRESSION_NONE) == COMPRESSION_JPEG) {
        TIFFSetField(r->tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
        r->photometric = PHOTOMETRIC_RGB;
    }
    r->bits = short_of(r, TIFFTAG_BITSPERSAMPLE, 1);
    r->samples = short_of(r, TIFFTAG_SAMPLESPERPIXEL, 1);
    r->planar = short_of(r, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    r->number = short_of(r, TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
    const int colours = colours_of(r);
    const bool whole = r->number == SAMPLEFORMAT_UINT || r->number == SAMPLEFORMAT_VOID;
    const bool depth = whole ? r->bits == 1 || r->bits == 2 || r->bits == 4 || r->bits == 8 ||
                                   r->bits == 16 || r->bits == 32
                             : r->number == SAMPLEFORMAT_IEEEFP && r->bits == 32;
    if (colours == 0) {
        return cannot(r, "this kind of colours");
    }
    if (!depth || (r->bits < 8 && r->samples > 1)) {
        return cannot(r, "this kind of samples");
    }
    if (r->samples < colours || r->samples > MOST_SAMPLES) {
        return rv_fail(RV_ERR_FORMAT, "%s: TIFF: %u samples a pixel do not suit its colours",
                       r->source->name, (unsigned)r->samples);
    }
    find_alpha(r, colours);
    const bool palette = r->photometric == PHOTOMETRIC_PALETTE;
    r->format.colours = palette ? 3 : colours;
    r->format.bits = r->bits > 8 ? 16 : 8;
    return palette ? find_palette(r) : RV_OK;
}

/* ---- Rows of the file ---- */

static rv_status too_large(const reader *r)
{
    return rv_fail(RV_ERR_MEMORY, "%s: the parts of the TIFF take more memory than the picture",
                   r->source->name);
}

/* The bytes of one row, however it is stored, and the memory for as many rows as come at a time. */
static rv_status make_band(reader *r)
{
    const uint64_t pixels = (uint64_t)r->width * r->height; /* at most 2^62 */
    const uint64_t limit = MORE_THAN_PICTURE + (pixels < UINT64_MAX / 32 ? 16 * pixels : pixels);
    const uint64_t row = ((uint64_t)r->width * r->samples * r->bits + 7) / 8;
    uint64_t band = TIFFScanlineSize64(r->tiff), tile = 0;
    r->band_rows = 1;
    if (r->planar == PLANARCONFIG_SEPARATE) {
        r->band_rows = r->height;
        band = row * r->height;
        tile = TIFFScanlineSize64(r->tiff);
    }
    if (TIFFIsTiled(r->tiff)) {
        uint32_t rows = 0;
        TIFFGetField(r->tiff, TIFFTAG_TILELENGTH, &rows);
        tile = TIFFTileSize64(r->tiff);
        if (rows == 0 || tile == 0) {
            return fail(r);
        }
        if (r->planar == PLANARCONFIG_CONTIG) {
            r->band_rows = rows;
            band = row > limit / rows ? UINT64_MAX : row * rows;
        }
    }
    if (band == 0 || (r->planar == PLANARCONFIG_CONTIG && !TIFFIsTiled(r->tiff) && band < row)) {
        return fail(r);
    }
    if (band > limit || tile > limit) {
        return too_large(r);
    }
    r->row_bytes = (size_t)row;
    RV_TRY(rv_alloc(&r->band, (size_t)band, 1, "rows of a TIFF"));
    return tile > 0 ? rv_alloc(&r->tile, (size_t)tile, 1, "a tile of a TIFF") : RV_OK;
}

/* Puts `width` pixels, or their sample `s` where samples lie in planes, into a row of the band from pixel x on. */
static void place(const reader *r, uint8_t *to, const uint8_t *from, uint32_t x, uint32_t width,
                  uint16_t s)
{
    const size_t bytes = r->bits / 8u;
    if (r->planar == PLANARCONFIG_CONTIG || r->samples == 1) {
        const size_t pixel_bits = (size_t)r->samples * r->bits;
        memcpy(to + x * pixel_bits / 8, from, (width * pixel_bits + 7) / 8);
        return;
    }
    for (uint32_t i = 0; i < width; i++) {
        memcpy(to + ((size_t)(x + i) * r->samples + s) * bytes, from + i * bytes, bytes);
    }
}

/* Tiles across the picture from row y on, of plane s. */
static rv_status read_tiles(reader *r, uint32_t y, uint16_t s)
{
    uint32_t wide = 0, high = 0;
    TIFFGetField(r->tiff, TIFFTAG_TILEWIDTH, &wide);
    TIFFGetField(r->tiff, TIFFTAG_TILELENGTH, &high);
    const size_t tile_row = (size_t)TIFFTileRowSize64(r->tiff);
    const uint32_t rows = r->height - y < high ? r->height - y : high;
    uint8_t *band = r->band + (r->planar == PLANARCONFIG_SEPARATE ? y * r->row_bytes : 0);
    for (uint32_t x = 0; x < r->width; x += wide) {
        if (TIFFReadTile(r->tiff, r->tile, x, y, 0, s) < 0) {
            return fail(r);
        }
        const uint32_t columns = r->width - x < wide ? r->width - x : wide;
        for (uint32_t i = 0; i < rows; i++) {
            place(r, band + i * r->row_bytes, r->tile + i * tile_row, x, columns, s);
        }
        if (r->width - x <= wide) {
            break;
        }
    }
    return RV_OK;
}

static rv_status read_planes(reader *r)
{
    uint32_t high = 1;
    TIFFGetField(r->tiff, TIFFTAG_TILELENGTH, &high);
    const uint32_t step = TIFFIsTiled(r->tiff) ? high : 1;
    for (uint16_t s = 0; s < r->samples; s++) {
        for (uint32_t y = 0; y < r->height; y += step) {
            if (TIFFIsTiled(r->tiff)) {
                RV_TRY(read_tiles(r, y, s));
            } else if (TIFFReadScanline(r->tiff, r->tile, y, s) < 0) {
                return fail(r);
            } else {
                place(r, r->band + y * r->row_bytes, r->tile, 0, r->width, s);
            }
            if (r->height - y <= step) {
                break;
            }
        }
    }
    return RV_OK;
}

static rv_status fetch_row(reader *r, uint32_t y, const uint8_t **out)
{
    *out = r->band + (size_t)(y % r->band_rows) * r->row_bytes;
    if (r->planar == PLANARCONFIG_SEPARATE) {
        return y == 0 ? read_planes(r) : RV_OK;
    }
    if (TIFFIsTiled(r->tiff)) {
        return y % r->band_rows == 0 ? read_tiles(r, y, 0) : RV_OK;
    }
    return TIFFReadScanline(r->tiff, r->band, y, 0) >= 0 ? RV_OK : fail(r);
}

/* ---- Samples of a row ---- */

/* Sample i of the file in the range of r->format.bits. */
static uint32_t sample_at(const reader *r, const uint8_t *row, size_t i)
{
    if (r->bits == 8) {
        return row[i];
    }
    if (r->bits == 16) {
        uint16_t v;
        memcpy(&v, row + 2 * i, 2);
        return v;
    }
    if (r->bits == 32 && r->number == SAMPLEFORMAT_IEEEFP) {
        float v;
        memcpy(&v, row + 4 * i, 4);
        return v > 0 ? (uint32_t)((v < 1 ? (double)v : 1.0) * 65535 + 0.5) : 0; /* NaN: 0 */
    }
    if (r->bits == 32) {
        uint32_t v;
        memcpy(&v, row + 4 * i, 4);
        return v >> 16;
    }
    const unsigned largest = (1u << r->bits) - 1;
    const size_t bit = i * r->bits;
    const unsigned v = row[bit / 8] >> (8 - r->bits - bit % 8) & largest;
    return r->photometric == PHOTOMETRIC_PALETTE ? v : v * (255 / largest);
}

static void put(const reader *r, size_t i, uint32_t value)
{
    if (r->format.bits == 16) {
        ((uint16_t *)r->row)[i] = (uint16_t)value;
    } else {
        ((uint8_t *)r->row)[i] = (uint8_t)value;
    }
}

static void unpack_pixel(const reader *r, const uint8_t *from, size_t x)
{
    const rv_pixel_format f = r->format;
    const uint32_t largest = f.bits == 16 ? 65535 : 255;
    const size_t in = x * r->samples, out = x * (size_t)(f.colours + f.alpha);
    if (r->photometric == PHOTOMETRIC_PALETTE) {
        const uint32_t entry = sample_at(r, from, in);
        for (size_t c = 0; c < 3; c++) {
            const uint32_t v = r->palette[c][entry];
            put(r, out + c, r->small_palette ? v : (v + 128) / 257);
        }
        return;
    }
    const size_t colours = (size_t)f.colours;
    const uint32_t alpha = f.alpha ? sample_at(r, from, in + colours) : largest;
    for (size_t c = 0; c < colours; c++) {
        uint32_t v = sample_at(r, from, in + c);
        v = r->photometric == PHOTOMETRIC_MINISWHITE ? largest - v : v;
        if (r->premultiplied && alpha > 0) {
            const uint32_t pure = (uint32_t)(((uint64_t)v * largest + alpha / 2) / alpha);
            v = pure < largest ? pure : largest;
        }
        put(r, out + c, v);
    }
    if (f.alpha) {
        put(r, out + colours, alpha);
    }
}

/* Whether rows of the file are what unpack_pixel() would make of them. */
static bool is_unpacked(const reader *r)
{
    return r->bits == r->format.bits && r->samples == r->format.colours + r->format.alpha &&
           r->photometric != PHOTOMETRIC_PALETTE && r->photometric != PHOTOMETRIC_MINISWHITE &&
           !r->premultiplied;
}

static rv_status read_rows(reader *r)
{
    const size_t bytes =
        (size_t)r->image->width * (size_t)(r->image->channels * r->image->bits / 8);
    const bool unpacked = is_unpacked(r);
    for (uint32_t y = 0; y < r->height; y++) {
        const uint8_t *row;
        RV_TRY(fetch_row(r, y, &row));
        for (size_t x = 0; x < r->width && !unpacked; x++) {
            unpack_pixel(r, row, x);
        }
        rv_colours_row(r->colours, (uint8_t *)r->image->pixels + y * bytes, unpacked ? row : r->row,
                       r->width);
    }
    return RV_OK;
}

/* ---- All of a file ---- */

static rv_status keep_metadata(reader *r)
{
    rv_image *image = r->image;
    uint32_t n = 0;
    void *bytes = NULL;
    RV_TRY(rv_tiff_exif(&image->exif, r->source->data, r->source->size));
    if (TIFFGetField(r->tiff, TIFFTAG_XMLPACKET, &n, &bytes) != 0 && bytes != NULL && n > 0) {
        RV_TRY(rv_blob_set(&image->xmp, bytes, n, "XMP"));
    }
    const size_t tag = sizeof RV_TIFF_SETTINGS - 1;
    char *software = NULL;
    if (TIFFGetField(r->tiff, TIFFTAG_SOFTWARE, &software) != 0 && software != NULL &&
        strncmp(software, RV_TIFF_SETTINGS, tag) == 0) {
        return rv_strdup(&image->settings, software + tag);
    }
    return RV_OK;
}

static rv_status decode(reader *r)
{
    RV_TRY(open_file(r));
    RV_TRY(find_samples(r));
    RV_TRY(make_band(r));
    RV_TRY(rv_image_create(&r->image, (int)r->width, (int)r->height, r->format.alpha ? 4 : 3,
                           r->format.bits));
    if (r->source->look) {
        return RV_OK;
    }
    RV_TRY(keep_metadata(r));
    rv_profile profile = {0};
    uint32_t n = 0;
    void *icc = NULL;
    if (TIFFGetField(r->tiff, TIFFTAG_ICCPROFILE, &n, &icc) != 0 && icc != NULL && n > 0) {
        profile.icc = icc;
        profile.icc_size = n;
    } else {
        rv_exif_profile(&profile, &r->image->exif);
    }
    RV_TRY(rv_colours_create(&r->colours, r->format, &profile, r->source));
    RV_TRY(rv_alloc(&r->row, r->width, (size_t)(r->format.colours + r->format.alpha) * 2,
                    "a row of a TIFF"));
    RV_TRY(read_rows(r));
    rv_colours_give_profile(r->colours, r->image);
    if (r->warnings > 0) {
        rv_log(r->source->events, RV_LOG_WARNING, "%s: the TIFF gave %d warnings, the first: %s",
               r->source->name, r->warnings, r->warning);
    }
    return RV_OK;
}

static rv_status tiff_decode(rv_image **out, const rv_image_source *source)
{
    *out = NULL;
    reader *r;
    RV_TRY(rv_alloc(&r, 1, sizeof *r, "reading a TIFF"));
    r->source = source;
    const rv_status status = decode(r);
    if (status == RV_OK) {
        *out = r->image;
    } else {
        rv_image_destroy(r->image);
    }
    if (r->tiff != NULL) {
        TIFFClose(r->tiff);
    }
    rv_colours_destroy(r->colours);
    free(r->band);
    free(r->tile);
    free(r->row);
    free(r);
    return status;
}

static bool tiff_recognise(const rv_image_source *source)
{
    static const char *const starts[] = {"II*\0", "MM\0*", "II+\0", "MM\0+"};
    for (int i = 0; i < 4; i++) {
        if (source->size >= 4 && memcmp(source->data, starts[i], 4) == 0) {
            return !rv_tiff_is_raw(source->data, source->size);
        }
    }
    return false;
}

const rv_image_format rv_tiff_format = {
    .name = "TIFF",
    .extensions = {".tif", ".tiff"},
    .alpha = true,
    .bits = 16,
    .recognise = tiff_recognise,
    .decode = tiff_decode,
    .encode = rv_tiff_encode,
};
