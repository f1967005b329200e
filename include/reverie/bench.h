/* Measurements: what the device can do at most, and how near Reverie comes. */
/* SPDX-License-Identifier: MIT */
#ifndef REVERIE_BENCH_H
#define REVERIE_BENCH_H

#include <reverie/device.h>
#include <reverie/model.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Limits of a device. */
typedef struct rv_bench_peak_result {
    double fma_gflops; /**< floatB multiply-adds, 12 or more independent accumulators, all cores; best
                            of five runs of 0.2 s */
    double copy_gbps;  /**< bytes read plus bytes written, in a buffer beyond any cache */
    double launch_us;  /**< of an empty kernel, one of many in a row */
} rv_bench_peak_result;

RV_API RV_NODISCARD rv_status rv_bench_peak(rv_device *device, rv_bench_peak_result *out);

/** One measured case. */
typedef struct rv_bench_row {
    char name[96];      /**< "vgg conv3_2" */
    char pass[24];      /**< "forward", "backward_data", "backward_weights" */
    char algorithm[32];
    double ms;            /**< median */
    double gflops;        /**< counted as direct computation */
    double ratio_to_peak; /**< to fma_gflops of the same call */
    double max_error;     /**< largest deviation from double precision over max |value| */
} rv_bench_row;

/** Convolutions of VGG at 512 px, forward and backward, and matrix products.
 *  @param[out] out   n rows, freed with free().
 *  @param[out] peak  measured in the same call. */
RV_API RV_NODISCARD rv_status rv_bench_conv(rv_device *device, rv_bench_row **out, size_t *n,
                                            rv_bench_peak_result *peak);
RV_API RV_NODISCARD rv_status rv_bench_gemm(rv_device *device, rv_bench_row **out, size_t *n,
                                            rv_bench_peak_result *peak);

/** One iteration of style transfer: square picture, one scale, Adam, Gram losses at relu1_1, 2_1,
 *  3_1, 4_1, 5_1, content at relu4_2, no total variation; other networks at their own layers. */
typedef struct rv_bench_stylize_result {
    double seconds_per_iteration; /**< median after the first */
    double effective_gflops;      /**< counted as direct computation */
    double ratio_to_peak;
    uint64_t rss_bytes;    /**< largest resident set of the process so far */
    uint64_t device_bytes; /**< largest sum of device buffers so far */
    double first_iteration_seconds; /**< from the call to the end of the first iteration */
    rv_bench_peak_result peak;
} rv_bench_stylize_result;

RV_API RV_NODISCARD rv_status rv_bench_stylize(rv_device *device, rv_bench_stylize_result *out,
                                               const rv_model *model, int size, int iterations,
                                               const rv_events *events);

/** A forward pass over a batch at the model's own size. */
typedef struct rv_bench_infer_result {
    double seconds_per_batch; /**< median */
    double ratio_to_peak;
    rv_bench_peak_result peak;
} rv_bench_infer_result;

RV_API RV_NODISCARD rv_status rv_bench_infer(rv_device *device, rv_bench_infer_result *out,
                                             const rv_model *model, int batch);

#ifdef __cplusplus
}
#endif
#endif
