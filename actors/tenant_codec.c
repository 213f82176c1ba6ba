/*
 * The stored form of tenant versions, and their comparison by it; see tenant.h.
 *
 * It keeps permissions by name and workflows as the JSON they were built from, so that a later program, in
 * which a permission or a condition has been added, still reads what was meant.
 */
#include "actors/money.h"
#include "actors/tenant_impl.h"
#include "runtime/base/buf.h"
#include "runtime/base/limits.h"
#include "runtime/base/wire.h"

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
    TENANT_ROLEMAP_SOURCE = 30, /* SOURCE_*, like the next two */
    TENANT_WAREHOUSES_SOURCE = 31,
    TENANT_CARRIERS_SOURCE = 32,
    TENANT_FULFILLMENT = 33, /* fulfillment.c */
    TENANT_ENDPOINT = 40,    /* repeated: tenant_endpoint.c */
};
enum { RULE_HOLDER = 1, RULE_SCOPE = 2, RULE_SCOPE_VALUE = 3, RULE_PERMISSION = 4, RULE_EVERYTHING = 5 };
enum {
    WORKFLOW_VERSION = 1,
    WORKFLOW_SOURCE = 2,
    WORKFLOW_ORIGIN = 3,
    WORKFLOW_ORIGIN_VERSION = 4,
    WORKFLOW_UPDATED_AT = 5
};
enum { SOURCE_ORIGIN = 1, SOURCE_VERSION = 2, SOURCE_UPDATED_AT = 3 };
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

static void put_source(struct oms_buf *out, unsigned field, const struct tenant_source *source)
{
    size_t mark = oms_wire_begin(out, field);

    oms_wire_put_u64(out, SOURCE_ORIGIN, source->origin);
    oms_wire_put_u64(out, SOURCE_VERSION, (uint64_t)source->version);
    oms_wire_put_u64(out, SOURCE_UPDATED_AT, (uint64_t)source->updated_at);
    oms_wire_end(out, mark);
}

static void put_fulfillment(struct oms_buf *out, const struct fulfillment *all)
{
    size_t mark = oms_wire_begin(out, TENANT_FULFILLMENT);

    fulfillment_encode_warehouses(all, out);
    fulfillment_encode_carriers(all, out);
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
    put_source(out, TENANT_ROLEMAP_SOURCE, &tenant->rolemap_source);
    put_source(out, TENANT_WAREHOUSES_SOURCE, &tenant->warehouses_source);
    put_source(out, TENANT_CARRIERS_SOURCE, &tenant->carriers_source);
    put_fulfillment(out, &tenant->fulfillment);
    oms_wire_put_u64(out, TENANT_CREATED_AT, (uint64_t)tenant->created_at);
    for (size_t i = 0; i < tenant->api_key_count; i++) {
        size_t mark = oms_wire_begin(out, TENANT_API_KEY);

        tenant_api_key_encode(&tenant->api_keys[i], out);
        oms_wire_end(out, mark);
    }
    for (size_t i = 0; i < tenant->endpoint_count; i++) {
        size_t mark = oms_wire_begin(out, TENANT_ENDPOINT);

        tenant_endpoint_encode(&tenant->endpoints[i], out);
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

static enum oms_status read_source(struct oms_str bytes, struct tenant_source *out)
{
    struct oms_wire wire;

    oms_wire_read(&wire, bytes);
    while (oms_wire_next(&wire)) {
        if (wire.field == SOURCE_ORIGIN && wire.number < WORKFLOW_ORIGIN_COUNT)
            out->origin = (enum workflow_origin)wire.number;
        else if (wire.field == SOURCE_VERSION)
            out->version = (int64_t)wire.number;
        else if (wire.field == SOURCE_UPDATED_AT)
            out->updated_at = (int64_t)wire.number;
    }
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
    struct tenant_endpoint *endpoints;
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
    case TENANT_ROLEMAP_SOURCE:
        return read_source(wire->bytes, &tenant->rolemap_source);
    case TENANT_WAREHOUSES_SOURCE:
        return read_source(wire->bytes, &tenant->warehouses_source);
    case TENANT_CARRIERS_SOURCE:
        return read_source(wire->bytes, &tenant->carriers_source);
    case TENANT_FULFILLMENT:
        return fulfillment_decode(wire->bytes, &tenant->arena, &tenant->fulfillment);
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
    case TENANT_ENDPOINT:
        return tenant_endpoint_decode(wire->bytes, &tenant->arena,
                                      &reading->endpoints[tenant->endpoint_count++]);
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
    size_t workflows = 0, origins = 0, webhooks = 0, keys = 0, api_keys = 0, endpoints = 0;
    enum oms_status status = OMS_OK;
    struct oms_wire wire;

    oms_wire_read(&wire, bytes);
    while (oms_wire_next(&wire)) {
        workflows += wire.field == TENANT_WORKFLOW;
        origins += wire.field == TENANT_ORIGIN;
        webhooks += wire.field == TENANT_WEBHOOK;
        keys += wire.field == TENANT_KEY;
        api_keys += wire.field == TENANT_API_KEY;
        endpoints += wire.field == TENANT_ENDPOINT;
    }
    if (wire.corrupt || !workflows || workflows > OMS_TENANT_WORKFLOWS_MAX ||
        origins > OMS_TENANT_ORIGINS_MAX || webhooks > OMS_TENANT_WEBHOOKS_MAX ||
        keys > OMS_TENANT_KEYS_MAX || api_keys > OMS_TENANT_API_KEYS_MAX + OMS_TENANT_API_KEYS_KEPT + 1 ||
        endpoints > OMS_TENANT_ENDPOINTS_MAX)
        return OMS_CORRUPT;
    permission_rows_init(&reading.roles, &tenant->arena);
    permission_rows_init(&reading.users, &tenant->arena);
    reading.workflows = oms_arena_calloc(&tenant->arena, workflows, sizeof *reading.workflows);
    reading.origins = oms_arena_calloc(&tenant->arena, origins + 1, sizeof *reading.origins);
    reading.webhooks = oms_arena_calloc(&tenant->arena, webhooks + 1, sizeof *reading.webhooks);
    reading.keys = oms_arena_calloc(&tenant->arena, keys + 1, sizeof *reading.keys);
    reading.api_keys = oms_arena_calloc(&tenant->arena, api_keys + 1, sizeof *reading.api_keys);
    reading.endpoints = oms_arena_calloc(&tenant->arena, endpoints + 1, sizeof *reading.endpoints);
    if (!reading.endpoints || !reading.api_keys || !reading.workflows || !reading.origins ||
        !reading.webhooks || !reading.keys)
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
    tenant->endpoints = reading.endpoints;
    permission_table_build(&reading.roles, &reading.users, &tenant->permissions);
    if (!tenant_version_index_api_keys(tenant))
        return OMS_LIMIT;
    if (!oms_str_present(tenant->name) ||
        !tenant_grants_bounded(tenant->permissions.roles, tenant->permissions.role_count) ||
        !tenant_grants_bounded(tenant->permissions.users, tenant->permissions.user_count))
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
    tenant = tenant_blank();
    status = read_tenant(tenant, bytes);
    if (status != OMS_OK) {
        tenant_version_release(tenant);
        return status;
    }
    *out = tenant;
    return OMS_OK;
}
