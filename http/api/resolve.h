/*
 * Resolvers: how the schema's types read the domain's data. Each file binds the types that it is about; the
 * engine refuses to start when a field of the schema has no binding or a binding has no field.
 *
 * Values that the engine passes from parent to child are the structures below, made in the execution's arena.
 * What a caller may see of an order is decided here, in one place per field, by how they stand to it (`on`).
 */
#ifndef API_RESOLVE_H
#define API_RESOLVE_H

#include "actors/order_history.h"
#include "actors/order_view.h"
#include "actors/permission.h"
#include "actors/refusal.h"
#include "actors/tenant.h"
#include "http/graphql/graphql.h"

/* Beside GQL_NEEDS_STORE: the selection reads notes, which may lie beside the state. */
enum {
    API_NEEDS_NOTES = 1u << 1,
    /* … what it shows depends on who asks beyond what they may do: callers of one class differ. */
    API_NEEDS_CALLER = 1u << 2,
};

struct api;
struct api_owned;

/* The host context of one execution. */
struct api_scene {
    const struct tenant_version *tenant;
    const struct principal *principal;
    const struct access *access;
    int64_t now_ms;
    struct store_engine *engine; /* with `view`: where blocking is allowed; else NULL */
    struct store_view *view;
    struct oms_arena *arena; /* of the execution's data, beside the engine's scratch */
    struct api_owned *owned; /* orders read for this execution, freed by api_pages_release */
    struct api *api;         /* NULL where tenants are not shown */
    _Atomic uint64_t *rows;  /* of the whole request: what its reads in the pool have looked at */
};

/* The head of every value that can stand for the interface Node: the name of its object type. */
struct api_node {
    const char *type;
};
#define API_NODE_ORDER ((struct api_node){"Order"})
#define API_NODE_EVENT ((struct api_node){"OrderEvent"})

/* Value of Order. */
struct api_order {
    struct api_node node;
    const struct order *order;
    struct access_order on;
};

/* Value of an order's parts: LineItem, Shipment, ShipmentItem, Payment, Return … */
struct api_part {
    const struct api_order *of;
    const void *part;
};

/* Value of Money. */
struct api_money {
    int64_t amount;
    uint16_t currency;
};

struct api_fan;

/* Value of the Payload types, and of the objects in a batch's list of results. */
struct api_payload {
    struct oms_str client_mutation_id;   /* absent: null */
    const struct refusal_list *refusals; /* NULL or empty: done */
    const struct api_order *order;       /* NULL: null */
    bool replayed;
    bool created;
    size_t index;              /* of an object in such a list */
    const struct api_fan *fan; /* the batch's (http/api/fan.h); NULL: it was refused as a whole, or is none */
    struct oms_str message;    /* present: what went wrong, though nothing was refused as a whole */
};

/*
 * Counts rows that a read looked at, or is about to: false when the request has looked at
 * OMS_REQUEST_ROWS_MAX already. An event can be asked for its order, and that for its events: without a bound
 * a short document would keep the pool busy for hours.
 */
bool api_scene_charge(struct api_scene *scene, uint64_t rows);
#define API_TOO_MANY_ROWS                                                                                    \
    "The request reads too much: ask for smaller pages, or for fewer events with their orders"

/* ---- bindings, collected at start ---- */

struct api_bindings {
    struct gql_binding *items;
    size_t count, cap;
};
void api_bindings_add(struct api_bindings *bindings, const struct gql_binding *items, size_t count);

void api_bind_order(struct api_bindings *bindings);    /* resolve_order.c */
void api_bind_parts(struct api_bindings *bindings);    /* resolve_parts.c: lines, shipments, payments, … */
void api_bind_history(struct api_bindings *bindings);  /* resolve_history.c: events and connections */
void api_bind_payloads(struct api_bindings *bindings); /* resolve_payload.c: payloads, refusals, actions */
void api_bind_tenant(struct api_bindings *bindings);   /* resolve_tenant.c: viewer and tenant */
void api_bind_subscriptions(struct api_bindings *bindings); /* roots_subscription.c: the roots and items */
void api_bind_ticket(struct api_bindings *bindings);        /* roots_ticket.c: streamTicket */
/* Scalars and the Node interface. Static storage. */
const struct gql_scalar_binding *api_scalars(size_t *count);
const struct gql_type_binding *api_types(size_t *count);

