/* What an augmentation is about: options, recipe, pictures, names and numbers of copies. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/philox.h"
#include "base/text.h"
#include "stages/augment.h"

#include <reverie/image.h>
#include <stdlib.h>
#include <string.h>

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
    if (run->pictures.n == 0) {
        return rv_fail(RV_ERR_NOT_FOUND, "%s: no picture (%s) in it or below it", source,
                       rv_image_formats());
    }
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
