/* The terms of Gatys, Ecker and Bethge 2016 on the layers of a network.
 *
 *   content: sum over layers  w * mean((F - P)^2) / mean(P^2)   P: features F of the photo
 *   style:   sum over layers  w * mean((G - A)^2) / mean(A^2)   A: Gram matrix G of the styles
 *
 * with the weights w of a list summing to 1; other losses of the style: term.h. The division makes each term the share of its target
 * that is missed, so that weights mean the same for any layer of any network, with max or average
 * pooling. An absolute blend leaves it out, and gives each layer the whole weight where a list gives none. Several styles: A is the mean of their Gram matrices by their shares. */
/* SPDX-License-Identifier: MIT */
#include "stages/network_terms.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

#include <math.h>
#include <stdlib.h>

/* A network that takes 0..1, less means and divided by deviations, has features that much smaller. */
static double unit_of(const rv_model *model)
{
    const rv_preprocessing *p = rv_model_preprocessing(model);
    double deviation = 0;
    for (int i = 0; i < 3; i++) {
        deviation += (double)p->deviation[i] / 3;
    }
    return 255 / (double)p->range * deviation;
}

static rv_status take_lists(rv_network_terms *t, const rv_model *model,
                            const rv_stylize_options *options)
{
    const char *const wanted[2] = {options->content_layers, options->style_layers};
    char *content = NULL, *style = NULL;
    rv_status status = RV_OK;
    if (wanted[0] == NULL || wanted[1] == NULL) {
        status = rv_default_layers(&content, &style, model);
    }
    if (status == RV_OK) {
        status = rv_layer_list_parse(&t->content, wanted[0] != NULL ? wanted[0] : content,
                                     "content_layers");
    }
    if (status == RV_OK) {
        status =
            rv_layer_list_parse(&t->style, wanted[1] != NULL ? wanted[1] : style, "style_layers");
    }
    free(content);
    free(style);
    RV_TRY(status);
    RV_TRY(rv_layer_list_text(&t->content_text, &t->content));
    return rv_layer_list_text(&t->style_text, &t->style);
}

static rv_status build(const rv_network_terms *t, rv_model_graph *out, const rv_model *model)
{
    const char **names;
    size_t n = 0;
    RV_TRY(rv_alloc(&names, t->content.n + t->style.n, sizeof *names, "layer names"));
    for (size_t i = 0; i < t->content.n; i++) {
        names[n++] = t->content.items[i].name;
    }
    for (size_t i = 0; i < t->style.n; i++) {
        names[n++] = t->style.items[i].name;
    }
    const rv_status status = rv_model_build(out, model, names, n);
    free(names);
    return status;
}

rv_status rv_network_terms_build(rv_network_terms *terms, rv_model_graph *out,
                                 const rv_model *model, const rv_stylize_options *options)
{
    if (rv_model_channels(model) != 3) {
        return rv_fail(RV_ERR_UNSUPPORTED,
                       "%s looks at grey pictures: stylize needs a network for colours, or patches",
                       rv_model_name(model));
    }
    terms->unit = unit_of(model);
    RV_TRY(take_lists(terms, model, options));
    return build(terms, out, model);
}

void rv_network_terms_release(rv_network_terms *terms)
{
    rv_layer_list_release(&terms->content);
    rv_layer_list_release(&terms->style);
    free(terms->content_text);
    free(terms->style_text);
    *terms = (rv_network_terms){0};
}

/* --- terms ----------------------------------------------------------------------------------- */

static rv_statistic statistic_of(rv_style_loss loss)
{
    return loss == RV_STYLE_LOSS_WASSERSTEIN     ? RV_STATISTIC_CLOUD
           : loss == RV_STYLE_LOSS_MEAN_VARIANCE ? RV_STATISTIC_DEVIATIONS
                                                 : RV_STATISTIC_GRAM;
}

/* neural-style's weights are of each layer, and of features of a network that takes 0 to 255. */
static double content_factor(const rv_network_terms *terms, const rv_blend *blend)
{
    return blend->absolute ? pow(terms->unit, 2) * (double)terms->content.n : 1;
}

/* Its Gram matrices, whose squares are compared, are divided by channels as well. */
static double style_factor(const rv_network_terms *terms, const rv_blend *blend,
                           rv_statistic statistic, int channels)
{
    if (!blend->absolute) {
        return 1;
    }
    return (double)terms->style.n * (statistic == RV_STATISTIC_GRAM
                                         ? pow(pow(terms->unit, 2) / channels, 2)
                                         : pow(terms->unit, 2));
}

rv_status rv_network_terms_add(const rv_network_terms *terms, rv_terms *list, const rv_graph *graph,
                               const rv_blend *blend, const rv_stylize_options *options)
{
    for (size_t i = 0; i < terms->content.n; i++) {
        const rv_weighted_layer *layer = &terms->content.items[i];
        rv_term t = {.relative = !blend->absolute,
                     .weight = options->content_weight * blend->content_layers * layer->weight};
        RV_TRY(rv_graph_find(graph, &t.map, layer->name));
        t.weight *= content_factor(terms, blend);
        RV_TRY(rv_terms_add(list, &t, "content", layer->name));
    }
    for (size_t i = 0; i < terms->style.n; i++) {
        const rv_weighted_layer *layer = &terms->style.items[i];
        rv_term t = {.statistic = statistic_of(options->style_loss),
                     .of_style = true,
                     .relative = !blend->absolute,
                     .weight = options->style_weight * blend->style_layers * layer->weight};
        RV_TRY(rv_graph_find(graph, &t.map, layer->name));
        t.weight *= style_factor(terms, blend, t.statistic, rv_graph_shape(graph, t.map)->dim[1]);
        RV_TRY(rv_terms_add(list, &t, "style", layer->name));
    }
    return RV_OK;
}
