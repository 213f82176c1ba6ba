/* The server's maxima with their defaults, and the numbers by which it tells how it fares. */
#ifndef HTTP_SERVER_LIMITS_H
#define HTTP_SERVER_LIMITS_H

#include "http/guard.h"
#include "http/server_h2o.h"

/* The wanted limits with defaults for zeros, and each raised where another one needs it. */
struct http_server_limits http_server_limits_complete(const struct http_server_limits *wanted);

/* Slots of http_metrics. */
struct http_server_numbers {
    unsigned connections, accepted, refused, abandoned, sent_bytes, received_bytes, in_flight, streams,
        streams_cut, websockets, buffered, library_errors, ended[HTTP_GUARD_VERDICTS];
};

void http_server_numbers_register(struct http_server_numbers *numbers, struct http_metrics *metrics);

#endif
