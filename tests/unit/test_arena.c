/* The bump allocator: alignment, limits, reuse, and no overlap under random sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/arena.h"
#include "runtime/base/prng.h"

static void test_takes_nothing_before_use(void **state)
{
    (void)state;
    struct oms_arena arena;
    oms_arena_init(&arena, 4096, 1 << 20);
    assert_int_equal(arena.used, 0);
    oms_arena_reset(&arena);
    assert_int_equal(arena.used, 0);
    oms_arena_fini(&arena);
}

static void test_alignment_and_order(void **state)
{
    (void)state;
    struct oms_arena arena;
    oms_arena_init(&arena, 4096, 1 << 20);
    char *previous = oms_arena_alloc(&arena, 0);
    for (size_t size = 0; size < 64; size++) {
        char *at = oms_arena_alloc(&arena, size);
        assert_non_null(at);
        assert_int_equal((uintptr_t)at % 8, 0);
        assert_ptr_not_equal(at, previous);
        memset(at, 0xab, size);
        previous = at;
    }
    oms_arena_fini(&arena);
}

static void test_calloc_is_cleared_and_checks_the_product(void **state)
{
    (void)state;
    struct oms_arena arena;
    oms_arena_init(&arena, 512, 1 << 20);
    memset(oms_arena_alloc(&arena, 200), 0xff, 200);
    oms_arena_reset(&arena);
    unsigned char *at = oms_arena_calloc(&arena, 10, 20);
    for (int i = 0; i < 200; i++)
        assert_int_equal(at[i], 0);
    assert_null(oms_arena_calloc(&arena, SIZE_MAX / 2, 3));
    assert_true(arena.exhausted);
    oms_arena_fini(&arena);
}

static void test_the_maximum_is_kept(void **state)
{
    (void)state;
    struct oms_arena arena;
    oms_arena_init(&arena, 1024, 1024 + 2048 + 4096 + 600);
    size_t got = 0;
    while (oms_arena_alloc(&arena, 100)) {
        got += 100;
        assert_true(arena.used <= 7768);
        assert_false(arena.exhausted);
    }
    assert_true(arena.exhausted);
    assert_in_range(got, 6500, 7768);
    assert_null(oms_arena_alloc(&arena, SIZE_MAX));
    assert_null(oms_arena_alloc(&arena, SIZE_MAX - 4));
    oms_arena_reset(&arena);
    assert_false(arena.exhausted);
    /* The first chunk, not the short one that ended at the maximum. */
    assert_int_equal(arena.used, 1024);
    assert_non_null(oms_arena_alloc(&arena, 100));
    oms_arena_fini(&arena);
}

static void test_reset_keeps_the_first_chunk(void **state)
{
    (void)state;
    struct oms_arena arena;
    oms_arena_init(&arena, 1024, 1 << 20);
    char *first = oms_arena_alloc(&arena, 16);
    /* A chunk of its own must not be mistaken for the first one. */
    assert_non_null(oms_arena_alloc(&arena, 1000));
    for (int i = 0; i < 1000; i++)
        assert_non_null(oms_arena_alloc(&arena, 64));
    assert_true(arena.used > 64000);
    oms_arena_reset(&arena);
    assert_int_equal(arena.used, 1024);
    assert_ptr_equal(oms_arena_alloc(&arena, 16), first);
    oms_arena_fini(&arena);
}

/* Above the largest chunk size they no longer double, and one large allocation's chunk may be the smaller
 * one. */
static void test_reset_tells_the_first_chunk_from_a_large_allocation(void **state)
{
    (void)state;
    struct oms_arena arena;
    oms_arena_init(&arena, 512 << 10, 4 << 20);
    char *first = oms_arena_alloc(&arena, 400 << 10);
    assert_non_null(oms_arena_alloc(&arena, 300 << 10));
    assert_non_null(oms_arena_alloc(&arena, 300 << 10));
    assert_true(arena.used > 1 << 20);
    /* The newest chunk's rest stayed in use. */
    assert_ptr_equal(oms_arena_alloc(&arena, 8), first + (400 << 10));
    for (int i = 0; i < 20; i++)
        assert_non_null(oms_arena_alloc(&arena, 100 << 10));
    assert_non_null(oms_arena_alloc(&arena, 300 << 10));
    oms_arena_reset(&arena);
    assert_int_equal(arena.used, 512 << 10);
    oms_arena_fini(&arena);
}

static void test_a_huge_first_allocation_is_not_kept(void **state)
{
    (void)state;
    struct oms_arena arena;
    oms_arena_init(&arena, 1024, 1 << 20);
    assert_non_null(oms_arena_alloc(&arena, 100000));
    assert_non_null(oms_arena_alloc(&arena, 10));
    oms_arena_reset(&arena);
    assert_true(arena.used <= 1024);
    assert_non_null(oms_arena_alloc(&arena, 10));
    oms_arena_fini(&arena);
}

static void test_random_allocations_do_not_overlap(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    struct oms_prng prng;
    struct oms_arena arena;
    oms_prng_seed(&prng, 7);
    oms_arena_init(&arena, 1024, 4 << 20);
    for (int round = 0; round < 20; round++) {
        unsigned char *at[COUNT];
        size_t size[COUNT];
        for (int i = 0; i < COUNT; i++) {
            size[i] = (size_t)oms_prng_below(&prng, oms_prng_below(&prng, 20) == 0 ? 5000 : 100);
            at[i] = oms_arena_alloc(&arena, size[i]);
            assert_non_null(at[i]);
            memset(at[i], i & 0xff, size[i]);
        }
        for (int i = 0; i < COUNT; i++)
            for (size_t k = 0; k < size[i]; k++)
                assert_int_equal(at[i][k], i & 0xff);
        oms_arena_reset(&arena);
    }
    oms_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes_nothing_before_use),
        cmocka_unit_test(test_alignment_and_order),
        cmocka_unit_test(test_calloc_is_cleared_and_checks_the_product),
        cmocka_unit_test(test_the_maximum_is_kept),
        cmocka_unit_test(test_reset_keeps_the_first_chunk),
        cmocka_unit_test(test_reset_tells_the_first_chunk_from_a_large_allocation),
        cmocka_unit_test(test_a_huge_first_allocation_is_not_kept),
        cmocka_unit_test(test_random_allocations_do_not_overlap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
