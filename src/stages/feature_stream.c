/* Runs a network over many files: threads read pictures ahead, the device takes several at a time. */
/* SPDX-License-Identifier: MIT */
#include "base/ahead.h"
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "base/text.h"
#include "stages/features.h"

#include <stdlib.h>
#include <string.h>

enum { USUAL_BATCH = 8, MAX_BATCH = 65536 };

/* Bytes of pictures that wait to be cut: beyond them no more is read. */
#define MOST_WAITING ((uint64_t)1 << 28)

/* A file that a thread has read. */
typedef struct reading {
    rv_image *image; /* NULL: it cannot be read, or is an array */
    rv_error error;
    rv_text lines; /* to be logged: a character for the level, the text, a newline */
} reading;

struct rv_feature_stream {
    rv_features *features;
    const char *const *files;
    size_t n_files;
    rv_image_read_options read;
    const rv_events *events;
    rv_ahead *ahead;
    reading *readings; /* [slots] */
    int slots;
    int32_t batch;
    float *pictures;   /* [batch] */
    rv_error *errors;  /* [batch]: of the files of this run */
    size_t begin, end; /* files of this run */
    size_t at;         /* next of them */
    size_t n_of_array; /* pictures, where the run is over an array; else 0 */
};

/* --- reading ahead --------------------------------------------------------------------------- */

static void keep_line(void *payload, rv_log_level level, const char *text)
{
    rv_text_append(&((reading *)payload)->lines, "%c%s\n", '0' + (int)level, text);
}

static uint64_t image_bytes(const rv_image *image)
{
    return (uint64_t)rv_image_width(image) * (uint64_t)rv_image_height(image) *
           (uint64_t)rv_image_channels(image) * (uint64_t)(rv_image_bits(image) / 8);
}

/* By a thread: what it would log waits for the caller's. */
static uint64_t read_file(void *payload, int64_t number, int slot)
{
    const rv_feature_stream *s = payload;
    reading *r = &s->readings[slot];
    const rv_events events = {.payload = r, .log = keep_line};
    rv_image_read_options options = s->read;
    r->error.status = RV_OK;
    if (rv_features_is_array(s->files[number])) {
        return 0;
    }
    options.events = &events;
    rv_error_save(&r->error, rv_image_read(&r->image, s->files[number], &options));
    return r->image != NULL ? image_bytes(r->image) : 0;
}

static void log_lines(const rv_feature_stream *s, reading *r)
{
    char *line = r->lines.data;
    while (line != NULL && *line != '\0') {
        char *end = strchr(line, '\n');
        *end = '\0';
        rv_log(s->events, (rv_log_level)(line[0] - '0'), "%s", line + 1);
        line = end + 1;
    }
    rv_text_release(&r->lines);
}

/* --- a run ----------------------------------------------------------------------------------- */

/* Puts the picture of the next file in a place of the batch, or what is wrong with it. */
static void take_picture(rv_feature_stream *s, size_t place)
{
    const size_t floats = rv_features_picture_floats(s->features);
    float *to = s->pictures + place * floats;
    reading *r = &s->readings[rv_ahead_next(s->ahead)];
    log_lines(s, r);
    s->errors[place] = r->error;
    if (r->image != NULL) {
        rv_error_save(&s->errors[place], rv_features_see(s->features, to, r->image));
        rv_image_destroy(r->image);
        r->image = NULL;
    }
    if (s->errors[place].status != RV_OK) {
        memset(to, 0, floats * sizeof *to);
    }
}

static rv_status run_array(rv_feature_stream *s)
{
    (void)rv_ahead_next(s->ahead);
    s->end++;
    rv_error_save(&s->errors[0], rv_features_run_array(s->features, s->files[s->begin]));
    s->n_of_array = 1;
    if (s->errors[0].status == RV_OK) {
        s->n_of_array = rv_features_map(s->features, 0).dim[0];
    }
    return RV_OK;
}

static rv_status run_pictures(rv_feature_stream *s)
{
    const size_t floats = rv_features_picture_floats(s->features), batch = (size_t)s->batch;
    size_t n = 0;
    bool any = false;
    while (n < batch && s->end < s->n_files && !rv_features_is_array(s->files[s->end])) {
        RV_TRY(rv_check_cancelled(s->events));
        take_picture(s, n);
        any = any || s->errors[n].status == RV_OK;
        n++;
        s->end++;
    }
    memset(s->pictures + n * floats, 0, (batch - n) * floats * sizeof *s->pictures);
    rv_error error = {.status = RV_OK};
    if (any) {
        rv_error_save(&error, rv_features_run_pictures(s->features, s->batch, s->pictures));
    }
    for (size_t i = 0; i < n && error.status != RV_OK; i++) {
        s->errors[i] = s->errors[i].status == RV_OK ? error : s->errors[i];
    }
    return RV_OK;
}

