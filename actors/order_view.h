/*
 * An order as plain data: what commands decide on, events change, codecs freeze and resolvers read (const).
 *
 * Conventions: text is borrowed from the order's own arena, absent is {NULL, 0}; arrays are pointer + count
 * (and capacity where events append); money is an int64_t of minor units of the order's one currency; an
 * instant is milliseconds since 1970 UTC and 0 means "not (yet)"; numbers of parts (line, shipment, hold …)
 * start at 1, are never reused in the order, and 0 means "none". Enum numbers are stored: never renumber,
 * append only.
 *
 * Invariants, after every event: per line cancelled + shipped ≤ quantity, allocated ≤ quantity − cancelled,
 * delivered ≤ shipped, returned ≤ shipped; refunded + refund_reserved ≤ paid; version and event_count only
 * grow. One owner (the order's actor); resolvers read on its shard while it stands still.
 */
#ifndef ORDER_VIEW_H
#define ORDER_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "actors/principal.h"
#include "runtime/base/arena.h"
#include "runtime/base/hash.h"
#include "runtime/base/str.h"

/* ---- enums: API names by the order_*_name functions below ---- */

enum order_stage {
    ORDER_STAGE_NONE = 0, /* no order yet */
    ORDER_STAGE_DRAFT = 1,
    ORDER_STAGE_PENDING = 2,
    ORDER_STAGE_CONFIRMED = 3,
    ORDER_STAGE_SHIPPED = 4,
    ORDER_STAGE_COMPLETED = 5,
    ORDER_STAGE_CANCELLED = 6,
    ORDER_STAGE_COUNT
};

enum order_fulfillment_status {
    ORDER_FULFILLMENT_UNFULFILLED = 0,
    ORDER_FULFILLMENT_PARTIALLY_SHIPPED = 1,
    ORDER_FULFILLMENT_SHIPPED = 2,
    ORDER_FULFILLMENT_PARTIALLY_DELIVERED = 3,
    ORDER_FULFILLMENT_DELIVERED = 4,
    ORDER_FULFILLMENT_COUNT
};

enum order_payment_status {
    ORDER_PAYMENT_STATUS_PENDING = 0,
    ORDER_PAYMENT_STATUS_PARTIALLY_PAID = 1,
    ORDER_PAYMENT_STATUS_PAID = 2,
    ORDER_PAYMENT_STATUS_PARTIALLY_REFUNDED = 3,
    ORDER_PAYMENT_STATUS_REFUNDED = 4,
    ORDER_PAYMENT_STATUS_CANCELLED = 5,
    ORDER_PAYMENT_STATUS_COUNT
};

enum order_shipment_status {
    ORDER_SHIPMENT_NONE = 0,
    ORDER_SHIPMENT_PENDING = 1,
    ORDER_SHIPMENT_CONFIRMED = 2,
    ORDER_SHIPMENT_IN_TRANSIT = 3,
    ORDER_SHIPMENT_DELIVERED = 4,
    ORDER_SHIPMENT_CANCELLED = 5,          /* before it left */
    ORDER_SHIPMENT_FAILED = 6,             /* its quantities are free again */
    ORDER_SHIPMENT_RETURNED_TO_SENDER = 7, /* its quantities are free again */
    ORDER_SHIPMENT_STATUS_COUNT
};

enum order_shipment_mode {
    ORDER_SHIPMENT_MODE_NONE = 0, /* not said */
    ORDER_SHIPMENT_MODE_PICKUP = 1,
    ORDER_SHIPMENT_MODE_DROPOFF = 2,
    ORDER_SHIPMENT_MODE_WAREHOUSE = 3,
    ORDER_SHIPMENT_MODE_COUNT
};

enum order_payment_entry_status {
    ORDER_PAYMENT_NONE = 0,
    ORDER_PAYMENT_AUTHORIZED = 1,
    ORDER_PAYMENT_CAPTURED = 2,
    ORDER_PAYMENT_FAILED = 3,
    ORDER_PAYMENT_VOIDED = 4,
    ORDER_PAYMENT_ENTRY_STATUS_COUNT
};

