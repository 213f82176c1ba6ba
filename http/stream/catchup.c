/*
 * Reading the log for a stream: pages of events in the read pool, executed with the topic's binding as a
 * query of the event log would be.
 *
 * A page is asked for when the one before has been popped, so that a reader who does not read costs a page of
 * memory and no work. The read starts when everything durable at its asking has been applied; what it has
 * walked to its end is complete up to that commit.
 *
 * A tenant has a few reads under way on a shard and the others wait in turn: they share the pool with its
 * queries, and a thousand readers who begin at the beginning must not keep these from being answered.
 */
#include "http/api/pages.h"
#include "http/stream/stream_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

#define RECORD_BYTES_MAX (OMS_UNIT_BYTES_MAX)
#define PAGE_FIRST       32 /* then twice as many, up to OMS_STREAM_PAGE_EVENTS: who reads on gets larger pages */

/* ---- how far back ---- */

static enum oms_status time_of(struct store_engine *engine, struct store_view *view, uint16_t partition,
                               uint64_t commit, struct oms_buf *bytes, struct oms_arena *arena, int64_t *out)
{
    struct store_record record;
    oms_buf_reset(bytes);
    oms_arena_reset(arena);
    enum oms_status status = engine->ops->view_log_get(view, partition, commit, bytes);
    if (status == OMS_OK)
        status = store_record_decode(partition, commit, oms_buf_str(bytes), arena, &record);
    if (status == OMS_OK)
        *out = record.time_ms;
    return status;
}

/* The first commit not older than `since_ms` in [low, high]; high + 1 for none. Times rise with the numbers,
 * but for what was in flight at the same moment. */
static enum oms_status first_since(struct store_engine *engine, struct store_view *view, uint16_t partition,
                                   int64_t since_ms, uint64_t low, uint64_t high, uint64_t *out)
{
    struct oms_arena arena;
    struct oms_buf bytes;
    enum oms_status status = OMS_OK;
    oms_arena_init(&arena, 4096, 1u << 20);
    oms_buf_init(&bytes, RECORD_BYTES_MAX);
    while (low <= high && status == OMS_OK) {
        uint64_t middle = low + (high - low) / 2;
        int64_t time_ms = 0;
        status = time_of(engine, view, partition, middle, &bytes, &arena, &time_ms);
        if (time_ms < since_ms)
            low = middle + 1;
        else
            high = middle - 1;
    }
    oms_buf_fini(&bytes);
    oms_arena_fini(&arena);
    *out = low;
    return status;
}

/* Whether everything after `from` is younger than what is kept for streams. */
static enum oms_status ask_kept(struct stream_catchup *catchup, struct store_engine *engine,
                                struct store_view *view)
{
    const struct stream_topic *topic = catchup->topic;
    int64_t since_ms = catchup->now_ms - topic->ss->hub->replay_ms;
    uint64_t first;
    if (catchup->from.commit >= catchup->durable)
        return OMS_OK;
    enum oms_status status = first_since(engine, view, topic->partition, since_ms, catchup->from.commit + 1,
                                         catchup->durable, &first);
    catchup->expired = status == OMS_OK && first > catchup->from.commit + 1;
    catchup->first_kept = (struct ids_cursor){first - 1, STREAM_ORDINAL_END};
    return status;
}

/* ---- a page ---- */

/* What one execution needs beside the page's own memory; used again for the next. */
struct execution {
    struct oms_arena scratch;
    struct oms_buf value, text;
};

/* Each event has the bounds of a request of its own. */
static struct http_payload *execute(const struct stream_topic *topic, struct api_scene *scene,
                                    const struct api_event *event, struct execution *execution)
{
    struct api_stream_item item = {
        .commit = event->event->commit, .ordinal = event->event->ordinal, .event = event};
    char cursor[IDS_CURSOR_TEXT_MAX];
    size_t len = ids_cursor_text((struct ids_cursor){item.commit, item.ordinal}, cursor);
    oms_buf_reset(&execution->text);
    oms_arena_reset(&execution->scratch);
    atomic_store_explicit(scene->rows, 0, memory_order_relaxed);
    stream_execute(&topic->binding, &item, scene, &execution->scratch, &execution->value, &execution->text);
    struct http_payload *payload =
        http_payload_event("next", oms_str_make(cursor, len), oms_buf_str(&execution->text));
    payload->commit = item.commit;
    payload->ordinal = item.ordinal;
    payload->events = 1;
    return payload;
}

