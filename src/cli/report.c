/* What the program says: lines on stderr, the object of --json, tables. */
/* SPDX-License-Identifier: MIT */
#include "base/signal.h"
#include "base/terminal.h"
#include "cli/cli.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

char *cli_format(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = n >= 0 ? malloc((size_t)n + 1) : NULL;
    if (text != NULL) {
        va_start(args, format);
        vsnprintf(text, (size_t)n + 1, format, args);
        va_end(args);
    }
    return text;
}

/* The last line that was said, which is the error where the program fails. */
static char last_said[2048];

/* One line whatever the names in it hold: control characters become "?". */
static void say_line(char *text)
{
    for (char *p = text; *p != '\0'; p++) {
        if (iscntrl((unsigned char)*p)) {
            *p = '?';
        }
    }
    rv_terminal_line(stderr, "reverie: ", text);
    snprintf(last_said, sizeof last_said, "%s", text);
}

static void say(const char *format, va_list args) RV_PRINTF(1, 0);
static void say(const char *format, va_list args)
{
    char text[2048];
    vsnprintf(text, sizeof text, format, args);
    say_line(text);
}

void cli_say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
}

int cli_usage(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
    return CLI_USAGE;
}

void cli_note(const cli *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!c->globals.quiet) {
        say(format, args);
    }
    va_end(args);
}

int cli_status(rv_status status)
{
    if (status == RV_OK) {
        return CLI_DONE;
    }
    if (status == RV_ERR_CANCELLED || rv_signal_caught()) {
        /* Compilers in drivers catch Ctrl-C as well, give up and report an error of their own. */
        cli_say("interrupted");
        return CLI_INTERRUPTED;
    }
    cli_say("%s", rv_error_message());
    return status == RV_ERR_USAGE ? CLI_USAGE : CLI_FAILED;
}

int cli_out_of_memory(void)
{
    cli_say("out of memory");
    return CLI_FAILED;
}

void cli_json_set(cli *c, const char *key, json_t *value)
{
    json_object_set_new(c->json, key, value);
}

json_t *cli_json_text(const char *text)
{
    json_t *value = json_string(text);
    char *copy = value == NULL ? cli_format("%s", text) : NULL;
    if (copy != NULL) {
        for (char *p = copy; *p != '\0'; p++) {
            if ((unsigned char)*p >= 0x80) {
                *p = '?';
            }
        }
        value = json_string(copy);
    }
    free(copy);
    return value;
}

json_t *cli_json_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

int cli_json_print(cli *c, int code)
{
    if (c->globals.json && !c->json_printed) {
        c->json_printed = true;
        if (code != CLI_DONE) {
            cli_json_set(c, "error", cli_json_text(last_said));
        }
        json_t *whole =
            json_pack("{s:s, s:o}", "version", rv_version(), "device",
                      c->device_name != NULL ? cli_json_text(c->device_name) : json_null());
        if (whole == NULL || json_object_update(whole, c->json) != 0) {
            code = cli_out_of_memory();
        } else if (json_dumpf(whole, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) == 0) {
            putchar('\n');
        }
        json_decref(whole);
    }
    return code;
}

void cli_files_count(cli_files *files, const char *path, rv_status status)
{
    if (rv_signal_caught()) {
        cli_say("interrupted");
        files->code = CLI_INTERRUPTED;
    } else if (status != RV_OK) {
        const int own = cli_status(status);
        files->code = files->n > 1 ? CLI_FAILED : own;
        files->n_failed++;
        json_array_append_new(files->failed,
                              json_pack("{s:o, s:o}", "file", cli_json_text(path), "reason",
                                        cli_json_text(rv_error_message())));
    }
}

int cli_files_end(cli *c, const cli_files *files)
{
    if (files->n_failed > 0 && files->n > 1) {
        cli_say("%zu of %zu files failed", files->n_failed, files->n);
    }
    cli_json_set(c, "failed", files->failed);
    return cli_json_print(c, files->code);
}

/* Columns of UTF-8 text. */
static size_t columns_of(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++) {
        n += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return n;
}

static void print_cell(const char *text, char side, size_t width, bool last)
{
    const int space = (int)(width - columns_of(text));
    if (side == 'r') {
        printf("%*s%s", space, "", text);
    } else {
        printf("%s%*s", text, last ? 0 : space, "");
    }
    fputs(last ? "\n" : "  ", stdout);
}

void cli_free_cells(char **cells, size_t n)
{
    for (size_t i = 0; cells != NULL && i < n; i++) {
        free(cells[i]);
    }
    free(cells);
}

int cli_print_table(const char *format, const char *const *heading, char *const *cells,
                    size_t n_rows)
{
    const size_t n = strlen(format);
    size_t width[16];
    for (size_t i = 0; i < n_rows * n; i++) {
        if (cells[i] == NULL) {
            return cli_out_of_memory();
        }
    }
    for (size_t k = 0; k < n; k++) {
        width[k] = columns_of(heading[k]);
        for (size_t i = 0; i < n_rows; i++) {
            const size_t w = columns_of(cells[i * n + k]);
            width[k] = w > width[k] ? w : width[k];
        }
    }
    for (size_t k = 0; k < n; k++) {
        print_cell(heading[k], format[k], width[k], k + 1 == n);
    }
    for (size_t i = 0; i < n_rows; i++) {
        for (size_t k = 0; k < n; k++) {
            print_cell(cells[i * n + k], format[k], width[k], k + 1 == n);
        }
    }
    return CLI_DONE;
}

const char *cli_thousands(char *out, uint64_t value)
{
    char digits[24];
    const int n = snprintf(digits, sizeof digits, "%" PRIu64, value);
    char *to = out;
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0) {
            *to++ = ',';
        }
        *to++ = digits[i];
    }
    *to = '\0';
    return out;
}
