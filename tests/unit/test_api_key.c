/* API keys: their text, what is kept of them, who has one, and what it may do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http/auth/api_key.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/limits.h"
#include "runtime/base/prng.h"

#define NOW INT64_C(1800000000000)

static struct tenant_version *tenant;
static struct oms_arena arena;
static struct refusal_list refusals;
static char text[HTTP_API_KEY_TEXT_SIZE];

static int set_up(void **state)
{
    (void)state;
    tenant = tenant_create_default(OMS_STR("acme"));
    tenant->number = 258;
    oms_arena_init(&arena, 4096, 1 << 20);
    refusal_list_init(&refusals, &arena);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tenant_version_release(tenant);
    oms_arena_fini(&arena);
    return 0;
}

/* Adds a key to the tenant, of which `text` is what its holder has. */
static bool add(struct tenant_api_key key)
{
    char id[TENANT_API_KEY_ID_SIZE], secret[TENANT_API_KEY_SECRET_SIZE];
    unsigned char random[6];
    oms_random_bytes(random, sizeof(random));
    tenant_api_key_id(tenant->number, random, id);
    http_api_key_make(secret, key.hash);
    key.id = oms_str_make(id, sizeof(id));
    http_api_key_text(key.id, secret, text);
    return tenant_version_add_api_key(tenant, &key, NOW, &refusals);
}

static struct tenant_api_key reader(void)
{
    return (struct tenant_api_key){.name = OMS_STR("sync"),
                                   .created_by = OMS_STR("ann"),
                                   .permissions = PERMISSION_BIT(PERMISSION_GET_ORDER),
                                   .created_at = NOW};
}

static const struct tenant_api_key *find(const char *presented)
{
    struct http_api_key parsed;
    return http_api_key_parse(oms_str_of(presented), &parsed) ? http_api_key_find(tenant, &parsed) : NULL;
}

static void the_text_finds_its_key(void **state)
{
    struct http_api_key parsed;
    (void)state;
    assert_true(add(reader()));
    assert_int_equal(strlen(text), 4 + 20 + 1 + 64);
    assert_true(http_api_key_parse(oms_str_of(text), &parsed));
    assert_int_equal(parsed.tenant, 258);
    assert_memory_equal(text, "lok_00000102", 12);
    assert_ptr_equal(find(text), &tenant->api_keys[0]);
    /* What is kept is not what is presented. */
    assert_null(memmem(&tenant->api_keys[0].hash, 32, text + 25, 32));
}

static void every_changed_byte_is_refused(void **state)
{
    char changed[HTTP_API_KEY_TEXT_SIZE + 1];
    struct http_api_key parsed;
    (void)state;
    assert_true(add(reader()));
    for (size_t i = 0; i < strlen(text); i++)
        for (int c = 1; c < 256; c++) {
            memcpy(changed, text, sizeof(text));
            changed[i] = (char)c;
            if (changed[i] != text[i])
                assert_null(find(changed));
        }
    for (size_t len = 0; len < strlen(text); len++)
        assert_false(http_api_key_parse(oms_str_make(text, len), &parsed));
    snprintf(changed, sizeof(changed), "%sa", text);
    assert_null(find(changed));
    assert_false(http_api_key_is(OMS_STR("eyJhbGciOi")));
    assert_true(http_api_key_is(OMS_STR("lok_")));
}

static void a_key_of_another_tenant_is_none(void **state)
{
    struct http_api_key parsed;
    struct tenant_version *other = tenant_create_default(OMS_STR("other"));
    (void)state;
    assert_true(add(reader()));
    assert_true(http_api_key_parse(oms_str_of(text), &parsed));
    assert_null(http_api_key_find(other, &parsed));
    assert_null(http_api_key_find(NULL, &parsed));
    tenant_version_release(other);
}

