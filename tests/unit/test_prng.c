/* The generator against its authors' reference output, and the bounds and evenness of what is drawn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/prng.h"

static void test_reference_sequence(void **state)
{
    (void)state;
    struct oms_prng prng = {{1, 2, 3, 4}};
    static const uint64_t expected[] = {11520, 0, 1509978240, UINT64_C(1215971899390074240)};
    for (int i = 0; i < 4; i++)
        assert_true(oms_prng_next(&prng) == expected[i]);
}

static void test_seeding_is_splitmix64(void **state)
{
    (void)state;
    struct oms_prng prng;
    oms_prng_seed(&prng, 1234567);
    assert_true(prng.s[0] == UINT64_C(6457827717110365317));
    assert_true(prng.s[1] == UINT64_C(3203168211198807973));
    assert_true(prng.s[2] == UINT64_C(9817491932198370423));
    assert_true(prng.s[3] == UINT64_C(4593380528125082431));
}

static void test_below(void **state)
{
    (void)state;
    struct oms_prng prng;
    unsigned counts[10] = {0};
    oms_prng_seed(&prng, 1);
    for (int i = 0; i < 100000; i++)
        counts[oms_prng_below(&prng, 10)]++;
    for (int i = 0; i < 10; i++)
        assert_in_range(counts[i], 9500, 10500);
    for (int i = 0; i < 1000; i++) {
        assert_true(oms_prng_below(&prng, 1) == 0);
        assert_true(oms_prng_below(&prng, (UINT64_C(1) << 63) + 1) <= UINT64_C(1) << 63);
    }
}

static void test_random_bytes_differ(void **state)
{
    (void)state;
    unsigned char a[32], b[32];
    oms_random_bytes(a, sizeof(a));
    oms_random_bytes(b, sizeof(b));
    oms_random_bytes(NULL, 0);
    assert_int_not_equal(memcmp(a, b, sizeof(a)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference_sequence),
        cmocka_unit_test(test_seeding_is_splitmix64),
        cmocka_unit_test(test_below),
        cmocka_unit_test(test_random_bytes_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
