/* An ONNX file as it stands: nodes, attributes, tensors and inputs, before any of it is a network. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_MODEL_ONNX_H
#define RV_MODEL_ONNX_H

#include "model/internal.h"

enum {
    RV_ONNX_MAX_RANK = 8,
    RV_ONNX_MAX_LIST = 64, /* numbers in an attribute that are kept */
    RV_ONNX_OLDEST = 7,    /* versions of the operations; older ones where they did not change */
    RV_ONNX_NEWEST = 23
};

/** Element types of TensorProto that can be read. */
typedef enum rv_onnx_type {
    RV_ONNX_FLOAT = 1,
    RV_ONNX_UINT8 = 2,
    RV_ONNX_INT8 = 3,
    RV_ONNX_UINT16 = 4,
    RV_ONNX_INT16 = 5,
    RV_ONNX_INT32 = 6,
    RV_ONNX_INT64 = 7,
    RV_ONNX_BOOL = 9,
    RV_ONNX_FLOAT16 = 10,
    RV_ONNX_DOUBLE = 11,
    RV_ONNX_UINT32 = 12,
    RV_ONNX_UINT64 = 13,
    RV_ONNX_BFLOAT16 = 16
} rv_onnx_type;

/** Sizes as ONNX sees them; a scalar has rank 0. */
typedef struct rv_onnx_shape {
    int rank;
    int64_t dim[RV_ONNX_MAX_RANK]; /**< of an input: -1 where it is left open */
} rv_onnx_shape;

/** A constant. Its values lie in the file, little endian, or were computed. */
typedef struct rv_onnx_tensor {
    char *name;
    int64_t type; /**< rv_onnx_type, or one that cannot be read */
    rv_onnx_shape shape;
    size_t count;
    const uint8_t *raw; /**< NULL: `values` */
    double *values;     /**< owned */
    bool transposed;    /**< of rank 2, its values lie column behind column */
} rv_onnx_tensor;

typedef struct rv_onnx_node {
    char *name; /**< "" where it has none */
    char *op, *domain;
    rv_names inputs, outputs; /**< "" where an optional one is left out */
    rv_proto message;         /**< for its attributes */
    bool needed;              /**< for an output of the graph */
} rv_onnx_node;

typedef struct rv_onnx_input {
    char *name;
    int64_t type;
    rv_onnx_shape shape;
} rv_onnx_input;

/** Where the values of a parameter are: each is factor * v, or factor / v. */
typedef struct rv_onnx_binding {
    char *layer;
    const char *param;            /**< "weight"; static */
    const rv_onnx_tensor *tensor; /**< one value serves all; NULL: v is 1 */
    float factor;
    bool reciprocal;
} rv_onnx_binding;

typedef struct rv_onnx_external {
    char *name;
    rv_bytes bytes;
} rv_onnx_external;

struct rv_onnx {
    rv_bytes bytes; /* empty where the memory is the caller's */
    char *file;
    char *folder; /* of external data, NULL: there is none */
    int64_t opset;
    char *producer, *name;
    rv_onnx_node *nodes;
    size_t n_nodes, nodes_capacity;
    rv_onnx_tensor **tensors; /* single blocks, since others point to them */
    size_t n_tensors, tensors_capacity;
    size_t n_computed; /* values of tensors that are not in the file */
    rv_onnx_input *inputs;
    size_t n_inputs, inputs_capacity;
    rv_names outputs;
    rv_onnx_external *external;
    size_t n_external, external_capacity;
    rv_onnx_binding *bindings;
    size_t n_bindings, bindings_capacity;
};

/** Reads a message TensorProto; *out is owned by `onnx`. */
RV_NODISCARD rv_status rv_onnx_tensor_read(rv_onnx_tensor **out, rv_onnx *onnx,
                                           const rv_proto *message);
/** A tensor whose `values` the caller fills; `count` follows from the shape. */
RV_NODISCARD rv_status rv_onnx_tensor_make(rv_onnx_tensor **out, rv_onnx *onnx, const char *name,
                                           int64_t type, const rv_onnx_shape *shape);
/** The same values in another shape of the same count. */
RV_NODISCARD rv_status rv_onnx_tensor_view(rv_onnx_tensor **out, rv_onnx *onnx, const char *name,
                                           const rv_onnx_tensor *tensor,
                                           const rv_onnx_shape *shape);
void rv_onnx_tensor_destroy(rv_onnx_tensor *tensor);
/** Values `first` to `first + n` - 1 in the order of the shape. RV_ERR_UNSUPPORTED: of a type that cannot be read. */
RV_NODISCARD rv_status rv_onnx_tensor_values(const rv_onnx_tensor *tensor, size_t first, size_t n,
                                             double *out);
/** Number of values; false where a size is negative or beyond 2^31, or the number overflows. */
bool rv_onnx_count(size_t *out, const rv_onnx_shape *shape);
/** "1x3x224x224", "?" for a size that is left open. */
const char *rv_onnx_shape_text(char out[96], const rv_onnx_shape *shape);
const rv_onnx_tensor *rv_onnx_find_tensor(const rv_onnx *onnx, const char *name);

/** An attribute of a node. */
typedef struct rv_onnx_attr {
    bool found;
    double f;
    int64_t i;
    const uint8_t *s; /**< of a text, without a NUL */
    size_t s_size;
    bool has_tensor;
    rv_proto tensor;
    size_t n_ints, n_floats; /**< in all; RV_ONNX_MAX_LIST of them are kept */
    int64_t ints[RV_ONNX_MAX_LIST];
    double floats[RV_ONNX_MAX_LIST];
} rv_onnx_attr;

RV_NODISCARD rv_status rv_onnx_attr_find(rv_onnx_attr *out, const rv_onnx_node *node,
                                         const char *name);
RV_NODISCARD rv_status rv_onnx_int(int64_t *out, const rv_onnx_node *node, const char *name,
                                   int64_t initial);
RV_NODISCARD rv_status rv_onnx_float(double *out, const rv_onnx_node *node, const char *name,
                                     double initial);
/** `n` whole numbers, each `initial` where the attribute is missing. RV_ERR_UNSUPPORTED: there are others than n. */
RV_NODISCARD rv_status rv_onnx_ints(int64_t *out, size_t n, const rv_onnx_node *node,
                                    const char *name, int64_t initial);
/** *out is the index of the text among `texts`, 0 where the attribute is missing. RV_ERR_UNSUPPORTED: another text. */
RV_NODISCARD rv_status rv_onnx_text(int *out, const rv_onnx_node *node, const char *name,
                                    const char *const *texts);
/** What messages call a node: its name, else its first output. */
const char *rv_onnx_node_name(const rv_onnx_node *node);

#endif
