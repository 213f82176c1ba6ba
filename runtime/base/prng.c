/*
 * xoshiro256** 1.0 (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2018), seeded
 * through splitmix64 as its authors advise, so that seeds 1, 2, 3 give unrelated sequences. One seed, one
 * sequence, on every machine: the simulator's traces rest on it.
 */
#include "runtime/base/prng.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "runtime/base/assert.h"
#include "runtime/base/hash.h"

__extension__ typedef unsigned __int128 prng_wide;

static uint64_t rotl(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

void oms_prng_seed(struct oms_prng *prng, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        seed += UINT64_C(0x9e3779b97f4a7c15);
        prng->s[i] = oms_mix64(seed);
    }
}

uint64_t oms_prng_next(struct oms_prng *prng)
{
    uint64_t *s = prng->s;
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotl(s[3], 45);
    return result;
}

uint64_t oms_prng_below(struct oms_prng *prng, uint64_t bound)
{
    OMS_ASSERT(bound > 0);
    /* The high word of x × bound is uniform once the few low words that would favour some results are
     * refused. */
    prng_wide product = (prng_wide)oms_prng_next(prng) * bound;
    if ((uint64_t)product < bound) {
        uint64_t refused = -bound % bound;
        while ((uint64_t)product < refused)
            product = (prng_wide)oms_prng_next(prng) * bound;
    }
    return (uint64_t)(product >> 64);
}

void oms_random_bytes(void *out, size_t len)
{
    char *at = out;
    while (len) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        OMS_ASSERT(got > 0);
        at += got;
        len -= (size_t)got;
    }
}
