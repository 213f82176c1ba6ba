/*
 * Erasing a customer: what the order's personal texts become, and that an order folded with destroyed keys is
 * the same.
 *
 * The order of these tests has a text of its own, beginning with "P:", in every place where something
 * personal may stand, so that whatever is forgotten is found in the frozen bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "actors/order_codec.h"
#include "actors/order_event_json.h"
#include "runtime/base/wire.h"
#include "tests/unit/order_fixture.h"

static const char workflow[] =
    "{\"steps\": ["
    "{\"stage\": \"CONFIRMED\", \"stepName\": \"pack\", \"activityStatus\": \"A\", \"sequence\": 1},"
    "{\"stage\": \"CONFIRMED\", \"stepName\": \"check\", \"activityStatus\": \"B\", \"sequence\": 2, "
    "\"optional\": true}"
    "]}";

static struct order_lab lab;

static bool has_bytes(struct oms_str in, const char *text)
{
    return memmem(in.data, in.len, text, strlen(text)) != NULL;
}

static struct order_address address(void)
{
    return (struct order_address){OMS_STR("P:recipient"), OMS_STR("P:street"), OMS_STR("P:line2"),
                                  OMS_STR("P:city"),      OMS_STR("P:state"),  OMS_STR("P:postal"),
                                  OMS_STR("DE"),          OMS_STR("P:phone")};
}

static void create(void)
{
    struct order_line_input lines[] = {lab_line("A", "v1", 3, "10.00"), lab_line("B", "v2", 2, "5.00")};
    lines[0].options = OMS_STR("{\"engraving\":\"P:options\"}");
    struct order_command command = lab_create(&lab, ORDER_STAGE_CONFIRMED, lines, 2);
    command.create.customer =
        (struct order_customer){OMS_STR("P:customer"), OMS_STR("P:name"),        OMS_STR("P:first"),
                                OMS_STR("P:last"),     OMS_STR("P@example.com"), OMS_STR("P:123")};
    command.create.destination = command.create.billing = address();
    command.create.has_destination = command.create.has_billing = true;
    struct order_note_input note = {OMS_STR("P:first note"), true};
    command.create.notes = &note;
    command.create.note_count = 1;
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
}

static void run(const struct order_command *command)
{
    if (lab_run(&lab, command) != REFUSAL_NONE)
        fail_msg("%s: %s", order_command_info(command->type)->mutation, lab_message(&lab));
}

static void note(const char *text)
{
    struct order_command command = lab_command(ORDER_COMMAND_ADD_NOTE);
    command.note = (struct order_note_input){oms_str_of(text), false};
    run(&command);
}

/* Up to a returned, refunded order, with a personal text wherever one fits. */
static void live(void)
{
    lab.principal.display_name = OMS_STR("P:self");
    create();
    struct order_command step = lab_command(ORDER_COMMAND_COMPLETE_ACTIVITY);
    step.step = (struct order_step_input){.step_name = OMS_STR("pack"),
                                          .comments = OMS_STR("P:comments"),
                                          .user_input = OMS_STR("{\"x\":\"P:input\"}")};
    run(&step);
    for (int i = 0; i < 2; i++) {
        struct order_command hold = lab_command(ORDER_COMMAND_PLACE_HOLD);
        hold.hold.reason = OMS_STR("P:hold");
        run(&hold);
        struct order_command release = lab_command(ORDER_COMMAND_RELEASE_HOLD);
        release.hold.hold = (uint32_t)i + 1;
        release.hold.reason = OMS_STR("P:release");
        run(&release);
    }
    struct order_command shipment = lab_command(ORDER_COMMAND_ADD_SHIPMENT);
    shipment.shipment.address = address();
    shipment.shipment.has_address = true;
    run(&shipment);
    struct order_command cancel = lab_command(ORDER_COMMAND_CANCEL_SHIPMENT);
    cancel.shipment = (struct order_shipment_input){.shipment = 1, .reason = OMS_STR("P:nobody")};
    run(&cancel);
    run(&shipment);
    struct order_command leaves = lab_command(ORDER_COMMAND_DISPATCH_SHIPMENT);
    leaves.shipment = (struct order_shipment_input){.shipment = 2,
                                                    .tracking_reference = OMS_STR("TRACK-1"),
                                                    .label_url = OMS_STR("https://labels.example/P:label")};
    run(&leaves);
    assert_int_equal(lab_pay(&lab, "44.00", "t-1"), REFUSAL_NONE);
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_MARK_AS_COMPLETED), REFUSAL_NONE);
    struct order_return_item_input item = {.ref = {.line_item_id = 1, .quantity = 1}};
    struct order_command returns = lab_command(ORDER_COMMAND_REQUEST_RETURN);
    returns.returns = (struct order_return_input){
        .items = &item, .item_count = 1, .reason = OMS_STR("P:why"), .comments = OMS_STR("P:more")};
    run(&returns);
    struct order_command approve = lab_command(ORDER_COMMAND_APPROVE_RETURN);
    approve.returns = (struct order_return_input){.return_id = 1, .comments = OMS_STR("P:decision")};
    run(&approve);
    struct order_command refund = lab_command(ORDER_COMMAND_PROCESS_REFUND);
    refund.refund =
        (struct order_refund_input){.amount = lab_amount(&lab, "1.00"), .reason = OMS_STR("P:refund")};
    run(&refund);
    note("P:second note");
}

