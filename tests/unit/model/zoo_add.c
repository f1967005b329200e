/* Adding files to the user's models. */
/* SPDX-License-Identifier: MIT */
#include "base/file.h"
#include "base/npy.h"
#include "model/pins.h"
#include "model/safetensors.h"
#include "model/shelf.h"
#include "model/zoo.h"
#include "support/assert.h"
#include "support/onnx_text.h"
#include "support/scratch.h"

#include <reverie/reverie.h>
#include <stdlib.h>
#include <unistd.h>

static char made[512];

static void begin(void)
{
    rv_model *model;
    setenv("XDG_DATA_HOME", rv_test_path("data"), 1);
    RV_ASSERT_OK(rv_model_open(&model, "lenet", NULL));
    snprintf(made, sizeof made, "%s", rv_test_path("made here.safetensors"));
    RV_ASSERT_OK(rv_model_save(model, made, NULL));
    rv_model_close(model);
}

TestSuite(zoo_add, .init = begin);

/* Opens as a model with weights that is called `name` in its file. */
static void check_opens(const char *name)
{
    rv_model *model;
    RV_ASSERT_OK(rv_model_open(&model, name, NULL));
    cr_assert_str_eq(rv_model_name(model), "lenet");
    cr_assert(!rv_model_is_random(model));
    rv_model_close(model);
}

Test(zoo_add, a_file_is_copied_and_called_by_its_name)
{
    char *name;
    RV_ASSERT_OK(rv_zoo_add(&name, made, NULL));
    cr_assert_str_eq(name, "made-here");
    free(name);
    cr_assert_eq(remove(made), 0);
    check_opens("made-here");
}

Test(zoo_add, a_taken_name_is_kept_unless_told_otherwise)
{
    rv_add_options options = RV_ADD_OPTIONS_INIT;
    options.name = "mine";
    RV_ASSERT_OK(rv_zoo_add(NULL, made, &options));
    RV_ASSERT_FAILS(rv_zoo_add(NULL, made, &options), RV_ERR_USAGE, "a model 'mine' already");
    options.overwrite = true;
    RV_ASSERT_OK(rv_zoo_add(NULL, made, &options));
    check_opens("mine");
    static const char *const none[] = {"builtin", "a/b", "..", "", "x.onnx", "-x", "mlp:3"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        options.name = none[i];
        RV_ASSERT_FAILS(rv_zoo_add(NULL, made, &options), RV_ERR_USAGE, "cannot be called");
    }
}

Test(zoo_add, a_link_stays_where_it_is)
{
    char *path;
    rv_add_options options = RV_ADD_OPTIONS_INIT;
    options.name = "mine";
    options.link = true;
    RV_ASSERT_OK(rv_zoo_add(NULL, made, &options));
    RV_ASSERT_OK(rv_zoo_find(&path, "mine"));
    cr_assert(rv_path_same_file(path, made));
    free(path);
    check_opens("mine");
    cr_assert_eq(remove(made), 0);
    rv_model *model;
    RV_ASSERT_FAILS(rv_model_open(&model, "mine", NULL), RV_ERR_NOT_FOUND, made);
}

Test(zoo_add, converting_leaves_the_file_alone)
{
    char *path;
    rv_model_save_options save = RV_MODEL_SAVE_OPTIONS_INIT;
    rv_add_options options = RV_ADD_OPTIONS_INIT;
    save.half = true;
    options.name = "mine";
    options.convert = &save;
    RV_ASSERT_OK(rv_zoo_add(NULL, made, &options));
    cr_assert(rv_path_exists(made));
    RV_ASSERT_OK(rv_zoo_find(&path, "mine"));
    cr_assert_str_eq(path, rv_test_path("data/reverie/models/mine/mine.safetensors"));
    free(path);
    check_opens("mine");
}

