/* Options of a training: defaults, checks, methods by name, and the configuration that a run keeps. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "stages/train_run.h"

#include <reverie/names.h>

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BATCH = 65536, MAX_EPOCHS = 1000000 };

rv_train_options rv_train_defaults(void)
{
    return (rv_train_options){.struct_size = sizeof(rv_train_options),
                              .epochs = 10,
                              .batch = 64,
                              .accumulate = 1,
                              .optimizer = "momentum",
                              .momentum = -1,
                              .l2 = 5e-4,
                              .schedule = "cosine",
                              .plateau_patience = 5,
                              .init = "auto",
                              .validation = 0.2,
                              .checkpoint_minutes = 10};
}

/* Number of a name in a list that `name_of` gives. */
static rv_status find_name(int *out, const char *name, const char *(*name_of)(int), int n,
                           const char *what)
{
    const char *names[16];
    for (int i = 0; i < n; i++) {
        names[i] = name_of(i);
        if (strcmp(names[i], name) == 0) {
            *out = i;
            return RV_OK;
        }
    }
    return rv_fail(RV_ERR_USAGE, "there is no %s '%s'; the nearest is '%s'", what, name,
                   names[rv_nearest(name, names, (size_t)n)]);
}

rv_status rv_train_update_options(rv_update_options *out, const rv_train_options *o)
{
    int method;
    RV_TRY(find_name(&method, o->optimizer, rv_method_name, RV_METHODS, "optimiser"));
    *out = rv_update_defaults((rv_method)method);
    out->momentum = o->momentum >= 0 ? (float)o->momentum : out->momentum;
    out->l1 = (float)o->l1;
    out->l2 = (float)o->l2;
    out->penalize_all = o->penalize_all;
    out->clip_value = (float)o->clip_value;
    out->clip_norm = (float)o->clip_norm;
    out->average = (float)o->average;
    return RV_OK;
}

/* "30,60" epochs to steps. */
static rv_status read_boundaries(rv_rate *rate, const char *text, double steps_per_epoch)
{
    char word[32];
    rate->n_boundaries = 0;
    for (const char *at = text; *at != '\0';) {
        const size_t n = strcspn(at, ",");
        double epochs;
        snprintf(word, sizeof word, "%.*s", (int)(n < sizeof word ? n : sizeof word - 1), at);
        RV_TRY(rv_parse_double(&epochs, word, 0, MAX_EPOCHS, "an epoch at which the rate falls"));
        if (rate->n_boundaries == RV_RATE_MAX_BOUNDARIES) {
            return rv_fail(RV_ERR_USAGE, "the rate falls at most %d times", RV_RATE_MAX_BOUNDARIES);
        }
        rate->boundaries[rate->n_boundaries++] = epochs * steps_per_epoch;
        at += n + (at[n] == ',');
    }
    return RV_OK;
}

rv_status rv_train_rate(rv_rate *out, const rv_train_options *o, int64_t total_steps,
                        int64_t steps_per_epoch)
{
    int kind;
    RV_TRY(find_name(&kind, o->schedule, rv_rate_name, RV_RATES, "schedule"));
    *out = rv_rate_defaults((rv_rate_kind)kind, o->learning_rate, (double)total_steps);
    out->warm_up = o->warm_up * (double)steps_per_epoch;
    out->factor = o->decay_factor > 0 ? o->decay_factor : out->factor;
    out->period = o->decay_epochs > 0 ? o->decay_epochs * (double)steps_per_epoch : out->period;
    out->patience = o->plateau_patience;
    if (o->decay_at != NULL) {
        RV_TRY(read_boundaries(out, o->decay_at, (double)steps_per_epoch));
    }
    return rv_rate_check(out);
}

static rv_status check(const char *name, double value, double low, double high)
{
    return value >= low && value <= high
               ? RV_OK
               : rv_fail(RV_ERR_USAGE, "%s is %g, must be from %g to %g", name, value, low, high);
}

static double usual_rate(const char *optimizer)
{
    const bool adaptive = strncmp(optimizer, "adam", 4) == 0 || strcmp(optimizer, "rmsprop") == 0;
    return adaptive ? 0.001 : 0.01;
}

