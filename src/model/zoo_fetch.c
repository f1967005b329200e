/* Fetches a model: one server after the other, from where the last attempt ended, held to its hash. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/file.h"
#include "base/http.h"
#include "base/memory.h"
#include "base/partial.h"
#include "base/system.h"
#include "base/text.h"
#include "model/pins.h"
#include "model/zoo.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct fetch {
    const rv_pin *pin;
    const rv_events *events;
    rv_partial *part;
    char *task;      /* for progress */
    uint64_t start;  /* bytes that were there when this server began */
    double since;    /* and the clock then */
    rv_status own;   /* what failed here, so that no other server helps */
    rv_text reasons; /* why each server failed */
} fetch;

static const double MB = 1e6;

/* --- where the bytes go ---------------------------------------------------------------------- */

static rv_status begin(void *payload, uint64_t from)
{
    fetch *f = payload;
    if (from != rv_partial_size(f->part)) {
        f->own = rv_partial_restart(f->part);
    }
    f->start = rv_partial_size(f->part);
    f->since = rv_clock();
    return f->own;
}

static void report(const fetch *f)
{
    const double done = (double)rv_partial_size(f->part), total = (double)f->pin->bytes;
    const double seconds = rv_clock() - f->since, moved = done - (double)f->start;
    rv_report(f->events,
              &(rv_progress){.task = f->task,
                             .done = (int64_t)(done / MB),
                             .total = (int64_t)(total / MB),
                             .fraction = done / total,
                             .loss = NAN,
                             .seconds_left =
                                 seconds > 1 && moved > 0 ? seconds * (total - done) / moved : -1});
}

static rv_status write_bytes(void *payload, const void *bytes, size_t n)
{
    fetch *f = payload;
    if (n > f->pin->bytes - rv_partial_size(f->part)) {
        f->own = rv_partial_restart(f->part);
        return f->own != RV_OK
                   ? f->own
                   : rv_fail(RV_ERR_FORMAT,
                             "the server sends more than the %" PRIu64 " bytes that the file has",
                             f->pin->bytes);
    }
    f->own = rv_partial_write(f->part, bytes, n);
    report(f);
    return f->own;
}

static bool is_cancelled(void *payload)
{
    const fetch *f = payload;
    return rv_cancelled(f->events);
}

/* --- one server, then the next --------------------------------------------------------------- */

static rv_status verify(const fetch *f, const char *url)
{
    char hash[RV_SHA256_TEXT], *task;
    RV_TRY(rv_format(&task, "%s: checking, MB", f->pin->name));
    const rv_status status = rv_zoo_hash(hash, rv_partial_path(f->part), task, f->events);
    free(task);
    if (status != RV_OK || strcmp(hash, f->pin->sha256) == 0) {
        return status;
    }
    RV_TRY(rv_partial_restart(f->part));
    return rv_fail(RV_ERR_FORMAT,
                   "%s: this is another file, with the SHA-256 %s instead of %s; nothing is kept",
                   url, hash, f->pin->sha256);
}

static rv_status fetch_once(fetch *f, const char *url)
{
    const rv_http_sink sink = {f, begin, write_bytes, is_cancelled};
    const uint64_t from = rv_partial_size(f->part);
    rv_status status = from < f->pin->bytes ? rv_http_get(url, from, &sink) : RV_OK;
    if (status == RV_OK && rv_partial_size(f->part) < f->pin->bytes) {
        status = rv_fail(RV_ERR_IO, "%s: the file ends after %" PRIu64 " of %" PRIu64 " bytes", url,
                         rv_partial_size(f->part), f->pin->bytes);
    }
    return status == RV_OK ? verify(f, url) : status;
}

/* Where what an earlier attempt left made the file wrong, it is fetched whole. */
static rv_status fetch_from(fetch *f, const char *url)
{
    const bool resumed = rv_partial_size(f->part) > 0;
    const rv_status status = fetch_once(f, url);
    return status == RV_ERR_FORMAT && resumed && f->own == RV_OK ? fetch_once(f, url) : status;
}

