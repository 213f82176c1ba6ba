/*
 * Between the order's shard and the reader's: what was rendered and is durable, a message per shard and turn.
 *
 * A report's node belongs to the shard that fills it and comes back to be filled again. On the reader's shard
 * the units of a partition are put in the order of their commit numbers: each unit of the partition is
 * reported by the shard that made it, with or without events, so a missing number is one that is on its way.
 * Where one shard lags so far that too many would have to wait, the partition's topics go on from the log.
 * Numbers from before the registration was complete are dropped here; those are read from the log.
 */
#include "http/stream/stream_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

#define REPORT_ITEMS_KEPT 1024
#define LATE_MIN          64

/* ---- the order's side ---- */

static void report_home(struct rt_shard *shard, struct rt_message *message)
{
    struct stream_report *report = OMS_CONTAINER_OF(message, struct stream_report, message);
    struct stream_shard *ss = report->from;
    OMS_ASSERT(ss->shard == shard);
    if (report->cap > REPORT_ITEMS_KEPT) {
        oms_free(report->items);
        report->items = NULL;
        report->cap = 0;
    }
    report->count = 0;
    report->next = ss->free_reports;
    ss->free_reports = report;
}

void stream_report_add(struct stream_shard *ss, unsigned to, struct stream_report_item item)
{
    struct stream_report *report = ss->reports[to];
    if (!report) {
        report = ss->free_reports;
        if (report)
            ss->free_reports = report->next;
        else
            report = oms_calloc(1, sizeof(*report));
        report->from = ss;
        report->to = ss->hub->shards[to];
        ss->reports[to] = report;
        rt_shard_touch(ss->shard);
    }
    if (report->count == report->cap) {
        report->cap = report->cap ? report->cap * 2 : 16;
        report->items = oms_reallocarray(report->items, report->cap, sizeof(report->items[0]));
    }
    report->items[report->count++] = item;
}

static void take(struct stream_shard *ss, const struct stream_report *report);

static void report_arrived(struct rt_shard *shard, struct rt_message *message)
{
    struct stream_report *report = OMS_CONTAINER_OF(message, struct stream_report, message);
    OMS_ASSERT(report->to->shard == shard);
    take(report->to, report);
    message->on_return = report_home;
    rt_post(report->to->hub->host, report->from->index, message);
}

void stream_report_flush(struct stream_shard *ss, unsigned to)
{
    struct stream_report *report = ss->reports[to];
    if (!report)
        return;
    ss->reports[to] = NULL;
    if (to == ss->index) {
        take(ss, report);
        report_home(ss->shard, &report->message);
        return;
    }
    report->message.on_return = report_arrived;
    rt_post(ss->hub->host, to, &report->message);
}

void stream_report_flush_all(struct stream_shard *ss)
{
    for (unsigned i = 0; i < ss->hub->shard_count; i++)
        stream_report_flush(ss, i);
}

/* ---- the reader's side: one unit ---- */

static void deliver(uint64_t commit, const struct stream_report_item *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (items[i].topic)
            stream_topic_add(items[i].topic, commit, items[i].payload);
}

static void drop(const struct stream_report_item *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        http_payload_release(items[i].payload);
}

static void late_grow(struct stream_partition *partition, uint64_t commit)
{
    size_t cap = partition->cap ? partition->cap : LATE_MIN;
    while (commit - partition->expected >= cap)
        cap *= 2;
    struct stream_late *late = oms_calloc(cap, sizeof(*late));
    for (size_t i = 0; i < partition->cap; i++) {
        uint64_t at = partition->expected + i;
        late[at & (cap - 1)] = partition->late[at & (partition->cap - 1)];
    }
    oms_free(partition->late);
    partition->late = late;
    partition->cap = cap;
}

static void keep_late(struct stream_partition *partition, uint64_t commit,
                      const struct stream_report_item *items, uint32_t count)
{
    if (commit - partition->expected >= partition->cap)
        late_grow(partition, commit);
    struct stream_late *late = &partition->late[commit & (partition->cap - 1)];
    OMS_ASSERT(!late->present);
    *late = (struct stream_late){.present = true, .count = count};
    if (count) {
        late->items = oms_calloc(count, sizeof(*items));
        memcpy(late->items, items, count * sizeof(*items));
    }
}

static void deliver_late(struct stream_partition *partition)
{
    while (partition->cap) {
        struct stream_late *late = &partition->late[partition->expected & (partition->cap - 1)];
        if (!late->present)
            return;
        deliver(partition->expected, late->items, late->count);
        oms_free(late->items);
        *late = (struct stream_late){.present = false};
        partition->expected++;
    }
}

