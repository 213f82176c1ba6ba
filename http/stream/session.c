/*
 * Readers: opening, where each stands, and how each ends.
 *
 * A session waits for its topic's registration, reads the log until it is where the ring begins, and is then
 * a place in the ring. Payloads at or before its own cursor are skipped, so that what came from the log does
 * not come again from the ring. A reader is woken at the end of a turn, never from inside a call of its own.
 */
#include <stdio.h>

#include "actors/order_call.h"
#include "http/stream/stream_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"

#define WAKES_PER_TURN 2048

_Static_assert(sizeof(struct stream_session) + sizeof(struct stream_reader) <= 512,
               "ten thousand of them wait");

/* ---- by when tokens expire: a binary heap ---- */

static int64_t expires(const struct stream_session *session)
{
    return session->claims->expires_ms;
}

static void heap_put(struct stream_shard *ss, struct stream_session *session, size_t at)
{
    ss->heap[at] = session;
    session->heap_index = at;
}

static void heap_up(struct stream_shard *ss, struct stream_session *session, size_t at)
{
    for (; at > 0 && expires(ss->heap[(at - 1) / 2]) > expires(session); at = (at - 1) / 2)
        heap_put(ss, ss->heap[(at - 1) / 2], at);
    heap_put(ss, session, at);
}

static void heap_down(struct stream_shard *ss, struct stream_session *session, size_t at)
{
    for (size_t child; (child = 2 * at + 1) < ss->heap_count; at = child) {
        if (child + 1 < ss->heap_count && expires(ss->heap[child + 1]) < expires(ss->heap[child]))
            child++;
        if (expires(ss->heap[child]) >= expires(session))
            break;
        heap_put(ss, ss->heap[child], at);
    }
    heap_put(ss, session, at);
}

static void heap_add(struct stream_shard *ss, struct stream_session *session)
{
    if (ss->heap_count == ss->heap_cap) {
        ss->heap_cap = ss->heap_cap ? ss->heap_cap * 2 : 64;
        ss->heap = oms_reallocarray(ss->heap, ss->heap_cap, sizeof(*ss->heap));
    }
    heap_up(ss, session, ss->heap_count++);
}

static void heap_remove(struct stream_shard *ss, struct stream_session *session)
{
    size_t at = session->heap_index;
    struct stream_session *last = ss->heap[--ss->heap_count];
    OMS_ASSERT(ss->heap[at] == session || last == session);
    if (last == session)
        return;
    heap_up(ss, last, at);
    heap_down(ss, last, last->heap_index);
}

/* ---- waking ---- */

void stream_session_wake(struct stream_session *session)
{
    stream_list_remove(&session->queue);
    stream_list_add(&session->ss->wakes, &session->queue);
    rt_shard_touch(session->ss->shard);
}

void stream_sessions_wake(struct stream_shard *ss)
{
    while (!stream_list_is_empty(&ss->touched)) {
        struct stream_topic *topic = OMS_CONTAINER_OF(ss->touched.next, struct stream_topic, touch);
        stream_list_remove(&topic->touch);
        topic->touched = false;
        stream_list_splice(&ss->wakes, &topic->waiting);
    }
    for (unsigned i = 0; i < WAKES_PER_TURN && !stream_list_is_empty(&ss->wakes); i++) {
        struct stream_session *session = OMS_CONTAINER_OF(ss->wakes.next, struct stream_session, queue);
        stream_list_remove(&session->queue);
        session->armed = false;
        session->reader->ops->wake(session->reader);
    }
    if (!stream_list_is_empty(&ss->wakes))
        rt_shard_touch(ss->shard);
}

/* Nothing to pop: from now on it is woken. */
static void arm(struct stream_session *session)
{
    session->armed = true;
    if (session->state == STREAM_SESSION_LIVE && stream_list_is_empty(&session->queue))
        stream_list_add(&session->topic->waiting, &session->queue);
}

/* ---- in and out of topics ---- */

static void join(struct stream_session *session, struct stream_topic *topic)
{
    session->topic = topic;
    session->state = STREAM_SESSION_JOINING;
    stream_list_add(&topic->members, &session->member);
    topic->member_count++;
}

