/*
 * The life of an upload in memory: found by its address, read from the store when it is not there, asked one
 * request after the other, and forgotten when nobody has asked for a while. Everything that counts is in the
 * store, so it can be dropped at any time between two units.
 */
#include <inttypes.h>
#include <stdio.h>

#include "actors/order_codec.h"
#include "http/upload/upload_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/log.h"
#include "storage/keys.h"

#define SWEEP_MS 10000

static void work(struct upload_session *session);

struct upload_shard *upload_shard_of(struct http_uploads *uploads, struct rt_shard *shard)
{
    return &uploads->shards[rt_shard_index(shard)];
}

/* ---- the list of a shard's sessions, longest idle first ---- */

static void unlink_session(struct upload_session *session)
{
    struct upload_shard *us = session->us;

    *(session->prev ? &session->prev->next : &us->first) = session->next;
    *(session->next ? &session->next->prev : &us->last) = session->prev;
    us->count--;
}

static void link_session(struct upload_session *session)
{
    struct upload_shard *us = session->us;

    session->prev = us->last;
    session->next = NULL;
    *(us->last ? &us->last->next : &us->first) = session;
    us->last = session;
    us->count++;
}

static bool is_idle(const struct upload_session *session)
{
    return !session->current && !session->loading && !session->first;
}

void upload_session_free(struct upload_session *session)
{
    upload_jobs_free(session);
    import_orders_destroy(session->orders);
    import_map_destroy(session->map);
    oms_buf_fini(&session->stored);
    oms_buf_fini(&session->faults);
    oms_buf_fini(&session->tail);
    oms_buf_fini(&session->texts);
    oms_buf_fini(&session->page);
    oms_buf_fini(&session->told);
    oms_free(session->pending);
    oms_free(session->rows);
    oms_free(session);
}

static void forget(struct upload_session *session)
{
    OMS_ASSERT(is_idle(session) && session->in_flight == 0);
    rt_timer_stop(session->us->shard, &session->timer);
    unlink_session(session);
    upload_session_free(session);
}

static void sweep(struct rt_shard *shard, struct rt_timer *timer)
{
    struct upload_shard *us = OMS_CONTAINER_OF(timer, struct upload_shard, sweep);
    int64_t now_ms = rt_now_ms(us->uploads->config.host);

    for (struct upload_session *session = us->first, *next; session; session = next) {
        next = session->next;
        bool old = now_ms - session->used_ms >= OMS_UPLOAD_IDLE_MS || us->count > OMS_UPLOADS_SHARD_MAX;
        if (!old)
            break;
        if (is_idle(session))
            forget(session);
    }
    us->sweeping = us->first != NULL;
    if (us->sweeping)
        rt_timer_start(shard, timer, now_ms + SWEEP_MS);
}

static struct upload_session *find(struct upload_shard *us, const struct rt_address *address)
{
    struct upload_session *session = us->last;

    while (session && !rt_address_eq(&session->address, address))
        session = session->prev;
    return session;
}

static struct upload_session *make(struct upload_shard *us, const struct rt_address *address)
{
    struct upload_session *session = oms_calloc(1, sizeof(*session));
    char id[UPLOAD_ID_TEXT + 1];

    session->us = us;
    session->address = *address;
    upload_id_text(address->key, id);
    snprintf(session->key, sizeof(session->key), "import:%s", id);
    oms_buf_init(&session->stored, OMS_UNIT_BYTES_MAX);
    oms_buf_init(&session->faults, 64u << 10);
    oms_buf_init(&session->tail, OMS_UPLOAD_TAIL_BYTES_MAX + 2 * OMS_UPLOAD_PIECE_BYTES);
    oms_buf_init(&session->texts, 64u << 20);
    oms_buf_init(&session->page, OMS_UNIT_BYTES_MAX);
    oms_buf_init(&session->told, OMS_UNIT_BYTES_MAX);
    link_session(session);
    if (!us->sweeping) {
        us->sweeping = true;
        us->sweep.fire = sweep;
        rt_timer_start(us->shard, &us->sweep, rt_now_ms(us->uploads->config.host) + SWEEP_MS);
    }
    return session;
}

/* ---- loading: in the pool ---- */

static enum oms_status make_reader(struct upload_session *session)
{
    struct import_orders_sink sink = {session, upload_on_order, upload_on_refused};
    struct oms_error error;
    enum oms_status status = upload_map_make(&session->upload.terms, &session->map, &error);

    if (status == OMS_OK)
        session->orders = import_orders_create(session->map, &sink);
    return status == OMS_OK ? OMS_OK : OMS_CORRUPT;
}

/* The keys of the orders that were closed before: they are in the report. */
static enum oms_status load_closed(struct upload_session *session, struct store_engine *engine,
                                   struct store_view *view)
{
    enum oms_status status = OMS_OK;
    struct upload_page_reader reader;
    struct upload_entry entry;
    struct oms_buf page;

