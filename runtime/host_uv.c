/*
 * The production host: a libuv loop and a thread per shard, a thread per worker, three pools.
 *
 * A shard's turn runs in the loop's prepare phase, just before it polls: whatever the callbacks of this
 * iteration sent is then taken up, and whether the poll may block is known. Invariants: the poll blocks only
 * after the turn found nothing more and the mailbox agreed to sleep; an idle handle is active exactly while
 * it must not block. The async handle stays open until every thread that could wake it was joined, so a late
 * wake-up finds it.
 */
#include "runtime/host_uv.h"

#include <stdio.h>
#include <time.h>
#include <uv.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"
#include "runtime/base/prng.h"
#include "runtime/host_internal.h"
#include "runtime/pool.h"
#include "runtime/shard_internal.h"

enum {
    READ_THREADS_DEFAULT = 2,
    SLOW_THREADS_DEFAULT = 1,
    LOAD_THREADS = 1,     /* a load is one short read; more would only compete with the shards */
    SPIN_CREDIT_MAX = 8,  /* see spin() */
    SPIN_SLICE_NS = 5000, /* spinning looks at the sockets this often */
    SPIN_LOOKS = 8,       /* between two looks at the clock */
    STOP_POLL_MS = 50,    /* while it waits for foreign handles to close */
    RANDOM_WORDS = 32,    /* drawn from the system at a time, per thread */
};

struct uv_stop_hook {
    void (*call)(void *arg);
    void *arg;
};

struct uv_shard {
    uv_loop_t loop;
    uv_async_t async;     /* wakes the poll */
    uv_prepare_t prepare; /* runs the turn */
    uv_check_t check;     /* notices that the poll is over */
    uv_idle_t idle;       /* active: the poll does not block */
    uv_timer_t timer;     /* ends a blocking poll for the shard's next timer */
    struct uv_host *host;
    struct rt_shard *shard;
    pthread_t thread;
    bool started;
    bool asleep;             /* the mailbox was told so */
    bool ending;             /* stop hooks were called */
    unsigned spin_credit;    /* see spin() */
    uint64_t quiet_since_ns; /* 0: not spinning */
    uint64_t asleep_since_ns;
    uint64_t end_by_ns;
    struct uv_stop_hook hooks[OMS_STOP_HOOKS_MAX];
    unsigned hook_count;
};

struct uv_host {
    struct rt_host base;
    uint64_t spin_ns;
    unsigned pool_threads[RT_POOL_COUNT];
    struct uv_shard **uv_shards;
    struct rt_worker_list workers;
    struct rt_worker_thread *worker_threads; /* from start to the end of stop, in the order of workers */
    struct rt_job_queue pools[RT_POOL_COUNT];
    atomic_bool stopping;
    bool started, stopped;
    _Atomic(int64_t) clock_floor; /* see uv_host_now_ms */
};

static struct uv_host *host_of(struct rt_host *host)
{
    return (struct uv_host *)host; /* base is the first member */
}

/* ---- time and randomness ---- */

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t uv_host_mono_ns(struct rt_host *host)
{
    (void)host;
    return clock_ns(CLOCK_MONOTONIC);
}

/*
 * The wall clock, but never back, for any two calls of which one happens before the other. When the wall
 * clock is set back, ours goes on at half speed until it is caught up (frozen, it would stop all timers).
 * clock_floor is the largest (returned − monotonic/2) so far; as the monotonic clock grows, so does
 * clock_floor + monotonic/2.
 */
static int64_t uv_host_now_ms(struct rt_host *base)
{
    struct uv_host *host = host_of(base);
    /* Acquire and release: who saw a time by any other means must see the floor that belongs to it. */
    int64_t floor = atomic_load_explicit(&host->clock_floor, memory_order_acquire);
    int64_t half_mono_ms = (int64_t)(clock_ns(CLOCK_MONOTONIC) / 2000000);
    int64_t now_ms = (int64_t)(clock_ns(CLOCK_REALTIME) / 1000000);

    if (now_ms < floor + half_mono_ms)
        now_ms = floor + half_mono_ms;
    while (now_ms - half_mono_ms > floor &&
           !atomic_compare_exchange_weak_explicit(&host->clock_floor, &floor, now_ms - half_mono_ms,
                                                  memory_order_acq_rel, memory_order_acquire)) {
        /* Another thread raised it: look again. */
    }
    return now_ms;
}

