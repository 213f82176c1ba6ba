/*
 * What the actor runtime costs by itself: messages per second hot, over a million actors and across shards,
 * the round trip of one message between two sleeping shards, and the memory of an idle actor.
 *
 * A hop is the whole path of a message: rt_send (hash, directory), mailbox, run queue, receive. Rates swing
 * with the machine's other load, so compare figures within one run. Usage: bench_runtime [seconds per figure,
 * default 1]
 */
#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/prng.h"
#include "runtime/host_sim.h"
#include "runtime/host_uv.h"
#include "runtime/shard.h"

enum { MILLION = 1000000 };

struct token {
    struct rt_message message;
    uint64_t random;
    uint64_t hops_left; /* of the round trips */
};

static struct {
    uint64_t actors;  /* tokens hop among so many */
    bool over_shards; /* only to actors of another shard */
    atomic_bool stopping;
    sem_t done;
    uint64_t made;
} bench;

static double seconds_per_figure = 1;

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void print_rate(const char *what, double count, double seconds)
{
    printf("%-52s %9.2f M/s  %8.1f ns\n", what, count / seconds / 1e6, seconds / count * 1e9);
    fflush(stdout);
}

/* ---- actors that pass a token on ---- */

static void aim(struct rt_host *host, unsigned from, struct token *token)
{
    do {
        token->random = oms_mix64(token->random + UINT64_C(0x9e3779b97f4a7c15));
        uint64_t n = token->random % bench.actors;
        memcpy(token->message.to.key, &n, sizeof n);
    } while (bench.over_shards && rt_shard_of(host, &token->message.to) == from);
}

static void receive(struct rt_shard *shard, struct rt_actor *actor, struct rt_message *message)
{
    struct token *token = (struct token *)message;

    (void)actor;
    if (atomic_load_explicit(&bench.stopping, memory_order_relaxed)) {
        rt_return(shard, message);
        return;
    }
    message->home = (uint16_t)rt_shard_index(shard); /* it goes on from here, and counts as ours */
    aim(rt_shard_host(shard), rt_shard_index(shard), token);
    rt_send(shard, message);
}

static struct rt_actor *activate(struct rt_shard *shard, const struct rt_address *address);

static bool may_passivate(struct rt_shard *shard, struct rt_actor *actor)
{
    (void)shard;
    (void)actor;
    return true;
}

static void destroy(struct rt_shard *shard, struct rt_actor *actor)
{
    (void)shard;
    oms_free(actor);
}

static const struct rt_actor_class class = {"bench", activate, receive, may_passivate, destroy, NULL};

static struct rt_actor *activate(struct rt_shard *shard, const struct rt_address *address)
{
    (void)shard;
    struct rt_actor *actor = oms_malloc(sizeof *actor);
    rt_actor_init(actor, &class, address);
    return actor;
}

static void token_home(struct rt_shard *shard, struct rt_message *message)
{
    struct token *token = (struct token *)message;
    if (!atomic_load_explicit(&bench.stopping, memory_order_relaxed) && message->status == OMS_OK) {
        aim(rt_shard_host(shard), rt_shard_index(shard), token);
        rt_send(shard, message);
    }
}

static struct token *make_tokens(struct rt_host *host, unsigned count)
{
    struct token *tokens = oms_calloc(count, sizeof *tokens);

    for (unsigned i = 0; i < count; i++) {
        tokens[i].random = i;
        tokens[i].message.to = (struct rt_address){.tenant = 1, .kind = RT_ACTOR_ORDER};
        tokens[i].message.on_return = token_home;
        rt_post(host, i % host->shard_count, &tokens[i].message);
    }
    return tokens;
}

static uint64_t count_messages(struct rt_host *host)
{
    uint64_t messages = 0;
    for (unsigned i = 0; i < host->shard_count; i++)
        messages += rt_shard_stats(host->shards[i])->messages;
    return messages;
}

/* ---- one shard, stepped here: no threads, no loop ---- */

static struct rt_host *one_shard(void)
{
    const struct rt_host_sim_config config = {.shards = 1};
    struct rt_host *host = rt_host_sim_create(&config);
    rt_shard_register(host->shards[0], RT_ACTOR_ORDER, &class);
    atomic_store(&bench.stopping, false);
    bench.over_shards = false;
    return host;
}

static void step_for(struct rt_host *host, double seconds)
{
    int64_t wait_ms;
    double end = now_s() + seconds;
    do {
        for (unsigned i = 0; i < 100; i++)
            rt_shard_step(host->shards[0], &wait_ms);
    } while (now_s() < end);
}

