/* Goals made part of a network: the plan of which the losses are minus the goals, so that a descent shows more of them.
 *
 * How to use it: create one from a list of goals (rv_goals_parse(), or rv_goals_add() and rv_goal_add_channel() for
 * single channels), begin a size, place the goals, and either hand plan and picture to rv_descend() and the like, or
 * write a picture to rv_plan_tensor(plan, picture), call rv_maximizer_run() and read rv_plan_gradient(plan, picture):
 * to go against that gradient shows more. Values are in 0..1, R,G,B. For many pictures at once begin with a batch of
 * them: the goals count for each alike, or with `apart` the n-th picture has the n-th channel of a list as its own. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_MAXIMIZE_H
#define RV_STAGES_MAXIMIZE_H

#include "graph/plan.h"
#include "model/model.h"
#include "stages/goal.h"
#include "stages/picture.h"

/** A network with goals behind it, on a device. */
typedef struct rv_maximizer rv_maximizer;

/** Builds the part of the network that the goals need and takes its weights to the device. Fills in the index of classes.
 *  @param[in,out] goals  must outlive *out.
 *  @return RV_ERR_NOT_FOUND: a layer, with the nearest and all, a channel, with their number, or a class;
 *          RV_ERR_USAGE: a class name that matches several; RV_ERR_UNSUPPORTED: a network for grey pictures, or one
 *          without class scores */
RV_NODISCARD rv_status rv_maximizer_create(rv_maximizer **out, rv_device *device,
                                           const rv_model *model, rv_goals *goals,
                                           const rv_events *events);
void rv_maximizer_destroy(rv_maximizer *maximizer);

/** Whether a goal is likeness to a guide: then rv_maximizer_set_guide() comes before the first begin. */
bool rv_maximizer_has_guide(const rv_maximizer *maximizer);
/** Looks at the guide at its own size. @return RV_ERR_SHAPE: it is smaller than what a place of a layer sees */
RV_NODISCARD rv_status rv_maximizer_set_guide(rv_maximizer *maximizer, const rv_planar *guide);

/** What a plan is for. */
typedef struct rv_maximizer_size {
    int n, height, width; /**< of the pictures */
    bool apart;       /**< picture i has the i-th channel of each list, instead of all of them */
    uint64_t reserve; /**< bytes of device memory that are not for the plan */
} rv_maximizer_size;

/** Makes the plan for pictures of a size: its losses are minus the goals, each with its weight, summed over the pictures;
 *  the gradient of *picture, [n,3,height,width], is planned. Goals are placed all over it. Borrowed until the next
 *  begin or destroy.
 *  @return RV_ERR_SHAPE: too small for the network, or dense layers want another size; RV_ERR_DEVICE_MEMORY */
RV_NODISCARD rv_status rv_maximizer_begin(rv_maximizer *maximizer, rv_plan **plan,
                                          rv_value *picture, const rv_maximizer_size *size);
/** Frees the plan of the last begin: its memory is wanted for other things. */
void rv_maximizer_rest(rv_maximizer *maximizer);
/** Whether the network takes pictures of the size: nothing is planned. */
bool rv_maximizer_fits(rv_maximizer *maximizer, int height, int width);
/** Says which part of a larger picture the next runs see, in shares of it: units are sought there,
 *  and their values divided by its area, by which the caller multiplies the gradient of a part.
 *  @param own  what of it no other part has, in shares as well: where units count for the value */
RV_NODISCARD rv_status rv_maximizer_place(rv_maximizer *maximizer, const rv_part *part,
                                          const rv_part *own);
/** Forward and backward. */
RV_NODISCARD rv_status rv_maximizer_run(rv_maximizer *maximizer);
/** Sum of the goals with their weights, of all pictures, at the last run: means times `share`, which is 1 for a whole
 *  picture and 1 / n for one of n parts, and units in what is its own. */
RV_NODISCARD rv_status rv_maximizer_value(rv_maximizer *maximizer, double share, double *out);

/** Pixels that the goal which sees most sees of the picture for one value, at most; 0: all of it. */
int rv_maximizer_reach(const rv_maximizer *maximizer);
/** Pixels from one value to the next in the coarsest layer that a goal is in. */
int rv_maximizer_stride(const rv_maximizer *maximizer);

#endif
