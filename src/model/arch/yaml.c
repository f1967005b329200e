/* Architectures from YAML: pictures, preprocessing, classes, and a list of layers. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "model/arch/reader.h"

#include <stdlib.h>

/* What pictures it takes: `wanted`, else as the file says. */
static rv_status read_input(rv_reader *r, const yaml_node_t *node,
                            const rv_architecture_shape *wanted)
{
    enum { CHANNELS, SIZE, KEYS };
    static const char *const keys[KEYS] = {"channels", "size"};
    yaml_node_t *values[KEYS] = {NULL};
    int32_t channels = 3, size[2] = {0, 0};
    if (node != NULL) {
        RV_TRY(rv_yaml_keys(values, &r->yaml, node, keys, KEYS, "input"));
    }
    if (values[CHANNELS] != NULL) {
        RV_TRY(rv_read_whole(&channels, r, values[CHANNELS], 1, 3, "'channels' of input"));
    }
    if (values[SIZE] != NULL) {
        static const rv_attr row = {"size", RV_ATTR_INT,       0, 2, 0, 1, RV_ARCH_MAX_SIZE,
                                    NULL,   "rows and columns"};
        rv_attr_value value;
        RV_TRY(rv_read_attr(&value, r, &row, values[SIZE], "input"));
        size[0] = (int32_t)value.number[0];
        size[1] = (int32_t)value.number[value.count - 1];
    } else if (wanted->height == 0 || wanted->width == 0) {
        return rv_yaml_fail(&r->yaml, node != NULL ? node : rv_yaml_root(&r->yaml),
                            "'input' needs a size, as in 'input: {channels: 3, size: 64}'");
    }
    r->shape.channels = wanted->channels != 0 ? wanted->channels : channels;
    r->shape.height = wanted->height != 0 ? wanted->height : size[0];
    r->shape.width = wanted->width != 0 ? wanted->width : size[1];
    return RV_OK;
}

static void set_three(float *out, const rv_attr_value *value)
{
    for (int i = 0; i < 3; i++) {
        out[i] = (float)value->number[value->count == 3 ? i : 0];
    }
}

/* The attributes of the operation that does it. */
static rv_status read_preprocessing(rv_reader *r, const yaml_node_t *node)
{
    rv_preprocessing *p = &r->network->preprocessing;
    yaml_node_t *values[RV_READER_MAX_ROWS];
    const char *keys[RV_READER_MAX_ROWS];
    const rv_op *op;
    size_t n = 0;
    *p = (rv_preprocessing){.range = 1, .deviation = {1, 1, 1}};
    r->network->share = 1;
    if (node == NULL) {
        return RV_OK;
    }
    RV_TRY(rv_op_find(&op, "preprocess", r->network->input));
    for (; op->attrs[n].name != NULL; n++) {
        keys[n] = op->attrs[n].name;
    }
    RV_TRY(rv_yaml_keys(values, &r->yaml, node, keys, n, "preprocessing"));
    for (size_t i = 0; i < n; i++) {
        rv_attr_value value;
        if (values[i] == NULL) {
            continue;
        }
        RV_TRY(rv_read_attr(&value, r, &op->attrs[i], values[i], "preprocessing"));
        if (strcmp(keys[i], "order") == 0) {
            p->bgr = strcmp(value.text, "bgr") == 0;
        } else if (strcmp(keys[i], "range") == 0) {
            p->range = (float)value.number[0];
        } else {
            set_three(strcmp(keys[i], "mean") == 0 ? p->mean : p->deviation, &value);
        }
    }
    return p->range > 0 ? RV_OK
                        : rv_yaml_fail(&r->yaml, node, "'range' of preprocessing is above 0");
}

/* A network whose end is as large as its file says cannot end in another number of classes. */
static rv_status check_classes(const rv_reader *r, int32_t wanted)
{
    for (size_t i = r->network->n_layers; i > 0 && wanted != 0; i--) {
        const rv_layer *layer = &r->network->layers[i - 1];
        const rv_attr_value *size = rv_layer_attr(layer, "num_output");
        if (size != NULL) {
            return size->number[0] == wanted
                       ? RV_OK
                       : rv_fail(RV_ERR_USAGE,
                                 "%s:%d: '%s' ends in %g numbers, not in %d classes: write "
                                 "'num_output: classes' there",
                                 r->yaml.name, layer->line, layer->name, size->number[0],
                                 (int)wanted);
        }
    }
    return RV_OK;
}

static rv_status read_file(rv_reader *r, const rv_architecture_shape *wanted)
{
    enum { NAME, INPUT, PREPROCESSING, CLASSES, INIT, LAYERS, KEYS };
    static const char *const keys[KEYS] = {"name",    "input", "preprocessing",
                                           "classes", "init",  "layers"};
    yaml_node_t *values[KEYS], *root = rv_yaml_root(&r->yaml);
    const char *name;
    RV_TRY(rv_yaml_keys(values, &r->yaml, root, keys, KEYS, "an architecture"));
    if (values[LAYERS] == NULL) {
        return rv_yaml_fail(&r->yaml, root, "an architecture needs 'layers'");
    }
    if (values[NAME] != NULL) {
        RV_TRY(rv_read_name(&name, r, values[NAME]));
        free(r->network->name);
        r->network->name = NULL;
        RV_TRY(rv_strdup(&r->network->name, name));
    }
    if (values[CLASSES] != NULL) {
        RV_TRY(rv_read_whole(&r->shape.classes, r, values[CLASSES], 1, RV_ARCH_MAX_CLASSES,
                             "'classes'"));
    }
    r->shape.classes = wanted->classes != 0 ? wanted->classes : r->shape.classes;
    RV_TRY(read_input(r, values[INPUT], wanted));
    rv_architecture_shape checked = r->shape;
    checked.classes = checked.classes != 0 ? checked.classes : 1;
    RV_TRY(rv_arch_set_input(r->network, &checked));
    RV_TRY(read_preprocessing(r, values[PREPROCESSING]));
    if (values[INIT] != NULL) {
        RV_TRY(rv_read_initializer(&r->init, r, values[INIT]));
    }
    RV_TRY(rv_read_layers(r, values[LAYERS]));
    return check_classes(r, wanted->classes);
}

rv_status rv_architecture_parse(rv_network **out, const char *text, size_t size, const char *file,
                                const rv_architecture_shape *shape)
{
    rv_reader r = {.network = NULL};
    char *stem = NULL;
    *out = NULL;
    RV_TRY(rv_yaml_parse(&r.yaml, text, size, file));
    rv_status status = rv_path_stem(&stem, file);
    if (status == RV_OK) {
        status = rv_network_create(&r.network, stem, file);
    }
    if (status == RV_OK) {
        status = read_file(&r, shape);
    }
    free(stem);
    rv_yaml_release(&r.yaml);
    if (status != RV_OK) {
        rv_network_destroy(r.network);
        return status;
    }
    *out = r.network;
    return RV_OK;
}
