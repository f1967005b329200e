/* Reads, extends and orders manifest.jsonl. */
/* SPDX-License-Identifier: MIT */
#include "stages/manifest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* Objects print the same however they were made. */
enum { JSON_STYLE = JSON_COMPACT | JSON_SORT_KEYS, LARGEST_FILE = 1 << 30 };

struct rv_manifest {
    char *path;
    FILE *file;
    pthread_mutex_t lock; /* of the file */
    bool resumed;
    char **outputs; /* of earlier runs, sorted */
    size_t n, capacity;
};

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static rv_status fail_write(const rv_manifest *m)
{
    return rv_fail(RV_ERR_IO, "cannot write %s: %s", m->path,
                   errno == ENOSPC ? "disk full" : strerror(errno));
}

/* Notes the output that a line is about; a damaged line is as if it were not there. */
static rv_status read_line(rv_manifest *m, const char *line, size_t n)
{
    json_t *entry = json_loadb(line, n, 0, NULL);
    const char *output = json_string_value(json_object_get(entry, "output"));
    rv_status status = RV_OK;
    if (output != NULL) {
        status = rv_grow(&m->outputs, &m->capacity, m->n + 1, sizeof *m->outputs, "manifest");
        if (status == RV_OK) {
            status = rv_strdup(&m->outputs[m->n], output);
            m->n += status == RV_OK;
        }
    }
    json_decref(entry);
    return status;
}

/* The first line must be ours; *whole is where the last complete line ends. */
static rv_status read_lines(rv_manifest *m, const rv_bytes *bytes, const char *header,
                            size_t *whole)
{
    const char *data = (const char *)bytes->data;
    const size_t n = strlen(header);
    *whole = 0;
    if (bytes->size <= n || memcmp(data, header, n) != 0 || data[n] != '\n') {
        /* Killed before the first line was complete: nothing has been written yet. */
        return bytes->size <= n && memcmp(data, header, bytes->size) == 0
                   ? RV_OK
                   : rv_fail(RV_ERR_USAGE,
                             "%s is of a run with other pictures, recipe, seed or settings; name "
                             "another folder, or overwrite it",
                             m->path);
    }
    m->resumed = true;
    for (size_t from = n + 1; from < bytes->size;) {
        const char *end = memchr(data + from, '\n', bytes->size - from);
        *whole = from;
        if (end == NULL) {
            return RV_OK;
        }
        RV_TRY(read_line(m, data + from, (size_t)(end - data) - from));
        from = (size_t)(end - data) + 1;
        *whole = from;
    }
    *whole = *whole > 0 ? *whole : n + 1;
    return RV_OK;
}

static rv_status read_earlier(rv_manifest *m, const char *header, size_t *whole)
{
    rv_bytes bytes;
    RV_TRY(rv_bytes_open(&bytes, m->path, LARGEST_FILE));
    const rv_status status = bytes.size > 0 ? read_lines(m, &bytes, header, whole) : RV_OK;
    rv_bytes_close(&bytes);
    if (m->n > 0) {
        qsort(m->outputs, m->n, sizeof *m->outputs, compare);
    }
    return status;
}

/* Whether a name stays in the folder: anybody may have written the line. */
static bool is_within(const char *output)
{
    return output[0] != '/' && strncmp(output, "../", 3) != 0 && strstr(output, "/../") == NULL;
}

static rv_status remove_output(const rv_manifest *m, const char *line, size_t n)
{
    json_t *entry = json_loadb(line, n, 0, NULL);
    const char *output = json_string_value(json_object_get(entry, "output"));
    char *folder = NULL, *path = NULL;
    rv_status status = RV_OK;
    if (output != NULL && is_within(output)) {
        status = rv_path_folder(&folder, m->path);
        if (status == RV_OK) {
            status = rv_path_join(&path, folder, output);
        }
        if (status == RV_OK) {
            unlink(path);
        }
    }
    json_decref(entry);
    free(folder);
    free(path);
    return status;
}

/* Removes what another run has made: of its copies, this one may make others or none. */
static rv_status remove_outputs(const rv_manifest *m)
{
    rv_bytes bytes;
    RV_TRY(rv_bytes_open(&bytes, m->path, LARGEST_FILE));
    const char *data = (const char *)bytes.data, *end = NULL;
    rv_status status = RV_OK;
    for (size_t from = 0; from < bytes.size && status == RV_OK; from = (size_t)(end - data) + 1) {
        end = memchr(data + from, '\n', bytes.size - from);
        end = end != NULL ? end : data + bytes.size;
        status = remove_output(m, data + from, (size_t)(end - data) - from);
    }
    rv_bytes_close(&bytes);
    return status;
}

