/* Opens data sets of any kind, holds pictures back for validation, and reads them. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/philox.h"
#include "base/system.h"
#include "dataset/internal.h"

#include <reverie/image.h>

#include <stdlib.h>
#include <string.h>

/* Streams of Philox from here on, one for each class: what is held back. */
enum { STREAM_SPLIT = 1 << 20 };

rv_status rv_dataset_find_class(rv_dataset *d, int32_t *out, const char *name,
                                const rv_dataset_options *options)
{
    for (size_t i = 0; i < d->n_classes; i++) {
        if (strcmp(d->classes[i], name) == 0) {
            *out = (int32_t)i;
            return RV_OK;
        }
    }
    if (options->n_classes > 0) {
        return rv_fail(RV_ERR_USAGE, "%s: the model knows no class '%s'", d->path, name);
    }
    RV_TRY(rv_grow(&d->classes, &d->classes_capacity, d->n_classes + 1, sizeof *d->classes,
                   "classes"));
    RV_TRY(rv_strdup(&d->classes[d->n_classes], name));
    *out = (int32_t)d->n_classes++;
    return RV_OK;
}

rv_status rv_dataset_add(rv_dataset *d, const char *path, const uint8_t *data, int32_t label,
                         rv_subset subset)
{
    RV_TRY(rv_grow(&d->items, &d->items_capacity, d->n_items + 1, sizeof *d->items, "pictures"));
    rv_item *item = &d->items[d->n_items];
    *item = (rv_item){.data = data, .label = label, .subset = subset};
    if (path != NULL) {
        RV_TRY(rv_strdup(&item->path, path));
    }
    d->n_items++;
    return RV_OK;
}

/* --- subsets --------------------------------------------------------------------------------- */

/* Number of item k of n in an order drawn for a class: Fisher and Yates's shuffle, in place. */
static void shuffle(size_t *items, size_t n, uint32_t seed, uint32_t stream)
{
    for (size_t i = n; i > 1; i--) {
        const size_t k = (size_t)((double)rv_philox_uniform(seed, stream, (uint32_t)i) * (double)i);
        const size_t other = items[k];
        items[k] = items[i - 1];
        items[i - 1] = other;
    }
}

/* Holds back a share of each class, at least one where that leaves one. */
static void hold_back_drawn(rv_dataset *d, size_t *scratch, const rv_dataset_options *o)
{
    for (size_t c = 0; c < d->n_classes; c++) {
        size_t n = 0;
        for (size_t i = 0; i < d->n_items; i++) {
            if ((size_t)d->items[i].label == c) {
                scratch[n++] = i;
            }
        }
        shuffle(scratch, n, o->seed, (uint32_t)(STREAM_SPLIT + c));
        size_t held = (size_t)(o->validation * (double)n + 0.5);
        held = held == 0 && n > 1 ? 1 : held;
        for (size_t i = 0; i < held; i++) {
            d->items[scratch[i]].subset = RV_SUBSET_VALIDATION;
        }
    }
}

static void hold_back_last(rv_dataset *d, double share)
{
    const size_t held = (size_t)(share * (double)d->n_items + 0.5);
    for (size_t i = d->n_items - held; i < d->n_items; i++) {
        d->items[i].subset = RV_SUBSET_VALIDATION;
    }
}

static rv_status divide(rv_dataset *d, const rv_dataset_options *o)
{
    for (int s = 0; s < RV_SUBSETS; s++) {
        RV_TRY(rv_alloc(&d->order[s], d->n_items + 1, sizeof(size_t), "pictures"));
    }
    if (!d->has_validation && o->validation > 0) {
        if (d->in_order) {
            hold_back_last(d, o->validation);
        } else {
            hold_back_drawn(d, d->order[0], o);
        }
    }
    for (size_t i = 0; i < d->n_items; i++) {
        const rv_subset s = d->items[i].subset;
        d->order[s][d->n[s]++] = i;
    }
    return RV_OK;
}

/* --- open ------------------------------------------------------------------------------------ */

static rv_status take_classes(rv_dataset *d, const rv_dataset_options *o)
{
    for (size_t i = 0; i < o->n_classes; i++) {
        RV_TRY(rv_grow(&d->classes, &d->classes_capacity, d->n_classes + 1, sizeof *d->classes,
                       "classes"));
        RV_TRY(rv_strdup(&d->classes[d->n_classes], o->classes[i]));
        d->n_classes++;
    }
    return RV_OK;
}

