/* Downloads by HTTP and HTTPS, where Reverie was built with libcurl. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_BASE_HTTP_H
#define RV_BASE_HTTP_H

#include <reverie/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Where a download goes. A callback that fails ends it with its own status and message. */
typedef struct rv_http_sink {
    void *payload;
    /** Before the first byte: `from` as it was asked for, or 0 where the server begins anew. */
    rv_status (*begin)(void *payload, uint64_t from);
    rv_status (*write)(void *payload, const void *bytes, size_t n);
    bool (*cancelled)(void *payload); /**< asked about once a second, at least */
} rv_http_sink;

/** Fetches what `url` names, from the byte `from` to the end. Follows redirections, but from https to https only.
 *  @return RV_ERR_UNSUPPORTED: built without libcurl; RV_ERR_CANCELLED; RV_ERR_NOT_FOUND: the server has no such
 *          thing; RV_ERR_IO: no connection, or one that broke off. */
RV_NODISCARD rv_status rv_http_get(const char *url, uint64_t from, const rv_http_sink *sink);

#endif
