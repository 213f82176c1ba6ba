/* Wiring of actors, store and runtime; see system.h. */
#include "actors/system.h"

#include "actors/system_shard.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "storage/keys.h"

#define SCRATCH_BYTES_MAX (32u << 20)

struct actors_shard *actors_shard_of(struct rt_shard *shard)
{
    return rt_shard_context(shard, RT_SLOT_ACTORS);
}

void actors_shard_put_tenant(struct actors_shard *as, const struct tenant_version *version)
{
    const struct actors_config *config = &as->system->config;
    tenant_table_put(&as->tenants, version);
    const struct order_observer *observer = as->system->observer;
    if (config->on_tenant)
        config->on_tenant(config->on_tenant_context, as->shard, version);
    if (observer)
        observer->tenant(observer->context, as->shard, version);
}

void actors_shard_put_user(struct actors_shard *as, struct user_version *user)
{
    const struct order_observer *observer = as->system->observer;
    const struct user_version *before = user_table_put(&as->users, user);
    if (observer && (!before || !user_grants_same(before, user)))
        observer->user(observer->context, as->shard, user);
    user_version_release(before);
}

/* ---- the observer ---- */

void actors_set_observer(struct actors_system *system, const struct order_observer *observer)
{
    system->observer = observer;
}

void actors_observe(struct rt_shard *shard, uint16_t partition, bool on)
{
    struct actors_shard *as = actors_shard_of(shard);
    as->observed_count += (unsigned)on - (unsigned)as->observed[partition];
    as->observed[partition] = on;
}

void actors_hold(struct rt_shard *shard, struct held_item *item)
{
    struct actors_shard *as = actors_shard_of(shard);
    held_push(&as->held, shard, item, store_submitted_seq(as->store, shard),
              store_durable_seq(as->store, shard));
}

struct order_watch *actors_watch_begin(struct actors_shard *as, const struct rt_address *actor,
                                       struct store_unit *unit, unsigned event_count)
{
    const struct order_observer *observer = as->system->observer;
    struct order_watch *watch =
        observer ? observer->begin(observer->context, as->shard, actor, event_count) : NULL;
    if (watch)
        watch->unit = unit;
    return watch;
}

/*
 * The committer wrote the unit's number before it told that it is durable, and the node comes home to be used
 * again only after that was heard (store_attach): so here, and only here, the number can be read.
 */
static void watch_release(struct rt_shard *shard, struct held_item *item, enum oms_status status)
{
    const struct order_observer *observer = actors_shard_of(shard)->system->observer;
    struct order_watch *watch = OMS_CONTAINER_OF(item, struct order_watch, held);
    observer->committed(observer->context, shard, watch, status == OMS_OK ? watch->unit->commit : 0, status);
}

void actors_watch_hold(struct actors_shard *as, struct order_watch *watch, uint64_t seq)
{
    watch->held.release = watch_release;
    held_push(&as->held, as->shard, &watch->held, seq, store_durable_seq(as->store, as->shard));
}

/* ---- what the store tells ---- */

static void on_durable(struct rt_shard *shard, uint64_t durable_seq, enum oms_status status)
{
    held_release(&actors_shard_of(shard)->held, shard, durable_seq, status);
}

static void on_applied(struct rt_shard *shard, struct store_unit *unit)
{
    struct actors_shard *as = actors_shard_of(shard);
    if (unit->message.to.kind == RT_ACTOR_ORDER)
        order_actor_applied(as, &unit->message.to);
    else if (unit->message.to.kind == RT_ACTOR_INBOX)
        inbox_actor_applied(as, &unit->message.to);
    else if (unit->message.to.kind == RT_ACTOR_MARK)
        mark_actor_applied(as, &unit->message.to);
    else if (unit->message.to.kind == RT_ACTOR_OUTLET)
        outlet_actor_applied(as, &unit->message.to);
    else if (unit->message.to.kind == RT_ACTOR_USER)
        user_actor_applied(as, &unit->message.to);
    else if (unit->message.to.kind == RT_ACTOR_UPLOAD)
        upload_actor_applied(as, &unit->message.to);
    else
        tenant_actor_applied(as, &unit->message.to);
    store_unit_recycle(as->store, shard, unit);
}

/* ---- turns ---- */

#define PASSIVATE_PER_TURN 256

static void turn_end(struct rt_shard *shard, void *context)
{
    struct actors_shard *as = context;
    for (unsigned i = 0; i < as->absent_count; i++) {
        struct rt_actor *actor = rt_actor_find(shard, &as->absent[i]);
        if (actor)
            order_actor_passivate_absent(as, actor);
    }
    as->absent_count = 0;
    rt_actor_passivate_idle(shard, as->system->config.orders_resident_max, PASSIVATE_PER_TURN);
}

#define TICK_MS 100

