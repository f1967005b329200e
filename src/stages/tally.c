/* Counts right predictions, and adds up losses and errors in double precision. */
/* SPDX-License-Identifier: MIT */
#include "stages/tally.h"
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

/* --- create ---------------------------------------------------------------------------------- */

rv_status rv_tally_create(rv_tally *out, const rv_scoring *scoring)
{
    const size_t n = (size_t)scoring->n;
    *out = (rv_tally){.scoring = *scoring};
    if (scoring->task == RV_TASK_CLASSES) {
        RV_TRY(rv_alloc(&out->ranks, n, sizeof *out->ranks, "ranks"));
        return rv_alloc(&out->confusion, n * n, sizeof *out->confusion, "a confusion matrix");
    }
    if (scoring->task == RV_TASK_LABELS) {
        RV_TRY(rv_alloc(&out->there, n, sizeof *out->there, "labels"));
        RV_TRY(rv_alloc(&out->said, n, sizeof *out->said, "labels"));
        return rv_alloc(&out->right, n, sizeof *out->right, "labels");
    }
    RV_TRY(rv_alloc(&out->absolute, n, sizeof *out->absolute, "errors"));
    RV_TRY(rv_alloc(&out->square, n, sizeof *out->square, "errors"));
    RV_TRY(rv_alloc(&out->sum, n, sizeof *out->sum, "errors"));
    return rv_alloc(&out->sum_square, n, sizeof *out->sum_square, "errors");
}

void rv_tally_release(rv_tally *t)
{
    free(t->ranks);
    free(t->confusion);
    free(t->there);
    free(t->said);
    free(t->right);
    free(t->absolute);
    free(t->square);
    free(t->sum);
    free(t->sum_square);
    *t = (rv_tally){0};
}

/* --- look ------------------------------------------------------------------------------------ */

uint64_t rv_tally_top(const rv_tally *tally, int32_t k)
{
    uint64_t sum = 0;
    for (int32_t i = 0; tally->ranks != NULL && i < k && i < tally->scoring.n; i++) {
        sum += tally->ranks[i];
    }
    return sum;
}

double rv_tally_accuracy(const rv_tally *t)
{
    const uint64_t right = t->scoring.task == RV_TASK_CLASSES ? rv_tally_top(t, 1) : t->exact;
    return t->scoring.task == RV_TASK_VALUES || t->count == 0 ? NAN
                                                              : (double)right / (double)t->count;
}

double rv_tally_error(const rv_tally *t)
{
    double sum = 0;
    for (int32_t i = 0; t->square != NULL && i < t->scoring.n; i++) {
        sum += t->square[i];
    }
    return t->square == NULL || t->count == 0 ? NAN : sqrt(sum / (double)t->count / t->scoring.n);
}

/* --- count ----------------------------------------------------------------------------------- */

int32_t rv_largest(const float *values, int32_t n)
{
    int32_t best = 0;
    for (int32_t i = 1; i < n; i++) {
        best = values[i] > values[best] || isnan(values[i]) ? i : best;
    }
    return best;
}

/* How many classes go before `label`. */
static int32_t rank_of(const float *logits, int32_t n, int32_t label)
{
    int32_t rank = 0;
    for (int32_t i = 0; i < n; i++) {
        const bool before = logits[i] > logits[label] || (i < label && logits[i] == logits[label]);
        rank += before || isnan(logits[i]);
    }
    return rank;
}

static double loss_of(const float *logits, int32_t n, int32_t label)
{
    const double largest = (double)logits[rv_largest(logits, n)];
    double sum = exp((double)logits[0] - largest);
    for (int32_t i = 1; i < n; i++) {
        sum += exp((double)logits[i] - largest);
    }
    return log(sum) + largest - (double)logits[label];
}

static void add_class(rv_tally *t, const float *logits, int32_t label)
{
    const int32_t n = t->scoring.n;
    if (label < 0 || label >= n) {
        return;
    }
    const int32_t rank = rank_of(logits, n, label);
    const int32_t predicted = rank == 0 ? label : rv_largest(logits, n);
    t->count++;
    t->ranks[rank < n ? rank : n - 1]++;
    t->loss += loss_of(logits, n, label);
    t->confusion[(size_t)label * (size_t)n + (size_t)predicted]++;
}

bool rv_labels_right(const float *logits, const float *targets, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        if ((logits[i] > 0) != (targets[i] > 0.5f)) {
            return false;
        }
    }
    return true;
}

static void add_labels(rv_tally *t, const float *logits, const float *targets)
{
    const int32_t n = t->scoring.n;
    double loss = 0;
    for (int32_t i = 0; i < n; i++) {
        const double x = (double)logits[i];
        const bool there = targets[i] > 0.5f, said = logits[i] > 0;
        loss += fmax(x, 0) - x * (double)targets[i] + log1p(exp(-fabs(x)));
        t->there[i] += there;
        t->said[i] += said;
        t->right[i] += there && said;
    }
    t->exact += rv_labels_right(logits, targets, n);
    t->loss += loss / n;
    t->count++;
}

static void add_values(rv_tally *t, const float *given, const float *targets)
{
    const rv_scoring *s = &t->scoring;
    double loss = 0;
    for (int32_t i = 0; i < s->n; i++) {
        const double mean = s->mean != NULL ? (double)s->mean[i] : 0;
        const double deviation = s->deviation != NULL ? (double)s->deviation[i] : 1;
        const double target = (double)targets[i] - mean;
        const double error = deviation * (double)given[i] - target;
        loss += error / deviation * (error / deviation);
        t->absolute[i] += fabs(error);
        t->square[i] += error * error;
        t->sum[i] += target;
        t->sum_square[i] += target * target;
    }
    t->loss += loss / s->n;
    t->count++;
}

void rv_tally_add(rv_tally *t, const float *logits, const rv_batch *batch)
{
    for (size_t i = 0; i < batch->n; i++) {
        const float *given = logits + i * (size_t)t->scoring.n;
        const float *labels = batch->labels + i * batch->n_labels;
        if (!rv_batch_has(batch, i)) {
            continue;
        }
        if (t->scoring.task == RV_TASK_CLASSES) {
            add_class(t, given, (int32_t)labels[0]);
        } else if (t->scoring.task == RV_TASK_LABELS) {
            add_labels(t, given, labels);
        } else {
            add_values(t, given, labels);
        }
    }
}

/* --- run ------------------------------------------------------------------------------------- */

rv_status rv_tally_run(rv_tally *tally, rv_runner *r, rv_loader *loader, const rv_events *events)
{
    const int64_t total = rv_loader_batches(loader);
    for (;;) {
        rv_batch batch;
        RV_TRY(rv_check_cancelled(events));
        RV_TRY(rv_loader_next(loader, &batch));
        if (batch.n == 0) {
            return RV_OK;
        }
        RV_TRY(rv_tensor_write(r->device, r->picture, batch.pictures));
        RV_TRY(rv_plan_forward(r->plan));
        RV_TRY(rv_tensor_read(r->device, r->logits, r->host));
        rv_tally_add(tally, r->host, &batch);
        const rv_progress progress = {.task = "evaluate",
                                      .done = batch.number + 1,
                                      .total = total,
                                      .fraction = (double)(batch.number + 1) / (double)total,
                                      .loss = tally->loss / fmax((double)tally->count, 1),
                                      .seconds_left = -1};
        rv_report(events, &progress);
    }
}
