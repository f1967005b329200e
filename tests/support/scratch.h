/* Folders for tests to write in, small disks, and data that is not in the repository. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_TESTS_SCRATCH_H
#define RV_TESTS_SCRATCH_H

#include <stddef.h>

/** A new empty folder, removed with all that is in it when the test's process ends. */
const char *rv_test_folder(void);

/** Path of `name` in rv_test_folder(), in one of a few buffers used in turn. */
const char *rv_test_path(const char *name);

/** A folder on a file system of `bytes`, gone with the test; skips the test where none can be made. */
const char *rv_test_small_disk(size_t bytes);

/** Number of names in a folder, "." and ".." apart. */
size_t rv_test_count_files(const char *folder);

/** Writes a file. */
void rv_test_write(const char *path, const void *bytes, size_t n);

/** Asserts that two files hold the same bytes. */
void rv_test_same_files(const char *a, const char *b);

/** Path of `name` in the folder REVERIE_SHARED; skips the test without it. */
const char *rv_test_shared(const char *name);

#endif
