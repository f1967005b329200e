/* Reads and writes safetensors files: eight bytes of length, a header in JSON, values little endian. */
/* SPDX-License-Identifier: MIT */
#include "model/safetensors.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_BYTES = 8, ALIGNMENT = 8 };
static const size_t max_header = (size_t)100 << 20;

struct rv_safetensors {
    char *name;
    rv_bytes bytes; /* of a mapped file */
    const uint8_t *values;
    size_t n_values; /* bytes */
    json_t *header;
    size_t count;
};

/* --- read ------------------------------------------------------------------------------------ */

static size_t value_bytes(const char *type)
{
    static const struct {
        const char *name;
        size_t bytes;
    } types[] = {{"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"I64", 8},
                 {"I32", 4}, {"I16", 2}, {"I8", 1},  {"U64", 8},  {"U32", 4},
                 {"U16", 2}, {"U8", 1},  {"BOOL", 1}};
    for (size_t i = 0; type != NULL && i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(types[i].name, type) == 0) {
            return types[i].bytes;
        }
    }
    return 0;
}

/* Where the values of an entry are; false where the entry is none. */
static bool locate(const rv_safetensors *f, json_t *entry, size_t *start, size_t *bytes)
{
    json_t *shape = json_object_get(entry, "shape"), *ends = json_object_get(entry, "data_offsets");
    const size_t size = value_bytes(json_string_value(json_object_get(entry, "dtype")));
    size_t n = size;
    if (size == 0 || !json_is_array(shape) || json_array_size(ends) != 2) {
        return false;
    }
    for (size_t i = 0; i < json_array_size(shape); i++) {
        json_t *dim = json_array_get(shape, i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0 ||
            !rv_size_mul(&n, n, (size_t)json_integer_value(dim))) {
            return false;
        }
    }
    if (!json_is_integer(json_array_get(ends, 0)) || !json_is_integer(json_array_get(ends, 1))) {
        return false;
    }
    const json_int_t first = json_integer_value(json_array_get(ends, 0));
    const json_int_t end = json_integer_value(json_array_get(ends, 1));
    if (first < 0 || end < first || (uint64_t)end > f->n_values || (uint64_t)(end - first) != n) {
        return false;
    }
    *start = (size_t)first;
    *bytes = n;
    return true;
}

typedef struct extent {
    size_t start, end;
} extent;

static int by_start(const void *a, const void *b)
{
    const extent *x = a, *y = b;
    return x->start != y->start ? (x->start > y->start) - (x->start < y->start)
                                : (x->end > y->end) - (x->end < y->end);
}

/* Tensors lie one behind the other and fill the file: what is between them could hide something. */
static rv_status check_extents(const rv_safetensors *f, extent *extents)
{
    size_t at = 0;
    qsort(extents, f->count, sizeof *extents, by_start);
    for (size_t i = 0; i < f->count; i++) {
        if (extents[i].start != at) {
            return rv_fail(RV_ERR_FORMAT, "%s: byte %zu of the values is in %s tensor", f->name,
                           at < extents[i].start ? at : extents[i].start,
                           at < extents[i].start ? "no" : "more than one");
        }
        at = extents[i].end;
    }
    return at == f->n_values ? RV_OK
                             : rv_fail(RV_ERR_FORMAT,
                                       "%s: the tensors end at byte %zu of the values, the file "
                                       "at %zu",
                                       f->name, at, f->n_values);
}

static rv_status check_metadata(const rv_safetensors *f, json_t *metadata)
{
    const char *key;
    json_t *value;
    if (!json_is_object(metadata)) {
        return rv_fail(RV_ERR_FORMAT, "%s: its __metadata__ is no object", f->name);
    }
    json_object_foreach(metadata, key, value)
    {
        if (!json_is_string(value)) {
            return rv_fail(RV_ERR_FORMAT, "%s: '%.100s' in its __metadata__ is no text", f->name,
                           key);
        }
    }
    return RV_OK;
}

static rv_status check_entries(rv_safetensors *f, extent *extents)
{
    const char *key;
    json_t *entry;
    json_object_foreach(f->header, key, entry)
    {
        size_t start, bytes;
        if (strcmp(key, "__metadata__") == 0) {
            RV_TRY(check_metadata(f, entry));
            continue;
        }
        const char *type = json_string_value(json_object_get(entry, "dtype"));
        if (type != NULL && value_bytes(type) == 0) {
            return rv_fail(RV_ERR_FORMAT,
                           "%s: tensor '%.100s' holds %.20s, a type that Reverie does not know",
                           f->name, key, type);
        }
        if (!locate(f, entry, &start, &bytes)) {
            return rv_fail(RV_ERR_FORMAT, "%s: tensor '%.100s' does not lie in the file as said",
                           f->name, key);
        }
        extents[f->count++] = (extent){start, start + bytes};
    }
    return check_extents(f, extents);
}

