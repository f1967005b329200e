/* Attributes of operations: one table per operation gives names, types, ranges, defaults, help. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_OPS_ATTR_H
#define RV_OPS_ATTR_H

#include "base/text.h"
#include <stddef.h>
#include <stdint.h>

typedef enum rv_attr_type {
    RV_ATTR_INT,   /**< int32_t[count] */
    RV_ATTR_FLOAT, /**< float[count] */
    RV_ATTR_ENUM   /**< int32_t, one of `names` */
} rv_attr_type;

enum { RV_ATTR_MAX_COUNT = 12 };

/** One row of an operation's attribute table; the table ends with a row whose name is NULL. */
typedef struct rv_attr {
    const char *name;
    rv_attr_type type;
    size_t offset;            /**< of the field in the operation's attribute struct */
    int count;                /**< values in the field: kernel {rows, columns} has 2 */
    double initial;           /**< default of each value; index into names for an enum */
    double min, max;          /**< inclusive range of each value; unused for an enum */
    const char *const *names; /**< NULL-terminated, for an enum */
    const char *help;         /**< one line with the unit */
} rv_attr;

/** A value given for an attribute; made by the RV_SET_* macros or by an importer. */
typedef struct rv_attr_value {
    const char *name;
    rv_attr_type type;
    int count;
    double number[RV_ATTR_MAX_COUNT];
    const char *text; /**< for an enum */
} rv_attr_value;

#define RV_SET_(name, type, count, text, ...) \
    ((rv_attr_value){(name), (type), (count), {__VA_ARGS__}, (text)})
#define RV_SET_INT(name, a)     RV_SET_(name, RV_ATTR_INT, 1, NULL, (double)(a))
#define RV_SET_INT2(name, a, b) RV_SET_(name, RV_ATTR_INT, 2, NULL, (double)(a), (double)(b))
#define RV_SET_INT4(name, a, b, c, d) \
    RV_SET_(name, RV_ATTR_INT, 4, NULL, (double)(a), (double)(b), (double)(c), (double)(d))
#define RV_SET_FLOAT(name, a)     RV_SET_(name, RV_ATTR_FLOAT, 1, NULL, (double)(a))
#define RV_SET_FLOAT2(name, a, b) RV_SET_(name, RV_ATTR_FLOAT, 2, NULL, (double)(a), (double)(b))
#define RV_SET_FLOAT3(name, a, b, c) \
    RV_SET_(name, RV_ATTR_FLOAT, 3, NULL, (double)(a), (double)(b), (double)(c))
#define RV_SET_FLOAT4(name, a, b, c, d) \
    RV_SET_(name, RV_ATTR_FLOAT, 4, NULL, (double)(a), (double)(b), (double)(c), (double)(d))
#define RV_SET_ENUM(name, text) RV_SET_(name, RV_ATTR_ENUM, 1, text, 0.0)
/** Attributes for rv_graph_add(): array and count. */
#define RV_ATTRS(...)                     \
    (const rv_attr_value[]){__VA_ARGS__}, \
        (sizeof((const rv_attr_value[]){__VA_ARGS__}) / sizeof(rv_attr_value))
#define RV_NO_ATTRS NULL, (size_t)0

/** The row of that name, NULL: none. */
const rv_attr *rv_attr_find(const rv_attr *table, const char *name);

/** Fills `fields` with the defaults of `table`, then with `values`; `node` names the culprit in
 *  messages. One value given for a field of several sets all of them. RV_ERR_USAGE: unknown
 *  attribute (the nearest is named), wrong type or count, out of range. */
RV_NODISCARD rv_status rv_attrs_set(void *fields, const rv_attr *table, const rv_attr_value *values,
                                    size_t n, const char *node);

/** Appends " name=1,2" for each attribute whose values are not its defaults. */
void rv_attrs_describe(rv_text *text, const void *fields, const rv_attr *table);
/** The same for people: " kernel=3 pad_mode=reflect", with one number where all are equal. */
void rv_attrs_print(rv_text *text, const void *fields, const rv_attr *table);

#endif
