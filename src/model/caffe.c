/* Reads a Caffe network from its prototxt: `layer` and the older `layers`, in the test phase. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/text.h"
#include "model/caffe_import.h"

#include <string.h>

/* Text beyond this is no description of a network. */
static const size_t max_file_bytes = (size_t)64 << 20;

/* Whether a rule holds in the test phase at level 0 without stages. */
static bool rule_holds(const rv_prototxt *doc, size_t rule)
{
    const char *phase = rv_prototxt_text(doc, rule, "phase", "TEST");
    return (strcmp(phase, "TEST") == 0 || strcmp(phase, "1") == 0) &&
           rv_prototxt_int(doc, rule, "min_level", 0) <= 0 &&
           rv_prototxt_int(doc, rule, "max_level", 0) >= 0 &&
           rv_prototxt_find(doc, rule, "stage", 0) == RV_PROTOTXT_NONE;
}

static bool is_included(const rv_prototxt *doc, size_t layer)
{
    bool any = false;
    for (size_t i = 0; (i = rv_prototxt_find(doc, layer, "include", i)) != 0;
         i = doc->fields[i].end) {
        if (rule_holds(doc, i)) {
            return true;
        }
        any = true;
    }
    for (size_t i = 0; (i = rv_prototxt_find(doc, layer, "exclude", i)) != 0;
         i = doc->fields[i].end) {
        any = any || rule_holds(doc, i);
    }
    return !any;
}

static rv_status import_layer(rv_caffe_importer *im, size_t message, bool v1)
{
    const char *name = rv_prototxt_text(im->doc, message, "name", "");
    if (!is_included(im->doc, message)) {
        return RV_OK;
    }
    if (rv_prototxt_find(im->doc, message, "layer", 0) != RV_PROTOTXT_NONE) {
        return rv_prototxt_fail(im->doc, message, RV_ERR_UNSUPPORTED,
                                "this is Caffe's oldest format; convert the file with "
                                "upgrade_net_proto_text");
    }
    if (name[0] == '\0') {
        return rv_prototxt_fail(im->doc, message, RV_ERR_FORMAT, "a layer has no name");
    }
    return rv_caffe_layer(im, message, name, v1);
}

/* Layers that cannot be run: the first with its reason, the others by name, so that all are known at once. */
typedef struct refused {
    rv_error first;
    rv_text others;
    int n;
} refused;

enum { MOST_NAMED = 8 };

static void add_refused(refused *r, const rv_caffe_importer *im, size_t message)
{
    if (r->n == 0) {
        rv_error_save(&r->first, RV_ERR_UNSUPPORTED);
    } else if (r->n <= MOST_NAMED) {
        rv_text_append(&r->others, "%s'%.60s' (%.40s)", r->n > 1 ? ", " : "",
                       rv_prototxt_text(im->doc, message, "name", ""),
                       rv_prototxt_text(im->doc, message, "type", "?"));
    }
    r->n++;
}

static rv_status fail_refused(const refused *r)
{
    const int more = r->n - 1 - MOST_NAMED;
    if (r->n == 1 || r->others.data == NULL) {
        return rv_error_restore(&r->first);
    }
    return more > 0 ? rv_fail(RV_ERR_UNSUPPORTED, "%.600s; nor these: %s and %d more",
                              r->first.message, r->others.data, more)
                    : rv_fail(RV_ERR_UNSUPPORTED, "%.600s; nor %s: %s", r->first.message,
                              r->n == 2 ? "this one" : "these", r->others.data);
}

static rv_status import_layers(rv_caffe_importer *im)
{
    const rv_prototxt *doc = im->doc;
    refused r = {.n = 0};
    rv_status status = RV_OK;
    for (size_t i = RV_PROTOTXT_FILE + 1; i < doc->n && status == RV_OK; i = doc->fields[i].end) {
        const bool v1 = strcmp(doc->fields[i].name, "layers") == 0;
        if (v1 || strcmp(doc->fields[i].name, "layer") == 0) {
            status = import_layer(im, i, v1);
        }
        /* Without a name it is of a format that cannot be read at all. */
        const bool named = rv_prototxt_find(doc, i, "name", 0) != RV_PROTOTXT_NONE;
        if (status == RV_ERR_UNSUPPORTED && named) {
            add_refused(&r, im, i);
            status = RV_OK;
        }
    }
    if (status == RV_OK && r.n > 0) {
        status = fail_refused(&r);
    }
    rv_text_release(&r.others);
    return status;
}

static rv_status import(rv_caffe_importer *im)
{
    RV_TRY(rv_caffe_read_input(im));
    RV_TRY(import_layers(im));
    if (im->network->n_layers == 0) {
        return rv_fail(RV_ERR_FORMAT, "%s describes no layers", im->doc->file);
    }
    if (im->network->input == NULL) {
        return rv_fail(RV_ERR_FORMAT,
                       "%s has no input: it needs input and input_shape, or a layer "
                       "of type Input",
                       im->doc->file);
    }
    return RV_OK;
}

/* The VGG networks were trained with a mean of their own, which their files do not hold. */
static void set_mean(rv_network *network)
{
    if (strncmp(network->name, "VGG", 3) == 0 || strncmp(network->name, "vgg", 3) == 0) {
        network->preprocessing = rv_preprocessing_vgg;
    }
}

rv_status rv_caffe_parse(rv_network **out, const char *text, size_t size, const char *file)
{
    rv_prototxt doc;
    *out = NULL;
    rv_caffe_importer im = {&doc, NULL};
    RV_TRY(rv_prototxt_parse(&doc, text, size, file));
    rv_status status = rv_prototxt_check(&doc, rv_caffe_rules);
    if (status == RV_OK) {
        const char *name = rv_prototxt_text(&doc, RV_PROTOTXT_FILE, "name", "network");
        status = rv_network_create(&im.network, name, file);
    }
    if (status == RV_OK) {
        set_mean(im.network);
        status = import(&im);
    }
    rv_prototxt_release(&doc);
    if (status != RV_OK) {
        rv_network_destroy(im.network);
        return status;
    }
    *out = im.network;
    return RV_OK;
}

rv_status rv_caffe_network(rv_network **out, const char *path)
{
    rv_bytes bytes;
    RV_TRY(rv_bytes_open(&bytes, path, max_file_bytes));
    const rv_status status = rv_caffe_parse(out, (const char *)bytes.data, bytes.size, path);
    rv_bytes_close(&bytes);
    return status;
}
