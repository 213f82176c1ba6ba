/* The Order type: what it is, and what of it this caller may see. */
#include "actors/ids.h"
#include "actors/money.h"
#include "actors/order.h"
#include "http/api/resolve.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

/* ---- identity and statuses ---- */

static bool write_global_id(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    const struct api_order *p = parent;
    struct ids_node node = {.kind = IDS_NODE_ORDER, .tenant = api_scene_of(x)->tenant->number};
    char text[IDS_NODE_TEXT_MAX];
    if (ids_order_parse(p->order->order_id, node.order) != OMS_OK)
        return false;
    ids_node_text(&node, text);
    return api_write_name(out, text);
}

API_LEAF_FN(order_id, struct api_order, api_write_text(out, p->order->order_id))
API_LEAF_FN(order_version, struct api_order, api_write_int(out, (int64_t)p->order->version))
API_LEAF_FN(order_external_ref, struct api_order, api_write_text(out, p->order->external_ref))
API_LEAF_FN(order_source, struct api_order, api_write_text(out, p->order->source))
API_LEAF_FN(order_placed_at, struct api_order, api_write_time(out, p->order->placed_at))
API_LEAF_FN(order_stage, struct api_order, api_write_name(out, order_stage_name(p->order->stage)))
API_LEAF_FN(order_fulfillment, struct api_order,
            api_write_name(out, order_fulfillment_status_name(p->order->fulfillment)))
API_LEAF_FN(order_payment, struct api_order,
            access_sees_payments(&p->on) && api_write_name(out, order_payment_status_name(p->order->payment)))
API_LEAF_FN(order_activity, struct api_order, api_write_text(out, order_activity_status(p->order)))
API_LEAF_FN(order_currency, struct api_order, api_write_currency(out, p->order->currency))
API_LEAF_FN(order_created, struct api_order, api_write_time(out, p->order->created_at))
API_LEAF_FN(order_modified, struct api_order, api_write_time(out, p->order->modified_at))
API_LEAF_FN(order_erased, struct api_order, api_write_instant(out, p->order->erased_at))
API_LEAF_FN(order_reason, struct api_order, api_write_text(out, p->order->cancellation_reason))
API_LEAF_FN(order_reference, struct api_order, api_write_text(out, p->order->shipping_reference))
API_LEAF_FN(order_taxes_included, struct api_order, api_write_bool(out, p->order->taxes_included))

/* ---- customer and addresses ---- */

static const void *order_customer(struct gql_exec *x, const void *parent)
{
    (void)x;
    return parent; /* CustomerDetails needs the order and the caller's standing: its value is the Order's */
}

static const void *order_destination(struct gql_exec *x, const void *parent)
{
    const struct api_order *p = parent;
    (void)x;
    return p->order->has_destination ? &p->order->destination : NULL;
}

static const void *order_billing(struct gql_exec *x, const void *parent)
{
    const struct api_order *p = parent;
    (void)x;
    return p->order->has_billing && access_sees_contact(&p->on) ? &p->order->billing : NULL;
}

#define CUSTOMER (&p->order->customer)
API_LEAF_FN(customer_id, struct api_order,
            access_sees_contact(&p->on) && api_write_text(out, CUSTOMER->customer_id))
API_LEAF_FN(customer_name, struct api_order, api_write_text(out, CUSTOMER->name))
API_LEAF_FN(customer_first, struct api_order, api_write_text(out, CUSTOMER->first_name))
API_LEAF_FN(customer_last, struct api_order, api_write_text(out, CUSTOMER->last_name))
API_LEAF_FN(customer_email, struct api_order,
            access_sees_contact(&p->on) && api_write_text(out, CUSTOMER->email))
API_LEAF_FN(customer_phone, struct api_order, api_write_text(out, CUSTOMER->phone))

API_LEAF_FN(address_recipient, struct order_address, api_write_text(out, p->recipient))
API_LEAF_FN(address_street, struct order_address, api_write_text(out, p->street))
API_LEAF_FN(address_line2, struct order_address, api_write_text(out, p->line2))
API_LEAF_FN(address_city, struct order_address, api_write_text(out, p->city))
API_LEAF_FN(address_state, struct order_address, api_write_text(out, p->state))
API_LEAF_FN(address_postal, struct order_address, api_write_text(out, p->postal))
API_LEAF_FN(address_country, struct order_address, api_write_text(out, p->country))
API_LEAF_FN(address_phone, struct order_address, api_write_text(out, p->phone))

