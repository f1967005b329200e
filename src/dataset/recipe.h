/* Recipes of augmentation: which transforms, in which ranges, and what is drawn from them. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_DATASET_RECIPE_H
#define RV_DATASET_RECIPE_H

#include "base/cl_host.h"
#include "base/text.h"

#include "augment.clh"

#include <stdint.h>

enum { RV_RECIPE_STEPS = 32, RV_TRANSFORM_PARAMS = 5, RV_TRANSFORM_VALUES = 6 };

/** What a parameter takes, and what a plain number x stands for. */
typedef enum rv_param_kind {
    RV_PARAM_EXACT,       /**< [low, high]; x: always x */
    RV_PARAM_AROUND_ZERO, /**< [low, high]; x: [-x, x] */
    RV_PARAM_AROUND_ONE,  /**< [low, high]; x: [1 - x, 1 + x], not below 0 */
    RV_PARAM_WHOLE,       /**< a whole number, 0: not given */
    RV_PARAM_CHOICE       /**< one of `choices` */
} rv_param_kind;

typedef struct rv_transform_param {
    const char *name;
    rv_param_kind kind;
    double low, high; /**< default; of a choice, its index in low */
    double min, max;
    const char *const *choices;
    const char *help;
} rv_transform_param;

/** A picture on its way through the transforms: sizes now, and what the kernels will be asked for. */
typedef struct rv_augment_draw {
    rv_augment_job job;
    bool applied[RV_RECIPE_STEPS];
    double values[RV_RECIPE_STEPS][RV_TRANSFORM_VALUES]; /**< what was drawn, for the manifest */
} rv_augment_draw;

/** Where the numbers of one copy of one picture come from. */
typedef struct rv_draw_key {
    uint32_t seed;
    uint32_t picture; /**< a number of its own for each picture: rv_picture_key() */
    uint32_t copy;
} rv_draw_key;

typedef struct rv_recipe_step rv_recipe_step;

/** Random numbers of one step. */
typedef struct rv_draw_source {
    rv_draw_key key;
    uint32_t step;
} rv_draw_source;

typedef struct rv_transform {
    const char *name, *help;
    rv_transform_param params[RV_TRANSFORM_PARAMS]; /**< a NULL name after the last */
    const char *values[RV_TRANSFORM_VALUES];        /**< names of what is drawn, for the manifest */
    /** Draws values and applies them to the job. */
    void (*apply)(const rv_recipe_step *step, const rv_draw_source *source, double *values,
                  rv_augment_job *job);
    /** What params must fulfil together; NULL: nothing. @return NULL or what is wrong */
    const char *(*check)(const rv_recipe_step *step);
} rv_transform;

struct rv_recipe_step {
    const rv_transform *transform;
    double p; /**< probability, 0 to 1 */
    double low[RV_TRANSFORM_PARAMS], high[RV_TRANSFORM_PARAMS];
};

typedef struct rv_recipe {
    int n;
    rv_recipe_step steps[RV_RECIPE_STEPS];
    uint64_t hash; /**< of what the recipe says, however it is written */
} rv_recipe;

/** All transforms; transform.c. */
extern const rv_transform rv_transforms[];
extern const size_t rv_n_transforms;

/** Reads a YAML file, or takes a recipe of the program ("light", "photo").
 *  @return RV_ERR_FORMAT with file, line and key; RV_ERR_NOT_FOUND naming the built-in ones. */
RV_NODISCARD rv_status rv_recipe_load(rv_recipe *out, const char *name_or_path);
/** The same from text; `name` stands before messages. */
RV_NODISCARD rv_status rv_recipe_parse(rv_recipe *out, const char *text, size_t n,
                                       const char *name);
/** Names of the recipes of the program, NULL at the end. */
const char *const *rv_recipe_names(void);

/** Number of a picture: from its path below the data set, so that other pictures do not change it. */
uint32_t rv_picture_key(const char *relative_path);

/** Draws one copy: everything that the kernels need but where the pixels lie.
 *  @param width, height  of the source, in pixels. */
void rv_recipe_draw(rv_augment_draw *out, const rv_recipe *recipe, rv_draw_key key, int width,
                    int height);

/** Uniform in [low, high), number `index` of a step. */
double rv_draw_uniform(const rv_draw_source *source, uint32_t index, double low, double high);

#endif
