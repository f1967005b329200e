/* What a node is tuned by: its key in the table, and only choices that its operation still offers. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/op.h"
#include "support/device.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

typedef struct fields {
    int32_t size[2], kind;
    float rate;
} fields;

static const char *const kinds[] = {"round", "square", NULL};
static const rv_attr attrs[] = {
    {"size", RV_ATTR_INT, offsetof(fields, size), 2, 1, 0, 9, NULL, "of something"},
    {"kind", RV_ATTR_ENUM, offsetof(fields, kind), 1, 0, 0, 0, kinds, "of something"},
    {"rate", RV_ATTR_FLOAT, offsetof(fields, rate), 1, 0.1, 0, 1, NULL, "of something"},
    {.name = NULL},
};

/* Two ways forward, one way back. */
static size_t algorithms(const rv_node *n, const rv_device *device, rv_pass pass,
                         const char *names[RV_MAX_ALGORITHMS])
{
    (void)n;
    (void)device;
    names[0] = "direct";
    names[1] = "tiles";
    return pass == RV_PASS_FORWARD ? 2 : 1;
}

static const rv_op op = {
    .name = "test", .attrs = attrs, .attr_size = sizeof(fields), .algorithms = algorithms};

typedef struct play {
    fields attrs;
    rv_tensor in, out, *ins[1], *outs[1];
    rv_node node;
} play;

static void set_up(play *p, int32_t height, int32_t width)
{
    *p = (play){.attrs = {{1, 3}, 1, 0.1f}};
    p->in = (rv_tensor){.shape = rv_shape_4(1, 64, height, width), .layout = RV_BLOCKED};
    p->out = (rv_tensor){.shape = rv_shape_2(1, 10), .layout = RV_PLAIN};
    p->ins[0] = &p->in;
    p->outs[0] = &p->out;
    p->node = (rv_node){.op = &op,
                        .name = "x",
                        .attrs = &p->attrs,
                        .n_in = 1,
                        .n_out = 1,
                        .in = p->ins,
                        .out = p->outs};
}

static char *key_of(const play *p, rv_pass pass)
{
    char *key;
    cr_assert_eq(rv_node_key(&key, &p->node, pass), RV_OK, "%s", rv_error_message());
    return key;
}

Test(choice, keys_say_what_matters)
{
    play p;
    set_up(&p, 512, 512);
    char *key = key_of(&p, RV_PASS_FORWARD);
    cr_assert_str_eq(key, "test forward size=1,3 kind=1 1x64x2^18 blocked -> 1x10 plain");
    free(key);
    p.node.mode = RV_TRAIN;
    p.attrs = (fields){{1, 1}, 0, 0.5f};
    key = key_of(&p, RV_PASS_BACKWARD_PARAMS);
    cr_assert_str_eq(key, "test backward_weights train rate=0.5 1x64x2^18 blocked -> 1x10 plain");
    free(key);
}

Test(choice, pictures_of_about_one_size_share_a_key)
{
    play square, wide, large;
    set_up(&square, 512, 512);
    set_up(&wide, 384, 512);
    set_up(&large, 768, 512);
    char *a = key_of(&square, RV_PASS_FORWARD), *b = key_of(&wide, RV_PASS_FORWARD),
         *c = key_of(&large, RV_PASS_FORWARD);
    cr_assert_str_eq(a, b);
    cr_assert_str_neq(a, c);
    free(a);
    free(b);
    free(c);
}

static void tune(rv_device *device, const play *p, rv_pass pass, const char *choice)
{
    char *key = key_of(p, pass);
    cr_assert_eq(rv_tuning_set(device, key, choice), RV_OK, "%s", rv_error_message());
    free(key);
}

Test(choice, nodes_take_what_the_table_says)
{
    rv_device *device = rv_test_device();
    setenv("XDG_CACHE_HOME", rv_test_folder(), 1);
    play p;
    set_up(&p, 512, 512);
    cr_assert_eq(rv_node_tuned(&p.node, device), RV_OK, "%s", rv_error_message());
    cr_assert_null(p.node.algorithm[RV_PASS_FORWARD]);
    tune(device, &p, RV_PASS_FORWARD, "tiles");
    tune(device, &p, RV_PASS_BACKWARD_DATA, "direct"); /* no choice: not noted */
    cr_assert_eq(rv_node_tuned(&p.node, device), RV_OK, "%s", rv_error_message());
    cr_assert_str_eq(p.node.algorithm[RV_PASS_FORWARD], "tiles");
    cr_assert_null(p.node.algorithm[RV_PASS_BACKWARD_DATA]);
    set_up(&p, 512, 512);
    tune(device, &p, RV_PASS_FORWARD, "of an older version");
    cr_assert_eq(rv_node_tuned(&p.node, device), RV_OK, "%s", rv_error_message());
    cr_assert_null(p.node.algorithm[RV_PASS_FORWARD]);
    rv_device_close(device);
}
