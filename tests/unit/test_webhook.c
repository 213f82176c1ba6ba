/*
 * Webhooks in, as functions: providers' published vectors, what tampering does to them, secrets in rotation,
 * age; field maps; payloads by names; the stored form of an update; entries that mean nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "actors/order_input.h"
#include "http/webhook/hooks.h"
#include "http/webhook/payload.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"

/* ---- a delivery without a server ---- */

struct fake {
    const char *headers[8][2];
    const char *path, *body;
    int64_t now_s;
    unsigned max_age_s;
    const char *secrets[4];
};

static struct oms_str header_of(const void *context, const char *name)
{
    const struct fake *fake = context;
    for (size_t i = 0; i < 8 && fake->headers[i][0]; i++)
        if (strcmp(fake->headers[i][0], name) == 0)
            return oms_str_of(fake->headers[i][1]);
    return OMS_STR_NONE;
}

static struct webhook_verified verified;

static enum webhook_verdict verify(const char *provider, const struct fake *fake)
{
    const struct webhook_delivery delivery = {.method = OMS_STR("POST"),
                                              .path = oms_str_of(fake->path ? fake->path : "/"),
                                              .body = oms_str_of(fake->body),
                                              .header = header_of,
                                              .context = fake};
    struct oms_str secrets[4];
    size_t count = 0;
    while (count < 4 && fake->secrets[count]) {
        secrets[count] = oms_str_of(fake->secrets[count]);
        count++;
    }
    return webhook_verify(webhook_provider_find(oms_str_of(provider)), &delivery, secrets, count,
                          fake->max_age_s, fake->now_s * 1000, &verified);
}

/* ---- published vectors ---- */

#define STANDARD_SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define STANDARD_ID     "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define STANDARD_SIGN   "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

static struct fake standard(void)
{
    return (struct fake){.headers = {{"webhook-id", STANDARD_ID},
                                     {"webhook-timestamp", "1614265330"},
                                     {"webhook-signature", STANDARD_SIGN}},
                         .body = "{\"test\": 2432232314}",
                         .now_s = 1614265330,
                         .secrets = {STANDARD_SECRET}};
}

