/* Networks written as model files, layer by layer, with weights that follow from the names of their tensors. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_TESTS_NET_FILE_H
#define RV_TESTS_NET_FILE_H

#include "support/wire.h"

#include <stdbool.h>
#include <stdio.h>

typedef enum rv_net_format {
    RV_NET_CAFFE,
    RV_NET_CAFFE_V1, /**< `layers` with types in capitals, blobs of four dimensions */
    RV_NET_ONNX
} rv_net_format;

/** How a program that exports to ONNX says the same thing. */
typedef enum rv_net_style {
    RV_NET_CAFFE2, /**< opset 12; nodes without names; sizes are rounded up by pads at the end */
    RV_NET_MXNET,  /**< opset 7; weights are inputs too; sizes are rounded down */
    RV_NET_TORCH   /**< opset 17; ceil_mode */
} rv_net_style;

enum { RV_NET_MAX_VALUES = 512, RV_NET_NAME = 48 };

/** What layers read by name: maps, or a row of `c` values where h is 0. */
typedef struct rv_net_value {
    char name[RV_NET_NAME];
    char onnx[RV_NET_NAME]; /**< the same as ONNX has it, where nothing is in place */
    int c, h, w;
} rv_net_value;

typedef struct rv_net {
    rv_net_format format;
    rv_net_style style;
    int divide;      /**< counts of channels are divided by this */
    bool graph_only; /**< no weights, and no file of them */
    double level;    /**< size of what flows through: biases are 0.2 of it */
    FILE *text;      /**< of prototxt, or of onnx_text.h */
    char *bytes;
    size_t n_bytes;
    rv_message weights; /**< of a caffemodel */
    rv_net_value values[RV_NET_MAX_VALUES];
    int n_values;
} rv_net;

/** Starts with its input "data". */
void rv_net_begin(rv_net *n, const char *name, int c, int h, int w);
/** Writes FOLDER/NAME.prototxt and .caffemodel, or .onnx; ends `n`. */
void rv_net_write(rv_net *n, const char *folder, const char *name);

/** Zeros: stride 1, one group, a bias, weights of He's variance (times gain). */
typedef struct rv_net_conv_shape {
    int out, kernel, stride, pad, groups;
    bool no_bias;
    double gain;
} rv_net_conv_shape;

/* Each takes its own name and the name of what it reads; in place: what it reads and writes. */
void rv_net_conv(rv_net *n, const char *name, const char *from, rv_net_conv_shape s);
void rv_net_dense(rv_net *n, const char *name, const char *from, int out, double gain);
void rv_net_relu(rv_net *n, const char *name, const char *at);              /**< in place */
void rv_net_dropout(rv_net *n, const char *name, const char *at, double p); /**< in place */
void rv_net_lrn(rv_net *n, const char *name, const char *from, int size, double alpha);
void rv_net_pool(rv_net *n, const char *name, const char *from, bool max, int kernel, int stride,
                 int pad);
/** Mean of whole maps: by a window of their size in Caffe. */
void rv_net_global(rv_net *n, const char *name, const char *from);
/** In place; in Caffe a layer BatchNorm and one of Scale.
 *  @param spread  of what it reads: its running deviation. */
void rv_net_norm(rv_net *n, const char *norm, const char *scale, const char *at, double spread);
void rv_net_add(rv_net *n, const char *name, const char *a, const char *b);
void rv_net_concat(rv_net *n, const char *name, const char *const *from, int count);
void rv_net_softmax(rv_net *n, const char *name, const char *from);

/** A name made by printf, in one of a few buffers used in turn. */
const char *rv_net_name(const char *format, ...);

#endif
