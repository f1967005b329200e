/* Finds a class of a model by what people call it. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_CLASS_NAME_H
#define RV_STAGES_CLASS_NAME_H

#include <reverie/model.h>

/** The class whose index, label, one of whose names ("tench, Tinca tinca" has two) or whose id in its data set is `text`, in
 *  letters of either case; else the only one whose label holds it.
 *  @param n_classes  that the network has: an index must be below.
 *  @return RV_ERR_USAGE: several classes match, which are named; RV_ERR_NOT_FOUND: none does, the nearest is named. */
RV_NODISCARD rv_status rv_class_find(int *out, const rv_model *model, int n_classes,
                                     const char *text);

#endif
