/* One training from the shell: what `reverie train` does once, and again for each combination of a sweep. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_CLI_TRAIN_H
#define RV_CLI_TRAIN_H

#include "cli/cli.h"

/** What the options of `train` say. */
typedef struct cli_train_settings {
    char *output, *architecture, *model, *resume;
    char *head, *freeze_until, *freeze, *layer_rates;
    char *optimizer, *schedule, *init, *recipe;
    int size, epochs, batch, accumulate, patience, plateau_patience, read_threads;
    uint64_t max_steps, checkpoint_steps;
    double checkpoint_minutes, time_limit;
    double learning_rate, momentum, l1, l2, clip_value, clip_norm, average;
    double warm_up, decay_factor, decay_epochs, smoothing, validation;
    bool penalize_all, strict, overwrite, find_rate, diagnose;
} cli_train_settings;

/** Trains, and reports on the weights that did best. @return exit code */
int cli_train_run(cli *c, const cli_train_settings *s, const char *dataset, const char *folder);
/** Searches for a learning rate and prints what it tried. @return exit code */
int cli_find_rate(cli *c, const cli_train_settings *s, const char *dataset);

#endif
