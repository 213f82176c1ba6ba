/*
 * The tenant actor: one tenant's configuration, rolemap and workflow, changed one call at a time.
 *
 * A change is one unit that holds the whole new version. When it is durable the version is published to every
 * shard, and only when all have it does the call go home: what a caller was told holds everywhere from then
 * on.
 *
 * Creation goes through the registry, the tenant actor of number 0, which gives each name its number, so that
 * two creations of one name meet in one place.
 */
#include "actors/system_shard.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/log.h"

struct tenant_actor {
    struct rt_actor base;
    uint32_t unapplied;
    const struct tenant_version *submitted; /* held: the newest version on its way to the shards, or NULL */
    uint64_t submitted_seq;
    /* the registry's own: names that have a number but no version yet */
    struct {
        char *name;
        uint32_t number;
    } * pending;
    size_t pending_count;
    uint32_t number_next;
};

/* ---- publishing ---- */

struct publish {
    struct rt_message message;
    struct tenant_call *call;
    unsigned home; /* the tenant's shard */
    struct oms_buf bytes;
};

static void publish_done(struct rt_shard *shard, struct rt_message *message)
{
    struct publish *publish = OMS_CONTAINER_OF(message, struct publish, message);
    struct tenant_call *call = publish->call;
    oms_buf_fini(&publish->bytes);
    oms_free(publish);
    OMS_ASSERT(call->shards_left > 0);
    if (--call->shards_left == 0)
        rt_return(shard, &call->message);
}

static void publish_here(struct rt_shard *shard, struct rt_message *message)
{
    struct publish *publish = OMS_CONTAINER_OF(message, struct publish, message);
    struct tenant_version *version;
    enum oms_status status = tenant_version_decode(oms_buf_str(&publish->bytes), &version);
    OMS_ASSERT(status == OMS_OK); /* the tenant's shard decoded the same bytes */
    actors_shard_put_tenant(actors_shard_of(shard), version);
    message->on_return = publish_done;
    rt_post(rt_shard_host(shard), publish->home, message);
}

bool tenant_actor_discard(struct rt_message *message)
{
    if (message->on_return != publish_here && message->on_return != publish_done)
        return false;
    struct publish *publish = OMS_CONTAINER_OF(message, struct publish, message);
    oms_buf_fini(&publish->bytes);
    oms_free(publish);
    return true;
}

static void durable(struct rt_shard *shard, struct held_item *item, enum oms_status status)
{
    struct tenant_call *call = OMS_CONTAINER_OF(item, struct tenant_call, held);
    struct rt_host *host = rt_shard_host(shard);
    call->status = status;
    if (status != OMS_OK) {
        rt_return(shard, &call->message);
        return;
    }
    call->shards_left = host->shard_count;
    for (unsigned i = 0; i < host->shard_count; i++) {
        struct publish *publish = oms_calloc(1, sizeof(*publish));
        publish->call = call;
        publish->home = rt_shard_index(shard);
        publish->message.on_return = publish_here;
        oms_buf_init(&publish->bytes, OMS_UNIT_BYTES_MAX);
        oms_buf_append_str(&publish->bytes, oms_buf_str(&call->encoded));
        rt_post(host, i, &publish->message);
    }
}

/* ---- the registry ---- */

static uint32_t number_of(struct actors_shard *as, struct tenant_actor *registry, struct oms_str name)
{
    const struct tenant_version *known = tenant_table_by_name(&as->tenants, name);
    if (known)
        return known->number;
    for (size_t i = 0; i < registry->pending_count; i++)
        if (oms_str_eq_c(name, registry->pending[i].name))
            return registry->pending[i].number;
    for (size_t i = 0; i < as->tenants.count; i++)
        if (as->tenants.items[i]->number >= registry->number_next)
            registry->number_next = as->tenants.items[i]->number + 1;
    if (registry->number_next >= OMS_TENANTS_MAX)
        return 0;
    registry->pending =
        oms_reallocarray(registry->pending, registry->pending_count + 1, sizeof(registry->pending[0]));
    registry->pending[registry->pending_count].name = oms_str_dup(name);
    registry->pending[registry->pending_count].number = registry->number_next;
    registry->pending_count++;
    return registry->number_next++;
}

static void finish(struct actors_shard *as, struct tenant_call *call, enum oms_status status)
{
    call->status = status;
    rt_return(as->shard, &call->message);
}

/* ---- a change ---- */

/* The call waits until the submitted version, which it has encoded, is durable and then everywhere. */
static void hold(struct actors_shard *as, struct tenant_actor *ta, struct tenant_call *call)
{
    call->held.release = durable;
    held_push(&as->held, as->shard, &call->held, ta->submitted_seq, store_durable_seq(as->store, as->shard));
}

