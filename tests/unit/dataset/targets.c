/* Lists that say labels or numbers of pictures: what is read, what is held back, and what is refused. */
/* SPDX-License-Identifier: MIT */
#include "base/file.h"
#include "dataset/loader.h"
#include "support/assert.h"
#include "support/scratch.h"

#include <reverie/image.h>

#include <string.h>

static rv_dataset *set;

static void close_set(void)
{
    rv_dataset_close(set);
    set = NULL;
}

TestSuite(targets, .fini = close_set);

static void write_text(const char *text)
{
    rv_test_write(rv_test_path("list.csv"), text, strlen(text));
}

static rv_status open_list(const char *text, rv_task task)
{
    write_text(text);
    close_set();
    return rv_dataset_open(&set, rv_test_path("list.csv"), &(rv_dataset_options){.task = task});
}

Test(targets, labels_go_by_name_and_a_picture_may_have_none)
{
    RV_ASSERT_OK(open_list("picture,what\n"
                           "a.png,indoor;cat\n"
                           "b.png,\n"
                           "c.png, cat ,val\n"
                           "d.png,\"dog;cat;cat\"\n",
                           RV_TASK_LABELS));
    cr_assert_eq(rv_dataset_task(set), RV_TASK_LABELS);
    cr_assert_eq(rv_dataset_class_count(set), 3);
    cr_assert_str_eq(rv_dataset_class(set, 0), "cat");
    cr_assert_str_eq(rv_dataset_class(set, 1), "dog");
    cr_assert_str_eq(rv_dataset_class(set, 2), "indoor");
    static const float expected[3][3] = {{1, 0, 1}, {0, 0, 0}, {1, 1, 0}}, cat[3] = {1, 0, 0};
    cr_assert_eq(rv_dataset_count(set, RV_SUBSET_TRAIN), 3);
    for (size_t i = 0; i < 3; i++) {
        cr_assert_arr_eq(rv_dataset_targets(set, RV_SUBSET_TRAIN, i), expected[i],
                         sizeof expected[i]);
    }
    cr_assert_arr_eq(rv_dataset_targets(set, RV_SUBSET_VALIDATION, 0), cat, sizeof cat);
    /* A model's names and their order win. */
    static const char *const names[] = {"indoor", "zebra", "cat", "dog"};
    close_set();
    RV_ASSERT_OK(rv_dataset_open(
        &set, rv_test_path("list.csv"),
        &(rv_dataset_options){.task = RV_TASK_LABELS, .classes = names, .n_classes = 4}));
    static const float by_model[4] = {1, 0, 1, 0};
    cr_assert_arr_eq(rv_dataset_targets(set, RV_SUBSET_TRAIN, 0), by_model, sizeof by_model);
    close_set();
    RV_ASSERT_FAILS(rv_dataset_open(&set, rv_test_path("list.csv"),
                                    &(rv_dataset_options){
                                        .task = RV_TASK_LABELS, .classes = names, .n_classes = 3}),
                    RV_ERR_USAGE, "the model knows no class 'dog'");
}

Test(targets, numbers_are_named_by_the_heading)
{
    RV_ASSERT_OK(open_list("picture,age;height\na.png,3;-1.5e2\nb.png, 4 ; 0\n", RV_TASK_VALUES));
    cr_assert_eq(rv_dataset_class_count(set), 2);
    cr_assert_str_eq(rv_dataset_class(set, 0), "age");
    cr_assert_str_eq(rv_dataset_class(set, 1), "height");
    static const float first[2] = {3, -150};
    cr_assert_arr_eq(rv_dataset_targets(set, RV_SUBSET_TRAIN, 0), first, sizeof first);
    RV_ASSERT_OK(open_list("a.png,3\nb.png,4\n", RV_TASK_VALUES));
    cr_assert_str_eq(rv_dataset_class(set, 0), "value");
    RV_ASSERT_OK(open_list("a.png,3;4\nb.png,4;5\n", RV_TASK_VALUES));
    cr_assert_str_eq(rv_dataset_class(set, 1), "value 2");
}

