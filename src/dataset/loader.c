/* Threads that read batches ahead: batch b is made in slot b % SLOTS, whichever thread takes it. */
/* SPDX-License-Identifier: MIT */
#include "dataset/loader.h"
#include "base/ahead.h"
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "base/philox.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 4, STREAM_ORDER = 1 << 24, MAX_PENDING = 64 };

typedef struct slot {
    float *pictures, *labels;
    rv_augmented *augmented; /* with a recipe, in place of `pictures` */
    uint32_t *indices;       /* of its pictures */
    size_t n;
} slot;

struct rv_loader {
    const rv_dataset *dataset;
    rv_loader_options options;
    size_t count;      /* pictures of the subset */
    int64_t per_epoch; /* batches */
    size_t n_labels;   /* of a picture */

    rv_ahead *ahead; /* makes batches */
    int64_t given;   /* next batch for the caller */
    slot slots[SLOTS];
    pthread_mutex_t lock; /* of all below */
    uint32_t *order[2];   /* of an even and of an odd epoch */
    int64_t order_epoch[2];
    bool *unreadable; /* by picture */
    size_t n_unreadable;
    char *pending[MAX_PENDING]; /* messages for the caller to log */
    size_t n_pending;
    rv_error error;
    bool failed;
};

void rv_sampler_shuffle(uint32_t *order, size_t n, uint32_t seed, int64_t epoch)
{
    for (size_t i = 0; i < n; i++) {
        order[i] = (uint32_t)i;
    }
    for (size_t i = n; i > 1; i--) {
        const uint32_t stream = (uint32_t)(STREAM_ORDER + epoch);
        const size_t k = (size_t)((double)rv_philox_uniform(seed, stream, (uint32_t)i) * (double)i);
        const uint32_t other = order[k];
        order[k] = order[i - 1];
        order[i - 1] = other;
    }
}

/* --- making batches -------------------------------------------------------------------------- */

/* With the lock held: which pictures batch `number` has. */
static size_t choose(rv_loader *l, slot *s, int64_t number)
{
    const size_t batch = (size_t)l->options.batch;
    const int64_t epoch = number / l->per_epoch;
    const size_t first = (size_t)(number % l->per_epoch) * batch;
    const size_t n = l->count - first < batch ? l->count - first : batch;
    uint32_t *order = l->order[epoch % 2];
    if (l->options.shuffle && l->order_epoch[epoch % 2] != epoch) {
        rv_sampler_shuffle(order, l->count, l->options.seed, epoch);
        l->order_epoch[epoch % 2] = epoch;
    }
    for (size_t i = 0; i < n; i++) {
        s->indices[i] = l->options.shuffle ? order[first + i] : (uint32_t)(first + i);
    }
    return n;
}

/* Notes that a picture cannot be read, and its message, the first time. */
static void note(rv_loader *l, uint32_t index, rv_status status)
{
    rv_error error;
    rv_error_save(&error, status);
    pthread_mutex_lock(&l->lock);
    if (!l->unreadable[index]) {
        l->unreadable[index] = true;
        l->n_unreadable++;
        if (l->n_pending < MAX_PENDING &&
            rv_strdup(&l->pending[l->n_pending], error.message) == RV_OK) {
            l->n_pending++;
        }
    }
    if (l->options.strict && !l->failed) {
        l->failed = true;
        l->error = error;
    }
    pthread_mutex_unlock(&l->lock);
}

static size_t picture_floats(const rv_loader *l)
{
    const rv_loader_options *o = &l->options;
    return o->table != NULL ? o->table_floats
                            : (size_t)o->channels * (size_t)o->height * (size_t)o->width;
}

/* The row of the table in place of a picture. */
static rv_status copy_row(const rv_loader *l, slot *s, size_t place, size_t index)
{
    const size_t floats = picture_floats(l);
    const float *row = l->options.table + index * floats;
    if (isnan(row[0])) {
        return rv_fail(RV_ERR_FORMAT, "picture %zu could not be read", index);
    }
    memcpy(s->pictures + place * floats, row, floats * sizeof(float));
    return RV_OK;
}

