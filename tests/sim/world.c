/* One world through its lives: sizes, faults, phases. See world.h. */
#include "tests/sim/world.h"

#include <inttypes.h>
#include <stdarg.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/host_sim.h"
#include "tests/sim/world_impl.h"

#define DISK_RESERVE_BYTES (1u << 20)
#define SETTLE_STEPS_MAX   200000
#define EXPIRY_GRACE_MS    3000 /* a due hold is gone after so long: two polls, and a busy moment */

const struct oms_hash_key world_id_key = {UINT64_C(0x6c6974656f6d7321), UINT64_C(0x73696d756c617465)};
const char *const world_tenant_names[SIM_TENANTS] = {"first", "second"};

/* ---- choices and trace ---- */

uint64_t world_below(struct world *world, uint64_t bound)
{
    return oms_prng_below(&world->prng, bound);
}

bool world_one_in(struct world *world, unsigned count)
{
    return world_below(world, count) == 0;
}

void world_note(struct world *world, uint64_t what)
{
    world->trace = oms_mix64(world->trace ^ what);
}

void world_tell(struct world *world, const char *format, ...)
{
    va_list args;
    if (!world->options.trace)
        return;
    fprintf(world->options.trace, "%u %" PRId64 " ", world->life,
            world->host ? rt_now_ms(world->host) - START_MS : 0);
    va_start(args, format);
    vfprintf(world->options.trace, format, args);
    va_end(args);
    fputc('\n', world->options.trace);
}

bool world_failed(const struct world *world)
{
    return model_failed(world->model);
}

void world_address(const struct world *world, unsigned tenant, unsigned slot, struct rt_address *out)
{
    ids_order_address(world->tenants[tenant].number, world->places[tenant][slot].id, out);
}

/* ---- a life ---- */

static void on_fatal(void *context, enum oms_status status)
{
    struct world *world = context;
    world_tell(world, "the store has failed: %s", oms_status_name(status));
    if (!world->armed)
        model_fail(world->model, "the store failed (%s) without a fault", oms_status_name(status));
    world->fatal = true;
}

static void boot(struct world *world)
{
    struct oms_error error = {0};
    struct store_recovery recovery;
    uint64_t seed = oms_mix64(world->options.seed * 1000 + ++world->life);
    world->armed = world->fatal = world->disk_low = world->stopping = false;
    world->host = rt_host_sim_create(
        &(struct rt_host_sim_config){.seed = seed, .shards = world->shards, .start_ms = world->now_ms});
    world->engine =
        sim_engine_open(world->memory, &(struct sim_engine_config){.seed = seed + 1,
                                                                   .blocked_percent = world->blocked_percent,
                                                                   .mutation = world->options.mutation,
                                                                   .appended = check_appended,
                                                                   .context = world});
    struct store_config store = {.engine = world->engine,
                                 .host = world->host,
                                 .projector = actors_projector(),
                                 .disk_reserve_bytes = DISK_RESERVE_BYTES,
                                 .lag_units_max = world->lag_units_max,
                                 .window_ms = world->window_ms,
                                 .flush_interval_ms = world->flush_interval_ms,
                                 .on_fatal = on_fatal,
                                 .fatal_context = world};
    if (store_open(&store, &world->store, &recovery, &error) != OMS_OK) {
        model_fail(world->model, "recovery: %s", error.message);
        world->engine->ops->close(world->engine, false);
        world->host->ops->destroy(world->host);
        world->host = NULL;
        return;
    }
    world->counts.recovered_units += recovery.units_replayed;
    struct actors_config actors = {.host = world->host,
                                   .store = world->store,
                                   .id_key = world_id_key,
                                   .orders_resident_max = world->resident_max,
                                   .orders_thawed_max = world->thawed_max};
    if (actors_system_create(&actors, &world->system, &error) != OMS_OK || /* frees itself */
        world->host->ops->start(world->host, &error) != OMS_OK)
        model_fail(world->model, "start: %s", error.message);
    world_tell(world, "life %u: %" PRIu64 " units replayed", world->life, recovery.units_replayed);
}

