/* An upload's state as clients see it, and the list of a tenant's uploads. */
#include <inttypes.h>

#include "http/upload/upload_impl.h"
#include "runtime/base/assert.h"
#include "runtime/base/datetime.h"
#include "runtime/base/json.h"
#include "storage/keys.h"

static void put_text(struct oms_buf *out, const char *name, struct oms_str text)
{
    oms_buf_appendf(out, ",\"%s\":", name);
    if (oms_str_present(text))
        oms_json_write_string(out, text);
    else
        oms_buf_append_lit(out, "null");
}

static void put_instant(struct oms_buf *out, const char *name, int64_t ms)
{
    char text[OMS_DATETIME_TEXT_SIZE];
    size_t len = oms_datetime_format(ms, text);

    put_text(out, name, oms_str_make(text, len));
}

static void put_fault(struct upload_page_reader *reader, const struct upload_entry *entry,
                      struct oms_buf *out)
{
    struct import_row_place row = {0, 0};

    (void)upload_page_row(reader, &row);
    if (row.number)
        oms_buf_appendf(out, "{\"row\":%" PRIu64 ",\"line\":%" PRIu64, row.number, row.line);
    else
        oms_buf_appendf(out, "{\"row\":null,\"line\":%" PRIu64, row.line);
    put_text(out, "externalRef", entry->ref);
    put_text(out, "code", entry->code);
    put_text(out, "field", entry->field.len ? entry->field : OMS_STR_NONE);
    put_text(out, "message", entry->message);
    oms_buf_append_char(out, '}');
}

static void put_faults(struct oms_str faults, struct oms_buf *out)
{
    struct upload_page_reader reader;
    struct upload_entry entry;
    bool any = false;

    oms_buf_append_lit(out, ",\"faults\":[");
    upload_page_read(&reader, oms_str_present(faults) ? faults : OMS_STR(""));
    while (upload_page_next(&reader, &entry)) {
        if (any)
            oms_buf_append_char(out, ',');
        any = true;
        put_fault(&reader, &entry, out);
    }
    oms_buf_append_char(out, ']');
}

static const char *phase_word(enum upload_phase phase)
{
    switch (phase) {
    case UPLOAD_OPEN:
        return "open";
    case UPLOAD_COMPLETE:
        return "complete";
    case UPLOAD_STOPPED:
        return "stopped";
    case UPLOAD_FAILED:
        break;
    }
    return "failed";
}

void upload_write_state(const struct upload *upload, const struct rt_address *address, struct oms_buf *out)
{
    const struct upload_progress *progress = &upload->progress;
    const struct upload_counts *counts = &progress->counts;
    uint64_t length = progress->length ? progress->length : upload->terms.length;
    char id[UPLOAD_ID_TEXT + 1];

    upload_id_text(address->key, id);
    oms_buf_appendf(out, "{\"uploadId\":\"%s\",\"state\":\"%s\",\"offset\":%" PRIu64 ",\"length\":", id,
                    phase_word(progress->phase), progress->offset);
    if (length)
        oms_buf_append_u64(out, length);
    else
        oms_buf_append_lit(out, "null");
    put_text(out, "map", upload->terms.map_name);
    oms_buf_appendf(out, ",\"dryRun\":%s,\"onError\":\"%s\",\"onExisting\":\"%s\"",
                    upload->terms.dry_run ? "true" : "false", upload->terms.stop_on_error ? "stop" : "skip",
                    upload->terms.conflict_on_existing ? "conflict" : "skip");
    put_text(out, "startedBy", upload->terms.subject);
    put_instant(out, "createdAt", upload->terms.created_at);
    put_instant(out, "expiresAt", upload_expires_at(upload));
    oms_buf_appendf(out,
                    ",\"rows\":%" PRIu64 ",\"orders\":%" PRIu64 ",\"created\":%" PRIu64
                    ",\"existing\":%" PRIu64 ",\"existingOther\":%" PRIu64 ",\"refused\":%" PRIu64
                    ",\"rowsRefused\":%" PRIu64 ",\"skipped\":%" PRIu64,
                    counts->rows, counts->orders, counts->created, counts->existing, counts->other,
                    counts->refused, counts->rows_refused, counts->skipped);
    put_faults(progress->faults, out);
    put_text(out, "failure", progress->failure);
    oms_buf_append_char(out, '}');
}

/* ---- the list ---- */

static void list_run(struct store_read *read, struct store_engine *engine, struct store_view *view)
{
    struct upload_ask *ask = OMS_CONTAINER_OF(read, struct upload_ask, read);
    struct rt_address at = {.tenant = ask->address.tenant, .kind = RT_ACTOR_UPLOAD}, end = at;
    unsigned char lower[STORE_ADDRESS_KEY_SIZE], upper[STORE_ADDRESS_KEY_SIZE];
    struct oms_str key, value;
    struct upload upload;

    end.kind++;
    store_address_key(&at, lower);
    store_address_key(&end, upper);
    struct oms_str from = oms_str_make(lower, sizeof(lower));
    struct store_iter *iter =
        engine->ops->iter_open(view, STORE_STATE, from, oms_str_make(upper, sizeof(upper)));
    ask->read_status = OMS_OK;
    engine->ops->iter_seek(iter, from);
    while (engine->ops->iter_item(iter, &key, &value, &ask->read_status)) {
        if (key.len == STORE_ADDRESS_KEY_SIZE && upload_decode(value, &upload) == OMS_OK) {
            store_address_read((const unsigned char *)key.data, &at);
            if (ask->count++)
                oms_buf_append_char(&ask->out, ',');
            upload_write_state(&upload, &at, &ask->out);
        }
        engine->ops->iter_next(iter);
    }
    engine->ops->iter_close(iter);
}

static void listed(struct rt_shard *shard, struct rt_message *message)
{
    struct upload_ask *ask = OMS_CONTAINER_OF(message, struct upload_ask, read.job.message);
    bool found = message->status == OMS_OK && ask->read_status == OMS_OK;

    (void)shard;
    if (!found) {
        upload_ask_fail(ask, 503, "BUSY", "The uploads cannot be read now: retry in a moment");
        ask->retry_s = 1;
        upload_ask_answer(ask);
    } else if (ask->op == UPLOAD_OP_CREATE) {
        upload_create(ask);
    } else {
        oms_buf_append_lit(&ask->out, "]}");
        ask->status = 200;
        upload_ask_answer(ask);
    }
}

void upload_list(struct upload_ask *ask)
{
    if (ask->op != UPLOAD_OP_CREATE)
        oms_buf_append_lit(&ask->out, "{\"uploads\":[");
    ask->read.run = list_run;
    ask->read.job.tenant = ask->address.tenant;
    ask->read.job.message.home = (uint16_t)rt_shard_index(ask->shard);
    ask->read.job.message.on_return = listed;
    store_read(actors_store(ask->uploads->config.api->config.system), ask->shard, &ask->read);
}
