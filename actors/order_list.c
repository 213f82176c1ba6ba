/*
 * Lists: a merge of index scans in the order of placing, checked against each order's state. See
 * order_list.h.
 *
 * A scan walks one term's keys, which end in (placedAt, id). Several terms (OR within a filter field, or
 * several scopes) are merged by that ending, which is also the cursor, so a cursor means the same under any
 * driving index.
 */
#include "actors/order_list.h"

#include "actors/ids.h"
#include "actors/order.h"
#include "actors/order_behind.h"
#include "actors/order_codec.h"
#include "actors/order_filter.h"
#include "actors/order_history.h"
#include "actors/order_terms.h"
#include "runtime/base/alloc.h"
#include "runtime/base/limits.h"
#include "storage/keys.h"

#define SCANS_MAX     (2 * OMS_FILTER_VALUES_MAX)
#define POSITION_SIZE 24 /* placedAt and id, as in the keys' ending */

struct position {
    unsigned char bytes[POSITION_SIZE];
};

struct scan {
    struct store_iter *iter;
    struct position at;
    bool ended;
};

struct walk {
    struct store_engine *engine;
    struct store_view *view;
    const struct order_list_query *query;
    struct order_filter filter; /* a copy */
    struct order_behind behind; /* of the filter's cursor */
    struct scan scans[SCANS_MAX];
    size_t scan_count;
    bool reverse; /* keys descending */
    bool covered; /* the driving index says all that the filter asks: no state needed to count */
    struct oms_buf bytes;
    enum oms_status status;
};

/* ---- scans ---- */

/* Reads where the scan stands; *ended at the end of its range. */
static void scan_read(struct walk *walk, struct scan *scan)
{
    struct oms_str key, value;
    enum oms_status status = OMS_OK;
    scan->ended = !walk->engine->ops->iter_item(scan->iter, &key, &value, &status) || key.len < POSITION_SIZE;
    if (!scan->ended)
        memcpy(scan->at.bytes, key.data + key.len - POSITION_SIZE, POSITION_SIZE);
    if (status != OMS_OK)
        walk->status = status;
}

static void scan_step(struct walk *walk, struct scan *scan)
{
    if (walk->reverse)
        walk->engine->ops->iter_prev(scan->iter);
    else
        walk->engine->ops->iter_next(scan->iter);
    scan_read(walk, scan);
}

static void put_instant(unsigned char *key, size_t len, int64_t ms)
{
    static const unsigned char lowest[16] = {0};
    order_term_complete(key, len, ms, lowest);
}

/* Opens a scan of a term between the filter's bounds of placedAt, standing at its first item behind the
 * cursor. */
static void scan_open(struct walk *walk, const unsigned char *prefix, size_t len,
                      const struct position *after)
{
    struct scan *scan = &walk->scans[walk->scan_count++];
    unsigned char lower[ORDER_TERM_KEY_MAX], upper[ORDER_TERM_KEY_MAX], from[ORDER_TERM_KEY_MAX];
    const struct order_filter_range *placed = &walk->filter.placed;
    size_t lower_len = len, upper_len = len + 8 + 16;
    memcpy(lower, prefix, len);
    memcpy(upper, prefix, len);
    if (placed->from != INT64_MIN) {
        put_instant(lower, len, placed->from);
        lower_len = len + 8;
    }
    if (placed->to != INT64_MAX) {
        put_instant(upper, len, placed->to);
        upper_len = len + 8;
    } else {
        memset(upper + len, 0xff, 24);
    }
    struct oms_str low = oms_str_make(lower, lower_len), high = oms_str_make(upper, upper_len);
    scan->iter = walk->engine->ops->iter_open(walk->view, STORE_TERMS, low, high);
    if (after) {
        memcpy(from, prefix, len);
        memcpy(from + len, after->bytes, POSITION_SIZE);
        struct oms_str key = oms_str_make(from, len + POSITION_SIZE);
        if (walk->reverse)
            walk->engine->ops->iter_seek_last(scan->iter, key);
        else
            walk->engine->ops->iter_seek(scan->iter, key);
    } else if (walk->reverse) {
        walk->engine->ops->iter_seek_last(scan->iter, OMS_STR_NONE);
    } else {
        walk->engine->ops->iter_seek(scan->iter, low);
    }
    scan_read(walk, scan);
    if (after && !scan->ended && memcmp(scan->at.bytes, after->bytes, POSITION_SIZE) == 0)
        scan_step(walk, scan);
}

