/* Grids, typed kernel launches, and the bound on work that is queued ahead. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/system.h"
#include "device/internal.h"

#include <math.h>

/* --- the queue: little work ahead ------------------------------------------------------- */

/* Commands go out in batches; the last of a batch has an event, and the host waits for the event of the batch
 * before. A batch grows while it takes little time and shrinks when it takes long, so two of them together are
 * about a quarter of a second of work, but enough to keep the device busy. */
enum { LARGEST_BATCH = 32, FLUSH_EVERY = 8 };
#define SHORT_BATCH 0.05
#define LONG_BATCH  0.15

bool rv_queue_wants_event(const rv_device *device)
{
    return device->profile != NULL || device->batched + 1 >= device->batch;
}

void rv_queue_drained(rv_device *device)
{
    if (device->mark != NULL) {
        clReleaseEvent(device->mark);
        device->mark = NULL;
    }
    device->batched = 0;
    device->unflushed = 0;
    device->mark_time = rv_clock();
}

static rv_status wait_for(cl_event event)
{
    const cl_int code = clWaitForEvents(1, &event);
    if (code == CL_SUCCESS) {
        return RV_OK;
    }
    cl_int result = code;
    (void)clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof result, &result, NULL);
    return rv_opencl_fail(result < 0 ? result : code, "work on the device failed");
}

rv_status rv_queue_count(rv_device *device, cl_event event)
{
    const bool first = device->mark == NULL && device->batched == 0;
    device->batched++;
    device->unflushed++;
    const bool full = device->batched >= device->batch && event != NULL;
    if (first || full || device->unflushed >= FLUSH_EVERY) {
        (void)clFlush(
            device->queue); /* so that the device starts; an error comes back at the wait */
        device->unflushed = 0;
    }
    if (!full) {
        if (event != NULL) {
            clReleaseEvent(event);
        }
        return RV_OK;
    }
    rv_status status = RV_OK;
    if (device->mark != NULL) {
        status = wait_for(device->mark);
        clReleaseEvent(device->mark);
    }
    device->mark = event;
    device->batched = 0;
    const double now = rv_clock(), took = now - device->mark_time;
    device->mark_time = now;
    if (took > LONG_BATCH && device->batch > 1) {
        device->batch /= 2;
    } else if (took < SHORT_BATCH && device->batch < LARGEST_BATCH) {
        device->batch *= 2;
    }
    return status;
}

rv_status rv_device_finish(rv_device *device)
{
    const cl_int code = clFinish(device->queue);
    rv_queue_drained(device);
    return code == CL_SUCCESS ? RV_OK : rv_opencl_fail(code, "clFinish");
}

/* --- grids ------------------------------------------------------------------------------------------------- */

/* One local size for each class of device: PoCL compiles a kernel anew for every other. */
enum { ITEMS_LOCAL = 64, ITEMS_LOCAL_GPU = 128, ITEMS_ROW = 4096, LARGEST_SIZE = 65535 };

rv_grid rv_grid_items(const rv_device *device, size_t n)
{
    size_t local = device->info.form == RV_FORM_GPU ? ITEMS_LOCAL_GPU : ITEMS_LOCAL;
    while (local > device->max_group && local > 1) {
        local /= 2;
    }
    size_t row = ITEMS_ROW;
    if ((n + row - 1) / row > LARGEST_SIZE) {
        row = LARGEST_SIZE / local * local;
    }
    if (n < row) {
        row = n == 0 ? local : (n + local - 1) / local * local;
    }
    const size_t rows = n == 0 ? 1 : (n + row - 1) / row;
    return (rv_grid){.global = {row, rows, 1}, .local = {local, 1, 1}};
}

rv_grid rv_grid_groups(size_t gx, size_t gy, size_t gz, size_t lx, size_t ly, size_t lz)
{
    return (rv_grid){.global = {gx * lx, gy * ly, gz * lz}, .local = {lx, ly, lz}};
}

rv_grid rv_grid_cut(rv_grid grid, int along, double flops)
{
    grid.along = along;
    grid.flops = flops;
    return grid;
}

/* --- launches ---------------------------------------------------------------------------------------------- */

static const char *kind_name(const rv_arg *arg)
{
    return arg->kind == RV_ARG_KIND_BUFFER  ? "a buffer"
           : arg->kind == RV_ARG_KIND_LOCAL ? "local memory"
                                            : "a value";
}

