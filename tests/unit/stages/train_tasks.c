/* Learning quantities and several labels: it works, the model knows its units, and everything measures the same. */
/* SPDX-License-Identifier: MIT */
#include <reverie/features.h>
#include <reverie/image.h>
#include <reverie/train.h>
#include <reverie/visualize.h>

#include "support/assert.h"
#include "support/device.h"
#include "support/scratch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 160, SIDE = 8 };

static rv_device *device;

/* Where the bars of picture i lie: upright in a column, lying in a row; -1: there is none. */
static void bars_of(int i, int *column, int *row)
{
    *column = i % 4 == 1 || i % 4 == 3 ? i / 4 % SIDE : -1;
    *row = i % 4 == 2 || i % 4 == 3 ? i / 4 * 3 % SIDE : -1;
}

static void write_picture(int i, int column, int row)
{
    static uint32_t noise = 1;
    char name[32];
    rv_image *image;
    snprintf(name, sizeof name, "%d.png", i);
    RV_ASSERT_OK(rv_image_create(&image, SIDE, SIDE, 3, 8));
    uint8_t *p = rv_image_pixels(image);
    for (int k = 0; k < SIDE * SIDE; k++) {
        const bool bright = k % SIDE == column || k / SIDE == row;
        for (int c = 0; c < 3; c++) {
            noise = noise * 1664525u + 1013904223u;
            p[3 * k + c] = (uint8_t)((noise >> 26) + (bright ? 150 : 0));
        }
    }
    RV_ASSERT_OK(rv_image_write(image, rv_test_path(name), NULL));
    rv_image_destroy(image);
}

/* labels.csv: which bars there are; values.csv of all with both: 1000 + 100 times the column, and a hundredth of the
 * row. */
static void build(void)
{
    FILE *labels = fopen(rv_test_path("labels.csv"), "w");
    FILE *values = fopen(rv_test_path("values.csv"), "w");
    device = rv_test_device();
    cr_assert(labels != NULL && values != NULL);
    fputs("picture,column;row\n", values);
    for (int i = 0; i < N; i++) {
        int column, row;
        bars_of(i, &column, &row);
        write_picture(i, column, row);
        fprintf(labels, "%d.png,%s%s%s\n", i, column >= 0 ? "upright" : "",
                column >= 0 && row >= 0 ? ";" : "", row >= 0 ? "lying" : "");
        if (column >= 0) {
            fprintf(values, "%d.png,%d;%g\n", i, 1000 + 100 * column, 0.01 * row);
        }
    }
    fclose(labels);
    fclose(values);
}

static void destroy(void)
{
    rv_device_close(device);
}

TestSuite(train_tasks, .init = build, .fini = destroy);

static rv_train_options bars(const char *loss)
{
    rv_train_options o = rv_train_defaults();
    o.architecture = "mlp:48";
    o.size = SIDE;
    o.loss = loss;
    o.epochs = 30;
    o.batch = 8;
    o.optimizer = "adam";
    o.learning_rate = 0.005;
    o.seed = 4;
    return o;
}

static rv_status run(rv_train_result *result, const char *list, const char *folder,
                     const rv_train_options *o)
{
    return rv_train(result, device, rv_test_path(list), rv_test_path(folder), o);
}

/* The best model of a run, measured on what was held back. */
static void evaluate(rv_evaluation **e, rv_model **model, const char *list, const char *best)
{
    rv_evaluate_options how = RV_EVALUATE_OPTIONS_INIT;
    how.validation = 0.2;
    how.seed = 4;
    how.batch = 7;
    RV_ASSERT_OK(rv_model_open(model, rv_test_path(best), NULL));
    RV_ASSERT_OK(rv_evaluate(e, device, *model, rv_test_path(list), &how));
}

