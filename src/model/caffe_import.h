/* What the parts of the Caffe importer share: layers, and where pictures come in. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_MODEL_CAFFE_IMPORT_H
#define RV_MODEL_CAFFE_IMPORT_H

#include "model/internal.h"

typedef struct rv_caffe_importer {
    const rv_prototxt *doc;
    rv_network *network;
} rv_caffe_importer;

/** The layer that is read. */
typedef struct rv_caffe_source {
    size_t message;
    const char *name;
    size_t param; /**< message of its parameters, RV_PROTOTXT_NONE: none */
} rv_caffe_source;

/** Adds what a layer stands for. */
typedef rv_status rv_caffe_add(rv_caffe_importer *im, const rv_caffe_source *s);

/** Adds the layer of a message.
 *  @param v1  in the older format, whose types are in capitals. */
RV_NODISCARD rv_status rv_caffe_layer(rv_caffe_importer *im, size_t message, const char *name,
                                      bool v1);

/** RV_ERR_UNSUPPORTED "layer 'NAME': Reverie does not run WHAT". */
RV_NODISCARD rv_status rv_caffe_refuse(const rv_caffe_importer *im, const rv_caffe_source *s,
                                       const char *what);

/** Starts a layer of operation `op` with the bottoms and tops of the file. */
RV_NODISCARD rv_status rv_caffe_start(rv_caffe_importer *im, const rv_caffe_source *s,
                                      const char *op, rv_layer **out);

/** Layers that stand for the input, and the input of the network's own. */
rv_caffe_add rv_caffe_add_input, rv_caffe_add_data;
RV_NODISCARD rv_status rv_caffe_read_input(rv_caffe_importer *im);

#endif
