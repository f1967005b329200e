/* What the layers above see of an OpenCL device: buffers, kernels, launches. Only this folder includes CL/cl.h. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_DEVICE_DEVICE_H
#define RV_DEVICE_DEVICE_H

#include <reverie/device.h>
#include <stdbool.h>
#include <stdint.h>

/* --- what the device is ------------------------------------------------------------------------------------ */

int rv_device_block(const rv_device *device);     /**< B of the blocked layout */
bool rv_device_gpu_form(const rv_device *device); /**< which form of the heavy kernels to run */
rv_winograd rv_device_winograd(const rv_device *device); /**< as its options say */
/** Sums that a work-item of a product of matrices can keep in registers while enough others are in flight: 64, 32 or,
 *  where nothing is known of the device, 16. */
int rv_device_sums(const rv_device *device);
size_t rv_device_max_alloc(const rv_device *device); /**< bytes of the largest buffer */
/** Bytes at which a sub-buffer may start at all; rv_device_alignment() is a multiple of it. */
size_t rv_device_view_step(const rv_device *device);
size_t
rv_device_alignment(const rv_device *device); /**< bytes at which sub-buffers start, at least 512 */
const rv_events *rv_device_events(const rv_device *device);

/* --- memory ------------------------------------------------------------------------------------------------ */

/** Device memory, whole or part of another buffer; to be destroyed before its device is closed. */
typedef struct rv_buffer rv_buffer;

/** @return RV_ERR_DEVICE_MEMORY with the size and what to do; contents are undefined. */
RV_NODISCARD rv_status rv_buffer_create(rv_buffer **out, rv_device *device, size_t bytes);
/** A part of `parent` (which must be whole, not a part itself, and must outlive it);
 *  `offset` a multiple of rv_device_view_step(). */
RV_NODISCARD rv_status rv_buffer_view(rv_buffer **out, rv_buffer *parent, size_t offset,
                                      size_t bytes);
void rv_buffer_destroy(rv_buffer *buffer);                  /**< NULL is fine */
uint64_t rv_device_allocated(const rv_device *device);      /**< bytes of all buffers now */
uint64_t rv_device_allocated_peak(const rv_device *device); /**< and at most, since opening */
uint64_t rv_device_memory(const rv_device *device); /**< the limit of rv_device_options, 0: none */
/** Bytes that buffers may take beside those there are: by the device's size, and by the limit, which counts
 *  everything in this process where the device is a processor. */
uint64_t rv_device_memory_left(const rv_device *device);

/** Blocking copies between host and device; offset and bytes must lie within the buffer. */
RV_NODISCARD rv_status rv_buffer_write(rv_device *device, rv_buffer *buffer, size_t offset,
                                       const void *data, size_t bytes);
RV_NODISCARD rv_status rv_buffer_read(rv_device *device, const rv_buffer *buffer, size_t offset,
                                      void *data, size_t bytes);
/** Enqueued; both buffers at offset 0 unless given. */
RV_NODISCARD rv_status rv_buffer_copy(rv_device *device, rv_buffer *to, size_t to_offset,
                                      const rv_buffer *from, size_t from_offset, size_t bytes);
/** Enqueued; `bytes` a multiple of 4, every float set to `value`. */
RV_NODISCARD rv_status rv_buffer_fill(rv_device *device, rv_buffer *buffer, size_t offset,
                                      size_t bytes, float value);

/* --- rehearsal --------------------------------------------------------------------------------------------- */

/** What a rehearsal found out. */
typedef struct rv_rehearsal {
    uint64_t device_bytes; /**< largest sum of device buffers */
    uint64_t
        process_bytes; /**< largest resident set of the process, with these where the device is a processor */
    double work; /**< sum of rv_rehearsal_work() */
} rv_rehearsal;

/** From here to the end buffers are counted but not made, writes, copies and launches do nothing, and reads give
 *  made-up numbers above 0: the same calls as in earnest then tell what they would take. What is made in
 *  between must be destroyed in between. */
void rv_rehearsal_begin(rv_device *device);
void rv_rehearsal_end(rv_device *device, rv_rehearsal *out);
bool rv_device_rehearses(const rv_device *device);
/** Counts what would be computed, in any unit. */
void rv_rehearsal_work(rv_device *device, double work);
double rv_rehearsal_work_done(const rv_device *device);

/* --- kernels ----------------------------------------------------------------------------------------------- */

/** A kernel of cl/FILE.cl, owned by its device; found once per node in prepare, launched many times. */
typedef struct rv_kernel rv_kernel;

