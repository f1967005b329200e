/* The fields of Caffe's messages: what may stand in a prototxt, and what kind of value it takes. */
/* SPDX-License-Identifier: MIT */
#include "model/internal.h"

#define INT(name)                          \
    {                                      \
        name, RV_PROTOTXT_INT, false, NULL \
    }
#define INTS(name)                        \
    {                                     \
        name, RV_PROTOTXT_INT, true, NULL \
    }
#define FLOAT(name)                          \
    {                                        \
        name, RV_PROTOTXT_FLOAT, false, NULL \
    }
#define FLOATS(name)                        \
    {                                       \
        name, RV_PROTOTXT_FLOAT, true, NULL \
    }
#define BOOL(name)                          \
    {                                       \
        name, RV_PROTOTXT_BOOL, false, NULL \
    }
#define TEXT(name)                            \
    {                                         \
        name, RV_PROTOTXT_STRING, false, NULL \
    }
#define TEXTS(name)                          \
    {                                        \
        name, RV_PROTOTXT_STRING, true, NULL \
    }
#define WORD(name)                          \
    {                                       \
        name, RV_PROTOTXT_WORD, false, NULL \
    }
#define MESSAGE(name, fields)                    \
    {                                            \
        name, RV_PROTOTXT_MESSAGE, false, fields \
    }
#define MESSAGES(name, fields)                  \
    {                                           \
        name, RV_PROTOTXT_MESSAGE, true, fields \
    }
#define SKIPPED(name)                     \
    {                                     \
        name, RV_PROTOTXT_ANY, true, NULL \
    }
#define END                                \
    {                                      \
        NULL, RV_PROTOTXT_ANY, false, NULL \
    }

static const rv_prototxt_rule shape[] = {INTS("dim"), END};
static const rv_prototxt_rule state_rule[] = {WORD("phase"),  INT("min_level"),   INT("max_level"),
                                              TEXTS("stage"), TEXTS("not_stage"), END};
static const rv_prototxt_rule transform[] = {
    FLOAT("scale"),       BOOL("mirror"),      INT("crop_size"),   TEXT("mean_file"),
    FLOATS("mean_value"), BOOL("force_color"), BOOL("force_gray"), END};
static const rv_prototxt_rule input[] = {MESSAGES("shape", shape), END};
static const rv_prototxt_rule convolution[] = {INT("num_output"),
                                               BOOL("bias_term"),
                                               INTS("pad"),
                                               INTS("kernel_size"),
                                               INTS("stride"),
                                               INTS("dilation"),
                                               INT("pad_h"),
                                               INT("pad_w"),
                                               INT("kernel_h"),
                                               INT("kernel_w"),
                                               INT("stride_h"),
                                               INT("stride_w"),
                                               INT("group"),
                                               INT("axis"),
                                               BOOL("force_nd_im2col"),
                                               SKIPPED("weight_filler"),
                                               SKIPPED("bias_filler"),
                                               SKIPPED("engine"),
                                               END};
static const rv_prototxt_rule inner_product[] = {
    INT("num_output"),        BOOL("bias_term"),      INT("axis"), BOOL("transpose"),
    SKIPPED("weight_filler"), SKIPPED("bias_filler"), END};
static const rv_prototxt_rule pooling[] = {WORD("pool"),           INT("pad"),
                                           INT("pad_h"),           INT("pad_w"),
                                           INT("kernel_size"),     INT("kernel_h"),
                                           INT("kernel_w"),        INT("stride"),
                                           INT("stride_h"),        INT("stride_w"),
                                           BOOL("global_pooling"), WORD("round_mode"),
                                           SKIPPED("engine"),      END};
static const rv_prototxt_rule relu[] = {FLOAT("negative_slope"), SKIPPED("engine"), END};
static const rv_prototxt_rule lrn[] = {INT("local_size"),
                                       FLOAT("alpha"),
                                       FLOAT("beta"),
                                       WORD("norm_region"),
                                       FLOAT("k"),
                                       SKIPPED("engine"),
                                       END};
static const rv_prototxt_rule concat[] = {INT("axis"), INT("concat_dim"), END};
static const rv_prototxt_rule eltwise[] = {WORD("operation"), FLOATS("coeff"),
                                           BOOL("stable_prod_grad"), END};
