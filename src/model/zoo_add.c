/* Adds a file that the user has: finds out what it is, copies or notes it, and what belongs to it. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/internal.h"
#include "model/pins.h"
#include "model/zoo.h"

#include <reverie/names.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- what a file is -------------------------------------------------------------------------- */

static bool begins(const rv_bytes *bytes, const char *text)
{
    const size_t n = strlen(text);
    return bytes->size >= n && memcmp(bytes->data, text, n) == 0;
}

/* A header of JSON behind its length. */
static bool is_safetensors(const rv_bytes *bytes)
{
    uint64_t length = 0;
    for (int i = 7; i >= 0 && bytes->size > 8; i--) {
        length = length << 8 | bytes->data[i];
    }
    return bytes->size > 8 && bytes->data[8] == '{' && length <= bytes->size - 8;
}

/* What downloads and browsers leave under the name of a model. */
static rv_status fail_foreign(const rv_bytes *bytes, const char *path)
{
    static const struct {
        const char *start, *what;
    } kinds[] = {
        {"version https://git-lfs",
         "a note of Git LFS about a file, not the file; fetch that itself"},
        {"<!DOCTYPE", "a web page; download the file that it links to"},
        {"<!doctype", "a web page; download the file that it links to"},
        {"<html", "a web page; download the file that it links to"},
        {"<?xml", "an answer of a server in XML; download the file again"},
        {"\x1f\x8b", "compressed by gzip; unpack it first"},
        {"\x89HDF", "an HDF5 file, which Reverie does not read"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (begins(bytes, kinds[i].start)) {
            return rv_fail(RV_ERR_UNSUPPORTED, "%s is %s", path, kinds[i].what);
        }
    }
    return RV_OK;
}

/* The extension that its content asks for; NULL: unknown. Both kinds of protobuf write field 1 first, which is a
 * number in one and a name in the other. */
static const char *extension_of(const rv_bytes *bytes)
{
    return is_safetensors(bytes)                       ? ".safetensors"
           : bytes->size > 1 && bytes->data[0] == 0x08 ? ".onnx"
           : bytes->size > 1 && bytes->data[0] == '\n' &&
                   memchr(bytes->data, '\0', bytes->size < 4096 ? bytes->size : 4096) != NULL
               ? ".caffemodel"
               : NULL;
}

static rv_status check_kind(const char *path)
{
    rv_bytes bytes;
    RV_TRY(rv_bytes_open(&bytes, path, 0));
    const char *found = rv_path_extension(path), *wanted = extension_of(&bytes);
    rv_status status = fail_foreign(&bytes, path);
    if (status == RV_OK && bytes.size == 0) {
        status = rv_fail(RV_ERR_FORMAT, "%s is empty", path);
    }
    if (status == RV_OK && wanted != NULL && strcmp(found, wanted) != 0) {
        status = rv_fail(RV_ERR_USAGE,
                         "%s is a %s by its content; let its name end so, then add it again", path,
                         wanted);
    }
    if (status == RV_OK && wanted == NULL &&
        (strcmp(found, ".prototxt") == 0 || strcmp(found, ".yaml") == 0)) {
        status =
            rv_fail(RV_ERR_UNSUPPORTED,
                    "%s holds no weights; add the file that does, with --graph %s", path, path);
    }
    rv_bytes_close(&bytes);
    return status;
}

/* --- what it is called ----------------------------------------------------------------------- */

/* A file by the name of one that can be fetched is that one, or something is wrong with it. */
static rv_status check_pin(const char *path, const char *hash)
{
    size_t n;
    const rv_pin *pins = rv_pins(&n);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(pins[i].file, rv_path_base(path)) == 0) {
            return rv_fail(
                RV_ERR_FORMAT,
                "%s is damaged or not what its name says: its SHA-256 is %s instead of %s "
                "(--name NAME adds it all the same)",
                path, hash, pins[i].sha256);
        }
    }
    return RV_OK;
}

/* The file's name with what a name cannot have replaced. */
static rv_status plain_stem(char **out, const char *path)
{
    RV_TRY(rv_path_stem(out, path));
    for (char *p = *out + rv_shelf_plain(*out); *p != '\0'; p += rv_shelf_plain(p)) {
        *p = '-';
    }
    return RV_OK;
}

static rv_status check_name(const char *name, bool overwrite)
{
    rv_shelf_item item;
    if (!rv_shelf_is_name(name)) {
        return rv_fail(
            RV_ERR_USAGE,
            "a model cannot be called '%s': a name has letters, digits and . _ + -, and no "
            "ending of a file; --name gives another",
            name);
    }
    if (!overwrite && rv_shelf_read(&item, name) == RV_OK) {
        rv_shelf_release(&item);
        return rv_fail(
            RV_ERR_USAGE,
            "there is a model '%s' already; --overwrite replaces it, --name gives another "
            "name",
            name);
    }
    return RV_OK;
}

