/* The configuration: defaults, every key, mistakes with their messages, and the documents that describe it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "actors/tenant.h"
#include "http/config.h"
#include "runtime/base/alloc.h"
#include "runtime/base/limits.h"

static struct http_config config;
static char message[600];

static bool parse(const char *text)
{
    struct oms_error error = {OMS_OK, ""};
    http_config_init(&config);
    bool fine = http_config_parse(&config, oms_str_of(text), "/etc/liteoms", &error) == OMS_OK;
    snprintf(message, sizeof(message), "%s", error.message);
    return fine;
}

static void test_defaults(void **state)
{
    (void)state;
    assert_true(parse("{}"));
    assert_true(oms_str_eq_c(config.listen, "127.0.0.1:8080"));
    assert_false(oms_str_present(config.tls_cert));
    assert_false(oms_str_present(config.data));
    assert_int_equal(config.shards, 0);
    assert_false(config.dev);
    assert_false(http_config_graphiql(&config));
    assert_int_equal(config.log_level, OMS_LOG_INFO);
    assert_int_equal(config.limits.body_bytes, 0); /* the server's default */
    assert_int_equal(config.disk_reserve_bytes, OMS_DISK_RESERVE_BYTES);
    assert_int_equal(config.issuer_count, 0);
    assert_int_equal(config.tenant_count, 0);
    assert_false(config.graphql.introspection_off);
    assert_int_equal(config.graphql.persisted_queries, OMS_GQL_PERSISTED_MAX);
    assert_int_equal(config.graphql.batch_max, 0);
    assert_int_equal(config.graphql.cost_max, OMS_GQL_COST_MAX);
    assert_int_equal(config.graphql.tenant_cost.capacity, 0);
    assert_null(config.graphql.allow_list);
    http_config_fini(&config);
}

static void test_values(void **state)
{
    (void)state;
    assert_true(parse(
        " {\"listen\": \"[::1]:9000\", \"tls\": {\"cert\": \"c.pem\", \"key\": \"/k.pem\"}, \"data\": \"d\","
        "\"shards\": 3, \"dev\": true, \"single_tenant\": \"shop\", \"log_level\": \"warn\","
        "\"limits\": {\"body_bytes\": 2048, \"drain_timeout_ms\": 0, \"orders_resident\": 5000000000},"
        "\"tenants\": [{\"name\": \"a\", \"x\": 0.10}, {\"name\": \"b\"}]}\n"));
    assert_true(oms_str_eq_c(config.listen, "[::1]:9000"));
    assert_string_equal(config.tls_cert.data, "/etc/liteoms/c.pem");
    assert_string_equal(config.tls_key.data, "/k.pem");
    assert_string_equal(config.data.data, "/etc/liteoms/d");
    assert_int_equal(config.shards, 3);
    assert_true(config.dev);
    assert_true(oms_str_eq_c(config.single_tenant, "shop"));
    assert_int_equal(config.log_level, OMS_LOG_WARN);
    assert_int_equal(config.limits.body_bytes, 2048);
    assert_int_equal(config.drain_timeout_ms, 0);
    assert_true(config.orders_resident_max == UINT64_C(5000000000));
    assert_int_equal(config.tenant_count, 2);
    /* Numbers of the tenants' part keep their text. */
    assert_true(oms_str_eq_c(oms_value_get(&config.tenants[0], "x")->text, "0.10"));
    http_config_fini(&config);
}

