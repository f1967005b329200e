/* A head from features: whatever file they are in, the same weights; what is below it stays; what does not fit is said. */
/* SPDX-License-Identifier: MIT */
#include <reverie/train.h>

#include "bars.h"
#include "base/file.h"
#include "base/npy.h"
#include "base/text.h"
#include "base/zip.h"
#include "model/safetensors.h"
#include "stages/feature_rows.h"
#include "support/assert.h"
#include "support/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 40, VALUES = 6 };

static char base[256];
static float rows[ROWS * VALUES];

static void write_text(const char *name, const rv_text *text)
{
    RV_ASSERT_OK(rv_text_status(text));
    rv_test_write(rv_test_path(name), text->data, text->length);
}

static void write_names(const char *name)
{
    rv_text text = {0};
    rv_text_append(&text, "row,file\n");
    for (int i = 0; i < ROWS; i++) {
        rv_text_append(
            &text, i % 2 == 0 ? "%d,\"p/up, \"\"one\"\"/%d.png\"\n" : "%d,p/down/%d.png\n", i, i);
    }
    write_text(name, &text);
    rv_text_release(&text);
}

static void write_npy(const char *name, size_t values)
{
    const size_t dim[2] = {ROWS * VALUES / values, values};
    RV_ASSERT_OK(rv_npy_write(rv_test_path(name), rows, 2, dim, true));
}

/* An array of another layer, and that of the last hidden one. */
static void write_npz(void)
{
    const size_t dim[2] = {ROWS, VALUES};
    rv_text all = {0}, npy = {0};
    rv_zip_entry entries[2] = {{.name = "hidden1.npy"}, {.name = "relu2.npy"}};
    rv_npy_header(&npy, 2, dim, 0);
    rv_text_append_bytes(&npy, rows, sizeof rows);
    for (int i = 0; i < 2; i++) {
        entries[i].at = all.length;
        entries[i].size = npy.length;
        entries[i].crc = rv_zip_crc(0, npy.data, npy.length);
        rv_zip_header(&all, &entries[i]);
        rv_text_append_bytes(&all, npy.data, npy.length);
    }
    rv_zip_directory(&all, entries, 2, all.length);
    write_text("f.npz", &all);
    rv_text_release(&npy);
    rv_text_release(&all);
}

static void write_csv(void)
{
    rv_text text = {0};
    rv_text_append(&text, "file,v0,v1,v2,v3,v4,v5\n");
    for (int i = 0; i < ROWS; i++) {
        rv_text_append(&text, i % 2 == 0 ? "\"p/up, \"\"one\"\"/%d.png\"" : "p/down/%d.png", i);
        for (int k = 0; k < VALUES; k++) {
            rv_text_append(&text, ",%.9g", (double)rows[i * VALUES + k]);
        }
        rv_text_append(&text, "\n");
    }
    write_text("f.csv", &text);
    rv_text_release(&text);
}

static void write_safetensors(void)
{
    const rv_stored_tensor tensors[2] = {{"hidden1", {2, {ROWS, VALUES}}, rows},
                                         {"relu2", {2, {ROWS, VALUES}}, rows}};
    RV_ASSERT_OK(rv_safetensors_write(rv_test_path("f.safetensors"), tensors, 2, NULL, 0,
                                      &(rv_store_options){0}));
}

/* A network that has learned a little, and rows of its last hidden layer that tell two classes apart. */
static void build(void)
{
    bars_open(32, 2);
    rv_train_options o = rv_train_defaults();
    rv_train_result result;
    o.architecture = "mlp:12,6";
    o.epochs = 1;
    o.batch = 8;
    RV_ASSERT_OK(bars_train(&result, "base", &o));
    snprintf(base, sizeof base, "%s", rv_test_path("base/best.safetensors"));
    for (int i = 0; i < ROWS * VALUES; i++) {
        const int row = i / VALUES, k = i % VALUES;
        rows[i] = (float)((row * 7 + k * 5) % 11) / 11 + (k == row % 2 ? 1.5f : 0);
    }
    write_npy("f.npy", VALUES);
    write_npz();
    write_csv();
    write_safetensors();
    write_names("f.files.csv");
}

TestSuite(train_features, .init = build, .fini = bars_close);

static rv_train_options head_options(void)
{
    rv_train_options o = rv_train_defaults();
    o.model = base;
    o.features = true;
    o.epochs = 8;
    o.batch = 8;
    o.learning_rate = 0.1;
    return o;
}

static rv_status train(rv_train_result *result, const char *file, const rv_train_options *o)
{
    char folder[64];
    snprintf(folder, sizeof folder, "of_%s", file);
    return rv_train(result, bars_device, rv_test_path(file), rv_test_path(folder), o);
}

static void read_weights(float *out, const char *file, const char *name, int32_t n, int32_t columns)
{
    const rv_shape shape = {2, {n, columns}};
    rv_safetensors *s;
    RV_ASSERT_OK(rv_safetensors_open(&s, rv_test_path(file)));
    RV_ASSERT_OK(rv_safetensors_read(s, out, name, &shape));
    rv_safetensors_close(s);
}

