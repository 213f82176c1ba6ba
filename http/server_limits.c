/* Defaults come from limits.h; the time-outs, which only this server has, stand here. */
#include "http/server_limits.h"

#include <stdio.h>

#include "http/metrics.h"
#include "runtime/base/limits.h"

#define BODY_BYTES_MAX       (OMS_REQUEST_ARENA_BYTES_MAX / 4)
#define HANDSHAKE_TIMEOUT_MS 10000
#define REQUEST_TIMEOUT_MS   30000
#define IDLE_TIMEOUT_MS      120000
#define RESPONSE_TIMEOUT_MS  60000

struct http_server_limits http_server_limits_complete(const struct http_server_limits *wanted)
{
    struct http_server_limits complete = *wanted;
    struct http_server_limits *limits = &complete;
    limits->body_bytes = limits->body_bytes ? limits->body_bytes : OMS_BODY_BYTES_MAX;
    if (limits->body_bytes > BODY_BYTES_MAX)
        limits->body_bytes = BODY_BYTES_MAX;
    if (!limits->body_bytes_connection)
        limits->body_bytes_connection = OMS_BODY_BYTES_PER_CONNECTION;
    if (limits->body_bytes_connection < 3 * limits->body_bytes)
        limits->body_bytes_connection =
            3 * limits->body_bytes; /* one body that is too large must get its 413 */
    limits->body_bytes_all = limits->body_bytes_all ? limits->body_bytes_all : OMS_BODY_BYTES_ALL;
    limits->connections = limits->connections ? limits->connections : OMS_CONNECTIONS_MAX;
    if (!limits->requests_in_flight)
        limits->requests_in_flight = OMS_REQUESTS_IN_FLIGHT_MAX;
    if (!limits->handshake_timeout_ms)
        limits->handshake_timeout_ms = HANDSHAKE_TIMEOUT_MS;
    limits->request_timeout_ms = limits->request_timeout_ms ? limits->request_timeout_ms : REQUEST_TIMEOUT_MS;
    limits->idle_timeout_ms = limits->idle_timeout_ms ? limits->idle_timeout_ms : IDLE_TIMEOUT_MS;
    if (!limits->response_timeout_ms)
        limits->response_timeout_ms = RESPONSE_TIMEOUT_MS;
    return complete;
}

void http_server_numbers_register(struct http_server_numbers *ids, struct http_metrics *m)
{
    ids->connections = http_metrics_gauge(m, "liteoms_http_connections", "Open connections.", NULL);
    ids->in_flight =
        http_metrics_gauge(m, "liteoms_http_requests_in_flight", "Requests not yet answered.", NULL);
    ids->streams = http_metrics_gauge(m, "liteoms_http_streams", "Open streaming responses.", NULL);
    ids->streams_cut =
        http_metrics_counter(m, "liteoms_http_streams_cut_total",
                             "Streaming responses whose client read nothing for too long.", NULL);
    ids->websockets = http_metrics_gauge(m, "liteoms_http_websockets", "Open WebSockets.", NULL);
    ids->buffered = http_metrics_gauge(m, "liteoms_http_buffered_bytes", "Unfinished request bodies.", NULL);
    ids->accepted = http_metrics_counter(m, "liteoms_http_connections_total", "Connections accepted.", NULL);
    ids->refused = http_metrics_counter(m, "liteoms_http_connections_refused_total",
                                        "Connections closed at once because there were too many.", NULL);
    ids->abandoned = http_metrics_counter(m, "liteoms_http_requests_abandoned_total",
                                          "Requests whose client went away before the answer.", NULL);
    ids->sent_bytes =
        http_metrics_counter(m, "liteoms_http_response_bytes_total", "Bytes of response bodies.", NULL);
    ids->received_bytes =
        http_metrics_counter(m, "liteoms_http_received_bytes_total", "Bytes received on connections.", NULL);
    ids->library_errors =
        http_metrics_counter(m, "liteoms_http_bad_requests_total",
                             "Requests refused before routing: malformed or too large.", NULL);
    for (unsigned i = 1; i < HTTP_GUARD_VERDICTS; i++) {
        char label[64];
        snprintf(label, sizeof(label), "reason=\"%s\"", http_guard_verdict_name((enum http_guard_verdict)i));
        ids->ended[i] = http_metrics_counter(m, "liteoms_http_connections_ended_total",
                                             "Connections ended because they harmed the server.", label);
    }
}
