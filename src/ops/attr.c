/* Fills an operation's attribute struct from named values, checked against its table. */
/* SPDX-License-Identifier: MIT */
#include "ops/attr.h"
#include "base/error.h"

#include <math.h>
#include <string.h>

enum { MAX_ROWS = 32 };

static void store(void *fields, const rv_attr *row, int i, double value)
{
    void *at = (char *)fields + row->offset;
    if (row->type == RV_ATTR_FLOAT) {
        ((float *)at)[i] = (float)value;
    } else {
        ((int32_t *)at)[i] = (int32_t)value;
    }
}

const rv_attr *rv_attr_find(const rv_attr *table, const char *name)
{
    for (const rv_attr *row = table; row != NULL && row->name != NULL; row++) {
        if (strcmp(row->name, name) == 0) {
            return row;
        }
    }
    return NULL;
}

static rv_status fail_unknown(const rv_attr *table, const char *name, const char *node)
{
    const char *names[MAX_ROWS];
    size_t n = 0;
    for (const rv_attr *row = table; row != NULL && row->name != NULL && n < MAX_ROWS; row++) {
        names[n++] = row->name;
    }
    if (n == 0) {
        return rv_fail(RV_ERR_USAGE, "'%s': there is no attribute '%s', nor any other", node, name);
    }
    return rv_fail(RV_ERR_USAGE, "'%s': there is no attribute '%s'; the nearest is '%s'", node,
                   name, names[rv_nearest(name, names, n)]);
}

static rv_status set_enum(void *fields, const rv_attr *row, const rv_attr_value *value,
                          const char *node)
{
    size_t n = 0;
    for (; row->names[n] != NULL; n++) {
        if (value->text != NULL && strcmp(row->names[n], value->text) == 0) {
            store(fields, row, 0, (double)n);
            return RV_OK;
        }
    }
    const char *given = value->text != NULL ? value->text : "";
    return rv_fail(RV_ERR_USAGE, "'%s': %s cannot be '%s'; the nearest is '%s'", node, row->name,
                   given, row->names[rv_nearest(given, row->names, n)]);
}

static rv_status set_numbers(void *fields, const rv_attr *row, const rv_attr_value *value,
                             const char *node)
{
    if (value->count != row->count && value->count != 1) {
        return rv_fail(RV_ERR_USAGE, "'%s': %s takes %d values, not %d", node, row->name,
                       row->count, value->count);
    }
    for (int i = 0; i < row->count; i++) {
        const double x = value->number[value->count == 1 ? 0 : i];
        if (!(x >= row->min && x <= row->max)) {
            return rv_fail(RV_ERR_USAGE, "'%s': %s is %g, outside %g to %g", node, row->name, x,
                           row->min, row->max);
        }
        if (row->type == RV_ATTR_INT && x != floor(x)) {
            return rv_fail(RV_ERR_USAGE, "'%s': %s is %g, but takes whole numbers", node, row->name,
                           x);
        }
        store(fields, row, i, x);
    }
    return RV_OK;
}

rv_status rv_attrs_set(void *fields, const rv_attr *table, const rv_attr_value *values, size_t n,
                       const char *node)
{
    for (const rv_attr *row = table; row != NULL && row->name != NULL; row++) {
        for (int i = 0; i < row->count; i++) {
            store(fields, row, i, row->initial);
        }
    }
    for (size_t v = 0; v < n; v++) {
        const rv_attr *row = rv_attr_find(table, values[v].name);
        if (row == NULL) {
            return fail_unknown(table, values[v].name, node);
        }
        if ((row->type == RV_ATTR_ENUM) != (values[v].type == RV_ATTR_ENUM)) {
            return rv_fail(RV_ERR_USAGE, "'%s': %s takes %s", node, row->name,
                           row->type == RV_ATTR_ENUM ? "a word" : "numbers");
        }
        RV_TRY(row->type == RV_ATTR_ENUM ? set_enum(fields, row, &values[v], node)
                                         : set_numbers(fields, row, &values[v], node));
    }
    return RV_OK;
}

static double value_at(const void *fields, const rv_attr *row, int i)
{
    const void *at = (const char *)fields + row->offset;
    return row->type == RV_ATTR_FLOAT ? (double)((const float *)at)[i]
                                      : (double)((const int32_t *)at)[i];
}

static int count_of(const rv_attr *row)
{
    return row->type == RV_ATTR_ENUM ? 1 : row->count;
}

static bool is_default(const void *fields, const rv_attr *row)
{
    const double initial = row->type == RV_ATTR_FLOAT ? (double)(float)row->initial : row->initial;
    for (int i = 0; i < count_of(row); i++) {
        if (value_at(fields, row, i) != initial) {
            return false;
        }
    }
    return true;
}

void rv_attrs_describe(rv_text *text, const void *fields, const rv_attr *table)
{
    for (const rv_attr *row = table; row != NULL && row->name != NULL; row++) {
        for (int i = 0; i < count_of(row) && !is_default(fields, row); i++) {
            rv_text_append(text, i == 0 ? " %s=%.9g" : "%.0s,%.9g", row->name,
                           value_at(fields, row, i));
        }
    }
}

void rv_attrs_print(rv_text *text, const void *fields, const rv_attr *table)
{
    for (const rv_attr *row = table; row != NULL && row->name != NULL; row++) {
        if (is_default(fields, row)) {
            continue;
        }
        const double first = value_at(fields, row, 0);
        if (row->type == RV_ATTR_ENUM) {
            rv_text_append(text, " %s=%s", row->name, row->names[(int)first]);
            continue;
        }
        int shown = 1;
        for (int i = 1; i < row->count; i++) {
            shown = value_at(fields, row, i) != first ? row->count : shown;
        }
        for (int i = 0; i < shown; i++) {
            rv_text_append(text, i == 0 ? " %s=%g" : "%.0s,%g", row->name,
                           value_at(fields, row, i));
        }
    }
}
