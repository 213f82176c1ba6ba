/*
 * Events out: each tenant's events are read as a live stream of its own (http/stream) and published one after
 * the other over all tenants, in one chain: every message names the one before it as the last that the stream
 * must have (Nats-Expected-Last-Msg-Id). So many may be under way, and still nothing is stored behind a gap:
 * when one is refused or lost, all behind it are refused, and everything is taken up again from what was
 * acknowledged.
 *
 *   connected → the stream is asked for (and made) → feeds whose messages it lost are put back → flowing
 *        ▲                                                                                        │
 *        └──────────────── a pause, when something goes wrong (stumble) ◀─────────────────────────┘
 *
 * A tenant's place is what the stream says: before its first message on a connection the stream is asked for
 * the tenant's last one. Behind it lies nothing that was missed, since the chain has no gap; so a place that
 * was not recorded in time moves forward, and nothing is published twice. It moves back only when the stream
 * has lost what it had acknowledged: another stream under the same name, or one that ends before it
 * (JetStream acknowledges before it syncs). That is recorded before anything else is published, since
 * afterwards the loss could not be told any more.
 */
#include <stdio.h>

#include "http/nats/bus_impl.h"
#include "http/nats/event_text.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/encoding.h"
#include "runtime/base/log.h"

#define PAUSE_MIN_MS   250
#define PAUSE_MAX_MS   10000
#define LOCATES_MAX    64 /* questions where a tenant's last message is, at a time */
#define OPENS_PER_TICK 64
#define REOPEN_MS      1000
#define PUMP_MAX       256 /* events of one go */
#define HEADERS_BYTES  512 /* of a message, over its payload */
#define MARK_AGAIN_MS  1000

static bool before(struct ids_cursor a, struct ids_cursor b)
{
    return a.commit < b.commit || (a.commit == b.commit && a.ordinal < b.ordinal);
}

static struct ids_cursor acked(const struct nats_feed *feed)
{
    return (struct ids_cursor){feed->mark.commit, feed->mark.ordinal};
}

/* ---- lists of feeds ---- */

static void queue_push(struct nats_feed_queue *queue, struct nats_feed *feed)
{
    if (feed->queued)
        return;
    feed->queued = true;
    feed->next = NULL;
    if (queue->last)
        queue->last->next = feed;
    else
        queue->first = feed;
    queue->last = feed;
}

static struct nats_feed *queue_pop(struct nats_feed_queue *queue)
{
    struct nats_feed *feed = queue->first;

    if (!feed)
        return NULL;
    queue->first = feed->next;
    if (!queue->first)
        queue->last = NULL;
    feed->queued = false;
    return feed;
}

/* ---- what stands where ---- */

/* Names the source of a message: this store and this tenant of it, so that messages of another store, or of
 * another tenant that had the name before, are not taken for its own. */
static void make_origin(const struct nats_bus *bus, struct nats_feed *feed)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "nats:%u", feed->tenant);
    struct oms_hash128 hash = oms_siphash128(actors_id_key(bus->config.system), text, (size_t)len);

    snprintf(feed->origin, sizeof(feed->origin), "%012llx",
             (unsigned long long)(hash.lo & UINT64_C(0xffffffffffff)));
}

/* "tenant:cursor:origin" */
static size_t write_id(const struct nats_feed *feed, struct ids_cursor cursor, char out[NATS_ID_SIZE])
{
    char text[IDS_CURSOR_TEXT_MAX];

    ids_cursor_text(cursor, text);
    return (size_t)snprintf(out, NATS_ID_SIZE, "%s:%s:%s", feed->name, text, feed->origin);
}

/* The cursor of a message of this feed; false for any other's. */
static bool read_id(const struct nats_feed *feed, struct oms_str id, struct ids_cursor *out)
{
    size_t head = strlen(feed->name) + 1, tail = strlen(feed->origin) + 1;

    if (id.len <= head + tail || memcmp(id.data, feed->name, head - 1) != 0 || id.data[head - 1] != ':' ||
        id.data[id.len - tail] != ':' || memcmp(id.data + id.len - tail + 1, feed->origin, tail - 1) != 0)
        return false;
    return ids_cursor_parse(oms_str_make(id.data + head, id.len - head - tail), out) == OMS_OK;
}

/* ---- reading ---- */

