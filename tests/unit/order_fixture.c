/* The bench of order tests; see the header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "actors/money.h"
#include "actors/order_codec.h"
#include "runtime/base/alloc.h"
#include "tests/unit/order_fixture.h"

#define START_MS INT64_C(1700000000000)

void lab_init(struct order_lab *lab)
{
    memset(lab, 0, sizeof(*lab));
    lab->order = order_create();
    oms_arena_init(&lab->arena, 16384, 64u << 20);
    oms_arena_init(&lab->forever, 65536, 1u << 30);
    lab->events = oms_calloc(ORDER_LAB_EVENTS_MAX, sizeof(*lab->events));
    lab->context.now_ms = START_MS;
    lab->context.principal = &lab->principal;
    lab->context.access = &lab->access;
    lab_as_staff(lab, "staff-1");
}

void lab_fini(struct order_lab *lab)
{
    order_destroy(lab->order);
    oms_arena_fini(&lab->arena);
    oms_arena_fini(&lab->forever);
    oms_free(lab->events);
}

void lab_as_staff(struct order_lab *lab, const char *subject)
{
    lab->principal = (struct principal){.kind = PRINCIPAL_USER, .subject = oms_str_of(subject)};
    lab->access =
        (struct access){.unscoped = PERMISSION_ALL, .any = PERMISSION_ALL, .subject = oms_str_of(subject)};
}

void lab_as_scoped(struct order_lab *lab, const char *subject, enum permission_scope_kind kind,
                   const char *id, uint64_t permissions)
{
    struct access_grant *grant = OMS_ARENA_NEW(&lab->forever, struct access_grant);

    *grant = (struct access_grant){kind, oms_str_of(id), permissions};
    lab->principal = (struct principal){.kind = PRINCIPAL_USER, .subject = oms_str_of(subject)};
    lab->access = (struct access){
        .any = permissions, .grants = grant, .grant_count = 1, .subject = oms_str_of(subject)};
}

void lab_workflow(struct order_lab *lab, const char *json)
{
    struct oms_error error = {OMS_OK, ""};
    enum oms_status status = workflow_build_json(oms_str_of(json), 7, &lab->forever, &lab->workflow, &error);

    if (status != OMS_OK)
        print_error("workflow: %s\n", error.message);
    assert_int_equal(status, OMS_OK);
    lab->context.workflow = &lab->workflow;
}

/* ---- running ---- */

static void record(struct order_lab *lab, const struct order_event *event,
                   const struct order_event_meta *meta)
{
    struct order_event decoded;
    struct oms_buf buf;

    assert_true(lab->event_count < ORDER_LAB_EVENTS_MAX);
    oms_buf_init(&buf, 8u << 20);
    order_event_encode(event, &buf);
    assert_false(buf.overflow);
    lab->events[lab->event_count].bytes = oms_str_copy(&lab->forever, oms_buf_str(&buf));
    lab->events[lab->event_count].meta = *meta;
    lab->events[lab->event_count].meta.actor.subject = oms_str_copy(&lab->forever, meta->actor.subject);
    oms_buf_fini(&buf);
    assert_int_equal(order_event_decode(lab->events[lab->event_count].bytes, &lab->arena, &decoded), OMS_OK);
    order_apply(lab->order, &decoded, meta);
    lab->event_count++;
}

enum refusal_code lab_run(struct order_lab *lab, const struct order_command *command)
{
    struct order_event_meta meta;
    uint64_t version = lab->order->version;

    oms_arena_reset(&lab->arena);
    order_decide(lab->order, command, &lab->context, &lab->arena, &lab->decision);
    assert_int_equal(lab->order->version, version);
    if (lab->decision.kind == ORDER_DECISION_REFUSED) {
        assert_true(lab->decision.refusals.count > 0);
        return lab->decision.refusals.items[0].code;
    }
    assert_int_equal(lab->decision.refusals.count, 0);
    if (lab->decision.kind != ORDER_DECISION_EVENTS)
        return REFUSAL_NONE;
    order_decision_meta(lab->order, command, &lab->context, 0, &meta);
    for (size_t i = 0; i < lab->decision.event_count; i++) {
        record(lab, &lab->decision.events[i], &meta);
        meta.sequence++;
    }
    assert_int_equal(lab->order->version, version + 1);
    assert_int_equal(lab->order->version, lab->decision.version);
    return REFUSAL_NONE;
}

