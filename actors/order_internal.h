/*
 * Between the order's own sources: what a decision works with, the shared checks, pricing, steps. Nobody else
 * includes this.
 *
 * A decision never changes the order. What later parts of it must know of its own earlier events (did that
 * ship the last unit? is that step done now?) stands in `struct order_work`, next to the events themselves.
 */
#ifndef ORDER_INTERNAL_H
#define ORDER_INTERNAL_H

#include <stddef.h>

#include "actors/order.h"
#include "actors/pattern.h"

struct workflow_step;

struct order_work {
    const struct order *order;
    const struct order_command *command; /* NULL: asked by order_available_actions */
    const struct order_context *context;
    enum order_command_type type;
    struct oms_arena *arena;
    struct order_decision *out;
    struct refusal_list *refusals;
    int64_t now;
    uint16_t currency;
    enum order_payment_entry_status given_status; /* scratch of recordPayment */
    struct access_order on; /* how the caller stands to the order under the command's permission */
    bool internal;          /* no permission needed */
    bool memory_failed;

    /* the order as it will be after the events so far */
    enum order_stage stage;
    int64_t units_active;   /* Σ quantity − cancelled: changes of this command, until the sums are added */
    int64_t units_shipped;  /* Σ shipped: the same */
    uint32_t hold_released; /* a hold that this command releases */
    bool hold_placed;
    enum order_outcome *outcomes; /* per activity */
    bool *started;                /* per activity */
    signed char *applies;         /* per activity: what `when` said in this phase; 0: not asked */
    bool events_are_in;           /* the command's own events are decided: `when` sees them */
    struct pattern_runner runner; /* of SKU patterns */
    signed char *sku_answers;     /* per line: enum pattern_answer + 1, 0: not asked */
    struct order *preview;        /* the order after the first preview_events events; NULL: not needed yet */
    size_t preview_events;
    struct order_context own_context; /* migration: `context` points here, with the new workflow */
    const struct order_activity *activities;
    size_t activity_count;

    struct order_event spare; /* where events go when there is no memory for them; last, and not cleared */
};

/* ---- order_decide.c ---- */
/* Appends an event of this type with a cleared payload; never NULL (memory_failed refuses at the end). */
struct order_event *order_emit(struct order_work *work, enum order_event_type type);
/* From the decision's arena, cleared; NULL sets memory_failed. */
void *order_work_alloc(struct order_work *work, size_t count, size_t size);
/* Moves the stage in the overlay and emits its event, with the steps that this settles. */
void order_emit_stage(struct order_work *work, enum order_stage to, struct oms_str reason);
struct order_actor order_actor_of(const struct principal *principal);
#define ORDER_REFUSED(work) ((work)->refusals->count != 0)

/* ---- order_check.c: rules shared by decide and availableActions; each adds refusals and returns whether it
 * passed ---- */
struct order_rule {
    unsigned stages;                         /* bits 1 << enum order_stage in which the command may run */
    bool vendor_all;                         /* a vendor may only when all lines are theirs */
    bool vendor_never;                       /* no vendor scope reaches it */
    bool (*ready)(struct order_work *work);  /* is there anything to act on; NULL: always */
    void (*decide)(struct order_work *work); /* emits events or adds refusals */
};
const struct order_rule *order_rule_of(enum order_command_type type);
bool order_check_access(struct order_work *work);
bool order_check_state(struct order_work *work);
/* Whether an active hold, as after this command, blocks `type`; adds ON_HOLD when `refuse`. */
bool order_check_holds(struct order_work *work, enum order_command_type type, bool refuse);
/* Whether the caller may act on this line at all (their own for a vendor). */
bool order_line_reachable(const struct order_work *work, const struct order_line *line);
bool order_shipment_reachable(const struct order_work *work, const struct order_shipment *shipment);
bool order_return_reachable(const struct order_work *work, const struct order_return *ret);

/* ---- order_steps.c ---- */
void order_steps_begin(struct order_work *work);
/* After a decision, or after asking what may be done. */
void order_steps_end(struct order_work *work);
/* From here on `when` is asked of the order as the command leaves it. */
void order_steps_events_are_in(struct order_work *work);
/* Steps that would become current but whose `when` does not hold are NOT_APPLICABLE from now on. */
void order_steps_pass(struct order_work *work);
/* Whether `when` of a waiting step holds, or held when its turn came. */
bool order_steps_applies(struct order_work *work, size_t index);
/* Gates of the command: order of its own step, required steps of the stage. Adds refusals. */
bool order_check_steps(struct order_work *work);
/* Whether the required steps of the stage that is being left are done (own: the command whose step does not
 * count). */
