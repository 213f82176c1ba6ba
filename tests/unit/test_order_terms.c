/* Index terms: which keys an order has, how they sort, and what a change moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "actors/order_terms.h"
#include "order_fixture.h"
#include "runtime/base/assert.h"

struct emitted {
    unsigned puts, deletes;
    struct oms_str last_put, last_delete;
};

static void count(void *context, bool is_delete, struct oms_str key, struct oms_str value)
{
    struct emitted *emitted = context;

    assert_int_equal(value.len, 0);
    if (is_delete) {
        emitted->deletes++;
        emitted->last_delete = key;
    } else {
        assert_true(oms_str_present(value));
        emitted->puts++;
        emitted->last_put = key;
    }
}

static const char id_text[] = "ORD-01ARZ3NDEKTSV4RRFFQ69G5FAV";

static void place(struct order_lab *lab)
{
    struct order_line_input lines[] = {lab_line("A", "v1", 3, "10.00"), lab_line("B", "v2", 2, "5.00"),
                                       lab_line("A", "v1", 1, "9.00")};
    struct order_command command = lab_create(lab, ORDER_STAGE_CONFIRMED, lines, 3);

    command.create.order_id = oms_str_of(id_text);
    assert_int_equal(lab_run(lab, &command), REFUSAL_NONE);
}

static void an_order_has_each_term_once(void **state)
{
    struct order_terms terms;
    struct oms_arena arena;
    struct order_lab lab;
    unsigned char prefix[ORDER_TERM_KEY_MAX], id[16];
    unsigned found = 0;
    int64_t instant;
    size_t len;

    (void)state;
    lab_init(&lab);
    oms_arena_init(&arena, 4096, 1 << 20);
    place(&lab);
    order_terms_init(&terms, &arena, NULL);
    assert_true(order_terms_collect(lab.order, 5, &terms));
    /* stage, customer, external reference, two vendors, two skus */
    assert_int_equal(terms.count, 7);
    for (size_t i = 1; i < terms.count; i++)
        assert_true(oms_str_compare(terms.keys[i - 1], terms.keys[i]) < 0);
    len = order_term_prefix(5, ORDER_INDEX_SKU, OMS_STR("A"), prefix);
    for (size_t i = 0; i < terms.count; i++) {
        assert_true(order_term_read(terms.keys[i], &instant, id));
        assert_true(instant == lab.order->placed_at);
        found += oms_str_starts(terms.keys[i], oms_str_make(prefix, len));
    }
    assert_int_equal(found, 1);
    oms_arena_fini(&arena);
    lab_fini(&lab);
}

static void a_transition_moves_one_key(void **state)
{
    struct order_terms before, after;
    struct emitted emitted = {0};
    struct oms_arena arena;
    struct order_lab lab;
    unsigned char prefix[ORDER_TERM_KEY_MAX];
    size_t len;

    (void)state;
    lab_init(&lab);
    oms_arena_init(&arena, 4096, 1 << 20);
    place(&lab);
    order_terms_init(&before, &arena, NULL);
    order_terms_init(&after, &arena, NULL);
    assert_true(order_terms_collect(lab.order, 5, &before));
    order_terms_diff(&after, &before, count, &emitted); /* from nothing */
    assert_int_equal(emitted.puts, 7);
    assert_int_equal(emitted.deletes, 0);
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_MARK_AS_SHIPPED), REFUSAL_NONE);
    assert_true(order_terms_collect(lab.order, 5, &after));
    emitted = (struct emitted){0};
    order_terms_diff(&before, &after, count, &emitted);
    assert_int_equal(emitted.puts, 1);
    assert_int_equal(emitted.deletes, 1);
    len = order_term_stage_prefix(5, ORDER_STAGE_SHIPPED, prefix);
    assert_true(oms_str_starts(emitted.last_put, oms_str_make(prefix, len)));
    len = order_term_stage_prefix(5, ORDER_STAGE_CONFIRMED, prefix);
    assert_true(oms_str_starts(emitted.last_delete, oms_str_make(prefix, len)));
    emitted = (struct emitted){0};
    order_terms_diff(&after, &after, count, &emitted);
    assert_int_equal(emitted.puts + emitted.deletes, 0);
    oms_arena_fini(&arena);
    lab_fini(&lab);
}

