/*
 * The stored forms: every event type and whole orders through encode and decode, sizes and times, and bytes
 * that are not ours.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "actors/ids.h"
#include "actors/money.h"
#include "actors/order_codec.h"
#include "actors/order_pack.h"
#include "order_fixture.h"
#include "runtime/base/prng.h"

/* ---- events ---- */

static void put_event(const struct order_event *event, struct oms_buf *out)
{
    oms_buf_reset(out);
    order_event_encode(event, out);
    assert_false(out->overflow);
}

static void an_empty_event_of_every_type_round_trips(void **state)
{
    struct oms_arena arena;
    struct oms_buf bytes;

    (void)state;
    oms_arena_init(&arena, 1024, 1 << 20);
    oms_buf_init(&bytes, 1 << 16);
    for (unsigned type = 1; type < ORDER_EVENT_COUNT; type++) {
        struct order_event event, back;

        memset(&event, 0, sizeof event);
        event.type = (enum order_event_type)type;
        put_event(&event, &bytes);
        assert_int_equal(order_event_decode(oms_buf_str(&bytes), &arena, &back), OMS_OK);
        assert_memory_equal(&event, &back, sizeof event);
    }
    oms_buf_fini(&bytes);
    oms_arena_fini(&arena);
}

static void values_at_their_limits_round_trip(void **state)
{
    struct order_payment payment = {.id = UINT32_MAX,
                                    .status = ORDER_PAYMENT_VOIDED,
                                    .method = OMS_STR(""),
                                    .provider = OMS_STR("card"),
                                    .amount = INT64_MIN,
                                    .occurred_at = INT64_MAX,
                                    .recorded_at = INT64_MIN,
                                    .actor = {PRINCIPAL_SYSTEM, OMS_STR("s"), OMS_STR_NONE}};
    struct order_event event, back;
    struct oms_arena arena;
    struct oms_buf bytes;

    (void)state;
    memset(&event, 0, sizeof event);
    event.type = ORDER_EVENT_PAYMENT_RECORDED;
    event.payment = payment;
    oms_arena_init(&arena, 1024, 1 << 20);
    oms_buf_init(&bytes, 1 << 16);
    put_event(&event, &bytes);
    assert_int_equal(order_event_decode(oms_buf_str(&bytes), &arena, &back), OMS_OK);
    assert_true(back.payment.amount == INT64_MIN && back.payment.occurred_at == INT64_MAX &&
                back.payment.recorded_at == INT64_MIN);
    assert_int_equal(back.payment.id, UINT32_MAX);
    assert_int_equal(back.payment.status, ORDER_PAYMENT_VOIDED);
    assert_true(oms_str_present(back.payment.method) && back.payment.method.len == 0);
    assert_true(oms_str_eq_c(back.payment.provider, "card"));
    assert_false(oms_str_present(back.payment.transaction_id));
    assert_int_equal(back.payment.actor.kind, PRINCIPAL_SYSTEM);
    oms_buf_fini(&bytes);
    oms_arena_fini(&arena);
}

static void fields_of_a_later_version_are_skipped(void **state)
{
    struct order_event event, back;
    struct oms_arena arena;
    struct oms_buf bytes;
    size_t mark;

    (void)state;
    oms_arena_init(&arena, 1024, 1 << 20);
    oms_buf_init(&bytes, 1 << 16);
    oms_wire_put_u64(&bytes, 1, ORDER_EVENT_NOTE_ADDED);
    mark = oms_wire_begin(&bytes, 2);
    oms_wire_put_u64(&bytes, 1, 4);
    oms_wire_put_str(&bytes, 3, OMS_STR("text"));
    oms_wire_put_u64(&bytes, 200, 7);
    oms_wire_put_str(&bytes, 201, OMS_STR("unknown"));
    oms_wire_end(&bytes, mark);
    oms_wire_put_str(&bytes, 99, OMS_STR("unknown too"));
    assert_int_equal(order_event_decode(oms_buf_str(&bytes), &arena, &back), OMS_OK);
    assert_int_equal(back.note.id, 4);
    assert_true(oms_str_eq_c(back.note.text, "text"));

    oms_buf_reset(&bytes);
    oms_wire_put_u64(&bytes, 1, ORDER_EVENT_COUNT + 5);
    assert_int_equal(order_event_decode(oms_buf_str(&bytes), &arena, &event), OMS_NOT_FOUND);
    assert_int_equal(order_event_decode(OMS_STR(""), &arena, &event), OMS_CORRUPT);
    oms_buf_fini(&bytes);
    oms_arena_fini(&arena);
}

