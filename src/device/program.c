/* Builds programs from cl/ and finds their kernels, each once. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "device/internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void release_program(rv_program *p)
{
    while (p->kernels != NULL) {
        rv_kernel *k = p->kernels;
        p->kernels = k->next;
        clReleaseKernel(k->kernel);
        free(k);
    }
    if (p->program != NULL) {
        clReleaseProgram(p->program);
    }
    free(p->file);
    free(p->defines);
    free(p);
}

void rv_programs_release(rv_device *device)
{
    while (device->programs != NULL) {
        rv_program *p = device->programs;
        device->programs = p->next;
        release_program(p);
    }
}

static bool line_has(const char *line, size_t n, const char *word)
{
    const size_t length = strlen(word);
    for (size_t i = 0; i + length <= n; i++) {
        if (strncasecmp(line + i, word, length) == 0) {
            return true;
        }
    }
    return false;
}

void rv_program_first_error(char *out, size_t bytes, const char *log)
{
    const char *best = NULL;
    size_t best_n = 0;
    bool is_error = false;
    for (const char *line = log; *line != '\0' && !is_error;) {
        const size_t n = strcspn(line, "\n");
        const bool found = line_has(line, n, "error");
        const bool blank = strspn(line, " \t\r") >= n;
        if (found || (best == NULL && !blank)) { /* a log without the word: its first line */
            best = line;
            best_n = n;
            is_error = found;
        }
        line += n + (line[n] == '\n');
    }
    if (best == NULL) {
        snprintf(out, bytes, "the compiler says nothing");
        return;
    }
    /* Some compilers put a folder of theirs before the name of #line. */
    for (size_t i = 0; i + 3 < best_n; i++) {
        if (strncmp(best + i, "cl/", 3) == 0 &&
            (i == 0 || best[i - 1] == '/' || best[i - 1] == ' ')) {
            best += i;
            best_n -= i;
            break;
        }
    }
    while (best_n > 0 && isspace((unsigned char)best[best_n - 1])) {
        best_n--;
    }
    snprintf(out, bytes, "%.*s", (int)(best_n < 400 ? best_n : 400), best);
}

static rv_status fail_build(const rv_device *device, cl_program program, const char *file,
                            cl_int code)
{
    size_t bytes = 0;
    char *log = NULL;
    if (code != CL_BUILD_PROGRAM_FAILURE) {
        return rv_opencl_fail(code, "clBuildProgram of cl/%s.cl on %s", file, device->info.name);
    }
    if (clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &bytes) ==
        CL_SUCCESS) {
        RV_TRY(rv_alloc(&log, bytes + 1, 1, "compiler's log"));
        (void)clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, bytes, log, NULL);
        rv_log(rv_device_events(device), RV_LOG_DEBUG, "%s", log);
    }
    char first[512];
    rv_program_first_error(first, sizeof first, log != NULL ? log : "");
    free(log);
    return rv_fail(RV_ERR_DEVICE, "cannot compile cl/%s.cl for %s: %s", file, device->info.name,
                   first);
}

static rv_status build_from_source(cl_program *out, rv_device *device, const char *file,
                                   const char *source, const char *options)
{
    cl_int code;
    cl_program program = clCreateProgramWithSource(device->context, 1, &source, NULL, &code);
    if (code != CL_SUCCESS) {
        return rv_opencl_fail(code, "clCreateProgramWithSource of cl/%s.cl", file);
    }
    code = clBuildProgram(program, 1, &device->id, options, NULL, NULL);
    if (code != CL_SUCCESS) {
        const rv_status status = fail_build(device, program, file, code);
        clReleaseProgram(program);
        return status;
    }
    *out = program;
    return RV_OK;
}

