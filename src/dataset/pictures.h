/* The pictures of a folder tree. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_DATASET_PICTURES_H
#define RV_DATASET_PICTURES_H

#include <reverie/status.h>
#include <stddef.h>

/** Paths below a folder, as "class/file.jpg", in an order that depends on names only. */
typedef struct rv_pictures {
    char **paths;
    size_t n, capacity;
} rv_pictures;

/** Lists files with names of pictures in `folder` and the folders in it, if there are any; hidden ones are left out.
 *  @return RV_ERR_NOT_FOUND: no such folder; RV_ERR_IO: folders go deeper than 32, as where a link leads back up. */
RV_NODISCARD rv_status rv_pictures_list(rv_pictures *out, const char *folder);
void rv_pictures_release(rv_pictures *pictures);

#endif
