/*
 * A small seeded generator (xoshiro256**, Blackman and Vigna 2018) for schedules, jitter and tests. Not for
 * secrets: those come from the operating system (oms_random_bytes).
 */
#ifndef OMS_BASE_PRNG_H
#define OMS_BASE_PRNG_H

#include <stddef.h>
#include <stdint.h>

struct oms_prng {
    uint64_t s[4];
};

void oms_prng_seed(struct oms_prng *prng, uint64_t seed);
uint64_t oms_prng_next(struct oms_prng *prng);
/* Uniform in [0, bound), bound > 0, without modulo bias. */
uint64_t oms_prng_below(struct oms_prng *prng, uint64_t bound);
/* Bytes from getrandom(2); aborts when the system has none. */
void oms_random_bytes(void *out, size_t len);

#endif
