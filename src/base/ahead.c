/* Makes things ahead of their use on threads of its own, within a number and a weight. */
/* SPDX-License-Identifier: MIT */
#include "base/ahead.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/system.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

enum { MAX_THREADS = 4 };

typedef struct slot {
    int64_t number; /* of what is ready in it, -1: nothing is */
    uint64_t weight;
} slot;

struct rv_ahead {
    rv_ahead_options options;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t threads[MAX_THREADS];
    int n_threads;
    bool stop;
    int64_t taken;   /* next thing for a thread to make */
    int64_t given;   /* next thing for the caller; the one before lies with it */
    uint64_t weight; /* of what is ready, and of what lies with the caller */
    slot *slots;
};

/* With the lock held. The slot of what lies with the caller is not free yet. A limit never holds up what the caller
 * waits for: where that is not taken yet, nothing is there that weighs. */
static bool may_take(const rv_ahead *a)
{
    const rv_ahead_options *o = &a->options;
    return a->taken < o->end && a->taken < a->given + o->slots - 1 &&
           (o->limit == 0 || a->weight <= o->limit);
}

static void *work(void *argument)
{
    rv_ahead *a = argument;
    pthread_mutex_lock(&a->lock);
    while (!a->stop) {
        if (!may_take(a)) {
            pthread_cond_wait(&a->changed, &a->lock);
            continue;
        }
        const int64_t number = a->taken++;
        const int at = (int)(number % a->options.slots);
        pthread_mutex_unlock(&a->lock);
        const uint64_t weight = a->options.make(a->options.payload, number, at);
        pthread_mutex_lock(&a->lock);
        a->slots[at] = (slot){number, weight};
        a->weight += weight;
        pthread_cond_broadcast(&a->changed);
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

static rv_status start(rv_ahead *a)
{
    const int wanted = a->options.threads > 0 ? a->options.threads : rv_cpu_count();
    /* Signals are the caller's. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (a->n_threads < wanted && a->n_threads < MAX_THREADS &&
           pthread_create(&a->threads[a->n_threads], NULL, work, a) == 0) {
        a->n_threads++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return a->n_threads > 0 ? RV_OK
                            : rv_fail(RV_ERR_MEMORY, "no thread can be started to read pictures");
}

rv_status rv_ahead_create(rv_ahead **out, const rv_ahead_options *options)
{
    rv_ahead *a;
    *out = NULL;
    RV_TRY(rv_alloc(&a, 1, sizeof *a, "threads"));
    a->options = *options;
    a->taken = a->given = options->first;
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->changed, NULL);
    rv_status status = rv_alloc(&a->slots, (size_t)options->slots, sizeof *a->slots, "threads");
    for (int i = 0; i < options->slots && status == RV_OK; i++) {
        a->slots[i].number = -1;
    }
    if (status == RV_OK) {
        status = start(a);
    }
    if (status != RV_OK) {
        rv_ahead_destroy(a);
        return status;
    }
    *out = a;
    return RV_OK;
}

void rv_ahead_destroy(rv_ahead *a)
{
    if (a == NULL) {
        return;
    }
    pthread_mutex_lock(&a->lock);
    a->stop = true;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
    for (int i = 0; i < a->n_threads; i++) {
        pthread_join(a->threads[i], NULL);
    }
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
    free(a->slots);
    free(a);
}

int rv_ahead_next(rv_ahead *a)
{
    const rv_ahead_options *o = &a->options;
    int at = -1;
    pthread_mutex_lock(&a->lock);
    if (a->given > o->first) {
        slot *before = &a->slots[(a->given - 1) % o->slots];
        a->weight -= before->weight;
        before->weight = 0;
    }
    if (a->given < o->end) {
        at = (int)(a->given % o->slots);
        a->given++;
        pthread_cond_broadcast(&a->changed);
        while (a->slots[at].number != a->given - 1) {
            pthread_cond_wait(&a->changed, &a->lock);
        }
    }
    pthread_mutex_unlock(&a->lock);
    return at;
}