const char *lab_message(struct order_lab *lab)
{
    return lab->decision.refusals.count
               ? oms_str_copy(&lab->arena, lab->decision.refusals.items[0].message).data
               : "";
}

const char *lab_field(struct order_lab *lab)
{
    struct oms_str field;

    if (!lab->decision.refusals.count)
        return "";
    field = oms_str_copy(&lab->arena, lab->decision.refusals.items[0].field);
    return field.data ? field.data : "";
}

bool lab_has(const struct order_lab *lab, enum order_event_type type)
{
    for (size_t i = 0; i < lab->decision.event_count; i++)
        if (lab->decision.events[i].type == type)
            return true;
    return false;
}

/* ---- inputs ---- */

struct order_amount lab_amount(struct order_lab *lab, const char *text)
{
    (void)lab;
    return (struct order_amount){oms_str_of(text), 0};
}

struct order_line_input lab_line(const char *sku, const char *vendor, int64_t quantity, const char *price)
{
    return (struct order_line_input){
        .sku = oms_str_of(sku),
        .name = oms_str_of(sku),
        .vendor = {.id = oms_str_of(vendor)},
        .quantity = quantity,
        .price = {oms_str_of(price), MONEY_CODE('U', 'S', 'D')},
    };
}

struct order_command lab_command(enum order_command_type type)
{
    struct order_command command;

    memset(&command, 0, sizeof(command));
    command.type = type;
    return command;
}

struct order_command lab_create(struct order_lab *lab, enum order_stage stage,
                                const struct order_line_input *lines, size_t count)
{
    struct order_command command = lab_command(ORDER_COMMAND_CREATE_ORDER);
    struct order_line_input *copy = oms_arena_calloc(&lab->forever, count ? count : 1, sizeof(*copy));

    if (count)
        memcpy(copy, lines, count * sizeof(*copy));
    command.fingerprint = (struct oms_hash128){1, 2};
    command.create.order_id = OMS_STR("ORD-TEST");
    command.create.external_ref = OMS_STR("R-1");
    command.create.stage = stage;
    command.create.customer.customer_id = OMS_STR("cust-1");
    command.create.customer.email = OMS_STR("ada@example.org");
    command.create.has_destination = true;
    command.create.destination.city = OMS_STR("New York");
    command.create.destination.country = OMS_STR("United States");
    command.create.lines = copy;
    command.create.line_count = count;
    return command;
}

void lab_place(struct order_lab *lab, enum order_stage stage)
{
    struct order_line_input lines[2] = {lab_line("A", "v1", 3, "10.00"), lab_line("B", "v2", 2, "5.00")};
    struct order_command command = lab_create(lab, stage, lines, 2);

    command.create.shipping_cost = lab_amount(lab, "4.00");
    assert_int_equal(lab_run(lab, &command), REFUSAL_NONE);
}

enum refusal_code lab_simple(struct order_lab *lab, enum order_command_type type)
{
    struct order_command command = lab_command(type);

    return lab_run(lab, &command);
}

enum refusal_code lab_pay(struct order_lab *lab, const char *amount, const char *transaction)
{
    struct order_command command = lab_command(ORDER_COMMAND_RECORD_PAYMENT);

    command.payment.method = OMS_STR("card");
    command.payment.provider = OMS_STR("psp");
    command.payment.transaction_id = oms_str_of(transaction);
    command.payment.amount = lab_amount(lab, amount);
    return lab_run(lab, &command);
}

enum refusal_code lab_cancel(struct order_lab *lab)
{
    struct order_command command = lab_command(ORDER_COMMAND_CANCEL_ORDER);

    command.cancel.reason = OMS_STR("changed my mind");
    return lab_run(lab, &command);
}

enum refusal_code lab_cancel_lines(struct order_lab *lab, uint32_t line, int64_t quantity)
{
    struct order_command command = lab_command(ORDER_COMMAND_CANCEL_LINE_ITEMS);
    struct order_line_ref ref = {.line_item_id = line, .quantity = quantity};

    command.cancel.reason = OMS_STR("out of stock");
    command.cancel.refs = &ref;
    command.cancel.ref_count = 1;
    return lab_run(lab, &command);
}

enum refusal_code lab_add_shipment(struct order_lab *lab, uint32_t line, int64_t quantity)
{
    struct order_command command = lab_command(ORDER_COMMAND_ADD_SHIPMENT);
    struct order_line_ref ref = {.line_item_id = line, .quantity = quantity};

