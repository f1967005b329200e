/* Assertions on calls that return a status. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_TESTS_ASSERT_H
#define RV_TESTS_ASSERT_H

#include <criterion/criterion.h>
#include <reverie/status.h>
#include <string.h>

/** The call succeeds, or the test fails with its message. */
#define RV_ASSERT_OK(call) cr_assert((call) == RV_OK, "%s: %s", #call, rv_error_message())

/** The call fails with `status`, and its message contains `words`. */
#define RV_ASSERT_FAILS(call, status, words)                                                  \
    do {                                                                                      \
        const rv_status rv_assert_status = (call);                                            \
        cr_assert(rv_assert_status == (status), "%s gave %s: %s", #call,                      \
                  rv_status_name(rv_assert_status), rv_error_message());                      \
        cr_assert(strstr(rv_error_message(), (words)) != NULL, "'%s' is not in: %s", (words), \
                  rv_error_message());                                                        \
    } while (0)

#endif
