/*
 * Returns: REQUESTED → APPROVED → RECEIVED → CLOSED, or REJECTED/CANCELLED before goods came back.
 *
 * What may come back of a line is what has left less what is in other returns. The window runs from each
 * shipment's delivery (its dispatch while undelivered): the units of shipments whose window has passed cannot
 * be asked back, except those that earlier returns already took. The value of received units is fixed on
 * receipt: the line's exact shares, following those of units cancelled or returned before, so that all units
 * together give the line's net total.
 */
#include "actors/order_internal.h"
#include "actors/workflow.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

#define DAY_MS         (24ll * 3600 * 1000)
#define RETURN(status) (1u << ORDER_RETURN_##status)

static struct oms_str filled(struct oms_str value)
{
    return value.len ? value : OMS_STR_NONE;
}

static const struct workflow_conditions *conditions_of(const struct order_work *work)
{
    return workflow_conditions_of(work->context->workflow, ORDER_COMMAND_REQUEST_RETURN);
}

/* ---- what may come back ---- */

static bool window_open(const struct order_work *work, const struct order_shipment *shipment)
{
    const struct workflow_conditions *conditions = conditions_of(work);
    int64_t from = shipment->delivered_at ? shipment->delivered_at : shipment->dispatched_at;

    return !conditions->has_days_to_return || work->now <= from + conditions->days_to_return * DAY_MS;
}

/* Units of the line that have left in shipments whose window is open. */
static int64_t units_in_window(const struct order_work *work, const struct order_line *line)
{
    int64_t units = 0;

    if (!conditions_of(work)->has_days_to_return)
        return line->shipped;
    for (size_t i = 0; i < work->order->shipment_count; i++) {
        const struct order_shipment *shipment = &work->order->shipments[i];

        if (!(order_shipment_counts(shipment->status) & 2) || !window_open(work, shipment))
            continue;
        for (size_t k = 0; k < shipment->item_count; k++)
            if (shipment->items[k].line == line->id)
                units += shipment->items[k].quantity;
    }
    return units;
}

/* ---- SKUs that never come back ---- */

/* What the workflow's patterns say of the line's SKU; asked once per line and decision. */
static enum pattern_answer excluded(struct order_work *work, const struct order_line *line)
{
    const struct workflow_conditions *conditions = conditions_of(work);
    size_t at = (size_t)(line - work->order->lines);
    enum pattern_answer answer = PATTERN_NO;

    if (!conditions->non_returnable_count)
        return PATTERN_NO;
    if (!work->sku_answers)
        work->sku_answers = order_work_alloc(work, work->order->line_count, 1);
    if (!work->sku_answers)
        return PATTERN_LIMIT;
    if (work->sku_answers[at])
        return (enum pattern_answer)(work->sku_answers[at] - 1);
    work->runner.arena = work->arena;
    for (size_t i = 0; i < conditions->non_returnable_count && answer == PATTERN_NO; i++)
        answer = pattern_match(&work->runner, conditions->non_returnable[i], line->sku);
    work->sku_answers[at] = (signed char)(answer + 1);
    return answer;
}

/*
 * What can be asked back now. Earlier returns are counted against expired shipments first: they took what
 * came first.
 */
static int64_t returnable_now(struct order_work *work, const struct order_line *line)
{
    int64_t left = order_line_returnable(line), open = units_in_window(work, line);

    if (left < open)
        open = left;
    return open > 0 && excluded(work, line) != PATTERN_NO ? 0 : open;
}

static bool refuse_excluded(struct order_work *work, struct oms_str field, const struct order_line *line)
{
    if (excluded(work, line) == PATTERN_LIMIT)
        return refusal_add(work->refusals, REFUSAL_LIMIT_EXCEEDED, field,
                           "Whether SKU %.*s may be returned cannot be told: a pattern of the workflow needs "
                           "too many steps on it",
                           OMS_STR_ARG(line->sku));
    return refusal_add(work->refusals, REFUSAL_NOT_RETURNABLE, field, "SKU %.*s (line %u) is not returnable",
                       OMS_STR_ARG(line->sku), (unsigned)line->id);
}

