/* Runs a training from the shell: a line for each epoch, and how well the best weights do. */
/* SPDX-License-Identifier: MIT */
#include "cli/train.h"
#include "base/terminal.h"
#include "cli/evaluation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- while it runs --------------------------------------------------------------------------- */

typedef struct watcher {
    const cli *c;
    json_t *epochs;
    bool values; /* are learned: there are errors, and no right answers */
    bool heading;
    int phase;
} watcher;

static json_t *layers_json(const rv_train_epoch *e)
{
    json_t *layers = json_array();
    for (size_t i = 0; i < e->n_layers; i++) {
        const rv_train_layer *l = &e->layers[i];
        json_array_append_new(
            layers,
            json_pack("{s:o, s:o, s:o, s:o, s:i, s:i}", "name", cli_json_text(l->name), "gradient",
                      cli_json_real(l->gradient), "weight", cli_json_real(l->weight), "update",
                      cli_json_real(l->update), "units", l->units, "dead", l->dead));
    }
    return layers;
}

json_t *cli_epoch_json(const rv_train_epoch *e)
{
    json_t *json = json_pack(
        "{s:i, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "epoch", e->epoch, "steps",
        (json_int_t)e->steps, "loss", cli_json_real(e->loss), "accuracy",
        cli_json_real(e->accuracy), "val_loss", cli_json_real(e->val_loss), "val_accuracy",
        cli_json_real(e->val_accuracy), "val_error", cli_json_real(e->val_error), "learning_rate",
        cli_json_real(e->learning_rate), "images_per_second", cli_json_real(e->images_per_second),
        "seconds_left", cli_json_real(e->seconds_left));
    if (e->phase > 0) {
        json_object_set_new(json, "phase", json_integer(e->phase));
    }
    if (e->n_layers > 0) {
        json_object_set_new(json, "layers", layers_json(e));
    }
    return json;
}

enum { LAYER_COLUMNS = 4 };

/* What --diagnose measured of each layer. */
static void print_layers(const rv_train_epoch *e)
{
    static const char *const heading[LAYER_COLUMNS] = {"layer", "gradient", "update/weight",
                                                       "dead units"};
    char **cells = calloc(e->n_layers * LAYER_COLUMNS, sizeof *cells);
    for (size_t i = 0; cells != NULL && i < e->n_layers; i++) {
        const rv_train_layer *l = &e->layers[i];
        char **row = &cells[i * LAYER_COLUMNS];
        row[0] = cli_format("%s", l->name);
        row[1] = cli_format("%.3g", l->gradient);
        row[2] = cli_format("%.2e", l->update);
        row[3] = l->units > 0 ? cli_format("%.1f %%", 100.0 * l->dead / l->units) : cli_format("-");
    }
    if (cells == NULL || cli_print_table("lrrr", heading, cells, e->n_layers) != CLI_DONE) {
        cli_out_of_memory();
    }
    cli_free_cells(cells, e->n_layers * LAYER_COLUMNS);
}

/* "1:02:03", "4:05"; "-" where it is not known. */
static void time_text(char *out, size_t bytes, double seconds)
{
    const long whole = seconds > 0 ? (long)(seconds + 0.5) : 0;
    const long hours = whole / 3600, minutes = whole / 60 % 60;
    if (!(seconds >= 0)) {
        snprintf(out, bytes, "-");
    } else if (hours > 0) {
        snprintf(out, bytes, "%ld:%02ld:%02ld", hours, minutes, whole % 60);
    } else {
        snprintf(out, bytes, "%ld:%02ld", minutes, whole % 60);
    }
}

static void print_epoch(void *payload, const rv_train_epoch *e)
{
    watcher *w = payload;
    json_array_append_new(w->epochs, cli_epoch_json(e));
    if (w->c->globals.json) {
        return;
    }
    rv_terminal_finish(stderr);
    if (w->phase != e->phase) {
        printf(e->phase == 1 ? "first phase: what is new\n"
                             : "second phase: more of the network, at a lower rate\n");
        w->phase = e->phase;
        w->heading = false;
    }
    if (!w->heading) {
        printf(w->values ? "epoch    loss  val loss   val error  learning rate  images/s     left\n"
                         : "epoch    loss  right %%  val loss  val right %%  learning rate  "
                           "images/s     left\n");
        w->heading = true;
    }
    const char *best = e->best ? "  best" : "";
    char left[32];
    time_text(left, sizeof left, e->seconds_left);
    if (w->values) {
        printf("%5d  %6.4f  %8.4f  %10.5g  %13.3g  %8.1f  %7s%s\n", e->epoch, e->loss, e->val_loss,
               e->val_error, e->learning_rate, e->images_per_second, left, best);
    } else {
        printf("%5d  %6.4f  %7.2f  %8.4f  %11.2f  %13.3g  %8.1f  %7s%s\n", e->epoch, e->loss,
               100 * e->accuracy, e->val_loss, 100 * e->val_accuracy, e->learning_rate,
               e->images_per_second, left, best);
    }
    if (e->n_layers > 0) {
        print_layers(e);
        w->heading = false; /* the next line stands under a table */
    }
    fflush(stdout);
}

