/* Works through the photos of a command: all outputs are checked first, then each is made. */
/* SPDX-License-Identifier: MIT */
#include "cli/photo_batch.h"
#include "base/signal.h"
#include "base/terminal.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const cli_icc_names[] = {"srgb", "keep", NULL};

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

bool cli_is_same_name(const char *a, const char *b)
{
    const char *last = base_of(a), *other = base_of(b);
    char *folder = cli_format("%.*s.", (int)(last - a), a);
    char *another = cli_format("%.*s.", (int)(other - b), b);
    const bool same = strcmp(last, other) == 0 && folder != NULL && another != NULL &&
                      cli_is_same_file(folder, another);
    free(folder);
    free(another);
    return same;
}

/* Notes why there is no result; takes the reason. */
static void end_job(cli_job *j, cli_fate how, int code, char *reason)
{
    j->fate = how;
    j->code = code;
    free(j->reason);
    j->reason = reason;
    cli_say("%s%s", how == SKIPPED ? "skipped: " : "", reason != NULL ? reason : "out of memory");
}

static void fail_job(cli_job *j, rv_status status)
{
    end_job(j, FAILED, status == RV_ERR_USAGE ? CLI_USAGE : CLI_FAILED,
            cli_format("%s", rv_error_message()));
}

static rv_image_write_options write_options(const cli_batch *b, const cli_job *j)
{
    rv_image_write_options options = RV_IMAGE_WRITE_OPTIONS_INIT;
    options.quality = b->s->quality;
    options.overwrite = b->s->overwrite || j->goes_on;
    options.strip = b->s->strip;
    options.keep_icc = b->s->icc == 1;
    return options;
}

static bool check_earlier(const cli_batch *b, cli_job *j)
{
    for (const cli_job *other = b->jobs; other < j; other++) {
        if ((other->fate == WAITING || other->fate == DONE) &&
            strcmp(other->output, j->output) == 0) {
            end_job(j, FAILED, CLI_USAGE,
                    cli_format("'%s' would come from both %s and %s; %s them apart", j->output,
                               other->photo, j->photo, b->maker->verb));
            return false;
        }
    }
    return true;
}

static void check_output(const cli_batch *b, cli_job *j)
{
    rv_status status = rv_output_check(j->output, b->inputs, b->n_inputs, true);
    if (status != RV_OK) {
        fail_job(j, status);
        return;
    }
    if (b->s->preview != NULL && cli_is_same_name(b->s->preview, j->output)) {
        end_job(j, FAILED, CLI_USAGE,
                cli_format("'%s' is the --preview as well: give it a name of its own", j->output));
        return;
    }
    /* What is there was made by the run that is resumed, unless its state says that it did not come to an end. */
    const bool stays = b->s->resume;
    status = rv_output_check(j->output, NULL, 0, (b->s->overwrite && !stays) || j->goes_on);
    if (status == RV_ERR_USAGE && (b->many || stays)) {
        end_job(j, SKIPPED, CLI_DONE, cli_format("%s", rv_error_message()));
    } else if (status != RV_OK) {
        fail_job(j, status);
    }
}

/* Wrong formats are found before the work rather than when it is written. */
static rv_status check_format(const cli_batch *b, const cli_job *j)
{
    const rv_image_write_options write = write_options(b, j);
    rv_image *opaque = NULL;
    rv_status status = RV_OK;
    if (b->maker->sheet != NULL) {
        status = rv_image_create(&opaque, 1, 1, 3, 8);
    }
    if (status == RV_OK) {
        status = rv_image_check_write(opaque != NULL ? opaque : j->image, j->output, &write);
    }
    rv_image_destroy(opaque);
    return status;
}

/* By the header of the photo. */
static rv_status name_output(const cli_batch *b, cli_job *j, const rv_image_read_options *read)
{
    int channels, bits;
    rv_status status = rv_image_look(&channels, &bits, j->photo, read);
    if (status != RV_OK) {
        return status;
    }
    const bool needs_png = b->maker->sheet == NULL && (channels == 4 || bits == 16);
    status = rv_output_name(&j->output, b->s->output, j->photo, b->maker->suffix,
                            needs_png ? ".png" : ".jpg");
    if (status != RV_OK) {
        return status;
    }
    j->state = cli_format("%s.state", j->output);
    j->goes_on = j->state != NULL && b->s->resume && access(j->state, F_OK) == 0;
    return RV_OK;
}

