/* Live streams below the protocols, on the simulation host: what readers see, and when they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "actors/ids.h"
#include "api_lab.h"
#include "http/api/request.h"
#include "http/stream/stream_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "runtime/base/prng.h"
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
    size_t count;
    unsigned wakes;
    bool stalled; /* does not pop */
    bool open;
    struct seen items[SEEN_MAX];
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
    static char document[8192];
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

/* ---- one thing at a time ---- */

static struct tap taps[64];

static struct stream_stats stats_of_all(void)
{
    struct stream_stats all = {0};
    for (unsigned i = 0; i < lab.host->shard_count; i++) {
        struct stream_stats one;
        stream_shard_stats(lab.api, i, &one);
        all.readers += one.readers;
        all.topics += one.topics;
        all.executed += one.executed;
        all.delivered += one.delivered;
        all.ring_bytes += one.ring_bytes;
    }
    return all;
}

static size_t events_of(const struct tap *tap)
{
    size_t count = 0;
    for (size_t i = 0; i < tap->count; i++)
        count += tap->items[i].event;
    return count;
}

static bool saw(const struct tap *tap, const char *text)
{
    for (size_t i = 0; i < tap->count; i++)
        if (strstr(tap->items[i].json, text))
            return true;
    return false;
}

/* The last words, in a buffer of its own; "" while the stream lives. */
static const char *words_of(const struct tap *tap)
{
    static char words[1024];
    words[0] = 0;
    if (tap->open && stream_ended(&tap->reader) != STREAM_END_NONE) {
        struct http_payload *payload = stream_last_words(&tap->reader);
        snprintf(words, sizeof(words), "%.*s", OMS_STR_ARG(http_payload_json(payload)));
        http_payload_release(payload);
    }
    return words;
}

static void change_to(const char *config)
{
    struct api_lab_change change;
    api_lab_change(&lab, &change, config);
    while (!change.home)
        assert_true(rt_host_sim_step(lab.host));
    api_lab_change_fini(&change);
}

static void an_event_is_executed_once_for_all(void **state)
{
    char id[64], variables[64];
    size_t events = 0;
    (void)state;
    begin(2);
    place("A", id);
    uint64_t durable = store_durable_commit(lab.store, store_partition_of(1));
    for (unsigned i = 0; i < OMS_COUNT_OF(taps);
         i++) { /* they differ in where they begin, and who they are */
        char cursor[IDS_CURSOR_TEXT_MAX], subject[16];
        (void)ids_cursor_text((struct ids_cursor){durable - 1 + i % 2, UINT32_MAX}, cursor);
        snprintf(variables, sizeof(variables), "{\"after\":\"%s\"}", cursor);
        snprintf(subject, sizeof(subject), "staff-%u", i);
        assert_null(
            open_as(&taps[i], i % 3,
                    "subscription($after: String) { tenantEvents(after: $after) { cursor event { cursor "
                    "id type order { version } } } }",
                    variables, NULL, claims_of(subject, &staff)));
    }
    run();
    struct stream_stats before = stats_of_all();
    assert_int_equal(before.readers, OMS_COUNT_OF(taps));
    assert_int_equal(before.topics, 3); /* one a shard */
    for (unsigned i = 0; i < OMS_COUNT_OF(taps); i++) {
        if (i == 0)
            events = events_of(&taps[i]);
        assert_int_equal(events_of(&taps[i]), i % 2 ? 0 : events);
    }
    assert_true(events > 0);
    note(id, "one", false);
    note(id, "two", true);
    run();
    struct stream_stats after = stats_of_all();
    assert_int_equal(after.executed - before.executed, 2);
    assert_int_equal(after.delivered - before.delivered, 2 * OMS_COUNT_OF(taps));
    for (unsigned i = 0; i < OMS_COUNT_OF(taps); i++) {
        assert_int_equal(events_of(&taps[i]), (i % 2 ? 0 : events) + 2);
        close_tap(&taps[i]);
    }
    run_ms(7000); /* nobody comes back */
    after = stats_of_all();
    assert_int_equal(after.readers + after.topics + after.ring_bytes, 0);
    note(id, "three", true);
    run();
    assert_int_equal(stats_of_all().executed, after.executed);
    end();
}

static void callers_who_differ_share_nothing_that_shows_it(void **state)
{
    static const char *const mine =
        "subscription { tenantEvents { event { order { availableActions { command "
        "allowed } } } } }";
    char id[64];
    (void)state;
    begin(3);
    assert_null(open_as(&taps[0], 0, mine, NULL, NULL, claims_of("one", &staff)));
    assert_null(open_as(&taps[1], 0, mine, NULL, NULL, claims_of("two", &staff)));
    run();
    assert_int_equal(stats_of_all().topics, 2);
    place("A", id);
    run();
    assert_true(events_of(&taps[0]) > 0 && events_of(&taps[0]) == events_of(&taps[1]));
    close_tap(&taps[0]);
    close_tap(&taps[1]);
    end();
}

