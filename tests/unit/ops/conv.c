/* Cases of conv: each layout of input and output, windows, strides, dilation, groups and padding. */
/* SPDX-License-Identifier: MIT */
#include "support/op_check.h"

rv_twin twin_conv;

#define X(n, c, h, w)                          .in = {{4, {(n), (c), (h), (w)}}}, .n_in = 1
#define K(k)                                   RV_SET_INT("num_output", k)
#define KERNEL(r, s)                           RV_SET_INT2("kernel", r, s)
#define STRIDE(a, b)                           RV_SET_INT2("stride", a, b)
#define DILATION(a, b)                         RV_SET_INT2("dilation", a, b)
#define GROUPS(g)                              RV_SET_INT("groups", g)
#define PADS(t, l, b, r)                       RV_SET_INT4("pads", t, l, b, r)
#define PAD(p)                                 RV_SET_INT("pads", p)
#define MODE(m)                                RV_SET_ENUM("pad_mode", m)
#define NO_BIAS                                RV_SET_INT("bias", 0)
#define COUNT_(a, b, c, d, e, f, g, h, n, ...) n
#define COUNT(...)                             COUNT_(__VA_ARGS__, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define ATTRS(...)                             .attrs = {__VA_ARGS__}, .n_attrs = COUNT(__VA_ARGS__)

