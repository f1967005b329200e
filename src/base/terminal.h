/* What the program says on a terminal: log lines and progress that do not disturb each other. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_BASE_TERMINAL_H
#define RV_BASE_TERMINAL_H

#include <reverie/events.h>
#include <stdio.h>

typedef enum rv_progress_style {
    RV_PROGRESS_AUTO, /**< one line redrawn on a terminal, else a line every 30 s */
    RV_PROGRESS_NONE,
    RV_PROGRESS_JSON /**< an object a line, at most ten a second */
} rv_progress_style;

bool rv_terminal_is(FILE *stream);   /**< a terminal that can redraw a line */
int rv_terminal_width(FILE *stream); /**< columns, 80 if unknown */

/** Writes PREFIX TEXT and a newline, in place of a progress line that is shown. */
void rv_terminal_line(FILE *stream, const char *prefix, const char *text);

/** Shows task, share, steps, loss, rate and time left. For the program only: it remembers in static
 *  variables what is shown. */
void rv_terminal_progress(FILE *stream, rv_progress_style style, const rv_progress *progress);

/** The same as if rv_clock() were `now`, for tests. */
void rv_terminal_progress_at(FILE *stream, rv_progress_style style, const rv_progress *progress,
                             double now);

/** Removes a progress line that is shown. */
void rv_terminal_finish(FILE *stream);

#endif
