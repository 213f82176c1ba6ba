/*
 * Lists and the tenant's feed against the model, when nothing moves: every page of several filters as several
 * people, and every event of the log once.
 *
 * Each goes the way that production goes: a read of the store, which waits until all that was acknowledged is
 * materialised.
 */
#include <inttypes.h>

#include "actors/order_history.h"
#include "actors/order_list.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/host_sim.h"
#include "tests/sim/model_impl.h"
#include "tests/sim/world_impl.h"

#define PAGE       3 /* small, so that there are many */
#define PAGES_MAX  400
#define STEPS_MAX  100000
#define FEED_LIMIT 20

struct question {
    struct store_read read;
    struct world *world;
    unsigned tenant, person;
    const char *filter; /* JSON */
    bool (*wanted)(const struct model_state *s, unsigned person);
    struct access access;
    struct oms_arena arena;
    bool done;
};

/* ---- what the model would list ---- */

static bool everything(const struct model_state *s, unsigned person)
{
    (void)s;
    (void)person;
    return true;
}

static bool confirmed(const struct model_state *s, unsigned person)
{
    (void)person;
    return s->stage == ORDER_STAGE_CONFIRMED;
}

static bool gone(const struct model_state *s, unsigned person)
{
    (void)person;
    return s->stage == ORDER_STAGE_SHIPPED || s->stage == ORDER_STAGE_COMPLETED;
}

/* Whose an order is, a vendor is not told. */
static bool of_carla(const struct model_state *s, unsigned person)
{
    return sim_people[person].role != SIM_VENDOR && s->customer == 3;
}

/* A vendor is told nothing of the others' lines. */
static bool of_vega(const struct model_state *s, unsigned person)
{
    for (unsigned i = 0; i < s->line_count; i++)
        if (s->lines[i].vendor == SIM_VENDOR_A && model_line_mine(s, person, i))
            return true;
    return false;
}

static bool on_hold(const struct model_state *s, unsigned person)
{
    (void)person;
    return s->hold_count > 0;
}

static bool paid(const struct model_state *s, unsigned person)
{
    return sim_people[person].role != SIM_VENDOR && model_payment_status(s) == ORDER_PAYMENT_STATUS_PAID;
}

static bool owed(const struct model_state *s, unsigned person)
{
    return sim_people[person].role != SIM_VENDOR && model_refund_due(s) > 0;
}

static bool confirmed_of_vega(const struct model_state *s, unsigned person)
{
    return confirmed(s, person) && of_vega(s, person);
}

static const struct {
    const char *filter;
    bool (*wanted)(const struct model_state *s, unsigned person);
} questions[] = {
    {"{}", everything},
    {"{\"stage\":[\"CONFIRMED\"]}", confirmed},
    {"{\"stage\":[\"SHIPPED\",\"COMPLETED\"]}", gone},
    {"{\"customerId\":[\"carla\"]}", of_carla},
    {"{\"vendorId\":[\"vega\"]}", of_vega},
    {"{\"stage\":[\"CONFIRMED\"],\"vendorId\":[\"vega\"]}", confirmed_of_vega},
    {"{\"onHold\":true}", on_hold},
    {"{\"paymentStatus\":[\"PAID\"]}", paid},
    {"{\"refundDue\":true}", owed},
};

static bool listed(const struct question *q, unsigned slot)
{
    const struct model_state *s = &q->world->model->orders[q->tenant][slot].tip;
    return s->version && model_reaches(s, q->person) && q->wanted(s, q->person);
}

static unsigned slot_of(const struct question *q, const unsigned char id[IDS_ORDER_SIZE])
{
    unsigned slot = 0;
    while (slot < SIM_SLOTS && memcmp(q->world->places[q->tenant][slot].id, id, IDS_ORDER_SIZE) != 0)
        slot++;
    return slot;
}

/* ---- asking ---- */