bool order_steps_gate_open(struct order_work *work, enum order_command_type own, bool refuse);
/* After the command's own events: finishes its own step, starts what is current. */
void order_steps_finish_own(struct order_work *work);
/* A fact did what this command's step asks for. */
void order_steps_finish_fact(struct order_work *work, enum order_command_type command);
void order_steps_start_current(struct order_work *work);
/* The stage changes from → to: leftovers of the old one, own steps and impossible ones of the new one. */
void order_steps_leave(struct order_work *work, enum order_stage from, enum order_stage to);
void order_steps_finish(struct order_work *work, size_t index, enum order_outcome outcome,
                        struct oms_str comments, struct oms_str user_input);
/* The activities of a new order, from the context's workflow; also sets the overlay. */
void order_steps_instantiate(struct order_work *work, enum order_stage stage, struct order_created *created);
/* The first WAITING step of the overlay's stage, or SIZE_MAX. */
size_t order_steps_current(const struct order_work *work);
/* A waiting step of the stage by name that may be performed now, earlier ones in order; SIZE_MAX and
 * refusals. */
bool order_steps_in_order(struct order_work *work, size_t index, struct oms_str field);
size_t order_steps_perform(struct order_work *work, struct oms_str name, struct oms_str field);
const struct workflow_step *order_step_of(const struct order_work *work,
                                          const struct order_activity *activity);

/* ---- order_field.c: input fields; each adds its refusal and returns whether the value may be used ---- */
#define ORDER_ID_TEXT   OMS_ID_BYTES_MAX
#define ORDER_NAME_TEXT OMS_NAME_BYTES_MAX
#define ORDER_LONG_TEXT OMS_TEXT_BYTES_MAX

/* Absent is fine; present: valid UTF-8, 1 … max bytes, no control characters but white space in long text. */
bool order_field_text(struct order_work *work, const char *prefix, const char *name, struct oms_str value,
                      size_t max);
bool order_field_required(struct order_work *work, const char *prefix, const char *name, struct oms_str value,
                          size_t max);
bool order_field_email(struct order_work *work, const char *prefix, const char *name, struct oms_str value);
bool order_field_url(struct order_work *work, const char *prefix, const char *name, struct oms_str value);
bool order_field_json(struct order_work *work, const char *prefix, const char *name, struct oms_str value,
                      size_t max);
/* A non-negative amount in the work's currency; absent leaves *out and returns true. */
bool order_field_amount(struct order_work *work, const char *prefix, const char *name,
                        struct order_amount value, int64_t *out);
bool order_field_quantity(struct order_work *work, const char *prefix, const char *name, int64_t value);
/* Normalises the country; `where` is the path's prefix ("destination."). */
bool order_field_address(struct order_work *work, const char *prefix, const struct order_address *in,
                         struct order_address *out, bool required);
/* occurred_at: absent becomes now; not over 24 h ahead. */
bool order_field_occurred(struct order_work *work, int64_t value, int64_t *out);
/* "lineItems." and 3 → "lineItems.3."; by hand, since every line of every creation needs one. */
#define ORDER_PREFIX_SIZE 40
void order_prefix(char out[ORDER_PREFIX_SIZE], const char *list, size_t index);
/* "prefix" + "name" in the arena. */
struct oms_str order_path(struct order_work *work, const char *prefix, const char *name);
/* Amount of the order's currency as text, for messages. */
struct order_money_text {
    char text[48];
};
struct order_money_text order_money(const struct order_work *work, int64_t amount);

/* ---- order_decide_lines.c ---- */
/*
 * Finds the one line that the reference means, within the caller's reach: REQUIRED, NOT_FOUND or
 * AMBIGUOUS_LINE otherwise. NULL after a refusal.
 */
const struct order_line *order_resolve_line(struct order_work *work, const char *prefix,
                                            const struct order_line_ref *ref);
/* The input's lines, validated and filled from `id` on; false after a refusal. */
bool order_read_lines(struct order_work *work, const struct order_line_input *in, size_t count, uint32_t id,
                      struct order_line *out);

/* ---- order_totals.c ---- */
struct order_price_request {
    struct order_line
        *lines; /* priced_quantity, discount, unit_price, free_gift, taxable in; allocations out */
    size_t line_count;
    const struct order_sums_input *sums;
    int64_t shipping;
    bool taxes_included;
    const struct order
        *before; /* an edit of this order: what was given must be given again; NULL: a creation */
    bool discounts_absent_ok;
};
bool order_price(struct order_work *work, const struct order_price_request *request,
                 struct order_pricing *out);
