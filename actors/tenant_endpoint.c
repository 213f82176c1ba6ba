/* A tenant's endpoints of webhooks: the list, and its stored form. See tenant_endpoint.h. */
#include "actors/tenant_endpoint.h"

#include "actors/tenant.h"
#include "runtime/base/buf.h"
#include "runtime/base/encoding.h"
#include "runtime/base/wire.h"

#define PREFIX_LEN (sizeof(TENANT_ENDPOINT_PREFIX) - 1)

void tenant_endpoint_id(const unsigned char random[TENANT_ENDPOINT_KEY_BYTES],
                        char out[TENANT_ENDPOINT_ID_SIZE])
{
    memcpy(out, TENANT_ENDPOINT_PREFIX, PREFIX_LEN);
    oms_hex_encode(random, TENANT_ENDPOINT_KEY_BYTES, out + PREFIX_LEN);
}

bool tenant_endpoint_id_parse(struct oms_str id, unsigned char out[TENANT_ENDPOINT_KEY_BYTES])
{
    if (id.len != TENANT_ENDPOINT_ID_SIZE || !oms_str_starts(id, OMS_STR(TENANT_ENDPOINT_PREFIX)))
        return false;
    for (size_t i = PREFIX_LEN; i < id.len; i++)
        if (!((id.data[i] >= '0' && id.data[i] <= '9') || (id.data[i] >= 'a' && id.data[i] <= 'f')))
            return false; /* one spelling */
    return oms_hex_decode(oms_str_make(id.data + PREFIX_LEN, id.len - PREFIX_LEN), out,
                          TENANT_ENDPOINT_KEY_BYTES) == OMS_OK;
}

const struct tenant_endpoint *tenant_find_endpoint(const struct tenant_version *tenant, struct oms_str id)
{
    for (size_t i = 0; i < tenant->endpoint_count; i++)
        if (oms_str_eq(tenant->endpoints[i].id, id))
            return &tenant->endpoints[i];
    return NULL;
}

/* ---- changes ---- */

static struct tenant_endpoint copy_one(struct oms_arena *arena, const struct tenant_endpoint *from)
{
    struct tenant_endpoint copy = *from;

    copy.id = oms_str_copy(arena, from->id);
    copy.url = oms_str_copy(arena, from->url);
    copy.description = oms_str_copy(arena, from->description);
    copy.filter = oms_str_copy(arena, from->filter);
    for (size_t i = 0; i < from->secret_count; i++)
        copy.secrets[i].text = oms_str_copy(arena, from->secrets[i].text);
    return copy;
}

bool tenant_version_copy_endpoints(struct tenant_version *wanted, const struct tenant_version *from)
{
    struct tenant_endpoint *list = oms_arena_calloc(&wanted->arena, from->endpoint_count + 1, sizeof *list);

    if (!list)
        return false;
    for (size_t i = 0; i < from->endpoint_count; i++)
        list[i] = copy_one(&wanted->arena, &from->endpoints[i]);
    wanted->endpoints = list;
    wanted->endpoint_count = from->endpoint_count;
    return !wanted->arena.exhausted;
}

bool tenant_version_put_endpoint(struct tenant_version *wanted, const struct tenant_endpoint *endpoint,
                                 struct refusal_list *refusals)
{
    size_t at = 0, count = wanted->endpoint_count;
    struct tenant_endpoint *list = oms_arena_calloc(&wanted->arena, count + 1, sizeof *list);

    while (at < count && !oms_str_eq(wanted->endpoints[at].id, endpoint->id))
        at++;
    if (at == count && count >= OMS_TENANT_ENDPOINTS_MAX)
        return refusal_add(refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_NO_FIELD,
                           "The tenant has %zu webhook endpoints, as many as it can have: delete one first",
                           count);
    if (list) {
        if (count)
            memcpy(list, wanted->endpoints, count * sizeof *list);
        list[at] = copy_one(&wanted->arena, endpoint);
        wanted->endpoints = list;
        wanted->endpoint_count = at == count ? count + 1 : count;
    }
    if (!list || wanted->arena.exhausted)
        return refusal_add(refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_NO_FIELD, "The tenant is too large");
    return true;
}

bool tenant_version_delete_endpoint(struct tenant_version *wanted, struct oms_str id,
                                    struct refusal_list *refusals)
{
    struct tenant_endpoint *list = oms_arena_calloc(&wanted->arena, wanted->endpoint_count + 1, sizeof *list);
    size_t count = 0;

    if (!tenant_find_endpoint(wanted, id))
        return refusal_add(refusals, REFUSAL_NOT_FOUND, REFUSAL_FIELD("endpointId"),
                           "The tenant has no such webhook endpoint");
    if (!list)
        return refusal_add(refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_NO_FIELD, "The tenant is too large");
    for (size_t i = 0; i < wanted->endpoint_count; i++)
        if (!oms_str_eq(wanted->endpoints[i].id, id))
            list[count++] = wanted->endpoints[i];
    wanted->endpoints = list;
    wanted->endpoint_count = count;
    return true;
}