static void a_customer_never_gets_what_staff_see(void **state)
{
    char id[64];
    (void)state;
    begin(4);
    assert_null(open_as(&taps[0], 2, TENANT_EVENTS, NULL, NULL, claims_of("c1", &customer)));
    assert_null(open_as(&taps[1], 2, TENANT_EVENTS, NULL, NULL, claims_of("c2", &customer)));
    assert_null(open_as(&taps[2], 2,
                        "subscription { tenantEvents { event { type change order { notes { text } } } } }",
                        NULL, NULL, claims_of("c1", &customer)));
    run();
    place("A", id);
    note(id, "hidden", false);
    note(id, "shown", true);
    run();
    assert_true(saw(&taps[0], "ORDER_CREATED"));
    assert_false(saw(&taps[0], "STEP_STARTED"));
    assert_int_equal(events_of(&taps[1]), 0); /* somebody else's order */
    assert_true(saw(&taps[2], "shown"));
    assert_false(saw(&taps[2], "hidden"));
    for (unsigned i = 0; i < 3; i++)
        close_tap(&taps[i]);
    end();
}

#define ORDER_EVENTS                                                                                         \
    "subscription($id: ID!) { orderEvents(orderId: $id) { cursor event { type order { orderId } } } }"

static void an_orders_stream_is_for_who_may_read_it(void **state)
{
    char id[64], other[64], variables[128];
    (void)state;
    begin(5);
    place("A", id);
    place("B", other);
    snprintf(variables, sizeof(variables), "{\"id\":\"%s\"}", id);
    assert_null(open_as(&taps[0], 0, ORDER_EVENTS, variables, NULL, claims_of("sam", &staff)));
    assert_null(open_as(&taps[1], 1, ORDER_EVENTS, variables, NULL, claims_of("c1", &customer)));
    assert_null(open_as(&taps[2], 2, ORDER_EVENTS, variables, NULL, claims_of("c2", &customer)));
    assert_null(open_as(&taps[3], 2, ORDER_EVENTS, "{\"id\":\"ORD-00000000000000000000000000\"}", NULL,
                        claims_of("sam", &staff)));
    assert_string_equal(
        open_as(&taps[4], 2, ORDER_EVENTS, "{\"id\":\"nonsense\"}", NULL, claims_of("sam", &staff)),
        "NOT_FOUND");
    run();
    assert_non_null(strstr(words_of(&taps[2]), "\"code\":\"NOT_FOUND\""));
    assert_int_equal(taps[2].count, 0);
    char unknown[1024];
    snprintf(unknown, sizeof(unknown), "%s", words_of(&taps[2]));
    assert_string_equal(unknown, words_of(&taps[3]));
    note(other, "elsewhere", true);
    note(id, "hidden", false);
    note(id, "shown", true);
    run();
    assert_int_equal(events_of(&taps[0]), 2);
    assert_int_equal(events_of(&taps[1]), 1);
    assert_false(saw(&taps[0], other));
    for (unsigned i = 0; i < 4; i++)
        close_tap(&taps[i]);
    end();
}

static void what_is_withdrawn_stops_at_once(void **state)
{
    static const char *const without =
        "{\"name\":\"shop\",\"rolemap\":[{\"role\":\"staff\",\"permissions\":[\"get_order\",\"create_order\","
        "\"add_note\"]}]}";
    char id[64];
    (void)state;
    for (uint64_t seed = 20; seed < 30; seed++) {
        begin(seed);
        place("A", id);
        assert_null(open_as(&taps[0], 0, TENANT_EVENTS, NULL, NULL, claims_of("c1", &customer)));
        assert_null(open_as(&taps[1], 1, TENANT_EVENTS, NULL, NULL, claims_of("sam", &staff)));
        run();
        change_to(without);
        size_t count = taps[0].count;
        note(id, "after", true);
        run();
        assert_int_equal(taps[0].count, count);
        assert_non_null(strstr(words_of(&taps[0]), "\"code\":\"FORBIDDEN\""));
        assert_int_equal(events_of(&taps[1]), 1); /* moved, and missed nothing */
        change_to("{\"name\":\"shop\",\"status\":\"suspended\"}");
        run();
        assert_string_equal(words_of(&taps[1]), "");
        assert_string_equal(words_of(&taps[1]), "");
        close_tap(&taps[0]);
        close_tap(&taps[1]);
        end();
    }
}

static void a_token_ends_its_stream(void **state)
{
    struct http_claims *claims[3];
    (void)state;
    begin(6);
    for (unsigned i = 0; i < 3; i++) {
        claims[i] = claims_of("sam", &staff);
        claims[i]->expires_ms = rt_now_ms(lab.host) + 3000 * (3 - (int)i);
        assert_null(open_as(&taps[i], i, TENANT_EVENTS, NULL, NULL, claims[i]));
    }
    run_ms(4500);
    assert_string_equal(words_of(&taps[0]), "");
    assert_string_equal(words_of(&taps[1]), "");
    assert_non_null(strstr(words_of(&taps[2]), "\"code\":\"TOKEN_EXPIRED\""));
    assert_non_null(strstr(words_of(&taps[2]), "\"cursor\":\""));
    run_ms(6000);
    assert_non_null(strstr(words_of(&taps[0]), "TOKEN_EXPIRED"));
    assert_int_equal(taps[2].wakes, 2); /* its beginning, and its end */
    for (unsigned i = 0; i < 3; i++)
        close_tap(&taps[i]);
    end();
}

