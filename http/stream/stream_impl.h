/*
 * The inside of live streams, shared by the sources of http/stream below the protocols.
 *
 *   order's shard                                        reader's shard
 *   stream_source: rendered at the event, held ──report──▶ stream_topic: ring ──▶ stream_session
 *   (source.c)                                (report.c)  (topic.c)    ▲          (session.c)
 *                                                      stream_catchup ─┘ pages of the log (catchup.c)
 *
 * A spec says what a topic is (spec.c): its key is compared byte by byte, so that readers share bytes only
 * when these must be equal. A spec is immutable; it belongs to its topic, and the shards that make the
 * topic's events read it while they handle the registration. Everything else belongs to one shard.
 *
 * Which thread: functions are called on the shard of their first argument unless they say otherwise.
 */
#ifndef STREAM_IMPL_H
#define STREAM_IMPL_H

#include <stdatomic.h>

#include "actors/ids.h"
#include "actors/order_observer.h"
#include "http/api/request.h"
#include "http/api/subscription.h"
#include "http/stream/stream.h"
#include "runtime/base/limits.h"

#define STREAM_TICK_MS       250
#define STREAM_CHECKPOINT_MS 10000
#define STREAM_LINGER_MS     5000       /* of a topic without readers: they may come back */
#define STREAM_ORDINAL_END   UINT32_MAX /* of a checkpoint: after every event of its commit */

struct stream_shard;

/* ---- lists ---- */

struct stream_link {
    struct stream_link *prev, *next;
};
static inline void stream_list_init(struct stream_link *head)
{
    head->prev = head->next = head;
}
static inline bool stream_list_is_empty(const struct stream_link *head)
{
    return head->next == head;
}
static inline void stream_list_add(struct stream_link *head, struct stream_link *link)
{
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}
/* Also for a link that is in no list (after stream_list_init). */
static inline void stream_list_remove(struct stream_link *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->prev = link->next = link;
}
/* Moves everything of `from` to the end of `head`. */
static inline void stream_list_splice(struct stream_link *head, struct stream_link *from)
{
    if (stream_list_is_empty(from))
        return;
    from->next->prev = head->prev;
    head->prev->next = from->next;
    from->prev->next = head;
    head->prev = from->prev;
    stream_list_init(from);
}

/* ---- spec.c: what a topic is ---- */

struct stream_spec {
    struct oms_arena arena;
    struct oms_str key; /* equal keys: equal bytes */
    uint64_t hash;
    enum api_subscription field;
    uint32_t tenant;
    uint32_t version; /* of the tenant */
    unsigned char order_id[IDS_ORDER_SIZE];
    bool from_store; /* the selection reads the store: events are read from the log when they are durable */
    struct oms_str document, operation, variables;
    struct access access;
    struct principal principal;
};

/* A spec ready to execute, on one shard. */
struct stream_binding {
    struct oms_arena arena;
    struct gql_prepared *prepared; /* held */
    struct gql_request *request;
    const struct order_event_filter *filter; /* NULL: all */
    struct access access;
    struct principal principal;
};

/* From a request; the caller has found the tenant and evaluated the access. NULL with `errors`. */
struct stream_spec *stream_spec_create(const struct stream_request *request,
                                       const struct tenant_version *tenant, const struct principal *principal,
                                       const struct access *access, struct gql_errors *errors);
/* The same for another version of the tenant; NULL when memory limits forbid it. */
struct stream_spec *stream_spec_again(const struct stream_spec *spec, const struct gql_request *request,
                                      const struct tenant_version *tenant, const struct principal *principal,
                                      const struct access *access);
void stream_spec_destroy(struct stream_spec *spec);
/* Binds on this shard; false when the document does not bind here (memory). */
bool stream_binding_init(struct stream_binding *binding, struct api_shard *as,
                         const struct stream_spec *spec);
void stream_binding_fini(struct stream_binding *binding);
/* Executes the subscription's field on the item and appends the whole response. Any thread. */
void stream_execute(const struct stream_binding *binding, const struct api_stream_item *item,
                    struct api_scene *scene, struct oms_arena *scratch, struct oms_buf *value,
                    struct oms_buf *out);

/* ---- report.c: what travels from the order's shard to the reader's ---- */

enum stream_report_kind {
    STREAM_REPORT_UNIT,   /* a commit of the partition, with `count` events behind it */
    STREAM_REPORT_EVENT,  /* of the unit before it */
    STREAM_REPORT_DIRECT, /* of a topic that has one source shard: in order by itself */
    STREAM_REPORT_STOP,   /* the source renders no more for this topic: a newer tenant version is there */
};

