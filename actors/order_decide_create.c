/*
 * createOrder: reads the whole content, prices it, and makes the order with its workflow's steps.
 *
 * All fields are looked at before anything is refused, so that a storefront sees every fault at once; sums
 * are checked only when the fields are right. A customer's scope fills in a missing customerId.
 */
#include <stdio.h>

#include "actors/money.h"
#include "actors/order_internal.h"
#include "actors/workflow.h"
#include "runtime/base/limits.h"

static struct oms_str filled(struct oms_str value)
{
    return value.len ? value : OMS_STR_NONE;
}

/* ---- access: there is no order yet, so its content stands for it ---- */

static void default_customer(struct order_work *work, struct order_created *created)
{
    const struct access *access = work->context->access;

    if (work->internal || created->customer.customer_id.len ||
        access_unscoped(access, PERMISSION_CREATE_ORDER))
        return;
    for (size_t i = 0; i < access->grant_count; i++)
        if (access->grants[i].kind == PERMISSION_SCOPE_CUSTOMER &&
            (access->grants[i].permissions & PERMISSION_BIT(PERMISSION_CREATE_ORDER))) {
            created->customer.customer_id = access->grants[i].id;
            return;
        }
}

static bool check_create_access(struct order_work *work, struct order_created *created)
{
    const struct order_create_input *in = &work->command->create;
    struct oms_str vendors[OMS_ORDER_LINES_MAX];

    if (work->internal)
        return true;
    if (!access_may(work->context->access, PERMISSION_CREATE_ORDER))
        return refusal_add(work->refusals, REFUSAL_FORBIDDEN, REFUSAL_NO_FIELD,
                           "This needs the permission create_order");
    if (in->line_count > OMS_ORDER_LINES_MAX)
        return refusal_add(work->refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_FIELD("lineItems"),
                           "An order has at most %d lines", OMS_ORDER_LINES_MAX);
    default_customer(work, created);
    for (size_t i = 0; i < in->line_count; i++)
        vendors[i] = in->lines[i].vendor.id;
    if (!access_match(work->context->access, PERMISSION_CREATE_ORDER, created->customer.customer_id, vendors,
                      in->line_count, &work->on) ||
        (!work->on.full && !work->on.customer && !work->on.all_lines))
        return refusal_add(work->refusals, REFUSAL_FORBIDDEN, REFUSAL_NO_FIELD,
                           "You may create orders only for yourself: check customerId and vendors");
    return true;
}

/* ---- fields ---- */

static struct oms_str join_name(struct order_work *work, struct oms_str first, struct oms_str last)
{
    char *joined;

    if (!first.len || !last.len)
        return first.len ? first : filled(last);
    joined = order_work_alloc(work, first.len + last.len + 1, 1);
    if (!joined)
        return OMS_STR_NONE;
    memcpy(joined, first.data, first.len);
    joined[first.len] = ' ';
    memcpy(joined + first.len + 1, last.data, last.len);
    return oms_str_make(joined, first.len + 1 + last.len);
}

static void read_customer(struct order_work *work, const struct order_customer *in,
                          struct order_customer *out)
{
    const char *prefix = "customerDetails.";

    order_field_text(work, prefix, "customerId", in->customer_id, ORDER_ID_TEXT);
    order_field_text(work, prefix, "name", in->name, ORDER_NAME_TEXT);
    order_field_text(work, prefix, "firstName", in->first_name, ORDER_NAME_TEXT / 2);
    order_field_text(work, prefix, "lastName", in->last_name, ORDER_NAME_TEXT / 2 - 1);
    order_field_email(work, prefix, "email", in->email);
    order_field_text(work, prefix, "phone", in->phone, ORDER_ID_TEXT);
    if (in->customer_id.len)
        out->customer_id = in->customer_id;
    out->name = in->name.len ? in->name : join_name(work, in->first_name, in->last_name);
    out->first_name = filled(in->first_name);
    out->last_name = filled(in->last_name);
    out->email = filled(in->email);
    out->phone = filled(in->phone);
    if (!oms_str_trim(out->customer_id).len && !oms_str_trim(out->name).len &&
        !oms_str_trim(out->email).len && !oms_str_trim(out->phone).len)
        refusal_add(work->refusals, REFUSAL_REQUIRED, REFUSAL_FIELD("customerDetails"),
                    "Give at least one of customerId, name, email and phone");
}

