/* Layers and blocks of layers in YAML, and what their names stand for. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "model/arch/reader.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_REPEAT = 1000, MAX_DEPTH = 8 };

/* A list of layers: that of the file, or of a block. */
typedef struct scope {
    const struct scope *outer; /* NULL: the file's */
    int depth;
    char prefix[RV_ARCH_NAME]; /* "block1/" */
    char input[RV_ARCH_NAME];  /* what 'input' stands for */
    char at[RV_ARCH_NAME];     /* the last layer, at first the input */
    int *counts;               /* layers of each operation, for their names; owned */
} scope;

/* --- names ----------------------------------------------------------------------------------- */

/* The name of something in a scope; there must be no other of that name. */
static rv_status claim_name(char out[RV_ARCH_NAME], const rv_reader *r, const scope *s,
                            const yaml_node_t *node, const char *name)
{
    const int n = snprintf(out, RV_ARCH_NAME, "%s%s", s->prefix, name);
    if (n >= RV_ARCH_NAME) {
        return rv_yaml_fail(&r->yaml, node, "the name '%s%s' is too long", s->prefix, name);
    }
    return rv_network_writer(r->network, r->network->n_layers, out) < 0 &&
                   strcmp(out, r->network->input) != 0
               ? RV_OK
               : rv_yaml_fail(&r->yaml, node, "the name '%s' stands for two layers", out);
}

/* The nearest of the names written so far, those of this scope without its prefix. */
static rv_status fail_unknown(const rv_reader *r, const scope *s, size_t n_layers,
                              const yaml_node_t *node, const char *text)
{
    const char **names;
    const size_t prefix = strlen(s->prefix);
    size_t n = 0;
    RV_TRY(rv_alloc(&names, n_layers + 1, sizeof *names, "layer names"));
    names[n++] = "input";
    for (size_t i = 0; i < n_layers; i++) {
        const char *name = r->network->layers[i].name;
        names[n++] = name + (strncmp(name, s->prefix, prefix) == 0 ? prefix : 0);
    }
    const rv_status status =
        rv_yaml_fail(&r->yaml, node, "no layer before this one is '%.100s'; the nearest is '%s'",
                     text, names[rv_nearest(text, names, n)]);
    free(names);
    return status;
}

/* Full name of what a layer reads: 'input' is what its block reads, else the innermost scope counts that has it. */
static rv_status resolve(char out[RV_ARCH_NAME], const rv_reader *r, const scope *s,
                         size_t n_layers, const yaml_node_t *node)
{
    const char *text = rv_yaml_text(node);
    if (text == NULL) {
        return rv_yaml_fail(&r->yaml, node, "'from' takes the name of a layer, or a list of names");
    }
    if (strcmp(text, "input") == 0) {
        memcpy(out, s->input, RV_ARCH_NAME);
        return RV_OK;
    }
    for (const scope *in = s; in != NULL; in = in->outer) {
        const int n = snprintf(out, RV_ARCH_NAME, "%s%s", in->prefix, text);
        if (n < RV_ARCH_NAME && rv_network_writer(r->network, n_layers, out) >= 0) {
            return RV_OK;
        }
    }
    return fail_unknown(r, s, n_layers, node, text);
}

/* --- layers ---------------------------------------------------------------------------------- */

enum { KEY_NAME, KEY_FROM, KEY_INIT, LAYER_KEYS };

/* Losses are the commands' own, and layouts the planner's. */
static bool is_layer(const rv_op *op)
{
    return (op->traits & (RV_OP_LOSS | RV_OP_REORDER)) == 0;
}

static rv_status find_op(int *out, const rv_reader *r, const yaml_node_t *node)
{
    const char *text = rv_yaml_text(node), *names[256];
    size_t n_ops, n = 0;
    const rv_op *const *ops = rv_op_list(&n_ops);
    if (text == NULL) {
        return rv_yaml_fail(&r->yaml, node, "the operation of a layer is a word");
    }
    names[n++] = "block";
    for (size_t i = 0; i < n_ops && n < sizeof names / sizeof names[0]; i++) {
        if (is_layer(ops[i])) {
            names[n++] = ops[i]->name;
            if (strcmp(text, ops[i]->name) == 0) {
                *out = (int)i;
                return RV_OK;
            }
        }
    }
    return rv_yaml_fail(&r->yaml, node, "there is no operation '%.100s'; the nearest is '%s'", text,
                        names[rv_nearest(text, names, n)]);
}

