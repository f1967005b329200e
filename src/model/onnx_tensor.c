/* Tensors of an ONNX file: where their values lie, in it or in a file beside it, and reading them. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "model/onnx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Values, in all, that are computed or stored one by one; those of weights lie in the file as they are. */
enum { MAX_COMPUTED = 1 << 24 };

/* Field numbers of TensorProto and of its entries for external data. */
enum {
    TENSOR_DIMS = 1,
    TENSOR_TYPE = 2,
    TENSOR_SEGMENT = 3,
    TENSOR_FLOATS = 4,
    TENSOR_INT32S = 5,
    TENSOR_INT64S = 7,
    TENSOR_NAME = 8,
    TENSOR_RAW = 9,
    TENSOR_DOUBLES = 10,
    TENSOR_UINT64S = 11,
    TENSOR_EXTERNAL = 13,
    TENSOR_LOCATION = 14,
    ENTRY_KEY = 1,
    ENTRY_VALUE = 2
};

/* What a message says beside the tensor itself. */
typedef struct source {
    size_t n_values; /* one by one, or packed */
    const rv_proto_field *raw;
    rv_proto_field raw_field;
    bool external;
    char *location;
    uint64_t offset, length;
    bool has_length;
} source;

static size_t type_bytes(int64_t type)
{
    switch (type) {
    case RV_ONNX_UINT8:
    case RV_ONNX_INT8:
    case RV_ONNX_BOOL:
        return 1;
    case RV_ONNX_UINT16:
    case RV_ONNX_INT16:
    case RV_ONNX_FLOAT16:
    case RV_ONNX_BFLOAT16:
        return 2;
    case RV_ONNX_FLOAT:
    case RV_ONNX_INT32:
    case RV_ONNX_UINT32:
        return 4;
    case RV_ONNX_DOUBLE:
    case RV_ONNX_INT64:
    case RV_ONNX_UINT64:
        return 8;
    default:
        return 0;
    }
}

bool rv_onnx_count(size_t *out, const rv_onnx_shape *shape)
{
    bool empty = false;
    *out = 1;
    for (int i = 0; i < shape->rank; i++) {
        const int64_t dim = shape->dim[i];
        if (dim < 0 || dim > INT32_MAX || !rv_size_mul(out, *out, dim > 0 ? (size_t)dim : 1)) {
            return false;
        }
        empty = empty || dim == 0;
    }
    if (*out > SIZE_MAX / 16) {
        return false; /* so that products of some of the sizes stay far from overflow */
    }
    *out = empty ? 0 : *out;
    return true;
}

const char *rv_onnx_shape_text(char out[96], const rv_onnx_shape *shape)
{
    size_t n = 0;
    snprintf(out, 96, "%s", shape->rank == 0 ? "a single value" : "");
    for (int i = 0; i < shape->rank && n < 96; i++) {
        n += shape->dim[i] < 0 ? (size_t)snprintf(out + n, 96 - n, "%s?", i > 0 ? "x" : "")
                               : (size_t)snprintf(out + n, 96 - n, "%s%lld", i > 0 ? "x" : "",
                                                  (long long)shape->dim[i]);
    }
    return out;
}

const rv_onnx_tensor *rv_onnx_find_tensor(const rv_onnx *o, const char *name)
{
    for (size_t i = 0; i < o->n_tensors; i++) {
        if (strcmp(o->tensors[i]->name, name) == 0) {
            return o->tensors[i];
        }
    }
    return NULL;
}

static rv_status add_tensor(rv_onnx_tensor **out, rv_onnx *o, const char *name)
{
    RV_TRY(rv_grow(&o->tensors, &o->tensors_capacity, o->n_tensors + 1, sizeof *o->tensors,
                   "tensors"));
    RV_TRY(rv_alloc(out, 1, sizeof **out, "tensor"));
    o->tensors[o->n_tensors++] = *out;
    return rv_strdup(&(*out)->name, name);
}

void rv_onnx_tensor_destroy(rv_onnx_tensor *t)
{
    if (t != NULL) {
        free(t->name);
        free(t->values);
        free(t);
    }
}

/* Memory for values that do not lie in the file. */
static rv_status make_values(rv_onnx_tensor *t, rv_onnx *o)
{
    if (t->count > MAX_COMPUTED - o->n_computed) {
        return rv_fail(RV_ERR_UNSUPPORTED, "constants of more than %d values, with '%.100s'",
                       MAX_COMPUTED, t->name);
    }
    o->n_computed += t->count;
    return rv_alloc(&t->values, t->count + 1, sizeof *t->values, t->name);
}

