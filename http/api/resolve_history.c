/* Events, and the connections that carry pages of orders and events. */
#include "actors/ids.h"
#include "actors/order.h"
#include "actors/order_event_json.h"
#include "actors/order_list.h"
#include "http/api/pages.h"
#include "http/api/resolve.h"
#include "runtime/base/limits.h"

/* ---- OrderEvent ---- */

bool api_write_mark(struct oms_buf *out, enum api_mark mark)
{
    oms_buf_append_char(out, API_MARK);
    oms_buf_append_char(out, (char)mark);
    return true;
}

bool api_write_cursor(struct oms_buf *out, uint64_t commit, unsigned ordinal)
{
    char text[IDS_CURSOR_TEXT_MAX];
    if (!commit)
        return api_write_mark(out, API_MARK_CURSOR);
    ids_cursor_text((struct ids_cursor){commit, ordinal}, text);
    return api_write_name(out, text);
}

bool api_write_commit(struct oms_buf *out, uint64_t commit)
{
    if (!commit)
        return api_write_mark(out, API_MARK_COMMIT);
    oms_buf_append_char(out, '"');
    oms_buf_append_u64(out, commit);
    oms_buf_append_char(out, '"');
    return true;
}

bool api_write_event_id(struct oms_buf *out, uint32_t tenant, const unsigned char order_id[16],
                        uint64_t commit, unsigned ordinal)
{
    struct ids_node node = {.kind = IDS_NODE_EVENT, .tenant = tenant, .commit = commit, .ordinal = ordinal};
    char text[IDS_NODE_TEXT_MAX];
    if (!commit)
        return api_write_mark(out, API_MARK_ID);
    memcpy(node.order, order_id, sizeof(node.order));
    ids_node_text(&node, text);
    return api_write_name(out, text);
}

API_LEAF_FN(event_id, struct api_event,
            api_write_event_id(out, p->tenant, p->event->order_id, p->event->commit, p->event->ordinal))
API_LEAF_FN(event_cursor, struct api_event, api_write_cursor(out, p->event->commit, p->event->ordinal))
API_LEAF_FN(event_sequence, struct api_event, api_write_int(out, (int64_t)p->event->meta.sequence))
API_LEAF_FN(event_version, struct api_event, api_write_int(out, (int64_t)p->event->meta.version))
API_LEAF_FN(event_commit, struct api_event, api_write_commit(out, p->event->commit))
API_LEAF_FN(event_at, struct api_event, api_write_time(out, p->event->meta.time))
API_LEAF_FN(event_type, struct api_event, api_write_name(out, order_event_name(p->event->event.type)))
API_LEAF_FN(event_command, struct api_event,
            api_write_name(out, order_command_info(p->event->meta.command)->mutation))

static const void *event_actor(struct gql_exec *x, const void *parent)
{
    const struct api_event *p = parent;
    return api_actor(x, p->order, &p->event->meta.actor);
}

/* The order as of this event: as it stands while it is being applied, else a fold of its units. Also what the
 * change of an event may show depends on it. */
static const struct api_order *event_order_at(struct gql_exec *x, const struct api_event *p)
{
    if (p->live)
        return p->order;
    struct api_scene *scene = api_scene_of(x);
    struct rt_address address;
    struct order *order = NULL;
    if (!api_scene_charge(scene, p->event->meta.version)) {
        gql_fail(x, "LIMIT_EXCEEDED", API_TOO_MANY_ROWS);
        return NULL;
    }
    ids_order_address(p->tenant, p->event->order_id, &address);
    enum oms_status status = order_history_at_event(scene->engine, scene->view, &address, p->event->commit,
                                                    p->event->ordinal, &order);
    struct api_order *value = status == OMS_OK ? api_pages_keep(scene, order) : NULL;
    if (!value) {
        gql_fail(x, "INTERNAL", "The order as of this event cannot be read");
        return NULL;
    }
    value->on = p->order->on;
    return value;
}

static const void *event_order(struct gql_exec *x, const void *parent)
{
    return event_order_at(x, parent);
}

static bool event_change(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    const struct api_event *p = parent;
    const struct order *order = p->order->order; /* as it is now: names of steps never change */
    if (!access_sees_all_lines(&p->order->on)) {
        const struct api_order *at = event_order_at(x, p); /* with lines that are gone now */
        if (!at)
            return false;
        order = at->order;
    }
    order_event_change_json(&p->event->event, order, &p->order->on, api_scene_of(x)->access,
                            p->order->order->currency, out);
    return true;
}

