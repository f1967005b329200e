/* What every fallible call returns, and where its message is. */
/* SPDX-License-Identifier: MIT */
#ifndef REVERIE_STATUS_H
#define REVERIE_STATUS_H

#if defined(__GNUC__) || defined(__clang__)
#define RV_API                 __attribute__((visibility("default")))
#define RV_NODISCARD           __attribute__((warn_unused_result))
#define RV_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define RV_API
#define RV_NODISCARD
#define RV_PRINTF(text, first)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** Result of a call. A value exists only where some caller acts on it. */
typedef enum rv_status {
    RV_OK = 0,
    RV_ERR_USAGE,     /**< an argument or option is out of range or contradicts another */
    RV_ERR_NOT_FOUND, /**< a file, device, layer or model of that name is not there */
    RV_ERR_IO,        /**< reading or writing failed: permissions, disk full, a folder in the way */
    RV_ERR_FORMAT,    /**< the content of a file is damaged or not what it says it is */
    RV_ERR_UNSUPPORTED,   /**< well formed, but outside what Reverie does */
    RV_ERR_SHAPE,         /**< tensor shapes do not fit each other */
    RV_ERR_MEMORY,        /**< host memory, or a limit on it */
    RV_ERR_DEVICE_MEMORY, /**< device memory; a smaller size or plan may work */
    RV_ERR_DEVICE,        /**< no usable device, or an OpenCL call failed */
    RV_ERR_CANCELLED,     /**< a callback asked to stop */
    RV_ERR_INTERNAL       /**< a fault of Reverie itself */
} rv_status;

/** Message of the last failure in this thread: what, where, what to do; one line.
 *  Borrowed; valid until the next failing call in the same thread. Empty before any failure. */
RV_API const char *rv_error_message(void);

/** Name of a status as in this header without the prefix, for example "NOT_FOUND". */
RV_API const char *rv_status_name(rv_status status);

#ifdef __cplusplus
}
#endif
#endif
