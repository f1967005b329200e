/* Options as data: one row says how an option is parsed, stored, explained and completed. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_CLI_OPTIONS_H
#define RV_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What follows an option, and the type that `offset` points at. */
typedef enum cli_kind {
    CLI_FLAG,   /**< nothing; bool */
    CLI_TEXT,   /**< char * */
    CLI_FILE,   /**< a path or, with choices, one of these words; char * */
    CLI_FILES,  /**< a path, as often as wanted; cli_list */
    CLI_TEXTS,  /**< any, as often as wanted; cli_list */
    CLI_CHOICE, /**< one of `choices`; int, its index */
    CLI_INT,    /**< int */
    CLI_COUNT,  /**< uint64_t */
    CLI_BYTES,  /**< uint64_t; a number that may end in k, M, G or T, or ki, Mi, Gi or Ti */
    CLI_REAL    /**< double */
} cli_kind;

/** Strings that the list owns; start from {0}. */
typedef struct cli_list {
    char **items;
    size_t n;
} cli_list;

typedef struct cli_option {
    const char *name;           /**< without the dashes */
    char letter;                /**< short form, 0: none */
    bool hidden;                /**< neither in help, man page nor completion */
    cli_kind kind;              /**< what its value is */
    size_t offset;              /**< where in the settings it is stored */
    const char *argument;       /**< stands for the value in texts; NULL for flags */
    const char *initial;        /**< default, read as if it had been given; NULL: none */
    const char *otherwise;      /**< default in words, where it is not one value; NULL: none */
    double unset;               /**< number that is stored where there is no initial */
    double min, max;            /**< of numbers */
    const char *const *choices; /**< NULL at the end */
    const char *help;           /**< one sentence, no capital, no full stop */
} cli_option;

/** Rows and the settings that they fill. */
typedef struct cli_table {
    const cli_option *options;
    size_t n;
    void *settings;
} cli_table;

/** Sets every option of the table to its default. All settings must be zero before.
 *  @return CLI_DONE or CLI_FAILED, having said why. */
int cli_options_init(const cli_table *table);

/** Copies settings of the table to others, which must be zero before and are to be released too.
 *  @return CLI_DONE or CLI_FAILED, having said why. */
int cli_options_copy(const cli_table *to, const void *from);

/** Sets one option by its name, as if it had been given.
 *  @return CLI_DONE, or CLI_USAGE or CLI_FAILED having said why. */
int cli_options_set(const cli_table *table, const char *name, const char *text);

/** Frees what the settings of the table own. */
void cli_options_release(const cli_table *table);

/** Parses argv[1] to argv[argc - 1].
 *  @param[out] words  what is no option, added to the list.
 *  @param[in,out] rest  NULL: options may stand behind words; else parsing stops before the first
 *                       word, whose index in argv is stored (argc if there is none).
 *  @return CLI_DONE, or CLI_USAGE or CLI_FAILED having said why. */
int cli_options_parse(const cli_table *tables, size_t n_tables, int argc, char **argv,
                      cli_list *words, int *rest);

/** Adds a copy of the first n bytes of text.
 *  @return CLI_DONE or CLI_FAILED, having said why. */
int cli_list_add(cli_list *list, const char *text, size_t n);
void cli_list_release(cli_list *list);

/** Splits "a,b,c"; empty parts are left out. */
int cli_list_split(cli_list *list, const char *text);

#endif
