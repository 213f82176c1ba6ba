/* What is told of a user, from a tree: see user.h. One reader for the API, webhooks and imports. */
#include "actors/user.h"
#include "runtime/base/arena.h"
#include "runtime/base/assert.h"
#include "runtime/base/datetime.h"
#include "runtime/base/limits.h"
#include "runtime/base/value.h"

/* Texts that name somebody: without control characters, so that a log line stays one. */
static bool is_name(const struct oms_value *value, size_t max)
{
    if (value->kind != OMS_VALUE_STRING || !value->text.len || value->text.len > max)
        return false;
    for (size_t i = 0; i < value->text.len; i++)
        if ((unsigned char)value->text.data[i] < ' ' || value->text.data[i] == 0x7f)
            return false;
    return true;
}

static bool read_user(const struct oms_value *value, struct user_update *out, struct refusal_list *refusals)
{
    if (!value)
        return refusal_add(refusals, REFUSAL_REQUIRED, REFUSAL_FIELD("user"),
                           "user is required: the sub of the person's tokens");
    if (!is_name(value, OMS_NAME_BYTES_MAX))
        return refusal_add(refusals, REFUSAL_INVALID, REFUSAL_FIELD("user"),
                           "user must be a text of 1 to %d bytes without control characters",
                           OMS_NAME_BYTES_MAX);
    out->user = value->text;
    return true;
}

static bool is_repeat(const struct oms_str *roles, size_t count, struct oms_str role)
{
    for (size_t i = 0; i < count; i++)
        if (oms_str_eq(roles[i], role))
            return true;
    return false;
}

static bool read_roles(const struct oms_value *list, bool skip_operator, struct oms_arena *arena,
                       struct user_update *out, struct refusal_list *refusals)
{
    struct oms_str *roles;

    if (list->kind != OMS_VALUE_LIST)
        return refusal_add(refusals, REFUSAL_INVALID, REFUSAL_FIELD("roles"),
                           "roles must be a list of names such as [\"staff\"]");
    if (list->list.count > OMS_USER_ROLES_MAX)
        return refusal_add(refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_FIELD("roles"),
                           "A user has at most %d roles", OMS_USER_ROLES_MAX);
    roles = oms_arena_calloc(arena, list->list.count + 1, sizeof *roles);
    if (!roles)
        return refusal_add(refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_FIELD("roles"), "There are too many");
    for (size_t i = 0; i < list->list.count; i++) {
        const struct oms_value *role = &list->list.items[i];

        if (!is_name(role, OMS_NAME_BYTES_MAX))
            return refusal_add(refusals, REFUSAL_INVALID, refusal_field(refusals, "roles.%zu", i),
                               "A role must be a text of 1 to %d bytes", OMS_NAME_BYTES_MAX);
        if (oms_str_eq_c(role->text, "operator") && skip_operator)
            continue;
        if (oms_str_eq_c(role->text, "operator"))
            return refusal_add(refusals, REFUSAL_INVALID, refusal_field(refusals, "roles.%zu", i),
                               "The role operator comes only with a token of an issuer that may assert it");
        if (!is_repeat(roles, out->role_count, role->text))
            roles[out->role_count++] = role->text;
    }
    out->roles = roles;
    out->has_roles = true;
    return true;
}

static bool read_grants(const struct oms_value *list, struct oms_arena *arena, struct user_update *out,
                        struct refusal_list *refusals)
{
    struct permission_rows rows;
    struct permission_table table;
    struct permission_rows none;
    struct oms_error error = {.message = ""};
    enum oms_status status;

    if (list->kind == OMS_VALUE_LIST && list->list.count > OMS_PERMISSION_RULES_MAX / 64)
        return refusal_add(refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_FIELD("grants"),
                           "At most %d rows at a time", OMS_PERMISSION_RULES_MAX / 64);
    permission_rows_init(&rows, arena);
    permission_rows_init(&none, arena);
    status = permission_rows_parse_of(&rows, list, out->user, &error);
    if (status != OMS_OK)
        return refusal_add(refusals, status == OMS_LIMIT ? REFUSAL_LIMIT_EXCEEDED : REFUSAL_INVALID,
                           REFUSAL_FIELD("grants"), "%s", error.message);
    permission_table_build(&none, &rows, &table);
    if (table.user_count > OMS_USER_GRANTS_MAX)
        return refusal_add(refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_FIELD("grants"),
                           "A user has at most %d scopes", OMS_USER_GRANTS_MAX);
    out->rules = table.users;
    out->rule_count = table.user_count;
    out->has_rules = true;
    return true;
}

static bool read_version(const struct oms_value *value, struct user_update *out,
                         struct refusal_list *refusals)
{
    int64_t number = 0;

    if (value->kind == OMS_VALUE_INT)
        number = value->integer;
    else if ((value->kind != OMS_VALUE_NUMBER && value->kind != OMS_VALUE_STRING) ||
             oms_str_to_i64(value->text, &number) != OMS_OK)
        number = 0;
    out->source_version = number;
    return number >= 1 || refusal_add(refusals, REFUSAL_INVALID, REFUSAL_FIELD("version"),
                                      "version must be a whole number of at least 1");
}

