/*
 * What the storage can do by itself: the floor under every number of the whole server.
 *
 *   append   the engine alone: synced batches of 1, 16, 128 and 1024 records of 500 bytes
 *   commit   the same through shard, committer and acknowledgement on the uv host, a projector that does
 * nothing fold     the materialiser's fold: new orders (a state of 350 bytes and eight index keys, the
 * timeline beside), then changes of these orders (state read, written, two index keys moved) all      new
 * orders through everything at once, until applied
 *
 * Usage: bench_storage [--folder DIR] [--seconds S] [--units N] [--only PART]
 * [--memtable MIB]. Everything in the folder's
 * `bench_storage` is removed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/prng.h"
#include "runtime/base/wire.h"
#include "runtime/host_uv.h"
#include "runtime/shard.h"
#include "storage/fold.h"
#include "storage/keys.h"
#include "storage/store.h"

#define UNIT_BYTES  500
#define STATE_BYTES 350
#define INDEX_KEYS  8

static double seconds = 2;
static uint64_t units_wanted = 200000;
static char folder[512] = "/tmp";
static const char *only;
static uint64_t memtable_bytes;

static bool wanted(const char *part)
{
    return !only || strcmp(only, part) == 0;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Processor time of the whole process. */
static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double thread_cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void remove_folder(void)
{
    char command[700];
    snprintf(command, sizeof(command), "rm -rf '%s/bench_storage'", folder);
    if (system(command) != 0)
        fprintf(stderr, "cannot remove %s/bench_storage\n", folder);
}

static struct store_engine *open_engine(void)
{
    char path[600];
    struct oms_error error;
    struct store_engine *engine;
    snprintf(path, sizeof(path), "%s/bench_storage", folder);
    struct store_rocksdb_config config = {.folder = path, .memtable_bytes = memtable_bytes};
    if (store_rocksdb_open(&config, &engine, &error) != OMS_OK) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    return engine;
}

/* ---- orders ---- */

static void address_of(uint64_t number, struct rt_address *out)
{
    memset(out, 0, sizeof(*out));
    out->tenant = 1;
    out->kind = RT_ACTOR_ORDER;
    uint64_t mixed = oms_mix64(number + 1);
    memcpy(out->key, &mixed, 8);
    memcpy(out->key + 8, &number, 8);
}

static void fill_unit(struct store_unit *unit, uint64_t number, uint32_t version_from)
{
    struct rt_address address;
    char bytes[UNIT_BYTES - 64];
    uint64_t x = number + 1;
    /* Half random, half text: about as compressible as an order. */
    for (size_t i = 0; i < sizeof(bytes); i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = i % 2 ? (char)(x >> 56) : "order line item"[i / 2 % 15];
    }
    address_of(number, &address);
    store_unit_begin(unit, &address, version_from, version_from + 1, 1700000000000);
    size_t mark = store_unit_begin_event(unit);
    oms_buf_append(&unit->record, bytes, sizeof(bytes));
    store_unit_end_event(unit, mark);
    if (store_unit_end(unit) != OMS_OK)
        abort();
}

/* An index key: tenant, index, term, sort key, address: about 50 bytes. */
static struct oms_str index_key(unsigned char *out, const struct rt_address *actor, unsigned index,
                                uint32_t version)
{
    size_t len = 0;
    uint64_t hash = rt_address_hash(actor);
    oms_put_be32(out, actor->tenant);
    out[4] = (unsigned char)index;
    len = 5;
    switch (index) {
    case 0: /* placed */
        break;
    case 1: /* stage */
    case 2:
        out[len++] = (unsigned char)('a' + version % 5);
        break;
    default: /* customer, vendor, sku, reference … */
        len += (size_t)snprintf((char *)out + len, 24, "term-%08" PRIx64, (hash >> index) % (1000u << index));
    }
    oms_put_be64(out + len, 1700000000000 + hash % 1000000000);
    memcpy(out + len + 8, actor->key, 16);
    return oms_str_make(out, len + 24);
}

