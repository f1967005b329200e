/* OpenCL devices: listing, choosing, testing, opening. */
/* SPDX-License-Identifier: MIT */
#ifndef REVERIE_DEVICE_H
#define REVERIE_DEVICE_H

#include <reverie/events.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An open device with its queue, memory and compiled kernels. One thread at a time may use it. */
typedef struct rv_device rv_device;

typedef enum rv_device_type { RV_DEVICE_CPU, RV_DEVICE_GPU, RV_DEVICE_ACCELERATOR } rv_device_type;

/** Which of the two forms of the heavy kernels a device runs. */
typedef enum rv_form { RV_FORM_AUTO, RV_FORM_CPU, RV_FORM_GPU } rv_form;

/** Winograd's algorithms for convolutions with windows of 3x3: F(4x4,3x3) saves most, F(2x2,3x3) is as accurate as
 *  direct sums. */
typedef enum rv_winograd {
    RV_WINOGRAD_AUTO, /**< the fastest by shape; in training not F(4x4,3x3) */
    RV_WINOGRAD_F2,   /**< F(2x2,3x3) or direct */
    RV_WINOGRAD_F4,   /**< F(4x4,3x3) or direct, in training too */
    RV_WINOGRAD_OFF
} rv_winograd;

typedef enum rv_self_test {
    RV_SELF_TEST_UNKNOWN,
    RV_SELF_TEST_PASSED,
    RV_SELF_TEST_FAILED
} rv_self_test;

typedef struct rv_device_info {
    int index; /**< over all platforms, in the order the loader lists them */
    char name[256];
    char platform[128];
    char driver[128];
    rv_device_type type;
    int compute_units;
    uint64_t global_bytes;
    uint64_t max_alloc_bytes;
    int block;    /**< channels side by side in the blocked layout: 4, 8 or 16 */
    rv_form form; /**< RV_FORM_CPU or RV_FORM_GPU */
    rv_self_test self_test;
    char self_test_message[256]; /**< why it failed, else empty */
} rv_device_info;

typedef struct rv_device_options {
    size_t struct_size;
    const char *
        spec; /**< index, "cpu", "gpu", or part of a name (case does not matter); NULL: the variable
                           REVERIE_DEVICE, else the first that passes its self-test, unless another is 1.5
                           times faster by a short cached measurement */
    int threads;  /**< CPU devices that can be partitioned: cores to use; 0: all */
    rv_form form; /**< force the form of the heavy kernels; default RV_FORM_AUTO: by type */
    int block;    /**< force 4, 8 or 16; default 0: by device */
    const char *
        self_test_program; /**< a program that runs `PROGRAM --self-test INDEX` in a child process, exit
                                        code 0 for passed; NULL: the test runs in this process */
    const rv_events *events;
    rv_winograd winograd; /**< which of them may be used; default RV_WINOGRAD_AUTO */
    uint64_t
        memory; /**< bytes that the whole process may take, on devices with memory of their own what
                          buffers take there; 0: as much as there is. Where it is short, work takes longer */
} rv_device_options;
#define RV_DEVICE_OPTIONS_INIT                                                               \
    {                                                                                        \
        sizeof(rv_device_options), NULL, 0, RV_FORM_AUTO, 0, NULL, NULL, RV_WINOGRAD_AUTO, 0 \
    }

/** All devices of all platforms. *out is freed with free(). None at all is RV_OK with *n = 0.
 *  @param options  NULL, or whose self_test_program is used to fill in self_test where no verdict is cached;
 *                  with NULL, self_test is the cached verdict or unknown. */
RV_API RV_NODISCARD rv_status rv_device_list(rv_device_info **out, size_t *n,
                                             const rv_device_options *options);

/** GPUs of this machine for which no OpenCL device is listed, each with the package or group that is missing.
 *  @param[out] out  array of lines, freed with free() (one block). */
RV_API RV_NODISCARD rv_status rv_device_missing(char ***out, size_t *n);

/** Opens a device. RV_ERR_NOT_FOUND: `spec` matches none (the message lists what there is) or there is no
 *  device at all (the message says what to install); RV_ERR_DEVICE: the device fails. */
RV_API RV_NODISCARD rv_status rv_device_open(rv_device **out, const rv_device_options *options);
RV_API void rv_device_close(rv_device *device);
RV_API const rv_device_info *rv_device_get_info(const rv_device *device); /**< borrowed */

/** Runs small known problems on device `index` in this process and compares with known numbers. */
RV_API RV_NODISCARD rv_status rv_device_self_test(int index);

#ifdef __cplusplus
}
#endif
#endif