static rv_status set_arg(const rv_kernel *kernel, cl_uint index, const rv_arg *arg)
{
    cl_int code;
    if (arg->kind == RV_ARG_KIND_BUFFER) {
        const rv_buffer *buffer = arg->value.buffer;
        code = clSetKernelArg(kernel->kernel, index, sizeof(cl_mem),
                              buffer != NULL ? &buffer->mem : NULL);
    } else {
        code = clSetKernelArg(kernel->kernel, index, arg->bytes,
                              arg->kind == RV_ARG_KIND_LOCAL ? NULL : &arg->value);
    }
    if (code != CL_SUCCESS) {
        return rv_opencl_fail(code, "kernel '%s', argument %u (%s of %zu bytes)", kernel->name,
                              (unsigned)index, kind_name(arg),
                              arg->kind == RV_ARG_KIND_BUFFER ? sizeof(cl_mem) : arg->bytes);
    }
    return RV_OK;
}

static rv_status fail_launch(const rv_device *device, const rv_kernel *kernel, rv_grid grid,
                             cl_int code)
{
    const size_t items = grid.local[0] * grid.local[1] * grid.local[2];
    size_t largest = 0;
    if (clGetKernelWorkGroupInfo(kernel->kernel, device->id, CL_KERNEL_WORK_GROUP_SIZE,
                                 sizeof largest, &largest, NULL) == CL_SUCCESS &&
        items > largest) {
        return rv_fail(RV_ERR_DEVICE,
                       "kernel '%s': a work-group of %zu items is beyond the %zu that %s can run "
                       "of it (%s)",
                       kernel->name, items, largest, device->info.name, rv_opencl_name(code));
    }
    return rv_opencl_fail(code, "launch of kernel '%s' over %zux%zux%zu in groups of %zux%zux%zu",
                          kernel->name, grid.global[0], grid.global[1], grid.global[2],
                          grid.local[0], grid.local[1], grid.local[2]);
}

static rv_status check_grid(const rv_kernel *kernel, const rv_grid *grid)
{
    for (int i = 0; i < 3; i++) {
        if (grid->local[i] == 0 || grid->global[i] == 0 || grid->global[i] % grid->local[i] != 0) {
            return rv_fail(RV_ERR_INTERNAL,
                           "kernel '%s': global size %zu of dimension %d is no positive multiple "
                           "of the local size %zu",
                           kernel->name, grid->global[i], i, grid->local[i]);
        }
    }
    return RV_OK;
}

/* Enqueues a grid, or a part of it, whose arguments are set. */
static rv_status enqueue(rv_device *device, rv_kernel *kernel, const rv_grid *grid)
{
    cl_event event = NULL;
    const cl_int code =
        clEnqueueNDRangeKernel(device->queue, kernel->kernel, 3, NULL, grid->global, grid->local, 0,
                               NULL, rv_queue_wants_event(device) ? &event : NULL);
    if (code != CL_SUCCESS) {
        return fail_launch(device, kernel, *grid, code);
    }
    if (device->profile != NULL) {
        const rv_status status = rv_profile_add(device, kernel, event);
        if (status != RV_OK) {
            clReleaseEvent(event);
            return status;
        }
    }
    return rv_queue_count(device, event);
}

/* Runs as many groups at a time as the device may be given at once. */
static rv_status enqueue_parts(rv_device *device, rv_kernel *kernel, rv_grid grid, cl_uint first_at)
{
    const int d = grid.along;
    const size_t groups = grid.global[d] / grid.local[d];
    const double parts = fmax(1, ceil(grid.flops / device->launch_flops));
    const size_t each = parts < (double)groups ? (groups + (size_t)parts - 1) / (size_t)parts : 1;
    for (size_t first = 0; first < groups; first += each) {
        const size_t n = each < groups - first ? each : groups - first;
        const rv_arg start = rv_arg_int((int32_t)first);
        rv_grid part = grid;
        part.global[d] = n * grid.local[d];
        RV_TRY(set_arg(kernel, first_at, &start));
        RV_TRY(enqueue(device, kernel, &part));
    }
    return RV_OK;
}

rv_status rv_launch(rv_device *device, rv_kernel *kernel, rv_grid grid, const rv_arg *args,
                    size_t n_args)
{
    size_t first_at = n_args;
    if (n_args != kernel->n_args) {
        return rv_fail(RV_ERR_INTERNAL, "kernel '%s' takes %u arguments, not %zu", kernel->name,
                       (unsigned)kernel->n_args, n_args);
    }
    RV_TRY(check_grid(kernel, &grid));
    if (device->rehearses) {
        return RV_OK;
    }
    for (size_t i = 0; i < n_args; i++) {
        RV_TRY(set_arg(kernel, (cl_uint)i, &args[i]));
        first_at = args[i].kind == RV_ARG_KIND_FIRST ? i : first_at;
    }
    return first_at < n_args ? enqueue_parts(device, kernel, grid, (cl_uint)first_at)
                             : enqueue(device, kernel, &grid);
}
