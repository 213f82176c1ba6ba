/* Tenant versions: configuration, storage, and what a change carries over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "actors/money.h"
#include "actors/tenant.h"
#include "actors/tenant_settings.h"
#include "actors/tenant_table.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/json.h"
#include "runtime/base/prng.h"

static enum oms_status parse(const char *json, struct tenant_version **out, struct oms_error *error)
{
    struct oms_json_error fault;
    struct oms_arena arena;
    struct oms_value value;
    enum oms_status status;

    oms_arena_init(&arena, 4096, 1 << 20);
    assert_int_equal(oms_json_parse(oms_str_of(json), 16, &arena, &value, &fault), OMS_OK);
    status = tenant_parse(&value, out, error);
    oms_arena_fini(&arena); /* nothing may point there */
    return status;
}

static const char full[] =
    "{\"name\":\"acme\",\"status\":\"suspended\",\"currency\":\"EUR\","
    "\"rolemap\":[{\"role\":\"clerk\",\"permissions\":[\"get_order\",\"add_note\"]},"
    "{\"role\":\"maker\",\"permission\":\"get_order\",\"scope\":{\"vendor_id\":\"$vendor_id\"}}],"
    "\"authorizations\":[{\"user\":\"u1\",\"permission\":\"*\"}],"
    "\"workflow\":{\"steps\":[{\"stage\":\"CONFIRMED\",\"stepName\":\"pack\",\"sequence\":1}]},"
    "\"cors_origins\":[\"https://shop.example\",\"http://localhost:3000\"],"
    "\"limits\":{\"requests_per_second\":50,\"open_orders\":0,\"streams\":7}}";

static void configuration_is_read(void **state)
{
    struct oms_error error = {OMS_OK, ""};
    struct tenant_version *tenant;

    (void)state;
    assert_int_equal(parse(full, &tenant, &error), OMS_OK);
    assert_true(oms_str_eq_c(tenant->name, "acme"));
    assert_int_equal(tenant->status, TENANT_SUSPENDED);
    assert_int_equal(tenant->currency, money_currency_parse(OMS_STR("EUR")));
    assert_int_equal(tenant->permissions.role_count, 2);
    assert_int_equal(tenant->permissions.user_count, 1);
    assert_int_equal(tenant_workflow(tenant, 0)->step_count, 1);
    assert_ptr_equal(tenant_workflow(tenant, 0), tenant_workflow(tenant, 1));
    assert_null(tenant_workflow(tenant, 2));
    assert_true(tenant_allows_origin(tenant, OMS_STR("https://shop.example")));
    assert_false(tenant_allows_origin(tenant, OMS_STR("https://shop.example.evil")));
    assert_false(tenant_allows_origin(tenant, OMS_STR("")));
    assert_int_equal(tenant->limits.requests_per_second, 50);
    assert_int_equal(tenant->limits.streams, 7);
    assert_int_equal(tenant->limits.stored_events, 0);
    tenant_version_release(tenant);
}

static void defaults_are_a_working_tenant(void **state)
{
    struct tenant_version *tenant = tenant_create_default(OMS_STR("demo"));

    (void)state;
    assert_int_equal(tenant->status, TENANT_ACTIVE);
    assert_int_equal(tenant->permissions.role_count, 5);
    assert_int_equal(tenant->permissions.user_count, 0);
    assert_true(tenant_workflow(tenant, 0)->step_count > 0);
    assert_false(tenant_allows_origin(tenant, OMS_STR("https://anything.example")));
    tenant_version_release(tenant);
}