/* ---- connections ---- */

API_LEAF_FN(info_next, struct api_page_info, api_write_bool(out, p->has_next))
API_LEAF_FN(info_previous, struct api_page_info, api_write_bool(out, p->has_previous))
API_LEAF_FN(info_start, struct api_page_info, api_write_text(out, p->start))
API_LEAF_FN(info_end, struct api_page_info, api_write_text(out, p->end))

static const void *orders_node(struct gql_exec *x, const void *context, size_t index)
{
    (void)x;
    return &((const struct api_order_page *)context)->edges[index].order;
}

static const void *orders_edge(struct gql_exec *x, const void *context, size_t index)
{
    (void)x;
    return &((const struct api_order_page *)context)->edges[index];
}

static bool orders_nodes(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    const struct api_order_page *p = parent;
    (void)x;
    *out = (struct gql_list){p->count, orders_node, p};
    return true;
}

static bool orders_edges(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    const struct api_order_page *p = parent;
    (void)x;
    *out = (struct gql_list){p->count, orders_edge, p};
    return true;
}

static const void *orders_info(struct gql_exec *x, const void *parent)
{
    (void)x;
    return &((const struct api_order_page *)parent)->info;
}

API_LEAF_FN(order_edge_cursor, struct api_order_edge, api_write_text(out, p->cursor))

static const void *order_edge_node(struct gql_exec *x, const void *parent)
{
    (void)x;
    return &((const struct api_order_edge *)parent)->order;
}

static const void *events_node(struct gql_exec *x, const void *context, size_t index)
{
    (void)x;
    return &((const struct api_event_page *)context)->events[index];
}

static bool events_nodes(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    const struct api_event_page *p = parent;
    (void)x;
    *out = (struct gql_list){p->count, events_node, p};
    return true;
}

static const void *events_info(struct gql_exec *x, const void *parent)
{
    (void)x;
    return &((const struct api_event_page *)parent)->info;
}

/* An event's edge is the event: its cursor is its own. */
static const void *event_edge_node(struct gql_exec *x, const void *parent)
{
    (void)x;
    return parent;
}

/* ---- Order.events ---- */

static const void *order_events(struct gql_exec *x, const void *parent)
{
    return api_pages_order_events(x, parent);
}

API_LEAF_FN(count_count, struct order_count, api_write_int(out, (int64_t)p->count))
API_LEAF_FN(count_precision, struct order_count, api_write_name(out, p->capped ? "AT_LEAST" : "EXACT"))

static const struct gql_binding bindings[] = {
    API_LEAF("OrderEvent.id", event_id),
    API_LEAF("OrderEvent.cursor", event_cursor),
    API_LEAF("OrderEvent.sequence", event_sequence),
    API_LEAF("OrderEvent.version", event_version),
    API_LEAF("OrderEvent.commit", event_commit),
    API_LEAF("OrderEvent.at", event_at),
    API_LEAF("OrderEvent.type", event_type),
    API_LEAF("OrderEvent.command", event_command),
    API_OBJECT("OrderEvent.actor", event_actor),
    /* These two read the store for a past event, which itself came from there, and nothing for a live one. */
    API_LEAF("OrderEvent.change", event_change),
    API_OBJECT("OrderEvent.order", event_order),
    API_LIST("OrderConnection.nodes", orders_nodes),
    API_LIST("OrderConnection.edges", orders_edges),
    API_OBJECT("OrderConnection.pageInfo", orders_info),
    API_LEAF("OrderEdge.cursor", order_edge_cursor),
    API_OBJECT("OrderEdge.node", order_edge_node),
    API_LIST("OrderEventConnection.nodes", events_nodes),
    API_LIST("OrderEventConnection.edges", events_nodes),
    API_OBJECT("OrderEventConnection.pageInfo", events_info),
    API_LEAF("OrderEventEdge.cursor", event_cursor),
    API_OBJECT("OrderEventEdge.node", event_edge_node),
    API_LEAF("PageInfo.hasNextPage", info_next),
    API_LEAF("PageInfo.hasPreviousPage", info_previous),
    API_LEAF("PageInfo.startCursor", info_start),
    API_LEAF("PageInfo.endCursor", info_end),
    {"Order.events", GQL_OBJECT, GQL_NEEDS_STORE, {.object = order_events}},
    API_LEAF("Count.count", count_count),
    API_LEAF("Count.precision", count_precision),
};

void api_bind_history(struct api_bindings *to)
{
    api_bindings_add(to, bindings, sizeof(bindings) / sizeof(bindings[0]));
}
