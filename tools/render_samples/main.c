/* render_samples FOLDER [NAME...]: renders the pictures of samples/, the same bytes on every run. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/system.h"
#include "paint.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct picture {
    const char *name;
    int width, height;
    rv_status (*render)(canvas *c);
} pictures[] = {
    {"landscape", 768, 576, render_landscape}, {"still_life", 768, 576, render_still_life},
    {"brush", 640, 480, render_brush},         {"woodcut", 640, 480, render_woodcut},
    {"mosaic", 640, 480, render_mosaic},
};
enum { N_PICTURES = sizeof pictures / sizeof *pictures, QUALITY = 92 };

static uint8_t to_sample(float v)
{
    return (uint8_t)(clamp(v, 0, 1) * 255 + 0.5f);
}

static rv_status save(const canvas *c, const char *folder, const char *name)
{
    char file[64];
    snprintf(file, sizeof file, "%s.jpg", name);
    char *path = NULL;
    rv_image *image = NULL;
    rv_status status = rv_path_join(&path, folder, file);
    if (status == RV_OK) {
        status = rv_image_create(&image, c->width, c->height, 3, 8);
    }
    if (status != RV_OK) {
        goto cleanup;
    }
    uint8_t *to = rv_image_pixels(image);
    for (int i = 0; i < c->width * c->height; i++, to += 3) {
        to[0] = to_sample(c->pixels[i].x);
        to[1] = to_sample(c->pixels[i].y);
        to[2] = to_sample(c->pixels[i].z);
    }
    rv_image_write_options options = RV_IMAGE_WRITE_OPTIONS_INIT;
    options.quality = QUALITY;
    options.overwrite = true;
    status = rv_image_write(image, path, &options);
cleanup:
    rv_image_destroy(image);
    free(path);
    return status;
}

static rv_status render(const struct picture *p, const char *folder)
{
    const double start = rv_clock();
    canvas c = {.width = p->width, .height = p->height};
    RV_TRY(rv_alloc(&c.pixels, (size_t)c.width * (size_t)c.height, sizeof *c.pixels, "a canvas"));
    rv_status status = p->render(&c);
    if (status == RV_OK) {
        status = save(&c, folder, p->name);
    }
    free(c.pixels);
    if (status == RV_OK) {
        printf("%s: %.1f s\n", p->name, rv_clock() - start);
    }
    return status;
}

static bool is_wanted(const char *name, char **names, int n)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return n == 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: render_samples FOLDER [NAME...]\n");
        return 2;
    }
    for (int i = 0; i < N_PICTURES; i++) {
        if (is_wanted(pictures[i].name, argv + 2, argc - 2) &&
            render(&pictures[i], argv[1]) != RV_OK) {
            fprintf(stderr, "render_samples: %s\n", rv_error_message());
            return 1;
        }
    }
    return 0;
}
