/* Finds GPUs that no OpenCL driver lists, and says what to install. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "device/internal.h"

#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Packages of Debian and Ubuntu that hold the OpenCL driver of a vendor. */
static const struct {
    unsigned id;
    const char *name, *package;
} vendors[] = {
    {0x1002, "AMD", "mesa-opencl-icd"},
    {0x10de, "NVIDIA", "nvidia-opencl-icd (and the NVIDIA driver)"},
    {0x8086, "Intel", "intel-opencl-icd"},
};
enum { N_VENDORS = sizeof vendors / sizeof vendors[0] };

/* A number such as 0x1002 from the file FOLDER/CARD/device/NAME, 0 where there is none. */
static unsigned read_number(const char *drm, const char *card, const char *name)
{
    char *path = NULL;
    unsigned value = 0;
    if (rv_format(&path, "%s/%s/device/%s", drm, card, name) == RV_OK) {
        FILE *file = fopen(path, "r");
        char text[32] = "";
        if (file != NULL) {
            if (fgets(text, sizeof text, file) != NULL) {
                value = (unsigned)strtoul(text, NULL, 16);
            }
            fclose(file);
        }
    }
    free(path);
    return value;
}

/* "card0", but not its connectors ("card0-DP-1") or render nodes. */
static bool is_card(const char *name)
{
    return strncmp(name, "card", 4) == 0 && name[4] != '\0' &&
           name[4 + strspn(name + 4, "0123456789")] == '\0';
}

/* Most devices that one platform lists of a vendor: two drivers may list the same card. */
static size_t count_listed(const rv_found *all, size_t n, unsigned vendor)
{
    size_t most = 0;
    for (size_t i = 0; i < n; i++) {
        size_t count = 0;
        for (size_t k = 0; k < n; k++) {
            count += all[k].platform == all[i].platform && all[k].vendor == vendor &&
                     all[k].info.type == RV_DEVICE_GPU;
        }
        most = count > most ? count : most;
    }
    return most;
}

/* Path of the render node of a card in `nodes`, NULL where it has none. */
static rv_status render_node(char **out, const char *drm, const char *card, const char *nodes)
{
    char *folder = NULL, **names = NULL;
    size_t n = 0;
    *out = NULL;
    rv_status status = rv_format(&folder, "%s/%s/device/drm", drm, card);
    if (status == RV_OK && rv_path_is_folder(folder)) {
        status = rv_folder_list(&names, &n, folder);
    }
    for (size_t i = 0; i < n && status == RV_OK && *out == NULL; i++) {
        if (strncmp(names[i], "renderD", 7) == 0) {
            status = rv_path_join(out, nodes, names[i]);
        }
    }
    free(names);
    free(folder);
    return status;
}

/* The group that owns a file, as a name. */
static void group_of(char *out, size_t bytes, const char *path)
{
    struct stat info;
    struct group entry, *found = NULL;
    char text[4096];
    snprintf(out, bytes, "render");
    if (stat(path, &info) == 0 && getgrgid_r(info.st_gid, &entry, text, sizeof text, &found) == 0 &&
        found != NULL && strcmp(found->gr_name, "root") != 0) {
        snprintf(out, bytes, "%s", found->gr_name);
    }
}

static rv_status append_card(rv_text *lines, const char *drm, const char *card, const char *nodes,
                             size_t vendor)
{
    char *node = NULL;
    RV_TRY(render_node(&node, drm, card, nodes));
    const unsigned id = read_number(drm, card, "device");
    rv_text_append(lines, "%s GPU (%04x:%04x, %s) has no OpenCL device: ", vendors[vendor].name,
                   vendors[vendor].id, id, card);
    if (node != NULL && rv_path_exists(node) && access(node, R_OK | W_OK) != 0) {
        char group[128];
        group_of(group, sizeof group, node);
        rv_text_append(lines,
                       "you may not open %s; join its group (sudo usermod -a -G %s $USER), then "
                       "log in again",
                       node, group);
    } else {
        rv_text_append(lines, "install the package %s", vendors[vendor].package);
    }
    rv_text_append_bytes(lines, "", 1);
    free(node);
    return rv_text_status(lines);
}

/* Pointers first, the lines behind them, in one block. */
static rv_status pack(char ***out, const rv_text *lines, size_t n)
{
    const size_t table = n * sizeof(char *);
    RV_TRY(rv_alloc(out, 1, table + lines->length, "list of GPUs"));
    char *at = (char *)*out + table;
    memcpy(at, lines->data, lines->length);
    for (size_t i = 0; i < n; i++) {
        (*out)[i] = at;
        at += strlen(at) + 1;
    }
    return RV_OK;
}

rv_status rv_missing_gpus(char ***out, size_t *n, const char *drm, const char *nodes,
                          const rv_found *all, size_t n_all)
{
    *out = NULL;
    *n = 0;
    char **cards = NULL;
    size_t n_cards = 0, seen[N_VENDORS] = {0};
    rv_text lines = {0};
    if (!rv_path_is_folder(drm)) { /* no graphics at all, or a container */
        return RV_OK;
    }
    rv_status status = rv_folder_list(&cards, &n_cards, drm);
    for (size_t i = 0; i < n_cards && status == RV_OK; i++) {
        const unsigned id = is_card(cards[i]) ? read_number(drm, cards[i], "vendor") : 0;
        for (size_t v = 0; v < N_VENDORS && status == RV_OK; v++) {
            if (id == vendors[v].id && ++seen[v] > count_listed(all, n_all, id)) {
                status = append_card(&lines, drm, cards[i], nodes, v);
                ++*n;
            }
        }
    }
    if (status == RV_OK && *n > 0) {
        status = pack(out, &lines, *n);
    }
    if (status != RV_OK) {
        *n = 0;
    }
    rv_text_release(&lines);
    free(cards);
    return status;
}

rv_status rv_device_missing(char ***out, size_t *n)
{
    *out = NULL;
    *n = 0;
    rv_found *all;
    size_t n_all;
    RV_TRY(rv_found_list(&all, &n_all));
    const rv_status status = rv_missing_gpus(out, n, "/sys/class/drm", "/dev/dri", all, n_all);
    free(all);
    return status;
}
