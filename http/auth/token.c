/*
 * The steps of a verification, in the order of their cost and of what they let a stranger find out: form,
 * issuer, algorithm, signature, and only then the claims, so that nothing but a well-signed token is told why
 * it fails.
 */
#include "http/auth/token.h"

#include <jwt.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/encoding.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/base/value.h"

#define SCRATCH_BYTES_MAX (1u << 20)
#define JSON_DEPTH        16
#define TIME_MAX_S        INT64_C(253402300799) /* the end of the year 9999 */

/* One token on its way through the checks. */
struct check {
    const struct http_issuer_set *issuers;
    const struct http_issuer *issuer;
    struct oms_arena scratch;
    struct oms_buf bytes; /* decoded header and payload */
    struct oms_str token;
    struct oms_value header, payload;
    enum http_algorithm algorithm;
    int64_t now_s;
    int64_t expires_s;
};

/* ---- form ---- */

/* Three parts of base64url, none empty. */
static bool split(struct oms_str token, struct oms_str parts[3])
{
    size_t dots[2] = {0, 0};
    unsigned count = 0;
    for (size_t i = 0; i < token.len; i++) {
        char c = token.data[i];
        if (c == '.') {
            if (count == 2)
                return false;
            dots[count++] = i;
        } else if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                     c == '_')) {
            return false;
        }
    }
    if (count != 2 || dots[0] == 0 || dots[1] == dots[0] + 1 || dots[1] + 1 == token.len)
        return false;
    parts[0] = oms_str_make(token.data, dots[0]);
    parts[1] = oms_str_make(token.data + dots[0] + 1, dots[1] - dots[0] - 1);
    parts[2] = oms_str_make(token.data + dots[1] + 1, token.len - dots[1] - 1);
    return true;
}

static bool read_object(struct check *check, struct oms_str part, struct oms_value *out)
{
    struct oms_json_error error;
    oms_buf_reset(&check->bytes);
    if (oms_base64url_decode(part, &check->bytes) != OMS_OK || check->bytes.overflow)
        return false;
    struct oms_str json = oms_str_copy(&check->scratch, oms_buf_str(&check->bytes));
    return oms_str_present(json) &&
           oms_json_parse(json, JSON_DEPTH, &check->scratch, out, &error) == OMS_OK &&
           out->kind == OMS_VALUE_OBJECT;
}

static struct oms_str text_of(const struct oms_value *object, const char *name)
{
    const struct oms_value *value = oms_value_get(object, name);
    return value && value->kind == OMS_VALUE_STRING ? value->text : OMS_STR_NONE;
}

static enum http_token_fault check_form(struct check *check)
{
    struct oms_str parts[3];
    if (check->token.len > OMS_TOKEN_BYTES_MAX)
        return HTTP_TOKEN_TOO_LARGE;
    if (!split(check->token, parts) || !read_object(check, parts[0], &check->header) ||
        !read_object(check, parts[1], &check->payload))
        return HTTP_TOKEN_MALFORMED;
    /* One spelling of a signature only: libjwt would overlook the unused bits of its last character. */
    oms_buf_reset(&check->bytes);
    if (oms_base64url_decode(parts[2], &check->bytes) != OMS_OK)
        return HTTP_TOKEN_MALFORMED;
    /* Extensions that must be understood (RFC 7515 section 4.1.11): we understand none. */
    if (oms_value_get(&check->header, "crit"))
        return HTTP_TOKEN_MALFORMED;
    return HTTP_TOKEN_FINE;
}

/* ---- issuer, algorithm, signature ---- */

static enum http_token_fault check_issuer(struct check *check)
{
    struct oms_str name = text_of(&check->payload, "iss");
    check->issuer = oms_str_present(name) ? http_issuer_find(check->issuers, name) : NULL;
    if (!check->issuer)
        return HTTP_TOKEN_ISSUER;
    check->algorithm = http_algorithm_parse(text_of(&check->header, "alg"));
    if (check->algorithm == HTTP_ALG_COUNT || !(check->issuer->algorithms & 1u << check->algorithm))
        return HTTP_TOKEN_ALGORITHM;
    return HTTP_TOKEN_FINE;
}

