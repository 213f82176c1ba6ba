/*
 * An operation of a WebSocket as an exchange: what the endpoint asks of a request is answered from the
 * connection's handshake and connection_init, and what it answers becomes messages of the protocol.
 *
 * An operation has two owners: the client, who may complete it at any time, and the handler that will answer
 * it. A forgotten one that is still under way stays until its handler answers, then goes without a word.
 */
#include <stdio.h>

#include "http/stream/ws_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

static struct ws_operation *operation_of(const struct http_exchange *exchange)
{
    return (struct ws_operation *)(uintptr_t)exchange; /* its first member */
}

/* ---- the end of an operation ---- */

static void leave(struct ws_operation *operation)
{
    struct ws_connection *connection = operation->connection;
    if (operation->forgotten)
        return;
    *(operation->prev ? &operation->prev->next : &connection->first) = operation->next;
    if (operation->next)
        operation->next->prev = operation->prev;
    if (connection->turn == operation)
        connection->turn = operation->next;
    operation->forgotten = true;
    connection->count--;
}

static void operation_destroy(struct ws_operation *operation)
{
    struct ws_connection *connection = operation->connection;
    leave(operation);
    oms_arena_fini(&operation->exchange.arena);
    oms_buf_fini(&operation->exchange.out);
    http_payload_release(operation->prefix);
    oms_free(operation);
    connection->alive--;
    ws_connection_drop(connection);
}

void ws_operation_forget(struct ws_operation *operation)
{
    leave(operation);
    operation->exchange.gone = true;
    if (!operation->events)
        return; /* its handler has not answered yet */
    operation->events->gone(&operation->exchange, operation->context);
    operation_destroy(operation);
}

/* ---- messages to the client ---- */

static void send_next(struct ws_operation *operation, struct http_payload *payload, struct oms_str json)
{
    const struct http_chunk chunks[] = {
        {http_payload_hold(operation->prefix), http_payload_text(operation->prefix)},
        {payload, json},
        {NULL, OMS_STR("}")},
    };
    ws_send(operation->connection, chunks, OMS_COUNT_OF(chunks));
}

static void send_complete(struct ws_operation *operation)
{
    struct oms_buf out;
    oms_buf_init(&out, 4096);
    oms_buf_append_lit(&out, "{\"id\":");
    oms_buf_append_str(&out, operation->id);
    oms_buf_append_lit(&out, ",\"type\":\"complete\"}");
    ws_send_text(operation->connection, oms_buf_str(&out));
    oms_buf_fini(&out);
}

/* The list of errors of a response without data. */
static void send_error(struct ws_operation *operation, struct oms_str response)
{
    struct oms_arena arena;
    struct oms_buf out;
    struct oms_value value;
    struct oms_json_error error;
    oms_arena_init(&arena, 4096, OMS_REQUEST_ARENA_BYTES_MAX);
    oms_buf_init(&out, OMS_RESPONSE_BYTES_MAX);
    enum oms_status status = oms_json_parse(response, OMS_JSON_DEPTH_MAX, &arena, &value, &error);
    const struct oms_value *errors = status == OMS_OK ? oms_value_get_set(&value, "errors") : NULL;
    oms_buf_append_lit(&out, "{\"id\":");
    oms_buf_append_str(&out, operation->id);
    oms_buf_append_lit(&out, ",\"type\":\"error\",\"payload\":");
    if (errors)
        oms_value_write_json(errors, &out);
    else
        oms_buf_append_lit(&out,
                           "[{\"message\":\"The operation failed\",\"extensions\":{\"code\":\"INTERNAL\"}}]");
    oms_buf_append_char(&out, '}');
    ws_send_text(operation->connection, oms_buf_str(&out));
    oms_buf_fini(&out);
    oms_arena_fini(&arena);
}

/* ---- what stands for the request's headers ---- */

