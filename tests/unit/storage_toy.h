/*
 * A toy domain for the storage's tests: actors that keep a sum, with the projector that folds them, and a
 * world that runs the store on the simulation host over memory.
 *
 * Every unit adds a number to its actor. The state is (version, sum); a term holds the actor in the bucket of
 * its sum, so it moves; an odd sum has a timer; every tenth version leaves an aside.
 */
#ifndef STORAGE_TOY_H
#define STORAGE_TOY_H

#include "runtime/host_sim.h"
#include "runtime/shard.h"
#include "storage/keys.h"
#include "storage/store.h"

struct store_projector toy_projector(void);
/* Fills a unit: actor `number` of `tenant` goes from `version_from` to the next by adding `amount`. */
void toy_fill(struct store_unit *unit, uint32_t tenant, uint64_t number, uint32_t version_from,
              uint32_t amount);
void toy_address(uint32_t tenant, uint64_t number, struct rt_address *out);
/* A record's bytes on their own, freed by oms_buf_fini. */
void toy_record(struct oms_buf *out, uint32_t tenant, uint64_t number, uint32_t version_from,
                uint32_t amount);
/* The state of an actor: OMS_NOT_FOUND, or its version and sum. */
enum oms_status toy_read(struct store_engine *engine, uint32_t tenant, uint64_t number, uint32_t *version,
                         uint64_t *sum);
/* Asserts that a store's derived families are the fold of its log; returns the units that the log holds. */
uint64_t toy_verify(struct store_engine *engine);

enum { TOY_TENANTS = 3, TOY_ACTORS = 16, TOY_SHARDS = 3 };

/* What a client knows of one actor: what it has submitted, and what was acknowledged. */
struct toy_actor {
    uint32_t version; /* submitted */
    uint64_t sum;
    uint32_t version_acked; /* acknowledged with OMS_OK */
};

struct toy_pending {
    uint64_t seq;
    uint32_t tenant, number, version;
};

struct toy_world {
    struct store_memory *memory; /* borrowed */
    struct rt_host *host;
    struct store *store;
    struct toy_actor actors[TOY_TENANTS][TOY_ACTORS];
    struct toy_pending pending[TOY_SHARDS][65536];
    unsigned pending_first[TOY_SHARDS], pending_count[TOY_SHARDS];
    unsigned acks, applied; /* callbacks: acknowledgements, units that came home */
    unsigned failed_units;  /* answered with a failure */
    unsigned fatal;         /* calls of on_fatal */
    enum oms_status fatal_status;
    unsigned refused[16]; /* admissions by status */
};

/* Opens a store in a simulated host; `config` may be NULL or give limits and times. The world remembers its
 * actors. */
enum oms_status toy_open(struct toy_world *world, struct store_memory *memory, uint64_t seed,
                         const struct store_config *config, struct store_recovery *recovery,
                         struct oms_error *error);
/* The orderly end; derived families are flushed. */
void toy_close(struct toy_world *world);
/* The power cut: host, store and unflushed memory are gone. */
void toy_crash(struct toy_world *world);
/* After opening again: takes what is stored as what is submitted; asserts that all acknowledged is there. */
void toy_adopt(struct toy_world *world);
/* Submits on a shard, in a turn of it, `count` units of one actor or (number UINT32_MAX) of all in turn. */
void toy_submit(struct toy_world *world, unsigned shard, unsigned count, uint32_t tenant, uint32_t number);
/* Runs until nothing is left to do within `ms`. */
void toy_run(struct toy_world *world, int64_t ms);
/* Runs `call` on the shard's turn, and until it was called. */
void toy_on_shard(struct toy_world *world, unsigned shard, void (*call)(struct rt_shard *shard, void *arg),
                  void *arg);

/* RocksDB in the folder, with small buffers; a failure fails the test. The caller closes it. */
struct store_engine *toy_open_rocksdb(const char *folder);

/* What most of these tests start from: an empty memory and a world that is not open yet. */
struct toy_fixture {
    struct store_memory *memory;
    struct toy_world world;
};

/* cmocka's set-up and tear-down: *state is a struct toy_fixture. */
int toy_set_up(void **state);
int toy_tear_down(void **state);
/* toy_open on the fixture's memory; what is refused fails the test. `config` may be NULL. */
struct store_recovery toy_start(struct toy_fixture *f, uint64_t seed, const struct store_config *config);
struct store_stats toy_stats(const struct toy_fixture *f);
/* toy_verify of the fixture's memory while no world is open; returns the log's units. */
uint64_t toy_verify_memory(const struct toy_fixture *f);

#endif
