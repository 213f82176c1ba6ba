/*
 * A chained hash table of (origin, tenant) pairs; the union is kept in the same table under a tenant number
 * that no tenant has, with a count of the tenants that name the origin. The pairs of a tenant are linked from
 * a pair with an empty origin, so that a change of one tenant touches only its own.
 *
 * Origins come from the network, so the table's hash is keyed.
 */
#include "http/cors.h"

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/hash.h"
#include "runtime/base/prng.h"

#define UNION_TENANT UINT32_MAX
#define ALLOWED_HEADERS                                                                                      \
    "authorization, content-type, idempotency-key, last-event-id, traceparent, x-tenant-id"
#define EXPOSED_HEADERS "Retry-After"
#define MAX_AGE_SECONDS "7200" /* what browsers cap it at */

struct pair {
    struct pair *next;           /* in the bucket */
    struct pair *next_of_tenant; /* from the tenant's pair with an empty origin on */
    uint32_t tenant;
    uint32_t count; /* of the union: how many tenants name it */
    size_t len;
    char origin[];
};

struct http_cors {
    bool allow_any;
    struct oms_hash_key key;
    size_t pair_count;
    size_t bucket_count; /* a power of two */
    struct pair **buckets;
};

struct http_cors *http_cors_create(bool allow_any)
{
    struct http_cors *cors = oms_calloc(1, sizeof(*cors));
    cors->allow_any = allow_any;
    oms_random_bytes(&cors->key, sizeof(cors->key));
    cors->bucket_count = 64;
    cors->buckets = oms_calloc(cors->bucket_count, sizeof(*cors->buckets));
    return cors;
}

void http_cors_destroy(struct http_cors *cors)
{
    if (!cors)
        return;
    for (size_t i = 0; i < cors->bucket_count; i++) {
        while (cors->buckets[i]) {
            struct pair *pair = cors->buckets[i];
            cors->buckets[i] = pair->next;
            oms_free(pair);
        }
    }
    oms_free(cors->buckets);
    oms_free(cors);
}

static struct pair **find(struct http_cors *cors, uint32_t tenant, struct oms_str origin)
{
    uint64_t hash = oms_siphash64(&cors->key, origin.data, origin.len) ^ oms_mix64(tenant + UINT64_C(1));
    struct pair **at = &cors->buckets[hash & (cors->bucket_count - 1)];
    while (*at && !((*at)->tenant == tenant && oms_str_eq(oms_str_make((*at)->origin, (*at)->len), origin)))
        at = &(*at)->next;
    return at;
}

static void grow(struct http_cors *cors)
{
    struct pair **old = cors->buckets;
    size_t old_count = cors->bucket_count;
    cors->bucket_count *= 2;
    cors->buckets = oms_calloc(cors->bucket_count, sizeof(*cors->buckets));
    for (size_t i = 0; i < old_count; i++) {
        while (old[i]) {
            struct pair *pair = old[i];
            old[i] = pair->next;
            pair->next = NULL;
            *find(cors, pair->tenant, oms_str_make(pair->origin, pair->len)) = pair;
        }
    }
    oms_free(old);
}

/* The pair, made when it is not there. */
static struct pair *take(struct http_cors *cors, uint32_t tenant, struct oms_str origin)
{
    struct pair **at = find(cors, tenant, origin);
    if (*at)
        return *at;
    struct pair *pair = oms_malloc(sizeof(*pair) + origin.len);
    *pair = (struct pair){.tenant = tenant, .len = origin.len};
    if (origin.len)
        memcpy(pair->origin, origin.data, origin.len);
    *at = pair;
    if (++cors->pair_count > cors->bucket_count)
        grow(cors);
    return pair;
}

static void drop(struct http_cors *cors, struct pair *pair)
{
    struct pair **at = find(cors, pair->tenant, oms_str_make(pair->origin, pair->len));
    OMS_ASSERT(*at == pair);
    *at = pair->next;
    cors->pair_count--;
    oms_free(pair);
}

static void forget_tenant(struct http_cors *cors, uint32_t tenant)
{
    struct pair *head = *find(cors, tenant, OMS_STR(""));
    if (!head)
        return;
    struct pair *pair = head->next_of_tenant;
    while (pair) {
        struct pair *next = pair->next_of_tenant;
        struct pair *shared = *find(cors, UNION_TENANT, oms_str_make(pair->origin, pair->len));
        OMS_ASSERT(shared && shared->count > 0);
        if (--shared->count == 0)
            drop(cors, shared);
        drop(cors, pair);
        pair = next;
    }
    drop(cors, head);
}

void http_cors_set(struct http_cors *cors, uint32_t tenant, const struct oms_str *origins, size_t count)
{
    OMS_ASSERT(tenant != UNION_TENANT);
    forget_tenant(cors, tenant);
    if (count == 0)
        return;
    struct pair *head = take(cors, tenant, OMS_STR(""));
    for (size_t i = 0; i < count; i++) {
        if (origins[i].len == 0 || *find(cors, tenant, origins[i]))
            continue; /* named twice */
        struct pair *pair = take(cors, tenant, origins[i]);
        pair->next_of_tenant = head->next_of_tenant;
        head->next_of_tenant = pair;
        take(cors, UNION_TENANT, origins[i])->count++;
    }
}

