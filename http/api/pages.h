/*
 * Values that reading the store makes: pages of orders and events. Made and executed in the read pool, in the
 * arena of the execution's scene; orders that were read live until api_pages_release.
 */
#ifndef API_PAGES_H
#define API_PAGES_H

#include "actors/order_history.h"
#include "actors/order_list.h"
#include "http/api/resolve.h"

/* Value of PageInfo. */
struct api_page_info {
    bool has_next, has_previous;
    struct oms_str start, end;
};

/* Value of OrderEdge. */
struct api_order_edge {
    struct api_order order;
    struct oms_str cursor;
};

/* Value of OrderConnection. */
struct api_order_page {
    struct api_order_edge *edges;
    size_t count;
    struct api_page_info info;
};

/* Value of OrderEvent and of its edge. */
struct api_event {
    struct api_node node;
    const struct order_history_event *event;
    uint32_t tenant;
    const struct api_order *order; /* as it is now: its currency, and how the caller stands to it */
    bool live; /* the event was just applied: `order` is as of it, and its commit is not known yet (0) */
};

/* Value of StreamItem. */
struct api_stream_item {
    uint64_t commit; /* 0 with a live event: see api_write_mark */
    unsigned ordinal;
    const struct api_event *event; /* NULL: a checkpoint */
};

/*
 * A live event is executed before its unit has a commit number. What shows the number writes a mark instead,
 * two bytes that no JSON has (a control character and a letter); when the unit is durable, whoever executed
 * the event replaces the marks by the same three functions with the number.
 */
#define API_MARK '\x01'
enum api_mark { API_MARK_CURSOR = 'C', API_MARK_COMMIT = 'N', API_MARK_ID = 'I' };
bool api_write_mark(struct oms_buf *out, enum api_mark mark);
bool api_write_cursor(struct oms_buf *out, uint64_t commit, unsigned ordinal);
bool api_write_commit(struct oms_buf *out, uint64_t commit);
bool api_write_event_id(struct oms_buf *out, uint32_t tenant, const unsigned char order_id[16],
                        uint64_t commit, unsigned ordinal);

/* Value of OrderEventConnection. */
struct api_event_page {
    struct api_event *events;
    size_t count;
    struct api_page_info info;
};

/* Owns the order for the execution and makes its value (with `on` still empty). NULL when the arena is
 * exhausted. */
struct api_order *api_pages_keep(struct api_scene *scene, struct order *order);
/* Frees all orders that the scene owns. */
void api_pages_release(struct api_scene *scene);

/* Whether the scene's caller may see the order, and how they stand to it. */
bool api_pages_may_see(const struct api_scene *scene, const struct order *order, struct access_order *on);
/* The newest stored order as this caller may see it; NULL when there is none or not for them. */
enum oms_status api_pages_load(struct api_scene *scene, const unsigned char id[16], struct api_order **out);
/* Makes the page's value; takes over the page's orders. NULL when the arena is exhausted. */
struct api_order_page *api_pages_orders(struct api_scene *scene, struct order_page *page);
/* Values of events whose orders this caller may see. */
enum oms_status api_pages_events(struct api_scene *scene, const struct order_history_page *page,
                                 struct oms_str after, struct api_event_page **out);
/* Order.events(first, after); NULL after gql_fail. */
const struct api_event_page *api_pages_order_events(struct gql_exec *x, const struct api_order *order);

/* The argument `first` of the field: 1 … OMS_PAGE_SIZE_MAX, the default when absent; 0 after a refusal in
 * *message. */
unsigned api_page_size(const struct oms_value *first, struct oms_str *message);

#endif
