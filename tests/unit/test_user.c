/* What is stored of users: which change follows which, the stored form, the table, and what it grants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "actors/user_table.h"
#include "runtime/base/arena.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

static struct oms_arena arena;
static struct refusal_list refusals;

static int set_up(void **state)
{
    (void)state;
    oms_arena_init(&arena, 4096, 4 << 20);
    refusal_list_init(&refusals, &arena);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    oms_arena_fini(&arena);
    return 0;
}

static struct oms_value *tree(const char *json)
{
    struct oms_value *value = OMS_ARENA_NEW(&arena, struct oms_value);
    struct oms_json_error fault;

    assert_int_equal(oms_json_parse(oms_str_of(json), 16, &arena, value, &fault), OMS_OK);
    return value;
}

static struct user_update parse(const char *json)
{
    struct user_update update = {.user = OMS_STR_NONE, .origin = WORKFLOW_WEBHOOK};

    assert_true(user_update_parse(tree(json), &arena, &update, &refusals));
    return update;
}

static struct user_update login(const char *json, const char *at)
{
    struct user_update update = {.origin = WORKFLOW_WEBHOOK};

    assert_true(user_login_parse(tree(json), at ? oms_str_of(at) : OMS_STR_NONE, &arena, &update, &refusals));
    return update;
}

/* Through the stored form and back. */
static struct user_version *stored(const struct user_version *from, uint32_t tenant)
{
    struct user_version *user;
    struct oms_buf bytes, again;

    oms_buf_init(&bytes, OMS_USER_BYTES_MAX);
    oms_buf_init(&again, OMS_USER_BYTES_MAX);
    user_version_encode(from, &bytes);
    assert_int_equal(user_version_decode(oms_buf_str(&bytes), tenant, &user), OMS_OK);
    user_version_encode(user, &again);
    assert_true(oms_str_eq(oms_buf_str(&bytes), oms_buf_str(&again)));
    oms_buf_fini(&bytes);
    oms_buf_fini(&again);
    return user;
}

static enum user_outcome follow(struct user_version **now, struct user_update update, int64_t at)
{
    struct user_version next;
    enum user_outcome outcome = user_follow(*now, &update, at, &next);

    if (outcome == USER_CHANGED) {
        struct user_version *made = stored(&next, 1);

        user_version_release(*now);
        *now = made;
    }
    return outcome;
}

static void an_older_version_never_follows_a_newer_one(void **state)
{
    struct user_version *now = NULL;

    (void)state;
    assert_int_equal(follow(&now, parse("{\"user\":\"u\",\"roles\":[\"a\"],\"version\":5}"), 100),
                     USER_CHANGED);
    assert_int_equal(follow(&now, parse("{\"user\":\"u\",\"roles\":[],\"version\":4}"), 101), USER_OLDER);
    assert_int_equal(follow(&now, parse("{\"user\":\"u\",\"roles\":[],\"version\":5}"), 101), USER_OTHER);
    assert_int_equal(follow(&now, parse("{\"user\":\"u\",\"roles\":[\"a\"],\"version\":5}"), 101), USER_SAME);
    assert_int_equal(now->version, 1);
    assert_int_equal(follow(&now, parse("{\"user\":\"u\",\"roles\":[\"a\"],\"version\":6}"), 102),
                     USER_CHANGED);
    assert_int_equal(now->source_version, 6); /* so that a late 5 with other content is known to be old */
    assert_int_equal(follow(&now, parse("{\"user\":\"u\",\"grants\":[{\"permission\":\"*\"}]}"), 103),
                     USER_CHANGED);
    assert_int_equal(now->rule_count, 1);
    assert_true(now->rules[0].permissions == PERMISSION_ALL);
    assert_int_equal(now->role_count, 1);
    user_version_release(now);
}

static void a_login_counts_by_its_time(void **state)
{
    struct user_version *now = NULL;

    (void)state;
    assert_int_equal(
        follow(&now,
               login("{\"sub\":\"u\",\"roles\":[\"a\",\"operator\"],\"extra\":1}", "2026-01-01T00:00:02Z"),
               9),
        USER_CHANGED);
    assert_int_equal(now->role_count, 1);
    assert_int_equal(follow(&now, login("{\"sub\":\"u\",\"roles\":[\"b\"]}", "2026-01-01T00:00:01Z"), 9),
                     USER_OLDER);
    assert_int_equal(follow(&now, login("{\"sub\":\"u\",\"roles\":[\"a\"]}", "2026-01-01T00:00:04Z"), 9),
                     USER_CHANGED);
    /* Between the two: older than what is known, although the roles did not change since. */
    assert_int_equal(follow(&now, login("{\"sub\":\"u\",\"roles\":[\"b\"]}", "2026-01-01T00:00:03Z"), 9),
                     USER_OLDER);
    assert_int_equal(follow(&now, login("{\"sub\":\"u\",\"roles\":[\"a\"]}", "2026-01-01T00:00:04Z"), 9),
                     USER_SAME);
    /* A snapshot takes the roles over as of its arrival, the grants of a login's user stay. */
    int64_t later = now->roles_at + 1000;
    assert_int_equal(follow(&now, parse("{\"user\":\"u\",\"roles\":[],\"version\":1}"), later), USER_CHANGED);
    assert_int_equal(follow(&now, login("{\"sub\":\"u\",\"roles\":[\"a\"]}", "2026-01-01T00:00:04Z"), 9),
                     USER_OLDER);
    assert_int_equal(now->role_count, 0);
    user_version_release(now);
}