static void who_does_not_read_is_cut_off(void **state)
{
    char id[64], text[3900];
    (void)state;
    begin(7);
    place("A", id);
    static const char *const document = "subscription { tenantEvents { cursor event { change } } }";
    assert_null(open_as(&taps[0], 0, document, NULL, NULL, claims_of("sam", &staff)));
    assert_null(open_as(&taps[1], 0, document, NULL, NULL, claims_of("sam", &staff)));
    run();
    taps[0].stalled = true;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    for (unsigned i = 0; i < 1200; i++)
        note(id, text, true);
    run();
    assert_int_equal(events_of(&taps[1]), 1200);
    assert_true(stats_of_all().ring_bytes <= OMS_STREAM_RING_BYTES_MAX);
    assert_non_null(strstr(words_of(&taps[0]), "\"code\":\"SLOW_READER\""));
    /* It comes again with the cursor that it was told, and has missed nothing. */
    char last_id[64];
    const char *cursor = strstr(words_of(&taps[0]), "\"cursor\":\"") + 10;
    snprintf(last_id, sizeof(last_id), "%.*s", (int)strcspn(cursor, "\""), cursor);
    close_tap(&taps[0]);
    assert_null(open_as(&taps[0], 0, document, NULL, last_id, claims_of("sam", &staff)));
    run();
    assert_int_equal(events_of(&taps[0]), 1200);
    close_tap(&taps[0]);
    close_tap(&taps[1]);
    end();
}

static void checkpoints_move_the_cursor_on(void **state)
{
    char id[64], other[64], variables[128];
    (void)state;
    begin(8);
    place("A", id);
    snprintf(variables, sizeof(variables), "{\"id\":\"%s\"}", id);
    assert_null(open_as(
        &taps[0], 0, "subscription { tenantEvents(filter: { stages: [CANCELLED] }) { cursor event { id } } }",
        NULL, NULL, claims_of("sam", &staff)));
    assert_null(open_as(&taps[1], 1, ORDER_EVENTS, variables, NULL, claims_of("sam", &staff)));
    assert_null(
        open_as(&taps[2], 1,
                "subscription { tenantEvents(filter: { stages: [CANCELLED] }) { cursor event { order { "
                "notes { text } } } } }",
                NULL, NULL, claims_of("sam", &staff)));
    run();
    place("B", other);
    uint64_t durable = store_durable_commit(lab.store, store_partition_of(1));
    run_ms(25000);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(events_of(&taps[i]), 0);
        assert_int_equal(taps[i].count, 2); /* where it begins, and that nothing was for it */
        assert_true(taps[i].items[1].commit >= durable);
        assert_non_null(strstr(taps[i].items[1].json, "\"event\":null"));
    }
    run_ms(25000); /* nothing happens: nothing is said */
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(taps[i].count, 2);
        close_tap(&taps[i]);
    }
    end();
}

static void cursors_are_checked(void **state)
{
    char id[64], first[64];
    (void)state;
    api_lab_init(&lab, 9, CONFIG);
    struct oms_error error;
    lab.api->config.stream_replay_hours = 1;
    assert_int_equal(stream_hub_create(lab.api, &error), OMS_OK);
    place("A", id);
    note(id, "old", true);
    run();
    rt_host_sim_advance(lab.host, 2 * 3600 * 1000);
    note(id, "young", true);
    run();
    assert_string_equal(open_as(&taps[0], 0, TENANT_EVENTS, NULL, "what", claims_of("sam", &staff)),
                        "BAD_USER_INPUT");
    char beyond[IDS_CURSOR_TEXT_MAX];
    (void)ids_cursor_text((struct ids_cursor){UINT64_C(1) << 40, 0}, beyond);
    assert_string_equal(open_as(&taps[0], 0, TENANT_EVENTS, NULL, beyond, claims_of("sam", &staff)),
                        "BAD_USER_INPUT");
    assert_null(open_as(&taps[0], 0, TENANT_EVENTS, NULL, "0", claims_of("sam", &staff)));
    run();
    assert_int_equal(taps[0].count, 0);
    assert_non_null(strstr(words_of(&taps[0]), "\"code\":\"CURSOR_EXPIRED\""));
    const char *at = strstr(words_of(&taps[0]), "\"firstCursor\":\"");
    assert_non_null(at);
    snprintf(first, sizeof(first), "%.*s", (int)strcspn(at + 15, "\""), at + 15);
    close_tap(&taps[0]);
    assert_null(open_as(&taps[0], 0, TENANT_EVENTS, NULL, first, claims_of("sam", &staff)));
    run();
    assert_int_equal(events_of(&taps[0]), 1);
    close_tap(&taps[0]);
    end();
}

