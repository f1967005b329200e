/* What the commands of the program share: the run's context, their contract, how they report. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_CLI_CLI_H
#define RV_CLI_CLI_H

#include "cli/options.h"

#include <jansson.h>
#include <reverie/reverie.h>

/** How the program ends. */
enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_INTERRUPTED = 130 };

/** Options that every command takes. */
typedef struct cli_globals {
    char *device;
    int threads;
    int winograd; /**< an rv_winograd */
    uint64_t memory, seed;
    bool json;
    int progress; /**< an rv_progress_style */
    bool quiet, verbose, version, help;
    char *self_test; /**< index of a device */
    char *generate;  /**< "man" or "completion" */
} cli_globals;

/** One run of the program. */
typedef struct cli {
    cli_globals globals;
    rv_events events;
    char self[4096]; /**< the program's own file */
    int argc;        /**< as the program was called */
    char **argv;
    rv_device *device;       /**< NULL until cli_open_device() */
    const char *device_name; /**< in the object that --json prints; NULL: none was used */
    json_t *json;            /**< that object; commands add their keys, also without --json */
    bool json_printed;
} cli;

/** A command; its options are rows of a table. */
typedef struct cli_command {
    const char *name;
    const char *summary;     /**< one line, no capital, no full stop */
    const char *arguments;   /**< what follows the name in the usage line */
    const char *description; /**< paragraphs, an empty line between them */
    const char *example;     /**< whole command lines, a newline between them */
    const char *const
        *actions; /**< words of which the first argument is one; NULL: none; NULL at the end */
    size_t min_words, max_words; /**< including the action */
    const char *missing;         /**< said where there are fewer words */
    const cli_option *options;
    size_t n_options;
    size_t settings_size;
    /** @param words  the arguments, counted.
     *  @return an exit code, having said what went wrong. */
    int (*run)(cli *c, const void *settings, const cli_list *words);
} cli_command;

/* The commands, and the options of all. */
extern const cli_command cli_devices, cli_models, cli_stylize, cli_dream, cli_classify, cli_extract,
    cli_bench, cli_augment, cli_train, cli_evaluate, cli_visualize, cli_tune;
extern const cli_command *const cli_commands[]; /**< NULL at the end */
extern const cli_option cli_global_options[];
extern const size_t cli_n_global_options;

/** Says one line on stderr, behind "reverie: ". */
void cli_say(const char *format, ...) RV_PRINTF(1, 2);
/** The same for bad usage. @return CLI_USAGE */
int cli_usage(const char *format, ...) RV_PRINTF(1, 2);
/** The same for what only --quiet leaves out. */
void cli_note(const cli *c, const char *format, ...) RV_PRINTF(2, 3);
/** Says rv_error_message(), or that the run was interrupted, unless status is RV_OK. @return the exit code */
int cli_status(rv_status status);
int cli_out_of_memory(void);

/** Opens the device that the options choose, once. @return exit code */
int cli_open_device(cli *c);
/** Options for listing and opening devices. */
rv_device_options cli_device_options(const cli *c);

/** How pictures are read: the options of CLI_READ_OPTIONS. */
typedef struct cli_reading {
    uint64_t max_pixels;
    bool allow_truncated, no_autorotate;
} cli_reading;
rv_image_read_options cli_read_options(const cli *c, const cli_reading *reading);

/** Which files make a model: the options of CLI_MODEL_OPTIONS. */
typedef struct cli_model_files {
    char *graph, *weights, *preprocess;
} cli_model_files;
/** Choices of --pooling: rv_pooling less 1. NULL ends. */
extern const char *const cli_pooling_names[];
rv_model_options cli_model_options(const cli *c, const cli_model_files *files, rv_pooling pooling);
/** @return exit code */
int cli_open_model(const cli *c, rv_model **out, const char *name, const cli_model_files *files,
                   rv_pooling pooling);

/** Whether it is there, and a folder. */
bool cli_is_folder(const char *path);
/** Whether a word is named like what networks run over: a picture, or a .npy file. */
bool cli_is_input(const char *word);
/** Tells the model from the inputs of a command: the first word, or the built-in network where that is named like an
 *  input already.
 *  @param[out] first  index of the first input; the number of words where there is none, which is said. */
const char *cli_model_of(const cli_list *words, size_t *first);

