/*
 * Requests that wait until their token's key is looked for, and the keys that were not found.
 *
 * One room per shard, on its thread. It knows nothing of tokens: who waits, for which issuer, until when.
 * Requests are bounded per issuer, so that one whose provider hangs leaves the others' room.
 */
#ifndef HTTP_AUTH_WAITING_H
#define HTTP_AUTH_WAITING_H

#include "http/auth/token.h"
#include "http/exchange.h"
#include "runtime/timer.h"

/* What goes on with an exchange whose sender has become known; takes over the hold on the claims. */
struct http_auth_resume {
    void (*known)(struct http_exchange *exchange, void *context, const struct http_claims *claims);
    void *context;
};

struct http_waiter {
    struct http_exchange *exchange;
    struct oms_str token; /* in the exchange's memory */
    struct http_auth_resume resume;
    size_t issuer;
    uint64_t asked_ns; /* mono_ns: a document that was asked for earlier may not have its key yet */
    int64_t due_ms;    /* until when it waits */
    struct http_waiter *next;
};

struct http_waiting;

/* `late` is told of those whose time is over; it owns the waiter then (http_waiting_free). */
struct http_waiting *http_waiting_create(struct rt_shard *shard,
                                         void (*late)(void *context, struct http_waiter *waiter),
                                         void *context);
/* Nobody waits any more. NULL is allowed. */
void http_waiting_destroy(struct http_waiting *room);
/* Copies *waiter; false when OMS_JWKS_WAITING_MAX wait for its issuer. */
bool http_waiting_add(struct http_waiting *room, const struct http_waiter *waiter);
/* All that wait for the issuer, oldest first; the caller owns them. */
struct http_waiter *http_waiting_take(struct http_waiting *room, size_t issuer);
/* Back again: one that was taken. */
void http_waiting_return(struct http_waiting *room, struct http_waiter *waiter);
void http_waiting_free(struct http_waiter *waiter);

/* That the key was looked for and is not there; counts for OMS_JWKS_UNKNOWN_MS. */
void http_waiting_not_found(struct http_waiting *room, const struct http_unknown_key *key, int64_t now_ms);
bool http_waiting_is_not_found(const struct http_waiting *room, const struct http_unknown_key *key,
                               int64_t now_ms);

#endif
