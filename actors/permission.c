/*
 * Compiling rolemaps and authorizations, and evaluating a caller; see permission.h.
 *
 * A table is a sorted array of rules, one per (holder, scope); a caller's rules are found by binary search,
 * so a request costs a few comparisons per role. Grants whose permissions the caller has for the whole tenant
 * are left out, so that staff carry none.
 */
#include "actors/permission.h"

#include <stdlib.h>

#include "actors/user.h"
#include "runtime/base/arena.h"
#include "runtime/base/assert.h"
#include "runtime/base/hash.h"
#include "runtime/base/limits.h"
#include "runtime/base/value.h"

_Static_assert(PERMISSION_COUNT < 64, "a set of permissions is one word");

static const char *const permission_names[PERMISSION_COUNT] = {
#define X(name, text) [PERMISSION_##name] = text,
    PERMISSION_LIST(X)
#undef X
};

const char *permission_name(enum permission permission)
{
    OMS_ASSERT((unsigned)permission < PERMISSION_COUNT);
    return permission_names[permission];
}

bool permission_parse(struct oms_str name, enum permission *out)
{
    for (unsigned i = 0; i < PERMISSION_COUNT; i++)
        if (oms_str_eq_c(name, permission_names[i])) {
            *out = (enum permission)i;
            return true;
        }
    return false;
}

/* ---- building ---- */

void permission_rows_init(struct permission_rows *rows, struct oms_arena *arena)
{
    *rows = (struct permission_rows){.arena = arena};
}

static bool rows_reserve(struct permission_rows *rows)
{
    size_t cap = rows->cap ? rows->cap * 2 : 16;
    struct permission_rule *items;

    if (rows->count < rows->cap)
        return true;
    if (rows->count >= OMS_PERMISSION_RULES_MAX)
        return false;
    items = oms_arena_calloc(rows->arena, cap, sizeof *items);
    if (!items)
        return false;
    if (rows->count)
        memcpy(items, rows->items, rows->count * sizeof *items);
    rows->items = items;
    rows->cap = cap;
    return true;
}

enum oms_status permission_rows_add(struct permission_rows *rows, struct oms_str holder, uint64_t permissions,
                                    struct permission_scope scope)
{
    struct permission_rule *rule;

    if (!holder.len || (scope.kind != PERMISSION_SCOPE_TENANT && !scope.value.len))
        return OMS_INVALID;
    if (!rows_reserve(rows))
        return OMS_LIMIT;
    rule = &rows->items[rows->count];
    *rule = (struct permission_rule){
        .holder = oms_str_copy(rows->arena, holder), .scope.kind = scope.kind, .permissions = permissions};
    if (scope.kind != PERMISSION_SCOPE_TENANT)
        rule->scope.value = oms_str_copy(rows->arena, scope.value);
    if (rows->arena->exhausted)
        return OMS_LIMIT;
    rows->count++;
    return OMS_OK;
}

static int compare_rules(const void *a, const void *b)
{
    const struct permission_rule *x = a, *y = b;
    int order = oms_str_compare(x->holder, y->holder);

    if (order == 0)
        order = (int)x->scope.kind - (int)y->scope.kind;
    return order ? order : oms_str_compare(x->scope.value, y->scope.value);
}

static size_t rows_merge(struct permission_rows *rows)
{
    size_t kept = 0;

    if (rows->count)
        qsort(rows->items, rows->count, sizeof *rows->items, compare_rules);
    for (size_t i = 0; i < rows->count; i++) {
        if (kept && compare_rules(&rows->items[kept - 1], &rows->items[i]) == 0)
            rows->items[kept - 1].permissions |= rows->items[i].permissions;
        else
            rows->items[kept++] = rows->items[i];
    }
    rows->count = kept;
    return kept;
}

