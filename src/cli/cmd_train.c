/* reverie train: a network from labelled pictures. */
/* SPDX-License-Identifier: MIT */
#include "base/terminal.h"
#include "cli/evaluation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct settings {
    char *output, *architecture, *model, *resume;
    char *head, *freeze_until, *freeze, *layer_rates;
    char *optimizer, *schedule, *init, *recipe;
    int size, epochs, batch, accumulate, patience, plateau_patience, read_threads;
    uint64_t max_steps, checkpoint_steps;
    double checkpoint_minutes, time_limit;
    double learning_rate, momentum, l1, l2, clip_value, clip_norm, average;
    double warm_up, decay_factor, decay_epochs, smoothing, validation;
    bool penalize_all, strict, overwrite, find_rate;
} settings;

/* --- while it runs --------------------------------------------------------------------------- */

typedef struct watcher {
    const cli *c;
    json_t *epochs;
    bool heading;
} watcher;

static json_t *epoch_json(const rv_train_epoch *e)
{
    return json_pack("{s:i, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "epoch", e->epoch, "steps",
                     (json_int_t)e->steps, "loss", cli_json_real(e->loss), "accuracy",
                     cli_json_real(e->accuracy), "val_loss", cli_json_real(e->val_loss),
                     "val_accuracy", cli_json_real(e->val_accuracy), "learning_rate",
                     cli_json_real(e->learning_rate), "images_per_second",
                     cli_json_real(e->images_per_second));
}

static void print_epoch(void *payload, const rv_train_epoch *e)
{
    watcher *w = payload;
    json_array_append_new(w->epochs, epoch_json(e));
    if (w->c->globals.json) {
        return;
    }
    rv_terminal_finish(stderr);
    if (!w->heading) {
        printf("epoch    loss  right %%  val loss  val right %%  learning rate  images/s\n");
        w->heading = true;
    }
    printf("%5d  %6.4f  %7.2f  %8.4f  %11.2f  %13.3g  %8.1f%s\n", e->epoch, e->loss,
           100 * e->accuracy, e->val_loss, 100 * e->val_accuracy, e->learning_rate,
           e->images_per_second, e->best ? "  best" : "");
    fflush(stdout);
}

/* --- options --------------------------------------------------------------------------------- */

static rv_train_options train_options(const cli *c, const settings *s, watcher *w)
{
    rv_train_options o = rv_train_defaults();
    const bool automatic = s->resume != NULL && strcmp(s->resume, "auto") == 0;
    o.architecture = s->architecture;
    o.model = s->model;
    o.head = s->head;
    o.freeze_until = s->freeze_until;
    o.freeze = s->freeze;
    o.layer_rates = s->layer_rates;
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
    o.decay_factor = s->decay_factor;
    o.decay_epochs = s->decay_epochs;
    o.plateau_patience = s->plateau_patience;
    o.init = s->init;
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
    o.seed = (uint32_t)c->globals.seed;
    o.threads = s->read_threads;
    o.events = &c->events;
    o.on_epoch = print_epoch;
    o.payload = w;
    return o;
}

/* --- afterwards ------------------------------------------------------------------------------ */

/* The best weights on the pictures that were held back, or where there are none on all. */
static int report_best(cli *c, const settings *s, const char *dataset, const char *folder)
{
    rv_evaluate_options options = RV_EVALUATE_OPTIONS_INIT;
    rv_model *model = NULL;
    rv_evaluation *e = NULL;
    char *best = cli_format("%s/best.safetensors", folder);
    char *confusion = cli_format("%s/confusion.csv", folder);
    int code = best != NULL && confusion != NULL ? CLI_DONE : cli_out_of_memory();
    options.batch = s->batch;
    options.validation = s->validation;
    options.seed = (uint32_t)c->globals.seed;
    options.events = &c->events;
    if (code == CLI_DONE) {
        code = cli_status(rv_model_open(&model, best, NULL));
    }
    if (code == CLI_DONE) {
        code = cli_status(rv_evaluate(&e, c->device, model, dataset, &options));
    }
    if (code == CLI_DONE) {
        json_t *report = json_object();
        rv_terminal_finish(stderr);
        code = cli_report_evaluation(c, report, e);
        cli_json_set(c, "evaluation", report);
    }
    if (code == CLI_DONE) {
        code = cli_status(rv_evaluation_write_confusion(e, confusion, true));
    }
    rv_evaluation_destroy(e);
    rv_model_close(model);
    free(best);
    free(confusion);
    return code;
}

