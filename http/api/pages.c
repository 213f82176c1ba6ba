/* Pages of orders and events from the store. See pages.h. */
#include "http/api/pages.h"

#include <stdatomic.h>

#include "actors/ids.h"
#include "actors/order.h"
#include "actors/order_event_json.h"
#include "runtime/base/limits.h"

#define BYTES_PER_ROW 512 /* kept memory counts as rows looked at */

struct api_owned {
    struct api_owned *next;
    struct order *order;
};

bool api_scene_charge(struct api_scene *scene, uint64_t rows)
{
    return atomic_fetch_add_explicit(scene->rows, rows, memory_order_relaxed) < OMS_REQUEST_ROWS_MAX;
}

struct api_order *api_pages_keep(struct api_scene *scene, struct order *order)
{
    struct api_owned *owned = OMS_ARENA_NEW(scene->arena, struct api_owned);
    struct api_order *value = OMS_ARENA_NEW(scene->arena, struct api_order);
    if (!owned || !value) {
        order_destroy(order);
        return NULL;
    }
    (void)api_scene_charge(scene, order->arena.used / BYTES_PER_ROW); /* it stays until the task ends */
    owned->order = order;
    owned->next = scene->owned;
    scene->owned = owned;
    value->node = API_NODE_ORDER;
    value->order = order;
    return value;
}

void api_pages_release(struct api_scene *scene)
{
    for (struct api_owned *owned = scene->owned; owned; owned = owned->next)
        order_destroy(owned->order);
    scene->owned = NULL;
}

bool api_pages_may_see(const struct api_scene *scene, const struct order *order, struct access_order *on)
{
    struct order_context context = {
        .now_ms = scene->now_ms, .principal = scene->principal, .access = scene->access};
    return order_access(order, &context, PERMISSION_GET_ORDER, on);
}

enum oms_status api_pages_load(struct api_scene *scene, const unsigned char id[16], struct api_order **out)
{
    struct rt_address address;
    struct order *order;
    struct access_order on;
    *out = NULL;
    ids_order_address(scene->tenant->number, id, &address);
    enum oms_status status = order_history_load(scene->engine, scene->view, &address, &order);
    if (status != OMS_OK)
        return status == OMS_NOT_FOUND ? OMS_OK : status;
    if (!api_pages_may_see(scene, order, &on)) {
        order_destroy(order);
        return OMS_OK;
    }
    *out = api_pages_keep(scene, order);
    if (!*out)
        return OMS_LIMIT;
    (*out)->on = on;
    return OMS_OK;
}

struct api_order_page *api_pages_orders(struct api_scene *scene, struct order_page *page)
{
    struct api_order_page *value = OMS_ARENA_NEW(scene->arena, struct api_order_page);
    if (value)
        value->edges = oms_arena_calloc(scene->arena, page->count + 1, sizeof(value->edges[0]));
    if (!value || !value->edges) {
        order_page_fini(page);
        return NULL;
    }
    for (size_t i = 0; i < page->count; i++) {
        struct api_order *kept = api_pages_keep(scene, page->rows[i].order);
        page->rows[i].order = NULL; /* it is the scene's, or freed */
        if (!kept) {
            order_page_fini(page);
            return NULL;
        }
        value->edges[i].order = *kept;
        value->edges[i].order.on = page->rows[i].on;
        value->edges[i].cursor = page->rows[i].cursor;
    }
    value->count = page->count;
    value->info =
        (struct api_page_info){page->has_next, page->has_previous, page->start_cursor, page->end_cursor};
    page->count = 0;
    return value;
}

/* ---- events ---- */

static struct oms_str cursor_text(struct oms_arena *arena, uint64_t commit, unsigned ordinal)
{
    char text[IDS_CURSOR_TEXT_MAX];
    size_t len = ids_cursor_text((struct ids_cursor){commit, ordinal}, text);
    return oms_str_copy(arena, oms_str_make(text, len));
}

/* The event's order as it is now, loaded once per page; NULL when the caller may not see it. */
static enum oms_status event_order(struct api_scene *scene, const struct api_event_page *page,
                                   const struct order_history_event *event, const struct api_order **out)
{
    for (size_t i = page->count; i-- > 0;) {
        if (memcmp(page->events[i].event->order_id, event->order_id, 16) == 0) {
            *out = page->events[i].order;
            return OMS_OK;
        }
    }
    struct api_order *order;
    enum oms_status status = api_pages_load(scene, event->order_id, &order);
    *out = order;
    return status;
}

