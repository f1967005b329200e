/* Opens and closes a device, whole or limited to some of its cores. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "device/internal.h"

#include <stdlib.h>
#include <string.h>

enum { SMALLEST_ALIGNMENT = 512, GPU_BLOCK = 4 };
#define RUN_SECONDS  0.2
#define BINARY_BYTES (UINT64_C(256) << 20)

/* Whether a device says that it can be partitioned in this way. To be asked first: some drivers crash when they are
 * told to do what they do not offer. */
static bool offers(cl_device_id id, cl_device_partition_property way)
{
    cl_device_partition_property ways[16] = {0};
    size_t bytes = 0;
    if (clGetDeviceInfo(id, CL_DEVICE_PARTITION_PROPERTIES, sizeof ways, ways, &bytes) !=
        CL_SUCCESS) {
        return false;
    }
    for (size_t i = 0; i < bytes / sizeof ways[0]; i++) {
        if (ways[i] == way) {
            return true;
        }
    }
    return false;
}

/* Takes the first of the parts that clCreateSubDevices makes; there may be more than one. */
static bool take_part(rv_device *device, const cl_device_partition_property *how)
{
    cl_device_id parts[256];
    cl_uint n = 0;
    if (!offers(device->id, how[0]) ||
        clCreateSubDevices(device->id, how, sizeof parts / sizeof parts[0], parts, &n) !=
            CL_SUCCESS ||
        n == 0) {
        return false;
    }
    for (cl_uint i = 1; i < n; i++) {
        clReleaseDevice(parts[i]);
    }
    device->id = device->part = parts[0];
    return true;
}

/* Limits the device to `threads` of its cores, where it can be; else says so once and goes on. */
static void limit_threads(rv_device *device, int threads)
{
    const cl_device_partition_property by_count[] = {CL_DEVICE_PARTITION_BY_COUNTS, threads,
                                                     CL_DEVICE_PARTITION_BY_COUNTS_LIST_END, 0};
    const cl_device_partition_property equally[] = {CL_DEVICE_PARTITION_EQUALLY, threads, 0};
    if (threads == 0 || threads >= device->info.compute_units) {
        return;
    }
    if (device->info.type == RV_DEVICE_CPU &&
        (take_part(device, by_count) || take_part(device, equally))) {
        device->info.compute_units = threads;
        return;
    }
    rv_log(rv_device_events(device), RV_LOG_WARNING,
           "%s cannot be limited to %d threads; it runs on all of its %d cores", device->info.name,
           threads, device->info.compute_units);
}

static size_t size_of(cl_device_id id, cl_device_info what)
{
    size_t value = 0;
    return clGetDeviceInfo(id, what, sizeof value, &value, NULL) == CL_SUCCESS ? value : 0;
}

static void query(rv_device *device)
{
    cl_uint bits = 0;
    (void)clGetDeviceInfo(device->id, CL_DEVICE_MEM_BASE_ADDR_ALIGN, sizeof bits, &bits, NULL);
    device->alignment = bits / 8 > SMALLEST_ALIGNMENT ? bits / 8 : SMALLEST_ALIGNMENT;
    device->view_step = bits >= 8 ? bits / 8 : device->alignment;
    device->max_group = size_of(device->id, CL_DEVICE_MAX_WORK_GROUP_SIZE);
}

static rv_status create_queue(rv_device *device)
{
    cl_int code;
    device->context = clCreateContext(NULL, 1, &device->id, NULL, NULL, &code);
    if (code != CL_SUCCESS) {
        return rv_opencl_fail(code, "clCreateContext on %s", device->info.name);
    }
    device->queue = clCreateCommandQueue(device->context, device->id, 0, &code);
    return code == CL_SUCCESS
               ? RV_OK
               : rv_opencl_fail(code, "clCreateCommandQueue on %s", device->info.name);
}

/* Direct sums run at 20 GFLOPS a core and more where B is 16, at half of that where it is 8: a launch of so many
 * operations takes 0.1 s or so on a machine that is busy with other things as well. A GPU has hundreds of GFLOPS. */
