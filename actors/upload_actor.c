/* See upload.h. The actor has no state of its own: whoever works on the upload tells the version that it
 * comes from, and the store has the rest. */
#include "actors/system_shard.h"
#include "actors/upload.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "storage/sealed.h"

struct upload_actor {
    struct rt_actor base;
    uint32_t unapplied;
};

static void release(struct rt_shard *shard, struct held_item *item, enum oms_status status)
{
    struct upload_call *call = OMS_CONTAINER_OF(item, struct upload_call, held);

    if (status != OMS_OK)
        call->result = UPLOAD_UNKNOWN;
    rt_return(shard, &call->message);
}

static void commit(struct actors_shard *as, struct upload_actor *own, struct upload_call *call)
{
    struct store_unit *unit = store_unit_take(as->store, as->shard);
    uint32_t before = call->version++;

    store_unit_begin(unit, &own->base.address, before, call->version, rt_now_ms(as->system->config.host));
    if (call->removes)
        store_unit_put_destroys(unit);
    size_t place = store_unit_begin_event(unit);
    upload_put_plain(call->pages, call->removes, &unit->record);
    store_unit_end_event(unit, place);
    oms_buf_append_str(&unit->personal, call->told);
    store_unit_seal(store_engine(as->store), as->system->config.host, unit);
    OMS_ASSERT(store_unit_end(unit) == OMS_OK); /* the layer above bounds what it tells at once */
    own->unapplied++;
    uint64_t seq = store_submit(as->store, as->shard, unit);
    struct order_watch *watch = actors_watch(as, &own->base.address, unit, 0);
    if (watch)
        actors_watch_hold(as, watch, seq);
    call->result = UPLOAD_DONE;
    call->held.release = release;
    held_push(&as->held, as->shard, &call->held, seq, store_durable_seq(as->store, as->shard));
}

static void receive(struct rt_shard *shard, struct rt_actor *actor, struct rt_message *message)
{
    struct actors_shard *as = actors_shard_of(shard);
    const struct actors_config *config = &as->system->config;

    if (message->kind != UPLOAD_MESSAGE_CALL) {
        if (config->on_upload_due)
            config->on_upload_due(config->on_upload_context, shard, &actor->address);
        rt_return(shard, message);
        return;
    }
    struct upload_call *call = OMS_CONTAINER_OF(message, struct upload_call, message);
    enum oms_status status = store_admit(as->store, shard, actor->address.tenant);
    if (status == OMS_OK) {
        commit(as, (struct upload_actor *)actor, call);
        return;
    }
    call->result = status == OMS_NO_SPACE ? UPLOAD_NO_SPACE
                   : status == OMS_CLOSED ? UPLOAD_STOPPING
                                          : UPLOAD_BUSY;
    rt_return(shard, message);
}

static struct rt_actor *activate(struct rt_shard *shard, const struct rt_address *address)
{
    struct upload_actor *own = oms_calloc(1, sizeof(*own));

    (void)shard;
    rt_actor_init(&own->base, &upload_actor_class, address);
    return &own->base;
}

static bool may_passivate(struct rt_shard *shard, struct rt_actor *actor)
{
    (void)shard;
    return ((const struct upload_actor *)actor)->unapplied == 0;
}

static void destroy(struct rt_shard *shard, struct rt_actor *actor)
{
    (void)shard;
    oms_free(actor);
}

const struct rt_actor_class upload_actor_class = {
    .name = "upload",
    .activate = activate,
    .receive = receive,
    .may_passivate = may_passivate,
    .destroy = destroy,
};

void upload_actor_applied(struct actors_shard *as, const struct rt_address *address)
{
    struct upload_actor *own = (struct upload_actor *)rt_actor_find(as->shard, address);

    OMS_ASSERT(own && own->unapplied > 0);
    own->unapplied--;
}

void upload_call_send(struct rt_shard *shard, struct upload_call *call)
{
    call->message.to = call->address;
    call->message.kind = UPLOAD_MESSAGE_CALL;
    call->message.flags = RT_MESSAGE_SYSTEM;
    call->message.home = (uint16_t)rt_shard_index(shard);
    rt_send(shard, &call->message);
}
