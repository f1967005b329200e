/* Dense layers with ReLU between them: 300 and 100 units unless the name says others. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "model/arch/arch.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_UNITS = 1 << 20, MAX_HIDDEN = 32 };

/* Next number of "300,100"; *words is moved behind it and its comma. */
static rv_status next_units(int *out, const char **words, const char *name)
{
    char *end;
    const long units = strtol(*words, &end, 10);
    if (end == *words || (*end != '\0' && *end != ',') || units < 1 || units > MAX_UNITS) {
        return rv_fail(RV_ERR_USAGE,
                       "'%s': units of hidden layers are numbers from 1 to %d, as in mlp:300,100",
                       name, MAX_UNITS);
    }
    *out = (int)units;
    *words = *end == ',' ? end + 1 : end;
    return RV_OK;
}

rv_status rv_arch_mlp(rv_chain *c, int32_t classes, const char *words)
{
    char name[RV_ARCH_NAME];
    int layer = 1;
    rv_chain_take(c, 0.0f, 1.0f);
    for (words = words != NULL ? words : "300,100"; *words != '\0'; layer++) {
        int units;
        RV_TRY(next_units(&units, &words, c->network->name));
        if (layer > MAX_HIDDEN) {
            return rv_fail(RV_ERR_USAGE, "'%s': more than %d hidden layers", c->network->name,
                           MAX_HIDDEN);
        }
        snprintf(name, sizeof name, "hidden%d", layer);
        RV_TRY(rv_chain_dense(c, name, units));
        snprintf(name, sizeof name, "relu%d", layer);
        RV_TRY(rv_chain_relu(c, name));
    }
    return rv_chain_classify(c, "outputs", classes);
}
