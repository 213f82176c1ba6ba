/*
 * An outlet: how far the deliveries to one endpoint of a tenant's webhooks are, durably.
 *
 * All events up to `high` are settled (acknowledged, or dead letters) but those that are pending. It is a
 * memory of what happened outside, so it may be behind and never ahead of that: after a crash a bounded few
 * are delivered again. One actor per endpoint; a unit holds one change, and the state is the fold of them.
 * Who moves an outlet knows it (http/outhook): it is read at the start, and then kept by its one mover.
 */
#ifndef OUTLET_H
#define OUTLET_H

#include "actors/held.h"
#include "actors/ids.h"
#include "actors/tenant_endpoint.h"
#include "runtime/base/buf.h"
#include "storage/store.h"

#define OUTLET_REASON_MAX 160
#define OUTLET_TYPE_MAX   47

/* Read, and not settled yet. */
struct outlet_pending {
    struct ids_cursor at;
    uint32_t tries; /* that failed */
    int64_t due;    /* of the next one, when there were some */
};

/* Given up. */
struct outlet_letter {
    struct ids_cursor at;
    uint32_t tries;
    int64_t since; /* given up */
    char order[IDS_ORDER_TEXT + 1];
    char type[OUTLET_TYPE_MAX + 1];     /* "order.shipped" */
    char reason[OUTLET_REASON_MAX + 1]; /* of the last failure */
};

/* A delivery that was tried. */
struct outlet_try {
    struct ids_cursor at; /* 0, 0: a test */
    int64_t time;
    uint32_t attempt; /* 1, 2, … */
    uint32_t duration_ms;
    unsigned status; /* HTTP's; 0: there was no answer */
    char type[OUTLET_TYPE_MAX + 1];
    char reason[OUTLET_REASON_MAX + 1]; /* empty: it was acknowledged */
};

struct outlet {
    uint32_t version; /* changes so far; 0: there are none */
    struct ids_cursor high;
    struct outlet_pending *pending; /* ascending */
    size_t pending_count, pending_cap;
    struct outlet_letter *letters; /* oldest first */
    size_t letter_count, letter_cap;
    struct outlet_try *tries; /* oldest first; the last OMS_OUTLET_TRIES_MAX */
    size_t try_count, try_cap;
    uint64_t delivered;     /* in all */
    uint32_t gone_revision; /* of the endpoint, when it said 410 Gone; 0: it did not */
    int64_t success_at, error_at;
    char error[OUTLET_REASON_MAX + 1]; /* the last one */
};

void outlet_init(struct outlet *outlet);
void outlet_fini(struct outlet *outlet);
const struct outlet_letter *outlet_find_letter(const struct outlet *outlet, struct ids_cursor at);

/* ---- a change: what is appended to one buffer ---- */

/* First: a new place, and nothing pending but what follows. */
void outlet_put_place(struct ids_cursor high, struct oms_buf *out);
void outlet_put_pending(const struct outlet_pending *pending, struct oms_buf *out);
void outlet_put_letter(const struct outlet_letter *letter, struct oms_buf *out);
/* It is no dead letter any more. */
void outlet_put_letter_gone(struct ids_cursor at, struct oms_buf *out);
void outlet_put_try(const struct outlet_try *attempt, struct oms_buf *out);
/* delivered, gone_revision, success_at, error_at and error of it. */
void outlet_put_sums(const struct outlet *outlet, struct oms_buf *out);
/* The endpoint is gone, and so is all that its outlet had. */
void outlet_put_cleared(struct oms_buf *out);

/* Applies a change of that time. OMS_CORRUPT for other bytes. */
OMS_MUST_USE enum oms_status outlet_apply(struct outlet *outlet, struct oms_str change, int64_t time_ms);

/* ---- the stored form ---- */
void outlet_encode(const struct outlet *outlet, struct oms_buf *out);
/* Into an initialised one. */
OMS_MUST_USE enum oms_status outlet_decode(struct oms_str bytes, struct outlet *outlet);

/* ---- the actor ---- */

enum outlet_result {
    OUTLET_DONE,
    OUTLET_BUSY,    /* nothing happened: too much in flight, no space, or the end is near */
    OUTLET_UNKNOWN, /* the write failed */
};

struct outlet_call {
    struct rt_message message; /* on_return is the caller's */
    uint32_t tenant;
    unsigned char key[TENANT_ENDPOINT_KEY_BYTES];
    uint32_t version; /* of the outlet before it; one more when it is done */
    struct oms_buf change;
    enum outlet_result result; /* when message.status is OMS_OK */
    struct held_item held;     /* the actor layer's own */
};

/* Moves the call; it comes home when the change is durable. */
void outlet_call_send(struct rt_shard *shard, struct outlet_call *call);
void outlet_address(uint32_t tenant, const unsigned char key[TENANT_ENDPOINT_KEY_BYTES],
                    struct rt_address *out);
/* Before the host starts: what is stored, into an initialised one. OMS_CORRUPT, OMS_IO. */
OMS_MUST_USE enum oms_status outlet_load(struct store *store, const struct rt_address *address,
                                         struct outlet *out);

#endif
