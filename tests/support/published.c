/* Builds the published networks with a few words each: what repeats, repeats here. */
/* SPDX-License-Identifier: MIT */
#include "support/published.h"

#include <criterion/criterion.h>
#include <string.h>

#define NAME rv_net_name

typedef rv_net_conv_shape shape;

/* A convolution and a ReLU in place. */
static void conv(rv_net *n, const char *name, const char *relu, const char *from, shape s)
{
    rv_net_conv(n, name, from, s);
    rv_net_relu(n, relu, name);
}

/* Two dense layers of 4096 with dropout, and the classifier. */
static void classify(rv_net *n, const char *from, double gain)
{
    static const char *const name[] = {"fc6", "fc7"};
    for (int i = 0; i < 2; i++) {
        rv_net_dense(n, name[i], from, 4096, 1);
        rv_net_relu(n, NAME("relu%d", 6 + i), name[i]);
        rv_net_dropout(n, NAME("drop%d", 6 + i), name[i], 0.5);
        from = name[i];
    }
    rv_net_dense(n, "fc8", from, 1000, gain);
    rv_net_softmax(n, "prob", "fc8");
}

/* LeCun et al. 1998, in the form of Caffe's example. */
static void lenet(rv_net *n, const rv_published *p)
{
    rv_net_conv(n, "conv1", "data", (shape){.out = 20, .kernel = 5});
    rv_net_pool(n, "pool1", "conv1", true, 2, 2, 0);
    rv_net_conv(n, "conv2", "pool1", (shape){.out = 50, .kernel = 5});
    rv_net_pool(n, "pool2", "conv2", true, 2, 2, 0);
    rv_net_dense(n, "ip1", "pool2", 500, 1);
    rv_net_relu(n, "relu1", "ip1");
    rv_net_dense(n, "ip2", "ip1", 10, p->gain);
    rv_net_softmax(n, "prob", "ip2");
}

/* Krizhevsky et al. 2012; CaffeNet pools before it normalises. */
static void alexnet(rv_net *n, const rv_published *p)
{
    const bool pool_first = strcmp(p->name, "caffenet") == 0;
    static const shape first[] = {{.out = 96, .kernel = 11, .stride = 4},
                                  {.out = 256, .kernel = 5, .pad = 2, .groups = 2}};
    const char *from = "data";
    for (int i = 0; i < 2; i++) {
        const char *name = NAME("conv%d", i + 1), *norm = NAME("norm%d", i + 1);
        const char *pool = NAME("pool%d", i + 1);
        conv(n, name, NAME("relu%d", i + 1), from, first[i]);
        if (pool_first) {
            rv_net_pool(n, pool, name, true, 3, 2, 0);
        }
        rv_net_lrn(n, norm, pool_first ? pool : name, 5, 1e-4);
        if (!pool_first) {
            rv_net_pool(n, pool, norm, true, 3, 2, 0);
        }
        from = pool_first ? norm : pool;
    }
    conv(n, "conv3", "relu3", from, (shape){.out = 384, .kernel = 3, .pad = 1});
    conv(n, "conv4", "relu4", "conv3", (shape){.out = 384, .kernel = 3, .pad = 1, .groups = 2});
    conv(n, "conv5", "relu5", "conv4", (shape){.out = 256, .kernel = 3, .pad = 1, .groups = 2});
    rv_net_pool(n, "pool5", "conv5", true, 3, 2, 0);
    classify(n, "pool5", p->gain);
}

/* Zeiler and Fergus 2013 with 512, 1024 and 512 maps. */
static void zfnet512(rv_net *n, const rv_published *p)
{
    conv(n, "conv1", "relu1", "data", (shape){.out = 96, .kernel = 7, .stride = 2, .pad = 1});
    rv_net_lrn(n, "norm1", "conv1", 3, 5e-5);
    rv_net_pool(n, "pool1", "norm1", true, 3, 2, 0);
    conv(n, "conv2", "relu2", "pool1", (shape){.out = 256, .kernel = 5, .stride = 2});
    rv_net_lrn(n, "norm2", "conv2", 3, 5e-5);
    rv_net_pool(n, "pool2", "norm2", true, 3, 2, 0);
    conv(n, "conv3", "relu3", "pool2", (shape){.out = 512, .kernel = 3, .pad = 1});
    conv(n, "conv4", "relu4", "conv3", (shape){.out = 1024, .kernel = 3, .pad = 1});
    conv(n, "conv5", "relu5", "conv4", (shape){.out = 512, .kernel = 3, .pad = 1});
    rv_net_pool(n, "pool5", "conv5", true, 3, 2, 0);
    classify(n, "pool5", p->gain);
}