/* Submits a unit whose one event is the encoded version. */
static void submit(struct actors_shard *as, struct tenant_actor *ta, struct tenant_call *call,
                   const struct tenant_version *now, const struct tenant_version *wanted)
{
    struct store_unit *unit = store_unit_take(as->store, as->shard);
    oms_buf_reset(&call->encoded);
    tenant_version_encode(wanted, &call->encoded);
    store_unit_begin(unit, &ta->base.address, now ? (uint32_t)now->version : 0, (uint32_t)wanted->version,
                     rt_now_ms(as->system->config.host));
    size_t mark = store_unit_begin_event(unit);
    oms_buf_append_str(&unit->record, oms_buf_str(&call->encoded));
    store_unit_end_event(unit, mark);
    if (call->encoded.overflow || store_unit_end(unit) != OMS_OK) {
        store_unit_recycle(as->store, as->shard, unit);
        finish(as, call, OMS_LIMIT);
        return;
    }
    ta->unapplied++;
    tenant_version_release(ta->submitted);
    ta->submitted = tenant_version_hold(wanted);
    ta->submitted_seq = store_submit(as->store, as->shard, unit);
    struct order_watch *watch = actors_watch(as, &ta->base.address, unit, 0);
    if (watch)
        actors_watch_hold(as, watch, ta->submitted_seq);
    hold(as, ta, call);
}

/*
 * What the next change follows: the newest version submitted, which the table gets only when it is durable.
 * Two changes on their way at once would otherwise both follow the one before, and the second undo the first.
 */
static const struct tenant_version *newest(const struct actors_shard *as, const struct tenant_actor *ta)
{
    const struct tenant_version *published = tenant_table_get(&as->tenants, ta->base.address.tenant);
    bool ahead = ta->submitted && (!published || published->version < ta->submitted->version);
    return ahead ? ta->submitted : published;
}

/* It is like that already: if only on its way, the answer waits until it is everywhere. */
static void settle(struct actors_shard *as, struct tenant_actor *ta, struct tenant_call *call,
                   const struct tenant_version *now)
{
    if (now && now == ta->submitted) {
        tenant_version_encode(now, &call->encoded);
        hold(as, ta, call);
    } else {
        finish(as, call, OMS_OK);
    }
}

/* Whether the change's key has answered: it was here before, or comes with other content. */
static bool is_repeat(const struct tenant_version *now, struct tenant_call *call)
{
    const struct tenant_change *wants = call->change;
    const struct tenant_key *known = wants->has_key ? tenant_find_key(now, wants->key) : NULL;
    if (!known)
        return false;
    if (known->fingerprint.lo == wants->fingerprint.lo && known->fingerprint.hi == wants->fingerprint.hi)
        call->replayed = true;
    else
        refusal_add(call->refusals, REFUSAL_IDEMPOTENCY_MISMATCH, REFUSAL_FIELD("idempotencyKey"),
                    "This key was used for another input");
    return true;
}

/* Remembers the change's key in the version that it makes; false with a refusal. */
static bool remember(struct tenant_version *wanted, struct tenant_call *call, int64_t now_ms)
{
    const struct tenant_change *wants = call->change;
    struct tenant_key key = {wants->key, wants->fingerprint, now_ms};
    return !wants->has_key || tenant_version_remember(wanted, &key) ||
           refusal_add(call->refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_FIELD("idempotencyKey"),
                       "The tenant remembers %d keys of the last 24 hours and has no room for another",
                       OMS_TENANT_KEYS_MAX);
}

/* Whether the tenant that is to be created may be: its name is free. The name of one that was removed is not,
 * since its orders and their ids are still there. */
static bool is_free(const struct tenant_version *now, struct tenant_call *call)
{
    if (!now)
        return true;
    if (!is_repeat(now, call))
        refusal_add(call->refusals, REFUSAL_DUPLICATE, REFUSAL_FIELD("name"),
                    now->status == TENANT_REMOVED
                        ? "A tenant of this name was removed: activate it, or take another name"
                        : "There is a tenant of this name");
    return false;
}

/* The version that a change of a part makes; NULL with refusals, or when its key has answered. */
static struct tenant_version *apply(struct actors_shard *as, const struct tenant_version *now,
                                    struct tenant_call *call)
{
    const struct tenant_change *wants = call->change;
    int64_t now_ms = rt_now_ms(as->system->config.host);
    if (is_repeat(now, call))
        return NULL;
    struct tenant_version *wanted = tenant_version_copy(now);
    bool fine = wants->apply(wants, wanted, now_ms, call->refusals) && !call->refusals->count;
    if (fine && (tenant_version_same(now, wanted) || remember(wanted, call, now_ms)))
        return wanted;
    tenant_version_release(wanted);
    return NULL;
}

