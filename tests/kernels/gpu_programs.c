/* Prints what GPUs are asked to compile of the heavy kernels: file, sums that a device must have room for, defines. */
/* SPDX-License-Identifier: MIT */
#include "ops/gpu_tile.h"

#include <stdio.h>

static void with_tiles(const char *file, int32_t items, const char *more)
{
    size_t n;
    const rv_gpu_tile *tiles = rv_gpu_tile_list(&n);
    for (size_t i = 0; i < n; i++) {
        char defines[RV_GPU_TILE_DEFINES];
        rv_gpu_tile_defines(defines, &tiles[i]);
        if (rv_gpu_tile_items(&tiles[i]) >= items) {
            printf("%s %d %s%s\n", file, (int)tiles[i].sums, defines, more);
        }
    }
}

int main(void)
{
    with_tiles("conv_gpu", 0, "");
    with_tiles("conv_gpu_params", 0, " -DXL=4 -DYL=4");
    with_tiles("conv_gpu_params", 128, " -DXL=1 -DYL=4");
    with_tiles("conv_gpu_params", 0, " -DXL=4 -DYL=1");
    with_tiles("conv_gpu_params", 128, " -DXL=1 -DYL=1");
    /* prepare_few() of conv_gpu.c: pictures to maps, maps to pictures, pictures to pictures. */
    printf("conv_gpu_few 16 -DXL=1 -DYL=4 -DPX=2 -DNT=4\n");
    printf("conv_gpu_few 16 -DXL=4 -DYL=1 -DPX=4 -DNT=1\n");
    printf("conv_gpu_few 16 -DXL=1 -DYL=1 -DPX=4 -DNT=1\n");
    printf("conv_gpu_depthwise 16\n");
    with_tiles("dense_gpu", 128, "");
    printf("dense_gpu 16\n"); /* of which dense_gpu_forward takes no tiles */
    printf("conv_gpu_winograd 16 -DOUT=4\n");
    printf("conv_gpu_winograd 16 -DOUT=2\n");
    printf("gram_gpu 16\n");
    return 0;
}
