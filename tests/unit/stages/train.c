/* Training: it learns, goes on bit for bit, ends as told, and says what is wrong. */
/* SPDX-License-Identifier: MIT */
#include <reverie/image.h>
#include <reverie/train.h>

#include "bars.h"
#include "base/file.h"
#include "model/safetensors.h"
#include "support/assert.h"
#include "support/scratch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void build(void)
{
    bars_open(200, 3);
}

TestSuite(train, .init = build, .fini = bars_close);

/* All bytes of a file of a run; freed by the caller. */
static char *contents(const char *name, size_t *n)
{
    FILE *file = fopen(rv_test_path(name), "rb");
    cr_assert(file != NULL, "%s", name);
    fseek(file, 0, SEEK_END);
    *n = (size_t)ftell(file);
    rewind(file);
    char *bytes = calloc(*n + 1, 1);
    cr_assert_eq(fread(bytes, 1, *n, file), *n);
    fclose(file);
    return bytes;
}

Test(train, a_network_learns_and_its_best_weights_are_a_model)
{
    rv_train_options o = bars_options("small-cnn");
    rv_train_result result;
    rv_evaluation *e;
    rv_model *model;
    rv_evaluate_options how = RV_EVALUATE_OPTIONS_INIT;
    o.size = 16; /* four times halved */
    o.epochs = 12;
    o.learning_rate = 0.003;
    RV_ASSERT_OK(bars_train(&result, "run", &o));
    cr_assert(result.finished && !result.stopped_early);
    cr_assert_eq(result.last.epoch, 12);
    cr_assert_eq(result.last.steps, 12 * (160 / 16));
    cr_assert_gt(result.best.val_accuracy, 0.9, "%g", result.best.val_accuracy);
    RV_ASSERT_OK(rv_model_open(&model, rv_test_path("run/best.safetensors"), NULL));
    how.validation = 0.2;
    how.batch = 7;
    RV_ASSERT_OK(rv_evaluate(&e, bars_device, model, rv_test_path("set"), &how));
    cr_assert_eq(rv_evaluation_count(e), 40);
    cr_assert_float_eq(rv_evaluation_top(e, 1), result.best.val_accuracy, 1e-9);
    cr_assert_float_eq(rv_evaluation_loss(e), result.best.val_loss, 1e-5);
    uint64_t right = 0, all = 0;
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 3; k++) {
            all += rv_evaluation_confusion(e, i, k);
        }
        right += rv_evaluation_confusion(e, i, i);
        const rv_class_score s = rv_evaluation_score(e, i);
        cr_assert(s.precision >= 0 && s.precision <= 1 && s.count >= 13);
    }
    cr_assert_eq(all, 40);
    cr_assert_float_eq((double)right / 40, rv_evaluation_top(e, 1), 1e-9);
    cr_assert_eq(rv_evaluation_top(e, 5), 1.0);
    cr_assert_str_eq(rv_evaluation_class(e, 2), "2");
    rv_evaluation_destroy(e);
    rv_model_close(model);
}

/* With dropout, a moving average, a warm-up and gradients of two batches: all that a checkpoint has to keep. */
Test(train, a_resumed_training_goes_on_bit_for_bit)
{
    static const char *const optimizers[] = {"momentum", "adam"};
    for (int i = 0; i < 2; i++) {
        rv_train_options o = bars_options("small-cnn");
        rv_train_result result;
        o.size = 16;
        o.optimizer = optimizers[i];
        o.average = 0.9;
        o.warm_up = 1;
        o.accumulate = 2;
        o.overwrite = true;
        RV_ASSERT_OK(bars_train(&result, "whole", &o)); /* 4 epochs of 5 updates */
        cr_assert(result.finished);
        static const int64_t stops[] = {3, 5, 13};
        for (int k = 0; k < 3; k++) {
            rv_train_options part = o;
            part.max_steps = stops[k];
            part.resume = k > 0;
            RV_ASSERT_OK(bars_train(&result, "parts", &part));
            cr_assert(!result.finished);
        }
        o.resume_if_there = true;
        RV_ASSERT_OK(bars_train(&result, "parts", &o));
        cr_assert(result.finished);
        rv_test_same_files(rv_test_path("parts/last.safetensors"),
                           rv_test_path("whole/last.safetensors"));
        rv_test_same_files(rv_test_path("parts/best.safetensors"),
                           rv_test_path("whole/best.safetensors"));
        rv_test_same_files(rv_test_path("parts/config.json"), rv_test_path("whole/config.json"));
        const rv_train_epoch best = result.best;
        RV_ASSERT_OK(bars_train(&result, "parts", &o)); /* nothing is left to do */
        cr_assert(result.finished && result.last.epoch == 0);
        cr_assert_eq(result.best.epoch, best.epoch);
        cr_assert_eq(result.best.val_loss, best.val_loss);
        size_t n;
        char *metrics = contents("parts/metrics.csv", &n);
        int lines = 0;
        for (size_t c = 0; c < n; c++) {
            lines += metrics[c] == '\n';
        }
        cr_assert_eq(lines, 5, "%s", metrics);
        free(metrics);
    }
}

