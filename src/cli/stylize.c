/* Works through the photos of `reverie stylize`: all outputs are checked first, then each is made. */
/* SPDX-License-Identifier: MIT */
#include "cli/stylize.h"
#include "base/signal.h"
#include "base/terminal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum fate { WAITING, DONE, SKIPPED, FAILED } fate;

typedef struct job {
    const char *photo;
    char *output;
    rv_image *image; /* kept from the check where there is but one photo */
    fate fate;
    int code;     /* exit code of what went wrong */
    char *reason; /* for SKIPPED and FAILED */
    rv_stylize_result result;
    rv_stylize_estimate estimate;
    int width, height; /* of the photo, then of the result */
} job;

typedef struct batch {
    cli *c;
    const cli_stylize_settings *s;
    const cli_stylize_inputs *in;
    job *jobs;
    size_t n;
    char **inputs; /* files that no result may replace */
    size_t n_inputs;
} batch;

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* Notes why there is no result; takes the reason. */
static void end_job(job *j, fate how, int code, char *reason)
{
    j->fate = how;
    j->code = code;
    free(j->reason);
    j->reason = reason;
    cli_say("%s%s", how == SKIPPED ? "skipped: " : "", reason != NULL ? reason : "out of memory");
}

static void fail_job(job *j, rv_status status)
{
    end_job(j, FAILED, status == RV_ERR_USAGE ? CLI_USAGE : CLI_FAILED,
            cli_format("%s", rv_error_message()));
}

static rv_image_write_options write_options(const batch *b)
{
    rv_image_write_options options = RV_IMAGE_WRITE_OPTIONS_INIT;
    options.quality = b->s->quality;
    options.overwrite = b->s->overwrite;
    options.strip = b->s->strip;
    options.keep_icc = b->s->icc == 1;
    return options;
}

static bool check_earlier(const batch *b, job *j)
{
    for (const job *other = b->jobs; other < j; other++) {
        if (other->fate == WAITING && strcmp(other->output, j->output) == 0) {
            end_job(j, FAILED, CLI_USAGE,
                    cli_format("'%s' would come from both %s and %s; style them apart", j->output,
                               other->photo, j->photo));
            return false;
        }
    }
    return true;
}

static void check_output(const batch *b, job *j)
{
    const char *const *inputs = (const char *const *)b->inputs;
    rv_status status = rv_output_check(j->output, inputs, b->n_inputs, true);
    if (status != RV_OK) {
        fail_job(j, status);
        return;
    }
    status = rv_output_check(j->output, NULL, 0, b->s->overwrite);
    if (status == RV_ERR_USAGE && b->n > 1) {
        end_job(j, SKIPPED, CLI_DONE, cli_format("%s", rv_error_message()));
    } else if (status != RV_OK) {
        fail_job(j, status);
    }
}

/* Reads the photo to see what it is, and finds out whether its result can be written. */
static void plan(const batch *b, job *j)
{
    const rv_image_read_options read = cli_read_options(b->c, &b->s->reading);
    rv_status status = rv_image_read(&j->image, j->photo, &read);
    if (status != RV_OK) {
        fail_job(j, status);
        return;
    }
    const bool needs_png = rv_image_channels(j->image) == 4 || rv_image_bits(j->image) == 16;
    const rv_image_write_options write = write_options(b);
    j->width = rv_image_width(j->image);
    j->height = rv_image_height(j->image);
    status = rv_output_name(&j->output, b->s->output, j->photo, b->in->paths.items[0],
                            needs_png ? ".png" : ".jpg");
    /* Wrong formats are found before the work rather than when it is written. */
    if (status == RV_OK) {
        status = rv_image_check_write(j->image, j->output, &write);
    }
    if (b->n > 1) {
        rv_image_destroy(j->image);
        j->image = NULL;
    }
    if (status != RV_OK) {
        fail_job(j, status);
    } else if (!b->s->estimate && check_earlier(b, j)) {
        check_output(b, j);
    }
}