    command.shipment.items = &ref;
    command.shipment.item_count = line ? 1 : 0;
    command.shipment.mode = ORDER_SHIPMENT_MODE_WAREHOUSE;
    return lab_run(lab, &command);
}

enum refusal_code lab_shipment(struct order_lab *lab, enum order_command_type type, uint32_t shipment)
{
    struct order_command command = lab_command(type);

    command.shipment.shipment = shipment;
    if (type == ORDER_COMMAND_ADD_SHIPPING_TRACKING_REFERENCE)
        command.shipment.tracking_url = OMS_STR("https://carrier.example/1");
    return lab_run(lab, &command);
}

enum refusal_code lab_scan(struct order_lab *lab, uint32_t shipment, enum order_shipment_status status,
                           int64_t at)
{
    static const struct principal webhook = {.kind = PRINCIPAL_WEBHOOK, .subject = {"wss", 3}};
    struct order_command command = lab_command(ORDER_COMMAND_TRACK_SHIPMENT);
    enum refusal_code code;

    command.shipment.shipment = shipment;
    command.shipment.status = status;
    command.shipment.occurred_at = at;
    command.shipment.carrier_status = OMS_STR("scan");
    lab->context.principal = &webhook;
    code = lab_run(lab, &command);
    lab->context.principal = &lab->principal;
    return code;
}

enum refusal_code lab_return(struct order_lab *lab, uint32_t line, int64_t quantity)
{
    struct order_command command = lab_command(ORDER_COMMAND_REQUEST_RETURN);
    struct order_return_item_input item = {.ref = {.line_item_id = line, .quantity = quantity}};

    command.returns.items = &item;
    command.returns.item_count = line ? 1 : 0;
    command.returns.reason = OMS_STR("too small");
    return lab_run(lab, &command);
}

enum refusal_code lab_on_return(struct order_lab *lab, enum order_command_type type, uint32_t id)
{
    struct order_command command = lab_command(type);

    command.returns.return_id = id;
    command.returns.reason = OMS_STR("because");
    return lab_run(lab, &command);
}

enum refusal_code lab_refund_return(struct order_lab *lab, uint32_t id, enum order_refund_status status)
{
    struct order_command command = lab_command(ORDER_COMMAND_PROCESS_REFUND);

    command.refund.return_id = id;
    command.refund.status = status;
    return lab_run(lab, &command);
}

enum refusal_code lab_refund_amount(struct order_lab *lab, const char *amount,
                                    enum order_refund_status status)
{
    struct order_command command = lab_command(ORDER_COMMAND_PROCESS_REFUND);

    command.refund.amount = lab_amount(lab, amount);
    command.refund.reason = OMS_STR("goodwill");
    command.refund.status = status;
    return lab_run(lab, &command);
}

enum refusal_code lab_hold(struct order_lab *lab, order_command_set blocks, int64_t expires_at)
{
    struct order_command command = lab_command(ORDER_COMMAND_PLACE_HOLD);

    command.hold.reason = OMS_STR("fraud check");
    command.hold.blocks = blocks;
    command.hold.expires_at = expires_at;
    return lab_run(lab, &command);
}

enum refusal_code lab_release(struct order_lab *lab, uint32_t hold)
{
    struct order_command command = lab_command(ORDER_COMMAND_RELEASE_HOLD);

    command.hold.hold = hold;
    return lab_run(lab, &command);
}

enum refusal_code lab_step(struct order_lab *lab, enum order_command_type type, const char *step)
{
    struct order_command command = lab_command(type);

    command.step.step_name = oms_str_of(step);
    return lab_run(lab, &command);
}

void lab_bring_to(struct order_lab *lab, enum order_stage stage)
{
    lab_place(lab,
              stage == ORDER_STAGE_DRAFT || stage == ORDER_STAGE_PENDING ? stage : ORDER_STAGE_CONFIRMED);
    if (stage == ORDER_STAGE_CANCELLED)
        assert_int_equal(lab_cancel(lab), REFUSAL_NONE);
    if (stage == ORDER_STAGE_SHIPPED || stage == ORDER_STAGE_COMPLETED)
        assert_int_equal(lab_simple(lab, ORDER_COMMAND_MARK_AS_SHIPPED), REFUSAL_NONE);
    if (stage == ORDER_STAGE_COMPLETED) {
        assert_int_equal(lab_pay(lab, "44.00", "t-1"), REFUSAL_NONE);
        assert_int_equal(lab_simple(lab, ORDER_COMMAND_MARK_AS_COMPLETED), REFUSAL_NONE);
    }
    assert_int_equal(lab->order->stage, stage);
}

