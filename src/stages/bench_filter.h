/* Which rows of a measurement are asked for. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_BENCH_FILTER_H
#define RV_STAGES_BENCH_FILTER_H

#include <reverie/status.h>
#include <stdbool.h>
#include <stddef.h>

/** Whether a case and its pass, as in "vgg conv3_2 backward_data", contain `filter`: letters of either size, and '*' for
 *  anything between. NULL: always. */
bool rv_bench_wanted(const char *filter, const char *name, const char *pass);

/** Refuses a filter that leaves nothing to measure.
 *  @param task   "bench conv"
 *  @param names  of the i-th of n cases */
RV_NODISCARD rv_status rv_bench_nothing_wanted(const char *filter, const char *task,
                                               const char *(*names)(const void *cases, size_t i),
                                               const void *cases, size_t n);

#endif
