/* What `reverie stylize` makes of a photo, and what it says of it. */
/* SPDX-License-Identifier: MIT */
#include "cli/stylize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* All photos of one command. */
typedef struct work {
    cli *c;
    const cli_stylize_settings *s;
    cli_stylize_inputs *in;
    rv_stylize_options options;
    rv_stylizer *stylizer;    /* made for the first photo */
    rv_stylize_result result; /* of the last one */
} work;

static const rv_image *const *styles_of(const work *w)
{
    return (const rv_image *const *)w->in->styles;
}

/* NULL: there is none. */
static const char *file_of(const cli_mask *mask)
{
    return mask != NULL ? mask->file : NULL;
}

/* What the file says about itself beside the photo: nothing that does not shape the picture. Freed with free(). */
static char *settings_text(const work *w)
{
    const cli_stylize_inputs *in = w->in;
    char *text = cli_format("%s", "");
    for (size_t i = 0; i < in->paths.n; i++) {
        cli_add_name(&text, "style", in->paths.items[i]);
        cli_add_name(&text, "style_mask", file_of(in->masks.of_style[i]));
    }
    cli_add_name(&text, "mask", file_of(in->masks.whole));
    cli_add_name(&text, "init_image", in->init_path);
    cli_add_name(&text, "graph", w->s->files.graph);
    cli_add_name(&text, "weights", w->s->files.weights);
    cli_add_name(&text, "preprocess", w->s->files.preprocess);
    const rv_pooling pooling =
        rv_model_get_kind(in->model) == RV_MODEL_NETWORK ? in->pooling : RV_POOLING_AS_MADE;
    char *whole = text != NULL ? cli_format("%s %s%s%s", text, w->result.settings,
                                            pooling > 0 ? " pooling=" : "",
                                            pooling > 0 ? cli_pooling_names[pooling - 1] : "")
                               : NULL;
    free(text);
    return whole;
}

static void take_events(work *w, const cli_photo *photo)
{
    w->options.events = photo->events;
    w->options.preview = photo->preview;
    w->options.preview_payload = photo->preview_payload;
}

static int check(void *payload, const char *path, const char *output, char **reason)
{
    work *w = payload;
    const rv_image_read_options read = cli_read_options(w->c, &w->s->photos.reading);
    const int code = cli_masks_find(&w->in->masks, &read, path, output, reason);
    if (code == CLI_DONE) {
        cli_masks_give(&w->in->masks, &w->options);
    }
    return code;
}

static rv_status make(void *payload, rv_image **out, cli_made *made, const cli_photo *photo)
{
    work *w = payload;
    const cli_stylize_inputs *in = w->in;
    rv_status status = RV_OK;
    *out = NULL;
    if (w->stylizer == NULL) {
        take_events(w, photo);
        status = rv_stylizer_create(&w->stylizer, photo->c->device, in->model, styles_of(w),
                                    in->weights, (int)in->paths.n, &w->options);
    }
    if (status == RV_OK) {
        status = rv_stylizer_run(out, &w->result, w->stylizer, photo->image, photo->state);
    }
    if (*out != NULL) {
        made->iterations = w->result.iterations;
        made->loss = w->result.loss;
        made->seconds = w->result.seconds;
        made->settings = settings_text(w);
    }
    return status;
}

static rv_status foresee(void *payload, rv_stylize_estimate *out, const cli_photo *photo)
{
    work *w = payload;
    take_events(w, photo);
    return rv_stylize_foresee(out, photo->c->device, w->in->model, photo->image, styles_of(w),
                              w->in->weights, (int)w->in->paths.n, &w->options);
}

/* What twice the size would take, where the photo has more to show. */
static char *say_more(work *w, const cli_photo *photo, int size)
{
    const cli_stylize_inputs *in = w->in;
    rv_stylize_options larger = w->options;
    rv_stylize_estimate estimate;
    larger.size = size;
    larger.output_size = 0;
    const rv_status status =
        rv_stylize_foresee_after(&estimate, photo->c->device, in->model, photo->image, styles_of(w),
                                 in->weights, (int)in->paths.n, &larger, &w->result);
    if (status == RV_ERR_DEVICE_MEMORY) {
        return cli_format(", --size %d needs more memory than there is", size);
    }
    char *about = status == RV_OK ? cli_about(estimate.seconds) : NULL;
    char *text = about != NULL ? cli_format(", --size %d needs %.1f GB, %s", size,
                                            1e-9 * (double)estimate.process_bytes, about)
                               : NULL;
    free(about);
    return text;
}

