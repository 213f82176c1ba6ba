/* What the files of the deliveries share; see outhooks.h. */
#ifndef OUTHOOK_IMPL_H
#define OUTHOOK_IMPL_H

#include <stdatomic.h>

#include "actors/system.h"
#include "http/api/request.h"
#include "http/outhook/event.h"
#include "http/outhook/outhooks.h"
#include "http/outhook/sender.h"
#include "http/outhook/signing.h"
#include "http/payload.h"
#include "http/stream/stream.h"
#include "runtime/base/limits.h"
#include "runtime/shard.h"

#define OUTHOOK_TICK_MS 100
#define OUTHOOK_BUCKETS 256 /* of an endpoint's orders; a power of two */

enum outhook_event_state {
    OUTHOOK_WAITING, /* for the event of its order before it */
    OUTHOOK_READY,   /* in the queue */
    OUTHOOK_FLYING,
    OUTHOOK_RESTING, /* until `due` */
};

struct outhook_chain;

/* An event that was read and is not settled. */
struct outhook_event {
    struct ids_cursor at;
    struct http_payload *payload; /* held */
    struct outhook_chain *chain;
    enum outhook_event_state state;
    uint32_t tries;                    /* that failed */
    int64_t due;                       /* RESTING */
    struct outhook_event *prev, *next; /* all of the endpoint, in the order of the log */
    struct outhook_event *behind;      /* the next one of its order */
    struct outhook_event *queue_next;  /* READY */
};

/* The events of one order, first in, first out: only the first is ever on its way. */
struct outhook_chain {
    struct outhook_chain *next; /* in its bucket */
    struct outhook_event *first, *last;
    char order[IDS_ORDER_TEXT + 1];
};

/* One request under way, for an event, a dead letter or a test. */
struct outhook_delivery {
    struct outhook_endpoint *endpoint;
    struct outhook_flight *flight;
    struct outhook_event *event;          /* NULL: none of the pending ones */
    struct outhook_call *test;            /* or a test */
    struct outlet_letter letter;          /* or a dead letter */
    struct outhook_delivery *prev, *next; /* of the endpoint */
};

struct outhook_endpoint {
    struct outhook_shard *os;
    struct outhook_endpoint *next; /* of the shard */
    uint32_t tenant;
    unsigned char key[TENANT_ENDPOINT_KEY_BYTES];
    char tenant_name[OMS_TENANT_NAME_BYTES_MAX + 1];
    char id[TENANT_ENDPOINT_ID_SIZE + 1];
    char *url, *filter; /* filter NULL: none */
    struct outhook_key keys[OMS_ENDPOINT_SECRETS_MAX];
    int64_t key_until[OMS_ENDPOINT_SECRETS_MAX];
    size_t key_count;
    uint32_t revision;
    bool disabled, removed, mentioned;
    /* reading */
    struct stream_reader reader;
    bool open;
    int64_t open_ms;               /* not opened again before */
    struct ids_cursor read;        /* everything up to it was read */
    struct outlet_pending *resume; /* of what was pending when it was read the last time: up to outlet.high */
    size_t resume_count, resume_next;
    struct ids_cursor resume_end;
    /* what is pending */
    struct outhook_event *first, *last;
    size_t pending;
    size_t pending_bytes;
    size_t resting;
    int64_t due_ms; /* of the first that rests, at the earliest */
    struct outhook_event *ready_first, *ready_last;
    struct outhook_chain *buckets[OUTHOOK_BUCKETS];
    /* under way */
    struct outhook_delivery *deliveries;
    unsigned flying, parallel;
    unsigned failures; /* of its own in a row */
    int64_t rest_ms;   /* BACKING_OFF until then, and until a delivery succeeds; 0: it is well */
    bool starved;      /* waits for others' deliveries to end */
    struct outhook_endpoint *starved_next;
    /* dead letters on their way */
    struct ids_cursor *redeliver;
    size_t redeliver_count;
    struct stream_reader letter_reader;
    bool letter_open;
    /* what is known durably, and what is not yet */
    struct outlet outlet;     /* its pending and tries are not kept here */
    struct outlet_try *tries; /* a ring of OMS_OUTLET_TRIES_MAX */
    uint64_t try_count, tries_marked;
    struct oms_buf news; /* letters, since the last mark */
    bool dirty, stale;   /* something was settled; or only the place moved on */
    bool marking;
    int64_t mark_ms, stale_ms; /* not marked again before */
    struct outlet_call mark;
    uint64_t mark_tries;
    size_t mark_news;
    struct outhook_call *waiting, *marked; /* calls that the next mark answers, and the one under way */
};