static void values_out_of_range_are_corrupt(void **state)
{
    static const struct {
        unsigned type, field;
        uint64_t number;
    } bad[] = {
        {ORDER_EVENT_ORDER_PLACED, 1, ORDER_STAGE_COUNT},
        {ORDER_EVENT_PAYMENT_RECORDED, 1, UINT64_C(1) << 32},
        {ORDER_EVENT_PAYMENT_RECORDED, 3, 9999}, /* a word that is not in the list */
        {ORDER_EVENT_PAYMENT_RECORDED, 9, 1},    /* "the same actor" has no meaning in an event */
        {ORDER_EVENT_ORDER_CREATED, 1, 5},       /* a number where text belongs */
    };
    struct order_event back;
    struct oms_arena arena;
    struct oms_buf bytes;

    (void)state;
    oms_arena_init(&arena, 1024, 1 << 20);
    oms_buf_init(&bytes, 1 << 16);
    for (size_t i = 0; i < OMS_COUNT_OF(bad); i++) {
        size_t mark;

        oms_buf_reset(&bytes);
        oms_wire_put_u64(&bytes, 1, bad[i].type);
        mark = oms_wire_begin(&bytes, 2);
        oms_wire_put_u64(&bytes, bad[i].field, bad[i].number);
        oms_wire_end(&bytes, mark);
        assert_int_equal(order_event_decode(oms_buf_str(&bytes), &arena, &back), OMS_CORRUPT);
    }
    oms_buf_fini(&bytes);
    oms_arena_fini(&arena);
}

/* ---- state ---- */

static struct order *thawed(struct oms_str bytes)
{
    struct order *order = order_create();

    assert_int_equal(order_thaw(bytes, order), OMS_OK);
    return order;
}

/* Freezing what was thawed gives the same bytes, and what is derived agrees. */
static void check_round_trip(const struct order *order)
{
    struct oms_buf first, second;
    struct order *back;

    oms_buf_init(&first, 16 << 20);
    oms_buf_init(&second, 16 << 20);
    order_freeze(order, &first);
    back = thawed(oms_buf_str(&first));
    order_freeze(back, &second);
    assert_true(oms_str_eq(oms_buf_str(&first), oms_buf_str(&second)));
    assert_int_equal(back->fulfillment, order->fulfillment);
    assert_int_equal(back->payment, order->payment);
    assert_int_equal(back->current_activity, order->current_activity);
    assert_true(back->refund_due == order->refund_due && back->version == order->version &&
                back->event_count == order->event_count && back->note_count == order->note_count);
    assert_true(oms_str_eq(back->order_id, order->order_id) && oms_str_eq(back->source, order->source));
    assert_true(back->totals.final == order->totals.final && back->placed_at == order->placed_at &&
                back->modified_at == order->modified_at);
    order_destroy(back);
    oms_buf_fini(&first);
    oms_buf_fini(&second);
}

