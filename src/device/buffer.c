/* Device memory: buffers, parts of them, copies with checked bounds. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "base/system.h"
#include "device/internal.h"

#include <stdlib.h>
#include <time.h>

#define MIB 1048576.0

/* From this size on a buffer has large pages. */
enum { LARGE = 4 << 20 };

/* What the process takes beyond buffers from then on: kernels loaded, lists of the driver, results. */
#define MARGIN UINT64_C(12000000)

static rv_status fail_too_large(const rv_device *device, size_t bytes, uint64_t limit,
                                const char *of)
{
    return rv_fail(RV_ERR_DEVICE_MEMORY,
                   "a buffer of %.1f MiB is beyond the %.1f MiB %s of %s (%.1f MiB are in use); "
                   "lower --size",
                   (double)bytes / MIB, (double)limit / MIB, of, device->info.name,
                   (double)device->allocated / MIB);
}

/* Some drivers accept what they cannot hold and fail at a later launch, so the device's own figures are asked
 * first. */
static rv_status check_size(const rv_device *device, size_t bytes)
{
    const rv_device_info *info = &device->info;
    if (bytes == 0) {
        return rv_fail(RV_ERR_INTERNAL, "a buffer of 0 bytes");
    }
    if (bytes > info->max_alloc_bytes) {
        return fail_too_large(device, bytes, info->max_alloc_bytes, "that one buffer may have");
    }
    if (device->allocated > info->global_bytes || bytes > info->global_bytes - device->allocated) {
        return fail_too_large(device, bytes, info->global_bytes, "of memory");
    }
    return RV_OK;
}

/* What a CPU's buffers lie in is filled soon: with large pages where it has room for some. Where that does not work it
 * is memory all the same. */
static void prefer_large_pages(rv_device *device, const rv_buffer *buffer)
{
    if (buffer->mem == NULL || device->info.type != RV_DEVICE_CPU || buffer->bytes < LARGE) {
        return;
    }
    cl_int code = CL_SUCCESS;
    void *memory =
        clEnqueueMapBuffer(device->queue, buffer->mem, CL_TRUE, CL_MAP_WRITE_INVALIDATE_REGION, 0,
                           buffer->bytes, 0, NULL, NULL, &code);
    if (memory != NULL) {
        rv_prefer_large_pages(memory, buffer->bytes);
        (void)clEnqueueUnmapMemObject(device->queue, buffer->mem, memory, 0, NULL, NULL);
    }
    rv_queue_drained(device);
}

rv_status rv_buffer_create(rv_buffer **out, rv_device *device, size_t bytes)
{
    *out = NULL;
    RV_TRY(check_size(device, bytes));
    rv_buffer *buffer;
    RV_TRY(rv_alloc(&buffer, 1, sizeof *buffer, "buffer"));
    cl_int code = CL_SUCCESS;
    if (device->rehearses) {
        rv_rehearsal_count(device, (int64_t)bytes);
    } else {
        buffer->mem = clCreateBuffer(device->context, CL_MEM_READ_WRITE, bytes, NULL, &code);
    }
    if (code != CL_SUCCESS) {
        free(buffer);
        return rv_opencl_fail(code, "clCreateBuffer of %.1f MiB on %s", (double)bytes / MIB,
                              device->info.name);
    }
    buffer->bytes = bytes;
    buffer->device = device;
    prefer_large_pages(device, buffer);
    device->allocated += bytes;
    if (device->allocated > device->allocated_peak) {
        device->allocated_peak = device->allocated;
    }
    *out = buffer;
    return RV_OK;
}

/* offset + bytes <= buffer->bytes without overflow */
static rv_status check_range(const rv_buffer *buffer, size_t offset, size_t bytes, const char *call)
{
    if (offset <= buffer->bytes && bytes <= buffer->bytes - offset) {
        return RV_OK;
    }
    return rv_fail(RV_ERR_INTERNAL, "%s: %zu bytes at offset %zu pass the end of a buffer of %zu",
                   call, bytes, offset, buffer->bytes);
}

rv_status rv_buffer_view(rv_buffer **out, rv_buffer *parent, size_t offset, size_t bytes)
{
    *out = NULL;
    if (parent->part) {
        return rv_fail(RV_ERR_INTERNAL, "a view of a view");
    }
    if (offset % parent->device->view_step != 0 || bytes == 0) {
        return rv_fail(RV_ERR_INTERNAL,
                       "a view of %zu bytes at offset %zu: it must not be empty, and must start at "
                       "a multiple of %zu",
                       bytes, offset, parent->device->view_step);
    }
    RV_TRY(check_range(parent, offset, bytes, "view"));
    rv_buffer *view;
    RV_TRY(rv_alloc(&view, 1, sizeof *view, "buffer"));
    const cl_buffer_region region = {offset, bytes};
    cl_int code = CL_SUCCESS;
    if (parent->mem != NULL) {
        view->mem = clCreateSubBuffer(parent->mem, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION,
                                      &region, &code);
    }
    if (code != CL_SUCCESS) {
        free(view);
        return rv_opencl_fail(code, "clCreateSubBuffer of %zu bytes at %zu of %zu", bytes, offset,
                              parent->bytes);
    }
    view->bytes = bytes;
    view->device = parent->device;
    view->part = true;
    *out = view;
    return RV_OK;
}

