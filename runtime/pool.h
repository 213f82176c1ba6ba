/*
 * A pool: a few threads that run jobs which may block. Internal to runtime/; host_uv.c owns these.
 *
 * The tenants that have jobs waiting take turns, a job each; a tenant's jobs start in order. Jobs of no
 * tenant (0) have a turn as one tenant has. So a job waits for at most one job of each other tenant per job
 * of its own before it, however many those have sent.
 */
#ifndef RT_POOL_H
#define RT_POOL_H

#include "runtime/base/limits.h"
#include "runtime/worker.h"

/*
 * Waiting jobs of a pool, a tenth kept for RT_MESSAGE_SYSTEM; and of one tenant in it (jobs of no tenant are
 * not capped). Over it a job comes home with OMS_BUSY.
 */
#define RT_POOL_BUCKETS 1024 /* of the table of tenants; a power of two */

/* The waiting jobs of one tenant. It exists while there are any. */
struct rt_job_lane {
    uint32_t tenant;
    unsigned queued;
    struct rt_message *first, *last;
    struct rt_job_lane *next; /* in the round, or among the spares */
    struct rt_job_lane *bucket_next;
};

struct rt_job_queue {
    struct rt_host *host;
    const char *name;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct rt_job_lane *first, *last; /* the round: whose turn is next; under the lock, as all below */
    struct rt_job_lane *spare;        /* to be used again */
    struct rt_job_lane *buckets[RT_POOL_BUCKETS];
    unsigned queued; /* jobs of all lanes */
    unsigned idle;
    bool closed;
    unsigned started;
    pthread_t threads[OMS_POOL_THREADS_MAX];
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