static enum refusal_code erase(bool force)
{
    struct order_command command = lab_command(ORDER_COMMAND_ERASE_CUSTOMER);
    command.erase.force = force;
    return lab_run(&lab, &command);
}

static void begin(void)
{
    lab_init(&lab);
    lab_as_staff(&lab, "P:customer"); /* they do it all themselves */
    lab_workflow(&lab, workflow);
}

static void freeze(const struct order *order, struct oms_buf *out)
{
    oms_buf_init(out, 1 << 20);
    order_freeze(order, out);
}

static void test_nothing_personal_is_left(void **state)
{
    (void)state;
    struct oms_buf bytes;
    begin();
    live();
    freeze(lab.order, &bytes);
    assert_true(has_bytes(oms_buf_str(&bytes), "P:"));
    oms_buf_fini(&bytes);
    lab_as_staff(&lab, "clerk");
    assert_int_equal(erase(false), REFUSAL_NONE);
    assert_true(lab_has(&lab, ORDER_EVENT_CUSTOMER_ERASED));
    freeze(lab.order, &bytes);
    if (has_bytes(oms_buf_str(&bytes), "P:") || has_bytes(oms_buf_str(&bytes), "P@"))
        fail_msg("left: %.40s", (const char *)memmem(bytes.data, bytes.len, "P", 1));
    oms_buf_fini(&bytes);
    assert_true(oms_str_eq(lab.order->customer.email, ORDER_ERASED));
    assert_true(oms_str_eq(lab.order->lines[0].options, ORDER_ERASED_JSON));
    assert_false(oms_str_present(lab.order->lines[1].options)); /* what was not there is not erased */
    assert_true(oms_str_eq_c(lab.order->destination.country, "DE"));
    assert_true(oms_str_eq_c(lab.order->shipments[1].tracking_reference, "TRACK-1"));
    assert_int_equal(lab.order->notes_held, 0);
    assert_int_equal(order_notes_kept(lab.order), 0);
    assert_false(oms_str_present(order_customer_id(lab.order)));
    assert_int_equal(lab.order->erased_at, lab.context.now_ms);
    lab_check_invariants(&lab);
    lab_finish(&lab);
}

/* Every event sealed, its key destroyed, and folded: the state that was folded with the texts and then
 * erased. */
