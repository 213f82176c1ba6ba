/* A payload is one allocation; the last release frees it. */
#include "http/payload.h"

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

struct http_payload *http_payload_create(uint32_t len)
{
    struct http_payload *payload = oms_malloc(sizeof(*payload) + len);
    memset(payload, 0, sizeof(*payload));
    atomic_init(&payload->holds, 1);
    payload->len = len;
    return payload;
}

/* Who holds one may pass it on without looking at what other threads did: relaxed. */
struct http_payload *http_payload_hold(struct http_payload *payload)
{
    unsigned before = atomic_fetch_add_explicit(&payload->holds, 1, memory_order_relaxed);
    OMS_ASSERT(before > 0 && before < UINT32_MAX);
    return payload;
}

/* Every holder's reads happen before the free: a release by each, an acquire by the last. */
void http_payload_release(struct http_payload *payload)
{
    if (!payload)
        return;
    unsigned before = atomic_fetch_sub_explicit(&payload->holds, 1, memory_order_acq_rel);
    OMS_ASSERT(before > 0);
    if (before == 1)
        oms_free(payload);
}

static char *put(char *at, struct oms_str text)
{
    if (text.len) /* an absent text has no data */
        memcpy(at, text.data, text.len);
    return at + text.len;
}

struct http_payload *http_payload_event(const char *name, struct oms_str id, struct oms_str json)
{
    const struct oms_str event = OMS_STR("event: "), id_line = OMS_STR("id: "), data = OMS_STR("data: "),
                         line = OMS_STR("\n"), end = OMS_STR("\n\n"), type = oms_str_of(name);
    size_t len = event.len + type.len + line.len + data.len + json.len + end.len;
    if (id.data)
        len += id_line.len + id.len + line.len;
    OMS_ASSERT(len < UINT32_MAX && !memchr(json.data, '\n', json.len) && !memchr(json.data, '\r', json.len));

    struct http_payload *payload = http_payload_create((uint32_t)len);
    char *at = put(put(put(payload->bytes, event), type), line);
    if (id.data)
        at = put(put(put(at, id_line), id), line);
    at = put(at, data);
    payload->json_at = (uint32_t)(at - payload->bytes);
    payload->json_len = (uint32_t)json.len;
    at = put(put(at, json), end);
    OMS_ASSERT(at == payload->bytes + len);
    return payload;
}
