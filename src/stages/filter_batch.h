/* Pictures, each of which makes a channel of a layer do as much as it can, many at a time. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_FILTER_BATCH_H
#define RV_STAGES_FILTER_BATCH_H

#include "graph/plan.h"
#include "model/model.h"
#include <reverie/filters.h>

/** What a picture is for. */
typedef struct rv_filter {
    int channel; /**< of the layer */
    int sign;    /**< 1: more of it, -1: less */
    int variant; /**< from 0: tells the noise that it starts from */
} rv_filter;

/** A layer of a network on a device, of which channels can be asked for. */
typedef struct rv_filter_layer {
    rv_device *device;
    rv_model_graph graph; /**< all that the layer needs */
    rv_params *params;
    rv_value value; /**< of the layer */
    int32_t channels;
    int side; /**< of the pictures */
} rv_filter_layer;

/** @param size  of the pictures; 0: as rv_filters_options.size says.
 *  @return as rv_visualize_filters(); what was made is to be closed in any case */
RV_NODISCARD rv_status rv_filter_layer_open(rv_filter_layer *out, rv_device *device,
                                            const rv_model *model, const char *name, int size);
void rv_filter_layer_close(rv_filter_layer *layer);

/** Where a channel is driven from: the value that goes into the rectifiers in front of it, behind joints, and its
 *  channel there. */
rv_value rv_filter_source(const rv_graph *graph, rv_value value, int *channel);

/** Called after each step: how many are done. */
typedef void rv_filter_report(void *payload, int done);

/** Makes n pictures, which start anew.
 *  @param[out] pictures  [n,3,side,side], 0 to 1, R,G,B; as far as they got where it fails with RV_ERR_CANCELLED.
 *  @param[out] means     n: mean over all places of what the channel does in the picture itself.
 *  @return RV_ERR_DEVICE_MEMORY: there is no room for so many; RV_ERR_CANCELLED */
RV_NODISCARD rv_status rv_filter_batch_run(rv_filter_layer *layer, const rv_filter *filters, int n,
                                           const rv_filters_options *options,
                                           rv_filter_report *report, void *payload, float *pictures,
                                           double *means);

#endif
