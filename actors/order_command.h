/*
 * Commands on an order: what somebody asks for, as plain data, before anything is decided.
 *
 * A command lives in its sender's request arena and borrows all text. It has been parsed (shapes, enum words,
 * known fields) but not judged: lengths, money, quantities and rules are order_decide's. Money stays text
 * here, since only the order knows its currency and so how many decimals are right. Absent: text {NULL, 0},
 * numbers 0, instants 0, unless a field says otherwise. Numbers of the enum are stored in events and holds:
 * append only, below 64.
 */
#ifndef ORDER_COMMAND_H
#define ORDER_COMMAND_H

#include "actors/order_view.h"
#include "actors/permission.h"

/* X(name, number, mutation, permission and event word, input type). System commands have no input type. */
#define ORDER_COMMAND_LIST(X)                                                                                \
    X(CREATE_ORDER, 1, "createOrder", "create_order", "CreateOrderInput")                                    \
    X(ADD_LINE_ITEM, 2, "addLineItem", "add_line_item", "AddLineItemInput")                                  \
    X(REMOVE_LINE_ITEM, 3, "removeLineItem", "remove_line_item", "RemoveLineItemInput")                      \
    X(CHANGE_QUANTITY, 4, "changeQuantity", "change_quantity", "ChangeQuantityInput")                        \
    X(CHANGE_DESTINATION, 5, "changeDestination", "change_destination", "ChangeDestinationInput")            \
    X(PLACE_ORDER, 6, "placeOrder", "place_order", "PlaceOrderInput")                                        \
    X(CONFIRM_ORDER, 7, "confirmOrder", "confirm_order", "ConfirmOrderInput")                                \
    X(CANCEL_LINE_ITEMS, 8, "cancelLineItems", "cancel_line_items", "CancelLineItemsInput")                  \
    X(ADD_SHIPMENT, 9, "addShipment", "add_shipment", "AddShipmentInput")                                    \
    X(CONFIRM_SHIPMENT, 10, "confirmShipment", "confirm_shipment", "ConfirmShipmentInput")                   \
    X(DISPATCH_SHIPMENT, 11, "dispatchShipment", "dispatch_shipment", "DispatchShipmentInput")               \
    X(DELIVER_SHIPMENT, 12, "deliverShipment", "deliver_shipment", "DeliverShipmentInput")                   \
    X(CANCEL_SHIPMENT, 13, "cancelShipment", "cancel_shipment", "CancelShipmentInput")                       \
    X(FAIL_SHIPMENT, 14, "failShipment", "fail_shipment", "FailShipmentInput")                               \
    X(MARK_AS_SHIPPED, 15, "markAsShipped", "mark_as_shipped", "MarkAsShippedInput")                         \
    X(ADD_SHIPPING_TRACKING_REFERENCE, 16, "addShippingTrackingReference",                                   \
      "add_shipping_tracking_reference", "AddShippingTrackingReferenceInput")                                \
    X(RECORD_PAYMENT, 17, "recordPayment", "record_payment", "RecordPaymentInput")                           \
    X(MARK_AS_COMPLETED, 18, "markAsCompleted", "mark_as_completed", "MarkAsCompletedInput")                 \
    X(CANCEL_ORDER, 19, "cancelOrder", "cancel_order", "CancelOrderInput")                                   \
    X(REQUEST_RETURN, 20, "requestReturn", "request_return", "RequestReturnInput")                           \
    X(APPROVE_RETURN, 21, "approveReturn", "approve_return", "ApproveReturnInput")                           \
    X(REJECT_RETURN, 22, "rejectReturn", "reject_return", "RejectReturnInput")                               \
    X(RECEIVE_RETURN, 23, "receiveReturn", "receive_return", "ReceiveReturnInput")                           \
    X(CANCEL_RETURN, 24, "cancelReturn", "cancel_return", "CancelReturnInput")                               \
    X(PROCESS_REFUND, 25, "processRefund", "process_refund", "ProcessRefundInput")                           \
    X(ESCALATE_REVIEWER, 26, "escalateReviewer", "escalate_reviewer", "EscalateReviewerInput")               \
    X(REVIEW_ORDER, 27, "reviewOrder", "review_order", "ReviewOrderInput")                                   \
    X(COMPLETE_ACTIVITY, 28, "completeActivity", "complete_activity", "CompleteActivityInput")               \
    X(SKIP_ACTIVITY, 29, "skipActivity", "skip_activity", "SkipActivityInput")                               \
    X(PLACE_HOLD, 30, "placeHold", "place_hold", "PlaceHoldInput")                                           \
    X(RELEASE_HOLD, 31, "releaseHold", "release_hold", "ReleaseHoldInput")                                   \
    X(ADD_NOTE, 32, "addNote", "add_note", "AddNoteInput")                                                   \
    /* the system's own: no mutation, only TIMER, WEBHOOK and SYSTEM principals */                           \
    X(EXPIRE_HOLD, 33, "expireHold", "expire_hold", NULL)                                                    \
    X(STEP_DUE, 34, "stepDue", "step_due", NULL)                                                             \
    X(TRACK_SHIPMENT, 35, "trackShipment", "track_shipment", NULL)                                           \
    /* of migrateOrders, for callers who may manage_workflow */                                              \
    X(MIGRATE_WORKFLOW, 36, "migrateWorkflow", "migrate_workflow", NULL)                                     \
    /* of the mutation eraseCustomer, which walks a customer's orders */                                     \
    X(ERASE_CUSTOMER, 37, "eraseCustomer", "erase_customer", NULL)