static void wake(struct stream_reader *reader)
{
    struct nats_feed *feed = OMS_CONTAINER_OF(reader, struct nats_feed, reader);

    queue_push(&feed->bus->out.ready, feed);
    nats_publish_pump(feed->bus);
}

static const struct stream_reader_ops reader_ops = {.wake = wake};

static void close_feed(struct nats_feed *feed)
{
    if (feed->open)
        stream_close(&feed->reader);
    feed->open = false;
}

/* From behind what was sent on. */
static bool open_feed(struct nats_bus *bus, struct nats_feed *feed)
{
    struct api_shard *as = bus->config.api->shards[NATS_HOME];
    struct gql_prepared *prepared = NULL;
    struct gql_errors errors;
    struct gql_request *gql = NULL;
    struct oms_arena arena;
    char after[IDS_CURSOR_TEXT_MAX] = "0";

    if (feed->sent.commit)
        ids_cursor_text(feed->sent, after);
    oms_arena_init(&arena, 4096, 1u << 20);
    gql_errors_init(&errors, &arena);
    enum oms_status status =
        gql_prepare(bus->config.api->schema, oms_str_of(nats_event_document), &prepared, &errors);
    if (status == OMS_OK)
        status = gql_bind(prepared, OMS_STR_NONE, NULL, &arena, &gql, &errors);
    if (status == OMS_OK) {
        const struct stream_request request = {.document = oms_str_of(nats_event_document),
                                               .gql = gql,
                                               .claims = bus->out.claims,
                                               .tenant_header = oms_str_of(feed->name),
                                               .last_event_id = oms_str_of(after)};
        feed->reader.ops = &reader_ops;
        status = stream_open(as, &feed->reader, &request, &errors);
    }
    if (status != OMS_OK)
        OMS_LOG(OMS_LOG_WARN, "nats.cannot_read", OMS_LOG_TEXT("tenant", feed->name),
                OMS_LOG_STR("reason", errors.count ? errors.items[0].message : OMS_STR_NONE));
    if (prepared)
        gql_prepared_release(prepared);
    oms_arena_fini(&arena);
    feed->open = status == OMS_OK;
    feed->open_ms = nats_now_ms(bus) + REOPEN_MS;
    return feed->open;
}

/* Puts a feed where the stream says it is; what is read begins there. */
static void put_at(struct nats_feed *feed, struct ids_cursor cursor, uint64_t sequence)
{
    bool back = before(cursor, acked(feed));

    feed->mark.commit = cursor.commit;
    feed->mark.ordinal = cursor.ordinal;
    feed->mark.sequence = sequence;
    feed->sent = cursor;
    feed->dirty = true;
    if (back)
        close_feed(feed);
}

/* ---- marks: how far, durably ---- */

static void marked(struct rt_shard *shard, struct rt_message *message)
{
    struct mark_call *call = OMS_CONTAINER_OF(message, struct mark_call, message);
    struct nats_feed *feed = OMS_CONTAINER_OF(call, struct nats_feed, call);

    (void)shard;
    feed->marking = false;
    feed->mark_ms = nats_now_ms(feed->bus) + OMS_NATS_MARK_MS;
    if (message->status == OMS_OK && call->result == MARK_DONE) {
        feed->mark.version = call->mark.version;
        feed->must_mark &= !feed->marks_must;
    } else {
        feed->dirty = true;
        feed->mark_ms = nats_now_ms(feed->bus) + MARK_AGAIN_MS;
    }
}

static void mark(struct nats_bus *bus, struct nats_feed *feed)
{
    feed->dirty = false;
    feed->marking = true;
    feed->marks_must = feed->must_mark;
    memset(&feed->call, 0, sizeof(feed->call));
    feed->call.tenant = feed->tenant;
    feed->call.mark = feed->mark;
    feed->call.message.on_return = marked;
    mark_call_send(bus->shard, &feed->call);
}

static void mark_due(struct nats_bus *bus, int64_t now_ms)
{
    for (size_t i = 0; i < bus->out.feed_count; i++) {
        struct nats_feed *feed = bus->out.feeds[i];

        if (feed && feed->dirty && !feed->marking && now_ms >= feed->mark_ms)
            mark(bus, feed);
    }
}

/* ---- stumbling ---- */

static struct nats_flight *flight_at(struct nats_out *out, uint64_t number)
{
    return &out->flights[number % OMS_NATS_WINDOW_EVENTS];
}

