/*
 * Messages in: a durable consumer of a stream is asked for as many messages as can be worked on; each goes
 * the way of a webhook, and is answered when what it did is durable:
 *
 *   applied, or waiting for what it speaks of → +ACK      refused for good → +TERM
 *   busy, suspended tenant, outcome unknown   → -NAK, to come again later
 *
 * A message that comes again is known by its Nats-Msg-Id, else by its place in the stream, and changes
 * nothing.
 */
#include <openssl/evp.h>
#include <stdio.h>

#include "http/nats/bus_impl.h"
#include "http/webhook/receiver.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"

#define PULL_MS          30000
#define PULL_GRACE_MS    5000
#define AGAIN_MS         5000 /* until a consumer that is not there is looked for again */
#define NAK_FIRST_MS     500
#define NAK_LAST_MS      60000
#define NAK_SUSPENDED_MS 30000
#define PROGRESS_MS      (OMS_NATS_ACK_WAIT_MS / 3)

struct nats_incoming {
    struct nats_incoming *prev, *next;
    struct nats_bus *bus;
    struct nats_consumer *consumer;
    struct nats_event *event; /* holds all text */
    struct nats_ack_place place;
    const struct webhook_topic *topic; /* NULL: none */
    struct oms_arena arena;
    int64_t told_ms; /* when the broker heard last that it is worked on */
    char id[OMS_NATS_NAME_BYTES_MAX + 48];
};

/* ---- the consumer ---- */

static size_t index_of(const struct nats_bus *bus, const struct nats_consumer *consumer)
{
    return (size_t)(consumer - bus->consumers);
}

static void ask(struct nats_bus *bus, struct nats_consumer *consumer, enum nats_consumer_state state,
                const char *what, const char *more)
{
    char tail[32];

    snprintf(tail, sizeof(tail), "c%zu.a", index_of(bus, consumer));
    consumer->state = state;
    consumer->due_ms = nats_now_ms(bus) + OMS_NATS_ANSWER_MS;
    nats_ask(bus, what, consumer->settings->stream.data, more, tail, oms_buf_str(&bus->scratch));
}

static void ask_info(struct nats_bus *bus, struct nats_consumer *consumer)
{
    oms_buf_reset(&bus->scratch);
    ask(bus, consumer, NATS_CONSUMER_ASKING, "CONSUMER.INFO", consumer->settings->durable.data);
}

static void write_filter(const struct nats_consumer *consumer, struct oms_buf *out)
{
    nats_filter_write(out, consumer->settings->subject);
}

static void make_stream(struct nats_bus *bus, struct nats_consumer *consumer)
{
    struct oms_buf filter;

    oms_buf_init(&filter, OMS_NATS_SUBJECT_BYTES_MAX);
    write_filter(consumer, &filter);
    oms_buf_reset(&bus->scratch);
    const struct http_nats_settings plain = {.replicas = bus->config.settings->replicas,
                                             .duplicate_window_s = bus->config.settings->duplicate_window_s};
    nats_stream_create_write(&bus->scratch, consumer->settings->stream, oms_buf_str(&filter), &plain);
    ask(bus, consumer, NATS_CONSUMER_MAKING_STREAM, "STREAM.CREATE", NULL);
    oms_buf_fini(&filter);
}

static void make_consumer(struct nats_bus *bus, struct nats_consumer *consumer)
{
    struct oms_buf filter;

    oms_buf_init(&filter, OMS_NATS_SUBJECT_BYTES_MAX);
    write_filter(consumer, &filter);
    oms_buf_reset(&bus->scratch);
    nats_consumer_create_write(&bus->scratch, consumer->settings, oms_buf_str(&filter));
    ask(bus, consumer, NATS_CONSUMER_MAKING, "CONSUMER.DURABLE.CREATE", consumer->settings->durable.data);
    oms_buf_fini(&filter);
}

static void pause(struct nats_bus *bus, struct nats_consumer *consumer, struct oms_str why)
{
    if (!consumer->complained)
        OMS_LOG(OMS_LOG_WARN, "nats.cannot_consume", OMS_LOG_STR("stream", consumer->settings->stream),
                OMS_LOG_STR("durable", consumer->settings->durable), OMS_LOG_STR("reason", why));
    consumer->complained = true;
    consumer->asked = 0;
    consumer->state = NATS_CONSUMER_PAUSED;
    consumer->due_ms = nats_now_ms(bus) + AGAIN_MS;
}

