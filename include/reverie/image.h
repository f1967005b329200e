/* Pictures on the host: reading, writing, metadata. */
/* SPDX-License-Identifier: MIT */
#ifndef REVERIE_IMAGE_H
#define REVERIE_IMAGE_H

#include <reverie/events.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A picture: rows from the top, pixels interleaved, sRGB, upright (EXIF orientation applied),
 *  3 channels (R,G,B) or 4 (R,G,B,A; alpha not premultiplied), 8 or 16 bits a sample in native byte
 *  order. With it travel EXIF, XMP and the colour profile of the file it was read from. */
typedef struct rv_image rv_image;

typedef struct rv_image_read_options {
    size_t struct_size;
    uint64_t max_pixels;  /**< width * height beyond this is RV_ERR_MEMORY; 0: 200 million */
    bool allow_truncated; /**< keep a cut JPEG, missing rows grey, with a warning; default false */
    bool no_autorotate;   /**< leave EXIF orientation alone; default false */
    const rv_events *events;
} rv_image_read_options;
#define RV_IMAGE_READ_OPTIONS_INIT                           \
    {                                                        \
        sizeof(rv_image_read_options), 0, false, false, NULL \
    }

typedef struct rv_image_write_options {
    size_t struct_size;
    int quality;    /**< JPEG and WebP, 1 to 100, default 95; WebP of 100 is lossless */
    bool subsample; /**< JPEG 4:2:0 instead of 4:4:4, WebP plain instead of sharp; default false */
    bool overwrite; /**< replace an existing file; default false: RV_ERR_USAGE */
    bool strip;     /**< write no EXIF, XMP or settings; default false */
    const char
        *settings; /**< UTF-8 text kept in the file (JPEG: comment, PNG: iTXt "reverie", TIFF:
                               Software, WebP: a chunk of its own), or NULL */
    bool unsynced; /**< do not wait until the disk has it: for many files that can be made again;
                        default false */
    bool keep_icc; /**< samples in the colours of the profile that came with the picture, which is
                        embedded; without one sRGB as ever; default false */
} rv_image_write_options;
#define RV_IMAGE_WRITE_OPTIONS_INIT                                                 \
    {                                                                               \
        sizeof(rv_image_write_options), 95, false, false, false, NULL, false, false \
    }

/** Zeroed picture of channels 3 or 4, bits 8 or 16. */
RV_API RV_NODISCARD rv_status rv_image_create(rv_image **out, int width, int height, int channels,
                                              int bits);
RV_API void rv_image_destroy(rv_image *image);

/** The formats of this build, "JPEG, PNG, TIFF, WebP" or fewer. */
RV_API const char *rv_image_formats(void);
/** Whether a path ends as pictures do that this build reads, in letters of either case. */
RV_API bool rv_image_has_name(const char *path);

/** Pictures in a folder, not in those below: names without a dot before them that rv_image_has_name() takes, sorted by
 *  bytes. *out is one block, freed with free().
 *  @return RV_ERR_NOT_FOUND, or RV_ERR_IO where it is no folder or cannot be read. */
RV_API RV_NODISCARD rv_status rv_image_list(char ***out, size_t *n, const char *folder);

/** Whether a picture has `settings` that begin so, as rv_image_write() leaves them: found without decoding it. False
 *  where it cannot be read. */
RV_API bool rv_image_has_settings(const char *path, const char *start);

/** Reads JPEG (baseline, progressive; grey, YCbCr, RGB, CMYK, YCCK), PNG (any depth and colour type), and where it
 *  was built with them TIFF (first picture; grey, RGB, palette, CMYK; 1 to 32 bits; strips, tiles, planes) and WebP
 *  (lossy, lossless, first frame), told apart by content. Profiles are converted to sRGB. More than 8 bits become 16,
 *  all else is 8; floats of a TIFF are taken from 0 to 1.
 *  Of what a PNG says of its colours, cICP goes before iCCP, that before sRGB, that before gAMA and cHRM; gAMA of
 *  1/2.2 means sRGB. Without a profile, EXIF that names Adobe RGB is believed. CMYK without a profile becomes
 *  (1 - ink)(1 - black).
 *  @param options  NULL for defaults.
 *  @return RV_ERR_NOT_FOUND, RV_ERR_IO, RV_ERR_FORMAT (damaged, with what and where), RV_ERR_UNSUPPORTED (with the
 *          command that converts it), RV_ERR_MEMORY (limits are checked on the header, before memory is taken). */
RV_API RV_NODISCARD rv_status rv_image_read(rv_image **out, const char *path,
                                            const rv_image_read_options *options);

/** What rv_image_read() would make of a file, by its header, without a look at the samples, which may be damaged.
 *  @return as rv_image_read(), of the header */
RV_API RV_NODISCARD rv_status rv_image_look(int *channels, int *bits, const char *path,
                                            const rv_image_read_options *options);

/** Writes by the extension of `path` (.jpg .jpeg .png .tif .tiff .webp), complete or not at all. JPEG takes no alpha:
 *  RV_ERR_USAGE. 16 bits stay 16 in PNG and TIFF and are dithered to 8 in JPEG and WebP, the same way each time. EXIF
 *  and XMP of the picture are copied, orientation reset to 1, the embedded thumbnail dropped; XMP beyond 64 kB only
 *  from JPEG to JPEG. */
RV_API RV_NODISCARD rv_status rv_image_write(const rv_image *image, const char *path,
                                             const rv_image_write_options *options);
/** Whether rv_image_write() would take the picture, name and options: its failure otherwise, before the work. Looks at
 *  no file. */
RV_API RV_NODISCARD rv_status rv_image_check_write(const rv_image *image, const char *path,
                                                   const rv_image_write_options *options);

RV_API int rv_image_width(const rv_image *image);
RV_API int rv_image_height(const rv_image *image);
RV_API int rv_image_channels(const rv_image *image); /**< 3 or 4 */
RV_API int rv_image_bits(const rv_image *image);     /**< 8 or 16 */
/** height * width * channels samples of uint8_t or uint16_t; borrowed. */
RV_API void *rv_image_pixels(rv_image *image);
RV_API const void *rv_image_pixels_const(const rv_image *image);
/** Makes `to` carry the EXIF, XMP and colour profile of `from`. */
RV_API RV_NODISCARD rv_status rv_image_copy_metadata(rv_image *to, const rv_image *from);
/** Text that rv_image_write kept as `settings`, NULL if none; borrowed. */
RV_API const char *rv_image_settings(const rv_image *image);

#ifdef __cplusplus
}
#endif
#endif
