/* Data sets of every kind: which pictures and classes, what is held back, and what is refused. */
/* SPDX-License-Identifier: MIT */
#include "dataset/dataset.h"
#include "base/file.h"
#include "support/assert.h"
#include "support/scratch.h"

#include <reverie/image.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

static const rv_dataset_options plain = {0};
static rv_dataset *set;

static void close_set(void)
{
    rv_dataset_close(set);
    set = NULL;
}

TestSuite(dataset, .fini = close_set);

/* A picture of one colour, `shade` in all channels, at FOLDER/name of the scratch folder. */
static void picture(const char *name, int width, int height, int shade)
{
    char folder[256];
    rv_image *image;
    snprintf(folder, sizeof folder, "%s", rv_test_path(name));
    *strrchr(folder, '/') = '\0';
    RV_ASSERT_OK(rv_folder_make(folder, 0755));
    RV_ASSERT_OK(rv_image_create(&image, width, height, 3, 8));
    memset(rv_image_pixels(image), shade, (size_t)width * (size_t)height * 3);
    RV_ASSERT_OK(rv_image_write(image, rv_test_path(name), NULL));
    rv_image_destroy(image);
}

/* Shade of a picture of the set, which says which one it is. */
static int shade_of(rv_subset subset, size_t index)
{
    rv_sample sample;
    RV_ASSERT_OK(rv_dataset_read(&sample, set, subset, index));
    const int shade = sample.data[0];
    rv_sample_release(&sample);
    return shade;
}

/* Ten pictures of each of two classes; 10 to 19 are cats, 30 to 39 dogs. */
static void two_classes(const char *root)
{
    for (int i = 0; i < 10; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s/dog/sub/%d.png", root, i);
        picture(name, 4, 3, 30 + i);
        snprintf(name, sizeof name, "%s/cat/%d.png", root, i);
        picture(name, 4, 3, 10 + i);
    }
}

Test(dataset, folders_are_classes_by_name_and_a_share_of_each_is_held_back)
{
    two_classes("set");
    RV_ASSERT_OK(rv_dataset_open(&set, rv_test_path("set"), &plain));
    cr_assert_eq(rv_dataset_class_count(set), 2);
    cr_assert_str_eq(rv_dataset_class(set, 0), "cat");
    cr_assert_eq(rv_dataset_count(set, RV_SUBSET_TRAIN), 20);
    cr_assert_eq(rv_dataset_count(set, RV_SUBSET_VALIDATION), 0);
    cr_assert_eq(shade_of(RV_SUBSET_TRAIN, 19), 39);
    cr_assert_eq(rv_dataset_label(set, RV_SUBSET_TRAIN, 19), 1);

    int held[2][64] = {{0}};
    for (int round = 0; round < 3; round++) {
        const rv_dataset_options options = {.validation = 0.3, .seed = round == 2 ? 5 : 4};
        close_set();
        RV_ASSERT_OK(rv_dataset_open(&set, rv_test_path("set"), &options));
        cr_assert_eq(rv_dataset_count(set, RV_SUBSET_VALIDATION), 6);
        int classes[2] = {0, 0}, seen[64] = {0};
        for (size_t i = 0; i < 6; i++) {
            classes[rv_dataset_label(set, RV_SUBSET_VALIDATION, i)]++;
            seen[shade_of(RV_SUBSET_VALIDATION, i)]++;
        }
        for (size_t i = 0; i < 14; i++) {
            cr_assert_eq(seen[shade_of(RV_SUBSET_TRAIN, i)]++, 0, "in both subsets");
        }
        cr_assert(classes[0] == 3 && classes[1] == 3, "a share of each class");
        for (int s = 0; s < 64; s++) {
            held[round == 2][s] += seen[s] == 1 && s >= 10;
        }
        for (size_t i = 0; i < 6 && round < 2; i++) {
            held[0][shade_of(RV_SUBSET_VALIDATION, i)] += 10;
        }
    }
    int drawn_twice = 0;
    for (int s = 0; s < 64; s++) {
        drawn_twice += held[0][s] >= 20;
    }
    cr_assert_eq(drawn_twice, 6, "the same seed holds back the same pictures");
}

