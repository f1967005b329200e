/* Trains a network: batches, steps, validation, checkpoints. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/system.h"
#include "stages/train_run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- prepare --------------------------------------------------------------------------------- */

static rv_status open_model(rv_train_run *run)
{
    const rv_train_options *o = &run->options;
    rv_model_options options = RV_MODEL_OPTIONS_INIT;
    options.seed = o->seed;
    options.pooling = o->pooling;
    options.task = &run->task;
    if (o->architecture != NULL) {
        options.untrained = true;
        rv_dataset_size(run->dataset, &options.width, &options.height);
        options.width = o->size > 0 ? o->size : options.width;
        options.height = o->size > 0 ? o->size : options.height;
        options.channels = rv_dataset_channels(run->dataset);
        options.classes = rv_dataset_class_count(run->dataset);
        return rv_model_open(&run->model, o->architecture, &options);
    }
    if (o->head != NULL) {
        options.head = o->head;
        options.classes = rv_dataset_class_count(run->dataset);
    }
    options.width = options.height = o->size;
    options.events = o->events;
    return rv_model_open(&run->model, o->model, &options);
}

static rv_status open_dataset(rv_train_run *run)
{
    const rv_train_options *o = &run->options;
    const rv_dataset_options options = {
        .validation = o->validation, .seed = o->seed, .task = run->task, .events = o->events};
    RV_TRY(o->features ? rv_train_open_features(run, &options)
                       : rv_dataset_open(&run->dataset, run->dataset_path, &options));
    return rv_dataset_count(run->dataset, RV_SUBSET_TRAIN) > 0
               ? RV_OK
               : rv_fail(RV_ERR_USAGE, "%s: no pictures are left for training", run->dataset_path);
}

static rv_status build_graph(rv_train_run *run)
{
    const rv_train_options *o = &run->options;
    rv_initializer init;
    RV_TRY(rv_initializer_find(&init, o->init));
    RV_TRY(rv_model_build_by(&run->graph, run->model, &init));
    RV_TRY(rv_training_graph_add(&run->training, &run->graph, run->task, o->batch,
                                 (float)o->smoothing));
    const int32_t outputs = rv_graph_shape(run->graph.graph, run->training.logits)->dim[1];
    if (outputs != rv_dataset_class_count(run->dataset)) {
        static const char *const names[RV_TASKS] = {"classes", "labels",
                                                    "numbers for each picture"};
        return rv_fail(RV_ERR_USAGE,
                       "%s has %d %s, but the network ends in %d: give it a new head (--head "
                       "linear)",
                       run->dataset_path, rv_dataset_class_count(run->dataset), names[run->task],
                       (int)outputs);
    }
    RV_TRY(rv_train_find_scale(run));
    RV_TRY(rv_alloc(&run->host, (size_t)o->batch * (size_t)outputs, sizeof *run->host, "scores"));
    return rv_params_create(&run->params, run->device, run->graph.graph, true);
}

static rv_status make_plans(rv_train_run *run)
{
    const rv_value outputs[2] = {run->training.loss, run->training.logits};
    const rv_plan_options train = {.mode = RV_TRAIN,
                                   .outputs = outputs,
                                   .n_outputs = 2,
                                   .param_gradients = true,
                                   .feeds = &run->input,
                                   .n_feeds = run->input != run->graph.picture,
                                   .frozen = run->frozen,
                                   .seed = run->options.seed};
    RV_TRY(rv_plan_create(&run->plan, run->graph.graph, run->params, run->device, &train));
    if (rv_dataset_count(run->dataset, RV_SUBSET_VALIDATION) == 0) {
        return RV_OK;
    }
    const rv_plan_options infer = {.mode = RV_INFER,
                                   .outputs = &run->training.logits,
                                   .n_outputs = 1,
                                   .feeds = &run->input,
                                   .n_feeds = run->input != run->graph.picture};
    rv_runner *r = &run->validation;
    RV_TRY(rv_plan_create(&r->plan, run->graph.graph, run->params, run->device, &infer));
    r->device = run->device;
    r->picture = rv_plan_tensor(r->plan, run->input);
    r->logits = rv_plan_tensor(r->plan, run->training.logits);
    r->host = run->host;
    return RV_OK;
}