static void scan_terms(struct walk *walk, enum order_index index, const struct order_filter_texts *texts,
                       const struct position *after)
{
    for (size_t i = 0; i < texts->count && walk->scan_count < SCANS_MAX; i++) {
        unsigned char prefix[ORDER_TERM_KEY_MAX], hash[ORDER_TERM_HASH_SIZE];
        struct oms_str term = texts->items[i];
        if (index == ORDER_INDEX_CUSTOMER)
            term = order_term_customer(walk->engine->vault, walk->query->tenant, term, hash);
        size_t len = order_term_prefix(walk->query->tenant, index, term, prefix);
        scan_open(walk, prefix, len, after);
    }
}

/* The stages asked for; all of them, when none is, are all orders. */
static void scan_stages(struct walk *walk, const struct position *after)
{
    unsigned stages = walk->filter.stages ? walk->filter.stages : ~0u;
    for (unsigned stage = ORDER_STAGE_DRAFT; stage < ORDER_STAGE_COUNT; stage++) {
        unsigned char prefix[ORDER_TERM_KEY_MAX];
        if (stages >> stage & 1)
            scan_open(walk, prefix,
                      order_term_stage_prefix(walk->query->tenant, (enum order_stage)stage, prefix), after);
    }
}

/* The scopes of a caller who may not see the whole tenant. False when there are more than can be merged. */
static bool scan_scopes(struct walk *walk, const struct position *after)
{
    const struct access *access = walk->query->access;
    size_t scopes = 0;
    for (size_t i = 0; i < access->grant_count; i++)
        scopes += (access->grants[i].permissions & PERMISSION_BIT(PERMISSION_GET_ORDER)) != 0;
    if (scopes > SCANS_MAX)
        return false;
    for (size_t i = 0; i < access->grant_count; i++) {
        const struct access_grant *grant = &access->grants[i];
        struct order_filter_texts one = {.items = &grant->id, .count = 1};
        if (grant->permissions & PERMISSION_BIT(PERMISSION_GET_ORDER))
            scan_terms(walk,
                       grant->kind == PERMISSION_SCOPE_CUSTOMER ? ORDER_INDEX_CUSTOMER : ORDER_INDEX_VENDOR,
                       &one, after);
    }
    return true;
}

/* ---- choosing the driving index: the first that the filter has, most selective first ---- */

static bool only(const struct order_filter *filter, const void *field, size_t size)
{
    struct order_filter rest, none;
    memcpy(&rest, filter, sizeof(rest));
    memset(&none, 0, sizeof(none)); /* padding as well: both are compared as bytes */
    none.on_hold = none.refund_due = -1;
    none.placed = filter->placed;
    none.created = (struct order_filter_range){INT64_MIN, INT64_MAX};
    none.modified_since = INT64_MIN;
    memset((char *)&rest + ((const char *)field - (const char *)filter), 0, size);
    return memcmp(&rest, &none, sizeof(none)) == 0;
}

static void choose(struct walk *walk, const struct position *after)
{
    const struct order_filter *f = &walk->filter;
    bool unscoped = access_unscoped(walk->query->access, PERMISSION_GET_ORDER);
    if (f->references.count) {
        scan_terms(walk, ORDER_INDEX_REFERENCE, &f->references, after);
    } else if (f->external_refs.count) {
        scan_terms(walk, ORDER_INDEX_EXTERNAL_REF, &f->external_refs, after);
    } else if (f->customers.count) {
        scan_terms(walk, ORDER_INDEX_CUSTOMER, &f->customers, after);
        walk->covered = unscoped && f->customers.count == 1 && only(f, &f->customers, sizeof(f->customers));
    } else if (!unscoped && scan_scopes(walk, after)) {
        walk->covered = false;
    } else if (f->skus.count) {
        scan_terms(walk, ORDER_INDEX_SKU, &f->skus, after);
    } else if (f->vendors.count) {
        scan_terms(walk, ORDER_INDEX_VENDOR, &f->vendors, after);
    } else {
        scan_stages(walk, after);
        walk->covered = unscoped && only(f, &f->stages, sizeof(f->stages));
    }
}

