/* What events show, and to whom: staff everything, a customer their order's life, a vendor their lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "actors/order_event_json.h"
#include "order_fixture.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"

static const struct access_order staff_on = {.full = true, .all_lines = true};
static const struct access_order customer_on = {.customer = true, .all_lines = true};
static const struct access_order vendor_on = {.vendor = true};
static const struct access_grant vendor_grant = {PERMISSION_SCOPE_VENDOR, {"v1", 2}, PERMISSION_ALL};
static const struct access vendor_access = {.any = PERMISSION_ALL, .grants = &vendor_grant, .grant_count = 1};
static const struct access all_access = {.any = PERMISSION_ALL, .unscoped = PERMISSION_ALL};

static char text[1 << 16];

/* The change as text; checked to be JSON. */
static const char *change(const struct order_lab *lab, const struct order_event *event,
                          const struct access_order *on, const struct access *access)
{
    struct oms_buf out = {.data = text, .cap = sizeof text - 1, .max = sizeof text - 1};
    struct oms_json_error error;
    struct oms_arena arena;
    struct oms_value value;

    order_event_change_json(event, lab->order, on, access, lab->order->currency, &out);
    assert_false(out.overflow);
    text[out.len] = 0;
    oms_arena_init(&arena, 4096, 1 << 20);
    assert_int_equal(oms_json_parse(oms_buf_str(&out), 16, &arena, &value, &error), OMS_OK);
    assert_int_equal(value.kind, OMS_VALUE_OBJECT);
    oms_arena_fini(&arena);
    return text;
}

static const struct order_event *event_of(const struct order_lab *lab, enum order_event_type type)
{
    for (size_t i = 0; i < lab->decision.event_count; i++)
        if (lab->decision.events[i].type == type)
            return &lab->decision.events[i];
    fail_msg("no event %s", order_event_name(type));
    return NULL;
}

static void place(struct order_lab *lab)
{
    struct order_line_input lines[] = {lab_line("SKU-A", "v1", 3, "10.00"),
                                       lab_line("SKU-B", "v2", 2, "5.00")};
    struct order_command command;

    lines[0].options = OMS_STR("{\"size\":1}");
    command = lab_create(lab, ORDER_STAGE_CONFIRMED, lines, 2);
    command.create.customer.email = OMS_STR("secret@example.com");
    assert_int_equal(lab_run(lab, &command), REFUSAL_NONE);
}

static void a_creation_shows_each_their_part(void **state)
{
    const struct order_event *event;
    struct order_lab lab;
    const char *json;

    (void)state;
    lab_init(&lab);
    place(&lab);
    event = event_of(&lab, ORDER_EVENT_ORDER_CREATED);
    json = change(&lab, event, &staff_on, &all_access);
    assert_non_null(strstr(json, "SKU-A"));
    assert_non_null(strstr(json, "SKU-B"));
    assert_non_null(strstr(json, "secret@example.com"));
    assert_non_null(strstr(json, "\"finalAmount\":{\"amount\":\"40.00\",\"currency\":\"USD\"}"));
    assert_non_null(strstr(json, "\"options\":{\"size\":1}"));
    json = change(&lab, event, &customer_on, &vendor_access);
    assert_non_null(strstr(json, "SKU-B"));
    assert_non_null(strstr(json, "secret@example.com"));
    json = change(&lab, event, &vendor_on, &vendor_access);
    assert_non_null(strstr(json, "SKU-A"));
    assert_null(strstr(json, "SKU-B"));
    assert_null(strstr(json, "secret@example.com"));
    assert_null(strstr(json, "finalAmount"));
    assert_null(strstr(json, "40.00"));
    lab_fini(&lab);
}

/* Neither absent fields nor objects of nothing but absent fields leave a name behind. */
static void objects_without_fields_are_left_out(void **state)
{
    struct order_event event = {.type = ORDER_EVENT_SHIPMENT_ADDED};
    struct order_lab lab;
    const char *json;

    (void)state;
    lab_init(&lab);
    place(&lab);
    json = change(&lab, event_of(&lab, ORDER_EVENT_ORDER_CREATED), &staff_on, &all_access);
    assert_non_null(strstr(json, "\"vendor\":{\"vendorId\":\"v1\"}"));
    assert_null(strstr(json, "\"package\""));
    assert_null(strstr(json, "{}"));
    event.shipment.id = 1;
    json = change(&lab, &event, &staff_on, &all_access);
    assert_null(strstr(json, "\"package\""));
    assert_null(strstr(json, "\"shipmentAddress\""));
    event.shipment.package.weight = OMS_STR("2 kg");
    event.shipment.address.city = OMS_STR("Bergen");
    json = change(&lab, &event, &staff_on, &all_access);
    assert_non_null(strstr(json, "\"package\":{\"weight\":\"2 kg\"}"));
    assert_non_null(strstr(json, "\"shipmentAddress\":{\"city\":\"Bergen\"}"));
    lab_fini(&lab);
}

