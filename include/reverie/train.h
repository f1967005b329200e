/* Training a network on labelled pictures, and measuring how well one does. */
/* SPDX-License-Identifier: MIT */
#ifndef REVERIE_TRAIN_H
#define REVERIE_TRAIN_H

#include <reverie/device.h>
#include <reverie/image.h>
#include <reverie/model.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How the weights of one layer learn, biases apart: means over a few steps of an epoch, its last among them. */
typedef struct rv_train_layer {
    const char *name; /**< borrowed */
    double gradient;  /**< norm of the gradient, before clipping */
    double weight;    /**< norm of the weights */
    double update;    /**< norm of what a step changes of them, divided by that of the weights */
    int units,
        dead; /**< of the rectifiers (ReLU) behind it: channels of maps, or values of rows; those
                           that are 0 at the end of the epoch for each of 256 training pictures */
} rv_train_layer;

/** What came of one epoch, or of the part of one that was trained. Shares are 0 to 1. */
typedef struct rv_train_epoch {
    int phase;             /**< 1 or 2 with `unfreeze_from`, else 0 */
    int epoch;             /**< from 1 */
    int64_t steps;         /**< updates so far */
    double loss, accuracy; /**< means over the batches, while weights moved; right is what has
                                        the right class, or all labels right; quantities have no
                                        accuracy: NaN */
    double val_loss, val_accuracy; /**< over the validation pictures; NaN where there are none */
    double val_error; /**< of quantities, root of the mean square error in their units; else NaN */
    double learning_rate;         /**< of the last step */
    double images_per_second;     /**< of training alone */
    double seconds_left;          /**< for all that is left; negative if unknown */
    bool best;                    /**< the best so far */
    const rv_train_layer *layers; /**< with `diagnose`, for on_epoch only: those with weights that
                                        learn, as they run; else NULL */
    size_t n_layers;
} rv_train_epoch;

/** Options of a training. Methods go by the names of docs/methods.md. */
typedef struct rv_train_options {
    size_t struct_size;
    const char
        *architecture; /**< of rv_model_list(), or a .yaml that lists layers; NULL: `model` */
    const char *model; /**< file to go on from, with all its weights; NULL: fresh ones */
    bool
        features; /**< `dataset` is a file that `extract` wrote (rv_feature_table) of the layer that the head of
                        `model` reads, with its names: rows in place of pictures. The folder of each file is its class;
                        all below the head stays as it is. `head` NULL: "linear" */
    int size; /**< side of the pictures; 0: that of `model`, or as the data set has them, else as the architecture */
    rv_pooling pooling; /**< what replaces pooling layers; default RV_POOLING_AS_MADE */
    const char *
        head; /**< with `model`: NULL, or what takes the place of its classifier: "linear" a dense layer to the
                           set's classes, "dense 256 elu, dropout 0.5" these before it */
    const char
        *freeze_until; /**< layer: it and all that it depends on stays as it is; NULL: none */
    const char *
        freeze; /**< names of layers with * and ?, commas between them, that stay as they are; behind a "!" all
                     but these; NULL: none */
    const char *
        freeze_below; /**< layer: all that it depends on stays as it is, the layer itself does not; NULL: none */
    const char *
        unfreeze_from; /**< NULL, or two trainings in one: first the new head (with `freeze` and freeze_until NULL), or
                            what these leave, in the folder "head" of the run; then, from its best weights on and
                            with freeze_below of this layer, the rest */
    int unfreeze_epochs;     /**< of the second; 0: `epochs` */
    double unfreeze_rate;    /**< learning rate of the second; 0: a tenth of the first */
    const char *layer_rates; /**< "conv1_*=0.1,fc6=2": factors of the learning rate; NULL: 1 */
    int epochs;              /**< default 10 */
    int64_t max_steps;       /**< stop there, as Ctrl-C does, in each phase; 0: no limit */
    double time_limit;       /**< seconds, likewise; 0: no limit */
    int batch;               /**< pictures of a step; default 64 */
    int accumulate;          /**< batches whose gradients are added up for an update; default 1 */
    const char *optimizer;   /**< default "momentum" */
    double learning_rate;    /**< 0: 0.01; of rmsprop, adam and adamw 0.001 */
    double momentum;         /**< below 0: the method's own */
    double l1, l2;           /**< penalties; default 0 and 5e-4 */
    bool penalize_all;       /**< biases and norms too */
    double clip_value, clip_norm; /**< 0: off */
    double
        average; /**< decay of a moving average of the weights, which is what is validated and saved
                                     then; 0: off */
    const char *schedule; /**< default "cosine" */
    double warm_up;       /**< epochs; default 0 */
    const char *
        decay_at; /**< "30,60": epochs behind which piecewise falls; NULL: half and three quarters */
    double decay_factor;  /**< of piecewise, plateau, exponential; 0: 0.1 */
    double decay_epochs;  /**< period of exponential and power; 0: all epochs */
    int plateau_patience; /**< epochs; default 5 */
    const char *init;     /**< first weights, for layers whose YAML says none; default "auto" */
    const char
        *loss; /**< NULL or "cross-entropy": a picture has one class; "bce", binary cross-entropy:
                               any of several labels; "mse", the mean square: quantities. The last two
                               take a .csv list, with "a;b" behind a picture */
    double smoothing; /**< of classes, 0 to 1; default 0 */
    const char *
        recipe; /**< augmentation of the training pictures: a YAML file, "light" or "photo"; NULL: none */
    double validation; /**< share that is held back where the set has no validation; default 0.2 */
    int patience; /**< epochs without gain in validation after which it ends with the best weights;
                                     0: never */
    int64_t checkpoint_steps;  /**< a checkpoint after so many; 0: by time and epoch only */
    double checkpoint_minutes; /**< and after so long; default 10 */
    bool resume;          /**< go on from the run's last checkpoint; RV_ERR_NOT_FOUND without one */
    bool resume_if_there; /**< likewise, or start */
    bool strict;          /**< end at a picture that cannot be read */
    bool overwrite;       /**< replace what is in the run's folder */
    bool diagnose;        /**< measure each layer at the end of epochs, also to layers.csv; nothing
                               else changes */
    uint32_t seed;
    int threads; /**< that read pictures; 0: by processors */
    const rv_events *events;
    void (*on_epoch)(void *payload, const rv_train_epoch *epoch); /**< after each; may be NULL */
    void *payload;                                                /**< handed to on_epoch */
} rv_train_options;

