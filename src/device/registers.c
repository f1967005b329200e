/* How large a share of a product a work-item can hold in registers, by kind of device. */
/* SPDX-License-Identifier: MIT */
#include "device/internal.h"

#include <string.h>

enum {
    VENDOR_AMD = 0x1002,
    VENDOR_NVIDIA = 0x10de,
    WAVEFRONT_WIDTH = 0x4043, /* CL_DEVICE_WAVEFRONT_WIDTH_AMD */
    MANY = 64,
    SOME = 32,
    FEW = 16
};

/* AMD's drivers tell the width of a wavefront; Mesa names the chip. Where wavefronts have 64 items (GCN, CDNA), 64 sums
 * in each would leave a single wavefront to a SIMD unit. */
static int sums_of_amd(cl_device_id id, const char *name)
{
    static const char *const narrow[] = {"gfx10", "gfx11", "gfx12", "navi"};
    cl_uint width = 0;
    if (clGetDeviceInfo(id, WAVEFRONT_WIDTH, sizeof width, &width, NULL) == CL_SUCCESS) {
        return width == 32 ? MANY : SOME;
    }
    for (size_t i = 0; i < sizeof narrow / sizeof narrow[0]; i++) {
        if (strstr(name, narrow[i]) != NULL) {
            return MANY;
        }
    }
    return SOME;
}

int rv_registers_sums(cl_device_id id, uint32_t vendor, const rv_device_info *info)
{
    if (info->type == RV_DEVICE_CPU) {
        return MANY; /* what registers do not hold lies in the cache: so that tests see all there is */
    }
    return vendor == VENDOR_NVIDIA ? MANY
           : vendor == VENDOR_AMD  ? sums_of_amd(id, info->name)
                                   : FEW;
}
