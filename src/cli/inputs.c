/* The network and the files of commands that run one over pictures and arrays. */
/* SPDX-License-Identifier: MIT */
#include "cli/inputs.h"

#include "cli/photo_batch.h"

#include <string.h>

int cli_inputs_find(cli_inputs *out, const char *command, const cli_input_settings *s,
                    const cli_list *words)
{
    const cli_photo_settings photos = {.list = s->list, .shard = s->shard};
    const cli_maker maker = {.command = command};
    const bool input =
        words->n == 0 || cli_is_input(words->items[0]) || cli_is_folder(words->items[0]);
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
