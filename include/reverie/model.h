/* Networks: what there is, opening one from files or by name, its layers, classes, preprocessing. */
/* SPDX-License-Identifier: MIT */
#ifndef REVERIE_MODEL_H
#define REVERIE_MODEL_H

#include <reverie/events.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A network with class names and preprocessing; its weights stay in their file until they are used.
 *  Does not change once open: threads may share it. */
typedef struct rv_model rv_model;

typedef enum rv_model_kind {
    RV_MODEL_NETWORK,
    RV_MODEL_PATCHES /**< filters that stylize learns from the style picture: no layers, no weights */
} rv_model_kind;

/** What the numbers mean that a network gives for a picture. */
typedef enum rv_task {
    RV_TASK_CLASSES, /**< it is of one of several classes: probabilities that add up to 1 */
    RV_TASK_LABELS,  /**< any of several labels may be its: a probability each */
    RV_TASK_VALUES,  /**< quantities, in the units of rv_model_value() */
    RV_TASKS
} rv_task;

/** What replaces the pooling layers of a network. */
typedef enum rv_pooling {
    RV_POOLING_AS_MADE, /**< as the network was made */
    RV_POOLING_MAX,     /**< average pooling becomes max pooling, global pooling stays */
    RV_POOLING_AVERAGE, /**< max pooling becomes average pooling */
    RV_POOLING_BINOMIAL /**< pooling that halves the size weights pixels by 1 2 1 along both axes */
} rv_pooling;

/** How a picture becomes what a network was trained on: each channel v of 0..1, in R,G,B or B,G,R
 *  order, becomes (v * range - mean) / deviation. mean and deviation are in the network's order. */
typedef struct rv_preprocessing {
    bool bgr;
    float range; /**< 255 for Caffe's models */
    float mean[3];
    float deviation[3];
} rv_preprocessing;

/** The usual ways by name: "caffe" (B,G,R of 0 to 255, minus 104, 117, 123), "vgg" (minus 103.939, 116.779, 123.68),
 *  "torch" (R,G,B of 0 to 1, minus 0.485, 0.456, 0.406, divided by 0.229, 0.224, 0.225), "signed" (R,G,B of -1 to 1),
 *  "unit" (of 0 to 1), "bytes" (of 0 to 255). A file .binaryproto or .npy is a mean picture, CxHxW, or a mean for each
 *  channel: B,G,R of 0 to 255 minus the means of its channels, as Caffe's networks take them.
 *  @return RV_ERR_USAGE names the nearest; RV_ERR_NOT_FOUND, RV_ERR_FORMAT, RV_ERR_SHAPE: of the file */
RV_API RV_NODISCARD rv_status rv_preprocessing_find(rv_preprocessing *out, const char *name);

typedef struct rv_model_options {
    size_t struct_size;
    const char *graph;   /**< prototxt that describes the network of a file that holds weights only;
                              NULL: the .prototxt of the same stem, else the only one beside it */
    const char *weights; /**< caffemodel or safetensors for a built-in architecture or a prototxt;
                              NULL: the caffemodel of the same stem as the prototxt, else weights
                              drawn at random (said by a warning) */
    uint32_t seed;       /**< of weights drawn at random; default 0 */
    rv_pooling pooling;  /**< default RV_POOLING_AS_MADE */
    const rv_preprocessing *preprocessing; /**< NULL: the model's own */
    const rv_events *events;
    int height, width; /**< of the pictures; 0: as the model was made, or published */
    /* What a built-in architecture is made for; 0: as it was published. */
    int channels; /**< of the pictures: 3, or 1 for grey */
    int classes;  /**< also of `head` */
    /** NULL, or what takes the place of the classifier, for `classes` classes, with weights drawn at random:
     *  "linear" a dense layer, "dense 256 elu, dropout 0.5" these before it */
    const char *head;
    /** NULL: as it was made; else its end is changed where that does something else: softmax, sigmoid, or neither */
    const rv_task *task;
    /** NULL, or `preprocessing` by a name that rv_preprocessing_find() knows; an ONNX file that does not show its
     *  own needs one of them */
    const char *preprocess;
    /** the built-in architecture of that name, though a model of it was fetched; default false */
    bool untrained;
} rv_model_options;
#define RV_MODEL_OPTIONS_INIT                                                                      \
    {                                                                                              \
        sizeof(rv_model_options), NULL, NULL, 0, RV_POOLING_AS_MADE, NULL, NULL, 0, 0, 0, 0, NULL, \
            NULL, NULL, false                                                                      \
    }

