/* Answers one request after the other, each on a connection of its own. */
/* SPDX-License-Identifier: MIT */
#include "support/server.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
    int socket, port, requests;
    size_t range;
    rv_test_page *pages;
    size_t n;
    pthread_t thread;
} server;

/* Binds a port of the system's choice. */
static int bind_socket(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 &&
              getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void send_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        const ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        bytes += sent;
        n -= (size_t)sent;
    }
}

static const rv_test_page *find(const char *path)
{
    for (size_t i = 0; i < server.n; i++) {
        if (strcmp(server.pages[i].path, path) == 0) {
            return &server.pages[i];
        }
    }
    return NULL;
}

static void answer(int fd, const char *path, size_t from)
{
    char head[512];
    const rv_test_page *page = find(path);
    if (page == NULL || page->status >= 400) {
        snprintf(head, sizeof head,
                 "HTTP/1.1 %d No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno",
                 page != NULL ? page->status : 404);
        send_all(fd, head, strlen(head));
        return;
    }
    if (page->location != NULL) {
        snprintf(head, sizeof head,
                 "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\nConnection: "
                 "close\r\n\r\n",
                 page->location);
        send_all(fd, head, strlen(head));
        return;
    }
    from = page->whole || from >= page->size ? 0 : from;
    const size_t left = page->size - from;
    int n = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n",
                     from > 0 ? "206 Partial Content" : "200 OK", left);
    if (from > 0) {
        n += snprintf(head + n, sizeof head - (size_t)n, "Content-Range: bytes %zu-%zu/%zu\r\n",
                      from, page->size - 1, page->size);
    }
    snprintf(head + n, sizeof head - (size_t)n, "Connection: close\r\n\r\n");
    send_all(fd, head, strlen(head));
    send_all(fd, (const char *)page->bytes + from,
             page->cut > 0 && page->cut < left ? page->cut : left);
}

/* Reads the head of a request, which is all there is of it. */
static void serve_one(int fd)
{
    char text[4096] = "", path[256] = "";
    size_t n = 0;
    while (n + 1 < sizeof text && strstr(text, "\r\n\r\n") == NULL) {
        const ssize_t got = recv(fd, text + n, sizeof text - 1 - n, 0);
        if (got <= 0) {
            return;
        }
        n += (size_t)got;
        text[n] = '\0';
    }
    const char *range = strstr(text, "\r\nRange: bytes=");
    server.range = range != NULL ? strtoul(range + strlen("\r\nRange: bytes="), NULL, 10) : 0;
    server.requests++;
    if (sscanf(text, "GET %255s", path) == 1) {
        answer(fd, path, server.range);
    }
}

static void *serve(void *unused)
{
    (void)unused;
    for (;;) {
        const int fd = accept(server.socket, NULL, NULL);
        if (fd < 0) {
            return NULL;
        }
        serve_one(fd);
        shutdown(fd, SHUT_WR);
        char rest[256];
        while (recv(fd, rest, sizeof rest, 0) > 0) { /* so that what was sent arrives */
        }
        close(fd);
    }
}

void rv_test_serve(rv_test_page *pages, size_t n)
{
    server.pages = pages;
    server.n = n;
    server.requests = 0;
    server.socket = bind_socket(&server.port);
    cr_assert_eq(listen(server.socket, 8), 0);
    setenv("no_proxy", "*", 1);
    cr_assert_eq(pthread_create(&server.thread, NULL, serve, NULL), 0);
}

const char *rv_test_url(const char *path)
{
    static char urls[8][256];
    static unsigned next;
    char *url = urls[next++ % 8];
    snprintf(url, sizeof urls[0], "http://127.0.0.1:%d%s", server.port, path);
    return url;
}

int rv_test_requests(void)
{
    return server.requests;
}

size_t rv_test_range(void)
{
    return server.range;
}

void rv_test_serve_end(void)
{
    shutdown(server.socket, SHUT_RDWR);
    pthread_join(server.thread, NULL);
    close(server.socket);
}

const char *rv_test_dead_url(void)
{
    static char url[64];
    int port;
    setenv("no_proxy", "*", 1);
    close(bind_socket(&port));
    snprintf(url, sizeof url, "http://127.0.0.1:%d/none", port);
    return url;
}
