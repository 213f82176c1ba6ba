/*
 * Permissions, the tenant's rolemap and user authorizations, and what a caller may do by them.
 *
 * A rolemap row is (role, permission, scope template), a user authorization row is (user, permission, scope).
 * Both are compiled once, when a tenant version is built, into a bitset of permissions per role and scope. A
 * request is then evaluated once, for all permissions together, into a `struct access`: the union of all its
 * grants. There are no denials, so the order of rows does not matter.
 *
 * Scopes: none (the whole tenant), customer_id = X (that customer's orders), vendor_id = Y (the lines of that
 * vendor). Templates: "$sub", "$vendor_id", "$customer_id" (claims; the subject where the claim is absent),
 * or a literal. A template whose value the caller lacks grants nothing.
 */
#ifndef PERMISSION_H
#define PERMISSION_H

#include "actors/principal.h"

struct oms_buf;
struct oms_value;

/* In the API's order; numbers are not stored (names are), yet keep them below 64: a set is one word. */
#define PERMISSION_LIST(X)                                                                                   \
    X(CREATE_ORDER, "create_order")                                                                          \
    X(ADD_LINE_ITEM, "add_line_item")                                                                        \
    X(REMOVE_LINE_ITEM, "remove_line_item")                                                                  \
    X(CHANGE_QUANTITY, "change_quantity")                                                                    \
    X(CHANGE_DESTINATION, "change_destination")                                                              \
    X(PLACE_ORDER, "place_order")                                                                            \
    X(CONFIRM_ORDER, "confirm_order")                                                                        \
    X(CANCEL_LINE_ITEMS, "cancel_line_items")                                                                \
    X(ADD_SHIPMENT, "add_shipment")                                                                          \
    X(CONFIRM_SHIPMENT, "confirm_shipment")                                                                  \
    X(DISPATCH_SHIPMENT, "dispatch_shipment")                                                                \
    X(DELIVER_SHIPMENT, "deliver_shipment")                                                                  \
    X(CANCEL_SHIPMENT, "cancel_shipment")                                                                    \
    X(FAIL_SHIPMENT, "fail_shipment")                                                                        \
    X(MARK_AS_SHIPPED, "mark_as_shipped")                                                                    \
    X(ADD_SHIPPING_TRACKING_REFERENCE, "add_shipping_tracking_reference")                                    \
    X(RECORD_PAYMENT, "record_payment")                                                                      \
    X(MARK_AS_COMPLETED, "mark_as_completed")                                                                \
    X(CANCEL_ORDER, "cancel_order")                                                                          \
    X(REQUEST_RETURN, "request_return")                                                                      \
    X(APPROVE_RETURN, "approve_return")                                                                      \
    X(REJECT_RETURN, "reject_return")                                                                        \
    X(RECEIVE_RETURN, "receive_return")                                                                      \
    X(CANCEL_RETURN, "cancel_return")                                                                        \
    X(PROCESS_REFUND, "process_refund")                                                                      \
    X(ESCALATE_REVIEWER, "escalate_reviewer")                                                                \
    X(REVIEW_ORDER, "review_order")                                                                          \
    X(COMPLETE_ACTIVITY, "complete_activity")                                                                \
    X(SKIP_ACTIVITY, "skip_activity")                                                                        \
    X(PLACE_HOLD, "place_hold")                                                                              \
    X(RELEASE_HOLD, "release_hold")                                                                          \
    X(ADD_NOTE, "add_note")                                                                                  \
    X(GET_ORDER, "get_order")                                                                                \
    X(EXPORT_ORDERS, "export_orders")                                                                        \
    X(MANAGE_WORKFLOW, "manage_workflow")                                                                    \
    X(MANAGE_ACCESS, "manage_access")                                                                        \
    X(MANAGE_WEBHOOKS, "manage_webhooks")                                                                    \
    X(MANAGE_TENANT, "manage_tenant")                                                                        \
    X(ERASE_CUSTOMER, "erase_customer")

enum permission {
#define X(name, text) PERMISSION_##name,
    PERMISSION_LIST(X)
#undef X
        PERMISSION_COUNT
};

#define PERMISSION_BIT(permission) (UINT64_C(1) << (permission))
#define PERMISSION_ALL             (PERMISSION_BIT(PERMISSION_COUNT) - 1)

/* "mark_as_shipped"; static storage. */
const char *permission_name(enum permission permission);
/* false for an unknown name. */
bool permission_parse(struct oms_str name, enum permission *out);

/* ---- the compiled tables of a tenant version ---- */

/* What a scope binds; numbers are stored, new ones go to the end. */
enum permission_scope_kind {
    PERMISSION_SCOPE_TENANT = 0, /* unscoped */
    PERMISSION_SCOPE_CUSTOMER,
    PERMISSION_SCOPE_VENDOR,
};

struct permission_scope {
    enum permission_scope_kind kind;
    struct oms_str value; /* template or literal; absent when unscoped */
};

/* The permissions of one role, or of one user, under one scope. */
struct permission_rule {
    struct oms_str holder; /* role name or subject */
    struct permission_scope scope;
    uint64_t permissions; /* PERMISSION_BIT set */
};

/* Immutable after permission_table_build; rules are sorted by holder, one per (holder, scope). */
struct permission_table {
    const struct permission_rule *roles;
    size_t role_count;
    const struct permission_rule *users;
    size_t user_count;
    const struct permission_rule *keys; /* one per API key that was not revoked, by its id */
    size_t key_count;
};