rv_loader_options rv_train_loader_options(const rv_train_run *run, rv_subset subset,
                                          bool from_table)
{
    const rv_train_options *o = &run->options;
    const rv_shape *in = rv_graph_shape(run->graph.graph, run->graph.picture);
    const float *table = from_table ? run->table[subset] : NULL;
    const bool learns = subset == RV_SUBSET_TRAIN && (from_table || run->table[subset] == NULL);
    return (rv_loader_options){.subset = subset,
                               .batch = o->batch,
                               .multiple = o->accumulate,
                               .channels = in->dim[1],
                               .height = in->dim[2],
                               .width = in->dim[3],
                               .shuffle = learns,
                               .table = table,
                               .table_floats = rv_train_row_floats(run),
                               .recipe = learns && run->augmenter != NULL ? &run->recipe : NULL,
                               .seed = o->seed,
                               .threads = o->threads,
                               .strict = o->strict,
                               .events = table == NULL ? o->events : NULL};
}

size_t rv_train_unreadable(const rv_loader *loader, const rv_loader_options *options)
{
    return options->table == NULL ? rv_loader_unreadable(loader) : 0;
}

/* What opening the loader would refuse, before what takes long: filling its tables. */
static rv_status check_loader(const rv_train_run *run)
{
    const rv_loader_options options = rv_train_loader_options(run, RV_SUBSET_TRAIN, true);
    rv_rate rate;
    RV_TRY(rv_loader_check(run->dataset, &options));
    return rv_train_rate(&rate, &run->options, run->options.epochs, 1); /* of one step each */
}

/* The loader that goes on where the training is. */
static rv_status open_loader(rv_train_run *run)
{
    const rv_loader_options options = rv_train_loader_options(run, RV_SUBSET_TRAIN, true);
    rv_loader_destroy(run->loader);
    run->loader = NULL;
    RV_TRY(rv_loader_create(&run->loader, run->dataset, &options, run->at.batches));
    run->batches_per_epoch = rv_loader_batches(run->loader);
    const int64_t per_epoch = run->batches_per_epoch / run->options.accumulate;
    run->total_steps = per_epoch * run->options.epochs;
    return rv_train_rate(&run->rate, &run->options, run->total_steps, per_epoch);
}

static rv_status open_recipe(rv_train_run *run)
{
    const size_t batch = (size_t)run->options.batch;
    if (run->options.recipe == NULL) {
        return RV_OK;
    }
    RV_TRY(rv_recipe_load(&run->recipe, run->options.recipe));
    RV_TRY(rv_alloc(&run->jobs, batch, sizeof *run->jobs, "a batch"));
    RV_TRY(rv_alloc(&run->sources, batch, sizeof *run->sources, "a batch"));
    return rv_augmenter_create(&run->augmenter, run->device,
                               rv_model_channels(run->model) == 1 ? RV_AUGMENT_GREY
                                                                  : RV_AUGMENT_COLOUR);
}

rv_status rv_train_check_folder(bool *there, const char *folder, const rv_train_options *o)
{
    static const char *const written[] = {"last.safetensors", "best.safetensors"};
    *there = false;
    for (int i = 0; i < 2; i++) {
        char *path;
        RV_TRY(rv_path_join(&path, folder, written[i]));
        *there = *there || (i == 0 && rv_path_exists(path));
        const bool is_read = o->model != NULL && rv_path_same_file(path, o->model);
        free(path);
        if (is_read) {
            return rv_fail(RV_ERR_USAGE,
                           "'%s' would be replaced by what is trained from it; name another folder "
                           "than %s",
                           o->model, folder);
        }
    }
    return *there && !o->resume && !o->resume_if_there && !o->overwrite
               ? rv_fail(RV_ERR_USAGE,
                         "%s holds a run already: go on with it (--resume auto), or replace it "
                         "(--overwrite)",
                         folder)
               : RV_OK;
}

static rv_status open_folder(rv_train_run *run, bool *resume)
{
    const rv_train_options *o = &run->options;
    bool there;
    RV_TRY(rv_train_check_folder(&there, run->folder, o));
    if (o->resume && !there) {
        return rv_fail(RV_ERR_NOT_FOUND, "there is no checkpoint %s/last.safetensors to go on from",
                       run->folder);
    }
    *resume = there && (o->resume || o->resume_if_there);
    return rv_folder_make(run->folder, 0777);
}

