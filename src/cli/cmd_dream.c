/* reverie dream: its options, and the pictures and model that they name. */
/* SPDX-License-Identifier: MIT */
#include "cli/dream.h"

static void set_options(cli_dream_inputs *w, const cli *c)
{
    const cli_dream_settings *s = w->s;
    w->options = (rv_dream_options)RV_DREAM_OPTIONS_INIT;
    w->options.maximize = s->maximize;
    w->options.guide = w->guide;
    w->options.mask = w->mask;
    w->options.strength = s->strength;
    w->options.size = s->size;
    w->options.octaves = s->octaves;
    w->options.octave_scale = s->octave_scale;
    w->options.iterations = s->iterations;
    w->options.step = s->step;
    w->options.jitter = s->jitter;
    w->options.smooth = s->smooth;
    w->options.blur = s->blur;
    w->options.colour = s->color;
    w->options.stretch = s->stretch;
    w->options.tile = s->tile;
    w->options.untrained = s->untrained;
    w->options.time_limit = s->time_limit;
    w->options.seed = (uint32_t)c->globals.seed;
    w->options.save_every = s->photos.save_every;
    w->options.resume = s->photos.resume;
}

static int read_picture(cli *c, rv_image **out, const char *path, const cli_dream_settings *s)
{
    const rv_image_read_options read = cli_read_options(c, &s->photos.reading);
    return path != NULL ? cli_status(rv_image_read(out, path, &read)) : CLI_DONE;
}

static int run(cli *c, const void *given, const cli_list *words)
{
    const cli_dream_settings *s = given;
    const char *const files[] = {s->guide, s->mask, s->model, s->files.graph, s->files.weights};
    cli_dream_inputs in = {.s = s, .files = files, .n_files = sizeof files / sizeof files[0]};
    if (s->frames == 0 && (s->zoom >= 0 || s->rotate > -360)) {
        return cli_usage("--zoom and --rotate are for films: give --frames N as well");
    }
    int code = read_picture(c, &in.guide, s->guide, s);
    if (code == CLI_DONE) {
        code = read_picture(c, &in.mask, s->mask, s);
    }
    if (code == CLI_DONE) {
        code = cli_open_model(c, &in.model, s->model, &s->files, RV_POOLING_AS_MADE);
    }
    if (code == CLI_DONE) {
        set_options(&in, c);
        code = s->frames > 0 ? cli_dream_frames(c, &in, words) : cli_dream_photos(c, &in, words);
    }
    rv_model_close(in.model);
    rv_image_destroy(in.guide);
    rv_image_destroy(in.mask);
    return code;
}