/* GitHub, "Validating webhook deliveries": "Testing the webhook payload validation". */
static struct fake github(void)
{
    return (struct fake){
        .headers = {{"x-hub-signature-256",
                     "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}},
        .body = "Hello, World!",
        .secrets = {"It's a Secret to Everybody"}};
}

static void published_vectors_verify(void **state)
{
    struct fake fake = standard();
    (void)state;
    assert_int_equal(verify("standard", &fake), WEBHOOK_VALID);
    assert_true(oms_str_eq_c(verified.id, STANDARD_ID));
    fake.secrets[0] = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"; /* the prefix is for people */
    assert_int_equal(verify("standard", &fake), WEBHOOK_VALID);
    fake = github();
    assert_int_equal(verify("github", &fake), WEBHOOK_VALID);
    assert_false(oms_str_present(verified.id));
}

static void several_signatures_and_secrets_rotate(void **state)
{
    struct fake fake = standard();
    (void)state;
    fake.headers[2][1] = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= v1a,x " STANDARD_SIGN;
    assert_int_equal(verify("standard", &fake), WEBHOOK_VALID);
    fake.headers[2][1] = "v2" STANDARD_SIGN;
    assert_int_equal(verify("standard", &fake), WEBHOOK_UNSIGNED);
    fake = standard();
    fake.secrets[0] = "whsec_bmV3";
    assert_int_equal(verify("standard", &fake), WEBHOOK_FORGED);
    fake.secrets[1] = STANDARD_SECRET;
    assert_int_equal(verify("standard", &fake), WEBHOOK_VALID);
    fake = github();
    fake.secrets[1] = fake.secrets[0];
    fake.secrets[0] = "new";
    assert_int_equal(verify("github", &fake), WEBHOOK_VALID);
    fake.secrets[1] = NULL;
    assert_int_equal(verify("github", &fake), WEBHOOK_FORGED);
}

static void what_is_signed_can_not_be_changed(void **state)
{
    struct fake fake = standard();
    (void)state;
    fake.body = "{\"test\": 2432232315}";
    assert_int_equal(verify("standard", &fake), WEBHOOK_FORGED);
    fake = standard();
    fake.body = "{\"test\": 243223231";
    assert_int_equal(verify("standard", &fake), WEBHOOK_FORGED);
    fake = standard();
    fake.headers[0][1] = "msg_other";
    assert_int_equal(verify("standard", &fake), WEBHOOK_FORGED);
    fake = standard();
    fake.headers[1][1] = "1614265331";
    assert_int_equal(verify("standard", &fake), WEBHOOK_FORGED);
    fake = standard();
    fake.headers[0][1] = "";
    assert_int_equal(verify("standard", &fake), WEBHOOK_UNSIGNED);
    for (size_t missing = 0; missing < 3; missing++) {
        fake = standard();
        fake.headers[missing][0] = "x-other";
        assert_int_equal(verify("standard", &fake), WEBHOOK_UNSIGNED);
    }
    fake = github();
    fake.headers[0][1] = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    assert_int_equal(verify("github", &fake), WEBHOOK_UNSIGNED);
    fake.headers[0][1] = "sha256=757107";
    assert_int_equal(verify("github", &fake), WEBHOOK_UNSIGNED);
    fake.headers[0][1] = "sha256=757107EA0EB2509FC211221CCE984B8A37570B6D7586C22C46F4379C8B043E17";
    assert_int_equal(verify("github", &fake), WEBHOOK_VALID); /* hex is hex */
}

static void a_signed_time_must_be_near(void **state)
{
    struct fake fake = standard();
    (void)state;
    fake.now_s += 300;
    assert_int_equal(verify("standard", &fake), WEBHOOK_VALID);
    fake.now_s += 1;
    assert_int_equal(verify("standard", &fake), WEBHOOK_STALE);
    fake.max_age_s = 301;
    assert_int_equal(verify("standard", &fake), WEBHOOK_VALID);
    fake = standard();
    fake.now_s -= 301;
    assert_int_equal(verify("standard", &fake), WEBHOOK_STALE);
    /* A scheme without a time does not pass where an age is asked for. */
    fake = github();
    fake.max_age_s = 300;
    assert_int_equal(verify("github", &fake), WEBHOOK_UNTIMED);
}

/* ---- signing and verifying are one scheme ---- */

static char store[8][2][512];

/* Takes "Name: value\r\n" lines into the fake's headers, names in lower case. */
static void take_headers(struct oms_str text, struct fake *fake)
{
    size_t count = 0, at = 0;
    while (at < text.len) {
        const char *colon = memchr(text.data + at, ':', text.len - at);
        const char *end = memchr(text.data + at, '\r', text.len - at);
        assert_true(colon && end && count < 8);
        size_t name = (size_t)(colon - text.data) - at, value = (size_t)(end - colon) - 2;
        for (size_t i = 0; i < name; i++) {
            char c = text.data[at + i];
            store[count][0][i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
        }
        store[count][0][name] = '\0';
        memcpy(store[count][1], colon + 2, value);
        store[count][1][value] = '\0';
        fake->headers[count][0] = store[count][0];
        fake->headers[count][1] = store[count][1];
        count++;
        at = (size_t)(end - text.data) + 2;
    }
}

static void every_provider_takes_what_it_signs(void **state)
{
    const struct webhook_provider *provider;
    (void)state;
    for (size_t i = 0; (provider = webhook_provider_at(i)); i++) {
        const char *name = webhook_provider_name(provider);
        bool is_standard = strcmp(name, "standard") == 0;
        struct fake fake = {.path = "/webhook/p/shop/t", .body = "{\"id\":\"evt_1\"}", .now_s = 1700000000};
        struct oms_buf headers;
        fake.secrets[0] = is_standard ? STANDARD_SECRET : "s3cret";
        oms_buf_init(&headers, 4096);
        assert_true(webhook_sign(provider, oms_str_of(fake.secrets[0]), OMS_STR("POST"),
                                 oms_str_of(fake.path), oms_str_of(fake.body), OMS_STR("d-1"),
                                 fake.now_s * 1000, &headers));
        take_headers(oms_buf_str(&headers), &fake);
        assert_int_equal(verify(name, &fake), WEBHOOK_VALID);
        assert_true(is_standard == oms_str_eq_c(verified.id, "d-1"));
        struct fake other = fake;
        other.body = "{\"id\":\"evt_2\"}";
        assert_int_equal(verify(name, &other), WEBHOOK_FORGED);
        other = fake;
        other.secrets[0] = is_standard ? "whsec_bmV3" : "S3cret";
        assert_int_equal(verify(name, &other), WEBHOOK_FORGED);
        other = fake;
        other.now_s += 1000;
        assert_int_equal(verify(name, &other),
                         webhook_provider_signs_time(provider) ? WEBHOOK_STALE : WEBHOOK_VALID);
        oms_buf_fini(&headers);
    }
    assert_null(webhook_provider_find(OMS_STR("paypal")));
}

/* HMAC-SHA256 by RFC 4231 section 4.3 (test case 2), in the four ways to write it. */
static void known_answers_in_each_form(void **state)
{
    struct fake fake = {
        .headers = {{"x-wss-signature", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"}},
        .body = "what do ya want for nothing?",
        .secrets = {"Jefe"}};
    (void)state;
    assert_int_equal(verify("wss", &fake), WEBHOOK_VALID);
    /* An unsigned timestamp makes it neither fresh nor stale, and no downgrade passes where an age is asked.
     */
    fake.headers[1][0] = "x-wss-timestamp";
    fake.headers[1][1] = "1";
    fake.now_s = 1700000000;
    assert_int_equal(verify("wss", &fake), WEBHOOK_VALID);
    fake.max_age_s = 60;
    assert_int_equal(verify("wss", &fake), WEBHOOK_UNTIMED);
    fake.max_age_s = 0;
    fake.headers[0][0] = "x-shopify-hmac-sha256";
    fake.headers[0][1] = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=";
    assert_int_equal(verify("shopify", &fake), WEBHOOK_VALID);
    fake.headers[0][1] = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM";
    assert_int_equal(verify("shopify", &fake), WEBHOOK_UNSIGNED);
}

/* The date as EasyPost writes it, and a path behind a proxy that takes off a prefix. */
static void easypost_binds_time_and_path(void **state)
{
    const struct webhook_provider *provider = webhook_provider_find(OMS_STR("easypost"));
    struct fake fake = {.path = "/webhook/easypost/shipment_tracker", .body = "{}", .secrets = {"k"}};
    struct oms_buf headers;
    (void)state;
    oms_buf_init(&headers, 4096);
    assert_true(webhook_sign(provider, OMS_STR("k"), OMS_STR("POST"),
                             OMS_STR("/in/webhook/easypost/shipment_tracker"), OMS_STR("{}"), OMS_STR(""),
                             INT64_C(1777383449000), &headers));
    take_headers(oms_buf_str(&headers), &fake);
    fake.now_s = 1777383449;
    assert_int_equal(verify("easypost", &fake), WEBHOOK_VALID);
    fake.path = "/webhook/easypost/shop/shipment_tracker"; /* another place than was signed for */
    assert_int_equal(verify("easypost", &fake), WEBHOOK_FORGED);
    /* HMAC-SHA256("k", "Tue, 28 Apr 2026 13:37:29 -0000" "POST" "/p" "{}") by openssl dgst */
    struct fake dated = {
        .headers = {{"x-hmac-signature-v2",
                     "hmac-sha256-hex=a844bcae8adaf613988b4c7f278f33356ccc94416fb830057333b37eecd8031b"},
                    {"x-timestamp", "Tue, 28 Apr 2026 13:37:29 -0000"},
                    {"x-path", "/p"}},
        .path = "/p",
        .body = "{}",
        .now_s = 1777383449,
        .secrets = {"k"}};
    assert_int_equal(verify("easypost", &dated), WEBHOOK_VALID);
    dated.now_s += 301;
    assert_int_equal(verify("easypost", &dated), WEBHOOK_STALE);
    oms_buf_fini(&headers);
}

/* HMAC-SHA256("whsec_test", "1700000000.{}") by openssl dgst */
static void stripe_signs_what_it_dates(void **state)
{
    struct fake fake = {
        .headers =
            {{"stripe-signature",
              "t=1700000000,v1=00,v1=35495024f4ef3f94e5a93e22221544c4b75e9a42300cd965ab81cb85cd994e91,v0=x"}},
        .body = "{}",
        .now_s = 1700000000,
        .secrets = {"whsec_test"}};
    (void)state;
    assert_int_equal(verify("stripe", &fake), WEBHOOK_VALID);
    fake.now_s += 301;
    assert_int_equal(verify("stripe", &fake), WEBHOOK_STALE);
    fake.headers[0][1] = "v1=35495024f4ef3f94e5a93e22221544c4b75e9a42300cd965ab81cb85cd994e91";
    assert_int_equal(verify("stripe", &fake), WEBHOOK_UNSIGNED);
}

/* ---- maps and payloads ---- */

static struct oms_arena arena;
static struct refusal_list refusals;
static struct oms_error error;

static int set_up(void **state)
{
    (void)state;
    oms_arena_init(&arena, 4096, 64u << 20);
    refusal_list_init(&refusals, &arena);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    oms_arena_fini(&arena);
    return 0;
}

static const struct oms_value *json(const char *text)
{
    struct oms_value *value = OMS_ARENA_NEW(&arena, struct oms_value);
    struct oms_json_error fault;
    if (oms_json_parse(oms_str_copy(&arena, oms_str_of(text)), 64, &arena, value, &fault) != OMS_OK)
        fail_msg("%s: %s", text, fault.message);
    return value;
}

static const char *written(const struct oms_value *value)
{
    struct oms_buf out;
    oms_buf_init(&out, 1u << 20);
    oms_value_write_json(value, &out);
    struct oms_str copy = oms_str_copy(&arena, oms_buf_str(&out));
    oms_buf_fini(&out);
    return copy.data;
}

/* The map's result as JSON, NULL when it was refused. */
static const char *mapped(const char *map, const char *payload)
{
    const struct field_map *compiled;
    struct oms_value out;
    refusal_list_init(&refusals, &arena);
    if (field_map_compile(json(map), &arena, &compiled, &error) != OMS_OK)
        fail_msg("%s", error.message);
    return field_map_apply(compiled, json(payload), &arena, &out, &refusals) ? written(&out) : NULL;
}

static void maps_make_inputs(void **state)
{
    (void)state;
    assert_string_equal(mapped("{\"a\":\"$.x.y[1]\",\"b\":{\"c\":\"$['odd name']\"}}",
                               "{\"x\":{\"y\":[1,2.50]},\"odd name\":\"n\"}"),
                        "{\"a\":2.50,\"b\":{\"c\":\"n\"}}");
    assert_string_equal(
        mapped("{\"a\":{\"$first\":[\"$.no\",\"$.null\",\"$.yes\"]}}", "{\"null\":null,\"yes\":1}"),
        "{\"a\":1}");
    assert_string_equal(
        mapped("{\"a\":{\"$text\":\"$.id\"},\"b\":{\"$integer\":\"$.n\"}}", "{\"id\":77,\"n\":\"12\"}"),
        "{\"a\":\"77\",\"b\":12}");
    assert_string_equal(
        mapped("{\"a\":{\"$value\":{\"k\":[1]}},\"b\":{\"$first\":[\"$.no\"],\"default\":\"d\"}}", "{}"),
        "{\"a\":{\"k\":[1]},\"b\":\"d\"}");
    assert_string_equal(
        mapped("{\"a\":{\"$word\":\"$.s\",\"words\":{\"open\":\"X\"},\"else\":\"Y\"}}", "{\"s\":\"open\"}"),
        "{\"a\":\"X\"}");
    assert_string_equal(
        mapped("{\"a\":{\"$word\":\"$.s\",\"words\":{\"open\":\"X\"},\"else\":\"Y\"}}", "{\"s\":\"shut\"}"),
        "{\"a\":\"Y\"}");
    assert_string_equal(
        mapped("{\"l\":{\"$each\":\"$.items\",\"item\":{\"s\":\"$.sku\",\"c\":\"$$.currency\"}}}",
               "{\"currency\":\"EUR\",\"items\":[{\"sku\":1},{}]}"),
        "{\"l\":[{\"s\":1,\"c\":\"EUR\"},{\"c\":\"EUR\"}]}");
    /* What is not there is left out, and so is an object of nothing. */
    assert_string_equal(mapped("{\"a\":{\"b\":{\"c\":\"$.x.y\"}},\"d\":\"$.z[7]\"}", "{\"x\":3,\"z\":[]}"),
                        "{}");
}

static void maps_refuse_wrong_types(void **state)
{
    static const struct {
        const char *map, *payload, *field;
    } bad[] = {
        {"{\"a\":{\"$text\":\"$.x\"}}", "{\"x\":{}}", "a"},
        {"{\"a\":{\"b\":{\"$integer\":\"$.x\"}}}", "{\"x\":\"7.5\"}", "a.b"},
        {"{\"a\":{\"$integer\":\"$.x\"}}", "{\"x\":true}", "a"},
        {"{\"a\":{\"$integer\":\"$.x\"}}", "{\"x\":99999999999999999999}", "a"},
        {"{\"a\":{\"$word\":\"$.x\",\"words\":{}}}", "{\"x\":\"w\"}", "a"},
        {"{\"l\":{\"$each\":\"$.x\",\"item\":{}}}", "{\"x\":{}}", "l"},
        {"{\"l\":{\"$each\":\"$.x\",\"item\":{\"n\":{\"$integer\":\"$.n\"}}}}",
         "{\"x\":[{\"n\":1},{\"n\":\"z\"}]}", "l.1.n"},
    };
    (void)state;
    for (size_t i = 0; i < OMS_COUNT_OF(bad); i++) {
        assert_null(mapped(bad[i].map, bad[i].payload));
        assert_int_equal(refusals.count, 1);
        assert_int_equal(refusals.items[0].code, REFUSAL_INVALID);
        assert_true(oms_str_eq_c(refusals.items[0].field, bad[i].field));
    }
}

static void maps_that_mean_nothing_are_refused(void **state)
{
    static const struct {
        const char *map, *fault;
    } bad[] = {
        {"[]", "must be an object"},
        {"{\"a\":\"x.y\"}", "'a' must be a path"},
        {"{\"a\":\"$.\"}", "'a' must be a path"},
        {"{\"a\":\"$[x]\"}", "'a' must be a path"},
        {"{\"a\":\"$.x[1\"}", "'a' must be a path"},
        {"{\"a\":{\"b\":\"$$.x\"}}", "'a.b' begins with $$"},
        {"{\"a\":{\"$sum\":\"$.x\"}}", "unknown directive"},
        {"{\"a\":{\"$first\":[]}}", "1 to 16 paths"},
        {"{\"a\":{\"$each\":\"$.x\"}}", "needs an \"item\""},
        {"{\"a\":{\"$word\":\"$.x\"}}", "needs \"words\""},
        {"{\"a\":{\"$text\":\"$.x\",\"words\":{}}}", "a key that its directive"},
        {"{\"a\":{\"$each\":\"$.x\",\"item\":{\"b\":{\"$each\":\"$.y\",\"item\":{}}}}}",
         "'a.item.b' is an $each within"},
        {"{\"a\":7}", "'a' must be a path, a directive"},
    };
    const struct field_map *map;
    (void)state;
    for (size_t i = 0; i < OMS_COUNT_OF(bad); i++) {
        assert_int_equal(field_map_compile(json(bad[i].map), &arena, &map, &error), OMS_INVALID);
        if (!strstr(error.message, bad[i].fault))
            fail_msg("%s: %s", bad[i].map, error.message);
    }
}

static struct webhook_payload payload;
static struct webhook_update update;

static bool read_with(const char *provider, const char *topic, const struct field_map *map, const char *body)
{
    const struct webhook_provider *row = webhook_provider_find(oms_str_of(provider));
    refusal_list_init(&refusals, &arena);
    return webhook_payload_read(row, oms_str_copy(&arena, oms_str_of(body)), &arena, &payload, &refusals) &&
           webhook_payload_map(&payload, row, webhook_topic_find(oms_str_of(topic)), map, &arena, &update,
                               &refusals);
}

static bool read(const char *provider, const char *topic, const char *body)
{
    const struct webhook_provider *row = webhook_provider_find(oms_str_of(provider));
    struct oms_str ready = webhook_ready_map(row, webhook_topic_find(oms_str_of(topic)));
    const struct field_map *map = NULL;
    if (oms_str_present(ready))
        assert_int_equal(field_map_compile(json(ready.data), &arena, &map, &error), OMS_OK);
    return read_with(provider, topic, map, body);
}

static void orders_by_names(void **state)
{
    (void)state;
    assert_true(read(
        "wss", "tenant_create_order",
        "{\"external_ref\":\"W-1\",\"tenant_id\":\"shop\",\"currency\":\"EUR\",\"customer_details\":{"
        "\"customer_id\":\"c\",\"first_name\":\"Ada\"},\"product_skus\":[{\"sku\":\"TEA\",\"quantity\":2,"
        "\"price\":8.40,\"vendor_id\":\"v\",\"options\":{\"gift_wrap\":true}}],\"taxes_included\":true}"));
    assert_true(oms_str_eq_c(payload.tenant, "shop"));
    assert_string_equal(
        written(&update.input),
        "{\"externalRef\":\"W-1\",\"customerDetails\":{\"customerId\":\"c\",\"firstName\":\"Ada\"},"
        "\"lineItems\":[{\"productSku\":\"TEA\",\"orderQuantity\":2,\"productPrice\":{\"amount\":8.40,"
        "\"currency\":\"EUR\"},\"options\":{\"gift_wrap\":true},\"vendor\":{\"vendorId\":\"v\"},"
        "\"productName\":\"TEA\"}],\"taxesIncluded\":true}");
    assert_true(read("standard", "orders/create",
                     "{\"type\":\"o\",\"data\":{\"tenant_id\":\"t\",\"external_ref\":\"1\"}}"));
    assert_string_equal(written(&update.input), "{\"externalRef\":\"1\"}");
    assert_true(oms_str_eq_c(payload.tenant, "t"));
    /* A key is the delivery's own, not the payload's. */
    assert_true(read("wss", "orders/create",
                     "{\"external_ref\":\"1\",\"idempotency_key\":\"k\",\"clientMutationId\":\"c\"}"));
    assert_string_equal(written(&update.input), "{\"externalRef\":\"1\"}");
}

static void what_an_update_is_about(void **state)
{
    (void)state;
    assert_true(read("wss", "orders/paid",
                     "{\"external_ref\":77,\"amount\":{\"amount\":\"1\",\"currency\":\"EUR\"}}"));
    assert_true(oms_str_eq_c(update.external_ref, "77"));
    assert_true(oms_str_eq_c(update.source, "wss"));
    assert_string_equal(written(&update.input), "{\"amount\":{\"amount\":\"1\",\"currency\":\"EUR\"}}");
    assert_true(
        read("wss", "orders/cancelled", "{\"order_id\":\"ORD-1\",\"source\":\"web\",\"reason\":\"r\"}"));
    assert_true(oms_str_eq_c(update.order_id, "ORD-1"));
    assert_true(oms_str_eq_c(update.source, "web"));
    assert_string_equal(written(&update.input), "{\"cancellationReason\":\"r\"}");
    assert_true(read("wss", "shipment_tracker",
                     "{\"tracking_number\":\"T\",\"status\":\"Out-For "
                     "Delivery\",\"occurred_at\":\"2026-01-01T00:00:00Z\"}"));
    assert_string_equal(
        written(&update.input),
        "{\"occurredAt\":\"2026-01-01T00:00:00Z\",\"carrierStatus\":\"Out-For Delivery\",\"status\":"
        "\"IN_TRANSIT\",\"trackingReference\":\"T\"}");
    assert_true(read("wss", "shipment_tracker", "{\"tracking_number\":\"T\",\"status\":\"customs\"}"));
    assert_string_equal(written(&update.input),
                        "{\"carrierStatus\":\"customs\",\"trackingReference\":\"T\"}");
}

static void payloads_that_say_too_little(void **state)
{
    static const struct {
        const char *topic, *body, *field;
        enum refusal_code code;
    } bad[] = {
        {"orders/paid", "{", NULL, REFUSAL_INVALID},
        {"orders/paid", "[]", NULL, REFUSAL_INVALID},
        {"orders/paid", "{}", "externalRef", REFUSAL_REQUIRED},
        {"orders/paid", "{\"external_ref\":{}}", "externalRef", REFUSAL_INVALID},
        {"orders/paid", "{\"external_ref\":\"\"}", "externalRef", REFUSAL_INVALID},
        {"orders/paid", "{\"external_ref\":\"1\",\"externalRef\":\"2\"}", "externalRef", REFUSAL_INVALID},
        {"orders/paid", "{\"external_ref\":\"1\",\"tenant_id\":7}", "tenant_id", REFUSAL_INVALID},
        {"shipment_tracker", "{\"status\":\"x\"}", "trackingReference", REFUSAL_REQUIRED},
        {"shipment_tracker", "{\"tracking_number\":\"T\"}", "status", REFUSAL_REQUIRED},
        {"shipment_tracker", "{\"tracking_number\":\"T\",\"status\":1}", "status", REFUSAL_INVALID},
        {"shipment_tracker", "{\"tracking_number\":[\"T\"],\"status\":\"x\"}", "trackingReference",
         REFUSAL_INVALID},
        {"fulfillments/update", "{\"tracking_number\":\"T\",\"status\":\"x\"}", "externalRef",
         REFUSAL_REQUIRED},
    };
    (void)state;
    for (size_t i = 0; i < OMS_COUNT_OF(bad); i++) {
        assert_false(read("wss", bad[i].topic, bad[i].body));
        assert_true(refusals.count >= 1);
        assert_int_equal(refusals.items[0].code, bad[i].code);
        assert_true(oms_str_eq_c(refusals.items[0].field, bad[i].field));
    }
    assert_false(read("stripe", "orders/paid", "{\"id\":5,\"external_ref\":\"1\"}"));
    assert_true(oms_str_eq_c(refusals.items[0].field, "id"));
}

/* The commands that samples make are those of their topics, for every provider: they parse as inputs. */
static void samples_become_commands(void **state)
{
    static const struct oms_hash_key key = {1, 2};
    const struct principal principal = {.kind = PRINCIPAL_WEBHOOK, .tenant = 1, .subject = OMS_STR("p")};
    const struct webhook_provider *provider;
    const struct webhook_topic *topic;
    (void)state;
    for (size_t p = 0; (provider = webhook_provider_at(p)); p++)
        for (size_t t = 0; (topic = webhook_topic_at(t)); t++) {
            struct order_input_context context = {.principal = &principal, .id_key = &key, .now_ms = 1};
            struct order_command command;
            unsigned char id[IDS_ORDER_SIZE];
            struct oms_buf body;
            bool known;
            if (topic->action == WEBHOOK_SNAPSHOT)
                continue; /* no command: access.test.mjs sends them */
            oms_buf_init(&body, 1u << 20);
            webhook_sample(provider, topic, OMS_STR("shop"), OMS_STR("tag-1"), 1700000000000, &body);
            oms_buf_append_char(&body, '\0');
            if (!read(webhook_provider_name(provider), topic->name, body.data))
                fail_msg("%s %s: %.*s", webhook_provider_name(provider), topic->name,
                         OMS_STR_ARG(refusals.items[0].message));
            if (topic->action != WEBHOOK_CREATE) { /* the order's id is what the run adds */
                struct oms_field *fields =
                    oms_arena_calloc(&arena, update.input.object.count + 1, sizeof(*fields));
                memcpy(fields, update.input.object.fields, update.input.object.count * sizeof(*fields));
                fields[update.input.object.count] = (struct oms_field){
                    OMS_STR("orderId"),
                    {.kind = OMS_VALUE_STRING, .text = OMS_STR("ORD-1M2HNQR1TD5HJX7F15QJ6CPP3W")}};
                update.input.object.fields = fields;
                update.input.object.count++;
            }
            if (!order_input_parse(update.command, &update.input, &context, &arena, &command, id, &known,
                                   &refusals))
                fail_msg("%s %s: %.*s %.*s", webhook_provider_name(provider), topic->name,
                         OMS_STR_ARG(refusals.items[0].field), OMS_STR_ARG(refusals.items[0].message));
            oms_buf_fini(&body);
        }
}

static void an_update_is_stored_and_read_back(void **state)
{
    struct oms_buf first, second;
    struct webhook_update copy;
    (void)state;
    assert_true(
        read("shopify", "fulfillments/update",
             "{\"order_id\":1,\"tracking_number\":\"T\",\"status\":\"success\",\"tracking_company\":\"UPS\","
             "\"line_items\":[{\"sku\":\"TEA\",\"quantity\":1}]}"));
    oms_buf_init(&first, 1u << 16);
    oms_buf_init(&second, 1u << 16);
    webhook_update_write(&update, &first);
    assert_int_equal(webhook_update_read(oms_buf_str(&first), &arena, &copy), OMS_OK);
    webhook_update_write(&copy, &second);
    assert_true(oms_str_eq(oms_buf_str(&first), oms_buf_str(&second)));
    assert_string_equal(written(&copy.shipment),
                        "{\"shipmentItems\":[{\"productSku\":\"TEA\",\"quantity\":1}],"
                        "\"provider\":\"UPS\",\"trackingReference\":\"T\"}");
    assert_int_equal(
        webhook_update_read(OMS_STR("{\"action\":9,\"command\":\"x\",\"input\":{}}"), &arena, &copy),
        OMS_CORRUPT);
    assert_int_equal(webhook_update_read(OMS_STR("{"), &arena, &copy), OMS_CORRUPT);
    oms_buf_fini(&first);
    oms_buf_fini(&second);
}

/* ---- entries ---- */

static const char *entry_fault(const char *list, bool is_operator)
{
    const struct tenant_webhook *entries;
    struct webhook_hooks *hooks;
    size_t count;
    assert_int_equal(tenant_webhooks_parse(json(list), &arena, &entries, &count, &error), OMS_OK);
    if (webhook_hooks_create(entries, count, is_operator, &hooks, &error) != OMS_OK) {
        assert_null(hooks);
        assert_null(strstr(error.message, "hush")); /* no message shows a secret */
        return error.message;
    }
    webhook_hooks_destroy(hooks);
    return NULL;
}

static void entries_must_mean_something(void **state)
{
    static const struct {
        const char *list, *fault;
        bool is_operator;
    } bad[] = {
        {"[{\"provider\":\"paypal\",\"secrets\":[\"hush\"]}]", "webhooks[0].provider must be wss", false},
        {"[{\"provider\":\"standard\",\"secrets\":[\"whsec_hush!\"]}]", "webhooks[0].secrets holds one",
         false},
        {"[{\"provider\":\"github\",\"secrets\":[\"hush\"],\"max_age_seconds\":9}]",
         "max_age_seconds means nothing", false},
        {"[{\"provider\":\"wss\",\"secrets\":[\"hush\"],\"topics\":[\"orders/creat\"]}]",
         "topics names 'orders/creat'", false},
        {"[{\"provider\":\"wss\",\"secrets\":[\"hush\"],\"topics\":[\"orders/create\"]}]",
         "can only be shipment_tracker", true},
        {"[{\"provider\":\"wss\",\"secrets\":[\"hush\"],\"map\":{\"nothing\":{}}}]", "map names 'nothing'",
         false},
        {"[{\"provider\":\"wss\",\"secrets\":[\"hush\"],\"map\":{\"orders/paid\":{\"amount\":\"x\"}}}]",
         "map for orders/paid: 'amount' must be", false},
    };
    (void)state;
    for (size_t i = 0; i < OMS_COUNT_OF(bad); i++) {
        const char *fault = entry_fault(bad[i].list, bad[i].is_operator);
        assert_non_null(fault);
        if (!strstr(fault, bad[i].fault))
            fail_msg("%s", fault);
    }
    assert_null(entry_fault(
        "[{\"provider\":\"shopify\",\"secrets\":[\"a\",\"b\"]},{\"provider\":\"wss\",\"secrets\":[\"c\"],"
        "\"max_age_seconds\":60,\"map\":{\"orders/paid\":{\"externalRef\":\"$.r\"}}}]",
        false));
    assert_null(entry_fault("[{\"provider\":\"easypost\",\"secrets\":[\"a\"]}]", true));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(published_vectors_verify),
        TEST(several_signatures_and_secrets_rotate),
        TEST(what_is_signed_can_not_be_changed),
        TEST(a_signed_time_must_be_near),
        TEST(every_provider_takes_what_it_signs),
        TEST(known_answers_in_each_form),
        TEST(easypost_binds_time_and_path),
        TEST(stripe_signs_what_it_dates),
        TEST(maps_make_inputs),
        TEST(maps_refuse_wrong_types),
        TEST(maps_that_mean_nothing_are_refused),
        TEST(orders_by_names),
        TEST(what_an_update_is_about),
        TEST(payloads_that_say_too_little),
        TEST(samples_become_commands),
        TEST(an_update_is_stored_and_read_back),
        TEST(entries_must_mean_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
