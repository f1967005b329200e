/* Measurements mean what their header says: what is counted, what is divided by what, what is checked. */
/* SPDX-License-Identifier: MIT */
#include "stages/bench_filter.h"
#include "stages/bench_node.h"
#include "support/assert.h"
#include "support/device.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static rv_model *open_model(const char *name)
{
    rv_model *model;
    cr_assert_eq(rv_model_open(&model, name, NULL), RV_OK, "%s", rv_error_message());
    return model;
}

/* Its limits are measured in runs too short to be exact. */
static rv_device *hasty_device(void)
{
    rv_device *device = rv_test_device();
    rv_device_set_run_seconds(device, 0.002);
    return device;
}

static void assert_near(double got, double wanted, double tolerance, const char *what)
{
    cr_assert(fabs(got - wanted) <= tolerance * fabs(wanted), "%s: %.9g, not %.9g", what, got,
              wanted);
}

Test(bench, the_median_is_the_middle_or_the_mean_of_two)
{
    double odd[] = {3, 1, 2}, even[] = {4, 1, 3, 2}, one[] = {7};
    cr_assert_eq(rv_bench_median(odd, 3), 2);
    cr_assert_eq(rv_bench_median(even, 4), 2.5);
    cr_assert_eq(rv_bench_median(one, 1), 7);
}

Test(bench, the_peak_is_three_limits)
{
    rv_device *device = hasty_device();
    rv_bench_peak_result peak;
    cr_assert_eq(rv_bench_peak(device, &peak, NULL), RV_OK, "%s", rv_error_message());
    cr_assert(peak.fma_gflops > 0 && isfinite(peak.fma_gflops));
    cr_assert(peak.copy_gbps > 0 && isfinite(peak.copy_gbps));
    cr_assert(peak.launch_us > 0 && isfinite(peak.launch_us));
    rv_device_close(device);
}

/* Measures every pass of one node and compares with the operations counted by hand. */
static void check_node(const char *op, rv_shape in, const rv_attr_value *attrs, size_t n_attrs,
                       rv_bench_expect *expect, const double *flops, int n_passes)
{
    static const char *const passes[] = {"forward", "backward_data", "backward_weights"};
    rv_device *device = hasty_device();
    rv_bench_node *b;
    cr_assert_eq(rv_bench_node_create(&b, device, op, "the node", in, attrs, n_attrs), RV_OK, "%s",
                 rv_error_message());
    for (int i = 0; i < n_passes; i++) {
        rv_bench_row row;
        cr_assert_eq(rv_bench_node_measure(b, &row, (rv_pass)i, expect, 50.0, NULL), RV_OK, "%s",
                     rv_error_message());
        cr_assert_str_eq(row.name, "the node");
        cr_assert_str_eq(row.pass, passes[i]);
        const char *chosen = b->node.algorithm[i];
        cr_assert_eq(strncmp(row.algorithm, chosen != NULL ? chosen : op,
                             strlen(chosen != NULL ? chosen : op)),
                     0, "%s", row.algorithm);
        cr_assert(row.ms > 0);
        assert_near(row.gflops * row.ms * 1e6, flops[i], 1e-9, passes[i]);
        assert_near(row.ratio_to_peak * 50.0, row.gflops, 1e-9, "ratio_to_peak");
        cr_assert(row.max_error < 1e-5, "%s %s: max_error %g", op, row.pass, row.max_error);
    }
    rv_bench_node_destroy(b);
    rv_device_close(device);
}

Test(bench, a_convolution_is_counted_and_checked)
{
    /* 2 pictures of 6 x 7 pixels, 5 -> 9 channels, 3 x 3: two operations per product, borders included */
    const double all = 2.0 * 2 * 6 * 7 * 5 * 9 * 9;
    const double flops[] = {all, all, all};
    check_node(
        "conv", rv_shape_4(2, 5, 6, 7),
        RV_ATTRS(RV_SET_INT("num_output", 9), RV_SET_INT("kernel", 3), RV_SET_INT("pads", 1)),
        rv_bench_expect_conv, flops, 3);
}

Test(bench, a_convolution_with_a_stride_is_counted_and_checked)
{
    /* 6 x 7 pixels become 3 x 4 through 5 x 5 at every second */
    const double all = 2.0 * 2 * 3 * 4 * 5 * 9 * 25;
    const double flops[] = {all, all, all};
    check_node("conv", rv_shape_4(2, 5, 6, 7),
               RV_ATTRS(RV_SET_INT("num_output", 9), RV_SET_INT("kernel", 5), RV_SET_INT("pads", 2),
                        RV_SET_INT("stride", 2)),
               rv_bench_expect_conv, flops, 3);
}

