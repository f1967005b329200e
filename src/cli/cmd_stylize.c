/* reverie stylize: its options, and the pictures and model that they name. */
/* SPDX-License-Identifier: MIT */
#include "cli/stylize.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const init_names[] = {"content", "style", "noise", NULL};
static const char *const optimizer_names[] = {"lbfgs", "adam", NULL};
static const char *const colour_names[] = {"none", "luminance", "match", NULL};
static const char *const loss_names[] = {"gram", "mean-variance", "wasserstein", NULL};
static const char *const preset_names[] = {"default", "fast", "gatys", "best", NULL};

/* Longest side where none is given. */
enum { SHEET_SIZE = 256 };

/* @param[out] mask  its path, or NULL; freed with free() */
static int read_style(cli_stylize_inputs *in, char **mask, const rv_image_read_options *read,
                      const char *text, size_t i)
{
    char *style = NULL, *path = NULL;
    double factor;
    int code = cli_mask_split(&style, mask, &factor, text);
    if (code == CLI_DONE) {
        code = cli_status(rv_path_weight(&path, &in->weights[i], style));
        in->weights[i] *= factor;
    }
    if (code == CLI_DONE) {
        code = cli_list_add(&in->paths, path, strlen(path));
    }
    if (code == CLI_DONE) {
        code = cli_status(rv_image_read(&in->styles[i], path, read));
    }
    free(style);
    free(path);
    return code;
}

static int read_styles(cli *c, cli_stylize_inputs *in, const cli_stylize_settings *s)
{
    const size_t n = s->styles.n;
    in->weights = calloc(n, sizeof *in->weights);
    in->styles = calloc(n, sizeof(rv_image *));
    char **masks = calloc(n, sizeof *masks);
    if (in->weights == NULL || in->styles == NULL || masks == NULL) {
        free(masks);
        return cli_out_of_memory();
    }
    const rv_image_read_options read = cli_read_options(c, &s->photos.reading);
    int code = CLI_DONE;
    for (size_t i = 0; i < n && code == CLI_DONE; i++) {
        code = read_style(in, &masks[i], &read, s->styles.items[i], i);
    }
    if (code == CLI_DONE) {
        code = cli_masks_read(&in->masks, &read, s->mask, masks, n);
    }
    for (size_t i = 0; i < n; i++) {
        free(masks[i]);
    }
    free(masks);
    return code;
}

static int read_init(cli *c, cli_stylize_inputs *in, const cli_stylize_settings *s)
{
    for (int i = 0; init_names[i] != NULL; i++) {
        if (strcmp(init_names[i], s->init) == 0) {
            in->options.init = (rv_stylize_init)i;
            return CLI_DONE;
        }
    }
    if (access(s->init, F_OK) != 0) {
        cli_say("--init takes content, style, noise or a picture; there is no file '%s'", s->init);
        return CLI_FAILED;
    }
    const rv_image_read_options read = cli_read_options(c, &s->photos.reading);
    in->options.init = RV_INIT_FROM_IMAGE;
    in->init_path = s->init;
    const int code = cli_status(rv_image_read(&in->init_image, s->init, &read));
    in->options.init_image = in->init_image;
    return code;
}

/* "photo" or a number of pixels. */
static int set_output_size(cli_stylize_inputs *in, const cli_stylize_settings *s)
{
    char *end;
    if (s->output_size == NULL) {
        return CLI_DONE;
    }
    if (strcmp(s->output_size, "photo") == 0) {
        in->options.output_size = RV_OUTPUT_PHOTO;
        return CLI_DONE;
    }
    const long size = strtol(s->output_size, &end, 10);
    if (end == s->output_size || *end != '\0' || size < 16 || size > 65535) {
        return cli_usage("--output-size takes photo or 16 to 65535, not %s", s->output_size);
    }
    in->options.output_size = (int)size;
    return CLI_DONE;
}