static const rv_prototxt_rule softmax[] = {INT("axis"), SKIPPED("engine"), END};
static const rv_prototxt_rule dropout[] = {FLOAT("dropout_ratio"), BOOL("scale_train"), END};
static const rv_prototxt_rule batch_norm[] = {BOOL("use_global_stats"),
                                              FLOAT("moving_average_fraction"), FLOAT("eps"), END};
static const rv_prototxt_rule scale[] = {
    INT("axis"),       INT("num_axes"),        BOOL("bias_term"),
    SKIPPED("filler"), SKIPPED("bias_filler"), END};

static const rv_prototxt_rule elu[] = {FLOAT("alpha"), END};
static const rv_prototxt_rule prelu[] = {SKIPPED("filler"), BOOL("channel_shared"), END};

/* Layers of both generations: `layers` of V1 and `layer`. */
static const rv_prototxt_rule layer[] = {
    TEXT("name"),
    WORD("type"),
    TEXTS("bottom"),
    TEXTS("top"),
    WORD("phase"),
    MESSAGES("include", state_rule),
    MESSAGES("exclude", state_rule),
    MESSAGE("transform_param", transform),
    MESSAGE("input_param", input),
    MESSAGE("convolution_param", convolution),
    MESSAGE("inner_product_param", inner_product),
    MESSAGE("pooling_param", pooling),
    MESSAGE("relu_param", relu),
    MESSAGE("lrn_param", lrn),
    MESSAGE("concat_param", concat),
    MESSAGE("eltwise_param", eltwise),
    MESSAGE("softmax_param", softmax),
    MESSAGE("dropout_param", dropout),
    MESSAGE("batch_norm_param", batch_norm),
    MESSAGE("scale_param", scale),
    MESSAGE("elu_param", elu),
    MESSAGE("prelu_param", prelu),
    SKIPPED("layer"),
    SKIPPED("blobs"),
    SKIPPED("param"),
    SKIPPED("loss_weight"),
    SKIPPED("propagate_down"),
    SKIPPED("blobs_lr"),
    SKIPPED("weight_decay"),
    SKIPPED("blob_share_mode"),
    SKIPPED("loss_param"),
    SKIPPED("accuracy_param"),
    SKIPPED("argmax_param"),
    SKIPPED("bias_param"),
    SKIPPED("clip_param"),
    SKIPPED("contrastive_loss_param"),
    SKIPPED("crop_param"),
    SKIPPED("data_param"),
    SKIPPED("dummy_data_param"),
    SKIPPED("embed_param"),
    SKIPPED("exp_param"),
    SKIPPED("flatten_param"),
    SKIPPED("hdf5_data_param"),
    SKIPPED("hdf5_output_param"),
    SKIPPED("hinge_loss_param"),
    SKIPPED("image_data_param"),
    SKIPPED("infogain_loss_param"),
    SKIPPED("log_param"),
    SKIPPED("memory_data_param"),
    SKIPPED("mvn_param"),
    SKIPPED("parameter_param"),
    SKIPPED("power_param"),
    SKIPPED("python_param"),
    SKIPPED("recurrent_param"),
    SKIPPED("reduction_param"),
    SKIPPED("reshape_param"),
    SKIPPED("sigmoid_param"),
    SKIPPED("slice_param"),
    SKIPPED("spp_param"),
    SKIPPED("swish_param"),
    SKIPPED("tanh_param"),
    SKIPPED("threshold_param"),
    SKIPPED("tile_param"),
    SKIPPED("window_data_param"),
    END,
};

_Static_assert(sizeof layer / sizeof layer[0] <= RV_PROTOTXT_MAX_RULES, "the longest table");

const rv_prototxt_rule rv_caffe_rules[] = {
    TEXT("name"),
    TEXTS("input"),
    INTS("input_dim"),
    MESSAGES("input_shape", shape),
    MESSAGES("layer", layer),
    MESSAGES("layers", layer),
    BOOL("force_backward"),
    SKIPPED("state"),
    BOOL("debug_info"),
    END,
};
