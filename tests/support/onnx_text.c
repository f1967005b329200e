/* Writes protobuf for models of a few lines. */
/* SPDX-License-Identifier: MIT */
#include "support/onnx_text.h"
#include "support/scratch.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WORDS = 64, MAX_CONSTANTS = 16, VARINT = 0, BYTES = 2 };

typedef struct message {
    uint8_t *data;
    size_t size, capacity;
} message;

static void put(message *m, const void *data, size_t size)
{
    if (m->size + size > m->capacity) {
        m->capacity = 2 * (m->size + size);
        m->data = realloc(m->data, m->capacity);
    }
    if (size > 0) {
        memcpy(m->data + m->size, data, size);
    }
    m->size += size;
}

static void put_varint(message *m, uint64_t value)
{
    for (; value > 127; value >>= 7) {
        put(m, &(uint8_t){(uint8_t)(value | 128)}, 1);
    }
    put(m, &(uint8_t){(uint8_t)value}, 1);
}

static void put_number(message *m, unsigned field, uint64_t value)
{
    put_varint(m, field << 3 | VARINT);
    put_varint(m, value);
}

static void put_bytes(message *m, unsigned field, const void *data, size_t size)
{
    put_varint(m, field << 3 | BYTES);
    put_varint(m, size);
    put(m, data, size);
}

static void put_text(message *m, unsigned field, const char *text)
{
    put_bytes(m, field, text, strlen(text));
}

/* Puts a message inside another, and frees it. */
static void put_message(message *m, unsigned field, message *inner)
{
    put_bytes(m, field, inner->data, inner->size);
    free(inner->data);
    *inner = (message){0};
}

static void put_float(message *m, unsigned field, double value)
{
    const float f = (float)value;
    put_varint(m, field << 3 | 5);
    put(m, &f, sizeof f);
}

/* --- tensors --------------------------------------------------------------------------------- */

typedef enum storage { RAW, PACKED, SINGLE } storage;

static void put_value(message *m, const char *type, const char *word)
{
    if (strcmp(type, "float") == 0) {
        const float v = (float)strtod(word, NULL);
        put(m, &v, sizeof v);
    } else if (strcmp(type, "double") == 0) {
        const double v = strtod(word, NULL);
        put(m, &v, sizeof v);
    } else if (strcmp(type, "half") == 0) {
        const uint16_t v = (uint16_t)strtoul(word, NULL, 0);
        put(m, &v, sizeof v);
    } else {
        const int64_t v = strtoll(word, NULL, 10);
        put(m, &v, sizeof v);
    }
}

/* Values in the field of their type: packed into one, or one by one. */
static void put_typed(message *tensor, const char *type, const char *word, storage how,
                      message *packed)
{
    const bool whole = strcmp(type, "int64") == 0;
    const unsigned field = whole ? 7 : strcmp(type, "double") == 0 ? 10 : 4;
    if (how == SINGLE) {
        put_varint(tensor, field << 3 | (whole ? 0 : field == 10 ? 1 : 5));
    }
    if (whole) {
        put_varint(how == SINGLE ? tensor : packed, (uint64_t)strtoll(word, NULL, 10));
    } else {
        put_value(how == SINGLE ? tensor : packed, type, word);
    }
}

/* "float W 2 3 = 1 2 3", from its type on. */
static message tensor_of(char **word, int n, storage how)
{
    static const struct {
        const char *name;
        int number;
    } types[] = {{"float", 1}, {"int64", 7}, {"half", 10}, {"double", 11}, {"text", 8}};
    message m = {0}, values = {0};
    size_t count = 1;
    int i = 2;
    for (; i < n && strcmp(word[i], "=") != 0; i++) {
        put_number(&m, 1, (uint64_t)strtoll(word[i], NULL, 10));
        count *= (size_t)strtoll(word[i], NULL, 10);
    }
    for (size_t k = 0; k < sizeof types / sizeof types[0]; k++) {
        if (strcmp(types[k].name, word[0]) == 0) {
            put_number(&m, 2, (uint64_t)types[k].number);
        }
    }
    put_text(&m, 8, word[1]);
    const int first = i + 1, given = n - first;
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
        put_message(&m,
                    how == RAW                       ? 9
                    : whole                          ? 7
                    : strcmp(word[0], "double") == 0 ? 10
                                                     : 4,
                    &values);
    }
    return m;
}

static message external_of(char **word, int n)
{
    message m = {0}, entry = {0};
    int i = 2;
    for (; i < n && strcmp(word[i], "=") != 0; i++) {
        put_number(&m, 1, (uint64_t)strtoll(word[i], NULL, 10));
    }
    put_number(&m, 2, 1);
    put_text(&m, 8, word[1]);
    for (i++; i < n; i++) {
        char *value = strchr(word[i], '=');
        *value++ = '\0';
        put_text(&entry, 1, word[i]);
        put_text(&entry, 2, value);
        put_message(&m, 13, &entry);
    }
    put_number(&m, 14, 1);
    return m;
}

/* --- nodes ----------------------------------------------------------------------------------- */

typedef struct constants {
    char *name[MAX_CONSTANTS];
    message tensor[MAX_CONSTANTS];
    int n;
} constants;

