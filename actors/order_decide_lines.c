/*
 * Lines: what they are on input, which one a reference means, and the edits: addLineItem, removeLineItem,
 * changeQuantity, cancelLineItems, changeDestination.
 *
 * An edit prices the whole order again over the units that are not cancelled, since discounts and tax given
 * for the old lines say nothing about the new ones; a cancellation takes the cancelled units' exact shares
 * out of the sums instead.
 */
#include "actors/money.h"
#include "actors/order_internal.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

static struct oms_str filled(struct oms_str value)
{
    return value.len ? value : OMS_STR_NONE;
}

/* ---- reading ---- */

static void read_line(struct order_work *work, const char *prefix, const struct order_line_input *in,
                      struct order_line *out)
{
    order_field_required(work, prefix, "productSku", in->sku, ORDER_ID_TEXT);
    order_field_required(work, prefix, "productName", in->name, ORDER_NAME_TEXT);
    order_field_text(work, prefix, "productCategory", in->category, ORDER_NAME_TEXT);
    order_field_required(work, prefix, "vendor.vendorId", in->vendor.id, ORDER_ID_TEXT);
    order_field_text(work, prefix, "vendor.name", in->vendor.name, ORDER_NAME_TEXT);
    order_field_text(work, prefix, "vendor.country", in->vendor.country, ORDER_NAME_TEXT);
    order_field_json(work, prefix, "options", in->options, OMS_ORDER_OPTIONS_BYTES_MAX);
    order_field_text(work, prefix, "package.weight", in->package.weight, ORDER_ID_TEXT);
    order_field_text(work, prefix, "package.dimensions", in->package.dimensions, ORDER_ID_TEXT);
    order_field_quantity(work, prefix, "orderQuantity", in->quantity);
    if (!oms_str_present(in->price.text))
        refusal_add(work->refusals, REFUSAL_REQUIRED, order_path(work, prefix, "productPrice"),
                    "productPrice is required");
    order_field_amount(work, prefix, "productPrice", in->price, &out->unit_price);
    order_field_amount(work, prefix, "discountAmount", in->discount, &out->discount);
    out->sku = in->sku;
    out->name = in->name;
    out->category = filled(in->category);
    out->vendor = (struct order_vendor){in->vendor.id, filled(in->vendor.name), filled(in->vendor.country)};
    out->options = filled(in->options);
    out->package = (struct order_package){filled(in->package.weight), filled(in->package.dimensions)};
    out->quantity = out->priced_quantity = in->quantity;
    out->free_gift = in->free_gift;
    out->taxable = !in->not_taxable;
}

bool order_read_lines(struct order_work *work, const struct order_line_input *in, size_t count, uint32_t id,
                      struct order_line *out)
{
    size_t before = work->refusals->count;
    char prefix[ORDER_PREFIX_SIZE];

    for (size_t i = 0; i < count; i++) {
        order_prefix(prefix, "lineItems.", i);
        read_line(work, prefix, &in[i], &out[i]);
        out[i].id = id + (uint32_t)i;
    }
    return work->refusals->count == before;
}

/* ---- references ---- */

static bool matches(const struct order_line *line, const struct order_line_ref *ref)
{
    if (ref->line_item_id && line->id != ref->line_item_id)
        return false;
    if (ref->sku.len && !oms_str_eq(line->sku, ref->sku))
        return false;
    return !ref->vendor_id.len || oms_str_eq(line->vendor.id, ref->vendor_id);
}

const struct order_line *order_resolve_line(struct order_work *work, const char *prefix,
                                            const struct order_line_ref *ref)
{
    const struct order_line *found = NULL;
    size_t count = 0;

    if (!ref->line_item_id && !ref->sku.len) {
        refusal_add(work->refusals, REFUSAL_REQUIRED, order_path(work, prefix, "lineItemId"),
                    "Name the line by lineItemId, or by productSku and vendorId");
        return NULL;
    }
    for (size_t i = 0; i < work->order->line_count; i++) {
        const struct order_line *line = &work->order->lines[i];

        if (matches(line, ref) && order_line_reachable(work, line) && count++ == 0)
            found = line;
    }
    if (count == 1)
        return found;
    if (count == 0)
        refusal_add(work->refusals, REFUSAL_NOT_FOUND,
                    order_path(work, prefix, ref->line_item_id ? "lineItemId" : "productSku"),
                    "The order has no such line");
    else
        refusal_add(work->refusals, REFUSAL_AMBIGUOUS_LINE, order_path(work, prefix, "productSku"),
                    "%zu lines have this SKU%s: name one by lineItemId", count,
                    ref->vendor_id.len ? " and vendor" : "");
    return NULL;
}

