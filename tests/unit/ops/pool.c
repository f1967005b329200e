/* Cases of the operations max_pool and average_pool. */
/* SPDX-License-Identifier: MIT */
#include "support/op_check.h"

rv_twin twin_max_pool, twin_average_pool;

#define X(n, c, h, w) .in = {{4, {(n), (c), (h), (w)}}}, .n_in = 1, .data = {RV_DATA_DISTINCT}
#define A(count, ...) .attrs = {__VA_ARGS__}, .n_attrs = (count)
#define KERNEL(a, b)  RV_SET_INT2("kernel", a, b)
#define STRIDE(a, b)  RV_SET_INT2("stride", a, b)
#define CEIL          RV_SET_INT("ceil_mode", 1)
#define COUNT         RV_SET_INT("count_include_pad", 1)

/* What both operations take. */
#define COMMON                                                                                   \
    {"2 x 2, stride 2, as in VGG", X(2, 17, 6, 8), A(2, KERNEL(2, 2), STRIDE(2, 2)),             \
     .small = true},                                                                             \
        {"3 x 3, stride 2, as in SqueezeNet: the last window is cut", X(1, 33, 32, 31),          \
         A(3, KERNEL(3, 3), STRIDE(2, 2), CEIL)},                                                \
        {"rounded down", X(1, 16, 32, 31), A(2, KERNEL(3, 3), STRIDE(2, 2))},                    \
        {"overlapping, padded on all sides", X(2, 5, 33, 31),                                    \
         A(2, KERNEL(3, 3), RV_SET_INT("pads", 1))},                                             \
        {"uneven padding", X(1, 19, 13, 11),                                                     \
         A(3, KERNEL(3, 4), STRIDE(2, 3), RV_SET_INT4("pads", 0, 3, 2, 1))},                     \
        {"padded and rounded up: the last window would start beyond the picture", X(1, 3, 7, 9), \
         A(4, KERNEL(2, 2), STRIDE(2, 2), RV_SET_INT4("pads", 1, 1, 1, 1), CEIL)},               \
        {"stride beyond the window, rounded up", X(1, 20, 10, 11),                               \
         A(3, KERNEL(1, 2), STRIDE(3, 4), CEIL)},                                                \
        {"a long window", X(1, 4, 5, 65), A(2, KERNEL(1, 63), STRIDE(1, 2))},                    \
        {"one pixel", X(1, 64, 1, 1), A(1, KERNEL(1, 1))},                                       \
        {"the whole picture", X(2, 31, 13, 13), A(1, RV_SET_INT("global", 1))},                  \
        {"the whole of two small pictures", X(2, 9, 5, 7), A(1, RV_SET_INT("global", 1)),        \
         .small = true},                                                                         \
        {"the whole of one pixel", X(1, 65, 1, 1), A(1, RV_SET_INT("global", 1))},               \
    {                                                                                            \
        "the whole of a large picture, in several parts", X(1, 3, 63, 65),                       \
            A(1, RV_SET_INT("global", 1))                                                        \
    }

static const rv_op_case max_cases[] = {
    COMMON,
    {"as many places as a byte tells apart", X(1, 5, 32, 33), A(2, KERNEL(16, 16), STRIDE(8, 8))},
    {"one row more", X(1, 5, 34, 33), A(2, KERNEL(17, 16), STRIDE(8, 8))},
};

static const rv_op_case average_cases[] = {
    COMMON,
    {"padding counted", X(2, 5, 33, 31), A(3, KERNEL(3, 3), RV_SET_INT("pads", 1), COUNT)},
    {"uneven padding counted", X(1, 19, 13, 11),
     A(4, KERNEL(3, 4), STRIDE(2, 3), RV_SET_INT4("pads", 0, 3, 2, 1), COUNT)},
    {"padding counted, but not beyond it", X(1, 16, 32, 30),
     A(5, KERNEL(3, 3), STRIDE(2, 2), RV_SET_INT("pads", 1), COUNT, CEIL)},
};

RV_OP_CASES(max_pool, twin_max_pool, false, max_cases);
RV_OP_CASES(average_pool, twin_average_pool, true, average_cases);