static rv_status read_set(rv_dataset *d, const rv_dataset_options *o)
{
    bool taken = false;
    d->channels = 3;
    d->task = o->task;
    RV_TRY(take_classes(d, o));
    if (strcmp(rv_path_extension(d->path), ".csv") == 0) {
        return rv_dataset_read_csv(d, o);
    }
    if (rv_path_exists(d->path) && !rv_path_is_folder(d->path)) {
        return rv_fail(RV_ERR_UNSUPPORTED,
                       "%s: a data set is a folder with a folder for each class, a folder with "
                       "IDX files, or a .csv list",
                       d->path);
    }
    if (d->task != RV_TASK_CLASSES) {
        return rv_fail(RV_ERR_USAGE, "%s: only a .csv list tells %s of pictures", d->path,
                       d->task == RV_TASK_LABELS ? "several labels" : "numbers");
    }
    RV_TRY(rv_dataset_read_idx(d, &taken));
    return taken ? RV_OK : rv_dataset_read_folders(d, o);
}

/* A class that only validation has is a mistake; one that only training has is said. */
static rv_status check_validation(const rv_dataset *d, const rv_dataset_options *o)
{
    bool(*has)[RV_SUBSETS];
    rv_status status = RV_OK;
    RV_TRY(rv_alloc(&has, d->n_classes, sizeof *has, "classes"));
    for (size_t i = 0; i < d->n_items; i++) {
        has[d->items[i].label][d->items[i].subset] = true;
    }
    for (size_t c = 0; c < d->n_classes && status == RV_OK; c++) {
        if (!has[c][RV_SUBSET_TRAIN] && o->n_classes == 0) {
            status = rv_fail(RV_ERR_USAGE, "%s: class '%s' is in val, but not in train", d->path,
                             d->classes[c]);
        } else if (!has[c][RV_SUBSET_VALIDATION]) {
            rv_log(o->events, RV_LOG_WARNING, "%s: class '%s' has no pictures in val", d->path,
                   d->classes[c]);
        }
    }
    free(has);
    return status;
}

static rv_status check(const rv_dataset *d, const rv_dataset_options *o)
{
    if (d->n_items == 0) {
        return rv_fail(RV_ERR_USAGE, "%s: there are no labelled pictures", d->path);
    }
    if (d->n_classes == 0) {
        return rv_fail(RV_ERR_USAGE, "%s: no picture has a label", d->path);
    }
    if (d->task == RV_TASK_CLASSES && d->n_classes < 2) {
        return rv_fail(RV_ERR_USAGE, "%s: all pictures are of one class, '%s'", d->path,
                       d->classes[0]);
    }
    return d->task == RV_TASK_CLASSES && d->has_validation ? check_validation(d, o) : RV_OK;
}

/* Names of pictures; NULL: the set is what lies at a path. */
typedef struct named {
    const char *const *names;
    size_t n;
} named;

static rv_status read_names(rv_dataset *d, const named *from, const rv_dataset_options *o)
{
    d->channels = 3;
    d->task = o->task;
    RV_TRY(take_classes(d, o));
    return d->task == RV_TASK_CLASSES
               ? rv_dataset_read_names(d, from->names, from->n, o)
               : rv_fail(RV_ERR_USAGE, "%s: folders tell classes only, no labels or numbers",
                         d->path);
}

static rv_status open_set(rv_dataset *d, const char *path, const named *from,
                          const rv_dataset_options *o)
{
    if (!(o->validation >= 0 && o->validation < 1)) {
        return rv_fail(RV_ERR_USAGE, "the share for validation is %g, must be from 0 to below 1",
                       o->validation);
    }
    RV_TRY(rv_strdup(&d->path, path));
    RV_TRY(from != NULL ? read_names(d, from, o) : read_set(d, o));
    RV_TRY(check(d, o));
    return divide(d, o);
}

static rv_status open_any(rv_dataset **out, const char *path, const named *from,
                          const rv_dataset_options *options)
{
    rv_dataset *d;
    *out = NULL;
    RV_TRY(rv_alloc(&d, 1, sizeof *d, "data set"));
    const rv_status status = open_set(d, path, from, options);
    if (status != RV_OK) {
        rv_dataset_close(d);
        return status;
    }
    *out = d;
    return RV_OK;
}

rv_status rv_dataset_open(rv_dataset **out, const char *path, const rv_dataset_options *options)
{
    return open_any(out, path, NULL, options);
}

rv_status rv_dataset_open_names(rv_dataset **out, const char *path, const char *const *names,
                                size_t n, const rv_dataset_options *options)
{
    const named from = {names, n};
    return open_any(out, path, &from, options);
}

