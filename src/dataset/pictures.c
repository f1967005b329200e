/* Walks a folder tree for pictures. */
/* SPDX-License-Identifier: MIT */
#include "dataset/pictures.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <reverie/image.h>
#include <stdlib.h>

enum { DEEPEST = 32 }; /* folders in folders: a link may lead back up */

/* Takes `path`. */
static rv_status add(rv_pictures *p, char *path)
{
    const rv_status status = rv_grow(&p->paths, &p->capacity, p->n + 1, sizeof *p->paths, "files");
    if (status != RV_OK) {
        free(path);
        return status;
    }
    p->paths[p->n++] = path;
    return RV_OK;
}

static rv_status walk(rv_pictures *p, const char *root, const char *below, int depth);

/* @param path  below the root; taken */
static rv_status visit(rv_pictures *p, const char *root, char *path, int depth)
{
    char *full = NULL;
    rv_status status = rv_path_join(&full, root, path);
    if (status == RV_OK && rv_path_is_folder(full)) {
        status = depth < DEEPEST
                     ? walk(p, root, path, depth + 1)
                     : rv_fail(RV_ERR_IO, "%s: more than %d folders deep; is there a link back up?",
                               full, DEEPEST);
    } else if (status == RV_OK && rv_image_has_name(path)) {
        free(full);
        return add(p, path);
    }
    free(full);
    free(path);
    return status;
}

static rv_status walk(rv_pictures *p, const char *root, const char *below, int depth)
{
    char *folder = NULL, **names = NULL;
    size_t n = 0;
    RV_TRY(rv_path_join(&folder, root, below));
    rv_status status = rv_folder_list(&names, &n, folder);
    for (size_t i = 0; i < n && status == RV_OK; i++) {
        char *path = NULL;
        if (names[i][0] == '.') {
            continue;
        }
        status =
            below[0] == '\0' ? rv_strdup(&path, names[i]) : rv_path_join(&path, below, names[i]);
        if (status == RV_OK) {
            status = visit(p, root, path, depth);
        }
    }
    free(names);
    free(folder);
    return status;
}

rv_status rv_pictures_list(rv_pictures *out, const char *folder)
{
    *out = (rv_pictures){0};
    const rv_status status = walk(out, folder, "", 0);
    if (status != RV_OK) {
        rv_pictures_release(out);
    }
    return status;
}

void rv_pictures_release(rv_pictures *pictures)
{
    for (size_t i = 0; i < pictures->n; i++) {
        free(pictures->paths[i]);
    }
    free(pictures->paths);
    *pictures = (rv_pictures){0};
}