/* Lets go of the topic and of what is on its way for the session. */
static void detach(struct stream_session *session)
{
    struct stream_topic *topic = session->topic;
    if (!topic)
        return;
    stream_list_remove(&session->member);
    stream_list_remove(&session->queue);
    if (--topic->member_count == 0)
        topic->empty_ms = rt_now_ms(session->ss->hub->host);
    if (session->catchup)
        stream_catchup_drop(session->catchup);
    http_payload_release(session->first);
    session->catchup = NULL;
    session->first = NULL;
    session->topic = NULL;
}

static void probe_drop(struct stream_session *session);

void stream_session_end(struct stream_session *session, enum stream_end end)
{
    if (session->end != STREAM_END_NONE)
        return;
    session->end = (uint8_t)end;
    session->ss->stats.ended[end]++;
    probe_drop(session); /* what the order answers is of no account now */
    detach(session);
    heap_remove(session->ss, session);
    stream_session_wake(session);
}

static void end_with(struct stream_session *session, enum stream_end end, const char *code,
                     const char *message)
{
    if (!session->fault)
        session->fault = oms_calloc(1, sizeof(*session->fault));
    session->fault->code = code;
    snprintf(session->fault->message, sizeof(session->fault->message), "%s", message);
    stream_session_end(session, end);
}

/* ---- where it stands ---- */

/* A reader of the server's own, as who publishes to a broker: in no count of a tenant's streams, and reads
 * from where it was, however long ago. */
static bool is_ours(const struct http_claims *claims)
{
    return claims->kind == PRINCIPAL_SYSTEM;
}

