/* Learning rates in training: one is found, falls where told, and what it does to the loss is said. */
/* SPDX-License-Identifier: MIT */
#include <reverie/train.h>

#include "bars.h"
#include "base/file.h"
#include "support/assert.h"
#include "support/scratch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void build(void)
{
    bars_open(200, 3);
}

TestSuite(train_rate, .init = build, .fini = bars_close);

/* Rates grow by the same factor; the one that is suggested lies before the losses rise. */
Test(train_rate, a_learning_rate_is_found_where_the_loss_falls)
{
    rv_train_options o = bars_options("small-cnn");
    rv_rate_point *points;
    size_t n, lowest = 0;
    double suggestion;
    o.size = 16;
    o.optimizer = "momentum";
    RV_ASSERT_OK(
        rv_find_learning_rate(&points, &n, &suggestion, bars_device, rv_test_path("set"), &o));
    cr_assert(n > 20 && n <= 100);
    for (size_t i = 0; i < n; i++) {
        const double expected = 1e-6 * pow(1e7, (double)i / 99);
        cr_assert_float_eq(points[i].rate, expected, 1e-9 * expected);
        lowest = points[i].mean < points[lowest].mean ? i : lowest;
    }
    cr_assert(points[lowest].mean < 0.95 * points[0].mean, "%g from %g", points[lowest].mean,
              points[0].mean);
    cr_assert(suggestion > 1e-5 && suggestion <= points[lowest].rate, "%g", suggestion);
    cr_assert_not(rv_path_exists(rv_test_path("run")));
    free(points);
}

static void take_rates(void *payload, const rv_train_epoch *e)
{
    ((double *)payload)[e->epoch - 1] = e->learning_rate;
}

Test(train_rate, the_rate_falls_behind_the_epochs_that_are_named)
{
    rv_train_options o = bars_options("mlp:20");
    rv_train_result result;
    double rates[4] = {0};
    o.schedule = "piecewise";
    o.learning_rate = 0.01;
    o.decay_at = "1,3";
    o.decay_factor = 0.5;
    o.on_epoch = take_rates;
    o.payload = rates;
    RV_ASSERT_OK(bars_train(&result, "run", &o));
    static const double expected[4] = {0.01, 0.005, 0.005, 0.0025};
    for (int i = 0; i < 4; i++) {
        cr_assert_float_eq(rates[i], expected[i], 1e-12, "epoch %d: %g", i + 1, rates[i]);
    }
    o.decay_at = "3,1";
    RV_ASSERT_FAILS(bars_train(&result, "no", &o), RV_ERR_USAGE, "boundary");
    o.decay_at = "1,x";
    RV_ASSERT_FAILS(bars_train(&result, "no", &o), RV_ERR_USAGE,
                    "an epoch at which the rate falls");
    o.decay_at = "1";
    o.schedule = "cosine";
    RV_ASSERT_FAILS(bars_train(&result, "no", &o), RV_ERR_USAGE,
                    "belong to the schedule piecewise");
}

typedef struct said {
    int n;
    char last[256];
} said;

static void hear(void *payload, rv_log_level level, const char *message)
{
    said *s = payload;
    if (level == RV_LOG_WARNING) {
        s->n++;
        snprintf(s->last, sizeof s->last, "%s", message);
    }
}

/* Infinite it need not be. */
Test(train_rate, a_loss_that_grows_is_said)
{
    rv_train_options o = bars_options("mlp:20");
    rv_train_result result;
    said s = {0};
    const rv_events events = {.payload = &s, .log = hear};
    o.events = &events;
    o.epochs = 1;
    RV_ASSERT_OK(bars_train(&result, "run", &o));
    cr_assert_eq(s.n, 0, "%s", s.last);
    o.learning_rate = 30;
    o.overwrite = true;
    RV_ASSERT_OK(bars_train(&result, "run", &o));
    cr_assert(s.n == 1 && strstr(s.last, "it diverges; lower the learning rate") != NULL, "%s",
              s.last);
}
