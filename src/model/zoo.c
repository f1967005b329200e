/* Models by short names: what there is, where it lies, and how a file becomes one. */
/* SPDX-License-Identifier: MIT */
#include "model/zoo.h"
#include "base/error.h"
#include "base/event.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "model/pins.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- list ------------------------------------------------------------------------------------ */

static rv_status copy_text(char **out, const char *text)
{
    return text != NULL ? rv_strdup(out, text) : RV_OK;
}

static uint64_t file_bytes(const char *path)
{
    rv_bytes bytes;
    if (rv_bytes_open(&bytes, path, 0) != RV_OK) {
        return 0;
    }
    const uint64_t size = bytes.size;
    rv_bytes_close(&bytes);
    return size;
}

/* What lies in the folder of a model, where anything does: it may be something else than what can be fetched. */
static rv_status fill_from_shelf(rv_zoo_entry *e, const char *name)
{
    rv_shelf_item item;
    if (rv_shelf_read(&item, name) != RV_OK) {
        return RV_OK;
    }
    e->bytes = file_bytes(item.file);
    e->path = item.file;
    e->licence = item.licence;
    e->summary = item.summary;
    item.file = item.licence = item.summary = NULL;
    rv_shelf_release(&item);
    return rv_strdup(&e->name, name);
}

static rv_status fill(rv_zoo_entry *e, const rv_pin *pin)
{
    RV_TRY(fill_from_shelf(e, pin->name));
    if (e->name == NULL) {
        e->bytes = pin->bytes;
        RV_TRY(rv_strdup(&e->name, pin->name));
        RV_TRY(copy_text(&e->licence, pin->licence));
    }
    return e->summary == NULL ? rv_strdup(&e->summary, pin->summary) : RV_OK;
}

static rv_status fill_added(rv_zoo_entry *e, const char *name)
{
    RV_TRY(fill_from_shelf(e, name));
    e->added = true;
    return e->name != NULL && e->summary == NULL ? rv_strdup(&e->summary, "") : RV_OK;
}

static rv_status list_all(rv_zoo_entry *list, size_t *n, char *const *names, size_t n_names)
{
    size_t n_pins;
    const rv_pin *pins = rv_pins(&n_pins);
    while (*n < n_pins) {
        RV_TRY(fill(&list[*n], &pins[*n]));
        ++*n;
    }
    for (size_t i = 0; i < n_names; i++) {
        if (rv_pin_find(names[i]) == NULL) {
            RV_TRY(fill_added(&list[*n], names[i]));
            *n += list[*n].name != NULL;
        }
    }
    return RV_OK;
}

rv_status rv_zoo_list(rv_zoo_entry **out, size_t *n)
{
    char *folder = NULL, **names = NULL;
    size_t n_names = 0, n_pins;
    *out = NULL;
    *n = 0;
    if (rv_shelf_folder(&folder, NULL) == RV_OK) {
        (void)!rv_folder_list(&names, &n_names, folder); /* none: no names */
    }
    free(folder);
    (void)rv_pins(&n_pins);
    /* One more than there are, for a name that turns out to be none and is tried in the last place. */
    rv_status status = rv_alloc(out, n_pins + n_names + 1, sizeof **out, "models");
    if (status == RV_OK) {
        status = list_all(*out, n, names, n_names);
    }
    free(names);
    if (status != RV_OK && *out != NULL) {
        rv_zoo_list_free(*out, *n + 1);
        *out = NULL;
        *n = 0;
    }
    return status;
}

void rv_zoo_list_free(rv_zoo_entry *entries, size_t n)
{
    for (size_t i = 0; entries != NULL && i < n; i++) {
        free(entries[i].name);
        free(entries[i].summary);
        free(entries[i].licence);
        free(entries[i].path);
    }
    free(entries);
}

rv_status rv_zoo_find(char **out, const char *name)
{
    rv_shelf_item item;
    *out = NULL;
    RV_TRY(rv_shelf_read(&item, name));
    *out = item.file;
    item.file = NULL;
    rv_shelf_release(&item);
    return RV_OK;
}

/* --- store ----------------------------------------------------------------------------------- */

rv_status rv_zoo_hash(char out[RV_SHA256_TEXT], const char *path, const char *task,
                      const rv_events *events)
{
    static const size_t step = (size_t)8 << 20;
    rv_bytes bytes;
    rv_sha256 sha;
    RV_TRY(rv_bytes_open(&bytes, path, 0));
    rv_sha256_init(&sha);
    rv_status status = RV_OK;
    const double start = rv_clock(), size = (double)bytes.size;
    for (size_t at = 0; at < bytes.size && status == RV_OK; at += step) {
        const size_t part = bytes.size - at < step ? bytes.size - at : step;
        rv_sha256_add(&sha, bytes.data + at, part);
        const double fraction = (double)(at + part) / size;
        rv_report(events,
                  &(rv_progress){.task = task,
                                 .done = (int64_t)((double)(at + part) / 1e6),
                                 .total = (int64_t)(size / 1e6),
                                 .fraction = fraction,
                                 .loss = NAN,
                                 .seconds_left = (rv_clock() - start) * (1 - fraction) / fraction});
        status = rv_check_cancelled(events);
    }
    rv_bytes_close(&bytes);
    rv_sha256_finish(&sha, out);
    return status;
}

static rv_status convert(const rv_stored *s, const char *path, const rv_model_save_options *wanted,
                         const rv_events *events)
{
    rv_model *model;
    rv_model_options open = RV_MODEL_OPTIONS_INIT;
    rv_model_save_options save = *wanted;
    open.graph = s->graph;
    open.preprocessing = s->preprocessing;
    open.preprocess = s->item->preprocess;
    open.events = events;
    RV_TRY(rv_model_open(&model, s->item->file, &open));
    if (save.features && save.until == NULL && s->until != NULL) {
        save.features = false;
        save.until = s->until;
    }
    save.licence = save.licence != NULL ? save.licence : s->item->licence;
    save.provenance = save.provenance != NULL ? save.provenance : s->provenance;
    save.overwrite = true;
    const rv_status status = rv_model_save(model, path, &save);
    rv_model_close(model);
    return status;
}

rv_status rv_zoo_store(const rv_stored *s, const rv_model_save_options *wanted,
                       const rv_events *events)
{
    char *folder = NULL, *name = NULL, *path = NULL;
    RV_TRY(rv_shelf_write(s->name, s->item));
    if (wanted == NULL) {
        return RV_OK;
    }
    rv_status status = rv_shelf_folder(&folder, s->name);
    if (status == RV_OK) {
        status = rv_format(&name, "%s.safetensors", s->name);
    }
    if (status == RV_OK) {
        status = rv_path_join(&path, folder, name);
    }
    if (status == RV_OK) {
        status = convert(s, path, wanted, events);
    }
    if (status == RV_OK) {
        free(s->item->file);
        s->item->file = path;
        s->item->converted = true;
        path = NULL;
        status = rv_shelf_write(s->name, s->item);
    }
    free(folder);
    free(name);
    free(path);
    return status;
}