void permission_table_build(struct permission_rows *role_rows, struct permission_rows *user_rows,
                            struct permission_table *out)
{
    out->role_count = rows_merge(role_rows);
    out->roles = role_rows->items;
    out->user_count = rows_merge(user_rows);
    out->users = user_rows->items;
}

/* ---- rows from configuration ---- */

static bool parse_permission_word(const struct oms_value *value, uint64_t *out)
{
    enum permission permission;

    if (value->kind != OMS_VALUE_STRING)
        return false;
    if (oms_str_eq_c(value->text, "*")) {
        *out |= PERMISSION_ALL;
        return true;
    }
    if (!permission_parse(value->text, &permission))
        return false;
    *out |= PERMISSION_BIT(permission);
    return true;
}

static enum oms_status bad_permission(const struct oms_value *value, size_t row, struct oms_error *error)
{
    const char *near;

    if (value->kind != OMS_VALUE_STRING)
        return oms_error_set(error, OMS_INVALID, "row %zu: a permission must be a string", row);
    near = oms_str_nearest(value->text, permission_names, PERMISSION_COUNT);
    return oms_error_set(error, OMS_INVALID, "row %zu: unknown permission '%.*s'%s%s%s", row,
                         OMS_STR_ARG(value->text), near ? ", did you mean '" : "", near ? near : "",
                         near ? "'?" : "");
}

static enum oms_status parse_permissions(const struct oms_value *row, size_t index, uint64_t *out,
                                         struct oms_error *error)
{
    const struct oms_value *one = oms_value_get_set(row, "permission");
    const struct oms_value *many = oms_value_get_set(row, "permissions");

    *out = 0;
    if (one && many)
        return oms_error_set(error, OMS_INVALID, "row %zu: either permission or permissions", index);
    if (one)
        return parse_permission_word(one, out) ? OMS_OK : bad_permission(one, index, error);
    if (!many || many->kind != OMS_VALUE_LIST || !many->list.count)
        return oms_error_set(error, OMS_INVALID, "row %zu: permission is missing", index);
    for (size_t i = 0; i < many->list.count; i++)
        if (!parse_permission_word(&many->list.items[i], out))
            return bad_permission(&many->list.items[i], index, error);
    return OMS_OK;
}

static enum oms_status parse_scope(const struct oms_value *row, size_t index, struct permission_scope *out,
                                   struct oms_error *error)
{
    const struct oms_value *scope = oms_value_get_set(row, "scope");
    const struct oms_field *field;

    *out = (struct permission_scope){.kind = PERMISSION_SCOPE_TENANT};
    if (!scope)
        return OMS_OK;
    if (scope->kind != OMS_VALUE_OBJECT)
        return oms_error_set(error, OMS_INVALID, "row %zu: scope must be an object", index);
    if (!scope->object.count)
        return OMS_OK;
    if (scope->object.count > 1)
        return oms_error_set(error, OMS_INVALID, "row %zu: a scope has one key", index);
    field = &scope->object.fields[0];
    if (oms_str_eq_c(field->name, "customer_id"))
        out->kind = PERMISSION_SCOPE_CUSTOMER;
    else if (oms_str_eq_c(field->name, "vendor_id"))
        out->kind = PERMISSION_SCOPE_VENDOR;
    else
        return oms_error_set(error, OMS_INVALID,
                             "row %zu: unknown scope '%.*s', expected customer_id or vendor_id", index,
                             OMS_STR_ARG(field->name));
    if (field->value.kind != OMS_VALUE_STRING || !field->value.text.len)
        return oms_error_set(error, OMS_INVALID, "row %zu: the scope's value must be a non-empty string",
                             index);
    out->value = field->value.text;
    if (out->value.data[0] == '$' && !oms_str_eq_c(out->value, "$sub") &&
        !oms_str_eq_c(out->value, "$vendor_id") && !oms_str_eq_c(out->value, "$customer_id"))
        return oms_error_set(error, OMS_INVALID,
                             "row %zu: unknown template '%.*s', expected $sub, $vendor_id or $customer_id",
                             index, OMS_STR_ARG(out->value));
    return OMS_OK;
}