/* ---- walking ---- */

/* The scan that stands first in the walk's direction; NULL at the end. */
static struct scan *first_scan(struct walk *walk)
{
    struct scan *best = NULL;
    for (size_t i = 0; i < walk->scan_count; i++) {
        struct scan *scan = &walk->scans[i];
        if (scan->ended)
            continue;
        int order = best ? memcmp(scan->at.bytes, best->at.bytes, POSITION_SIZE) : -1;
        if (!best || (walk->reverse ? order > 0 : order < 0))
            best = scan;
    }
    return best;
}

/* Moves to the next order, each once; false at the end. */
static bool walk_next(struct walk *walk, struct position *out)
{
    struct scan *first = walk->status == OMS_OK ? first_scan(walk) : NULL;
    if (!first)
        return false;
    *out = first->at;
    for (size_t i = 0; i < walk->scan_count; i++)
        if (!walk->scans[i].ended && memcmp(walk->scans[i].at.bytes, out->bytes, POSITION_SIZE) == 0)
            scan_step(walk, &walk->scans[i]);
    return true;
}

static void walk_address(const struct walk *walk, const struct position *at, struct rt_address *out)
{
    ids_order_address(walk->query->tenant, at->bytes + 8, out);
}

/* Loads the order when it matches filter and scope; NULL when it does not. */
static struct order *walk_load(struct walk *walk, const struct position *at, struct access_order *on)
{
    unsigned char key[STORE_ADDRESS_KEY_SIZE];
    struct rt_address address;
    walk_address(walk, at, &address);
    store_address_key(&address, key);
    oms_buf_reset(&walk->bytes);
    enum oms_status status =
        walk->engine->ops->view_get(walk->view, STORE_STATE, oms_str_make(key, sizeof(key)), &walk->bytes);
    struct order *order = order_create();
    if (status == OMS_OK)
        status = order_thaw(oms_buf_str(&walk->bytes), order);
    if (status != OMS_OK)
        walk->status = status == OMS_NOT_FOUND ? OMS_CORRUPT : status;
    struct order_context context = {.principal = &(struct principal){.kind = PRINCIPAL_USER},
                                    .access = walk->query->access};
    if (status == OMS_OK && order_access(order, &context, PERMISSION_GET_ORDER, on) &&
        order_filter_matches(&walk->filter, order, walk->query->access, on) &&
        (!walk->filter.modified_is_cursor ||
         order_is_behind(&walk->behind, at->bytes + 8, order->version, &walk->status)))
        return order;
    order_destroy(order);
    return NULL;
}

/* ---- cursors ---- */

static uint32_t query_hash(const struct order_list_query *query)
{
    return 0x4c000000u | query->descending;
}

static enum oms_status cursor_read(const struct order_list_query *query, struct position *out)
{
    char bytes[64];
    struct oms_buf key = {.data = bytes, .cap = sizeof(bytes), .max = sizeof(bytes)};
    enum oms_status status = ids_list_cursor_parse(query->cursor, query_hash(query), &key);
    if (status != OMS_OK || key.len != POSITION_SIZE)
        return OMS_INVALID;
    memcpy(out->bytes, key.data, POSITION_SIZE);
    return OMS_OK;
}

static struct oms_str cursor_write(const struct order_list_query *query, const struct position *at,
                                   struct oms_arena *arena)
{
    char bytes[128];
    struct oms_buf text = {.data = bytes, .cap = sizeof(bytes), .max = sizeof(bytes)};
    ids_list_cursor_text(query_hash(query), oms_str_make(at->bytes, POSITION_SIZE), &text);
    return oms_str_copy(arena, oms_buf_str(&text));
}

/* ---- the lists ---- */