/* What is under way is nobody's any more: its feeds are read again from what was acknowledged. */
static void forget_flights(struct nats_bus *bus)
{
    struct nats_out *out = &bus->out;

    for (uint64_t n = out->first; n < out->next; n++) {
        struct nats_feed *feed = flight_at(out, n)->feed;

        feed->located = false;
        feed->sent = acked(feed);
        close_feed(feed);
    }
    out->first = out->next; /* numbers are not used again: an answer that comes late is of none */
    out->bytes = 0;
    out->chained = false;
}

static void stumble(struct nats_bus *bus, struct oms_str why)
{
    struct nats_out *out = &bus->out;
    int64_t now_ms = nats_now_ms(bus);

    forget_flights(bus);
    out->locating = 0;
    if (out->state != NATS_OUT_PAUSED) {
        nats_count(&bus->stumbles, 1);
        if (!oms_str_eq(why, oms_str_of(out->complaint)))
            OMS_LOG(OMS_LOG_WARN, "nats.cannot_publish", OMS_LOG_STR("stream", bus->config.settings->stream),
                    OMS_LOG_STR("reason", why));
        snprintf(out->complaint, sizeof(out->complaint), "%.*s", (int)(why.len < 200 ? why.len : 200),
                 why.data);
    }
    out->state = NATS_OUT_PAUSED;
    out->due_ms = now_ms + out->pause_ms;
    out->pause_ms = out->pause_ms * 2 < PAUSE_MAX_MS ? out->pause_ms * 2 : PAUSE_MAX_MS;
}

/* ---- settling: which stream is it, and what does it have ---- */

static void ask_stream(struct nats_bus *bus)
{
    struct nats_out *out = &bus->out;

    out->state = NATS_OUT_ASKING;
    out->due_ms = nats_now_ms(bus) + OMS_NATS_ANSWER_MS;
    nats_ask(bus, "STREAM.INFO", bus->config.settings->stream.data, NULL, "s.i", OMS_STR(""));
}

static void make_stream(struct nats_bus *bus)
{
    const struct http_nats_settings *settings = bus->config.settings;
    struct oms_buf subject;

    oms_buf_init(&subject, OMS_NATS_SUBJECT_BYTES_MAX);
    oms_buf_append_str(&subject, settings->subject_prefix);
    oms_buf_append_lit(&subject, ".>");
    oms_buf_reset(&bus->scratch);
    nats_stream_create_write(&bus->scratch, settings->stream, oms_buf_str(&subject), settings);
    bus->out.state = NATS_OUT_MAKING;
    bus->out.due_ms = nats_now_ms(bus) + OMS_NATS_ANSWER_MS;
    nats_ask(bus, "STREAM.CREATE", settings->stream.data, NULL, "s.c", oms_buf_str(&bus->scratch));
    oms_buf_fini(&subject);
}

static void ask_last(struct nats_bus *bus, struct nats_feed *feed)
{
    char tail[32];
    struct oms_buf subject;

    oms_buf_init(&subject, OMS_NATS_SUBJECT_BYTES_MAX);
    oms_buf_append_str(&subject, bus->config.settings->subject_prefix);
    oms_buf_append_char(&subject, '.');
    nats_token_write(&subject, oms_str_of(feed->name));
    oms_buf_append_lit(&subject, ".>");
    oms_buf_reset(&bus->scratch);
    nats_last_by_subject_write(&bus->scratch, oms_buf_str(&subject));
    snprintf(tail, sizeof(tail), "l%u.%llu", feed->tenant, (unsigned long long)bus->out.round);
    feed->locating = true;
    bus->out.locating++;
    bus->out.locate_ms = nats_now_ms(bus) + OMS_NATS_ANSWER_MS;
    nats_ask(bus, "STREAM.MSG.GET", bus->config.settings->stream.data, NULL, tail,
             oms_buf_str(&bus->scratch));
    oms_buf_fini(&subject);
}

/* The stream has not what this feed was told that it has. */
static bool lost(const struct nats_bus *bus, const struct nats_feed *feed)
{
    return feed->mark.commit &&
           (strcmp(feed->mark.stream, bus->out.created) != 0 || feed->mark.sequence > bus->out.last_sequence);
}

