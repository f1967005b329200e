/* Reads protobuf messages where they lie: bounded, without copies, unknown fields handed over. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_MODEL_PROTOBUF_H
#define RV_MODEL_PROTOBUF_H

#include <reverie/status.h>
#include <stddef.h>
#include <stdint.h>

enum { RV_PROTO_MAX_DEPTH = 100 };

/** A message being read; borrows its bytes. */
typedef struct rv_proto {
    const uint8_t *file; /**< first byte of the file: messages count from here */
    const uint8_t *at;
    const uint8_t *end;
    int depth;
} rv_proto;

/** Encodings on the wire. Groups (3 and 4) are refused. */
typedef enum rv_wire {
    RV_WIRE_VARINT = 0,
    RV_WIRE_64 = 1,
    RV_WIRE_BYTES = 2,
    RV_WIRE_32 = 5
} rv_wire;

/** One field of a message. */
typedef struct rv_proto_field {
    uint32_t number; /**< 0: the message has ended */
    rv_wire wire;
    uint64_t value;      /**< of RV_WIRE_VARINT */
    const uint8_t *data; /**< the value's bytes, but for RV_WIRE_VARINT */
    size_t size;
} rv_proto_field;

/** The outermost message of a file. */
rv_proto rv_proto_file(const uint8_t *data, size_t size);

/** Takes the next field. RV_ERR_FORMAT names the byte: a length past the end of its message, a
 *  varint beyond 10 bytes, a group, field number 0. */
RV_NODISCARD rv_status rv_proto_next(rv_proto_field *out, rv_proto *message);

/** The message inside a field of `parent`. RV_ERR_FORMAT: no RV_WIRE_BYTES, or nested deeper than
 *  RV_PROTO_MAX_DEPTH. */
RV_NODISCARD rv_status rv_proto_enter(rv_proto *out, const rv_proto *parent,
                                      const rv_proto_field *field);

/** Counts the values of a repeated field of `bytes` each (4 or 8), packed or not; 1 for a single
 *  one. RV_ERR_FORMAT where packed bytes are no multiple, or the wire type is another. */
RV_NODISCARD rv_status rv_proto_count(size_t *out, const rv_proto *message,
                                      const rv_proto_field *field, size_t bytes);

/** Takes a varint from inside a packed field. */
RV_NODISCARD rv_status rv_proto_varint(uint64_t *out, rv_proto *packed);

/** Copy of a text, which ends at its first NUL if it has one; freed with free(). "" for another wire type. */
RV_NODISCARD rv_status rv_proto_text(char **out, const rv_proto_field *field);

/** A whole number of `bytes` (1 to 8) at any alignment, little endian. */
uint64_t rv_proto_bits(const uint8_t *data, size_t bytes);
/** float and double at any alignment, little endian. */
float rv_proto_float(const uint8_t *data);
double rv_proto_double(const uint8_t *data);

#endif
