/* reverie train: a network from labelled pictures. */
/* SPDX-License-Identifier: MIT */
#include "cli/train.h"

#include <string.h>

#define AT(member) offsetof(cli_train_settings, member)
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
     .argument = "NAME|FILE",
     .help = "architecture, as `reverie models list` names them; mlp:64,32 says units; or a YAML "
             "file of layers"},
    {.name = "model",
     .kind = CLI_FILE,
     .offset = AT(model),
     .argument = "MODEL",
     .help = "model to go on from, with all its weights"},
    {.name = "features",
     .kind = CLI_FILE,
     .offset = AT(features),
     .argument = "FILE",
     .help = "rows that `extract` wrote of the layer below the head of --model, in place of "
             "pictures; the folder of each file is its class"},
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
     .help = "leave layers of these names as they are: 'conv1_*,conv2_*'; all others: '!head/*'"},
    {.name = "unfreeze-from",
     .kind = CLI_TEXT,
     .offset = AT(unfreeze_from),
     .argument = "LAYER",
     .help = "train in two phases: first the new head alone (or what --freeze leaves), then this "
             "layer and all behind it too, at a lower rate"},
    {.name = "unfreeze-epochs",
     .kind = CLI_INT,
     .offset = AT(unfreeze_epochs),
     .argument = "N",
     .otherwise = "as --epochs",
     .max = 1e6,
     .help = "epochs of the second phase"},
    {.name = "unfreeze-rate",
     .kind = CLI_REAL,
     .offset = AT(unfreeze_rate),
     .argument = "R",
     .otherwise = "a tenth of the first",
     .max = 1e6,
     .help = "learning rate of the second phase"},
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
     .min = 1e-12,
     .max = 1e6,
     .help = "learning rate that the schedule starts from"},
    {.name = "find-rate",
     .kind = CLI_FLAG,
     .offset = AT(find_rate),
     .help =
         "try rates from 1e-6 to 10 over 100 steps and print the losses; nothing is written but a "
         "plot, with -o FILE.png"},
    {.name = "sweep",
     .kind = CLI_TEXT,
     .offset = AT(sweep),
     .argument = "OPTIONS",
     .help =
         "train with each combination of these values, as in 'lr=0.1,0.01 hidden=100,300', each "
         "in a folder of RUN, and print a table"},
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
    {.name = "decay-at",
     .kind = CLI_TEXT,
     .offset = AT(decay_at),
     .argument = "EPOCHS",
     .otherwise = "half and three quarters of all",
     .help = "epochs behind which piecewise falls: 30,60"},
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
     .initial = "auto",
     .help =
         "first weights: auto (he before ReLU and its like, else lecun), he, xavier or lecun, and "
         "behind it -normal, -uniform or -truncated, -in, "
         "-out or -average, and units: he-uniform, xavier-tanh"},
    CLI_POOLING_OPTION(cli_train_settings, pooling, "as the network was made"),
    {.name = "loss",
     .kind = CLI_TEXT,
     .offset = AT(loss),
     .argument = "NAME",
     .initial = "cross-entropy",
     .help = "cross-entropy: a picture is of one class; bce: any of several labels; mse: numbers"},
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
     .help = "stop after so many updates in all, to be resumed without it; 0: no limit"},
    {.name = "time-limit",
     .kind = CLI_REAL,
     .offset = AT(time_limit),
     .argument = "SECONDS",
     .initial = "0",
     .max = 1e9,
     .help = "stop after so long, to be resumed for as long again; 0: no limit"},
    CLI_TOP_OPTION(cli_train_settings, top,
                   "at the end, also tell how often the right class is among the K likeliest"),
    {.name = "diagnose",
     .kind = CLI_FLAG,
     .offset = AT(diagnose),
     .help = "print gradient, update and dead units of each layer after each epoch, and write "
             "them to layers.csv"},
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

/* Trains on a data set, or searches for how to. */
static int train(cli *c, const cli_train_settings *s, const char *dataset, const char *folder)
{
    if (s->sweep != NULL && !s->find_rate) {
        const int code =
            cli_train_sweep(c, s, options, sizeof options / sizeof options[0], dataset, folder);
        return code == CLI_DONE ? cli_json_print(c, code) : code;
    }
    if ((s->architecture == NULL) == (s->model == NULL)) {
        return cli_usage("train needs --arch NAME, or --model FILE to go on from");
    }
    int code = s->find_rate ? cli_find_rate(c, s, dataset) : cli_open_device(c);
    if (code == CLI_DONE && !s->find_rate) {
        code = cli_train_run(c, s, dataset, folder);
    }
    return code == CLI_DONE ? cli_json_print(c, code) : code;
}

static int run(cli *c, const void *given, const cli_list *words)
{
    const cli_train_settings *s = given;
    const bool named = s->resume != NULL && strcmp(s->resume, "auto") != 0;
    const char *folder = s->output != NULL ? s->output : named ? s->resume : NULL;
    if (s->features == NULL && words->n == 0) {
        return cli_usage("train needs labelled pictures: DATASET, or --features FILE");
    }
    if (s->features != NULL && words->n > 0) {
        return cli_usage("--features takes the place of '%s': take one", words->items[0]);
    }
    if (folder == NULL && !s->find_rate) {
        return cli_usage("train needs a folder for the run: -o RUN");
    }
    if (named && s->output != NULL && strcmp(s->resume, s->output) != 0) {
        return cli_usage("--resume %s goes on in that folder: leave -o out", s->resume);
    }
    return train(c, s, s->features != NULL ? s->features : words->items[0], folder);
}

const cli_command cli_train = {
    .name = "train",
    .summary = "train a network on labelled pictures",
    .arguments = "[DATASET] (--arch NAME | --model MODEL) -o RUN",
    .description =
        "Trains a network and writes to the folder RUN: config.json, metrics.csv with a line for "
        "each epoch, last.safetensors (a checkpoint, from which --resume goes on bit for bit), "
        "best.safetensors (the weights that did best in validation; a MODEL for every other "
        "command), confusion.csv and confusion.png. Ctrl-C writes a checkpoint and ends.\n\n"
        "DATASET is a folder with a folder of pictures for each class; one with train/ and val/ "
        "that hold such; a .csv list of lines \"picture,class\" or \"picture,class,val\"; or a "
        "folder with IDX files, as MNIST has, which may end in .gz. With --loss bce the lines of "
        "the list are \"picture,cat;indoor\", with --loss mse \"picture,0.3\" or "
        "\"picture,0.3;7\". With --features only the head is trained, in seconds; "
        "best.safetensors is then --model with that head, for pictures as `extract` took them.",
    .example = "reverie train mnist/ --arch lenet -o run --epochs 10\n"
               "reverie train photos/ --arch small-cnn -o run --optimizer adamw --patience 10\n"
               "reverie train photos/ --arch small-cnn -o run --resume auto\n"
               "reverie train set --model builtin --head linear --unfreeze-from conv5_1 -o run\n"
               "reverie train --features vectors.npy --model squeezenet.caffemodel -o run\n"
               "reverie train ages.csv --arch small-cnn -o run --loss mse\n"
               "reverie train mnist/ -o sweep --sweep 'lr=0.1,0.01 hidden=100,300-100'",
    .max_words = 1,
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_size = sizeof(cli_train_settings),
    .run = run,
};
