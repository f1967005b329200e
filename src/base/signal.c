/* The flag that Ctrl-C sets. */
/* SPDX-License-Identifier: MIT */
#include "base/signal.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

enum { EXIT_INTERRUPTED = 130 };

static volatile sig_atomic_t caught;

static void handle(int number)
{
    /* A closed terminal sends SIGHUP more than once, from the kernel and from the shell: that is no hurry. */
    if (caught && number != SIGHUP) {
        _exit(EXIT_INTERRUPTED);
    }
    caught = 1;
}

void rv_signal_install(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct sigaction before;
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN) {
            sigaction(numbers[i], &action, NULL);
        }
    }
}

bool rv_signal_caught(void)
{
    return caught != 0;
}