/** Kernel `name` of cl/`file`.cl, built with `defines` ("-DTILE=8 ...", NULL for none) beside those that every
 *  program gets: -DB=<block> -DRV_GPU_FORM=<0|1>. Programs are cached by (file, defines) in memory, and on disk
 *  by source, options, device and driver. The same names give the same kernel: a launch sets all its arguments, so
 *  any number of nodes may share it.
 *  @return RV_ERR_DEVICE: the compiler's message with cl/FILE.cl:LINE; RV_ERR_INTERNAL: no such file or kernel. */
RV_NODISCARD rv_status rv_kernel_get(rv_kernel **out, rv_device *device, const char *file,
                                     const char *name, const char *defines);

typedef struct rv_int4 {
    int32_t s[4];
} rv_int4;
typedef struct rv_float4 {
    float s[4];
} rv_float4;

typedef enum rv_arg_kind {
    RV_ARG_KIND_BUFFER,
    RV_ARG_KIND_VALUE,
    RV_ARG_KIND_LOCAL,
    RV_ARG_KIND_FIRST
} rv_arg_kind;

/** One kernel argument; made by RV_ARG, RV_LOCAL and RV_FIRST only. */
typedef struct rv_arg {
    rv_arg_kind kind;
    size_t bytes;
    union {
        const rv_buffer *buffer;
        int32_t i;
        uint32_t u;
        float f;
        rv_int4 i4;
        rv_float4 f4;
    } value;
} rv_arg;

static inline rv_arg rv_arg_buffer(const rv_buffer *b)
{
    return (rv_arg){RV_ARG_KIND_BUFFER, 0, {.buffer = b}};
}
static inline rv_arg rv_arg_int(int32_t i)
{
    return (rv_arg){RV_ARG_KIND_VALUE, sizeof i, {.i = i}};
}
static inline rv_arg rv_arg_uint(uint32_t u)
{
    return (rv_arg){RV_ARG_KIND_VALUE, sizeof u, {.u = u}};
}
static inline rv_arg rv_arg_float(float f)
{
    return (rv_arg){RV_ARG_KIND_VALUE, sizeof f, {.f = f}};
}
static inline rv_arg rv_arg_int4(rv_int4 v)
{
    return (rv_arg){RV_ARG_KIND_VALUE, sizeof v, {.i4 = v}};
}
static inline rv_arg rv_arg_float4(rv_float4 v)
{
    return (rv_arg){RV_ARG_KIND_VALUE, sizeof v, {.f4 = v}};
}
static inline rv_arg rv_arg_local(size_t bytes)
{
    return (rv_arg){RV_ARG_KIND_LOCAL, bytes, {.i = 0}};
}

static inline rv_arg rv_arg_first(void)
{
    return (rv_arg){RV_ARG_KIND_FIRST, sizeof(int32_t), {.i = 0}};
}

/** A buffer (NULL: a null pointer in the kernel), int32_t, uint32_t, float, rv_int4 or rv_float4; anything else
 *  does not compile. */
#define RV_ARG(x) \
    _Generic((x),                       \
        rv_buffer *: rv_arg_buffer,     \
        const rv_buffer *: rv_arg_buffer, \
        int32_t: rv_arg_int,            \
        uint32_t: rv_arg_uint,          \
        float: rv_arg_float,            \
        rv_int4: rv_arg_int4,           \
        rv_float4: rv_arg_float4)(x)
#define RV_LOCAL(bytes) rv_arg_local(bytes)
/** An int that the kernel adds to get_group_id(grid.along): rv_launch() sets it when it runs a grid in parts. */
#define RV_FIRST rv_arg_first()
#define RV_ARGS(...) \
    (const rv_arg[]){__VA_ARGS__}, (sizeof((const rv_arg[]){__VA_ARGS__}) / sizeof(rv_arg))

/** Work-items in all and per work-group, by dimension; each global size a multiple of its local size. */
typedef struct rv_grid {
    size_t global[3];
    size_t local[3];
    double flops; /**< floating-point operations of all of it, where these may be many; else 0 */
    int along;    /**< dimension along which a grid of many is cut, if the kernel takes RV_FIRST */
} rv_grid;

/** Grid for n independent work-items, for kernels that find theirs with rv_index() of common.clh and return if it
 *  is not below n. Folded into two dimensions so that none passes 65,535, with a local size by device class. */
