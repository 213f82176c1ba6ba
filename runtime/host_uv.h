/* The production host: libuv loops and threads (host_uv.c is the only file that sees uv.h). */
#ifndef RT_HOST_UV_H
#define RT_HOST_UV_H

#include "runtime/host.h"

struct uv_loop_s;

struct rt_host_uv_config {
    unsigned shards;       /* 1 … OMS_SHARDS_MAX */
    unsigned read_threads; /* 0: 2 */
    unsigned slow_threads; /* 0: 1 */
    unsigned spin_us_max;  /* a busy shard polls this long before its loop blocks; 0: no spin */
};

OMS_MUST_USE enum oms_status rt_host_uv_create(const struct rt_host_uv_config *config, struct rt_host **out,
                                               struct oms_error *error);
/* The shard's loop, for the server that shares it. Handles may be added before start, or on the shard's
 * thread. */
struct uv_loop_s *rt_host_uv_loop(struct rt_host *host, unsigned shard);
/*
 * Registers what closes the caller's own handles on a shard's loop. stop() calls it once, on the shard's
 * thread, in order of registration; the loop goes on (with the shard's turns) until all those handles are
 * closed, or until OMS_STOP_MS_MAX have passed: then the loop is abandoned, with a warning in the log. Before
 * start, or on the shard's thread. `arg` is borrowed until then. At most OMS_STOP_HOOKS_MAX per shard.
 */
void rt_host_uv_on_stop(struct rt_host *host, unsigned shard, void (*close_handles)(void *arg), void *arg);

/*
 * A socket of somebody else that a shard's loop watches, for a library that reads and writes it itself. All
 * on the shard's thread. The socket is made non-blocking; it must be open until rt_watch_close, which comes
 * before it is closed.
 */
struct rt_watch;
enum rt_watch_events { RT_WATCH_READ = 1u << 0, RT_WATCH_WRITE = 1u << 1 };
/* `ready` gets what it is ready for, 0 for an error; it may close the watch. NULL: it cannot be watched. */
struct rt_watch *rt_watch_open(struct rt_host *host, unsigned shard, int socket,
                               void (*ready)(void *context, int socket, unsigned events), void *context);
/* What is waited for from now on; 0: nothing. */
void rt_watch_want(struct rt_watch *watch, unsigned events);
/* Frees it, soon. NULL is allowed. */
void rt_watch_close(struct rt_watch *watch);

#endif
