/*
 * Topics on the reader's shard: registration, the ring of the latest payloads, checkpoints.
 *
 * Invariant: every matching event after `ring_from` that has arrived is in the ring, in order, once. A topic
 * that reads the store ("from_store") gets no bytes from its sources, only word that there is an event; it
 * then reads the log from where it stands and appends what it finds, so that for its readers it is a topic
 * like any other.
 */
#include "http/stream/stream_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

#define RING_MIN           8
#define RING_BYTES_CROWDED (64u << 10) /* of one topic while all rings together are over their limit */
#define HASH_MIN           64

/* ---- the table ---- */

static struct stream_topic **bucket_of(const struct stream_shard *ss, uint64_t hash)
{
    return &ss->by_hash[hash & (ss->hash_buckets - 1)];
}

static void table_grow(struct stream_shard *ss)
{
    size_t old_buckets = ss->hash_buckets;
    struct stream_topic **old = ss->by_hash;
    ss->hash_buckets = old_buckets ? old_buckets * 2 : HASH_MIN;
    ss->by_hash = oms_calloc(ss->hash_buckets, sizeof(*ss->by_hash));
    for (size_t i = 0; i < old_buckets; i++) {
        for (struct stream_topic *topic = old[i], *next; topic; topic = next) {
            struct stream_topic **bucket = bucket_of(ss, topic->spec->hash);
            next = topic->same_hash;
            topic->same_hash = *bucket;
            *bucket = topic;
        }
    }
    oms_free(old);
}

static struct stream_topic *table_find(const struct stream_shard *ss, const struct stream_spec *spec)
{
    struct stream_topic *topic = ss->hash_buckets ? *bucket_of(ss, spec->hash) : NULL;
    while (topic && !oms_str_eq(topic->spec->key, spec->key))
        topic = topic->same_hash;
    return topic;
}

static void table_add(struct stream_shard *ss, struct stream_topic *topic)
{
    if (ss->topic_count >= ss->hash_buckets)
        table_grow(ss);
    struct stream_topic **bucket = bucket_of(ss, topic->spec->hash);
    topic->same_hash = *bucket;
    *bucket = topic;
    topic->hashed = true;
}

static void table_remove(struct stream_topic *topic)
{
    if (!topic->hashed)
        return;
    struct stream_topic **at = bucket_of(topic->ss, topic->spec->hash);
    while (*at != topic)
        at = &(*at)->same_hash;
    *at = topic->same_hash;
    topic->hashed = false;
}

/* ---- registration ---- */

static void send_control(struct stream_topic *topic, enum stream_control_kind kind, unsigned to)
{
    struct stream_shard *ss = topic->ss;
    struct stream_control *control = oms_calloc(1, sizeof(*control));
    control->kind = kind;
    control->from = ss;
    control->to = ss->hub->shards[to];
    control->topic = topic;
    control->message.on_return = stream_source_control;
    stream_list_add(&ss->loans_controls, &control->loan);
    topic->acks++;
    rt_post(ss->hub->host, to, &control->message);
}

/* To every shard that may make events of the topic. */
static void send_controls(struct stream_topic *topic, enum stream_control_kind kind)
{
    const struct stream_hub *hub = topic->ss->hub;
    if (topic->spec->field == API_ORDER_EVENTS) {
        struct rt_address address;
        ids_order_address(topic->spec->tenant, topic->spec->order_id, &address);
        send_control(topic, kind, rt_shard_of(hub->host, &address));
        return;
    }
    for (unsigned i = 0; i < hub->shard_count; i++)
        send_control(topic, kind, i);
}

static void become_live(struct stream_topic *topic)
{
    struct stream_shard *ss = topic->ss;
    topic->state = STREAM_TOPIC_LIVE;
    topic->covered = store_durable_commit(ss->hub->store, topic->partition);
    topic->position = topic->covered;
    topic->at = topic->ring_from = (struct ids_cursor){topic->covered, STREAM_ORDINAL_END};
    topic->item_ms = rt_now_ms(ss->hub->host);
    if (topic->spec->field == API_TENANT_EVENTS)
        stream_partition_live(ss, topic->partition, topic->covered);
    /* A session may leave the list while it settles, and no other comes. */
    for (struct stream_link *link = topic->members.next, *next; link != &topic->members; link = next) {
        next = link->next;
        stream_session_settle(OMS_CONTAINER_OF(link, struct stream_session, member));
    }
}

void stream_topic_stop(struct stream_topic *topic)
{
    topic->stopped = true;
    table_remove(topic);
}

/* Its readers come again, each with its own cursor. */
static void fail(struct stream_topic *topic)
{
    stream_topic_stop(topic);
    while (!stream_list_is_empty(&topic->members))
        stream_session_end(OMS_CONTAINER_OF(topic->members.next, struct stream_session, member),
                           STREAM_END_FAULT);
}

