/* Checkpoints: weights, moments and position of a training, to a file and back. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/system.h"
#include "model/own.h"
#include "stages/train_run.h"

#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ARRAYS = 4, MAX_PREFIX = 40 };

rv_status rv_train_path(char **out, const rv_train_run *run, const char *name)
{
    return rv_path_join(out, run->folder, name);
}

/* --- arrays ---------------------------------------------------------------------------------- */

/* The weights and what the optimiser keeps, with what stands before the names of their tensors. */
typedef struct arrays {
    rv_buffer *buffer[MAX_ARRAYS];
    char prefix[MAX_ARRAYS][MAX_PREFIX];
    float *host[MAX_ARRAYS];
    int n;
    rv_stored_tensor *tensors;
    char **names;
    size_t n_tensors;
} arrays;

static rv_status list_arrays(arrays *a, rv_train_run *run, bool weights_only)
{
    const rv_update_state state = rv_update_get_state(run->update);
    const size_t n = rv_params_floats(run->params);
    a->buffer[a->n++] = rv_params_values(run->params);
    for (int i = 0; i < state.n && !weights_only; i++) {
        snprintf(a->prefix[a->n], MAX_PREFIX, "optimizer.%s/", state.name[i]);
        a->buffer[a->n++] = state.array[i];
    }
    for (int i = 0; i < a->n; i++) {
        RV_TRY(rv_alloc(&a->host[i], n, sizeof(float), "a checkpoint"));
    }
    return RV_OK;
}

static void release_arrays(arrays *a)
{
    for (int i = 0; i < a->n; i++) {
        free(a->host[i]);
    }
    for (size_t i = 0; i < a->n_tensors; i++) {
        free(a->names[i]);
    }
    free(a->names);
    free(a->tensors);
}

/* A tensor for each segment of each array; a moment has none for running statistics. */
static rv_status name_tensors(arrays *a, const rv_train_run *run)
{
    size_t n;
    const rv_segment *segments = rv_params_segments(run->params, &n);
    RV_TRY(rv_alloc(&a->tensors, n * (size_t)a->n, sizeof *a->tensors, "a checkpoint"));
    RV_TRY(rv_alloc(&a->names, n * (size_t)a->n, sizeof *a->names, "a checkpoint"));
    for (int i = 0; i < a->n; i++) {
        for (size_t k = 0; k < n; k++) {
            const rv_param *p = rv_segment_param(run->graph.graph, &segments[k]);
            char **name = &a->names[a->n_tensors];
            RV_TRY(rv_own_tensor_name(name, a->prefix[i], p));
            a->tensors[a->n_tensors++] =
                (rv_stored_tensor){*name, p->shape, a->host[i] + segments[k].offset};
        }
    }
    return RV_OK;
}

/* --- what it was trained on ------------------------------------------------------------------ */

enum { HASH_TEXT = 17 };

static const char *hash_text(char text[HASH_TEXT], uint64_t hash)
{
    snprintf(text, HASH_TEXT, "%016jx", (uintmax_t)hash);
    return text;
}

/* Files may have changed under names that are the same. */
static json_t *contents_json(const rv_train_run *run)
{
    char pictures[HASH_TEXT], recipe[HASH_TEXT];
    uint64_t hash = rv_dataset_fingerprint(run->dataset);
    for (int s = 0; s < RV_SUBSETS && run->rows != NULL; s++) {
        const size_t n = rv_dataset_count(run->dataset, (rv_subset)s);
        hash = rv_hash(hash, run->table[s], n * run->n_row_values * sizeof(float));
    }
    return json_pack("{s:s, s:s}", "pictures", hash_text(pictures, hash), "recipe",
                     hash_text(recipe, run->recipe.hash));
}

static rv_status check_contents(const rv_train_run *run, const json_t *notes, const char *path)
{
    const json_t *then = json_object_get(notes, "contents");
    json_t *now = contents_json(run);
    const char *changed = NULL;
    if (then != NULL &&
        !json_equal(json_object_get(then, "recipe"), json_object_get(now, "recipe"))) {
        changed = run->options.recipe;
    } else if (then != NULL && !json_equal(then, now)) {
        changed = run->dataset_path;
    }
    json_decref(now);
    return changed == NULL ? RV_OK
                           : rv_fail(RV_ERR_USAGE,
                                     "%s was trained on other contents of %s; put them back, or "
                                     "train in a new folder",
                                     path, changed);
}

/* --- position -------------------------------------------------------------------------------- */

static json_t *real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static double number(const json_t *object, const char *key, double otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : otherwise;
}

static int64_t whole(const json_t *object, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(object, key));
}