static enum oms_status read_events(struct stream_catchup *catchup, struct api_scene *scene,
                                   struct order_history_page *page)
{
    const struct stream_topic *topic = catchup->topic;
    const struct stream_spec *spec = topic->spec;
    struct ids_cursor from = catchup->from;
    if (spec->field == API_TENANT_EVENTS)
        return order_history_feed(scene->engine, scene->view, spec->tenant, scene->access,
                                  topic->binding.filter, from.commit, from.ordinal, catchup->limit,
                                  scene->arena, page);
    struct rt_address address;
    ids_order_address(spec->tenant, spec->order_id, &address);
    enum oms_status status = order_history_events(scene->engine, scene->view, &address, from.commit,
                                                  from.ordinal, catchup->limit, scene->arena, page);
    return status == OMS_NOT_FOUND ? OMS_OK : status;
}

static enum oms_status read_page(struct stream_catchup *catchup, struct api_scene *scene)
{
    struct order_history_page page = {.count = 0};
    struct api_event_page *value;
    struct execution execution;
    enum oms_status status = read_events(catchup, scene, &page);
    if (status == OMS_OK)
        status = api_pages_events(scene, &page, OMS_STR_NONE, &value);
    if (status != OMS_OK)
        return status;
    oms_arena_init(&execution.scratch, 16u << 10, OMS_REQUEST_ARENA_BYTES_MAX);
    oms_buf_init(&execution.value, OMS_RESPONSE_BYTES_MAX);
    oms_buf_init(&execution.text, OMS_RESPONSE_BYTES_MAX + (1u << 20));
    for (size_t i = 0; i < value->count; i++)
        catchup->items[catchup->count++] = execute(catchup->topic, scene, &value->events[i], &execution);
    oms_arena_fini(&execution.scratch);
    oms_buf_fini(&execution.value);
    oms_buf_fini(&execution.text);
    catchup->more = page.has_next;
    catchup->end = (struct ids_cursor){page.end_commit, page.end_ordinal};
    struct ids_cursor durable = {catchup->durable, STREAM_ORDINAL_END};
    if (!page.has_next && stream_cursor_before(catchup->end, durable))
        catchup->end = durable;
    return OMS_OK;
}

/* In the pool. The topic stays while `jobs` counts this read, and what is read of it never changes. */
static void run(struct store_read *read, struct store_engine *engine, struct store_view *view)
{
    struct stream_catchup *catchup = OMS_CONTAINER_OF(read, struct stream_catchup, read);
    const struct stream_topic *topic = catchup->topic;
    _Atomic uint64_t rows = 0;
    struct oms_arena arena;
    catchup->status = catchup->ask_kept ? ask_kept(catchup, engine, view) : OMS_OK;
    if (catchup->status != OMS_OK || catchup->expired)
        return;
    oms_arena_init(&arena, 64u << 10, OMS_REQUEST_ARENA_BYTES_MAX);
    struct api_scene scene = {.tenant = topic->tenant,
                              .principal = &topic->binding.principal,
                              .access = &topic->binding.access,
                              .now_ms = catchup->now_ms,
                              .engine = engine,
                              .view = view,
                              .arena = &arena,
                              .rows = &rows};
    catchup->status = read_page(catchup, &scene);
    api_pages_release(&scene);
    oms_arena_fini(&arena);
}

/* ---- life ---- */

static void let_go_of_page(struct stream_catchup *catchup)
{
    while (catchup->next < catchup->count)
        http_payload_release(catchup->items[catchup->next++]);
    catchup->next = catchup->count = 0;
}

static void destroy(struct stream_catchup *catchup)
{
    let_go_of_page(catchup);
    stream_list_remove(&catchup->loan);
    stream_list_remove(&catchup->queue);
    oms_free(catchup);
}

static bool is_orphan(const struct stream_catchup *catchup)
{
    return !catchup->session && catchup->topic->tail_job != catchup;
}

