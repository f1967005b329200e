/* Threads that make things ahead of their use, which are handed on in order: pictures, batches. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_BASE_AHEAD_H
#define RV_BASE_AHEAD_H

#include <reverie/status.h>
#include <stdint.h>

/** Thing number i lies in slot i % slots, whichever thread made it. */
typedef struct rv_ahead rv_ahead;

typedef struct rv_ahead_options {
    int slots;   /**< things that are there at a time, the one in use among them; 2 or more */
    int threads; /**< that make them; 0: by processors; at most 4 */
    int64_t first, end; /**< numbers; of `end` and what is behind it nothing is made */
    uint64_t limit;     /**< no thread begins while what is there weighs more; 0: no limit */
    /** Makes thing `number`, by any thread. @return its weight, for `limit` */
    uint64_t (*make)(void *payload, int64_t number, int slot);
    void *payload;
} rv_ahead_options;

/** Starts the threads, which take no signals. RV_ERR_MEMORY: none can be started. */
RV_NODISCARD rv_status rv_ahead_create(rv_ahead **out, const rv_ahead_options *options);
/** Waits for what threads are making; NULL is fine. */
void rv_ahead_destroy(rv_ahead *ahead);

/** Waits for the next thing. The one before, which the caller had until now, may be made over.
 *  @return its slot, -1 behind the last */
int rv_ahead_next(rv_ahead *ahead);

#endif
