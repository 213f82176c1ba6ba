/*
 * Tenant versions: making, comparing, storing; see tenant.h.
 *
 * The stored form keeps permissions by name and workflows as the JSON they were built from, so that a later
 * program, in which a permission or a condition has been added, still reads what was meant.
 */
#include "actors/tenant.h"

#include "actors/money.h"
#include "actors/tenant_settings.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/limits.h"
#include "runtime/base/value.h"
#include "runtime/base/wire.h"

/* ---- life ---- */

static struct tenant_version *create(void)
{
    struct tenant_version *tenant = oms_calloc(1, sizeof *tenant);

    oms_arena_init(&tenant->arena, 4096, OMS_TENANT_ARENA_BYTES_MAX);
    tenant->holds = 1;
    tenant->version = 1;
    tenant->status = TENANT_ACTIVE;
    return tenant;
}

const struct tenant_version *tenant_version_hold(const struct tenant_version *tenant)
{
    /* The count is the owner shard's own; everything else stays as it is. */
    ((struct tenant_version *)(uintptr_t)tenant)->holds++;
    return tenant;
}

void tenant_version_release(const struct tenant_version *tenant)
{
    struct tenant_version *own = (struct tenant_version *)(uintptr_t)tenant;

    if (!own)
        return;
    OMS_ASSERT(own->holds > 0);
    if (--own->holds)
        return;
    oms_arena_fini(&own->arena);
    oms_free(own);
}

const char *tenant_status_name(enum tenant_status status)
{
    switch (status) {
    case TENANT_ACTIVE:
        return "active";
    case TENANT_SUSPENDED:
        return "suspended";
    case TENANT_REMOVED:
        return "removed";
    }
    OMS_UNREACHABLE();
}

bool tenant_name_valid(struct oms_str name)
{
    if (name.len == 0 || name.len > OMS_TENANT_NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

        if (!word && (i == 0 || (c != '-' && c != '_' && c != '.')))
            return false;
    }
    return true;
}

/* ---- shared checks ---- */

/* A caller's request walks all scopes of its roles: their number is bounded. */
static bool grants_bounded(const struct permission_rule *rules, size_t count)
{
    size_t run = 0;

    for (size_t i = 0; i < count; i++) {
        run = i && oms_str_eq(rules[i].holder, rules[i - 1].holder) ? run + 1 : 1;
        if (run > OMS_TENANT_GRANTS_MAX)
            return false;
    }
    return true;
}

static enum oms_status too_large(struct oms_error *error)
{
    return oms_error_set(error, OMS_LIMIT, "the tenant's configuration is too large");
}

/* ---- from configuration ---- */

static enum oms_status parse_name(struct tenant_version *tenant, const struct oms_value *value,
                                  struct oms_error *error)
{
    if (!value || value->kind != OMS_VALUE_STRING || !tenant_name_valid(value->text))
        return oms_error_set(
            error, OMS_INVALID,
            "name must have 1 to %d characters of a-z, 0-9, '-', '_' and '.', the first a letter or digit",
            OMS_TENANT_NAME_BYTES_MAX);
    tenant->name = oms_str_copy(&tenant->arena, value->text);
    return OMS_OK;
}

static enum oms_status parse_status(struct tenant_version *tenant, const struct oms_value *value,
                                    struct oms_error *error)
{
    static const enum tenant_status all[] = {TENANT_ACTIVE, TENANT_SUSPENDED, TENANT_REMOVED};

    for (size_t i = 0; value->kind == OMS_VALUE_STRING && i < OMS_COUNT_OF(all); i++)
        if (oms_str_eq_c(value->text, tenant_status_name(all[i]))) {
            tenant->status = all[i];
            return OMS_OK;
        }
    return oms_error_set(error, OMS_INVALID, "status must be active, suspended or removed");
}

static enum oms_status parse_currency(struct tenant_version *tenant, const struct oms_value *value,
                                      struct oms_error *error)
{
    if (value->kind == OMS_VALUE_STRING)
        tenant->currency = money_currency_parse(value->text);
    return tenant->currency ? OMS_OK
                            : oms_error_set(error, OMS_INVALID, "currency must be a code of ISO 4217");
}

/* What a browser sends as Origin (RFC 6454 section 7): scheme, host and port, nothing behind. */
static bool origin_valid(struct oms_str origin)
{
    size_t scheme = 0;

    if (oms_str_eq_c(origin, "*"))
        return true;
    if (oms_str_starts(origin, OMS_STR("https://")))
        scheme = 8;
    else if (oms_str_starts(origin, OMS_STR("http://")))
        scheme = 7;
    if (!scheme || origin.len == scheme || origin.len > OMS_NAME_BYTES_MAX)
        return false;
    for (size_t i = scheme; i < origin.len; i++) {
        unsigned char c = (unsigned char)origin.data[i];

        if (c <= ' ' || c >= 0x7f || c == '/' || c == '?' || c == '#' || c == '@' || (c >= 'A' && c <= 'Z'))
            return false;
    }
    return true;
}

static enum oms_status parse_origins(struct tenant_version *tenant, const struct oms_value *value,
                                     struct oms_error *error)
{
    struct oms_str *origins;