/*
 * Resolves a list of references to distinct lines (index in order.lines per reference). NULL after refusals,
 * also when the list is empty.
 */
static size_t *resolve_all(struct order_work *work, const struct order_line_ref *refs, size_t count)
{
    size_t *lines = order_work_alloc(work, count, sizeof(*lines));
    bool *seen = order_work_alloc(work, work->order->line_count, sizeof(*seen));
    char prefix[ORDER_PREFIX_SIZE];

    if (!lines || !seen)
        return NULL;
    if (count == 0 || count > OMS_ORDER_LINES_MAX) {
        refusal_add(work->refusals, count ? REFUSAL_LIMIT_EXCEEDED : REFUSAL_REQUIRED,
                    REFUSAL_FIELD("productSkus"), "Name 1 to %d lines", OMS_ORDER_LINES_MAX);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        const struct order_line *line;

        order_prefix(prefix, "productSkus.", i);
        line = order_resolve_line(work, prefix, &refs[i]);
        if (!line)
            continue;
        lines[i] = (size_t)(line - work->order->lines);
        if (seen[lines[i]])
            refusal_add(work->refusals, REFUSAL_DUPLICATE, order_path(work, prefix, "lineItemId"),
                        "Line %u is named twice", (unsigned)line->id);
        seen[lines[i]] = true;
    }
    return ORDER_REFUSED(work) ? NULL : lines;
}

/* ---- edits ---- */

/* What the units cancelled since the last pricing left of the line's own discount. */
static int64_t own_discount_left(const struct order_line *line)
{
    int64_t taken = 0;

    if (line->settled_quantity) {
        bool fits = money_share_floor(line->discount, line->settled_quantity, line->priced_quantity, &taken);

        OMS_ASSERT(fits);
    }
    return line->discount - taken;
}

/*
 * A copy of the order's lines for a new pricing: over the units that are not cancelled, with what is left of
 * their own discounts. Room for `more` lines behind them.
 */
static struct order_line *editable_lines(struct order_work *work, size_t more)
{
    const struct order *order = work->order;
    struct order_line *lines = order_work_alloc(work, order->line_count + more, sizeof(*lines));

    if (!lines)
        return NULL;
    for (size_t i = 0; i < order->line_count; i++) {
        struct order_line *line = &lines[i];

        *line = order->lines[i];
        line->discount = own_discount_left(line);
        line->priced_quantity = line->quantity - line->cancelled;
        line->settled_quantity = 0;
    }
    return lines;
}

static bool price_edit(struct order_work *work, struct order_line *lines, size_t count,
                       struct order_pricing *out)
{
    struct order_price_request request = {
        .lines = lines,
        .line_count = count,
        .sums = &work->command->lines.sums,
        .shipping = work->order->totals.shipping,
        .taxes_included = work->order->taxes_included,
        .before = work->order,
    };

    return order_price(work, &request, out);
}

void order_decide_add_lines(struct order_work *work)
{
    const struct order *order = work->order;
    const struct order_lines_input *in = &work->command->lines;
    struct order_line *lines;
    struct order_pricing pricing;
    struct order_event *event;

    if (in->added_count == 0) {
        refusal_add(work->refusals, REFUSAL_REQUIRED, REFUSAL_FIELD("lineItems"), "Give at least one line");
        return;
    }
    if (in->added_count > OMS_ORDER_LINES_MAX - order->line_count) {
        refusal_add(work->refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_FIELD("lineItems"),
                    "An order has at most %d lines", OMS_ORDER_LINES_MAX);
        return;
    }
    lines = editable_lines(work, in->added_count);
    if (!lines ||
        !order_read_lines(work, in->added, in->added_count, order->line_next, lines + order->line_count))
        return;
    for (size_t i = 0; i < in->added_count; i++)
        if (!order_line_reachable(work, &lines[order->line_count + i]))
            refusal_add(work->refusals, REFUSAL_FORBIDDEN,
                        refusal_field(work->refusals, "lineItems.%zu.vendor.vendorId", i),
                        "You may add lines of your own only");
    if (ORDER_REFUSED(work) || !price_edit(work, lines, order->line_count + in->added_count, &pricing))
        return;
    event = order_emit(work, ORDER_EVENT_LINE_ITEMS_ADDED);
    event->lines_added.lines = lines + order->line_count;
    event->lines_added.line_count = in->added_count;
    event->lines_added.pricing = pricing;
}