static rv_status check_header(rv_safetensors *f)
{
    extent *extents;
    if (!json_is_object(f->header)) {
        return rv_fail(RV_ERR_FORMAT, "%s: the header is no JSON object", f->name);
    }
    RV_TRY(rv_alloc(&extents, json_object_size(f->header) + 1, sizeof *extents, f->name));
    const rv_status status = check_entries(f, extents);
    free(extents);
    return status;
}

static rv_status parse(rv_safetensors *f, const uint8_t *data, size_t size)
{
    uint64_t length = 0;
    json_error_t error;
    for (int i = LENGTH_BYTES - 1; size >= LENGTH_BYTES && i >= 0; i--) {
        length = length << 8 | data[i];
    }
    if (size < LENGTH_BYTES || length > size - LENGTH_BYTES || length > max_header) {
        return rv_fail(RV_ERR_FORMAT, "%s: no safetensors file, or cut off in its header", f->name);
    }
    if (length == 0 || data[LENGTH_BYTES] != '{') {
        return rv_fail(RV_ERR_FORMAT, "%s: its header does not begin with '{'", f->name);
    }
    f->values = data + LENGTH_BYTES + length;
    f->n_values = size - LENGTH_BYTES - (size_t)length;
    f->header = json_loadb((const char *)data + LENGTH_BYTES, (size_t)length,
                           JSON_REJECT_DUPLICATES, &error);
    if (f->header == NULL) {
        return rv_fail(RV_ERR_FORMAT, "%s: header, byte %d: %s", f->name, error.position,
                       error.text);
    }
    return check_header(f);
}

rv_status rv_safetensors_parse(rv_safetensors **out, const uint8_t *data, size_t size,
                               const char *file)
{
    rv_safetensors *f;
    *out = NULL;
    RV_TRY(rv_alloc(&f, 1, sizeof *f, file));
    rv_status status = rv_strdup(&f->name, file);
    if (status == RV_OK) {
        status = parse(f, data, size);
    }
    if (status != RV_OK) {
        rv_safetensors_close(f);
        return status;
    }
    *out = f;
    return RV_OK;
}

rv_status rv_safetensors_open(rv_safetensors **out, const char *path)
{
    rv_bytes bytes;
    *out = NULL;
    RV_TRY(rv_bytes_open(&bytes, path, 0));
    const rv_status status = rv_safetensors_parse(out, bytes.data, bytes.size, path);
    if (status != RV_OK) {
        rv_bytes_close(&bytes);
        return status;
    }
    (*out)->bytes = bytes;
    return RV_OK;
}

void rv_safetensors_close(rv_safetensors *f)
{
    if (f != NULL) {
        json_decref(f->header);
        rv_bytes_close(&f->bytes);
        free(f->name);
        free(f);
    }
}

const char *rv_safetensors_metadata(const rv_safetensors *f, const char *key)
{
    return json_string_value(json_object_get(json_object_get(f->header, "__metadata__"), key));
}

size_t rv_safetensors_count(const rv_safetensors *f)
{
    return f->count;
}

const char *rv_safetensors_name(const rv_safetensors *f, size_t i)
{
    const char *name;
    json_t *entry;
    json_object_foreach(f->header, name, entry)
    {
        if (strcmp(name, "__metadata__") != 0 && i-- == 0) {
            return name;
        }
    }
    return NULL;
}

bool rv_safetensors_has(const rv_safetensors *f, const char *name)
{
    return strcmp(name, "__metadata__") != 0 && json_object_get(f->header, name) != NULL;
}

bool rv_safetensors_shape(const rv_safetensors *f, const char *name, rv_shape *out)
{
    const json_t *entry = rv_safetensors_has(f, name) ? json_object_get(f->header, name) : NULL;
    const json_t *shape = json_object_get(entry, "shape");
    const size_t rank = json_array_size(shape);
    if (entry == NULL || rank > RV_MAX_RANK) {
        return false;
    }
    *out = rv_shape_1(1);
    out->rank = (int32_t)rank;
    for (size_t i = 0; i < rank; i++) {
        const json_int_t dim = json_integer_value(json_array_get(shape, i));
        if (dim > INT32_MAX) {
            return false;
        }
        out->dim[i] = (int32_t)dim;
    }
    return true;
}

static bool same_shape(const json_t *shape, const rv_shape *expected)
{
    bool same = json_array_size(shape) == (size_t)expected->rank;
    for (int i = 0; same && i < expected->rank; i++) {
        same = json_integer_value(json_array_get(shape, (size_t)i)) == expected->dim[i];
    }
    return same;
}

