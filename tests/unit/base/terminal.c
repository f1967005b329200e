/* Progress on a terminal, in a log, as JSON. */
/* SPDX-License-Identifier: MIT */
#include "base/terminal.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* A terminal of so many columns: what is written to *stream is read from the result. */
static int open_terminal(FILE **stream, unsigned short columns)
{
    const int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) {
        cr_skip_test("there are no pseudo-terminals here");
    }
    const int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    cr_assert_geq(slave, 0);
    const struct winsize size = {.ws_row = 24, .ws_col = columns};
    cr_assert_eq(ioctl(slave, TIOCSWINSZ, &size), 0);
    *stream = fdopen(slave, "w");
    setenv("TERM", "xterm", 1);
    return master;
}

/* All that comes until the terminal is quiet: it hands on in pieces what was written in pieces. */
static const char *read_terminal(int master)
{
    static char text[4096];
    struct pollfd ready = {.fd = master, .events = POLLIN};
    size_t n = 0;
    while (poll(&ready, 1, n == 0 ? 5000 : 50) > 0 && n < sizeof text - 1) {
        const ssize_t more = read(master, text + n, sizeof text - 1 - n);
        cr_assert_gt(more, 0);
        n += (size_t)more;
    }
    cr_assert_gt(n, 0);
    text[n] = '\0';
    return text;
}

static const rv_progress half = {.task = "stylize 256 px",
                                 .done = 30,
                                 .total = 60,
                                 .fraction = 0.5,
                                 .loss = 1234.5,
                                 .seconds_left = 75};

Test(terminal, a_pipe_is_no_terminal_and_80_columns_wide)
{
    FILE *file = tmpfile();
    cr_assert(!rv_terminal_is(file));
    cr_assert_eq(rv_terminal_width(file), 80);
    fclose(file);
}

Test(terminal, a_terminal_knows_its_width_and_a_dumb_one_cannot_redraw)
{
    FILE *stream;
    open_terminal(&stream, 123);
    cr_assert(rv_terminal_is(stream));
    cr_assert_eq(rv_terminal_width(stream), 123);
    setenv("TERM", "dumb", 1);
    cr_assert(!rv_terminal_is(stream));
}

Test(terminal, the_bar_shows_share_steps_loss_and_time_left)
{
    FILE *stream;
    const int master = open_terminal(&stream, 120);
    rv_terminal_progress(stream, RV_PROGRESS_AUTO, &half);
    cr_assert_str_eq(read_terminal(master),
                     "\r 50 % [##########..........] 1:15 left  stylize 256 px  30/60  loss 1234"
                     "\033[K");
}

Test(terminal, the_rate_is_that_of_the_task)
{
    FILE *stream;
    const int master = open_terminal(&stream, 120);
    rv_progress p = half;
    rv_terminal_progress_at(stream, RV_PROGRESS_AUTO, &p, 100);
    read_terminal(master);
    p.done += 20;
    rv_terminal_progress_at(stream, RV_PROGRESS_AUTO, &p, 110);
    cr_assert_not_null(
        strstr(read_terminal(master), " 1:15 left  stylize 256 px  50/60  loss 1234  2.0/s\033"));
    p.done = 0; /* the next scale begins */
    p.task = "stylize 512 px";
    rv_terminal_progress_at(stream, RV_PROGRESS_AUTO, &p, 111);
    read_terminal(master);
    p.done = 5;
    rv_terminal_progress_at(stream, RV_PROGRESS_AUTO, &p, 121);
    cr_assert_not_null(strstr(read_terminal(master),
                              " 1:15 left  stylize 512 px  5/60  loss 1234  2.0 s each\033"));
}

static void log_holds(FILE *file, const char *expected)
{
    char text[4096] = "";
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    cr_assert_str_eq(text, expected);
}

/* One column stays free, as a full line would wrap. */
static void narrow_line(unsigned short columns, const char *expected)
{
    FILE *stream;
    const int master = open_terminal(&stream, columns);
    rv_terminal_progress_at(stream, RV_PROGRESS_AUTO, &half, columns);
    cr_assert_str_eq(read_terminal(master), expected);
    fclose(stream);
    close(master);
}