static void an_eventful_order_round_trips(void **state)
{
    struct order_lab lab;
    struct order_command note = lab_command(ORDER_COMMAND_ADD_NOTE);

    (void)state;
    lab_init(&lab);
    lab_workflow(&lab, workflow_default_json().data);
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    check_round_trip(lab.order);
    note.note.text = OMS_STR("call first");
    assert_int_equal(lab_run(&lab, &note), REFUSAL_NONE);
    assert_int_equal(lab_pay(&lab, "10.00", "tx-1"), REFUSAL_NONE);
    assert_int_equal(lab_hold(&lab, 0, lab.context.now_ms + 1000), REFUSAL_NONE);
    check_round_trip(lab.order);
    assert_int_equal(lab_release(&lab, 1), REFUSAL_NONE);
    assert_int_equal(lab_add_shipment(&lab, 1, 2), REFUSAL_NONE);
    assert_int_equal(lab_shipment(&lab, ORDER_COMMAND_DISPATCH_SHIPMENT, 1), REFUSAL_NONE);
    assert_int_equal(lab_shipment(&lab, ORDER_COMMAND_DELIVER_SHIPMENT, 1), REFUSAL_NONE);
    check_round_trip(lab.order);
    assert_int_equal(lab_return(&lab, 1, 1), REFUSAL_NONE);
    assert_int_equal(lab_on_return(&lab, ORDER_COMMAND_APPROVE_RETURN, 1), REFUSAL_NONE);
    assert_int_equal(lab_on_return(&lab, ORDER_COMMAND_RECEIVE_RETURN, 1), REFUSAL_NONE);
    assert_int_equal(lab_refund_return(&lab, 1, ORDER_REFUND_SUCCEEDED), REFUSAL_NONE);
    check_round_trip(lab.order);
    lab_fini(&lab);
}

/* The fold's way through the codec, with more released holds than are kept and one released out of turn. */
static void a_fold_copies_what_has_not_changed(void **state)
{
    struct order_lab lab;

    (void)state;
    lab_init(&lab);
    lab_workflow(&lab, workflow_default_json().data);
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    for (uint32_t i = 1; i <= OMS_ORDER_HOLDS_RELEASED_KEPT + 3; i++) {
        assert_int_equal(lab_hold(&lab, 0, i % 3 ? 0 : lab.context.now_ms + 1000), REFUSAL_NONE);
        assert_int_equal(lab_release(&lab, i), REFUSAL_NONE);
    }
    assert_int_equal(lab_hold(&lab, 0, 0), REFUSAL_NONE);
    assert_int_equal(lab_hold(&lab, 0, 0), REFUSAL_NONE);
    assert_int_equal(lab_release(&lab, OMS_ORDER_HOLDS_RELEASED_KEPT + 4), REFUSAL_NONE);
    assert_int_equal(lab_pay(&lab, "10.00", "tx-1"), REFUSAL_NONE);
    lab_check_refold(&lab);
    lab_fini(&lab);
}

