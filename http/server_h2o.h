/*
 * The HTTP server: HTTP/1.1, h2c (prior knowledge and upgrade) and, with TLS, h2 by ALPN, on the shards' own
 * loops.
 *
 * Life: create (before the host starts: opens the sockets) → the host starts, connections are served → drain
 * → wait for the drain → the host stops → destroy (before the host is destroyed).
 */
#ifndef HTTP_SERVER_H2O_H
#define HTTP_SERVER_H2O_H

#include "http/exchange.h"

struct http_metrics;
struct http_server;
struct rt_host;

/* 0 takes the default. */
struct http_server_limits {
    uint64_t body_bytes;            /* of one request; more: 413 (or a reset, when it is twice as much) */
    uint64_t body_bytes_connection; /* unfinished bodies of one connection; more: the connection ends */
    uint64_t body_bytes_all;        /* of all connections; more: the worst one ends */
    unsigned connections;           /* per shard; more are closed at once */
    unsigned requests_in_flight;    /* per shard; more: 503 with Retry-After */
    unsigned handshake_timeout_ms;  /* TLS */
    unsigned request_timeout_ms; /* a whole request must arrive in it; idle HTTP/1 connections end after it */
    unsigned idle_timeout_ms;    /* an HTTP/2 connection without requests */
    unsigned response_timeout_ms; /* a client that does not read its answer */
    unsigned drain_grace_ms;      /* between /readyz saying 503 and the drain's begin; really 0 by default */
};

struct http_server_config {
    struct rt_host *host;      /* a host_uv; borrowed */
    struct oms_str listen;     /* "127.0.0.1:8080", see http_listen_parse; port 0: any */
    const char *tls_cert_file; /* PEM; NULL: no TLS */
    const char *tls_key_file;
    struct http_server_limits limits;
    struct http_metrics *metrics; /* borrowed; not NULL */
    /* Called for every request, on its shard. */
    void (*handle)(struct http_exchange *exchange, void *context);
    /* Called when it is answered, before the exchange goes; may be NULL. Not for requests whose client has
     * gone. */
    void (*observe)(struct http_exchange *exchange, unsigned status, uint64_t ns, void *context);
    void *context;
};

/*
 * Before the host starts. OMS_EXISTS when the port is in use, OMS_INVALID for an address, certificate or key
 * that is not usable; the message is one line for a person.
 */
OMS_MUST_USE enum oms_status http_server_create(const struct http_server_config *config,
                                                struct http_server **out, struct oms_error *error);
/* "http://127.0.0.1:8080", with the real port. Lives as long as the server. */
const char *http_server_url(const struct http_server *server);
unsigned http_server_port(const struct http_server *server);

/* Any thread. True once the drain has begun: /readyz says 503. */
bool http_server_draining(const struct http_server *server);
/*
 * Any thread but a shard's. At once http_server_draining is true, so that load balancers look elsewhere;
 * after drain_grace_ms announces the end to the clients (GOAWAY, Connection: close), takes no new
 * connections, lets requests in flight finish, and `timeout_ms` later closes what is left. Does not wait.
 */
void http_server_drain(struct http_server *server, unsigned timeout_ms);
/* Any thread but a shard's: waits for the end of the drain; false when connections were left after all. */
bool http_server_wait_drained(struct http_server *server);

/* Between the host's stop and its destroy; or after a create whose host never started. */
void http_server_destroy(struct http_server *server);

#endif