/* ---- sums: a vendor sees those of their own lines ---- */

static void sums(struct gql_exec *x, const struct api_order *p, struct order_totals *out)
{
    *out = (struct order_totals){0};
    if (access_sees_all_lines(&p->on)) {
        *out = p->order->totals;
        return;
    }
    const struct access *access = api_scene_of(x)->access;
    for (size_t i = 0; i < access->grant_count; i++) {
        const struct access_grant *grant = &access->grants[i];
        struct order_totals one;
        if (grant->kind != PERMISSION_SCOPE_VENDOR ||
            !(grant->permissions & PERMISSION_BIT(PERMISSION_GET_ORDER)))
            continue;
        order_vendor_totals(p->order, grant->id, &one);
        /* parts of sums that are in range themselves */
        out->total += one.total;
        out->discounts += one.discounts;
        out->tax += one.tax;
        out->final += one.final;
    }
}

#define SUM_FN(name, member)                                                                                 \
    static const void *name(struct gql_exec *x, const void *parent)                                          \
    {                                                                                                        \
        const struct api_order *p = parent;                                                                  \
        struct order_totals totals;                                                                          \
        sums(x, p, &totals);                                                                                 \
        return api_money(x, totals.member, p->order->currency);                                              \
    }
SUM_FN(order_total, total)
SUM_FN(order_discounts, discounts)
SUM_FN(order_tax, tax)
SUM_FN(order_final, final)

static const void *order_refund_due(struct gql_exec *x, const void *parent)
{
    const struct api_order *p = parent;
    return api_money(x, access_sees_payments(&p->on) ? p->order->refund_due : 0, p->order->currency);
}

static bool money_amount(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    const struct api_money *p = parent;
    char text[MONEY_TEXT_SIZE];
    (void)x;
    money_format(p->amount, money_exponent(p->currency), text);
    return api_write_name(out, text);
}

static bool money_minor(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    const struct api_money *p = parent;
    (void)x;
    oms_buf_append_char(out, '"');
    oms_buf_append_i64(out, p->amount);
    oms_buf_append_char(out, '"');
    return true;
}

API_LEAF_FN(money_currency, struct api_money, api_write_currency(out, p->currency))

/* ---- shipping, taxes, coupons ---- */

static const void *order_shipping(struct gql_exec *x, const void *parent)
{
    const struct api_order *p = parent;
    const struct order_shipping *s = &p->order->shipping;
    (void)x;
    return oms_str_present(s->method) || oms_str_present(s->delivery_time) || s->cost ? p : NULL;
}

API_LEAF_FN(shipping_method, struct api_order, api_write_text(out, p->order->shipping.method))
API_LEAF_FN(shipping_time, struct api_order, api_write_text(out, p->order->shipping.delivery_time))

static const void *shipping_cost(struct gql_exec *x, const void *parent)
{
    const struct api_order *p = parent;
    return api_money(x, access_sees_all_lines(&p->on) ? p->order->shipping.cost : 0, p->order->currency);
}

static const void *tax_line_item(struct gql_exec *x, const void *context, size_t index)
{
    const struct api_order *p = context;
    return api_part(x, p, &p->order->tax_lines[index]);
}

static bool order_tax_lines(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    const struct api_order *p = parent;
    (void)x;
    *out = (struct gql_list){access_sees_all_lines(&p->on) ? p->order->tax_line_count : 0, tax_line_item, p};
    return true;
}

static bool tax_line_title(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    const struct order_tax_line *line = ((const struct api_part *)parent)->part;
    (void)x;
    return api_write_text(out, line->title);
}

static bool tax_line_rate(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    const struct order_tax_line *line = ((const struct api_part *)parent)->part;
    (void)x;
    return api_write_text(out, line->rate);
}

static const void *tax_line_amount(struct gql_exec *x, const void *parent)
{
    const struct api_part *p = parent;
    return api_money(x, ((const struct order_tax_line *)p->part)->amount, p->of->order->currency);
}

