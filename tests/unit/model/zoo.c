/* Fetching models, from a server on this machine that does what servers and networks do. */
/* SPDX-License-Identifier: MIT */
#include "model/zoo.h"
#include "base/file.h"
#include "model/pins.h"
#include "support/assert.h"
#include "support/scratch.h"
#include "support/server.h"

#include <reverie/reverie.h>
#include <stdio.h>
#include <stdlib.h>

/* The file of a small network, its hash, and a list of pins with it. */
static struct {
    rv_bytes bytes;
    char hash[65];
    char pins[512];
    rv_fetch_options options;
} f;

static void begin(void)
{
    rv_model *model;
    if (strstr(rv_version_features(), "libcurl") == NULL) {
        cr_skip_test("built without libcurl");
    }
    setenv("XDG_DATA_HOME", rv_test_folder(), 1);
    RV_ASSERT_OK(rv_model_open(&model, "lenet", NULL));
    RV_ASSERT_OK(rv_model_save(model, rv_test_path("made.safetensors"), NULL));
    rv_model_close(model);
    RV_ASSERT_OK(rv_bytes_open(&f.bytes, rv_test_path("made.safetensors"), 0));
    RV_ASSERT_OK(rv_zoo_hash(f.hash, rv_test_path("made.safetensors"), "", NULL));
    snprintf(f.pins, sizeof f.pins, "%s", rv_test_path("pins.tsv"));
    f.options = (rv_fetch_options)RV_FETCH_OPTIONS_INIT;
    f.options.pins = f.pins;
}

static void end(void)
{
    rv_bytes_close(&f.bytes);
}

TestSuite(zoo, .init = begin, .fini = end);

/* The list of pins: one model of that name, hash and size. @param second  another URL, NULL: none */
static void pin_as(const char *name, const char *hash, size_t size, const char *first,
                   const char *second)
{
    char text[1024];
    const int n =
        snprintf(text, sizeof text, "# a comment\n%s\tsha256:%s\t%zu\t%s%s%s\n", name, hash, size,
                 first, second != NULL ? "\t" : "", second != NULL ? second : "");
    rv_test_write(f.pins, text, (size_t)n);
}

static void pin(const char *first, const char *second)
{
    pin_as("tiny", f.hash, f.bytes.size, first, second);
}

/* What is in the folder of a model. */
static const char *in(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "reverie/models/%s", name);
    return rv_test_path(path);
}

static void check_there(void)
{
    rv_bytes bytes;
    RV_ASSERT_OK(rv_bytes_open(&bytes, in("tiny/net.safetensors"), 0));
    cr_assert_eq(bytes.size, f.bytes.size);
    cr_assert_eq(memcmp(bytes.data, f.bytes.data, bytes.size), 0);
    rv_bytes_close(&bytes);
    cr_assert_eq(rv_test_count_files(in("tiny")), 2); /* and model.json */
}

Test(zoo, a_model_is_fetched_once_and_has_its_name_everywhere)
{
    rv_test_page page = {.path = "/net.safetensors", .bytes = f.bytes.data, .size = f.bytes.size};
    rv_model *model;
    rv_zoo_entry *entries;
    char *path;
    size_t n;
    rv_test_serve(&page, 1);
    pin(rv_test_url("/net.safetensors"), NULL);
    RV_ASSERT_FAILS(rv_zoo_find(&path, "tiny"), RV_ERR_NOT_FOUND, "tiny");
    RV_ASSERT_OK(rv_zoo_fetch(&path, "tiny", &f.options));
    cr_assert_str_eq(path, in("tiny/net.safetensors"));
    free(path);
    check_there();
    RV_ASSERT_OK(rv_zoo_fetch(NULL, "tiny", &f.options));
    cr_assert_eq(rv_test_requests(), 1);
    f.options.overwrite = true;
    RV_ASSERT_OK(rv_zoo_fetch(NULL, "tiny", &f.options));
    cr_assert_eq(rv_test_requests(), 2);
    rv_test_serve_end();
    RV_ASSERT_OK(rv_model_open(&model, "tiny", NULL));
    cr_assert_str_eq(rv_model_name(model), "lenet");
    cr_assert(!rv_model_is_random(model));
    rv_model_close(model);
    RV_ASSERT_OK(rv_zoo_list(&entries, &n));
    const rv_zoo_entry *last = &entries[n - 1];
    cr_assert_str_eq(last->name, "tiny");
    cr_assert(last->added && last->bytes == f.bytes.size);
    cr_assert_str_eq(last->path, in("tiny/net.safetensors"));
    rv_zoo_list_free(entries, n);
}