static void a_tenant_has_so_many_streams(void **state)
{
    (void)state;
    begin(10);
    change_to("{\"name\":\"shop\",\"limits\":{\"streams\":2}}");
    assert_null(open_as(&taps[0], 0, TENANT_EVENTS, NULL, NULL, claims_of("sam", &staff)));
    assert_null(open_as(&taps[1], 1, TENANT_EVENTS, NULL, NULL, claims_of("sam", &staff)));
    assert_string_equal(open_as(&taps[2], 2, TENANT_EVENTS, NULL, NULL, claims_of("sam", &staff)),
                        "LIMIT_EXCEEDED");
    close_tap(&taps[0]);
    assert_null(open_as(&taps[2], 2, TENANT_EVENTS, NULL, NULL, claims_of("sam", &staff)));
    run();
    stream_hub_drain(lab.api);
    run();
    assert_non_null(strstr(words_of(&taps[1]), "\"code\":\"SERVER_STOPPING\""));
    assert_non_null(strstr(words_of(&taps[2]), "\"code\":\"SERVER_STOPPING\""));
    assert_string_equal(open_as(&taps[0], 0, TENANT_EVENTS, NULL, NULL, claims_of("sam", &staff)),
                        "SERVER_STOPPING");
    close_tap(&taps[1]);
    close_tap(&taps[2]);
    end();
}

/* The order's answer comes home to a stream that was ended meanwhile, and not yet closed. */
static void an_end_overtakes_the_question_whether_it_may_be_read(void **state)
{
    char id[64], variables[128];
    (void)state;
    begin(11);
    place("A", id);
    snprintf(variables, sizeof(variables), "{\"id\":\"%s\"}", id);
    assert_null(open_as(&taps[0], 1, ORDER_EVENTS, variables, NULL, claims_of("sam", &staff)));
    assert_null(open_as(&taps[1], 1, ORDER_EVENTS, variables, NULL, claims_of("c2", &customer)));
    stream_drain(lab.api->shards[1]);
    run();
    assert_non_null(strstr(words_of(&taps[0]), "\"code\":\"SERVER_STOPPING\""));
    assert_non_null(strstr(words_of(&taps[1]), "\"code\":\"SERVER_STOPPING\""));
    close_tap(&taps[0]);
    close_tap(&taps[1]);
    end();
}

/* Who begins at the beginning waits for others of the tenant, so that its queries find the pool free. */
static void readers_of_the_log_wait_in_turn(void **state)
{
    char id[64], document[256];
    bool crowded = false;
    (void)state;
    begin(12);
    place("A", id);
    for (unsigned i = 0; i < 80; i++)
        note(id, "n", true);
    for (unsigned i = 0; i < OMS_COUNT_OF(taps); i++) { /* every other one is a topic of its own */
        snprintf(document, sizeof(document),
                 "subscription { tenantEvents(after: \"0\") { cursor a%u: event { type } } }", i & ~1u);
        assert_null(open_as(&taps[i], i % 3, document, NULL, NULL, claims_of("sam", &staff)));
    }
    int64_t until = rt_now_ms(lab.host) + 3000;
    while (rt_now_ms(lab.host) < until && rt_host_sim_step(lab.host))
        for (unsigned i = 0; i < 3; i++) {
            const struct stream_reads *reads = &lab.api->shards[i]->streams->reads[1];
            assert_true(reads->under_way <= OMS_STREAM_READS_TENANT_MAX);
            crowded = crowded || (reads->waiting.next && !stream_list_is_empty(&reads->waiting));
            if (crowded && taps[0].open && i == 0)
                close_tap(&taps[0]); /* maybe while it waits */
        }
    assert_true(crowded);
    size_t events = events_of(&taps[1]);
    assert_true(events > 80);
    for (unsigned i = 1; i < OMS_COUNT_OF(taps); i++) {
        assert_int_equal(events_of(&taps[i]), events);
        close_tap(&taps[i]);
    }
    end();
}

/* Who reads some orders only has topics of their own, which cost something with every event. */
static void a_customer_has_so_many_streams(void **state)
{
    static struct tap many[OMS_STREAMS_SUBJECT_MAX];
    (void)state;
    begin(13);
    for (unsigned i = 0; i < OMS_COUNT_OF(many); i++)
        assert_null(open_as(&many[i], 0, TENANT_EVENTS, NULL, NULL, claims_of("c1", &customer)));
    assert_string_equal(open_as(&taps[0], 0, TENANT_EVENTS, NULL, NULL, claims_of("c1", &customer)),
                        "LIMIT_EXCEEDED");
    assert_null(open_as(&taps[0], 0, TENANT_EVENTS, NULL, NULL, claims_of("c2", &customer)));
    assert_null(open_as(&taps[1], 0, TENANT_EVENTS, NULL, NULL, claims_of("c1", &staff)));
    close_tap(&many[7]);
    assert_null(open_as(&taps[2], 0, TENANT_EVENTS, NULL, NULL, claims_of("c1", &customer)));
    run();
    for (unsigned i = 0; i < OMS_COUNT_OF(many); i++)
        close_tap(&many[i]);
    for (unsigned i = 0; i < 3; i++)
        close_tap(&taps[i]);
    end();
}

