/* One training: what its files share. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_TRAIN_RUN_H
#define RV_STAGES_TRAIN_RUN_H

#include "base/text.h"
#include "graph/graph.h"
#include "optim/schedule.h"
#include "optim/update.h"
#include "stages/event_log.h"
#include "stages/feature_rows.h"
#include "stages/tally.h"
#include "stages/training.h"

#include <reverie/train.h>

/** The folder of the first phase, in that of the run. */
#define RV_TRAIN_HEAD "head"

/** Where a training is; all of it is part of a checkpoint. */
typedef struct rv_train_position {
    int64_t batches;       /**< done in all; the next one has this number */
    int64_t steps;         /**< updates done */
    double loss;           /**< sum over the batches of this epoch */
    int64_t correct, seen; /**< pictures of this epoch */
    rv_rate_state rate;
    rv_train_epoch best; /**< epoch 0: none yet */
    int64_t waited;      /**< epochs since then */
} rv_train_position;

typedef struct rv_diagnosis rv_diagnosis;

typedef struct rv_train_run {
    rv_train_options options; /**< resolved */
    int phase;                /**< of two, 0: there is one only */
    rv_task task;             /**< by the loss */
    const char *folder;       /**< NULL: nothing is written */
    const char *dataset_path;
    rv_device *device;
    char *config; /**< JSON of what was asked for */

    rv_recipe recipe;
    rv_augmenter *augmenter; /**< NULL: pictures are taken as they are */
    rv_augment_job *jobs;    /**< [batch] */
    const rv_source **sources;

    rv_dataset *dataset;
    rv_feature_rows_file *rows; /**< with options.features, else NULL */
    float *row_values;          /**< of all rows, until they are in the tables */
    size_t n_row_values;        /**< of a row */
    rv_loader *loader;
    rv_model *model;
    rv_model_graph graph;
    rv_training_graph training;
    rv_params *params;
    bool *frozen;   /**< by node of the graph, NULL: none */
    bool *fixed;    /**< by node: what it gives depends on the picture alone */
    rv_value input; /**< what batches hold: the picture, or what the fixed layers made of it */
    float *table[RV_SUBSETS]; /**< rows of that, NULL where batches hold pictures */
    size_t unreadable; /**< pictures, while the tables were filled or in the first validation */
    bool validated;    /**< in this call */
    rv_plan *plan;
    rv_update *update;
    rv_runner validation; /**< plan NULL: there is none */
    rv_rate rate;
    int64_t batches_per_epoch, total_steps;

    rv_train_position at;
    rv_text metrics;         /**< metrics.csv */
    rv_diagnosis *diagnosis; /**< NULL: not asked for */
    rv_event_log *events;    /**< the same for TensorBoard */
    rv_train_epoch last;
    bool finished_before; /**< nothing was left to do: nothing below `config` was made */
    bool diverged;        /**< a loss was not finite */
    rv_scoring scoring;   /**< of what the network gives */
    float *
        targets; /**< [batch,n] as they are learned, NULL: classes and labels are what batches hold */
    float *host; /**< [batch,n]: logits of a batch */

    double first_loss;               /**< of the first batch in this call, 0: none yet */
    double started, last_checkpoint; /**< by the clock */
    double train_seconds;            /**< of the steps of this epoch, in this call */
    int64_t epoch_images;            /**< likewise */
    int64_t steps_before;            /**< that were done when this call began */
} rv_train_run;

/** train_targets.c: what is right for a picture: the task of the loss; how numbers are scaled; a batch of them. */
RV_NODISCARD rv_status rv_train_find_task(rv_task *out, const char *loss);
RV_NODISCARD rv_status rv_train_find_scale(rv_train_run *run);
RV_NODISCARD rv_status rv_train_upload_labels(rv_train_run *run, rv_plan *plan,
                                              const rv_batch *batch);
/** train_targets.c: pictures of the batch that the logits in run->host are right about. */
int64_t rv_train_count_right(const rv_train_run *run, const rv_batch *batch);

/** train_options.c: fills in what is left to the program, and checks all. */
RV_NODISCARD rv_status rv_train_resolve(rv_train_options *out, const rv_train_options *options);
/** train_features.c: what options mean where features take the place of pictures. */
RV_NODISCARD rv_status rv_train_resolve_features(rv_train_options *o);
/** train_features.c: opens the features and the set of the files that they are of. */
RV_NODISCARD rv_status rv_train_open_features(rv_train_run *run, const rv_dataset_options *options);
/** train_features.c: run->input by the values of a row. @param cut  the value of the frozen layers that the rest reads */
RV_NODISCARD rv_status rv_train_find_features(rv_train_run *run, rv_value cut);
/** train_features.c: puts them in the tables. */
RV_NODISCARD rv_status rv_train_take_features(rv_train_run *run);

/** train_options.c: methods by name. */
RV_NODISCARD rv_status rv_train_update_options(rv_update_options *out, const rv_train_options *o);
RV_NODISCARD rv_status rv_train_rate(rv_rate *out, const rv_train_options *o, int64_t total_steps,
                                     int64_t steps_per_epoch);
/** train_options.c: JSON of the options that shape the result; freed with free(). */
RV_NODISCARD rv_status rv_train_config(char **out, const rv_train_options *o, const char *dataset);
/** train_options.c: RV_ERR_USAGE names the first option in which two configurations differ. */
RV_NODISCARD rv_status rv_train_same_config(const char *now, const char *then, const char *file);