Test(zoo, a_download_that_is_cut_off_goes_on_where_it_ended)
{
    const size_t cut = f.bytes.size / 3;
    rv_test_page page = {
        .path = "/net.safetensors", .bytes = f.bytes.data, .size = f.bytes.size, .cut = cut};
    rv_test_serve(&page, 1);
    pin(rv_test_url("/net.safetensors"), NULL);
    RV_ASSERT_FAILS(rv_zoo_fetch(NULL, "tiny", &f.options), RV_ERR_IO,
                    "are kept, and the same command goes on from there");
    cr_assert(strstr(rv_error_message(), "broke off") != NULL, "%s", rv_error_message());
    RV_ASSERT_FAILS(rv_zoo_fetch(NULL, "tiny", &f.options), RV_ERR_IO, "broke off");
    cr_assert_eq(rv_test_range(), cut);
    cr_assert_eq(rv_test_count_files(in("tiny")), 1);
    RV_ASSERT_OK(rv_zoo_fetch(NULL, "tiny", &f.options));
    cr_assert_eq(rv_test_range(), 2 * cut);
    cr_assert_eq(rv_test_requests(), 3);
    rv_test_serve_end();
    check_there();
}

Test(zoo, a_server_that_cannot_resume_begins_anew)
{
    rv_test_page page = {.path = "/net.safetensors",
                         .bytes = f.bytes.data,
                         .size = f.bytes.size,
                         .cut = 1000,
                         .whole = true};
    rv_test_serve(&page, 1);
    pin(rv_test_url("/net.safetensors"), NULL);
    RV_ASSERT_FAILS(rv_zoo_fetch(NULL, "tiny", &f.options), RV_ERR_IO, "broke off");
    page.cut = 0;
    RV_ASSERT_OK(rv_zoo_fetch(NULL, "tiny", &f.options));
    cr_assert_eq(rv_test_range(), 1000);
    rv_test_serve_end();
    check_there();
}

Test(zoo, what_was_left_and_is_wrong_is_fetched_again)
{
    rv_test_page page = {.path = "/net.safetensors", .bytes = f.bytes.data, .size = f.bytes.size};
    rv_test_serve(&page, 1);
    pin(rv_test_url("/net.safetensors"), NULL);
    RV_ASSERT_OK(rv_folder_make(in("tiny"), 0755));
    rv_test_write(in("tiny/net.safetensors.part"), "something else", 14);
    RV_ASSERT_OK(rv_zoo_fetch(NULL, "tiny", &f.options));
    cr_assert_eq(rv_test_requests(), 2);
    cr_assert_eq(rv_test_range(), 0);
    rv_test_serve_end();
    check_there();
}

Test(zoo, another_hash_is_said_and_nothing_is_kept)
{
    rv_test_page page = {.path = "/net.safetensors", .bytes = f.bytes.data, .size = f.bytes.size};
    char *path;
    f.hash[0] = f.hash[0] == '0' ? '1' : '0';
    rv_test_serve(&page, 1);
    pin(rv_test_url("/net.safetensors"), NULL);
    RV_ASSERT_FAILS(rv_zoo_fetch(&path, "tiny", &f.options), RV_ERR_FORMAT, f.hash);
    cr_assert(strstr(rv_error_message(), "this is another file") != NULL, "%s", rv_error_message());
    cr_assert_null(path);
    rv_test_serve_end();
    cr_assert(!rv_path_exists(in("tiny")));
}

