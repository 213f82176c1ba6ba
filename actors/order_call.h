/*
 * The message by which a request reaches an order: a read or a command, with the renderer that travels to the
 * data.
 *
 * The call is a node of the asking shard. On the order's shard the actor decides and applies, then calls
 * `render` with the order as the reply must show it; the bytes are held until everything that they depend on
 * is durable, and the node goes home. `render` runs on the order's shard: it may read what the call points to
 * (immutable until the call is home) and write only into the call.
 */
#ifndef ORDER_CALL_H
#define ORDER_CALL_H

#include "actors/held.h"
#include "actors/order_command.h"
#include "actors/order_view.h"
#include "actors/permission.h"
#include "actors/principal.h"
#include "actors/refusal.h"
#include "actors/tenant.h"
#include "runtime/base/buf.h"
#include "runtime/message.h"

struct order_call;

enum order_call_freeze { ORDER_CALL_FREEZE_NEVER, ORDER_CALL_FREEZE_FOR_NOTES, ORDER_CALL_FREEZE_ALWAYS };

enum order_call_kind { ORDER_CALL_READ, ORDER_CALL_COMMAND };

/* What a renderer and the resolvers behind it see. Valid during render only. */
struct order_reply {
    const struct order *order; /* NULL: no such order, or this caller may not know of it */
    struct access_order on;    /* how the caller stands to it, under get_order */
    const struct access *access;
    const struct tenant_version *tenant;
    const struct principal *principal;
    const struct refusal_list *refusals; /* NULL or empty: done */
    bool created;                        /* createOrder made it now */
    bool replayed;                       /* the recorded outcome of an earlier command with the same key */
    uint64_t version;                    /* of the outcome: after the command, or as recorded; 0 for a read */
    int64_t now_ms;
};

/* How the call went, once it is home. */
enum order_call_result {
    ORDER_CALL_DONE,     /* rendered (or frozen) */
    ORDER_CALL_UNKNOWN,  /* the write failed: OUTCOME_UNKNOWN */
    ORDER_CALL_BUSY,     /* refused before anything happened: queues or in-flight limits */
    ORDER_CALL_NO_SPACE, /* the same: the disk is below its reserve */
    ORDER_CALL_STOPPING, /* the same: a write has failed, the process is about to stop */
    ORDER_CALL_FAULT,    /* the stored state could not be read */
};

struct order_call {
    struct rt_message message; /* .to is the order, .home the asking shard, .on_return the caller's */
    enum order_call_kind kind;
    const struct principal *principal;   /* borrowed until home */
    const struct order_command *command; /* COMMAND: borrowed until home; NULL when `refused` already */
    enum order_command_type command_type;
    const struct refusal_list *refused; /* the input was refused before it got here: only show the order */
    /* Renders the reply; called at most once, and not when the order was frozen instead. */
    void (*render)(struct order_call *call, const struct order_reply *reply);
    /*
     * Instead of rendering here, copy the order as it is now, so that the caller renders it where blocking is
     * allowed: for a selection that reads the store always, for one that reads notes when some of them lie
     * beside the state. frozen_* are filled; refusals are copied into `arena`.
     */
    enum order_call_freeze freeze;
    /* An import: the order need not stay in memory for this call's sake. */
    bool passing;
    /* ---- filled in ---- */
    enum order_call_result result;
    struct oms_arena
        arena; /* the call's own memory: refusals, paths, whatever render needs; initialised by the caller */
    struct oms_buf out; /* for render; initialised and recycled by the caller */
    bool was_frozen;
    struct oms_buf
        frozen; /* order_freeze bytes, empty when there is no order to show; initialised by the caller */
    struct refusal_list frozen_refusals;
    bool created, replayed;
    struct held_item held; /* the actor layer's own */
};

/* Moves the call to its order. It always comes home through message.on_return, on the shard's own thread. */
void order_call_send(struct rt_shard *shard, struct order_call *call);

#endif
