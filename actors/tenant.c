/*
 * Tenant versions: their life, and what is read of them; see tenant.h.
 *
 * Made from configuration: tenant_parse.c; changed: tenant_change.c; stored: tenant_codec.c.
 */
#include "actors/tenant_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

/* ---- life ---- */

struct tenant_version *tenant_blank(void)
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

/* A caller's request walks all scopes of its roles: their number is bounded. */
bool tenant_grants_bounded(const struct permission_rule *rules, size_t count)
{
    size_t run = 0;

    for (size_t i = 0; i < count; i++) {
        run = i && oms_str_eq(rules[i].holder, rules[i - 1].holder) ? run + 1 : 1;
        if (run > OMS_TENANT_GRANTS_MAX)
            return false;
    }
    return true;
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