static void revoked_and_expired(void **state)
{
    struct tenant_api_key short_lived = reader();
    (void)state;
    short_lived.expires_at = NOW + 1;
    assert_true(add(short_lived));
    const struct tenant_api_key *key = find(text);
    assert_int_equal(tenant_api_key_status(key, NOW), TENANT_API_KEY_LIVE);
    assert_int_equal(tenant_api_key_status(key, NOW + 1), TENANT_API_KEY_EXPIRED);
    assert_true(tenant_version_revoke_api_key(tenant, key->id, OMS_STR("bob"), NOW, &refusals));
    assert_int_equal(tenant_api_key_status(&tenant->api_keys[0], NOW + 1), TENANT_API_KEY_REVOKED);
    assert_null(find(text));
    /* The first revocation counts. */
    assert_true(
        tenant_version_revoke_api_key(tenant, tenant->api_keys[0].id, OMS_STR("eve"), NOW + 5, &refusals));
    assert_int_equal(tenant->api_keys[0].revoked_at, NOW);
    assert_true(oms_str_eq_c(tenant->api_keys[0].revoked_by, "bob"));
    assert_false(tenant_version_revoke_api_key(tenant, OMS_STR("nothing"), OMS_STR("bob"), NOW, &refusals));
    assert_int_equal(refusals.items[0].code, REFUSAL_NOT_FOUND);
}

static struct access evaluate(struct oms_str subject, const struct oms_str *roles, size_t role_count)
{
    const struct principal who = {
        .kind = PRINCIPAL_API_KEY, .subject = subject, .roles = roles, .role_count = role_count};
    struct access access;
    assert_true(permission_evaluate(&tenant->permissions, &who, &arena, &access));
    return access;
}

static void it_may_what_is_written_in_it(void **state)
{
    static const struct oms_str admin = {"admin", 5};
    struct tenant_api_key vendors = reader();
    (void)state;
    vendors.scope = (struct permission_scope){PERMISSION_SCOPE_VENDOR, OMS_STR("v1")};
    vendors.permissions |= PERMISSION_BIT(PERMISSION_MARK_AS_SHIPPED);
    assert_true(add(reader()));
    assert_true(add(vendors));
    struct oms_str whole = tenant->api_keys[0].id, scoped = tenant->api_keys[1].id;
    struct access access = evaluate(whole, &admin, 1); /* roles mean nothing for a key */
    assert_int_equal(access.unscoped, PERMISSION_BIT(PERMISSION_GET_ORDER));
    assert_int_equal(access.any, access.unscoped);
    access = evaluate(scoped, NULL, 0);
    assert_int_equal(access.unscoped, 0);
    assert_true(access_vendor(&access, PERMISSION_MARK_AS_SHIPPED, OMS_STR("v1")));
    assert_false(access_vendor(&access, PERMISSION_MARK_AS_SHIPPED, OMS_STR("v2")));
    assert_int_equal(evaluate(OMS_STR("00000102ffffffffffff"), &admin, 1).any, 0);
    assert_true(tenant_version_revoke_api_key(tenant, scoped, OMS_STR("bob"), NOW, &refusals));
    assert_int_equal(evaluate(tenant->api_keys[1].id, NULL, 0).any, 0);
    /* Nor does a person whose subject is a key's id have what the key has. */
    const struct principal person = {.kind = PRINCIPAL_USER, .subject = whole};
    assert_true(permission_evaluate(&tenant->permissions, &person, &arena, &access));
    assert_int_equal(access.any, 0);
}

static void a_version_keeps_its_keys(void **state)
{
    struct tenant_api_key scoped = reader();
    struct oms_buf first, second;
    (void)state;
    scoped.scope = (struct permission_scope){PERMISSION_SCOPE_CUSTOMER, OMS_STR("c1")};
    scoped.expires_at = NOW + 1000;
    assert_true(add(reader()));
    assert_true(add(scoped));
    assert_true(
        tenant_version_revoke_api_key(tenant, tenant->api_keys[0].id, OMS_STR("bob"), NOW, &refusals));
    struct tenant_version *copy = tenant_version_copy(tenant);
    oms_buf_init(&first, 1 << 20);
    oms_buf_init(&second, 1 << 20);
    tenant_version_encode(tenant, &first);
    tenant_version_encode(copy, &second);
    assert_int_equal(first.len, second.len);
    assert_memory_equal(first.data, second.data, first.len);
    assert_true(tenant_version_same(tenant, copy));
    assert_int_equal(copy->permissions.key_count, 1);
    assert_true(oms_str_eq(copy->api_keys[1].scope.value, OMS_STR("c1")));
    assert_int_equal(copy->api_keys[1].expires_at, NOW + 1000);
    /* A configuration that replaces the version knows nothing of keys, and they stay. */
    struct tenant_version *configured = tenant_create_default(OMS_STR("acme"));
    assert_int_equal(tenant_version_follow(configured, tenant), OMS_OK);
    assert_int_equal(configured->api_key_count, 2);
    assert_int_equal(configured->permissions.key_count, 1);
    tenant_version_release(configured);
    tenant_version_release(copy);
    oms_buf_fini(&first);
    oms_buf_fini(&second);
}