static void faults_are_named(void **state)
{
    static const struct {
        const char *json, *says;
    } bad[] = {
        {"[]", "must be an object"},
        {"{}", "name must have"},
        {"{\"name\":\"Acme\"}", "name must have"},
        {"{\"name\":\"-a\"}", "name must have"},
        {"{\"name\":\"a\",\"stauts\":1}", "did you mean 'status'?"},
        {"{\"name\":\"a\",\"status\":\"off\"}", "status must be"},
        {"{\"name\":\"a\",\"currency\":\"usd\"}", "ISO 4217"},
        {"{\"name\":\"a\",\"rolemap\":[{\"role\":\"r\",\"permission\":\"x\"}]}",
         "rolemap or authorizations: row 0"},
        {"{\"name\":\"a\",\"workflow\":[{}]}", "workflow: step 1"},
        {"{\"name\":\"a\",\"cors_origins\":[\"https://a.example/\"]}", "cors_origins[0]"},
        {"{\"name\":\"a\",\"cors_origins\":[\"ftp://a\"]}", "cors_origins[0]"},
        {"{\"name\":\"a\",\"cors_origins\":[\"https://\"]}", "cors_origins[0]"},
        {"{\"name\":\"a\",\"limits\":{\"stream\":1}}", "did you mean 'streams'?"},
        {"{\"name\":\"a\",\"limits\":{\"streams\":-1}}", "limits.streams"},
        {"{\"name\":\"a\",\"limits\":{\"stored_events\":1.5}}", "limits.stored_events"},
    };

    (void)state;
    for (size_t i = 0; i < OMS_COUNT_OF(bad); i++) {
        struct oms_error error = {OMS_OK, ""};
        struct tenant_version *tenant = (void *)&error;

        assert_int_equal(parse(bad[i].json, &tenant, &error), OMS_INVALID);
        assert_null(tenant);
        assert_non_null(strstr(error.message, bad[i].says));
    }
}

static void storage_round_trips(void **state)
{
    struct tenant_version *tenant, *back;
    struct oms_buf bytes, again;

    (void)state;
    assert_int_equal(parse(full, &tenant, NULL), OMS_OK);
    tenant->number = 12;
    tenant->version = 34;
    tenant->limits = (struct tenant_limits){50, 1000, 5, 99};
    oms_buf_init(&bytes, 1 << 20);
    oms_buf_init(&again, 1 << 20);
    tenant_version_encode(tenant, &bytes);
    assert_int_equal(tenant_version_decode(oms_buf_str(&bytes), &back), OMS_OK);
    assert_int_equal(back->number, 12);
    assert_int_equal(back->version, 34);
    assert_true(tenant_version_same(tenant, back));
    assert_int_equal(back->limits.requests_per_second, 50);
    assert_int_equal(back->limits.stored_events, 99);
    tenant_version_encode(back, &again);
    assert_true(oms_str_eq(oms_buf_str(&bytes), oms_buf_str(&again)));
    assert_true(back->permissions.users[0].permissions == PERMISSION_ALL);
    assert_int_equal(back->permissions.roles[1].scope.kind, PERMISSION_SCOPE_VENDOR);
    tenant_version_release(tenant);
    tenant_version_release(back);
    oms_buf_fini(&bytes);
    oms_buf_fini(&again);
}

static void corrupt_bytes_never_decode_to_nonsense(void **state)
{
    struct tenant_version *tenant = tenant_create_default(OMS_STR("demo")), *back;
    struct oms_prng prng;
    struct oms_buf bytes;

    const struct tenant_api_key key = {.id = OMS_STR("00000001aaaaaaaaaaaa"),
                                       .name = OMS_STR("sync"),
                                       .permissions = PERMISSION_BIT(PERMISSION_GET_ORDER),
                                       .scope = {PERMISSION_SCOPE_VENDOR, OMS_STR("v")}};

    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        char id[TENANT_API_KEY_ID_SIZE];
        struct tenant_api_key one = key;

        tenant_api_key_id(1, (const unsigned char[6]){(unsigned char)i}, id);
        one.id = oms_str_make(id, sizeof id);
        assert_true(tenant_version_add_api_key(tenant, &one, 1, NULL));
    }
    tenant_version_set_status(tenant, TENANT_SUSPENDED, OMS_STR("why"), OMS_STR("who"), 5);
    oms_buf_init(&bytes, 1 << 20);
    tenant_version_encode(tenant, &bytes);
    oms_prng_seed(&prng, 5);
    for (size_t len = 0; len < bytes.len; len += 7)
        if (tenant_version_decode(oms_str_make(bytes.data, len), &back) == OMS_OK)
            tenant_version_release(back);
    for (int i = 0; i < 6000; i++) {
        size_t at = oms_prng_below(&prng, bytes.len);
        char was = bytes.data[at];

        bytes.data[at] = (char)oms_prng_next(&prng);
        if (tenant_version_decode(oms_buf_str(&bytes), &back) == OMS_OK) {
            assert_true(tenant_name_valid(back->name));
            assert_non_null(tenant_workflow(back, 0));
            for (size_t k = 0; k < back->api_key_count; k++) { /* nothing of it may become more than it was */
                uint32_t number;

                assert_true(tenant_api_key_id_parse(back->api_keys[k].id, &number));
                assert_int_equal(back->api_keys[k].permissions & ~PERMISSION_ALL, 0);
            }
            tenant_version_release(back);
        }
        bytes.data[at] = was;
    }
    assert_int_not_equal(tenant_version_decode(OMS_STR(""), &back), OMS_OK);
    tenant_version_release(tenant);
    oms_buf_fini(&bytes);
}

