/* What operations refuse: wrong shapes and attributes, each with a line that names the node, and both sizes. */
/* SPDX-License-Identifier: MIT */
#include "graph/graph.h"
#include "support/assert.h"

#include <math.h>
#include <stdio.h>

enum { MAX_IN = RV_MAX_INPUTS + 1, MAX_ATTRS = 4 };

/* Adds a node "culprit" of the operation to a graph of its own; the message stays to be read. */
static rv_status add(const char *op, const rv_shape *in, int n_in, const rv_attr_value *attrs,
                     size_t n_attrs)
{
    rv_graph *graph;
    rv_value values[MAX_IN], out;
    RV_ASSERT_OK(rv_graph_create(&graph));
    for (int i = 0; i < n_in; i++) {
        char name[16];
        snprintf(name, sizeof name, "input %d", i);
        RV_ASSERT_OK(rv_graph_input(graph, &values[i], name, in[i]));
    }
    const rv_status status = rv_graph_add(graph, &out, op, "culprit", values, n_in, attrs, n_attrs);
    cr_assert_eq(rv_graph_node_count(graph), status == RV_OK ? 1 : 0);
    rv_graph_destroy(graph);
    return status;
}

/* --- shapes ---------------------------------------------------------------------------------- */

typedef struct refusal {
    const char *op;
    rv_shape in[3];
    rv_attr_value attrs[MAX_ATTRS];
    rv_status status;
    const char *message;
} refusal;

#define R1(a)            \
    {                    \
        1,               \
        {                \
            (a), 1, 1, 1 \
        }                \
    }
#define R2(a, b)           \
    {                      \
        2,                 \
        {                  \
            (a), (b), 1, 1 \
        }                  \
    }
#define R3(a, b, c)          \
    {                        \
        3,                   \
        {                    \
            (a), (b), (c), 1 \
        }                    \
    }
#define R4(a, b, c, d)         \
    {                          \
        4,                     \
        {                      \
            (a), (b), (c), (d) \
        }                      \
    }
#define IN(...)     .in = {__VA_ARGS__}
#define SET(...)    .attrs = {__VA_ARGS__}
#define SHAPE(text) .status = RV_ERR_SHAPE, .message = "'culprit': " text
#define USAGE(text) .status = RV_ERR_USAGE, .message = "'culprit': " text
#define INT         RV_SET_INT
#define INT2        RV_SET_INT2
#define INT4        RV_SET_INT4

