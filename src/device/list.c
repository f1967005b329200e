/* Lists the devices of all platforms. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "device/internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PLATFORMS = 64, MAX_DEVICES = 64, NO_PLATFORMS = -1001 };

/* Copies what a query gave into `out`, on one line and without the blanks that some drivers put around names. */
static void copy_line(char *out, size_t bytes, char *text)
{
    char *start = text;
    while (isspace((unsigned char)*start)) {
        start++;
    }
    size_t n = strlen(start);
    while (n > 0 && isspace((unsigned char)start[n - 1])) {
        n--;
    }
    n = n < bytes ? n : bytes - 1;
    for (size_t i = 0; i < n; i++) {
        out[i] = start[i];
        if (iscntrl((unsigned char)out[i])) {
            out[i] = ' ';
        }
    }
    out[n] = '\0';
}

static void device_text(char *out, size_t bytes, cl_device_id id, cl_device_info what)
{
    char text[2048] = "";
    if (clGetDeviceInfo(id, what, sizeof text - 1, text, NULL) != CL_SUCCESS) {
        text[0] = '\0';
    }
    copy_line(out, bytes, text);
}

static void platform_text(char *out, size_t bytes, cl_platform_id id, cl_platform_info what)
{
    char text[2048] = "";
    if (clGetPlatformInfo(id, what, sizeof text - 1, text, NULL) != CL_SUCCESS) {
        text[0] = '\0';
    }
    copy_line(out, bytes, text);
}

static bool flag(cl_device_id id, cl_device_info what)
{
    cl_bool value = CL_FALSE;
    return clGetDeviceInfo(id, what, sizeof value, &value, NULL) == CL_SUCCESS && value == CL_TRUE;
}

static uint64_t number(cl_device_id id, cl_device_info what)
{
    cl_ulong value = 0;
    return clGetDeviceInfo(id, what, sizeof value, &value, NULL) == CL_SUCCESS ? value : 0;
}

static cl_uint small_number(cl_device_id id, cl_device_info what)
{
    cl_uint value = 0;
    return clGetDeviceInfo(id, what, sizeof value, &value, NULL) == CL_SUCCESS ? value : 0;
}

static rv_device_type type_of(cl_device_id id)
{
    cl_device_type type = 0;
    if (clGetDeviceInfo(id, CL_DEVICE_TYPE, sizeof type, &type, NULL) == CL_SUCCESS) {
        if ((type & CL_DEVICE_TYPE_GPU) != 0) {
            return RV_DEVICE_GPU;
        }
        if ((type & CL_DEVICE_TYPE_CPU) != 0) {
            return RV_DEVICE_CPU;
        }
    }
    return RV_DEVICE_ACCELERATOR;
}

void rv_found_shape(rv_found *found, rv_form form, int block)
{
    rv_device_info *info = &found->info;
    info->form = form != RV_FORM_AUTO          ? form
                 : info->type == RV_DEVICE_CPU ? RV_FORM_CPU
                                               : RV_FORM_GPU;
    if (block != 0) {
        info->block = block;
    } else if (info->form == RV_FORM_GPU) {
        info->block = 4;
    } else {
        info->block = small_number(found->id, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT) >= 16 ? 16 : 8;
    }
}

static void describe(rv_found *found)
{
    rv_device_info *info = &found->info;
    char platform_version[128], version[128];
    device_text(info->name, sizeof info->name, found->id, CL_DEVICE_NAME);
    device_text(info->driver, sizeof info->driver, found->id, CL_DRIVER_VERSION);
    device_text(version, sizeof version, found->id, CL_DEVICE_VERSION);
    platform_text(info->platform, sizeof info->platform, found->platform, CL_PLATFORM_NAME);
    platform_text(platform_version, sizeof platform_version, found->platform, CL_PLATFORM_VERSION);
    info->type = type_of(found->id);
    info->compute_units = (int)small_number(found->id, CL_DEVICE_MAX_COMPUTE_UNITS);
    info->global_bytes = number(found->id, CL_DEVICE_GLOBAL_MEM_SIZE);
    info->max_alloc_bytes = number(found->id, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
    found->vendor = small_number(found->id, CL_DEVICE_VENDOR_ID);
    rv_found_shape(found, RV_FORM_AUTO, 0);
    snprintf(found->identity, sizeof found->identity, "%s | %s | %s | %s | %d units | reverie %s",
             platform_version, info->name, version, info->driver, info->compute_units, RV_VERSION);
}

/* Appends the usable devices of one platform. A platform that fails must not hide the others. */
static rv_status add_platform(rv_found **list, size_t *n, size_t *capacity, cl_platform_id platform)
{
    cl_device_id ids[MAX_DEVICES];
    cl_uint count = 0;
    if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, MAX_DEVICES, ids, &count) != CL_SUCCESS) {
        return RV_OK;
    }
    for (cl_uint i = 0; i < count && i < MAX_DEVICES; i++) {
        if (!flag(ids[i], CL_DEVICE_AVAILABLE) || !flag(ids[i], CL_DEVICE_COMPILER_AVAILABLE)) {
            continue;
        }
        RV_TRY(rv_grow(list, capacity, *n + 1, sizeof **list, "list of devices"));
        rv_found *found = &(*list)[*n];
        found->platform = platform;
        found->id = ids[i];
        found->info.index = (int)*n;
        describe(found);
        ++*n;
    }
    return RV_OK;
}