/** Opens a model: "patches"; "builtin", the network that comes with Reverie; the name of a model that was fetched or
 *  added (<reverie/zoo.h>), unless the options ask for an architecture: by `untrained`, `weights`, `graph`, channels or
 *  classes; one of the built-in architectures of rv_model_list(), of which "mlp:300,100" says the units of its hidden
 *  layers; all else is the path of a .yaml that lists the layers of an architecture (docs/guide/models.md), of a
 *  .caffemodel or .prototxt, of an .onnx, or of a .safetensors: one that Reverie wrote, one of torchvision's VGG networks
 *  and SqueezeNets, whose layers are then named as in Caffe's files, or one that a prototxt describes. labels.txt,
 *  synset_words.txt or synset.txt beside it names the classes.
 *  @param options  NULL for defaults.
 *  @return RV_ERR_NOT_FOUND: no such file, no graph for weights; RV_ERR_FORMAT: damaged, with file and line or byte;
 *          RV_ERR_UNSUPPORTED: a layer type that Reverie has not, or a file format; RV_ERR_SHAPE: weights do not fit the
 *          layer; RV_ERR_USAGE: options that do not go with this model. */
RV_API RV_NODISCARD rv_status rv_model_open(rv_model **out, const char *name_or_path,
                                            const rv_model_options *options);
RV_API void rv_model_close(rv_model *model);

typedef struct rv_model_save_options {
    size_t struct_size;
    /** weights of 16 bits, rounded to 11 binary digits: half the size. Vectors (biases, statistics of norms) keep
     *  32. Default false */
    bool half;
    /** leave out the first layer that is dense, pools whole maps or is a softmax, with all behind it; default false */
    bool features;
    const char *until; /**< last layer that is kept; NULL: all */
    /** file of class names for people, a line for each: the class as the model has it, a tab, its name; or, where
     *  it knows none, names in order; more lines than classes do no harm. NULL: as the model has them */
    const char *labels;
    const char *licence;    /**< one line; NULL: as the model says */
    const char *provenance; /**< what it was made from and how; NULL: as the model says */
    bool overwrite;         /**< replace a file; default false */
} rv_model_save_options;
#define RV_MODEL_SAVE_OPTIONS_INIT                                                 \
    {                                                                              \
        sizeof(rv_model_save_options), false, false, NULL, NULL, NULL, NULL, false \
    }

/** Writes a network with its weights, class names and preprocessing as Reverie's own .safetensors, which
 *  rv_model_open() takes. A part of a network has no classes. Batch norm stays a layer of its own, so that training can
 *  go on from the file; wherever it is run it is folded into the convolution before it.
 *  @param options  NULL for defaults.
 *  @return RV_ERR_USAGE: no network, or `path` exists and overwrite is false; RV_ERR_NOT_FOUND: no such layer, or a
 *          class without a line in `labels`; RV_ERR_FORMAT: `labels` names another number of classes where the model
 *          names none; RV_ERR_UNSUPPORTED: a weight beyond what 16 bits hold. */
RV_API RV_NODISCARD rv_status rv_model_save(const rv_model *model, const char *path,
                                            const rv_model_save_options *options);

