/* What the files of the receiver share; see receiver.h. */
#ifndef WEBHOOK_RECEIVER_IMPL_H
#define WEBHOOK_RECEIVER_IMPL_H

#include <stdatomic.h>

#include "http/webhook/delivery.h"
#include "http/webhook/hooks.h"
#include "http/webhook/receiver.h"
#include "http/webhook/run.h"

#define WEBHOOK_PROVIDERS_MAX 8
#define WEBHOOK_TOPICS_MAX    16

/* What is under way on a shard, so that the end of the process finds it. */
struct webhook_live {
    struct webhook_live *prev, *next;
    void (*destroy)(struct webhook_live *live);
};

struct webhook_shard {
    struct webhook_live *live;
    struct webhook_hooks **tenants; /* by number; NULL: none */
    size_t tenant_cap;
    struct webhook_hooks *operators;
    /* Its own thread counts, a scrape reads. */
    _Atomic uint64_t counts[WEBHOOK_PROVIDERS_MAX][WEBHOOK_TOPICS_MAX][WEBHOOK_RESULT_COUNT];
    _Atomic uint64_t tries; /* of what waits */
};

struct webhook_receiver {
    struct webhook_receiver_config config;
    struct actors_system *system;
    struct webhook_shard *shards;
    unsigned shard_count;
};

struct webhook_shard *webhook_shard_of(struct webhook_receiver *receiver, struct rt_shard *shard);
void webhook_live_add(struct webhook_shard *shard, struct webhook_live *live);
void webhook_live_remove(struct webhook_shard *shard, struct webhook_live *live);
void webhook_count(struct webhook_shard *shard, const struct webhook_provider *provider,
                   const struct webhook_topic *topic, enum webhook_result result);

/*
 * Sends a call that must arrive (INBOX_END, INBOX_SETTLE): over a full mailbox it is sent again after a
 * moment. `call->message.on_return` is called once, with OMS_OK or OMS_CLOSED.
 */
struct webhook_sending {
    struct inbox_call call;
    struct rt_timer timer;
    struct rt_shard *shard;
    void (*sent)(struct webhook_sending *sending);
};
void webhook_send(struct rt_shard *shard, struct webhook_sending *sending,
                  void (*sent)(struct webhook_sending *sending));

/* front.c: the handler of POST /webhook/… */
void webhook_handle(struct http_exchange *exchange, void *receiver);
/* waiting.c: the list of what waits, and its replay */
void webhook_handle_waiting(struct http_exchange *exchange, void *receiver);

#endif
