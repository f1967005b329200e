/* The wire reader: what it takes, and each way in which it refuses a damaged file. */
/* SPDX-License-Identifier: MIT */
#include "model/protobuf.h"

#include <criterion/criterion.h>
#include <string.h>

#define MESSAGE(...) rv_proto_file((const uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}))

static void refuses(rv_proto message, const char *culprit)
{
    rv_proto_field f;
    cr_assert_eq(rv_proto_next(&f, &message), RV_ERR_FORMAT);
    cr_assert(strstr(rv_error_message(), culprit) != NULL, "%s", rv_error_message());
}

Test(protobuf, takes_each_wire_type_and_ends_with_number_0)
{
    rv_proto m = MESSAGE(0x08, 0x96, 0x01, 0x15, 0, 0, 0x80, 0x3f, 0x19, 0, 0, 0, 0, 0, 0, 0xf0,
                         0x3f, 0xa2, 0x06, 2, 'h', 'i');
    rv_proto_field f;
    cr_assert_eq(rv_proto_next(&f, &m), RV_OK);
    cr_assert(f.number == 1 && f.wire == RV_WIRE_VARINT && f.value == 150);
    cr_assert_eq(rv_proto_next(&f, &m), RV_OK);
    cr_assert(f.number == 2 && f.wire == RV_WIRE_32 && rv_proto_float(f.data) == 1.0f);
    cr_assert_eq(rv_proto_next(&f, &m), RV_OK);
    cr_assert(f.number == 3 && f.wire == RV_WIRE_64 && rv_proto_double(f.data) == 1.0);
    cr_assert_eq(rv_proto_next(&f, &m), RV_OK);
    cr_assert(f.number == 100 && f.size == 2 && memcmp(f.data, "hi", 2) == 0);
    cr_assert_eq(rv_proto_next(&f, &m), RV_OK);
    cr_assert_eq(f.number, 0);
}

Test(protobuf, a_varint_has_64_bits_in_10_bytes_at_most)
{
    rv_proto m = MESSAGE(8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1);
    rv_proto_field f;
    cr_assert_eq(rv_proto_next(&f, &m), RV_OK);
    cr_assert_eq(f.value, UINT64_MAX);
    refuses(MESSAGE(8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2), "byte 1: ");
    refuses(MESSAGE(8, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0), "64 bits");
    refuses(MESSAGE(8, 0xff), "cut off");
}

Test(protobuf, lengths_past_the_end_are_refused_with_the_byte)
{
    refuses(MESSAGE(0x0a, 5, 'a'), "byte 2: 5 bytes are announced, but 1 are left");
    refuses(MESSAGE(0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1), "announced");
    refuses(MESSAGE(0x0d, 1, 2, 3), "4 bytes are announced");
    refuses(MESSAGE(0x09, 1, 2, 3), "8 bytes are announced");
}

Test(protobuf, groups_and_field_0_are_refused)
{
    refuses(MESSAGE(0x0b), "wire type 3");
    refuses(MESSAGE(0x0c), "wire type 4");
    refuses(MESSAGE(0x0e), "wire type 6");
    refuses(MESSAGE(0x00, 1), "no field has such a number");
    refuses(MESSAGE(0x88, 0x80, 0x80, 0x80, 0x80, 0x80, 1), "no field has such a number");
}

Test(protobuf, a_message_inside_ends_where_its_length_says)
{
    rv_proto m = MESSAGE(0x0a, 2, 0x08, 7, 0x10, 9), inner;
    rv_proto_field f;
    cr_assert_eq(rv_proto_next(&f, &m), RV_OK);
    cr_assert_eq(rv_proto_enter(&inner, &m, &f), RV_OK);
    cr_assert_eq(rv_proto_next(&f, &inner), RV_OK);
    cr_assert_eq(f.value, 7);
    cr_assert_eq(rv_proto_next(&f, &inner), RV_OK);
    cr_assert_eq(f.number, 0);
    cr_assert_eq(rv_proto_next(&f, &m), RV_OK);
    cr_assert_eq(rv_proto_enter(&inner, &m, &f), RV_ERR_FORMAT);
    cr_assert(strstr(rv_error_message(), "field 2 should be a message") != NULL);
}

Test(protobuf, messages_nest_100_deep_and_no_deeper)
{
    uint8_t bytes[3 * 101];
    for (int i = 0; i < 101; i++) {
        const int size = 3 * (100 - i);
        bytes[3 * i] = 0x0a;
        bytes[3 * i + 1] = (uint8_t)(0x80 | (size & 0x7f));
        bytes[3 * i + 2] = (uint8_t)(size >> 7);
    }
    rv_proto m = rv_proto_file(bytes, sizeof bytes);
    rv_proto_field f;
    for (int depth = 1; depth <= 101; depth++) {
        rv_proto inner;
        cr_assert_eq(rv_proto_next(&f, &m), RV_OK);
        const rv_status status = rv_proto_enter(&inner, &m, &f);
        cr_assert_eq(status, depth <= 100 ? RV_OK : RV_ERR_FORMAT, "depth %d", depth);
        m = inner;
    }
    cr_assert(strstr(rv_error_message(), "deeper than 100") != NULL);
}

Test(protobuf, repeated_numbers_count_packed_and_single)
{
    rv_proto m = MESSAGE(0x0a, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0x0d, 1, 2, 3, 4, 0x0a, 3, 1, 2, 3);
    rv_proto_field f;
    size_t n;
    cr_assert_eq(rv_proto_next(&f, &m), RV_OK);
    cr_assert_eq(rv_proto_count(&n, &m, &f, 4), RV_OK);
    cr_assert_eq(n, 2);
    cr_assert_eq(rv_proto_count(&n, &m, &f, 8), RV_OK);
    cr_assert_eq(n, 1);
    cr_assert_eq(rv_proto_next(&f, &m), RV_OK);
    cr_assert_eq(rv_proto_count(&n, &m, &f, 4), RV_OK);
    cr_assert_eq(n, 1);
    cr_assert_eq(rv_proto_count(&n, &m, &f, 8), RV_ERR_FORMAT);
    cr_assert_eq(rv_proto_next(&f, &m), RV_OK);
    cr_assert_eq(rv_proto_count(&n, &m, &f, 4), RV_ERR_FORMAT);
}
