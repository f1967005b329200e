/* The message of the last failure, one per thread, in a fixed buffer so that failing never allocates. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char current[RV_ERROR_BYTES];

const char *rv_error_message(void)
{
    return current;
}

const char *rv_status_name(rv_status status)
{
    switch (status) {
    case RV_OK:
        return "OK";
    case RV_ERR_USAGE:
        return "USAGE";
    case RV_ERR_NOT_FOUND:
        return "NOT_FOUND";
    case RV_ERR_IO:
        return "IO";
    case RV_ERR_FORMAT:
        return "FORMAT";
    case RV_ERR_UNSUPPORTED:
        return "UNSUPPORTED";
    case RV_ERR_SHAPE:
        return "SHAPE";
    case RV_ERR_MEMORY:
        return "MEMORY";
    case RV_ERR_DEVICE_MEMORY:
        return "DEVICE_MEMORY";
    case RV_ERR_DEVICE:
        return "DEVICE";
    case RV_ERR_CANCELLED:
        return "CANCELLED";
    case RV_ERR_INTERNAL:
        return "INTERNAL";
    }
    return "UNKNOWN";
}

void rv_error_set(const char *format, ...)
{
    /* Formatted aside: an argument may be the current message itself. */
    char text[RV_ERROR_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    memcpy(current, text, sizeof current);
}

rv_status rv_fail_context(rv_status status, const char *format, ...)
{
    char text[RV_ERROR_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text - 2, format, args);
    va_end(args);
    size_t length = strlen(text);
    text[length++] = ':';
    text[length++] = ' ';
    const size_t rest = strlen(current);
    const size_t kept = rest < sizeof text - 1 - length ? rest : sizeof text - 1 - length;
    memcpy(text + length, current, kept);
    text[length + kept] = '\0';
    memcpy(current, text, length + kept + 1);
    return status;
}

void rv_error_save(rv_error *out, rv_status status)
{
    out->status = status;
    memcpy(out->message, current, sizeof out->message);
}

rv_status rv_error_restore(const rv_error *error)
{
    memcpy(current, error->message, sizeof current);
    return error->status;
}
