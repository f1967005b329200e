/* The man page and the bash completion, made from the option tables. */
/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

/* Text for roff: nothing in it is taken for a request or an escape. */
static void print_roff(const char *text, size_t n)
{
    bool line_start = true;
    for (size_t i = 0; i < n; i++) {
        if (line_start && (text[i] == '.' || text[i] == '\'')) {
            fputs("\\&", stdout);
        }
        if (text[i] == '\\') {
            fputs("\\e", stdout);
        } else if (text[i] == '-') {
            fputs("\\-", stdout);
        } else if (text[i] == '\'') {
            fputs("\\(aq", stdout);
        } else if (text[i] == '`') {
            fputs("\\(ga", stdout);
        } else {
            putchar(text[i]);
        }
        line_start = text[i] == '\n';
    }
}

static void print_paragraphs(const char *text)
{
    while (*text != '\0') {
        const char *end = strstr(text, "\n\n");
        const size_t n = end != NULL ? (size_t)(end - text) : strlen(text);
        printf(".PP\n");
        print_roff(text, n);
        putchar('\n');
        text += n + (end != NULL ? 2 : 0);
    }
}

static void print_man_option(const cli_option *option)
{
    printf(".TP\n");
    if (option->letter != 0) {
        printf("\\fB\\-%c\\fR, ", option->letter);
    }
    printf("\\fB\\-\\-");
    print_roff(option->name, strlen(option->name));
    printf("\\fR");
    if (option->argument != NULL) {
        printf(" \\fI");
        print_roff(option->argument, strlen(option->argument));
        printf("\\fR");
    }
    putchar('\n');
    print_roff(option->help, strlen(option->help));
    const char *usual = cli_option_default(option);
    if (usual != NULL) {
        printf(" [");
        print_roff(usual, strlen(usual));
        putchar(']');
    }
    putchar('\n');
}

static void print_man_options(const cli_option *options, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!options[i].hidden) {
            print_man_option(&options[i]);
        }
    }
}

static void print_man_command(const cli_command *command)
{
    printf(".SS \"reverie %s ", command->name);
    print_roff(command->arguments, strlen(command->arguments));
    printf("\"\n");
    print_paragraphs(command->description);
    print_man_options(command->options, command->n_options);
    printf(".PP\nExamples:\n.PP\n.nf\n");
    print_roff(command->example, strlen(command->example));
    printf("\n.fi\n");
}

static const char man_end[] =
    ".SH EXIT STATUS\n"
    "0 done, 1 failed, 2 wrong usage, 130 interrupted.\n"
    ".SH ENVIRONMENT\n"
    ".TP\n\\fBREVERIE_DEVICE\\fR\nthe device, where \\fB\\-\\-device\\fR is not given\n"
    ".TP\n\\fBXDG_CACHE_HOME\\fR\nwhere compiled kernels are kept, in the folder \\fIreverie\\fR "
    "[$HOME/.cache]\n"
    ".TP\n\\fBPOCL_CACHE_DIR\\fR\nthe same for the driver PoCL [a folder in that one]\n"
    ".TP\n\\fBREVERIE_DATA_DIR\\fR\nfolder of the built\\-in network, vgg\\-s.safetensors "
    "[\\fIshare/reverie\\fR where Reverie is installed]\n"
    ".TP\n\\fBREVERIE_CL_PATH\\fR\nfolder whose kernels take the place of those built in, to try "
    "changes\n"
    ".TP\n\\fBOCL_ICD_VENDORS\\fR\nfolder of the OpenCL drivers [/etc/OpenCL/vendors]\n";

void cli_print_man(void)
{
    printf(".TH REVERIE 1 \"\" \"reverie %s\" \"User Commands\"\n", rv_version());
    printf(".SH NAME\nreverie \\- pictures made by neural networks on any OpenCL device\n");
    printf(".SH SYNOPSIS\n.B reverie\n\\fICOMMAND\\fR [\\fIARGUMENT\\fR...] [\\fIOPTION\\fR...]\n");
    printf(".SH DESCRIPTION\n");
    printf("Results go to the standard output or into files; warnings, errors and progress go to "
           "the standard error output.\n");
    printf("Ctrl\\-C saves what there is; a second one stops at once.\n");
    printf(".SH OPTIONS OF EVERY COMMAND\nThey may stand before and behind its name.\n");
    print_man_options(cli_global_options, cli_n_global_options);
    printf(".SH COMMANDS\n");
    for (const cli_command *const *c = cli_commands; *c != NULL; c++) {
        print_man_command(*c);
    }
    fputs(man_end, stdout);
}

