/* `reverie dream --frames`: a film into a photo, frame after frame, each dreamed from the one before. */
/* SPDX-License-Identifier: MIT */
#include "base/signal.h"
#include "base/terminal.h"
#include "cli/dream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ZOOM 1.05

/* A film at work. */
typedef struct film {
    cli *c;
    const cli_dream_inputs *in;
    const char *photo;
    rv_image *first; /* the photo, whose light and contrast all frames have */
    cli_preview preview;
    rv_dreamer *dreamer;
    json_t *outputs;
    int made;
    int at;
} film;

/* Freed with free(); NULL where memory is out, or the name cannot be made, which is said. */
static char *name_frame(const film *f, int frame, int *code)
{
    char *suffix = cli_format("dream_%04d", frame), *name = NULL;
    *code =
        suffix != NULL
            ? cli_status(rv_output_name(&name, f->in->s->photos.output, f->photo, suffix, ".png"))
            : cli_out_of_memory();
    free(suffix);
    return name;
}

static int read_photo(film *f)
{
    const rv_image_read_options read = cli_read_options(f->c, &f->in->s->photos.reading);
    return f->first != NULL ? CLI_DONE : cli_status(rv_image_read(&f->first, f->photo, &read));
}

/* What a frame behind the first starts from: the file of the frame before, so that a film that goes on is the same. */
static int read_start(film *f, rv_image **out)
{
    const cli_dream_settings *s = f->in->s;
    const rv_image_read_options read = cli_read_options(f->c, &s->photos.reading);
    rv_image *last = NULL;
    int code = CLI_DONE;
    char *name = name_frame(f, f->at - 1, &code);
    if (code == CLI_DONE) {
        code = cli_status(rv_image_read(&last, name, &read));
    }
    if (code == CLI_DONE) {
        code = cli_status(rv_dream_zoom(out, last, s->zoom > 0 ? s->zoom : ZOOM,
                                        s->rotate > -360 ? s->rotate : 0));
    }
    if (code == CLI_DONE) {
        rv_dream_level(*out, f->first);
        code = cli_status(rv_image_copy_metadata(*out, last));
    }
    rv_image_destroy(last);
    free(name);
    return code;
}

static int write_frame(film *f, const rv_image *picture, const rv_dream_result *result,
                       const char *name)
{
    const cli_photo_settings *p = &f->in->s->photos;
    rv_image_write_options write = RV_IMAGE_WRITE_OPTIONS_INIT;
    char *of = cli_format(CLI_SETTINGS_START "%s", rv_version()), *settings = NULL;
    cli_add_name(&of, "photo", f->photo);
    char *more = cli_dream_settings_text(f->in, result);
    if (of != NULL && more != NULL) {
        settings = cli_format("%s %s frame=%d zoom=%g rotate=%g", of, more, f->at,
                              f->in->s->zoom > 0 ? f->in->s->zoom : ZOOM,
                              f->in->s->rotate > -360 ? f->in->s->rotate : 0.0);
    }
    write.settings = settings;
    write.overwrite = p->overwrite;
    write.strip = p->strip;
    write.keep_icc = p->icc == 1;
    const int code =
        settings != NULL ? cli_status(rv_image_write(picture, name, &write)) : cli_out_of_memory();
    if (code == CLI_DONE) {
        f->made++;
        json_array_append_new(f->outputs,
                              json_pack("{s:o, s:i, s:i, s:o, s:i, s:o}", "file",
                                        cli_json_text(name), "width", rv_image_width(picture),
                                        "height", rv_image_height(picture), "seconds",
                                        cli_json_real(result->seconds), "iterations",
                                        result->iterations, "loss", cli_json_real(result->value)));
        if (!f->c->globals.json) {
            printf("%s: %d x %d, %.1f s\n", name, rv_image_width(picture), rv_image_height(picture),
                   result->seconds);
            fflush(stdout);
        }
    }
    free(of);
    free(more);
    free(settings);
    return code;
}

/* Reads the photo and makes the network ready, once. */
static int ready(film *f)
{
    rv_dream_options options = f->in->options;
    int code = read_photo(f);
    if (code == CLI_DONE && f->dreamer == NULL) {
        options.events = &f->c->events;
        options.preview = f->preview.file != NULL ? cli_preview_show : NULL;
        options.preview_payload = &f->preview;
        code = cli_status(rv_dreamer_create(&f->dreamer, f->c->device, f->in->model, &options));
    }
    return code;
}

static int make_frame(film *f, const char *name)
{
    rv_image *start = NULL, *picture = NULL;
    rv_dream_result result;
    int code = ready(f);
    if (code == CLI_DONE && f->at > 0) {
        code = read_start(f, &start);
    }
    if (code == CLI_DONE) {
        const rv_status status =
            rv_dreamer_run(&picture, &result, f->dreamer, f->at > 0 ? start : f->first, NULL);
        rv_terminal_finish(stderr);
        code = status == RV_ERR_CANCELLED ? CLI_INTERRUPTED : cli_status(status);
    }
    if (code == CLI_DONE) {
        code = write_frame(f, picture, &result, name);
    }
    rv_image_destroy(picture);
    rv_image_destroy(start);
    return code;
}

