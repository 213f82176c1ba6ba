/*
 * A tenant from configuration; see tenant.h.
 */
#include "actors/money.h"
#include "actors/tenant_impl.h"
#include "actors/tenant_settings.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"
#include "runtime/base/value.h"

static enum oms_status too_large(struct oms_error *error)
{
    return oms_error_set(error, OMS_LIMIT, "the tenant's configuration is too large");
}

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
    tenant->rolemap_source.origin = rolemap ? WORKFLOW_CONFIGURATION : WORKFLOW_BUILT_IN;
    if (!tenant_grants_bounded(tenant->permissions.roles, tenant->permissions.role_count) ||
        !tenant_grants_bounded(tenant->permissions.users, tenant->permissions.user_count))
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
    struct tenant_version *tenant = tenant_blank();
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