static void payments_are_not_the_vendors(void **state)
{
    const struct order_event *event;
    struct order_lab lab;

    (void)state;
    lab_init(&lab);
    place(&lab);
    assert_int_equal(lab_pay(&lab, "40.00", "tx-77"), REFUSAL_NONE);
    event = event_of(&lab, ORDER_EVENT_PAYMENT_RECORDED);
    assert_true(order_event_visible(event, lab.order, &staff_on, &all_access));
    assert_true(order_event_visible(event, lab.order, &customer_on, &vendor_access));
    assert_false(order_event_visible(event, lab.order, &vendor_on, &vendor_access));
    assert_non_null(strstr(change(&lab, event, &customer_on, &vendor_access), "tx-77"));
    assert_string_equal(change(&lab, event, &vendor_on, &vendor_access), "{}");
    lab_fini(&lab);
}

static void shipments_are_of_those_whose_lines_they_carry(void **state)
{
    const struct order_event *event;
    struct order_lab lab;
    const char *json;

    (void)state;
    lab_init(&lab);
    place(&lab);
    assert_int_equal(lab_add_shipment(&lab, 2, 1), REFUSAL_NONE);
    event = event_of(&lab, ORDER_EVENT_SHIPMENT_ADDED);
    assert_false(order_event_visible(event, lab.order, &vendor_on, &vendor_access));
    assert_int_equal(lab_add_shipment(&lab, 0, 0), REFUSAL_NONE); /* the rest: of both */
    event = event_of(&lab, ORDER_EVENT_SHIPMENT_ADDED);
    assert_true(order_event_visible(event, lab.order, &vendor_on, &vendor_access));
    json = change(&lab, event, &vendor_on, &vendor_access);
    assert_non_null(strstr(json, "\"shipmentId\":\"SHP-2\""));
    assert_non_null(strstr(json, "{\"lineItemId\":\"1\",\"quantity\":3}"));
    assert_null(strstr(json, "\"lineItemId\":\"2\""));
    assert_int_equal(lab_shipment(&lab, ORDER_COMMAND_DISPATCH_SHIPMENT, 1), REFUSAL_NONE);
    event = event_of(&lab, ORDER_EVENT_SHIPMENT_DISPATCHED);
    assert_false(order_event_visible(event, lab.order, &vendor_on, &vendor_access));
    assert_true(order_event_visible(event, lab.order, &customer_on, &vendor_access));
    lab_fini(&lab);
}

static void notes_show_when_marked_so(void **state)
{
    struct order_event event = {.type = ORDER_EVENT_NOTE_ADDED};
    struct order_lab lab;

    (void)state;
    lab_init(&lab);
    place(&lab);
    event.note = (struct order_note){.id = 1, .text = OMS_STR("a \"quoted\" note")};
    assert_true(order_event_visible(&event, lab.order, &staff_on, &all_access));
    assert_false(order_event_visible(&event, lab.order, &customer_on, &vendor_access));
    assert_false(order_event_visible(&event, lab.order, &vendor_on, &vendor_access));
    event.note.visible_to_customer = true;
    assert_true(order_event_visible(&event, lab.order, &customer_on, &vendor_access));
    assert_non_null(strstr(change(&lab, &event, &customer_on, &vendor_access), "a \\\"quoted\\\" note"));
    lab_fini(&lab);
}

static void holds_and_steps_are_the_staffs(void **state)
{
    const struct order_event *event;
    struct order_lab lab;

    (void)state;
    lab_init(&lab);
    lab_workflow(&lab, workflow_default_json().data);
    place(&lab);
    event = event_of(&lab, ORDER_EVENT_STEP_STARTED);
    assert_true(order_event_needs_order(event, &staff_on));
    assert_non_null(strstr(change(&lab, event, &staff_on, &all_access), "\"stepName\":\"review_order\""));
    assert_false(order_event_visible(event, lab.order, &customer_on, &vendor_access));
    assert_int_equal(lab_hold(&lab, ORDER_COMMAND_BIT(ORDER_COMMAND_MARK_AS_SHIPPED), 0), REFUSAL_NONE);
    event = event_of(&lab, ORDER_EVENT_HOLD_PLACED);
    assert_false(order_event_visible(event, lab.order, &customer_on, &vendor_access));
    assert_false(order_event_visible(event, lab.order, &vendor_on, &vendor_access));
    assert_non_null(strstr(change(&lab, event, &staff_on, &all_access), "\"blocks\":[\"markAsShipped\"]"));
    lab_fini(&lab);
}

static void every_type_has_its_row(void **state)
{
    struct order_lab lab;

    (void)state;
    lab_init(&lab);
    place(&lab);
    for (unsigned type = 1; type < ORDER_EVENT_COUNT; type++) {
        struct order_event event;

        memset(&event, 0, sizeof event);
        event.type = (enum order_event_type)type;
        change(&lab, &event, &staff_on, &all_access);
        change(&lab, &event, &vendor_on, &vendor_access);
    }
    lab_fini(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_creation_shows_each_their_part),
        cmocka_unit_test(objects_without_fields_are_left_out),
        cmocka_unit_test(payments_are_not_the_vendors),
        cmocka_unit_test(shipments_are_of_those_whose_lines_they_carry),
        cmocka_unit_test(notes_show_when_marked_so),
        cmocka_unit_test(holds_and_steps_are_the_staffs),
        cmocka_unit_test(every_type_has_its_row),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
