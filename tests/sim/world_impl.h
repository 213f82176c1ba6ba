/* The inside of a world, shared by world.c, flight.c and check.c only. */
#ifndef SIM_WORLD_IMPL_H
#define SIM_WORLD_IMPL_H

#include "actors/system.h"
#include "tests/sim/world.h"

#define START_MS       INT64_C(1750000000000)
#define CALL_ARENA_MAX (1u << 20)

extern const struct oms_hash_key world_id_key;
extern const char *const world_tenant_names[SIM_TENANTS];

/* Something that a client waits for. */
struct flight {
    struct flight *prev, *next;
    struct world *world;
    unsigned life;
    struct sim_op op;  /* of a store read: tenant and slot */
    uint64_t at_least; /* version acknowledged before it was sent */
    uint64_t shown;    /* version that the render showed */
    bool rendered;
    bool *done; /* set when it comes home; may be NULL */
    struct sim_command built;
    struct order_call call; /* by its own on_return, one of these three is meant */
    struct tenant_call tenant;
    bool suspends;
    struct store_read read;
    struct oms_buf bytes;
    enum oms_status status;
};

struct world_tenant {
    uint32_t number;
    bool suspended;
    bool changing;
};

struct world {
    struct sim_options options;
    struct oms_prng prng;
    uint64_t trace;
    struct model *model;
    struct sim_workload workload;
    struct sim_counts counts;

    /* drawn once */
    unsigned shards, flights_max, send_percent, blocked_percent;
    uint64_t resident_max, thawed_max, lag_units_max;
    unsigned window_ms, flush_interval_ms;

    /* what lasts */
    struct store_memory *memory;
    struct world_tenant tenants[SIM_TENANTS];
    struct sim_place places[SIM_TENANTS][SIM_SLOTS];
    int64_t now_ms;
    unsigned life;

    /* of one life */
    struct rt_host *host;
    struct store_engine *engine;
    struct store *store;
    struct actors_system *system;
    struct flight *flights;
    unsigned flight_count;
    bool armed; /* a storage fault may have struck: unknown outcomes are allowed */
    bool fatal; /* the store said that the process must stop */
    bool disk_low;
    bool stopping; /* cleanly: what cannot be finished comes home as closed */
};

/* ---- world.c ---- */

/* Draws, uniform in [0, bound). */
uint64_t world_below(struct world *world, uint64_t bound);
bool world_one_in(struct world *world, unsigned count);
/* Adds to the trace's hash. */
void world_note(struct world *world, uint64_t what);
/* A line of the trace, when one is wanted. */
void world_tell(struct world *world, const char *format, ...) OMS_PRINTF(2, 3);
bool world_failed(const struct world *world);
void world_address(const struct world *world, unsigned tenant, unsigned slot, struct rt_address *out);

/* ---- flight.c: what clients send and wait for ---- */

/* Each is in world->flights until it comes home, is checked and freed. */
struct flight *flight_send_op(struct world *world, const struct sim_op *op);
struct flight *flight_send_tenant(struct world *world, unsigned index, bool suspends);
void flight_send_read(struct world *world);
void flight_destroy(struct flight *flight);
/* For a crash: frees what nobody else owns; flights stay in the world's list. */
void flight_discard(struct rt_message *message);

/* ---- check.c: the store against the model ---- */

/* The engine's observer: a batch is durable. `context` is the world. */
void check_appended(void *context, const struct store_append *records, size_t count);
/* Between two lives: is the store what its log says, and is the log what the model says can have happened? */
void check_log(struct world *world);
/* After recovery: the derived families are the whole log's, and equal the model. */
void check_recovered(struct world *world);

/* ---- lists.c ---- */

/* When nothing is in flight: lists, counts and feeds are what the model says. */
void lists_check(struct world *world);

#endif
