/* Chooses a device: by what the user says, else the first that works unless another is much faster. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "device/internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* How much faster another device must be to be taken instead of the first. */
#define MUCH_FASTER 1.5
/* Measuring a device for the choice: three runs of 0.07 s. */
enum { RUNS = 3 };
#define RUN_SECONDS 0.07

static const char *type_name(rv_device_type type)
{
    return type == RV_DEVICE_CPU ? "CPU" : type == RV_DEVICE_GPU ? "GPU" : "accelerator";
}

/* The devices there are, for messages: "0: NAME (CPU, PLATFORM); 1: ...". */
static void append_list(rv_text *text, const rv_found *all, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const rv_device_info *info = &all[i].info;
        rv_text_append(text, "%s%d: %s (%s, %s)", i > 0 ? "; " : "", info->index, info->name,
                       type_name(info->type), info->platform);
    }
}

static rv_status fail_no_match(const rv_found *all, size_t n, const char *spec)
{
    rv_text text = {0};
    append_list(&text, all, n);
    const rv_status status = rv_fail(RV_ERR_NOT_FOUND, "no device matches '%s'; choose from %s",
                                     spec, text.data != NULL ? text.data : "none");
    rv_text_release(&text);
    return status;
}

static rv_status fail_no_device(const rv_found *all, size_t n)
{
    char **lines = NULL;
    size_t n_lines = 0;
    rv_text text = {0};
    if (rv_missing_gpus(&lines, &n_lines, "/sys/class/drm", "/dev/dri", all, n) == RV_OK) {
        for (size_t i = 0; i < n_lines; i++) {
            rv_text_append(&text, "; %s", lines[i]);
        }
    }
    const rv_status status =
        rv_fail(RV_ERR_NOT_FOUND,
                "there is no OpenCL device: install a driver, pocl-opencl-icd for the processor%s",
                text.data != NULL ? text.data : "");
    rv_text_release(&text);
    free(lines);
    return status;
}

/* Whether `part` occurs in `text`, in any case of letters. */
static bool occurs(const char *text, const char *part)
{
    const size_t n = strlen(part);
    for (; *text != '\0'; text++) {
        if (strncasecmp(text, part, n) == 0) {
            return true;
        }
    }
    return false;
}

static bool matches(const rv_device_info *info, const char *spec)
{
    if (spec[strspn(spec, "0123456789")] == '\0') {
        char *end;
        return strtol(spec, &end, 10) == info->index;
    }
    if (strcasecmp(spec, "cpu") == 0) {
        return info->type == RV_DEVICE_CPU;
    }
    if (strcasecmp(spec, "gpu") == 0) {
        return info->type == RV_DEVICE_GPU;
    }
    return occurs(info->name, spec) || occurs(info->platform, spec);
}

rv_status rv_choose_by_spec(size_t *out, const rv_found *all, size_t n, const char *spec)
{
    size_t first = n;
    for (size_t i = 0; i < n; i++) {
        if (!matches(&all[i].info, spec)) {
            continue;
        }
        if (all[i].info.self_test != RV_SELF_TEST_FAILED) {
            *out = i;
            return RV_OK;
        }
        first = first < n ? first : i;
    }
    if (first == n) {
        return fail_no_match(all, n, spec);
    }
    *out = first; /* all of them fail their self-tests, yet the user asks for one */
    return RV_OK;
}

size_t rv_choose_by_speed(const double *gflops, size_t n)
{
    size_t first = 0, fastest = 0;
    while (first < n && !(gflops[first] > 0)) {
        first++;
    }
    if (first == n) {
        return n;
    }
    for (size_t i = 0; i < n; i++) {
        fastest = gflops[i] > gflops[fastest] ? i : fastest;
    }
    return gflops[fastest] >= MUCH_FASTER * gflops[first] ? fastest : first;
}

/* Speed of a device that passed its self-test, from the cache or measured now; 0 if it cannot be opened. */
static double speed_of(const rv_found *found)
{
    double gflops = rv_speed_load(found);
    if (gflops > 0) {
        return gflops;
    }
    rv_device *device = NULL;
    rv_device_options options = RV_DEVICE_OPTIONS_INIT;
    if (rv_device_open_found(&device, found, &options) != RV_OK ||
        rv_device_measure_fma(device, RUNS, RUN_SECONDS, NULL, &gflops) != RV_OK) {
        gflops = 0;
    }
    rv_device_close(device);
    if (gflops > 0) {
        rv_speed_save(found, gflops);
    }
    return gflops;
}

static rv_status fail_all_failed(const rv_found *all, size_t n)
{
    rv_text text = {0};
    for (size_t i = 0; i < n; i++) {
        rv_text_append(&text, "%s%s: %s", i > 0 ? "; " : "", all[i].info.name,
                       all[i].info.self_test_message);
    }
    const rv_status status =
        rv_fail(RV_ERR_DEVICE,
                "no device passes its self-test (%s); one is used all the same if "
                "you name it with --device INDEX",
                text.data != NULL ? text.data : "");
    rv_text_release(&text);
    return status;
}

static rv_status choose_by_test(size_t *out, rv_found *all, size_t n,
                                const rv_device_options *options)
{
    size_t passing = 0, last = 0;
    for (size_t i = 0; i < n; i++) {
        if (all[i].info.self_test == RV_SELF_TEST_UNKNOWN) {
            RV_TRY(rv_self_test_found(&all[i], options->self_test_program, RV_SELF_TEST_SECONDS));
        }
        if (all[i].info.self_test == RV_SELF_TEST_PASSED) {
            passing++;
            last = i;
        } else {
            rv_log(options->events, RV_LOG_WARNING, "%s fails its self-test: %s", all[i].info.name,
                   all[i].info.self_test_message);
        }
    }
    if (passing == 0) {
        return fail_all_failed(all, n);
    }
    *out = last;
    if (passing == 1) {
        return RV_OK;
    }
    double *gflops;
    RV_TRY(rv_alloc(&gflops, n, sizeof *gflops, "list of devices"));
    for (size_t i = 0; i < n; i++) {
        gflops[i] = all[i].info.self_test == RV_SELF_TEST_PASSED ? speed_of(&all[i]) : 0;
    }
    const size_t best = rv_choose_by_speed(gflops, n);
    *out = best < n ? best : last;
    free(gflops);
    return RV_OK;
}

rv_status rv_choose(size_t *out, rv_found *all, size_t n, const rv_device_options *options)
{
    if (n == 0) {
        return fail_no_device(all, n);
    }
    for (size_t i = 0; i < n; i++) {
        rv_verdict_load(&all[i]);
    }
    const char *spec = options->spec != NULL ? options->spec : getenv("REVERIE_DEVICE");
    if (spec == NULL || spec[0] == '\0') {
        return choose_by_test(out, all, n, options);
    }
    RV_TRY(rv_choose_by_spec(out, all, n, spec));
    const rv_device_info *info = &all[*out].info;
    if (info->self_test == RV_SELF_TEST_FAILED) {
        rv_log(options->events, RV_LOG_WARNING, "%s failed its self-test, results may be wrong: %s",
               info->name, info->self_test_message);
    }
    return RV_OK;
}
