/* Remembers between runs whether a device passed its self-test, and how fast it is. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/file.h"
#include "base/system.h"
#include "device/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* A failure is tried again after a day: what caused it may be mended by then. */
#define FAILURE_SECONDS (24.0 * 3600.0)
static const char passed[] = "passed", failed[] = "failed: ";

/* One small file for each device and fact, two lines: the identity of the device and the fact. Processes that
 * write at the same time replace each other's file as a whole. */
static rv_status path_of(char **out, const rv_found *found, const char *fact)
{
    char *folder = NULL;
    RV_TRY(rv_cache_folder(&folder, "devices"));
    const uint64_t hash = rv_hash(RV_HASH_START, found->identity, strlen(found->identity));
    const rv_status status =
        rv_format(out, "%s/%016llx-%s", folder, (unsigned long long)hash, fact);
    free(folder);
    return status;
}

/* Reads the fact into `out`; false where there is none, also for a damaged file. */
static bool load(char *out, size_t bytes, const rv_found *found, const char *fact, double *age)
{
    char *path = NULL;
    rv_bytes file;
    if (path_of(&path, found, fact) != RV_OK) {
        return false;
    }
    struct stat info;
    bool good = false;
    if (rv_bytes_open(&file, path, 4096) == RV_OK) {
        const char *text = (const char *)file.data;
        const size_t n = strlen(found->identity);
        if (file.size > n + 2 && memcmp(text, found->identity, n) == 0 && text[n] == '\n' &&
            text[file.size - 1] == '\n' && memchr(text, '\0', file.size) == NULL) {
            const size_t length = file.size - n - 2;
            good = length < bytes && memchr(text + n + 1, '\n', length) == NULL;
            if (good) {
                memcpy(out, text + n + 1, length);
                out[length] = '\0';
            }
        }
        rv_bytes_close(&file);
    }
    *age = good && stat(path, &info) == 0 ? difftime(time(NULL), info.st_mtime) : 0;
    free(path);
    return good;
}

/* Does nothing where there is no cache. */
static void save(const rv_found *found, const char *fact, const char *text)
{
    char *path = NULL;
    rv_output *output = NULL;
    if (path_of(&path, found, fact) == RV_OK && rv_output_open(&output, path, true) == RV_OK) {
        fprintf(rv_output_stream(output), "%s\n%s\n", found->identity, text);
        (void)!rv_output_commit(output);
    }
    free(path);
}

void rv_verdict_load(rv_found *found)
{
    rv_device_info *info = &found->info;
    char text[sizeof failed + sizeof info->self_test_message];
    double age = 0;
    info->self_test = RV_SELF_TEST_UNKNOWN;
    info->self_test_message[0] = '\0';
    if (!load(text, sizeof text, found, "self-test", &age)) {
        return;
    }
    if (strcmp(text, passed) == 0) {
        info->self_test = RV_SELF_TEST_PASSED;
    } else if (strncmp(text, failed, sizeof failed - 1) == 0 && age < FAILURE_SECONDS) {
        info->self_test = RV_SELF_TEST_FAILED;
        snprintf(info->self_test_message, sizeof info->self_test_message, "%.*s",
                 (int)sizeof info->self_test_message - 1, text + sizeof failed - 1);
    }
}

void rv_verdict_save(const rv_found *found)
{
    char text[sizeof failed + sizeof found->info.self_test_message];
    const bool good = found->info.self_test == RV_SELF_TEST_PASSED;
    snprintf(text, sizeof text, "%s%s", good ? passed : failed, found->info.self_test_message);
    save(found, "self-test", text);
}

double rv_speed_load(const rv_found *found)
{
    char text[64];
    double age, gflops;
    return load(text, sizeof text, found, "gflops", &age) &&
                   rv_parse_double(&gflops, text, 1e-3, 1e9, "speed") == RV_OK
               ? gflops
               : 0;
}

void rv_speed_save(const rv_found *found, double gflops)
{
    char text[64];
    /* A whole number: no point that a locale may turn into a comma. */
    snprintf(text, sizeof text, "%lld", (long long)(gflops + 0.5));
    save(found, "gflops", text);
}
