/* How a sum over many values is cut into parts: by shapes only, so that it repeats. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_OPS_SUMS_H
#define RV_OPS_SUMS_H

#include <stdint.h>

/** Parts that a sum over n values has: enough to keep a device busy, few enough for one work-item to add up. The
 *  kernels find their share with rv_share_of() of lanes.clh. */
static inline int32_t rv_sum_parts(int32_t n)
{
    enum { SHARE = 1024, MOST = 64 };
    const int32_t parts = n / SHARE + (n % SHARE != 0);
    return parts < MOST ? parts : MOST;
}

#endif
