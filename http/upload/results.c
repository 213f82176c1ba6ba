/*
 * GET /import/{id}/results: the report of an upload as CSV or JSON Lines, a row for each row of the file.
 * Read page by page in the read pool, a page ahead of what the client takes.
 */
#include <inttypes.h>

#include "actors/order_codec.h"
#include "http/export/export_impl.h"
#include "http/upload/upload_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "storage/keys.h"

#define PAGE_TEXT_MAX (64u << 20)

struct upload_results {
    struct upload_results *prev, *next; /* of its shard */
    struct upload_shard *us;
    struct http_exchange *exchange; /* NULL: its client is gone */
    struct rt_address address;
    bool jsonl, only_refused;
    bool begun, in_flight, ready;
    struct store_read read;
    uint32_t page, pages; /* the next one, from 0 (the state); how many there are */
    bool dry_run;
    enum oms_status status;
    struct http_payload *text; /* of the page that is ready; NULL: it is empty */
};

/* ---- in the pool ---- */

static void put_csv(const struct upload_results *results, const struct upload_entry *entry,
                    const struct import_row_place *row, struct oms_str id, struct oms_buf *out)
{
    (void)results;
    if (row->number)
        oms_buf_append_u64(out, row->number);
    oms_buf_append_char(out, ',');
    oms_buf_append_u64(out, row->line);
    oms_buf_append_char(out, ',');
    export_csv_text(entry->ref, out);
    oms_buf_append_char(out, ',');
    oms_buf_append_str(out, oms_str_of(results->dry_run && entry->result == UPLOAD_ENTRY_CREATED
                                           ? "would_create"
                                           : upload_entry_word(entry->result)));
    oms_buf_append_char(out, ',');
    oms_buf_append_str(out, id);
    oms_buf_append_char(out, ',');
    export_csv_text(entry->code, out);
    oms_buf_append_char(out, ',');
    export_csv_text(entry->field, out);
    oms_buf_append_char(out, ',');
    export_csv_text(entry->message, out);
    oms_buf_append_lit(out, "\r\n");
}

static void put_member(struct oms_buf *out, const char *name, struct oms_str text)
{
    if (!text.len)
        return;
    oms_buf_appendf(out, ",\"%s\":", name);
    oms_json_write_string(out, text);
}

static void put_jsonl(const struct upload_results *results, const struct upload_entry *entry,
                      const struct import_row_place *row, struct oms_str id, struct oms_buf *out)
{
    oms_buf_appendf(out, "{\"line\":%" PRIu64, row->line);
    if (row->number)
        oms_buf_appendf(out, ",\"row\":%" PRIu64, row->number);
    put_member(out, "externalRef", entry->ref);
    put_member(out, "result",
               oms_str_of(results->dry_run && entry->result == UPLOAD_ENTRY_CREATED
                              ? "would_create"
                              : upload_entry_word(entry->result)));
    put_member(out, "orderId", id);
    put_member(out, "code", entry->code);
    put_member(out, "field", entry->field);
    put_member(out, "message", entry->message);
    oms_buf_append_lit(out, "}\n");
}

static void put_entry(struct upload_results *results, struct upload_page_reader *reader,
                      const struct upload_entry *entry, struct oms_buf *out)
{
    char id[IDS_ORDER_TEXT + 1] = "";
    struct import_row_place row;

    if (results->only_refused && entry->result != UPLOAD_ENTRY_REFUSED)
        return;
    if (entry->has_id)
        ids_order_text(entry->id, id);
    while (upload_page_row(reader, &row)) {
        if (results->jsonl)
            put_jsonl(results, entry, &row, oms_str_of(id), out);
        else
            put_csv(results, entry, &row, oms_str_of(id), out);
    }
}

static enum oms_status read_state(struct upload_results *results, struct store_engine *engine,
                                  struct store_view *view, struct oms_buf *bytes, struct oms_buf *out)
{
    unsigned char key[STORE_ADDRESS_KEY_SIZE];
    struct upload upload;

    store_address_key(&results->address, key);
    enum oms_status status = engine->ops->view_get(view, STORE_STATE, oms_str_make(key, sizeof(key)), bytes);
    if (status == OMS_OK)
        status = upload_decode(oms_buf_str(bytes), &upload);
    if (status != OMS_OK)
        return status;
    results->pages = upload.pages;
    results->dry_run = upload.terms.dry_run;
    if (!results->jsonl)
        oms_buf_append_lit(out, "row,line,external_ref,result,order_id,code,field,message\r\n");
    return OMS_OK;
}

static enum oms_status read_page(struct upload_results *results, struct store_engine *engine,
                                 struct store_view *view, struct oms_buf *bytes, struct oms_buf *out)
{
    unsigned char key[ORDER_ASIDE_KEY_SIZE];
    struct upload_page_reader reader;
    struct upload_entry entry;

    order_aside_key(&results->address, ORDER_ASIDE_UPLOAD_PAGE, results->page, key);
    enum oms_status status = engine->ops->view_get(view, STORE_ASIDE, oms_str_make(key, sizeof(key)), bytes);
    if (status != OMS_OK)
        return status;
    upload_page_read(&reader, oms_buf_str(bytes));
    while (upload_page_next(&reader, &entry))
        put_entry(results, &reader, &entry, out);
    return reader.wire.corrupt ? OMS_CORRUPT : out->overflow ? OMS_LIMIT : OMS_OK;
}