static void notes_lie_beside_the_state(void **state)
{
    struct order_lab lab;
    struct oms_buf frozen, note_bytes[3];
    struct order *back;

    (void)state;
    lab_init(&lab);
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    oms_buf_init(&frozen, 1 << 20);
    for (unsigned i = 0; i < 3; i++) {
        struct order_command note = lab_command(ORDER_COMMAND_ADD_NOTE);
        char text[32];

        snprintf(text, sizeof text, "note %u", i + 1);
        note.note.text = oms_str_of(text);
        note.note.visible_to_customer = i == 1;
        assert_int_equal(lab_run(&lab, &note), REFUSAL_NONE);
        oms_buf_init(&note_bytes[i], 4096);
        order_note_encode(&lab.order->notes[i], &note_bytes[i]);
    }
    order_freeze(lab.order, &frozen);
    assert_null(memmem(frozen.data, frozen.len, "note 2", 6));
    back = thawed(oms_buf_str(&frozen));
    assert_int_equal(back->note_count, 3);
    assert_int_equal(back->notes_held, 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(order_note_merge(back, oms_buf_str(&note_bytes[i])), OMS_OK);
    assert_int_equal(back->notes_held, 3);
    assert_true(oms_str_eq_c(back->notes[1].text, "note 2") && back->notes[1].visible_to_customer);
    assert_int_equal(order_note_merge(back, oms_buf_str(&note_bytes[1])), OMS_CORRUPT);
    order_destroy(back);
    for (unsigned i = 0; i < 3; i++)
        oms_buf_fini(&note_bytes[i]);
    oms_buf_fini(&frozen);
    lab_fini(&lab);
}

/* ---- bytes that are not ours ---- */

static void damaged_states_never_thaw_to_nonsense(void **state)
{
    struct order_lab lab;
    struct oms_prng prng;
    struct oms_buf bytes, again;
    unsigned thaws = 0;

    (void)state;
    lab_init(&lab);
    lab_workflow(&lab, workflow_default_json().data);
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    lab_pay(&lab, "10.00", "tx");
    lab_add_shipment(&lab, 1, 2);
    oms_buf_init(&bytes, 1 << 20);
    oms_buf_init(&again, 4 << 20);
    order_freeze(lab.order, &bytes);
    oms_prng_seed(&prng, 99);
    for (int i = 0; i < 20000; i++) {
        size_t at = oms_prng_below(&prng, bytes.len);
        size_t len = i % 4 ? bytes.len : oms_prng_below(&prng, bytes.len);
        char was = bytes.data[at];
        struct order *order = order_create();

        bytes.data[at] = (char)(i % 3 ? oms_prng_next(&prng) : (uint64_t)was ^ UINT64_C(1) << (i % 8));
        if (order_thaw(oms_str_make(bytes.data, len), order) == OMS_OK) {
            oms_buf_reset(&again);
            order_freeze(order, &again); /* whatever thaws can be frozen */
            thaws++;
        }
        bytes.data[at] = was;
        order_destroy(order);
    }
    assert_true(thaws > 0);
    oms_buf_fini(&bytes);
    oms_buf_fini(&again);
    lab_fini(&lab);
}

/* ---- size and time: the figures that a million resident orders rest on ---- */

static struct order_command usual_creation(struct order_lab *lab, struct order_line_input lines[2])
{
    struct order_command command;

    lines[0] = lab_line("FUR-BO-10001798", "superstore", 2, "130.98");
    lines[1] = lab_line("OFF-LA-10000240", "superstore", 3, "7.31");
    lines[0].name = OMS_STR("Bush Somerset Collection Bookcase");
    lines[1].name = OMS_STR("Self-Adhesive Address Labels");
    command = lab_create(lab, ORDER_STAGE_CONFIRMED, lines, 2);
    command.create.order_id = OMS_STR("ORD-01ARZ3NDEKTSV4RRFFQ69G5FAV");
    command.create.external_ref = OMS_STR("CA-2016-152156");
    command.create.source = OMS_STR("superstore");
    command.create.customer = (struct order_customer){.customer_id = OMS_STR("CG-12520"),
                                                      .name = OMS_STR("Claire Gute"),
                                                      .email = OMS_STR("claire@example.com")};
    command.create.destination = (struct order_address){.recipient = OMS_STR("Claire Gute"),
                                                        .street = OMS_STR("12 Main Street"),
                                                        .city = OMS_STR("Henderson"),
                                                        .state = OMS_STR("Kentucky"),
                                                        .postal = OMS_STR("42420"),
                                                        .country = OMS_STR("US")};
    command.has_key = true;
    command.idempotency_key = OMS_STR("create-152156");
    command.key = (struct oms_hash128){1234567890123456789u, 9876543210987654321u};
    command.fingerprint = (struct oms_hash128){1111111111111111111u, 2222222222222222222u};
    return command;
}

static double nanoseconds(const struct timespec *from, const struct timespec *to, unsigned rounds)
{
    return ((double)(to->tv_sec - from->tv_sec) * 1e9 + (double)(to->tv_nsec - from->tv_nsec)) / rounds;
}

static void an_idle_order_of_two_lines_is_small(void **state)
{
    const unsigned rounds = 20000;
    struct order_line_input lines[2];
    struct order_command command;
    struct timespec start, middle, end;
    struct order_lab lab;
    struct oms_buf bytes;

    (void)state;
    lab_init(&lab);
    lab_workflow(&lab, workflow_default_json().data);
    command = usual_creation(&lab, lines);
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    oms_buf_init(&bytes, 1 << 20);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    for (unsigned i = 0; i < rounds; i++) {
        oms_buf_reset(&bytes);
        order_freeze(lab.order, &bytes);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &middle);
    for (unsigned i = 0; i < rounds; i++)
        order_destroy(thawed(oms_buf_str(&bytes)));
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    print_message("frozen %zu bytes, freeze %.0f ns, thaw %.0f ns\n", bytes.len,
                  nanoseconds(&start, &middle, rounds), nanoseconds(&middle, &end, rounds));
    /* its text alone is 212 bytes, with a 16-byte id, reference, key and fingerprint another 64 */
    assert_true(bytes.len <= 430);
    check_round_trip(lab.order);
    oms_buf_fini(&bytes);
    lab_fini(&lab);
}

/* ---- words and keys ---- */

static void common_words_are_numbered_both_ways(void **state)
{
    unsigned known = 0;

    (void)state;
    for (unsigned number = 0; number < 300; number++) {
        struct oms_str text = order_word_text(number);

        if (!oms_str_present(text))
            continue;
        known++;
        assert_int_equal(order_word_number(text), number);
    }
    assert_true(known > 50);
    for (unsigned type = 1; type < ORDER_COMMAND_COUNT; type++)
        assert_int_equal(
            order_word_number(oms_str_of(order_command_info((enum order_command_type)type)->word)), type);
    assert_int_equal(order_word_number(OMS_STR("")), 0);
    assert_int_equal(order_word_number(OMS_STR("apj")), 0);
    assert_int_equal(order_word_number(OMS_STR("a text that is longer than any of the common words can be")),
                     0);
}

static void keys_round_trip_and_sort(void **state)
{
    struct rt_address order = {.key = {9, 8, 7}, .tenant = 3, .kind = RT_ACTOR_ORDER}, back;
    unsigned char aside[ORDER_ASIDE_KEY_SIZE], first[ORDER_TIMER_KEY_SIZE], second[ORDER_TIMER_KEY_SIZE];
    struct order_timer timer = {.at = 1000, .command = ORDER_COMMAND_EXPIRE_HOLD, .part = 5}, timer_back;
    uint64_t sequence;
    unsigned kind;

    (void)state;
    order_aside_key(&order, ORDER_ASIDE_NOTE, 77, aside);
    assert_int_equal(order_aside_key_read(oms_str_make(aside, sizeof aside), &back, &kind, &sequence),
                     OMS_OK);
    assert_true(rt_address_eq(&order, &back) && kind == ORDER_ASIDE_NOTE && sequence == 77);
    assert_int_equal(order_aside_key_read(oms_str_make(aside, sizeof aside - 1), &back, &kind, &sequence),
                     OMS_CORRUPT);
    order_timer_key(&order, &timer, first);
    assert_true(order_timer_read(oms_str_make(first, sizeof first), &back, &timer_back));
    assert_true(rt_address_eq(&order, &back) && timer_back.at == 1000 && timer_back.part == 5 &&
                timer_back.command == ORDER_COMMAND_EXPIRE_HOLD);
    timer.at = 70000;
    order_timer_key(&order, &timer, second);
    assert_true(memcmp(first, second, sizeof first) < 0);
    assert_false(order_timer_read(OMS_STR("short"), &back, &timer_back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_event_of_every_type_round_trips),
        cmocka_unit_test(values_at_their_limits_round_trip),
        cmocka_unit_test(fields_of_a_later_version_are_skipped),
        cmocka_unit_test(values_out_of_range_are_corrupt),
        cmocka_unit_test(an_eventful_order_round_trips),
        cmocka_unit_test(a_fold_copies_what_has_not_changed),
        cmocka_unit_test(notes_lie_beside_the_state),
        cmocka_unit_test(damaged_states_never_thaw_to_nonsense),
        cmocka_unit_test(an_idle_order_of_two_lines_is_small),
        cmocka_unit_test(common_words_are_numbered_both_ways),
        cmocka_unit_test(keys_round_trip_and_sort),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
