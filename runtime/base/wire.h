/*
 * The format of everything we store: tagged fields, so that a record written today is read by every later
 * version. A field is a varint tag (number << 1 | kind) and either a varint (kind 0) or a length and bytes
 * (kind 1). A reader skips fields that it does not know; a writer leaves out absent ones. Nested records are byte
 * fields; repeated fields repeat their tag. Varints are LEB128, at most 10 bytes; signed values are zigzag
 * (as in Protocol Buffers, whose two kinds suffice here).
 */
#ifndef OMS_BASE_WIRE_H
#define OMS_BASE_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/buf.h"

/* ---- writing: appends to a buffer ---- */
void oms_wire_put_varint(struct oms_buf *out, uint64_t value);
void oms_wire_put_u64(struct oms_buf *out, unsigned field, uint64_t value);
void oms_wire_put_i64(struct oms_buf *out, unsigned field, int64_t value); /* zigzag */
/* Writes nothing for an absent string; an empty one is written. */
void oms_wire_put_str(struct oms_buf *out, unsigned field, struct oms_str value);
void oms_wire_put_bytes(struct oms_buf *out, unsigned field, const void *data, size_t len);
/* A nested record: begin returns a mark for end, which fixes the length in place. Marks nest. */
size_t oms_wire_begin(struct oms_buf *out, unsigned field);
void oms_wire_end(struct oms_buf *out, size_t mark);

/* ---- reading ---- */
struct oms_wire {
    const unsigned char *next;
    const unsigned char *end;
    bool corrupt; /* sticky: a truncated or overlong field was met; check once after the loop */
    /* the current field, after oms_wire_next returned true */
    unsigned field;
    bool is_bytes;
    uint64_t number;      /* kind 0 */
    struct oms_str bytes; /* kind 1, borrowed from the source */
};

void oms_wire_read(struct oms_wire *wire, struct oms_str source);
/* Moves to the next field; false at the end or on corruption. */
bool oms_wire_next(struct oms_wire *wire);
/* A bare varint, for formats that are not tagged; sets `corrupt` when there is none. */
uint64_t oms_wire_varint(struct oms_wire *wire);

static inline int64_t oms_wire_i64(const struct oms_wire *wire)
{
    return (int64_t)(wire->number >> 1) ^ -(int64_t)(wire->number & 1);
}

/* ---- fixed width, big endian, so that keys sort as their numbers ---- */
static inline void oms_put_be16(unsigned char *out, uint16_t v)
{
    out[0] = (unsigned char)(v >> 8);
    out[1] = (unsigned char)v;
}
static inline void oms_put_be32(unsigned char *out, uint32_t v)
{
    oms_put_be16(out, (uint16_t)(v >> 16));
    oms_put_be16(out + 2, (uint16_t)v);
}
static inline void oms_put_be64(unsigned char *out, uint64_t v)
{
    oms_put_be32(out, (uint32_t)(v >> 32));
    oms_put_be32(out + 4, (uint32_t)v);
}
static inline uint16_t oms_get_be16(const unsigned char *in)
{
    return (uint16_t)(in[0] << 8 | in[1]);
}
static inline uint32_t oms_get_be32(const unsigned char *in)
{
    return (uint32_t)oms_get_be16(in) << 16 | oms_get_be16(in + 2);
}
static inline uint64_t oms_get_be64(const unsigned char *in)
{
    return (uint64_t)oms_get_be32(in) << 32 | oms_get_be32(in + 4);
}

#endif
