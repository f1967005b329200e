/* Augmenting a folder: names, shares of a total, going on after an end of any kind, what is refused. */
/* SPDX-License-Identifier: MIT */
#include "stages/augment.h"
#include "base/file.h"
#include "base/philox.h"
#include "support/device.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char recipe[] = "transforms:\n"
                             "  - horizontal_flip: {p: 0.5}\n"
                             "  - affine: {rotate: 30, scale: [0.8, 1.2], translate: 0.1}\n"
                             "  - color_jitter: {brightness: 0.3, hue: 0.05}\n"
                             "  - gaussian_noise: {std: [0.04, 0.2]}\n";

static rv_device *device;
static char source[512], target[512], recipe_path[512];

static void write_picture(const char *name, int width, int height)
{
    char path[600];
    rv_image *image;
    snprintf(path, sizeof path, "%s/%s", source, name);
    cr_assert_eq(rv_image_create(&image, width, height, 3, 8), RV_OK);
    uint8_t *p = rv_image_pixels(image);
    for (int i = 0; i < width * height * 3; i++) {
        p[i] = (uint8_t)(rv_philox_uniform(1, (uint32_t)width, (uint32_t)i / 8) * 255);
    }
    cr_assert_eq(rv_image_write(image, path, NULL), RV_OK, "%s", rv_error_message());
    rv_image_destroy(image);
}

static void make_folders(void)
{
    device = rv_test_device();
    snprintf(source, sizeof source, "%s/in", rv_test_folder());
    snprintf(target, sizeof target, "%s/out", rv_test_folder());
    snprintf(recipe_path, sizeof recipe_path, "%s/r.yaml", rv_test_folder());
    char cats[600], dogs[600];
    snprintf(cats, sizeof cats, "%s/cats", source);
    snprintf(dogs, sizeof dogs, "%s/dogs", source);
    cr_assert_eq(rv_folder_make(cats, 0777), RV_OK);
    cr_assert_eq(rv_folder_make(dogs, 0777), RV_OK);
    write_picture("cats/a.png", 33, 20);
    write_picture("cats/b.png", 20, 33);
    write_picture("dogs/a.png", 40, 40);
    rv_test_write(recipe_path, recipe, sizeof recipe - 1);
}

static void close_device(void)
{
    rv_device_close(device);
}

TestSuite(augment, .init = make_folders, .fini = close_device);

static rv_augment_options options_for(int copies)
{
    rv_augment_options o = RV_AUGMENT_OPTIONS_INIT;
    o.recipe = recipe_path;
    o.copies = copies;
    return o;
}

static rv_augment_result works(const rv_augment_options *o)
{
    rv_augment_result r;
    cr_assert_eq(rv_augment(&r, device, source, target, o), RV_OK, "%s", rv_error_message());
    return r;
}

/* All that a file holds, freed by the caller. */
static rv_bytes contents(const char *name)
{
    char path[600];
    rv_bytes bytes;
    snprintf(path, sizeof path, "%s/%s", target, name);
    cr_assert_eq(rv_bytes_open(&bytes, path, 0), RV_OK, "%s", rv_error_message());
    return bytes;
}

static bool same_as(const char *name, const rv_bytes *before)
{
    rv_bytes now = contents(name);
    const bool same = now.size == before->size && memcmp(now.data, before->data, now.size) == 0;
    rv_bytes_close(&now);
    return same;
}

/* A copy in memory, as the file may be replaced. */
static rv_bytes keep(const char *name)
{
    rv_bytes bytes = contents(name);
    uint8_t *data = malloc(bytes.size);
    cr_assert_not_null(data);
    memcpy(data, bytes.data, bytes.size);
    const rv_bytes kept = {data, bytes.size, false};
    rv_bytes_close(&bytes);
    return kept;
}

Test(augment, folders_are_mirrored_and_every_copy_differs)
{
    const rv_augment_options o = options_for(2);
    const rv_augment_result r = works(&o);
    cr_assert(r.sources == 3 && r.wanted == 6 && r.written == 6 && r.existing == 0);
    rv_bytes first = keep("cats/a__aug0.jpg");
    cr_assert(!same_as("cats/a__aug1.jpg", &first));
    cr_assert(!same_as("dogs/a__aug0.jpg", &first));
    rv_bytes_close(&first);
}

Test(augment, threads_and_other_pictures_change_no_byte)
{
    rv_augment_options o = options_for(3);
    o.threads = 1;
    works(&o);
    rv_bytes manifest = keep("manifest.jsonl"), picture = keep("cats/b__aug2.jpg");
    o.threads = 5;
    o.overwrite = true;
    works(&o);
    cr_assert(same_as("manifest.jsonl", &manifest));
    cr_assert(same_as("cats/b__aug2.jpg", &picture));
    write_picture("cats/0.png", 10, 10);
    works(&o);
    cr_assert(same_as("cats/b__aug2.jpg", &picture));
    rv_bytes_close(&manifest);
    rv_bytes_close(&picture);
}

