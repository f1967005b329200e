/* Pictures of a folder. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/file.h"
#include "image/internal.h"

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
