/* What optimisers remember: taken back whole it goes on to the same bytes, damaged it is refused in words. */
/* SPDX-License-Identifier: MIT */
#include "optim/optim.h"
#include "optim/vector.h"
#include "support/assert.h"
#include "support/device.h"

#include <math.h>

enum { N = 7, HISTORY = 3 };

static rv_device *device;
static rv_buffer *x, *g;
static const rv_lbfgs_options options = {
    .learning_rate = 1.0f, .history = HISTORY, .strong_wolfe = true};

static void open_device(void)
{
    device = rv_test_device();
    RV_ASSERT_OK(rv_buffer_create(&x, device, N * sizeof(float)));
    RV_ASSERT_OK(rv_buffer_create(&g, device, N * sizeof(float)));
}

static void close_device(void)
{
    rv_buffer_destroy(x);
    rv_buffer_destroy(g);
    rv_device_close(device);
}

TestSuite(memory, .init = open_device, .fini = close_device);

/* Sum of (i + 1) x^2 / 2 and its gradient. */
static rv_status bowl(void *payload, double *loss)
{
    float values[N], slopes[N];
    (void)payload;
    RV_ASSERT_OK(rv_buffer_read(device, x, 0, values, sizeof values));
    *loss = 0;
    for (int i = 0; i < N; i++) {
        slopes[i] = (float)(i + 1) * values[i];
        *loss += 0.5 * (double)slopes[i] * (double)values[i];
    }
    return rv_buffer_write(device, g, 0, slopes, sizeof slopes);
}

static void step(rv_lbfgs *lbfgs, int n, double *loss)
{
    for (int i = 0; i < n; i++) {
        RV_ASSERT_OK(rv_lbfgs_step(lbfgs, x, g, loss, bowl, NULL, NULL));
    }
}

/* An optimiser that has made some steps from where all are 1. */
static rv_lbfgs *begin(int steps, double *loss)
{
    rv_lbfgs *lbfgs;
    RV_ASSERT_OK(rv_lbfgs_create(&lbfgs, device, N, &options));
    RV_ASSERT_OK(rv_buffer_fill(device, x, 0, N * sizeof(float), 1.0f));
    RV_ASSERT_OK(bowl(NULL, loss));
    step(lbfgs, steps, loss);
    return lbfgs;
}

Test(memory, of_lbfgs_is_taken_back_with_its_arrays)
{
    float at[N], slopes[N], want[N], got[N], values[RV_VECTOR_SLOTS];
    rv_memory from = {0}, to = {0};
    double loss, then;
    rv_lbfgs *a = begin(2, &loss), *b;
    rv_lbfgs_list(a, &from);
    /* The slots, two pairs less the one that the next step makes, the direction, its gradient. */
    cr_assert_eq(from.n_arrays, 1 + 2 * 1 + 2);
    cr_assert_eq(from.n_numbers, 4 + HISTORY + 1);
    cr_assert(from.number[0] == 1.0 && from.number[1] == 1.0, "%g pairs", from.number[0]);
    RV_ASSERT_OK(rv_lbfgs_create(&b, device, N, &options));
    RV_ASSERT_OK(rv_lbfgs_restore(b, &from));
    cr_assert_eq(from.taken, from.n_numbers);
    rv_lbfgs_list(b, &to);
    cr_assert_eq(to.n_arrays, from.n_arrays);
    for (int i = 0; i < to.n_arrays; i++) {
        cr_assert(to.floats[i] == from.floats[i] && to.floats[i] <= RV_VECTOR_SLOTS);
        RV_ASSERT_OK(
            rv_buffer_read(device, from.array[i], 0, values, from.floats[i] * sizeof(float)));
        RV_ASSERT_OK(
            rv_buffer_write(device, to.array[i], 0, values, from.floats[i] * sizeof(float)));
    }
    RV_ASSERT_OK(rv_buffer_read(device, x, 0, at, sizeof at));
    RV_ASSERT_OK(rv_buffer_read(device, g, 0, slopes, sizeof slopes));
    then = loss;
    step(a, 3, &loss);
    RV_ASSERT_OK(rv_buffer_read(device, x, 0, want, sizeof want));
    RV_ASSERT_OK(rv_buffer_write(device, x, 0, at, sizeof at));
    RV_ASSERT_OK(rv_buffer_write(device, g, 0, slopes, sizeof slopes));
    step(b, 3, &then);
    RV_ASSERT_OK(rv_buffer_read(device, x, 0, got, sizeof got));
    cr_assert_eq(memcmp(got, want, sizeof want), 0);
    cr_assert_eq(then, loss);
    rv_lbfgs_destroy(a);
    rv_lbfgs_destroy(b);
}

