/* Parses lists of layers, and chooses the layers that style transfer looks at. */
/* SPDX-License-Identifier: MIT */
#include "stages/layer_list.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* --- parsing --------------------------------------------------------------------------------- */

void rv_layer_list_release(rv_layer_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        free(list->items[i].name);
    }
    free(list->items);
    *list = (rv_layer_list){0};
}

/* Adds "name" or "name:weight"; `item` is cut at the colon. */
static rv_status add_item(rv_layer_list *list, char *item, const char *option)
{
    double weight = 1.0;
    char *colon = strrchr(item, ':');
    if (colon != NULL) {
        *colon = '\0';
        const rv_status status = rv_parse_double(&weight, colon + 1, 0.0, 1e6, item);
        if (status != RV_OK) {
            return rv_fail_context(status, "%s", option);
        }
    }
    if (*item == '\0') {
        return rv_fail(RV_ERR_USAGE, "%s: a name is empty", option);
    }
    if (!(weight > 0.0)) {
        return rv_fail(RV_ERR_USAGE, "%s: the weight of '%.100s' has to be above 0", option, item);
    }
    for (size_t i = 0; i < list->n; i++) {
        if (strcmp(list->items[i].name, item) == 0) {
            return rv_fail(RV_ERR_USAGE, "%s: '%.100s' is given twice", option, item);
        }
    }
    RV_TRY(rv_grow(&list->items, &list->capacity, list->n + 1, sizeof *list->items, option));
    RV_TRY(rv_strdup(&list->items[list->n].name, item));
    list->items[list->n++].weight = weight;
    return RV_OK;
}

/* Cuts `text` at its commas. */
static rv_status add_items(rv_layer_list *list, char *text, const char *option)
{
    for (char *item = text, *comma; item != NULL; item = comma) {
        comma = strchr(item, ',');
        if (comma != NULL) {
            *comma++ = '\0';
        }
        RV_TRY(add_item(list, item, option));
    }
    double sum = 0;
    for (size_t i = 0; i < list->n; i++) {
        sum += list->items[i].weight;
    }
    for (size_t i = 0; i < list->n; i++) {
        list->items[i].weight /= sum;
    }
    return RV_OK;
}

rv_status rv_layer_list_parse(rv_layer_list *out, const char *text, const char *option)
{
    char *copy;
    *out = (rv_layer_list){0};
    RV_TRY(rv_strdup(&copy, text));
    const rv_status status = add_items(out, copy, option);
    free(copy);
    if (status != RV_OK) {
        rv_layer_list_release(out);
    }
    return status;
}

rv_status rv_layer_list_text(char **out, const rv_layer_list *list)
{
    rv_text text = {0};
    bool alike = true;
    for (size_t i = 1; i < list->n; i++) {
        alike = alike && list->items[i].weight == list->items[0].weight;
    }
    for (size_t i = 0; i < list->n; i++) {
        rv_text_append(&text, "%s%s", i > 0 ? "," : "", list->items[i].name);
        if (!alike) {
            rv_text_append(&text, ":%.6g", list->items[i].weight);
        }
    }
    *out = NULL;
    const rv_status status = rv_text_status(&text);
    if (status != RV_OK) {
        rv_text_release(&text);
        return status;
    }
    *out = text.data;
    return RV_OK;
}

/* --- defaults -------------------------------------------------------------------------------- */

enum { MAX_STAGES = 5 };

/* What looks best with networks that are known, told by the layer that `mark` names. */
static const struct {
    const char *mark, *content, *style;
} known[] = {
    {"fire9/squeeze1x1", "fire4/concat,fire6/concat",
     "relu_conv1,fire2/concat,fire4/concat,fire6/concat,fire8/concat"},
    {"norm1_1", "relu3_2,relu4_2", "relu1_1,relu2_1,relu3_1,relu4_1,relu5_1"}, /* vgg-s */
};

/* Activations of one resolution, in the order they run. */
typedef struct stage {
    int height, width;
    const char *first, *second;
} stage;

static bool is_activation(const rv_layer_info *layer)
{
    static const char *const types[] = {"relu", "leaky_relu"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(layer->type, types[i]) == 0) {
            return layer->rank == 4 && layer->dim[2] > 1 && layer->dim[3] > 1;
        }
    }
    return false;
}

static int find_stages(stage stages[MAX_STAGES], const rv_model *model)
{
    int n = 0;
    for (int i = 0; i < rv_model_layer_count(model); i++) {
        const rv_layer_info layer = rv_model_layer(model, i);
        if (!is_activation(&layer)) {
            continue;
        }
        stage *last = n > 0 ? &stages[n - 1] : NULL;
        if (last != NULL && last->height == layer.dim[2] && last->width == layer.dim[3]) {
            last->second = last->second != NULL ? last->second : layer.name;
        } else if (n < MAX_STAGES) {
            stages[n++] = (stage){layer.dim[2], layer.dim[3], layer.name, NULL};
        }
    }
    return n;
}

static rv_status copy_lists(char **content, char **style, const char *a, const char *b)
{
    RV_TRY(rv_strdup(content, a));
    const rv_status status = rv_strdup(style, b);
    if (status != RV_OK) {
        free(*content);
        *content = NULL;
    }
    return status;
}

static rv_status choose_by_rule(char **content, char **style, const rv_model *model)
{
    stage stages[MAX_STAGES];
    const int n = find_stages(stages, model);
    if (n == 0) {
        return rv_fail(RV_ERR_USAGE,
                       "%s has no layers that style transfer takes by default: name some with "
                       "content_layers and style_layers",
                       rv_model_name(model));
    }
    rv_text all = {0};
    for (int i = 0; i < n; i++) {
        rv_text_append(&all, "%s%s", i > 0 ? "," : "", stages[i].first);
    }
    const stage *at = &stages[n > 1 ? n - 2 : 0];
    rv_status status = rv_text_status(&all);
    if (status == RV_OK) {
        status = copy_lists(content, style, at->second != NULL ? at->second : at->first, all.data);
    }
    rv_text_release(&all);
    return status;
}

rv_status rv_default_layers(char **content, char **style, const rv_model *model)
{
    *content = *style = NULL;
    for (size_t k = 0; k < sizeof known / sizeof known[0]; k++) {
        for (int i = 0; i < rv_model_layer_count(model); i++) {
            if (strcmp(rv_model_layer(model, i).name, known[k].mark) == 0) {
                return copy_lists(content, style, known[k].content, known[k].style);
            }
        }
    }
    return choose_by_rule(content, style, model);
}