static void begin_settling(struct nats_bus *bus, const struct nats_answer *answer)
{
    struct nats_out *out = &bus->out;
    size_t count = 0;

    snprintf(out->created, sizeof(out->created), "%.*s",
             (int)(answer->created.len < MARK_STREAM_BYTES_MAX ? answer->created.len : MARK_STREAM_BYTES_MAX),
             answer->created.data ? answer->created.data : "");
    out->last_sequence = answer->last;
    out->state = NATS_OUT_SETTLING;
    out->round++;
    out->locating = 0;
    for (size_t i = 0; i < out->feed_count; i++) {
        struct nats_feed *feed = out->feeds[i];

        if (!feed)
            continue;
        feed->locating = false;
        feed->suspect = lost(bus, feed);
        feed->located &= !feed->suspect;
        count += feed->suspect;
    }
    if (count)
        OMS_LOG(OMS_LOG_WARN, "nats.stream_lost_events", OMS_LOG_STR("stream", bus->config.settings->stream),
                OMS_LOG_U64("tenants", count), OMS_LOG_U64("last_sequence", answer->last),
                OMS_LOG_TEXT("now", bus->config.settings->on_stream_lost == HTTP_NATS_CONTINUE
                                        ? "goes on from where it was"
                                        : "publishes them again"));
}

/*
 * What the stream said of a feed's last message. Forward at once; back only for a feed that lost something:
 * else somebody has deleted messages, and wanted that.
 */
static void locate(struct nats_bus *bus, struct nats_feed *feed, const struct nats_answer *answer)
{
    bool go_back = feed->suspect && bus->config.settings->on_stream_lost == HTTP_NATS_REPUBLISH;
    struct ids_cursor last = {0, 0};
    uint64_t durable =
        store_durable_commit(actors_store(bus->config.system), store_partition_of(feed->tenant));
    bool found = !answer->error && read_id(feed, answer->last_id, &last) && last.commit <= durable;

    if (found && (go_back || before(acked(feed), last)))
        put_at(feed, last, answer->sequence);
    else if (!found && go_back)
        put_at(feed, (struct ids_cursor){0, 0}, 0);
    else if (feed->suspect)
        put_at(feed, acked(feed), found ? answer->sequence : 0);
    if (feed->suspect)
        feed->must_mark = feed->dirty = true;
    if (strcmp(feed->mark.stream, bus->out.created) != 0) {
        snprintf(feed->mark.stream, sizeof(feed->mark.stream), "%s", bus->out.created);
        feed->dirty |= feed->mark.version != 0;
    }
    feed->suspect = false;
    feed->located = true;
    feed->mark_ms = feed->must_mark ? 0 : feed->mark_ms;
}

static void located(struct nats_bus *bus, const struct nats_event *event, struct oms_str tail)
{
    struct nats_out *out = &bus->out;
    unsigned tenant;
    unsigned long long round;
    struct nats_answer answer;
    struct oms_arena arena;

    if (sscanf(tail.data, "l%u.%llu", &tenant, &round) != 2 || round != out->round ||
        tenant >= out->feed_count || !out->feeds[tenant] || !out->feeds[tenant]->locating)
        return;
    struct nats_feed *feed = out->feeds[tenant];
    oms_arena_init(&arena, 4096, 4 * (size_t)OMS_NATS_PAYLOAD_BYTES_MAX);
    feed->locating = false;
    out->locating--;
    out->locate_ms = nats_now_ms(bus) + OMS_NATS_ANSWER_MS;
    if (event->status || !nats_answer_read(event->text, &arena, &answer))
        stumble(bus, OMS_STR("the stream's last message cannot be read"));
    else if (answer.error && answer.error != NATS_ERROR_NO_MESSAGE)
        stumble(bus, answer.message);
    else
        locate(bus, feed, &answer);
    oms_arena_fini(&arena);
    if (out->state == NATS_OUT_FLOWING) {
        if (feed->open)
            queue_push(&out->ready, feed);
        nats_publish_pump(bus);
    }
}

