/* The files that `reverie extract` writes: their names, and that nothing is in the way. */
/* SPDX-License-Identifier: MIT */
#include "cli/extract.h"

#include <stdlib.h>
#include <string.h>

/* Replaces every `mark` in *text by `value`, in which "/" becomes "_". */
static int fill_in(char **text, const char *mark, const char *value)
{
    char *at;
    size_t from = 0;
    while ((at = strstr(*text + from, mark)) != NULL) {
        const size_t before = (size_t)(at - *text);
        char *longer = cli_format("%.*s%s%s", (int)before, *text, value, at + strlen(mark));
        if (longer == NULL) {
            return cli_out_of_memory();
        }
        for (char *p = longer + before; p < longer + before + strlen(value); p++) {
            *p = *p == '/' ? '_' : *p;
        }
        free(*text);
        *text = longer;
        from = before + strlen(value);
    }
    return CLI_DONE;
}

/* --- names of files --------------------------------------------------------------------------- */

/* Where the values of a layer go. A folder, or none, gets the usual pattern; all else is a file or a pattern itself. */
static int name_output(char **out, const cli_extract_settings *s, const char *layer)
{
    int code = cli_status(rv_output_name(out, s->output, "{stem}_{layer}", NULL, ".npy"));
    if (code == CLI_DONE) {
        code = fill_in(out, "{layer}", layer);
    }
    if (code != CLI_DONE) {
        free(*out);
        *out = NULL;
    }
    return code;
}

/* "x.npy" gives "x.files.csv". */
static int name_names(char **out, const char *path)
{
    *out = cli_format("%.*s.files.csv", (int)(strrchr(path, '.') - path), path);
    return *out != NULL ? CLI_DONE : cli_out_of_memory();
}

static int add_layer(cli_extraction *x, size_t layer)
{
    char *path = NULL;
    size_t k = 0;
    const char *name = x->layers.items[layer];
    for (size_t i = 0; i < layer; i++) {
        if (strcmp(x->layers.items[i], name) == 0) {
            return cli_usage("--layers names '%s' twice", name);
        }
    }
    const int code = name_output(&path, x->s, name);
    if (path == NULL) {
        return code;
    }
    while (k < x->n_targets && strcmp(x->targets[k].path, path) != 0) {
        k++;
    }
    cli_extract_target *t = &x->targets[k];
    if (k < x->n_targets) {
        free(path);
    } else {
        x->n_targets++;
        t->path = path;
        t->layers = calloc(x->layers.n, sizeof *t->layers);
        t->maps = calloc(x->layers.n, sizeof *t->maps);
    }
    if (t->layers == NULL || t->maps == NULL) {
        return cli_out_of_memory();
    }
    t->layers[t->n_layers++] = layer;
    return cli_status(rv_feature_table_check_name(t->path, t->n_layers));
}

/* What stands there may be of the run that is resumed. */
static int check_output(const cli_extraction *x, const char *path)
{
    return cli_status(rv_output_check(path, (const char *const *)x->inputs.files.items,
                                      x->inputs.files.n, x->s->overwrite || x->s->resume));
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int check_distinct(const cli_extraction *x)
{
    int code = CLI_DONE;
    char **sorted = calloc(x->n_own + 1, sizeof *sorted);
    if (sorted == NULL) {
        return cli_out_of_memory();
    }
    for (size_t i = 0; i < x->n_own; i++) {
        sorted[i] = x->own[i];
    }
    qsort(sorted, x->n_own, sizeof *sorted, compare_names);
    for (size_t i = 1; i < x->n_own && code == CLI_DONE; i++) {
        if (strcmp(sorted[i - 1], sorted[i]) == 0) {
            code = cli_usage("'%s' would hold more than one input, as they have the same name in "
                             "different folders; leave {stem} out for one file of all",
                             sorted[i]);
        }
    }
    free(sorted);
    return code;
}

/* Inputs whose files are all there: an earlier run wrote them. */
static void leave_out_done(cli_extraction *x)
{
    const size_t per = x->n_targets;
    size_t kept = 0;
    for (size_t i = 0; i < x->inputs.files.n; i++) {
        bool done = true;
        for (size_t k = 0; k < per; k++) {
            done = done && cli_extract_exists(x->own[i * per + k]);
        }
        for (size_t k = 0; k < per; k++) {
            char **from = &x->own[i * per + k];
            if (done) {
                free(*from);
            } else {
                x->own[kept * per + k] = *from;
            }
        }
        char *input = x->inputs.files.items[i];
        if (done) {
            cli_note(x->c, "%s: done already", input);
            free(input);
        } else {
            x->inputs.files.items[kept++] = input;
        }
    }
    x->inputs.files.n = kept;
    x->n_own = kept * per;
}

/* Names of the files of each input. */
static int name_own(cli_extraction *x)
{
    int code = CLI_DONE;
    const size_t n = x->inputs.files.n * x->n_targets;
    x->own = calloc(n + 1, sizeof *x->own);
    if (x->own == NULL) {
        return cli_out_of_memory();
    }
    x->n_own = n;
    for (size_t i = 0; i < n && code == CLI_DONE; i++) {
        char *stem = NULL;
        const char *input = x->inputs.files.items[i / x->n_targets];
        x->own[i] = cli_format("%s", x->targets[i % x->n_targets].path);
        if (x->own[i] == NULL) {
            return cli_out_of_memory();
        }
        code = cli_status(rv_output_name(&stem, NULL, input, NULL, ""));
        if (code == CLI_DONE) {
            code = fill_in(&x->own[i], "{stem}", stem);
        }
        free(stem);
        if (code == CLI_DONE) {
            code = check_output(x, x->own[i]);
        }
    }
    if (code == CLI_DONE) {
        code = check_distinct(x);
    }
    if (code == CLI_DONE && x->s->resume) {
        leave_out_done(x);
    }
    return code;
}

static int check_targets(cli_extraction *x)
{
    int code = CLI_DONE;
    for (size_t k = 0; k < x->n_targets && code == CLI_DONE; k++) {
        cli_extract_target *t = &x->targets[k];
        code = check_output(x, t->path);
        if (code == CLI_DONE && x->inputs.many && strcmp(strrchr(t->path, '.'), ".csv") != 0) {
            code = name_names(&t->names, t->path);
        }
        if (code == CLI_DONE && t->names != NULL) {
            code = check_output(x, t->names);
        }
    }
    return code;
}

int cli_extract_plan(cli_extraction *x)
{
    int code = cli_list_split(&x->layers, x->s->layers);
    if (code != CLI_DONE) {
        return code;
    }
    if (x->layers.n == 0) {
        return cli_usage("--layers names no layer");
    }
    x->n_targets = 0;
    x->targets = calloc(x->layers.n, sizeof *x->targets);
    if (x->targets == NULL) {
        return cli_out_of_memory();
    }
    for (size_t k = 0; k < x->layers.n && code == CLI_DONE; k++) {
        code = add_layer(x, k);
    }
    if (code != CLI_DONE || x->targets[0].path == NULL) {
        return code;
    }
    x->each = strstr(x->targets[0].path, "{stem}") != NULL;
    code = cli_extract_find_state(x);
    if (code != CLI_DONE) {
        return code;
    }
    return x->each ? name_own(x) : check_targets(x);
}
