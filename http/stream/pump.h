/*
 * From a stream to whoever reads it: opens the stream of a subscription and answers its exchange with what
 * comes.
 *
 * The exchange may be an HTTP request, answered as server-sent events, or an operation of a WebSocket, which
 * takes the same payloads and sends their JSON; the pump does not know which. It hands over a bounded number
 * of bytes at a time and goes on when they have been taken, so a reader that does not read holds up nobody;
 * what the stream keeps for it is the topic's ring, and out of that it is cut off.
 *
 * On the exchange's shard.
 */
#ifndef STREAM_PUMP_H
#define STREAM_PUMP_H

#include "http/stream/stream.h"

struct stream_pumps; /* a shard's */

struct stream_pumps *stream_pumps_create(struct rt_shard *shard);
/* Streams have ended. */
void stream_pumps_destroy(struct stream_pumps *pumps);

/*
 * Answers the exchange with the stream. A stream that cannot be opened is answered with its errors: as an
 * event with `as_events`, else as a 400 of application/graphql-response+json.
 */
void stream_pump(struct stream_pumps *pumps, struct api_shard *as, struct http_exchange *exchange,
                 const struct stream_request *request, bool as_events);

#endif
