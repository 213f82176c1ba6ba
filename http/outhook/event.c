/* See event.h. */
#include "http/outhook/event.h"

#include "actors/outlet.h"
#include "http/outhook/signing.h"
#include "http/stream/whole_order.h"
#include "runtime/base/datetime.h"
#include "runtime/base/json.h"

const char outhook_event_document[] =
    "subscription Deliver($filter: EventFilter) { tenantEvents(filter: $filter) { event { type at id"
    " order { orderId" WHOLE_ORDER " } cursor sequence version commit command actor " WHOLE_ACTOR
    " change } } }";

static bool take(struct oms_str *rest, struct oms_str text)
{
    if (!oms_str_starts(*rest, text))
        return false;
    *rest = oms_str_make(rest->data + text.len, rest->len - text.len);
    return true;
}

/* A quoted text without escapes. */
static bool take_word(struct oms_str *rest, struct oms_str *out)
{
    size_t len = 0;

    while (len < rest->len && (unsigned char)rest->data[len] > ' ' && rest->data[len] != '"' &&
           rest->data[len] != '\\')
        len++;
    if (!len || len == rest->len || rest->data[len] != '"')
        return false;
    *out = oms_str_make(rest->data, len);
    *rest = oms_str_make(rest->data + len + 1, rest->len - len - 1);
    return true;
}

bool outhook_event_read(struct oms_str payload, struct outhook_event_text *out)
{
    const struct oms_str tail = OMS_STR("}}}");
    struct oms_str rest = payload;

    if (!take(&rest, OMS_STR("{\"data\":{\"tenantEvents\":{\"event\":")) || rest.len < tail.len ||
        memcmp(rest.data + rest.len - tail.len, tail.data, tail.len) != 0)
        return false;
    out->json = oms_str_make(rest.data, rest.len - tail.len);
    return take(&rest, OMS_STR("{\"type\":\"")) && take_word(&rest, &out->type) &&
           take(&rest, OMS_STR(",\"at\":\"")) && take_word(&rest, &out->at) &&
           take(&rest, OMS_STR(",\"id\":\"")) && take_word(&rest, &out->id) &&
           take(&rest, OMS_STR(",\"order\":{\"orderId\":\"")) && take_word(&rest, &out->order_id) &&
           out->order_id.len <= IDS_ORDER_TEXT && out->json.data[out->json.len - 1] == '}';
}

void outhook_event_write(const struct outhook_event_text *event, struct oms_buf *out)
{
    char type[OUTLET_TYPE_MAX + 1];

    outhook_type_name(event->type, type, sizeof type);
    oms_buf_append_lit(out, "{\"type\":\"");
    oms_buf_append_str(out, oms_str_of(type));
    oms_buf_append_lit(out, "\",\"timestamp\":\"");
    oms_buf_append_str(out, event->at);
    oms_buf_append_lit(out, "\",\"data\":");
    oms_buf_append_str(out, event->json);
    oms_buf_append_char(out, '}');
}

void outhook_sample_write(int64_t now_ms, struct oms_buf *out)
{
    char at[OMS_DATETIME_TEXT_SIZE];

    oms_datetime_format(now_ms, at);
    oms_buf_appendf(out,
                    "{\"type\":\"webhook.test\",\"timestamp\":\"%s\",\"data\":{\"message\":"
                    "\"A test of this endpoint: no order has changed\"}}",
                    at);
}
