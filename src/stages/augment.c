/* Writes augmented copies of a folder of pictures: threads read and write, the device makes the pictures. */
/* SPDX-License-Identifier: MIT */
#include "stages/augment.h"
#include "base/error.h"
#include "base/event.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/philox.h"
#include "base/pool.h"
#include "base/system.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Copies that are made at a time: a bound on memory. */
enum { BATCH = 8, DEEPEST = 32 };

/* --- what is to be written --------------------------------------------------------------------------------- */

static size_t stem_length(const char *path)
{
    return (size_t)(rv_path_extension(path) - path);
}

static int compare_stems(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    const size_t m = stem_length(x), n = stem_length(y);
    const int order = memcmp(x, y, m < n ? m : n);
    return order != 0 ? order : m < n ? -1 : m > n;
}

/* Names that more than one picture would have keep their extension. */
static rv_status name_outputs(rv_augment_run *run)
{
    const size_t n = run->pictures.n;
    char **sorted = NULL;
    RV_TRY(rv_alloc(&run->stems, n, sizeof *run->stems, "names"));
    RV_TRY(rv_alloc(&sorted, n, sizeof *sorted, "names"));
    memcpy(sorted, run->pictures.paths, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare_stems);
    rv_status status = RV_OK;
    for (size_t i = 0; i < n && status == RV_OK; i++) {
        char *path = run->pictures.paths[i];
        char **at = bsearch(&path, sorted, n, sizeof *sorted, compare_stems);
        const bool before = at > sorted && compare_stems(at, at - 1) == 0;
        const bool behind = at + 1 < sorted + n && compare_stems(at, at + 1) == 0;
        const size_t length = before || behind ? strlen(path) : stem_length(path);
        status = rv_format(&run->stems[i], "%.*s", (int)length, path);
    }
    free(sorted);
    return status;
}

/* Of `total` outputs the first pictures of a drawn order get one more. */
uint64_t rv_augment_copies(const rv_augment_run *run, size_t picture)
{
    const uint64_t n = run->pictures.n, total = run->options.total;
    if (total == 0) {
        return (uint64_t)run->options.copies;
    }
    return total / n + (run->rank[picture] < total % n);
}

typedef struct drawn {
    uint32_t value;
    size_t picture;
} drawn;

static int compare_drawn(const void *a, const void *b)
{
    const drawn *x = a, *y = b;
    if (x->value != y->value) {
        return x->value < y->value ? -1 : 1;
    }
    return x->picture < y->picture ? -1 : 1;
}

static rv_status rank_pictures(rv_augment_run *run)
{
    const size_t n = run->pictures.n;
    drawn *order;
    RV_TRY(rv_alloc(&run->rank, n, sizeof *run->rank, "pictures"));
    RV_TRY(rv_alloc(&order, n, sizeof *order, "pictures"));
    for (size_t i = 0; i < n; i++) {
        const uint32_t key = rv_picture_key(run->pictures.paths[i]);
        order[i] = (drawn){rv_philox_block(run->options.seed, key, 0).w[0], i};
    }
    qsort(order, n, sizeof *order, compare_drawn);
    for (size_t i = 0; i < n; i++) {
        run->rank[order[i].picture] = i;
    }
    free(order);
    return RV_OK;
}

static rv_status check_options(rv_augment_run *run, const rv_augment_options *given)
{
    run->options = (rv_augment_options)RV_AUGMENT_OPTIONS_INIT;
    if (given != NULL) {
        const size_t size =
            given->struct_size < sizeof run->options ? given->struct_size : sizeof run->options;
        memcpy(&run->options, given, size);
    }
    const rv_augment_options *o = &run->options;
    if (o->total == 0 && o->copies < 1) {
        return rv_fail(RV_ERR_USAGE, "%d copies of each picture: at least 1 is needed", o->copies);
    }
    if (o->quality < 1 || o->quality > 100) {
        return rv_fail(RV_ERR_USAGE, "JPEG quality %d: it goes from 1 to 100", o->quality);
    }
    return RV_OK;
}