    oms_buf_init(&page, OMS_UNIT_BYTES_MAX);
    for (uint32_t number = 1; status == OMS_OK && number <= session->upload.pages; number++) {
        unsigned char key[ORDER_ASIDE_KEY_SIZE];
        order_aside_key(&session->address, ORDER_ASIDE_UPLOAD_PAGE, number, key);
        oms_buf_reset(&page);
        status = engine->ops->view_get(view, STORE_ASIDE, oms_str_make(key, sizeof(key)), &page);
        if (status != OMS_OK)
            break;
        upload_page_read(&reader, oms_buf_str(&page));
        while (upload_page_next(&reader, &entry))
            if (oms_str_present(entry.ref))
                import_orders_add_closed(session->orders, entry.ref);
        status = reader.wire.corrupt ? OMS_CORRUPT : OMS_OK;
    }
    oms_buf_fini(&page);
    return status == OMS_NOT_FOUND ? OMS_CORRUPT : status;
}

static enum oms_status read_again(struct upload_session *session, struct oms_str bytes)
{
    return bytes.len ? import_orders_feed(session->orders, bytes.data, bytes.len) : OMS_OK;
}

static enum oms_status load_reader(struct upload_session *session, struct store_engine *engine,
                                   struct store_view *view)
{
    const struct upload_progress *progress = &session->upload.progress;
    const struct import_orders_place place = {progress->place.offset, progress->place.line,
                                              progress->place.row, progress->place.poison_line,
                                              progress->place.after_cr};
    enum oms_status status = make_reader(session);

    session->replaying = true;
    if (status == OMS_OK && oms_str_present(session->upload.header))
        status = read_again(session, session->upload.header);
    if (status == OMS_OK && place.offset)
        import_orders_seek(session->orders, &place);
    if (status == OMS_OK)
        status = load_closed(session, engine, view);
    if (status == OMS_OK)
        status = read_again(session, progress->tail);
    session->replaying = false;
    session->tail_offset = place.offset;
    session->read_bytes = progress->offset;
    oms_buf_reset(&session->tail);
    oms_buf_append_str(&session->tail, progress->tail);
    return status == OMS_OK ? OMS_OK : OMS_CORRUPT;
}

static void load_run(struct store_read *read, struct store_engine *engine, struct store_view *view)
{
    struct upload_session *session = OMS_CONTAINER_OF(read, struct upload_session, read);
    unsigned char key[STORE_ADDRESS_KEY_SIZE];

    store_address_key(&session->address, key);
    oms_buf_reset(&session->stored);
    session->read_status =
        engine->ops->view_get(view, STORE_STATE, oms_str_make(key, sizeof(key)), &session->stored);
    if (session->read_status == OMS_OK)
        session->read_status = upload_decode(oms_buf_str(&session->stored), &session->upload);
    if (session->read_status != OMS_OK)
        return;
    oms_buf_reset(&session->faults);
    oms_buf_append_str(&session->faults, session->upload.progress.faults);
    if (session->upload.progress.phase == UPLOAD_OPEN)
        session->read_status = load_reader(session, engine, view);
}

static void load_returned(struct rt_shard *shard, struct rt_message *message)
{
    struct upload_session *session = OMS_CONTAINER_OF(message, struct upload_session, read.job.message);
    enum oms_status status = message->status == OMS_OK ? session->read_status : OMS_BUSY;

    (void)shard;
    session->loading = false;
    session->loaded = status == OMS_OK || status == OMS_NOT_FOUND;
    if (status == OMS_NOT_FOUND)
        session->upload = (struct upload){0};
    if (session->loaded) {
        work(session);
        return;
    }
    if (status != OMS_BUSY)
        OMS_LOG(OMS_LOG_ERROR, "import.load_failed", OMS_LOG_TEXT("status", oms_status_name(status)));
    if (status == OMS_BUSY)
        upload_ask_fail(session->current, 503, "BUSY", "Too many reads are in flight: retry in a moment");
    else
        upload_ask_fail(session->current, 500, "INTERNAL", "The upload cannot be read");
    session->current->retry_s = status == OMS_BUSY;
    upload_session_drop(session);
}

static void load(struct upload_session *session)
{
    struct store_read *read = &session->read;

    memset(read, 0, sizeof(*read));
    read->run = load_run;
    read->job.tenant = session->address.tenant;
    read->job.message.home = (uint16_t)rt_shard_index(session->us->shard);
    read->job.message.on_return = load_returned;
    session->loading = true;
    store_read(actors_store(session->us->uploads->config.api->config.system), session->us->shard, read);
}

/* ---- asking ---- */