/* As many as there is room for, when half of the room is there and nothing is on its way. */
static void pull(struct nats_bus *bus, struct nats_consumer *consumer)
{
    /* A broker may send more than it was asked for. */
    unsigned working = consumer->working, most = consumer->settings->in_flight;
    unsigned room = most > working ? most - working : 0;
    char tail[64];

    if (bus->stop_ms || consumer->state != NATS_CONSUMER_PULLING || consumer->asked || !room ||
        2 * room < most)
        return;
    consumer->asked = room;
    consumer->due_ms = nats_now_ms(bus) + PULL_MS + PULL_GRACE_MS;
    snprintf(tail, sizeof(tail), "c%zu.p%llu", index_of(bus, consumer), (unsigned long long)++consumer->pull);
    oms_buf_reset(&bus->scratch);
    nats_pull_write(&bus->scratch, room, OMS_NATS_PULL_BYTES_MAX, PULL_MS);
    nats_ask(bus, "CONSUMER.MSG.NEXT", consumer->settings->stream.data, consumer->settings->durable.data,
             tail, oms_buf_str(&bus->scratch));
}

static void begin_pulling(struct nats_bus *bus, struct nats_consumer *consumer)
{
    consumer->state = NATS_CONSUMER_PULLING;
    consumer->complained = false;
    consumer->asked = 0;
    OMS_LOG(OMS_LOG_INFO, "nats.consuming", OMS_LOG_STR("stream", consumer->settings->stream),
            OMS_LOG_STR("durable", consumer->settings->durable));
    pull(bus, consumer);
}

/* What stands behind the messages that were asked for: 404 and 408: no more now; 409: limits, or the consumer
 * is gone; 503: the stream is. */
static void pull_status(struct nats_bus *bus, struct nats_consumer *consumer, const struct nats_event *event,
                        struct oms_str number)
{
    int64_t pulled;

    if (event->status == 100 || oms_str_to_i64(number, &pulled) != OMS_OK ||
        (uint64_t)pulled != consumer->pull || consumer->state != NATS_CONSUMER_PULLING)
        return;
    consumer->asked = 0;
    if (event->status == 404 || event->status == 408)
        pull(bus, consumer);
    else
        ask_info(bus, consumer);
}

void nats_consume_answer(struct nats_bus *bus, size_t index, const struct nats_event *event,
                         struct oms_str tail)
{
    struct nats_consumer *consumer = &bus->consumers[index];
    struct nats_answer answer;
    struct oms_arena arena;

    if (tail.len && tail.data[0] == 'p') {
        pull_status(bus, consumer, event, oms_str_make(tail.data + 1, tail.len - 1));
        return;
    }
    oms_arena_init(&arena, 4096, OMS_NATS_PAYLOAD_BYTES_MAX);
    if (event->status == 503)
        pause(bus, consumer, OMS_STR("there is no JetStream"));
    else if (!nats_answer_read(event->text, &arena, &answer))
        pause(bus, consumer, OMS_STR("the answer of JetStream cannot be read"));
    else if (!answer.error && consumer->state == NATS_CONSUMER_MAKING_STREAM)
        make_consumer(bus, consumer);
    else if (!answer.error)
        begin_pulling(bus, consumer);
    else if (answer.error == NATS_ERROR_STREAM_NOT_FOUND && consumer->settings->create &&
             consumer->state == NATS_CONSUMER_ASKING)
        make_stream(bus, consumer);
    else if (answer.error == NATS_ERROR_CONSUMER_NOT_FOUND && consumer->settings->create &&
             consumer->state == NATS_CONSUMER_ASKING)
        make_consumer(bus, consumer);
    else
        pause(bus, consumer, answer.message);
    oms_arena_fini(&arena);
}

/* ---- a message ---- */

static void tell(struct nats_incoming *incoming, struct oms_str what)
{
    nats_link_send(incoming->bus->link, incoming->event->epoch, incoming->event->reply.data, NULL, NULL, 0,
                   what);
}

static void nak(struct nats_incoming *incoming, unsigned delay_ms)
{
    char space[64];
    struct oms_buf out = {.data = space, .cap = sizeof(space), .max = sizeof(space)};

    nats_nak_write(&out, delay_ms);
    tell(incoming, oms_buf_str(&out));
}

/* Longer with each time that it came. */
static unsigned nak_delay_ms(const struct nats_incoming *incoming)
{
    uint64_t times = incoming->place.delivered < 8 ? incoming->place.delivered : 8;
    uint64_t delay = (uint64_t)NAK_FIRST_MS << (times ? times - 1 : 0);

    return (unsigned)(delay < NAK_LAST_MS ? delay : NAK_LAST_MS);
}

static void free_incoming(struct nats_incoming *incoming)
{
    *(incoming->prev ? &incoming->prev->next : &incoming->consumer->first) = incoming->next;
    if (incoming->next)
        incoming->next->prev = incoming->prev;
    oms_arena_fini(&incoming->arena);
    nats_event_free(incoming->event);
    oms_free(incoming);
}