Test(memory, that_is_not_its_own_is_refused)
{
    static const struct {
        int at;
        double number;
        const char *words;
    } cases[] = {
        {0, HISTORY + 1, "number 1 of an optimiser's memory is 4, not from 0 to 3"},
        {0, -1, "number 1 of an optimiser's memory is -1, not from 0 to 3"},
        {0, 0.5, "number 1 of an optimiser's memory is 0.5, not from 0 to 3"},
        {1, 2, "number 2 of an optimiser's memory is 2, not from 0 to 1"},
        {2, NAN, "number 3 of an optimiser's memory is missing"},
        {3, INFINITY, "number 4 of an optimiser's memory is missing"},
        {4, HISTORY + 1, "number 5 of an optimiser's memory is 4, not from 0 to 3"},
        {7, 1, "pair 1 of an optimiser's memory is there twice"},
    };
    rv_memory good = {0};
    double loss;
    rv_lbfgs *lbfgs = begin(0, &loss);
    rv_lbfgs_list(lbfgs, &good);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rv_memory bad = good;
        bad.number[cases[i].at] = cases[i].number;
        RV_ASSERT_FAILS(rv_lbfgs_restore(lbfgs, &bad), RV_ERR_FORMAT, cases[i].words);
    }
    rv_memory cut = good;
    cut.n_numbers--;
    RV_ASSERT_FAILS(rv_lbfgs_restore(lbfgs, &cut), RV_ERR_FORMAT,
                    "number 8 of an optimiser's memory is missing");
    RV_ASSERT_OK(rv_lbfgs_restore(lbfgs, &good));
    rv_lbfgs_destroy(lbfgs);
}

/* Adam and its average, one list after the other. */
Test(memory, of_several_optimisers_is_taken_in_their_order)
{
    const rv_adam_options fast = {
        .learning_rate = 0.1f, .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-8f};
    rv_memory memory = {0};
    rv_adam *adam;
    rv_average *average;
    RV_ASSERT_OK(rv_adam_create(&adam, device, N, &fast));
    RV_ASSERT_OK(rv_average_create(&average, device, N, 0.9f));
    RV_ASSERT_OK(rv_buffer_fill(device, x, 0, N * sizeof(float), 1.0f));
    RV_ASSERT_OK(rv_buffer_fill(device, g, 0, N * sizeof(float), 1.0f));
    for (int i = 0; i < 2; i++) {
        RV_ASSERT_OK(rv_adam_step(adam, x, g));
    }
    RV_ASSERT_OK(rv_average_update(average, x));
    rv_adam_list(adam, &memory);
    rv_average_list(average, &memory);
    cr_assert(memory.n_arrays == 3 && memory.floats[0] == N && memory.floats[2] == N);
    cr_assert(memory.n_numbers == 2 && memory.number[0] == 2.0 && memory.number[1] == 1.0);
    RV_ASSERT_OK(rv_adam_restore(adam, &memory));
    RV_ASSERT_OK(rv_average_restore(average, &memory));
    cr_assert_eq(memory.taken, 2);
    /* An average of nothing has no value to go on from. */
    memory.taken = 1;
    memory.number[1] = 0;
    RV_ASSERT_FAILS(rv_average_restore(average, &memory), RV_ERR_FORMAT,
                    "number 2 of an optimiser's memory is 0, not from 1 to 1e+15");
    rv_average_destroy(average);
    rv_adam_destroy(adam);
}
