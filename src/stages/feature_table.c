/* Files that take the values of layers row by row, however many there are. */
/* SPDX-License-Identifier: MIT */
#include <reverie/features.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/npy.h"
#include "model/safetensors.h"

#include <stdlib.h>
#include <string.h>

typedef enum format { NPY, CSV, SAFETENSORS, N_FORMATS } format;
static const char *const extensions[N_FORMATS] = {".npy", ".csv", ".safetensors"};

/* The values of one layer. */
typedef struct part {
    size_t layer;
    char *name;
    int rank;      /* 0 before the first row */
    size_t dim[4]; /* dim[0]: rows so far */
    size_t values; /* of a row */
    rv_output *
        held; /* where they wait until those of the layers before are complete; NULL for the first */
} part;

struct rv_feature_table {
    char *path;
    format format;
    rv_feature_pool pool;
    part *parts;
    size_t n_parts;
    rv_output *output, *names; /* NULL: none */
    size_t reserved; /* bytes before the first value, which are written again at the end */
    float *pooled;   /* a row */
};

static format format_of(const char *path)
{
    format f = 0;
    while (f < N_FORMATS && strcmp(rv_path_extension(path), extensions[f]) != 0) {
        f++;
    }
    return f;
}

rv_status rv_feature_table_check_name(const char *path, size_t n_layers)
{
    const format f = format_of(path);
    if (f == N_FORMATS) {
        return rv_fail(RV_ERR_USAGE, "'%s': values are written as .npy, .csv or .safetensors",
                       path);
    }
    if (n_layers > 1 && f != SAFETENSORS) {
        return rv_fail(RV_ERR_USAGE,
                       "'%s' would hold more than one layer; name a .safetensors file or a folder, "
                       "or use {layer} in the name",
                       path);
    }
    return RV_OK;
}

/* --- create ---------------------------------------------------------------------------------- */

static rv_status open_files(rv_feature_table *t, const rv_feature_table_options *options)
{
    RV_TRY(rv_output_open(&t->output, t->path, options->overwrite));
    for (size_t k = 1; k < t->n_parts; k++) {
        RV_TRY(rv_output_open(&t->parts[k].held, t->path, options->overwrite));
    }
    if (options->names != NULL) {
        RV_TRY(rv_output_open(&t->names, options->names, options->overwrite));
        fputs("row,file\n", rv_output_stream(t->names));
    }
    return RV_OK;
}

static rv_status create(rv_feature_table *t, const char *path, const size_t *layers,
                        size_t n_layers, const rv_feature_table_options *options)
{
    RV_TRY(rv_strdup(&t->path, path));
    RV_TRY(rv_alloc(&t->parts, n_layers, sizeof *t->parts, "layers"));
    t->n_parts = n_layers;
    for (size_t k = 0; k < n_layers; k++) {
        t->parts[k].layer = layers[k];
    }
    return open_files(t, options);
}

rv_status rv_feature_table_create(rv_feature_table **out, const char *path, const size_t *layers,
                                  size_t n_layers, const rv_feature_table_options *options)
{
    static const rv_feature_table_options usual = {0};
    const rv_feature_table_options *o = options != NULL ? options : &usual;
    rv_feature_table *t;
    *out = NULL;
    if (n_layers == 0) {
        return rv_fail(RV_ERR_USAGE, "'%s': no layer was named", path);
    }
    RV_TRY(rv_feature_table_check_name(path, n_layers));
    RV_TRY(rv_alloc(&t, 1, sizeof *t, "a table"));
    t->format = format_of(path);
    t->pool = o->pool;
    const rv_status status = create(t, path, layers, n_layers, o);
    if (status != RV_OK) {
        rv_feature_table_discard(t);
        return status;
    }
    *out = t;
    return RV_OK;
}

static void release(rv_feature_table *t)
{
    for (size_t k = 0; k < t->n_parts; k++) {
        rv_output_discard(t->parts[k].held);
        free(t->parts[k].name);
    }
    free(t->parts);
    free(t->pooled);
    free(t->path);
    free(t);
}

void rv_feature_table_discard(rv_feature_table *table)
{
    if (table != NULL) {
        rv_output_discard(table->output);
        rv_output_discard(table->names);
        release(table);
    }
}

/* --- shapes ---------------------------------------------------------------------------------- */

/* The map as it is written, without data. */
static rv_feature_map shape_of(const rv_feature_table *t, const rv_features *features, size_t layer)
{
    rv_feature_map map = rv_features_map(features, layer);
    map.data = NULL;
    if (map.rank == 4 && t->pool != RV_FEATURE_POOL_NONE) {
        map.rank = 2;
        map.dim[2] = map.dim[3] = 0;
    }
    return map;
}

/* " x 8 x 4 x 4" */
static void append_shape(rv_text *text, int rank, const size_t *dim)
{
    for (int i = 1; i < rank; i++) {
        rv_text_append(text, " x %zu", dim[i]);
    }
}