static enum oms_status check_row_keys(const struct oms_value *row, size_t index, const char *holder_key,
                                      struct oms_error *error)
{
    const char *known[] = {"permission", "permissions", "scope", holder_key};
    size_t count = OMS_COUNT_OF(known) - !holder_key;

    for (size_t i = 0; i < row->object.count; i++) {
        struct oms_str name = row->object.fields[i].name;
        bool found = false;

        for (size_t k = 0; k < count; k++)
            found = found || oms_str_eq_c(name, known[k]);
        if (!found)
            return oms_error_set(error, OMS_INVALID, "row %zu: unknown key '%.*s'", index, OMS_STR_ARG(name));
    }
    return OMS_OK;
}

static enum oms_status parse_holder(const struct oms_value *row, size_t index, const char *holder_key,
                                    struct oms_str *out, struct oms_error *error)
{
    const struct oms_value *holder = oms_value_get_set(row, holder_key);

    if (!holder || holder->kind != OMS_VALUE_STRING || !holder->text.len ||
        holder->text.len > OMS_NAME_BYTES_MAX)
        return oms_error_set(error, OMS_INVALID, "row %zu: %s must be a string of 1 to %d bytes", index,
                             holder_key, OMS_NAME_BYTES_MAX);
    *out = holder->text;
    return OMS_OK;
}

/* With a `holder_key` the row says whose it is, else it is `holder`'s. */
static enum oms_status parse_row(struct permission_rows *rows, const struct oms_value *row, size_t index,
                                 const char *holder_key, struct oms_str holder, struct oms_error *error)
{
    struct permission_scope scope;
    uint64_t permissions;
    enum oms_status status;

    if (row->kind != OMS_VALUE_OBJECT)
        return oms_error_set(error, OMS_INVALID, "row %zu: must be an object", index);
    if ((status = check_row_keys(row, index, holder_key, error)) != OMS_OK ||
        (holder_key && (status = parse_holder(row, index, holder_key, &holder, error)) != OMS_OK) ||
        (status = parse_permissions(row, index, &permissions, error)) != OMS_OK ||
        (status = parse_scope(row, index, &scope, error)) != OMS_OK)
        return status;
    status = permission_rows_add(rows, holder, permissions, scope);
    if (status != OMS_OK)
        return oms_error_set(error, status, "row %zu: too many rows", index);
    return OMS_OK;
}

static enum oms_status parse_rows(struct permission_rows *rows, const struct oms_value *list,
                                  const char *holder_key, struct oms_str holder, struct oms_error *error)
{
    enum oms_status status = OMS_OK;

    if (list->kind != OMS_VALUE_LIST)
        return oms_error_set(error, OMS_INVALID, "a list of rows is expected");
    for (size_t i = 0; status == OMS_OK && i < list->list.count; i++)
        status = parse_row(rows, &list->list.items[i], i, holder_key, holder, error);
    return status;
}

enum oms_status permission_rows_parse(struct permission_rows *rows, const struct oms_value *list,
                                      const char *holder_key, struct oms_error *error)
{
    return parse_rows(rows, list, holder_key, OMS_STR_NONE, error);
}

enum oms_status permission_rows_parse_of(struct permission_rows *rows, const struct oms_value *list,
                                         struct oms_str holder, struct oms_error *error)
{
    return parse_rows(rows, list, NULL, holder, error);
}

/* ---- the built-in rolemap ---- */

#define BIT(name) PERMISSION_BIT(PERMISSION_##name)

