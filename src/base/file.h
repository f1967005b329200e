/* Files and folders: mapped input, output that appears whole or not at all, paths, caches. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_BASE_FILE_H
#define RV_BASE_FILE_H

#include <reverie/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** A regular file, read-only in memory. */
typedef struct rv_bytes {
    const uint8_t *data; /**< NULL for an empty file */
    size_t size;
    bool mapped; /**< by mmap, else by malloc */
} rv_bytes;

/** @return RV_ERR_NOT_FOUND, or RV_ERR_IO for a folder, device, pipe or no permission; messages name
 *  the path. A file beyond `limit` bytes (0: none) is RV_ERR_MEMORY. */
RV_NODISCARD rv_status rv_bytes_open(rv_bytes *out, const char *path, size_t limit);
/** The same for a file in `folder` or below it, of a name that comes from a file nobody vouches for.
 *  @return RV_ERR_UNSUPPORTED where the name leads out of the folder ("..", absolute), through a symbolic
 *          link, or to a file of several names */
RV_NODISCARD rv_status rv_bytes_open_beneath(rv_bytes *out, const char *folder, const char *name);
void rv_bytes_close(rv_bytes *bytes);
/** Drops what was read of a mapped file from this process's memory; reading brings it back. */
void rv_bytes_forget(const rv_bytes *bytes);
/** The same for a part of a mapped file. */
void rv_bytes_forget_part(const uint8_t *data, size_t size);

/** An output that is written beside its place under a temporary name and renamed when complete. */
typedef struct rv_output rv_output;

/** @param overwrite  false: an existing `path` is RV_ERR_USAGE, both now and at commit.
 *  @return RV_ERR_IO where the folder is missing, read-only or `path` is a folder. */
RV_NODISCARD rv_status rv_output_open(rv_output **out, const char *path, bool overwrite);
/** The same under the name PATH.part, which stays where the process ends, so that a later one can go on with the first
 *  `kept` bytes of it; 0: from the start. It is synced by rv_output_sync() only, besides at the end.
 *  @return RV_ERR_NOT_FOUND: not so many are there; RV_ERR_IO: another process writes it */
RV_NODISCARD rv_status rv_output_open_part(rv_output **out, const char *path, bool overwrite,
                                           uint64_t kept);
/** Makes sure that the disk has what was written so far. @param[out] size  how many bytes */
RV_NODISCARD rv_status rv_output_sync(rv_output *output, uint64_t *size);
/** Ends here: PATH.part stays for later. NULL is fine. */
void rv_output_keep(rv_output *output);
FILE *rv_output_stream(rv_output *output); /**< borrowed */
/** Commit will not wait until the disk has the file: a power cut may take it, an end of the process not. */
void rv_output_leave_unsynced(rv_output *output);
/** Flushes and syncs, so that committing has only to rename: where several files change together.
 *  RV_ERR_IO says "disk full" where it was. */
RV_NODISCARD rv_status rv_output_finish(rv_output *output);
/** Flushes, syncs and renames; frees `output` in any case. RV_ERR_IO says "disk full" where it was. */
RV_NODISCARD rv_status rv_output_commit(rv_output *output);
/** Removes the temporary file and frees; NULL is fine. */
void rv_output_discard(rv_output *output);
/** Whether a file of this name is one that was being written when its process was killed. */
bool rv_output_is_temporary(const char *name);

/** "a/b.c.jpg" gives "b.c"; freed with free(). */
RV_NODISCARD rv_status rv_path_stem(char **out, const char *path);
RV_NODISCARD rv_status rv_path_join(char **out, const char *folder, const char *name);
const char *rv_path_base(const char *path);      /**< part after the last slash; borrowed */
const char *rv_path_extension(const char *path); /**< with the dot, "" if none; borrowed */
RV_NODISCARD rv_status rv_path_folder(char **out, const char *path); /**< "." if there is none */
/** From the root, without links; freed with free(). RV_ERR_NOT_FOUND, RV_ERR_IO. */
RV_NODISCARD rv_status rv_path_absolute(char **out, const char *path);
bool rv_path_exists(const char *path);
bool rv_path_is_folder(const char *path);
bool rv_path_is_special(const char *path);            /**< a pipe, device or socket */
bool rv_path_same_file(const char *a, const char *b); /**< same device and inode */
RV_NODISCARD rv_status rv_folder_make(const char *path,
                                      unsigned mode); /**< with parents; existing is fine */

/** Names in a folder but "." and "..", sorted by bytes; one block, freed with free().
 *  @return RV_ERR_NOT_FOUND, or RV_ERR_IO where it is no folder or cannot be read. */
RV_NODISCARD rv_status rv_folder_list(char ***out, size_t *n, const char *path);

/** Path of a file that was installed with the library; freed with free(). Looked for in REVERIE_DATA_DIR where that is
 *  set; else in share/reverie below the folder of the library's own code or one of the three above it, which a build
 *  tree has too, then where it was to be installed.
 *  @return RV_ERR_NOT_FOUND names the last of these. */
RV_NODISCARD rv_status rv_installed_file(char **out, const char *name);

/** Path of `name` in Reverie's folder under XDG_DATA_HOME or ~/.local/share, which may not be there yet; freed with
 *  free(). RV_ERR_NOT_FOUND where neither that nor HOME is set. */
RV_NODISCARD rv_status rv_data_folder(char **out, const char *name);

/** Whether the user wants nothing kept between runs: REVERIE_CACHE=off. */
bool rv_cache_is_off(void);
/** Reverie's folder under XDG_CACHE_HOME or ~/.cache, made (0700) if missing; with `name`, a folder
 *  in it. RV_ERR_IO where none can be written: callers go on without a cache. */
RV_NODISCARD rv_status rv_cache_folder(char **out, const char *name);

#endif
