/* Plays a plan through without running it, to see that no step finds its memory overwritten. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_TESTS_GRAPH_PLAY_H
#define RV_TESTS_GRAPH_PLAY_H

/** Two runs of `plan` (build.h): all that is read is what was written for it, and what the caller sees is
 *  there when the caller looks. Fails the test otherwise. */
void play_plan(void);

#endif
