/* A network as its file tells it: layers by name, before any of it is built; and its weights. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_MODEL_INTERNAL_H
#define RV_MODEL_INTERNAL_H

#include "base/file.h"
#include "model/model.h"
#include "model/protobuf.h"
#include "model/prototxt.h"
#include "model/safetensors.h"

#include <string.h>

enum { RV_LAYER_MAX_ATTRS = 10 };

/** Names that a layer reads or writes; owned. */
typedef struct rv_names {
    char **list;
    size_t n, capacity;
} rv_names;

typedef struct rv_layer {
    char *name;
    const char *op; /**< static; NULL: the outputs are other names of input 0 */
    rv_names inputs, outputs;
    rv_attr_value attrs[RV_LAYER_MAX_ATTRS];
    size_t n_attrs;
    int line; /**< in the network's file, 0: none */
} rv_layer;

/** What an importer makes and rv_network_build() turns into a graph. A layer may write the name that
 *  it reads: later layers then read its output. */
typedef struct rv_network {
    char *name;
    char *file;  /**< for messages; NULL: built in */
    char *input; /**< name of the network's own input */
    int32_t channels, height, width;
    rv_pooling pooling; /**< what rv_network_pool() makes of pooling layers */
    rv_preprocessing preprocessing;
    double share; /**< of the shorter side of a picture that it looks at; rv_model_share() */
    rv_layer *layers;
    size_t n_layers, capacity;
} rv_network;

RV_NODISCARD rv_status rv_network_create(rv_network **out, const char *name, const char *file,
                                         rv_pooling pooling);
void rv_network_destroy(rv_network *network);
RV_NODISCARD rv_status rv_network_set_input(rv_network *network, const char *name, int32_t channels,
                                            int32_t height, int32_t width);
/** Adds a layer without inputs and outputs; *out is borrowed until the next layer is added. */
RV_NODISCARD rv_status rv_network_layer(rv_layer **out, rv_network *network, const char *op,
                                        const char *name, int line);
RV_NODISCARD rv_status rv_names_add(rv_names *names, const char *name);
void rv_layer_set(rv_layer *layer, rv_attr_value value);

/** Adds a layer from one input to one output of its own name, as the built-in architectures do.
 *  @param input   name of the input.
 *  @param output  NULL: the layer's name; the input's name: in place. */
RV_NODISCARD rv_status rv_network_chain(rv_layer **out, rv_network *network, const char *op,
                                        const char *name, const char *input, const char *output);
/** Operation of a pooling layer, with the network's `pooling` applied. */
const char *rv_network_pool(const rv_network *network, bool max, bool global);

/** The graph without weights; as rv_model_build(). */
RV_NODISCARD rv_status rv_network_build(rv_model_graph *out, const rv_network *network,
                                        const char *const *layers, size_t n_layers);

/** What an architecture is built for; 0: as it was published. */
typedef struct rv_architecture_shape {
    int32_t channels; /**< of the pictures: 3, or 1 for grey */
    int32_t height, width;
    int32_t classes;
} rv_architecture_shape;

/** The network of a built-in architecture. *out stays NULL where `name` is none.
 *  @param name  may carry more behind a colon: "mlp:300,100". */
RV_NODISCARD rv_status rv_architecture_create(rv_network **out, const char *name,
                                              const rv_architecture_shape *shape,
                                              rv_pooling pooling);

/** Stands before the names of a new head's layers: the file of the network has no weights for them. */
#define RV_HEAD_PREFIX "head/"
static inline bool rv_is_head(const char *node)
{
    return strncmp(node, RV_HEAD_PREFIX, sizeof RV_HEAD_PREFIX - 1) == 0;
}
/** Replaces the classifier, the last convolution or dense layer with all behind it: mean of each channel where
 *  what is left gives maps, the layers of `text` ("dense 256 elu, dropout 0.5"; "linear": none), a dense layer to the
 *  classes, softmax. */
RV_NODISCARD rv_status rv_network_replace_head(rv_network *network, const char *text,
                                               int32_t classes);

/** Reads a Caffe network from a prototxt, in its test phase. */
RV_NODISCARD rv_status rv_caffe_network(rv_network **out, const char *path, rv_pooling pooling);
/** The same from text; `file` names it in messages. */
RV_NODISCARD rv_status rv_caffe_parse(rv_network **out, const char *text, size_t size,
                                      const char *file, rv_pooling pooling);
/** Names of all fields of Caffe's messages that importing reads or passes over. */
extern const rv_prototxt_rule rv_caffe_rules[];

/** Weights of a caffemodel: an index of its blobs, which stay in the file. */
typedef struct rv_caffe_weights rv_caffe_weights;

RV_NODISCARD rv_status rv_caffe_weights_open(rv_caffe_weights **out, const char *path);
/** The same from memory that outlives *out. */
RV_NODISCARD rv_status rv_caffe_weights_parse(rv_caffe_weights **out, const uint8_t *data,
                                              size_t size, const char *file);
void rv_caffe_weights_close(rv_caffe_weights *weights);
/** Checks count and shape of the blobs of every node of `graph` that takes weights, and copies their
 *  values into it if `copy`. */
RV_NODISCARD rv_status rv_caffe_weights_apply(const rv_caffe_weights *weights, rv_graph *graph,
                                              bool copy);

/** Paths that make up a model; NULL where there is none; owned. */
typedef struct rv_model_files {
    char *graph, *weights, *labels;
} rv_model_files;

/** @param path      of a graph or of weights; the name of an architecture if `built_in`. */
RV_NODISCARD rv_status rv_model_files_find(rv_model_files *out, const char *path, bool built_in,
                                           const rv_model_options *options);
void rv_model_files_release(rv_model_files *files);

/** Network and class names of a file that Reverie wrote; `file` names it in messages. */
RV_NODISCARD rv_status rv_own_network(rv_network **out, rv_names *classes,
                                      const rv_safetensors *weights, const char *file);
/** Checks all weights of `graph`, and copies their values into it if `copy`. */
RV_NODISCARD rv_status rv_own_weights_apply(const rv_safetensors *weights, rv_graph *graph,
                                            bool new_head, bool copy);
/** Writes such a file. @param share  what it is to look at of a picture
 *  @param training  JSON of a checkpoint, NULL: none */
RV_NODISCARD rv_status rv_own_write_network(const char *path, const rv_network *network,
                                            const char *const *classes, size_t n_classes,
                                            const rv_stored_tensor *tensors, size_t n_tensors,
                                            double share, const char *training,
                                            const rv_store_options *options);

/** Lines of a file of class names, synset numbers dropped. */
RV_NODISCARD rv_status rv_labels_read(rv_names *out, const char *path);
void rv_names_release(rv_names *names);

#endif
