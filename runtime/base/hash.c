/*
 * SipHash-2-4 and CRC-32C.
 *
 * One core serves the one-shot and the incremental forms: whole 8-byte words go through two rounds, what is
 * left waits in `tail` until the end, where the length's low byte fills the last word. The 128-bit variant
 * differs in the constants that it mixes in at the start and at the end.
 *
 * Both read bytes as little endian, so results are the same on every machine: they are stored.
 */
#include "runtime/base/hash.h"

#include <endian.h>
#include <pthread.h>
#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

static inline uint64_t rotl(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

static inline uint64_t load_le64(const unsigned char *at)
{
    uint64_t word;
    memcpy(&word, at, 8);
    return le64toh(word);
}

/* ---- SipHash ---- */

static inline void sip_round(struct oms_siphash *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 = rotl(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v2 = rotl(s->v2, 32);
}

static inline void sip_word(struct oms_siphash *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    sip_round(s);
    s->v0 ^= word;
}

static inline void sip_start(struct oms_siphash *s, const struct oms_hash_key *key)
{
    s->v0 = key->k0 ^ UINT64_C(0x736f6d6570736575);
    s->v1 = key->k1 ^ UINT64_C(0x646f72616e646f6d);
    s->v2 = key->k0 ^ UINT64_C(0x6c7967656e657261);
    s->v3 = key->k1 ^ UINT64_C(0x7465646279746573);
}

static inline uint64_t sip_finish(struct oms_siphash *s)
{
    sip_round(s);
    sip_round(s);
    sip_round(s);
    sip_round(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* The last word: up to 7 bytes that were left, and the length's low byte on top. */
static inline uint64_t sip_last(const unsigned char *tail, size_t tail_len, uint64_t total)
{
    unsigned char bytes[8] = {0};
    memcpy(bytes, tail, tail_len);
    bytes[7] = (unsigned char)total;
    return load_le64(bytes);
}

static inline void sip_all(struct oms_siphash *s, const unsigned char *data, size_t len)
{
    size_t i = 0;
    for (; len - i >= 8; i += 8)
        sip_word(s, load_le64(data + i));
    sip_word(s, sip_last(len - i ? data + i : s->tail, len - i, len));
}

uint64_t oms_siphash64(const struct oms_hash_key *key, const void *data, size_t len)
{
    struct oms_siphash s;
    sip_start(&s, key);
    sip_all(&s, data, len);
    s.v2 ^= 0xff;
    return sip_finish(&s);
}

static inline struct oms_hash128 sip_finish128(struct oms_siphash *s)
{
    struct oms_hash128 result;
    s->v2 ^= 0xee;
    result.lo = sip_finish(s);
    s->v1 ^= 0xdd;
    result.hi = sip_finish(s);
    return result;
}

struct oms_hash128 oms_siphash128(const struct oms_hash_key *key, const void *data, size_t len)
{
    struct oms_siphash s;
    sip_start(&s, key);
    s.v1 ^= 0xee;
    sip_all(&s, data, len);
    return sip_finish128(&s);
}

void oms_siphash_init(struct oms_siphash *state, const struct oms_hash_key *key)
{
    sip_start(state, key);
    state->v1 ^= 0xee;
    state->total = 0;
    state->tail_len = 0;
}

void oms_siphash_update(struct oms_siphash *state, const void *data, size_t len)
{
    const unsigned char *at = data;
    state->total += len;
    if (state->tail_len) {
        size_t take = 8 - state->tail_len < len ? 8 - state->tail_len : len;
        if (take)
            memcpy(state->tail + state->tail_len, at, take);
        state->tail_len += (unsigned)take;
        if (state->tail_len < 8)
            return;
        sip_word(state, load_le64(state->tail));
        state->tail_len = 0;
        at += take;
        len -= take;
    }
    for (; len >= 8; at += 8, len -= 8)
        sip_word(state, load_le64(at));
    if (len)
        memcpy(state->tail, at, len);
    state->tail_len = (unsigned)len;
}

struct oms_hash128 oms_siphash_final(struct oms_siphash *state)
{
    sip_word(state, sip_last(state->tail, state->tail_len, state->total));
    return sip_finish128(state);
}

/* ---- CRC-32C ---- */

#define CRC32C_POLYNOMIAL 0x82f63b78u /* reflected */

/* Row k holds the CRC of a byte followed by k zero bytes, so that eight bytes take eight independent
 * look-ups. */
static uint32_t crc_table[8][256];
static pthread_once_t crc_table_once = PTHREAD_ONCE_INIT;

static void crc_table_fill(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? CRC32C_POLYNOMIAL : 0);
        crc_table[0][byte] = crc;
    }
    for (int row = 1; row < 8; row++)
        for (int byte = 0; byte < 256; byte++) {
            uint32_t crc = crc_table[row - 1][byte];
            crc_table[row][byte] = crc >> 8 ^ crc_table[0][crc & 0xff];
        }
}

uint32_t oms_crc32c_portable(uint32_t crc, const void *data, size_t len)
{
    const unsigned char *at = data;
    pthread_once(&crc_table_once, crc_table_fill);
    crc = ~crc;
    for (; len >= 8; at += 8, len -= 8) {
        uint64_t word = load_le64(at) ^ crc;
        crc = 0;
        for (int i = 0; i < 8; i++)
            crc ^= crc_table[7 - i][word >> (8 * i) & 0xff];
    }
    while (len--)
        crc = crc >> 8 ^ crc_table[0][(crc ^ *at++) & 0xff];
    return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const unsigned char *at,
                                                               size_t len)
{
    uint64_t wide = ~crc;
    for (; len >= 8; at += 8, len -= 8)
        wide = _mm_crc32_u64(wide, load_le64(at));
    uint32_t narrow = (uint32_t)wide;
    while (len--)
        narrow = _mm_crc32_u8(narrow, *at++);
    return ~narrow;
}
#endif

uint32_t oms_crc32c(uint32_t crc, const void *data, size_t len)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2"))
        return crc32c_sse42(crc, data, len);
#endif
    return oms_crc32c_portable(crc, data, len);
}
