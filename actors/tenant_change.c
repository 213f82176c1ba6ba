/*
 * What follows a tenant's version: the next one from configuration, and changes of one part; see tenant.h.
 */
#include "actors/tenant_impl.h"
#include "actors/tenant_settings.h"
#include "actors/tenant_snapshot.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/limits.h"

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
    if (!workflows || !copy_keys(wanted, before) || !tenant_version_copy_api_keys(wanted, before) ||
        !tenant_version_copy_fulfillment(wanted, before) || !tenant_version_copy_endpoints(wanted, before))
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
                           struct tenant_snapshot *snapshot, struct refusal_list *refusals)
{
    const struct tenant_source source = {.origin = now->origin, .version = now->origin_version};

    return tenant_snapshot_check(&source, snapshot, oms_str_eq(now->source, new->source), "sourceVersion",
                                 refusals);
}

bool tenant_version_set_workflow(struct tenant_version *wanted, const struct oms_value *workflow,
                                 struct tenant_snapshot *snapshot, struct refusal_list *refusals)
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
    if (!check_snapshot(now, &built, snapshot, refusals))
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
