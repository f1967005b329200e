/* What stylize minimises at a scale: terms on layers of a network and on levels of a pyramid, in one graph. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_OBJECTIVE_H
#define RV_STAGES_OBJECTIVE_H

#include "graph/plan.h"
#include "model/model.h"
#include "stages/colour_match.h"
#include "stages/region.h"
#include "stages/style_recipe.h"

/** What an objective is made for, at one scale. */
typedef struct rv_scale {
    int size;          /**< longest side of the picture without its margin */
    rv_planar content; /**< the photo with its margin; an objective may change it: it is also
                                  where the optimisation starts from content */
    const rv_planar
        *styles; /**< longest side `size`, never enlarged; without data where the objective
                                  knows them */
    const float *const *seen; /**< of each style, [H,W]: how much of a pixel is there; NULL, or NULL
                                 among them: all of it */
    const double *shares;     /**< of the styles, summing to 1 */
    int n_styles;
    const rv_colour_moments *
        likeness; /**< colours that the styles were given, in light; NULL: they have their own, which
                                            the photo takes on where the recipe says so */
    rv_regions regions; /**< where the styles go */
    uint64_t reserve;   /**< bytes of device memory that are not for the objective */
} rv_scale;

/** Lives through all scales. */
typedef struct rv_objective rv_objective;

/** @param options  resolved: no default is left; must outlive *out, as the recipe.
 *  @return RV_ERR_NOT_FOUND, RV_ERR_USAGE: a layer, or a list of layers; RV_ERR_UNSUPPORTED: a network for grey
 *          pictures */
RV_NODISCARD rv_status rv_objective_create(rv_objective **out, rv_device *device,
                                           const rv_model *model, const rv_style_recipe *recipe,
                                           const rv_stylize_options *options);
void rv_objective_destroy(rv_objective *objective);
/** Whether what the styles give at a scale of that size, with a photo and styles of these sizes, was found before. */
bool rv_objective_knows(rv_objective *objective, const rv_scale *scale);
/** Makes the plan of a scale: its losses are the objective, the gradient of *picture is planned.
 *  Borrowed until the next begin or destroy. The styles and their shares are those of the first begin: what they
 *  give at a size is found once, and anew where other styles share a region.
 *  @return RV_ERR_SHAPE: the photo or a style is too small there for the network, or to have a texture;
 *          RV_ERR_DEVICE_MEMORY: beside scale->reserve there is no room for the plan; RV_ERR_CANCELLED. */
RV_NODISCARD rv_status rv_objective_begin(rv_objective *objective, rv_plan **plan,
                                          rv_value *picture, rv_scale *scale);
/** Frees the plan of the last scale: its memory is wanted for other things. */
void rv_objective_rest(rv_objective *objective);
/** Layers in use, "a,b" and "c,d", for the settings; NULL without a network. */
void rv_objective_layers(const rv_objective *objective, const char **content, const char **style);

#endif
