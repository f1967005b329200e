/* What is kept on disk: verdicts, speeds, compiled programs; damaged, read-only, by two processes at once. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/file.h"
#include "device/internal.h"
#include "support/device.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The cache of the tests gives place to an empty one, after the device is known to be there. */
static void use_cache(void)
{
    setenv("XDG_CACHE_HOME", rv_test_folder(), 1);
}

/* Path of the only file in a folder of the cache. */
static const char *only_file(const char *folder)
{
    static char path[1024];
    char **names, place[256];
    size_t n;
    snprintf(place, sizeof place, "reverie/%s", folder);
    cr_assert_eq(rv_folder_list(&names, &n, rv_test_path(place)), RV_OK, "%s", rv_error_message());
    cr_assert_eq(n, 1, "%zu files", n);
    snprintf(path, sizeof path, "%s/%s", rv_test_path(place), names[0]);
    free(names);
    return path;
}

static size_t read_file(char *out, size_t bytes, const char *path)
{
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s", path);
    const size_t n = fread(out, 1, bytes, file);
    fclose(file);
    return n;
}

static rv_found pretend(void)
{
    rv_found found = {0};
    snprintf(found.identity, sizeof found.identity, "platform 1 | device | driver 2 | reverie 3");
    snprintf(found.info.name, sizeof found.info.name, "device");
    return found;
}

/* --- verdicts and speeds ----------------------------------------------------------------------------------- */

Test(cache, verdicts_are_kept_by_device_and_driver)
{
    use_cache();
    rv_found found = pretend(), other = pretend();
    rv_verdict_load(&found);
    cr_assert_eq(found.info.self_test, RV_SELF_TEST_UNKNOWN);
    found.info.self_test = RV_SELF_TEST_PASSED;
    rv_verdict_save(&found);
    found.info.self_test = RV_SELF_TEST_UNKNOWN;
    rv_verdict_load(&found);
    cr_assert_eq(found.info.self_test, RV_SELF_TEST_PASSED);
    snprintf(other.identity, sizeof other.identity, "platform 1 | device | driver 3 | reverie 3");
    rv_verdict_load(&other);
    cr_assert_eq(other.info.self_test, RV_SELF_TEST_UNKNOWN);
    found.info.self_test = RV_SELF_TEST_FAILED;
    snprintf(found.info.self_test_message, sizeof found.info.self_test_message, "sums differ");
    rv_verdict_save(&found);
    found = pretend();
    rv_verdict_load(&found);
    cr_assert_eq(found.info.self_test, RV_SELF_TEST_FAILED);
    cr_assert_str_eq(found.info.self_test_message, "sums differ");
}

Test(cache, a_failure_is_tried_again_after_a_day)
{
    use_cache();
    rv_found found = pretend();
    found.info.self_test = RV_SELF_TEST_FAILED;
    rv_verdict_save(&found);
    const struct timespec yesterday[2] = {{time(NULL) - 90000, 0}, {time(NULL) - 90000, 0}};
    cr_assert_eq(utimensat(AT_FDCWD, only_file("devices"), yesterday, 0), 0);
    rv_verdict_load(&found);
    cr_assert_eq(found.info.self_test, RV_SELF_TEST_UNKNOWN);
    found.info.self_test = RV_SELF_TEST_PASSED;
    rv_verdict_save(&found);
    cr_assert_eq(utimensat(AT_FDCWD, only_file("devices"), yesterday, 0), 0);
    rv_verdict_load(&found);
    cr_assert_eq(found.info.self_test, RV_SELF_TEST_PASSED);
}

Test(cache, speeds_are_kept)
{
    use_cache();
    rv_found found = pretend();
    cr_assert_eq(rv_speed_load(&found), 0);
    rv_speed_save(&found, 410.4);
    cr_assert_eq(rv_speed_load(&found), 410);
}