static void a_removal_is_remembered(void **state)
{
    struct user_version *now = NULL;
    struct user_update removal = {.kind = USER_REMOVE, .user = OMS_STR("u"), .source_version = 7};

    (void)state;
    assert_int_equal(follow(&now, removal, 1),
                     USER_CHANGED); /* before anything was told: what is older stays out */
    assert_true(now->removed);
    assert_int_equal(follow(&now, parse("{\"user\":\"u\",\"roles\":[\"a\"],\"version\":6}"), 2), USER_OLDER);
    assert_int_equal(follow(&now, parse("{\"user\":\"u\",\"roles\":[\"a\"],\"version\":8}"), 3),
                     USER_CHANGED);
    assert_false(now->removed);
    removal.source_version = 0;
    assert_int_equal(follow(&now, removal, 4), USER_CHANGED);
    assert_int_equal(follow(&now, removal, 5), USER_SAME);
    assert_int_equal(now->source_version, 8);
    user_version_release(now);
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *json, *field;
        enum refusal_code code;
    } cases[] = {
        {"{\"roles\":[]}", "user", REFUSAL_REQUIRED},
        {"{\"user\":7,\"roles\":[]}", "user", REFUSAL_INVALID},
        {"{\"user\":\"u\"}", "grants", REFUSAL_REQUIRED},
        {"{\"user\":\"u\",\"sub\":\"v\",\"roles\":[]}", "sub", REFUSAL_INVALID},
        {"{\"user\":\"u\",\"role\":[]}", NULL, REFUSAL_INVALID},
        {"{\"user\":\"u\",\"roles\":\"a\"}", "roles", REFUSAL_INVALID},
        {"{\"user\":\"u\",\"roles\":[1]}", "roles.0", REFUSAL_INVALID},
        {"{\"user\":\"u\",\"roles\":[\"operator\"]}", "roles.0", REFUSAL_INVALID},
        {"{\"user\":\"u\",\"grants\":{}}", "grants", REFUSAL_INVALID},
        {"{\"user\":\"u\",\"grants\":[{\"user\":\"v\",\"permission\":\"*\"}]}", "grants", REFUSAL_INVALID},
        {"{\"user\":\"u\",\"roles\":[],\"version\":\"x\"}", "version", REFUSAL_INVALID},
        {"[]", NULL, REFUSAL_INVALID},
    };

    (void)state;
    for (size_t i = 0; i < OMS_COUNT_OF(cases); i++) {
        struct user_update update = {.user = OMS_STR_NONE};

        refusal_list_init(&refusals, &arena);
        assert_false(user_update_parse(tree(cases[i].json), &arena, &update, &refusals));
        assert_int_equal(refusals.items[0].code, cases[i].code);
        if (cases[i].field)
            assert_true(oms_str_eq_c(refusals.items[0].field, cases[i].field));
    }
}

static void foreign_bytes_are_refused(void **state)
{
    struct user_version *now = NULL, *other;
    struct oms_buf bytes;

    (void)state;
    follow(&now,
           parse("{\"user\":\"u\",\"roles\":[\"a\"],\"grants\":[{\"permission\":\"get_order\",\"scope\":{"
                 "\"vendor_id\":\"V\"}}]}"),
           1);
    oms_buf_init(&bytes, OMS_USER_BYTES_MAX);
    user_version_encode(now, &bytes);
    for (size_t len = 0; len < bytes.len; len++)
        if (user_version_decode(oms_str_make(bytes.data, len), 1, &other) == OMS_OK)
            user_version_release(other); /* cut between two fields */
    for (size_t i = 0; i < bytes.len; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes.data[i] = (char)(bytes.data[i] ^ (1 << bit));
            if (user_version_decode(oms_buf_str(&bytes), 1, &other) == OMS_OK)
                user_version_release(other);
            bytes.data[i] = (char)(bytes.data[i] ^ (1 << bit));
        }
    oms_buf_fini(&bytes);
    user_version_release(now);
}

