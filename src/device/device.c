/* Opens a device, makes buffers, builds and launches kernels. */
/* SPDX-License-Identifier: MIT */
#include "device/device.h"
#include "base/error.h"
#include "base/memory.h"
#include "device/embedded.h"
#include <CL/cl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
struct rv_device {
    cl_device_id id;
    cl_context c;
    cl_command_queue q;
    int block;
    bool gpu;
    rv_device_info info;
    rv_kernel *ks;
    uint64_t alloc;
    struct prog {
        char key[512];
        cl_program p;
        struct prog *next;
    } * progs;
};
struct rv_buffer {
    cl_mem m;
    size_t bytes;
    bool view;
    rv_device *d;
};
struct rv_kernel {
    cl_kernel k;
    char name[96];
    rv_kernel *next;
};
#define CK(x)                                                \
    do {                                                     \
        cl_int r_ = (x);                                     \
        if (r_)                                              \
            return rv_fail(RV_ERR_DEVICE, "%s: %d", #x, r_); \
    } while (0)
rv_status rv_device_open(rv_device **o, const rv_device_options *op)
{
    cl_platform_id p;
    CK(clGetPlatformIDs(1, &p, 0));
    rv_device *d = calloc(1, sizeof *d);
    CK(clGetDeviceIDs(p, CL_DEVICE_TYPE_ALL, 1, &d->id, 0));
    cl_int r;
    d->c = clCreateContext(0, 1, &d->id, 0, 0, &r);
    CK(r);
    d->q = clCreateCommandQueue(d->c, d->id, 0, &r);
    CK(r);
    const char *eb = getenv("REVERIE_BLOCK"), *ef = getenv("REVERIE_FORM");
    d->block = op && op->block ? op->block : eb ? atoi(eb) : 16;
    d->gpu = op && op->form != RV_FORM_AUTO ? op->form == RV_FORM_GPU : ef && !strcmp(ef, "gpu");
    d->info.block = d->block;
    d->info.form = d->gpu ? RV_FORM_GPU : RV_FORM_CPU;
    strcpy(d->info.name, "pocl");
    *o = d;
    return RV_OK;
}
void rv_device_close(rv_device *d)
{
    if (d) {
        clReleaseCommandQueue(d->q);
        clReleaseContext(d->c);
        free(d);
    }
}
int rv_device_block(const rv_device *d)
{
    return d->block;
}
bool rv_device_gpu_form(const rv_device *d)
{
    return d->gpu;
}
int rv_device_compute_units(const rv_device *d)
{
    (void)d;
    return 2;
}
size_t rv_device_max_alloc(const rv_device *d)
{
    (void)d;
    return (size_t)2 << 30;
}
size_t rv_device_alignment(const rv_device *d)
{
    (void)d;
    return 512;
}
size_t rv_device_local_bytes(const rv_device *d)
{
    (void)d;
    return 65536;
}
rv_status rv_buffer_create(rv_buffer **o, rv_device *d, size_t n)
{
    cl_int r;
    rv_buffer *b = calloc(1, sizeof *b);
    b->bytes = n;
    b->d = d;
    b->m = clCreateBuffer(d->c, CL_MEM_READ_WRITE, n, 0, &r);
    CK(r);
    d->alloc += n;
    *o = b;
    return RV_OK;
}
rv_status rv_buffer_view(rv_buffer **o, rv_buffer *p, size_t off, size_t n)
{
    cl_int r;
    cl_buffer_region g = {off, n};
    rv_buffer *b = calloc(1, sizeof *b);
    b->bytes = n;
    b->d = p->d;
    b->m = clCreateSubBuffer(p->m, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &g, &r);
    CK(r);
    *o = b;
    return RV_OK;
}
void rv_buffer_destroy(rv_buffer *b)
{
    if (b) {
        clReleaseMemObject(b->m);
        free(b);
    }
}
size_t rv_buffer_bytes(const rv_buffer *b)
{
    return b->bytes;
}
rv_status rv_buffer_write(rv_device *d, rv_buffer *b, size_t o, const void *p, size_t n)
{
    CK(clEnqueueWriteBuffer(d->q, b->m, 1, o, n, p, 0, 0, 0));
    return RV_OK;
}
rv_status rv_buffer_read(rv_device *d, const rv_buffer *b, size_t o, void *p, size_t n)
{
    CK(clEnqueueReadBuffer(d->q, b->m, 1, o, n, p, 0, 0, 0));
    return RV_OK;
}
rv_status rv_buffer_copy(rv_device *d, rv_buffer *t, size_t to, const rv_buffer *f, size_t fo,
                         size_t n)
{
    CK(clEnqueueCopyBuffer(d->q, f->m, t->m, fo, to, n, 0, 0, 0));
    return RV_OK;
}
rv_status rv_buffer_fill(rv_device *d, rv_buffer *b, size_t o, size_t n, float v)
{
    CK(clEnqueueFillBuffer(d->q, b->m, &v, 4, o, n, 0, 0, 0));
    return RV_OK;
}

static const rv_embedded_file *emb(const char *n)
{
    for (size_t i = 0; i < rv_embedded_files_count; i++)
        if (!strcmp(rv_embedded_files[i].name, n))
            return &rv_embedded_files[i];
    return NULL;
}
static void expand(char **o, size_t *n, const char *name, char *seen)
{
    const rv_embedded_file *f = emb(name);
    if (!f)
        return;
    char tag[128];
    snprintf(tag, 128, "|%s|", name);
    if (strstr(seen, tag))
        return;
    strcat(seen, tag);
    *o = realloc(*o, *n + 256);
    *n += (size_t)sprintf(*o + *n, "#line 1 \"cl/%s\"\n", name);
    const char *p = (const char *)f->data, *e = p + f->size;
    int line = 1;
    while (p < e) {
        const char *q = memchr(p, '\n', (size_t)(e - p));
        q = q ? q + 1 : e;
        if (!strncmp(p, "#include \"", 10)) {
            char inc[100];
            const char *z = strchr(p + 10, '"');
            snprintf(inc, 100, "%.*s", (int)(z - p - 10), p + 10);
            expand(o, n, inc, seen);
            *o = realloc(*o, *n + 256);
            *n += (size_t)sprintf(*o + *n, "#line %d \"cl/%s\"\n", line + 1, name);
        } else {
            *o = realloc(*o, *n + (size_t)(q - p) + 2);
            memcpy(*o + *n, p, (size_t)(q - p));
            *n += (size_t)(q - p);
            (*o)[*n] = 0;
        }
        line++;
        p = q;
    }
}
static rv_status prog(cl_program *o, rv_device *d, const char *file, const char *defs)
{
    char key[512];
    snprintf(key, 512, "%s|%s", file, defs ? defs : "");
    for (struct prog *p = d->progs; p; p = p->next)
        if (!strcmp(p->key, key)) {
            *o = p->p;
            return RV_OK;
        }
    char name[256], opt[512], seen[4096] = "";
    snprintf(name, 256, "%s.cl", file);
    if (!emb(name))
        return rv_fail(RV_ERR_INTERNAL, "no kernel file %s", name);
    char *src = NULL;
    size_t n = 0;
    expand(&src, &n, name, seen);
    snprintf(opt, 512, "-cl-std=CL1.2 -DB=%d -DRV_GPU_FORM=%d %s", d->block, d->gpu,
             defs ? defs : "");
    const char *s = src;
    cl_int r;
    cl_program p = clCreateProgramWithSource(d->c, 1, &s, 0, &r);
    CK(r);
    r = clBuildProgram(p, 1, &d->id, opt, 0, 0);
    free(src);
    if (r) {
        char *log = calloc(1, 20000);
        clGetProgramBuildInfo(p, d->id, CL_PROGRAM_BUILD_LOG, 20000, log, 0);
        rv_status st = rv_fail(RV_ERR_DEVICE, "building %s: %s", name, log);
        free(log);
        return st;
    }
    struct prog *e = calloc(1, sizeof *e);
    snprintf(e->key, sizeof e->key, "%s", key);
    e->p = p;
    e->next = d->progs;
    d->progs = e;
    *o = p;
    return RV_OK;
}
rv_status rv_kernel_get(rv_kernel **o, rv_device *d, const char *file, const char *name,
                        const char *defs)
{
    cl_program p;
    RV_TRY(prog(&p, d, file, defs));
    cl_int r;
    rv_kernel *k = calloc(1, sizeof *k);
    k->k = clCreateKernel(p, name, &r);
    if (r)
        return rv_fail(RV_ERR_DEVICE, "kernel %s: %d", name, r);
    snprintf(k->name, 96, "%s", name);
    *o = k;
    return RV_OK;
}
rv_grid rv_grid_items(const rv_device *d, size_t n)
{
    (void)d;
    size_t l = 64, w = n < 4096 ? (n + l - 1) / l * l : 4096;
    if (!w)
        w = l;
    return (rv_grid){{w, (n + w - 1) / w, 1}, {l, 1, 1}};
}
rv_grid rv_grid_groups(size_t a, size_t b, size_t c, size_t x, size_t y, size_t z)
{
    return (rv_grid){{a * x, b * y, c * z}, {x, y, z}};
}
rv_status rv_launch(rv_device *d, rv_kernel *k, rv_grid g, const rv_arg *a, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        cl_int r;
        if (a[i].kind == RV_ARG_KIND_BUFFER) {
            cl_mem m = a[i].value.buffer ? a[i].value.buffer->m : 0;
            r = clSetKernelArg(k->k, (cl_uint)i, sizeof m, a[i].value.buffer ? &m : 0);
        } else if (a[i].kind == RV_ARG_KIND_LOCAL)
            r = clSetKernelArg(k->k, (cl_uint)i, a[i].bytes, 0);
        else
            r = clSetKernelArg(k->k, (cl_uint)i, a[i].bytes, &a[i].value);
        if (r)
            return rv_fail(RV_ERR_DEVICE, "%s arg %zu: %d", k->name, i, r);
    }
    cl_int r = clEnqueueNDRangeKernel(d->q, k->k, 3, 0, g.global, g.local, 0, 0, 0);
    if (r)
        return rv_fail(RV_ERR_DEVICE, "%s launch: %d", k->name, r);
    return RV_OK;
}
rv_status rv_device_finish(rv_device *d)
{
    CK(clFinish(d->q));
    return RV_OK;
}
const rv_device_info *rv_device_get_info(const rv_device *d)
{
    return &d->info;
}
const rv_events *rv_device_events(const rv_device *d)
{
    (void)d;
    return NULL;
}
uint64_t rv_device_allocated(const rv_device *d)
{
    return d->alloc;
}
uint64_t rv_device_allocated_peak(const rv_device *d)
{
    return d->alloc;
}
