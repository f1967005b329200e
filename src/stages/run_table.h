/* Reads tables of a training: metrics.csv and layers.csv. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_RUN_TABLE_H
#define RV_STAGES_RUN_TABLE_H

#include <reverie/status.h>
#include <stdbool.h>
#include <stddef.h>

enum { RV_RUN_COLUMNS = 8 };

/** A column that is looked for. */
typedef struct rv_run_column {
    const char *name;
    bool optional; /**< where it is missing, all its numbers are NAN */
    bool names;    /**< holds names, not numbers: the table has the number of each */
} rv_run_column;

/** Columns in the order in which they were asked for. */
typedef struct rv_run_table {
    double *columns[RV_RUN_COLUMNS]; /**< n each; an empty cell is NAN */
    size_t n;
    char **names; /**< of the column that holds some, in the order in which they came first */
    size_t n_names;
    size_t capacity[RV_RUN_COLUMNS], names_capacity;
} rv_run_table;

/** @param columns  n_columns of them, at most one with names. Release also after a failure.
 *  @return RV_ERR_NOT_FOUND; RV_ERR_FORMAT: a column is missing, or a cell is no number, with the line. */
RV_NODISCARD rv_status rv_run_table_read(rv_run_table *table, const char *path,
                                         const rv_run_column *columns, int n_columns);
void rv_run_table_release(rv_run_table *table);

#endif