static void bench_one_shard(const char *what, uint64_t actors, unsigned token_count, double warm_up)
{
    struct rt_host *host = one_shard();
    bench.actors = actors;
    struct token *tokens = make_tokens(host, token_count);

    step_for(host, warm_up); /* all actors are there after it */
    uint64_t before = count_messages(host);
    double start = now_s();
    step_for(host, seconds_per_figure);
    print_rate(what, (double)(count_messages(host) - before), now_s() - start);
    atomic_store(&bench.stopping, true);
    host->ops->destroy(host);
    oms_free(tokens);
}

static struct token burst[64];

static void burst_home(struct rt_shard *shard, struct rt_message *message)
{
    (void)shard;
    (void)message;
    bench.made++;
}

/* What a producer of work does: many messages to one actor, each of which is answered. */
static void bench_bursts(void)
{
    struct rt_host *host = one_shard();
    int64_t wait_ms;
    double start = now_s(), end = start + seconds_per_figure;

    atomic_store(&bench.stopping, true); /* receive() returns */
    bench.made = 0;
    do {
        for (unsigned round = 0; round < 100; round++) {
            for (unsigned i = 0; i < OMS_COUNT_OF(burst); i++) {
                burst[i].message.to = (struct rt_address){.tenant = 1, .kind = RT_ACTOR_ORDER};
                burst[i].message.on_return = burst_home;
                rt_send(host->shards[0], &burst[i].message);
            }
            rt_shard_step(host->shards[0], &wait_ms);
        }
    } while (now_s() < end);
    print_rate("one shard, request and answer, bursts of 64", (double)bench.made, now_s() - start);
    host->ops->destroy(host);
}

static void bench_memory(void)
{
    struct rt_host *host = one_shard();
    struct token token = {.message = {.on_return = burst_home}};
    int64_t wait_ms;

    atomic_store(&bench.stopping, true);
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    double start = now_s();
    for (uint64_t n = 0; n < MILLION; n++) {
        token.message.to = (struct rt_address){.tenant = 1, .kind = RT_ACTOR_ORDER};
        memcpy(token.message.to.key, &n, sizeof n);
        rt_send(host->shards[0], &token.message);
        rt_shard_step(host->shards[0], &wait_ms);
    }
    print_rate("one shard, activations (a turn each)", MILLION, now_s() - start);
    size_t bytes = mallinfo2().uordblks + mallinfo2().hblkhd - before;
    printf("%-52s %9.1f B (rt_actor %zu)\n", "memory per idle actor, of a million", (double)bytes / MILLION,
           sizeof(struct rt_actor));
    host->ops->destroy(host);
}

/* ---- mailboxes between two threads ---- */

enum { NODES = 8192 };

struct pipe {
    struct rt_mailbox there, back; /* nodes travel round, so that no memory is allocated */
    unsigned chain;
    uint64_t moved;
};

/* A shard looks into its inbox once a turn; looking without a break would measure two cores fighting for a
 * line. */
static void do_something_else(void)
{
    for (volatile unsigned i = 0; i < 1000; i++)
        ;
}

static void *pump(void *arg)
{
    struct pipe *pipe = arg;
    struct rt_message *first = NULL, *last = NULL, *message;
    unsigned count = 0;

    while (!atomic_load_explicit(&bench.stopping, memory_order_relaxed)) {
        message = rt_mailbox_pop(&pipe->back);
        if (!message) {
            do_something_else();
            continue;
        }
        if (first)
            last->next = message;
        else
            first = message;
        last = message;
        if (++count == pipe->chain) {
            rt_mailbox_push(&pipe->there, first, last, count);
            first = NULL;
            count = 0;
        }
    }
    return NULL;
}

