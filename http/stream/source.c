/*
 * The order's side of live streams: topics registered by the readers' shards, matched and executed at the
 * moment an event is applied.
 *
 * The commit number is not known then: what shows it is a mark (pages.h), replaced when the unit is durable.
 * A filter on the order, and the caller's reach, are asked of the order after the unit, as the log's readers
 * do; of a unit with several events the earlier ones are executed as they pass and dropped when the end does
 * not match.
 */
#include "actors/order.h"
#include "actors/order_event_json.h"
#include "http/stream/stream_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

#define WATCH_BYTES_MAX  (2 * OMS_RESPONSE_BYTES_MAX) /* of one unit */
#define WATCH_BYTES_KEPT (64u << 10)
#define ORDER_BUCKETS    64 /* at first; a power of two */

struct stream_source_reader {
    unsigned shard;
    struct stream_topic *topic;
};

/* A topic, here. */
struct stream_source {
    struct stream_source *next; /* of its partition's list, or of its bucket */
    unsigned holds;             /* registered, and watches that have executed it */
    bool registered;
    enum api_subscription field;
    uint32_t tenant, version;
    unsigned char order_id[IDS_ORDER_SIZE];
    bool from_store;
    char *key;
    size_t key_len;
    struct stream_binding binding;
    struct stream_source_reader *readers;
    size_t reader_count;
};

/* An event that was executed, or one that is only to be announced. */
struct stream_made {
    struct stream_source *source; /* held */
    unsigned ordinal;
    bool dropped;
    size_t start, len; /* in the watch's bytes; len 0: read it from the log */
};

struct stream_watch {
    struct order_watch watch;
    struct stream_watch *all_next, *free_next;
    struct rt_address actor;
    uint16_t partition;
    unsigned event_count;
    struct stream_made *made;
    size_t made_count, made_cap;
    struct oms_buf bytes;
};

/* ---- sources ---- */

static void source_release(struct stream_source *source)
{
    if (--source->holds)
        return;
    OMS_ASSERT(!source->registered);
    stream_binding_fini(&source->binding);
    oms_free(source->readers);
    oms_free(source->key);
    oms_free(source);
}

static size_t order_bucket(const struct stream_sources *sources, const unsigned char id[IDS_ORDER_SIZE])
{
    uint64_t part;
    memcpy(&part, id + 8, sizeof(part));
    return (size_t)oms_mix64(part) & (sources->order_buckets - 1);
}

/* Where the list begins that holds, or would hold, the topics of this order or tenant. */
static struct stream_source **list_of(struct stream_sources *sources, enum api_subscription field,
                                      uint32_t tenant, const unsigned char id[IDS_ORDER_SIZE])
{
    if (field == API_TENANT_EVENTS)
        return &sources->tenants[store_partition_of(tenant)];
    return sources->order_buckets ? &sources->orders[order_bucket(sources, id)] : NULL;
}

static void orders_grow(struct stream_sources *sources)
{
    size_t old_buckets = sources->order_buckets;
    struct stream_source **old = sources->orders;
    sources->order_buckets = old_buckets ? old_buckets * 2 : ORDER_BUCKETS;
    sources->orders = oms_calloc(sources->order_buckets, sizeof(*sources->orders));
    for (size_t i = 0; i < old_buckets; i++) {
        for (struct stream_source *source = old[i], *next; source; source = next) {
            struct stream_source **list = &sources->orders[order_bucket(sources, source->order_id)];
            next = source->next;
            source->next = *list;
            *list = source;
        }
    }
    oms_free(old);
}

/* Whether units of the partition have to be watched at all. */
static void observe(struct stream_shard *ss, uint16_t partition)
{
    actors_observe(ss->shard, partition,
                   ss->sources.listeners[partition] || ss->sources.order_counts[partition]);
}

static void source_add(struct stream_shard *ss, struct stream_source *source)
{
    struct stream_sources *sources = &ss->sources;
    if (source->field == API_ORDER_EVENTS) {
        if (sources->order_count >= sources->order_buckets)
            orders_grow(sources);
        sources->order_count++;
        sources->order_counts[store_partition_of(source->tenant)]++;
    }
    struct stream_source **list = list_of(sources, source->field, source->tenant, source->order_id);
    source->next = *list;
    *list = source;
    source->registered = true;
    source->holds = 1;
}

/* Takes it out of its list: nothing is matched with it any more. */
static void source_remove(struct stream_shard *ss, struct stream_source *source)
{
    struct stream_source **at = list_of(&ss->sources, source->field, source->tenant, source->order_id);
    while (*at != source)
        at = &(*at)->next;
    *at = source->next;
    if (source->field == API_ORDER_EVENTS) {
        ss->sources.order_count--;
        ss->sources.order_counts[store_partition_of(source->tenant)]--;
    }
    source->registered = false;
    source->reader_count = 0;
    source_release(source);
}