static bool signed_by(const char *token, const struct http_issuer_key *key, enum http_algorithm algorithm)
{
    jwt_t *jwt = NULL;
    OMS_ASSERT(key->kind == http_algorithm_key(algorithm) && key->material.len > 0);
    if (jwt_decode(&jwt, token, (const unsigned char *)key->material.data, (int)key->material.len) != 0)
        return false;
    /* The library read the header by itself: it must have seen the same algorithm. */
    const char *seen = jwt_alg_str(jwt_get_alg(jwt));
    bool same = seen && strcmp(seen, http_algorithm_name(algorithm)) == 0;
    jwt_free(jwt);
    return same;
}

static enum http_token_fault check_signature(struct check *check)
{
    struct oms_str kid = text_of(&check->header, "kid");
    struct oms_str token = oms_str_copy(&check->scratch, check->token); /* with a NUL, for the library */
    if (!oms_str_present(token))
        return HTTP_TOKEN_TOO_LARGE;
    for (size_t i = 0; i < check->issuer->key_count; i++) {
        const struct http_issuer_key *key = &check->issuer->keys[i];
        bool fits = key->kind == http_algorithm_key(check->algorithm) &&
                    (!oms_str_present(key->kid) || !oms_str_present(kid) || oms_str_eq(key->kid, kid));
        if (fits && signed_by(token.data, key, check->algorithm))
            return HTTP_TOKEN_FINE;
    }
    return HTTP_TOKEN_SIGNATURE;
}

/* ---- times and audience ---- */

/* A NumericDate: seconds since 1970, perhaps with a fraction, which is dropped (RFC 7519 section 2). */
static bool read_time(const struct oms_value *value, int64_t *out)
{
    if (value->kind != OMS_VALUE_NUMBER)
        return false;
    struct oms_str text = value->text;
    size_t digits = 0;
    while (digits < text.len && text.data[digits] >= '0' && text.data[digits] <= '9')
        digits++;
    struct oms_str fraction = oms_str_make(text.data + digits, text.len - digits);
    if (digits == 0 ||
        (fraction.len && (fraction.data[0] != '.' || memchr(fraction.data, 'e', fraction.len) ||
                          memchr(fraction.data, 'E', fraction.len))))
        return false;
    return oms_str_to_i64(oms_str_make(text.data, digits), out) == OMS_OK && *out <= TIME_MAX_S;
}

static enum http_token_fault check_times(struct check *check)
{
    static const char *const begins[] = {"nbf", "iat"};
    const struct oms_value *expiry = oms_value_get(&check->payload, "exp");
    int64_t skew_s = HTTP_TOKEN_SKEW_MS / 1000, begin_s;
    if (!expiry)
        return HTTP_TOKEN_NO_EXPIRY;
    if (!read_time(expiry, &check->expires_s))
        return HTTP_TOKEN_MALFORMED;
    if (check->now_s > check->expires_s + skew_s)
        return HTTP_TOKEN_EXPIRED;
    for (size_t i = 0; i < OMS_COUNT_OF(begins); i++) {
        const struct oms_value *begin = oms_value_get(&check->payload, begins[i]);
        if (!begin)
            continue;
        if (!read_time(begin, &begin_s))
            return HTTP_TOKEN_MALFORMED;
        if (begin_s > check->now_s + skew_s)
            return HTTP_TOKEN_NOT_YET;
    }
    return HTTP_TOKEN_FINE;
}

static bool wanted_audience(const struct http_issuer *issuer, const struct oms_value *value)
{
    for (size_t i = 0; value->kind == OMS_VALUE_STRING && i < issuer->audience_count; i++)
        if (oms_str_eq(value->text, issuer->audiences[i]))
            return true;
    return false;
}

static enum http_token_fault check_audience(struct check *check)
{
    const struct oms_value *audience = oms_value_get(&check->payload, "aud");
    if (!audience)
        return HTTP_TOKEN_AUDIENCE;
    if (wanted_audience(check->issuer, audience))
        return HTTP_TOKEN_FINE;
    for (size_t i = 0; audience->kind == OMS_VALUE_LIST && i < audience->list.count; i++)
        if (wanted_audience(check->issuer, &audience->list.items[i]))
            return HTTP_TOKEN_FINE;
    return HTTP_TOKEN_AUDIENCE;
}

/* ---- claims ---- */

static const struct oms_value *get(const struct oms_value *object, struct oms_str name)
{
    for (size_t i = 0; object->kind == OMS_VALUE_OBJECT && i < object->object.count; i++)
        if (oms_str_eq(object->object.fields[i].name, name))
            return &object->object.fields[i].value;
    return NULL;
}

