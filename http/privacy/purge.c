/* See purge.h. */
#include "http/privacy/purge.h"

#include <string.h>

#include "runtime/base/assert.h"
#include "runtime/shard.h"
#include "storage/keys.h"

/* An address's keys, or a tenant's orders', in both families that have personal texts. */
struct ranges {
    struct store_range items[2 * HTTP_PURGE_ORDERS_MAX];
    unsigned char bytes[HTTP_PURGE_ORDERS_MAX][2][STORE_ADDRESS_KEY_SIZE + 16];
    size_t count;
};

static void add(struct ranges *ranges, size_t at, size_t low_len, size_t high_len)
{
    struct oms_str lower = oms_str_make(ranges->bytes[at][0], low_len);
    struct oms_str upper = oms_str_make(ranges->bytes[at][1], high_len);
    ranges->items[ranges->count++] = (struct store_range){STORE_STATE, lower, upper};
    ranges->items[ranges->count++] = (struct store_range){STORE_ASIDE, lower, upper};
}

static void make_ranges(const struct http_purge *purge, struct ranges *ranges)
{
    ranges->count = 0;
    if (purge->everything) {
        ranges->items[ranges->count++] = (struct store_range){STORE_STATE, OMS_STR_NONE, OMS_STR_NONE};
        ranges->items[ranges->count++] = (struct store_range){STORE_ASIDE, OMS_STR_NONE, OMS_STR_NONE};
        return;
    }
    memset(ranges->bytes, 0xff, sizeof(ranges->bytes));
    if (purge->order_count > HTTP_PURGE_ORDERS_MAX) {
        for (int end = 0; end < 2; end++) {
            oms_put_be32(ranges->bytes[0][end], purge->tenant);
            ranges->bytes[0][end][4] = (unsigned char)(RT_ACTOR_ORDER + end);
        }
        add(ranges, 0, 5, 5);
        return;
    }
    for (size_t i = 0; i < purge->order_count; i++) {
        struct rt_address address;
        ids_order_address(purge->tenant, purge->orders[i], &address);
        store_address_key(&address, ranges->bytes[i][0]);
        store_address_key(&address, ranges->bytes[i][1]);
        add(ranges, i, STORE_ADDRESS_KEY_SIZE, sizeof(ranges->bytes[i][1]));
    }
}

/* In the pool for slow things. */
static void run(struct rt_job *job)
{
    struct http_purge *purge = OMS_CONTAINER_OF(job, struct http_purge, job);
    struct store_engine *engine = store_engine(purge->store);
    struct ranges ranges;
    make_ranges(purge, &ranges);
    purge->status = engine->ops->purge(engine, ranges.items, ranges.count);
    if (purge->status == OMS_OK && purge->erasures)
        http_erasures_purged(purge->erasures, purge->mark, rt_now_ms(purge->host));
}

static void ran(struct rt_shard *shard, struct rt_message *message)
{
    struct http_purge *purge = OMS_CONTAINER_OF(message, struct http_purge, job.message);
    if (message->status != OMS_OK)
        purge->status = OMS_BUSY;
    purge->done(shard, purge);
}

static void read_nothing(struct store_read *read, struct store_engine *engine, struct store_view *view)
{
    (void)read;
    (void)engine;
    (void)view;
}

static void applied(struct rt_shard *shard, struct rt_message *message)
{
    struct http_purge *purge = OMS_CONTAINER_OF(message, struct http_purge, read.job.message);
    if (message->status != OMS_OK) {
        purge->status = OMS_BUSY;
        purge->done(shard, purge);
        return;
    }
    purge->job.run = run;
    purge->job.tenant = purge->tenant;
    purge->job.message.home = (uint16_t)rt_shard_index(shard);
    purge->job.message.on_return = ran;
    purge->host->ops->offload(purge->host, RT_POOL_SLOW, &purge->job);
}

void http_purge_start(struct rt_shard *shard, struct http_purge *purge)
{
    purge->mark = purge->erasures ? http_erasures_mark(purge->erasures) : 0;
    purge->read.run = read_nothing;
    purge->read.job.tenant = purge->tenant;
    purge->read.job.message.home = (uint16_t)rt_shard_index(shard);
    purge->read.job.message.on_return = applied;
    store_read(purge->store, shard, &purge->read);
}
