/*
 * One page of an export, in the read pool, on the export's own view: a list's page, as the API's lists are
 * made, written by the API's resolvers or as CSV.
 */
#include <inttypes.h>

#include "actors/ids.h"
#include "actors/order.h"
#include "actors/order_history.h"
#include "http/export/export_impl.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

/* Everything that a page needs. */
struct work {
    struct export *export;
    struct oms_arena arena, scratch; /* of the page; of one order's execution */
    struct oms_buf out;
    struct access access;
    struct api_scene scene;
    _Atomic uint64_t rows;
};

/*
 * What may be exported is asked of export_orders, not of get_order, which only adds the personal fields: so
 * the list is walked as one who may see all.
 */
static bool make_access(struct work *work)
{
    const struct export *export = work->export;
    if (!permission_evaluate(&export->tenant->permissions, &export->principal, &work->arena, &work->access))
        return false;
    work->access.unscoped |= PERMISSION_BIT(PERMISSION_GET_ORDER);
    work->access.any |= PERMISSION_BIT(PERMISSION_GET_ORDER);
    return true;
}

static enum oms_status add_notes(struct work *work, struct order *order)
{
    struct rt_address address;
    unsigned char id[IDS_ORDER_SIZE];
    if (order->notes_held == order_notes_kept(order))
        return OMS_OK;
    enum oms_status status = ids_order_parse(order->order_id, id);
    if (status != OMS_OK)
        return status;
    ids_order_address(work->export->tenant->number, id, &address);
    return order_history_merge_notes(work->scene.engine, work->scene.view, &address, order);
}

static enum oms_status write_json(struct work *work, struct order_row *row)
{
    struct api_order value = {.node = API_NODE_ORDER, .order = row->order, .on = row->on};
    struct gql_errors errors;
    enum oms_status status = work->export->personal ? add_notes(work, row->order) : OMS_OK;
    if (status != OMS_OK)
        return status;
    oms_arena_reset(&work->scratch);
    gql_errors_init(&errors, &work->scratch);
    enum gql_outcome outcome =
        gql_execute_part(work->export->gql, 0, "nodes", 0, 0, &value, &work->scene, &work->out, &errors);
    if (outcome != GQL_DATA || errors.count)
        return OMS_LIMIT;
    if (work->export->format == EXPORT_CUSTOMER)
        return export_customer_events(work->export, row->order, &work->scratch, &work->out);
    oms_buf_append_char(&work->out, '\n');
    return OMS_OK;
}

static enum oms_status write_order(struct work *work, struct order_row *row)
{
    struct export *export = work->export;
    struct oms_str cursor = row->cursor;
    char text[EXPORT_CURSOR_TEXT_MAX];
    OMS_ASSERT(cursor.len <= EXPORT_CURSOR_MAX);
    export->to.len = cursor.len;
    memcpy(export->to.text, cursor.data, cursor.len);
    if (row->order->created_at > export->to.as_of_ms)
        return OMS_OK; /* came in after the export that this one goes on with had begun */
    export->orders++;
    if (export->format == EXPORT_CUSTOMER && export->orders > 1)
        oms_buf_append_lit(&work->out, ",\n");
    if (export->format != EXPORT_CSV)
        return write_json(work, row);
    size_t len = export_cursor_write(&export->to, text);
    export_csv_order(row->order, export->personal, oms_str_make(text, len), &work->out);
    return OMS_OK;
}

/* Writes rows until there are enough bytes; false in *all when some are left. */
static enum oms_status write_rows(struct work *work, struct order_page *page, bool *all)
{
    enum oms_status status = OMS_OK;
    size_t i = 0;
    while (i < page->count && status == OMS_OK && work->out.len < OMS_EXPORT_PAGE_BYTES)
        status = write_order(work, &page->rows[i++]);
    *all = i == page->count;
    /* As many orders as will fill the next page. */
    unsigned fit = i && work->out.len ? (unsigned)(OMS_EXPORT_PAGE_BYTES * i / work->out.len) + 1
                                      : OMS_EXPORT_PAGE_ORDERS;
    work->export->limit = fit < OMS_EXPORT_PAGE_ORDERS ? fit : OMS_EXPORT_PAGE_ORDERS;
    return status == OMS_OK && work->out.overflow ? OMS_LIMIT : status;
}

