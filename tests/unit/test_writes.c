/* Counters among the derived writes: their sums do not depend on how the parts are spread over windows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "runtime/base/assert.h"
#include "runtime/base/prng.h"
#include "storage/writes.h"

#define KEYS 40

static void write_window(struct store_writes *writes, struct store_engine *engine)
{
    const struct store_write *out;
    assert_int_equal(store_writes_settle(writes, engine), OMS_OK);
    size_t count = store_writes_sorted(writes, &out);
    assert_int_equal(engine->ops->write(engine, out, count), OMS_OK);
    store_writes_reset(writes);
}

static struct oms_str key_of(unsigned number, char text[16])
{
    return oms_str_make(text, (size_t)snprintf(text, 16, "key-%02u", number));
}

static int64_t read_number(struct store_engine *engine, unsigned key, size_t index)
{
    struct oms_buf value;
    char text[16];
    oms_buf_init(&value, 64);
    enum oms_status status = engine->ops->get(engine, STORE_ASIDE, key_of(key, text), true, &value);
    int64_t number = status == OMS_OK ? store_sum_read(oms_buf_str(&value), index) : 0;
    oms_buf_fini(&value);
    return number;
}

/* In order as a fold adds, or in any order; in windows of any size. */
static void sums_are_sums(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct store_memory *memory = store_memory_create();
        struct store_engine *engine = store_memory_open(memory);
        struct store_writes writes;
        struct oms_prng prng;
        int64_t expected[KEYS][2] = {{0}};
        char text[16];
        oms_prng_seed(&prng, seed);
        store_writes_init(&writes);
        for (unsigned step = 0; step < 2000; step++) {
            unsigned key = seed % 2 ? step * KEYS / 2000 : (unsigned)oms_prng_below(&prng, KEYS);
            const int64_t deltas[] = {(int64_t)oms_prng_below(&prng, 5) - 2,
                                      (int64_t)oms_prng_below(&prng, 100)};
            store_writes_add(&writes, STORE_ASIDE, key_of(key, text), deltas, 2);
            expected[key][0] += deltas[0];
            expected[key][1] += deltas[1];
            if (oms_prng_below(&prng, 50) == 0)
                write_window(&writes, engine);
        }
        write_window(&writes, engine);
        for (unsigned key = 0; key < KEYS; key++) {
            assert_int_equal(read_number(engine, key, 0), expected[key][0]);
            assert_int_equal(read_number(engine, key, 1), expected[key][1]);
            assert_int_equal(read_number(engine, key, 2), 0); /* there is none */
        }
        store_writes_fini(&writes);
        engine->ops->close(engine, false);
        store_memory_destroy(memory);
    }
}

static void one_write_per_key_and_window(void **state)
{
    struct store_memory *memory = store_memory_create();
    struct store_engine *engine = store_memory_open(memory);
    const struct store_write *out;
    struct store_writes writes;
    const int64_t one[] = {1};
    (void)state;
    store_writes_init(&writes);
    store_writes_put(&writes, STORE_STATE, OMS_STR("s"), OMS_STR("v"));
    for (unsigned i = 0; i < 1000; i++)
        store_writes_add(&writes, STORE_ASIDE, OMS_STR("a"), one, 1);
    assert_int_equal(store_writes_settle(&writes, engine), OMS_OK);
    assert_int_equal(store_writes_sorted(&writes, &out), 2);
    assert_int_equal(store_sum_read(out[1].value, 0), 1000);
    store_writes_fini(&writes);
    engine->ops->close(engine, false);
    store_memory_destroy(memory);
}

static void what_is_no_counter_is_damage(void **state)
{
    struct store_memory *memory = store_memory_create();
    struct store_engine *engine = store_memory_open(memory);
    const struct store_write note = {STORE_ASIDE, false, OMS_STR("a"), OMS_STR("not eight")};
    struct store_writes writes;
    const int64_t one[] = {1};
    (void)state;
    assert_int_equal(engine->ops->write(engine, &note, 1), OMS_OK);
    store_writes_init(&writes);
    store_writes_add(&writes, STORE_ASIDE, OMS_STR("a"), one, 1);
    assert_int_equal(store_writes_settle(&writes, engine), OMS_CORRUPT);
    store_writes_fini(&writes);
    engine->ops->close(engine, false);
    store_memory_destroy(memory);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_sums),
        cmocka_unit_test(one_write_per_key_and_window),
        cmocka_unit_test(what_is_no_counter_is_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