void upload_session_tell(struct upload_session *session, bool whole)
{
    struct upload_ask *ask = session->current;
    const struct upload_progress *progress = &session->upload.progress;

    ask->known = true;
    ask->complete = progress->phase != UPLOAD_OPEN;
    ask->offset_now = progress->offset;
    ask->length_now = progress->length ? progress->length : session->upload.terms.length;
    if (whole)
        upload_write_state(&session->upload, &session->address, &ask->out);
}

static void created(struct upload_session *session)
{
    session->current->status = 201;
    upload_session_tell(session, true);
    upload_session_done(session);
}

static void create(struct upload_session *session)
{
    struct upload_ask *ask = session->current;

    struct upload fresh = {.version = 1, .terms = ask->terms};

    fresh.terms.created_at = rt_now_ms(session->us->uploads->config.host);
    oms_buf_reset(&session->told);
    upload_put_created(&fresh.terms, &session->told);
    oms_buf_reset(&session->stored); /* from here on the terms' texts are the session's own */
    upload_encode(&fresh, &session->stored);
    OMS_ASSERT(upload_decode(oms_buf_str(&session->stored), &session->upload) == OMS_OK);
    session->upload.version = 0;
    session->loaded = true;
    session->progress = (struct upload_progress){0};
    if (make_reader(session) != OMS_OK) { /* it was made before, to see whether it can be */
        upload_ask_fail(ask, 500, "INTERNAL", "The map cannot be used");
        upload_session_drop(session);
        return;
    }
    session->call.pages = 0;
    session->call.removes = false;
    upload_checkpoint(session, created);
}

static void removed(struct upload_session *session)
{
    session->current->status = 204;
    upload_session_drop(session);
}

static void remove_upload(struct upload_session *session)
{
    session->call.pages = session->upload.pages;
    session->call.removes = true;
    session->progress = session->upload.progress;
    oms_buf_reset(&session->told);
    upload_checkpoint(session, removed);
}

/* Works on the current ask; it ends by upload_session_done or _drop. */
static void work(struct upload_session *session)
{
    struct upload_ask *ask = session->current;

    if (ask->op == UPLOAD_OP_CREATE) {
        create(session);
    } else if (!session->loaded) {
        load(session);
    } else if (!session->upload.version) {
        upload_ask_fail(ask, 404, "NOT_FOUND", "There is no such upload");
        upload_session_drop(session);
    } else if (ask->op == UPLOAD_OP_EXPIRE &&
               upload_expires_at(&session->upload) > rt_now_ms(session->us->uploads->config.host)) {
        upload_session_done(session); /* it has gone on meanwhile */
    } else if (ask->op == UPLOAD_OP_REMOVE || ask->op == UPLOAD_OP_EXPIRE) {
        remove_upload(session);
    } else if (ask->op == UPLOAD_OP_STATE) {
        ask->status = 200;
        upload_session_tell(session, true);
        upload_session_done(session);
    } else {
        upload_feed(session);
    }
}

static void next(struct upload_session *session)
{
    struct upload_ask *ask = session->first;

    if (!ask)
        return;
    session->first = ask->next;
    if (!session->first)
        session->last = NULL;
    session->waiting--;
    session->current = ask;
    work(session);
}

static void finish_current(struct upload_session *session)
{
    struct upload_ask *ask = session->current;

    session->current = NULL;
    session->used_ms = rt_now_ms(session->us->uploads->config.host);
    unlink_session(session);
    link_session(session);
    upload_ask_return(ask);
}

void upload_session_done(struct upload_session *session)
{
    finish_current(session);
    next(session);
}

void upload_session_drop(struct upload_session *session)
{
    struct upload_shard *us = session->us;
    struct rt_address address = session->address;
    struct upload_ask *first = session->first, *last = session->last;
    unsigned waiting = session->waiting;

    session->first = session->last = NULL;
    finish_current(session);
    forget(session);
    if (!first)
        return;
    /* The others are asked of what is durable. */
    struct upload_session *again = make(us, &address);
    again->first = first;
    again->last = last;
    again->waiting = waiting;
    next(again);
}

void upload_session_take(struct upload_ask *ask)
{
    struct rt_host *host = ask->uploads->config.host;
    struct upload_shard *us = &ask->uploads->shards[rt_shard_of(host, &ask->address)];
    struct upload_session *session = find(us, &ask->address);

    if (!session)
        session = make(us, &ask->address);
    if (session->waiting >= OMS_UPLOAD_WAITING_MAX) {
        upload_ask_fail(ask, 429, "BUSY", "Too many requests wait for this upload: one at a time is enough");
        ask->retry_s = 1;
        upload_ask_return(ask);
        return;
    }
    ask->next = NULL;
    *(session->last ? &session->last->next : &session->first) = ask;
    session->last = ask;
    session->waiting++;
    if (!session->current)
        next(session);
}
