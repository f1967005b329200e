/* Files of named tensors: a header in JSON, then the values; any safetensors reader can open them. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_MODEL_SAFETENSORS_H
#define RV_MODEL_SAFETENSORS_H

#include "base/text.h"
#include "tensor/tensor.h"

/** An open file; its values stay in it. */
typedef struct rv_safetensors rv_safetensors;

/** Maps a file and checks its header.
 *  @return RV_ERR_FORMAT: what is damaged and where; RV_ERR_NOT_FOUND, RV_ERR_IO. */
RV_NODISCARD rv_status rv_safetensors_open(rv_safetensors **out, const char *path);
/** The same from memory that outlives *out; `file` names it. */
RV_NODISCARD rv_status rv_safetensors_parse(rv_safetensors **out, const uint8_t *data, size_t size,
                                            const char *file);
void rv_safetensors_close(rv_safetensors *file);

/** Value of a key of the metadata, NULL where there is none; borrowed. */
const char *rv_safetensors_metadata(const rv_safetensors *file, const char *key);
size_t rv_safetensors_count(const rv_safetensors *file);
/** Name of tensor i in the order of the header; borrowed. */
const char *rv_safetensors_name(const rv_safetensors *file, size_t i);
bool rv_safetensors_has(const rv_safetensors *file, const char *name);
/** Shape of the tensor of that name, whose sizes beyond the rank become 1; false where there is none, or of more than
 *  RV_MAX_RANK. */
bool rv_safetensors_shape(const rv_safetensors *file, const char *name, rv_shape *out);
/** Checks that a tensor of that name has that shape, and where `out` is given, copies its values, which
 *  may be F32, F16, BF16 or F64, there. RV_ERR_NOT_FOUND; RV_ERR_SHAPE names both shapes. */
RV_NODISCARD rv_status rv_safetensors_read(const rv_safetensors *file, float *out, const char *name,
                                           const rv_shape *shape);

/** Values of a tensor that rv_safetensors_read() can read, where they are F32 and lie in a mapped file; else NULL. */
const uint8_t *rv_safetensors_floats(const rv_safetensors *file, const char *name);

/** IEEE 754 binary16 to float. */
float rv_from_half(uint16_t half);

/** A tensor to be written. */
typedef struct rv_stored_tensor {
    const char *name;
    rv_shape shape;
    const float *data; /**< NULL: of rv_store_options.fetch */
} rv_stored_tensor;

typedef struct rv_stored_text {
    const char *key, *value; /**< UTF-8 */
} rv_stored_text;

typedef struct rv_store_options {
    /** values as F16, rounded to the nearest, but those of vectors as F32; else all as F32 */
    bool half;
    bool keep;     /**< an existing file is RV_ERR_USAGE; else it is replaced */
    bool unsynced; /**< as rv_output_leave_unsynced() */
    /** Fills in the values of a tensor that has no data, by its index, when its turn comes. */
    rv_status (*fetch)(void *payload, size_t tensor, float *values);
    void *payload;
} rv_store_options;

/** Appends what stands before the values of F32 tensors, padded to `length` bytes where it is shorter: room for shapes
 *  that grow. A multiple of 8 bytes is kept so. */
RV_NODISCARD rv_status rv_safetensors_header(rv_text *text, const rv_stored_tensor *tensors,
                                             size_t n_tensors, size_t length);

/** Writes a file, complete or not at all.
 *  @return RV_ERR_UNSUPPORTED: a value beyond what F16 holds, with its tensor */
RV_NODISCARD rv_status rv_safetensors_write(const char *path, const rv_stored_tensor *tensors,
                                            size_t n_tensors, const rv_stored_text *texts,
                                            size_t n_texts, const rv_store_options *options);

#endif