rv_status rv_onnx_tensor_make(rv_onnx_tensor **out, rv_onnx *o, const char *name, int64_t type,
                              const rv_onnx_shape *shape)
{
    size_t count;
    if (!rv_onnx_count(&count, shape)) {
        return rv_fail(RV_ERR_UNSUPPORTED, "a constant of too many values");
    }
    RV_TRY(add_tensor(out, o, name));
    (*out)->type = type;
    (*out)->shape = *shape;
    (*out)->count = count;
    return make_values(*out, o);
}

rv_status rv_onnx_tensor_view(rv_onnx_tensor **out, rv_onnx *o, const char *name,
                              const rv_onnx_tensor *t, const rv_onnx_shape *shape)
{
    if (t->values != NULL || t->transposed) {
        RV_TRY(rv_onnx_tensor_make(out, o, name, t->type, shape));
        return rv_onnx_tensor_values(t, 0, t->count, (*out)->values);
    }
    RV_TRY(add_tensor(out, o, name));
    char *own = (*out)->name;
    **out = *t;
    (*out)->name = own;
    (*out)->shape = *shape;
    return RV_OK;
}

/* --- values ---------------------------------------------------------------------------------- */

static double bfloat(uint16_t half)
{
    const uint8_t bytes[4] = {0, 0, (uint8_t)half, (uint8_t)(half >> 8)};
    return (double)rv_proto_float(bytes);
}

/* A value from its bits. Half floats come as bits in both ways of storing. */
static double value_of(int64_t type, uint64_t bits)
{
    switch (type) {
    case RV_ONNX_INT8:
        return (double)(int8_t)bits;
    case RV_ONNX_INT16:
        return (double)(int16_t)bits;
    case RV_ONNX_INT32:
        return (double)(int32_t)bits;
    case RV_ONNX_INT64:
        return (double)(int64_t)bits;
    case RV_ONNX_FLOAT16:
        return (double)rv_from_half((uint16_t)bits);
    case RV_ONNX_BFLOAT16:
        return bfloat((uint16_t)bits);
    case RV_ONNX_BOOL:
        return bits != 0;
    default:
        return (double)bits;
    }
}

static double raw_value(const rv_onnx_tensor *t, size_t at)
{
    const size_t bytes = type_bytes(t->type);
    const uint8_t *p = t->raw + at * bytes;
    return t->type == RV_ONNX_FLOAT    ? (double)rv_proto_float(p)
           : t->type == RV_ONNX_DOUBLE ? rv_proto_double(p)
                                       : value_of(t->type, rv_proto_bits(p, bytes));
}

rv_status rv_onnx_tensor_values(const rv_onnx_tensor *t, size_t first, size_t n, double *out)
{
    if (type_bytes(t->type) == 0) {
        return rv_fail(RV_ERR_UNSUPPORTED,
                       "tensor '%.100s' holds values of type %lld, which "
                       "Reverie does not read",
                       t->name, (long long)t->type);
    }
    for (size_t i = 0; i < n; i++) {
        size_t at = first + i;
        if (t->transposed) {
            const size_t columns = (size_t)t->shape.dim[1], rows = (size_t)t->shape.dim[0];
            at = at % columns * rows + at / columns;
        }
        out[i] = t->values != NULL ? t->values[at] : raw_value(t, at);
    }
    return RV_OK;
}

/* --- reading the message --------------------------------------------------------------------- */

static rv_status add_dim(rv_onnx_tensor *t, uint64_t value)
{
    if (t->shape.rank == RV_ONNX_MAX_RANK) {
        return rv_fail(RV_ERR_UNSUPPORTED, "a tensor of more than %d dimensions", RV_ONNX_MAX_RANK);
    }
    t->shape.dim[t->shape.rank++] = (int64_t)value;
    return RV_OK;
}

static rv_status add_dims(rv_onnx_tensor *t, const rv_proto *m, const rv_proto_field *f)
{
    rv_proto packed;
    if (f->wire == RV_WIRE_VARINT) {
        return add_dim(t, f->value);
    }
    RV_TRY(rv_proto_enter(&packed, m, f));
    while (packed.at != packed.end) {
        uint64_t value;
        RV_TRY(rv_proto_varint(&value, &packed));
        RV_TRY(add_dim(t, value));
    }
    return RV_OK;
}

static rv_status parse_number(uint64_t *out, const char *text, const char *what)
{
    char *end;
    if (text[0] < '0' || text[0] > '9' || strlen(text) > 19) {
        return rv_fail(RV_ERR_FORMAT, "the %s of external data is '%.40s'", what, text);
    }
    *out = strtoull(text, &end, 10);
    return *end == '\0' ? RV_OK
                        : rv_fail(RV_ERR_FORMAT, "the %s of external data is '%.40s'", what, text);
}

