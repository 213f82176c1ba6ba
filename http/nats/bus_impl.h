/* What the files of the bus share; see bus.h. All of it is shard 0's but the counters. */
#ifndef NATS_BUS_IMPL_H
#define NATS_BUS_IMPL_H

#include <stdatomic.h>

#include "actors/system.h"
#include "http/nats/bus.h"
#include "http/nats/link.h"
#include "http/nats/protocol.h"
#include "http/webhook/delivery.h"
#include "runtime/base/limits.h"
#include "runtime/shard.h"

#define NATS_HOME       0
#define NATS_TICK_MS    100
#define NATS_TOPICS_MAX 32

struct nats_incoming;

enum nats_consumer_state {
    NATS_CONSUMER_DOWN,
    NATS_CONSUMER_ASKING,        /* what it is */
    NATS_CONSUMER_MAKING_STREAM, /* its stream is missing */
    NATS_CONSUMER_MAKING,
    NATS_CONSUMER_PULLING,
    NATS_CONSUMER_PAUSED, /* something is wrong: asks again at `due_ms` */
};

/* One entry of "consume". */
struct nats_consumer {
    const struct http_nats_consume *settings;
    enum nats_consumer_state state;
    int64_t due_ms;   /* of an answer, of a pull's end, or of the next try */
    unsigned asked;   /* messages of the pull that is under way, not here yet */
    uint64_t pull;    /* its number */
    unsigned working; /* messages that are worked on */
    bool complained;  /* that it is not there */
    struct nats_incoming *first;
};

/* A counter that its shard's thread writes and a scrape reads. */
typedef _Atomic uint64_t nats_counter;

struct nats_bus {
    struct nats_bus_config config;
    struct rt_shard *shard;
    struct nats_link *link;
    struct rt_timer tick;
    uint32_t epoch; /* of the connection; 0: there is none */
    uint64_t max_payload;
    struct nats_consumer *consumers;
    size_t consumer_count;
    struct oms_buf scratch;
    nats_counter connected, connects;
    nats_counter consumed[NATS_TOPICS_MAX + 1][WEBHOOK_RESULT_COUNT]; /* the last: of no topic */
};

int64_t nats_now_ms(const struct nats_bus *bus);
void nats_count(nats_counter *counter, uint64_t more);
/* Asks JetStream's API; the answer comes to the inbox's subject that ends in `tail`. */
void nats_ask(struct nats_bus *bus, const char *what, const char *name, const char *more, const char *tail,
              struct oms_str body);

/* consume.c */
void nats_consume_up(struct nats_bus *bus);
void nats_consume_down(struct nats_bus *bus);
void nats_consume_tick(struct nats_bus *bus);
/* An answer or a pull's status for consumer `index`; `event` is borrowed. */
void nats_consume_answer(struct nats_bus *bus, size_t index, const struct nats_event *event,
                         struct oms_str tail);
/* A message of a stream; takes over the event. */
void nats_consume_message(struct nats_bus *bus, struct nats_event *event);
void nats_consume_fini(struct nats_bus *bus);
void nats_consume_write_metrics(const struct nats_bus *bus, struct oms_buf *out);

#endif
