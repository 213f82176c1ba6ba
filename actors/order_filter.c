/* The OrderFilter input, parsed and checked. See order_filter.h. */
#include "actors/order_filter.h"

#include "actors/order_bits.h"
#include "actors/order_sight.h"
#include "runtime/base/datetime.h"
#include "runtime/base/limits.h"

/* ---- parsing ---- */

struct parse {
    const struct oms_value *input;
    struct oms_arena *arena;
    struct refusal_list *refusals;
};

static const struct oms_value *list_of(struct parse *p, const char *name)
{
    const struct oms_value *list = p->input ? oms_value_get_set(p->input, name) : NULL;
    if (!list)
        return NULL;
    if (list->kind != OMS_VALUE_LIST || list->list.count > OMS_FILTER_VALUES_MAX) {
        refusal_add(p->refusals, REFUSAL_INVALID, refusal_field(p->refusals, "filter.%s", name),
                    "A list of at most %d values is accepted", OMS_FILTER_VALUES_MAX);
        return NULL;
    }
    return list;
}

static struct order_filter_texts texts_of(struct parse *p, const char *name)
{
    const struct oms_value *list = list_of(p, name);
    struct order_filter_texts out = {0};
    struct oms_str *items = list ? oms_arena_calloc(p->arena, list->list.count + 1, sizeof(*items)) : NULL;
    if (!items)
        return out;
    for (size_t i = 0; i < list->list.count; i++)
        items[i] = list->list.items[i].text;
    out.items = items;
    out.count = list->list.count;
    return out;
}

static unsigned bits_of(struct parse *p, const char *name, unsigned (*number)(struct oms_str word))
{
    return (unsigned)order_bits(list_of(p, name), name, number, p->refusals);
}

static int bool_of(struct parse *p, const char *name)
{
    const struct oms_value *value = p->input ? oms_value_get_set(p->input, name) : NULL;
    return value && value->kind == OMS_VALUE_BOOL ? value->boolean : -1;
}

static int64_t instant_of(struct parse *p, const struct oms_value *range, const char *name, const char *part,
                          int64_t absent)
{
    const struct oms_value *value = range ? oms_value_get_set(range, part) : NULL;
    int64_t ms;
    if (!value)
        return absent;
    if (value->kind != OMS_VALUE_STRING || oms_datetime_parse(value->text, &ms) != OMS_OK) {
        refusal_add(p->refusals, REFUSAL_INVALID, refusal_field(p->refusals, "filter.%s.%s", name, part),
                    "An RFC 3339 instant such as 2026-11-22T10:15:30Z is accepted");
        return absent;
    }
    return ms;
}

static struct order_filter_range range_of(struct parse *p, const char *name)
{
    const struct oms_value *range = p->input ? oms_value_get_set(p->input, name) : NULL;
    return (struct order_filter_range){.from = instant_of(p, range, name, "from", INT64_MIN),
                                       .to = instant_of(p, range, name, "to", INT64_MAX)};
}

/* A time, or a cursor of the log. */
static void modified_since(struct parse *p, struct order_filter *filter)
{
    const struct oms_value *value = p->input ? oms_value_get_set(p->input, "modifiedSince") : NULL;
    struct ids_cursor cursor;
    filter->modified_since = INT64_MIN;
    if (!value || oms_datetime_parse(value->text, &filter->modified_since) == OMS_OK)
        return;
    if (ids_cursor_parse(value->text, &cursor) == OMS_OK) {
        filter->modified_is_cursor = cursor.commit != 0;
        filter->modified_cursor = cursor;
        return;
    }
    refusal_add(p->refusals, REFUSAL_INVALID, REFUSAL_FIELD("filter.modifiedSince"),
                "A cursor of the event log or an RFC 3339 instant is accepted");
}

enum oms_status order_filter_parse(const struct oms_value *input, struct oms_arena *arena,
                                   const struct order_filter **out, struct refusal_list *refusals)
{
    struct parse p = {.input = input, .arena = arena, .refusals = refusals};
    struct order_filter *filter = OMS_ARENA_NEW(arena, struct order_filter);
    size_t before = refusals->count;
    if (!filter)
        return OMS_LIMIT;
    filter->stages = bits_of(&p, "stage", order_bits_stage);
    filter->fulfillments = bits_of(&p, "fulfillmentStatus", order_bits_fulfillment);
    filter->payments = bits_of(&p, "paymentStatus", order_bits_payment);
    filter->activity = texts_of(&p, "activityStatus");
    filter->customers = texts_of(&p, "customerId");
    filter->emails = texts_of(&p, "email");
    filter->vendors = texts_of(&p, "vendorId");
    filter->skus = texts_of(&p, "sku");
    filter->external_refs = texts_of(&p, "externalRef");
    filter->sources = texts_of(&p, "source");
    filter->references = texts_of(&p, "trackingReference");
    filter->on_hold = bool_of(&p, "onHold");
    filter->refund_due = bool_of(&p, "refundDue");
    filter->placed = range_of(&p, "placedAt");
    filter->created = range_of(&p, "dateCreated");
    modified_since(&p, filter);
    *out = filter;
    if (arena->exhausted)
        return OMS_LIMIT;
    return refusals->count == before ? OMS_OK : OMS_INVALID;
}

