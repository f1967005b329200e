/* Pictures of a folder. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/file.h"
#include "image/internal.h"

#include <string.h>

/* No format compresses them, and no photo has that many bytes in this order by chance. */
bool rv_image_has_settings(const char *path, const char *start)
{
    rv_bytes bytes;
    if (rv_bytes_open(&bytes, path, 0) != RV_OK) {
        return false;
    }
    const size_t n = strlen(start);
    const uint8_t *at = bytes.data, *end = at + bytes.size;
    bool found = false;
    while (!found && (size_t)(end - at) >= n) {
        at = memchr(at, start[0], (size_t)(end - at) - n + 1);
        if (at == NULL) {
            break;
        }
        found = memcmp(at, start, n) == 0;
        at++;
    }
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