static struct stream_source *source_find(struct stream_shard *ss, const struct stream_spec *spec)
{
    struct stream_source **list = list_of(&ss->sources, spec->field, spec->tenant, spec->order_id);
    for (struct stream_source *source = list ? *list : NULL; source; source = source->next)
        if (oms_str_eq(oms_str_make(source->key, source->key_len), spec->key))
            return source;
    return NULL;
}

static struct stream_source *source_create(struct stream_shard *ss, const struct stream_spec *spec)
{
    struct stream_source *source = oms_calloc(1, sizeof(*source));
    if (!stream_binding_init(&source->binding, ss->as, spec)) {
        oms_free(source);
        return NULL;
    }
    source->field = spec->field;
    source->tenant = spec->tenant;
    source->version = spec->version;
    source->from_store = spec->from_store;
    memcpy(source->order_id, spec->order_id, sizeof(source->order_id));
    source->key = oms_str_dup(spec->key);
    source->key_len = spec->key.len;
    source_add(ss, source);
    return source;
}

static void reader_add(struct stream_source *source, unsigned shard, struct stream_topic *topic)
{
    source->readers = oms_reallocarray(source->readers, source->reader_count + 1, sizeof(source->readers[0]));
    source->readers[source->reader_count++] = (struct stream_source_reader){shard, topic};
}

static void reader_remove(struct stream_shard *ss, struct stream_source *source,
                          const struct stream_topic *topic)
{
    for (size_t i = 0; i < source->reader_count; i++) {
        if (source->readers[i].topic != topic)
            continue;
        source->readers[i] = source->readers[--source->reader_count];
        break;
    }
    if (!source->reader_count)
        source_remove(ss, source);
}

/* ---- registration ---- */

static void listen(struct stream_shard *ss, uint16_t partition, unsigned shard, bool on)
{
    struct stream_sources *sources = &ss->sources;
    if (!sources->listen_counts[partition])
        sources->listen_counts[partition] = oms_calloc(OMS_SHARDS_MAX, sizeof(unsigned));
    unsigned *count = &sources->listen_counts[partition][shard];
    *count = on ? *count + 1 : *count - 1;
    if (*count)
        sources->listeners[partition] |= UINT64_C(1) << shard;
    else
        sources->listeners[partition] &= ~(UINT64_C(1) << shard);
}

/* With an older version of the tenant than this shard's own nothing may be made; a newer one is on its way
 * here. */
static void do_register(struct stream_shard *ss, struct stream_control *control)
{
    const struct stream_spec *spec = control->topic->spec;
    const struct tenant_version *tenant = actors_tenant(ss->shard, spec->tenant);
    uint16_t partition = store_partition_of(spec->tenant);
    struct stream_source *source = NULL;
    control->stale = tenant && tenant->version > spec->version;
    if (!control->stale) {
        source = source_find(ss, spec);
        if (!source)
            source = source_create(ss, spec);
        control->failed = !source;
    }
    if (source)
        reader_add(source, control->from->index, control->topic);
    if (spec->field == API_TENANT_EVENTS)
        listen(ss, partition, control->from->index, true);
    observe(ss, partition);
}

static void do_unregister(struct stream_shard *ss, struct stream_control *control)
{
    const struct stream_spec *spec = control->topic->spec;
    uint16_t partition = store_partition_of(spec->tenant);
    struct stream_source *source = source_find(ss, spec);
    if (source)
        reader_remove(ss, source, control->topic);
    if (spec->field == API_TENANT_EVENTS)
        listen(ss, partition, control->from->index, false);
    observe(ss, partition);
}

static void answer(struct stream_shard *ss, struct stream_control *control)
{
    stream_report_flush(ss, control->from->index); /* the answer says that all before it has been sent */
    control->message.on_return = stream_topic_control_home;
    rt_post(ss->hub->host, control->from->index, &control->message);
}

static void control_released(struct rt_shard *shard, struct held_item *item, enum oms_status status)
{
    struct stream_control *control = OMS_CONTAINER_OF(item, struct stream_control, held);
    (void)shard;
    (void)status; /* after a failed write the process stops: what streams do then is of no account */
    answer(control->to, control);
}