Test(zoo_add, weights_take_graph_and_class_names_along)
{
    static const char net[] =
        "input: 'data' input_shape { dim: 1 dim: 3 dim: 4 dim: 4 }\n"
        "layer { name: 'dots' type: 'Convolution' bottom: 'data' top: 'dots'\n"
        "  convolution_param { num_output: 2 kernel_size: 1 bias_term: false } }\n";
    /* a layer: name, type, and a blob of 2x3x1x1 zeros */
    static const char weights[58] = "\xa2\x06\x37\n\x04"
                                    "dots\x12\x0b"
                                    "Convolution:\"\x3a\x06\n\x04\x02\x03\x01\x01*\x18";
    rv_model *model;
    rv_test_write(rv_test_path("net.prototxt"), net, sizeof net - 1);
    rv_test_write(rv_test_path("other.prototxt"), net, sizeof net - 1);
    rv_test_write(rv_test_path("labels.txt"), "one\ntwo\n", 8);
    rv_test_write(rv_test_path("net.caffemodel"), weights, sizeof weights);
    RV_ASSERT_OK(rv_zoo_add(NULL, rv_test_path("net.caffemodel"), NULL));
    RV_ASSERT_OK(rv_model_open(&model, "net", NULL));
    cr_assert_eq(rv_model_label_count(model), 2);
    rv_model_close(model);
    cr_assert_eq(rv_test_count_files(rv_test_path("data/reverie/models/net")), 4);
}

/* Adds a network whose graph names the mean file mean.npy; gives the mean that it then has. */
static float mean_once_added(void)
{
    static const char net[] =
        "layer { name: 'data' type: 'Data' top: 'data'\n"
        "  transform_param { crop_size: 4 mean_file: '/home/somebody/mean.npy' } }\n"
        "layer { name: 'dots' type: 'Convolution' bottom: 'data' top: 'dots'\n"
        "  convolution_param { num_output: 2 kernel_size: 1 bias_term: false } }\n";
    static const float values[6] = {0};
    const rv_stored_tensor tensor = {"dots.weight", rv_shape_4(2, 3, 1, 1), values};
    rv_add_options options = RV_ADD_OPTIONS_INIT;
    rv_model *model;
    options.name = "mine";
    options.overwrite = true;
    rv_test_write(rv_test_path("net.prototxt"), net, sizeof net - 1);
    RV_ASSERT_OK(rv_safetensors_write(rv_test_path("net.safetensors"), &tensor, 1, NULL, 0,
                                      &(rv_store_options){0}));
    RV_ASSERT_OK(rv_zoo_add(NULL, rv_test_path("net.safetensors"), &options));
    RV_ASSERT_OK(rv_model_open(&model, "mine", NULL));
    const float mean = rv_model_preprocessing(model)->mean[0];
    rv_model_close(model);
    return mean;
}

Test(zoo_add, the_mean_file_of_the_graph_goes_along)
{
    static const float means[3] = {7, 8, 9};
    static const size_t three = 3;
    RV_ASSERT_OK(rv_npy_write(rv_test_path("mean.npy"), means, 1, &three, true));
    cr_assert_eq(mean_once_added(), 7);
    cr_assert(rv_path_exists(rv_test_path("data/reverie/models/mine/mean.npy")));
    /* That of the model before is not taken for one that is missing. */
    cr_assert_eq(remove(rv_test_path("mean.npy")), 0);
    cr_assert_eq(mean_once_added(), 104);
    cr_assert(!rv_path_exists(rv_test_path("data/reverie/models/mine/mean.npy")));
}

Test(zoo_add, tensors_alone_take_their_graph_along)
{
    static const char net[] =
        "input: 'data' input_shape { dim: 1 dim: 3 dim: 4 dim: 4 }\n"
        "layer { name: 'dots' type: 'Convolution' bottom: 'data' top: 'dots'\n"
        "  convolution_param { num_output: 2 kernel_size: 1 bias_term: false } }\n";
    const float values[6] = {0};
    const rv_stored_tensor tensor = {"dots.weight", rv_shape_4(2, 3, 1, 1), values};
    rv_model *model;
    rv_test_write(rv_test_path("net.prototxt"), net, sizeof net - 1);
    RV_ASSERT_OK(rv_safetensors_write(rv_test_path("net.safetensors"), &tensor, 1, NULL, 0,
                                      &(rv_store_options){0}));
    RV_ASSERT_OK(rv_zoo_add(NULL, rv_test_path("net.safetensors"), NULL));
    RV_ASSERT_OK(rv_model_open(&model, "net", NULL));
    cr_assert(!rv_model_is_random(model));
    rv_model_close(model);
}