/* Cut at every length, and with every byte changed: no entry, or what was written. */
Test(cache, damaged_verdicts_are_no_verdicts)
{
    use_cache();
    char text[2048], damaged[2048], path[1024];
    rv_found found = pretend();
    found.info.self_test = RV_SELF_TEST_PASSED;
    rv_verdict_save(&found);
    snprintf(path, sizeof path, "%s", only_file("devices"));
    const size_t n = read_file(text, sizeof text, path);
    for (size_t i = 0; i < n; i++) {
        rv_test_write(path, text, i);
        rv_verdict_load(&found);
        cr_assert_eq(found.info.self_test, RV_SELF_TEST_UNKNOWN, "cut at %zu", i);
        memcpy(damaged, text, n);
        damaged[i] ^= 0x15;
        rv_test_write(path, damaged, n);
        rv_verdict_load(&found);
        cr_assert_eq(found.info.self_test, RV_SELF_TEST_UNKNOWN, "changed at %zu", i);
    }
    rv_speed_save(&found, 100);
    strcpy(path + strlen(path) - strlen("self-test"), "gflops");
    snprintf(damaged, sizeof damaged, "%s\n-5\n", found.identity);
    rv_test_write(path, damaged, strlen(damaged));
    cr_assert_eq(rv_speed_load(&found), 0);
    snprintf(damaged, sizeof damaged, "%s\n1e300\n", found.identity);
    rv_test_write(path, damaged, strlen(damaged));
    cr_assert_eq(rv_speed_load(&found), 0);
}

/* --- the self-test in a child ------------------------------------------------------------------------------ */

static const char *script(const char *body)
{
    const char *path = rv_test_path("program");
    rv_test_write(path, body, strlen(body));
    cr_assert_eq(chmod(path, 0755), 0);
    return path;
}

Test(cache, the_child_decides)
{
    use_cache();
    rv_found found = pretend();
    found.info.index = 3;
    const char *good =
        script("#!/bin/sh\n[ \"$1\" = --self-test ] && [ \"$2\" = 3 ] && [ $# = 2 ]\n");
    cr_assert_eq(rv_self_test_found(&found, good, 20), RV_OK, "%s", rv_error_message());
    cr_assert_eq(found.info.self_test, RV_SELF_TEST_PASSED, "%s", found.info.self_test_message);
    cr_assert_eq(rv_self_test_found(&found, script("#!/bin/sh\nexit 1\n"), 20), RV_OK);
    cr_assert_eq(found.info.self_test, RV_SELF_TEST_FAILED);
    cr_assert(strstr(found.info.self_test_message, "--self-test 3") != NULL);
    cr_assert_eq(rv_self_test_found(&found, script("#!/bin/sh\nkill -11 $$\n"), 20), RV_OK);
    cr_assert(strstr(found.info.self_test_message, "signal 11") != NULL, "%s",
              found.info.self_test_message);
    cr_assert_eq(rv_self_test_found(&found, script("#!/bin/sh\nexec sleep 20\n"), 0.1), RV_OK);
    cr_assert_str_eq(found.info.self_test_message, "not done after 0.1 seconds");
    /* The last verdict is the one that is kept. */
    found = pretend();
    rv_verdict_load(&found);
    cr_assert_eq(found.info.self_test, RV_SELF_TEST_FAILED);
    cr_assert_str_eq(found.info.self_test_message, "not done after 0.1 seconds");
    cr_assert_eq(rv_self_test_found(&found, "/no/such/program", 1), RV_ERR_NOT_FOUND);
}

Test(cache, a_list_shows_verdicts_and_asks_the_program_once)
{
    rv_device_close(rv_test_device());
    use_cache();
    rv_device_info *infos;
    size_t n;
    char body[1200];
    cr_assert_eq(rv_device_list(&infos, &n, NULL), RV_OK, "%s", rv_error_message());
    cr_assert_gt(n, 0);
    cr_assert_eq(infos[0].self_test, RV_SELF_TEST_UNKNOWN);
    free(infos);
    snprintf(body, sizeof body, "#!/bin/sh\necho $2 >>%s\n[ \"$2\" != 0 ]\n",
             rv_test_path("calls"));
    rv_device_options options = RV_DEVICE_OPTIONS_INIT;
    options.self_test_program = script(body);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(rv_device_list(&infos, &n, &options), RV_OK, "%s", rv_error_message());
        cr_assert_eq(infos[0].self_test, RV_SELF_TEST_FAILED);
        cr_assert_neq(infos[0].self_test_message[0], '\0');
        for (size_t k = 1; k < n; k++) {
            cr_assert_eq(infos[k].self_test, RV_SELF_TEST_PASSED);
        }
        free(infos);
    }
    char calls[256];
    cr_assert_eq(read_file(calls, sizeof calls, rv_test_path("calls")), 2 * n);
}

