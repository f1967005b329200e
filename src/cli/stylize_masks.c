/* The masks of `reverie stylize`: files, or folders that have one for each photo. */
/* SPDX-License-Identifier: MIT */
#include "cli/stylize_masks.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEY ":mask="

int cli_mask_split(char **style, char **mask, double *weight, const char *text)
{
    const char *at = NULL;
    *mask = NULL;
    *weight = 1;
    for (const char *p = strstr(text, KEY); p != NULL; p = strstr(p + 1, KEY)) {
        at = p;
    }
    if (at == NULL || access(text, F_OK) == 0) {
        *style = cli_format("%s", text);
        return *style != NULL ? CLI_DONE : cli_out_of_memory();
    }
    *style = cli_format("%.*s", (int)(at - text), text);
    if (*style == NULL) {
        return cli_out_of_memory();
    }
    if (at[strlen(KEY)] == '\0') {
        return cli_usage("--style %s names no mask behind 'mask='", text);
    }
    return cli_status(rv_path_weight(mask, weight, at + strlen(KEY)));
}

/* The mask of a path, added where it is new; NULL for none. There is room. */
static int add(const cli_mask **out, cli_masks *m, const char *path)
{
    *out = NULL;
    if (path == NULL) {
        return CLI_DONE;
    }
    for (size_t i = 0; i < m->n; i++) {
        if (strcmp(m->items[i].path, path) == 0 || cli_is_same_file(m->items[i].path, path)) {
            *out = &m->items[i];
            return CLI_DONE;
        }
    }
    cli_mask *mask = &m->items[m->n];
    mask->path = cli_format("%s", path);
    if (mask->path == NULL) {
        return cli_out_of_memory();
    }
    mask->is_folder = cli_is_folder(path);
    m->n++;
    *out = mask;
    return CLI_DONE;
}

static void drop_file(cli_mask *mask)
{
    free(mask->file);
    rv_image_destroy(mask->image);
    mask->file = NULL;
    mask->image = NULL;
}

/* Reads m->file. @return exit code; *reason, freed with free(), says what is wrong */
static int read_file(cli_mask *m, const rv_image_read_options *read, char **reason)
{
    const rv_status status = rv_image_read(&m->image, m->file, read);
    if (status != RV_OK) {
        *reason = cli_format("%s", rv_error_message());
        return CLI_FAILED;
    }
    if (rv_stylize_mask_check(m->image) != RV_OK) {
        *reason = cli_format("%s: %s", m->file, rv_error_message());
        return CLI_FAILED;
    }
    return CLI_DONE;
}

int cli_masks_read(cli_masks *out, const rv_image_read_options *read, const char *whole,
                   char *const *of_style, size_t n_styles)
{
    out->items = calloc(n_styles + 1, sizeof *out->items);
    out->of_style = calloc(n_styles + 1, sizeof *out->of_style);
    out->images = calloc(n_styles + 1, sizeof *out->images);
    if (out->items == NULL || out->of_style == NULL || out->images == NULL) {
        return cli_out_of_memory();
    }
    out->n = 0;
    out->n_styles = n_styles;
    int code = add(&out->whole, out, whole);
    for (size_t i = 0; i < n_styles && code == CLI_DONE; i++) {
        code = add(&out->of_style[i], out, of_style[i]);
    }
    for (size_t i = 0; i < out->n && code == CLI_DONE; i++) {
        cli_mask *m = &out->items[i];
        if (!m->is_folder) {
            char *reason = NULL;
            m->file = cli_format("%s", m->path);
            code = m->file != NULL ? read_file(m, read, &reason) : cli_out_of_memory();
            if (reason != NULL) {
                cli_say("%s", reason);
            }
            free(reason);
        }
    }
    return code;
}

/* --- folders --------------------------------------------------------------------------------- */

/* The name of a file, and how much of it stands before the extension. */
static const char *stem_of(const char *path, size_t *length)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    *length = dot != NULL && dot != name ? (size_t)(dot - name) : strlen(name);
    return name;
}

static bool same_stem(const char *a, const char *b)
{
    size_t n, k;
    const char *x = stem_of(a, &n), *y = stem_of(b, &k);
    return n == k && strncmp(x, y, n) == 0;
}

/* The file of the photo's name in a folder, which is not the photo. */
static int find_file(cli_mask *m, const char *photo, char **reason)
{
    const char *slash = m->path[strlen(m->path) - 1] == '/' ? "" : "/";
    char **names;
    size_t n;
    if (rv_image_list(&names, &n, m->path) != RV_OK) {
        *reason = cli_format("%s", rv_error_message());
        return CLI_FAILED;
    }
    for (size_t i = 0; i < n && m->file == NULL; i++) {
        if (same_stem(names[i], photo)) {
            m->file = cli_format("%s%s%s", m->path, slash, names[i]);
        }
        if (m->file != NULL && cli_is_same_file(m->file, photo)) {
            drop_file(m);
        }
    }
    free(names);
    if (m->file == NULL) {
        *reason = cli_format("there is no mask for %s in the folder '%s': it has the photo's name, "
                             "with any extension of a picture",
                             photo, m->path);
        return CLI_FAILED;
    }
    return CLI_DONE;
}

int cli_masks_check_preview(const cli_masks *masks, const char *preview)
{
    const char *slash = preview != NULL ? strrchr(preview, '/') : NULL;
    const int length = slash != NULL ? (int)(slash - preview) + 1 : 0;
    char *folder = cli_format("%.*s.", length, preview != NULL ? preview : "");
    const char *path = NULL;
    if (folder == NULL) {
        return cli_out_of_memory();
    }
    for (size_t i = 0; i < masks->n && preview != NULL && path == NULL; i++) {
        const cli_mask *m = &masks->items[i];
        path = m->is_folder && cli_is_same_file(m->path, folder) ? m->path : NULL;
    }
    free(folder);
    return path == NULL ? CLI_DONE
                        : cli_usage("--preview %s would lie among the masks in '%s'; choose "
                                    "another folder",
                                    preview, path);
}

int cli_masks_find(cli_masks *masks, const rv_image_read_options *read, const char *photo,
                   const char *output, char **reason)
{
    int code = CLI_DONE;
    for (size_t i = 0; i < masks->n && code == CLI_DONE; i++) {
        cli_mask *m = &masks->items[i];
        if (!m->is_folder) {
            continue;
        }
        drop_file(m);
        code = find_file(m, photo, reason);
        if (code == CLI_DONE) {
            code = read_file(m, read, reason);
        }
        if (code == CLI_DONE && cli_is_same_file(m->file, output)) {
            *reason = cli_format("'%s' is a mask; choose another name for the output", output);
            code = CLI_USAGE;
        }
    }
    return code;
}

void cli_masks_give(const cli_masks *masks, rv_stylize_options *options)
{
    bool any = false;
    for (size_t i = 0; i < masks->n_styles; i++) {
        const cli_mask *m = masks->of_style[i];
        masks->images[i] = m != NULL ? m->image : NULL;
        any = any || m != NULL;
    }
    options->mask = masks->whole != NULL ? masks->whole->image : NULL;
    options->style_masks = any ? masks->images : NULL;
}

void cli_masks_release(cli_masks *masks)
{
    for (size_t i = 0; i < masks->n; i++) {
        drop_file(&masks->items[i]);
        free(masks->items[i].path);
    }
    free(masks->items);
    free(masks->of_style);
    free(masks->images);
    *masks = (cli_masks){0};
}
