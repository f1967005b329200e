/* What commands open by their options: devices, models, pictures. */
/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <string.h>
#include <sys/stat.h>

rv_device_options cli_device_options(const cli *c)
{
    rv_device_options options = RV_DEVICE_OPTIONS_INIT;
    options.spec = c->globals.device;
    options.threads = c->globals.threads;
    options.winograd = (rv_winograd)c->globals.winograd;
    options.memory = c->globals.memory;
    options.self_test_program = c->self;
    options.events = &c->events;
    return options;
}

int cli_open_device(cli *c)
{
    if (c->device != NULL) {
        return CLI_DONE;
    }
    const rv_device_options options = cli_device_options(c);
    const int code = cli_status(rv_device_open(&c->device, &options));
    if (code == CLI_DONE) {
        c->device_name = rv_device_get_info(c->device)->name;
    }
    return code;
}

rv_image_read_options cli_read_options(const cli *c, const cli_reading *reading)
{
    rv_image_read_options options = RV_IMAGE_READ_OPTIONS_INIT;
    options.max_pixels = reading->max_pixels;
    options.allow_truncated = reading->allow_truncated;
    options.no_autorotate = reading->no_autorotate;
    options.events = &c->events;
    return options;
}

const char *const cli_pooling_names[] = {"max", "average", "binomial", NULL};

rv_model_options cli_model_options(const cli *c, const cli_model_files *files, rv_pooling pooling)
{
    rv_model_options options = RV_MODEL_OPTIONS_INIT;
    options.graph = files->graph;
    options.weights = files->weights;
    options.preprocess = files->preprocess;
    options.seed = (uint32_t)c->globals.seed;
    options.pooling = pooling;
    options.events = &c->events;
    return options;
}

int cli_open_model(const cli *c, rv_model **out, const char *name, const cli_model_files *files,
                   rv_pooling pooling)
{
    const rv_model_options options = cli_model_options(c, files, pooling);
    return cli_status(rv_model_open(out, name, &options));
}

bool cli_is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool cli_is_input(const char *word)
{
    const char *dot = strrchr(word, '.');
    return rv_image_has_name(word) || (dot != NULL && strcmp(dot, ".npy") == 0);
}

const char *cli_model_of(const cli_list *words, size_t *first)
{
    const char *word = words->items[0];
    const bool is_input = cli_is_input(word);
    *first = is_input ? 0 : 1;
    if (*first == words->n) {
        (void)cli_usage(
            "'%s' is taken for a model, as its name does not end like that of a picture "
            "(%s); there are no pictures behind it",
            word, rv_image_formats());
    }
    return is_input ? "builtin" : word;
}
