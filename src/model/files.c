/* Finds the files that belong to a model: graph, weights and class names, by the rules of naming. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/internal.h"
#include "model/pins.h"

#include <reverie/image.h>
#include <stdlib.h>
#include <string.h>

static const size_t max_label_bytes = (size_t)16 << 20;

static bool has_extension(const char *path, const char *extension)
{
    return strcmp(rv_path_extension(path), extension) == 0;
}

/* "FOLDER/STEM.EXTENSION" for `path`, NULL where there is no such file. */
static rv_status find_sibling(char **out, const char *path, const char *extension)
{
    char *folder = NULL, *stem = NULL, *name = NULL;
    *out = NULL;
    rv_status status = rv_path_folder(&folder, path);
    if (status == RV_OK) {
        status = rv_path_stem(&stem, path);
    }
    if (status == RV_OK) {
        status = rv_format(&name, "%s%s", stem, extension);
    }
    if (status == RV_OK) {
        status = rv_path_join(out, folder, name);
    }
    if (status == RV_OK && !rv_path_exists(*out)) {
        free(*out);
        *out = NULL;
    }
    free(folder);
    free(stem);
    free(name);
    return status;
}

/* The only file in `folder` with that extension; NULL, and how many there are, otherwise. */
static rv_status find_only(char **out, int *n_found, const char *folder, const char *extension)
{
    char **names;
    size_t n;
    const char *only = NULL;
    *n_found = 0;
    RV_TRY(rv_folder_list(&names, &n, folder));
    for (size_t i = 0; i < n; i++) {
        if (has_extension(names[i], extension)) {
            only = names[i];
            ++*n_found;
        }
    }
    const rv_status status = *n_found == 1 ? rv_path_join(out, folder, only) : RV_OK;
    free(names);
    return status;
}

/* The graph beside a file of weights. */
static rv_status find_graph(char **out, const char *weights)
{
    char *folder = NULL;
    int n = 0;
    RV_TRY(find_sibling(out, weights, ".prototxt"));
    if (*out != NULL) {
        return RV_OK;
    }
    rv_status status = rv_path_folder(&folder, weights);
    if (status == RV_OK) {
        status = find_only(out, &n, folder, ".prototxt");
    }
    free(folder);
    if (status == RV_OK && *out == NULL) {
        status = rv_fail(RV_ERR_NOT_FOUND,
                         "%s holds weights only, and %s .prototxt is beside it; name one with "
                         "--graph",
                         weights, n == 0 ? "no" : "more than one");
    }
    return status;
}

rv_status rv_labels_find(char **out, const char *path)
{
    static const char *const names[] = {"labels.txt", "synset_words.txt", "synset.txt"};
    char *folder;
    *out = NULL;
    RV_TRY(rv_path_folder(&folder, path));
    rv_status status = RV_OK;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && *out == NULL && status == RV_OK; i++) {
        status = rv_path_join(out, folder, names[i]);
        if (status == RV_OK && !rv_path_exists(*out)) {
            free(*out);
            *out = NULL;
        }
    }
    free(folder);
    return status;
}

/* Opening a pickle runs whatever it says; Python's own loader has a mode that does not. */
static rv_status fail_pickle(const char *path)
{
    const char *base = rv_path_base(path);
    const int stem = (int)(rv_path_extension(path) - base);
    return rv_fail(RV_ERR_UNSUPPORTED,
                   "%s is a pickle, which can run anything when it is opened; Python makes a "
                   ".safetensors of it: import torch, safetensors.torch; "
                   "safetensors.torch.save_file(torch.load('%s', weights_only=True), "
                   "'%.*s.safetensors')",
                   path, base, stem, base);
}

/* Other programs' files, and the command that makes an .onnx of them, between which and behind which their names stand;
 * NULL: none does by itself. */
static const struct {
    const char *extension, *kind, *before, *between;
} others[] = {
    {".h5", "a model of Keras", "python -m tf2onnx.convert --keras ", " --output "},
    {".keras", "a model of Keras", "python -m tf2onnx.convert --keras ", " --output "},
    {".pb", "a graph of TensorFlow",
     "python -m tf2onnx.convert --inputs NAME:0 --outputs NAME:0 --graphdef ", " --output "},
    {".weights", "a file of Darknet, numbers without names or shapes", NULL, NULL},
};

static rv_status fail_other(const char *path, size_t i)
{
    const char *base = rv_path_base(path);
    const int stem = (int)(rv_path_extension(path) - base);
    return others[i].before == NULL
               ? rv_fail(RV_ERR_UNSUPPORTED,
                         "%s is %s; convert it to .onnx, with the .cfg that tells these, and name "
                         "that",
                         path, others[i].kind)
               : rv_fail(RV_ERR_UNSUPPORTED, "%s is %s; convert it first: %s%s%s%.*s.onnx", path,
                         others[i].kind, others[i].before, base, others[i].between, stem, base);
}

static rv_status check_format(const char *path)
{
    static const char *const pickles[] = {".pt", ".pth", ".pkl"};
    if (rv_image_has_name(path) || has_extension(path, ".npy")) {
        return rv_fail(RV_ERR_UNSUPPORTED,
                       "%s is no model: name a .caffemodel, .prototxt, .onnx or .safetensors there",
                       path);
    }
    for (size_t i = 0; i < sizeof pickles / sizeof pickles[0]; i++) {
        if (has_extension(path, pickles[i])) {
            return fail_pickle(path);
        }
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (has_extension(path, others[i].extension)) {
            return fail_other(path, i);
        }
    }
    return has_extension(path, ".onnx")
               ? rv_fail(RV_ERR_USAGE, "%s holds a graph and its weights: name it as the model",
                         path)
               : RV_OK;
}

