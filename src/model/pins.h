/* Models that can be fetched: where from, and by which hash they are known. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_MODEL_PINS_H
#define RV_MODEL_PINS_H

#include <reverie/model.h>

enum { RV_PIN_MAX_URLS = 8 };

typedef struct rv_pin {
    const char *name;
    const char *file;         /**< what it is called in its folder */
    const char *const *hosts; /**< beginnings of URLs; NULL at the end */
    const char *path;         /**< end of each URL */
    const char *sha256;
    uint64_t bytes;
    const char *summary;
    const char *licence; /**< NULL: unknown */
    const char *until;   /**< last layer of its features; NULL: the last before the classifier */
    const rv_preprocessing *preprocessing; /**< NULL: as its file says */
} rv_pin;

/** Those that Reverie knows; static. */
const rv_pin *rv_pins(size_t *n);
/** The one of that name among them, NULL: none. */
const rv_pin *rv_pin_find(const char *name);
/** The one of that SHA-256. */
const rv_pin *rv_pin_find_hash(const char *sha256);

/** Pins from a file, as rv_fetch_options.pins says; owned. */
typedef struct rv_pin_list {
    rv_pin *list;
    size_t n;
    char *text; /**< which the pins point into */
    const char **urls;
} rv_pin_list;

RV_NODISCARD rv_status rv_pins_read(rv_pin_list *out, const char *path);
void rv_pins_release(rv_pin_list *pins);

#endif
