/* A network as its file tells it: layers by name, before any of it is built; and its weights. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_MODEL_INTERNAL_H
#define RV_MODEL_INTERNAL_H

#include "base/file.h"
#include "base/npy.h"
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
    rv_initializer init; /**< of its weights, where the file says so; gain 0: it does not */
    int line;            /**< in the network's file, 0: none */
} rv_layer;

/** What an importer makes and rv_network_build() turns into a graph. A layer may write the name that
 *  it reads: later layers then read its output. */
typedef struct rv_network {
    char *name;
    char *file;      /**< for messages; NULL: built in */
    char *mean_file; /**< path where the one that a layer names would lie; NULL: none is named */
    char *input;     /**< name of the network's own input */
    int32_t channels, height, width;
    rv_preprocessing preprocessing;
    rv_task task;
    float *mean, *deviation; /**< with RV_TASK_VALUES, of each output; NULL: 0 and 1 */
    size_t n_scales;
    double share; /**< of the shorter side of a picture that it looks at; rv_model_share() */
    rv_layer *layers;
    size_t n_layers, capacity;
} rv_network;

/** "caffe", "torch" and "vgg" of rv_preprocessing_find(). */
extern const rv_preprocessing rv_preprocessing_caffe, rv_preprocessing_torch, rv_preprocessing_vgg;
/** Whether rv_preprocessing_find() takes the name for that of a mean file. */
bool rv_preprocessing_is_file(const char *name);

/** An empty network that takes pictures as Caffe's models do. @param file  NULL: built in */
RV_NODISCARD rv_status rv_network_create(rv_network **out, const char *name, const char *file);
void rv_network_destroy(rv_network *network);
RV_NODISCARD rv_status rv_network_set_input(rv_network *network, const char *name, int32_t channels,
                                            int32_t height, int32_t width);
/** Adds a layer without inputs and outputs; *out is borrowed until the next layer is added. */
RV_NODISCARD rv_status rv_network_layer(rv_layer **out, rv_network *network, const char *op,
                                        const char *name, int line);
/** Takes all layers off but the first `n_layers`. */
void rv_network_truncate(rv_network *network, size_t n_layers);
RV_NODISCARD rv_status rv_names_add(rv_names *names, const char *name);
void rv_layer_set(rv_layer *layer, rv_attr_value value);
/** An attribute that was set; NULL: it was not; borrowed until another is set. */
const rv_attr_value *rv_layer_attr(const rv_layer *layer, const char *name);

/** Adds a layer from one input to one output of its own name, as the built-in architectures do.
 *  @param input   name of the input.
 *  @param output  NULL: the layer's name; the input's name: in place. */
RV_NODISCARD rv_status rv_network_chain(rv_layer **out, rv_network *network, const char *op,
                                        const char *name, const char *input, const char *output);
/** Pooling of the kind asked for instead of the network's, but where whole maps are pooled; binomial where a window
 *  halves the size. */
void rv_network_replace_pooling(rv_network *network, rv_pooling pooling);

/** Index of the last of the first `n` layers that writes `name`, -1 if none does. */
int rv_network_writer(const rv_network *network, size_t n, const char *name);
/** Index of the layer of that name, else of the last that writes it; -1 for the network's input. */
RV_NODISCARD rv_status rv_network_find(const rv_network *network, int *out, const char *name);
/** What one layer needs, as a network that shares all with `network` but the list of layers: free(out->layers).
 *  @param until  NULL: the last layer before the first that is dense, pools whole maps or is a softmax. */
RV_NODISCARD rv_status rv_network_part(rv_network *out, const rv_network *network,
                                       const char *until);

/** Appends the layers to graph `out`, from out->input on, and sets out->output. */
RV_NODISCARD rv_status rv_network_append(rv_model_graph *out, const rv_network *network,
                                         const char *const *layers, size_t n_layers);
/** The graph without weights; as rv_model_build(). */
RV_NODISCARD rv_status rv_network_build(rv_model_graph *out, const rv_network *network,
                                        const char *const *layers, size_t n_layers);

/** Gives the layers of a VGG network the names that they have in Caffe's files, conv1_1, relu1_1, pool1 and so on,
 *  beside their own; leaves any other network as it is. */
