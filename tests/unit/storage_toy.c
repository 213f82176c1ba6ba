/* The toy domain and world of the storage's tests (storage_toy.h). */
#include "tests/unit/storage_toy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "storage/timeline.h"

#define BUCKETS 7

void toy_address(uint32_t tenant, uint64_t number, struct rt_address *out)
{
    memset(out, 0, sizeof(*out));
    out->tenant = tenant;
    out->kind = RT_ACTOR_ORDER;
    oms_put_be64(out->key, oms_mix64(number + 1));
    oms_put_be64(out->key + 8, number);
}

void toy_fill(struct store_unit *unit, uint32_t tenant, uint64_t number, uint32_t version_from,
              uint32_t amount)
{
    struct rt_address address;
    char meta[32];
    toy_address(tenant, number, &address);
    store_unit_begin(unit, &address, version_from, version_from + 1, 1000 + version_from);
    int len = snprintf(meta, sizeof(meta), "by %u", tenant);
    store_unit_put_meta(unit, oms_str_make(meta, (size_t)len));
    size_t mark = store_unit_begin_event(unit);
    oms_wire_put_u64(&unit->record, 1, amount);
    store_unit_end_event(unit, mark);
    assert_int_equal(store_unit_end(unit), OMS_OK);
}

void toy_record(struct oms_buf *out, uint32_t tenant, uint64_t number, uint32_t version_from, uint32_t amount)
{
    struct store_unit unit;
    memset(&unit, 0, sizeof(unit));
    oms_buf_init(&unit.record, 1 << 20);
    toy_fill(&unit, tenant, number, version_from, amount);
    *out = unit.record;
}

/* ---- the projector ---- */

struct toy_state {
    uint32_t version;
    uint64_t sum;
};

static bool decode_state(struct oms_str bytes, struct toy_state *out)
{
    struct oms_wire wire;
    *out = (struct toy_state){0};
    oms_wire_read(&wire, bytes);
    while (oms_wire_next(&wire)) {
        if (wire.field == 1)
            out->version = (uint32_t)wire.number;
        if (wire.field == 2)
            out->sum = wire.number;
    }
    return !wire.corrupt;
}

static struct oms_str term_key(unsigned char out[64], const struct rt_address *actor,
                               const struct toy_state *state)
{
    oms_put_be32(out, actor->tenant);
    out[4] = 1;
    out[5] = (unsigned char)(state->sum % BUCKETS);
    store_address_key(actor, out + 6);
    return oms_str_make(out, 6 + STORE_ADDRESS_KEY_SIZE);
}

static struct oms_str timer_key(unsigned char out[64], const struct rt_address *actor,
                                const struct toy_state *state)
{
    oms_put_be64(out, 5000 + state->sum);
    store_address_key(actor, out + 8);
    return oms_str_make(out, 8 + STORE_ADDRESS_KEY_SIZE);
}

static void put_derived(struct store_writes *writes, const struct rt_address *actor,
                        const struct toy_state *state, bool is_delete)
{
    unsigned char key[64];
    if (is_delete)
        store_writes_delete(writes, STORE_TERMS, term_key(key, actor, state));
    else
        store_writes_put(writes, STORE_TERMS, term_key(key, actor, state), OMS_STR("t"));
    if (state->sum % 2 == 0)
        return;
    if (is_delete)
        store_writes_delete(writes, STORE_TIMERS, timer_key(key, actor, state));
    else
        store_writes_put(writes, STORE_TIMERS, timer_key(key, actor, state), OMS_STR(""));
}

static void put_aside(struct store_writes *writes, const struct rt_address *actor, uint32_t version)
{
    unsigned char key[STORE_ADDRESS_KEY_SIZE + 4];
    store_address_key(actor, key);
    oms_put_be32(key + STORE_ADDRESS_KEY_SIZE, version);
    store_writes_put(writes, STORE_ASIDE, oms_str_make(key, sizeof(key)), OMS_STR("tenth"));
}