rv_status rv_augment_prepare(rv_augment_run *run, rv_device *device, const char *source,
                             const rv_augment_options *options)
{
    run->device = device;
    run->source = source;
    RV_TRY(check_options(run, options));
    RV_TRY(
        rv_recipe_load(&run->recipe, run->options.recipe != NULL ? run->options.recipe : "photo"));
    RV_TRY(rv_pictures_list(&run->pictures, source));
    RV_TRY(rank_pictures(run));
    return name_outputs(run);
}

void rv_augment_release(rv_augment_run *run)
{
    for (size_t i = 0; run->stems != NULL && i < run->pictures.n; i++) {
        free(run->stems[i]);
    }
    free(run->stems);
    free(run->rank);
    rv_pictures_release(&run->pictures);
    rv_augmenter_destroy(run->augmenter);
}

/* --- one picture ------------------------------------------------------------------------------------------- */

rv_status rv_augment_read(rv_source *out, const rv_augment_run *run, size_t picture)
{
    char *path = NULL;
    rv_image *image = NULL;
    *out = (rv_source){0};
    RV_TRY(rv_path_join(&path, run->source, run->pictures.paths[picture]));
    rv_image_read_options read = run->options.read;
    read.events = NULL; /* its callbacks are of another thread */
    rv_status status = rv_image_read(&image, path, &read);
    if (status == RV_OK) {
        status = rv_source_from_image(out, image);
    }
    rv_image_destroy(image);
    free(path);
    return status;
}

void rv_levels_release(rv_augment_levels *levels)
{
    for (int i = 0; i < RV_AUGMENT_LEVELS; i++) {
        rv_source_release(&levels->of[i]);
    }
}

const rv_source *rv_levels_get(rv_augment_levels *levels, rv_augment_job *job, rv_status *status)
{
    const int halvings = rv_augment_halvings(job);
    const int level = halvings < RV_AUGMENT_LEVELS ? halvings : RV_AUGMENT_LEVELS - 1;
    *status = RV_OK;
    for (int i = 1; i <= level && *status == RV_OK; i++) {
        if (levels->of[i].rgb == NULL) {
            *status = rv_source_halve(&levels->of[i], &levels->of[i - 1]);
        }
    }
    rv_augment_set_source(job, &levels->of[level], level);
    return &levels->of[level];
}

/* --- the run ----------------------------------------------------------------------------------------------- */

typedef struct work {
    rv_augment_run *run;
    rv_manifest *manifest;
    const char *target;
    rv_augment_result *result;
    pthread_mutex_t device; /* held while the device is asked for something */
    pthread_mutex_t lock;   /* of what follows, and of the result */
    pthread_t caller;
    size_t done; /* pictures */
    size_t skipped_capacity;
    bool cancelled;
    double start;
} work;

/* One copy on its way. */
typedef struct copy {
    uint32_t number;
    char *output; /* below the target */
    rv_augment_draw draw;
    const rv_source *source;
} copy;

static rv_status skip(work *w, size_t picture)
{
    rv_augment_result *r = w->result;
    rv_status status = rv_grow(&r->skipped, &w->skipped_capacity, r->n_skipped + 1,
                               sizeof *r->skipped, "skipped files");
    if (status != RV_OK) {
        return status;
    }
    rv_augment_skip *s = &r->skipped[r->n_skipped];
    status = rv_strdup(&s->reason, rv_error_message());
    if (status == RV_OK) {
        status = rv_strdup(&s->file, w->run->pictures.paths[picture]);
    }
    if (status != RV_OK) {
        free(s->reason);
        return status;
    }
    r->n_skipped++;
    return RV_OK;
}

