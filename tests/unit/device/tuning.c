/* The table of what was tuned: kept, merged, damaged, without a place to write. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/file.h"
#include "device/internal.h"
#include "support/device.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A device that nothing runs on: the table asks for its identity and form only. */
static rv_device *pretend(int block)
{
    rv_device *device = calloc(1, sizeof *device);
    cr_assert_not_null(device);
    snprintf(device->identity, sizeof device->identity, "platform | device | driver 2");
    device->info.form = RV_FORM_CPU;
    device->info.block = block;
    setenv("XDG_CACHE_HOME", rv_test_folder(), 1);
    return device;
}

static void end(rv_device *device)
{
    rv_tuning_release(device);
    free(device);
}

static void set_and_save(const char *key, const char *choice)
{
    rv_device *device = pretend(16);
    cr_assert_eq(rv_tuning_set(device, key, choice), RV_OK, "%s", rv_error_message());
    cr_assert_eq(rv_tuning_save(device), RV_OK, "%s", rv_error_message());
    end(device);
}

/* What a new process finds, copied; "" for nothing. */
static const char *found(int block, const char *key)
{
    static char text[64];
    rv_device *device = pretend(block);
    const char *choice = rv_tuning_choice(device, key);
    snprintf(text, sizeof text, "%s", choice != NULL ? choice : "");
    end(device);
    return text;
}

static const char *only_file(void)
{
    static char path[1024];
    char **names;
    size_t n;
    cr_assert_eq(rv_folder_list(&names, &n, rv_test_path("reverie/tuning")), RV_OK);
    cr_assert_eq(n, 1, "%zu files", n);
    snprintf(path, sizeof path, "%s/%s", rv_test_path("reverie/tuning"), names[0]);
    free(names);
    return path;
}

Test(tuning, what_is_set_is_found_and_what_is_saved_stays)
{
    rv_device *device = pretend(16);
    cr_assert_null(rv_tuning_choice(device, "conv forward"));
    cr_assert_eq(rv_tuning_set(device, "conv forward", "f4"), RV_OK);
    cr_assert_str_eq(rv_tuning_choice(device, "conv forward"), "f4");
    cr_assert_eq(rv_tuning_set(device, "conv forward", "f2"), RV_OK);
    cr_assert_str_eq(rv_tuning_choice(device, "conv forward"), "f2");
    cr_assert_str_eq(found(16, "conv forward"), "");
    cr_assert_eq(rv_tuning_save(device), RV_OK, "%s", rv_error_message());
    end(device);
    cr_assert_str_eq(found(16, "conv forward"), "f2");
    cr_assert_str_eq(found(16, "conv"), "");
    cr_assert_str_eq(found(8, "conv forward"), ""); /* another form of kernels */
}

Test(tuning, refuses_what_would_break_the_file)
{
    rv_device *device = pretend(16);
    cr_assert_eq(rv_tuning_set(device, "a\tb", "c"), RV_ERR_INTERNAL);
    cr_assert_eq(rv_tuning_set(device, "a", "b\nc"), RV_ERR_INTERNAL);
    end(device);
}

/* Two processes that both know the table of before, and write one after the other. */
Test(tuning, processes_keep_what_others_wrote)
{
    set_and_save("a", "old");
    rv_device *one = pretend(16), *other = pretend(16);
    cr_assert_str_eq(rv_tuning_choice(one, "a"), "old");
    cr_assert_str_eq(rv_tuning_choice(other, "a"), "old");
    cr_assert_eq(rv_tuning_set(one, "a", "new"), RV_OK);
    cr_assert_eq(rv_tuning_set(other, "b", "second"), RV_OK);
    cr_assert_eq(rv_tuning_save(one), RV_OK);
    cr_assert_eq(rv_tuning_save(other), RV_OK);
    end(one);
    end(other);
    cr_assert_str_eq(found(16, "a"), "new");
    cr_assert_str_eq(found(16, "b"), "second");
}

/* Cut at every length, and with every byte changed: an empty table, which is written anew. */
Test(tuning, damaged_tables_are_empty)
{
    char text[4096], damaged[4096], path[1024];
    set_and_save("conv forward", "f4");
    snprintf(path, sizeof path, "%s", only_file());
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file);
    const size_t n = fread(text, 1, sizeof text, file);
    fclose(file);
    for (size_t i = 0; i < n; i++) {
        rv_test_write(path, text, i);
        cr_assert_str_eq(found(16, "conv forward"), "", "cut at %zu", i);
        memcpy(damaged, text, n);
        damaged[i] ^= 0x15;
        rv_test_write(path, damaged, n);
        cr_assert_str_eq(found(16, "conv forward"), "", "changed at %zu", i);
    }
    set_and_save("conv forward", "f2");
    cr_assert_str_eq(found(16, "conv forward"), "f2");
}

Test(tuning, the_oldest_entries_go_when_there_are_too_many)
{
    rv_device *device = pretend(16);
    char key[32];
    for (int i = 0; i < 8200; i++) {
        snprintf(key, sizeof key, "key %d", i);
        cr_assert_eq(rv_tuning_set(device, key, "x"), RV_OK);
    }
    cr_assert_eq(rv_tuning_save(device), RV_OK, "%s", rv_error_message());
    end(device);
    cr_assert_str_eq(found(16, "key 7"), "");
    cr_assert_str_eq(found(16, "key 8"), "x");
    cr_assert_str_eq(found(16, "key 8199"), "x");
}

Test(tuning, without_a_place_to_write_saving_says_so)
{
    rv_device *device = pretend(16);
    rv_test_write(rv_test_path("file"), "x", 1);
    setenv("XDG_CACHE_HOME", rv_test_path("file"), 1);
    cr_assert_null(rv_tuning_choice(device, "a"));
    cr_assert_eq(rv_tuning_set(device, "a", "b"), RV_OK);
    cr_assert_str_eq(rv_tuning_choice(device, "a"), "b");
    cr_assert_eq(rv_tuning_save(device), RV_ERR_IO);
    end(device);
}
