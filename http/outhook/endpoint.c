/*
 * One endpoint: its events from the log to their acknowledgement.
 *
 *   reader ─▶ pending, in the order of the log ─▶ chain of its order ─▶ queue of those that are ready ─▶
 * flight ▲                                                │ └── rests, and is tried again ◀── failed
 * ◀───────┤ dead letter ◀── too often ◀─┘   acknowledged ─▶ settled
 *
 * Only the first of an order's events is ever on its way, so an order's events arrive in order; orders go
 * side by side. An event that is settled frees its place, wherever it stood: what fails holds up its own
 * order only. Where the endpoint fails as a whole, one delivery at a time asks whether it is well again,
 * after pauses that grow; what comes meanwhile stays in the log.
 */
#include <stdio.h>

#include "http/outhook/outhook_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"

#define REOPEN_MS     1000
#define STALE_MS      30000 /* between two records of a place that moved on without a delivery */
#define MARK_AGAIN_MS 1000
#define POPS_MAX      256        /* events that one go takes in */
#define NEWS_MAX      (1u << 20) /* of dead letters that are not recorded: then nothing more is tried */
#define FRESH_TRIES   2 /* failures of an event that speak of its endpoint; later ones speak of the event */

int64_t outhook_now_ms(const struct outhook_endpoint *ep)
{
    return rt_now_ms(ep->os->hub->config.host);
}

bool outhook_before(struct ids_cursor a, struct ids_cursor b)
{
    return a.commit < b.commit || (a.commit == b.commit && a.ordinal < b.ordinal);
}

struct ids_cursor outhook_place_before(struct ids_cursor at)
{
    if (at.ordinal)
        return (struct ids_cursor){at.commit, at.ordinal - 1};
    return at.commit > 1 ? (struct ids_cursor){at.commit - 1, UINT32_MAX} : (struct ids_cursor){0, 0};
}