static rv_status write_config(const rv_train_run *run)
{
    char *path;
    rv_output *output;
    RV_TRY(rv_train_path(&path, run, "config.json"));
    const rv_status status = rv_output_open(&output, path, true);
    free(path);
    RV_TRY(status);
    fprintf(rv_output_stream(output), "%s\n", run->config);
    return rv_output_commit(output);
}

static bool is_of_a_run(const char *name)
{
    static const char *const names[] = {"last.safetensors", "best.safetensors", "metrics.csv",
                                        "layers.csv",       "config.json",      "confusion.csv",
                                        "confusion.png"};
    bool found = strncmp(name, RV_EVENT_LOG_PREFIX, strlen(RV_EVENT_LOG_PREFIX)) == 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !found; i++) {
        found = strcmp(name, names[i]) == 0;
    }
    return found;
}

/* @param model  what is read stays; NULL: nothing is */
static rv_status forget_folder(const char *folder, const char *model)
{
    char **names;
    size_t n;
    RV_TRY(rv_folder_list(&names, &n, folder));
    rv_status status = RV_OK;
    for (size_t i = 0; i < n && status == RV_OK; i++) {
        char *path = NULL;
        if (is_of_a_run(names[i])) {
            status = rv_path_join(&path, folder, names[i]);
        }
        if (path != NULL && (model == NULL || !rv_path_same_file(path, model))) {
            unlink(path);
        }
        free(path);
    }
    free(names);
    return status;
}

/* Removes what a run that was in the folder before had found out: this one may never write it, and when it is gone on
 * with would take it for its own. Of two phases, either may have been of that run. */
static rv_status forget_run(const rv_train_run *run)
{
    const char *model = run->options.model;
    char *other = NULL;
    RV_TRY(forget_folder(run->folder, model));
    if (!run->options.overwrite || run->phase == 2) {
        return RV_OK;
    }
    RV_TRY(run->phase == 1 ? rv_path_folder(&other, run->folder)
                           : rv_train_path(&other, run, RV_TRAIN_HEAD));
    const rv_status status = rv_path_is_folder(other) ? forget_folder(other, model) : RV_OK;
    if (run->phase == 0) {
        rmdir(other); /* where nothing else is in it */
    }
    free(other);
    return status;
}

rv_status rv_train_prepare(rv_train_run *run)
{
    rv_update_options update;
    bool resume = false;
    RV_TRY(rv_train_config(&run->config, &run->options, run->dataset_path));
    RV_TRY(rv_train_was_finished(&run->finished_before, run));
    if (run->finished_before) {
        return RV_OK;
    }
    RV_TRY(open_dataset(run));
    RV_TRY(open_model(run));
    RV_TRY(open_recipe(run));
    if (run->folder != NULL) {
        RV_TRY(open_folder(run, &resume));
    }
    RV_TRY(rv_check_cancelled(run->options.events));
    RV_TRY(build_graph(run));
    RV_TRY(rv_train_freeze(run));
    RV_TRY(rv_train_update_options(&update, &run->options));
    RV_TRY(rv_update_create(&run->update, run->device, run->params, &update));
    RV_TRY(rv_train_set_rates(run));
    RV_TRY(rv_train_find_input(run));
    RV_TRY(check_loader(run));
    if (run->folder != NULL && !resume) {
        RV_TRY(forget_run(run));
    }
    RV_TRY(rv_train_fill_tables(run));
    RV_TRY(make_plans(run));
    rv_text_append(&run->metrics, "epoch,steps,loss,accuracy,val_loss,val_accuracy,learning_rate,"
                                  "images_per_second,val_error\n");
    run->at.rate = (rv_rate_state)RV_RATE_STATE_INIT;
    RV_TRY(open_loader(run));
    if (run->options.diagnose && run->folder != NULL) {
        RV_TRY(rv_diagnosis_create(&run->diagnosis, run));
    }
    if (resume) {
        RV_TRY(rv_train_load(run));
        RV_TRY(open_loader(run));
    }
    run->steps_before = run->at.steps;
    if (run->folder == NULL) {
        return RV_OK;
    }
    RV_TRY(rv_event_log_open(&run->events, run->folder));
    return write_config(run);
}

