/* createOrder: defaults, every field's check, access, idempotency; and the rules around every command. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "actors/country.h"
#include "runtime/base/limits.h"
#include "tests/unit/order_fixture.h"

static struct order_lab lab;

static int setup(void **state)
{
    (void)state;
    lab_init(&lab);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lab_finish(&lab);
    return 0;
}

static struct order_command plain(void)
{
    struct order_line_input line = lab_line("A", "v1", 1, "10.00");

    return lab_create(&lab, ORDER_STAGE_NONE, &line, 1);
}

static void refused(const struct order_command *command, enum refusal_code code, const char *field)
{
    enum refusal_code got = lab_run(&lab, command);

    if (got != code)
        print_error("%s: %s %s\n", field, refusal_code_name(got), lab_message(&lab));
    assert_int_equal(got, code);
    assert_string_equal(lab_field(&lab), field);
    assert_int_equal(lab.order->version, 0);
}

/* ---- defaults ---- */

static void test_defaults(void **state)
{
    struct order_command command = plain();

    (void)state;
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    assert_true(lab.decision.created);
    assert_int_equal(lab.order->stage, ORDER_STAGE_CONFIRMED);
    assert_true(oms_str_eq_c(lab.order->source, "api"));
    assert_true(oms_str_eq_c(lab.order->destination.country, "US"));
    assert_int_equal(lab.order->placed_at, lab.context.now_ms);
    assert_int_equal(lab.order->created_at, lab.context.now_ms);
    assert_int_equal(lab.order->version, 1);
    assert_int_equal(lab.order->workflow_version, 0);
    assert_true(lab.order->lines[0].taxable);
    assert_true(oms_str_eq(order_activity_status(lab.order), OMS_STR("NoPendingActions")));
}

static void test_name_is_joined(void **state)
{
    struct order_command command = plain();

    (void)state;
    command.create.customer =
        (struct order_customer){.first_name = OMS_STR("Ada"), .last_name = OMS_STR("Lovelace")};
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    assert_true(oms_str_eq_c(lab.order->customer.name, "Ada Lovelace"));
    assert_false(oms_str_present(lab.order->customer.email));
}

static void test_payment_and_notes_at_once(void **state)
{
    struct order_command command = plain();
    struct order_note_input note = {OMS_STR("leave at the door"), true};

    (void)state;
    command.create.has_payment = true;
    command.create.payment.amount.text = OMS_STR("10.00");
    command.create.payment.transaction_id = OMS_STR("t1");
    command.create.notes = &note;
    command.create.note_count = 1;
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    assert_int_equal(lab.order->version, 1);
    assert_int_equal(lab.order->event_count, 3);
    assert_int_equal(lab.order->payment, ORDER_PAYMENT_STATUS_PAID);
    assert_int_equal(lab.order->note_count, 1);
}

/* ---- fields ---- */

static void test_required_fields(void **state)
{
    struct order_command command = plain();
    struct order_line_input line = lab_line("", "v1", 1, "10.00");

    (void)state;
    command.create.line_count = 0;
    refused(&command, REFUSAL_REQUIRED, "lineItems");
    command = plain();
    command.create.customer = (struct order_customer){.email = OMS_STR("")};
    refused(&command, REFUSAL_REQUIRED, "customerDetails");
    command = plain();
    command.create.destination.city = OMS_STR("  ");
    refused(&command, REFUSAL_REQUIRED, "destination.city");
    command = plain();
    command.create.has_destination = false;
    memset(&command.create.destination, 0, sizeof(command.create.destination));
    refused(&command, REFUSAL_REQUIRED, "destination");
    command.create.shipping_method = OMS_STR("Pickup");
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE); /* who fetches it needs no destination */
    assert_false(lab.order->has_destination);
    lab_fini(&lab);
    lab_init(&lab);
    command = lab_create(&lab, ORDER_STAGE_NONE, &line, 1);
    refused(&command, REFUSAL_REQUIRED, "lineItems.0.productSku");
}

