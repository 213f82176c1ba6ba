/*
 * SipHash against the vectors of its reference implementation (key 00..0f, message 00, 01, 02, …), CRC-32C
 * against RFC 3720 appendix B.4, and the forms of each against one another.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/hash.h"
#include "runtime/base/prng.h"

static const struct oms_hash_key reference_key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

static void fill_ascending(unsigned char *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (unsigned char)i;
}

static void test_siphash64_vectors(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        uint64_t hash;
    } vectors[] = {
        {0, UINT64_C(0x726fdb47dd0e0e31)},  {1, UINT64_C(0x74f839c593dc67fd)},
        {2, UINT64_C(0x0d6c8009d9a94f5a)},  {3, UINT64_C(0x85676696d7fb7e2d)},
        {4, UINT64_C(0xcf2794e0277187b7)},  {5, UINT64_C(0x18765564cd99a68d)},
        {6, UINT64_C(0xcbc9466e58fee3ce)},  {7, UINT64_C(0xab0200f58b01d137)},
        {8, UINT64_C(0x93f5f5799a932462)},  {9, UINT64_C(0x9e0082df0ba9e4b0)},
        {10, UINT64_C(0x7a5dbbc594ddb9f3)}, {11, UINT64_C(0xf4b32f46226bada7)},
        {12, UINT64_C(0x751e8fbc860ee5fb)}, {13, UINT64_C(0x14ea5627c0843d90)},
        {14, UINT64_C(0xf723ca908e7af2ee)}, {15, UINT64_C(0xa129ca6149be45e5)},
        {16, UINT64_C(0x3f2acc7f57c29bdb)}, {17, UINT64_C(0x699ae9f52cbe4794)},
        {63, UINT64_C(0x958a324ceb064572)},
    };
    unsigned char message[64];
    fill_ascending(message, sizeof(message));
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
        assert_true(oms_siphash64(&reference_key, message, vectors[i].len) == vectors[i].hash);
}

static void test_siphash128_vectors(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        uint64_t lo, hi;
    } vectors[] = {
        {0, UINT64_C(0xe6a825ba047f81a3), UINT64_C(0x930255c71472f66d)},
        {1, UINT64_C(0x44af996bd8c187da), UINT64_C(0x45fc229b11597634)},
        {2, UINT64_C(0xc75da4a48d227781), UINT64_C(0xe4ff0af6de8ba3fc)},
        {3, UINT64_C(0x4ea967520cb6709c), UINT64_C(0x51ed8529b0b6335f)},
        {4, UINT64_C(0xaf8f9c2dc16481f8), UINT64_C(0x7955cd7b7c6e0f7d)},
        {5, UINT64_C(0x886f778059876813), UINT64_C(0x27960e69077a5254)},
        {6, UINT64_C(0x1386208b33caee14), UINT64_C(0x5ea1d78f30a05e48)},
        {7, UINT64_C(0x53c1dbd8beebf1a1), UINT64_C(0x3982f01fa64ab8c0)},
        {8, UINT64_C(0x61f55862baa9623b), UINT64_C(0xb49714f364e2830f)},
        {9, UINT64_C(0xabbad90a06994426), UINT64_C(0xed716dbb028b7fc4)},
        {10, UINT64_C(0x56691478c30d1100), UINT64_C(0xbafbd0f3d34754c9)},
        {11, UINT64_C(0x77666b3868c55101), UINT64_C(0x18dce5816fdcb4a2)},
        {12, UINT64_C(0x58f35e9066b226d6), UINT64_C(0x25c13285f64d6382)},
        {13, UINT64_C(0x108bc0e947e26998), UINT64_C(0xf752b9c44f9329d0)},
        {14, UINT64_C(0x9cded766aceffc31), UINT64_C(0x024949e45f48c77e)},
        {15, UINT64_C(0x11a8b03399e99354), UINT64_C(0xd9c3cf970fec087e)},
        {16, UINT64_C(0xbb54b067caa4e26e), UINT64_C(0x77052385bf1533fd)},
        {17, UINT64_C(0x98b88d73e8063d47), UINT64_C(0x4077e47ac466c054)},
        {63, UINT64_C(0x4a83502f77d15051), UINT64_C(0x7cbd3f979a063e50)},
    };
    unsigned char message[64];
    fill_ascending(message, sizeof(message));
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        struct oms_hash128 hash = oms_siphash128(&reference_key, message, vectors[i].len);
        assert_true(hash.lo == vectors[i].lo && hash.hi == vectors[i].hi);
    }
}

static void test_incremental_equals_one_shot(void **state)
{
    (void)state;
    struct oms_prng prng;
    unsigned char message[300];
    oms_prng_seed(&prng, 9);
    for (int round = 0; round < 2000; round++) {
        struct oms_hash_key key = {oms_prng_next(&prng), oms_prng_next(&prng)};
        size_t len = (size_t)oms_prng_below(&prng, sizeof(message));
        for (size_t i = 0; i < len; i++)
            message[i] = (unsigned char)oms_prng_next(&prng);
        struct oms_siphash incremental;
        oms_siphash_init(&incremental, &key);
        for (size_t at = 0; at < len;) {
            size_t step = (size_t)oms_prng_below(&prng, 20);
            step = step > len - at ? len - at : step;
            oms_siphash_update(&incremental, message + at, step);
            at += step;
        }
        struct oms_hash128 a = oms_siphash_final(&incremental);
        struct oms_hash128 b = oms_siphash128(&key, message, len);
        assert_true(a.lo == b.lo && a.hi == b.hi);
    }
    struct oms_siphash empty;
    oms_siphash_init(&empty, &reference_key);
    oms_siphash_update(&empty, NULL, 0);
    assert_true(oms_siphash_final(&empty).lo == UINT64_C(0xe6a825ba047f81a3));
    assert_true(oms_siphash64(&reference_key, NULL, 0) == UINT64_C(0x726fdb47dd0e0e31));
}

static void test_crc32c_vectors(void **state)
{
    (void)state;
    unsigned char bytes[32];
    assert_int_equal(oms_crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(oms_crc32c_portable(0, "123456789", 9), 0xe3069283);
    assert_int_equal(oms_crc32c(0, NULL, 0), 0);
    memset(bytes, 0, sizeof(bytes));
    assert_int_equal(oms_crc32c(0, bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, sizeof(bytes));
    assert_int_equal(oms_crc32c(0, bytes, 32), 0x62a8ab43);
    fill_ascending(bytes, 32);
    assert_int_equal(oms_crc32c(0, bytes, 32), 0x46dd794e);
    for (int i = 0; i < 32; i++)
        bytes[i] = (unsigned char)(31 - i);
    assert_int_equal(oms_crc32c(0, bytes, 32), 0x113fdb5c);
}

static void test_crc32c_forms_agree(void **state)
{
    (void)state;
    struct oms_prng prng;
    unsigned char message[600];
    oms_prng_seed(&prng, 10);
    for (size_t i = 0; i < sizeof(message); i++)
        message[i] = (unsigned char)oms_prng_next(&prng);
    for (int round = 0; round < 2000; round++) {
        size_t from = (size_t)oms_prng_below(&prng, 16);
        size_t len = (size_t)oms_prng_below(&prng, sizeof(message) - from);
        size_t cut = (size_t)oms_prng_below(&prng, len + 1);
        uint32_t whole = oms_crc32c(0, message + from, len);
        assert_int_equal(whole, oms_crc32c_portable(0, message + from, len));
        uint32_t parts = oms_crc32c(oms_crc32c(0, message + from, cut), message + from + cut, len - cut);
        assert_int_equal(whole, parts);
    }
}

static void test_mixer_separates(void **state)
{
    (void)state;
    /* Consecutive numbers spread over 64 places: no place has over twice its share. */
    unsigned counts[64] = {0};
    for (uint64_t i = 0; i < 64000; i++)
        counts[oms_mix64(i) & 63]++;
    for (int i = 0; i < 64; i++)
        assert_in_range(counts[i], 800, 1200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_siphash64_vectors),           cmocka_unit_test(test_siphash128_vectors),
        cmocka_unit_test(test_incremental_equals_one_shot), cmocka_unit_test(test_crc32c_vectors),
        cmocka_unit_test(test_crc32c_forms_agree),          cmocka_unit_test(test_mixer_separates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