static void test_graphiql_follows_dev_unless_it_is_told(void **state)
{
    static const struct {
        const char *text;
        bool served;
    } cases[] = {
        {"{\"dev\": true}", true},
        {"{\"dev\": false}", false},
        {"{\"dev\": true, \"graphiql\": false}", false},
        {"{\"graphiql\": true}", true},
        {"{\"dev\": true, \"graphiql\": null}", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_true(parse(cases[i].text));
        assert_int_equal(http_config_graphiql(&config), cases[i].served);
        http_config_fini(&config);
    }
}

static void test_graphql(void **state)
{
    (void)state;
    assert_true(parse("{\"graphql\": {\"introspection\": false, \"persisted_queries\": 7, \"batch_max\": 3,"
                      "\"cost_max\": 0, \"cost_bucket\": 9, \"cost_restore\": 8, \"subject_cost_bucket\": 6,"
                      "\"subject_cost_restore\": 5}}"));
    assert_true(config.graphql.introspection_off);
    assert_int_equal(config.graphql.persisted_queries, 7);
    assert_int_equal(config.graphql.batch_max, 3);
    assert_int_equal(config.graphql.cost_max, 0);
    assert_int_equal(config.graphql.tenant_cost.capacity, 9);
    assert_int_equal(config.graphql.tenant_cost.restore, 8);
    assert_int_equal(config.graphql.subject_cost.capacity, 6);
    assert_int_equal(config.graphql.subject_cost.restore, 5);
    http_config_fini(&config);
}

static void test_mistakes(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "line 1, column 1"},
        {"{\n  \"shards\": 2,\n}", "line 3, column 1"},
        {"{} x", "line 1, column 4"},
        {"[]", "the configuration must be an object, not a list"},
        {"{\"lisen\": \"x\"}", "'lisen' is not a known key; did you mean 'listen'?"},
        {"{\"something_else\": 1}", "'something_else' is not a known key"},
        {"{\"shards\": 2, \"shards\": 3}", "line 1"},
        {"{\"shards\": \"2\"}", "'shards' must be a whole number from 0 to 64, not a text"},
        {"{\"shards\": 65}", "'shards' must be a whole number from 0 to 64"},
        {"{\"shards\": -1}", "'shards' must be"},
        {"{\"shards\": 1.5}", "'shards' must be"},
        {"{\"dev\": \"true\"}", "'dev' must be true or false, not a text"},
        {"{\"graphiql\": 1}", "'graphiql' must be true or false, not a number"},
        {"{\"log_level\": \"loud\"}",
         "'log_level' must be one of \"debug\", \"info\", \"warn\", \"error\", \"off\""},
        {"{\"listen\": \"8080\"}", "'listen' is not usable"},
        {"{\"listen\": \"127.0.0.1:99999\"}", "expected ADDRESS:PORT"},
        {"{\"listen\": \"::1:80\"}", "expected ADDRESS:PORT"},
        {"{\"data\": \"\"}", "'data' must be a text that is not empty"},
        {"{\"data\": \"a\\u0000b\"}", "'data' must be a text"},
        {"{\"tls\": {\"cert\": \"a\"}}", "'tls' needs both"},
        {"{\"tls\": {\"certificate\": \"a\"}}", "'tls.certificate' is not a known key"},
        {"{\"tls\": true}", "'tls' must be an object, not a boolean"},
        {"{\"limits\": {\"body_byte\": 1}}",
         "'limits.body_byte' is not a known key; did you mean 'body_bytes'?"},
        {"{\"limits\": {\"body_bytes\": 1}}", "'limits.body_bytes' must be a whole number from 1024 to"},
        {"{\"limits\": {\"connections\": 0}}", "'limits.connections' must be"},
        {"{\"graphql\": []}", "'graphql' must be an object"},
        {"{\"graphql\": {\"introspection\": 1}}", "'graphql.introspection' must be true or false"},
        {"{\"graphql\": {\"batch_max\": 101}}", "'graphql.batch_max' must be a whole number from 0 to 100"},
        {"{\"graphql\": {\"cost_bucket\": 5}}", "'graphql.cost_restore' is required with 'cost_bucket'"},
        {"{\"graphql\": {\"cost_restore\": 5}}", "'graphql.cost_bucket' is required with 'cost_restore'"},
        {"{\"graphql\": {\"allow_list\": \"/nowhere/x\"}}", "'graphql.allow_list' cannot be read"},
        {"{\"graphql\": {\"allow_lists\": \"x\"}}", "did you mean 'allow_list'?"},
        {"{\"issuers\": {}}", "'issuers' must be a list, not an object"},
        {"{\"issuers\": [{\"isuer\": 1}]}", "'issuers[0].isuer' is not a known key; did you mean 'issuer'?"},
        {"{\"tenants\": [7]}", "'tenants[0]' must be an object"},
        {"{\"tenants\": [{}]}", "'tenants[0].name' is required"},
        {"{\"tenants\": [{\"name\": \"a\"}, {\"name\": \"a\"}]}", "'tenants' names 'a' twice"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        bool fine = parse(cases[i].text);
        if (fine || !strstr(message, cases[i].says))
            print_error("for %s: %s\n", cases[i].text, fine ? "accepted" : message);
        assert_false(fine);
        assert_non_null(strstr(message, cases[i].says));
        assert_null(strchr(message, '\n'));
        http_config_fini(&config);
    }
}

