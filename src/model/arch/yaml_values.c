/* Values in YAML: of attributes by their rows, initialisers and names. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "model/arch/reader.h"

#include <math.h>
#include <stdio.h>

enum { MAX_WHAT = 128 };

#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./"

rv_status rv_read_whole(int32_t *out, const rv_reader *r, const yaml_node_t *node, double min,
                        double max, const char *what)
{
    double x;
    RV_TRY(rv_yaml_number(&x, &r->yaml, node, min, max, what));
    *out = (int32_t)x;
    return x == floor(x) ? RV_OK : rv_yaml_fail(&r->yaml, node, "%s takes whole numbers", what);
}

static rv_status read_choice(rv_attr_value *out, const rv_reader *r, const rv_attr *row,
                             const yaml_node_t *node, const char *what)
{
    const char *text = rv_yaml_text(node);
    size_t n = 0;
    for (; row->names[n] != NULL; n++) {
        if (text != NULL && strcmp(text, row->names[n]) == 0) {
            out->text = row->names[n];
            return RV_OK;
        }
    }
    text = text != NULL ? text : "";
    return rv_yaml_fail(&r->yaml, node, "%s cannot be '%.60s'; the nearest is '%s'", what, text,
                        row->names[rv_nearest(text, row->names, n)]);
}

/* A number; "classes" is how many there are, "true" and "false" are 1 and 0. */
static rv_status read_number(double *out, const rv_reader *r, const rv_attr *row,
                             const yaml_node_t *node, const char *what)
{
    const char *text = rv_yaml_text(node);
    if (text != NULL && strcmp(text, "classes") == 0) {
        *out = r->shape.classes;
        return r->shape.classes > 0
                   ? RV_OK
                   : rv_yaml_fail(&r->yaml, node,
                                  "how many classes are there? Write 'classes: 10' at the top of "
                                  "the file, or give --classes 10");
    }
    if (row->type == RV_ATTR_INT && row->min == 0 && row->max == 1 && text != NULL &&
        (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)) {
        *out = text[0] == 't';
        return RV_OK;
    }
    RV_TRY(rv_yaml_number(out, &r->yaml, node, row->min, row->max, what));
    return row->type != RV_ATTR_INT || *out == floor(*out)
               ? RV_OK
               : rv_yaml_fail(&r->yaml, node, "%s takes whole numbers", what);
}

rv_status rv_read_attr(rv_attr_value *out, rv_reader *r, const rv_attr *row,
                       const yaml_node_t *node, const char *owner)
{
    char what[MAX_WHAT];
    snprintf(what, sizeof what, "'%s' of %s", row->name, owner);
    *out = (rv_attr_value){.name = row->name, .type = row->type, .count = 1};
    if (row->type == RV_ATTR_ENUM) {
        return read_choice(out, r, row, node, what);
    }
    if (node->type != YAML_SEQUENCE_NODE) {
        return read_number(&out->number[0], r, row, node, what);
    }
    const yaml_node_item_t *item = node->data.sequence.items.start;
    const ptrdiff_t n = node->data.sequence.items.top - item;
    if (n != row->count) {
        return rv_yaml_fail(&r->yaml, node, "%s takes one number or %d, not %td", what, row->count,
                            n);
    }
    out->count = row->count;
    for (int i = 0; i < row->count; i++) {
        RV_TRY(read_number(&out->number[i], r, row, rv_yaml_node(&r->yaml, item[i]), what));
    }
    return RV_OK;
}

rv_status rv_read_initializer(rv_initializer *out, const rv_reader *r, const yaml_node_t *node)
{
    const char *text = rv_yaml_text(node);
    if (text == NULL) {
        return rv_yaml_fail(&r->yaml, node, "'init' is a word, as in 'he-normal'");
    }
    const rv_status status = rv_initializer_find(out, text);
    return status == RV_OK
               ? RV_OK
               : rv_fail_context(RV_ERR_FORMAT, "%s:%zu", r->yaml.name, node->start_mark.line + 1);
}

rv_status rv_read_name(const char **out, const rv_reader *r, const yaml_node_t *node)
{
    const char *text = rv_yaml_text(node);
    const size_t n = text != NULL ? strlen(text) : 0;
    *out = text;
    if (n == 0 || n >= RV_ARCH_NAME / 2 || strspn(text, NAME_LETTERS) != n || text[0] == '/' ||
        text[n - 1] == '/' || strcmp(text, "input") == 0) {
        return rv_yaml_fail(&r->yaml, node,
                            "a name has 1 to %d letters, digits, '_', '-', '.' or, inside, '/', "
                            "and is not 'input'",
                            RV_ARCH_NAME / 2 - 1);
    }
    return RV_OK;
}
