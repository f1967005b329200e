/* Reads and writes expressions of goals, "conv4_2 + 2*conv5_1:17 - 0.1*tv". */
/* SPDX-License-Identifier: MIT */
#include "stages/goal.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CHANNELS = 65536 };
#define MAX_WEIGHT 1e6

/* --- lists ----------------------------------------------------------------------------------- */

rv_status rv_goals_add(rv_goals *goals, rv_goal **out, rv_goal_kind kind, const char *name,
                       size_t n)
{
    RV_TRY(rv_grow(&goals->items, &goals->capacity, goals->n + 1, sizeof *goals->items, "goals"));
    rv_goal *g = &goals->items[goals->n];
    *g = (rv_goal){.kind = kind, .weight = 1};
    if (name != NULL) {
        RV_TRY(rv_format(&g->name, "%.*s", (int)n, name));
    }
    goals->n++;
    *out = g;
    return RV_OK;
}

rv_status rv_goal_add_channel(rv_goal *goal, int channel)
{
    RV_TRY(rv_grow(&goal->channels, &goal->capacity, goal->n_channels + 1, sizeof *goal->channels,
                   "channels"));
    goal->channels[goal->n_channels++] = channel;
    return RV_OK;
}

void rv_goals_release(rv_goals *goals)
{
    for (size_t i = 0; i < goals->n; i++) {
        free(goals->items[i].name);
        free(goals->items[i].channels);
    }
    free(goals->items);
    *goals = (rv_goals){0};
}

/* --- reading --------------------------------------------------------------------------------- */

/* Where reading has come to. */
typedef struct reader {
    const char *text, *at;
} reader;

static int place(const reader *r)
{
    return (int)(r->at - r->text) + 1;
}

/* "...: a layer is missing at character 5 of 'a + '" */
static rv_status fail(const reader *r, const char *what)
{
    return *r->at != '\0'
               ? rv_fail(RV_ERR_USAGE, "%s at character %d of '%.200s'", what, place(r), r->text)
               : rv_fail(RV_ERR_USAGE, "%s at the end of '%.200s'", what, r->text);
}

static void skip_spaces(reader *r)
{
    while (isspace((unsigned char)*r->at)) {
        r->at++;
    }
}

/* Takes the character if it is next. */
static bool take(reader *r, char c)
{
    skip_spaces(r);
    if (*r->at != c) {
        return false;
    }
    r->at++;
    return true;
}

static bool ends_name(char c)
{
    return c == '\0' || isspace((unsigned char)c) || strchr("+-*:,@'\"", c) != NULL;
}

/* A name, bare or in quotes: n bytes from *start. */
static rv_status read_name(reader *r, const char **start, size_t *n, const char *missing)
{
    skip_spaces(r);
    *start = r->at;
    if (*r->at == '\'' || *r->at == '"') {
        const char *end = strchr(r->at + 1, *r->at);
        if (end == NULL) {
            return fail(r, "a quote is not closed that opens");
        }
        *start = r->at + 1;
        *n = (size_t)(end - *start);
        if (*n == 0) {
            return fail(r, missing);
        }
        r->at = end + 1;
        return RV_OK;
    }
    while (!ends_name(*r->at)) {
        r->at++;
    }
    *n = (size_t)(r->at - *start);
    return *n > 0 ? RV_OK : fail(r, missing);
}

static rv_status read_index(reader *r, int *out)
{
    char *end;
    skip_spaces(r);
    const long value = isdigit((unsigned char)*r->at) ? strtol(r->at, &end, 10) : -1;
    if (value < 0 || value >= INT32_MAX) {
        return fail(r, "the number of a channel is missing");
    }
    r->at = end;
    *out = (int)value;
    return RV_OK;
}

/* "3,17,40..44" */
static rv_status read_channels(reader *r, rv_goal *goal)
{
    do {
        int first, last;
        RV_TRY(read_index(r, &first));
        last = first;
        if (strncmp(r->at, "..", 2) == 0) {
            r->at += 2;
            RV_TRY(read_index(r, &last));
        }
        if (last < first || last - first >= MAX_CHANNELS) {
            return fail(r, "channels go from the lower to the higher, as 3..7, up to what stands");
        }
        for (int i = first; i <= last; i++) {
            RV_TRY(rv_goal_add_channel(goal, i));
        }
    } while (take(r, ','));
    return RV_OK;
}

static rv_status read_share(reader *r, double *out)
{
    char *end;
    skip_spaces(r);
    *out = rv_strtod(r->at, &end);
    if (end == r->at || !(*out >= 0 && *out < 1)) {
        return fail(r, "a place is two shares of width and height from 0 to below 1, as @0.5,0.5: "
                       "there is none");
    }
    r->at = end;
    return RV_OK;
}

/* What stands behind "LAYER:". */
static rv_status read_part(reader *r, rv_goal *goal)
{
    goal->kind = RV_GOAL_CHANNELS;
    RV_TRY(read_channels(r, goal));
    if (!take(r, '@')) {
        return RV_OK;
    }
    goal->kind = RV_GOAL_UNIT;
    RV_TRY(read_share(r, &goal->x));
    return take(r, ',') ? read_share(r, &goal->y) : fail(r, "the height of a place is missing");
}

static bool is_word(const char *start, size_t n, const char *word)
{
    return n == strlen(word) && memcmp(start, word, n) == 0;
}