static void variables_are_kept_small(void **state)
{
    static char variables[OMS_STREAM_VARIABLES_BYTES_MAX + 64];
    static const char *const document =
        "subscription($f: EventFilter) { tenantEvents(filter: $f) { cursor } }";
    (void)state;
    begin(14);
    size_t len = (size_t)snprintf(variables, sizeof(variables), "{\"f\":{\"customerIds\":[\"c\"");
    while (len < OMS_STREAM_VARIABLES_BYTES_MAX - 16)
        len += (size_t)snprintf(variables + len, sizeof(variables) - len, ",\"c\"");
    snprintf(variables + len, sizeof(variables) - len, "]}}");
    assert_null(open_as(&taps[0], 0, document, variables, NULL, claims_of("sam", &staff)));
    snprintf(variables + len, sizeof(variables) - len, ",\"cccccccccccccccc\"]}}");
    assert_string_equal(open_as(&taps[1], 0, document, variables, NULL, claims_of("sam", &staff)),
                        "LIMIT_EXCEEDED");
    run();
    assert_string_equal(words_of(&taps[0]), "");
    close_tap(&taps[0]);
    end();
}

/* ---- the auditor: what each reader saw against what the event log says ---- */

#define FAST_FIELDS                                                                                          \
    "id cursor sequence version commit at type command actor { kind subject } change order { orderId "       \
    "version stage fulfillmentStatus finalAmount { amount } customerDetails { email } lineItems { "          \
    "lineItemId orderQuantity vendor { vendorId } } availableActions { allowed } }"
#define SLOW_FIELDS                                                                                          \
    "cursor type change order { orderId version notes { text } events(first: 2) { nodes { type cursor } } }"

static const char *const selections[] = {FAST_FIELDS, SLOW_FIELDS};
static const char *const filters[] = {
    "",
    "types: [NOTE_ADDED, ORDER_CREATED]",
    "stages: [CANCELLED]",
    "commands: [addNote]",
    "vendorIds: [\"sam\"]",
};
static const struct oms_str roles[] = {{"staff", 5}, {"customer", 8}, {"vendor", 6}};

/* The log as one caller sees it. */
struct logged {
    char *json;
    struct ids_cursor cursor;
};
struct audit {
    struct logged items[SEEN_MAX];
    size_t count;
};

static struct ids_cursor cursor_in(const char *json)
{
    struct ids_cursor cursor;
    const char *at = strstr(json, "\"cursor\":\"");
    assert_non_null(at);
    at += 10;
    assert_int_equal(ids_cursor_parse(oms_str_make(at, strcspn(at, "\"")), &cursor), OMS_OK);
    return cursor;
}

static void read_log(struct audit *audit, struct oms_str role, const char *fields, const char *filter)
{
    char after[64] = "0";
    lab.role = role;
    audit->count = 0;
    for (bool more = true; more;) {
        struct fake_exchange fake;
        char document[2048];
        snprintf(document, sizeof(document),
                 "{ tenantEventLog(first: 1, after: \"%s\", filter: { %s }) { pageInfo { endCursor "
                 "hasNextPage } nodes { %s } } }",
                 after, filter, fields);
        api_lab_ask(&lab, &fake, document);
        const char *end_cursor = strstr(fake.body, "\"endCursor\":\""),
                   *nodes = strstr(fake.body, "\"nodes\":[");
        if (!nodes || strstr(fake.body, "\"errors\"")) {
            fail_msg("%s", fake.body);
            return;
        }
        more = strstr(fake.body, "\"hasNextPage\":true") != NULL;
        if (end_cursor)
            snprintf(after, sizeof(after), "%.*s", (int)strcspn(end_cursor + 13, "\""), end_cursor + 13);
        nodes += 9;
        size_t len = strlen(nodes);
        if (len < 4 || len > 4000) /* "]}}}" behind */
            fail_msg("%zu %s", len, fake.body);
        if (*nodes != ']') {
            struct logged *item = &audit->items[audit->count++];
            item->json = oms_str_dup(oms_str_make(nodes, len - 4));
            item->cursor = cursor_in(item->json);
        }
        fake_end(&fake);
    }
    lab.role = staff;
}

static void audit_free(struct audit *audit)
{
    for (size_t i = 0; i < audit->count; i++)
        oms_free(audit->items[i].json);
    audit->count = 0;
}

static bool before(struct ids_cursor a, struct ids_cursor b)
{
    return a.commit < b.commit || (a.commit == b.commit && a.ordinal < b.ordinal);
}

