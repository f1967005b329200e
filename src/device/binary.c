/* Compiled programs on disk, for drivers that do not keep them themselves. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/system.h"
#include "device/internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What stands before the binary in its file. */
typedef struct header {
    char magic[8];
    uint64_t check; /* of the key */
    uint64_t bytes; /* of the binary */
    uint64_t hash;  /* of the binary */
} header;

static const char magic[8] = "RVPROG1";
enum { LARGEST_BINARY = 64 << 20 };

static uint64_t hash_text(uint64_t hash, const char *text)
{
    return rv_hash(hash, text, strlen(text) + 1);
}

rv_binary_key rv_binary_key_of(const rv_device *device, const char *source, const char *options)
{
    const char *const parts[] = {device->identity, options, source};
    rv_binary_key key = {RV_HASH_START, ~RV_HASH_START};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        key.name = hash_text(key.name, parts[i]);
        key.check = hash_text(key.check, parts[i]);
    }
    return key;
}

static rv_status path_of(char **out, rv_binary_key key)
{
    char *folder = NULL;
    RV_TRY(rv_cache_folder(&folder, "programs"));
    const rv_status status = rv_format(out, "%s/%016llx.bin", folder, (unsigned long long)key.name);
    free(folder);
    return status;
}

/* The program of a binary, or NULL where the driver does not want it any more. */
static cl_program build(const rv_device *device, const unsigned char *binary, size_t bytes,
                        const char *options)
{
    cl_int code, loaded = CL_SUCCESS;
    cl_program program =
        clCreateProgramWithBinary(device->context, 1, &device->id, &bytes, &binary, &loaded, &code);
    if (code == CL_SUCCESS && loaded == CL_SUCCESS &&
        clBuildProgram(program, 1, &device->id, options, NULL, NULL) == CL_SUCCESS) {
        return program;
    }
    if (code == CL_SUCCESS) {
        clReleaseProgram(program);
    }
    return NULL;
}

cl_program rv_binary_load(const rv_device *device, rv_binary_key key, const char *options)
{
    char *path = NULL;
    rv_bytes file;
    if (path_of(&path, key) != RV_OK) {
        return NULL;
    }
    cl_program program = NULL;
    if (rv_bytes_open(&file, path, LARGEST_BINARY) == RV_OK) {
        header h = {0};
        if (file.size >= sizeof h) {
            memcpy(&h, file.data, sizeof h);
        }
        if (memcmp(h.magic, magic, sizeof magic) == 0 && h.check == key.check &&
            h.bytes == file.size - sizeof h &&
            h.hash == rv_hash(RV_HASH_START, file.data + sizeof h, h.bytes)) {
            program = build(device, file.data + sizeof h, h.bytes, options);
        }
        rv_bytes_close(&file);
    }
    if (program != NULL) { /* the time of its last use decides what goes when space is short */
        (void)utimensat(AT_FDCWD, path, NULL, 0);
    }
    free(path);
    return program;
}

static void write_file(const char *path, rv_binary_key key, const unsigned char *binary,
                       size_t bytes)
{
    rv_output *output = NULL;
    if (rv_output_open(&output, path, true) != RV_OK) {
        return;
    }
    header h = {.check = key.check, .bytes = bytes, .hash = rv_hash(RV_HASH_START, binary, bytes)};
    memcpy(h.magic, magic, sizeof magic);
    FILE *stream = rv_output_stream(output);
    /* Programs are run as they are found here: nobody else may write them. */
    if (fchmod(fileno(stream), 0600) != 0 || fwrite(&h, sizeof h, 1, stream) != 1 ||
        fwrite(binary, 1, bytes, stream) != bytes) {
        rv_output_discard(output);
        return;
    }
    (void)!rv_output_commit(output);
}

void rv_binary_save(const rv_device *device, rv_binary_key key, cl_program program)
{
    char *path = NULL, *folder = NULL;
    unsigned char *binary = NULL;
    size_t bytes = 0;
    if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof bytes, &bytes, NULL) !=
            CL_SUCCESS ||
        bytes == 0 || bytes > LARGEST_BINARY || path_of(&path, key) != RV_OK ||
        rv_path_folder(&folder, path) != RV_OK ||
        rv_alloc(&binary, bytes, 1, "compiled program") != RV_OK) {
        goto cleanup;
    }
    if (clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) ==
        CL_SUCCESS) {
        write_file(path, key, binary, bytes);
        rv_cache_limit(folder, 0, device->binary_bytes, 0);
    }
cleanup:
    free(binary);
    free(folder);
    free(path);
}
