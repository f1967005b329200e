/* ResNet-18 (He et al. 2016) with half the channels and a stem of one 3x3 convolution, for small pictures. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "model/arch/arch.h"

#include <stdio.h>

enum { N_STAGES = 4, BLOCKS = 2, FIRST_CHANNELS = 32, HALVED_FROM = 64 };

/* "STAGE.BLOCK.part" */
static void name_part(char name[RV_ARCH_NAME], int stage, int block, const char *part)
{
    snprintf(name, RV_ARCH_NAME, "block%d_%d/%s", stage, block, part);
}

static rv_status add_normalized(rv_chain *c, int stage, int block, const char *number, int channels,
                                int kernel, int stride)
{
    char name[RV_ARCH_NAME], part[16];
    snprintf(part, sizeof part, "conv%s", number);
    name_part(name, stage, block, part);
    RV_TRY(rv_chain_conv(c, name, channels, kernel, stride));
    snprintf(part, sizeof part, "norm%s", number);
    name_part(name, stage, block, part);
    return rv_chain_norm(c, name);
}

/* relu(x + F(x)); where size or channels change, x passes a 1x1 convolution. */
static rv_status add_block(rv_chain *c, int stage, int block, int channels)
{
    const bool changes = stage > 1 && block == 1;
    char name[RV_ARCH_NAME];
    rv_chain shortcut = *c;
    rv_layer *layer;
    RV_TRY(add_normalized(c, stage, block, "1", channels, 3, changes ? 2 : 1));
    name_part(name, stage, block, "relu1");
    RV_TRY(rv_chain_relu(c, name));
    RV_TRY(add_normalized(c, stage, block, "2", channels, 3, 1));
    if (changes) {
        RV_TRY(add_normalized(&shortcut, stage, block, "_shortcut", channels, 1, 2));
    }
    name_part(name, stage, block, "add");
    RV_TRY(rv_chain_layer(&layer, c, "add", "%s", name));
    RV_TRY(rv_names_add(&layer->inputs, shortcut.at));
    name_part(name, stage, block, "relu2");
    return rv_chain_relu(c, name);
}

rv_status rv_arch_resnet_18(rv_chain *c, int32_t classes, const char *words)
{
    (void)words;
    rv_chain_take(c, 0.45f, 0.25f);
    RV_TRY(rv_chain_conv(c, "conv1", FIRST_CHANNELS, 3, c->network->width >= HALVED_FROM ? 2 : 1));
    RV_TRY(rv_chain_norm(c, "norm1"));
    RV_TRY(rv_chain_relu(c, "relu1"));
    for (int stage = 1; stage <= N_STAGES; stage++) {
        for (int block = 1; block <= BLOCKS; block++) {
            RV_TRY(add_block(c, stage, block, FIRST_CHANNELS << (stage - 1)));
        }
    }
    RV_TRY(rv_chain_global_average(c, "average"));
    return rv_chain_classify(c, "outputs", classes);
}
