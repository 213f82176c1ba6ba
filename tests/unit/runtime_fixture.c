#include "tests/unit/runtime_fixture.h"

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/host_internal.h"

struct fixture_behaviour fixture_behaviour;

static struct rt_actor *activate(struct rt_shard *shard, const struct rt_address *address)
{
    if (fixture_behaviour.refuse_activation)
        return NULL;
    struct fixture_actor *actor = oms_calloc(1, sizeof *actor);
    rt_actor_init(&actor->actor, &fixture_class, address);
    if (fixture_behaviour.activated)
        fixture_behaviour.activated(shard, actor);
    return &actor->actor;
}

static void receive(struct rt_shard *shard, struct rt_actor *actor, struct rt_message *message)
{
    struct fixture_actor *fixture_actor = OMS_CONTAINER_OF(actor, struct fixture_actor, actor);

    fixture_actor->received++;
    if (fixture_behaviour.receive)
        fixture_behaviour.receive(shard, fixture_actor, (struct fixture_message *)message);
    else
        rt_return(shard, message);
}

static bool may_passivate(struct rt_shard *shard, struct rt_actor *actor)
{
    (void)shard;
    return !OMS_CONTAINER_OF(actor, struct fixture_actor, actor)->stays;
}

static void destroy(struct rt_shard *shard, struct rt_actor *actor)
{
    (void)shard;
    fixture_behaviour.destroyed++;
    oms_free(actor);
}

static void prefetch(const struct rt_actor *actor, bool near)
{
    struct fixture_actor *fixture_actor =
        (struct fixture_actor *)(uintptr_t)actor; /* a note that nobody else sees */
    if (near)
        fixture_actor->fetched_near = fixture_actor->fetched && !fixture_actor->received;
    else
        fixture_actor->fetched = !fixture_actor->received;
}

const struct rt_actor_class fixture_class = {"fixture", activate, receive, may_passivate, destroy, prefetch};

static int64_t now_ms(struct rt_host *host)
{
    return ((struct fixture *)host)->now_ms;
}

static const struct rt_host_ops ops = {.now_ms = now_ms};

void fixture_init(struct fixture *fixture, unsigned shards)
{
    memset(&fixture_behaviour, 0, sizeof fixture_behaviour);
    fixture->host.ops = &ops;
    fixture->host.shard_count = shards;
    fixture->host.shards = oms_calloc(shards, sizeof(struct rt_shard *));
    fixture->now_ms = 1000;
    for (unsigned i = 0; i < shards; i++) {
        fixture->host.shards[i] = rt_shard_create(&fixture->host, i);
        rt_shard_register(fixture->host.shards[i], RT_ACTOR_ORDER, &fixture_class);
    }
}

void fixture_fini(struct fixture *fixture)
{
    const struct rt_worker_list none = {NULL, 0, 0};

    rt_host_finish(&fixture->host, &none);
    for (unsigned i = 0; i < fixture->host.shard_count; i++)
        rt_shard_destroy(fixture->host.shards[i]);
    oms_free(fixture->host.shards);
}

unsigned fixture_run(struct fixture *fixture)
{
    unsigned steps = 0;
    bool more = true;

    while (more) {
        more = false;
        for (unsigned i = 0; i < fixture->host.shard_count; i++) {
            int64_t wait_ms;
            if (rt_shard_busy(fixture->host.shards[i])) {
                rt_shard_step(fixture->host.shards[i], &wait_ms);
                steps++;
                more = true;
            }
        }
    }
    return steps;
}

struct rt_address fixture_address(const struct rt_host *host, unsigned shard, uint32_t tenant, uint64_t n)
{
    struct rt_address address = {.tenant = tenant, .kind = RT_ACTOR_ORDER};

    memcpy(address.key, &n, sizeof n);
    for (uint64_t salt = 0;; salt++) {
        memcpy(address.key + 8, &salt, sizeof salt);
        if (rt_shard_of(host, &address) == shard)
            return address;
    }
}

static void on_return(struct rt_shard *shard, struct rt_message *message)
{
    struct fixture_message *fixture_message = (struct fixture_message *)message;

    OMS_ASSERT(rt_shard_index(shard) == message->home && !fixture_message->came_home);
    fixture_message->came_home = true;
    fixture_message->result = message->status;
    if (fixture_behaviour.came_home)
        fixture_behaviour.came_home(shard, fixture_message);
}

void fixture_message_init(struct fixture_message *message, unsigned home, struct rt_address to,
                          unsigned number)
{
    memset(message, 0, sizeof *message);
    message->message.to = to;
    message->message.home = (uint16_t)home;
    message->message.on_return = on_return;
    message->number = number;
}
