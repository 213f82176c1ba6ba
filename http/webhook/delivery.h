/*
 * A delivery whose sender is known, whatever brought it: a signed request (front.c), or a message of a
 * broker.
 *
 * It is mapped, begun in its tenant's inbox (of equal ones a single one runs), applied by its order, and
 * answered when what it did is durable: 2xx for nothing less. On the shard's thread.
 */
#ifndef WEBHOOK_DELIVERY_H
#define WEBHOOK_DELIVERY_H

#include "http/webhook/field_map.h"
#include "http/webhook/provider.h"
#include "http/webhook/topic.h"

struct rt_shard;
struct webhook_receiver;

/* How a delivery ended; X(name, label of the metric). */
#define WEBHOOK_RESULT_LIST(X)                                                                               \
    X(ACCEPTED, "accepted")                                                                                  \
    X(REPLAYED, "replayed")                                                                                  \
    X(WAITING, "waiting")                                                                                    \
    X(REFUSED, "refused")                                                                                    \
    X(INVALID, "invalid")                                                                                    \
    X(UNAUTHORIZED, "unauthorized")                                                                          \
    X(STALE, "stale")                                                                                        \
    X(UNKNOWN, "unknown")                                                                                    \
    X(UNAVAILABLE, "unavailable")

enum webhook_result {
#define X(name, label) WEBHOOK_RESULT_##name,
    WEBHOOK_RESULT_LIST(X)
#undef X
        WEBHOOK_RESULT_COUNT
};

struct webhook_incoming {
    struct webhook_receiver *receiver;
    struct rt_shard *shard;
    struct oms_arena *arena; /* what the delivery makes lies there; it and all text live until the answer */
    const struct webhook_provider *provider; /* NULL only before it is known, in a log line */
    const struct webhook_topic *topic;       /* the same */
    const struct field_map *map;             /* NULL: the payload is read by names */
    uint32_t tenant;                         /* 0: the operator's account */
    struct oms_str tenant_name;              /* absent for the operator's */
    struct oms_str body;
    struct oms_str id;                         /* the delivery's, that nobody could change; absent: none */
    unsigned char digest[WEBHOOK_DIGEST_SIZE]; /* of what it says: names it without an id */
    struct oms_str label, peer;                /* for people who read the log; may be absent */
    /*
     * The answer, once, in this turn or later: a status as HTTP has it (200 applied, 202 waits, 4xx refused
     * for good, 503 come again) and a JSON body, borrowed for the call. Not called when the process ends
     * before.
     */
    void (*answer)(void *context, unsigned status, struct oms_str body, enum webhook_result result);
    void *context;
};

/* `in` is copied. */
void webhook_deliver(const struct webhook_incoming *in);
/* "webhook.refused"; of `in` only what names it. */
void webhook_log_refusal(const struct webhook_incoming *in, unsigned status, const char *code);

#endif
