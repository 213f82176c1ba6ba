/*
 * Looking for the bytes of a JSON string that cannot be taken as they are: the quote, the backslash and the
 * control characters (RFC 8259 section 7). Only for json.c, whose parser and writer share it; in a header so
 * that it is inlined into both.
 *
 * With SSE2 16 bytes are looked at together, else 8 in a word. Nothing is read outside of the given bytes.
 */
#ifndef OMS_BASE_JSON_SCAN_H
#define OMS_BASE_JSON_SCAN_H

#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define OMS_JSON_EVERY_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The bytes of a word that need a look, by their top bit: quote, backslash, control. Exact for the lowest. */
static inline uint64_t oms_json_word_stops(uint64_t word)
{
    uint64_t quotes = word ^ OMS_JSON_EVERY_BYTE('"');
    uint64_t backslashes = word ^ OMS_JSON_EVERY_BYTE('\\');
    /* Per byte, (x - 1) & ~x has its top bit set for x = 0, and (x - 0x20) & ~x for x < 0x20. */
    uint64_t stops = ((quotes - OMS_JSON_EVERY_BYTE(1)) & ~quotes) |
                     ((backslashes - OMS_JSON_EVERY_BYTE(1)) & ~backslashes) |
                     ((word - OMS_JSON_EVERY_BYTE(0x20)) & ~word);
    return stops & OMS_JSON_EVERY_BYTE(0x80);
}

#ifdef __SSE2__
static inline __m128i oms_json_load16(const char *s)
{
    return _mm_loadu_si128((const __m128i *)(const void *)s);
}

/* 0xff for each byte that needs a look. */
static inline __m128i oms_json_vector_stops(__m128i bytes)
{
    __m128i stops =
        _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
    return _mm_or_si128(stops, _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes));
}
#endif

/*
 * The length of the run at `s` that needs no look. `*high` collects whether a byte of it is over 0x7f.
 */
static inline size_t oms_json_plain_run(const char *s, size_t len, unsigned *high)
{
    size_t i = 0;
#ifdef __SSE2__
    for (; len - i >= 16; i += 16) {
        __m128i bytes = oms_json_load16(s + i);
        unsigned stop_mask = (unsigned)_mm_movemask_epi8(oms_json_vector_stops(bytes));
        unsigned high_mask = (unsigned)_mm_movemask_epi8(bytes);
        if (stop_mask) {
            unsigned before = (unsigned)__builtin_ctz(stop_mask);
            *high |= high_mask & ((1u << before) - 1);
            return i + before;
        }
        *high |= high_mask;
    }
#endif
    for (; len - i >= 8; i += 8) {
        uint64_t word;
        memcpy(&word, s + i, 8);
        if (oms_json_word_stops(word))
            break;
        *high |= (word & OMS_JSON_EVERY_BYTE(0x80)) != 0;
    }
    for (; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c == '"' || c == '\\' || c < 0x20)
            break;
        *high |= c & 0x80;
    }
    return i;
}

#endif
