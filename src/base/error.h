/* Failing with a message: the one way by which a status other than RV_OK comes into being. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_BASE_ERROR_H
#define RV_BASE_ERROR_H

#include <reverie/status.h>

enum { RV_ERROR_BYTES = 1024 };

/** Sets this thread's message (truncated to RV_ERROR_BYTES). */
void rv_error_set(const char *format, ...) RV_PRINTF(1, 2);

/** rv_fail(status, format, ...) sets the message and is `status`: a macro, so that the compiler sees that
 *  a failure is never RV_OK, and what it sees about uninitialised variables is true.
 *  Whoever detects an error words it: what, where, what to do; one line, no full stop at the end. */
#define rv_fail(status, ...) (rv_error_set(__VA_ARGS__), (status))

/** Puts "CONTEXT: " before this thread's message and returns `status`: only for a layer that knows a
 *  name (file, layer, option) which the layer below could not know. */
rv_status rv_fail_context(rv_status status, const char *format, ...) RV_PRINTF(2, 3);

/** A message carried from one thread to another, or over clean-up that may fail itself. */
typedef struct rv_error {
    rv_status status;
    char message[RV_ERROR_BYTES];
} rv_error;

void rv_error_save(rv_error *out, rv_status status);
rv_status rv_error_restore(const rv_error *error);

/** Returns from the calling function on failure: only in functions that own nothing. */
#define RV_TRY(expression)                            \
    do {                                              \
        const rv_status rv_try_status = (expression); \
        if (rv_try_status != RV_OK) {                 \
            return rv_try_status;                     \
        }                                             \
    } while (0)

#endif
