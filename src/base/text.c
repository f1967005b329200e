/* Growing text, formatted strings, the nearest name, numbers from text. */
/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "base/error.h"
#include "base/memory.h"

#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for n more bytes and the closing zero. */
static bool reserve(rv_text *text, size_t n)
{
    size_t needed;
    if (text->failed || !rv_size_add(&needed, text->length, n) ||
        !rv_size_add(&needed, needed, 1) ||
        rv_grow(&text->data, &text->capacity, needed, 1, "text") != RV_OK) {
        text->failed = true;
        return false;
    }
    return true;
}

/* This thread's numbers with a decimal point, whatever language the program that uses the library has chosen
 * for itself: setlocale(LC_ALL, "") in Germany writes 1,5. */
typedef struct point {
    locale_t own, before;
} point;

static point point_begin(void)
{
    point p = {.own = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0)};
    p.before = uselocale(p.own);
    return p;
}

static void point_end(point p)
{
    uselocale(p.before);
    if (p.own != (locale_t)0) {
        freelocale(p.own);
    }
}

double rv_strtod(const char *text, char **end)
{
    const point p = point_begin();
    const double value = strtod(text, end);
    point_end(p);
    return value;
}

static void append_list(rv_text *text, const char *format, va_list args)
{
    const point p = point_begin();
    va_list again;
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (n < 0) {
        text->failed = true;
    } else if (reserve(text, (size_t)n)) {
        vsnprintf(text->data + text->length, (size_t)n + 1, format, args);
        text->length += (size_t)n;
    }
    point_end(p);
}

void rv_text_append(rv_text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    append_list(text, format, args);
    va_end(args);
}

void rv_text_append_bytes(rv_text *text, const void *bytes, size_t n)
{
    if (reserve(text, n)) {
        if (n > 0) {
            memcpy(text->data + text->length, bytes, n);
        }
        text->length += n;
        text->data[text->length] = '\0';
    }
}

void rv_text_append_cell(rv_text *text, const char *cell)
{
    if (strpbrk(cell, ",\"\r\n") == NULL) {
        rv_text_append_bytes(text, cell, strlen(cell));
        return;
    }
    rv_text_append_bytes(text, "\"", 1);
    for (const char *p = cell; *p != '\0'; p++) {
        rv_text_append_bytes(text, *p == '"' ? "\"\"" : p, *p == '"' ? 2 : 1);
    }
    rv_text_append_bytes(text, "\"", 1);
}

rv_status rv_text_status(const rv_text *text)
{
    return text->failed ? rv_fail(RV_ERR_MEMORY,
                                  "not enough memory for a text of %zu bytes or more", text->length)
                        : RV_OK;
}

void rv_text_release(rv_text *text)
{
    free(text->data);
    *text = (rv_text){0};
}

rv_status rv_format(char **out, const char *format, ...)
{
    rv_text text = {0};
    va_list args;
    va_start(args, format);
    append_list(&text, format, args);
    va_end(args);
    *out = NULL;
    const rv_status status = rv_text_status(&text);
    if (status != RV_OK) {
        rv_text_release(&text);
        return status;
    }
    *out = text.data;
    return RV_OK;
}

/* Longer names are compared by their beginning. */
enum { NAME_BYTES = 128 };

/* Levenshtein's distance. */
static int distance(const char *a, const char *b)
{
    const size_t n = strnlen(b, NAME_BYTES);
    int row[NAME_BYTES + 1];
    for (size_t j = 0; j <= n; j++) {
        row[j] = (int)j;
    }
    for (size_t i = 0; i < NAME_BYTES && a[i] != '\0'; i++) {
        int diagonal = row[0];
        row[0]++;
        for (size_t j = 0; j < n; j++) {
            const int change = diagonal + (a[i] != b[j]);
            const int gap = (row[j] < row[j + 1] ? row[j] : row[j + 1]) + 1;
            diagonal = row[j + 1];
            row[j + 1] = change < gap ? change : gap;
        }
    }
    return row[n];
}

int rv_nearest(const char *wanted, const char *const *names, size_t n)
{
    int best = -1, best_distance = 0;
    for (size_t i = 0; i < n; i++) {
        const int d = distance(wanted, names[i]);
        if (best < 0 || d < best_distance) {
            best = (int)i;
            best_distance = d;
        }
    }
    return best;
}

rv_status rv_parse_double(double *out, const char *text, double min, double max, const char *what)
{
    char *end = NULL;
    const double value = rv_strtod(text, &end);
    /* strtod also takes hexadecimal, "nan" and "inf". */
    if (end == text || *end != '\0' || text[strspn(text, "0123456789.eE+-")] != '\0') {
        return rv_fail(RV_ERR_USAGE, "%s is '%s', must be a number", what, text);
    }
    if (!isfinite(value) || value < min || value > max) {
        return rv_fail(RV_ERR_USAGE, "%s is %s, must be from %g to %g", what, text, min, max);
    }
    *out = value;
    return RV_OK;
}
