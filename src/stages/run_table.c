/* Reads tables of a training by the names of their columns. */
/* SPDX-License-Identifier: MIT */
#include "stages/run_table.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST_FILE = 1 << 26 };

/* What is being read, and where. */
typedef struct reader {
    rv_run_table *table;
    const char *path;
    const rv_run_column *wanted;
    int n_wanted;
    int place[RV_RUN_COLUMNS]; /* of each column in a line, -1: missing */
    size_t line;
} reader;

/* A cell without its quotes, as rv_text_append_cell() writes it. Returns where the next begins, NULL at the end of the
 * line. */
static const char *read_cell(rv_text *cell, const char *from)
{
    cell->length = 0;
    rv_text_append_bytes(cell, "", 0);
    if (*from != '"') {
        const size_t n = strcspn(from, ",\n");
        rv_text_append_bytes(cell, from, n);
        return from[n] == ',' ? from + n + 1 : NULL;
    }
    for (from++; *from != '\0' && (*from != '"' || from[1] == '"'); from++) {
        from += *from == '"'; /* two stand for one */
        rv_text_append_bytes(cell, from, 1);
    }
    from += strcspn(from, ",\n");
    return *from == ',' ? from + 1 : NULL;
}

static rv_status read_heading(reader *r, const char *line)
{
    rv_text cell = {0};
    for (int k = 0; k < r->n_wanted; k++) {
        r->place[k] = -1;
    }
    for (int i = 0; line != NULL; i++) {
        line = read_cell(&cell, line);
        for (int k = 0; k < r->n_wanted && cell.data != NULL; k++) {
            r->place[k] = strcmp(cell.data, r->wanted[k].name) == 0 ? i : r->place[k];
        }
    }
    const rv_status status = rv_text_status(&cell);
    rv_text_release(&cell);
    for (int k = 0; status == RV_OK && k < r->n_wanted; k++) {
        if (r->place[k] < 0 && !r->wanted[k].optional) {
            return rv_fail(RV_ERR_FORMAT, "%s:1: there is no column '%s'", r->path,
                           r->wanted[k].name);
        }
    }
    return status;
}

static rv_status find_name(double *out, rv_run_table *t, const char *name)
{
    for (size_t i = 0; i < t->n_names; i++) {
        if (strcmp(t->names[i], name) == 0) {
            *out = (double)i;
            return RV_OK;
        }
    }
    RV_TRY(rv_grow(&t->names, &t->names_capacity, t->n_names + 1, sizeof *t->names, "names"));
    RV_TRY(rv_strdup(&t->names[t->n_names], name));
    *out = (double)t->n_names++;
    return RV_OK;
}

static rv_status take_cell(reader *r, int k, const char *cell)
{
    double *value = &r->table->columns[k][r->table->n];
    char *end;
    if (r->wanted[k].names) {
        return find_name(value, r->table, cell);
    }
    if (*cell == '\0') {
        return RV_OK;
    }
    *value = rv_strtod(cell, &end);
    return *end == '\0'
               ? RV_OK
               : rv_fail(RV_ERR_FORMAT, "%s:%zu: '%s' is no number", r->path, r->line, cell);
}

static rv_status read_row(reader *r, const char *line)
{
    rv_run_table *t = r->table;
    rv_text cell = {0};
    rv_status status = RV_OK;
    for (int k = 0; k < r->n_wanted; k++) {
        RV_TRY(rv_grow(&t->columns[k], &t->capacity[k], t->n + 1, sizeof(double), "a table"));
        t->columns[k][t->n] = NAN;
    }
    for (int i = 0; line != NULL && status == RV_OK; i++) {
        line = read_cell(&cell, line);
        status = rv_text_status(&cell);
        for (int k = 0; k < r->n_wanted && status == RV_OK; k++) {
            status = r->place[k] == i ? take_cell(r, k, cell.data) : RV_OK;
        }
    }
    rv_text_release(&cell);
    t->n += status == RV_OK;
    return status;
}

static rv_status read_lines(reader *r, const char *text)
{
    r->line = 1;
    RV_TRY(read_heading(r, text));
    for (const char *line = strchr(text, '\n'); line != NULL && line[1] != '\0';
         line = strchr(line + 1, '\n')) {
        r->line++;
        RV_TRY(read_row(r, line + 1));
    }
    return RV_OK;
}

rv_status rv_run_table_read(rv_run_table *table, const char *path, const rv_run_column *columns,
                            int n_columns)
{
    reader r = {.table = table, .path = path, .wanted = columns, .n_wanted = n_columns};
    rv_bytes bytes;
    char *text;
    *table = (rv_run_table){0};
    RV_TRY(rv_bytes_open(&bytes, path, LARGEST_FILE));
    rv_status status = rv_alloc(&text, bytes.size + 1, 1, "a table");
    if (status == RV_OK) {
        if (bytes.size > 0) {
            memcpy(text, bytes.data, bytes.size);
        }
        status = read_lines(&r, text);
        free(text);
    }
    rv_bytes_close(&bytes);
    return status;
}

void rv_run_table_release(rv_run_table *table)
{
    for (int k = 0; k < RV_RUN_COLUMNS; k++) {
        free(table->columns[k]);
    }
    for (size_t i = 0; i < table->n_names; i++) {
        free(table->names[i]);
    }
    free(table->names);
    *table = (rv_run_table){0};
}