/* Until no feed is suspect and what was put back is durable; then events flow. */
static void settle(struct nats_bus *bus)
{
    struct nats_out *out = &bus->out;
    bool done = true;

    for (size_t i = 0; i < out->feed_count; i++) {
        struct nats_feed *feed = out->feeds[i];

        if (!feed || (!feed->suspect && !feed->must_mark))
            continue;
        done = false;
        if (feed->suspect && !feed->locating && out->locating < LOCATES_MAX)
            ask_last(bus, feed);
    }
    if (!done)
        return;
    out->state = NATS_OUT_FLOWING;
    OMS_LOG(OMS_LOG_INFO, "nats.publishing", OMS_LOG_STR("stream", bus->config.settings->stream),
            OMS_LOG_U64("last_sequence", out->last_sequence));
    nats_publish_pump(bus);
}

/* ---- publishing ---- */

/* The text to publish: shortened until the broker takes it. */
static struct oms_str fit(struct nats_bus *bus, const struct nats_feed *feed,
                          const struct nats_event_text *event, bool *shortened)
{
    uint64_t most = bus->max_payload > HEADERS_BYTES ? bus->max_payload - HEADERS_BYTES : 0;

    *shortened = event->json.len > most;
    if (!*shortened)
        return event->json;
    for (int bare = 0; bare < 2; bare++) {
        oms_buf_reset(&bus->scratch);
        bool made = nats_event_text_shorten(event, bare, &bus->scratch);
        OMS_ASSERT(made); /* the engine wrote it, within the limits of a unit */
        if (bus->scratch.len <= most)
            break;
    }
    nats_count(&bus->shortened, 1);
    OMS_LOG(OMS_LOG_WARN, "nats.event_shortened", OMS_LOG_TEXT("tenant", feed->name),
            OMS_LOG_STR("order", event->order_id), OMS_LOG_U64("bytes", event->json.len),
            OMS_LOG_U64("limit", most));
    return oms_buf_str(&bus->scratch);
}

static void send(struct nats_bus *bus, struct nats_feed *feed, struct ids_cursor cursor,
                 const struct nats_event_text *event)
{
    struct nats_out *out = &bus->out;
    char space[OMS_NATS_SUBJECT_BYTES_MAX], reply[OMS_NATS_SUBJECT_BYTES_MAX], id[NATS_ID_SIZE];
    struct oms_buf subject = {.data = space, .cap = sizeof(space), .max = sizeof(space)};
    struct nats_header headers[4];
    size_t count = 0;
    bool shortened;

    oms_buf_append_str(&subject, bus->config.settings->subject_prefix);
    oms_buf_append_char(&subject, '.');
    nats_token_write(&subject, oms_str_of(feed->name));
    oms_buf_appendf(&subject, ".%.*s.%.*s%c", OMS_STR_ARG(event->order_id), OMS_STR_ARG(event->type), 0);
    OMS_ASSERT(!subject.overflow); /* all parts are bounded far below it */
    struct oms_str text = fit(bus, feed, event, &shortened);
    size_t id_len = write_id(feed, cursor, id);
    headers[count++] = (struct nats_header){"Nats-Msg-Id", oms_str_make(id, id_len)};
    headers[count++] = (struct nats_header){"Nats-Expected-Stream", bus->config.settings->stream};
    if (out->chained)
        headers[count++] = (struct nats_header){"Nats-Expected-Last-Msg-Id", oms_str_of(out->last_id)};
    if (shortened)
        headers[count++] = (struct nats_header){"Liteoms-Shortened", OMS_STR("true")};
    snprintf(reply, sizeof(reply), "%sk%llu", nats_link_inbox(bus->link), (unsigned long long)out->next);
    *flight_at(out, out->next++) =
        (struct nats_flight){.feed = feed, .cursor = cursor, .bytes = text.len, .sent_ms = nats_now_ms(bus)};
    out->bytes += text.len;
    feed->sent = cursor;
    nats_count(&bus->published, 1);
    nats_link_send(bus->link, bus->epoch, space, reply, headers, count, text);
    memcpy(out->last_id, id, id_len + 1); /* a header was the one before */
}

/* One event of the feed; false when it has none now. */
static bool send_next(struct nats_bus *bus, struct nats_feed *feed)
{
    struct nats_event_text event;

    for (;;) {
        struct http_payload *payload = stream_pop(&feed->reader);
        if (!payload)
            return false;
        struct ids_cursor cursor = {payload->commit, payload->ordinal};
        bool news = payload->events && before(feed->sent, cursor);
        bool fine = !news || nats_event_text_read(http_payload_json(payload), &event);
        if (news && fine)
            send(bus, feed, cursor, &event);
        http_payload_release(payload);
        if (!fine) {
            OMS_LOG(OMS_LOG_ERROR, "nats.event_not_understood", OMS_LOG_TEXT("tenant", feed->name),
                    OMS_LOG_U64("commit", cursor.commit));
            close_feed(feed); /* and is tried again: an event is never left out */
            return false;
        }
        if (news)
            return true;
    }
}