bool order_ready_request_return(struct order_work *work)
{
    const struct order_line *barred = NULL;
    bool any = false;

    for (size_t i = 0; i < work->order->line_count; i++) {
        const struct order_line *line = &work->order->lines[i];

        if (!order_line_reachable(work, line) || order_line_returnable(line) <= 0)
            continue;
        if (returnable_now(work, line) > 0)
            return true;
        any = any || units_in_window(work, line) <= 0;
        barred = barred || units_in_window(work, line) <= 0 ? barred : line;
    }
    if (barred)
        return refuse_excluded(work, REFUSAL_NO_FIELD, barred);
    if (any)
        return refusal_add(work->refusals, REFUSAL_RETURN_WINDOW_EXPIRED, REFUSAL_NO_FIELD,
                           "Returns are accepted for %d days, which have passed",
                           (int)conditions_of(work)->days_to_return);
    return refusal_add(work->refusals, REFUSAL_NOT_RETURNABLE, REFUSAL_NO_FIELD,
                       "Nothing that was shipped is left to return");
}

/* ---- requestReturn ---- */

static struct order_return_item *all_returnable(struct order_work *work, size_t *count)
{
    struct order_return_item *items = order_work_alloc(work, work->order->line_count, sizeof(*items));

    for (size_t i = 0; items && i < work->order->line_count; i++) {
        const struct order_line *line = &work->order->lines[i];
        int64_t quantity = order_line_reachable(work, line) ? returnable_now(work, line) : 0;

        if (quantity > 0)
            items[(*count)++] = (struct order_return_item){.line = line->id, .quantity = quantity};
    }
    return items;
}

static void refuse_quantity(struct order_work *work, const char *prefix, const struct order_line *line,
                            int64_t asked, int64_t most)
{
    struct oms_str path = order_path(work, prefix, "quantity");

    if (line->shipped == 0)
        refusal_add(work->refusals, REFUSAL_NOT_RETURNABLE, path, "Line %u has not been shipped",
                    (unsigned)line->id);
    else if (order_line_returnable(line) > 0 && units_in_window(work, line) > 0 &&
             excluded(work, line) != PATTERN_NO)
        (void)refuse_excluded(work, order_path(work, prefix, "productSku"), line);
    else if (asked <= order_line_returnable(line) && asked > returnable_now(work, line))
        refusal_add(work->refusals, REFUSAL_RETURN_WINDOW_EXPIRED, path,
                    "Returns are accepted for %d days: %lld of line %u can still be returned",
                    (int)conditions_of(work)->days_to_return, (long long)most, (unsigned)line->id);
    else
        refusal_add(work->refusals, REFUSAL_QUANTITY_EXCEEDED, path,
                    "%lld of line %u asked, at most %lld can be returned: %lld shipped, %lld in returns",
                    (long long)asked, (unsigned)line->id, (long long)most, (long long)line->shipped,
                    (long long)(line->returned + line->return_open));
}

static void read_item(struct order_work *work, size_t index, const struct order_return_item_input *in,
                      struct order_return_item *items, size_t *count)
{
    const struct order_line *line;
    int64_t most, quantity;
    size_t at;
    char prefix[ORDER_PREFIX_SIZE];

    order_prefix(prefix, "items.", index);
    line = order_resolve_line(work, prefix, &in->ref);
    if (!line)
        return;
    for (at = 0; at < *count && items[at].line != line->id; at++)
        continue;
    most = returnable_now(work, line) - (at < *count ? items[at].quantity : 0);
    quantity = in->ref.quantity < 0 ? most : in->ref.quantity;
    if (in->ref.quantity >= 0 && !order_field_quantity(work, prefix, "quantity", quantity))
        return;
    if (quantity > most || quantity <= 0) {
        refuse_quantity(work, prefix, line, in->ref.quantity < 0 ? order_line_returnable(line) : quantity,
                        most);
        return;
    }
    if (at == *count)
        items[(*count)++] = (struct order_return_item){.line = line->id};
    items[at].quantity += quantity;
}

static struct order_return_item *read_items(struct order_work *work, size_t *count)
{
    const struct order_return_input *in = &work->command->returns;
    struct order_return_item *items;

    *count = 0;
    if (in->item_count == 0) {
        items = all_returnable(work, count);
        for (size_t i = 0; items && !*count && i < work->order->line_count; i++)
            if (order_line_reachable(work, &work->order->lines[i]) &&
                order_line_returnable(&work->order->lines[i]) > 0 &&
                excluded(work, &work->order->lines[i]) != PATTERN_NO)
                (void)refuse_excluded(work, REFUSAL_NO_FIELD, &work->order->lines[i]);
        return items;
    }
    if (in->item_count > OMS_ORDER_LINES_MAX) {
        refusal_add(work->refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_FIELD("items"),
                    "A return has at most %d items", OMS_ORDER_LINES_MAX);
        return NULL;
    }
    items = order_work_alloc(work, in->item_count, sizeof(*items));
    for (size_t i = 0; items && i < in->item_count; i++)
        read_item(work, i, &in->items[i], items, count);
    return items;
}