/* No frame may be the preview. */
static int check_preview(const film *f, const char *const *inputs, size_t n)
{
    int code = cli_preview_check(&f->preview, inputs, n,
                                 f->in->s->photos.overwrite || f->in->s->photos.resume);
    for (int i = 0; i < f->in->s->frames && code == CLI_DONE && f->preview.file != NULL; i++) {
        char *name = name_frame(f, i, &code);
        if (code == CLI_DONE && cli_is_same_name(f->preview.file, name)) {
            code = cli_usage("'%s' is the --preview as well: give it a name of its own", name);
        }
        free(name);
    }
    return code;
}

/* Finds out about all names before the work. With --resume frames that are there stay. */
static int check_names(const film *f)
{
    const cli_dream_settings *s = f->in->s;
    const char **inputs = calloc(f->in->n_files + 1, sizeof *inputs);
    size_t n = 0;
    int code = CLI_DONE;
    if (inputs == NULL) {
        return cli_out_of_memory();
    }
    inputs[n++] = f->photo;
    for (size_t i = 0; i < f->in->n_files; i++) {
        if (f->in->files[i] != NULL) {
            inputs[n++] = f->in->files[i];
        }
    }
    for (int i = 0; i < s->frames && code == CLI_DONE; i++) {
        char *name = name_frame(f, i, &code);
        if (code == CLI_DONE) {
            code = cli_status(
                rv_output_check(name, inputs, n, s->photos.overwrite || s->photos.resume));
        }
        if (code == CLI_DONE && s->photos.dry_run && !f->c->globals.json) {
            printf("%s -> %s\n", f->photo, name);
        }
        free(name);
    }
    if (code == CLI_DONE) {
        code = check_preview(f, inputs, n);
    }
    free(inputs);
    return code;
}

/* All frames take what the first does. */
static int foresee(film *f)
{
    const int frames = f->in->s->frames;
    rv_stylize_estimate estimate;
    int code = cli_open_device(f->c);
    code = code == CLI_DONE ? ready(f) : code;
    if (code == CLI_DONE) {
        code = cli_status(rv_dreamer_foresee(&estimate, f->dreamer, f->first));
    }
    char *what = code == CLI_DONE ? cli_format("%d frames of ", frames) : NULL;
    if (code == CLI_DONE) {
        estimate.seconds *= frames;
        json_array_append_new(f->outputs, cli_estimate_json(f->photo, &estimate));
    }
    if (what != NULL && !f->c->globals.json) {
        cli_estimate_print(f->photo, what, &estimate);
    }
    free(what);
    return code;
}

static int interrupted(const film *f)
{
    cli_say("interrupted: %d of %d frames are there; the same command with --resume goes on", f->at,
            f->in->s->frames);
    return CLI_INTERRUPTED;
}

static int make_frames(film *f)
{
    const cli_dream_settings *s = f->in->s;
    int code = cli_open_device(f->c);
    for (f->at = 0; f->at < s->frames && code == CLI_DONE; f->at++) {
        char *name = name_frame(f, f->at, &code);
        const bool there = s->photos.resume && name != NULL && access(name, F_OK) == 0;
        if (code == CLI_DONE && !there) {
            code = rv_signal_caught() ? CLI_INTERRUPTED : make_frame(f, name);
        }
        free(name);
        if (code != CLI_DONE) {
            break;
        }
    }
    return code == CLI_INTERRUPTED ? interrupted(f) : code;
}

int cli_dream_frames(cli *c, const cli_dream_inputs *in, const cli_list *words)
{
    const cli_photo_settings *p = &in->s->photos;
    film f = {
        .c = c, .in = in, .preview = {p->preview, p->quality, false}, .outputs = json_array()};
    const char *other = in->s->gallery ? "--gallery"
                        : p->list      ? "--list"
                        : p->shard     ? "--shard"
                                       : NULL;
    if (words->n != 1 || other != NULL) {
        json_decref(f.outputs);
        return other != NULL ? cli_usage("--frames makes a film of one photo: leave out %s", other)
                             : cli_usage("--frames takes one photo, not %zu", words->n);
    }
    f.photo = words->items[0];
    char *file = NULL;
    int code = cli_status(rv_output_name(&file, p->output, "a", NULL, ".png"));
    if (code == CLI_DONE && p->output != NULL && strcmp(file, p->output) == 0) {
        code = cli_usage("-o %s is no folder, but a film has many frames", p->output);
    }
    free(file);
    if (code == CLI_DONE && !p->estimate) {
        code = check_names(&f);
    }
    if (code == CLI_DONE && !p->dry_run) {
        code = p->estimate ? foresee(&f) : make_frames(&f);
    }
    rv_image_destroy(f.first);
    rv_dreamer_destroy(f.dreamer);
    cli_json_set(c, "outputs", f.outputs);
    return cli_json_print(c, code);
}