Test(train, the_same_command_gives_the_same_bytes_and_another_seed_others)
{
    rv_train_options o = bars_options("mlp:20");
    rv_train_result result;
    o.epochs = 2;
    o.threads = 1;
    RV_ASSERT_OK(bars_train(&result, "a", &o));
    o.threads = 3;
    RV_ASSERT_OK(bars_train(&result, "b", &o));
    rv_test_same_files(rv_test_path("a/last.safetensors"), rv_test_path("b/last.safetensors"));
    const double loss = result.last.loss;
    o.seed++;
    RV_ASSERT_OK(bars_train(&result, "c", &o));
    cr_assert_neq(result.last.loss, loss);
}

/* Values of tensor `name` in the two files; freed by the caller. */
static void read_both(float *a, float *b, const char *first, const char *second, const char *name,
                      const rv_shape *shape)
{
    rv_safetensors *file;
    RV_ASSERT_OK(rv_safetensors_open(&file, rv_test_path(first)));
    RV_ASSERT_OK(rv_safetensors_read(file, a, name, shape));
    rv_safetensors_close(file);
    RV_ASSERT_OK(rv_safetensors_open(&file, rv_test_path(second)));
    RV_ASSERT_OK(rv_safetensors_read(file, b, name, shape));
    rv_safetensors_close(file);
}

/* What is frozen stays to the bit, running statistics included; the rest learns, at its own rate. With everything
 * below the head frozen its values are computed once, and the whole network gives the same. */
