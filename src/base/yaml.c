/* YAML files as trees of nodes, through libyaml. */
/* SPDX-License-Identifier: MIT */
#include "base/yaml.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LARGEST_FILE = 1 << 20 };

rv_status rv_yaml_parse(rv_yaml *out, const char *text, size_t n, const char *name)
{
    *out = (rv_yaml){.name = name};
    yaml_parser_t parser;
    if (n == 0) { /* which libyaml takes for a mistake of the program */
        return rv_fail(RV_ERR_FORMAT, "%s:1: the file is empty", name);
    }
    if (!yaml_parser_initialize(&parser)) {
        return rv_fail(RV_ERR_MEMORY, "out of memory for %s", name);
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
    rv_status status = RV_OK;
    if (!yaml_parser_load(&parser, &out->document)) {
        status = rv_fail(RV_ERR_FORMAT, "%s:%zu: %s", name, parser.problem_mark.line + 1,
                         parser.problem != NULL ? parser.problem : "this is no YAML");
    } else {
        out->loaded = true;
        if (rv_yaml_root(out) == NULL) {
            status = rv_fail(RV_ERR_FORMAT, "%s:1: the file is empty", name);
            rv_yaml_release(out);
        }
    }
    yaml_parser_delete(&parser);
    return status;
}

rv_status rv_yaml_read(rv_yaml *out, const char *path)
{
    rv_bytes bytes;
    *out = (rv_yaml){.name = path};
    RV_TRY(rv_bytes_open(&bytes, path, LARGEST_FILE));
    const rv_status status = rv_yaml_parse(out, (const char *)bytes.data, bytes.size, path);
    rv_bytes_close(&bytes);
    return status;
}

void rv_yaml_release(rv_yaml *yaml)
{
    if (yaml->loaded) {
        yaml_document_delete(&yaml->document);
        yaml->loaded = false;
    }
}

yaml_node_t *rv_yaml_root(rv_yaml *yaml)
{
    return yaml_document_get_root_node(&yaml->document);
}

yaml_node_t *rv_yaml_node(rv_yaml *yaml, int number)
{
    return yaml_document_get_node(&yaml->document, number);
}

const char *rv_yaml_text(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

rv_status rv_yaml_number(double *out, const rv_yaml *yaml, const yaml_node_t *node, double min,
                         double max, const char *what)
{
    const char *text = rv_yaml_text(node);
    char *end = NULL;
    const double value = text != NULL ? rv_strtod(text, &end) : 0;
    if (text == NULL || end == text || *end != '\0' || !isfinite(value)) {
        return rv_yaml_fail(yaml, node, "%s takes a number%s%s%s", what,
                            text != NULL ? ", not '" : "", text != NULL ? text : "",
                            text != NULL ? "'" : "");
    }
    if (value < min || value > max) {
        return rv_yaml_fail(yaml, node, "%s is %g, but must lie from %g to %g", what, value, min,
                            max);
    }
    *out = value;
    return RV_OK;
}

static rv_status read_pair(yaml_node_t **out, rv_yaml *yaml, const yaml_node_pair_t *pair,
                           const char *const *names, size_t n, const char *what)
{
    const yaml_node_t *key = rv_yaml_node(yaml, pair->key);
    const char *name = rv_yaml_text(key);
    if (name == NULL) {
        return rv_yaml_fail(yaml, key, "a key of %s is no word", what);
    }
    for (size_t i = 0; i < n; i++) {
        if (strcmp(name, names[i]) == 0) {
            if (out[i] != NULL) {
                return rv_yaml_fail(yaml, key, "%s has '%s' twice", what, name);
            }
            out[i] = rv_yaml_node(yaml, pair->value);
            return RV_OK;
        }
    }
    return rv_yaml_fail(yaml, key, "%s has no '%.100s'; the nearest is '%s'", what, name,
                        names[rv_nearest(name, names, n)]);
}

rv_status rv_yaml_keys(yaml_node_t **out, rv_yaml *yaml, const yaml_node_t *node,
                       const char *const *names, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = NULL;
    }
    if (node->type != YAML_MAPPING_NODE) {
        return rv_yaml_fail(yaml, node, "%s takes {key: value, ...}", what);
    }
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        RV_TRY(read_pair(out, yaml, pair, names, n, what));
    }
    return RV_OK;
}

rv_status rv_yaml_fail(const rv_yaml *yaml, const yaml_node_t *node, const char *format, ...)
{
    char message[RV_ERROR_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return rv_fail(RV_ERR_FORMAT, "%s:%zu: %s", yaml->name, node->start_mark.line + 1, message);
}
