/*
 * A chunk on its way through an upload: pieces of it to the reader of rows, what the reader makes of them to
 * the orders, at most OMS_UPLOAD_IN_FLIGHT at a time, and then one unit that says how far the file is dealt
 * with.
 *
 * Every order of an upload carries the same idempotency key (keys count per order), so that one which is sent
 * again after a crash is told as made and not as found. When the store is busy an order is sent again for a
 * while. What else goes wrong beside the rows ends the request, and what is in memory goes with it: the
 * client asks where the upload stands, and sends from there.
 */
#include <stdarg.h>
#include <stdio.h>

#include "actors/order.h"
#include "actors/order_input.h"
#include "http/upload/upload_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

#define RETRY_MS        20
#define PENDING_MAX     8192 /* entries until the progress is recorded */
#define JOB_ARENA_CHUNK (16u << 10)
#define ROWS_KEPT       65536
#define PIECES_A_TURN   4

/* An order on its way. */
struct upload_job {
    struct order_call call;
    struct upload_job *next;
    struct upload_session *session;
    size_t pending; /* its entry */
    struct order_command command;
    unsigned char id[IDS_ORDER_SIZE];
    bool own_key; /* no key came with the line */
    bool created, replayed;
    struct refusal_list refusals; /* of the reply; text in call.arena */
};

static void pump(struct upload_session *session);

/* ---- entries ---- */

static size_t keep_text(struct upload_session *session, struct oms_str text)
{
    size_t at = session->texts.len;

    oms_buf_append_str(&session->texts, text);
    OMS_ASSERT(!session->texts.overflow); /* pieces and messages are bounded, and so is what waits */
    return at;
}

static struct upload_pending *add_pending(struct upload_session *session, struct oms_str ref,
                                          const struct import_row_place *rows, size_t row_count)
{
    if (session->pending_count == session->pending_cap) {
        session->pending_cap = session->pending_cap ? session->pending_cap * 2 : 1024;
        session->pending =
            oms_reallocarray(session->pending, session->pending_cap, sizeof(session->pending[0]));
    }
    if (session->row_count + row_count > session->row_cap) {
        session->row_cap = (session->row_count + row_count) * 2;
        session->rows = oms_reallocarray(session->rows, session->row_cap, sizeof(session->rows[0]));
    }
    struct upload_pending *pending = &session->pending[session->pending_count++];
    *pending = (struct upload_pending){.rows_at = session->row_count, .row_count = row_count};
    memcpy(session->rows + session->row_count, rows, row_count * sizeof(*rows));
    session->row_count += row_count;
    pending->ref_len = oms_str_present(ref) ? ref.len : SIZE_MAX;
    pending->ref_at = oms_str_present(ref) ? keep_text(session, ref) : 0;
    return pending;
}

static void settle(struct upload_session *session, struct upload_pending *pending,
                   enum upload_entry_result result, struct oms_str code, struct oms_str field,
                   struct oms_str message)
{
    pending->result = result;
    pending->code_at = keep_text(session, code);
    pending->code_len = code.len;
    pending->field_at = keep_text(session, field);
    pending->field_len = field.len;
    pending->message_at = keep_text(session, message);
    pending->message_len = message.len;
    if (result == UPLOAD_ENTRY_REFUSED && session->upload.terms.stop_on_error)
        session->stopping = true;
}

static void settle_refusal(struct upload_session *session, struct upload_pending *pending,
                           const struct refusal *refusal)
{
    bool other = refusal->code == REFUSAL_CONFLICT && !session->upload.terms.conflict_on_existing;

    settle(session, pending, other ? UPLOAD_ENTRY_OTHER : UPLOAD_ENTRY_REFUSED,
           oms_str_of(refusal_code_name(refusal->code)), refusal->field, refusal->message);
}

