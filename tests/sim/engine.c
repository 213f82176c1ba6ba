/* A layer over the memory engine. See engine.h. */
#include "tests/sim/engine.h"

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/prng.h"

#define LOST_RECORD_OF 40 /* one in so many appends, or states */

struct sim_engine {
    struct store_engine base;
    struct store_engine_ops ops; /* the inner one's, with some of ours */
    struct store_engine *inner;
    struct sim_engine_config config;
    struct oms_prng prng;
    struct store_append *unsynced; /* SIM_MUTATION_ACK_BEFORE_SYNC: own copies */
    size_t unsynced_count;
};

static struct sim_engine *engine_of(struct store_engine *engine)
{
    return OMS_CONTAINER_OF(engine, struct sim_engine, base);
}

const char *sim_mutation_name(enum sim_mutation mutation)
{
    static const char *const names[SIM_MUTATION_COUNT] = {NULL, "ack_before_sync", "lose_record",
                                                          "stale_state"};
    return names[mutation];
}

/* ---- the log ---- */

static void forget_unsynced(struct sim_engine *self)
{
    for (size_t i = 0; i < self->unsynced_count; i++) {
        oms_free((void *)(uintptr_t)self->unsynced[i].value.data);
        oms_free((void *)(uintptr_t)self->unsynced[i].key.data);
    }
    oms_free(self->unsynced);
    self->unsynced = NULL;
    self->unsynced_count = 0;
}

static enum oms_status sync_late(struct sim_engine *self)
{
    enum oms_status status = OMS_OK;
    if (self->unsynced_count)
        status = self->inner->ops->append(self->inner, self->unsynced, self->unsynced_count);
    forget_unsynced(self);
    return status;
}

static enum oms_status append_unsynced(struct sim_engine *self, const struct store_append *records,
                                       size_t count)
{
    enum oms_status status = sync_late(self);
    if (status != OMS_OK)
        return status;
    self->unsynced = oms_calloc(count, sizeof(*self->unsynced));
    self->unsynced_count = count;
    for (size_t i = 0; i < count; i++) {
        self->unsynced[i] = records[i];
        self->unsynced[i].value = oms_str_make(oms_str_dup(records[i].value), records[i].value.len);
        if (records[i].key.data)
            self->unsynced[i].key = oms_str_make(oms_str_dup(records[i].key), records[i].key.len);
    }
    return OMS_OK;
}

static enum oms_status sim_append(struct store_engine *engine, const struct store_append *records,
                                  size_t count)
{
    struct sim_engine *self = engine_of(engine);
    enum oms_status status;
    if (self->config.mutation == SIM_MUTATION_ACK_BEFORE_SYNC)
        status = append_unsynced(self, records, count);
    else if (self->config.mutation == SIM_MUTATION_LOSE_RECORD &&
             oms_prng_below(&self->prng, LOST_RECORD_OF) == 0)
        status = self->inner->ops->append(self->inner, records, count - 1);
    else
        status = self->inner->ops->append(self->inner, records, count);
    if (status == OMS_OK && self->config.appended)
        self->config.appended(self->config.context, records, count);
    return status;
}

static enum oms_status sim_last_commit(struct store_engine *engine, uint16_t partition, uint64_t *out)
{
    struct store_engine *inner = engine_of(engine)->inner;
    return inner->ops->last_commit(inner, partition, out);
}

/* ---- derived families ---- */

static enum oms_status sim_write(struct store_engine *engine, const struct store_write *writes, size_t count)
{
    struct sim_engine *self = engine_of(engine);
    struct store_engine *inner = self->inner;
    if (self->config.mutation != SIM_MUTATION_STALE_STATE)
        return inner->ops->write(inner, writes, count);
    struct store_write *kept = oms_calloc(count + 1, sizeof(*kept));
    size_t kept_count = 0;
    for (size_t i = 0; i < count; i++)
        if (writes[i].family != STORE_STATE || oms_prng_below(&self->prng, LOST_RECORD_OF))
            kept[kept_count++] = writes[i];
    enum oms_status status = inner->ops->write(inner, kept, kept_count);
    oms_free(kept);
    return status;
}

static enum oms_status sim_flush(struct store_engine *engine)
{
    struct store_engine *inner = engine_of(engine)->inner;
    return inner->ops->flush(inner);
}

static enum oms_status sim_get(struct store_engine *engine, enum store_family family, struct oms_str key,
                               bool may_block, struct oms_buf *out)
{
    struct sim_engine *self = engine_of(engine);
    if (!may_block && oms_prng_below(&self->prng, 100) < self->config.blocked_percent)
        return OMS_BLOCKED;
    return self->inner->ops->get(self->inner, family, key, may_block, out);
}

static struct store_view *sim_view_open(struct store_engine *engine)
{
    struct store_engine *inner = engine_of(engine)->inner;
    return inner->ops->view_open(inner);
}

/* ---- the rest ---- */

static enum oms_status sim_free_bytes(struct store_engine *engine, uint64_t *out)
{
    struct store_engine *inner = engine_of(engine)->inner;
    return inner->ops->free_bytes(inner, out);
}

static enum oms_status sim_purge(struct store_engine *engine, const struct store_range *ranges, size_t count)
{
    struct store_engine *inner = engine_of(engine)->inner;
    return inner->ops->purge(inner, ranges, count);
}

static void sim_metrics(struct store_engine *engine, struct oms_buf *out)
{
    struct store_engine *inner = engine_of(engine)->inner;
    inner->ops->metrics(inner, out);
}

static void sim_close(struct store_engine *engine, bool clean)
{
    struct sim_engine *self = engine_of(engine);
    if (clean)
        (void)sync_late(self);
    self->inner->ops->close(self->inner, clean);
    sim_engine_abandon(engine);
}

struct store_engine *sim_engine_open(struct store_memory *memory, const struct sim_engine_config *config)
{
    struct sim_engine *self = oms_calloc(1, sizeof(*self));
    self->inner = store_memory_open(memory);
    self->config = *config;
    oms_prng_seed(&self->prng, config->seed);
    self->ops = *self->inner->ops; /* views and iterators are the inner one's */
    self->ops.append = sim_append;
    self->ops.last_commit = sim_last_commit;
    self->ops.write = sim_write;
    self->ops.flush = sim_flush;
    self->ops.get = sim_get;
    self->ops.view_open = sim_view_open;
    self->ops.free_bytes = sim_free_bytes;
    self->ops.metrics = sim_metrics;
    self->ops.close = sim_close;
    self->ops.purge = sim_purge;
    self->base.ops = &self->ops;
    self->base.vault = self->inner->vault;
    return &self->base;
}

void sim_engine_abandon(struct store_engine *engine)
{
    struct sim_engine *self = engine_of(engine);
    forget_unsynced(self);
    oms_free(self);
}
