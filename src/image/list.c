/* Pictures of a folder. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/file.h"
#include "image/internal.h"

#include <string.h>

/* Settings stand before the samples or behind them, with other words of some hundred kilobytes at most. */
static const size_t most_words = (size_t)1 << 20;

static bool has(const uint8_t *at, size_t size, const char *text)
{
    const size_t n = strlen(text);
    for (const uint8_t *end = at + size; (size_t)(end - at) >= n; at++) {
        at = memchr(at, text[0], (size_t)(end - at) - n + 1);
        if (at == NULL) {
            return false;
        }
        if (memcmp(at, text, n) == 0) {
            return true;
        }
    }
    return false;
}

/* No format compresses them, and no photo has that many bytes in this order by chance. */
bool rv_image_has_settings(const char *path, const char *start)
{
    rv_bytes bytes;
    if (rv_bytes_open(&bytes, path, 0) != RV_OK) {
        return false;
    }
    const size_t part = bytes.size < most_words ? bytes.size : most_words;
    const bool found = part > 0 && (has(bytes.data, part, start) ||
                                    has(bytes.data + bytes.size - part, part, start));
    rv_bytes_close(&bytes);
    return found;
}

rv_status rv_image_list(char ***out, size_t *n, const char *folder)
{
    size_t all;
    RV_TRY(rv_folder_list(out, &all, folder));
    *n = 0;
    for (size_t i = 0; i < all; i++) {
        char *name = (*out)[i];
        if (name[0] != '.' && rv_image_has_name(name)) {
            (*out)[(*n)++] = name;
        }
    }
    return RV_OK;
}