static void fail(struct upload_session *session, const char *format, ...) OMS_PRINTF(2, 3);
static void fail(struct upload_session *session, const char *format, ...)
{
    va_list args;

    if (session->failing)
        return;
    session->failing = true;
    va_start(args, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it is */
    vsnprintf(session->failure, sizeof(session->failure), format, args);
    va_end(args);
}

/* ---- jobs ---- */

static struct upload_job *take_job(struct upload_session *session)
{
    struct upload_job *job = session->free_jobs;

    if (job) {
        session->free_jobs = job->next;
        oms_arena_reset(&job->call.arena);
        return job;
    }
    job = oms_calloc(1, sizeof(*job));
    job->session = session;
    oms_arena_init(&job->call.arena, JOB_ARENA_CHUNK, OMS_REQUEST_ARENA_BYTES_MAX);
    oms_buf_init(&job->call.out, OMS_RESPONSE_BYTES_MAX);
    oms_buf_init(&job->call.frozen, OMS_RESPONSE_BYTES_MAX);
    return job;
}

static void give_job(struct upload_session *session, struct upload_job *job)
{
    job->next = session->free_jobs;
    session->free_jobs = job;
}

static void free_list(struct upload_job *job)
{
    while (job) {
        struct upload_job *after = job->next;
        oms_arena_fini(&job->call.arena);
        oms_buf_fini(&job->call.out);
        oms_buf_fini(&job->call.frozen);
        oms_free(job);
        job = after;
    }
}

void upload_jobs_free(struct upload_session *session)
{
    free_list(session->free_jobs);
    free_list(session->busy_jobs);
    session->free_jobs = session->busy_jobs = NULL;
}

/* On the order's shard: writes into the call's own memory only. */
static void render(struct order_call *call, const struct order_reply *reply)
{
    struct upload_job *job = OMS_CONTAINER_OF(call, struct upload_job, call);

    refusal_list_init(&job->refusals, &call->arena);
    if (reply->refusals && reply->refusals->count) {
        const struct refusal *first = &reply->refusals->items[0];
        refusal_add(&job->refusals, first->code, oms_str_copy(&call->arena, first->field), "%.*s",
                    OMS_STR_ARG(first->message));
    }
    job->created = reply->created;
    job->replayed = reply->replayed;
}

static enum upload_trouble trouble_of(const struct upload_job *job)
{
    if (job->call.message.status == OMS_BUSY)
        return UPLOAD_TROUBLE_BUSY;
    if (job->call.message.status != OMS_OK)
        return UPLOAD_TROUBLE_STOPPING;
    switch (job->call.result) {
    case ORDER_CALL_DONE:
        return job->refusals.count && job->refusals.items[0].code == REFUSAL_TENANT_SUSPENDED
                   ? UPLOAD_TROUBLE_SUSPENDED
                   : UPLOAD_NO_TROUBLE;
    case ORDER_CALL_BUSY:
        return UPLOAD_TROUBLE_BUSY;
    case ORDER_CALL_NO_SPACE:
        return UPLOAD_TROUBLE_NO_SPACE;
    case ORDER_CALL_STOPPING:
        return UPLOAD_TROUBLE_STOPPING;
    case ORDER_CALL_UNKNOWN:
        return UPLOAD_TROUBLE_UNKNOWN;
    case ORDER_CALL_FAULT:
        break;
    }
    return UPLOAD_TROUBLE_FAULT;
}

static void settle_job(struct upload_session *session, const struct upload_job *job)
{
    struct upload_pending *pending = &session->pending[job->pending];
    bool made = job->created || (job->own_key && job->replayed);

    memcpy(pending->id, job->id, sizeof(pending->id));
    pending->has_id = true;
    if (job->refusals.count) {
        settle_refusal(session, pending, &job->refusals.items[0]);
        pending->has_id = pending->result == UPLOAD_ENTRY_OTHER;
    } else {
        settle(session, pending, made ? UPLOAD_ENTRY_CREATED : UPLOAD_ENTRY_EXISTING, OMS_STR_NONE,
               OMS_STR_NONE, OMS_STR_NONE);
    }
}

static void send(struct upload_session *session, struct upload_job *job);

/* Orders that met a busy store go again. */
static void retry(struct rt_shard *shard, struct rt_timer *timer)
{
    struct upload_session *session = OMS_CONTAINER_OF(timer, struct upload_session, timer);
    struct upload_job *job = session->busy_jobs;

    if (rt_now_ms(rt_shard_host(shard)) - session->busy_since > OMS_UPLOAD_RETRY_MS)
        session->trouble = UPLOAD_TROUBLE_BUSY;
    session->busy_jobs = NULL;
    while (job) {
        struct upload_job *after = job->next;
        if (session->trouble)
            give_job(session, job);
        else
            send(session, job);
        job = after;
    }
    pump(session);
}

static void put_off(struct upload_session *session, struct upload_job *job)
{
    int64_t now_ms = rt_now_ms(session->us->uploads->config.host);

    if (!session->busy_since)
        session->busy_since = now_ms;
    if (!session->busy_jobs) {
        session->timer.fire = retry;
        rt_timer_start(session->us->shard, &session->timer, now_ms + RETRY_MS);
    }
    job->next = session->busy_jobs;
    session->busy_jobs = job;
}

static void job_returned(struct rt_shard *shard, struct rt_message *message)
{
    struct upload_job *job = OMS_CONTAINER_OF(message, struct upload_job, call.message);
    struct upload_session *session = job->session;
    enum upload_trouble trouble = trouble_of(job);

    (void)shard;
    session->in_flight--;
    if (trouble == UPLOAD_TROUBLE_BUSY && !session->trouble) {
        put_off(session, job);
    } else {
        if (trouble && !session->trouble)
            session->trouble = trouble;
        if (!trouble) {
            session->busy_since = 0;
            settle_job(session, job);
        }
        give_job(session, job);
    }
    pump(session);
}

static void send(struct upload_session *session, struct upload_job *job)
{
    struct order_call *call = &job->call;

    call->kind = ORDER_CALL_COMMAND;
    call->principal = &session->current->principal;
    call->command = &job->command;
    call->command_type = ORDER_COMMAND_CREATE_ORDER;
    call->render = render;
    call->freeze = ORDER_CALL_FREEZE_NEVER;
    call->passing = true;
    call->result = ORDER_CALL_DONE;
    call->message.flags = 0;
    call->message.status = OMS_OK;
    call->message.on_return = job_returned;
    refusal_list_init(&job->refusals, &call->arena);
    ids_order_address(session->address.tenant, job->id, &call->message.to);
    session->in_flight++;
    order_call_send(session->us->shard, call);
}

/* ---- what the reader tells ---- */

static bool check_tenant(struct upload_session *session, const struct oms_value *input,
                         struct refusal_list *refusals)
{
    const struct oms_value *tenant = oms_value_get_set(input, "tenantId");

    if (!tenant ||
        (tenant->kind == OMS_VALUE_STRING && oms_str_eq(tenant->text, session->current->tenant_name)))
        return true;
    return refusal_add(refusals, REFUSAL_INVALID, REFUSAL_FIELD("tenantId"),
                       "All orders of a file belong to one tenant, '%.*s' here",
                       OMS_STR_ARG(session->current->tenant_name));
}

/* The order's command; false with a refusal. */
static bool make_command(struct upload_session *session, struct upload_job *job, struct oms_str text,
                         struct refusal_list *refusals)
{
    struct actors_system *system = session->us->uploads->config.api->config.system;
    struct rt_host *host = session->us->uploads->config.host;
    struct oms_arena *arena = &job->call.arena;
    struct oms_str input = oms_str_copy(arena, text);
    struct oms_json_error json_error;
    struct oms_value value;
    bool known;

    if (!oms_str_present(input) ||
        oms_json_parse(input, OMS_JSON_DEPTH_MAX, arena, &value, &json_error) != OMS_OK)
        return refusal_add(refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_NO_FIELD, "The order is too large");
    if (!check_tenant(session, &value, refusals))
        return false;
    job->own_key = !oms_value_get_set(&value, "idempotencyKey");
    const struct order_input_context context = {
        .principal = &session->current->principal,
        .id_key = actors_id_key(system),
        .now_ms = rt_now_ms(host),
        .random_hi = rt_random(host),
        .random_lo = rt_random(host),
        .header_key = oms_str_of(session->key),
    };
    return order_input_parse(ORDER_COMMAND_CREATE_ORDER, &value, &context, arena, &job->command, job->id,
                             &known, refusals);
}

/* A dry run decides on an empty order: what is there already is not looked at. */
static void decide_only(struct upload_session *session, struct upload_job *job, struct refusal_list *refusals)
{
    const struct upload_ask *ask = session->current;
    const struct tenant_version *tenant = actors_tenant(session->us->shard, session->address.tenant);
    struct principal who = ask->principal;
    struct order_decision decision;
    struct access access;
    struct order *order = order_create();

    actors_principal_own(session->us->shard, &who);
    if (!tenant || !permission_evaluate(&tenant->permissions, &who, &job->call.arena, &access)) {
        refusal_add(refusals, REFUSAL_FORBIDDEN, REFUSAL_NO_FIELD, "The tenant is not there any more");
    } else {
        const struct order_context context = {.now_ms = rt_now_ms(session->us->uploads->config.host),
                                              .principal = &who,
                                              .access = &access,
                                              .workflow = tenant_workflow(tenant, 0)};
        order_decide(order, &job->command, &context, &job->call.arena, &decision);
        if (decision.kind == ORDER_DECISION_REFUSED && decision.refusals.count)
            refusal_add(refusals, decision.refusals.items[0].code,
                        oms_str_copy(&job->call.arena, decision.refusals.items[0].field), "%.*s",
                        OMS_STR_ARG(decision.refusals.items[0].message));
    }
    order_destroy(order);
}

bool upload_on_order(void *context, const struct import_order *order)
{
    struct upload_session *session = context;
    struct refusal_list refusals;

    if (session->replaying)
        return true;
    struct upload_pending *pending = add_pending(session, order->ref, order->rows, order->row_count);
    struct upload_job *job = take_job(session);
    job->pending = (size_t)(pending - session->pending);
    refusal_list_init(&refusals, &job->call.arena);
    bool fine = make_command(session, job, order->input, &refusals);
    if (fine && session->upload.terms.dry_run)
        decide_only(session, job, &refusals);
    if (fine && !refusals.count && !session->upload.terms.dry_run) {
        send(session, job);
        return !session->stopping;
    }
    if (refusals.count)
        settle_refusal(session, pending, &refusals.items[0]);
    else
        settle(session, pending, UPLOAD_ENTRY_CREATED, OMS_STR_NONE, OMS_STR_NONE, OMS_STR_NONE);
    give_job(session, job);
    return !session->stopping;
}

bool upload_on_refused(void *context, const struct import_refusal *refusal)
{
    struct upload_session *session = context;

    if (session->replaying)
        return true;
    struct upload_pending *pending = add_pending(session, refusal->ref, refusal->rows, refusal->row_count);
    settle(session, pending, refusal->skipped ? UPLOAD_ENTRY_SKIPPED : UPLOAD_ENTRY_REFUSED,
           oms_str_of(refusal->code), refusal->field, oms_str_of(refusal->message));
    return !session->stopping;
}

/* ---- reading the chunk ---- */

/* What has been dealt with is not kept; a place is 0 until the header has been read. */
static void trim_tail(struct upload_session *session)
{
    struct import_orders_place place;

    import_orders_place(session->orders, &place);
    OMS_ASSERT(place.offset >= session->tail_offset && place.offset <= session->read_bytes);
    size_t gone = (size_t)(place.offset - session->tail_offset);
    memmove(session->tail.data, session->tail.data + gone, session->tail.len - gone);
    session->tail.len -= gone;
    session->tail_offset += gone;
}

/* The header's bytes are told once, with the first unit behind them. */
static void take_header(struct upload_session *session)
{
    uint64_t len = import_orders_header_len(session->orders);

    if (oms_str_present(session->upload.header) || !len)
        return;
    if (len > OMS_UPLOAD_HEADER_BYTES_MAX) {
        fail(session, "the header row has more than %u bytes", OMS_UPLOAD_HEADER_BYTES_MAX);
        return;
    }
    OMS_ASSERT(session->tail_offset == 0 && len <= session->tail.len);
    upload_put_header(oms_str_make(session->tail.data, (size_t)len), &session->told);
    session->upload.header = OMS_STR(""); /* from now on it is there */
}

static void judge(struct upload_session *session, enum oms_status status)
{
    if (status == OMS_INVALID)
        fail(session, "%s", import_orders_error(session->orders));
    else if (import_orders_closed_count(session->orders) > OMS_UPLOAD_ORDERS_MAX)
        fail(session, "more than %u orders: split the file", OMS_UPLOAD_ORDERS_MAX);
    else if (session->tail.len > OMS_UPLOAD_TAIL_BYTES_MAX)
        fail(session, "the rows of one order have more than %u bytes", OMS_UPLOAD_TAIL_BYTES_MAX);
}

static void read_piece(struct upload_session *session)
{
    const struct upload_ask *ask = session->current;
    size_t len = ask->body.len - session->at;
    const char *piece = ask->body.data + session->at;

    if (len > OMS_UPLOAD_PIECE_BYTES)
        len = OMS_UPLOAD_PIECE_BYTES;
    oms_buf_append(&session->tail, piece, len);
    session->at += len;
    session->read_bytes += len;
    judge(session, import_orders_feed(session->orders, piece, len));
    if (!session->failing)
        take_header(session);
    if (!session->failing && !session->stopping)
        trim_tail(session);
    session->must_checkpoint = session->texts.len > OMS_UPLOAD_PAGE_BYTES ||
                               session->pending_count > PENDING_MAX || session->row_count > ROWS_KEPT;
}

static bool may_read(const struct upload_session *session)
{
    return !session->trouble && !session->stopping && !session->failing && !session->must_checkpoint &&
           !session->ended && session->in_flight < OMS_UPLOAD_IN_FLIGHT && !session->busy_jobs;
}

/* ---- the unit ---- */

static struct oms_str text_at(const struct upload_session *session, size_t at, size_t len)
{
    return oms_str_make(session->texts.data ? session->texts.data + at : "", len);
}

static void count(struct upload_counts *counts, const struct upload_pending *pending)
{
    counts->rows += pending->row_count;
    counts->orders += pending->result != UPLOAD_ENTRY_REFUSED || pending->ref_len != SIZE_MAX;
    counts->created += pending->result == UPLOAD_ENTRY_CREATED;
    counts->existing += pending->result == UPLOAD_ENTRY_EXISTING;
    counts->other += pending->result == UPLOAD_ENTRY_OTHER;
    counts->refused += pending->result == UPLOAD_ENTRY_REFUSED;
    counts->skipped += pending->result == UPLOAD_ENTRY_SKIPPED;
    if (pending->result == UPLOAD_ENTRY_REFUSED)
        counts->rows_refused += pending->row_count;
}

static void write_page(struct upload_session *session)
{
    struct upload_counts *counts = &session->progress.counts;

    oms_buf_reset(&session->page);
    for (size_t i = 0; i < session->pending_count; i++) {
        const struct upload_pending *pending = &session->pending[i];
        const struct import_row_place *rows = session->rows + pending->rows_at;
        struct upload_entry entry = {
            .result = pending->result,
            .row_count = pending->row_count,
            .ref = pending->ref_len == SIZE_MAX ? OMS_STR_NONE
                                                : text_at(session, pending->ref_at, pending->ref_len),
            .has_id = pending->has_id && !session->upload.terms.dry_run,
            .code = text_at(session, pending->code_at, pending->code_len),
            .field = text_at(session, pending->field_at, pending->field_len),
            .message = text_at(session, pending->message_at, pending->message_len),
        };
        memcpy(entry.id, pending->id, sizeof(entry.id));
        OMS_ASSERT(entry.result);
        upload_page_put(&entry, rows, &session->page);
        bool shown = entry.result == UPLOAD_ENTRY_REFUSED && counts->refused < OMS_UPLOAD_FAULTS_SHOWN;
        count(counts, pending);
        if (shown) {
            entry.row_count = 1; /* the first says enough */
            upload_page_put(&entry, rows, &session->faults);
        }
    }
    session->pending_count = session->row_count = 0;
    oms_buf_reset(&session->texts);
}

static enum upload_phase phase_of(const struct upload_session *session)
{
    return session->failing    ? UPLOAD_FAILED
           : session->stopping ? UPLOAD_STOPPED
           : session->ended    ? UPLOAD_COMPLETE
                               : UPLOAD_OPEN;
}

static void tell_progress(struct upload_session *session)
{
    struct upload_progress *progress = &session->progress;
    const struct upload_ask *ask = session->current;
    struct import_orders_place place;

    *progress = session->upload.progress;
    write_page(session);
    if (progress->report_bytes + session->page.len > OMS_UPLOAD_REPORT_BYTES_MAX)
        fail(session, "the report has more than %llu bytes: split the file", OMS_UPLOAD_REPORT_BYTES_MAX);
    import_orders_place(session->orders, &place);
    progress->phase = phase_of(session);
    progress->offset = session->read_bytes;
    progress->length = ask->has_length ? ask->length : progress->length;
    progress->place =
        (struct upload_place){place.offset, place.line, place.row, place.poison_line, place.after_cr};
    progress->tail = progress->phase == UPLOAD_OPEN ? oms_buf_str(&session->tail) : OMS_STR_NONE;
    progress->faults = session->faults.len ? oms_buf_str(&session->faults) : OMS_STR_NONE;
    progress->failure = session->failing ? oms_str_of(session->failure) : OMS_STR_NONE;
    progress->report_bytes += session->page.len;
    session->call.pages = session->upload.pages + (session->page.len > 0);
    session->call.removes = false;
    upload_put_progress(progress, &session->told);
    if (session->page.len)
        upload_put_page(oms_buf_str(&session->page), &session->told);
}

/* ---- its way ---- */

static void answer_trouble(struct upload_session *session)
{
    static const struct {
        unsigned status, retry_s;
        const char *code, *message;
    } answers[] = {
        [UPLOAD_TROUBLE_BUSY] = {503, 1, "BUSY", "The server is busy: ask where the upload stands and go on"},
        [UPLOAD_TROUBLE_NO_SPACE] = {503, 30, "BUSY", "The disk is almost full: go on later"},
        [UPLOAD_TROUBLE_STOPPING] = {503, 5, "BUSY", "The server is stopping: go on when it is back"},
        [UPLOAD_TROUBLE_UNKNOWN] = {503, 5, "OUTCOME_UNKNOWN",
                                    "A write failed: ask where the upload stands and go on"},
        [UPLOAD_TROUBLE_FAULT] = {500, 0, "INTERNAL", "An order cannot be read"},
        [UPLOAD_TROUBLE_SUSPENDED] = {503, 30, "TENANT_SUSPENDED", "The tenant is suspended"},
    };
    struct upload_ask *ask = session->current;

    upload_ask_fail(ask, answers[session->trouble].status, answers[session->trouble].code, "%s",
                    answers[session->trouble].message);
    ask->retry_s = answers[session->trouble].retry_s;
    upload_session_drop(session);
}

static void resend(struct rt_shard *shard, struct rt_timer *timer)
{
    struct upload_session *session = OMS_CONTAINER_OF(timer, struct upload_session, timer);

    upload_call_send(shard, &session->call);
}

static void committed(struct upload_session *session)
{
    bool removes = session->call.removes;

    session->upload.version = session->call.version;
    session->upload.pages = session->call.pages;
    session->upload.changed_at = rt_now_ms(session->us->uploads->config.host);
    session->upload.removed = removes;
    session->upload.progress = session->progress;
    session->upload.progress.tail = OMS_STR_NONE; /* in session->tail, which moves */
    session->busy_since = 0;
}

static void checkpoint_returned(struct rt_shard *shard, struct rt_message *message)
{
    struct upload_call *call = OMS_CONTAINER_OF(message, struct upload_call, message);
    struct upload_session *session = OMS_CONTAINER_OF(call, struct upload_session, call);
    int64_t now_ms = rt_now_ms(rt_shard_host(shard));
    bool busy = message->status == OMS_BUSY || (message->status == OMS_OK && call->result == UPLOAD_BUSY);

    if (busy && !session->busy_since)
        session->busy_since = now_ms;
    if (busy && now_ms - session->busy_since < OMS_UPLOAD_RETRY_MS) {
        session->timer.fire = resend;
        rt_timer_start(shard, &session->timer, now_ms + RETRY_MS);
        return;
    }
    session->checkpointing = false;
    if (message->status == OMS_OK && call->result == UPLOAD_DONE) {
        committed(session);
        session->checkpoint_done(session);
        return;
    }
    session->trouble = busy                              ? UPLOAD_TROUBLE_BUSY
                       : message->status != OMS_OK       ? UPLOAD_TROUBLE_STOPPING
                       : call->result == UPLOAD_NO_SPACE ? UPLOAD_TROUBLE_NO_SPACE
                       : call->result == UPLOAD_UNKNOWN  ? UPLOAD_TROUBLE_UNKNOWN
                                                         : UPLOAD_TROUBLE_STOPPING;
    answer_trouble(session);
}

void upload_checkpoint(struct upload_session *session, void (*done)(struct upload_session *session))
{
    OMS_ASSERT(!session->checkpointing && !session->told.overflow);
    session->checkpointing = true;
    session->checkpoint_done = done;
    session->call.address = session->address;
    session->call.version = session->upload.version;
    session->call.told = oms_buf_str(&session->told);
    session->call.message.status = OMS_OK;
    session->call.message.on_return = checkpoint_returned;
    upload_call_send(session->us->shard, &session->call);
}

/* ---- the course of a chunk ---- */

static void finish_reader(struct upload_session *session)
{
    import_orders_destroy(session->orders);
    import_map_destroy(session->map);
    session->orders = NULL;
    session->map = NULL;
    oms_buf_fini(&session->tail);
    oms_buf_init(&session->tail, OMS_UPLOAD_TAIL_BYTES_MAX + 2 * OMS_UPLOAD_PIECE_BYTES);
    upload_jobs_free(session);
}

static void recorded(struct upload_session *session)
{
    struct upload_ask *ask = session->current;
    enum upload_phase phase = session->upload.progress.phase;

    session->must_checkpoint = false;
    oms_buf_reset(&session->told);
    if (phase == UPLOAD_OPEN && (session->at < ask->body.len || (ask->ends && !session->ended))) {
        pump(session);
        return;
    }
    if (phase != UPLOAD_OPEN)
        finish_reader(session);
    ask->status = phase == UPLOAD_OPEN ? 204 : phase == UPLOAD_FAILED ? 422 : 200;
    upload_session_tell(session, phase != UPLOAD_OPEN);
    upload_session_done(session);
}

static void record(struct upload_session *session)
{
    tell_progress(session);
    upload_checkpoint(session, recorded);
}

static void go_on(struct rt_shard *shard, struct rt_timer *timer)
{
    (void)shard;
    pump(OMS_CONTAINER_OF(timer, struct upload_session, timer));
}

/* Goes on with the chunk as far as it can; called whenever something has come back. */
static void pump(struct upload_session *session)
{
    const struct upload_ask *ask = session->current;

    if (session->checkpointing)
        return;
    /* While orders are on their way, each that comes back brings the next piece; so a turn stays short. */
    for (unsigned pieces = 0; may_read(session) && session->at < ask->body.len; pieces++) {
        if (pieces == PIECES_A_TURN) {
            session->timer.fire = go_on;
            rt_timer_start(session->us->shard, &session->timer, rt_now_ms(session->us->uploads->config.host));
            return;
        }
        read_piece(session);
        if (session->in_flight)
            break;
    }
    if (may_read(session) && session->at == ask->body.len && ask->ends) {
        judge(session, import_orders_finish(session->orders));
        session->ended = !session->failing && !session->stopping;
    }
    if (session->in_flight || session->busy_jobs)
        return;
    if (session->trouble)
        answer_trouble(session);
    else
        record(session);
}

/* Refuses a chunk that does not fit; false then. */
static bool check_chunk(struct upload_session *session)
{
    struct upload_ask *ask = session->current;
    const struct upload_progress *progress = &session->upload.progress;
    uint64_t length = progress->length ? progress->length : session->upload.terms.length;

    if (progress->phase != UPLOAD_OPEN)
        upload_ask_fail(ask, 409, "CONFLICT", "The upload has ended: it takes no more bytes");
    else if (ask->offset != progress->offset)
        upload_ask_fail(ask, 409, "CONFLICT", "The upload stands at offset %llu, not %llu",
                        (unsigned long long)progress->offset, (unsigned long long)ask->offset);
    else if (ask->has_length && length && ask->length != length)
        upload_ask_fail(ask, 400, "BAD_REQUEST", "Upload-Length was %llu before", (unsigned long long)length);
    else {
        if (ask->has_length)
            length = ask->length;
        uint64_t end = ask->offset + ask->body.len;
        if (end > OMS_UPLOAD_BYTES_MAX || (length && end > length))
            upload_ask_fail(ask, 413, "LIMIT_EXCEEDED", "More bytes than %s",
                            end > OMS_UPLOAD_BYTES_MAX ? "a file may have" : "Upload-Length said");
        else if (ask->ends && length && end < length)
            upload_ask_fail(ask, 400, "BAD_REQUEST", "Upload-Complete before Upload-Length has been reached");
        else {
            ask->ends = ask->ends || (length && end == length);
            return true;
        }
    }
    upload_session_tell(session, false);
    return false;
}

void upload_feed(struct upload_session *session)
{
    if (!check_chunk(session)) {
        upload_session_done(session);
        return;
    }
    session->at = 0;
    session->trouble = UPLOAD_NO_TROUBLE;
    session->busy_since = 0;
    oms_buf_reset(&session->told);
    pump(session);
}
