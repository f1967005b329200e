/* What stylize minimises: one interface for networks and for patches. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_OBJECTIVE_H
#define RV_STAGES_OBJECTIVE_H

#include "graph/plan.h"
#include "model/model.h"
#include "stages/picture.h"
#include <reverie/stylize.h>

/** What an objective is made for, at one scale. */
typedef struct rv_scale {
    int size;                /**< longest side of the picture without its margin */
    int full_size;           /**< longest side at the last scale */
    rv_planar content;       /**< the photo with its margin; an objective may change it: it is also
                                  where the optimisation starts from content */
    const rv_planar *styles; /**< longest side `size`, never enlarged */
    const double *shares;    /**< of the styles, summing to 1 */
    int n_styles;
    uint64_t reserve; /**< bytes of device memory that are not for the objective */
} rv_scale;

/** Sets what the options leave to the model, and names the choices of its kind. */
typedef struct rv_objective_defaults {
    double content_weight, style_weight, tv_weight;
    rv_optimizer optimizer;
    int iterations;   /**< of the last scale */
    int history;      /**< of L-BFGS */
    bool plain_steps; /**< L-BFGS without a line search, as Torch's */
} rv_objective_defaults;

/** A kind of objective. `self` lives through all scales. */
typedef struct rv_objective_kind {
    rv_objective_defaults defaults;
    /** @param options  resolved: no default is left; must outlive *out. */
    rv_status (*create)(void **out, rv_device *device, const rv_model *model,
                        const rv_stylize_options *options);
    void (*destroy)(void *self);
    /** Pixels of reflected border around the picture at a scale, cut off at the end. */
    int (*margin)(int size, int full_size);
    /** Makes the plan of a scale: its losses are the objective, the gradient of *picture is planned.
     *  Borrowed until the next begin() or destroy(). */
    rv_status (*begin)(void *self, rv_plan **plan, rv_value *picture, rv_scale *scale);
    /** Layers in use, "a,b" and "c,d", for the settings; may be NULL. */
    void (*layers)(const void *self, const char **content, const char **style);
} rv_objective_kind;

extern const rv_objective_kind rv_objective_network; /**< objective_network.c */
extern const rv_objective_kind rv_objective_patches; /**< objective_patches.c */

#endif
