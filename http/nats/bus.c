/* The bus: what comes from the link, and the tick; see bus.h. */
#include <stdio.h>
#include <time.h>

#include "http/nats/bus_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/log.h"

#define POLL_NS 2000000

int64_t nats_now_ms(const struct nats_bus *bus)
{
    return rt_now_ms(bus->config.host);
}

void nats_count(nats_counter *counter, uint64_t more)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more,
                          memory_order_relaxed);
}

void nats_ask(struct nats_bus *bus, const char *what, const char *name, const char *more, const char *tail,
              struct oms_str body)
{
    const struct http_nats_settings *settings = bus->config.settings;
    char subject[OMS_NATS_SUBJECT_BYTES_MAX], reply[OMS_NATS_SUBJECT_BYTES_MAX];

    snprintf(subject, sizeof(subject), "$JS.%.*s%sAPI.%s.%s%s%s", OMS_STR_ARG(settings->domain),
             oms_str_present(settings->domain) ? "." : "", what, name, more ? "." : "", more ? more : "");
    snprintf(reply, sizeof(reply), "%s%s", nats_link_inbox(bus->link), tail);
    nats_link_send(bus->link, bus->epoch, subject, reply, NULL, 0, body);
}

/* ---- what comes ---- */

static void up(struct nats_bus *bus, const struct nats_event *event)
{
    bus->epoch = event->epoch;
    bus->max_payload = event->number;
    atomic_store_explicit(&bus->connected, 1, memory_order_relaxed);
    nats_count(&bus->connects, 1);
    OMS_LOG(OMS_LOG_INFO, "nats.connected", OMS_LOG_U64("max_payload", event->number));
    nats_publish_up(bus);
    nats_consume_up(bus);
}

static void down(struct nats_bus *bus, const struct nats_event *event)
{
    OMS_LOG(OMS_LOG_WARN, event->epoch ? "nats.disconnected" : "nats.no_broker",
            OMS_LOG_STR("reason", event->text));
    if (!event->epoch || event->epoch != bus->epoch)
        return;
    bus->epoch = 0;
    atomic_store_explicit(&bus->connected, 0, memory_order_relaxed);
    nats_publish_down(bus);
    nats_consume_down(bus);
}

/* Subjects of the inbox end in "c<consumer>.…", or in what publish.c asked for. */
static void answer(struct nats_bus *bus, const struct nats_event *event, struct oms_str tail)
{
    int64_t index;
    const char *dot = memchr(tail.data, '.', tail.len);

    if (!tail.len)
        return;
    if (!dot || tail.data[0] != 'c') {
        nats_publish_answer(bus, event, tail);
        return;
    }
    struct oms_str number = oms_str_make(tail.data + 1, (size_t)(dot - tail.data) - 1);
    if (oms_str_to_i64(number, &index) == OMS_OK && index >= 0 && (size_t)index < bus->consumer_count)
        nats_consume_answer(bus, (size_t)index, event,
                            oms_str_make(dot + 1, tail.len - (size_t)(dot + 1 - tail.data)));
}

static void on_event(void *context, struct rt_shard *shard, struct nats_event *event)
{
    struct nats_bus *bus = context;
    struct oms_str inbox = oms_str_of(nats_link_inbox(bus->link));

    (void)shard;
    if (atomic_load(&bus->quiet)) {
        nats_event_free(event);
        return;
    }
    if (event->kind == NATS_UP) {
        up(bus, event);
    } else if (event->kind == NATS_DOWN) {
        down(bus, event);
    } else if (event->kind == NATS_FAULT) {
        OMS_LOG(OMS_LOG_WARN, "nats.fault", OMS_LOG_STR("reason", event->text));
    } else if (event->epoch == bus->epoch) {
        if (!oms_str_starts(event->subject, inbox)) {
            nats_consume_message(bus, event);
            return;
        }
        answer(bus, event, oms_str_make(event->subject.data + inbox.len, event->subject.len - inbox.len));
    }
    nats_event_free(event);
}

static void tick(struct rt_shard *shard, struct rt_timer *timer)
{
    struct nats_bus *bus = OMS_CONTAINER_OF(timer, struct nats_bus, tick);

    nats_publish_tick(bus);
    if (bus->epoch)
        nats_consume_tick(bus);
    if (bus->stop_ms && !atomic_load(&bus->quiet)) {
        bool out = nats_publish_finish(bus), in = nats_consume_finish(bus);
        if ((out && in) || nats_now_ms(bus) >= bus->stop_ms) {
            nats_publish_close(bus);
            atomic_store(&bus->quiet, true);
            return;
        }
    }
    rt_timer_start(shard, timer, nats_now_ms(bus) + NATS_TICK_MS);
}

