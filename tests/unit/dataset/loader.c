/* Batches: every picture once an epoch, an order by seed and epoch alone, going on in the middle, what cannot be read. */
/* SPDX-License-Identifier: MIT */
#include "dataset/loader.h"
#include "base/file.h"
#include "support/assert.h"
#include "support/scratch.h"

#include <stdlib.h>

enum { N = 23, BATCH = 5, PER_EPOCH = N / BATCH, MAX_BATCHES = 16 };

static rv_dataset *set;

/* N pictures of 2 x 1, the first byte of which is their number, of classes 0 and 1 in turn. */
static void build(void)
{
    uint8_t pictures[16 + 2 * N] = {0, 0, 8, 3, 0, 0, 0, N, 0, 0, 0, 1, 0, 0, 0, 2};
    uint8_t labels[8 + N] = {0, 0, 8, 1, 0, 0, 0, N};
    for (int i = 0; i < N; i++) {
        pictures[16 + 2 * i] = (uint8_t)i;
        labels[8 + i] = (uint8_t)(i % 2);
    }
    RV_ASSERT_OK(rv_folder_make(rv_test_path("idx"), 0755));
    rv_test_write(rv_test_path("idx/train-images-idx3-ubyte"), pictures, sizeof pictures);
    rv_test_write(rv_test_path("idx/train-labels-idx1-ubyte"), labels, sizeof labels);
    RV_ASSERT_OK(rv_dataset_open(&set, rv_test_path("idx"), &(rv_dataset_options){0}));
}

static void destroy(void)
{
    rv_dataset_close(set);
}

TestSuite(loader, .init = build, .fini = destroy);

static rv_loader_options options_of(bool shuffle, uint32_t seed, int threads)
{
    return (rv_loader_options){.batch = BATCH,
                               .channels = 1,
                               .height = 1,
                               .width = 2,
                               .shuffle = shuffle,
                               .seed = seed,
                               .threads = threads};
}

/* Numbers of the pictures of `n` batches from `first` on. */
static void read_batches(int *out, int64_t first, int n, uint32_t seed, int threads)
{
    const rv_loader_options options = options_of(true, seed, threads);
    rv_loader *loader;
    rv_batch batch;
    RV_ASSERT_OK(rv_loader_create(&loader, set, &options, first));
    cr_assert_eq(rv_loader_batches(loader), PER_EPOCH);
    for (int b = 0; b < n; b++) {
        RV_ASSERT_OK(rv_loader_next(loader, &batch));
        cr_assert_eq(batch.number, first + b);
        cr_assert_eq(batch.n, BATCH);
        for (int i = 0; i < BATCH; i++) {
            const int number = (int)(batch.pictures[2 * i] * 255.0f + 0.5f);
            cr_assert_eq(batch.labels[i], (float)(number % 2), "labels go with their pictures");
            out[b * BATCH + i] = number;
        }
    }
    rv_loader_destroy(loader);
}

Test(loader, an_epoch_has_each_picture_once_and_each_epoch_another_order)
{
    int numbers[3 * PER_EPOCH * BATCH];
    read_batches(numbers, 0, 3 * PER_EPOCH, 7, 1);
    int same = 0;
    for (int e = 0; e < 3; e++) {
        int seen[N] = {0};
        for (int i = 0; i < PER_EPOCH * BATCH; i++) {
            const int number = numbers[e * PER_EPOCH * BATCH + i];
            cr_assert_eq(seen[number]++, 0, "picture %d twice in epoch %d", number, e);
            same += number == numbers[i];
        }
    }
    cr_assert_lt(same, 3 * PER_EPOCH * BATCH * 2 / 3);
}

Test(loader, order_depends_on_the_seed_alone_and_goes_on_anywhere)
{
    int all[MAX_BATCHES * BATCH], part[MAX_BATCHES * BATCH];
    read_batches(all, 0, MAX_BATCHES, 7, 1);
    for (int threads = 1; threads <= 4; threads++) {
        read_batches(part, 0, MAX_BATCHES, 7, threads);
        cr_assert_arr_eq(part, all, sizeof all, "%d threads", threads);
    }
    for (int first = 1; first < 10; first++) {
        read_batches(part, first, 6, 7, 2);
        cr_assert_arr_eq(part, all + first * BATCH, 6 * BATCH * sizeof *all, "from %d", first);
    }
    read_batches(part, 0, PER_EPOCH, 8, 2);
    cr_assert_arr_neq(part, all, PER_EPOCH * BATCH * sizeof *all);
}

