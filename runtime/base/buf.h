/*
 * A growing byte buffer with a maximum, for responses and records.
 *
 * Appending over the maximum changes nothing and sets `overflow`, so that a writer checks once at its end.
 * One owner, one thread at a time. The bytes move when it grows: hold offsets, not pointers.
 */
#ifndef OMS_BASE_BUF_H
#define OMS_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "runtime/base/str.h"

struct oms_buf {
    char *data;
    size_t len;
    size_t cap;
    size_t max;
    bool overflow;
};

/* No memory is taken before the first byte. max: bytes at most. */
void oms_buf_init(struct oms_buf *buf, size_t max);
void oms_buf_fini(struct oms_buf *buf);
/* Empties it and keeps the memory; clears `overflow`. */
void oms_buf_reset(struct oms_buf *buf);
/* Makes room for `more` bytes behind `len`; false over the maximum (and sets `overflow`). */
bool oms_buf_reserve_slow(struct oms_buf *buf, size_t more);

static inline bool oms_buf_reserve(struct oms_buf *buf, size_t more)
{
    return buf->cap - buf->len >= more || oms_buf_reserve_slow(buf, more);
}

static inline void oms_buf_append(struct oms_buf *buf, const void *data, size_t len)
{
    if (len && oms_buf_reserve(buf, len)) {
        /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): there is room, so there is data */
        memcpy(buf->data + buf->len, data, len);
        buf->len += len;
    }
}

static inline void oms_buf_append_str(struct oms_buf *buf, struct oms_str s)
{
    oms_buf_append(buf, s.data, s.len);
}

static inline void oms_buf_append_char(struct oms_buf *buf, char c)
{
    if (oms_buf_reserve(buf, 1))
        buf->data[buf->len++] = c;
}

#define oms_buf_append_lit(buf, literal) oms_buf_append((buf), "" literal, sizeof(literal) - 1)

void oms_buf_appendf(struct oms_buf *buf, const char *format, ...) OMS_PRINTF(2, 3);
/* Decimal digits. */
void oms_buf_append_u64(struct oms_buf *buf, uint64_t value);
void oms_buf_append_i64(struct oms_buf *buf, int64_t value);

static inline struct oms_str oms_buf_str(const struct oms_buf *buf)
{
    return (struct oms_str){buf->data, buf->len};
}

#endif