static rv_status start(rv_manifest *m, const char *header, bool fresh)
{
    size_t whole = 0;
    if (!fresh && rv_path_exists(m->path)) {
        RV_TRY(read_earlier(m, header, &whole));
    }
    m->file = fopen(m->path, whole > 0 ? "r+" : "a");
    if (m->file == NULL) {
        return fail_write(m);
    }
    if (flock(fileno(m->file), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        return rv_fail(RV_ERR_USAGE, "another run is writing %s; wait for it, or stop it", m->path);
    }
    if (fresh) {
        RV_TRY(remove_outputs(m));
    }
    if (whole > 0) {
        return ftruncate(fileno(m->file), (off_t)whole) == 0 && fseek(m->file, 0, SEEK_END) == 0
                   ? RV_OK
                   : fail_write(m);
    }
    return ftruncate(fileno(m->file), 0) == 0 && fprintf(m->file, "%s\n", header) > 0 &&
                   fflush(m->file) == 0
               ? RV_OK
               : fail_write(m);
}

static void release(rv_manifest *m)
{
    if (m->file != NULL) {
        fclose(m->file);
    }
    for (size_t i = 0; i < m->n; i++) {
        free(m->outputs[i]);
    }
    free(m->outputs);
    free(m->path);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

rv_status rv_manifest_open(rv_manifest **out, const char *folder, const json_t *header, bool fresh)
{
    *out = NULL;
    rv_manifest *m;
    RV_TRY(rv_alloc(&m, 1, sizeof *m, "manifest"));
    pthread_mutex_init(&m->lock, NULL);
    char *text = json_dumps(header, JSON_STYLE);
    rv_status status = text != NULL ? rv_path_join(&m->path, folder, "manifest.jsonl")
                                    : rv_fail(RV_ERR_MEMORY, "out of memory for a manifest");
    if (status == RV_OK) {
        status = start(m, text, fresh);
    }
    free(text);
    if (status != RV_OK) {
        release(m);
        return status;
    }
    *out = m;
    return RV_OK;
}

bool rv_manifest_has(const rv_manifest *m, const char *output)
{
    return m->n > 0 && bsearch(&output, m->outputs, m->n, sizeof *m->outputs, compare) != NULL;
}

bool rv_manifest_resumed(const rv_manifest *m)
{
    return m->resumed;
}

rv_status rv_manifest_add(rv_manifest *m, const json_t *entry)
{
    char *text = json_dumps(entry, JSON_STYLE);
    if (text == NULL) {
        return rv_fail(RV_ERR_MEMORY, "out of memory for a manifest");
    }
    pthread_mutex_lock(&m->lock);
    const bool written = fprintf(m->file, "%s\n", text) > 0 && fflush(m->file) == 0;
    const rv_status status = written ? RV_OK : fail_write(m);
    pthread_mutex_unlock(&m->lock);
    free(text);
    return status;
}

/* Pointers to the lines of a text, whose newlines become NULs. */
static rv_status split(char ***out, size_t *n, char *text, size_t size)
{
    *n = 0;
    for (size_t i = 0; i < size; i++) {
        *n += text[i] == '\n';
    }
    RV_TRY(rv_alloc(out, *n + 1, sizeof **out, "manifest"));
    char *line = text;
    for (size_t i = 0; i < *n; i++) {
        (*out)[i] = line;
        line = strchr(line, '\n');
        *line++ = '\0';
    }
    return RV_OK;
}

static rv_status write_sorted(const rv_manifest *m, char **lines, size_t n)
{
    rv_output *output;
    RV_TRY(rv_output_open(&output, m->path, true));
    qsort(lines + 1, n - 1, sizeof *lines, compare); /* the header stays first */
    for (size_t i = 0; i < n; i++) {
        if (i < 2 || strcmp(lines[i], lines[i - 1]) != 0) {
            fprintf(rv_output_stream(output), "%s\n", lines[i]);
        }
    }
    return rv_output_commit(output);
}

static rv_status sort(const rv_manifest *m)
{
    rv_bytes bytes;
    char *text = NULL, **lines = NULL;
    size_t n = 0;
    RV_TRY(rv_bytes_open(&bytes, m->path, LARGEST_FILE));
    rv_status status = rv_alloc(&text, bytes.size + 1, 1, "manifest");
    if (status == RV_OK && bytes.size > 0) {
        memcpy(text, bytes.data, bytes.size);
        status = split(&lines, &n, text, bytes.size);
    }
    rv_bytes_close(&bytes);
    if (status == RV_OK && n > 1) {
        status = write_sorted(m, lines, n);
    }
    free(lines);
    free(text);
    return status;
}

rv_status rv_manifest_close(rv_manifest *m)
{
    if (m == NULL) {
        return RV_OK;
    }
    rv_status status = fclose(m->file) == 0 ? RV_OK : fail_write(m);
    m->file = NULL;
    if (status == RV_OK) {
        status = sort(m);
    }
    release(m);
    return status;
}