/* ---- checks ---- */

/* Folding the events a few at a time on the stored state, as the projector does, gives the bytes that
 * freezing the whole order would. */
static void check_traced(const struct order_lab *lab, size_t events_at_once)
{
    struct order *whole = order_create();
    struct oms_arena arena;
    struct oms_buf stored, next, frozen;

    oms_arena_init(&arena, 16384, 64u << 20);
    oms_buf_init(&stored, 64u << 20);
    oms_buf_init(&next, 64u << 20);
    oms_buf_init(&frozen, 64u << 20);
    for (size_t i = 0; i < lab->event_count;) {
        struct order *order = order_create();
        static struct order_origin origin;
        size_t end = i + events_at_once < lab->event_count ? i + events_at_once : lab->event_count;
        bool first = i == 0;

        bool erases = false; /* changes what a traced thaw does not read */
        for (size_t k = i; k < end; k++) {
            struct order_event event;

            assert_int_equal(order_event_decode(lab->events[k].bytes, &arena, &event), OMS_OK);
            erases = erases || event.type == ORDER_EVENT_CUSTOMER_ERASED;
        }
        if (!first && erases)
            assert_int_equal(order_thaw(oms_buf_str(&stored), order), OMS_OK);
        else if (!first)
            assert_int_equal(order_thaw_traced(oms_buf_str(&stored), order, &origin), OMS_OK);
        for (; i < end; i++) {
            struct order_event event;

            assert_int_equal(order_event_decode(lab->events[i].bytes, &arena, &event), OMS_OK);
            order_apply(order, &event, &lab->events[i].meta);
            order_apply(whole, &event, &lab->events[i].meta);
        }
        oms_buf_reset(&next);
        oms_buf_reset(&frozen);
        if (first || erases)
            order_freeze(order, &next);
        else
            order_refreeze(order, &origin, &next);
        order_freeze(whole, &frozen);
        assert_int_equal(next.len, frozen.len);
        assert_memory_equal(next.data, frozen.data, frozen.len);
        oms_buf_reset(&stored);
        oms_buf_append_str(&stored, oms_buf_str(&next));
        order_destroy(order);
    }
    order_destroy(whole);
    oms_buf_fini(&stored);
    oms_buf_fini(&next);
    oms_buf_fini(&frozen);
    oms_arena_fini(&arena);
}

void lab_check_refold(const struct order_lab *lab)
{
    struct order *again = order_create();
    struct oms_arena arena;
    struct oms_buf ours, theirs;

    oms_arena_init(&arena, 16384, 64u << 20);
    for (size_t i = 0; i < lab->event_count; i++) {
        struct order_event event;

        oms_arena_reset(&arena);
        assert_int_equal(order_event_decode(lab->events[i].bytes, &arena, &event), OMS_OK);
        order_apply(again, &event, &lab->events[i].meta);
    }
    oms_buf_init(&ours, 64u << 20);
    oms_buf_init(&theirs, 64u << 20);
    order_freeze(lab->order, &ours);
    order_freeze(again, &theirs);
    assert_int_equal(ours.len, theirs.len);
    assert_memory_equal(ours.data, theirs.data, ours.len);
    assert_int_equal(lab->order->fulfillment, again->fulfillment);
    assert_int_equal(lab->order->payment, again->payment);
    assert_int_equal(lab->order->refund_due, again->refund_due);
    assert_int_equal(lab->order->current_activity, again->current_activity);
    assert_int_equal(lab->order->note_count, again->note_count);
    /* A thawed state is the same state. */
    order_destroy(again);
    again = order_create();
    assert_int_equal(order_thaw(oms_buf_str(&ours), again), OMS_OK);
    oms_buf_reset(&theirs);
    order_freeze(again, &theirs);
    assert_int_equal(ours.len, theirs.len);
    assert_memory_equal(ours.data, theirs.data, ours.len);
    assert_int_equal(lab->order->payment, again->payment);
    assert_int_equal(lab->order->fulfillment, again->fulfillment);
    order_destroy(again);
    oms_buf_fini(&ours);
    oms_buf_fini(&theirs);
    oms_arena_fini(&arena);
    check_traced(lab, 1);
    check_traced(lab, 3);
}