struct stream_report_item {
    uint8_t kind;
    uint16_t partition;
    uint32_t count;
    uint64_t commit;
    struct stream_topic *topic;
    struct http_payload *payload; /* owned; NULL: read it from the log */
};

struct stream_report {
    struct rt_message message;
    struct stream_report *next; /* free list */
    struct stream_shard *to;
    struct stream_shard *from;
    struct stream_report_item *items;
    size_t count, cap;
};

/* Units that came before their turn. */
struct stream_late {
    bool present;
    uint32_t count;
    struct stream_report_item *items;
};

/* A partition on the reader's shard: puts the units of several shards in order. */
struct stream_partition {
    unsigned topics; /* that are registered, or about to be */
    bool live;
    uint64_t expected;        /* the next commit to deliver */
    struct stream_late *late; /* of commit c at c & (cap − 1), for expected <= c < expected + cap */
    size_t cap;
};

/* Adds to what goes to shard `to` at the end of this turn; takes over the payload. */
void stream_report_add(struct stream_shard *ss, unsigned to, struct stream_report_item item);
/* Sends what was added for it now: before an acknowledgement that must not overtake it. */
void stream_report_flush(struct stream_shard *ss, unsigned to);
void stream_report_flush_all(struct stream_shard *ss);
void stream_partition_join(struct stream_shard *ss, uint16_t partition);
/* A topic's registration is complete: everything after `covered` comes. */
void stream_partition_live(struct stream_shard *ss, uint16_t partition, uint64_t covered);
void stream_partition_leave(struct stream_shard *ss, uint16_t partition);
/* The topic is about to be freed: what waits for its turn does not name it any more. */
void stream_partition_forget(struct stream_shard *ss, uint16_t partition, const struct stream_topic *topic);
/* Everything up to here has been delivered; 0 while not live. */
uint64_t stream_partition_position(const struct stream_shard *ss, uint16_t partition);
void stream_reports_fini(struct stream_shard *ss);

/* ---- source.c: on the order's shard ---- */

struct stream_watch;
struct stream_source;

enum stream_control_kind { STREAM_REGISTER, STREAM_UNREGISTER, STREAM_PING };

/* From a reader's shard to an order's shard and back. */
struct stream_control {
    struct rt_message message;
    struct held_item held;
    struct stream_link loan; /* of the reader's shard, which owns it */
    enum stream_control_kind kind;
    struct stream_shard *from, *to;
    struct stream_topic *topic; /* not of a ping */
    bool stale;                 /* the source's shard has a newer version of the tenant */
    bool failed;                /* it cannot be made there */
    uint64_t *positions;        /* of a ping: the partitions' durable commits when it left */
};

struct stream_sources {
    struct stream_source *tenants[OMS_PARTITIONS]; /* topics of tenants, by partition */
    struct stream_source **orders;                 /* topics of orders, a hash table */
    size_t order_buckets, order_count;
    unsigned order_counts[OMS_PARTITIONS];   /* of them, by partition */
    uint64_t listeners[OMS_PARTITIONS];      /* shards that hear of the partition's commits, as bits */
    unsigned *listen_counts[OMS_PARTITIONS]; /* their topics, by shard */
    size_t held_bytes;                       /* of watches whose units are not durable */
    struct stream_watch *watches;            /* all, so that none leaks */
    struct stream_watch *free_watches;
};

struct order_watch *stream_source_begin(struct stream_shard *ss, const struct rt_address *actor,
                                        unsigned event_count);
void stream_source_event(struct stream_shard *ss, struct order_watch *watch, const struct order *order,
                         const struct order_event *event, const struct order_event_meta *meta,
                         unsigned ordinal);
void stream_source_committed(struct stream_shard *ss, struct order_watch *watch, uint64_t commit,
                             enum oms_status status);
void stream_source_tenant(struct stream_shard *ss, const struct tenant_version *tenant);
/* on_return of controls at their destination. */
void stream_source_control(struct rt_shard *shard, struct rt_message *message);
void stream_sources_fini(struct stream_shard *ss);

/* ---- topic.c: on the reader's shard ---- */

enum stream_topic_state { STREAM_TOPIC_JOINING, STREAM_TOPIC_LIVE, STREAM_TOPIC_LEAVING };

