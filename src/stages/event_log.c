/* Writes TensorBoard's event files: records of length, checksum, a protobuf message, checksum. */
/* SPDX-License-Identifier: MIT */
#include "stages/event_log.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longest message: a tag of 100 bytes with what stands around it. */
enum { MAX_MESSAGE = 256, MAX_TAG = 100 };

/* Field numbers of Event, Summary and Summary.Value, with the wire type. */
enum {
    WALL_TIME = 1 << 3 | 1,
    STEP = 2 << 3 | 0,
    FILE_VERSION = 3 << 3 | 2,
    SUMMARY = 5 << 3 | 2,
    VALUE = 1 << 3 | 2,
    TAG = 1 << 3 | 2,
    SIMPLE_VALUE = 2 << 3 | 5
};

struct rv_event_log {
    FILE *file;
    char *path;
};

typedef struct message {
    uint8_t bytes[MAX_MESSAGE];
    size_t n;
} message;

/* --- checksums ------------------------------------------------------------------------------- */

uint32_t rv_masked_crc32c(const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc & 1) != 0 ? crc >> 1 ^ UINT32_C(0x82F63B78) : crc >> 1;
        }
    }
    crc = ~crc;
    return (crc >> 15 | crc << 17) + UINT32_C(0xA282EAD8);
}

/* --- messages -------------------------------------------------------------------------------- */

static void put_little_endian(message *m, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        m->bytes[m->n++] = (uint8_t)(value >> (8 * i));
    }
}

static void put_varint(message *m, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        m->bytes[m->n++] = (uint8_t)(value | 0x80);
    }
    m->bytes[m->n++] = (uint8_t)value;
}

static void put_bytes(message *m, int field, const void *bytes, size_t n)
{
    put_varint(m, (uint64_t)field);
    put_varint(m, n);
    memcpy(m->bytes + m->n, bytes, n);
    m->n += n;
}

static void put_double(message *m, int field, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_varint(m, (uint64_t)field);
    put_little_endian(m, bits, 8);
}

static void put_float(message *m, int field, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_varint(m, (uint64_t)field);
    put_little_endian(m, bits, 4);
}

/* --- records --------------------------------------------------------------------------------- */

static rv_status write_record(rv_event_log *log, const message *m)
{
    message head = {{0}, 0}, tail = {{0}, 0};
    put_little_endian(&head, m->n, 8);
    put_little_endian(&head, rv_masked_crc32c(head.bytes, 8), 4);
    put_little_endian(&tail, rv_masked_crc32c(m->bytes, m->n), 4);
    const bool written = fwrite(head.bytes, 1, head.n, log->file) == head.n &&
                         fwrite(m->bytes, 1, m->n, log->file) == m->n &&
                         fwrite(tail.bytes, 1, tail.n, log->file) == tail.n &&
                         fflush(log->file) == 0;
    return written ? RV_OK
                   : rv_fail(RV_ERR_IO, "%s cannot be written: %s", log->path, strerror(errno));
}

rv_status rv_event_log_scalar(rv_event_log *log, int64_t step, const char *tag, double value)
{
    message inner = {{0}, 0}, summary = {{0}, 0}, event = {{0}, 0};
    const size_t n = strlen(tag);
    put_bytes(&inner, TAG, tag, n < MAX_TAG ? n : MAX_TAG);
    put_float(&inner, SIMPLE_VALUE, (float)value);
    put_bytes(&summary, VALUE, inner.bytes, inner.n);
    put_double(&event, WALL_TIME, rv_wall_clock());
    put_varint(&event, STEP);
    put_varint(&event, (uint64_t)step);
    put_bytes(&event, SUMMARY, summary.bytes, summary.n);
    return write_record(log, &event);
}

static rv_status write_version(rv_event_log *log)
{
    static const char version[] = "brain.Event:2";
    message event = {{0}, 0};
    put_double(&event, WALL_TIME, rv_wall_clock());
    put_bytes(&event, FILE_VERSION, version, sizeof version - 1);
    return write_record(log, &event);
}

rv_status rv_event_log_open(rv_event_log **out, const char *folder)
{
    rv_event_log *log;
    char process[128];
    *out = NULL;
    rv_process_name(process, sizeof process);
    RV_TRY(rv_alloc(&log, 1, sizeof *log, "an event file"));
    rv_status status = rv_format(&log->path, "%s/" RV_EVENT_LOG_PREFIX "%010lld.%s.0", folder,
                                 (long long)rv_wall_clock(), process);
    if (status == RV_OK) {
        log->file = fopen(log->path, "ab");
        status = log->file != NULL
                     ? write_version(log)
                     : rv_fail(RV_ERR_IO, "%s cannot be written: %s", log->path, strerror(errno));
    }
    if (status != RV_OK) {
        rv_event_log_close(log);
        return status;
    }
    *out = log;
    return RV_OK;
}

void rv_event_log_close(rv_event_log *log)
{
    if (log != NULL) {
        if (log->file != NULL) {
            fclose(log->file);
        }
        free(log->path);
        free(log);
    }
}
