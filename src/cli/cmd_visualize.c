/* reverie visualize: pictures that explain. */
/* SPDX-License-Identifier: MIT */
#include "cli/visualize.h"

#include <stdlib.h>
#include <string.h>

typedef cli_visualize_settings settings;

bool cli_visualize_to_folder(const settings *s)
{
    return s->output != NULL && cli_is_folder(s->output);
}

int cli_visualize_output(char **out, const settings *s, const char *input, const char *what,
                         const char *extension, const cli_list *inputs)
{
    char *ending = cli_format("_%s%s", what, extension);
    *out = NULL;
    if (ending == NULL) {
        return cli_out_of_memory();
    }
    for (char *p = ending; *p != '\0'; p++) {
        *p = *p == '/' ? '_' : *p;
    }
    int code = cli_status(rv_output_name(out, s->output, input, NULL, ending));
    if (code == CLI_DONE) {
        code = cli_status(
            rv_output_check(*out, (const char *const *)inputs->items, inputs->n, s->overwrite));
    }
    free(ending);
    return code;
}

int cli_visualize_beside(char **out, const settings *s, const char *input, const char *what,
                         const char *extension, const cli_list *inputs)
{
    settings beside = *s;
    char *folder = NULL;
    if (s->output != NULL && !cli_visualize_to_folder(s)) {
        const char *slash = strrchr(s->output, '/');
        folder = cli_format("%.*s", slash != NULL ? (int)(slash - s->output + 1) : 2,
                            slash != NULL ? s->output : "./");
        if (folder == NULL) {
            return cli_out_of_memory();
        }
        beside.output = folder;
    }
    const int code = cli_visualize_output(out, &beside, input, what, extension, inputs);
    free(folder);
    return code;
}

/* Two inputs of one stem would give one sheet. */
static int check_earlier(const cli_list *outputs, const char *path, const cli_list *inputs)
{
    for (size_t i = 0; i < outputs->n; i++) {
        if (strcmp(outputs->items[i], path) == 0) {
            return cli_usage("'%s' would come from both %s and %s; visualize them apart", path,
                             inputs->items[i], inputs->items[outputs->n]);
        }
    }
    return CLI_DONE;
}

int cli_visualize_check(const settings *s, const char *what, const cli_list *inputs)
{
    cli_list outputs = {0};
    int code = CLI_DONE;
    if (inputs->n > 1 && s->output != NULL && !cli_visualize_to_folder(s)) {
        return cli_usage("-o %s would hold the sheets of %zu pictures; name a folder", s->output,
                         inputs->n);
    }
    for (size_t i = 0; i < inputs->n && code == CLI_DONE; i++) {
        char *path = NULL;
        code = cli_visualize_output(&path, s, inputs->items[i], what, ".png", inputs);
        if (code == CLI_DONE && path != NULL) {
            code = check_earlier(&outputs, path, inputs);
        }
        if (code == CLI_DONE && path != NULL) {
            code = cli_list_add(&outputs, path, strlen(path));
        }
        free(path);
    }
    cli_list_release(&outputs);
    return code;
}

/* --- training -------------------------------------------------------------------------------- */

int cli_visualize_training(cli *c, const settings *s, const cli_list *words)
{
    rv_image *image = NULL;
    rv_image_write_options write = RV_IMAGE_WRITE_OPTIONS_INIT;
    if (words->n > 1) {
        return cli_usage("visualize training has no use for '%s'", words->items[1]);
    }
    char *path = s->output != NULL ? cli_format("%s", s->output)
                                   : cli_format("%s/curves.png", words->items[0]);
    int code = path != NULL ? CLI_DONE : cli_out_of_memory();
    /* The run's own picture of its curves is there to be renewed. */
    write.overwrite = s->overwrite || s->output == NULL;
    if (code == CLI_DONE) {
        code = cli_status(rv_visualize_training(&image, words->items[0]));
    }
    if (code == CLI_DONE) {
        code = cli_status(rv_image_write(image, path, &write));
    }
    if (code == CLI_DONE) {
        cli_note(c, "%s: curves by epoch", path);
        json_t *output = json_pack("{s:o}", "file", cli_json_text(path));
        cli_json_set(c, "outputs", json_pack("[o]", output));
    }
    rv_image_destroy(image);
    free(path);
    return code;
}

/* --- the command ----------------------------------------------------------------------------- */

/* In the order of `actions`, with what each needs behind its name. */
static const struct {
    cli_visualize_action *run;
    const char *needs; /* NULL: nothing */
} rows[] = {
    {cli_visualize_activations, "a picture: reverie visualize activations [MODEL] IMAGE..."},
    {cli_visualize_filters, NULL},
    {cli_visualize_heatmap, "a picture: reverie visualize heatmap [MODEL] IMAGE..."},
    {cli_visualize_training, "the folder of a run: reverie visualize training RUN"},
};
static const char *const actions[] = {"activations", "filters", "heatmap", "training", NULL};
static const char *const directions[] = {"positive", "negative", "both", NULL};