/* Adds KEY="NAME" for the file that an option names, if it does; one line, no quotes in the name. Out of memory: *text is NULL. */
static void append_name(char **text, const char *key, const char *path)
{
    if (*text != NULL && path != NULL) {
        char *longer = cli_format("%s %s=\"%s\"", *text, key, base_of(path));
        char *name = longer != NULL ? longer + strlen(*text) + strlen(key) + 3 : NULL;
        for (; name != NULL && name[1] != '\0'; name++) {
            *name = *name == '"' || iscntrl((unsigned char)*name) ? '?' : *name;
        }
        free(*text);
        *text = longer;
    }
}

/* What the file says about itself: nothing that does not shape the picture. Freed with free(). */
static char *settings_text(const batch *b, const job *j)
{
    const cli_stylize_settings *s = b->s;
    char *text = cli_format("reverie=%s", rv_version());
    append_name(&text, "photo", j->photo);
    for (size_t i = 0; i < b->in->paths.n; i++) {
        append_name(&text, "style", b->in->paths.items[i]);
    }
    append_name(&text, "init_image", b->in->init_path);
    append_name(&text, "graph", s->files.graph);
    append_name(&text, "weights", s->files.weights);
    const bool pooling = s->pooling >= 0;
    char *whole = text != NULL ? cli_format("%s %s%s%s%s%s", text, j->result.settings,
                                            pooling ? " pooling=" : "",
                                            pooling ? cli_pooling_names[s->pooling] : "",
                                            s->reading.no_autorotate ? " autorotate=0" : "",
                                            s->icc == 1 ? " icc=keep" : "")
                               : NULL;
    free(text);
    return whole;
}

static rv_status write_result(const batch *b, job *j, const rv_image *picture)
{
    rv_image_write_options options = write_options(b);
    char *settings = settings_text(b, j);
    if (settings == NULL) {
        end_job(j, FAILED, CLI_FAILED, NULL);
        return RV_ERR_MEMORY;
    }
    options.settings = settings;
    j->width = rv_image_width(picture);
    j->height = rv_image_height(picture);
    const rv_status status = rv_image_write(picture, j->output, &options);
    free(settings);
    return status;
}

/* Foresees what one photo takes. */
static rv_status foresee(const batch *b, job *j)
{
    const cli_stylize_inputs *in = b->in;
    const rv_status status = rv_stylize_foresee(&j->estimate, b->c->device, in->model, j->image,
                                                (const rv_image *const *)in->styles, in->weights,
                                                (int)in->paths.n, &in->options);
    j->fate = status == RV_OK ? DONE : j->fate;
    return status;
}

/* Styles and writes one photo. RV_ERR_CANCELLED: there may be a result. */
static rv_status make(const batch *b, job *j)
{
    const cli_stylize_inputs *in = b->in;
    rv_image *picture = NULL;
    rv_status status = RV_OK;
    if (j->image == NULL) {
        rv_image_read_options read = cli_read_options(b->c, &b->s->reading);
        read.events = NULL; /* its warnings were said by plan() */
        status = rv_image_read(&j->image, j->photo, &read);
    }
    if (status == RV_OK && b->s->estimate) {
        status = foresee(b, j);
    } else if (status == RV_OK) {
        status = rv_stylize(&picture, &j->result, b->c->device, in->model, j->image,
                            (const rv_image *const *)in->styles, in->weights, (int)in->paths.n,
                            &in->options);
    }
    rv_terminal_finish(stderr);
    if (picture != NULL && (status == RV_OK || status == RV_ERR_CANCELLED)) {
        const rv_status written = write_result(b, j, picture);
        status = written != RV_OK ? written : status;
        j->fate = written == RV_OK ? DONE : j->fate;
    }
    rv_image_destroy(picture);
    rv_image_destroy(j->image);
    j->image = NULL;
    return status;
}

