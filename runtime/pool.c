/*
 * A pool of threads (see pool.h). A lock and a condition: a job costs far more than they do. Jobs that still
 * wait at stop are run, by the threads or, when none was started, sent home with OMS_CLOSED.
 */
#include "runtime/pool.h"

#include <stdio.h>

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
    must(pthread_cond_destroy(&pool->wake));
    must(pthread_mutex_destroy(&pool->lock));
}

/* The oldest job, waiting for one; NULL when the pool is closed and empty. */
static struct rt_job *take(struct rt_job_queue *pool)
{
    must(pthread_mutex_lock(&pool->lock));
    pool->idle++;
    while (!pool->first && !pool->closed)
        must(pthread_cond_wait(&pool->wake, &pool->lock));
    pool->idle--;
    struct rt_message *message = pool->first;
    if (message) {
        pool->first = message->next;
        if (!pool->first)
            pool->last = NULL;
        pool->queued--;
    }
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
    OMS_ASSERT(threads <= RT_POOL_THREADS_MAX);
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
    unsigned limit = RT_POOL_QUEUE_MAX;

    OMS_ASSERT(job->run && message->on_return);
    if (!(message->flags & RT_MESSAGE_SYSTEM))
        limit -= limit / 10;
    message->status = OMS_OK;
    message->next = NULL;
    must(pthread_mutex_lock(&pool->lock));
    if (pool->closed) {
        message->status = OMS_CLOSED;
    } else if (pool->queued >= limit) {
        message->status = OMS_BUSY;
    } else {
        if (pool->last)
            pool->last->next = message;
        else
            pool->first = message;
        pool->last = message;
        pool->queued++;
        if (pool->idle)
            must(pthread_cond_signal(&pool->wake));
        message = NULL;
    }
    must(pthread_mutex_unlock(&pool->lock));
    if (message)
        rt_return_from_outside(pool->host, message);
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
    struct rt_message *message = pool->first;
    pool->first = pool->last = NULL;
    pool->queued = 0;
    while (message) {
        struct rt_message *next = message->next;
        message->status = OMS_CLOSED;
        rt_return_from_outside(pool->host, message);
        message = next;
    }
}