    if (value->kind != OMS_VALUE_LIST || value->list.count > OMS_TENANT_ORIGINS_MAX)
        return oms_error_set(error, OMS_INVALID, "cors_origins must be a list of at most %d origins",
                             OMS_TENANT_ORIGINS_MAX);
    origins = oms_arena_calloc(&tenant->arena, value->list.count + 1, sizeof *origins);
    if (!origins)
        return too_large(error);
    for (size_t i = 0; i < value->list.count; i++) {
        const struct oms_value *item = &value->list.items[i];

        if (item->kind != OMS_VALUE_STRING || !origin_valid(item->text))
            return oms_error_set(error, OMS_INVALID,
                                 "cors_origins[%zu] must be \"*\" or an origin such as https://shop.example, "
                                 "lower case and without a path",
                                 i);
        origins[i] = oms_str_copy(&tenant->arena, item->text);
    }
    tenant->cors_origins = origins;
    tenant->cors_origin_count = value->list.count;
    return OMS_OK;
}

static enum oms_status parse_limit(const struct oms_field *field, struct tenant_limits *out,
                                   struct oms_error *error)
{
    static const char *const names[] = {"requests_per_second", "open_orders", "streams", "stored_events"};
    uint64_t *places[] = {&out->requests_per_second, &out->open_orders, &out->streams, &out->stored_events};
    int64_t number = -1;
    const char *near;

