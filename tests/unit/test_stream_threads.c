/*
 * Live streams on real threads: every shard sends commands and reads streams at once, readers come and go,
 * and the tenant changes meanwhile. For the thread sanitizer above all; at the end all readers must have seen
 * the same bytes in the same order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "actors/ids.h"
#include "http/api/request.h"
#include "http/stream/stream.h"
#include "http_fixture.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "runtime/host_uv.h"
#include "storage/engine.h"

#define SHARDS   3
#define TAPS     4
#define FLIGHTS  8
#define COMMANDS 150
#define RESUMES  12
#define EVENTS   (SHARDS * COMMANDS * 2) /* an order is created, and its first step starts */
#define SEEN_MAX 16384
#define DOCUMENT                                                                                             \
    "subscription { tenantEvents(after: \"0\") { cursor event { id commit type change order { version "      \
    "stage "                                                                                                 \
    "} } } }"

struct place {
    uint64_t commit, ordinal, json;
};

struct tap {
    struct stream_reader reader;
    struct driver *driver;
    size_t count;
    struct place seen[SEEN_MAX];
};

struct driver {
    struct rt_message step;
    unsigned shard, sent, answered, resumed;
    struct fake_exchange flights[FLIGHTS];
    bool flying[FLIGHTS];
    struct tap taps[TAPS];
    struct tenant_call change;
    struct oms_buf config;
    bool changing;
    atomic_bool done;
};

static struct driver drivers[SHARDS];
static struct rt_host *host;
static struct api *api;
static struct store *store;
static atomic_bool ready;
static const struct oms_str staff = {"staff", 5};
static const struct oms_str tenants[] = {{"shop", 4}};
static const struct oms_hash_key json_key = {1, 2};

static struct http_claims *claims_of_staff(void)
{
    struct http_claims *claims = http_claims_create();
    claims->subject = OMS_STR("sam");
    claims->issuer = OMS_STR("lab");
    claims->tenant_claimed = claims->any_tenant = true;
    claims->tenants = tenants;
    claims->tenant_count = 1;
    claims->roles = &staff;
    claims->role_count = 1;
    claims->expires_ms = INT64_MAX;
    return claims;
}

static bool authenticate(struct http_exchange *exchange, void *context, const struct http_claims **out)
{
    (void)exchange;
    (void)context;
    *out = claims_of_staff();
    return true;
}

/* ---- readers ---- */

static void drain(struct tap *tap)
{
    struct http_payload *payload;
    while ((payload = stream_pop(&tap->reader)) != NULL) {
        if (payload->events) {
            OMS_ASSERT(tap->count < SEEN_MAX);
            tap->seen[tap->count++] = (struct place){
                payload->commit, oms_siphash64(&json_key, payload->bytes, payload->len), payload->ordinal};
        }
        http_payload_release(payload);
    }
    OMS_ASSERT(stream_ended(&tap->reader) == STREAM_END_NONE);
}

static void on_wake(struct stream_reader *reader)
{
    drain(OMS_CONTAINER_OF(reader, struct tap, reader));
}

static void open_tap(struct tap *tap)
{
    static const struct stream_reader_ops ops = {.wake = on_wake};
    struct api_shard *as = api->shards[tap->driver->shard];
    struct gql_prepared *prepared;
    struct gql_request *request;
    struct gql_errors errors;
    struct oms_arena arena;
    char last_event_id[IDS_CURSOR_TEXT_MAX];
    tap->reader.ops = &ops;
    oms_arena_init(&arena, 4096, 1u << 20);
    gql_errors_init(&errors, &arena);
    enum oms_status status = gql_prepare(api->schema, OMS_STR(DOCUMENT), &prepared, &errors);
    OMS_ASSERT(status == OMS_OK);
    status = gql_bind(prepared, OMS_STR_NONE, NULL, &arena, &request, &errors);
    OMS_ASSERT(status == OMS_OK);
    struct stream_request open = {.document = OMS_STR(DOCUMENT), .gql = request, .claims = claims_of_staff()};
    if (tap->count) {
        const struct place *last = &tap->seen[tap->count - 1];
        size_t len =
            ids_cursor_text((struct ids_cursor){last->commit, (uint32_t)last->ordinal}, last_event_id);
        open.last_event_id = oms_str_make(last_event_id, len);
    }
    status = stream_open(as, &tap->reader, &open, &errors);
    OMS_ASSERT(status == OMS_OK);
    http_claims_release(open.claims);
    gql_prepared_release(prepared);
    oms_arena_fini(&arena);
}