rv_status rv_train_resolve(rv_train_options *out, const rv_train_options *options)
{
    rv_update_options update;
    rv_initializer init;
    rv_task task;
    *out = options != NULL ? *options : rv_train_defaults();
    RV_TRY(rv_train_resolve_features(out));
    if ((out->architecture == NULL) == (out->model == NULL)) {
        return rv_fail(RV_ERR_USAGE, "name either an architecture or a model to go on from");
    }
    if (out->head != NULL && out->model == NULL) {
        return rv_fail(RV_ERR_USAGE, "a new head takes a model: an architecture has its own");
    }
    RV_TRY(rv_train_update_options(&update, out));
    RV_TRY(rv_initializer_find(&init, out->init));
    RV_TRY(rv_train_find_task(&task, out->loss));
    if (out->smoothing > 0 && task != RV_TASK_CLASSES) {
        return rv_fail(RV_ERR_USAGE, "smoothing is of classes: it belongs to cross-entropy");
    }
    if (task == RV_TASK_CLASSES) {
        out->loss = NULL; /* the default has one name in the configuration */
    }
    if (out->learning_rate == 0) {
        out->learning_rate = usual_rate(out->optimizer);
    }
    if (out->decay_at != NULL && strcmp(out->schedule, rv_rate_name(RV_RATE_PIECEWISE)) != 0) {
        return rv_fail(RV_ERR_USAGE,
                       "epochs at which the rate falls belong to the schedule piecewise, not to %s",
                       out->schedule);
    }
    RV_TRY(check("the number of epochs", out->epochs, 1, MAX_EPOCHS));
    RV_TRY(check("the number of epochs of the second phase", out->unfreeze_epochs, 0, MAX_EPOCHS));
    RV_TRY(check("the learning rate of the second phase", out->unfreeze_rate, 0, 1e6));
    RV_TRY(check("batch", out->batch, 1, MAX_BATCH));
    RV_TRY(check("the number of batches of an update", out->accumulate, 1, MAX_BATCH));
    RV_TRY(check("the smoothing of labels", out->smoothing, 0, 1));
    RV_TRY(check("the learning rate", out->learning_rate, 1e-12, 1e6));
    RV_TRY(check("the warm-up", out->warm_up, 0, out->epochs));
    RV_TRY(check("the patience", out->patience, 0, MAX_EPOCHS));
    return check("the minutes between checkpoints", out->checkpoint_minutes, 0, 1e9);
}

static const char *const pooling_names[] = {NULL, "max", "average", "binomial"};

/* Limits, threads and checkpoints are left out: they do not change what comes out. */
rv_status rv_train_config(char **out, const rv_train_options *o, const char *dataset)
{
    json_t *json = json_pack(
        "{s:s, s:s?, s:s?, s:s?, s:s?, s:s?, s:s?, s:i, s:i, s:i, s:i, s:s, s:f, s:f, s:f, s:f, "
        "s:b, s:f, s:f, s:f, s:s?}",
        "dataset", dataset, "arch", o->architecture, "model", o->model, "head", o->head,
        "freeze_until", o->freeze_until, "freeze", o->freeze, "layer_rates", o->layer_rates, "size",
        o->size, "epochs", o->epochs, "batch", o->batch, "accumulate", o->accumulate, "optimizer",
        o->optimizer, "learning_rate", o->learning_rate, "momentum", o->momentum, "l1", o->l1, "l2",
        o->l2, "penalize_all", o->penalize_all, "clip_value", o->clip_value, "clip_norm",
        o->clip_norm, "average", o->average, "pooling", pooling_names[o->pooling]);
    json_t *more = json_pack(
        "{s:s?, s:s?, s:s?, s:s?, s:s, s:f, s:f, s:f, s:i, s:s, s:f, s:s?, s:f, s:i, s:I}",
        "features", o->features ? "rows" : NULL, "decay_at", o->decay_at, "freeze_below",
        o->freeze_below, "loss", o->loss, "schedule", o->schedule, "warm_up", o->warm_up,
        "decay_factor", o->decay_factor, "decay_epochs", o->decay_epochs, "plateau_patience",
        o->plateau_patience, "init", o->init, "smoothing", o->smoothing, "recipe", o->recipe,
        "validation", o->validation, "patience", o->patience, "seed", (json_int_t)o->seed);
    *out = NULL;
    if (json != NULL && more != NULL && json_object_update(json, more) == 0) {
        *out = json_dumps(json, JSON_INDENT(2));
    }
    json_decref(json);
    json_decref(more);
    return *out != NULL ? RV_OK
                        : rv_fail(RV_ERR_MEMORY,
                                  "the options cannot be written as JSON: '%s' is "
                                  "no UTF-8",
                                  dataset);
}

rv_status rv_train_same_config(const char *now, const char *then, const char *file)
{
    json_t *a = json_loads(now, 0, NULL), *b = json_loads(then, 0, NULL), *value;
    const char *key;
    rv_status status = RV_OK;
    json_object_foreach(a, key, value)
    {
        /* An option that came later is as good as null in the file. */
        json_t *then_value = json_object_get(b, key);
        const bool same = then_value != NULL ? json_equal(value, then_value) : json_is_null(value);
        if (status == RV_OK && !same) {
            char *was = json_dumps(then_value, JSON_ENCODE_ANY);
            char *is = json_dumps(value, JSON_ENCODE_ANY);
            status = rv_fail(RV_ERR_USAGE, "%s was trained with %s %s, not %s", file, key,
                             was != NULL ? was : "null", is != NULL ? is : "null");
            free(was);
            free(is);
        }
    }
    json_decref(a);
    json_decref(b);
    return status;
}
