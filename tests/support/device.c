/* Opens the device that the tests run on. */
/* SPDX-License-Identifier: MIT */
#include "support/device.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

void rv_test_skip_without_device(rv_status status)
{
    if (status == RV_ERR_NOT_FOUND && getenv("REVERIE_DEVICE") == NULL) {
        cr_skip_test("%s", rv_error_message());
    }
}

bool rv_test_gpu_form_only(void)
{
    const char *value = getenv("REVERIE_TEST_GPU_FORM");
    return value != NULL && strcmp(value, "1") == 0;
}

rv_status rv_test_device_open(rv_device **out, rv_form form, int block)
{
    rv_device_options options = RV_DEVICE_OPTIONS_INIT;
    options.form = form == RV_FORM_AUTO && rv_test_gpu_form_only() ? RV_FORM_GPU : form;
    options.block = block;
    const rv_status status = rv_device_open(out, &options);
    rv_test_skip_without_device(status);
    return status;
}

rv_device *rv_test_device(void)
{
    rv_device *device;
    const rv_status status = rv_test_device_open(&device, RV_FORM_AUTO, 0);
    cr_assert(status == RV_OK, "%s", rv_error_message());
    return device;
}
