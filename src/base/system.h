/* Clock, processors, memory of this process, child processes, hash. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_BASE_SYSTEM_H
#define RV_BASE_SYSTEM_H

#include <reverie/status.h>
#include <stddef.h>
#include <stdint.h>

double rv_clock(void);                /**< seconds of a monotonic clock */
double rv_wall_clock(void);           /**< seconds since 1970 */
int rv_cpu_count(void);               /**< processors this process may use, at least 1 */
uint64_t rv_process_peak_bytes(void); /**< peak resident set (VmHWM), 0 if unknown */
uint64_t rv_process_bytes(void);      /**< resident set now, 0 if unknown */
/** Hands back to the system what is not needed now: memory that was freed, which the allocator else keeps
 *  for later, and pages of large libraries, such as the compiler of a driver, which come back from their files
 *  where they are needed again. */
void rv_release_memory(void);

/** Asks for large pages in memory that is about to be filled, where whole ones lie in it: one page fault instead of
 *  hundreds. */
void rv_prefer_large_pages(void *memory, size_t bytes);

/** "HOST.PROCESS", cut to n bytes with its NUL. */
void rv_process_name(char *out, size_t n);

/** Runs argv[0] without a shell, output discarded, killed after `seconds`.
 *  @param[out] out_code  exit code, 128 + signal when it died of one, -1 when it was killed for time. */
RV_NODISCARD rv_status rv_process_run(int *out_code, const char *const argv[], double seconds);

/** FNV-1a, 64 bits, chained: start from RV_HASH_START. */
#define RV_HASH_START UINT64_C(0xcbf29ce484222325)
uint64_t rv_hash(uint64_t hash, const void *bytes, size_t n);

#endif