/* A JSON list of texts; null when there are none (the schema lets it be absent). */
static bool write_texts(struct oms_buf *out, const struct oms_str *items, size_t count)
{
    if (!count)
        return false;
    for (size_t i = 0; i < count; i++) {
        oms_buf_append_char(out, i ? ',' : '[');
        oms_json_write_string(out, items[i]);
    }
    oms_buf_append_char(out, ']');
    return true;
}

API_LEAF_FN(order_tax_details, struct api_order,
            write_texts(out, p->order->tax_details, p->order->tax_detail_count))
API_LEAF_FN(order_offer_details, struct api_order, write_texts(out, p->order->offers, p->order->offer_count))

static const void *coupon_item(struct gql_exec *x, const void *context, size_t index)
{
    (void)x;
    return &((const struct api_order *)context)->order->coupons[index];
}

static bool order_coupons(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    const struct api_order *p = parent;
    (void)x;
    *out = (struct gql_list){p->order->coupon_count, coupon_item, p};
    return true;
}

API_LEAF_FN(coupon_code, struct oms_str, api_write_text(out, *p))

static const struct gql_binding bindings[] = {
    API_LEAF("Order.id", write_global_id),
    API_LEAF("Order.orderId", order_id),
    API_LEAF("Order.version", order_version),
    API_LEAF("Order.externalRef", order_external_ref),
    API_LEAF("Order.source", order_source),
    API_LEAF("Order.placedAt", order_placed_at),
    API_LEAF("Order.stage", order_stage),
    API_LEAF("Order.fulfillmentStatus", order_fulfillment),
    API_LEAF("Order.paymentStatus", order_payment),
    API_LEAF("Order.activityStatus", order_activity),
    API_LEAF("Order.currency", order_currency),
    API_OBJECT("Order.customerDetails", order_customer),
    API_OBJECT("Order.destination", order_destination),
    API_OBJECT("Order.billingAddress", order_billing),
    API_OBJECT("Order.shippingDetails", order_shipping),
    API_LIST("Order.taxLines", order_tax_lines),
    API_LEAF("Order.taxDetails", order_tax_details),
    API_LEAF("Order.offerDetails", order_offer_details),
    API_LIST("Order.coupons", order_coupons),
    API_LEAF("Order.taxesIncluded", order_taxes_included),
    API_OBJECT("Order.totalAmount", order_total),
    API_OBJECT("Order.totalDiscountsFee", order_discounts),
    API_OBJECT("Order.taxAmount", order_tax),
    API_OBJECT("Order.finalAmount", order_final),
    API_OBJECT("Order.refundDue", order_refund_due),
    API_LEAF("Order.cancellationReason", order_reason),
    API_LEAF("Order.shippingReference", order_reference),
    API_LEAF("Order.dateCreated", order_created),
    API_LEAF("Order.dateModified", order_modified),
    API_LEAF("Order.erasedAt", order_erased),
    API_LEAF("CustomerDetails.customerId", customer_id),
    API_LEAF("CustomerDetails.name", customer_name),
    API_LEAF("CustomerDetails.firstName", customer_first),
    API_LEAF("CustomerDetails.lastName", customer_last),
    API_LEAF("CustomerDetails.email", customer_email),
    API_LEAF("CustomerDetails.phone", customer_phone),
    API_LEAF("Address.recipient", address_recipient),
    API_LEAF("Address.street", address_street),
    API_LEAF("Address.line2", address_line2),
    API_LEAF("Address.city", address_city),
    API_LEAF("Address.state", address_state),
    API_LEAF("Address.postal", address_postal),
    API_LEAF("Address.country", address_country),
    API_LEAF("Address.phone", address_phone),
    API_LEAF("Money.amount", money_amount),
    API_LEAF("Money.currency", money_currency),
    API_LEAF("Money.minorUnits", money_minor),
    API_LEAF("ShippingDetails.method", shipping_method),
    API_LEAF("ShippingDetails.deliveryTime", shipping_time),
    API_OBJECT("ShippingDetails.cost", shipping_cost),
    API_LEAF("TaxLine.title", tax_line_title),
    API_LEAF("TaxLine.rate", tax_line_rate),
    API_OBJECT("TaxLine.amount", tax_line_amount),
    API_LEAF("Coupon.couponCode", coupon_code),
};

void api_bind_order(struct api_bindings *to)
{
    api_bindings_add(to, bindings, sizeof(bindings) / sizeof(bindings[0]));
}
