/*
 * See user.h. The stored form keeps permissions by name, like a tenant's, so that a later program reads what
 * was meant.
 */
#include "actors/user.h"

#include "runtime/base/alloc.h"
#include "runtime/base/arena.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/limits.h"
#include "runtime/base/wire.h"

/* ---- life ---- */

const struct user_version *user_version_hold(const struct user_version *user)
{
    if (user)
        ((struct user_version *)(uintptr_t)user)->holds++;
    return user;
}

void user_version_release(const struct user_version *user)
{
    struct user_version *own = (struct user_version *)(uintptr_t)user;

    if (!own)
        return;
    OMS_ASSERT(own->holds > 0);
    if (--own->holds == 0)
        oms_free(own);
}

/* ---- what follows ---- */

static bool roles_same(const struct oms_str *a, size_t a_count, const struct oms_str *b, size_t b_count)
{
    if (a_count != b_count)
        return false;
    for (size_t i = 0; i < a_count; i++)
        if (!oms_str_eq(a[i], b[i]))
            return false;
    return true;
}

static bool rules_same(const struct permission_rule *a, size_t a_count, const struct permission_rule *b,
                       size_t b_count)
{
    if (a_count != b_count)
        return false;
    for (size_t i = 0; i < a_count; i++)
        if (a[i].permissions != b[i].permissions || a[i].scope.kind != b[i].scope.kind ||
            (a[i].scope.kind != PERMISSION_SCOPE_TENANT && !oms_str_eq(a[i].scope.value, b[i].scope.value)))
            return false;
    return true;
}

bool user_grants_same(const struct user_version *a, const struct user_version *b)
{
    return roles_same(a->roles, a->role_count, b->roles, b->role_count) &&
           rules_same(a->rules, a->rule_count, b->rules, b->rule_count);
}

static void set_roles(struct user_version *out, const struct user_update *update, int64_t at)
{
    out->roles = update->roles;
    out->role_count = (uint16_t)update->role_count;
    out->roles_at = at;
}

static enum user_outcome follow_login(const struct user_update *update, int64_t now_ms,
                                      struct user_version *out)
{
    int64_t at = update->at ? update->at : now_ms;

    if (at < out->roles_at)
        return USER_OLDER;
    if (at == out->roles_at && !out->removed &&
        roles_same(out->roles, out->role_count, update->roles, update->role_count))
        return USER_SAME;
    set_roles(out, update, at);
    out->removed = false;
    return USER_CHANGED;
}

/* `out` is the version now, and becomes the next. */
static enum user_outcome follow_snapshot(const struct user_update *update, int64_t now_ms,
                                         struct user_version *out)
{
    const struct user_version now = *out;
    bool told = update->source_version && now.source_version;

    if (told && update->source_version < now.source_version)
        return USER_OLDER;
    out->removed = update->kind == USER_REMOVE;
    if (update->kind == USER_REMOVE) {
        out->roles = NULL;
        out->rules = NULL;
        out->role_count = out->rule_count = 0;
    }
    if (update->has_roles)
        set_roles(out, update, now.roles_at);
    if (update->has_rules) {
        out->rules = update->rules;
        out->rule_count = (uint16_t)update->rule_count;
    }
    if (user_grants_same(&now, out) && now.removed == out->removed && now.version &&
        update->source_version <= now.source_version)
        return USER_SAME;
    if (told && update->source_version == now.source_version)
        return USER_OTHER;
    if ((update->has_roles || update->kind == USER_REMOVE) && now_ms > out->roles_at)
        out->roles_at = now_ms;
    if (update->source_version)
        out->source_version = update->source_version;
    return USER_CHANGED;
}

enum user_outcome user_follow(const struct user_version *now, const struct user_update *update,
                              int64_t now_ms, struct user_version *out)
{
    enum user_outcome outcome;

    *out = now ? *now : (struct user_version){.user = update->user};
    if (!now && update->kind == USER_REMOVE && !update->source_version)
        return USER_SAME;
    outcome =
        update->kind == USER_LOGIN ? follow_login(update, now_ms, out) : follow_snapshot(update, now_ms, out);
    out->version++;
    out->origin = update->origin;
    out->updated_at = now_ms;
    return outcome;
}

/* ---- codec ---- */

/* Numbers are stored. */
enum {
    USER_NAME = 1,
    USER_NUMBER = 2,
    USER_ROLE = 3, /* repeated */
    USER_RULE = 4, /* repeated: RULE_* */
    USER_ORIGIN = 5,
    USER_SOURCE_VERSION = 6,
    USER_ROLES_AT = 7,
    USER_UPDATED_AT = 8,
    USER_REMOVED = 9
};
enum { RULE_SCOPE = 1, RULE_SCOPE_VALUE = 2, RULE_PERMISSION = 3, RULE_EVERYTHING = 4 };

static void put_rule(const struct permission_rule *rule, struct oms_buf *out)
{
    size_t mark = oms_wire_begin(out, USER_RULE);

    oms_wire_put_u64(out, RULE_SCOPE, rule->scope.kind);
    if (rule->scope.kind != PERMISSION_SCOPE_TENANT)
        oms_wire_put_str(out, RULE_SCOPE_VALUE, rule->scope.value);
    if (rule->permissions == PERMISSION_ALL)
        oms_wire_put_u64(out, RULE_EVERYTHING, 1);
    for (unsigned p = 0; p < PERMISSION_COUNT && rule->permissions != PERMISSION_ALL; p++)
        if (rule->permissions & PERMISSION_BIT(p))
            oms_wire_put_str(out, RULE_PERMISSION, oms_str_of(permission_name((enum permission)p)));
    oms_wire_end(out, mark);
}