void rv_buffer_destroy(rv_buffer *buffer)
{
    if (buffer == NULL) {
        return;
    }
    if (buffer->mem != NULL) {
        clReleaseMemObject(buffer->mem);
    } else if (!buffer->part) {
        rv_rehearsal_count(buffer->device, -(int64_t)buffer->bytes);
    }
    if (!buffer->part) {
        buffer->device->allocated -= buffer->bytes;
    }
    free(buffer);
}

uint64_t rv_device_allocated(const rv_device *device)
{
    return device->allocated;
}

uint64_t rv_device_allocated_peak(const rv_device *device)
{
    return device->allocated_peak;
}

uint64_t rv_device_memory(const rv_device *device)
{
    return device->memory;
}

/* Threads of the driver let go of the buffers of finished work a moment after that has ended. */
static uint64_t settled_bytes(void)
{
    enum { TRIES = 50, SAME = 5 };
    uint64_t least = rv_process_bytes();
    for (int i = 0, same = 0; i < TRIES && same < SAME; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        const uint64_t now = rv_process_bytes();
        same = now < least ? 0 : same + 1;
        least = now < least ? now : least;
    }
    return least;
}

uint64_t rv_device_memory_left(const rv_device *device)
{
    const uint64_t all = device->info.global_bytes, allocated = device->allocated;
    const uint64_t there = all > allocated ? all - allocated : 0;
    if (device->memory == 0) {
        return there;
    }
    uint64_t used = allocated;
    if (device->info.type == RV_DEVICE_CPU) {
        rv_release_memory();
        used = settled_bytes() + device->rehearsed + MARGIN;
    }
    const uint64_t left = device->memory > used ? device->memory - used : 0;
    return left < there ? left : there;
}

rv_status rv_buffer_write(rv_device *device, rv_buffer *buffer, size_t offset, const void *data,
                          size_t bytes)
{
    RV_TRY(check_range(buffer, offset, bytes, "write"));
    if (bytes == 0 || device->rehearses) {
        return RV_OK;
    }
    const cl_int code = clEnqueueWriteBuffer(device->queue, buffer->mem, CL_TRUE, offset, bytes,
                                             data, 0, NULL, NULL);
    rv_queue_drained(device);
    return code == CL_SUCCESS ? RV_OK
                              : rv_opencl_fail(code, "clEnqueueWriteBuffer of %zu bytes", bytes);
}

rv_status rv_buffer_read(rv_device *device, const rv_buffer *buffer, size_t offset, void *data,
                         size_t bytes)
{
    RV_TRY(check_range(buffer, offset, bytes, "read"));
    if (device->rehearses) {
        rv_rehearsal_read(data, bytes);
        return RV_OK;
    }
    if (bytes == 0) {
        return RV_OK;
    }
    const cl_int code = clEnqueueReadBuffer(device->queue, buffer->mem, CL_TRUE, offset, bytes,
                                            data, 0, NULL, NULL);
    rv_queue_drained(device);
    return code == CL_SUCCESS ? RV_OK
                              : rv_opencl_fail(code, "clEnqueueReadBuffer of %zu bytes", bytes);
}

rv_status rv_buffer_copy(rv_device *device, rv_buffer *to, size_t to_offset, const rv_buffer *from,
                         size_t from_offset, size_t bytes)
{
    RV_TRY(check_range(to, to_offset, bytes, "copy to"));
    RV_TRY(check_range(from, from_offset, bytes, "copy from"));
    if (bytes == 0 || device->rehearses) {
        return RV_OK;
    }
    cl_event event = NULL;
    const cl_int code =
        clEnqueueCopyBuffer(device->queue, from->mem, to->mem, from_offset, to_offset, bytes, 0,
                            NULL, rv_queue_wants_event(device) ? &event : NULL);
    if (code != CL_SUCCESS) {
        return rv_opencl_fail(code, "clEnqueueCopyBuffer of %zu bytes", bytes);
    }
    return rv_queue_count(device, event);
}

rv_status rv_buffer_fill(rv_device *device, rv_buffer *buffer, size_t offset, size_t bytes,
                         float value)
{
    RV_TRY(check_range(buffer, offset, bytes, "fill"));
    if (offset % sizeof value != 0 || bytes % sizeof value != 0) {
        return rv_fail(RV_ERR_INTERNAL, "fill: %zu bytes at offset %zu are no whole floats", bytes,
                       offset);
    }
    if (bytes == 0 || device->rehearses) {
        return RV_OK;
    }
    cl_event event = NULL;
    const cl_int code =
        clEnqueueFillBuffer(device->queue, buffer->mem, &value, sizeof value, offset, bytes, 0,
                            NULL, rv_queue_wants_event(device) ? &event : NULL);
    if (code != CL_SUCCESS) {
        return rv_opencl_fail(code, "clEnqueueFillBuffer of %zu bytes", bytes);
    }
    return rv_queue_count(device, event);
}