static void test_all_faults_at_once(void **state)
{
    struct order_line_input lines[2] = {lab_line("A", "v1", 0, "10.00"), lab_line("B", "", 1, "x")};
    struct order_command command = lab_create(&lab, ORDER_STAGE_NONE, lines, 2);

    (void)state;
    command.create.customer.email = OMS_STR("no-address");
    assert_int_equal(lab_run(&lab, &command), REFUSAL_INVALID);
    assert_int_equal(lab.decision.refusals.count, 4);
    assert_string_equal(lab.decision.refusals.items[0].field.data, "customerDetails.email");
    assert_string_equal(lab.decision.refusals.items[1].field.data, "lineItems.0.orderQuantity");
    assert_string_equal(lab.decision.refusals.items[2].field.data, "lineItems.1.vendor.vendorId");
    assert_string_equal(lab.decision.refusals.items[3].field.data, "lineItems.1.productPrice");
}

static struct oms_str letters(size_t count)
{
    char *text = oms_arena_alloc(&lab.forever, count + 1);

    memset(text, 'x', count);
    text[count] = '\0';
    return oms_str_make(text, count);
}

static void test_lengths(void **state)
{
    static const struct {
        size_t offset, max;
        const char *field;
    } fields[] = {
        {offsetof(struct order_create_input, external_ref), OMS_ID_BYTES_MAX, "externalRef"},
        {offsetof(struct order_create_input, source), OMS_ID_BYTES_MAX, "source"},
        {offsetof(struct order_create_input, customer.customer_id), OMS_ID_BYTES_MAX,
         "customerDetails.customerId"},
        {offsetof(struct order_create_input, customer.name), OMS_NAME_BYTES_MAX, "customerDetails.name"},
        {offsetof(struct order_create_input, customer.phone), OMS_ID_BYTES_MAX, "customerDetails.phone"},
        {offsetof(struct order_create_input, destination.recipient), OMS_NAME_BYTES_MAX,
         "destination.recipient"},
        {offsetof(struct order_create_input, destination.street), OMS_NAME_BYTES_MAX, "destination.street"},
        {offsetof(struct order_create_input, destination.line2), OMS_NAME_BYTES_MAX, "destination.line2"},
        {offsetof(struct order_create_input, destination.city), OMS_NAME_BYTES_MAX, "destination.city"},
        {offsetof(struct order_create_input, destination.state), OMS_NAME_BYTES_MAX, "destination.state"},
        {offsetof(struct order_create_input, destination.postal), OMS_ID_BYTES_MAX, "destination.postal"},
        {offsetof(struct order_create_input, destination.phone), OMS_ID_BYTES_MAX, "destination.phone"},
        {offsetof(struct order_create_input, shipping_method), OMS_NAME_BYTES_MAX, "shippingDetails.method"},
        {offsetof(struct order_create_input, delivery_time), OMS_NAME_BYTES_MAX,
         "shippingDetails.deliveryTime"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        struct order_command command = plain();

        *(struct oms_str *)((char *)&command.create + fields[i].offset) = letters(fields[i].max + 1);
        refused(&command, REFUSAL_INVALID, fields[i].field);
        *(struct oms_str *)((char *)&command.create + fields[i].offset) = letters(fields[i].max);
        assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
        lab_fini(&lab);
        lab_init(&lab);
    }
}

static void test_text_is_utf8_without_controls(void **state)
{
    struct order_command command = plain();

    (void)state;
    command.create.customer.name = oms_str_make("\xc3\x28", 2);
    refused(&command, REFUSAL_INVALID, "customerDetails.name");
    command.create.customer.name = OMS_STR("a\nb");
    refused(&command, REFUSAL_INVALID, "customerDetails.name");
    command.create.customer.name = OMS_STR("Zoë Müller 王");
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
}

static void test_emails(void **state)
{
    static const char *const good[] = {"a@b.co", "ada.l+shop@mail.example.org",
                                       "jos\xc3\xa9@ex\xc3\xa4mple.de"};
    static const char *const bad[] = {"a",       "@b.co",    "a@",       "a@b",     "a b@c.de",
                                      "a@b..co", ".a@b.co",  "a.@b.co",  "a@-b.co", "a@b@c.de",
                                      "a@b.co.", "<a@b.co>", "a..b@c.de"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct order_command command = plain();

        command.create.customer.email = oms_str_of(bad[i]);
        refused(&command, REFUSAL_INVALID, "customerDetails.email");
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct order_command command = plain();

        command.create.customer.email = oms_str_of(good[i]);
        assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
        lab_fini(&lab);
        lab_init(&lab);
    }
}

static void test_countries(void **state)
{
    struct order_command command = plain();

    (void)state;
    assert_true(oms_str_eq_c(country_parse(OMS_STR("united states")), "US"));
    assert_true(oms_str_eq_c(country_parse(OMS_STR(" de ")), "DE"));
    assert_true(oms_str_eq_c(country_parse(OMS_STR("GBR")), "GB"));
    assert_true(oms_str_eq_c(country_parse(OMS_STR("Viet Nam")), "VN"));
    assert_false(oms_str_present(country_parse(OMS_STR("XX"))));
    assert_false(oms_str_present(country_parse(OMS_STR(""))));
    assert_string_equal(country_name(OMS_STR("JP")), "Japan");
    assert_null(country_name(OMS_STR("QQ")));
    command.create.destination.country = OMS_STR("Atlantis");
    refused(&command, REFUSAL_INVALID, "destination.country");
}

static void test_placed_at(void **state)
{
    struct order_command command = plain();

    (void)state;
    command.create.has_placed_at = true;
    command.create.placed_at = lab.context.now_ms + OMS_PLACED_AHEAD_MAX_MS + 1;
    refused(&command, REFUSAL_INVALID, "placedAt");
    command.create.placed_at = INT64_C(1420070400000);
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    assert_int_equal(lab.order->placed_at, INT64_C(1420070400000));
}

static void test_first_stage(void **state)
{
    struct order_command command = plain();

    (void)state;
    command.create.stage = ORDER_STAGE_SHIPPED;
    refused(&command, REFUSAL_INVALID, "stage");
}

static void test_too_many_lines(void **state)
{
    struct order_line_input *lines = calloc(OMS_ORDER_LINES_MAX + 1, sizeof(*lines));
    struct order_command command;

    (void)state;
    for (size_t i = 0; i <= OMS_ORDER_LINES_MAX; i++)
        lines[i] = lab_line("A", "v1", 1, "0.01");
    command = lab_create(&lab, ORDER_STAGE_NONE, lines, OMS_ORDER_LINES_MAX + 1);
    refused(&command, REFUSAL_LIMIT_EXCEEDED, "lineItems");
    command = lab_create(&lab, ORDER_STAGE_NONE, lines, OMS_ORDER_LINES_MAX);
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    assert_int_equal(lab.order->totals.final, OMS_ORDER_LINES_MAX);
    free(lines);
}

static void test_exhausted_memory_refuses(void **state)
{
    struct order_command command = plain();
    struct oms_arena tiny;
    struct order_decision decision;

    (void)state;
    for (size_t size = 64; size < 8192; size += 64) {
        oms_arena_init(&tiny, 64, size);
        order_decide(lab.order, &command, &lab.context, &tiny, &decision);
        if (decision.kind == ORDER_DECISION_REFUSED)
            assert_int_equal(decision.refusals.items[0].code, REFUSAL_LIMIT_EXCEEDED);
        oms_arena_fini(&tiny);
    }
}

/* ---- repeats ---- */

static void test_repeat_of_a_creation(void **state)
{
    struct order_command command = plain();

    (void)state;
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    assert_int_equal(lab_hold(&lab, 0, 0), REFUSAL_NONE);
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    assert_int_equal(lab.decision.kind, ORDER_DECISION_EXISTS);
    assert_false(lab.decision.created);
    assert_int_equal(lab.order->version, 2);
    command.fingerprint.hi = 77;
    assert_int_equal(lab_run(&lab, &command), REFUSAL_CONFLICT);
    assert_string_equal(lab_field(&lab), "externalRef");
}

static void test_keys(void **state)
{
    struct order_command note = lab_command(ORDER_COMMAND_ADD_NOTE);

    (void)state;
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    note.note.text = OMS_STR("x");
    note.has_key = true;
    note.idempotency_key = OMS_STR("k1");
    note.key = (struct oms_hash128){5, 6};
    note.fingerprint = (struct oms_hash128){7, 8};
    assert_int_equal(lab_run(&lab, &note), REFUSAL_NONE);
    assert_int_equal(lab.decision.kind, ORDER_DECISION_EVENTS);
    assert_int_equal(lab_hold(&lab, 0, 0), REFUSAL_NONE);
    assert_int_equal(lab_run(&lab, &note), REFUSAL_NONE);
    assert_int_equal(lab.decision.kind, ORDER_DECISION_REPLAYED);
    assert_int_equal(lab.decision.version, 2);
    assert_int_equal(lab.order->note_count, 1);
    note.has_expected_version = true; /* the key answers before the version is looked at */
    note.expected_version = 1;
    assert_int_equal(lab_run(&lab, &note), REFUSAL_NONE);
    assert_int_equal(lab.decision.kind, ORDER_DECISION_REPLAYED);
    note.fingerprint.lo = 9;
    assert_int_equal(lab_run(&lab, &note), REFUSAL_IDEMPOTENCY_MISMATCH);
    lab_as_scoped(&lab, "nobody", PERMISSION_SCOPE_CUSTOMER, "cust-2", PERMISSION_ALL);
    assert_int_equal(lab_run(&lab, &note),
                     REFUSAL_NOT_FOUND); /* a withdrawn permission withdraws replays too */
}

static enum refusal_code keyed_note(uint64_t key)
{
    struct order_command note = lab_command(ORDER_COMMAND_ADD_NOTE);

    note.note.text = OMS_STR("x");
    note.has_key = true;
    note.idempotency_key = OMS_STR("k");
    note.key.lo = key;
    return lab_run(&lab, &note);
}

static void test_keys_are_kept_a_day_and_the_last_64(void **state)
{
    (void)state;
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    for (uint64_t i = 1; i <= 100; i++)
        assert_int_equal(keyed_note(i), REFUSAL_NONE);
    lab.context.now_ms += OMS_IDEMPOTENCY_KEEP_MS;
    assert_int_equal(keyed_note(101), REFUSAL_NONE);
    assert_int_equal(lab.order->key_count, 101); /* exactly 24 hours: still kept */
    lab.context.now_ms += 1;
    assert_int_equal(keyed_note(102), REFUSAL_NONE);
    assert_int_equal(lab.order->key_count, OMS_ORDER_KEYS_KEPT);
    assert_null(order_find_key(lab.order, (struct oms_hash128){38, 0}));
    assert_non_null(order_find_key(lab.order, (struct oms_hash128){39, 0}));
}

static void test_full_key_memory_refuses_keys_only(void **state)
{
    (void)state;
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    for (uint64_t i = 1; i <= OMS_ORDER_KEYS_MAX; i++)
        assert_int_equal(keyed_note(i), REFUSAL_NONE);
    assert_int_equal(keyed_note(99999), REFUSAL_LIMIT_EXCEEDED);
    assert_string_equal(lab_field(&lab), "idempotencyKey");
    assert_int_equal(keyed_note(1), REFUSAL_NONE);
    assert_int_equal(lab.decision.kind, ORDER_DECISION_REPLAYED);
    assert_int_equal(lab_hold(&lab, 0, 0), REFUSAL_NONE);
    lab.context.now_ms += OMS_IDEMPOTENCY_KEEP_MS + 1;
    assert_int_equal(keyed_note(99999), REFUSAL_NONE);
}

static void test_expected_version(void **state)
{
    struct order_command note = lab_command(ORDER_COMMAND_ADD_NOTE);

    (void)state;
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    note.note.text = OMS_STR("x");
    note.has_expected_version = true;
    note.expected_version = 2;
    assert_int_equal(lab_run(&lab, &note), REFUSAL_CONFLICT);
    assert_string_equal(lab_message(&lab), "The order is at version 1, not 2");
    note.expected_version = 1;
    assert_int_equal(lab_run(&lab, &note), REFUSAL_NONE);
}

static void test_no_such_order(void **state)
{
    (void)state;
    for (unsigned type = ORDER_COMMAND_ADD_LINE_ITEM; type <= ORDER_COMMAND_LAST_PUBLIC; type++)
        assert_int_equal(lab_simple(&lab, (enum order_command_type)type), REFUSAL_NOT_FOUND);
}

static void test_time_never_goes_back(void **state)
{
    (void)state;
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    lab.context.now_ms -= 5000;
    assert_int_equal(lab_hold(&lab, 0, 0), REFUSAL_NONE);
    assert_int_equal(lab.order->holds[0].placed_at, lab.order->created_at);
    assert_int_equal(lab.order->modified_at, lab.order->created_at);
}

/* ---- access ---- */

static void test_customers_create_for_themselves(void **state)
{
    struct order_command command = plain();

    (void)state;
    lab_as_scoped(&lab, "sub-9", PERMISSION_SCOPE_CUSTOMER, "cust-9",
                  PERMISSION_BIT(PERMISSION_CREATE_ORDER));
    assert_int_equal(lab_run(&lab, &command), REFUSAL_FORBIDDEN); /* cust-1 is somebody else */
    command.create.customer.customer_id = OMS_STR_NONE;
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    assert_true(oms_str_eq_c(lab.order->customer.customer_id, "cust-9"));
}

static void test_vendors_create_with_their_lines(void **state)
{
    struct order_line_input lines[2] = {lab_line("A", "v1", 1, "1.00"), lab_line("B", "v2", 1, "1.00")};
    struct order_command command = lab_create(&lab, ORDER_STAGE_NONE, lines, 2);

    (void)state;
    lab_as_scoped(&lab, "sub-9", PERMISSION_SCOPE_VENDOR, "v1", PERMISSION_BIT(PERMISSION_CREATE_ORDER));
    assert_int_equal(lab_run(&lab, &command), REFUSAL_FORBIDDEN);
    command.create.line_count = 1;
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
}

static void test_strangers_learn_nothing(void **state)
{
    (void)state;
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    lab_as_scoped(&lab, "x", PERMISSION_SCOPE_CUSTOMER, "cust-2", PERMISSION_ALL);
    assert_int_equal(lab_cancel(&lab), REFUSAL_NOT_FOUND);
    lab_as_scoped(&lab, "x", PERMISSION_SCOPE_CUSTOMER, "cust-1", PERMISSION_BIT(PERMISSION_GET_ORDER));
    assert_int_equal(lab_cancel(&lab), REFUSAL_FORBIDDEN); /* may read it: told what is missing */
    lab_as_scoped(&lab, "x", PERMISSION_SCOPE_CUSTOMER, "cust-1", PERMISSION_BIT(PERMISSION_CANCEL_ORDER));
    assert_int_equal(lab_cancel(&lab), REFUSAL_NONE);
}

static void test_system_commands_are_not_for_people(void **state)
{
    (void)state;
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_EXPIRE_HOLD), REFUSAL_FORBIDDEN);
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_STEP_DUE), REFUSAL_FORBIDDEN);
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_TRACK_SHIPMENT), REFUSAL_FORBIDDEN);
}

