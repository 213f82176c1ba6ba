/*
 * Live streams: readers of a subscription, and the topics that serve them.
 *
 * A topic is what may share bytes: one (tenant, document, operation, variables, authorization class, tenant
 * version). On the order's shard an accepted unit is matched and executed once per topic, at the moment its
 * events are applied, so that `order` is the order as of the event; the bytes are held like replies until the
 * unit is durable, get their cursor, and go to every shard that has readers. There each topic keeps a ring of
 * its latest payloads; a reader is a place in that ring. So an event costs one execution however many read
 * it, a waiting reader costs no memory of its own, and a reader that falls out of the ring is cut off: nobody
 * waits for it.
 *
 * Joining: the topic registers with the shards that may make its events; each answers when all that it had
 * submitted before is durable. Everything up to the partition's durable commit at that time (`from`) is read
 * from the log in the read pool, everything after it comes live, so nothing is missed and nothing comes
 * twice. Live units of several shards are put in the order of their commit numbers, which have no gaps.
 *
 * A new version of the tenant ends its topics: readers are evaluated again and join a topic of the new
 * version at the cursor that they have reached, or end with FORBIDDEN.
 *
 * Everything here is called on the reader's shard.
 */
#ifndef STREAM_STREAM_H
#define STREAM_STREAM_H

#include "http/auth/claims.h"
#include "http/exchange.h"
#include "http/graphql/graphql.h"
#include "http/payload.h"

struct api;
struct api_shard;
struct stream_topic;
struct stream_reader;

/* Why a stream ended; the code of its last error. */
enum stream_end {
    STREAM_END_NONE,
    STREAM_END_SLOW,      /* SLOW_READER: it fell behind what is kept for it; resume at its cursor */
    STREAM_END_FORBIDDEN, /* FORBIDDEN: the permission was withdrawn, or the tenant is gone */
    STREAM_END_EXPIRED,   /* TOKEN_EXPIRED: come again with a new token and the cursor */
    STREAM_END_CURSOR,    /* CURSOR_EXPIRED or BAD_USER_INPUT: see `message` */
    STREAM_END_DRAIN,     /* SERVER_STOPPING: reconnect with the cursor */
    STREAM_END_FAULT,     /* INTERNAL, or BUSY */
    STREAM_END_NOT_FOUND, /* NOT_FOUND: there is no such order for this caller; found out only after opening */
};
const char *stream_end_code(enum stream_end end);

struct stream_reader_ops {
    /* There is something to pop: called once until stream_pop has found nothing. Once more when the stream
     * has ended. Never from inside a function below; it may close this reader and others. */
    void (*wake)(struct stream_reader *reader);
};

/* Embedded in what a protocol keeps for one subscription. The first part is the protocol's to set. */
struct stream_reader {
    const struct stream_reader_ops *ops;
    /* ---- the stream's own ---- */
    struct stream_session *session;
};

struct stream_request {
    struct oms_str document, operation; /* copied as far as they are needed */
    struct oms_str variables;           /* JSON text of an object, or absent */
    const struct gql_request *gql;      /* bound, a subscription; used during the call only */
    const struct http_claims *claims;   /* held by the stream while it lives */
    struct oms_str tenant_header;       /* X-Tenant-Id */
    struct oms_str last_event_id;       /* resumes there; goes before the field's `after` */
};

/*
 * Opens a stream. On OMS_OK the reader is attached (events follow by wake). Otherwise `errors` says why, for
 * a response without data: an unknown tenant or order (NOT_FOUND), no permission (FORBIDDEN), a bad or
 * expired cursor (BAD_USER_INPUT, CURSOR_EXPIRED with the first cursor kept), too many streams
 * (LIMIT_EXCEEDED, or BUSY). What takes another shard or the store to find out (whether the order may be
 * read, whether the cursor is still kept) ends the stream after it has been opened instead.
 */
OMS_MUST_USE enum oms_status stream_open(struct api_shard *as, struct stream_reader *reader,
                                         const struct stream_request *request, struct gql_errors *errors);
/* The next payload with a hold for the caller, or NULL: then wake comes when there is one. */
struct http_payload *stream_pop(struct stream_reader *reader);
/* STREAM_END_NONE while the stream lives; otherwise nothing more comes after what stream_pop still gives. */
enum stream_end stream_ended(const struct stream_reader *reader);
/* The last message of an ended stream: {"errors":[{message, extensions:{code, cursor}}]} as a payload whose
 * event name is "next", with a hold; for the protocol to send before it completes. */
struct http_payload *stream_last_words(const struct stream_reader *reader);
/* Detaches the reader; nothing is called for it any more. Also after an end, exactly once for each open. */
void stream_close(struct stream_reader *reader);

/* ---- life, called by the api ---- */
OMS_MUST_USE enum oms_status stream_hub_create(struct api *api, struct oms_error *error);
void stream_hub_destroy(struct api *api);
/* The shard begins to drain: every stream ends with STREAM_END_DRAIN, and no other is opened. */
void stream_drain(struct api_shard *as);
/* The same on all shards, soon. Any thread. */
void stream_hub_drain(struct api *api);

struct stream_stats {
    uint64_t readers, topics, opened, ended[8]; /* by enum stream_end; [0]: closed by the client */
    uint64_t executed, delivered, checkpoints, catchup_events;
    uint64_t ring_bytes;
};
/* The shard's own; on its thread. */
void stream_shard_stats(struct api *api, unsigned shard, struct stream_stats *out);

#endif
