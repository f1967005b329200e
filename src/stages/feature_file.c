/* What stands before and behind the values in files of features, by their format. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "base/npy.h"
#include "base/zip.h"
#include "model/safetensors.h"
#include "stages/feature_table.h"

#include <stdlib.h>
#include <string.h>

rv_status rv_feature_fail_write(const rv_feature_table *t)
{
    return rv_fail(RV_ERR_IO, "cannot write %s: disk full?", t->path);
}

/* --- headers --------------------------------------------------------------------------------- */

static rv_status safetensors_header(rv_text *out, const rv_feature_table *t, size_t rows)
{
    rv_stored_tensor *tensors;
    if (rows > INT32_MAX) {
        return rv_fail(RV_ERR_UNSUPPORTED, "%s: more than %d rows", t->path, INT32_MAX);
    }
    RV_TRY(rv_alloc(&tensors, t->n_parts, sizeof *tensors, "tensors"));
    for (size_t k = 0; k < t->n_parts; k++) {
        const rv_feature_part *p = &t->parts[k];
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

/* Of .npy, as long as for the most rows that there may be. */
static rv_status npy_header(rv_text *out, const rv_feature_part *p, size_t rows)
{
    rv_text longest = {0};
    size_t dim[4];
    memcpy(dim, p->dim, sizeof dim);
    dim[0] = INT32_MAX;
    rv_npy_header(&longest, p->rank, dim, 0);
    dim[0] = rows;
    rv_npy_header(out, p->rank, dim, longest.length);
    const rv_status status = rv_text_status(&longest);
    rv_text_release(&longest);
    return status == RV_OK ? rv_text_status(out) : status;
}

/* An entry of a zip file for a layer, and what stands before its values. */
static rv_status npz_header(rv_text *out, rv_zip_entry *e, const rv_feature_part *p, size_t rows)
{
    rv_text npy = {0};
    rv_status status = npy_header(&npy, p, rows);
    if (status == RV_OK) {
        const uint64_t bytes = (uint64_t)rows * p->values * sizeof(float);
        e->size = npy.length + bytes;
        e->crc = rv_zip_crc_join(rv_zip_crc(0, npy.data, npy.length), p->crc, bytes);
        rv_zip_header(out, e);
        rv_text_append_bytes(out, npy.data, npy.length);
        status = rv_text_status(out);
    }
    rv_text_release(&npy);
    return status;
}

static rv_status entry_name(char **out, const rv_feature_part *p)
{
    return rv_format(out, "%s.npy", p->name);
}

static rv_status csv_header(rv_text *out, const rv_feature_part *p)
{
    rv_text_append(out, "file");
    for (size_t i = 0; i < p->values; i++) {
        rv_text_append(out, ",v%zu", i);
    }
    rv_text_append(out, "\n");
    return rv_text_status(out);
}

static rv_status make_header(rv_text *out, const rv_feature_table *t, size_t rows)
{
    const rv_feature_part *p = &t->parts[0];
    rv_zip_entry entry = {0};
    char *name;
    switch (t->format) {
    case RV_FEATURE_SAFETENSORS:
        return safetensors_header(out, t, rows);
    case RV_FEATURE_NPY:
        return npy_header(out, p, rows);
    case RV_FEATURE_NPZ:
        RV_TRY(entry_name(&name, p));
        entry.name = name;
        const rv_status status = npz_header(out, &entry, p, rows);
        free(name);
        return status;
    default:
        return csv_header(out, p);
    }
}

rv_status rv_feature_reserve(rv_feature_table *t)
{
    rv_text text = {0};
    const rv_status status = make_header(&text, t, INT32_MAX);
    t->reserved = text.length;
    rv_text_release(&text);
    return status;
}

rv_status rv_feature_write_header(rv_feature_table *t, bool last)
{
    rv_text text = {0};
    const rv_status status = make_header(&text, t, last ? t->parts[0].dim[0] : INT32_MAX);
    if (status == RV_OK) {
        fwrite(text.data, 1, text.length, rv_output_stream(t->output));
        t->reserved = text.length;
    }
    rv_text_release(&text);
    return status;
}

/* --- the end --------------------------------------------------------------------------------- */

/* Copies what waited behind what is there. */
static rv_status append_held(const rv_feature_table *t, const rv_feature_part *p)
{
    char block[65536];
    size_t n;
    FILE *from = rv_output_stream(p->held), *to = rv_output_stream(t->output);
    const bool whole = fflush(from) == 0 && !ferror(from) && fseek(from, 0, SEEK_SET) == 0;
    while (whole && (n = fread(block, 1, sizeof block, from)) > 0) {
        fwrite(block, 1, n, to);
    }
    return whole && !ferror(from) ? RV_OK : rv_feature_fail_write(t);
}

/* Begins the entry of a layer, behind the values of the one before. */
static rv_status begin_entry(const rv_feature_table *t, rv_zip_entry *e, const rv_feature_part *p)
{
    rv_text text = {0};
    const rv_status status = npz_header(&text, e, p, p->dim[0]);
    if (status == RV_OK) {
        fwrite(text.data, 1, text.length, rv_output_stream(t->output));
    }
    rv_text_release(&text);
    return status;
}

static rv_status append_layers(const rv_feature_table *t, rv_zip_entry *entries)
{
    uint64_t at = 0;
    for (size_t k = 0; k < t->n_parts; k++) {
        const rv_feature_part *p = &t->parts[k];
        rv_text header = {0};
        entries[k].at = at;
        if (t->format == RV_FEATURE_NPZ &&
            k == 0) { /* written at the start, and again at the end */
            const rv_status status = npz_header(&header, &entries[0], p, p->dim[0]);
            rv_text_release(&header);
            RV_TRY(status);
        } else if (t->format == RV_FEATURE_NPZ) {
            RV_TRY(begin_entry(t, &entries[k], p));
        }
        if (k > 0) {
            RV_TRY(append_held(t, p));
        }
        at = (uint64_t)ftello(rv_output_stream(t->output));
    }
    return RV_OK;
}

/* Layers that wait, and the directory of a zip file. */
static rv_status append_rest(const rv_feature_table *t)
{
    rv_text text = {0};
    rv_zip_entry *entries;
    RV_TRY(rv_alloc(&entries, t->n_parts, sizeof *entries, "layers"));
    rv_status status = RV_OK;
    for (size_t k = 0; k < t->n_parts && status == RV_OK; k++) {
        status = entry_name((char **)&entries[k].name, &t->parts[k]);
    }
    if (status == RV_OK) {
        status = append_layers(t, entries);
    }
    if (status == RV_OK && t->format == RV_FEATURE_NPZ) {
        FILE *stream = rv_output_stream(t->output);
        rv_zip_directory(&text, entries, t->n_parts, (uint64_t)ftello(stream));
        status = rv_text_status(&text);
        fwrite(text.data, 1, status == RV_OK ? text.length : 0, stream);
    }
    for (size_t k = 0; k < t->n_parts; k++) {
        free((char *)entries[k].name);
    }
    free(entries);
    rv_text_release(&text);
    return status;
}

rv_status rv_feature_complete(rv_feature_table *t)
{
    if (t->parts[0].dim[0] == 0) {
        return rv_fail(RV_ERR_USAGE, "%s: there is no row to write", t->path);
    }
    RV_TRY(append_rest(t));
    FILE *stream = rv_output_stream(t->output);
    if (t->format != RV_FEATURE_CSV) {
        if (fseek(stream, 0, SEEK_SET) != 0) {
            return rv_feature_fail_write(t);
        }
        RV_TRY(rv_feature_write_header(t, true));
    }
    /* The names come first: they are not to be there for values that did not fit. */
    return fflush(stream) == 0 && !ferror(stream) ? RV_OK : rv_feature_fail_write(t);
}