/* The picture for a place of a slot: fitted, or what the device needs to augment it. */
static rv_status read_one(const rv_loader *l, slot *s, size_t place, size_t index, int64_t epoch)
{
    const rv_loader_options *o = &l->options;
    rv_sample sample;
    rv_status status;
    if (o->table != NULL) {
        return copy_row(l, s, place, index);
    }
    RV_TRY(rv_dataset_read(&sample, l->dataset, o->subset, index));
    if (o->recipe != NULL) {
        const rv_draw_key key = {o->seed, (uint32_t)index, (uint32_t)epoch};
        rv_source_release(&s->augmented[place].source);
        status =
            rv_augmented_draw(&s->augmented[place], &sample, o->recipe, key, o->width, o->height);
    } else {
        status = rv_sample_fit(s->pictures + place * picture_floats(l), &sample, o->channels,
                               o->height, o->width);
    }
    rv_sample_release(&sample);
    return status;
}

/* @param index  of the picture, count: there is none */
static void set_labels(const rv_loader *l, float *labels, size_t index)
{
    const rv_subset subset = l->options.subset;
    const float *targets = index < l->count ? rv_dataset_targets(l->dataset, subset, index) : NULL;
    for (size_t k = 0; k < l->n_labels; k++) {
        labels[k] = index >= l->count ? NAN
                    : targets != NULL ? targets[k]
                                      : (float)rv_dataset_label(l->dataset, subset, index);
    }
}

/* Reads the picture of a place in a batch, or where that fails while shuffling the next one that can be read. */
static void fill_place(rv_loader *l, slot *s, size_t place, int64_t epoch)
{
    const rv_loader_options *o = &l->options;
    const size_t tries = o->shuffle && !o->strict ? l->count : 1;
    float *labels = s->labels + place * l->n_labels;
    set_labels(l, labels, l->count);
    for (size_t k = 0; k < tries; k++) {
        const size_t index = (s->indices[place] + k) % l->count;
        const rv_status status = read_one(l, s, place, index, epoch);
        if (status == RV_OK) {
            set_labels(l, labels, index);
            return;
        }
        note(l, (uint32_t)index, status);
    }
    if (s->pictures != NULL) {
        memset(s->pictures + place * picture_floats(l), 0, picture_floats(l) * sizeof(float));
    }
}

static void fill(rv_loader *l, slot *s, size_t n, int64_t epoch)
{
    const size_t floats = picture_floats(l);
    for (size_t i = 0; i < n; i++) {
        fill_place(l, s, i, epoch);
    }
    /* Only without shuffling, and so without a recipe. */
    for (size_t i = n; i < (size_t)l->options.batch; i++) {
        set_labels(l, s->labels + i * l->n_labels, l->count);
        memset(s->pictures + i * floats, 0, floats * sizeof(float));
    }
    s->n = n;
}

/* By a thread. */
static uint64_t make_batch(void *payload, int64_t number, int at)
{
    rv_loader *l = payload;
    slot *s = &l->slots[at];
    pthread_mutex_lock(&l->lock);
    const size_t n = choose(l, s, number);
    pthread_mutex_unlock(&l->lock);
    fill(l, s, n, number / l->per_epoch);
    return 0;
}

/* --- create ---------------------------------------------------------------------------------- */

static rv_status allocate(rv_loader *l)
{
    const rv_loader_options *o = &l->options;
    const size_t batch = (size_t)o->batch;
    const size_t floats = batch * picture_floats(l);
    for (int i = 0; i < SLOTS; i++) {
        slot *s = &l->slots[i];
        if (o->recipe != NULL) {
            RV_TRY(rv_alloc(&s->augmented, batch, sizeof *s->augmented, "batches"));
        } else {
            RV_TRY(rv_alloc(&s->pictures, floats, sizeof(float), "batches"));
        }
        RV_TRY(rv_alloc(&s->labels, batch * l->n_labels, sizeof(float), "batches"));
        RV_TRY(rv_alloc(&s->indices, batch, sizeof(uint32_t), "batches"));
    }
    for (int i = 0; i < 2; i++) {
        l->order_epoch[i] = -1;
        RV_TRY(rv_alloc(&l->order[i], l->count + 1, sizeof(uint32_t), "pictures"));
    }
    return rv_alloc(&l->unreadable, l->count + 1, sizeof(bool), "pictures");
}

/* Without shuffling there is one epoch. */
static rv_status start(rv_loader *l)
{
    const rv_ahead_options ahead = {.slots = SLOTS,
                                    .threads = l->options.threads,
                                    .first = l->given,
                                    .end = l->options.shuffle ? INT64_MAX : l->per_epoch,
                                    .make = make_batch,
                                    .payload = l};
    return rv_ahead_create(&l->ahead, &ahead);
}