static void count_life(struct world *world)
{
    for (unsigned i = 0; i < world->shards; i++)
        world->counts.loads_pool += actors_stats(world->host->shards[i])->loads_pool;
    world_note(world, rt_host_sim_trace(world->host));
    world->now_ms = rt_now_ms(world->host);
}

static void power_cut(struct world *world)
{
    struct store_memory_faults *faults = store_memory_faults(world->memory);
    count_life(world);
    world_tell(world, "crash with %u in flight", world->flight_count);
    rt_host_sim_crash(world->host, flight_discard);
    store_abandon(world->store, flight_discard);
    world->host->ops->destroy(world->host);
    actors_system_destroy(world->system);
    world->host = NULL;
    while (world->flights) {
        world->counts.dropped++;
        flight_destroy(world->flights);
    }
    *faults = (struct store_memory_faults){.free_bytes = UINT64_MAX,
                                           .crash_keeps_writes = (unsigned)world_below(world, 4)};
    store_memory_crash(world->memory);
    faults->crash_keeps_writes = 0;
    sim_engine_abandon(world->engine);
    world->counts.crashes++;
    /* The machine was away for a while, and its clock may come back behind. */
    int64_t away_ms = (int64_t)world_below(world, 5000);
    world->now_ms += world_one_in(world, 3) ? -away_ms : away_ms;
}

static void stop_cleanly(struct world *world)
{
    count_life(world);
    world_tell(world, "stop with %u in flight", world->flight_count);
    world->stopping = true;
    world->host->ops->stop(world->host);
    if (world->flight_count)
        model_fail(world->model, "%u calls did not come home at a clean stop", world->flight_count);
    while (world->flights)
        flight_destroy(world->flights);
    store_close(world->store);
    *store_memory_faults(world->memory) = (struct store_memory_faults){.free_bytes = UINT64_MAX};
    world->host->ops->destroy(world->host);
    actors_system_destroy(world->system);
    world->host = NULL;
    world->counts.clean_restarts++;
}

static void next_life(struct world *world)
{
    if (!world_failed(world))
        check_log(world);
    if (world_failed(world))
        return;
    boot(world);
    if (!world_failed(world))
        check_recovered(world);
}

/* ---- faults ---- */

static void set_disk_low(struct world *world, bool low)
{
    world->disk_low = low;
    store_memory_faults(world->memory)->free_bytes = low ? DISK_RESERVE_BYTES : UINT64_MAX;
}

static void draw_fault(struct world *world)
{
    struct store_memory_faults *faults = store_memory_faults(world->memory);
    unsigned when = 1 + (unsigned)world_below(world, 4), which = (unsigned)world_below(world, 8);
    world_tell(world, "fault %u in %u", which, when);
    world->armed = world->armed || which < 5;
    switch (which) {
    case 0:
        faults->append_fails_kept = when;
        break;
    case 1:
        faults->append_fails_lost = when;
        break;
    case 2:
        faults->write_fails = when;
        break;
    case 3:
        faults->flush_fails = when;
        break;
    case 4:
        faults->free_bytes = 0; /* below all reserves: the next batch is not even tried */
        break;
    default:
        set_disk_low(world, true);
        break;
    }
}

static void world_event(struct world *world)
{
    if (world_one_in(world, 700)) {
        power_cut(world);
        next_life(world);
    } else if (!world->armed && world_one_in(world, 2500)) {
        stop_cleanly(world);
        next_life(world);
    } else if (world_one_in(world, 400)) {
        draw_fault(world);
    } else if (world->disk_low && world_one_in(world, 40)) {
        set_disk_low(world, false);
    } else if (world_one_in(world, 250)) {
        rt_host_sim_advance(world->host, (int64_t)world_below(world, 2500));
    } else if (!world->tenants[1].changing && world_one_in(world, world->tenants[1].suspended ? 50 : 250)) {
        flight_send_tenant(world, 1, !world->tenants[1].suspended);
    } else if (world_one_in(world, 60)) {
        flight_send_read(world);
    }
}