static void read_addresses(struct order_work *work, struct order_created *created)
{
    const struct order_create_input *in = &work->command->create;
    bool pickup = oms_str_eq_nocase(oms_str_trim(in->shipping_method), OMS_STR("pickup"));

    if (!in->has_destination && !pickup)
        refusal_add(
            work->refusals, REFUSAL_REQUIRED, REFUSAL_FIELD("destination"),
            "Give the destination; only an order with shippingDetails.method \"pickup\" may leave it out");
    else if (in->has_destination)
        order_field_address(work, "destination.", &in->destination, &created->destination, !pickup);
    created->has_destination = in->has_destination;
    created->has_billing = in->has_billing;
    if (in->has_billing)
        order_field_address(work, "billingAddress.", &in->billing, &created->billing, false);
}

static void read_stage(struct order_work *work, struct order_created *created)
{
    const struct order_create_input *in = &work->command->create;

    created->stage = in->stage ? in->stage : ORDER_STAGE_CONFIRMED;
    if (created->stage > ORDER_STAGE_CONFIRMED)
        refusal_add(work->refusals, REFUSAL_INVALID, REFUSAL_FIELD("stage"),
                    "An order starts as DRAFT, PENDING or CONFIRMED, not %s",
                    order_stage_name(created->stage));
    created->placed_at = in->has_placed_at ? in->placed_at : work->now;
    if (created->placed_at > work->now + OMS_PLACED_AHEAD_MAX_MS)
        refusal_add(work->refusals, REFUSAL_INVALID, REFUSAL_FIELD("placedAt"),
                    "placedAt is more than 24 hours ahead");
}

static void read_identity(struct order_work *work, struct order_created *created)
{
    const struct order_create_input *in = &work->command->create;

    order_field_text(work, "", "externalRef", in->external_ref, ORDER_ID_TEXT);
    order_field_text(work, "", "source", in->source, ORDER_ID_TEXT);
    created->order_id = in->order_id;
    created->external_ref = filled(in->external_ref);
    created->source = in->source.len ? in->source : OMS_STR("api");
    created->content_fingerprint = work->command->fingerprint;
    created->workflow_version = work->context->workflow ? work->context->workflow->version : 0;
}

/* A list of short texts: coupons, offers, tax details. */
static const struct oms_str *read_texts(struct order_work *work, const char *path,
                                        const struct oms_str *texts, size_t count, size_t max)
{
    char prefix[48];

    if (count > OMS_ORDER_COUPONS_MAX)
        refusal_add(work->refusals, REFUSAL_LIMIT_EXCEEDED, oms_str_of(path), "At most %d are accepted",
                    OMS_ORDER_COUPONS_MAX);
    for (size_t i = 0; i < count && i < OMS_ORDER_COUPONS_MAX; i++) {
        snprintf(prefix, sizeof(prefix), "%s.%zu", path, i);
        order_field_required(work, prefix, "", texts[i], max);
    }
    return texts;
}

static void read_extras(struct order_work *work, struct order_created *created)
{
    const struct order_create_input *in = &work->command->create;

    order_field_text(work, "shippingDetails.", "method", in->shipping_method, ORDER_NAME_TEXT);
    order_field_text(work, "shippingDetails.", "deliveryTime", in->delivery_time, ORDER_NAME_TEXT);
    order_field_amount(work, "shippingDetails.", "cost", in->shipping_cost, &created->shipping.cost);
    created->shipping.method = filled(in->shipping_method);
    created->shipping.delivery_time = filled(in->delivery_time);
    created->coupons = read_texts(work, "coupons", in->coupons, in->coupon_count, ORDER_ID_TEXT);
    created->coupon_count = in->coupon_count;
    created->offers = read_texts(work, "offerDetails", in->offers, in->offer_count, ORDER_LONG_TEXT);
    created->offer_count = in->offer_count;
    created->tax_details =
        read_texts(work, "taxDetails", in->tax_details, in->tax_detail_count, ORDER_LONG_TEXT);
    created->tax_detail_count = in->tax_detail_count;
    created->taxes_included = in->taxes_included;
    if (in->note_count > OMS_ORDER_COUPONS_MAX)
        refusal_add(work->refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_FIELD("notes"),
                    "A creation brings at most %d notes", OMS_ORDER_COUPONS_MAX);
}

