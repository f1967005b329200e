/* One training from the shell: what `reverie train` does once, and again for each combination of a sweep. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_CLI_TRAIN_H
#define RV_CLI_TRAIN_H

#include "cli/cli.h"

/** What the options of `train` say. */
typedef struct cli_train_settings {
    char *features, *output, *sweep, *architecture, *model, *resume;
    char *loss, *head, *freeze_until, *freeze, *layer_rates, *unfreeze_from, *decay_at;
    char *optimizer, *schedule, *init, *recipe;
    int size, epochs, batch, accumulate, patience, plateau_patience, read_threads, top,
        unfreeze_epochs;
    int pooling; /**< rv_pooling less 1 */
    uint64_t max_steps, checkpoint_steps;
    double checkpoint_minutes, time_limit;
    double learning_rate, momentum, l1, l2, clip_value, clip_norm, average;
    double warm_up, unfreeze_rate, decay_factor, decay_epochs, smoothing, validation;
    bool penalize_all, strict, overwrite, find_rate, diagnose;
} cli_train_settings;

/** What they mean for the library; on_epoch is left out. */
rv_train_options cli_train_options(const cli *c, const cli_train_settings *s);
/** "epoch", "loss" and so on of an epoch, as --json prints it. */
json_t *cli_epoch_json(const rv_train_epoch *e);

/** Trains, and reports on the weights that did best. @return exit code */
int cli_train_run(cli *c, const cli_train_settings *s, const char *dataset, const char *folder);
/** Searches for a learning rate and prints what it tried. @return exit code */
int cli_find_rate(cli *c, const cli_train_settings *s, const char *dataset);
/** Trains with each combination of the values in s->sweep, a run in `folder` for each, and prints a table of them.
 *  @param options  those of `train`, which the sweep names. @return exit code */
int cli_train_sweep(cli *c, const cli_train_settings *s, const cli_option *options,
                    size_t n_options, const char *dataset, const char *folder);

#endif