static enum oms_status project_order(void *context, const struct store_vault *vault,
                                     const struct rt_address *actor, struct oms_str base,
                                     const struct store_record *records, size_t count,
                                     struct oms_arena *scratch, struct store_writes *writes)
{
    (void)vault;
    unsigned char address[STORE_ADDRESS_KEY_SIZE], key[64], state[STATE_BYTES];
    (void)context, (void)scratch;
    uint32_t version = records[count - 1].version_to;
    store_address_key(actor, address);
    memset(state, 0, sizeof(state));
    memcpy(state, records[count - 1].events[0].data, STATE_BYTES);
    if (base.len)
        state[0] = (unsigned char)(base.data[0] + 1);
    store_writes_put(writes, STORE_STATE, oms_str_make(address, sizeof(address)),
                     oms_str_make(state, sizeof(state)));
    for (unsigned i = 0; i < INDEX_KEYS; i++) {
        if (base.data && i != 1)
            continue;
        if (base.data)
            store_writes_delete(writes, STORE_TERMS, index_key(key, actor, i, records[0].version_from));
        store_writes_put(writes, STORE_TERMS, index_key(key, actor, i, version), OMS_STR("v"));
    }
    return OMS_OK;
}

static enum oms_status project_nothing(void *context, const struct store_vault *vault,
                                       const struct rt_address *actor, struct oms_str base,
                                       const struct store_record *records, size_t count,
                                       struct oms_arena *scratch, struct store_writes *writes)
{
    (void)vault;
    (void)context, (void)actor, (void)base, (void)records, (void)count, (void)scratch, (void)writes;
    return OMS_OK;
}

/* ---- append ---- */

static void bench_append(unsigned batch)
{
    remove_folder();
    struct store_engine *engine = open_engine();
    struct store_append *appends = oms_calloc(batch, sizeof(*appends));
    struct store_unit unit = {0};
    oms_buf_init(&unit.record, OMS_UNIT_BYTES_MAX);
    fill_unit(&unit, 1, 0);
    uint64_t commit = 0, begin = now_ns(), end = begin + (uint64_t)(seconds * 1e9), batches = 0;
    double cpu = cpu_s();
    while (now_ns() < end) {
        for (unsigned i = 0; i < batch; i++)
            appends[i] =
                (struct store_append){.partition = 1, .commit = ++commit, .value = oms_buf_str(&unit.record)};
        if (engine->ops->append(engine, appends, batch) != OMS_OK)
            abort();
        batches++;
    }
    double took = (double)(now_ns() - begin) / 1e9;
    printf("append  batch %5u: %9.0f units/s  %6.0f us/batch  %5.2f us cpu/unit\n", batch,
           (double)commit / took, took * 1e6 / (double)batches, (cpu_s() - cpu) * 1e6 / (double)commit);
    engine->ops->close(engine, true);
    oms_buf_fini(&unit.record);
    oms_free(appends);
}

/* ---- commit and all ---- */

struct load {
    struct store *store;
    unsigned in_flight; /* units that one shard keeps on their way */
    uint64_t next;
    uint64_t done;
    uint64_t limit; /* units to submit; 0: until `stop` */
    atomic_bool stop;
    atomic_bool finished;
    struct rt_message kick;
};

static struct load load;

static void submit_some(struct rt_shard *shard)
{
    uint64_t out = store_submitted_seq(load.store, shard) - store_durable_seq(load.store, shard);
    while (out < load.in_flight && !atomic_load(&load.stop) && (!load.limit || load.next < load.limit)) {
        if (store_admit(load.store, shard, 1) != OMS_OK)
            break;
        struct store_unit *unit = store_unit_take(load.store, shard);
        fill_unit(unit, load.next++, 0);
        store_submit(load.store, shard, unit);
        out++;
    }
    if (!out)
        atomic_store(&load.finished, true);
}

static void on_durable(struct rt_shard *shard, uint64_t seq, enum oms_status status)
{
    OMS_ASSERT(status == OMS_OK);
    load.done = seq;
    submit_some(shard);
}

static void on_applied(struct rt_shard *shard, struct store_unit *unit)
{
    store_unit_recycle(load.store, shard, unit);
    if (atomic_load_explicit(&load.finished, memory_order_relaxed) && load.limit && load.next < load.limit) {
        atomic_store(&load.finished, false);
        submit_some(shard);
    }
}

static void on_kick(struct rt_shard *shard, struct rt_message *message)
{
    (void)message;
    submit_some(shard);
}

static void wait_ms(unsigned ms)
{
    struct timespec pause = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&pause, NULL);
}

