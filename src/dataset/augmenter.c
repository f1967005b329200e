/* Runs the kernels of augmentation over batches of pictures. */
/* SPDX-License-Identifier: MIT */
#include "dataset/augmenter.h"
#include "base/error.h"
#include "base/memory.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Work-items of a job on processors: a few for each core. Eight bytes are loaded at a pixel of three. */
enum { CPU_ITEMS = 32, GPU_LOCAL = 64, SPARE_BYTES = 5 };

typedef enum role { SOURCES, JOBS, RESULTS, WARPED, BLURRED, N_BUFFERS } role;

struct rv_augmenter {
    rv_device *device;
    rv_kernel *direct, *warp, *blur, *finish;
    rv_buffer *buffers[N_BUFFERS];
    size_t bytes[N_BUFFERS]; /* that each has room for */
    size_t value_bytes;      /* of one value of a result */
    size_t channels;         /* of a result */
};

rv_status rv_augmenter_create(rv_augmenter **out, rv_device *device, rv_augment_form form)
{
    static const char *const all_defines[] = {"-DPLANES=0", "-DPLANES=3", "-DPLANES=1"};
    const char *defines = all_defines[form];
    *out = NULL;
    rv_augmenter *a;
    RV_TRY(rv_alloc(&a, 1, sizeof *a, "augmentation"));
    a->device = device;
    a->value_bytes = form == RV_AUGMENT_BYTES ? 1 : sizeof(float);
    a->channels = form == RV_AUGMENT_GREY ? 1 : 3;
    rv_status status = rv_kernel_get(&a->direct, device, "augment", "augment_direct", defines);
    if (status == RV_OK) {
        status = rv_kernel_get(&a->warp, device, "augment", "augment_warp", defines);
    }
    if (status == RV_OK) {
        status = rv_kernel_get(&a->blur, device, "augment", "augment_blur", defines);
    }
    if (status == RV_OK) {
        status = rv_kernel_get(&a->finish, device, "augment", "augment_finish", defines);
    }
    if (status != RV_OK) {
        rv_augmenter_destroy(a);
        return status;
    }
    *out = a;
    return RV_OK;
}

void rv_augmenter_destroy(rv_augmenter *a)
{
    if (a != NULL) {
        for (int i = 0; i < N_BUFFERS; i++) {
            rv_buffer_destroy(a->buffers[i]);
        }
        free(a);
    }
}

/* Makes room, half as much again as is needed: pictures differ a little in size. */
static rv_status reserve(rv_augmenter *a, role which, size_t bytes)
{
    if (bytes <= a->bytes[which]) {
        return RV_OK;
    }
    rv_buffer_destroy(a->buffers[which]);
    a->buffers[which] = NULL;
    a->bytes[which] = 0;
    RV_TRY(rv_buffer_create(&a->buffers[which], a->device, bytes + bytes / 2));
    a->bytes[which] = bytes + bytes / 2;
    return RV_OK;
}

size_t rv_augment_values(const rv_augment_job *job)
{
    return (size_t)job->width * (size_t)job->height * 3;
}

static size_t source_bytes(const rv_source *s)
{
    return (size_t)s->width * (size_t)s->height * 3;
}

/* Says where each job reads and writes. */
static rv_status place(const rv_augmenter *a, rv_augment_job *jobs, const rv_source *const *sources,
                       size_t n, size_t *all_sources, size_t *all_values)
{
    size_t from = 0, to = 0;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && sources[i] != sources[i - 1]) {
            from += source_bytes(sources[i - 1]);
        }
        const size_t values = rv_augment_values(&jobs[i]) / 3 * a->channels;
        if (from + source_bytes(sources[i]) > INT_MAX || to + values > INT_MAX) {
            return rv_fail(RV_ERR_MEMORY, "pictures of more than 2 GB at a time are not augmented");
        }
        jobs[i].source_start = (int)from;
        jobs[i].start = (int)to;
        to += values;
    }
    *all_sources = from + source_bytes(sources[n - 1]) + SPARE_BYTES;
    *all_values = to;
    return RV_OK;
}