static void put_list(message *attr, char *value)
{
    const bool real = strchr(value, '.') != NULL;
    message packed = {0};
    for (char *item = strtok(value, ","); item != NULL; item = strtok(NULL, ",")) {
        if (real) {
            put_value(&packed, "float", item);
        } else {
            put_varint(&packed, (uint64_t)strtoll(item, NULL, 10));
        }
    }
    put_message(attr, real ? 7 : 8, &packed);
}

static message attribute_of(char *word, const constants *c)
{
    message m = {0};
    char *value = strchr(word, '=');
    *value++ = '\0';
    put_text(&m, 1, word);
    const bool number = strspn(value, "-0123456789.,e") == strlen(value) && value[0] != '\0';
    if (value[0] == '@') {
        for (int i = 0; i < c->n; i++) {
            if (strcmp(c->name[i], value + 1) == 0) {
                put_bytes(&m, 5, c->tensor[i].data, c->tensor[i].size);
            }
        }
    } else if (!number) {
        put_text(&m, 4, value);
    } else if (strchr(value, ',') != NULL || strcmp(word, "axes") == 0) {
        put_list(&m, value);
    } else if (strchr(value, '.') != NULL) {
        put_float(&m, 2, strtod(value, NULL));
    } else {
        put_number(&m, 3, (uint64_t)strtoll(value, NULL, 10));
    }
    return m;
}

static void put_names(message *m, unsigned field, const char *names)
{
    while (*names != '\0') {
        const size_t n = strcspn(names, ",");
        put_bytes(m, field, names, n == 1 && names[0] == '-' ? 0 : n);
        names += n + (names[n] == ',');
    }
}

static message node_of(char **word, int n, const constants *c)
{
    message m = {0}, attribute;
    char *op = strchr(word[0], ':');
    put_names(&m, 1, strcmp(word[2], "-") == 0 ? "" : word[2]);
    put_names(&m, 2, word[3]);
    if (strcmp(word[1], "-") != 0) {
        put_text(&m, 3, word[1]);
    }
    if (op != NULL) {
        *op = '\0';
        put_text(&m, 7, word[0]);
    }
    put_text(&m, 4, op != NULL ? op + 1 : word[0]);
    for (int i = 4; i < n; i++) {
        attribute = attribute_of(word[i], c);
        put_message(&m, 5, &attribute);
    }
    return m;
}

/* --- the model ------------------------------------------------------------------------------- */

static message info_of(char **word, int n)
{
    message m = {0}, type = {0}, tensor = {0}, shape = {0}, dim = {0};
    for (int i = 2; i < n; i++) {
        if (word[i][0] == '?') {
            put_text(&dim, 2, "open");
        } else {
            put_number(&dim, 1, (uint64_t)strtoll(word[i], NULL, 10));
        }
        put_message(&shape, 1, &dim);
    }
    put_number(&tensor, 1, 1);
    put_message(&tensor, 2, &shape);
    put_message(&type, 1, &tensor);
    put_text(&m, 1, word[1]);
    put_message(&m, 2, &type);
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

static void put_line(message *model, message *graph, constants *c, char *line)
{
    char *word[MAX_WORDS];
    message m = {0};
    const int n = split(word, line);
    if (n == 0) {
        return;
    }
    if (strcmp(word[0], "opset") == 0) {
        put_number(&m, 2, (uint64_t)strtoll(word[1], NULL, 10));
        put_message(model, 8, &m);
    } else if (strcmp(word[0], "producer") == 0) {
        put_text(model, 2, word[1]);
    } else if (strcmp(word[0], "name") == 0) {
        put_text(graph, 2, word[1]);
    } else if (strcmp(word[0], "input") == 0 || strcmp(word[0], "output") == 0) {
        m = info_of(word, n);
        put_message(graph, word[0][0] == 'i' ? 11 : 12, &m);
    } else if (strcmp(word[0], "const") == 0) {
        c->name[c->n] = word[2];
        c->tensor[c->n++] = tensor_of(word + 1, n - 1, RAW);
    } else if (strcmp(word[0], "external") == 0) {
        m = external_of(word, n);
        put_message(graph, 5, &m);
    } else if (word[0][0] >= 'a' && strchr(word[0], ':') == NULL) {
        const storage how = strcmp(word[0], "packed") == 0   ? PACKED
                            : strcmp(word[0], "single") == 0 ? SINGLE
                                                             : RAW;
        m = tensor_of(word + (how != RAW), n - (how != RAW), how);
        put_message(graph, 5, &m);
    } else {
        m = node_of(word, n, c);
        put_message(graph, 1, &m);
    }
}

uint8_t *rv_test_onnx(size_t *size, const char *text)
{
    char *lines = malloc(strlen(text) + 1);
    message model = {0}, graph = {0};
    constants c = {.n = 0};
    strcpy(lines, text);
    put_number(&model, 1, 8);
    for (char *line = lines; line != NULL && *line != '\0';) {
        char *end = strchr(line, '\n');
        if (end != NULL) {
            *end++ = '\0';
        }
        put_line(&model, &graph, &c, line);
        line = end;
    }
    put_message(&model, 7, &graph);
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