static uint64_t uv_host_random(struct rt_host *host)
{
    static _Thread_local uint64_t words[RANDOM_WORDS];
    static _Thread_local unsigned left;

    (void)host;
    if (!left) {
        oms_random_bytes(words, sizeof words);
        left = RANDOM_WORDS;
    }
    uint64_t word = words[--left];
    words[left] = 0; /* used once, also for who reads our memory later */
    return word;
}

/* ---- the loop of a shard ---- */

static void wake_loop(struct rt_port *port)
{
    struct uv_shard *shard = port->host_data;
    int failed = uv_async_send(&shard->async);
    OMS_ASSERT(failed == 0);
}

static void on_async(uv_async_t *handle)
{
    (void)handle; /* its work is done: the poll returned */
}

static void on_idle(uv_idle_t *handle)
{
    (void)handle; /* exists only to make the poll's time-out zero */
}

static void on_timer(uv_timer_t *handle)
{
    (void)handle;
}

/* Lets the poll only look at the sockets. */
static void poll_only(struct uv_shard *shard)
{
    if (!uv_is_active((uv_handle_t *)&shard->idle))
        uv_idle_start(&shard->idle, on_idle);
}

static void block(struct uv_shard *shard, int64_t wait_ms)
{
    uv_idle_stop(&shard->idle);
    if (shard->ending && (wait_ms < 0 || wait_ms > STOP_POLL_MS))
        wait_ms = STOP_POLL_MS;
    if (wait_ms >= 0) {
        /* The loop's idea of now is from before the turn; by it the timer would come too early. */
        uv_update_time(&shard->loop);
        uv_timer_start(&shard->timer, on_timer, (uint64_t)wait_ms, 0);
    } else {
        uv_timer_stop(&shard->timer);
    }
    shard->asleep = true;
    if (shard->host->spin_ns)
        shard->asleep_since_ns = clock_ns(CLOCK_MONOTONIC);
}

static void on_check(uv_check_t *handle)
{
    struct uv_shard *shard = handle->data;

    if (!shard->asleep)
        return;
    shard->asleep = false;
    rt_mailbox_awake(&rt_shard_port(shard->shard)->mailbox);
    if (!shard->host->spin_ns)
        return;
    /* A nap so short that spinning would nearly have bridged it speaks for spinning; a long one against it.
     */
    if (clock_ns(CLOCK_MONOTONIC) - shard->asleep_since_ns > 4 * shard->host->spin_ns)
        shard->spin_credit = 0;
    else if (shard->spin_credit < SPIN_CREDIT_MAX)
        shard->spin_credit++;
}

