/* What comes behind the last step of an epoch: validation, the best weights, tables and curves. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/system.h"
#include "stages/train_run.h"

#include <math.h>

/* A mean loss this many times that of the first batch is said. */
#define GROWN 4.0

double rv_train_seconds_left(const rv_train_run *run)
{
    const int64_t done = run->at.steps - run->steps_before;
    return done > 0 ? (rv_clock() - run->started) / (double)done *
                          (double)(run->total_steps - run->at.steps)
                    : -1;
}

static rv_status validate(rv_train_run *run, rv_train_epoch *e)
{
    rv_loader_options options = rv_train_loader_options(run, RV_SUBSET_VALIDATION, true);
    rv_loader *loader = NULL;
    rv_tally tally = {0};
    if (run->validation.plan == NULL) {
        return RV_OK;
    }
    if (run->validated) {
        options.events = NULL; /* what cannot be read was said */
    }
    rv_status status = rv_tally_create(&tally, &run->scoring);
    if (status == RV_OK) {
        status = rv_loader_create(&loader, run->dataset, &options, 0);
    }
    if (status == RV_OK) {
        status = rv_tally_run(&tally, &run->validation, loader, NULL);
    }
    if (status == RV_OK && tally.count > 0) {
        e->val_loss = tally.loss / (double)tally.count;
        e->val_accuracy = rv_tally_accuracy(&tally);
        e->val_error = rv_tally_error(&tally);
        run->unreadable += run->validated ? 0 : rv_train_unreadable(loader, &options);
        run->validated = true;
    }
    rv_loader_destroy(loader);
    rv_tally_release(&tally);
    return status;
}

/* More right pictures, or as many with a smaller loss; of quantities a smaller loss; without validation that of
 * training. */
static bool is_better(const rv_train_epoch *a, const rv_train_epoch *b)
{
    if (b->epoch == 0) {
        return true;
    }
    if (isnan(a->val_loss)) {
        return a->loss < b->loss;
    }
    if (isnan(a->val_accuracy)) {
        return a->val_loss < b->val_loss;
    }
    return a->val_accuracy > b->val_accuracy ||
           (a->val_accuracy == b->val_accuracy && a->val_loss < b->val_loss);
}

static rv_status note_best(rv_train_run *run, rv_train_epoch *e)
{
    e->best = is_better(e, &run->at.best);
    if (!e->best) {
        run->at.waited++;
        return RV_OK;
    }
    run->at.best = *e;
    run->at.best.layers = NULL;
    run->at.best.n_layers = 0;
    run->at.waited = 0;
    return rv_train_save_best(run);
}

/* Validation and the best weights with the average, where one is kept. */
static rv_status judge(rv_train_run *run, rv_train_epoch *e)
{
    const bool average = run->options.average > 0;
    if (average) {
        RV_TRY(rv_update_swap_average(run->update));
    }
    RV_TRY(validate(run, e));
    RV_TRY(note_best(run, e));
    return average ? rv_update_swap_average(run->update) : RV_OK;
}

/* Another cell of a line, empty where there is no number. */
static void add_cell(rv_train_run *run, double value)
{
    rv_text_append(&run->metrics, isfinite(value) ? ",%.6g" : ",", value);
}

static void write_line(rv_train_run *run, const rv_train_epoch *e)
{
    rv_text_append(&run->metrics, "%d,%jd", e->epoch, (intmax_t)e->steps);
    add_cell(run, e->loss);
    add_cell(run, e->accuracy);
    add_cell(run, e->val_loss);
    add_cell(run, e->val_accuracy);
    add_cell(run, e->learning_rate);
    rv_text_append(&run->metrics, ",%.1f", e->images_per_second);
    add_cell(run, e->val_error);
    rv_text_append(&run->metrics, "\n");
}

static rv_status write_events(rv_train_run *run, const rv_train_epoch *e)
{
    const struct {
        const char *tag;
        double value;
    } curves[] = {{"loss/train", e->loss},
                  {"loss/validation", e->val_loss},
                  {"accuracy/train", e->accuracy},
                  {"accuracy/validation", e->val_accuracy},
                  {"error/validation", e->val_error},
                  {"learning_rate", e->learning_rate},
                  {"images_per_second", e->images_per_second}};
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++) {
        if (isfinite(curves[i].value)) {
            RV_TRY(rv_event_log_scalar(run->events, e->steps, curves[i].tag, curves[i].value));
        }
    }
    return RV_OK;
}

/* It need not be infinite to lead nowhere. */
static void warn_if_it_grows(const rv_train_run *run, double loss)
{
    if (loss > GROWN * run->first_loss) {
        rv_log(
            run->options.events, RV_LOG_WARNING,
            "the loss has grown from %.3g to %.3g: it diverges; lower the learning rate, or clip "
            "the gradient",
            run->first_loss, loss);
    }
}

rv_status rv_train_end_epoch(rv_train_run *run)
{
    rv_train_position *at = &run->at;
    rv_train_epoch e = {
        .phase = run->phase,
        .epoch = (int)(at->batches / run->batches_per_epoch),
        .steps = at->steps,
        .loss = at->loss / (double)run->batches_per_epoch,
        .accuracy = run->task != RV_TASK_VALUES ? (double)at->correct / (double)at->seen : NAN,
        .val_loss = NAN,
        .val_accuracy = NAN,
        .val_error = NAN,
        .learning_rate = rv_rate_at(&run->rate, &at->rate, at->steps - 1),
        .images_per_second = (double)run->epoch_images / run->train_seconds};
    if (run->diagnosis != NULL) {
        RV_TRY(rv_diagnosis_end_epoch(run->diagnosis, run, &e));
    }
    RV_TRY(judge(run, &e));
    if (rv_rate_watch(&run->rate, &at->rate, isnan(e.val_loss) ? e.loss : e.val_loss)) {
        rv_log(run->options.events, RV_LOG_INFO, "the learning rate falls to %g",
               rv_rate_at(&run->rate, &at->rate, at->steps));
    }
    warn_if_it_grows(run, e.loss);
    e.seconds_left = rv_train_seconds_left(run);
    at->loss = 0;
    at->correct = at->seen = 0;
    run->epoch_images = 0;
    run->train_seconds = 0;
    write_line(run, &e);
    RV_TRY(write_events(run, &e));
    if (run->options.on_epoch != NULL) {
        run->options.on_epoch(run->options.payload, &e);
    }
    if (run->diagnosis != NULL) {
        rv_diagnosis_next_epoch(run->diagnosis);
        e.layers = NULL;
        e.n_layers = 0;
    }
    run->last = e;
    RV_TRY(rv_text_status(&run->metrics));
    return rv_train_save(run);
}