static const struct oms_value *follow(const struct oms_value *payload, const struct http_claim_path *path)
{
    const struct oms_value *value = oms_str_present(path->whole) ? get(payload, path->whole) : NULL;
    if (value)
        return value;
    value = payload;
    for (size_t i = 0; value && i < path->count; i++)
        value = get(value, path->names[i]);
    return value;
}

static struct oms_str copy_text(struct http_claims *claims, const struct oms_value *payload,
                                const struct http_claim_path *path, size_t bytes_max)
{
    const struct oms_value *value = follow(payload, path);
    if (!value || value->kind != OMS_VALUE_STRING || value->text.len == 0 || value->text.len > bytes_max)
        return OMS_STR_NONE;
    return oms_str_copy(&claims->arena, value->text);
}

static bool listed(struct oms_str name, const struct oms_str *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (oms_str_eq(names[i], name))
            return true;
    return false;
}

/* A growing set of names in the claims' arena. */
struct names {
    struct oms_arena *arena;
    struct oms_str *items;
    size_t count, max;
    bool over;
};

static void names_add(struct names *names, struct oms_str name)
{
    if (name.len == 0 || name.len > OMS_ID_BYTES_MAX || listed(name, names->items, names->count))
        return;
    struct oms_str copy = names->count < names->max ? oms_str_copy(names->arena, name) : OMS_STR_NONE;
    if (oms_str_present(copy))
        names->items[names->count++] = copy;
    else
        names->over = true;
}

/* The i-th name of a claim that is a text, a list of texts or an object, whose keys count; absent when it is
 * none. */
static struct oms_str name_at(const struct oms_value *value, size_t i)
{
    if (value->kind == OMS_VALUE_STRING)
        return value->text;
    if (value->kind == OMS_VALUE_OBJECT)
        return value->object.fields[i].name;
    const struct oms_value *item = &value->list.items[i];
    return item->kind == OMS_VALUE_STRING ? item->text : OMS_STR_NONE;
}

static size_t name_count(const struct oms_value *value)
{
    switch (value->kind) {
    case OMS_VALUE_STRING:
        return 1;
    case OMS_VALUE_OBJECT:
        return value->object.count;
    case OMS_VALUE_LIST:
        return value->list.count;
    default:
        return 0;
    }
}

static bool read_tenants(const struct check *check, struct http_claims *claims)
{
    const struct http_issuer *issuer = check->issuer;
    const struct oms_value *value = follow(&check->payload, &issuer->tenant);
    claims->any_tenant = issuer->any_tenant;
    claims->allowed_tenants = issuer->any_tenant ? NULL : issuer->tenants;
    claims->allowed_tenant_count = issuer->any_tenant ? 0 : issuer->tenant_count;
    if (!value || value->kind == OMS_VALUE_NULL)
        return true;
    claims->tenant_claimed = true;
    size_t count = name_count(value);
    size_t max = count < HTTP_CLAIMS_TENANTS_MAX ? count : HTTP_CLAIMS_TENANTS_MAX;
    struct names names = {&claims->arena, oms_arena_calloc(&claims->arena, max + 1, sizeof(struct oms_str)),
                          0, max, false};
    if (!names.items)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct oms_str name = name_at(value, i);
        if (issuer->any_tenant || listed(name, issuer->tenants, issuer->tenant_count))
            names_add(&names, name);
    }
    claims->tenants = names.items;
    claims->tenant_count = names.count;
    return !names.over;
}

static bool read_roles(const struct check *check, struct http_claims *claims)
{
    const struct http_issuer *issuer = check->issuer;
    struct names names = {&claims->arena,
                          oms_arena_calloc(&claims->arena, PRINCIPAL_ROLES_MAX, sizeof(struct oms_str)), 0,
                          PRINCIPAL_ROLES_MAX, false};
    if (!names.items)
        return false;
    for (size_t p = 0; p < issuer->role_path_count; p++) {
        const struct oms_value *value = follow(&check->payload, &issuer->role_paths[p]);
        size_t count = value ? name_count(value) : 0;
        for (size_t i = 0; i < count; i++) {
            struct oms_str name = name_at(value, i);
            bool is_operator = oms_str_eq(name, OMS_STR("operator"));
            bool may = is_operator ? issuer->is_operator
                                   : issuer->any_role || listed(name, issuer->roles, issuer->role_count);
            if (!may)
                continue;
            names_add(&names, name);
            claims->is_operator = claims->is_operator || is_operator;
        }
    }
    claims->roles = names.items;
    claims->role_count = names.count;
    return !names.over;
}

