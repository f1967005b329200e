/* Reads files of features: their rows, and which files these come from. */
/* SPDX-License-Identifier: MIT */
#include "stages/feature_rows.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/npy.h"
#include "base/text.h"
#include "base/zip.h"
#include "model/safetensors.h"

#include <stdlib.h>
#include <string.h>

struct rv_feature_rows_file {
    char *path;
    char **names; /* [n] */
    size_t n, capacity;
    char **layers; /* [n_layers] */
    size_t n_layers;
    float *values; /* of a .csv file */
    size_t n_values, values_capacity;
    rv_safetensors *tensors; /* NULL: none */
    rv_zip *zip;
};

/* --- tables ---------------------------------------------------------------------------------- */

static rv_status fail_line(const char *path, size_t line, const char *what)
{
    return rv_fail(RV_ERR_FORMAT, "%s:%zu: %s", path, line, what);
}

/* The whole of a file as text; freed with free(). */
static rv_status read_text(char **out, const char *path)
{
    rv_bytes bytes;
    *out = NULL;
    RV_TRY(rv_bytes_open(&bytes, path, 0));
    const rv_status status = rv_alloc(out, bytes.size + 1, 1, path);
    if (status == RV_OK && bytes.size > 0) {
        memcpy(*out, bytes.data, bytes.size);
    }
    rv_bytes_close(&bytes);
    return status;
}

/* Cuts a cell off, in which two quotes stand for one where it is in quotes. @return the next cell, or line */
static char *cut_cell(char *cell)
{
    char *to = cell, *from = cell;
    const bool quoted = *from == '"';
    for (from += quoted; *from != '\0'; *to++ = *from++) {
        if (quoted && *from == '"') {
            from++;
            if (*from != '"') {
                break;
            }
        } else if (!quoted && (*from == ',' || *from == '\n')) {
            break;
        }
    }
    from += *from != '\0';
    *to = '\0';
    return from;
}

static rv_status add_name(rv_feature_rows_file *f, const char *name)
{
    RV_TRY(rv_grow(&f->names, &f->capacity, f->n + 1, sizeof *f->names, "rows"));
    RV_TRY(rv_strdup(&f->names[f->n], name));
    f->n++;
    return RV_OK;
}

/* The numbers of a line. @param[out] end  what is behind it */
static rv_status add_values(rv_feature_rows_file *f, char *at, char **end, size_t line)
{
    const size_t before = f->n_values;
    for (bool more = true; more;) {
        char *behind;
        const double value = rv_strtod(at, &behind);
        if (behind == at || (*behind != ',' && *behind != '\n' && *behind != '\0')) {
            return fail_line(f->path, line, "there is no number in a cell");
        }
        RV_TRY(
            rv_grow(&f->values, &f->values_capacity, f->n_values + 1, sizeof *f->values, "rows"));
        f->values[f->n_values++] = (float)value;
        more = *behind == ',';
        at = behind + (*behind != '\0');
    }
    *end = at;
    const size_t values = f->n_values - before;
    return values * f->n == f->n_values
               ? RV_OK
               : fail_line(f->path, line, "it has not as many values as the lines before");
}

/* "file,v0,v1" and a line for each row. */
static rv_status read_csv(rv_feature_rows_file *f)
{
    char *text;
    RV_TRY(read_text(&text, f->path));
    rv_status status = RV_OK;
    if (strncmp(text, "file,v0", 7) != 0) {
        status = fail_line(f->path, 1, "a table of features begins with file,v0");
    }
    char *at = text + strcspn(text, "\n");
    at += *at != '\0';
    for (size_t line = 2; status == RV_OK && *at != '\0'; line++) {
        char *name = at;
        at = cut_cell(name);
        status = add_name(f, name);
        if (status == RV_OK) {
            status = add_values(f, at, &at, line);
        }
    }
    free(text);
    return status;
}

/* "row,file" and a line for each row, in their order. */
static rv_status read_names(rv_feature_rows_file *f)
{
    char *path, *text = NULL;
    RV_TRY(
        rv_format(&path, "%.*s.files.csv", (int)(rv_path_extension(f->path) - f->path), f->path));
    rv_status status = read_text(&text, path);
    if (status == RV_ERR_NOT_FOUND) {
        status = rv_fail_context(status, "%s has no names of files beside it", f->path);
    }
    if (text != NULL && strncmp(text, "row,file\n", 9) != 0) {
        status = fail_line(path, 1, "the names of rows begin with row,file");
    }
    char *at = status == RV_OK && text != NULL ? text + 9 : NULL;
    while (status == RV_OK && at != NULL && *at != '\0') {
        char *name;
        const unsigned long row = strtoul(at, &name, 10);
        if (name == at || *name != ',' || row != f->n) {
            status = fail_line(path, f->n + 2, "it does not begin with the number of the row");
            break;
        }
        at = cut_cell(++name);
        status = add_name(f, name);
    }
    free(text);
    free(path);
    return status;
}

/* --- open ------------------------------------------------------------------------------------ */

static rv_status add_layer(rv_feature_rows_file *f, const char *name, size_t length)
{
    return rv_format(&f->layers[f->n_layers++], "%.*s", (int)length, name);
}

