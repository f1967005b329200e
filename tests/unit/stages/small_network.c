/* A small network with random weights, and pictures, for the tests of this folder. */
/* SPDX-License-Identifier: MIT */
#include "small_network.h"
#include "base/philox.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static const rv_blend relative = {.scale = 1, .content_layers = 1, .style_layers = 1};
const rv_style_recipe relative_recipe = {.preset = RV_PRESET_GATYS,
                                         .kind = RV_MODEL_NETWORK,
                                         .blend = &relative,
                                         .content_weight = 5,
                                         .style_weight = 100,
                                         .optimizer = RV_OPTIMIZER_ADAM,
                                         .iterations = 100};

static const char prototxt[] =
    "name: 'small' input: 'data' input_shape { dim: 1 dim: 3 dim: 20 dim: 24 }\n"
    "layer { name: 'conv1' type: 'Convolution' bottom: 'data' top: 'conv1'\n"
    "  convolution_param { num_output: 9 kernel_size: 3 pad: 1 } }\n"
    "layer { name: 'relu1' type: 'ReLU' bottom: 'conv1' top: 'conv1' }\n"
    "layer { name: 'pool1' type: 'Pooling' bottom: 'conv1' top: 'pool1'\n"
    "  pooling_param { pool: MAX kernel_size: 2 stride: 2 } }\n"
    "layer { name: 'conv2' type: 'Convolution' bottom: 'pool1' top: 'conv2'\n"
    "  convolution_param { num_output: 13 kernel_size: 3 pad: 1 } }\n"
    "layer { name: 'relu2' type: 'ReLU' bottom: 'conv2' top: 'conv2' }\n"
    "layer { name: 'conv3' type: 'Convolution' bottom: 'conv2' top: 'conv3'\n"
    "  convolution_param { num_output: 11 kernel_size: 1 } }\n"
    "layer { name: 'relu3' type: 'ReLU' bottom: 'conv3' top: 'conv3' }\n";

rv_model *small_network(void)
{
    const char *path = rv_test_path("small.prototxt");
    rv_model *model;
    rv_test_write(path, prototxt, strlen(prototxt));
    cr_assert_eq(rv_model_open(&model, path, NULL), RV_OK, "%s", rv_error_message());
    return model;
}

rv_image *waves(int width, int height, int channels, int bits, uint32_t seed)
{
    rv_image *image;
    cr_assert_eq(rv_image_create(&image, width, height, channels, bits), RV_OK);
    for (int i = 0; i < width * height * channels; i++) {
        const int x = i / channels % width, y = i / channels / width, c = i % channels;
        const float wave = sinf(0.3f * (float)x + 0.2f * (float)(y * (c + 1)) + (float)seed);
        const float v =
            0.5f + 0.3f * wave + 0.2f * (rv_philox_uniform(seed, 5, (uint32_t)i) - 0.5f);
        if (bits == 16) {
            ((uint16_t *)rv_image_pixels(image))[i] = (uint16_t)(v * 65535.0f);
        } else {
            ((uint8_t *)rv_image_pixels(image))[i] = (uint8_t)(v * 255.0f);
        }
    }
    return image;
}