static int run(cli *c, const void *given, const cli_list *words)
{
    const cli_list rest = {words->items + 1, words->n - 1};
    size_t i = 0;
    while (strcmp(actions[i], words->items[0]) != 0) {
        i++;
    }
    if (rest.n == 0 && rows[i].needs != NULL) {
        return cli_usage("visualize %s needs %s", actions[i], rows[i].needs);
    }
    return cli_json_print(c, rows[i].run(c, given, &rest));
}

static const cli_option options[] = {
    {.name = "output",
     .letter = 'o',
     .kind = CLI_FILE,
     .offset = offsetof(settings, output),
     .argument = "OUT",
     .otherwise = "{stem}_{what}.png here, curves.png in the folder of a run",
     .help = "the picture; a folder that is there gets a sheet for each layer"},
    {.name = "overwrite",
     .kind = CLI_FLAG,
     .offset = offsetof(settings, overwrite),
     .help = "replace pictures that exist; an input never is"},
    {.name = "layers",
     .kind = CLI_TEXT,
     .offset = offsetof(settings, layers),
     .argument = "L,...",
     .otherwise = "all that have maps; filters: the kernels of the first layer",
     .help = "layers to draw, by node or output names; heatmap: the one whose maps Grad-CAM "
             "weights, else the last that has some"},
    {.name = "strongest",
     .kind = CLI_INT,
     .offset = offsetof(settings, strongest),
     .argument = "N",
     .initial = "32",
     .min = 0,
     .max = 1e6,
     .help = "activations: channels of each layer, those of the largest mean value; 0 for all, in "
             "their order"},
    {.name = "tile",
     .kind = CLI_INT,
     .offset = offsetof(settings, tile),
     .argument = "PIXELS",
     .initial = "64",
     .min = 8,
     .max = 1024,
     .help = "activations: about how large a small map is drawn"},
    {.name = "one-scale",
     .kind = CLI_FLAG,
     .offset = offsetof(settings, one_scale),
     .help = "activations: let a colour mean the same value in all maps of a layer, not the share "
             "of the largest value of its map"},
    {.name = "npy",
     .kind = CLI_FLAG,
     .offset = offsetof(settings, npy),
     .help = "write the values of each layer as {stem}_{layer}.npy, of each method of heatmap as "
             "{stem}_{method}.npy, beside the sheet"},
    {.name = "method",
     .kind = CLI_TEXT,
     .offset = offsetof(settings, method),
     .argument = "M,...",
     .initial = "grad-cam",
     .help =
         "heatmap: grad-cam, grad-cam++, saliency, smoothgrad, integrated, guided, occlusion, or "
         "all of these"},
    {.name = "class",
     .kind = CLI_TEXTS,
     .offset = offsetof(settings, classes),
     .argument = "NAME",
     .otherwise = "the likeliest, as many as --top says",
     .help =
         "heatmap: a class to look for, by number, name or a part of it that no other has; may be "
         "given several times"},
    {.name = "top",
     .kind = CLI_INT,
     .offset = offsetof(settings, top),
     .argument = "K",
     .initial = "3",
     .min = 1,
     .max = 1000,
     .help = "heatmap: how many of the likeliest classes to draw"},
    {.name = "samples",
     .kind = CLI_INT,
     .offset = offsetof(settings, samples),
     .argument = "N",
     .initial = "32",
     .min = 1,
     .max = 10000,
     .help = "smoothgrad: pictures with noise"},
    {.name = "noise",
     .kind = CLI_REAL,
     .offset = offsetof(settings, noise),
     .argument = "X",
     .initial = "0.15",
     .min = 1e-6,
     .max = 10,
     .help = "smoothgrad: deviation of the noise, as a share of the picture's range"},
    {.name = "steps",
     .kind = CLI_INT,
     .offset = offsetof(settings, steps),
     .argument = "N",
     .otherwise =
         "filters: 256; integrated: 64 to 1024, twice as many till the sum is right within 1 %",
     .min = 1,
     .max = 100000,
     .help = "filters: steps of Adam; integrated: pictures on the way from black"},
    {.name = "window",
     .kind = CLI_INT,
     .offset = offsetof(settings, window),
     .argument = "PIXELS",
     .otherwise = "a sixth of the shorter side",
     .min = 1,
     .max = 10000,
     .help = "occlusion: side of the grey square, in pixels of what the network takes"},
    {.name = "stride",
     .kind = CLI_INT,
     .offset = offsetof(settings, stride),
     .argument = "PIXELS",
     .otherwise = "a third of the square",
     .min = 1,
     .max = 10000,
     .help = "occlusion: from one square to the next"},
    {.name = "channels",
     .kind = CLI_TEXT,
     .offset = offsetof(settings, channels),
     .argument = "0-63,70|all",
     .otherwise = "the first 64",
     .help = "filters: channels of each layer, numbers and ranges from 0"},
    {.name = "size",
     .kind = CLI_INT,
     .offset = offsetof(settings, size),
     .argument = "PIXELS",
     .otherwise = "filters: 128, or what the layer asks for; heatmap: 448",
     .min = 2,
     .max = 8192,
     .help = "filters: side of the pictures; heatmap: longest side of a photo with its map"},
    {.name = "full-size",
     .kind = CLI_FLAG,
     .offset = offsetof(settings, full_size),
     .help =
         "heatmap: in a folder, make each photo with its map as large as the photo is; the sheet "
         "stays as --size says"},
    {.name = "learning-rate",
     .kind = CLI_REAL,
     .offset = offsetof(settings, learning_rate),
     .argument = "X",
     .initial = "0.05",
     .min = 1e-6,
     .max = 100,
     .help = "filters: length of a step"},
    {.name = "direction",
     .kind = CLI_CHOICE,
     .offset = offsetof(settings, direction),
     .argument = "positive|negative|both",
     .initial = "positive",
     .choices = directions,
     .help =
         "filters: whether a channel is to do as much as it can, as little, or a picture of each"},
    {.name = "variants",
     .kind = CLI_INT,
     .offset = offsetof(settings, variants),
     .argument = "K",
     .initial = "1",
     .min = 1,
     .max = 16,
     .help = "filters: pictures of each channel, driven apart by --diversity"},
    {.name = "diversity",
     .kind = CLI_REAL,
     .offset = offsetof(settings, diversity),
     .argument = "X",
     .initial = "1",
     .min = 0,
     .max = 100,
     .help = "filters: how strongly variants are driven apart; at 0 only their noise differs"},
    {.name = "jitter",
     .kind = CLI_REAL,
     .offset = offsetof(settings, jitter),
     .argument = "PIXELS",
     .initial = "8",
     .min = 0,
     .max = 1000,
     .help = "filters: by how much pictures are shifted at random before each step"},
    {.name = "scale",
     .kind = CLI_REAL,
     .offset = offsetof(settings, scale),
     .argument = "SHARE",
     .initial = "0.1",
     .min = 0,
     .max = 0.5,
     .help = "filters: by how much they are made larger or smaller"},
    {.name = "rotate",
     .kind = CLI_REAL,
     .offset = offsetof(settings, rotate),
     .argument = "DEGREES",
     .initial = "10",
     .min = 0,
     .max = 180,
     .help = "filters: by how much they are turned"},
    {.name = "batch",
     .kind = CLI_INT,
     .offset = offsetof(settings, batch),
     .argument = "N",
     .initial = "64",
     .min = 1,
     .max = 4096,
     .help = "filters: pictures that are worked on at a time, fewer where memory is short"},
    CLI_MODEL_OPTIONS(settings, files),
    CLI_READ_OPTIONS(settings, reading),
};

