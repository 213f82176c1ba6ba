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
#include "http/stream/stream.h"
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

/* ---- the auditor: what each reader saw against what the event log says ---- */

#define FAST_FIELDS                                                                                          \
    "id cursor sequence version commit at type command actor { kind subject } change order { orderId "       \
    "version stage fulfillmentStatus finalAmount { amount } customerDetails { email } lineItems { "          \
    "lineItemId orderQuantity vendor { vendorId } } availableActions { allowed } }"
#define SLOW_FIELDS                                                                                          \
    "cursor type change order { version notes { text } events(first: 2) { nodes { type cursor } } }"

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
        if (!nodes || strstr(fake.body, "\"errors\""))
            fail_msg("%s", fake.body);
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
    bool used, order_stream;
    unsigned role, fields, filter;
    char document[2048];
    struct ids_cursor start, last; /* before the first event; of the last item seen */
    struct seen *all;              /* of the connections before */
    size_t all_count;
};

#define READERS 12

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
    snprintf(reader->document, sizeof(reader->document),
             "subscription { tenantEvents(filter: { %s }%s) { cursor event { %s } } }",
             filters[reader->filter], after, selections[reader->fields]);
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
        while (expected < audit.count && !before(reader->start, audit.items[expected].cursor))
            expected++;
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
    while (expected < audit.count && !before(reader->start, audit.items[expected].cursor))
        expected++;
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
#define ORDERS  24

static struct {
    struct fake_exchange fake;
    bool used;
} flights[FLIGHTS];
static char order_ids[ORDERS][64];
static unsigned order_count;

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

static void change_tenant(unsigned number)
{
    struct api_lab_change change;
    char config[256];
    snprintf(config, sizeof(config), "{\"name\":\"shop\",\"cors_origins\":[\"https://shop%u.example\"]}",
             number);
    api_lab_change(&lab, &change, config);
    while (!change.home) {
        assert_true(rt_host_sim_step(lab.host));
        flights_look();
    }
    api_lab_change_fini(&change);
}

static void one_seed(uint64_t seed)
{
    struct oms_prng prng;
    oms_prng_seed(&prng, seed);
    begin(seed);
    order_count = 0;
    for (unsigned round = 0; round < 250; round++) {
        struct random_reader *reader = &readers[oms_prng_below(&prng, READERS)];
        unsigned what = (unsigned)oms_prng_below(&prng, 20);
        if (what < 10)
            command(&prng);
        else if (what < 13 && !reader->used)
            reader_begin(reader, &prng);
        else if (what == 13 && reader->used)
            reader_resume(reader, &prng);
        else if (what == 14 && reader->used) {
            reader->tap.stalled = !reader->tap.stalled;
            drain(&reader->tap);
        } else if (what == 15 && oms_prng_below(&prng, 6) == 0)
            change_tenant(round);
        else if (what == 16 && oms_prng_below(&prng, 8) == 0)
            run_ms((int64_t)oms_prng_below(&prng, 20000));
        (void)rt_host_sim_run(lab.host, oms_prng_below(&prng, 40), 50);
        flights_look();
        for (unsigned i = 0; i < READERS; i++)
            reader_look(&readers[i], &prng);
    }
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
        reader_look(&readers[i], &prng);
        run_ms(500);
        read_log(&audit, roles[readers[i].role], selections[readers[i].fields], filters[readers[i].filter]);
        reader_check(&readers[i]);
        audit_free(&audit);
        reader_end(&readers[i]);
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
        cmocka_unit_test(every_reader_sees_the_log),
    };
    (void)customer;
    (void)note;
    (void)run_ms;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
