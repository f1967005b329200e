/* Transfer learning in two phases: what is new first, then more of the network at a lower rate. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/file.h"
#include "base/system.h"
#include "stages/train_run.h"

#include <math.h>
#include <stdlib.h>

/* The second phase begins with this share of the rate of the first. */
#define LOWER 0.1

static rv_status first_phase(rv_train_options *out, const rv_train_options *o)
{
    *out = *o;
    if (o->freeze == NULL && o->freeze_until == NULL) {
        if (o->head == NULL) {
            return rv_fail(RV_ERR_USAGE, "the first of two phases trains a new head (--head), or "
                                         "what --freeze or --freeze-until leave: none is named");
        }
        out->freeze = "!head/*";
    }
    return RV_OK;
}

static rv_train_options second_phase(const rv_train_options *o, const char *model)
{
    rv_train_options out = *o;
    out.architecture = NULL;
    out.model = model;
    out.head = out.freeze = out.freeze_until = out.unfreeze_from = NULL;
    out.freeze_below = o->unfreeze_from;
    out.epochs = o->unfreeze_epochs > 0 ? o->unfreeze_epochs : o->epochs;
    out.learning_rate = o->unfreeze_rate > 0 ? o->unfreeze_rate : LOWER * o->learning_rate;
    out.warm_up = fmin(o->warm_up, out.epochs);
    /* The first phase was there; this one may not have begun. */
    out.resume = false;
    out.resume_if_there = o->resume || o->resume_if_there;
    return out;
}

static void compare(const rv_train_options *o, const rv_train_epoch *head,
                    const rv_train_epoch *all, const char *folder)
{
    const bool lower =
        all->epoch > 0 && (isnan(head->val_accuracy) ? head->val_loss < all->val_loss
                                                     : head->val_accuracy > all->val_accuracy);
    if (lower) {
        rv_log(o->events, RV_LOG_WARNING,
               "the second phase made it no better: %s/best.safetensors did best in validation",
               folder);
    }
}

static rv_status run_phases(rv_train_result *result, rv_device *device, const char *dataset,
                            const char *folder, const char *head, const char *best,
                            const rv_train_options *options)
{
    const double start = rv_clock();
    rv_train_options o;
    RV_TRY(first_phase(&o, options));
    RV_TRY(rv_train_once(result, device, dataset, head, &o, 1));
    const rv_train_epoch of_head = result->best;
    const size_t unreadable = result->unreadable;
    if (!result->finished) {
        return RV_OK;
    }
    o = second_phase(options, best);
    if (o.time_limit > 0) {
        o.time_limit = fmax(o.time_limit - (rv_clock() - start), 1e-3);
    }
    RV_TRY(rv_train_once(result, device, dataset, folder, &o, 2));
    result->unreadable = unreadable > result->unreadable ? unreadable : result->unreadable;
    compare(options, &of_head, &result->best, head);
    return RV_OK;
}

rv_status rv_train_phases(rv_train_result *result, rv_device *device, const char *dataset,
                          const char *folder, const rv_train_options *options)
{
    char *head = NULL, *best = NULL;
    bool there;
    /* A run that must not be replaced is found before the first phase, not behind it. */
    rv_status status = rv_train_check_folder(&there, folder, options);
    if (status == RV_OK) {
        status = rv_path_join(&head, folder, RV_TRAIN_HEAD);
    }
    if (status == RV_OK) {
        status = rv_path_join(&best, head, "best.safetensors");
    }
    if (status == RV_OK) {
        status = run_phases(result, device, dataset, folder, head, best, options);
    }
    free(head);
    free(best);
    return status;
}
