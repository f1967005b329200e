/* Names of results, and what would keep them from being written. */
/* SPDX-License-Identifier: MIT */
#include <reverie/names.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

rv_status rv_output_name(char **out, const char *wanted, const char *input, const char *suffix,
                         const char *extension)
{
    *out = NULL;
    if (wanted != NULL && !rv_path_is_folder(wanted)) {
        const size_t n = strlen(wanted);
        if (n > 0 && wanted[n - 1] == '/') {
            return rv_fail(RV_ERR_IO, "'%s': there is no such folder; make it first", wanted);
        }
        return rv_strdup(out, wanted);
    }
    char *stem = NULL, *tail = NULL, *name = NULL;
    rv_status status = rv_path_stem(&stem, input);
    if (status == RV_OK && suffix != NULL) {
        status = rv_path_stem(&tail, suffix);
    }
    if (status == RV_OK) {
        status = rv_format(&name, "%s%s%s%s", stem, tail != NULL ? "_" : "",
                           tail != NULL ? tail : "", extension);
    }
    if (status == RV_OK) {
        status = wanted != NULL ? rv_path_join(out, wanted, name) : rv_strdup(out, name);
    }
    free(stem);
    free(tail);
    free(name);
    return status;
}

rv_status rv_output_check(const char *path, const char *const *inputs, size_t n_inputs,
                          bool overwrite)
{
    if (rv_path_is_folder(path)) {
        return rv_fail(RV_ERR_IO, "'%s' is a folder; name a file in it", path);
    }
    /* Nothing is the same as a file that is not there, and of both there may be ten thousands. */
    const bool exists = rv_path_exists(path);
    for (size_t i = 0; i < n_inputs && exists; i++) {
        if (rv_path_same_file(path, inputs[i])) {
            return rv_fail(RV_ERR_USAGE, "'%s' is an input; choose another name for the output",
                           path);
        }
    }
    if (rv_path_is_special(path)) {
        return rv_fail(RV_ERR_IO, "'%s' is neither a file nor a folder; name a file", path);
    }
    if (!overwrite && exists) {
        return rv_fail(RV_ERR_USAGE, "'%s' exists; add --overwrite or choose another name", path);
    }
    char *folder;
    RV_TRY(rv_path_folder(&folder, path));
    rv_status status = RV_OK;
    if (!rv_path_is_folder(folder)) {
        status = rv_fail(RV_ERR_IO, "'%s': there is no folder '%s'; make it first", path, folder);
    } else if (access(folder, W_OK | X_OK) != 0) {
        status = rv_fail(RV_ERR_IO, "'%s': the folder '%s' cannot be written to", path, folder);
    }
    free(folder);
    return status;
}

rv_status rv_path_weight(char **out_path, double *out_weight, const char *text)
{
    *out_weight = 1;
    const char *colon = strrchr(text, ':');
    if (colon == NULL || rv_path_exists(text)) {
        return rv_strdup(out_path, text);
    }
    const rv_status status =
        rv_parse_double(out_weight, colon + 1, 0, 1e9, "the weight after its ':'");
    if (status != RV_OK) {
        return rv_fail_context(status, "there is no file '%s'", text);
    }
    if (*out_weight <= 0) {
        return rv_fail(RV_ERR_USAGE, "'%s': the weight after ':' must be above 0", text);
    }
    if (colon == text) {
        return rv_fail(RV_ERR_USAGE, "'%s' names no picture before its ':'", text);
    }
    return rv_format(out_path, "%.*s", (int)(colon - text), text);
}
