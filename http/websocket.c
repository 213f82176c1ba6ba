/* The opening handshake of RFC 6455, section 4.2, and the hand-over to the carrier. */
#include "http/websocket.h"

#include <openssl/evp.h>

#include "runtime/base/assert.h"
#include "runtime/base/encoding.h"

#define KEY_SIZE  24 /* 16 bytes in base64 */
#define SHA1_SIZE 20

/* Whether the header's list has the word, in whatever case (RFC 9110 section 5.6.1). */
static bool list_has(struct oms_str list, const char *word)
{
    for (size_t start = 0, i = 0; oms_str_present(list) && i <= list.len; i++) {
        if (i < list.len && list.data[i] != ',')
            continue;
        if (oms_str_eq_nocase(oms_str_trim(oms_str_make(list.data + start, i - start)), oms_str_of(word)))
            return true;
        start = i + 1;
    }
    return false;
}

bool http_websocket_wanted(const struct http_exchange *exchange)
{
    return exchange->method == HTTP_GET && exchange->http_version == 11 &&
           list_has(http_exchange_header(exchange, "upgrade"), "websocket");
}

static bool is_key(struct oms_str key)
{
    struct oms_buf bytes;
    oms_buf_init(&bytes, KEY_SIZE);
    bool good = key.len == KEY_SIZE && oms_base64_decode(key, &bytes) == OMS_OK && bytes.len == 16;
    oms_buf_fini(&bytes);
    return good;
}

/* Section 4.2.2, step 5.4: proof that the key was read by somebody who knows the protocol. */
static struct oms_str accept_value(struct oms_arena *arena, struct oms_str key)
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char text[KEY_SIZE + sizeof(guid)];
    unsigned char digest[SHA1_SIZE];
    unsigned len = 0;
    struct oms_buf out;
    memcpy(text, key.data, KEY_SIZE);
    memcpy(text + KEY_SIZE, guid, sizeof(guid));
    int done = EVP_Digest(text, KEY_SIZE + sizeof(guid) - 1, digest, &len, EVP_sha1(), NULL);
    OMS_ASSERT(done == 1 && len == SHA1_SIZE);
    oms_buf_init(&out, 64);
    oms_base64_encode(&out, digest, len);
    struct oms_str value = oms_str_copy(arena, oms_buf_str(&out));
    oms_buf_fini(&out);
    return value;
}

struct http_websocket *http_websocket_accept(struct http_exchange *exchange, const char *protocol,
                                             const struct http_websocket_events *events, void *context)
{
    const struct http_header upgrade[] = {{OMS_STR("sec-websocket-version"), OMS_STR("13")},
                                          {OMS_STR("upgrade"), OMS_STR("websocket")}};
    OMS_ASSERT(events->message && events->ready && events->gone);
    if (!exchange->ops->websocket_accept || !http_websocket_wanted(exchange)) {
        http_respond_error(exchange, 400, "BAD_REQUEST", "the request asks for no WebSocket");
        return NULL;
    }
    if (!oms_str_eq_c(http_exchange_header(exchange, "sec-websocket-version"), "13")) {
        http_respond_error_with(exchange, 426, upgrade, 2, "BAD_REQUEST",
                                "this server speaks version 13 of the WebSocket protocol");
        return NULL;
    }
    struct oms_str key = http_exchange_header(exchange, "sec-websocket-key");
    if (!is_key(key) || http_exchange_header_count(exchange, "sec-websocket-key") != 1) {
        http_respond_error(exchange, 400, "BAD_REQUEST", "Sec-WebSocket-Key must be 16 bytes in base64");
        return NULL;
    }
    return exchange->ops->websocket_accept(exchange, accept_value(&exchange->arena, key), protocol, events,
                                           context);
}

struct rt_shard *http_websocket_shard(const struct http_websocket *ws)
{
    return ws->shard;
}

struct oms_str http_websocket_peer(const struct http_websocket *ws)
{
    return ws->peer;
}

void http_websocket_send(struct http_websocket *ws, const struct http_chunk *chunks, size_t count)
{
    OMS_ASSERT(count >= 1 && count <= HTTP_STREAM_CHUNKS_MAX);
    ws->ops->send(ws, chunks, count);
}

size_t http_websocket_unsent(const struct http_websocket *ws)
{
    return ws->ops->unsent(ws);
}

void http_websocket_ping(struct http_websocket *ws)
{
    ws->ops->ping(ws);
}

void http_websocket_close(struct http_websocket *ws, unsigned code, const char *reason)
{
    OMS_ASSERT(code >= 1000 && code <= 4999 && code != 1005 && code != 1006);
    ws->ops->close(ws, code, reason);
}