const cli_command cli_visualize = {
    .name = "visualize",
    .summary = "draw pictures that explain a network",
    .arguments = "activations|heatmap [MODEL] IMAGE... | filters [MODEL] | training RUN",
    .description =
        "`activations` runs a network over the middle of a picture and draws what the channels of "
        "its layers make of it: for each layer a grid of maps, dark where a channel is silent and "
        "light where it is strong, the strongest first. In layers with values below 0, white is 0, "
        "blue is below and vermilion above. Both can be read by people who see red and green "
        "alike. A .npy file is taken as the network's own input, as it is. MODEL is a file or a "
        "name that `reverie models list` shows; without one the network that comes with Reverie "
        "is used.\n\n"
        "`filters` draws the kernels of the first layer as they are, or with --layers pictures "
        "that "
        "make channels do as much as they can: waves are moved from noise, in colours that go "
        "together as in photos, a little shifted, scaled and turned at each step. So the pictures "
        "show what a channel looks for. Below each stand the channel and its mean. The model must "
        "have been trained.\n\n"
        "`heatmap` shows where a network sees the likeliest classes, or those that --class "
        "names: "
        "the photo in grey, yellow where it speaks most for the class, names and probabilities "
        "below. In a folder that -o names each photo with its map becomes a file of its own, too. "
        "Grad-CAM and Grad-CAM++ weight the maps of a late layer; saliency, SmoothGrad, integrated "
        "gradients and guided backpropagation look at single pixels; occlusion hides one part "
        "after another.\n\n"
        "`training` draws the curves of a training, of one that is still at work as "
        "well: loss and share of right answers, on training and validation pictures, "
        "and the learning rate.",
    .example = "reverie visualize activations cat.jpg\n"
               "reverie visualize activations squeezenet.caffemodel cat.jpg --layers "
               "conv1,fire5/concat -o cat.png\n"
               "reverie visualize activations vgg19.caffemodel cat.jpg -o maps/ --npy\n"
               "reverie visualize filters squeezenet.caffemodel\n"
               "reverie visualize filters squeezenet.caffemodel --layers fire9/concat --channels "
               "0-15\n"
               "reverie visualize filters --layers relu3_2 --channels 5 --variants 4\n"
               "reverie visualize heatmap squeezenet.caffemodel cat.jpg\n"
               "reverie visualize heatmap cat.jpg --class tabby --method all -o maps/ --npy\n"
               "reverie visualize training run/\n"
               "reverie visualize training run/ -o curves.png",
    .actions = actions,
    .min_words = 1,
    .max_words = SIZE_MAX,
    .missing = "what to draw",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_size = sizeof(settings),
    .run = run,
};
