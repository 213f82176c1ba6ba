/* The connection and its messages. See transport_ws.h. */
#include "http/stream/transport_ws.h"

#include "http/stream/ws_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"

#define CONNECTION_ARENA_MAX (64u << 10)

static int64_t now_ms(const struct ws_connection *connection)
{
    return rt_now_ms(rt_shard_host(connection->service->shard));
}

/* ---- sending ---- */

void ws_close(struct ws_connection *connection, unsigned code, const char *reason)
{
    if (connection->closed || !connection->ws)
        return;
    connection->closed = true;
    connection->service->stats.closed_by_us++;
    OMS_LOG(OMS_LOG_INFO, "ws.closed", OMS_LOG_U64("code", code), OMS_LOG_TEXT("reason", reason),
            OMS_LOG_STR("peer", http_websocket_peer(connection->ws)));
    http_websocket_close(connection->ws, code, reason);
}

void ws_send(struct ws_connection *connection, const struct http_chunk *chunks, size_t count)
{
    /* Before, since one answer may be larger than that by itself. */
    if (!connection->closed && connection->ws &&
        http_websocket_unsent(connection->ws) > OMS_WEBSOCKET_UNSENT_MAX)
        ws_close(connection, 1008, "the client does not read");
    if (!connection->closed && connection->ws) {
        http_websocket_send(connection->ws, chunks, count);
        return;
    }
    for (size_t i = 0; i < count; i++)
        http_payload_release(chunks[i].payload);
}

void ws_send_text(struct ws_connection *connection, struct oms_str text)
{
    struct http_payload *payload = http_payload_create((uint32_t)text.len);
    memcpy(payload->bytes, text.data, text.len);
    const struct http_chunk chunk = {payload, http_payload_text(payload)};
    ws_send(connection, &chunk, 1);
}

static void send_static(struct ws_connection *connection, struct oms_str text)
{
    const struct http_chunk chunk = {NULL, text};
    ws_send(connection, &chunk, 1);
}

/* ---- connection_init ---- */

/* The token of connection_init: `Authorization` in whatever case, at the top or among `headers`. */
static const struct oms_value *find_authorization(const struct oms_value *payload)
{
    static const char *const names[] = {"Authorization", "authorization"};
    const struct oms_value *headers = oms_value_get_set(payload, "headers");
    for (size_t i = 0; i < OMS_COUNT_OF(names); i++) {
        const struct oms_value *value = oms_value_get_set(payload, names[i]);
        if (!value && headers)
            value = oms_value_get_set(headers, names[i]);
        if (value && value->kind == OMS_VALUE_STRING)
            return value;
    }
    return NULL;
}

static const struct oms_value *find_tenant(const struct oms_value *payload)
{
    const struct oms_value *headers = oms_value_get_set(payload, "headers");
    const struct oms_value *value = oms_value_get_set(payload, "tenantId");
    if (!value && headers)
        value = oms_value_get_set(headers, "x-tenant-id");
    return value && value->kind == OMS_VALUE_STRING ? value : NULL;
}

static void start_timer(struct ws_connection *connection)
{
    int64_t now = now_ms(connection), due = now + OMS_STREAM_HEARTBEAT_MS;
    if (connection->expires_ms < due)
        due = connection->expires_ms < now ? now : connection->expires_ms;
    rt_timer_start(connection->service->shard, &connection->timer, due);
}

void ws_acknowledge(struct ws_connection *connection, int64_t expires_ms)
{
    if (connection->closed || !connection->ws)
        return;
    connection->acknowledged = true;
    connection->expires_ms = expires_ms;
    send_static(connection, OMS_STR("{\"type\":\"connection_ack\"}"));
    start_timer(connection);
}

static void on_init(struct ws_connection *connection, const struct oms_value *message)
{
    if (connection->initialised) {
        ws_close(connection, 4429, "Too many initialisation requests");
        return;
    }
    connection->initialised = true;
    const struct oms_value *payload = oms_value_get_set(message, "payload");
    if (payload && payload->kind == OMS_VALUE_OBJECT) {
        const struct oms_value *token = find_authorization(payload), *tenant = find_tenant(payload);
        if (token)
            connection->authorization = oms_str_copy(&connection->arena, token->text);
        if (tenant)
            connection->tenant = oms_str_copy(&connection->arena, tenant->text);
    }
    ws_authenticate(connection);
}