/* ---- numbers ---- */

static void write_counter(struct oms_buf *out, const char *name, const char *kind,
                          const nats_counter *counter, const char *help)
{
    http_metrics_write_head(out, name, kind, help);
    http_metrics_write_u64(out, name, "", atomic_load_explicit(counter, memory_order_relaxed));
}

static void write_metrics(void *context, struct oms_buf *out)
{
    const struct nats_bus *bus = context;

    http_metrics_write_head(out, "liteoms_nats_connected", "gauge", "1 while a broker is connected.");
    http_metrics_write_u64(out, "liteoms_nats_connected", "",
                           atomic_load_explicit(&bus->connected, memory_order_relaxed));
    http_metrics_write_head(out, "liteoms_nats_connects_total", "counter", "Connections made to a broker.");
    http_metrics_write_u64(out, "liteoms_nats_connects_total", "",
                           atomic_load_explicit(&bus->connects, memory_order_relaxed));
    if (bus->config.settings->publish) {
        write_counter(out, "liteoms_nats_published_total", "counter", &bus->published,
                      "Events written to the broker, those included that had to be written again.");
        write_counter(out, "liteoms_nats_acked_total", "counter", &bus->acked,
                      "Events that the stream acknowledged.");
        write_counter(out, "liteoms_nats_duplicates_total", "counter", &bus->duplicates,
                      "Of them, those that the stream had already.");
        write_counter(out, "liteoms_nats_stumbles_total", "counter", &bus->stumbles,
                      "Times that publishing had to begin again from what was acknowledged.");
        write_counter(out, "liteoms_nats_shortened_total", "counter", &bus->shortened,
                      "Events published without their order, since they were larger than the broker takes.");
        write_counter(out, "liteoms_nats_in_flight", "gauge", &bus->in_flight,
                      "Events written and not acknowledged.");
        write_counter(
            out, "liteoms_nats_lag_commits", "gauge", &bus->lag,
            "Commits behind the last published one, over all tenants: an upper bound, since tenants "
            "share partitions.");
    }
    nats_consume_write_metrics(bus, out);
}

/* ---- life ---- */

struct nats_bus *nats_bus_create(const struct nats_bus_config *config)
{
    struct nats_bus *bus = oms_calloc(1, sizeof(*bus));
    const struct nats_link_config link = {
        .host = config->host, .settings = config->settings, .on_event = on_event, .context = bus};

    OMS_ASSERT(config->settings->enabled);
    bus->config = *config;
    bus->shard = config->host->shards[NATS_HOME];
    oms_buf_init(&bus->scratch, OMS_NATS_PAYLOAD_BYTES_MAX);
    bus->consumer_count = config->settings->consume_count;
    bus->consumers = oms_calloc(bus->consumer_count ? bus->consumer_count : 1, sizeof(bus->consumers[0]));
    for (size_t i = 0; i < bus->consumer_count; i++)
        bus->consumers[i].settings = &config->settings->consume[i];
    bus->link = nats_link_create(&link);
    nats_publish_init(bus);
    bus->tick.fire = tick;
    rt_timer_start(bus->shard, &bus->tick, nats_now_ms(bus) + NATS_TICK_MS);
    if (config->metrics)
        http_metrics_source(config->metrics, write_metrics, bus);
    return bus;
}

void nats_bus_tenant(struct nats_bus *bus, struct rt_shard *shard, const struct tenant_version *tenant)
{
    if (bus && shard == bus->shard)
        nats_publish_tenant(bus, tenant);
}

static void asked_to_stop(struct rt_shard *shard, struct rt_message *message)
{
    struct nats_bus *bus = OMS_CONTAINER_OF(message, struct nats_bus, stop);

    (void)shard;
    bus->stop_ms = nats_now_ms(bus) + OMS_NATS_STOP_MS;
}

void nats_bus_stop(struct nats_bus *bus)
{
    const struct timespec poll = {.tv_nsec = POLL_NS};

    if (!bus)
        return;
    bus->stop.home = NATS_HOME;
    bus->stop.on_return = asked_to_stop;
    rt_post(bus->config.host, NATS_HOME, &bus->stop);
    while (!atomic_load(&bus->quiet))
        nanosleep(&poll, NULL);
    nats_link_stop(bus->link);
}

void nats_bus_destroy(struct nats_bus *bus)
{
    if (!bus)
        return;
    nats_publish_fini(bus);
    nats_consume_fini(bus);
    nats_link_destroy(bus->link);
    oms_free(bus->consumers);
    oms_buf_fini(&bus->scratch);
    oms_free(bus);
}
