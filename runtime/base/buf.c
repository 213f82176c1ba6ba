/*
 * The growing byte buffer behind responses and records: the parts that are not worth inlining.
 *
 * It grows by doubling, never over `max`; on overflow nothing changes but the flag. Invariant: len <= cap <=
 * max.
 */
#include "runtime/base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

#define BUF_CAP_MIN 256u

void oms_buf_init(struct oms_buf *buf, size_t max)
{
    *buf = (struct oms_buf){.max = max};
}

void oms_buf_fini(struct oms_buf *buf)
{
    oms_free(buf->data);
    *buf = (struct oms_buf){0};
}

void oms_buf_reset(struct oms_buf *buf)
{
    buf->len = 0;
    buf->overflow = false;
}

bool oms_buf_reserve_slow(struct oms_buf *buf, size_t more)
{
    if (more > buf->max - buf->len) {
        buf->overflow = true;
        return false;
    }
    size_t need = buf->len + more;
    size_t cap = buf->cap < BUF_CAP_MIN / 2 ? BUF_CAP_MIN : buf->cap;
    while (cap < need)
        cap = cap > buf->max / 2 ? buf->max : cap * 2;
    if (cap > buf->max)
        cap = buf->max;
    if (cap > buf->cap) {
        buf->data = oms_realloc(buf->data, cap);
        buf->cap = cap;
    }
    return true;
}

void oms_buf_appendf(struct oms_buf *buf, const char *format, ...)
{
    char small[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(small, sizeof(small), format, args);
    va_end(args);
    OMS_ASSERT(len >= 0);
    if ((size_t)len < sizeof(small)) {
        oms_buf_append(buf, small, (size_t)len);
        return;
    }
    if (!oms_buf_reserve(buf, (size_t)len))
        return;
    /* vsnprintf writes a NUL for which the buffer may have no room. */
    char *large = oms_malloc((size_t)len + 1);
    va_start(args, format);
    vsnprintf(large, (size_t)len + 1, format, args);
    va_end(args);
    oms_buf_append(buf, large, (size_t)len);
    oms_free(large);
}

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324"
                                  "25262728293031323334353637383940414243444546474849"
                                  "50515253545556575859606162636465666768697071727374"
                                  "75767778798081828384858687888990919293949596979899";

void oms_buf_append_u64(struct oms_buf *buf, uint64_t value)
{
    char digits[20];
    char *at = digits + sizeof(digits);
    while (value >= 100) {
        at -= 2;
        memcpy(at, digit_pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10) {
        at -= 2;
        memcpy(at, digit_pairs + value * 2, 2);
    } else {
        *--at = (char)('0' + value);
    }
    oms_buf_append(buf, at, (size_t)(digits + sizeof(digits) - at));
}

void oms_buf_append_i64(struct oms_buf *buf, int64_t value)
{
    if (value >= 0) {
        oms_buf_append_u64(buf, (uint64_t)value);
        return;
    }
    /* All or nothing at the maximum: the sign and the digits go together. */
    size_t mark = buf->len;
    bool overflow = buf->overflow;
    oms_buf_append_char(buf, '-');
    if (buf->len == mark)
        return;
    buf->overflow = false;
    oms_buf_append_u64(buf, -(uint64_t)value);
    if (buf->overflow)
        buf->len = mark;
    buf->overflow |= overflow;
}