static void set_options(cli_stylize_inputs *in, const cli *c, const cli_stylize_settings *s)
{
    in->options = (rv_stylize_options)RV_STYLIZE_OPTIONS_INIT;
    in->options.content_weight = s->content_weight;
    in->options.style_weight = s->style_weight;
    in->options.tv_weight = s->tv_weight;
    in->options.content_layers = s->content_layers;
    in->options.style_layers = s->style_layers;
    in->options.style_loss = (rv_style_loss)(s->style_loss + 1);
    in->options.detail = s->detail;
    in->options.strength = s->strength;
    in->options.style_scale = s->style_scale;
    in->options.feather = s->feather;
    in->options.preserve_color = (rv_preserve_color)s->preserve_color;
    in->options.iterations = s->iterations;
    in->options.optimizer = (rv_optimizer)(s->optimizer + 1);
    in->options.learning_rate = s->learning_rate;
    in->options.scales = s->scales;
    in->options.seed = (uint32_t)c->globals.seed;
    in->options.preset = s->fast ? RV_PRESET_FAST : (rv_preset)s->preset;
    in->options.size = s->size > 0        ? s->size
                       : s->sheet != NULL ? SHEET_SIZE
                                          : rv_preset_size(in->options.preset);
    in->pooling =
        s->pooling >= 0 ? (rv_pooling)(s->pooling + 1) : rv_preset_pooling(in->options.preset);
    in->options.time_limit = s->time_limit;
    in->options.save_every = s->photos.save_every;
    in->options.resume = s->photos.resume;
    in->options.events = &c->events;
}

/* What compares the pictures where --model names nothing. */
static const char *usual_model(rv_preset preset)
{
    static const char finest[] = "vgg19";
    char *path = NULL;
    const bool wanted = preset == RV_PRESET_BEST || preset == RV_PRESET_GATYS;
    if (wanted && rv_zoo_find(&path, finest) == RV_OK) {
        free(path);
        return finest;
    }
    const bool found = rv_model_find_builtin(&path) == RV_OK;
    free(path);
    return found ? "builtin" : "patches";
}

static void release(cli_stylize_inputs *in)
{
    for (size_t i = 0; i < in->paths.n; i++) {
        rv_image_destroy(in->styles[i]);
    }
    free(in->styles);
    free(in->weights);
    cli_list_release(&in->paths);
    cli_masks_release(&in->masks);
    rv_image_destroy(in->init_image);
    rv_model_close(in->model);
}

static int run(cli *c, const void *given, const cli_list *words)
{
    const cli_stylize_settings *s = given;
    if (s->styles.n == 0) {
        return cli_usage("stylize needs --style IMAGE: the picture to take the style from");
    }
    if (s->fast && s->preset != RV_PRESET_DEFAULT && s->preset != RV_PRESET_FAST) {
        return cli_usage("--fast is --preset fast: leave out --preset %s", preset_names[s->preset]);
    }
    cli_stylize_inputs in = {0};
    set_options(&in, c, s);
    int code = set_output_size(&in, s);
    if (code == CLI_DONE) {
        code = read_styles(c, &in, s);
    }
    if (code == CLI_DONE && s->feather > 0 && in.masks.n == 0) {
        code =
            cli_usage("--feather softens the edges of masks, and there is none: add --mask FILE");
    }
    if (code == CLI_DONE) {
        code = read_init(c, &in, s);
    }
    if (code == CLI_DONE) {
        code = cli_open_model(c, &in.model,
                              s->model != NULL ? s->model : usual_model(in.options.preset),
                              &s->files, in.pooling);
    }
    if (code == CLI_DONE) {
        code = cli_stylize_photos(c, s, &in, words);
    }
    release(&in);
    return code;
}