rv_status rv_loader_check(const rv_dataset *dataset, const rv_loader_options *o)
{
    const size_t count = rv_dataset_count(dataset, o->subset);
    const size_t multiple = o->multiple > 0 ? (size_t)o->multiple : 1;
    if (o->batch < 1 || count > UINT32_MAX) {
        return rv_fail(RV_ERR_USAGE, "batch is %d, must be 1 or more", (int)o->batch);
    }
    if (o->recipe != NULL && !o->shuffle) {
        return rv_fail(RV_ERR_UNSUPPORTED, "pictures are augmented for training only");
    }
    if (o->shuffle && (size_t)o->batch * multiple > count) {
        return rv_fail(RV_ERR_USAGE,
                       "a batch of %zu is larger than the data set, which has %zu "
                       "pictures for it",
                       (size_t)o->batch * multiple, count);
    }
    return RV_OK;
}

rv_status rv_loader_create(rv_loader **out, const rv_dataset *dataset,
                           const rv_loader_options *options, int64_t first)
{
    rv_loader *l;
    *out = NULL;
    RV_TRY(rv_alloc(&l, 1, sizeof *l, "loader"));
    l->dataset = dataset;
    l->options = *options;
    l->count = rv_dataset_count(dataset, options->subset);
    l->n_labels =
        rv_dataset_task(dataset) == RV_TASK_CLASSES ? 1 : (size_t)rv_dataset_class_count(dataset);
    l->given = first;
    pthread_mutex_init(&l->lock, NULL);
    rv_status status = rv_loader_check(dataset, options);
    if (status == RV_OK) {
        const size_t batch = (size_t)options->batch;
        const size_t multiple = options->multiple > 0 ? (size_t)options->multiple : 1;
        l->per_epoch = (int64_t)(options->shuffle ? l->count / batch / multiple * multiple
                                                  : (l->count + batch - 1) / batch);
        status = allocate(l);
    }
    if (status == RV_OK) {
        status = start(l);
    }
    if (status != RV_OK) {
        rv_loader_destroy(l);
        return status;
    }
    *out = l;
    return RV_OK;
}

void rv_loader_destroy(rv_loader *l)
{
    if (l == NULL) {
        return;
    }
    rv_ahead_destroy(l->ahead);
    for (int i = 0; i < SLOTS; i++) {
        rv_augmented *augmented = l->slots[i].augmented;
        for (int32_t k = 0; augmented != NULL && k < l->options.batch; k++) {
            rv_source_release(&augmented[k].source);
        }
        free(augmented);
        free(l->slots[i].pictures);
        free(l->slots[i].labels);
        free(l->slots[i].indices);
    }
    for (size_t i = 0; i < l->n_pending; i++) {
        free(l->pending[i]);
    }
    pthread_mutex_destroy(&l->lock);
    free(l->order[0]);
    free(l->order[1]);
    free(l->unreadable);
    free(l);
}

/* --- use ------------------------------------------------------------------------------------- */

int64_t rv_loader_batches(const rv_loader *l)
{
    return l->per_epoch;
}

size_t rv_loader_unreadable(const rv_loader *l)
{
    return l->n_unreadable;
}

/* With the lock held, which it gives up while a message goes out. */
static void log_pending(rv_loader *l)
{
    while (l->n_pending > 0) {
        char *message = l->pending[--l->n_pending];
        pthread_mutex_unlock(&l->lock);
        rv_log(l->options.events, RV_LOG_WARNING, "left out: %s", message);
        free(message);
        pthread_mutex_lock(&l->lock);
    }
}

rv_status rv_loader_next(rv_loader *l, rv_batch *out)
{
    *out = (rv_batch){.number = l->given};
    const int at = rv_ahead_next(l->ahead);
    if (at >= 0) {
        const slot *s = &l->slots[at];
        *out = (rv_batch){l->given++, s->pictures, s->augmented, s->labels, l->n_labels, s->n};
    }
    pthread_mutex_lock(&l->lock);
    log_pending(l);
    const bool failed = l->failed;
    const bool nothing = l->options.shuffle && l->n_unreadable == l->count;
    pthread_mutex_unlock(&l->lock);
    if (failed) {
        return rv_error_restore(&l->error);
    }
    return nothing ? rv_fail(RV_ERR_FORMAT, "none of the %zu pictures can be read", l->count)
                   : RV_OK;
}
