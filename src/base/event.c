/* Null-safe calls of a caller's callbacks. */
/* SPDX-License-Identifier: MIT */
#include "base/event.h"
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

void rv_log(const rv_events *events, rv_log_level level, const char *format, ...)
{
    if (events == NULL || events->log == NULL) {
        return;
    }
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    events->log(events->payload, level, text);
}

void rv_report(const rv_events *events, const rv_progress *progress)
{
    if (events != NULL && events->progress != NULL) {
        events->progress(events->payload, progress);
    }
}

bool rv_cancelled(const rv_events *events)
{
    return events != NULL && events->cancelled != NULL && events->cancelled(events->payload);
}

rv_status rv_check_cancelled(const rv_events *events)
{
    return rv_cancelled(events) ? rv_fail(RV_ERR_CANCELLED, "cancelled") : RV_OK;
}
