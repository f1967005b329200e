/* The device that the tests run on. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_TESTS_DEVICE_H
#define RV_TESTS_DEVICE_H

#include "device/device.h"

/** Skips the test where the status of an opening says that there is no device, and none is named by
 *  REVERIE_DEVICE. */
void rv_test_skip_without_device(rv_status status);

/** Whether devices take the form of GPUs unless a test asks for the other: REVERIE_TEST_GPU_FORM=1, for drivers of
 *  GPUs that lend the processor for a test, and are slow to compile what is written for it. */
bool rv_test_gpu_form_only(void);

/** The device of REVERIE_DEVICE, or the one that the program would choose; skips as above.
 *  @param form   RV_FORM_AUTO: the device's own.
 *  @param block  0: the device's own. */
RV_NODISCARD rv_status rv_test_device_open(rv_device **out, rv_form form, int block);

/** As above with the device's own form and block; fails the test where opening fails. Closed by the
 *  caller. */
rv_device *rv_test_device(void);

#endif