static void a_change_keeps_what_orders_have_pinned(void **state)
{
    struct tenant_version *first = tenant_create_default(OMS_STR("acme")), *second, *third;

    (void)state;
    first->number = 9;
    assert_int_equal(parse(full, &second, NULL), OMS_OK);
    assert_int_equal(tenant_version_follow(second, first), OMS_OK);
    assert_int_equal(second->number, 9);
    assert_int_equal(second->workflow_count, 2);
    assert_int_equal(tenant_workflow(second, 0)->version, 2);
    assert_int_equal(tenant_workflow(second, 0)->step_count, 1);
    assert_true(oms_str_eq(tenant_workflow(second, 1)->source, tenant_workflow(first, 1)->source));
    assert_false(tenant_version_same(first, second));
    tenant_version_release(first); /* the second stands alone */
    assert_int_equal(tenant_workflow(second, 1)->version, 1);

    assert_int_equal(parse(full, &third, NULL), OMS_OK);
    assert_int_equal(tenant_version_follow(third, second), OMS_OK);
    assert_int_equal(third->workflow_count, 2);
    assert_true(tenant_version_same(second, third));
    tenant_version_release(second);
    tenant_version_release(third);
}

static void holds_are_counted(void **state)
{
    struct tenant_version *tenant = tenant_create_default(OMS_STR("a"));
    const struct tenant_version *held = tenant_version_hold(tenant);

    (void)state;
    tenant_version_release(tenant);
    assert_true(oms_str_eq_c(held->name, "a")); /* under the sanitizer: still there */
    tenant_version_release(held);
    tenant_version_release(NULL);
}

static struct tenant_version *configured(const char *json)
{
    struct tenant_version *tenant;

    assert_int_equal(parse(json, &tenant, NULL), OMS_OK);
    return tenant;
}

/* A restart: the configuration `json` after the version `now`, which is given away. */
static struct tenant_version *restart(struct tenant_version *now, const char *json)
{
    struct tenant_version *next = configured(json), *stored;
    struct oms_buf bytes;

    assert_int_equal(tenant_version_follow(next, now), OMS_OK);
    tenant_version_release(now);
    oms_buf_init(&bytes, 1 << 20);
    tenant_version_encode(next, &bytes);
    assert_int_equal(tenant_version_decode(oms_buf_str(&bytes), &stored), OMS_OK);
    oms_buf_fini(&bytes);
    tenant_version_release(next);
    return stored;
}

static void set_limits(struct tenant_version *tenant, const char *json)
{
    struct oms_json_error fault;
    struct oms_arena arena;
    struct oms_value value;

    oms_arena_init(&arena, 4096, 1 << 20);
    assert_int_equal(oms_json_parse(oms_str_of(json), 16, &arena, &value, &fault), OMS_OK);
    assert_int_equal(tenant_version_set_part(tenant, "limits", &value, NULL), OMS_OK);
    oms_arena_fini(&arena);
}

