/* What the files of src/device share: OpenCL handles, the list of devices, caches on disk, errors. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_DEVICE_INTERNAL_H
#define RV_DEVICE_INTERNAL_H

#include "base/text.h"
#include "device/device.h"

#include <CL/cl.h>

/* --- opencl.c: errors, environment ------------------------------------------------------------------------- */

/** "CL_OUT_OF_RESOURCES"; "unknown OpenCL error" for codes that are in no table. */
const char *rv_opencl_name(cl_int code);

/** Fails with "WHAT: CODE NAME", and what to do where that is known. Codes for memory are RV_ERR_DEVICE_MEMORY,
 *  all others RV_ERR_DEVICE. `format` names the call and the kernel or buffer size. */
RV_NODISCARD rv_status rv_opencl_fail(cl_int code, const char *format, ...) RV_PRINTF(2, 3);

/** Sets the variables that drivers read, unless the user has; to be called before any other OpenCL call. */
void rv_opencl_environment(void);

/* --- list.c: devices before they are opened ---------------------------------------------------------------- */

enum { RV_IDENTITY_BYTES = 1024 };

typedef struct rv_found {
    cl_platform_id platform;
    cl_device_id id;
    uint32_t vendor; /* PCI vendor of GPUs */
    char identity
        [RV_IDENTITY_BYTES]; /* device, driver and library with versions, one line: key of all caches */
    rv_device_info info;
} rv_found;

/** All devices that can compile kernels; *out is freed with free(). None is RV_OK with *n = 0. */
RV_NODISCARD rv_status rv_found_list(rv_found **out, size_t *n);

/** Block width and form of a device: options where they say, else by type and vector width. */
void rv_found_shape(rv_found *found, rv_form form, int block);

/** Copy of the options with defaults for those that an older caller does not know. */
RV_NODISCARD rv_status rv_device_read_options(rv_device_options *out,
                                              const rv_device_options *options);

/* --- choose.c ---------------------------------------------------------------------------------------------- */

/** Index in `all` of the device that `spec` names: an index, a type or part of a name. Of several the first that
 *  is not known to fail its self-test. */
RV_NODISCARD rv_status rv_choose_by_spec(size_t *out, const rv_found *all, size_t n,
                                         const char *spec);
/** The first device with a speed above 0, unless another is 1.5 times faster; n where there is none. */
size_t rv_choose_by_speed(const double *gflops, size_t n);
RV_NODISCARD rv_status rv_choose(size_t *out, rv_found *all, size_t n,
                                 const rv_device_options *options);

/* --- verdict.c: what is remembered of a device between runs ------------------------------------------------ */

/** Sets info.self_test and its message from the cache; unknown where there is no entry. */
void rv_verdict_load(rv_found *found);
void rv_verdict_save(const rv_found *found);
double rv_speed_load(const rv_found *found); /**< GFLOPS, 0 where there is no entry */
void rv_speed_save(const rv_found *found, double gflops);

/* --- self_test.c ------------------------------------------------------------------------------------------- */

/** Tests a device, in a child process where there is a program for it, and remembers the verdict in found->info
 *  and in the cache. Fails only where the child cannot be started. */
RV_NODISCARD rv_status rv_self_test_found(rv_found *found, const char *program, double seconds);
/** Time limit of the child: compiling is slow on a driver that has never run, above all on a busy machine. */
#define RV_SELF_TEST_SECONDS 120.0
/** The problems themselves, on an open device. */
RV_NODISCARD rv_status rv_self_test_open(rv_device *device);

/* --- missing.c --------------------------------------------------------------------------------------------- */

/** rv_device_missing() with the folders that it reads (/sys/class/drm, /dev/dri) and the devices that there are. */
RV_NODISCARD rv_status rv_missing_gpus(char ***out, size_t *n, const char *drm, const char *nodes,
                                       const rv_found *all, size_t n_all);

/* --- registers.c ------------------------------------------------------------------------------------------- */

/** What rv_device_sums() gives for a device. */
int rv_registers_sums(cl_device_id id, uint32_t vendor, const rv_device_info *info);

/* --- blas.c ------------------------------------------------------------------------------------------------ */

/** Before the device's context goes. */
void rv_blas_release(rv_device *device);

/* --- open.c: the device ------------------------------------------------------------------------------------ */

typedef struct rv_program rv_program;
typedef struct rv_profile rv_profile;
typedef struct rv_tuning rv_tuning;

