/* Buffers: bytes accounted for, bounds, views, copies and fills. */
/* SPDX-License-Identifier: MIT */
#include "device/internal.h"
#include "support/device.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static rv_device *device;

static void open_device(void)
{
    device = rv_test_device();
}

static void close_device(void)
{
    rv_device_close(device);
}

TestSuite(buffer, .init = open_device, .fini = close_device);

static rv_buffer *made(size_t bytes)
{
    rv_buffer *buffer = NULL;
    cr_assert_eq(rv_buffer_create(&buffer, device, bytes), RV_OK, "%s", rv_error_message());
    cr_assert_eq(buffer->bytes, bytes);
    return buffer;
}

Test(buffer, bytes_are_counted_now_and_at_most)
{
    rv_buffer *a = made(1000), *b = made(5000), *view;
    cr_assert_eq(rv_device_allocated(device), 6000);
    cr_assert_eq(rv_buffer_view(&view, b, 512, 100), RV_OK, "%s", rv_error_message());
    cr_assert_eq(rv_device_allocated(device), 6000);
    rv_buffer_destroy(view);
    rv_buffer_destroy(a);
    cr_assert_eq(rv_device_allocated(device), 5000);
    cr_assert_eq(rv_device_allocated_peak(device), 6000);
    rv_buffer_destroy(made(2000));
    cr_assert_eq(rv_device_allocated_peak(device), 7000);
    rv_buffer_destroy(b);
    rv_buffer_destroy(NULL);
    cr_assert_eq(rv_device_allocated(device), 0);
}

Test(buffer, too_large_is_device_memory_with_size_and_hint)
{
    rv_buffer *buffer = (rv_buffer *)&buffer;
    const size_t bytes = rv_device_max_alloc(device) + ((size_t)1 << 20);
    char size[64];
    cr_assert_eq(rv_buffer_create(&buffer, device, bytes), RV_ERR_DEVICE_MEMORY);
    cr_assert_null(buffer);
    snprintf(size, sizeof size, "%.1f MiB", (double)bytes / 1048576.0);
    cr_assert(strstr(rv_error_message(), size) != NULL, "%s", rv_error_message());
    cr_assert(strstr(rv_error_message(), "lower --size") != NULL, "%s", rv_error_message());
    cr_assert_eq(rv_device_allocated(device), 0);
    cr_assert_eq(rv_buffer_create(&buffer, device, SIZE_MAX), RV_ERR_DEVICE_MEMORY);
    cr_assert_eq(rv_buffer_create(&buffer, device, 0), RV_ERR_INTERNAL);
    /* Beyond what is left, though not beyond what one buffer may have. */
    device->info.global_bytes = 10000;
    rv_buffer *most = made(8000);
    cr_assert_eq(rv_buffer_create(&buffer, device, 4000), RV_ERR_DEVICE_MEMORY);
    cr_assert(strstr(rv_error_message(), "of memory") != NULL, "%s", rv_error_message());
    rv_buffer_destroy(most);
}

Test(buffer, copies_stay_within_bounds)
{
    static const struct {
        size_t offset, bytes;
    } outside[] = {{0, 101}, {1, 100}, {100, 1}, {101, 0}, {SIZE_MAX, 2}, {2, SIZE_MAX}};
    rv_buffer *a = made(100), *b = made(200);
    char host[300] = {0};
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        const size_t offset = outside[i].offset, bytes = outside[i].bytes;
        cr_assert_eq(rv_buffer_write(device, a, offset, host, bytes), RV_ERR_INTERNAL);
        cr_assert_eq(rv_buffer_read(device, a, offset, host, bytes), RV_ERR_INTERNAL);
        cr_assert_eq(rv_buffer_copy(device, a, offset, b, 0, bytes), RV_ERR_INTERNAL);
        cr_assert_eq(rv_buffer_copy(device, b, 0, a, offset, bytes), RV_ERR_INTERNAL);
        cr_assert_eq(rv_buffer_fill(device, a, offset, bytes, 0), RV_ERR_INTERNAL);
    }
    cr_assert(strstr(rv_error_message(), "buffer of 100") != NULL, "%s", rv_error_message());
    cr_assert_eq(rv_buffer_fill(device, a, 2, 4, 0), RV_ERR_INTERNAL);
    cr_assert_eq(rv_buffer_fill(device, a, 4, 6, 0), RV_ERR_INTERNAL);
    /* The ends themselves are within. */
    cr_assert_eq(rv_buffer_write(device, a, 100, host, 0), RV_OK);
    cr_assert_eq(rv_buffer_read(device, a, 100, host, 0), RV_OK);
    cr_assert_eq(rv_buffer_copy(device, a, 100, b, 200, 0), RV_OK);
    cr_assert_eq(rv_buffer_fill(device, a, 100, 0, 0), RV_OK);
    rv_buffer_destroy(a);
    rv_buffer_destroy(b);
}

