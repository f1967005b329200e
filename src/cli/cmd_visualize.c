/* reverie visualize: pictures that explain. */
/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <stdlib.h>

typedef struct settings {
    char *output;
    bool overwrite;
} settings;

static int training(cli *c, const settings *s, const char *folder)
{
    rv_image *image = NULL;
    rv_image_write_options write = RV_IMAGE_WRITE_OPTIONS_INIT;
    char *path =
        s->output != NULL ? cli_format("%s", s->output) : cli_format("%s/curves.png", folder);
    int code = path != NULL ? CLI_DONE : cli_out_of_memory();
    /* The run's own picture of its curves is there to be renewed. */
    write.overwrite = s->overwrite || s->output == NULL;
    if (code == CLI_DONE) {
        code = cli_status(rv_visualize_training(&image, folder));
    }
    if (code == CLI_DONE) {
        code = cli_status(rv_image_write(image, path, &write));
    }
    if (code == CLI_DONE) {
        cli_note(c, "%s: loss, share of right answers and learning rate by epoch", path);
        json_t *output = json_pack("{s:o}", "file", cli_json_text(path));
        cli_json_set(c, "outputs", json_pack("[o]", output));
    }
    rv_image_destroy(image);
    free(path);
    return code;
}

static const char *const actions[] = {"training", NULL};

static int run(cli *c, const void *given, const cli_list *words)
{
    return cli_json_print(c, training(c, given, words->items[1]));
}

static const cli_option options[] = {
    {.name = "output",
     .letter = 'o',
     .kind = CLI_FILE,
     .offset = offsetof(settings, output),
     .argument = "OUT.png",
     .otherwise = "curves.png in the folder of the run",
     .help = "the picture"},
    {.name = "overwrite",
     .kind = CLI_FLAG,
     .offset = offsetof(settings, overwrite),
     .help = "replace a picture that exists"},
};

const cli_command cli_visualize = {
    .name = "visualize",
    .summary = "draw pictures that explain a network",
    .arguments = "training RUN [-o OUT.png]",
    .description = "`training` draws the curves of a training, of one that is still at work as "
                   "well: loss and share of right answers, on training and validation pictures, "
                   "and the learning rate.",
    .example = "reverie visualize training run/\n"
               "reverie visualize training run/ -o curves.png",
    .actions = actions,
    .min_words = 2,
    .max_words = 2,
    .missing = "what to draw, and the folder of a run",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_size = sizeof(settings),
    .run = run,
};
