/* What the files of the convolution share: its attributes, and gathering with weights. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_OPS_CONV_H
#define RV_OPS_CONV_H

#include "ops/conv_gpu.h"
#include "ops/op.h"

typedef enum rv_conv_pad_mode {
    RV_CONV_PAD_ZERO,
    RV_CONV_PAD_REFLECT,
    RV_CONV_PAD_REPLICATE
} rv_conv_pad_mode; /* numbers as in conv.clh */

typedef struct rv_conv_attrs {
    int32_t num_output;
    int32_t kernel[2], stride[2], dilation[2]; /**< rows, columns */
    int32_t groups;
    int32_t pads[4]; /**< top, left, bottom, right */
    int32_t pad_mode;
    int32_t bias;
} rv_conv_attrs;

typedef struct rv_conv_algorithm rv_conv_algorithm;

/** A prepared pass: target = bias + sum over source channels and taps of source * weight, where the
 *  source is the input (forward) or the gradient of the output (gradient of the input). */
typedef struct rv_conv_gather {
    rv_conv_geometry geometry;
    const rv_conv_algorithm *algorithm;
    rv_kernel *pack, *run;     /**< pack NULL: reads the plain weights */
    rv_kernel *before, *after; /**< what some algorithms launch around `run` */
    rv_kernel *fold; /**< NULL, or adds up the gradient of padding that repeats the input */
    rv_grid pack_grid, run_grid;
    rv_conv_product product;           /**< of conv_gpu.c */
    rv_conv_geometry product_geometry; /**< of conv_gpu_winograd.c */
    rv_int4 work;         /**< of the kernel: tiles and sets per work-item, units, offset */
    size_t packed_floats; /**< packed weights, from work.s[3] on */
    int32_t scratch[3];   /**< where an algorithm's parts of the workspace start, in its own unit */
    size_t
        workspace_bytes; /**< the padded gradient, to be folded; an algorithm's own lies behind */
} rv_conv_gather;

/** What a pass works on, once it runs. */
typedef struct rv_conv_operands {
    const rv_buffer *target, *source;
    const rv_buffer *weights; /**< packed, or plain where there is no pack */
    const rv_buffer *bias;    /**< NULL: none. For the gradient the input, if that is gated */
    const rv_buffer *workspace;
    rv_int4 place; /**< as in rv_conv_geometry, with whether to add */
    rv_int4 apart; /**< blocks of source and target from one picture to the next, 0, 0 */
    float
        slope; /**< of rv_node: slope, and for the gradient gate, where the input is gated, else 1 */
} rv_conv_operands;

/** One way to gather. Its prepare fills in kernels, grids, work and packed_floats, and adds its workspace to
 *  workspace_bytes; its weights start at *packed_floats of n->packed, which it moves on behind them. */
struct rv_conv_algorithm {
    const char *name; /**< as `reverie tune` and benchmarks show it */
    /** Whether it can run this geometry in the device's form, and is allowed to. */
    bool (*suits)(const rv_conv_gather *g, const rv_node *n, const rv_device *device);
    /** Whether it is the fastest that suits, as far as shapes tell; NULL: always. */
    bool (*pays)(const rv_conv_gather *g, const rv_device *device);
    rv_status (*prepare)(rv_conv_gather *g, rv_device *device, size_t *packed_floats);
    /** NULL: one launch of g->run with the common arguments: target, source, weights, bias, the geometry's source,
     *  target, window, step and place, the slope, then g->work. */
    rv_status (*run)(const rv_conv_gather *g, const rv_exec *e, const rv_conv_operands *o);
};

/* conv_cpu.c */
extern const rv_conv_algorithm rv_conv_channels, rv_conv_strips, rv_conv_blocked, rv_conv_thin,
    rv_conv_plain;
/* conv_winograd.c */
extern const rv_conv_algorithm rv_conv_f4, rv_conv_f4_steps, rv_conv_f2, rv_conv_f2_steps,
    rv_conv_f2_5x5;
