/*
 * What the hosts share: the list of workers and the orderly end.
 *
 * The end runs on one thread after all others were joined, because shards, workers and pools may hand each
 * other work until the last moment: as everything is a step function, one thread can finish what many began.
 * A turn is bounded, so a bounded number of rounds is a bounded time.
 */
#include "runtime/host.h"

#include "runtime/base/alloc.h"
#include "runtime/base/log.h"
#include "runtime/host_internal.h"
#include "runtime/shard_internal.h"

/* Enough for full queues (tens of thousands of messages a shard at hundreds a round) many times over. */
enum { FINISH_ROUNDS_MAX = 500 };

void rt_worker_list_add(struct rt_worker_list *list, struct rt_worker *worker)
{
    if (!atomic_load_explicit(&worker->port.mailbox.tail, memory_order_relaxed))
        rt_port_init(&worker->port);
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? list->capacity * 2 : 8;
        list->items = oms_reallocarray(list->items, list->capacity, sizeof(struct rt_worker *));
    }
    list->items[list->count++] = worker;
}

void rt_worker_list_fini(struct rt_worker_list *list)
{
    oms_free(list->items);
    *list = (struct rt_worker_list){NULL, 0, 0};
}

/* What a worker's last step said: it has more to do now, or after a time. */
struct finish {
    bool more, waits;
};

static void finish_step(struct rt_worker *worker, struct finish *state)
{
    int64_t wait_ms = -1;

    state->more = worker->step(worker, &wait_ms);
    state->waits = !state->more && wait_ms >= 0;
}

/* One step of everything that has something to do; false when nothing has. */
static bool finish_round(struct rt_host *host, const struct rt_worker_list *workers, struct finish *states)
{
    bool progress = false;
    int64_t wait_ms;

    for (unsigned i = 0; i < host->shard_count; i++) {
        if (rt_shard_busy(host->shards[i])) {
            rt_shard_step(host->shards[i], &wait_ms);
            progress = true;
        }
    }
    for (unsigned i = 0; i < workers->count; i++) {
        struct rt_worker *worker = workers->items[i];
        if (states[i].more || !rt_mailbox_is_empty(&worker->port.mailbox)) {
            finish_step(worker, &states[i]);
            progress = true;
        }
    }
    return progress;
}

/*
 * Who waits for a time may wait for what another worker has done by now (a committer for its materialiser):
 * it gets a step when nothing else has any. True when that gave somebody something to do.
 */
static bool finish_waiting(struct rt_host *host, const struct rt_worker_list *workers, struct finish *states)
{
    bool more = false;

    for (unsigned i = 0; i < workers->count; i++)
        if (states[i].waits)
            finish_step(workers->items[i], &states[i]);
    for (unsigned i = 0; i < workers->count; i++)
        more = more || states[i].more || !rt_mailbox_is_empty(&workers->items[i]->port.mailbox);
    for (unsigned i = 0; i < host->shard_count; i++)
        more = more || rt_shard_busy(host->shards[i]);
    return more;
}

/* False when it had to be cut short. */
static bool finish_all(struct rt_host *host, const struct rt_worker_list *workers)
{
    struct finish *states = oms_calloc(workers->count + 1, sizeof *states);
    unsigned rounds = 0;

    for (unsigned i = 0; i < workers->count; i++)
        states[i].waits = true; /* perhaps: its thread has taken the answer with it */
    while (rounds < FINISH_ROUNDS_MAX &&
           (finish_round(host, workers, states) || finish_waiting(host, workers, states)))
        rounds++;
    oms_free(states);
    return rounds < FINISH_ROUNDS_MAX;
}

void rt_host_finish(struct rt_host *host, const struct rt_worker_list *workers)
{
    host->finishing = true;
    (void)finish_all(host, workers); /* actors may talk for ever: closing ends that */
    for (unsigned i = 0; i < host->shard_count; i++)
        rt_shard_close(host->shards[i]);
    if (!finish_all(host, workers))
        OMS_LOG(OMS_LOG_WARN, "runtime.finish_cut_short", OMS_LOG_U64("rounds", FINISH_ROUNDS_MAX));
    for (unsigned i = 0; i < host->shard_count; i++)
        rt_shard_drop_actors(host->shards[i], NULL);
    (void)finish_all(host, workers); /* what the actors kept and now gave back */
}