static void tick(struct rt_shard *shard, struct rt_timer *timer)
{
    struct actors_shard *as = OMS_CONTAINER_OF(timer, struct actors_shard, tick);
    order_actor_freeze_idle(as);
    store_trim(as->store, shard);
    rt_timer_start(shard, timer, rt_now_ms(as->system->config.host) + TICK_MS);
}

/* ---- tenants at the start ---- */

/* Puts one stored tenant on every shard. */
static enum oms_status publish_stored(struct actors_system *system, struct oms_str bytes)
{
    for (unsigned i = 0; i < system->shard_count; i++) {
        struct tenant_version *version;
        enum oms_status status = tenant_version_decode(bytes, &version);
        if (status != OMS_OK)
            return status;
        actors_shard_put_tenant(system->shards[i], version);
    }
    return OMS_OK;
}

/* What the tenant had at the end of the log, which recovery has folded by now. */
static enum oms_status load_counts(struct actors_system *system, uint32_t tenant)
{
    struct store_engine *engine = store_engine(system->config.store);
    unsigned char key[TENANT_COUNTS_KEY_SIZE];
    struct oms_buf value;
    tenant_counts_key(tenant, key);
    oms_buf_init(&value, 8 * STORE_SUM_NUMBERS);
    enum oms_status status =
        engine->ops->get(engine, STORE_ASIDE, oms_str_make(key, sizeof(key)), true, &value);
    if (status == OMS_OK)
        tenant_counts_add(&system->counts[tenant], tenant_counts_decode(oms_buf_str(&value)));
    oms_buf_fini(&value);
    return status == OMS_NOT_FOUND ? OMS_OK : status;
}

static enum oms_status publish_user(struct actors_system *system, uint32_t tenant, struct oms_str bytes)
{
    for (unsigned i = 0; i < system->shard_count; i++) {
        struct user_version *user;
        enum oms_status status = user_version_decode(bytes, tenant, &user);
        if (status != OMS_OK)
            return status;
        actors_shard_put_user(system->shards[i], user);
    }
    return OMS_OK;
}

/* A tenant's users lie together behind its orders. */
static enum oms_status load_users(struct actors_system *system, struct store_iter *iter, uint32_t tenant)
{
    struct store_engine *engine = store_engine(system->config.store);
    struct rt_address at = {.tenant = tenant, .kind = RT_ACTOR_USER};
    unsigned char seek[STORE_ADDRESS_KEY_SIZE];
    enum oms_status status = OMS_OK;
    struct oms_str key, value;
    store_address_key(&at, seek);
    engine->ops->iter_seek(iter, oms_str_make(seek, sizeof(seek)));
    while (engine->ops->iter_item(iter, &key, &value, &status) && key.len == STORE_ADDRESS_KEY_SIZE) {
        store_address_read((const unsigned char *)key.data, &at);
        if (at.tenant != tenant || at.kind != RT_ACTOR_USER ||
            (status = publish_user(system, tenant, value)) != OMS_OK)
            break;
        engine->ops->iter_next(iter);
    }
    return status;
}

/* Walks the tenants' states: one seek each, since a tenant's orders lie behind its own state. */
static enum oms_status load_tenants(struct actors_system *system, struct oms_error *error)
{
    struct store_engine *engine = store_engine(system->config.store);
    struct store_view *view = engine->ops->view_open(engine);
    struct store_iter *iter = engine->ops->iter_open(view, STORE_STATE, OMS_STR(""), OMS_STR_NONE);
    struct rt_address at = {.tenant = 1, .kind = RT_ACTOR_TENANT};
    enum oms_status status = load_counts(system, 0); /* of the operator's inbox */
    struct oms_str key, value;
    while (status == OMS_OK) {
        unsigned char seek[STORE_ADDRESS_KEY_SIZE];
        store_address_key(&at, seek);
        engine->ops->iter_seek(iter, oms_str_make(seek, sizeof(seek)));
        if (!engine->ops->iter_item(iter, &key, &value, &status) || key.len != STORE_ADDRESS_KEY_SIZE)
            break;
        store_address_read((const unsigned char *)key.data, &at);
        if (at.kind == RT_ACTOR_TENANT && at.tenant <= OMS_TENANTS_MAX &&
            ((status = publish_stored(system, value)) != OMS_OK ||
             (status = load_counts(system, at.tenant)) != OMS_OK ||
             (status = load_users(system, iter, at.tenant)) != OMS_OK))
            break;
        at.tenant += 1;
        at.kind = RT_ACTOR_TENANT;
        memset(at.key, 0, sizeof(at.key));
    }
    engine->ops->iter_close(iter);
    engine->ops->view_close(view);
    if (status != OMS_OK)
        return oms_error_set(error, status, "the stored tenants cannot be read: %s", oms_status_name(status));
    return OMS_OK;
}

/* ---- life ---- */