/* ---- commands ---- */

static void send(struct driver *driver, unsigned slot)
{
    struct fake_exchange *fake = &driver->flights[slot];
    struct oms_buf body;
    char document[1024];
    snprintf(
        document, sizeof(document),
        "mutation { createOrder(input: { externalRef: \"R-%u-%u\", customerDetails: { customerId: \"c\" }, "
        "destination: { city: \"Leeds\", country: \"GB\" }, lineItems: [{ productSku: \"TEA\", productName: "
        "\"Tea\", vendor: { vendorId: \"v\" }, orderQuantity: 1, productPrice: { amount: \"1\", currency: "
        "\"GBP\" } }] }) { created userErrors { code } } }",
        driver->shard, driver->sent++);
    fake_begin(fake, "POST", "/graphql");
    fake_header(fake, "content-type", "application/json");
    fake->exchange.shard = host->shards[driver->shard];
    oms_buf_init(&body, 1u << 16);
    oms_buf_append_lit(&body, "{\"query\":");
    oms_json_write_string(&body, oms_str_of(document));
    oms_buf_append_char(&body, '}');
    fake->exchange.body = oms_str_copy(&fake->exchange.arena, oms_buf_str(&body));
    oms_buf_fini(&body);
    driver->flying[slot] = true;
    api_handle_graphql(&fake->exchange, api);
}

static void reap(struct driver *driver, unsigned slot)
{
    struct fake_exchange *fake = &driver->flights[slot];
    if (!driver->flying[slot] || !fake->answers)
        return;
    OMS_ASSERT(strstr(fake->body, "\"created\":true"));
    fake_end(fake);
    driver->flying[slot] = false;
    driver->answered++;
}

/* ---- the tenant ---- */

static void changed(struct rt_shard *shard, struct rt_message *message)
{
    struct driver *driver = OMS_CONTAINER_OF(message, struct driver, change.message);
    (void)shard;
    OMS_ASSERT(message->status == OMS_OK && driver->change.status == OMS_OK);
    tenant_call_fini(&driver->change);
    oms_buf_fini(&driver->config);
    driver->changing = false;
    atomic_store(&ready, true);
}

static void change(struct driver *driver)
{
    struct rt_shard *shard = host->shards[driver->shard];
    const struct tenant_version *now = actors_tenant_by_name(shard, OMS_STR("shop"));
    struct tenant_version *wanted = tenant_create_default(OMS_STR("shop"));
    wanted->limits.requests_per_second = 1000000 + driver->answered;
    oms_buf_init(&driver->config, 1u << 20);
    tenant_version_encode(wanted, &driver->config);
    tenant_version_release(wanted);
    tenant_call_init(&driver->change);
    driver->change.config = oms_buf_str(&driver->config);
    driver->change.number = now ? now->number : 0;
    driver->change.message.on_return = changed;
    driver->changing = true;
    tenant_call_send(shard, &driver->change);
}

/* ---- the driver ---- */

static void open_all(struct driver *driver)
{
    for (unsigned i = 0; i < TAPS; i++) {
        driver->taps[i].driver = driver;
        open_tap(&driver->taps[i]);
    }
}

