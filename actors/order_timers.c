/*
 * Durable deadlines: shard 0 asks the store now and then what is due and sends each to its order, which decides
 * whether it still means anything. A deadline stays in the store until its order's next unit removes it, so a crash
 * between the two only sends it again.
 */
#include "actors/order_codec.h"
#include "actors/system_shard.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

#define TIMER_POLL_MS    500
#define TIMERS_PER_POLL  1024

struct timer_poll {
    struct store_read read;
    int64_t now_ms;
    unsigned char from[ORDER_TIMER_KEY_SIZE + 1]; /* where this page of the round starts */
    size_t from_len;
    size_t count;
    struct {
        struct rt_address address;
        struct order_timer timer;
    } due[TIMERS_PER_POLL];
};

static void poll_run(struct store_read *read, struct store_engine *engine, struct store_view *view)
{
    struct timer_poll *poll = OMS_CONTAINER_OF(read, struct timer_poll, read);
    unsigned char upper[8];
    oms_put_be64(upper, (uint64_t)poll->now_ms + 1);
    struct oms_str from = oms_str_make(poll->from, poll->from_len);
    struct store_iter *iter = engine->ops->iter_open(view, STORE_TIMERS, from, oms_str_make(upper, sizeof(upper)));
    struct oms_str key, value;
    enum oms_status status = OMS_OK;
    engine->ops->iter_seek(iter, from);
    while (poll->count < TIMERS_PER_POLL && engine->ops->iter_item(iter, &key, &value, &status)) {
        if (order_timer_read(key, &poll->due[poll->count].address, &poll->due[poll->count].timer)) {
            poll->count++;
            memcpy(poll->from, key.data, key.len);
            poll->from[key.len] = 0; /* the next page starts behind this key */
            poll->from_len = key.len + 1;
        }
        engine->ops->iter_next(iter);
    }
    engine->ops->iter_close(iter);
}

static void due_returned(struct rt_shard *shard, struct rt_message *message)
{
    (void)shard;
    oms_free(OMS_CONTAINER_OF(message, struct order_timer_message, message));
}

static void poll_returned(struct rt_shard *shard, struct rt_message *message)
{
    struct timer_poll *poll = OMS_CONTAINER_OF(message, struct timer_poll, read.job.message);
    struct actors_shard *as = actors_shard_of(shard);
    for (size_t i = 0; i < poll->count; i++) {
        /* What cannot act is not asked: the overdue orders of a suspended tenant would be woken twice a second. */
        const struct tenant_version *tenant = tenant_table_get(&as->tenants, poll->due[i].address.tenant);
        bool operators = poll->due[i].address.tenant == 0; /* its inbox */
        if (!operators && (!tenant || tenant->status != TENANT_ACTIVE))
            continue;
        struct order_timer_message *due = oms_calloc(1, sizeof(*due));
        due->message.to = poll->due[i].address;
        due->message.home = (uint16_t)rt_shard_index(shard);
        due->message.kind = ORDER_MESSAGE_TIMER;
        due->message.flags = RT_MESSAGE_SYSTEM;
        due->message.on_return = due_returned;
        due->timer = poll->due[i].timer;
        rt_send(shard, &due->message);
    }
    if (poll->count == TIMERS_PER_POLL) {
        /* A full page: go on behind it at once, so that deadlines that cannot be acted on now starve no others. */
        poll->count = 0;
        store_read(as->store, shard, &poll->read);
        return;
    }
    rt_timer_start(shard, &as->timer_poll, rt_now_ms(as->system->config.host) + TIMER_POLL_MS);
}

bool order_timers_discard(struct rt_message *message)
{
    if (message->on_return == due_returned) {
        oms_free(OMS_CONTAINER_OF(message, struct order_timer_message, message));
        return true;
    }
    return message->on_return == poll_returned; /* the shard's own, wherever it was */
}

static void poll_fire(struct rt_shard *shard, struct rt_timer *timer)
{
    struct actors_shard *as = OMS_CONTAINER_OF(timer, struct actors_shard, timer_poll);
    struct timer_poll *poll = as->poll;
    memset(&poll->read, 0, sizeof(poll->read));
    poll->now_ms = rt_now_ms(as->system->config.host);
    poll->from_len = 0;
    poll->count = 0;
    poll->read.run = poll_run;
    poll->read.job.message.home = (uint16_t)rt_shard_index(shard);
    poll->read.job.message.on_return = poll_returned;
    store_read(as->store, shard, &poll->read);
}

void order_timers_start(struct actors_shard *as)
{
    as->poll = oms_calloc(1, sizeof(*as->poll));
    as->timer_poll.fire = poll_fire;
    rt_timer_start(as->shard, &as->timer_poll, rt_now_ms(as->system->config.host) + TIMER_POLL_MS);
}

void order_timers_fini(struct actors_shard *as)
{
    oms_free(as->poll);
}
