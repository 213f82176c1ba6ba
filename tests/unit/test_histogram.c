/* The load client's histogram: every quantile within 1 % of the exact one, whatever the distribution. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bench/load/histogram.h"
#include "runtime/base/prng.h"

static struct histogram histogram;

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void test_quantiles_are_near(void **state)
{
    enum { COUNT = 20000 };
    static const double quantiles[] = {0.001, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0};
    uint64_t *values = malloc(COUNT * sizeof(*values));
    struct oms_prng prng;

    (void)state;
    oms_prng_seed(&prng, 3);
    histogram_reset(&histogram);
    for (unsigned i = 0; i < COUNT; i++) {
        /* From nanoseconds to minutes, evenly over the powers of two. */
        values[i] = oms_prng_next(&prng) >> (25 + oms_prng_below(&prng, 39));
        histogram_record(&histogram, values[i]);
    }
    qsort(values, COUNT, sizeof(*values), compare);
    for (unsigned i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
        unsigned rank = (unsigned)(quantiles[i] * COUNT);
        uint64_t exact = values[rank ? rank - 1 : 0];
        uint64_t got = histogram_quantile(&histogram, quantiles[i]);
        assert_true(got >= exact);
        assert_true((double)got <= (double)exact * 1.01 + 1);
    }
    assert_int_equal(histogram_quantile(&histogram, 1.0), values[COUNT - 1]);
    free(values);
}

static void test_small_values_are_exact(void **state)
{
    (void)state;
    histogram_reset(&histogram);
    assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
    for (uint64_t v = 1; v <= 100; v++)
        histogram_record(&histogram, v);
    assert_int_equal(histogram_quantile(&histogram, 0.5), 50);
    assert_int_equal(histogram_quantile(&histogram, 0.99), 99);
    assert_int_equal(histogram_mean(&histogram), 50);
}

static void test_values_over_the_range_count(void **state)
{
    (void)state;
    histogram_reset(&histogram);
    histogram_record(&histogram, UINT64_MAX);
    histogram_record(&histogram, 10);
    assert_int_equal(histogram.total, 2);
    assert_int_equal(histogram_quantile(&histogram, 0.5), 10);
    assert_int_equal(histogram_quantile(&histogram, 1.0), UINT64_MAX);
}

static void test_merge_adds(void **state)
{
    static struct histogram other;

    (void)state;
    histogram_reset(&histogram);
    histogram_reset(&other);
    histogram_record(&histogram, 5);
    histogram_record(&other, 700);
    histogram_merge(&histogram, &other);
    assert_int_equal(histogram.total, 2);
    assert_int_equal(histogram.max_ns, 700);
    assert_int_equal(histogram_quantile(&histogram, 0.5), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantiles_are_near),
        cmocka_unit_test(test_small_values_are_exact),
        cmocka_unit_test(test_values_over_the_range_count),
        cmocka_unit_test(test_merge_adds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