Test(targets, a_share_is_held_back)
{
    char text[1024] = "";
    for (int i = 0; i < 20; i++) {
        snprintf(text + strlen(text), sizeof text - strlen(text), "%d.png,%d\n", i, i);
    }
    write_text(text);
    RV_ASSERT_OK(rv_dataset_open(
        &set, rv_test_path("list.csv"),
        &(rv_dataset_options){.task = RV_TASK_VALUES, .validation = 0.25, .seed = 5}));
    cr_assert_eq(rv_dataset_count(set, RV_SUBSET_VALIDATION), 5);
    int sum = 0, last = 0;
    for (size_t i = 0; i < 5; i++) {
        const int value = (int)rv_dataset_targets(set, RV_SUBSET_VALIDATION, i)[0];
        sum += value;
        last += value >= 15;
    }
    cr_assert(sum > 0 && last < 5, "drawn, not the last ones");
}

Test(targets, what_is_wrong_is_named)
{
    static const struct {
        const char *text;
        rv_task task;
        rv_status status;
        const char *words;
    } rows[] = {
        {"a.png,3\nb.png,x\n", RV_TASK_VALUES, RV_ERR_FORMAT, "b.png: a number"},
        {"a.png,3\nb.png,nan\n", RV_TASK_VALUES, RV_ERR_FORMAT, "b.png"},
        {"a.png,3;4\nb.png,3\n", RV_TASK_VALUES, RV_ERR_FORMAT, "fewer numbers"},
        {"a.png,3\nb.png,3;4\n", RV_TASK_VALUES, RV_ERR_FORMAT, "more numbers"},
        {"a.png,3\nb.png,\n", RV_TASK_VALUES, RV_ERR_FORMAT, "list.csv:2: there is no picture"},
        {"p,a;a\na.png,3;4\n", RV_TASK_VALUES, RV_ERR_FORMAT, "two quantities are called 'a'"},
        {"a.png\n", RV_TASK_LABELS, RV_ERR_FORMAT, "picture,label;label"},
        {"a.png,\nb.png,;\n", RV_TASK_LABELS, RV_ERR_USAGE, "no picture has a label"},
        {"", RV_TASK_VALUES, RV_ERR_USAGE, "no labelled pictures"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        RV_ASSERT_FAILS(open_list(rows[i].text, rows[i].task), rows[i].status, rows[i].words);
    }
    RV_ASSERT_OK(rv_folder_make(rv_test_path("folders/cat"), 0755));
    RV_ASSERT_FAILS(rv_dataset_open(&set, rv_test_path("folders"),
                                    &(rv_dataset_options){.task = RV_TASK_VALUES}),
                    RV_ERR_USAGE, "only a .csv list tells numbers");
}

/* A picture that cannot be read has no targets; the others have their own. */
Test(targets, batches_hold_a_row_for_each_picture)
{
    rv_image *image;
    rv_loader *loader;
    rv_batch batch;
    RV_ASSERT_OK(rv_image_create(&image, 4, 4, 3, 8));
    RV_ASSERT_OK(rv_image_write(image, rv_test_path("a.png"), NULL));
    RV_ASSERT_OK(rv_image_write(image, rv_test_path("c.png"), NULL));
    rv_image_destroy(image);
    RV_ASSERT_OK(open_list("a.png,1;2\nb.png,3;4\nc.png,-5;6\n", RV_TASK_VALUES));
    const rv_loader_options options = {.batch = 4, .channels = 3, .height = 4, .width = 4};
    RV_ASSERT_OK(rv_loader_create(&loader, set, &options, 0));
    RV_ASSERT_OK(rv_loader_next(loader, &batch));
    cr_assert_eq(batch.n_labels, 2);
    cr_assert(rv_batch_has(&batch, 0) && !rv_batch_has(&batch, 1));
    cr_assert(rv_batch_has(&batch, 2) && !rv_batch_has(&batch, 3));
    cr_assert(batch.labels[1] == 2 && batch.labels[4] == -5 && batch.labels[5] == 6);
    cr_assert_eq(rv_loader_unreadable(loader), 1);
    rv_loader_destroy(loader);
}
