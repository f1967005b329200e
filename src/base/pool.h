/* Worker threads for host work: decoding, packing, compiling. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_BASE_POOL_H
#define RV_BASE_POOL_H

#include <reverie/status.h>
#include <stddef.h>

/** Runs job(payload, i) for i in [0, n) on up to `threads` threads (0: one per processor), the calling
 *  thread included, and waits. After a failure no new index is started; the message of the lowest
 *  failing index becomes the caller's. */
RV_NODISCARD rv_status rv_parallel_for(size_t n, int threads,
                                       rv_status (*job)(void *payload, size_t i), void *payload);

#endif