static rv_status build(cl_program *out, rv_device *device, const char *file, const char *defines)
{
    rv_text source = {0}, options = {0};
    char name[128];
    snprintf(name, sizeof name, "%s.cl", file);
    rv_text_append(&options, "-cl-std=CL1.2 -DB=%d -DRV_GPU_FORM=%d %s", device->info.block,
                   device->info.form == RV_FORM_GPU, defines);
    rv_status status = rv_source_resolve(&source, name);
    if (status == RV_OK) {
        status = rv_text_status(&options);
    }
    if (status != RV_OK) {
        goto cleanup;
    }
    rv_binary_key key = {0, 0};
    if (device->keeps_binaries) {
        key = rv_binary_key_of(device, source.data, options.data);
        *out = rv_binary_load(device, key, options.data);
    }
    if (*out != NULL) {
        device->loaded++;
        goto cleanup;
    }
    status = build_from_source(out, device, file, source.data, options.data);
    if (status == RV_OK) {
        device->compiled++;
        if (device->keeps_binaries) {
            rv_binary_save(device, key, *out);
        }
    }
cleanup:
    rv_text_release(&source);
    rv_text_release(&options);
    return status;
}

/* PoCL takes the same time for any program that it has in its cache, and compiles a kernel when it is first launched:
 * what needs no defines and is used by most work there comes out of one program, cl/together_cpu.cl. */
static const char *together(const rv_device *device, const char *file, const char *defines)
{
    static const char *const names[] = {
        "concat", "conv",       "dot_loss",   "gram",   "gram_cpu", "lrn",    "mse_loss",
        "pool",   "preprocess", "range_loss", "reduce", "reorder",  "resize", "vector"};
    if (device->keeps_binaries || device->info.form == RV_FORM_GPU || defines[0] != '\0') {
        return file;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], file) == 0) {
            return "together_cpu";
        }
    }
    return file;
}

static rv_status get_program(rv_program **out, rv_device *device, const char *file,
                             const char *defines)
{
    file = together(device, file, defines);
    for (rv_program *p = device->programs; p != NULL; p = p->next) {
        if (strcmp(p->file, file) == 0 && strcmp(p->defines, defines) == 0) {
            *out = p;
            return RV_OK;
        }
    }
    rv_program *p;
    RV_TRY(rv_alloc(&p, 1, sizeof *p, "program"));
    rv_status status = rv_strdup(&p->file, file);
    if (status == RV_OK) {
        status = rv_strdup(&p->defines, defines);
    }
    if (status == RV_OK) {
        status = build(&p->program, device, file, defines);
    }
    if (status != RV_OK) {
        release_program(p);
        return status;
    }
    p->next = device->programs;
    device->programs = p;
    *out = p;
    return RV_OK;
}

static rv_status create_kernel(rv_kernel **out, rv_program *p, const char *name)
{
    rv_kernel *k;
    RV_TRY(rv_alloc(&k, 1, sizeof *k, "kernel"));
    cl_int code;
    k->kernel = clCreateKernel(p->program, name, &code);
    if (code == CL_INVALID_KERNEL_NAME) {
        free(k);
        return rv_fail(RV_ERR_INTERNAL, "cl/%s.cl has no kernel '%s'", p->file, name);
    }
    if (code != CL_SUCCESS) {
        free(k);
        return rv_opencl_fail(code, "clCreateKernel of '%s' in cl/%s.cl", name, p->file);
    }
    snprintf(k->name, sizeof k->name, "%s", name);
    k->next = p->kernels;
    p->kernels = k;
    code = clGetKernelInfo(k->kernel, CL_KERNEL_NUM_ARGS, sizeof k->n_args, &k->n_args, NULL);
    if (code != CL_SUCCESS) {
        return rv_opencl_fail(code, "clGetKernelInfo of '%s'", name);
    }
    *out = k;
    return RV_OK;
}

rv_status rv_kernel_get(rv_kernel **out, rv_device *device, const char *file, const char *name,
                        const char *defines)
{
    *out = NULL;
    rv_program *p;
    RV_TRY(get_program(&p, device, file, defines != NULL ? defines : ""));
    for (rv_kernel *k = p->kernels; k != NULL; k = k->next) {
        if (strcmp(k->name, name) == 0) {
            *out = k;
            return RV_OK;
        }
    }
    return create_kernel(out, p, name);
}
