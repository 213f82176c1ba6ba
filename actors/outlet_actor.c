/* See outlet.h. The actor has no state: its mover tells it the version that it comes from. */
#include "actors/outlet.h"
#include "actors/system_shard.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "storage/keys.h"

struct outlet_actor {
    struct rt_actor base;
    uint32_t unapplied;
};

void outlet_address(uint32_t tenant, const unsigned char key[TENANT_ENDPOINT_KEY_BYTES],
                    struct rt_address *out)
{
    *out = (struct rt_address){.tenant = tenant, .kind = RT_ACTOR_OUTLET};
    memcpy(out->key, key, TENANT_ENDPOINT_KEY_BYTES);
}

enum oms_status outlet_load(struct store *store, const struct rt_address *address, struct outlet *out)
{
    struct store_engine *engine = store_engine(store);
    struct store_view *view = engine->ops->view_open(engine);
    unsigned char key[STORE_ADDRESS_KEY_SIZE];
    struct oms_buf bytes;

    store_address_key(address, key);
    oms_buf_init(&bytes, OMS_UNIT_BYTES_MAX);
    enum oms_status status = engine->ops->view_get(view, STORE_STATE, oms_str_make(key, sizeof(key)), &bytes);
    if (status == OMS_OK)
        status = outlet_decode(oms_buf_str(&bytes), out);
    else if (status == OMS_NOT_FOUND)
        status = OMS_OK;
    oms_buf_fini(&bytes);
    engine->ops->view_close(view);
    return status;
}

/* ---- the actor ---- */

static void release(struct rt_shard *shard, struct held_item *item, enum oms_status status)
{
    struct outlet_call *call = OMS_CONTAINER_OF(item, struct outlet_call, held);

    if (status != OMS_OK)
        call->result = OUTLET_UNKNOWN;
    rt_return(shard, &call->message);
}

static void receive(struct rt_shard *shard, struct rt_actor *actor, struct rt_message *message)
{
    struct actors_shard *as = actors_shard_of(shard);
    struct outlet_actor *own = (struct outlet_actor *)actor;
    struct outlet_call *call = OMS_CONTAINER_OF(message, struct outlet_call, message);

    if (store_admit(as->store, shard, actor->address.tenant) != OMS_OK) {
        call->result = OUTLET_BUSY;
        rt_return(shard, message);
        return;
    }
    struct store_unit *unit = store_unit_take(as->store, shard);
    store_unit_begin(unit, &actor->address, call->version, call->version + 1,
                     rt_now_ms(as->system->config.host));
    size_t place = store_unit_begin_event(unit);
    oms_buf_append_str(&unit->record, oms_buf_str(&call->change));
    store_unit_end_event(unit, place);
    OMS_ASSERT(store_unit_end(unit) == OMS_OK);
    own->unapplied++;
    call->version++;
    uint64_t seq = store_submit(as->store, shard, unit);
    struct order_watch *watch = actors_watch(as, &actor->address, unit, 0);
    if (watch)
        actors_watch_hold(as, watch, seq);
    call->result = OUTLET_DONE;
    call->held.release = release;
    held_push(&as->held, shard, &call->held, seq, store_durable_seq(as->store, shard));
}

static struct rt_actor *activate(struct rt_shard *shard, const struct rt_address *address)
{
    struct outlet_actor *own = oms_calloc(1, sizeof(*own));

    (void)shard;
    rt_actor_init(&own->base, &outlet_actor_class, address);
    return &own->base;
}

static bool may_passivate(struct rt_shard *shard, struct rt_actor *actor)
{
    (void)shard;
    return ((const struct outlet_actor *)actor)->unapplied == 0;
}

static void destroy(struct rt_shard *shard, struct rt_actor *actor)
{
    (void)shard;
    oms_free(actor);
}

const struct rt_actor_class outlet_actor_class = {
    .name = "outlet",
    .activate = activate,
    .receive = receive,
    .may_passivate = may_passivate,
    .destroy = destroy,
};

void outlet_actor_applied(struct actors_shard *as, const struct rt_address *address)
{
    struct outlet_actor *own = (struct outlet_actor *)rt_actor_find(as->shard, address);

    OMS_ASSERT(own && own->unapplied > 0);
    own->unapplied--;
}

void outlet_call_send(struct rt_shard *shard, struct outlet_call *call)
{
    outlet_address(call->tenant, call->key, &call->message.to);
    call->message.kind = OUTLET_MESSAGE_CALL;
    call->message.flags = RT_MESSAGE_SYSTEM;
    call->message.home = (uint16_t)rt_shard_index(shard);
    rt_send(shard, &call->message);
}
