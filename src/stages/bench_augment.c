/* Measures augmentation against what reading the sources and writing the results takes alone. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/pool.h"
#include "base/system.h"
#include "base/text.h"
#include "stages/augment.h"

#include <reverie/bench.h>
#include <stdlib.h>
#include <unistd.h>

/* Results that are held in memory at a time. */
enum { BLOCK = 128 };

typedef struct codec {
    const rv_augment_run *run;
    const char *folder; /* of the results, and of what is written again */
    rv_image *results[BLOCK];
    size_t first;
} codec;

static rv_status path_of(char **out, const codec *c, size_t i, const char *extension)
{
    return rv_format(out, "%s/%s__aug0.jpg%s", c->folder, c->run->stems[c->first + i], extension);
}

static rv_status load(void *payload, size_t i)
{
    codec *c = payload;
    char *path = NULL;
    RV_TRY(path_of(&path, c, i, ""));
    const rv_status status =
        rv_path_exists(path) ? rv_image_read(&c->results[i], path, NULL) : RV_OK;
    free(path);
    return status;
}

/* Reads a source and writes its result: nothing of a source that could not be read. */
static rv_status work(void *payload, size_t i)
{
    codec *c = payload;
    char *path = NULL;
    rv_source source;
    rv_image_write_options options = RV_IMAGE_WRITE_OPTIONS_INIT;
    options.quality = c->run->options.quality;
    options.subsample = options.unsynced = true;
    if (c->results[i] == NULL) {
        return RV_OK;
    }
    RV_TRY(rv_augment_read(&source, c->run, c->first + i));
    rv_source_release(&source);
    RV_TRY(path_of(&path, c, i, ".again.jpg"));
    const rv_status status = rv_image_write(c->results[i], path, &options);
    unlink(path);
    free(path);
    return status;
}

static rv_status measure_codec(codec *c, const rv_events *events, double *seconds)
{
    rv_status status = RV_OK;
    *seconds = 0;
    for (c->first = 0; c->first < c->run->pictures.n && status == RV_OK; c->first += BLOCK) {
        const size_t left = c->run->pictures.n - c->first, n = left < BLOCK ? left : BLOCK;
        status = rv_parallel_for(n, 0, load, c);
        const double start = rv_clock();
        if (status == RV_OK) {
            status = rv_parallel_for(n, 0, work, c);
        }
        *seconds += rv_clock() - start;
        for (size_t i = 0; i < n; i++) {
            rv_image_destroy(c->results[i]);
            c->results[i] = NULL;
        }
        status = status == RV_OK ? rv_check_cancelled(events) : status;
    }
    return status;
}

/* Compiles the kernels, so that they do not count. */
static rv_status warm_up(rv_device *device, const char *source, const rv_augment_options *options)
{
    rv_image *sheet;
    RV_TRY(rv_augment_preview(&sheet, device, source, 1, 1, 64, options));
    rv_image_destroy(sheet);
    return RV_OK;
}

static void remove_tree(const char *folder, const rv_augment_run *run)
{
    char *path = NULL, *below = NULL;
    for (size_t i = 0; i < run->pictures.n; i++) {
        if (rv_format(&path, "%s/%s__aug0.jpg", folder, run->stems[i]) == RV_OK) {
            unlink(path);
            /* Folders go when the last file in them has gone. */
            while (rv_path_folder(&below, path) == RV_OK && rmdir(below) == 0) {
                free(path);
                path = below;
                below = NULL;
            }
            free(below);
            below = NULL;
            free(path);
            path = NULL;
        }
    }
}

static rv_status measure(rv_bench_augment_result *out, rv_device *device, rv_augment_run *run,
                         const char *source, const char *folder, const rv_augment_options *options)
{
    rv_augment_result result;
    RV_TRY(warm_up(device, source, options));
    rv_status status = rv_augment(&result, device, source, folder, options);
    const uint64_t written = result.written;
    const double seconds = result.seconds;
    rv_augment_result_release(&result);
    RV_TRY(status);
    codec c = {.run = run, .folder = folder};
    double alone;
    RV_TRY(measure_codec(&c, options->events, &alone));
    out->images = written;
    out->images_per_second = (double)written / seconds;
    out->codec_images_per_second = (double)written / alone;
    return RV_OK;
}

rv_status rv_bench_augment(rv_device *device, rv_bench_augment_result *out, const char *source,
                           const char *recipe, const rv_events *events)
{
    rv_augment_options options = RV_AUGMENT_OPTIONS_INIT;
    rv_augment_run run = {0};
    char *folder = NULL, *manifest = NULL;
    const char *place = getenv("TMPDIR");
    options.recipe = recipe;
    options.events = events;
    *out = (rv_bench_augment_result){0};
    rv_status status =
        rv_format(&folder, "%s/reverie-bench-XXXXXX", place != NULL ? place : "/tmp");
    if (status == RV_OK && mkdtemp(folder) == NULL) {
        status =
            rv_fail(RV_ERR_IO, "cannot make the folder %s: set TMPDIR to one with room", folder);
        free(folder);
        return status;
    }
    if (status == RV_OK) {
        status = rv_augment_prepare(&run, device, source, &options);
    }
    if (status == RV_OK) {
        status = measure(out, device, &run, source, folder, &options);
    }
    if (folder != NULL && rv_path_join(&manifest, folder, "manifest.jsonl") == RV_OK) {
        unlink(manifest);
        remove_tree(folder, &run);
        rmdir(folder);
    }
    free(manifest);
    free(folder);
    rv_augment_release(&run);
    return status;
}
