/* Ids and cursors: stable, distinct, and nothing foreign is taken for ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "actors/ids.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/prng.h"

static const struct oms_hash_key key = {1, 2}, other_key = {1, 3};

static void equal_references_meet(void **state)
{
    unsigned char a[16], b[16];

    (void)state;
    ids_order_from_reference(&key, 1, OMS_STR("api"), OMS_STR("1001"), a);
    ids_order_from_reference(&key, 1, OMS_STR("api"), OMS_STR("1001"), b);
    assert_memory_equal(a, b, 16);
}

static void anything_else_is_another_order(void **state)
{
    unsigned char base[16], other[16];

    (void)state;
    ids_order_from_reference(&key, 1, OMS_STR("api"), OMS_STR("1001"), base);
    ids_order_from_reference(&key, 2, OMS_STR("api"), OMS_STR("1001"), other);
    assert_memory_not_equal(base, other, 16);
    ids_order_from_reference(&other_key, 1, OMS_STR("api"), OMS_STR("1001"), other);
    assert_memory_not_equal(base, other, 16);
    /* the border between the parts counts */
    ids_order_from_reference(&key, 1, OMS_STR("api1"), OMS_STR("001"), other);
    assert_memory_not_equal(base, other, 16);
    ids_order_from_key(&key, 1, OMS_STR("api"), OMS_STR("1001"), other);
    assert_memory_not_equal(base, other, 16);
    ids_order_from_key(&key, 1, OMS_STR_NONE, OMS_STR("1001"), base);
    ids_order_from_key(&key, 1, OMS_STR(""), OMS_STR("1001"), other);
    assert_memory_not_equal(base, other, 16);
}

static void texts_round_trip_in_either_case(void **state)
{
    char text[IDS_ORDER_TEXT + 1];
    unsigned char id[16], back[16];
    struct oms_prng prng;

    (void)state;
    oms_prng_seed(&prng, 7);
    for (int i = 0; i < 1000; i++) {
        ids_order_random((int64_t)oms_prng_below(&prng, 1ull << 47), oms_prng_next(&prng),
                         oms_prng_next(&prng), id);
        ids_order_text(id, text);
        assert_int_equal(strlen(text), IDS_ORDER_TEXT);
        assert_memory_equal(text, "ORD-", 4);
        assert_int_equal(ids_order_parse(oms_str_of(text), back), OMS_OK);
        assert_memory_equal(id, back, 16);
        for (char *c = text; *c; c++)
            if (*c >= 'A' && *c <= 'Z')
                *c = (char)(*c + 32);
        assert_int_equal(ids_order_parse(oms_str_of(text), back), OMS_OK);
        assert_memory_equal(id, back, 16);
    }
}

static void foreign_order_ids_are_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "ORD-",
                                      "ORD-01ARZ3NDEKTSV4RRFFQ69G5FA",
                                      "ORD-01ARZ3NDEKTSV4RRFFQ69G5FAVX",
                                      "ORX-01ARZ3NDEKTSV4RRFFQ69G5FAV",
                                      "ORD-81ARZ3NDEKTSV4RRFFQ69G5FAV",
                                      "ORD-01ARZ3NDEKTSV4RRFFQ69G5FAU",
                                      "ORD_01ARZ3NDEKTSV4RRFFQ69G5FAV"};
    unsigned char id[16];

    (void)state;
    assert_int_equal(ids_order_parse(OMS_STR("ORD-01ARZ3NDEKTSV4RRFFQ69G5FAV"), id), OMS_OK);
    for (size_t i = 0; i < OMS_COUNT_OF(bad); i++)
        assert_int_equal(ids_order_parse(oms_str_of(bad[i]), id), OMS_INVALID);
}