/** The defaults. */
RV_API rv_train_options rv_train_defaults(void);

typedef struct rv_train_result {
    rv_train_epoch last, best; /**< epoch 0: there was none */
    bool finished;             /**< false: stopped by a limit or cancelled; it can be resumed */
    bool stopped_early;        /**< by `patience` */
    bool diverged;             /**< it failed because the loss was not finite */
    size_t unreadable;         /**< pictures */
    int64_t steps;             /**< updates done, of the last phase; those before a resume too */
} rv_train_result;

/** Trains, and writes to the folder `run`: config.json (what was asked for), metrics.csv (a line for each epoch),
 *  last.safetensors (checkpoint: weights, moments, position), best.safetensors (the weights that did best in
 *  validation). Files appear whole or not at all. A resumed training goes on bit for bit as if it had not stopped.
 *  Quantities are learned less their mean over the training pictures and divided by their deviation, which the model
 *  keeps: rv_model_value(). Losses are those of what is learned.
 *  @param dataset  class folders, train/ and val/, a .csv list, IDX files.
 *  @return RV_ERR_CANCELLED: *result says how far it came, the checkpoint is written; RV_ERR_USAGE: options, a run
 *          that is there already, a batch larger than the set, a loss that is not finite, with the layer where it
 *          began. */
RV_API RV_NODISCARD rv_status rv_train(rv_train_result *result, rv_device *device,
                                       const char *dataset, const char *run,
                                       const rv_train_options *options);

/** A step of the search for a learning rate. */
typedef struct rv_rate_point {
    double rate, loss;
    double mean; /**< of the losses so far, the last ones counting most */
} rv_rate_point;

/** Trains from the start with a rate that grows from 1e-6 to 10 over 100 steps, until the mean of the losses is four
 *  times its best; nothing is kept or written.
 *  @param[out] out         n points, freed with free().
 *  @param[out] suggestion  where the mean falls most steeply; NaN where it never does.
 *  @return as rv_train(), folders apart. */
