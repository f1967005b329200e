/* Where a table of features is, so that another process can go on behind its rows. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "stages/feature_table.h"

#include <jansson.h>
#include <stdlib.h>

/* --- making one ------------------------------------------------------------------------------ */

static json_t *part_json(const rv_feature_part *p, uint64_t bytes)
{
    json_t *shape = json_array();
    for (int i = 0; i < p->rank; i++) {
        json_array_append_new(shape, json_integer((json_int_t)p->dim[i]));
    }
    return json_pack("{s:s?, s:o, s:I, s:I}", "layer", p->name, "shape", shape, "bytes",
                     (json_int_t)bytes, "crc", (json_int_t)p->crc);
}

rv_status rv_feature_table_mark(rv_feature_table *table, char **out)
{
    uint64_t bytes;
    json_t *parts = json_array(), *names = json_null();
    rv_status status = RV_OK;
    *out = NULL;
    for (size_t k = 0; k < table->n_parts && status == RV_OK; k++) {
        rv_feature_part *p = &table->parts[k];
        status = rv_output_sync(k == 0 ? table->output : p->held, &bytes);
        json_array_append_new(parts, part_json(p, bytes));
    }
    if (status == RV_OK && table->names != NULL) {
        status = rv_output_sync(table->names, &bytes);
        names = json_integer((json_int_t)bytes);
    }
    json_t *json = json_pack("{s:o, s:o}", "names", names, "parts", parts);
    if (status == RV_OK) {
        *out = json_dumps(json, JSON_COMPACT);
        status = *out != NULL ? RV_OK
                              : rv_fail(RV_ERR_MEMORY, "%s: the mark cannot be written as JSON",
                                        table->path);
    }
    json_decref(json);
    return status;
}

/* --- going on from one ----------------------------------------------------------------------- */

static rv_status fail_mark(const rv_feature_table *t)
{
    return rv_fail(RV_ERR_FORMAT, "what is kept of %s is damaged: start anew", t->path);
}

/* The file in which layer k waits, or for the first the table itself. */
static rv_status open_part(rv_feature_table *t, size_t k, uint64_t kept)
{
    rv_feature_part *p = &t->parts[k];
    char *path;
    if (k == 0) {
        return t->resumable ? rv_output_open_part(&t->output, t->path, t->overwrite, kept)
                            : rv_output_open(&t->output, t->path, t->overwrite);
    }
    if (!t->resumable) {
        return rv_output_open(&p->held, t->path, t->overwrite);
    }
    RV_TRY(rv_format(&path, "%s.%zu", t->path, k));
    const rv_status status = rv_output_open_part(&p->held, path, true, kept);
    free(path);
    return status;
}

static rv_status read_part(rv_feature_table *t, size_t k, const json_t *json)
{
    rv_feature_part *p = &t->parts[k];
    const char *name = json_string_value(json_object_get(json, "layer"));
    const json_t *shape = json_object_get(json, "shape");
    const json_int_t bytes = json_integer_value(json_object_get(json, "bytes"));
    const size_t rank = json_array_size(shape);
    if (rank > 4 || (rank > 0 && name == NULL) || bytes < 0) {
        return fail_mark(t);
    }
    if (rank > 0) {
        RV_TRY(rv_strdup(&p->name, name));
    }
    p->rank = (int)rank;
    p->crc = (uint32_t)json_integer_value(json_object_get(json, "crc"));
    for (size_t i = 0; i < rank; i++) {
        const json_int_t dim = json_integer_value(json_array_get(shape, i));
        if (dim < 1 || dim > INT32_MAX) {
            return fail_mark(t);
        }
        p->dim[i] = (size_t)dim;
    }
    return open_part(t, k, (uint64_t)bytes);
}

/* A file of names that is complete already has its own name: the end came between that and the values. */
static rv_status open_names(rv_feature_table *t, const char *names, uint64_t kept)
{
    char *part;
    RV_TRY(rv_format(&part, "%s.part", names));
    t->names_done = kept > 0 && !rv_path_exists(part) && rv_path_exists(names);
    free(part);
    return t->names_done ? RV_OK : rv_output_open_part(&t->names, names, t->overwrite, kept);
}

static rv_status read_mark(rv_feature_table *t, const char *names, const json_t *json)
{
    const json_t *parts = json_object_get(json, "parts"), *kept = json_object_get(json, "names");
    if (json_array_size(parts) != t->n_parts || json_is_integer(kept) != (names != NULL)) {
        return fail_mark(t);
    }
    for (size_t k = 0; k < t->n_parts; k++) {
        RV_TRY(read_part(t, k, json_array_get(parts, k)));
        if (t->parts[k].dim[0] != t->parts[0].dim[0] ||
            (t->parts[k].rank == 0) != (t->parts[0].rank == 0)) {
            return fail_mark(t);
        }
    }
    if (names != NULL) {
        RV_TRY(open_names(t, names, (uint64_t)json_integer_value(kept)));
    }
    if (t->parts[0].rank == 0) {
        return RV_OK;
    }
    RV_TRY(rv_feature_set_values(t));
    return rv_feature_reserve(t);
}

static rv_status open_new(rv_feature_table *t, const char *names)
{
    for (size_t k = 0; k < t->n_parts; k++) {
        RV_TRY(open_part(t, k, 0));
    }
    if (names == NULL) {
        return RV_OK;
    }
    RV_TRY(t->resumable ? rv_output_open_part(&t->names, names, t->overwrite, 0)
                        : rv_output_open(&t->names, names, t->overwrite));
    fputs("row,file\n", rv_output_stream(t->names));
    return RV_OK;
}

rv_status rv_feature_open_files(rv_feature_table *t, const char *names, const char *mark)
{
    if (mark == NULL) {
        return open_new(t, names);
    }
    json_t *json = json_loads(mark, 0, NULL);
    const rv_status status =
        t->resumable && json != NULL ? read_mark(t, names, json) : fail_mark(t);
    json_decref(json);
    return status;
}
