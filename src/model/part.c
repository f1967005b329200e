/* A part of a network: what one layer needs, or its features, which is all before its classifier. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "model/internal.h"

#include <stdlib.h>

/* Whether a layer looks at whole maps at once, or tells classes apart: no features any more. */
static bool ends_features(const rv_layer *layer)
{
    const char *op = layer->op != NULL ? layer->op : "";
    const rv_attr_value *global = rv_layer_attr(layer, "global");
    return (global != NULL && global->number[0] != 0) || strcmp(op, "dense") == 0 ||
           strcmp(op, "softmax") == 0;
}

static rv_status find_last_feature(const rv_network *network, int *out)
{
    size_t n = 0;
    while (n < network->n_layers && !ends_features(&network->layers[n])) {
        n++;
    }
    *out = n < network->n_layers ? rv_network_writer(network, n, network->layers[n].inputs.list[0])
                                 : (int)n - 1;
    return *out >= 0
               ? RV_OK
               : rv_fail(RV_ERR_UNSUPPORTED, "%s has no convolutions before its first dense layer",
                         network->name);
}

rv_status rv_network_part(rv_network *out, const rv_network *network, const char *until)
{
    int last;
    bool *needed;
    *out = *network;
    out->layers = NULL;
    RV_TRY(until != NULL ? rv_network_find(network, &last, until)
                         : find_last_feature(network, &last));
    if (last < 0) {
        return rv_fail(RV_ERR_USAGE, "'%s' is the input of %s: nothing would be left", until,
                       network->name);
    }
    RV_TRY(rv_alloc(&needed, (size_t)last + 1, sizeof *needed, network->name));
    rv_status status = rv_alloc(&out->layers, (size_t)last + 1, sizeof *out->layers, network->name);
    needed[last] = true;
    for (size_t i = (size_t)last + 1; i > 0; i--) {
        const rv_names *inputs = &network->layers[i - 1].inputs;
        for (size_t k = 0; needed[i - 1] && k < inputs->n; k++) {
            const int maker = rv_network_writer(network, i - 1, inputs->list[k]);
            if (maker >= 0) {
                needed[maker] = true;
            }
        }
    }
    out->n_layers = 0;
    for (size_t i = 0; status == RV_OK && i <= (size_t)last; i++) {
        if (needed[i]) {
            out->layers[out->n_layers++] = network->layers[i];
        }
    }
    free(needed);
    return status;
}
