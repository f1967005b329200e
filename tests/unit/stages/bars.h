/* Pictures that a small network learns fast, for the tests of training. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_TESTS_STAGES_BARS_H
#define RV_TESTS_STAGES_BARS_H

enum { BARS_SIDE = 8, BARS_MOST = 200 };

/** Writes `n` pictures as IDX files into the folder "set" of the test: noise with a bright bar, upright for class 0, lying
 *  for class 1 and none for class 2.
 *  @param n  up to BARS_MOST @param classes  2 or 3 */
void write_bars(int n, int classes);

#endif
