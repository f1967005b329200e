/* Which rows of a measurement are asked for. */
/* SPDX-License-Identifier: MIT */
#include "stages/bench_filter.h"

#include "base/error.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Each piece between stars at the first place after the one before it: if any places will do, these will. */
static bool contains(const char *text, const char *pattern)
{
    for (;;) {
        const size_t length = strcspn(pattern, "*");
        while (strncasecmp(text, pattern, length) != 0) {
            if (*text++ == '\0') {
                return false;
            }
        }
        text += length;
        pattern += length;
        if (*pattern++ == '\0') {
            return true;
        }
    }
}

bool rv_bench_wanted(const char *filter, const char *name, const char *pass)
{
    char text[160];
    snprintf(text, sizeof text, "%s %s", name, pass);
    return filter == NULL || contains(text, filter);
}

rv_status rv_bench_nothing_wanted(const char *filter, const char *task,
                                  const char *(*names)(const void *cases, size_t i),
                                  const void *cases, size_t n)
{
    rv_text list = {0};
    for (size_t i = 0; i < n; i++) {
        rv_text_append(&list, "%s%s", i > 0 ? "; " : "", names(cases, i));
    }
    rv_status status = rv_text_status(&list);
    if (status == RV_OK) {
        status = rv_fail(RV_ERR_USAGE, "no row of %s matches '%.60s'; its cases are: %s", task,
                         filter, list.data);
    }
    rv_text_release(&list);
    return status;
}