/* allow_partial_return: false means every delivered quantity at once. */
static bool check_whole(struct order_work *work, const struct order_return_item *items, size_t count)
{
    if (!conditions_of(work)->whole_returns_only)
        return true;
    for (size_t i = 0; i < work->order->line_count; i++) {
        const struct order_line *line = &work->order->lines[i];
        int64_t asked = 0, wanted = line->delivered - line->return_open - line->returned;
        int64_t possible = returnable_now(work, line);

        if (wanted > possible)
            wanted = possible; /* what can no longer come back does not bar the rest */

        for (size_t k = 0; k < count; k++)
            if (items[k].line == line->id)
                asked = items[k].quantity;
        if (asked < wanted)
            return refusal_add(work->refusals, REFUSAL_PARTIAL_RETURN_NOT_ALLOWED, REFUSAL_FIELD("items"),
                               "All delivered quantities come back at once: line %u has %lld, %lld asked",
                               (unsigned)line->id, (long long)wanted, (long long)asked);
    }
    return true;
}

void order_decide_request_return(struct order_work *work)
{
    const struct order_return_input *in = &work->command->returns;
    struct order_return_item *items;
    struct order_event *event;
    uint32_t id = (uint32_t)work->order->return_count + 1;
    size_t count;

    if (work->order->return_count >= OMS_ORDER_RETURNS_MAX) {
        refusal_add(work->refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_NO_FIELD,
                    "An order has at most %d returns", OMS_ORDER_RETURNS_MAX);
        return;
    }
    order_field_text(work, "", "reason", in->reason, ORDER_LONG_TEXT);
    order_field_text(work, "", "comments", in->comments, ORDER_LONG_TEXT);
    items = read_items(work, &count);
    if (!items || ORDER_REFUSED(work) || !check_whole(work, items, count))
        return;
    event = order_emit(work, ORDER_EVENT_RETURN_REQUESTED);
    event->returned = (struct order_return){
        .id = id,
        .status = ORDER_RETURN_REQUESTED,
        .reason = filled(in->reason),
        .comments = filled(in->comments),
        .items = items,
        .item_count = count,
        .requested_by = order_actor_of(work->context->principal),
    };
    if (conditions_of(work)->auto_approve)
        order_emit(work, ORDER_EVENT_RETURN_APPROVED)->return_changed.return_id = id;
}

/* ---- by the return's state ---- */

/* For availableActions; a command names its return, and named_return says better what is wrong with that one.
 */
static bool ready_in(struct order_work *work, unsigned statuses, const char *what)
{
    if (work->command)
        return true;
    for (size_t i = 0; i < work->order->return_count; i++)
        if ((statuses & 1u << work->order->returns[i].status) &&
            order_return_reachable(work, &work->order->returns[i]))
            return true;
    return refusal_add(work->refusals, REFUSAL_INVALID, REFUSAL_NO_FIELD, "No return can be %s now", what);
}

bool order_ready_approve_return(struct order_work *work)
{
    return ready_in(work, RETURN(REQUESTED), "approved or rejected");
}

bool order_ready_receive_return(struct order_work *work)
{
    return ready_in(work, RETURN(APPROVED), "received");
}

bool order_ready_cancel_return(struct order_work *work)
{
    return ready_in(work, RETURN(REQUESTED) | RETURN(APPROVED), "cancelled");
}

static const struct order_return *named_return(struct order_work *work, unsigned statuses, const char *what)
{
    uint32_t number = work->command->returns.return_id;
    const struct order_return *ret = order_find_return(work->order, number);

    if (!number) {
        refusal_add(work->refusals, REFUSAL_REQUIRED, REFUSAL_FIELD("returnId"), "returnId is required");
        return NULL;
    }
    if (!ret || !order_return_reachable(work, ret)) {
        refusal_add(work->refusals, REFUSAL_NOT_FOUND, REFUSAL_FIELD("returnId"),
                    "The order has no return RET-%u", (unsigned)number);
        return NULL;
    }
    if (!(statuses & 1u << ret->status)) {
        refusal_add(work->refusals, REFUSAL_INVALID, REFUSAL_FIELD("returnId"),
                    "Return RET-%u is %s and cannot be %s", (unsigned)number,
                    order_return_status_name(ret->status), what);
        return NULL;
    }
    return ret;
}

/* What was said with the decision: comments, else the reason. */
static struct oms_str decision_note(const struct order_return_input *in)
{
    return in->comments.len ? in->comments : filled(in->reason);
}