#define CUSTOMER_PERMISSIONS                                                                                 \
    (BIT(GET_ORDER) | BIT(CREATE_ORDER) | BIT(ADD_LINE_ITEM) | BIT(REMOVE_LINE_ITEM) |                       \
     BIT(CHANGE_QUANTITY) | BIT(CHANGE_DESTINATION) | BIT(PLACE_ORDER) | BIT(CANCEL_LINE_ITEMS) |            \
     BIT(CANCEL_ORDER) | BIT(REQUEST_RETURN) | BIT(CANCEL_RETURN) | BIT(ADD_NOTE))

#define VENDOR_PERMISSIONS                                                                                   \
    (BIT(GET_ORDER) | BIT(ADD_SHIPMENT) | BIT(CONFIRM_SHIPMENT) | BIT(DISPATCH_SHIPMENT) |                   \
     BIT(DELIVER_SHIPMENT) | BIT(CANCEL_SHIPMENT) | BIT(FAIL_SHIPMENT) | BIT(MARK_AS_SHIPPED) |              \
     BIT(ADD_SHIPPING_TRACKING_REFERENCE) | BIT(MARK_AS_COMPLETED) | BIT(CANCEL_ORDER) |                     \
     BIT(CANCEL_LINE_ITEMS) | BIT(APPROVE_RETURN) | BIT(REJECT_RETURN) | BIT(RECEIVE_RETURN) |               \
     BIT(ADD_NOTE))

/* What only the tenant's administrators, or only the server's operator, may do. */
#define ADMIN_ONLY    (BIT(MANAGE_WORKFLOW) | BIT(MANAGE_ACCESS) | BIT(MANAGE_WEBHOOKS) | BIT(ERASE_CUSTOMER))
#define OPERATOR_ONLY BIT(MANAGE_TENANT)

/* What a signed webhook may do: what its topics stand for. Which of them, its configuration says. */
#define WEBHOOK_PERMISSIONS                                                                                  \
    (BIT(CREATE_ORDER) | BIT(CANCEL_ORDER) | BIT(RECORD_PAYMENT) | BIT(ADD_SHIPMENT) |                       \
     BIT(DISPATCH_SHIPMENT) | BIT(DELIVER_SHIPMENT) | BIT(CANCEL_SHIPMENT) | BIT(FAIL_SHIPMENT) |            \
     BIT(ADD_SHIPPING_TRACKING_REFERENCE) | BIT(GET_ORDER))

enum oms_status permission_rows_add_defaults(struct permission_rows *rows)
{
    static const struct permission_rule defaults[] = {
        {{"customer", 8}, {PERMISSION_SCOPE_CUSTOMER, {"$sub", 4}}, CUSTOMER_PERMISSIONS},
        {{"vendor", 6}, {PERMISSION_SCOPE_VENDOR, {"$vendor_id", 10}}, VENDOR_PERMISSIONS},
        {{"staff", 5}, {PERMISSION_SCOPE_TENANT, {NULL, 0}}, PERMISSION_ALL & ~(ADMIN_ONLY | OPERATOR_ONLY)},
        {{"admin", 5}, {PERMISSION_SCOPE_TENANT, {NULL, 0}}, PERMISSION_ALL & ~OPERATOR_ONLY},
        {{"operator", 8}, {PERMISSION_SCOPE_TENANT, {NULL, 0}}, PERMISSION_ALL},
    };
    enum oms_status status = OMS_OK;

    for (size_t i = 0; status == OMS_OK && i < OMS_COUNT_OF(defaults); i++)
        status = permission_rows_add(rows, defaults[i].holder, defaults[i].permissions, defaults[i].scope);
    return status;
}

/* ---- evaluation ---- */

