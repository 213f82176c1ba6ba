/*
 * A pool: a few threads that run jobs which may block. Jobs start in order and end in any. Internal to
 * runtime/; host_uv.c owns these.
 */
#ifndef RT_POOL_H
#define RT_POOL_H

#include "runtime/worker.h"

/* Waiting jobs of a pool; a tenth is kept for RT_MESSAGE_SYSTEM. Over it a job comes home with OMS_BUSY. */
#define RT_POOL_QUEUE_MAX   32768
#define RT_POOL_THREADS_MAX 64

struct rt_job_queue {
    struct rt_host *host;
    const char *name;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct rt_message *first, *last; /* under the lock, as all below */
    unsigned queued;
    unsigned idle;
    bool closed;
    unsigned started;
    pthread_t threads[RT_POOL_THREADS_MAX];
};

void rt_job_queue_init(struct rt_job_queue *pool, struct rt_host *host, const char *name);
void rt_job_queue_fini(struct rt_job_queue *pool);
OMS_MUST_USE enum oms_status rt_job_queue_start(struct rt_job_queue *pool, unsigned threads,
                                                struct oms_error *error);
/* Any thread. Takes the job, or sends it home at once. */
void rt_job_queue_push(struct rt_job_queue *pool, struct rt_job *job);
/* Runs what waits, joins the threads; later jobs come home with OMS_CLOSED. */
void rt_job_queue_stop(struct rt_job_queue *pool);

#endif
