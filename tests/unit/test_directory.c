/* The directory against a plain array: many actors come and go, in tables that grow, shrink and wrap around.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/base/alloc.h"
#include "runtime/base/prng.h"
#include "runtime/directory.h"

enum { ACTORS = 20000 };

static uint64_t hash_of(const struct rt_actor *actor, bool same_segment)
{
    uint64_t hash = rt_address_hash(&actor->address);
    /* Eight tags in one segment: long runs, and many strangers with equal tags. */
    return same_segment ? (hash & 0x70000) << 5 : hash;
}

static void come_and_go(unsigned actors, unsigned steps, bool same_segment)
{
    struct rt_directory directory;
    struct rt_actor *all = oms_calloc(actors, sizeof *all);
    bool *inside = oms_calloc(actors, sizeof *inside);
    struct oms_prng prng;
    uint64_t count = 0;

    oms_prng_seed(&prng, 11);
    rt_directory_init(&directory);
    for (unsigned i = 0; i < actors; i++)
        memcpy(all[i].address.key, &i, sizeof i);
    for (unsigned step = 0; step < steps; step++) {
        unsigned i = (unsigned)oms_prng_below(&prng, actors);
        uint64_t hash = hash_of(&all[i], same_segment);
        rt_directory_prefetch_slot(&directory, hash);
        rt_directory_prefetch_actor(&directory, hash);
        assert_ptr_equal(rt_directory_find(&directory, &all[i].address, hash), inside[i] ? &all[i] : NULL);
        /* Fills for a while, then empties: both growth and shrinking happen. */
        bool want = oms_prng_below(&prng, 10) < (step / (actors * 2) % 2 ? 1 : 9);
        if (want == inside[i])
            continue;
        if (want)
            rt_directory_insert(&directory, &all[i], hash);
        else
            rt_directory_remove(&directory, &all[i], hash);
        inside[i] = want;
        count += want ? 1 : (uint64_t)-1;
        assert_int_equal(directory.count, count);
    }
    for (unsigned i = 0; i < actors; i++) {
        uint64_t hash = hash_of(&all[i], same_segment);
        assert_ptr_equal(rt_directory_find(&directory, &all[i].address, hash), inside[i] ? &all[i] : NULL);
        if (inside[i])
            rt_directory_remove(&directory, &all[i], hash);
    }
    assert_int_equal(directory.count, 0);
    rt_directory_fini(&directory);
    oms_free(inside);
    oms_free(all);
}

static void test_spread(void **state)
{
    (void)state;
    come_and_go(ACTORS, ACTORS * 20, false);
}

static void test_collisions(void **state)
{
    (void)state;
    come_and_go(100, 100000, true);
}

static void test_bytes_per_actor(void **state)
{
    (void)state;
    enum { MANY = 200000 };
    struct rt_directory directory;
    struct rt_actor *all = oms_calloc(MANY, sizeof *all);
    uint64_t slots = 0;

    rt_directory_init(&directory);
    for (unsigned i = 0; i < MANY; i++) {
        memcpy(all[i].address.key, &i, sizeof i);
        rt_directory_insert(&directory, &all[i], rt_address_hash(&all[i].address));
    }
    for (unsigned i = 0; i < RT_DIRECTORY_SEGMENTS; i++)
        slots += directory.segments[i].capacity;
    assert_in_range(slots * 8, 10 * MANY, 17 * MANY);
    rt_directory_fini(&directory);
    oms_free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spread),
        cmocka_unit_test(test_collisions),
        cmocka_unit_test(test_bytes_per_actor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
