/* Parsing of the command line by option tables, through popt. */
/* SPDX-License-Identifier: MIT */
#include "cli/options.h"
#include "cli/cli.h"

#include <errno.h>
#include <math.h>
#include <popt.h>
#include <stdlib.h>
#include <string.h>

int cli_list_add(cli_list *list, const char *text, size_t n)
{
    char **items = realloc(list->items, (list->n + 1) * sizeof *items);
    if (items == NULL) {
        return cli_out_of_memory();
    }
    list->items = items;
    items[list->n] = cli_format("%.*s", (int)n, text);
    if (items[list->n] == NULL) {
        return cli_out_of_memory();
    }
    list->n++;
    return CLI_DONE;
}

void cli_list_release(cli_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        free(list->items[i]);
    }
    free(list->items);
    *list = (cli_list){0};
}

int cli_list_split(cli_list *list, const char *text)
{
    int code = CLI_DONE;
    while (*text != '\0' && code == CLI_DONE) {
        const size_t n = strcspn(text, ",");
        if (n > 0) {
            code = cli_list_add(list, text, n);
        }
        text += n + (text[n] == ',');
    }
    return code;
}

static void *place(const cli_table *table, const cli_option *option)
{
    return (char *)table->settings + option->offset;
}

static int store_number(const cli_option *option, void *to, const char *text)
{
    char *end;
    errno = 0;
    const double value = strtod(text, &end);
    const bool whole = option->kind != CLI_REAL;
    if (end == text || *end != '\0' || !isfinite(value) || (whole && value != floor(value))) {
        return cli_usage("--%s takes a%s number, not '%s'", option->name, whole ? " whole" : "",
                         text);
    }
    if (value < option->min || value > option->max) {
        return cli_usage("--%s takes %.10g to %.10g, not %s", option->name, option->min,
                         option->max, text);
    }
    switch (option->kind) {
    case CLI_INT:
        *(int *)to = (int)value;
        break;
    case CLI_COUNT:
        *(uint64_t *)to = (uint64_t)value;
        break;
    default:
        *(double *)to = value;
    }
    return CLI_DONE;
}

/* Decimal prefixes, and binary ones as the IEC writes them: 2G is 2e9, 2Gi is 2^31. */
static int store_bytes(const cli_option *option, uint64_t *to, const char *text)
{
    static const char prefixes[] = "kMGT";
    char *end;
    double value = strtod(text, &end);
    const char *prefix = *end == 'K' ? prefixes : *end != '\0' ? strchr(prefixes, *end) : NULL;
    if (prefix != NULL) {
        const bool binary = end[1] == 'i';
        value *= pow(binary ? 1024 : 1000, (double)(prefix - prefixes + 1));
        end += binary ? 2 : 1;
    }
    end += *end == 'B';
    if (end == text || *end != '\0' || !isfinite(value)) {
        return cli_usage("--%s takes a number of bytes such as 600M or 2G, not '%s'", option->name,
                         text);
    }
    if (value < option->min || value > option->max) {
        return cli_usage("--%s takes at least %.0fM, not %s", option->name, 1e-6 * option->min,
                         text);
    }
    *to = (uint64_t)value;
    return CLI_DONE;
}

static int store_choice(const cli_option *option, int *to, const char *text)
{
    size_t n = 0;
    for (; option->choices[n] != NULL; n++) {
        if (strcmp(option->choices[n], text) == 0) {
            *to = (int)n;
            return CLI_DONE;
        }
    }
    return cli_usage("--%s takes %s, not '%s'; did you mean '%s'?", option->name, option->argument,
                     text, option->choices[rv_nearest(text, option->choices, n)]);
}

static int store_text(char **to, const char *text)
{
    free(*to);
    *to = cli_format("%s", text);
    return *to != NULL ? CLI_DONE : cli_out_of_memory();
}

/* @param text  NULL for flags */
static int store(const cli_table *table, const cli_option *option, const char *text)
{
    void *to = place(table, option);
    if (option->kind != CLI_FLAG && (text == NULL || text[0] == '\0')) {
        return cli_usage("--%s needs a value, not an empty one", option->name);
    }
    switch (option->kind) {
    case CLI_FLAG:
        *(bool *)to = true;
        return CLI_DONE;
    case CLI_TEXT:
    case CLI_FILE:
        return store_text(to, text);
    case CLI_FILES:
    case CLI_TEXTS:
        return cli_list_add(to, text, strlen(text));
    case CLI_CHOICE:
        return store_choice(option, to, text);
    case CLI_BYTES:
        return store_bytes(option, to, text);
    default:
        return store_number(option, to, text);
    }
}