/* A reader of the random test: one document over several connections, each resumed where the last ended. */
struct random_reader {
    struct tap tap;
    bool used;
    unsigned role, fields, filter;
    char order[64]; /* of an order's stream; else "" */
    char document[2048];
    struct ids_cursor start, last; /* before the first event; of the last item seen */
    struct seen *all;              /* of the connections before */
    size_t all_count;
};

#define READERS 12
#define ORDERS  24

static char order_ids[ORDERS][64];
static unsigned order_count;

static struct random_reader readers[READERS];
static struct audit audit;

static void take_over(struct random_reader *reader)
{
    struct tap *tap = &reader->tap;
    reader->all = oms_reallocarray(reader->all, reader->all_count + tap->count + 1, sizeof(*reader->all));
    memcpy(reader->all + reader->all_count, tap->items, tap->count * sizeof(*tap->items));
    if (reader->all_count == 0 && tap->count && !tap->items[0].event && reader->start.commit == UINT64_MAX)
        reader->start = (struct ids_cursor){tap->items[0].commit, tap->items[0].ordinal};
    if (tap->count)
        reader->last =
            (struct ids_cursor){tap->items[tap->count - 1].commit, tap->items[tap->count - 1].ordinal};
    reader->all_count += tap->count;
    tap->count = 0;
}

static void connect(struct random_reader *reader, struct oms_prng *prng, const char *last_event_id)
{
    const struct oms_str *role = &roles[reader->role];
    const char *code = open_as(&reader->tap, (unsigned)oms_prng_below(prng, 3), reader->document, NULL,
                               last_event_id, claims_of("sam", role));
    if (code)
        fail_msg("%s: %s", code, reader->document);
}

static void reader_begin(struct random_reader *reader, struct oms_prng *prng)
{
    char cursor[IDS_CURSOR_TEXT_MAX] = "0", after[64] = "";
    memset(reader, 0, sizeof(*reader));
    reader->used = true;
    reader->role = (unsigned)oms_prng_below(prng, OMS_COUNT_OF(roles));
    reader->fields = oms_prng_below(prng, 4) == 0;
    reader->filter = (unsigned)oms_prng_below(prng, OMS_COUNT_OF(filters));
    reader->start.commit = UINT64_MAX;
    unsigned how = (unsigned)oms_prng_below(prng, 3);
    if (how == 1)
        reader->start = (struct ids_cursor){0, 0};
    if (how == 2) {
        uint64_t durable = store_durable_commit(lab.store, store_partition_of(1));
        reader->start = (struct ids_cursor){oms_prng_below(prng, durable + 1), UINT32_MAX};
        if (reader->start.commit)
            (void)ids_cursor_text(reader->start, cursor);
        else
            reader->start.ordinal = 0;
    }
    if (how)
        snprintf(after, sizeof(after), ", after: \"%s\"", cursor);
    if (order_count && oms_prng_below(prng, 3) == 0) {
        reader->role = reader->filter = 0;
        const char *id = order_ids[oms_prng_below(prng, order_count)];
        snprintf(reader->order, sizeof(reader->order), "%s", id);
        snprintf(reader->document, sizeof(reader->document),
                 "subscription { orderEvents(orderId: \"%s\"%s) { cursor event { %s } } }", id, after,
                 selections[reader->fields]);
    } else {
        snprintf(reader->document, sizeof(reader->document),
                 "subscription { tenantEvents(filter: { %s }%s) { cursor event { %s } } }",
                 filters[reader->filter], after, selections[reader->fields]);
    }
    connect(reader, prng, NULL);
}

/* The client goes away and comes back with the last id that it saw. */
static void reader_resume(struct random_reader *reader, struct oms_prng *prng)
{
    char cursor[IDS_CURSOR_TEXT_MAX];
    take_over(reader);
    close_tap(&reader->tap);
    if (!reader->all_count && reader->start.commit == UINT64_MAX) {
        reader->used = false; /* it never heard where it began */
        oms_free(reader->all);
        return;
    }
    if (reader->all_count)
        (void)ids_cursor_text(reader->last, cursor);
    connect(reader, prng, reader->all_count && reader->last.commit ? cursor : NULL);
}

/* A stream that was cut off comes again; one that is not allowed ends. */
static void reader_look(struct random_reader *reader, struct oms_prng *prng)
{
    if (!reader->used || !reader->tap.open || stream_ended(&reader->tap.reader) == STREAM_END_NONE)
        return;
    enum stream_end why = stream_ended(&reader->tap.reader);
    if (why != STREAM_END_SLOW) {
        struct http_payload *words = stream_last_words(&reader->tap.reader);
        fail_msg("%.*s", OMS_STR_ARG(http_payload_json(words)));
    }
    reader_resume(reader, prng);
}

/* The next logged event that the reader must have seen, from `at` on. */
static size_t next_expected(const struct random_reader *reader, size_t at)
{
    while (at < audit.count && (!before(reader->start, audit.items[at].cursor) ||
                                (reader->order[0] && !strstr(audit.items[at].json, reader->order))))
        at++;
    return at;
}