static rv_status upload(rv_augmenter *a, const rv_augment_job *jobs,
                        const rv_source *const *sources, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || sources[i] != sources[i - 1]) {
            RV_TRY(rv_buffer_write(a->device, a->buffers[SOURCES], (size_t)jobs[i].source_start,
                                   sources[i]->rgb, source_bytes(sources[i])));
        }
    }
    return rv_buffer_write(a->device, a->buffers[JOBS], 0, jobs, n * sizeof *jobs);
}

static int stretches(const rv_augmenter *a, const rv_augment_job *job)
{
    const int b = rv_device_block(a->device);
    return (job->width + b - 1) / b * job->height;
}

/* Work-items that share the largest of some jobs. */
static rv_grid grid_for(const rv_augmenter *a, const rv_augment_job *jobs, size_t n,
                        int32_t *per_item)
{
    int most = 1;
    for (size_t i = 0; i < n; i++) {
        most = stretches(a, &jobs[i]) > most ? stretches(a, &jobs[i]) : most;
    }
    const bool gpu = rv_device_gpu_form(a->device);
    const int items = gpu ? most : CPU_ITEMS, local = gpu ? GPU_LOCAL : 1;
    *per_item = (most + items - 1) / items;
    const int used = (most + *per_item - 1) / *per_item;
    return rv_grid_groups((size_t)((used + local - 1) / local), n, 1, (size_t)local, 1, 1);
}

static rv_status launch(rv_augmenter *a, rv_kernel *kernel, const rv_buffer *to,
                        const rv_buffer *from, const rv_augment_job *jobs, size_t first, size_t n)
{
    int32_t per_item;
    const rv_grid grid = grid_for(a, jobs + first, n, &per_item);
    return rv_launch(a->device, kernel, grid,
                     RV_ARGS(RV_ARG(to), RV_ARG(from), RV_ARG(a->buffers[JOBS]),
                             RV_ARG((int32_t)first), RV_ARG(per_item)));
}

static rv_status run_blurred(rv_augmenter *a, const rv_buffer *results, const rv_augment_job *jobs,
                             size_t i)
{
    const size_t bytes =
        (size_t)stretches(a, &jobs[i]) * 3 * (size_t)rv_device_block(a->device) * sizeof(float);
    RV_TRY(reserve(a, WARPED, bytes));
    RV_TRY(reserve(a, BLURRED, bytes));
    RV_TRY(launch(a, a->warp, a->buffers[WARPED], a->buffers[SOURCES], jobs, i, 1));
    RV_TRY(launch(a, a->blur, a->buffers[BLURRED], a->buffers[WARPED], jobs, i, 1));
    return launch(a, a->finish, results, a->buffers[BLURRED], jobs, i, 1);
}

rv_status rv_augmenter_run(rv_augmenter *a, const rv_source *const *sources, rv_augment_job *jobs,
                           size_t n, rv_buffer *results)
{
    size_t bytes, values;
    if (n == 0) {
        return RV_OK;
    }
    RV_TRY(place(a, jobs, sources, n, &bytes, &values));
    RV_TRY(reserve(a, SOURCES, bytes));
    RV_TRY(reserve(a, JOBS, n * sizeof *jobs));
    if (results == NULL) {
        RV_TRY(reserve(a, RESULTS, values * a->value_bytes));
        results = a->buffers[RESULTS];
    }
    RV_TRY(upload(a, jobs, sources, n));
    for (size_t i = 0; i < n;) {
        size_t last = i;
        while (last < n && jobs[last].blur == 0) {
            last++;
        }
        if (last > i) {
            RV_TRY(launch(a, a->direct, results, a->buffers[SOURCES], jobs, i, last - i));
            i = last;
        } else {
            RV_TRY(run_blurred(a, results, jobs, i++));
        }
    }
    return RV_OK;
}

rv_status rv_augmenter_read(rv_augmenter *a, void *out, size_t bytes)
{
    return rv_buffer_read(a->device, a->buffers[RESULTS], 0, out, bytes);
}
