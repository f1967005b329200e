/* Writes protobuf for models of a few lines. */
/* SPDX-License-Identifier: MIT */
#include "support/onnx_text.h"
#include "support/noise.h"
#include "support/scratch.h"
#include "support/wire.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WORDS = 64, MAX_CONSTANTS = 16 };

/* Of an AttributeProto: the field, and what it can say. */
enum { ATTR_TYPE = 20, FLOAT = 1, INT, STRING, TENSOR, FLOATS = 6, INTS };

/* --- tensors --------------------------------------------------------------------------------- */

typedef enum storage { RAW, PACKED, SINGLE } storage;

static void put_value(rv_message *m, const char *type, const char *word)
{
    if (strcmp(type, "float") == 0) {
        const float v = (float)strtod(word, NULL);
        rv_wire_put(m, &v, sizeof v);
    } else if (strcmp(type, "double") == 0) {
        const double v = strtod(word, NULL);
        rv_wire_put(m, &v, sizeof v);
    } else if (strcmp(type, "half") == 0) {
        const uint16_t v = (uint16_t)strtoul(word, NULL, 0);
        rv_wire_put(m, &v, sizeof v);
    } else {
        const int64_t v = strtoll(word, NULL, 10);
        rv_wire_put(m, &v, sizeof v);
    }
}

/* Values in the field of their type: packed into one, or one by one. */
static void put_typed(rv_message *tensor, const char *type, const char *word, storage how,
                      rv_message *packed)
{
    const bool whole = strcmp(type, "int64") == 0;
    const unsigned field = whole ? 7 : strcmp(type, "double") == 0 ? 10 : 4;
    if (how == SINGLE) {
        rv_wire_varint(tensor, field << 3 | (whole ? 0 : field == 10 ? 1 : 5));
    }
    if (whole) {
        rv_wire_varint(how == SINGLE ? tensor : packed, (uint64_t)strtoll(word, NULL, 10));
    } else {
        put_value(how == SINGLE ? tensor : packed, type, word);
    }
}

/* "float W 2 3 = 1 2 3", from its type on. */
static rv_message tensor_of(char **word, int n, storage how)
{
    static const struct {
        const char *name;
        int number;
    } types[] = {{"float", 1}, {"int64", 7}, {"half", 10}, {"double", 11}, {"text", 8}};
    rv_message m = {0}, values = {0};
    size_t count = 1;
    int i = 2;
    for (; i < n && strcmp(word[i], "=") != 0; i++) {
        rv_wire_number(&m, 1, (uint64_t)strtoll(word[i], NULL, 10));
        count *= (size_t)strtoll(word[i], NULL, 10);
    }
    for (size_t k = 0; k < sizeof types / sizeof types[0]; k++) {
        if (strcmp(types[k].name, word[0]) == 0) {
            rv_wire_number(&m, 2, (uint64_t)types[k].number);
        }
    }
    rv_wire_text(&m, 8, word[1]);
    const int first = i + 1, given = n - first;
    if (given == 3 && word[first][0] == '~') {
        float *drawn = malloc(count * sizeof *drawn);
        rv_test_noise(drawn, count, word[1], strtod(word[first + 1], NULL),
                      strtod(word[first + 2], NULL));
        rv_wire_bytes(&m, 9, drawn, count * sizeof *drawn);
        free(drawn);
        return m;
    }
    for (size_t k = 0; given > 0 && k < count; k++) {
        const char *value = word[first + (int)(k % (size_t)given)];
        if (how == RAW) {
            put_value(&values, word[0], value);
        } else {
            put_typed(&m, word[0], value, how, &values);
        }
    }
    const bool whole = strcmp(word[0], "int64") == 0;
    if (how != SINGLE) {
        rv_wire_message(&m,
                        how == RAW                       ? 9
                        : whole                          ? 7
                        : strcmp(word[0], "double") == 0 ? 10
                                                         : 4,
                        &values);
    }
    return m;
}

static rv_message external_of(char **word, int n)
{
    rv_message m = {0}, entry = {0};
    int i = 2;
    for (; i < n && strcmp(word[i], "=") != 0; i++) {
        rv_wire_number(&m, 1, (uint64_t)strtoll(word[i], NULL, 10));
    }
    rv_wire_number(&m, 2, 1);
    rv_wire_text(&m, 8, word[1]);
    for (i++; i < n; i++) {
        char *value = strchr(word[i], '=');
        *value++ = '\0';
        rv_wire_text(&entry, 1, word[i]);
        rv_wire_text(&entry, 2, value);
        rv_wire_message(&m, 13, &entry);
    }
    rv_wire_number(&m, 14, 1);
    return m;
}

/* --- nodes ----------------------------------------------------------------------------------- */

typedef struct constants {
    char *name[MAX_CONSTANTS];
    rv_message tensor[MAX_CONSTANTS];
    int n;
} constants;

static void put_list(rv_message *attr, char *value)
{
    const bool real = strchr(value, '.') != NULL;
    rv_message packed = {0};
    for (char *item = strtok(value, ","); item != NULL; item = strtok(NULL, ",")) {
        if (real) {
            put_value(&packed, "float", item);
        } else {
            rv_wire_varint(&packed, (uint64_t)strtoll(item, NULL, 10));
        }
    }
    rv_wire_message(attr, real ? 7 : 8, &packed);
    rv_wire_number(attr, ATTR_TYPE, real ? FLOATS : INTS);
}