#define AT(member) offsetof(cli_stylize_settings, member)
static const cli_option options[] = {
    {.name = "style",
     .letter = 's',
     .kind = CLI_FILES,
     .offset = AT(styles),
     .argument = "IMAGE[:WEIGHT][:mask=FILE]",
     .help = "picture to take the style from; several are mixed by their weights (1 where none is "
             "given), or go where their masks are white, the others where these leave room"},
    {.name = "mask",
     .kind = CLI_FILE,
     .offset = AT(mask),
     .argument = "FILE",
     .otherwise = "none",
     .help =
         "style only where this picture is white, with soft edges where it is grey; a folder has "
         "a mask for each photo, of the same name"},
    {.name = "feather",
     .kind = CLI_REAL,
     .offset = AT(feather),
     .argument = "PIXELS",
     .initial = "0",
     .max = 1e4,
     .help =
         "how wide the edges of masks are made, in pixels of the photo; 0 leaves them as they are"},
    {.name = "model",
     .kind = CLI_FILE,
     .offset = AT(model),
     .argument = "MODEL",
     .otherwise =
         "builtin, without it patches; of presets best and gatys vgg19 where it was fetched",
     .help = "what compares the pictures: a name that `reverie models list` shows, or a file"},
    {.name = "preset",
     .kind = CLI_CHOICE,
     .offset = AT(preset),
     .argument = "default|fast|gatys|best",
     .initial = "default",
     .choices = preset_names,
     .help = "the options that are not given: fast takes a quarter of the time, best many times as "
             "long, "
             "gatys is the classic recipe for networks"},
    {.name = "fast", .kind = CLI_FLAG, .offset = AT(fast), .help = "--preset fast"},
    CLI_MODEL_OPTIONS(cli_stylize_settings, files),
    {.name = "strength",
     .kind = CLI_REAL,
     .offset = AT(strength),
     .argument = "0..1",
     .initial = "0.5",
     .max = 1,
     .help = "how far the picture goes from the photo, 0, to the strongest style, 1"},
    {.name = "preserve-color",
     .kind = CLI_CHOICE,
     .offset = AT(preserve_color),
     .argument = "none|luminance|match",
     .initial = "none",
     .choices = colour_names,
     .help = "the photo's colours: luminance leaves each place its own, match paints the style in "
             "them"},
    {.name = "style-scale",
     .kind = CLI_REAL,
     .offset = AT(style_scale),
     .argument = "F",
     .initial = "1",
     .min = 0.1,
     .max = 10,
     .help =
         "size of the style's strokes: 2 makes them twice as large, as far as the style has the "
         "pixels"},
    {.name = "content-weight",
     .kind = CLI_REAL,
     .offset = AT(content_weight),
     .argument = "W",
     .otherwise = "1, of preset gatys 5",
     .unset = -1,
     .max = 1e6,
     .help = "how much of the photo is kept"},
    {.name = "style-weight",
     .kind = CLI_REAL,
     .offset = AT(style_weight),
     .argument = "W",
     .otherwise = "1, of preset gatys 100",
     .unset = -1,
     .max = 1e6,
     .help = "how much of the style is taken on"},
    {.name = "tv-weight",
     .kind = CLI_REAL,
     .offset = AT(tv_weight),
     .argument = "W",
     .otherwise = "0, of preset gatys 0.001",
     .unset = -1,
     .max = 1e6,
     .help = "how smooth the result becomes (total variation)"},
    {.name = "content-layers",
     .kind = CLI_TEXT,
     .offset = AT(content_layers),
     .argument = "L[:W],...",
     .otherwise = "by network",
     .help = "layers that see the photo, with weights"},
    {.name = "style-layers",
     .kind = CLI_TEXT,
     .offset = AT(style_layers),
     .argument = "L[:W],...",
     .otherwise = "by network",
     .help = "layers that see the style, with weights"},
    {.name = "style-loss",
     .kind = CLI_CHOICE,
     .offset = AT(style_loss),
     .argument = "gram|mean-variance|wasserstein",
     .otherwise = "gram, of preset best wasserstein",
     .unset = -1,
     .choices = loss_names,
     .help = "what of a layer is compared with the style's: products of all pairs of channels; "
             "mean and deviation of each; or the distance of means and covariances"},
    {.name = "size",
     .kind = CLI_INT,
     .offset = AT(size),
     .argument = "PIXELS",
     .otherwise = "512, of preset best 1024, of a --sheet 256",
     .min = 16,
     .max = 65535,
     .help =
         "longest side of what the model sees, and of the result unless --output-size enlarges it"},
    {.name = "output-size",
     .kind = CLI_TEXT,
     .offset = AT(output_size),
     .argument = "photo|PIXELS",
     .otherwise = "as --size",
     .help = "longest side of the result: what was styled is enlarged, and the fine detail of the "
             "photo is put "
             "back"},
    {.name = "detail",
     .kind = CLI_REAL,
     .offset = AT(detail),
     .argument = "0..1",
     .initial = "1",
     .max = 1,
     .help = "share of that detail; 0 only enlarges"},
    {.name = "init",
     .kind = CLI_FILE,
     .offset = AT(init),
     .argument = "content|style|noise|FILE",
     .initial = "content",
     .choices = init_names,
     .help = "picture to start from"},
    {.name = "iterations",
     .kind = CLI_INT,
     .offset = AT(iterations),
     .argument = "N",
     .otherwise = "by preset",
     .min = 1,
     .max = 1e6,
     .help = "steps of the last scale; earlier ones take more"},
    {.name = "optimizer",
     .kind = CLI_CHOICE,
     .offset = AT(optimizer),
     .argument = "lbfgs|adam",
     .otherwise = "lbfgs",
     .unset = -1,
     .choices = optimizer_names,
     .help = "how the pixels are moved"},
    {.name = "learning-rate",
     .kind = CLI_REAL,
     .offset = AT(learning_rate),
     .argument = "R",
     .otherwise = "by optimizer",
     .min = 1e-9,
     .max = 1e3,
     .help = "length of a step, for adam in units of the range from black to white"},
    {.name = "scales",
     .kind = CLI_INT,
     .offset = AT(scales),
     .argument = "N",
     .otherwise = "by size, of preset gatys 1",
     .min = 1,
     .max = 8,
     .help = "sizes from coarse to fine that the picture goes through"},
    CLI_POOLING_OPTION(cli_stylize_settings, pooling,
                       "binomial, of preset gatys as the network was made"),
    {.name = "sheet",
     .kind = CLI_FILE,
     .offset = AT(sheet),
     .argument = "FILE",
     .otherwise = "none",
     .help = "instead of a result, write a sheet to choose from: the photo in each style, at four "
             "strengths"},
    {.name = "time-limit",
     .kind = CLI_REAL,
     .offset = AT(time_limit),
     .argument = "SECONDS",
     .otherwise = "none",
     .min = 0.1,
     .max = 1e9,
     .help = "have each picture ready in this time, with fewer iterations where they take longer"},
    CLI_PHOTO_OPTIONS(cli_stylize_settings, photos,
                      "PHOTO_STYLE.jpg in the current folder, .png with alpha or 16 bits"),
};
#undef AT