static void bench_mailbox(const char *what, unsigned chain)
{
    struct pipe *pipe = oms_calloc(1, sizeof *pipe);
    struct rt_message *nodes = oms_calloc(NODES, sizeof *nodes), *message, *first = NULL, *last = NULL;
    unsigned count = 0;
    pthread_t thread;

    rt_mailbox_init(&pipe->there);
    rt_mailbox_init(&pipe->back);
    pipe->chain = chain;
    for (unsigned i = 0; i < NODES; i++)
        rt_mailbox_push(&pipe->back, &nodes[i], &nodes[i], 1);
    atomic_store(&bench.stopping, false);
    int failed = pthread_create(&thread, NULL, pump, pipe);
    OMS_ASSERT(failed == 0);
    double start = now_s(), end = start + seconds_per_figure;
    do {
        for (unsigned i = 0; i < 10000; i++) {
            message = rt_mailbox_pop(&pipe->there);
            if (!message) {
                do_something_else();
                continue;
            }
            pipe->moved++;
            /* Back in chains of 64 always: it is the way there that is measured. */
            if (first)
                last->next = message;
            else
                first = message;
            last = message;
            if (++count == 64) {
                rt_mailbox_push(&pipe->back, first, last, count);
                first = NULL;
                count = 0;
            }
        }
    } while (now_s() < end);
    print_rate(what, (double)pipe->moved, now_s() - start);
    atomic_store(&bench.stopping, true);
    pthread_join(thread, NULL);
    oms_free(nodes);
    oms_free(pipe);
}

/* ---- two shards with their loops ---- */

static struct rt_host *two_shards(unsigned spin_us)
{
    const struct rt_host_uv_config config = {.shards = 2, .spin_us_max = spin_us};
    struct rt_host *host;
    struct oms_error error;

    if (rt_host_uv_create(&config, &host, &error) != OMS_OK) {
        fprintf(stderr, "bench_runtime: %s\n", error.message);
        exit(1);
    }
    for (unsigned i = 0; i < 2; i++)
        rt_shard_register(host->shards[i], RT_ACTOR_ORDER, &class);
    atomic_store(&bench.stopping, false);
    bench.over_shards = true;
    bench.actors = 1024;
    return host;
}

static void start_host(struct rt_host *host)
{
    struct oms_error error;
    if (host->ops->start(host, &error) != OMS_OK) {
        fprintf(stderr, "bench_runtime: %s\n", error.message);
        exit(1);
    }
}

static void bench_two_shards(const char *what, unsigned token_count)
{
    struct rt_host *host = two_shards(20);
    struct token *tokens = make_tokens(host, token_count);
    struct timespec pause = {(time_t)seconds_per_figure, 0};

    pause.tv_nsec = (long)((seconds_per_figure - (double)pause.tv_sec) * 1e9);
    start_host(host);
    double start = now_s();
    nanosleep(&pause, NULL);
    atomic_store(&bench.stopping, true);
    host->ops->stop(host);
    print_rate(what, (double)count_messages(host), now_s() - start);
    host->ops->destroy(host);
    oms_free(tokens);
}

/* Home and to the other shard again, until hops_left is zero. */
static void trip_home(struct rt_shard *shard, struct rt_message *message)
{
    struct token *token = (struct token *)message;

    if (!token->hops_left--) {
        sem_post(&bench.done);
        return;
    }
    aim(rt_shard_host(shard), rt_shard_index(shard), token);
    rt_send(shard, message);
}

static void bench_round_trip(const char *what, unsigned spin_us, uint64_t trips)
{
    struct rt_host *host = two_shards(spin_us);
    struct token token = {.hops_left = trips, .message = {.on_return = trip_home}};

    atomic_store(&bench.stopping, true); /* receive() returns */
    token.message.to = (struct rt_address){.tenant = 1, .kind = RT_ACTOR_ORDER};
    OMS_ASSERT(sem_init(&bench.done, 0, 0) == 0);
    start_host(host);
    double start = now_s();
    rt_post(host, 0, &token.message);
    sem_wait(&bench.done);
    double seconds = now_s() - start;
    printf("%-52s %9.2f us\n", what, seconds / (double)trips * 1e6);
    host->ops->destroy(host);
    sem_destroy(&bench.done);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        seconds_per_figure = strtod(argv[1], NULL);
    if (!(seconds_per_figure > 0)) {
        fprintf(stderr, "usage: bench_runtime [seconds per figure]\n");
        return 2;
    }
    bench_bursts();
    bench_one_shard("one shard, hops over 16 actors", 16, 64, 0.1);
    bench_one_shard("one shard, hops over 10,000 actors", 10000, 4096, 0.1);
    bench_one_shard("one shard, hops over 1,000,000 actors", MILLION, 16384, 4);
    bench_memory();
    bench_mailbox("mailbox between threads, one by one", 1);
    bench_mailbox("mailbox between threads, chains of 64", 64);
    bench_two_shards("two shards, hops always across, 4,096 in flight", 4096);
    bench_two_shards("two shards, hops always across, 16 in flight", 16);
    bench_round_trip("round trip of one message, shards block", 0, 20000);
    bench_round_trip("round trip of one message, shards spin (50 us)", 50, 200000);
    return 0;
}
