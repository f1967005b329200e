/* What `reverie visualize` was asked for, and its actions. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_CLI_VISUALIZE_H
#define RV_CLI_VISUALIZE_H

#include "cli/cli.h"

typedef struct cli_visualize_settings {
    char *output;
    bool overwrite;
    char *layers; /**< names with commas between them; NULL: as the action says */
    int strongest, tile;
    bool one_scale, npy;
    char *method;     /**< heatmap: names with commas between them, or "all" */
    cli_list classes; /**< heatmap; none: the likeliest */
    bool full_size;
    int top, samples, steps, window, stride, size;
    double noise;
    char *channels; /**< "0-63,70" or "all"; NULL: the first 64 */
    int direction, variants, batch;
    double learning_rate, diversity, jitter, scale, rotate;
    cli_model_files files;
    cli_reading reading;
} cli_visualize_settings;

/** Each takes the words behind its name, at least one but where it says so. @return exit code, having said what failed */
typedef int cli_visualize_action(cli *c, const cli_visualize_settings *s, const cli_list *words);
cli_visualize_action cli_visualize_training, cli_visualize_activations, cli_visualize_filters,
    cli_visualize_heatmap;

/** The name of a result for an input: OUT itself, or where that is none or a folder "{stem}_{what}{extension}" there, in
 *  which the / of a layer is _; checked against what is there already and the inputs.
 *  @param[out] out  freed with free(). @return exit code */
int cli_visualize_output(char **out, const cli_visualize_settings *s, const char *input,
                         const char *what, const char *extension, const cli_list *inputs);

/** The same for what stands beside a sheet: where OUT is a file, in its folder. */
int cli_visualize_beside(char **out, const cli_visualize_settings *s, const char *input,
                         const char *what, const char *extension, const cli_list *inputs);
/** Fails before the work where a sheet of an input could not be written. @return exit code */
int cli_visualize_check(const cli_visualize_settings *s, const char *what, const cli_list *inputs);

/** Whether -o names a folder that is there. */
bool cli_visualize_to_folder(const cli_visualize_settings *s);

#endif
