/*
 * Hashes: SipHash-2-4 with 64- and 128-bit results (Aumasson and Bernstein, "SipHash: a fast short-input PRF",
 * 2012; the reference's 128-bit variant) for anything that a stranger can choose, and a fast mixer for our own
 * integers. Written here because order ids, dedupe keys and shard placement hash several times per command.
 */
#ifndef OMS_BASE_HASH_H
#define OMS_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct oms_hash_key {
    uint64_t k0, k1;
};

struct oms_hash128 {
    uint64_t lo, hi;
};

uint64_t oms_siphash64(const struct oms_hash_key *key, const void *data, size_t len);
struct oms_hash128 oms_siphash128(const struct oms_hash_key *key, const void *data, size_t len);

/* Incremental 128-bit form, equal to the one-shot form over the joined bytes. */
struct oms_siphash {
    uint64_t v0, v1, v2, v3;
    uint64_t total;
    unsigned char tail[8];
    unsigned tail_len;
};
void oms_siphash_init(struct oms_siphash *state, const struct oms_hash_key *key);
void oms_siphash_update(struct oms_siphash *state, const void *data, size_t len);
struct oms_hash128 oms_siphash_final(struct oms_siphash *state);

/* A bijective mixer (splitmix64's finaliser). */
static inline uint64_t oms_mix64(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* CRC-32C (Castagnoli, RFC 3720 appendix B.4) of stored records. */
uint32_t oms_crc32c(uint32_t crc, const void *data, size_t len);
/* The same without the processor's CRC instruction: the fallback, public so that a test compares the two. */
uint32_t oms_crc32c_portable(uint32_t crc, const void *data, size_t len);

#endif
