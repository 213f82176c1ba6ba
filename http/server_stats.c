/* See server_stats.h. */
#include "http/server_stats.h"

#include "http/stream/stream.h"

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

#define COPY_INTERVAL_MS 500

struct shard_stats {
    struct rt_timer timer;
    struct http_server_stats *all;
};

enum stat {
    STAT_MESSAGES,
    STAT_RETURNS,
    STAT_REFUSED,
    STAT_ACTORS_LIVE,
    STAT_ACTORS_ACTIVATED,
    STAT_ACTORS_PASSIVATED,
    STAT_MAILBOX_QUEUED,
    STAT_INBOX_DEPTH,
    STAT_ORDERS_LIVE,
    STAT_ORDERS_THAWED,
    STAT_ACCEPTED,
    STAT_REFUSALS,
    STAT_OVER_LIMIT,
    STAT_REPLAYED,
    STAT_READS,
    STAT_LOADS_CACHED,
    STAT_LOADS_POOL,
    STAT_HELD,
    STAT_TIMERS,
    STAT_PLAN_HITS,
    STAT_PLAN_MISSES,
    STAT_PLAN_EVICTIONS,
    STAT_PLANS,
    STAT_PLAN_BYTES,
    STAT_PERSISTED_HITS,
    STAT_PERSISTED_MISSES,
    STAT_PERSISTED_REGISTERED,
    STAT_PERSISTED_EVICTIONS,
    STAT_PERSISTED,
    STAT_PERSISTED_BYTES,
    STAT_THROTTLED,
    STAT_QUERIES,
    STAT_MUTATIONS,
    STAT_GRAPHQL_ERRORS,
    STAT_STREAM_READERS,
    STAT_STREAM_TOPICS,
    STAT_STREAM_OPENED,
    STAT_STREAM_CLOSED,
    STAT_STREAM_SLOW,
    STAT_STREAM_EXPIRED,
    STAT_STREAM_ENDED,
    STAT_STREAM_EXECUTED,
    STAT_STREAM_DELIVERED,
    STAT_STREAM_CHECKPOINTS,
    STAT_STREAM_CATCHUP,
    STAT_STREAM_RING_BYTES,
    STAT_COUNT
};

