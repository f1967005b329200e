/* What `reverie tune` found fastest on a device, by key: a small text file between runs. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/system.h"
#include "device/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One file for each device, driver, library and form:
 *     reverie tuning 1
 *     IDENTITY | form F | B
 *     KEY <tab> CHOICE
 *     ...
 *     end HASH
 * The hash of all before it tells a whole file from a damaged one, which counts as none. Processes that write at the
 * same time replace each other's file as a whole. */
static const char first_line[] = "reverie tuning 1\n", last_word[] = "end ";
enum { LARGEST_FILE = 4 << 20, MOST_ENTRIES = 8192 };

typedef struct entry {
    char *key, *choice;
    bool ours; /* set in this process, to be written */
} entry;

struct rv_tuning {
    entry *entries; /* the latest last */
    size_t n, capacity;
};

static rv_status path_of(char **out, const rv_device *device)
{
    char *folder = NULL;
    const uint32_t shape[] = {(uint32_t)device->info.form, (uint32_t)device->info.block};
    const uint64_t hash = rv_hash(
        rv_hash(RV_HASH_START, device->identity, strlen(device->identity)), shape, sizeof shape);
    RV_TRY(rv_cache_folder(&folder, "tuning"));
    const rv_status status = rv_format(out, "%s/%016llx.txt", folder, (unsigned long long)hash);
    free(folder);
    return status;
}

static void append_identity(rv_text *text, const rv_device *device)
{
    rv_text_append(text, "%s | form %d | %d\n", device->identity, (int)device->info.form,
                   device->info.block);
}

static entry *find(rv_tuning *table, const char *key)
{
    for (size_t i = 0; i < table->n; i++) {
        if (strcmp(table->entries[i].key, key) == 0) {
            return &table->entries[i];
        }
    }
    return NULL;
}

static rv_status append(rv_tuning *table, const char *key, const char *choice)
{
    RV_TRY(rv_grow(&table->entries, &table->capacity, table->n + 1, sizeof *table->entries,
                   "tuning table"));
    entry *e = &table->entries[table->n];
    rv_status status = rv_strdup(&e->key, key);
    if (status == RV_OK) {
        status = rv_strdup(&e->choice, choice);
    }
    if (status != RV_OK) {
        free(e->key);
        *e = (entry){0};
        return status;
    }
    table->n++;
    return RV_OK;
}

static void drop(rv_tuning *table, size_t at)
{
    free(table->entries[at].key);
    free(table->entries[at].choice);
    table->n--;
    memmove(&table->entries[at], &table->entries[at + 1], (table->n - at) * sizeof(entry));
}

/* What was said of the key before no longer counts. */
static rv_status set(rv_tuning *table, const char *key, const char *choice, bool ours)
{
    const entry *old = find(table, key);
    if (old != NULL) {
        drop(table, (size_t)(old - table->entries));
    }
    RV_TRY(append(table, key, choice));
    table->entries[table->n - 1].ours = ours;
    return RV_OK;
}

static void release(rv_tuning *table)
{
    while (table != NULL && table->n > 0) {
        drop(table, table->n - 1);
    }
    if (table != NULL) {
        free(table->entries);
    }
    free(table);
}

void rv_tuning_release(rv_device *device)
{
    release(device->tuning);
    device->tuning = NULL;
}

/* --- file -> table --------------------------------------------------------------------------- */

/* The part of the file between its first lines and its last, NUL-terminated; NULL where anything is not as it was
 * written. */
static char *whole(char *text, size_t bytes, const rv_device *device)
{
    rv_text head = {0};
    char last[32], *entries = NULL;
    rv_text_append(&head, "%s", first_line);
    append_identity(&head, device);
    const size_t n = sizeof last_word - 1 + 17; /* sixteen digits and the end of the line */
    if (rv_text_status(&head) == RV_OK && bytes >= head.length + n &&
        memcmp(text, head.data, head.length) == 0 && memchr(text, '\0', bytes) == NULL) {
        snprintf(last, sizeof last, "%s%016llx\n", last_word,
                 (unsigned long long)rv_hash(RV_HASH_START, text, bytes - n));
        entries = memcmp(text + bytes - n, last, n) == 0 ? text + head.length : NULL;
        text[bytes - n] = '\0';
    }
    rv_text_release(&head);
    return entries;
}