enum order_return_status {
    ORDER_RETURN_NONE = 0,
    ORDER_RETURN_REQUESTED = 1,
    ORDER_RETURN_APPROVED = 2,
    ORDER_RETURN_RECEIVED = 3,
    ORDER_RETURN_CLOSED = 4, /* received and refunded in full */
    ORDER_RETURN_REJECTED = 5,
    ORDER_RETURN_CANCELLED = 6,
    ORDER_RETURN_STATUS_COUNT
};

enum order_refund_status {
    ORDER_REFUND_NONE = 0,
    ORDER_REFUND_PENDING = 1, /* reserves its amount */
    ORDER_REFUND_SUCCEEDED = 2,
    ORDER_REFUND_FAILED = 3,
    ORDER_REFUND_STATUS_COUNT
};

enum order_outcome {
    ORDER_OUTCOME_WAITING = 0,
    ORDER_OUTCOME_DONE = 1,
    ORDER_OUTCOME_APPROVED = 2,
    ORDER_OUTCOME_REJECTED = 3, /* never satisfies a required step */
    ORDER_OUTCOME_SKIPPED = 4,
    ORDER_OUTCOME_NOT_APPLICABLE = 5,
    ORDER_OUTCOME_COUNT
};

/* "CONFIRMED", "PARTIALLY_SHIPPED", "pickup" → the API's spelling, upper case; static storage; order_names.c.
 */
const char *order_stage_name(enum order_stage stage);
const char *order_fulfillment_status_name(enum order_fulfillment_status status);
const char *order_payment_status_name(enum order_payment_status status);
const char *order_shipment_status_name(enum order_shipment_status status);
const char *order_shipment_mode_name(enum order_shipment_mode mode);
const char *order_payment_entry_status_name(enum order_payment_entry_status status);
const char *order_return_status_name(enum order_return_status status);
const char *order_refund_status_name(enum order_refund_status status);
const char *order_outcome_name(enum order_outcome outcome);
/* The reverse, ASCII case ignored; false for an unknown word (the *_NONE values are no words). */
bool order_stage_parse(struct oms_str name, enum order_stage *out);
bool order_fulfillment_status_parse(struct oms_str name, enum order_fulfillment_status *out);
bool order_payment_status_parse(struct oms_str name, enum order_payment_status *out);
bool order_shipment_status_parse(struct oms_str name, enum order_shipment_status *out);
bool order_shipment_mode_parse(struct oms_str name, enum order_shipment_mode *out);
bool order_payment_entry_status_parse(struct oms_str name, enum order_payment_entry_status *out);
bool order_return_status_parse(struct oms_str name, enum order_return_status *out);
bool order_refund_status_parse(struct oms_str name, enum order_refund_status *out);
bool order_outcome_parse(struct oms_str name, enum order_outcome *out);

/* ---- ids of parts in the API: "SHP-3"; a line item's id is its bare number ---- */

#define ORDER_PART_SHIPMENT "SHP"
#define ORDER_PART_RETURN   "RET"
#define ORDER_PART_REFUND   "REF"
#define ORDER_PART_HOLD     "HLD"
#define ORDER_PART_PAYMENT  "PAY"
#define ORDER_PART_NOTE     "NOTE"
#define ORDER_PART_ID_SIZE  24

/* Writes "SHP-3" and a NUL; returns the length. */
size_t order_part_id(const char *prefix, uint32_t number, char out[ORDER_PART_ID_SIZE]);
/* "SHP-3" (prefix in any case) or "3" → 3; false for anything else. */
bool order_part_parse(struct oms_str text, const char *prefix, uint32_t *out);

/* What a personal text reads as once its customer has been erased. */
#define ORDER_ERASED      OMS_STR("[erased]")
#define ORDER_ERASED_JSON OMS_STR("\"[erased]\"") /* the same where the text is JSON */

/* ---- parts ---- */

/* Who did something; as in an event's actor. */
struct order_actor {
    enum principal_kind kind;
    struct oms_str subject;
    struct oms_str display_name;
};

struct order_customer {
    struct oms_str customer_id;
    struct oms_str name; /* as given, or firstName lastName joined */
    struct oms_str first_name;
    struct oms_str last_name;
    struct oms_str email;
    struct oms_str phone;
};

