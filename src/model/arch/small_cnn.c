/* A convolutional network for a few hundred pictures: few weights, batch norm, and dropout before its dense layer. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "model/arch/arch.h"

#include <stdio.h>

enum { N_STAGES = 4 };

rv_status rv_arch_small_cnn(rv_chain *c, int32_t classes, const char *words)
{
    static const int channels[N_STAGES] = {32, 64, 128, 128};
    char name[RV_ARCH_NAME];
    (void)words;
    rv_chain_take(c, 0.45f, 0.25f);
    for (int i = 1; i <= N_STAGES; i++) {
        snprintf(name, sizeof name, "conv%d", i);
        RV_TRY(rv_chain_conv(c, name, channels[i - 1], 3, 1));
        snprintf(name, sizeof name, "norm%d", i);
        RV_TRY(rv_chain_norm(c, name));
        snprintf(name, sizeof name, "relu%d", i);
        RV_TRY(rv_chain_relu(c, name));
        snprintf(name, sizeof name, "pool%d", i);
        RV_TRY(rv_chain_pool(c, name));
    }
    RV_TRY(rv_chain_global_average(c, "average"));
    RV_TRY(rv_chain_dropout(c, "drop", 0.5));
    return rv_chain_classify(c, "outputs", classes);
}
