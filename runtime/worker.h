/*
 * A thread for a worker: calls its step function, sleeps when that says so, and drains the port before it
 * ends. Internal to runtime/; host_uv.c owns these.
 */
#ifndef RT_WORKER_H
#define RT_WORKER_H

#include <pthread.h>

#include "runtime/host.h"

struct rt_worker_thread {
    struct rt_worker *worker; /* borrowed */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool woken; /* under the lock */
    atomic_bool stopping;
    bool started;
};

/* Takes over the worker's port: its wake-ups go to this thread. */
void rt_worker_thread_init(struct rt_worker_thread *thread, struct rt_worker *worker);
void rt_worker_thread_fini(struct rt_worker_thread *thread);
OMS_MUST_USE enum oms_status rt_worker_thread_start(struct rt_worker_thread *thread, struct oms_error *error);
/* Lets it drain its port and joins it. Nothing when it was not started. */
void rt_worker_thread_stop(struct rt_worker_thread *thread);

/* A thread with all signals blocked (they belong to the main thread) and a name of at most 15 bytes. */
OMS_MUST_USE enum oms_status rt_thread_start(pthread_t *out, const char *name, void *(*run)(void *arg),
                                             void *arg, struct oms_error *error);
/* A condition whose time-outs are on the monotonic clock. */
void rt_cond_init(pthread_cond_t *cond);

#endif