static bool is_final(const fetch *f, rv_status status)
{
    return status == RV_OK || status == RV_ERR_CANCELLED || status == RV_ERR_UNSUPPORTED ||
           f->own != RV_OK;
}

static rv_status fail_all(const fetch *f, rv_status status)
{
    const double kept = (double)rv_partial_size(f->part);
    RV_TRY(rv_text_status(&f->reasons));
    if (kept > 0) {
        return rv_fail(
            status,
            "cannot fetch %s: %s; %.1f of %.1f MB are kept, and the same command goes on "
            "from there",
            f->pin->name, f->reasons.data, kept / MB, (double)f->pin->bytes / MB);
    }
    return rv_fail(status, "cannot fetch %s: %s", f->pin->name, f->reasons.data);
}

static rv_status fetch_from_any(fetch *f)
{
    rv_status status = RV_ERR_NOT_FOUND;
    for (size_t i = 0; f->pin->hosts[i] != NULL; i++) {
        char *url;
        RV_TRY(rv_format(&url, "%s%s", f->pin->hosts[i], f->pin->path));
        status = fetch_from(f, url);
        free(url);
        if (is_final(f, status)) {
            return status;
        }
        rv_log(f->events, RV_LOG_DEBUG, "%s", rv_error_message());
        rv_text_append(&f->reasons, "%s%s", i > 0 ? "; " : "", rv_error_message());
    }
    return fail_all(f, status);
}

/* The file of a pin, complete and checked, at `path`. */
static rv_status fetch_file(const rv_pin *pin, const char *path, const rv_events *events)
{
    fetch f = {.pin = pin, .events = events};
    RV_TRY(rv_format(&f.task, "%s, MB", pin->name));
    rv_status status = rv_partial_open(&f.part, path, pin->bytes);
    if (status == RV_OK) {
        f.since = rv_clock();
        status = fetch_from_any(&f);
    }
    if (status == RV_ERR_CANCELLED && rv_partial_size(f.part) > 0) {
        rv_log(events, RV_LOG_INFO,
               "%s: %.1f of %.1f MB are kept, and the same command goes on from there", pin->name,
               (double)rv_partial_size(f.part) / MB, (double)pin->bytes / MB);
    }
    if (status == RV_OK) {
        status = rv_partial_commit(f.part);
    } else {
        rv_error error;
        rv_error_save(&error, status);
        rv_partial_close(f.part);
        status = rv_error_restore(&error);
    }
    rv_text_release(&f.reasons);
    free(f.task);
    return status;
}

/* --- the whole ------------------------------------------------------------------------------- */

static const rv_pin *find_in(const rv_pin_list *pins, const char *name)
{
    for (size_t i = 0; i < pins->n; i++) {
        if (strcmp(pins->list[i].name, name) == 0) {
            return &pins->list[i];
        }
    }
    return rv_pin_find(name);
}

static rv_status fail_unknown(const char *name)
{
    const char *names[64];
    size_t n;
    const rv_pin *pins = rv_pins(&n);
    n = n < 64 ? n : 64;
    for (size_t i = 0; i < n; i++) {
        names[i] = pins[i].name;
    }
    return rv_fail(RV_ERR_NOT_FOUND,
                   "there is no model '%s' to be fetched; the nearest is '%s' ('reverie models "
                   "list' names all)",
                   name, names[rv_nearest(name, names, n)]);
}

/* Says what converting notes of where the file is from. */
static rv_status store(const rv_pin *pin, rv_shelf_item *item, const rv_fetch_options *o)
{
    char *provenance;
    RV_TRY(rv_format(&provenance, "%s%s, SHA-256 %s", pin->hosts[0], pin->path, pin->sha256));
    const rv_stored stored = {.name = pin->name,
                              .item = item,
                              .preprocessing = pin->preprocessing,
                              .until = pin->until,
                              .provenance = provenance};
    const rv_status status = rv_zoo_store(&stored, o->convert, o->events);
    free(provenance);
    return status;
}