/* What a fold needs to know before it makes any key. */
static void what_terms_are_made_of_is_compared(void **state)
{
    struct order_command command = lab_command(ORDER_COMMAND_PLACE_HOLD);
    struct order_terms before, after, none;
    struct oms_arena arena;
    struct order_lab lab;

    (void)state;
    lab_init(&lab);
    oms_arena_init(&arena, 4096, 1 << 20);
    place(&lab);
    order_terms_init(&before, &arena, NULL);
    order_terms_init(&after, &arena, NULL);
    order_terms_init(&none, &arena, NULL);
    assert_true(order_terms_take(lab.order, 5, &before));
    assert_false(order_terms_same(&none, &before));
    assert_true(order_terms_build(&none));
    assert_int_equal(none.count, 0);
    command.hold.reason = OMS_STR("address check");
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    assert_true(order_terms_take(lab.order, 5, &after));
    assert_true(order_terms_same(&before, &after));
    assert_true(order_terms_take(lab.order, 6, &after));
    assert_false(order_terms_same(&before, &after));
    command = lab_command(ORDER_COMMAND_RELEASE_HOLD);
    command.hold.hold = 1;
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    command = lab_command(ORDER_COMMAND_ADD_SHIPMENT);
    command.shipment.tracking_reference = OMS_STR("1Z999");
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    assert_true(order_terms_take(lab.order, 5, &after));
    assert_false(order_terms_same(&before, &after));
    /* The texts taken before still are what they were. */
    assert_true(order_terms_build(&before));
    assert_int_equal(before.count, 7);
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_MARK_AS_SHIPPED), REFUSAL_NONE);
    before = after;
    assert_true(order_terms_take(lab.order, 5, &after));
    assert_false(order_terms_same(&before, &after));
    oms_arena_fini(&arena);
    lab_fini(&lab);
}

static void tracking_references_are_found(void **state)
{
    struct order_command command = lab_command(ORDER_COMMAND_ADD_SHIPMENT);
    unsigned char prefix[ORDER_TERM_KEY_MAX];
    struct order_terms terms;
    struct oms_arena arena;
    struct order_lab lab;
    unsigned found = 0;
    size_t len;

    (void)state;
    lab_init(&lab);
    oms_arena_init(&arena, 4096, 1 << 20);
    place(&lab);
    command.shipment.tracking_reference = OMS_STR("1Z999");
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    order_terms_init(&terms, &arena, NULL);
    assert_true(order_terms_collect(lab.order, 5, &terms));
    len = order_term_prefix(5, ORDER_INDEX_REFERENCE, OMS_STR("1Z999"), prefix);
    for (size_t i = 0; i < terms.count; i++)
        found += oms_str_starts(terms.keys[i], oms_str_make(prefix, len));
    assert_int_equal(found, 1);
    oms_arena_fini(&arena);
    lab_fini(&lab);
}

static void terms_are_no_prefix_of_each_other(void **state)
{
    unsigned char a[ORDER_TERM_KEY_MAX], b[ORDER_TERM_KEY_MAX];
    static const struct oms_str pairs[][2] = {
        {{"A", 1}, {"AB", 2}}, {{"A", 1}, {"A\0", 2}}, {{"A\0", 2}, {"A\0\0", 3}}, {{"", 0}, {"\0", 1}}};

    (void)state;
    for (size_t i = 0; i < OMS_COUNT_OF(pairs); i++) {
        struct oms_str x = oms_str_make(a, order_term_prefix(1, ORDER_INDEX_SKU, pairs[i][0], a));
        struct oms_str y = oms_str_make(b, order_term_prefix(1, ORDER_INDEX_SKU, pairs[i][1], b));

        assert_false(oms_str_starts(x, y));
        assert_false(oms_str_starts(y, x));
        assert_true(oms_str_compare(x, y) < 0);
    }
}

static void keys_sort_by_instant_then_id(void **state)
{
    static const int64_t instants[] = {INT64_MIN, -5000, -1, 0, 1, 1700000000000, INT64_MAX};
    unsigned char low[ORDER_TERM_KEY_MAX], high[ORDER_TERM_KEY_MAX], id[16] = {7}, read[16];
    int64_t instant;

    (void)state;
    for (size_t i = 0; i + 1 < OMS_COUNT_OF(instants); i++) {
        size_t len = order_term_stage_prefix(1, ORDER_STAGE_DRAFT, low);

        memcpy(high, low, len);
        order_term_complete(high, len, instants[i + 1], id);
        len = order_term_complete(low, len, instants[i], id);
        assert_true(memcmp(low, high, len) < 0);
        assert_true(order_term_read(oms_str_make(low, len), &instant, read));
        assert_true(instant == instants[i]);
        assert_memory_equal(id, read, 16);
    }
    assert_false(order_term_read(OMS_STR("short"), &instant, read));
}

static void long_terms_are_cut(void **state)
{
    static char text[4000];
    unsigned char key[ORDER_TERM_KEY_MAX];

    (void)state;
    assert_true(order_term_prefix(1, ORDER_INDEX_CUSTOMER, oms_str_make(text, sizeof text), key) + 24 <=
                ORDER_TERM_KEY_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_has_each_term_once),
        cmocka_unit_test(a_transition_moves_one_key),
        cmocka_unit_test(what_terms_are_made_of_is_compared),
        cmocka_unit_test(tracking_references_are_found),
        cmocka_unit_test(terms_are_no_prefix_of_each_other),
        cmocka_unit_test(keys_sort_by_instant_then_id),
        cmocka_unit_test(long_terms_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