/** Whether the options allow F(out x out, 3x3) in this mode, and the window is one of 3x3 at steps of 1. */
bool rv_conv_winograd_suits(const rv_conv_gather *g, const rv_node *n, const rv_device *device,
                            int32_t out);
/* conv_gpu_winograd.c */
extern const rv_conv_algorithm rv_conv_gpu_f4, rv_conv_gpu_f2;
/* conv_gpu.c */
extern const rv_conv_algorithm rv_conv_direct, rv_conv_few, rv_conv_depthwise, rv_conv_tiles;
extern const rv_conv_algorithm rv_conv_each_tile[RV_GPU_TILES];

/** conv_gather.c: whether passes between blocked maps run here that honour rv_node.gated and rv_tensor.apart. */
bool rv_conv_gather_gates(const rv_node *n, const rv_device *device);

/** Whether each channel of a blocked source makes one of a blocked target. */
static inline bool rv_conv_is_depthwise(const rv_conv_geometry *o)
{
    return o->source_lanes > 1 && o->target_lanes > 1 && o->window.s[2] == o->source.s[1] &&
           o->window.s[2] == o->target.s[1];
}

/** Geometry of the forward pass of a node, or of the gradient of its input. */
rv_conv_geometry rv_conv_geometry_of(const rv_node *n, bool gradient);

/** As in rv_op. */
size_t rv_conv_gather_algorithms(const rv_node *n, const rv_device *device, bool gradient,
                                 const char *names[RV_MAX_ALGORITHMS]);

/** Chooses algorithm and kernels for forward or for the gradient of the input.
 *  @param packed_floats  where its packed weights start in n->packed; moved on behind them. */
RV_NODISCARD rv_status rv_conv_gather_prepare(rv_conv_gather *g, rv_node *n, rv_device *device,
                                              bool gradient, size_t *packed_floats);
RV_NODISCARD rv_status rv_conv_gather_pack(const rv_conv_gather *g, const rv_node *n,
                                           const rv_exec *e);
/** @param bias  NULL: none. */
RV_NODISCARD rv_status rv_conv_gather_run(const rv_conv_gather *g, const rv_node *n,
                                          const rv_exec *e, rv_tensor *target,
                                          const rv_tensor *source, const rv_tensor *bias,
                                          bool accumulate);

/** A prepared gradient of weights and bias. */
typedef struct rv_conv_params {
    rv_conv_geometry geometry;
    rv_kernel *weight, *sum;
    rv_kernel *bias, *bias_sum; /**< the last NULL: `sum` does it */
    rv_grid weight_grid, sum_grid;
    rv_kernel *gpu_weight, *gpu_sum, *gpu_bias; /**< of conv_gpu_params.c, or NULL */
    rv_int4
        work; /**< of conv_cpu_params.cl: parts, rows at a time, units; or of conv_gpu_params.cl */
    int32_t weight_parts, bias_parts; /**< partial sums, in the workspace */
    size_t weight_floats, bias_floats;
    size_t workspace_bytes;
} rv_conv_params;

RV_NODISCARD rv_status rv_conv_params_prepare(rv_conv_params *p, const rv_node *n,
                                              rv_device *device);
/** Of the gradients of weights and bias those that are wanted. */
RV_NODISCARD rv_status rv_conv_params_run(const rv_conv_params *p, const rv_node *n,
                                          const rv_exec *e, uint32_t wanted);

/** conv_gpu_params.c: whether there are channels enough for its tiles. */
bool rv_conv_gpu_params_suits(const rv_conv_geometry *o);
RV_NODISCARD rv_status rv_conv_gpu_params_prepare(rv_conv_params *p, rv_device *device);
RV_NODISCARD rv_status rv_conv_gpu_params_weight(const rv_conv_params *p, const rv_node *n,
                                                 const rv_exec *e, int32_t accumulate);
/** Partial sums only, bias_parts of them in the workspace. */
RV_NODISCARD rv_status rv_conv_gpu_params_bias(const rv_conv_params *p, const rv_node *n,
                                               const rv_exec *e);

#endif
