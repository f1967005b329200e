/* Data sets in IDX files, the format of MNIST: arrays of bytes behind a header, perhaps compressed by gzip. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "dataset/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { MAX_SIDE = 65535, MAX_CLASSES = 256, BYTE_TYPE = 8 };
static const size_t max_bytes = (size_t)4 << 30, first_bytes = (size_t)1 << 20;

/* Header of an IDX file: dimensions and where the values start. */
typedef struct header {
    uint32_t dim[3];
    size_t start;
} header;

/* All of a file, decompressed; gzread() hands on what is not compressed. */
static rv_status read_file(uint8_t **out, size_t *size, const char *path)
{
    size_t capacity = 0, n = 0;
    rv_status status = RV_OK;
    *out = NULL;
    gzFile file = gzopen(path, "rb");
    if (file == NULL) {
        return rv_fail(RV_ERR_IO, "%s cannot be read", path);
    }
    for (int got = 1; got > 0 && status == RV_OK;) {
        if (n > max_bytes) {
            status = rv_fail(RV_ERR_MEMORY, "%s holds more than %zu GB", path, max_bytes >> 30);
            break;
        }
        status = rv_grow(out, &capacity, n < first_bytes ? first_bytes : 2 * n, 1, path);
        if (status == RV_OK) {
            got = gzread(file, *out + n,
                         (unsigned)((capacity - n) < (1u << 30) ? capacity - n : 1u << 30));
            n += got > 0 ? (size_t)got : 0;
            if (got < 0) {
                status = rv_fail(RV_ERR_FORMAT, "%s: damaged behind byte %zu", path, n);
            }
        }
    }
    if (gzclose(file) != Z_OK && status == RV_OK) {
        status = rv_fail(RV_ERR_FORMAT, "%s: the compressed data ends early", path);
    }
    *size = n;
    return status;
}

static uint32_t big_endian(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static rv_status parse(header *out, const uint8_t *data, size_t size, int rank, const char *path)
{
    *out = (header){.start = 4 + 4 * (size_t)rank};
    if (size < out->start || data[0] != 0 || data[1] != 0 || data[2] != BYTE_TYPE ||
        data[3] != rank) {
        return rv_fail(RV_ERR_FORMAT, "%s: no IDX file of bytes in %d dimensions", path, rank);
    }
    size_t n = 1;
    for (int i = 0; i < rank; i++) {
        out->dim[i] = big_endian(data + 4 + 4 * i);
        if (!rv_size_mul(&n, n, out->dim[i])) {
            n = SIZE_MAX;
        }
    }
    if (n != size - out->start) {
        return rv_fail(RV_ERR_FORMAT, "%s: the header promises %zu values, there are %zu", path, n,
                       size - out->start);
    }
    return RV_OK;
}

static rv_status add_items(rv_dataset *d, const uint8_t *pictures, const uint8_t *labels, size_t n,
                           rv_subset subset)
{
    const size_t bytes = (size_t)d->width * (size_t)d->height;
    for (size_t i = 0; i < n; i++) {
        RV_TRY(rv_dataset_add(d, NULL, pictures + i * bytes, labels[i], subset));
    }
    return RV_OK;
}

static rv_status check_pair(rv_dataset *d, const header *pictures, const header *labels,
                            const char *path)
{
    const uint32_t height = pictures->dim[1], width = pictures->dim[2];
    if (pictures->dim[0] != labels->dim[0]) {
        return rv_fail(RV_ERR_FORMAT, "%s: %u pictures, but %u labels", path,
                       (unsigned)pictures->dim[0], (unsigned)labels->dim[0]);
    }
    if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE) {
        return rv_fail(RV_ERR_FORMAT, "%s: pictures of %u x %u", path, (unsigned)width,
                       (unsigned)height);
    }
    if (d->width != 0 && (d->width != (int)width || d->height != (int)height)) {
        return rv_fail(RV_ERR_FORMAT, "%s: pictures of %u x %u beside others of %d x %d", path,
                       (unsigned)width, (unsigned)height, d->width, d->height);
    }
    d->width = (int)width;
    d->height = (int)height;
    return RV_OK;
}

/* A file of pictures and the one of labels that goes with it. */
static rv_status read_pair(rv_dataset *d, const char *pictures, const char *labels,
                           rv_subset subset)
{
    uint8_t *p = NULL, *l = NULL;
    size_t p_size = 0, l_size = 0;
    header ph, lh;
    rv_status status = read_file(&p, &p_size, pictures);
    d->arrays[d->n_arrays++] = p;
    if (status == RV_OK) {
        status = read_file(&l, &l_size, labels);
        d->arrays[d->n_arrays++] = l;
    }
    RV_TRY(status);
    RV_TRY(parse(&ph, p, p_size, 3, pictures));
    RV_TRY(parse(&lh, l, l_size, 1, labels));
    RV_TRY(check_pair(d, &ph, &lh, pictures));
    return add_items(d, p + ph.start, l + lh.start, ph.dim[0], subset);
}

/* The path of `stem` with or without .gz, NULL where there is neither. */
static rv_status find(char **out, const char *folder, const char *prefix, const char *stem)
{
    static const char *const endings[] = {"", ".gz"};
    *out = NULL;
    for (size_t i = 0; i < 2; i++) {
        char *path;
        RV_TRY(rv_format(&path, "%s/%s-%s%s", folder, prefix, stem, endings[i]));
        if (rv_path_exists(path)) {
            *out = path;
            return RV_OK;
        }
        free(path);
    }
    return RV_OK;
}

static rv_status read_subset(rv_dataset *d, const char *prefix, rv_subset subset, bool *found)
{
    char *pictures = NULL, *labels = NULL;
    rv_status status = find(&pictures, d->path, prefix, "images-idx3-ubyte");
    *found = pictures != NULL;
    if (status == RV_OK && *found) {
        status = find(&labels, d->path, prefix, "labels-idx1-ubyte");
    }
    if (status == RV_OK && *found && labels == NULL) {
        status = rv_fail(RV_ERR_NOT_FOUND, "%s: there are no labels beside it", pictures);
    }
    if (status == RV_OK && *found) {
        status = read_pair(d, pictures, labels, subset);
    }
    free(pictures);
    free(labels);
    return status;
}

/* Classes are numbers: as many as the largest label says. */
static rv_status name_classes(rv_dataset *d)
{
    const rv_dataset_options none = {0};
    int32_t largest = 0, label;
    const size_t known = d->n_classes;
    for (size_t i = 0; i < d->n_items; i++) {
        largest = d->items[i].label > largest ? d->items[i].label : largest;
    }
    if (known > 0 && (size_t)largest >= known) {
        return rv_fail(RV_ERR_USAGE, "%s: label %d, but the model has %zu classes", d->path,
                       (int)largest, known);
    }
    for (int32_t c = 0; known == 0 && c <= largest; c++) {
        char name[16];
        snprintf(name, sizeof name, "%d", (int)c);
        RV_TRY(rv_dataset_find_class(d, &label, name, &none));
    }
    return RV_OK;
}

rv_status rv_dataset_read_idx(rv_dataset *d, bool *taken)
{
    bool train, test;
    RV_TRY(read_subset(d, "train", RV_SUBSET_TRAIN, &train));
    RV_TRY(read_subset(d, "t10k", train ? RV_SUBSET_VALIDATION : RV_SUBSET_TRAIN, &test));
    *taken = train || test;
    if (!*taken) {
        return RV_OK;
    }
    d->has_validation = train && test;
    d->in_order = true;
    d->channels = 1;
    return name_classes(d);
}