Test(dataset, train_and_val_folders_divide_the_set_themselves)
{
    two_classes("set/train");
    picture("set/val/dog/a.jpg", 5, 5, 90);
    RV_ASSERT_OK(
        rv_dataset_open(&set, rv_test_path("set"), &(rv_dataset_options){.validation = 0.5}));
    cr_assert_eq(rv_dataset_count(set, RV_SUBSET_TRAIN), 20);
    cr_assert_eq(rv_dataset_count(set, RV_SUBSET_VALIDATION), 1);
    cr_assert_eq(rv_dataset_label(set, RV_SUBSET_VALIDATION, 0), 1);
    close_set();
    picture("set/val/cow/a.jpg", 5, 5, 90);
    RV_ASSERT_FAILS(rv_dataset_open(&set, rv_test_path("set"), &plain), RV_ERR_USAGE, "'cow'");
}

static void keep(void *payload, rv_log_level level, const char *text)
{
    char *all = payload;
    (void)level;
    snprintf(all + strlen(all), 512 - strlen(all), "%s\n", text);
}

Test(dataset, a_folder_without_pictures_is_no_class)
{
    char said[512] = "";
    const rv_events events = {.payload = said, .log = keep};
    const rv_dataset_options options = {.events = &events};
    two_classes("set");
    RV_ASSERT_OK(rv_folder_make(rv_test_path("set/bear"), 0755));
    RV_ASSERT_OK(rv_dataset_open(&set, rv_test_path("set"), &options));
    cr_assert_eq(rv_dataset_class_count(set), 2);
    cr_assert_str_eq(rv_dataset_class(set, 0), "cat");
    cr_assert(strstr(said, "set/bear has no pictures: it is no class") != NULL, "%s", said);
    close_set();
    RV_ASSERT_OK(rv_folder_make(rv_test_path("one/bear"), 0755));
    picture("one/cat/a.png", 4, 4, 1);
    RV_ASSERT_FAILS(rv_dataset_open(&set, rv_test_path("one"), &plain), RV_ERR_USAGE,
                    "all pictures are of one class, 'cat'");
}

Test(dataset, classes_of_a_list_are_in_both_subsets)
{
    static const char unseen[] = "a.png,ape\nb.png,cat\nc.png,zebra,val\n";
    static const char unchecked[] = "a.png,ape\nb.png,cat\nc.png,cat,val\n";
    char said[512] = "";
    const rv_events events = {.payload = said, .log = keep};
    const rv_dataset_options options = {.events = &events};
    rv_test_write(rv_test_path("list.csv"), unseen, sizeof unseen - 1);
    RV_ASSERT_FAILS(rv_dataset_open(&set, rv_test_path("list.csv"), &plain), RV_ERR_USAGE,
                    "class 'zebra' is in val, but not in train");
    rv_test_write(rv_test_path("list.csv"), unchecked, sizeof unchecked - 1);
    RV_ASSERT_OK(rv_dataset_open(&set, rv_test_path("list.csv"), &options));
    cr_assert(strstr(said, "class 'ape' has no pictures in val") != NULL, "%s", said);
}

Test(dataset, a_list_names_pictures_classes_and_uses)
{
    picture("pictures/a.png", 4, 4, 1);
    picture("pictures/b, c.png", 4, 4, 2);
    picture("pictures/d.png", 4, 4, 3);
    picture("pictures/\"e\".png", 4, 4, 4);
    /* As spreadsheets write it, and people. */
    static const char text[] =
        "\xef\xbb\xbf"
        "file,class\r\npictures/d.png,zebra\r\n\"pictures/b, c.png\",ape\n\n"
        "pictures/a.png,zebra,val\n \"pictures/\"\"e\"\".png\" , ape , val \n";
    rv_test_write(rv_test_path("list.csv"), text, sizeof text - 1);
    RV_ASSERT_OK(rv_dataset_open(&set, rv_test_path("list.csv"), &plain));
    cr_assert_str_eq(rv_dataset_class(set, 0), "ape");
    cr_assert_eq(rv_dataset_count(set, RV_SUBSET_TRAIN), 2);
    cr_assert_eq(rv_dataset_label(set, RV_SUBSET_TRAIN, 0), 1);
    cr_assert_eq(shade_of(RV_SUBSET_TRAIN, 1), 2);
    cr_assert_eq(shade_of(RV_SUBSET_VALIDATION, 0), 1);
    cr_assert_eq(rv_dataset_class_count(set), 2);
    cr_assert_eq(shade_of(RV_SUBSET_VALIDATION, 1), 4);
    static const char *const bad[] = {"a.png,x\nb.png\n", "a.png,x\nb.png,y,test\n"};
    for (int i = 0; i < 2; i++) {
        close_set();
        rv_test_write(rv_test_path("bad.csv"), bad[i], strlen(bad[i]));
        RV_ASSERT_FAILS(rv_dataset_open(&set, rv_test_path("bad.csv"), &plain), RV_ERR_FORMAT,
                        "bad.csv:2: ");
    }
}