enum order_command_type {
    ORDER_COMMAND_NONE = 0,
#define X(name, number, mutation, permission, input) ORDER_COMMAND_##name = number,
    ORDER_COMMAND_LIST(X)
#undef X
        ORDER_COMMAND_COUNT /* one above the highest */
};

#define ORDER_COMMAND_LAST_PUBLIC  ORDER_COMMAND_ADD_NOTE
#define ORDER_COMMAND_BIT(command) (UINT64_C(1) << (command))

/* One row per command; index by type. */
struct order_command_info {
    const char *mutation;       /* "markAsShipped": the API's CommandName too */
    const char *word;           /* "mark_as_shipped": permission, step name, hold's blocks */
    const char *input_type;     /* "MarkAsShippedInput"; NULL: not in the API */
    enum permission permission; /* PERMISSION_COUNT: none, internal principals and webhooks only */
};

/* Static storage; type from 1 to ORDER_COMMAND_COUNT − 1. */
const struct order_command_info *order_command_info(enum order_command_type type);
/* By either name, exact case; ORDER_COMMAND_NONE for an unknown one. */
enum order_command_type order_command_parse(struct oms_str name);
/* The commands that a hold may name in `blocks`, and those that a hold blocks when it names none. */
#define ORDER_HOLD_NAMEABLE                                                                                  \
    (ORDER_COMMAND_BIT(ORDER_COMMAND_ADD_LINE_ITEM) | ORDER_COMMAND_BIT(ORDER_COMMAND_REMOVE_LINE_ITEM) |    \
     ORDER_COMMAND_BIT(ORDER_COMMAND_CHANGE_QUANTITY) |                                                      \
     ORDER_COMMAND_BIT(ORDER_COMMAND_CHANGE_DESTINATION) |                                                   \
     ORDER_COMMAND_BIT(ORDER_COMMAND_CANCEL_LINE_ITEMS) | ORDER_COMMAND_BIT(ORDER_COMMAND_ADD_SHIPMENT) |    \
     ORDER_COMMAND_BIT(ORDER_COMMAND_CONFIRM_SHIPMENT) | ORDER_COMMAND_BIT(ORDER_COMMAND_REQUEST_RETURN) |   \
     ORDER_COMMAND_BIT(ORDER_COMMAND_PROCESS_REFUND) | ORDER_COMMAND_BIT(ORDER_COMMAND_CANCEL_ORDER) |       \
     ORDER_HOLD_DEFAULT)
