/* Protobuf as bytes, for tests that need a model file: a message at a time, put into the one around it. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_TESTS_WIRE_H
#define RV_TESTS_WIRE_H

#include <stddef.h>
#include <stdint.h>

/** A message as it grows; starts as all zeros, and ends with free(data). */
typedef struct rv_message {
    uint8_t *data;
    size_t size, capacity;
} rv_message;

void rv_wire_put(rv_message *m, const void *data, size_t size); /**< bytes as they are */
void rv_wire_varint(rv_message *m, uint64_t value);
/** Fields with their numbers. */
void rv_wire_number(rv_message *m, unsigned field, uint64_t value);
void rv_wire_float(rv_message *m, unsigned field, double value);
void rv_wire_bytes(rv_message *m, unsigned field, const void *data, size_t size);
void rv_wire_text(rv_message *m, unsigned field, const char *text);
/** Puts a message inside another, and frees it. */
void rv_wire_message(rv_message *m, unsigned field, rv_message *inner);

#endif