/* Six pictures of 3 x 2, of classes 0, 1, 2, 0, 1, 2, each byte the number of its picture; compressed or not. */
static void write_idx(const char *prefix, bool compressed, int damage)
{
    uint8_t pictures[16 + 36] = {0, 0, 8, 3, 0, 0, 0, 6, 0, 0, 0, 2, 0, 0, 0, 3};
    uint8_t labels[8 + 6] = {0, 0, 8, 1, 0, 0, 0, 6, 0, 1, 2, 0, 1, 2};
    char name[128];
    for (int i = 0; i < 36; i++) {
        pictures[16 + i] = (uint8_t)(i / 6);
    }
    pictures[7] = (uint8_t)(pictures[7] + damage);
    snprintf(name, sizeof name, "idx/%s-images-idx3-ubyte%s", prefix, compressed ? ".gz" : "");
    RV_ASSERT_OK(rv_folder_make(rv_test_path("idx"), 0755));
    if (compressed) {
        gzFile file = gzopen(rv_test_path(name), "wb");
        cr_assert_eq(gzwrite(file, pictures, sizeof pictures), (int)sizeof pictures);
        gzclose(file);
    } else {
        rv_test_write(rv_test_path(name), pictures, sizeof pictures);
    }
    snprintf(name, sizeof name, "idx/%s-labels-idx1-ubyte", prefix);
    rv_test_write(rv_test_path(name), labels, sizeof labels);
}

Test(dataset, idx_files_alone_hold_back_the_last_pictures)
{
    for (int compressed = 0; compressed < 2; compressed++) {
        close_set();
        remove(rv_test_path("idx/t10k-images-idx3-ubyte"));
        write_idx("t10k", compressed != 0, 0);
        RV_ASSERT_OK(
            rv_dataset_open(&set, rv_test_path("idx"), &(rv_dataset_options){.validation = 0.34}));
        int width, height;
        rv_dataset_size(set, &width, &height);
        cr_assert(width == 3 && height == 2 && rv_dataset_channels(set) == 1);
        cr_assert_eq(rv_dataset_class_count(set), 3);
        cr_assert_str_eq(rv_dataset_class(set, 2), "2");
        cr_assert_eq(rv_dataset_count(set, RV_SUBSET_TRAIN), 4);
        cr_assert_eq(shade_of(RV_SUBSET_VALIDATION, 0), 4);
        cr_assert_eq(rv_dataset_label(set, RV_SUBSET_VALIDATION, 1), 2);
    }
}

Test(dataset, idx_files_of_training_and_test_divide_the_set_themselves)
{
    write_idx("train", false, 0);
    write_idx("t10k", true, 0);
    RV_ASSERT_OK(rv_dataset_open(&set, rv_test_path("idx"), &plain));
    cr_assert_eq(rv_dataset_count(set, RV_SUBSET_TRAIN), 6);
    cr_assert_eq(rv_dataset_count(set, RV_SUBSET_VALIDATION), 6);
}

Test(dataset, damaged_idx_files_are_refused)
{
    write_idx("train", false, 1);
    RV_ASSERT_FAILS(rv_dataset_open(&set, rv_test_path("idx"), &plain), RV_ERR_FORMAT,
                    "promises 42 values, there are 36");
    rv_test_write(rv_test_path("idx/train-images-idx3-ubyte"), "\x1f\x8b\x08 damaged", 11);
    RV_ASSERT_FAILS(rv_dataset_open(&set, rv_test_path("idx"), &plain), RV_ERR_FORMAT,
                    "train-images");
}

