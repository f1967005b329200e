/* A server of HTTP on this machine, for tests of downloads. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_TESTS_SERVER_H
#define RV_TESTS_SERVER_H

#include <stdbool.h>
#include <stddef.h>

/** What is answered to one path; may change between requests. */
typedef struct rv_test_page {
    const char *path; /**< "/file" */
    const void *bytes;
    size_t size;
    int status;           /**< 0: 200, or 206 where a range is asked for */
    size_t cut;           /**< so many bytes are sent, then the connection ends; 0: all */
    bool whole;           /**< ranges are not understood */
    const char *location; /**< redirects there */
} rv_test_page;

/** Starts it in a thread; there is one at a time. The pages stay the caller's. */
void rv_test_serve(rv_test_page *pages, size_t n);
/** URL of a path there, in one of a few buffers used in turn. */
const char *rv_test_url(const char *path);
/** Requests so far. */
int rv_test_requests(void);
/** First byte that the last request asked for, 0 where it named none. */
size_t rv_test_range(void);
void rv_test_serve_end(void);

/** URL of a port where nobody listens. */
const char *rv_test_dead_url(void);

#endif
