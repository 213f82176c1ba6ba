/*
 * The hub: every shard's part of live streams, wired to actors and store.
 *
 * Made after the api and before the host starts; taken down after the host has stopped, when nothing calls
 * any more. A turn's reports leave at its end, and readers are woken there.
 */
#include "http/stream/stream_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

#define VALUE_BYTES_MAX OMS_RESPONSE_BYTES_MAX
#define TEXT_BYTES_MAX  (OMS_RESPONSE_BYTES_MAX + (1u << 20))

/* ---- the observer ---- */

static struct order_watch *begin(void *context, struct rt_shard *shard, const struct rt_address *actor,
                                 unsigned event_count)
{
    return stream_source_begin(stream_shard_of(context, shard), actor, event_count);
}

static void event(void *context, struct rt_shard *shard, struct order_watch *watch, const struct order *order,
                  const struct order_event *applied, const struct order_event_meta *meta, unsigned ordinal)
{
    stream_source_event(stream_shard_of(context, shard), watch, order, applied, meta, ordinal);
}

static void committed(void *context, struct rt_shard *shard, struct order_watch *watch, uint64_t commit,
                      enum oms_status status)
{
    stream_source_committed(stream_shard_of(context, shard), watch, commit, status);
}

/* First the sources: nothing is made by an older version from here on. Then the readers. */
static void tenant(void *context, struct rt_shard *shard, const struct tenant_version *version)
{
    struct stream_shard *ss = stream_shard_of(context, shard);
    stream_source_tenant(ss, version);
    stream_sessions_tenant(ss, version);
}

static void user(void *context, struct rt_shard *shard, const struct user_version *version)
{
    stream_sessions_user(stream_shard_of(context, shard), version);
}

/* ---- turns ---- */

static void turn_end(struct rt_shard *shard, void *context)
{
    struct stream_shard *ss = context;
    (void)shard;
    stream_report_flush_all(ss);
    stream_sessions_wake(ss);
}

static void tick(struct rt_shard *shard, struct rt_timer *timer)
{
    struct stream_shard *ss = OMS_CONTAINER_OF(timer, struct stream_shard, tick);
    int64_t now_ms = rt_now_ms(ss->hub->host);
    stream_sessions_tick(ss, now_ms);
    for (struct stream_link *link = ss->topics.next; link != &ss->topics; link = link->next)
        stream_topic_tick(OMS_CONTAINER_OF(link, struct stream_topic, all), now_ms);
    if (now_ms >= ss->ping_ms) {
        ss->ping_ms = now_ms + STREAM_CHECKPOINT_MS;
        stream_topics_ping(ss);
    }
    rt_timer_start(shard, timer, now_ms + STREAM_TICK_MS);
}

/* ---- life ---- */

static struct stream_shard *shard_create(struct stream_hub *hub, unsigned index)
{
    struct stream_shard *ss = oms_calloc(1, sizeof(*ss));
    ss->hub = hub;
    ss->as = hub->api->shards[index];
    ss->shard = hub->host->shards[index];
    ss->index = index;
    oms_arena_init(&ss->scratch, 16u << 10, OMS_REQUEST_ARENA_BYTES_MAX);
    oms_buf_init(&ss->value, VALUE_BYTES_MAX);
    oms_buf_init(&ss->text, TEXT_BYTES_MAX);
    stream_list_init(&ss->topics);
    stream_list_init(&ss->touched);
    stream_list_init(&ss->wakes);
    stream_list_init(&ss->loans_controls);
    stream_list_init(&ss->loans_catchups);
    stream_list_init(&ss->loans_probes);
    ss->reads = oms_calloc(OMS_TENANTS_MAX + 1, sizeof(ss->reads[0]));
    ss->as->streams = ss;
    rt_shard_on_turn_end(ss->shard, turn_end, ss);
    ss->tick.fire = tick;
    rt_timer_start(ss->shard, &ss->tick, rt_now_ms(hub->host) + STREAM_TICK_MS);
    return ss;
}

static void free_controls(struct stream_shard *ss)
{
    while (!stream_list_is_empty(&ss->loans_controls)) {
        struct stream_control *control =
            OMS_CONTAINER_OF(ss->loans_controls.next, struct stream_control, loan);
        stream_list_remove(&control->loan);
        oms_free(control->positions);
        oms_free(control);
    }
}