void stream_source_control(struct rt_shard *shard, struct rt_message *message)
{
    struct stream_control *control = OMS_CONTAINER_OF(message, struct stream_control, message);
    struct stream_shard *ss = control->to;
    OMS_ASSERT(ss->shard == shard);
    if (control->kind == STREAM_UNREGISTER) {
        do_unregister(ss, control);
        answer(ss, control);
        return;
    }
    if (control->kind == STREAM_REGISTER)
        do_register(ss, control);
    control->held.release = control_released;
    actors_hold(shard, &control->held);
}

static void stop_older(struct stream_shard *ss, struct stream_source *source,
                       const struct tenant_version *tenant)
{
    for (struct stream_source *next; source; source = next) {
        next = source->next;
        if (source->tenant != tenant->number || source->version >= tenant->version)
            continue;
        for (size_t i = 0; i < source->reader_count; i++)
            stream_report_add(
                ss, source->readers[i].shard,
                (struct stream_report_item){.kind = STREAM_REPORT_STOP, .topic = source->readers[i].topic});
        source_remove(ss, source);
    }
}

void stream_source_tenant(struct stream_shard *ss, const struct tenant_version *tenant)
{
    struct stream_sources *sources = &ss->sources;
    uint16_t partition = store_partition_of(tenant->number);
    stop_older(ss, sources->tenants[partition], tenant);
    for (size_t i = 0; sources->order_counts[partition] && i < sources->order_buckets; i++)
        stop_older(ss, sources->orders[i], tenant);
    observe(ss, partition);
}

/* ---- watches ---- */

static struct stream_watch *watch_take(struct stream_sources *sources)
{
    struct stream_watch *watch = sources->free_watches;
    if (watch) {
        sources->free_watches = watch->free_next;
        return watch;
    }
    watch = oms_calloc(1, sizeof(*watch));
    oms_buf_init(&watch->bytes, WATCH_BYTES_MAX);
    watch->all_next = sources->watches;
    sources->watches = watch;
    return watch;
}

static void watch_recycle(struct stream_sources *sources, struct stream_watch *watch)
{
    for (size_t i = 0; i < watch->made_count; i++)
        source_release(watch->made[i].source);
    watch->made_count = 0;
    sources->held_bytes -= watch->bytes.len;
    if (watch->bytes.cap > WATCH_BYTES_KEPT) {
        oms_buf_fini(&watch->bytes);
        oms_buf_init(&watch->bytes, WATCH_BYTES_MAX);
    }
    oms_buf_reset(&watch->bytes);
    watch->free_next = sources->free_watches;
    sources->free_watches = watch;
}

static bool order_listened(struct stream_sources *sources, const struct rt_address *actor)
{
    if (!sources->order_count || actor->kind != RT_ACTOR_ORDER)
        return false;
    for (struct stream_source *source = sources->orders[order_bucket(sources, actor->key)]; source;
         source = source->next)
        if (source->tenant == actor->tenant && memcmp(source->order_id, actor->key, IDS_ORDER_SIZE) == 0)
            return true;
    return false;
}

struct order_watch *stream_source_begin(struct stream_shard *ss, const struct rt_address *actor,
                                        unsigned event_count)
{
    struct stream_sources *sources = &ss->sources;
    uint16_t partition = store_partition_of(actor->tenant);
    if (!sources->listeners[partition] && !order_listened(sources, actor))
        return NULL;
    struct stream_watch *watch = watch_take(sources);
    watch->actor = *actor;
    watch->partition = partition;
    watch->event_count = event_count;
    return &watch->watch;
}

/* ---- an event ---- */

struct moment {
    struct stream_shard *ss;
    struct stream_watch *watch;
    const struct order *order;
    const struct tenant_version *tenant;
    struct order_history_event event;
    int64_t now_ms;
    bool last;
};

static bool reaches(const struct stream_source *source, const struct order *order, struct access_order *on)
{
    struct order_context context = {.principal = &source->binding.principal,
                                    .access = &source->binding.access};
    return order_access(order, &context, PERMISSION_GET_ORDER, on);
}

static struct stream_made *made_add(struct stream_watch *watch, struct stream_source *source,
                                    unsigned ordinal)
{
    if (watch->made_count == watch->made_cap) {
        watch->made_cap = watch->made_cap ? watch->made_cap * 2 : 4;
        watch->made = oms_reallocarray(watch->made, watch->made_cap, sizeof(watch->made[0]));
    }
    struct stream_made *made = &watch->made[watch->made_count++];
    source->holds++;
    *made = (struct stream_made){.source = source, .ordinal = ordinal, .start = watch->bytes.len};
    return made;
}

