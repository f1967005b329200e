/* NumPy's array files. */
/* SPDX-License-Identifier: MIT */
#include "base/npy.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "arrays are copied as they lie in memory");

static const char magic[6] = {'\x93', 'N', 'U', 'M', 'P', 'Y'};

/* Headers of real arrays have some 70 bytes; the format would allow 4 GiB. */
enum { HEADER_LIMIT = 65536, ALIGNMENT = 64 };

typedef enum element { FLOAT32, FLOAT64, UINT8 } element;
static const size_t element_bytes[] = {[FLOAT32] = 4, [FLOAT64] = 8, [UINT8] = 1};

typedef struct header {
    element type;
    int rank;
    size_t dim[RV_NPY_MAX_RANK];
    size_t count;
} header;

static rv_status fail_format(const char *path, const char *what)
{
    return rv_fail(RV_ERR_FORMAT, "%s: %s", path, what);
}

/* The text behind 'key': in the dictionary, or NULL. */
static const char *find_value(const char *text, const char *key)
{
    for (const char *p = text; (p = strstr(p, key)) != NULL; p += strlen(key)) {
        const char quote = p > text ? p[-1] : '\0';
        const char *end = p + strlen(key);
        if ((quote == '\'' || quote == '"') && *end == quote) {
            end += 1 + strspn(end + 1, " ");
            if (*end == ':') {
                return end + 1 + strspn(end + 1, " ");
            }
        }
    }
    return NULL;
}

static rv_status parse_type(header *out, const char *value, const char *path)
{
    static const struct {
        const char *name;
        element type;
    } known[] = {{"<f4", FLOAT32}, {"<f8", FLOAT64}, {"|u1", UINT8}, {"<u1", UINT8}};
    const size_t n = strcspn(value + 1, "'\"");
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (n == strlen(known[i].name) && strncmp(value + 1, known[i].name, n) == 0) {
            out->type = known[i].type;
            return RV_OK;
        }
    }
    return rv_fail(RV_ERR_UNSUPPORTED,
                   "%s: elements are of type %.*s; Reverie reads <f4, <f8 and |u1", path,
                   n < 64 ? (int)n + 2 : 66, value);
}

static rv_status parse_shape(header *out, const char *value, const char *path)
{
    const char *p = value + 1;
    out->count = 1;
    for (p += strspn(p, " "); *p != ')'; p += strspn(p, " ,")) {
        if (!isdigit((unsigned char)*p)) {
            return fail_format(path, "the shape in the header is damaged");
        }
        if (out->rank == RV_NPY_MAX_RANK) {
            return rv_fail(RV_ERR_UNSUPPORTED, "%s: more than %d dimensions", path,
                           RV_NPY_MAX_RANK);
        }
        size_t dim = 0;
        for (; isdigit((unsigned char)*p); p++) {
            if (!rv_size_mul(&dim, dim, 10) || !rv_size_add(&dim, dim, (size_t)(*p - '0'))) {
                return fail_format(path, "a dimension in the header is too large");
            }
        }
        if (!rv_size_mul(&out->count, out->count, dim)) {
            return fail_format(path, "the shape in the header is too large");
        }
        out->dim[out->rank++] = dim;
    }
    return RV_OK;
}

static rv_status parse_dictionary(header *out, const char *text, const char *path)
{
    const char *type = find_value(text, "descr");
    const char *order = find_value(text, "fortran_order");
    const char *shape = find_value(text, "shape");
    if (type == NULL || order == NULL || shape == NULL || *shape != '(') {
        return fail_format(path, "the header lacks descr, fortran_order or shape");
    }
    if (*type != '\'' && *type != '"') {
        return rv_fail(RV_ERR_UNSUPPORTED, "%s: arrays of records are not supported", path);
    }
    RV_TRY(parse_type(out, type, path));
    if (strncmp(order, "True", 4) == 0) {
        return rv_fail(RV_ERR_UNSUPPORTED,
                       "%s: Fortran order is not supported; save numpy.ascontiguousarray(a)", path);
    }
    if (strncmp(order, "False", 5) != 0) {
        return fail_format(path, "fortran_order in the header is neither True nor False");
    }
    return parse_shape(out, shape, path);
}

