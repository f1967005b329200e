/* The measured peak of multiply-adds is what a loop of intrinsics reaches on all cores. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/pool.h"
#include "base/system.h"
#include "device/internal.h"
#include "support/device.h"

#include <criterion/criterion.h>
#include <criterion/logging.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

/* Also on drivers where a launch takes long, no measurement takes minutes. */
Test(measure, copies_and_launches_are_plausible, .timeout = 90)
{
    rv_device *device = rv_test_device();
    double gbps, microseconds, gflops;
    cr_assert_eq(rv_device_measure_copy(device, NULL, &gbps), RV_OK, "%s", rv_error_message());
    cr_assert(gbps > 0.1 && gbps < 1e5, "%g", gbps);
    cr_assert_eq(rv_device_measure_launch(device, NULL, &microseconds), RV_OK, "%s",
                 rv_error_message());
    cr_assert(microseconds > 0.05 && microseconds < 1e4, "%g", microseconds);
    cr_assert_eq(rv_device_measure_fma(device, 1, 0.01, NULL, &gflops), RV_OK, "%s",
                 rv_error_message());
    cr_assert(gflops > 0.1 && gflops < 1e6, "%g", gflops);
    cr_assert_eq(rv_device_allocated(device), 0);
    rv_device_close(device);
}

#if defined(__x86_64__)
#include <immintrin.h>

/* Chains of the loops below, and how often one job goes around: some ten microseconds. */
enum { CHAINS = 12, ROUNDS = 16384, JOBS = 2048 };
#define RUN_SECONDS 0.1

/* volatile: without it the compiler could do without the loop */
static volatile float sink;

#define LOOP(vector, set1, fmadd, first)           \
    const vector p = set1(0.75f), q = set1(0.25f); \
    vector x[CHAINS];                              \
    for (int k = 0; k < CHAINS; k++) {             \
        x[k] = set1((float)k);                     \
    }                                              \
    for (int i = 0; i < ROUNDS; i++) {             \
        x[0] = fmadd(x[0], p, q);                  \
        x[1] = fmadd(x[1], p, q);                  \
        x[2] = fmadd(x[2], p, q);                  \
        x[3] = fmadd(x[3], p, q);                  \
        x[4] = fmadd(x[4], p, q);                  \
        x[5] = fmadd(x[5], p, q);                  \
        x[6] = fmadd(x[6], p, q);                  \
        x[7] = fmadd(x[7], p, q);                  \
        x[8] = fmadd(x[8], p, q);                  \
        x[9] = fmadd(x[9], p, q);                  \
        x[10] = fmadd(x[10], p, q);                \
        x[11] = fmadd(x[11], p, q);                \
    }                                              \
    for (int k = 1; k < CHAINS; k++) {             \
        x[0] = fmadd(x[k], p, x[0]);               \
    }                                              \
    sink = first(x[0]);

__attribute__((target("avx512f"))) static rv_status avx512_job(void *payload, size_t job)
{
    (void)payload, (void)job;
    LOOP(__m512, _mm512_set1_ps, _mm512_fmadd_ps, _mm512_cvtss_f32)
    return RV_OK;
}

__attribute__((target("avx2,fma"))) static rv_status avx2_job(void *payload, size_t job)
{
    (void)payload, (void)job;
    LOOP(__m256, _mm256_set1_ps, _mm256_fmadd_ps, _mm256_cvtss_f32)
    return RV_OK;
}

static double cpu_seconds(void)
{
    struct rusage use;
    cr_assert_eq(getrusage(RUSAGE_SELF, &use), 0);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           1e-6 * (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
}

/* GFLOPS of the loop on all cores in a run of RUN_SECONDS. *cores: how many of them this process had. */
static double loop_gflops(bool avx512, double *cores)
{
    /* The threads of some drivers spin for a while after a launch. */
    cr_assert_eq(nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL), 0);
    const double cpu = cpu_seconds(), start = rv_clock();
    double seconds, flops = 0;
    do {
        cr_assert_eq(rv_parallel_for(JOBS, 0, avx512 ? avx512_job : avx2_job, NULL), RV_OK);
        flops += 2.0 * CHAINS * ROUNDS * JOBS * (avx512 ? 16 : 8);
        seconds = rv_clock() - start;
    } while (seconds < RUN_SECONDS);
    *cores = (cpu_seconds() - cpu) / seconds;
    return 1e-9 * flops / seconds;
}

/* Other programs take part of the cores now and then: short runs of both in turn, the best of each, and only if the
 * loop had all cores at least in some. */
Test(measure, the_peak_is_within_5_percent_of_a_loop_of_intrinsics, .timeout = 120)
{
    enum { LEAST = 4, MOST = 60 };
    const bool avx512 = __builtin_cpu_supports("avx512f") != 0;
    if (getenv("REVERIE_TEST_SPEED") == NULL) {
        cr_skip_test("speeds need a machine of their own: set REVERIE_TEST_SPEED=1");
    }
    if (!avx512 && !(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))) {
        cr_skip_test("this processor has neither AVX-512 nor AVX2");
    }
    rv_device *device = rv_test_device();
    const rv_device_info *info = rv_device_get_info(device);
    if (info->type != RV_DEVICE_CPU || info->block != (avx512 ? 16 : 8) ||
        info->compute_units != rv_cpu_count()) {
        rv_device_close(device);
        cr_skip_test("the device is not this processor with all its cores and vectors");
    }
    double loop = 0, peak = 0;
    int quiet = 0;
    for (int i = 0; i < MOST && (quiet < LEAST || fabs(peak / loop - 1) > 0.05); i++) {
        double gflops, cores;
        cr_assert_eq(rv_device_measure_fma(device, 1, RUN_SECONDS, NULL, &gflops), RV_OK, "%s",
                     rv_error_message());
        peak = gflops > peak ? gflops : peak;
        gflops = loop_gflops(avx512, &cores);
        loop = gflops > loop ? gflops : loop;
        quiet += cores > 0.95 * info->compute_units;
    }
    rv_device_close(device);
    if (quiet < LEAST) {
        cr_skip_test("other programs use the cores: %d quiet runs", quiet);
    }
    cr_log_info("the peak is %.1f GFLOPS, the loop %.1f\n", peak, loop);
    cr_assert_leq(fabs(peak / loop - 1), 0.05, "the peak is %.1f GFLOPS, the loop %.1f", peak,
                  loop);
}
#endif