static void test_a_fold_without_keys_is_the_same(void **state)
{
    (void)state;
    begin();
    live();
    lab_as_staff(&lab, "clerk");
    assert_int_equal(erase(false), REFUSAL_NONE);
    note("a new one"); /* life goes on */
    struct order *again = order_create();
    struct oms_arena arena;
    struct oms_buf sealed, personal, ours, theirs;
    oms_arena_init(&arena, 16384, 16u << 20);
    oms_buf_init(&sealed, 1 << 20);
    oms_buf_init(&personal, 1 << 20);
    size_t texts = 0;
    bool gone = true;
    for (size_t i = 0; i < lab.event_count; i++) {
        struct order_event event, opened, without;
        struct order_event_meta meta = lab.events[i].meta;
        oms_buf_reset(&sealed);
        oms_buf_reset(&personal);
        assert_int_equal(order_event_decode(lab.events[i].bytes, &arena, &event), OMS_OK);
        order_event_seal(&event, OMS_STR("P:customer"), &personal, &sealed);
        if (event.type != ORDER_EVENT_NOTE_ADDED || gone)
            assert_false(has_bytes(oms_buf_str(&sealed), "P:") || has_bytes(oms_buf_str(&sealed), "P@"));
        texts += personal.len > 0;
        /* With its texts it is the event that it was … */
        if (personal.len) {
            struct oms_buf plain;
            oms_buf_init(&plain, 1 << 20);
            assert_int_equal(order_event_open(oms_buf_str(&sealed), oms_buf_str(&personal), &arena, &opened),
                             OMS_OK);
            order_event_encode(&opened, &plain);
            assert_true(oms_str_eq(oms_buf_str(&plain), lab.events[i].bytes));
            oms_buf_fini(&plain);
        }
        gone = gone && event.type != ORDER_EVENT_CUSTOMER_ERASED;
        /* … and without them it still folds. */
        assert_int_equal(order_event_open(oms_buf_str(&sealed),
                                          gone || !personal.len ? OMS_STR_NONE : oms_buf_str(&personal),
                                          &arena, &without),
                         OMS_OK);
        if (gone && oms_str_eq_c(meta.actor.subject, "P:customer")) {
            meta.actor.subject = ORDER_ERASED;
            if (oms_str_present(meta.actor.display_name))
                meta.actor.display_name = ORDER_ERASED;
        }
        order_apply(again, &without, &meta);
    }
    assert_true(texts > 8);
    freeze(lab.order, &ours);
    freeze(again, &theirs);
    assert_true(oms_str_eq(oms_buf_str(&ours), oms_buf_str(&theirs)));
    assert_int_equal(again->notes_held, 1);
    assert_int_equal(again->notes[0].id, 3);
    oms_buf_fini(&ours);
    oms_buf_fini(&theirs);
    oms_buf_fini(&sealed);
    oms_buf_fini(&personal);
    oms_arena_fini(&arena);
    order_destroy(again);
    lab_finish(&lab);
}

static void test_who_may_and_when(void **state)
{
    (void)state;
    begin();
    create();
    lab_as_staff(&lab, "clerk");
    assert_int_equal(erase(false), REFUSAL_WRONG_STAGE); /* it still has to go somewhere */
    lab_as_scoped(&lab, "P:customer", PERMISSION_SCOPE_CUSTOMER, "P:customer", PERMISSION_ALL);
    assert_int_equal(erase(true), REFUSAL_FORBIDDEN);
    lab_as_staff(&lab, "clerk");
    assert_int_equal(erase(true), REFUSAL_NONE);
    uint64_t version = lab.order->version;
    assert_int_equal(erase(true), REFUSAL_NONE);
    assert_int_equal(lab.decision.kind, ORDER_DECISION_NOTHING); /* nothing is left */
    assert_int_equal(lab.order->version, version);
    note("P:again");
    assert_int_equal(erase(true), REFUSAL_NONE); /* what came after it goes as well */
    assert_int_equal(lab.order->version, version + 2);
    assert_int_equal(order_notes_kept(lab.order), 0);
    lab_finish(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_personal_is_left),
        cmocka_unit_test(test_a_fold_without_keys_is_the_same),
        cmocka_unit_test(test_who_may_and_when),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