/* @param[out] data  where the elements begin */
static rv_status parse_header(header *out, const uint8_t **data, const uint8_t *p, size_t n,
                              const char *path)
{
    if (n < 12 || memcmp(p, magic, sizeof magic) != 0) {
        return fail_format(path, "not a .npy file");
    }
    const int major = p[6];
    if (major != 1 && major != 2) {
        return rv_fail(RV_ERR_UNSUPPORTED,
                       "%s: .npy format %d.%d is not supported, 1.0 and 2.0 are", path, major,
                       p[7]);
    }
    const size_t start = major == 1 ? 10 : 12;
    const size_t length =
        major == 1 ? (size_t)p[8] | (size_t)p[9] << 8
                   : (size_t)p[8] | (size_t)p[9] << 8 | (size_t)p[10] << 16 | (size_t)p[11] << 24;
    if (length > n - start || length > HEADER_LIMIT) {
        return fail_format(path, "the header is cut short or damaged");
    }
    char *text = NULL;
    RV_TRY(rv_format(&text, "%.*s", (int)length, (const char *)p + start));
    const rv_status status = parse_dictionary(out, text, path);
    free(text);
    *data = p + start + length;
    return status;
}

static rv_status convert(float **out, const header *h, const uint8_t *data, size_t available,
                         const char *path)
{
    size_t bytes;
    if (!rv_size_mul(&bytes, h->count, element_bytes[h->type]) || bytes > available) {
        return rv_fail(RV_ERR_FORMAT, "%s: cut short: %zu elements expected, %zu bytes there", path,
                       h->count, available);
    }
    RV_TRY(rv_alloc(out, h->count, sizeof(float), "an array"));
    for (size_t i = 0; i < h->count; i++) {
        if (h->type == FLOAT32) {
            memcpy(&(*out)[i], data + 4 * i, 4);
        } else if (h->type == FLOAT64) {
            double value;
            memcpy(&value, data + 8 * i, 8);
            (*out)[i] = (float)value;
        } else {
            (*out)[i] = data[i];
        }
    }
    return RV_OK;
}

rv_status rv_npy_parse(float **out, int *out_rank, size_t out_dim[RV_NPY_MAX_RANK],
                       const uint8_t *bytes, size_t n, const char *path)
{
    header h = {0};
    const uint8_t *data = NULL;
    *out = NULL;
    RV_TRY(parse_header(&h, &data, bytes, n, path));
    RV_TRY(convert(out, &h, data, n - (size_t)(data - bytes), path));
    *out_rank = h.rank;
    memcpy(out_dim, h.dim, sizeof h.dim);
    return RV_OK;
}

rv_status rv_npy_read(float **out, int *out_rank, size_t out_dim[RV_NPY_MAX_RANK], const char *path)
{
    rv_bytes file;
    *out = NULL;
    RV_TRY(rv_bytes_open(&file, path, 0));
    const rv_status status = rv_npy_parse(out, out_rank, out_dim, file.data, file.size, path);
    rv_bytes_close(&file);
    return status;
}

/* Magic, version 1.0, length and dictionary, padded so that the elements are aligned. */
void rv_npy_header(rv_text *text, int rank, const size_t *dim, size_t length)
{
    rv_text dictionary = {0};
    rv_text_append(&dictionary, "{'descr': '<f4', 'fortran_order': False, 'shape': (");
    for (int i = 0; i < rank; i++) {
        /* A tuple of one has a comma behind it. */
        rv_text_append(&dictionary, "%zu%s", dim[i], i + 1 < rank ? ", " : rank == 1 ? "," : "");
    }
    rv_text_append(&dictionary, "), }");
    const size_t used = sizeof magic + 4 + dictionary.length + 1;
    const size_t least = used > length ? used : length;
    const size_t pad = (least + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT - used;
    rv_text_append(&dictionary, "%*s\n", (int)pad, "");
    const uint8_t rest[4] = {1, 0, (uint8_t)(dictionary.length & 255),
                             (uint8_t)(dictionary.length >> 8)};
    rv_text_append_bytes(text, magic, sizeof magic);
    rv_text_append_bytes(text, rest, sizeof rest);
    rv_text_append_bytes(text, dictionary.data, dictionary.failed ? 0 : dictionary.length);
    text->failed = text->failed || dictionary.failed;
    rv_text_release(&dictionary);
}

rv_status rv_npy_write(const char *path, const float *data, int rank, const size_t *dim,
                       bool overwrite)
{
    size_t count = 1;
    for (int i = 0; i < rank; i++) {
        count *= dim[i];
    }
    rv_output *output = NULL;
    rv_text text = {0};
    rv_npy_header(&text, rank, dim, 0);
    rv_status status = rv_text_status(&text);
    if (status == RV_OK) {
        status = rv_output_open(&output, path, overwrite);
    }
    if (status == RV_OK) {
        FILE *stream = rv_output_stream(output);
        /* Failures stay in the stream until the commit, which words them. */
        fwrite(text.data, 1, text.length, stream);
        fwrite(data, sizeof *data, count, stream);
        status = rv_output_commit(output);
    }
    rv_text_release(&text);
    return status;
}
