/* What the files of heat maps share: a network with a picture in it, and runs over many variants of that. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_HEATMAP_H
#define RV_STAGES_HEATMAP_H

#include "graph/plan.h"
#include "stages/network_picture.h"
#include <reverie/visualize.h>

/** A map, with its own values. */
typedef struct rv_heat {
    rv_heat_map map; /**< data points to `values` */
    float *values;
    int row; /**< of the sheet: calls of rv_heatmaps_compute() before */
} rv_heat;

struct rv_heatmaps {
    const rv_model *model;
    rv_device *device;
    rv_heatmaps_options options;
    rv_model_graph graph;
    rv_params *params;
    rv_value logits; /**< [N,K] or [N,K,1,1] */
    rv_value layer;  /**< [N,C,H,W] for Grad-CAM, -1: none */
    rv_plan *plan;   /**< for one picture, with logits and layer as outputs */
    int classes;
    bool rectifies; /**< there is a rectifier that can be guided */

    /* Of the last picture. */
    rv_planar seen;  /**< what the network took of it */
    rv_planar photo; /**< all of it, as large as overlays are; no data: nothing was looked at */
    rv_part part;    /**< what the network looked at, in pixels of `photo` */
    float *scores, *probabilities; /**< K each: logits, and what they mean */
    float *features;               /**< of the layer, [C,H,W] */
    rv_heat *maps;
    size_t n_maps, maps_capacity;
    int n_rows;
};

/** Values of the picture that the network takes. */
size_t rv_heatmaps_values(const rv_heatmaps *h);
/** rv_heatmaps_look() with what the network takes, planes of 0..1; takes `seen`, also where it fails. */
RV_NODISCARD rv_status rv_heatmaps_see(rv_heatmaps *h, rv_planar *seen);
/** Scores of another picture, [C,H,W] of 0..1. */
RV_NODISCARD rv_status rv_heatmaps_score(rv_heatmaps *h, const float *picture, float *scores);

/** Work on n variants of a picture or of the layer, several in one batch. */
typedef struct rv_heat_job {
    const char *task; /**< for reports */
    void *context;
    size_t n;
    /** Writes variant i: the picture, or the values of the layer. */
    void (*fill)(void *context, size_t i, float *values);
    /** Its gradient, in the same shape, or where none is wanted its scores. */
    void (*take)(void *context, size_t i, const float *result);
    const int
        *classes; /**< NULL: no gradient; else that of the score of class classes[i / share] */
    size_t share;
    bool of_layer; /**< variants of the layer, not of the picture */
    bool guided;
    double from, to; /**< shares of the whole call that are done before it and after it */
} rv_heat_job;

RV_NODISCARD rv_status rv_heatmaps_run(rv_heatmaps *h, const rv_heat_job *job);

/** Computes a map for each class of those given, [H,W] each, into `maps`, whose values have room and are zero; `size` is
 *  that of the maps. */
RV_NODISCARD rv_status rv_heatmaps_fill(rv_heatmaps *h, rv_heat_method method, rv_heat *maps,
                                        const int *classes, size_t n);

#endif