static rv_status take_entry(source *s, const char *key, const char *value)
{
    if (strcmp(key, "location") == 0) {
        free(s->location);
        s->location = NULL;
        return rv_strdup(&s->location, value);
    }
    if (strcmp(key, "offset") == 0) {
        return parse_number(&s->offset, value, key);
    }
    if (strcmp(key, "length") == 0) {
        s->has_length = true;
        return parse_number(&s->length, value, key);
    }
    return RV_OK; /* a checksum, or what others put there: nothing that says where the data are */
}

static rv_status read_entry(source *s, const rv_proto *parent, const rv_proto_field *field)
{
    rv_proto m;
    rv_proto_field f;
    char *text[3] = {NULL};
    RV_TRY(rv_proto_enter(&m, parent, field));
    rv_status status = RV_OK;
    do {
        status = rv_proto_next(&f, &m);
        if (status == RV_OK && (f.number == ENTRY_KEY || f.number == ENTRY_VALUE) &&
            f.wire == RV_WIRE_BYTES) {
            free(text[f.number]);
            status = rv_proto_text(&text[f.number], &f);
        }
    } while (status == RV_OK && f.number != 0);
    if (status == RV_OK && text[ENTRY_KEY] != NULL && text[ENTRY_VALUE] != NULL) {
        status = take_entry(s, text[ENTRY_KEY], text[ENTRY_VALUE]);
    }
    free(text[ENTRY_KEY]);
    free(text[ENTRY_VALUE]);
    return status;
}

/* Whether the field holds values one by one, and how many bytes each takes; 0: varints. */
static bool holds_values(const rv_proto_field *f, size_t *bytes)
{
    *bytes = f->number == TENSOR_FLOATS ? 4 : f->number == TENSOR_DOUBLES ? 8 : 0;
    return *bytes > 0 || f->number == TENSOR_INT32S || f->number == TENSOR_INT64S ||
           f->number == TENSOR_UINT64S;
}

/* Values of one such field, behind the `*n` that are there; only counted where `t` has no room yet. */
static rv_status take_values(rv_onnx_tensor *t, size_t *n, const rv_proto *m,
                             const rv_proto_field *f, size_t bytes)
{
    size_t count;
    rv_proto packed;
    if (bytes > 0) {
        RV_TRY(rv_proto_count(&count, m, f, bytes));
        for (size_t i = 0; t->values != NULL && i < count && *n + i < t->count; i++) {
            t->values[*n + i] = bytes == 4 ? (double)rv_proto_float(f->data + 4 * i)
                                           : rv_proto_double(f->data + 8 * i);
        }
        *n += count;
        return RV_OK;
    }
    if (f->wire == RV_WIRE_VARINT) {
        if (t->values != NULL && *n < t->count) {
            t->values[*n] = value_of(t->type, f->value);
        }
        ++*n;
        return RV_OK;
    }
    RV_TRY(rv_proto_enter(&packed, m, f));
    while (packed.at != packed.end) {
        uint64_t value;
        RV_TRY(rv_proto_varint(&value, &packed));
        if (t->values != NULL && *n < t->count) {
            t->values[*n] = value_of(t->type, value);
        }
        ++*n;
    }
    return RV_OK;
}

static rv_status read_field(rv_onnx_tensor *t, source *s, const rv_proto *m,
                            const rv_proto_field *f)
{
    size_t bytes;
    if (holds_values(f, &bytes)) {
        return take_values(t, &s->n_values, m, f, bytes);
    }
    switch (f->number) {
    case TENSOR_DIMS:
        return add_dims(t, m, f);
    case TENSOR_TYPE:
        t->type = (int64_t)f->value;
        return RV_OK;
    case TENSOR_SEGMENT:
        return rv_fail(RV_ERR_UNSUPPORTED, "a tensor in segments");
    case TENSOR_NAME:
        free(t->name);
        t->name = NULL;
        return rv_proto_text(&t->name, f);
    case TENSOR_RAW:
        s->raw_field = *f;
        s->raw = f->wire == RV_WIRE_BYTES ? &s->raw_field : NULL;
        return RV_OK;
    case TENSOR_EXTERNAL:
        return read_entry(s, m, f);
    case TENSOR_LOCATION:
        s->external = f->value == 1;
        return RV_OK;
    default:
        return RV_OK;
    }
}

/* Values that stand one by one in the message, once their number is known. */
static rv_status decode_values(rv_onnx_tensor *t, rv_onnx *o, const source *s, rv_proto m)
{
    size_t n = 0, bytes;
    if (s->n_values != t->count) {
        char text[96];
        return rv_fail(RV_ERR_FORMAT, "tensor '%.100s' is %s, but %zu values are there", t->name,
                       rv_onnx_shape_text(text, &t->shape), s->n_values);
    }
    RV_TRY(make_values(t, o));
    for (;;) {
        rv_proto_field f;
        RV_TRY(rv_proto_next(&f, &m));
        if (f.number == 0) {
            return RV_OK;
        }
        if (holds_values(&f, &bytes)) {
            RV_TRY(take_values(t, &n, &m, &f, bytes));
        }
    }
}