Test(zoo, another_size_is_said)
{
    rv_test_page page = {.path = "/net.safetensors", .bytes = f.bytes.data, .size = f.bytes.size};
    rv_test_serve(&page, 1);
    pin_as("tiny", f.hash, f.bytes.size - 1, rv_test_url("/net.safetensors"), NULL);
    RV_ASSERT_FAILS(rv_zoo_fetch(NULL, "tiny", &f.options), RV_ERR_FORMAT, "sends more than");
    pin_as("tiny", f.hash, f.bytes.size + 1, rv_test_url("/net.safetensors"), NULL);
    RV_ASSERT_FAILS(rv_zoo_fetch(NULL, "tiny", &f.options), RV_ERR_IO, "the file ends after");
    rv_test_serve_end();
}

Test(zoo, the_next_server_is_asked_where_one_has_it_not)
{
    rv_test_page pages[] = {{.path = "/a/net.safetensors", .status = 404},
                            {.path = "/b/net.safetensors", .location = "/c"},
                            {.path = "/c", .bytes = f.bytes.data, .size = f.bytes.size}};
    char first[256];
    rv_test_serve(pages, 3);
    snprintf(first, sizeof first, "%s", rv_test_url("/a/net.safetensors"));
    pin(first, NULL);
    RV_ASSERT_FAILS(rv_zoo_fetch(NULL, "tiny", &f.options), RV_ERR_NOT_FOUND, "answers 404");
    cr_assert(!rv_path_exists(in("tiny")));
    pin(first, rv_test_dead_url());
    RV_ASSERT_FAILS(rv_zoo_fetch(NULL, "tiny", &f.options), RV_ERR_IO, "answers 404; http");
    pin(first, rv_test_url("/b/net.safetensors"));
    RV_ASSERT_OK(rv_zoo_fetch(NULL, "tiny", &f.options));
    rv_test_serve_end();
    check_there();
}

Test(zoo, the_next_server_goes_on_where_one_broke_off)
{
    rv_test_page pages[] = {
        {.path = "/a/net.safetensors", .bytes = f.bytes.data, .size = f.bytes.size, .cut = 5000},
        {.path = "/b/net.safetensors", .bytes = f.bytes.data, .size = f.bytes.size}};
    char first[256];
    rv_test_serve(pages, 2);
    snprintf(first, sizeof first, "%s", rv_test_url("/a/net.safetensors"));
    pin(first, rv_test_url("/b/net.safetensors"));
    RV_ASSERT_OK(rv_zoo_fetch(NULL, "tiny", &f.options));
    cr_assert_eq(rv_test_range(), 5000);
    rv_test_serve_end();
    check_there();
}

Test(zoo, no_network_is_said_in_one_line)
{
    pin(rv_test_dead_url(), NULL);
    RV_ASSERT_FAILS(rv_zoo_fetch(NULL, "tiny", &f.options), RV_ERR_IO,
                    "cannot fetch tiny: http://127.0.0.1:");
    cr_assert(strstr(rv_error_message(), "is there a network?") != NULL, "%s", rv_error_message());
    cr_assert(!rv_path_exists(in("tiny")));
}

static bool cancel_soon(void *payload)
{
    (void)payload;
    return rv_path_exists(in("tiny/net.safetensors.part"));
}

Test(zoo, what_is_cancelled_is_kept)
{
    rv_test_page page = {.path = "/net.safetensors", .bytes = f.bytes.data, .size = f.bytes.size};
    const rv_events events = {.cancelled = cancel_soon};
    rv_test_serve(&page, 1);
    pin(rv_test_url("/net.safetensors"), NULL);
    f.options.events = &events;
    RV_ASSERT_OK(rv_folder_make(in("tiny"), 0755));
    rv_test_write(in("tiny/net.safetensors.part"), f.bytes.data, 999);
    RV_ASSERT_FAILS(rv_zoo_fetch(NULL, "tiny", &f.options), RV_ERR_CANCELLED, "");
    cr_assert(rv_path_exists(in("tiny/net.safetensors.part")));
    f.options.events = NULL;
    RV_ASSERT_OK(rv_zoo_fetch(NULL, "tiny", &f.options));
    cr_assert_geq(rv_test_range(), 999);
    rv_test_serve_end();
    check_there();
}

