/* Finds a class of a model by what people call it: its index, name, id, or a part of its name. */
/* SPDX-License-Identifier: MIT */
#include "stages/class_name.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Classes that a message names at most. */
enum { MAX_NAMED = 6 };

/* How well a text names a class. */
typedef enum fit { NOT, PART, NAME, WHOLE } fit;

/* Whether `text` is in `label`, in letters of either case. */
static bool holds(const char *label, const char *text)
{
    const size_t n = strlen(text);
    for (; *label != '\0'; label++) {
        if (strncasecmp(label, text, n) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether `text` is one of the names that a label lists with commas. */
static bool is_name(const char *label, const char *text)
{
    const size_t n = strlen(text);
    for (;;) {
        label += strspn(label, ", ");
        const size_t length = strcspn(label, ",");
        if (length == 0) {
            return false;
        }
        if (length == n && strncasecmp(label, text, n) == 0) {
            return true;
        }
        label += length;
    }
}

static fit fit_of(const rv_model *model, int index, const char *text)
{
    const char *label = rv_model_label(model, index), *id = rv_model_class(model, index);
    if ((label != NULL && strcasecmp(label, text) == 0) ||
        (id != NULL && strcasecmp(id, text) == 0)) {
        return WHOLE;
    }
    if (label != NULL && is_name(label, text)) {
        return NAME;
    }
    return label != NULL && holds(label, text) ? PART : NOT;
}

static rv_status fail_several(const rv_model *model, const char *text, fit best, int n)
{
    rv_text names = {0};
    int said = 0;
    for (int i = 0; i < rv_model_label_count(model) && said < MAX_NAMED; i++) {
        if (fit_of(model, i, text) == best) {
            rv_text_append(&names, "%s%d '%s'", said++ > 0 ? ", " : "", i,
                           rv_model_label(model, i));
        }
    }
    rv_status status = rv_text_status(&names);
    if (status == RV_OK) {
        status =
            rv_fail(RV_ERR_USAGE, "'%.100s' may be any of %d classes of %s: %s%s; give a number",
                    text, n, rv_model_name(model), names.data, n > MAX_NAMED ? ", ..." : "");
    }
    rv_text_release(&names);
    return status;
}

static rv_status fail_none(const rv_model *model, const char *text)
{
    const int n = rv_model_label_count(model);
    const char **labels;
    if (n == 0) {
        return rv_fail(RV_ERR_NOT_FOUND, "%s knows no names of its classes: give the number of one",
                       rv_model_name(model));
    }
    RV_TRY(rv_alloc(&labels, (size_t)n, sizeof *labels, "class names"));
    for (int i = 0; i < n; i++) {
        labels[i] = rv_model_label(model, i);
    }
    const int nearest = rv_nearest(text, labels, (size_t)n);
    const rv_status status =
        rv_fail(RV_ERR_NOT_FOUND, "%s has no class '%.100s'; the nearest of its %d is %d '%s'",
                rv_model_name(model), text, n, nearest, labels[nearest]);
    free(labels);
    return status;
}

static rv_status take_index(int *out, const rv_model *model, int n_classes, const char *text)
{
    const long index = strtol(text, NULL, 10);
    if (index >= n_classes) {
        return rv_fail(RV_ERR_NOT_FOUND, "%s has %d classes, from 0 to %d: there is no class %s",
                       rv_model_name(model), n_classes, n_classes - 1, text);
    }
    *out = (int)index;
    return RV_OK;
}

rv_status rv_class_find(int *out, const rv_model *model, int n_classes, const char *text)
{
    fit best = NOT;
    int n = 0;
    *out = -1;
    if (isdigit((unsigned char)text[0]) && text[strspn(text, "0123456789")] == '\0') {
        return take_index(out, model, n_classes, text);
    }
    for (int i = 0; i < rv_model_label_count(model) && i < n_classes; i++) {
        const fit f = fit_of(model, i, text);
        if (f > best) {
            best = f;
            n = 0;
        }
        if (f == best && f != NOT) {
            *out = n++ == 0 ? i : *out;
        }
    }
    if (best == NOT) {
        return fail_none(model, text);
    }
    return n == 1 ? RV_OK : fail_several(model, text, best, n);
}