static void execute(struct moment *moment, struct stream_source *source, const struct access_order *on,
                    struct stream_made *made)
{
    struct stream_shard *ss = moment->ss;
    struct api_order order = {.node = API_NODE_ORDER, .order = moment->order, .on = *on};
    struct api_event event = {.node = API_NODE_EVENT,
                              .event = &moment->event,
                              .tenant = source->tenant,
                              .order = &order,
                              .live = true};
    struct api_stream_item item = {.ordinal = moment->event.ordinal, .event = &event};
    struct api_scene scene = {.tenant = moment->tenant,
                              .principal = &source->binding.principal,
                              .access = &source->binding.access,
                              .now_ms = moment->now_ms,
                              .arena = &ss->scratch};
    struct oms_buf *bytes = &moment->watch->bytes;
    if (ss->sources.held_bytes > ss->hub->held_bytes_max)
        return; /* read it from the log */
    oms_arena_reset(&ss->scratch);
    stream_execute(&source->binding, &item, &scene, &ss->scratch, &ss->value, bytes);
    ss->stats.executed++;
    if (bytes->overflow) { /* more than a unit may hold: read it from the log */
        bytes->overflow = false;
        bytes->len = made->start;
    }
    made->len = bytes->len - made->start;
    ss->sources.held_bytes += made->len;
}

/* What an earlier event of this unit was executed for does not match the order after all. */
static void drop_made(struct stream_watch *watch, const struct stream_source *source)
{
    for (size_t i = 0; i < watch->made_count; i++)
        if (watch->made[i].source == source)
            watch->made[i].dropped = true;
}

static void consider(struct moment *moment, struct stream_source *source)
{
    const struct order_event_filter *filter = source->binding.filter;
    const struct order_history_event *event = &moment->event;
    struct access_order on;
    bool seen = reaches(source, moment->order, &on);
    if (moment->last &&
        !(seen && order_event_filter_order(filter, moment->order, &source->binding.access, &on))) {
        drop_made(moment->watch, source);
        return;
    }
    if (!seen || !order_event_filter_event(filter, event->event.type, event->meta.command) ||
        !order_event_visible(&event->event, moment->order, &on, &source->binding.access))
        return;
    struct stream_made *made = made_add(moment->watch, source, event->ordinal);
    if (!source->from_store)
        execute(moment, source, &on, made);
}

void stream_source_event(struct stream_shard *ss, struct order_watch *order_watch, const struct order *order,
                         const struct order_event *event, const struct order_event_meta *meta,
                         unsigned ordinal)
{
    struct stream_watch *watch = OMS_CONTAINER_OF(order_watch, struct stream_watch, watch);
    struct stream_sources *sources = &ss->sources;
    const struct rt_address *actor = &watch->actor;
    struct moment moment = {.ss = ss,
                            .watch = watch,
                            .order = order,
                            .tenant = actors_tenant(ss->shard, actor->tenant),
                            .event = {.ordinal = ordinal, .meta = *meta, .event = *event},
                            .now_ms = rt_now_ms(ss->hub->host),
                            .last = ordinal + 1 == watch->event_count};
    memcpy(moment.event.order_id, actor->key, sizeof(moment.event.order_id));
    for (struct stream_source *source = sources->tenants[watch->partition]; source; source = source->next)
        if (source->tenant == actor->tenant)
            consider(&moment, source);
    if (!sources->order_count)
        return;
    for (struct stream_source *source = sources->orders[order_bucket(sources, actor->key)]; source;
         source = source->next)
        if (source->tenant == actor->tenant && memcmp(source->order_id, actor->key, IDS_ORDER_SIZE) == 0)
            consider(&moment, source);
}

/* ---- durable ---- */

/* Copies the bytes and puts the number where the marks are. */
static void replace_marks(const struct stream_watch *watch, const struct stream_made *made, uint64_t commit,
                          struct oms_buf *out)
{
    const char *at = watch->bytes.data + made->start, *end = at + made->len, *mark;
    while ((mark = memchr(at, API_MARK, (size_t)(end - at))) != NULL && mark + 1 < end) {
        oms_buf_append(out, at, (size_t)(mark - at));
        switch ((enum api_mark)mark[1]) {
        case API_MARK_CURSOR:
            (void)api_write_cursor(out, commit, made->ordinal);
            break;
        case API_MARK_COMMIT:
            (void)api_write_commit(out, commit);
            break;
        case API_MARK_ID:
            (void)api_write_event_id(out, watch->actor.tenant, watch->actor.key, commit, made->ordinal);
            break;
        }
        at = mark + 2;
    }
    oms_buf_append(out, at, (size_t)(end - at));
}

