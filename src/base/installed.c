/* Finds files that were installed with the library, from where its code lies. */
/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* dl_iterate_phdr */
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

/* Below the prefix: libraries lie in lib/ or lib/x86_64-linux-gnu/, programs in bin/, tests of a build in tests/. */
enum { LEVELS = 4 };

/* A place in this library, and the file that it was loaded from. */
typedef struct code {
    uintptr_t address;
    char file[PATH_MAX];
} code;

static int find_code(struct dl_phdr_info *object, size_t size, void *payload)
{
    code *c = payload;
    (void)size;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        const uintptr_t start = object->dlpi_addr + segment->p_vaddr;
        if (segment->p_type == PT_LOAD && c->address >= start &&
            c->address - start < segment->p_memsz) {
            /* The program itself has no name there. */
            const char *name = object->dlpi_name[0] != '\0' ? object->dlpi_name : "/proc/self/exe";
            return realpath(name, c->file) != NULL ? 1 : -1;
        }
    }
    return 0;
}

/* FOLDER/share/reverie/NAME for the folder of the code, or one above it; *out stays NULL where there is none. */
static rv_status find_near_code(char **out, const char *name)
{
    code c = {.address = (uintptr_t)&find_near_code};
    char *slash;
    if (dl_iterate_phdr(find_code, &c) != 1) {
        return RV_OK;
    }
    for (int i = 0; i < LEVELS && (slash = strrchr(c.file, '/')) != NULL; i++) {
        *slash = '\0';
        RV_TRY(rv_format(out, "%s/share/reverie/%s", c.file, name));
        if (rv_path_exists(*out)) {
            return RV_OK;
        }
        free(*out);
        *out = NULL;
    }
    return RV_OK;
}

rv_status rv_installed_file(char **out, const char *name)
{
    const char *wished = getenv("REVERIE_DATA_DIR");
    *out = NULL;
    if (wished == NULL || wished[0] == '\0') {
        RV_TRY(find_near_code(out, name));
    }
    if (*out == NULL) {
        RV_TRY(rv_path_join(out, wished != NULL && wished[0] != '\0' ? wished : RV_DATA_DIR, name));
    }
    if (rv_path_exists(*out)) {
        return RV_OK;
    }
    const rv_status status = rv_fail(RV_ERR_NOT_FOUND, "there is no %s", *out);
    free(*out);
    *out = NULL;
    return status;
}