struct order_address {
    struct oms_str recipient;
    struct oms_str street;
    struct oms_str line2;
    struct oms_str city;
    struct oms_str state;
    struct oms_str postal;  /* text: leading zeros, letters */
    struct oms_str country; /* ISO 3166-1 alpha-2, capitals */
    struct oms_str phone;
};

struct order_vendor {
    struct oms_str id;
    struct oms_str name;
    struct oms_str country;
};

struct order_package {
    struct oms_str weight;     /* as given: "1.2 kg" */
    struct oms_str dimensions; /* as given: "30x20x10 cm" */
};

struct order_line {
    uint32_t id; /* lineItemId */
    bool free_gift;
    bool taxable;
    struct oms_str sku;
    struct oms_str name;
    struct oms_str category;
    struct order_vendor vendor;
    struct oms_str options; /* JSON text, absent when none */
    struct order_package package;
    int64_t unit_price;
    int64_t quantity; /* ordered, ≥ 1; cancelled units included */

    /* The line's price, fixed when the order was last priced (creation or edit), over priced_quantity units.
     */
    int64_t priced_quantity;    /* quantity − what was cancelled before that pricing */
    int64_t discount;           /* the line's own discountAmount */
    int64_t allocated_discount; /* its share of the order's discount */
    int64_t allocated_tax;      /* its share of taxAmount */
    /* Units taken out since, in order, by cancellation and by received returns: the next unit's share starts
     * here. */
    int64_t settled_quantity;

    /* Counts, kept by events. allocated: in live shipments (PENDING to DELIVERED); shipped: in those that
     * left. */
    int64_t cancelled;
    int64_t allocated;
    int64_t shipped; /* IN_TRANSIT and DELIVERED */
    int64_t delivered;
    int64_t return_open; /* in returns REQUESTED or APPROVED */
    int64_t returned;    /* in returns RECEIVED or CLOSED */
};

struct order_tax_line {
    struct oms_str title;
    struct oms_str rate; /* a decimal fraction as text ("0.0825"), absent when only an amount was given */
    int64_t amount;      /* of what is not cancelled */
    bool computed;       /* by LiteOMS from the rate */
};

struct order_shipping {
    struct oms_str method;
    struct oms_str delivery_time;
    int64_t cost;
};

struct order_payment {
    uint32_t id;
    enum order_payment_entry_status status;
    struct oms_str method;
    struct oms_str provider;
    struct oms_str transaction_id; /* absent for cash */
    int64_t amount;
    int64_t occurred_at; /* as told, else recorded_at */
    int64_t recorded_at;
    struct order_actor actor;
};

struct order_item {
    uint32_t line; /* lineItemId */
    int64_t quantity;
};

struct order_shipment {
    uint32_t id;
    enum order_shipment_status status;
    enum order_shipment_mode mode;
    struct oms_str provider;
    struct oms_str warehouse; /* where it leaves from, absent when not said */
    struct order_package package;
    int64_t pickup_from; /* window */
    int64_t pickup_until;
    struct order_address address; /* as given; all absent: the order's destination */
    int64_t cost;
    bool has_cost;
    struct oms_str tracking_reference;
    struct oms_str tracking_url;
    struct oms_str label_url;
    struct oms_str reason;         /* of cancellation or failure */
    struct oms_str carrier_status; /* the carrier's last word, as text */
    struct order_item *items;
    size_t item_count;
    int64_t created_at;
    int64_t confirmed_at;
    int64_t dispatched_at;
    int64_t delivered_at;
    int64_t closed_at; /* cancelled, failed or returned */
    int64_t status_at; /* occurred_at of the newest fact: an older one never regresses the status */
};

struct order_return_item {
    uint32_t line;
    int64_t quantity; /* asked for */
    int64_t received; /* came back */
    struct oms_str condition;
    bool restock;
    int64_t value; /* refundable for the received units, set on receipt */
};

struct order_return {
    uint32_t id;
    enum order_return_status status;
    struct oms_str reason;
    struct oms_str comments;      /* the customer's */
    struct oms_str decision_note; /* of who approved, rejected, received or cancelled last */
    struct order_return_item *items;
    size_t item_count;
    int64_t value;    /* Σ of item values, set on receipt */
    int64_t refunded; /* of value, by refunds SUCCEEDED or PENDING (restocking fees count as refunded) */
    struct order_actor requested_by;
    int64_t requested_at;
    int64_t approved_at;
    int64_t received_at;
    int64_t closed_at; /* closed, rejected or cancelled */
};