static void there_are_bounds(void **state)
{
    struct tenant_api_key old = reader();
    (void)state;
    old.expires_at = NOW - 1;
    for (unsigned i = 0; i < OMS_TENANT_API_KEYS_KEPT + 10; i++)
        assert_true(add(old));
    assert_int_equal(tenant->api_key_count, OMS_TENANT_API_KEYS_KEPT + 1);
    for (unsigned i = 0; i < OMS_TENANT_API_KEYS_MAX; i++)
        assert_true(add(reader()));
    assert_false(add(reader()));
    assert_int_equal(refusals.items[0].code, REFUSAL_LIMIT_EXCEEDED);
    struct tenant_version *copy = tenant_version_copy(tenant); /* the codec takes as many */
    assert_int_equal(copy->api_key_count, OMS_TENANT_API_KEYS_KEPT + OMS_TENANT_API_KEYS_MAX);
    tenant_version_release(copy);
}

static void claims_name_the_tenant_and_nothing_else(void **state)
{
    struct oms_str name;
    struct principal who;
    (void)state;
    assert_true(add(reader()));
    struct http_claims *claims = http_api_key_claims(tenant, &tenant->api_keys[0]);
    assert_int_equal(http_claims_tenant(claims, OMS_STR_NONE, OMS_STR_NONE, OMS_STR_NONE, &name),
                     HTTP_TENANT_FINE);
    assert_true(oms_str_eq_c(name, "acme"));
    assert_int_equal(http_claims_tenant(claims, OMS_STR("other"), OMS_STR_NONE, OMS_STR_NONE, &name),
                     HTTP_TENANT_FORBIDDEN);
    assert_int_equal(http_claims_tenant(claims, OMS_STR_NONE, OMS_STR_NONE, OMS_STR("single"), &name),
                     HTTP_TENANT_FINE);
    assert_true(oms_str_eq_c(name, "acme"));
    http_claims_principal(claims, 258, &who);
    assert_int_equal(who.kind, PRINCIPAL_API_KEY);
    assert_false(who.is_operator);
    assert_int_equal(who.role_count, 0);
    assert_true(oms_str_eq_c(who.display_name, "sync"));
    assert_int_equal(claims->expires_ms, INT64_MAX);
    http_claims_release(claims);
}

static void uses_are_told_to_the_minute(void **state)
{
    struct http_api_key_uses *uses = http_api_key_uses_create();
    char id[24];
    unsigned known = 0;
    (void)state;
    assert_int_equal(http_api_key_last_used(uses, OMS_STR("a")), 0);
    http_api_key_used(uses, OMS_STR("a"), NOW + 1234);
    assert_int_equal(http_api_key_last_used(uses, OMS_STR("a")), NOW / 60000 * 60000);
    http_api_key_used(uses, OMS_STR("a"), NOW + 60000);
    assert_int_equal(http_api_key_last_used(uses, OMS_STR("a")), NOW / 60000 * 60000 + 60000);
    for (unsigned i = 0; i < 20000; i++) { /* more than it has room for: the longest unused are forgotten */
        snprintf(id, sizeof(id), "k%u", i);
        http_api_key_used(uses, oms_str_of(id), NOW + INT64_C(60000) * i);
    }
    assert_int_not_equal(http_api_key_last_used(uses, OMS_STR("k19999")), 0);
    for (unsigned i = 18000; i < 20000; i++) {
        snprintf(id, sizeof(id), "k%u", i);
        known += http_api_key_last_used(uses, oms_str_of(id)) != 0;
    }
    assert_true(known > 1900);
    http_api_key_used(NULL, OMS_STR("a"), NOW);
    http_api_key_uses_destroy(uses);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_text_finds_its_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_changed_byte_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_key_of_another_tenant_is_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(revoked_and_expired, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_may_what_is_written_in_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_version_keeps_its_keys, set_up, tear_down),
        cmocka_unit_test_setup_teardown(there_are_bounds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(claims_name_the_tenant_and_nothing_else, set_up, tear_down),
        cmocka_unit_test(uses_are_told_to_the_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