static int warnings;

static void note(void *payload, rv_log_level level, const char *text)
{
    (void)payload;
    warnings += level == RV_LOG_WARNING && strstr(text, "self-test") != NULL;
}

Test(cache, a_device_that_fails_is_taken_only_by_name)
{
    rv_device_close(rv_test_device());
    use_cache();
    unsetenv("REVERIE_DEVICE");
    const rv_events events = {.log = note};
    rv_device *device;
    rv_device_options options = RV_DEVICE_OPTIONS_INIT;
    options.self_test_program = "/bin/false";
    options.events = &events;
    cr_assert_eq(rv_device_open(&device, &options), RV_ERR_DEVICE);
    cr_assert(strstr(rv_error_message(), "--device INDEX") != NULL, "%s", rv_error_message());
    warnings = 0;
    options.spec = "0";
    cr_assert_eq(rv_device_open(&device, &options), RV_OK, "%s", rv_error_message());
    cr_assert_eq(warnings, 1);
    cr_assert_eq(rv_device_get_info(device)->self_test, RV_SELF_TEST_FAILED);
    rv_device_close(device);
}

/* --- compiled programs ------------------------------------------------------------------------------------- */

static const char source[] = "__kernel void k(__global int *y) { y[0] = 41 + PLUS; }\n";

static void write_kernel(void)
{
    rv_test_write(rv_test_path("k.cl"), source, sizeof source - 1);
    setenv("REVERIE_CL_PATH", rv_test_folder(), 1);
}

/* Compiles the kernel or takes it from the disk, and runs it; -1 where anything fails. No assertions: this also
 * runs in processes that the test forks. */
static int32_t run_on(rv_device *device, const char *defines)
{
    rv_kernel *kernel;
    rv_buffer *y;
    int32_t value = -1;
    if (rv_kernel_get(&kernel, device, "k", "k", defines) != RV_OK ||
        rv_buffer_create(&y, device, 4) != RV_OK) {
        return -1;
    }
    if (rv_launch(device, kernel, rv_grid_groups(1, 1, 1, 1, 1, 1), RV_ARGS(RV_ARG(y))) != RV_OK ||
        rv_buffer_read(device, y, 0, &value, 4) != RV_OK) {
        value = -1;
    }
    rv_buffer_destroy(y);
    return value;
}

/* The same on a new device; *loaded tells whether the program came from the disk. */
static int32_t run(const char *defines, bool *loaded, uint64_t limit)
{
    rv_device *device;
    rv_device_options options = RV_DEVICE_OPTIONS_INIT;
    const char *named = getenv("REVERIE_DEVICE");
    options.spec = named != NULL && named[0] != '\0' ? named : "0"; /* by name: no self-test */
    if (rv_device_open(&device, &options) != RV_OK) {
        return -1;
    }
    device->keeps_binaries = true; /* also on PoCL, for the sake of the test */
    device->binary_bytes = limit;
    int32_t value = run_on(device, defines);
    if (device->loaded + device->compiled != 1) {
        value = -1;
    }
    *loaded = device->loaded == 1;
    rv_device_close(device);
    return value;
}

#define NO_LIMIT UINT64_MAX

Test(cache, programs_are_loaded_the_second_time)
{
    rv_device_close(rv_test_device());
    use_cache();
    write_kernel();
    bool loaded;
    struct stat info;
    cr_assert_eq(run("-DPLUS=1", &loaded, NO_LIMIT), 42);
    cr_assert(!loaded);
    cr_assert_eq(stat(only_file("programs"), &info), 0);
    cr_assert_eq(info.st_mode & 0777, 0600);
    cr_assert_eq(run("-DPLUS=1", &loaded, NO_LIMIT), 42);
    cr_assert(loaded);
    cr_assert_eq(run("-DPLUS=2", &loaded, NO_LIMIT), 43);
    cr_assert(!loaded);
    /* Another text under the same name is another program. */
    rv_test_write(rv_test_path("k.cl"), "__kernel void k(__global int *y) { y[0] = 7; }\n", 47);
    cr_assert_eq(run("-DPLUS=1", &loaded, NO_LIMIT), 7);
    cr_assert(!loaded);
}