/* The store has failed: the process still runs for a moment. */
static void after_failure(struct world *world)
{
    world->counts.failures++;
    for (uint64_t left = world_below(world, 60); left > 0 && !world_failed(world); left--)
        rt_host_sim_step(world->host);
    /* The program then stops as it always does; or it does not get that far. */
    if (world_one_in(world, 2))
        stop_cleanly(world);
    else
        power_cut(world);
    next_life(world);
}

/* ---- phases ---- */

static void draw_sizes(struct world *world)
{
    static const uint64_t residents[] = {1, 4, 1000}, thawed[] = {1, 3, 1000}, lags[] = {2, 20, 0, 0};
    static const unsigned blocked[] = {0, 10, 60};
    world->shards = 1 + (unsigned)world_below(world, 4);
    world->flights_max = 1 + (unsigned)world_below(world, 24);
    world->send_percent = 3 + (unsigned)world_below(world, 40);
    world->blocked_percent = blocked[world_below(world, OMS_COUNT_OF(blocked))];
    world->resident_max = residents[world_below(world, OMS_COUNT_OF(residents))];
    world->thawed_max = thawed[world_below(world, OMS_COUNT_OF(thawed))];
    world->lag_units_max = lags[world_below(world, OMS_COUNT_OF(lags))];
    world->window_ms = 1 + (unsigned)world_below(world, 30);
    world->flush_interval_ms = 5 + (unsigned)world_below(world, world_one_in(world, 2) ? 100 : 3000);
    world->now_ms = START_MS;
}

/* Until it is done; a failure when that takes too long. */
static bool wait_for(struct world *world, const bool *done, const char *what)
{
    unsigned flights = world->flight_count;
    for (unsigned step = 0; step < SETTLE_STEPS_MAX && world->flight_count >= flights; step++)
        if (!rt_host_sim_step(world->host) || world_failed(world))
            break;
    if (world->flight_count >= flights)
        model_fail(world->model, "%s never came home", what);
    return *done;
}

static void make_tenants(struct world *world)
{
    for (unsigned i = 0; i < SIM_TENANTS && !world_failed(world); i++) {
        bool done = false;
        flight_send_tenant(world, i, false)->done = &done;
        if (!wait_for(world, &done, "a tenant's creation"))
            model_fail(world->model, "tenant %u was not made", i);
        for (unsigned slot = 0; slot < SIM_SLOTS; slot++)
            sim_place_init(&world->places[i][slot], &world_id_key, world->tenants[i].number, i, slot);
    }
}

static void phase_with_faults(struct world *world)
{
    unsigned sent = 0;
    while (sent < world->options.steps && !world_failed(world)) {
        if (world->flight_count < world->flights_max && world_below(world, 100) < world->send_percent) {
            struct sim_op op;
            sim_workload_next(&world->workload, world->model, rt_now_ms(world->host), &op);
            flight_send_op(world, &op);
            sent++;
        } else {
            rt_host_sim_step(world->host);
        }
        if (world->fatal)
            after_failure(world);
        else
            world_event(world);
    }
}

/* The same operation until it is answered: refusals for now (BUSY, NO_SPACE) must end. */
static void insist(struct world *world, struct sim_op *op)
{
    bool done = false;
    for (unsigned tries = 0; tries < 200 && !done && !world_failed(world); tries++) {
        op->serial = world->workload.next_serial++;
        flight_send_op(world, op)->done = &done;
        if (!wait_for(world, &done, "an operation"))
            rt_host_sim_run(world->host, 200, 1000);
    }
    if (!done)
        model_fail(world->model, "order %u/%u answers nothing but BUSY", op->tenant, op->slot);
}

