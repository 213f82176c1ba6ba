/*
 * Sends HTTP requests from a shard: libcurl's multi interface on the shard's own loop. sender.c is the only
 * file that sees its multi interface.
 *
 * HTTP/1.1 with connections that are kept, over TLS 1.2 or later where the URL says so; certificates are
 * verified; no redirect is followed, no proxy and no cookie used. Every address is asked of the policy at the
 * moment it is connected to, so that no name, whatever it resolves to, leads elsewhere. An answer's body is
 * read up to a bound and thrown away. Everything is called on the shard's thread.
 */
#ifndef OUTHOOK_SENDER_H
#define OUTHOOK_SENDER_H

#include "http/outhook_settings.h"
#include "runtime/base/buf.h"
#include "runtime/host.h"

struct outhook_sender;

#define OUTHOOK_WHY_MAX 160

/* What became of a request. */
struct outhook_answer {
    unsigned status; /* HTTP's; 0: there was no whole answer */
    uint32_t duration_ms;
    int64_t retry_after_ms;        /* 0: not asked for */
    char why[OUTHOOK_WHY_MAX + 1]; /* why it is no success; empty: it is one */
};

/* A request under way. Fill `body`, then send it. */
struct outhook_flight {
    struct oms_buf body;
    /* Called once when it has ended, unless it was cancelled; the flight is gone then. It may send others. */
    void (*done)(struct outhook_flight *flight, const struct outhook_answer *answer);
    void *context; /* the caller's */
};

struct outhook_sender *outhook_sender_create(struct rt_host *host, unsigned shard,
                                             const struct http_outhook_settings *settings);
/* On the shard's thread at its end, or after it: what is under way is dropped. */
void outhook_sender_destroy(struct outhook_sender *sender);

struct outhook_flight *outhook_sender_take(struct outhook_sender *sender);
/* `url`, `id` and `signatures` are copied. It moves on at the next outhook_sender_run. */
void outhook_sender_send(struct outhook_flight *flight, struct oms_str url, struct oms_str id,
                         int64_t timestamp_s, struct oms_str signatures);
/* Ends it, or gives back one that was not sent. Not from inside `done`. */
void outhook_sender_cancel(struct outhook_flight *flight);
/* After sending: begins what was sent. From inside `done` it does nothing, since that is called from it. */
void outhook_sender_run(struct outhook_sender *sender);

#endif