/* ---- shared by resolvers (write.c) ---- */

struct api_scene *api_scene_of(const struct gql_exec *x);
/* Null for an absent text. */
bool api_write_text(struct oms_buf *out, struct oms_str text);
/* Null for 0: for instants that may be absent. */
bool api_write_instant(struct oms_buf *out, int64_t ms);
/* For those that cannot, whatever they are: an order may well be placed at the first instant of 1970. */
bool api_write_time(struct oms_buf *out, int64_t ms);
/* A static name of an enum, in quotes; null for NULL. */
bool api_write_name(struct oms_buf *out, const char *name);
/* A currency's code; null for MONEY_CURRENCY_NONE. */
bool api_write_currency(struct oms_buf *out, uint16_t currency);
bool api_write_bool(struct oms_buf *out, bool value);
bool api_write_int(struct oms_buf *out, int64_t value);
/* A source's version; null for 0: not told. */
bool api_write_version(struct oms_buf *out, int64_t version);
/* A list of names. */
bool api_write_permissions(struct oms_buf *out, uint64_t permissions);
/* { "vendor_id": "$vendor_id" }; null for the whole tenant. */
bool api_write_scope(struct oms_buf *out, const struct permission_scope *scope);
/* "SHP-3" in quotes. */
bool api_write_part_id(struct oms_buf *out, const char *prefix, uint32_t number);
/* Text that is JSON already; null when absent. */
bool api_write_raw(struct oms_buf *out, struct oms_str json);
const struct api_money *api_money(struct gql_exec *x, int64_t amount, uint16_t currency);
/* Allocates in the execution's arena; aborts the field with INTERNAL when it is exhausted. */
const struct api_part *api_part(struct gql_exec *x, const struct api_order *of, const void *part);
/*
 * An actor as this caller may see it: who is not told the customer's id is not told it as the subject of what
 * the customer did. NULL after gql_fail.
 */
const struct order_actor *api_actor(struct gql_exec *x, const struct api_order *of,
                                    const struct order_actor *actor);

/* ---- shorthand for bindings ---- */
#define API_LEAF(field, fn)                                                                                  \
    {                                                                                                        \
        (field), GQL_LEAF, 0,                                                                                \
        {                                                                                                    \
            .leaf = (fn)                                                                                     \
        }                                                                                                    \
    }
#define API_OBJECT(field, fn)                                                                                \
    {                                                                                                        \
        (field), GQL_OBJECT, 0,                                                                              \
        {                                                                                                    \
            .object = (fn)                                                                                   \
        }                                                                                                    \
    }
#define API_LIST(field, fn)                                                                                  \
    {                                                                                                        \
        (field), GQL_LIST, 0,                                                                                \
        {                                                                                                    \
            .list = (fn)                                                                                     \
        }                                                                                                    \
    }
#define API_LIST_NEEDS(field, fn, n)                                                                         \
    {                                                                                                        \
        (field), GQL_LIST, (n),                                                                              \
        {                                                                                                    \
            .list = (fn)                                                                                     \
        }                                                                                                    \
    }
/* A leaf resolver whose value is one expression of `parent` (cast to Type as `p`). */
#define API_LEAF_FN(name, Type, expression)                                                                  \
    static bool name(struct gql_exec *x, const void *parent, struct oms_buf *out)                            \
    {                                                                                                        \
        const Type *p = parent;                                                                              \
        (void)x;                                                                                             \
        return (expression);                                                                                 \
    }

#endif
