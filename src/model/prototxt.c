/* Parses protobuf's text form: comments, strings, lists, nested messages; errors with their line. */
/* SPDX-License-Identifier: MIT */
#include "model/prototxt.h"
#include "base/error.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_STRING, TOKEN_MARK } token_kind;

typedef struct token {
    token_kind kind;
    const char *at;
    size_t size; /* of a string without its quotes */
    int line;
} token;

typedef struct lexer {
    const char *at, *end;
    int line;
} lexer;

/* A message whose closing bracket has not come yet. */
typedef struct open_message {
    size_t index;
    char close;
} open_message;

typedef struct parser {
    rv_prototxt *doc;
    lexer lexer;
    char *strings; /* next free byte of doc->strings */
    open_message open[RV_PROTOTXT_MAX_DEPTH + 1];
    int depth;
} parser;

static rv_status fail_at(const rv_prototxt *doc, int line, const char *format, ...) RV_PRINTF(3, 4);

static rv_status fail_at(const rv_prototxt *doc, int line, const char *format, ...)
{
    char message[RV_ERROR_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return rv_fail(RV_ERR_FORMAT, "%s:%d: %s", doc->file, line, message);
}

rv_status rv_prototxt_fail(const rv_prototxt *doc, size_t index, rv_status status,
                           const char *format, ...)
{
    char message[RV_ERROR_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return rv_fail(status, "%s:%d: %s", doc->file, doc->fields[index].line, message);
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '+' || c == '-';
}

static void skip_space(lexer *l)
{
    for (; l->at < l->end; l->at++) {
        if (*l->at == '#') {
            while (l->at < l->end && *l->at != '\n') {
                l->at++;
            }
            if (l->at == l->end) {
                return;
            }
        }
        if (*l->at == '\n') {
            l->line++;
        } else if (*l->at != ' ' && *l->at != '\t' && *l->at != '\r') {
            return;
        }
    }
}

static rv_status next_string(token *out, lexer *l, const rv_prototxt *doc)
{
    const char quote = *l->at++;
    const char *start = l->at;
    for (; l->at < l->end && *l->at != quote && *l->at != '\n'; l->at++) {
        if (*l->at == '\\' && l->end - l->at > 1) {
            l->at++;
        }
    }
    if (l->at == l->end || *l->at != quote) {
        return fail_at(doc, l->line, "a text in quotes does not end in its line");
    }
    *out = (token){TOKEN_STRING, start, (size_t)(l->at - start), l->line};
    l->at++;
    return RV_OK;
}

static rv_status next_token(token *out, lexer *l, const rv_prototxt *doc)
{
    skip_space(l);
    *out = (token){TOKEN_END, l->at, 0, l->line};
    if (l->at == l->end) {
        return RV_OK;
    }
    if (*l->at == '"' || *l->at == '\'') {
        return next_string(out, l, doc);
    }
    if (is_word(*l->at)) {
        out->kind = TOKEN_WORD;
        while (l->at < l->end && is_word(*l->at)) {
            l->at++;
        }
        out->size = (size_t)(l->at - out->at);
        return RV_OK;
    }
    if (*l->at == '\0' || strchr("{}<>[]:,;", *l->at) == NULL) {
        return fail_at(doc, l->line, "the byte 0x%02x cannot stand here", (unsigned char)*l->at);
    }
    out->kind = TOKEN_MARK;
    out->size = 1;
    l->at++;
    return RV_OK;
}

static bool is_mark(const token *t, char mark)
{
    return t->kind == TOKEN_MARK && *t->at == mark;
}

static rv_status fail_expected(const parser *p, const token *t, const char *expected)
{
    if (t->kind == TOKEN_END) {
        return fail_at(p->doc, t->line, "expected %s, but the file ends here", expected);
    }
    const int shown = t->size < 40 ? (int)t->size : 40;
    return fail_at(p->doc, t->line, "expected %s, not '%.*s'", expected, shown, t->at);
}

static char unescape(char c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case 'r':
        return '\r';
    default:
        return c;
    }
}

/* Copies a token behind what is kept; what is kept never needs more room than the text has. */
static void keep(parser *p, const token *t)
{
    for (size_t i = 0; i < t->size; i++) {
        const bool escaped = t->kind == TOKEN_STRING && t->at[i] == '\\' && i + 1 < t->size;
        *p->strings++ = escaped ? unescape(t->at[++i]) : t->at[i];
    }
}

static const char *keep_word(parser *p, const token *t)
{
    const char *start = p->strings;
    keep(p, t);
    *p->strings++ = '\0';
    return start;
}

static rv_status add_field(parser *p, rv_prototxt_field field)
{
    rv_prototxt *doc = p->doc;
    RV_TRY(rv_grow(&doc->fields, &doc->capacity, doc->n + 1, sizeof *doc->fields, doc->file));
    field.end = doc->n + 1;
    doc->fields[doc->n++] = field;
    return RV_OK;
}

static rv_status open_field(parser *p, const char *name, int line, char close)
{
    if (p->depth == RV_PROTOTXT_MAX_DEPTH) {
        return fail_at(p->doc, line, "messages are nested deeper than %d", RV_PROTOTXT_MAX_DEPTH);
    }
    p->open[++p->depth] = (open_message){p->doc->n, close};
    return add_field(p, (rv_prototxt_field){.name = name, .line = line});
}

/* A value that starts with token `t`; texts in quotes that follow each other are one. */
static rv_status parse_scalar(parser *p, const char *name, int line, token t)
{
    if (t.kind != TOKEN_WORD && t.kind != TOKEN_STRING) {
        return fail_expected(p, &t, "a value");
    }
    const char *text = p->strings;
    const bool quoted = t.kind == TOKEN_STRING;
    keep(p, &t);
    for (lexer ahead = p->lexer; quoted;) {
        RV_TRY(next_token(&t, &ahead, p->doc));
        if (t.kind != TOKEN_STRING) {
            break;
        }
        keep(p, &t);
        p->lexer = ahead;
    }
    *p->strings++ = '\0';
    return add_field(
        p, (rv_prototxt_field){.name = name, .text = text, .quoted = quoted, .line = line});
}

static rv_status parse_list(parser *p, const char *name)
{
    token t;
    RV_TRY(next_token(&t, &p->lexer, p->doc));
    if (is_mark(&t, ']')) {
        return RV_OK;
    }
    for (;;) {
        RV_TRY(parse_scalar(p, name, t.line, t));
        RV_TRY(next_token(&t, &p->lexer, p->doc));
        if (is_mark(&t, ']')) {
            return RV_OK;
        }
        if (!is_mark(&t, ',')) {
            return fail_expected(p, &t, "',' or ']'");
        }
        RV_TRY(next_token(&t, &p->lexer, p->doc));
    }
}

static rv_status parse_field(parser *p, const token *word)
{
    const char *name = keep_word(p, word);
    token t;
    RV_TRY(next_token(&t, &p->lexer, p->doc));
    const bool colon = is_mark(&t, ':');
    if (colon) {
        RV_TRY(next_token(&t, &p->lexer, p->doc));
    }
    if (is_mark(&t, '{') || is_mark(&t, '<')) {
        return open_field(p, name, word->line, *t.at == '{' ? '}' : '>');
    }
    if (!colon) {
        char expected[80];
        snprintf(expected, sizeof expected, "':' or '{' after '%.40s'", name);
        return fail_expected(p, &t, expected);
    }
    return is_mark(&t, '[') ? parse_list(p, name) : parse_scalar(p, name, word->line, t);
}

static rv_status close_field(parser *p, const token *t)
{
    const open_message *top = &p->open[p->depth];
    if (*t->at != top->close) {
        return p->depth == 0
                   ? fail_at(p->doc, t->line, "'%c' closes nothing", *t->at)
                   : fail_at(p->doc, t->line, "expected '%c' for '%s' of line %d, not '%c'",
                             top->close, p->doc->fields[top->index].name,
                             p->doc->fields[top->index].line, *t->at);
    }
    p->doc->fields[top->index].end = p->doc->n;
    p->depth--;
    return RV_OK;
}

static rv_status parse(parser *p)
{
    RV_TRY(add_field(p, (rv_prototxt_field){.name = "", .line = 1}));
    RV_TRY(add_field(p, (rv_prototxt_field){.name = "", .line = 1}));
    for (;;) {
        token t;
        RV_TRY(next_token(&t, &p->lexer, p->doc));
        if (t.kind == TOKEN_WORD) {
            RV_TRY(parse_field(p, &t));
        } else if (is_mark(&t, '}') || is_mark(&t, '>')) {
            RV_TRY(close_field(p, &t));
        } else if (t.kind == TOKEN_END) {
            break;
        } else if (!is_mark(&t, ',') && !is_mark(&t, ';')) {
            return fail_expected(p, &t, "the name of a field");
        }
    }
    if (p->depth > 0) {
        const rv_prototxt_field *f = &p->doc->fields[p->open[p->depth].index];
        return fail_at(p->doc, p->lexer.line, "the file ends, but '%s' of line %d is not closed",
                       f->name, f->line);
    }
    p->doc->fields[RV_PROTOTXT_FILE].end = p->doc->n;
    return RV_OK;
}

rv_status rv_prototxt_parse(rv_prototxt *out, const char *text, size_t size, const char *file)
{
    *out = (rv_prototxt){0};
    size_t room;
    if (!rv_size_mul(&room, size, 2) || !rv_size_add(&room, room, 1)) {
        return rv_fail(RV_ERR_MEMORY, "%s is too large", file);
    }
    rv_status status = rv_strdup(&out->file, file);
    if (status == RV_OK) {
        status = rv_alloc(&out->strings, room, 1, file);
    }
    if (status == RV_OK) {
        static const char nothing[] = "";
        const char *start = size > 0 ? text : nothing;
        parser p = {.doc = out, .lexer = {start, start + size, 1}, .strings = out->strings};
        status = parse(&p);
    }
    if (status != RV_OK) {
        rv_prototxt_release(out);
    }
    return status;
}

void rv_prototxt_release(rv_prototxt *doc)
{
    free(doc->fields);
    free(doc->strings);
    free(doc->file);
    *doc = (rv_prototxt){0};
}