static void finish(struct nats_incoming *incoming, enum webhook_result result)
{
    struct nats_bus *bus = incoming->bus;
    struct nats_consumer *consumer = incoming->consumer;
    size_t row = incoming->topic ? webhook_topic_index(incoming->topic) : NATS_TOPICS_MAX;

    OMS_ASSERT(row <= NATS_TOPICS_MAX && consumer->working);
    nats_count(&bus->consumed[row][result], 1);
    consumer->working--;
    free_incoming(incoming);
    if (bus->epoch)
        pull(bus, consumer);
}

static void answered(void *context, unsigned status, struct oms_str body, enum webhook_result result)
{
    struct nats_incoming *incoming = context;

    (void)body;
    if (status < 300)
        tell(incoming, OMS_STR("+ACK"));
    else if (status < 500)
        tell(incoming, OMS_STR("+TERM"));
    else
        nak(incoming, nak_delay_ms(incoming));
    finish(incoming, result);
}

static void refuse(struct nats_incoming *incoming, const struct webhook_incoming *in, const char *code)
{
    webhook_log_refusal(in, 404, code);
    tell(incoming, OMS_STR("+TERM"));
    finish(incoming, WEBHOOK_RESULT_UNKNOWN);
}

/* tenant_id of the payload, or of its "data", as the events of an identity service have it. */
static struct oms_str tenant_in(struct oms_str body, struct oms_arena *arena)
{
    struct oms_json_error fault;
    struct oms_value tree;

    if (oms_json_parse(body, OMS_JSON_DEPTH_MAX, arena, &tree, &fault) != OMS_OK)
        return OMS_STR_NONE;
    const struct oms_value *data = oms_value_get_set(&tree, "data"),
                           *name = oms_value_get_set(&tree, "tenant_id");
    if (!name && data)
        name = oms_value_get_set(data, "tenant_id");
    return name && name->kind == OMS_VALUE_STRING ? name->text : OMS_STR_NONE;
}

/* What the subject, the configuration and the payload say; false when it is answered already. */
static bool address(struct nats_incoming *incoming, struct webhook_incoming *in)
{
    const struct http_nats_consume *settings = incoming->consumer->settings;
    struct oms_str tenant, topic;

    if (!nats_subject_match(settings->subject, incoming->event->subject, &incoming->arena, &tenant, &topic)) {
        refuse(incoming, in, "OTHER_SUBJECT");
        return false;
    }
    in->tenant_name = oms_str_present(settings->tenant) ? settings->tenant
                      : oms_str_present(tenant)         ? tenant
                                                        : tenant_in(in->body, &incoming->arena);
    in->topic = incoming->topic =
        webhook_topic_find(oms_str_present(settings->topic) ? settings->topic : topic);
    const struct tenant_version *version = oms_str_present(in->tenant_name)
                                               ? actors_tenant_by_name(incoming->bus->shard, in->tenant_name)
                                               : NULL;
    if (!in->topic) {
        refuse(incoming, in, "UNKNOWN_TOPIC");
        return false;
    }
    if (!version || version->status == TENANT_REMOVED) {
        refuse(incoming, in, "UNKNOWN_TENANT");
        return false;
    }
    if (version->status == TENANT_SUSPENDED) {
        webhook_log_refusal(in, 503, "TENANT_SUSPENDED");
        nak(incoming, NAK_SUSPENDED_MS);
        finish(incoming, WEBHOOK_RESULT_UNAVAILABLE);
        return false;
    }
    in->tenant = version->number;
    return true;
}

static void name_it(struct nats_incoming *incoming, struct webhook_incoming *in)
{
    const struct nats_event *event = incoming->event;

    snprintf(incoming->id, sizeof(incoming->id), "%.*s:%llu:%llu", OMS_STR_ARG(incoming->place.stream),
             (unsigned long long)incoming->place.sequence, (unsigned long long)incoming->place.time_ns);
    in->label = oms_str_of(incoming->id);
    in->id = event->id.len ? event->id : oms_str_of(incoming->id);
    EVP_Digest(event->text.data, event->text.len, in->digest, NULL, EVP_sha256(), NULL);
}

static struct nats_consumer *find_consumer(struct nats_bus *bus, const struct nats_ack_place *place)
{
    for (size_t i = 0; i < bus->consumer_count; i++)
        if (oms_str_eq(bus->consumers[i].settings->stream, place->stream) &&
            oms_str_eq(bus->consumers[i].settings->durable, place->consumer))
            return &bus->consumers[i];
    return NULL;
}