static void test_null_is_absent(void **state)
{
    (void)state;
    assert_true(parse("{\"tls\": null, \"shards\": null, \"issuers\": null}"));
    assert_false(oms_str_present(config.tls_cert));
    http_config_fini(&config);
}

static void test_same_issuer_twice(void **state)
{
#define ISSUER                                                                                               \
    "{\"issuer\":\"a\",\"audience\":\"b\",\"algorithms\":[\"HS256\"],\"tenants\":\"*\",\"roles\":\"*\","     \
    "\"hmac_secret\":\"0123456789abcdef0123456789abcdef\"}"
    (void)state;
    assert_true(parse("{\"issuers\": [" ISSUER "]}"));
    assert_int_equal(config.issuer_count, 1);
    http_config_fini(&config);
    assert_false(parse("{\"issuers\": [" ISSUER "," ISSUER "]}"));
    assert_non_null(strstr(message, "names 'a' twice"));
    http_config_fini(&config);
}

/* What a server would else find out when its data folder is made and its sockets listen. */
static void test_check(void **state)
{
    struct oms_error error = {OMS_OK, ""};
    (void)state;
    assert_true(parse("{\"dev\": true, \"tenants\": [{\"name\": \"a\"}]}"));
    assert_int_equal(http_config_check(&config, &error), OMS_OK);
    config.dev = false;
    assert_int_equal(http_config_check(&config, &error), OMS_INVALID);
    assert_non_null(strstr(error.message, "no issuer is configured"));
    http_config_fini(&config);

    assert_true(parse("{\"issuers\": [" ISSUER "]}"));
    assert_int_equal(http_config_check(&config, &error), OMS_OK);
    http_config_fini(&config);

    assert_true(parse("{\"dev\": true, \"tenants\": [{\"name\": \"a\"},"
                      "{\"name\": \"b\", \"rolemap\": [{\"role\": \"x\", \"permission\": \"get_ordr\"}]}]}"));
    assert_int_equal(http_config_check(&config, &error), OMS_INVALID);
    assert_non_null(strstr(error.message, "tenants[1]: "));
    assert_non_null(strstr(error.message, "get_order"));
    http_config_fini(&config);
}

static void test_files(void **state)
{
    struct oms_error error;
    (void)state;
    http_config_init(&config);
    assert_int_equal(http_config_load(&config, "/nowhere/liteoms.json", &error), OMS_NOT_FOUND);
    assert_non_null(strstr(error.message, "/nowhere/liteoms.json"));
    assert_int_equal(http_config_load(&config, "/tmp", &error), OMS_INVALID);
    http_config_fini(&config);
}

