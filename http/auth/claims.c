/* Counting, and the choice of the tenant: a table of who may name what. */
#include "http/auth/claims.h"

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

#define ARENA_CHUNK 1024u
#define ARENA_MAX   (256u << 10)

struct http_claims *http_claims_create(void)
{
    struct http_claims *claims = oms_calloc(1, sizeof(*claims));
    claims->holds = 1;
    oms_arena_init(&claims->arena, ARENA_CHUNK, ARENA_MAX);
    return claims;
}

/* Only the count changes: to all readers they are constant. */
static struct http_claims *writable(const struct http_claims *claims)
{
    return (struct http_claims *)(uintptr_t)claims;
}

const struct http_claims *http_claims_hold(const struct http_claims *claims)
{
    OMS_ASSERT(claims->holds > 0);
    writable(claims)->holds++;
    return claims;
}

static const struct oms_str *copy_list(struct oms_arena *arena, const struct oms_str *list, size_t count)
{
    struct oms_str *copy = oms_arena_calloc(arena, count + 1, sizeof(*copy));
    OMS_ASSERT(copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = oms_str_copy(arena, list[i]);
    return copy;
}

struct http_claims *http_claims_copy(const struct http_claims *claims)
{
    struct http_claims *copy = http_claims_create();
    struct oms_arena *arena = &copy->arena;
    struct oms_arena fresh = *arena;
    *copy = *claims;
    copy->holds = 1;
    copy->arena = fresh;
    /* The arena's maximum is that of the original, which held the same. */
    copy->issuer = oms_str_copy(arena, claims->issuer);
    copy->subject = oms_str_copy(arena, claims->subject);
    copy->display_name = oms_str_copy(arena, claims->display_name);
    copy->vendor_id = oms_str_copy(arena, claims->vendor_id);
    copy->customer_id = oms_str_copy(arena, claims->customer_id);
    copy->tenants = copy_list(arena, claims->tenants, claims->tenant_count);
    copy->roles = copy_list(arena, claims->roles, claims->role_count);
    return copy;
}

void http_claims_release(const struct http_claims *claims)
{
    if (!claims)
        return;
    OMS_ASSERT(claims->holds > 0);
    struct http_claims *ours = writable(claims);
    if (--ours->holds)
        return;
    oms_arena_fini(&ours->arena);
    oms_free(ours);
}

void http_claims_principal(const struct http_claims *claims, uint32_t tenant, struct principal *out)
{
    *out = (struct principal){
        .kind = claims->kind,
        .tenant = tenant,
        .is_operator = claims->is_operator,
        .subject = claims->subject,
        .display_name = claims->display_name,
        .vendor_id = claims->vendor_id,
        .customer_id = claims->customer_id,
        .roles = claims->roles,
        .role_count = claims->role_count,
    };
}

static bool among(struct oms_str name, const struct oms_str *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (oms_str_eq(name, names[i]))
            return true;
    return false;
}

static bool issuer_allows(const struct http_claims *claims, struct oms_str name)
{
    return claims->any_tenant || among(name, claims->allowed_tenants, claims->allowed_tenant_count);
}

enum http_tenant_fault http_claims_tenant(const struct http_claims *claims, struct oms_str header,
                                          struct oms_str requested, struct oms_str single_tenant,
                                          struct oms_str *out)
{
    if (header.len && requested.len && !oms_str_eq(header, requested))
        return HTTP_TENANT_CONFLICT;
    struct oms_str named = requested.len ? requested : header;
    /* In single-tenant mode a token without the claim means that tenant. */
    bool means_single = single_tenant.len && !claims->tenant_claimed;
    if (!named.len) {
        if (claims->tenant_count == 1)
            named = claims->tenants[0];
        else if (claims->tenant_count == 0 && (means_single || (claims->is_operator && single_tenant.len)))
            named = single_tenant;
        else
            return claims->tenant_count || claims->is_operator ? HTTP_TENANT_REQUIRED : HTTP_TENANT_FORBIDDEN;
    }
    bool in_token = among(named, claims->tenants, claims->tenant_count);
    bool is_single = means_single && oms_str_eq(named, single_tenant) && issuer_allows(claims, named);
    if (!in_token && !is_single && !claims->is_operator)
        return HTTP_TENANT_FORBIDDEN;
    *out = named;
    return HTTP_TENANT_FINE;
}

const char *http_tenant_fault_message(enum http_tenant_fault fault)
{
    switch (fault) {
    case HTTP_TENANT_FINE:
        return "fine";
    case HTTP_TENANT_REQUIRED:
        return "name the tenant by tenantId or the header X-Tenant-Id";
    case HTTP_TENANT_FORBIDDEN:
        return "the token does not give access to this tenant";
    case HTTP_TENANT_CONFLICT:
        return "tenantId and the header X-Tenant-Id name different tenants";
    }
    OMS_UNREACHABLE();
}
