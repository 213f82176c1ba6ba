/* The codec of units: what is written is read, and nothing else passes the checksum. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "runtime/base/alloc.h"
#include "runtime/base/limits.h"
#include "runtime/base/prng.h"
#include "runtime/base/wire.h"
#include "storage/keys.h"
#include "storage/unit.h"

static const struct rt_address actor = {.key = "0123456789abcdef", .tenant = 7, .kind = RT_ACTOR_ORDER};

static void write_sample(struct store_unit *unit, size_t big)
{
    memset(unit, 0, sizeof(*unit));
    oms_buf_init(&unit->record, OMS_UNIT_BYTES_MAX);
    store_unit_begin(unit, &actor, 4, 6, -5);
    store_unit_put_meta(unit, OMS_STR("who and why"));
    size_t mark = store_unit_begin_event(unit);
    oms_buf_append_lit(&unit->record, "first");
    store_unit_end_event(unit, mark);
    mark = store_unit_begin_event(unit);
    for (size_t i = 0; i < big; i++)
        oms_buf_append_char(&unit->record, (char)i);
    store_unit_end_event(unit, mark);
}

static void test_round_trip(void **state)
{
    struct store_unit unit;
    struct store_record record;
    struct oms_arena arena;
    struct rt_address peeked;
    (void)state;
    oms_arena_init(&arena, 1024, 1 << 20);
    for (size_t big = 0; big < 40000; big = big * 3 + 1) {
        write_sample(&unit, big);
        assert_int_equal(store_unit_end(&unit), OMS_OK);
        assert_int_equal(store_record_decode(3, 99, oms_buf_str(&unit.record), &arena, &record), OMS_OK);
        assert_int_equal(record.partition, 3);
        assert_int_equal(record.commit, 99);
        assert_true(rt_address_eq(&record.actor, &actor));
        assert_true(rt_address_eq(&unit.message.to, &actor));
        assert_int_equal(record.version_from, 4);
        assert_int_equal(record.version_to, 6);
        assert_int_equal(record.time_ms, -5);
        assert_int_equal(record.epoch, 0);
        assert_true(oms_str_eq_c(record.meta, "who and why"));
        assert_int_equal(record.event_count, 2);
        assert_true(oms_str_eq_c(record.events[0], "first"));
        assert_int_equal(record.events[1].len, big);
        assert_int_equal(store_record_peek(oms_buf_str(&unit.record), &peeked), OMS_OK);
        assert_true(rt_address_eq(&peeked, &actor));
        oms_buf_fini(&unit.record);
    }
    oms_arena_fini(&arena);
}

static void test_a_node_is_used_again(void **state)
{
    struct store_unit unit;
    struct store_record record;
    struct oms_arena arena;
    (void)state;
    oms_arena_init(&arena, 1024, 1 << 20);
    write_sample(&unit, 1000);
    assert_int_equal(store_unit_end(&unit), OMS_OK);
    store_unit_begin(&unit, &actor, 0, 1, 0);
    assert_int_equal(store_unit_end(&unit), OMS_OK);
    assert_int_equal(store_record_decode(0, 1, oms_buf_str(&unit.record), &arena, &record), OMS_OK);
    assert_int_equal(record.event_count, 0);
    assert_false(oms_str_present(record.meta));
    oms_buf_fini(&unit.record);
    oms_arena_fini(&arena);
}

/* Peeking does not look at the checksum, so it may find an address; it must only stay inside the bytes. */
static void peek_anyway(struct oms_str value)
{
    struct rt_address peeked;
    enum oms_status status = store_record_peek(value, &peeked);
    assert_true(status == OMS_OK || status == OMS_CORRUPT);
}

