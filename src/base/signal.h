/* Ctrl-C and its kin: the first asks to stop, the second stops at once. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_BASE_SIGNAL_H
#define RV_BASE_SIGNAL_H

#include <stdbool.h>

/** From now on SIGINT, SIGTERM and SIGHUP set a flag, and a second SIGINT or SIGTERM ends the process
 *  with exit code 130. A signal that is ignored (nohup) stays ignored. For the program only. */
void rv_signal_install(void);

bool rv_signal_caught(void);

#endif
