/* See tenant_settings.h. */
#include "actors/tenant_settings.h"

#include "actors/tenant_snapshot.h"

#include "runtime/base/assert.h"
#include "runtime/base/hash.h"

/* ---- changes ---- */

void tenant_version_set_status(struct tenant_version *wanted, enum tenant_status status,
                               struct oms_str reason, struct oms_str by, int64_t now_ms)
{
    if (wanted->status == status)
        return;
    wanted->status = status;
    wanted->status_reason = oms_str_copy(&wanted->arena, reason);
    wanted->status_by = oms_str_copy(&wanted->arena, by);
    wanted->status_at = now_ms;
}

enum oms_status tenant_version_set_part(struct tenant_version *wanted, const char *key,
                                        const struct oms_value *value, struct oms_error *error)
{
    return tenant_parse_part(wanted, key, value, error);
}

/* ---- what the configuration said ---- */

/* Stored, so the key and what goes in stay as they are. 0 is left for "nothing". */
static uint64_t hash_of(const struct oms_siphash *state)
{
    struct oms_siphash copy = *state;

    return oms_siphash_final(&copy).lo | 1;
}

static void hash_text(struct oms_siphash *state, struct oms_str text)
{
    oms_siphash_update(state, text.data, text.len);
    oms_siphash_update(state, "", 1);
}

/* By the permissions' names, whose numbers are of this program. The built-in one is the same in all programs.
 */
static void hash_rolemap(const struct tenant_version *tenant, struct oms_siphash *state)
{
    const struct permission_table *table = &tenant->permissions;

    if (tenant->rolemap_source.origin == WORKFLOW_BUILT_IN)
        return;
    for (size_t i = 0; i < table->role_count; i++) {
        const struct permission_rule *rule = &table->roles[i];

        hash_text(state, rule->holder);
        for (unsigned p = 0; p < PERMISSION_COUNT && rule->permissions != PERMISSION_ALL; p++)
            if (rule->permissions & PERMISSION_BIT(p))
                hash_text(state, oms_str_of(permission_name((enum permission)p)));
        hash_text(state, rule->permissions == PERMISSION_ALL ? OMS_STR("*") : OMS_STR(""));
        hash_text(state, rule->scope.kind == PERMISSION_SCOPE_TENANT     ? OMS_STR("")
                         : rule->scope.kind == PERMISSION_SCOPE_CUSTOMER ? OMS_STR("customer")
                                                                         : OMS_STR("vendor"));
        if (rule->scope.kind != PERMISSION_SCOPE_TENANT)
            hash_text(state, rule->scope.value);
    }
}

static uint64_t hash_part(const struct tenant_version *tenant, enum tenant_part part)
{
    static const struct oms_hash_key key = {UINT64_C(0x74656e616e742d70), UINT64_C(0x617274)};
    struct oms_siphash state;
    uint64_t numbers[4] = {0};

    oms_siphash_init(&state, &key);
    switch (part) {
    case TENANT_PART_STATUS:
        numbers[0] = tenant->status;
        break;
    case TENANT_PART_CURRENCY:
        numbers[0] = tenant->currency;
        break;
    case TENANT_PART_LIMITS:
        numbers[0] = tenant->limits.requests_per_second;
        numbers[1] = tenant->limits.streams;
        numbers[2] = tenant->limits.open_orders;
        numbers[3] = tenant->limits.stored_events;
        break;
    case TENANT_PART_ORIGINS:
        for (size_t i = 0; i < tenant->cors_origin_count; i++) {
            oms_siphash_update(&state, tenant->cors_origins[i].data, tenant->cors_origins[i].len);
            oms_siphash_update(&state, "", 1);
        }
        break;
    case TENANT_PART_ROLEMAP:
        hash_rolemap(tenant, &state);
        break;
    case TENANT_PARTS:
        OMS_UNREACHABLE();
    }
    oms_siphash_update(&state, numbers, sizeof numbers);
    return hash_of(&state);
}

void tenant_settings_note(struct tenant_version *tenant)
{
    for (unsigned i = 0; i < TENANT_PARTS; i++)
        tenant->configured[i] = hash_part(tenant, (enum tenant_part)i);
}

void tenant_settings_unnote(struct tenant_version *tenant)
{
    memset(tenant->configured, 0, sizeof tenant->configured);
}

/* ---- following ---- */

static void keep_part(struct tenant_version *wanted, const struct tenant_version *before,
                      enum tenant_part part)
{
    struct oms_str *origins;

    switch (part) {
    case TENANT_PART_STATUS:
        wanted->status = before->status;
        break;
    case TENANT_PART_CURRENCY:
        wanted->currency = before->currency;
        break;
    case TENANT_PART_LIMITS:
        wanted->limits = before->limits;
        break;
    case TENANT_PART_ORIGINS:
        origins = oms_arena_calloc(&wanted->arena, before->cors_origin_count + 1, sizeof *origins);
        if (!origins)
            return; /* the arena is exhausted, which the caller sees */
        for (size_t i = 0; i < before->cors_origin_count; i++)
            origins[i] = oms_str_copy(&wanted->arena, before->cors_origins[i]);
        wanted->cors_origins = origins;
        wanted->cors_origin_count = before->cors_origin_count;
        break;
    case TENANT_PART_ROLEMAP:
        /* What was built in, or configured, is built again: a later program may grant more by it. */
        if (before->rolemap_source.origin > WORKFLOW_CONFIGURATION)
            (void)tenant_version_copy_rolemap(wanted, before); /* an exhausted arena the caller sees */
        else
            wanted->rolemap_source = before->rolemap_source;
        break;
    case TENANT_PARTS:
        OMS_UNREACHABLE();
    }
}

void tenant_settings_follow(struct tenant_version *wanted, const struct tenant_version *before)
{
    for (unsigned i = 0; i < TENANT_PARTS; i++)
        if (before->configured[i] && before->configured[i] == wanted->configured[i])
            keep_part(wanted, before, (enum tenant_part)i);
    wanted->created_at = before->created_at;
    if (wanted->status != before->status)
        return; /* the configuration says so, and has no reason */
    wanted->status_reason = oms_str_copy(&wanted->arena, before->status_reason);
    wanted->status_by = oms_str_copy(&wanted->arena, before->status_by);
    wanted->status_at = before->status_at;
}