struct stream_topic {
    struct stream_link all; /* of the shard's topics */
    struct stream_topic *same_hash;
    struct stream_shard *ss;
    struct stream_spec *spec; /* owned */
    struct stream_binding binding;
    const struct tenant_version *tenant; /* held */
    uint16_t partition;
    uint8_t state;    /* enum stream_topic_state */
    bool stopped;     /* a source has a newer version: nothing may be added, the readers will be moved */
    bool hashed;      /* found by new readers */
    bool touched;     /* in the list of those whose waiting readers are to be woken */
    bool evicted;     /* since the last tick: somebody may have fallen behind */
    unsigned acks;    /* registrations or their ends under way */
    unsigned jobs;    /* reads of the log under way */
    uint64_t covered; /* commits up to here are in the log only */
    /* the ring: payloads [tail, head) */
    struct http_payload **ring;
    size_t ring_cap, ring_bytes;
    uint64_t head, tail;
    struct ids_cursor ring_from; /* every matching event after it is in the ring */
    struct ids_cursor at;        /* of the last payload, or where it began */
    uint64_t position;           /* a topic of an order, or from the store: nothing is missing up to here */
    int64_t item_ms;             /* when the last payload came */
    struct http_payload *checkpoint; /* the last one made; held */
    struct stream_link members;      /* sessions */
    struct stream_link waiting;      /* of them, those to wake at the next payload */
    struct stream_link touch;
    size_t member_count;
    int64_t empty_ms;                /* since when nobody reads */
    struct stream_catchup *tail_job; /* from_store: the read under way */
    uint64_t behind;                 /* from_store: the newest commit that it must read */
};

/* The shard's topic of this spec, made when there is none; takes over the spec. NULL: it cannot be made. */
struct stream_topic *stream_topic_get(struct stream_shard *ss, struct stream_spec *spec);
/* No new reader finds it, and nothing is added any more. */
void stream_topic_stop(struct stream_topic *topic);
/* A payload of a source: takes over the hold. NULL: it is in the log. */
void stream_topic_add(struct stream_topic *topic, uint64_t commit, struct http_payload *payload);
/* Everything up to the commit is to be read from the log: its sessions go there and come back. */
void stream_topic_skip(struct stream_topic *topic, uint64_t commit);
void stream_topic_append(struct stream_topic *topic, struct http_payload *payload);
/* Nothing is missing up to this commit. */
uint64_t stream_topic_position(const struct stream_topic *topic);
/* With a hold. NULL when it cannot be executed. */
struct http_payload *stream_topic_checkpoint(struct stream_topic *topic, struct ids_cursor at);
void stream_topic_leave_if_empty(struct stream_topic *topic, int64_t now_ms);
void stream_topic_tick(struct stream_topic *topic, int64_t now_ms);
void stream_topic_tail_done(struct stream_topic *topic, struct stream_catchup *job);
void stream_topic_control_home(struct rt_shard *shard, struct rt_message *message);
void stream_topics_ping(struct stream_shard *ss);
void stream_topic_destroy(struct stream_topic *topic);

/* ---- session.c: readers ---- */

enum stream_session_state { STREAM_SESSION_JOINING, STREAM_SESSION_CATCHUP, STREAM_SESSION_LIVE };

struct stream_probe;

/* One reader. Kept small: ten thousand of them wait. */
struct stream_session {
    struct stream_link member; /* of its topic */
    struct stream_link queue;  /* of its topic's waiting ones, or of the shard's that are to be woken */
    struct stream_reader *reader;
    struct stream_shard *ss;
    struct stream_topic *topic; /* NULL when it has ended */
    const struct http_claims *claims;
    struct stream_catchup *catchup; /* NULL: none */
    struct stream_probe *probe;     /* asks whether the order may be read; NULL: answered */
    struct http_payload *first;     /* goes before everything else; NULL: none */
    struct stream_fault *fault;     /* more about the end; NULL: none */
    uint64_t place;                 /* in the ring */
    struct ids_cursor cursor;       /* of the last payload popped, or where it began */
    size_t heap_index;
    uint32_t tenant;
    uint8_t state, end; /* enum stream_session_state, enum stream_end */
    bool armed;         /* stream_pop has found nothing: wake it */
    bool counted;       /* among the streams of its subject */
};

/* What the last words say beside the code. */
struct stream_fault {
    const char *code;
    char message[160];
    struct ids_cursor first;
    bool has_first;
};