static const struct {
    bool is_counter;
    const char *name, *help;
} definitions[STAT_COUNT] = {
    [STAT_MESSAGES] = {true, "liteoms_actor_messages_total", "Messages that actors received."},
    [STAT_RETURNS] = {true, "liteoms_actor_returns_total", "Messages that came home."},
    [STAT_REFUSED] = {true, "liteoms_actor_undelivered_total",
                      "Messages refused for a full mailbox or tenant."},
    [STAT_ACTORS_LIVE] = {false, "liteoms_actors_live", "Actors in memory."},
    [STAT_ACTORS_ACTIVATED] = {true, "liteoms_actors_activated_total", "Actors brought into memory."},
    [STAT_ACTORS_PASSIVATED] = {true, "liteoms_actors_passivated_total", "Actors that left memory."},
    [STAT_MAILBOX_QUEUED] = {false, "liteoms_mailbox_depth", "Messages that wait in actors' mailboxes."},
    [STAT_INBOX_DEPTH] = {false, "liteoms_shard_inbox_depth", "Messages that wait for a shard."},
    [STAT_ORDERS_LIVE] = {false, "liteoms_orders_live", "Order actors in memory."},
    [STAT_ORDERS_THAWED] = {false, "liteoms_orders_thawed", "Order actors with a decoded state."},
    [STAT_ACCEPTED] = {true, "liteoms_commands_accepted_total", "Commands that made a unit of work."},
    [STAT_REFUSALS] = {true, "liteoms_commands_refused_total", "Commands refused by the domain."},
    [STAT_OVER_LIMIT] = {true, "liteoms_commands_over_limit_total",
                         "New orders refused for a tenant's open_orders or stored_events."},
    [STAT_REPLAYED] = {true, "liteoms_commands_replayed_total", "Commands answered from an idempotency key."},
    [STAT_READS] = {true, "liteoms_order_reads_total", "Reads of single orders."},
    [STAT_LOADS_CACHED] = {true, "liteoms_order_loads_cached_total", "Orders loaded without blocking."},
    [STAT_LOADS_POOL] = {true, "liteoms_order_loads_pool_total", "Orders loaded by a pool."},
    [STAT_HELD] = {false, "liteoms_replies_held", "Replies that wait for durability."},
    [STAT_TIMERS] = {true, "liteoms_timers_fired_total", "Deadlines that changed an order."},
    [STAT_PLAN_HITS] = {true, "liteoms_plan_cache_hits_total", "Documents found prepared."},
    [STAT_PLAN_MISSES] = {true, "liteoms_plan_cache_misses_total", "Documents not found prepared."},
    [STAT_PLAN_EVICTIONS] = {true, "liteoms_plan_cache_evictions_total",
                             "Prepared documents dropped for room."},
    [STAT_PLANS] = {false, "liteoms_plan_cache_entries", "Prepared documents."},
    [STAT_PLAN_BYTES] = {false, "liteoms_plan_cache_bytes", "Memory of prepared documents."},
    [STAT_PERSISTED_HITS] = {true, "liteoms_persisted_query_hits_total", "Documents found by their hash."},
    [STAT_PERSISTED_MISSES] = {true, "liteoms_persisted_query_misses_total",
                               "Hashes of documents that are not known: PERSISTED_QUERY_NOT_FOUND."},
    [STAT_PERSISTED_REGISTERED] = {true, "liteoms_persisted_queries_registered_total",
                                   "Documents that clients registered."},
    [STAT_PERSISTED_EVICTIONS] = {true, "liteoms_persisted_query_evictions_total",
                                  "Registered documents dropped for room."},
    [STAT_PERSISTED] = {false, "liteoms_persisted_queries", "Registered documents, in each shard's store."},
    [STAT_PERSISTED_BYTES] = {false, "liteoms_persisted_query_bytes", "Memory of registered documents."},
    [STAT_THROTTLED] = {true, "liteoms_graphql_throttled_total", "Requests refused with 429 and THROTTLED."},
    [STAT_QUERIES] = {true, "liteoms_graphql_queries_total", "GraphQL queries run."},
    [STAT_MUTATIONS] = {true, "liteoms_graphql_mutations_total", "GraphQL mutation documents run."},
    [STAT_GRAPHQL_ERRORS] = {true, "liteoms_graphql_errors_total", "GraphQL answers with errors."},
    [STAT_STREAM_READERS] = {false, "liteoms_stream_readers", "Open live streams."},
    [STAT_STREAM_TOPICS] = {false, "liteoms_stream_topics",
                            "Distinct documents, variables and permissions among them."},
    [STAT_STREAM_OPENED] = {true, "liteoms_stream_opened_total", "Streams opened."},
    [STAT_STREAM_CLOSED] = {true, "liteoms_stream_closed_total", "Streams closed by their clients."},
    [STAT_STREAM_SLOW] = {true, "liteoms_stream_slow_total", "Streams cut off because they were not read."},
    [STAT_STREAM_EXPIRED] = {true, "liteoms_stream_expired_total", "Streams ended with their tokens."},
    [STAT_STREAM_ENDED] = {true, "liteoms_stream_ended_total", "Streams ended for other reasons."},
    [STAT_STREAM_EXECUTED] = {true, "liteoms_stream_executed_total", "Events executed for a topic."},
    [STAT_STREAM_DELIVERED] = {true, "liteoms_stream_delivered_total", "Payloads handed to streams."},
    [STAT_STREAM_CHECKPOINTS] = {true, "liteoms_stream_checkpoints_total", "Checkpoints made."},
    [STAT_STREAM_CATCHUP] = {true, "liteoms_stream_catchup_total", "Events read from the log for a stream."},
    [STAT_STREAM_RING_BYTES] = {false, "liteoms_stream_ring_bytes", "Payloads kept for the streams."},
};

struct http_server_stats {
    struct rt_host *host;
    struct http_metrics *metrics;
    struct store *store;
    struct api *api;
    unsigned ids[STAT_COUNT];
    unsigned costs;
    struct shard_stats *shards;
};

/* ---- the shards' own ---- */

