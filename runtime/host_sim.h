/*
 * The simulation host: the same shards, workers and pools in one thread. The seed picks what runs next and how far
 * the clock moves between steps, so one seed is one trace. Time passes only here.
 */
#ifndef RT_HOST_SIM_H
#define RT_HOST_SIM_H

#include "runtime/base/prng.h"
#include "runtime/host.h"

struct rt_host_sim_config {
    uint64_t seed;
    unsigned shards;
    int64_t start_ms; /* the first now_ms */
};

struct rt_host *rt_host_sim_create(const struct rt_host_sim_config *config);
/*
 * Runs one randomly chosen runnable step. When nothing is runnable now, time jumps to the next timer (of a shard, a
 * worker's time-out or a job's delay); false when there is none, before start and after stop or a crash.
 */
bool rt_host_sim_step(struct rt_host *host);
/* Steps until idle or `steps_max`; returns steps done. Timers farther ahead than `horizon_ms` from now do not count. */
uint64_t rt_host_sim_run(struct rt_host *host, uint64_t steps_max, int64_t horizon_ms);
/* Moves the clock without running anything. */
void rt_host_sim_advance(struct rt_host *host, int64_t ms);
/* A running hash over every choice made, for "one seed, one trace". */
uint64_t rt_host_sim_trace(const struct rt_host *host);
/*
 * A crash: drops every queued message, job and actor without running it (memory that they own is handed to
 * `discard`, which may be NULL), as a power cut does. Actors go by their class's destroy, which must free and not
 * send. The host can only be destroyed after it.
 */
void rt_host_sim_crash(struct rt_host *host, void (*discard)(struct rt_message *message));
/* The generator behind rt_random, for faults and workloads of a test; schedules have their own. */
struct oms_prng *rt_host_sim_prng(struct rt_host *host);

#endif
