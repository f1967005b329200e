/* What commands share that run a network over pictures and arrays: the network and the files to work through. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_CLI_INPUTS_H
#define RV_CLI_INPUTS_H

#include "cli/cli.h"

/** The options of CLI_INPUT_OPTIONS. */
typedef struct cli_input_settings {
    char *list, *shard; /**< NULL: none */
} cli_input_settings;

typedef struct cli_inputs {
    const char *model; /**< borrowed from the words */
    cli_list files;
    bool many; /**< more than one file could be meant: a folder, a list, several words */
} cli_inputs;

/** Tells the model of a command from its inputs, and finds the files that words and settings name: files, pictures of
 *  folders and of a list; of them one share. A first word that is named like an input or is a folder is one; with more
 *  behind it, a folder is not that has the name of a model.
 *  @param[out] out  from {0}; to be released in any case.
 *  @return exit code, having said what is wrong */
int cli_inputs_find(cli_inputs *out, const char *command, const cli_input_settings *s,
                    const cli_list *words);
void cli_inputs_release(cli_inputs *inputs);

/** How files are run over. */
typedef struct cli_stream_settings {
    const cli_reading *reading;
    int batch;    /**< pictures of a run */
    size_t first; /**< file to begin with */
} cli_stream_settings;

/** Begins to run a network over files. @return exit code */
int cli_stream_open(rv_feature_stream **out, const cli *c, rv_features *features,
                    const cli_list *files, const cli_stream_settings *settings);

/* NOLINTBEGIN(bugprone-macro-parentheses): types and members take no parentheses */
/** Rows of an option table whose settings are of `type`, with a cli_input_settings named `member`. */
#define CLI_INPUT_OPTIONS(type, member)                                                 \
    {.name = "list",                                                                    \
     .kind = CLI_FILE,                                                                  \
     .offset = offsetof(type, member.list),                                             \
     .argument = "FILE",                                                                \
     .otherwise = "none",                                                               \
     .help = "more pictures and folders, a line each"},                                 \
    {                                                                                   \
        .name = "shard", .kind = CLI_TEXT, .offset = offsetof(type, member.shard),      \
        .argument = "I/N", .otherwise = "all",                                          \
        .help = "take the I-th of N shares of the pictures only, the others being for " \
                "other computers"                                                       \
    }
/** The same with an int named `member`. */
#define CLI_BATCH_OPTION(type, member)                                                       \
    {                                                                                        \
        .name = "batch", .kind = CLI_INT, .offset = offsetof(type, member), .argument = "N", \
        .initial = "8", .min = 1, .max = 65536,                                              \
        .help = "pictures that the device takes at a time, while others are read"            \
    }
/* NOLINTEND(bugprone-macro-parentheses) */

#endif