Test(zoo, a_full_disk_is_said_before_anything_is_fetched)
{
    rv_test_page page = {.path = "/net.safetensors", .bytes = f.bytes.data, .size = f.bytes.size};
    setenv("XDG_DATA_HOME", rv_test_small_disk(1 << 20), 1);
    rv_test_serve(&page, 1);
    pin_as("tiny", f.hash, 80000000, rv_test_url("/net.safetensors"), NULL);
    RV_ASSERT_FAILS(rv_zoo_fetch(NULL, "tiny", &f.options), RV_ERR_IO, "needs 80 MB more");
    cr_assert_eq(rv_test_requests(), 0);
    rv_test_serve_end();
}

Test(zoo, features_are_all_that_is_kept_where_they_are_asked_for)
{
    rv_test_page page = {.path = "/net.safetensors", .bytes = f.bytes.data, .size = f.bytes.size};
    rv_model_save_options save = RV_MODEL_SAVE_OPTIONS_INIT;
    rv_model *model;
    char *path;
    rv_test_serve(&page, 1);
    pin(rv_test_url("/net.safetensors"), NULL);
    RV_ASSERT_OK(rv_zoo_fetch(NULL, "tiny", &f.options));
    save.features = save.half = true;
    f.options.convert = &save;
    RV_ASSERT_OK(rv_zoo_fetch(&path, "tiny", &f.options)); /* of what is there */
    cr_assert_eq(rv_test_requests(), 1);
    rv_test_serve_end();
    cr_assert_str_eq(path, in("tiny/tiny.safetensors"));
    free(path);
    cr_assert_eq(rv_test_count_files(in("tiny")), 2);
    RV_ASSERT_OK(rv_model_open(&model, "tiny", NULL));
    cr_assert(strstr(rv_model_provenance(model), f.hash) != NULL);
    const int last = rv_model_layer_count(model) - 1;
    cr_assert_str_eq(rv_model_layer(model, last).type, "max_pool");
    rv_model_close(model);
}

Test(zoo, what_was_added_by_that_name_is_kept)
{
    rv_test_page page = {.path = "/net.safetensors", .bytes = f.bytes.data, .size = f.bytes.size};
    rv_add_options add = RV_ADD_OPTIONS_INIT;
    rv_model_save_options save = RV_MODEL_SAVE_OPTIONS_INIT;
    rv_test_serve(&page, 1);
    pin(rv_test_url("/net.safetensors"), NULL);
    RV_ASSERT_OK(rv_zoo_fetch(NULL, "tiny", &f.options));
    save.half = true;
    f.options.convert = &save;
    RV_ASSERT_OK(rv_zoo_fetch(NULL, "tiny", &f.options));
    add.name = "tiny";
    add.overwrite = true;
    rv_test_write(in("tiny/labels.txt"), "1\n2\n", 4);
    RV_ASSERT_OK(rv_zoo_add(NULL, in("tiny/tiny.safetensors"), &add));
    RV_ASSERT_FAILS(rv_zoo_fetch(NULL, "tiny", &f.options), RV_ERR_USAGE, "which was added");
    f.options.convert = NULL;
    f.options.overwrite = true;
    RV_ASSERT_OK(rv_zoo_fetch(NULL, "tiny", &f.options));
    check_there(); /* and nothing else: the classes were the other's */
    /* Fetched again, it keeps those that it was given since. */
    rv_test_write(in("tiny/labels.txt"), "1\n2\n", 4);
    RV_ASSERT_OK(rv_zoo_fetch(NULL, "tiny", &f.options));
    rv_test_serve_end();
    cr_assert(rv_path_exists(in("tiny/labels.txt")));
}