/* Secrets may lie in a file of their own; what is wrong with an entry is told with its place. */
static void test_webhooks(void **state)
{
    static const struct {
        const char *text, *fault;
    } bad[] = {
        {"{\"webhooks\":{}}", "webhooks must be a list"},
        {"{\"webhooks\":[{\"provider\":\"wss\"}]}", "webhooks[0].secrets is required"},
        {"{\"webhooks\":[{\"secrets\":[\"a\"]}]}", "webhooks[0].provider is required"},
        {"{\"webhooks\":[{\"provider\":\"wss\",\"secret\":\"a\"}]}", "did you mean 'secrets'"},
        {"{\"webhooks\":[{\"provider\":\"wss\",\"secrets\":[\"a\",\"b\",\"c\",\"d\",\"e\"]}]}",
         "1 to 4 texts"},
        {"{\"webhooks\":[{\"provider\":\"wss\",\"secrets\":[\"a\"],\"max_age_seconds\":0}]}",
         "from 1 to 86400"},
        {"{\"webhooks\":[{\"provider\":\"wss\",\"secrets\":[\"a\"]},{\"provider\":\"wss\",\"secrets\":[\"a\"]"
         "}]}",
         "webhooks[1].provider is named twice"},
        {"{\"webhooks\":[{\"provider\":\"wss\",\"secret_file\":\"/nowhere\"}]}",
         "'webhooks[0].secret_file': cannot"},
        {"{\"tenants\":[{\"name\":\"a\"},{\"name\":\"b\",\"webhooks\":[{\"secret_file\":7}]}]}",
         "'tenants[1].webhooks[0].secret_file' must be"},
    };
    struct oms_error error;
    char folder[] = "/tmp/liteoms-secrets-XXXXXX", path[64];
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        http_config_init(&config);
        assert_int_equal(http_config_parse(&config, oms_str_of(bad[i].text), "", &error), OMS_INVALID);
        if (!strstr(error.message, bad[i].fault))
            print_error("%s\n", error.message);
        assert_non_null(strstr(error.message, bad[i].fault));
        http_config_fini(&config);
    }
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/secret", folder);
    FILE *file = fopen(path, "w");
    fputs("new one\n\n  old-one  \n", file);
    fclose(file);
    http_config_init(&config);
    assert_int_equal(
        http_config_parse(&config,
                          OMS_STR("{\"webhooks\":[{\"provider\":\"wss\",\"secret_file\":\"secret\","
                                  "\"secrets\":[\"first\"]}],\"tenants\":[{\"name\":\"a\",\"webhooks\":"
                                  "[{\"secret_file\":\"secret\",\"provider\":\"github\"}]}]}"),
                          folder, &error),
        OMS_OK);
    assert_int_equal(config.webhook_count, 1);
    assert_int_equal(config.webhooks[0].secret_count, 3);
    assert_true(oms_str_eq_c(config.webhooks[0].secrets[0], "first"));
    assert_true(oms_str_eq_c(config.webhooks[0].secrets[1], "new one"));
    assert_true(oms_str_eq_c(config.webhooks[0].secrets[2], "old-one"));
    struct tenant_version *tenant;
    assert_int_equal(tenant_parse(&config.tenants[0], &tenant, &error), OMS_OK);
    assert_int_equal(tenant->webhook_count, 1);
    assert_int_equal(tenant->webhooks[0].secret_count, 2);
    tenant_version_release(tenant);
    http_config_fini(&config);
    unlink(path);
    rmdir(folder);
}

static char *read_file(const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", LITEOMS_SOURCE_DIR, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *text = oms_calloc(1, 1u << 20);
    assert_true(fread(text, 1, (1u << 20) - 1, file) > 0);
    fclose(file);
    return text;
}

static void assert_shown(const char *key, const char *example, const char *manual)
{
    char quoted[80];
    snprintf(quoted, sizeof(quoted), "\"%s\":", key);
    if (!strstr(example, quoted))
        print_error("the example does not show %s\n", key);
    assert_non_null(strstr(example, quoted));
    snprintf(quoted, sizeof(quoted), "| `%s` |", key);
    if (!strstr(manual, quoted))
        print_error("the manual does not explain %s\n", key);
    assert_non_null(strstr(manual, quoted));
}