static void late_free(struct stream_partition *partition)
{
    for (size_t i = 0; i < partition->cap; i++) {
        drop(partition->late[i].items, partition->late[i].count);
        oms_free(partition->late[i].items);
    }
    oms_free(partition->late);
    partition->late = NULL;
    partition->cap = 0;
}

/* Everything durable now is left to the log; what comes after it is still reported, all of it. */
static void skip(struct stream_shard *ss, struct stream_partition *partition, uint16_t number)
{
    uint64_t durable = store_durable_commit(ss->hub->store, number);
    late_free(partition);
    partition->expected = durable + 1;
    for (struct stream_link *link = ss->topics.next; link != &ss->topics; link = link->next) {
        struct stream_topic *topic = OMS_CONTAINER_OF(link, struct stream_topic, all);
        if (topic->partition == number && topic->spec->field == API_TENANT_EVENTS)
            stream_topic_skip(topic, durable);
    }
}

static void take_unit(struct stream_shard *ss, const struct stream_report_item *unit)
{
    struct stream_partition *partition = ss->partitions[unit->partition];
    const struct stream_report_item *items = unit + 1;
    if (!partition || !partition->live || unit->commit < partition->expected) {
        drop(items, unit->count);
    } else if (unit->commit == partition->expected) {
        deliver(unit->commit, items, unit->count);
        partition->expected++;
        deliver_late(partition);
    } else if (unit->commit - partition->expected < ss->hub->late_max) {
        keep_late(partition, unit->commit, items, unit->count);
    } else {
        drop(items, unit->count);
        skip(ss, partition, unit->partition);
    }
}

static void take(struct stream_shard *ss, const struct stream_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct stream_report_item *item = &report->items[i];
        switch ((enum stream_report_kind)item->kind) {
        case STREAM_REPORT_UNIT:
            take_unit(ss, item);
            i += item->count;
            break;
        case STREAM_REPORT_DIRECT:
            stream_topic_add(item->topic, item->commit, item->payload);
            break;
        case STREAM_REPORT_STOP:
            item->topic->stopped = true;
            break;
        case STREAM_REPORT_EVENT:
            OMS_UNREACHABLE(); /* its unit has taken it */
        }
    }
    rt_shard_touch(ss->shard);
}

/* ---- the reader's side: partitions ---- */

void stream_partition_forget(struct stream_shard *ss, uint16_t number, const struct stream_topic *topic)
{
    struct stream_partition *partition = ss->partitions[number];
    for (size_t i = 0; partition && i < partition->cap; i++) {
        struct stream_late *late = &partition->late[i];
        for (uint32_t at = 0; at < late->count; at++) {
            if (late->items[at].topic != topic)
                continue;
            http_payload_release(late->items[at].payload);
            late->items[at].payload = NULL;
            late->items[at].topic = NULL;
        }
    }
}

void stream_partition_join(struct stream_shard *ss, uint16_t partition)
{
    if (!ss->partitions[partition])
        ss->partitions[partition] = oms_calloc(1, sizeof(struct stream_partition));
    ss->partitions[partition]->topics++;
}

void stream_partition_live(struct stream_shard *ss, uint16_t number, uint64_t covered)
{
    struct stream_partition *partition = ss->partitions[number];
    if (!partition->live) {
        partition->live = true;
        partition->expected = covered + 1;
    }
}

static void partition_free(struct stream_partition *partition)
{
    late_free(partition);
    oms_free(partition);
}

/* The last one's end is on its way to the sources: from now on there may be gaps. */
void stream_partition_leave(struct stream_shard *ss, uint16_t number)
{
    struct stream_partition *partition = ss->partitions[number];
    OMS_ASSERT(partition && partition->topics > 0);
    if (--partition->topics)
        return;
    partition_free(partition);
    ss->partitions[number] = NULL;
}

uint64_t stream_partition_position(const struct stream_shard *ss, uint16_t number)
{
    const struct stream_partition *partition = ss->partitions[number];
    return partition && partition->live ? partition->expected - 1 : 0;
}

static void report_free(struct stream_report *report)
{
    for (size_t i = 0; i < report->count; i++)
        http_payload_release(report->items[i].payload);
    oms_free(report->items);
    oms_free(report);
}

void stream_reports_fini(struct stream_shard *ss)
{
    for (unsigned i = 0; i < ss->hub->shard_count; i++)
        if (ss->reports[i])
            report_free(ss->reports[i]);
    while (ss->free_reports) {
        struct stream_report *report = ss->free_reports;
        ss->free_reports = report->next;
        report_free(report);
    }
    for (unsigned i = 0; i < OMS_PARTITIONS; i++)
        if (ss->partitions[i])
            partition_free(ss->partitions[i]);
}