/* ---- messages ---- */

static void on_ping(struct ws_connection *connection, const struct oms_value *message)
{
    const struct oms_value *payload = oms_value_get_set(message, "payload");
    struct oms_buf out;
    if (!payload) {
        send_static(connection, OMS_STR("{\"type\":\"pong\"}"));
        return;
    }
    oms_buf_init(&out, OMS_BODY_BYTES_MAX);
    oms_buf_append_lit(&out, "{\"type\":\"pong\",\"payload\":");
    oms_value_write_json(payload, &out);
    oms_buf_append_char(&out, '}');
    if (!out.overflow)
        ws_send_text(connection, oms_buf_str(&out));
    oms_buf_fini(&out);
}

static void on_subscribe(struct ws_connection *connection, const struct oms_value *message)
{
    const struct oms_value *id = oms_value_get_set(message, "id");
    const struct oms_value *payload = oms_value_get_set(message, "payload");
    const struct oms_value *query =
        payload && payload->kind == OMS_VALUE_OBJECT ? oms_value_get(payload, "query") : NULL;
    const struct oms_value *extensions = query     ? NULL
                                         : payload ? oms_value_get_set(payload, "extensions")
                                                   : NULL;
    if (!id || id->kind != OMS_VALUE_STRING || id->text.len == 0 || id->text.len > OMS_ID_BYTES_MAX)
        ws_close(connection, 4400, "'subscribe' needs an id of 1 to 128 bytes");
    else if (!extensions && (!query || query->kind != OMS_VALUE_STRING))
        ws_close(connection, 4400, "'subscribe' needs a payload with a query");
    else if (!connection->acknowledged)
        ws_close(connection, 4401, "Unauthorized");
    else if (ws_operation_find(connection, id->text))
        ws_close(connection, 4409, "Subscriber for this id already exists");
    else
        ws_operation_start(connection, id->text, payload);
}

static void on_complete(struct ws_connection *connection, const struct oms_value *message)
{
    const struct oms_value *id = oms_value_get_set(message, "id");
    if (!id || id->kind != OMS_VALUE_STRING) {
        ws_close(connection, 4400, "'complete' needs an id");
        return;
    }
    struct ws_operation *operation = ws_operation_find(connection, id->text);
    if (operation) /* unknown ids are ignored: it may have ended meanwhile */
        ws_operation_forget(operation);
}

static void dispatch(struct ws_connection *connection, const struct oms_value *message)
{
    const struct oms_value *type = oms_value_get_set(message, "type");
    struct oms_str name = type && type->kind == OMS_VALUE_STRING ? type->text : OMS_STR_NONE;
    if (oms_str_eq_c(name, "connection_init"))
        on_init(connection, message);
    else if (oms_str_eq_c(name, "subscribe"))
        on_subscribe(connection, message);
    else if (oms_str_eq_c(name, "complete"))
        on_complete(connection, message);
    else if (oms_str_eq_c(name, "ping"))
        on_ping(connection, message);
    else if (!oms_str_eq_c(name, "pong"))
        ws_close(connection, 4400, "Invalid message: unknown type");
}

static void on_message(struct http_websocket *ws, struct oms_str text, void *context)
{
    struct ws_connection *connection = context;
    struct oms_arena arena;
    struct oms_value message;
    struct oms_json_error error;
    (void)ws;
    if (connection->closed)
        return;
    oms_arena_init(&arena, 4096, OMS_REQUEST_ARENA_BYTES_MAX);
    if (oms_json_parse(text, OMS_JSON_DEPTH_MAX, &arena, &message, &error) != OMS_OK)
        ws_close(connection, 4400, "Invalid message: not JSON");
    else if (message.kind != OMS_VALUE_OBJECT)
        ws_close(connection, 4400, "Invalid message: not an object");
    else
        dispatch(connection, &message);
    oms_arena_fini(&arena);
}

/* ---- life ---- */