static struct oms_str connection_header(const struct ws_connection *connection, const char *name)
{
    if (strcmp(name, "authorization") == 0)
        return connection->authorization;
    if (strcmp(name, "content-type") == 0)
        return OMS_STR("application/json");
    if (strcmp(name, "accept") == 0)
        return OMS_STR("application/graphql-response+json");
    if (strcmp(name, "origin") == 0)
        return connection->origin;
    if (strcmp(name, "x-tenant-id") == 0)
        return connection->tenant;
    return OMS_STR_NONE;
}

static struct oms_str exchange_header(struct http_exchange *exchange, const char *name)
{
    return connection_header(operation_of(exchange)->connection, name);
}

static unsigned exchange_header_count(const struct http_exchange *exchange, const char *name)
{
    return oms_str_present(connection_header(operation_of(exchange)->connection, name));
}

/* ---- answers ---- */

static void exchange_respond(struct http_exchange *exchange, unsigned status, const char *content_type,
                             const struct http_header *headers, size_t header_count)
{
    struct ws_operation *operation = operation_of(exchange);
    (void)content_type;
    (void)headers;
    (void)header_count;
    if (!operation->forgotten && status >= 400) {
        send_error(operation, oms_buf_str(&exchange->out));
    } else if (!operation->forgotten) {
        struct http_payload *payload = http_payload_create((uint32_t)exchange->out.len);
        memcpy(payload->bytes, exchange->out.data, exchange->out.len);
        send_next(operation, payload, http_payload_text(payload));
        send_complete(operation);
    }
    operation_destroy(operation);
}

static bool stream_begin(struct http_exchange *exchange, unsigned status, const char *content_type,
                         const struct http_header *headers, size_t header_count,
                         const struct http_stream_events *events, void *context)
{
    struct ws_operation *operation = operation_of(exchange);
    (void)status;
    (void)content_type;
    (void)headers;
    (void)header_count;
    if (operation->forgotten) {
        operation_destroy(operation);
        return false;
    }
    operation->events = events;
    operation->context = context;
    oms_arena_fini(&exchange->arena);
    oms_buf_fini(&exchange->out);
    return true;
}

static bool is_crowded(const struct ws_connection *connection)
{
    return connection->ws && http_websocket_unsent(connection->ws) >= OMS_WEBSOCKET_CROWDED;
}

/* Each stream is bounded by itself, but a connection may have many. */
static bool stream_is_ready(const struct http_exchange *exchange)
{
    struct ws_operation *operation = operation_of(exchange);
    if (operation->sent)
        return false;
    operation->crowded_out = is_crowded(operation->connection);
    return !operation->crowded_out;
}

/* Payloads become `next`; what else a stream says (heartbeats) is the business of its own protocol. True when
 * anything was sent. */
static bool send_payloads(struct ws_operation *operation, const struct http_chunk *chunks, size_t count)
{
    bool any = false;
    for (size_t i = 0; i < count; i++)
        if (chunks[i].payload) {
            send_next(operation, chunks[i].payload, http_payload_json(chunks[i].payload));
            any = true;
        }
    return any;
}

static void stream_send(struct http_exchange *exchange, const struct http_chunk *chunks, size_t count)
{
    struct ws_operation *operation = operation_of(exchange);
    OMS_ASSERT(!operation->sent);
    operation->sent = send_payloads(operation, chunks, count);
}

static void stream_end(struct http_exchange *exchange, const struct http_chunk *chunks, size_t count)
{
    struct ws_operation *operation = operation_of(exchange);
    /* The last words of a stream that was ended by us carry no cursor of an item: they are an error, which
     * ends the operation by itself. */
    struct http_payload *words =
        count && chunks[0].payload && !chunks[0].payload->commit && !chunks[0].payload->events
            ? chunks[0].payload
            : NULL;
    if (words) {
        send_error(operation, http_payload_json(words));
        http_payload_release(words);
        (void)send_payloads(operation, chunks + 1, count - 1);
    } else {
        (void)send_payloads(operation, chunks, count);
        send_complete(operation);
    }
    operation_destroy(operation);
}