/* Failures that every further photo would meet as well. */
static bool concerns_all(rv_status status)
{
    return status == RV_ERR_USAGE || status == RV_ERR_NOT_FOUND || status == RV_ERR_DEVICE;
}

static int interrupted(const job *j)
{
    const bool saved = j != NULL && j->fate == DONE;
    cli_say("interrupted%s%s", saved ? ": the picture so far is in " : "", saved ? j->output : "");
    return CLI_INTERRUPTED;
}

/* "35 s", "4 min", "2.5 h": an estimate is no better than that. */
static void print_duration(double seconds)
{
    if (seconds < 120) {
        printf("about %.0f s", seconds);
    } else if (seconds < 7200) {
        printf("about %.0f min", seconds / 60);
    } else {
        printf("about %.1f h", seconds / 3600);
    }
}

static void print_done(const batch *b, const job *j)
{
    if (j->fate != DONE || b->c->globals.json) {
        return;
    }
    if (b->s->estimate) {
        printf("%s: %d x %d, ", j->photo, j->estimate.width, j->estimate.height);
        print_duration(j->estimate.seconds);
        printf(", %.0f MB of memory, of which %.0f MB are of the device\n",
               1e-6 * (double)j->estimate.process_bytes, 1e-6 * (double)j->estimate.device_bytes);
    } else {
        printf("%s: %d x %d, %.1f s\n", j->output, j->width, j->height, j->result.seconds);
    }
    fflush(stdout);
}

static int work(const batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        job *j = &b->jobs[i];
        if (j->fate != WAITING) {
            continue;
        }
        if (rv_signal_caught()) {
            return interrupted(NULL);
        }
        if (b->n > 1) {
            cli_note(b->c, "photo %zu of %zu: %s", i + 1, b->n, j->photo);
        }
        const rv_status status = make(b, j);
        print_done(b, j);
        if (status == RV_ERR_CANCELLED || (status != RV_OK && rv_signal_caught())) {
            return interrupted(j);
        }
        if (status != RV_OK) {
            if (j->fate != FAILED) {
                fail_job(j, status);
            }
            if (concerns_all(status)) {
                return j->code;
            }
        }
    }
    return CLI_DONE;
}

static void print_plan(const batch *b)
{
    for (const job *j = b->jobs; j < b->jobs + b->n; j++) {
        if (j->fate == WAITING && !b->c->globals.json) {
            printf("%s (%d x %d) -> %s\n", j->photo, j->width, j->height, j->output);
        }
    }
}

static void add_json(const batch *b)
{
    json_t *outputs = json_array(), *skipped = json_array(), *failed = json_array();
    for (const job *j = b->jobs; j < b->jobs + b->n; j++) {
        if (j->fate == DONE && b->s->estimate) {
            json_array_append_new(outputs,
                                  json_pack("{s:o, s:i, s:i, s:o, s:I, s:I}", "photo",
                                            cli_json_text(j->photo), "width", j->estimate.width,
                                            "height", j->estimate.height, "seconds",
                                            cli_json_real(j->estimate.seconds), "process_bytes",
                                            (json_int_t)j->estimate.process_bytes, "device_bytes",
                                            (json_int_t)j->estimate.device_bytes));
        } else if (j->fate == DONE) {
            json_array_append_new(
                outputs,
                json_pack("{s:o, s:o, s:i, s:i, s:o, s:i, s:o}", "file", cli_json_text(j->output),
                          "photo", cli_json_text(j->photo), "width", j->width, "height", j->height,
                          "seconds", cli_json_real(j->result.seconds), "iterations",
                          j->result.iterations, "loss", cli_json_real(j->result.loss)));
        } else if (j->fate == WAITING && b->s->dry_run) {
            json_array_append_new(outputs, json_pack("{s:o, s:o}", "file", cli_json_text(j->output),
                                                     "photo", cli_json_text(j->photo)));
        } else if (j->reason != NULL) {
            json_array_append_new(j->fate == SKIPPED ? skipped : failed,
                                  json_pack("{s:o, s:o}", "file", cli_json_text(j->photo), "reason",
                                            cli_json_text(j->reason)));
        }
    }
    cli_json_set(b->c, "outputs", outputs);
    cli_json_set(b->c, "skipped", skipped);
    cli_json_set(b->c, "failed", failed);
}

