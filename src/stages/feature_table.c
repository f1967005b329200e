/* Files that take the values of layers row by row, however many there are. */
/* SPDX-License-Identifier: MIT */
#include "stages/feature_table.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/zip.h"

#include <stdlib.h>
#include <string.h>

static const char *const extensions[RV_FEATURE_FORMATS] = {".npy", ".npz", ".csv", ".safetensors"};

static rv_feature_format format_of(const char *path)
{
    int f = 0;
    while (f < RV_FEATURE_FORMATS && strcmp(rv_path_extension(path), extensions[f]) != 0) {
        f++;
    }
    return (rv_feature_format)f;
}

rv_status rv_feature_table_check_name(const char *path, size_t n_layers)
{
    const rv_feature_format f = format_of(path);
    if (f == RV_FEATURE_FORMATS) {
        return rv_fail(RV_ERR_USAGE, "'%s': values are written as .npy, .npz, .csv or .safetensors",
                       path);
    }
    if (n_layers > 1 && (f == RV_FEATURE_NPY || f == RV_FEATURE_CSV)) {
        return rv_fail(RV_ERR_USAGE,
                       "'%s' would hold more than one layer; name a .npz or .safetensors file or a "
                       "folder, or use {layer} in the name",
                       path);
    }
    return RV_OK;
}

/* --- create ---------------------------------------------------------------------------------- */

static rv_status create(rv_feature_table *t, const char *path, const size_t *layers,
                        size_t n_layers, const rv_feature_table_options *options)
{
    RV_TRY(rv_strdup(&t->path, path));
    RV_TRY(rv_alloc(&t->parts, n_layers, sizeof *t->parts, "layers"));
    t->n_parts = n_layers;
    for (size_t k = 0; k < n_layers; k++) {
        t->parts[k].layer = layers[k];
    }
    return rv_feature_open_files(t, options->names, options->mark);
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
    t->overwrite = o->overwrite;
    t->resumable = o->resumable;
    const rv_status status = create(t, path, layers, n_layers, o);
    if (status != RV_OK) {
        o->mark != NULL ? rv_feature_table_keep(t) : rv_feature_table_discard(t);
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

static rv_status fail_shape(const rv_feature_part *p, const rv_feature_map *map)
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
        const rv_feature_part *p = &table->parts[k];
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

/* --- rows ------------------------------------------------------------------------------------ */

rv_status rv_feature_set_values(rv_feature_table *t)
{
    size_t most = 0;
    for (size_t k = 0; k < t->n_parts; k++) {
        rv_feature_part *p = &t->parts[k];
        p->values = 1;
        for (int i = 1; i < p->rank; i++) {
            p->values *= p->dim[i];
        }
        most = p->values > most ? p->values : most;
    }
    return rv_alloc(&t->pooled, most, sizeof *t->pooled, "a row");
}

static rv_status begin(rv_feature_table *t, const rv_features *features)
{
    for (size_t k = 0; k < t->n_parts; k++) {
        rv_feature_part *p = &t->parts[k];
        const rv_feature_map map = shape_of(t, features, p->layer);
        RV_TRY(rv_strdup(&p->name, map.layer));
        p->rank = map.rank;
        for (int i = 1; i < map.rank; i++) {
            p->dim[i] = map.dim[i];
        }
    }
    RV_TRY(rv_feature_set_values(t));
    return rv_feature_write_header(t, false);
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
        rv_feature_part *p = &t->parts[k];
        FILE *stream = rv_output_stream(k == 0 ? t->output : p->held);
        const rv_feature_map map = rv_features_map(features, p->layer);
        const float *values = row_of(t, &map, row, p->values);
        if (t->format == RV_FEATURE_CSV) {
            RV_TRY(write_line(stream, file, values, p->values));
        } else {
            fwrite(values, sizeof *values, p->values, stream);
        }
        if (t->format == RV_FEATURE_NPZ) {
            p->crc = rv_zip_crc(p->crc, values, p->values * sizeof *values);
        }
        if (ferror(stream)) {
            return rv_feature_fail_write(t);
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
    if (table->names_done) {
        return rv_fail(RV_ERR_USAGE, "%s: its names are complete, and it takes no more rows",
                       table->path);
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
    const rv_feature_part *p = &table->parts[k];
    rv_feature_map map = {.layer = p->name, .rank = p->rank};
    memcpy(map.dim, p->dim, sizeof map.dim);
    return map;
}

/* --- finish ---------------------------------------------------------------------------------- */

void rv_feature_table_keep(rv_feature_table *table)
{
    if (table == NULL) {
        return;
    }
    for (size_t k = 0; k < table->n_parts && table->resumable; k++) {
        rv_output_keep(table->parts[k].held);
        table->parts[k].held = NULL;
    }
    if (table->resumable) {
        rv_output_keep(table->output);
        rv_output_keep(table->names);
        table->output = table->names = NULL;
    }
    rv_feature_table_discard(table);
}

rv_status rv_feature_table_finish(rv_feature_table *table)
{
    rv_status status = rv_feature_complete(table);
    if (status == RV_OK && table->names != NULL) {
        status = rv_output_commit(table->names);
        table->names = NULL;
    }
    if (status == RV_OK) {
        status = rv_output_commit(table->output);
        table->output = NULL;
    }
    if (status != RV_OK) {
        rv_feature_table_keep(table);
        return status;
    }
    rv_feature_table_discard(table);
    return RV_OK;
}