static void stream_abort(struct http_exchange *exchange)
{
    operation_destroy(operation_of(exchange));
}

static const struct http_exchange_ops operation_ops = {
    .header = exchange_header,
    .header_count = exchange_header_count,
    .respond = exchange_respond,
    .stream_begin = stream_begin,
    .stream_is_ready = stream_is_ready,
    .stream_send = stream_send,
    .stream_end = stream_end,
    .stream_abort = stream_abort,
};

void ws_operations_ready(struct ws_connection *connection)
{
    for (unsigned left = connection->count; left && connection->first && !is_crowded(connection); left--) {
        struct ws_operation *operation = connection->turn ? connection->turn : connection->first;
        connection->turn = operation->next;
        if (!operation->events || !(operation->sent || operation->crowded_out))
            continue;
        operation->sent = operation->crowded_out = false;
        operation->events->ready(&operation->exchange, operation->context);
    }
}

/* ---- starting ---- */

struct ws_operation *ws_operation_find(const struct ws_connection *connection, struct oms_str id)
{
    struct oms_buf quoted;
    struct ws_operation *operation = connection->first;
    oms_buf_init(&quoted, 1024);
    oms_json_write_string(&quoted, id);
    while (operation && !oms_str_eq(operation->id, oms_buf_str(&quoted)))
        operation = operation->next;
    oms_buf_fini(&quoted);
    return operation;
}

/* {"id":"…","type":"next","payload": with the place of the quoted id in it. */
static struct http_payload *make_prefix(struct oms_str id, struct oms_str *quoted)
{
    struct oms_buf text;
    oms_buf_init(&text, 4096);
    oms_buf_append_lit(&text, "{\"id\":");
    size_t begin = text.len;
    oms_json_write_string(&text, id);
    size_t len = text.len - begin;
    oms_buf_append_lit(&text, ",\"type\":\"next\",\"payload\":");
    OMS_ASSERT(!text.overflow); /* an id has at most OMS_ID_BYTES_MAX bytes */
    struct http_payload *prefix = http_payload_create((uint32_t)text.len);
    memcpy(prefix->bytes, text.data, text.len);
    oms_buf_fini(&text);
    *quoted = oms_str_make(prefix->bytes + begin, len);
    return prefix;
}

static void exchange_init(struct http_exchange *exchange, const struct ws_connection *connection,
                          const struct http_exchange_ops *ops)
{
    const struct stream_ws_service *service = connection->service;
    *exchange = (struct http_exchange){
        .ops = ops,
        .shard = service->shard,
        .method = HTTP_POST,
        .method_text = OMS_STR("POST"),
        .path = OMS_STR("/graphql"),
        .query = OMS_STR_NONE,
        .peer = http_websocket_peer(connection->ws),
        .http_version = 11,
        .started_ns = rt_mono_ns(rt_shard_host(service->shard)),
        .is_websocket = true,
    };
    oms_arena_init(&exchange->arena, 4096, OMS_REQUEST_ARENA_BYTES_MAX);
    oms_buf_init(&exchange->out, OMS_RESPONSE_BYTES_MAX);
}

/* The message's payload is the body that the same request would have over HTTP. */
static bool fill_body(struct http_exchange *exchange, const struct oms_value *payload)
{
    struct oms_buf body;
    oms_buf_init(&body, OMS_BODY_BYTES_MAX);
    oms_value_write_json(payload, &body);
    exchange->body = body.overflow ? OMS_STR_NONE : oms_str_copy(&exchange->arena, oms_buf_str(&body));
    oms_buf_fini(&body);
    return oms_str_present(exchange->body);
}

