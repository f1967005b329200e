/* Measures how well a network does on labelled pictures. */
/* SPDX-License-Identifier: MIT */
#include <reverie/train.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "stages/tally.h"
#include "stages/training.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BATCH = 65536 };

struct rv_evaluation {
    rv_tally tally;
    char **classes;
    size_t unreadable;
};

/* One call of rv_evaluate(). */
typedef struct job {
    const rv_evaluate_options *options;
    const rv_model *model;
    rv_dataset *dataset;
    rv_loader *loader;
    rv_model_graph graph;
    rv_params *params;
    rv_runner runner;
} job;

/* Classes by the names that the model's data set gave them, where it knows one for each of its outputs. */
static rv_status open_dataset(job *j, const char *path, int32_t classes)
{
    const char **names = NULL;
    const bool named = rv_model_label_count(j->model) == classes;
    RV_TRY(rv_alloc(&names, (size_t)classes + 1, sizeof *names, "classes"));
    for (int32_t i = 0; named && i < classes; i++) {
        names[i] = rv_model_class(j->model, i);
    }
    const rv_dataset_options options = {.validation = j->options->validation,
                                        .seed = j->options->seed,
                                        .task = rv_model_task(j->model),
                                        .classes = names,
                                        .n_classes = named ? (size_t)classes : 0,
                                        .events = j->options->events};
    const rv_status status = rv_dataset_open(&j->dataset, path, &options);
    free(names);
    RV_TRY(status);
    const int n = rv_dataset_class_count(j->dataset);
    /* Targets stand in a row for each picture: there are as many as the network gives numbers. */
    const bool fits = options.task == RV_TASK_CLASSES ? n <= classes : n == classes;
    return fits ? RV_OK
                : rv_fail(RV_ERR_USAGE, "%s has %d %s, %s knows %d", path, n,
                          options.task == RV_TASK_CLASSES  ? "classes"
                          : options.task == RV_TASK_LABELS ? "labels"
                                                           : "quantities",
                          rv_model_name(j->model), (int)classes);
}

static rv_status open_loader(job *j)
{
    const bool held = rv_dataset_count(j->dataset, RV_SUBSET_VALIDATION) > 0;
    const rv_loader_options options = {.subset = held && !j->options->train ? RV_SUBSET_VALIDATION
                                                                            : RV_SUBSET_TRAIN,
                                       .batch = j->options->batch,
                                       .channels = rv_model_channels(j->model),
                                       .height = rv_model_height(j->model),
                                       .width = rv_model_width(j->model),
                                       .strict = j->options->strict,
                                       .events = j->options->events};
    return rv_loader_create(&j->loader, j->dataset, &options, 0);
}

static rv_status make_plan(job *j, rv_device *device, int32_t *classes, rv_value *logits)
{
    RV_TRY(rv_model_build(&j->graph, j->model, NULL, 0));
    rv_shape pictures = *rv_graph_shape(j->graph.graph, j->graph.picture);
    pictures.dim[0] = j->options->batch;
    RV_TRY(rv_graph_reshape(j->graph.graph, j->graph.picture, pictures));
    RV_TRY(rv_training_logits(logits, &j->graph, rv_model_task(j->model)));
    *classes = rv_graph_shape(j->graph.graph, *logits)->dim[1];
    RV_TRY(rv_params_create(&j->params, device, j->graph.graph, false));
    const rv_plan_options options = {.mode = RV_INFER, .outputs = logits, .n_outputs = 1};
    return rv_plan_create(&j->runner.plan, j->graph.graph, j->params, device, &options);
}

static rv_status name_classes(rv_evaluation *e, const job *j)
{
    RV_TRY(rv_alloc(&e->classes, (size_t)e->tally.scoring.n, sizeof *e->classes, "classes"));
    for (int i = 0; i < e->tally.scoring.n; i++) {
        const char *name = rv_model_label(j->model, i);
        if (name == NULL && i < rv_dataset_class_count(j->dataset)) {
            name = rv_dataset_class(j->dataset, i);
        }
        RV_TRY(rv_strdup(&e->classes[i], name != NULL ? name : ""));
    }
    return RV_OK;
}

static rv_status evaluate(rv_evaluation *e, job *j, rv_device *device, const char *path)
{
    int32_t classes;
    rv_value logits;
    if (j->options->batch < 1 || j->options->batch > MAX_BATCH) {
        return rv_fail(RV_ERR_USAGE, "batch is %d, must be from 1 to %d", j->options->batch,
                       MAX_BATCH);
    }
    RV_TRY(make_plan(j, device, &classes, &logits));
    RV_TRY(open_dataset(j, path, classes));
    RV_TRY(open_loader(j));
    rv_scoring scoring = {.task = rv_model_task(j->model), .n = classes};
    rv_model_scale(j->model, &scoring.mean, &scoring.deviation);
    RV_TRY(rv_tally_create(&e->tally, &scoring));
    RV_TRY(name_classes(e, j));
    RV_TRY(rv_alloc(&j->runner.host, (size_t)j->options->batch * (size_t)classes, sizeof(float),
                    "scores"));
    j->runner.device = device;
    j->runner.picture = rv_plan_tensor(j->runner.plan, j->graph.picture);
    j->runner.logits = rv_plan_tensor(j->runner.plan, logits);
    RV_TRY(rv_tally_run(&e->tally, &j->runner, j->loader, j->options->events));
    e->unreadable = rv_loader_unreadable(j->loader);
    return e->tally.count > 0
               ? RV_OK
               : rv_fail(RV_ERR_FORMAT, "%s: none of the pictures can be read", path);
}