static void change_status(struct order_work *work, unsigned statuses, const char *what,
                          enum order_event_type type)
{
    const struct order_return_input *in = &work->command->returns;
    const struct order_return *ret = named_return(work, statuses, what);
    struct order_event *event;

    order_field_text(work, "", "comments", in->comments, ORDER_LONG_TEXT);
    order_field_text(work, "", "reason", in->reason, ORDER_LONG_TEXT);
    if (!ret || ORDER_REFUSED(work))
        return;
    event = order_emit(work, type);
    event->return_changed.return_id = ret->id;
    event->return_changed.note = decision_note(in);
}

void order_decide_approve_return(struct order_work *work)
{
    change_status(work, RETURN(REQUESTED), "approved", ORDER_EVENT_RETURN_APPROVED);
}

void order_decide_reject_return(struct order_work *work)
{
    if (!work->command->returns.reason.len && !work->command->returns.comments.len)
        refusal_add(work->refusals, REFUSAL_REQUIRED, REFUSAL_FIELD("reason"), "A rejection needs a reason");
    change_status(work, RETURN(REQUESTED), "rejected", ORDER_EVENT_RETURN_REJECTED);
}

void order_decide_cancel_return(struct order_work *work)
{
    change_status(work, RETURN(REQUESTED) | RETURN(APPROVED), "cancelled", ORDER_EVENT_RETURN_CANCELLED);
}

/* ---- receiveReturn ---- */

static void read_received(struct order_work *work, size_t index, const struct order_return_item_input *in,
                          const struct order_return *ret, struct order_return_item *items)
{
    const struct order_line *line;
    char prefix[ORDER_PREFIX_SIZE];
    size_t at;

    order_prefix(prefix, "items.", index);
    line = order_resolve_line(work, prefix, &in->ref);
    if (!line)
        return;
    for (at = 0; at < ret->item_count && items[at].line != line->id; at++)
        continue;
    if (at == ret->item_count) {
        refusal_add(work->refusals, REFUSAL_NOT_FOUND, order_path(work, prefix, "lineItemId"),
                    "Line %u is not in this return", (unsigned)line->id);
        return;
    }
    if (in->ref.quantity > items[at].quantity - items[at].received) {
        refusal_add(work->refusals, REFUSAL_QUANTITY_EXCEEDED, order_path(work, prefix, "quantity"),
                    "%lld of line %u received, %lld are in the return", (long long)in->ref.quantity,
                    (unsigned)line->id, (long long)items[at].quantity);
        return;
    }
    order_field_text(work, prefix, "condition", in->condition, ORDER_NAME_TEXT);
    items[at].received += in->ref.quantity < 0 ? items[at].quantity - items[at].received : in->ref.quantity;
    items[at].condition = filled(in->condition);
    items[at].restock = in->restock;
}

static int64_t value_items(const struct order_work *work, struct order_return_item *items, size_t count)
{
    int64_t value = 0;

    for (size_t i = 0; i < count; i++) {
        const struct order_line *line = order_find_line(work->order, items[i].line);

        items[i].value = order_line_share(work->order, line, line->settled_quantity, items[i].received);
        value += items[i].value;
    }
    return value;
}

void order_decide_receive_return(struct order_work *work)
{
    const struct order_return_input *in = &work->command->returns;
    const struct order_return *ret = named_return(work, RETURN(APPROVED), "received");
    struct order_return_item *items;
    struct order_event *event;
    int64_t at = 0, value;

    order_field_text(work, "", "comments", in->comments, ORDER_LONG_TEXT);
    order_field_text(work, "", "reason", in->reason, ORDER_LONG_TEXT);
    order_field_occurred(work, in->occurred_at, &at);
    if (!ret)
        return;
    items = order_work_alloc(work, ret->item_count, sizeof(*items));
    if (!items)
        return;
    for (size_t i = 0; i < ret->item_count; i++) {
        items[i] = ret->items[i];
        items[i].received = in->item_count ? 0 : items[i].quantity;
        items[i].restock = false;
    }
    for (size_t i = 0; i < in->item_count; i++)
        read_received(work, i, &in->items[i], ret, items);
    if (ORDER_REFUSED(work))
        return;
    value = value_items(work, items, ret->item_count);
    event = order_emit(work, ORDER_EVENT_RETURN_RECEIVED);
    event->return_changed = (struct order_return_changed){
        .return_id = ret->id,
        .note = decision_note(in),
        .items = items,
        .item_count = ret->item_count,
        .occurred_at = at,
    };
    if (value == 0) /* nothing to refund: it would wait for ever */
        order_emit(work, ORDER_EVENT_RETURN_CLOSED)->return_changed.return_id = ret->id;
}
