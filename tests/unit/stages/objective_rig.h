/* An objective of the small network at one scale, and its twin: what tests of objectives share. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_TESTS_OBJECTIVE_RIG_H
#define RV_TESTS_OBJECTIVE_RIG_H

#include "reference/style_loss.h"
#include "small_network.h"
#include "stages/objective.h"

/** Sides of the two styles. */
enum { RIG_ACROSS = 19, RIG_DOWN = 16, RIG_SECOND_ACROSS = 15, RIG_SECOND_DOWN = 24 };

typedef struct objective_rig {
    rv_device *device;
    rv_model *model;
    rv_stylize_options options;
    rv_planar content, styles[2];
    double shares[2]; /**< of the styles */
    rv_objective *objective;
    rv_plan *plan;
    rv_value picture;
    float *point; /**< where it is evaluated: [3,H,W] of the content */
} objective_rig;

/** Content at relu3, style at relu1 and, a third as strong, at relu2; a random point. Weights are those of the
 *  options. */
void rig_set_up(objective_rig *r, int width, int height, double content, double style, double tv);
void rig_tear_down(objective_rig *r);

/** Lays the plan out.
 *  @param regions  NULL: none
 *  @param seen     of each style; NULL: all */
void rig_begin(objective_rig *r, const rv_regions *regions, const float *const *seen);

/** The loss at the point, and its gradient. */
double rig_evaluate(objective_rig *r, float *gradient);

/** The twin's loss at the point; arguments as below. */
double rig_twin_loss(const objective_rig *r, const float *const *regions, const float *visible,
                     const float *const *seen);

/** Compares loss, and gradient in eight directions, with the twin's. After rig_begin().
 *  @param regions, visible, seen  [H,W] each, of the picture and of the styles, or NULL, as in rv_twin_loss. */
void rig_check_gradient(objective_rig *r, const float *const *regions, const float *visible,
                        const float *const *seen);

#endif