Test(train, frozen_layers_stay_and_a_new_head_learns)
{
    rv_train_options o = bars_options("small-cnn");
    rv_train_result result;
    rv_evaluation *e;
    rv_model *model;
    rv_evaluate_options how = RV_EVALUATE_OPTIONS_INIT;
    char base[256], head[256];
    float a[32], b[32];
    const rv_shape channels = rv_shape_1(32);
    o.size = 16;
    o.epochs = 6;
    o.learning_rate = 0.003;
    RV_ASSERT_OK(bars_train(&result, "base", &o));
    snprintf(base, sizeof base, "%s", rv_test_path("base/best.safetensors"));
    o.architecture = NULL;
    o.model = base;
    o.size = 0;
    o.head = "dense 16 elu, dropout 0.2";
    o.freeze_until = "pool4";
    RV_ASSERT_OK(bars_train(&result, "head", &o));
    cr_assert_gt(result.best.val_accuracy, 0.6);
    read_both(a, b, "base/best.safetensors", "head/best.safetensors", "norm1.mean", &channels);
    cr_assert_arr_eq(a, b, sizeof a);
    read_both(a, b, "base/best.safetensors", "head/best.safetensors", "norm1.weight", &channels);
    cr_assert_arr_eq(a, b, sizeof a);
    snprintf(head, sizeof head, "%s", rv_test_path("head/best.safetensors"));
    RV_ASSERT_OK(rv_model_open(&model, head, NULL));
    how.validation = 0.2;
    how.seed = o.seed;
    RV_ASSERT_OK(rv_evaluate(&e, bars_device, model, rv_test_path("set"), &how));
    cr_assert_float_eq(rv_evaluation_loss(e), result.best.val_loss, 1e-4);
    rv_evaluation_destroy(e);
    rv_model_close(model);

    /* The second phase: the head goes on, and above conv3 the rest with it, slowly. */
    o.model = head;
    o.head = NULL;
    o.freeze_until = "relu2";
    o.freeze_below = "norm1"; /* says nothing of norm1, which relu2 needs */
    o.layer_rates = "conv3=0.1, norm3=0";
    o.epochs = 1;
    RV_ASSERT_OK(bars_train(&result, "fine", &o));
    read_both(a, b, "head/best.safetensors", "fine/best.safetensors", "norm1.mean", &channels);
    cr_assert_arr_eq(a, b, sizeof a);
    float c[128], d[128];
    const rv_shape wide = rv_shape_1(128);
    read_both(c, d, "head/best.safetensors", "fine/best.safetensors", "norm3.bias", &wide);
    cr_assert_arr_eq(c, d, sizeof c);
    read_both(c, d, "head/best.safetensors", "fine/best.safetensors", "norm4.bias", &wide);
    cr_assert_arr_neq(c, d, sizeof c);
    read_both(c, d, "head/best.safetensors", "fine/best.safetensors", "norm3.mean", &wide);
    cr_assert_arr_neq(c, d, sizeof c);

    static const struct {
        const char *freeze_until, *freeze, *rates, *head, *words;
        rv_status status;
    } rows[] = {{"conw3", NULL, NULL, NULL, "'conw3'", RV_ERR_NOT_FOUND},
                {NULL, "conv9*", NULL, NULL, "'conv9*'", RV_ERR_USAGE},
                {NULL, "*", NULL, NULL, "all layers are frozen", RV_ERR_USAGE},
                {NULL, NULL, "conv1", NULL, "'conv1'", RV_ERR_USAGE},
                {NULL, NULL, "x=1", NULL, "'x'", RV_ERR_USAGE},
                {NULL, NULL, NULL, "dense 3 softly", "'dense 3 softly'", RV_ERR_USAGE}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        o.freeze_until = rows[i].freeze_until;
        o.freeze = rows[i].freeze;
        o.layer_rates = rows[i].rates;
        o.head = rows[i].head;
        RV_ASSERT_FAILS(bars_train(&result, "wrong", &o), rows[i].status, rows[i].words);
    }
}

enum { WATCHED = 3 };

typedef struct notes {
    rv_train_layer layers[WATCHED];
    size_t n;
} notes;

static void take_layers(void *payload, const rv_train_epoch *e)
{
    notes *n = payload;
    n->n = e->n_layers;
    for (size_t i = 0; i < e->n_layers && i < WATCHED; i++) {
        n->layers[i] = e->layers[i];
    }
}

/* Makes `to` from `from` with a bias so low that the first `dead` units of the layer are never above 0. */
static void kill_units(const char *to, const char *from, const char *bias, int units, int dead)
{
    static const rv_shape shapes[] = {{2, {20, 64}}, {1, {20}}, {2, {3, 20}}, {1, {3}}};
    static const char *const names[] = {"hidden1.weight", "hidden1.bias", "outputs.weight",
                                        "outputs.bias"};
    static float values[4][20 * 64];
    rv_stored_tensor tensors[4];
    rv_safetensors *file;
    RV_ASSERT_OK(rv_safetensors_open(&file, rv_test_path(from)));
    for (int i = 0; i < 4; i++) {
        RV_ASSERT_OK(rv_safetensors_read(file, values[i], names[i], &shapes[i]));
        for (int k = 0; strcmp(names[i], bias) == 0 && k < units; k++) {
            values[i][k] = k < dead ? -1e6f : 1e3f;
        }
        tensors[i] = (rv_stored_tensor){names[i], shapes[i], values[i]};
    }
    const rv_stored_text texts[] = {
        {"reverie.format_version", rv_safetensors_metadata(file, "reverie.format_version")},
        {"reverie.graph", rv_safetensors_metadata(file, "reverie.graph")}};
    RV_ASSERT_OK(
        rv_safetensors_write(rv_test_path(to), tensors, 4, texts, 2, &(rv_store_options){0}));
    rv_safetensors_close(file);
}