/* What a layer reads: what `from` names, else the layer before. */
static rv_status read_inputs(rv_layer *layer, rv_reader *r, const scope *s, const yaml_node_t *node)
{
    const size_t before = r->network->n_layers - 1;
    char full[RV_ARCH_NAME];
    if (node == NULL) {
        return rv_names_add(&layer->inputs, s->at);
    }
    if (node->type != YAML_SEQUENCE_NODE) {
        RV_TRY(resolve(full, r, s, before, node));
        return rv_names_add(&layer->inputs, full);
    }
    for (const yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        RV_TRY(resolve(full, r, s, before, rv_yaml_node(&r->yaml, *item)));
        RV_TRY(rv_names_add(&layer->inputs, full));
    }
    return layer->inputs.n > 0 ? RV_OK : rv_yaml_fail(&r->yaml, node, "'from' names no layer");
}

/* Attributes that are given, and that the size of a layer is, which has no good default. */
static rv_status read_attrs(rv_layer *layer, rv_reader *r, const rv_op *op,
                            yaml_node_t *const *values, const yaml_node_t *node)
{
    for (int i = 0; op->attrs != NULL && op->attrs[i].name != NULL; i++) {
        rv_attr_value value;
        if (values[i] != NULL) {
            RV_TRY(rv_read_attr(&value, r, &op->attrs[i], values[i], op->name));
            rv_layer_set(layer, value);
        } else if (strcmp(op->attrs[i].name, "num_output") == 0) {
            return rv_yaml_fail(&r->yaml, node, "%s needs 'num_output': %s", op->name,
                                op->attrs[i].help);
        }
    }
    return RV_OK;
}

/* Names and values of the keys of a layer: those of all layers, then its attributes. */
static rv_status read_keys(yaml_node_t **values, rv_reader *r, const rv_op *op,
                           const yaml_node_t *body)
{
    const char *keys[LAYER_KEYS + RV_READER_MAX_ROWS] = {"name", "from", "init"};
    size_t n = LAYER_KEYS;
    for (const rv_attr *a = op->attrs;
         a != NULL && a->name != NULL && n < LAYER_KEYS + RV_READER_MAX_ROWS; a++) {
        keys[n++] = a->name;
    }
    const char *text = body != NULL ? rv_yaml_text(body) : "";
    if (text != NULL && text[0] == '\0') { /* "- relu" and "- relu:" */
        memset(values, 0, n * sizeof *values);
        return RV_OK;
    }
    return rv_yaml_keys(values, &r->yaml, body, keys, n, op->name);
}

static rv_status read_layer(rv_reader *r, scope *s, const yaml_node_t *node,
                            const yaml_node_t *body)
{
    yaml_node_t *values[LAYER_KEYS + RV_READER_MAX_ROWS] = {NULL};
    char counted[RV_ARCH_NAME], full[RV_ARCH_NAME];
    const char *name = counted;
    size_t n_ops;
    int index = 0;
    rv_layer *layer;
    RV_TRY(find_op(&index, r, node));
    const rv_op *op = rv_op_list(&n_ops)[index];
    RV_TRY(read_keys(values, r, op, body));
    snprintf(counted, sizeof counted, "%s%d", op->name, ++s->counts[index]);
    if (values[KEY_NAME] != NULL) {
        RV_TRY(rv_read_name(&name, r, values[KEY_NAME]));
    }
    RV_TRY(claim_name(full, r, s, node, name));
    RV_TRY(rv_network_layer(&layer, r->network, op->name, full, (int)node->start_mark.line + 1));
    RV_TRY(read_inputs(layer, r, s, values[KEY_FROM]));
    RV_TRY(rv_names_add(&layer->outputs, full));
    RV_TRY(read_attrs(layer, r, op, values + LAYER_KEYS, node));
    layer->init = r->init;
    if (values[KEY_INIT] != NULL) {
        RV_TRY(rv_read_initializer(&layer->init, r, values[KEY_INIT]));
    }
    memcpy(s->at, full, RV_ARCH_NAME);
    return RV_OK;
}

/* --- blocks ---------------------------------------------------------------------------------- */

static rv_status read_list(rv_reader *r, scope *s, const yaml_node_t *list);