RV_API rv_model_kind rv_model_get_kind(const rv_model *model);
/** Name in the graph's file, or of the architecture; borrowed. */
RV_API const char *rv_model_name(const rv_model *model);
/** Whether its weights were drawn at random. */
RV_API bool rv_model_is_random(const rv_model *model);
/** SHA-256 of the file that has the weights, as 64 digits and a NUL; takes seconds for hundreds of megabytes, with
 *  progress.
 *  @param events  NULL, or progress and cancelling
 *  @return RV_ERR_USAGE: the model has no such file, or weights in others beside it; RV_ERR_IO; RV_ERR_CANCELLED */
RV_API RV_NODISCARD rv_status rv_model_hash(const rv_model *model, char out[65],
                                            const rv_events *events);
/** Size of the pictures it was made for. */
RV_API int rv_model_width(const rv_model *model);
RV_API int rv_model_height(const rv_model *model);
/** 3, or 1 where it takes grey pictures. */
RV_API int rv_model_channels(const rv_model *model);
RV_API const rv_preprocessing *rv_model_preprocessing(const rv_model *model); /**< borrowed */

RV_API rv_task rv_model_task(const rv_model *model);
/** With RV_TASK_VALUES: the quantity that output `index` stands for where the network gives x, mean + deviation * x of
 *  the quantities that it was trained with. With other tasks x. */
RV_API double rv_model_value(const rv_model *model, int index, double x);

/** How many classes, labels or quantities have names; 0 where the model knows none. */
RV_API int rv_model_label_count(const rv_model *model);
RV_API const char *rv_model_label(const rv_model *model,
                                  int index); /**< for people, "tench"; NULL beyond; borrowed */
RV_API const char *
rv_model_class(const rv_model *model,
               int index); /**< as its data set has it, "n01440764"; NULL beyond; borrowed */

/** What a file of Reverie's own says of its licence and of what it was made from; NULL: nothing; borrowed. */
RV_API const char *rv_model_licence(const rv_model *model);
RV_API const char *rv_model_provenance(const rv_model *model);

/** One row of the layer table. */
typedef struct rv_layer_info {
    const char *name; /**< what layer options take; borrowed from the model */
    const char *type; /**< operation, "conv" */
    int rank;
    int dim[4];          /**< of the output, N,C,H,W for rank 4, at the model's own size */
    uint64_t parameters; /**< values learned in training, biases included */
    uint64_t macs;       /**< multiply-adds of a forward pass */
    /** of its output, for one picture; a plan lets layers share memory where it can */
    uint64_t bytes;
} rv_layer_info;

RV_API int rv_model_layer_count(const rv_model *model);
/** @param index  0 to rv_model_layer_count() - 1, in the order they run. */
RV_API rv_layer_info rv_model_layer(const rv_model *model, int index);

/** Writes the layers as text for Graphviz (`dot -Tsvg FILE`): a box for each with operation, attributes and parameters,
 *  frames around those whose names have a scope in common ("block1/"), shapes along the edges.
 *  @return RV_ERR_USAGE: no network, or `path` exists and overwrite is false. */
RV_API RV_NODISCARD rv_status rv_model_draw(const rv_model *model, const char *path,
                                            bool overwrite);

/** One row of `reverie models list`. */
typedef struct rv_model_entry {
    const char *name;
    const char *summary; /**< one line: what it is and where its weights come from */
    const char *source;  /**< "architecture": weights from a file or at random; "trained": weights
                              come with Reverie; "style": made from the style picture */
} rv_model_entry;

/** Path of the file of "builtin"; freed with free(). It is looked for in the folder REVERIE_DATA_DIR where that is set,
 *  else in share/reverie of the tree that the library is installed or built in.
 *  @return RV_ERR_NOT_FOUND: this copy of Reverie has none. */
RV_API RV_NODISCARD rv_status rv_model_find_builtin(char **out);

/** Everything that has a name of its own; static. */
RV_API const rv_model_entry *rv_model_list(size_t *n);

#ifdef __cplusplus
}
#endif
#endif