/* A program as PoCL keeps it: 1000 bytes and the time of its last use, so many seconds ago. */
static void keep_as_pocl(const char *name, int ago)
{
    char kernel[64];
    static const char bytes[1000];
    const struct timespec old[2] = {{1000000, 0}, {1000000, 0}},
                          used[2] = {{time(NULL) - ago, 0}, {time(NULL) - ago, 0}};
    snprintf(kernel, sizeof kernel, "pocl/%s/k/1-1-1", name);
    cr_assert_eq(rv_folder_make(rv_test_path(kernel), 0700), RV_OK);
    snprintf(kernel, sizeof kernel, "pocl/%s/k/1-1-1/k.so", name);
    rv_test_write(rv_test_path(kernel), bytes, sizeof bytes);
    cr_assert_eq(utimensat(AT_FDCWD, rv_test_path(kernel), old, 0), 0);
    snprintf(kernel, sizeof kernel, "pocl/%s/last_accessed", name);
    rv_test_write(rv_test_path(kernel), bytes, 0);
    cr_assert_eq(utimensat(AT_FDCWD, rv_test_path(kernel), used, 0), 0);
}

Test(cache, programs_of_pocl_go_by_their_last_use_unless_that_was_just_now)
{
    struct stat info;
    keep_as_pocl("AA/FIRST", 9000);
    keep_as_pocl("AA/SECOND", 8000);
    keep_as_pocl("BB/THIRD", 7000);
    keep_as_pocl("BB/NEW", 10);
    cr_assert_eq(stat(rv_test_path("pocl/AA/FIRST"), &info), 0);
    const uint64_t each = 1000 + 3 * (uint64_t)info.st_size; /* three folders each */
    rv_cache_limit(rv_test_path("pocl"), 1, 4 * each, 3600);
    cr_assert(rv_path_exists(rv_test_path("pocl/AA/FIRST")), "all have room");
    rv_cache_limit(rv_test_path("pocl"), 1, 3 * each, 3600);
    cr_assert(!rv_path_exists(rv_test_path("pocl/AA/FIRST")));
    cr_assert(rv_path_exists(rv_test_path("pocl/AA/SECOND/k/1-1-1/k.so")));
    rv_cache_limit(rv_test_path("pocl"), 1, 0, 3600);
    cr_assert(!rv_path_exists(rv_test_path("pocl/AA/SECOND")));
    cr_assert(!rv_path_exists(rv_test_path("pocl/BB/THIRD")));
    cr_assert(rv_path_exists(rv_test_path("pocl/BB/NEW/k/1-1-1/k.so")));
}

Test(cache, damaged_programs_are_built_anew)
{
    rv_device_close(rv_test_device());
    use_cache();
    write_kernel();
    bool loaded;
    char path[1024];
    static char bytes[1 << 20];
    cr_assert_eq(run("-DPLUS=1", &loaded, NO_LIMIT), 42);
    snprintf(path, sizeof path, "%s", only_file("programs"));
    const size_t n = read_file(bytes, sizeof bytes, path);
    const size_t cuts[] = {0, 5, 31, 32, n / 2, n - 1};
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        rv_test_write(path, bytes, cuts[i]);
        cr_assert_eq(run("-DPLUS=1", &loaded, NO_LIMIT), 42);
        cr_assert(!loaded, "cut at %zu", cuts[i]);
    }
    const size_t places[] = {0, 8, 16, 24, 32, n / 2, n - 1};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        bytes[places[i]] ^= 1;
        rv_test_write(path, bytes, n);
        bytes[places[i]] ^= 1;
        cr_assert_eq(run("-DPLUS=1", &loaded, NO_LIMIT), 42);
        cr_assert(!loaded, "changed at %zu", places[i]);
    }
    cr_assert_eq(run("-DPLUS=1", &loaded, NO_LIMIT), 42);
    cr_assert(loaded);
}