void ws_operation_start(struct ws_connection *connection, struct oms_str id, const struct oms_value *payload)
{
    struct stream_ws_service *service = connection->service;
    struct ws_operation *operation = oms_calloc(1, sizeof(*operation));
    operation->connection = connection;
    operation->prefix = make_prefix(id, &operation->id);
    operation->next = connection->first;
    if (operation->next)
        operation->next->prev = operation;
    connection->first = operation;
    connection->count++;
    connection->alive++;
    service->stats.operations++;
    exchange_init(&operation->exchange, connection, &operation_ops);
    if (connection->alive > OMS_WEBSOCKET_OPERATIONS_MAX)
        http_respond_error(&operation->exchange, 429, "LIMIT_EXCEEDED",
                           "This connection has %u operations under way, which is the maximum",
                           OMS_WEBSOCKET_OPERATIONS_MAX);
    else if (!fill_body(&operation->exchange, payload))
        http_respond_error(&operation->exchange, 413, "BODY_TOO_LARGE",
                           "The operation is larger than this server takes");
    else
        service->config.handle(&operation->exchange, service->context);
}

/* ---- connection_init ---- */

/*
 * The exchange that stands for connection_init. Its token's key may have to be fetched first: so it lives on
 * the heap, and keeps the connection from being freed, until it is answered or its sender is known.
 */
struct ws_greeting {
    struct ws_operation operation; /* so that headers are found; never in the list */
};

static struct ws_greeting *greeting_of(struct http_exchange *exchange)
{
    return OMS_CONTAINER_OF(operation_of(exchange), struct ws_greeting, operation);
}

static void greeting_end(struct ws_greeting *greeting)
{
    struct ws_connection *connection = greeting->operation.connection;
    oms_arena_fini(&greeting->operation.exchange.arena);
    oms_buf_fini(&greeting->operation.exchange.out);
    oms_free(greeting);
    connection->greeting = NULL;
    connection->alive--;
    ws_connection_drop(connection);
}

/* The message of the first error; absent when there is none. */
static struct oms_str first_message(struct http_exchange *exchange)
{
    struct oms_value value;
    struct oms_json_error error;
    if (oms_json_parse(oms_buf_str(&exchange->out), OMS_JSON_DEPTH_MAX, &exchange->arena, &value, &error) !=
        OMS_OK)
        return OMS_STR_NONE;
    const struct oms_value *errors = oms_value_get_set(&value, "errors");
    const struct oms_value *text = errors && errors->kind == OMS_VALUE_LIST && errors->list.count
                                       ? oms_value_get_set(&errors->list.items[0], "message")
                                       : NULL;
    return text && text->kind == OMS_VALUE_STRING ? text->text : OMS_STR_NONE;
}

static void greeting_respond(struct http_exchange *exchange, unsigned status, const char *content_type,
                             const struct http_header *headers, size_t header_count)
{
    struct ws_greeting *greeting = greeting_of(exchange);
    struct oms_str message = first_message(exchange);
    char why[WS_CLOSE_REASON_SIZE];
    (void)content_type;
    (void)headers;
    (void)header_count;
    if (!oms_str_present(message))
        message = OMS_STR("Forbidden");
    snprintf(why, sizeof(why), "%.*s", OMS_STR_ARG(message));
    ws_close(greeting->operation.connection, status == 503 ? 1013 : 4403, why);
    greeting_end(greeting);
}

void stream_ws_known(struct http_exchange *exchange, void *context, const struct http_claims *claims)
{
    struct ws_greeting *greeting = greeting_of(exchange);
    (void)context;
    ws_acknowledge(greeting->operation.connection, claims->expires_ms);
    http_claims_release(claims);
    greeting_end(greeting);
}

void ws_authenticate(struct ws_connection *connection)
{
    static const struct http_exchange_ops ops = {
        .header = exchange_header, .header_count = exchange_header_count, .respond = greeting_respond};
    const struct stream_ws_config *config = &connection->service->config;
    struct ws_greeting *greeting = oms_calloc(1, sizeof(*greeting));
    struct http_exchange *exchange = &greeting->operation.exchange;
    const struct http_claims *claims;
    greeting->operation.connection = connection;
    connection->greeting = exchange;
    connection->alive++;
    exchange_init(exchange, connection, &ops);
    if (config->authenticate(exchange, config->authenticate_context, &claims))
        stream_ws_known(exchange, NULL, claims);
}