/* What the API set stays through restarts with the same configuration; a changed one wins, part by part. */
static void the_api_and_the_configuration_share_a_tenant(void **state)
{
    static const char plain[] = "{\"name\":\"a\",\"currency\":\"EUR\",\"limits\":{\"streams\":5}}";
    static const char more[] = "{\"name\":\"a\",\"currency\":\"EUR\",\"limits\":{\"streams\":6},"
                               "\"cors_origins\":[\"https://a.example\"]}";
    struct tenant_version *tenant = configured(plain);

    (void)state;
    tenant = restart(tenant, plain);
    set_limits(tenant, "{\"open_orders\":9}");
    assert_int_equal(tenant->limits.streams, 5); /* what is not named stays */
    tenant_version_set_status(tenant, TENANT_SUSPENDED, OMS_STR("no money"), OMS_STR("op"), 77);
    tenant = restart(tenant, plain);
    assert_int_equal(tenant->limits.open_orders, 9);
    assert_int_equal(tenant->status, TENANT_SUSPENDED);
    assert_true(oms_str_eq_c(tenant->status_reason, "no money") && oms_str_eq_c(tenant->status_by, "op"));
    assert_int_equal(tenant->status_at, 77);
    tenant = restart(tenant, more);
    assert_int_equal(tenant->limits.open_orders, 0);
    assert_int_equal(tenant->limits.streams, 6);
    assert_int_equal(tenant->cors_origin_count, 1);
    assert_int_equal(tenant->status, TENANT_SUSPENDED); /* of the status it says nothing new */
    tenant = restart(tenant, "{\"name\":\"a\",\"status\":\"removed\"}");
    assert_int_equal(tenant->status, TENANT_REMOVED);
    assert_false(oms_str_present(tenant->status_reason)); /* that was another status's */
    assert_int_equal(tenant->currency, MONEY_CURRENCY_NONE);
    tenant_version_release(tenant);
}

/* One that was made through the API, and is named by a configuration later, is as that says. */
static void a_first_configuration_wins(void **state)
{
    struct tenant_version *tenant = configured("{\"name\":\"a\",\"currency\":\"EUR\"}");

    (void)state;
    tenant_settings_unnote(tenant);
    tenant = restart(tenant, "{\"name\":\"a\",\"currency\":\"USD\"}");
    assert_int_equal(tenant->currency, money_currency_parse(OMS_STR("USD")));
    tenant_version_release(tenant);
}

static void a_table_finds_by_number_and_by_name(void **state)
{
    struct tenant_table table = {0};
    char name[32];

    (void)state;
    assert_null(tenant_table_by_name(&table, OMS_STR("t1")));
    for (uint32_t i = 1; i <= 300; i++) {
        uint32_t number = i % 2 ? i : 601 - i; /* not in order */
        struct tenant_version *tenant;

        snprintf(name, sizeof name, "t%u", number);
        tenant = tenant_create_default(oms_str_of(name));
        tenant->number = number;
        tenant_table_put(&table, tenant);
    }
    for (uint32_t number = 1; number <= 600; number++) {
        bool there = number % 2 == 1;
        const struct tenant_version *found;

        snprintf(name, sizeof name, "t%u", number);
        found = tenant_table_by_name(&table, oms_str_of(name));
        assert_ptr_equal(found, tenant_table_get(&table, number));
        assert_int_equal(found != NULL, there);
    }
    /* A new version takes the old one's place. */
    struct tenant_version *next = tenant_create_default(OMS_STR("t7"));
    next->number = 7;
    tenant_table_put(&table, next);
    assert_ptr_equal(tenant_table_by_name(&table, OMS_STR("t7")), next);
    assert_int_equal(table.count, 300);
    tenant_table_fini(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(configuration_is_read),
        cmocka_unit_test(defaults_are_a_working_tenant),
        cmocka_unit_test(faults_are_named),
        cmocka_unit_test(storage_round_trips),
        cmocka_unit_test(corrupt_bytes_never_decode_to_nonsense),
        cmocka_unit_test(a_change_keeps_what_orders_have_pinned),
        cmocka_unit_test(holds_are_counted),
        cmocka_unit_test(the_api_and_the_configuration_share_a_tenant),
        cmocka_unit_test(a_first_configuration_wins),
        cmocka_unit_test(a_table_finds_by_number_and_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
