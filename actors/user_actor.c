/*
 * The user actor: what is stored of one user's authorization, changed one call at a time; see user.h.
 *
 * Like a tenant's version: a change is one unit whose one event is the whole new version. When it is durable
 * it is published to every shard, and only when all have it does the call go home. The actor keeps nothing
 * but what is on its way: what is durable is in its shard's table.
 */
#include "actors/system_shard.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

struct user_actor {
    struct rt_actor base;
    uint32_t unapplied;
    const struct user_version *submitted; /* held: the newest on its way to the shards, or NULL */
    uint64_t submitted_seq;
};

/* ---- publishing ---- */

struct user_publish {
    struct rt_message message;
    struct user_call *call;
    uint32_t tenant;
    unsigned home;
    struct oms_buf bytes;
};

static void publish_done(struct rt_shard *shard, struct rt_message *message)
{
    struct user_publish *publish = OMS_CONTAINER_OF(message, struct user_publish, message);
    struct user_call *call = publish->call;
    oms_buf_fini(&publish->bytes);
    oms_free(publish);
    OMS_ASSERT(call->shards_left > 0);
    if (--call->shards_left == 0)
        rt_return(shard, &call->message);
}

static void publish_here(struct rt_shard *shard, struct rt_message *message)
{
    struct user_publish *publish = OMS_CONTAINER_OF(message, struct user_publish, message);
    struct user_version *user;
    enum oms_status status = user_version_decode(oms_buf_str(&publish->bytes), publish->tenant, &user);
    OMS_ASSERT(status == OMS_OK); /* the user's shard decoded the same bytes */
    actors_shard_put_user(actors_shard_of(shard), user);
    message->on_return = publish_done;
    rt_post(rt_shard_host(shard), publish->home, message);
}

bool user_actor_discard(struct rt_message *message)
{
    if (message->on_return != publish_here && message->on_return != publish_done)
        return false;
    struct user_publish *publish = OMS_CONTAINER_OF(message, struct user_publish, message);
    oms_buf_fini(&publish->bytes);
    oms_free(publish);
    return true;
}

static void durable(struct rt_shard *shard, struct held_item *item, enum oms_status status)
{
    struct user_call *call = OMS_CONTAINER_OF(item, struct user_call, held);
    struct rt_host *host = rt_shard_host(shard);
    call->status = status;
    if (status != OMS_OK) {
        rt_return(shard, &call->message);
        return;
    }
    call->shards_left = host->shard_count;
    for (unsigned i = 0; i < host->shard_count; i++) {
        struct user_publish *publish = oms_calloc(1, sizeof(*publish));
        publish->call = call;
        publish->tenant = call->tenant;
        publish->home = rt_shard_index(shard);
        publish->message.on_return = publish_here;
        oms_buf_init(&publish->bytes, OMS_USER_BYTES_MAX);
        oms_buf_append_str(&publish->bytes, oms_buf_str(&call->encoded));
        rt_post(host, i, &publish->message);
    }
}

/* ---- a change ---- */

static void finish(struct actors_shard *as, struct user_call *call, enum oms_status status)
{
    call->status = status;
    rt_return(as->shard, &call->message);
}

static void hold(struct actors_shard *as, struct user_actor *ua, struct user_call *call)
{
    call->held.release = durable;
    held_push(&as->held, as->shard, &call->held, ua->submitted_seq, store_durable_seq(as->store, as->shard));
}

/* What the next change follows: the newest version submitted, which the table gets only when it is durable.
 */
static const struct user_version *newest(const struct actors_shard *as, const struct user_actor *ua,
                                         struct oms_str user)
{
    const struct user_version *published = user_table_get(&as->users, ua->base.address.tenant, user);
    bool ahead = ua->submitted && (!published || published->version < ua->submitted->version);
    return ahead ? ua->submitted : published;
}

/* Submits a unit whose one event is the encoded version. */
static void submit(struct actors_shard *as, struct user_actor *ua, struct user_call *call,
                   const struct user_version *wanted)
{
    struct store_unit *unit = store_unit_take(as->store, as->shard);
    struct user_version *copy;
    oms_buf_reset(&call->encoded);
    user_version_encode(wanted, &call->encoded);
    if (call->encoded.overflow ||
        user_version_decode(oms_buf_str(&call->encoded), call->tenant, &copy) != OMS_OK) {
        store_unit_recycle(as->store, as->shard, unit);
        finish(as, call, OMS_LIMIT);
        return;
    }
    store_unit_begin(unit, &ua->base.address, wanted->version - 1, wanted->version,
                     rt_now_ms(as->system->config.host));
    size_t mark = store_unit_begin_event(unit);
    oms_buf_append_str(&unit->record, oms_buf_str(&call->encoded));
    store_unit_end_event(unit, mark);
    OMS_ASSERT(store_unit_end(unit) == OMS_OK); /* a user is bounded far below a unit */
    ua->unapplied++;
    user_version_release(ua->submitted);
    ua->submitted = copy;
    ua->submitted_seq = store_submit(as->store, as->shard, unit);
    struct order_watch *watch = actors_watch(as, &ua->base.address, unit, 0);
    if (watch)
        actors_watch_hold(as, watch, ua->submitted_seq);
    hold(as, ua, call);
}