/* Plain descent moves weights by rate times gradient; units whose bias is far below 0 are dead. Looking changes
 * nothing, and a table goes on where a resumed training does. */
Test(train, a_diagnosis_measures_gradients_steps_and_dead_units)
{
    rv_train_options o = bars_options("mlp:20");
    rv_train_result result;
    notes n = {.n = 0};
    char killed[256];
    size_t bytes;
    o.epochs = 2;
    RV_ASSERT_OK(bars_train(&result, "plain", &o));
    kill_units("killed.safetensors", "plain/best.safetensors", "hidden1.bias", 20, 7);
    o.architecture = NULL;
    snprintf(killed, sizeof killed, "%s", rv_test_path("killed.safetensors"));
    o.model = killed;
    o.optimizer = "sgd";
    o.schedule = "constant";
    o.learning_rate = 1e-4;
    o.l2 = 0;
    RV_ASSERT_OK(bars_train(&result, "unseen", &o));
    o.diagnose = true;
    o.on_epoch = take_layers;
    o.payload = &n;
    RV_ASSERT_OK(bars_train(&result, "seen", &o));
    rv_test_same_files(rv_test_path("unseen/last.safetensors"),
                       rv_test_path("seen/last.safetensors"));
    cr_assert_eq(n.n, 2);
    cr_assert_eq(n.layers[0].units, 20);
    cr_assert_eq(n.layers[0].dead, 7);
    cr_assert_eq(n.layers[1].units, 0);
    for (int i = 0; i < 2; i++) {
        const rv_train_layer *l = &n.layers[i];
        cr_assert(l->gradient > 0 && l->weight > 0);
        const double expected = 1e-4 * l->gradient / l->weight;
        cr_assert_float_eq(l->update, expected, 0.2 * expected, "%g, not %g", l->update, expected);
    }
    o.max_steps = 13; /* in the second epoch of ten */
    RV_ASSERT_OK(bars_train(&result, "parts", &o));
    o.resume = true;
    o.max_steps = 0;
    RV_ASSERT_OK(bars_train(&result, "parts", &o));
    char *table = contents("parts/layers.csv", &bytes);
    int lines = 0;
    for (size_t i = 0; i < bytes; i++) {
        lines += table[i] == '\n';
    }
    cr_assert_eq(lines, 5, "%s", table);
    cr_assert(strstr(table, "epoch,layer,gradient,weight,update,units,dead\n1,hidden1,") == table);
    free(table);
    cr_assert_eq(result.last.n_layers, 0);
}

/* 17 steps are more than are watched. */
Test(train, a_diagnosis_watches_the_last_step_whatever_an_epoch_has)
{
    rv_train_options o = bars_options("mlp:20");
    rv_train_result result;
    notes n = {.n = 0};
    o.batch = 9;
    o.epochs = 1;
    o.diagnose = true;
    o.on_epoch = take_layers;
    o.payload = &n;
    o.max_steps = 16;
    RV_ASSERT_OK(bars_train(&result, "run", &o));
    cr_assert_eq(n.n, 0);
    o.max_steps = 0;
    o.resume = true;
    RV_ASSERT_OK(bars_train(&result, "run", &o));
    cr_assert(result.finished && result.last.steps == 17);
    cr_assert_eq(n.n, 2);
    for (int i = 0; i < 2; i++) {
        const rv_train_layer *l = &n.layers[i];
        cr_assert(l->gradient > 0 && l->weight > 0 && l->update > 0, "%g", l->gradient);
    }
}