Test(zoo_add, what_belonged_to_a_replaced_model_goes_with_it)
{
    rv_model *model;
    rv_add_options options = RV_ADD_OPTIONS_INIT;
    options.name = "mine";
    options.overwrite = true;
    const char *path = rv_test_onnx_file("net.onnx", "opset 13\nproducer pytorch\n"
                                                     "input x 1 3 4 4\noutput y\nRelu r x y");
    rv_test_write(rv_test_path("labels.txt"), "one\ntwo\n", 8);
    RV_ASSERT_OK(rv_zoo_add(NULL, path, &options));
    RV_ASSERT_OK(rv_model_open(&model, "mine", NULL));
    cr_assert_eq(rv_model_label_count(model), 2);
    rv_model_close(model);
    /* Added where it lies, it keeps its names. */
    RV_ASSERT_OK(rv_zoo_add(NULL, rv_test_path("data/reverie/models/mine/mine.onnx"), &options));
    cr_assert(rv_path_exists(rv_test_path("data/reverie/models/mine/labels.txt")));
    cr_assert_eq(remove(rv_test_path("labels.txt")), 0);
    RV_ASSERT_OK(rv_zoo_add(NULL, path, &options));
    RV_ASSERT_OK(rv_model_open(&model, "mine", NULL));
    cr_assert_eq(rv_model_label_count(model), 0);
    rv_model_close(model);
}

#define ONNX "opset 13\ninput x 1 3 4 4\noutput y\n"

Test(zoo_add, preprocessing_that_was_told_is_kept)
{
    const char *path = rv_test_onnx_file("net.onnx", ONNX "Relu r x y");
    rv_model_options open = RV_MODEL_OPTIONS_INIT;
    rv_add_options options = RV_ADD_OPTIONS_INIT;
    rv_model *model;
    RV_ASSERT_FAILS(rv_zoo_add(NULL, path, NULL), RV_ERR_USAGE, "--preprocess torch");
    options.preprocess = "cafe";
    RV_ASSERT_FAILS(rv_zoo_add(NULL, path, &options), RV_ERR_USAGE, "the nearest is 'caffe'");
    cr_assert(!rv_path_exists(rv_test_path("data/reverie")));
    options.preprocess = "caffe";
    RV_ASSERT_OK(rv_zoo_add(NULL, path, &options));
    RV_ASSERT_OK(rv_model_open(&model, "net", NULL));
    cr_assert_eq(rv_model_preprocessing(model)->mean[0], 104);
    rv_model_close(model);
    open.preprocess = "unit";
    RV_ASSERT_OK(rv_model_open(&model, "net", &open));
    cr_assert_eq(rv_model_preprocessing(model)->mean[0], 0);
    rv_model_close(model);
}

Test(zoo_add, preprocessing_that_was_told_stands_before_what_is_known_of_the_file)
{
    const rv_pin *known = rv_pin_find("alexnet");
    char *folder, sha256[RV_SHA256_TEXT], preprocess[] = "unit";
    rv_model *model;
    cr_assert_eq(known->preprocessing->mean[0], 104);
    RV_ASSERT_OK(rv_shelf_folder(&folder, "mine"));
    RV_ASSERT_OK(rv_folder_make(folder, 0755));
    free(folder);
    snprintf(sha256, sizeof sha256, "%s", known->sha256);
    rv_shelf_item item = {.file = made, .sha256 = sha256};
    RV_ASSERT_OK(rv_shelf_write("mine", &item));
    RV_ASSERT_OK(rv_model_open(&model, "mine", NULL));
    cr_assert_eq(rv_model_preprocessing(model)->mean[0], 104);
    rv_model_close(model);
    item.preprocess = preprocess;
    RV_ASSERT_OK(rv_shelf_write("mine", &item));
    RV_ASSERT_OK(rv_model_open(&model, "mine", NULL));
    cr_assert_eq(rv_model_preprocessing(model)->mean[0], 0);
    rv_model_close(model);
}