static void fail(struct question *q, const char *what)
{
    model_fail(q->world->model, "%s of tenant %u for %s, filter %s: %s", q->filter ? "the list" : "the feed",
               q->tenant, sim_people[q->person].subject, q->filter ? q->filter : "none", what);
}

static void home(struct rt_shard *shard, struct rt_message *message)
{
    struct question *q = OMS_CONTAINER_OF(message, struct question, read.job.message);
    (void)shard;
    if (message->status != OMS_OK)
        fail(q, oms_status_name(message->status));
    q->done = true;
}

static void ask(struct question *q,
                void (*run)(struct store_read *read, struct store_engine *engine, struct store_view *view))
{
    struct world *world = q->world;
    struct rt_shard *shard = world->host->shards[world_below(world, world->shards)];
    struct oms_str role = oms_str_of(sim_people[q->person].role_name);
    struct principal principal = {.kind = PRINCIPAL_USER,
                                  .tenant = world->tenants[q->tenant].number,
                                  .subject = oms_str_of(sim_people[q->person].subject),
                                  .roles = &role,
                                  .role_count = 1};
    const struct tenant_version *tenant =
        actors_tenant_by_name(shard, oms_str_of(world_tenant_names[q->tenant]));
    q->done = false;
    oms_arena_init(&q->arena, 4096, OMS_REQUEST_ARENA_BYTES_MAX);
    OMS_ASSERT(permission_evaluate(&tenant->permissions, &principal, &q->arena, &q->access));
    q->read = (struct store_read){.run = run, .job.message.on_return = home};
    store_read(world->store, shard, &q->read);
    for (unsigned step = 0; step < STEPS_MAX && !q->done; step++)
        rt_host_sim_step(world->host);
    OMS_ASSERT(q->done); /* the read is ours, on the stack: nothing may come home later */
    oms_arena_fini(&q->arena);
}

/* ---- lists ---- */

static void take_page(struct question *q, const struct order_page *page, int64_t *last, bool seen[SIM_SLOTS])
{
    for (size_t i = 0; i < page->count; i++) {
        const struct order *order = page->rows[i].order;
        unsigned char id[IDS_ORDER_SIZE];
        unsigned slot = ids_order_parse(order->order_id, id) == OMS_OK ? slot_of(q, id) : SIM_SLOTS;
        if (slot < SIM_SLOTS)
            model_meet(q->world->model, q->tenant, slot, order);
        if (slot == SIM_SLOTS || !listed(q, slot))
            fail(q, "an order that does not belong there");
        else if (seen[slot])
            fail(q, "an order twice");
        else
            model_compare(q->world->model, q->tenant, slot, order, "list");
        if (order->placed_at > *last)
            fail(q, "not in order");
        *last = order->placed_at;
        if (slot < SIM_SLOTS)
            seen[slot] = true;
        q->world->counts.listed++;
    }
}

static void run_list(struct store_read *read, struct store_engine *engine, struct store_view *view)
{
    struct question *q = OMS_CONTAINER_OF(read, struct question, read);
    struct order_list_query query = {.tenant = q->world->tenants[q->tenant].number,
                                     .access = &q->access,
                                     .descending = true,
                                     .limit = PAGE};
    struct oms_value input;
    struct refusal_list refusals;
    struct order_page page;
    struct order_count count;
    bool seen[SIM_SLOTS] = {0};
    int64_t last = INT64_MAX;
    uint64_t wanted = 0;
    refusal_list_init(&refusals, &q->arena);
    OMS_ASSERT(oms_json_parse(oms_str_of(q->filter), OMS_JSON_DEPTH_MAX, &q->arena, &input, NULL) == OMS_OK);
    OMS_ASSERT(order_filter_parse(&input, &q->arena, &query.filter, &refusals) == OMS_OK);
    for (unsigned pages = 0; pages < PAGES_MAX && !world_failed(q->world); pages++) {
        if (order_list_run(engine, view, &query, &q->arena, &page) != OMS_OK) {
            fail(q, "it failed");
            break;
        }
        take_page(q, &page, &last, seen);
        bool more = page.has_next;
        query.cursor = page.end_cursor;
        order_page_fini(&page);
        if (!more)
            break;
    }
    for (unsigned slot = 0; slot < SIM_SLOTS; slot++) {
        wanted += listed(q, slot);
        if (listed(q, slot) && !seen[slot])
            fail(q, "an order is missing");
    }
    query.cursor = OMS_STR_NONE;
    if (order_list_count(engine, view, &query, &count) != OMS_OK || count.capped || count.count != wanted)
        fail(q, "it counts otherwise");
}

