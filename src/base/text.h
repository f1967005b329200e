/* Growing text, formatted strings, and the nearest of several names. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_BASE_TEXT_H
#define RV_BASE_TEXT_H

#include <reverie/names.h>
#include <reverie/status.h>
#include <stdbool.h>
#include <stddef.h>

/** Text that grows; start from {0}. After a failed append `failed` is set, later appends do nothing,
 *  and `data` keeps what it had: check once at the end with rv_text_status(). */
typedef struct rv_text {
    char *data; /**< NUL-terminated once something was appended, else NULL */
    size_t length;
    size_t capacity;
    bool failed;
} rv_text;

void rv_text_append(rv_text *text, const char *format, ...) RV_PRINTF(2, 3);
void rv_text_append_bytes(rv_text *text, const void *bytes, size_t n);
/** A cell of a .csv table: in quotes where it has a comma, a quote or an end of a line. */
void rv_text_append_cell(rv_text *text, const char *cell);
RV_NODISCARD rv_status rv_text_status(const rv_text *text);
void rv_text_release(rv_text *text);

/** Formatted copy, freed with free(). */
RV_NODISCARD rv_status rv_format(char **out, const char *format, ...) RV_PRINTF(2, 3);

/** strtod() with a decimal point in every locale, as all of these functions read and write it. */
double rv_strtod(const char *text, char **end);

/** A number from text, whole string or failure (RV_ERR_USAGE naming `what`); "nan" and "inf" are
 *  none. */
RV_NODISCARD rv_status rv_parse_double(double *out, const char *text, double min, double max,
                                       const char *what);

#endif