static void next_turn(struct stream_shard *ss, uint32_t tenant);

static void returned(struct rt_shard *shard, struct rt_message *message)
{
    struct stream_catchup *catchup = OMS_CONTAINER_OF(message, struct stream_catchup, read.job.message);
    struct stream_topic *topic = catchup->topic;
    (void)shard;
    catchup->in_flight = false;
    topic->jobs--;
    next_turn(topic->ss, topic->spec->tenant);
    if (is_orphan(catchup)) {
        destroy(catchup);
        return;
    }
    if (message->status != OMS_OK) {
        catchup->again = true; /* the pool was full: at the next tick */
        return;
    }
    topic->ss->stats.catchup_events += catchup->count;
    if (catchup->status == OMS_LIMIT && catchup->limit > 1) { /* fewer of these fit into memory */
        catchup->limit /= 2;
        stream_catchup_ask(catchup);
        return;
    }
    bool moved = stream_cursor_before(catchup->from, catchup->end);
    if (catchup->status == OMS_OK && !catchup->expired && catchup->more && !moved) {
        catchup->again = true; /* the log was ahead of what is derived from it */
        return;
    }
    if (catchup->session)
        stream_session_catchup_done(catchup->session);
    else
        stream_topic_tail_done(topic, catchup);
}

struct stream_catchup *stream_catchup_create(struct stream_topic *topic, struct stream_session *session,
                                             struct ids_cursor from)
{
    struct stream_catchup *catchup = oms_calloc(1, sizeof(*catchup));
    catchup->topic = topic;
    catchup->session = session;
    catchup->end = from;
    catchup->limit = PAGE_FIRST;
    stream_list_init(&catchup->queue);
    stream_list_add(&topic->ss->loans_catchups, &catchup->loan);
    return catchup;
}

static void start(struct stream_catchup *catchup)
{
    struct stream_topic *topic = catchup->topic;
    struct stream_shard *ss = topic->ss;
    struct store_read *read = &catchup->read;
    ss->reads[topic->spec->tenant].under_way++;
    catchup->in_flight = true;
    catchup->durable = store_durable_commit(ss->hub->store, topic->partition);
    catchup->now_ms = rt_now_ms(ss->hub->host);
    topic->jobs++;
    memset(read, 0, sizeof(*read));
    read->run = run;
    read->job.tenant = topic->spec->tenant;
    read->job.message.home = (uint16_t)ss->index;
    read->job.message.on_return = returned;
    store_read(ss->hub->store, ss->shard, read);
}

/* One of the tenant's reads is home. */
static void next_turn(struct stream_shard *ss, uint32_t tenant)
{
    struct stream_reads *reads = &ss->reads[tenant];
    OMS_ASSERT(reads->under_way > 0);
    reads->under_way--;
    if (!reads->waiting.next || stream_list_is_empty(&reads->waiting))
        return;
    struct stream_catchup *next = OMS_CONTAINER_OF(reads->waiting.next, struct stream_catchup, queue);
    stream_list_remove(&next->queue);
    next->waiting = false;
    start(next);
}

void stream_catchup_ask(struct stream_catchup *catchup)
{
    struct stream_reads *reads = &catchup->topic->ss->reads[catchup->topic->spec->tenant];
    OMS_ASSERT(!catchup->in_flight);
    if (catchup->waiting)
        return;
    if (!catchup->again)
        catchup->from = catchup->end;
    if (catchup->count == catchup->limit && catchup->limit * 2 <= OMS_STREAM_PAGE_EVENTS)
        catchup->limit *= 2;
    let_go_of_page(catchup);
    catchup->again = catchup->more = catchup->expired = false;
    if (reads->under_way < OMS_STREAM_READS_TENANT_MAX) {
        start(catchup);
        return;
    }
    if (!reads->waiting.next)
        stream_list_init(&reads->waiting);
    stream_list_add(&reads->waiting, &catchup->queue);
    catchup->waiting = true;
}

void stream_catchup_drop(struct stream_catchup *catchup)
{
    catchup->session = NULL;
    if (!catchup->in_flight)
        destroy(catchup);
}
