/* Shares, losses and errors against ones worked out by hand. */
/* SPDX-License-Identifier: MIT */
#include "stages/tally.h"
#include "support/assert.h"

#include <math.h>

static rv_batch batch_of(const float *labels, size_t n_labels, size_t n)
{
    return (rv_batch){.labels = labels, .n_labels = n_labels, .n = n};
}

Test(tally, classes_are_ranked)
{
    static const float logits[4][3] = {{3, 1, 2}, {0, 0, 0}, {1, 2, 3}, {NAN, 1, 2}};
    static const float labels[4] = {2, 1, 0, 1};
    const rv_scoring scoring = {.task = RV_TASK_CLASSES, .n = 3};
    rv_tally t;
    RV_ASSERT_OK(rv_tally_create(&t, &scoring));
    cr_assert(isnan(rv_tally_accuracy(&t)));
    /* Of equal ones the first wins; what is no number goes before all. */
    rv_batch b = batch_of(labels, 1, 3);
    rv_tally_add(&t, &logits[0][0], &b);
    cr_assert_eq(t.count, 3);
    cr_assert_eq(rv_tally_top(&t, 1), 0);
    cr_assert_eq(rv_tally_top(&t, 2), 2);
    cr_assert_eq(rv_tally_top(&t, 3), 3);
    cr_assert_eq(rv_tally_top(&t, 9), 3);
    const double sum = exp(3) + exp(2) + exp(1);
    cr_assert_float_eq(t.loss, (log(sum) - 2) + log(3) + (log(sum) - 1), 1e-6);
    cr_assert(t.confusion[2 * 3 + 0] == 1 && t.confusion[1 * 3 + 0] == 1 &&
              t.confusion[0 * 3 + 2] == 1);
    b = batch_of(labels + 3, 1, 1);
    rv_tally_add(&t, &logits[3][0], &b);
    cr_assert_eq(rv_tally_top(&t, 1), 0);
    static const float out_of_range[2] = {3, NAN};
    b = batch_of(out_of_range, 1, 2);
    rv_tally_add(&t, &logits[0][0], &b);
    cr_assert_eq(t.count, 4);
    cr_assert(isnan(rv_tally_error(&t)));
    rv_tally_release(&t);
}

Test(tally, labels_are_counted_one_by_one_and_together)
{
    static const float logits[3][2] = {{2, -1}, {0.5f, 3}, {-4, 100}};
    static const float labels[3][2] = {{1, 0}, {0, 1}, {NAN, NAN}};
    const rv_scoring scoring = {.task = RV_TASK_LABELS, .n = 2};
    rv_tally t;
    RV_ASSERT_OK(rv_tally_create(&t, &scoring));
    const rv_batch b = batch_of(&labels[0][0], 2, 3);
    rv_tally_add(&t, &logits[0][0], &b);
    cr_assert_eq(t.count, 2);
    cr_assert_eq(t.exact, 1);
    cr_assert_eq(rv_tally_accuracy(&t), 0.5);
    cr_assert(t.there[0] == 1 && t.said[0] == 2 && t.right[0] == 1);
    cr_assert(t.there[1] == 1 && t.said[1] == 1 && t.right[1] == 1);
    const double first = (log1p(exp(-2)) + log1p(exp(-1))) / 2;
    const double second = (log1p(exp(0.5)) + log1p(exp(-3))) / 2;
    cr_assert_float_eq(t.loss, first + second, 1e-6);
    rv_tally_release(&t);
}

/* Errors are in units of the quantity, the loss in those that were learned. */
Test(tally, errors_are_in_units_of_the_quantity)
{
    static const float mean[2] = {10, 0}, deviation[2] = {4, 0.5f};
    static const float given[2][2] = {{0.5f, 2}, {-1, 0}}; /* 12, 1; 6, 0 */
    static const float targets[2][2] = {{11, 1}, {9, -2}}; /* errors 1, 0; -3, 2 */
    const rv_scoring scoring = {RV_TASK_VALUES, 2, mean, deviation};
    rv_tally t;
    RV_ASSERT_OK(rv_tally_create(&t, &scoring));
    const rv_batch b = batch_of(&targets[0][0], 2, 2);
    rv_tally_add(&t, &given[0][0], &b);
    cr_assert(t.absolute[0] == 4 && t.square[0] == 10 && t.absolute[1] == 2 && t.square[1] == 4);
    cr_assert(t.sum[0] == 0 && t.sum_square[0] == 2);
    cr_assert_float_eq(t.loss, (1.0 / 16 + 0) / 2 + (9.0 / 16 + 16) / 2, 1e-12);
    cr_assert_float_eq(rv_tally_error(&t), sqrt(14.0 / 4), 1e-12);
    cr_assert(isnan(rv_tally_accuracy(&t)));
    rv_tally_release(&t);
}