/* Copies what a pass gives by one algorithm; freed by the caller. */
static float *by_algorithm(rv_device *device, rv_bench_node *b, rv_pass pass, const char *name)
{
    rv_bench_row row;
    RV_ASSERT_OK(rv_bench_node_choose(b, pass, name));
    RV_ASSERT_OK(rv_bench_node_measure(b, &row, pass, rv_bench_expect_conv, 50.0, NULL));
    cr_assert_str_eq(row.algorithm, name);
    cr_assert(row.max_error < 1e-5, "%s %s: max_error %g", name, row.pass, row.max_error);
    const rv_tensor *result = rv_bench_node_result(b, pass);
    float *values = malloc((rv_shape_count(&result->shape) + 1) * sizeof *values);
    RV_ASSERT_OK(rv_tensor_read(device, result, values));
    return values;
}

Test(bench, a_convolution_is_measured_by_each_of_its_algorithms)
{
    rv_device *device = hasty_device();
    rv_bench_node *b;
    rv_device_close(device);
    RV_ASSERT_OK(rv_test_device_open(&device, RV_FORM_CPU, 0));
    RV_ASSERT_OK(rv_bench_node_create(
        &b, device, "conv", "the node", rv_shape_4(2, 20, 21, 30),
        RV_ATTRS(RV_SET_INT("num_output", 36), RV_SET_INT("kernel", 3), RV_SET_INT("pads", 1))));
    for (int pass = RV_PASS_FORWARD; pass <= RV_PASS_BACKWARD_DATA; pass++) {
        static const char *const pairs[][2] = {{"f4", "f4_steps"}, {"f2", "f2_steps"}};
        free(by_algorithm(device, b, (rv_pass)pass, "blocked"));
        const size_t n = rv_shape_count(&rv_bench_node_result(b, (rv_pass)pass)->shape);
        for (int i = 0; i < 2; i++) {
            /* Which of them runs may follow the number of cores: the bytes must not. */
            float *fused = by_algorithm(device, b, (rv_pass)pass, pairs[i][0]);
            float *steps = by_algorithm(device, b, (rv_pass)pass, pairs[i][1]);
            cr_assert_eq(memcmp(fused, steps, n * sizeof *fused), 0, "%s", pairs[i][1]);
            free(fused);
            free(steps);
        }
    }
    rv_bench_node_destroy(b);
    rv_device_close(device);
}

Test(bench, a_dense_layer_is_counted_and_checked)
{
    const double all = 2.0 * 3 * 40 * 11;
    const double flops[] = {all, all, all};
    check_node("dense", rv_shape_2(3, 40), RV_ATTRS(RV_SET_INT("num_output", 11)),
               rv_bench_expect_dense, flops, 3);
}

Test(bench, a_gram_matrix_is_counted_in_full)
{
    const double all = 2.0 * 2 * 10 * 10 * 8 * 9;
    const double flops[] = {all, all};
    check_node("gram", rv_shape_4(2, 10, 8, 9), RV_NO_ATTRS, rv_bench_expect_gram, flops, 2);
}

/* A wrong expectation shows, whatever the pass. */
static double expect_zero(const rv_bench_node *b, rv_pass pass, size_t index)
{
    (void)b;
    (void)pass;
    (void)index;
    return 0;
}

Test(bench, a_wrong_result_shows_in_max_error)
{
    rv_device *device = hasty_device();
    rv_bench_node *b;
    rv_bench_row row;
    cr_assert_eq(rv_bench_node_create(&b, device, "dense", "wrong", rv_shape_2(2, 9),
                                      RV_ATTRS(RV_SET_INT("num_output", 3))),
                 RV_OK);
    cr_assert_eq(rv_bench_node_measure(b, &row, RV_PASS_FORWARD, expect_zero, 1.0, NULL), RV_OK);
    cr_assert(row.max_error > 0.1 && row.max_error <= 1, "%g", row.max_error);
    rv_bench_node_destroy(b);
    rv_device_close(device);
}

/* Operations of an iteration with VGG-19 at a size that five halvings divide: convolutions up to
 * conv5_1 and the Gram matrices of five layers, forward and backward to the picture. */