/* The topic is live, or the order may be read: joins the ring, or reads the log. */
void stream_session_settle(struct stream_session *session);
/* Ends it; its reader is woken at the end of the turn. */
void stream_session_end(struct stream_session *session, enum stream_end end);
void stream_session_wake(struct stream_session *session);
void stream_session_catchup_done(struct stream_session *session);
/* The ring has lost what this session needs, but the log has it. */
void stream_session_again(struct stream_session *session);
void stream_sessions_tenant(struct stream_shard *ss, const struct tenant_version *tenant);
/* The shard's copy of what is stored of a user has changed: their readers are evaluated again. */
void stream_sessions_user(struct stream_shard *ss, const struct user_version *user);
void stream_sessions_tick(struct stream_shard *ss, int64_t now_ms);
void stream_sessions_wake(struct stream_shard *ss);
void stream_sessions_fini(struct stream_shard *ss);

/* ---- subjects.c: how many streams a person has ---- */

/* Counts one more; false when they have as many as they may. */
bool stream_subject_take(struct stream_shard *ss, uint32_t tenant, const struct http_claims *claims);
void stream_subject_give(struct stream_shard *ss, uint32_t tenant, const struct http_claims *claims);
void stream_subjects_fini(struct stream_shard *ss);

/* ---- catchup.c: reading the log ---- */

struct stream_catchup {
    struct store_read read;
    struct stream_link loan;
    struct stream_topic *topic;     /* `jobs` counts it while the read is under way */
    struct stream_session *session; /* NULL: the topic's own, or nobody's any more */
    struct ids_cursor from;         /* the page begins after it */
    uint64_t durable;               /* the partition's last commit when it was asked for */
    int64_t now_ms;
    unsigned limit;
    struct stream_link queue; /* of its tenant's, while it waits for its turn */
    bool in_flight, waiting;
    bool again;    /* the pool was full; the tick asks once more */
    bool ask_kept; /* look whether `from` is still kept */
    /* ---- the page ---- */
    enum oms_status status;
    bool more, expired;
    struct ids_cursor first_kept, end;
    unsigned count, next;
    struct http_payload *items[OMS_STREAM_PAGE_EVENTS];
};

struct stream_catchup *stream_catchup_create(struct stream_topic *topic, struct stream_session *session,
                                             struct ids_cursor from);
/* Asks for the next page; the last one has been popped. */
void stream_catchup_ask(struct stream_catchup *catchup);
/* Lets go of it: at once, or when its read is home. */
void stream_catchup_drop(struct stream_catchup *catchup);

/* Of one tenant on one shard. */
struct stream_reads {
    unsigned under_way;
    struct stream_link waiting; /* stream_catchup.queue; zero until the first one waits */
};

/* ---- hub.c ---- */

struct stream_hub {
    struct api *api;
    struct rt_host *host;
    struct store *store;
    struct order_observer observer;
    struct stream_shard **shards;
    unsigned shard_count;
    size_t ring_payloads_max;         /* a power of two */
    uint64_t late_max;                /* units of a partition that wait for one before them */
    size_t held_bytes_max;            /* over it events are read from the log */
    int64_t replay_ms;                /* how far back a stream may begin; 0: to the beginning */
    _Atomic uint32_t *tenant_streams; /* of all shards, by tenant number: the one thing that they share */
};

struct stream_shard {
    struct stream_hub *hub;
    struct api_shard *as;
    struct rt_shard *shard;
    unsigned index;
    struct oms_arena scratch; /* of one execution */
    struct oms_buf value, text;
    /* the order's side */
    struct stream_sources sources;
    struct stream_report *reports[OMS_SHARDS_MAX]; /* being filled in this turn */
    struct stream_report *free_reports;
    /* the reader's side */
    struct stream_partition *partitions[OMS_PARTITIONS];
    struct stream_link topics;
    struct stream_topic **by_hash;
    size_t hash_buckets, topic_count;
    struct stream_link touched; /* topics whose waiting readers are to be woken */
    struct stream_link wakes;   /* sessions to wake */
    struct stream_link loans_controls, loans_catchups, loans_probes; /* what may be elsewhere now */
    struct stream_session **heap;                                    /* by when their tokens expire */
    size_t heap_count, heap_cap;
    struct stream_reads *reads;       /* by tenant number */
    struct stream_subject **subjects; /* NULL: none yet */
    size_t ring_bytes;
    bool draining;
    struct rt_timer tick;
    int64_t ping_ms;
    unsigned pings;          /* under way */
    struct rt_message drain; /* posted once */
    struct stream_stats stats;
};

static inline struct stream_shard *stream_shard_of(const struct stream_hub *hub, const struct rt_shard *shard)
{
    return hub->shards[rt_shard_index(shard)];
}

static inline bool stream_cursor_before(struct ids_cursor a, struct ids_cursor b)
{
    return a.commit < b.commit || (a.commit == b.commit && a.ordinal < b.ordinal);
}

#endif