#define ORDER_HOLD_DEFAULT                                                                                   \
    (ORDER_COMMAND_BIT(ORDER_COMMAND_PLACE_ORDER) | ORDER_COMMAND_BIT(ORDER_COMMAND_CONFIRM_ORDER) |         \
     ORDER_COMMAND_BIT(ORDER_COMMAND_DISPATCH_SHIPMENT) | ORDER_COMMAND_BIT(ORDER_COMMAND_MARK_AS_SHIPPED) | \
     ORDER_COMMAND_BIT(ORDER_COMMAND_MARK_AS_COMPLETED))

/* ---- inputs ---- */

/* An amount as written; absent when text is. */
struct order_amount {
    struct oms_str text;
    uint16_t currency; /* 0: the order's */
};

/* A line by id, or by SKU and vendor; `quantity` where the command takes one (negative: not given). */
struct order_line_ref {
    uint32_t line_item_id;
    struct oms_str sku;
    struct oms_str vendor_id;
    int64_t quantity;
    struct order_amount discount; /* changeQuantity: the line's new discountAmount */
};

struct order_line_input {
    struct oms_str sku;
    struct oms_str name;
    struct oms_str category;
    struct order_vendor vendor;
    int64_t quantity;
    struct order_amount price;
    struct order_amount discount;
    struct oms_str options; /* compact JSON */
    struct order_package package;
    bool free_gift;
    bool not_taxable; /* isTaxable: false; the default is taxable */
};

struct order_tax_line_input {
    struct oms_str title;
    struct oms_str rate;        /* a decimal fraction: "0.0825" */
    struct order_amount amount; /* absent: computed from the rate */
};

/* What an edit or a creation says about sums; each checked or taken as order_totals.c says. */
struct order_sums_input {
    const struct order_tax_line_input *tax_lines;
    size_t tax_line_count;
    bool has_tax_lines; /* an empty list was given */
    struct order_amount tax;
    struct order_amount discounts;
    struct order_amount total;
    struct order_amount final;
};

struct order_payment_input {
    struct oms_str method;
    struct oms_str provider;
    struct oms_str transaction_id;
    struct order_amount amount;
    enum order_payment_entry_status status; /* NONE: CAPTURED */
    int64_t occurred_at;
};

struct order_note_input {
    struct oms_str text;
    bool visible_to_customer;
};

struct order_create_input {
    struct oms_str order_id; /* derived by the caller from the reference or key: "ORD-…" */
    struct oms_str external_ref;
    struct oms_str source; /* absent: "api" */
    int64_t placed_at;
    bool has_placed_at;
    enum order_stage stage; /* NONE: CONFIRMED; DRAFT, PENDING or CONFIRMED */
    struct order_customer customer;
    struct order_address destination; /* country: code or English name */
    bool has_destination;
    struct order_address billing;
    bool has_billing;
    const struct order_line_input *lines;
    size_t line_count;
    struct oms_str shipping_method;
    struct oms_str delivery_time;
    struct order_amount shipping_cost;
    struct order_payment_input payment;
    bool has_payment;
    const struct oms_str *coupons;
    size_t coupon_count;
    const struct oms_str *offers;
    size_t offer_count;
    const struct oms_str *tax_details;
    size_t tax_detail_count;
    bool taxes_included;
    struct order_sums_input sums;
    const struct order_note_input *notes; /* an addition, for imports */
    size_t note_count;
};

/* addLineItem, removeLineItem, changeQuantity. */
struct order_lines_input {
    const struct order_line_input *added; /* addLineItem */
    size_t added_count;
    const struct order_line_ref *refs; /* removeLineItem, changeQuantity: productSkus */
    size_t ref_count;
    struct order_sums_input sums;
};

struct order_destination_input {
    struct order_address destination;
    bool has_destination;
    struct order_address billing;
    bool has_billing;
};

/* cancelLineItems and cancelOrder. */
struct order_cancel_input {
    struct oms_str reason;             /* cancellationReason */
    const struct order_line_ref *refs; /* cancelLineItems; quantity negative: all that can be */
    size_t ref_count;
};

