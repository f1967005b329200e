/* A new end for a network: its classifier is taken off, and layers for other classes put in its place. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/text.h"
#include "model/arch/arch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WORD = 24, MAX_UNITS = 1 << 20, MAX_LAYERS = 16 };

static const char *const units[] = {"relu", "leaky_relu", "rrelu",   "prelu",
                                    "elu",  "selu",       "sigmoid", "tanh"};

/* --- taking off ------------------------------------------------------------------------------ */

/* The first layer of a head that was put on before, or else the last layer whose weights are drawn: the classifier. */
static rv_status find_classifier(size_t *out, const rv_network *network)
{
    for (size_t i = 0; i < network->n_layers; i++) {
        if (rv_is_head(network->layers[i].name)) {
            *out = i;
            return RV_OK;
        }
    }
    for (size_t i = network->n_layers; i > 0; i--) {
        const rv_layer *layer = &network->layers[i - 1];
        const rv_op *op = NULL;
        if (layer->op != NULL) {
            RV_TRY(rv_op_find(&op, layer->op, layer->name));
        }
        if (op != NULL && op->n_params > 0 && op->param_init[0] == RV_INIT_HE) {
            *out = i - 1;
            return RV_OK;
        }
    }
    return rv_fail(RV_ERR_UNSUPPORTED, "%s has no classifier that a new head could replace",
                   network->name);
}

/* The first of the layers right before the classifier that drop values: a new head has its own. */
static size_t without_dropout(const rv_network *network, size_t classifier)
{
    while (classifier > 0 && network->layers[classifier - 1].op != NULL &&
           strcmp(network->layers[classifier - 1].op, "dropout") == 0) {
        classifier--;
    }
    return classifier;
}

/* Whether a layer below was dense already: what comes is a row of numbers, not maps. */
static bool is_flat(const rv_network *network, size_t end)
{
    for (size_t i = 0; i < end; i++) {
        const char *op = network->layers[i].op;
        if (op != NULL && strcmp(op, "dense") == 0) {
            return true;
        }
    }
    return false;
}

/* --- putting on ------------------------------------------------------------------------------ */

static rv_status fail_part(const char *part)
{
    return rv_fail(RV_ERR_USAGE,
                   "a head is 'linear', or parts like 'dense 256 elu' and 'dropout 0.5' between "
                   "commas, not '%.100s'",
                   part);
}

static const char *find_unit(const char *name)
{
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(units[i], name) == 0) {
            return units[i];
        }
    }
    return NULL;
}

/* One part; `number` counts dense layers. */
static rv_status add_part(rv_chain *c, const char *part, int *number)
{
    char word[MAX_WORD] = "", value[MAX_WORD] = "", unit[MAX_WORD] = "", name[RV_ARCH_NAME];
    double ratio;
    rv_layer *layer;
    const int n = sscanf(part, " %23s %23s %23s", word, value, unit);
    if (n == 2 && strcmp(word, "dropout") == 0) {
        RV_TRY(rv_parse_double(&ratio, value, 0, 0.9999, "the ratio of dropout"));
        snprintf(name, sizeof name, RV_HEAD_PREFIX "drop%d", *number);
        return rv_chain_dropout(c, name, ratio);
    }
    char *end;
    const long outputs = strtol(value, &end, 10);
    if (n < 2 || strcmp(word, "dense") != 0 || *end != '\0' || outputs < 1 || outputs > MAX_UNITS ||
        (n == 3 && find_unit(unit) == NULL)) {
        return fail_part(part);
    }
    snprintf(name, sizeof name, RV_HEAD_PREFIX "dense%d", ++*number);
    RV_TRY(rv_chain_dense(c, name, (int)outputs));
    return n == 3 ? rv_chain_layer(&layer, c, find_unit(unit), RV_HEAD_PREFIX "%s%d", unit, *number)
                  : RV_OK;
}

static rv_status add_parts(rv_chain *c, const char *text)
{
    char part[128];
    int number = 0;
    for (int i = 0; *text != '\0'; i++) {
        const size_t n = strcspn(text, ",");
        if (i == MAX_LAYERS || n >= sizeof part) {
            return fail_part(text);
        }
        memcpy(part, text, n);
        part[n] = '\0';
        RV_TRY(add_part(c, part, &number));
        text += n + (text[n] == ',');
    }
    return RV_OK;
}

/* What comes from another network may be of any size: without this one learning rate would not do for all. */
static rv_status add_norm(rv_chain *c)
{
    rv_layer *layer;
    return rv_chain_layer(&layer, c, "batch_norm", RV_HEAD_PREFIX "norm");
}

rv_status rv_network_replace_head(rv_network *network, const char *text, int32_t classes)
{
    size_t classifier;
    rv_chain chain = {network, ""};
    RV_TRY(find_classifier(&classifier, network));
    classifier = without_dropout(network, classifier);
    const char *input = network->layers[classifier].inputs.list[0];
    if (strlen(input) >= sizeof chain.at) {
        return rv_fail(RV_ERR_UNSUPPORTED, "the name '%.60s...' is too long for a head", input);
    }
    snprintf(chain.at, sizeof chain.at, "%s", input);
    const bool flat = is_flat(network, classifier);
    rv_network_truncate(network, classifier);
    if (!flat) {
        RV_TRY(rv_chain_global_average(&chain, RV_HEAD_PREFIX "average"));
    }
    RV_TRY(add_norm(&chain));
    if (strcmp(text, "linear") != 0) {
        RV_TRY(add_parts(&chain, text));
    }
    return rv_chain_classify(&chain, RV_HEAD_PREFIX "outputs", classes);
}
