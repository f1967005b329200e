/* The network and the files of commands that run one over pictures and arrays. */
/* SPDX-License-Identifier: MIT */
#include "cli/inputs.h"

#include "cli/photo_batch.h"

#include <stdlib.h>
#include <string.h>

/* Whether a model is called so: one that comes with Reverie, or that was fetched or added. */
static bool is_model(const char *name)
{
    size_t n;
    char *path = NULL;
    const rv_model_entry *entries = rv_model_list(&n);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(entries[i].name, name) == 0) {
            return true;
        }
    }
    const bool stored = rv_zoo_find(&path, name) == RV_OK;
    free(path);
    return stored;
}

/* Whether the first word is an input. A folder of the name of a model is one where it stands alone. */
static bool is_first_input(const cli_input_settings *s, const cli_list *words)
{
    const char *word = words->items[0];
    const bool alone = words->n == 1 && s->list == NULL;
    return cli_is_input(word) || (cli_is_folder(word) && (alone || !is_model(word)));
}

int cli_inputs_find(cli_inputs *out, const char *command, const cli_input_settings *s,
                    const cli_list *words)
{
    const cli_photo_settings photos = {.list = s->list, .shard = s->shard};
    const cli_maker maker = {.command = command};
    const bool input = words->n == 0 || is_first_input(s, words);
    size_t first = input ? 0 : 1;
    out->model = input ? "builtin" : words->items[0];
    if (first == words->n && words->n > 0 && s->list == NULL) {
        (void)cli_model_of(words, &first); /* says that nothing is behind it */
        return CLI_USAGE;
    }
    const cli_list rest = {words->items + first, words->n - first};
    const int code = cli_photos_find(&out->files, &photos, &maker, &rest);
    out->many = s->list != NULL || rest.n != 1 || cli_is_folder(rest.items[0]);
    return code;
}

void cli_inputs_release(cli_inputs *inputs)
{
    cli_list_release(&inputs->files);
}

int cli_stream_open(rv_feature_stream **out, const cli *c, rv_features *features,
                    const cli_list *files, const cli_stream_settings *settings)
{
    const rv_image_read_options read = cli_read_options(c, settings->reading);
    rv_feature_stream_options options = RV_FEATURE_STREAM_OPTIONS_INIT;
    options.batch = settings->batch;
    options.first = settings->first;
    options.read = &read;
    options.events = &c->events;
    return cli_status(rv_feature_stream_create(out, features, (const char *const *)files->items,
                                               files->n, &options));
}