static void emit_lines_changed(struct order_work *work, enum order_event_type type,
                               const struct order_item *items, size_t count, struct oms_str reason,
                               const struct order_pricing *pricing)
{
    struct order_event *event = order_emit(work, type);

    event->lines_changed.items = items;
    event->lines_changed.item_count = count;
    event->lines_changed.reason = reason;
    event->lines_changed.pricing = *pricing;
}

void order_decide_remove_lines(struct order_work *work)
{
    const struct order *order = work->order;
    const struct order_lines_input *in = &work->command->lines;
    size_t *named = resolve_all(work, in->refs, in->ref_count), kept = 0;
    struct order_item *items = order_work_alloc(work, in->ref_count, sizeof(*items));
    struct order_line *lines = editable_lines(work, 0);
    struct order_pricing pricing;

    if (!named || !items || !lines)
        return;
    for (size_t i = 0; i < in->ref_count; i++) {
        items[i] = (struct order_item){order->lines[named[i]].id, order->lines[named[i]].quantity};
        lines[named[i]].id = 0;
    }
    for (size_t i = 0; i < order->line_count; i++)
        if (lines[i].id)
            lines[kept++] = lines[i];
    if (kept == 0) {
        refusal_add(work->refusals, REFUSAL_INVALID, REFUSAL_FIELD("productSkus"),
                    "An order needs at least one line: cancel it instead");
        return;
    }
    if (price_edit(work, lines, kept, &pricing))
        emit_lines_changed(work, ORDER_EVENT_LINE_ITEMS_REMOVED, items, in->ref_count, OMS_STR_NONE,
                           &pricing);
}

static void change_one(struct order_work *work, size_t index, const struct order_line_ref *ref,
                       struct order_line *line, struct order_item *item)
{
    char prefix[ORDER_PREFIX_SIZE];

    order_prefix(prefix, "productSkus.", index);
    if (!order_field_quantity(work, prefix, "orderQuantity", ref->quantity))
        return;
    if (ref->quantity <= line->cancelled) {
        refusal_add(work->refusals, REFUSAL_INVALID, order_path(work, prefix, "orderQuantity"),
                    "%lld of the line are cancelled: the new quantity must be more",
                    (long long)line->cancelled);
        return;
    }
    if (line->discount && ref->quantity != line->quantity && !oms_str_present(ref->discount.text)) {
        refusal_add(work->refusals, REFUSAL_REQUIRED, order_path(work, prefix, "discountAmount"),
                    "The line has a discount: give the new discountAmount");
        return;
    }
    order_field_amount(work, prefix, "discountAmount", ref->discount, &line->discount);
    *item = (struct order_item){line->id, ref->quantity};
    line->quantity = ref->quantity;
    line->priced_quantity = ref->quantity - line->cancelled;
}

void order_decide_change_quantity(struct order_work *work)
{
    const struct order_lines_input *in = &work->command->lines;
    size_t *named = resolve_all(work, in->refs, in->ref_count);
    struct order_item *items = order_work_alloc(work, in->ref_count, sizeof(*items));
    struct order_line *lines = editable_lines(work, 0);
    struct order_pricing pricing;

    if (!named || !items || !lines)
        return;
    for (size_t i = 0; i < in->ref_count; i++)
        change_one(work, i, &in->refs[i], &lines[named[i]], &items[i]);
    if (ORDER_REFUSED(work) || !price_edit(work, lines, work->order->line_count, &pricing))
        return;
    emit_lines_changed(work, ORDER_EVENT_QUANTITIES_CHANGED, items, in->ref_count, OMS_STR_NONE, &pricing);
}

/* ---- cancellation of quantities ---- */

