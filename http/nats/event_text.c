/* See event_text.h. */
#include "http/nats/event_text.h"

#include "http/stream/whole_order.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

#define ARENA_MAX (256u << 20)

/* The order's id comes first, so that it is found without reading the rest. */
const char nats_event_document[] =
    "subscription Publish { tenantEvents { event { type order { orderId" WHOLE_ORDER
    " } id cursor sequence version commit at command actor " WHOLE_ACTOR " change } } }";

static bool take(struct oms_str *rest, struct oms_str text)
{
    if (!oms_str_starts(*rest, text))
        return false;
    *rest = oms_str_make(rest->data + text.len, rest->len - text.len);
    return true;
}

/* A quoted text without escapes; it becomes a token of a subject. */
static bool take_word(struct oms_str *rest, struct oms_str *out)
{
    size_t len = 0;

    while (len < rest->len && (unsigned char)rest->data[len] > ' ' && !strchr("\"\\.*>", rest->data[len]))
        len++;
    if (!len || len == rest->len || rest->data[len] != '"')
        return false;
    *out = oms_str_make(rest->data, len);
    *rest = oms_str_make(rest->data + len + 1, rest->len - len - 1);
    return true;
}

bool nats_event_text_read(struct oms_str payload, struct nats_event_text *out)
{
    const struct oms_str tail = OMS_STR("}}}");
    struct oms_str rest = payload;

    if (!take(&rest, OMS_STR("{\"data\":{\"tenantEvents\":{\"event\":")) || rest.len < tail.len ||
        memcmp(rest.data + rest.len - tail.len, tail.data, tail.len) != 0)
        return false;
    out->json = oms_str_make(rest.data, rest.len - tail.len);
    return take(&rest, OMS_STR("{\"type\":\"")) && take_word(&rest, &out->type) &&
           take(&rest, OMS_STR(",\"order\":{\"orderId\":\"")) && take_word(&rest, &out->order_id) &&
           out->json.len && out->json.data[out->json.len - 1] == '}';
}

bool nats_event_text_shorten(const struct nats_event_text *event, bool bare, struct oms_buf *out)
{
    struct oms_json_error fault;
    struct oms_arena arena;
    struct oms_value tree;
    bool fine;

    oms_arena_init(&arena, 64u << 10, ARENA_MAX);
    fine = oms_json_parse(event->json, OMS_JSON_DEPTH_MAX, &arena, &tree, &fault) == OMS_OK &&
           tree.kind == OMS_VALUE_OBJECT;
    oms_buf_append_char(out, '{');
    for (size_t i = 0; fine && i < tree.object.count; i++) {
        const struct oms_field *field = &tree.object.fields[i];
        bool order = oms_str_eq_c(field->name, "order"), change = oms_str_eq_c(field->name, "change");

        if (i)
            oms_buf_append_char(out, ',');
        oms_json_write_string(out, field->name);
        oms_buf_append_char(out, ':');
        if (order)
            oms_buf_appendf(out, "{\"orderId\":\"%.*s\"}", OMS_STR_ARG(event->order_id));
        else if (change && bare)
            oms_buf_append_lit(out, "{}");
        else
            oms_value_write_json(&field->value, out);
    }
    oms_buf_append_char(out, '}');
    oms_arena_fini(&arena);
    return fine && !out->overflow;
}
