/* Pictures that a small network learns fast, and training with them. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_TESTS_STAGES_BARS_H
#define RV_TESTS_STAGES_BARS_H

#include <reverie/train.h>

enum { BARS_SIDE = 8, BARS_MOST = 200 };

extern rv_device *bars_device; /**< from bars_open() to bars_close() */

/** Opens a device, and writes `n` pictures as IDX files into the folder "set" of the test: noise with a bright bar,
 *  upright for class 0, lying for class 1 and none for class 2.
 *  @param n  up to BARS_MOST @param classes  2 or 3 */
void bars_open(int n, int classes);
void bars_close(void);

/** Four epochs of Adam with batches of 16. */
rv_train_options bars_options(const char *architecture);
/** rv_train() with the pictures. @param folder  name in that of the test */
rv_status bars_train(rv_train_result *result, const char *folder, const rv_train_options *options);

#endif