static void ping_home(struct stream_shard *ss, const struct stream_control *control);

void stream_topic_control_home(struct rt_shard *shard, struct rt_message *message)
{
    struct stream_control *control = OMS_CONTAINER_OF(message, struct stream_control, message);
    struct stream_topic *topic = control->topic;
    OMS_ASSERT(control->from->shard == shard);
    if (control->kind == STREAM_PING) {
        ping_home(control->from, control);
    } else {
        topic->acks--;
        topic->stopped = topic->stopped || control->stale;
        if (control->failed)
            fail(topic);
        if (control->kind == STREAM_UNREGISTER && !topic->acks) {
            stream_topic_destroy(topic);
        } else if (control->kind == STREAM_REGISTER && !topic->acks && !topic->stopped) {
            become_live(topic);
            rt_shard_touch(shard);
        }
    }
    stream_list_remove(&control->loan);
    oms_free(control->positions);
    oms_free(control);
}

/* ---- life ---- */

struct stream_topic *stream_topic_get(struct stream_shard *ss, struct stream_spec *spec)
{
    struct stream_topic *topic = table_find(ss, spec);
    if (topic) {
        stream_spec_destroy(spec);
        return topic;
    }
    topic = oms_calloc(1, sizeof(*topic));
    if (!stream_binding_init(&topic->binding, ss->as, spec)) {
        oms_free(topic);
        stream_spec_destroy(spec);
        return NULL;
    }
    topic->ss = ss;
    topic->spec = spec;
    topic->tenant = tenant_version_hold(actors_tenant(ss->shard, spec->tenant));
    OMS_ASSERT(topic->tenant->version == spec->version);
    topic->partition = store_partition_of(spec->tenant);
    topic->empty_ms = rt_now_ms(ss->hub->host);
    stream_list_init(&topic->members);
    stream_list_init(&topic->waiting);
    stream_list_init(&topic->touch);
    stream_list_add(&ss->topics, &topic->all);
    table_add(ss, topic);
    ss->topic_count++;
    if (spec->field == API_TENANT_EVENTS)
        stream_partition_join(ss, topic->partition);
    send_controls(topic, STREAM_REGISTER);
    return topic;
}

static void ring_drop(struct stream_topic *topic)
{
    struct http_payload *payload = topic->ring[topic->tail++ & (topic->ring_cap - 1)];
    topic->ring_from = (struct ids_cursor){payload->commit, payload->ordinal};
    topic->ring_bytes -= payload->len;
    topic->ss->ring_bytes -= payload->len;
    topic->evicted = true;
    http_payload_release(payload);
}

/* Nothing names it any more: neither a source, nor a report, nor a session. */
void stream_topic_destroy(struct stream_topic *topic)
{
    struct stream_shard *ss = topic->ss;
    OMS_ASSERT(stream_list_is_empty(&topic->members) && !topic->jobs);
    stream_partition_forget(ss, topic->partition, topic);
    table_remove(topic);
    stream_list_remove(&topic->all);
    stream_list_remove(&topic->touch);
    ss->topic_count--;
    while (topic->tail < topic->head)
        ring_drop(topic);
    oms_free(topic->ring);
    http_payload_release(topic->checkpoint);
    stream_binding_fini(&topic->binding);
    tenant_version_release(topic->tenant);
    stream_spec_destroy(topic->spec);
    oms_free(topic);
}

void stream_topic_leave_if_empty(struct stream_topic *topic, int64_t now_ms)
{
    if (topic->member_count || topic->jobs || topic->acks || topic->state == STREAM_TOPIC_LEAVING)
        return;
    if (topic->tail_job) { /* not in flight: it only waits for the next word */
        stream_catchup_drop(topic->tail_job);
        topic->tail_job = NULL;
    }
    if (!topic->stopped && now_ms - topic->empty_ms < STREAM_LINGER_MS)
        return;
    topic->state = STREAM_TOPIC_LEAVING;
    table_remove(topic);
    if (topic->spec->field == API_TENANT_EVENTS)
        stream_partition_leave(topic->ss, topic->partition);
    send_controls(topic, STREAM_UNREGISTER);
}

/* ---- the ring ---- */

static void ring_grow(struct stream_topic *topic)
{
    size_t cap = topic->ring_cap ? topic->ring_cap * 2 : RING_MIN;
    struct http_payload **ring = oms_calloc(cap, sizeof(*ring));
    for (uint64_t i = topic->tail; i < topic->head; i++)
        ring[i & (cap - 1)] = topic->ring[i & (topic->ring_cap - 1)];
    oms_free(topic->ring);
    topic->ring = ring;
    topic->ring_cap = cap;
}