static json_t *describe(const rv_augment_run *run, const copy *c)
{
    json_t *steps = json_array();
    for (int i = 0; i < run->recipe.n; i++) {
        const rv_transform *t = run->recipe.steps[i].transform;
        if (c->draw.applied[i]) {
            json_t *values = json_object();
            for (int k = 0; k < RV_TRANSFORM_VALUES && t->values[k] != NULL; k++) {
                json_object_set_new(values, t->values[k], json_real(c->draw.values[i][k]));
            }
            json_array_append_new(steps, json_pack("{s:o}", t->name, values));
        }
    }
    return steps;
}

static rv_status write_copy(work *w, size_t picture, const copy *c, const uint8_t *pixels)
{
    char *path = NULL;
    rv_image *image = NULL;
    rv_image_write_options options = RV_IMAGE_WRITE_OPTIONS_INIT;
    options.quality = w->run->options.quality;
    options.subsample = true;
    /* What the manifest does not know was left by a run that was killed, and will be the same again. */
    options.overwrite = w->run->options.overwrite || rv_manifest_resumed(w->manifest);
    rv_status status = rv_image_create(&image, c->draw.job.width, c->draw.job.height, 3, 8);
    if (status == RV_OK) {
        memcpy(rv_image_pixels(image), pixels, rv_augment_values(&c->draw.job));
        status = rv_path_join(&path, w->target, c->output);
    }
    if (status == RV_OK) {
        status = rv_image_write(image, path, &options);
    }
    if (status == RV_OK) {
        json_t *entry =
            json_pack("{s:s, s:s, s:I, s:I, s:o}", "output", c->output, "source",
                      w->run->pictures.paths[picture], "copy", (json_int_t)c->number, "seed",
                      (json_int_t)w->run->options.seed, "transforms", describe(w->run, c));
        status = entry != NULL ? rv_manifest_add(w->manifest, entry)
                               : rv_fail(RV_ERR_UNSUPPORTED,
                                         "'%s': the name is not UTF-8, which "
                                         "the manifest needs; rename it",
                                         c->output);
        json_decref(entry);
    }
    rv_image_destroy(image);
    free(path);
    return status;
}

/* Makes and writes up to BATCH copies. */
static rv_status make_batch(work *w, size_t picture, copy *copies, size_t n)
{
    rv_augment_job jobs[BATCH];
    const rv_source *sources[BATCH];
    uint8_t *pixels = NULL;
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        jobs[i] = copies[i].draw.job;
        sources[i] = copies[i].source;
        bytes += rv_augment_values(&jobs[i]);
    }
    RV_TRY(rv_alloc(&pixels, bytes, 1, "pictures"));
    pthread_mutex_lock(&w->device);
    rv_status status = rv_augmenter_run(w->run->augmenter, sources, jobs, n, NULL);
    if (status == RV_OK) {
        status = rv_augmenter_read(w->run->augmenter, pixels, bytes);
    }
    pthread_mutex_unlock(&w->device);
    for (size_t i = 0; i < n && status == RV_OK; i++) {
        status = write_copy(w, picture, &copies[i], pixels + jobs[i].start);
    }
    free(pixels);
    if (status == RV_OK) {
        pthread_mutex_lock(&w->lock);
        w->result->written += n;
        pthread_mutex_unlock(&w->lock);
    }
    return status;
}

/* Names the copies that are still to be made. */
static rv_status list_copies(work *w, size_t picture, copy **out, size_t *n)
{
    const uint64_t all = rv_augment_copies(w->run, picture);
    rv_status status = rv_alloc(out, (size_t)all + 1, sizeof **out, "copies");
    *n = 0;
    for (uint64_t k = 0; k < all && status == RV_OK; k++) {
        copy *c = &(*out)[*n];
        c->number = (uint32_t)k;
        status =
            rv_format(&c->output, "%s__aug%llu.jpg", w->run->stems[picture], (unsigned long long)k);
        if (status == RV_OK && rv_manifest_has(w->manifest, c->output)) {
            free(c->output);
            c->output = NULL;
            continue;
        }
        *n += status == RV_OK;
    }
    pthread_mutex_lock(&w->lock);
    w->result->existing += all - *n;
    pthread_mutex_unlock(&w->lock);
    return status;
}

