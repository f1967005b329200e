/* Null-safe calls of a caller's rv_events. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_BASE_EVENT_H
#define RV_BASE_EVENT_H

#include <reverie/events.h>

/** Formats one line for events->log; nothing where there is none. */
void rv_log(const rv_events *events, rv_log_level level, const char *format, ...) RV_PRINTF(3, 4);
void rv_report(const rv_events *events, const rv_progress *progress);
bool rv_cancelled(const rv_events *events);
/** RV_ERR_CANCELLED where rv_cancelled(). */
RV_NODISCARD rv_status rv_check_cancelled(const rv_events *events);

#endif