static struct rt_host *start(const struct store_projector *projector, unsigned in_flight, uint64_t limit)
{
    struct oms_error error;
    struct rt_host *host;
    struct rt_host_uv_config config = {.shards = 1, .spin_us_max = 50};
    remove_folder();
    if (rt_host_uv_create(&config, &host, &error) != OMS_OK)
        abort();
    memset(&load, 0, sizeof(load));
    load.in_flight = in_flight;
    load.limit = limit;
    load.kick.on_return = on_kick;
    struct store_config store = {.engine = open_engine(), .host = host, .projector = *projector};
    if (store_open(&store, &load.store, NULL, &error) != OMS_OK)
        abort();
    store_attach(load.store, host->shards[0], on_durable, on_applied);
    if (host->ops->start(host, &error) != OMS_OK)
        abort();
    rt_post(host, 0, &load.kick);
    return host;
}

static void finish(struct rt_host *host)
{
    host->ops->stop(host);
    store_close(load.store);
    host->ops->destroy(host);
}

static void bench_commit(unsigned in_flight)
{
    struct store_projector projector = {.project = project_nothing};
    struct rt_host *host = start(&projector, in_flight, 0);
    struct store_stats stats;
    uint64_t begin = now_ns();
    double cpu = cpu_s();
    wait_ms((unsigned)(seconds * 1000));
    store_stats(load.store, &stats);
    double took = (double)(now_ns() - begin) / 1e9;
    cpu = cpu_s() - cpu;
    printf("commit  %5u in flight: %9.0f units/s  %6.1f units/batch  %6.0f us/sync  %5.2f us cpu/unit  lag "
           "%" PRIu64 "\n",
           in_flight, (double)stats.units / took, (double)stats.units / (double)stats.batches,
           (double)stats.sync_us_sum / (double)stats.batches, cpu * 1e6 / (double)stats.units,
           stats.lag_units);
    atomic_store(&load.stop, true);
    while (!atomic_load(&load.finished))
        wait_ms(1);
    finish(host);
}

static void bench_all(unsigned in_flight)
{
    struct store_projector projector = {.project = project_order};
    double cpu = cpu_s();
    struct rt_host *host = start(&projector, in_flight, units_wanted);
    struct store_stats stats;
    uint64_t durable_at = 0;
    uint64_t begin = now_ns();
    for (;;) {
        store_stats(load.store, &stats);
        if (!durable_at && stats.units >= units_wanted)
            durable_at = now_ns();
        if (durable_at && !stats.lag_units)
            break;
        wait_ms(1);
    }
    double took = (double)(now_ns() - begin) / 1e9;
    printf("all     %5u in flight: %9.0f units/s durable, %9.0f applied  %6.1f units/batch  lag max %" PRIu64
           "  %5.2f us cpu/unit\n",
           in_flight, (double)units_wanted / ((double)(durable_at - begin) / 1e9),
           (double)units_wanted / took, (double)stats.units / (double)stats.batches, stats.lag_units_max,
           (cpu_s() - cpu) * 1e6 / (double)units_wanted);
    finish(host);
}

/* ---- fold ---- */

static void fold_round(struct store_fold *fold, uint32_t version_from, uint64_t *commit, const char *what)
{
    enum { WINDOW = OMS_MATERIALISE_WINDOW_UNITS };
    struct store_unit *units = oms_calloc(WINDOW, sizeof(*units));
    struct oms_error error;
    uint64_t spent = 0, worst = 0, writes = fold->writes_done;
    double cpu = 0, own = 0;
    for (unsigned i = 0; i < WINDOW; i++)
        oms_buf_init(&units[i].record, OMS_UNIT_BYTES_MAX);
    for (uint64_t done = 0; done < units_wanted; done += WINDOW) {
        for (unsigned i = 0; i < WINDOW; i++)
            fill_unit(&units[i], done + i, version_from);
        uint64_t begin = now_ns();
        double cpu_begin = cpu_s(), own_begin = thread_cpu_s();
        for (unsigned i = 0; i < WINDOW; i++)
            if (store_fold_add(fold, store_partition_of(1), ++*commit, &units[i].message.to,
                               oms_buf_str(&units[i].record), OMS_STR_NONE) != OMS_OK)
                abort();
        if (store_fold_run(fold, &error) != OMS_OK)
            abort();
        uint64_t took = now_ns() - begin;
        spent += took;
        cpu += cpu_s() - cpu_begin;
        own += thread_cpu_s() - own_begin;
        worst = took > worst ? took : worst;
    }
    uint64_t whole_windows = (units_wanted + WINDOW - 1) / WINDOW * WINDOW;
    double count = (double)whole_windows;
    printf("fold    %-8s %9.0f units/s  %5.2f us/unit  cpu/unit: %5.2f us, %5.2f with background  %4.1f "
           "keys/unit  "
           "worst window %5.1f ms\n",
           what, count / ((double)spent / 1e9), (double)spent / 1e3 / count, own * 1e6 / count,
           cpu * 1e6 / count, (double)(fold->writes_done - writes) / count, (double)worst / 1e6);
    for (unsigned i = 0; i < WINDOW; i++)
        oms_buf_fini(&units[i].record);
    oms_free(units);
}