#define MANY 20000

static struct user_version *numbered(unsigned i, uint32_t tenant, unsigned version)
{
    char name[32];
    struct oms_str role = OMS_STR("customer");
    struct user_version draft = {.version = version, .roles = &role, .role_count = 1};

    snprintf(name, sizeof name, "user-%u", i);
    draft.user = oms_str_of(name);
    return stored(&draft, tenant);
}

static void the_table_finds_each_and_replaces(void **state)
{
    struct user_table table = {.key = {1, 2}};
    char name[32];

    (void)state;
    assert_null(user_table_get(&table, 1, OMS_STR("user-1")));
    for (unsigned i = 0; i < MANY; i++)
        assert_null(user_table_put(&table, numbered(i, 1 + i % 3, 1)));
    for (unsigned i = 0; i < MANY; i += 7) {
        const struct user_version *before = user_table_put(&table, numbered(i, 1 + i % 3, 2));

        assert_non_null(before);
        assert_int_equal(before->version, 1);
        user_version_release(before);
    }
    assert_int_equal(table.count, MANY);
    assert_int_equal(user_table_count(&table, 1) + user_table_count(&table, 2) + user_table_count(&table, 3),
                     MANY);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "user-%u", i);
        const struct user_version *user = user_table_get(&table, 1 + i % 3, oms_str_of(name));

        assert_non_null(user);
        assert_int_equal(user->version, i % 7 ? 1 : 2);
        assert_null(user_table_get(&table, 1 + (i + 1) % 3, oms_str_of(name)));
    }
    user_table_fini(&table);
}

static void stored_grants_add_to_the_tokens(void **state)
{
    struct user_version *own = NULL;
    struct permission_rows roles, users;
    struct permission_table table = {0};
    struct oms_str token_role = OMS_STR("customer");
    struct principal who = {
        .kind = PRINCIPAL_USER, .subject = OMS_STR("u"), .roles = &token_role, .role_count = 1};
    struct access access;

    (void)state;
    permission_rows_init(&roles, &arena);
    permission_rows_init(&users, &arena);
    assert_int_equal(permission_rows_add_defaults(&roles), OMS_OK);
    permission_table_build(&roles, &users, &table);
    follow(&own,
           parse("{\"user\":\"u\",\"roles\":[\"vendor\"],\"grants\":[{\"permission\":\"place_hold\"},"
                 "{\"permission\":\"get_order\",\"scope\":{\"customer_id\":\"C-9\"}}]}"),
           1);
    assert_true(permission_evaluate(&table, &who, &arena, &access));
    assert_false(access_may(&access, PERMISSION_PLACE_HOLD));
    who.own = own;
    assert_true(permission_evaluate(&table, &who, &arena, &access));
    user_version_release(own); /* the access does not borrow from it */
    assert_true(access_unscoped(&access, PERMISSION_PLACE_HOLD));
    assert_false(access_unscoped(&access, PERMISSION_GET_ORDER));
    assert_true(access_customer(&access, PERMISSION_GET_ORDER, OMS_STR("C-9")));
    assert_true(access_customer(&access, PERMISSION_GET_ORDER, OMS_STR("u")));
    assert_true(access_vendor(&access, PERMISSION_MARK_AS_SHIPPED, OMS_STR("u")));
}

/* Whatever was stored: the role comes only with a token. */
static void operator_is_never_stored(void **state)
{
    struct oms_str role = OMS_STR("operator");
    struct user_version draft = {.version = 1, .user = OMS_STR("u"), .roles = &role, .role_count = 1};
    struct user_version *own = stored(&draft, 1);
    struct permission_rows roles, users;
    struct permission_table table = {0};
    struct principal who = {.kind = PRINCIPAL_USER, .subject = OMS_STR("u"), .own = own};
    struct access access;

    (void)state;
    permission_rows_init(&roles, &arena);
    permission_rows_init(&users, &arena);
    assert_int_equal(permission_rows_add_defaults(&roles), OMS_OK);
    permission_table_build(&roles, &users, &table);
    assert_true(permission_evaluate(&table, &who, &arena, &access));
    assert_true(access.any == 0);
    /* Nor does what is stored of a user count for a machine of the same name. */
    role = OMS_STR("admin");
    user_version_release(own);
    own = stored(&draft, 1);
    who = (struct principal){.kind = PRINCIPAL_API_KEY, .subject = OMS_STR("u"), .own = own};
    assert_true(permission_evaluate(&table, &who, &arena, &access));
    assert_true(access.any == 0);
    user_version_release(own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_older_version_never_follows_a_newer_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_login_counts_by_its_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_removal_is_remembered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(foreign_bytes_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_table_finds_each_and_replaces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stored_grants_add_to_the_tokens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(operator_is_never_stored, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
