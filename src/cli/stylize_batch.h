/* The photos of one `reverie stylize`, and what has become of each. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_CLI_STYLIZE_BATCH_H
#define RV_CLI_STYLIZE_BATCH_H

#include "cli/stylize.h"

typedef enum cli_fate { WAITING, DONE, SKIPPED, FAILED } cli_fate;

typedef struct cli_job {
    const char *photo;
    char *output;
    char *state;     /* where a run that ended is kept */
    bool goes_on;    /* that file is there and asked for, so the output may be replaced */
    rv_image *image; /* between check and work */
    cli_fate fate;
    int code;     /* exit code of what went wrong */
    char *reason; /* for SKIPPED and FAILED */
    rv_stylize_result result;
    rv_stylize_estimate estimate;
    int width, height; /* of the result */
    int photo_width, photo_height;
    int more; /* a larger --size, whose estimate is in place; negative: it does not fit; 0: none */
} cli_job;

typedef struct cli_batch {
    cli *c;
    const cli_stylize_settings *s;
    const cli_stylize_inputs *in;
    cli_job *jobs;
    size_t n;
    char **inputs; /* files that no result may replace */
    size_t n_inputs;
    rv_stylize_options options;
    rv_events events;
    rv_stylizer *stylizer; /* made for the first photo */
    size_t at;             /* of the present photo */
    bool preview_failed;
} cli_batch;

/** Prints the line of a result or an estimate. */
void cli_stylize_print_done(const cli_batch *b, const cli_job *j);
/** Prints what --dry-run found. */
void cli_stylize_print_plan(const cli_batch *b);
/** Adds the keys of --json. */
void cli_stylize_add_json(const cli_batch *b);
/** Says that the run was interrupted, what is there of the photo at work (NULL: none was), and the command that goes on.
 *  @return CLI_INTERRUPTED */
int cli_stylize_interrupted(const cli_batch *b, const cli_job *j);

#endif