static void bench_fold(void)
{
    struct store_projector projector = {.project = project_order};
    struct store_fold fold;
    struct oms_error error;
    uint64_t commit = 0;
    remove_folder();
    struct store_engine *engine = open_engine();
    if (store_fold_init(&fold, engine, &projector, &error) != OMS_OK)
        abort();
    fold_round(&fold, 0, &commit, "new");
    fold_round(&fold, 1, &commit, "change");
    store_fold_fini(&fold);
    engine->ops->close(engine, true);
}

/* ---- open ---- */

static void open_once(const char *what)
{
    struct store_projector projector = {.project = project_order};
    struct rt_host_uv_config uv = {.shards = 1};
    struct store_recovery recovery;
    struct oms_error error;
    struct rt_host *host;
    struct store *store;
    if (rt_host_uv_create(&uv, &host, &error) != OMS_OK)
        abort();
    uint64_t begin = now_ns();
    struct store_config config = {.engine = open_engine(), .host = host, .projector = projector};
    uint64_t opened = now_ns();
    if (store_open(&config, &store, &recovery, &error) != OMS_OK)
        abort();
    printf("open    %-8s engine %6.0f ms, store %6.0f ms, %" PRIu64 " units replayed\n", what,
           (double)(opened - begin) / 1e6, (double)(now_ns() - opened) / 1e6, recovery.units_replayed);
    host->ops->stop(host);
    store_close(store);
    host->ops->destroy(host);
}

/* A log of new orders without anything derived, as after a crash that lost all; then the same after a clean
 * stop. */
static void bench_open(void)
{
    enum { BATCH = 1000 };
    struct store_append appends[BATCH];
    struct store_unit *units = oms_calloc(BATCH, sizeof(*units));
    remove_folder();
    struct store_engine *engine = open_engine();
    for (unsigned i = 0; i < BATCH; i++)
        oms_buf_init(&units[i].record, OMS_UNIT_BYTES_MAX);
    for (uint64_t done = 0; done < units_wanted; done += BATCH) {
        for (unsigned i = 0; i < BATCH; i++) {
            fill_unit(&units[i], done + i, 0);
            appends[i] = (struct store_append){.partition = store_partition_of(1),
                                               .commit = done + i + 1,
                                               .value = oms_buf_str(&units[i].record)};
        }
        if (engine->ops->append(engine, appends, BATCH) != OMS_OK)
            abort();
    }
    for (unsigned i = 0; i < BATCH; i++)
        oms_buf_fini(&units[i].record);
    oms_free(units);
    engine->ops->close(engine, false);
    open_once("crashed");
    open_once("clean");
}

int main(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--folder") == 0)
            snprintf(folder, sizeof(folder), "%s", argv[i + 1]);
        else if (strcmp(argv[i], "--seconds") == 0)
            seconds = atof(argv[i + 1]);
        else if (strcmp(argv[i], "--units") == 0)
            units_wanted = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--only") == 0)
            only = argv[i + 1];
        else if (strcmp(argv[i], "--memtable") == 0)
            memtable_bytes = strtoull(argv[i + 1], NULL, 10) << 20;
    }
    static const unsigned sizes[] = {1, 16, 128, 1024};
    for (size_t i = 0; i < OMS_COUNT_OF(sizes) && wanted("append"); i++)
        bench_append(sizes[i]);
    for (size_t i = 0; i < OMS_COUNT_OF(sizes) && wanted("commit"); i++)
        bench_commit(sizes[i] * 2);
    if (wanted("fold"))
        bench_fold();
    if (wanted("all"))
        bench_all(1024);
    if (wanted("open"))
        bench_open();
    remove_folder();
    return 0;
}