/*
 * Collects rows before a table is built; memory comes from the arena, text is copied there.
 * A row's `permission` may be "*": all of them.
 */
struct permission_rows {
    struct oms_arena *arena;
    struct permission_rule *items;
    size_t count;
    size_t cap;
};

void permission_rows_init(struct permission_rows *rows, struct oms_arena *arena);
/* OMS_LIMIT over OMS_PERMISSION_RULES_MAX or with an exhausted arena; OMS_INVALID for an empty holder or
 * scope value. */
OMS_MUST_USE enum oms_status permission_rows_add(struct permission_rows *rows, struct oms_str holder,
                                                 uint64_t permissions, struct permission_scope scope);
/* Merges rows of equal holder and scope and sorts them; `rows` must not change afterwards. */
void permission_table_build(struct permission_rows *role_rows, struct permission_rows *user_rows,
                            struct permission_table *out);

/*
 * Rows from configuration: a list of { "role": "vendor" (or "user": …), "permission": "get_order" | "*" or
 * "permissions": [...], "scope": { "vendor_id": "$vendor_id" } | {} | null }. `holder_key` is "role" or
 * "user". OMS_INVALID fills `error` with the row's index and the fault.
 */
OMS_MUST_USE enum oms_status permission_rows_parse(struct permission_rows *rows, const struct oms_value *list,
                                                   const char *holder_key, struct oms_error *error);
/* The same of rows that name nobody: all are `holder`'s. */
OMS_MUST_USE enum oms_status permission_rows_parse_of(struct permission_rows *rows,
                                                      const struct oms_value *list, struct oms_str holder,
                                                      struct oms_error *error);
/* The built-in rolemap: customer, vendor, staff, admin, operator. */
OMS_MUST_USE enum oms_status permission_rows_add_defaults(struct permission_rows *rows);

/* ---- evaluation: once per request ---- */

struct access_grant {
    enum permission_scope_kind kind; /* CUSTOMER or VENDOR */
    struct oms_str id;
    uint64_t permissions;
};

/* The union of all that a caller may do in the tenant. */
struct access {
    uint64_t unscoped; /* permissions on the whole tenant */
    uint64_t any;      /* permissions under at least one scope, unscoped ones included */
    const struct access_grant *grants;
    size_t grant_count;
    struct oms_str subject; /* for checks that name the caller, such as an assigned reviewer */
};

/*
 * Evaluates roles and user authorizations, those of the table and principal->own. Grants live in `arena` and
 * borrow text from the table and the principal (not from `own`), all of which must outlive `out`. The role
 * `operator` counts only with principal->is_operator, and never where it is stored.
 * Internal principals get everything, webhooks a fixed set (their roles do not count), and API keys what is
 * written in them and nothing else. false when the arena is exhausted.
 */
bool permission_evaluate(const struct permission_table *table, const struct principal *principal,
                         struct oms_arena *arena, struct access *out);
/* A deep copy, to travel to another shard; false when the arena is exhausted. */
bool access_copy(const struct access *access, struct oms_arena *arena, struct access *out);
/* Equal results for equal access: what may share rendered bytes. Not for storage. */
uint64_t access_class(const struct access *access);

/* Whether the permission is held at all, under whatever scope. */
static inline bool access_may(const struct access *access, enum permission permission)
{
    return (access->any & PERMISSION_BIT(permission)) != 0;
}

/* Whether it is held for the whole tenant. */
static inline bool access_unscoped(const struct access *access, enum permission permission)
{
    return (access->unscoped & PERMISSION_BIT(permission)) != 0;
}

/* Whether a customer scope (not the tenant's) covers this customer; an absent id matches nothing. */
bool access_customer(const struct access *access, enum permission permission, struct oms_str customer_id);
/* Whether a vendor scope (not the tenant's) covers this vendor; an absent id matches nothing. */
bool access_vendor(const struct access *access, enum permission permission, struct oms_str vendor_id);

/* How a caller stands to one order under one permission. */
struct access_order {
    bool full;      /* the whole tenant: everything, staff notes too */
    bool customer;  /* it is their order: all lines, customer-visible notes and events */
    bool vendor;    /* some lines are theirs: those lines, their shipments, returns and sums */
    bool all_lines; /* every line is within reach: full, customer, or all lines are the vendor's */
};

/*
 * Matches an order by its customer and the vendors of its lines (repeats allowed, absent ones allowed).
 * Returns whether it is within reach at all. Pass vendor_count 0 for an order without lines: all_lines is
 * then false for a vendor.
 */
bool access_match(const struct access *access, enum permission permission, struct oms_str customer_id,
                  const struct oms_str *vendor_ids, size_t vendor_count, struct access_order *out);

/* What that standing shows, in one place (domain: scopes limit reads as well). */
static inline bool access_sees_payments(const struct access_order *on)
{
    return on->full || on->customer;
}
static inline bool access_sees_contact(const struct access_order *on)
{
    return on->full || on->customer; /* the customer's id, which links their orders, and e-mail */
}
static inline bool access_sees_staff_notes(const struct access_order *on)
{
    return on->full;
}
static inline bool access_sees_holds(const struct access_order *on)
{
    return on->full; /* that something is blocked, availableActions tells everybody */
}
static inline bool access_sees_all_lines(const struct access_order *on)
{
    return on->full || on->customer;
}

#endif