static void free_catchups(struct stream_shard *ss)
{
    while (!stream_list_is_empty(&ss->loans_catchups)) {
        struct stream_catchup *catchup =
            OMS_CONTAINER_OF(ss->loans_catchups.next, struct stream_catchup, loan);
        catchup->topic->jobs -= catchup->in_flight;
        catchup->topic->tail_job = NULL;
        catchup->in_flight = false;
        stream_catchup_drop(catchup);
    }
}

/* Protocols have closed their readers, or never will: what is left of these is theirs. */
static void shard_destroy(struct stream_shard *ss)
{
    free_controls(ss);
    free_catchups(ss);
    stream_sessions_fini(ss);
    stream_subjects_fini(ss);
    stream_sources_fini(ss);
    while (!stream_list_is_empty(&ss->topics)) {
        struct stream_topic *topic = OMS_CONTAINER_OF(ss->topics.next, struct stream_topic, all);
        stream_list_init(&topic->members);
        stream_topic_destroy(topic);
    }
    stream_reports_fini(ss);
    oms_free(ss->by_hash);
    oms_free(ss->reads);
    oms_arena_fini(&ss->scratch);
    oms_buf_fini(&ss->value);
    oms_buf_fini(&ss->text);
    ss->as->streams = NULL;
    oms_free(ss);
}

enum oms_status stream_hub_create(struct api *api, struct oms_error *error)
{
    struct stream_hub *hub = oms_calloc(1, sizeof(*hub));
    (void)error;
    hub->api = api;
    hub->host = api->config.host;
    hub->store = actors_store(api->config.system);
    hub->ring_payloads_max = OMS_STREAM_RING_PAYLOADS_MAX;
    hub->late_max = OMS_STREAM_LATE_UNITS_MAX;
    hub->held_bytes_max = OMS_STREAM_HELD_BYTES_MAX;
    hub->replay_ms = (int64_t)api->config.stream_replay_hours * 3600 * 1000;
    hub->observer = (struct order_observer){.context = hub,
                                            .begin = begin,
                                            .event = event,
                                            .committed = committed,
                                            .tenant = tenant,
                                            .user = user};
    hub->tenant_streams = oms_calloc(OMS_TENANTS_MAX + 1, sizeof(hub->tenant_streams[0]));
    hub->shard_count = hub->host->shard_count;
    hub->shards = oms_calloc(hub->shard_count, sizeof(hub->shards[0]));
    for (unsigned i = 0; i < hub->shard_count; i++)
        hub->shards[i] = shard_create(hub, i);
    actors_set_observer(api->config.system, &hub->observer);
    api->streams = hub;
    api->tenant_streams = hub->tenant_streams;
    return OMS_OK;
}

void stream_hub_destroy(struct api *api)
{
    struct stream_hub *hub = api->streams;
    if (!hub)
        return;
    actors_set_observer(api->config.system, NULL);
    for (unsigned i = 0; i < hub->shard_count; i++)
        shard_destroy(hub->shards[i]);
    oms_free(hub->shards);
    oms_free((void *)(uintptr_t)hub->tenant_streams);
    oms_free(hub);
    api->streams = NULL;
    api->tenant_streams = NULL;
}

static void drain_arrived(struct rt_shard *shard, struct rt_message *message)
{
    struct stream_shard *ss = OMS_CONTAINER_OF(message, struct stream_shard, drain);
    (void)shard;
    stream_drain(ss->as);
}

void stream_hub_drain(struct api *api)
{
    struct stream_hub *hub = api->streams;
    for (unsigned i = 0; hub && i < hub->shard_count; i++) {
        hub->shards[i]->drain.on_return = drain_arrived;
        rt_post(hub->host, i, &hub->shards[i]->drain);
    }
}

void stream_shard_stats(struct api *api, unsigned shard, struct stream_stats *out)
{
    const struct stream_shard *ss = api->shards[shard]->streams;
    *out = ss->stats;
    out->topics = ss->topic_count;
    out->ring_bytes = ss->ring_bytes;
}