/* Runs over the next files: an array, or pictures. */
static rv_status run_next(rv_feature_stream *s)
{
    s->begin = s->end;
    s->n_of_array = 0;
    return rv_features_is_array(s->files[s->begin]) ? run_array(s) : run_pictures(s);
}

rv_status rv_feature_stream_next(rv_feature_stream *stream, rv_feature_rows *out)
{
    rv_feature_stream *s = stream;
    *out = (rv_feature_rows){.file = s->at};
    if (s->at == s->n_files) {
        return RV_OK;
    }
    RV_TRY(rv_check_cancelled(s->events));
    if (s->at == s->end) {
        RV_TRY(run_next(s));
    }
    const size_t place = s->at - s->begin;
    out->first = place;
    out->n = s->n_of_array > 0 ? s->n_of_array : 1;
    s->at++;
    out->pause = s->at == s->end;
    const rv_error *error = &s->errors[place];
    return error->status == RV_OK ? RV_OK : rv_error_restore(error);
}

/* --- create ---------------------------------------------------------------------------------- */

/* As many pictures as are to share a run: all runs of about as many, so that few places stay empty. */
static int32_t choose_batch(size_t n_files, int wanted)
{
    const size_t most = wanted > 0 ? (size_t)wanted : USUAL_BATCH;
    const size_t runs = (n_files + most - 1) / most;
    return runs > 0 ? (int32_t)((n_files + runs - 1) / runs) : 1;
}

static bool has_pictures(const rv_feature_stream *s)
{
    bool any = false;
    for (size_t i = s->at; i < s->n_files && !any; i++) {
        any = !rv_features_is_array(s->files[i]);
    }
    return any;
}

/* The plan is made now, for as many pictures as the device has memory for. */
static rv_status prepare(rv_feature_stream *s)
{
    rv_status status = RV_OK;
    while (has_pictures(s)) {
        status = rv_features_prepare(s->features, s->batch);
        if (status != RV_ERR_DEVICE_MEMORY || s->batch == 1) {
            break;
        }
        s->batch = (s->batch + 1) / 2;
    }
    return status;
}

static rv_status create(rv_feature_stream *s, const rv_feature_stream_options *o)
{
    if (o->batch < 0 || o->batch > MAX_BATCH || o->first > s->n_files) {
        return o->first > s->n_files
                   ? rv_fail(RV_ERR_USAGE, "there is no file %zu among %zu", o->first, s->n_files)
                   : rv_fail(RV_ERR_USAGE, "batch is %d, must be from 1 to %d", o->batch,
                             MAX_BATCH);
    }
    s->at = s->begin = s->end = o->first;
    s->events = o->events;
    if (o->read != NULL) {
        s->read = *o->read;
    }
    s->batch = choose_batch(s->n_files, o->batch);
    RV_TRY(prepare(s));
    const size_t batch = (size_t)s->batch, floats = rv_features_picture_floats(s->features);
    s->slots = 2 * s->batch + 2;
    RV_TRY(rv_alloc(&s->pictures, batch * floats, sizeof *s->pictures, "pictures"));
    RV_TRY(rv_alloc(&s->errors, batch, sizeof *s->errors, "pictures"));
    RV_TRY(rv_alloc(&s->readings, (size_t)s->slots, sizeof *s->readings, "pictures"));
    const rv_ahead_options ahead = {.slots = s->slots,
                                    .threads = o->threads,
                                    .first = (int64_t)o->first,
                                    .end = (int64_t)s->n_files,
                                    .limit = MOST_WAITING,
                                    .make = read_file,
                                    .payload = s};
    return rv_ahead_create(&s->ahead, &ahead);
}

rv_status rv_feature_stream_create(rv_feature_stream **out, rv_features *features,
                                   const char *const *files, size_t n_files,
                                   const rv_feature_stream_options *options)
{
    static const rv_feature_stream_options usual = RV_FEATURE_STREAM_OPTIONS_INIT;
    rv_feature_stream *s;
    *out = NULL;
    RV_TRY(rv_alloc(&s, 1, sizeof *s, "files"));
    s->features = features;
    s->files = files;
    s->n_files = n_files;
    s->read = (rv_image_read_options)RV_IMAGE_READ_OPTIONS_INIT;
    const rv_status status = create(s, options != NULL ? options : &usual);
    if (status != RV_OK) {
        rv_feature_stream_destroy(s);
        return status;
    }
    *out = s;
    return RV_OK;
}

void rv_feature_stream_destroy(rv_feature_stream *stream)
{
    if (stream == NULL) {
        return;
    }
    rv_ahead_destroy(stream->ahead);
    for (int i = 0; stream->readings != NULL && i < stream->slots; i++) {
        rv_image_destroy(stream->readings[i].image);
        rv_text_release(&stream->readings[i].lines);
    }
    free(stream->readings);
    free(stream->pictures);
    free(stream->errors);
    free(stream);
}
