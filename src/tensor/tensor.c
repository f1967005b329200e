/* Shapes and device tensors; packs between plain host values and the blocked layout. */
/* SPDX-License-Identifier: MIT */
#include "tensor/tensor.h"
#include "base/error.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Widest block of any device: sizes are checked against it, so that a graph is good for all. */
enum { WIDEST_BLOCK = 16 };

rv_shape rv_shape_make(int rank, const int32_t *dim)
{
    rv_shape shape = {rank, {1, 1, 1, 1}};
    for (int i = 0; i < rank; i++) {
        shape.dim[i] = dim[i];
    }
    return shape;
}

rv_shape rv_shape_1(int32_t a)
{
    return (rv_shape){1, {a, 1, 1, 1}};
}

rv_shape rv_shape_2(int32_t a, int32_t b)
{
    return (rv_shape){2, {a, b, 1, 1}};
}

rv_shape rv_shape_4(int32_t n, int32_t c, int32_t h, int32_t w)
{
    return (rv_shape){4, {n, c, h, w}};
}

bool rv_shape_equal(const rv_shape *a, const rv_shape *b)
{
    return a->rank == b->rank && memcmp(a->dim, b->dim, (size_t)a->rank * sizeof a->dim[0]) == 0;
}

size_t rv_shape_count(const rv_shape *shape)
{
    size_t count = 1;
    for (int i = 0; i < shape->rank; i++) {
        count *= (size_t)shape->dim[i];
    }
    return count;
}

rv_status rv_shape_check(const rv_shape *shape, const char *what)
{
    char text[64];
    int64_t count = 1;
    for (int i = 0; i < shape->rank; i++) {
        int64_t size = shape->dim[i];
        if (size < 1) {
            return rv_fail(RV_ERR_SHAPE, "'%s': a shape of %s has a size below 1", what,
                           rv_shape_text(text, shape));
        }
        if (shape->rank == 4 && i == 1) {
            size = (size + WIDEST_BLOCK - 1) / WIDEST_BLOCK * WIDEST_BLOCK;
        }
        count *= size;
        if (count > INT32_MAX) {
            return rv_fail(RV_ERR_SHAPE,
                           "'%s': a tensor of %s is too large; use a smaller size or batch", what,
                           rv_shape_text(text, shape));
        }
    }
    return RV_OK;
}

const char *rv_shape_text(char out[64], const rv_shape *shape)
{
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < shape->rank; i++) {
        const int n = snprintf(out + used, 64 - used, "%s%d", i > 0 ? "x" : "", (int)shape->dim[i]);
        used += (size_t)n;
    }
    return out;
}

int32_t rv_tensor_blocks(const rv_tensor *tensor)
{
    return rv_divide_up(tensor->shape.dim[1], tensor->block);
}

size_t rv_tensor_floats(const rv_tensor *tensor)
{
    if (tensor->layout == RV_PLAIN) {
        return rv_shape_count(&tensor->shape);
    }
    const int32_t *d = tensor->shape.dim;
    const size_t channels = (size_t)rv_tensor_blocks(tensor) * (size_t)tensor->block;
    return (size_t)d[0] * channels * (size_t)d[2] * (size_t)d[3];
}

size_t rv_tensor_bytes(const rv_tensor *tensor)
{
    return rv_tensor_floats(tensor) * sizeof(float);
}

rv_status rv_tensor_create(rv_tensor *out, rv_device *device, rv_shape shape, rv_layout layout)
{
    *out = (rv_tensor){.shape = shape,
                       .layout = layout,
                       .block = layout == RV_BLOCKED ? rv_device_block(device) : 1};
    return rv_buffer_create(&out->buffer, device, rv_tensor_bytes(out));
}

void rv_tensor_release(rv_tensor *tensor)
{
    rv_buffer_destroy(tensor->buffer);
    tensor->buffer = NULL;
}

typedef enum direction { TO_BLOCKED, TO_PLAIN } direction;

/* Moves every value between the two orders; pad lanes of `blocked` are left alone. */
static void exchange(const rv_tensor *t, float *plain, float *blocked, direction towards)
{
    const int32_t n = t->shape.dim[0], c = t->shape.dim[1];
    const size_t pixels = (size_t)t->shape.dim[2] * (size_t)t->shape.dim[3];
    const size_t b = (size_t)t->block, blocks = (size_t)rv_tensor_blocks(t);
    for (int32_t i = 0; i < n; i++) {
        for (int32_t k = 0; k < c; k++) {
            float *p = plain + ((size_t)i * (size_t)c + (size_t)k) * pixels;
            float *q =
                blocked + (((size_t)i * blocks + (size_t)k / b) * pixels) * b + (size_t)k % b;
            for (size_t x = 0; x < pixels; x++) {
                if (towards == TO_BLOCKED) {
                    q[x * b] = p[x];
                } else {
                    p[x] = q[x * b];
                }
            }
        }
    }
}

rv_status rv_tensor_write(rv_device *device, rv_tensor *tensor, const float *plain)
{
    const size_t bytes = rv_tensor_bytes(tensor);
    if (tensor->layout == RV_PLAIN) {
        return rv_buffer_write(device, tensor->buffer, 0, plain, bytes);
    }
    float *blocked;
    RV_TRY(rv_alloc(&blocked, bytes, 1, "tensor upload"));
    exchange(tensor, (float *)(uintptr_t)plain, blocked, TO_BLOCKED);
    const rv_status status = rv_buffer_write(device, tensor->buffer, 0, blocked, bytes);
    free(blocked);
    return status;
}

rv_status rv_tensor_read(rv_device *device, const rv_tensor *tensor, float *plain)
{
    const size_t bytes = rv_tensor_bytes(tensor);
    if (tensor->layout == RV_PLAIN) {
        return rv_buffer_read(device, tensor->buffer, 0, plain, bytes);
    }
    float *blocked;
    RV_TRY(rv_alloc(&blocked, bytes, 1, "tensor download"));
    const rv_status status = rv_buffer_read(device, tensor->buffer, 0, blocked, bytes);
    if (status == RV_OK) {
        exchange(tensor, plain, blocked, TO_PLAIN);
    }
    free(blocked);
    return status;
}