Test(loader, without_shuffling_all_come_in_order_and_it_ends)
{
    const rv_loader_options options = options_of(false, 0, 3);
    rv_loader *loader;
    rv_batch batch;
    RV_ASSERT_OK(rv_loader_create(&loader, set, &options, 0));
    for (int b = 0; b < 5; b++) {
        RV_ASSERT_OK(rv_loader_next(loader, &batch));
        cr_assert_eq(batch.n, b < 4 ? BATCH : N - 4 * BATCH);
        for (int i = 0; i < BATCH; i++) {
            const int number = b * BATCH + i;
            cr_assert_eq(rv_batch_has(&batch, (size_t)i), number < N);
            cr_assert(number >= N || batch.labels[i] == (float)(number % 2));
        }
    }
    RV_ASSERT_OK(rv_loader_next(loader, &batch));
    cr_assert_eq(batch.n, 0);
    rv_loader_destroy(loader);
}

Test(loader, a_batch_larger_than_the_set_is_refused)
{
    rv_loader_options options = options_of(true, 0, 1);
    rv_loader *loader;
    options.batch = N + 1;
    RV_ASSERT_FAILS(rv_loader_create(&loader, set, &options, 0), RV_ERR_USAGE,
                    "a batch of 24 is larger than the data set, which has 23");
}

static void count_log(void *payload, rv_log_level level, const char *text)
{
    cr_assert_eq(level, RV_LOG_WARNING);
    cr_assert_neq(strstr(text, "gone.png"), NULL, "%s", text);
    ++*(int *)payload;
}

/* Two classes, one picture of which cannot be read. */
Test(loader, what_cannot_be_read_is_replaced_in_training_left_out_otherwise_and_said_once)
{
    static const char list[] = "idx/gone.png,a\ngood.png,a\nother.png,b\n";
    static const uint8_t png[] = {137, 80,  78,  71,  13,  10, 26, 10, 0,  0,   0,  13,  73,  72,
                                  68,  82,  0,   0,   0,   1,  0,  0,  0,  1,   8,  2,   0,   0,
                                  0,   144, 119, 83,  222, 0,  0,  0,  12, 73,  68, 65,  84,  120,
                                  156, 99,  248, 207, 192, 0,  0,  3,  1,  1,   0,  201, 254, 146,
                                  239, 0,   0,   0,   0,   73, 69, 78, 68, 174, 66, 96,  130};
    rv_dataset_close(set);
    rv_test_write(rv_test_path("list.csv"), list, sizeof list - 1);
    rv_test_write(rv_test_path("good.png"), png, sizeof png);
    rv_test_write(rv_test_path("other.png"), png, sizeof png);
    RV_ASSERT_OK(rv_dataset_open(&set, rv_test_path("list.csv"), &(rv_dataset_options){0}));
    for (int strict = 0; strict < 2; strict++) {
        for (int shuffle = 0; shuffle < 2; shuffle++) {
            int said = 0;
            const rv_events events = {.payload = &said, .log = count_log};
            rv_loader_options options = options_of(shuffle != 0, 1, 1);
            rv_loader *loader;
            rv_batch batch;
            options.batch = 3;
            options.strict = strict != 0;
            options.events = &events;
            RV_ASSERT_OK(rv_loader_create(&loader, set, &options, 0));
            if (strict != 0) {
                RV_ASSERT_FAILS(rv_loader_next(loader, &batch), RV_ERR_NOT_FOUND, "gone.png");
            } else {
                RV_ASSERT_OK(rv_loader_next(loader, &batch));
                int missing = 0;
                for (int i = 0; i < 3; i++) {
                    missing += !rv_batch_has(&batch, (size_t)i);
                }
                cr_assert_eq(missing, shuffle != 0 ? 0 : 1);
                RV_ASSERT_OK(rv_loader_next(loader, &batch));
                cr_assert_eq(said, 1);
                cr_assert_eq(rv_loader_unreadable(loader), 1);
            }
            rv_loader_destroy(loader);
        }
    }
}