enum key { KEY_USER, KEY_ROLES, KEY_GRANTS, KEY_VERSION, KEY_IGNORED, KEY_COUNT };

static const struct {
    const char *name;
    enum key key;
} keys[] = {
    {"user", KEY_USER},
    {"userId", KEY_USER},
    {"user_id", KEY_USER},
    {"sub", KEY_USER},
    {"roles", KEY_ROLES},
    {"grants", KEY_GRANTS},
    {"permissions", KEY_GRANTS},
    {"rows", KEY_GRANTS},
    {"version", KEY_VERSION},
    {"sourceVersion", KEY_VERSION},
    {"source_version", KEY_VERSION},
    {"tenant_id", KEY_IGNORED},
    {"tenantId", KEY_IGNORED},
    {"id", KEY_IGNORED},
    {"clientMutationId", KEY_IGNORED},
    {"idempotencyKey", KEY_IGNORED},
};

static bool unknown_key(struct oms_str name, struct refusal_list *refusals)
{
    static const char *const told[] = {"user", "roles", "grants", "version"};
    const char *near = oms_str_nearest(name, told, OMS_COUNT_OF(told));

    return refusal_add(refusals, REFUSAL_INVALID, REFUSAL_NO_FIELD, "Unknown key '%.*s'%s%s%s",
                       (int)(name.len > 64 ? 64 : name.len), name.data, near ? ", did you mean '" : "",
                       near ? near : ": a user has user, roles, grants and version", near ? "'?" : "");
}

static bool sort_keys(const struct oms_value *tree, const struct oms_value *found[KEY_COUNT],
                      struct refusal_list *refusals)
{
    for (size_t i = 0; i < tree->object.count; i++) {
        const struct oms_field *field = &tree->object.fields[i];
        size_t k = 0;

        while (k < OMS_COUNT_OF(keys) && !oms_str_eq_c(field->name, keys[k].name))
            k++;
        if (k == OMS_COUNT_OF(keys))
            return unknown_key(field->name, refusals);
        if (field->value.kind == OMS_VALUE_NULL || keys[k].key == KEY_IGNORED)
            continue;
        if (found[keys[k].key])
            return refusal_add(refusals, REFUSAL_INVALID, oms_str_of(keys[k].name),
                               "is there twice, under two names");
        found[keys[k].key] = &field->value;
    }
    return true;
}

bool user_update_parse(const struct oms_value *tree, struct oms_arena *arena, struct user_update *out,
                       struct refusal_list *refusals)
{
    const struct oms_value *found[KEY_COUNT] = {NULL};

    out->kind = USER_SNAPSHOT;
    if (tree->kind != OMS_VALUE_OBJECT)
        return refusal_add(refusals, REFUSAL_INVALID, REFUSAL_NO_FIELD, "A user must be an object");
    if (!sort_keys(tree, found, refusals) ||
        (!oms_str_present(out->user) && !read_user(found[KEY_USER], out, refusals)) ||
        (found[KEY_VERSION] && !read_version(found[KEY_VERSION], out, refusals)) ||
        (found[KEY_ROLES] && !read_roles(found[KEY_ROLES], false, arena, out, refusals)) ||
        (found[KEY_GRANTS] && !read_grants(found[KEY_GRANTS], arena, out, refusals)))
        return false;
    return out->has_roles || out->has_rules ||
           refusal_add(refusals, REFUSAL_REQUIRED, REFUSAL_FIELD("grants"),
                       "grants or roles are required; an empty list takes all of them away");
}

bool user_remove_parse(const struct oms_value *tree, struct user_update *out, struct refusal_list *refusals)
{
    const struct oms_value *found[KEY_COUNT] = {NULL};

    out->kind = USER_REMOVE;
    return sort_keys(tree, found, refusals) && read_user(found[KEY_USER], out, refusals) &&
           (!found[KEY_VERSION] || read_version(found[KEY_VERSION], out, refusals));
}

bool user_login_parse(const struct oms_value *data, struct oms_str occurred_at, struct oms_arena *arena,
                      struct user_update *out, struct refusal_list *refusals)
{
    const struct oms_value *user, *roles;

    *out = (struct user_update){.kind = USER_LOGIN, .origin = out->origin};
    if (data->kind != OMS_VALUE_OBJECT)
        return refusal_add(refusals, REFUSAL_INVALID, REFUSAL_FIELD("data"), "data must be an object");
    user = oms_value_get_set(data, "sub");
    if (!read_user(user ? user : oms_value_get_set(data, "user"), out, refusals))
        return false;
    if (!(roles = oms_value_get_set(data, "roles")))
        return refusal_add(refusals, REFUSAL_REQUIRED, REFUSAL_FIELD("roles"),
                           "roles are required: those of the person, or an empty list");
    if (!read_roles(roles, true, arena, out, refusals))
        return false;
    return !oms_str_present(occurred_at) || oms_datetime_parse(occurred_at, &out->at) == OMS_OK ||
           refusal_add(refusals, REFUSAL_INVALID, REFUSAL_FIELD("occurred_at"),
                       "occurred_at must be a time as RFC 3339 has it, such as 2026-01-31T12:00:00Z");
}
