/*
 * UTF-8 by the table of RFC 3629 section 4. Almost all text here is ASCII, so runs of it are stepped over 16
 * (or 8) bytes at a time and only the rest is looked at byte by byte.
 */
#include "runtime/base/utf8.h"

#include "runtime/base/assert.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define HIGH_BITS UINT64_C(0x8080808080808080)

static size_t ascii_run(const unsigned char *s, size_t len)
{
    size_t i = 0;
#ifdef __SSE2__
    for (; len - i >= 16; i += 16) {
        int high = _mm_movemask_epi8(_mm_loadu_si128((const __m128i *)(const void *)(s + i)));
        if (high)
            return i + (size_t)__builtin_ctz((unsigned)high);
    }
#endif
    for (; len - i >= 8; i += 8) {
        uint64_t word;
        memcpy(&word, s + i, 8);
        if (word & HIGH_BITS)
            break;
    }
    while (i < len && s[i] < 0x80)
        i++;
    return i;
}

static bool is_tail(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

/* Bytes of the multi-byte sequence at `s`, 0 when it is not well-formed. */
static size_t sequence_length(const unsigned char *s, size_t len)
{
    unsigned char lead = s[0];
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    if (lead < 0xe0)
        return len >= 2 && is_tail(s[1]) ? 2 : 0;
    /* The second byte's range excludes overlong forms, surrogates and what is over U+10FFFF. */
    unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (len < 2 || s[1] < low || s[1] > high)
        return 0;
    if (lead < 0xf0)
        return len >= 3 && is_tail(s[2]) ? 3 : 0;
    return len >= 4 && is_tail(s[2]) && is_tail(s[3]) ? 4 : 0;
}

size_t oms_utf8_valid_prefix(struct oms_str s)
{
    const unsigned char *data = (const unsigned char *)s.data;
    size_t i = 0;
    while (i < s.len) {
        if (data[i] < 0x80) {
            i += ascii_run(data + i, s.len - i);
            continue;
        }
        size_t step = sequence_length(data + i, s.len - i);
        if (!step)
            break;
        i += step;
    }
    return i;
}

bool oms_utf8_valid(struct oms_str s)
{
    return oms_utf8_valid_prefix(s) == s.len;
}

size_t oms_utf8_length(struct oms_str s)
{
    size_t count = 0;
    for (size_t i = 0; i < s.len; i++)
        count += !is_tail((unsigned char)s.data[i]);
    return count;
}

size_t oms_utf8_encode(uint32_t code_point, char out[4])
{
    OMS_ASSERT(code_point <= 0x10ffff && (code_point < 0xd800 || code_point > 0xdfff));
    if (code_point < 0x80) {
        out[0] = (char)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        out[0] = (char)(0xc0 | code_point >> 6);
        out[1] = (char)(0x80 | (code_point & 0x3f));
        return 2;
    }
    if (code_point < 0x10000) {
        out[0] = (char)(0xe0 | code_point >> 12);
        out[1] = (char)(0x80 | (code_point >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code_point & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code_point >> 18);
    out[1] = (char)(0x80 | (code_point >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code_point >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code_point & 0x3f));
    return 4;
}