/* Reads the photo and what is to be found beside it. */
static void fetch(const cli_batch *b, cli_job *j, const rv_image_read_options *read)
{
    rv_status status = rv_image_read(&j->image, j->photo, read);
    if (status == RV_OK) {
        j->width = rv_image_width(j->image);
        j->height = rv_image_height(j->image);
        status = check_format(b, j);
    }
    if (status != RV_OK) {
        fail_job(j, status);
        return;
    }
    char *reason = NULL;
    const int code = b->maker->check != NULL
                         ? b->maker->check(b->maker->payload, j->photo, j->output, &reason)
                         : CLI_DONE;
    if (code != CLI_DONE) {
        end_job(j, FAILED, code, reason);
    }
}

/* Finds out whether the result of a photo can be written, or is there: then it is not even read. */
static void plan(const cli_batch *b, cli_job *j)
{
    const rv_image_read_options read = cli_read_options(b->c, &b->s->reading);
    const rv_status status = name_output(b, j, &read);
    if (status != RV_OK) {
        fail_job(j, status);
        return;
    }
    if (!b->s->estimate && check_earlier(b, j)) {
        check_output(b, j);
    }
    if (j->fate == WAITING) {
        fetch(b, j, &read);
    }
}

static void drop_image(cli_job *j)
{
    rv_image_destroy(j->image);
    j->image = NULL;
}

void cli_add_name(char **text, const char *key, const char *path)
{
    if (*text != NULL && path != NULL) {
        char *longer =
            cli_format("%s%s%s=\"%s\"", *text, **text != '\0' ? " " : "", key, base_of(path));
        char *name = longer != NULL ? longer + strlen(longer) - strlen(base_of(path)) - 1 : NULL;
        for (; name != NULL && name[1] != '\0'; name++) {
            *name = *name == '"' || iscntrl((unsigned char)*name) ? '?' : *name;
        }
        free(*text);
        *text = longer;
    }
}

/* Found once: a model that has no file of weights, or several, has no hash. */
static void hash_model(cli_batch *b)
{
    const rv_events quiet = {.payload = b, .cancelled = b->events.cancelled};
    if (!b->hashed && b->maker->model != NULL &&
        rv_model_hash(b->maker->model, b->hash, &quiet) != RV_OK) {
        b->hash[0] = '\0';
    }
    b->hashed = true;
}

/* What the file says about itself: nothing that does not shape the picture. Freed with free(). */
static char *settings_text(cli_batch *b, const cli_job *j)
{
    char *text = cli_format(CLI_SETTINGS_START "%s", rv_version());
    cli_add_name(&text, "photo", j->photo);
    hash_model(b);
    char *whole = text != NULL && j->made.settings != NULL
                      ? cli_format("%s %s%s%s%s%s", text, j->made.settings,
                                   b->s->reading.no_autorotate ? " autorotate=0" : "",
                                   b->s->icc == 1 ? " icc=keep" : "",
                                   b->hash[0] != '\0' ? " weights_sha256=" : "", b->hash)
                      : NULL;
    free(text);
    return whole;
}

