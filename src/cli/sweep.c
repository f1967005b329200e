/* reverie train --sweep: a training for each combination of some options' values, and a table of how they did. */
/* SPDX-License-Identifier: MIT */
#include "base/terminal.h"
#include "cli/train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_AXES = 8, MAX_RUNS = 10000, EXTRA_COLUMNS = 5 };

/* An option and its values. */
typedef struct axis {
    char *name; /* as it was given */
    cli_list values;
} axis;

/* One combination and what came of it. */
typedef struct combination {
    char *name, *folder;
    const char *values[MAX_AXES];
    rv_train_epoch best; /* epoch 0: none */
    const char *state;   /* NULL: not tried */
} combination;

typedef struct sweep {
    cli *c;
    const cli_train_settings *settings;
    const cli_option *options;
    size_t n_options;
    const char *dataset, *folder;
    axis axes[MAX_AXES];
    size_t n_axes;
    combination *runs;
    size_t n_runs;
} sweep;

/* --- which ----------------------------------------------------------------------------------- */

static int add_axis(sweep *s, const char *word, size_t n)
{
    const char *equals = memchr(word, '=', n);
    if (equals == NULL || equals == word || s->n_axes == MAX_AXES) {
        return cli_usage("--sweep takes up to %d options with their values, as in "
                         "'lr=0.1,0.01 hidden=100,300', not '%.*s'",
                         MAX_AXES, (int)n, word);
    }
    axis *a = &s->axes[s->n_axes++];
    a->name = cli_format("%.*s", (int)(equals - word), word);
    char *values = cli_format("%.*s", (int)(word + n - equals - 1), equals + 1);
    const int code = a->name != NULL && values != NULL ? cli_list_split(&a->values, values)
                                                       : cli_out_of_memory();
    free(values);
    return code;
}

static int read_axes(sweep *s)
{
    static const char *const blank = " \t\n";
    int code = CLI_DONE;
    for (const char *at = s->settings->sweep + strspn(s->settings->sweep, blank);
         *at != '\0' && code == CLI_DONE;) {
        const size_t n = strcspn(at, blank);
        code = add_axis(s, at, n);
        at += n;
        at += strspn(at, blank);
    }
    return code == CLI_DONE && s->n_axes == 0 ? cli_usage("--sweep names no options") : code;
}

/* "lr=0.1 hidden=100"; its folder has no blanks nor slashes. */
static int name_run(const sweep *s, combination *r, size_t number)
{
    char *name = cli_format("%s", "");
    for (size_t i = 0; i < s->n_axes && name != NULL; i++) {
        const cli_list *values = &s->axes[i].values;
        r->values[i] = values->items[number % values->n];
        number /= values->n;
        char *longer =
            cli_format("%s%s%s=%s", name, i > 0 ? " " : "", s->axes[i].name, r->values[i]);
        free(name);
        name = longer;
    }
    r->name = name;
    r->folder = name != NULL ? cli_format("%s/%s", s->folder, name) : NULL;
    for (char *p = r->folder != NULL ? r->folder + strlen(s->folder) + 1 : ""; *p != '\0'; p++) {
        *p = *p == ' ' ? '_' : *p == '/' ? '-' : *p;
    }
    return r->folder != NULL ? CLI_DONE : cli_out_of_memory();
}

static int compare_folders(const void *a, const void *b)
{
    const combination *x = *(const combination *const *)a, *y = *(const combination *const *)b;
    return strcmp(x->folder, y->folder);
}

/* A value that stands twice, or values that differ in what a folder's name cannot hold. */
static int check_folders(const sweep *s)
{
    const combination **sorted = calloc(s->n_runs, sizeof *sorted);
    if (sorted == NULL) {
        return cli_out_of_memory();
    }
    for (size_t i = 0; i < s->n_runs; i++) {
        sorted[i] = &s->runs[i];
    }
    qsort(sorted, s->n_runs, sizeof *sorted, compare_folders);
    int code = CLI_DONE;
    for (size_t i = 1; i < s->n_runs && code == CLI_DONE; i++) {
        if (compare_folders(&sorted[i - 1], &sorted[i]) == 0) {
            code = cli_usage("--sweep has two trainings for the folder %s", sorted[i]->folder);
        }
    }
    free(sorted);
    return code;
}

static int list_runs(sweep *s)
{
    s->n_runs = 1;
    for (size_t i = 0; i < s->n_axes; i++) {
        s->n_runs *= s->axes[i].values.n;
        if (s->n_runs == 0) {
            return cli_usage("--sweep: %s has no values", s->axes[i].name);
        }
        if (s->n_runs > MAX_RUNS) {
            return cli_usage("--sweep has more than %d combinations", MAX_RUNS);
        }
    }
    s->runs = calloc(s->n_runs, sizeof *s->runs);
    if (s->runs == NULL) {
        return cli_out_of_memory();
    }
    int code = CLI_DONE;
    for (size_t i = 0; i < s->n_runs && code == CLI_DONE; i++) {
        code = name_run(s, &s->runs[i], i);
    }
    return code == CLI_DONE ? check_folders(s) : code;
}