/* "--name" of every option, and its short form. */
static void print_names(const cli_option *options, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!options[i].hidden) {
            printf(" --%s", options[i].name);
            if (options[i].letter != 0) {
                printf(" -%c", options[i].letter);
            }
        }
    }
}

/* Where a model is wanted, its names are offered beside files. */
static void print_words(const cli_option *option)
{
    for (size_t k = 0; option->choices != NULL && option->choices[k] != NULL; k++) {
        printf("%s%s", k > 0 ? " " : "", option->choices[k]);
    }
    if (strcmp(option->argument, "MODEL") == 0) {
        size_t n;
        const rv_model_entry *entries = rv_model_list(&n);
        for (size_t i = 0; i < n; i++) {
            printf("%s%s", i > 0 ? " " : "", entries[i].name);
        }
    }
}

/* Cases of "COMMAND:PREVIOUS WORD" whose value is completed. @param command  "*" for any */
static void print_values(const char *command, const cli_option *options, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const cli_option *option = &options[i];
        if (option->hidden || option->kind == CLI_FLAG) {
            continue;
        }
        printf("    %s:--%s", command, option->name);
        if (option->letter != 0) {
            printf(" | %s:-%c", command, option->letter);
        }
        printf(") words='");
        print_words(option);
        const bool file = option->kind == CLI_FILE || option->kind == CLI_FILES;
        printf("' files='%s' ;;\n", file ? "1" : "");
    }
}

/* Options whose value is the next word, which is then no command. */
static void print_value_options(void)
{
    const char *between = "";
    for (size_t i = 0; i < cli_n_global_options; i++) {
        if (cli_global_options[i].kind != CLI_FLAG) {
            printf("%s--%s", between, cli_global_options[i].name);
            between = " | ";
        }
    }
}

static void print_first_words(void)
{
    for (const cli_command *const *c = cli_commands; *c != NULL; c++) {
        printf("    %s)\n        options='", (*c)->name);
        print_names((*c)->options, (*c)->n_options);
        printf("' actions='");
        for (size_t k = 0; (*c)->actions != NULL && (*c)->actions[k] != NULL; k++) {
            printf("%s%s", k > 0 ? " " : "", (*c)->actions[k]);
        }
        printf("' ;;\n");
    }
}

void cli_print_completion(void)
{
    printf("# bash completion of reverie\n_reverie()\n{\n"
           "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}\n"
           "    local command='' at=0 i words='' files=1 options='' actions=''\n"
           "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
           "        case ${COMP_WORDS[i]} in\n        ");
    print_value_options();
    printf(") ((i++)) ;;\n        -*) ;;\n"
           "        *) command=${COMP_WORDS[i]} at=$i; break ;;\n"
           "        esac\n    done\n"
           "    case $command in\n    '') actions='");
    for (const cli_command *const *c = cli_commands; *c != NULL; c++) {
        printf("%s%s", c != cli_commands ? " " : "", (*c)->name);
    }
    printf("' files='' ;;\n");
    print_first_words();
    printf("    esac\n    if [[ -n $actions ]] && ((at == 0 || COMP_CWORD == at + 1)); then\n"
           "        words=$actions files=''\n    fi\n"
           "    [[ $word != -* ]] || words=\"$options");
    print_names(cli_global_options, cli_n_global_options);
    printf("\" files=''\n    case $command:$before in\n");
    print_values("*", cli_global_options, cli_n_global_options);
    for (const cli_command *const *c = cli_commands; *c != NULL; c++) {
        print_values((*c)->name, (*c)->options, (*c)->n_options);
    }
    printf("    esac\n    COMPREPLY=()\n"
           "    [[ -z $words ]] || mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
           "    [[ -z $files ]] || mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "
           "\"$word\")\n"
           "}\ncomplete -o filenames -F _reverie reverie\n");
}