static void ring_make_room(struct stream_topic *topic, size_t len)
{
    struct stream_shard *ss = topic->ss;
    size_t bytes_max =
        ss->ring_bytes > OMS_STREAM_RINGS_BYTES_MAX ? RING_BYTES_CROWDED : OMS_STREAM_RING_BYTES_MAX;
    while (topic->tail < topic->head && topic->ring_bytes + len > bytes_max)
        ring_drop(topic);
    if (topic->head - topic->tail < topic->ring_cap)
        return;
    if (topic->ring_cap < ss->hub->ring_payloads_max)
        ring_grow(topic);
    else
        ring_drop(topic);
}

void stream_topic_append(struct stream_topic *topic, struct http_payload *payload)
{
    struct stream_shard *ss = topic->ss;
    struct ids_cursor at = {payload->commit, payload->ordinal};
    OMS_ASSERT(stream_cursor_before(topic->at, at));
    ring_make_room(topic, payload->len);
    topic->ring[topic->head++ & (topic->ring_cap - 1)] = payload;
    topic->ring_bytes += payload->len;
    ss->ring_bytes += payload->len;
    topic->at = at;
    topic->item_ms = rt_now_ms(ss->hub->host);
    if (!topic->touched && !stream_list_is_empty(&topic->waiting)) {
        topic->touched = true;
        stream_list_add(&ss->touched, &topic->touch);
        rt_shard_touch(ss->shard);
    }
}

/* ---- topics that read the store ---- */

static void tail_ask(struct stream_topic *topic)
{
    if (topic->stopped || topic->behind <= topic->position)
        return;
    if (!topic->tail_job)
        topic->tail_job =
            stream_catchup_create(topic, NULL, (struct ids_cursor){topic->position, STREAM_ORDINAL_END});
    struct stream_catchup *job = topic->tail_job;
    struct ids_cursor stands = {topic->position, STREAM_ORDINAL_END};
    if (job->in_flight || job->waiting)
        return;
    if (stream_cursor_before(job->end, stands)) /* what lies between has nothing for this topic */
        job->end = stands;
    stream_catchup_ask(job);
}

void stream_topic_tail_done(struct stream_topic *topic, struct stream_catchup *job)
{
    if (topic->stopped || topic->state != STREAM_TOPIC_LIVE)
        return;
    if (job->status != OMS_OK) {
        fail(topic);
        return;
    }
    while (job->next < job->count) {
        struct http_payload *payload = job->items[job->next++];
        if (stream_cursor_before(topic->at, (struct ids_cursor){payload->commit, payload->ordinal}))
            stream_topic_append(topic, payload);
        else
            http_payload_release(payload);
    }
    /* A page may end in the middle of a commit: then the position is before it. */
    uint64_t whole = job->end.ordinal == STREAM_ORDINAL_END || !job->more ? job->end.commit
                     : job->end.commit                                    ? job->end.commit - 1
                                                                          : 0;
    if (whole > topic->position)
        topic->position = whole;
    if (job->more)
        stream_catchup_ask(job);
    else
        tail_ask(topic);
}

void stream_topic_skip(struct stream_topic *topic, uint64_t commit)
{
    struct ids_cursor end = {commit, STREAM_ORDINAL_END};
    if (topic->state != STREAM_TOPIC_LIVE || topic->stopped || commit <= topic->covered)
        return;
    topic->covered = commit;
    if (topic->spec->from_store) { /* which has the log read in any case */
        topic->behind = commit;
        tail_ask(topic);
        return;
    }
    while (topic->tail < topic->head)
        ring_drop(topic);
    topic->evicted = false;
    topic->at = topic->ring_from = end;
    if (topic->position < commit)
        topic->position = commit;
    for (struct stream_link *link = topic->members.next, *next; link != &topic->members; link = next) {
        next = link->next;
        stream_session_again(OMS_CONTAINER_OF(link, struct stream_session, member));
    }
}

void stream_topic_add(struct stream_topic *topic, uint64_t commit, struct http_payload *payload)
{
    if (topic->state != STREAM_TOPIC_LIVE || topic->stopped || commit <= topic->covered) {
        http_payload_release(payload);
        return;
    }
    if (topic->spec->from_store) {
        http_payload_release(payload);
        topic->behind = commit;
        tail_ask(topic);
        return;
    }
    if (payload) {
        stream_topic_append(topic, payload);
        return;
    }
    stream_topic_skip(topic, commit); /* it was too large to be held */
}

/* ---- positions and checkpoints ---- */

uint64_t stream_topic_position(const struct stream_topic *topic)
{
    uint64_t position = topic->position;
    if (topic->spec->field == API_TENANT_EVENTS) {
        uint64_t partition = stream_partition_position(topic->ss, topic->partition);
        bool whole = !topic->spec->from_store || topic->behind <= topic->position;
        if (whole && partition > position)
            position = partition;
    } else if (!topic->spec->from_store && topic->at.commit > position) {
        position = topic->at.commit;
    }
    return position;
}