static bool has_room(const struct nats_out *out)
{
    uint64_t under_way = out->next - out->first;

    return out->chained ? under_way < OMS_NATS_WINDOW_EVENTS && out->bytes < OMS_NATS_WINDOW_BYTES
                        : under_way == 0;
}

/* Tenants take turns, an event each. */
void nats_publish_pump(struct nats_bus *bus)
{
    struct nats_out *out = &bus->out;
    struct nats_feed *feed;

    if (out->state != NATS_OUT_FLOWING || out->pumping || out->stopping)
        return;
    out->pumping = true;
    for (unsigned i = 0; i < PUMP_MAX && has_room(out) && (feed = queue_pop(&out->ready)); i++) {
        if (!feed->open)
            continue;
        if (!feed->located) {
            if (!feed->locating && out->locating < LOCATES_MAX)
                ask_last(bus, feed);
            else if (!feed->locating)
                feed->wants_place = true; /* the tick asks */
            continue;
        }
        if (send_next(bus, feed))
            queue_push(&out->ready, feed);
        else if (feed->open && stream_ended(&feed->reader) != STREAM_END_NONE) {
            out->stopping |= stream_ended(&feed->reader) == STREAM_END_DRAIN;
            close_feed(feed);
        }
    }
    out->pumping = false;
    out->again = out->ready.first && has_room(out);
    if (out->again)
        rt_timer_start(bus->shard, &out->soon, nats_now_ms(bus));
}

static void soon(struct rt_shard *shard, struct rt_timer *timer)
{
    struct nats_out *out = OMS_CONTAINER_OF(timer, struct nats_out, soon);

    (void)shard;
    nats_publish_pump(OMS_CONTAINER_OF(out, struct nats_bus, out));
}

/* ---- acknowledgements ---- */

static void acknowledged(struct nats_bus *bus, const struct nats_answer *answer)
{
    struct nats_out *out = &bus->out;
    struct nats_flight *flight = flight_at(out, out->first);
    struct nats_feed *feed = flight->feed;

    feed->mark.commit = flight->cursor.commit;
    feed->mark.ordinal = flight->cursor.ordinal;
    feed->mark.sequence = answer->sequence;
    snprintf(feed->mark.stream, sizeof(feed->mark.stream), "%s", out->created);
    feed->dirty = true;
    out->bytes -= flight->bytes;
    out->first++;
    if (answer->sequence > out->last_sequence)
        out->last_sequence = answer->sequence;
    /* One that was there already is perhaps not the last: the next one goes alone again. */
    if (answer->duplicate) {
        nats_count(&bus->duplicates, 1);
        out->chained = false;
    } else if (out->first == out->next) {
        out->chained = true;
    }
    out->pause_ms = PAUSE_MIN_MS;
    out->complaint[0] = '\0';
    nats_count(&bus->acked, 1);
}

static void ack(struct nats_bus *bus, const struct nats_event *event, struct oms_str number_text)
{
    struct nats_out *out = &bus->out;
    struct nats_answer answer;
    struct oms_arena arena;
    int64_t number;

    if (oms_str_to_i64(number_text, &number) != OMS_OK || out->state != NATS_OUT_FLOWING ||
        (uint64_t)number < out->first || (uint64_t)number >= out->next)
        return;
    oms_arena_init(&arena, 1024, 1u << 20);
    if (event->status == 503)
        stumble(bus, OMS_STR("no stream takes the subjects"));
    else if (!nats_answer_read(event->text, &arena, &answer))
        stumble(bus, OMS_STR("an acknowledgement cannot be read"));
    else if (answer.error)
        stumble(bus, answer.message);
    else if ((uint64_t)number != out->first)
        stumble(bus, OMS_STR("an acknowledgement is missing"));
    else
        acknowledged(bus, &answer);
    oms_arena_fini(&arena);
    if (out->state == NATS_OUT_FLOWING)
        nats_publish_pump(bus);
}

/* ---- answers of the API ---- */