/* ---- codec ---- */

enum {
    ENDPOINT_ID = 1,
    ENDPOINT_URL = 2,
    ENDPOINT_DESCRIPTION = 3,
    ENDPOINT_FILTER = 4,
    ENDPOINT_SECRET = 5, /* repeated: SECRET_* */
    ENDPOINT_DISABLED = 6,
    ENDPOINT_REVISION = 7,
    ENDPOINT_START = 8,
    ENDPOINT_CREATED_AT = 9,
    ENDPOINT_UPDATED_AT = 10,
};
enum { SECRET_TEXT = 1, SECRET_UNTIL = 2 };

void tenant_endpoint_encode(const struct tenant_endpoint *endpoint, struct oms_buf *out)
{
    oms_wire_put_str(out, ENDPOINT_ID, endpoint->id);
    oms_wire_put_str(out, ENDPOINT_URL, endpoint->url);
    oms_wire_put_str(out, ENDPOINT_DESCRIPTION, endpoint->description);
    oms_wire_put_str(out, ENDPOINT_FILTER, endpoint->filter);
    for (size_t i = 0; i < endpoint->secret_count; i++) {
        size_t mark = oms_wire_begin(out, ENDPOINT_SECRET);

        oms_wire_put_str(out, SECRET_TEXT, endpoint->secrets[i].text);
        oms_wire_put_u64(out, SECRET_UNTIL, (uint64_t)endpoint->secrets[i].until);
        oms_wire_end(out, mark);
    }
    oms_wire_put_u64(out, ENDPOINT_DISABLED, endpoint->disabled);
    oms_wire_put_u64(out, ENDPOINT_REVISION, endpoint->revision);
    oms_wire_put_u64(out, ENDPOINT_START, endpoint->start);
    oms_wire_put_u64(out, ENDPOINT_CREATED_AT, (uint64_t)endpoint->created_at);
    oms_wire_put_u64(out, ENDPOINT_UPDATED_AT, (uint64_t)endpoint->updated_at);
}

static enum oms_status read_secret(struct oms_str bytes, struct oms_arena *arena, struct tenant_endpoint *out)
{
    struct tenant_secret secret = {.text = OMS_STR_NONE};
    struct oms_wire wire;

    oms_wire_read(&wire, bytes);
    while (oms_wire_next(&wire)) {
        if (wire.field == SECRET_TEXT)
            secret.text = oms_str_copy(arena, wire.bytes);
        else if (wire.field == SECRET_UNTIL)
            secret.until = (int64_t)wire.number;
    }
    if (wire.corrupt || !oms_str_present(secret.text) || out->secret_count == OMS_ENDPOINT_SECRETS_MAX)
        return OMS_CORRUPT;
    out->secrets[out->secret_count++] = secret;
    return OMS_OK;
}

static enum oms_status read_field(const struct oms_wire *wire, struct oms_arena *arena,
                                  struct tenant_endpoint *out)
{
    switch (wire->field) {
    case ENDPOINT_ID:
        out->id = oms_str_copy(arena, wire->bytes);
        return OMS_OK;
    case ENDPOINT_URL:
        out->url = oms_str_copy(arena, wire->bytes);
        return OMS_OK;
    case ENDPOINT_DESCRIPTION:
        out->description = oms_str_copy(arena, wire->bytes);
        return OMS_OK;
    case ENDPOINT_FILTER:
        out->filter = oms_str_copy(arena, wire->bytes);
        return OMS_OK;
    case ENDPOINT_SECRET:
        return read_secret(wire->bytes, arena, out);
    case ENDPOINT_DISABLED:
        out->disabled = wire->number != 0;
        return OMS_OK;
    case ENDPOINT_REVISION:
        out->revision = (uint32_t)wire->number;
        return OMS_OK;
    case ENDPOINT_START:
        out->start = wire->number;
        return OMS_OK;
    case ENDPOINT_CREATED_AT:
        out->created_at = (int64_t)wire->number;
        return OMS_OK;
    case ENDPOINT_UPDATED_AT:
        out->updated_at = (int64_t)wire->number;
        return OMS_OK;
    default:
        return OMS_OK;
    }
}

enum oms_status tenant_endpoint_decode(struct oms_str bytes, struct oms_arena *arena,
                                       struct tenant_endpoint *out)
{
    unsigned char key[TENANT_ENDPOINT_KEY_BYTES];
    enum oms_status status = OMS_OK;
    struct oms_wire wire;

    *out = (struct tenant_endpoint){.id = OMS_STR_NONE};
    oms_wire_read(&wire, bytes);
    while (status == OMS_OK && oms_wire_next(&wire))
        status = read_field(&wire, arena, out);
    if (status == OMS_OK && (wire.corrupt || !tenant_endpoint_id_parse(out->id, key) ||
                             !oms_str_present(out->url) || !out->secret_count))
        status = OMS_CORRUPT;
    return status;
}
