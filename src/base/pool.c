/* Worker threads over a range of indices. */
/* SPDX-License-Identifier: MIT */
#include "base/pool.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/system.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

/* Indices are handed out in rising order, so that when one fails, all below it have been started: the lowest
 * failure, and with it the message, does not depend on timing. */
typedef struct work {
    size_t n;
    rv_status (*job)(void *payload, size_t i);
    void *payload;
    pthread_mutex_t lock; /* guards what follows */
    size_t next;
    size_t failed_at; /* n: nowhere */
    rv_error error;
} work;

static bool take(work *w, size_t *i)
{
    pthread_mutex_lock(&w->lock);
    const bool more = w->next < w->n && w->failed_at == w->n;
    if (more) {
        *i = w->next++;
    }
    pthread_mutex_unlock(&w->lock);
    return more;
}

static void *run(void *argument)
{
    work *w = argument;
    for (size_t i; take(w, &i);) {
        const rv_status status = w->job(w->payload, i);
        if (status != RV_OK) {
            pthread_mutex_lock(&w->lock);
            if (i < w->failed_at) {
                w->failed_at = i;
                rv_error_save(&w->error, status);
            }
            pthread_mutex_unlock(&w->lock);
        }
    }
    return NULL;
}

rv_status rv_parallel_for(size_t n, int threads, rv_status (*job)(void *payload, size_t i),
                          void *payload)
{
    const size_t wanted = (size_t)(threads > 0 ? threads : rv_cpu_count());
    const size_t helpers = (wanted < n ? wanted : n) - (n > 0 ? 1 : 0);
    pthread_t *ids = NULL;
    RV_TRY(rv_alloc(&ids, helpers, sizeof *ids, "worker threads"));
    work w = {.n = n, .job = job, .payload = payload, .failed_at = n};
    pthread_mutex_init(&w.lock, NULL);

    /* Signals are the caller's: none is to be handled in a helper. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    size_t started = 0;
    while (started < helpers && pthread_create(&ids[started], NULL, run, &w) == 0) {
        started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);

    run(&w);
    for (size_t i = 0; i < started; i++) {
        pthread_join(ids[i], NULL);
    }
    pthread_mutex_destroy(&w.lock);
    free(ids);
    return w.failed_at < n ? rv_error_restore(&w.error) : RV_OK;
}
