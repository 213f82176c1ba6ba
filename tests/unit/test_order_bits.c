/* Lists of words as bits: every word has its own, an unknown one is refused where it stands. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

#include "actors/order_bits.h"
#include "actors/order_event.h"

struct fixture {
    struct oms_arena arena;
    struct refusal_list refusals;
};

static int set_up(void **state)
{
    static struct fixture f;
    oms_arena_init(&f.arena, 4096, 1 << 20);
    refusal_list_init(&f.refusals, &f.arena);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    oms_arena_fini(&f->arena);
    return 0;
}

static void test_every_event_and_command_fits(void **state)
{
    (void)state;
    assert_true((unsigned)ORDER_EVENT_COUNT <= ORDER_BITS_UNKNOWN);
#define X(name, number) assert_int_equal(order_bits_event(OMS_STR(#name)), number);
    ORDER_EVENT_LIST(X)
#undef X
    for (unsigned type = 1; type < ORDER_COMMAND_COUNT; type++) {
        const char *word = order_command_info((enum order_command_type)type)->mutation;
        assert_int_equal(order_bits_command(oms_str_of(word)), type);
    }
}

static void test_words_of_a_list(void **state)
{
    struct fixture *f = *state;
    struct oms_value items[] = {{.kind = OMS_VALUE_STRING, .text = OMS_STR("CONFIRMED")},
                                {.kind = OMS_VALUE_STRING, .text = OMS_STR("SHIPPED")},
                                {.kind = OMS_VALUE_STRING, .text = OMS_STR("SHIPPED")}};
    struct oms_value list = {.kind = OMS_VALUE_LIST, .list = {items, 3}};
    assert_int_equal(order_bits(&list, "stage", order_bits_stage, &f->refusals),
                     1u << ORDER_STAGE_CONFIRMED | 1u << ORDER_STAGE_SHIPPED);
    assert_int_equal(order_bits(NULL, "stage", order_bits_stage, &f->refusals), 0);
    assert_int_equal(f->refusals.count, 0);
}

static void test_an_unknown_word_is_refused(void **state)
{
    struct fixture *f = *state;
    struct oms_value items[] = {{.kind = OMS_VALUE_STRING, .text = OMS_STR("PAID")},
                                {.kind = OMS_VALUE_STRING, .text = OMS_STR("MISLAID")}};
    struct oms_value list = {.kind = OMS_VALUE_LIST, .list = {items, 2}};
    enum order_payment_status paid;
    assert_true(order_payment_status_parse(OMS_STR("PAID"), &paid));
    assert_int_equal(order_bits(&list, "paymentStatus", order_bits_payment, &f->refusals), 1u << paid);
    assert_int_equal(f->refusals.count, 1);
    assert_int_equal(f->refusals.items[0].code, REFUSAL_INVALID);
    assert_int_equal(order_bits_fulfillment(OMS_STR("")), ORDER_BITS_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_event_and_command_fits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_words_of_a_list, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_unknown_word_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