void rv_train_release(rv_train_run *run)
{
    rv_event_log_close(run->events);
    rv_diagnosis_destroy(run->diagnosis);
    rv_loader_destroy(run->loader);
    rv_augmenter_destroy(run->augmenter);
    free(run->jobs);
    free(run->sources);
    rv_plan_destroy(run->validation.plan);
    rv_plan_destroy(run->plan);
    rv_update_destroy(run->update);
    rv_params_destroy(run->params);
    rv_graph_destroy(run->graph.graph);
    rv_model_close(run->model);
    rv_dataset_close(run->dataset);
    rv_feature_rows_close(run->rows);
    free(run->row_values);
    rv_text_release(&run->metrics);
    free(run->frozen);
    free(run->fixed);
    free(run->table[0]);
    free(run->table[1]);
    free(run->config);
    free(run->targets);
    free(run->host);
}

/* --- a step ---------------------------------------------------------------------------------- */

static rv_status count_batch(rv_train_run *run, const rv_batch *batch, double loss)
{
    run->at.loss += loss;
    run->first_loss = run->first_loss > 0 ? run->first_loss : loss;
    run->at.seen += run->options.batch;
    run->epoch_images += run->options.batch;
    if (run->task == RV_TASK_VALUES) {
        return RV_OK; /* there is no right and wrong */
    }
    RV_TRY(rv_tensor_read(run->device, rv_plan_tensor(run->plan, run->training.logits), run->host));
    run->at.correct += rv_train_count_right(run, batch);
    return RV_OK;
}

/* Pictures of a batch to the plan: as they are, or augmented there. */
static rv_status upload(rv_train_run *run, const rv_batch *batch)
{
    rv_tensor *pictures = rv_plan_tensor(run->plan, run->input);
    if (batch->augmented == NULL) {
        return rv_tensor_write(run->device, pictures, batch->pictures);
    }
    for (size_t i = 0; i < batch->n; i++) {
        run->jobs[i] = batch->augmented[i].job;
        run->sources[i] = &batch->augmented[i].source;
    }
    return rv_augmenter_run(run->augmenter, run->sources, run->jobs, batch->n, pictures->buffer);
}

/* Forward and backward of one batch; gradients are added to those of the `part` before it. */
static rv_status run_batch(rv_train_run *run, int part)
{
    rv_batch batch;
    double loss;
    RV_TRY(rv_loader_next(run->loader, &batch));
    RV_TRY(upload(run, &batch));
    RV_TRY(rv_train_upload_labels(run, run->plan, &batch));
    RV_TRY(rv_plan_forward(run->plan));
    RV_TRY(rv_plan_backward(run->plan, part > 0));
    RV_TRY(rv_plan_losses(run->plan, NULL, &loss));
    if (!isfinite(loss)) {
        run->diverged = true;
        return rv_train_fail_not_finite(run, &batch, loss);
    }
    RV_TRY(count_batch(run, &batch, loss));
    run->at.batches++;
    return RV_OK;
}

rv_status rv_train_step(rv_train_run *run, double rate)
{
    const double start = rv_clock();
    const double momentum = rv_rate_momentum_at(&run->rate, run->at.steps);
    for (int i = 0; i < run->options.accumulate; i++) {
        RV_TRY(run_batch(run, i));
    }
    if (!isnan(momentum)) {
        rv_update_set_momentum(run->update, (float)momentum);
    }
    RV_TRY(rv_update_step(run->update, (float)rate, 1.0f / (float)run->options.accumulate));
    run->at.steps++;
    run->train_seconds += rv_clock() - start;
    return RV_OK;
}

/* --- the whole ------------------------------------------------------------------------------- */

