/* The models that can be fetched: the ONNX project's collection of networks trained on ImageNet. */
/* SPDX-License-Identifier: MIT */
#include "model/pins.h"
#include "model/internal.h"

#include <string.h>

/* Two ways to the same files, which the second redirects to the first. */
#define CLASSIFICATION "validated/vision/classification/"
static const char *const hosts[] = {
    "https://media.githubusercontent.com/media/onnx/models/main/" CLASSIFICATION,
    "https://github.com/onnx/models/raw/main/" CLASSIFICATION, NULL};
#define AT(folder, file) file, hosts, folder "/model/" file

/* How pictures were prepared for it in training; for the others as rv_preprocessing_find() has it. */
static const rv_preprocessing densenet = {
    true, 255, {103.94f, 116.78f, 123.68f}, {1 / 0.017f, 1 / 0.017f, 1 / 0.017f}};

static const rv_pin pins[] = {
    {"alexnet", AT("alexnet", "bvlcalexnet-12.onnx"),
     "6b0da9510f27f234ee96a85dc3809dd210150fdefad87f6850f9788513216945", 243863787,
     "AlexNet of Berkeley, five convolutions", "BSD-3-Clause", NULL, &rv_preprocessing_caffe},
    {"caffenet", AT("caffenet", "caffenet-12.onnx"),
     "ea563e5c47d1f58e1717cf1a2d8bf288b8adc07af0ad228b622096cd243aeecb", 243863798,
     "CaffeNet, AlexNet with pooling before its norms", "BSD-3-Clause", NULL,
     &rv_preprocessing_caffe},
    {"densenet121", AT("densenet-121", "densenet-12.onnx"),
     "0294e7e88e5b3360de9b0fdc321baf9e6ef18b7f058c4536caae3b9f18ed9ed5", 32726877, "DenseNet-121",
     "MIT", NULL, &densenet},
    {"googlenet", AT("inception_and_googlenet/googlenet", "googlenet-12.onnx"),
     "c99c507058eaf41de8723408fdda7db8325cb57f0a89f2ee07a716d6e963e14e", 28021836,
     "GoogLeNet of Berkeley, what most dream pictures were made with", "BSD-3-Clause", NULL,
     &rv_preprocessing_caffe},
    {"inception-v1", AT("inception_and_googlenet/inception_v1", "inception-v1-12.onnx"),
     "814b31a6316873bd03d2d808415ce1f40a7bf48ad88eab5ecc3cdc8dc6cf38ec", 28021958,
     "Inception v1, GoogLeNet trained anew", "MIT", NULL, NULL},
    {"inception-v2", AT("inception_and_googlenet/inception_v2", "inception-v2-9.onnx"),
     "37ed4aa93f817fd0d1cc19bda045ebd70f18d0887a5f51e66ecd0ed8fd5a65c2", 45042799,
     "Inception v2, GoogLeNet with batch norm", "MIT", NULL, NULL},
    {"mobilenetv2", AT("mobilenet", "mobilenetv2-12.onnx"),
     "c0c3f76d93fa3fd6580652a45618618a220fced18babf65774ed169de0432ad5", 13964571, "MobileNet v2",
     "Apache-2.0", NULL, &rv_preprocessing_torch},
    {"resnet18", AT("resnet", "resnet18-v1-7.onnx"),
     "4e8f8653e7a2222b3904cc3fe8e304cd8b339ce1d05fd24688162f86fb6df52c", 46820737, "ResNet-18",
     "Apache-2.0", NULL, &rv_preprocessing_torch},
    {"resnet18-v2", AT("resnet", "resnet18-v2-7.onnx"),
     "3b4d048057854022232aa20bf68262e31718ab7119a17f920b8a2dc1433f824b", 46806737,
     "ResNet-18 v2, norm and activation before each convolution", "Apache-2.0", NULL,
     &rv_preprocessing_torch},
    {"resnet34", AT("resnet", "resnet34-v1-7.onnx"),
     "883a41b2e30ddc2e422c108b091b5e70b92d37dc5c345a2c563dcae27971e2cc", 87302588, "ResNet-34",
     "Apache-2.0", NULL, &rv_preprocessing_torch},
    {"resnet34-v2", AT("resnet", "resnet34-v2-7.onnx"),
     "3d3815e25f4b1ea967e2a526a3b27ef2a03af1725bdc199a63a271c26862d914", 87288587,
     "ResNet-34 v2, norm and activation before each convolution", "Apache-2.0", NULL,
     &rv_preprocessing_torch},
    {"resnet50", AT("resnet", "resnet50-v1-12.onnx"),
     "3f03fdef724b22947eed826f1eef1dc5c34151bb4c37d634f1db89dfa2dd1526", 102576593, "ResNet-50",
     "Apache-2.0", NULL, &rv_preprocessing_torch},
    {"resnet50-v2", AT("resnet", "resnet50-v2-7.onnx"),
     "79102261eb6e5fd7af5d27f41316293e388c5cb691e5d25bfb035c4f64fefe31", 102442452,
     "ResNet-50 v2, norm and activation before each convolution", "Apache-2.0", NULL,
     &rv_preprocessing_torch},
    {"resnet101", AT("resnet", "resnet101-v1-7.onnx"),
     "760702f6ec0138f71ebac66f4e95d1c72dc9267a8544f4d4667a53075fd0497c", 178914043, "ResNet-101",
     "Apache-2.0", NULL, &rv_preprocessing_torch},
    {"resnet101-v2", AT("resnet", "resnet101-v2-7.onnx"),
     "3a0a819ea0953fb4700b0d98e43540aeee253e5b4c503c552b0c7979fc67767d", 178682301,
     "ResNet-101 v2, norm and activation before each convolution", "Apache-2.0", NULL,
     &rv_preprocessing_torch},
    {"resnet152", AT("resnet", "resnet152-v1-7.onnx"),
     "b0ec92437bf8c9d0739bf9bafdea9638e13f9e3c1e2fb766ad546cc182fd3f6d", 241816206, "ResNet-152",
     "Apache-2.0", NULL, &rv_preprocessing_torch},
    {"resnet152-v2", AT("resnet", "resnet152-v2-7.onnx"),
     "40fb3f6dd313ba786a2c8077a0ef7d7b4afeda5d037365400d3a7fbc2b1bee64", 241503848,
     "ResNet-152 v2, norm and activation before each convolution", "Apache-2.0", NULL,
     &rv_preprocessing_torch},
    {"squeezenet", AT("squeezenet", "squeezenet1.0-12.onnx"),
     "dec81a8684617770b3cf13fadc1d92565d1d453d23935fc6388b792d99c992bd", 4952956,
     "SqueezeNet 1.0, small", "Apache-2.0", NULL, &rv_preprocessing_caffe},
    {"squeezenet1.1", AT("squeezenet", "squeezenet1.1-7.onnx"),
     "1eeff551a67ae8d565ca33b572fc4b66e3ef357b0eb2863bb9ff47a918cc4088", 4956208,
     "SqueezeNet 1.1, as small and faster", "Apache-2.0", NULL, &rv_preprocessing_torch},
    {"vgg16", AT("vgg", "vgg16-12.onnx"),
     "722c42f53ca03a5480296bf8f9c85a151de3eed9ec982d7d2302ff6e2900c67b", 553437752, "VGG-16",
     "Apache-2.0", "relu5_1", &rv_preprocessing_torch},
    {"vgg16-bn", AT("vgg", "vgg16-bn-7.onnx"),
     "4fdceabf1ef715c9ed3020fa2eac1cb2a448296c086b03633c80cf47e1c5afce", 553512191,
     "VGG-16 with batch norm", "Apache-2.0", NULL, &rv_preprocessing_torch},
    {"vgg19", AT("vgg", "vgg19-7.onnx"),
     "692f9f927f1df1b89033787a77a73eac59fd9b3344f9ecdf0b13221e41c2046f", 574677321,
     "VGG-19, the usual network of style transfer", "Apache-2.0", "relu5_1",
     &rv_preprocessing_torch},
    {"vgg19-bn", AT("vgg", "vgg19-bn-7.onnx"),
     "ce0987dfa6228ad29708013f38b7f73cbc14ca6066a05fc22ee49b35871c63ed", 574774380,
     "VGG-19 with batch norm", "Apache-2.0", NULL, &rv_preprocessing_torch},
    {"vgg19-caffe", AT("vgg", "vgg19-caffe2-9.onnx"),
     "cfb97260b303ad3963999662456571b89c5f73dbdd2fd9dffd19fed7a90f766b", 574674712,
     "VGG-19 as it came from Caffe, the one of the first style transfers", "Apache-2.0", "relu5_1",
     &rv_preprocessing_vgg},
    {"zfnet512", AT("zfnet-512", "zfnet512-12.onnx"),
     "c975ca6a24c0a2e1584c6f82667e0ac9c06084fc7769d267f71b4a154d1f1c72", 349005501,
     "ZFNet, AlexNet with finer first layers", "MIT", NULL, &rv_preprocessing_caffe},
};

const rv_pin *rv_pins(size_t *n)
{
    *n = sizeof pins / sizeof pins[0];
    return pins;
}

const rv_pin *rv_pin_find(const char *name)
{
    for (size_t i = 0; i < sizeof pins / sizeof pins[0]; i++) {
        if (strcmp(pins[i].name, name) == 0) {
            return &pins[i];
        }
    }
    return NULL;
}

const rv_pin *rv_pin_find_hash(const char *sha256)
{
    for (size_t i = 0; i < sizeof pins / sizeof pins[0]; i++) {
        if (strcmp(pins[i].sha256, sha256) == 0) {
            return &pins[i];
        }
    }
    return NULL;
}
