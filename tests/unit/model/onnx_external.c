/* Weights of ONNX models in files beside them: taken from the model's folder, and from nowhere else. */
/* SPDX-License-Identifier: MIT */
#include "model/model.h"
#include "model/onnx.h"
#include "support/assert.h"
#include "support/onnx_text.h"
#include "support/scratch.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD "opset 13\ninput x 1 3 4 4\noutput y\n"

static rv_status open_external(const char *entries)
{
    char text[512];
    rv_onnx *onnx;
    snprintf(text, sizeof text, HEAD "external w 2 3 1 1 = %s\nConv c x,w y", entries);
    const rv_status status = rv_onnx_open(&onnx, rv_test_onnx_file("e.onnx", text));
    rv_onnx_close(onnx);
    return status;
}

Test(onnx_external, external_data_come_from_the_models_folder)
{
    static const float values[7] = {9, 1, 2, 3, 4, 5, 6};
    rv_model *m;
    rv_model_graph graph;
    rv_model_options options = RV_MODEL_OPTIONS_INIT;
    options.preprocess = "unit";
    rv_test_write(rv_test_path("w.bin"), values, sizeof values);
    const char *path = rv_test_onnx_file(
        "m.onnx", HEAD "external w 2 3 1 1 = location=w.bin offset=4 length=24 checksum=7\n"
                       "Conv c x,w y");
    RV_ASSERT_OK(rv_model_open(&m, path, &options));
    RV_ASSERT_OK(rv_model_build(&graph, m, NULL, 0));
    cr_assert_arr_eq(rv_graph_param(graph.graph, 1, 0)->data, values + 1, 6 * sizeof(float));
    char hash[65]; /* of the graph, it would not change with the weights */
    RV_ASSERT_FAILS(rv_model_hash(m, hash, NULL), RV_ERR_USAGE, "in other files, such as w.bin");
    rv_graph_destroy(graph.graph);
    rv_model_close(m);
}

Test(onnx_external, external_data_from_elsewhere_are_refused)
{
    static const float values[6] = {0};
    const char *outside = "files beside a model have to lie in its folder";
    rv_test_write(rv_test_path("w.bin"), values, sizeof values);
    cr_assert_eq(symlink("w.bin", rv_test_path("link.bin")), 0);
    cr_assert_eq(symlink(".", rv_test_path("here")), 0);
    cr_assert_eq(link(rv_test_path("w.bin"), rv_test_path("second.bin")), 0);
    cr_assert_eq(mkdir(rv_test_path("sub"), 0700), 0);
    RV_ASSERT_FAILS(open_external("location=sub/../../w.bin"), RV_ERR_UNSUPPORTED, outside);
    RV_ASSERT_FAILS(open_external("location=../w.bin"), RV_ERR_UNSUPPORTED, outside);
    RV_ASSERT_FAILS(open_external("location=a/../../w.bin"), RV_ERR_NOT_FOUND, "a/../../w.bin");
    RV_ASSERT_FAILS(open_external("location=./w.bin"), RV_ERR_UNSUPPORTED, outside);
    RV_ASSERT_FAILS(open_external("location=/etc/passwd"), RV_ERR_UNSUPPORTED, outside);
    RV_ASSERT_FAILS(open_external("location=link.bin"), RV_ERR_UNSUPPORTED, outside);
    RV_ASSERT_FAILS(open_external("location=here/w.bin"), RV_ERR_UNSUPPORTED, outside);
    RV_ASSERT_FAILS(open_external("location=second.bin"), RV_ERR_UNSUPPORTED, outside);
    RV_ASSERT_FAILS(open_external("location=none.bin"), RV_ERR_NOT_FOUND, "none.bin");
    RV_ASSERT_FAILS(open_external("location="), RV_ERR_FORMAT, "another file that is not named");
}

Test(onnx_external, places_beyond_external_data_are_refused)
{
    static const float values[6] = {0};
    rv_test_write(rv_test_path("w.bin"), values, sizeof values);
    RV_ASSERT_OK(open_external("location=w.bin"));
    RV_ASSERT_FAILS(open_external("location=w.bin offset=1"), RV_ERR_FORMAT, "takes 24 bytes");
    RV_ASSERT_FAILS(open_external("location=w.bin offset=9223372036854775807"), RV_ERR_FORMAT,
                    "from byte 9223372036854775807 on");
    RV_ASSERT_FAILS(open_external("location=w.bin offset=-4"), RV_ERR_FORMAT, "offset");
    RV_ASSERT_FAILS(open_external("location=w.bin length=20"), RV_ERR_FORMAT, "takes 24 bytes");
    RV_ASSERT_FAILS(open_external("location=w.bin length=99999999999999999999"), RV_ERR_FORMAT,
                    "length");
}
