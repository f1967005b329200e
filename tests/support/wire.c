/* Writes protobuf's wire form, message by message. */
/* SPDX-License-Identifier: MIT */
#include "support/wire.h"

#include <stdlib.h>
#include <string.h>

enum { VARINT = 0, BYTES = 2, FIXED32 = 5 };

void rv_wire_put(rv_message *m, const void *data, size_t size)
{
    if (m->size + size > m->capacity) {
        m->capacity = 2 * (m->size + size);
        m->data = realloc(m->data, m->capacity);
    }
    if (size > 0) {
        memcpy(m->data + m->size, data, size);
    }
    m->size += size;
}

void rv_wire_varint(rv_message *m, uint64_t value)
{
    for (; value > 127; value >>= 7) {
        rv_wire_put(m, &(uint8_t){(uint8_t)(value | 128)}, 1);
    }
    rv_wire_put(m, &(uint8_t){(uint8_t)value}, 1);
}

void rv_wire_number(rv_message *m, unsigned field, uint64_t value)
{
    rv_wire_varint(m, field << 3 | VARINT);
    rv_wire_varint(m, value);
}

void rv_wire_bytes(rv_message *m, unsigned field, const void *data, size_t size)
{
    rv_wire_varint(m, field << 3 | BYTES);
    rv_wire_varint(m, size);
    rv_wire_put(m, data, size);
}

void rv_wire_text(rv_message *m, unsigned field, const char *text)
{
    rv_wire_bytes(m, field, text, strlen(text));
}

void rv_wire_message(rv_message *m, unsigned field, rv_message *inner)
{
    rv_wire_bytes(m, field, inner->data, inner->size);
    free(inner->data);
    *inner = (rv_message){0};
}

void rv_wire_float(rv_message *m, unsigned field, double value)
{
    const float f = (float)value;
    rv_wire_varint(m, field << 3 | FIXED32);
    rv_wire_put(m, &f, sizeof f);
}