static double choose_launch_flops(const rv_device_info *info)
{
    return info->form == RV_FORM_GPU && info->type != RV_DEVICE_CPU
               ? 4e10
               : 4e8 * info->block * info->compute_units;
}

rv_status rv_device_open_found(rv_device **out, const rv_found *found,
                               const rv_device_options *options)
{
    *out = NULL;
    rv_found shaped = *found;
    rv_found_shape(&shaped, options->form, options->block);
    if (shaped.info.form == RV_FORM_GPU && shaped.info.block != GPU_BLOCK) {
        return rv_fail(RV_ERR_USAGE,
                       "%s: blocks of %d channels go with the CPU form; the GPU form has %d",
                       shaped.info.name, shaped.info.block, GPU_BLOCK);
    }
    rv_device *device;
    RV_TRY(rv_alloc(&device, 1, sizeof *device, "device"));
    device->id = found->id;
    device->info = shaped.info;
    device->winograd = options->winograd;
    memcpy(device->identity, found->identity, sizeof device->identity);
    if (options->events != NULL) {
        device->events = *options->events;
        device->has_events = true;
    }
    device->keeps_binaries = strcmp(device->info.platform, "Portable Computing Language") != 0;
    device->binary_bytes = BINARY_BYTES;
    device->batch = 1;
    device->memory = options->memory;
    limit_threads(device, options->threads);
    query(device);
    device->launch_flops = choose_launch_flops(&device->info);
    device->run_seconds = RUN_SECONDS;
    device->sums = rv_registers_sums(found->id, found->vendor, &found->info);
    const rv_status status = create_queue(device);
    if (status != RV_OK) {
        rv_device_close(device);
        return status;
    }
    *out = device;
    return RV_OK;
}

rv_status rv_device_open(rv_device **out, const rv_device_options *options)
{
    *out = NULL;
    rv_device_options o;
    RV_TRY(rv_device_read_options(&o, options));
    rv_found *all;
    size_t n, chosen;
    RV_TRY(rv_found_list(&all, &n));
    rv_status status = rv_choose(&chosen, all, n, &o);
    if (status == RV_OK) {
        status = rv_device_open_found(out, &all[chosen], &o);
    }
    free(all);
    return status;
}

void rv_device_close(rv_device *device)
{
    if (device == NULL) {
        return;
    }
    if (device->queue != NULL) {
        (void)clFinish(device->queue);
    }
    rv_profile_release(device);
    rv_queue_drained(device);
    rv_programs_release(device);
    rv_blas_release(device);
    rv_tuning_release(device);
    if (device->queue != NULL) {
        clReleaseCommandQueue(device->queue);
    }
    if (device->context != NULL) {
        clReleaseContext(device->context);
    }
    if (device->part != NULL) {
        clReleaseDevice(device->part);
    }
    free(device);
}

const rv_device_info *rv_device_get_info(const rv_device *device)
{
    return &device->info;
}

int rv_device_block(const rv_device *device)
{
    return device->info.block;
}

bool rv_device_gpu_form(const rv_device *device)
{
    return device->info.form == RV_FORM_GPU;
}

int rv_device_sums(const rv_device *device)
{
    return device->sums;
}

rv_winograd rv_device_winograd(const rv_device *device)
{
    return device->winograd;
}

void rv_device_cut_launches(rv_device *device, double flops)
{
    device->launch_flops = flops;
}

void rv_device_set_run_seconds(rv_device *device, double seconds)
{
    device->run_seconds = seconds;
}

size_t rv_device_max_alloc(const rv_device *device)
{
    return (size_t)device->info.max_alloc_bytes;
}

size_t rv_device_view_step(const rv_device *device)
{
    return device->view_step;
}

size_t rv_device_alignment(const rv_device *device)
{
    return device->alignment;
}

const rv_events *rv_device_events(const rv_device *device)
{
    return device->has_events ? &device->events : NULL;
}