static const rv_op_case cases[] = {
    /* A case for each kernel of conv, as few pixels as show it: under oclgrind a million products take a minute. */
    {"blocked to blocked", X(1, 9, 3, 5), ATTRS(K(10), KERNEL(3, 3), PAD(1)), .small = true},
    {"blocked to picture", X(1, 9, 3, 5), ATTRS(K(3), KERNEL(3, 3), PAD(1)), .small = true},
    {"picture to picture", X(2, 3, 2, 19), ATTRS(K(4), KERNEL(3, 3), PAD(1)), .small = true},
    {"reflected", X(2, 5, 3, 4), ATTRS(K(2), KERNEL(3, 3), PAD(1), MODE("reflect")), .small = true},
    {"channel by channel", X(1, 9, 2, 3), ATTRS(K(9), KERNEL(3, 3), GROUPS(9), PAD(1)),
     .small = true},
    /* Layouts: pictures of up to 4 channels are plain. */
    {"3x3, blocked to blocked", X(2, 11, 5, 7), ATTRS(K(13), KERNEL(3, 3), PAD(1))},
    {"3x3, picture to blocked", X(2, 3, 13, 11), ATTRS(K(10), KERNEL(3, 3), PAD(1))},
    {"3x3, blocked to picture", X(2, 10, 7, 11), ATTRS(K(3), KERNEL(3, 3), PAD(1))},
    {"3x3, picture to picture", X(2, 3, 7, 21), ATTRS(K(4), KERNEL(3, 3), PAD(1))},
    {"1x1, picture to one channel", X(1, 3, 31, 33), ATTRS(K(1))},
    {"1x1, picture to six", X(1, 3, 31, 33), ATTRS(K(6), NO_BIAS)},
    {"four to four", X(1, 4, 9, 17), ATTRS(K(4), KERNEL(3, 3), PAD(1))},
    {"five to five", X(1, 5, 9, 17), ATTRS(K(5), KERNEL(3, 3), PAD(1))},
    /* Channels beside the widths of blocks and of sets of blocks. */
    {"31 to 33 channels", X(1, 31, 8, 9), ATTRS(K(33), KERNEL(3, 3), PAD(1))},
    {"32 to 32 channels, no bias", X(1, 32, 8, 9), ATTRS(K(32), KERNEL(3, 3), PAD(1), NO_BIAS)},
    {"33 to 64 channels, 1x1", X(2, 33, 5, 6), ATTRS(K(64))},
    {"65 to 130 channels", X(1, 65, 4, 5), ATTRS(K(130), KERNEL(3, 3), PAD(1))},
    {"as many as a tile of 128 x 128 has, and one of 128 x 64", X(1, 128, 8, 15),
     ATTRS(K(128), KERNEL(1, 2), PADS(0, 1, 0, 1))},
    {"64 channels of 128 pixels", X(1, 64, 8, 16), ATTRS(K(64), KERNEL(2, 1), PADS(1, 0, 0, 0))},
    {"a sum in parts on GPUs", X(1, 520, 1, 2), ATTRS(K(9)), .small = true},
    {"520 to 8 channels, 1x1", X(1, 520, 3, 5), ATTRS(K(8))},
    {"16 to 8 channels, 1x1", X(1, 16, 17, 19), ATTRS(K(8))},
    /* Maps. */
    {"one pixel", X(1, 20, 1, 1), ATTRS(K(20))},
    {"one pixel, 3x3", X(2, 20, 1, 1), ATTRS(K(17), KERNEL(3, 3), PAD(1))},
    {"the window is the map", X(2, 7, 6, 6), ATTRS(K(18), KERNEL(6, 6))},
    {"63 x 65", X(1, 5, 63, 65), ATTRS(K(6), KERNEL(3, 3), PAD(1))},
    {"one column", X(1, 6, 31, 1), ATTRS(K(6), KERNEL(3, 1), PADS(1, 0, 1, 0))},
    /* Strides and dilation. */
    {"7x7 stride 2, picture", X(1, 3, 33, 31), ATTRS(K(24), KERNEL(7, 7), STRIDE(2, 2))},
    {"3x3 stride 2", X(2, 17, 16, 15), ATTRS(K(20), KERNEL(3, 3), STRIDE(2, 2), PAD(1))},
    {"3x3 stride 3, rows left over", X(1, 8, 15, 16), ATTRS(K(9), KERNEL(3, 3), STRIDE(3, 3))},
    {"1x1 stride 2", X(1, 16, 8, 7), ATTRS(K(32), STRIDE(2, 2))},
    {"stride 3 beyond a 2x2 window", X(1, 6, 9, 10), ATTRS(K(6), KERNEL(2, 2), STRIDE(3, 3))},
    {"stride (2,1)", X(1, 6, 12, 11), ATTRS(K(6), KERNEL(3, 3), STRIDE(2, 1), PAD(1))},
    {"dilation 2", X(1, 9, 13, 12), ATTRS(K(18), KERNEL(3, 3), DILATION(2, 2), PAD(2))},
    {"dilation (1,3), stride 2", X(1, 9, 13, 12),
     ATTRS(K(6), KERNEL(3, 3), DILATION(1, 3), STRIDE(2, 2), PAD(2))},
    {"picture to picture, stride 2, dilation 2", X(2, 2, 19, 23),
     ATTRS(K(3), KERNEL(3, 3), DILATION(2, 2), STRIDE(2, 2), PAD(1))},
    /* Windows. */
    {"5x1", X(1, 7, 11, 9), ATTRS(K(6), KERNEL(5, 1), PADS(2, 0, 2, 0))},
    {"5x5, 19 to 33 channels", X(2, 19, 7, 9), ATTRS(K(33), KERNEL(5, 5), PADS(2, 1, 3, 2))},
    {"2x4", X(1, 7, 11, 9), ATTRS(K(6), KERNEL(2, 4))},
    {"7x7, 8 blocks", X(1, 3, 20, 18), ATTRS(K(96), KERNEL(7, 7), PAD(3))},
    {"9x9, blocked to picture", X(1, 32, 12, 13), ATTRS(K(3), KERNEL(9, 9), PAD(4))},
    {"11x11 stride 4", X(1, 3, 35, 39), ATTRS(K(32), KERNEL(11, 11), STRIDE(4, 4))},
    /* Groups. */
    {"2 groups of whole blocks", X(1, 64, 6, 5), ATTRS(K(32), KERNEL(3, 3), GROUPS(2), PAD(1))},
    {"2 groups across blocks", X(2, 14, 6, 5), ATTRS(K(22), KERNEL(3, 3), GROUPS(2), PAD(1))},
    {"3 groups", X(1, 39, 6, 5), ATTRS(K(51), KERNEL(3, 3), GROUPS(3), PAD(1))},
    {"2 groups, dilation 2", X(2, 12, 9, 8),
     ATTRS(K(34), KERNEL(3, 3), GROUPS(2), DILATION(2, 2), PADS(2, 1, 0, 2))},
    {"depthwise, dilation (2,3), replicated", X(1, 18, 9, 11),
     ATTRS(K(18), KERNEL(3, 3), GROUPS(18), DILATION(2, 3), PADS(2, 3, 1, 2), MODE("replicate"))},
    {"depthwise", X(1, 37, 9, 8), ATTRS(K(37), KERNEL(3, 3), GROUPS(37), PAD(1))},
    {"depthwise, two outputs a channel, stride 2", X(1, 18, 9, 8),
     ATTRS(K(36), KERNEL(3, 3), GROUPS(18), STRIDE(2, 2), PAD(1))},
    {"depthwise pictures, 5x1, stride (2,1), reflected", X(2, 3, 37, 41),
     ATTRS(K(3), KERNEL(5, 1), GROUPS(3), STRIDE(2, 1), PADS(2, 0, 2, 0), MODE("reflect"),
           NO_BIAS)},
    {"depthwise pictures, 1x5, stride (1,2), reflected", X(1, 3, 21, 67),
     ATTRS(K(3), KERNEL(1, 5), GROUPS(3), STRIDE(1, 2), PADS(0, 2, 0, 2), MODE("reflect"),
           NO_BIAS)},
    {"picture in 3 groups to 6", X(1, 3, 9, 17), ATTRS(K(6), KERNEL(3, 3), GROUPS(3), PAD(1))},
    /* Padding. */
    {"pads (0,1,2,3)", X(1, 6, 7, 8), ATTRS(K(6), KERNEL(3, 3), PADS(0, 1, 2, 3))},
    {"pads wider than the window", X(1, 6, 4, 5), ATTRS(K(6), KERNEL(3, 3), PAD(5))},
    {"pads wider than the window, pictures", X(1, 3, 4, 5), ATTRS(K(3), KERNEL(3, 3), PAD(5))},
    {"reflect", X(2, 6, 7, 8), ATTRS(K(6), KERNEL(3, 3), PAD(1), MODE("reflect"))},
    {"reflect all there is", X(1, 18, 5, 6),
     ATTRS(K(6), KERNEL(5, 5), PADS(4, 5, 4, 5), MODE("reflect"))},
    {"reflect a 7x7 window, pictures to 24", X(1, 3, 26, 29),
     ATTRS(K(24), KERNEL(7, 7), PAD(3), MODE("reflect"))},
    {"reflect, stride 2", X(1, 6, 9, 8),
     ATTRS(K(6), KERNEL(3, 3), STRIDE(2, 2), PADS(2, 1, 0, 2), MODE("reflect"))},
    {"replicate, wider than the picture", X(1, 6, 3, 4),
     ATTRS(K(6), KERNEL(3, 3), PADS(5, 4, 3, 6), MODE("replicate"))},
    {"replicate pictures", X(2, 3, 9, 19), ATTRS(K(2), KERNEL(3, 3), PAD(2), MODE("replicate"))},
    {"replicate, 2 groups", X(1, 12, 6, 5),
     ATTRS(K(34), KERNEL(3, 3), GROUPS(2), PAD(1), MODE("replicate"))},
};

RV_OP_CASES(conv, twin_conv, false, cases);
