/* Measures what a device can do at most: multiply-adds, copies, launches. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/system.h"
#include "device/internal.h"

#include <string.h>

/* Multiply-adds of peak_fma in one round: 4 steps of 12 chains. */
enum { CHAINS = 48 };
/* A launch should be short beside the limit of a display's watchdog, and long beside the cost of a launch and of its
 * end, when some cores have nothing left to do. */
#define LAUNCH_SECONDS 0.1
enum { RUNS = 5, SHORT_ROUNDS = 32, LARGEST_ROUNDS = 1 << 24 };
/* On a slow driver: no further run after so long. */
#define MOST_SECONDS 5.0

/* A kernel of peak.cl. A device without fused multiply-adds would compute each by a page of other instructions, and
 * compile for minutes. */
static rv_status get_kernel(rv_kernel **out, rv_device *device, const char *name)
{
    cl_device_fp_config can = 0;
    (void)clGetDeviceInfo(device->id, CL_DEVICE_SINGLE_FP_CONFIG, sizeof can, &can, NULL);
    return rv_kernel_get(out, device, "peak", name, (can & CL_FP_FMA) != 0 ? "-DFUSED" : NULL);
}

typedef struct fma_run {
    rv_kernel *kernel;
    rv_buffer *y;
    rv_grid grid;
    size_t items;
    int32_t rounds;
} fma_run;

static rv_status launch_fma(rv_device *device, const fma_run *run)
{
    return rv_launch(device, run->kernel, run->grid,
                     RV_ARGS(RV_ARG(run->y), RV_ARG(run->rounds), RV_ARG(0.75f), RV_ARG(0.25f)));
}

/* Seconds of `launches` launches, from an idle device to an idle device. */
static rv_status time_fma(rv_device *device, const fma_run *run, int launches, double *seconds)
{
    const double start = rv_clock();
    for (int i = 0; i < launches; i++) {
        RV_TRY(launch_fma(device, run));
    }
    RV_TRY(rv_device_finish(device));
    *seconds = rv_clock() - start;
    return RV_OK;
}

/* Finds how many rounds make a launch of LAUNCH_SECONDS, or of `run_seconds` where that is less; this also warms up. */
static rv_status calibrate_fma(rv_device *device, fma_run *run, double run_seconds)
{
    const double wanted = run_seconds < LAUNCH_SECONDS ? run_seconds : LAUNCH_SECONDS;
    double seconds;
    run->rounds = SHORT_ROUNDS;
    RV_TRY(time_fma(device, run, 1, &seconds)); /* compiles */
    for (;;) {
        RV_TRY(time_fma(device, run, 1, &seconds));
        if (seconds >= wanted / 2 || run->rounds >= LARGEST_ROUNDS) {
            return RV_OK;
        }
        const double factor = seconds > 0 ? wanted / seconds : 8;
        run->rounds = (int32_t)((double)run->rounds * (factor < 8 ? factor : 8)) + 1;
    }
}

static rv_status run_fma(rv_device *device, fma_run *run, int runs, double run_seconds,
                         const rv_events *events, double *gflops)
{
    RV_TRY(calibrate_fma(device, run, run_seconds));
    const double flops =
        2.0 * CHAINS * (double)device->info.block * (double)run->rounds * (double)run->items;
    const double start = rv_clock();
    double best = 0;
    for (int i = 0; i < runs && (i == 0 || rv_clock() - start < MOST_SECONDS); i++) {
        RV_TRY(rv_check_cancelled(events));
        double seconds, total = 0, work = 0;
        do {
            RV_TRY(time_fma(device, run, 1, &seconds));
            total += seconds;
            work += flops;
        } while (total < run_seconds);
        best = work / total > best ? work / total : best;
    }
    *gflops = 1e-9 * best;
    return RV_OK;
}

rv_status rv_device_measure_fma(rv_device *device, int runs, double run_seconds,
                                const rv_events *events, double *gflops)
{
    *gflops = 0;
    fma_run run = {0};
    RV_TRY(get_kernel(&run.kernel, device, "peak_fma"));
    /* Many small groups: threads that fetch them as they go end together, whatever else runs. */
    const size_t units = (size_t)(device->info.compute_units > 0 ? device->info.compute_units : 1);
    const size_t local = rv_device_gpu_form(device) ? 128 : 1;
    const size_t groups = units * (rv_device_gpu_form(device) ? 64 : 256);
    run.items = groups * local;
    run.grid = rv_grid_groups(groups, 1, 1, local, 1, 1);
    RV_TRY(rv_buffer_create(&run.y, device, run.items * sizeof(float)));
    const double seconds = run_seconds > 0 ? run_seconds : device->run_seconds;
    const rv_status status = run_fma(device, &run, runs, seconds, events, gflops);
    rv_buffer_destroy(run.y);
    return status;
}

/* --- copies ------------------------------------------------------------------------------------------------ */

typedef struct copy_run {
    rv_kernel *kernel;
    rv_buffer *x, *y;
    rv_grid grid;
    int32_t n, share;
} copy_run;

static rv_status time_copy(rv_device *device, const copy_run *run, double *seconds)
{
    const double start = rv_clock();
    RV_TRY(rv_launch(device, run->kernel, run->grid,
                     RV_ARGS(RV_ARG(run->y), RV_ARG(run->x), RV_ARG(run->n), RV_ARG(run->share))));
    RV_TRY(rv_device_finish(device));
    *seconds = rv_clock() - start;
    return RV_OK;
}