static void test_documents(void **state)
{
    static const char *const issuer_keys[] = {"issuer",
                                              "audience",
                                              "algorithms",
                                              "key",
                                              "keys",
                                              "hmac_secret",
                                              "tenants",
                                              "roles",
                                              "operator",
                                              "claims",
                                              "tenant_id",
                                              "sub",
                                              "name",
                                              "vendor_id",
                                              "customer_id",
                                              "jwks_url",
                                              "discovery",
                                              "jwks_ca_file",
                                              "jwks_allow_http",
                                              "jwks_refetch_interval_s",
                                              "jwks_stale_hours"};
    static const char *const tenant_keys[] = {
        "status",   "currency", "cors_origins", "rolemap", "authorizations", "workflow", "webhooks",
        "provider", "secrets",  "topics",       "map",     "max_age_seconds"};
    static const char *const tenant_limit_keys[] = {"requests_per_second", "open_orders", "streams",
                                                    "stored_events"};
    struct oms_error error = {OMS_OK, ""};
    char path[512];
    char *example = read_file("docs/liteoms.example.json"), *manual = read_file("docs/configuration.md");
    (void)state;
    for (size_t i = 0; http_config_keys[i]; i++)
        assert_shown(http_config_keys[i], example, manual);
    for (size_t i = 0; http_config_limit_keys[i]; i++)
        assert_shown(http_config_limit_keys[i], example, manual);
    for (size_t i = 0; http_config_privacy_keys[i]; i++)
        assert_shown(http_config_privacy_keys[i], example, manual);
    for (size_t i = 0; http_graphql_setting_keys[i]; i++)
        assert_shown(http_graphql_setting_keys[i], example, manual);
    for (size_t i = 0; http_nats_setting_keys[i]; i++)
        assert_shown(http_nats_setting_keys[i], example, manual);
    for (size_t i = 0; http_outhook_setting_keys[i]; i++)
        assert_shown(http_outhook_setting_keys[i], example, manual);
    for (size_t i = 0; i < sizeof(issuer_keys) / sizeof(*issuer_keys); i++)
        assert_shown(issuer_keys[i], example, manual);
    for (size_t i = 0; i < sizeof(tenant_keys) / sizeof(*tenant_keys); i++)
        assert_shown(tenant_keys[i], example, manual);
    for (size_t i = 0; i < sizeof(tenant_limit_keys) / sizeof(*tenant_limit_keys); i++)
        assert_shown(tenant_limit_keys[i], example, manual);

    snprintf(path, sizeof(path), "%s/docs/liteoms.example.json", LITEOMS_SOURCE_DIR);
    http_config_init(&config);
    if (http_config_load(&config, path, &error) != OMS_OK)
        print_error("%s\n", error.message);
    assert_int_equal(error.status, OMS_OK);
    assert_int_equal(config.issuer_count, 4);
    assert_int_equal(config.tenant_count, 1);
    if (http_config_check(&config, &error) != OMS_OK)
        print_error("%s\n", error.message);
    assert_int_equal(error.status, OMS_OK);
    struct tenant_version *tenant;
    assert_int_equal(tenant_parse(&config.tenants[0], &tenant, &error), OMS_OK);
    assert_int_equal(tenant->cors_origin_count, 2);
    tenant_version_release(tenant);
    /* The example's limits are the defaults, so that it documents them truly. */
    assert_int_equal(config.limits.body_bytes, OMS_BODY_BYTES_MAX);
    assert_int_equal(config.limits.body_bytes_connection, OMS_BODY_BYTES_PER_CONNECTION);
    assert_int_equal(config.limits.body_bytes_all, OMS_BODY_BYTES_ALL);
    assert_int_equal(config.limits.connections, OMS_CONNECTIONS_MAX);
    assert_int_equal(config.limits.requests_in_flight, OMS_REQUESTS_IN_FLIGHT_MAX);
    assert_int_equal(config.token_cache_max, OMS_TOKEN_CACHE_MAX);
    assert_true(config.disk_reserve_bytes == OMS_DISK_RESERVE_BYTES);
    assert_int_equal(config.orders_resident_max, OMS_ORDERS_RESIDENT_MAX);
    assert_int_equal(config.orders_thawed_max, OMS_ORDERS_THAWED_MAX);
    http_config_fini(&config);
    oms_free(example);
    oms_free(manual);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_graphiql_follows_dev_unless_it_is_told),
        cmocka_unit_test(test_graphql),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_null_is_absent),
        cmocka_unit_test(test_same_issuer_twice),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_webhooks),
        cmocka_unit_test(test_documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