rv_status rv_found_list(rv_found **out, size_t *n)
{
    *out = NULL;
    *n = 0;
    rv_opencl_environment();
    cl_platform_id platforms[MAX_PLATFORMS];
    cl_uint count = 0;
    const cl_int code = clGetPlatformIDs(MAX_PLATFORMS, platforms, &count);
    if (code == NO_PLATFORMS) { /* of the loader: no driver is installed */
        return RV_OK;
    }
    if (code != CL_SUCCESS) {
        return rv_opencl_fail(code, "clGetPlatformIDs");
    }
    rv_found *list = NULL;
    size_t capacity = 0;
    for (cl_uint i = 0; i < count && i < MAX_PLATFORMS; i++) {
        const rv_status status = add_platform(&list, n, &capacity, platforms[i]);
        if (status != RV_OK) {
            free(list);
            *n = 0;
            return status;
        }
    }
    *out = list;
    return RV_OK;
}

rv_status rv_device_read_options(rv_device_options *out, const rv_device_options *options)
{
    *out = (rv_device_options)RV_DEVICE_OPTIONS_INIT;
    if (options == NULL) {
        return RV_OK;
    }
    if (options->struct_size < sizeof options->struct_size) {
        return rv_fail(RV_ERR_USAGE, "rv_device_options.struct_size is not set; start from "
                                     "RV_DEVICE_OPTIONS_INIT");
    }
    memcpy(out, options, options->struct_size < sizeof *out ? options->struct_size : sizeof *out);
    if (out->block != 0 && out->block != 4 && out->block != 8 && out->block != 16) {
        return rv_fail(RV_ERR_USAGE, "a block of %d channels is not 4, 8 or 16", out->block);
    }
    if (out->threads < 0) {
        return rv_fail(RV_ERR_USAGE, "%d threads: give 1 or more, or 0 for all", out->threads);
    }
    if (out->winograd < RV_WINOGRAD_AUTO || out->winograd > RV_WINOGRAD_OFF) {
        return rv_fail(RV_ERR_USAGE, "rv_device_options.winograd has no choice %d",
                       (int)out->winograd);
    }
    if (out->form < RV_FORM_AUTO || out->form > RV_FORM_GPU) {
        return rv_fail(RV_ERR_USAGE, "rv_device_options.form has no form %d", (int)out->form);
    }
    return RV_OK;
}

rv_status rv_device_list(rv_device_info **out, size_t *n, const rv_device_options *options)
{
    *out = NULL;
    *n = 0;
    rv_device_options o;
    RV_TRY(rv_device_read_options(&o, options));
    rv_found *all;
    size_t count;
    RV_TRY(rv_found_list(&all, &count));
    rv_device_info *infos = NULL;
    rv_status status = RV_OK;
    if (count > 0) {
        status = rv_alloc(&infos, count, sizeof *infos, "list of devices");
    }
    for (size_t i = 0; i < count && status == RV_OK; i++) {
        rv_verdict_load(&all[i]);
        if (all[i].info.self_test == RV_SELF_TEST_UNKNOWN && o.self_test_program != NULL) {
            status = rv_self_test_found(&all[i], o.self_test_program, RV_SELF_TEST_SECONDS);
        }
        infos[i] = all[i].info;
    }
    free(all);
    if (status != RV_OK) {
        free(infos);
        return status;
    }
    *out = infos;
    *n = count;
    return RV_OK;
}
