/* Pins that the user lists in a file of his own. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "base/text.h"
#include "model/pins.h"
#include "model/shelf.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(RV_PIN_MAX_URLS == 8, "a message says so");

enum { LARGEST_FILE = 1 << 24, HASH_DIGITS = RV_SHA256_TEXT - 1 };

/* Where a line is, for messages. */
typedef struct place {
    const char *path;
    int line;
} place;

/* What stands before the next tab, which becomes a NUL; NULL where nothing does. */
static char *next_field(char **rest)
{
    char *field = *rest;
    const size_t n = strcspn(field, "\t");
    *rest = field + n + (field[n] == '\t');
    field[n] = '\0';
    return n > 0 ? field : NULL;
}

static rv_status fail_line(const place *at, const char *what)
{
    return rv_fail(RV_ERR_FORMAT,
                   "%s:%d: %s; a line is name, SHA-256, bytes, URLs, with tabs between", at->path,
                   at->line, what);
}

/* The name of a file at the end of a URL. */
static rv_status take_file_name(rv_pin *pin, const char *url, const place *at)
{
    const char *name = rv_path_base(url);
    const size_t n = rv_shelf_plain(name);
    if (n == 0 || name[n] != '\0' || name[0] == '.') {
        return fail_line(at, "a URL does not end in a plain name of a file");
    }
    pin->file = name;
    return RV_OK;
}

static rv_status take_hash(rv_pin *pin, const char *text, const place *at)
{
    static const char prefix[] = "sha256:";
    text += strncmp(text, prefix, sizeof prefix - 1) == 0 ? sizeof prefix - 1 : 0;
    pin->sha256 = text;
    return strlen(text) == HASH_DIGITS && strspn(text, "0123456789abcdef") == HASH_DIGITS
               ? RV_OK
               : fail_line(at, "the SHA-256 is not of 64 digits, 0 to 9 and a to f");
}

static rv_status parse_line(rv_pin *pin, const char **urls, char *line, const place *at)
{
    double bytes;
    const char *name = next_field(&line), *hash = next_field(&line), *size = next_field(&line);
    if (name == NULL || hash == NULL || size == NULL || line[0] == '\0') {
        return fail_line(at, "something is missing");
    }
    if (!rv_shelf_is_name(name)) {
        return fail_line(at, "a model cannot have that name");
    }
    *pin = (rv_pin){.name = name, .hosts = urls, .path = "", .summary = "listed in a file"};
    RV_TRY(take_hash(pin, hash, at));
    if (rv_parse_double(&bytes, size, 1, 1e13, "bytes") != RV_OK) {
        return fail_line(at, "the number of bytes is none");
    }
    pin->bytes = (uint64_t)bytes;
    for (size_t i = 0; i < RV_PIN_MAX_URLS && line[0] != '\0'; i++) {
        urls[i] = next_field(&line);
        if (urls[i] == NULL ||
            (strncmp(urls[i], "http://", 7) != 0 && strncmp(urls[i], "https://", 8) != 0)) {
            return fail_line(at, "a URL does not begin with http:// or https://");
        }
    }
    if (line[0] != '\0') {
        return fail_line(at, "more than 8 URLs");
    }
    return take_file_name(pin, urls[0], at);
}

/* Lines of the text, which end in NULs from now on. */
static rv_status parse(rv_pin_list *out, const char *path)
{
    place at = {path, 0};
    size_t used = 0;
    for (char *line = out->text, *next; line != NULL; line = next) {
        next = strchr(line, '\n');
        if (next != NULL) {
            *next++ = '\0';
        }
        line[strcspn(line, "\r")] = '\0';
        at.line++;
        if (line[0] != '\0' && line[0] != '#') {
            RV_TRY(parse_line(&out->list[out->n], out->urls + used, line, &at));
            used += RV_PIN_MAX_URLS + 1;
            out->n++;
        }
    }
    return RV_OK;
}

rv_status rv_pins_read(rv_pin_list *out, const char *path)
{
    rv_bytes bytes;
    *out = (rv_pin_list){0};
    RV_TRY(rv_bytes_open(&bytes, path, LARGEST_FILE));
    size_t lines = 1;
    for (size_t i = 0; i < bytes.size; i++) {
        lines += bytes.data[i] == '\n';
    }
    rv_status status = rv_format(&out->text, "%.*s", (int)bytes.size, (const char *)bytes.data);
    if (status == RV_OK) {
        status = rv_alloc(&out->list, lines, sizeof *out->list, path);
    }
    if (status == RV_OK) {
        status = rv_alloc(&out->urls, lines * (RV_PIN_MAX_URLS + 1), sizeof *out->urls, path);
    }
    if (status == RV_OK) {
        status = parse(out, path);
    }
    rv_bytes_close(&bytes);
    if (status != RV_OK) {
        rv_pins_release(out);
    }
    return status;
}

void rv_pins_release(rv_pin_list *pins)
{
    free(pins->list);
    free(pins->text);
    free(pins->urls);
    *pins = (rv_pin_list){0};
}