static void store_unset(const cli_table *table, const cli_option *option)
{
    void *to = place(table, option);
    switch (option->kind) {
    case CLI_CHOICE:
    case CLI_INT:
        *(int *)to = (int)option->unset;
        break;
    case CLI_COUNT:
    case CLI_BYTES:
        *(uint64_t *)to = (uint64_t)option->unset;
        break;
    case CLI_REAL:
        *(double *)to = option->unset;
        break;
    default:
        break; /* zeroed: false, NULL, no items */
    }
}

int cli_options_init(const cli_table *table)
{
    int code = CLI_DONE;
    for (size_t i = 0; i < table->n && code == CLI_DONE; i++) {
        const cli_option *option = &table->options[i];
        store_unset(table, option);
        if (option->initial != NULL) {
            code = store(table, option, option->initial);
        }
    }
    return code;
}

static bool is_list(const cli_option *option)
{
    return option->kind == CLI_FILES || option->kind == CLI_TEXTS;
}

void cli_options_release(const cli_table *table)
{
    for (size_t i = 0; i < table->n; i++) {
        const cli_option *option = &table->options[i];
        void *to = place(table, option);
        if (option->kind == CLI_TEXT || option->kind == CLI_FILE) {
            free(*(char **)to);
            *(char **)to = NULL;
        } else if (is_list(option)) {
            cli_list_release(to);
        }
    }
}

/* Bytes of an option's setting. */
static size_t size_of(const cli_option *option)
{
    switch (option->kind) {
    case CLI_FLAG:
        return sizeof(bool);
    case CLI_CHOICE:
    case CLI_INT:
        return sizeof(int);
    case CLI_COUNT:
    case CLI_BYTES:
        return sizeof(uint64_t);
    default:
        return sizeof(double);
    }
}

static int copy_option(const cli_table *to, const cli_option *option, const void *from)
{
    int code = CLI_DONE;
    if (option->kind == CLI_TEXT || option->kind == CLI_FILE) {
        const char *text = *(char *const *)from;
        return text != NULL ? store_text(place(to, option), text) : CLI_DONE;
    }
    if (is_list(option)) {
        const cli_list *list = from;
        for (size_t i = 0; i < list->n && code == CLI_DONE; i++) {
            code = cli_list_add(place(to, option), list->items[i], strlen(list->items[i]));
        }
        return code;
    }
    memcpy(place(to, option), from, size_of(option));
    return CLI_DONE;
}

int cli_options_copy(const cli_table *to, const void *from)
{
    int code = CLI_DONE;
    for (size_t i = 0; i < to->n && code == CLI_DONE; i++) {
        code = copy_option(to, &to->options[i], (const char *)from + to->options[i].offset);
    }
    return code;
}

/* All rows of all tables, in the form that popt reads; `val` is the index from 1. */
static struct poptOption *popt_rows(const cli_table *tables, size_t n_tables)
{
    size_t n = 1;
    for (size_t t = 0; t < n_tables; t++) {
        n += tables[t].n;
    }
    struct poptOption *rows = calloc(n, sizeof *rows);
    size_t k = 0;
    for (size_t t = 0; t < n_tables && rows != NULL; t++) {
        for (size_t i = 0; i < tables[t].n; i++, k++) {
            const cli_option *option = &tables[t].options[i];
            rows[k].longName = option->name;
            rows[k].shortName = option->letter;
            rows[k].argInfo = option->kind == CLI_FLAG ? POPT_ARG_NONE : POPT_ARG_STRING;
            rows[k].val = (int)k + 1;
        }
    }
    return rows;
}

static int store_row(const cli_table *tables, int row, const char *text)
{
    size_t i = (size_t)row - 1;
    while (i >= tables->n) {
        i -= tables->n;
        tables++;
    }
    return store(tables, &tables->options[i], text);
}