/* The order's one currency is that of its first price. */
static bool read_currency(struct order_work *work, struct order_created *created)
{
    const struct order_create_input *in = &work->command->create;

    if (in->line_count == 0)
        return refusal_add(work->refusals, REFUSAL_REQUIRED, REFUSAL_FIELD("lineItems"),
                           "An order needs at least one line");
    if (in->line_count > OMS_ORDER_LINES_MAX)
        return refusal_add(work->refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_FIELD("lineItems"),
                           "An order has at most %d lines", OMS_ORDER_LINES_MAX);
    created->currency = in->lines[0].price.currency;
    if (!money_currency_known(created->currency))
        return refusal_add(work->refusals, REFUSAL_REQUIRED,
                           REFUSAL_FIELD("lineItems.0.productPrice.currency"),
                           "The price needs an ISO 4217 currency code such as USD");
    work->currency = created->currency;
    return true;
}

/* ---- sums ---- */

static void price_created(struct order_work *work, struct order_created *created, struct order_line *lines)
{
    const struct order_create_input *in = &work->command->create;
    struct order_price_request request = {
        .lines = lines,
        .line_count = created->line_count,
        .sums = &in->sums,
        .shipping = created->shipping.cost,
        .taxes_included = in->taxes_included,
    };
    struct order_pricing pricing;

    if (!order_price(work, &request, &pricing))
        return;
    created->totals = pricing.totals;
    created->tax_lines = pricing.tax_lines;
    created->tax_line_count = pricing.tax_line_count;
    created->tax_given = pricing.tax_given;
    created->discount_given = pricing.discount_given;
}

static void read_lines(struct order_work *work, struct order_created *created)
{
    const struct order_create_input *in = &work->command->create;
    struct order_line *lines = order_work_alloc(work, in->line_count, sizeof(*lines));

    if (!lines)
        return;
    order_read_lines(work, in->lines, in->line_count, 1, lines);
    created->lines = lines;
    created->line_count = in->line_count;
    if (!ORDER_REFUSED(work))
        price_created(work, created, lines);
}

static void emit_notes(struct order_work *work)
{
    const struct order_create_input *in = &work->command->create;
    char prefix[ORDER_PREFIX_SIZE];

    for (size_t i = 0; i < in->note_count && i < OMS_ORDER_COUPONS_MAX; i++) {
        struct order_event *event;

        order_prefix(prefix, "notes.", i);
        if (!order_field_required(work, prefix, "text", in->notes[i].text, ORDER_LONG_TEXT))
            continue;
        event = order_emit(work, ORDER_EVENT_NOTE_ADDED);
        event->note = (struct order_note){
            .id = (uint32_t)i + 1,
            .visible_to_customer = in->notes[i].visible_to_customer,
            .text = in->notes[i].text,
            .author = order_actor_of(work->context->principal),
        };
    }
}

static void pay_created(struct order_work *work)
{
    order_emit_payment(work, "paymentDetails.", &work->command->create.payment, "paidAmount");
    if (!ORDER_REFUSED(work) &&
        (work->given_status == ORDER_PAYMENT_CAPTURED || work->given_status == ORDER_PAYMENT_AUTHORIZED))
        order_steps_finish_fact(work, ORDER_COMMAND_RECORD_PAYMENT);
}

void order_decide_create(struct order_work *work)
{
    const struct order_create_input *in = &work->command->create;
    struct order_created created;

    memset(&created, 0, sizeof(created));
    created.customer.customer_id = filled(in->customer.customer_id);
    if (!check_create_access(work, &created) || !read_currency(work, &created))
        return;
    read_identity(work, &created);
    read_stage(work, &created);
    read_customer(work, &in->customer, &created.customer);
    read_addresses(work, &created);
    read_extras(work, &created);
    read_lines(work, &created);
    if (ORDER_REFUSED(work) || work->memory_failed)
        return;
    work->stage = created.stage;
    order_steps_instantiate(work, created.stage, &created);
    order_emit(work, ORDER_EVENT_ORDER_CREATED)->created = created;
    if (in->has_payment)
        pay_created(work);
    emit_notes(work);
    work->out->created = true;
}
