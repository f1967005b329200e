/* The built-in architectures by name, and a network of one for given pictures and classes. */
/* SPDX-License-Identifier: MIT */
#include "model/arch/arch.h"
#include "base/error.h"

#include <string.h>

enum { LARGEST_FILE = 1 << 20 };

/* Summaries stand in the list of models, model.c. */
static const rv_arch table[] = {
    {"lenet", 1, 28, 10, false, rv_arch_lenet},
    {"mlp", 1, 28, 10, true, rv_arch_mlp},
    {"resnet-18", 3, 64, 200, false, rv_arch_resnet_18},
    {"small-cnn", 3, 128, 2, false, rv_arch_small_cnn},
    {"squeezenet", 3, 227, 1000, false, rv_arch_squeezenet},
    {"vgg-s", 3, 64, 200, false, rv_arch_vgg_s},
    {"vgg16", 3, 224, 1000, false, rv_arch_vgg16},
    {"vgg19", 3, 224, 1000, false, rv_arch_vgg19},
};

enum { N_ARCHITECTURES = sizeof table / sizeof table[0] };

/* The architecture whose name `text` is, up to a colon. */
static const rv_arch *find(const char *text)
{
    const size_t n = strcspn(text, ":");
    for (size_t i = 0; i < N_ARCHITECTURES; i++) {
        if (strlen(table[i].name) == n && strncmp(table[i].name, text, n) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

static rv_status check(const char *what, int32_t value, int32_t max)
{
    return value >= 1 && value <= max ? RV_OK
                                      : rv_fail(RV_ERR_USAGE, "%s is %d, must be from 1 to %d",
                                                what, (int)value, (int)max);
}

rv_status rv_arch_set_input(rv_network *network, const rv_architecture_shape *shape)
{
    RV_TRY(check("the number of classes", shape->classes, RV_ARCH_MAX_CLASSES));
    RV_TRY(check("the width", shape->width, RV_ARCH_MAX_SIZE));
    RV_TRY(check("the height", shape->height, RV_ARCH_MAX_SIZE));
    if (shape->channels != 1 && shape->channels != 3) {
        return rv_fail(RV_ERR_USAGE, "pictures have 1 or 3 channels, not %d", (int)shape->channels);
    }
    return rv_network_set_input(network, "data", shape->channels, shape->height, shape->width);
}

static rv_status build(rv_network *network, const rv_arch *arch, const rv_architecture_shape *shape,
                       const char *words)
{
    const rv_architecture_shape own = {
        .channels = shape->channels != 0 ? shape->channels : arch->channels,
        .height = shape->height != 0 ? shape->height : arch->size,
        .width = shape->width != 0 ? shape->width : arch->size,
        .classes = shape->classes != 0 ? shape->classes : arch->classes};
    rv_chain chain = {network, "data"};
    if (words != NULL && !arch->takes_words) {
        return rv_fail(RV_ERR_USAGE, "%s takes no ':%s' behind its name", arch->name, words);
    }
    RV_TRY(rv_arch_set_input(network, &own));
    return arch->build(&chain, own.classes, words);
}

static rv_status read_file(rv_network **out, const char *path, const rv_architecture_shape *shape)
{
    rv_bytes bytes;
    RV_TRY(rv_bytes_open(&bytes, path, LARGEST_FILE));
    const rv_status status =
        rv_architecture_parse(out, (const char *)bytes.data, bytes.size, path, shape);
    rv_bytes_close(&bytes);
    return status;
}

rv_status rv_architecture_create(rv_network **out, const char *name,
                                 const rv_architecture_shape *shape)
{
    const rv_arch *arch = find(name);
    const char *extension = rv_path_extension(name);
    rv_network *network = NULL;
    *out = NULL;
    if (strcmp(extension, ".yaml") == 0 || strcmp(extension, ".yml") == 0) {
        return read_file(out, name, shape);
    }
    if (arch == NULL) {
        return RV_OK;
    }
    RV_TRY(rv_network_create(&network, name, NULL));
    const char *colon = strchr(name, ':');
    const rv_status status = build(network, arch, shape, colon != NULL ? colon + 1 : NULL);
    if (status != RV_OK) {
        rv_network_destroy(network);
        return status;
    }
    *out = network;
    return RV_OK;
}
