/* The tenant actor on the simulation host and the store in memory: changes that overtake nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "actors/system.h"
#include "actors/tenant_settings.h"
#include "runtime/base/assert.h"
#include "runtime/host_sim.h"
#include "storage/engine.h"

#define SHARDS    3
#define STEPS_MAX 100000

struct lab {
    struct store_memory *memory;
    struct rt_host *host;
    struct store *store;
    struct actors_system *system;
};

struct change {
    struct tenant_call call;
    struct oms_buf config;
    bool home;
};

static struct lab lab;

static int set_up(void **state)
{
    struct oms_error error;
    struct store_recovery recovery;
    (void)state;
    lab.memory = store_memory_create();
    lab.host = rt_host_sim_create(&(struct rt_host_sim_config){.seed = 7, .shards = SHARDS, .start_ms = 1});
    struct store_config store = {
        .engine = store_memory_open(lab.memory), .host = lab.host, .projector = actors_projector()};
    assert_int_equal(store_open(&store, &lab.store, &recovery, &error), OMS_OK);
    struct actors_config actors = {.host = lab.host, .store = lab.store};
    assert_int_equal(actors_system_create(&actors, &lab.system, &error), OMS_OK);
    assert_int_equal(lab.host->ops->start(lab.host, &error), OMS_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lab.host->ops->stop(lab.host);
    store_close(lab.store);
    lab.host->ops->destroy(lab.host);
    actors_system_destroy(lab.system);
    store_memory_destroy(lab.memory);
    return 0;
}

static void came_home(struct rt_shard *shard, struct rt_message *message)
{
    struct change *change = OMS_CONTAINER_OF(message, struct change, call.message);
    (void)shard;
    assert_int_equal(message->status, OMS_OK);
    assert_int_equal(change->call.status, OMS_OK);
    change->home = true;
}

static void send(struct change *change, uint32_t number, enum tenant_status status)
{
    struct tenant_version *wanted = tenant_create_default(OMS_STR("shop"));
    wanted->status = status;
    tenant_settings_note(wanted);
    *change = (struct change){.home = false};
    oms_buf_init(&change->config, OMS_TENANT_STATE_BYTES_MAX);
    tenant_version_encode(wanted, &change->config);
    tenant_version_release(wanted);
    tenant_call_init(&change->call);
    change->call.config = oms_buf_str(&change->config);
    change->call.number = number;
    change->call.message.on_return = came_home;
    tenant_call_send(lab.host->shards[0], &change->call);
}

static void end(struct change *change)
{
    tenant_call_fini(&change->call);
    oms_buf_fini(&change->config);
}

static void run_until_home(const struct change *change)
{
    for (unsigned steps = 0; !change->home; steps++) {
        assert_true(steps < STEPS_MAX);
        assert_true(rt_host_sim_step(lab.host));
    }
}

static void everywhere(uint32_t number, int64_t version, enum tenant_status status)
{
    for (unsigned i = 0; i < SHARDS; i++) {
        const struct tenant_version *tenant = actors_tenant(lab.host->shards[i], number);
        assert_non_null(tenant);
        assert_int_equal(tenant->version, version);
        assert_int_equal(tenant->status, status);
    }
}

static uint32_t create(void)
{
    struct change change;
    send(&change, 0, TENANT_ACTIVE);
    run_until_home(&change);
    assert_true(change.call.changed);
    uint32_t number = change.call.number;
    end(&change);
    everywhere(number, 1, TENANT_ACTIVE);
    return number;
}

/* Nobody waits for the first: the second follows it all the same, and is what holds in the end. */
static void a_change_follows_the_one_on_its_way(void **state)
{
    struct change first, second;
    (void)state;
    uint32_t number = create();
    send(&first, number, TENANT_SUSPENDED);
    send(&second, number, TENANT_ACTIVE);
    run_until_home(&first);
    run_until_home(&second);
    assert_true(first.call.changed && second.call.changed);
    everywhere(number, 3, TENANT_ACTIVE);
    end(&first);
    end(&second);
}

/* What is like that already is told so only when it is like that everywhere. */
static void a_repeat_waits_for_the_first(void **state)
{
    struct change first, second;
    (void)state;
    uint32_t number = create();
    send(&first, number, TENANT_SUSPENDED);
    send(&second, number, TENANT_SUSPENDED);
    run_until_home(&second);
    everywhere(number, 2, TENANT_SUSPENDED);
    run_until_home(&first);
    assert_true(first.call.changed);
    assert_false(second.call.changed);
    end(&first);
    end(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_change_follows_the_one_on_its_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_repeat_waits_for_the_first, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