static struct actors_shard *shard_create(struct actors_system *system, struct rt_shard *shard)
{
    struct actors_shard *as = oms_calloc(1, sizeof(*as));
    as->system = system;
    as->shard = shard;
    as->store = system->config.store;
    oms_arena_init(&as->scratch, 64u << 10, SCRATCH_BYTES_MAX);
    oms_buf_init(&as->freeze_buf, ORDER_ARENA_MAX);
    rt_shard_set_context(shard, RT_SLOT_ACTORS, as);
    rt_shard_register(shard, RT_ACTOR_ORDER, &order_actor_class);
    rt_shard_register(shard, RT_ACTOR_TENANT, &tenant_actor_class);
    rt_shard_register(shard, RT_ACTOR_INBOX, &inbox_actor_class);
    rt_shard_register(shard, RT_ACTOR_MARK, &mark_actor_class);
    rt_shard_register(shard, RT_ACTOR_OUTLET, &outlet_actor_class);
    rt_shard_register(shard, RT_ACTOR_USER, &user_actor_class);
    as->users.key = system->config.id_key;
    rt_shard_register(shard, RT_ACTOR_UPLOAD, &upload_actor_class);
    rt_shard_on_turn_end(shard, turn_end, as);
    store_attach(system->config.store, shard, on_durable, on_applied);
    as->tick.fire = tick;
    rt_timer_start(shard, &as->tick, rt_now_ms(system->config.host) + TICK_MS);
    return as;
}

static void shard_destroy(struct actors_shard *as)
{
    order_timers_fini(as);
    tenant_table_fini(&as->tenants);
    user_table_fini(&as->users);
    oms_arena_fini(&as->scratch);
    oms_buf_fini(&as->freeze_buf);
    oms_free(as);
}

enum oms_status actors_system_create(const struct actors_config *config, struct actors_system **out,
                                     struct oms_error *error)
{
    struct actors_system *system = oms_calloc(1, sizeof(*system));
    struct rt_host *host = config->host;
    system->config = *config;
    if (!system->config.orders_resident_max)
        system->config.orders_resident_max = OMS_ORDERS_RESIDENT_MAX;
    if (!system->config.orders_thawed_max)
        system->config.orders_thawed_max = OMS_ORDERS_THAWED_MAX;
    system->shard_count = host->shard_count;
    system->counts = oms_calloc(OMS_TENANTS_MAX + 1, sizeof(system->counts[0]));
    system->shards = oms_calloc(host->shard_count, sizeof(system->shards[0]));
    for (unsigned i = 0; i < system->shard_count; i++)
        system->shards[i] = shard_create(system, host->shards[i]);
    enum oms_status status = load_tenants(system, error);
    if (status != OMS_OK) {
        actors_system_destroy(system);
        return status;
    }
    order_timers_start(system->shards[0]);
    *out = system;
    return OMS_OK;
}

void actors_system_destroy(struct actors_system *system)
{
    for (unsigned i = 0; i < system->shard_count; i++)
        shard_destroy(system->shards[i]);
    oms_free(system->shards);
    oms_free(system->counts);
    oms_free(system);
}

bool actors_discard(struct rt_message *message)
{
    return order_actor_discard(message) || order_timers_discard(message) || tenant_actor_discard(message) ||
           inbox_actor_discard(message) || user_actor_discard(message);
}

struct actors_system *actors_system_of(struct rt_shard *shard)
{
    return actors_shard_of(shard)->system;
}

struct store *actors_store(struct actors_system *system)
{
    return system->config.store;
}

const struct oms_hash_key *actors_id_key(const struct actors_system *system)
{
    return &system->config.id_key;
}

const struct tenant_version *actors_tenant(struct rt_shard *shard, uint32_t number)
{
    return tenant_table_get(&actors_shard_of(shard)->tenants, number);
}

const struct tenant_version *actors_tenant_by_name(struct rt_shard *shard, struct oms_str name)
{
    return tenant_table_by_name(&actors_shard_of(shard)->tenants, name);
}

const struct user_version *actors_user(struct rt_shard *shard, uint32_t tenant, struct oms_str user)
{
    return user_table_get(&actors_shard_of(shard)->users, tenant, user);
}

void actors_principal_own(struct rt_shard *shard, struct principal *principal)
{
    principal->own =
        principal->kind == PRINCIPAL_USER ? actors_user(shard, principal->tenant, principal->subject) : NULL;
}

struct tenant_usage actors_usage(const struct actors_system *system, uint32_t number)
{
    return number <= OMS_TENANTS_MAX ? tenant_counts_read(&system->counts[number]) : (struct tenant_usage){0};
}

void actors_tenants_each(struct rt_shard *shard,
                         void (*each)(void *context, const struct tenant_version *tenant), void *context)
{
    const struct tenant_table *table = &actors_shard_of(shard)->tenants;
    for (size_t i = 0; i < table->count; i++)
        each(context, table->items[i]);
}

const struct actors_stats *actors_stats(struct rt_shard *shard)
{
    struct actors_shard *as = actors_shard_of(shard);
    as->stats.held = as->held.count;
    return &as->stats;
}