/* --- one ------------------------------------------------------------------------------------- */

/* Units between hyphens, since commas lie between values: "300-100" is the architecture mlp:300,100. */
static int set_hidden(const cli_table *table, const char *text)
{
    char *units = cli_format("mlp:%s", text);
    for (char *p = units; p != NULL && *p != '\0'; p++) {
        *p = *p == '-' ? ',' : *p;
    }
    const int code = units != NULL ? cli_options_set(table, "arch", units) : cli_out_of_memory();
    free(units);
    return code;
}

static int set_option(const cli_table *table, cli *c, const char *name, const char *text)
{
    static const char *const fixed[] = {"output",    "resume",   "sweep", "overwrite",
                                        "find-rate", "diagnose", "strict"};
    const cli_table globals = {cli_global_options, cli_n_global_options, &c->globals};
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        if (strcmp(name, fixed[i]) == 0) {
            return cli_usage("--sweep: --%s is the same for all", name);
        }
    }
    if (strcmp(name, "hidden") == 0) {
        return set_hidden(table, text);
    }
    return strcmp(name, "seed") == 0
               ? cli_options_set(&globals, name, text)
               : cli_options_set(table, strcmp(name, "lr") == 0 ? "learning-rate" : name, text);
}

/* Settings and seed of a run. */
static int settings_of(const sweep *s, const combination *r, cli *c, cli_train_settings *own)
{
    const cli_table table = {s->options, s->n_options, own};
    int code = cli_options_copy(&table, s->settings);
    for (size_t i = 0; i < s->n_axes && code == CLI_DONE; i++) {
        code = set_option(&table, c, s->axes[i].name, r->values[i]);
    }
    if (code == CLI_DONE && own->resume != NULL) {
        code = cli_options_set(&table, "resume", "auto");
    }
    return code;
}

/* A rate at which it diverges is an answer too; what else fails ends the sweep. */
static int train(sweep *s, combination *r)
{
    cli_train_settings own = {0};
    const uint64_t seed = s->c->globals.seed;
    rv_train_result result = {0};
    int code = settings_of(s, r, s->c, &own);
    if (code == CLI_DONE) {
        const rv_train_options options = cli_train_options(s->c, &own);
        const rv_status status = rv_train(&result, s->c->device, s->dataset, r->folder, &options);
        rv_terminal_finish(stderr);
        if (result.diverged) {
            cli_note(s->c, "%s: %s", r->name, rv_error_message());
        }
        code = result.diverged ? CLI_DONE : cli_status(status);
        r->best = result.best;
        r->state = result.diverged        ? "diverged"
                   : result.stopped_early ? "ended early"
                   : result.finished      ? "done"
                                          : "unfinished";
    }
    s->c->globals.seed = seed;
    const cli_table table = {s->options, s->n_options, &own};
    cli_options_release(&table);
    return code;
}

/* All options are checked before the first training begins. */
static int check_options(sweep *s)
{
    int code = CLI_DONE;
    for (size_t i = 0; i < s->n_runs && code == CLI_DONE; i++) {
        const uint64_t seed = s->c->globals.seed;
        cli_train_settings own = {0};
        code = settings_of(s, &s->runs[i], s->c, &own);
        if (code == CLI_DONE && (own.architecture == NULL) == (own.model == NULL)) {
            code = cli_usage("train needs --arch NAME, or --model FILE to go on from");
        }
        s->c->globals.seed = seed;
        const cli_table table = {s->options, s->n_options, &own};
        cli_options_release(&table);
    }
    return code;
}

/* --- all ------------------------------------------------------------------------------------- */

/* What counts is what the run itself goes by: right answers in validation, then loss; what has none comes last. */
static int compare(const void *a, const void *b)
{
    const combination *x = a, *y = b;
    const double scores[2][3] = {
        {(double)(x->best.epoch > 0), x->best.val_accuracy, -x->best.val_loss},
        {(double)(y->best.epoch > 0), y->best.val_accuracy, -y->best.val_loss}};
    for (int i = 0; i < 3; i++) {
        if (scores[0][i] > scores[1][i] || scores[0][i] < scores[1][i]) {
            return scores[0][i] > scores[1][i] ? -1 : 1;
        }
    }
    return x->best.loss < y->best.loss ? -1 : x->best.loss > y->best.loss;
}

static json_t *runs_json(const sweep *s)
{
    json_t *runs = json_array();
    for (size_t i = 0; i < s->n_runs; i++) {
        const combination *r = &s->runs[i];
        json_t *values = json_object();
        for (size_t k = 0; k < s->n_axes; k++) {
            json_object_set_new(values, s->axes[k].name, cli_json_text(r->values[k]));
        }
        json_array_append_new(
            runs, json_pack("{s:o, s:o, s:s, s:o}", "options", values, "run",
                            cli_json_text(r->folder), "state", r->state != NULL ? r->state : "",
                            "best", r->best.epoch > 0 ? cli_epoch_json(&r->best) : json_null()));
    }
    return runs;
}

