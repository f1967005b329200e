/* Writes augmented copies of a folder of pictures: threads read and write, the device makes the pictures. */
/* SPDX-License-Identifier: MIT */
#include "stages/augment.h"
#include "base/error.h"
#include "base/event.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/pool.h"
#include "base/system.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of pictures and copies that are made in one go, and bytes of results: bounds on memory. */
enum { MOST_PICTURES = 16, MOST_COPIES = 64, ENOUGH_BYTES = 4 << 20 };
enum { GROUPS_PER_THREAD = 8, DEEPEST = 32 /* folders in folders */ };

/* --- the run ----------------------------------------------------------------------------------------------- */

typedef struct work {
    rv_augment_run *run;
    rv_manifest *manifest;
    const char *target;
    rv_augment_result *result;
    size_t group;           /* pictures that a thread takes at a time */
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
    size_t picture;
    uint32_t number;
    char *output; /* below the target */
    rv_augment_draw draw;
    const rv_source *source;
} copy;

/* What the device makes in one go: copies of one picture or of several small ones. */
typedef struct batch {
    work *w;
    rv_augment_levels pictures[MOST_PICTURES];
    copy copies[MOST_COPIES];
    size_t n_pictures, n, bytes;
    uint8_t
        *pixels; /* of the copies; kept, as is the picture that is written: fresh memory is slow */
    size_t pixels_capacity;
    rv_image *image;
} batch;

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

static rv_status check_name(const char *name)
{
    json_t *text = json_string(name);
    json_decref(text);
    return text != NULL
               ? RV_OK
               : rv_fail(RV_ERR_UNSUPPORTED,
                         "'%s': the name is not UTF-8, which the manifest needs; rename it", name);
}

static rv_status note(const work *w, const copy *c)
{
    json_t *entry =
        json_pack("{s:s, s:s, s:I, s:I, s:o}", "output", c->output, "source",
                  w->run->pictures.paths[c->picture], "copy", (json_int_t)c->number, "seed",
                  (json_int_t)w->run->options.seed, "transforms", describe(w->run, c));
    if (entry == NULL) {
        return rv_fail(RV_ERR_MEMORY, "no memory for the manifest");
    }
    const rv_status status = rv_manifest_add(w->manifest, entry);
    json_decref(entry);
    return status;
}

/* A picture of that size to write from: that of the last copy, if it will do. */
static rv_status fit_image(rv_image **image, const rv_augment_job *job)
{
    if (*image != NULL && rv_image_width(*image) == job->width &&
        rv_image_height(*image) == job->height) {
        return RV_OK;
    }
    rv_image_destroy(*image);
    *image = NULL;
    return rv_image_create(image, job->width, job->height, 3, 8);
}

static rv_status write_copy(const work *w, rv_image **image, const copy *c, const uint8_t *pixels)
{
    char *path = NULL;
    rv_image_write_options options = RV_IMAGE_WRITE_OPTIONS_INIT;
    options.quality = w->run->options.quality;
    options.subsample = true;
    options.unsynced = true; /* what a power cut takes can be made again */
    /* What the manifest does not know was left by a run that was killed, and will be the same again. */
    options.overwrite = w->run->options.overwrite || rv_manifest_resumed(w->manifest);
    rv_status status = fit_image(image, &c->draw.job);
    if (status == RV_OK) {
        memcpy(rv_image_pixels(*image), pixels, rv_augment_values(&c->draw.job));
        status = rv_path_join(&path, w->target, c->output);
    }
    if (status == RV_OK) {
        status = rv_image_write(*image, path, &options);
    }
    free(path);
    return status == RV_OK ? note(w, c) : status;
}

static rv_status make(batch *b)
{
    work *w = b->w;
    rv_augment_job jobs[MOST_COPIES];
    const rv_source *sources[MOST_COPIES];
    for (size_t i = 0; i < b->n; i++) {
        jobs[i] = b->copies[i].draw.job;
        sources[i] = b->copies[i].source;
    }
    pthread_mutex_lock(&w->device);
    rv_status status = rv_augmenter_run(w->run->augmenter, sources, jobs, b->n, NULL);
    if (status == RV_OK) {
        status = rv_augmenter_read(w->run->augmenter, b->pixels, b->bytes);
    }
    pthread_mutex_unlock(&w->device);
    size_t written = 0;
    while (written < b->n && status == RV_OK) {
        status = write_copy(w, &b->image, &b->copies[written], b->pixels + jobs[written].start);
        written += status == RV_OK;
    }
    pthread_mutex_lock(&w->lock);
    w->result->written += written;
    pthread_mutex_unlock(&w->lock);
    return status;
}