static rv_status write_result(cli_batch *b, cli_job *j, const rv_image *picture)
{
    rv_image_write_options options = write_options(b, j);
    char *settings = b->s->strip ? cli_format("%s", "") : settings_text(b, j);
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

static cli_photo photo_of(cli_batch *b, const cli_job *j)
{
    return (cli_photo){.c = b->c,
                       .path = j->photo,
                       .image = j->image,
                       .state = j->state,
                       .events = &b->events,
                       .preview = b->s->preview != NULL ? cli_preview_show : NULL,
                       .preview_payload = &b->preview,
                       .alone = b->n == 1 && !b->c->globals.json && !b->c->globals.quiet};
}

static rv_status make_picture(cli_batch *b, cli_job *j)
{
    const cli_photo photo = photo_of(b, j);
    rv_image *picture = NULL;
    rv_status status = b->maker->make(b->maker->payload, &picture, &j->made, &photo);
    rv_terminal_finish(stderr);
    if (picture != NULL && (status == RV_OK || status == RV_ERR_CANCELLED)) {
        const rv_status written = write_result(b, j, picture);
        status = written != RV_OK ? written : status;
        j->fate = written == RV_OK ? DONE : j->fate;
    }
    rv_image_destroy(picture);
    if (status == RV_OK) {
        unlink(j->state); /* if there is one */
        j->remark = b->maker->remark != NULL ? b->maker->remark(b->maker->payload, &photo) : NULL;
    }
    return status;
}

static rv_status foresee(cli_batch *b, cli_job *j)
{
    const cli_photo photo = photo_of(b, j);
    const rv_status status = b->maker->foresee(b->maker->payload, &j->estimate, &photo);
    j->fate = status == RV_OK ? DONE : j->fate;
    return status;
}

/* Makes and writes the picture of one photo. RV_ERR_CANCELLED: there may be a result. */
static rv_status make(cli_batch *b, cli_job *j)
{
    const rv_status status = b->s->estimate ? foresee(b, j) : make_picture(b, j);
    rv_terminal_finish(stderr);
    drop_image(j);
    return status;
}

/* Failures that every further photo would meet as well. */
static bool concerns_all(const cli_batch *b, rv_status status)
{
    bool any = false;
    for (size_t i = 0; i < b->at; i++) {
        any = any || b->jobs[i].fate == DONE;
    }
    return status == RV_ERR_DEVICE ||
           (!any && (status == RV_ERR_USAGE || status == RV_ERR_NOT_FOUND));
}

/* --- work ------------------------------------------------------------------------------------ */

static void on_log(void *payload, rv_log_level level, const char *text)
{
    const rv_events *events = &((cli_batch *)payload)->c->events;
    events->log(events->payload, level, text);
}

static bool on_cancelled(void *payload)
{
    const rv_events *events = &((cli_batch *)payload)->c->events;
    return events->cancelled(events->payload);
}

/* Photos that are to be made, or were. */
static size_t count_work(const cli_batch *b, size_t end)
{
    size_t n = 0;
    for (size_t i = 0; i < end; i++) {
        n += b->jobs[i].fate == WAITING || b->jobs[i].fate == DONE;
    }
    return n;
}

/* Of many photos, the share of all of them; those to come are taken to need as long as those before. */
static void on_progress(void *payload, const rv_progress *progress)
{
    const cli_batch *b = payload;
    const rv_events *events = &b->c->events;
    rv_progress all = *progress;
    char task[96];
    if (b->n > 1) {
        const double done = (double)count_work(b, b->at), n = (double)count_work(b, b->n);
        snprintf(task, sizeof task, "photo %zu of %zu, %s", b->at + 1, b->n, progress->task);
        all.task = task;
        all.fraction = (done + progress->fraction) / n;
        if (progress->seconds_left >= 0) {
            double spent = progress->seconds_left / fmax(1e-6, 1 - progress->fraction);
            for (size_t i = 0; i < b->at; i++) {
                spent += b->jobs[i].fate == DONE ? b->jobs[i].made.seconds : 0;
            }
            all.seconds_left = progress->seconds_left + spent / (done + 1) * (n - done - 1);
        }
    }
    events->progress(events->payload, &all);
}

/* One photo, from its check, where that was not done before, to its result. */
static int work_on(cli_batch *b, cli_job *j)
{
    if (j->image == NULL) {
        plan(b, j);
    }
    if (j->fate != WAITING) {
        drop_image(j);
        return CLI_DONE;
    }
    const int code = cli_open_device(b->c);
    if (code != CLI_DONE) {
        return code;
    }
    const rv_status status = make(b, j);
    cli_photo_print_done(b, j);
    if (status == RV_ERR_CANCELLED || (status != RV_OK && rv_signal_caught())) {
        return cli_photo_interrupted(b, j);
    }
    if (status != RV_OK && j->fate != FAILED) {
        fail_job(j, status);
    }
    return status != RV_OK && concerns_all(b, status) ? j->code : CLI_DONE;
}

static int work(cli_batch *b)
{
    int code = CLI_DONE;
    for (b->at = 0; b->at < b->n && code == CLI_DONE; b->at++) {
        cli_job *j = &b->jobs[b->at];
        if (j->fate != WAITING) {
            continue;
        }
        if (rv_signal_caught()) {
            return cli_photo_interrupted(b, NULL);
        }
        if (b->n > 1) {
            cli_note(b->c, "photo %zu of %zu: %s", b->at + 1, b->n, j->photo);
        }
        code = work_on(b, j);
    }
    return code;
}

/* One bad photo of many is exit code 1, a single one has its own. */
static int sum_up(const cli_batch *b, int code)
{
    size_t failed = 0;
    for (const cli_job *j = b->jobs; j < b->jobs + b->n; j++) {
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

/* Of many photos each is looked at when its turn comes, so that it is read once. */
static int run(cli_batch *b)
{
    int code = CLI_DONE;
    for (size_t i = 0; i < b->n && (b->n == 1 || b->s->dry_run) && !rv_signal_caught(); i++) {
        plan(b, &b->jobs[i]);
        if (b->n > 1) {
            drop_image(&b->jobs[i]);
        }
    }
    if (rv_signal_caught()) {
        code = cli_photo_interrupted(b, NULL);
    } else if (b->s->dry_run) {
        cli_photo_print_plan(b);
    } else {
        code = work(b);
    }
    code = sum_up(b, code);
    cli_photo_add_json(b);
    return cli_json_print(b->c, code);
}

/* All files that are read. */
static bool collect_inputs(cli_batch *b, const cli_list *photos)
{
    const cli_maker *maker = b->maker;
    b->inputs = calloc(photos->n + maker->n_inputs + 1, sizeof *b->inputs);
    b->jobs = calloc(photos->n + 1, sizeof *b->jobs);
    if (b->inputs == NULL || b->jobs == NULL) {
        return false;
    }
    for (size_t i = 0; i < photos->n; i++) {
        b->inputs[b->n_inputs++] = photos->items[i];
        b->jobs[b->n++].photo = photos->items[i];
    }
    for (size_t i = 0; i < maker->n_inputs; i++) {
        if (maker->inputs[i] != NULL) {
            b->inputs[b->n_inputs++] = maker->inputs[i];
        }
    }
    return true;
}

/* Of two photos, only a folder gives two names. */
static int check_folder(const cli_batch *b)
{
    char *name = NULL;
    if (b->n < 2 || b->s->output == NULL) {
        return CLI_DONE;
    }
    int code = cli_status(rv_output_name(&name, b->s->output, "name", NULL, ".jpg"));
    if (code == CLI_DONE && strcmp(name, b->s->output) == 0) {
        code = cli_usage("%s %s is no folder, but there are %zu photos",
                         b->maker->sheet != NULL ? b->maker->sheet : "-o", b->s->output, b->n);
    }
    free(name);
    return code;
}

static void release(cli_batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        rv_image_destroy(b->jobs[i].image);
        free(b->jobs[i].output);
        free(b->jobs[i].state);
        free(b->jobs[i].reason);
        free(b->jobs[i].remark);
        free(b->jobs[i].made.settings);
    }
    free(b->jobs);
    free(b->inputs);
}

int cli_photos_run(cli *c, const cli_photo_settings *s, const cli_maker *maker,
                   const cli_list *words)
{
    cli_batch b = {.c = c, .s = s, .maker = maker, .preview = {s->preview, s->quality, false}};
    cli_list photos = {0};
    b.events = (rv_events){&b, on_log, on_progress, on_cancelled};
    int code = cli_photos_find(&photos, s, maker, words);
    if (code == CLI_DONE && !collect_inputs(&b, &photos)) {
        code = cli_out_of_memory();
    }
    b.many = b.n > 1 || s->list != NULL || s->shard != NULL ||
             (words->n > 0 && cli_is_folder(words->items[0]));
    if (code == CLI_DONE) {
        code = cli_preview_check(&b.preview, b.inputs, b.n_inputs, s->overwrite || s->resume);
    }
    if (code == CLI_DONE) {
        code = check_folder(&b);
    }
    if (code == CLI_DONE) {
        code = run(&b);
    }
    release(&b);
    cli_list_release(&photos);
    return code;
}