Test(train_features, a_head_learns_from_any_file_and_what_is_below_stays)
{
    static const char *const files[] = {"f.npy", "f.npz", "f.csv", "f.safetensors"};
    float first[2 * VALUES], other[2 * VALUES], a[12 * VALUES], b[12 * VALUES];
    for (int i = 0; i < 4; i++) {
        const rv_train_options o = head_options();
        rv_train_result result;
        char best[64];
        RV_ASSERT_OK(train(&result, files[i], &o));
        cr_assert(result.finished && result.best.val_accuracy == 1.0, "%s: %g", files[i],
                  result.best.val_accuracy);
        snprintf(best, sizeof best, "of_%s/best.safetensors", files[i]);
        read_weights(i == 0 ? first : other, best, "head/outputs.weight", 2, VALUES);
        cr_assert(i == 0 || memcmp(first, other, sizeof first) == 0, "%s", files[i]);
    }
    read_weights(a, "base/best.safetensors", "hidden2.weight", VALUES, 12);
    read_weights(b, "of_f.npy/best.safetensors", "hidden2.weight", VALUES, 12);
    cr_assert_arr_eq(a, b, sizeof a);
    rv_model *model;
    RV_ASSERT_OK(rv_model_open(&model, rv_test_path("of_f.npy/best.safetensors"), NULL));
    cr_assert_eq(rv_model_label_count(model), 2);
    cr_assert_str_eq(rv_model_class(model, 0), "down");
    cr_assert_str_eq(rv_model_class(model, 1), "up, \"one\"");
    rv_model_close(model);
}

Test(train_features, a_training_goes_on_with_the_same_values_only)
{
    rv_train_options o = head_options();
    rv_train_result result;
    float whole[2 * VALUES], parts[2 * VALUES];
    RV_ASSERT_OK(train(&result, "f.npy", &o));
    o.max_steps = 6;
    RV_ASSERT_OK(train(&result, "f.csv", &o));
    o.max_steps = 0;
    o.resume = true;
    RV_ASSERT_OK(train(&result, "f.csv", &o));
    read_weights(whole, "of_f.npy/last.safetensors", "head/outputs.weight", 2, VALUES);
    read_weights(parts, "of_f.csv/last.safetensors", "head/outputs.weight", 2, VALUES);
    cr_assert_arr_eq(whole, parts, sizeof whole);
    o.resume = false;
    o.overwrite = true;
    o.max_steps = 6;
    RV_ASSERT_OK(train(&result, "f.csv", &o));
    rows[0] += 1;
    write_csv();
    o.resume = true;
    RV_ASSERT_FAILS(train(&result, "f.csv", &o), RV_ERR_USAGE, "other contents");
}

static void refuses(const char *file, const rv_train_options *o, rv_status status,
                    const char *words)
{
    rv_train_result result;
    RV_ASSERT_FAILS(train(&result, file, o), status, words);
}

Test(train_features, what_does_not_fit_is_said)
{
    rv_train_options o = head_options();
    write_npy("g.npy", VALUES / 2);
    refuses("g.npy", &o, RV_ERR_NOT_FOUND, "no names of files beside it");
    write_names("g.files.csv");
    refuses("g.npy", &o, RV_ERR_FORMAT, "80 rows, but 40 names");
    refuses("set", &o, RV_ERR_UNSUPPORTED, "features are .npy");
    rv_test_write(rv_test_path("h.csv"), "file,v0\na/b.png,1\na/c.png,1,2\n", 31);
    refuses("h.csv", &o, RV_ERR_FORMAT, "h.csv:3: it has not as many values");
    rv_test_write(rv_test_path("h.csv"), "file,v0\na/b.png,1\nb/c.png,2\n", 29);
    refuses("h.csv", &o, RV_ERR_SHAPE, "1 values in a row, but the head of this model reads");
    rv_test_write(rv_test_path("h.csv"), "file,v0\nb.png,1\n", 17);
    refuses("h.csv", &o, RV_ERR_USAGE, "'b.png' is in no folder");
    rv_test_write(rv_test_path("h.csv"), "file,v0\na/b.png,x\n", 19);
    refuses("h.csv", &o, RV_ERR_FORMAT, "h.csv:2: there is no number");
    o.recipe = "light";
    refuses("f.npy", &o, RV_ERR_USAGE, "--recipe");
    o = head_options();
    o.model = NULL;
    o.architecture = "mlp:3";
    refuses("f.npy", &o, RV_ERR_USAGE, "--model");
}

/* Whatever byte of it is another, a zip file is read or refused. */
Test(train_features, a_damaged_zip_file_is_no_danger)
{
    rv_bytes whole;
    RV_ASSERT_OK(rv_bytes_open(&whole, rv_test_path("f.npz"), 0));
    uint8_t *bytes = malloc(whole.size);
    const char *path = rv_test_path("broken.npz");
    for (size_t i = 0; i < whole.size; i += i < whole.size - 400 ? 37 : 1) {
        rv_zip *zip;
        memcpy(bytes, whole.data, whole.size);
        bytes[i] ^= 0xff;
        rv_test_write(path, bytes, whole.size);
        if (rv_zip_open(&zip, path) == RV_OK) {
            for (size_t k = 0; k < rv_zip_count(zip); k++) {
                const uint8_t *data;
                uint8_t *own = NULL;
                size_t n;
                if (rv_zip_read(zip, k, &data, &n, &own) == RV_OK) {
                    cr_assert_leq(n, whole.size);
                    free(own);
                }
            }
            rv_zip_close(zip);
        }
    }
    free(bytes);
    rv_bytes_close(&whole);
}