struct order_refund {
    uint32_t id;
    enum order_refund_status status;
    uint32_t return_id; /* 0: an amount with a reason */
    int64_t amount;     /* what the customer gets, shipping included */
    int64_t goods;      /* of a return's value, before the fee */
    int64_t fee;        /* restocking fee kept back: amount = goods − fee + shipping */
    int64_t shipping;   /* of the shipping cost */
    struct oms_str reason;
    struct oms_str provider;
    struct oms_str transaction_id;
    struct order_actor actor;
    int64_t created_at;
    int64_t settled_at;
};

/* One step of the workflow pinned at creation, in the workflow's order. */
struct order_activity {
    uint32_t step; /* index in the workflow's steps */
    enum order_stage stage;
    int32_t sequence;
    bool optional;
    bool overdue; /* its deadline passed and was acted on */
    struct oms_str step_name;
    struct oms_str activity_status;
    enum order_outcome outcome;
    struct oms_str reviewer; /* subject assigned by escalateReviewer */
    struct oms_str comments;
    struct oms_str user_input; /* JSON text */
    struct order_actor actor;  /* who finished it */
    int64_t started_at;        /* became current */
    int64_t due_at;            /* 0: no deadline, or paused */
    int64_t due_left_ms;       /* paused by a hold: what is left of it */
    int64_t finished_at;
};

/* A set of commands: bit n is enum order_command_type n. */
typedef uint64_t order_command_set;

struct order_hold {
    uint32_t id;
    struct order_actor owner;
    struct oms_str reason;
    order_command_set blocks; /* 0: none named, that is every transition but cancelOrder */
    int64_t placed_at;
    int64_t expires_at;  /* 0: never by itself */
    int64_t released_at; /* 0: active */
    struct order_actor released_by;
    struct oms_str release_reason;
};

struct order_note {
    uint32_t id;
    bool visible_to_customer;
    struct oms_str text;
    struct order_actor author;
    int64_t created_at;
};

/* An accepted keyed command; hashes are of (tenant, subject, mutation, target, key) and of the canonical
 * input. */
struct order_key {
    struct oms_hash128 key;
    struct oms_hash128 fingerprint;
    uint64_t version; /* of the order after that command */
    int64_t at;
};

/* Sums in minor units. Kept by events, so that reading never recomputes. */
struct order_totals {
    int64_t total;     /* totalAmount: Σ price × (quantity − cancelled), free gifts zero */
    int64_t discounts; /* totalDiscountsFee, line discounts included */
    int64_t tax;       /* taxAmount */
    int64_t shipping;  /* = shipping.cost */
    int64_t final;     /* finalAmount */
    /* What no line bears: discounts beyond the lines' net, and tax when no line can carry any. */
    int64_t shipping_discount;
    int64_t shipping_tax;
};

struct order {
    struct oms_arena arena; /* all memory below; order_init … order_fini */
    size_t garbage;         /* bytes of the arena that nothing points to any more (estimate) */

    /* identity */
    struct oms_str order_id; /* "ORD-…" */
    struct oms_str external_ref;
    struct oms_str source;
    uint64_t version;                       /* 0: no order yet */
    uint64_t event_count;                   /* sequence of the last event */
    struct oms_hash128 content_fingerprint; /* of the content first submitted */
    uint32_t workflow_version;              /* pinned at creation; 0: none */
    uint16_t currency;                      /* money.h */

    /* statuses; the middle two are derived on every event and stored for lists */
    enum order_stage stage;
    enum order_fulfillment_status fulfillment;
    enum order_payment_status payment;
    uint32_t current_activity; /* index in activities + 1 of the current WAITING step; 0: none */

    int64_t placed_at;
    int64_t created_at;
    int64_t modified_at;
    struct order_actor created_by;

    struct order_customer customer;
    struct order_address destination;
    struct order_address billing; /* all absent when not given */
    bool has_destination;
    bool has_billing;
    bool taxes_included;
    bool tax_given;      /* by amount, so that an edit needs a new one */
    bool discount_given; /* at the order's level, so that an edit needs a new one */

