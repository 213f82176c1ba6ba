/*
 * What is said to JetStream and what it says: subjects, requests and answers as text. Pure functions, any
 * thread.
 *
 * A subject is tokens apart by '.'; what a tenant or an order is called becomes one token, in which '.', '*',
 * '>', '%', white space and what is not ASCII are written as %XX.
 *
 * Source of the formats: NATS documentation, "JetStream wire API" (schemas io.nats.jetstream.api.v1.*) and
 * the acknowledgement subjects $JS.ACK.….
 */
#ifndef NATS_PROTOCOL_H
#define NATS_PROTOCOL_H

#include "http/nats_settings.h"
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"

#define NATS_ERROR_STREAM_NOT_FOUND   10059
#define NATS_ERROR_CONSUMER_NOT_FOUND 10014
#define NATS_ERROR_NO_MESSAGE         10037
#define NATS_ERROR_WRONG_LAST_ID      10070
#define NATS_ERROR_STREAM_NAME_IN_USE 10058

/* ---- subjects ---- */

/* Appends text as one token. */
void nats_token_write(struct oms_buf *out, struct oms_str text);
/* The text of a token, in the arena; absent for one that is written otherwise. */
struct oms_str nats_token_read(struct oms_str token, struct oms_arena *arena);

/* The subject with '*' in place of {tenant} and {topic}: a consumer's filter. */
void nats_filter_write(struct oms_buf *out, struct oms_str pattern);
/*
 * Takes tenant and topic out of a subject that fits the pattern (a last '>' fits any rest); absent where the
 * pattern has no place for them. false when it does not fit.
 */
bool nats_subject_match(struct oms_str pattern, struct oms_str subject, struct oms_arena *arena,
                        struct oms_str *tenant, struct oms_str *topic);

/* Where a message of a stream is acknowledged: $JS.ACK.… */
struct nats_ack_place {
    struct oms_str stream, consumer; /* borrowed */
    uint64_t delivered;              /* times, with this one */
    uint64_t sequence;               /* in the stream */
    uint64_t time_ns;                /* when the stream got it */
    uint64_t pending;                /* messages that follow */
};
bool nats_ack_place_read(struct oms_str reply, struct nats_ack_place *out);

/* ---- requests: JSON ---- */

void nats_stream_create_write(struct oms_buf *out, struct oms_str name, struct oms_str subject,
                              const struct http_nats_settings *settings);
void nats_consumer_create_write(struct oms_buf *out, const struct http_nats_consume *consume,
                                struct oms_str filter);
void nats_pull_write(struct oms_buf *out, unsigned batch, uint64_t max_bytes, unsigned expires_ms);
void nats_last_by_subject_write(struct oms_buf *out, struct oms_str subject);
/* The acknowledgement that asks to come again later. */
void nats_nak_write(struct oms_buf *out, unsigned delay_ms);

/* ---- answers ---- */

struct nats_answer {
    unsigned error;         /* JetStream's err_code, else its HTTP-like code; 0: none */
    struct oms_str message; /* of the error */
    struct oms_str stream;  /* of an acknowledged message */
    uint64_t sequence;      /* of the message that was stored or read */
    bool duplicate;         /* it was there already */
    struct oms_str created; /* of a stream */
    uint64_t first, last;   /* sequences of a stream */
    struct oms_str last_id; /* Nats-Msg-Id of a message that was read */
    struct oms_str filter;  /* of a consumer */
};
/* Text lives in the arena or is borrowed. false: it is no answer of JetStream's. */
bool nats_answer_read(struct oms_str body, struct oms_arena *arena, struct nats_answer *out);

/* The value of a header in a stored message's header block; absent: there is none. */
struct oms_str nats_header_find(struct oms_str block, const char *name);

#endif