RV_API RV_NODISCARD rv_status rv_find_learning_rate(rv_rate_point **out, size_t *n,
                                                    double *suggestion, rv_device *device,
                                                    const char *dataset,
                                                    const rv_train_options *options);

/** How a model does on labelled pictures. */
typedef struct rv_evaluation rv_evaluation;

typedef struct rv_evaluate_options {
    size_t struct_size;
    int batch;         /**< default 64 */
    double validation; /**< share that is held back, and with it measured; default 0: see `train` */
    bool
        train; /**< measure the training pictures; default: those for validation, or where there are none,
                            all */
    bool strict;   /**< end at a picture that cannot be read */
    uint32_t seed; /**< of the share that is held back */
    const rv_events *events;
} rv_evaluate_options;
#define RV_EVALUATE_OPTIONS_INIT                                  \
    {                                                             \
        sizeof(rv_evaluate_options), 64, 0, false, false, 0, NULL \
    }

/** Classes or labels of the model and of the set are matched by name where the model has names.
 *  @param[out] out  freed with rv_evaluation_destroy(). @param dataset  as rv_train() takes it.
 *  @return RV_ERR_NOT_FOUND, RV_ERR_FORMAT: the set, or none of its pictures can be read; RV_ERR_USAGE: options, a
 *          class that the model does not know; RV_ERR_UNSUPPORTED: the model does not end in a row of numbers;
 *          RV_ERR_CANCELLED. */
RV_API RV_NODISCARD rv_status rv_evaluate(rv_evaluation **out, rv_device *device,
                                          const rv_model *model, const char *dataset,
                                          const rv_evaluate_options *options);
RV_API void rv_evaluation_destroy(rv_evaluation *evaluation);

RV_API size_t rv_evaluation_count(const rv_evaluation *e);      /**< pictures */
RV_API size_t rv_evaluation_unreadable(const rv_evaluation *e); /**< that were left out */
RV_API rv_task rv_evaluation_task(const rv_evaluation *e);      /**< of the model */
RV_API double rv_evaluation_loss(const rv_evaluation *e);       /**< mean; as in training */
/** Share of the pictures whose class is among the k likeliest; 0 for other tasks. */
RV_API double rv_evaluation_top(const rv_evaluation *e, int k);
/** Share of the pictures with all labels right; of classes as rv_evaluation_top() of 1, of quantities NaN. */
RV_API double rv_evaluation_exact(const rv_evaluation *e);
/** Classes, labels or quantities. */
RV_API int rv_evaluation_classes(const rv_evaluation *e);
RV_API const char *rv_evaluation_class(const rv_evaluation *e, int index); /**< borrowed */
/** Pictures of class `actual` that were taken for `predicted`; 0 for other tasks. */
RV_API uint64_t rv_evaluation_confusion(const rv_evaluation *e, int actual, int predicted);

typedef struct rv_class_score {
    uint64_t count;           /**< pictures of the class, or with the label */
    double precision, recall; /**< 0 where nothing was, or should have been, taken for it */
    double f1;                /**< 2 p r / (p + r), 0 where both are 0 */
} rv_class_score;
RV_API rv_class_score rv_evaluation_score(const rv_evaluation *e, int index);

typedef struct rv_value_score {
    double rmse, mae; /**< root of the mean square, and mean, of errors, in units of the quantity */
    double
        r2; /**< 1 - sum of squares of errors / of differences from the mean: 1 is all of it, 0 no
                           better than always saying the mean; NaN where all are the same */
} rv_value_score;
/** Of a quantity; NaN for other tasks. */
RV_API rv_value_score rv_evaluation_value(const rv_evaluation *e, int index);

/** Draws the confusion matrix: a line per class, a column per prediction, darker the larger the share of the line. */
RV_API RV_NODISCARD rv_status rv_evaluation_draw_confusion(rv_image **out, const rv_evaluation *e);
/** Writes the confusion matrix as CSV: a line per class, a column per prediction. As the picture of it RV_ERR_USAGE for
 *  other tasks. */
RV_API RV_NODISCARD rv_status rv_evaluation_write_confusion(const rv_evaluation *e,
                                                            const char *path, bool overwrite);

#ifdef __cplusplus
}
#endif
#endif