static rv_status parse(rv_tuning *table, char *text)
{
    char *rest;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        char *tab = strchr(line, '\t');
        if (tab != NULL) {
            *tab = '\0';
            RV_TRY(set(table, line, tab + 1, false));
        }
    }
    return RV_OK;
}

/* Adds what the file says; a missing or damaged one says nothing. */
static rv_status read_file(rv_tuning *table, const rv_device *device)
{
    char *path = NULL, *text = NULL;
    rv_bytes file;
    rv_status status = RV_OK;
    if (path_of(&path, device) != RV_OK) {
        return RV_OK;
    }
    if (rv_bytes_open(&file, path, LARGEST_FILE) == RV_OK) {
        status = rv_alloc(&text, file.size + 1, 1, "tuning table");
        if (status == RV_OK && file.size > 0) {
            memcpy(text, file.data, file.size);
            char *entries = whole(text, file.size, device);
            status = entries != NULL ? parse(table, entries) : RV_OK;
        }
        rv_bytes_close(&file);
    }
    free(text);
    free(path);
    return status;
}

static rv_status load(rv_device *device)
{
    if (device->tuning != NULL) {
        return RV_OK;
    }
    RV_TRY(rv_alloc(&device->tuning, 1, sizeof *device->tuning, "tuning table"));
    return read_file(device->tuning, device);
}

const char *rv_tuning_choice(rv_device *device, const char *key)
{
    if (load(device) != RV_OK) {
        return NULL;
    }
    const entry *e = find(device->tuning, key);
    return e != NULL ? e->choice : NULL;
}

/* --- table -> file --------------------------------------------------------------------------- */

rv_status rv_tuning_set(rv_device *device, const char *key, const char *choice)
{
    if (strpbrk(key, "\t\n") != NULL || strpbrk(choice, "\t\n") != NULL) {
        return rv_fail(RV_ERR_INTERNAL, "'%s' cannot stand in the tuning table", key);
    }
    RV_TRY(load(device));
    return set(device->tuning, key, choice, true);
}

/* What another process has written meanwhile, and what this one found. */
static rv_status merge(rv_tuning **out, const rv_device *device)
{
    rv_tuning *table;
    *out = NULL;
    RV_TRY(rv_alloc(&table, 1, sizeof *table, "tuning table"));
    rv_status status = read_file(table, device);
    for (size_t i = 0; i < device->tuning->n && status == RV_OK; i++) {
        const entry *e = &device->tuning->entries[i];
        status = e->ours ? set(table, e->key, e->choice, true) : RV_OK;
    }
    while (table->n > MOST_ENTRIES) {
        drop(table, 0);
    }
    if (status != RV_OK) {
        release(table);
        return status;
    }
    *out = table;
    return RV_OK;
}

static rv_status write_file(const rv_device *device, const rv_tuning *table)
{
    char *path = NULL;
    rv_output *output = NULL;
    rv_text text = {0};
    rv_text_append(&text, "%s", first_line);
    append_identity(&text, device);
    for (size_t i = 0; i < table->n; i++) {
        rv_text_append(&text, "%s\t%s\n", table->entries[i].key, table->entries[i].choice);
    }
    rv_status status = rv_text_status(&text);
    if (status == RV_OK) {
        status = path_of(&path, device);
    }
    if (status == RV_OK) {
        status = rv_output_open(&output, path, true);
    }
    if (status == RV_OK) {
        FILE *stream = rv_output_stream(output);
        fwrite(text.data, 1, text.length, stream); /* an error shows at commit */
        fprintf(stream, "%s%016llx\n", last_word,
                (unsigned long long)rv_hash(RV_HASH_START, text.data, text.length));
        status = rv_output_commit(output);
    }
    rv_text_release(&text);
    free(path);
    return status;
}

rv_status rv_tuning_save(rv_device *device)
{
    rv_tuning *merged;
    RV_TRY(load(device));
    RV_TRY(merge(&merged, device));
    release(device->tuning);
    device->tuning = merged;
    return write_file(device, merged);
}
