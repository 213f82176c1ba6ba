/*
 * Events of an order: the full logical change that a command made. state == fold(order_apply) over them, and
 * nothing else: an event carries results (sums, shares, derived deadlines), never a request to compute, so
 * that a later version of the rules reads an old log to the same state.
 *
 * A unit of work is the 1 … n events of one accepted command; it is one step of the version. Events borrow
 * text from the deciding arena (or from the record they were read from). Numbers are stored: append only.
 */
#ifndef ORDER_EVENT_H
#define ORDER_EVENT_H

#include "actors/order_command.h"

/* X(name, number) */
#define ORDER_EVENT_LIST(X)                                                                                  \
    X(ORDER_CREATED, 1)                                                                                      \
    X(LINE_ITEMS_ADDED, 2)                                                                                   \
    X(LINE_ITEMS_REMOVED, 3)                                                                                 \
    X(QUANTITIES_CHANGED, 4)                                                                                 \
    X(DESTINATION_CHANGED, 5)                                                                                \
    X(ORDER_PLACED, 6)                                                                                       \
    X(ORDER_CONFIRMED, 7)                                                                                    \
    X(ORDER_SHIPPED, 8)                                                                                      \
    X(ORDER_COMPLETED, 9)                                                                                    \
    X(ORDER_CANCELLED, 10)                                                                                   \
    X(LINE_ITEMS_CANCELLED, 11)                                                                              \
    X(SHIPMENT_ADDED, 12)                                                                                    \
    X(SHIPMENT_CONFIRMED, 13)                                                                                \
    X(SHIPMENT_DISPATCHED, 14)                                                                               \
    X(SHIPMENT_DELIVERED, 15)                                                                                \
    X(SHIPMENT_CANCELLED, 16)                                                                                \
    X(SHIPMENT_FAILED, 17)  /* or returned to sender: `status` */                                            \
    X(SHIPMENT_SCANNED, 18) /* a carrier's fact that moves no status */                                      \
    X(TRACKING_ADDED, 19)                                                                                    \
    X(PAYMENT_RECORDED, 20) /* a new entry, or the settling of an authorization */                           \
    X(RETURN_REQUESTED, 21)                                                                                  \
    X(RETURN_APPROVED, 22)                                                                                   \
    X(RETURN_REJECTED, 23)                                                                                   \
    X(RETURN_RECEIVED, 24)                                                                                   \
    X(RETURN_CANCELLED, 25)                                                                                  \
    X(RETURN_CLOSED, 26)                                                                                     \
    X(REFUND_PROCESSED, 27)                                                                                  \
    X(REFUND_SETTLED, 28)                                                                                    \
    X(STEP_STARTED, 29)                                                                                      \
    X(STEP_FINISHED, 30)                                                                                     \
    X(REVIEWER_ASSIGNED, 31)                                                                                 \
    X(STEPS_RESET, 32)                                                                                       \
    X(STEP_OVERDUE, 33)                                                                                      \
    X(HOLD_PLACED, 34)                                                                                       \
    X(HOLD_RELEASED, 35)                                                                                     \
    X(NOTE_ADDED, 36)                                                                                        \
    X(WORKFLOW_MIGRATED, 37)                                                                                 \
    X(CUSTOMER_ERASED, 38)

enum order_event_type {
    ORDER_EVENT_NONE = 0,
#define X(name, number) ORDER_EVENT_##name = number,
    ORDER_EVENT_LIST(X)
#undef X
        ORDER_EVENT_COUNT /* one above the highest */
};

/* "ORDER_CREATED"; static storage. */
const char *order_event_name(enum order_event_type type);
/* ORDER_EVENT_NONE for an unknown word. */
enum order_event_type order_event_parse(struct oms_str name);

/* ---- payloads ---- */

/* One line's price after a pricing (order_view.h says what the fields mean). */
struct order_line_price {
    uint32_t line;
    int64_t priced_quantity;
    int64_t discount;
    int64_t allocated_discount;
    int64_t allocated_tax;
};

/* The order's sums after a command. `lines` covers every line after an edit; none after a cancellation. */
struct order_pricing {
    struct order_totals totals;
    const struct order_line_price *lines;
    size_t line_count;
    const struct order_tax_line *tax_lines; /* all of them; replaces the order's */
    size_t tax_line_count;
    bool tax_given;
    bool discount_given;
};

/*
 * The whole order as first accepted. lines have ids 1 … n and their prices filled in, counts zero; activities
 * all WAITING (those that can no longer occur NOT_APPLICABLE). Payment and notes of the input are events of
 * their own.
 */
struct order_created {
    struct oms_str order_id;
    struct oms_str external_ref;
    struct oms_str source;
    struct oms_hash128 content_fingerprint;
    uint32_t workflow_version;
    uint16_t currency;
    enum order_stage stage;
    int64_t placed_at;
    struct order_customer customer;
    struct order_address destination;
    struct order_address billing;
    bool has_destination;
    bool has_billing;
    bool taxes_included;
    bool tax_given;
    bool discount_given;
    const struct order_line *lines;
    size_t line_count;
    struct order_shipping shipping;
    const struct oms_str *coupons;
    size_t coupon_count;
    const struct oms_str *offers;
    size_t offer_count;
    const struct order_tax_line *tax_lines;
    size_t tax_line_count;
    const struct oms_str *tax_details;
    size_t tax_detail_count;
    struct order_totals totals;
    const struct order_activity *activities;
    size_t activity_count;
};

