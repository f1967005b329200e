/* safetensors files: every way in which a header can be wrong, and every type of value. */
/* SPDX-License-Identifier: MIT */
#include "model/safetensors.h"
#include "support/assert.h"
#include "support/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file of a header and `n_values` bytes of zeros; `length` below 0: the header's own. */
static rv_status parse(const char *header, long long length, size_t n_values)
{
    const size_t n = strlen(header);
    const uint64_t announced = length < 0 ? n : (uint64_t)length;
    uint8_t *data = calloc(8 + n + n_values + 1, 1);
    rv_safetensors *file;
    for (int i = 0; i < 8; i++) {
        data[i] = (uint8_t)(announced >> (8 * i));
    }
    memcpy(data + 8, header, n);
    const rv_status status = rv_safetensors_parse(&file, data, 8 + n + n_values, "a.safetensors");
    rv_safetensors_close(file);
    free(data);
    return status;
}

#define T(name, shape, begin, end) \
    "\"" name "\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":[" begin "," end "]}"

Test(safetensors, whole_files_are_taken)
{
    RV_ASSERT_OK(parse("{}", -1, 0));
    RV_ASSERT_OK(parse("{" T("a", "[2]", "0", "8") "}   ", -1, 8));
    RV_ASSERT_OK(parse("{" T("a", "[]", "0", "4") "," T("b", "[0,7]", "4", "4") "}", -1, 4));
    /* In any order. */
    RV_ASSERT_OK(parse("{" T("b", "[1]", "8", "12") "," T("a", "[2]", "0", "8") "}", -1, 12));
    RV_ASSERT_OK(parse("{\"__metadata__\":{\"x\":\"y\"}}", -1, 0));
}

Test(safetensors, lengths_that_cannot_be_are_refused)
{
    RV_ASSERT_FAILS(parse("{}", 0, 0), RV_ERR_FORMAT, "a.safetensors");
    RV_ASSERT_FAILS(parse("{}", 3, 0), RV_ERR_FORMAT, "cut off in its header");
    RV_ASSERT_FAILS(parse("{}", 100000001, 0), RV_ERR_FORMAT, "cut off in its header");
    RV_ASSERT_FAILS(parse("{}", 0x7fffffffffffffff, 0), RV_ERR_FORMAT, "cut off in its header");
}

Test(safetensors, headers_that_are_none_are_refused)
{
    RV_ASSERT_FAILS(parse("[]", -1, 0), RV_ERR_FORMAT, "does not begin with '{'");
    RV_ASSERT_FAILS(parse(" {}", -1, 0), RV_ERR_FORMAT, "does not begin with '{'");
    RV_ASSERT_FAILS(parse("{\"a\":", -1, 0), RV_ERR_FORMAT, "header, byte");
    RV_ASSERT_FAILS(parse("{\"\xff\":1}", -1, 0), RV_ERR_FORMAT, "header, byte");
    RV_ASSERT_FAILS(parse("{" T("a", "[1]", "0", "4") "," T("a", "[1]", "0", "4") "}", -1, 4),
                    RV_ERR_FORMAT, "header, byte");
    RV_ASSERT_FAILS(parse("{\"__metadata__\":[]}", -1, 0), RV_ERR_FORMAT, "__metadata__");
    RV_ASSERT_FAILS(parse("{\"__metadata__\":{\"x\":1}}", -1, 0), RV_ERR_FORMAT, "'x'");
    RV_ASSERT_FAILS(parse("{" T("a", "[1e400]", "0", "4") "}", -1, 4), RV_ERR_FORMAT, "header");
    RV_ASSERT_FAILS(parse("{" T("a", "[18446744073709551616]", "0", "4") "}", -1, 4), RV_ERR_FORMAT,
                    "header");
}

/* As deep as a reader that calls itself would run out of memory. */
Test(safetensors, headers_nested_too_deep_are_refused)
{
    enum { DEPTH = 200000 };
    char *text = malloc(DEPTH + 8);
    strcpy(text, "{\"a\":");
    memset(text + 5, '[', DEPTH);
    text[5 + DEPTH] = '\0';
    RV_ASSERT_FAILS(parse(text, -1, 0), RV_ERR_FORMAT, "header, byte");
    free(text);
}

