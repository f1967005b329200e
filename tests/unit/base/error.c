/* Messages of failures: wording, truncation, context, threads. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

Test(error, no_message_before_any_failure)
{
    cr_assert_str_eq(rv_error_message(), "");
}

Test(error, fail_returns_its_status_and_keeps_the_message)
{
    cr_assert_eq(rv_fail(RV_ERR_SHAPE, "layer '%s' has %d channels", "conv1", 3), RV_ERR_SHAPE);
    cr_assert_str_eq(rv_error_message(), "layer 'conv1' has 3 channels");
}

Test(error, a_message_may_quote_the_message_before_it)
{
    (void)rv_fail(RV_ERR_IO, "inner");
    (void)rv_fail(RV_ERR_IO, "outer (%s)", rv_error_message());
    cr_assert_str_eq(rv_error_message(), "outer (inner)");
}

Test(error, long_messages_are_cut_and_terminated)
{
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    (void)rv_fail(RV_ERR_IO, "%s", text);
    cr_assert_eq(strlen(rv_error_message()), RV_ERROR_BYTES - 1);
}

Test(error, context_goes_in_front)
{
    (void)rv_fail(RV_ERR_FORMAT, "bad magic");
    cr_assert_eq(rv_fail_context(RV_ERR_FORMAT, "reading %s", "a.png"), RV_ERR_FORMAT);
    cr_assert_str_eq(rv_error_message(), "reading a.png: bad magic");
}

Test(error, context_around_a_full_message_stays_within_the_buffer)
{
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    (void)rv_fail(RV_ERR_IO, "%s", text);
    (void)rv_fail_context(RV_ERR_IO, "file");
    cr_assert_eq(strlen(rv_error_message()), RV_ERROR_BYTES - 1);
    cr_assert(strncmp(rv_error_message(), "file: xxx", 9) == 0);
    (void)rv_fail_context(RV_ERR_IO, "%s", text);
    cr_assert_eq(strlen(rv_error_message()), RV_ERROR_BYTES - 1);
}

Test(error, saved_messages_survive_later_failures)
{
    rv_error saved;
    rv_error_save(&saved, rv_fail(RV_ERR_MEMORY, "first"));
    (void)rv_fail(RV_ERR_IO, "while cleaning up");
    cr_assert_eq(rv_error_restore(&saved), RV_ERR_MEMORY);
    cr_assert_str_eq(rv_error_message(), "first");
}

static void *fail_elsewhere(void *payload)
{
    rv_error_save(payload, rv_fail(RV_ERR_FORMAT, "from another thread"));
    return NULL;
}

Test(error, each_thread_has_its_own_message_and_can_hand_it_over)
{
    (void)rv_fail(RV_ERR_IO, "mine");
    rv_error theirs;
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, fail_elsewhere, &theirs), 0);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert_str_eq(rv_error_message(), "mine");
    cr_assert_eq(rv_error_restore(&theirs), RV_ERR_FORMAT);
    cr_assert_str_eq(rv_error_message(), "from another thread");
}

Test(error, statuses_have_the_names_of_the_header)
{
    cr_assert_str_eq(rv_status_name(RV_OK), "OK");
    cr_assert_str_eq(rv_status_name(RV_ERR_DEVICE_MEMORY), "DEVICE_MEMORY");
    cr_assert_str_eq(rv_status_name(RV_ERR_INTERNAL), "INTERNAL");
    for (int s = RV_OK; s <= RV_ERR_INTERNAL; s++) {
        cr_assert_str_neq(rv_status_name((rv_status)s), "UNKNOWN", "status %d has no name", s);
    }
    cr_assert_str_eq(rv_status_name((rv_status)99), "UNKNOWN");
}