    struct order_line *lines; /* by id, ascending */
    size_t line_count, line_cap;
    uint32_t line_next; /* the next lineItemId */

    struct order_shipping shipping;
    struct oms_str *coupons;
    size_t coupon_count;
    struct oms_str *offers; /* offerDetails */
    size_t offer_count;
    struct order_tax_line *tax_lines;
    size_t tax_line_count;
    struct oms_str *tax_details;
    size_t tax_detail_count;

    struct order_totals totals;
    int64_t paid;            /* gross captures */
    int64_t refunded;        /* SUCCEEDED refunds */
    int64_t refund_reserved; /* PENDING refunds */
    int64_t refund_due;      /* owed back */

    struct order_payment *payments; /* the ledger, by id; the others below as well */
    size_t payment_count, payment_cap;
    struct order_shipment *shipments;
    size_t shipment_count, shipment_cap;
    struct order_return *returns;
    size_t return_count, return_cap;
    struct order_refund *refunds;
    size_t refund_count, refund_cap;
    struct order_activity *activities; /* every step, in the workflow's order */
    size_t activity_count;

    struct order_hold *holds; /* active, oldest first */
    size_t hold_count, hold_cap;
    struct order_hold *released_holds; /* the last ones released, oldest first */
    size_t released_hold_count, released_hold_cap;
    uint32_t hold_next;

    /*
     * Notes 1 … note_count exist; the array holds the last notes_held of them (older ones may lie beside the
     * state, so that a note does not rewrite all others).
     */
    struct order_note *notes;
    size_t notes_held, note_cap;
    uint32_t note_count;
    uint32_t notes_erased; /* notes 1 … so many are gone, with the customer */

    int64_t erased_at;     /* when the customer was erased last; 0: never */
    uint64_t erased_event; /* sequence of that event; later ones may have brought personal data again */

    struct oms_str cancellation_reason;
    struct oms_str shipping_reference; /* the order's tracking URL */

    struct order_key *keys; /* oldest first */
    size_t key_count, key_cap;
};

/* ---- reading helpers (any const order; the order's shard) ---- */

/* NULL when there is no such part. */
const struct order_line *order_find_line(const struct order *order, uint32_t id);
const struct order_shipment *order_find_shipment(const struct order *order, uint32_t id);
const struct order_return *order_find_return(const struct order *order, uint32_t id);
const struct order_refund *order_find_refund(const struct order *order, uint32_t id);
const struct order_hold *order_find_hold(const struct order *order, uint32_t id); /* active ones */
/* By the carrier's reference; NULL when no shipment has it. */
const struct order_shipment *order_find_tracking(const struct order *order, struct oms_str reference);
/* The activityStatus: that of the current step, or "NoPendingActions". */
struct oms_str order_activity_status(const struct order *order);
/* price × quantity not cancelled; zero for a free gift. */
int64_t order_line_total(const struct order_line *line);
/* Net total with tax of the line's uncancelled units (order_totals.c has the rule). */
int64_t order_line_net(const struct order *order, const struct order_line *line);
/* The line's discounts (own and allocated) and tax for its uncancelled units. */
int64_t order_line_discounts(const struct order_line *line);
int64_t order_line_tax(const struct order_line *line);
/* The sums of one vendor's lines: what a vendor may see. shipping is 0, final is Σ order_line_net. */
void order_vendor_totals(const struct order *order, struct oms_str vendor_id, struct order_totals *out);
/* The notes that there are. */
static inline uint32_t order_notes_kept(const struct order *order)
{
    return order->note_count - order->notes_erased;
}
/* Whose order it is; absent when nobody says, or when they were erased. */
static inline struct oms_str order_customer_id(const struct order *order)
{
    return oms_str_eq(order->customer.customer_id, ORDER_ERASED) ? OMS_STR_NONE : order->customer.customer_id;
}
/* Whether any active hold exists. */
static inline bool order_on_hold(const struct order *order)
{
    return order->hold_count != 0;
}
static inline bool order_live(const struct order *order)
{
    return order->stage >= ORDER_STAGE_DRAFT && order->stage <= ORDER_STAGE_SHIPPED;
}

#endif
