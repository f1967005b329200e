/* One call of `reverie extract`: which values go to which files, and where an interrupted run is. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_CLI_EXTRACT_H
#define RV_CLI_EXTRACT_H

#include "cli/inputs.h"

typedef struct cli_extract_settings {
    char *layers;
    char *output;
    bool overwrite, resume;
    int pool; /**< an rv_feature_pool */
    int batch;
    cli_input_settings inputs;
    cli_model_files files;
    cli_reading reading;
} cli_extract_settings;

/** One file for some layers: of all inputs, or a pattern for the file of each. */
typedef struct cli_extract_target {
    char *path;
    char *names;    /**< the file with the names of the inputs; NULL: none */
    size_t *layers; /**< indices */
    size_t n_layers;
    rv_feature_map *maps;    /**< shapes that were written */
    rv_feature_table *table; /**< open now; NULL: none is */
} cli_extract_target;

/** Where a run over many inputs is, into files of all of them. */
typedef struct cli_extract_state {
    char *path;     /**< of the file that keeps it; NULL: this run cannot go on */
    bool goes_on;   /**< it does: the file is there */
    bool complete;  /**< there is no such file, but all that is to be written */
    size_t next;    /**< first input that was not done when it was last kept */
    size_t begun;   /**< where this run began */
    json_t *marks;  /**< an rv_feature_table_mark() of each target; NULL: from the start */
    double started; /**< by the clock: or when it was last written */
    bool written;   /**< the file is there */
} cli_extract_state;

typedef struct cli_extraction {
    cli *c;
    const cli_extract_settings *s;
    cli_inputs inputs;
    cli_list layers;
    cli_extract_target *targets;
    size_t n_targets;
    bool each;  /**< a file for each input */
    char **own; /**< then of input i and target k at i * n_targets + k */
    size_t n_own;
    rv_features *features;
    cli_extract_state state;
    cli_files files;
    double clock; /**< when the work began */
    bool broken;  /**< a file of all inputs cannot be written */
    json_t *outputs;
} cli_extraction;

/** extract_names.c: from the layers and the inputs, what files there will be, none of which may be in the way of another.
 *  @return exit code, having said what is wrong */
int cli_extract_plan(cli_extraction *x);

/** extract_state.c: finds out whether an interrupted run is there; names of files are known. @return exit code */
int cli_extract_find_state(cli_extraction *x);
/** extract_state.c: reads it, the network being known: x->state and x->files are as they were. @return exit code */
int cli_extract_read_state(cli_extraction *x);
/** extract_state.c: keeps that input `next` comes next, where a second is over since that was done last, or `now`.
 *  @return exit code */
int cli_extract_save_state(cli_extraction *x, size_t next, bool now);
/** extract_state.c: seconds of a monotonic clock; whether there is a file or folder of that name. */
double cli_extract_clock(void);
bool cli_extract_exists(const char *path);
/** extract_state.c: takes the file away, the run having come to its end. */
void cli_extract_drop_state(const cli_extraction *x);

#endif
