/*
 * What a connection may do to us: the rules by which the server ends one that harms it, apart from sockets,
 * so that they can be tested with numbers.
 *
 * The server's HTTP library buffers whole bodies before a handler runs, does not limit resets, and gives a
 * stalled HTTP/2 stream all the time in the world. So every connection is sampled a few times a second: the
 * bytes that its socket received, the requests that came of them, the streams that it opened, and what is
 * unfinished. Bytes that became no request are either waiting in a buffer, or they were waste; both have a
 * maximum.
 */
#ifndef HTTP_GUARD_H
#define HTTP_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#define HTTP_GUARD_INTERVAL_MS 250

/* Cancelled streams: this many at once, and so many a second for ever (RFC 9113 leaves the numbers to us). */
#define HTTP_GUARD_RESETS_BURST 1000
#define HTTP_GUARD_RESETS_PER_S 100
/* Bytes in one interval that are no part of any request, and how many such intervals in a row are too many.
 * A reader of streams answers what it reads with WINDOW_UPDATE frames, some with two for every DATA frame. */
#define HTTP_GUARD_NOISE_BYTES   (64u << 10)
#define HTTP_GUARD_NOISE_STRIKES 8

struct http_guard_limits {
    uint64_t buffered_bytes_max; /* of one connection */
    int64_t request_timeout_ms;  /* from a request's first byte to its last */
    int64_t response_timeout_ms; /* an answer lies in the buffer without the client reading */
};

/* Cumulative numbers since the connection was made, and what is unfinished now. */
struct http_guard_sample {
    uint64_t received_bytes;     /* by the socket, TLS and framing included */
    uint64_t sent_bytes;         /* to the socket, without TLS */
    uint64_t request_bytes;      /* of requests that reached a handler: headers and body */
    uint64_t requests;           /* that reached a handler or an error of the library's own */
    uint64_t abandoned;          /* of them: reset by the client before they were answered */
    uint64_t streams;            /* HTTP/2: opened, as far as the stream numbers seen tell */
    unsigned receiving;          /* requests that have begun and not ended */
    unsigned in_flight;          /* reached a handler, not yet answered */
    uint64_t buffered_bytes;     /* known exactly (HTTP/1), else 0 */
    int64_t oldest_receiving_ms; /* age of the oldest of `receiving`; 0 without one */
    int64_t oldest_unsent_ms;    /* so long has an answer been in the buffer, and nothing gone out */
};

/* The memory of one connection's past; all zero at first. */
struct http_guard {
    uint64_t baseline_received; /* when nothing was buffered for the last time */
    uint64_t baseline_requests; /* request_bytes then */
    uint64_t last_received, last_sent, last_requests, last_lost;
    int64_t resets_in_bucket; /* grows with resets, drains with time */
    unsigned noise_strikes;
    uint64_t buffered; /* the last estimate, for the sum over all connections */
};

enum http_guard_verdict {
    HTTP_GUARD_FINE,
    HTTP_GUARD_BUFFERED,      /* more unfinished bodies than a connection may have */
    HTTP_GUARD_SLOW_REQUEST,  /* a request that does not arrive */
    HTTP_GUARD_SLOW_RESPONSE, /* a client that does not read */
    HTTP_GUARD_RESETS,        /* streams opened and cancelled in masses (CVE-2023-44487) */
    HTTP_GUARD_NOISE,         /* frames that are no requests, in masses */
    HTTP_GUARD_VERDICTS
};

/* Once per interval and connection. */
enum http_guard_verdict http_guard_judge(struct http_guard *guard, const struct http_guard_sample *sample,
                                         const struct http_guard_limits *limits);
/* "slow_request" …; static storage. */
const char *http_guard_verdict_name(enum http_guard_verdict verdict);

#endif