static rv_status make_copies(work *w, size_t picture, rv_augment_levels *levels, copy *copies,
                             size_t n)
{
    for (size_t i = 0; i < n; i++) {
        copy *c = &copies[i];
        rv_status status;
        const rv_draw_key key = {w->run->options.seed,
                                 rv_picture_key(w->run->pictures.paths[picture]), c->number};
        rv_recipe_draw(&c->draw, &w->run->recipe, key, levels->of[0].width, levels->of[0].height);
        c->source = rv_levels_get(levels, &c->draw.job, &status);
        RV_TRY(status);
    }
    for (size_t i = 0; i < n; i += BATCH) {
        RV_TRY(make_batch(w, picture, copies + i, n - i < BATCH ? n - i : BATCH));
    }
    return RV_OK;
}

static rv_status make_folder(const work *w, const char *output)
{
    char *path = NULL, *folder = NULL;
    rv_status status = rv_path_join(&path, w->target, output);
    if (status == RV_OK) {
        status = rv_path_folder(&folder, path);
    }
    if (status == RV_OK) {
        status = rv_folder_make(folder, 0777);
    }
    free(path);
    free(folder);
    return status;
}

static rv_status do_picture(work *w, size_t picture)
{
    rv_augment_levels levels = {{{0}}};
    copy *copies = NULL;
    size_t n = 0;
    rv_status status = list_copies(w, picture, &copies, &n);
    if (status == RV_OK && n > 0) {
        status = rv_augment_read(&levels.of[0], w->run, picture);
        if (status != RV_OK && status != RV_ERR_CANCELLED && !w->run->options.strict) {
            pthread_mutex_lock(&w->lock);
            status = skip(w, picture);
            pthread_mutex_unlock(&w->lock);
        } else if (status == RV_OK) {
            status = make_folder(w, copies[0].output);
            if (status == RV_OK) {
                status = make_copies(w, picture, &levels, copies, n);
            }
        }
    }
    for (size_t i = 0; copies != NULL && i < n; i++) {
        free(copies[i].output);
    }
    free(copies);
    rv_levels_release(&levels);
    return status;
}

/* Callbacks run in the caller's thread, which works like the others. */
static rv_status tell(work *w)
{
    const rv_events *events = w->run->options.events;
    pthread_mutex_lock(&w->lock);
    const size_t done = ++w->done;
    const bool cancelled = w->cancelled;
    pthread_mutex_unlock(&w->lock);
    if (cancelled) {
        return rv_fail(RV_ERR_CANCELLED, "cancelled");
    }
    if (pthread_equal(pthread_self(), w->caller)) {
        const double share = (double)done / (double)w->run->pictures.n, now = rv_clock() - w->start;
        const rv_progress progress = {.task = "augment",
                                      .done = (int64_t)done,
                                      .total = (int64_t)w->run->pictures.n,
                                      .fraction = share,
                                      .loss = NAN,
                                      .seconds_left = now * (1 - share) / share};
        rv_report(events, &progress);
        if (rv_cancelled(events)) {
            pthread_mutex_lock(&w->lock);
            w->cancelled = true;
            pthread_mutex_unlock(&w->lock);
            return rv_fail(RV_ERR_CANCELLED, "cancelled");
        }
    }
    return RV_OK;
}

static rv_status job(void *payload, size_t picture)
{
    work *w = payload;
    RV_TRY(do_picture(w, picture));
    return tell(w);
}

/* --- where it goes ----------------------------------------------------------------------------------------- */