static const refusal refusals[] = {
    {"add", IN(R4(1, 3, 5, 7), R4(1, 3, 7, 5)), SHAPE("cannot add 1x3x7x5 to 1x3x5x7")},
    {"add", IN(R2(1, 3), R2(1, 3), R3(1, 3, 1)), SHAPE("cannot add 1x3x1 to 1x3")},

    {"batch_norm", IN(R3(2, 3, 4)), SHAPE("batch_norm takes N,C or N,C,H,W, not 2x3x4")},
    {"scale", IN(R1(7)), SHAPE("scale takes N,C or N,C,H,W, not 7")},
    {"softmax", IN(R3(2, 3, 4)), SHAPE("softmax takes N,C or N,C,H,W, not 2x3x4")},

    {"concat", IN(R3(2, 3, 4), R3(2, 3, 4)), SHAPE("concat takes N,C or N,C,H,W, not 2x3x4")},
    {"concat", IN(R4(1, 3, 5, 7), R4(1, 9, 5, 7), R4(1, 3, 5, 6)),
     SHAPE("1x3x5x6 cannot stand behind 1x3x5x7: all sizes but the channels must agree")},
    {"concat", IN(R2(2, 3), R2(1, 3)), SHAPE("1x3 cannot stand behind 2x3")},
    {"concat", IN(R2(2, 3), R4(2, 3, 1, 1)), SHAPE("2x3x1x1 cannot stand behind 2x3")},
    {"concat", IN(R4(1, 1 << 30, 1, 1), R4(1, 1 << 30, 1, 1)), SHAPE("too many channels")},

    {"conv", IN(R2(2, 10)), SHAPE("conv takes N,C,H,W, not 2x10")},
    {"conv", IN(R4(1, 3, 5, 9)), SET(INT2("kernel", 7, 3)),
     SHAPE("a window of 7 rows does not fit into 5 padded ones: the picture is too small here")},
    {"conv", IN(R4(1, 3, 9, 5)),
     SET(INT("kernel", 3), INT("dilation", 4), INT4("pads", 0, 1, 0, 2)),
     SHAPE("a window of 9 columns does not fit into 8 padded ones")},
    {"conv", IN(R4(1, 6, 5, 5)), SET(INT("groups", 4), INT("num_output", 8)),
     SHAPE("6 channels to 8 do not divide into 4 groups")},
    {"conv", IN(R4(1, 8, 5, 5)), SET(INT("groups", 4), INT("num_output", 6)),
     SHAPE("8 channels to 6 do not divide into 4 groups")},
    {"conv", IN(R4(1, 3, 4, 9)),
     SET(INT("kernel", 3), INT4("pads", 1, 1, 4, 1), RV_SET_ENUM("pad_mode", "reflect")),
     SHAPE("cannot reflect 4 rows into 4 of padding, only into fewer: pad less, or replicate")},
    {"conv", IN(R4(1, 3, 9, 1)), SET(INT4("pads", 0, 1, 0, 1), RV_SET_ENUM("pad_mode", "reflect")),
     SHAPE("cannot reflect 1 columns into 1 of padding")},
    {"conv", IN(R4(1, 1 << 20, 1, 1)),
     SET(INT("kernel", 1024), INT("pads", 1024), INT("num_output", 1)),
     SHAPE("a tensor of 1x1048576x1024x1024 is too large")},
    {"conv", IN(R4(1, 1, 4096, 4096)), SET(INT("num_output", 65536)),
     SHAPE("a tensor of 1x65536x4096x4096 is too large; use a smaller size or batch")},

    {"dense", IN(R3(2, 3, 4)), SHAPE("dense takes N,C or N,C,H,W, not 2x3x4")},
    {"dense", IN(R4(1, 512, 32, 32)), SET(INT("num_output", 4096)),
     SHAPE("a tensor of 4096x524288 is too large")},

    {"gram", IN(R2(2, 3)), SHAPE("gram takes N,C,H,W, not 2x3")},
    {"gram", IN(R4(1, 1 << 16, 1, 1)), SHAPE("a tensor of 1x65536x65536 is too large")},
    {"lrn", IN(R2(2, 3)), SHAPE("lrn takes N,C,H,W, not 2x3")},
    {"reorder", IN(R3(2, 3, 4)), SHAPE("reorder takes N,C,H,W, not 2x3x4")},
    {"tv_loss", IN(R3(3, 8, 8)), SHAPE("tv_loss takes N,C,H,W, not 3x8x8")},

    {"max_pool", IN(R2(2, 3)), SET(INT("global", 1)), SHAPE("max_pool takes N,C,H,W, not 2x3")},
    {"max_pool", IN(R4(1, 3, 8, 8)), USAGE("max_pool needs a kernel, or global")},
    {"max_pool", IN(R4(1, 3, 2, 8)), SET(INT("kernel", 3)),
     SHAPE("a window of 3 does not fit into 2 padded pixels: the picture is too small here")},
    {"average_pool", IN(R3(1, 3, 2)), SET(INT("global", 1)),
     SHAPE("average_pool takes N,C,H,W, not 1x3x2")},
    {"average_pool", IN(R4(1, 3, 8, 2)), SET(INT2("kernel", 3, 5), INT4("pads", 1, 1, 1, 1)),
     SHAPE("a window of 5 does not fit into 4 padded pixels")},
    {"average_pool", IN(R4(1, 3, 8, 8)), SET(INT2("kernel", 3, 2), INT4("pads", 1, 0, 1, 2)),
     SHAPE("pads of 0 and 2 must be less than the window of 2")},

    {"binomial_pool", IN(R2(1, 3)), SHAPE("binomial_pool takes N,C,H,W, not 1x3")},

    {"preprocess", IN(R4(1, 4, 8, 8)), SHAPE("preprocess takes N,3,H,W or N,1,H,W, not 1x4x8x8")},
    {"binary_cross_entropy", IN(R2(2, 3), R2(2, 4)),
     SHAPE("binary_cross_entropy compares 2x3 with a target of 2x4")},
    {"prelu", IN(R3(1, 2, 3)), SHAPE("prelu takes N,C or N,C,H,W, not 1x2x3")},
    {"preprocess", IN(R2(1, 3)), SHAPE("preprocess takes N,3,H,W or N,1,H,W, not 1x3")},

    {"resize", IN(R3(3, 8, 8)), SHAPE("resize takes N,C,H,W, not 3x8x8")},
    {"resize", IN(R4(1, 3, 8, 9)), SET(RV_SET_FLOAT4("window", 2, 0, 7, 9)),
     SHAPE("a window of 7 from 2 on does not lie within 8 pixels")},
    {"resize", IN(R4(1, 3, 8, 9)), SET(RV_SET_FLOAT4("window", 0, 0.5, 8, 9)),
     SHAPE("a window of 9 from 0.5 on does not lie within 9 pixels")},
    {"resize", IN(R4(1, 3, 8, 9)), SET(RV_SET_FLOAT4("window", 3, 0, 0, 9)),
     SHAPE("a window from 3 on has no size, which is for all of the 8 pixels")},
    {"resize", IN(R4(1, 3, 8, 8)), SET(INT("height", 1 << 20), INT("width", 1 << 20)),
     SHAPE("a tensor of 1x3x1048576x1048576 is too large")},

    {"mse_loss", IN(R3(1, 8, 8), R3(1, 9, 9)),
     SHAPE("mse_loss compares 1x8x8 with a target of 1x9x9")},
    {"dot_loss", IN(R2(2, 9), R2(1, 9)), SHAPE("dot_loss compares 2x9 with a target of 1x9")},
    {"match_loss", IN(R4(1, 8, 3, 3), R2(5, 9)),
     SHAPE("match_loss takes a list of vectors of 8 channels for 1x8x3x3, not 5x9")},
    {"range_loss", IN(R1(9)), SET(RV_SET_FLOAT("low", 2)), USAGE("the range from 2 to 1 is empty")},
    {"cross_entropy", IN(R4(2, 10, 3, 3), R1(2)),
     SHAPE("cross_entropy takes logits of N,K, not 2x10x3x3")},
    {"cross_entropy", IN(R1(10), R1(10)), SHAPE("cross_entropy takes logits of N,K, not 10")},
    {"cross_entropy", IN(R2(4, 10), R1(3)),
     SHAPE("cross_entropy takes one label for each of 4 pictures, not 3")},
    {"cross_entropy", IN(R2(4, 10), R2(4, 10)),
     SHAPE("cross_entropy takes one label for each of 4 pictures, not 4x10")},
};

