/* See mark.h. The actor has no state: its mover tells it the version that it comes from. */
#include "actors/mark.h"

#include <stdio.h>

#include "actors/system_shard.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/wire.h"
#include "storage/keys.h"

struct mark_actor {
    struct rt_actor base;
    uint32_t unapplied;
};

/* ---- the stored form ---- */

enum { FIELD_VERSION = 1, FIELD_COMMIT, FIELD_ORDINAL, FIELD_SEQUENCE, FIELD_STREAM };

void mark_encode(const struct mark *mark, struct oms_buf *out)
{
    oms_wire_put_u64(out, FIELD_VERSION, mark->version);
    oms_wire_put_u64(out, FIELD_COMMIT, mark->commit);
    oms_wire_put_u64(out, FIELD_ORDINAL, mark->ordinal);
    oms_wire_put_u64(out, FIELD_SEQUENCE, mark->sequence);
    oms_wire_put_str(out, FIELD_STREAM, oms_str_of(mark->stream));
}

enum oms_status mark_decode(struct oms_str bytes, struct mark *out)
{
    struct oms_wire wire;

    *out = (struct mark){0};
    oms_wire_read(&wire, bytes);
    while (oms_wire_next(&wire)) {
        if (wire.is_bytes) {
            if (wire.field != FIELD_STREAM)
                continue;
            if (wire.bytes.len > MARK_STREAM_BYTES_MAX)
                return OMS_CORRUPT;
            snprintf(out->stream, sizeof(out->stream), "%.*s", OMS_STR_ARG(wire.bytes));
            continue;
        }
        if (wire.field == FIELD_VERSION)
            out->version = (uint32_t)wire.number;
        else if (wire.field == FIELD_COMMIT)
            out->commit = wire.number;
        else if (wire.field == FIELD_ORDINAL)
            out->ordinal = (uint32_t)wire.number;
        else if (wire.field == FIELD_SEQUENCE)
            out->sequence = wire.number;
    }
    return wire.corrupt || !out->version ? OMS_CORRUPT : OMS_OK;
}

static void address_of(uint32_t tenant, struct rt_address *out)
{
    *out = (struct rt_address){.tenant = tenant, .kind = RT_ACTOR_MARK};
}

enum oms_status mark_load(struct store *store, uint32_t tenant, struct mark *out)
{
    struct store_engine *engine = store_engine(store);
    struct store_view *view = engine->ops->view_open(engine);
    unsigned char key[STORE_ADDRESS_KEY_SIZE];
    struct rt_address address;
    struct oms_buf bytes;

    *out = (struct mark){0};
    address_of(tenant, &address);
    store_address_key(&address, key);
    oms_buf_init(&bytes, 4096);
    enum oms_status status = engine->ops->view_get(view, STORE_STATE, oms_str_make(key, sizeof(key)), &bytes);
    if (status == OMS_OK)
        status = mark_decode(oms_buf_str(&bytes), out);
    else if (status == OMS_NOT_FOUND)
        status = OMS_OK;
    oms_buf_fini(&bytes);
    engine->ops->view_close(view);
    return status;
}

/* ---- the actor ---- */

static void release(struct rt_shard *shard, struct held_item *item, enum oms_status status)
{
    struct mark_call *call = OMS_CONTAINER_OF(item, struct mark_call, held);

    if (status != OMS_OK)
        call->result = MARK_UNKNOWN;
    rt_return(shard, &call->message);
}

static void receive(struct rt_shard *shard, struct rt_actor *actor, struct rt_message *message)
{
    struct actors_shard *as = actors_shard_of(shard);
    struct mark_actor *own = (struct mark_actor *)actor;
    struct mark_call *call = OMS_CONTAINER_OF(message, struct mark_call, message);

    if (store_admit(as->store, shard, actor->address.tenant) != OMS_OK) {
        call->result = MARK_BUSY;
        rt_return(shard, message);
        return;
    }
    struct store_unit *unit = store_unit_take(as->store, shard);
    uint32_t before = call->mark.version++;
    store_unit_begin(unit, &actor->address, before, call->mark.version, rt_now_ms(as->system->config.host));
    size_t place = store_unit_begin_event(unit);
    mark_encode(&call->mark, &unit->record);
    store_unit_end_event(unit, place);
    OMS_ASSERT(store_unit_end(unit) == OMS_OK);
    own->unapplied++;
    uint64_t seq = store_submit(as->store, shard, unit);
    struct order_watch *watch = actors_watch(as, &actor->address, unit, 0);
    if (watch)
        actors_watch_hold(as, watch, seq);
    call->result = MARK_DONE;
    call->held.release = release;
    held_push(&as->held, shard, &call->held, seq, store_durable_seq(as->store, shard));
}

static struct rt_actor *activate(struct rt_shard *shard, const struct rt_address *address)
{
    struct mark_actor *own = oms_calloc(1, sizeof(*own));

    (void)shard;
    rt_actor_init(&own->base, &mark_actor_class, address);
    return &own->base;
}

static bool may_passivate(struct rt_shard *shard, struct rt_actor *actor)
{
    (void)shard;
    return ((const struct mark_actor *)actor)->unapplied == 0;
}

static void destroy(struct rt_shard *shard, struct rt_actor *actor)
{
    (void)shard;
    oms_free(actor);
}

const struct rt_actor_class mark_actor_class = {
    .name = "mark",
    .activate = activate,
    .receive = receive,
    .may_passivate = may_passivate,
    .destroy = destroy,
};

void mark_actor_applied(struct actors_shard *as, const struct rt_address *address)
{
    struct mark_actor *own = (struct mark_actor *)rt_actor_find(as->shard, address);

    OMS_ASSERT(own && own->unapplied > 0);
    own->unapplied--;
}

void mark_call_send(struct rt_shard *shard, struct mark_call *call)
{
    address_of(call->tenant, &call->message.to);
    call->message.kind = MARK_MESSAGE_CALL;
    call->message.flags = RT_MESSAGE_SYSTEM;
    call->message.home = (uint16_t)rt_shard_index(shard);
    rt_send(shard, &call->message);
}
