/* Finds the weights in a caffemodel, old or new, and copies them into a graph, layer by name. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/internal.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BLOB_RANK = 32 };

/* Field numbers of Caffe's messages. */
enum {
    NET_LAYERS = 2,  /* V1LayerParameter */
    NET_LAYER = 100, /* LayerParameter */
    V1_LAYER_V0 = 1,
    V1_LAYER_NAME = 4,
    V1_LAYER_BLOBS = 6,
    LAYER_NAME = 1,
    LAYER_BLOBS = 7,
    BLOB_NUM = 1, /* num, channels, height, width: 1 to 4 */
    BLOB_WIDTH = 4,
    BLOB_DATA = 5,
    BLOB_SHAPE = 7,
    BLOB_DOUBLE_DATA = 8,
    BLOB_RAW_DATA = 12, /* half floats of NVIDIA's branch */
    SHAPE_DIM = 1
};

typedef struct blob {
    rv_proto message;
    int rank;
    int64_t dim[MAX_BLOB_RANK];
    size_t count; /* values that are there */
} blob;

typedef struct weights_layer {
    const uint8_t *name; /* in the file, without a NUL */
    size_t name_size;
    size_t first_blob, n_blobs;
} weights_layer;

struct rv_caffe_weights {
    rv_bytes bytes; /* empty where the memory is the caller's */
    char *file;
    weights_layer *layers;
    size_t n_layers, layers_capacity;
    blob *blobs;
    size_t n_blobs, blobs_capacity;
};

static rv_status add_dim(blob *b, uint64_t value)
{
    if (b->rank == MAX_BLOB_RANK || value > INT32_MAX) {
        return rv_fail(RV_ERR_FORMAT, "a blob has %s; the file is damaged",
                       b->rank == MAX_BLOB_RANK ? "too many dimensions" : "a dimension too large");
    }
    b->dim[b->rank++] = (int64_t)value;
    return RV_OK;
}

static rv_status read_shape(blob *b, const rv_proto *parent, const rv_proto_field *field)
{
    rv_proto shape;
    RV_TRY(rv_proto_enter(&shape, parent, field));
    for (;;) {
        rv_proto_field f;
        RV_TRY(rv_proto_next(&f, &shape));
        if (f.number == 0) {
            return RV_OK;
        }
        if (f.number == SHAPE_DIM && f.wire == RV_WIRE_VARINT) {
            RV_TRY(add_dim(b, f.value));
        } else if (f.number == SHAPE_DIM && f.wire == RV_WIRE_BYTES) {
            rv_proto packed;
            RV_TRY(rv_proto_enter(&packed, &shape, &f));
            while (packed.at != packed.end) {
                uint64_t value;
                RV_TRY(rv_proto_varint(&value, &packed));
                RV_TRY(add_dim(b, value));
            }
        }
    }
}

/* Adds what one field of a blob says: shape, or a count of values. */
static rv_status read_blob_field(blob *b, uint64_t legacy[4], const rv_proto *m,
                                 const rv_proto_field *f)
{
    size_t n = 0;
    if (f->number >= BLOB_NUM && f->number <= BLOB_WIDTH && f->wire == RV_WIRE_VARINT) {
        legacy[f->number - BLOB_NUM] = f->value;
    } else if (f->number == BLOB_DATA || f->number == BLOB_DOUBLE_DATA) {
        RV_TRY(rv_proto_count(&n, m, f, f->number == BLOB_DATA ? 4 : 8));
        b->count += n;
    } else if (f->number == BLOB_SHAPE) {
        return read_shape(b, m, f);
    } else if (f->number == BLOB_RAW_DATA) {
        return rv_fail(RV_ERR_UNSUPPORTED, "weights in half precision; convert the file to float");
    }
    return RV_OK;
}

