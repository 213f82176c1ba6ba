/*
 * The simulator's engine: the memory engine behind a layer that can be slow, that tells the model what the
 * log was given, and that can be broken on purpose.
 *
 * Slow: a get that may not block says OMS_BLOCKED at times, as a store on a disk does, so that the read pool
 * is used. Broken (a mutation): the simulator must find it, or it would not find the same fault in a real
 * store.
 */
#ifndef SIM_ENGINE_H
#define SIM_ENGINE_H

#include "storage/engine.h"

enum sim_mutation {
    SIM_MUTATION_NONE,
    SIM_MUTATION_ACK_BEFORE_SYNC, /* append returns at once; the batch is synced with the next one */
    SIM_MUTATION_LOSE_RECORD,     /* at times a record of a batch is not written */
    SIM_MUTATION_STALE_STATE, /* at times the state of an actor is not written, but its applied position is */
    SIM_MUTATION_COUNT
};
/* "ack_before_sync"; static storage. NULL for NONE. */
const char *sim_mutation_name(enum sim_mutation mutation);

struct sim_engine_config {
    uint64_t seed;
    unsigned blocked_percent; /* of gets that may not block */
    enum sim_mutation mutation;
    /* Called for every batch that append has reported as durable. */
    void (*appended)(void *context, const struct store_append *records, size_t count);
    void *context;
};

/* An engine over the memory. Closing it closes what is inside. */
struct store_engine *sim_engine_open(struct store_memory *memory, const struct sim_engine_config *config);
/* After a crash of the memory, which has freed what is inside: frees this layer only. */
void sim_engine_abandon(struct store_engine *engine);

#endif