static void reader_check(struct random_reader *reader)
{
    size_t expected = 0;
    take_over(reader);
    if (reader->start.commit == UINT64_MAX)
        fail_msg("no word of where the stream begins: %s", reader->document);
    struct ids_cursor last = reader->start;
    for (size_t i = 0; i < reader->all_count; i++) {
        const struct seen *seen = &reader->all[i];
        struct ids_cursor at = {seen->commit, seen->ordinal};
        if (i && !before(last, at))
            fail_msg("item %zu comes again or out of order", i);
        last = at;
        if (!seen->event)
            continue;
        expected = next_expected(reader, expected);
        if (expected == audit.count)
            fail_msg("an event that is not in the log: %s", seen->json);
        const char *event = strstr(seen->json, "\"event\":");
        assert_non_null(event);
        event += 8;
        size_t len = strlen(event) - 3; /* "}}}" */
        const char *logged = audit.items[expected].json;
        if (strlen(logged) != len || memcmp(logged, event, len) != 0)
            fail_msg("reader %s\nlive    %s\nlogged  %s", reader->document, event, logged);
        expected++;
    }
    expected = next_expected(reader, expected);
    if (expected != audit.count)
        fail_msg("%zu of %zu events are missing: %s\nnext: %s", audit.count - expected, audit.count,
                 reader->document, audit.items[expected].json);
}

static void reader_end(struct random_reader *reader)
{
    if (!reader->used)
        return;
    close_tap(&reader->tap);
    for (size_t i = 0; i < reader->all_count; i++)
        oms_free(reader->all[i].json);
    oms_free(reader->all);
    reader->used = false;
}

/* ---- random commands, several under way at once ---- */

#define FLIGHTS 6

static struct {
    struct fake_exchange fake;
    bool used;
} flights[FLIGHTS];
static void flights_look(void)
{
    for (unsigned i = 0; i < FLIGHTS; i++) {
        if (!flights[i].used || !flights[i].fake.answers)
            continue;
        const char *at = strstr(flights[i].fake.body, "\"created\":true,\"order\":{\"orderId\":\"ORD-");
        if (at && order_count < ORDERS)
            snprintf(order_ids[order_count++], 64, "%.30s", strstr(at, "ORD-"));
        fake_end(&flights[i].fake);
        flights[i].used = false;
    }
}

static void command(struct oms_prng *prng)
{
    static unsigned references;
    char document[1024];
    unsigned slot = 0;
    while (slot < FLIGHTS && flights[slot].used)
        slot++;
    if (slot == FLIGHTS)
        return;
    const char *id = order_count ? order_ids[oms_prng_below(prng, order_count)] : NULL;
    switch (id ? oms_prng_below(prng, 8) : 0) {
    case 0:
    case 1:
        snprintf(
            document, sizeof(document),
            "mutation { createOrder(input: { externalRef: \"R-%u\", customerDetails: { customerId: \"%s\", "
            "email: \"a@b.example\" }, destination: { city: \"Leeds\", country: \"GB\" }, lineItems: [{ "
            "productSku: \"TEA\", productName: \"Tea\", vendor: { vendorId: \"%s\" }, orderQuantity: 3, "
            "productPrice: { amount: \"7.50\", currency: \"GBP\" } }, { productSku: \"POT\", productName: "
            "\"Pot\", vendor: { vendorId: \"v2\" }, orderQuantity: 1, productPrice: { amount: \"20\", "
            "currency: \"GBP\" } }] }) { created order { orderId } } }",
            ++references, oms_prng_below(prng, 2) ? "sam" : "c2", oms_prng_below(prng, 2) ? "sam" : "v3");
        break;
    case 2:
        snprintf(
            document, sizeof(document),
            "mutation { cancelOrder(input: { orderId: \"%s\", cancellationReason: \"no\" }) { userErrors { "
            "code } } }",
            id);
        break;
    case 3:
        snprintf(
            document, sizeof(document),
            "mutation { cancelLineItems(input: { orderId: \"%s\", cancellationReason: \"gone\", productSkus: "
            "[{ productSku: \"TEA\", orderQuantity: 1 }] }) { userErrors { code } } }",
            id);
        break;
    case 4:
        snprintf(document, sizeof(document),
                 "mutation { markAsShipped(input: { orderId: \"%s\", shippingReference: "
                 "\"https://track.example/1\" }) { userErrors { code } } }",
                 id);
        break;
    default:
        snprintf(
            document, sizeof(document),
            "mutation { addNote(input: { orderId: \"%s\", note: \"n\", visibleToCustomer: %s }) { userErrors "
            "{ code } } }",
            id, oms_prng_below(prng, 2) ? "true" : "false");
    }
    flights[slot].used = true;
    api_lab_send(&lab, &flights[slot].fake, document);
}

static void settle_flights(void)
{
    for (unsigned i = 0; i < FLIGHTS; i++)
        while (flights[i].used) {
            assert_true(rt_host_sim_step(lab.host));
            flights_look();
        }
}

