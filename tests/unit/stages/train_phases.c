/* Two phases of transfer learning in one: the same as one behind the other, and gone on with. */
/* SPDX-License-Identifier: MIT */
#include <reverie/train.h>

#include "bars.h"
#include "base/file.h"
#include "model/safetensors.h"
#include "support/assert.h"
#include "support/scratch.h"

#include <stdio.h>
#include <string.h>

static char base[256];

/* Bars upright or lying, and a network that has learned a little from them. */
static void build(void)
{
    bars_open(96, 2);
    rv_train_options o = rv_train_defaults();
    rv_train_result result;
    o.architecture = "mlp:12,6";
    o.epochs = 2;
    o.batch = 8;
    RV_ASSERT_OK(bars_train(&result, "base", &o));
    snprintf(base, sizeof base, "%s", rv_test_path("base/best.safetensors"));
}

TestSuite(train_phases, .init = build, .fini = bars_close);

static rv_train_options transfer(void)
{
    rv_train_options o = rv_train_defaults();
    o.model = base;
    o.head = "linear";
    o.epochs = 2;
    o.batch = 8;
    o.learning_rate = 0.05;
    o.seed = 3;
    return o;
}

static void read_weights(float *out, const char *file, const char *name, int32_t rows,
                         int32_t columns)
{
    const rv_shape shape = {2, {rows, columns}};
    rv_safetensors *s;
    RV_ASSERT_OK(rv_safetensors_open(&s, rv_test_path(file)));
    RV_ASSERT_OK(rv_safetensors_read(s, out, name, &shape));
    rv_safetensors_close(s);
}

typedef struct seen {
    int n, phases[8], epochs[8];
} seen;

static void note(void *payload, const rv_train_epoch *e)
{
    seen *s = payload;
    if (s->n < 8) {
        s->phases[s->n] = e->phase;
        s->epochs[s->n] = e->epoch;
    }
    s->n++;
}

Test(train_phases, they_are_the_same_as_one_behind_the_other)
{
    rv_train_options o = transfer();
    rv_train_result result;
    seen s = {0};
    float a[64 * 12], b[64 * 12];
    o.unfreeze_from = "hidden2";
    o.unfreeze_epochs = 3;
    o.on_epoch = note;
    o.payload = &s;
    RV_ASSERT_OK(bars_train(&result, "two", &o));
    cr_assert(result.finished && s.n == 5 && result.last.phase == 2 && result.last.epoch == 3);
    static const int phases[5] = {1, 1, 2, 2, 2}, epochs[5] = {1, 2, 1, 2, 3};
    cr_assert_arr_eq(s.phases, phases, sizeof phases);
    cr_assert_arr_eq(s.epochs, epochs, sizeof epochs);
    /* The head first, with all else as it was; then hidden2 too. */
    read_weights(a, "base/best.safetensors", "hidden2.weight", 6, 12);
    read_weights(b, "two/head/best.safetensors", "hidden2.weight", 6, 12);
    cr_assert_arr_eq(a, b, 72 * sizeof *a);
    read_weights(b, "two/last.safetensors", "hidden2.weight", 6, 12);
    cr_assert_arr_neq(a, b, 72 * sizeof *a);
    read_weights(a, "base/best.safetensors", "hidden1.weight", 12, 64);
    read_weights(b, "two/last.safetensors", "hidden1.weight", 12, 64);
    cr_assert_arr_eq(a, b, sizeof a);
    /* By hand. */
    o = transfer();
    o.freeze = "!head/*";
    RV_ASSERT_OK(bars_train(&result, "one", &o));
    rv_test_same_files(rv_test_path("one/best.safetensors"),
                       rv_test_path("two/head/best.safetensors"));
    char head[256];
    snprintf(head, sizeof head, "%s", rv_test_path("one/best.safetensors"));
    o.model = head;
    o.head = o.freeze = NULL;
    o.freeze_below = "hidden2";
    o.epochs = 3;
    o.learning_rate = 0.1 * o.learning_rate;
    RV_ASSERT_OK(bars_train(&result, "other", &o));
    rv_test_same_files(rv_test_path("other/best.safetensors"),
                       rv_test_path("two/best.safetensors"));
}