/* NOLINTBEGIN(bugprone-macro-parentheses): types and members take no parentheses */
/** Rows of an option table whose settings are of `type`, with a cli_reading named `member`. */
#define CLI_READ_OPTIONS(type, member)                                                             \
    {.name = "max-pixels",                                                                         \
     .kind = CLI_COUNT,                                                                            \
     .offset = offsetof(type, member.max_pixels),                                                  \
     .argument = "N",                                                                              \
     .initial = "200000000",                                                                       \
     .min = 1,                                                                                     \
     .max = 1e12,                                                                                  \
     .help = "refuse pictures of more pixels"},                                                    \
        {.name = "allow-truncated",                                                                \
         .kind = CLI_FLAG,                                                                         \
         .offset = offsetof(type, member.allow_truncated),                                         \
         .help = "take JPEG files that end early, grey where they do"},                            \
    {                                                                                              \
        .name = "no-autorotate", .kind = CLI_FLAG, .offset = offsetof(type, member.no_autorotate), \
        .help = "ignore the rotation that the camera noted"                                        \
    }

/** The same with an int named `member`: how many of the likeliest classes are looked at. */
#define CLI_TOP_OPTION(type, member, text)                                                 \
    {                                                                                      \
        .name = "top", .kind = CLI_INT, .offset = offsetof(type, member), .argument = "K", \
        .initial = "5", .min = 1, .max = 100000, .help = text                              \
    }

/** The same with an int named `member`: an index of cli_pooling_names, or -1, which stands for what `usual` says. */
#define CLI_POOLING_OPTION(type, member, usual)                                           \
    {                                                                                     \
        .name = "pooling", .kind = CLI_CHOICE, .offset = offsetof(type, member),          \
        .argument = "max|average|binomial", .otherwise = usual, .unset = -1,              \
        .choices = cli_pooling_names, .help = "replace the pooling layers of the network" \
    }

/** The same with a cli_model_files named `member`. */
#define CLI_MODEL_OPTIONS(type, member)                                                         \
    {.name = "graph",                                                                           \
     .kind = CLI_FILE,                                                                          \
     .offset = offsetof(type, member.graph),                                                    \
     .argument = "FILE",                                                                        \
     .otherwise = "the one of the same name, else the only one beside it",                      \
     .help = "prototxt with the layers, where the model is a file of weights"},                 \
        {.name = "preprocess",                                                                  \
         .kind = CLI_TEXT,                                                                      \
         .offset = offsetof(type, member.preprocess),                                           \
         .argument = "torch|caffe|vgg|unit|signed|bytes|MEAN",                                  \
         .otherwise = "as the model was trained",                                               \
         .help = "how pictures are prepared, where an ONNX file does not show it; a mean "      \
                 "picture of Caffe's, .binaryproto or .npy: B,G,R of 0 to 255 less its means"}, \
    {                                                                                           \
        .name = "weights", .kind = CLI_FILE, .offset = offsetof(type, member.weights),          \
        .argument = "FILE", .otherwise = "the one of the same name, else drawn at random",      \
        .help = "caffemodel or safetensors, where the model is a prototxt or an architecture"   \
    }
/* NOLINTEND(bugprone-macro-parentheses) */

/** Adds value to the object that --json prints; takes the reference. */
void cli_json_set(cli *c, const char *key, json_t *value);
/** A string; bytes that are no UTF-8 become "?". */
json_t *cli_json_text(const char *text);
/** A number; null where it is not finite. */
json_t *cli_json_real(double value);
/** Prints the object where --json is given and it has not been, with "error", the last line that was said, where
 *  code is a failure. @return `code`, or CLI_FAILED where memory is out */
int cli_json_print(cli *c, int code);

/** Files that a command works through; one may fail without the others. */
typedef struct cli_files {
    size_t n;        /**< in all */
    size_t n_failed; /**< so far */
    json_t *failed;  /**< an object for each of them; starts as an empty array */
    int code;        /**< CLI_INTERRUPTED: go no further */
} cli_files;
/** Notes what came of a file, and says so where it failed or Ctrl-C was pressed. */
void cli_files_count(cli_files *files, const char *path, rv_status status);
/** Says how many failed, and prints the object of --json with them.
 *  @return exit code: that of a single file, of several CLI_FAILED where one failed */
int cli_files_end(cli *c, const cli_files *files);

/** Prints rows of cells under a heading in columns: a letter of `format` each, l or r for the side. */
int cli_print_table(const char *format, const char *const *heading, char *const *cells,
                    size_t n_rows);
/** Frees n cells, each from cli_format(), and the array that holds them; NULL is fine. */
void cli_free_cells(char **cells, size_t n);

/** Formatted copy, freed with free(); NULL where memory is out. */
char *cli_format(const char *format, ...) RV_PRINTF(1, 2);

/** "1,234,567". @param[out] out  room for 27 bytes. @return out */
const char *cli_thousands(char *out, uint64_t value);

/** What `reverie [COMMAND] --help` prints; command NULL: of the program. */
void cli_print_help(const cli_command *command);
void cli_print_man(void);
void cli_print_completion(void);

/** The default of an option in words, NULL where there is none; borrowed. */
const char *cli_option_default(const cli_option *option);

#endif
