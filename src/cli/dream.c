/* What `reverie dream` makes of photos: dreams and galleries. */
/* SPDX-License-Identifier: MIT */
#include "cli/dream.h"

#include <stdlib.h>

/* All photos of one command. */
typedef struct work {
    const cli_dream_inputs *in;
    rv_dream_options options;
    rv_dreamer *dreamer; /* made for the first photo */
} work;

char *cli_dream_settings_text(const cli_dream_inputs *in, const rv_dream_result *result)
{
    char *text = cli_format("%s", "");
    cli_add_name(&text, "guide", in->s->guide);
    cli_add_name(&text, "mask", in->s->mask);
    cli_add_name(&text, "graph", in->s->files.graph);
    cli_add_name(&text, "weights", in->s->files.weights);
    cli_add_name(&text, "preprocess", in->s->files.preprocess);
    char *whole = text != NULL
                      ? cli_format("%s%s%s", text, text[0] != '\0' ? " " : "", result->settings)
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

static void fill_made(cli_made *made, const work *w, const rv_dream_result *result)
{
    made->iterations = result->iterations;
    made->loss = result->value;
    made->seconds = result->seconds;
    made->flops = result->flops;
    made->settings = cli_dream_settings_text(w->in, result);
}

static rv_status ready(work *w, const cli_photo *photo)
{
    if (w->dreamer != NULL) {
        return RV_OK;
    }
    take_events(w, photo);
    return rv_dreamer_create(&w->dreamer, photo->c->device, w->in->model, &w->options);
}

static rv_status make(void *payload, rv_image **out, cli_made *made, const cli_photo *photo)
{
    work *w = payload;
    rv_dream_result result;
    *out = NULL;
    rv_status status = ready(w, photo);
    if (status == RV_OK) {
        status = rv_dreamer_run(out, &result, w->dreamer, photo->image, photo->state);
    }
    if (*out != NULL) {
        fill_made(made, w, &result);
    }
    return status;
}

static rv_status foresee(void *payload, rv_stylize_estimate *out, const cli_photo *photo)
{
    work *w = payload;
    const rv_status status = ready(w, photo);
    return status == RV_OK ? rv_dreamer_foresee(out, w->dreamer, photo->image) : status;
}

static rv_status make_gallery(void *payload, rv_image **out, cli_made *made, const cli_photo *photo)
{
    work *w = payload;
    rv_dream_result result;
    take_events(w, photo);
    const rv_status status =
        rv_dream_gallery(out, &result, photo->c->device, w->in->model, photo->image, &w->options);
    if (*out != NULL) {
        fill_made(made, w, &result);
    }
    return status;
}

static rv_status foresee_gallery(void *payload, rv_stylize_estimate *out, const cli_photo *photo)
{
    work *w = payload;
    take_events(w, photo);
    return rv_dream_foresee_gallery(out, photo->c->device, w->in->model, photo->image, &w->options);
}

/* What a gallery has no use for; NULL: nothing that was given. */
static const char *useless(const cli_photo_settings *photos)
{
    return photos->preview != NULL  ? "--preview"
           : photos->save_every > 0 ? "--save-every"
           : photos->resume         ? "--resume"
                                    : NULL;
}

int cli_dream_photos(cli *c, const cli_dream_inputs *in, const cli_list *words)
{
    const bool gallery = in->s->gallery;
    const char *other = gallery ? useless(&in->s->photos) : NULL;
    work w = {.in = in, .options = in->options};
    if (other != NULL) {
        return cli_usage("--gallery makes a sheet and no dream: leave out %s", other);
    }
    const cli_maker maker = {.command = "dream",
                             .verb = "dream",
                             .suffix = gallery ? "gallery" : "dream",
                             .inputs = in->files,
                             .n_inputs = in->n_files,
                             .model = in->model,
                             .payload = &w,
                             .sheet = gallery ? "-o" : NULL,
                             .make = gallery ? make_gallery : make,
                             .foresee = gallery ? foresee_gallery : foresee};
    const int code = cli_photos_run(c, &in->s->photos, &maker, words);
    rv_dreamer_destroy(w.dreamer);
    return code;
}
