/* Puts the text of a kernel file together: includes are resolved at run time, each file once. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/file.h"
#include "device/embedded.h"
#include "device/internal.h"

#include <stdlib.h>
#include <string.h>

enum { LARGEST_FILE = 4 << 20, NAME_BYTES = 128 };

/* One file, from the folder or from the library; what follows does not know which. */
typedef struct text_file {
    const char *data;
    size_t size;
    rv_bytes bytes; /* of a file in the folder */
} text_file;

static rv_status open_embedded(text_file *out, const char *name)
{
    for (size_t i = 0; i < rv_embedded_files_count; i++) {
        if (strcmp(rv_embedded_files[i].name, name) == 0) {
            out->data = (const char *)rv_embedded_files[i].data;
            out->size = rv_embedded_files[i].size;
            return RV_OK;
        }
    }
    return rv_fail(RV_ERR_INTERNAL, "there is no kernel file cl/%s in the library", name);
}

static rv_status open_text(text_file *out, const char *name)
{
    *out = (text_file){0};
    const char *folder = getenv("REVERIE_CL_PATH");
    if (folder == NULL || folder[0] == '\0') {
        return open_embedded(out, name);
    }
    char *path = NULL;
    RV_TRY(rv_path_join(&path, folder, name));
    rv_status status = rv_bytes_open(&out->bytes, path, LARGEST_FILE);
    free(path);
    if (status != RV_OK) {
        status = status == RV_ERR_NOT_FOUND ? RV_ERR_INTERNAL : status;
        return rv_fail_context(status, "kernel file cl/%s by REVERIE_CL_PATH", name);
    }
    out->data = (const char *)out->bytes.data;
    out->size = out->bytes.size;
    return RV_OK;
}

/* Reads NAME from a line `#include "NAME"`; false for any other line. */
static bool included_name(char out[NAME_BYTES], const char *line, size_t n)
{
    static const char word[] = "include";
    const char *end = line + n;
    while (line < end && (*line == ' ' || *line == '\t')) {
        line++;
    }
    if (line == end || *line++ != '#') {
        return false;
    }
    while (line < end && (*line == ' ' || *line == '\t')) {
        line++;
    }
    if ((size_t)(end - line) < sizeof word || memcmp(line, word, sizeof word - 1) != 0) {
        return false;
    }
    const char *open = memchr(line, '"', (size_t)(end - line));
    const char *close = open != NULL ? memchr(open + 1, '"', (size_t)(end - open - 1)) : NULL;
    if (close == NULL || close - open - 1 >= NAME_BYTES || close == open + 1) {
        return false;
    }
    memcpy(out, open + 1, (size_t)(close - open - 1));
    out[close - open - 1] = '\0';
    return true;
}

/* `seen` holds the names of the files so far, each between two newlines. */
static bool was_seen(rv_text *seen, const char *name)
{
    char key[NAME_BYTES + 2];
    const size_t n = strlen(name);
    key[0] = '\n';
    memcpy(key + 1, name, n);
    key[n + 1] = '\n';
    key[n + 2 < sizeof key ? n + 2 : n + 1] = '\0';
    if (seen->data != NULL && strstr(seen->data, key) != NULL) {
        return true;
    }
    rv_text_append(seen, "\n%s\n", name);
    return false;
}

static rv_status append_file(rv_text *out, rv_text *seen, const char *name);

static rv_status append_include(rv_text *out, rv_text *seen, const char *name, int line,
                                const char *included)
{
    if (was_seen(seen, included)) {
        rv_text_append(out, "\n"); /* so that lines keep their numbers */
        return rv_text_status(seen);
    }
    const rv_status status = append_file(out, seen, included);
    if (status != RV_OK) {
        return rv_fail_context(status, "cl/%s:%d", name, line);
    }
    rv_text_append(out, "#line %d \"cl/%s\"\n", line + 1, name);
    return RV_OK;
}

static rv_status append_file(rv_text *out, rv_text *seen, const char *name)
{
    text_file file;
    RV_TRY(open_text(&file, name));
    rv_text_append(out, "#line 1 \"cl/%s\"\n", name);
    rv_status status = RV_OK;
    int line = 1;
    for (size_t at = 0; at < file.size && status == RV_OK; line++) {
        const char *start = file.data + at;
        const char *newline = memchr(start, '\n', file.size - at);
        const size_t n = newline != NULL ? (size_t)(newline - start) : file.size - at;
        char included[NAME_BYTES];
        if (included_name(included, start, n)) {
            status = append_include(out, seen, name, line, included);
        } else {
            rv_text_append_bytes(out, start, n);
            rv_text_append(out, "\n");
        }
        at += n + 1;
    }
    rv_bytes_close(&file.bytes);
    return status == RV_OK ? rv_text_status(out) : status;
}

rv_status rv_source_resolve(rv_text *out, const char *file)
{
    rv_text seen = {0};
    (void)was_seen(&seen, file);
    rv_status status = append_file(out, &seen, file);
    if (status == RV_OK) {
        status = rv_text_status(&seen);
    }
    rv_text_release(&seen);
    return status;
}