const struct order_filter *order_filter_of_reference(struct oms_str reference, struct oms_arena *arena)
{
    struct order_filter *filter = OMS_ARENA_NEW(arena, struct order_filter);
    struct oms_str *item = OMS_ARENA_NEW(arena, struct oms_str);
    const struct order_filter *open;
    struct refusal_list refusals;

    refusal_list_init(&refusals, arena);
    if (!filter || !item || order_filter_parse(NULL, arena, &open, &refusals) != OMS_OK)
        return NULL;
    *filter = *open;
    *item = reference;
    filter->references = (struct order_filter_texts){.items = item, .count = 1};
    return filter;
}

/* ---- matching ---- */

static bool has(const struct order_filter_texts *texts, struct oms_str text)
{
    for (size_t i = 0; i < texts->count; i++)
        if (oms_str_eq(texts->items[i], text))
            return true;
    return false;
}

static bool has_email(const struct order_filter_texts *texts, struct oms_str text)
{
    for (size_t i = 0; i < texts->count; i++)
        if (oms_str_present(text) && oms_str_eq_nocase(texts->items[i], text))
            return true;
    return false;
}

static bool lines_match(const struct order_filter *filter, const struct order_sight *sight)
{
    bool vendor = !filter->vendors.count, sku = !filter->skus.count;
    for (size_t i = 0; i < sight->order->line_count && !(vendor && sku); i++) {
        const struct order_line *line = &sight->order->lines[i];
        if (!order_sees_line(sight, line))
            continue;
        vendor = vendor || has(&filter->vendors, line->vendor.id);
        sku = sku || has(&filter->skus, line->sku);
    }
    return vendor && sku;
}

static bool reference_matches(const struct order_filter *filter, const struct order_sight *sight)
{
    for (size_t i = 0; i < sight->order->shipment_count; i++) {
        const struct order_shipment *shipment = &sight->order->shipments[i];
        if (has(&filter->references, shipment->tracking_reference) &&
            order_sees_items(sight, shipment->items, shipment->item_count))
            return true;
    }
    return false;
}

static bool in_range(const struct order_filter_range *range, int64_t ms)
{
    return ms >= range->from && ms < range->to;
}

/* To who sees no payments their status is null and nothing is due. */
static bool money_matches(const struct order_filter *f, const struct order_sight *sight)
{
    bool sees = access_sees_payments(sight->on);
    bool due = sees && sight->order->refund_due > 0;
    return (!f->payments || (sees && f->payments >> sight->order->payment & 1)) &&
           (f->refund_due < 0 || due == (f->refund_due == 1));
}

static bool customer_matches(const struct order_filter *f, const struct order_sight *sight)
{
    const struct order_customer *customer = &sight->order->customer;
    bool sees = access_sees_contact(sight->on);
    sees = sees && !sight->order->erased_at; /* nobody is called so */
    return (!f->customers.count || (sees && has(&f->customers, customer->customer_id))) &&
           (!f->emails.count || (sees && has_email(&f->emails, customer->email)));
}

bool order_filter_matches(const struct order_filter *f, const struct order *order,
                          const struct access *access, const struct access_order *on)
{
    struct order_sight sight = {order, access, on};
    if ((f->stages && !(f->stages >> order->stage & 1)) ||
        (f->fulfillments && !(f->fulfillments >> order->fulfillment & 1)))
        return false;
    if ((f->external_refs.count && !has(&f->external_refs, order->external_ref)) ||
        (f->sources.count && !has(&f->sources, order->source)) ||
        (f->activity.count && !has(&f->activity, order_activity_status(order))) ||
        (f->on_hold >= 0 && order_on_hold(order) != (f->on_hold == 1)))
        return false;
    if (!in_range(&f->placed, order->placed_at) || !in_range(&f->created, order->created_at) ||
        order->modified_at < f->modified_since)
        return false;
    return money_matches(f, &sight) && customer_matches(f, &sight) && lines_match(f, &sight) &&
           (!f->references.count || reference_matches(f, &sight));
}