Test(zoo, an_architecture_stays_within_reach_behind_a_model_of_its_name)
{
    rv_test_page page = {.path = "/net.safetensors", .bytes = f.bytes.data, .size = f.bytes.size};
    rv_model_options options = RV_MODEL_OPTIONS_INIT;
    rv_model *model;
    rv_test_serve(&page, 1);
    pin_as("lenet", f.hash, f.bytes.size, rv_test_url("/net.safetensors"), NULL);
    RV_ASSERT_OK(rv_zoo_fetch(NULL, "lenet", &f.options));
    rv_test_serve_end();
    RV_ASSERT_OK(rv_model_open(&model, "lenet", NULL));
    cr_assert(!rv_model_is_random(model));
    rv_model_close(model);
    options.untrained = true;
    RV_ASSERT_OK(rv_model_open(&model, "lenet", &options));
    cr_assert(rv_model_is_random(model));
    rv_model_close(model);
    options.untrained = false;
    options.classes = 7;
    RV_ASSERT_OK(rv_model_open(&model, "lenet", &options));
    cr_assert(rv_model_is_random(model));
    rv_model_close(model);
}

Test(zoo, names_that_can_be_fetched_are_named)
{
    rv_model *model;
    RV_ASSERT_FAILS(rv_zoo_fetch(NULL, "vgg91", NULL), RV_ERR_NOT_FOUND, "the nearest is 'vgg1");
    RV_ASSERT_FAILS(rv_model_open(&model, "googlenet", NULL), RV_ERR_NOT_FOUND,
                    "to fetch its 28 MB: reverie models fetch googlenet");
    RV_ASSERT_FAILS(rv_model_open(&model, "squeezenet1.1", NULL), RV_ERR_NOT_FOUND,
                    "reverie models fetch squeezenet1.1");
}

Test(zoo, a_list_of_pins_is_held_to_its_form)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"\n\ntiny\n", "pins.tsv:3: something is missing"},
        {"tiny\tabc\t12\thttp://h/f\n", "pins.tsv:1: the SHA-256 is not of 64 digits"},
        {"builtin\tabc\t12\thttp://h/f\n", "a model cannot have that name"},
        {"../x\tabc\t12\thttp://h/f\n", "a model cannot have that name"},
    };
    char text[256];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rv_test_write(f.pins, cases[i].text, strlen(cases[i].text));
        RV_ASSERT_FAILS(rv_zoo_fetch(NULL, "tiny", &f.options), RV_ERR_FORMAT, cases[i].words);
    }
#define THREE "\thttp://h/f\thttp://h/f\thttp://h/f"
    static const char *const tails[] = {"many\thttp://h/f", "5\tftp://h/f", "5\thttp://h/..",
                                        "5\thttp://h/f?x=1", "5" THREE THREE THREE};
    static const char *const words[] = {"the number of bytes is none", "http:// or https://",
                                        "plain name of a file", "plain name of a file",
                                        "more than 8 URLs"};
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        const int n = snprintf(text, sizeof text, "tiny\t%s\t%s\n", f.hash, tails[i]);
        rv_test_write(f.pins, text, (size_t)n);
        RV_ASSERT_FAILS(rv_zoo_fetch(NULL, "tiny", &f.options), RV_ERR_FORMAT, words[i]);
    }
}

Test(zoo, each_pin_is_whole_and_one_of_a_kind)
{
    size_t n;
    const rv_pin *pins = rv_pins(&n);
    for (size_t i = 0; i < n; i++) {
        cr_expect(rv_shelf_is_name(pins[i].name), "%s", pins[i].name);
        cr_expect(strlen(pins[i].sha256) == 64 && pins[i].bytes > 1000000, "%s", pins[i].name);
        cr_expect(strncmp(pins[i].hosts[0], "https://", 8) == 0, "%s", pins[i].name);
        cr_expect_str_eq(rv_path_base(pins[i].path), pins[i].file);
        cr_expect_eq(rv_pin_find(pins[i].name), &pins[i], "%s", pins[i].name);
        cr_expect_eq(rv_pin_find_hash(pins[i].sha256), &pins[i], "%s", pins[i].name);
    }
}