static void keys_are_of_their_whole_scope(void **state)
{
    struct oms_hash128 base =
        ids_idempotency(&key, 1, OMS_STR("s"), OMS_STR("m"), OMS_STR("t"), OMS_STR("k"));
    struct oms_hash128 all[] = {
        ids_idempotency(&key, 2, OMS_STR("s"), OMS_STR("m"), OMS_STR("t"), OMS_STR("k")),
        ids_idempotency(&key, 1, OMS_STR("S"), OMS_STR("m"), OMS_STR("t"), OMS_STR("k")),
        ids_idempotency(&key, 1, OMS_STR("s"), OMS_STR("n"), OMS_STR("t"), OMS_STR("k")),
        ids_idempotency(&key, 1, OMS_STR("s"), OMS_STR("m"), OMS_STR("u"), OMS_STR("k")),
        ids_idempotency(&key, 1, OMS_STR("s"), OMS_STR("m"), OMS_STR("t"), OMS_STR("l")),
        ids_idempotency(&key, 1, OMS_STR("sm"), OMS_STR(""), OMS_STR("t"), OMS_STR("k")),
    };

    (void)state;
    for (size_t i = 0; i < OMS_COUNT_OF(all); i++)
        assert_true(all[i].lo != base.lo || all[i].hi != base.hi);
}

static void nodes_round_trip(void **state)
{
    struct ids_node nodes[] = {
        {.kind = IDS_NODE_ORDER, .tenant = 7, .order = {1, 2, 3}},
        {.kind = IDS_NODE_EVENT, .tenant = 8, .order = {9}, .commit = 1ull << 40, .ordinal = 3},
        {.kind = IDS_NODE_TENANT, .tenant = UINT32_MAX},
    };
    char text[IDS_NODE_TEXT_MAX];
    struct ids_node back;

    (void)state;
    for (size_t i = 0; i < OMS_COUNT_OF(nodes); i++) {
        size_t len = ids_node_text(&nodes[i], text);

        assert_int_equal(ids_node_parse(oms_str_make(text, len), &back), OMS_OK);
        assert_memory_equal(&back, &nodes[i], sizeof back);
        assert_int_equal(ids_node_parse(oms_str_make(text, len - 1), &back), OMS_INVALID);
    }
    assert_int_equal(ids_node_parse(OMS_STR(""), &back), OMS_INVALID);
    assert_int_equal(ids_node_parse(OMS_STR("!!"), &back), OMS_INVALID);
    assert_int_equal(ids_node_parse(OMS_STR("ORD-01ARZ3NDEKTSV4RRFFQ69G5FAV"), &back), OMS_INVALID);
}

static void cursors_round_trip(void **state)
{
    struct ids_cursor cursor = {UINT64_MAX, 12}, back = {1, 1};
    char text[IDS_CURSOR_TEXT_MAX];
    size_t len = ids_cursor_text(cursor, text);

    (void)state;
    assert_int_equal(ids_cursor_parse(oms_str_make(text, len), &back), OMS_OK);
    assert_true(back.commit == UINT64_MAX && back.ordinal == 12);
    assert_int_equal(ids_cursor_parse(OMS_STR("0"), &back), OMS_OK);
    assert_true(back.commit == 0 && back.ordinal == 0);
    assert_int_equal(ids_cursor_parse(OMS_STR(""), &back), OMS_INVALID);
    assert_int_equal(ids_cursor_parse(OMS_STR("1"), &back), OMS_INVALID);
    assert_int_equal(ids_cursor_parse(oms_str_make(text, len - 2), &back), OMS_INVALID);
}

static void list_cursors_belong_to_their_query(void **state)
{
    struct oms_buf text, back;

    (void)state;
    oms_buf_init(&text, 4096);
    oms_buf_init(&back, 4096);
    ids_list_cursor_text(77, OMS_STR("some\0key"), &text);
    assert_int_equal(ids_list_cursor_parse(oms_buf_str(&text), 77, &back), OMS_OK);
    assert_true(oms_str_eq(oms_buf_str(&back), OMS_STR("some\0key")));
    assert_int_equal(ids_list_cursor_parse(oms_buf_str(&text), 78, &back), OMS_INVALID);
    assert_int_equal(ids_list_cursor_parse(OMS_STR("abc"), 77, &back), OMS_INVALID);
    oms_buf_fini(&text);
    oms_buf_fini(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_references_meet),
        cmocka_unit_test(anything_else_is_another_order),
        cmocka_unit_test(texts_round_trip_in_either_case),
        cmocka_unit_test(foreign_order_ids_are_refused),
        cmocka_unit_test(keys_are_of_their_whole_scope),
        cmocka_unit_test(nodes_round_trip),
        cmocka_unit_test(cursors_round_trip),
        cmocka_unit_test(list_cursors_belong_to_their_query),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