/* --- copy ------------------------------------------------------------------------------------ */

enum { MOST_FILES = 4 };

/* Files that change together: each is written before any takes its place. */
typedef struct copies {
    rv_output *written[MOST_FILES];
    char *gone[MOST_FILES]; /* what a model that was there before had, and this one has not */
    int n, n_gone;
} copies;

static rv_status copy(copies *c, const char *from, const char *to)
{
    rv_bytes bytes;
    if (rv_path_same_file(from, to)) {
        return RV_OK;
    }
    RV_TRY(rv_bytes_open(&bytes, from, 0));
    rv_status status = rv_output_open(&c->written[c->n], to, true);
    if (status == RV_OK) {
        rv_output *output = c->written[c->n++];
        /* What this does not write, finishing says. */
        (void)!fwrite(bytes.data, 1, bytes.size, rv_output_stream(output));
        status = rv_output_finish(output);
    }
    rv_bytes_close(&bytes);
    return status;
}

/* FOLDER/NAME, a copy of `from`; NULL: there is to be none. @param[out] out  NULL: not wanted */
static rv_status copy_into(char **out, copies *c, const char *from, const char *folder,
                           const char *stem, const char *extension)
{
    char *name, *path = NULL;
    RV_TRY(rv_format(&name, "%s%s", stem, extension));
    rv_status status = rv_path_join(&path, folder, name);
    free(name);
    if (status == RV_OK && from == NULL) {
        c->gone[c->n_gone++] = path;
        return RV_OK;
    }
    if (status == RV_OK) {
        status = copy(c, from, path);
    }
    if (status == RV_OK && out != NULL) {
        *out = path;
        return RV_OK;
    }
    free(path);
    return status;
}

/* The graph asks for its mean file by that name, beside itself. Before all else, as the name is anybody's: what else is
 * copied, or written later, then stands where it would. */
static rv_status copy_mean(copies *c, const char *folder, const char *mean)
{
    if (mean == NULL || rv_path_base(mean)[0] == '\0') {
        return RV_OK;
    }
    return copy_into(NULL, c, rv_path_exists(mean) ? mean : NULL, folder, rv_path_base(mean), "");
}

/* All to their places, or after a failure none. */
static rv_status finish(copies *c, rv_status status)
{
    for (int i = 0; i < c->n_gone; i++) {
        if (status == RV_OK) {
            (void)remove(c->gone[i]);
        }
        free(c->gone[i]);
    }
    for (int i = 0; i < c->n; i++) {
        if (status == RV_OK) {
            status = rv_output_commit(c->written[i]);
        } else {
            rv_output_discard(c->written[i]);
        }
    }
    return status;
}

/* Weights, and graph, its mean and names of classes where there are such. */
static rv_status copy_all(rv_shelf_item *item, const char *name, const char *path,
                          const rv_model_files *files)
{
    copies c = {.n = 0};
    char *folder;
    RV_TRY(rv_shelf_folder(&folder, name));
    rv_status status = rv_folder_make(folder, 0755);
    if (status == RV_OK) {
        status = copy_mean(&c, folder, files->mean);
    }
    if (status == RV_OK) {
        status = copy_into(NULL, &c, files->graph, folder, name, ".prototxt");
    }
    if (status == RV_OK) {
        status = copy_into(NULL, &c, files->labels, folder, "labels", ".txt");
    }
    if (status == RV_OK) {
        status = copy_into(&item->file, &c, path, folder, name, rv_path_extension(path));
    }
    rv_error error;
    rv_error_save(&error, status);
    status = finish(&c, status);
    if (error.status != RV_OK) {
        (void)rv_error_restore(&error);
    }
    if (status != RV_OK) {
        (void)remove(folder); /* if nothing else is in it */
    }
    free(folder);
    return status;
}

/* --- the whole ------------------------------------------------------------------------------- */

/* Where it stays, it needs what lies beside it there. */
static rv_status note_link(rv_shelf_item *item, const char *name, const char *path,
                           const rv_add_options *o)
{
    char *folder;
    if (o->graph != NULL && o->convert == NULL) {
        return rv_fail(
            RV_ERR_USAGE,
            "a file that stays where it is has its .prototxt beside it: it takes no graph");
    }
    RV_TRY(rv_shelf_folder(&folder, name));
    rv_status status = rv_folder_make(folder, 0755);
    free(folder);
    return status == RV_OK ? rv_path_absolute(&item->file, path) : status;
}

/* Opens it, which checks everything; so nothing is copied that is no model.
 * @param[out] files  what belongs to it: names of classes, and a graph and its mean where it has none of its own */
