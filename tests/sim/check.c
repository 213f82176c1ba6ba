/*
 * The store against the model: each batch as it becomes durable, the whole store as it lies between two
 * lives, and the derived families after recovery.
 */
#include <inttypes.h>

#include "actors/order_codec.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"
#include "storage/sealed.h"
#include "storage/timeline.h"
#include "tests/sim/world_impl.h"

/* ---- the log's boundary ---- */

static bool slot_of(const struct world *world, const struct rt_address *address, unsigned *tenant,
                    unsigned *slot)
{
    for (*tenant = 0; *tenant < SIM_TENANTS; ++*tenant)
        for (*slot = 0; *slot < SIM_SLOTS; ++*slot)
            if (address->tenant == world->tenants[*tenant].number &&
                memcmp(address->key, world->places[*tenant][*slot].id, IDS_ORDER_SIZE) == 0)
                return true;
    return false;
}

typedef void (*record_sink)(struct model *model, unsigned tenant, unsigned slot,
                            const struct store_record *record);

/* `view` NULL: the key is the append's. */
static void give_record(struct world *world, uint16_t partition, uint64_t commit, struct oms_str value,
                        struct store_engine *engine, struct store_view *view, struct oms_str key,
                        record_sink sink)
{
    struct oms_arena arena;
    struct store_record record;
    unsigned tenant, slot;
    oms_arena_init(&arena, 4096, CALL_ARENA_MAX);
    enum oms_status status = store_record_decode(partition, commit, value, &arena, &record);
    if (status == OMS_OK)
        status = view ? store_record_open(engine, view, &arena, &record)
                      : store_record_unseal(engine->vault, key, &arena, &record);
    if (status != OMS_OK)
        model_fail(world->model, "partition %u: commit %" PRIu64 " does not decode", partition, commit);
    else if (record.actor.kind == RT_ACTOR_TENANT)
        ; /* checked by what the tenant is afterwards */
    else if (!slot_of(world, &record.actor, &tenant, &slot))
        model_fail(world->model, "partition %u: commit %" PRIu64 " is of an order that nobody named",
                   partition, commit);
    else if (!world_failed(world))
        sink(world->model, tenant, slot, &record);
    oms_arena_fini(&arena);
}

void check_appended(void *context, const struct store_append *records, size_t count)
{
    struct world *world = context;
    for (size_t i = 0; i < count; i++)
        give_record(world, records[i].partition, records[i].commit, records[i].value, world->engine, NULL,
                    records[i].key, model_logged);
}

/* ---- between two lives ---- */

static void verify(struct world *world, struct store_engine *engine)
{
    struct store_memory *memory = store_memory_create();
    struct store_engine *scratch = store_memory_open(memory);
    struct store_projector projector = actors_projector();
    struct store_verify_report report;
    struct oms_error error = {0};
    if (store_verify(engine, scratch, &projector, NULL, NULL, &report, &error) != OMS_OK)
        model_fail(world->model, "verify: %s", error.message);
    else if (report.differences)
        model_fail(world->model, "verify: %" PRIu64 " differences, the first: %s", report.differences,
                   report.first_difference);
    scratch->ops->close(scratch, false);
    store_memory_destroy(memory);
}

static void read_log(struct world *world, struct store_engine *engine, struct store_view *view,
                     uint16_t partition)
{
    struct oms_str key, value;
    enum oms_status status;
    uint64_t next = 1;
    struct store_iter *iter = engine->ops->log_iter_open(view, partition, 1);
    for (; engine->ops->iter_item(iter, &key, &value, &status); engine->ops->iter_next(iter), next++) {
        if (oms_get_be64((const unsigned char *)key.data) != next)
            model_fail(world->model, "partition %u: commit %" PRIu64 " is missing", partition, next);
        give_record(world, partition, next, value, engine, view, OMS_STR_NONE, model_recover_record);
    }
    engine->ops->iter_close(iter);
}

/* The store as it lies: is it what its log says, and is the log what the model can have happened? */
void check_log(struct world *world)
{
    struct store_engine *engine = store_memory_open(world->memory);
    struct store_view *view = engine->ops->view_open(engine);
    for (unsigned tenant = 0; tenant < SIM_TENANTS; tenant++)
        for (unsigned slot = 0; slot < SIM_SLOTS; slot++)
            model_recover_begin(world->model, tenant, slot);
    for (unsigned partition = 0; partition < OMS_PARTITIONS; partition++)
        read_log(world, engine, view, (uint16_t)partition);
    for (unsigned tenant = 0; tenant < SIM_TENANTS; tenant++)
        for (unsigned slot = 0; slot < SIM_SLOTS; slot++)
            if (!world_failed(world))
                model_recover_end(world->model, tenant, slot);
    engine->ops->view_close(view);
    if (!world_failed(world))
        verify(world, engine);
    engine->ops->close(engine, false);
}

