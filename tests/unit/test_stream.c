/* Live streams below the protocols, on the simulation host: what readers see, and when they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "api_lab.h"
#include "http/api/request.h"
#include "http/stream/stream.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "runtime/host_sim.h"
#include "storage/engine.h"

#define CONFIG   "{\"name\":\"shop\",\"status\":\"active\"}"
#define SEEN_MAX 4096

/* A reader that keeps what it was sent. */
struct seen {
    char *json;
    uint64_t commit;
    uint32_t ordinal;
    bool event;
};
struct tap {
    struct stream_reader reader;
    struct gql_prepared *prepared;
    struct http_claims *claims;
    struct seen items[SEEN_MAX];
    size_t count;
    unsigned wakes;
    bool stalled; /* does not pop */
    bool open;
};

static struct api_lab lab;

static void drain(struct tap *tap)
{
    struct http_payload *payload;
    while (tap->open && !tap->stalled && (payload = stream_pop(&tap->reader)) != NULL) {
        assert_true(tap->count < SEEN_MAX);
        tap->items[tap->count++] = (struct seen){.json = oms_str_dup(http_payload_json(payload)),
                                                 .commit = payload->commit,
                                                 .ordinal = payload->ordinal,
                                                 .event = payload->events != 0};
        http_payload_release(payload);
    }
}

static void on_wake(struct stream_reader *reader)
{
    struct tap *tap = OMS_CONTAINER_OF(reader, struct tap, reader);
    tap->wakes++;
    drain(tap);
}

static const struct stream_reader_ops tap_ops = {.wake = on_wake};

static struct http_claims *claims_of(const char *subject, const struct oms_str *role)
{
    static const struct oms_str tenants[] = {{"shop", 4}};
    struct http_claims *claims = http_claims_create();
    claims->subject = oms_str_of(subject);
    claims->issuer = OMS_STR("lab");
    claims->tenant_claimed = claims->any_tenant = true;
    claims->tenants = tenants;
    claims->tenant_count = 1;
    claims->roles = role;
    claims->role_count = 1;
    claims->expires_ms = INT64_MAX;
    return claims;
}

static const struct oms_str staff = {"staff", 5};
static const struct oms_str customer = {"customer", 8};

/* Opens on a shard; the error's code, or NULL. Static storage. */
static const char *open_as(struct tap *tap, unsigned shard, const char *document, const char *variables,
                           const char *last_event_id, struct http_claims *claims)
{
    static char code[64];
    struct api_shard *as = lab.api->shards[shard];
    struct oms_json_error json_error;
    struct oms_value values;
    struct oms_arena arena;
    struct gql_errors errors;
    struct gql_request *request;
    memset(tap, 0, offsetof(struct tap, items));
    tap->count = 0;
    tap->reader.ops = &tap_ops;
    tap->claims = claims;
    oms_arena_init(&arena, 4096, 1u << 20);
    gql_errors_init(&errors, &arena);
    if (gql_prepare(lab.api->schema, oms_str_of(document), &tap->prepared, &errors) != OMS_OK)
        fail_msg("%.*s", OMS_STR_ARG(errors.items[0].message));
    if (variables)
        assert_int_equal(oms_json_parse(oms_str_of(variables), 16, &arena, &values, &json_error), OMS_OK);
    if (gql_bind(tap->prepared, OMS_STR_NONE, variables ? &values : NULL, &arena, &request, &errors) !=
        OMS_OK)
        fail_msg("%.*s", OMS_STR_ARG(errors.items[0].message));
    struct stream_request open = {.document = oms_str_of(document),
                                  .variables = oms_str_of(variables),
                                  .gql = request,
                                  .claims = claims,
                                  .last_event_id = oms_str_of(last_event_id)};
    enum oms_status status = stream_open(as, &tap->reader, &open, &errors);
    tap->open = status == OMS_OK;
    const char *out = NULL;
    if (status != OMS_OK) {
        assert_true(errors.count > 0);
        snprintf(code, sizeof(code), "%s", errors.items[0].code);
        out = code;
    }
    gql_prepared_release(tap->prepared);
    oms_arena_fini(&arena);
    http_claims_release(claims);
    return out;
}

static void close_tap(struct tap *tap)
{
    if (tap->open)
        stream_close(&tap->reader);
    tap->open = false;
    for (size_t i = 0; i < tap->count; i++)
        oms_free(tap->items[i].json);
    tap->count = 0;
}

static void run(void)
{
    (void)rt_host_sim_run(lab.host, 200000, 400);
}

static void run_ms(int64_t ms)
{
    int64_t until = rt_now_ms(lab.host) + ms;
    while (rt_now_ms(lab.host) < until)
        (void)rt_host_sim_run(lab.host, 200000, 200);
}

static void begin(uint64_t seed)
{
    struct oms_error error;
    api_lab_init(&lab, seed, CONFIG);
    assert_int_equal(stream_hub_create(lab.api, &error), OMS_OK);
}

static void end(void)
{
    run();
    lab.host->ops->stop(lab.host);
    store_close(lab.store);
    lab.host->ops->destroy(lab.host);
    stream_hub_destroy(lab.api);
    api_destroy(lab.api);
    actors_system_destroy(lab.system);
    store_memory_destroy(lab.memory);
}

static void place(const char *reference, char id[64])
{
    struct fake_exchange fake;
    char document[1024];
    snprintf(document, sizeof(document),
             "mutation { createOrder(input: { externalRef: \"%s\", customerDetails: { customerId: \"c1\" }, "
             "destination: { city: \"London\", country: \"GB\" }, lineItems: [{ productSku: \"TEA\", "
             "productName: \"Tea\", vendor: { vendorId: \"v1\" }, orderQuantity: 2, productPrice: { amount: "
             "\"7.50\", currency: \"GBP\" } }] }) { order { orderId } userErrors { code message } } }",
             reference);
    api_lab_ask(&lab, &fake, document);
    const char *at = strstr(fake.body, "ORD-");
    if (!at)
        fail_msg("%s", fake.body);
    snprintf(id, 64, "%.30s", at);
    fake_end(&fake);
}

static void note(const char *id, const char *text, bool visible)
{
    struct fake_exchange fake;
    char document[512];
    snprintf(document, sizeof(document),
             "mutation { addNote(input: { orderId: \"%s\", note: \"%s\", visibleToCustomer: %s }) { "
             "userErrors { code message } } }",
             id, text, visible ? "true" : "false");
    api_lab_ask(&lab, &fake, document);
    assert_non_null(strstr(fake.body, "\"userErrors\":[]"));
    fake_end(&fake);
}

#define TENANT_EVENTS                                                                                        \
    "subscription { tenantEvents { cursor event { id cursor commit type sequence order { orderId version "   \
    "stage } } } }"

static void events_come_as_they_are_committed(void **state)
{
    static struct tap tap;
    char id[64];
    (void)state;
    begin(1);
    assert_null(open_as(&tap, 1, TENANT_EVENTS, NULL, NULL, claims_of("sam", &staff)));
    run();
    assert_int_equal(tap.count, 1); /* where it begins */
    assert_false(tap.items[0].event);
    place("A", id);
    run();
    assert_true(tap.count >= 2);
    assert_true(tap.items[1].event);
    assert_non_null(strstr(tap.items[1].json, "\"type\":\"ORDER_CREATED\""));
    assert_non_null(strstr(tap.items[1].json, id));
    assert_null(strchr(tap.items[1].json, '\x01'));
    close_tap(&tap);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_come_as_they_are_committed),
    };
    (void)customer;
    (void)note;
    (void)run_ms;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
