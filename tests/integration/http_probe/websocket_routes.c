/*
 * A WebSocket of the probe, /ws, with the subprotocol `probe` where the client offers it. It echoes messages,
 * but:
 *
 *   close CODE   closes with that code and the reason "as asked"
 *   ping         pings the client
 *   flood N      sends N messages of 1,000 bytes, each of two chunks, and closes with 1008 when more than 4
 * MiB wait unsent       answers how many bytes wait
 *
 * /ws-counts: what happened so far, as JSON.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "http/router.h"
#include "http/websocket.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "tests/integration/http_probe/routes.h"

#define UNSENT_MAX (4u << 20)

struct probe_ws {
    struct http_websocket *ws;
    unsigned long flood; /* messages to send yet */
};

static atomic_uint opened, gone, messages, pongs, readies;

static void send_text(struct http_websocket *ws, struct oms_str text)
{
    struct http_payload *payload = http_payload_create((uint32_t)text.len);
    memcpy(payload->bytes, text.data, text.len);
    const struct http_chunk chunk = {payload, http_payload_text(payload)};
    http_websocket_send(ws, &chunk, 1);
}

static void flood(struct probe_ws *probe)
{
    static const char half[500] = {0};
    while (probe->flood && http_websocket_unsent(probe->ws) <= UNSENT_MAX) {
        struct http_payload *payload = http_payload_create(sizeof(half));
        memset(payload->bytes, 'f', sizeof(half));
        const struct http_chunk chunks[2] = {{payload, http_payload_text(payload)},
                                             {http_payload_hold(payload), http_payload_text(payload)}};
        http_websocket_send(probe->ws, chunks, 2);
        probe->flood--;
    }
    if (probe->flood) {
        probe->flood = 0;
        http_websocket_close(probe->ws, 1008, "too slow");
    }
}

static void on_message(struct http_websocket *ws, struct oms_str text, void *context)
{
    struct probe_ws *probe = context;
    char word[64];
    OMS_ASSERT(probe->ws == ws);
    atomic_fetch_add(&messages, 1);
    snprintf(word, sizeof(word), "%.*s", OMS_STR_ARG(text));
    if (strncmp(word, "close ", 6) == 0) {
        http_websocket_close(ws, (unsigned)strtoul(word + 6, NULL, 10), "as asked");
        http_websocket_close(ws, 1000, "twice");
    } else if (strcmp(word, "ping") == 0) {
        http_websocket_ping(ws);
    } else if (strncmp(word, "flood ", 6) == 0) {
        probe->flood = strtoul(word + 6, NULL, 10);
        flood(probe);
    } else if (strcmp(word, "unsent") == 0) {
        snprintf(word, sizeof(word), "%zu", http_websocket_unsent(ws));
        send_text(ws, oms_str_of(word));
    } else {
        send_text(ws, text);
    }
}

static void on_ready(struct http_websocket *ws, void *context)
{
    (void)context;
    OMS_ASSERT(http_websocket_unsent(ws) == 0);
    atomic_fetch_add(&readies, 1);
}

static void on_pong(struct http_websocket *ws, void *context)
{
    (void)ws;
    (void)context;
    atomic_fetch_add(&pongs, 1);
}

static void on_gone(struct http_websocket *ws, void *context)
{
    struct probe_ws *probe = context;
    OMS_ASSERT(probe->ws == ws);
    atomic_fetch_add(&gone, 1);
    oms_free(probe);
}

static void handle_ws(struct http_exchange *exchange, void *context)
{
    static const struct http_websocket_events events = {on_message, on_ready, on_pong, on_gone};
    (void)context;
    bool spoken = oms_str_eq_c(http_exchange_header(exchange, "sec-websocket-protocol"), "probe");
    struct probe_ws *probe = oms_calloc(1, sizeof(*probe));
    probe->ws = http_websocket_accept(exchange, spoken ? "probe" : NULL, &events, probe);
    if (!probe->ws) {
        oms_free(probe);
        return;
    }
    OMS_ASSERT(http_websocket_peer(probe->ws).len > 0 && http_websocket_shard(probe->ws));
    atomic_fetch_add(&opened, 1);
    send_text(probe->ws, OMS_STR("hello")); /* before the upgrade is done */
}

static void handle_counts(struct http_exchange *exchange, void *context)
{
    (void)context;
    oms_buf_appendf(&exchange->out,
                    "{\"opened\":%u,\"gone\":%u,\"messages\":%u,\"pongs\":%u,\"readies\":%u}\n",
                    atomic_load(&opened), atomic_load(&gone), atomic_load(&messages), atomic_load(&pongs),
                    atomic_load(&readies));
    http_respond(exchange, 200, "application/json", NULL, 0);
}

void probe_add_websocket_routes(struct http_router *router)
{
    const struct http_route routes[] = {
        {"/ws", 1u << HTTP_GET | 1u << HTTP_POST, handle_ws, NULL},
        {"/ws-counts", 1u << HTTP_GET, handle_counts, NULL},
    };
    for (unsigned i = 0; i < OMS_COUNT_OF(routes); i++)
        http_router_add(router, &routes[i]);
}