static rv_status try_open(rv_model_files *files, const char *path, const rv_pin *pin,
                          const rv_add_options *o)
{
    rv_model *model;
    rv_model_options open = RV_MODEL_OPTIONS_INIT;
    open.graph = o->graph;
    open.preprocess = o->preprocess;
    open.preprocessing = pin != NULL && o->preprocess == NULL ? pin->preprocessing : NULL;
    open.events = o->events;
    RV_TRY(rv_model_open(&model, path, &open));
    const rv_network *network = model->network;
    const char *graph = network != NULL ? network->file : NULL;
    rv_status status = graph != NULL ? rv_strdup(&files->graph, graph) : RV_OK;
    if (status == RV_OK && network != NULL && network->mean_file != NULL) {
        status = rv_strdup(&files->mean, network->mean_file);
    }
    rv_model_close(model);
    return status == RV_OK ? rv_labels_find(&files->labels, path) : status;
}

/* An ONNX model may have its weights in files beside it. */
static rv_status check_alone(const char *copied, const char *path, const rv_pin *pin,
                             const rv_add_options *o)
{
    rv_model_files files = {0};
    char *folder;
    const bool opens = strcmp(rv_path_extension(copied), ".onnx") != 0 ||
                       try_open(&files, copied, pin, o) == RV_OK;
    rv_model_files_release(&files);
    if (opens) {
        return RV_OK;
    }
    (void)remove(copied);
    RV_TRY(rv_path_folder(&folder, copied));
    (void)remove(folder); /* if nothing else is in it */
    free(folder);
    return rv_fail(RV_ERR_UNSUPPORTED,
                   "%s needs files beside it, which are not copied; --link leaves all "
                   "where it is",
                   path);
}

static rv_status describe(rv_shelf_item *item, const char *hash, const rv_pin *pin,
                          const rv_add_options *o)
{
    RV_TRY(rv_strdup(&item->sha256, hash));
    RV_TRY(rv_strdup(&item->summary, pin != NULL ? pin->summary : "added by you"));
    if (o->preprocess != NULL) {
        /* A mean file is to be found from anywhere. */
        RV_TRY(rv_preprocessing_is_file(o->preprocess)
                   ? rv_path_absolute(&item->preprocess, o->preprocess)
                   : rv_strdup(&item->preprocess, o->preprocess));
    }
    return pin != NULL && pin->licence != NULL ? rv_strdup(&item->licence, pin->licence) : RV_OK;
}

static rv_status add(const char *name, const char *path, const rv_model_files *files,
                     const char *hash, const rv_pin *pin, const rv_add_options *o)
{
    rv_shelf_item item = {0};
    const bool link = o->link || o->convert != NULL; /* converting copies by itself */
    rv_status status = describe(&item, hash, pin, o);
    if (status == RV_OK && link) {
        status = note_link(&item, name, path, o);
    } else if (status == RV_OK) {
        status = copy_all(&item, name, path, files);
        status = status == RV_OK ? check_alone(item.file, path, pin, o) : status;
    }
    if (status == RV_OK) {
        const bool known = pin != NULL && o->preprocess == NULL;
        const rv_stored stored = {.name = name,
                                  .item = &item,
                                  .preprocessing = known ? pin->preprocessing : NULL,
                                  .graph = link ? o->graph : NULL,
                                  .until = pin != NULL ? pin->until : NULL};
        status = rv_zoo_store(&stored, o->convert, o->events);
    }
    rv_shelf_release(&item);
    return status;
}

rv_status rv_zoo_add(char **out, const char *path, const rv_add_options *options)
{
    const rv_add_options defaults = RV_ADD_OPTIONS_INIT;
    char hash[RV_SHA256_TEXT], *stem = NULL;
    rv_model_files files = {0};
    options = options != NULL ? options : &defaults;
    if (out != NULL) {
        *out = NULL;
    }
    RV_TRY(check_kind(path));
    RV_TRY(rv_zoo_hash(hash, path, "checking, MB", options->events));
    const rv_pin *pin = rv_pin_find_hash(hash);
    if (pin == NULL && options->name == NULL) {
        RV_TRY(check_pin(path, hash));
    }
    RV_TRY(plain_stem(&stem, path));
    const char *name = options->name != NULL ? options->name : pin != NULL ? pin->name : stem;
    rv_status status = check_name(name, options->overwrite);
    if (status == RV_OK) {
        status = try_open(&files, path, pin, options);
    }
    if (status == RV_OK) {
        status = add(name, path, &files, hash, pin, options);
    }
    if (status == RV_OK && out != NULL) {
        status = rv_strdup(out, name);
    }
    free(stem);
    rv_model_files_release(&files);
    return status;
}
