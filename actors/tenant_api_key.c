/* A tenant's API keys: the list, its stored form, and what the permission table knows of it. */
#include "actors/tenant_api_key.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "actors/tenant.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/encoding.h"
#include "runtime/base/limits.h"
#include "runtime/base/wire.h"

/* ---- reading ---- */

enum tenant_api_key_status tenant_api_key_status(const struct tenant_api_key *key, int64_t now_ms)
{
    if (key->revoked_at)
        return TENANT_API_KEY_REVOKED;
    return key->expires_at && key->expires_at <= now_ms ? TENANT_API_KEY_EXPIRED : TENANT_API_KEY_LIVE;
}

const char *tenant_api_key_status_name(enum tenant_api_key_status status)
{
    static const char *const names[] = {[TENANT_API_KEY_LIVE] = "ACTIVE",
                                        [TENANT_API_KEY_EXPIRED] = "EXPIRED",
                                        [TENANT_API_KEY_REVOKED] = "REVOKED"};

    return names[status];
}

const struct tenant_api_key *tenant_find_api_key(const struct tenant_version *tenant, struct oms_str id)
{
    for (size_t i = 0; i < tenant->api_key_count; i++)
        if (oms_str_eq(tenant->api_keys[i].id, id))
            return &tenant->api_keys[i];
    return NULL;
}

void tenant_api_key_id(uint32_t tenant, const unsigned char random[6], char out[TENANT_API_KEY_ID_SIZE])
{
    unsigned char bytes[10] = {(unsigned char)(tenant >> 24), (unsigned char)(tenant >> 16),
                               (unsigned char)(tenant >> 8), (unsigned char)tenant};

    memcpy(bytes + 4, random, 6);
    oms_hex_encode(bytes, sizeof bytes, out);
}

