/*
 * Timers of a shard: one-shot, millisecond, in memory. A timer belongs to who declares it; starting one that runs
 * moves it. Durable deadlines are data of the store, not these.
 */
#ifndef RT_TIMER_H
#define RT_TIMER_H

#include <stddef.h>
#include <stdint.h>

struct rt_shard;

struct rt_timer {
    int64_t due_ms;
    size_t heap_index; /* 1-based; 0 when not running */
    void (*fire)(struct rt_shard *shard, struct rt_timer *timer);
};

/* due_ms is in the host's now_ms. The shard's thread. */
void rt_timer_start(struct rt_shard *shard, struct rt_timer *timer, int64_t due_ms);
void rt_timer_stop(struct rt_shard *shard, struct rt_timer *timer);

#endif
