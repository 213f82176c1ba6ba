/*
 * The simulation host: shards, workers and jobs as entries of one list from which the seed picks.
 *
 * Invariants: nothing here reads a clock, an address or a hash of one, so one seed is one trace; the clock
 * moves only between steps. To reach rare schedules the chances are not even: every so often all entities
 * draw new weights (one may be nearly starved for a while), a turn of a shard handles between one message and
 * a full turn's, and a job takes its time. Schedules and the world (rt_random, faults of a test) draw from
 * two generators, so that one more random id does not change every schedule after it.
 *
 * A pool has no queue here: which pool and which tenant a job has changes nothing. Whatever order a pool of the
 * other host could run its jobs in, some seed does.
 */
#include "runtime/host_sim.h"

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/host_internal.h"
#include "runtime/shard_internal.h"

#define NS_PER_MS         UINT64_C(1000000)
#define NEVER             UINT64_MAX
#define STEPS_PER_WEIGHTS 64              /* between two draws of weights */
#define WEIGHT_BITS       6               /* the luckiest is 2^5 times as likely as the unluckiest */
#define STEP_NS_MAX       UINT64_C(20000) /* how far the clock moves for one step, usually */
#define STALL_NS_MAX      (5 * NS_PER_MS) /* and at times */
#define JOB_NS_MAX        (4 * NS_PER_MS)

enum sim_kind { SIM_SHARD, SIM_WORKER, SIM_JOB };

struct sim_entity {
    enum sim_kind kind;
    unsigned index; /* of the shard or worker */
    unsigned weight;
    bool more;          /* worker: its last step said so; true before the first */
    uint64_t due_ns;    /* worker: its time-out; job: when it is ready */
    struct rt_job *job; /* SIM_JOB */
};

struct sim_host {
    struct rt_host base;
    struct oms_prng schedule, world;
    int64_t start_ms;
    uint64_t now_ns; /* since the start */
    uint64_t trace;
    uint64_t steps;
    struct rt_worker_list workers;
    struct sim_entity *entities; /* shards, workers, then jobs in order of offload */
    unsigned entity_count, entity_capacity;
    bool started, stopped, crashed;
};

static struct sim_host *host_of(const struct rt_host *host)
{
    return (struct sim_host *)host; /* base is the first member */
}

/* ---- the environment ---- */

static int64_t sim_now_ms(struct rt_host *host)
{
    return host_of(host)->start_ms + (int64_t)(host_of(host)->now_ns / NS_PER_MS);
}

static uint64_t sim_mono_ns(struct rt_host *host)
{
    return host_of(host)->now_ns;
}

static uint64_t sim_random(struct rt_host *host)
{
    return oms_prng_next(&host_of(host)->world);
}

static void note(struct sim_host *sim, uint64_t choice)
{
    sim->trace = oms_mix64(sim->trace ^ choice);
}

/* The first moment at which now_ms is `ms`; NEVER for a due date past all time. */
static uint64_t ns_of_ms(const struct sim_host *sim, int64_t ms)
{
    if (ms <= sim->start_ms)
        return 0;
    uint64_t distance_ms = (uint64_t)ms - (uint64_t)sim->start_ms;
    return distance_ms >= NEVER / NS_PER_MS ? NEVER : distance_ms * NS_PER_MS;
}

static unsigned draw_weight(struct sim_host *sim)
{
    return 1u << oms_prng_below(&sim->schedule, WEIGHT_BITS);
}

static void add_entity(struct sim_host *sim, struct sim_entity entity)
{
    if (sim->entity_count == sim->entity_capacity) {
        sim->entity_capacity = sim->entity_capacity ? sim->entity_capacity * 2 : 16;
        sim->entities = oms_reallocarray(sim->entities, sim->entity_capacity, sizeof *sim->entities);
    }
    entity.weight = draw_weight(sim);
    sim->entities[sim->entity_count++] = entity;
}

static void sim_offload(struct rt_host *base, enum rt_pool pool, struct rt_job *job)
{
    struct sim_host *sim = host_of(base);

    OMS_ASSERT((unsigned)pool < RT_POOL_COUNT && job->run && job->message.on_return && !sim->crashed);
    job->message.next = NULL;
    job->message.status = sim->stopped ? OMS_CLOSED : OMS_OK;
    if (sim->stopped) {
        rt_return_from_outside(base, &job->message);
        return;
    }
    uint64_t ready_ns = sim->now_ns + oms_prng_below(&sim->schedule, JOB_NS_MAX);
    add_entity(sim, (struct sim_entity){.kind = SIM_JOB, .index = pool, .due_ns = ready_ns, .job = job});
}

/* ---- picking and running ---- */