static rv_status run_copy(rv_device *device, const copy_run *run, size_t bytes,
                          const rv_events *events, double *gbps)
{
    const double start = rv_clock();
    double seconds, best = 0;
    RV_TRY(rv_buffer_fill(device, run->x, 0, bytes, 1.0f)); /* real pages, not shared zero ones */
    RV_TRY(time_copy(device, run, &seconds));
    for (int i = 0; i < RUNS && (i == 0 || rv_clock() - start < MOST_SECONDS); i++) {
        RV_TRY(rv_check_cancelled(events));
        double total = 0;
        int launches = 0;
        do {
            RV_TRY(time_copy(device, run, &seconds));
            total += seconds;
            launches++;
        } while (total < device->run_seconds);
        const double rate = 2.0 * (double)bytes * (double)launches / total;
        best = rate > best ? rate : best;
    }
    *gbps = 1e-9 * best;
    return RV_OK;
}

/* 256 MiB each, or an eighth of the memory where there is little. */
static size_t copy_bytes(const rv_device *device)
{
    size_t bytes = (size_t)256 << 20;
    while (bytes > 4096 &&
           (bytes > device->info.global_bytes / 8 || bytes > device->info.max_alloc_bytes)) {
        bytes /= 2;
    }
    return bytes;
}

rv_status rv_device_measure_copy(rv_device *device, const rv_events *events, double *gbps)
{
    *gbps = 0;
    copy_run run = {0};
    const bool gpu = rv_device_gpu_form(device);
    const size_t units = (size_t)(device->info.compute_units > 0 ? device->info.compute_units : 1);
    const size_t local = gpu ? 128 : 1, groups = units * (gpu ? 32 : 64),
                 bytes = copy_bytes(device);
    const size_t items = groups * local,
                 vectors = bytes / sizeof(float) / (size_t)device->info.block;
    run.n = (int32_t)vectors;
    run.share = (int32_t)((vectors + items - 1) / items);
    run.grid = rv_grid_groups(groups, 1, 1, local, 1, 1);
    RV_TRY(get_kernel(&run.kernel, device, "peak_copy"));
    rv_status status = rv_buffer_create(&run.x, device, bytes);
    if (status == RV_OK) {
        status = rv_buffer_create(&run.y, device, bytes);
    }
    if (status == RV_OK) {
        status = run_copy(device, &run, bytes, events, gbps);
    }
    rv_buffer_destroy(run.x);
    rv_buffer_destroy(run.y);
    return status;
}

/* --- launches ---------------------------------------------------------------------------------------------- */

enum { LAUNCHES = 1000 };

/* Seconds of `launches` launches, from an idle device to an idle device. */
static rv_status time_launches(rv_device *device, rv_kernel *kernel, const rv_buffer *y,
                               int launches, double *seconds)
{
    const int32_t n = 0;
    const double start = rv_clock();
    for (int k = 0; k < launches; k++) {
        RV_TRY(rv_launch(device, kernel, rv_grid_groups(1, 1, 1, 1, 1, 1),
                         RV_ARGS(RV_ARG(y), RV_ARG(n))));
    }
    RV_TRY(rv_device_finish(device));
    *seconds = rv_clock() - start;
    return RV_OK;
}

/* How many launches a run has: LAUNCHES, or as many as a run holds where that is less. This also warms up. */
static rv_status calibrate_launches(rv_device *device, rv_kernel *kernel, const rv_buffer *y,
                                    int *launches)
{
    double seconds;
    *launches = 1;
    RV_TRY(time_launches(device, kernel, y, 1, &seconds)); /* compiles */
    for (;;) {
        RV_TRY(time_launches(device, kernel, y, *launches, &seconds));
        if (seconds >= device->run_seconds / 8 || *launches >= LAUNCHES) {
            return RV_OK;
        }
        *launches = *launches * 8 < LAUNCHES ? *launches * 8 : LAUNCHES;
    }
}

static rv_status run_launches(rv_device *device, rv_kernel *kernel, const rv_buffer *y,
                              const rv_events *events, double *seconds)
{
    const double start = rv_clock();
    int launches;
    *seconds = 0;
    RV_TRY(calibrate_launches(device, kernel, y, &launches));
    for (int i = 0; i < RUNS && (i == 0 || rv_clock() - start < MOST_SECONDS); i++) {
        double took;
        RV_TRY(rv_check_cancelled(events));
        RV_TRY(time_launches(device, kernel, y, launches, &took));
        *seconds = i == 0 || took < *seconds ? took : *seconds;
    }
    *seconds /= launches;
    return RV_OK;
}

rv_status rv_device_measure_launch(rv_device *device, const rv_events *events, double *microseconds)
{
    *microseconds = 0;
    rv_kernel *kernel;
    rv_buffer *y;
    double seconds;
    RV_TRY(get_kernel(&kernel, device, "peak_launch"));
    RV_TRY(rv_buffer_create(&y, device, sizeof(float)));
    const rv_status status = run_launches(device, kernel, y, events, &seconds);
    rv_buffer_destroy(y);
    *microseconds = 1e6 * seconds;
    return status;
}
