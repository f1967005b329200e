/* The photos that a command is to work through: files, folders, lists, and the share of one of several runs. */
/* SPDX-License-Identifier: MIT */
#include "cli/photo_batch.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool cli_is_same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* What earlier runs made of the photos of a folder: by name, as --strip leaves nothing else to go by. */
static int list_results(cli_list *out, const cli_photo_settings *s, const cli_maker *maker,
                        char **photos, size_t n)
{
    static const char *const extensions[] = {".jpg", ".png"};
    int code = CLI_DONE;
    for (size_t i = 0; i < 2 * n && maker->suffix != NULL && code == CLI_DONE; i++) {
        char *name = NULL;
        struct stat info;
        code = cli_status(
            rv_output_name(&name, s->output, photos[i / 2], maker->suffix, extensions[i % 2]));
        if (code == CLI_DONE && stat(name, &info) == 0) {
            code = cli_list_add(out, name, strlen(name));
        }
        free(name);
    }
    return code;
}

static bool is_input(const char *path, const cli_maker *maker)
{
    for (size_t i = 0; i < maker->n_inputs; i++) {
        if (maker->inputs[i] != NULL && cli_is_same_file(path, maker->inputs[i])) {
            return true;
        }
    }
    return false;
}

static bool is_result(const char *path, const cli_list *results)
{
    for (size_t i = 0; i < results->n; i++) {
        if (cli_is_same_file(path, results->items[i])) {
            return true;
        }
    }
    return rv_image_has_settings(path, CLI_SETTINGS_START);
}

/* Adds the photos of a folder, but for other inputs and results, which lie there as well. */
static int add_folder(cli_list *out, const cli_photo_settings *s, const cli_maker *maker,
                      const char *folder)
{
    char **names;
    size_t n;
    cli_list results = {0};
    size_t n_results = 0;
    const size_t before = out->n, length = strlen(folder);
    const char *slash = folder[length - 1] == '/' ? "" : "/";
    int code = cli_status(rv_image_list(&names, &n, folder));
    if (code == CLI_DONE) {
        code = list_results(&results, s, maker, names, n);
    }
    for (size_t i = 0; i < n && code == CLI_DONE; i++) {
        char *path = cli_format("%s%s%s", folder, slash, names[i]);
        if (path == NULL) {
            code = cli_out_of_memory();
        } else if (is_result(path, &results)) {
            n_results++;
        } else if (!is_input(path, maker)) {
            code = cli_list_add(out, path, strlen(path));
        }
        free(path);
    }
    if (code == CLI_DONE && out->n == before && n_results > 0) {
        cli_say("there are only results in the folder '%s'; name them to go on from them", folder);
        code = CLI_FAILED;
    } else if (code == CLI_DONE && out->n == before) {
        cli_say("there is no photo in the folder '%s' (names that end as those of %s)", folder,
                rv_image_formats());
        code = CLI_FAILED;
    }
    free(names);
    cli_list_release(&results);
    return code;
}

static int add_path(cli_list *out, const cli_photo_settings *s, const cli_maker *maker,
                    const char *path)
{
    return cli_is_folder(path) ? add_folder(out, s, maker, path)
                               : cli_list_add(out, path, strlen(path));
}

/* Adds what the lines of a file name; empty ones are left out. */
static int add_list(cli_list *out, const cli_photo_settings *s, const cli_maker *maker)
{
    char *line = NULL;
    size_t capacity = 0;
    int code = CLI_DONE;
    FILE *file = cli_is_folder(s->list) ? NULL : fopen(s->list, "r");
    if (file == NULL) {
        cli_say("cannot read the list '%s'", s->list);
        return CLI_FAILED;
    }
    while (code == CLI_DONE && getline(&line, &capacity, file) >= 0) {
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] != '\0') {
            code = add_path(out, s, maker, line);
        }
    }
    if (code == CLI_DONE && ferror(file)) {
        cli_say("cannot read the list '%s'", s->list);
        code = CLI_FAILED;
    }
    free(line);
    fclose(file);
    return code;
}

/* Keeps every n-th of the photos, from the i-th on. */
static int take_share(cli_list *photos, const char *shard)
{
    char *end = NULL;
    const unsigned long i = isdigit((unsigned char)shard[0]) ? strtoul(shard, &end, 10) : 0;
    const bool two = i > 0 && end[0] == '/' && isdigit((unsigned char)end[1]);
    const unsigned long n = two ? strtoul(end + 1, &end, 10) : 0;
    if (i > n || n == 0 || end[0] != '\0') {
        return cli_usage("--shard takes I/N, the I-th of N shares, such as 1/4, not '%s'", shard);
    }
    size_t kept = 0;
    for (size_t k = 0; k < photos->n; k++) {
        if (k % n == i - 1) {
            photos->items[kept++] = photos->items[k];
        } else {
            free(photos->items[k]);
        }
    }
    photos->n = kept;
    return CLI_DONE;
}

int cli_photos_find(cli_list *out, const cli_photo_settings *s, const cli_maker *maker,
                    const cli_list *words)
{
    int code = CLI_DONE;
    for (size_t i = 0; i < words->n && code == CLI_DONE; i++) {
        code = add_path(out, s, maker, words->items[i]);
    }
    if (code == CLI_DONE && s->list != NULL) {
        code = add_list(out, s, maker);
    }
    if (code == CLI_DONE && out->n == 0) {
        code = cli_usage("%s needs a photo, a folder of them, or --list FILE with some",
                         maker->command);
    }
    return code == CLI_DONE && s->shard != NULL ? take_share(out, s->shard) : code;
}
