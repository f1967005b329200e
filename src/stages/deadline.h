/* The time that a part of a run may take, where the whole has a limit. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_DEADLINE_H
#define RV_STAGES_DEADLINE_H

#include <reverie/events.h>
#include <stdbool.h>

/** rv_clock() by which a part is to end that has `share` of all work up to its end: each size has its share of the time,
 *  so that the last one, which shows most, is not left without. Some is kept for making the result.
 *  @param start          rv_clock() at the start of the whole, less what earlier runs took.
 *  @param limit          seconds for the whole; 0: none, which gives 0.
 *  @param width, height  of the result. */
double rv_deadline(double start, double limit, double share, int width, int height);
/** Whether something that takes `seconds` from `now` on would end behind a deadline; never where that is 0. */
bool rv_deadline_passes(double deadline, double now, double seconds);
/** Says how far a size came. */
void rv_deadline_say(const rv_events *events, int size, int done, int wanted);

#endif
