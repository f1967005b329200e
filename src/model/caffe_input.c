/* Where pictures come into a Caffe network: its input, or the layers that read a data set; size and mean. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/text.h"
#include "model/caffe_import.h"

#include <stdlib.h>
#include <string.h>

/* What Caffe's examples with digits take: no file of theirs says so. */
static const rv_preprocessing grey = {false, 1, {0, 0, 0}, {1, 1, 1}};

/* N,C,H,W of the network's input, from messages that hold `dim`s or `input_dim`s. */
static rv_status set_input(rv_caffe_importer *im, size_t at, size_t in, const char *dim,
                           const char *name)
{
    const rv_prototxt *doc = im->doc;
    int32_t size[4] = {0};
    int n = 0;
    for (size_t i = 0; n < 4 && (i = rv_prototxt_find(doc, in, dim, i)) != 0;
         i = doc->fields[i].end) {
        size[n++] = (int32_t)strtol(doc->fields[i].text, NULL, 0);
    }
    if (n < 4 || (size[1] != 3 && size[1] != 1) || size[2] < 1 || size[3] < 1) {
        return rv_prototxt_fail(doc, at, RV_ERR_UNSUPPORTED,
                                "input '%.100s' is %dx%dx%dx%d, but has to be Nx3xHxW or Nx1xHxW",
                                name, (int)size[0], (int)size[1], (int)size[2], (int)size[3]);
    }
    if (size[1] == 1) {
        im->network->preprocessing = grey;
    }
    return rv_network_set_input(im->network, name, size[1], size[2], size[3]);
}

rv_status rv_caffe_add_input(rv_caffe_importer *im, const rv_caffe_source *s)
{
    const char *top = rv_prototxt_text(im->doc, s->message, "top", s->name);
    const size_t shape = rv_prototxt_find(im->doc, s->param, "shape", 0);
    return im->network->input != NULL ? RV_OK : set_input(im, s->message, shape, "dim", top);
}

rv_status rv_caffe_read_input(rv_caffe_importer *im)
{
    const rv_prototxt *doc = im->doc;
    const size_t input = rv_prototxt_find(doc, RV_PROTOTXT_FILE, "input", 0);
    const size_t shape = rv_prototxt_find(doc, RV_PROTOTXT_FILE, "input_shape", 0);
    if (input == RV_PROTOTXT_NONE) {
        return RV_OK;
    }
    const char *name = doc->fields[input].text;
    return shape != RV_PROTOTXT_NONE ? set_input(im, shape, shape, "dim", name)
                                     : set_input(im, input, RV_PROTOTXT_FILE, "input_dim", name);
}

/* --- data sets ------------------------------------------------------------------------------- */

/* What a layer does to the pictures that it reads. */
typedef struct transform {
    int32_t channels, height, width; /* 0: it does not say */
    double scale;
    const char *mean_file; /* NULL: none */
    float mean[3];
    int n_means;
} transform;

/* From a message that may say it; older files do in the parameters of the data set itself. */
static void read_transform(transform *t, const rv_prototxt *doc, size_t in)
{
    if (in == RV_PROTOTXT_NONE) {
        return;
    }
    t->height = t->width = rv_prototxt_int(doc, in, "crop_size", t->height);
    t->scale = rv_prototxt_float(doc, in, "scale", t->scale);
    t->mean_file = rv_prototxt_text(doc, in, "mean_file", t->mean_file);
    if (rv_prototxt_bool(doc, in, "force_gray", false)) {
        t->channels = 1;
    }
    for (size_t i = 0; t->n_means < 3 && (i = rv_prototxt_find(doc, in, "mean_value", i)) != 0;
         i = doc->fields[i].end) {
        t->mean[t->n_means++] = (float)rv_strtod(doc->fields[i].text, NULL);
    }
}

static transform transform_of(const rv_prototxt *doc, size_t layer)
{
    static const char *const older[] = {"data_param", "image_data_param", "window_data_param"};
    transform t = {.channels = 3, .scale = 1};
    for (size_t i = 0; i < sizeof older / sizeof older[0]; i++) {
        read_transform(&t, doc, rv_prototxt_find(doc, layer, older[i], 0));
    }
    read_transform(&t, doc, rv_prototxt_find(doc, layer, "transform_param", 0));
    const size_t memory = rv_prototxt_find(doc, layer, "memory_data_param", 0);
    if (memory != RV_PROTOTXT_NONE && t.height == 0) {
        t.channels = rv_prototxt_int(doc, memory, "channels", t.channels);
        t.height = rv_prototxt_int(doc, memory, "height", 0);
        t.width = rv_prototxt_int(doc, memory, "width", 0);
    }
    return t;
}

/* The mean file lay somewhere on the computer of who trained the network: what counts is its name beside the graph. */
static rv_status read_mean_file(transform *t, rv_network *network, const rv_prototxt *doc)
{
    char *folder = NULL, *path = NULL;
    rv_status status = rv_path_folder(&folder, doc->file);
    if (status == RV_OK) {
        status = rv_path_join(&path, folder, rv_path_base(t->mean_file));
    }
    if (status == RV_OK && rv_path_exists(path)) {
        status = rv_mean_file_read(t->mean, path);
        t->n_means = 3;
    }
    free(folder);
    free(network->mean_file);
    network->mean_file = path;
    return status;
}

/* Without any word on a mean there is none; where its file is missing, it is that of the network's family. */
static rv_status set_preprocessing(rv_network *network, transform *t, const rv_prototxt *doc)
{
    rv_preprocessing *p = &network->preprocessing;
    if (t->n_means == 0 && t->mean_file != NULL) {
        RV_TRY(read_mean_file(t, network, doc));
    }
    const bool known = t->n_means > 0 || t->mean_file == NULL;
    for (int c = 0; c < 3; c++) {
        const float mean = !known ? p->mean[c] : t->n_means == 1 ? t->mean[0] : t->mean[c];
        p->mean[c] = mean * (float)t->scale;
    }
    p->range *= (float)t->scale;
    return RV_OK;
}

/* A layer that reads a data set stands for the input; it knows size and mean. */
rv_status rv_caffe_add_data(rv_caffe_importer *im, const rv_caffe_source *s)
{
    const rv_prototxt *doc = im->doc;
    transform t = transform_of(doc, s->message);
    if (im->network->input != NULL) {
        return RV_OK;
    }
    if (t.height < 1 || t.width < 1 || (t.channels != 3 && t.channels != 1)) {
        return rv_prototxt_fail(doc, s->message, RV_ERR_UNSUPPORTED,
                                "layer '%.100s' does not say the size of its pictures; put "
                                "input_shape into the file instead",
                                s->name);
    }
    RV_TRY(set_preprocessing(im->network, &t, doc));
    return rv_network_set_input(im->network, rv_prototxt_text(doc, s->message, "top", s->name),
                                t.channels, t.height, t.width);
}