static rv_status position_text(char **out, const rv_train_run *run)
{
    const rv_train_position *p = &run->at;
    json_t *best = json_pack("{s:i, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "epoch", p->best.epoch,
                             "steps", (json_int_t)p->best.steps, "loss", real(p->best.loss),
                             "accuracy", real(p->best.accuracy), "val_loss", real(p->best.val_loss),
                             "val_accuracy", real(p->best.val_accuracy), "val_error",
                             real(p->best.val_error), "learning_rate", real(p->best.learning_rate));
    json_t *rate = json_pack("{s:o, s:I, s:I}", "best", real(p->rate.best), "waited",
                             (json_int_t)p->rate.waited, "falls", (json_int_t)p->rate.falls);
    json_t *json =
        json_pack("{s:s, s:o, s:I, s:I, s:f, s:I, s:I, s:o, s:o, s:I, s:b}", "config", run->config,
                  "contents", contents_json(run), "batches", (json_int_t)p->batches, "steps",
                  (json_int_t)p->steps, "epoch_loss", p->loss, "epoch_correct",
                  (json_int_t)p->correct, "epoch_seen", (json_int_t)p->seen, "rate", rate, "best",
                  best, "waited", (json_int_t)p->waited, "finished", rv_train_is_over(run));
    *out = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return *out != NULL ? RV_OK : rv_fail(RV_ERR_MEMORY, "no memory for a checkpoint");
}

static void read_position(rv_train_run *run, const json_t *json)
{
    rv_train_position *p = &run->at;
    const json_t *best = json_object_get(json, "best"), *rate = json_object_get(json, "rate");
    *p = (rv_train_position){.batches = whole(json, "batches"),
                             .steps = whole(json, "steps"),
                             .loss = number(json, "epoch_loss", 0),
                             .correct = whole(json, "epoch_correct"),
                             .seen = whole(json, "epoch_seen"),
                             .waited = whole(json, "waited")};
    p->rate = (rv_rate_state){number(rate, "best", INFINITY), whole(rate, "waited"),
                              whole(rate, "falls")};
    p->best = (rv_train_epoch){.phase = run->phase,
                               .epoch = (int)whole(best, "epoch"),
                               .steps = whole(best, "steps"),
                               .loss = number(best, "loss", NAN),
                               .accuracy = number(best, "accuracy", NAN),
                               .val_loss = number(best, "val_loss", NAN),
                               .val_accuracy = number(best, "val_accuracy", NAN),
                               .val_error = number(best, "val_error", NAN),
                               .learning_rate = number(best, "learning_rate", NAN),
                               .best = true};
}

/* --- save ------------------------------------------------------------------------------------ */

static rv_status write_model(rv_train_run *run, const char *name, bool weights_only,
                             const char *training)
{
    arrays a = {0};
    char *path = NULL;
    const char **classes = NULL;
    const int n_classes = rv_dataset_class_count(run->dataset);
    rv_status status = list_arrays(&a, run, weights_only);
    for (int i = 0; i < a.n && status == RV_OK; i++) {
        status = rv_buffer_read(run->device, a.buffer[i], 0, a.host[i],
                                rv_params_floats(run->params) * sizeof(float));
    }
    if (status == RV_OK) {
        status = name_tensors(&a, run);
    }
    if (status == RV_OK) {
        status = rv_alloc(&classes, (size_t)n_classes, sizeof *classes, "classes");
    }
    for (int i = 0; i < n_classes && status == RV_OK; i++) {
        classes[i] = rv_dataset_class(run->dataset, i);
    }
    if (status == RV_OK) {
        status = rv_train_path(&path, run, name);
    }
    if (status == RV_OK) {
        status = rv_own_write(path, run->model, classes, (size_t)n_classes, a.tensors, a.n_tensors,
                              run->rows == NULL, training);
    }
    free(path);
    free(classes);
    release_arrays(&a);
    return status;
}

rv_status rv_train_write_lines(const rv_text *lines, const rv_train_run *run, const char *name)
{
    char *path;
    rv_output *output;
    RV_TRY(rv_train_path(&path, run, name));
    rv_status status = rv_output_open(&output, path, true);
    free(path);
    RV_TRY(status);
    fwrite(lines->data, 1, lines->length, rv_output_stream(output));
    return rv_output_commit(output);
}

rv_status rv_train_save(rv_train_run *run)
{
    char *training;
    RV_TRY(rv_train_write_lines(&run->metrics, run, "metrics.csv"));
    if (run->diagnosis != NULL) {
        RV_TRY(rv_train_write_lines(rv_diagnosis_lines(run->diagnosis), run, "layers.csv"));
    }
    RV_TRY(position_text(&training, run));
    const rv_status status = write_model(run, "last.safetensors", false, training);
    free(training);
    return status;
}

rv_status rv_train_save_best(rv_train_run *run)
{
    return write_model(run, "best.safetensors", true, NULL);
}

/* --- load ------------------------------------------------------------------------------------ */