static rv_status fail_shape(const part *p, const rv_feature_map *map)
{
    rv_text is = {0}, was = {0};
    append_shape(&is, map->rank, map->dim);
    append_shape(&was, p->rank, p->dim);
    const rv_status status =
        rv_fail(RV_ERR_SHAPE,
                "'%s' has the shape N%s here, but N%s in the first picture; pooled values of both "
                "fit in one file, or write a file for each",
                p->name, is.data != NULL ? is.data : "", was.data != NULL ? was.data : "");
    rv_text_release(&is);
    rv_text_release(&was);
    return status;
}

rv_status rv_feature_table_check(const rv_feature_table *table, const rv_features *features)
{
    for (size_t k = 0; k < table->n_parts; k++) {
        const part *p = &table->parts[k];
        if (p->layer >= rv_features_count(features)) {
            return rv_fail(RV_ERR_USAGE, "there is no layer %zu among %zu", p->layer,
                           rv_features_count(features));
        }
        const rv_feature_map map = shape_of(table, features, p->layer);
        if (rv_features_map(features, p->layer).data == NULL) {
            return rv_fail(RV_ERR_USAGE, "the network was not run over anything yet");
        }
        bool same = p->rank == 0 || p->rank == map.rank;
        for (int i = 1; i < map.rank && p->rank > 0; i++) {
            same = same && p->dim[i] == map.dim[i];
        }
        if (!same) {
            return fail_shape(p, &map);
        }
        if (map.dim[0] != rv_features_map(features, table->parts[0].layer).dim[0]) {
            return rv_fail(RV_ERR_SHAPE, "'%s' has %zu rows, '%s' another number", map.layer,
                           map.dim[0], rv_features_map(features, table->parts[0].layer).layer);
        }
    }
    return RV_OK;
}

/* --- what stands before the values ------------------------------------------------------------ */

static rv_status safetensors_header(rv_text *out, const rv_feature_table *t, size_t rows)
{
    rv_stored_tensor *tensors;
    if (rows > INT32_MAX) {
        return rv_fail(RV_ERR_UNSUPPORTED, "%s: more than %d rows", t->path, INT32_MAX);
    }
    RV_TRY(rv_alloc(&tensors, t->n_parts, sizeof *tensors, "tensors"));
    for (size_t k = 0; k < t->n_parts; k++) {
        const part *p = &t->parts[k];
        tensors[k].name = p->name;
        tensors[k].shape.rank = p->rank;
        for (int i = 0; i < p->rank; i++) {
            tensors[k].shape.dim[i] = (int32_t)(i == 0 ? rows : p->dim[i]);
        }
    }
    const rv_status status = rv_safetensors_header(out, tensors, t->n_parts, t->reserved);
    free(tensors);
    return status;
}

static rv_status make_header(rv_text *out, const rv_feature_table *t, size_t rows)
{
    const part *p = &t->parts[0];
    if (t->format == SAFETENSORS) {
        return safetensors_header(out, t, rows);
    }
    if (t->format == NPY) {
        size_t dim[4];
        memcpy(dim, p->dim, sizeof dim);
        dim[0] = rows;
        rv_npy_header(out, p->rank, dim, t->reserved);
        return rv_text_status(out);
    }
    rv_text_append(out, "file");
    for (size_t i = 0; i < p->values; i++) {
        rv_text_append(out, ",v%zu", i);
    }
    rv_text_append(out, "\n");
    return rv_text_status(out);
}

/* Of the length that it has at the end, for as many rows as there may ever be. */
static rv_status write_header(rv_feature_table *t, size_t rows)
{
    rv_text text = {0};
    const rv_status status = make_header(&text, t, rows);
    if (status == RV_OK) {
        fwrite(text.data, 1, text.length, rv_output_stream(t->output));
        t->reserved = text.length;
    }
    rv_text_release(&text);
    return status;
}

/* --- rows ------------------------------------------------------------------------------------ */

static rv_status begin(rv_feature_table *t, const rv_features *features)
{
    size_t most = 0;
    for (size_t k = 0; k < t->n_parts; k++) {
        part *p = &t->parts[k];
        const rv_feature_map map = shape_of(t, features, p->layer);
        RV_TRY(rv_strdup(&p->name, map.layer));
        p->rank = map.rank;
        p->values = 1;
        for (int i = 1; i < map.rank; i++) {
            p->dim[i] = map.dim[i];
            p->values *= map.dim[i];
        }
        most = p->values > most ? p->values : most;
    }
    RV_TRY(rv_alloc(&t->pooled, most, sizeof *t->pooled, "a row"));
    return write_header(t, INT32_MAX);
}

static float pool_one(const float *values, size_t n, rv_feature_pool pool)
{
    double sum = 0;
    float most = values[0];
    for (size_t i = 0; i < n; i++) {
        sum += (double)values[i];
        most = values[i] > most ? values[i] : most;
    }
    return pool == RV_FEATURE_POOL_MAX ? most : (float)(sum / (double)n);
}

