/* EXIF: the orientation and colours of a picture, and what of the block goes into an output. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "image/internal.h"

#include <libexif/exif-data.h>
#include <libexif/exif-utils.h>
#include <stdlib.h>
#include <string.h>

/* @return NULL where nothing in the block can be read */
static ExifData *load(const rv_blob *exif)
{
    if (exif->data == NULL || exif->size > UINT32_MAX) {
        return NULL;
    }
    ExifData *data = exif_data_new();
    if (data == NULL) {
        return NULL;
    }
    /* Copied as it is: tags that libexif does not know stay, none is added. */
    exif_data_unset_option(data, EXIF_DATA_OPTION_IGNORE_UNKNOWN_TAGS);
    exif_data_unset_option(data, EXIF_DATA_OPTION_FOLLOW_SPECIFICATION);
    exif_data_load_data(data, exif->data, (unsigned)exif->size);
    unsigned entries = 0;
    for (int i = 0; i < EXIF_IFD_COUNT; i++) {
        entries += data->ifd[i] != NULL ? data->ifd[i]->count : 0;
    }
    if (entries == 0) {
        exif_data_unref(data);
        return NULL;
    }
    return data;
}

static ExifEntry *find_short(ExifData *data, ExifIfd ifd, ExifTag tag)
{
    ExifEntry *entry = exif_content_get_entry(data->ifd[ifd], tag);
    return entry != NULL && entry->format == EXIF_FORMAT_SHORT && entry->size >= 2 ? entry : NULL;
}

int rv_exif_orientation(const rv_blob *exif, const rv_image_source *source)
{
    if (exif->data == NULL) {
        return 1;
    }
    ExifData *data = load(exif);
    if (data == NULL) {
        rv_log(source->events, RV_LOG_WARNING, "%s: its EXIF block is damaged and ignored",
               source->name);
        return 1;
    }
    int orientation = 1;
    if (exif_content_get_entry(data->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION) != NULL) {
        const ExifEntry *entry = find_short(data, EXIF_IFD_0, EXIF_TAG_ORIENTATION);
        const int value =
            entry != NULL ? exif_get_short(entry->data, exif_data_get_byte_order(data)) : 0;
        if (value >= 1 && value <= 8) {
            orientation = value;
        } else {
            rv_log(source->events, RV_LOG_WARNING,
                   "%s: its EXIF orientation is none of 1 to 8 and ignored", source->name);
        }
    }
    exif_data_unref(data);
    return orientation;
}

void rv_exif_profile(rv_profile *out, const rv_blob *exif)
{
    enum { UNCALIBRATED = 65535 };
    static const double adobe_rgb[8] = {0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06};
    ExifData *data = load(exif);
    if (data == NULL) {
        return;
    }
    const ExifEntry *space = find_short(data, EXIF_IFD_EXIF, EXIF_TAG_COLOR_SPACE);
    const ExifEntry *index = exif_content_get_entry(data->ifd[EXIF_IFD_INTEROPERABILITY],
                                                    EXIF_TAG_INTEROPERABILITY_INDEX);
    if (space != NULL &&
        exif_get_short(space->data, exif_data_get_byte_order(data)) == UNCALIBRATED &&
        index != NULL && index->size >= 3 && memcmp(index->data, "R03", 3) == 0) {
        out->has_curve = out->has_corners = true;
        out->curve[0] = 563.0 / 256;
        out->curve[1] = 1;
        memcpy(out->xy, adobe_rgb, sizeof adobe_rgb);
    }
    exif_data_unref(data);
}

static void set_short(ExifData *data, ExifIfd ifd, ExifTag tag, ExifShort value)
{
    const ExifEntry *entry = find_short(data, ifd, tag);
    if (entry != NULL) {
        exif_set_short(entry->data, exif_data_get_byte_order(data), value);
    }
}

/* Sizes may be of either type. */
static void set_size(ExifData *data, ExifTag tag, int value)
{
    ExifEntry *entry = exif_content_get_entry(data->ifd[EXIF_IFD_EXIF], tag);
    if (entry == NULL) {
        return;
    }
    if (entry->format == EXIF_FORMAT_LONG && entry->size >= 4) {
        exif_set_long(entry->data, exif_data_get_byte_order(data), (ExifLong)value);
    } else if (entry->format == EXIF_FORMAT_SHORT && entry->size >= 2 && value <= UINT16_MAX) {
        exif_set_short(entry->data, exif_data_get_byte_order(data), (ExifShort)value);
    } else {
        exif_content_remove_entry(data->ifd[EXIF_IFD_EXIF], entry);
    }
}

static void drop_thumbnail(ExifData *data)
{
    free(data->data);
    data->data = NULL;
    data->size = 0;
    ExifContent *ifd = data->ifd[EXIF_IFD_1];
    while (ifd->count > 0) {
        exif_content_remove_entry(ifd, ifd->entries[0]);
    }
}

/* The index of the rules for files goes with the colours: R03 stands for Adobe RGB. */
static void set_srgb_rules(ExifData *data)
{
    ExifEntry *index = exif_content_get_entry(data->ifd[EXIF_IFD_INTEROPERABILITY],
                                              EXIF_TAG_INTEROPERABILITY_INDEX);
    if (index != NULL && index->size >= 3) {
        memcpy(index->data, "R98", 3);
    }
}

rv_status rv_exif_for_output(rv_blob *out, const rv_blob *exif, int width, int height, bool srgb)
{
    ExifData *data = load(exif);
    if (data == NULL) {
        return RV_OK;
    }
    enum { SRGB = 1, UNCALIBRATED = 65535 };
    set_short(data, EXIF_IFD_0, EXIF_TAG_ORIENTATION, 1);
    set_short(data, EXIF_IFD_EXIF, EXIF_TAG_COLOR_SPACE, srgb ? SRGB : UNCALIBRATED);
    if (srgb) {
        set_srgb_rules(data);
    }
    set_size(data, EXIF_TAG_PIXEL_X_DIMENSION, width);
    set_size(data, EXIF_TAG_PIXEL_Y_DIMENSION, height);
    drop_thumbnail(data);
    unsigned char *bytes = NULL;
    unsigned n = 0;
    exif_data_save_data(data, &bytes, &n);
    exif_data_unref(data);
    if (bytes == NULL) {
        return rv_fail(RV_ERR_MEMORY, "not enough memory for EXIF");
    }
    const rv_status status = rv_blob_set(out, bytes, n, "EXIF");
    free(bytes);
    return status;
}