struct order_lines_added {
    const struct order_line *lines; /* new ids */
    size_t line_count;
    struct order_pricing pricing;
};

/* Removed lines, changed quantities (`quantity` is the new one), cancelled quantities (`quantity` is added).
 */
struct order_lines_changed {
    const struct order_item *items;
    size_t item_count;
    struct oms_str reason; /* cancellation */
    struct order_pricing pricing;
};

struct order_destination_changed {
    struct order_address destination;
    struct order_address billing;
    bool has_destination; /* which of the two changed */
    bool has_billing;
};

/* ORDER_PLACED, _CONFIRMED, _SHIPPED, _COMPLETED, _CANCELLED: the stage follows from the type. */
struct order_stage_changed {
    enum order_stage from;
    struct oms_str reason; /* cancellation */
};

/* SHIPMENT_CONFIRMED … _SCANNED and TRACKING_ADDED. Absent text leaves the shipment's as it is. */
struct order_shipment_changed {
    uint32_t shipment;                 /* TRACKING_ADDED: 0 = the order's shipping_reference */
    enum order_shipment_status status; /* after it; SCANNED: what the carrier said, NONE when unmapped */
    int64_t occurred_at;
    struct oms_str provider;
    struct oms_str tracking_reference;
    struct oms_str tracking_url;
    struct oms_str label_url;
    struct oms_str reason;
    struct oms_str carrier_status;
    int64_t cost;
    bool has_cost;
    int64_t pickup_from; /* confirmation; 0: unchanged */
    int64_t pickup_until;
};

struct order_return_changed {
    uint32_t return_id;
    struct oms_str note;
    const struct order_return_item *items; /* RECEIVED: all, with received, condition, restock, value */
    size_t item_count;
    int64_t occurred_at; /* RECEIVED */
};

struct order_refund_settled {
    uint32_t refund;
    enum order_refund_status status;
    struct oms_str provider;
    struct oms_str transaction_id;
};

/* `activity` is an index in order.activities. */
struct order_step_started {
    uint32_t activity;
    int64_t due_at;      /* 0: no deadline, or paused at once */
    int64_t due_left_ms; /* paused by a hold */
};

struct order_step_finished {
    uint32_t activity;
    enum order_outcome outcome;
    struct oms_str comments;
    struct oms_str user_input;
};

/* A rejected step is WAITING again. */
struct order_reviewer_assigned {
    uint32_t activity;
    struct oms_str reviewer;
    struct oms_str comments;
};

/* From `activity` on, every step of its stage is WAITING again; deadlines are forgotten. */
struct order_steps_reset {
    uint32_t activity;
};

struct order_step_overdue {
    uint32_t activity;
    uint32_t on_due; /* enum workflow_on_due + 1: what was done about it; 0: not told (older records) */
};

/* The order follows another version; these are all its steps from now on, as they stand. */
struct order_workflow_migrated {
    uint32_t from, to;
    const struct order_activity *activities;
    size_t activity_count;
};

/* Deadlines of steps pause with the first active hold and go on, by the time of the event, after the last. */
struct order_hold_released {
    uint32_t hold;
    bool expired;
    struct oms_str reason;
};

/* All personal texts before it, and their keys, are gone. */
struct order_erased {
    uint32_t notes; /* so many notes with them */
};

struct order_event {
    enum order_event_type type;
    union {
        struct order_created created;
        struct order_lines_added lines_added;
        struct order_lines_changed lines_changed; /* removed, quantities changed, cancelled */
        struct order_destination_changed destination;
        struct order_stage_changed stage;
        struct order_shipment shipment; /* SHIPMENT_ADDED; counts and times but created_at are zero */
        struct order_shipment_changed shipment_changed;
        struct order_payment payment; /* an id that exists: settles it */
        struct order_return returned; /* RETURN_REQUESTED; status REQUESTED */
        struct order_return_changed return_changed;
        struct order_refund refund; /* REFUND_PROCESSED */
        struct order_refund_settled refund_settled;
        struct order_step_started step_started;
        struct order_step_finished step_finished;
        struct order_reviewer_assigned reviewer;
        struct order_steps_reset steps_reset;
        struct order_step_overdue step_overdue;
        struct order_hold hold; /* HOLD_PLACED */
        struct order_hold_released hold_released;
        struct order_note note;
        struct order_workflow_migrated workflow_migrated;
        struct order_erased erased;
    };
};

/* What is recorded with every event. `time` is that of the decision, the same for all events of a unit. */
struct order_event_meta {
    uint64_t sequence; /* in the order, from 1, no gaps */
    uint64_t version;  /* of the order after the unit */
    int64_t time;
    struct order_actor actor;
    enum order_command_type command;
    bool has_key;
    struct oms_str idempotency_key;
    struct oms_hash128 key;
    struct oms_hash128 fingerprint;
};

#endif
