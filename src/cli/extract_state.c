/* Where a run of `reverie extract` over many inputs is, in a file beside what it writes: to go on from there. */
/* SPDX-License-Identifier: MIT */
#include "cli/extract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Seconds until it is kept first, and from then on. */
#define FIRST_AFTER 0.2
#define THEN_AFTER  1.0

double cli_extract_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

bool cli_extract_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

int cli_extract_find_state(cli_extraction *x)
{
    cli_extract_state *st = &x->state;
    bool complete = true;
    if (x->each || !x->inputs.many) {
        return CLI_DONE;
    }
    st->path = cli_format("%s.state", x->targets[0].path);
    if (st->path == NULL) {
        return cli_out_of_memory();
    }
    const bool there = cli_extract_exists(st->path);
    if (there && !x->s->resume && !x->s->overwrite) {
        return cli_usage("%s is of a run that was interrupted: go on with it (--resume), or start "
                         "anew (--overwrite)",
                         st->path);
    }
    for (size_t k = 0; k < x->n_targets; k++) {
        complete = complete && cli_extract_exists(x->targets[k].path);
    }
    st->goes_on = there && x->s->resume;
    st->complete = !there && x->s->resume && complete;
    return CLI_DONE;
}

/* All that shapes what is written. Freed with free(); NULL where it cannot be told, which is said. */
static char *request_of(const cli_extraction *x)
{
    char *features;
    const rv_status status = rv_features_signature(
        &features, x->features, (const char *const *)x->inputs.files.items, x->inputs.files.n);
    if (cli_status(status) != CLI_DONE) {
        return NULL;
    }
    const cli_reading *r = &x->s->reading;
    char *text =
        cli_format("%s pool=%d max_pixels=%llu truncated=%d turned=%d", features, x->s->pool,
                   (unsigned long long)r->max_pixels, r->allow_truncated, !r->no_autorotate);
    free(features);
    if (text == NULL) {
        (void)cli_out_of_memory();
    }
    return text;
}

/* --- reading --------------------------------------------------------------------------------- */

static int fail_damaged(const cli_extraction *x)
{
    cli_say("%s is damaged: start anew (--overwrite)", x->state.path);
    return CLI_FAILED;
}

static int take_state(cli_extraction *x, const json_t *json)
{
    cli_extract_state *st = &x->state;
    const char *then = json_string_value(json_object_get(json, "request"));
    const json_int_t next = json_integer_value(json_object_get(json, "next"));
    json_t *marks = json_object_get(json, "marks"), *failed = json_object_get(json, "failed");
    char *request = request_of(x);
    if (request == NULL) {
        return CLI_FAILED;
    }
    int code = CLI_DONE;
    if (then == NULL || next < 0 || (size_t)next > x->files.n ||
        json_array_size(marks) != x->n_targets || !json_is_array(failed)) {
        code = fail_damaged(x);
    } else if (strcmp(then, request) != 0) {
        code = cli_usage("%s is of another run than this one (%s, and now %s): start anew "
                         "(--overwrite)",
                         st->path, then, request);
    } else {
        st->next = st->begun = (size_t)next;
        st->marks = json_incref(marks);
        json_decref(x->files.failed);
        x->files.failed = json_incref(failed);
        x->files.n_failed = json_array_size(failed);
        x->files.code = x->files.n_failed > 0 ? CLI_FAILED : CLI_DONE;
    }
    free(request);
    return code;
}

int cli_extract_read_state(cli_extraction *x)
{
    cli_extract_state *st = &x->state;
    st->started = x->clock = cli_extract_clock();
    if (!st->goes_on) {
        if (st->path != NULL) {
            unlink(st->path); /* what it tells of is written over */
        }
        return CLI_DONE;
    }
    json_t *json = json_load_file(st->path, 0, NULL);
    const int code = json != NULL ? take_state(x, json) : fail_damaged(x);
    json_decref(json);
    st->written = code == CLI_DONE;
    return code;
}

/* --- writing --------------------------------------------------------------------------------- */

/* Where all tables are; those that are complete already stay as they were. */
static rv_status mark_tables(const cli_extraction *x, json_t *marks)
{
    for (size_t k = 0; k < x->n_targets; k++) {
        char *mark = NULL;
        if (x->targets[k].table == NULL) {
            json_array_append(marks, json_array_get(x->state.marks, k));
            continue;
        }
        const rv_status status = rv_feature_table_mark(x->targets[k].table, &mark);
        if (status != RV_OK) {
            return status;
        }
        json_array_append_new(marks, json_string(mark));
        free(mark);
    }
    return RV_OK;
}

/* Whole or not at all: under another name until the disk has it. */
static int write_state(const cli_extraction *x, const json_t *json)
{
    const char *path = x->state.path;
    char *temporary = cli_format("%s.new", path);
    if (json == NULL || temporary == NULL) {
        free(temporary);
        return cli_out_of_memory();
    }
    FILE *file = fopen(temporary, "we");
    bool written = file != NULL && json_dumpf(json, file, JSON_INDENT(1)) == 0 &&
                   fflush(file) == 0 && fsync(fileno(file)) == 0;
    written = file != NULL && fclose(file) == 0 && written;
    written = written && rename(temporary, path) == 0;
    if (!written) {
        cli_say("cannot write %s: disk full?", path);
        unlink(temporary);
    }
    free(temporary);
    return written ? CLI_DONE : CLI_FAILED;
}

int cli_extract_save_state(cli_extraction *x, size_t next, bool now)
{
    cli_extract_state *st = &x->state;
    const double after = st->written ? THEN_AFTER : FIRST_AFTER;
    if (st->path == NULL || (!now && cli_extract_clock() - st->started < after)) {
        return CLI_DONE;
    }
    json_t *marks = json_array();
    int code = cli_status(mark_tables(x, marks));
    char *request = code == CLI_DONE ? request_of(x) : NULL;
    if (request == NULL) {
        json_decref(marks);
        return code != CLI_DONE ? code : CLI_FAILED;
    }
    json_t *json = json_pack("{s:s, s:I, s:O, s:o}", "request", request, "next", (json_int_t)next,
                             "failed", x->files.failed, "marks", marks);
    code = write_state(x, json);
    free(request);
    json_decref(json);
    st->next = next;
    st->written = st->written || code == CLI_DONE;
    st->started = cli_extract_clock();
    return code;
}

void cli_extract_drop_state(const cli_extraction *x)
{
    if (x->state.written) {
        unlink(x->state.path);
    }
}
