/*
 * Keeps the keys that issuers publish: fetches them at the start, again when they get old, and again when
 * somebody meets a token of an unknown key; and tells every shard what it found.
 *
 * One keeper per process. Its state lives on shard 0 and is touched by no other thread; fetches run in the
 * slow pool, at most OMS_JWKS_FETCHES_MAX at once; what is found travels to the shards as messages. A set of
 * keys is immutable and counted, so a shard looks at its own pointer and takes no lock.
 *
 * Between two fetches of one issuer lies at least its refetch interval, whoever asks. When a fetch fails, the
 * keys that are known go on to count until they are stale.
 */
#ifndef HTTP_AUTH_JWKS_KEEPER_H
#define HTTP_AUTH_JWKS_KEEPER_H

#include <stdatomic.h>

#include "http/auth/issuer.h"
#include "http/auth/jwks.h"
#include "runtime/base/buf.h"

struct rt_host;
struct rt_shard;
struct http_jwks;

enum http_jwks_outcome {
    HTTP_JWKS_FETCHED, /* `keys` is what the issuer publishes */
    HTTP_JWKS_FAILED,  /* `keys` is what was known before; NULL: nothing */
    HTTP_JWKS_CLOSING, /* the server stops: of all issuers; nothing more will come */
};

/* What a shard is told. */
struct http_jwks_news {
    enum http_jwks_outcome outcome;
    size_t issuer; /* its index in the set */
    const struct http_key_set *keys;
    uint64_t started_ns; /* mono_ns before the document was asked for */
};

struct http_jwks_config {
    struct rt_host *host;
    const struct http_issuer_set *issuers; /* with those that publish nothing, for the indexes */
    /* How a document is fetched; NULL: http_jwks_fetch. On a pool's thread. */
    enum oms_status (*fetch)(const struct http_issuer *issuer, const atomic_bool *stop,
                             struct oms_buf *document, int64_t *ttl_ms, struct oms_error *error);
    /* On the shard's thread; what news points to is borrowed. */
    void (*on_news)(void *context, struct rt_shard *shard, const struct http_jwks_news *news);
    void *context;
};

/* Before the host starts; fetching begins with it. Everything in the config outlives the keeper. NULL when no
 * issuer publishes keys. */
struct http_jwks *http_jwks_create(const struct http_jwks_config *config);
/* After the host has been destroyed, which knows the timer. NULL is allowed. */
void http_jwks_destroy(struct http_jwks *jwks);
/* Waits until each issuer has been asked once, whatever it answered, or the time is over. From no shard; NULL
 * is allowed. */
void http_jwks_wait_first(struct http_jwks *jwks, unsigned ms);
/* Any shard: a token of this issuer has a key that is not known. News will come, unless the server stops. */
void http_jwks_want(struct http_jwks *jwks, size_t issuer);
/* Any shard: one more such token, for the metrics. */
void http_jwks_count_unknown(struct http_jwks *jwks, size_t issuer);
/* Ends what is under way and tells every shard so; from no shard, while the host runs. NULL is allowed. */
void http_jwks_stop(struct http_jwks *jwks);
/* Metrics of all issuers: a source for http_metrics_source; context is the keeper. Any thread. */
void http_jwks_write_metrics(void *jwks, struct oms_buf *out);

#endif
