/* Rehearses work without doing it: buffers are counted but not made, kernels are not run. */
/* SPDX-License-Identifier: MIT */
#include "base/system.h"
#include "device/internal.h"

void rv_rehearsal_begin(rv_device *device)
{
    device->rehearses = true;
    device->rehearsal = (rv_rehearsal){0};
    device->rehearsed_peak = device->allocated_peak;
    device->allocated_peak = device->allocated;
}

void rv_rehearsal_end(rv_device *device, rv_rehearsal *out)
{
    device->rehearses = false;
    device->rehearsal.device_bytes = device->allocated_peak;
    device->allocated_peak = device->rehearsed_peak;
    *out = device->rehearsal;
}

bool rv_device_rehearses(const rv_device *device)
{
    return device->rehearses;
}

void rv_rehearsal_work(rv_device *device, double work)
{
    device->rehearsal.work += work;
}

double rv_rehearsal_work_done(const rv_device *device)
{
    return device->rehearsal.work;
}

void rv_rehearsal_count(rv_device *device, int64_t bytes)
{
    device->rehearsed += (uint64_t)bytes;
    uint64_t process = rv_process_bytes();
    process += device->info.type == RV_DEVICE_CPU ? device->rehearsed : 0;
    if (process > device->rehearsal.process_bytes) {
        device->rehearsal.process_bytes = process;
    }
}

/* Numbers as pictures and activations have them: above 0, of one size, not all the same. */
void rv_rehearsal_read(void *data, size_t bytes)
{
    float *values = data;
    for (size_t i = 0; i < bytes / sizeof *values; i++) {
        values[i] = (float)(i * 37 % 251 + 1) / 252.0f;
    }
}