/* --- options --------------------------------------------------------------------------------- */

rv_train_options cli_train_options(const cli *c, const cli_train_settings *s)
{
    rv_train_options o = rv_train_defaults();
    const bool automatic = s->resume != NULL && strcmp(s->resume, "auto") == 0;
    o.architecture = s->architecture;
    o.model = s->model;
    o.pooling = (rv_pooling)(s->pooling + 1);
    o.features = s->features != NULL;
    o.head = s->head;
    o.freeze_until = s->freeze_until;
    o.freeze = s->freeze;
    o.layer_rates = s->layer_rates;
    o.unfreeze_from = s->unfreeze_from;
    o.unfreeze_epochs = s->unfreeze_epochs;
    o.unfreeze_rate = s->unfreeze_rate;
    o.size = s->size;
    o.epochs = s->epochs;
    o.max_steps = (int64_t)s->max_steps;
    o.time_limit = s->time_limit;
    o.batch = s->batch;
    o.accumulate = s->accumulate;
    o.optimizer = s->optimizer;
    o.learning_rate = s->learning_rate;
    o.momentum = s->momentum;
    o.l1 = s->l1;
    o.l2 = s->l2;
    o.penalize_all = s->penalize_all;
    o.clip_value = s->clip_value;
    o.clip_norm = s->clip_norm;
    o.average = s->average;
    o.schedule = s->schedule;
    o.warm_up = s->warm_up;
    o.decay_at = s->decay_at;
    o.decay_factor = s->decay_factor;
    o.decay_epochs = s->decay_epochs;
    o.plateau_patience = s->plateau_patience;
    o.init = s->init;
    o.loss = s->loss;
    o.smoothing = s->smoothing;
    o.recipe = s->recipe;
    o.validation = s->validation;
    o.patience = s->patience;
    o.checkpoint_steps = (int64_t)s->checkpoint_steps;
    o.checkpoint_minutes = s->checkpoint_minutes;
    o.resume_if_there = automatic;
    o.resume = s->resume != NULL && !automatic;
    o.strict = s->strict;
    o.overwrite = s->overwrite;
    o.diagnose = s->diagnose;
    o.seed = (uint32_t)c->globals.seed;
    o.threads = s->read_threads;
    o.events = &c->events;
    return o;
}

/* --- afterwards ------------------------------------------------------------------------------ */

/* The best weights on the pictures that were held back, or where there are none on all. */
static int report_best(cli *c, const cli_train_settings *s, const char *dataset, const char *folder)
{
    rv_evaluate_options options = RV_EVALUATE_OPTIONS_INIT;
    rv_model *model = NULL;
    rv_evaluation *e = NULL;
    char *best = cli_format("%s/best.safetensors", folder);
    char *table = cli_format("%s/confusion.csv", folder);
    char *picture = cli_format("%s/confusion.png", folder);
    int code = best != NULL && table != NULL && picture != NULL ? CLI_DONE : cli_out_of_memory();
    options.batch = s->batch;
    options.validation = s->validation;
    options.seed = (uint32_t)c->globals.seed;
    /* What there is to say about the pictures, the training has said. */
    rv_events quiet = c->events;
    quiet.log = NULL;
    options.events = &quiet;
    if (code == CLI_DONE) {
        code = cli_status(rv_model_open(&model, best, NULL));
    }
    if (code == CLI_DONE) {
        code = cli_status(rv_evaluate(&e, c->device, model, dataset, &options));
    }
    if (code == CLI_DONE) {
        json_t *report = json_object();
        rv_terminal_finish(stderr);
        code = cli_report_evaluation(c, report, e, s->top);
        cli_json_set(c, "evaluation", report);
    }
    const bool classes = e != NULL && rv_evaluation_task(e) == RV_TASK_CLASSES;
    if (code == CLI_DONE && classes) {
        code = cli_write_confusion(e, table, true);
    }
    if (code == CLI_DONE && classes) {
        code = cli_write_confusion(e, picture, true);
    }
    rv_evaluation_destroy(e);
    rv_model_close(model);
    free(best);
    free(table);
    free(picture);
    return code;
}

