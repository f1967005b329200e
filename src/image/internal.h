/* What the files of src/image share: the picture, a file being decoded, and the steps of reading and writing. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_IMAGE_INTERNAL_H
#define RV_IMAGE_INTERNAL_H

#include "base/file.h"

#include <reverie/image.h>

/** Bytes of metadata; a NUL that `size` does not count stands behind them. */
typedef struct rv_blob {
    uint8_t *data; /* NULL where there is none */
    size_t size;
} rv_blob;

struct rv_image {
    int width, height, channels, bits;
    void *pixels;
    rv_blob exif; /* "Exif\0\0" and TIFF, as in the file: made fit for an output when written */
    rv_blob xmp;
    char *settings;
};

/** Bytes of a picture file and what the caller wants of them. */
typedef struct rv_image_source {
    const uint8_t *data;
    size_t size;
    const char *name; /* for messages */
    uint64_t max_pixels;
    bool allow_truncated, no_autorotate;
    const rv_events *events;
} rv_image_source;

/* Every decoder hands over a picture that is not yet turned upright. */
RV_NODISCARD rv_status rv_image_decode(rv_image **out, const uint8_t *data, size_t size,
                                       const char *name, const rv_image_read_options *options);
RV_NODISCARD rv_status rv_jpeg_decode(rv_image **out, const rv_image_source *source);
RV_NODISCARD rv_status rv_png_decode(rv_image **out, const rv_image_source *source);
bool rv_jpeg_recognise(const rv_image_source *source);
bool rv_png_recognise(const rv_image_source *source);

/** The failure for content that is neither JPEG nor PNG, saying what it is as far as that shows. */
RV_NODISCARD rv_status rv_image_refuse(const rv_image_source *source);

/** Checks a header before memory is taken: RV_ERR_FORMAT for an empty picture, RV_ERR_MEMORY beyond the limit. */
RV_NODISCARD rv_status rv_image_check_size(const rv_image_source *source, uint64_t width,
                                           uint64_t height);

/* Writers: JPEG has checked that the picture suits it; `metadata` is what is to go into the file. */
typedef struct rv_image_metadata {
    rv_blob exif, xmp;    /* fit for the output, maybe empty */
    const char *settings; /* or NULL; borrowed */
} rv_image_metadata;

RV_NODISCARD rv_status rv_jpeg_encode(FILE *file, const char *path, const rv_image *image,
                                      const rv_image_metadata *metadata,
                                      const rv_image_write_options *options);
RV_NODISCARD rv_status rv_png_encode(FILE *file, const char *path, const rv_image *image,
                                     const rv_image_metadata *metadata);

/** Replaces what `blob` holds by a copy. */
RV_NODISCARD rv_status rv_blob_set(rv_blob *blob, const void *data, size_t size, const char *what);
void rv_blob_release(rv_blob *blob);

#define RV_EXIF_HEADER "Exif\0" /* and the NUL of the string */
enum { RV_EXIF_HEADER_BYTES = 6 };

/** Orientation 1 to 8; 1 with a warning where the block is damaged or holds something else. */
int rv_exif_orientation(const rv_blob *exif, const rv_image_source *source);
/** Copy for an output of that size in sRGB: orientation 1, no thumbnail; empty where `exif` cannot be read. */
RV_NODISCARD rv_status rv_exif_for_output(rv_blob *out, const rv_blob *exif, int width, int height);
/** Copy with tiff:Orientation 1. */
RV_NODISCARD rv_status rv_xmp_for_output(rv_blob *out, const rv_blob *xmp);

/** Makes the picture upright according to an EXIF orientation of 1 to 8. */
RV_NODISCARD rv_status rv_image_orient(rv_image *image, int orientation);

/* Samples of a file: 1 grey, 3 RGB, 4 CMYK (as ink: 0 is paper) colours, then alpha if there is any. */
typedef struct rv_pixel_format {
    int colours;
    bool alpha;
    int bits; /* 8 or 16, native byte order */
} rv_pixel_format;

/** What a file says of its colours; all zero: sRGB. */
typedef struct rv_profile {
    const uint8_t *icc; /* before all else */
    size_t icc_size;
    double exponent;  /* light = sample^exponent; 0: the curve of sRGB */
    bool has_corners; /* chromaticities of white, red, green, blue below; else those of sRGB */
    double xy[8];
} rv_profile;

enum { RV_ICC_LIMIT = 8 << 20 };

/** Turns rows of a file into rows of an rv_image. */
typedef struct rv_colours rv_colours;

/** A profile that is damaged, of another colour space or beyond RV_ICC_LIMIT is left out, with a warning. */
RV_NODISCARD rv_status rv_colours_create(rv_colours **out, rv_pixel_format format,
                                         const rv_profile *profile, const rv_image_source *source);
void rv_colours_destroy(rv_colours *colours);
/** @param to  [width, 3 or 4 with alpha], not overlapping `from` */
void rv_colours_row(const rv_colours *colours, void *to, const void *from, size_t width);

#endif
