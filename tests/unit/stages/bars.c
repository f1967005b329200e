/* Pictures that a small network learns fast, and training with them. */
/* SPDX-License-Identifier: MIT */
#include "bars.h"
#include "base/file.h"
#include "support/assert.h"
#include "support/device.h"
#include "support/scratch.h"

rv_device *bars_device;

static void write_bars(int n, int classes)
{
    static uint8_t pictures[16 + BARS_MOST * BARS_SIDE * BARS_SIDE] = {
        0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, BARS_SIDE, 0, 0, 0, BARS_SIDE};
    static uint8_t labels[8 + BARS_MOST] = {0, 0, 8, 1};
    uint32_t noise = 1;
    pictures[7] = labels[7] = (uint8_t)n;
    for (int i = 0; i < n; i++) {
        const int class = i % classes, bar = 1 + i / classes % 6;
        labels[8 + i] = (uint8_t) class;
        for (int p = 0; p < BARS_SIDE * BARS_SIDE; p++) {
            noise = noise * 1664525u + 1013904223u;
            const int at = class == 0 ? p % BARS_SIDE : p / BARS_SIDE;
            pictures[16 + i * BARS_SIDE * BARS_SIDE + p] =
                (uint8_t)((noise >> 25) + (class < 2 && at == bar ? 120 : 0));
        }
    }
    RV_ASSERT_OK(rv_folder_make(rv_test_path("set"), 0755));
    rv_test_write(rv_test_path("set/train-images-idx3-ubyte"), pictures,
                  16 + (size_t)n * BARS_SIDE * BARS_SIDE);
    rv_test_write(rv_test_path("set/train-labels-idx1-ubyte"), labels, 8 + (size_t)n);
}

void bars_open(int n, int classes)
{
    bars_device = rv_test_device();
    write_bars(n, classes);
}

void bars_close(void)
{
    rv_device_close(bars_device);
}

rv_train_options bars_options(const char *architecture)
{
    rv_train_options o = rv_train_defaults();
    o.architecture = architecture;
    o.epochs = 4;
    o.batch = 16;
    o.optimizer = "adam";
    o.seed = 3;
    return o;
}

rv_status bars_train(rv_train_result *result, const char *folder, const rv_train_options *o)
{
    return rv_train(result, bars_device, rv_test_path("set"), rv_test_path(folder), o);
}