/* Values of picture `row`: those of the map, or pooled. */
static const float *row_of(rv_feature_table *t, const rv_feature_map *map, size_t row,
                           size_t values)
{
    if (map->rank != 4 || t->pool == RV_FEATURE_POOL_NONE) {
        return map->data + row * values;
    }
    const size_t area = map->dim[2] * map->dim[3];
    for (size_t c = 0; c < values; c++) {
        t->pooled[c] = pool_one(map->data + (row * values + c) * area, area, t->pool);
    }
    return t->pooled;
}

/* Writes what was put together, and lets it go. */
static rv_status end_line(rv_text *text, FILE *stream)
{
    rv_text_append(text, "\n");
    const rv_status status = rv_text_status(text);
    if (status == RV_OK) {
        fwrite(text->data, 1, text->length, stream);
    }
    rv_text_release(text);
    return status;
}

static rv_status write_line(FILE *stream, const char *file, const float *values, size_t n)
{
    rv_text text = {0};
    rv_text_append_cell(&text, file);
    for (size_t i = 0; i < n; i++) {
        rv_text_append(&text, ",%.9g", (double)values[i]);
    }
    return end_line(&text, stream);
}

static rv_status write_name(FILE *stream, size_t row, const char *file)
{
    rv_text text = {0};
    rv_text_append(&text, "%zu,", row);
    rv_text_append_cell(&text, file);
    return end_line(&text, stream);
}

static rv_status add_row(rv_feature_table *t, const rv_features *features, size_t row,
                         const char *file)
{
    for (size_t k = 0; k < t->n_parts; k++) {
        part *p = &t->parts[k];
        FILE *stream = rv_output_stream(k == 0 ? t->output : p->held);
        const rv_feature_map map = rv_features_map(features, p->layer);
        const float *values = row_of(t, &map, row, p->values);
        if (t->format == CSV) {
            RV_TRY(write_line(stream, file, values, p->values));
        } else {
            fwrite(values, sizeof *values, p->values, stream);
        }
        if (ferror(stream)) {
            return rv_fail(RV_ERR_IO, "cannot write %s: disk full?", t->path);
        }
        p->dim[0]++;
    }
    return t->names != NULL ? write_name(rv_output_stream(t->names), t->parts[0].dim[0] - 1, file)
                            : RV_OK;
}

rv_status rv_feature_table_add(rv_feature_table *table, const rv_features *features, size_t first,
                               size_t n, const char *file)
{
    RV_TRY(rv_feature_table_check(table, features));
    const size_t there = rv_features_map(features, table->parts[0].layer).dim[0];
    if (first > there || n > there - first) {
        return rv_fail(RV_ERR_USAGE, "there are no pictures %zu to %zu among %zu", first,
                       first + n - 1, there);
    }
    if (table->parts[0].rank == 0) {
        RV_TRY(begin(table, features));
    }
    for (size_t row = first; row < first + n; row++) {
        RV_TRY(add_row(table, features, row, file));
    }
    return RV_OK;
}

rv_feature_map rv_feature_table_map(const rv_feature_table *table, size_t k)
{
    const part *p = &table->parts[k];
    rv_feature_map map = {.layer = p->name, .rank = p->rank};
    memcpy(map.dim, p->dim, sizeof map.dim);
    return map;
}

/* --- finish ---------------------------------------------------------------------------------- */

/* Moves what waited behind what is there. */
static rv_status append_held(rv_feature_table *t, part *p)
{
    char block[65536];
    size_t n;
    FILE *from = rv_output_stream(p->held), *to = rv_output_stream(t->output);
    const bool whole = fflush(from) == 0 && !ferror(from) && fseek(from, 0, SEEK_SET) == 0;
    while (whole && (n = fread(block, 1, sizeof block, from)) > 0) {
        fwrite(block, 1, n, to);
    }
    if (!whole || ferror(from)) {
        return rv_fail(RV_ERR_IO, "cannot write %s: disk full?", t->path);
    }
    rv_output_discard(p->held);
    p->held = NULL;
    return RV_OK;
}

static rv_status complete(rv_feature_table *t)
{
    if (t->parts[0].dim[0] == 0) {
        return rv_fail(RV_ERR_USAGE, "%s: there is no row to write", t->path);
    }
    for (size_t k = 1; k < t->n_parts; k++) {
        RV_TRY(append_held(t, &t->parts[k]));
    }
    if (t->format != CSV) {
        if (fseek(rv_output_stream(t->output), 0, SEEK_SET) != 0) {
            return rv_fail(RV_ERR_IO, "cannot write %s: disk full?", t->path);
        }
        RV_TRY(write_header(t, t->parts[0].dim[0]));
    }
    /* The names come first: they are not to be there for values that did not fit. */
    FILE *stream = rv_output_stream(t->output);
    return fflush(stream) == 0 && !ferror(stream)
               ? RV_OK
               : rv_fail(RV_ERR_IO, "cannot write %s: disk full?", t->path);
}

rv_status rv_feature_table_finish(rv_feature_table *table)
{
    rv_status status = complete(table);
    if (status == RV_OK && table->names != NULL) {
        status = rv_output_commit(table->names);
        table->names = NULL;
    }
    if (status != RV_OK) {
        rv_feature_table_discard(table);
        return status;
    }
    status = rv_output_commit(table->output);
    release(table);
    return status;
}
