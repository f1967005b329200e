/* Places all parameters of a graph in one arena on a device, and their gradients in a twin arena. */
/* SPDX-License-Identifier: MIT */
#include "graph/params.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

#include <stdlib.h>

typedef struct placed {
    rv_tensor value, gradient;
} placed;

struct rv_params {
    rv_buffer *values, *gradients;
    rv_segment *segments;
    placed *tensors; /* one per segment */
    size_t n, capacity;
    size_t floats;
    uint64_t version;
};

static rv_status add_segment(rv_params *params, rv_device *device, const rv_param *p, int node,
                             int index, bool state)
{
    if (p == NULL) {
        return RV_OK;
    }
    if (p->data == NULL && p->lent == NULL) {
        return rv_fail(RV_ERR_INTERNAL, "'%s': %s has neither values nor an initialisation",
                       p->node, p->name);
    }
    RV_TRY(rv_grow(&params->segments, &params->capacity, params->n + 1, sizeof *params->segments,
                   "parameters"));
    /* Each segment starts where a view of the arena may start. */
    const size_t step = rv_device_alignment(device) / sizeof(float);
    const size_t count = rv_shape_count(&p->shape);
    params->segments[params->n++] = (rv_segment){node, index, state, params->floats, count};
    params->floats += (count + step - 1) / step * step;
    return RV_OK;
}

static rv_status place(rv_tensor *out, rv_buffer *arena, const rv_segment *s, rv_shape shape)
{
    *out = (rv_tensor){.shape = shape, .block = 1};
    return rv_buffer_view(&out->buffer, arena, s->offset * sizeof(float), s->count * sizeof(float));
}

/* From a mapped file in pieces, none of which stays in memory. */
static rv_status write_lent(rv_buffer *arena, rv_device *device, const rv_segment *s,
                            const uint8_t *values)
{
    static const size_t piece = (size_t)16 << 20;
    const size_t bytes = s->count * sizeof(float);
    for (size_t at = 0; at < bytes; at += piece) {
        const size_t n = bytes - at < piece ? bytes - at : piece;
        RV_TRY(rv_buffer_write(device, arena, s->offset * sizeof(float) + at, values + at, n));
        rv_bytes_forget_part(values + at, n);
    }
    return RV_OK;
}

/* Values of one parameter, and zeros up to the next. */
static rv_status write_values(rv_params *params, rv_device *device, size_t i, const rv_param *p)
{
    const rv_segment *s = &params->segments[i];
    const size_t next = i + 1 < params->n ? params->segments[i + 1].offset : params->floats;
    const size_t end = s->offset + s->count;
    RV_TRY(p->data != NULL ? rv_buffer_write(device, params->values, s->offset * sizeof(float),
                                             p->data, s->count * sizeof(float))
                           : write_lent(params->values, device, s, p->lent));
    return next == end ? RV_OK
                       : rv_buffer_fill(device, params->values, end * sizeof(float),
                                        (next - end) * sizeof(float), 0.0f);
}

static rv_status upload(rv_params *params, rv_device *device, rv_graph *graph)
{
    for (size_t i = 0; i < params->n; i++) {
        const rv_segment *s = &params->segments[i];
        const rv_param *p = rv_segment_param(graph, s);
        RV_TRY(place(&params->tensors[i].value, params->values, s, p->shape));
        RV_TRY(write_values(params, device, i, p));
        if (params->gradients != NULL && !s->state) {
            RV_TRY(place(&params->tensors[i].gradient, params->gradients, s, p->shape));
        }
    }
    return RV_OK;
}

static rv_status create(rv_params *params, rv_device *device, rv_graph *graph, bool gradients)
{
    for (int node = 0; node < rv_graph_node_count(graph); node++) {
        for (int i = 0; i < RV_MAX_PARAMS; i++) {
            RV_TRY(add_segment(params, device, rv_graph_param(graph, node, i), node, i, false));
        }
        for (int i = 0; i < RV_MAX_STATE; i++) {
            RV_TRY(add_segment(params, device, rv_graph_state(graph, node, i), node, i, true));
        }
    }
    if (params->n == 0) {
        return RV_OK;
    }
    const size_t bytes = params->floats * sizeof(float);
    RV_TRY(rv_alloc(&params->tensors, params->n, sizeof *params->tensors, "parameters"));
    RV_TRY(rv_buffer_create(&params->values, device, bytes));
    if (gradients) {
        RV_TRY(rv_buffer_create(&params->gradients, device, bytes));
        RV_TRY(rv_buffer_fill(device, params->gradients, 0, bytes, 0.0f));
    }
    return upload(params, device, graph);
}

rv_status rv_params_create(rv_params **out, rv_device *device, rv_graph *graph, bool gradients)
{
    *out = NULL;
    rv_params *params;
    RV_TRY(rv_alloc(&params, 1, sizeof *params, "parameters"));
    params->version = 1;
    const rv_status status = create(params, device, graph, gradients);
    if (status != RV_OK) {
        rv_params_destroy(params);
        return status;
    }
    *out = params;
    return RV_OK;
}

void rv_params_destroy(rv_params *params)
{
    if (params == NULL) {
        return;
    }
    for (size_t i = 0; params->tensors != NULL && i < params->n; i++) {
        rv_tensor_release(&params->tensors[i].value);
        rv_tensor_release(&params->tensors[i].gradient);
    }
    rv_buffer_destroy(params->values);
    rv_buffer_destroy(params->gradients);
    free(params->segments);
    free(params->tensors);
    free(params);
}

rv_buffer *rv_params_values(rv_params *params)
{
    return params->values;
}

rv_buffer *rv_params_gradients(rv_params *params)
{
    return params->gradients;
}

size_t rv_params_floats(const rv_params *params)
{
    return params->floats;
}

const rv_segment *rv_params_segments(const rv_params *params, size_t *n)
{
    *n = params->n;
    return params->segments;
}

const rv_param *rv_segment_param(rv_graph *graph, const rv_segment *s)
{
    return s->state ? rv_graph_state(graph, s->node, s->index)
                    : rv_graph_param(graph, s->node, s->index);
}

static placed *find(rv_params *params, int node, int index, bool state)
{
    for (size_t i = 0; i < params->n; i++) {
        const rv_segment *s = &params->segments[i];
        if (s->node == node && s->index == index && s->state == state) {
            return &params->tensors[i];
        }
    }
    return NULL;
}

rv_tensor *rv_params_tensor(rv_params *params, int node, int index)
{
    placed *p = find(params, node, index, false);
    return p != NULL ? &p->value : NULL;
}

rv_tensor *rv_params_gradient(rv_params *params, int node, int index)
{
    placed *p = find(params, node, index, false);
    return p != NULL && p->gradient.buffer != NULL ? &p->gradient : NULL;
}

rv_tensor *rv_params_state(rv_params *params, int node, int index)
{
    placed *p = find(params, node, index, true);
    return p != NULL ? &p->value : NULL;
}

void rv_params_changed(rv_params *params)
{
    params->version++;
}

uint64_t rv_params_version(const rv_params *params)
{
    return params->version;
}