static void copy_streams(const struct stream_stats *s, uint64_t *values)
{
    values[STAT_STREAM_READERS] = s->readers;
    values[STAT_STREAM_TOPICS] = s->topics;
    values[STAT_STREAM_OPENED] = s->opened;
    values[STAT_STREAM_CLOSED] = s->ended[STREAM_END_NONE];
    values[STAT_STREAM_SLOW] = s->ended[STREAM_END_SLOW];
    values[STAT_STREAM_EXPIRED] = s->ended[STREAM_END_EXPIRED];
    values[STAT_STREAM_ENDED] = 0;
    for (unsigned i = 0; i < OMS_COUNT_OF(s->ended); i++)
        if (i != STREAM_END_NONE && i != STREAM_END_SLOW && i != STREAM_END_EXPIRED)
            values[STAT_STREAM_ENDED] += s->ended[i];
    values[STAT_STREAM_EXECUTED] = s->executed;
    values[STAT_STREAM_DELIVERED] = s->delivered;
    values[STAT_STREAM_CHECKPOINTS] = s->checkpoints;
    values[STAT_STREAM_CATCHUP] = s->catchup_events;
    values[STAT_STREAM_RING_BYTES] = s->ring_bytes;
}

static void copy(struct rt_shard *shard, struct http_server_stats *all)
{
    struct stream_stats streams;
    uint64_t values[STAT_COUNT];
    struct http_metrics_row *row = http_metrics_row(all->metrics, rt_shard_index(shard));
    const struct rt_shard_stats *r = rt_shard_stats(shard);
    const struct actors_stats *a = actors_stats(shard);
    struct api_stats g;
    api_shard_stats(all->api, shard, &g);
    values[STAT_MESSAGES] = r->messages;
    values[STAT_RETURNS] = r->returns;
    values[STAT_REFUSED] = r->refused;
    values[STAT_ACTORS_LIVE] = r->actors_live;
    values[STAT_ACTORS_ACTIVATED] = r->actors_activated;
    values[STAT_ACTORS_PASSIVATED] = r->actors_passivated;
    values[STAT_MAILBOX_QUEUED] = r->queued;
    values[STAT_INBOX_DEPTH] = r->inbox_depth;
    values[STAT_ORDERS_LIVE] = a->orders_live;
    values[STAT_ORDERS_THAWED] = a->orders_thawed;
    values[STAT_ACCEPTED] = a->commands_accepted;
    values[STAT_REFUSALS] = a->commands_refused;
    values[STAT_OVER_LIMIT] = a->commands_over_limit;
    values[STAT_REPLAYED] = a->commands_replayed;
    values[STAT_READS] = a->reads;
    values[STAT_LOADS_CACHED] = a->loads_cached;
    values[STAT_LOADS_POOL] = a->loads_pool;
    values[STAT_HELD] = a->held;
    values[STAT_TIMERS] = a->timers_fired;
    values[STAT_PLAN_HITS] = g.plan_hits;
    values[STAT_PLAN_MISSES] = g.plan_misses;
    values[STAT_PLAN_EVICTIONS] = g.plan_evictions;
    values[STAT_PLANS] = g.plans;
    values[STAT_PLAN_BYTES] = g.plan_bytes;
    values[STAT_PERSISTED_HITS] = g.persisted_hits;
    values[STAT_PERSISTED_MISSES] = g.persisted_misses;
    values[STAT_PERSISTED_REGISTERED] = g.persisted_registered;
    values[STAT_PERSISTED_EVICTIONS] = g.persisted_evictions;
    values[STAT_PERSISTED] = g.persisted;
    values[STAT_PERSISTED_BYTES] = g.persisted_bytes;
    values[STAT_THROTTLED] = g.throttled;
    values[STAT_QUERIES] = g.queries;
    values[STAT_MUTATIONS] = g.mutations;
    values[STAT_GRAPHQL_ERRORS] = g.errors;
    stream_shard_stats(all->api, rt_shard_index(shard), &streams);
    copy_streams(&streams, values);
    for (unsigned i = 0; i < STAT_COUNT; i++)
        http_metrics_set(row, all->ids[i], values[i]);
    for (unsigned i = 0; i < HTTP_METRICS_BUCKETS; i++)
        http_metrics_set(row, all->costs + i, g.costs[i]);
    http_metrics_set(row, all->costs + HTTP_METRICS_BUCKETS, g.cost_sum);
}

static void fire(struct rt_shard *shard, struct rt_timer *timer)
{
    struct shard_stats *own = OMS_CONTAINER_OF(timer, struct shard_stats, timer);
    copy(shard, own->all);
    rt_timer_start(shard, timer, rt_now_ms(own->all->host) + COPY_INTERVAL_MS);
}