static rv_status read_blob(blob *b)
{
    uint64_t legacy[4] = {UINT64_MAX, 1, 1, 1};
    rv_proto m = b->message;
    for (;;) {
        rv_proto_field f;
        RV_TRY(rv_proto_next(&f, &m));
        if (f.number == 0) {
            break;
        }
        RV_TRY(read_blob_field(b, legacy, &m, &f));
    }
    const bool has_shape = b->rank > 0 || legacy[0] == UINT64_MAX;
    for (int i = 0; !has_shape && i < 4; i++) {
        RV_TRY(add_dim(b, legacy[i]));
    }
    return RV_OK;
}

static rv_status read_layer(rv_caffe_weights *w, const rv_proto *net, const rv_proto_field *field)
{
    const bool v1 = field->number == NET_LAYERS;
    rv_proto m;
    RV_TRY(rv_proto_enter(&m, net, field));
    RV_TRY(rv_grow(&w->layers, &w->layers_capacity, w->n_layers + 1, sizeof *w->layers, w->file));
    weights_layer *layer = &w->layers[w->n_layers];
    *layer = (weights_layer){.first_blob = w->n_blobs};
    for (;;) {
        rv_proto_field f;
        RV_TRY(rv_proto_next(&f, &m));
        if (f.number == 0) {
            break;
        }
        if (f.number == (v1 ? V1_LAYER_NAME : LAYER_NAME) && f.wire == RV_WIRE_BYTES) {
            layer->name = f.data;
            layer->name_size = f.size;
        } else if (f.number == (v1 ? V1_LAYER_BLOBS : LAYER_BLOBS)) {
            RV_TRY(
                rv_grow(&w->blobs, &w->blobs_capacity, w->n_blobs + 1, sizeof *w->blobs, w->file));
            blob *b = &w->blobs[w->n_blobs];
            *b = (blob){0};
            RV_TRY(rv_proto_enter(&b->message, &m, &f));
            RV_TRY(read_blob(b));
            w->n_blobs++;
            layer->n_blobs++;
        } else if (v1 && f.number == V1_LAYER_V0) {
            return rv_fail(RV_ERR_UNSUPPORTED, "Caffe's oldest format; convert the file with "
                                               "upgrade_net_proto_binary");
        }
    }
    w->n_layers += layer->n_blobs > 0;
    return RV_OK;
}

static rv_status read_net(rv_caffe_weights *w, const uint8_t *data, size_t size)
{
    rv_proto net = rv_proto_file(data, size);
    for (;;) {
        rv_proto_field f;
        RV_TRY(rv_proto_next(&f, &net));
        if (f.number == 0) {
            break;
        }
        if (f.number == NET_LAYER || f.number == NET_LAYERS) {
            RV_TRY(read_layer(w, &net, &f));
        }
    }
    return w->n_layers > 0 ? RV_OK
                           : rv_fail(RV_ERR_FORMAT, "no layer with weights; this is no caffemodel");
}

rv_status rv_caffe_weights_parse(rv_caffe_weights **out, const uint8_t *data, size_t size,
                                 const char *file)
{
    rv_caffe_weights *w;
    *out = NULL;
    RV_TRY(rv_alloc(&w, 1, sizeof *w, file));
    rv_status status = rv_strdup(&w->file, file);
    if (status == RV_OK) {
        status = read_net(w, data, size);
        if (status != RV_OK) {
            status = rv_fail_context(status, "%s", file);
        }
    }
    if (status != RV_OK) {
        rv_caffe_weights_close(w);
        return status;
    }
    *out = w;
    return RV_OK;
}

rv_status rv_caffe_weights_open(rv_caffe_weights **out, const char *path)
{
    rv_bytes bytes;
    *out = NULL;
    RV_TRY(rv_bytes_open(&bytes, path, INT_MAX));
    const rv_status status = rv_caffe_weights_parse(out, bytes.data, bytes.size, path);
    if (status != RV_OK) {
        rv_bytes_close(&bytes);
        return status;
    }
    (*out)->bytes = bytes;
    return RV_OK;
}

