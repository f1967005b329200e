/* What a picture is to show more of, as an expression: layers, channels, units, classes, likeness to a guide. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_GOAL_H
#define RV_STAGES_GOAL_H

#include <reverie/status.h>
#include <stddef.h>

typedef enum rv_goal_kind {
    RV_GOAL_LAYER,    /**< mean of the squares of all values of a layer */
    RV_GOAL_CHANNELS, /**< mean of all values of some channels */
    RV_GOAL_UNIT,     /**< mean of these channels at one place */
    RV_GOAL_CLASS,    /**< score of a class, before softmax */
    RV_GOAL_GUIDE, /**< mean over all places of the product with that place of the guide which suits best */
    RV_GOAL_VARIATION /**< of the picture: mean of the squared differences between neighbours */
} rv_goal_kind;

typedef struct rv_goal {
    rv_goal_kind kind;
    double weight; /**< not 0; below 0: less of it */
    int at;        /**< character of the expression, from 1, where it is named; 0: of none */
    char *name;    /**< layer, or class as it was given; NULL for the variation */
    int *channels; /**< n_channels of them, or of a class its index, once it is known */
    size_t n_channels, capacity;
    double x, y; /**< of a unit: from 0, the left or upper edge of the picture, to below 1 */
} rv_goal;

/** A sum of weighted goals. Starts from {0}. */
typedef struct rv_goals {
    rv_goal *items;
    size_t n, capacity;
} rv_goals;

/** Adds a goal with a weight of 1 and no channels to the list, and gives it in *out; borrowed until the next one.
 *  @param name  copied; n of its bytes. */
RV_NODISCARD rv_status rv_goals_add(rv_goals *goals, rv_goal **out, rv_goal_kind kind,
                                    const char *name, size_t n);
/** Adds a channel to a goal, or the index of its class. */
RV_NODISCARD rv_status rv_goal_add_channel(rv_goal *goal, int channel);
void rv_goals_release(rv_goals *goals);

/** Parses "conv4_2 + 2*conv5_1:17 - 0.1*tv". Between + and -, each with numbers to multiply it by:
 *
 *    LAYER                a whole layer
 *    LAYER:17             a channel, from 0; LAYER:3,17,40..44 several
 *    LAYER:17@0.5,0.25    of it the unit at half the width and a quarter of the height
 *    class:NAME           a class by its name, its index, or a part of the name that no other has
 *    guide:LAYER          what the guide has in that layer
 *    tv                   the variation of the picture
 *
 *  Names that hold spaces or + - * : , @ stand in single or double quotes.
 *  @return RV_ERR_USAGE with the character, from 1, where it goes wrong. */
RV_NODISCARD rv_status rv_goals_parse(rv_goals *out, const char *text);
/** The expression as text that parses to the same goals; freed with free(). */
RV_NODISCARD rv_status rv_goals_text(char **out, const rv_goals *goals);

#endif