static rv_status list_layers(rv_feature_rows_file *f)
{
    const size_t n = f->zip != NULL       ? rv_zip_count(f->zip)
                     : f->tensors != NULL ? rv_safetensors_count(f->tensors)
                                          : 1;
    RV_TRY(rv_alloc(&f->layers, n, sizeof *f->layers, "layers"));
    for (size_t i = 0; i < n; i++) {
        const char *name = f->zip != NULL       ? rv_zip_name(f->zip, i)
                           : f->tensors != NULL ? rv_safetensors_name(f->tensors, i)
                                                : "";
        const size_t length = strlen(name);
        const bool ends = length > 4 && strcmp(name + length - 4, ".npy") == 0;
        RV_TRY(add_layer(f, name, f->zip != NULL && ends ? length - 4 : length));
    }
    return RV_OK;
}

static rv_status open_file(rv_feature_rows_file *f, const char *path)
{
    const char *extension = rv_path_extension(path);
    RV_TRY(rv_strdup(&f->path, path));
    if (strcmp(extension, ".csv") == 0) {
        RV_TRY(read_csv(f));
        return list_layers(f);
    }
    if (strcmp(extension, ".npz") == 0) {
        RV_TRY(rv_zip_open(&f->zip, path));
    } else if (strcmp(extension, ".safetensors") == 0) {
        RV_TRY(rv_safetensors_open(&f->tensors, path));
    } else if (strcmp(extension, ".npy") != 0) {
        return rv_fail(RV_ERR_UNSUPPORTED,
                       "%s: features are .npy, .npz, .csv or .safetensors files, as extract writes "
                       "them",
                       path);
    }
    RV_TRY(read_names(f));
    return list_layers(f);
}

rv_status rv_feature_rows_open(rv_feature_rows_file **out, const char *path)
{
    rv_feature_rows_file *f;
    *out = NULL;
    RV_TRY(rv_alloc(&f, 1, sizeof *f, "rows"));
    rv_status status = open_file(f, path);
    if (status == RV_OK && f->n == 0) {
        status = rv_fail(RV_ERR_FORMAT, "%s has no rows", path);
    }
    if (status != RV_OK) {
        rv_feature_rows_close(f);
        return status;
    }
    *out = f;
    return RV_OK;
}

void rv_feature_rows_close(rv_feature_rows_file *file)
{
    if (file == NULL) {
        return;
    }
    for (size_t i = 0; i < file->n; i++) {
        free(file->names[i]);
    }
    for (size_t i = 0; i < file->n_layers; i++) {
        free(file->layers[i]);
    }
    rv_safetensors_close(file->tensors);
    rv_zip_close(file->zip);
    free(file->names);
    free(file->layers);
    free(file->values);
    free(file->path);
    free(file);
}

/* --- use ------------------------------------------------------------------------------------- */

size_t rv_feature_rows_count(const rv_feature_rows_file *file)
{
    return file->n;
}

const char *const *rv_feature_rows_names(const rv_feature_rows_file *file)
{
    return (const char *const *)file->names;
}

size_t rv_feature_rows_layers(const rv_feature_rows_file *file)
{
    return file->n_layers;
}

const char *rv_feature_rows_layer(const rv_feature_rows_file *file, size_t layer)
{
    return file->layers[layer];
}

static rv_status read_npy(const rv_feature_rows_file *f, size_t layer, float **out, int *rank,
                          size_t dim[RV_NPY_MAX_RANK])
{
    const uint8_t *bytes;
    uint8_t *own;
    size_t n;
    if (f->zip == NULL) {
        return rv_npy_read(out, rank, dim, f->path);
    }
    RV_TRY(rv_zip_read(f->zip, layer, &bytes, &n, &own));
    const rv_status status = rv_npy_parse(out, rank, dim, bytes, n, f->path);
    free(own);
    return status;
}

static rv_status read_tensor(const rv_feature_rows_file *f, size_t layer, float **out, int *rank,
                             size_t dim[RV_NPY_MAX_RANK])
{
    rv_shape shape;
    if (!rv_safetensors_shape(f->tensors, f->layers[layer], &shape)) {
        return rv_fail(RV_ERR_FORMAT, "%s: '%s' has no shape of a layer", f->path,
                       f->layers[layer]);
    }
    *rank = shape.rank;
    for (int i = 0; i < shape.rank; i++) {
        dim[i] = (size_t)shape.dim[i];
    }
    RV_TRY(rv_alloc(out, rv_shape_count(&shape), sizeof **out, "rows"));
    const rv_status status = rv_safetensors_read(f->tensors, *out, f->layers[layer], &shape);
    if (status != RV_OK) {
        free(*out);
        *out = NULL;
    }
    return status;
}

static rv_status copy_table(const rv_feature_rows_file *f, float **out)
{
    RV_TRY(rv_alloc(out, f->n_values, sizeof **out, "rows"));
    memcpy(*out, f->values, f->n_values * sizeof **out);
    return RV_OK;
}

rv_status rv_feature_rows_read(const rv_feature_rows_file *file, size_t layer, float **out,
                               size_t *values)
{
    size_t dim[RV_NPY_MAX_RANK] = {file->n, file->n_values / file->n};
    int rank = 2;
    *out = NULL;
    RV_TRY(file->values != NULL    ? copy_table(file, out)
           : file->tensors != NULL ? read_tensor(file, layer, out, &rank, dim)
                                   : read_npy(file, layer, out, &rank, dim));
    *values = 1;
    for (int i = 1; i < rank; i++) {
        *values *= dim[i];
    }
    if (rank >= 1 && dim[0] == file->n) {
        return RV_OK;
    }
    free(*out);
    *out = NULL;
    return rv_fail(RV_ERR_FORMAT, "%s has %zu rows, but %zu names", file->path,
                   rank >= 1 ? dim[0] : 0, file->n);
}