static void test_every_damage_is_found(void **state)
{
    struct store_unit unit;
    struct store_record record;
    struct oms_arena arena;
    (void)state;
    oms_arena_init(&arena, 1024, 1 << 20);
    write_sample(&unit, 300);
    assert_int_equal(store_unit_end(&unit), OMS_OK);
    struct oms_str whole = oms_buf_str(&unit.record);
    for (size_t i = 0; i < whole.len; i++)
        for (int bit = 0; bit < 8; bit++) {
            unit.record.data[i] ^= (char)(1 << bit);
            assert_int_equal(store_record_decode(0, 1, whole, &arena, &record), OMS_CORRUPT);
            peek_anyway(whole);
            unit.record.data[i] ^= (char)(1 << bit);
        }
    for (size_t len = 0; len < whole.len; len++) {
        /* A copy of exactly this length, so that a sanitizer sees a read past it. */
        char *cut = oms_malloc(len + 1);
        memcpy(cut, whole.data, len);
        assert_int_equal(store_record_decode(0, 1, oms_str_make(cut, len), &arena, &record), OMS_CORRUPT);
        peek_anyway(oms_str_make(cut, len));
        oms_free(cut);
    }
    assert_int_equal(store_record_decode(0, 1, whole, &arena, &record), OMS_OK);
    oms_buf_fini(&unit.record);
    oms_arena_fini(&arena);
}

static void test_unknown_fields_are_skipped(void **state)
{
    struct store_unit unit;
    struct store_record record;
    struct oms_arena arena;
    (void)state;
    oms_arena_init(&arena, 1024, 1 << 20);
    write_sample(&unit, 3);
    oms_wire_put_u64(&unit.record, 900, 12345);
    oms_wire_put_str(&unit.record, 901, OMS_STR("from the future"));
    assert_int_equal(store_unit_end(&unit), OMS_OK);
    assert_int_equal(store_record_decode(0, 1, oms_buf_str(&unit.record), &arena, &record), OMS_OK);
    assert_int_equal(record.event_count, 2);
    oms_buf_fini(&unit.record);
    oms_arena_fini(&arena);
}

static void test_sound_sums_over_nonsense_are_refused(void **state)
{
    struct store_record record;
    struct oms_arena arena;
    struct oms_prng prng;
    (void)state;
    oms_arena_init(&arena, 1024, 1 << 20);
    oms_prng_seed(&prng, 1);
    for (int round = 0; round < 20000; round++) {
        unsigned char bytes[64];
        size_t len = oms_prng_below(&prng, sizeof(bytes) - 4);
        for (size_t i = 0; i < len; i++)
            bytes[i] = (unsigned char)oms_prng_next(&prng);
        oms_put_be32(bytes + len, oms_crc32c(0, bytes, len));
        oms_arena_reset(&arena);
        assert_int_equal(store_record_decode(0, 1, oms_str_make(bytes, len + 4), &arena, &record),
                         OMS_CORRUPT);
    }
    oms_arena_fini(&arena);
}

static void test_a_record_has_a_maximum(void **state)
{
    struct store_unit unit;
    (void)state;
    write_sample(&unit, OMS_UNIT_BYTES_MAX);
    assert_int_equal(store_unit_end(&unit), OMS_LIMIT);
    store_unit_begin(&unit, &actor, 0, 1, 0); /* and the node is good again */
    assert_int_equal(store_unit_end(&unit), OMS_OK);
    oms_buf_fini(&unit.record);
}

/* The partitions are part of every stored key: these numbers must never change. */
static void test_partitions_are_for_ever(void **state)
{
    (void)state;
    assert_int_equal(store_partition_of(0), 0);
    assert_int_equal(store_partition_of(1), 229);
    assert_int_equal(store_partition_of(4000000000u), 77);
    for (uint32_t tenant = 0; tenant < 100000; tenant++)
        assert_true(store_partition_of(tenant) < OMS_PARTITIONS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_a_node_is_used_again),
        cmocka_unit_test(test_every_damage_is_found),
        cmocka_unit_test(test_unknown_fields_are_skipped),
        cmocka_unit_test(test_sound_sums_over_nonsense_are_refused),
        cmocka_unit_test(test_a_record_has_a_maximum),
        cmocka_unit_test(test_partitions_are_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