static void report(const rv_train_run *run)
{
    char task[64];
    const int64_t per_epoch = run->batches_per_epoch / run->options.accumulate;
    const int64_t in_epoch = (run->at.steps - 1) % per_epoch + 1;
    snprintf(task, sizeof task, "epoch %d of %d",
             (int)((run->at.batches - 1) / run->batches_per_epoch) + 1, run->options.epochs);
    const rv_progress progress = {.task = task,
                                  .done = in_epoch,
                                  .total = per_epoch,
                                  .fraction = (double)run->at.steps / (double)run->total_steps,
                                  .loss =
                                      run->at.loss / (double)(in_epoch * run->options.accumulate),
                                  .seconds_left = rv_train_seconds_left(run)};
    rv_report(run->options.events, &progress);
}

static bool stopped_early(const rv_train_run *run)
{
    return run->options.patience > 0 && run->at.waited >= run->options.patience;
}

bool rv_train_is_over(const rv_train_run *run)
{
    return stopped_early(run) || run->at.steps >= run->total_steps;
}

static bool reaches_limit(const rv_train_run *run)
{
    const rv_train_options *o = &run->options;
    return (o->max_steps > 0 && run->at.steps >= o->max_steps) ||
           (o->time_limit > 0 && rv_clock() - run->started >= o->time_limit);
}

static bool wants_checkpoint(const rv_train_run *run)
{
    const rv_train_options *o = &run->options;
    return (o->checkpoint_steps > 0 && run->at.steps % o->checkpoint_steps == 0) ||
           (o->checkpoint_minutes > 0 &&
            rv_clock() - run->last_checkpoint >= 60 * o->checkpoint_minutes);
}

/* A step, and what it does to each layer where that is watched. */
static rv_status step(rv_train_run *run)
{
    const double rate = rv_rate_at(&run->rate, &run->at.rate, run->at.steps);
    rv_diagnosis *diagnosis = rv_diagnosis_watches(run) ? run->diagnosis : NULL;
    if (diagnosis != NULL) {
        RV_TRY(rv_diagnosis_before_step(diagnosis, run));
    }
    RV_TRY(rv_train_step(run, rate));
    return diagnosis != NULL ? rv_diagnosis_after_step(diagnosis, run) : RV_OK;
}

static rv_status train(rv_train_run *run)
{
    run->started = run->last_checkpoint = rv_clock();
    while (!rv_train_is_over(run)) {
        const bool cancelled = rv_cancelled(run->options.events);
        if (cancelled || reaches_limit(run)) {
            RV_TRY(rv_train_save(run));
            return cancelled ? rv_fail(RV_ERR_CANCELLED, "cancelled") : RV_OK;
        }
        RV_TRY(step(run));
        report(run);
        if (run->at.batches % run->batches_per_epoch == 0) {
            RV_TRY(rv_train_end_epoch(run));
            run->last_checkpoint = rv_clock();
        } else if (wants_checkpoint(run)) {
            RV_TRY(rv_train_save(run));
            run->last_checkpoint = rv_clock();
        }
    }
    return RV_OK;
}

rv_status rv_train_once(rv_train_result *result, rv_device *device, const char *dataset,
                        const char *folder, const rv_train_options *options, int phase)
{
    rv_train_run run = {.device = device,
                        .dataset_path = dataset,
                        .folder = folder,
                        .options = *options,
                        .phase = phase};
    *result = (rv_train_result){0};
    RV_TRY(rv_train_find_task(&run.task, run.options.loss));
    rv_status status = rv_train_prepare(&run);
    if (status == RV_OK && !run.finished_before) {
        status = train(&run);
        const rv_loader_options learned = rv_train_loader_options(&run, RV_SUBSET_TRAIN, true);
        result->unreadable = run.unreadable + rv_train_unreadable(run.loader, &learned);
    }
    result->last = run.last;
    result->best = run.at.best;
    result->finished = status == RV_OK && (run.finished_before || rv_train_is_over(&run));
    result->stopped_early = stopped_early(&run);
    result->diverged = run.diverged;
    result->steps = run.at.steps;
    rv_train_release(&run);
    return status;
}

rv_status rv_train(rv_train_result *result, rv_device *device, const char *dataset,
                   const char *folder, const rv_train_options *options)
{
    rv_train_options resolved;
    *result = (rv_train_result){0};
    RV_TRY(rv_train_resolve(&resolved, options));
    return resolved.unfreeze_from != NULL
               ? rv_train_phases(result, device, dataset, folder, &resolved)
               : rv_train_once(result, device, dataset, folder, &resolved, 0);
}