static void count(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

bool outhook_endpoint_is_on(const struct outhook_endpoint *ep)
{
    return !ep->disabled && !ep->removed &&
           !(ep->outlet.gone_revision && ep->outlet.gone_revision == ep->revision);
}

/* ---- what is pending ---- */

static struct outhook_chain **chain_place(struct outhook_endpoint *ep, struct oms_str order)
{
    static const struct oms_hash_key key = {UINT64_C(0x6f7574686f6f6b73), UINT64_C(0x636861696e73)};
    struct outhook_chain **place =
        &ep->buckets[oms_siphash64(&key, order.data, order.len) & (OUTHOOK_BUCKETS - 1)];

    while (*place && !oms_str_eq_c(order, (*place)->order))
        place = &(*place)->next;
    return place;
}

static void queue_push(struct outhook_endpoint *ep, struct outhook_event *event)
{
    event->state = OUTHOOK_READY;
    event->queue_next = NULL;
    if (ep->ready_last)
        ep->ready_last->queue_next = event;
    else
        ep->ready_first = event;
    ep->ready_last = event;
}

static struct outhook_event *queue_pop(struct outhook_endpoint *ep)
{
    struct outhook_event *event = ep->ready_first;

    ep->ready_first = event->queue_next;
    if (!ep->ready_first)
        ep->ready_last = NULL;
    return event;
}

static void rest(struct outhook_endpoint *ep, struct outhook_event *event, int64_t due_ms)
{
    event->state = OUTHOOK_RESTING;
    event->due = due_ms;
    if (!ep->resting++ || due_ms < ep->due_ms)
        ep->due_ms = due_ms;
}

/* Those that have rested enough are ready. */
static void wake_rested(struct outhook_endpoint *ep, int64_t now_ms)
{
    if (!ep->resting || now_ms < ep->due_ms)
        return;
    ep->due_ms = INT64_MAX;
    for (struct outhook_event *event = ep->first; event; event = event->next) {
        if (event->state != OUTHOOK_RESTING)
            continue;
        if (event->due <= now_ms) {
            ep->resting--;
            queue_push(ep, event);
        } else if (event->due < ep->due_ms) {
            ep->due_ms = event->due;
        }
    }
}

static void add(struct outhook_endpoint *ep, struct http_payload *payload, struct oms_str order,
                const struct outlet_pending *known)
{
    struct outhook_chain **place = chain_place(ep, order);
    struct outhook_event *event = oms_calloc(1, sizeof(*event));

    if (!*place) {
        *place = oms_calloc(1, sizeof(**place));
        snprintf((*place)->order, sizeof((*place)->order), "%.*s", OMS_STR_ARG(order));
    }
    event->chain = *place;
    event->at = (struct ids_cursor){payload->commit, payload->ordinal};
    event->payload = http_payload_hold(payload);
    event->prev = ep->last;
    *(ep->last ? &ep->last->next : &ep->first) = event;
    ep->last = event;
    ep->pending++;
    ep->pending_bytes += payload->json_len;
    if (known)
        event->tries = known->tries;
    if (event->chain->last) {
        event->state = OUTHOOK_WAITING;
        event->chain->last->behind = event;
    } else {
        event->chain->first = event;
    }
    event->chain->last = event;
    if (event->chain->first != event)
        return;
    if (known && known->tries && known->due > outhook_now_ms(ep))
        rest(ep, event, known->due);
    else
        queue_push(ep, event);
}

static void drop_chain(struct outhook_endpoint *ep, struct outhook_chain *chain)
{
    struct outhook_chain **place = chain_place(ep, oms_str_of(chain->order));

    OMS_ASSERT(*place == chain);
    *place = chain->next;
    oms_free(chain);
}

static void free_event(struct outhook_endpoint *ep, struct outhook_event *event)
{
    *(event->prev ? &event->prev->next : &ep->first) = event->next;
    *(event->next ? &event->next->prev : &ep->last) = event->prev;
    ep->pending--;
    ep->pending_bytes -= event->payload->json_len;
    http_payload_release(event->payload);
    oms_free(event);
}

/* The first of its order is done with: the next one may go. */
static void settle(struct outhook_endpoint *ep, struct outhook_event *event)
{
    struct outhook_chain *chain = event->chain;

    OMS_ASSERT(chain->first == event && event->state == OUTHOOK_FLYING);
    chain->first = event->behind;
    if (chain->first)
        queue_push(ep, chain->first);
    else
        drop_chain(ep, chain);
    free_event(ep, event);
    ep->dirty = true;
}

/* ---- reading ---- */

static struct gql_request *bind(struct outhook_endpoint *ep, const char *filter,
                                struct gql_prepared *prepared, struct oms_arena *arena,
                                struct oms_str *variables, struct gql_errors *errors)
{
    struct oms_value *tree = OMS_ARENA_NEW(arena, struct oms_value);
    struct gql_request *gql = NULL;
    struct oms_json_error fault;
    struct oms_buf text;

    (void)ep;
    *variables = OMS_STR_NONE;
    if (!filter)
        return gql_bind(prepared, OMS_STR_NONE, NULL, arena, &gql, errors) == OMS_OK ? gql : NULL;
    oms_buf_init(&text, OMS_ENDPOINT_FILTER_BYTES_MAX + 64);
    oms_buf_appendf(&text, "{\"filter\":%s}", filter);
    *variables = oms_str_copy(arena, oms_buf_str(&text));
    oms_buf_fini(&text);
    if (!tree || !oms_str_present(*variables) ||
        oms_json_parse(*variables, OMS_JSON_DEPTH_MAX, arena, tree, &fault) != OMS_OK ||
        gql_bind(prepared, OMS_STR_NONE, tree, arena, &gql, errors) != OMS_OK)
        return NULL;
    return gql;
}

bool outhook_read_from(struct outhook_endpoint *ep, struct stream_reader *reader,
                       const struct stream_reader_ops *ops, const char *filter, struct ids_cursor after)
{
    struct api *api = ep->os->hub->config.api;
    struct gql_prepared *prepared = NULL;
    struct gql_request *gql = NULL;
    struct gql_errors errors;
    struct oms_arena arena;
    struct oms_str variables;
    char text[IDS_CURSOR_TEXT_MAX] = "0";
    bool fine = false;

    if (after.commit)
        ids_cursor_text(after, text);
    oms_arena_init(&arena, 4096, 1u << 20);
    gql_errors_init(&errors, &arena);
    if (gql_prepare(api->schema, oms_str_of(outhook_event_document), &prepared, &errors) == OMS_OK)
        gql = bind(ep, filter, prepared, &arena, &variables, &errors);
    if (gql) {
        const struct stream_request request = {.document = oms_str_of(outhook_event_document),
                                               .variables = variables,
                                               .gql = gql,
                                               .claims = ep->os->claims,
                                               .tenant_header = oms_str_of(ep->tenant_name),
                                               .last_event_id = oms_str_of(text)};
        reader->ops = ops;
        fine = stream_open(api->shards[ep->os->index], reader, &request, &errors) == OMS_OK;
    }
    if (!fine)
        OMS_LOG(OMS_LOG_WARN, "webhook_out.cannot_read", OMS_LOG_TEXT("tenant", ep->tenant_name),
                OMS_LOG_TEXT("endpoint", ep->id),
                OMS_LOG_STR("reason", errors.count ? errors.items[0].message : OMS_STR_NONE));
    if (prepared)
        gql_prepared_release(prepared);
    oms_arena_fini(&arena);
    return fine;
}

static void close_reader(struct outhook_endpoint *ep)
{
    if (ep->open)
        stream_close(&ep->reader);
    ep->open = false;
}

static bool has_room(const struct outhook_endpoint *ep)
{
    return ep->pending < OMS_OUTHOOK_PENDING_MAX && ep->pending_bytes < OMS_OUTHOOK_PENDING_BYTES;
}

/*
 * Whether an event at this place is to be delivered: up to where it was read the last time, only what was
 * pending then.
 */
static bool is_wanted(struct outhook_endpoint *ep, struct ids_cursor at, const struct outlet_pending **known)
{
    *known = NULL;
    if (outhook_before(ep->resume_end, at))
        return true;
    while (ep->resume_next < ep->resume_count && outhook_before(ep->resume[ep->resume_next].at, at))
        ep->resume_next++; /* the filter has changed: it is not wanted any more */
    if (ep->resume_next == ep->resume_count || outhook_before(at, ep->resume[ep->resume_next].at))
        return false;
    *known = &ep->resume[ep->resume_next++];
    return true;
}

/* One payload; false when it is not understood. */
static bool take_in(struct outhook_endpoint *ep, struct http_payload *payload)
{
    struct ids_cursor at = {payload->commit, payload->ordinal};
    const struct outlet_pending *known;
    struct outhook_event_text event;

    if (!outhook_before(ep->read, at))
        return true;
    if (payload->events && is_wanted(ep, at, &known)) {
        if (!outhook_event_read(http_payload_json(payload), &event))
            return false;
        add(ep, payload, event.order_id, known);
    }
    ep->read = at;
    ep->stale = true;
    return true;
}

static void read_some(struct outhook_endpoint *ep)
{
    for (unsigned i = 0; ep->open && i < POPS_MAX && has_room(ep); i++) {
        struct http_payload *payload = stream_pop(&ep->reader);
        if (!payload) {
            enum stream_end end = stream_ended(&ep->reader);
            ep->os->draining |= end == STREAM_END_DRAIN;
            if (end != STREAM_END_NONE)
                close_reader(ep); /* it fell behind, say: opened again where it is */
            return;
        }
        bool fine = take_in(ep, payload);
        uint64_t commit = payload->commit;
        http_payload_release(payload);
        if (!fine) {
            OMS_LOG(OMS_LOG_ERROR, "webhook_out.event_not_understood",
                    OMS_LOG_TEXT("tenant", ep->tenant_name), OMS_LOG_U64("commit", commit));
            close_reader(ep); /* and is tried again: an event is never left out */
            ep->open_ms = outhook_now_ms(ep) + REOPEN_MS;
        }
    }
}

static void dispatch(struct outhook_endpoint *ep);

static void pump(struct outhook_endpoint *ep)
{
    read_some(ep);
    dispatch(ep);
}

static void wake(struct stream_reader *reader)
{
    struct outhook_endpoint *ep = OMS_CONTAINER_OF(reader, struct outhook_endpoint, reader);

    if (ep->os->stop_ms)
        return;
    pump(ep);
    outhook_sender_run(ep->os->sender);
}

static const struct stream_reader_ops reader_ops = {.wake = wake};

static void open_reader(struct outhook_endpoint *ep, int64_t now_ms)
{
    ep->open_ms = now_ms + REOPEN_MS;
    ep->open = outhook_read_from(ep, &ep->reader, &reader_ops, ep->filter, ep->read);
}

/* ---- what ended ---- */

static void log_try(struct outhook_endpoint *ep, const struct outlet_try *attempt)
{
    if (!ep->tries)
        ep->tries = oms_calloc(OMS_OUTLET_TRIES_MAX, sizeof(ep->tries[0]));
    ep->tries[ep->try_count++ % OMS_OUTLET_TRIES_MAX] = *attempt;
}

static void put_news(struct outhook_endpoint *ep, size_t from)
{
    struct oms_str piece = oms_str_make(ep->news.data + from, ep->news.len - from);
    enum oms_status status = outlet_apply(&ep->outlet, piece, outhook_now_ms(ep));

    OMS_ASSERT(status == OMS_OK);
    ep->dirty = true;
}

static void bury(struct outhook_endpoint *ep, const struct outlet_letter *letter)
{
    size_t from = ep->news.len;

    outlet_put_letter(letter, &ep->news);
    put_news(ep, from);
}

/* A delivery that succeeded: the endpoint is well. */
static void is_well(struct outhook_endpoint *ep, int64_t now_ms)
{
    if (ep->rest_ms)
        OMS_LOG(OMS_LOG_INFO, "webhook_out.endpoint_well", OMS_LOG_TEXT("tenant", ep->tenant_name),
                OMS_LOG_TEXT("endpoint", ep->id));
    ep->failures = 0;
    ep->rest_ms = 0;
    if (ep->parallel < OMS_OUTHOOK_PARALLEL_MAX)
        ep->parallel++;
    ep->outlet.delivered++;
    ep->outlet.success_at = now_ms;
    count(&ep->os->delivered);
}

static void is_gone(struct outhook_endpoint *ep)
{
    OMS_LOG(OMS_LOG_WARN, "webhook_out.endpoint_gone", OMS_LOG_TEXT("tenant", ep->tenant_name),
            OMS_LOG_TEXT("endpoint", ep->id));
    ep->outlet.gone_revision = ep->revision;
    ep->dirty = true;
    ep->mark_ms = 0;
}

/* A failure that may be the endpoint's. */
static void is_ill(struct outhook_endpoint *ep, const struct outhook_answer *answer, uint32_t tries,
                   int64_t now_ms)
{
    bool asked = answer->retry_after_ms && (answer->status == 429 || answer->status == 503);
    int64_t until = 0;

    if (tries <= FRESH_TRIES || ep->failures >= OMS_OUTHOOK_FAILURES)
        ep->failures++;
    ep->parallel = ep->parallel > 1 ? ep->parallel / 2 : 1;
    if (ep->failures >= OMS_OUTHOOK_FAILURES) {
        ep->parallel = 1;
        until = now_ms + outhook_pause_ms(ep->failures - OMS_OUTHOOK_FAILURES + 2, OMS_OUTHOOK_REST_MS,
                                          OMS_OUTHOOK_REST_MAX_MS, rt_random(ep->os->hub->config.host));
    }
    if (asked && now_ms + answer->retry_after_ms > until)
        until = now_ms + answer->retry_after_ms;
    if (!until)
        return;
    if (!ep->rest_ms)
        OMS_LOG(OMS_LOG_WARN, "webhook_out.endpoint_fails", OMS_LOG_TEXT("tenant", ep->tenant_name),
                OMS_LOG_TEXT("endpoint", ep->id), OMS_LOG_TEXT("reason", answer->why));
    if (until > ep->rest_ms)
        ep->rest_ms = until;
}

static void failed(struct outhook_endpoint *ep, struct outhook_event *event,
                   const struct outhook_answer *answer, const struct outlet_try *attempt)
{
    const struct http_outhook_settings *settings = ep->os->hub->config.settings;
    int64_t now_ms = outhook_now_ms(ep), pause_ms;

    if (answer->status == 410) {
        is_gone(ep);
        queue_push(ep, event);
        return;
    }
    event->tries++;
    is_ill(ep, answer, event->tries, now_ms);
    if (event->tries >= settings->attempts) {
        struct outlet_letter letter = {.at = event->at, .tries = event->tries, .since = now_ms};

        snprintf(letter.order, sizeof(letter.order), "%s", event->chain->order);
        snprintf(letter.type, sizeof(letter.type), "%s", attempt->type);
        snprintf(letter.reason, sizeof(letter.reason), "%s", answer->why);
        bury(ep, &letter);
        count(&ep->os->dead);
        OMS_LOG(OMS_LOG_WARN, "webhook_out.dead_letter", OMS_LOG_TEXT("tenant", ep->tenant_name),
                OMS_LOG_TEXT("endpoint", ep->id), OMS_LOG_TEXT("order", letter.order),
                OMS_LOG_TEXT("reason", letter.reason));
        settle(ep, event);
        return;
    }
    pause_ms = outhook_pause_ms(event->tries + 1, settings->first_retry_ms, OMS_OUTHOOK_RETRY_MAX_MS,
                                rt_random(ep->os->hub->config.host));
    if (pause_ms < answer->retry_after_ms)
        pause_ms = answer->retry_after_ms;
    rest(ep, event, now_ms + pause_ms);
    ep->dirty = true;
}

/* A dead letter's new try: it is gone, or stays with the new reason. */
static void letter_ended(struct outhook_endpoint *ep, struct outlet_letter *letter,
                         const struct outhook_answer *answer)
{
    size_t from = ep->news.len;

    if (answer->why[0]) {
        letter->tries++;
        letter->since = outhook_now_ms(ep);
        snprintf(letter->reason, sizeof(letter->reason), "%s", answer->why);
        bury(ep, letter);
        return;
    }
    outlet_put_letter_gone(letter->at, &ep->news);
    put_news(ep, from);
}

static void test_ended(struct outhook_endpoint *ep, struct outhook_call *call,
                       const struct outlet_try *attempt)
{
    call->attempt = *attempt;
    outhook_answer(ep->os, call, OUTHOOK_DONE);
}

static void starve(struct outhook_endpoint *ep)
{
    struct outhook_shard *os = ep->os;

    if (ep->starved)
        return;
    ep->starved = true;
    ep->starved_next = NULL;
    *(os->starved_last ? &os->starved_last->starved_next : &os->starved_first) = ep;
    os->starved_last = ep;
}

/* A delivery ended: who waited longest for a free one has its turn. */
static void feed_starved(struct outhook_shard *os)
{
    struct outhook_endpoint *ep = os->starved_first;

    if (!ep)
        return;
    os->starved_first = ep->starved_next;
    if (!os->starved_first)
        os->starved_last = NULL;
    ep->starved = false;
    dispatch(ep);
}

static void unlist(struct outhook_delivery *delivery)
{
    struct outhook_endpoint *ep = delivery->endpoint;

    *(delivery->prev ? &delivery->prev->next : &ep->deliveries) = delivery->next;
    if (delivery->next)
        delivery->next->prev = delivery->prev;
    ep->flying--;
    ep->os->flying--;
    ep->os->tenant_flying[ep->tenant]--;
}

static void fill_try(const struct outhook_delivery *delivery, const struct outhook_answer *answer,
                     struct outlet_try *out)
{
    const struct outhook_event *event = delivery->event;

    *out = (struct outlet_try){.at = event ? event->at : delivery->letter.at,
                               .time = outhook_now_ms(delivery->endpoint),
                               .attempt = event ? event->tries + 1 : delivery->letter.tries + 1,
                               .duration_ms = answer->duration_ms,
                               .status = answer->status};
    memcpy(out->type, delivery->letter.type, sizeof(out->type));
    snprintf(out->reason, sizeof(out->reason), "%s", answer->why);
}

static void ended(struct outhook_flight *flight, const struct outhook_answer *answer)
{
    struct outhook_delivery *delivery = flight->context;
    struct outhook_endpoint *ep = delivery->endpoint;
    struct outlet_try attempt;

    fill_try(delivery, answer, &attempt);
    unlist(delivery);
    log_try(ep, &attempt);
    ep->dirty = true;
    if (answer->why[0]) {
        count(&ep->os->failed);
        ep->outlet.error_at = attempt.time;
        memcpy(ep->outlet.error, attempt.reason, sizeof(ep->outlet.error));
    } else if (!delivery->test) {
        is_well(ep, attempt.time);
    }
    if (delivery->test)
        test_ended(ep, delivery->test, &attempt);
    else if (!delivery->event)
        letter_ended(ep, &delivery->letter, answer);
    else if (answer->why[0])
        failed(ep, delivery->event, answer, &attempt);
    else
        settle(ep, delivery->event);
    bool was_letter = !delivery->test && !delivery->event;
    oms_free(delivery);
    if (ep->os->stop_ms)
        return;
    if (was_letter)
        outhook_letters_next(ep);
    pump(ep);
    feed_starved(ep->os);
}

/* ---- sending ---- */

static struct oms_str sign(struct outhook_endpoint *ep, struct oms_str id, int64_t now_s, struct oms_str body)
{
    struct oms_buf *out = &ep->os->signatures;

    oms_buf_reset(out);
    for (size_t i = 0; i < ep->key_count; i++) {
        if (ep->key_until[i] && ep->key_until[i] <= now_s * 1000)
            continue;
        if (out->len)
            oms_buf_append_char(out, ' ');
        outhook_sign(ep->os->signer, &ep->keys[i], id, now_s, body, out);
    }
    return oms_buf_str(out);
}

static struct outhook_delivery *begin(struct outhook_endpoint *ep)
{
    struct outhook_delivery *delivery = oms_calloc(1, sizeof(*delivery));

    delivery->endpoint = ep;
    delivery->flight = outhook_sender_take(ep->os->sender);
    delivery->flight->done = ended;
    delivery->flight->context = delivery;
    delivery->next = ep->deliveries;
    if (ep->deliveries)
        ep->deliveries->prev = delivery;
    ep->deliveries = delivery;
    ep->flying++;
    ep->os->flying++;
    ep->os->tenant_flying[ep->tenant]++;
    return delivery;
}

static void send(struct outhook_endpoint *ep, struct outhook_delivery *delivery, struct oms_str id)
{
    int64_t now_s = outhook_now_ms(ep) / 1000;
    struct oms_str signatures = sign(ep, id, now_s, oms_buf_str(&delivery->flight->body));

    outhook_sender_send(delivery->flight, oms_str_of(ep->url), id, now_s, signatures);
}

void outhook_deliver(struct outhook_endpoint *ep, struct outhook_event *event,
                     const struct outlet_letter *letter, const struct http_payload *payload)
{
    struct outhook_delivery *delivery = begin(ep);
    struct outhook_event_text text;
    bool fine = outhook_event_read(http_payload_json(payload), &text);

    OMS_ASSERT(fine); /* it was read before */
    delivery->event = event;
    if (letter)
        delivery->letter = *letter;
    outhook_type_name(text.type, delivery->letter.type, sizeof(delivery->letter.type));
    outhook_event_write(&text, &delivery->flight->body);
    send(ep, delivery, text.id);
}

void outhook_endpoint_test(struct outhook_endpoint *ep, struct outhook_call *call)
{
    char id[64];
    struct outhook_delivery *delivery;

    if (ep->os->flying >= OMS_OUTHOOK_SHARD_MAX ||
        ep->os->tenant_flying[ep->tenant] >= OMS_OUTHOOK_TENANT_MAX) {
        outhook_answer(ep->os, call, OUTHOOK_BUSY);
        return;
    }
    delivery = begin(ep);
    delivery->test = call;
    snprintf(delivery->letter.type, sizeof(delivery->letter.type), "webhook.test");
    snprintf(id, sizeof(id), "test_%016llx", (unsigned long long)rt_random(ep->os->hub->config.host));
    outhook_sample_write(outhook_now_ms(ep), &delivery->flight->body);
    send(ep, delivery, oms_str_of(id));
}

/* Whether one more may be sent now. */
static bool may_send(struct outhook_endpoint *ep, int64_t now_ms)
{
    if (!outhook_endpoint_is_on(ep) || ep->os->stop_ms || ep->flying >= ep->parallel ||
        ep->news.len > NEWS_MAX)
        return false;
    if (ep->rest_ms && (now_ms < ep->rest_ms || ep->flying))
        return false;
    if (ep->os->flying < OMS_OUTHOOK_SHARD_MAX && ep->os->tenant_flying[ep->tenant] < OMS_OUTHOOK_TENANT_MAX)
        return true;
    starve(ep);
    return false;
}

static void dispatch(struct outhook_endpoint *ep)
{
    int64_t now_ms = outhook_now_ms(ep);

    while (ep->ready_first && may_send(ep, now_ms)) {
        struct outhook_event *event = queue_pop(ep);

        event->state = OUTHOOK_FLYING;
        outhook_deliver(ep, event, NULL, event->payload);
    }
}

/* ---- marks: how far, durably ---- */

struct ids_cursor outhook_endpoint_position(const struct outhook_endpoint *ep)
{
    struct ids_cursor at = outhook_before(ep->read, ep->resume_end) ? ep->resume_end : ep->read;
    bool more = ep->resume_next < ep->resume_count;

    if (more)
        at = ep->resume[ep->resume_next].at;
    if (ep->first && (!more || outhook_before(ep->first->at, at)))
        at = ep->first->at;
    return more || ep->first ? outhook_place_before(at) : at;
}

static void put_place(struct outhook_endpoint *ep, struct oms_buf *out)
{
    outlet_put_place(outhook_before(ep->read, ep->resume_end) ? ep->resume_end : ep->read, out);
    for (const struct outhook_event *event = ep->first; event; event = event->next) {
        const struct outlet_pending pending = {event->at, event->tries,
                                               event->state == OUTHOOK_RESTING ? event->due : 0};
        outlet_put_pending(&pending, out);
    }
    for (size_t i = ep->resume_next; i < ep->resume_count; i++)
        outlet_put_pending(&ep->resume[i], out);
}

static void put_tries(struct outhook_endpoint *ep, struct oms_buf *out)
{
    uint64_t from = ep->tries_marked;

    if (ep->try_count - from > OMS_OUTLET_TRIES_MAX)
        from = ep->try_count - OMS_OUTLET_TRIES_MAX;
    for (; from < ep->try_count; from++)
        outlet_put_try(&ep->tries[from % OMS_OUTLET_TRIES_MAX], out);
}

static void answer_all(struct outhook_endpoint *ep, struct outhook_call **list, enum outhook_result result)
{
    while (*list) {
        struct outhook_call *call = *list;

        *list = call->next;
        outhook_answer(ep->os, call, result);
    }
}

static void marked(struct rt_shard *shard, struct rt_message *message)
{
    struct outlet_call *call = OMS_CONTAINER_OF(message, struct outlet_call, message);
    struct outhook_endpoint *ep = OMS_CONTAINER_OF(call, struct outhook_endpoint, mark);
    bool done = message->status == OMS_OK && call->result == OUTLET_DONE;

    (void)shard;
    ep->marking = false;
    ep->mark_ms = outhook_now_ms(ep) + (done ? OMS_OUTHOOK_MARK_MS : MARK_AGAIN_MS);
    if (done) {
        ep->outlet.version = call->version;
        ep->tries_marked = ep->mark_tries;
        ep->news.len -= ep->mark_news;
        if (ep->news.len)
            memmove(ep->news.data, ep->news.data + ep->mark_news, ep->news.len);
        answer_all(ep, &ep->marked, OUTHOOK_DONE);
        if (ep->waiting)
            ep->mark_ms = 0;
        return;
    }
    ep->dirty = true;
    answer_all(ep, &ep->marked,
               message->status == OMS_OK && call->result == OUTLET_UNKNOWN ? OUTHOOK_UNKNOWN : OUTHOOK_BUSY);
}

void outhook_endpoint_mark(struct outhook_endpoint *ep)
{
    struct oms_buf *change = &ep->mark.change;
    uint32_t version = ep->outlet.version;

    oms_buf_reset(change);
    if (ep->removed) {
        outlet_put_cleared(change);
    } else {
        put_place(ep, change);
        oms_buf_append_str(change, oms_buf_str(&ep->news));
        put_tries(ep, change);
        outlet_put_sums(&ep->outlet, change);
    }
    OMS_ASSERT(!change->overflow); /* all of it is bounded far below a unit */
    ep->mark_news = ep->news.len;
    ep->dirty = ep->stale = false;
    ep->stale_ms = outhook_now_ms(ep) + STALE_MS;
    ep->marking = true;
    ep->mark_tries = ep->try_count;
    ep->marked = ep->waiting;
    ep->waiting = NULL;
    struct oms_buf kept = *change;
    memset(&ep->mark, 0, sizeof(ep->mark));
    ep->mark.change = kept;
    ep->mark.tenant = ep->tenant;
    memcpy(ep->mark.key, ep->key, sizeof(ep->key));
    ep->mark.version = version;
    ep->mark.message.on_return = marked;
    outlet_call_send(ep->os->shard, &ep->mark);
}

/* ---- the tick ---- */

void outhook_endpoint_tick(struct outhook_endpoint *ep, int64_t now_ms, unsigned *opens)
{
    bool on = outhook_endpoint_is_on(ep);

    if (on && !ep->open && !ep->os->draining && now_ms >= ep->open_ms &&
        *opens < OMS_OUTHOOK_OPENS_PER_TICK) {
        ++*opens;
        open_reader(ep, now_ms);
    } else if (!on && (ep->open || ep->first || ep->deliveries)) {
        outhook_endpoint_halt(ep);
    }
    wake_rested(ep, now_ms);
    if (on)
        pump(ep);
    if (!ep->marking && ((ep->dirty && now_ms >= ep->mark_ms) || (ep->stale && now_ms >= ep->stale_ms)))
        outhook_endpoint_mark(ep);
}

/* ---- life ---- */

/* Everything that is in memory of events is left; what was pending is kept as places in the log. */
void outhook_endpoint_halt(struct outhook_endpoint *ep)
{
    size_t left = ep->resume_count - ep->resume_next, total = ep->pending + left, at = 0;
    struct outlet_pending *resume = oms_calloc(total + 1, sizeof(*resume));

    for (struct outhook_delivery *delivery = ep->deliveries, *next; delivery; delivery = next) {
        next = delivery->next;
        if (delivery->test && !ep->removed && !ep->os->stop_ms)
            continue; /* an endpoint that is off can be tested */
        if (delivery->test)
            outhook_answer(ep->os, delivery->test, OUTHOOK_BUSY);
        outhook_sender_cancel(delivery->flight);
        unlist(delivery);
        oms_free(delivery);
    }
    close_reader(ep);
    outhook_letters_close(ep);
    if (outhook_before(ep->resume_end, ep->read))
        ep->resume_end = ep->read;
    for (struct outhook_event *event = ep->first; event; event = event->next)
        resume[at++] = (struct outlet_pending){event->at, event->tries,
                                               event->state == OUTHOOK_RESTING ? event->due : 0};
    for (size_t i = ep->resume_next; i < ep->resume_count; i++)
        resume[at++] = ep->resume[i];
    for (size_t i = 0; i < OUTHOOK_BUCKETS; i++)
        while (ep->buckets[i]) {
            struct outhook_chain *chain = ep->buckets[i];

            ep->buckets[i] = chain->next;
            oms_free(chain);
        }
    while (ep->first)
        free_event(ep, ep->first);
    ep->ready_first = ep->ready_last = NULL;
    ep->resting = 0;
    oms_free(ep->resume);
    ep->resume = resume;
    ep->resume_count = total;
    ep->resume_next = 0;
    ep->read = ep->resume_end;
    if (total) /* the reader begins before the first of them */
        ep->read = outhook_place_before(resume[0].at);
}

void outhook_endpoint_rewind(struct outhook_endpoint *ep, struct ids_cursor at)
{
    outhook_endpoint_halt(ep);
    ep->resume_count = ep->resume_next = 0;
    ep->read = ep->resume_end = at;
    ep->failures = 0;
    ep->rest_ms = 0;
    ep->open_ms = 0;
}

static void free_texts(struct outhook_endpoint *ep)
{
    oms_free(ep->url);
    oms_free(ep->filter);
    explicit_bzero(ep->keys, sizeof(ep->keys));
}

/* Takes over what is stored: it goes on behind it. */
static void load(struct outhook_endpoint *ep, const struct tenant_endpoint *endpoint)
{
    struct rt_address address;
    struct outlet *outlet = &ep->outlet;

    outlet_address(ep->tenant, ep->key, &address);
    enum oms_status status = outlet_load(actors_store(ep->os->hub->config.system), &address, outlet);
    if (status != OMS_OK) {
        OMS_LOG(OMS_LOG_ERROR, "webhook_out.outlet_not_read", OMS_LOG_TEXT("tenant", ep->tenant_name),
                OMS_LOG_TEXT("endpoint", ep->id), OMS_LOG_TEXT("status", oms_status_name(status)));
        outlet_fini(outlet);
    }
    ep->resume_end = outlet->version ? outlet->high : (struct ids_cursor){endpoint->start, UINT32_MAX};
    if (!ep->resume_end.commit)
        ep->resume_end.ordinal = 0;
    ep->resume = outlet->pending;
    ep->resume_count = outlet->pending_count;
    outlet->pending = NULL;
    outlet->pending_count = outlet->pending_cap = 0;
    for (size_t i = 0; i < outlet->try_count; i++)
        log_try(ep, &outlet->tries[i]);
    ep->tries_marked = ep->try_count;
    outlet->try_count = 0;
    outhook_endpoint_halt(ep); /* finds the place to read from */
}

struct outhook_endpoint *outhook_endpoint_create(struct outhook_shard *os,
                                                 const struct tenant_version *tenant,
                                                 const struct tenant_endpoint *endpoint,
                                                 const unsigned char key[TENANT_ENDPOINT_KEY_BYTES])
{
    struct outhook_endpoint *ep = oms_calloc(1, sizeof(*ep));

    ep->os = os;
    ep->tenant = tenant->number;
    memcpy(ep->key, key, sizeof(ep->key));
    snprintf(ep->tenant_name, sizeof(ep->tenant_name), "%.*s", OMS_STR_ARG(tenant->name));
    snprintf(ep->id, sizeof(ep->id), "%.*s", OMS_STR_ARG(endpoint->id));
    ep->parallel = OMS_OUTHOOK_PARALLEL_FIRST;
    outlet_init(&ep->outlet);
    oms_buf_init(&ep->news, OMS_UNIT_BYTES_MAX / 2);
    oms_buf_init(&ep->mark.change, OMS_UNIT_BYTES_MAX / 2);
    load(ep, endpoint);
    return ep;
}

static bool same_filter(const char *a, struct oms_str b)
{
    return a ? oms_str_present(b) && oms_str_eq_c(b, a) : !oms_str_present(b);
}

void outhook_endpoint_update(struct outhook_endpoint *ep, const struct tenant_version *tenant,
                             const struct tenant_endpoint *endpoint)
{
    bool filtered_anew = ep->url && !same_filter(ep->filter, endpoint->filter);
    bool changed = ep->revision != endpoint->revision;

    free_texts(ep);
    ep->url = oms_str_dup(endpoint->url);
    ep->filter = oms_str_present(endpoint->filter) ? oms_str_dup(endpoint->filter) : NULL;
    ep->key_count = 0;
    for (size_t i = 0; i < endpoint->secret_count; i++)
        if (outhook_key_parse(endpoint->secrets[i].text, &ep->keys[ep->key_count]))
            ep->key_until[ep->key_count++] = endpoint->secrets[i].until;
    ep->disabled = endpoint->disabled || tenant->status == TENANT_REMOVED;
    ep->revision = endpoint->revision;
    if (filtered_anew) {
        close_reader(ep);
        ep->open_ms = 0;
    }
    if (changed) { /* it is asked at once whether it is well */
        ep->failures = 0;
        ep->rest_ms = 0;
    }
}

void outhook_endpoint_destroy(struct outhook_endpoint *ep)
{
    OMS_ASSERT(!ep->open && !ep->first && !ep->deliveries && !ep->letter_open);
    free_texts(ep);
    outlet_fini(&ep->outlet);
    oms_buf_fini(&ep->news);
    oms_buf_fini(&ep->mark.change);
    oms_free(ep->tries);
    oms_free(ep->resume);
    oms_free(ep->redeliver);
    if (ep->starved) {
        struct outhook_shard *os = ep->os;
        struct outhook_endpoint **place = &os->starved_first, *last = NULL;

        while (*place != ep) {
            last = *place;
            place = &(*place)->starved_next;
        }
        *place = ep->starved_next;
        if (os->starved_last == ep)
            os->starved_last = last;
    }
    oms_free(ep);
}

void outhook_endpoint_look(const struct outhook_endpoint *ep, struct outhook_view *view)
{
    size_t tries = ep->try_count < OMS_OUTLET_TRIES_MAX ? (size_t)ep->try_count : OMS_OUTLET_TRIES_MAX;
    const struct outlet *outlet = &ep->outlet;

    *view = (struct outhook_view){.state = !outhook_endpoint_is_on(ep) ? OUTHOOK_DISABLED
                                           : ep->rest_ms               ? OUTHOOK_BACKING_OFF
                                                                       : OUTHOOK_ACTIVE,
                                  .gone = outlet->gone_revision && outlet->gone_revision == ep->revision,
                                  .position = outhook_endpoint_position(ep),
                                  .pending = ep->pending + ep->resume_count - ep->resume_next,
                                  .rests_until = ep->rest_ms,
                                  .delivered = outlet->delivered,
                                  .success_at = outlet->success_at,
                                  .error_at = outlet->error_at};
    memcpy(view->error, outlet->error, sizeof(view->error));
    view->letters = oms_calloc(outlet->letter_count + 1, sizeof(view->letters[0]));
    for (size_t i = outlet->letter_count; i-- > 0;)
        view->letters[view->letter_count++] = outlet->letters[i];
    view->tries = oms_calloc(tries + 1, sizeof(view->tries[0]));
    for (size_t i = 1; i <= tries; i++)
        view->tries[view->try_count++] = ep->tries[(ep->try_count - i) % OMS_OUTLET_TRIES_MAX];
}