static rv_status fail_shape(const rv_safetensors *f, const char *name, json_t *shape,
                            const rv_shape *expected)
{
    char text[64];
    char *there = json_dumps(shape, JSON_COMPACT);
    const rv_status status =
        rv_fail(RV_ERR_SHAPE, "%s: tensor '%s' is %.100s, but %s is needed", f->name, name,
                there != NULL ? there : "of another shape", rv_shape_text(text, expected));
    free(there);
    return status;
}

float rv_from_half(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = h >> 10 & 31u;
    const uint32_t fraction = h & 1023u;
    uint32_t bits;
    float value;
    if (exponent == 0) {
        value = (float)fraction * 0x1p-24f;
        return sign != 0 ? -value : value;
    }
    bits = sign | (exponent == 31 ? 0x7f800000u : (exponent + 112) << 23) | fraction << 13;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Floats of a type that the header may name, which lie at any alignment. */
static void copy_values(float *out, const uint8_t *p, size_t bytes, const char *type)
{
    const size_t size = value_bytes(type);
    if (strcmp(type, "F32") == 0) {
        memcpy(out, p, bytes);
        return;
    }
    for (size_t i = 0; i < bytes / size; i++, p += size) {
        double wide;
        if (size == 8) {
            memcpy(&wide, p, sizeof wide);
            out[i] = (float)wide;
        } else if (type[0] == 'B') {
            const uint8_t float_bytes[4] = {0, 0, p[0], p[1]};
            memcpy(&out[i], float_bytes, sizeof out[i]);
        } else {
            out[i] = rv_from_half((uint16_t)(p[0] | p[1] << 8));
        }
    }
}

rv_status rv_safetensors_read(const rv_safetensors *f, float *out, const char *name,
                              const rv_shape *shape)
{
    json_t *entry = rv_safetensors_has(f, name) ? json_object_get(f->header, name) : NULL;
    size_t start, bytes;
    if (entry == NULL || !locate(f, entry, &start, &bytes)) {
        return rv_fail(RV_ERR_NOT_FOUND, "%s: there is no tensor '%s'", f->name, name);
    }
    if (!same_shape(json_object_get(entry, "shape"), shape)) {
        return fail_shape(f, name, json_object_get(entry, "shape"), shape);
    }
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    if (type[0] != 'F' && strcmp(type, "BF16") != 0) {
        return rv_fail(RV_ERR_UNSUPPORTED,
                       "%s: tensor '%s' is %s; F32, F16, BF16 and F64 can be read", f->name, name,
                       type);
    }
    if (out != NULL) {
        copy_values(out, f->values + start, bytes, type);
    }
    return RV_OK;
}

const uint8_t *rv_safetensors_floats(const rv_safetensors *f, const char *name)
{
    json_t *entry = json_object_get(f->header, name);
    size_t start, bytes;
    const bool there = f->bytes.mapped && entry != NULL && locate(f, entry, &start, &bytes);
    return there && strcmp(json_string_value(json_object_get(entry, "dtype")), "F32") == 0
               ? f->values + start
               : NULL;
}

/* --- write ----------------------------------------------------------------------------------- */

/* Float to IEEE 754 binary16, to the nearest, ties to even; too large a value gives infinity. */
static uint16_t to_half(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
    const uint32_t rest = bits & 0x7fffffffu;
    if (rest >= 0x47800000u) { /* 65536 and more, infinity, NaN */
        return sign | (rest > 0x7f800000u ? 0x7e00u : 0x7c00u);
    }
    if (rest < 0x38800000u) { /* below the smallest normal number */
        const float magnitude = value < 0 ? -value : value;
        return sign | (uint16_t)lrintf(magnitude * 0x1p24f);
    }
    const uint32_t rounded = rest + 0xfffu + (rest >> 13 & 1u);
    return sign | (uint16_t)((rounded - 0x38000000u) >> 13);
}

/* Vectors (biases, statistics of norms) are few, and a variance may be anything: only the rest is worth it. */
static bool is_halved(const rv_stored_tensor *t, bool half)
{
    return half && t->shape.rank > 1;
}

static json_t *entry_of(const rv_stored_tensor *t, size_t start, size_t bytes, bool half)
{
    const size_t end = start + bytes;
    json_t *shape = json_array();
    for (int i = 0; i < t->shape.rank; i++) {
        json_array_append_new(shape, json_integer(t->shape.dim[i]));
    }
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", half ? "F16" : "F32", "shape", shape,
                     "data_offsets", (json_int_t)start, (json_int_t)end);
}

/* The header, padded with spaces so that values lie at a multiple of ALIGNMENT; freed with free().
 * @param[in,out] length  at least what it is */