/* They would break a log line or a C string somewhere. */
static bool has_control(struct oms_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
            return true;
    return false;
}

static enum http_token_fault read_claims(const struct check *check, struct http_claims *claims)
{
    const struct http_issuer *issuer = check->issuer;
    claims->expires_ms = check->expires_s * 1000 + HTTP_TOKEN_SKEW_MS;
    claims->issuer = issuer->issuer; /* lives as long as the server */
    claims->subject = copy_text(claims, &check->payload, &issuer->subject, OMS_ID_BYTES_MAX);
    if (!oms_str_present(claims->subject) || has_control(claims->subject))
        return HTTP_TOKEN_SUBJECT;
    claims->display_name = copy_text(claims, &check->payload, &issuer->display_name, OMS_NAME_BYTES_MAX);
    claims->vendor_id = copy_text(claims, &check->payload, &issuer->vendor_id, OMS_ID_BYTES_MAX);
    claims->customer_id = copy_text(claims, &check->payload, &issuer->customer_id, OMS_ID_BYTES_MAX);
    return read_tenants(check, claims) && read_roles(check, claims) ? HTTP_TOKEN_FINE : HTTP_TOKEN_CLAIMS;
}

struct http_claims *http_token_verify(const struct http_issuer_set *issuers, struct oms_str token,
                                      int64_t now_ms, enum http_token_fault *fault)
{
    static enum http_token_fault (*const steps[])(struct check *) = {
        check_form, check_issuer, check_signature, check_times, check_audience};
    struct check check = {.issuers = issuers, .token = token, .now_s = now_ms / 1000};
    struct http_claims *claims = NULL;
    oms_arena_init(&check.scratch, 16u << 10, SCRATCH_BYTES_MAX);
    oms_buf_init(&check.bytes, OMS_TOKEN_BYTES_MAX);
    *fault = HTTP_TOKEN_FINE;
    for (size_t i = 0; i < OMS_COUNT_OF(steps) && *fault == HTTP_TOKEN_FINE; i++)
        *fault = steps[i](&check);
    if (*fault == HTTP_TOKEN_FINE) {
        claims = http_claims_create();
        *fault = read_claims(&check, claims);
        if (*fault != HTTP_TOKEN_FINE) {
            http_claims_release(claims);
            claims = NULL;
        }
    }
    oms_buf_fini(&check.bytes);
    oms_arena_fini(&check.scratch);
    return claims;
}

static const struct {
    const char *name, *message;
} faults[HTTP_TOKEN_FAULTS] = {
    [HTTP_TOKEN_FINE] = {"fine", "fine"},
    [HTTP_TOKEN_MALFORMED] = {"malformed", "the bearer token is not a valid JSON Web Token"},
    [HTTP_TOKEN_TOO_LARGE] = {"too_large", "the bearer token is too large"},
    [HTTP_TOKEN_ISSUER] = {"issuer", "the bearer token's issuer is not trusted here"},
    [HTTP_TOKEN_ALGORITHM] = {"algorithm", "the bearer token's algorithm is not accepted from its issuer"},
    [HTTP_TOKEN_SIGNATURE] = {"signature", "the bearer token's signature is not valid"},
    [HTTP_TOKEN_NO_EXPIRY] = {"no_expiry", "the bearer token has no expiry"},
    [HTTP_TOKEN_EXPIRED] = {"expired", "the bearer token has expired"},
    [HTTP_TOKEN_NOT_YET] = {"not_yet", "the bearer token is not valid yet"},
    [HTTP_TOKEN_AUDIENCE] = {"audience", "the bearer token is not meant for this server"},
    [HTTP_TOKEN_SUBJECT] = {"subject", "the bearer token names no subject, or one that is too long"},
    [HTTP_TOKEN_CLAIMS] = {"claims", "the bearer token holds more tenants or roles than this server takes"},
};

const char *http_token_fault_message(enum http_token_fault fault)
{
    return faults[fault].message;
}

const char *http_token_fault_name(enum http_token_fault fault)
{
    return faults[fault].name;
}