/* Floats in one piece, as nearly all files have them, stay where they are. */
static const uint8_t *find_packed(const rv_onnx_tensor *t, size_t bytes, rv_proto m)
{
    const uint32_t number = t->type == RV_ONNX_FLOAT    ? TENSOR_FLOATS
                            : t->type == RV_ONNX_DOUBLE ? TENSOR_DOUBLES
                                                        : 0;
    rv_proto_field f;
    while (number != 0 && rv_proto_next(&f, &m) == RV_OK && f.number != 0) {
        if (f.number == number && f.wire == RV_WIRE_BYTES && f.size == bytes) {
            return f.data;
        }
    }
    return NULL;
}

/* The file of external data, mapped once. */
static rv_status open_external(const rv_bytes **out, rv_onnx *o, const char *name)
{
    for (size_t i = 0; i < o->n_external; i++) {
        if (strcmp(o->external[i].name, name) == 0) {
            *out = &o->external[i].bytes;
            return RV_OK;
        }
    }
    if (o->folder == NULL) {
        return rv_fail(RV_ERR_UNSUPPORTED, "external data '%.100s', where there is no folder",
                       name);
    }
    RV_TRY(rv_grow(&o->external, &o->external_capacity, o->n_external + 1, sizeof *o->external,
                   "external data"));
    rv_onnx_external *e = &o->external[o->n_external];
    *e = (rv_onnx_external){0};
    RV_TRY(rv_bytes_open_beneath(&e->bytes, o->folder, name));
    o->n_external++;
    *out = &e->bytes;
    return rv_strdup(&e->name, name);
}

static rv_status locate_external(rv_onnx_tensor *t, rv_onnx *o, const source *s, size_t bytes)
{
    const rv_bytes *file;
    if (s->location == NULL || s->location[0] == '\0') {
        return rv_fail(RV_ERR_FORMAT, "tensor '%.100s' lies in another file that is not named",
                       t->name);
    }
    RV_TRY(open_external(&file, o, s->location));
    if ((s->has_length && s->length != bytes) || s->offset > file->size ||
        bytes > file->size - (size_t)s->offset) {
        return rv_fail(RV_ERR_FORMAT,
                       "tensor '%.100s' takes %zu bytes, but from byte %llu on, %.100s has not "
                       "these",
                       t->name, bytes, (unsigned long long)s->offset, s->location);
    }
    t->raw = file->data + s->offset;
    return RV_OK;
}

static rv_status locate(rv_onnx_tensor *t, rv_onnx *o, const source *s, const rv_proto *message)
{
    size_t bytes;
    char text[96];
    if (!rv_onnx_count(&t->count, &t->shape)) {
        return rv_fail(RV_ERR_FORMAT, "tensor '%.100s' has the size %s", t->name,
                       rv_onnx_shape_text(text, &t->shape));
    }
    if (type_bytes(t->type) == 0) {
        return RV_OK; /* refused once it is read */
    }
    if (!rv_size_mul(&bytes, t->count, type_bytes(t->type))) {
        return rv_fail(RV_ERR_FORMAT, "tensor '%.100s' is too large", t->name);
    }
    if (s->external) {
        return locate_external(t, o, s, bytes);
    }
    if (s->raw == NULL) {
        t->raw = find_packed(t, bytes, *message);
        return t->raw != NULL ? RV_OK : decode_values(t, o, s, *message);
    }
    if (s->raw->size != bytes) {
        return rv_fail(RV_ERR_FORMAT, "tensor '%.100s' is %s, which takes %zu bytes, not %zu",
                       t->name, rv_onnx_shape_text(text, &t->shape), bytes, s->raw->size);
    }
    t->raw = s->raw->data;
    return RV_OK;
}

rv_status rv_onnx_tensor_read(rv_onnx_tensor **out, rv_onnx *o, const rv_proto *message)
{
    source s = {0};
    rv_proto m = *message;
    rv_proto_field f;
    RV_TRY(add_tensor(out, o, ""));
    rv_status status;
    do {
        status = rv_proto_next(&f, &m);
        if (status == RV_OK && f.number != 0) {
            status = read_field(*out, &s, &m, &f);
        }
    } while (status == RV_OK && f.number != 0);
    if (status == RV_OK) {
        status = locate(*out, o, &s, message);
    }
    free(s.location);
    return status;
}

rv_status rv_onnx_give(rv_onnx *o, const char *input, const uint8_t *message, size_t size)
{
    rv_onnx_tensor *t;
    const rv_proto m = rv_proto_file(message, size);
    RV_TRY(rv_onnx_tensor_read(&t, o, &m));
    free(t->name);
    t->name = NULL;
    return rv_strdup(&t->name, input);
}