Test(refusals, shapes_that_do_not_fit_are_named_with_the_node)
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        const refusal *r = &refusals[i];
        int n_in = 0;
        size_t n_attrs = 0;
        while (n_in < 3 && r->in[n_in].rank > 0) {
            n_in++;
        }
        while (n_attrs < MAX_ATTRS && r->attrs[n_attrs].name != NULL) {
            n_attrs++;
        }
        const rv_status status = add(r->op, r->in, n_in, r->attrs, n_attrs);
        cr_expect_eq(status, r->status, "%s, row %zu: %s instead of '%s'", r->op, i,
                     status == RV_OK ? "nothing" : rv_error_message(), r->message);
        cr_expect(status == RV_OK || strstr(rv_error_message(), r->message) != NULL,
                  "%s, row %zu: '%s' instead of '%s'", r->op, i, rv_error_message(), r->message);
    }
}

/* A layer that was made for one size of pictures keeps its weights. */
Test(refusals, dense_refuses_another_size_of_pictures)
{
    rv_graph *graph;
    rv_value in, out;
    RV_ASSERT_OK(rv_graph_create(&graph));
    RV_ASSERT_OK(rv_graph_input(graph, &in, "data", rv_shape_4(1, 4, 6, 6)));
    RV_ASSERT_OK(rv_graph_add(graph, &out, "dense", "culprit", &in, 1,
                              RV_ATTRS(RV_SET_INT("num_output", 10))));
    RV_ASSERT_FAILS(rv_graph_reshape(graph, in, rv_shape_4(1, 4, 7, 6)), RV_ERR_SHAPE,
                    "'culprit': with this input size its weight would be 10x168, but it is 10x144");
    RV_ASSERT_OK(rv_graph_reshape(graph, in, rv_shape_4(5, 4, 6, 6)));
    rv_graph_destroy(graph);
}