static int train(cli *c, const settings *s, const char *dataset, const char *folder)
{
    watcher w = {.c = c, .epochs = json_array()};
    const rv_train_options options = train_options(c, s, &w);
    rv_train_result result;
    int code = cli_status(rv_train(&result, c->device, dataset, folder, &options));
    cli_json_set(c, "epochs", w.epochs);
    cli_json_set(c, "run", cli_json_text(folder));
    cli_json_set(c, "finished", json_boolean(result.finished));
    cli_json_set(c, "unreadable", json_integer((json_int_t)result.unreadable));
    if (code != CLI_DONE) {
        return code;
    }
    if (result.best.epoch > 0) {
        cli_json_set(c, "best", epoch_json(&result.best));
        code = report_best(c, s, dataset, folder);
    }
    if (code == CLI_DONE && !result.finished) {
        cli_note(c, "stopped at a limit; to go on: the same command with --resume auto");
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

static int find_rate(cli *c, const settings *s, const char *dataset)
{
    watcher w = {.c = c};
    const rv_train_options options = train_options(c, s, &w);
    rv_rate_point *points = NULL;
    size_t n;
    double suggestion;
    const int code =
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
    free(points);
    return CLI_DONE;
}

static int run(cli *c, const void *given, const cli_list *words)
{
    const settings *s = given;
    const bool named = s->resume != NULL && strcmp(s->resume, "auto") != 0;
    const char *folder = s->output != NULL ? s->output : named ? s->resume : NULL;
    if (folder == NULL && !s->find_rate) {
        return cli_usage("train needs a folder for the run: -o RUN");
    }
    if (named && s->output != NULL && strcmp(s->resume, s->output) != 0) {
        return cli_usage("--resume %s goes on in that folder: leave -o out", s->resume);
    }
    if ((s->architecture == NULL) == (s->model == NULL)) {
        return cli_usage("train needs --arch NAME, or --model FILE to go on from");
    }
    int code = cli_open_device(c);
    if (code == CLI_DONE) {
        code =
            s->find_rate ? find_rate(c, s, words->items[0]) : train(c, s, words->items[0], folder);
    }
    return code == CLI_DONE ? cli_json_print(c, code) : code;
}

#define AT(member) offsetof(settings, member)
static const cli_option options[] = {
    {.name = "output",
     .letter = 'o',
     .kind = CLI_FILE,
     .offset = AT(output),
     .argument = "RUN",
     .help = "folder for checkpoints, metrics and the best weights"},
    {.name = "arch",
     .kind = CLI_TEXT,
     .offset = AT(architecture),
     .argument = "NAME",
     .help = "architecture, as `reverie models list` names them; mlp:64,32 says units"},
    {.name = "model",
     .kind = CLI_FILE,
     .offset = AT(model),
     .argument = "MODEL",
     .help = "model to go on from, with all its weights"},
    {.name = "head",
     .kind = CLI_TEXT,
     .offset = AT(head),
     .argument = "LAYERS",
     .help = "take off the model's classifier, and put on a dense layer to the set's classes, "
             "behind these: "
             "'linear' for none, or 'dense 256 elu, dropout 0.5'"},
    {.name = "freeze-until",
     .kind = CLI_TEXT,
     .offset = AT(freeze_until),
     .argument = "LAYER",
     .help = "leave this layer and all that it depends on as they are"},
    {.name = "freeze",
     .kind = CLI_TEXT,
     .offset = AT(freeze),
     .argument = "NAMES",
     .help = "leave layers of these names as they are: 'conv1_*,conv2_*'"},
    {.name = "layer-rates",
     .kind = CLI_TEXT,
     .offset = AT(layer_rates),
     .argument = "NAMES",
     .help = "factors of the learning rate: 'conv*=0.1,head/*=1'"},
    {.name = "resume",
     .kind = CLI_FILE,
     .offset = AT(resume),
     .argument = "RUN|auto",
     .help = "go on from the last checkpoint of a run, bit for bit; auto: of -o, if it has one"},
    {.name = "epochs",
     .kind = CLI_INT,
     .offset = AT(epochs),
     .argument = "N",
     .initial = "10",
     .min = 1,
     .max = 1e6,
     .help = "times that all pictures are gone through"},
    {.name = "batch",
     .kind = CLI_INT,
     .offset = AT(batch),
     .argument = "N",
     .initial = "64",
     .min = 1,
     .max = 65535,
     .help = "pictures of a step"},
    {.name = "accumulate",
     .kind = CLI_INT,
     .offset = AT(accumulate),
     .argument = "N",
     .initial = "1",
     .min = 1,
     .max = 65535,
     .help = "batches whose gradients make one update"},
    {.name = "size",
     .kind = CLI_INT,
     .offset = AT(size),
     .argument = "PIXELS",
     .otherwise = "that of --model or of IDX files, else of the architecture",
     .min = 4,
     .max = 65535,
     .help = "side of the pictures that the network takes"},
    {.name = "optimizer",
     .kind = CLI_TEXT,
     .offset = AT(optimizer),
     .argument = "NAME",
     .initial = "momentum",
     .help = "sgd, momentum, nesterov, adagrad, rmsprop, adam or adamw"},
    {.name = "learning-rate",
     .kind = CLI_REAL,
     .offset = AT(learning_rate),
     .argument = "R",
     .otherwise = "0.01; 0.001 of rmsprop, adam and adamw",
     .max = 1e6,
     .help = "learning rate that the schedule starts from"},
    {.name = "find-rate",
     .kind = CLI_FLAG,
     .offset = AT(find_rate),
     .help = "try rates from 1e-6 to 10 over 100 steps, print the losses, and write nothing"},
    {.name = "momentum",
     .kind = CLI_REAL,
     .offset = AT(momentum),
     .argument = "M",
     .otherwise = "0.9",
     .unset = -1,
     .max = 0.9999,
     .help = "momentum; of Adam its first beta"},
    {.name = "l1",
     .kind = CLI_REAL,
     .offset = AT(l1),
     .argument = "W",
     .initial = "0",
     .max = 1e6,
     .help = "penalty on the size of weights"},
    {.name = "l2",
     .kind = CLI_REAL,
     .offset = AT(l2),
     .argument = "W",
     .initial = "0.0005",
     .max = 1e6,
     .help = "penalty on half the square of weights; of adamw weight decay"},
    {.name = "penalize-all",
     .kind = CLI_FLAG,
     .offset = AT(penalize_all),
     .help = "penalties on biases and normalisation too"},
    {.name = "clip-value",
     .kind = CLI_REAL,
     .offset = AT(clip_value),
     .argument = "C",
     .initial = "0",
     .max = 1e9,
     .help = "keep each value of the gradient within this; 0: off"},
    {.name = "clip-norm",
     .kind = CLI_REAL,
     .offset = AT(clip_norm),
     .argument = "C",
     .initial = "0",
     .max = 1e9,
     .help = "keep the norm of the gradient within this; 0: off"},
    {.name = "average",
     .kind = CLI_REAL,
     .offset = AT(average),
     .argument = "DECAY",
     .initial = "0",
     .max = 0.99999999,
     .help = "validate and keep a moving average of the weights; 0: off"},
    {.name = "schedule",
     .kind = CLI_TEXT,
     .offset = AT(schedule),
     .argument = "NAME",
     .initial = "cosine",
     .help = "constant, piecewise, plateau, exponential, power, cosine or one-cycle"},
    {.name = "warm-up",
     .kind = CLI_REAL,
     .offset = AT(warm_up),
     .argument = "EPOCHS",
     .initial = "0",
     .max = 1e6,
     .help = "epochs in which the learning rate grows"},
    {.name = "decay-factor",
     .kind = CLI_REAL,
     .offset = AT(decay_factor),
     .argument = "F",
     .otherwise = "0.1",
     .max = 1,
     .help = "what piecewise, plateau and exponential multiply the rate with"},
    {.name = "decay-epochs",
     .kind = CLI_REAL,
     .offset = AT(decay_epochs),
     .argument = "N",
     .otherwise = "all",
     .max = 1e6,
     .help = "period of exponential and power"},
    {.name = "plateau-patience",
     .kind = CLI_INT,
     .offset = AT(plateau_patience),
     .argument = "N",
     .initial = "5",
     .min = 1,
     .max = 1e6,
     .help = "epochs without gain after which plateau lowers the rate"},
    {.name = "init",
     .kind = CLI_TEXT,
     .offset = AT(init),
     .argument = "NAME",
     .initial = "he",
     .help = "first weights: he, xavier or lecun, with -normal, -uniform or -truncated"},
    {.name = "smoothing",
     .kind = CLI_REAL,
     .offset = AT(smoothing),
     .argument = "SHARE",
     .initial = "0",
     .max = 1,
     .help = "share of each label that is spread over all classes"},
    {.name = "recipe",
     .kind = CLI_FILE,
     .offset = AT(recipe),
     .argument = "FILE|NAME",
     .help = "augment the training pictures, another way each epoch: a YAML file, light or photo"},
    {.name = "validation",
     .kind = CLI_REAL,
     .offset = AT(validation),
     .argument = "SHARE",
     .initial = "0.2",
     .max = 0.99,
     .help = "share held back where the set has no val/: drawn, or the last of IDX files"},
    {.name = "patience",
     .kind = CLI_INT,
     .offset = AT(patience),
     .argument = "N",
     .initial = "0",
     .max = 1e6,
     .help = "end after so many epochs without gain in validation; 0: never"},
    {.name = "checkpoint-steps",
     .kind = CLI_COUNT,
     .offset = AT(checkpoint_steps),
     .argument = "N",
     .initial = "0",
     .max = 1e15,
     .help = "a checkpoint after so many updates too; 0: by time and epoch only"},
    {.name = "checkpoint-minutes",
     .kind = CLI_REAL,
     .offset = AT(checkpoint_minutes),
     .argument = "N",
     .initial = "10",
     .max = 1e6,
     .help = "a checkpoint after so long; 0: at the end of epochs only"},
    {.name = "max-steps",
     .kind = CLI_COUNT,
     .offset = AT(max_steps),
     .argument = "N",
     .initial = "0",
     .max = 1e15,
     .help = "stop after so many updates, to be resumed; 0: no limit"},
    {.name = "time-limit",
     .kind = CLI_REAL,
     .offset = AT(time_limit),
     .argument = "SECONDS",
     .initial = "0",
     .max = 1e9,
     .help = "stop after so long, to be resumed; 0: no limit"},
    {.name = "read-threads",
     .kind = CLI_INT,
     .offset = AT(read_threads),
     .argument = "N",
     .otherwise = "one per processor, at most 4",
     .max = 64,
     .help = "threads that read pictures"},
    {.name = "strict",
     .kind = CLI_FLAG,
     .offset = AT(strict),
     .help = "end at a picture that cannot be read; otherwise another takes its place"},
    {.name = "overwrite",
     .kind = CLI_FLAG,
     .offset = AT(overwrite),
     .help = "replace the run that is in RUN"},
};
#undef AT

const cli_command cli_train = {
    .name = "train",
    .summary = "train a network on labelled pictures",
    .arguments = "DATASET (--arch NAME | --model MODEL) -o RUN",
    .description =
        "Trains a network and writes to the folder RUN: config.json, metrics.csv with a line for "
        "each epoch, last.safetensors (a checkpoint, from which --resume goes on bit for bit), "
        "best.safetensors (the weights that did best in validation; a MODEL for every other "
        "command) and confusion.csv. Ctrl-C writes a checkpoint and ends.\n\n"
        "DATASET is a folder with a folder of pictures for each class; one with train/ and val/ "
        "that hold such; a .csv list of lines \"picture,class\" or \"picture,class,val\"; or a "
        "folder with IDX files, as MNIST has, which may end in .gz.",
    .example = "reverie train mnist/ --arch lenet -o run --epochs 10\n"
               "reverie train photos/ --arch small-cnn -o run --optimizer adamw --patience 10\n"
               "reverie train photos/ --arch small-cnn -o run --resume auto",
    .min_words = 1,
    .max_words = 1,
    .missing = "labelled pictures",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_size = sizeof(settings),
    .run = run,
};