/* Colour pictures of two classes: a bright half above, or to the left. */
static void write_colours(void)
{
    for (int i = 0; i < 24; i++) {
        char name[64];
        rv_image *image;
        snprintf(name, sizeof name, "photos/%s/%d.png", i % 2 == 0 ? "above" : "left", i);
        RV_ASSERT_OK(rv_folder_make(rv_test_path("photos/above"), 0755));
        RV_ASSERT_OK(rv_folder_make(rv_test_path("photos/left"), 0755));
        RV_ASSERT_OK(rv_image_create(&image, 20, 18, 3, 8));
        uint8_t *p = rv_image_pixels(image);
        for (int k = 0; k < 20 * 18 * 3; k++) {
            const int x = k / 3 % 20, y = k / 60;
            p[k] = (uint8_t)((i % 2 == 0 ? y < 9 : x < 10) ? 180 + i : 40 + 3 * i);
        }
        RV_ASSERT_OK(rv_image_write(image, rv_test_path(name), NULL));
        rv_image_destroy(image);
    }
}

Test(train, augmented_pictures_are_learned_from_and_gone_on_with)
{
    rv_train_options o = bars_options("small-cnn");
    rv_train_result result;
    char photos[256];
    write_colours();
    snprintf(photos, sizeof photos, "%s", rv_test_path("photos"));
    o.size = 16;
    o.batch = 6;
    o.epochs = 8;
    o.recipe = "light";
    o.validation = 0.25;
    RV_ASSERT_OK(rv_train(&result, bars_device, photos, rv_test_path("whole"), &o));
    cr_assert_gt(result.best.val_accuracy, 0.8);
    o.max_steps = 4;
    RV_ASSERT_OK(rv_train(&result, bars_device, photos, rv_test_path("parts"), &o));
    o.max_steps = 0;
    o.resume = true;
    RV_ASSERT_OK(rv_train(&result, bars_device, photos, rv_test_path("parts"), &o));
    rv_test_same_files(rv_test_path("parts/last.safetensors"),
                       rv_test_path("whole/last.safetensors"));
    o.recipe = "none";
    o.resume = false;
    RV_ASSERT_FAILS(rv_train(&result, bars_device, photos, rv_test_path("none"), &o),
                    RV_ERR_NOT_FOUND, "none");
    o.recipe = "light";
    RV_ASSERT_OK(bars_train(&result, "grey", &o));
}

static bool stop_after(void *payload)
{
    return ++*(int *)payload > 8;
}

Test(train, cancelling_writes_a_checkpoint)
{
    rv_train_options o = bars_options("mlp:20");
    rv_train_result result;
    int polls = 0;
    const rv_events events = {.payload = &polls, .cancelled = stop_after};
    o.events = &events;
    RV_ASSERT_FAILS(bars_train(&result, "run", &o), RV_ERR_CANCELLED, "cancelled");
    o.events = NULL;
    o.resume = true;
    RV_ASSERT_OK(bars_train(&result, "run", &o));
    o.resume = false;
    RV_ASSERT_OK(bars_train(&result, "whole", &o));
    rv_test_same_files(rv_test_path("run/last.safetensors"),
                       rv_test_path("whole/last.safetensors"));
}

/* Gradients of two batches of 8 are those of one of 16, where nothing depends on the batch. */
Test(train, accumulated_gradients_are_those_of_a_larger_batch)
{
    rv_train_options o = bars_options("mlp:20");
    rv_train_result one, two;
    o.optimizer = "sgd";
    o.learning_rate = 0.1;
    RV_ASSERT_OK(bars_train(&one, "one", &o));
    o.batch = 8;
    o.accumulate = 2;
    RV_ASSERT_OK(bars_train(&two, "two", &o));
    cr_assert_eq(one.last.steps, two.last.steps);
    cr_assert_float_eq(one.last.val_loss, two.last.val_loss, 1e-4);
}

Test(train, it_ends_early_without_gain)
{
    rv_train_options o = bars_options("mlp:20");
    rv_train_result result;
    o.learning_rate = 1e-12;
    o.patience = 2;
    o.epochs = 50;
    RV_ASSERT_OK(bars_train(&result, "run", &o));
    cr_assert(result.finished && result.stopped_early);
    cr_assert_lt(result.last.epoch, 10);
}