/* --- what holds for every operation ---------------------------------------------------------- */

static void refuses(const rv_op *op, int n_in, const rv_attr_value *attrs, size_t n_attrs,
                    rv_status expected, const char *words)
{
    rv_shape in[MAX_IN];
    for (int i = 0; i < n_in; i++) {
        in[i] = rv_shape_4(1, 3, 8, 8);
    }
    const rv_status status = add(op->name, in, n_in, attrs, n_attrs);
    cr_expect_eq(status, expected, "%s: status %s, expected '%s'", op->name, rv_status_name(status),
                 words);
    cr_expect(status == RV_OK || (strstr(rv_error_message(), "'culprit'") != NULL &&
                                  strstr(rv_error_message(), words) != NULL),
              "%s: '%s' is not in: %s", op->name, words, rv_error_message());
}

Test(refusals, every_operation_refuses_a_wrong_number_of_inputs)
{
    size_t n;
    const rv_op *const *ops = rv_op_list(&n);
    for (size_t i = 0; i < n; i++) {
        char words[64];
        snprintf(words, sizeof words, ", not %d", ops[i]->max_in + 1);
        refuses(ops[i], ops[i]->max_in + 1, RV_NO_ATTRS, RV_ERR_SHAPE, words);
        snprintf(words, sizeof words, ", not %d", ops[i]->min_in - 1);
        refuses(ops[i], ops[i]->min_in - 1, RV_NO_ATTRS, RV_ERR_SHAPE, words);
    }
}

static void refuses_value(const rv_op *op, const rv_attr_value *value, const char *words)
{
    refuses(op, op->min_in, value, 1, RV_ERR_USAGE, value->name);
    refuses(op, op->min_in, value, 1, RV_ERR_USAGE, words);
}

static void refuses_wrong_numbers(const rv_op *op, const rv_attr *row)
{
    const double wrong[] = {row->min - 1 - fabs(row->min), row->max + 1 + fabs(row->max), NAN,
                            INFINITY, -INFINITY};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        rv_attr_value value = {row->name, row->type, row->count, {0}, NULL};
        for (int k = 0; k < row->count; k++) {
            value.number[k] = k == row->count - 1 ? wrong[i] : row->min;
        }
        refuses_value(op, &value, "outside");
    }
    if (row->type == RV_ATTR_INT && row->min < row->max) {
        refuses_value(op, &(rv_attr_value){row->name, row->type, 1, {row->min + 0.5}, NULL},
                      "whole numbers");
    }
    refuses_value(op, &(rv_attr_value){row->name, row->type, row->count + 1, {row->min}, NULL},
                  "values, not");
    refuses_value(op, &RV_SET_ENUM(row->name, "word"), "takes numbers");
}

Test(refusals, every_attribute_refuses_what_is_out_of_its_range)
{
    size_t n;
    const rv_op *const *ops = rv_op_list(&n);
    for (size_t i = 0; i < n; i++) {
        refuses_value(ops[i], &RV_SET_INT("no such attribute", 1), "there is no attribute");
        for (const rv_attr *row = ops[i]->attrs; row != NULL && row->name != NULL; row++) {
            if (row->type == RV_ATTR_ENUM) {
                refuses_value(ops[i], &RV_SET_ENUM(row->name, "no such word"),
                              "cannot be 'no such word'; the nearest is '");
                refuses_value(ops[i], &RV_SET_INT(row->name, 0), "takes a word");
            } else {
                refuses_wrong_numbers(ops[i], row);
            }
        }
    }
}