RV_NODISCARD rv_status rv_network_name_vgg(rv_network *network);

/** What an architecture is built for; 0: as it was published. */
typedef struct rv_architecture_shape {
    int32_t channels; /**< of the pictures: 3, or 1 for grey */
    int32_t height, width;
    int32_t classes;
} rv_architecture_shape;

/** The network of a built-in architecture, or of a .yaml file that lists its layers. *out stays NULL where `name` is
 *  neither.
 *  @param name  may carry more behind a colon: "mlp:300,100". */
RV_NODISCARD rv_status rv_architecture_create(rv_network **out, const char *name,
                                              const rv_architecture_shape *shape);

/** The network that YAML describes; `file` names it in messages. */
RV_NODISCARD rv_status rv_architecture_parse(rv_network **out, const char *text, size_t size,
                                             const char *file, const rv_architecture_shape *shape);

/** Stands before the names of a new head's layers: the file of the network has no weights for them. */
#define RV_HEAD_PREFIX "head/"
static inline bool rv_is_head(const char *node)
{
    return strncmp(node, RV_HEAD_PREFIX, sizeof RV_HEAD_PREFIX - 1) == 0;
}
/** Replaces the head that was put on before, or else the classifier, the last convolution or dense layer, with all
 *  behind it: mean of each channel where what is left gives maps, a norm, the layers of `text` ("dense 256 elu, dropout
 *  0.5"; "linear": none), a dense layer to the classes, softmax. */
RV_NODISCARD rv_status rv_network_replace_head(rv_network *network, const char *text,
                                               int32_t classes);

/** Ends the network in what the task takes: softmax, sigmoid, or neither. */
RV_NODISCARD rv_status rv_network_set_task(rv_network *network, rv_task task);
/** What the outputs are multiplied with and what is added; copied; NULL: they are as they come. */
RV_NODISCARD rv_status rv_network_set_scale(rv_network *network, const float *mean,
                                            const float *deviation, size_t n);
/** "classes", "labels" or "values". */
const char *rv_task_name(rv_task task);

/** Reads a Caffe network from a prototxt, in its test phase. */
RV_NODISCARD rv_status rv_caffe_network(rv_network **out, const char *path);
/** The same from text; `file` names it in messages. */
RV_NODISCARD rv_status rv_caffe_parse(rv_network **out, const char *text, size_t size,
                                      const char *file);
/** Names of all fields of Caffe's messages that importing reads or passes over. */
extern const rv_prototxt_rule rv_caffe_rules[];

/** Mean of each channel over the pixels of a mean picture, in its order: Caffe's .binaryproto, or .npy of one number for
 *  each channel or CxHxW. All three are the same where it has one channel.
 *  @return RV_ERR_FORMAT, RV_ERR_SHAPE: neither 3 nor 1 channels */
RV_NODISCARD rv_status rv_mean_file_read(float mean[3], const char *path);

/** All values of a BlobProto, freed with free(), and its sizes without leading ones. */
RV_NODISCARD rv_status rv_caffe_blob_read(float **out, int *rank, size_t dim[RV_NPY_MAX_RANK],
                                          const uint8_t *data, size_t size);

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

/** An ONNX model: its graph, and where its weights lie in the file. */
typedef struct rv_onnx rv_onnx;

/** Maps the file and reads what it holds. RV_ERR_FORMAT names the byte; RV_ERR_UNSUPPORTED. */
RV_NODISCARD rv_status rv_onnx_open(rv_onnx **out, const char *path);
/** The same from memory that outlives *out; external data is refused. */
RV_NODISCARD rv_status rv_onnx_parse(rv_onnx **out, const uint8_t *data, size_t size,
                                     const char *file);
void rv_onnx_close(rv_onnx *onnx);
/** Gives an input of the graph a value, so that it is no input any more.
 *  @param message  a TensorProto, which outlives `onnx`. */
RV_NODISCARD rv_status rv_onnx_give(rv_onnx *onnx, const char *input, const uint8_t *message,
                                    size_t size);