Test(dataset, digits_are_as_published)
{
    const rv_dataset_options options = {.validation = 0.2};
    RV_ASSERT_OK(rv_dataset_open(&set, rv_test_shared("data/mnist"), &options));
    cr_assert_eq(rv_dataset_count(set, RV_SUBSET_TRAIN), 8000);
    cr_assert_eq(rv_dataset_count(set, RV_SUBSET_VALIDATION), 2000);
    cr_assert_eq(rv_dataset_class_count(set), 10);
    static const int first[] = {7, 2, 1, 0, 4, 1, 4, 9, 5, 9};
    for (size_t i = 0; i < 10; i++) {
        cr_assert_eq(rv_dataset_label(set, RV_SUBSET_TRAIN, i), first[i]);
    }
}

Test(dataset, what_is_no_data_set_is_said)
{
    RV_ASSERT_FAILS(rv_dataset_open(&set, rv_test_path("none"), &plain), RV_ERR_NOT_FOUND, "none");
    RV_ASSERT_OK(rv_folder_make(rv_test_path("empty/cat"), 0755));
    RV_ASSERT_FAILS(rv_dataset_open(&set, rv_test_path("empty"), &plain), RV_ERR_USAGE,
                    "no labelled pictures");
    picture("one/cat/a.png", 2, 2, 5);
    RV_ASSERT_FAILS(rv_dataset_open(&set, rv_test_path("one"), &plain), RV_ERR_USAGE,
                    "one class, 'cat'");
    picture("round/cat/a.png", 2, 2, 5);
    picture("round/dog/a.png", 2, 2, 6);
    cr_assert_eq(symlink(".", rv_test_path("round/dog/again")), 0);
    RV_ASSERT_FAILS(rv_dataset_open(&set, rv_test_path("round"), &plain), RV_ERR_IO,
                    "a link back up");
    RV_ASSERT_FAILS(rv_dataset_open(&set, rv_test_path("one/cat/a.png"), &plain),
                    RV_ERR_UNSUPPORTED, "a.png");
    static const char *const known[] = {"dog", "cow"};
    RV_ASSERT_FAILS(rv_dataset_open(&set, rv_test_path("one"),
                                    &(rv_dataset_options){.classes = known, .n_classes = 2}),
                    RV_ERR_USAGE, "knows no class 'cat'");
    RV_ASSERT_FAILS(
        rv_dataset_open(&set, rv_test_path("one"), &(rv_dataset_options){.validation = 1}),
        RV_ERR_USAGE, "validation is 1");
}

/* --- fitting --------------------------------------------------------------------------------- */

Test(fit, the_same_size_only_changes_its_form)
{
    uint8_t bytes[12] = {0, 51, 102, 153, 204, 255, 10, 20, 30, 40, 50, 60};
    const rv_sample sample = {2, 2, 3, bytes};
    float out[12];
    RV_ASSERT_OK(rv_sample_fit(out, &sample, 3, 2, 2));
    cr_assert_float_eq(out[1], 153 / 255.0, 1e-6, "red of the second pixel");
    cr_assert_float_eq(out[4], 51 / 255.0, 1e-6, "green of the first");
    RV_ASSERT_OK(rv_sample_fit(out, &sample, 1, 2, 2));
    cr_assert_float_eq(out[0], (0.587 * 51 + 0.114 * 102) / 255, 1e-6, "grey of the first");
}

Test(fit, the_middle_is_taken_and_means_are_kept)
{
    /* 6 x 4, columns 0 and 5 of which lie outside the middle: left half 100, right half 200. */
    uint8_t bytes[24];
    for (int i = 0; i < 24; i++) {
        const int x = i % 6;
        bytes[i] = x == 0 || x == 5 ? 0 : x < 3 ? 100 : 200;
    }
    const rv_sample sample = {6, 4, 1, bytes};
    float out[12], even[3 * 64];
    RV_ASSERT_OK(rv_sample_fit(out, &sample, 3, 2, 2));
    /* Two pixels to each side with weights 1, 3, 3, 1: of 0, 100, 100, 200, and of 100, 200, 200, 0. */
    cr_assert_float_eq(out[0], 100 / 255.0, 1e-5);
    cr_assert_float_eq(out[1], 162.5 / 255.0, 1e-5);
    cr_assert_float_eq(out[8], out[0], 1e-7, "grey in all channels");
    memset(bytes, 77, sizeof bytes);
    RV_ASSERT_OK(rv_sample_fit(even, &sample, 3, 8, 8));
    for (int i = 0; i < 3 * 64; i++) {
        cr_assert_float_eq(even[i], 77 / 255.0, 1e-5);
    }
}