static void stream_answer(struct nats_bus *bus, const struct nats_event *event)
{
    struct nats_out *out = &bus->out;
    struct nats_answer answer;
    struct oms_arena arena;

    if (out->state != NATS_OUT_ASKING && out->state != NATS_OUT_MAKING)
        return;
    oms_arena_init(&arena, 4096, OMS_NATS_PAYLOAD_BYTES_MAX);
    if (event->status == 503)
        stumble(bus, OMS_STR("there is no JetStream"));
    else if (!nats_answer_read(event->text, &arena, &answer))
        stumble(bus, OMS_STR("the answer of JetStream cannot be read"));
    else if (answer.error == NATS_ERROR_STREAM_NOT_FOUND && out->state == NATS_OUT_ASKING &&
             bus->config.settings->create_stream)
        make_stream(bus);
    else if (answer.error)
        stumble(bus, answer.message);
    else
        begin_settling(bus, &answer);
    oms_arena_fini(&arena);
    if (out->state == NATS_OUT_SETTLING)
        settle(bus);
}

void nats_publish_answer(struct nats_bus *bus, const struct nats_event *event, struct oms_str tail)
{
    if (tail.data[0] == 'k')
        ack(bus, event, oms_str_make(tail.data + 1, tail.len - 1));
    else if (tail.data[0] == 'l')
        located(bus, event, tail);
    else if (tail.data[0] == 's')
        stream_answer(bus, event);
}

/* ---- the bus's calls ---- */

void nats_publish_up(struct nats_bus *bus)
{
    if (!bus->config.settings->publish)
        return;
    bus->out.pause_ms = PAUSE_MIN_MS;
    ask_stream(bus);
}

void nats_publish_down(struct nats_bus *bus)
{
    forget_flights(bus);
    bus->out.state = NATS_OUT_DOWN;
    for (size_t i = 0; i < bus->out.feed_count; i++)
        if (bus->out.feeds[i]) {
            bus->out.feeds[i]->locating = false;
            close_feed(bus->out.feeds[i]); /* what comes meanwhile lies in the log */
        }
    bus->out.locating = 0;
}

static void open_some(struct nats_bus *bus, int64_t now_ms)
{
    struct nats_out *out = &bus->out;
    unsigned opened = 0;

    for (size_t i = 0; i < out->feed_count && opened < OPENS_PER_TICK; i++) {
        struct nats_feed *feed = out->feeds[i];

        if (!feed || feed->removed)
            continue;
        if (!feed->open && now_ms >= feed->open_ms && ++opened)
            open_feed(bus, feed);
        if (feed->wants_place && !feed->locating && out->locating < LOCATES_MAX) {
            feed->wants_place = false;
            ask_last(bus, feed);
        }
    }
}

/* Commits that lie behind what was acknowledged; of all tenants, also those that others of a partition made.
 */
static void measure(struct nats_bus *bus)
{
    struct store *store = actors_store(bus->config.system);
    uint64_t lag = 0;

    for (size_t i = 0; i < bus->out.feed_count; i++) {
        struct nats_feed *feed = bus->out.feeds[i];
        if (!feed || feed->removed)
            continue;
        bool idle = bus->out.state == NATS_OUT_FLOWING && feed->open && !feed->queued && !feed->locating &&
                    !feed->wants_place;
        uint64_t durable = store_durable_commit(store, store_partition_of(feed->tenant));
        if (!idle && durable > feed->mark.commit)
            lag += durable - feed->mark.commit;
    }
    atomic_store_explicit(&bus->lag, lag, memory_order_relaxed);
    atomic_store_explicit(&bus->in_flight, bus->out.next - bus->out.first, memory_order_relaxed);
}

void nats_publish_tick(struct nats_bus *bus)
{
    struct nats_out *out = &bus->out;
    int64_t now_ms = nats_now_ms(bus);
    bool waits = out->state == NATS_OUT_ASKING || out->state == NATS_OUT_MAKING;

    mark_due(bus, now_ms);
    if (out->state == NATS_OUT_PAUSED && now_ms >= out->due_ms)
        ask_stream(bus);
    else if (waits && now_ms >= out->due_ms)
        stumble(bus, OMS_STR("JetStream did not answer in time"));
    else if (out->locating && now_ms >= out->locate_ms)
        stumble(bus, OMS_STR("the stream did not say in time what it has"));
    else if (out->first < out->next && now_ms - flight_at(out, out->first)->sent_ms > OMS_NATS_ANSWER_MS)
        stumble(bus, OMS_STR("a message was not acknowledged in time"));
    if (out->state == NATS_OUT_SETTLING)
        settle(bus);
    if (out->state == NATS_OUT_FLOWING && !out->stopping) {
        open_some(bus, now_ms);
        nats_publish_pump(bus);
    }
    measure(bus);
}

