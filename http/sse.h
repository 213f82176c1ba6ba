/*
 * Server-sent events (HTML standard, section 9.2) as answers: the framing of the graphql-sse protocol's
 * "distinct connections mode", one operation per request.
 *
 * An operation's results are events named `next` whose data is a GraphQL response; `complete` (with empty
 * data, so that the browser's EventSource delivers it) ends them. Comments keep idle connections alive.
 */
#ifndef HTTP_SSE_H
#define HTTP_SSE_H

#include "http/exchange.h"

/* Begins the answer: status 200, text/event-stream, no caching, no buffering by proxies. As
 * http_stream_begin. */
OMS_MUST_USE bool http_sse_begin(struct http_exchange *exchange, const struct http_stream_events *events,
                                 void *context);
/* Answers with exchange->out as the one result: `next`, `complete`, end. */
void http_sse_respond(struct http_exchange *exchange);

/* A comment: nothing for the reader, but bytes on the wire. */
#define HTTP_SSE_HEARTBEAT ((struct http_chunk){NULL, OMS_STR(":\n\n")})
/* The event `complete`. */
#define HTTP_SSE_COMPLETE ((struct http_chunk){NULL, OMS_STR("event: complete\ndata:\n\n")})

#endif
