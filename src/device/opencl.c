/* Names of OpenCL errors, the one wrapper that words them, and the environment of the drivers. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/file.h"
#include "device/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of programs that PoCL keeps; one used within the hour stays, as its process may still build kernels of it. */
#define POCL_BYTES (UINT64_C(512) << 20)
enum { POCL_SPARED = 3600 };

#define NAME(code)  \
    {               \
        code, #code \
    }

static const struct {
    cl_int code;
    const char *name;
} names[] = {
    NAME(CL_SUCCESS),
    NAME(CL_DEVICE_NOT_FOUND),
    NAME(CL_DEVICE_NOT_AVAILABLE),
    NAME(CL_COMPILER_NOT_AVAILABLE),
    NAME(CL_MEM_OBJECT_ALLOCATION_FAILURE),
    NAME(CL_OUT_OF_RESOURCES),
    NAME(CL_OUT_OF_HOST_MEMORY),
    NAME(CL_PROFILING_INFO_NOT_AVAILABLE),
    NAME(CL_MEM_COPY_OVERLAP),
    NAME(CL_IMAGE_FORMAT_MISMATCH),
    NAME(CL_IMAGE_FORMAT_NOT_SUPPORTED),
    NAME(CL_BUILD_PROGRAM_FAILURE),
    NAME(CL_MAP_FAILURE),
    NAME(CL_MISALIGNED_SUB_BUFFER_OFFSET),
    NAME(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST),
    NAME(CL_COMPILE_PROGRAM_FAILURE),
    NAME(CL_LINKER_NOT_AVAILABLE),
    NAME(CL_LINK_PROGRAM_FAILURE),
    NAME(CL_DEVICE_PARTITION_FAILED),
    NAME(CL_KERNEL_ARG_INFO_NOT_AVAILABLE),
    NAME(CL_INVALID_VALUE),
    NAME(CL_INVALID_DEVICE_TYPE),
    NAME(CL_INVALID_PLATFORM),
    NAME(CL_INVALID_DEVICE),
    NAME(CL_INVALID_CONTEXT),
    NAME(CL_INVALID_QUEUE_PROPERTIES),
    NAME(CL_INVALID_COMMAND_QUEUE),
    NAME(CL_INVALID_HOST_PTR),
    NAME(CL_INVALID_MEM_OBJECT),
    NAME(CL_INVALID_IMAGE_FORMAT_DESCRIPTOR),
    NAME(CL_INVALID_IMAGE_SIZE),
    NAME(CL_INVALID_SAMPLER),
    NAME(CL_INVALID_BINARY),
    NAME(CL_INVALID_BUILD_OPTIONS),
    NAME(CL_INVALID_PROGRAM),
    NAME(CL_INVALID_PROGRAM_EXECUTABLE),
    NAME(CL_INVALID_KERNEL_NAME),
    NAME(CL_INVALID_KERNEL_DEFINITION),
    NAME(CL_INVALID_KERNEL),
    NAME(CL_INVALID_ARG_INDEX),
    NAME(CL_INVALID_ARG_VALUE),
    NAME(CL_INVALID_ARG_SIZE),
    NAME(CL_INVALID_KERNEL_ARGS),
    NAME(CL_INVALID_WORK_DIMENSION),
    NAME(CL_INVALID_WORK_GROUP_SIZE),
    NAME(CL_INVALID_WORK_ITEM_SIZE),
    NAME(CL_INVALID_GLOBAL_OFFSET),
    NAME(CL_INVALID_EVENT_WAIT_LIST),
    NAME(CL_INVALID_EVENT),
    NAME(CL_INVALID_OPERATION),
    NAME(CL_INVALID_GL_OBJECT),
    NAME(CL_INVALID_BUFFER_SIZE),
    NAME(CL_INVALID_MIP_LEVEL),
    NAME(CL_INVALID_GLOBAL_WORK_SIZE),
    NAME(CL_INVALID_PROPERTY),
    NAME(CL_INVALID_IMAGE_DESCRIPTOR),
    NAME(CL_INVALID_COMPILER_OPTIONS),
    NAME(CL_INVALID_LINKER_OPTIONS),
    NAME(CL_INVALID_DEVICE_PARTITION_COUNT),
    {-1001, "CL_PLATFORM_NOT_FOUND_KHR"},
    {-9999, "illegal memory access (NVIDIA)"},
};

const char *rv_opencl_name(cl_int code)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].code == code) {
            return names[i].name;
        }
    }
    return "unknown OpenCL error";
}

static const char *hint(cl_int code)
{
    switch (code) {
    case CL_MEM_OBJECT_ALLOCATION_FAILURE:
        return "; the device has no more memory, lower --size";
    case CL_OUT_OF_HOST_MEMORY:
        return "; there is no more memory, lower --size";
    case CL_OUT_OF_RESOURCES: /* memory, registers, or the watchdog of a display */
        return "; lower --size, or try another --device";
    case CL_DEVICE_NOT_AVAILABLE:
        return "; another program may hold the device, or its driver was updated: restart";
    default:
        return "";
    }
}

rv_status rv_opencl_fail(cl_int code, const char *format, ...)
{
    char what[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    const bool memory = code == CL_MEM_OBJECT_ALLOCATION_FAILURE || code == CL_OUT_OF_HOST_MEMORY;
    return rv_fail(memory ? RV_ERR_DEVICE_MEMORY : RV_ERR_DEVICE, "%s: %s (%d)%s", what,
                   rv_opencl_name(code), (int)code, hint(code));
}

/* A folder of this user alone below the folder for temporary files; the same in every run, so that nothing
 * piles up there. */
static rv_status temporary_cache(char **out)
{
    const char *temporary = getenv("TMPDIR");
    char *path = NULL;
    struct stat info;
    *out = NULL;
    RV_TRY(rv_format(&path, "%s/reverie-%lu",
                     temporary != NULL && temporary[0] == '/' ? temporary : "/tmp",
                     (unsigned long)getuid()));
    /* Compiled kernels are run: a folder that somebody else can write to would let him run his. */
    (void)mkdir(path, 0700);
    if (lstat(path, &info) != 0 || !S_ISDIR(info.st_mode) || info.st_uid != getuid() ||
        (info.st_mode & 077) != 0) {
        const rv_status status =
            rv_fail(RV_ERR_IO, "%s is not a folder of this user alone; remove it", path);
        free(path);
        return status;
    }
    *out = path;
    return RV_OK;
}

void rv_opencl_environment(void)
{
    /* PoCL reports no device where it cannot write its cache; with this it removes what it wrote at the end. */
    char *folder = NULL;
    if (rv_cache_is_off()) {
        setenv("POCL_KERNEL_CACHE", "0", 0);
    }
    if (getenv("POCL_CACHE_DIR") == NULL &&
        (rv_cache_folder(&folder, "pocl") == RV_OK || temporary_cache(&folder) == RV_OK)) {
        setenv("POCL_CACHE_DIR", folder, 0);
        rv_cache_limit(folder, 1, POCL_BYTES,
                       POCL_SPARED); /* folders of programs in folders of two letters */
    }
    free(folder);
    /* Mesa's rusticl shows no device unless its driver is named here. Its software renderer is left out: PoCL is
     * faster on the processor. */
    setenv("RUSTICL_ENABLE", "iris,radeonsi,r600,nouveau,panfrost,asahi,zink", 0);
}