static rv_status make_header(char **out, size_t *length, const rv_stored_tensor *tensors,
                             size_t n_tensors, const rv_stored_text *texts, size_t n_texts,
                             bool half)
{
    json_t *header = json_object(), *metadata = json_object();
    size_t at = 0;
    for (size_t i = 0; i < n_texts; i++) {
        json_object_set_new(metadata, texts[i].key, json_string(texts[i].value));
    }
    json_object_set_new(header, "__metadata__", metadata);
    for (size_t i = 0; i < n_tensors; i++) {
        const bool halved = is_halved(&tensors[i], half);
        const size_t bytes = rv_shape_count(&tensors[i].shape) * (halved ? 2 : sizeof(float));
        json_object_set_new(header, tensors[i].name, entry_of(&tensors[i], at, bytes, halved));
        at += bytes;
    }
    char *text = json_dumps(header, JSON_COMPACT);
    const bool complete = json_object_size(header) == n_tensors + 1 &&
                          json_object_size(metadata) == n_texts && text != NULL;
    json_decref(header);
    *out = NULL;
    rv_status status = complete ? RV_OK : rv_fail(RV_ERR_MEMORY, "no memory for a header");
    if (status == RV_OK) {
        const size_t n = strlen(text);
        const size_t least = n > *length ? n : *length;
        *length = (least + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        status = rv_alloc(out, *length + 1, 1, "a header");
        if (status == RV_OK) {
            memset(*out, ' ', *length);
            memcpy(*out, text, n);
        }
    }
    free(text);
    return status;
}

static void write_length(uint8_t out[LENGTH_BYTES], size_t length)
{
    for (int i = 0; i < LENGTH_BYTES; i++) {
        out[i] = (uint8_t)((uint64_t)length >> (8 * i));
    }
}

rv_status rv_safetensors_header(rv_text *text, const rv_stored_tensor *tensors, size_t n_tensors,
                                size_t length)
{
    char *header;
    uint8_t prefix[LENGTH_BYTES];
    size_t n = length > LENGTH_BYTES ? length - LENGTH_BYTES : 0;
    RV_TRY(make_header(&header, &n, tensors, n_tensors, NULL, 0, false));
    write_length(prefix, n);
    rv_text_append_bytes(text, prefix, sizeof prefix);
    rv_text_append_bytes(text, header, n);
    free(header);
    return rv_text_status(text);
}

/* What cannot be written is noticed by the commit. */
static rv_status write_values(FILE *stream, const rv_stored_tensor *t, bool half)
{
    const size_t n = rv_shape_count(&t->shape);
    if (!is_halved(t, half)) {
        fwrite(t->data, sizeof(float), n, stream);
        return RV_OK;
    }
    for (size_t i = 0; i < n; i++) {
        const uint16_t h = to_half(t->data[i]);
        if ((h & 0x7c00u) == 0x7c00u) {
            return rv_fail(RV_ERR_UNSUPPORTED, "'%s': value %zu is %g, beyond half precision",
                           t->name, i, (double)t->data[i]);
        }
        const uint8_t bytes[2] = {(uint8_t)h, (uint8_t)(h >> 8)};
        fwrite(bytes, 1, 2, stream);
    }
    return RV_OK;
}

static rv_status write_tensor(FILE *stream, const rv_stored_tensor *t, size_t index,
                              const rv_store_options *options)
{
    float *values;
    if (t->data != NULL) {
        return write_values(stream, t, options->half);
    }
    RV_TRY(rv_alloc(&values, rv_shape_count(&t->shape), sizeof *values, "values of a tensor"));
    rv_status status = options->fetch(options->payload, index, values);
    if (status == RV_OK) {
        const rv_stored_tensor filled = {t->name, t->shape, values};
        status = write_values(stream, &filled, options->half);
    }
    free(values);
    return status;
}

rv_status rv_safetensors_write(const char *path, const rv_stored_tensor *tensors, size_t n_tensors,
                               const rv_stored_text *texts, size_t n_texts,
                               const rv_store_options *options)
{
    rv_output *output = NULL;
    char *header = NULL;
    size_t length = 0;
    uint8_t prefix[LENGTH_BYTES];
    rv_status status =
        make_header(&header, &length, tensors, n_tensors, texts, n_texts, options->half);
    if (status == RV_OK) {
        status = rv_output_open(&output, path, !options->keep);
    }
    if (status != RV_OK) {
        free(header);
        return status;
    }
    write_length(prefix, length);
    if (options->unsynced) {
        rv_output_leave_unsynced(output);
    }
    FILE *stream = rv_output_stream(output);
    fwrite(prefix, 1, sizeof prefix, stream);
    fwrite(header, 1, length, stream);
    free(header);
    for (size_t i = 0; i < n_tensors && status == RV_OK; i++) {
        status = write_tensor(stream, &tensors[i], i, options);
    }
    if (status != RV_OK) {
        rv_output_discard(output);
        return status;
    }
    return rv_output_commit(output);
}