Test(train_phases, they_go_on_from_either)
{
    rv_train_options o = transfer();
    rv_train_result result;
    o.unfreeze_from = "hidden1";
    o.unfreeze_rate = 0.02;
    o.unfreeze_epochs = 3;
    RV_ASSERT_OK(bars_train(&result, "whole", &o)); /* 18 steps and 27 */
    o.max_steps = 5;                                /* of each phase */
    RV_ASSERT_OK(bars_train(&result, "parts", &o));
    cr_assert_not(result.finished);
    cr_assert_not(rv_path_exists(rv_test_path("parts/last.safetensors")));
    o.resume = true;
    o.max_steps = 12;
    for (int i = 0; i < 2; i++) { /* no step further the second time: the best is one of before */
        RV_ASSERT_OK(bars_train(&result, "parts", &o));
        cr_assert(!result.finished && result.best.epoch == 1);
        cr_assert_eq(result.best.phase, 1);
    }
    o.max_steps = 20; /* in the third epoch of the second */
    RV_ASSERT_OK(bars_train(&result, "parts", &o));
    cr_assert(!result.finished && result.last.phase == 2 && result.last.epoch == 2);
    o.max_steps = 0;
    RV_ASSERT_OK(bars_train(&result, "parts", &o));
    cr_assert(result.finished);
    rv_test_same_files(rv_test_path("parts/best.safetensors"),
                       rv_test_path("whole/best.safetensors"));
    RV_ASSERT_OK(bars_train(&result, "parts", &o));
    cr_assert(result.finished && result.last.epoch == 0 && result.best.epoch > 0);
    cr_assert_eq(result.best.phase, 2);
}

Test(train_phases, what_is_wrong_is_said_before_the_first)
{
    rv_train_options o = transfer();
    rv_train_result result;
    o.unfreeze_from = "hiden2";
    RV_ASSERT_FAILS(bars_train(&result, "no", &o), RV_ERR_NOT_FOUND, "'hiden2'");
    o.unfreeze_from = "hidden2";
    o.head = NULL;
    RV_ASSERT_FAILS(bars_train(&result, "no", &o), RV_ERR_USAGE, "trains a new head (--head)");
    o.head = "linear";
    o.unfreeze_rate = -1;
    RV_ASSERT_FAILS(bars_train(&result, "no", &o), RV_ERR_USAGE, "rate of the second phase");
    o.unfreeze_rate = 0;
    o.freeze = "!hed/*";
    RV_ASSERT_FAILS(bars_train(&result, "no", &o), RV_ERR_USAGE, "'hed/*'");
    o.freeze = NULL;
    RV_ASSERT_OK(rv_folder_make(rv_test_path("taken"), 0755));
    rv_test_write(rv_test_path("taken/last.safetensors"), "x", 1);
    RV_ASSERT_FAILS(bars_train(&result, "taken", &o), RV_ERR_USAGE, "holds a run already");
    cr_assert_not(rv_path_exists(rv_test_path("taken/head")));
}

static bool is_there(const char *name)
{
    return rv_path_exists(rv_test_path(name));
}

/* Whatever of the run before stayed could be taken for this one's when it is gone on with. */
Test(train_phases, a_run_that_is_replaced_is_forgotten_from_the_start)
{
    rv_train_options o = transfer();
    rv_train_result result;
    o.unfreeze_from = "hidden1";
    o.epochs = 1;
    RV_ASSERT_OK(bars_train(&result, "run", &o));
    o.overwrite = true;
    o.schedule = "cosin";
    RV_ASSERT_FAILS(bars_train(&result, "run", &o), RV_ERR_USAGE, "'cosine'");
    o.schedule = "cosine";
    o.batch = 97;
    RV_ASSERT_FAILS(bars_train(&result, "run", &o), RV_ERR_USAGE, "larger than the data set");
    o.batch = 8;
    cr_assert(is_there("run/last.safetensors") && is_there("run/head/best.safetensors"),
              "what is refused replaces nothing");
    o.max_steps = 1; /* of the first phase */
    RV_ASSERT_OK(bars_train(&result, "run", &o));
    cr_assert_not(is_there("run/last.safetensors") || is_there("run/best.safetensors") ||
                  is_there("run/metrics.csv") || is_there("run/head/best.safetensors"));
    o.overwrite = false;
    o.resume_if_there = true;
    o.max_steps = 0;
    RV_ASSERT_OK(bars_train(&result, "run", &o));
    cr_assert(result.finished && result.last.phase == 2 && result.last.epoch == 1);
    /* One phase in the place of two; it reads what the first of them gave, which stays. */
    char head[256];
    snprintf(head, sizeof head, "%s", rv_test_path("run/head/best.safetensors"));
    o = transfer();
    o.model = head;
    o.head = NULL;
    o.overwrite = true;
    o.epochs = 1;
    RV_ASSERT_OK(bars_train(&result, "run", &o));
    cr_assert(is_there("run/head/best.safetensors") && !is_there("run/head/last.safetensors"));
    o.model = base;
    RV_ASSERT_OK(bars_train(&result, "run", &o));
    cr_assert_not(is_there("run/head"));
    char best[256];
    snprintf(best, sizeof best, "%s", rv_test_path("run/best.safetensors"));
    o.model = best;
    RV_ASSERT_FAILS(bars_train(&result, "run", &o), RV_ERR_USAGE, "would be replaced");
    cr_assert(is_there("run/best.safetensors"));
}