/* As after SIGKILL: a line cut short, an output without a line, and one that is missing. */
Test(augment, a_run_that_was_killed_goes_on_to_the_same_end)
{
    const rv_augment_options o = options_for(3);
    works(&o);
    rv_bytes manifest = keep("manifest.jsonl"), picture = keep("dogs/a__aug2.jpg");
    char path[600];
    snprintf(path, sizeof path, "%s/manifest.jsonl", target);
    cr_assert_eq(truncate(path, (off_t)manifest.size - 30), 0);
    snprintf(path, sizeof path, "%s/dogs/a__aug2.jpg", target);
    cr_assert_eq(unlink(path), 0);
    const rv_augment_result r = works(&o);
    cr_assert(r.written == 1 && r.existing == 8, "%d written", (int)r.written);
    cr_assert(same_as("manifest.jsonl", &manifest));
    cr_assert(same_as("dogs/a__aug2.jpg", &picture));
    rv_bytes_close(&manifest);
    rv_bytes_close(&picture);
}

/* After a power cut, or where somebody cleared up. */
Test(augment, a_line_counts_only_with_its_file)
{
    const rv_augment_options o = options_for(2);
    works(&o);
    rv_bytes manifest = keep("manifest.jsonl"), gone = keep("cats/a__aug0.jpg"),
             empty = keep("dogs/a__aug1.jpg");
    char path[600];
    snprintf(path, sizeof path, "%s/cats/a__aug0.jpg", target);
    cr_assert_eq(unlink(path), 0);
    snprintf(path, sizeof path, "%s/dogs/a__aug1.jpg", target);
    cr_assert_eq(truncate(path, 0), 0);
    const rv_augment_result r = works(&o);
    cr_assert(r.written == 2 && r.existing == 4, "%d written", (int)r.written);
    cr_assert(same_as("cats/a__aug0.jpg", &gone) && same_as("dogs/a__aug1.jpg", &empty));
    cr_assert(same_as("manifest.jsonl", &manifest));
    rv_bytes_close(&manifest);
    rv_bytes_close(&gone);
    rv_bytes_close(&empty);
}

/* Only what the manifest lists, and of that only what lies in the folder. */
Test(augment, copies_of_the_run_that_is_replaced_do_not_stay)
{
    rv_augment_options o = options_for(2);
    works(&o);
    char path[600], other[600], list[600];
    snprintf(path, sizeof path, "%s/cats/mine.jpg", target);
    rv_test_write(path, "mine", 4);
    snprintf(other, sizeof other, "%s/beside__aug0.jpg", rv_test_folder());
    rv_test_write(other, "mine", 4);
    snprintf(list, sizeof list, "%s/manifest.jsonl", target);
    FILE *file = fopen(list, "a");
    cr_assert_not_null(file);
    fprintf(file, "{\"output\":\"cats/../../beside__aug0.jpg\"}\n{\"output\":\"%s\"}\n", other);
    fclose(file);
    o.copies = 1;
    o.overwrite = true;
    works(&o);
    cr_assert(rv_path_exists(path) && rv_path_exists(other));
    snprintf(path, sizeof path, "%s/cats/a__aug0.jpg", target);
    cr_assert(rv_path_exists(path));
    snprintf(path, sizeof path, "%s/cats/a__aug1.jpg", target);
    cr_assert_not(rv_path_exists(path));
}

Test(augment, another_run_is_not_mixed_in)
{
    rv_augment_options o = options_for(1);
    rv_augment_result r;
    works(&o);
    o.seed = 4;
    cr_assert_eq(rv_augment(&r, device, source, target, &o), RV_ERR_USAGE);
    cr_assert(strstr(rv_error_message(), "another folder, or overwrite") != NULL);
    o.overwrite = true;
    r = works(&o);
    cr_assert_eq(r.written, 3);
}

Test(augment, files_of_others_are_not_replaced)
{
    const rv_augment_options o = options_for(1);
    rv_augment_result r;
    char path[600];
    snprintf(path, sizeof path, "%s/cats", target);
    cr_assert_eq(rv_folder_make(path, 0777), RV_OK);
    snprintf(path, sizeof path, "%s/cats/a__aug0.jpg", target);
    rv_test_write(path, "mine", 4);
    cr_assert_eq(rv_augment(&r, device, source, target, &o), RV_ERR_USAGE);
    cr_assert(strstr(rv_error_message(), "exists already") != NULL, "%s", rv_error_message());
    const rv_bytes kept = {(const uint8_t *)"mine", 4, false};
    cr_assert(same_as("cats/a__aug0.jpg", &kept));
}

Test(augment, a_total_is_shared_out_evenly)
{
    rv_augment_options o = options_for(1);
    rv_augment_run run = {0};
    o.total = 8;
    cr_assert_eq(rv_augment_prepare(&run, device, source, &o), RV_OK);
    uint64_t sum = 0, least = 99, most = 0;
    for (size_t i = 0; i < run.pictures.n; i++) {
        const uint64_t n = rv_augment_copies(&run, i);
        sum += n;
        least = n < least ? n : least;
        most = n > most ? n : most;
    }
    rv_augment_release(&run);
    cr_assert(sum == 8 && least == 2 && most == 3);
    const rv_augment_result r = works(&o);
    cr_assert_eq(r.written, 8);
}