/* ---- the store's ---- */

static void write_one(struct oms_buf *out, const char *name, const char *type, const char *help,
                      uint64_t value)
{
    http_metrics_write_head(out, name, type, help);
    http_metrics_write_u64(out, name, HTTP_METRICS_NO_LABELS, value);
}

static void write_histogram(struct oms_buf *out, const char *name, const char *help, const uint64_t *counts,
                            unsigned count, uint64_t sum, bool micro)
{
    http_metrics_write_head(out, name, "histogram", help);
    http_metrics_write_histogram(out, name, HTTP_METRICS_NO_LABELS, counts, count, 0, sum, micro);
}

/* The engine's own numbers are "name value" lines. */
static void write_engine(struct oms_buf *out, struct store_engine *engine)
{
    struct oms_buf lines;
    oms_buf_init(&lines, 1u << 20);
    engine->ops->metrics(engine, &lines);
    for (size_t start = 0, i = 0; i < lines.len; i++) {
        if (lines.data[i] != '\n')
            continue;
        oms_buf_append_lit(out, "liteoms_engine_");
        oms_buf_append(out, lines.data + start, i + 1 - start);
        start = i + 1;
    }
    oms_buf_fini(&lines);
}

static void write_store(void *context, struct oms_buf *out)
{
    struct http_server_stats *all = context;
    struct store_stats s;
    store_stats(all->store, &s);
    write_one(out, "liteoms_commit_units_total", "counter", "Units of work made durable.", s.units);
    write_one(out, "liteoms_commit_bytes_total", "counter", "Bytes of units made durable.", s.bytes);
    write_one(out, "liteoms_commit_batches_total", "counter", "Synced batches.", s.batches);
    write_histogram(out, "liteoms_commit_batch_units", "Units of a synced batch.", s.batch_units,
                    OMS_COUNT_OF(s.batch_units), s.units, false);
    write_histogram(out, "liteoms_commit_sync_seconds", "Time of a synced write of the log.",
                    s.sync_us_bucket, OMS_COUNT_OF(s.sync_us_bucket), s.sync_us_sum, true);
    write_one(out, "liteoms_materialiser_lag_units", "gauge", "Units durable but not yet applied.",
              s.lag_units);
    write_one(out, "liteoms_materialiser_lag_bytes", "gauge", "Their bytes.", s.lag_bytes);
    write_one(out, "liteoms_materialiser_lag_units_max", "gauge", "The largest lag since the start.",
              s.lag_units_max);
    write_one(out, "liteoms_materialiser_windows_total", "counter", "Windows applied.", s.windows);
    write_one(out, "liteoms_materialiser_writes_total", "counter", "Derived keys written.", s.writes);
    write_one(out, "liteoms_store_refusing", "gauge", "1 while the disk is below its reserve.", s.refusing);
    write_engine(out, store_engine(all->store));
}

struct http_server_stats *http_server_stats_create(struct rt_host *host, struct http_metrics *metrics,
                                                   struct store *store, struct api *api)
{
    struct http_server_stats *all = oms_calloc(1, sizeof(*all));
    all->host = host;
    all->metrics = metrics;
    all->store = store;
    all->api = api;
    for (unsigned i = 0; i < STAT_COUNT; i++)
        all->ids[i] = definitions[i].is_counter
                          ? http_metrics_counter(metrics, definitions[i].name, definitions[i].help, "")
                          : http_metrics_gauge(metrics, definitions[i].name, definitions[i].help, "");
    all->costs =
        http_metrics_sizes(metrics, "liteoms_graphql_cost", "Cost of the requests that were let in.", "");
    http_metrics_source(metrics, write_store, all);
    all->shards = oms_calloc(host->shard_count, sizeof(all->shards[0]));
    for (unsigned i = 0; i < host->shard_count; i++) {
        all->shards[i].all = all;
        all->shards[i].timer.fire = fire;
        rt_timer_start(host->shards[i], &all->shards[i].timer, rt_now_ms(host) + COPY_INTERVAL_MS);
    }
    return all;
}

void http_server_stats_destroy(struct http_server_stats *stats)
{
    oms_free(stats->shards);
    oms_free(stats);
}