static rv_status describe(rv_shelf_item *item, const rv_pin *pin, const char *folder)
{
    RV_TRY(rv_path_join(&item->file, folder, pin->file));
    RV_TRY(rv_strdup(&item->summary, pin->summary));
    RV_TRY(rv_strdup(&item->sha256, pin->sha256));
    return pin->licence != NULL ? rv_strdup(&item->licence, pin->licence) : RV_OK;
}

/* A run that ended between the file and its note left it whole. */
static bool is_whole(const char *path, const rv_pin *pin, const rv_fetch_options *o)
{
    char hash[RV_SHA256_TEXT];
    return !o->overwrite && rv_path_exists(path) &&
           rv_zoo_hash(hash, path, pin->name, o->events) == RV_OK && strcmp(hash, pin->sha256) == 0;
}

/* Fetches and stores; a folder that would stay empty goes again.
 * @param replaces  another model of that name, with what belonged to it. */
static rv_status fetch_pin(rv_shelf_item *item, const rv_pin *pin, bool replaces,
                           const rv_fetch_options *o)
{
    char *folder;
    RV_TRY(rv_shelf_folder(&folder, pin->name));
    rv_status status = rv_folder_make(folder, 0755);
    if (status == RV_OK) {
        status = describe(item, pin, folder);
    }
    if (status == RV_OK && !is_whole(item->file, pin, o)) {
        status = fetch_file(pin, item->file, o->events);
    }
    if (status != RV_OK) {
        (void)remove(folder);
    } else {
        if (replaces) {
            rv_shelf_clear(pin->name);
        }
        status = store(pin, item, o);
    }
    free(folder);
    return status;
}

/* Whether what is there is to stay; *out then says whether it serves. */
static bool stays(rv_status *out, const rv_shelf_item *item, const rv_pin *pin,
                  const rv_fetch_options *o)
{
    *out = RV_OK;
    if (o->overwrite || !rv_path_exists(item->file)) {
        return false;
    }
    if (item->sha256 == NULL || strcmp(item->sha256, pin->sha256) != 0) {
        *out =
            rv_fail(RV_ERR_USAGE,
                    "there is another model '%s', which was added; --overwrite puts the one that "
                    "is fetched in its place",
                    pin->name);
        return true;
    }
    if (o->convert != NULL && !item->converted) {
        return false;
    }
    rv_log(o->events, RV_LOG_INFO, "%s is there already%s; --overwrite fetches it again", pin->name,
           item->converted ? ", converted" : "");
    return true;
}

static rv_status fetch_unless_there(rv_shelf_item *item, const rv_pin *pin,
                                    const rv_fetch_options *o)
{
    bool replaces = false;
    if (rv_shelf_read(item, pin->name) == RV_OK) {
        rv_status status;
        if (stays(&status, item, pin, o)) {
            return status;
        }
        if (!o->overwrite && rv_path_exists(item->file)) {
            return store(pin, item, o); /* converted from what is there */
        }
        replaces = item->sha256 == NULL || strcmp(item->sha256, pin->sha256) != 0;
        rv_shelf_release(item);
    }
    return fetch_pin(item, pin, replaces, o);
}

rv_status rv_zoo_fetch(char **out, const char *name, const rv_fetch_options *options)
{
    const rv_fetch_options defaults = RV_FETCH_OPTIONS_INIT;
    rv_pin_list pins = {0};
    rv_shelf_item item = {0};
    options = options != NULL ? options : &defaults;
    if (out != NULL) {
        *out = NULL;
    }
    if (options->pins != NULL) {
        RV_TRY(rv_pins_read(&pins, options->pins));
    }
    const rv_pin *pin = find_in(&pins, name);
    rv_status status = pin != NULL ? fetch_unless_there(&item, pin, options) : fail_unknown(name);
    if (status == RV_OK && out != NULL) {
        *out = item.file;
        item.file = NULL;
    }
    rv_shelf_release(&item);
    rv_pins_release(&pins);
    return status;
}
