/* Checks a parsed prototxt against tables of field names, and reads values of checked fields. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/text.h"
#include "model/prototxt.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool parse_int(int32_t *out, const char *text)
{
    char *end;
    errno = 0;
    const long long value = strtoll(text, &end, 0);
    if (end == text || *end != '\0' || errno != 0 || value < INT32_MIN || value > INT32_MAX) {
        return false;
    }
    *out = (int32_t)value;
    return true;
}

/* The text form allows a C suffix: 0.5f. */
static bool parse_float(double *out, const char *text)
{
    char *end;
    *out = rv_strtod(text, &end);
    if (end != text && (*end == 'f' || *end == 'F')) {
        end++;
    }
    return end != text && *end == '\0' && isfinite(*out);
}

static bool parse_bool(bool *out, const char *text)
{
    static const char *const words[] = {"false", "true", "False", "True", "f", "t", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = i % 2 == 1;
            return true;
        }
    }
    return false;
}

/* What a value should have been, NULL where it is right. */
static const char *fault(const rv_prototxt_field *f, rv_prototxt_kind kind)
{
    int32_t i;
    double x;
    bool b;
    if (kind == RV_PROTOTXT_MESSAGE) {
        return f->text == NULL ? NULL : "a message in braces";
    }
    if (f->text == NULL) {
        return kind == RV_PROTOTXT_ANY ? NULL : "a value, no message";
    }
    switch (kind) {
    case RV_PROTOTXT_INT:
        return !f->quoted && parse_int(&i, f->text) ? NULL : "a whole number of 32 bits";
    case RV_PROTOTXT_FLOAT:
        return !f->quoted && parse_float(&x, f->text) ? NULL : "a finite number";
    case RV_PROTOTXT_BOOL:
        return !f->quoted && parse_bool(&b, f->text) ? NULL : "true or false";
    case RV_PROTOTXT_STRING:
        return f->quoted ? NULL : "a text in quotes";
    case RV_PROTOTXT_WORD:
        return f->text[0] != '\0' ? NULL : "a word";
    default:
        return NULL;
    }
}

static rv_status fail_unknown(const rv_prototxt *doc, size_t index, size_t in,
                              const rv_prototxt_rule *rules)
{
    const char *names[RV_PROTOTXT_MAX_RULES];
    size_t n = 0;
    while (rules[n].name != NULL) {
        names[n] = rules[n].name;
        n++;
    }
    const char *name = doc->fields[index].name;
    const char *message = doc->fields[in].name;
    return rv_prototxt_fail(
        doc, index, RV_ERR_FORMAT, "there is no field '%.80s' in %s; the nearest is '%s'", name,
        message[0] != '\0' ? message : "a network", names[rv_nearest(name, names, n)]);
}

static rv_status check_message(const rv_prototxt *doc, size_t in, const rv_prototxt_rule *rules)
{
    size_t first[RV_PROTOTXT_MAX_RULES] = {0};
    for (size_t i = in + 1; i < doc->fields[in].end; i = doc->fields[i].end) {
        const rv_prototxt_field *f = &doc->fields[i];
        size_t r = 0;
        while (rules[r].name != NULL && strcmp(rules[r].name, f->name) != 0) {
            r++;
        }
        if (rules[r].name == NULL) {
            return fail_unknown(doc, i, in, rules);
        }
        const char *expected = fault(f, rules[r].kind);
        if (expected != NULL) {
            return rv_prototxt_fail(doc, i, RV_ERR_FORMAT, "%s takes %s%s%.80s%s", f->name,
                                    expected, f->text != NULL ? ", not '" : "",
                                    f->text != NULL ? f->text : "", f->text != NULL ? "'" : "");
        }
        if (first[r] != 0 && !rules[r].repeated) {
            return rv_prototxt_fail(doc, i, RV_ERR_FORMAT,
                                    "%s is given twice; it is in line %d already", f->name,
                                    doc->fields[first[r]].line);
        }
        first[r] = i;
        if (rules[r].kind == RV_PROTOTXT_MESSAGE) {
            RV_TRY(check_message(doc, i, rules[r].message));
        }
    }
    return RV_OK;
}

rv_status rv_prototxt_check(const rv_prototxt *doc, const rv_prototxt_rule *rules)
{
    return check_message(doc, RV_PROTOTXT_FILE, rules);
}

size_t rv_prototxt_find(const rv_prototxt *doc, size_t in, const char *name, size_t from)
{
    for (size_t i = from != 0 ? from : in + 1; i < doc->fields[in].end; i = doc->fields[i].end) {
        if (strcmp(doc->fields[i].name, name) == 0) {
            return i;
        }
    }
    return RV_PROTOTXT_NONE;
}

const char *rv_prototxt_text(const rv_prototxt *doc, size_t in, const char *name,
                             const char *initial)
{
    const size_t i = rv_prototxt_find(doc, in, name, 0);
    return i != RV_PROTOTXT_NONE ? doc->fields[i].text : initial;
}

int32_t rv_prototxt_int(const rv_prototxt *doc, size_t in, const char *name, int32_t initial)
{
    const char *text = rv_prototxt_text(doc, in, name, NULL);
    int32_t value = initial;
    return text != NULL && parse_int(&value, text) ? value : initial;
}

double rv_prototxt_float(const rv_prototxt *doc, size_t in, const char *name, double initial)
{
    const char *text = rv_prototxt_text(doc, in, name, NULL);
    double value;
    return text != NULL && parse_float(&value, text) ? value : initial;
}

bool rv_prototxt_bool(const rv_prototxt *doc, size_t in, const char *name, bool initial)
{
    const char *text = rv_prototxt_text(doc, in, name, NULL);
    bool value;
    return text != NULL && parse_bool(&value, text) ? value : initial;
}
