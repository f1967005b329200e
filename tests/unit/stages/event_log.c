/* Event files for TensorBoard: checksums, records, values. */
/* SPDX-License-Identifier: MIT */
#include "stages/event_log.h"
#include "base/file.h"
#include "support/assert.h"
#include "support/scratch.h"

#include <stdlib.h>
#include <string.h>

/* The check value of CRC-32C is that of "123456789": 0xE3069283, which the mask turns by 15 bits and adds to. */
Test(event_log, checksums_are_castagnoli_s_masked)
{
    const uint32_t crc = UINT32_C(0xE3069283);
    cr_assert_eq(rv_masked_crc32c("123456789", 9), (crc >> 15 | crc << 17) + UINT32_C(0xA282EAD8));
}

static uint64_t little_endian(const uint8_t *p, int bytes)
{
    uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; i--) {
        value = value << 8 | p[i];
    }
    return value;
}

Test(event_log, a_file_is_records_that_hold_what_was_written)
{
    rv_event_log *log;
    char **names, *path;
    size_t n_names;
    rv_bytes file;
    RV_ASSERT_OK(rv_folder_make(rv_test_path("run"), 0755));
    RV_ASSERT_OK(rv_event_log_open(&log, rv_test_path("run")));
    RV_ASSERT_OK(rv_event_log_scalar(log, 300, "loss/train", 0.625));
    rv_event_log_close(log);
    RV_ASSERT_OK(rv_folder_list(&names, &n_names, rv_test_path("run")));
    cr_assert_eq(n_names, 1);
    cr_assert_eq(strncmp(names[0], "events.out.tfevents.", 20), 0, "%s", names[0]);
    RV_ASSERT_OK(rv_path_join(&path, rv_test_path("run"), names[0]));
    RV_ASSERT_OK(rv_bytes_open(&file, path, 0));
    const uint8_t *message[2];
    size_t length[2], at = 0;
    for (int i = 0; i < 2; i++) {
        length[i] = (size_t)little_endian(file.data + at, 8);
        cr_assert_eq(little_endian(file.data + at + 8, 4), rv_masked_crc32c(file.data + at, 8));
        message[i] = file.data + at + 12;
        at += 12 + length[i];
        cr_assert_eq(little_endian(file.data + at, 4), rv_masked_crc32c(message[i], length[i]));
        at += 4;
    }
    cr_assert_eq(at, file.size);
    /* wall_time (field 1, double), file_version (field 3, text) */
    cr_assert_eq(message[0][0], 0x09);
    cr_assert(message[0][9] == 0x1a && memcmp(message[0] + 11, "brain.Event:2", 13) == 0);
    /* wall_time, step 300 (field 2, varint), summary (5) of one value (1): tag (1), simple_value (2, float) */
    static const uint8_t expected[] = {0x10, 0xac, 0x02, 0x2a, 19,  0x0a, 17,   0x0a,
                                       10,   'l',  'o',  's',  's', '/',  't',  'r',
                                       'a',  'i',  'n',  0x15, 0,   0,    0x20, 0x3f};
    cr_assert_eq(length[1], 9 + sizeof expected);
    cr_assert_arr_eq(message[1] + 9, expected, sizeof expected);
    rv_bytes_close(&file);
    free(path);
    free(names);
}
