/* Products of matrices by CLBlast against plain loops. It compiles for seconds: only if REVERIE_TEST_BLAS is set. */
/* SPDX-License-Identifier: MIT */
#include "support/device.h"

#include "base/error.h"

#include <criterion/criterion.h>
#include <math.h>
#include <reverie/reverie.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 5, INNER = 9, COLUMNS = 7 };

static rv_buffer *filled(rv_device *device, float *host, int n, int seed)
{
    rv_buffer *buffer;
    for (int i = 0; i < n; i++) {
        host[i] = (float)((i * 37 + seed) % 19) / 9 - 1;
    }
    cr_assert_eq(rv_buffer_create(&buffer, device, (size_t)n * sizeof *host), RV_OK, "%s",
                 rv_error_message());
    cr_assert_eq(rv_buffer_write(device, buffer, 0, host, (size_t)n * sizeof *host), RV_OK);
    return buffer;
}

static void check(rv_device *device, bool a_transposed, bool b_transposed, bool accumulate)
{
    float a[ROWS * INNER], b[INNER * COLUMNS], c[ROWS * COLUMNS], got[ROWS * COLUMNS];
    rv_buffer *on_a = filled(device, a, ROWS * INNER, 1),
              *on_b = filled(device, b, INNER * COLUMNS, 2),
              *on_c = filled(device, c, ROWS * COLUMNS, 3);
    const rv_blas_matrix left = {on_a, a_transposed ? ROWS : INNER, a_transposed},
                         right = {on_b, b_transposed ? INNER : COLUMNS, b_transposed};
    cr_assert_eq(rv_blas_multiply(device, on_c, left, right, ROWS, INNER, COLUMNS, accumulate),
                 RV_OK, "%s", rv_error_message());
    cr_assert_eq(rv_buffer_read(device, on_c, 0, got, sizeof got), RV_OK, "%s", rv_error_message());
    for (int r = 0; r < ROWS; r++) {
        for (int s = 0; s < COLUMNS; s++) {
            double sum = accumulate ? (double)c[r * COLUMNS + s] : 0;
            for (int i = 0; i < INNER; i++) {
                sum += (double)a[a_transposed ? i * ROWS + r : r * INNER + i] *
                       (double)b[b_transposed ? s * INNER + i : i * COLUMNS + s];
            }
            cr_assert_leq(fabs((double)got[r * COLUMNS + s] - sum), 1e-5,
                          "row %d, column %d: %g, not %g", r, s, (double)got[r * COLUMNS + s], sum);
        }
    }
    rv_buffer_destroy(on_a);
    rv_buffer_destroy(on_b);
    rv_buffer_destroy(on_c);
}

Test(blas, multiplies_in_all_orders, .timeout = 300)
{
    if (getenv("REVERIE_TEST_BLAS") == NULL) {
        cr_skip_test("CLBlast compiles for seconds: set REVERIE_TEST_BLAS=1");
    }
    rv_device *device = rv_test_device();
    const rv_buffer *none = NULL;
    const rv_blas_matrix no = {none, 0, false};
    if (strstr(rv_version_features(), "CLBlast") == NULL) {
        cr_assert_eq(rv_blas_multiply(device, none, no, no, 1, 1, 1, false), RV_ERR_UNSUPPORTED);
    } else {
        check(device, false, false, false);
        check(device, true, false, true);
        check(device, false, true, false);
    }
    rv_device_close(device);
}
