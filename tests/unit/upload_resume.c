#include "tests/unit/upload_resume.h"

#include "http/import/import_orders.h"
#include "runtime/base/assert.h"

struct run {
    struct import_map *map;
    struct import_orders *orders;
    struct oms_buf *transcript;
    struct oms_buf closed; /* keys, each behind its length */
    struct oms_buf header, tail;
    uint64_t tail_offset, read;
    bool replaying;
    enum oms_status status;
};

static void tell_rows(struct run *run, const struct import_row_place *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        oms_buf_appendf(run->transcript, " %d@%d", (int)rows[i].number, (int)rows[i].line);
}

static void note_closed(struct run *run, struct oms_str key)
{
    oms_buf_append(&run->closed, &key.len, sizeof(key.len));
    oms_buf_append_str(&run->closed, key);
}

static bool on_order(void *context, const struct import_order *order)
{
    struct run *run = context;

    OMS_ASSERT(!run->replaying); /* what closes an order is not in the tail */
    oms_buf_append_lit(run->transcript, "order");
    tell_rows(run, order->rows, order->row_count);
    oms_buf_append_char(run->transcript, ' ');
    oms_buf_append_str(run->transcript, order->input);
    oms_buf_append_char(run->transcript, '\n');
    note_closed(run, order->ref);
    return true;
}

static bool on_refused(void *context, const struct import_refusal *refusal)
{
    struct run *run = context;

    if (run->replaying)
        return true;
    oms_buf_append_lit(run->transcript, "refused");
    tell_rows(run, refusal->rows, refusal->row_count);
    oms_buf_appendf(run->transcript, " %s %.*s: %s\n", refusal->code, OMS_STR_ARG(refusal->field),
                    refusal->message);
    if (oms_str_present(refusal->ref))
        note_closed(run, refusal->ref);
    return true;
}

static void feed(struct run *run, const char *data, size_t len)
{
    struct import_orders_place place;

    oms_buf_append(&run->tail, data, len);
    run->read += len;
    if (run->status == OMS_OK && len)
        run->status = import_orders_feed(run->orders, data, len);
    if (run->status != OMS_OK)
        return;
    if (!run->header.len && import_orders_header_len(run->orders))
        oms_buf_append(&run->header, run->tail.data, (size_t)import_orders_header_len(run->orders));
    import_orders_place(run->orders, &place);
    OMS_ASSERT(place.offset >= run->tail_offset && place.offset <= run->read);
    size_t gone = (size_t)(place.offset - run->tail_offset);
    if (gone)
        memmove(run->tail.data, run->tail.data + gone, run->tail.len - gone);
    run->tail.len -= gone;
    run->tail_offset = place.offset;
}

static void begin_anew(struct run *run)
{
    const struct import_orders_sink sink = {run, on_order, on_refused};
    struct import_orders_place place;
    struct oms_str closed = oms_buf_str(&run->closed), key;

    if (run->status != OMS_OK)
        return;
    import_orders_place(run->orders, &place);
    import_orders_destroy(run->orders);
    run->orders = import_orders_create(run->map, &sink);
    run->replaying = true;
    if (run->header.len)
        OMS_ASSERT(import_orders_feed(run->orders, run->header.data, run->header.len) == OMS_OK);
    if (place.offset)
        import_orders_seek(run->orders, &place);
    for (size_t at = 0; at < closed.len; at += sizeof(key.len) + key.len) {
        memcpy(&key.len, closed.data + at, sizeof(key.len));
        key.data = closed.data + at + sizeof(key.len);
        import_orders_add_closed(run->orders, key);
    }
    if (run->tail.len)
        OMS_ASSERT(import_orders_feed(run->orders, run->tail.data, run->tail.len) == OMS_OK);
    run->replaying = false;
    struct import_orders_place again;
    import_orders_place(run->orders, &again);
    OMS_ASSERT(again.offset == place.offset && again.line == place.line && again.row == place.row &&
               again.poison_line == place.poison_line);
}

void upload_resume_read(const char *map, const void *data, size_t len, const size_t *cuts, size_t cut_count,
                        struct oms_buf *transcript)
{
    struct run run = {.transcript = transcript};
    const struct import_orders_sink sink = {&run, on_order, on_refused};
    struct oms_error error;
    size_t at = 0;

    oms_buf_init(&run.closed, 64u << 20);
    oms_buf_init(&run.header, 4u << 20);
    oms_buf_init(&run.tail, 64u << 20);
    OMS_ASSERT(import_map_parse("map", oms_str_of(map), NULL, 0, &run.map, &error) == OMS_OK);
    run.orders = import_orders_create(run.map, &sink);
    for (size_t i = 0; i <= cut_count; i++) {
        size_t end = i < cut_count ? cuts[i] : len;
        feed(&run, (const char *)data + at, end - at);
        at = end;
        if (i < cut_count)
            begin_anew(&run);
    }
    if (run.status == OMS_OK)
        run.status = import_orders_finish(run.orders);
    if (run.status != OMS_OK)
        oms_buf_appendf(transcript, "error: %s\n", import_orders_error(run.orders));
    import_orders_destroy(run.orders);
    import_map_destroy(run.map);
    oms_buf_fini(&run.closed);
    oms_buf_fini(&run.header);
    oms_buf_fini(&run.tail);
}
