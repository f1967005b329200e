/* Picture files made by libjpeg and libpng directly, EXIF and profiles for them, and checks of what was read. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_TESTS_IMAGE_MAKE_H
#define RV_TESTS_IMAGE_MAKE_H

#include <reverie/image.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h> /* before jpeglib.h */

#include <jpeglib.h>
#include <png.h>

typedef struct jpeg_spec {
    int width, height;
    J_COLOR_SPACE colours; /* in the file; what is given is JCS_RGB, JCS_GRAYSCALE or JCS_CMYK */
    int h, v;              /* sampling of the first component, 0: 1 */
    int quality;           /* 0: 100 */
    bool progressive, arithmetic, no_adobe;
    int restart;                                       /* rows of MCUs between restart markers */
    const uint8_t *pixels;                             /* [height, width, components] */
    void (*markers)(j_compress_ptr cinfo, void *data); /* writes markers behind the first ones */
    void *data;
    bool bomb; /* a script of 150 scans */
} jpeg_spec;

typedef struct png_spec {
    int width, height, colour_type, depth;
    bool interlaced;
    const uint8_t *rows; /* [height, row bytes], big endian, packed */
    void (*chunks)(png_structp png, png_infop info, void *data); /* before the picture */
    void *data;
} png_spec;

/** Writes a file into rv_test_folder() and returns its path. */
const char *make_jpeg(const char *name, const jpeg_spec *spec);
const char *make_png(const char *name, const png_spec *spec);

enum { EXIF_BYTES = 512 };

/** "Exif\0\0" and TIFF: Make "Reverie", the orientation (as LONG if `wrong_type`), ColorSpace 65535, sizes 7 x 9,
 *  and a thumbnail of 40 bytes of 0xEE. @return bytes written to `out` [EXIF_BYTES] */
size_t make_exif(uint8_t *out, bool big_endian, int orientation, bool wrong_type);

/** Profile like Adobe RGB (1998), or a grey one of gamma 1.8, in memory freed with free(). */
uint8_t *make_rgb_profile(size_t *out_size);
uint8_t *make_grey_profile(size_t *out_size);

/** Smooth colours of 8 bits that subsampling hardly changes: channel c at (x, y). */
int smooth(int x, int y, int c);

/** Reads a file that must be readable. */
rv_image *read_image(const char *path);
/** Sample of 8 or 16 bits. */
int sample(const rv_image *image, int x, int y, int c);

/** A file that must be refused: status, and words that the message holds (NULL: none); it always names the file. */
void refuses_image(const char *path, rv_status expected, const char *words);

/** Decodes a copy of exactly these bytes, so that the sanitizers see a read beyond them. */
rv_status decode_copy(rv_image **out, const uint8_t *bytes, size_t n,
                      const rv_image_read_options *options);

/** Decodes them, expecting this failure. */
void refuses_bytes(const uint8_t *bytes, size_t n, rv_status expected, const char *words);

/** Events that keep the last warning and count. */
typedef struct heard {
    rv_events events;
    int warnings;
    char text[512];
} heard;
heard *listen(heard *out);

#endif
