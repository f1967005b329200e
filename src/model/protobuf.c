/* Reads protobuf's wire format; what fields mean is for the importers to know. */
/* SPDX-License-Identifier: MIT */
#include "model/protobuf.h"
#include "base/error.h"
#include "base/text.h"

#include <limits.h>
#include <string.h>

rv_proto rv_proto_file(const uint8_t *data, size_t size)
{
    return (rv_proto){data, data, size > 0 ? data + size : data, 0};
}

static size_t offset(const rv_proto *message)
{
    return (size_t)(message->at - message->file);
}

rv_status rv_proto_varint(uint64_t *out, rv_proto *message)
{
    const size_t start = offset(message);
    uint64_t value = 0;
    for (int i = 0; i < 10; i++) {
        if (message->at == message->end) {
            return rv_fail(RV_ERR_FORMAT, "byte %zu: a number is cut off; the file is damaged",
                           start);
        }
        const uint8_t byte = *message->at++;
        if (i == 9 && byte > 1) {
            break;
        }
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *out = value;
            return RV_OK;
        }
    }
    return rv_fail(RV_ERR_FORMAT, "byte %zu: a number has more than 64 bits; the file is damaged",
                   start);
}

static rv_status take_bytes(rv_proto_field *out, rv_proto *message, uint64_t size)
{
    const size_t left = (size_t)(message->end - message->at);
    if (size > left) {
        return rv_fail(RV_ERR_FORMAT,
                       "byte %zu: %llu bytes are announced, but %zu are left; the file is cut "
                       "short or damaged",
                       offset(message), (unsigned long long)size, left);
    }
    out->data = message->at;
    out->size = (size_t)size;
    message->at += size;
    return RV_OK;
}

rv_status rv_proto_next(rv_proto_field *out, rv_proto *message)
{
    *out = (rv_proto_field){0};
    if (message->at == message->end) {
        return RV_OK;
    }
    const size_t start = offset(message);
    uint64_t key, size;
    RV_TRY(rv_proto_varint(&key, message));
    if (key >> 3 == 0 || key >> 32 != 0) {
        return rv_fail(RV_ERR_FORMAT, "byte %zu: no field has such a number; the file is damaged",
                       start);
    }
    out->number = (uint32_t)(key >> 3);
    out->wire = (rv_wire)(key & 7);
    switch ((int)out->wire) {
    case RV_WIRE_VARINT:
        return rv_proto_varint(&out->value, message);
    case RV_WIRE_64:
        return take_bytes(out, message, 8);
    case RV_WIRE_BYTES:
        RV_TRY(rv_proto_varint(&size, message));
        return take_bytes(out, message, size);
    case RV_WIRE_32:
        return take_bytes(out, message, 4);
    default:
        return rv_fail(RV_ERR_FORMAT,
                       "byte %zu: wire type %d (a group or unknown); the file is damaged or no "
                       "protobuf",
                       start, (int)out->wire);
    }
}

rv_status rv_proto_enter(rv_proto *out, const rv_proto *parent, const rv_proto_field *field)
{
    *out = (rv_proto){parent->file, field->data, field->data, parent->depth + 1};
    if (field->wire != RV_WIRE_BYTES) {
        return rv_fail(RV_ERR_FORMAT, "byte %zu: field %u should be a message; the file is damaged",
                       offset(parent), field->number);
    }
    if (out->depth > RV_PROTO_MAX_DEPTH) {
        return rv_fail(RV_ERR_FORMAT, "byte %zu: messages are nested deeper than %d",
                       offset(parent), RV_PROTO_MAX_DEPTH);
    }
    out->end = field->data + field->size;
    return RV_OK;
}

rv_status rv_proto_count(size_t *out, const rv_proto *message, const rv_proto_field *field,
                         size_t bytes)
{
    const rv_wire single = bytes == 4 ? RV_WIRE_32 : RV_WIRE_64;
    if ((field->wire != single && field->wire != RV_WIRE_BYTES) || field->size % bytes != 0) {
        return rv_fail(RV_ERR_FORMAT,
                       "byte %zu: field %u should hold numbers of %zu bytes; the file is damaged",
                       offset(message), field->number, bytes);
    }
    *out = field->size / bytes;
    return RV_OK;
}

rv_status rv_proto_text(char **out, const rv_proto_field *field)
{
    return rv_format(out, "%.*s", field->size < INT_MAX ? (int)field->size : INT_MAX,
                     field->wire == RV_WIRE_BYTES ? (const char *)field->data : "");
}

uint64_t rv_proto_bits(const uint8_t *data, size_t bytes)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < bytes; i++) {
        bits |= (uint64_t)data[i] << (8 * i);
    }
    return bits;
}

float rv_proto_float(const uint8_t *data)
{
    const uint32_t bits = (uint32_t)rv_proto_bits(data, 4);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

double rv_proto_double(const uint8_t *data)
{
    const uint64_t bits = rv_proto_bits(data, 8);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