/* When the entity can run: a moment up to now, a later one, or NEVER. */
static uint64_t ready_at(const struct sim_host *sim, const struct sim_entity *entity)
{
    switch (entity->kind) {
    case SIM_SHARD: {
        const struct rt_shard *shard = sim->base.shards[entity->index];
        if (rt_shard_busy(shard))
            return 0;
        int64_t due_ms = rt_shard_next_due(shard);
        return due_ms == INT64_MAX ? NEVER : ns_of_ms(sim, due_ms);
    }
    case SIM_WORKER: {
        const struct rt_worker *worker = sim->workers.items[entity->index];
        return entity->more || !rt_mailbox_is_empty(&worker->port.mailbox) ? 0 : entity->due_ns;
    }
    case SIM_JOB:
        return entity->due_ns;
    }
    OMS_UNREACHABLE();
}

/* The index of a runnable entity, by the seed; -1 when there is none, and then *next_ns is when there will be
 * one. */
static int pick(struct sim_host *sim, uint64_t *next_ns)
{
    uint64_t total = 0;

    *next_ns = NEVER;
    for (unsigned i = 0; i < sim->entity_count; i++) {
        uint64_t at = ready_at(sim, &sim->entities[i]);
        if (at <= sim->now_ns)
            total += sim->entities[i].weight;
        else if (at < *next_ns)
            *next_ns = at;
    }
    if (!total)
        return -1;
    uint64_t ticket = oms_prng_below(&sim->schedule, total);
    for (unsigned i = 0; i < sim->entity_count; i++) {
        if (ready_at(sim, &sim->entities[i]) > sim->now_ns)
            continue;
        if (ticket < sim->entities[i].weight)
            return (int)i;
        ticket -= sim->entities[i].weight;
    }
    OMS_UNREACHABLE();
}

static void run_shard(struct sim_host *sim, unsigned index)
{
    struct rt_shard *shard = sim->base.shards[index];
    int64_t wait_ms;

    /* Mostly short turns, for many interleavings; sometimes full ones, as under load. */
    unsigned most = 1u << oms_prng_below(&sim->schedule, 10);
    shard->turn_messages = most < OMS_SHARD_TURN_MESSAGES ? most : OMS_SHARD_TURN_MESSAGES;
    note(sim, shard->turn_messages);
    rt_shard_step(shard, &wait_ms);
}

static void run_worker(struct sim_host *sim, unsigned entity_index)
{
    struct rt_worker *worker = sim->workers.items[sim->entities[entity_index].index];
    int64_t wait_ms = -1;
    bool more = worker->step(worker, &wait_ms);

    /* Only now: the step may have offloaded, and then the array has moved. */
    struct sim_entity *entity = &sim->entities[entity_index];
    entity->more = more;
    bool for_ever = wait_ms < 0 || (uint64_t)wait_ms > (NEVER - sim->now_ns) / NS_PER_MS;
    entity->due_ns = for_ever ? NEVER : sim->now_ns + (uint64_t)wait_ms * NS_PER_MS;
}

static void run_job(struct sim_host *sim, unsigned entity_index)
{
    struct rt_job *job = sim->entities[entity_index].job;

    memmove(&sim->entities[entity_index], &sim->entities[entity_index + 1],
            (sim->entity_count - entity_index - 1) * sizeof *sim->entities);
    sim->entity_count--;
    job->run(job);
    rt_return_from_outside(&sim->base, &job->message);
}

static void run_entity(struct sim_host *sim, unsigned entity_index)
{
    const struct sim_entity *entity = &sim->entities[entity_index];

    note(sim, (uint64_t)entity->kind << 32 | entity_index);
    note(sim, sim->now_ns);
    switch (entity->kind) {
    case SIM_SHARD:
        run_shard(sim, entity->index);
        break;
    case SIM_WORKER:
        run_worker(sim, entity_index);
        break;
    case SIM_JOB:
        run_job(sim, entity_index);
        break;
    }
}

/* One step at or before `until_ns`, to which the clock may jump. */
static bool step_until(struct sim_host *sim, uint64_t until_ns)
{
    uint64_t next_ns;

    if (!sim->started || sim->stopped || sim->crashed)
        return false;
    if (sim->steps % STEPS_PER_WEIGHTS == 0) {
        for (unsigned i = 0; i < sim->entity_count; i++)
            sim->entities[i].weight = draw_weight(sim);
    }
    int index = pick(sim, &next_ns);
    if (index < 0) {
        if (next_ns == NEVER || next_ns > until_ns)
            return false;
        sim->now_ns = next_ns;
        index = pick(sim, &next_ns);
        OMS_ASSERT(index >= 0);
    }
    sim->steps++;
    run_entity(sim, (unsigned)index);
    bool stall = oms_prng_below(&sim->schedule, 64) == 0;
    sim->now_ns += oms_prng_below(&sim->schedule, stall ? STALL_NS_MAX : STEP_NS_MAX);
    return true;
}

bool rt_host_sim_step(struct rt_host *host)
{
    return step_until(host_of(host), NEVER);
}