struct outhook_shard {
    struct outhooks *hub;
    struct rt_shard *shard;
    unsigned index;
    struct outhook_sender *sender;
    struct outhook_endpoint *endpoints;
    size_t endpoint_count;
    unsigned flying;
    unsigned *tenant_flying; /* by tenant number */
    struct outhook_endpoint *starved_first, *starved_last;
    struct rt_timer tick;
    const struct http_claims *claims;
    struct rt_message stop;
    int64_t stop_ms; /* by when; 0: not asked for */
    bool draining;   /* the server stops: nothing more is read */
    atomic_bool quiet;
    _Atomic uint64_t delivered, failed, dead, active, backing, off, flying_now, pending_now;
    struct outhook_signer *signer;
    struct oms_buf signatures;
};

struct outhooks {
    struct outhooks_config config;
    struct outhook_shard *shards;
    unsigned shard_count;
};

/* ---- endpoint.c: reading and delivering ---- */
struct outhook_endpoint *outhook_endpoint_create(struct outhook_shard *os,
                                                 const struct tenant_version *tenant,
                                                 const struct tenant_endpoint *endpoint,
                                                 const unsigned char key[TENANT_ENDPOINT_KEY_BYTES]);
/* What the tenant says of it now. */
void outhook_endpoint_update(struct outhook_endpoint *ep, const struct tenant_version *tenant,
                             const struct tenant_endpoint *endpoint);
/* Once nothing of it is on its way to the log. */
void outhook_endpoint_destroy(struct outhook_endpoint *ep);
/* Whether it is to be delivered to. */
bool outhook_endpoint_is_on(const struct outhook_endpoint *ep);
/* Reads, sends and records what is due. */
void outhook_endpoint_tick(struct outhook_endpoint *ep, int64_t now_ms, unsigned *opens);
/* Drops what is under way and in memory; it will be read again. */
void outhook_endpoint_halt(struct outhook_endpoint *ep);
/* Begins anew behind the cursor. */
void outhook_endpoint_rewind(struct outhook_endpoint *ep, struct ids_cursor at);
void outhook_endpoint_test(struct outhook_endpoint *ep, struct outhook_call *call);
void outhook_endpoint_mark(struct outhook_endpoint *ep);
void outhook_endpoint_look(const struct outhook_endpoint *ep, struct outhook_view *view);
/* Everything up to it is settled. */
struct ids_cursor outhook_endpoint_position(const struct outhook_endpoint *ep);

/* ---- letters.c: dead letters, again ---- */
/* Puts a dead letter in the queue. */
void outhook_letters_add(struct outhook_endpoint *ep, struct ids_cursor at);
/* Begins with the next one when none is on its way. */
void outhook_letters_next(struct outhook_endpoint *ep);
void outhook_letters_close(struct outhook_endpoint *ep);

/* ---- shared ---- */
int64_t outhook_now_ms(const struct outhook_endpoint *ep);
bool outhook_before(struct ids_cursor a, struct ids_cursor b);
/* The place of which it is the next. */
struct ids_cursor outhook_place_before(struct ids_cursor at);
/* Opens a reader of the tenant's events behind the cursor; `filter` NULL: all. */
bool outhook_read_from(struct outhook_endpoint *ep, struct stream_reader *reader,
                       const struct stream_reader_ops *ops, const char *filter, struct ids_cursor after);
/* Sends an event: one that is pending, or a dead letter. */
void outhook_deliver(struct outhook_endpoint *ep, struct outhook_event *event,
                     const struct outlet_letter *letter, const struct http_payload *payload);
/* Answers a call. */
void outhook_answer(struct outhook_shard *os, struct outhook_call *call, enum outhook_result result);

#endif
