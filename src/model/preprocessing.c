/* How pictures were prepared for training: the usual ways by name, and which of them an ONNX file shows. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "model/onnx.h"

#include <string.h>

const rv_preprocessing rv_preprocessing_caffe = {true, 255, {104, 117, 123}, {1, 1, 1}};
const rv_preprocessing rv_preprocessing_torch = {
    false, 1, {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}};
const rv_preprocessing rv_preprocessing_vgg = {true, 255, {103.939f, 116.779f, 123.68f}, {1, 1, 1}};
static const rv_preprocessing bytes = {false, 255, {0, 0, 0}, {1, 1, 1}};
static const rv_preprocessing from_minus_one = {false, 1, {0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}};
static const rv_preprocessing unit = {false, 1, {0, 0, 0}, {1, 1, 1}};

static const struct {
    const char *name;
    const rv_preprocessing *value;
} table[] = {
    {"bytes", &bytes},
    {"caffe", &rv_preprocessing_caffe},
    {"signed", &from_minus_one},
    {"torch", &rv_preprocessing_torch},
    {"unit", &unit},
    {"vgg", &rv_preprocessing_vgg},
};

enum { N_WAYS = sizeof table / sizeof table[0] };

bool rv_preprocessing_is_file(const char *name)
{
    const char *extension = rv_path_extension(name);
    return strcmp(extension, ".binaryproto") == 0 || strcmp(extension, ".npy") == 0;
}

rv_status rv_preprocessing_find(rv_preprocessing *out, const char *name)
{
    if (rv_preprocessing_is_file(name)) {
        *out = rv_preprocessing_caffe;
        return rv_mean_file_read(out->mean, name);
    }
    const char *names[N_WAYS];
    for (size_t i = 0; i < N_WAYS; i++) {
        names[i] = table[i].name;
        if (strcmp(name, names[i]) == 0) {
            *out = *table[i].value;
            return RV_OK;
        }
    }
    return rv_fail(RV_ERR_USAGE,
                   "there is no preprocessing '%.40s'; the nearest is '%s' (bytes, caffe, signed, "
                   "torch, unit, vgg, or a mean file, .binaryproto or .npy)",
                   name, names[rv_nearest(name, names, N_WAYS)]);
}

/* --- what a file shows ----------------------------------------------------------------------- */

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Names that Caffe's published networks gave their layers, and that their converters keep. */
static bool is_caffe_name(const char *name)
{
    static const char *const beginnings[] = {"conv1_1",          "relu1_1",      "fire2/squeeze1x1",
                                             "relu_conv1",       "conv1/7x7_s2", "fc6",
                                             "inception_3a/1x1", "relu6",        "conv2/norm2"};
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        if (begins(name, beginnings[i])) {
            return true;
        }
    }
    return false;
}

/* Names of torchvision's and timm's modules, and of MXNet's networks, which were trained on the same pictures. */
static bool is_torch_name(const char *name)
{
    static const char *const beginnings[] = {
        "features.",    "layer1.",    "/features/",   "/layer1/",   "classifier.",
        "blocks.",      "vgg0_",      "resnetv1",     "resnetv2",   "squeezenet0_",
        "squeezenet1_", "densenet0_", "mobilenetv2_", "inception0", "alexnet0_"};
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        if (begins(name, beginnings[i])) {
            return true;
        }
    }
    return false;
}

/* Whether the file computes with the picture before any layer: then it prepares it itself, from values unknown. */
static bool prepares_itself(const rv_onnx *o, const char *input)
{
    static const char *const ops[] = {"Sub", "Add", "Mul", "Div"};
    for (size_t i = 0; i < o->n_nodes; i++) {
        const rv_onnx_node *node = &o->nodes[i];
        for (size_t k = 0; node->needed && k < node->inputs.n; k++) {
            for (size_t j = 0; j < sizeof ops / sizeof ops[0]; j++) {
                if (strcmp(node->inputs.list[k], input) == 0 && strcmp(node->op, ops[j]) == 0) {
                    return true;
                }
            }
        }
    }
    return false;
}

bool rv_onnx_preprocessing(const rv_onnx *o, rv_network *network)
{
    bool torch = strcmp(o->producer, "pytorch") == 0, caffe = false;
    if (prepares_itself(o, network->input)) {
        return false;
    }
    for (size_t i = 0; i < o->n_nodes; i++) {
        const rv_onnx_node *node = &o->nodes[i];
        caffe = caffe || is_caffe_name(node->name) || is_caffe_name(node->outputs.list[0]);
        torch = torch || is_torch_name(node->name);
    }
    for (size_t i = 0; i < o->n_tensors; i++) {
        torch = torch || is_torch_name(o->tensors[i]->name);
    }
    if (!torch && !caffe) {
        return false;
    }
    const bool is_vgg = rv_network_writer(network, network->n_layers, "conv5_1") >= 0;
    network->preprocessing = torch    ? rv_preprocessing_torch
                             : is_vgg ? rv_preprocessing_vgg
                                      : rv_preprocessing_caffe;
    return true;
}