static rv_status read_arrays(rv_train_run *run, const rv_safetensors *file)
{
    arrays a = {0};
    rv_status status = list_arrays(&a, run, false);
    if (status == RV_OK) {
        status = name_tensors(&a, run);
    }
    for (size_t i = 0; i < a.n_tensors && status == RV_OK; i++) {
        /* The tensors point into arrays that are ours to fill. */
        status = rv_safetensors_read(file, (float *)a.tensors[i].data, a.tensors[i].name,
                                     &a.tensors[i].shape);
    }
    for (int i = 0; i < a.n && status == RV_OK; i++) {
        status = rv_buffer_write(run->device, a.buffer[i], 0, a.host[i],
                                 rv_params_floats(run->params) * sizeof(float));
    }
    release_arrays(&a);
    return status;
}

/* Bytes of a table up to the last line whose first cell is an epoch that was done. */
static size_t length_done(const rv_bytes *bytes, int64_t epochs)
{
    size_t end = 0;
    for (size_t at = 0; at < bytes->size; at++) {
        if (bytes->data[at] == '\n') {
            end = at + 1;
            int64_t epoch = 0;
            for (size_t i = end; i < bytes->size && isdigit(bytes->data[i]) && epoch <= epochs;
                 i++) {
                epoch = 10 * epoch + (bytes->data[i] - '0');
            }
            if (epoch > epochs) {
                break;
            }
        }
    }
    return end;
}

rv_status rv_train_read_lines(rv_text *lines, const rv_train_run *run, const char *name)
{
    char *path;
    rv_bytes bytes;
    RV_TRY(rv_train_path(&path, run, name));
    const bool there = rv_path_exists(path);
    const rv_status status = there ? rv_bytes_open(&bytes, path, 0) : RV_OK;
    free(path);
    if (!there || status != RV_OK) {
        return status;
    }
    const size_t n = length_done(&bytes, run->at.batches / run->batches_per_epoch);
    rv_text_release(lines);
    rv_text_append_bytes(lines, bytes.data, n);
    rv_bytes_close(&bytes);
    return rv_text_status(lines);
}

/* What a checkpoint notes, of a training with the same options; freed with json_decref(). */
static rv_status read_notes(json_t **out, const rv_train_run *run, const rv_safetensors *file,
                            const char *path)
{
    const char *text = rv_safetensors_metadata(file, RV_OWN_TRAINING);
    json_t *json = text != NULL ? json_loads(text, 0, NULL) : NULL;
    const char *config = json_string_value(json_object_get(json, "config"));
    const rv_status status = config == NULL
                                 ? rv_fail(RV_ERR_FORMAT, "%s is no checkpoint of a training", path)
                                 : rv_train_same_config(run->config, config, path);
    *out = json;
    if (status != RV_OK) {
        json_decref(json);
        *out = NULL;
    }
    return status;
}

static rv_status load(rv_train_run *run, const rv_safetensors *file, const char *path)
{
    json_t *json;
    RV_TRY(read_notes(&json, run, file, path));
    rv_status status = check_contents(run, json, path);
    if (status == RV_OK) {
        status = rv_own_check_layers(file, run->model, path); /* a YAML may have changed */
    }
    if (status == RV_OK) {
        status = read_arrays(run, file);
    }
    if (status == RV_OK) {
        read_position(run, json);
        rv_update_set_steps(run->update, run->at.steps);
        rv_plan_set_run(run->plan, (uint32_t)run->at.batches);
        rv_params_changed(run->params);
        status = rv_train_read_lines(&run->metrics, run, "metrics.csv");
    }
    if (status == RV_OK && run->diagnosis != NULL) {
        status = rv_train_read_lines(rv_diagnosis_lines(run->diagnosis), run, "layers.csv");
    }
    json_decref(json);
    return status;
}

rv_status rv_train_load(rv_train_run *run)
{
    char *path;
    rv_safetensors *file = NULL;
    RV_TRY(rv_train_path(&path, run, "last.safetensors"));
    rv_status status = rv_safetensors_open(&file, path);
    if (status == RV_OK) {
        status = load(run, file, path);
    }
    rv_safetensors_close(file);
    free(path);
    return status;
}

rv_status rv_train_was_finished(bool *out, rv_train_run *run)
{
    const rv_train_options *o = &run->options;
    char *path;
    rv_safetensors *file = NULL;
    json_t *json = NULL;
    *out = false;
    if (run->folder == NULL || (!o->resume && !o->resume_if_there)) {
        return RV_OK;
    }
    RV_TRY(rv_train_path(&path, run, "last.safetensors"));
    rv_status status = rv_path_exists(path) ? rv_safetensors_open(&file, path) : RV_OK;
    if (status == RV_OK && file != NULL) {
        status = read_notes(&json, run, file, path);
    }
    if (status == RV_OK && json_is_true(json_object_get(json, "finished"))) {
        read_position(run, json);
        *out = true;
    }
    json_decref(json);
    rv_safetensors_close(file);
    free(path);
    return status;
}