static double vgg19_flops(double size)
{
    static const int channels[] = {64, 128, 256, 512, 512}, convolutions[] = {2, 2, 4, 4, 1};
    double sum = 0, from = 3, pixels = size * size;
    for (int stage = 0; stage < 5; stage++) {
        const double c = channels[stage];
        sum += 2 * 9 * from * c * pixels + (convolutions[stage] - 1) * 2 * 9 * c * c * pixels;
        sum += 2 * c * c * pixels;
        from = c;
        pixels /= 4;
    }
    return 2 * sum;
}

typedef struct progress_count {
    int calls;
    int64_t total;
} progress_count;

static void count_progress(void *payload, const rv_progress *progress)
{
    progress_count *count = payload;
    count->calls++;
    count->total = progress->total;
    cr_assert_eq(progress->done, count->calls);
    cr_assert(isfinite(progress->loss));
}

Test(bench, an_iteration_of_style_transfer_is_counted_as_direct_computation)
{
    rv_device *device = hasty_device();
    rv_model *model = open_model("vgg19");
    rv_bench_stylize_result r;
    progress_count count = {0, 0};
    const rv_events events = {.payload = &count, .progress = count_progress};
    cr_assert_eq(rv_bench_stylize(device, &r, model, 32, 3, &events), RV_OK, "%s",
                 rv_error_message());
    cr_assert_eq(count.calls, 3);
    cr_assert_eq(count.total, 3);
    assert_near(1e9 * r.effective_gflops * r.seconds_per_iteration, vgg19_flops(32), 1e-9,
                "operations of an iteration");
    assert_near(r.ratio_to_peak * r.peak.fma_gflops, r.effective_gflops, 1e-9, "ratio_to_peak");
    cr_assert(r.first_iteration_seconds > r.seconds_per_iteration);
    cr_assert(r.device_bytes > 4 * 12944960u, "%llu: the weights up to conv5_1 alone are more",
              (unsigned long long)r.device_bytes);
    cr_assert(r.rss_bytes > 0);
    rv_model_close(model);
    rv_device_close(device);
}

Test(bench, one_iteration_is_too_few)
{
    rv_device *device = hasty_device();
    rv_model *model = open_model("squeezenet");
    rv_bench_stylize_result r;
    cr_assert_eq(rv_bench_stylize(device, &r, model, 64, 1, NULL), RV_ERR_USAGE);
    cr_assert_neq(strstr(rv_error_message(), "iterations is 1"), NULL, "%s", rv_error_message());
    cr_assert_eq(rv_bench_stylize(device, &r, model, 0, 3, NULL), RV_ERR_USAGE);
    cr_assert_neq(strstr(rv_error_message(), "size is 0"), NULL, "%s", rv_error_message());
    rv_model_close(model);
    rv_device_close(device);
}

static bool cancel(void *payload)
{
    (void)payload;
    return true;
}

Test(bench, cancelling_ends_a_measurement)
{
    rv_device *device = hasty_device();
    rv_model *model = open_model("squeezenet");
    rv_bench_stylize_result r;
    const rv_events events = {.cancelled = cancel};
    cr_assert_eq(rv_bench_stylize(device, &r, model, 64, 3, &events), RV_ERR_CANCELLED);
    rv_model_close(model);
    rv_device_close(device);
}

Test(bench, a_forward_pass_is_that_of_the_layer_table)
{
    rv_device *device = hasty_device();
    rv_model *model = open_model("squeezenet");
    rv_bench_infer_result r;
    double macs = 0;
    for (int i = 0; i < rv_model_layer_count(model); i++) {
        macs += (double)rv_model_layer(model, i).macs;
    }
    cr_assert_eq(rv_bench_infer(device, &r, model, 2, NULL), RV_OK, "%s", rv_error_message());
    assert_near(1e9 * r.ratio_to_peak * r.peak.fma_gflops * r.seconds_per_batch, 2 * 2 * macs, 1e-9,
                "operations of a batch");
    cr_assert_eq(rv_bench_infer(device, &r, model, 0, NULL), RV_ERR_USAGE);
    cr_assert_neq(strstr(rv_error_message(), "batch is 0"), NULL, "%s", rv_error_message());
    rv_model_close(model);
    rv_device_close(device);
}