void nats_consume_message(struct nats_bus *bus, struct nats_event *event)
{
    struct nats_ack_place place;
    struct nats_consumer *consumer =
        nats_ack_place_read(event->reply, &place) ? find_consumer(bus, &place) : NULL;

    if (!consumer) {
        nats_event_free(event);
        return;
    }
    struct nats_incoming *incoming = oms_calloc(1, sizeof(*incoming));
    *incoming = (struct nats_incoming){.next = consumer->first,
                                       .bus = bus,
                                       .consumer = consumer,
                                       .event = event,
                                       .place = place,
                                       .told_ms = nats_now_ms(bus)};
    if (consumer->first)
        consumer->first->prev = incoming;
    consumer->first = incoming;
    consumer->working++;
    consumer->asked -= consumer->asked > 0;
    oms_arena_init(&incoming->arena, 4096, OMS_REQUEST_ARENA_BYTES_MAX);
    struct webhook_incoming in = {.receiver = bus->config.receiver,
                                  .shard = bus->shard,
                                  .arena = &incoming->arena,
                                  .provider = webhook_provider_nats(),
                                  .body = event->text,
                                  .peer = event->subject,
                                  .answer = answered,
                                  .context = incoming};
    name_it(incoming, &in);
    if (bus->stop_ms) { /* somebody else may have it at once */
        nak(incoming, 0);
        free_incoming(incoming);
        consumer->working--;
        return;
    }
    if (address(incoming, &in))
        webhook_deliver(&in);
}

/* ---- the bus's calls ---- */

void nats_consume_up(struct nats_bus *bus)
{
    for (size_t i = 0; i < bus->consumer_count; i++)
        ask_info(bus, &bus->consumers[i]);
}

/* What is worked on goes on; its acknowledgement finds no connection, and it comes again. */
void nats_consume_down(struct nats_bus *bus)
{
    for (size_t i = 0; i < bus->consumer_count; i++) {
        bus->consumers[i].state = NATS_CONSUMER_DOWN;
        bus->consumers[i].asked = 0;
    }
}

bool nats_consume_finish(struct nats_bus *bus)
{
    unsigned working = 0;

    for (size_t i = 0; i < bus->consumer_count; i++)
        working += bus->consumers[i].working;
    return working == 0;
}

static void tick_consumer(struct nats_bus *bus, struct nats_consumer *consumer, int64_t now_ms)
{
    for (struct nats_incoming *incoming = consumer->first; incoming; incoming = incoming->next)
        if (now_ms - incoming->told_ms >= PROGRESS_MS) {
            incoming->told_ms = now_ms;
            tell(incoming, OMS_STR("+WPI"));
        }
    if (now_ms < consumer->due_ms)
        return;
    if (consumer->state == NATS_CONSUMER_PULLING && consumer->asked) {
        consumer->asked = 0;
        pull(bus, consumer);
    } else if (consumer->state == NATS_CONSUMER_PAUSED) {
        ask_info(bus, consumer);
    } else if (consumer->state != NATS_CONSUMER_PULLING) {
        pause(bus, consumer, OMS_STR("JetStream did not answer in time"));
    }
}

void nats_consume_tick(struct nats_bus *bus)
{
    int64_t now_ms = nats_now_ms(bus);

    for (size_t i = 0; i < bus->consumer_count; i++)
        tick_consumer(bus, &bus->consumers[i], now_ms);
}

void nats_consume_fini(struct nats_bus *bus)
{
    for (size_t i = 0; i < bus->consumer_count; i++)
        while (bus->consumers[i].first)
            free_incoming(bus->consumers[i].first);
}

void nats_consume_write_metrics(const struct nats_bus *bus, struct oms_buf *out)
{
    static const char *const results[] = {
#define X(name, label) label,
        WEBHOOK_RESULT_LIST(X)
#undef X
    };
    char labels[160];

    http_metrics_write_head(out, "liteoms_nats_consumed_total", "counter",
                            "Messages consumed, by topic and what became of them.");
    for (size_t t = 0; t <= NATS_TOPICS_MAX; t++)
        for (size_t r = 0; r < WEBHOOK_RESULT_COUNT; r++) {
            uint64_t count = atomic_load_explicit(&bus->consumed[t][r], memory_order_relaxed);
            const struct webhook_topic *topic = t < NATS_TOPICS_MAX ? webhook_topic_at(t) : NULL;

            if (!count)
                continue;
            snprintf(labels, sizeof(labels), "topic=\"%s\",result=\"%s\"", topic ? topic->name : "none",
                     results[r]);
            http_metrics_write_u64(out, "liteoms_nats_consumed_total", labels, count);
        }
}