/* Lin et al. 2013: a convolution, then two of one pixel, four times; no dense layer. */
static void nin(rv_net *n, const rv_published *p)
{
    static const struct {
        const char *conv, *narrow[2], *pool;
        shape first;
        int out[2];
    } stages[] = {
        {"conv1", {"cccp1", "cccp2"}, "pool0", {.out = 96, .kernel = 11, .stride = 4}, {96, 96}},
        {"conv2", {"cccp3", "cccp4"}, "pool2", {.out = 256, .kernel = 5, .pad = 2}, {256, 256}},
        {"conv3", {"cccp5", "cccp6"}, "pool3", {.out = 384, .kernel = 3, .pad = 1}, {384, 384}},
        {"conv4-1024",
         {"cccp7-1024", "cccp8-1024"},
         NULL,
         {.out = 1024, .kernel = 3, .pad = 1},
         {1024, 1000}}};
    const char *from = "data";
    for (int i = 0; i < 4; i++) {
        conv(n, stages[i].conv, NAME("relu%d", 3 * i), from, stages[i].first);
        from = stages[i].conv;
        for (int k = 0; k < 2; k++) {
            const double gain = i == 3 && k == 1 ? p->gain : 1;
            conv(n, stages[i].narrow[k], NAME("relu%d", 3 * i + k + 1), from,
                 (shape){.out = stages[i].out[k], .kernel = 1, .gain = gain});
            from = stages[i].narrow[k];
        }
        if (stages[i].pool != NULL) {
            rv_net_pool(n, stages[i].pool, from, true, 3, 2, 0);
            from = stages[i].pool;
        }
        if (i == 2) {
            rv_net_dropout(n, "drop", from, 0.5);
        }
    }
    rv_net_pool(n, "pool4", from, false, 6, 1, 0);
    rv_net_softmax(n, "prob", "pool4");
}

/* Szegedy et al. 2014: 1x1; 1x1 and 3x3; 1x1 and 5x5; pooling and 1x1; side by side. */
static const char *inception(rv_net *n, const char *name, const char *from, const int out[6])
{
#define IN(what) NAME("inception_%s/%s", name, what)
    const char *parts[4] = {IN("1x1"), IN("3x3"), IN("5x5"), IN("pool_proj")};
    const char *output = IN("output");
    conv(n, parts[0], IN("relu_1x1"), from, (shape){.out = out[0], .kernel = 1});
    conv(n, IN("3x3_reduce"), IN("relu_3x3_reduce"), from, (shape){.out = out[1], .kernel = 1});
    conv(n, parts[1], IN("relu_3x3"), IN("3x3_reduce"),
         (shape){.out = out[2], .kernel = 3, .pad = 1});
    conv(n, IN("5x5_reduce"), IN("relu_5x5_reduce"), from, (shape){.out = out[3], .kernel = 1});
    conv(n, parts[2], IN("relu_5x5"), IN("5x5_reduce"),
         (shape){.out = out[4], .kernel = 5, .pad = 2});
    rv_net_pool(n, IN("pool"), from, true, 3, 1, 1);
    conv(n, parts[3], IN("relu_pool_proj"), IN("pool"), (shape){.out = out[5], .kernel = 1});
    rv_net_concat(n, output, parts, 4);
    return output;
#undef IN
}