static struct http_payload *make_payload(struct stream_shard *ss, const struct stream_watch *watch,
                                         const struct stream_made *made, uint64_t commit)
{
    char cursor[IDS_CURSOR_TEXT_MAX];
    struct oms_str json;
    if (!made->len)
        return NULL;
    size_t len = ids_cursor_text((struct ids_cursor){commit, made->ordinal}, cursor);
    json = oms_str_make(watch->bytes.data + made->start, made->len);
    if (memchr(json.data, API_MARK, json.len)) {
        oms_buf_reset(&ss->text);
        replace_marks(watch, made, commit, &ss->text);
        json = oms_buf_str(&ss->text);
    }
    struct http_payload *payload = http_payload_event("next", oms_str_make(cursor, len), json);
    payload->commit = commit;
    payload->ordinal = made->ordinal;
    payload->events = 1;
    return payload;
}

/* Adds the events for one reader's shard, of tenants or of orders; returns how many. */
static uint32_t report_events(struct stream_shard *ss, const struct stream_watch *watch,
                              struct http_payload *const *payloads, unsigned shard, uint64_t commit,
                              enum api_subscription field)
{
    uint32_t count = 0;
    for (size_t i = 0; i < watch->made_count; i++) {
        const struct stream_made *made = &watch->made[i];
        if (made->dropped || made->source->field != field)
            continue;
        for (size_t r = 0; r < made->source->reader_count; r++) {
            if (made->source->readers[r].shard != shard)
                continue;
            count++;
            stream_report_add(
                ss, shard,
                (struct stream_report_item){.kind = field == API_TENANT_EVENTS ? STREAM_REPORT_EVENT
                                                                               : STREAM_REPORT_DIRECT,
                                            .partition = watch->partition,
                                            .commit = commit,
                                            .topic = made->source->readers[r].topic,
                                            .payload = payloads[i] ? http_payload_hold(payloads[i]) : NULL});
        }
    }
    return count;
}

static void report_unit(struct stream_shard *ss, const struct stream_watch *watch,
                        struct http_payload *const *payloads, uint64_t commit)
{
    uint64_t listeners = ss->sources.listeners[watch->partition];
    for (unsigned shard = 0; shard < ss->hub->shard_count; shard++) {
        if (listeners >> shard & 1) {
            stream_report_add(ss, shard,
                              (struct stream_report_item){.kind = STREAM_REPORT_UNIT,
                                                          .partition = watch->partition,
                                                          .commit = commit});
            struct stream_report *report = ss->reports[shard];
            size_t unit = report->count - 1;
            uint32_t count = report_events(ss, watch, payloads, shard, commit, API_TENANT_EVENTS);
            report->items[unit].count = count;
        }
        if (ss->sources.order_count)
            (void)report_events(ss, watch, payloads, shard, commit, API_ORDER_EVENTS);
    }
}

void stream_source_committed(struct stream_shard *ss, struct order_watch *order_watch, uint64_t commit,
                             enum oms_status status)
{
    struct stream_watch *watch = OMS_CONTAINER_OF(order_watch, struct stream_watch, watch);
    if (status == OMS_OK) {
        struct http_payload **payloads = oms_calloc(watch->made_count + 1, sizeof(payloads[0]));
        for (size_t i = 0; i < watch->made_count; i++)
            if (!watch->made[i].dropped && watch->made[i].source->reader_count)
                payloads[i] = make_payload(ss, watch, &watch->made[i], commit);
        report_unit(ss, watch, payloads, commit);
        for (size_t i = 0; i < watch->made_count; i++)
            http_payload_release(payloads[i]);
        oms_free(payloads);
    }
    watch_recycle(&ss->sources, watch);
}

/* ---- the end ---- */

static void list_fini(struct stream_source *source)
{
    for (struct stream_source *next; source; source = next) {
        next = source->next;
        source->registered = false;
        source_release(source);
    }
}

void stream_sources_fini(struct stream_shard *ss)
{
    struct stream_sources *sources = &ss->sources;
    for (struct stream_watch *watch = sources->watches, *next; watch; watch = next) {
        next = watch->all_next;
        for (size_t i = 0; i < watch->made_count; i++) /* held when the host stopped */
            source_release(watch->made[i].source);
        oms_buf_fini(&watch->bytes);
        oms_free(watch->made);
        oms_free(watch);
    }
    for (unsigned i = 0; i < OMS_PARTITIONS; i++) {
        list_fini(sources->tenants[i]);
        oms_free(sources->listen_counts[i]);
    }
    for (size_t i = 0; i < sources->order_buckets; i++)
        list_fini(sources->orders[i]);
    oms_free(sources->orders);
}
