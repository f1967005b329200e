/* The text of --help, made from the option tables. */
/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

enum { WIDTH = 80, OPTION_COLUMN = 30, COMMAND_COLUMN = 12 };

const char *cli_option_default(const cli_option *option)
{
    return option->initial != NULL ? option->initial : option->otherwise;
}

/* Prints words from column `at`, which is also where further lines begin. @param used  columns so far */
static void print_wrapped(const char *text, size_t used, size_t at)
{
    if (used > 0 && used + 1 > at) {
        putchar('\n');
        used = 0;
    }
    size_t column = at;
    printf("%*s", (int)(at - used), "");
    while (*text != '\0') {
        const size_t n = strcspn(text, " \n");
        const bool first = column == at;
        if (!first && column + 1 + n > WIDTH) {
            printf("\n%*s", (int)at, "");
            column = at;
        } else if (!first) {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)n, text);
        column += n;
        text += n;
        if (strncmp(text, "\n\n", 2) == 0) {
            printf("\n\n%*s", (int)at, "");
            column = at;
        }
        text += strspn(text, " \n");
    }
    putchar('\n');
}

static void print_option(const cli_option *option)
{
    char head[64], body[512];
    const char *argument = option->argument != NULL ? option->argument : "";
    const char *usual = cli_option_default(option);
    const char letter[] = {'-', option->letter, ',', '\0'};
    const int n = snprintf(head, sizeof head, "  %-3s --%s%s%s", option->letter != 0 ? letter : "",
                           option->name, argument[0] != '\0' ? " " : "", argument);
    snprintf(body, sizeof body, "%s%s%s%s", option->help, usual != NULL ? " [" : "",
             usual != NULL ? usual : "", usual != NULL ? "]" : "");
    fputs(head, stdout);
    print_wrapped(body, (size_t)n, OPTION_COLUMN);
}

static void print_options(const char *title, const cli_option *options, size_t n)
{
    if (n == 0) {
        return;
    }
    printf("\n%s:\n", title);
    for (size_t i = 0; i < n; i++) {
        if (!options[i].hidden) {
            print_option(&options[i]);
        }
    }
}

static void print_command_help(const cli_command *command)
{
    printf("Usage: reverie %s %s\n\n", command->name, command->arguments);
    print_wrapped(command->description, 0, 0);
    print_options("Options", command->options, command->n_options);
    print_options("Options of every command", cli_global_options, cli_n_global_options);
    printf("\nExamples:\n");
    for (const char *line = command->example; *line != '\0';) {
        const size_t n = strcspn(line, "\n");
        printf("  %.*s\n", (int)n, line);
        line += n + (line[n] == '\n');
    }
}

void cli_print_help(const cli_command *command)
{
    if (command != NULL) {
        print_command_help(command);
        return;
    }
    printf("Usage: reverie COMMAND [ARGUMENT...] [OPTION...]\n\n"
           "Pictures made by neural networks on any OpenCL device.\n\nCommands:\n");
    for (const cli_command *const *c = cli_commands; *c != NULL; c++) {
        const int n = printf("  %s", (*c)->name);
        print_wrapped((*c)->summary, (size_t)n, COMMAND_COLUMN);
    }
    printf("\nBegin with: reverie stylize photo.jpg --style painting.jpg\n");
    print_options("Options of every command, before or behind its name", cli_global_options,
                  cli_n_global_options);
    printf("\nreverie COMMAND --help explains a command. Exit codes: 0 done, 1 failed, "
           "2 wrong\nusage, 130 interrupted.\n");
}