static void pause_processor(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

enum spin { SPIN_END, SPIN_POLL, SPIN_WORK };

/*
 * Whether to look again at once instead of blocking. Waking a blocked loop costs tens of microseconds, so a
 * shard that has credit keeps looking for spin_ns after its last work. Credit comes from short naps and from
 * spinning that met work, and goes by spinning in vain; after one long nap it is zero, so an idle shard does
 * not spin at all.
 */
static enum spin spin(struct uv_shard *shard, bool did_work, uint64_t slice_end_ns)
{
    if (!shard->spin_credit || shard->ending) {
        shard->quiet_since_ns = 0;
        return SPIN_END;
    }
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    if (did_work || !shard->quiet_since_ns) {
        if (did_work && shard->quiet_since_ns)
            shard->spin_credit = SPIN_CREDIT_MAX;
        shard->quiet_since_ns = now;
    } else if (now - shard->quiet_since_ns > shard->host->spin_ns) {
        shard->spin_credit -= shard->spin_credit > 1 ? 2 : 1;
        shard->quiet_since_ns = 0;
        return SPIN_END;
    }
    for (; now < slice_end_ns; now = clock_ns(CLOCK_MONOTONIC)) {
        for (unsigned i = 0; i < SPIN_LOOKS; i++) {
            if (!rt_mailbox_is_empty(&rt_shard_port(shard->shard)->mailbox))
                return SPIN_WORK;
            pause_processor();
        }
    }
    return SPIN_POLL;
}

/* From now on our own handles do not keep the loop alive: it ends when the others are closed. */
static void begin_end(struct uv_shard *shard)
{
    shard->ending = true;
    shard->end_by_ns = clock_ns(CLOCK_MONOTONIC) + UINT64_C(1000000) * OMS_STOP_MS_MAX;
    uv_unref((uv_handle_t *)&shard->async);
    uv_unref((uv_handle_t *)&shard->prepare);
    uv_unref((uv_handle_t *)&shard->check);
    uv_unref((uv_handle_t *)&shard->idle);
    uv_unref((uv_handle_t *)&shard->timer);
    for (unsigned i = 0; i < shard->hook_count; i++)
        shard->hooks[i].call(shard->hooks[i].arg);
}

/* Turns until the sockets should be looked at; true when that may block, and then *wait_ms says how long. */
static bool take_turns(struct uv_shard *shard, int64_t *wait_ms)
{
    uint64_t slice_end_ns = shard->spin_credit ? clock_ns(CLOCK_MONOTONIC) + SPIN_SLICE_NS : 0;

    for (;;) {
        uint64_t turns = shard->shard->stats.turns;
        if (rt_shard_step(shard->shard, wait_ms)) {
            shard->quiet_since_ns = 0;
            return false;
        }
        if (!shard->host->spin_ns)
            return true;
        switch (spin(shard, shard->shard->stats.turns != turns, slice_end_ns)) {
        case SPIN_END:
            return true;
        case SPIN_POLL:
            return false;
        case SPIN_WORK:
            break;
        }
    }
}

static void on_prepare(uv_prepare_t *handle)
{
    struct uv_shard *shard = handle->data;
    int64_t wait_ms;

    if (!shard->ending && atomic_load_explicit(&shard->host->stopping, memory_order_acquire))
        begin_end(shard);
    if (shard->ending && clock_ns(CLOCK_MONOTONIC) > shard->end_by_ns)
        uv_stop(&shard->loop);

    if (take_turns(shard, &wait_ms) && rt_mailbox_sleep(&rt_shard_port(shard->shard)->mailbox))
        block(shard, wait_ms);
    else
        poll_only(shard);
}

static void *run_loop(void *arg)
{
    struct uv_shard *shard = arg;
    uv_run(&shard->loop, UV_RUN_DEFAULT);
    return NULL;
}

/* ---- start and stop ---- */

static enum oms_status start_shards(struct uv_host *host, struct oms_error *error)
{
    for (unsigned i = 0; i < host->base.shard_count; i++) {
        struct uv_shard *shard = host->uv_shards[i];
        char name[32];
        snprintf(name, sizeof name, "shard-%u", i);
        enum oms_status status = rt_thread_start(&shard->thread, name, run_loop, shard, error);
        if (status != OMS_OK)
            return status;
        shard->started = true;
    }
    return OMS_OK;
}

static enum oms_status uv_host_start(struct rt_host *base, struct oms_error *error)
{
    struct uv_host *host = host_of(base);
    enum oms_status status = OMS_OK;

    OMS_ASSERT(!host->started && !host->stopped);
    host->started = true;
    host->worker_threads = oms_calloc(host->workers.count + 1, sizeof *host->worker_threads);
    for (unsigned i = 0; i < host->workers.count; i++)
        rt_worker_thread_init(&host->worker_threads[i], host->workers.items[i]);
    for (unsigned i = 0; i < host->workers.count && status == OMS_OK; i++)
        status = rt_worker_thread_start(&host->worker_threads[i], error);
    for (unsigned i = 0; i < RT_POOL_COUNT && status == OMS_OK; i++)
        status = rt_job_queue_start(&host->pools[i], host->pool_threads[i], error);
    return status == OMS_OK ? start_shards(host, error) : status;
}

static void stop_shards(struct uv_host *host)
{
    atomic_store_explicit(&host->stopping, true, memory_order_release);
    for (unsigned i = 0; i < host->base.shard_count; i++)
        wake_loop(rt_shard_port(host->base.shards[i]));
    for (unsigned i = 0; i < host->base.shard_count; i++) {
        struct uv_shard *shard = host->uv_shards[i];
        if (shard->started) {
            int failed = pthread_join(shard->thread, NULL);
            OMS_ASSERT(failed == 0);
            shard->started = false;
        } else {
            run_loop(shard); /* no thread ever ran it; foreign handles need it to close */
        }
    }
}

static void uv_host_stop(struct rt_host *base)
{
    struct uv_host *host = host_of(base);

    if (host->stopped)
        return;
    host->stopped = true;
    stop_shards(host);
    for (unsigned i = 0; host->started && i < host->workers.count; i++)
        rt_worker_thread_stop(&host->worker_threads[i]);
    for (unsigned i = 0; i < RT_POOL_COUNT; i++)
        rt_job_queue_stop(&host->pools[i]);
    rt_host_finish(base, &host->workers);
    /* The workers are their owners' again, who may free them before the host is destroyed. */
    for (unsigned i = 0; host->worker_threads && i < host->workers.count; i++)
        rt_worker_thread_fini(&host->worker_threads[i]);
    oms_free(host->worker_threads);
    host->worker_threads = NULL;
    rt_worker_list_fini(&host->workers);
}

/* ---- create and destroy ---- */

static enum oms_status open_loop(struct uv_shard *shard, struct oms_error *error)
{
    int failed = uv_loop_init(&shard->loop);
    if (failed)
        return oms_error_set(error, OMS_IO, "cannot make an event loop: %s", uv_strerror(failed));
    failed = uv_async_init(&shard->loop, &shard->async, on_async);
    if (failed) {
        uv_loop_close(&shard->loop);
        return oms_error_set(error, OMS_IO, "cannot make a loop's wake-up: %s", uv_strerror(failed));
    }
    /* These do not fail. */
    uv_prepare_init(&shard->loop, &shard->prepare);
    uv_check_init(&shard->loop, &shard->check);
    uv_idle_init(&shard->loop, &shard->idle);
    uv_timer_init(&shard->loop, &shard->timer);
    shard->prepare.data = shard->check.data = shard;
    uv_prepare_start(&shard->prepare, on_prepare);
    uv_check_start(&shard->check, on_check);
    return OMS_OK;
}

/* False when foreign handles are still open: then libuv may still point to the loop, and it must stay. */
static bool close_loop(struct uv_shard *shard)
{
    uv_handle_t *own[] = {(uv_handle_t *)&shard->async, (uv_handle_t *)&shard->prepare,
                          (uv_handle_t *)&shard->check, (uv_handle_t *)&shard->idle,
                          (uv_handle_t *)&shard->timer};
    for (unsigned i = 0; i < OMS_COUNT_OF(own); i++)
        uv_close(own[i], NULL);
    uv_run(&shard->loop, UV_RUN_NOWAIT);
    if (uv_loop_close(&shard->loop) == 0)
        return true;
    OMS_LOG(OMS_LOG_WARN, "runtime.loop_abandoned", OMS_LOG_U64("shard", rt_shard_index(shard->shard)));
    return false;
}

static void uv_host_destroy(struct rt_host *base)
{
    struct uv_host *host = host_of(base);

    if (!base)
        return;
    uv_host_stop(base);
    for (unsigned i = 0; i < RT_POOL_COUNT; i++)
        rt_job_queue_fini(&host->pools[i]);
    for (unsigned i = 0; i < base->shard_count; i++) {
        if (close_loop(host->uv_shards[i]))
            oms_free(host->uv_shards[i]);
        rt_shard_destroy(base->shards[i]);
    }
    oms_free(host->uv_shards);
    oms_free(base->shards);
    oms_free(host);
}

static void uv_host_add_worker(struct rt_host *base, struct rt_worker *worker)
{
    struct uv_host *host = host_of(base);
    OMS_ASSERT(!host->started);
    rt_worker_list_add(&host->workers, worker);
}

static void uv_host_offload(struct rt_host *base, enum rt_pool pool, struct rt_job *job)
{
    OMS_ASSERT((unsigned)pool < RT_POOL_COUNT);
    rt_job_queue_push(&host_of(base)->pools[pool], job);
}

static const struct rt_host_ops uv_host_ops = {
    .now_ms = uv_host_now_ms,
    .mono_ns = uv_host_mono_ns,
    .random = uv_host_random,
    .offload = uv_host_offload,
    .add_worker = uv_host_add_worker,
    .start = uv_host_start,
    .stop = uv_host_stop,
    .destroy = uv_host_destroy,
};

static enum oms_status make_shards(struct uv_host *host, unsigned count, struct oms_error *error)
{
    host->uv_shards = oms_calloc(count, sizeof(struct uv_shard *));
    host->base.shards = oms_calloc(count, sizeof(struct rt_shard *));
    /* shard_count is what destroy takes down, and what rt_shard_create checks against. */
    for (unsigned i = 0; i < count; i++) {
        struct uv_shard *shard = oms_calloc(1, sizeof *shard);
        enum oms_status status = open_loop(shard, error);
        if (status != OMS_OK) {
            oms_free(shard);
            host->base.shard_count = i;
            return status;
        }
        host->base.shard_count = count;
        shard->host = host;
        shard->shard = rt_shard_create(&host->base, i);
        rt_shard_port(shard->shard)->host_data = shard;
        rt_shard_port(shard->shard)->wake = wake_loop;
        host->uv_shards[i] = shard;
        host->base.shards[i] = shard->shard;
    }
    return OMS_OK;
}

enum oms_status rt_host_uv_create(const struct rt_host_uv_config *config, struct rt_host **out,
                                  struct oms_error *error)
{
    *out = NULL;
    if (config->shards < 1 || config->shards > OMS_SHARDS_MAX)
        return oms_error_set(error, OMS_INVALID, "shards must be 1 to %d", OMS_SHARDS_MAX);
    if (config->read_threads > OMS_POOL_THREADS_MAX || config->slow_threads > OMS_POOL_THREADS_MAX)
        return oms_error_set(error, OMS_INVALID, "a pool has at most %d threads", OMS_POOL_THREADS_MAX);

    struct uv_host *host = oms_calloc(1, sizeof *host);
    host->base.ops = &uv_host_ops;
    host->spin_ns = (uint64_t)config->spin_us_max * 1000;
    host->pool_threads[RT_POOL_READ] = config->read_threads ? config->read_threads : READ_THREADS_DEFAULT;
    host->pool_threads[RT_POOL_SLOW] = config->slow_threads ? config->slow_threads : SLOW_THREADS_DEFAULT;
    host->pool_threads[RT_POOL_LOAD] = LOAD_THREADS;
    rt_job_queue_init(&host->pools[RT_POOL_READ], &host->base, "pool-read");
    rt_job_queue_init(&host->pools[RT_POOL_SLOW], &host->base, "pool-slow");
    rt_job_queue_init(&host->pools[RT_POOL_LOAD], &host->base, "pool-load");
    atomic_init(&host->stopping, false);
    atomic_init(&host->clock_floor, INT64_MIN / 2);

    enum oms_status status = make_shards(host, config->shards, error);
    if (status == OMS_OK)
        *out = &host->base;
    else
        uv_host_destroy(&host->base);
    return status;
}

struct uv_loop_s *rt_host_uv_loop(struct rt_host *host, unsigned shard)
{
    OMS_ASSERT(host->ops == &uv_host_ops && shard < host->shard_count);
    return &host_of(host)->uv_shards[shard]->loop;
}

void rt_host_uv_on_stop(struct rt_host *host, unsigned shard, void (*close_handles)(void *arg), void *arg)
{
    OMS_ASSERT(host->ops == &uv_host_ops && shard < host->shard_count);
    struct uv_shard *uv_shard = host_of(host)->uv_shards[shard];
    OMS_ASSERT(uv_shard->hook_count < OMS_STOP_HOOKS_MAX && !uv_shard->ending);
    uv_shard->hooks[uv_shard->hook_count++] = (struct uv_stop_hook){close_handles, arg};
}

/* ---- watches ---- */

struct rt_watch {
    uv_poll_t poll;
    int socket;
    unsigned wanted;
    void (*ready)(void *context, int socket, unsigned events);
    void *context;
};

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct rt_watch *watch = poll->data;
    unsigned ready = 0;

    if (status == 0 && events & UV_READABLE)
        ready |= RT_WATCH_READ;
    if (status == 0 && events & UV_WRITABLE)
        ready |= RT_WATCH_WRITE;
    watch->ready(watch->context, watch->socket, ready);
}

struct rt_watch *rt_watch_open(struct rt_host *host, unsigned shard, int socket,
                               void (*ready)(void *context, int socket, unsigned events), void *context)
{
    struct rt_watch *watch = oms_calloc(1, sizeof *watch);

    if (uv_poll_init(rt_host_uv_loop(host, shard), &watch->poll, socket) != 0) {
        oms_free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    watch->socket = socket;
    watch->ready = ready;
    watch->context = context;
    return watch;
}

void rt_watch_want(struct rt_watch *watch, unsigned events)
{
    int wanted = (events & RT_WATCH_READ ? UV_READABLE : 0) | (events & RT_WATCH_WRITE ? UV_WRITABLE : 0);

    if (events == watch->wanted)
        return;
    watch->wanted = events;
    if (!wanted) {
        uv_poll_stop(&watch->poll);
        return;
    }
    int failed = uv_poll_start(&watch->poll, wanted, on_ready);
    OMS_ASSERT(failed == 0); /* only for a handle that is being closed */
}

static void on_watch_closed(uv_handle_t *handle)
{
    oms_free(handle->data);
}

void rt_watch_close(struct rt_watch *watch)
{
    if (watch)
        uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
}