Test(cache, the_programs_used_longest_ago_go_first)
{
    rv_device_close(rv_test_device());
    use_cache();
    write_kernel();
    bool loaded;
    struct stat info;
    cr_assert_eq(run("-DPLUS=1", &loaded, NO_LIMIT), 42);
    cr_assert_eq(stat(only_file("programs"), &info), 0);
    const struct timespec old[2] = {{1000000, 0}, {1000000, 0}};
    cr_assert_eq(utimensat(AT_FDCWD, only_file("programs"), old, 0), 0);
    /* Room for two and a half. */
    const uint64_t limit = (uint64_t)info.st_size * 5 / 2;
    const struct timespec tick = {0,
                                  20000000}; /* of the clock that files are stamped by, at least */
    cr_assert_eq(run("-DPLUS=2", &loaded, limit), 43);
    nanosleep(&tick, NULL);
    cr_assert_eq(run("-DPLUS=1", &loaded, limit), 42); /* now the younger one */
    cr_assert(loaded);
    nanosleep(&tick, NULL);
    cr_assert_eq(run("-DPLUS=3", &loaded, limit), 44);
    cr_assert_eq(rv_test_count_files(rv_test_path("reverie/programs")), 2);
    cr_assert_eq(run("-DPLUS=1", &loaded, limit), 42);
    cr_assert(loaded);
    cr_assert_eq(run("-DPLUS=2", &loaded, limit), 43);
    cr_assert(!loaded);
}

/* A file stands where the cache should be: everything works, nothing is kept. */
Test(cache, without_a_place_to_write_everything_works)
{
    rv_device_close(rv_test_device());
    write_kernel();
    rv_test_write(rv_test_path("file"), "x", 1);
    setenv("XDG_CACHE_HOME", rv_test_path("file"), 1);
    bool loaded;
    cr_assert_eq(run("-DPLUS=1", &loaded, NO_LIMIT), 42);
    cr_assert(!loaded);
    rv_found found = pretend();
    found.info.self_test = RV_SELF_TEST_PASSED;
    rv_verdict_save(&found);
    rv_verdict_load(&found);
    cr_assert_eq(found.info.self_test, RV_SELF_TEST_UNKNOWN);
}

Test(cache, pocl_is_asked_for_no_binaries)
{
    rv_device *device = rv_test_device();
    const bool pocl = strcmp(device->info.platform, "Portable Computing Language") == 0;
    cr_assert_eq(device->keeps_binaries, !pocl);
    rv_device_close(device);
}

enum { NO_DEVICE = 77 };

static bool there_is_no_device(void)
{
    rv_found *all;
    size_t n;
    if (getenv("REVERIE_DEVICE") != NULL || rv_found_list(&all, &n) != RV_OK) {
        return false;
    }
    free(all);
    return n == 0;
}

/* Several processes build, save, load and trim the same programs at the same time. */
Test(cache, processes_share_the_cache, .timeout = 120)
{
    enum { PROCESSES = 4, ROUNDS = 3 };
    pid_t children[PROCESSES];
    use_cache();
    write_kernel();
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork(); /* before this process knows of OpenCL */
        cr_assert_geq(children[i], 0);
        if (children[i] == 0) {
            bool loaded, good = true;
            if (there_is_no_device()) {
                _exit(NO_DEVICE);
            }
            for (int k = 0; k < ROUNDS && good; k++) {
                good =
                    run("-DPLUS=1", &loaded, 1) == 42 && run("-DPLUS=2", &loaded, NO_LIMIT) == 43;
            }
            _exit(good ? 0 : 1);
        }
    }
    bool skip = false;
    for (int i = 0; i < PROCESSES; i++) {
        int state;
        cr_assert_eq(waitpid(children[i], &state, 0), children[i]);
        skip = skip || (WIFEXITED(state) && WEXITSTATUS(state) == NO_DEVICE);
        cr_assert(skip || (WIFEXITED(state) && WEXITSTATUS(state) == 0), "state %d", state);
    }
    if (skip) {
        cr_skip_test("there is no OpenCL device");
    }
}