uint64_t rt_host_sim_run(struct rt_host *host, uint64_t steps_max, int64_t horizon_ms)
{
    struct sim_host *sim = host_of(host);
    uint64_t steps = 0, until_ns = sim->now_ns + (uint64_t)(horizon_ms > 0 ? horizon_ms : 0) * NS_PER_MS;

    while (steps < steps_max && step_until(sim, until_ns))
        steps++;
    return steps;
}

void rt_host_sim_advance(struct rt_host *host, int64_t ms)
{
    OMS_ASSERT(ms >= 0);
    host_of(host)->now_ns += (uint64_t)ms * NS_PER_MS;
}

uint64_t rt_host_sim_trace(const struct rt_host *host)
{
    return host_of(host)->trace;
}

struct oms_prng *rt_host_sim_prng(struct rt_host *host)
{
    return &host_of(host)->world;
}

/* ---- life ---- */

static void sim_add_worker(struct rt_host *base, struct rt_worker *worker)
{
    struct sim_host *sim = host_of(base);
    OMS_ASSERT(!sim->started);
    rt_worker_list_add(&sim->workers, worker);
}

static enum oms_status sim_start(struct rt_host *base, struct oms_error *error)
{
    struct sim_host *sim = host_of(base);

    (void)error;
    OMS_ASSERT(!sim->started && !sim->stopped);
    sim->started = true;
    /* Before any job, so that a shard's or worker's place in the list never changes. */
    OMS_ASSERT(sim->entity_count == base->shard_count);
    for (unsigned i = 0; i < sim->workers.count; i++)
        add_entity(sim, (struct sim_entity){.kind = SIM_WORKER, .index = i, .more = true, .due_ns = NEVER});
    return OMS_OK;
}

static void sim_stop(struct rt_host *base)
{
    struct sim_host *sim = host_of(base);

    if (sim->stopped || sim->crashed)
        return;
    sim->stopped = true;
    for (unsigned i = 0; i < base->shard_count; i++)
        base->shards[i]->turn_messages = OMS_SHARD_TURN_MESSAGES;
    /* Jobs that wait are run, as the pools of the other host do. */
    for (unsigned i = 0; i < sim->entity_count; i++) {
        struct rt_job *job = sim->entities[i].job;
        if (job) {
            job->run(job);
            rt_return_from_outside(base, &job->message);
        }
    }
    sim->entity_count = 0;
    rt_host_finish(base, &sim->workers);
}

void rt_host_sim_crash(struct rt_host *host, void (*discard)(struct rt_message *message))
{
    struct sim_host *sim = host_of(host);
    struct rt_message *message;

    OMS_ASSERT(!sim->stopped && !sim->crashed);
    sim->crashed = true;
    for (unsigned i = 0; i < host->shard_count; i++)
        rt_shard_crash(host->shards[i], discard);
    for (unsigned i = 0; i < sim->workers.count; i++) {
        while ((message = rt_mailbox_pop(&sim->workers.items[i]->port.mailbox)) != NULL) {
            if (discard)
                discard(message);
        }
    }
    for (unsigned i = 0; i < sim->entity_count; i++) {
        if (sim->entities[i].job && discard)
            discard(&sim->entities[i].job->message);
    }
    sim->entity_count = 0;
}

static void sim_destroy(struct rt_host *base)
{
    struct sim_host *sim = host_of(base);

    if (!base)
        return;
    sim_stop(base);
    for (unsigned i = 0; i < base->shard_count; i++)
        rt_shard_destroy(base->shards[i]);
    rt_worker_list_fini(&sim->workers);
    oms_free(sim->entities);
    oms_free(base->shards);
    oms_free(sim);
}

static const struct rt_host_ops sim_host_ops = {
    .now_ms = sim_now_ms,
    .mono_ns = sim_mono_ns,
    .random = sim_random,
    .offload = sim_offload,
    .add_worker = sim_add_worker,
    .start = sim_start,
    .stop = sim_stop,
    .destroy = sim_destroy,
};

struct rt_host *rt_host_sim_create(const struct rt_host_sim_config *config)
{
    OMS_ASSERT(config->shards >= 1 && config->shards <= OMS_SHARDS_MAX);
    struct sim_host *sim = oms_calloc(1, sizeof *sim);

    sim->base.ops = &sim_host_ops;
    sim->base.shard_count = config->shards;
    sim->base.shards = oms_calloc(config->shards, sizeof(struct rt_shard *));
    sim->start_ms = config->start_ms;
    oms_prng_seed(&sim->schedule, config->seed);
    oms_prng_seed(&sim->world, oms_mix64(config->seed + 1));
    for (unsigned i = 0; i < config->shards; i++) {
        sim->base.shards[i] = rt_shard_create(&sim->base, i);
        add_entity(sim, (struct sim_entity){.kind = SIM_SHARD, .index = i});
    }
    return &sim->base;
}