struct rv_device {
    cl_device_id id;   /* where kernels run: the device or a part of it */
    cl_device_id part; /* the same if it is a part, to be released; else NULL */
    cl_context context;
    cl_command_queue queue;
    rv_device_info info;
    rv_winograd winograd;
    char identity[RV_IDENTITY_BYTES];
    rv_events events;
    bool has_events;
    size_t alignment, view_step;
    size_t max_group;
    int sums;       /* see rv_device_sums() */
    bool uses_blas; /* has called CLBlast */

    uint64_t allocated, allocated_peak;
    uint64_t memory; /* see rv_device_options */

    bool rehearses;
    rv_rehearsal rehearsal;
    uint64_t rehearsed;      /* of `allocated`, what was counted only */
    uint64_t rehearsed_peak; /* allocated_peak from before */

    rv_program *programs;
    bool
        keeps_binaries; /* programs are cached on disk by us: not on PoCL, which does that itself */
    uint64_t binary_bytes; /* size limit of that cache */
    int compiled, loaded;  /* programs built from source, and taken from the cache */

    /* Work queued ahead is bounded: see launch.c. */
    cl_event mark;
    double mark_time;
    int batch, batched, unflushed;
    double launch_flops; /* a grid of more is run in parts, where it can be */
    double run_seconds;  /* of a run of measure.c */

    rv_profile *profile; /* while one runs */
    rv_tuning *tuning;   /* once it was asked for */
};

RV_NODISCARD rv_status rv_device_open_found(rv_device **out, const rv_found *found,
                                            const rv_device_options *options);

/* --- cache_limit.c ------------------------------------------------------------------------------------------- */

/** Removes what was used longest ago in the folder of a cache until `limit` bytes are left. Whatever lies there is
 *  ours, also what a process that was killed left unfinished.
 *  @param depth   what goes as a whole lies so many folders below this one.
 *  @param spared  seconds for which what was used stays in any case, as a process may be at it. */
void rv_cache_limit(const char *folder, int depth, uint64_t limit, int spared);

/* --- source.c, binary.c, program.c ------------------------------------------------------------------------- */

/** Text of cl/FILE with its includes, each once, from the folder REVERIE_CL_PATH or the library itself. */
RV_NODISCARD rv_status rv_source_resolve(rv_text *out, const char *file);

/** Two independent hashes: the first names the file, the second is checked. */
typedef struct rv_binary_key {
    uint64_t name, check;
} rv_binary_key;

rv_binary_key rv_binary_key_of(const rv_device *device, const char *source, const char *options);
/** A built program from the cache, or NULL: missing and damaged entries are no errors. */
cl_program rv_binary_load(const rv_device *device, rv_binary_key key, const char *options);
void rv_binary_save(const rv_device *device, rv_binary_key key, cl_program program);

struct rv_kernel {
    cl_kernel kernel;
    char name[96];
    cl_uint n_args;
    rv_kernel *next;
};

struct rv_program {
    char *file, *defines;
    cl_program program;
    rv_kernel *kernels;
    rv_program *next;
};

void rv_programs_release(rv_device *device);
/** First error of a compiler's log, one line, into `out`. */
void rv_program_first_error(char *out, size_t bytes, const char *log);

/* --- tuning.c ---------------------------------------------------------------------------------------------- */

void rv_tuning_release(rv_device *device);

/* --- buffer.c ---------------------------------------------------------------------------------------------- */

struct rv_buffer {
    cl_mem mem;
    size_t bytes;
    rv_device *device;
    bool part; /* of another buffer */
};

/* --- rehearse.c -------------------------------------------------------------------------------------------- */

/** Counts a buffer that is made, or with a negative number one that is destroyed, in a rehearsal. */
void rv_rehearsal_count(rv_device *device, int64_t bytes);
/** Makes up what is read. */
void rv_rehearsal_read(void *data, size_t bytes);

/* --- launch.c, profile.c ----------------------------------------------------------------------------------- */

/** Counts one enqueued command; `event` (may be NULL) belongs to the callee. */
RV_NODISCARD rv_status rv_queue_count(rv_device *device, cl_event event);
/** Whether the next command should come with an event. */
bool rv_queue_wants_event(const rv_device *device);
/** After a blocking call: nothing is queued any more. */
void rv_queue_drained(rv_device *device);

RV_NODISCARD rv_status rv_profile_add(rv_device *device, const rv_kernel *kernel, cl_event event);
void rv_profile_release(rv_device *device);

#endif