/* Where the model saw less than the photo has: how much, and what more would cost. */
static char *remark(void *payload, const cli_photo *photo)
{
    work *w = payload;
    const rv_stylize_result *r = &w->result;
    const int width = rv_image_width(photo->image), height = rv_image_height(photo->image);
    const int longest = width > height ? width : height;
    const int styled = r->styled_width > r->styled_height ? r->styled_width : r->styled_height;
    if (r->styled_width >= width && r->styled_height >= height) {
        return NULL;
    }
    const int size =
        w->options.preset == RV_PRESET_FAST ? 2 * styled : styled; /* as --size has it */
    char *more = photo->alone && size < longest && r->rate > 0
                     ? say_more(w, photo, 2 * size < longest ? 2 * size : longest)
                     : NULL;
    char *text = cli_format("; styled at %d x %d of %d x %d%s", r->styled_width, r->styled_height,
                            width, height, more != NULL ? more : "");
    free(more);
    return text;
}

/* --- a sheet to choose from ------------------------------------------------------------------ */

static rv_status make_sheet(void *payload, rv_image **out, cli_made *made, const cli_photo *photo)
{
    work *w = payload;
    const cli_stylize_inputs *in = w->in;
    const char **names = calloc(in->paths.n, sizeof *names);
    *out = NULL;
    for (size_t i = 0; i < in->paths.n && names != NULL; i++) {
        const char *slash = strrchr(in->paths.items[i], '/');
        names[i] = slash != NULL ? slash + 1 : in->paths.items[i];
    }
    take_events(w, photo);
    const rv_status status =
        names == NULL
            ? RV_ERR_MEMORY
            : rv_stylize_sheet(out, &w->result, photo->c->device, in->model, photo->image,
                               styles_of(w), names, (int)in->paths.n, NULL, 0, &w->options);
    free(names);
    if (*out != NULL) {
        made->iterations = w->result.iterations;
        made->loss = w->result.loss;
        made->seconds = w->result.seconds;
        made->settings = settings_text(w);
    }
    return status;
}

static rv_status foresee_sheet(void *payload, rv_stylize_estimate *out, const cli_photo *photo)
{
    work *w = payload;
    take_events(w, photo);
    return rv_stylize_foresee_sheet(out, photo->c->device, w->in->model, photo->image, styles_of(w),
                                    (int)w->in->paths.n, NULL, 0, &w->options);
}

/* What a sheet has no use for, and where it goes. */
static int take_sheet(cli_photo_settings *photos, const cli_stylize_settings *s,
                      const cli_stylize_inputs *in)
{
    const char *other = photos->output != NULL    ? "-o"
                        : s->output_size != NULL  ? "--output-size"
                        : photos->preview != NULL ? "--preview"
                        : photos->save_every > 0  ? "--save-every"
                        : photos->resume          ? "--resume"
                                                  : NULL;
    photos->output = s->sheet;
    if (other != NULL) {
        return cli_usage("--sheet %s makes a sheet and no result: leave out %s", s->sheet, other);
    }
    if (fabs(s->strength - 0.5) > 0) {
        return cli_usage("--sheet %s shows four strengths: leave out --strength", s->sheet);
    }
    for (size_t i = 0; i < in->paths.n; i++) {
        if (fabs(in->weights[i] - 1) > 0) {
            return cli_usage("--sheet %s shows each style alone: leave out the weight of %s",
                             s->sheet, in->paths.items[i]);
        }
    }
    return CLI_DONE;
}

/* --------------------------------------------------------------------------------------------- */

int cli_stylize_photos(cli *c, const cli_stylize_settings *s, cli_stylize_inputs *inputs,
                       const cli_list *words)
{
    const char *others[] = {s->model, s->files.graph, s->files.weights, inputs->init_path};
    const size_t n_others = sizeof others / sizeof others[0], n = inputs->paths.n;
    const size_t n_files = n + n_others + inputs->masks.n;
    const char **files = calloc(n_files, sizeof *files);
    work w = {.c = c, .s = s, .in = inputs, .options = inputs->options};
    if (files == NULL) {
        return cli_out_of_memory();
    }
    for (size_t i = 0; i < n + n_others; i++) {
        files[i] = i < n ? inputs->paths.items[i] : others[i - n];
    }
    for (size_t i = 0; i < inputs->masks.n; i++) {
        files[n + n_others + i] = inputs->masks.items[i].path;
    }
    cli_maker maker = {.command = "stylize",
                       .verb = "style",
                       .suffix = inputs->paths.items[0],
                       .inputs = files,
                       .n_inputs = n_files,
                       .model = inputs->model,
                       .payload = &w,
                       .check = check,
                       .make = make,
                       .foresee = foresee,
                       .remark = remark};
    cli_photo_settings photos = s->photos;
    int code = CLI_DONE;
    if (s->sheet != NULL) {
        maker.suffix = "sheet";
        maker.sheet = "--sheet";
        maker.make = make_sheet;
        maker.foresee = foresee_sheet;
        maker.remark = NULL;
        code = take_sheet(&photos, s, inputs);
    }
    if (code == CLI_DONE) {
        code = cli_masks_check_preview(&inputs->masks, photos.preview);
    }
    if (code == CLI_DONE) {
        code = cli_photos_run(c, &photos, &maker, words);
    }
    rv_stylizer_destroy(w.stylizer);
    free(files);
    return code;
}
