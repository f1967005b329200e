/* reverie evaluate: how well a network does on labelled pictures. */
/* SPDX-License-Identifier: MIT */
#include "cli/evaluation.h"

typedef struct settings {
    cli_model_files files;
    int batch, top;
    double validation;
    bool train, strict, overwrite;
    char *confusion;
} settings;

static int evaluate(cli *c, const settings *s, const rv_model *model, const char *dataset)
{
    rv_evaluate_options options = RV_EVALUATE_OPTIONS_INIT;
    rv_evaluation *e = NULL;
    options.batch = s->batch;
    options.validation = s->validation;
    options.train = s->train;
    options.strict = s->strict;
    options.seed = (uint32_t)c->globals.seed;
    options.events = &c->events;
    int code = cli_status(rv_evaluate(&e, c->device, model, dataset, &options));
    if (code == CLI_DONE) {
        code = cli_report_evaluation(c, c->json, e, s->top);
    }
    if (code == CLI_DONE && s->confusion != NULL) {
        code = cli_write_confusion(e, s->confusion, s->overwrite);
    }
    const size_t unreadable = code == CLI_DONE ? rv_evaluation_unreadable(e) : 0;
    if (unreadable > 0) { /* the rest was measured, as other commands go on with the rest */
        cli_say("%zu picture%s could not be read", unreadable, unreadable == 1 ? "" : "s");
        code = CLI_FAILED;
    }
    rv_evaluation_destroy(e);
    return code;
}

static int run(cli *c, const void *given, const cli_list *words)
{
    const settings *s = given;
    rv_model *model = NULL;
    int code = cli_open_model(c, &model, words->items[0], &s->files, RV_POOLING_AS_MADE);
    if (code == CLI_DONE && s->confusion != NULL && rv_model_task(model) != RV_TASK_CLASSES) {
        code = cli_usage("--confusion: a confusion matrix is of a network for classes");
    }
    if (code == CLI_DONE) {
        code = cli_open_device(c);
    }
    if (code == CLI_DONE) {
        code = evaluate(c, s, model, words->items[1]);
    }
    rv_model_close(model);
    return code == CLI_DONE ? cli_json_print(c, code) : code;
}

static const cli_option options[] = {
    CLI_MODEL_OPTIONS(settings, files),
    {.name = "batch",
     .kind = CLI_INT,
     .offset = offsetof(settings, batch),
     .argument = "N",
     .initial = "64",
     .min = 1,
     .max = 65535,
     .help = "pictures at a time"},
    {.name = "validation",
     .kind = CLI_REAL,
     .offset = offsetof(settings, validation),
     .argument = "SHARE",
     .initial = "0",
     .max = 0.99,
     .help = "share that `train` held back with the same --seed: measure that; 0: all"},
    {.name = "training",
     .kind = CLI_FLAG,
     .offset = offsetof(settings, train),
     .help = "measure the pictures for training, not those for validation"},
    CLI_TOP_OPTION(settings, top, "also tell how often the right class is among the K likeliest"),
    {.name = "confusion",
     .kind = CLI_FILE,
     .offset = offsetof(settings, confusion),
     .argument = "FILE",
     .help = "write the confusion matrix: a picture where FILE ends in .png, else CSV"},
    {.name = "strict",
     .kind = CLI_FLAG,
     .offset = offsetof(settings, strict),
     .help = "end at a picture that cannot be read; otherwise it is left out"},
    {.name = "overwrite",
     .kind = CLI_FLAG,
     .offset = offsetof(settings, overwrite),
     .help = "replace FILE"},
};

const cli_command cli_evaluate = {
    .name = "evaluate",
    .summary = "measure how well a network does on labelled pictures",
    .arguments = "MODEL DATASET",
    .description =
        "Runs a network over labelled pictures and prints the share that it gets right, precision, "
        "recall and F1 of each class. DATASET is a folder with a folder of pictures for each "
        "class; one with train/ and val/ that hold such, of which val/ is measured; a .csv list "
        "of lines \"picture,class\"; or a folder with IDX files, as MNIST has. Classes are "
        "matched by name. A model for several labels or for numbers takes a .csv list of lines "
        "\"picture,cat;indoor\" or \"picture,0.3\".",
    .example = "reverie evaluate run/best.safetensors photos/ --validation 0.2\n"
               "reverie evaluate run/best.safetensors test/ --confusion confusion.png --top 3",
    .min_words = 2,
    .max_words = 2,
    .missing = "a model and labelled pictures",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_size = sizeof(settings),
    .run = run,
};
