/* Lists of layers: weights as shares, mistakes named, and the defaults of networks. */
/* SPDX-License-Identifier: MIT */
#include "stages/layer_list.h"
#include "small_network.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static void gives(const char *text, const char *expected)
{
    rv_layer_list list;
    char *back;
    double sum = 0;
    cr_assert_eq(rv_layer_list_parse(&list, text, "style_layers"), RV_OK, "%s", rv_error_message());
    for (size_t i = 0; i < list.n; i++) {
        sum += list.items[i].weight;
    }
    cr_assert_float_eq(sum, 1, 1e-12);
    cr_assert_eq(rv_layer_list_text(&back, &list), RV_OK);
    cr_assert_str_eq(back, expected);
    free(back);
    rv_layer_list_release(&list);
}

Test(layer_list, weights_become_shares)
{
    gives("relu4_2", "relu4_2");
    gives("a,b", "a,b");
    gives("a:1,b:0.5,c:2.5", "a:0.25,b:0.125,c:0.625");
    gives("a:3,b", "a:0.75,b:0.25");
    gives("fire2/concat:2,b:2", "fire2/concat,b");
}

static void refuses(const char *text, const char *message)
{
    rv_layer_list list;
    cr_assert_eq(rv_layer_list_parse(&list, text, "style_layers"), RV_ERR_USAGE, "%s", text);
    cr_assert_null(list.items);
    cr_assert_str_eq(rv_error_message(), message);
}

Test(layer_list, mistakes_are_named)
{
    refuses("", "style_layers: a name is empty");
    refuses("a,,b", "style_layers: a name is empty");
    refuses(":1", "style_layers: a name is empty");
    refuses("a:0", "style_layers: the weight of 'a' has to be above 0");
    refuses("a:-1", "style_layers: a is -1, must be from 0 to 1e+06");
    refuses("a:nan", "style_layers: a is 'nan', must be a number");
    refuses("a,b,a:2", "style_layers: 'a' is given twice");
}

static void defaults_are(rv_model *model, const char *content, const char *style)
{
    char *c, *s;
    cr_assert_eq(rv_default_layers(&c, &s, model), RV_OK, "%s", rv_error_message());
    cr_assert_str_eq(c, content);
    cr_assert_str_eq(s, style);
    free(c);
    free(s);
    rv_model_close(model);
}

Test(layer_list, defaults_are_those_known_or_by_the_rule_the_usual_ones_of_vgg)
{
    rv_model *model;
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(rv_model_open(&model, i == 0 ? "vgg16" : "vgg19", NULL), RV_OK);
        defaults_are(model, "relu4_2", "relu1_1,relu2_1,relu3_1,relu4_1,relu5_1");
    }
    cr_assert_eq(rv_model_open(&model, "squeezenet", NULL), RV_OK);
    defaults_are(model, "fire4/concat,fire6/concat",
                 "relu_conv1,fire2/concat,fire4/concat,fire6/concat,fire8/concat");
    cr_assert_eq(rv_model_open(&model, "vgg-s", NULL), RV_OK);
    defaults_are(model, "relu3_2,relu4_2", "relu1_1,relu2_1,relu3_1,relu4_1,relu5_1");
    defaults_are(small_network(), "relu1", "relu1,relu2");
}