static enum oms_status project(void *context, const struct store_vault *vault, const struct rt_address *actor,
                               struct oms_str base, const struct store_record *records, size_t count,
                               struct oms_arena *scratch, struct store_writes *writes)
{
    (void)vault;
    struct toy_state state, old;
    unsigned char key[STORE_ADDRESS_KEY_SIZE];
    struct oms_buf bytes;
    (void)context;
    OMS_ASSERT(oms_arena_alloc(scratch, 100)); /* it can be used */
    if (!decode_state(base, &state) || state.version != records[0].version_from)
        return OMS_CORRUPT;
    old = state;
    for (size_t i = 0; i < count; i++) {
        struct oms_wire wire;
        if (!rt_address_eq(&records[i].actor, actor) || records[i].event_count != 1)
            return OMS_CORRUPT;
        oms_wire_read(&wire, records[i].events[0]);
        if (!oms_wire_next(&wire))
            return OMS_CORRUPT;
        state.sum += wire.number;
        state.version = records[i].version_to;
        if (state.version % 10 == 0)
            put_aside(writes, actor, state.version);
    }
    if (base.data)
        put_derived(writes, actor, &old, true);
    put_derived(writes, actor, &state, false); /* after the delete: the last write to a key wins */
    oms_buf_init(&bytes, 1000);
    oms_wire_put_u64(&bytes, 1, state.version);
    oms_wire_put_u64(&bytes, 2, state.sum);
    store_address_key(actor, key);
    store_writes_put(writes, STORE_STATE, oms_str_make(key, sizeof(key)), oms_buf_str(&bytes));
    oms_buf_fini(&bytes);
    return OMS_OK;
}

struct store_projector toy_projector(void)
{
    return (struct store_projector){.project = project};
}

enum oms_status toy_read(struct store_engine *engine, uint32_t tenant, uint64_t number, uint32_t *version,
                         uint64_t *sum)
{
    struct rt_address address;
    unsigned char key[STORE_ADDRESS_KEY_SIZE];
    struct oms_buf bytes;
    struct toy_state state = {0};
    toy_address(tenant, number, &address);
    store_address_key(&address, key);
    oms_buf_init(&bytes, 1000);
    enum oms_status status =
        engine->ops->get(engine, STORE_STATE, oms_str_make(key, sizeof(key)), true, &bytes);
    if (status == OMS_OK)
        assert_true(decode_state(oms_buf_str(&bytes), &state));
    oms_buf_fini(&bytes);
    *version = state.version;
    *sum = state.sum;
    return status;
}

uint64_t toy_verify(struct store_engine *engine)
{
    struct store_memory *scratch_memory = store_memory_create();
    struct store_engine *scratch = store_memory_open(scratch_memory);
    struct store_projector projector = toy_projector();
    struct store_verify_report report;
    struct oms_error error = {0};
    enum oms_status status = store_verify(engine, scratch, &projector, NULL, NULL, &report, &error);
    if (status != OMS_OK)
        fail_msg("verify: %s", error.message);
    if (report.differences)
        fail_msg("verify: %s", report.first_difference);
    store_memory_destroy(scratch_memory);
    return report.units;
}

/* ---- the world ---- */

static struct toy_world *current; /* one at a time: callbacks have no context */

static void on_durable(struct rt_shard *shard, uint64_t durable_seq, enum oms_status status)
{
    struct toy_world *world = current;
    unsigned index = rt_shard_index(shard);
    world->acks++;
    assert_true(status == OMS_OK || status == OMS_IO);
    while (world->pending_count[index]) {
        struct toy_pending *pending = &world->pending[index][world->pending_first[index] % 65536];
        if (pending->seq > durable_seq)
            break;
        struct toy_actor *actor = &world->actors[pending->tenant][pending->number];
        if (status == OMS_OK) {
            assert_int_equal(pending->version, actor->version_acked + 1);
            actor->version_acked = pending->version;
        } else {
            world->failed_units++;
        }
        world->pending_first[index]++;
        world->pending_count[index]--;
    }
}

static void on_applied(struct rt_shard *shard, struct store_unit *unit)
{
    struct toy_world *world = current;
    assert_true(unit->commit > 0 && unit->lsn > 0);
    world->applied++;
    store_unit_recycle(world->store, shard, unit);
}