#define AT(member) offsetof(cli_dream_settings, member)
static const cli_option options[] = {
    {.name = "maximize",
     .letter = 'm',
     .kind = CLI_TEXT,
     .offset = AT(maximize),
     .argument = "EXPRESSION",
     .otherwise = "a layer by network",
     .help = "what there is to be more of: LAYER, LAYER:CHANNEL, LAYER:CHANNEL@X,Y, class:NAME, "
             "guide:LAYER and tv, with "
             "numbers before them, + and -"},
    {.name = "model",
     .kind = CLI_FILE,
     .offset = AT(model),
     .argument = "MODEL",
     .initial = "builtin",
     .help = "the network that dreams: a name that `reverie models list` shows, or a file"},
    CLI_MODEL_OPTIONS(cli_dream_settings, files),
    {.name = "strength",
     .kind = CLI_REAL,
     .offset = AT(strength),
     .argument = "S",
     .initial = "1",
     .max = 100,
     .help = "how far the picture leaves the photo: 0.5 is a hint, 2 much"},
    {.name = "guide",
     .kind = CLI_FILE,
     .offset = AT(guide),
     .argument = "IMAGE",
     .otherwise = "none",
     .help = "picture whose forms are dreamed, by goals guide:LAYER"},
    {.name = "mask",
     .kind = CLI_FILE,
     .offset = AT(mask),
     .argument = "IMAGE",
     .otherwise = "all of the photo",
     .help = "where to dream: white there, black not; stretched over the photo"},
    {.name = "size",
     .kind = CLI_INT,
     .offset = AT(size),
     .argument = "PIXELS",
     .otherwise = "as the photo",
     .min = 16,
     .max = 65535,
     .help = "longest side of the result; never enlarges"},
    {.name = "octaves",
     .kind = CLI_INT,
     .offset = AT(octaves),
     .argument = "N",
     .otherwise = "4, more for photos beyond 1100 pixels",
     .unset = -1,
     .min = 1,
     .max = 16,
     .help = "sizes from coarse to fine"},
    {.name = "octave-scale",
     .kind = CLI_REAL,
     .offset = AT(octave_scale),
     .argument = "R",
     .otherwise = "1.4",
     .unset = -1,
     .min = 1.01,
     .max = 4,
     .help = "ratio of one size to the next"},
    {.name = "iterations",
     .kind = CLI_INT,
     .offset = AT(iterations),
     .argument = "N",
     .otherwise = "by network, about 10",
     .unset = -1,
     .min = 1,
     .max = 100000,
     .help = "steps at each size"},
    {.name = "step",
     .kind = CLI_REAL,
     .offset = AT(step),
     .argument = "D",
     .otherwise = "by network, about 1.5",
     .unset = -1,
     .max = 1000,
     .help = "mean change of a value from 0 to 255 by a step"},
    {.name = "jitter",
     .kind = CLI_INT,
     .offset = AT(jitter),
     .argument = "PIXELS",
     .otherwise = "by network",
     .unset = -1,
     .max = 512,
     .help = "the network's grid is shifted by up to so many pixels, at random at each step"},
    {.name = "smooth",
     .kind = CLI_REAL,
     .offset = AT(smooth),
     .argument = "0..1",
     .otherwise = "by network",
     .unset = -1,
     .max = 1,
     .help = "how far coarse and fine parts of the gradient are made equally strong (Laplacian "
             "pyramid)"},
    {.name = "blur",
     .kind = CLI_REAL,
     .offset = AT(blur),
     .argument = "PIXELS",
     .otherwise = "by network",
     .unset = -1,
     .max = 100,
     .help = "Gaussian over the gradient, its standard deviation"},
    {.name = "color",
     .kind = CLI_REAL,
     .offset = AT(color),
     .argument = "0..1",
     .otherwise = "by network",
     .unset = -1,
     .max = 1,
     .help = "how far the gradient is held to the colours that photos have"},
    {.name = "stretch",
     .kind = CLI_REAL,
     .offset = AT(stretch),
     .argument = "PERCENT",
     .otherwise = "none: little beyond the range at each step",
     .unset = -1,
     .max = 49,
     .help = "values go as far beyond the range as they like, and are brought back at the end, but "
             "for so many percent at either end"},
    {.name = "tile",
     .kind = CLI_INT,
     .offset = AT(tile),
     .argument = "PIXELS",
     .otherwise = "640",
     .min = 64,
     .max = 4096,
     .help =
         "side beyond which a picture goes through the network in parts: less needs less memory"},
    {.name = "untrained",
     .hidden = true,
     .kind = CLI_FLAG,
     .offset = AT(untrained),
     .help = "take weights drawn at random, to measure"},
    {.name = "gallery",
     .kind = CLI_FLAG,
     .offset = AT(gallery),
     .help = "instead of one dream, a sheet of what each layer dreams of, to choose from: "
             "PHOTO_gallery.jpg, of "
             "256 pixels each, or --size"},
    {.name = "frames",
     .kind = CLI_INT,
     .offset = AT(frames),
     .argument = "N",
     .otherwise = "one picture",
     .min = 1,
     .max = 1000000,
     .help = "frames of a film into the photo: PHOTO_dream_0000.png and on, each dreamed from the "
             "one before"},
    {.name = "zoom",
     .kind = CLI_REAL,
     .offset = AT(zoom),
     .argument = "Z",
     .otherwise = "1.05",
     .unset = -1,
     .min = 0.1,
     .max = 10,
     .help = "by how much each frame is enlarged before the next"},
    {.name = "rotate",
     .kind = CLI_REAL,
     .offset = AT(rotate),
     .argument = "DEGREES",
     .otherwise = "0",
     .unset = -360,
     .min = -180,
     .max = 180,
     .help = "and turned, counter-clockwise"},
    {.name = "time-limit",
     .kind = CLI_REAL,
     .offset = AT(time_limit),
     .argument = "SECONDS",
     .otherwise = "none",
     .min = 0.1,
     .max = 1e9,
     .help = "have each picture or frame ready in this time, with fewer steps where they take "
             "longer"},
    CLI_PHOTO_OPTIONS(cli_dream_settings, photos,
                      "PHOTO_dream.jpg in the current folder, .png with alpha or 16 bits"),
};
#undef AT

const cli_command cli_dream = {
    .name = "dream",
    .summary = "let a network see more in photos of what it looks for",
    .arguments = "PHOTO... [-m EXPRESSION] [-o OUT]",
    .description =
        "Changes a photo so that a layer of a network answers more strongly to it: what the layer "
        "looks for, eyes, fur, textures, shapes, grows where there is a hint of it, from coarse to "
        "fine.\n\n"
        "The settings that shape the picture are kept in the file. The same command on the same "
        "device makes the same file. Ctrl-C writes the picture as far as it is, and what --resume "
        "needs to go on.\n\n"
        "PHOTO is a file or a folder, which stands for the photos in it.",
    .example = "reverie dream photo.jpg\n"
               "reverie dream photo.jpg -m 'relu3_2 + 2*relu4_2:17 - 0.1*tv' --strength 2\n"
               "reverie dream photo.jpg --guide flowers.jpg -o flowery.png\n"
               "reverie dream photo.jpg --gallery\n"
               "reverie dream photo.jpg --frames 100 --zoom 1.03 --rotate 1 -o film/\n"
               "reverie dream holidays/ -o dreams/ --model squeezenet.caffemodel --resume",
    .min_words = 0,
    .max_words = SIZE_MAX,
    .missing = "a photo",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_size = sizeof(cli_dream_settings),
    .run = run,
};
