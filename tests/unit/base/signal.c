/* The first signal asks, the second ends. */
/* SPDX-License-Identifier: MIT */
#include "base/signal.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

Test(signal, each_of_the_three_sets_the_flag)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    for (int i = 0; i < 3; i++) {
        const pid_t child = fork();
        if (child == 0) {
            rv_signal_install();
            const bool before = rv_signal_caught();
            raise(numbers[i]);
            _exit(!before && rv_signal_caught() ? 0 : 1);
        }
        int state = 0;
        cr_assert_eq(waitpid(child, &state, 0), child);
        cr_assert(WIFEXITED(state) && WEXITSTATUS(state) == 0, "signal %d", numbers[i]);
    }
}

static int end_of(int first, int second)
{
    const pid_t child = fork();
    if (child == 0) {
        rv_signal_install();
        raise(first);
        raise(second);
        _exit(0);
    }
    int state = 0;
    cr_assert_eq(waitpid(child, &state, 0), child);
    cr_assert(WIFEXITED(state));
    return WEXITSTATUS(state);
}

Test(signal, the_second_ends_the_process_with_130)
{
    cr_assert_eq(end_of(SIGINT, SIGINT), 130);
    cr_assert_eq(end_of(SIGHUP, SIGTERM), 130);
}

Test(signal, a_closed_terminal_that_signals_twice_is_no_hurry)
{
    cr_assert_eq(end_of(SIGHUP, SIGHUP), 0);
}

Test(signal, an_ignored_signal_stays_ignored)
{
    signal(SIGHUP, SIG_IGN);
    rv_signal_install();
    raise(SIGHUP);
    cr_assert(!rv_signal_caught());
}
