/* Which names of files are those of pictures. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_IMAGE_FORMAT_H
#define RV_IMAGE_FORMAT_H

#include <stdbool.h>

/** Whether a path ends as pictures do that this build reads, in letters of either case. */
bool rv_image_has_name(const char *path);

#endif