static void step(struct rt_shard *shard, struct rt_message *message)
{
    struct driver *driver = OMS_CONTAINER_OF(message, struct driver, step);
    bool last = driver->answered == COMMANDS && !driver->changing;
    if (driver->shard == 0 && !atomic_load(&ready) && !driver->changing)
        change(driver);
    if (atomic_load(&ready)) {
        if (!driver->taps[0].reader.ops)
            open_all(driver);
        for (unsigned i = 0; i < FLIGHTS; i++) {
            reap(driver, i);
            if (!driver->flying[i] && driver->sent < COMMANDS)
                send(driver, i);
        }
        if (driver->resumed < RESUMES &&
            driver->answered >= (driver->resumed + 1) * (COMMANDS / (RESUMES + 2))) {
            struct tap *tap = &driver->taps[driver->resumed++ % TAPS];
            stream_close(&tap->reader);
            open_tap(tap);
            if (driver->shard == 0 && !driver->changing)
                change(driver);
        }
    }
    if (last)
        atomic_store(&driver->done, true);
    else
        rt_post(host, rt_shard_index(shard), message);
}

static void close_all(struct rt_shard *shard, struct rt_message *message)
{
    struct driver *driver = OMS_CONTAINER_OF(message, struct driver, step);
    (void)shard;
    for (unsigned i = 0; i < TAPS; i++)
        stream_close(&driver->taps[i].reader);
    atomic_store(&driver->done, true);
}

/* Whether every reader has seen all. */
static atomic_bool complete;

static void look(struct rt_shard *shard, struct rt_message *message)
{
    struct driver *driver = OMS_CONTAINER_OF(message, struct driver, step);
    (void)shard;
    for (unsigned i = 0; i < TAPS; i++)
        if (driver->taps[i].count < EVENTS)
            atomic_store(&complete, false);
    atomic_store(&driver->done, true);
}

static void run_on_all(void (*function)(struct rt_shard *shard, struct rt_message *message))
{
    const struct timespec pause = {.tv_nsec = 20000000};
    for (unsigned i = 0; i < SHARDS; i++) {
        atomic_store(&drivers[i].done, false);
        drivers[i].shard = i;
        drivers[i].step.on_return = function;
        rt_post(host, i, &drivers[i].step);
    }
    for (unsigned i = 0; i < SHARDS; i++)
        while (!atomic_load(&drivers[i].done))
            nanosleep(&pause, NULL);
}

static void all_readers_see_the_same(void **state)
{
    const struct timespec settle = {.tv_nsec = 50000000};
    struct store_memory *memory = store_memory_create();
    struct actors_system *system;
    struct store_recovery recovery;
    struct oms_error error = {0};
    (void)state;
    assert_int_equal(rt_host_uv_create(&(struct rt_host_uv_config){.shards = SHARDS}, &host, &error), OMS_OK);
    struct store_config store_config = {
        .engine = store_memory_open(memory), .host = host, .projector = actors_projector()};
    assert_int_equal(store_open(&store_config, &store, &recovery, &error), OMS_OK);
    struct actors_config actors = {.host = host, .store = store, .id_key = {1, 2}};
    assert_int_equal(actors_system_create(&actors, &system, &error), OMS_OK);
    struct api_config config = {.host = host, .system = system, .authenticate = authenticate};
    assert_int_equal(api_create(&config, &api, &error), OMS_OK);
    assert_int_equal(stream_hub_create(api, &error), OMS_OK);
    assert_int_equal(host->ops->start(host, &error), OMS_OK);

    run_on_all(step);
    for (bool all = false; !all;) {
        atomic_store(&complete, true);
        nanosleep(&settle, NULL);
        run_on_all(look);
        all = atomic_load(&complete);
    }
    run_on_all(close_all);

    host->ops->stop(host);
    store_close(store);
    host->ops->destroy(host);
    stream_hub_destroy(api);
    api_destroy(api);
    actors_system_destroy(system);
    store_memory_destroy(memory);

    const struct tap *first = &drivers[0].taps[0];
    assert_int_equal(first->count, EVENTS);
    for (unsigned i = 0; i < SHARDS * TAPS; i++) {
        const struct tap *tap = &drivers[i / TAPS].taps[i % TAPS];
        assert_int_equal(tap->count, first->count);
        assert_memory_equal(tap->seen, first->seen, first->count * sizeof(first->seen[0]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_readers_see_the_same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
