/* Reads and writes what is known of the models in the user's folder. */
/* SPDX-License-Identifier: MIT */
#include "model/shelf.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char file_name[] = "model.json";
enum { LARGEST_FILE = 1 << 20, LONGEST_NAME = 64 };

size_t rv_shelf_plain(const char *text)
{
    return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-");
}

bool rv_shelf_is_name(const char *name)
{
    static const char *const others[] = {"builtin", "patches"};
    static const char *const endings[] = {".caffemodel",  ".prototxt", ".onnx",
                                          ".safetensors", ".yaml",     ".npy"};
    const size_t n = strlen(name);
    if (n == 0 || n > LONGEST_NAME || strchr("._+-", name[0]) != NULL ||
        n != rv_shelf_plain(name)) {
        return false;
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (strcmp(name, others[i]) == 0) {
            return false;
        }
    }
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        if (strcmp(rv_path_extension(name), endings[i]) == 0) {
            return false;
        }
    }
    return true;
}

rv_status rv_shelf_folder(char **out, const char *name)
{
    char *folder;
    *out = NULL;
    RV_TRY(rv_data_folder(&folder, "models"));
    if (name == NULL) {
        *out = folder;
        return RV_OK;
    }
    const rv_status status = rv_path_join(out, folder, name);
    free(folder);
    return status;
}

static rv_status copy_text(char **out, const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text != NULL ? rv_strdup(out, text) : RV_OK;
}

static rv_status read_item(rv_shelf_item *out, const char *folder, const char *path,
                           const rv_bytes *bytes)
{
    json_t *json = json_loadb((const char *)bytes->data, bytes->size, 0, NULL);
    const char *file = json_string_value(json_object_get(json, "file"));
    rv_status status = RV_OK;
    if (file == NULL || file[0] == '\0' || (file[0] != '/' && strchr(file, '/') != NULL)) {
        status = rv_fail(RV_ERR_FORMAT, "%s is damaged: it names no file; delete it", path);
    } else {
        status =
            file[0] == '/' ? rv_strdup(&out->file, file) : rv_path_join(&out->file, folder, file);
    }
    char **const texts[] = {&out->summary, &out->licence, &out->sha256, &out->preprocess};
    static const char *const keys[] = {"summary", "licence", "sha256", "preprocess"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0] && status == RV_OK; i++) {
        status = copy_text(texts[i], json, keys[i]);
    }
    out->converted = json_is_true(json_object_get(json, "converted"));
    json_decref(json);
    return status;
}

rv_status rv_shelf_read(rv_shelf_item *out, const char *name)
{
    char *folder = NULL, *path = NULL;
    rv_bytes bytes = {0};
    *out = (rv_shelf_item){0};
    if (!rv_shelf_is_name(name)) {
        return rv_fail(RV_ERR_NOT_FOUND, "'%s' is no name of a model", name);
    }
    rv_status status = rv_shelf_folder(&folder, name);
    if (status == RV_OK) {
        status = rv_path_join(&path, folder, file_name);
    }
    if (status == RV_OK) {
        status = rv_bytes_open(&bytes, path, LARGEST_FILE);
    }
    if (status == RV_OK) {
        status = read_item(out, folder, path, &bytes);
    }
    rv_bytes_close(&bytes);
    free(folder);
    free(path);
    if (status != RV_OK) {
        rv_shelf_release(out);
    }
    return status;
}

static rv_status write_json(const char *path, const char *text)
{
    rv_output *output;
    RV_TRY(rv_output_open(&output, path, true));
    fprintf(rv_output_stream(output), "%s\n", text);
    return rv_output_commit(output);
}

/* Name of a file that is in the folder itself; NULL where it is not. */
static const char *name_in(const char *folder, const char *file)
{
    const size_t n = strlen(folder);
    const bool inside =
        strncmp(file, folder, n) == 0 && file[n] == '/' && strchr(file + n + 1, '/') == NULL;
    return inside ? file + n + 1 : NULL;
}

static rv_status write_item(const char *folder, const rv_shelf_item *item)
{
    char *path = NULL;
    const char *name = name_in(folder, item->file);
    json_t *json =
        json_pack("{s:s, s:s?, s:s?, s:s?, s:s?, s:b}", "file", name != NULL ? name : item->file,
                  "summary", item->summary, "licence", item->licence, "sha256", item->sha256,
                  "preprocess", item->preprocess, "converted", item->converted);
    char *text = json != NULL ? json_dumps(json, JSON_INDENT(2)) : NULL;
    json_decref(json);
    rv_status status =
        text != NULL ? rv_path_join(&path, folder, file_name)
                     : rv_fail(RV_ERR_FORMAT, "'%s' cannot be noted: it is no UTF-8", item->file);
    if (status == RV_OK) {
        status = write_json(path, text);
    }
    free(text);
    free(path);
    return status;
}

rv_status rv_shelf_write(const char *name, const rv_shelf_item *item)
{
    char *folder;
    rv_shelf_item old;
    RV_TRY(rv_shelf_folder(&folder, name));
    const bool had = rv_shelf_read(&old, name) == RV_OK;
    const rv_status status = write_item(folder, item);
    if (had && status == RV_OK && strcmp(old.file, item->file) != 0 &&
        name_in(folder, old.file) != NULL) {
        (void)remove(old.file);
    }
    rv_shelf_release(&old);
    free(folder);
    return status;
}

void rv_shelf_clear(const char *name)
{
    char *folder = NULL, *labels = NULL, *graph = NULL;
    rv_status status = rv_shelf_folder(&folder, name);
    if (status == RV_OK) {
        status = rv_format(&labels, "%s/labels.txt", folder);
    }
    if (status == RV_OK) {
        status = rv_format(&graph, "%s/%s.prototxt", folder, name);
    }
    if (status == RV_OK) { /* where they are */
        (void)remove(labels);
        (void)remove(graph);
    }
    free(folder);
    free(labels);
    free(graph);
}

void rv_shelf_release(rv_shelf_item *item)
{
    free(item->file);
    free(item->summary);
    free(item->licence);
    free(item->sha256);
    free(item->preprocess);
    *item = (rv_shelf_item){0};
}
