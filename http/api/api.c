/* The schema, bound; the shards' plan caches and tasks. See api.h. */
#include "http/api/api.h"

#include "http/api/request.h"
#include "http/api/roots_tenant.h"
#include "http/api/traffic.h"
#include "runtime/base/alloc.h"
#include "runtime/base/limits.h"

/* http/schema.graphql as it was built in. */
__asm__(".section .rodata\n"
        ".balign 8\n"
        "api_schema_start: .incbin \"" LITEOMS_SCHEMA_FILE "\"\n"
        "api_schema_end:\n"
        ".byte 0\n"
        ".previous\n");
extern const char api_schema_start[], api_schema_end[];

struct oms_str api_schema_text(void)
{
    return oms_str_make(api_schema_start, (size_t)(api_schema_end - api_schema_start));
}

static enum oms_status bind_schema(struct api *api, struct oms_error *error)
{
    struct api_bindings bindings = {0};
    struct gql_schema_config config = {.sdl = api_schema_text()};
    api_bind_queries(&bindings);
    api_bind_mutations(&bindings);
    api_bind_batches(&bindings);
    api_bind_order(&bindings);
    api_bind_parts(&bindings);
    api_bind_history(&bindings);
    api_bind_payloads(&bindings);
    api_bind_tenant(&bindings);
    api_bind_subscriptions(&bindings);
    api_bind_ticket(&bindings);
    api_bind_workflows(&bindings);
    api_bind_workflow_roots(&bindings);
    api_bind_api_keys(&bindings);
    api_bind_endpoints(&bindings);
    api_bind_operator(&bindings);
    api_bind_users(&bindings);
    api_bind_rolemap(&bindings);
    api_bind_fulfillment(&bindings);
    api_bind_privacy(&bindings);
    config.bindings = bindings.items;
    config.binding_count = bindings.count;
    config.types = api_types(&config.type_count);
    config.scalars = api_scalars(&config.scalar_count);
    enum oms_status status = gql_schema_create(&config, &api->schema, error);
    oms_free(bindings.items);
    return status;
}

static void make_shard(struct api *api, unsigned index)
{
    const struct http_graphql_settings *graphql = &api->config.graphql;
    struct api_shard *as = oms_calloc(1, sizeof(*as));
    as->api = api;
    as->shard = api->config.host->shards[index];
    api_gate_init(&as->gate, api->shard_count);
    as->traffic = api_traffic_create();
    as->documents.schema = api->schema;
    as->documents.allow_list = api->allow_list;
    as->documents.plans = &as->plans;
    plan_cache_init(&as->plans, OMS_GQL_PLAN_CACHE_MAX, OMS_GQL_PLAN_CACHE_BYTES);
    persisted_init(&as->documents.persisted, as->shard, api->persisted, api->shard_count,
                   api->allow_list ? 0 : graphql->persisted_queries, OMS_GQL_PERSISTED_BYTES);
    api->persisted[index] = &as->documents.persisted;
    api->shards[index] = as;
}

enum oms_status api_create(const struct api_config *config, struct api **out, struct oms_error *error)
{
    struct api *api = oms_calloc(1, sizeof(*api));
    api->config = *config;
    enum oms_status status = bind_schema(api, error);
    if (status == OMS_OK && config->graphql.allow_list)
        status = allow_list_create(config->graphql.allow_list, api->schema, &api->allow_list, error);
    if (status != OMS_OK) {
        if (api->schema)
            gql_schema_destroy(api->schema);
        oms_free(api);
        return status;
    }
    api->cost_max = api_cost_max(&config->graphql);
    api->shard_count = config->host->shard_count;
    api->shards = oms_calloc(api->shard_count, sizeof(api->shards[0]));
    api->persisted = oms_calloc(api->shard_count, sizeof(api->persisted[0]));
    for (unsigned i = 0; i < api->shard_count; i++)
        make_shard(api, i);
    *out = api;
    return OMS_OK;
}

void api_destroy(struct api *api)
{
    for (unsigned i = 0; i < api->shard_count; i++) {
        plan_cache_fini(&api->shards[i]->plans);
        persisted_fini(&api->shards[i]->documents.persisted);
        api_tasks_fini(api->shards[i]);
        api_gate_fini(&api->shards[i]->gate);
        api_traffic_destroy(api->shards[i]->traffic);
        oms_free(api->shards[i]);
    }
    oms_free(api->shards);
    oms_free(api->persisted);
    allow_list_destroy(api->allow_list);
    gql_schema_destroy(api->schema);
    oms_free(api);
}

void api_shard_stats(struct api *api, struct rt_shard *shard, struct api_stats *out)
{
    const struct api_shard *as = api->shards[rt_shard_index(shard)];
    const struct plan_cache *plans = &as->plans;
    const struct persisted *persisted = &as->documents.persisted;
    *out = as->stats;
    out->plan_hits = plans->hits;
    out->plan_misses = plans->misses;
    out->plan_evictions = plans->evictions;
    out->plans = plans->count;
    out->plan_bytes = plans->bytes;
    out->persisted_hits = persisted->hits;
    out->persisted_misses = persisted->misses;
    out->persisted_registered = persisted->registered;
    out->persisted_evictions = persisted->evictions;
    out->persisted = persisted->count;
    out->persisted_bytes = persisted->bytes;
}

void api_use_outhooks(struct api *api,
                      void (*call)(void *context, struct rt_shard *shard, struct outhook_call *call),
                      void *context)
{
    api->outhook_call = call;
    api->outhook_context = context;
}
