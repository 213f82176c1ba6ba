#include "api_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "runtime/host_sim.h"
#include "storage/engine.h"

#define SHARDS    3
#define STEPS_MAX 200000
#define START_MS  INT64_C(1800000000000)

/* Whoever asks is the lab's role in the shop. */
static bool authenticate(struct http_exchange *exchange, void *context, const struct http_claims **out)
{
    static const struct oms_str tenants[] = {{"shop", 4}};
    struct api_lab *lab = context;
    struct http_claims *claims = http_claims_create();

    (void)exchange;
    claims->subject = OMS_STR("sam");
    claims->issuer = OMS_STR("lab");
    claims->tenant_claimed = claims->any_tenant = true;
    claims->tenants = tenants;
    claims->tenant_count = 1;
    claims->roles = &lab->role;
    claims->role_count = 1;
    *out = claims;
    return true;
}

static void came_home(struct rt_shard *shard, struct rt_message *message)
{
    struct api_lab_change *change = OMS_CONTAINER_OF(message, struct api_lab_change, call.message);

    (void)shard;
    assert_int_equal(message->status, OMS_OK);
    assert_int_equal(change->call.status, OMS_OK);
    change->home = true;
}

static void encode(const char *config, struct oms_buf *out)
{
    struct oms_json_error json_error;
    struct tenant_version *wanted;
    struct oms_error error = {0};
    struct oms_arena arena;
    struct oms_value value;

    oms_arena_init(&arena, 4096, 1u << 20);
    assert_int_equal(oms_json_parse(oms_str_of(config), 16, &arena, &value, &json_error), OMS_OK);
    enum oms_status status = tenant_parse(&value, &wanted, &error);
    if (status != OMS_OK)
        fail_msg("%s", error.message);
    tenant_version_encode(wanted, out);
    tenant_version_release(wanted);
    oms_arena_fini(&arena);
}

void api_lab_change(struct api_lab *lab, struct api_lab_change *change, const char *config)
{
    const struct tenant_version *before = actors_tenant_by_name(lab->host->shards[0], OMS_STR("shop"));

    *change = (struct api_lab_change){.home = false};
    oms_buf_init(&change->config, 1u << 20);
    encode(config, &change->config);
    tenant_call_init(&change->call);
    change->call.config = oms_buf_str(&change->config);
    change->call.number = before ? before->number : 0;
    change->call.message.on_return = came_home;
    tenant_call_send(lab->host->shards[0], &change->call);
}

void api_lab_change_fini(struct api_lab_change *change)
{
    assert_true(change->home);
    tenant_call_fini(&change->call);
    oms_buf_fini(&change->config);
}

void api_lab_init(struct api_lab *lab, uint64_t seed, const char *config)
{
    struct store_recovery recovery;
    struct api_lab_change change;
    struct oms_error error = {0};

    *lab = (struct api_lab){.memory = store_memory_create(), .role = OMS_STR("staff")};
    lab->host = rt_host_sim_create(
        &(struct rt_host_sim_config){.seed = seed, .shards = SHARDS, .start_ms = START_MS});
    struct store_config store = {
        .engine = store_memory_open(lab->memory), .host = lab->host, .projector = actors_projector()};
    assert_int_equal(store_open(&store, &lab->store, &recovery, &error), OMS_OK);
    struct actors_config actors = {.host = lab->host, .store = lab->store, .id_key = {1, 2}};
    assert_int_equal(actors_system_create(&actors, &lab->system, &error), OMS_OK);
    struct api_config api = {
        .host = lab->host, .system = lab->system, .authenticate = authenticate, .authenticate_context = lab};
    if (api_create(&api, &lab->api, &error) != OMS_OK)
        fail_msg("%s", error.message);
    assert_int_equal(lab->host->ops->start(lab->host, &error), OMS_OK);
    api_lab_change(lab, &change, config);
    for (unsigned steps = 0; !change.home; steps++) {
        assert_true(steps < STEPS_MAX);
        assert_true(rt_host_sim_step(lab->host));
    }
    api_lab_change_fini(&change);
}

void api_lab_fini(struct api_lab *lab)
{
    lab->host->ops->stop(lab->host);
    api_destroy(lab->api);
    store_close(lab->store);
    lab->host->ops->destroy(lab->host);
    actors_system_destroy(lab->system);
    store_memory_destroy(lab->memory);
}

void api_lab_send(struct api_lab *lab, struct fake_exchange *fake, const char *document)
{
    struct oms_buf body;

    fake_begin(fake, "POST", "/graphql");
    fake_header(fake, "content-type", "application/json");
    fake->exchange.shard = lab->host->shards[0];
    oms_buf_init(&body, 1u << 16);
    oms_buf_append_lit(&body, "{\"query\":");
    oms_json_write_string(&body, oms_str_of(document));
    oms_buf_append_char(&body, '}');
    fake->exchange.body = oms_str_copy(&fake->exchange.arena, oms_buf_str(&body));
    oms_buf_fini(&body);
    api_handle_graphql(&fake->exchange, lab->api);
}

void api_lab_ask(struct api_lab *lab, struct fake_exchange *fake, const char *document)
{
    api_lab_send(lab, fake, document);
    for (unsigned steps = 0; !fake->answers; steps++) {
        assert_true(steps < STEPS_MAX);
        assert_true(rt_host_sim_step(lab->host));
    }
}