/* At --max-steps the same command would end at once. */
static void note_limit(const cli *c, const cli_train_settings *s, const rv_train_result *result)
{
    if (s->max_steps > 0 && result->steps >= (int64_t)s->max_steps) {
        cli_note(c, "stopped at --max-steps %llu; to go on: --resume auto, and more steps or none",
                 (unsigned long long)s->max_steps);
    } else {
        cli_note(c,
                 "stopped at --time-limit %g; to go on for as long again: the same command with "
                 "--resume auto",
                 s->time_limit);
    }
}

int cli_train_run(cli *c, const cli_train_settings *s, const char *dataset, const char *folder)
{
    watcher w = {
        .c = c, .values = s->loss != NULL && strcmp(s->loss, "mse") == 0, .epochs = json_array()};
    rv_train_options options = cli_train_options(c, s);
    rv_train_result result;
    options.on_epoch = print_epoch;
    options.payload = &w;
    int code = cli_status(rv_train(&result, c->device, dataset, folder, &options));
    cli_json_set(c, "epochs", w.epochs);
    cli_json_set(c, "run", cli_json_text(folder));
    cli_json_set(c, "finished", json_boolean(result.finished));
    cli_json_set(c, "unreadable", json_integer((json_int_t)result.unreadable));
    if (code != CLI_DONE) {
        return code;
    }
    if (result.unreadable > 0) {
        cli_note(c, "left out as they cannot be read: %zu picture%s", result.unreadable,
                 result.unreadable == 1 ? "" : "s");
    }
    const bool all = s->unfreeze_from == NULL || result.best.phase != 1;
    if (result.best.epoch > 0 && all) {
        cli_json_set(c, "best", cli_epoch_json(&result.best));
        /* Rows are no pictures that the whole network could be measured on. */
        code = s->features == NULL ? report_best(c, s, dataset, folder) : CLI_DONE;
    }
    if (code == CLI_DONE && !result.finished) {
        note_limit(c, s, &result);
    } else if (code == CLI_DONE) {
        cli_note(c, "%sthe weights that did best, of epoch %d, are in %s/best.safetensors",
                 result.stopped_early ? "ended early; " : "", result.best.epoch, folder);
    }
    return code;
}

/* --- the search for a learning rate ---------------------------------------------------------- */

enum { BAR_COLUMNS = 40 };

/* A line for every third rate, with a bar as long as its mean loss. */
static void print_rates(const rv_rate_point *points, size_t n, double suggestion)
{
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        const bool usual = points[i].mean <= 2 * points[0].mean;
        most = usual && points[i].mean > most ? points[i].mean : most;
    }
    printf("learning rate  mean loss\n");
    for (size_t i = 0; i < n; i += 3) {
        const double share = most > 0 ? points[i].mean / most : 0;
        const int columns = share < 1 ? (int)(share * BAR_COLUMNS + 0.5) : BAR_COLUMNS;
        printf("%13.3g  %9.4f  %.*s\n", points[i].rate, points[i].mean, columns,
               "########################################");
    }
    printf("the loss falls most steeply at %.2g\n", suggestion);
}

static int draw_rates(const cli_train_settings *s, const rv_rate_point *points, size_t n,
                      double suggestion)
{
    rv_image_write_options write = RV_IMAGE_WRITE_OPTIONS_INIT;
    rv_image *image;
    write.overwrite = s->overwrite;
    int code = cli_status(rv_visualize_rates(&image, points, n, suggestion));
    if (code == CLI_DONE) {
        code = cli_status(rv_image_write(image, s->output, &write));
        rv_image_destroy(image);
    }
    return code;
}

int cli_find_rate(cli *c, const cli_train_settings *s, const char *dataset)
{
    const rv_train_options options = cli_train_options(c, s);
    rv_rate_point *points = NULL;
    size_t n;
    double suggestion;
    if (s->output != NULL && !rv_image_has_name(s->output)) {
        return cli_usage("--find-rate draws a plot into -o FILE.png, not %s", s->output);
    }
    int code = cli_open_device(c);
    if (code != CLI_DONE) {
        return code;
    }
    code =
        cli_status(rv_find_learning_rate(&points, &n, &suggestion, c->device, dataset, &options));
    if (code != CLI_DONE) {
        return code;
    }
    json_t *rates = json_array();
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(rates, json_pack("{s:f, s:o, s:o}", "rate", points[i].rate, "loss",
                                               cli_json_real(points[i].loss), "mean",
                                               cli_json_real(points[i].mean)));
    }
    cli_json_set(c, "rates", rates);
    cli_json_set(c, "suggestion", cli_json_real(suggestion));
    if (!c->globals.json) {
        rv_terminal_finish(stderr);
        print_rates(points, n, suggestion);
    }
    const int drawn = s->output != NULL ? draw_rates(s, points, n, suggestion) : CLI_DONE;
    free(points);
    return drawn;
}
