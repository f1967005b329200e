/* What stylize is foreseen to take, against what it takes. */
/* SPDX-License-Identifier: MIT */
#include <reverie/stylize.h>

#include "device/device.h"
#include "small_network.h"
#include "support/assert.h"
#include "support/device.h"

#include <criterion/criterion.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef struct work {
    rv_model *model;
    rv_image *photo, *style;
    const rv_image *styles[1];
    rv_stylize_options options;
} work;

static work begin(rv_model *model)
{
    work w = {.model = model, .photo = waves(75, 66, 3, 8, 1), .style = waves(70, 75, 3, 8, 2)};
    w.styles[0] = w.style;
    w.options = (rv_stylize_options)RV_STYLIZE_OPTIONS_INIT;
    w.options.iterations = 3;
    w.options.size = 70;
    w.options.scales = 2;
    return w;
}

static void end(work *w)
{
    rv_model_close(w->model);
    rv_image_destroy(w->photo);
    rv_image_destroy(w->style);
}

static rv_stylize_estimate foresee(const work *w, rv_device *device)
{
    rv_stylize_estimate e;
    RV_ASSERT_OK(
        rv_stylize_foresee(&e, device, w->model, w->photo, w->styles, NULL, 1, &w->options));
    return e;
}

/* On a device of its own, whose largest sum of buffers is that of this run. */
static uint64_t device_bytes(const work *w)
{
    rv_device *device = rv_test_device();
    rv_image *out;
    RV_ASSERT_OK(
        rv_stylize(&out, NULL, device, w->model, w->photo, w->styles, NULL, 1, &w->options));
    rv_image_destroy(out);
    const uint64_t bytes = rv_device_allocated_peak(device);
    rv_device_close(device);
    return bytes;
}

static void compare(const work *w)
{
    rv_device *device = rv_test_device();
    const rv_stylize_estimate e = foresee(w, device);
    cr_assert_eq(rv_device_allocated(device), 0);
    cr_assert(!rv_device_rehearses(device));
    cr_assert_eq(e.width, 70);
    cr_assert_eq(e.height, 62);
    cr_assert_gt(e.seconds, 0.0);
    cr_assert_gt(e.process_bytes, e.device_bytes);
    rv_device_close(device);
    cr_assert_eq(e.device_bytes, device_bytes(w), "%.0f foreseen", (double)e.device_bytes);
}

Test(foresee, a_network_takes_the_buffers_that_were_foreseen)
{
    work w = begin(small_network());
    compare(&w);
    w.options.optimizer = RV_OPTIMIZER_LBFGS;
    w.options.scales = 1;
    compare(&w);
    end(&w);
}

Test(foresee, patches_take_the_buffers_that_were_foreseen)
{
    rv_model *model;
    RV_ASSERT_OK(rv_model_open(&model, "patches", NULL));
    work w = begin(model);
    compare(&w);
    end(&w);
}

/* What is foreseen for the process beside its buffers. */
static double host_bytes(work *w, rv_optimizer optimizer)
{
    rv_device *device = rv_test_device();
    w->options.optimizer = optimizer;
    const rv_stylize_estimate e = foresee(w, device);
    rv_device_close(device);
    return (double)e.process_bytes - (double)e.device_bytes;
}

/* Adam hands two moments of each value from size to size by way of the host. */
Test(foresee, the_moments_of_adam_are_foreseen, .timeout = 120)
{
    enum { SIZE = 800 };
    work w = begin(small_network());
    rv_image_destroy(w.photo);
    w.photo = waves(SIZE, SIZE, 3, 8, 1);
    w.options.size = SIZE;
    w.options.iterations = 1;
    const double moments = 2.0 * 3 * SIZE * SIZE * sizeof(float);
    const double without = host_bytes(&w, RV_OPTIMIZER_LBFGS);
    const double with = host_bytes(&w, RV_OPTIMIZER_ADAM);
    cr_assert_gt(with - without, 0.8 * moments, "%g and %g", with, without);
    end(&w);
}

Test(foresee, a_wrong_option_is_named_as_by_stylize)
{
    work w = begin(small_network());
    rv_device *device = rv_test_device();
    rv_stylize_estimate e;
    w.options.size = 3;
    RV_ASSERT_FAILS(rv_stylize_foresee(&e, device, w.model, w.photo, w.styles, NULL, 1, &w.options),
                    RV_ERR_USAGE, "size");
    cr_assert(!rv_device_rehearses(device));
    rv_device_close(device);
    end(&w);
}

Test(foresee, the_photo_itself_takes_no_iterations)
{
    work w = begin(small_network());
    rv_device *device = rv_test_device();
    w.options.strength = 0;
    const rv_stylize_estimate e = foresee(&w, device);
    cr_assert(e.seconds >= 0 && e.seconds < 60, "%g", e.seconds);
    rv_device_close(device);
    end(&w);
}

/* As rv_stylize() does: no options are the defaults, and older ones end where their caller knew no further. */
Test(foresee, options_may_be_missing_or_older)
{
    work w = begin(small_network());
    rv_device *device = rv_test_device();
    const size_t known = offsetof(rv_stylize_options, output_size);
    rv_stylize_options *older = malloc(known);
    const rv_stylize_result made = {.rate = 1e-6};
    rv_stylize_estimate e;
    cr_assert_not_null(older);
    w.options.struct_size = known;
    memcpy(older, &w.options, known);
    RV_ASSERT_OK(rv_stylize_foresee(&e, device, w.model, w.photo, w.styles, NULL, 1, older));
    cr_assert(e.width == 70 && e.height == 62, "%d x %d", e.width, e.height);
    RV_ASSERT_OK(rv_stylize_foresee(&e, device, w.model, w.photo, w.styles, NULL, 1, NULL));
    cr_assert(e.width == 75 && e.height == 66, "%d x %d", e.width, e.height);
    RV_ASSERT_OK(
        rv_stylize_foresee_after(&e, device, w.model, w.photo, w.styles, NULL, 1, NULL, &made));
    cr_assert(e.width == 75 && e.height == 66, "%d x %d", e.width, e.height);
    free(older);
    rv_device_close(device);
    end(&w);
}