static rv_status fail_missing(const char *path)
{
    const char *names[16];
    size_t n;
    const rv_pin *pin = rv_pin_find(path);
    if (pin != NULL) {
        return rv_fail(
            RV_ERR_NOT_FOUND,
            "the model '%s' is not here yet; to fetch its %.0f MB: reverie models fetch %s", path,
            (double)pin->bytes / 1e6, path);
    }
    if (strchr(path, '/') != NULL || rv_path_extension(path)[0] != '\0') {
        return rv_fail(RV_ERR_NOT_FOUND, "there is no file %s", path);
    }
    const rv_model_entry *entries = rv_model_list(&n);
    n = n < sizeof names / sizeof names[0] ? n : sizeof names / sizeof names[0];
    for (size_t i = 0; i < n; i++) {
        names[i] = entries[i].name;
    }
    return rv_fail(RV_ERR_NOT_FOUND,
                   "there is no file %s, and no built-in model of that name; the nearest is '%s' "
                   "('reverie models list' names all)",
                   path, names[rv_nearest(path, names, n)]);
}

static rv_status find_files(rv_model_files *out, const char *path, bool built_in,
                            const rv_model_options *options)
{
    const bool is_graph = has_extension(path, ".prototxt");
    if (built_in && options->graph != NULL) {
        return rv_fail(RV_ERR_USAGE, "'%s' is built in and takes no --graph", path);
    }
    if (!built_in && !is_graph && options->weights != NULL) {
        return rv_fail(RV_ERR_USAGE, "%s holds weights already and takes no --weights", path);
    }
    if (!built_in && rv_path_is_folder(path)) {
        return rv_fail(RV_ERR_IO, "%s is a folder; name the .caffemodel or .prototxt in it", path);
    }
    if (!built_in) {
        RV_TRY(check_format(path));
        RV_TRY(rv_strdup(is_graph ? &out->graph : &out->weights, path));
    }
    if (options->weights != NULL) {
        RV_TRY(check_format(options->weights));
        RV_TRY(rv_strdup(&out->weights, options->weights));
    } else if (is_graph) {
        RV_TRY(find_sibling(&out->weights, path, ".caffemodel"));
    }
    if (!built_in && !is_graph) {
        if (!rv_path_exists(path)) {
            return fail_missing(path);
        }
        RV_TRY(options->graph != NULL ? rv_strdup(&out->graph, options->graph)
                                      : find_graph(&out->graph, path));
    }
    const char *beside = out->weights != NULL ? out->weights : out->graph;
    return beside != NULL ? rv_labels_find(&out->labels, beside) : RV_OK;
}

rv_status rv_model_files_find(rv_model_files *out, const char *path, bool built_in,
                              const rv_model_options *options)
{
    *out = (rv_model_files){0};
    const rv_status status = find_files(out, path, built_in, options);
    if (status != RV_OK) {
        rv_model_files_release(out);
    }
    return status;
}

void rv_model_files_release(rv_model_files *files)
{
    free(files->graph);
    free(files->weights);
    free(files->labels);
    free(files->mean);
    *files = (rv_model_files){0};
}

/* Length of the name that data sets use at the start of a line, 0 where the line is one name. */
static size_t class_bytes(const char *line, size_t size)
{
    const char *tab = memchr(line, '\t', size);
    size_t i = 1;
    if (tab != NULL) {
        return (size_t)(tab - line);
    }
    while (i < size && line[i] >= '0' && line[i] <= '9') {
        i++;
    }
    return size > 0 && line[0] == 'n' && i == 9 && i < size && line[i] == ' ' ? i : 0;
}

static rv_status add_part(rv_names *out, const char *text, size_t size)
{
    char *name;
    RV_TRY(rv_format(&name, "%.*s", (int)size, text));
    const rv_status status = rv_names_add(out, name);
    free(name);
    return status;
}

static rv_status add_label(rv_names *classes, rv_names *labels, const char *line, size_t size)
{
    while (size > 0 && (line[size - 1] == '\r' || line[size - 1] == ' ')) {
        size--;
    }
    const size_t n = class_bytes(line, size), skipped = n > 0 ? n + 1 : 0;
    RV_TRY(add_part(classes, line, n > 0 ? n : size));
    return add_part(labels, line + skipped, size - skipped);
}

rv_status rv_labels_read(rv_names *classes, rv_names *labels, const char *path)
{
    rv_bytes bytes;
    *classes = *labels = (rv_names){0};
    RV_TRY(rv_bytes_open(&bytes, path, max_label_bytes));
    const char *text = (const char *)bytes.data;
    rv_status status = RV_OK;
    for (size_t i = 0; i < bytes.size && status == RV_OK;) {
        const char *end = memchr(text + i, '\n', bytes.size - i);
        const size_t size = end != NULL ? (size_t)(end - text) - i : bytes.size - i;
        status = add_label(classes, labels, text + i, size);
        i += size + 1;
    }
    rv_bytes_close(&bytes);
    if (status != RV_OK) {
        rv_names_release(classes);
        rv_names_release(labels);
    }
    return status;
}