/* One bad photo of many is exit code 1, a single one has its own. */
static int sum_up(const batch *b, int code)
{
    size_t failed = 0;
    for (const job *j = b->jobs; j < b->jobs + b->n; j++) {
        failed += j->fate == FAILED;
    }
    if (failed > 0 && b->n > 1) {
        cli_say("%zu of %zu photos failed", failed, b->n);
    }
    if (code != CLI_DONE || failed == 0) {
        return code;
    }
    return b->n == 1 ? b->jobs[0].code : CLI_FAILED;
}

static size_t count(const batch *b, fate wanted)
{
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++) {
        n += b->jobs[i].fate == wanted;
    }
    return n;
}

static int run(batch *b)
{
    int code = CLI_DONE;
    for (size_t i = 0; i < b->n && !rv_signal_caught(); i++) {
        plan(b, &b->jobs[i]);
    }
    if (rv_signal_caught()) {
        code = interrupted(NULL);
    } else if (b->s->dry_run) {
        print_plan(b);
    } else if (count(b, WAITING) > 0) {
        code = cli_open_device(b->c);
        code = code == CLI_DONE ? work(b) : code;
    }
    code = sum_up(b, code);
    add_json(b);
    return cli_json_print(b->c, code);
}

/* All files that are read. */
static bool collect_inputs(batch *b, const cli_list *photos)
{
    const cli_stylize_settings *s = b->s;
    const char *others[] = {s->model, s->files.graph, s->files.weights, b->in->init_path};
    const size_t n_others = sizeof others / sizeof others[0];
    b->inputs = calloc(photos->n + b->in->paths.n + n_others, sizeof *b->inputs);
    b->jobs = calloc(photos->n, sizeof *b->jobs);
    if (b->inputs == NULL || b->jobs == NULL) {
        return false;
    }
    for (size_t i = 0; i < photos->n; i++) {
        b->inputs[b->n_inputs++] = photos->items[i];
        b->jobs[b->n++].photo = photos->items[i];
    }
    for (size_t i = 0; i < b->in->paths.n; i++) {
        b->inputs[b->n_inputs++] = b->in->paths.items[i];
    }
    for (size_t i = 0; i < n_others; i++) {
        if (others[i] != NULL) {
            b->inputs[b->n_inputs++] = (char *)others[i];
        }
    }
    return true;
}

int cli_stylize_photos(cli *c, const cli_stylize_settings *s, const cli_stylize_inputs *inputs,
                       const cli_list *photos)
{
    batch b = {.c = c, .s = s, .in = inputs};
    int code = collect_inputs(&b, photos) ? CLI_DONE : cli_out_of_memory();
    if (code == CLI_DONE && photos->n > 1 && s->output != NULL) {
        /* Of two photos, only a folder gives two names. */
        char *name = NULL;
        code = cli_status(rv_output_name(&name, s->output, "name", NULL, ".jpg"));
        if (code == CLI_DONE && strcmp(name, s->output) == 0) {
            code = cli_usage("-o %s is no folder, but there are %zu photos", s->output, photos->n);
        }
        free(name);
    }
    if (code == CLI_DONE) {
        code = run(&b);
    }
    for (size_t i = 0; i < b.n; i++) {
        rv_image_destroy(b.jobs[i].image);
        free(b.jobs[i].output);
        free(b.jobs[i].reason);
    }
    free(b.jobs);
    free(b.inputs);
    return code;
}