rv_status rv_evaluate(rv_evaluation **out, rv_device *device, const rv_model *model,
                      const char *dataset, const rv_evaluate_options *options)
{
    const rv_evaluate_options defaults = RV_EVALUATE_OPTIONS_INIT;
    job j = {.options = options != NULL ? options : &defaults, .model = model};
    rv_evaluation *e;
    *out = NULL;
    RV_TRY(rv_alloc(&e, 1, sizeof *e, "evaluation"));
    const rv_status status = evaluate(e, &j, device, dataset);
    rv_loader_destroy(j.loader);
    rv_dataset_close(j.dataset);
    rv_plan_destroy(j.runner.plan);
    rv_params_destroy(j.params);
    rv_graph_destroy(j.graph.graph);
    free(j.runner.host);
    if (status != RV_OK) {
        rv_evaluation_destroy(e);
        return status;
    }
    *out = e;
    return RV_OK;
}

void rv_evaluation_destroy(rv_evaluation *e)
{
    if (e == NULL) {
        return;
    }
    for (int i = 0; e->classes != NULL && i < e->tally.scoring.n; i++) {
        free(e->classes[i]);
    }
    free(e->classes);
    rv_tally_release(&e->tally);
    free(e);
}

/* --- look ------------------------------------------------------------------------------------ */

size_t rv_evaluation_count(const rv_evaluation *e)
{
    return (size_t)e->tally.count;
}

size_t rv_evaluation_unreadable(const rv_evaluation *e)
{
    return e->unreadable;
}

double rv_evaluation_loss(const rv_evaluation *e)
{
    return e->tally.loss / (double)e->tally.count;
}

rv_task rv_evaluation_task(const rv_evaluation *e)
{
    return e->tally.scoring.task;
}

double rv_evaluation_top(const rv_evaluation *e, int k)
{
    return (double)rv_tally_top(&e->tally, k) / (double)e->tally.count;
}

double rv_evaluation_exact(const rv_evaluation *e)
{
    return rv_tally_accuracy(&e->tally);
}

int rv_evaluation_classes(const rv_evaluation *e)
{
    return e->tally.scoring.n;
}

const char *rv_evaluation_class(const rv_evaluation *e, int index)
{
    return e->classes[index];
}

uint64_t rv_evaluation_confusion(const rv_evaluation *e, int actual, int predicted)
{
    const rv_tally *t = &e->tally;
    return t->confusion != NULL
               ? t->confusion[(size_t)actual * (size_t)t->scoring.n + (size_t)predicted]
               : 0;
}

rv_class_score rv_evaluation_score(const rv_evaluation *e, int index)
{
    const rv_tally *t = &e->tally;
    rv_class_score score = {0};
    uint64_t taken = 0, right = rv_evaluation_confusion(e, index, index);
    for (int i = 0; i < t->scoring.n; i++) {
        score.count += rv_evaluation_confusion(e, index, i);
        taken += rv_evaluation_confusion(e, i, index);
    }
    if (t->scoring.task == RV_TASK_LABELS) {
        score.count = t->there[index];
        taken = t->said[index];
        right = t->right[index];
    }
    score.precision = taken > 0 ? (double)right / (double)taken : 0;
    score.recall = score.count > 0 ? (double)right / (double)score.count : 0;
    score.f1 =
        right > 0 ? 2 * score.precision * score.recall / (score.precision + score.recall) : 0;
    return score;
}

rv_value_score rv_evaluation_value(const rv_evaluation *e, int index)
{
    const rv_tally *t = &e->tally;
    const double n = (double)t->count;
    if (t->scoring.task != RV_TASK_VALUES) {
        return (rv_value_score){NAN, NAN, NAN};
    }
    const double spread = t->sum_square[index] - t->sum[index] * t->sum[index] / n;
    return (rv_value_score){.rmse = sqrt(t->square[index] / n),
                            .mae = t->absolute[index] / n,
                            .r2 = spread > 0 ? 1 - t->square[index] / spread : NAN};
}

/* A name as a field: quoted, and quotes in it doubled. */
static void write_name(FILE *stream, const char *name)
{
    fputc('"', stream);
    for (; *name != '\0'; name++) {
        fputc(*name, stream);
        if (*name == '"') {
            fputc('"', stream);
        }
    }
    fputc('"', stream);
}

rv_status rv_evaluation_write_confusion(const rv_evaluation *e, const char *path, bool overwrite)
{
    rv_output *output;
    if (rv_evaluation_task(e) != RV_TASK_CLASSES) {
        return rv_fail(RV_ERR_USAGE, "a confusion matrix is of a network for classes");
    }
    RV_TRY(rv_output_open(&output, path, overwrite));
    FILE *stream = rv_output_stream(output);
    fputs("actual\\predicted", stream);
    for (int i = 0; i < e->tally.scoring.n; i++) {
        fputc(',', stream);
        write_name(stream, e->classes[i]);
    }
    fputc('\n', stream);
    for (int i = 0; i < e->tally.scoring.n; i++) {
        write_name(stream, e->classes[i]);
        for (int k = 0; k < e->tally.scoring.n; k++) {
            fprintf(stream, ",%ju", (uintmax_t)rv_evaluation_confusion(e, i, k));
        }
        fputc('\n', stream);
    }
    return rv_output_commit(output);
}
