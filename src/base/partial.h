/* Files that are fetched over several runs: what is there of them stays until they are whole. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_BASE_PARTIAL_H
#define RV_BASE_PARTIAL_H

#include <reverie/status.h>
#include <stddef.h>
#include <stdint.h>

/** A file that is to be `path`, and is PATH.part until then. */
typedef struct rv_partial rv_partial;

/** Opens PATH.part with what an earlier run left in it, or makes it.
 *  @param size  bytes of the whole file.
 *  @return RV_ERR_IO: another process has it open, or the disk has no room for what is missing. */
RV_NODISCARD rv_status rv_partial_open(rv_partial **out, const char *path, uint64_t size);
uint64_t rv_partial_size(const rv_partial *partial);    /**< bytes that are there */
const char *rv_partial_path(const rv_partial *partial); /**< PATH.part; borrowed */
/** Adds to the end. RV_ERR_IO says "disk full" where it was. */
RV_NODISCARD rv_status rv_partial_write(rv_partial *partial, const void *bytes, size_t n);
/** Drops what is there. */
RV_NODISCARD rv_status rv_partial_restart(rv_partial *partial);
/** Syncs and renames to `path`, replacing what is there; frees `partial` in any case. */
RV_NODISCARD rv_status rv_partial_commit(rv_partial *partial);
/** Frees; PATH.part stays for the next run unless it is empty. NULL is fine. */
void rv_partial_close(rv_partial *partial);

#endif