static void test_notes_of_customers_are_theirs_to_read(void **state)
{
    struct order_command note = lab_command(ORDER_COMMAND_ADD_NOTE);

    (void)state;
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    note.note.text = OMS_STR("please hurry");
    lab_as_scoped(&lab, "x", PERMISSION_SCOPE_CUSTOMER, "cust-1", PERMISSION_ALL);
    assert_int_equal(lab_run(&lab, &note), REFUSAL_NONE);
    assert_true(lab.order->notes[0].visible_to_customer);
    lab_as_staff(&lab, "s");
    assert_int_equal(lab_run(&lab, &note), REFUSAL_NONE);
    assert_false(lab.order->notes[1].visible_to_customer);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_defaults),
        T(test_name_is_joined),
        T(test_payment_and_notes_at_once),
        T(test_required_fields),
        T(test_all_faults_at_once),
        T(test_lengths),
        T(test_text_is_utf8_without_controls),
        T(test_emails),
        T(test_countries),
        T(test_placed_at),
        T(test_first_stage),
        T(test_too_many_lines),
        T(test_exhausted_memory_refuses),
        T(test_repeat_of_a_creation),
        T(test_keys),
        T(test_keys_are_kept_a_day_and_the_last_64),
        T(test_full_key_memory_refuses_keys_only),
        T(test_expected_version),
        T(test_no_such_order),
        T(test_time_never_goes_back),
        T(test_customers_create_for_themselves),
        T(test_vendors_create_with_their_lines),
        T(test_strangers_learn_nothing),
        T(test_system_commands_are_not_for_people),
        T(test_notes_of_customers_are_theirs_to_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
