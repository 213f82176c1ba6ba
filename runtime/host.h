/*
 * The host: the environment of the engine behind one vtable. host_uv.c runs shards on threads with a uv loop each,
 * workers and pools on threads of their own; host_sim.c runs the same objects in one thread under a seed that
 * picks every schedule and delay. Nothing outside a host reads a clock, draws randomness or makes a thread.
 */
#ifndef RT_HOST_H
#define RT_HOST_H

#include "runtime/mailbox.h"

struct rt_host;

enum rt_pool {
    RT_POOL_READ, /* reads of the store that may block and take long: lists, history */
    RT_POOL_SLOW, /* slow I/O: key fetches, host names */
    RT_POOL_LOAD, /* point loads: a paused actor waits for each, so no list may stand before them */
    RT_POOL_COUNT,
};

/*
 * A piece of work for a pool: `run` is called on a pool thread, then message.on_return on the home shard. Tenants
 * take turns in a pool, a job each; jobs of one tenant start in order.
 */
struct rt_job {
    struct rt_message message;
    void (*run)(struct rt_job *job);
    uint32_t tenant; /* on whose behalf; 0: nobody's, one more in the round and without a tenant's cap */
};

/*
 * A long-lived loop with a thread of its own (committer, materialiser), as a step function: takes what is in its
 * port, works on a bounded piece of it, and returns true while there is more to do at once; false means "wake me
 * when the port gets something, or after *wait_ms" (set to -1 for no time-out).
 */
struct rt_worker {
    const char *name;
    struct rt_port port;
    bool (*step)(struct rt_worker *worker, int64_t *wait_ms);
    /* Set by a step that returns false with a wait_ms of 0 or more: not even the port need wake it before that.
     * For a few milliseconds at most; a host may wake it all the same. */
    bool deaf;
};

struct rt_host_ops {
    /* Milliseconds since 1970, never going back. Any thread. */
    int64_t (*now_ms)(struct rt_host *host);
    /* Monotonic nanoseconds, for durations. Any thread. */
    uint64_t (*mono_ns)(struct rt_host *host);
    /* Unpredictable 64 bits (seeded in the simulator). Any thread. */
    uint64_t (*random)(struct rt_host *host);
    /*
     * Moves the job to a pool. Any thread. It comes home with OMS_BUSY when the pool's queue is full, or an eighth
     * of it by the job's tenant, and with OMS_CLOSED when the host has stopped; `run` was then not called.
     */
    void (*offload)(struct rt_host *host, enum rt_pool pool, struct rt_job *job);
    /*
     * Before start: gives the worker its thread. The host borrows it until stop. A zeroed port is initialised here
     * (one that its owner filled with rt_port_init keeps what was pushed).
     */
    void (*add_worker)(struct rt_host *host, struct rt_worker *worker);
    OMS_MUST_USE enum oms_status (*start)(struct rt_host *host, struct oms_error *error);
    /*
     * Stops shards (in any order), then workers, which drain their ports first; then joins. Not from a shard.
     * What is in flight then is finished on the calling thread; what cannot be finished (messages of paused
     * actors, work that never ends) comes home with OMS_CLOSED. At the end every actor has been destroyed, so the
     * layers above can be taken down. May be called without start, and twice.
     */
    void (*stop)(struct rt_host *host);
    /* Frees the host and its shards; stops it first when that was not done. */
    void (*destroy)(struct rt_host *host);
};

struct rt_host {
    const struct rt_host_ops *ops;
    unsigned shard_count;
    struct rt_shard **shards; /* made by the host at create */
    bool finishing;           /* stopped, on the stopping thread: a worker's step puts nothing off to later */
};

static inline int64_t rt_now_ms(struct rt_host *host)
{
    return host->ops->now_ms(host);
}
static inline uint64_t rt_mono_ns(struct rt_host *host)
{
    return host->ops->mono_ns(host);
}
static inline uint64_t rt_random(struct rt_host *host)
{
    return host->ops->random(host);
}

#endif
