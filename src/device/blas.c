/* Products of matrices by CLBlast, where the library was built with it. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "device/internal.h"


#ifdef RV_HAVE_CLBLAST
#include <clblast_c.h>

/* On CPUs it reaches a twentieth of what the kernels of the CPU form do. */
bool rv_blas_offered(const rv_device *device)
{
    return device->info.type == RV_DEVICE_GPU;
}

/* One command among the others of the queue, as rv_launch() makes them. */
static rv_status count(rv_device *device, cl_event event)
{
    if (device->profile != NULL) {
        rv_kernel kernel = {.name = "clblast_sgemm"};
        const rv_status status = rv_profile_add(device, &kernel, event);
        if (status != RV_OK) {
            clReleaseEvent(event);
            return status;
        }
    }
    return rv_queue_count(device, event);
}

rv_status rv_blas_multiply(rv_device *device, const rv_buffer *out, rv_blas_matrix a,
                           rv_blas_matrix b, int32_t rows, int32_t inner, int32_t columns,
                           bool accumulate)
{
    cl_event event = NULL;
    const CLBlastStatusCode code =
        CLBlastSgemm(CLBlastLayoutRowMajor, a.transposed ? CLBlastTransposeYes : CLBlastTransposeNo,
                     b.transposed ? CLBlastTransposeYes : CLBlastTransposeNo, (size_t)rows,
                     (size_t)columns, (size_t)inner, 1, a.buffer->mem, 0, (size_t)a.step,
                     b.buffer->mem, 0, (size_t)b.step, accumulate ? 1 : 0, out->mem, 0,
                     (size_t)columns, &device->queue, rv_queue_wants_event(device) ? &event : NULL);
    if (code != CLBlastSuccess) {
        return rv_opencl_fail(code, "CLBlastSgemm of %d x %d x %d", (int)rows, (int)columns,
                              (int)inner);
    }
    device->uses_blas = true;
    return count(device, event);
}

void rv_blas_release(rv_device *device)
{
    if (device->uses_blas) {
        (void)CLBlastClearCache(); /* of programs, which hold the device's context */
    }
}

#else

bool rv_blas_offered(const rv_device *device)
{
    (void)device;
    return false;
}

rv_status rv_blas_multiply(rv_device *device, const rv_buffer *out, rv_blas_matrix a,
                           rv_blas_matrix b, int32_t rows, int32_t inner, int32_t columns,
                           bool accumulate)
{
    (void)device, (void)out, (void)a, (void)b, (void)rows, (void)inner, (void)columns,
        (void)accumulate;
    return rv_fail(RV_ERR_UNSUPPORTED, "this library was built without CLBlast");
}

void rv_blas_release(rv_device *device)
{
    (void)device;
}

#endif
