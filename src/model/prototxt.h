/* Protobuf's text form as a flat tree, checked against tables of field names. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_MODEL_PROTOTXT_H
#define RV_MODEL_PROTOTXT_H

#include <reverie/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RV_PROTOTXT_MAX_DEPTH = 100, RV_PROTOTXT_MAX_RULES = 96 };

/** Field 0 is an empty message, which stands for one that is not there; field 1 is the file. */
enum { RV_PROTOTXT_NONE, RV_PROTOTXT_FILE };

/** A field. Fields lie in the order of the text, those of a message right behind it: the children
 *  of field i start at i + 1, and `end` of one is the next. */
typedef struct rv_prototxt_field {
    const char *name;
    const char *text; /**< the value; NULL for a message */
    bool quoted;      /**< the value stood in quotes */
    int line;         /**< from 1 */
    size_t end;       /**< index behind this field and all inside it */
} rv_prototxt_field;

typedef struct rv_prototxt {
    rv_prototxt_field *fields;
    size_t n, capacity;
    char *strings; /**< what names and texts point into */
    char *file;    /**< name for messages */
} rv_prototxt;

/** Parses `size` bytes of text. `file` is its name for messages.
 *  @return RV_ERR_FORMAT "FILE:LINE: what was expected and what is there". */
RV_NODISCARD rv_status rv_prototxt_parse(rv_prototxt *out, const char *text, size_t size,
                                         const char *file);
void rv_prototxt_release(rv_prototxt *doc);

/** What may stand in a field. */
typedef enum rv_prototxt_kind {
    RV_PROTOTXT_INT,    /**< a whole number of 32 bits */
    RV_PROTOTXT_FLOAT,  /**< a finite number */
    RV_PROTOTXT_BOOL,   /**< true or false */
    RV_PROTOTXT_STRING, /**< text in quotes */
    RV_PROTOTXT_WORD,   /**< a word, in quotes or not */
    RV_PROTOTXT_MESSAGE,
    RV_PROTOTXT_ANY /**< not read, so anything */
} rv_prototxt_kind;

/** A field that a message may have; a table of at most RV_PROTOTXT_MAX_RULES rows ends with one whose
 *  name is NULL. */
typedef struct rv_prototxt_rule {
    const char *name;
    rv_prototxt_kind kind;
    bool repeated;
    const struct rv_prototxt_rule *message; /**< of RV_PROTOTXT_MESSAGE */
} rv_prototxt_rule;

/** Checks the whole file. RV_ERR_FORMAT names file and line: an unknown field (with the nearest
 *  name), a value of the wrong kind, a field given twice. */
RV_NODISCARD rv_status rv_prototxt_check(const rv_prototxt *doc, const rv_prototxt_rule *rules);

/** Index of the first field of that name in message `in` at or behind index `from` (0: from its
 *  start), RV_PROTOTXT_NONE if there is none. */
size_t rv_prototxt_find(const rv_prototxt *doc, size_t in, const char *name, size_t from);

/** Values of checked fields: `initial` where message `in` has no such field. */
int32_t rv_prototxt_int(const rv_prototxt *doc, size_t in, const char *name, int32_t initial);
double rv_prototxt_float(const rv_prototxt *doc, size_t in, const char *name, double initial);
bool rv_prototxt_bool(const rv_prototxt *doc, size_t in, const char *name, bool initial);
const char *rv_prototxt_text(const rv_prototxt *doc, size_t in, const char *name,
                             const char *initial);

/** rv_fail() with "FILE:LINE: " of field `index` before the message. */
rv_status rv_prototxt_fail(const rv_prototxt *doc, size_t index, rv_status status,
                           const char *format, ...) RV_PRINTF(4, 5);

#endif