/* Lower-case letters, digits, '-', '.', and '_', which some hosts have; or an IPv6 address in brackets. */
static bool host_valid(struct oms_str host)
{
    if (host.len >= 2 && host.data[0] == '[' && host.data[host.len - 1] == ']') {
        for (size_t i = 1; i + 1 < host.len; i++)
            if (!strchr("0123456789abcdef:.", host.data[i]))
                return false;
        return host.len > 2;
    }
    for (size_t i = 0; i < host.len; i++) {
        char c = host.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_'))
            return false;
    }
    return host.len > 0;
}

/* What stands behind "scheme://", or absent. */
static struct oms_str behind_scheme(struct oms_str origin)
{
    size_t i = 0;
    while (i < origin.len &&
           ((origin.data[i] >= 'a' && origin.data[i] <= 'z') ||
            (i > 0 && (origin.data[i] == '-' || origin.data[i] == '+' || origin.data[i] == '.' ||
                       (origin.data[i] >= '0' && origin.data[i] <= '9')))))
        i++;
    if (i == 0 || origin.len - i < 3 || memcmp(origin.data + i, "://", 3) != 0)
        return OMS_STR_NONE;
    return oms_str_make(origin.data + i + 3, origin.len - i - 3);
}

bool http_cors_origin_valid(struct oms_str origin)
{
    if (oms_str_eq(origin, OMS_STR("*")))
        return true;
    if (origin.len > 512)
        return false;
    struct oms_str host = behind_scheme(origin);
    if (!oms_str_present(host))
        return false;
    size_t colon = host.len;
    while (colon > 0 && host.data[colon - 1] >= '0' && host.data[colon - 1] <= '9')
        colon--;
    if (colon > 0 && colon < host.len && host.data[colon - 1] == ':') {
        if (host.len - colon > 5)
            return false;
        host.len = colon - 1;
    }
    return host_valid(host);
}

static bool allowed(struct http_cors *cors, uint32_t tenant, struct oms_str origin)
{
    return cors->allow_any || (origin.len && *find(cors, tenant, origin)) ||
           *find(cors, tenant, OMS_STR("*"));
}

/* The page came from this very server (whatever a proxy in front did to the scheme). */
static bool same_origin(const struct http_exchange *exchange, struct oms_str origin)
{
    struct oms_str host = behind_scheme(origin);
    return host.len && exchange->authority.len && oms_str_eq_nocase(host, exchange->authority);
}

static void put(struct http_exchange *exchange, struct oms_str name, struct oms_str value)
{
    OMS_ASSERT(exchange->cors_count < OMS_COUNT_OF(exchange->cors));
    exchange->cors[exchange->cors_count++] = (struct http_header){name, value};
}

static void put_headers(struct http_cors *cors, struct http_exchange *exchange, struct oms_str origin,
                        bool allow)
{
    exchange->cors_count = 0;
    if (allow) {
        put(exchange, OMS_STR("access-control-allow-origin"), cors->allow_any ? OMS_STR("*") : origin);
        put(exchange, OMS_STR("access-control-expose-headers"), OMS_STR(EXPOSED_HEADERS));
    }
    if (!cors->allow_any)
        put(exchange, OMS_STR("vary"), OMS_STR("Origin"));
}

static void answer_preflight(struct http_exchange *exchange, unsigned methods)
{
    char text[80] = "";
    for (unsigned i = 0; i < HTTP_OTHER; i++) {
        if (methods & 1u << i) {
            strcat(text, text[0] ? ", " : ""); /* all seven names fit */
            strcat(text, http_method_name((enum http_method)i));
        }
    }
    const struct http_header headers[] = {
        {OMS_STR("access-control-allow-methods"), oms_str_of(text)},
        {OMS_STR("access-control-allow-headers"), OMS_STR(ALLOWED_HEADERS)},
        {OMS_STR("access-control-max-age"), OMS_STR(MAX_AGE_SECONDS)},
    };
    http_respond(exchange, 204, NULL, headers, OMS_COUNT_OF(headers));
}

bool http_cors_begin(struct http_cors *cors, struct http_exchange *exchange, unsigned methods)
{
    struct oms_str origin = http_exchange_header(exchange, "origin");
    bool allow = oms_str_present(origin) && allowed(cors, UNION_TENANT, origin);
    put_headers(cors, exchange, origin, allow);
    if (exchange->method != HTTP_OPTIONS || !oms_str_present(origin) ||
        !oms_str_present(http_exchange_header(exchange, "access-control-request-method")))
        return false;
    if (methods == 0)
        return false; /* no such path: let the router say so */
    if (allow || same_origin(exchange, origin))
        answer_preflight(exchange, methods);
    else
        http_respond_error(exchange, 403, "ORIGIN_NOT_ALLOWED", "no tenant allows pages of this origin");
    return true;
}

bool http_cors_check(struct http_cors *cors, struct http_exchange *exchange, uint32_t tenant)
{
    struct oms_str origin = http_exchange_header(exchange, "origin");
    if (!oms_str_present(origin) || allowed(cors, tenant, origin) || same_origin(exchange, origin))
        return true;
    put_headers(cors, exchange, origin, false);
    http_respond_error(exchange, 403, "ORIGIN_NOT_ALLOWED", "the tenant does not allow pages of this origin");
    return false;
}