/* Adds the event unless it is not for this caller. */
static void add_event(struct api_scene *scene, struct api_event_page *page,
                      const struct order_history_event *event, const struct api_order *order)
{
    if (!order_event_visible(&event->event, order->order, &order->on, scene->access))
        return;
    page->events[page->count++] = (struct api_event){
        .node = API_NODE_EVENT, .event = event, .tenant = scene->tenant->number, .order = order};
}

static void page_info(struct api_scene *scene, const struct order_history_page *page, struct oms_str after,
                      struct api_event_page *value)
{
    value->info.has_next = page->has_next;
    value->info.has_previous = oms_str_present(after) && !oms_str_eq_c(after, "0");
    if (value->count)
        value->info.start =
            cursor_text(scene->arena, value->events[0].event->commit, value->events[0].event->ordinal);
    if (page->end_commit)
        value->info.end = cursor_text(scene->arena, page->end_commit, page->end_ordinal);
}

enum oms_status api_pages_events(struct api_scene *scene, const struct order_history_page *page,
                                 struct oms_str after, struct api_event_page **out)
{
    struct api_event_page *value = OMS_ARENA_NEW(scene->arena, struct api_event_page);
    if (value)
        value->events = oms_arena_calloc(scene->arena, page->count + 1, sizeof(value->events[0]));
    if (!value || !value->events)
        return OMS_LIMIT;
    for (size_t i = 0; i < page->count; i++) {
        const struct api_order *order;
        enum oms_status status = event_order(scene, value, &page->items[i], &order);
        if (status != OMS_OK)
            return status;
        if (order)
            add_event(scene, value, &page->items[i], order);
    }
    page_info(scene, page, after, value);
    *out = value;
    return OMS_OK;
}

const struct api_event_page *api_pages_order_events(struct gql_exec *x, const struct api_order *order)
{
    struct api_scene *scene = api_scene_of(x);
    const struct oms_value *after = gql_arg(x, "after");
    struct ids_cursor from = {0, 0};
    struct oms_str message;
    unsigned first = api_page_size(gql_arg(x, "first"), &message);
    if (!first) {
        gql_fail(x, "BAD_USER_INPUT", "%.*s", OMS_STR_ARG(message));
        return NULL;
    }
    struct oms_str cursor = after && after->kind == OMS_VALUE_STRING ? after->text : OMS_STR_NONE;
    if (oms_str_present(cursor) && ids_cursor_parse(cursor, &from) != OMS_OK) {
        gql_fail(x, "BAD_USER_INPUT", "\"after\" is not a cursor of this server");
        return NULL;
    }
    struct order_history_page *page = OMS_ARENA_NEW(scene->arena, struct order_history_page);
    struct api_event_page *value = page ? OMS_ARENA_NEW(scene->arena, struct api_event_page) : NULL;
    struct rt_address address;
    unsigned char id[16];
    if (!value || ids_order_parse(order->order->order_id, id) != OMS_OK) {
        gql_fail(x, "INTERNAL", "The answer is too large");
        return NULL;
    }
    if (!api_scene_charge(scene, first)) {
        gql_fail(x, "LIMIT_EXCEEDED", API_TOO_MANY_ROWS);
        return NULL;
    }
    ids_order_address(scene->tenant->number, id, &address);
    enum oms_status status = order_history_events(scene->engine, scene->view, &address, from.commit,
                                                  from.ordinal, first, scene->arena, page);
    if (status == OMS_OK)
        value->events = oms_arena_calloc(scene->arena, page->count + 1, sizeof(value->events[0]));
    if (status == OMS_LIMIT || (status == OMS_OK && !value->events)) {
        gql_fail(x, "LIMIT_EXCEEDED", API_TOO_MANY_ROWS);
        return NULL;
    }
    if (status != OMS_OK) {
        gql_fail(x, "INTERNAL", "The order's events cannot be read");
        return NULL;
    }
    for (size_t i = 0; i < page->count; i++)
        add_event(scene, value, &page->items[i], order);
    page_info(scene, page, cursor, value);
    return value;
}

unsigned api_page_size(const struct oms_value *first, struct oms_str *message)
{
    if (!first || first->kind == OMS_VALUE_NULL)
        return OMS_PAGE_SIZE_DEFAULT;
    if (first->kind == OMS_VALUE_INT && first->integer >= 1 && first->integer <= OMS_PAGE_SIZE_MAX)
        return (unsigned)first->integer;
    *message = OMS_STR("A page holds 1 to 200 items");
    return 0;
}