static void on_fatal(void *context, enum oms_status status)
{
    struct toy_world *world = context;
    world->fatal++;
    world->fatal_status = status;
}

enum oms_status toy_open(struct toy_world *world, struct store_memory *memory, uint64_t seed,
                         const struct store_config *config, struct store_recovery *recovery,
                         struct oms_error *error)
{
    struct rt_host_sim_config sim = {.seed = seed, .shards = TOY_SHARDS, .start_ms = 1000000};
    struct store_config own = config ? *config : (struct store_config){0};
    if (!own.window_ms)
        own.window_ms = 20; /* virtual milliseconds: what the tests run for is counted in it */
    current = world;
    memset(world->pending_count, 0, sizeof(world->pending_count));
    memset(world->pending_first, 0, sizeof(world->pending_first));
    world->memory = memory;
    world->host = rt_host_sim_create(&sim);
    own.engine = store_memory_open(memory);
    own.host = world->host;
    own.projector = toy_projector();
    own.on_fatal = on_fatal;
    own.fatal_context = world;
    if (!own.disk_reserve_bytes)
        own.disk_reserve_bytes = 1 << 20;
    enum oms_status status = store_open(&own, &world->store, recovery, error);
    if (status != OMS_OK) {
        own.engine->ops->close(own.engine, false);
        world->host->ops->destroy(world->host);
        return status;
    }
    for (unsigned i = 0; i < TOY_SHARDS; i++)
        store_attach(world->store, world->host->shards[i], on_durable, on_applied);
    assert_int_equal(world->host->ops->start(world->host, error), OMS_OK);
    return OMS_OK;
}

void toy_close(struct toy_world *world)
{
    world->host->ops->stop(world->host);
    store_close(world->store);
    world->host->ops->destroy(world->host);
}

struct kick {
    struct rt_message message;
    void (*call)(struct rt_shard *shard, void *arg);
    void *arg;
    bool *done;
};

static void on_kick(struct rt_shard *shard, struct rt_message *message)
{
    struct kick *kick = OMS_CONTAINER_OF(message, struct kick, message);
    if (kick->call)
        kick->call(shard, kick->arg);
    if (kick->done)
        *kick->done = true;
    oms_free(kick->done ? NULL : kick->arg);
    oms_free(kick);
}

static void discard(struct rt_message *message)
{
    if (store_owns_message(message))
        return;
    assert_ptr_equal(message->on_return, on_kick);
    struct kick *kick = OMS_CONTAINER_OF(message, struct kick, message);
    oms_free(kick->done ? NULL : kick->arg);
    oms_free(kick);
}

void toy_crash(struct toy_world *world)
{
    rt_host_sim_crash(world->host, discard);
    store_abandon(world->store, discard);
    store_memory_crash(world->memory);
    world->host->ops->destroy(world->host);
}

void toy_adopt(struct toy_world *world)
{
    struct store_engine *engine = store_engine(world->store);
    for (uint32_t tenant = 0; tenant < TOY_TENANTS; tenant++)
        for (uint32_t number = 0; number < TOY_ACTORS; number++) {
            struct toy_actor *actor = &world->actors[tenant][number];
            uint32_t version;
            uint64_t sum;
            (void)toy_read(engine, tenant, number, &version, &sum);
            /* What was acknowledged is there; what was not may be, but nothing that was never submitted. */
            assert_in_range(version, actor->version_acked, actor->version);
            actor->version = actor->version_acked = version;
            actor->sum = sum;
        }
}

struct submission {
    struct toy_world *world;
    unsigned count;
    uint32_t tenant, number;
};

/* An actor belongs to one shard, as in production: its versions would cross on two. */
static bool lives_on(struct toy_world *world, struct rt_shard *shard, uint32_t tenant, uint32_t number)
{
    struct rt_address address;
    toy_address(tenant, number, &address);
    return rt_shard_of(world->host, &address) == rt_shard_index(shard);
}