void rv_caffe_weights_close(rv_caffe_weights *w)
{
    if (w == NULL) {
        return;
    }
    rv_bytes_close(&w->bytes);
    free(w->file);
    free(w->layers);
    free(w->blobs);
    free(w);
}

static const weights_layer *find(const rv_caffe_weights *w, const char *name)
{
    const size_t size = strlen(name);
    for (size_t i = 0; i < w->n_layers; i++) {
        const weights_layer *l = &w->layers[i];
        if (l->name_size == size && memcmp(l->name, name, size) == 0) {
            return l;
        }
    }
    return NULL;
}

/* Old files write a bias as 1x1x1xK: ones in front do not count. */
static bool same_shape(const blob *b, const rv_shape *shape)
{
    int i = 0, k = 0;
    while (i < b->rank - 1 && b->dim[i] == 1) {
        i++;
    }
    while (k < shape->rank - 1 && shape->dim[k] == 1) {
        k++;
    }
    if (b->rank - i != shape->rank - k) {
        return false;
    }
    for (; i < b->rank; i++, k++) {
        if (b->dim[i] != shape->dim[k]) {
            return false;
        }
    }
    return true;
}

static rv_status check_blob(const blob *b, const rv_param *p)
{
    char expected[64];
    const size_t count = rv_shape_count(&p->shape);
    if (same_shape(b, &p->shape) && b->count == count) {
        return RV_OK;
    }
    rv_text shape = {0};
    for (int i = 0; i < b->rank; i++) {
        rv_text_append(&shape, "%s%lld", i > 0 ? "x" : "", (long long)b->dim[i]);
    }
    const rv_status status =
        rv_fail(RV_ERR_SHAPE, "layer '%s': %s should be %s (%zu values), the file has %s (%zu)",
                p->node, p->name, rv_shape_text(expected, &p->shape), count,
                shape.data != NULL ? shape.data : "no shape", b->count);
    rv_text_release(&shape);
    return status;
}

static void copy_values(float *out, const blob *b)
{
    rv_proto m = b->message;
    rv_proto_field f;
    /* The same fields were read without a failure when the file was opened. */
    while (rv_proto_next(&f, &m) == RV_OK && f.number != 0) {
        if (f.number == BLOB_DATA) {
            for (size_t i = 0; i < f.size; i += 4) {
                *out++ = rv_proto_float(f.data + i);
            }
        } else if (f.number == BLOB_DOUBLE_DATA) {
            for (size_t i = 0; i < f.size; i += 8) {
                *out++ = (float)rv_proto_double(f.data + i);
            }
        }
    }
}

rv_status rv_caffe_blob_read(float **out, int *rank, size_t dim[RV_NPY_MAX_RANK],
                             const uint8_t *data, size_t size)
{
    blob b = {.message = rv_proto_file(data, size)};
    size_t count = 1;
    int first = 0;
    *rank = 0;
    RV_TRY(read_blob(&b));
    while (first < b.rank - 1 && b.dim[first] == 1) {
        first++;
    }
    for (int i = first; i < b.rank; i++) {
        const bool fits = *rank < RV_NPY_MAX_RANK && rv_size_mul(&count, count, (size_t)b.dim[i]);
        if (!fits) {
            return rv_fail(RV_ERR_FORMAT, "a blob of %d dimensions; the file is damaged", b.rank);
        }
        dim[(*rank)++] = (size_t)b.dim[i];
    }
    if (b.rank == 0 || b.count == 0 || b.count != count) {
        return rv_fail(RV_ERR_FORMAT, "%zu values where %zu should be; this is no blob of Caffe's",
                       b.count, b.rank == 0 ? 0 : count);
    }
    RV_TRY(rv_alloc(out, count, sizeof **out, "a blob"));
    copy_values(*out, &b);
    return RV_OK;
}

