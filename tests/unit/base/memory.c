/* Checked allocation and arithmetic. */
/* SPDX-License-Identifier: MIT */
#include "base/memory.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

Test(memory, allocated_arrays_are_zero)
{
    int *a = NULL;
    cr_assert_eq(rv_alloc(&a, 1000, sizeof *a, "numbers"), RV_OK);
    for (int i = 0; i < 1000; i++) {
        cr_assert_eq(a[i], 0);
    }
    free(a);
}

Test(memory, nothing_is_an_array_too)
{
    int *a = NULL;
    cr_assert_eq(rv_alloc(&a, 0, sizeof *a, "numbers"), RV_OK);
    cr_assert_not_null(a);
    free(a);
}

Test(memory, an_overflowing_size_fails_and_names_what)
{
    int dummy, *a = &dummy;
    cr_assert_eq(rv_alloc(&a, SIZE_MAX / 2, 4, "the weights"), RV_ERR_MEMORY);
    cr_assert_null(a);
    cr_assert(strstr(rv_error_message(), "the weights") != NULL, "%s", rv_error_message());
}

Test(memory, more_than_the_machine_has_fails)
{
    char *a = NULL;
    cr_assert_eq(rv_alloc(&a, SIZE_MAX / 4, 1, "everything"), RV_ERR_MEMORY);
    cr_assert_null(a);
}

Test(memory, growing_doubles_keeps_and_zeroes)
{
    int *a = NULL;
    size_t capacity = 0;
    cr_assert_eq(rv_grow(&a, &capacity, 3, sizeof *a, "numbers"), RV_OK);
    cr_assert_eq(capacity, 3);
    a[2] = 7;
    cr_assert_eq(rv_grow(&a, &capacity, 4, sizeof *a, "numbers"), RV_OK);
    cr_assert_eq(capacity, 6);
    cr_assert_eq(a[2], 7);
    cr_assert(a[3] == 0 && a[4] == 0 && a[5] == 0);
    int *before = a;
    cr_assert_eq(rv_grow(&a, &capacity, 6, sizeof *a, "numbers"), RV_OK);
    cr_assert_eq(a, before);
    cr_assert_eq(rv_grow(&a, &capacity, 1000, sizeof *a, "numbers"), RV_OK);
    cr_assert_eq(capacity, 1000);
    free(a);
}

Test(memory, failing_to_grow_leaves_the_array)
{
    int *a = NULL;
    size_t capacity = 0;
    cr_assert_eq(rv_grow(&a, &capacity, 2, sizeof *a, "numbers"), RV_OK);
    a[1] = 5;
    int *before = a;
    cr_assert_eq(rv_grow(&a, &capacity, SIZE_MAX / 2, sizeof *a, "the list"), RV_ERR_MEMORY);
    cr_assert(strstr(rv_error_message(), "the list") != NULL);
    cr_assert_eq(rv_grow(&a, &capacity, SIZE_MAX / 16, sizeof *a, "the list"), RV_ERR_MEMORY);
    cr_assert(a == before && capacity == 2 && a[1] == 5);
    free(a);
}

Test(memory, strings_are_copied)
{
    char *copy = NULL;
    cr_assert_eq(rv_strdup(&copy, "starry night"), RV_OK);
    cr_assert_str_eq(copy, "starry night");
    free(copy);
}

Test(memory, products_and_sums_know_their_limit)
{
    size_t out = 1;
    cr_assert(rv_size_mul(&out, SIZE_MAX / 3, 3) && out == SIZE_MAX / 3 * 3);
    cr_assert(!rv_size_mul(&out, SIZE_MAX / 3 + 1, 3));
    cr_assert(rv_size_mul(&out, SIZE_MAX, 0) && out == 0);
    cr_assert(rv_size_mul(&out, 0, SIZE_MAX) && out == 0);
    cr_assert(rv_size_add(&out, SIZE_MAX - 1, 1) && out == SIZE_MAX);
    cr_assert(!rv_size_add(&out, SIZE_MAX, 1));
}