/* Three times the forward pass, but for the gradient that nobody asks of the pictures. */
Test(bench, a_step_of_training_counts_what_it_computes)
{
    rv_device *device = hasty_device();
    rv_model_options options = RV_MODEL_OPTIONS_INIT;
    rv_bench_train_result r;
    rv_model *model;
    double macs = 0, first = 0;
    options.width = options.height = 16;
    options.classes = 10;
    cr_assert_eq(rv_model_open(&model, "vgg-s", &options), RV_OK, "%s", rv_error_message());
    for (int i = 0; i < rv_model_layer_count(model); i++) {
        const rv_layer_info layer = rv_model_layer(model, i);
        macs += (double)layer.macs;
        first += strcmp(layer.name, "conv1_1") == 0 ? (double)layer.macs : 0;
    }
    cr_assert_eq(rv_bench_train(device, &r, model, 3, NULL), RV_OK, "%s", rv_error_message());
    assert_near(1e9 * r.ratio_to_peak * r.peak.fma_gflops * r.seconds_per_step,
                2 * 3 * (3 * macs - first), 1e-9, "operations of a step");
    assert_near(r.images_per_second * r.seconds_per_step, 3, 1e-9, "pictures of a step");
    cr_assert_gt(r.rss_bytes, r.device_bytes);
    cr_assert_eq(rv_bench_train(device, &r, model, 0, NULL), RV_ERR_USAGE);
    cr_assert_neq(strstr(rv_error_message(), "batch is 0"), NULL, "%s", rv_error_message());
    rv_model_close(model);
    rv_device_close(device);
}

/* What a measurement of many steps was told to do, and said. */
typedef struct witness {
    const char *stop_at; /* part of the task at which it is cancelled; NULL: at once */
    bool stop;
    int polls_after; /* polls that said so */
    char task[128];  /* the last */
} witness;

static void watch(void *payload, const rv_progress *progress)
{
    witness *w = payload;
    snprintf(w->task, sizeof w->task, "%s", progress->task);
    w->stop = w->stop || (w->stop_at != NULL && strstr(progress->task, w->stop_at) != NULL);
    cr_assert(progress->fraction >= 0 && progress->fraction <= 1, "%g", progress->fraction);
}

static bool stop_there(void *payload)
{
    witness *w = payload;
    w->polls_after += w->stop;
    return w->stop;
}

typedef rv_status measure_rows(rv_device *, rv_bench_row **, size_t *, rv_bench_peak_result *,
                               const char *filter, const rv_events *);

static void check_stops(rv_device *device, measure_rows *measure, const char *at)
{
    witness w = {.stop_at = at};
    const rv_events events = {.payload = &w, .progress = watch, .cancelled = stop_there};
    rv_bench_row *rows;
    size_t n;
    rv_bench_peak_result peak;
    cr_assert_eq(measure(device, &rows, &n, &peak, NULL, &events), RV_ERR_CANCELLED);
    cr_assert_null(rows);
    cr_assert_eq(n, 0);
    cr_assert_str_eq(rv_error_message(), "cancelled");
    cr_assert_eq(w.polls_after, 1, "%d polls said to stop", w.polls_after);
    cr_assert_neq(strstr(w.task, at), NULL, "it went on to '%s'", w.task);
    cr_assert_eq(rv_device_allocated(device), 0);
}

Test(bench, rows_are_named_and_can_be_cancelled_at_any_of_them)
{
    rv_device *device = hasty_device();
    check_stops(device, rv_bench_conv, "bench conv: vgg conv1_1 forward");
    check_stops(device, rv_bench_elementwise, "bench elementwise: add, batch 64 backward");
    check_stops(device, rv_bench_gemm, "bench gemm: 1024 cubed backward_data");
    rv_device_close(device);
}