struct http_payload *stream_topic_checkpoint(struct stream_topic *topic, struct ids_cursor at)
{
    struct stream_shard *ss = topic->ss;
    struct api_stream_item item = {.commit = at.commit, .ordinal = at.ordinal};
    struct api_scene scene = {.tenant = topic->tenant,
                              .principal = &topic->binding.principal,
                              .access = &topic->binding.access,
                              .arena = &ss->scratch};
    char cursor[IDS_CURSOR_TEXT_MAX];
    if (topic->checkpoint && topic->checkpoint->commit == at.commit &&
        topic->checkpoint->ordinal == at.ordinal)
        return http_payload_hold(topic->checkpoint);
    oms_arena_reset(&ss->scratch);
    oms_buf_reset(&ss->text);
    stream_execute(&topic->binding, &item, &scene, &ss->scratch, &ss->value, &ss->text);
    size_t len = ids_cursor_text(at, cursor);
    struct oms_str id = at.commit ? oms_str_make(cursor, len) : OMS_STR("0");
    struct http_payload *payload = http_payload_event("next", id, oms_buf_str(&ss->text));
    payload->commit = at.commit;
    payload->ordinal = at.ordinal;
    http_payload_release(topic->checkpoint);
    topic->checkpoint = http_payload_hold(payload);
    ss->stats.checkpoints++;
    return payload;
}

static void cut_off_the_slow(struct stream_topic *topic)
{
    for (struct stream_link *link = topic->members.next, *next; link != &topic->members; link = next) {
        struct stream_session *session = OMS_CONTAINER_OF(link, struct stream_session, member);
        next = link->next;
        if (session->state == STREAM_SESSION_LIVE && session->place < topic->tail)
            stream_session_end(session, STREAM_END_SLOW);
    }
    topic->evicted = false;
}

void stream_topic_tick(struct stream_topic *topic, int64_t now_ms)
{
    if (topic->evicted)
        cut_off_the_slow(topic);
    stream_topic_leave_if_empty(topic, now_ms);
    if (topic->state != STREAM_TOPIC_LIVE || topic->stopped || !topic->member_count)
        return;
    if (topic->tail_job && topic->tail_job->again)
        stream_catchup_ask(topic->tail_job);
    if (now_ms - topic->item_ms < STREAM_CHECKPOINT_MS)
        return;
    struct ids_cursor at = {stream_topic_position(topic), STREAM_ORDINAL_END};
    if (stream_cursor_before(topic->at, at))
        stream_topic_append(topic, stream_topic_checkpoint(topic, at));
    topic->item_ms = now_ms;
}

/* ---- positions of orders' topics: all their sources are asked, now and then ---- */

static void ping_home(struct stream_shard *ss, const struct stream_control *control)
{
    ss->pings--;
    for (struct stream_link *link = ss->topics.next; link != &ss->topics; link = link->next) {
        struct stream_topic *topic = OMS_CONTAINER_OF(link, struct stream_topic, all);
        struct rt_address address;
        if (topic->spec->field != API_ORDER_EVENTS || topic->state != STREAM_TOPIC_LIVE || topic->stopped)
            continue;
        ids_order_address(topic->spec->tenant, topic->spec->order_id, &address);
        uint64_t position = control->positions[topic->partition];
        if (rt_shard_of(ss->hub->host, &address) == control->to->index && position > topic->position &&
            (!topic->spec->from_store || topic->behind <= topic->position))
            topic->position = position;
    }
}

/*
 * All commits up to the numbers in the ping were durable when it left: their units have been made, so the
 * source's shard answers after it has reported them.
 */
void stream_topics_ping(struct stream_shard *ss)
{
    bool any = false;
    for (struct stream_link *link = ss->topics.next; !any && link != &ss->topics; link = link->next)
        any = OMS_CONTAINER_OF(link, struct stream_topic, all)->spec->field == API_ORDER_EVENTS;
    if (!any || ss->pings)
        return;
    for (unsigned i = 0; i < ss->hub->shard_count; i++) {
        struct stream_control *control = oms_calloc(1, sizeof(*control));
        control->kind = STREAM_PING;
        control->from = ss;
        control->to = ss->hub->shards[i];
        control->positions = oms_calloc(OMS_PARTITIONS, sizeof(uint64_t));
        for (unsigned p = 0; p < OMS_PARTITIONS; p++)
            control->positions[p] = store_durable_commit(ss->hub->store, (uint16_t)p);
        control->message.on_return = stream_source_control;
        stream_list_add(&ss->loans_controls, &control->loan);
        ss->pings++;
        rt_post(ss->hub->host, i, &control->message);
    }
}