/* The first place in the ring behind the cursor. */
static uint64_t place_after(const struct stream_topic *topic, struct ids_cursor cursor)
{
    uint64_t low = topic->tail, high = topic->head;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        const struct http_payload *payload = topic->ring[middle & (topic->ring_cap - 1)];
        if (stream_cursor_before(cursor, (struct ids_cursor){payload->commit, payload->ordinal}))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void attach(struct stream_session *session)
{
    struct stream_topic *topic = session->topic;
    if (session->catchup)
        stream_catchup_drop(session->catchup);
    session->catchup = NULL;
    session->state = STREAM_SESSION_LIVE;
    session->place = place_after(topic, session->cursor);
    if (!session->armed || !stream_list_is_empty(&session->queue))
        return; /* it will pop */
    if (session->place < topic->head)
        stream_session_wake(session);
    else
        stream_list_add(&topic->waiting, &session->queue);
}

static bool can_attach(const struct stream_session *session)
{
    return session->topic->state == STREAM_TOPIC_LIVE && !session->topic->stopped &&
           !stream_cursor_before(session->cursor, session->topic->ring_from);
}

static void read_log(struct stream_session *session)
{
    struct stream_hub *hub = session->ss->hub;
    bool fresh = session->state == STREAM_SESSION_JOINING;
    session->state = STREAM_SESSION_CATCHUP;
    session->catchup = stream_catchup_create(session->topic, session, session->cursor);
    session->catchup->ask_kept = fresh && hub->replay_ms && !is_ours(session->claims);
    stream_catchup_ask(session->catchup);
}

void stream_session_settle(struct stream_session *session)
{
    if (session->probe || session->state != STREAM_SESSION_JOINING ||
        session->topic->state != STREAM_TOPIC_LIVE || session->topic->stopped)
        return;
    if (can_attach(session))
        attach(session);
    else
        read_log(session);
}

void stream_session_again(struct stream_session *session)
{
    if (session->state != STREAM_SESSION_LIVE || can_attach(session))
        return;
    stream_list_remove(&session->queue);
    session->armed = true;
    read_log(session);
}

/* The page is used up: the ring, or the next page. */
static void page_over(struct stream_session *session)
{
    struct stream_catchup *catchup = session->catchup;
    if (stream_cursor_before(session->cursor, catchup->end))
        session->cursor = catchup->end;
    catchup->ask_kept = false;
    if (can_attach(session))
        attach(session);
    else
        stream_catchup_ask(catchup);
}

static void expired(struct stream_session *session)
{
    struct ids_cursor first = session->catchup->first_kept;
    session->fault = oms_calloc(1, sizeof(*session->fault));
    session->fault->first = first;
    session->fault->has_first = true;
    end_with(
        session, STREAM_END_CURSOR, "CURSOR_EXPIRED",
        "The cursor lies before what is kept for streams: begin at firstCursor, and read what is older from "
        "tenantEventLog");
}

void stream_session_catchup_done(struct stream_session *session)
{
    struct stream_catchup *catchup = session->catchup;
    if (catchup->expired) {
        expired(session);
    } else if (catchup->status != OMS_OK) {
        stream_session_end(session, STREAM_END_FAULT);
    } else if (catchup->count) {
        if (session->armed)
            stream_session_wake(session);
    } else {
        if (catchup->more && !session->first) { /* a filter has left nothing of many: say how far it is */
            session->first = stream_topic_checkpoint(session->topic, catchup->end);
            if (session->armed)
                stream_session_wake(session);
        }
        page_over(session);
    }
}

/* ---- popping ---- */

static struct http_payload *pop_page(struct stream_session *session)
{
    struct stream_catchup *catchup = session->catchup;
    if (catchup->in_flight || catchup->next == catchup->count)
        return NULL; /* a read under way writes the page in its own time */
    struct http_payload *payload = catchup->items[catchup->next++];
    session->cursor = (struct ids_cursor){payload->commit, payload->ordinal};
    if (catchup->next == catchup->count)
        page_over(session);
    return payload;
}

static struct http_payload *pop_ring(struct stream_session *session)
{
    struct stream_topic *topic = session->topic;
    if (session->place < topic->tail) {
        stream_session_end(session, STREAM_END_SLOW);
        return NULL;
    }
    while (session->place < topic->head) {
        struct http_payload *payload = topic->ring[session->place++ & (topic->ring_cap - 1)];
        struct ids_cursor at = {payload->commit, payload->ordinal};
        if (!stream_cursor_before(session->cursor, at))
            continue;
        session->cursor = at;
        return http_payload_hold(payload);
    }
    return NULL;
}

struct http_payload *stream_pop(struct stream_reader *reader)
{
    struct stream_session *session = reader->session;
    struct http_payload *payload = NULL;
    if (session->end != STREAM_END_NONE || session->probe) {
        session->armed = true;
        return NULL;
    }
    if (session->first) {
        payload = session->first;
        session->first = NULL;
        struct ids_cursor at = {payload->commit, payload->ordinal};
        if (stream_cursor_before(session->cursor, at))
            session->cursor = at;
    } else if (session->state == STREAM_SESSION_CATCHUP) {
        payload = pop_page(session);
    }
    if (!payload && session->state == STREAM_SESSION_LIVE)
        payload = pop_ring(session);
    if (payload)
        session->ss->stats.delivered++;
    else if (session->end == STREAM_END_NONE)
        arm(session);
    return payload;
}

/* ---- may the order be read? ---- */

/* Asks the order itself, which says "nothing" for one that is not there and for one that is not theirs. */
struct stream_probe {
    struct order_call call;
    struct stream_link loan;
    struct stream_session *session; /* NULL: nobody's any more */
    const struct http_claims *claims;
    struct principal principal;
    bool readable, moved;
};

static void probe_destroy(struct stream_probe *probe)
{
    stream_list_remove(&probe->loan);
    oms_arena_fini(&probe->call.arena);
    oms_buf_fini(&probe->call.out);
    oms_buf_fini(&probe->call.frozen);
    http_claims_release(probe->claims);
    oms_free(probe);
}

/* On the order's shard. */
static void probe_render(struct order_call *call, const struct order_reply *reply)
{
    OMS_CONTAINER_OF(call, struct stream_probe, call)->readable = reply->order != NULL;
}

static void probe_answered(struct stream_session *session, const struct stream_probe *probe,
                           enum oms_status status)
{
    session->probe = NULL;
    if (status != OMS_OK || probe->call.result == ORDER_CALL_BUSY) {
        end_with(session, STREAM_END_FAULT, "BUSY", "Too much is in flight: retry in a moment");
    } else if (probe->call.result != ORDER_CALL_DONE) {
        stream_session_end(session, STREAM_END_FAULT);
    } else if (!probe->readable) {
        stream_session_end(session, probe->moved ? STREAM_END_FORBIDDEN : STREAM_END_NOT_FOUND);
    } else {
        if (session->first)
            stream_session_wake(session);
        stream_session_settle(session);
    }
}

static void probe_returned(struct rt_shard *shard, struct rt_message *message)
{
    struct stream_probe *probe = OMS_CONTAINER_OF(message, struct stream_probe, call.message);
    (void)shard;
    if (probe->session)
        probe_answered(probe->session, probe, message->status);
    probe_destroy(probe);
}

static void probe_drop(struct stream_session *session)
{
    if (session->probe)
        session->probe->session = NULL;
    session->probe = NULL;
}

static void probe_start(struct stream_session *session, bool moved)
{
    struct stream_shard *ss = session->ss;
    const struct stream_spec *spec = session->topic->spec;
    struct stream_probe *probe = oms_calloc(1, sizeof(*probe));
    probe->session = session;
    probe->moved = moved;
    probe->claims = http_claims_hold(session->claims);
    http_claims_principal(probe->claims, spec->tenant, &probe->principal);
    oms_arena_init(&probe->call.arena, 1024, OMS_REQUEST_ARENA_BYTES_MAX);
    oms_buf_init(&probe->call.out, 64);
    oms_buf_init(&probe->call.frozen, 64);
    probe->call.kind = ORDER_CALL_READ;
    probe->call.principal = &probe->principal;
    probe->call.render = probe_render;
    probe->call.message.on_return = probe_returned;
    ids_order_address(spec->tenant, spec->order_id, &probe->call.message.to);
    stream_list_add(&ss->loans_probes, &probe->loan);
    session->probe = probe;
    order_call_send(ss->shard, &probe->call);
    rt_shard_touch(ss->shard);
}

/* ---- opening ---- */

struct opening {
    struct stream_shard *ss;
    const struct stream_request *request;
    const struct gql_root *root;
    const struct tenant_version *tenant;
    struct principal principal;
    struct access access;
    struct ids_cursor from;
    bool from_now, counted;
    struct gql_errors *errors;
};

static bool refuse(struct opening *opening, const char *code, const char *message)
{
    struct gql_error *error = gql_errors_add(opening->errors, code, "%s", message);
    if (error) {
        error->line = opening->root->line;
        error->column = opening->root->column;
    }
    return false;
}

static struct oms_str text_arg(const struct opening *opening, const char *name)
{
    const struct oms_value *value = oms_value_get_set(opening->root->args, name);
    return value ? value->text : OMS_STR_NONE;
}

static bool find_tenant(struct opening *opening)
{
    const struct stream_request *request = opening->request;
    struct stream_shard *ss = opening->ss;
    struct oms_str name;
    enum http_tenant_fault fault =
        http_claims_tenant(request->claims, request->tenant_header, text_arg(opening, "tenantId"),
                           ss->hub->api->config.single_tenant, &name);
    if (fault != HTTP_TENANT_FINE)
        return refuse(opening, fault == HTTP_TENANT_REQUIRED ? "TENANT_REQUIRED" : "FORBIDDEN",
                      http_tenant_fault_message(fault));
    opening->tenant = actors_tenant_by_name(ss->shard, name);
    if (!opening->tenant || opening->tenant->status == TENANT_REMOVED)
        return refuse(opening, "FORBIDDEN", http_tenant_fault_message(HTTP_TENANT_FORBIDDEN));
    return true;
}

static bool find_access(struct opening *opening)
{
    http_claims_principal(opening->request->claims, opening->tenant->number, &opening->principal);
    actors_principal_own(opening->ss->shard, &opening->principal);
    oms_arena_reset(&opening->ss->scratch);
    if (!permission_evaluate(&opening->tenant->permissions, &opening->principal, &opening->ss->scratch,
                             &opening->access))
        return refuse(opening, "INTERNAL", "Too many permissions");
    return access_may(&opening->access, PERMISSION_GET_ORDER) ||
           refuse(opening, "FORBIDDEN", "Reading orders (get_order) is not permitted");
}

static bool check_arguments(struct opening *opening)
{
    const struct api_subscription_op *op = opening->root->host;
    const struct order_event_filter *filter;
    unsigned char id[IDS_ORDER_SIZE];
    struct refusal_list refusals;
    if (op->field == API_ORDER_EVENTS)
        return ids_order_parse(text_arg(opening, "orderId"), id) == OMS_OK ||
               refuse(opening, "NOT_FOUND", "There is no such order, or it is not yours to see");
    refusal_list_init(&refusals, &opening->ss->scratch);
    if (order_event_filter_parse(oms_value_get_set(opening->root->args, "filter"), &opening->ss->scratch,
                                 &filter, &refusals) == OMS_OK)
        return true;
    struct oms_str text =
        refusals.count ? oms_str_copy(opening->errors->arena, refusals.items[0].message) : OMS_STR_NONE;
    return refuse(opening, "BAD_USER_INPUT", text.len ? text.data : "The filter is too large");
}

static bool check_size(struct opening *opening)
{
    char text[120];
    if (opening->request->variables.len <= OMS_STREAM_VARIABLES_BYTES_MAX)
        return true;
    snprintf(text, sizeof(text), "The variables of a subscription have at most %u bytes",
             OMS_STREAM_VARIABLES_BYTES_MAX);
    return refuse(opening, "LIMIT_EXCEEDED", text);
}

static bool find_cursor(struct opening *opening)
{
    struct oms_str after = text_arg(opening, "after"), last = opening->request->last_event_id;
    bool resumed = oms_str_present(last) && last.len;
    uint64_t durable =
        store_durable_commit(opening->ss->hub->store, store_partition_of(opening->tenant->number));
    if (resumed)
        after = last;
    if (!oms_str_present(after)) {
        opening->from_now = true;
        opening->from = (struct ids_cursor){durable, STREAM_ORDINAL_END};
        return true;
    }
    if (ids_cursor_parse(after, &opening->from) != OMS_OK)
        return refuse(opening, "BAD_USER_INPUT",
                      resumed ? "Last-Event-ID is not a cursor of this server"
                              : "\"after\" is not a cursor of this server");
    return opening->from.commit <= durable ||
           refuse(opening, "BAD_USER_INPUT", "The cursor lies beyond the end of the log");
}

/* Counts the stream in; false when there are too many. */
static bool count_in(struct opening *opening)
{
    struct stream_shard *ss = opening->ss;
    _Atomic uint32_t *count = &ss->hub->tenant_streams[opening->tenant->number];
    uint64_t most = opening->tenant->limits.streams;
    if (ss->draining)
        return refuse(opening, "SERVER_STOPPING", "The server is stopping: connect again in a moment");
    if (ss->stats.readers >= OMS_STREAMS_MAX)
        return refuse(opening, "BUSY", "The server has as many streams as it can: retry in a moment");
    if (is_ours(opening->request->claims)) {
        ss->stats.readers++;
        ss->stats.opened++;
        return true;
    }
    uint32_t before = atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
    if (most && before >= most) {
        atomic_fetch_sub_explicit(count, 1, memory_order_relaxed);
        return refuse(opening, "LIMIT_EXCEEDED", "The tenant has as many streams as it may");
    }
    opening->counted = !access_unscoped(&opening->access, PERMISSION_GET_ORDER);
    if (opening->counted && !stream_subject_take(ss, opening->tenant->number, opening->request->claims)) {
        atomic_fetch_sub_explicit(count, 1, memory_order_relaxed);
        return refuse(opening, "LIMIT_EXCEEDED", "You have as many streams as you may: close some of them");
    }
    ss->stats.readers++;
    ss->stats.opened++;
    return true;
}

static void count_out(struct stream_session *session)
{
    session->ss->stats.readers--;
    if (is_ours(session->claims))
        return;
    atomic_fetch_sub_explicit(&session->ss->hub->tenant_streams[session->tenant], 1, memory_order_relaxed);
    if (session->counted)
        stream_subject_give(session->ss, session->tenant, session->claims);
}

static struct stream_session *session_create(const struct opening *opening, struct stream_reader *reader)
{
    struct stream_session *session = oms_calloc(1, sizeof(*session));
    stream_list_init(&session->member);
    stream_list_init(&session->queue);
    session->reader = reader;
    session->ss = opening->ss;
    session->claims = http_claims_hold(opening->request->claims);
    session->tenant = opening->tenant->number;
    session->cursor = opening->from;
    session->armed = true;
    session->counted = opening->counted;
    heap_add(opening->ss, session);
    reader->session = session;
    return session;
}

enum oms_status stream_open(struct api_shard *as, struct stream_reader *reader,
                            const struct stream_request *request, struct gql_errors *errors)
{
    struct opening opening = {
        .ss = as->streams, .request = request, .root = gql_request_root(request->gql, 0), .errors = errors};
    if (!opening.root->host) { /* __typename, or arguments that were refused when they were bound */
        oms_buf_reset(&opening.ss->value);
        (void)gql_execute_meta(request->gql, 0, &opening.ss->value, errors);
        if (!errors->count)
            (void)refuse(&opening, "BAD_USER_INPUT", "A subscription names a field of Subscription");
        return OMS_INVALID;
    }
    if (!find_tenant(&opening) || !find_access(&opening) || !check_arguments(&opening) ||
        !check_size(&opening) || !find_cursor(&opening) || !count_in(&opening))
        return OMS_INVALID;
    struct stream_session *session = session_create(&opening, reader);
    struct stream_spec *spec =
        stream_spec_create(request, opening.tenant, &opening.principal, &opening.access, errors);
    struct stream_topic *topic = spec ? stream_topic_get(opening.ss, spec) : NULL;
    if (!topic) {
        if (spec)
            (void)refuse(&opening, "LIMIT_EXCEEDED", "The subscription is too large");
        stream_close(reader);
        return OMS_LIMIT;
    }
    join(session, topic);
    if (opening.from_now) {
        session->first = stream_topic_checkpoint(topic, session->cursor);
        stream_session_wake(session);
    }
    if (topic->spec->field == API_ORDER_EVENTS)
        probe_start(session, false);
    stream_session_settle(session);
    return OMS_OK;
}

void stream_close(struct stream_reader *reader)
{
    struct stream_session *session = reader->session;
    if (session->end == STREAM_END_NONE) {
        session->ss->stats.ended[STREAM_END_NONE]++;
        heap_remove(session->ss, session);
    }
    probe_drop(session);
    detach(session);
    stream_list_remove(&session->queue);
    count_out(session);
    http_claims_release(session->claims);
    oms_free(session->fault);
    oms_free(session);
    reader->session = NULL;
}

/* ---- ends ---- */

static const struct {
    const char *code, *message;
} ends[] = {
    [STREAM_END_NONE] = {"NONE", ""},
    [STREAM_END_SLOW] = {"SLOW_READER",
                         "The stream was not read as fast as events came: resume after the cursor"},
    [STREAM_END_FORBIDDEN] = {"FORBIDDEN", "Reading these orders is not permitted any more"},
    [STREAM_END_EXPIRED] = {"TOKEN_EXPIRED", "The token has expired: resume after the cursor with a new one"},
    [STREAM_END_CURSOR] = {"BAD_USER_INPUT", "The stream cannot begin at this cursor"},
    [STREAM_END_DRAIN] = {"SERVER_STOPPING", "The server is stopping: resume after the cursor"},
    [STREAM_END_FAULT] = {"INTERNAL", "The stream cannot go on: resume after the cursor"},
    [STREAM_END_NOT_FOUND] = {"NOT_FOUND", "There is no such order, or it is not yours to see"},
};

const char *stream_end_code(enum stream_end end)
{
    return ends[end].code;
}

enum stream_end stream_ended(const struct stream_reader *reader)
{
    return (enum stream_end)reader->session->end;
}

static void put_cursor(struct oms_buf *out, const char *name, struct ids_cursor cursor)
{
    oms_buf_appendf(out, ",\"%s\":", name);
    if (cursor.commit)
        (void)api_write_cursor(out, cursor.commit, cursor.ordinal);
    else
        oms_buf_append_lit(out, "\"0\"");
}

struct http_payload *stream_last_words(const struct stream_reader *reader)
{
    const struct stream_session *session = reader->session;
    const struct stream_fault *fault = session->fault;
    struct oms_buf json;
    oms_buf_init(&json, 4096);
    oms_buf_append_lit(&json, "{\"errors\":[{\"message\":");
    oms_json_write_string(&json, oms_str_of(fault ? fault->message : ends[session->end].message));
    oms_buf_append_lit(&json, ",\"extensions\":{\"code\":");
    oms_json_write_string(&json, oms_str_of(fault ? fault->code : ends[session->end].code));
    put_cursor(&json, "cursor", session->cursor);
    if (fault && fault->has_first)
        put_cursor(&json, "firstCursor", fault->first);
    oms_buf_append_lit(&json, "}}]}");
    struct http_payload *payload = http_payload_event("next", OMS_STR_NONE, oms_buf_str(&json));
    oms_buf_fini(&json);
    return payload;
}

/* ---- a new version of the tenant ---- */

/* Joins a topic of the new version where it stands, or ends. */
static void move(struct stream_session *session, const struct tenant_version *tenant)
{
    struct stream_shard *ss = session->ss;
    struct stream_topic *old = session->topic, *topic = NULL;
    struct principal principal;
    struct access access;
    OMS_ASSERT(old); /* it is a member */
    http_claims_principal(session->claims, tenant->number, &principal);
    actors_principal_own(ss->shard, &principal);
    oms_arena_reset(&ss->scratch);
    if (tenant->status == TENANT_REMOVED ||
        !permission_evaluate(&tenant->permissions, &principal, &ss->scratch, &access) ||
        !access_may(&access, PERMISSION_GET_ORDER)) {
        stream_session_end(session, STREAM_END_FORBIDDEN);
        return;
    }
    struct stream_spec *spec =
        stream_spec_again(old->spec, old->binding.request, tenant, &principal, &access);
    if (spec)
        topic = stream_topic_get(ss, spec);
    if (!topic) {
        stream_session_end(session, STREAM_END_FAULT);
        return;
    }
    bool probed = !session->probe; /* one that asks already is answered by the version that it meets */
    session->armed = session->armed || !stream_list_is_empty(&session->queue);
    detach(session);
    join(session, topic);
    if (probed && topic->spec->field == API_ORDER_EVENTS)
        probe_start(session, true);
    stream_session_settle(session);
}

void stream_sessions_tenant(struct stream_shard *ss, const struct tenant_version *tenant)
{
    for (struct stream_link *link = ss->topics.next; link != &ss->topics; link = link->next) {
        struct stream_topic *topic = OMS_CONTAINER_OF(link, struct stream_topic, all);
        if (topic->spec->tenant != tenant->number || topic->spec->version >= tenant->version)
            continue;
        stream_topic_stop(topic);
        while (!stream_list_is_empty(&topic->members))
            move(OMS_CONTAINER_OF(topic->members.next, struct stream_session, member), tenant);
    }
}

/* ---- something else is stored of a user ---- */

/* Whether what the session reads is executed for somebody who may see something else. */
static bool sees_another(struct stream_session *session, const struct tenant_version *tenant)
{
    struct stream_shard *ss = session->ss;
    struct principal principal;
    struct access access;
    http_claims_principal(session->claims, tenant->number, &principal);
    actors_principal_own(ss->shard, &principal);
    oms_arena_reset(&ss->scratch);
    return !permission_evaluate(&tenant->permissions, &principal, &ss->scratch, &access) ||
           access_class(&access) != access_class(&session->topic->spec->access);
}

/* Told only when the grants differ, so all sessions of the shard may be looked at. */
void stream_sessions_user(struct stream_shard *ss, const struct user_version *user)
{
    const struct tenant_version *tenant = actors_tenant(ss->shard, user->tenant);
    struct stream_session **theirs = NULL;
    size_t count = 0;
    if (!tenant || !ss->heap_count)
        return;
    for (size_t i = 0; i < ss->heap_count; i++) {
        struct stream_session *session = ss->heap[i];
        if (session->tenant != user->tenant || !session->topic ||
            !oms_str_eq(session->claims->subject, user->user))
            continue;
        if (!theirs)
            theirs = oms_calloc(ss->heap_count, sizeof(theirs[0]));
        theirs[count++] = session;
    }
    for (size_t i = 0; i < count; i++)
        if (sees_another(theirs[i], tenant))
            move(theirs[i], tenant);
    oms_free(theirs);
}

/* ---- now and then ---- */

void stream_sessions_tick(struct stream_shard *ss, int64_t now_ms)
{
    while (ss->heap_count && expires(ss->heap[0]) < now_ms)
        stream_session_end(ss->heap[0], STREAM_END_EXPIRED);
    for (struct stream_link *link = ss->loans_catchups.next; link != &ss->loans_catchups; link = link->next) {
        struct stream_catchup *catchup = OMS_CONTAINER_OF(link, struct stream_catchup, loan);
        if (catchup->again && catchup->session)
            stream_catchup_ask(catchup);
    }
}

void stream_drain(struct api_shard *as)
{
    struct stream_shard *ss = as->streams;
    ss->draining = true;
    while (ss->heap_count)
        stream_session_end(ss->heap[0], STREAM_END_DRAIN);
}

/* What never came home: the host has stopped. */
void stream_sessions_fini(struct stream_shard *ss)
{
    while (!stream_list_is_empty(&ss->loans_probes))
        probe_destroy(OMS_CONTAINER_OF(ss->loans_probes.next, struct stream_probe, loan));
    oms_free(ss->heap);
}