static void run(struct store_read *read, struct store_engine *engine, struct store_view *view)
{
    struct upload_results *results = OMS_CONTAINER_OF(read, struct upload_results, read);
    struct oms_buf bytes, out;

    oms_buf_init(&bytes, OMS_UNIT_BYTES_MAX);
    oms_buf_init(&out, PAGE_TEXT_MAX);
    results->status = results->page ? read_page(results, engine, view, &bytes, &out)
                                    : read_state(results, engine, view, &bytes, &out);
    results->text = NULL;
    if (results->status == OMS_OK && out.len) {
        results->text = http_payload_create((uint32_t)out.len);
        memcpy(results->text->bytes, out.data, out.len);
    }
    oms_buf_fini(&bytes);
    oms_buf_fini(&out);
}

/* ---- on the shard ---- */

static void returned(struct rt_shard *shard, struct rt_message *message);

void upload_results_free(struct upload_results *results)
{
    *(results->prev ? &results->prev->next : &results->us->results) = results->next;
    if (results->next)
        results->next->prev = results->prev;
    http_payload_release(results->text);
    oms_free(results);
}

static void end(struct upload_results *results)
{
    results->exchange = NULL;
    if (!results->in_flight)
        upload_results_free(results);
}

static void ask(struct upload_results *results)
{
    results->ready = false;
    results->in_flight = true;
    memset(&results->read, 0, sizeof(results->read));
    results->read.run = run;
    results->read.job.tenant = results->address.tenant;
    results->read.job.message.home = (uint16_t)rt_shard_index(results->us->shard);
    results->read.job.message.on_return = returned;
    store_read(actors_store(results->us->uploads->config.api->config.system), results->us->shard,
               &results->read);
}

/* Hands the page that is ready to the connection, and asks for the next. */
static void flow(struct upload_results *results)
{
    while (results->ready && http_stream_is_ready(results->exchange)) {
        struct http_payload *text = results->text;
        const struct http_chunk chunk = {text, text ? http_payload_text(text) : OMS_STR_NONE};
        results->text = NULL;
        if (results->page == results->pages) {
            http_stream_end(results->exchange, &chunk, text != NULL);
            end(results);
            return;
        }
        results->page++;
        ask(results);
        if (text)
            http_stream_send(results->exchange, &chunk, 1);
    }
}

static void on_ready(struct http_exchange *exchange, void *context)
{
    (void)exchange;
    flow(context);
}

static void on_gone(struct http_exchange *exchange, void *context)
{
    (void)exchange;
    end(context);
}

static void begin(struct upload_results *results)
{
    static const struct http_stream_events events = {.ready = on_ready, .gone = on_gone};
    const struct http_header headers[] = {
        {OMS_STR("cache-control"), OMS_STR("no-store")},
        {OMS_STR("content-disposition"), results->jsonl ? OMS_STR("attachment; filename=\"results.jsonl\"")
                                                        : OMS_STR("attachment; filename=\"results.csv\"")},
    };

    results->begun = true;
    if (!http_stream_begin(results->exchange, 200,
                           results->jsonl ? "application/jsonl; charset=utf-8"
                                          : "text/csv; charset=utf-8; header=present",
                           headers, OMS_COUNT_OF(headers), &events, results))
        end(results);
}

static void first_returned(struct upload_results *results, bool ran)
{
    const struct http_header retry = {OMS_STR("retry-after"), OMS_STR("1")};

    if (ran && results->status == OMS_OK) {
        begin(results);
        return;
    }
    if (!ran)
        http_respond_error_with(results->exchange, 503, &retry, 1, "BUSY",
                                "Too many reads are in flight: retry in a moment");
    else if (results->status == OMS_NOT_FOUND)
        http_respond_error(results->exchange, 404, "NOT_FOUND", "There is no such upload");
    else
        http_respond_error(results->exchange, 500, "INTERNAL", "The report cannot be read");
    end(results);
}

static void returned(struct rt_shard *shard, struct rt_message *message)
{
    struct upload_results *results = OMS_CONTAINER_OF(message, struct upload_results, read.job.message);
    bool ran = message->status == OMS_OK;

    (void)shard;
    results->in_flight = false;
    if (!results->exchange) {
        end(results);
        return;
    }
    results->ready = ran && results->status == OMS_OK;
    if (!results->begun) {
        first_returned(results, ran);
    } else if (results->ready) {
        flow(results);
    } else { /* without a proper end: the client sees that it is not whole */
        http_stream_abort(results->exchange);
        end(results);
    }
}

void upload_results_start(struct http_uploads *uploads, struct http_exchange *exchange,
                          const struct rt_address *address, bool as_jsonl, bool only_refused)
{
    struct upload_results *results = oms_calloc(1, sizeof(*results));
    struct upload_shard *us = upload_shard_of(uploads, exchange->shard);

    results->us = us;
    results->exchange = exchange;
    results->address = *address;
    results->jsonl = as_jsonl;
    results->only_refused = only_refused;
    results->next = us->results;
    if (us->results)
        us->results->prev = results;
    us->results = results;
    ask(results);
}
