/* What commands share that make a picture of each photo: which photos, their options, and the work through them. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_CLI_PHOTOS_H
#define RV_CLI_PHOTOS_H

#include "cli/cli.h"

/** How the settings begin that results carry. */
#define CLI_SETTINGS_START "reverie="

/** Options of all of them: the rows of CLI_PHOTO_OPTIONS. */
typedef struct cli_photo_settings {
    char *output;
    int quality;
    int icc; /**< 0 sRGB, 1 keep */
    bool overwrite, strip, dry_run, estimate;
    char *preview; /**< a file, or NULL */
    int save_every;
    bool resume;
    char *list, *shard; /**< NULL: none */
    cli_reading reading;
} cli_photo_settings;

/** One photo, for the functions of a cli_maker. */
typedef struct cli_photo {
    cli *c; /**< its device is open */
    const char *path;
    const rv_image *image;
    const char *state;       /**< the file that keeps where the run is */
    const rv_events *events; /**< the same for all photos */
    void (*preview)(void *payload, const rv_image *picture); /**< NULL: none is wanted */
    void *preview_payload;
    bool alone; /**< the only one, and what is said of it is read by people */
} cli_photo;

/** What was made beside the picture. */
typedef struct cli_made {
    int iterations;
    double loss, seconds;
    double flops; /**< of networks, for the pixels of the picture; 0: not counted */
    char *
        settings; /**< of the command, "key=value" pairs that go into the file; freed with free() */
} cli_made;

/** What a command makes of photos. */
typedef struct cli_maker {
    const char *command; /**< "stylize" */
    const char *verb;    /**< "style", for messages */
    const char *
        suffix; /**< of the names of results: a name or a path, of which the stem is taken; NULL: they are no pictures */
    const char *const *inputs; /**< files that are read beside the photos; NULL among them: none */
    size_t n_inputs;
    const rv_model *model; /**< whose hash goes into the file where it has weights; NULL: none */
    void *payload;
    const char
        *sheet; /**< not NULL: results are sheets, opaque and of 8 bits, whatever the photo is; the
                            option that names them, "-o" or another */
    /** Looks for what a photo needs beside it; may be NULL. Returns an exit code; *reason, freed with free(), says what
     *  is wrong with this photo. */
    int (*check)(void *payload, const char *path, const char *output, char **reason);
    /** Makes a picture; also where it returns RV_ERR_CANCELLED there may be one. */
    rv_status (*make)(void *payload, rv_image **out, cli_made *made, const cli_photo *photo);
    rv_status (*foresee)(void *payload, rv_stylize_estimate *out, const cli_photo *photo);
    /** What is to be said of a picture behind its line, freed with free(), or NULL; may be NULL itself. */
    char *(*remark)(void *payload, const cli_photo *photo);
} cli_maker;

/** A file that shows the picture so far. */
typedef struct cli_preview {
    const char *file; /**< NULL: none is wanted */
    int quality;
    bool failed; /**< which is said once */
} cli_preview;

/** Whether the preview can be written, and is none of the inputs: looked at before the work. @return exit code, as above */
int cli_preview_check(const cli_preview *preview, const char *const *inputs, size_t n_inputs,
                      bool overwrite);
/** Writes it; for rv_dream_options.preview and the like. @param preview  a cli_preview with a file */
void cli_preview_show(void *preview, const rv_image *picture);

/** Prints what a photo, or `what` that is made of it, would take. @param what  NULL, or as in "100 frames of " */
void cli_estimate_print(const char *photo, const char *what, const rv_stylize_estimate *estimate);
/** The same as an entry of --json. */
json_t *cli_estimate_json(const char *photo, const rv_stylize_estimate *estimate);

/** Whether both are there, and one file or folder. */
bool cli_is_same_file(const char *a, const char *b);
/** Whether two names are of one file, which need not be there yet. */
bool cli_is_same_name(const char *a, const char *b);

/** Checks each photo that words and settings name (files, those of folders and of a list; of them one share, which may be
 *  empty) and its output, and makes the picture, or with --dry-run and --estimate says what that would make and take.
 *  @return exit code, having said what failed and printed the results */
int cli_photos_run(cli *c, const cli_photo_settings *s, const cli_maker *maker,
                   const cli_list *words);

/** Adds KEY="NAME" for the file that an option names, if it does; one line, no quotes in the name. Out of memory: *text
 *  becomes NULL, and stays so. */
