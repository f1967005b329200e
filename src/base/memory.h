/* Checked allocation and arithmetic on sizes that come from files. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_BASE_MEMORY_H
#define RV_BASE_MEMORY_H

#include <reverie/status.h>
#include <stdbool.h>
#include <stddef.h>

/** Zeroed array of `count` elements; *out is NULL on failure and freed with free().
 *  @return RV_ERR_MEMORY, message naming `what`, also where count * size overflows. */
RV_NODISCARD rv_status rv_alloc(void *out, size_t count, size_t size, const char *what);

/** Grows the array *array (of elements of `size` bytes) to hold at least `needed` elements, doubling
 *  *capacity; new elements are zeroed. On failure the array stays as it was. */
RV_NODISCARD rv_status rv_grow(void *array, size_t *capacity, size_t needed, size_t size,
                               const char *what);

/** Copy of a string, freed with free(); fails like rv_alloc. */
RV_NODISCARD rv_status rv_strdup(char **out, const char *text);

/** *out = a * b or a + b; false where that overflows. */
bool rv_size_mul(size_t *out, size_t a, size_t b);
bool rv_size_add(size_t *out, size_t a, size_t b);

#endif