Test(train, a_loss_that_is_not_finite_names_the_layer_and_keeps_the_checkpoint)
{
    rv_train_options o = bars_options("mlp:20");
    rv_train_result result;
    size_t n, m;
    o.max_steps = 2;
    RV_ASSERT_OK(bars_train(&result, "run", &o));
    char *before = contents("run/last.safetensors", &n);
    o = bars_options("mlp:20");
    o.optimizer = "sgd";
    o.learning_rate = 1e6;
    o.clip_norm = 0;
    RV_ASSERT_FAILS(bars_train(&result, "wild", &o), RV_ERR_USAGE, "diverges, first in");
    cr_assert(strstr(rv_error_message(), "'hidden1'") != NULL ||
                  strstr(rv_error_message(), "'outputs'") != NULL,
              "%s", rv_error_message());
    char *after = contents("run/last.safetensors", &m);
    cr_assert(n == m && memcmp(before, after, n) == 0);
    free(before);
    free(after);
    /* What replaces a run and ends before its first checkpoint leaves none of the other's. */
    o.overwrite = true;
    RV_ASSERT_FAILS(bars_train(&result, "run", &o), RV_ERR_USAGE, "diverges, first in");
    cr_assert_not(rv_path_exists(rv_test_path("run/last.safetensors")));
}

Test(train, what_cannot_be_is_said)
{
    rv_train_result result;
    rv_train_options o = bars_options("mlp:20");
    o.epochs = 1;
    o.resume = true;
    RV_ASSERT_FAILS(bars_train(&result, "run", &o), RV_ERR_NOT_FOUND, "no checkpoint");
    o.resume = false;
    RV_ASSERT_OK(bars_train(&result, "run", &o));
    RV_ASSERT_FAILS(bars_train(&result, "run", &o), RV_ERR_USAGE, "holds a run already");
    o.resume = true;
    o.l2 = 0.25;
    RV_ASSERT_FAILS(bars_train(&result, "run", &o), RV_ERR_USAGE, "was trained with l2 0.0005");
    o.l2 = 5e-4;
    o.architecture = "mlp:21";
    RV_ASSERT_FAILS(bars_train(&result, "run", &o), RV_ERR_USAGE, "arch \"mlp:20\"");
    static const struct {
        int batch;
        const char *architecture, *optimizer, *schedule, *words;
    } rows[] = {{161, "mlp", "adam", "cosine", "161 is larger than the data set"},
                {16, "mlp", "adm", "cosine", "'adam'"},
                {16, "mlp", "adam", "cosin", "'cosine'"},
                {16, "patches", "adam", "cosine", "no architecture"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        o = bars_options(rows[i].architecture);
        o.batch = rows[i].batch;
        o.optimizer = rows[i].optimizer;
        o.schedule = rows[i].schedule;
        RV_ASSERT_FAILS(bars_train(&result, "other", &o), RV_ERR_USAGE, rows[i].words);
    }
    o = bars_options(NULL);
    RV_ASSERT_FAILS(bars_train(&result, "other", &o), RV_ERR_USAGE,
                    "either an architecture or a model");
    rv_test_write(rv_test_path("run/last.safetensors"), "damaged", 7);
    o = bars_options("mlp:20");
    o.resume = true;
    RV_ASSERT_FAILS(bars_train(&result, "run", &o), RV_ERR_FORMAT, "last.safetensors");
}

/* A model goes on from its file, and a disk that is full leaves the last good checkpoint. */
Test(train, it_goes_on_from_a_model_and_survives_a_full_disk)
{
    rv_train_options o = bars_options("mlp:20");
    rv_train_result result;
    RV_ASSERT_OK(bars_train(&result, "run", &o));
    o.epochs = 1;
    RV_ASSERT_OK(bars_train(&result, "fresh", &o));
    const double loss = result.last.loss;
    const char *best = rv_test_path("run/best.safetensors");
    o.architecture = NULL;
    o.model = best;
    RV_ASSERT_OK(bars_train(&result, "more", &o));
    cr_assert_lt(result.last.loss, loss);
    const char *small = rv_test_small_disk(1 << 16);
    char folder[512];
    snprintf(folder, sizeof folder, "%s/run", small);
    o = bars_options("mlp:200");
    RV_ASSERT_FAILS(rv_train(&result, bars_device, rv_test_path("set"), folder, &o), RV_ERR_IO,
                    "disk full");
}
