/* Refusals: names, order, and that no shortage of memory turns a refusal into consent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "actors/refusal.h"
#include "runtime/base/arena.h"
#include "runtime/base/limits.h"

static void codes_have_names(void **state)
{
    (void)state;
    for (int code = 0; code < REFUSAL_CODE_COUNT; code++)
        assert_non_null(refusal_code_name((enum refusal_code)code));
    assert_string_equal(refusal_code_name(REFUSAL_NOT_FOUND), "NOT_FOUND");
    assert_string_equal(refusal_code_name(REFUSAL_OUTCOME_UNKNOWN), "OUTCOME_UNKNOWN");
}

static void refusals_keep_their_order(void **state)
{
    struct refusal_list list;
    struct oms_arena arena;

    (void)state;
    oms_arena_init(&arena, 256, 1 << 20);
    refusal_list_init(&list, &arena);
    for (size_t i = 0; i < 20; i++)
        assert_false(refusal_add(&list, REFUSAL_INVALID, refusal_field(&list, "lineItems.%zu.productSku", i),
                                 "fault %zu", i));
    assert_int_equal(list.count, 20);
    assert_true(oms_str_eq_c(list.items[13].field, "lineItems.13.productSku"));
    assert_true(oms_str_eq_c(list.items[13].message, "fault 13"));
    assert_int_equal(list.items[19].code, REFUSAL_INVALID);
    oms_arena_fini(&arena);
}

static void their_number_is_bounded(void **state)
{
    struct refusal_list list;
    struct oms_arena arena;

    (void)state;
    oms_arena_init(&arena, 256, 1 << 20);
    refusal_list_init(&list, &arena);
    for (size_t i = 0; i < 1000; i++)
        refusal_add(&list, REFUSAL_REQUIRED, REFUSAL_NO_FIELD, "again");
    assert_int_equal(list.count, OMS_REFUSALS_MAX);
    oms_arena_fini(&arena);
}

static void an_exhausted_arena_still_refuses(void **state)
{
    struct refusal_list list;
    struct oms_arena arena;

    (void)state;
    oms_arena_init(&arena, 16, 16);
    assert_null(oms_arena_alloc(&arena, 4096));
    refusal_list_init(&list, &arena);
    for (size_t i = 0; i < 10; i++)
        refusal_add(&list, REFUSAL_CONFLICT, REFUSAL_FIELD("expectedVersion"),
                    "a message of some length: %zu", i);
    assert_true(list.count >= 1);
    assert_int_equal(list.items[0].code, REFUSAL_CONFLICT);
    assert_true(list.items[0].message.len > 0);
    oms_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_have_names),
        cmocka_unit_test(refusals_keep_their_order),
        cmocka_unit_test(their_number_is_bounded),
        cmocka_unit_test(an_exhausted_arena_still_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
