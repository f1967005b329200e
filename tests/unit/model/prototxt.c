/* The text parser and the check of field names: trees, values, and errors with their line. */
/* SPDX-License-Identifier: MIT */
#include "model/prototxt.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const rv_prototxt_rule inner_rules[] = {{"dim", RV_PROTOTXT_INT, true, NULL},
                                               {"ratio", RV_PROTOTXT_FLOAT, false, NULL},
                                               {NULL, RV_PROTOTXT_ANY, false, NULL}};
static const rv_prototxt_rule rules[] = {{"name", RV_PROTOTXT_STRING, false, NULL},
                                         {"on", RV_PROTOTXT_BOOL, false, NULL},
                                         {"count", RV_PROTOTXT_INT, false, NULL},
                                         {"kind", RV_PROTOTXT_WORD, false, NULL},
                                         {"inner", RV_PROTOTXT_MESSAGE, true, inner_rules},
                                         {"skipped", RV_PROTOTXT_ANY, true, NULL},
                                         {NULL, RV_PROTOTXT_ANY, false, NULL}};

static rv_prototxt parse(const char *text)
{
    rv_prototxt doc;
    cr_assert_eq(rv_prototxt_parse(&doc, text, strlen(text), "a.prototxt"), RV_OK, "%s",
                 rv_error_message());
    return doc;
}

static void refuses(const char *text, const char *message)
{
    rv_prototxt doc;
    rv_status status = rv_prototxt_parse(&doc, text, strlen(text), "a.prototxt");
    if (status == RV_OK) {
        status = rv_prototxt_check(&doc, rules);
        rv_prototxt_release(&doc);
    }
    cr_assert_eq(status, RV_ERR_FORMAT, "%s", text);
    cr_assert_str_eq(rv_error_message(), message);
}

Test(prototxt, reads_comments_texts_lists_and_both_brackets)
{
    rv_prototxt doc = parse("# a comment { \"\n"
                            "name: \"a \\\"b\\\"\" ' c' # more\n"
                            "on: true; count: -0x10, kind: MAX\n"
                            "inner { dim: [1, 2, 3] dim: 4 ratio: 0.5f }\n"
                            "inner: < ratio: 1e-3 >\n"
                            "skipped { any { thing: 1 } }");
    cr_assert_eq(rv_prototxt_check(&doc, rules), RV_OK, "%s", rv_error_message());
    const size_t file = RV_PROTOTXT_FILE;
    cr_assert_str_eq(rv_prototxt_text(&doc, file, "name", NULL), "a \"b\" c");
    cr_assert(rv_prototxt_bool(&doc, file, "on", false));
    cr_assert_eq(rv_prototxt_int(&doc, file, "count", 0), -16);
    cr_assert_str_eq(rv_prototxt_text(&doc, file, "kind", NULL), "MAX");
    const size_t first = rv_prototxt_find(&doc, file, "inner", 0);
    cr_assert_eq(doc.fields[first].line, 4);
    int sum = 0, n = 0;
    for (size_t i = 0; (i = rv_prototxt_find(&doc, first, "dim", i)) != 0; i = doc.fields[i].end) {
        sum = 10 * sum + doc.fields[i].text[0] - '0';
        n++;
    }
    cr_assert_eq(n, 4);
    cr_assert_eq(sum, 1234);
    const size_t second = rv_prototxt_find(&doc, file, "inner", doc.fields[first].end);
    cr_assert_float_eq(rv_prototxt_float(&doc, first, "ratio", 0), 0.5, 0);
    cr_assert_float_eq(rv_prototxt_float(&doc, second, "ratio", 0), 1e-3, 0);
    cr_assert_eq(rv_prototxt_find(&doc, file, "inner", doc.fields[second].end), RV_PROTOTXT_NONE);
    rv_prototxt_release(&doc);
}

Test(prototxt, a_missing_message_gives_defaults)
{
    rv_prototxt doc = parse("name: \"x\" count: 3");
    const size_t none = rv_prototxt_find(&doc, RV_PROTOTXT_FILE, "inner", 0);
    cr_assert_eq(none, RV_PROTOTXT_NONE);
    cr_assert_eq(rv_prototxt_int(&doc, none, "count", 7), 7);
    cr_assert_null(rv_prototxt_text(&doc, none, "name", NULL));
    rv_prototxt_release(&doc);
    doc = parse("");
    cr_assert_eq(doc.fields[RV_PROTOTXT_FILE].end, doc.n);
    rv_prototxt_release(&doc);
}

Test(prototxt, a_typo_is_reported_with_line_and_nearest_name)
{
    refuses("\n\nnaem: \"x\"",
            "a.prototxt:3: there is no field 'naem' in a network; the nearest is 'name'");
    refuses("inner {\n  ration: 1\n}",
            "a.prototxt:2: there is no field 'ration' in inner; the nearest is 'ratio'");
}

Test(prototxt, values_of_the_wrong_kind_are_named)
{
    refuses("count: 1.5", "a.prototxt:1: count takes a whole number of 32 bits, not '1.5'");
    refuses("count: 2147483648",
            "a.prototxt:1: count takes a whole number of 32 bits, not '2147483648'");
    refuses("name: x", "a.prototxt:1: name takes a text in quotes, not 'x'");
    refuses("on: maybe", "a.prototxt:1: on takes true or false, not 'maybe'");
    refuses("inner { ratio: nan }", "a.prototxt:1: ratio takes a finite number, not 'nan'");
    refuses("inner: 3", "a.prototxt:1: inner takes a message in braces, not '3'");
    refuses("count { }", "a.prototxt:1: count takes a value, no message");
    refuses("count: 1\ncount: 2", "a.prototxt:2: count is given twice; it is in line 1 already");
}

Test(prototxt, mistakes_of_form_say_what_was_expected)
{
    refuses("inner {\n dim: 1\n",
            "a.prototxt:3: the file ends, but 'inner' of line 1 is not closed");
    refuses("}", "a.prototxt:1: '}' closes nothing");
    refuses("inner {\n>", "a.prototxt:2: expected '}' for 'inner' of line 1, not '>'");
    refuses("name \"x\"", "a.prototxt:1: expected ':' or '{' after 'name', not 'x'");
    refuses("name:", "a.prototxt:1: expected a value, but the file ends here");
    refuses("name: }", "a.prototxt:1: expected a value, not '}'");
    refuses("inner { dim: [1 2] }", "a.prototxt:1: expected ',' or ']', not '2'");
    refuses("name: \"x\n\"", "a.prototxt:1: a text in quotes does not end in its line");
    refuses("\"x\": 1", "a.prototxt:1: expected the name of a field, not 'x'");
    refuses("name: \"x\" $", "a.prototxt:1: the byte 0x24 cannot stand here");
}

Test(prototxt, messages_nest_100_deep_and_no_deeper)
{
    char text[1024];
    for (int depth = 100; depth <= 101; depth++) {
        size_t n = 0;
        for (int i = 0; i < depth; i++) {
            n += (size_t)snprintf(text + n, sizeof text - n, "skipped{");
        }
        memset(text + n, '}', (size_t)depth);
        rv_prototxt doc;
        const rv_status status = rv_prototxt_parse(&doc, text, n + (size_t)depth, "a.prototxt");
        cr_assert_eq(status, depth == 100 ? RV_OK : RV_ERR_FORMAT);
        if (status == RV_OK) {
            rv_prototxt_release(&doc);
        }
    }
    cr_assert_str_eq(rv_error_message(), "a.prototxt:1: messages are nested deeper than 100");
}