const cli_command cli_stylize = {
    .name = "stylize",
    .summary = "paint photos in the manner of other pictures",
    .arguments = "PHOTO... --style IMAGE[:WEIGHT] ... [-o OUT]",
    .description =
        "Moves the pixels of a photo until small features of it are distributed as in the style "
        "picture, while what is in the photo stays. By default the network that comes with Reverie "
        "looks at both, together with patches, features that are learned from the style picture "
        "itself; --model patches takes these alone, and other networks that were trained on photos "
        "are named by --model.\n\n"
        "The settings that shape the picture are kept in the file. The same command on the same "
        "device makes the same file. Ctrl-C writes the picture as far as it is, and what --resume "
        "needs to go on.\n\n"
        "PHOTO is a file or a folder, which stands for the photos in it.",
    .example = "reverie stylize photo.jpg --style painting.jpg\n"
               "reverie stylize *.jpg -s a.jpg:2 -s b.jpg:1 -o results/ --size 768\n"
               "reverie stylize holidays/ -s art.jpg -o results/ --output-size photo --resume\n"
               "reverie stylize photo.jpg -s a.jpg -s b.jpg --sheet sheet.jpg\n"
               "reverie stylize photo.jpg -s night.jpg:mask=sky.png -s scream.jpg\n"
               "reverie stylize photo.jpg -s painting.jpg --model squeezenet.caffemodel",
    .min_words = 0,
    .max_words = SIZE_MAX,
    .missing = "a photo",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_size = sizeof(cli_stylize_settings),
    .run = run,
};