static rv_status read_goal(reader *r, rv_goals *goals, rv_goal **out)
{
    const char *start = NULL;
    size_t n = 0;
    skip_spaces(r);
    const int at = place(r);
    const bool quoted = *r->at == '\'' || *r->at == '"';
    RV_TRY(read_name(r, &start, &n, "a layer is missing"));
    const bool colon = *r->at == ':';
    const bool of_class = !quoted && colon && is_word(start, n, "class");
    const bool of_guide = !quoted && colon && is_word(start, n, "guide");
    if (of_class || of_guide) {
        r->at++;
        RV_TRY(read_name(r, &start, &n,
                         of_class ? "the name of a class is missing" : "a layer is missing"));
        RV_TRY(rv_goals_add(goals, out, of_class ? RV_GOAL_CLASS : RV_GOAL_GUIDE, start, n));
    } else if (!quoted && !colon && is_word(start, n, "tv")) {
        RV_TRY(rv_goals_add(goals, out, RV_GOAL_VARIATION, NULL, 0));
    } else {
        RV_TRY(rv_goals_add(goals, out, RV_GOAL_LAYER, start, n));
    }
    rv_goal *goal = *out;
    goal->at = at;
    if (!of_class && !of_guide && colon) {
        r->at++;
        return read_part(r, goal);
    }
    return RV_OK;
}

/* A number that is a factor, where one is next: "4a" is the name of a layer. */
static bool read_factor(reader *r, double *weight)
{
    char *end;
    skip_spaces(r);
    const bool begins = isdigit((unsigned char)*r->at) || *r->at == '.';
    const double value = begins ? rv_strtod(r->at, &end) : 0;
    if (!begins || end == r->at || !ends_name(*end) || *end == ':') {
        return false;
    }
    r->at = end;
    *weight *= value;
    return true;
}

/* Factors with * between them, one of them a goal. */
static rv_status read_product(reader *r, rv_goals *goals, double sign)
{
    double weight = sign;
    rv_goal *goal = NULL;
    skip_spaces(r);
    const reader start = *r;
    do {
        if (read_factor(r, &weight)) {
            continue;
        }
        if (goal != NULL) {
            return fail(r, "only numbers multiply a layer, not what stands");
        }
        RV_TRY(read_goal(r, goals, &goal));
    } while (take(r, '*'));
    if (goal == NULL) {
        return fail(&start, "there is no layer to the number");
    }
    if (!(fabs(weight) > 0 && fabs(weight) <= MAX_WEIGHT)) {
        return fail(&start, "a weight is 0, or beyond a million,");
    }
    goal->weight = weight;
    return RV_OK;
}

static rv_status read_sum(reader *r, rv_goals *goals)
{
    double sign = take(r, '-') ? -1 : 1;
    for (;;) {
        RV_TRY(read_product(r, goals, sign));
        skip_spaces(r);
        if (*r->at == '\0') {
            return RV_OK;
        }
        if (*r->at != '+' && *r->at != '-') {
            return fail(r, "+, - or * is missing");
        }
        sign = *r->at++ == '-' ? -1 : 1;
    }
}

rv_status rv_goals_parse(rv_goals *out, const char *text)
{
    reader r = {text, text};
    *out = (rv_goals){0};
    const rv_status status = read_sum(&r, out);
    if (status != RV_OK) {
        rv_goals_release(out);
    }
    return status;
}

/* --- writing --------------------------------------------------------------------------------- */

/* In quotes where it would be read as something else. */
static void append_name(rv_text *text, const char *name)
{
    const char *end = name;
    char *number;
    while (!ends_name(*end)) {
        end++;
    }
    (void)rv_strtod(name, &number);
    const bool word =
        strcmp(name, "tv") == 0 || strcmp(name, "class") == 0 || strcmp(name, "guide") == 0;
    const bool plain = *end == '\0' && *number != '\0' && !word;
    const char *quote = plain ? "" : strchr(name, '\'') != NULL ? "\"" : "'";
    rv_text_append(text, "%s%s%s", quote, name, quote);
}

/* "3,17,40..44" */
static void append_channels(rv_text *text, const rv_goal *goal)
{
    const int *c = goal->channels;
    for (size_t i = 0, run; i < goal->n_channels; i += run) {
        for (run = 1; i + run < goal->n_channels && c[i + run] == c[i] + (int)run;) {
            run++;
        }
        run = run > 2 ? run : 1;
        rv_text_append(text, i > 0 ? ",%d" : ":%d", c[i]);
        if (run > 1) {
            rv_text_append(text, "..%d", c[i + run - 1]);
        }
    }
}

static void append_goal(rv_text *text, const rv_goal *goal)
{
    if (goal->kind == RV_GOAL_VARIATION) {
        rv_text_append(text, "tv");
        return;
    }
    if (goal->kind == RV_GOAL_CLASS || goal->kind == RV_GOAL_GUIDE) {
        rv_text_append(text, goal->kind == RV_GOAL_CLASS ? "class:" : "guide:");
    }
    append_name(text, goal->name);
    if (goal->kind == RV_GOAL_CHANNELS || goal->kind == RV_GOAL_UNIT) {
        append_channels(text, goal);
    }
    if (goal->kind == RV_GOAL_UNIT) {
        rv_text_append(text, "@%.6g,%.6g", goal->x, goal->y);
    }
}

rv_status rv_goals_text(char **out, const rv_goals *goals)
{
    rv_text text = {0};
    for (size_t i = 0; i < goals->n; i++) {
        const rv_goal *g = &goals->items[i];
        const double weight = fabs(g->weight);
        rv_text_append(&text, "%s", g->weight < 0 ? "-" : i > 0 ? "+" : "");
        if (weight < 1 || weight > 1) {
            rv_text_append(&text, "%.6g*", weight);
        }
        append_goal(&text, g);
    }
    const rv_status status = rv_text_status(&text);
    *out = text.data;
    if (status != RV_OK) {
        rv_text_release(&text);
        *out = NULL;
    }
    return status;
}
