/* What rv_dreamer_create() was asked for, checked, with every default in its place. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_DREAM_OPTIONS_H
#define RV_STAGES_DREAM_OPTIONS_H

#include "stages/goal.h"
#include <reverie/dream.h>

enum { RV_MAX_OCTAVES = 16, RV_DREAM_MIN = 16 };

/** A copy of a caller's options, whole, with the defaults of the network in; `tile` too. The expression is parsed into
 *  *goals, which the caller releases.
 *  @return RV_ERR_USAGE names the option that is out of range; what rv_dreamer_create() says. */
RV_NODISCARD rv_status rv_dream_resolve(rv_dream_options *out, rv_goals *goals,
                                        const rv_model *model, const rv_dream_options *options);

/** "key=value" pairs: what shaped the picture. Freed with free(). */
RV_NODISCARD rv_status rv_dream_settings(char **out, const rv_dream_options *resolved,
                                         const rv_goals *goals, const rv_model *model, int octaves,
                                         int width, int height);

#endif