Test(terminal, a_narrow_terminal_gets_one_line_with_what_matters_most)
{
    narrow_line(20, "\r 50 % 1:15 left  st\033[K");
    narrow_line(40, "\r 50 % 1:15 left  stylize 256 px  30/60 \033[K");
    narrow_line(67, "\r 50 % 1:15 left  stylize 256 px  30/60  loss 1234\033[K");
    narrow_line(80,
                "\r 50 % [##########..........] 1:15 left  stylize 256 px  30/60  loss 1234\033[K");
}

Test(terminal, the_last_second_counts)
{
    FILE *file = tmpfile();
    rv_progress p = half;
    p.seconds_left = 0.2;
    rv_terminal_progress_at(file, RV_PROGRESS_AUTO, &p, 0);
    rv_terminal_progress_at(file, RV_PROGRESS_AUTO, &p, 31);
    log_holds(file, " 50 % 0:01 left  stylize 256 px  30/60  loss 1234\n");
    fclose(file);
}

Test(terminal, log_lines_take_the_place_of_the_bar)
{
    FILE *stream;
    const int master = open_terminal(&stream, 80);
    rv_terminal_progress(stream, RV_PROGRESS_AUTO, &half);
    read_terminal(master);
    rv_terminal_line(stream, "warning: ", "low memory");
    cr_assert_str_eq(read_terminal(master), "\r\033[Kwarning: low memory\r\n");
    rv_terminal_line(stream, "", "again");
    cr_assert_str_eq(read_terminal(master), "again\r\n");
}

Test(terminal, a_log_gets_a_line_every_half_minute)
{
    FILE *file = tmpfile();
    rv_progress p = half;
    for (int second = 0; second <= 70; second++, p.done++) {
        rv_terminal_progress_at(file, RV_PROGRESS_AUTO, &p, 1000 + second);
    }
    rv_terminal_finish(file);
    log_holds(file, " 50 % 1:15 left  stylize 256 px  60/60  loss 1234  1.0/s\n"
                    " 50 % 1:15 left  stylize 256 px  90/60  loss 1234  1.0/s\n");
    fclose(file);
}

Test(terminal, no_progress_where_none_is_wanted)
{
    FILE *stream;
    const int master = open_terminal(&stream, 80);
    rv_terminal_progress(stream, RV_PROGRESS_NONE, &half);
    rv_terminal_line(stream, "", "end");
    cr_assert_str_eq(read_terminal(master), "end\r\n");
}

Test(terminal, json_is_an_object_a_line_ten_times_a_second)
{
    FILE *file = tmpfile();
    rv_progress p = half;
    p.task = "a \"b\"\\\t";
    p.loss = NAN;
    p.seconds_left = -1;
    rv_terminal_progress_at(file, RV_PROGRESS_JSON, &p, 5);
    rv_terminal_progress_at(file, RV_PROGRESS_JSON, &p, 5.05);
    rv_terminal_progress_at(file, RV_PROGRESS_JSON, &half, 5.11);
    log_holds(file, "{\"task\": \"a \\\"b\\\"\\\\\\u0009\", \"done\": 30, \"total\": 60, "
                    "\"fraction\": 0.500000}\n"
                    "{\"task\": \"stylize 256 px\", \"done\": 30, \"total\": 60, "
                    "\"fraction\": 0.500000, \"loss\": 1234.5, \"seconds_left\": 75.0}\n");
    fclose(file);
}

Test(terminal, the_end_is_always_said)
{
    FILE *file = tmpfile();
    rv_progress p = half;
    rv_terminal_progress_at(file, RV_PROGRESS_JSON, &p, 5);
    p.fraction = 1;
    p.done = 60;
    p.seconds_left = 0;
    rv_terminal_progress_at(file, RV_PROGRESS_JSON, &p, 5.01);
    log_holds(file, "{\"task\": \"stylize 256 px\", \"done\": 30, \"total\": 60, "
                    "\"fraction\": 0.500000, \"loss\": 1234.5, \"seconds_left\": 75.0}\n"
                    "{\"task\": \"stylize 256 px\", \"done\": 60, \"total\": 60, "
                    "\"fraction\": 1.000000, \"loss\": 1234.5, \"seconds_left\": 0.0}\n");
    fclose(file);
}