/** Turns the graph into a network, once. Constants are computed. A size of the input that the file leaves open
 *  becomes 224, the batch 1. RV_ERR_UNSUPPORTED names all nodes that have no operation here.
 *  @param input  NULL, or set to the shape of the input, of any rank; else it has to be pictures of 3 or 1
 *                channels. */
RV_NODISCARD rv_status rv_onnx_network(rv_network **out, rv_onnx *onnx, rv_shape *input);
/** Whether the file shows what pictures it was trained on, which the network's preprocessing then is. */
bool rv_onnx_preprocessing(const rv_onnx *onnx, rv_network *network);
/** Checks the weights of every node of `graph`, and copies their values into it if `copy`. */
RV_NODISCARD rv_status rv_onnx_weights_apply(const rv_onnx *onnx, rv_graph *graph, bool copy);

struct rv_model {
    rv_model_kind kind;
    char *name;
    rv_network *network;       /**< NULL: patches */
    rv_caffe_weights *weights; /**< where they are; all three NULL: drawn at random */
    rv_safetensors *own;
    rv_onnx *onnx;
    char *file; /**< of the weights; NULL: drawn at random */
    uint32_t seed;
    rv_pooling pooling; /**< that was asked for */
    bool new_head;      /**< its last layers were put on by the options: no weights are anywhere */
    rv_names classes;   /**< as data sets name them, "n01440764"; none: no names are known */
    rv_names labels;    /**< the same for people, "tench"; none: as `classes` */
    rv_model_graph graph; /**< of all layers, without values */
};

/** rv_model_build_by() of `network`, the model's or a part of it. */
RV_NODISCARD rv_status rv_model_build_network(rv_model_graph *out, const rv_model *model,
                                              const rv_network *network, const char *const *layers,
                                              size_t n_layers, const rv_initializer *initializer);

/** Paths that make up a model; NULL where there is none; owned. */
typedef struct rv_model_files {
    char *graph, *weights, *labels;
    char *mean; /**< what the graph takes for its mean file, which need not be there */
} rv_model_files;

/** @param path      of a graph or of weights; the name of an architecture if `built_in`. */
RV_NODISCARD rv_status rv_model_files_find(rv_model_files *out, const char *path, bool built_in,
                                           const rv_model_options *options);
void rv_model_files_release(rv_model_files *files);

/** Network and names of classes of a file that Reverie wrote; `file` names it in messages. */
RV_NODISCARD rv_status rv_own_network(rv_network **out, rv_names *classes, rv_names *labels,
                                      const rv_safetensors *weights, const char *file);
/** Checks all weights of `graph`, and copies their values into it if `copy`. A layer of `network` may have them under
 *  one of its other names. */
RV_NODISCARD rv_status rv_own_weights_apply(const rv_safetensors *weights,
                                            const rv_network *network, rv_graph *graph,
                                            bool new_head, bool copy);
/** The network of torchvision that the names and shapes of the file's tensors show; *out stays NULL where they show none
 *  that is known: VGG-11 to VGG-19, with or without normalisation, and SqueezeNet 1.0 and 1.1. */
RV_NODISCARD rv_status rv_torchvision_network(rv_network **out, const rv_safetensors *file);
/** What a file that Reverie writes holds beside tensors; borrowed; NULL: it does not. */
typedef struct rv_own_content {
    const rv_network *network;
    double share;                               /**< of a picture that it is to look at */
    const char *const *classes, *const *labels; /**< as in rv_model */
    size_t n_classes;
    const char *licence, *provenance;
    const char *training; /**< JSON of a checkpoint */
} rv_own_content;

RV_NODISCARD rv_status rv_own_write_network(const char *path, const rv_own_content *content,
                                            const rv_stored_tensor *tensors, size_t n_tensors,
                                            const rv_store_options *options);

/** File of class names in the folder of `path`; *out is NULL where there is none. */
RV_NODISCARD rv_status rv_labels_find(char **out, const char *path);
/** Lines of a file of class names: "n01440764 tench, Tinca tinca" is the class n01440764 with the label "tench, Tinca
 *  tinca"; so is any word up to a tab; another line is both. */
RV_NODISCARD rv_status rv_labels_read(rv_names *classes, rv_names *labels, const char *path);
void rv_names_release(rv_names *names);

#endif