/* Counts on this shard's table: what is in flight elsewhere may go over the maximum by as much. */
static bool is_full(const struct actors_shard *as, uint32_t tenant)
{
    return as->users.count >= OMS_USERS_MAX || user_table_count(&as->users, tenant) >= OMS_USERS_TENANT_MAX;
}

static void receive(struct rt_shard *shard, struct rt_actor *actor, struct rt_message *message)
{
    struct actors_shard *as = actors_shard_of(shard);
    struct user_actor *ua = (struct user_actor *)actor;
    struct user_call *call = OMS_CONTAINER_OF(message, struct user_call, message);
    const struct user_version *now = newest(as, ua, call->update->user);
    struct user_version wanted;
    call->outcome = user_follow(now, call->update, rt_now_ms(as->system->config.host), &wanted);
    call->newest = now ? now->source_version : 0;
    if (call->outcome != USER_CHANGED && now && now == ua->submitted) {
        /* It is like that already, but on its way: the answer waits until it is everywhere. */
        user_version_encode(now, &call->encoded);
        hold(as, ua, call);
        return;
    }
    enum oms_status status = OMS_OK;
    if (call->outcome == USER_CHANGED)
        status =
            !now && is_full(as, call->tenant) ? OMS_LIMIT : store_admit(as->store, as->shard, call->tenant);
    if (status == OMS_OK && call->outcome == USER_CHANGED)
        submit(as, ua, call, &wanted);
    else
        finish(as, call, status);
}

static struct rt_actor *activate(struct rt_shard *shard, const struct rt_address *address)
{
    (void)shard;
    struct user_actor *ua = oms_calloc(1, sizeof(*ua));
    rt_actor_init(&ua->base, &user_actor_class, address);
    return &ua->base;
}

static bool may_passivate(struct rt_shard *shard, struct rt_actor *actor)
{
    const struct user_actor *ua = (const struct user_actor *)actor;
    return ua->unapplied == 0 &&
           (!ua->submitted || newest(actors_shard_of(shard), ua, ua->submitted->user) != ua->submitted);
}

static void destroy(struct rt_shard *shard, struct rt_actor *actor)
{
    (void)shard;
    struct user_actor *ua = (struct user_actor *)actor;
    user_version_release(ua->submitted);
    oms_free(ua);
}

const struct rt_actor_class user_actor_class = {
    .name = "user",
    .activate = activate,
    .receive = receive,
    .may_passivate = may_passivate,
    .destroy = destroy,
};

void user_actor_applied(struct actors_shard *as, const struct rt_address *address)
{
    struct user_actor *ua = (struct user_actor *)rt_actor_find(as->shard, address);
    OMS_ASSERT(ua && ua->unapplied > 0);
    ua->unapplied--;
}

/* ---- calls ---- */

void user_call_init(struct user_call *call)
{
    memset(call, 0, sizeof(*call));
    oms_buf_init(&call->encoded, OMS_USER_BYTES_MAX);
}

void user_call_fini(struct user_call *call)
{
    oms_buf_fini(&call->encoded);
}

void user_call_send(struct rt_shard *shard, struct user_call *call)
{
    const struct oms_hash_key *key = actors_id_key(actors_system_of(shard));
    struct oms_hash128 hash = oms_siphash128(key, call->update->user.data, call->update->user.len);
    memset(&call->message.to, 0, sizeof(call->message.to));
    memcpy(call->message.to.key, &hash, sizeof(hash));
    call->message.to.tenant = call->tenant;
    call->message.to.kind = RT_ACTOR_USER;
    call->message.kind = USER_MESSAGE_CALL;
    call->message.home = (uint16_t)rt_shard_index(shard);
    rt_send(shard, &call->message);
}

bool user_call_refuse(const struct user_call *call, struct refusal_list *refusals)
{
    enum oms_status status = call->message.status == OMS_OK ? call->status : OMS_BUSY;
    if (status == OMS_IO)
        return refusal_add(refusals, REFUSAL_OUTCOME_UNKNOWN, REFUSAL_NO_FIELD,
                           "The write failed, so its outcome is unknown: send the same again");
    if (status == OMS_NO_SPACE)
        return refusal_add(refusals, REFUSAL_BUSY, REFUSAL_NO_FIELD,
                           "The disk is full: nothing was changed; retry when there is room again");
    if (status == OMS_LIMIT)
        return refusal_add(refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_FIELD("user"),
                           "There are as many stored users as there can be: %d of a tenant, %d of a server",
                           OMS_USERS_TENANT_MAX, OMS_USERS_MAX);
    if (status != OMS_OK)
        return refusal_add(refusals, REFUSAL_BUSY, REFUSAL_NO_FIELD,
                           "Too much is in flight: retry in a moment; nothing was changed");
    if (call->outcome == USER_OLDER && call->update->kind == USER_LOGIN)
        return refusal_add(refusals, REFUSAL_CONFLICT, REFUSAL_FIELD("occurred_at"),
                           "The user's roles are known as of a later time");
    if (call->outcome == USER_OLDER)
        return refusal_add(refusals, REFUSAL_CONFLICT, REFUSAL_FIELD("version"),
                           "Version %lld is here already, %lld is older", (long long)call->newest,
                           (long long)call->update->source_version);
    if (call->outcome == USER_OTHER)
        return refusal_add(refusals, REFUSAL_CONFLICT, REFUSAL_FIELD("version"),
                           "Version %lld is here already, with other content", (long long)call->newest);
    return true;
}
