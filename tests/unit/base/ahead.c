/* Things made ahead: in order whoever makes them, within a number and a weight, and never too late to end. */
/* SPDX-License-Identifier: MIT */
#include "base/ahead.h"
#include "support/assert.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

enum { SLOTS = 5, N = 300 };

typedef struct maker {
    int64_t numbers[SLOTS];
    uint64_t weight; /* of each thing */
    atomic_llong made;
    atomic_int busy, most_busy;
} maker;

static void wait_a_little(void)
{
    const struct timespec pause = {.tv_nsec = 300000};
    nanosleep(&pause, NULL);
}

static uint64_t make(void *payload, int64_t number, int slot)
{
    maker *m = payload;
    const int busy = atomic_fetch_add(&m->busy, 1) + 1;
    if (busy > atomic_load(&m->most_busy)) {
        atomic_store(&m->most_busy, busy);
    }
    if (number % 7 == 0) {
        wait_a_little();
    }
    m->numbers[slot] = number;
    atomic_fetch_add(&m->made, 1);
    atomic_fetch_sub(&m->busy, 1);
    return m->weight;
}

Test(ahead, things_come_in_order_whoever_makes_them)
{
    for (int threads = 0; threads <= 3; threads++) {
        static maker m;
        rv_ahead *ahead;
        memset(&m, 0, sizeof m);
        const rv_ahead_options options = {
            .slots = SLOTS, .threads = threads, .first = 3, .end = N, .make = make, .payload = &m};
        RV_ASSERT_OK(rv_ahead_create(&ahead, &options));
        for (int64_t i = 3; i < N; i++) {
            const int slot = rv_ahead_next(ahead);
            cr_assert_eq(slot, (int)(i % SLOTS));
            cr_assert_eq(m.numbers[slot], i);
            if (i % 11 == 0) {
                wait_a_little();
            }
            cr_assert_eq(m.numbers[slot], i, "what the caller has was made over");
            cr_assert_leq(atomic_load(&m.made), i - 3 + SLOTS);
        }
        cr_assert_eq(rv_ahead_next(ahead), -1);
        cr_assert_eq(rv_ahead_next(ahead), -1);
        rv_ahead_destroy(ahead);
        cr_assert_eq(atomic_load(&m.made), N - 3);
    }
}

/* Each thing alone weighs more than the limit: one is there at a time, beside those that threads have begun. */
Test(ahead, a_weight_holds_threads_back_and_the_caller_never)
{
    static maker m = {.weight = 10};
    rv_ahead *ahead;
    const rv_ahead_options options = {
        .slots = SLOTS, .threads = 1, .end = 40, .limit = 9, .make = make, .payload = &m};
    RV_ASSERT_OK(rv_ahead_create(&ahead, &options));
    for (int64_t i = 0; i < 40; i++) {
        const int slot = rv_ahead_next(ahead);
        cr_assert_eq(m.numbers[slot], i);
        wait_a_little();
        cr_assert_eq(atomic_load(&m.made), i + 1, "made on while what is there was too heavy");
    }
    cr_assert_eq(rv_ahead_next(ahead), -1);
    rv_ahead_destroy(ahead);
}

Test(ahead, ends_while_threads_wait_and_with_nothing_to_make)
{
    static maker m;
    rv_ahead *ahead;
    rv_ahead_options options = {
        .slots = 2, .threads = 4, .end = INT64_MAX, .make = make, .payload = &m};
    RV_ASSERT_OK(rv_ahead_create(&ahead, &options));
    cr_assert_eq(rv_ahead_next(ahead), 0);
    rv_ahead_destroy(ahead);
    options.end = 0;
    RV_ASSERT_OK(rv_ahead_create(&ahead, &options));
    cr_assert_eq(rv_ahead_next(ahead), -1);
    rv_ahead_destroy(ahead);
    rv_ahead_destroy(NULL);
}