/* All shipment commands; which fields count is the command's. */
struct order_shipment_input {
    uint32_t shipment; /* shipmentId */
    const struct order_line_ref
        *items; /* addShipment; none: all that is not allocated (in the caller's reach) */
    size_t item_count;
    enum order_shipment_mode mode;
    struct oms_str provider;
    struct oms_str warehouse;
    struct order_package package;
    int64_t pickup_from;
    int64_t pickup_until;
    struct order_address address;
    bool has_address;
    struct order_amount cost; /* shipmentAmount */
    struct oms_str tracking_reference;
    struct oms_str
        tracking_url; /* shippingReference: markAsShipped, dispatchShipment, addShippingTrackingReference */
    struct oms_str label_url;
    struct oms_str reason;
    enum order_shipment_status
        status; /* failShipment: FAILED (default) or RETURNED_TO_SENDER; trackShipment: any */
    struct oms_str carrier_status; /* trackShipment: the carrier's word */
    int64_t occurred_at;
};

struct order_return_item_input {
    struct order_line_ref ref; /* quantity: negative: all that can be */
    struct oms_str condition;  /* receiveReturn */
    bool restock;              /* receiveReturn */
};

struct order_return_input {
    uint32_t return_id;
    const struct order_return_item_input *items; /* requestReturn, receiveReturn (none: all as asked) */
    size_t item_count;
    struct oms_str reason;
    struct oms_str comments;
    int64_t occurred_at;
};

struct order_refund_input {
    uint32_t return_id;
    uint32_t refund_id; /* settles a PENDING one */
    struct order_amount amount;
    struct oms_str reason;
    bool refund_shipping;
    enum order_refund_status status; /* NONE: PENDING for a new one, SUCCEEDED with refund_id */
    struct oms_str provider;
    struct oms_str transaction_id;
};

/* escalateReviewer, reviewOrder, completeActivity, skipActivity; stepDue. */
struct order_step_input {
    struct oms_str step_name; /* reviews: absent = the workflow's review step */
    struct oms_str reviewer;  /* subject */
    bool is_approved;
    bool has_is_approved;
    struct oms_str comments;
    struct oms_str user_input; /* JSON text */
    uint32_t activity;         /* stepDue: index in order.activities + 1 */
};

/* placeHold, releaseHold; expireHold. */
struct order_hold_input {
    uint32_t hold;
    struct oms_str reason;
    int64_t expires_at;
    order_command_set blocks; /* 0: none named; the parser refuses unknown words, decide those not nameable */
};

/* migrateWorkflow; the version is the context's target. */
struct order_migrate_input {
    uint32_t version;
    bool without_step; /* also when the step that the order is at is gone */
};

/* eraseCustomer */
struct order_erase_input {
    bool force;       /* also when the order is not finished */
    int64_t since_ms; /* not when it was erased at this instant or later; 0: not when nothing came after */
};

struct order_command {
    enum order_command_type type;

    /* common */
    uint64_t expected_version; /* when has_expected_version */
    bool has_expected_version;
    bool has_key;
    struct oms_str idempotency_key; /* as given; for the event's record */
    struct oms_hash128 key;         /* hash of (tenant, subject, mutation, target, key) */
    struct oms_hash128 fingerprint; /* of the canonical input less key and clientMutationId */
    const struct principal *principal;

    union {
        struct order_create_input create;
        struct order_lines_input lines;
        struct order_destination_input destination;
        struct order_cancel_input cancel; /* cancelLineItems, cancelOrder */
        struct order_shipment_input shipment;
        struct order_payment_input payment; /* recordPayment */
        struct order_return_input returns;
        struct order_refund_input refund;
        struct order_step_input step;
        struct order_hold_input hold;
        struct order_note_input note;
        struct order_migrate_input migrate;
        struct order_erase_input erase;
        /* placeOrder, confirmOrder, markAsCompleted have no input of their own */
    };
};

#endif
