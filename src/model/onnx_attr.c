/* Attributes of an ONNX node, decoded where they lie. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "model/onnx.h"

#include <string.h>

/* Field numbers of AttributeProto, and of the attributes in NodeProto. */
enum {
    NODE_ATTRIBUTE = 5,
    ATTRIBUTE_NAME = 1,
    ATTRIBUTE_F = 2,
    ATTRIBUTE_I = 3,
    ATTRIBUTE_S = 4,
    ATTRIBUTE_T = 5,
    ATTRIBUTE_FLOATS = 7,
    ATTRIBUTE_INTS = 8
};

static rv_status add_floats(rv_onnx_attr *a, const rv_proto *m, const rv_proto_field *f)
{
    size_t n;
    RV_TRY(rv_proto_count(&n, m, f, 4));
    for (size_t i = 0; i < n; i++, a->n_floats++) {
        if (a->n_floats < RV_ONNX_MAX_LIST) {
            a->floats[a->n_floats] = (double)rv_proto_float(f->data + 4 * i);
        }
    }
    return RV_OK;
}

static void add_int(rv_onnx_attr *a, uint64_t value)
{
    if (a->n_ints < RV_ONNX_MAX_LIST) {
        a->ints[a->n_ints] = (int64_t)value;
    }
    a->n_ints++;
}

static rv_status add_ints(rv_onnx_attr *a, const rv_proto *m, const rv_proto_field *f)
{
    rv_proto packed;
    if (f->wire == RV_WIRE_VARINT) {
        add_int(a, f->value);
        return RV_OK;
    }
    RV_TRY(rv_proto_enter(&packed, m, f));
    while (packed.at != packed.end) {
        uint64_t value;
        RV_TRY(rv_proto_varint(&value, &packed));
        add_int(a, value);
    }
    return RV_OK;
}

/* Adds what one field of an attribute says. */
static rv_status read_attr_field(rv_onnx_attr *a, const rv_proto *m, const rv_proto_field *f)
{
    if (f->number == ATTRIBUTE_F && f->wire == RV_WIRE_32) {
        a->f = (double)rv_proto_float(f->data);
    } else if (f->number == ATTRIBUTE_I && f->wire == RV_WIRE_VARINT) {
        a->i = (int64_t)f->value;
    } else if (f->number == ATTRIBUTE_S && f->wire == RV_WIRE_BYTES) {
        a->s = f->data;
        a->s_size = f->size;
    } else if (f->number == ATTRIBUTE_T) {
        a->has_tensor = true;
        return rv_proto_enter(&a->tensor, m, f);
    } else if (f->number == ATTRIBUTE_FLOATS) {
        return add_floats(a, m, f);
    } else if (f->number == ATTRIBUTE_INTS) {
        return add_ints(a, m, f);
    }
    return RV_OK;
}

/* Whether the attribute `m` has that name; a name that comes behind the value counts as well. */
static rv_status has_name(bool *out, rv_proto m, const char *name)
{
    rv_proto_field f;
    *out = false;
    for (;;) {
        RV_TRY(rv_proto_next(&f, &m));
        if (f.number == 0) {
            return RV_OK;
        }
        if (f.number == ATTRIBUTE_NAME && f.wire == RV_WIRE_BYTES) {
            *out = f.size == strlen(name) && memcmp(f.data, name, f.size) == 0;
        }
    }
}

static rv_status read_attr(rv_onnx_attr *out, rv_proto m)
{
    rv_proto_field f;
    *out = (rv_onnx_attr){.found = true};
    for (;;) {
        RV_TRY(rv_proto_next(&f, &m));
        if (f.number == 0) {
            return RV_OK;
        }
        RV_TRY(read_attr_field(out, &m, &f));
    }
}

rv_status rv_onnx_attr_find(rv_onnx_attr *out, const rv_onnx_node *node, const char *name)
{
    rv_proto m = node->message;
    *out = (rv_onnx_attr){0};
    for (;;) {
        rv_proto_field f;
        rv_proto attribute;
        bool same = false;
        RV_TRY(rv_proto_next(&f, &m));
        if (f.number == 0) {
            return RV_OK;
        }
        if (f.number != NODE_ATTRIBUTE) {
            continue;
        }
        RV_TRY(rv_proto_enter(&attribute, &m, &f));
        RV_TRY(has_name(&same, attribute, name));
        if (same) {
            return read_attr(out, attribute);
        }
    }
}

rv_status rv_onnx_int(int64_t *out, const rv_onnx_node *node, const char *name, int64_t initial)
{
    rv_onnx_attr a;
    RV_TRY(rv_onnx_attr_find(&a, node, name));
    *out = a.found ? a.i : initial;
    return RV_OK;
}

rv_status rv_onnx_float(double *out, const rv_onnx_node *node, const char *name, double initial)
{
    rv_onnx_attr a;
    RV_TRY(rv_onnx_attr_find(&a, node, name));
    *out = a.found ? a.f : initial;
    return RV_OK;
}

rv_status rv_onnx_ints(int64_t *out, size_t n, const rv_onnx_node *node, const char *name,
                       int64_t initial)
{
    rv_onnx_attr a;
    RV_TRY(rv_onnx_attr_find(&a, node, name));
    if (a.found && a.n_ints != n) {
        return rv_fail(RV_ERR_UNSUPPORTED, "'%s' of %zu numbers, where %zu are for pictures", name,
                       a.n_ints, n);
    }
    for (size_t i = 0; i < n; i++) {
        out[i] = a.found ? a.ints[i] : initial;
    }
    return RV_OK;
}

rv_status rv_onnx_text(int *out, const rv_onnx_node *node, const char *name,
                       const char *const *texts)
{
    rv_onnx_attr a;
    RV_TRY(rv_onnx_attr_find(&a, node, name));
    *out = 0;
    for (int i = 0; a.s != NULL && texts[i] != NULL; i++) {
        if (strlen(texts[i]) == a.s_size && memcmp(texts[i], a.s, a.s_size) == 0) {
            *out = i;
            return RV_OK;
        }
    }
    return a.found
               ? rv_fail(RV_ERR_UNSUPPORTED, "%s '%.*s'", name, a.s_size < 40 ? (int)a.s_size : 40,
                         a.s != NULL ? (const char *)a.s : "")
               : RV_OK;
}
