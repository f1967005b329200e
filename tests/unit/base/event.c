/* Callbacks, where there are any. */
/* SPDX-License-Identifier: MIT */
#include "base/event.h"

#include <criterion/criterion.h>
#include <string.h>

typedef struct seen {
    rv_log_level level;
    char text[4096];
    int64_t done;
    int polls;
} seen;

static void on_log(void *payload, rv_log_level level, const char *text)
{
    seen *s = payload;
    s->level = level;
    cr_assert_lt(strlen(text), sizeof s->text);
    strcpy(s->text, text);
}

static void on_progress(void *payload, const rv_progress *progress)
{
    ((seen *)payload)->done = progress->done;
}

static bool on_poll(void *payload)
{
    return ++((seen *)payload)->polls > 1;
}

Test(event, callbacks_get_payload_and_text)
{
    seen s = {.done = 0};
    const rv_events events = {&s, on_log, on_progress, on_poll};
    rv_log(&events, RV_LOG_WARNING, "%d of %s", 3, "four");
    cr_assert_eq(s.level, RV_LOG_WARNING);
    cr_assert_str_eq(s.text, "3 of four");
    const rv_progress progress = {.task = "stylize", .done = 17};
    rv_report(&events, &progress);
    cr_assert_eq(s.done, 17);
    cr_assert(!rv_cancelled(&events));
    cr_assert(rv_cancelled(&events));
    cr_assert_eq(rv_check_cancelled(&events), RV_ERR_CANCELLED);
}

Test(event, long_lines_are_cut)
{
    seen s = {.done = 0};
    const rv_events events = {.payload = &s, .log = on_log};
    char text[10000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    rv_log(&events, RV_LOG_INFO, "%s", text);
    cr_assert_eq(strlen(s.text), 2047);
}

Test(event, no_events_and_no_callbacks_are_fine)
{
    const rv_events none = {0};
    const rv_progress progress = {.task = "x"};
    rv_log(NULL, RV_LOG_DEBUG, "x");
    rv_log(&none, RV_LOG_DEBUG, "x");
    rv_report(NULL, &progress);
    rv_report(&none, &progress);
    cr_assert(!rv_cancelled(NULL));
    cr_assert(!rv_cancelled(&none));
    cr_assert_eq(rv_check_cancelled(NULL), RV_OK);
}