static char *number(const char *format, double value)
{
    return isfinite(value) ? cli_format(format, value) : cli_format("-");
}

/* Numbers have errors in place of right answers. */
static bool learns_values(const sweep *s)
{
    for (size_t i = 0; i < s->n_runs; i++) {
        if (s->runs[i].best.epoch > 0 && isfinite(s->runs[i].best.val_error)) {
            return true;
        }
    }
    return false;
}

static int print_runs(const sweep *s)
{
    const bool values = learns_values(s);
    const char *const last[EXTRA_COLUMNS] = {"epoch", "loss", "val loss",
                                             values ? "val error" : "val right %", "state"};
    const size_t n = s->n_axes + EXTRA_COLUMNS;
    const char *heading[MAX_AXES + EXTRA_COLUMNS];
    char format[MAX_AXES + EXTRA_COLUMNS + 1] = "";
    char **cells = calloc(s->n_runs * n, sizeof *cells);
    for (size_t k = 0; k < n; k++) {
        heading[k] = k < s->n_axes ? s->axes[k].name : last[k - s->n_axes];
        format[k] = k + 1 < n ? 'r' : 'l';
    }
    for (size_t i = 0; i < s->n_runs && cells != NULL; i++) {
        const combination *r = &s->runs[i];
        char **row = &cells[i * n];
        for (size_t k = 0; k < s->n_axes; k++) {
            row[k] = cli_format("%s", r->values[k]);
        }
        const double none = r->best.epoch > 0 ? 0 : NAN;
        row[n - 5] = number("%.0f", r->best.epoch + none);
        row[n - 4] = number("%.4f", r->best.loss + none);
        row[n - 3] = number("%.4f", r->best.val_loss + none);
        row[n - 2] = values ? number("%.5g", r->best.val_error + none)
                            : number("%.2f", 100 * r->best.val_accuracy + none);
        row[n - 1] = cli_format("%s", r->state != NULL ? r->state : "not tried");
    }
    const int code =
        cells != NULL ? cli_print_table(format, heading, cells, s->n_runs) : cli_out_of_memory();
    cli_free_cells(cells, s->n_runs * n);
    return code;
}

/* @param folder  of its weights; NULL: there is no best */
static int name_best(const sweep *s, const combination *best, const char *folder)
{
    if (best == NULL) {
        cli_say("none of the %zu trainings came to the end of an epoch", s->n_runs);
        return CLI_FAILED;
    }
    if (!s->c->globals.json) {
        printf("best: %s, in %s/best.safetensors\n", best->name, folder);
    }
    return CLI_DONE;
}

static int report(sweep *s)
{
    qsort(s->runs, s->n_runs, sizeof *s->runs, compare);
    const combination *best = s->runs[0].best.epoch > 0 ? &s->runs[0] : NULL;
    char *folder = NULL;
    if (best != NULL) { /* a first phase has a folder of its own */
        folder = cli_format("%s%s", best->folder, best->best.phase == 1 ? "/head" : "");
    }
    int code = best == NULL || folder != NULL ? CLI_DONE : cli_out_of_memory();
    cli_json_set(s->c, "sweep", runs_json(s));
    cli_json_set(s->c, "best", folder != NULL ? cli_json_text(folder) : json_null());
    if (code == CLI_DONE && !s->c->globals.json) {
        code = print_runs(s);
    }
    if (code == CLI_DONE) {
        code = name_best(s, best, folder);
    }
    free(folder);
    return code;
}

static int run(sweep *s)
{
    int code = read_axes(s);
    code = code == CLI_DONE ? list_runs(s) : code;
    code = code == CLI_DONE ? check_options(s) : code;
    code = code == CLI_DONE ? cli_open_device(s->c) : code;
    if (code != CLI_DONE || s->n_runs == 0) {
        return code;
    }
    for (size_t i = 0; i < s->n_runs && code == CLI_DONE; i++) {
        cli_note(s->c, "%zu of %zu: %s", i + 1, s->n_runs, s->runs[i].name);
        code = train(s, &s->runs[i]);
    }
    if (code != CLI_DONE && code != CLI_INTERRUPTED) {
        return code;
    }
    const int reported = report(s);
    return code == CLI_DONE ? reported : code;
}

int cli_train_sweep(cli *c, const cli_train_settings *settings, const cli_option *options,
                    size_t n_options, const char *dataset, const char *folder)
{
    sweep s = {.c = c,
               .settings = settings,
               .options = options,
               .n_options = n_options,
               .dataset = dataset,
               .folder = folder};
    const int code = run(&s);
    for (size_t i = 0; i < s.n_axes; i++) {
        free(s.axes[i].name);
        cli_list_release(&s.axes[i].values);
    }
    for (size_t i = 0; s.runs != NULL && i < s.n_runs; i++) {
        free(s.runs[i].name);
        free(s.runs[i].folder);
    }
    free(s.runs);
    return code;
}