void rv_dataset_close(rv_dataset *d)
{
    if (d == NULL) {
        return;
    }
    for (size_t i = 0; i < d->n_classes; i++) {
        free(d->classes[i]);
    }
    for (size_t i = 0; i < d->n_items; i++) {
        free(d->items[i].path);
    }
    rv_dataset_release_cells(d);
    free(d->targets);
    for (int i = 0; i < d->n_arrays; i++) {
        free(d->arrays[i]);
    }
    free(d->order[0]);
    free(d->order[1]);
    free(d->classes);
    free(d->items);
    free(d->path);
    free(d);
}

/* --- look ------------------------------------------------------------------------------------ */

rv_task rv_dataset_task(const rv_dataset *d)
{
    return d->task;
}

int rv_dataset_class_count(const rv_dataset *d)
{
    return (int)d->n_classes;
}

const char *rv_dataset_class(const rv_dataset *d, int index)
{
    return d->classes[index];
}

int rv_dataset_channels(const rv_dataset *d)
{
    return d->channels;
}

void rv_dataset_size(const rv_dataset *d, int *width, int *height)
{
    *width = d->width;
    *height = d->height;
}

size_t rv_dataset_count(const rv_dataset *d, rv_subset subset)
{
    return d->n[subset];
}

size_t rv_dataset_number(const rv_dataset *d, rv_subset subset, size_t index)
{
    return d->order[subset][index];
}

int32_t rv_dataset_label(const rv_dataset *d, rv_subset subset, size_t index)
{
    return d->items[d->order[subset][index]].label;
}

const float *rv_dataset_targets(const rv_dataset *d, rv_subset subset, size_t index)
{
    return d->targets != NULL ? d->targets + d->order[subset][index] * d->n_classes : NULL;
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    return rv_hash(hash, text, strlen(text) + 1);
}

uint64_t rv_dataset_fingerprint(const rv_dataset *d)
{
    uint64_t hash = RV_HASH_START;
    for (size_t i = 0; i < d->n_classes; i++) {
        hash = hash_text(hash, d->classes[i]);
    }
    for (size_t i = 0; i < d->n_items; i++) {
        const rv_item *item = &d->items[i];
        const int32_t what[2] = {item->label, (int32_t)item->subset};
        hash = rv_hash(hash, what, sizeof what);
        hash = item->path != NULL ? hash_text(hash, item->path) : hash;
    }
    return d->targets != NULL
               ? rv_hash(hash, d->targets, d->n_items * d->n_classes * sizeof *d->targets)
               : hash;
}

/* --- read ------------------------------------------------------------------------------------ */

static rv_status sample_create(rv_sample *out, int width, int height, int channels)
{
    *out = (rv_sample){.width = width, .height = height, .channels = channels};
    return rv_alloc(&out->data, (size_t)width * (size_t)height, (size_t)channels, "a picture");
}

/* 8 bits of three channels; what is transparent becomes white. */
static rv_status take_image(rv_sample *out, const rv_image *image)
{
    const int channels = rv_image_channels(image);
    const size_t n = (size_t)rv_image_width(image) * (size_t)rv_image_height(image);
    const bool deep = rv_image_bits(image) == 16;
    const uint8_t *bytes = rv_image_pixels_const(image);
    const uint16_t *words = rv_image_pixels_const(image);
    RV_TRY(sample_create(out, rv_image_width(image), rv_image_height(image), 3));
    for (size_t i = 0; i < n; i++) {
        const size_t at = i * (size_t)channels;
        const int alpha = channels < 4 ? 255 : deep ? words[at + 3] / 257 : bytes[at + 3];
        for (size_t c = 0; c < 3; c++) {
            const int v = deep ? (words[at + c] + 128) / 257 : bytes[at + c];
            out->data[3 * i + c] = (uint8_t)((v * alpha + 255 * (255 - alpha) + 127) / 255);
        }
    }
    return RV_OK;
}

rv_status rv_dataset_read(rv_sample *out, const rv_dataset *d, rv_subset subset, size_t index)
{
    const rv_item *item = &d->items[d->order[subset][index]];
    rv_image *image;
    *out = (rv_sample){0};
    if (item->path == NULL) {
        RV_TRY(sample_create(out, d->width, d->height, d->channels));
        memcpy(out->data, item->data, (size_t)d->width * (size_t)d->height * (size_t)d->channels);
        return RV_OK;
    }
    RV_TRY(rv_image_read(&image, item->path, NULL));
    const rv_status status = take_image(out, image);
    rv_image_destroy(image);
    return status;
}

void rv_sample_release(rv_sample *sample)
{
    free(sample->data);
    *sample = (rv_sample){0};
}