bool order_ready_cancel_lines(struct order_work *work)
{
    for (size_t i = 0; i < work->order->line_count; i++)
        if (order_line_unallocated(&work->order->lines[i]) > 0 &&
            order_line_reachable(work, &work->order->lines[i]))
            return true;
    return refusal_add(work->refusals, REFUSAL_QUANTITY_EXCEEDED, REFUSAL_NO_FIELD,
                       "Every quantity is cancelled or in a shipment: cancel the shipment first");
}

static void cancel_one(struct order_work *work, size_t index, const struct order_line_ref *ref,
                       const struct order_line *line, struct order_item *item)
{
    int64_t most = order_line_unallocated(line), quantity = ref->quantity < 0 ? most : ref->quantity;
    char prefix[ORDER_PREFIX_SIZE];

    order_prefix(prefix, "productSkus.", index);
    if (ref->quantity >= 0 && !order_field_quantity(work, prefix, "orderQuantity", quantity))
        return;
    if (quantity > most || quantity == 0) {
        refusal_add(
            work->refusals, REFUSAL_QUANTITY_EXCEEDED, order_path(work, prefix, "orderQuantity"),
            "At most %lld of line %u can be cancelled: %lld ordered, %lld cancelled, %lld in shipments",
            (long long)most, (unsigned)line->id, (long long)line->quantity, (long long)line->cancelled,
            (long long)line->allocated);
        return;
    }
    *item = (struct order_item){line->id, quantity};
    work->units_active -= quantity;
}

static bool nothing_left(const struct order_work *work)
{
    int64_t active = work->units_active;

    for (size_t i = 0; i < work->order->line_count; i++)
        active += work->order->lines[i].quantity - work->order->lines[i].cancelled;
    return active == 0;
}

void order_decide_cancel_lines(struct order_work *work)
{
    const struct order_cancel_input *in = &work->command->cancel;
    size_t *named = resolve_all(work, in->refs, in->ref_count);
    struct order_item *items = order_work_alloc(work, in->ref_count, sizeof(*items));
    struct order_pricing pricing;

    order_field_required(work, "", "cancellationReason", in->reason, ORDER_LONG_TEXT);
    if (!named || !items || ORDER_REFUSED(work))
        return;
    for (size_t i = 0; i < in->ref_count; i++)
        cancel_one(work, i, &in->refs[i], &work->order->lines[named[i]], &items[i]);
    if (ORDER_REFUSED(work) || !order_price_cancelled(work, items, in->ref_count, &pricing))
        return;
    emit_lines_changed(work, ORDER_EVENT_LINE_ITEMS_CANCELLED, items, in->ref_count, in->reason, &pricing);
    if (nothing_left(work))
        order_emit_stage(work, ORDER_STAGE_CANCELLED, in->reason);
}

/* ---- destination ---- */

bool order_ready_edit_destination(struct order_work *work)
{
    for (size_t i = 0; i < work->order->shipment_count; i++) {
        const struct order_shipment *shipment = &work->order->shipments[i];

        if (shipment->status == ORDER_SHIPMENT_CONFIRMED || (order_shipment_counts(shipment->status) & 2))
            return refusal_add(work->refusals, REFUSAL_WRONG_STAGE, REFUSAL_NO_FIELD,
                               "Shipment SHP-%u is %s: the destination stands until no shipment is confirmed",
                               (unsigned)shipment->id, order_shipment_status_name(shipment->status));
    }
    return true;
}

void order_decide_change_destination(struct order_work *work)
{
    const struct order_destination_input *in = &work->command->destination;
    struct order_destination_changed changed;

    memset(&changed, 0, sizeof(changed));
    changed.has_destination = in->has_destination;
    changed.has_billing = in->has_billing;
    if (!in->has_destination && !in->has_billing) {
        refusal_add(work->refusals, REFUSAL_REQUIRED, REFUSAL_FIELD("destination"),
                    "Give the new destination");
        return;
    }
    if (in->has_destination)
        order_field_address(work, "destination.", &in->destination, &changed.destination, true);
    if (in->has_billing)
        order_field_address(work, "billingAddress.", &in->billing, &changed.billing, false);
    if (!ORDER_REFUSED(work))
        order_emit(work, ORDER_EVENT_DESTINATION_CHANGED)->destination = changed;
}