/* The values where they lie; NULL where they are not floats in one piece. */
static const uint8_t *floats_of(const blob *b)
{
    rv_proto m = b->message;
    rv_proto_field f;
    while (rv_proto_next(&f, &m) == RV_OK && f.number != 0) {
        if (f.number == BLOB_DATA) {
            return f.size == b->count * sizeof(float) ? f.data : NULL;
        }
    }
    return NULL;
}

/* Copies a blob into a parameter, each value times `factor`, or lends what is large in a mapped file. */
static rv_status set_param(rv_param *p, const blob *b, float factor, bool mapped)
{
    float *values;
    const uint8_t *floats =
        mapped && factor == 1.0f && b->count >= RV_PARAM_LARGE ? floats_of(b) : NULL;
    if (floats != NULL) {
        return rv_param_lend(p, floats, b->count);
    }
    RV_TRY(rv_alloc(&values, b->count, sizeof *values, p->node));
    copy_values(values, b);
    for (size_t i = 0; factor != 1.0f && i < b->count; i++) {
        values[i] *= factor;
    }
    const rv_status status = rv_param_set(p, values, b->count);
    free(values);
    return status;
}

/* What a node takes from its blobs, in their order, and the third blob of a batch norm: Caffe sums
 * statistics up, and that is the weight of the sum. */
typedef struct target {
    rv_param *param[RV_MAX_PARAMS + RV_MAX_STATE];
    size_t n;
    bool weighted;
} target;

static target find_target(rv_graph *graph, int node)
{
    const rv_op *op = rv_graph_node(graph, node)->op;
    target t = {.weighted = strcmp(op->name, "batch_norm") == 0};
    for (int i = 0; i < op->n_params && !t.weighted; i++) {
        rv_param *p = rv_graph_param(graph, node, i);
        t.param[t.n] = p;
        t.n += p != NULL;
    }
    for (int i = 0; i < op->n_state; i++) {
        rv_param *p = rv_graph_state(graph, node, i);
        t.param[t.n] = p;
        t.n += p != NULL;
    }
    return t;
}

static rv_status fail_missing(const rv_caffe_weights *w, const char *name)
{
    return rv_fail(RV_ERR_NOT_FOUND,
                   "there are no weights for layer '%s' among the %zu layers that have some", name,
                   w->n_layers);
}

static rv_status apply(const rv_caffe_weights *w, const char *name, const target *t, bool copy)
{
    const weights_layer *l = find(w, name);
    if (l == NULL) {
        return fail_missing(w, name);
    }
    if (l->n_blobs != t->n + t->weighted) {
        return rv_fail(RV_ERR_SHAPE, "layer '%s' takes %zu blobs of weights, the file has %zu",
                       name, t->n + t->weighted, l->n_blobs);
    }
    const blob *blobs = &w->blobs[l->first_blob];
    float factor = 1.0f;
    if (t->weighted) {
        if (blobs[t->n].count != 1) {
            return rv_fail(RV_ERR_SHAPE, "layer '%s': the weight of its statistics has %zu values",
                           name, blobs[t->n].count);
        }
        copy_values(&factor, &blobs[t->n]);
        factor = factor != 0.0f ? 1.0f / factor : 0.0f;
    }
    for (size_t i = 0; i < t->n; i++) {
        RV_TRY(check_blob(&blobs[i], t->param[i]));
        if (copy) {
            RV_TRY(set_param(t->param[i], &blobs[i], factor, w->bytes.mapped));
        }
    }
    return RV_OK;
}

rv_status rv_caffe_weights_apply(const rv_caffe_weights *w, rv_graph *graph, bool copy)
{
    for (int i = 0; i < rv_graph_node_count(graph); i++) {
        const target t = find_target(graph, i);
        if (t.n == 0 || rv_is_head(rv_graph_node(graph, i)->name)) {
            continue;
        }
        const rv_status status = apply(w, rv_graph_node(graph, i)->name, &t, copy);
        if (status != RV_OK) {
            return rv_fail_context(status, "%s", w->file);
        }
    }
    rv_bytes_forget(&w->bytes);
    return RV_OK;
}
