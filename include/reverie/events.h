/* Callbacks through which the library reports: it never prints and never exits. */
/* SPDX-License-Identifier: MIT */
#ifndef REVERIE_EVENTS_H
#define REVERIE_EVENTS_H

#include <reverie/status.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum rv_log_level { RV_LOG_WARNING, RV_LOG_INFO, RV_LOG_DEBUG } rv_log_level;

/** State of a long call. */
typedef struct rv_progress {
    const char *task;    /**< what is being done, for example "stylize 256 px"; borrowed */
    int64_t done;        /**< steps finished of this task */
    int64_t total;       /**< steps of this task, 0 if unknown */
    double fraction;     /**< share of the whole call that is done, 0 to 1 */
    double loss;         /**< current loss, NaN where there is none */
    double seconds_left; /**< estimate for the whole call, negative if unknown */
} rv_progress;

/** Callbacks of a caller; every member may be NULL, and so may a pointer to the struct.
 *  They run in the thread that made the call. */
typedef struct rv_events {
    void *payload; /**< handed back to each callback */
    void (*log)(void *payload, rv_log_level level, const char *text); /**< one line, no newline */
    void (*progress)(void *payload, const rv_progress *progress);     /**< after each step */
    bool (*cancelled)(void *payload); /**< polled about ten times a second; true: stop soon, keeping
                                           what there is */
} rv_events;

#ifdef __cplusplus
}
#endif
#endif
