/*
 * A pool of threads (see pool.h). A lock and a condition: a job costs far more than they do. Jobs that still
 * wait at stop are run, by the threads or, when none was started, sent home with OMS_CLOSED.
 *
 * Invariants: a lane is in the round and in its bucket exactly while it has a job; the round is empty exactly
 * when no job waits. Lanes are kept for the next tenant, so a busy pool does not allocate.
 */
#include "runtime/pool.h"

#include <stdio.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/shard.h"

static void must(int error)
{
    OMS_ASSERT(error == 0);
}

void rt_job_queue_init(struct rt_job_queue *pool, struct rt_host *host, const char *name)
{
    memset(pool, 0, sizeof *pool);
    pool->host = host;
    pool->name = name;
    must(pthread_mutex_init(&pool->lock, NULL));
    must(pthread_cond_init(&pool->wake, NULL));
}

void rt_job_queue_fini(struct rt_job_queue *pool)
{
    OMS_ASSERT(!pool->started && !pool->first);
    while (pool->spare) {
        struct rt_job_lane *lane = pool->spare;
        pool->spare = lane->next;
        oms_free(lane);
    }
    must(pthread_cond_destroy(&pool->wake));
    must(pthread_mutex_destroy(&pool->lock));
}

/* ---- the round; under the lock ---- */

static struct rt_job_lane **bucket_of(struct rt_job_queue *pool, uint32_t tenant)
{
    return &pool->buckets[tenant & (RT_POOL_BUCKETS - 1)]; /* tenants are numbered one by one */
}

static struct rt_job_lane *find_lane(struct rt_job_queue *pool, uint32_t tenant)
{
    struct rt_job_lane *lane = *bucket_of(pool, tenant);
    while (lane && lane->tenant != tenant)
        lane = lane->bucket_next;
    return lane;
}

/* Puts the lane behind all others. */
static void append_lane(struct rt_job_queue *pool, struct rt_job_lane *lane)
{
    lane->next = NULL;
    if (pool->last)
        pool->last->next = lane;
    else
        pool->first = lane;
    pool->last = lane;
}

static struct rt_job_lane *add_lane(struct rt_job_queue *pool, uint32_t tenant)
{
    struct rt_job_lane **bucket = bucket_of(pool, tenant);
    struct rt_job_lane *lane = pool->spare;

    if (lane)
        pool->spare = lane->next;
    else
        lane = oms_malloc(sizeof *lane);
    *lane = (struct rt_job_lane){.tenant = tenant, .bucket_next = *bucket};
    *bucket = lane;
    append_lane(pool, lane);
    return lane;
}

/* A lane that has left the round. */
static void retire_lane(struct rt_job_queue *pool, struct rt_job_lane *lane)
{
    struct rt_job_lane **link = bucket_of(pool, lane->tenant);
    while (*link != lane)
        link = &(*link)->bucket_next;
    *link = lane->bucket_next;
    lane->next = pool->spare;
    pool->spare = lane;
}

/* The oldest job of the tenant whose turn it is; NULL when none waits. */
static struct rt_message *pop(struct rt_job_queue *pool)
{
    struct rt_job_lane *lane = pool->first;
    if (!lane)
        return NULL;
    pool->first = lane->next;
    if (!pool->first)
        pool->last = NULL;
    struct rt_message *message = lane->first;
    lane->first = message->next;
    lane->queued--;
    pool->queued--;
    if (lane->first)
        append_lane(pool, lane);
    else
        retire_lane(pool, lane);
    return message;
}

/* OMS_BUSY when the pool or the tenant's share of it is full. */
static enum oms_status push(struct rt_job_queue *pool, struct rt_job *job)
{
    struct rt_message *message = &job->message;
    unsigned limit = OMS_POOL_QUEUE_MAX;
    struct rt_job_lane *lane = find_lane(pool, job->tenant);

    if (!(message->flags & RT_MESSAGE_SYSTEM))
        limit -= limit / 10;
    if (pool->queued >= limit || (job->tenant && lane && lane->queued >= OMS_POOL_TENANT_MAX))
        return OMS_BUSY;
    message->next = NULL;
    if (!lane)
        lane = add_lane(pool, job->tenant);
    if (lane->first)
        lane->last->next = message;
    else
        lane->first = message;
    lane->last = message;
    lane->queued++;
    pool->queued++;
    return OMS_OK;
}

/* ---- the threads ---- */

/* The next job, waiting for one; NULL when the pool is closed and empty. */
static struct rt_job *take(struct rt_job_queue *pool)
{
    must(pthread_mutex_lock(&pool->lock));
    pool->idle++;
    while (!pool->first && !pool->closed)
        must(pthread_cond_wait(&pool->wake, &pool->lock));
    pool->idle--;
    struct rt_message *message = pop(pool);
    must(pthread_mutex_unlock(&pool->lock));
    return message ? OMS_CONTAINER_OF(message, struct rt_job, message) : NULL;
}

static void *run(void *arg)
{
    struct rt_job_queue *pool = arg;
    struct rt_job *job;

    while ((job = take(pool)) != NULL) {
        job->run(job);
        rt_return_from_outside(pool->host, &job->message);
    }
    return NULL;
}

enum oms_status rt_job_queue_start(struct rt_job_queue *pool, unsigned threads, struct oms_error *error)
{
    OMS_ASSERT(threads <= OMS_POOL_THREADS_MAX);
    while (pool->started < threads) {
        char name[32];
        snprintf(name, sizeof name, "%s-%u", pool->name, pool->started);
        enum oms_status status = rt_thread_start(&pool->threads[pool->started], name, run, pool, error);
        if (status != OMS_OK)
            return status;
        pool->started++;
    }
    return OMS_OK;
}

void rt_job_queue_push(struct rt_job_queue *pool, struct rt_job *job)
{
    struct rt_message *message = &job->message;

    OMS_ASSERT(job->run && message->on_return);
    message->status = OMS_OK; /* before the lock is released: then the job may be a thread's */
    must(pthread_mutex_lock(&pool->lock));
    enum oms_status status = pool->closed ? OMS_CLOSED : push(pool, job);
    if (status == OMS_OK && pool->idle)
        must(pthread_cond_signal(&pool->wake));
    must(pthread_mutex_unlock(&pool->lock));
    if (status != OMS_OK) {
        message->status = status;
        rt_return_from_outside(pool->host, message);
    }
}

void rt_job_queue_stop(struct rt_job_queue *pool)
{
    must(pthread_mutex_lock(&pool->lock));
    pool->closed = true;
    must(pthread_cond_broadcast(&pool->wake));
    must(pthread_mutex_unlock(&pool->lock));
    while (pool->started)
        must(pthread_join(pool->threads[--pool->started], NULL));

    /* Only when no thread ran: the rest goes home undone. */
    struct rt_message *message;
    while ((message = pop(pool)) != NULL) {
        message->status = OMS_CLOSED;
        rt_return_from_outside(pool->host, message);
    }
}