Test(zoo_add, a_folder_named_like_a_preprocessing_is_no_mean_file)
{
    char start[4096];
    rv_shelf_item item;
    rv_add_options options = RV_ADD_OPTIONS_INIT;
    cr_assert_not_null(getcwd(start, sizeof start));
    RV_ASSERT_OK(rv_folder_make(rv_test_path("caffe"), 0755));
    cr_assert_eq(chdir(rv_test_path("")), 0);
    options.name = "mine";
    options.preprocess = "caffe";
    const rv_status status = rv_zoo_add(NULL, made, &options);
    cr_assert_eq(chdir(start), 0);
    RV_ASSERT_OK(status);
    RV_ASSERT_OK(rv_shelf_read(&item, "mine"));
    cr_assert_str_eq(item.preprocess, "caffe");
    rv_shelf_release(&item);
}

Test(zoo_add, a_model_in_several_files_stays_where_it_is)
{
    static const float weights[6] = {1, 2, 3, 4, 5, 6};
    const char *path = rv_test_onnx_file("net.onnx", ONNX
                                         "producer pytorch\n"
                                         "external W 2 3 1 1 = location=w.bin offset=0 length=24\n"
                                         "Conv c x,W y kernel_shape=1,1");
    rv_add_options options = RV_ADD_OPTIONS_INIT;
    rv_test_write(rv_test_path("w.bin"), weights, sizeof weights);
    RV_ASSERT_FAILS(rv_zoo_add(NULL, path, NULL), RV_ERR_UNSUPPORTED,
                    "needs files beside it, which are not copied; --link");
    cr_assert(!rv_path_exists(rv_test_path("data/reverie/models/net")));
    options.link = true;
    rv_model *model;
    RV_ASSERT_OK(rv_zoo_add(NULL, path, &options));
    RV_ASSERT_OK(rv_model_open(&model, "net", NULL));
    rv_model_close(model);
}

Test(zoo_add, what_is_no_model_is_told_by_its_content)
{
    static const struct {
        const char *name, *content;
        rv_status status;
        const char *words;
    } cases[] = {
        {"a.onnx", "version https://git-lfs.github.com/spec/v1\noid", RV_ERR_UNSUPPORTED,
         "Git LFS"},
        {"a.onnx", "<!DOCTYPE html><html>", RV_ERR_UNSUPPORTED, "a web page"},
        {"a.caffemodel", "\x1f\x8b\x08", RV_ERR_UNSUPPORTED, "gzip"},
        {"a.prototxt", "name: 'x'", RV_ERR_UNSUPPORTED, "holds no weights"},
        {"a.caffemodel", "\x08\x07\x12\x07pytorch", RV_ERR_USAGE, "is a .onnx by its content"},
        {"a.safetensors", "", RV_ERR_FORMAT, "is empty"},
        {"vgg19-7.onnx", "\x08\x07\x12\x07pytorch", RV_ERR_FORMAT,
         "instead of 692f9f927f1df1b89033787a77a73eac59fd9b3344f9ecdf0b13221e41c2046f"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = rv_test_path(cases[i].name);
        rv_test_write(path, cases[i].content, strlen(cases[i].content));
        RV_ASSERT_FAILS(rv_zoo_add(NULL, path, NULL), cases[i].status, cases[i].words);
        cr_assert(strstr(rv_error_message(), cases[i].name) != NULL, "%s", rv_error_message());
    }
    RV_ASSERT_FAILS(rv_zoo_add(NULL, rv_test_path("none.onnx"), NULL), RV_ERR_NOT_FOUND,
                    "none.onnx");
    cr_assert(!rv_path_exists(rv_test_path("data/reverie")));
}

Test(zoo_add, a_damaged_note_is_named)
{
    rv_model *model;
    RV_ASSERT_OK(rv_folder_make(rv_test_path("data/reverie/models/bad"), 0755));
    rv_test_write(rv_test_path("data/reverie/models/bad/model.json"), "{\"file\": \"../x\"}", 16);
    RV_ASSERT_FAILS(rv_model_open(&model, "bad", NULL), RV_ERR_FORMAT, "bad/model.json is damaged");
}
