/* Directories of TIFF structures, which EXIF blocks and TIFF files are: fields found, copied and written. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_IMAGE_TIFF_FIELDS_H
#define RV_IMAGE_TIFF_FIELDS_H

#include "base/text.h"
#include "image/internal.h"

/** Bytes with a TIFF header; of the classic kind, with offsets of 32 bits. */
typedef struct rv_tiff {
    const uint8_t *data;
    size_t size;
    bool big_endian;
    uint32_t first; /**< directory */
} rv_tiff;

typedef enum rv_tiff_type {
    RV_TIFF_BYTE = 1,
    RV_TIFF_ASCII = 2,
    RV_TIFF_SHORT = 3,
    RV_TIFF_LONG = 4,
    RV_TIFF_UNDEFINED = 7
} rv_tiff_type;

typedef struct rv_tiff_field {
    uint16_t tag, type;
    uint32_t count;
    const uint8_t *value; /**< in the byte order of the structure */
    size_t bytes;
} rv_tiff_field;

/** Tags that this code asks for. */
enum {
    RV_TIFF_SUBFILE = 254,
    RV_TIFF_PHOTOMETRIC = 262,
    RV_TIFF_SOFTWARE = 305,
    RV_TIFF_SUB_DIRECTORIES = 330,
    RV_TIFF_EXIF = 34665,
    RV_TIFF_GPS = 34853,
    RV_TIFF_INTEROPERABILITY = 40965,
    RV_TIFF_DNG = 50706
};

/** False where there is no such header. */
bool rv_tiff_open(rv_tiff *out, const uint8_t *data, size_t size);
/** Fields of the directory at `at`, 0 where it lies outside. */
uint32_t rv_tiff_count(const rv_tiff *tiff, uint32_t at);
/** Field `i` of it; false where its type is unknown or its value lies outside. */
bool rv_tiff_get(const rv_tiff *tiff, uint32_t at, uint32_t i, rv_tiff_field *out);
bool rv_tiff_find(const rv_tiff *tiff, uint32_t at, uint16_t tag, rv_tiff_field *out);
/** Number `i` of a field of BYTE, SHORT or LONG; 0 where it has none. */
uint32_t rv_tiff_number(const rv_tiff *tiff, const rv_tiff_field *field, uint32_t i);
/** The directory behind the one at `at`, 0 at the end. */
uint32_t rv_tiff_next(const rv_tiff *tiff, uint32_t at);

/** Directories being written; bytes.data stands at `base` of the file. */
typedef struct rv_tiff_maker {
    rv_text bytes;
    size_t base;
    bool big_endian;
} rv_tiff_maker;

/** Appends a number of 2 or 4 bytes. */
void rv_tiff_put(rv_tiff_maker *maker, uint32_t number, int bytes);
/** Copies what describes the photo, not its samples, of the first directory and the EXIF, GPS and interoperability
 *  directories, and adds `more` fields, whose tags go before copied ones.
 *  @param from  NULL: only `more`
 *  @param out   offset in the file */
RV_NODISCARD rv_status rv_tiff_copy(rv_tiff_maker *maker, uint32_t *out, const rv_tiff *from,
                                    const rv_tiff_field *more, size_t n_more);

/** The EXIF block of a TIFF file; empty where it has none. */
RV_NODISCARD rv_status rv_tiff_exif(rv_blob *out, const uint8_t *data, size_t size);
/** Whether a TIFF file holds what the sensor of a camera saw, and no picture to look at. */
bool rv_tiff_is_raw(const uint8_t *data, size_t size);

#endif
