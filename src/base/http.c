/* Downloads through libcurl; without it, a line that says what to do instead. */
/* SPDX-License-Identifier: MIT */
#include "base/http.h"
#include "base/error.h"

#ifndef RV_HAVE_CURL

rv_status rv_http_get(const char *url, uint64_t from, const rv_http_sink *sink)
{
    (void)from;
    (void)sink;
    return rv_fail(RV_ERR_UNSUPPORTED,
                   "this copy of Reverie was built without libcurl: download %s by other means, "
                   "then: reverie models add FILE",
                   url);
}

#else

#include <curl/curl.h>
#include <inttypes.h>
#include <reverie/reverie.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A server that sends nothing for so long has gone. */
static const long CONNECT_SECONDS = 20, SILENT_SECONDS = 30, MAX_REDIRECTIONS = 5;

typedef struct transfer {
    CURL *curl;
    const rv_http_sink *sink;
    uint64_t from;
    uint64_t begins; /* first byte of a part, as the server says */
    bool begun;
    rv_status status; /* of the sink, its message being set */
    char reason[CURL_ERROR_SIZE];
} transfer;

/* Lines of the header; a redirection has one of its own before. */
static size_t on_header(char *line, size_t size, size_t n, void *payload)
{
    static const char name[] = "content-range: bytes ";
    transfer *t = payload;
    char text[64] = "";
    const size_t bytes = size * n, length = sizeof name - 1;
    if (bytes >= 5 && strncmp(line, "HTTP/", 5) == 0) {
        t->begins = 0;
    } else if (bytes > length && strncasecmp(line, name, length) == 0) {
        snprintf(text, sizeof text, "%.*s", (int)(bytes - length), line + length);
        t->begins = strtoull(text, NULL, 10);
    }
    return bytes;
}

static rv_status begin(transfer *t)
{
    long answer = 0;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &answer);
    t->begun = true;
    if (answer == 206 && t->begins != t->from) {
        return rv_fail(RV_ERR_IO, "the server sends byte %" PRIu64 " instead of %" PRIu64,
                       t->begins, t->from);
    }
    return t->sink->begin(t->sink->payload, answer == 206 ? t->from : 0);
}

static size_t on_bytes(char *bytes, size_t size, size_t n, void *payload)
{
    transfer *t = payload;
    t->status = t->begun ? RV_OK : begin(t);
    if (t->status == RV_OK) {
        t->status = t->sink->write(t->sink->payload, bytes, size * n);
    }
    return t->status == RV_OK ? size * n : 0;
}

static int on_progress(void *payload, curl_off_t total, curl_off_t now, curl_off_t up_total,
                       curl_off_t up_now)
{
    transfer *t = payload;
    (void)total;
    (void)now;
    (void)up_total;
    (void)up_now;
    if (t->sink->cancelled(t->sink->payload)) {
        t->status = rv_fail(RV_ERR_CANCELLED, "interrupted");
    }
    return t->status != RV_OK;
}

static void set_up(transfer *t, const char *url)
{
    char range[32], agent[64];
    CURL *c = t->curl;
    const bool secure = strncasecmp(url, "https:", 6) == 0;
    snprintf(range, sizeof range, "%" PRIu64 "-", t->from);
    snprintf(agent, sizeof agent, "reverie/%s", rv_version());
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(c, CURLOPT_MAXREDIRS, MAX_REDIRECTIONS);
    curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, SILENT_SECONDS);
    curl_easy_setopt(c, CURLOPT_USERAGENT, agent);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->reason);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, t);
    if (t->from > 0) {
        curl_easy_setopt(c, CURLOPT_RANGE, range);
    }
}

static rv_status fail(const transfer *t, CURLcode code, const char *url)
{
    long answer = 0;
    const char *reason = t->reason[0] != '\0' ? t->reason : curl_easy_strerror(code);
    switch (code) {
    case CURLE_HTTP_RETURNED_ERROR:
        curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &answer);
        return rv_fail(RV_ERR_NOT_FOUND, "%s: the server answers %ld", url, answer);
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
        return rv_fail(RV_ERR_IO, "%s: no connection (%s); is there a network?", url, reason);
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_OPERATION_TIMEDOUT:
        return rv_fail(RV_ERR_IO, "%s: the connection broke off (%s)", url, reason);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return rv_fail(RV_ERR_IO, "%s: %s; is the package ca-certificates installed?", url, reason);
    default:
        return rv_fail(RV_ERR_IO, "%s: %s", url, reason);
    }
}

rv_status rv_http_get(const char *url, uint64_t from, const rv_http_sink *sink)
{
    transfer t = {.curl = curl_easy_init(), .sink = sink, .from = from, .status = RV_OK};
    if (t.curl == NULL) {
        return rv_fail(RV_ERR_MEMORY, "not enough memory to open a connection");
    }
    set_up(&t, url);
    const CURLcode code = curl_easy_perform(t.curl);
    rv_status status = t.status;
    if (status == RV_OK && code != CURLE_OK) {
        status = fail(&t, code, url);
    }
    curl_easy_cleanup(t.curl);
    return status;
}

#endif
