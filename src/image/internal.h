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
    rv_blob xmp_more; /* what did not fit into a JPEG's first segment: its GUID, then the text */
    rv_blob icc;      /* of RGB, where the file was not in sRGB from the start */
    char *settings;
};

/** Bytes of a picture file and what the caller wants of them. */
typedef struct rv_image_source {
    const uint8_t *data;
    size_t size;
    const char *name; /* for messages */
    uint64_t max_pixels;
    bool allow_truncated, no_autorotate;
    bool look; /* only the header is wanted: samples and metadata are left as they were created */
    const rv_events *events;
} rv_image_source;

RV_NODISCARD rv_status rv_image_decode(rv_image **out, const uint8_t *data, size_t size,
                                       const char *name, const rv_image_read_options *options);

/** What is to go into a file beside the samples; none of it owned here but `exif` and `xmp`. */
typedef struct rv_image_metadata {
    rv_blob exif, xmp; /* fit for the output, maybe empty */
    rv_blob xmp_more, icc;
    const char *settings; /* or NULL */
} rv_image_metadata;

/** Rows of the picture as the file takes them: rows.h. */
typedef struct rv_rows rv_rows;

/** A file being written; the picture suits its format. */
typedef struct rv_image_output {
    FILE *file;
    const char *path; /* for messages */
    const rv_image *image;
    int bits; /* of the file */
    rv_rows *rows;
    const rv_image_metadata *metadata;
    const rv_image_write_options *options;
} rv_image_output;

/** How files of a format are known, read and written; at the bottom of its file. */
typedef struct rv_image_format {
    const char *name;
    const char *extensions[4]; /* with the dot, up to a NULL */
    bool alpha;                /* whether it has any */
    int bits;                  /* a sample at most */
    int side;                  /* pixels at most, 0: any number */
    bool (*recognise)(const rv_image_source *source);
    /* Hands over a picture that is not yet turned upright. */
    rv_status (*decode)(rv_image **out, const rv_image_source *source);
    rv_status (*encode)(const rv_image_output *to);
} rv_image_format;

extern const rv_image_format rv_jpeg_format, rv_png_format;
extern const rv_image_format rv_tiff_format, rv_webp_format; /* where they were built */

/** NULL: the content is none of this build's formats. */
const rv_image_format *rv_format_of_content(const rv_image_source *source);
/** By the extension; RV_ERR_USAGE lists those that there are. */
RV_NODISCARD rv_status rv_format_of_name(const rv_image_format **out, const char *path);
/** RV_ERR_USAGE where the format has not the transparency or size of the picture. */
RV_NODISCARD rv_status rv_format_check(const rv_image_format *format, const rv_image *image,
                                       const char *path);

/** The failure for content of no format of this build, saying what it is as far as that shows, and how to convert it. */
RV_NODISCARD rv_status rv_image_refuse(const rv_image_source *source);

/** Checks a header before memory is taken: RV_ERR_FORMAT for an empty picture, RV_ERR_MEMORY beyond the limit. */
RV_NODISCARD rv_status rv_image_check_size(const rv_image_source *source, uint64_t width,
                                           uint64_t height);

/** Replaces what `blob` holds by a copy. */
RV_NODISCARD rv_status rv_blob_set(rv_blob *blob, const void *data, size_t size, const char *what);
void rv_blob_release(rv_blob *blob);

#define RV_EXIF_HEADER "Exif\0" /* and the NUL of the string */
enum { RV_EXIF_HEADER_BYTES = 6 };

/** Orientation 1 to 8; 1 with a warning where the block is damaged or holds something else. */
int rv_exif_orientation(const rv_blob *exif, const rv_image_source *source);
/** Copy for an output of that size: orientation 1, no thumbnail, in sRGB or in the colours of a profile; empty where
 *  `exif` cannot be read. */
RV_NODISCARD rv_status rv_exif_for_output(rv_blob *out, const rv_blob *exif, int width, int height,
                                          bool srgb);
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
    bool
        has_curve; /* light = (a x + b)^g from x = d on, c x below: g, a, b, c, d; else the curve of sRGB */
    double curve[5];
    bool has_corners; /* chromaticities of white, red, green, blue below; else those of sRGB */
    double xy[8];
} rv_profile;

/** Sets Adobe RGB where EXIF names it, as cameras do that embed no profile. */
void rv_exif_profile(rv_profile *out, const rv_blob *exif);

enum { RV_ICC_LIMIT = 8 << 20 };

/** Turns rows of a file into rows of an rv_image. */
typedef struct rv_colours rv_colours;

/** A profile that is damaged, of another colour space or beyond RV_ICC_LIMIT is left out, with a warning. */
RV_NODISCARD rv_status rv_colours_create(rv_colours **out, rv_pixel_format format,
                                         const rv_profile *profile, const rv_image_source *source);
/** From sRGB to the colours of a profile of RGB. RV_ERR_UNSUPPORTED where it leads one way only. */
RV_NODISCARD rv_status rv_colours_create_back(rv_colours **out, rv_pixel_format format,
                                              const rv_blob *icc);
void rv_colours_destroy(rv_colours *colours);
/** Moves the profile that the colours came from, if RGB can be turned back into it, to the picture. */
void rv_colours_give_profile(rv_colours *colours, rv_image *image);
/** @param to  [width, 3 or 4 with alpha], not overlapping `from` */
void rv_colours_row(const rv_colours *colours, void *to, const void *from, size_t width);

#endif