Test(bench, a_filter_is_part_of_a_case_and_its_pass)
{
    static const struct row {
        const char *filter;
        bool wanted;
    } rows[] = {{NULL, true},        {"", true},
                {"*", true},         {"conv3_2", true},
                {"VGG Conv3", true}, {"3_2 backward", true},
                {"vgg*data", true},  {"v*3*2*w*d", true},
                {"data*", true},     {"conv3_2 data", false},
                {"data*vgg", false}, {"weights", false},
                {"dataa", false},    {"*_2*_2", false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_expect_eq(rv_bench_wanted(rows[i].filter, "vgg conv3_2", "backward_data"),
                     rows[i].wanted, "%s", rows[i].filter != NULL ? rows[i].filter : "none");
    }
}

Test(bench, a_filter_leaves_what_it_names_and_a_strange_one_is_told_the_names)
{
    rv_device *device = hasty_device();
    rv_bench_error_row *errors;
    rv_bench_row *rows;
    rv_bench_peak_result peak;
    size_t n;
    RV_ASSERT_OK(rv_bench_elementwise(device, &rows, &n, &peak, "fire2*BACK", NULL));
    cr_assert_eq(n, 1);
    cr_assert_str_eq(rows[0].name, "concat, squeezenet fire2");
    cr_assert_str_eq(rows[0].pass, "backward");
    free(rows);
    cr_assert_eq(rv_bench_elementwise(device, &rows, &n, &peak, "no such", NULL), RV_ERR_USAGE);
    cr_assert_null(rows);
    const char *message = rv_error_message();
    cr_assert_neq(strstr(message, "no row of bench elementwise matches 'no such'"), NULL);
    cr_assert_neq(strstr(message, "relu, vgg relu1_2; "), NULL, "%s", message);
    cr_assert_neq(strstr(message, "; L-BFGS, history 10, 512 px"), NULL, "%s", message);
    cr_assert_eq(rv_bench_conv(device, &rows, &n, &peak, "fc6", NULL), RV_ERR_USAGE);
    cr_assert_neq(strstr(rv_error_message(), "vgg conv1_1; vgg conv1_2"), NULL);
    cr_assert_eq(rv_bench_error(device, &errors, &n, "weights", NULL), RV_ERR_USAGE);
    cr_assert_null(errors);
    rv_device_close(device);
}

Test(bench, errors_of_algorithms_can_be_cancelled_at_any_shape)
{
    rv_device *device = hasty_device();
    rv_bench_error_row *rows;
    size_t n;
    witness w = {.stop_at = "bench error: vgg conv1_2 backward_data"};
    const rv_events events = {.payload = &w, .progress = watch, .cancelled = stop_there};
    cr_assert_eq(rv_bench_error(device, &rows, &n, NULL, &events), RV_ERR_CANCELLED);
    cr_assert_null(rows);
    cr_assert_neq(strstr(w.task, w.stop_at), NULL, "it went on to '%s'", w.task);
    cr_assert_eq(rv_device_allocated(device), 0);
    rv_device_close(device);
}

Test(bench, limits_and_forward_passes_can_be_cancelled_between_runs)
{
    rv_device *device = hasty_device();
    rv_model *model = open_model("squeezenet");
    rv_bench_peak_result peak;
    rv_bench_infer_result r;
    static const char *const steps[] = {"multiply-adds", "copying", "launches"};
    for (size_t i = 0; i < 3; i++) {
        witness w = {.stop_at = steps[i]};
        const rv_events events = {.payload = &w, .progress = watch, .cancelled = stop_there};
        cr_assert_eq(rv_bench_peak(device, &peak, &events), RV_ERR_CANCELLED);
        cr_assert_neq(strstr(w.task, steps[i]), NULL, "it went on to '%s'", w.task);
    }
    witness w = {.stop_at = "infer"};
    const rv_events events = {.payload = &w, .progress = watch, .cancelled = stop_there};
    cr_assert_eq(rv_bench_infer(device, &r, model, 1, &events), RV_ERR_CANCELLED);
    cr_assert_eq(w.polls_after, 1);
    rv_model_close(model);
    rv_device_close(device);
}

Test(bench, a_profile_names_the_kernels_of_an_iteration)
{
    rv_device *device = hasty_device();
    rv_model *model = open_model("squeezenet");
    rv_bench_kernel *kernels;
    size_t n;
    RV_ASSERT_OK(rv_bench_stylize_profile(device, &kernels, &n, model, 64, 4, NULL));
    double shares = 0;
    int adam = 0;
    for (size_t i = 0; i < n; i++) {
        shares += kernels[i].share;
        cr_assert(kernels[i].ms > 0 && kernels[i].launches > 0);
        cr_assert(i == 0 || kernels[i].ms <= kernels[i - 1].ms);
        /* Adam steps once an iteration. */
        if (strcmp(kernels[i].name, "adam_step") == 0) {
            cr_assert_float_eq(kernels[i].launches, 1, 1e-9);
            adam++;
        }
    }
    cr_assert_float_eq(shares, 1, 1e-9);
    cr_assert_eq(adam, 1);
    free(kernels);
    rv_model_close(model);
    rv_device_close(device);
}