static size_t classify(rv_prediction out[4], const rv_model *model, int picture)
{
    rv_features *features;
    char name[32];
    size_t n;
    snprintf(name, sizeof name, "%d.png", picture);
    RV_ASSERT_OK(rv_features_create(&features, model, device, NULL, 0));
    RV_ASSERT_OK(rv_features_run_file(features, rv_test_path(name), NULL));
    RV_ASSERT_OK(rv_classify(out, &n, features, 0, 4));
    rv_features_destroy(features);
    return n;
}

Test(train_tasks, quantities_are_learned_and_told_in_their_units)
{
    rv_train_options o = bars("mse");
    rv_train_result result;
    rv_evaluation *e;
    rv_model *model;
    rv_prediction p[4];
    rv_image *curves;
    RV_ASSERT_OK(run(&result, "values.csv", "run", &o));
    cr_assert(isnan(result.last.accuracy) && isnan(result.best.val_accuracy));
    evaluate(&e, &model, "values.csv", "run/best.safetensors");
    cr_assert_eq(rv_model_task(model), RV_TASK_VALUES);
    cr_assert_eq(rv_evaluation_task(e), RV_TASK_VALUES);
    cr_assert_str_eq(rv_evaluation_class(e, 0), "column");
    cr_assert_str_eq(rv_model_label(model, 1), "row");
    cr_assert_float_eq(rv_evaluation_loss(e), result.best.val_loss, 1e-5);
    const rv_value_score column = rv_evaluation_value(e, 0), row = rv_evaluation_value(e, 1);
    cr_assert(column.r2 > 0.7 && row.r2 > 0.3, "%g %g", column.r2, row.r2);
    cr_assert(column.rmse < 130 && column.mae <= column.rmse && row.rmse < 0.03, "%g %g",
              column.rmse, row.rmse);
    const double both = sqrt((column.rmse * column.rmse + row.rmse * row.rmse) / 2);
    cr_assert_float_eq(result.best.val_error, both, 1e-3 * both);
    cr_assert(isnan(rv_evaluation_exact(e)) && rv_evaluation_top(e, 1) == 0);
    RV_ASSERT_FAILS(rv_evaluation_write_confusion(e, rv_test_path("c.csv"), true), RV_ERR_USAGE,
                    "network for classes");
    rv_image *confusion;
    RV_ASSERT_FAILS(rv_evaluation_draw_confusion(&confusion, e), RV_ERR_USAGE,
                    "network for classes");
    /* One by one: picture 3 has its bar in column 0, 31 in column 7. */
    cr_assert_eq(classify(p, model, 3), 2);
    const float low = p[0].probability;
    cr_assert(low > 700 && low < 1300, "%g", (double)low);
    cr_assert_eq(classify(p, model, 31), 2);
    cr_assert(p[0].probability > 1400 && p[0].probability < 2000, "%g", (double)p[0].probability);
    cr_assert(p[1].index == 1 && p[1].probability > -0.1f && p[1].probability < 0.2f);
    rv_evaluation_destroy(e);
    rv_model_close(model);
    RV_ASSERT_OK(rv_visualize_training(&curves, rv_test_path("run")));
    rv_image_destroy(curves);
}

Test(train_tasks, several_labels_are_learned_each_for_itself)
{
    rv_train_options o = bars("bce");
    rv_train_result result;
    rv_evaluation *e;
    rv_model *model;
    rv_prediction p[4];
    RV_ASSERT_OK(run(&result, "labels.csv", "run", &o));
    cr_assert_gt(result.best.val_accuracy, 0.7);
    evaluate(&e, &model, "labels.csv", "run/best.safetensors");
    cr_assert_eq(rv_model_task(model), RV_TASK_LABELS);
    cr_assert_float_eq(rv_evaluation_exact(e), result.best.val_accuracy, 1e-9);
    cr_assert_float_eq(rv_evaluation_loss(e), result.best.val_loss, 1e-5, "%g, not %g",
                       rv_evaluation_loss(e), result.best.val_loss);
    cr_assert_str_eq(rv_evaluation_class(e, 0), "lying");
    for (int i = 0; i < 2; i++) {
        const rv_class_score s = rv_evaluation_score(e, i);
        cr_assert(s.count > 8 && s.f1 > 0.7 && s.precision <= 1, "%g", s.f1);
    }
    /* Both, and none: probabilities do not add up to 1. */
    cr_assert_eq(classify(p, model, 3), 2);
    cr_assert(p[0].probability > 0.5f && p[1].probability > 0.5f);
    cr_assert_eq(classify(p, model, 0), 2);
    cr_assert(p[0].probability < 0.5f && p[1].probability < 0.5f);
    rv_evaluation_destroy(e);
    rv_model_close(model);
}

