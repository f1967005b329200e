/* Clock, processors, memory, child processes, hash. */
/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* sched_setaffinity */
#include "base/system.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <string.h>
#include <time.h>

Test(system, the_clock_counts_seconds)
{
    const double start = rv_clock();
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    const double passed = rv_clock() - start;
    cr_assert(passed >= 0.05 && passed < 5, "%g", passed);
}

Test(system, processors_follow_the_affinity_of_the_process)
{
    cr_assert_geq(rv_cpu_count(), 1);
    cpu_set_t allowed, one;
    cr_assert_eq(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    cr_assert_eq(rv_cpu_count(), CPU_COUNT(&allowed));
    int cpu = 0;
    while (!CPU_ISSET(cpu, &allowed)) {
        cpu++;
    }
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    cr_assert_eq(sched_setaffinity(0, sizeof one, &one), 0);
    cr_assert_eq(rv_cpu_count(), 1);
}

Test(system, the_peak_of_memory_rises_with_use)
{
    const uint64_t before = rv_process_peak_bytes();
    cr_assert_gt(before, 100000);
    const size_t n = 64u << 20;
    char *block = malloc(n);
    cr_assert_not_null(block);
    memset(block, 1, n);
    cr_assert_geq(rv_process_peak_bytes(), before + n / 2);
    free(block);
}

Test(system, exit_codes_of_children)
{
    int code = 0;
    cr_assert_eq(rv_process_run(&code, (const char *[]){"sh", "-c", "exit 7", NULL}, 20), RV_OK);
    cr_assert_eq(code, 7);
    cr_assert_eq(rv_process_run(&code, (const char *[]){"/bin/true", NULL}, 20), RV_OK);
    cr_assert_eq(code, 0);
    cr_assert_eq(rv_process_run(&code, (const char *[]){"sh", "-c", "kill -9 $$", NULL}, 20),
                 RV_OK);
    cr_assert_eq(code, 128 + 9);
}

Test(system, arguments_reach_the_child_as_they_are)
{
    int code = -1;
    const char *const argv[] = {"sh", "-c", "test \"$1\" = 'a b;$x'", "sh", "a b;$x", NULL};
    cr_assert_eq(rv_process_run(&code, argv, 20), RV_OK);
    cr_assert_eq(code, 0);
}

Test(system, a_child_that_takes_too_long_is_killed)
{
    int code = 0;
    const double start = rv_clock();
    cr_assert_eq(rv_process_run(&code, (const char *[]){"sleep", "30", NULL}, 0.2), RV_OK);
    cr_assert_eq(code, -1);
    const double passed = rv_clock() - start;
    cr_assert(passed >= 0.2 && passed < 10, "%g", passed);
}

Test(system, a_program_that_is_not_there_is_named)
{
    int code = 0;
    cr_assert_eq(rv_process_run(&code, (const char *[]){"/no/such/program", NULL}, 1),
                 RV_ERR_NOT_FOUND);
    cr_assert(strstr(rv_error_message(), "/no/such/program") != NULL);
    cr_assert_eq(rv_process_run(&code, (const char *[]){"/etc/passwd", NULL}, 1), RV_ERR_IO);
}

Test(system, hash_is_fnv_1a)
{
    cr_assert_eq(rv_hash(RV_HASH_START, "", 0), RV_HASH_START);
    cr_assert_eq(rv_hash(RV_HASH_START, "a", 1), UINT64_C(0xaf63dc4c8601ec8c));
    cr_assert_eq(rv_hash(RV_HASH_START, "foobar", 6), UINT64_C(0x85944171f73967e8));
    cr_assert_eq(rv_hash(rv_hash(RV_HASH_START, "foo", 3), "bar", 3), UINT64_C(0x85944171f73967e8));
}