    for (size_t i = 0; i < OMS_COUNT_OF(names); i++) {
        if (!oms_str_eq_c(field->name, names[i]))
            continue;
        if (field->value.kind == OMS_VALUE_INT)
            number = field->value.integer;
        else if (field->value.kind == OMS_VALUE_NUMBER &&
                 oms_str_to_i64(field->value.text, &number) != OMS_OK)
            number = -1;
        if (number < 0)
            return oms_error_set(error, OMS_INVALID, "limits.%s must be a whole number of at least 0",
                                 names[i]);
        *places[i] = (uint64_t)number;
        return OMS_OK;
    }
    near = oms_str_nearest(field->name, names, OMS_COUNT_OF(names));
    return oms_error_set(error, OMS_INVALID, "unknown limit '%.*s'%s%s%s", OMS_STR_ARG(field->name),
                         near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static enum oms_status parse_limits(struct tenant_version *tenant, const struct oms_value *value,
                                    struct oms_error *error)
{
    enum oms_status status = OMS_OK;

    if (value->kind != OMS_VALUE_OBJECT)
        return oms_error_set(error, OMS_INVALID, "limits must be an object");
    for (size_t i = 0; status == OMS_OK && i < value->object.count; i++)
        status = parse_limit(&value->object.fields[i], &tenant->limits, error);
    return status;
}

static enum oms_status parse_webhooks(struct tenant_version *tenant, const struct oms_value *value,
                                      struct oms_error *error)
{
    return tenant_webhooks_parse(value, &tenant->arena, &tenant->webhooks, &tenant->webhook_count, error);
}

static enum oms_status parse_permissions(struct tenant_version *tenant, const struct oms_value *rolemap,
                                         const struct oms_value *authorizations, struct oms_error *error)
{
    struct permission_rows roles, users;
    enum oms_status status;

    permission_rows_init(&roles, &tenant->arena);
    permission_rows_init(&users, &tenant->arena);
    status = rolemap ? permission_rows_parse(&roles, rolemap, "role", error)
                     : permission_rows_add_defaults(&roles);
    if (status == OMS_OK && authorizations)
        status = permission_rows_parse(&users, authorizations, "user", error);
    if (status != OMS_OK)
        return status;
    permission_table_build(&roles, &users, &tenant->permissions);
    if (!grants_bounded(tenant->permissions.roles, tenant->permissions.role_count) ||
        !grants_bounded(tenant->permissions.users, tenant->permissions.user_count))
        return oms_error_set(error, OMS_LIMIT, "a role or user has at most %d scopes", OMS_TENANT_GRANTS_MAX);
    return OMS_OK;
}

static enum oms_status parse_workflow(struct tenant_version *tenant, const struct oms_value *value,
                                      struct oms_error *error)
{
    struct workflow *workflow = OMS_ARENA_NEW(&tenant->arena, struct workflow);
    enum oms_status status;

    if (!workflow)
        return too_large(error);
    status = value ? workflow_build(value, 1, &tenant->arena, workflow, error)
                   : workflow_build_json(workflow_default_json(), 1, &tenant->arena, workflow, error);
    workflow->origin = value ? WORKFLOW_CONFIGURATION : WORKFLOW_BUILT_IN;
    tenant->workflow_kept = !value;
    tenant->workflows = workflow;
    tenant->workflow_count = 1;
    return status;
}

static enum oms_status check_keys(const struct oms_value *config, struct oms_error *error)
{
    static const char *const known[] = {"name",     "status",       "currency", "rolemap", "authorizations",
                                        "workflow", "cors_origins", "limits",   "webhooks"};

    if (config->kind != OMS_VALUE_OBJECT)
        return oms_error_set(error, OMS_INVALID, "a tenant must be an object");
    for (size_t i = 0; i < config->object.count; i++) {
        struct oms_str name = config->object.fields[i].name;
        bool found = false;

        for (size_t k = 0; k < OMS_COUNT_OF(known); k++)
            found = found || oms_str_eq_c(name, known[k]);
        if (!found) {
            const char *near = oms_str_nearest(name, known, OMS_COUNT_OF(known));

            return oms_error_set(error, OMS_INVALID, "unknown key '%.*s'%s%s%s", OMS_STR_ARG(name),
                                 near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
        }
    }
    return OMS_OK;
}

/* Puts the part's name before the fault that its parser found. */
static enum oms_status in_part(enum oms_status status, const char *part, struct oms_error *error)
{
    char text[sizeof error->message];

    if (status == OMS_OK || !error)
        return status;
    memcpy(text, error->message, sizeof text);
    return oms_error_set(error, status, "%s: %s", part, text);
}

static const struct {
    const char *key;
    enum oms_status (*parse)(struct tenant_version *tenant, const struct oms_value *value,
                             struct oms_error *error);
} parts[] = {{"status", parse_status},
             {"currency", parse_currency},
             {"cors_origins", parse_origins},
             {"limits", parse_limits},
             {"webhooks", parse_webhooks}};

enum oms_status tenant_parse_part(struct tenant_version *tenant, const char *key,
                                  const struct oms_value *value, struct oms_error *error)
{
    for (size_t i = 0; i < OMS_COUNT_OF(parts); i++)
        if (strcmp(parts[i].key, key) == 0)
            return parts[i].parse(tenant, value, error);
    OMS_UNREACHABLE();
}

static enum oms_status fill(struct tenant_version *tenant, const struct oms_value *config,
                            struct oms_error *error)
{
    enum oms_status status;

    if ((status = check_keys(config, error)) != OMS_OK ||
        (status = parse_name(tenant, oms_value_get_set(config, "name"), error)) != OMS_OK)
        return status;
    for (size_t i = 0; i < OMS_COUNT_OF(parts); i++) {
        const struct oms_value *value = oms_value_get_set(config, parts[i].key);

        if (value && (status = parts[i].parse(tenant, value, error)) != OMS_OK)
            return status;
    }
    status = parse_permissions(tenant, oms_value_get_set(config, "rolemap"),
                               oms_value_get_set(config, "authorizations"), error);
    if (status != OMS_OK)
        return in_part(status, "rolemap or authorizations", error);
    tenant_settings_note(tenant);
    status = parse_workflow(tenant, oms_value_get_set(config, "workflow"), error);
    return in_part(status, "workflow", error);
}

enum oms_status tenant_parse(const struct oms_value *config, struct tenant_version **out,
                             struct oms_error *error)
{
    struct tenant_version *tenant = create();
    enum oms_status status = fill(tenant, config, error);

    if (status == OMS_OK && tenant->arena.exhausted)
        status = too_large(error);
    if (status != OMS_OK) {
        tenant_version_release(tenant);
        tenant = NULL;
    }
    *out = tenant;
    return status;
}

struct tenant_version *tenant_create_default(struct oms_str name)
{
    struct oms_field field = {.name = OMS_STR("name")};
    struct oms_value config = {.kind = OMS_VALUE_OBJECT, .object = {.fields = &field, .count = 1}};
    struct tenant_version *tenant;

    field.value.kind = OMS_VALUE_STRING;
    field.value.text = name;
    OMS_ASSERT(tenant_parse(&config, &tenant, NULL) == OMS_OK);
    return tenant;
}

/* ---- succession ---- */

/* Both copies must be in `tenant`'s arena: the source may be gone tomorrow. */
static bool copy_workflow(struct tenant_version *tenant, const struct workflow *from, uint32_t version,
                          struct workflow *out)
{
    if (workflow_build_stored(oms_str_copy(&tenant->arena, from->source), version, &tenant->arena, out) !=
        OMS_OK)
        return false;
    out->origin = from->origin;
    out->origin_version = from->origin_version;
    out->updated_at = from->updated_at;
    return true;
}

/* Whether the configuration says what it said before, whatever came from elsewhere since. */
static bool configured_already(const struct tenant_version *wanted, const struct tenant_version *before)
{
    const struct workflow *new = &wanted->workflows[wanted->workflow_count - 1];
    const struct workflow *now = &before->workflows[before->workflow_count - 1];

    if (wanted->workflow_kept || oms_str_eq(now->source, new->source))
        return true;
    for (size_t i = before->workflow_count; i-- > 0;)
        if (before->workflows[i].origin <= WORKFLOW_CONFIGURATION)
            return oms_str_eq(before->workflows[i].source, new->source);
    return false;
}

static bool copy_keys(struct tenant_version *wanted, const struct tenant_version *before)
{
    struct tenant_key *keys = oms_arena_calloc(&wanted->arena, before->key_count + 1, sizeof *keys);

    if (!keys)
        return false;
    if (before->key_count)
        memcpy(keys, before->keys, before->key_count * sizeof *keys);
    wanted->keys = keys;
    wanted->key_count = before->key_count;
    return true;
}

enum oms_status tenant_version_follow(struct tenant_version *wanted, const struct tenant_version *before)
{
    const struct workflow *now = &before->workflows[before->workflow_count - 1];
    const struct workflow *new = &wanted->workflows[wanted->workflow_count - 1];
    bool same = configured_already(wanted, before);
    size_t count = before->workflow_count + (same ? 0 : 1);
    struct workflow *workflows;

    if (count > OMS_TENANT_WORKFLOWS_MAX)
        return OMS_LIMIT;
    workflows = oms_arena_calloc(&wanted->arena, count, sizeof *workflows);
    if (!workflows || !copy_keys(wanted, before) || !tenant_version_copy_api_keys(wanted, before))
        return OMS_LIMIT;
    for (size_t i = 0; i < before->workflow_count; i++)
        if (!copy_workflow(wanted, &before->workflows[i], before->workflows[i].version, &workflows[i]))
            return OMS_LIMIT;
    if (!same) {
        workflows[count - 1] = *new;
        workflows[count - 1].version = now->version + 1;
    }
    tenant_settings_follow(wanted, before);
    if (wanted->arena.exhausted)
        return OMS_LIMIT;
    wanted->workflow_kept = false;
    wanted->workflows = workflows;
    wanted->workflow_count = count;
    wanted->number = before->number;
    return OMS_OK;
}

/* ---- changes of one part ---- */

struct tenant_version *tenant_version_copy(const struct tenant_version *tenant)
{
    struct tenant_version *copy;
    struct oms_buf bytes;
    enum oms_status status;

    oms_buf_init(&bytes, OMS_TENANT_STATE_BYTES_MAX);
    tenant_version_encode(tenant, &bytes);
    status = tenant_version_decode(oms_buf_str(&bytes), &copy);
    oms_buf_fini(&bytes);
    OMS_ASSERT(status == OMS_OK); /* it was stored, or is about to be */
    return copy;
}

/* What the system that owns the workflow has told is never replaced by what it told before. */
static bool check_snapshot(const struct workflow *now, const struct workflow *new,
                           struct refusal_list *refusals)
{
    if (!new->origin_version || !now->origin_version)
        return true;
    if (new->origin_version < now->origin_version)
        return refusal_add(refusals, REFUSAL_CONFLICT, REFUSAL_FIELD("sourceVersion"),
                           "Version %lld of the source is here already, %lld is older",
                           (long long)now->origin_version, (long long)new->origin_version);
    return new->origin_version > now->origin_version || oms_str_eq(now->source, new->source) ||
           refusal_add(refusals, REFUSAL_CONFLICT, REFUSAL_FIELD("sourceVersion"),
                       "Version %lld of the source is here already, with other content",
                       (long long)now->origin_version);
}

bool tenant_version_set_workflow(struct tenant_version *wanted, const struct oms_value *workflow,
                                 const struct tenant_snapshot *snapshot, struct refusal_list *refusals)
{
    const struct workflow *now = tenant_workflow(wanted, 0);
    size_t count = wanted->workflow_count;
    struct workflow *workflows;
    struct workflow built;
    bool same;

    if (!workflow_build_new(workflow, now->version + 1, "workflow.", &wanted->arena, &built, refusals))
        return false;
    built.origin = snapshot->origin;
    built.origin_version = snapshot->version;
    built.updated_at = snapshot->now_ms;
    same = oms_str_eq(now->source, built.source);
    if (!check_snapshot(now, &built, refusals))
        return false;
    if (same && snapshot->version <= now->origin_version)
        return true;
    workflows = oms_arena_calloc(&wanted->arena, count + 1, sizeof *workflows);
    if ((!same && count >= OMS_TENANT_WORKFLOWS_MAX) || !workflows)
        return refusal_add(refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_FIELD("workflow"),
                           "The tenant has as many versions of its workflow as it can have");
    memcpy(workflows, wanted->workflows, count * sizeof *workflows);
    if (same) /* the same again, told by a newer version of its source */
        workflows[count - 1].origin_version = built.origin_version;
    else
        workflows[count++] = built;
    wanted->workflows = workflows;
    wanted->workflow_count = count;
    return true;
}

void tenant_version_stamp(struct tenant_version *wanted, int64_t now_ms)
{
    /* The list was made for this copy, which nobody else has yet. */
    struct workflow *newest = (struct workflow *)(uintptr_t)&wanted->workflows[wanted->workflow_count - 1];

    if (!newest->updated_at)
        newest->updated_at = now_ms;
}

const struct tenant_key *tenant_find_key(const struct tenant_version *tenant, struct oms_hash128 key)
{
    for (size_t i = tenant->key_count; i-- > 0;)
        if (tenant->keys[i].key.lo == key.lo && tenant->keys[i].key.hi == key.hi)
            return &tenant->keys[i];
    return NULL;
}

bool tenant_version_remember(struct tenant_version *wanted, const struct tenant_key *key)
{
    struct tenant_key *keys = oms_arena_calloc(&wanted->arena, wanted->key_count + 1, sizeof *keys);
    size_t first = 0;

    while (wanted->key_count - first >= OMS_TENANT_KEYS_KEPT &&
           wanted->keys[first].at < key->at - OMS_IDEMPOTENCY_KEEP_MS)
        first++;
    if (!keys || wanted->key_count - first >= OMS_TENANT_KEYS_MAX)
        return false;
    if (wanted->key_count > first)
        memcpy(keys, wanted->keys + first, (wanted->key_count - first) * sizeof *keys);
    keys[wanted->key_count - first] = *key;
    wanted->key_count = wanted->key_count - first + 1;
    wanted->keys = keys;
    return true;
}

/* ---- codec ---- */

enum {
    TENANT_NUMBER = 1,
    TENANT_VERSION = 2,
    TENANT_NAME = 3,
    TENANT_STATUS = 4,
    TENANT_CURRENCY = 5,
    TENANT_ROLE = 6,     /* repeated: RULE_* */
    TENANT_USER = 7,     /* repeated: RULE_* */
    TENANT_WORKFLOW = 8, /* repeated: WORKFLOW_* */
    TENANT_ORIGIN = 9,
    TENANT_REQUESTS_PER_SECOND = 10,
    TENANT_OPEN_ORDERS = 11,
    TENANT_STREAMS = 12,
    TENANT_STORED_EVENTS = 13,
    TENANT_WEBHOOK = 14, /* repeated: tenant_webhook.c */
    TENANT_WORKFLOW_KEPT = 15,
    TENANT_KEY = 16,     /* repeated: KEY_* */
    TENANT_API_KEY = 20, /* repeated: tenant_api_key.c */
    TENANT_STATUS_REASON = 21,
    TENANT_STATUS_AT = 22,
    TENANT_STATUS_BY = 23,
    TENANT_CONFIGURED = 24, /* enum tenant_part + 1 → hash */
    TENANT_CREATED_AT = 25,
};
enum { RULE_HOLDER = 1, RULE_SCOPE = 2, RULE_SCOPE_VALUE = 3, RULE_PERMISSION = 4, RULE_EVERYTHING = 5 };
enum {
    WORKFLOW_VERSION = 1,
    WORKFLOW_SOURCE = 2,
    WORKFLOW_ORIGIN = 3,
    WORKFLOW_ORIGIN_VERSION = 4,
    WORKFLOW_UPDATED_AT = 5
};
enum { KEY_HASH = 1, KEY_FINGERPRINT = 2, KEY_AT = 3 };

static void put_rules(struct oms_buf *out, unsigned field, const struct permission_rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t mark = oms_wire_begin(out, field);

        oms_wire_put_str(out, RULE_HOLDER, rules[i].holder);
        oms_wire_put_u64(out, RULE_SCOPE, rules[i].scope.kind);
        oms_wire_put_str(out, RULE_SCOPE_VALUE, rules[i].scope.value);
        if (rules[i].permissions == PERMISSION_ALL)
            oms_wire_put_u64(out, RULE_EVERYTHING, 1); /* also what a later version adds */
        for (unsigned p = 0; p < PERMISSION_COUNT && rules[i].permissions != PERMISSION_ALL; p++)
            if (rules[i].permissions & PERMISSION_BIT(p))
                oms_wire_put_str(out, RULE_PERMISSION, oms_str_of(permission_name((enum permission)p)));
        oms_wire_end(out, mark);
    }
}

static void put_configured(const struct tenant_version *tenant, struct oms_buf *out)
{
    size_t mark = oms_wire_begin(out, TENANT_CONFIGURED);

    for (unsigned i = 0; i < TENANT_PARTS; i++)
        oms_wire_put_u64(out, i + 1, tenant->configured[i]);
    oms_wire_end(out, mark);
}

static void put_body(const struct tenant_version *tenant, struct oms_buf *out)
{
    char currency[4];

    oms_wire_put_u64(out, TENANT_NUMBER, tenant->number);
    oms_wire_put_str(out, TENANT_NAME, tenant->name);
    oms_wire_put_u64(out, TENANT_STATUS, tenant->status);
    if (tenant->currency) {
        money_currency_text(tenant->currency, currency);
        oms_wire_put_str(out, TENANT_CURRENCY, oms_str_of(currency));
    }
    put_rules(out, TENANT_ROLE, tenant->permissions.roles, tenant->permissions.role_count);
    put_rules(out, TENANT_USER, tenant->permissions.users, tenant->permissions.user_count);
    for (size_t i = 0; i < tenant->workflow_count; i++) {
        size_t mark = oms_wire_begin(out, TENANT_WORKFLOW);

        oms_wire_put_u64(out, WORKFLOW_VERSION, tenant->workflows[i].version);
        oms_wire_put_str(out, WORKFLOW_SOURCE, tenant->workflows[i].source);
        oms_wire_put_u64(out, WORKFLOW_ORIGIN, tenant->workflows[i].origin);
        oms_wire_put_u64(out, WORKFLOW_ORIGIN_VERSION, (uint64_t)tenant->workflows[i].origin_version);
        oms_wire_put_u64(out, WORKFLOW_UPDATED_AT, (uint64_t)tenant->workflows[i].updated_at);
        oms_wire_end(out, mark);
    }
    for (size_t i = 0; i < tenant->cors_origin_count; i++)
        oms_wire_put_str(out, TENANT_ORIGIN, tenant->cors_origins[i]);
    oms_wire_put_u64(out, TENANT_REQUESTS_PER_SECOND, tenant->limits.requests_per_second);
    oms_wire_put_u64(out, TENANT_OPEN_ORDERS, tenant->limits.open_orders);
    oms_wire_put_u64(out, TENANT_STREAMS, tenant->limits.streams);
    oms_wire_put_u64(out, TENANT_STORED_EVENTS, tenant->limits.stored_events);
    for (size_t i = 0; i < tenant->webhook_count; i++) {
        size_t mark = oms_wire_begin(out, TENANT_WEBHOOK);

        tenant_webhook_encode(&tenant->webhooks[i], out);
        oms_wire_end(out, mark);
    }
    oms_wire_put_str(out, TENANT_STATUS_REASON, tenant->status_reason);
    oms_wire_put_u64(out, TENANT_STATUS_AT, (uint64_t)tenant->status_at);
    oms_wire_put_str(out, TENANT_STATUS_BY, tenant->status_by);
    put_configured(tenant, out);
    oms_wire_put_u64(out, TENANT_CREATED_AT, (uint64_t)tenant->created_at);
    for (size_t i = 0; i < tenant->api_key_count; i++) {
        size_t mark = oms_wire_begin(out, TENANT_API_KEY);

        tenant_api_key_encode(&tenant->api_keys[i], out);
        oms_wire_end(out, mark);
    }
}

static void put_hash(struct oms_buf *out, unsigned field, struct oms_hash128 hash)
{
    oms_wire_put_str(out, field, oms_str_make(&hash, sizeof hash));
}

void tenant_version_encode(const struct tenant_version *tenant, struct oms_buf *out)
{
    oms_wire_put_u64(out, TENANT_VERSION, tenant->version);
    put_body(tenant, out);
    if (tenant->workflow_kept)
        oms_wire_put_u64(out, TENANT_WORKFLOW_KEPT, 1);
    for (size_t i = 0; i < tenant->key_count; i++) {
        size_t mark = oms_wire_begin(out, TENANT_KEY);

        put_hash(out, KEY_HASH, tenant->keys[i].key);
        put_hash(out, KEY_FINGERPRINT, tenant->keys[i].fingerprint);
        oms_wire_put_u64(out, KEY_AT, (uint64_t)tenant->keys[i].at);
        oms_wire_end(out, mark);
    }
}

bool tenant_version_same(const struct tenant_version *a, const struct tenant_version *b)
{
    struct oms_buf left, right;
    bool same;

    oms_buf_init(&left, OMS_TENANT_STATE_BYTES_MAX);
    oms_buf_init(&right, OMS_TENANT_STATE_BYTES_MAX);
    put_body(a, &left);
    put_body(b, &right);
    same = !left.overflow && !right.overflow && oms_str_eq(oms_buf_str(&left), oms_buf_str(&right));
    oms_buf_fini(&left);
    oms_buf_fini(&right);
    return same;
}

static enum oms_status read_rule(struct permission_rows *rows, struct oms_str bytes)
{
    struct permission_scope scope = {.kind = PERMISSION_SCOPE_TENANT};
    struct oms_str holder = OMS_STR_NONE;
    enum permission permission;
    uint64_t permissions = 0;
    struct oms_wire wire;

    oms_wire_read(&wire, bytes);
    while (oms_wire_next(&wire)) {
        if (wire.field == RULE_HOLDER)
            holder = wire.bytes;
        else if (wire.field == RULE_SCOPE && wire.number <= PERMISSION_SCOPE_VENDOR)
            scope.kind = (enum permission_scope_kind)wire.number;
        else if (wire.field == RULE_SCOPE)
            return OMS_CORRUPT; /* a scope that is not understood must not become the whole tenant */
        else if (wire.field == RULE_SCOPE_VALUE)
            scope.value = wire.bytes;
        else if (wire.field == RULE_EVERYTHING)
            permissions = PERMISSION_ALL;
        else if (wire.field == RULE_PERMISSION && permission_parse(wire.bytes, &permission))
            permissions |= PERMISSION_BIT(permission);
    }
    if (wire.corrupt || permission_rows_add(rows, holder, permissions, scope) != OMS_OK)
        return OMS_CORRUPT;
    return OMS_OK;
}

static enum oms_status read_workflow(struct tenant_version *tenant, struct oms_str bytes,
                                     struct workflow *out)
{
    struct workflow told = {.version = 0};
    struct oms_str source = OMS_STR_NONE;
    uint64_t version = 0;
    struct oms_wire wire;

    oms_wire_read(&wire, bytes);
    while (oms_wire_next(&wire)) {
        if (wire.field == WORKFLOW_VERSION)
            version = wire.number;
        else if (wire.field == WORKFLOW_SOURCE)
            source = oms_str_copy(&tenant->arena, wire.bytes);
        else if (wire.field == WORKFLOW_ORIGIN && wire.number < WORKFLOW_ORIGIN_COUNT)
            told.origin = (enum workflow_origin)wire.number;
        else if (wire.field == WORKFLOW_ORIGIN_VERSION)
            told.origin_version = (int64_t)wire.number;
        else if (wire.field == WORKFLOW_UPDATED_AT)
            told.updated_at = (int64_t)wire.number;
    }
    if (wire.corrupt || !oms_str_present(source) || version == 0 || version > UINT32_MAX)
        return OMS_CORRUPT;
    if (workflow_build_stored(source, (uint32_t)version, &tenant->arena, out) != OMS_OK)
        return OMS_CORRUPT;
    out->origin = told.origin;
    out->origin_version = told.origin_version;
    out->updated_at = told.updated_at;
    return OMS_OK;
}

static enum oms_status read_configured(struct tenant_version *tenant, struct oms_str bytes)
{
    struct oms_wire wire;

    oms_wire_read(&wire, bytes);
    while (oms_wire_next(&wire))
        if (wire.field >= 1 && wire.field <= TENANT_PARTS)
            tenant->configured[wire.field - 1] = wire.number;
    return wire.corrupt ? OMS_CORRUPT : OMS_OK;
}

static enum oms_status read_key(struct oms_str bytes, struct tenant_key *out)
{
    struct oms_wire wire;

    oms_wire_read(&wire, bytes);
    while (oms_wire_next(&wire)) {
        if (wire.field == KEY_AT)
            out->at = (int64_t)wire.number;
        else if (wire.bytes.len == sizeof out->key && wire.field == KEY_HASH)
            memcpy(&out->key, wire.bytes.data, sizeof out->key);
        else if (wire.bytes.len == sizeof out->key && wire.field == KEY_FINGERPRINT)
            memcpy(&out->fingerprint, wire.bytes.data, sizeof out->key);
    }
    return wire.corrupt ? OMS_CORRUPT : OMS_OK;
}

/* What a tenant's record has of repeated fields, and rows under construction. */
struct reading {
    struct tenant_key *keys;
    struct tenant_version *tenant;
    struct permission_rows roles, users;
    struct workflow *workflows;
    struct oms_str *origins;
    struct tenant_webhook *webhooks;
    struct tenant_api_key *api_keys;
};

static enum oms_status read_scalar(struct tenant_version *tenant, const struct oms_wire *wire)
{
    switch (wire->field) {
    case TENANT_NUMBER:
        tenant->number = (uint32_t)wire->number;
        return wire->number <= UINT32_MAX ? OMS_OK : OMS_CORRUPT;
    case TENANT_VERSION:
        tenant->version = (uint32_t)wire->number;
        return wire->number <= UINT32_MAX ? OMS_OK : OMS_CORRUPT;
    case TENANT_NAME:
        tenant->name = oms_str_copy(&tenant->arena, wire->bytes);
        return tenant_name_valid(wire->bytes) ? OMS_OK : OMS_CORRUPT;
    case TENANT_STATUS:
        tenant->status = (enum tenant_status)wire->number;
        return wire->number >= TENANT_ACTIVE && wire->number <= TENANT_REMOVED ? OMS_OK : OMS_CORRUPT;
    case TENANT_STATUS_REASON:
        tenant->status_reason = oms_str_copy(&tenant->arena, wire->bytes);
        return OMS_OK;
    case TENANT_STATUS_AT:
        tenant->status_at = (int64_t)wire->number;
        return OMS_OK;
    case TENANT_STATUS_BY:
        tenant->status_by = oms_str_copy(&tenant->arena, wire->bytes);
        return OMS_OK;
    case TENANT_CONFIGURED:
        return read_configured(tenant, wire->bytes);
    case TENANT_CREATED_AT:
        tenant->created_at = (int64_t)wire->number;
        return OMS_OK;
    case TENANT_CURRENCY:
        tenant->currency = money_currency_parse(wire->bytes);
        return tenant->currency ? OMS_OK : OMS_CORRUPT;
    case TENANT_REQUESTS_PER_SECOND:
        tenant->limits.requests_per_second = wire->number;
        return OMS_OK;
    case TENANT_OPEN_ORDERS:
        tenant->limits.open_orders = wire->number;
        return OMS_OK;
    case TENANT_STREAMS:
        tenant->limits.streams = wire->number;
        return OMS_OK;
    case TENANT_STORED_EVENTS:
        tenant->limits.stored_events = wire->number;
        return OMS_OK;
    default:
        return OMS_OK;
    }
}

static enum oms_status read_tenant_field(struct reading *reading, const struct oms_wire *wire)
{
    struct tenant_version *tenant = reading->tenant;
    enum oms_status status;

    switch (wire->field) {
    case TENANT_ROLE:
        return read_rule(&reading->roles, wire->bytes);
    case TENANT_USER:
        return read_rule(&reading->users, wire->bytes);
    case TENANT_ORIGIN:
        reading->origins[tenant->cors_origin_count++] = oms_str_copy(&tenant->arena, wire->bytes);
        return OMS_OK;
    case TENANT_WEBHOOK:
        return tenant_webhook_decode(wire->bytes, &tenant->arena,
                                     &reading->webhooks[tenant->webhook_count++]);
    case TENANT_API_KEY:
        return tenant_api_key_decode(wire->bytes, &tenant->arena,
                                     &reading->api_keys[tenant->api_key_count++]);
    case TENANT_WORKFLOW_KEPT:
        tenant->workflow_kept = wire->number != 0;
        return OMS_OK;
    case TENANT_KEY:
        return read_key(wire->bytes, &reading->keys[tenant->key_count++]);
    case TENANT_WORKFLOW:
        status = read_workflow(tenant, wire->bytes, &reading->workflows[tenant->workflow_count]);
        if (status == OMS_OK && tenant->workflow_count &&
            reading->workflows[tenant->workflow_count].version <=
                reading->workflows[tenant->workflow_count - 1].version)
            return OMS_CORRUPT;
        tenant->workflow_count++;
        return status;
    default:
        return read_scalar(tenant, wire);
    }
}

static enum oms_status read_tenant(struct tenant_version *tenant, struct oms_str bytes)
{
    struct reading reading = {.tenant = tenant};
    size_t workflows = 0, origins = 0, webhooks = 0, keys = 0, api_keys = 0;
    enum oms_status status = OMS_OK;
    struct oms_wire wire;

    oms_wire_read(&wire, bytes);
    while (oms_wire_next(&wire)) {
        workflows += wire.field == TENANT_WORKFLOW;
        origins += wire.field == TENANT_ORIGIN;
        webhooks += wire.field == TENANT_WEBHOOK;
        keys += wire.field == TENANT_KEY;
        api_keys += wire.field == TENANT_API_KEY;
    }
    if (wire.corrupt || !workflows || workflows > OMS_TENANT_WORKFLOWS_MAX ||
        origins > OMS_TENANT_ORIGINS_MAX || webhooks > OMS_TENANT_WEBHOOKS_MAX ||
        keys > OMS_TENANT_KEYS_MAX || api_keys > OMS_TENANT_API_KEYS_MAX + OMS_TENANT_API_KEYS_KEPT + 1)
        return OMS_CORRUPT;
    permission_rows_init(&reading.roles, &tenant->arena);
    permission_rows_init(&reading.users, &tenant->arena);
    reading.workflows = oms_arena_calloc(&tenant->arena, workflows, sizeof *reading.workflows);
    reading.origins = oms_arena_calloc(&tenant->arena, origins + 1, sizeof *reading.origins);
    reading.webhooks = oms_arena_calloc(&tenant->arena, webhooks + 1, sizeof *reading.webhooks);
    reading.keys = oms_arena_calloc(&tenant->arena, keys + 1, sizeof *reading.keys);
    reading.api_keys = oms_arena_calloc(&tenant->arena, api_keys + 1, sizeof *reading.api_keys);
    if (!reading.api_keys || !reading.workflows || !reading.origins || !reading.webhooks || !reading.keys)
        return OMS_LIMIT;
    oms_wire_read(&wire, bytes);
    while (status == OMS_OK && oms_wire_next(&wire))
        status = read_tenant_field(&reading, &wire);
    if (status != OMS_OK)
        return status;
    tenant->workflows = reading.workflows;
    tenant->cors_origins = reading.origins;
    tenant->webhooks = reading.webhooks;
    tenant->keys = reading.keys;
    tenant->api_keys = reading.api_keys;
    permission_table_build(&reading.roles, &reading.users, &tenant->permissions);
    if (!tenant_version_index_api_keys(tenant))
        return OMS_LIMIT;
    if (!oms_str_present(tenant->name) ||
        !grants_bounded(tenant->permissions.roles, tenant->permissions.role_count) ||
        !grants_bounded(tenant->permissions.users, tenant->permissions.user_count))
        return OMS_CORRUPT;
    return tenant->arena.exhausted ? OMS_LIMIT : OMS_OK;
}

enum oms_status tenant_version_decode(struct oms_str bytes, struct tenant_version **out)
{
    struct tenant_version *tenant;
    enum oms_status status;

    *out = NULL;
    if (bytes.len > OMS_TENANT_STATE_BYTES_MAX)
        return OMS_LIMIT;
    tenant = create();
    status = read_tenant(tenant, bytes);
    if (status != OMS_OK) {
        tenant_version_release(tenant);
        return status;
    }
    *out = tenant;
    return OMS_OK;
}

/* ---- reading ---- */

const char *workflow_origin_name(enum workflow_origin origin)
{
    static const char *const names[WORKFLOW_ORIGIN_COUNT] = {"BUILT_IN", "CONFIGURATION", "API",
                                                             "WEBHOOK",  "EVENT_STREAM",  "IMPORT"};

    return names[origin];
}

const struct workflow *tenant_workflow(const struct tenant_version *tenant, uint32_t version)
{
    if (version == 0)
        return &tenant->workflows[tenant->workflow_count - 1];
    for (size_t i = tenant->workflow_count; i > 0; i--)
        if (tenant->workflows[i - 1].version == version)
            return &tenant->workflows[i - 1];
    return NULL;
}

bool tenant_allows_origin(const struct tenant_version *tenant, struct oms_str origin)
{
    for (size_t i = 0; i < tenant->cors_origin_count; i++)
        if (oms_str_eq(tenant->cors_origins[i], origin) || oms_str_eq_c(tenant->cors_origins[i], "*"))
            return true;
    return false;
}
