/* Prints what GPUs are asked to compile of the heavy kernels: file, sums that a device must have room for, defines. */
/* SPDX-License-Identifier: MIT */
#include "ops/gpu_tile.h"

#include <stdio.h>

static void with_tiles(const char *file, int32_t items, bool square, const char *more)
{
    for (int i = 0; i < RV_GPU_TILES; i++) {
        char defines[RV_GPU_TILE_DEFINES];
        rv_gpu_tile_defines(defines, &rv_gpu_tiles[i]);
        const bool is_square =
            rv_gpu_tile_rows(&rv_gpu_tiles[i]) == rv_gpu_tile_columns(&rv_gpu_tiles[i]);
        if (rv_gpu_tile_items(&rv_gpu_tiles[i]) >= items && (is_square || !square)) {
            printf("%s %d %s%s\n", file, (int)rv_gpu_tiles[i].sums, defines, more);
        }
    }
}

int main(void)
{
    with_tiles("conv_gpu", 0, false, "");
    with_tiles("conv_gpu_params", 0, false, " -DXL=4 -DYL=4");
    with_tiles("conv_gpu_params", 128, false, " -DXL=1 -DYL=4");
    with_tiles("conv_gpu_params", 0, false, " -DXL=4 -DYL=1");
    with_tiles("conv_gpu_params", 128, false, " -DXL=1 -DYL=1");
    /* prepare_few() of conv_gpu.c: pictures to maps, maps to pictures, pictures to pictures. */
    printf("conv_gpu_few 16 -DXL=1 -DYL=4 -DPX=2 -DNT=4\n");
    printf("conv_gpu_few 16 -DXL=4 -DYL=1 -DPX=4 -DNT=1\n");
    printf("conv_gpu_few 16 -DXL=1 -DYL=1 -DPX=4 -DNT=1\n");
    printf("conv_gpu_depthwise 16\n");
    with_tiles("dense_gpu", 128, false, "");
    printf("dense_gpu 16\n"); /* of which dense_gpu_forward takes no tiles */
    printf("conv_gpu_winograd 16 -DOUT=4\n");
    printf("conv_gpu_winograd 16 -DOUT=2\n");
    with_tiles("gram_gpu", 0, true, "");
    printf("matrix_gpu 16\n");
    return 0;
}