static void check_notes(struct world *world, struct store_view *view, unsigned tenant, unsigned slot,
                        struct order *order)
{
    struct rt_address address;
    struct oms_buf bytes;
    world_address(world, tenant, slot, &address);
    oms_buf_init(&bytes, CALL_ARENA_MAX);
    for (uint64_t number = order->notes_erased + 1; number <= order->note_count; number++) {
        unsigned char key[ORDER_ASIDE_KEY_SIZE];
        order_aside_key(&address, ORDER_ASIDE_NOTE, number, key);
        oms_buf_reset(&bytes);
        if (world->engine->ops->view_get(view, STORE_ASIDE, oms_str_make(key, sizeof(key)), &bytes) !=
                OMS_OK ||
            order_note_merge(order, oms_buf_str(&bytes)) != OMS_OK)
            model_fail(world->model, "order %u/%u: note %" PRIu64 " is not beside the state", tenant, slot,
                       number);
    }
    oms_buf_fini(&bytes);
}

static void check_timeline(struct world *world, struct store_view *view, unsigned tenant, unsigned slot)
{
    struct rt_address address;
    struct store_timeline_item item;
    enum oms_status status = OMS_OK;
    uint64_t version = 0;
    world_address(world, tenant, slot, &address);
    struct store_timeline *timeline = store_timeline_open(world->engine, view, &address, 0);
    while (store_timeline_next(timeline, &item, &status))
        if (item.version_to != ++version)
            model_fail(world->model, "order %u/%u: its timeline goes to version %u after %" PRIu64, tenant,
                       slot, item.version_to, version - 1);
    store_timeline_close(timeline);
    if (status != OMS_OK || version != world->model->orders[tenant][slot].tip.version)
        model_fail(world->model, "order %u/%u: its timeline ends at version %" PRIu64, tenant, slot, version);
}

/* Adds what the order contributes to its tenant's counters. */
static void check_order(struct world *world, struct store_view *view, unsigned tenant, unsigned slot,
                        struct tenant_usage *sum)
{
    struct rt_address address;
    unsigned char key[STORE_ADDRESS_KEY_SIZE];
    struct oms_buf bytes;
    struct order *order = order_create();
    bool exists = world->model->orders[tenant][slot].tip.version > 0;
    world_address(world, tenant, slot, &address);
    store_address_key(&address, key);
    oms_buf_init(&bytes, CALL_ARENA_MAX);
    enum oms_status status =
        world->engine->ops->view_get(view, STORE_STATE, oms_str_make(key, sizeof(key)), &bytes);
    if (status != (exists ? OMS_OK : OMS_NOT_FOUND)) {
        model_fail(world->model, "order %u/%u: its state after recovery: %s", tenant, slot,
                   oms_status_name(status));
    } else if (exists && order_thaw(oms_buf_str(&bytes), order) != OMS_OK) {
        model_fail(world->model, "order %u/%u: its state does not thaw", tenant, slot);
    } else if (exists) {
        check_notes(world, view, tenant, slot, order);
        model_compare(world->model, tenant, slot, order, "recovered");
        sum->open_orders += world->model->orders[tenant][slot].tip.stage <= ORDER_STAGE_SHIPPED;
        sum->stored_events += (int64_t)order->event_count;
        check_timeline(world, view, tenant, slot);
    }
    oms_buf_fini(&bytes);
    order_destroy(order);
}

static void check_tenant(struct world *world, unsigned index)
{
    struct world_tenant *tenant = &world->tenants[index];
    for (unsigned i = 0; i < world->shards; i++) {
        const struct tenant_version *now =
            actors_tenant_by_name(world->host->shards[i], oms_str_of(world_tenant_names[index]));
        bool suspended = now && now->status == TENANT_SUSPENDED;
        if (!now || now->number != tenant->number)
            model_fail(world->model, "tenant %u is lost", index);
        else if (!tenant->changing && tenant->suspended != suspended)
            model_fail(world->model, "tenant %u is %s after recovery", index,
                       tenant_status_name(now->status));
        tenant->suspended = suspended; /* of a change in flight: either, but the same on every shard */
        tenant->changing = false;
    }
}

/* The counters that limits are held to begin with what the orders are. */
static void check_counts(struct world *world, unsigned tenant, const struct tenant_usage *sum)
{
    struct tenant_usage usage = actors_usage(world->system, world->tenants[tenant].number);
    if (usage.open_orders != sum->open_orders || usage.stored_events != sum->stored_events)
        model_fail(world->model,
                   "tenant %u counts %" PRId64 " open orders and %" PRId64 " events; there are %" PRId64
                   " and %" PRId64,
                   tenant, usage.open_orders, usage.stored_events, sum->open_orders, sum->stored_events);
}

/* After recovery the derived families are the whole log's, and equal the model. */
void check_recovered(struct world *world)
{
    struct store_view *view = world->engine->ops->view_open(world->engine);
    for (unsigned tenant = 0; tenant < SIM_TENANTS && !world_failed(world); tenant++) {
        struct tenant_usage sum = {0};
        check_tenant(world, tenant);
        for (unsigned slot = 0; slot < SIM_SLOTS && !world_failed(world); slot++)
            check_order(world, view, tenant, slot, &sum);
        if (!world_failed(world))
            check_counts(world, tenant, &sum);
    }
    world->engine->ops->view_close(view);
}