static void googlenet(rv_net *n, const rv_published *p)
{
    static const struct {
        const char *name, *pool; /* behind it */
        int out[6];
    } blocks[] = {{"3a", NULL, {64, 96, 128, 16, 32, 32}},
                  {"3b", "pool3/3x3_s2", {128, 128, 192, 32, 96, 64}},
                  {"4a", NULL, {192, 96, 208, 16, 48, 64}},
                  {"4b", NULL, {160, 112, 224, 24, 64, 64}},
                  {"4c", NULL, {128, 128, 256, 24, 64, 64}},
                  {"4d", NULL, {112, 144, 288, 32, 64, 64}},
                  {"4e", "pool4/3x3_s2", {256, 160, 320, 32, 128, 128}},
                  {"5a", NULL, {256, 160, 320, 32, 128, 128}},
                  {"5b", NULL, {384, 192, 384, 48, 128, 128}}};
    conv(n, "conv1/7x7_s2", "conv1/relu_7x7", "data",
         (shape){.out = 64, .kernel = 7, .stride = 2, .pad = 3});
    rv_net_pool(n, "pool1/3x3_s2", "conv1/7x7_s2", true, 3, 2, 0);
    rv_net_lrn(n, "pool1/norm1", "pool1/3x3_s2", 5, 1e-4);
    conv(n, "conv2/3x3_reduce", "conv2/relu_3x3_reduce", "pool1/norm1",
         (shape){.out = 64, .kernel = 1});
    conv(n, "conv2/3x3", "conv2/relu_3x3", "conv2/3x3_reduce",
         (shape){.out = 192, .kernel = 3, .pad = 1});
    rv_net_lrn(n, "conv2/norm2", "conv2/3x3", 5, 1e-4);
    rv_net_pool(n, "pool2/3x3_s2", "conv2/norm2", true, 3, 2, 0);
    const char *from = "pool2/3x3_s2";
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        from = inception(n, blocks[i].name, from, blocks[i].out);
        if (blocks[i].pool != NULL) {
            rv_net_pool(n, blocks[i].pool, from, true, 3, 2, 0);
            from = blocks[i].pool;
        }
    }
    rv_net_pool(n, "pool5/7x7_s1", from, false, 7, 1, 0);
    rv_net_dropout(n, "pool5/drop_7x7_s1", "pool5/7x7_s1", 0.4);
    rv_net_dense(n, "loss3/classifier", "pool5/7x7_s1", 1000, p->gain);
    rv_net_softmax(n, "prob", "loss3/classifier");
}

/* Simonyan and Zisserman 2014, of 16 or 19 layers; with norms where its name ends so. */
static void vgg(rv_net *n, const rv_published *p)
{
    const bool norm = strstr(p->name, "-bn") != NULL;
    const char *from = "data";
    for (int stage = 1; stage <= 5; stage++) {
        const int depth = stage < 3 ? 2 : (p->count - 7) / 3;
        const int out = stage < 4 ? 32 << stage : 512;
        for (int i = 1; i <= depth; i++) {
            const char *name = NAME("conv%d_%d", stage, i);
            rv_net_conv(n, name, from, (shape){.out = out, .kernel = 3, .pad = 1});
            if (norm) {
                rv_net_norm(n, NAME("%s/bn", name), NAME("%s/scale", name), name,
                            stage == 1 && i == 1 ? 100 : 1);
            }
            rv_net_relu(n, NAME("relu%d_%d", stage, i), name);
            from = name;
        }
        const char *pool = NAME("pool%d", stage);
        rv_net_pool(n, pool, from, true, 2, 2, 0);
        from = pool;
    }
    classify(n, from, p->gain);
}

/* He et al. 2015. A convolution with its norm, named as the authors' files do. */
static void res_conv(rv_net *n, const char *block, const char *branch, const char *from, shape s)
{
    s.no_bias = true;
    const char *name = NAME("res%s_%s", block, branch);
    rv_net_conv(n, name, from, s);
    rv_net_norm(n, NAME("bn%s_%s", block, branch), NAME("scale%s_%s", block, branch), name, 2);
}

/* A residual block with its shortcut; bottlenecks have a third convolution of four times the channels. */
static const char *res_block(rv_net *n, const char *block, const char *from, int out, int stride,
                             bool bottleneck, bool project)
{
    const char *res = NAME("res%s", block), *shortcut = from;
    const char *branch[3] = {"branch2a", "branch2b", "branch2c"};
    const shape wide = {.out = out, .kernel = 3, .pad = 1};
    if (project) {
        res_conv(n, block, "branch1", from,
                 (shape){.out = bottleneck ? 4 * out : out, .kernel = 1, .stride = stride});
        shortcut = NAME("res%s_branch1", block);
    }
    for (int i = 0; i < 2 + bottleneck; i++) {
        shape s = wide;
        if (bottleneck && i != 1) {
            s = (shape){.out = i == 2 ? 4 * out : out, .kernel = 1};
        }
        s.stride = i == 0 ? stride : 1;
        res_conv(n, block, branch[i], from, s);
        from = NAME("res%s_%s", block, branch[i]);
        if (i < 1 + bottleneck) {
            rv_net_relu(n, NAME("%s_relu", from), from);
        }
    }
    rv_net_add(n, res, shortcut, from);
    rv_net_relu(n, NAME("%s_relu", res), res);
    return res;
}

