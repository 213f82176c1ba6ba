/* Rolemaps and authorizations: what is granted, to whom, over which orders, and what a scope hides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "actors/order_command.h"
#include "actors/permission.h"
#include "runtime/base/arena.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

struct bench {
    struct oms_arena arena;
    struct permission_rows roles, users;
    struct permission_table table;
    struct principal who;
    struct oms_str role_names[4];
    struct access access;
};

static int set_up(void **state)
{
    static struct bench bench;

    memset(&bench, 0, sizeof bench);
    oms_arena_init(&bench.arena, 4096, 1 << 20);
    permission_rows_init(&bench.roles, &bench.arena);
    permission_rows_init(&bench.users, &bench.arena);
    bench.who = (struct principal){.kind = PRINCIPAL_USER, .tenant = 1, .roles = bench.role_names};
    *state = &bench;
    return 0;
}

static int tear_down(void **state)
{
    oms_arena_fini(&((struct bench *)*state)->arena);
    return 0;
}

static enum oms_status add_json(struct bench *bench, struct permission_rows *rows, const char *key,
                                const char *json, struct oms_error *error)
{
    struct oms_json_error fault;
    struct oms_value list;

    assert_int_equal(oms_json_parse(oms_str_of(json), 16, &bench->arena, &list, &fault), OMS_OK);
    return permission_rows_parse(rows, &list, key, error);
}

static void build(struct bench *bench)
{
    permission_table_build(&bench->roles, &bench->users, &bench->table);
}

static void act(struct bench *bench, const char *sub, const char *role)
{
    bench->who.subject = oms_str_of(sub);
    bench->role_names[0] = oms_str_of(role);
    bench->who.role_count = role ? 1 : 0;
    assert_true(permission_evaluate(&bench->table, &bench->who, &bench->arena, &bench->access));
}

static void defaults(struct bench *bench)
{
    assert_int_equal(permission_rows_add_defaults(&bench->roles), OMS_OK);
    build(bench);
}

static void names_round_trip(void **state)
{
    enum permission permission;

    (void)state;
    for (unsigned i = 0; i < PERMISSION_COUNT; i++) {
        assert_true(permission_parse(oms_str_of(permission_name((enum permission)i)), &permission));
        assert_int_equal(permission, i);
    }
    assert_false(permission_parse(OMS_STR("markAsShipped"), &permission));
    assert_false(permission_parse(OMS_STR(""), &permission));
}

static void every_command_has_its_permission(void **state)
{
    (void)state;
    for (unsigned type = 1; type <= ORDER_COMMAND_LAST_PUBLIC; type++) {
        const struct order_command_info *info = order_command_info((enum order_command_type)type);

        assert_string_equal(info->word, permission_name(info->permission));
    }
}

static void a_customer_sees_their_own_orders_only(void **state)
{
    struct bench *bench = *state;
    struct oms_str vendors[] = {OMS_STR("v1"), OMS_STR("v2")};
    struct access_order on;

    defaults(bench);
    act(bench, "anna", "customer");
    assert_true(access_may(&bench->access, PERMISSION_GET_ORDER));
    assert_false(access_unscoped(&bench->access, PERMISSION_GET_ORDER));
    assert_true(access_match(&bench->access, PERMISSION_GET_ORDER, OMS_STR("anna"), vendors, 2, &on));
    assert_true(on.customer && on.all_lines && !on.full && !on.vendor);
    assert_true(access_sees_payments(&on) && access_sees_contact(&on) && !access_sees_staff_notes(&on));
    assert_false(access_match(&bench->access, PERMISSION_GET_ORDER, OMS_STR("bert"), vendors, 2, &on));
    assert_false(access_match(&bench->access, PERMISSION_GET_ORDER, OMS_STR_NONE, vendors, 2, &on));
    assert_false(access_may(&bench->access, PERMISSION_MARK_AS_SHIPPED));
    assert_false(access_may(&bench->access, PERMISSION_PROCESS_REFUND));
}

static void a_vendor_sees_their_lines_only(void **state)
{
    struct bench *bench = *state;
    struct oms_str both[] = {OMS_STR("v1"), OMS_STR("v2")}, own[] = {OMS_STR("v1"), OMS_STR("v1")};
    struct oms_str absent[] = {OMS_STR_NONE};
    struct access_order on;

    defaults(bench);
    bench->who.vendor_id = OMS_STR("v1");
    act(bench, "carl", "vendor");
    assert_true(access_match(&bench->access, PERMISSION_GET_ORDER, OMS_STR("anna"), both, 2, &on));
    assert_true(on.vendor && !on.all_lines && !on.customer && !on.full);
    assert_false(access_sees_payments(&on) || access_sees_contact(&on) || access_sees_staff_notes(&on));
    assert_true(access_match(&bench->access, PERMISSION_CANCEL_ORDER, OMS_STR("anna"), own, 2, &on));
    assert_true(on.all_lines);
    assert_false(access_match(&bench->access, PERMISSION_GET_ORDER, OMS_STR("carl"), &both[1], 1, &on));
    assert_false(access_match(&bench->access, PERMISSION_GET_ORDER, OMS_STR("v1"), absent, 1, &on));
    assert_false(access_match(&bench->access, PERMISSION_GET_ORDER, OMS_STR("v1"), NULL, 0, &on));
    assert_true(access_vendor(&bench->access, PERMISSION_ADD_SHIPMENT, OMS_STR("v1")));
    assert_false(access_vendor(&bench->access, PERMISSION_RECORD_PAYMENT, OMS_STR("v1")));
}

static void a_vendor_without_the_claim_is_their_subject(void **state)
{
    struct bench *bench = *state;

    defaults(bench);
    act(bench, "v9", "vendor");
    assert_true(access_vendor(&bench->access, PERMISSION_GET_ORDER, OMS_STR("v9")));
}

static void staff_admin_operator(void **state)
{
    struct bench *bench = *state;

    defaults(bench);
    act(bench, "s", "staff");
    assert_true(access_unscoped(&bench->access, PERMISSION_PROCESS_REFUND));
    assert_false(access_may(&bench->access, PERMISSION_MANAGE_ACCESS));
    assert_false(access_may(&bench->access, PERMISSION_ERASE_CUSTOMER));
    act(bench, "a", "admin");
    assert_true(access_unscoped(&bench->access, PERMISSION_MANAGE_ACCESS));
    assert_false(access_may(&bench->access, PERMISSION_MANAGE_TENANT));
    act(bench, "o", "operator");
    assert_int_equal(bench->access.any, 0);
    bench->who.is_operator = true;
    act(bench, "o", "operator");
    assert_true(bench->access.unscoped == PERMISSION_ALL);
}

static void nobody_and_the_unknown_role_get_nothing(void **state)
{
    struct bench *bench = *state;

    defaults(bench);
    act(bench, "x", NULL);
    assert_int_equal(bench->access.any, 0);
    act(bench, "x", "Staff");
    assert_int_equal(bench->access.any, 0);
    act(bench, NULL, "customer");
    assert_int_equal(bench->access.any, 0);
}

static void timers_and_the_system_need_no_permission(void **state)
{
    struct bench *bench = *state;

    build(bench);
    bench->who.kind = PRINCIPAL_TIMER;
    act(bench, NULL, NULL);
    assert_true(bench->access.unscoped == PERMISSION_ALL);
}

static void grants_are_a_union(void **state)
{
    struct bench *bench = *state;
    struct oms_str vendors[] = {OMS_STR("v7")};
    struct access_order on;

    assert_int_equal(permission_rows_add_defaults(&bench->roles), OMS_OK);
    assert_int_equal(
        add_json(bench, &bench->users, "user",
                 "[{\"user\":\"anna\",\"permission\":\"get_order\",\"scope\":{\"vendor_id\":\"v7\"}},"
                 "{\"user\":\"anna\",\"permission\":\"add_note\"},"
                 "{\"user\":\"bert\",\"permission\":\"*\"}]",
                 NULL),
        OMS_OK);
    build(bench);
    act(bench, "anna", "customer");
    assert_true(access_match(&bench->access, PERMISSION_GET_ORDER, OMS_STR("else"), vendors, 1, &on));
    assert_true(on.vendor && !on.customer);
    assert_true(access_match(&bench->access, PERMISSION_GET_ORDER, OMS_STR("anna"), NULL, 0, &on));
    assert_true(on.customer);
    assert_true(access_unscoped(&bench->access, PERMISSION_ADD_NOTE));
    assert_false(access_unscoped(&bench->access, PERMISSION_CANCEL_ORDER));
    act(bench, "bert", NULL);
    assert_true(bench->access.unscoped == PERMISSION_ALL);
}

static void claims_fill_templates_and_literals_stay(void **state)
{
    struct bench *bench = *state;

    assert_int_equal(
        add_json(bench, &bench->roles, "role",
                 "[{\"role\":\"r\",\"permissions\":[\"get_order\",\"cancel_order\"],"
                 "\"scope\":{\"customer_id\":\"$customer_id\"}},"
                 "{\"role\":\"r\",\"permission\":\"get_order\",\"scope\":{\"customer_id\":\"house\"}}]",
                 NULL),
        OMS_OK);
    build(bench);
    bench->who.customer_id = OMS_STR("c-17");
    act(bench, "sub", "r");
    assert_true(access_customer(&bench->access, PERMISSION_CANCEL_ORDER, OMS_STR("c-17")));
    assert_true(access_customer(&bench->access, PERMISSION_GET_ORDER, OMS_STR("house")));
    assert_false(access_customer(&bench->access, PERMISSION_CANCEL_ORDER, OMS_STR("house")));
    assert_false(access_customer(&bench->access, PERMISSION_GET_ORDER, OMS_STR("sub")));
}

static void bad_rows_name_the_fault(void **state)
{
    static const struct {
        const char *json, *says;
    } bad[] = {
        {"[1]", "row 0: must be an object"},
        {"[{\"permission\":\"get_order\"}]", "row 0: role"},
        {"[{\"role\":\"\",\"permission\":\"get_order\"}]", "row 0: role"},
        {"[{\"role\":\"r\"}]", "permission is missing"},
        {"[{\"role\":\"r\",\"permission\":\"get_ordr\"}]", "did you mean 'get_order'?"},
        {"[{\"role\":\"r\",\"permission\":7}]", "must be a string"},
        {"[{\"role\":\"r\",\"permissions\":[]}]", "permission is missing"},
        {"[{\"role\":\"r\",\"permission\":\"*\",\"scope\":{\"tenant\":\"x\"}}]", "unknown scope 'tenant'"},
        {"[{\"role\":\"r\",\"permission\":\"*\",\"scope\":{\"vendor_id\":\"$vendor\"}}]", "unknown template"},
        {"[{\"role\":\"r\",\"permission\":\"*\",\"scope\":{\"vendor_id\":\"\"}}]", "non-empty"},
        {"[{\"role\":\"r\",\"permission\":\"*\",\"scope\":{\"vendor_id\":\"a\",\"customer_id\":\"b\"}}]",
         "one key"},
        {"[{\"role\":\"r\",\"permission\":\"*\",\"scop\":{}}]", "unknown key 'scop'"},
        {"[{\"role\":\"r\",\"permission\":\"*\"},{\"role\":\"r\",\"permission\":\"*\",\"permissions\":[\"*\"]"
         "}]",
         "row 1: either"},
    };

    for (size_t i = 0; i < OMS_COUNT_OF(bad); i++) {
        struct oms_error error = {OMS_OK, ""};

        assert_int_equal(add_json(*state, &((struct bench *)*state)->roles, "role", bad[i].json, &error),
                         OMS_INVALID);
        assert_non_null(strstr(error.message, bad[i].says));
    }
}

static void copies_and_classes(void **state)
{
    struct bench *bench = *state;
    struct oms_arena elsewhere;
    struct access copy;
    uint64_t first;

    defaults(bench);
    act(bench, "anna", "customer");
    first = access_class(&bench->access);
    oms_arena_init(&elsewhere, 1024, 1 << 16);
    assert_true(access_copy(&bench->access, &elsewhere, &copy));
    assert_true(access_class(&copy) == first);
    assert_true(copy.grants != bench->access.grants &&
                copy.grants[0].id.data != bench->access.grants[0].id.data);
    act(bench, "bert", "customer");
    assert_true(access_class(&bench->access) != first);
    act(bench, "anna", "staff");
    assert_true(access_class(&bench->access) != first);
    oms_arena_fini(&elsewhere);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(names_round_trip),
        TEST(every_command_has_its_permission),
        TEST(a_customer_sees_their_own_orders_only),
        TEST(a_vendor_sees_their_lines_only),
        TEST(a_vendor_without_the_claim_is_their_subject),
        TEST(staff_admin_operator),
        TEST(nobody_and_the_unknown_role_get_nothing),
        TEST(timers_and_the_system_need_no_permission),
        TEST(grants_are_a_union),
        TEST(claims_fill_templates_and_literals_stay),
        TEST(bad_rows_name_the_fault),
        TEST(copies_and_classes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
