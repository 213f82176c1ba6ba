/*
 * All that is held of a customer: one JSON object with their orders, each as the API shows it, with its
 * events.
 *
 * Unlike the exports of a tenant it is one document, which is whole or broken off: who asks for their data is
 * given a file that any program opens.
 */
#include <inttypes.h>

#include "actors/ids.h"
#include "actors/order_event_json.h"
#include "actors/order_history.h"
#include "http/export/export_impl.h"
#include "runtime/base/assert.h"
#include "runtime/base/datetime.h"
#include "runtime/base/json.h"

#define EVENTS_AT_ONCE 100

static void put_text(struct oms_buf *out, const char *name, struct oms_str text)
{
    if (!oms_str_present(text))
        return;
    oms_buf_appendf(out, "%s\"%s\":", out->data[out->len - 1] == '{' ? "" : ",", name);
    oms_json_write_string(out, text);
}

static void put_time(struct oms_buf *out, const char *name, int64_t ms)
{
    char text[OMS_DATETIME_TEXT_SIZE];
    oms_datetime_format(ms, text);
    put_text(out, name, oms_str_of(text));
}

void export_customer_head(const struct export *export, struct oms_buf *out)
{
    oms_buf_append_char(out, '{');
    if (export->customer_id.len)
        put_text(out, "customerId", export->customer_id);
    else
        put_text(out, "email", export->email);
    put_text(out, "tenant", export->tenant->name);
    put_time(out, "exportedAt", export->from.as_of_ms);
    oms_buf_append_lit(out, ",\"orders\":[\n");
}

void export_customer_end(const struct export *export, struct oms_buf *out)
{
    oms_buf_appendf(out, "\n],\"orderCount\":%" PRIu64 "}\n", export->orders);
}

static void put_event(const struct export *export, const struct order *order,
                      const struct order_history_event *event, struct oms_buf *out)
{
    static const struct access_order full = {.full = true, .all_lines = true};
    const struct order_event_meta *meta = &event->meta;
    (void)export;
    oms_buf_append_char(out, '{');
    put_text(out, "type", oms_str_of(order_event_name(event->event.type)));
    oms_buf_appendf(out, ",\"sequence\":%" PRIu64 ",\"version\":%" PRIu64, meta->sequence, meta->version);
    put_time(out, "at", meta->time);
    put_text(out, "command", oms_str_of(order_command_info(meta->command)->mutation));
    oms_buf_append_lit(out, ",\"actor\":{");
    put_text(out, "kind", oms_str_of(principal_kind_name(meta->actor.kind)));
    put_text(out, "subject", meta->actor.subject);
    put_text(out, "displayName", meta->actor.display_name);
    oms_buf_append_lit(out, "},\"change\":");
    order_event_change_json(&event->event, order, &full, NULL, order->currency, out);
    oms_buf_append_char(out, '}');
}

enum oms_status export_customer_events(const struct export *export, const struct order *order,
                                       struct oms_arena *scratch, struct oms_buf *out)
{
    struct order_history_page page = {.has_next = true};
    struct rt_address address;
    unsigned char id[IDS_ORDER_SIZE];
    enum oms_status status = ids_order_parse(order->order_id, id);
    bool first = true;
    ids_order_address(export->tenant->number, id, &address);
    OMS_ASSERT(out->len && out->data[out->len - 1] == '}');
    out->len--;
    oms_buf_append_lit(out, ",\"events\":[");
    while (status == OMS_OK && page.has_next) {
        uint64_t commit = page.end_commit;
        unsigned ordinal = page.end_ordinal;
        oms_arena_reset(scratch);
        status = order_history_events(export->engine, export->view, &address, commit, ordinal, EVENTS_AT_ONCE,
                                      scratch, &page);
        for (size_t i = 0; status == OMS_OK && i < page.count; i++) {
            if (!first)
                oms_buf_append_char(out, ',');
            first = false;
            put_event(export, order, &page.items[i], out);
        }
    }
    oms_buf_append_lit(out, "]}");
    return status == OMS_OK && out->overflow ? OMS_LIMIT : status;
}
