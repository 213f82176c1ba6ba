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

/* One step of everything that has something to do; false when nothing has. */
static bool finish_round(struct rt_host *host, const struct rt_worker_list *workers, bool *more)
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
        if (more[i] || !rt_mailbox_is_empty(&worker->port.mailbox)) {
            wait_ms = -1;
            more[i] = worker->step(worker, &wait_ms);
            progress = true;
        }
    }
    return progress;
}

/* False when it had to be cut short. */
static bool finish_all(struct rt_host *host, const struct rt_worker_list *workers)
{
    bool *more = oms_calloc(workers->count + 1, sizeof *more);
    unsigned rounds = 0;

    while (rounds < FINISH_ROUNDS_MAX && finish_round(host, workers, more))
        rounds++;
    oms_free(more);
    return rounds < FINISH_ROUNDS_MAX;
}

void rt_host_finish(struct rt_host *host, const struct rt_worker_list *workers)
{
    (void)finish_all(host, workers); /* actors may talk for ever: closing ends that */
    for (unsigned i = 0; i < host->shard_count; i++)
        rt_shard_close(host->shards[i]);
    if (!finish_all(host, workers))
        OMS_LOG(OMS_LOG_WARN, "runtime.finish_cut_short", OMS_LOG_U64("rounds", FINISH_ROUNDS_MAX));
    for (unsigned i = 0; i < host->shard_count; i++)
        rt_shard_drop_actors(host->shards[i], NULL);
    (void)finish_all(host, workers); /* what the actors kept and now gave back */
}
