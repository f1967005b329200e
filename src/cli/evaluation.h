/* What the commands print of a network's measured skill. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_CLI_EVALUATION_H
#define RV_CLI_EVALUATION_H

#include "cli/cli.h"

/** Prints shares and, for few classes, a table of them; adds keys top1, top5, loss, count, classes to `json`; of
 *  labels exact and labels, of quantities values, in place of shares and classes.
 *  @param top  how many of the likeliest classes may hold the right one. @return exit code */
int cli_report_evaluation(const cli *c, json_t *json, const rv_evaluation *e, int top);
/** Writes the confusion matrix to a file, as a picture where its name ends as one of a picture does, else as CSV.
 *  @return exit code */
int cli_write_confusion(const rv_evaluation *e, const char *path, bool overwrite);

#endif