/* The sums after `items` more units are cancelled. */
bool order_price_cancelled(struct order_work *work, const struct order_item *items, size_t count,
                           struct order_pricing *out);

/* ---- order_state.c ---- */
unsigned
order_shipment_counts(enum order_shipment_status status); /* bit 0 allocated, 1 shipped, 2 delivered */
/* What could still be returned of the line. */
static inline int64_t order_line_returnable(const struct order_line *line)
{
    return line->shipped - line->return_open - line->returned;
}
static inline int64_t order_line_unallocated(const struct order_line *line)
{
    return line->quantity - line->cancelled - line->allocated;
}

/* ---- the commands (order_decide_*.c) ---- */
void order_decide_create(struct order_work *work);
void order_decide_add_lines(struct order_work *work);
void order_decide_remove_lines(struct order_work *work);
void order_decide_change_quantity(struct order_work *work);
void order_decide_change_destination(struct order_work *work);
void order_decide_place(struct order_work *work);
void order_decide_confirm(struct order_work *work);
void order_decide_cancel_lines(struct order_work *work);
void order_decide_cancel_order(struct order_work *work);
void order_decide_complete(struct order_work *work);
void order_decide_add_shipment(struct order_work *work);
void order_decide_confirm_shipment(struct order_work *work);
void order_decide_dispatch_shipment(struct order_work *work);
void order_decide_deliver_shipment(struct order_work *work);
void order_decide_cancel_shipment(struct order_work *work);
void order_decide_fail_shipment(struct order_work *work);
void order_decide_mark_shipped(struct order_work *work);
void order_decide_tracking(struct order_work *work);
void order_decide_track(struct order_work *work);
void order_decide_payment(struct order_work *work);
void order_emit_payment(struct order_work *work, const char *prefix, const struct order_payment_input *input,
                        const char *amount_name);
/* Cancels open shipments and the order. */
void order_emit_cancelled(struct order_work *work, struct oms_str reason);
/* Whether the rules would let the order be cancelled now; adds no refusals. */
bool order_may_cancel(struct order_work *work);
void order_emit_hold(struct order_work *work, struct oms_str reason, int64_t expires_at,
                     order_command_set blocks);
void order_decide_request_return(struct order_work *work);
void order_decide_approve_return(struct order_work *work);
void order_decide_reject_return(struct order_work *work);
void order_decide_receive_return(struct order_work *work);
void order_decide_cancel_return(struct order_work *work);
void order_decide_refund(struct order_work *work);
void order_decide_escalate(struct order_work *work);
void order_decide_review(struct order_work *work);
void order_decide_complete_activity(struct order_work *work);
void order_decide_skip_activity(struct order_work *work);
void order_decide_step_due(struct order_work *work);
void order_decide_migrate(struct order_work *work);
void order_decide_erase(struct order_work *work);
void order_decide_place_hold(struct order_work *work);
void order_decide_release_hold(struct order_work *work);
void order_decide_expire_hold(struct order_work *work);
void order_decide_add_note(struct order_work *work);

bool order_ready_edit_destination(struct order_work *work);
bool order_ready_place(struct order_work *work);
bool order_ready_cancel_lines(struct order_work *work);
bool order_ready_cancel_order(struct order_work *work);
bool order_ready_complete(struct order_work *work);
bool order_ready_add_shipment(struct order_work *work);
bool order_ready_confirm_shipment(struct order_work *work);
bool order_ready_dispatch_shipment(struct order_work *work);
bool order_ready_deliver_shipment(struct order_work *work);
bool order_ready_cancel_shipment(struct order_work *work);
bool order_ready_fail_shipment(struct order_work *work);
bool order_ready_mark_shipped(struct order_work *work);
bool order_ready_tracking(struct order_work *work);
bool order_ready_request_return(struct order_work *work);
bool order_ready_approve_return(struct order_work *work);
bool order_ready_receive_return(struct order_work *work);
bool order_ready_cancel_return(struct order_work *work);
bool order_ready_refund(struct order_work *work);
bool order_ready_escalate(struct order_work *work);
bool order_ready_review(struct order_work *work);
bool order_ready_activity(struct order_work *work);
bool order_ready_skip(struct order_work *work);
bool order_ready_release_hold(struct order_work *work);

#endif
