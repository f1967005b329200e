/* Checked allocation and arithmetic on sizes. */
/* SPDX-License-Identifier: MIT */
#include "base/memory.h"
#include "base/error.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

bool rv_size_mul(size_t *out, size_t a, size_t b)
{
    if (b != 0 && a > SIZE_MAX / b) {
        return false;
    }
    *out = a * b;
    return true;
}

bool rv_size_add(size_t *out, size_t a, size_t b)
{
    if (a > SIZE_MAX - b) {
        return false;
    }
    *out = a + b;
    return true;
}

static rv_status fail_memory(size_t count, size_t size, const char *what)
{
    return rv_fail(RV_ERR_MEMORY, "not enough memory for %s (%zu x %zu bytes)", what, count, size);
}

/* `out` and `array` point to pointers of any type; memcpy reads and writes them without aliasing. */
rv_status rv_alloc(void *out, size_t count, size_t size, const char *what)
{
    void *memory = NULL;
    memcpy(out, &memory, sizeof memory);
    size_t bytes;
    if (!rv_size_mul(&bytes, count, size)) {
        return fail_memory(count, size, what);
    }
    memory = calloc(bytes > 0 ? bytes : 1, 1);
    if (memory == NULL) {
        return fail_memory(count, size, what);
    }
    memcpy(out, &memory, sizeof memory);
    return RV_OK; /* cppcheck-suppress memleak ; it is in *out */
}

rv_status rv_grow(void *array, size_t *capacity, size_t needed, size_t size, const char *what)
{
    if (needed <= *capacity) {
        return RV_OK;
    }
    size_t wanted = *capacity > SIZE_MAX / 2 ? needed : *capacity * 2;
    if (wanted < needed) {
        wanted = needed;
    }
    size_t bytes;
    if (!rv_size_mul(&bytes, wanted, size)) {
        return fail_memory(needed, size, what);
    }
    void *memory;
    memcpy(&memory, array, sizeof memory);
    memory = realloc(memory, bytes > 0 ? bytes : 1);
    if (memory == NULL) {
        return fail_memory(wanted, size, what);
    }
    memset((char *)memory + *capacity * size, 0, bytes - *capacity * size);
    memcpy(array, &memory, sizeof memory);
    *capacity = wanted;
    return RV_OK;
}

rv_status rv_strdup(char **out, const char *text)
{
    const size_t size = strlen(text) + 1;
    RV_TRY(rv_alloc(out, size, 1, "a copy of a text"));
    memcpy(*out, text, size);
    return RV_OK;
}
