/* Progress and log lines on a terminal or in a log file. */
/* SPDX-License-Identifier: MIT */
#include "base/terminal.h"
#include "base/system.h"
#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const double REDRAW_SECONDS = 0.1, LOG_SECONDS = 30.0;
enum { BAR_COLUMNS = 20 };

/* The one progress line of this process. */
static struct {
    bool visible;
    bool said;          /* anything of this task */
    char task[64];      /* whose rate is measured */
    double since;       /* clock when the task began */
    int64_t since_done; /* and its steps then */
    double last;        /* clock of the last output */
} line;

bool rv_terminal_is(FILE *stream)
{
    const char *term = getenv("TERM");
    return isatty(fileno(stream)) == 1 && term != NULL && strcmp(term, "dumb") != 0;
}

int rv_terminal_width(FILE *stream)
{
    struct winsize size;
    if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    return 80;
}

/* 75 gives "1:15", 3725 "1:02:05". */
static void append_seconds(rv_text *text, double seconds)
{
    const long s = lround(ceil(fmin(seconds, 3600.0 * 999)));
    if (s >= 3600) {
        rv_text_append(text, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    } else {
        rv_text_append(text, "%ld:%02ld", s / 60, s % 60);
    }
}

static void append_left(rv_text *text, const rv_progress *p)
{
    if (p->seconds_left >= 0) {
        append_seconds(text, p->seconds_left);
        rv_text_append(text, " left ");
    }
}

/* What is unknown is left out. */
static void append_details(rv_text *text, const rv_progress *p, double rate)
{
    if (p->total > 0) {
        rv_text_append(text, "  %lld/%lld", (long long)p->done, (long long)p->total);
    }
    if (isfinite(p->loss)) {
        rv_text_append(text, "  loss %.4g", p->loss);
    }
    if (rate > 0) {
        rv_text_append(text, rate >= 1 ? "  %.1f/s" : "  %.1f s each", rate >= 1 ? rate : 1 / rate);
    }
}

static void append_bar(rv_text *text, double fraction)
{
    const int full = (int)lround(fmin(fmax(fraction, 0.0), 1.0) * BAR_COLUMNS);
    rv_text_append(text, "[");
    for (int i = 0; i < BAR_COLUMNS; i++) {
        rv_text_append(text, i < full ? "#" : ".");
    }
    rv_text_append(text, "] ");
}

/* What matters most stands first: a narrow terminal loses the bar, then what is at the end. */
static void append_line(rv_text *text, const rv_progress *p, double rate, bool bar)
{
    rv_text_append(text, "%3.0f %% ", 100.0 * p->fraction);
    if (bar) {
        append_bar(text, p->fraction);
    }
    append_left(text, p);
    rv_text_append(text, " %s", p->task);
    append_details(text, p, rate);
}

static void draw(FILE *stream, const rv_progress *p, double rate)
{
    /* A line as wide as the terminal would wrap, and then could not be redrawn. */
    const int width = rv_terminal_width(stream) - 1;
    rv_text text = {0};
    append_line(&text, p, rate, true);
    if (text.length > (size_t)width) {
        rv_text_release(&text);
        append_line(&text, p, rate, false);
    }
    if (!text.failed) {
        fprintf(stream, "\r%.*s\033[K", width, text.data);
        fflush(stream);
        line.visible = true;
    }
    rv_text_release(&text);
}

static void write_line(FILE *stream, const rv_progress *p, double rate)
{
    rv_text text = {0};
    append_line(&text, p, rate, false);
    if (!text.failed) {
        fprintf(stream, "%s\n", text.data);
        fflush(stream);
    }
    rv_text_release(&text);
}

static void write_json(FILE *stream, const rv_progress *p)
{
    fputs("{\"task\": \"", stream);
    for (const char *c = p->task; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20) {
            fprintf(stream, "\\u%04x", (unsigned char)*c);
        } else {
            fprintf(stream, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
        }
    }
    fprintf(stream, "\", \"done\": %lld, \"total\": %lld, \"fraction\": %.6f", (long long)p->done,
            (long long)p->total, p->fraction);
    if (isfinite(p->loss)) {
        fprintf(stream, ", \"loss\": %.9g", p->loss);
    }
    if (p->seconds_left >= 0) {
        fprintf(stream, ", \"seconds_left\": %.1f", p->seconds_left);
    }
    fputs("}\n", stream);
    fflush(stream);
}

/* Steps a second since the task began; 0 while unknown. */
static double measure_rate(const rv_progress *p, double now)
{
    if (!line.said || strncmp(line.task, p->task, sizeof line.task - 1) != 0 ||
        p->done < line.since_done) {
        snprintf(line.task, sizeof line.task, "%s", p->task);
        line.since = now;
        line.since_done = p->done;
        if (!line.said) {
            line.last = now;
        }
    }
    const double seconds = now - line.since;
    return seconds > 0.5 ? (double)(p->done - line.since_done) / seconds : 0;
}

void rv_terminal_progress_at(FILE *stream, rv_progress_style style, const rv_progress *progress,
                             double now)
{
    if (style == RV_PROGRESS_NONE) {
        return;
    }
    const bool first = !line.said;
    const double rate = measure_rate(progress, now);
    const bool terminal = style == RV_PROGRESS_AUTO && rv_terminal_is(stream);
    const bool often = terminal || style == RV_PROGRESS_JSON;
    line.said = true;
    const bool due = now - line.last >= (often ? REDRAW_SECONDS : LOG_SECONDS);
    if (!due && !(often && (first || progress->fraction >= 1))) {
        return;
    }
    line.last = now;
    if (terminal) {
        draw(stream, progress, rate);
    } else if (style == RV_PROGRESS_JSON) {
        write_json(stream, progress);
    } else {
        write_line(stream, progress, rate);
    }
}

void rv_terminal_progress(FILE *stream, rv_progress_style style, const rv_progress *progress)
{
    rv_terminal_progress_at(stream, style, progress, rv_clock());
}

void rv_terminal_finish(FILE *stream)
{
    if (line.visible) {
        fputs("\r\033[K", stream);
        fflush(stream);
        line.visible = false;
    }
}

void rv_terminal_line(FILE *stream, const char *prefix, const char *text)
{
    rv_terminal_finish(stream);
    fprintf(stream, "%s%s\n", prefix, text);
    fflush(stream);
}