static rv_message attribute_of(char *word, const constants *c)
{
    rv_message m = {0};
    char *value = strchr(word, '=');
    *value++ = '\0';
    rv_wire_text(&m, 1, word);
    const bool number = strspn(value, "-0123456789.,e") == strlen(value) && value[0] != '\0';
    if (value[0] == '@') {
        for (int i = 0; i < c->n; i++) {
            if (strcmp(c->name[i], value + 1) == 0) {
                rv_wire_bytes(&m, 5, c->tensor[i].data, c->tensor[i].size);
                rv_wire_number(&m, ATTR_TYPE, TENSOR);
            }
        }
    } else if (!number) {
        rv_wire_text(&m, 4, value);
        rv_wire_number(&m, ATTR_TYPE, STRING);
    } else if (strchr(value, ',') != NULL || strcmp(word, "axes") == 0) {
        put_list(&m, value);
    } else if (strchr(value, '.') != NULL) {
        rv_wire_float(&m, 2, strtod(value, NULL));
        rv_wire_number(&m, ATTR_TYPE, FLOAT);
    } else {
        rv_wire_number(&m, 3, (uint64_t)strtoll(value, NULL, 10));
        rv_wire_number(&m, ATTR_TYPE, INT);
    }
    return m;
}

static void put_names(rv_message *m, unsigned field, const char *names)
{
    while (*names != '\0') {
        const size_t n = strcspn(names, ",");
        rv_wire_bytes(m, field, names, n == 1 && names[0] == '-' ? 0 : n);
        names += n + (names[n] == ',');
    }
}

static rv_message node_of(char **word, int n, const constants *c)
{
    rv_message m = {0}, attribute;
    char *op = strchr(word[0], ':');
    put_names(&m, 1, strcmp(word[2], "-") == 0 ? "" : word[2]);
    put_names(&m, 2, word[3]);
    if (strcmp(word[1], "-") != 0) {
        rv_wire_text(&m, 3, word[1]);
    }
    if (op != NULL) {
        *op = '\0';
        rv_wire_text(&m, 7, word[0]);
    }
    rv_wire_text(&m, 4, op != NULL ? op + 1 : word[0]);
    for (int i = 4; i < n; i++) {
        attribute = attribute_of(word[i], c);
        rv_wire_message(&m, 5, &attribute);
    }
    return m;
}

/* --- the model ------------------------------------------------------------------------------- */

static rv_message info_of(char **word, int n)
{
    rv_message m = {0}, type = {0}, tensor = {0}, shape = {0}, dim = {0};
    for (int i = 2; i < n; i++) {
        if (word[i][0] == '?') {
            rv_wire_text(&dim, 2, "open");
        } else {
            rv_wire_number(&dim, 1, (uint64_t)strtoll(word[i], NULL, 10));
        }
        rv_wire_message(&shape, 1, &dim);
    }
    rv_wire_number(&tensor, 1, 1);
    rv_wire_message(&tensor, 2, &shape);
    rv_wire_message(&type, 1, &tensor);
    rv_wire_text(&m, 1, word[1]);
    rv_wire_message(&m, 2, &type);
    return m;
}

static int split(char **word, char *line)
{
    int n = 0;
    for (char *w = strtok(line, " "); w != NULL && n < MAX_WORDS; w = strtok(NULL, " ")) {
        word[n++] = w;
    }
    return n;
}

static void put_line(rv_message *model, rv_message *graph, constants *c, char *line)
{
    char *word[MAX_WORDS];
    rv_message m = {0};
    const int n = split(word, line);
    if (n == 0) {
        return;
    }
    if (strcmp(word[0], "opset") == 0) {
        rv_wire_number(&m, 2, (uint64_t)strtoll(word[1], NULL, 10));
        rv_wire_message(model, 8, &m);
    } else if (strcmp(word[0], "producer") == 0) {
        rv_wire_text(model, 2, word[1]);
    } else if (strcmp(word[0], "name") == 0) {
        rv_wire_text(graph, 2, word[1]);
    } else if (strcmp(word[0], "input") == 0 || strcmp(word[0], "output") == 0) {
        m = info_of(word, n);
        rv_wire_message(graph, word[0][0] == 'i' ? 11 : 12, &m);
    } else if (strcmp(word[0], "const") == 0) {
        c->name[c->n] = word[2];
        c->tensor[c->n++] = tensor_of(word + 1, n - 1, RAW);
    } else if (strcmp(word[0], "external") == 0) {
        m = external_of(word, n);
        rv_wire_message(graph, 5, &m);
    } else if (word[0][0] >= 'a' && strchr(word[0], ':') == NULL) {
        const storage how = strcmp(word[0], "packed") == 0   ? PACKED
                            : strcmp(word[0], "single") == 0 ? SINGLE
                                                             : RAW;
        m = tensor_of(word + (how != RAW), n - (how != RAW), how);
        rv_wire_message(graph, 5, &m);
    } else {
        m = node_of(word, n, c);
        rv_wire_message(graph, 1, &m);
    }
}

uint8_t *rv_test_onnx(size_t *size, const char *text)
{
    char *lines = malloc(strlen(text) + 1);
    rv_message model = {0}, graph = {0};
    constants c = {.n = 0};
    strcpy(lines, text);
    rv_wire_number(&model, 1, 8);
    for (char *line = lines; line != NULL && *line != '\0';) {
        char *end = strchr(line, '\n');
        if (end != NULL) {
            *end++ = '\0';
        }
        put_line(&model, &graph, &c, line);
        line = end;
    }
    rv_wire_message(&model, 7, &graph);
    for (int i = 0; i < c.n; i++) {
        free(c.tensor[i].data);
    }
    free(lines);
    *size = model.size;
    return model.data;
}

const char *rv_test_onnx_file(const char *name, const char *text)
{
    size_t size;
    uint8_t *data = rv_test_onnx(&size, text);
    const char *path = rv_test_path(name);
    rv_test_write(path, data, size);
    free(data);
    return path;
}
