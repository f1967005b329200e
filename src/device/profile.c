/* Time on the device by kernel, from the events of a queue that keeps times. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "device/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PENDING = 256 };

struct rv_profile {
    cl_command_queue plain; /* the device's queue, to which it returns */
    rv_profile_row *rows;
    size_t n_rows, rows_capacity;
    struct {
        cl_event event;
        char name[sizeof((rv_kernel *)0)->name];
    } pending[PENDING];
    size_t n_pending;
};

rv_status rv_profile_start(rv_device *device)
{
    if (device->profile != NULL) {
        return rv_fail(RV_ERR_USAGE, "a profile is running already");
    }
    RV_TRY(rv_device_finish(device));
    rv_profile *profile;
    RV_TRY(rv_alloc(&profile, 1, sizeof *profile, "profile"));
    cl_int code;
    cl_command_queue queue =
        clCreateCommandQueue(device->context, device->id, CL_QUEUE_PROFILING_ENABLE, &code);
    if (code != CL_SUCCESS) {
        free(profile);
        return rv_opencl_fail(code, "clCreateCommandQueue with profiling on %s", device->info.name);
    }
    profile->plain = device->queue;
    device->queue = queue;
    device->profile = profile;
    return RV_OK;
}

static rv_status find_row(rv_profile_row **out, rv_profile *profile, const char *name)
{
    for (size_t i = 0; i < profile->n_rows; i++) {
        if (strcmp(profile->rows[i].name, name) == 0) {
            *out = &profile->rows[i];
            return RV_OK;
        }
    }
    RV_TRY(rv_grow(&profile->rows, &profile->rows_capacity, profile->n_rows + 1,
                   sizeof *profile->rows, "profile"));
    *out = &profile->rows[profile->n_rows++];
    snprintf((*out)->name, sizeof(*out)->name, "%s", name);
    return RV_OK;
}

/* Waits for the pending launches and adds their times to the rows. */
static rv_status collect(rv_device *device)
{
    rv_profile *profile = device->profile;
    rv_status status = rv_device_finish(device);
    for (size_t i = 0; i < profile->n_pending; i++) {
        cl_event event = profile->pending[i].event;
        cl_ulong start = 0, end = 0;
        rv_profile_row *row;
        cl_int code =
            clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof start, &start, NULL);
        if (code == CL_SUCCESS) {
            code = clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL);
        }
        clReleaseEvent(event);
        if (status == RV_OK && code != CL_SUCCESS) {
            status = rv_opencl_fail(code, "time of kernel '%s'", profile->pending[i].name);
        }
        if (status == RV_OK) {
            status = find_row(&row, profile, profile->pending[i].name);
        }
        if (status == RV_OK) {
            row->launches++;
            row->seconds += end > start ? 1e-9 * (double)(end - start) : 0;
        }
    }
    profile->n_pending = 0;
    return status;
}

rv_status rv_profile_add(rv_device *device, const rv_kernel *kernel, cl_event event)
{
    rv_profile *profile = device->profile;
    if (profile->n_pending == PENDING) {
        RV_TRY(collect(device));
    }
    clRetainEvent(event);
    profile->pending[profile->n_pending].event = event;
    memcpy(profile->pending[profile->n_pending].name, kernel->name, sizeof kernel->name);
    profile->n_pending++;
    return RV_OK;
}

void rv_profile_release(rv_device *device)
{
    rv_profile *profile = device->profile;
    if (profile == NULL) {
        return;
    }
    for (size_t i = 0; i < profile->n_pending; i++) {
        clReleaseEvent(profile->pending[i].event);
    }
    clReleaseCommandQueue(device->queue);
    device->queue = profile->plain;
    device->profile = NULL;
    free(profile->rows);
    free(profile);
}

static int slowest_first(const void *a, const void *b)
{
    const rv_profile_row *x = a, *y = b;
    return x->seconds != y->seconds ? (x->seconds < y->seconds) - (x->seconds > y->seconds)
                                    : strcmp(x->name, y->name);
}

rv_status rv_profile_stop(rv_device *device, rv_profile_row **out, size_t *n)
{
    *out = NULL;
    *n = 0;
    if (device->profile == NULL) {
        return rv_fail(RV_ERR_USAGE, "no profile is running");
    }
    const rv_status status = collect(device);
    if (status == RV_OK) {
        *out = device->profile->rows;
        *n = device->profile->n_rows;
        device->profile->rows = NULL;
        if (*n > 1) {
            qsort(*out, *n, sizeof **out, slowest_first);
        }
    }
    rv_profile_release(device);
    return status;
}
