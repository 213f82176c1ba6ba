/* Replies that wait for durability: a FIFO with rising sequences. See held.h. */
#include "actors/held.h"

#include "runtime/base/assert.h"

void held_push(struct held_queue *queue, struct rt_shard *shard, struct held_item *item, uint64_t seq,
               uint64_t durable_seq)
{
    if (seq <= durable_seq || seq <= queue->failed_seq) {
        item->release(shard, item, seq <= durable_seq ? OMS_OK : OMS_IO);
        return;
    }
    item->next = NULL;
    item->seq = seq;
    if (queue->last) {
        if (item->seq < queue->last->seq)
            item->seq = queue->last->seq;
        queue->last->next = item;
    } else {
        queue->first = item;
    }
    queue->last = item;
    queue->count++;
}

void held_release(struct held_queue *queue, struct rt_shard *shard, uint64_t durable_seq,
                  enum oms_status status)
{
    if (status != OMS_OK)
        queue->failed_seq = durable_seq;
    while (queue->first && queue->first->seq <= durable_seq) {
        struct held_item *item = queue->first;
        queue->first = item->next;
        if (!queue->first)
            queue->last = NULL;
        OMS_ASSERT(queue->count > 0);
        queue->count--;
        item->release(shard, item, status);
    }
}
