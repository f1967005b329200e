/* Curves for TensorBoard: an event file that grows record by record. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_EVENT_LOG_H
#define RV_STAGES_EVENT_LOG_H

#include <reverie/status.h>
#include <stddef.h>
#include <stdint.h>

/** How the names of its files begin. */
#define RV_EVENT_LOG_PREFIX "events.out.tfevents."

typedef struct rv_event_log rv_event_log;

/** A new file in `folder`, named by time, host and process as TensorBoard looks for it. */
RV_NODISCARD rv_status rv_event_log_open(rv_event_log **out, const char *folder);
/** NULL is fine. */
void rv_event_log_close(rv_event_log *log);
/** Adds a value to the curve `tag` and flushes it, so that a run that goes on shows. RV_ERR_IO */
RV_NODISCARD rv_status rv_event_log_scalar(rv_event_log *log, int64_t step, const char *tag,
                                           double value);

/** CRC-32C (Castagnoli) of n bytes, masked as records store it. */
uint32_t rv_masked_crc32c(const void *bytes, size_t n);

#endif