/* Nothing more is sent; true when all that was sent is acknowledged and recorded. */
bool nats_publish_finish(struct nats_bus *bus)
{
    bool done = bus->out.first == bus->out.next || bus->out.state != NATS_OUT_FLOWING;

    bus->out.stopping = true;
    for (size_t i = 0; done && i < bus->out.feed_count; i++) {
        struct nats_feed *feed = bus->out.feeds[i];

        if (!feed)
            continue;
        feed->mark_ms = 0;
        done = !feed->dirty && !feed->marking;
        if (feed->dirty && !feed->marking)
            mark(bus, feed);
    }
    return done;
}

void nats_publish_close(struct nats_bus *bus)
{
    for (size_t i = 0; i < bus->out.feed_count; i++)
        if (bus->out.feeds[i])
            close_feed(bus->out.feeds[i]);
    bus->out.state = NATS_OUT_DOWN;
}

/* ---- tenants ---- */

void nats_publish_tenant(struct nats_bus *bus, const struct tenant_version *tenant)
{
    struct nats_out *out = &bus->out;

    if (!bus->config.settings->publish)
        return;
    if (tenant->number >= out->feed_count) {
        size_t count = out->feed_count ? out->feed_count : 16;

        while (count <= tenant->number)
            count *= 2;
        out->feeds = oms_reallocarray(out->feeds, count, sizeof(out->feeds[0]));
        memset(out->feeds + out->feed_count, 0, (count - out->feed_count) * sizeof(out->feeds[0]));
        out->feed_count = count;
    }
    struct nats_feed *feed = out->feeds[tenant->number];
    if (!feed) {
        feed = oms_calloc(1, sizeof(*feed));
        feed->bus = bus;
        feed->tenant = tenant->number;
        snprintf(feed->name, sizeof(feed->name), "%.*s", OMS_STR_ARG(tenant->name));
        make_origin(bus, feed);
        out->feeds[tenant->number] = feed;
    }
    feed->removed = tenant->status == TENANT_REMOVED;
}

/* Before the host starts. */
static void add_stored(void *context, const struct tenant_version *tenant)
{
    struct nats_bus *bus = context;

    nats_publish_tenant(bus, tenant);
    if (!bus->config.settings->publish)
        return;
    struct mark *own = &bus->out.feeds[tenant->number]->mark;
    enum oms_status status = mark_load(actors_store(bus->config.system), tenant->number, own);
    if (status != OMS_OK) { /* then it is as if nothing had been published: the stream is asked */
        OMS_LOG(OMS_LOG_ERROR, "nats.mark_not_read", OMS_LOG_STR("tenant", tenant->name),
                OMS_LOG_TEXT("status", oms_status_name(status)));
        *own = (struct mark){0};
    }
    bus->out.feeds[tenant->number]->sent = (struct ids_cursor){own->commit, own->ordinal};
}

void nats_publish_init(struct nats_bus *bus)
{
    struct http_claims *claims = http_claims_create();

    claims->kind = PRINCIPAL_SYSTEM;
    claims->expires_ms = INT64_MAX;
    claims->is_operator = claims->any_tenant = true;
    claims->subject = OMS_STR("nats");
    bus->out.claims = claims;
    bus->out.flights = oms_calloc(OMS_NATS_WINDOW_EVENTS, sizeof(bus->out.flights[0]));
    bus->out.pause_ms = PAUSE_MIN_MS;
    bus->out.soon.fire = soon;
    actors_tenants_each(bus->shard, add_stored, bus);
}

void nats_publish_fini(struct nats_bus *bus)
{
    for (size_t i = 0; i < bus->out.feed_count; i++) {
        OMS_ASSERT(!bus->out.feeds[i] || !bus->out.feeds[i]->open);
        oms_free(bus->out.feeds[i]);
    }
    oms_free(bus->out.feeds);
    oms_free(bus->out.flights);
    http_claims_release(bus->out.claims);
}