Test(buffer, writes_fills_copies_and_reads_in_order)
{
    float host[64], back[64];
    rv_buffer *a = made(sizeof host), *b = made(sizeof host);
    for (int i = 0; i < 64; i++) {
        host[i] = (float)i;
    }
    cr_assert_eq(rv_buffer_write(device, a, 0, host, sizeof host), RV_OK);
    cr_assert_eq(rv_buffer_fill(device, a, 4 * 10, 4 * 5, -2.5f), RV_OK, "%s", rv_error_message());
    cr_assert_eq(rv_buffer_fill(device, b, 0, sizeof host, 7.0f), RV_OK);
    cr_assert_eq(rv_buffer_copy(device, b, 4 * 32, a, 4 * 8, 4 * 16), RV_OK);
    cr_assert_eq(rv_buffer_read(device, b, 0, back, sizeof back), RV_OK);
    for (int i = 0; i < 64; i++) {
        const int from = i - 32 + 8;
        const float expected = i < 32 || i >= 48         ? 7.0f
                               : from >= 10 && from < 15 ? -2.5f
                                                         : (float)from;
        cr_assert_eq(back[i], expected, "%d: %g", i, (double)back[i]);
    }
    rv_buffer_destroy(a);
    rv_buffer_destroy(b);
}

Test(buffer, a_view_is_a_part_of_its_parent)
{
    const size_t step = rv_device_alignment(device);
    rv_buffer *parent = made(4 * step), *view = NULL;
    float one = 0;
    cr_assert_eq(rv_buffer_fill(device, parent, 0, 4 * step, 1.0f), RV_OK);
    cr_assert_eq(rv_buffer_view(&view, parent, step, step), RV_OK, "%s", rv_error_message());
    cr_assert_eq(view->bytes, step);
    cr_assert_eq(rv_buffer_fill(device, view, 0, step, 2.0f), RV_OK);
    cr_assert_eq(rv_buffer_read(device, parent, step - 4, &one, 4), RV_OK);
    cr_assert_eq(one, 1.0f);
    cr_assert_eq(rv_buffer_read(device, parent, step, &one, 4), RV_OK);
    cr_assert_eq(one, 2.0f);
    cr_assert_eq(rv_buffer_read(device, parent, 2 * step - 4, &one, 4), RV_OK);
    cr_assert_eq(one, 2.0f);
    cr_assert_eq(rv_buffer_read(device, parent, 2 * step, &one, 4), RV_OK);
    cr_assert_eq(one, 1.0f);
    cr_assert_eq(rv_buffer_write(device, view, step - 2, &one, 4), RV_ERR_INTERNAL);
    rv_buffer_destroy(view);
    rv_buffer_destroy(parent);
}

Test(buffer, views_that_cannot_be)
{
    const size_t step = rv_device_alignment(device);
    rv_buffer *parent = made(2 * step), *view = NULL, *second = (rv_buffer *)&second;
    cr_assert_eq(rv_buffer_view(&view, parent, 0, 2 * step), RV_OK, "%s", rv_error_message());
    cr_assert_eq(rv_buffer_view(&second, view, 0, step), RV_ERR_INTERNAL);
    cr_assert_null(second);
    cr_assert(strstr(rv_error_message(), "view of a view") != NULL);
    cr_assert_eq(rv_buffer_view(&second, parent, 4, 4), RV_ERR_INTERNAL);
    cr_assert(strstr(rv_error_message(), "multiple of") != NULL, "%s", rv_error_message());
    cr_assert_eq(rv_buffer_view(&second, parent, step, step + 1), RV_ERR_INTERNAL);
    cr_assert_eq(rv_buffer_view(&second, parent, 3 * step, 1), RV_ERR_INTERNAL);
    cr_assert_eq(rv_buffer_view(&second, parent, 0, 0), RV_ERR_INTERNAL);
    rv_buffer_destroy(view);
    rv_buffer_destroy(parent);
}
