/*
 * Timers: a 4-ary heap of pointers, each timer knowing its place so that it can be moved or stopped.
 *
 * Four children lie in half a cache line of pointers and halve the height of a binary heap. Invariants:
 * slots[1] is the earliest; slots[i]->heap_index == i; a timer that does not run has heap_index 0. Timers due
 * at the same millisecond fire in no promised order, but in the same one for the same history.
 */
#include "runtime/timer.h"

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/shard_internal.h"

#define ARITY 4u

static size_t parent_of(size_t index)
{
    return (index - 2) / ARITY + 1;
}

static size_t first_child_of(size_t index)
{
    return (index - 1) * ARITY + 2;
}

static void put(struct rt_timer_heap *heap, size_t index, struct rt_timer *timer)
{
    heap->slots[index] = timer;
    timer->heap_index = index;
}

static void sift_up(struct rt_timer_heap *heap, size_t index, struct rt_timer *timer)
{
    while (index > 1 && heap->slots[parent_of(index)]->due_ms > timer->due_ms) {
        put(heap, index, heap->slots[parent_of(index)]);
        index = parent_of(index);
    }
    put(heap, index, timer);
}

static void sift_down(struct rt_timer_heap *heap, size_t index, struct rt_timer *timer)
{
    for (;;) {
        size_t child = first_child_of(index), earliest = child;
        if (child > heap->count)
            break;
        for (size_t i = child + 1; i < child + ARITY && i <= heap->count; i++) {
            if (heap->slots[i]->due_ms < heap->slots[earliest]->due_ms)
                earliest = i;
        }
        if (heap->slots[earliest]->due_ms >= timer->due_ms)
            break;
        put(heap, index, heap->slots[earliest]);
        index = earliest;
    }
    put(heap, index, timer);
}

static void remove_at(struct rt_timer_heap *heap, size_t index)
{
    struct rt_timer *last = heap->slots[heap->count--];

    heap->slots[index]->heap_index = 0;
    if (index > heap->count)
        return; /* it was the last */
    if (index > 1 && heap->slots[parent_of(index)]->due_ms > last->due_ms)
        sift_up(heap, index, last);
    else
        sift_down(heap, index, last);
}

void rt_timer_heap_init(struct rt_timer_heap *heap)
{
    memset(heap, 0, sizeof *heap);
}

void rt_timer_heap_fini(struct rt_timer_heap *heap)
{
    /* Their owners may stop them later, which must find them not running. */
    for (size_t i = 1; i <= heap->count; i++)
        heap->slots[i]->heap_index = 0;
    oms_free(heap->slots);
    rt_timer_heap_init(heap);
}

struct rt_timer *rt_timer_heap_take_due(struct rt_timer_heap *heap, int64_t now_ms)
{
    if (!heap->count || heap->slots[1]->due_ms > now_ms)
        return NULL;
    struct rt_timer *timer = heap->slots[1];
    remove_at(heap, 1);
    return timer;
}

void rt_timer_start(struct rt_shard *shard, struct rt_timer *timer, int64_t due_ms)
{
    struct rt_timer_heap *heap = &shard->timers;

    OMS_ASSERT(timer->fire);
    rt_timer_stop(shard, timer);
    timer->due_ms = due_ms;
    if (heap->count + 1 >= heap->capacity) {
        heap->capacity = heap->capacity ? heap->capacity * 2 : 16;
        heap->slots = oms_reallocarray(heap->slots, heap->capacity, sizeof(struct rt_timer *));
    }
    heap->count++;
    sift_up(heap, heap->count, timer);
}

void rt_timer_stop(struct rt_shard *shard, struct rt_timer *timer)
{
    if (!timer->heap_index)
        return;
    OMS_ASSERT(timer->heap_index <= shard->timers.count && shard->timers.slots[timer->heap_index] == timer);
    remove_at(&shard->timers, timer->heap_index);
}