static void write_end(struct work *work)
{
    struct export *export = work->export;
    char text[EXPORT_CURSOR_TEXT_MAX];
    if (export->format == EXPORT_CUSTOMER && export->last)
        export_customer_end(export, &work->out);
    if (export->format != EXPORT_JSONL)
        return;
    if (export->to.len) {
        size_t len = export_cursor_write(&export->to, text);
        oms_buf_append_lit(&work->out, "{\"cursor\":");
        oms_json_write_string(&work->out, oms_str_make(text, len));
        oms_buf_appendf(&work->out, ",\"orders\":%" PRIu64 "}\n", export->orders);
    }
    if (export->last)
        oms_buf_appendf(&work->out, "{\"end\":true,\"orders\":%" PRIu64 "}\n", export->orders);
}

static enum oms_status make_page(struct work *work)
{
    struct export *export = work->export;
    struct order_page page;
    bool all;
    const struct order_list_query query = {
        .tenant = export->tenant->number,
        .access = &work->access,
        .filter = export->filter,
        .limit = export->limit,
        .cursor = export->from.len ? oms_str_make(export->from.text, export->from.len) : OMS_STR_NONE,
    };
    enum oms_status status = order_list_run(export->engine, export->view, &query, &work->arena, &page);
    if (status != OMS_OK)
        return status;
    export->to = export->from;
    export->orders = export->orders_before;
    if (export->format == EXPORT_CSV && !export->from.len)
        export_csv_head(&work->out);
    if (export->format == EXPORT_CUSTOMER && !export->from.len)
        export_customer_head(export, &work->out);
    status = write_rows(work, &page, &all);
    export->last = all && !page.has_next;
    if (all && page.has_next && oms_str_present(page.end_cursor)) { /* also behind rows that did not match */
        OMS_ASSERT(page.end_cursor.len <= EXPORT_CURSOR_MAX);
        export->to.len = page.end_cursor.len;
        memcpy(export->to.text, page.end_cursor.data, page.end_cursor.len);
    }
    order_page_fini(&page);
    if (status == OMS_OK)
        write_end(work);
    return status == OMS_OK && work->out.overflow ? OMS_LIMIT : status;
}

void export_page_run(struct store_read *read, struct store_engine *engine, struct store_view *view)
{
    struct export *export = OMS_CONTAINER_OF(read, struct export, read);
    struct work work = {.export = export};
    (void)view; /* of this read alone */
    if (!export->view) {
        export->engine = engine;
        export->view = engine->ops->view_open(engine);
    }
    oms_arena_init(&work.arena, 64u << 10, OMS_REQUEST_ARENA_BYTES_MAX);
    oms_arena_init(&work.scratch, 16u << 10, OMS_REQUEST_ARENA_BYTES_MAX);
    oms_buf_init(&work.out, OMS_RESPONSE_BYTES_MAX);
    work.scene = (struct api_scene){.tenant = export->tenant,
                                    .principal = &export->principal,
                                    .access = &work.access,
                                    .now_ms = export->now_ms,
                                    .engine = engine,
                                    .view = export->view,
                                    .arena = &work.arena,
                                    .rows = &work.rows};
    export->status = make_access(&work) ? make_page(&work) : OMS_LIMIT;
    if (export->status == OMS_OK && work.out.len) {
        export->page = http_payload_create((uint32_t)work.out.len);
        memcpy(export->page->bytes, work.out.data, work.out.len);
    }
    oms_buf_fini(&work.out);
    oms_arena_fini(&work.scratch);
    oms_arena_fini(&work.arena);
}