/* The first rule of `holder`, and how many follow with it. */
static size_t find_rules(const struct permission_rule *rules, size_t count, struct oms_str holder,
                         size_t *first)
{
    size_t low = 0, high = count, n = 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (oms_str_compare(rules[middle].holder, holder) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    while (low + n < count && oms_str_eq(rules[low + n].holder, holder))
        n++;
    *first = low;
    return n;
}

static struct oms_str or_subject(struct oms_str claim, const struct principal *principal)
{
    return claim.len ? claim : principal->subject;
}

static struct oms_str resolve(struct oms_str value, const struct principal *principal)
{
    if (value.data[0] != '$')
        return value;
    if (oms_str_eq_c(value, "$sub"))
        return principal->subject;
    if (oms_str_eq_c(value, "$vendor_id"))
        return or_subject(principal->vendor_id, principal);
    if (oms_str_eq_c(value, "$customer_id"))
        return or_subject(principal->customer_id, principal);
    return OMS_STR_NONE;
}

/* Visits every rule that the caller holds: the token's roles, the user's rows, and what is stored of them. */
struct rule_walk {
    const struct permission_table *table;
    const struct principal *principal;
    size_t step; /* the next place to look at */
    const struct permission_rule *rules;
    size_t left;
};

static void look_up(struct rule_walk *walk, const struct permission_rule *rules, size_t count,
                    struct oms_str holder)
{
    size_t first = 0;

    walk->left = holder.len ? find_rules(rules, count, holder, &first) : 0;
    walk->rules = walk->left ? rules + first : NULL;
}

/* Takes the rules of one place; false behind the last. */
static bool next_place(struct rule_walk *walk)
{
    const struct permission_table *table = walk->table;
    const struct principal *who = walk->principal;
    const struct user_version *own = who->kind == PRINCIPAL_USER ? who->own : NULL;
    size_t at = walk->step++;

    if (who->kind == PRINCIPAL_API_KEY) {
        if (at == 0)
            look_up(walk, table->keys, table->key_count, who->subject);
        return at == 0;
    }
    if (at < who->role_count) {
        if (!oms_str_eq_c(who->roles[at], "operator") || who->is_operator)
            look_up(walk, table->roles, table->role_count, who->roles[at]);
        return true;
    }
    at -= who->role_count;
    if (at == 0) {
        look_up(walk, table->users, table->user_count, who->subject);
        return true;
    }
    at--;
    if (own && at < own->role_count) {
        if (!oms_str_eq_c(own->roles[at], "operator"))
            look_up(walk, table->roles, table->role_count, own->roles[at]);
        return true;
    }
    if (!own || at > own->role_count)
        return false;
    walk->rules = own->rules;
    walk->left = own->rule_count;
    return true;
}

static const struct permission_rule *next_rule(struct rule_walk *walk)
{
    while (!walk->left)
        if (!next_place(walk))
            return NULL;
    walk->left--;
    return walk->rules++;
}

/* Whom a scope binds; what is stored of the user may be replaced while the access lives, so it is copied. */
static struct oms_str scope_id(const struct rule_walk *walk, const struct permission_rule *rule,
                               struct oms_arena *arena)
{
    const struct user_version *own = walk->principal->own;
    struct oms_str id = resolve(rule->scope.value, walk->principal);

    if (own && rule >= own->rules && rule < own->rules + own->rule_count)
        id = oms_str_copy(arena, id);
    return id;
}

static void add_grant(struct access_grant *grants, size_t *count, const struct permission_rule *rule,
                      struct oms_str id)
{
    for (size_t i = 0; i < *count; i++)
        if (grants[i].kind == rule->scope.kind && oms_str_eq(grants[i].id, id)) {
            grants[i].permissions |= rule->permissions;
            return;
        }
    grants[(*count)++] = (struct access_grant){rule->scope.kind, id, rule->permissions};
}

bool permission_evaluate(const struct permission_table *table, const struct principal *principal,
                         struct oms_arena *arena, struct access *out)
{
    struct rule_walk walk = {.table = table, .principal = principal};
    const struct permission_rule *rule;
    struct access_grant *grants = NULL;
    size_t scoped = 0;

    *out = (struct access){.subject = principal->subject};
    if (principal_is_internal(principal)) {
        out->unscoped = out->any = PERMISSION_ALL;
        return true;
    }
    if (principal->kind == PRINCIPAL_WEBHOOK) {
        out->unscoped = out->any = WEBHOOK_PERMISSIONS;
        return true;
    }
    while ((rule = next_rule(&walk))) {
        if (rule->scope.kind == PERMISSION_SCOPE_TENANT)
            out->unscoped |= rule->permissions;
        else
            scoped++;
    }
    out->any = out->unscoped;
    if (!scoped || out->unscoped == PERMISSION_ALL)
        return true;
    grants = oms_arena_calloc(arena, scoped, sizeof *grants);
    if (!grants)
        return false;
    walk = (struct rule_walk){.table = table, .principal = principal};
    while ((rule = next_rule(&walk))) {
        struct oms_str id;

        if (rule->scope.kind == PERMISSION_SCOPE_TENANT || !(rule->permissions & ~out->unscoped))
            continue;
        id = scope_id(&walk, rule, arena);
        if (!id.len)
            continue;
        add_grant(grants, &out->grant_count, rule, id);
        out->any |= rule->permissions;
    }
    out->grants = grants;
    return true;
}

bool access_copy(const struct access *access, struct oms_arena *arena, struct access *out)
{
    struct access_grant *grants = NULL;

    *out = *access;
    out->subject = oms_str_copy(arena, access->subject);
    if (access->grant_count) {
        grants = oms_arena_calloc(arena, access->grant_count, sizeof *grants);
        if (!grants)
            return false;
        for (size_t i = 0; i < access->grant_count; i++) {
            grants[i] = access->grants[i];
            grants[i].id = oms_str_copy(arena, access->grants[i].id);
        }
    }
    out->grants = grants;
    return !arena->exhausted;
}

uint64_t access_class(const struct access *access)
{
    static const struct oms_hash_key key = {UINT64_C(0x6163636573732d31), UINT64_C(0x636c617373)};
    uint64_t sum = oms_mix64(access->unscoped + 1);

    /* A sum, so that the order of grants, which has no meaning, does not count. */
    for (size_t i = 0; i < access->grant_count; i++) {
        const struct access_grant *grant = &access->grants[i];
        uint64_t id = oms_siphash64(&key, grant->id.data, grant->id.len);

        sum += oms_mix64(id ^ oms_mix64(grant->permissions + (uint64_t)grant->kind));
    }
    return sum;
}

static bool has_grant(const struct access *access, enum permission permission,
                      enum permission_scope_kind kind, struct oms_str id)
{
    if (!id.len)
        return false;
    for (size_t i = 0; i < access->grant_count; i++) {
        const struct access_grant *grant = &access->grants[i];

        if (grant->kind == kind && (grant->permissions & PERMISSION_BIT(permission)) &&
            oms_str_eq(grant->id, id))
            return true;
    }
    return false;
}

bool access_customer(const struct access *access, enum permission permission, struct oms_str customer_id)
{
    return has_grant(access, permission, PERMISSION_SCOPE_CUSTOMER, customer_id);
}

bool access_vendor(const struct access *access, enum permission permission, struct oms_str vendor_id)
{
    return has_grant(access, permission, PERMISSION_SCOPE_VENDOR, vendor_id);
}

bool access_match(const struct access *access, enum permission permission, struct oms_str customer_id,
                  const struct oms_str *vendor_ids, size_t vendor_count, struct access_order *out)
{
    size_t theirs = 0;

    *out = (struct access_order){0};
    if (access_unscoped(access, permission)) {
        *out = (struct access_order){.full = true, .all_lines = true};
        return true;
    }
    if (!access_may(access, permission))
        return false;
    out->customer = access_customer(access, permission, customer_id);
    for (size_t i = 0; i < vendor_count; i++)
        theirs += access_vendor(access, permission, vendor_ids[i]);
    out->vendor = theirs > 0;
    out->all_lines = out->customer || (theirs > 0 && theirs == vendor_count);
    return out->customer || out->vendor;
}
