/* The photos of one command, and what has become of each. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_CLI_PHOTO_BATCH_H
#define RV_CLI_PHOTO_BATCH_H

#include "cli/photos.h"

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
    cli_made made;
    char *remark; /* behind the line of the result; NULL: none */
    rv_stylize_estimate estimate;
    int width, height; /* of the result */
} cli_job;

typedef struct cli_batch {
    cli *c;
    const cli_photo_settings *s;
    const cli_maker *maker;
    cli_job *jobs;
    size_t n;
    bool many;           /* perhaps of one: they are a folder's, a list's or a share */
    const char **inputs; /* files that no result may replace */
    size_t n_inputs;
    rv_events events;
    size_t at; /* of the present photo */
    cli_preview preview;
    bool hashed;   /* the model was, or cannot be */
    char hash[65]; /* SHA-256 of its weights, "" where there are none */
} cli_batch;

/** Adds the photos that words and settings name. @return exit code, having said what is wrong */
int cli_photos_find(cli_list *out, const cli_photo_settings *s, const cli_maker *maker,
                    const cli_list *words);
/** Prints the line of a result or an estimate. */
void cli_photo_print_done(const cli_batch *b, const cli_job *j);
/** Prints what --dry-run found. */
void cli_photo_print_plan(const cli_batch *b);
/** Adds the keys of --json. */
void cli_photo_add_json(const cli_batch *b);
/** Says that the run was interrupted, what is there of the photo at work (NULL: none was), and the command that goes on.
 *  @return CLI_INTERRUPTED */
int cli_photo_interrupted(const cli_batch *b, const cli_job *j);

#endif
