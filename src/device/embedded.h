/* The OpenCL C sources of cl/ inside the library; the table is made by cmake/embed_kernels.cmake. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_DEVICE_EMBEDDED_H
#define RV_DEVICE_EMBEDDED_H

#include <stddef.h>

typedef struct rv_embedded_file {
    const char *name;          /**< path below cl/, for example "common.clh" */
    const unsigned char *data; /**< `size` bytes, followed by a zero byte */
    size_t size;
} rv_embedded_file;

extern const rv_embedded_file rv_embedded_files[];
extern const size_t rv_embedded_files_count;

#endif