static enum oms_status walk_open(struct walk *walk, struct store_engine *engine, struct store_view *view,
                                 const struct order_list_query *query)
{
    struct position after;
    memset(walk, 0, sizeof(*walk));
    walk->engine = engine;
    walk->view = view;
    walk->query = query;
    memcpy(&walk->filter, query->filter, sizeof(walk->filter));
    walk->reverse = query->descending != query->backward;
    oms_buf_init(&walk->bytes, ORDER_ARENA_MAX);
    if (oms_str_present(query->cursor) && cursor_read(query, &after) != OMS_OK)
        return OMS_INVALID;
    order_behind_init(&walk->behind, engine, view, query->tenant, walk->filter.modified_cursor);
    if (access_may(query->access, PERMISSION_GET_ORDER))
        choose(walk, oms_str_present(query->cursor) ? &after : NULL);
    return walk->status;
}

static void walk_close(struct walk *walk)
{
    for (size_t i = 0; i < walk->scan_count; i++)
        walk->engine->ops->iter_close(walk->scans[i].iter);
    order_behind_fini(&walk->behind);
    oms_buf_fini(&walk->bytes);
}

static void reverse_rows(struct order_page *page)
{
    for (size_t i = 0; i < page->count / 2; i++) {
        struct order_row row = page->rows[i];
        page->rows[i] = page->rows[page->count - 1 - i];
        page->rows[page->count - 1 - i] = row;
    }
}

/* Fills rows in the walk's direction; true when there is more behind them (or the bound of examined rows
 * ended it). */
static bool fill(struct walk *walk, struct oms_arena *arena, struct order_page *page, struct position *last)
{
    struct position at;
    while (walk_next(walk, &at)) {
        if (page->examined++ >= OMS_LIST_EXAMINED_MAX)
            return true;
        struct access_order on;
        struct order *order = walk_load(walk, &at, &on);
        if (order && page->count == walk->query->limit) {
            order_destroy(order);
            return true;
        }
        *last = at;
        if (order)
            page->rows[page->count++] =
                (struct order_row){.order = order, .on = on, .cursor = cursor_write(walk->query, &at, arena)};
    }
    return false;
}

enum oms_status order_list_run(struct store_engine *engine, struct store_view *view,
                               const struct order_list_query *query, struct oms_arena *arena,
                               struct order_page *page)
{
    struct walk *walk = oms_malloc(sizeof(*walk));
    struct position last;
    memset(page, 0, sizeof(*page));
    page->rows = oms_arena_calloc(arena, query->limit, sizeof(page->rows[0]));
    enum oms_status status = page->rows ? walk_open(walk, engine, view, query) : OMS_LIMIT;
    if (status == OMS_OK) {
        bool more = fill(walk, arena, page, &last);
        bool came_from = oms_str_present(query->cursor);
        page->has_next = query->backward ? came_from : more;
        page->has_previous = query->backward ? more : came_from;
        if (page->count)
            page->start_cursor = page->rows[0].cursor;
        if (page->examined)
            page->end_cursor =
                more || !page->count ? cursor_write(query, &last, arena) : page->rows[page->count - 1].cursor;
        if (query->backward) {
            struct oms_str end = page->end_cursor;
            reverse_rows(page);
            page->end_cursor = page->start_cursor;
            page->start_cursor = end;
        }
        status = walk->status;
    }
    if (page->rows)
        walk_close(walk);
    oms_free(walk);
    if (status != OMS_OK)
        order_page_fini(page);
    return status;
}

void order_page_fini(struct order_page *page)
{
    for (size_t i = 0; i < page->count; i++)
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): rows as many as its count */
        order_destroy(page->rows[i].order);
    page->count = 0;
}

enum oms_status order_list_count(struct store_engine *engine, struct store_view *view,
                                 const struct order_list_query *query, struct order_count *out)
{
    struct walk *walk = oms_malloc(sizeof(*walk));
    struct position at;
    *out = (struct order_count){0};
    enum oms_status status = walk_open(walk, engine, view, query);
    while (status == OMS_OK && walk_next(walk, &at)) {
        struct access_order on;
        if (out->count == OMS_COUNT_MAX || (!walk->covered && out->examined == OMS_LIST_EXAMINED_MAX)) {
            out->capped = true;
            break;
        }
        out->examined++;
        struct order *order = walk->covered ? NULL : walk_load(walk, &at, &on);
        out->count += walk->covered || order;
        order_destroy(order);
    }
    if (status == OMS_OK)
        status = walk->status;
    walk_close(walk);
    oms_free(walk);
    return status;
}