/* A network keeps the units that its weights are used to, whatever the numbers of a new list are; a new head takes
 * those of its list. */
Test(train_tasks, training_goes_on_and_the_end_of_a_network_can_change)
{
    rv_train_options o = bars("mse");
    rv_train_result result;
    rv_model *model;
    char first[256];
    o.epochs = 2;
    RV_ASSERT_OK(run(&result, "values.csv", "whole", &o));
    o.max_steps = 5;
    RV_ASSERT_OK(run(&result, "values.csv", "parts", &o));
    o.max_steps = 0;
    o.resume = true;
    RV_ASSERT_OK(run(&result, "values.csv", "parts", &o));
    rv_test_same_files(rv_test_path("parts/last.safetensors"),
                       rv_test_path("whole/last.safetensors"));
    o.loss = "bce";
    RV_ASSERT_FAILS(run(&result, "values.csv", "parts", &o), RV_ERR_USAGE,
                    "was trained with loss \"mse\", not \"bce\"");
    o.resume = false;
    o.architecture = NULL;
    snprintf(first, sizeof first, "%s", rv_test_path("whole/best.safetensors"));
    o.model = first;
    o.loss = "mse";
    rv_test_write(rv_test_path("few.csv"), "1.png,5;7\n3.png,6;9\n7.png,7;8\n", 30);
    o.validation = 0;
    o.batch = 3;
    RV_ASSERT_OK(run(&result, "few.csv", "more", &o));
    RV_ASSERT_OK(rv_model_open(&model, rv_test_path("more/best.safetensors"), NULL));
    cr_assert_gt(rv_model_value(model, 0, 0), 1000);
    rv_model_close(model);
    o.head = "linear";
    RV_ASSERT_OK(run(&result, "few.csv", "head", &o));
    RV_ASSERT_OK(rv_model_open(&model, rv_test_path("head/best.safetensors"), NULL));
    cr_assert_float_eq(rv_model_value(model, 0, 0), 6, 1e-6);
    cr_assert_float_eq(rv_model_value(model, 1, 1), 8 + sqrt(2.0 / 3), 1e-6);
    cr_assert_eq(rv_model_value(model, 2, 3), 3);
    rv_model_close(model);
    o.head = NULL;
    o.validation = 0.2;
    o.loss = "bce";
    RV_ASSERT_OK(run(&result, "labels.csv", "labels", &o));
    RV_ASSERT_OK(rv_model_open(&model, rv_test_path("labels/best.safetensors"), NULL));
    cr_assert_eq(rv_model_task(model), RV_TASK_LABELS);
    cr_assert_str_eq(rv_model_layer(model, rv_model_layer_count(model) - 1).type, "sigmoid");
    cr_assert_eq(rv_model_value(model, 0, 5), 5);
    rv_model_close(model);
    o.smoothing = 0.1;
    RV_ASSERT_FAILS(run(&result, "labels.csv", "no", &o), RV_ERR_USAGE, "smoothing is of classes");
    o.smoothing = 0;
    o.loss = "mae";
    RV_ASSERT_FAILS(run(&result, "labels.csv", "no", &o), RV_ERR_USAGE, "no loss 'mae'");
    o.loss = "mse";
    RV_ASSERT_FAILS(run(&result, "labels.csv", "no", &o), RV_ERR_FORMAT, "there is no");
}