static void forget_copies(batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        free(b->copies[i].output);
    }
    b->n = b->bytes = 0;
}

/* Makes and writes what has gathered. */
static rv_status flush(batch *b)
{
    if (b->n == 0) {
        return RV_OK;
    }
    RV_TRY(rv_grow(&b->pixels, &b->pixels_capacity, b->bytes, 1, "pictures"));
    const rv_status status = make(b);
    forget_copies(b);
    return status;
}

static void forget_pictures(batch *b)
{
    for (size_t i = 0; i < b->n_pictures; i++) {
        rv_levels_release(&b->pictures[i]);
    }
    b->n_pictures = 0;
}

/* Draws a copy of the last picture. Takes its name. */
static rv_status add_copy(batch *b, size_t picture, uint32_t number, char *output)
{
    rv_augment_levels *levels = &b->pictures[b->n_pictures - 1];
    copy *c = &b->copies[b->n++];
    rv_status status;
    const rv_draw_key key = {b->w->run->options.seed,
                             rv_picture_key(b->w->run->pictures.paths[picture]), number};
    *c = (copy){.picture = picture, .number = number, .output = output};
    rv_recipe_draw(&c->draw, &b->w->run->recipe, key, levels->of[0].width, levels->of[0].height);
    c->source = rv_levels_get(levels, &c->draw.job, &status);
    b->bytes += rv_augment_values(&c->draw.job);
    return status == RV_OK && (b->n == MOST_COPIES || b->bytes > ENOUGH_BYTES) ? flush(b) : status;
}

/* Whether an earlier run has made it: a power cut leaves a line, but no file or an empty one. */
static rv_status find_copy(bool *there, const work *w, const char *output)
{
    char *path;
    struct stat about;
    *there = false;
    if (!rv_manifest_has(w->manifest, output)) {
        return RV_OK;
    }
    RV_TRY(rv_path_join(&path, w->target, output));
    *there = stat(path, &about) == 0 && about.st_size > 0;
    free(path);
    return RV_OK;
}