static void resnet(rv_net *n, const rv_published *p)
{
    const bool bottleneck = p->count == 50, small = p->count == 18;
    const int depth[4] = {small ? 2 : 3, small ? 2 : 4, small ? 2 : 6, small ? 2 : 3};
    rv_net_conv(n, "conv1", "data",
                (shape){.out = 64, .kernel = 7, .stride = 2, .pad = 3, .no_bias = !bottleneck});
    rv_net_norm(n, "bn_conv1", "scale_conv1", "conv1", 100);
    rv_net_relu(n, "conv1_relu", "conv1");
    rv_net_pool(n, "pool1", "conv1", true, 3, 2, n->format == RV_NET_ONNX ? 1 : 0);
    const char *from = "pool1";
    for (int stage = 0; stage < 4; stage++) {
        for (int i = 0; i < depth[stage]; i++) {
            const int stride = stage > 0 && i == 0 ? 2 : 1;
            const bool project = i == 0 && (bottleneck || stage > 0);
            from = res_block(n, NAME("%d%c", 2 + stage, 'a' + i), from, 64 << stage, stride,
                             bottleneck, project);
        }
    }
    rv_net_global(n, "pool5", from);
    rv_net_dense(n, "fc1000", "pool5", 1000, p->gain);
    rv_net_softmax(n, "prob", "fc1000");
}

const rv_published rv_published_list[] = {
    {"lenet", lenet, RV_NET_CAFFE, RV_NET_TORCH, 1, 28, 0.5, 1, "conv2", "ip2", 0},
    {"alexnet", alexnet, RV_NET_CAFFE, RV_NET_CAFFE2, 3, 227, 60, 0.02, "conv5", "fc8", 0},
    {"caffenet", alexnet, RV_NET_CAFFE, RV_NET_CAFFE2, 3, 227, 60, 0.02, "norm2", "fc8", 0},
    {"zfnet512", zfnet512, RV_NET_CAFFE, RV_NET_CAFFE2, 3, 224, 60, 0.02, "pool2", "fc8", 0},
    {"nin", nin, RV_NET_CAFFE_V1, RV_NET_TORCH, 3, 224, 60, 0.02, "cccp6", "pool4", 0},
    {"googlenet", googlenet, RV_NET_CAFFE, RV_NET_CAFFE2, 3, 224, 60, 0.02, "inception_4c/output",
     "loss3/classifier", 0},
    {"vgg16", vgg, RV_NET_CAFFE_V1, RV_NET_MXNET, 3, 224, 60, 0.02, "conv4_2", "fc8", 16},
    {"vgg19", vgg, RV_NET_CAFFE_V1, RV_NET_MXNET, 3, 224, 60, 0.02, "conv4_2", "fc8", 19},
    {"vgg16-bn", vgg, RV_NET_CAFFE, RV_NET_MXNET, 3, 224, 1, 0.2, "conv4_2", "fc8", 16},
    {"vgg19-bn", vgg, RV_NET_CAFFE, RV_NET_MXNET, 3, 224, 1, 0.2, "conv4_2", "fc8", 19},
    {"resnet18", resnet, RV_NET_CAFFE, RV_NET_MXNET, 3, 224, 1, 1, "res4b", "fc1000", 18},
    {"resnet34", resnet, RV_NET_CAFFE, RV_NET_MXNET, 3, 224, 1, 1, "res4f", "fc1000", 34},
    {"resnet50", resnet, RV_NET_CAFFE, RV_NET_MXNET, 3, 224, 1, 1, "res4f", "fc1000", 50},
};
const int rv_published_count = sizeof rv_published_list / sizeof rv_published_list[0];

const rv_published *rv_published_find(const char *name)
{
    for (int i = 0; i < rv_published_count; i++) {
        if (strcmp(rv_published_list[i].name, name) == 0) {
            return &rv_published_list[i];
        }
    }
    cr_assert_fail("there is no %s", name);
    return NULL;
}

static void write_as(const rv_published *p, const char *folder, int side, rv_net n)
{
    n.style = p->style;
    n.level = p->level;
    rv_net_begin(&n, p->name, p->channels, side, side);
    p->build(&n, p);
    rv_net_write(&n, folder, p->name);
}

void rv_published_write(const rv_published *p, const char *folder, bool onnx, int divide, int side)
{
    write_as(p, folder, side, (rv_net){.format = onnx ? RV_NET_ONNX : p->caffe, .divide = divide});
}

void rv_published_write_graph(const rv_published *p, const char *folder)
{
    write_as(p, folder, p->side, (rv_net){.format = p->caffe, .divide = 1, .graph_only = true});
}
