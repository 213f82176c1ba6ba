/*
 * Bytes that many connections send: made once, counted, freed with the last holder.
 *
 * A stream's event is executed once and its bytes go to every reader, so a payload crosses threads: it is
 * immutable once made, and its count is atomic. What differs between protocols lies around the same JSON: the
 * whole payload is a server-sent event (an `event:`, an `id:` and a `data:` line), its `json` part is what a
 * WebSocket message carries.
 */
#ifndef HTTP_PAYLOAD_H
#define HTTP_PAYLOAD_H

#include <stdatomic.h>
#include <stdint.h>

#include "runtime/base/str.h"

struct http_payload {
    atomic_uint holds;
    uint32_t len;
    uint32_t json_at, json_len; /* where the response's JSON lies in `bytes` */
    uint64_t commit;            /* the cursor that it carries; 0,0: none */
    uint32_t ordinal;
    uint32_t events; /* 1; 0 for a checkpoint or a message that is no event */
    char bytes[];
};

/* A slice of a payload on its way out; owns one hold. `payload` NULL: `text` is static and nobody frees it.
 */
struct http_chunk {
    struct http_payload *payload;
    struct oms_str text;
};

/* With one hold and room for `len` bytes, which the caller fills before anybody else sees it. Any thread. */
struct http_payload *http_payload_create(uint32_t len);
struct http_payload *http_payload_hold(struct http_payload *payload);
/* Any thread; NULL is allowed. */
void http_payload_release(struct http_payload *payload);

/*
 * A server-sent event (HTML standard, section 9.2.6): `event: <name>`, `id: <id>` when it is present, and
 * `data: <json>`. `json` must have no line break (the engine writes none). One hold.
 */
struct http_payload *http_payload_event(const char *name, struct oms_str id, struct oms_str json);

static inline struct oms_str http_payload_text(const struct http_payload *payload)
{
    return oms_str_make(payload->bytes, payload->len);
}
static inline struct oms_str http_payload_json(const struct http_payload *payload)
{
    return oms_str_make(payload->bytes + payload->json_at, payload->json_len);
}

#endif
