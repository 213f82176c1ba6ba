/* What the files of the bus share; see bus.h. All of it is shard 0's but the counters. */
#ifndef NATS_BUS_IMPL_H
#define NATS_BUS_IMPL_H

#include <stdatomic.h>

#include "actors/ids.h"
#include "actors/mark.h"
#include "actors/system.h"
#include "http/api/request.h"
#include "http/auth/claims.h"
#include "http/nats/bus.h"
#include "http/nats/link.h"
#include "http/nats/protocol.h"
#include "http/stream/stream.h"
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

#define NATS_ID_SIZE (OMS_TENANT_NAME_BYTES_MAX + IDS_CURSOR_TEXT_MAX + 32)

/* A tenant's events on their way out. */
struct nats_feed {
    struct nats_bus *bus;
    uint32_t tenant;
    char name[OMS_TENANT_NAME_BYTES_MAX + 1];
    char origin[16];
    bool removed;
    /* the reader: events behind `sent` */
    struct stream_reader reader;
    bool open;
    int64_t open_ms; /* not opened again before */
    struct ids_cursor sent;
    struct nats_feed *next; /* in the queue of those that have something */
    bool queued;
    /* the place in the stream */
    bool located;     /* on this stream, nothing of it is under way unknown */
    bool locating;    /* the stream is asked */
    bool wants_place; /* … as soon as fewer are */
    bool suspect;     /* the stream lost something of it */
    /* what is acknowledged, and how far that is recorded */
    struct mark mark;
    struct mark_call call;
    bool dirty, marking;
    bool must_mark, marks_must; /* nothing flows before this is recorded; the one under way does it */
    int64_t mark_ms;            /* not recorded again before */
};

struct nats_feed_queue {
    struct nats_feed *first, *last;
};

/* A message that is not acknowledged yet. */
struct nats_flight {
    struct nats_feed *feed;
    struct ids_cursor cursor;
    size_t bytes;
    int64_t sent_ms;
};

enum nats_out_state {
    NATS_OUT_DOWN,
    NATS_OUT_ASKING, /* what the stream is */
    NATS_OUT_MAKING, /* it */
    NATS_OUT_SETTLING,
    NATS_OUT_FLOWING,
    NATS_OUT_PAUSED,
};

struct nats_out {
    enum nats_out_state state;
    int64_t due_ms; /* of an answer, or of the pause's end */
    int64_t pause_ms;
    char complaint[204]; /* the last one, so that it is not logged again and again */
    const struct http_claims *claims;
    struct nats_feed **feeds; /* by tenant's number */
    size_t feed_count;
    struct nats_feed_queue ready;
    struct rt_timer soon;
    bool pumping, again, stopping;
    /* the stream */
    char created[MARK_STREAM_BYTES_MAX + 1];
    uint64_t last_sequence;
    uint64_t round; /* of settling: answers of an earlier one are void */
    unsigned locating;
    int64_t locate_ms;
    /* under way: numbers from first to before next */
    struct nats_flight *flights;
    uint64_t first, next;
    size_t bytes;
    bool chained; /* the stream's last message is ours */
    char last_id[NATS_ID_SIZE];
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
    struct nats_out out;
    struct oms_buf scratch;
    /* the end */
    struct rt_message stop;
    int64_t stop_ms; /* by when; 0: not asked for */
    atomic_bool quiet;
    nats_counter connected, connects;
    nats_counter published, acked, duplicates, stumbles, shortened, lag, in_flight;
    nats_counter consumed[NATS_TOPICS_MAX + 1][WEBHOOK_RESULT_COUNT]; /* the last: of no topic */
};

int64_t nats_now_ms(const struct nats_bus *bus);
void nats_count(nats_counter *counter, uint64_t more);
/* Asks JetStream's API; the answer comes to the inbox's subject that ends in `tail`. */
void nats_ask(struct nats_bus *bus, const char *what, const char *name, const char *more, const char *tail,
              struct oms_str body);

/* publish.c */
void nats_publish_init(struct nats_bus *bus);
void nats_publish_fini(struct nats_bus *bus);
void nats_publish_up(struct nats_bus *bus);
void nats_publish_down(struct nats_bus *bus);
void nats_publish_tick(struct nats_bus *bus);
void nats_publish_pump(struct nats_bus *bus);
/* An answer to the inbox's subject that ends in `tail`; borrowed. */
void nats_publish_answer(struct nats_bus *bus, const struct nats_event *event, struct oms_str tail);
void nats_publish_tenant(struct nats_bus *bus, const struct tenant_version *tenant);
/* Nothing more is sent; true when all that was sent is acknowledged and recorded. */
bool nats_publish_finish(struct nats_bus *bus);
/* Gives back the readers; before the host stops. */
void nats_publish_close(struct nats_bus *bus);

/* consume.c */
/* Nothing more is asked for; true when nothing is worked on. */
bool nats_consume_finish(struct nats_bus *bus);
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