/* ---- the feed ---- */

struct feed {
    uint64_t versions[SIM_SLOTS], sequences[SIM_SLOTS];
    uint64_t commit;
    unsigned ordinal;
};

static void take_event(struct question *q, struct feed *feed, const struct order_history_event *event)
{
    unsigned slot = slot_of(q, event->order_id);
    if (slot == SIM_SLOTS) {
        fail(q, "an event of nobody's order");
        return;
    }
    const struct model_order *order = &q->world->model->orders[q->tenant][slot];
    uint64_t version = event->meta.version;
    if (event->commit < feed->commit || (event->commit == feed->commit && event->ordinal <= feed->ordinal))
        fail(q, "events out of order");
    if (event->meta.sequence != ++feed->sequences[slot] ||
        (version != feed->versions[slot] && version != feed->versions[slot] + 1))
        fail(q, "a gap in an order's events");
    if (version == 0 || version > order->tip.version) {
        fail(q, "an event that nobody asked for");
        return;
    }
    const struct model_entry *entry = &order->entries[version - 1];
    if (event->meta.command != (entry->expired ? ORDER_COMMAND_EXPIRE_HOLD
                                : entry->due   ? ORDER_COMMAND_STEP_DUE
                                               : entry->op.type))
        fail(q, "an event of another command");
    feed->versions[slot] = version;
    feed->commit = event->commit;
    feed->ordinal = event->ordinal;
    q->world->counts.feed_events++;
}

static void run_feed(struct store_read *read, struct store_engine *engine, struct store_view *view)
{
    struct question *q = OMS_CONTAINER_OF(read, struct question, read);
    struct feed feed = {0};
    struct order_history_page page = {.has_next = true};
    struct oms_arena arena;
    oms_arena_init(&arena, 4096, OMS_REQUEST_ARENA_BYTES_MAX);
    for (unsigned pages = 0; pages < PAGES_MAX && page.has_next && !world_failed(q->world); pages++) {
        oms_arena_reset(&arena);
        if (order_history_feed(engine, view, q->world->tenants[q->tenant].number, &q->access, NULL,
                               page.end_commit, page.end_ordinal, FEED_LIMIT, &arena, &page) != OMS_OK) {
            fail(q, "it failed");
            break;
        }
        for (size_t i = 0; i < page.count && !world_failed(q->world); i++)
            take_event(q, &feed, &page.items[i]);
    }
    oms_arena_fini(&arena);
    for (unsigned slot = 0; slot < SIM_SLOTS && !world_failed(q->world); slot++)
        if (feed.versions[slot] != q->world->model->orders[q->tenant][slot].tip.version)
            fail(q, "it ends before the order does");
}

void lists_check(struct world *world)
{
    for (unsigned tenant = 0; tenant < SIM_TENANTS; tenant++) {
        for (unsigned i = 0; i < OMS_COUNT_OF(questions); i++)
            for (unsigned person = 1; person < SIM_PEOPLE && !world_failed(world); person++) {
                struct question q = {.world = world,
                                     .tenant = tenant,
                                     .person = person,
                                     .filter = questions[i].filter,
                                     .wanted = questions[i].wanted};
                ask(&q, run_list);
            }
        if (!world_failed(world)) {
            struct question q = {.world = world, .tenant = tenant, .person = SIM_CLERK};
            ask(&q, run_feed);
        }
    }
}