static void submit_one(struct toy_world *world, struct rt_shard *shard, uint32_t tenant, uint32_t number)
{
    struct toy_actor *actor = &world->actors[tenant][number];
    unsigned index = rt_shard_index(shard);
    enum oms_status admitted = store_admit(world->store, shard, tenant);
    world->refused[admitted]++;
    if (admitted != OMS_OK)
        return;
    struct store_unit *unit = store_unit_take(world->store, shard);
    uint32_t amount = (uint32_t)(oms_mix64(actor->version + number) % 100);
    toy_fill(unit, tenant, number, actor->version, amount);
    actor->version++;
    actor->sum += amount;
    assert_true(world->pending_count[index] < 65536);
    struct toy_pending *pending =
        &world->pending[index][(world->pending_first[index] + world->pending_count[index]++) % 65536];
    *pending = (struct toy_pending){store_submit(world->store, shard, unit), tenant, number, actor->version};
}

static void submit(struct rt_shard *shard, void *arg)
{
    struct submission *wanted = arg;
    for (unsigned i = 0, tried = 0; i < wanted->count && tried < 100 * wanted->count + 1000; tried++) {
        bool all = wanted->number == UINT32_MAX;
        uint32_t tenant = all ? tried % TOY_TENANTS : wanted->tenant;
        uint32_t number = all ? tried / TOY_TENANTS % TOY_ACTORS : wanted->number;
        if (all && !lives_on(wanted->world, shard, tenant, number))
            continue;
        submit_one(wanted->world, shard, tenant, number);
        i++;
    }
}

void toy_submit(struct toy_world *world, unsigned shard, unsigned count, uint32_t tenant, uint32_t number)
{
    struct submission *wanted = oms_calloc(1, sizeof(*wanted));
    struct kick *kick = oms_calloc(1, sizeof(*kick));
    *wanted = (struct submission){world, count, tenant, number};
    if (number != UINT32_MAX) {
        struct rt_address address;
        toy_address(tenant, number, &address);
        shard = rt_shard_of(world->host, &address);
    }
    kick->call = submit;
    kick->arg = wanted;
    kick->message.on_return = on_kick;
    rt_post(world->host, shard, &kick->message);
}

void toy_run(struct toy_world *world, int64_t ms)
{
    rt_host_sim_run(world->host, UINT64_MAX, ms);
}

void toy_on_shard(struct toy_world *world, unsigned shard, void (*call)(struct rt_shard *shard, void *arg),
                  void *arg)
{
    bool done = false;
    struct kick *kick = oms_calloc(1, sizeof(*kick));
    kick->call = call;
    kick->arg = arg;
    kick->done = &done;
    kick->message.on_return = on_kick;
    rt_post(world->host, shard, &kick->message);
    while (!done)
        assert_true(rt_host_sim_step(world->host));
}

struct store_engine *toy_open_rocksdb(const char *folder)
{
    struct store_engine *engine;
    struct oms_error error = {0};
    struct store_rocksdb_config config = {
        .folder = folder, .cache_bytes = 8 << 20, .memtable_bytes = 4 << 20};
    if (store_rocksdb_open(&config, &engine, &error) != OMS_OK)
        fail_msg("%s", error.message);
    return engine;
}

/* ---- the fixture ---- */

int toy_set_up(void **state)
{
    struct toy_fixture *f = oms_calloc(1, sizeof(*f));
    f->memory = store_memory_create();
    *state = f;
    return 0;
}

int toy_tear_down(void **state)
{
    struct toy_fixture *f = *state;
    store_memory_destroy(f->memory);
    oms_free(f);
    return 0;
}

struct store_recovery toy_start(struct toy_fixture *f, uint64_t seed, const struct store_config *config)
{
    struct oms_error error = {0};
    struct store_recovery recovery = {0};
    if (toy_open(&f->world, f->memory, seed, config, &recovery, &error) != OMS_OK)
        fail_msg("%s", error.message);
    return recovery;
}

struct store_stats toy_stats(const struct toy_fixture *f)
{
    struct store_stats stats;
    store_stats(f->world.store, &stats);
    return stats;
}

uint64_t toy_verify_memory(const struct toy_fixture *f)
{
    struct store_engine *engine = store_memory_open(f->memory);
    uint64_t units = toy_verify(engine);
    engine->ops->close(engine, true);
    return units;
}