rv_grid rv_grid_items(const rv_device *device, size_t n);
/** Grid of gx * gy * gz work-groups of lx * ly * lz work-items. */
rv_grid rv_grid_groups(size_t gx, size_t gy, size_t gz, size_t lx, size_t ly, size_t lz);
/** The same grid, to be run in parts along a dimension where `flops` are many. */
rv_grid rv_grid_cut(rv_grid grid, int along, double flops);

/** Enqueues one kernel with all its arguments, in the kernel's order: outputs, inputs, sizes, scalars. A grid of so
 *  many operations that it could hold up a display or Ctrl-C for long becomes several launches, where RV_FIRST is
 *  among the arguments. Work queued ahead is bounded by this call. A failure names the kernel, the argument and the OpenCL error. */
RV_NODISCARD rv_status rv_launch(rv_device *device, rv_kernel *kernel, rv_grid grid,
                                 const rv_arg *args, size_t n_args);

/** From now on grids of more operations than these run in parts; for tests: a device starts with what takes it about
 *  0.1 s. */
void rv_device_cut_launches(rv_device *device, double flops);

/** Waits until all that was enqueued is done. */
RV_NODISCARD rv_status rv_device_finish(rv_device *device);

/** One line per kernel for profiles: name, launches, seconds; only between start and stop. */
typedef struct rv_profile_row {
    char name[96];
    int64_t launches;
    double seconds;
} rv_profile_row;
RV_NODISCARD rv_status rv_profile_start(rv_device *device);
/** *out sorted by seconds, freed with free(). */
RV_NODISCARD rv_status rv_profile_stop(rv_device *device, rv_profile_row **out, size_t *n);

/* --- a library of linear algebra --------------------------------------------------------------------------- */

/** Whether rv_blas_multiply() is worth trying: on GPUs, where this library was built with CLBlast. */
bool rv_blas_offered(const rv_device *device);

/** A plain matrix with `step` floats from row to row; transposed: its rows are columns of the operand. */
typedef struct rv_blas_matrix {
    const rv_buffer *buffer;
    int32_t step;
    bool transposed;
} rv_blas_matrix;

/** Enqueues out (+)= a b, where out is [rows, columns] and a sum has `inner` terms. The first call for a kind of
 *  product compiles.  @return RV_ERR_UNSUPPORTED: built without CLBlast. */
RV_NODISCARD rv_status rv_blas_multiply(rv_device *device, const rv_buffer *out, rv_blas_matrix a,
                                        rv_blas_matrix b, int32_t rows, int32_t inner,
                                        int32_t columns, bool accumulate);

/* --- what was tuned ---------------------------------------------------------------------------------------- */

/** What `reverie tune` found fastest for `key` on this device, driver and form; NULL: nothing is known. The table is
 *  read from the cache at the first call. Borrowed until the table is changed. */
const char *rv_tuning_choice(rv_device *device, const char *key);
/** Sets an entry of the table in memory; neither text may hold a tab or the end of a line. */
RV_NODISCARD rv_status rv_tuning_set(rv_device *device, const char *key, const char *choice);
/** Writes what was set to the cache, beside what other processes wrote there. RV_ERR_IO: there is no cache. */
RV_NODISCARD rv_status rv_tuning_save(rv_device *device);

/* --- what the device can do at most ------------------------------------------------------------------------ */

/* All of them ask events->cancelled between runs, and make no further run once they have taken 5 seconds; events may
 * be NULL. */

/** Runs of that many seconds instead of 0.2, for tests of what is measured, not how well. */
void rv_device_set_run_seconds(rv_device *device, double seconds);

/** Multiply-adds of floatB values in registers, 12 independent chains in every work-item, on all cores; best of
 *  `runs` runs of at least `run_seconds`, or 0.2 s where that is 0 (the definition of the peak: 5 runs of 0.2 s). On a device that has no fused
 *  multiply-add, multiplications and additions.
 *  @param[out] gflops  10^9 floating-point operations per second, a multiply-add counted as two. */
RV_NODISCARD rv_status rv_device_measure_fma(rv_device *device, int runs, double run_seconds,
                                             const rv_events *events, double *gflops);
/** A copy by a kernel between two buffers of 256 MiB (or an eighth of the memory), best of 5 runs of 0.2 s.
 *  @param[out] gbps  10^9 bytes read and written per second. */
RV_NODISCARD rv_status rv_device_measure_copy(rv_device *device, const rv_events *events,
                                              double *gbps);
/** Launches of a kernel that does nothing, 1000 in a row or fewer where they are slow, best of 5 runs.
 *  @param[out] microseconds  for one launch. */
RV_NODISCARD rv_status rv_device_measure_launch(rv_device *device, const rv_events *events,
                                                double *microseconds);

#endif