void cli_add_name(char **text, const char *key, const char *path);
/** "about 35 s", "about 4 min", "about 2.5 h": an estimate is no better than that. Freed with free(). */
char *cli_about(double seconds);

/* NOLINTBEGIN(bugprone-macro-parentheses): types and members take no parentheses */
/** Rows of an option table whose settings are of `type`, with a cli_photo_settings named `member`. */
#define CLI_PHOTO_OPTIONS(type, member, otherwise_named)                                       \
    {.name = "output",                                                                         \
     .letter = 'o',                                                                            \
     .kind = CLI_FILE,                                                                         \
     .offset = offsetof(type, member.output),                                                  \
     .argument = "OUT",                                                                        \
     .otherwise = otherwise_named,                                                             \
     .help = "a .jpg, .png, .tif or .webp file, or a folder for files of that name"},          \
        {.name = "quality",                                                                    \
         .kind = CLI_INT,                                                                      \
         .offset = offsetof(type, member.quality),                                             \
         .argument = "Q",                                                                      \
         .initial = "95",                                                                      \
         .min = 1,                                                                             \
         .max = 100,                                                                           \
         .help = "of a JPEG or WebP file: higher is larger and better; a WebP of 100 is "      \
                 "lossless"},                                                                  \
        {.name = "icc",                                                                        \
         .kind = CLI_CHOICE,                                                                   \
         .offset = offsetof(type, member.icc),                                                 \
         .argument = "srgb|keep",                                                              \
         .initial = "srgb",                                                                    \
         .choices = cli_icc_names,                                                             \
         .help = "colours of the result: sRGB, or those of the photo's profile, which is put " \
                 "into it"},                                                                   \
        {.name = "overwrite",                                                                  \
         .kind = CLI_FLAG,                                                                     \
         .offset = offsetof(type, member.overwrite),                                           \
         .help = "replace results that exist; an input never is"},                             \
        {.name = "strip",                                                                      \
         .kind = CLI_FLAG,                                                                     \
         .offset = offsetof(type, member.strip),                                               \
         .help = "keep neither EXIF and XMP of the photo nor the settings in the result"},     \
        {.name = "dry-run",                                                                    \
         .kind = CLI_FLAG,                                                                     \
         .offset = offsetof(type, member.dry_run),                                             \
         .help = "check everything and say what would be written"},                            \
        {.name = "estimate",                                                                   \
         .kind = CLI_FLAG,                                                                     \
         .offset = offsetof(type, member.estimate),                                            \
         .help = "say how much memory and time it would take, measured within seconds, and "   \
                 "write nothing"},                                                             \
        {.name = "preview",                                                                    \
         .kind = CLI_FILE,                                                                     \
         .offset = offsetof(type, member.preview),                                             \
         .argument = "FILE",                                                                   \
         .otherwise = "none",                                                                  \
         .help = "show the picture so far in this file, which is replaced every two seconds"}, \
        {.name = "save-every",                                                                 \
         .kind = CLI_INT,                                                                      \
         .offset = offsetof(type, member.save_every),                                          \
         .argument = "N",                                                                      \
         .otherwise = "only when interrupted",                                                 \
         .min = 1,                                                                             \
         .max = 1e6,                                                                           \
         .help = "iterations after which OUT.state keeps where the run is, for --resume"},     \
        {.name = "resume",                                                                     \
         .kind = CLI_FLAG,                                                                     \
         .offset = offsetof(type, member.resume),                                              \
         .help = "go on where the same command was interrupted, to the same file as without; " \
                 "results that are there stay"},                                               \
        {.name = "list",                                                                       \
         .kind = CLI_FILE,                                                                     \
         .offset = offsetof(type, member.list),                                                \
         .argument = "FILE",                                                                   \
         .otherwise = "none",                                                                  \
         .help = "more photos and folders, a line each"},                                      \
        {.name = "shard",                                                                      \
         .kind = CLI_TEXT,                                                                     \
         .offset = offsetof(type, member.shard),                                               \
         .argument = "I/N",                                                                    \
         .otherwise = "all",                                                                   \
         .help = "take the I-th of N shares of the photos only, the others being for other "   \
                 "computers"},                                                                 \
        CLI_READ_OPTIONS(type, member.reading)
/* NOLINTEND(bugprone-macro-parentheses) */

/** Choices of --icc. NULL ends. */
extern const char *const cli_icc_names[];

#endif