bool tenant_api_key_id_parse(struct oms_str id, uint32_t *tenant)
{
    unsigned char bytes[TENANT_API_KEY_ID_SIZE / 2];

    if (id.len != TENANT_API_KEY_ID_SIZE)
        return false;
    for (size_t i = 0; i < id.len; i++)
        if (!((id.data[i] >= '0' && id.data[i] <= '9') || (id.data[i] >= 'a' && id.data[i] <= 'f')))
            return false; /* one spelling, so that one key has one id */
    if (oms_hex_decode(id, bytes, sizeof bytes) != OMS_OK)
        return false;
    *tenant =
        (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | (uint32_t)bytes[3];
    return true;
}

/* ---- the permission table ---- */

static int compare_holders(const void *a, const void *b)
{
    const struct permission_rule *x = a, *y = b;

    return oms_str_compare(x->holder, y->holder);
}

bool tenant_version_index_api_keys(struct tenant_version *tenant)
{
    struct permission_rule *rules =
        oms_arena_calloc(&tenant->arena, tenant->api_key_count + 1, sizeof *rules);
    size_t count = 0;

    if (!rules)
        return false;
    for (size_t i = 0; i < tenant->api_key_count; i++) {
        const struct tenant_api_key *key = &tenant->api_keys[i];

        if (!key->revoked_at)
            rules[count++] = (struct permission_rule){key->id, key->scope, key->permissions};
    }
    qsort(rules, count, sizeof *rules, compare_holders);
    tenant->permissions.keys = rules;
    tenant->permissions.key_count = count;
    return true;
}

/* ---- changes ---- */

static struct tenant_api_key copy_key(struct oms_arena *arena, const struct tenant_api_key *from)
{
    struct tenant_api_key copy = *from;

    copy.id = oms_str_copy(arena, from->id);
    copy.name = oms_str_copy(arena, from->name);
    copy.created_by = oms_str_copy(arena, from->created_by);
    copy.revoked_by = oms_str_copy(arena, from->revoked_by);
    copy.scope.value = oms_str_copy(arena, from->scope.value);
    return copy;
}

bool tenant_version_copy_api_keys(struct tenant_version *wanted, const struct tenant_version *from)
{
    struct tenant_api_key *keys = oms_arena_calloc(&wanted->arena, from->api_key_count + 1, sizeof *keys);

    if (!keys)
        return false;
    for (size_t i = 0; i < from->api_key_count; i++)
        keys[i] = copy_key(&wanted->arena, &from->api_keys[i]);
    wanted->api_keys = keys;
    wanted->api_key_count = from->api_key_count;
    return tenant_version_index_api_keys(wanted) && !wanted->arena.exhausted;
}

/* Copies the list with room for one more, less the oldest keys that are of no use when there are many. */
static struct tenant_api_key *list_for_one_more(struct tenant_version *wanted, size_t spent, int64_t now_ms,
                                                size_t *count)
{
    struct tenant_api_key *keys = oms_arena_calloc(&wanted->arena, wanted->api_key_count + 1, sizeof *keys);
    size_t drop = spent > OMS_TENANT_API_KEYS_KEPT ? spent - OMS_TENANT_API_KEYS_KEPT : 0;

    *count = 0;
    for (size_t i = 0; keys && i < wanted->api_key_count; i++) {
        const struct tenant_api_key *key = &wanted->api_keys[i];

        if (drop && tenant_api_key_status(key, now_ms) != TENANT_API_KEY_LIVE)
            drop--;
        else
            keys[(*count)++] = *key;
    }
    return keys;
}

bool tenant_version_add_api_key(struct tenant_version *wanted, const struct tenant_api_key *key,
                                int64_t now_ms, struct refusal_list *refusals)
{
    struct tenant_api_key *keys;
    size_t live = 0, count;

    for (size_t i = 0; i < wanted->api_key_count; i++)
        live += tenant_api_key_status(&wanted->api_keys[i], now_ms) == TENANT_API_KEY_LIVE;
    if (live >= OMS_TENANT_API_KEYS_MAX)
        return refusal_add(refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_NO_FIELD,
                           "The tenant has %zu live API keys, as many as it can have: revoke one first",
                           live);
    if (tenant_find_api_key(wanted, key->id)) /* one of 2^48 */
        return refusal_add(refusals, REFUSAL_BUSY, REFUSAL_NO_FIELD, "Retry: the key's id is taken");
    keys = list_for_one_more(wanted, wanted->api_key_count - live, now_ms, &count);
    if (keys) {
        keys[count++] = copy_key(&wanted->arena, key);
        wanted->api_keys = keys;
        wanted->api_key_count = count;
    }
    if (!keys || !tenant_version_index_api_keys(wanted) || wanted->arena.exhausted)
        return refusal_add(refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_NO_FIELD, "The tenant is too large");
    return true;
}

bool tenant_version_revoke_api_key(struct tenant_version *wanted, struct oms_str id, struct oms_str by,
                                   int64_t now_ms, struct refusal_list *refusals)
{
    const struct tenant_api_key *found = tenant_find_api_key(wanted, id);
    /* The list was made for this copy, which nobody else has yet. */
    struct tenant_api_key *key = (struct tenant_api_key *)(uintptr_t)found;

    if (!key)
        return refusal_add(refusals, REFUSAL_NOT_FOUND, REFUSAL_FIELD("apiKeyId"),
                           "The tenant has no such API key");
    if (key->revoked_at)
        return true;
    key->revoked_at = now_ms;
    key->revoked_by = oms_str_copy(&wanted->arena, by);
    if (!tenant_version_index_api_keys(wanted) || wanted->arena.exhausted)
        return refusal_add(refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_NO_FIELD, "The tenant is too large");
    return true;
}

/* ---- codec ---- */

enum {
    API_KEY_ID = 1,
    API_KEY_HASH = 2,
    API_KEY_NAME = 3,
    API_KEY_PERMISSION = 4, /* repeated: by name */
    API_KEY_SCOPE = 5,
    API_KEY_SCOPE_VALUE = 6,
    API_KEY_CREATED_AT = 7,
    API_KEY_CREATED_BY = 8,
    API_KEY_EXPIRES_AT = 9,
    API_KEY_REVOKED_AT = 10,
    API_KEY_REVOKED_BY = 11,
};

void tenant_api_key_encode(const struct tenant_api_key *key, struct oms_buf *out)
{
    oms_wire_put_str(out, API_KEY_ID, key->id);
    oms_wire_put_str(out, API_KEY_HASH, oms_str_make(key->hash, sizeof key->hash));
    oms_wire_put_str(out, API_KEY_NAME, key->name);
    for (unsigned p = 0; p < PERMISSION_COUNT; p++)
        if (key->permissions & PERMISSION_BIT(p))
            oms_wire_put_str(out, API_KEY_PERMISSION, oms_str_of(permission_name((enum permission)p)));
    oms_wire_put_u64(out, API_KEY_SCOPE, key->scope.kind);
    oms_wire_put_str(out, API_KEY_SCOPE_VALUE, key->scope.value);
    oms_wire_put_u64(out, API_KEY_CREATED_AT, (uint64_t)key->created_at);
    oms_wire_put_str(out, API_KEY_CREATED_BY, key->created_by);
    oms_wire_put_u64(out, API_KEY_EXPIRES_AT, (uint64_t)key->expires_at);
    oms_wire_put_u64(out, API_KEY_REVOKED_AT, (uint64_t)key->revoked_at);
    oms_wire_put_str(out, API_KEY_REVOKED_BY, key->revoked_by);
}

static enum oms_status read_field(const struct oms_wire *wire, struct oms_arena *arena,
                                  struct tenant_api_key *out)
{
    enum permission permission;

    switch (wire->field) {
    case API_KEY_ID:
        out->id = oms_str_copy(arena, wire->bytes);
        return OMS_OK;
    case API_KEY_HASH:
        if (wire->bytes.len != sizeof out->hash)
            return OMS_CORRUPT;
        memcpy(out->hash, wire->bytes.data, sizeof out->hash);
        return OMS_OK;
    case API_KEY_NAME:
        out->name = oms_str_copy(arena, wire->bytes);
        return OMS_OK;
    case API_KEY_PERMISSION: /* one that a later program had is not understood, and not given */
        if (permission_parse(wire->bytes, &permission))
            out->permissions |= PERMISSION_BIT(permission);
        return OMS_OK;
    case API_KEY_SCOPE: /* a scope that is not understood must not become the whole tenant */
        out->scope.kind = (enum permission_scope_kind)wire->number;
        return wire->number <= PERMISSION_SCOPE_VENDOR ? OMS_OK : OMS_CORRUPT;
    case API_KEY_SCOPE_VALUE:
        out->scope.value = oms_str_copy(arena, wire->bytes);
        return OMS_OK;
    case API_KEY_CREATED_AT:
        out->created_at = (int64_t)wire->number;
        return OMS_OK;
    case API_KEY_CREATED_BY:
        out->created_by = oms_str_copy(arena, wire->bytes);
        return OMS_OK;
    case API_KEY_EXPIRES_AT:
        out->expires_at = (int64_t)wire->number;
        return OMS_OK;
    case API_KEY_REVOKED_AT:
        out->revoked_at = (int64_t)wire->number;
        return OMS_OK;
    case API_KEY_REVOKED_BY:
        out->revoked_by = oms_str_copy(arena, wire->bytes);
        return OMS_OK;
    default:
        return OMS_OK;
    }
}

enum oms_status tenant_api_key_decode(struct oms_str bytes, struct oms_arena *arena,
                                      struct tenant_api_key *out)
{
    enum oms_status status = OMS_OK;
    struct oms_wire wire;
    uint32_t tenant;

    *out = (struct tenant_api_key){.scope.kind = PERMISSION_SCOPE_TENANT};
    oms_wire_read(&wire, bytes);
    while (status == OMS_OK && oms_wire_next(&wire))
        status = read_field(&wire, arena, out);
    if (status == OMS_OK && (wire.corrupt || !tenant_api_key_id_parse(out->id, &tenant) ||
                             (out->scope.kind != PERMISSION_SCOPE_TENANT && !out->scope.value.len)))
        status = OMS_CORRUPT;
    return status;
}
