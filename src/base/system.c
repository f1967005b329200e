/* Clock, processors, memory of this process, child processes, hash. */
/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* sched_getaffinity */
#include "base/system.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

double rv_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double rv_wall_clock(void)
{
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void rv_process_name(char *out, size_t n)
{
    char host[65] = "";
    if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0') {
        snprintf(host, sizeof host, "localhost");
    }
    snprintf(out, n, "%s.%ld", host, (long)getpid());
}

int rv_cpu_count(void)
{
    cpu_set_t set;
    long n = 0;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        n = CPU_COUNT(&set);
    } else { /* more processors than cpu_set_t has bits */
        n = sysconf(_SC_NPROCESSORS_ONLN);
    }
    return n > 0 ? (int)n : 1;
}

/* A line of what the system says about this process, in bytes. */
static uint64_t read_status(const char *key)
{
    FILE *file = fopen("/proc/self/status", "r");
    if (file == NULL) {
        return 0;
    }
    char line[256];
    unsigned long long kib = 0;
    while (kib == 0 && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0) {
            kib = strtoull(line + strlen(key), NULL, 10);
        }
    }
    fclose(file);
    return (uint64_t)kib * 1024;
}

uint64_t rv_process_peak_bytes(void)
{
    return read_status("VmHWM:");
}

uint64_t rv_process_bytes(void)
{
    return read_status("VmRSS:");
}

/* Starts the child with all three streams at /dev/null. */
static rv_status start(pid_t *out, const char *const argv[])
{
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0) {
        return rv_fail(RV_ERR_MEMORY, "cannot prepare to run %s: %s", argv[0], strerror(error));
    }
    for (int stream = 0; stream <= 2 && error == 0; stream++) {
        error = posix_spawn_file_actions_addopen(&actions, stream, "/dev/null",
                                                 stream == 0 ? O_RDONLY : O_WRONLY, 0);
    }
    if (error == 0) {
        /* The API takes char *const[] for the sake of exec's old prototype; it changes nothing. */
        char *const *list;
        memcpy(&list, &argv, sizeof list);
        error = posix_spawnp(out, argv[0], &actions, NULL, list, environ);
    }
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
        return rv_fail(error == ENOENT ? RV_ERR_NOT_FOUND : RV_ERR_IO, "cannot run %s: %s", argv[0],
                       strerror(error));
    }
    return RV_OK;
}

rv_status rv_process_run(int *out_code, const char *const argv[], double seconds)
{
    *out_code = -1;
    pid_t child;
    RV_TRY(start(&child, argv));
    const double deadline = rv_clock() + seconds;
    bool killed = false;
    int state = 0;
    for (;;) {
        const pid_t done = waitpid(child, &state, killed ? 0 : WNOHANG);
        if (done == child) {
            break;
        }
        if (done < 0 && errno != EINTR) {
            return rv_fail(RV_ERR_IO, "cannot wait for %s: %s", argv[0], strerror(errno));
        }
        if (!killed && rv_clock() >= deadline) {
            kill(child, SIGKILL);
            killed = true;
        } else if (!killed) {
            nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
        }
    }
    if (WIFEXITED(state)) {
        *out_code = WEXITSTATUS(state);
    } else if (!killed) {
        *out_code = 128 + WTERMSIG(state);
    }
    return RV_OK;
}

uint64_t rv_hash(uint64_t hash, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++) {
        hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}
