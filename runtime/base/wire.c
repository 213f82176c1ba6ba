/*
 * The codec of stored records: tagged fields of varints and bytes (wire.h has the format).
 *
 * Writing checks for room once per field and then stores without checks; near the buffer's maximum it falls
 * back to exact appends, so that the last byte can be used. A nested record's length takes one byte in place;
 * only a record over 127 bytes is moved up to make room for a longer one. Reading never looks past `end`, and
 * every fault ends in the sticky `corrupt`: the bytes come from a disk.
 */
#include "runtime/base/wire.h"

#include "runtime/base/assert.h"

#define VARINT_BYTES_MAX 10

static inline size_t varint_encode(unsigned char *out, uint64_t value)
{
    size_t len = 0;
    while (value >= 0x80) {
        out[len++] = (unsigned char)(value | 0x80);
        value >>= 7;
    }
    out[len++] = (unsigned char)value;
    return len;
}

static inline uint64_t tag_of(unsigned field, bool is_bytes)
{
    return (uint64_t)field << 1 | is_bytes;
}

void oms_wire_put_varint(struct oms_buf *out, uint64_t value)
{
    if (__builtin_expect(out->cap - out->len >= VARINT_BYTES_MAX, 1)) {
        out->len += varint_encode((unsigned char *)out->data + out->len, value);
        return;
    }
    unsigned char bytes[VARINT_BYTES_MAX];
    oms_buf_append(out, bytes, varint_encode(bytes, value));
}

void oms_wire_put_u64(struct oms_buf *out, unsigned field, uint64_t value)
{
    unsigned char bytes[2 * VARINT_BYTES_MAX];
    bool direct = out->cap - out->len >= sizeof(bytes);
    unsigned char *at = direct ? (unsigned char *)out->data + out->len : bytes;
    size_t len = varint_encode(at, tag_of(field, false));
    len += varint_encode(at + len, value);
    if (__builtin_expect(direct, 1))
        out->len += len;
    else
        oms_buf_append(out, bytes, len);
}

void oms_wire_put_i64(struct oms_buf *out, unsigned field, int64_t value)
{
    oms_wire_put_u64(out, field, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

void oms_wire_put_bytes(struct oms_buf *out, unsigned field, const void *data, size_t len)
{
    unsigned char head[2 * VARINT_BYTES_MAX];
    size_t room = out->cap - out->len;
    bool direct = room >= sizeof(head) && room - sizeof(head) >= len;
    unsigned char *at = direct ? (unsigned char *)out->data + out->len : head;
    size_t head_len = varint_encode(at, tag_of(field, true));
    head_len += varint_encode(at + head_len, len);
    if (__builtin_expect(!direct, 0)) {
        /* All or nothing: a head without its bytes would change the meaning of what follows. */
        if (len > SIZE_MAX - head_len || !oms_buf_reserve(out, head_len + len)) {
            out->overflow = true;
            return;
        }
        memcpy(out->data + out->len, head, head_len);
    }
    out->len += head_len;
    if (len)
        memcpy(out->data + out->len, data, len);
    out->len += len;
}

void oms_wire_put_str(struct oms_buf *out, unsigned field, struct oms_str value)
{
    if (value.data)
        oms_wire_put_bytes(out, field, value.data, value.len);
}

size_t oms_wire_begin(struct oms_buf *out, unsigned field)
{
    oms_wire_put_varint(out, tag_of(field, true));
    oms_buf_append_char(out, 0);
    return out->len;
}

void oms_wire_end(struct oms_buf *out, size_t mark)
{
    /* After an overflow the bytes are not to be used, and the mark may not be where a length stands. */
    if (out->overflow)
        return;
    OMS_ASSERT(mark > 0 && mark <= out->len);
    size_t len = out->len - mark;
    if (__builtin_expect(len < 0x80, 1)) {
        out->data[mark - 1] = (char)len;
        return;
    }
    unsigned char bytes[VARINT_BYTES_MAX];
    size_t bytes_len = varint_encode(bytes, len);
    if (!oms_buf_reserve(out, bytes_len - 1))
        return;
    memmove(out->data + mark + bytes_len - 1, out->data + mark, len);
    memcpy(out->data + mark - 1, bytes, bytes_len);
    out->len += bytes_len - 1;
}

void oms_wire_read(struct oms_wire *wire, struct oms_str source)
{
    *wire = (struct oms_wire){.next = (const unsigned char *)source.data};
    wire->end = source.len ? wire->next + source.len : wire->next;
}

static uint64_t fail(struct oms_wire *wire)
{
    wire->corrupt = true;
    wire->next = wire->end;
    return 0;
}

static __attribute__((noinline)) uint64_t varint_slow(struct oms_wire *wire)
{
    uint64_t value = 0;
    const unsigned char *at = wire->next;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (at == wire->end)
            return fail(wire);
        unsigned char byte = *at++;
        /* The tenth byte has room for one bit. */
        if (shift == 63 && byte > 1)
            return fail(wire);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            wire->next = at;
            return value;
        }
    }
    return fail(wire);
}

static inline uint64_t varint(struct oms_wire *wire)
{
    const unsigned char *at = wire->next;
    if (__builtin_expect(wire->end - at >= 2, 1)) {
        if (at[0] < 0x80) {
            wire->next = at + 1;
            return at[0];
        }
        if (at[1] < 0x80) {
            wire->next = at + 2;
            return (uint64_t)(at[0] & 0x7f) | (uint64_t)at[1] << 7;
        }
    }
    return varint_slow(wire);
}

uint64_t oms_wire_varint(struct oms_wire *wire)
{
    return varint(wire);
}

bool oms_wire_next(struct oms_wire *wire)
{
    if (wire->next == wire->end)
        return false;
    uint64_t tag = varint(wire);
    uint64_t value = varint(wire);
    if (tag >> 1 > UINT32_MAX)
        fail(wire);
    if (__builtin_expect(wire->corrupt, 0))
        return false;
    wire->field = (unsigned)(tag >> 1);
    wire->is_bytes = tag & 1;
    if (!wire->is_bytes) {
        wire->number = value;
        wire->bytes = OMS_STR_NONE;
        return true;
    }
    if (value > (uint64_t)(wire->end - wire->next)) {
        fail(wire);
        return false;
    }
    wire->number = 0;
    wire->bytes = (struct oms_str){(const char *)wire->next, (size_t)value};
    wire->next += value;
    return true;
}
