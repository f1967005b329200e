/* Loops over several threads. */
/* SPDX-License-Identifier: MIT */
#include "base/pool.h"
#include "base/error.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { N = 2000 };

typedef struct counters {
    atomic_int runs[N];
    atomic_int all;
    pthread_t ids[N];
} counters;

static rv_status count(void *payload, size_t i)
{
    counters *c = payload;
    c->ids[i] = pthread_self();
    atomic_fetch_add(&c->runs[i], 1);
    atomic_fetch_add(&c->all, 1);
    return RV_OK;
}

Test(pool, each_index_runs_once)
{
    static counters c;
    for (int threads = 0; threads <= 9; threads += 3) {
        memset(&c, 0, sizeof c);
        cr_assert_eq(rv_parallel_for(N, threads, count, &c), RV_OK);
        for (int i = 0; i < N; i++) {
            cr_assert_eq(atomic_load(&c.runs[i]), 1, "index %d with %d threads", i, threads);
        }
    }
}

Test(pool, one_thread_is_the_caller)
{
    static counters c;
    cr_assert_eq(rv_parallel_for(N, 1, count, &c), RV_OK);
    for (int i = 0; i < N; i++) {
        cr_assert(pthread_equal(c.ids[i], pthread_self()));
    }
}

Test(pool, nothing_to_do_is_fine)
{
    static counters c;
    cr_assert_eq(rv_parallel_for(0, 4, count, &c), RV_OK);
    cr_assert_eq(atomic_load(&c.all), 0);
}

static rv_status meet(void *payload, size_t i)
{
    (void)i;
    pthread_barrier_wait(payload);
    return RV_OK;
}

/* Three jobs that wait for one another end only if three threads run them; a test that cannot end is ended
 * by Criterion. */
Test(pool, as_many_threads_as_asked, .timeout = 60)
{
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, 3);
    cr_assert_eq(rv_parallel_for(3, 3, meet, &barrier), RV_OK);
    pthread_barrier_destroy(&barrier);
}

static rv_status fail_some(void *payload, size_t i)
{
    atomic_int *done = payload;
    atomic_fetch_add(done, 1);
    if (i == 5) {
        nanosleep(&(struct timespec){.tv_nsec = 30000000}, NULL);
    }
    return i >= 5 ? rv_fail(RV_ERR_FORMAT, "index %zu is bad", i) : RV_OK;
}

Test(pool, the_lowest_failure_reaches_the_caller_with_its_message)
{
    atomic_int done = 0;
    cr_assert_eq(rv_parallel_for(N, 4, fail_some, &done), RV_ERR_FORMAT);
    cr_assert_str_eq(rv_error_message(), "index 5 is bad");
    cr_assert_leq(atomic_load(&done), 5 + 4, "indices were started after a failure");
}

static atomic_bool handled_elsewhere;
static pthread_t main_thread;

static void on_signal(int number)
{
    (void)number;
    if (!pthread_equal(pthread_self(), main_thread)) {
        atomic_store(&handled_elsewhere, true);
    }
}

static rv_status raise_signal(void *payload, size_t i)
{
    (void)payload, (void)i;
    kill(getpid(), SIGUSR1);
    return RV_OK;
}

Test(pool, signals_are_handled_by_the_caller_only)
{
    main_thread = pthread_self();
    const struct sigaction action = {.sa_handler = on_signal};
    cr_assert_eq(sigaction(SIGUSR1, &action, NULL), 0);
    cr_assert_eq(rv_parallel_for(200, 4, raise_signal, NULL), RV_OK);
    cr_assert(!atomic_load(&handled_elsewhere));
}