void user_version_encode(const struct user_version *user, struct oms_buf *out)
{
    oms_wire_put_str(out, USER_NAME, user->user);
    oms_wire_put_u64(out, USER_NUMBER, user->version);
    for (size_t i = 0; i < user->role_count; i++)
        oms_wire_put_str(out, USER_ROLE, user->roles[i]);
    for (size_t i = 0; i < user->rule_count; i++)
        put_rule(&user->rules[i], out);
    oms_wire_put_u64(out, USER_ORIGIN, user->origin);
    oms_wire_put_u64(out, USER_SOURCE_VERSION, (uint64_t)user->source_version);
    oms_wire_put_u64(out, USER_ROLES_AT, (uint64_t)user->roles_at);
    oms_wire_put_u64(out, USER_UPDATED_AT, (uint64_t)user->updated_at);
    if (user->removed)
        oms_wire_put_u64(out, USER_REMOVED, 1);
}

/* What a record needs: one block holds the structure, the roles, the rules and all text. */
struct shape {
    size_t roles, rules, text;
};

static bool measure(struct oms_str bytes, struct shape *out)
{
    struct oms_wire wire;

    *out = (struct shape){0};
    oms_wire_read(&wire, bytes);
    while (oms_wire_next(&wire)) {
        out->roles += wire.field == USER_ROLE;
        out->rules += wire.field == USER_RULE;
        if (wire.field == USER_ROLE || wire.field == USER_RULE || wire.field == USER_NAME)
            out->text += wire.bytes.len;
    }
    return !wire.corrupt && bytes.len <= OMS_USER_BYTES_MAX && out->roles <= OMS_USER_ROLES_MAX &&
           out->rules <= OMS_USER_GRANTS_MAX;
}

static struct oms_str keep(char **at, struct oms_str text)
{
    char *place = *at;

    if (text.len)
        memcpy(place, text.data, text.len);
    *at += text.len;
    return oms_str_make(place, text.len);
}

static bool read_rule(struct oms_str bytes, char **text, struct permission_rule *out)
{
    enum permission permission;
    struct oms_wire wire;

    oms_wire_read(&wire, bytes);
    while (oms_wire_next(&wire)) {
        if (wire.field == RULE_SCOPE && wire.number <= PERMISSION_SCOPE_VENDOR)
            out->scope.kind = (enum permission_scope_kind)wire.number;
        else if (wire.field == RULE_SCOPE)
            return false; /* a scope that is not understood must not become the whole tenant */
        else if (wire.field == RULE_SCOPE_VALUE)
            out->scope.value = keep(text, wire.bytes);
        else if (wire.field == RULE_EVERYTHING)
            out->permissions = PERMISSION_ALL;
        else if (wire.field == RULE_PERMISSION && permission_parse(wire.bytes, &permission))
            out->permissions |= PERMISSION_BIT(permission);
    }
    return !wire.corrupt && (out->scope.kind == PERMISSION_SCOPE_TENANT || out->scope.value.len);
}

static bool read_field(const struct oms_wire *wire, struct user_version *user, struct oms_str *roles,
                       struct permission_rule *rules, char **text)
{
    switch (wire->field) {
    case USER_NAME:
        if (oms_str_present(user->user))
            return false;
        user->user = keep(text, wire->bytes);
        return user->user.len > 0;
    case USER_NUMBER:
        user->version = (uint32_t)wire->number;
        return wire->number <= UINT32_MAX;
    case USER_ROLE:
        roles[user->role_count++] = keep(text, wire->bytes);
        return wire->bytes.len > 0;
    case USER_RULE:
        return read_rule(wire->bytes, text, &rules[user->rule_count++]);
    case USER_ORIGIN:
        user->origin = (enum workflow_origin)wire->number;
        return wire->number < WORKFLOW_ORIGIN_COUNT;
    case USER_SOURCE_VERSION:
        user->source_version = (int64_t)wire->number;
        return true;
    case USER_ROLES_AT:
        user->roles_at = (int64_t)wire->number;
        return true;
    case USER_UPDATED_AT:
        user->updated_at = (int64_t)wire->number;
        return true;
    case USER_REMOVED:
        user->removed = wire->number != 0;
        return true;
    default:
        return true;
    }
}

enum oms_status user_version_decode(struct oms_str bytes, uint32_t tenant, struct user_version **out)
{
    struct user_version *user;
    struct permission_rule *rules;
    struct oms_str *roles;
    struct oms_wire wire;
    struct shape shape;
    bool fine = true;
    char *text;

    *out = NULL;
    if (!measure(bytes, &shape))
        return OMS_CORRUPT;
    user =
        oms_calloc(1, sizeof *user + shape.rules * sizeof *rules + shape.roles * sizeof *roles + shape.text);
    rules = (struct permission_rule *)(user + 1);
    roles = (struct oms_str *)(rules + shape.rules);
    text = (char *)(roles + shape.roles);
    user->tenant = tenant;
    user->holds = 1;
    user->user = OMS_STR_NONE;
    user->roles = roles;
    user->rules = rules;
    oms_wire_read(&wire, bytes);
    while (fine && oms_wire_next(&wire))
        fine = read_field(&wire, user, roles, rules, &text);
    if (!fine || wire.corrupt || !oms_str_present(user->user) || !user->version) {
        oms_free(user);
        return OMS_CORRUPT;
    }
    *out = user;
    return OMS_OK;
}