Test(safetensors, tensors_that_do_not_lie_as_they_should_are_refused)
{
    static const struct {
        const char *header, *words;
        size_t n_values;
    } rows[] = {
        {"{" T("a", "[1]", "4", "0") "}", "'a' does not lie", 4},
        {"{" T("a", "[1]", "0", "8") "}", "'a' does not lie", 8},
        {"{" T("a", "[3]", "0", "12") "}", "'a' does not lie", 8},
        {"{" T("a", "[-1]", "0", "4") "}", "'a' does not lie", 4},
        {"{" T("a", "[4294967296,4294967296,4]", "0", "0") "}", "'a' does not lie", 0},
        {"{" T("a", "[2.5]", "0", "10") "}", "'a' does not lie", 10},
        {"{" T("a", "[-0]", "0", "0.5") "}", "'a' does not lie", 0},
        {"{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[4],\"data_offsets\":[0,4]}}",
         "'a' holds F8_E4M3", 4},
        {"{\"a\":{\"dtype\":\"Q7\",\"shape\":[1],\"data_offsets\":[0,4]}}", "'a' holds Q7", 4},
        {"{\"a\":7}", "'a' does not lie", 0},
        {"{" T("a", "[2]", "0", "8") "," T("b", "[2]", "4", "12") "}", "byte 4", 12},
        {"{" T("a", "[1]", "0", "4") "," T("b", "[1]", "8", "12") "}", "byte 4", 12},
        {"{" T("a", "[1]", "4", "8") "}", "byte 0", 8},
        {"{" T("a", "[1]", "0", "4") "}", "end at byte 4", 9},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        RV_ASSERT_FAILS(parse(rows[i].header, -1, rows[i].n_values), RV_ERR_FORMAT, rows[i].words);
    }
}

/* More than 32 bits count: a file with a hole, of which nothing is read but the ends. */
Test(safetensors, files_beyond_4_gigabytes_are_taken)
{
    static const char header[] = "{" T("a", "[1100000000]", "0", "4400000000") "," T(
        "b", "[1]", "4400000000", "4400000004") "}";
    static const float last = -1.5f;
    const off_t size = 8 + (off_t)strlen(header) + 4400000004;
    rv_safetensors *file;
    float value;
    const rv_shape shape = rv_shape_1(1);
    FILE *stream = fopen(rv_test_path("large.safetensors"), "wb");
    const uint8_t length[8] = {(uint8_t)strlen(header)};
    fwrite(length, 1, 8, stream);
    fputs(header, stream);
    const bool is_made =
        fseeko(stream, size - 4, SEEK_SET) == 0 && fwrite(&last, 4, 1, stream) == 1;
    if (fclose(stream) != 0 || !is_made) {
        cr_skip_test("no file of 4.4 GB can be made here");
    }
    RV_ASSERT_OK(rv_safetensors_open(&file, rv_test_path("large.safetensors")));
    RV_ASSERT_OK(rv_safetensors_read(file, &value, "b", &shape));
    cr_assert_float_eq(value, last, 0);
    rv_safetensors_close(file);
}

Test(safetensors, floats_of_any_width_come_as_they_are)
{
    static const struct {
        const char *type;
        size_t bytes;
        uint8_t data[16];
    } rows[] = {
        {"F32", 4, {0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0}},
        {"F16", 2, {0, 0x3e, 0, 0xc0}},
        {"BF16", 2, {0xc0, 0x3f, 0, 0xc0}},
        {"F64", 8, {0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xc0}},
        {"I32", 4, {0}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char header[128];
        uint8_t data[256] = {0};
        float out[2];
        rv_safetensors *file;
        const rv_shape shape = rv_shape_1(2);
        const size_t n =
            (size_t)snprintf(header, sizeof header,
                             "{\"a\":{\"dtype\":\"%s\",\"shape\":[2],\"data_offsets\":[0,%zu]}}",
                             rows[i].type, 2 * rows[i].bytes);
        data[0] = (uint8_t)n;
        memcpy(data + 8, header, n);
        memcpy(data + 8 + n, rows[i].data, 2 * rows[i].bytes);
        RV_ASSERT_OK(rv_safetensors_parse(&file, data, 8 + n + 2 * rows[i].bytes, "a"));
        if (rows[i].type[0] == 'I') {
            RV_ASSERT_FAILS(rv_safetensors_read(file, out, "a", &shape), RV_ERR_UNSUPPORTED, "I32");
        } else {
            RV_ASSERT_OK(rv_safetensors_read(file, out, "a", &shape));
            cr_assert(out[0] == 1.5f && out[1] == -2.0f, "%s", rows[i].type);
        }
        rv_safetensors_close(file);
    }
}
