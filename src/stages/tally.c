/* Counts right predictions, and adds up losses in double precision. */
/* SPDX-License-Identifier: MIT */
#include "stages/tally.h"
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

rv_status rv_tally_create(rv_tally *out, int32_t classes)
{
    *out = (rv_tally){.classes = classes};
    RV_TRY(rv_alloc(&out->ranks, (size_t)classes, sizeof *out->ranks, "ranks"));
    return rv_alloc(&out->confusion, (size_t)classes * (size_t)classes, sizeof *out->confusion,
                    "a confusion matrix");
}

void rv_tally_release(rv_tally *tally)
{
    free(tally->ranks);
    free(tally->confusion);
    tally->ranks = tally->confusion = NULL;
}

uint64_t rv_tally_top(const rv_tally *tally, int32_t k)
{
    uint64_t sum = 0;
    for (int32_t i = 0; i < k && i < tally->classes; i++) {
        sum += tally->ranks[i];
    }
    return sum;
}

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

void rv_tally_add(rv_tally *t, const float *logits, const float *labels, size_t n)
{
    for (size_t i = 0; i < n; i++, logits += t->classes) {
        const int32_t label = (int32_t)labels[i];
        if (label < 0 || label >= t->classes) {
            continue;
        }
        const int32_t rank = rank_of(logits, t->classes, label);
        const int32_t predicted = rank == 0 ? label : rv_largest(logits, t->classes);
        t->count++;
        t->ranks[rank < t->classes ? rank : t->classes - 1]++;
        t->loss += loss_of(logits, t->classes, label);
        t->confusion[(size_t)label * (size_t)t->classes + (size_t)predicted]++;
    }
}

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
        rv_tally_add(tally, r->host, batch.labels, batch.n);
        const rv_progress progress = {.task = "evaluate",
                                      .done = batch.number + 1,
                                      .total = total,
                                      .fraction = (double)(batch.number + 1) / (double)total,
                                      .loss = tally->loss / fmax((double)tally->count, 1),
                                      .seconds_left = -1};
        rv_report(events, &progress);
    }
}