/* One copy of a block: its layers in a scope of its own. Its name stands for its last layer. */
static rv_status read_copy(rv_reader *r, scope *outer, const char *name, const char *input,
                           const yaml_node_t *node, const yaml_node_t *layers)
{
    scope inner = {.outer = outer, .depth = outer->depth + 1};
    char full[RV_ARCH_NAME];
    RV_TRY(claim_name(full, r, outer, node, name));
    if (snprintf(inner.prefix, sizeof inner.prefix, "%s/", full) >= RV_ARCH_NAME) {
        return rv_yaml_fail(&r->yaml, node, "the name '%s' is too long", full);
    }
    memcpy(inner.input, input, RV_ARCH_NAME);
    memcpy(inner.at, input, RV_ARCH_NAME);
    RV_TRY(read_list(r, &inner, layers));
    memcpy(outer->at, inner.at, RV_ARCH_NAME);
    return rv_names_add(&r->network->layers[r->network->n_layers - 1].outputs, full);
}

/* "- block: {name: ..., repeat: N, from: ..., layers: [...]}": with `repeat`, copies NAME1, NAME2 ... in a row. */
static rv_status read_block(rv_reader *r, scope *s, const yaml_node_t *node,
                            const yaml_node_t *body)
{
    enum { NAME, REPEAT, FROM, LAYERS, KEYS };
    static const char *const keys[KEYS] = {"name", "repeat", "from", "layers"};
    yaml_node_t *values[KEYS];
    char name[RV_ARCH_NAME], input[RV_ARCH_NAME];
    const char *base;
    int32_t copies = 1;
    RV_TRY(rv_yaml_keys(values, &r->yaml, body, keys, KEYS, "block"));
    if (values[NAME] == NULL || values[LAYERS] == NULL) {
        return rv_yaml_fail(&r->yaml, node, "a block needs 'name' and 'layers'");
    }
    if (s->depth == MAX_DEPTH) {
        return rv_yaml_fail(&r->yaml, node, "blocks lie more than %d deep in one another",
                            MAX_DEPTH);
    }
    RV_TRY(rv_read_name(&base, r, values[NAME]));
    if (values[REPEAT] != NULL) {
        RV_TRY(rv_read_whole(&copies, r, values[REPEAT], 1, MAX_REPEAT, "'repeat' of block"));
    }
    memcpy(input, s->at, RV_ARCH_NAME);
    if (values[FROM] != NULL) {
        RV_TRY(resolve(input, r, s, r->network->n_layers, values[FROM]));
    }
    for (int32_t i = 1; i <= copies; i++) {
        snprintf(name, sizeof name, values[REPEAT] != NULL ? "%s%d" : "%s", base, (int)i);
        RV_TRY(read_copy(r, s, name, i == 1 ? input : s->at, node, values[LAYERS]));
    }
    return RV_OK;
}

/* "- operation: {key: value, ...}" or "- operation". */
static rv_status read_item(rv_reader *r, scope *s, const yaml_node_t *node)
{
    const yaml_node_t *name = node, *body = NULL;
    if (node->type == YAML_MAPPING_NODE) {
        const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
        if (node->data.mapping.pairs.top - pair != 1) {
            return rv_yaml_fail(
                &r->yaml, node,
                "one layer to an item, as in '- conv: {num_output: 32, kernel: 3}'");
        }
        name = rv_yaml_node(&r->yaml, pair->key);
        body = rv_yaml_node(&r->yaml, pair->value);
    }
    const char *text = rv_yaml_text(name);
    if (text != NULL && strcmp(text, "block") == 0) {
        return body != NULL ? read_block(r, s, name, body)
                            : rv_yaml_fail(&r->yaml, name, "a block needs 'name' and 'layers'");
    }
    return read_layer(r, s, name, body);
}

static rv_status read_list(rv_reader *r, scope *s, const yaml_node_t *list)
{
    size_t n_ops;
    if (list->type != YAML_SEQUENCE_NODE ||
        list->data.sequence.items.start == list->data.sequence.items.top) {
        return rv_yaml_fail(&r->yaml, list, "'layers' is a list of '- operation: {...}'");
    }
    rv_op_list(&n_ops);
    RV_TRY(rv_alloc(&s->counts, n_ops, sizeof *s->counts, "layer names"));
    rv_status status = RV_OK;
    for (const yaml_node_item_t *item = list->data.sequence.items.start;
         item < list->data.sequence.items.top && status == RV_OK; item++) {
        status = read_item(r, s, rv_yaml_node(&r->yaml, *item));
    }
    free(s->counts);
    s->counts = NULL;
    return status;
}

rv_status rv_read_layers(rv_reader *r, const yaml_node_t *list)
{
    scope top = {.outer = NULL};
    snprintf(top.input, sizeof top.input, "%s", r->network->input);
    snprintf(top.at, sizeof top.at, "%s", r->network->input);
    return read_list(r, &top, list);
}
