/*
 * Reads that see what their callers were told: a job for a pool that starts only when everything that
 * was durable at its asking has been applied.
 *
 * A read that need not wait goes straight to the pool; one that must is parked with the materialiser, which
 * closes its window for it. The numbers are per process: after a restart recovery has applied all before the
 * first read.
 */
#include "runtime/base/assert.h"
#include "storage/store_impl.h"

static void run_read(struct rt_job *job)
{
    struct store_read *read = OMS_CONTAINER_OF(job, struct store_read, job);
    struct store_engine *engine = read->store->engine;
    struct store_view *view = engine->ops->view_open(engine);
    read->run(read, engine, view);
    engine->ops->view_close(view);
}

void store_read(struct store *store, struct rt_shard *shard, struct store_read *read)
{
    struct rt_message *message = &read->job.message;
    OMS_ASSERT(read->run && message->on_return);
    read->store = store;
    read->job.run = run_read;
    message->home = (uint16_t)rt_shard_index(shard);
    message->status = OMS_OK;
    /* Acquire: pairs with the committer's release, which comes before any acknowledgement that we know of. */
    read->lsn_needed = atomic_load_explicit(&store->durable_lsn, memory_order_acquire);
    /* Acquire: pairs with the materialiser's release; the view that the job opens then holds its write. */
    if (atomic_load_explicit(&store->applied_lsn, memory_order_acquire) >= read->lsn_needed)
        store->host->ops->offload(store->host, read->pool, &read->job);
    else
        rt_port_push(&store->materialiser_worker.port, message, message, 1);
}

enum oms_status store_get_cached(struct store *store, enum store_family family, struct oms_str key,
                                 struct oms_buf *out)
{
    return store->engine->ops->get(store->engine, family, key, false, out);
}
