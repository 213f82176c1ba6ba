/*
 * One simulated world: the production actors, scheduler, committer, materialiser and readers over the memory
 * engine, under one seed, through several lives of the process.
 *
 * The seed draws sizes (shards, caches, windows), operations, schedules, delays and faults. A life ends in a
 * crash (what was not synced is lost), after a failed write (outcome unknown, then a crash) or cleanly; the
 * store is then verified as it lies, the log is held against the model, and the next life recovers. Faults
 * end before the last phase, in which everything must come home, every command must find its answer, every
 * due hold must expire, every list, count and feed must be the model's, and a clean stop must leave nothing
 * to replay.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdio.h>

#include "tests/sim/engine.h"
#include "tests/sim/model.h"

struct sim_options {
    uint64_t seed;
    unsigned steps; /* operations in the phase with faults */
    enum sim_mutation mutation;
    FILE *trace; /* a line for everything that happens; NULL: none */
};

struct sim_counts {
    uint64_t operations, done, unknown, busy, no_space, fault, undelivered, dropped;
    uint64_t crashes, failures, clean_restarts, recovered_units;
    uint64_t tenant_changes, store_reads, copies, loads_pool, listed, feed_events;
};

struct sim_result {
    bool failed;
    char failure[512];
    uint64_t trace; /* one seed, one trace */
    struct sim_counts counts;
    struct model_counts model;
};

void sim_run(const struct sim_options *options, struct sim_result *result);

#endif