static void on_timer(struct rt_shard *shard, struct rt_timer *timer)
{
    struct ws_connection *connection = OMS_CONTAINER_OF(timer, struct ws_connection, timer);
    (void)shard;
    if (!connection->acknowledged) {
        ws_close(connection, 4408, "Connection initialisation timeout");
    } else if (now_ms(connection) >= connection->expires_ms) {
        ws_close(connection, 4403, "Token expired");
    } else if (!connection->ponged && ++connection->silent >= OMS_WEBSOCKET_SILENT_PINGS) {
        ws_close(connection, 1008, "the client does not answer pings");
    } else {
        connection->silent = connection->ponged ? 0 : connection->silent;
        connection->ponged = false;
        http_websocket_ping(connection->ws);
        start_timer(connection);
    }
}

static void on_pong(struct http_websocket *ws, void *context)
{
    struct ws_connection *connection = context;
    (void)ws;
    connection->ponged = true;
}

static void on_ready(struct http_websocket *ws, void *context)
{
    (void)ws;
    ws_operations_ready(context);
}

void ws_connection_drop(struct ws_connection *connection)
{
    if (connection->ws || connection->alive)
        return;
    oms_arena_fini(&connection->arena);
    oms_free(connection);
}

static void on_gone(struct http_websocket *ws, void *context)
{
    struct ws_connection *connection = context;
    (void)ws;
    connection->ws = NULL;
    connection->service->stats.connections--;
    rt_timer_stop(connection->service->shard, &connection->timer);
    if (connection->greeting)
        connection->greeting->gone = true;
    connection->alive++; /* so that the last operation does not free it under our feet */
    while (connection->first)
        ws_operation_forget(connection->first);
    connection->alive--;
    ws_connection_drop(connection);
}

/* Whether the list of a header has the word (RFC 9110 section 5.6.1). */
static bool list_has(struct oms_str list, const char *word)
{
    for (size_t start = 0, i = 0; i <= list.len; i++) {
        if (i < list.len && list.data[i] != ',')
            continue;
        if (oms_str_eq_c(oms_str_trim(oms_str_make(list.data + start, i - start)), word))
            return true;
        start = i + 1;
    }
    return false;
}

void stream_ws_accept(struct stream_ws_service *service, struct http_exchange *exchange)
{
    static const struct http_websocket_events events = {
        .message = on_message, .ready = on_ready, .pong = on_pong, .gone = on_gone};
    bool spoken = list_has(http_exchange_header(exchange, "sec-websocket-protocol"), STREAM_WS_PROTOCOL);
    struct ws_connection *connection = oms_calloc(1, sizeof(*connection));
    connection->service = service;
    connection->timer.fire = on_timer;
    oms_arena_init(&connection->arena, 512, CONNECTION_ARENA_MAX);
    connection->authorization =
        oms_str_copy(&connection->arena, http_exchange_header(exchange, "authorization"));
    connection->origin = oms_str_copy(&connection->arena, http_exchange_header(exchange, "origin"));
    connection->tenant = oms_str_copy(&connection->arena, http_exchange_header(exchange, "x-tenant-id"));
    connection->ws = http_websocket_accept(exchange, spoken ? STREAM_WS_PROTOCOL : NULL, &events, connection);
    if (!connection->ws) {
        ws_connection_drop(connection);
        return;
    }
    service->stats.connections++;
    service->stats.opened++;
    rt_timer_start(service->shard, &connection->timer, now_ms(connection) + OMS_WEBSOCKET_INIT_MS);
    if (!spoken)
        ws_close(connection, 4406, "Subprotocol not acceptable: use " STREAM_WS_PROTOCOL);
}

struct stream_ws_service *stream_ws_create(struct rt_shard *shard, const struct stream_ws_config *config)
{
    struct stream_ws_service *service = oms_calloc(1, sizeof(*service));
    service->shard = shard;
    service->config = *config;
    return service;
}

void stream_ws_bind(struct stream_ws_service *service, void *context)
{
    service->context = context;
}

void stream_ws_destroy(struct stream_ws_service *service)
{
    oms_free(service);
}

void stream_ws_stats(const struct stream_ws_service *service, struct stream_ws_stats *out)
{
    *out = service->stats;
}
