/* Products of dense layers by CLBlast against those in tiles. It compiles for seconds: only if REVERIE_TEST_BLAS is set. */
/* SPDX-License-Identifier: MIT */
#include "ops/dense_gpu.h"

#include "base/error.h"
#include "support/device.h"

#include <criterion/criterion.h>
#include <math.h>
#include <reverie/reverie.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 9, INNER = 21, COLUMNS = 13, LARGEST = INNER * COLUMNS };

static rv_buffer *filled(rv_device *device, int seed)
{
    float host[LARGEST];
    rv_buffer *buffer;
    for (int i = 0; i < LARGEST; i++) {
        host[i] = (float)((i * 37 + seed) % 19) / 9 - 1;
    }
    cr_assert_eq(rv_buffer_create(&buffer, device, sizeof host), RV_OK, "%s", rv_error_message());
    cr_assert_eq(rv_buffer_write(device, buffer, 0, host, sizeof host), RV_OK);
    return buffer;
}

static void multiply(float out[ROWS * COLUMNS], rv_device *device, rv_dense_operands o, bool blas)
{
    rv_dense_product p;
    rv_buffer *to = filled(device, 3);
    o.out = to;
    cr_assert_eq(rv_dense_product_prepare(&p, device, blas, ROWS, INNER, COLUMNS), RV_OK, "%s",
                 rv_error_message());
    cr_assert_eq(p.workspace_bytes, 0);
    cr_assert_eq(rv_dense_product_run(&p, device, &o, NULL), RV_OK, "%s", rv_error_message());
    cr_assert_eq(rv_buffer_read(device, to, 0, out, ROWS * COLUMNS * sizeof *out), RV_OK);
    rv_buffer_destroy(to);
}

static void compare(rv_device *device, const rv_dense_operands *o)
{
    float tiles[ROWS * COLUMNS], blas[ROWS * COLUMNS];
    multiply(tiles, device, *o, false);
    multiply(blas, device, *o, true);
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        cr_assert_leq(fabs((double)tiles[i] - (double)blas[i]), 1e-5, "value %d: %g, not %g", i,
                      (double)blas[i], (double)tiles[i]);
    }
}

Test(dense_blas, gives_what_tiles_give, .timeout = 300)
{
    if (getenv("REVERIE_TEST_BLAS") == NULL || strstr(rv_version_features(), "CLBlast") == NULL) {
        cr_skip_test("CLBlast compiles for seconds: set REVERIE_TEST_BLAS=1 where it is built in");
    }
    rv_device *device;
    rv_device_close(rv_test_device()); /* skips where there is none */
    cr_assert_eq(rv_test_device_open(&device, RV_FORM_GPU, 0), RV_OK, "%s", rv_error_message());
    rv_buffer *a = filled(device, 1), *b = filled(device, 2), *bias = filled(device, 5);
    compare(device, &(rv_dense_operands){.a = a,
                                         .b = b,
                                         .bias = bias,
                                         .row_step = INNER,
                                         .a_step = 1,
                                         .column_step = INNER,
                                         .b_step = 1,
                                         .slope = 0});
    compare(device, &(rv_dense_operands){.a = a,
                                         .b = b,
                                         .row_step = INNER,
                                         .a_step = 1,
                                         .column_step = 1,
                                         .b_step = COLUMNS,
                                         .accumulate = 1,
                                         .slope = 1});
    compare(device, &(rv_dense_operands){.a = a,
                                         .b = b,
                                         .row_step = 1,
                                         .a_step = ROWS,
                                         .column_step = 1,
                                         .b_step = COLUMNS,
                                         .slope = 1});
    rv_buffer_destroy(a);
    rv_buffer_destroy(b);
    rv_buffer_destroy(bias);
    rv_device_close(device);
}