/* A whole configuration: fitted to what is there. */
static enum oms_status configure(struct actors_shard *as, const struct tenant_version *now,
                                 struct tenant_call *call, struct tenant_version **wanted)
{
    enum oms_status status = tenant_version_decode(call->config, wanted);
    if (status == OMS_OK && now)
        status = tenant_version_follow(*wanted, now);
    if (status == OMS_OK) {
        (*wanted)->number = call->number;
        (*wanted)->version = now ? now->version : 0;
        tenant_version_stamp(*wanted, rt_now_ms(as->system->config.host));
        if (!now)
            (*wanted)->created_at = rt_now_ms(as->system->config.host);
    }
    /* A version that nobody has yet has room for a key. */
    if (status == OMS_OK && call->change && !remember(*wanted, call, rt_now_ms(as->system->config.host)))
        status = OMS_LIMIT;
    return status;
}

static void change(struct actors_shard *as, struct tenant_actor *ta, struct tenant_call *call)
{
    const struct tenant_version *now = newest(as, ta);
    struct tenant_version *wanted = NULL;
    enum oms_status status = OMS_OK;
    call->number = ta->base.address.tenant;
    if (call->change && call->config.len && !is_free(now, call)) {
        settle(as, ta, call, now);
        return;
    }
    if (!call->change || call->config.len) {
        status = configure(as, now, call, &wanted);
    } else if (!now) {
        status = OMS_NOT_FOUND;
    } else if (!(wanted = apply(as, now, call))) {
        settle(as, ta, call, now);
        return;
    }
    if (status == OMS_OK)
        call->changed = !now || !tenant_version_same(now, wanted);
    if (status == OMS_OK && call->changed)
        status = store_admit(as->store, as->shard, call->number);
    if (status == OMS_OK && call->changed) {
        wanted->version++;
        submit(as, ta, call, now, wanted);
    } else if (status == OMS_OK) {
        settle(as, ta, call, now);
    } else {
        finish(as, call, status);
    }
    tenant_version_release(wanted);
}

static void receive(struct rt_shard *shard, struct rt_actor *actor, struct rt_message *message)
{
    struct actors_shard *as = actors_shard_of(shard);
    struct tenant_actor *ta = (struct tenant_actor *)actor;
    struct tenant_call *call = OMS_CONTAINER_OF(message, struct tenant_call, message);
    if (actor->address.tenant != 0) {
        change(as, ta, call);
        return;
    }
    struct tenant_version *wanted;
    enum oms_status status = tenant_version_decode(call->config, &wanted);
    if (status != OMS_OK) {
        finish(as, call, status);
        return;
    }
    uint32_t number = number_of(as, ta, wanted->name);
    tenant_version_release(wanted);
    if (!number) {
        finish(as, call, OMS_LIMIT);
        return;
    }
    message->to.tenant = number;
    rt_forward(shard, message);
}

static struct rt_actor *activate(struct rt_shard *shard, const struct rt_address *address)
{
    (void)shard;
    struct tenant_actor *ta = oms_calloc(1, sizeof(*ta));
    rt_actor_init(&ta->base, &tenant_actor_class, address);
    ta->number_next = 1;
    return &ta->base;
}

static bool may_passivate(struct rt_shard *shard, struct rt_actor *actor)
{
    const struct tenant_actor *ta = (const struct tenant_actor *)actor;
    return actor->address.tenant != 0 && ta->unapplied == 0 &&
           newest(actors_shard_of(shard), ta) != ta->submitted;
}

static void destroy(struct rt_shard *shard, struct rt_actor *actor)
{
    (void)shard;
    struct tenant_actor *ta = (struct tenant_actor *)actor;
    tenant_version_release(ta->submitted);
    for (size_t i = 0; i < ta->pending_count; i++)
        oms_free(ta->pending[i].name);
    oms_free(ta->pending);
    oms_free(ta);
}

const struct rt_actor_class tenant_actor_class = {
    .name = "tenant",
    .activate = activate,
    .receive = receive,
    .may_passivate = may_passivate,
    .destroy = destroy,
};

void tenant_actor_applied(struct actors_shard *as, const struct rt_address *address)
{
    struct tenant_actor *ta = (struct tenant_actor *)rt_actor_find(as->shard, address);
    OMS_ASSERT(ta && ta->unapplied > 0);
    ta->unapplied--;
}

void tenant_call_init(struct tenant_call *call)
{
    memset(call, 0, sizeof(*call));
    oms_buf_init(&call->encoded, OMS_UNIT_BYTES_MAX);
}

void tenant_call_fini(struct tenant_call *call)
{
    oms_buf_fini(&call->encoded);
}

void tenant_call_send(struct rt_shard *shard, struct tenant_call *call)
{
    memset(&call->message.to, 0, sizeof(call->message.to));
    call->message.to.tenant = call->number;
    call->message.to.kind = RT_ACTOR_TENANT;
    call->message.kind = TENANT_MESSAGE_CALL;
    call->message.home = (uint16_t)rt_shard_index(shard);
    rt_send(shard, &call->message);
}