Test(augment, pictures_of_one_name_keep_their_extensions)
{
    write_picture("cats/a.jpg", 16, 16);
    write_picture("cats/a.k.jpg", 16, 16);
    const rv_augment_options o = options_for(1);
    works(&o);
    rv_bytes bytes;
    const char *names[] = {"cats/a.png__aug0.jpg", "cats/a.jpg__aug0.jpg", "cats/a.k__aug0.jpg"};
    for (int i = 0; i < 3; i++) {
        bytes = contents(names[i]);
        rv_bytes_close(&bytes);
    }
}

Test(augment, pictures_that_cannot_be_read_are_listed)
{
    char path[600];
    rv_augment_options o = options_for(1);
    snprintf(path, sizeof path, "%s/cats/bad.jpg", source);
    rv_test_write(path, "nothing", 7);
    rv_augment_result r = works(&o);
    cr_assert(r.written == 3 && r.n_skipped == 1);
    cr_assert_str_eq(r.skipped[0].file, "cats/bad.jpg");
    cr_assert(strstr(r.skipped[0].reason, "bad.jpg") != NULL);
    rv_augment_result_release(&r);
    o.strict = o.overwrite = true;
    cr_assert_eq(rv_augment(&r, device, source, target, &o), RV_ERR_FORMAT);
    rv_augment_result_release(&r);
}

Test(augment, copies_among_the_pictures_are_refused)
{
    const rv_augment_options o = options_for(1);
    rv_augment_result r;
    char inside[600];
    snprintf(inside, sizeof inside, "%s/more", source);
    cr_assert_eq(rv_augment(&r, device, source, inside, &o), RV_ERR_USAGE);
    cr_assert(strstr(rv_error_message(), "lies in") != NULL);
    cr_assert(!rv_path_exists(inside), "nothing is left of what was refused");
    cr_assert_eq(rv_augment(&r, device, source, source, &o), RV_ERR_USAGE);
    cr_assert_eq(rv_augment(&r, device, target, source, &o), RV_ERR_NOT_FOUND);
}

static bool always(void *payload)
{
    (void)payload;
    return true;
}

Test(augment, a_cancelled_run_goes_on_later)
{
    const rv_events events = {.cancelled = always};
    rv_augment_options o = options_for(2);
    rv_augment_result r;
    o.events = &events;
    o.threads = 1;
    cr_assert_eq(rv_augment(&r, device, source, target, &o), RV_ERR_CANCELLED);
    cr_assert_eq(r.written, 2);
    o.events = NULL;
    r = works(&o);
    cr_assert(r.written == 4 && r.existing == 2);
}

Test(augment, a_full_disk_leaves_whole_files_only)
{
    const char *disk = rv_test_small_disk(64 * 1024);
    rv_augment_options o = options_for(200);
    rv_augment_result r;
    o.threads = 1; /* so that the first copy is the first to be written */
    snprintf(target, sizeof target, "%s/out", disk);
    cr_assert_eq(rv_augment(&r, device, source, target, &o), RV_ERR_IO);
    cr_assert(strstr(rv_error_message(), "disk full") != NULL, "%s", rv_error_message());
    char path[600];
    rv_image *image;
    snprintf(path, sizeof path, "%s/cats/a__aug0.jpg", target);
    cr_assert_eq(rv_image_read(&image, path, NULL), RV_OK, "%s", rv_error_message());
    rv_image_destroy(image);
}

Test(augment, a_sheet_shows_the_pictures_beside_their_copies)
{
    const rv_augment_options o = options_for(1);
    rv_image *sheet;
    cr_assert_eq(rv_augment_preview(&sheet, device, source, 5, 2, 40, &o), RV_OK, "%s",
                 rv_error_message());
    cr_assert_eq(rv_image_width(sheet), 3 * 44 + 4);
    cr_assert_eq(rv_image_height(sheet), 3 * 44 + 4); /* there are but three pictures */
    /* dogs/a.png fills its cell: the third row begins with it, pixel by pixel. */
    rv_image *dog;
    char path[600];
    snprintf(path, sizeof path, "%s/dogs/a.png", source);
    cr_assert_eq(rv_image_read(&dog, path, NULL), RV_OK);
    const uint8_t *p = rv_image_pixels_const(sheet), *q = rv_image_pixels_const(dog);
    for (int y = 0; y < 40; y++) {
        cr_assert_arr_eq(p + ((92 + y) * 136 + 4) * 3, q + y * 120, 120);
    }
    rv_image_destroy(dog);
    rv_image_destroy(sheet);
    cr_assert_eq(rv_augment_preview(&sheet, device, source, 0, 2, 40, &o), RV_ERR_USAGE);
}