/* The copies of a picture that are not there yet; the picture is read for the first of them. */
static rv_status add_picture(batch *b, size_t picture)
{
    work *w = b->w;
    const uint64_t all = rv_augment_copies(w->run, picture);
    uint64_t existing = 0;
    bool read = false;
    rv_status status = RV_OK;
    for (uint64_t k = 0; k < all && status == RV_OK; k++) {
        char *output = NULL;
        bool there = false;
        status =
            rv_format(&output, "%s__aug%llu.jpg", w->run->stems[picture], (unsigned long long)k);
        if (status == RV_OK) {
            status = find_copy(&there, w, output);
        }
        if (there) {
            free(output);
            existing++;
            continue;
        }
        if (status == RV_OK && !read) {
            b->pictures[b->n_pictures] = (rv_augment_levels){{{0}}};
            rv_source *source = &b->pictures[b->n_pictures++].of[0];
            status = check_name(w->run->pictures.paths[picture]);
            if (status == RV_OK) {
                status = rv_augment_read(source, w->run, picture);
            }
            read = true;
            if (status != RV_OK && !w->run->options.strict) {
                free(output);
                pthread_mutex_lock(&w->lock);
                status = skip(w, picture);
                pthread_mutex_unlock(&w->lock);
                break;
            }
        }
        if (status == RV_OK) {
            status = add_copy(b, picture, (uint32_t)k, output);
        } else {
            free(output);
        }
    }
    pthread_mutex_lock(&w->lock);
    w->result->existing += existing;
    pthread_mutex_unlock(&w->lock);
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

static rv_status do_group(batch *b, size_t group)
{
    const work *w = b->w;
    const size_t first = group * w->group, n = w->run->pictures.n,
                 last = first + w->group < n ? first + w->group : n;
    for (size_t i = first; i < last; i++) {
        RV_TRY(add_picture(b, i));
        if (b->n_pictures == MOST_PICTURES || b->bytes > ENOUGH_BYTES / 2 || i + 1 == last) {
            RV_TRY(flush(b));
            forget_pictures(b);
        }
        RV_TRY(tell(b->w));
    }
    return RV_OK;
}

static rv_status job(void *payload, size_t group)
{
    batch *b;
    RV_TRY(rv_alloc(&b, 1, sizeof *b, "pictures"));
    b->w = payload;
    const rv_status status = do_group(b, group);
    forget_copies(b);
    forget_pictures(b);
    rv_image_destroy(b->image);
    free(b->pixels);
    free(b);
    return status;
}

/* --- where it goes ----------------------------------------------------------------------------------------- */

/* Outputs among the sources would be sources of the next run. */
static rv_status fail_inside(const char *source, const char *target)
{
    return rv_fail(RV_ERR_USAGE,
                   "%s lies in %s: the copies would be among the pictures; name a folder beside it",
                   target, source);
}

/* The target need not be there yet: then it lies where the nearest folder above it does. */
static rv_status check_target(const char *source, const char *target)
{
    char *from = realpath(source, NULL), *to = realpath(target, NULL), *above = NULL;
    rv_status status = rv_strdup(&above, target);
    while (status == RV_OK && to == NULL && strcmp(above, ".") != 0) {
        char *folder = NULL;
        status = rv_path_folder(&folder, above);
        if (status == RV_OK) {
            free(above);
            above = folder;
            to = realpath(above, NULL);
        }
    }
    const size_t n = from != NULL ? strlen(from) : 0;
    const bool inside = from != NULL && to != NULL && strncmp(from, to, n) == 0 &&
                        (to[n] == '/' || to[n] == '\0' || strcmp(from, "/") == 0);
    free(from);
    free(to);
    free(above);
    return status == RV_OK && inside ? fail_inside(source, target) : status;
}

static rv_status make_folders(const work *w)
{
    char *last = NULL;
    rv_status status = RV_OK;
    for (size_t i = 0; i < w->run->pictures.n && status == RV_OK; i++) {
        char *path = NULL, *folder = NULL;
        status = rv_path_join(&path, w->target, w->run->stems[i]);
        if (status == RV_OK) {
            status = rv_path_folder(&folder, path);
        }
        if (status == RV_OK && (last == NULL || strcmp(folder, last) != 0)) {
            status = rv_folder_make(folder, 0777);
        }
        free(path);
        free(last);
        last = folder;
    }
    free(last);
    return status;
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

/* Paths may be no UTF-8: the source is told by a hash of where it is. */
static json_t *make_header(const rv_augment_run *run)
{
    char recipe[32], source[32], *path = realpath(run->source, NULL);
    const char *at = path != NULL ? path : run->source;
    snprintf(recipe, sizeof recipe, "%016jx", (uintmax_t)run->recipe.hash);
    snprintf(source, sizeof source, "%016jx", (uintmax_t)rv_hash(RV_HASH_START, at, strlen(at)));
    free(path);
    return json_pack("{s:i, s:s, s:s, s:I, s:I, s:I, s:i}", "format", 1, "source", source, "recipe",
                     recipe, "seed", (json_int_t)run->options.seed, "copies",
                     (json_int_t)(run->options.total > 0 ? 0 : run->options.copies), "total",
                     (json_int_t)run->options.total, "quality", run->options.quality);
}

static rv_status write_all(rv_augment_run *run, work *w)
{
    RV_TRY(check_target(run->source, w->target));
    RV_TRY(rv_folder_make(w->target, 0777));
    json_t *header = make_header(run);
    rv_status status = rv_manifest_open(&w->manifest, w->target, header, run->options.overwrite);
    json_decref(header);
    if (status == RV_OK && rv_manifest_resumed(w->manifest)) {
        status = remove_left_over(w->target, 0);
    }
    if (status == RV_OK) {
        status = make_folders(w);
    }
    if (status == RV_OK) {
        status = rv_augmenter_create(&run->augmenter, run->device, RV_AUGMENT_BYTES);
    }
    if (status == RV_OK) {
        /* One more than there are processors: one may wait for the device. */
        const int threads = run->options.threads > 0 ? run->options.threads : rv_cpu_count() + 1;
        const size_t share = run->pictures.n / ((size_t)threads * GROUPS_PER_THREAD) + 1;
        w->group = share < MOST_PICTURES ? share : MOST_PICTURES;
        status = rv_parallel_for((run->pictures.n + w->group - 1) / w->group, threads, job, w);
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
