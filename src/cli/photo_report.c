/* What commands on photos say: lines of results, the object of --json, how to go on. */
/* SPDX-License-Identifier: MIT */
#include "cli/photo_batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of words that a shell takes as they are. */
static const char plain_letters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:,=+@%";

/* Adds a word to a command line as a shell reads it; takes the line, NULL where memory is out. */
static char *add_word(char *line, const char *word)
{
    const bool plain = word[0] != '\0' && word[strspn(word, plain_letters)] == '\0';
    char *longer = line != NULL
                       ? cli_format("%s%s%s", line, line[0] != '\0' ? " " : "", plain ? word : "'")
                       : NULL;
    free(line);
    while (!plain && longer != NULL) {
        const size_t n = strcspn(word, "'");
        line = longer;
        longer = cli_format("%s%.*s%s", line, (int)n, word, word[n] != '\0' ? "'\\''" : "'");
        free(line);
        if (word[n] == '\0') {
            break;
        }
        word += n + 1;
    }
    return longer;
}

/* The command line that goes on. Freed with free(). */
static char *resume_line(const cli *c)
{
    char *line = cli_format("%s", "");
    bool has = false;
    for (int i = 0; i < c->argc; i++) {
        line = add_word(line, c->argv[i]);
        has = has || strcmp(c->argv[i], "--resume") == 0;
    }
    return has ? line : add_word(line, "--resume");
}

int cli_photo_interrupted(const cli_batch *b, const cli_job *j)
{
    const bool saved = j != NULL && j->fate == DONE;
    const bool kept = j != NULL && j->state != NULL && access(j->state, F_OK) == 0;
    char *line = kept || (b->n > 1 && b->at > 0) ? resume_line(b->c) : NULL;
    cli_say("interrupted%s%s%s%s", saved ? ": the picture so far is in " : "",
            saved ? j->output : "", line != NULL ? "; to go on: " : "", line != NULL ? line : "");
    free(line);
    return CLI_INTERRUPTED;
}

char *cli_about(double seconds)
{
    if (seconds < 120) {
        return cli_format("about %.0f s", seconds);
    }
    return seconds < 7200 ? cli_format("about %.0f min", seconds / 60)
                          : cli_format("about %.1f h", seconds / 3600);
}

void cli_estimate_print(const char *photo, const char *what, const rv_stylize_estimate *estimate)
{
    char *about = cli_about(estimate->seconds);
    printf("%s: %s%d x %d, %s, %.0f MB of memory, of which %.0f MB are of the device\n", photo,
           what != NULL ? what : "", estimate->width, estimate->height, about != NULL ? about : "",
           1e-6 * (double)estimate->process_bytes, 1e-6 * (double)estimate->device_bytes);
    fflush(stdout);
    free(about);
}

json_t *cli_estimate_json(const char *photo, const rv_stylize_estimate *estimate)
{
    return json_pack(
        "{s:o, s:i, s:i, s:o, s:I, s:I}", "photo", cli_json_text(photo), "width", estimate->width,
        "height", estimate->height, "seconds", cli_json_real(estimate->seconds), "process_bytes",
        (json_int_t)estimate->process_bytes, "device_bytes", (json_int_t)estimate->device_bytes);
}

void cli_photo_print_done(const cli_batch *b, const cli_job *j)
{
    if (j->fate != DONE || b->c->globals.json) {
        return;
    }
    if (b->s->estimate) {
        cli_estimate_print(j->photo, NULL, &j->estimate);
    } else {
        printf("%s: %d x %d, %.1f s%s\n", j->output, j->width, j->height, j->made.seconds,
               j->remark != NULL ? j->remark : "");
    }
    fflush(stdout);
}

void cli_photo_print_plan(const cli_batch *b)
{
    for (const cli_job *j = b->jobs; j < b->jobs + b->n; j++) {
        if (j->fate == WAITING && !b->c->globals.json) {
            printf("%s (%d x %d) -> %s\n", j->photo, j->width, j->height, j->output);
        }
    }
}

void cli_photo_add_json(const cli_batch *b)
{
    json_t *outputs = json_array(), *skipped = json_array(), *failed = json_array();
    for (const cli_job *j = b->jobs; j < b->jobs + b->n; j++) {
        if (j->fate == DONE && b->s->estimate) {
            json_array_append_new(outputs, cli_estimate_json(j->photo, &j->estimate));
        } else if (j->fate == DONE) {
            json_t *output =
                json_pack("{s:o, s:o, s:i, s:i, s:o, s:i, s:o}", "file", cli_json_text(j->output),
                          "photo", cli_json_text(j->photo), "width", j->width, "height", j->height,
                          "seconds", cli_json_real(j->made.seconds), "iterations",
                          j->made.iterations, "loss", cli_json_real(j->made.loss));
            if (j->made.flops > 0) {
                json_object_set_new(output, "flops", cli_json_real(j->made.flops));
            }
            json_array_append_new(outputs, output);
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