/** train.c: one training, its options resolved.
 *  @param phase  of two, 0: there is one only */
RV_NODISCARD rv_status rv_train_once(rv_train_result *result, rv_device *device,
                                     const char *dataset, const char *folder,
                                     const rv_train_options *options, int phase);
/** train_phases.c: two, by options->unfreeze_from. */
RV_NODISCARD rv_status rv_train_phases(rv_train_result *result, rv_device *device,
                                       const char *dataset, const char *folder,
                                       const rv_train_options *options);

/** train_checkpoint.c: writes last.safetensors and metrics.csv. */
RV_NODISCARD rv_status rv_train_save(rv_train_run *run);
/** train_checkpoint.c: writes best.safetensors, the weights as they are on the device now. */
RV_NODISCARD rv_status rv_train_save_best(rv_train_run *run);
/** train_checkpoint.c: whether the checkpoint is that of a training that had come to its end; then run->at is where it
 *  stood. RV_ERR_USAGE as rv_train_same_config(). */
RV_NODISCARD rv_status rv_train_was_finished(bool *out, rv_train_run *run);
/** train_checkpoint.c: goes back to last.safetensors. RV_ERR_NOT_FOUND without one. */
RV_NODISCARD rv_status rv_train_load(rv_train_run *run);
/** train_checkpoint.c: path of a file of the run; freed with free(). */
RV_NODISCARD rv_status rv_train_path(char **out, const rv_train_run *run, const char *name);

/** train_checkpoint.c: the heading of a table of the run, and its lines up to the last epoch that was done; as it
 *  is where the file is gone. */
RV_NODISCARD rv_status rv_train_read_lines(rv_text *lines, const rv_train_run *run,
                                           const char *name);
/** train_checkpoint.c: writes a table of the run. */
RV_NODISCARD rv_status rv_train_write_lines(const rv_text *lines, const rv_train_run *run,
                                            const char *name);

/** train_epoch.c: what comes behind an epoch's last step: validation, the best weights, tables, a checkpoint. */
RV_NODISCARD rv_status rv_train_end_epoch(rv_train_run *run);
/** train_epoch.c: for all that is left; negative if unknown. */
double rv_train_seconds_left(const rv_train_run *run);

/** train_diagnose.c: gradients, steps and dead units of each layer that learns. */
RV_NODISCARD rv_status rv_diagnosis_create(rv_diagnosis **out, rv_train_run *run);
void rv_diagnosis_destroy(rv_diagnosis *d);
/** Whether the next step is one of the few of an epoch that are watched, its last among them. */
bool rv_diagnosis_watches(const rv_train_run *run);
/** Around such a step. */
RV_NODISCARD rv_status rv_diagnosis_before_step(rv_diagnosis *d, rv_train_run *run);
RV_NODISCARD rv_status rv_diagnosis_after_step(rv_diagnosis *d, rv_train_run *run);
/** Means over these steps, and dead units, to tables and curves. The layers are borrowed until the next epoch. */
RV_NODISCARD rv_status rv_diagnosis_end_epoch(rv_diagnosis *d, rv_train_run *run,
                                              rv_train_epoch *e);
void rv_diagnosis_next_epoch(rv_diagnosis *d);
/** What layers.csv is to hold, heading included; after a resume read from the file. */
rv_text *rv_diagnosis_lines(rv_diagnosis *d);

/** train_layers.c: which layers stay as they are, by the options. RV_ERR_USAGE: a name that fits none, or nothing
 *  is left to be trained. */
RV_NODISCARD rv_status rv_train_freeze(rv_train_run *run);
/** train_layers.c: what stays has rate 0, and the factors of the options. */
RV_NODISCARD rv_status rv_train_set_rates(rv_train_run *run);

/** train_cache.c: what batches are to hold; and fills the tables where that is no picture. */
RV_NODISCARD rv_status rv_train_find_input(rv_train_run *run);
RV_NODISCARD rv_status rv_train_fill_tables(rv_train_run *run);
size_t rv_train_row_floats(const rv_train_run *run);
/** train.c: how a subset is read. @param from_table  what run->table holds, where it does */
rv_loader_options rv_train_loader_options(const rv_train_run *run, rv_subset subset,
                                          bool from_table);
/** train.c: pictures that a loader of these options could not read; rows of a table were counted when they were made. */
size_t rv_train_unreadable(const rv_loader *loader, const rv_loader_options *options);

/** train.c: whether there is a run in the folder. RV_ERR_USAGE: the options neither go on with it nor replace it,
 *  or the model that is read would be replaced. */
RV_NODISCARD rv_status rv_train_check_folder(bool *there, const char *folder,
                                             const rv_train_options *o);
/** train.c: all that a training needs, at its start or where its checkpoint is. Release also after a failure. */
RV_NODISCARD rv_status rv_train_prepare(rv_train_run *run);
void rv_train_release(rv_train_run *run);
/** train.c: whether all epochs are done, or early stopping ends it. */
bool rv_train_is_over(const rv_train_run *run);
/** train.c: one update at that learning rate; what its batches gave is added to run->at. */
RV_NODISCARD rv_status rv_train_step(rv_train_run *run, double rate);

/** train_nan.c: RV_ERR_USAGE that names the layer where a loss of the current batch stops being finite. */
rv_status rv_train_fail_not_finite(rv_train_run *run, const rv_batch *batch, double loss);

#endif
