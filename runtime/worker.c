/*
 * A worker's thread (see worker.h).
 *
 * The port's mailbox tells producers whether the thread sleeps, so the lock is taken once per sleep and wake,
 * not per message. `woken` remembers a wake-up that comes between the declaration of sleep and the wait.
 */
#include "runtime/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "runtime/base/assert.h"

static void must(int error)
{
    OMS_ASSERT(error == 0);
}

void rt_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;
    must(pthread_condattr_init(&attributes));
    must(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC));
    must(pthread_cond_init(cond, &attributes));
    must(pthread_condattr_destroy(&attributes));
}

enum oms_status rt_thread_start(pthread_t *out, const char *name, void *(*run)(void *arg), void *arg,
                                struct oms_error *error)
{
    sigset_t all, old;
    sigfillset(&all);
    must(pthread_sigmask(SIG_SETMASK, &all, &old));
    int failed = pthread_create(out, NULL, run, arg);
    must(pthread_sigmask(SIG_SETMASK, &old, NULL));
    if (failed)
        return oms_error_set(error, OMS_IO, "cannot start thread %s: %s", name, strerror(failed));
    char short_name[16];
    snprintf(short_name, sizeof short_name, "%s", name);
    (void)pthread_setname_np(*out, short_name); /* for people who look at the process */
    return OMS_OK;
}

static void wake_thread(struct rt_worker_thread *thread)
{
    must(pthread_mutex_lock(&thread->lock));
    thread->woken = true;
    must(pthread_cond_signal(&thread->wake));
    must(pthread_mutex_unlock(&thread->lock));
}

static void wake_port(struct rt_port *port)
{
    wake_thread(port->host_data);
}

void rt_worker_thread_init(struct rt_worker_thread *thread, struct rt_worker *worker)
{
    memset(thread, 0, sizeof *thread);
    thread->worker = worker;
    must(pthread_mutex_init(&thread->lock, NULL));
    rt_cond_init(&thread->wake);
    atomic_init(&thread->stopping, false);
    worker->port.host_data = thread;
    worker->port.wake = wake_port;
}

void rt_worker_thread_fini(struct rt_worker_thread *thread)
{
    OMS_ASSERT(!thread->started);
    thread->worker->port.wake = NULL;
    thread->worker->port.host_data = NULL;
    must(pthread_cond_destroy(&thread->wake));
    must(pthread_mutex_destroy(&thread->lock));
}

static struct timespec deadline_after(int64_t wait_ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)(wait_ms / 1000);
    at.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_nsec -= 1000000000;
        at.tv_sec++;
    }
    return at;
}

/* Until somebody wakes us or wait_ms (below 0: for ever) are over. */
static void wait_for_wake(struct rt_worker_thread *thread, int64_t wait_ms)
{
    struct timespec deadline = deadline_after(wait_ms < 0 ? 0 : wait_ms);
    int error = 0;

    must(pthread_mutex_lock(&thread->lock));
    while (!thread->woken && error == 0) {
        error = wait_ms < 0 ? pthread_cond_wait(&thread->wake, &thread->lock)
                            : pthread_cond_timedwait(&thread->wake, &thread->lock, &deadline);
        OMS_ASSERT(error == 0 || error == ETIMEDOUT);
    }
    thread->woken = false;
    must(pthread_mutex_unlock(&thread->lock));
}

static void *run(void *arg)
{
    struct rt_worker_thread *thread = arg;
    struct rt_mailbox *mailbox = &thread->worker->port.mailbox;

    for (;;) {
        int64_t wait_ms = -1;
        /* Looked at before the step: what was pushed before stop() is then taken by it. */
        bool stopping = atomic_load_explicit(&thread->stopping, memory_order_acquire);
        if (thread->worker->step(thread->worker, &wait_ms))
            continue;
        if (stopping) {
            if (rt_mailbox_is_empty(mailbox))
                return NULL;
            continue;
        }
        if (thread->worker->deaf && wait_ms >= 0) {
            wait_for_wake(thread, wait_ms); /* the mailbox does not know: only stop() wakes us */
            continue;
        }
        if (!rt_mailbox_sleep(mailbox))
            continue;
        wait_for_wake(thread, wait_ms);
        rt_mailbox_awake(mailbox);
    }
}

enum oms_status rt_worker_thread_start(struct rt_worker_thread *thread, struct oms_error *error)
{
    enum oms_status status = rt_thread_start(&thread->thread, thread->worker->name, run, thread, error);
    thread->started = status == OMS_OK;
    return status;
}

void rt_worker_thread_stop(struct rt_worker_thread *thread)
{
    if (!thread->started)
        return;
    atomic_store_explicit(&thread->stopping, true, memory_order_release);
    wake_thread(thread);
    must(pthread_join(thread->thread, NULL));
    thread->started = false;
}