static void check_expired(struct world *world, unsigned tenant, unsigned slot)
{
    const struct model_state *tip = &world->model->orders[tenant][slot].tip;
    for (size_t i = 0; i < tip->hold_count; i++)
        if (tip->holds[i].expires_at && tip->holds[i].expires_at + EXPIRY_GRACE_MS < rt_now_ms(world->host))
            model_fail(world->model, "order %u/%u: hold %u was due long ago", tenant, slot, tip->holds[i].id);
    for (unsigned i = 0; i < SIM_STEPS_MAX; i++)
        if (tip->due_at[i] && tip->due_at[i] + EXPIRY_GRACE_MS < rt_now_ms(world->host))
            model_fail(world->model, "order %u/%u: step %u was due long ago", tenant, slot, i);
}

static void phase_without_faults(struct world *world)
{
    world_tell(world, "no more faults");
    *store_memory_faults(world->memory) = (struct store_memory_faults){.free_bytes = UINT64_MAX};
    world->disk_low = false;
    if (world->armed || world->fatal) {
        power_cut(world);
        next_life(world);
    }
    for (unsigned step = 0; step < SETTLE_STEPS_MAX && world->flight_count && !world_failed(world); step++)
        rt_host_sim_step(world->host);
    if (world->flight_count)
        model_fail(world->model, "%u calls never came home", world->flight_count);
    for (unsigned tries = 0; tries < 100 && world->tenants[1].suspended && !world_failed(world); tries++) {
        bool done = false;
        flight_send_tenant(world, 1, false)->done = &done;
        if (!wait_for(world, &done, "a tenant's change"))
            rt_host_sim_run(world->host, 200, 100);
    }
    /* Every hold that expires has done so by then, two polls later. */
    if (!world_failed(world))
        rt_host_sim_run(world->host, SETTLE_STEPS_MAX, 2 * EXPIRY_GRACE_MS);
    for (unsigned tenant = 0; tenant < SIM_TENANTS; tenant++)
        for (unsigned slot = 0; slot < SIM_SLOTS && !world_failed(world); slot++) {
            insist(world, &(struct sim_op){.tenant = tenant, .slot = slot, .is_read = true});
            if (!world_failed(world))
                check_expired(world, tenant, slot);
            insist(world, &(struct sim_op){.tenant = tenant,
                                           .slot = slot,
                                           .type = ORDER_COMMAND_ADD_NOTE,
                                           .content.mark = world->workload.next_serial});
        }
}

static void live(struct world *world)
{
    boot(world);
    if (!world_failed(world))
        make_tenants(world);
    if (!world_failed(world))
        phase_with_faults(world);
    if (!world_failed(world))
        phase_without_faults(world);
    if (!world_failed(world))
        lists_check(world);
    if (!world_failed(world)) {
        stop_cleanly(world);
        uint64_t replayed = world->counts.recovered_units;
        next_life(world);
        if (world->counts.recovered_units != replayed)
            model_fail(world->model, "a clean stop left %" PRIu64 " units to replay",
                       world->counts.recovered_units - replayed);
    }
    if (world->host)
        power_cut(world);
}

void sim_run(const struct sim_options *options, struct sim_result *result)
{
    struct world *world = oms_calloc(1, sizeof(*world));
    world->options = *options;
    oms_prng_seed(&world->prng, options->seed);
    sim_workload_init(&world->workload, oms_mix64(options->seed + 77));
    world->trace = oms_mix64(options->seed);
    world->model = model_create();
    world->memory = store_memory_create();
    draw_sizes(world);
    live(world);
    world_note(world, world->workload.next_serial);
    result->failed = world_failed(world);
    memcpy(result->failure, world->model->failure, sizeof(result->failure));
    result->trace = world->trace;
    result->counts = world->counts;
    result->model = world->model->counts;
    store_memory_destroy(world->memory);
    model_destroy(world->model);
    oms_free(world);
}