/* Counts of the line from the shipments and returns themselves. */
static void check_line_counts(const struct order *order, const struct order_line *line)
{
    int64_t allocated = 0, shipped = 0, delivered = 0, open = 0, returned = 0;

    for (size_t i = 0; i < order->shipment_count; i++)
        for (size_t k = 0; k < order->shipments[i].item_count; k++) {
            enum order_shipment_status status = order->shipments[i].status;
            int64_t quantity = order->shipments[i].items[k].quantity;

            if (order->shipments[i].items[k].line != line->id)
                continue;
            if (status >= ORDER_SHIPMENT_PENDING && status <= ORDER_SHIPMENT_DELIVERED)
                allocated += quantity;
            if (status == ORDER_SHIPMENT_IN_TRANSIT || status == ORDER_SHIPMENT_DELIVERED)
                shipped += quantity;
            if (status == ORDER_SHIPMENT_DELIVERED)
                delivered += quantity;
        }
    for (size_t i = 0; i < order->return_count; i++)
        for (size_t k = 0; k < order->returns[i].item_count; k++) {
            enum order_return_status status = order->returns[i].status;

            if (order->returns[i].items[k].line != line->id)
                continue;
            if (status == ORDER_RETURN_REQUESTED || status == ORDER_RETURN_APPROVED)
                open += order->returns[i].items[k].quantity;
            if (status == ORDER_RETURN_RECEIVED || status == ORDER_RETURN_CLOSED)
                returned += order->returns[i].items[k].received;
        }
    assert_int_equal(line->allocated, allocated);
    assert_int_equal(line->shipped, shipped);
    assert_int_equal(line->delivered, delivered);
    assert_int_equal(line->return_open, open);
    assert_int_equal(line->returned, returned);
}

static void check_money(const struct order *order)
{
    const struct order_totals *totals = &order->totals;
    int64_t total = 0, paid = 0, refunded = 0, reserved = 0, tax = 0;

    for (size_t i = 0; i < order->line_count; i++)
        total += order_line_total(&order->lines[i]);
    for (size_t i = 0; i < order->tax_line_count; i++)
        tax += order->tax_lines[i].amount;
    assert_int_equal(totals->total, total);
    assert_int_equal(totals->final, totals->total - totals->discounts + totals->shipping +
                                        (order->taxes_included ? 0 : totals->tax));
    assert_true(totals->final >= 0 && totals->discounts >= 0 && totals->tax >= 0);
    if (order->tax_line_count)
        assert_int_equal(tax, totals->tax);
    for (size_t i = 0; i < order->payment_count; i++)
        paid += order->payments[i].status == ORDER_PAYMENT_CAPTURED ? order->payments[i].amount : 0;
    for (size_t i = 0; i < order->refund_count; i++) {
        const struct order_refund *refund = &order->refunds[i];

        assert_true(refund->amount >= 0 && refund->fee >= 0 && refund->goods >= refund->fee);
        refunded += refund->status == ORDER_REFUND_SUCCEEDED ? refund->amount : 0;
        reserved += refund->status == ORDER_REFUND_PENDING ? refund->amount : 0;
    }
    assert_int_equal(order->paid, paid);
    assert_int_equal(order->refunded, refunded);
    assert_int_equal(order->refund_reserved, reserved);
    assert_true(refunded + reserved <= paid);
    assert_true(order->refund_due >= 0 && order->refund_due <= paid - refunded - reserved);
}

void lab_check_invariants(const struct order_lab *lab)
{
    const struct order *order = lab->order;

    for (size_t i = 0; i < order->line_count; i++) {
        const struct order_line *line = &order->lines[i];

        assert_true(line->quantity >= 1 && line->cancelled >= 0 && line->cancelled <= line->quantity);
        assert_true(line->allocated <= line->quantity - line->cancelled);
        assert_true(line->delivered >= 0 && line->delivered <= line->shipped &&
                    line->shipped <= line->allocated);
        assert_true(line->return_open >= 0 && line->returned >= 0);
        assert_true(line->return_open + line->returned <= line->shipped);
        assert_true(line->settled_quantity >= 0 && line->settled_quantity <= line->priced_quantity);
        check_line_counts(order, line);
    }
    for (size_t i = 0; i < order->return_count; i++)
        assert_true(order->returns[i].refunded >= 0 && order->returns[i].refunded <= order->returns[i].value);
    check_money(order);
}

void lab_finish(struct order_lab *lab)
{
    if (lab->order->version) {
        lab_check_invariants(lab);
        lab_check_refold(lab);
    }
    lab_fini(lab);
}