/* Outputs among the sources would be sources of the next run. */
static rv_status check_target(const char *source, const char *target)
{
    char *from = realpath(source, NULL), *to = realpath(target, NULL);
    const size_t n = from != NULL ? strlen(from) : 0;
    const bool inside = from != NULL && to != NULL && strncmp(from, to, n) == 0 &&
                        (to[n] == '/' || to[n] == '\0' || strcmp(from, "/") == 0);
    free(from);
    free(to);
    return inside ? rv_fail(RV_ERR_USAGE,
                            "%s lies in %s: the copies would be among the pictures; name a folder "
                            "beside it",
                            target, source)
                  : RV_OK;
}

/* What a killed run was writing. Only this run writes here: it holds the manifest. */
static rv_status remove_left_over(const char *folder, int depth)
{
    char **names;
    size_t n;
    RV_TRY(rv_folder_list(&names, &n, folder));
    rv_status status = RV_OK;
    for (size_t i = 0; i < n && status == RV_OK; i++) {
        char *path = NULL;
        status = rv_path_join(&path, folder, names[i]);
        if (status == RV_OK && rv_output_is_temporary(names[i])) {
            unlink(path);
        } else if (status == RV_OK && depth < DEEPEST && rv_path_is_folder(path)) {
            status = remove_left_over(path, depth + 1);
        }
        free(path);
    }
    free(names);
    return status;
}

static json_t *make_header(const rv_augment_run *run)
{
    char hash[32];
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)run->recipe.hash);
    return json_pack("{s:i, s:s, s:I, s:I, s:I, s:i}", "format", 1, "recipe", hash, "seed",
                     (json_int_t)run->options.seed, "copies",
                     (json_int_t)(run->options.total > 0 ? 0 : run->options.copies), "total",
                     (json_int_t)run->options.total, "quality", run->options.quality);
}

static rv_status write_all(rv_augment_run *run, work *w)
{
    json_t *header = make_header(run);
    RV_TRY(rv_folder_make(w->target, 0777));
    rv_status status = check_target(run->source, w->target);
    if (status == RV_OK) {
        status = rv_manifest_open(&w->manifest, w->target, header, run->options.overwrite);
    }
    json_decref(header);
    if (status == RV_OK && rv_manifest_resumed(w->manifest)) {
        status = remove_left_over(w->target, 0);
    }
    if (status == RV_OK) {
        status = rv_augmenter_create(&run->augmenter, run->device, false);
    }
    if (status == RV_OK) {
        /* One more than there are processors: one may wait for the device. */
        const int threads = run->options.threads > 0 ? run->options.threads : rv_cpu_count() + 1;
        status = rv_parallel_for(run->pictures.n, threads, job, w);
    }
    rv_error error;
    rv_error_save(&error, status);
    const rv_status closed = rv_manifest_close(w->manifest);
    return status != RV_OK ? rv_error_restore(&error) : closed;
}

rv_status rv_augment(rv_augment_result *result, rv_device *device, const char *source,
                     const char *target, const rv_augment_options *options)
{
    rv_augment_run run = {0};
    work w = {.run = &run,
              .target = target,
              .result = result,
              .caller = pthread_self(),
              .start = rv_clock()};
    *result = (rv_augment_result){0};
    pthread_mutex_init(&w.device, NULL);
    pthread_mutex_init(&w.lock, NULL);
    rv_status status = rv_augment_prepare(&run, device, source, options);
    result->sources = run.pictures.n;
    for (size_t i = 0; status == RV_OK && i < run.pictures.n; i++) {
        result->wanted += rv_augment_copies(&run, i);
    }
    if (status == RV_OK && !run.options.dry_run) {
        status = write_all(&run, &w);
    }
    result->seconds = rv_clock() - w.start;
    pthread_mutex_destroy(&w.device);
    pthread_mutex_destroy(&w.lock);
    rv_augment_release(&run);
    return status;
}

void rv_augment_result_release(rv_augment_result *result)
{
    for (size_t i = 0; i < result->n_skipped; i++) {
        free(result->skipped[i].file);
        free(result->skipped[i].reason);
    }
    free(result->skipped);
    result->skipped = NULL;
    result->n_skipped = 0;
}