static bool owns(const cli_command *command, const char *name)
{
    for (size_t i = 0; i < command->n_options; i++) {
        if (!command->options[i].hidden && strcmp(command->options[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* A command that has an option of this name, for one that stands before the command: the one that is given, if it
 * is among them. */
static const cli_command *find_owner(const char *name, char **argv)
{
    const cli_command *owner = NULL;
    for (const cli_command *const *c = cli_commands; *c != NULL; c++) {
        if (!owns(*c, name)) {
            continue;
        }
        owner = owner == NULL ? *c : owner;
        for (char **word = argv; *word != NULL; word++) {
            if (strcmp(*word, (*c)->name) == 0) {
                return *c;
            }
        }
    }
    return owner;
}

/* @param before  what was given, where the command is not known yet; else NULL */
static int unknown(const cli_table *tables, size_t n_tables, const char *given, char **before)
{
    const char *name = given + strspn(given, "-");
    const size_t n_name = strcspn(name, "=");
    char wanted[64];
    const char *names[128];
    size_t n = 0;
    snprintf(wanted, sizeof wanted, "%.*s", (int)n_name, name);
    if (name - given == 1) {
        return cli_usage("there is no option '%s' (--help lists all)", given);
    }
    const cli_command *owner = before != NULL ? find_owner(wanted, before) : NULL;
    if (owner != NULL) {
        return cli_usage("--%s belongs behind the command: reverie %s --%s ...", wanted,
                         owner->name, wanted);
    }
    for (size_t t = 0; t < n_tables; t++) {
        for (size_t i = 0; i < tables[t].n && n < sizeof names / sizeof names[0]; i++) {
            if (!tables[t].options[i].hidden) {
                names[n++] = tables[t].options[i].name;
            }
        }
    }
    return cli_usage("there is no option '%.*s'; did you mean --%s? (--help lists all)",
                     (int)(n_name + (size_t)(name - given)), given,
                     names[rv_nearest(wanted, names, n)]);
}

int cli_options_set(const cli_table *table, const char *name, const char *text)
{
    for (size_t i = 0; i < table->n; i++) {
        if (strcmp(table->options[i].name, name) == 0) {
            return store(table, &table->options[i], text);
        }
    }
    char *given = cli_format("--%s", name);
    const int code = given != NULL ? unknown(table, 1, given, NULL) : cli_out_of_memory();
    free(given);
    return code;
}

static int refuse(poptContext context, int error, const cli_table *tables, size_t n_tables,
                  char **before)
{
    const char *given = poptBadOption(context, POPT_BADOPTION_NOALIAS);
    switch (error) {
    case POPT_ERROR_BADOPT:
        return unknown(tables, n_tables, given, before);
    case POPT_ERROR_NOARG:
        return cli_usage("%s needs a value", given);
    case POPT_ERROR_UNWANTEDARG:
        return cli_usage("%.*s takes no value", (int)strcspn(given, "="), given);
    default:
        return cli_usage("%s: %s", given, poptStrerror(error));
    }
}

int cli_options_parse(const cli_table *tables, size_t n_tables, int argc, char **argv,
                      cli_list *words, int *rest)
{
    struct poptOption *rows = popt_rows(tables, n_tables);
    poptContext context = NULL;
    int code = CLI_DONE, row;
    if (rows != NULL) {
        context = poptGetContext("reverie", argc, (const char **)argv, rows,
                                 rest != NULL ? POPT_CONTEXT_POSIXMEHARDER : 0);
    }
    if (context == NULL) {
        code = cli_out_of_memory();
        goto cleanup;
    }
    while (code == CLI_DONE && (row = poptGetNextOpt(context)) > 0) {
        char *text = poptGetOptArg(context);
        code = store_row(tables, row, text);
        free(text);
    }
    if (code == CLI_DONE && row < -1) {
        code = refuse(context, row, tables, n_tables, rest != NULL ? argv : NULL);
    }
    if (code != CLI_DONE) {
        goto cleanup;
    }
    const char **word = poptGetArgs(context);
    size_t n = 0;
    for (; word != NULL && word[n] != NULL && code == CLI_DONE; n++) {
        code = cli_list_add(words, word[n], strlen(word[n]));
    }
    if (rest != NULL) {
        *rest = argc - (int)n;
    }
cleanup:
    if (context != NULL) {
        poptFreeContext(context);
    }
    free(rows);
    return code;
}
