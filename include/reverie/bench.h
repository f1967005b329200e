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
    /** floatB multiply-adds, 12 or more independent accumulators, all cores; best of five runs of 0.2 s */
    double fma_gflops;
    double copy_gbps; /**< bytes read plus bytes written, in a buffer beyond any cache */
    double launch_us; /**< of an empty kernel, one of many in a row */
} rv_bench_peak_result;

/** @param events  here and below: may be NULL; progress names what is measured, and cancelled() is asked between
 *                 runs.
 *  @return here and below RV_ERR_CANCELLED: a callback asked to stop, there is no result. */
RV_API RV_NODISCARD rv_status rv_bench_peak(rv_device *device, rv_bench_peak_result *out,
                                            const rv_events *events);

/** One measured case: after a first run, which compiles, as many as begin within 0.3 s, at most 15, so that a pass
 *  of 20 ms stands for 15 runs and one of 0.3 s or more for a single one. */
typedef struct rv_bench_row {
    char name[96];      /**< "vgg conv3_2" */
    char pass[24];      /**< "forward", "backward_data", "backward_weights" */
    char algorithm[32]; /**< of several the one that ran, else the kernel that takes longest */
    double ms;          /**< median of the runs */
    double gflops;      /**< counted as direct computation; 0 for what memory bounds */
    double
        gbps; /**< of bytes that have to move, each tensor once; 0 for what is not bound by memory */
    double ratio_to_peak; /**< to fma_gflops of the same call, or of gbps to its copy_gbps */
    double
        max_error; /**< largest deviation from double precision over max |value|; 0: not measured */
} rv_bench_row;

/** Convolutions of VGG at 512 px and, in batches of 8, of GoogLeNet and ResNet-50 at 224 px, forward and backward;
 *  and matrix products.
 *  @param[out] out   n rows, freed with free().
 *  @param[out] peak  measured in the same call.
 *  @param filter  here and below: NULL, or only the rows whose name and pass, as in "vgg conv3_2 backward_data", contain
 *                 it are measured; small and capital letters are the same, '*' stands for anything between.
 *  @return here and below RV_ERR_USAGE: no row does; the message lists the names. */
RV_API RV_NODISCARD rv_status rv_bench_conv(rv_device *device, rv_bench_row **out, size_t *n,
                                            rv_bench_peak_result *peak, const char *filter,
                                            const rv_events *events);
RV_API RV_NODISCARD rv_status rv_bench_gemm(rv_device *device, rv_bench_row **out, size_t *n,
                                            rv_bench_peak_result *peak, const char *filter,
                                            const rv_events *events);

/** Deviation of one algorithm from double precision, over the largest value. */
typedef struct rv_bench_error_row {
    char name[96]; /**< "vgg conv3_2" */
    char pass[24]; /**< "forward" or "backward_data" */
    char algorithm[32];
    double max_error, rms_error; /**< of 2048 values */
    double max_ratio, rms_ratio; /**< to those of direct sums */
} rv_bench_error_row;

/** Every algorithm of the convolutions of VGG at 512 px, with values uniform in [-1, 1).
 *  @param[out] out  n rows, freed with free(). */
RV_API RV_NODISCARD rv_status rv_bench_error(rv_device *device, rv_bench_error_row **out, size_t *n,
                                             const char *filter, const rv_events *events);

/** What is bound by memory: elementwise operations, pooling, normalisation, losses at the sizes of networks, each
 *  forward and backward, and steps of optimisers. Rows have gbps, and ratio_to_peak is its ratio to copy_gbps.
 *  Batch statistics, which are known only when all has been read, count their inputs twice; L-BFGS counts its
 *  history twice, and with each of these vectors the direction, read and written. As for the others, but runs go on for
 *  0.12 s, 5 to 25 of them. */
RV_API RV_NODISCARD rv_status rv_bench_elementwise(rv_device *device, rv_bench_row **out, size_t *n,
                                                   rv_bench_peak_result *peak, const char *filter,
                                                   const rv_events *events);

/** One iteration of style transfer: square picture, one scale, Adam, Gram losses at relu1_1, 2_1,
 *  3_1, 4_1, 5_1, content at relu4_2, no total variation; other networks at their own layers. */
typedef struct rv_bench_stylize_result {
    double seconds_per_iteration; /**< median after the first */
    double effective_gflops;      /**< counted as direct computation */
    double ratio_to_peak;
    uint64_t rss_bytes;             /**< largest resident set of the process so far */
    uint64_t device_bytes;          /**< largest sum of device buffers so far */
    double first_iteration_seconds; /**< from the call to the end of the first iteration */
    rv_bench_peak_result peak;
} rv_bench_stylize_result;

RV_API RV_NODISCARD rv_status rv_bench_stylize(rv_device *device, rv_bench_stylize_result *out,
                                               const rv_model *model, int size, int iterations,
                                               const rv_events *events);

/** What one kernel takes of an iteration; the device waits for nothing else meanwhile, but a profile itself takes time. */
typedef struct rv_bench_kernel {
    char name[96];
    double launches; /**< of an iteration */
    double ms;       /**< all of them together */
    double share;    /**< of what all kernels take */
} rv_bench_kernel;

/** Where the time of the same iterations goes, the first not counted.
 *  @param[out] out  n kernels, the longest first; freed with free(). */
RV_API RV_NODISCARD rv_status rv_bench_stylize_profile(rv_device *device, rv_bench_kernel **out,
                                                       size_t *n, const rv_model *model, int size,
                                                       int iterations, const rv_events *events);

/** A forward pass over a batch at the model's own size. */
typedef struct rv_bench_infer_result {
    double seconds_per_batch; /**< median of 3 runs or more, up to 50 within 0.5 s, after a first */
    double ratio_to_peak;
    rv_bench_peak_result peak;
} rv_bench_infer_result;

RV_API RV_NODISCARD rv_status rv_bench_infer(rv_device *device, rv_bench_infer_result *out,
                                             const rv_model *model, int batch,
                                             const rv_events *events);

/** A step of training over a batch that lies on the device: forward, backward to all weights, and an update by
 *  momentum with weight decay. */
typedef struct rv_bench_train_result {
    double images_per_second; /**< batch over the median of the steps after the first */
    double seconds_per_step;
    double
        ratio_to_peak; /**< forward, gradient of data and gradient of weights counted as direct computation */
    uint64_t rss_bytes;    /**< largest resident set of the process so far */
    uint64_t device_bytes; /**< largest sum of device buffers so far */
    rv_bench_peak_result peak;
} rv_bench_train_result;

RV_API RV_NODISCARD rv_status rv_bench_train(rv_device *device, rv_bench_train_result *out,
                                             const rv_model *model, int batch,
                                             const rv_events *events);

/** Augmented copies, one of each picture of a folder, files to files; and what reading the same sources and writing the
 *  same results takes alone, on all processors. Files are written below TMPDIR and removed. */
typedef struct rv_bench_augment_result {
    uint64_t images;
    double images_per_second;
    double codec_images_per_second;
} rv_bench_augment_result;

/** @param recipe  as in rv_augment_options. */
RV_API RV_NODISCARD rv_status rv_bench_augment(rv_device *device, rv_bench_augment_result *out,
                                               const char *source, const char *recipe,
                                               const rv_events *events);

#ifdef __cplusplus
}
#endif
#endif