/* A new version, while commands are under way. */
static void change_tenant(struct oms_prng *prng, unsigned number)
{
    struct api_lab_change change;
    char config[256];
    snprintf(config, sizeof(config), "{\"name\":\"shop\",\"cors_origins\":[\"https://shop%u.example\"]}",
             number);
    api_lab_change(&lab, &change, config);
    while (!change.home) {
        if (oms_prng_below(prng, 2) == 0)
            command(prng);
        assert_true(rt_host_sim_step(lab.host));
        flights_look();
    }
    api_lab_change_fini(&change);
}

/* Something happens, here and there. In some seeds the tenant changes all the time. */
static void one_round(struct oms_prng *prng, unsigned round, bool restless)
{
    struct random_reader *reader = &readers[oms_prng_below(prng, READERS)];
    unsigned what = (unsigned)oms_prng_below(prng, 20);
    if (what < 10) {
        command(prng);
    } else if (what < 13 && !reader->used) {
        for (unsigned i = 0; i < 3; i++)
            command(prng); /* on their way while it joins */
        (void)rt_host_sim_run(lab.host, oms_prng_below(prng, 12), 50);
        flights_look();
        reader_begin(reader, prng);
    } else if (what == 13 && reader->used) {
        reader_resume(reader, prng);
    } else if (what == 14 && reader->used) {
        reader->tap.stalled = !reader->tap.stalled;
        drain(&reader->tap);
    } else if (what == 15 && (restless || oms_prng_below(prng, 6) == 0)) {
        change_tenant(prng, round);
    } else if (what == 16 && oms_prng_below(prng, 8) == 0) {
        run_ms((int64_t)oms_prng_below(prng, 20000));
    }
    (void)rt_host_sim_run(lab.host, oms_prng_below(prng, 40), 50);
    flights_look();
    for (unsigned i = 0; i < READERS; i++)
        reader_look(&readers[i], prng);
}

/* Every reader reads what is left, and is compared with the log. Then nobody listens for a while. */
static void look_at_all(struct oms_prng *prng)
{
    settle_flights();
    for (unsigned i = 0; i < READERS; i++) {
        readers[i].tap.stalled = false;
        if (readers[i].used)
            drain(&readers[i].tap);
    }
    run_ms(2000);
    for (unsigned i = 0; i < READERS; i++) {
        if (!readers[i].used)
            continue;
        reader_look(&readers[i], prng);
        run_ms(500);
        read_log(&audit, roles[readers[i].role], selections[readers[i].fields], filters[readers[i].filter]);
        reader_check(&readers[i]);
        audit_free(&audit);
        reader_end(&readers[i]);
    }
    run_ms(7000);
    assert_int_equal(stats_of_all().topics, 0);
}

static void one_seed(uint64_t seed)
{
    struct oms_prng prng;
    oms_prng_seed(&prng, seed);
    begin(seed);
    order_count = 0;
    struct stream_hub *hub = lab.api->streams; /* small, so that their ends are met */
    hub->late_max = seed % 3 ? OMS_STREAM_LATE_UNITS_MAX : 2;
    hub->ring_payloads_max = seed % 2 ? OMS_STREAM_RING_PAYLOADS_MAX : 8;
    hub->held_bytes_max = seed % 5 ? OMS_STREAM_HELD_BYTES_MAX : 2000;
    for (unsigned phase = 0; phase < 5; phase++) {
        for (unsigned round = 0; round < 50; round++)
            one_round(&prng, phase * 50 + round, seed % 4 == 0);
        look_at_all(&prng);
    }
    end();
}

static void every_reader_sees_the_log(void **state)
{
    const char *seeds = getenv("STREAM_SEEDS"), *first = getenv("STREAM_SEED");
    unsigned count = seeds ? (unsigned)atoi(seeds) : 12, from = first ? (unsigned)atoi(first) : 100;
    (void)state;
    for (unsigned seed = from; seed < from + count; seed++) {
        if (seeds || first)
            fprintf(stderr, "seed %u\n", seed);
        one_seed(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_come_as_they_are_committed),
        cmocka_unit_test(an_event_is_executed_once_for_all),
        cmocka_unit_test(callers_who_differ_share_nothing_that_shows_it),
        cmocka_unit_test(a_customer_never_gets_what_staff_see),
        cmocka_unit_test(an_orders_stream_is_for_who_may_read_it),
        cmocka_unit_test(what_is_withdrawn_stops_at_once),
        cmocka_unit_test(a_token_ends_its_stream),
        cmocka_unit_test(who_does_not_read_is_cut_off),
        cmocka_unit_test(checkpoints_move_the_cursor_on),
        cmocka_unit_test(cursors_are_checked),
        cmocka_unit_test(a_tenant_has_so_many_streams),
        cmocka_unit_test(an_end_overtakes_the_question_whether_it_may_be_read),
        cmocka_unit_test(readers_of_the_log_wait_in_turn),
        cmocka_unit_test(a_customer_has_so_many_streams),
        cmocka_unit_test(variables_are_kept_small),
        cmocka_unit_test(every_reader_sees_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
