/*
 * The steps of a verification, in the order of their cost and of what they let a stranger find out: form,
 * issuer, algorithm, signature, and only then the claims, so that nothing but a well-signed token is told why
 * it fails.
 *
 * Header and payload are read once, by jansson. Its parser recurses, so the nesting is counted before; the
 * size is bounded by that of a token.
 */
#include "http/auth/token.h"

#include <jansson.h>

#include "http/auth/jwks.h"
#include "http/auth/signature.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/encoding.h"
#include "runtime/base/limits.h"

#define JSON_DEPTH 16
#define TIME_MAX_S INT64_C(253402300799) /* the end of the year 9999 */

/* One token on its way through the checks. */
struct check {
    const struct http_issuer_set *issuers;
    const struct http_issuer *issuer;
    size_t issuer_index;
    struct oms_buf bytes; /* what was decoded last: in the end the signature */
    struct oms_str token;
    struct oms_str signed_text; /* header and payload as they came */
    json_t *header, *payload;   /* ours; texts that are read from them borrow */
    enum http_algorithm algorithm;
    int64_t now_s;
    int64_t expires_s;
    uint64_t key_mark; /* of the key that signed it */
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

/* Whether lists and objects lie in one another at most JSON_DEPTH deep. Sound for every text that is JSON. */
static bool shallow(struct oms_str json)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < json.len; i++) {
        char c = json.data[i];
        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '{' || c == '['))
            depth++;
        else if (!in_string && (c == '}' || c == ']') && depth > 0)
            depth--;
        if (depth > JSON_DEPTH)
            return false;
    }
    return true;
}

/* NULL when the part is no JSON object. */
static json_t *read_object(struct check *check, struct oms_str part)
{
    oms_buf_reset(&check->bytes);
    if (oms_base64url_decode(part, &check->bytes) != OMS_OK || check->bytes.overflow)
        return NULL;
    struct oms_str text = oms_buf_str(&check->bytes);
    json_t *json = shallow(text) ? json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (json_is_object(json))
        return json;
    json_decref(json);
    return NULL;
}

static struct oms_str text_of(const json_t *value)
{
    return json_is_string(value) ? oms_str_make(json_string_value(value), json_string_length(value))
                                 : OMS_STR_NONE;
}

/*
 * A token that says what it is says that it is an access token, or a plain one (RFC 8725 section 3.11, RFC
 * 9068 section 2.1): those of logouts or proofs of possession may bear the same signature and audience.
 */
static bool is_for_access(const json_t *header)
{
    static const char *const types[] = {"JWT", "at+jwt", "application/jwt", "application/at+jwt"};
    const json_t *typ = json_object_get(header, "typ");
    for (size_t i = 0; typ && i < OMS_COUNT_OF(types); i++)
        if (oms_str_eq_nocase(text_of(typ), oms_str_of(types[i])))
            return true;
    return !typ;
}

static enum http_token_fault check_form(struct check *check)
{
    struct oms_str parts[3];
    if (check->token.len > OMS_TOKEN_BYTES_MAX)
        return HTTP_TOKEN_TOO_LARGE;
    if (!split(check->token, parts))
        return HTTP_TOKEN_MALFORMED;
    check->header = read_object(check, parts[0]);
    check->payload = check->header ? read_object(check, parts[1]) : NULL;
    if (!check->payload)
        return HTTP_TOKEN_MALFORMED;
    if (!is_for_access(check->header))
        return HTTP_TOKEN_MALFORMED;
    /* One spelling of a signature only: unused bits of its last character are refused. */
    oms_buf_reset(&check->bytes);
    if (oms_base64url_decode(parts[2], &check->bytes) != OMS_OK)
        return HTTP_TOKEN_MALFORMED;
    check->signed_text = oms_str_make(check->token.data, parts[0].len + 1 + parts[1].len);
    /* Extensions that must be understood (RFC 7515 section 4.1.11): we understand none. */
    if (json_object_get(check->header, "crit"))
        return HTTP_TOKEN_MALFORMED;
    return HTTP_TOKEN_FINE;
}

/* ---- issuer, algorithm, signature ---- */

static enum http_token_fault check_issuer(struct check *check)
{
    struct oms_str name = text_of(json_object_get(check->payload, "iss"));
    check->issuer_index =
        oms_str_present(name) ? http_issuer_find(check->issuers, name) : check->issuers->count;
    if (check->issuer_index == check->issuers->count)
        return HTTP_TOKEN_ISSUER;
    check->issuer = check->issuers->items[check->issuer_index];
    check->algorithm = http_algorithm_parse(text_of(json_object_get(check->header, "alg")));
    if (check->algorithm == HTTP_ALG_COUNT || !(check->issuer->algorithms & 1u << check->algorithm))
        return HTTP_TOKEN_ALGORITHM;
    return HTTP_TOKEN_FINE;
}

/* Whether the key may be tried for a token with this kid, which may be absent. */
static bool key_fits(const struct http_issuer_key *key, enum http_algorithm algorithm, struct oms_str kid)
{
    return key->kind == http_algorithm_key(algorithm) &&
           (!key->algorithms || key->algorithms & 1u << algorithm) &&
           (!oms_str_present(key->kid) || !oms_str_present(kid) || oms_str_eq(key->kid, kid));
}

/* One of the keys signed the token. */
static bool any_signed(struct check *check, const struct http_issuer_key *keys, size_t count,
                       struct oms_str kid)
{
    struct oms_str signature = oms_buf_str(&check->bytes);
    for (size_t i = 0; i < count; i++)
        if (key_fits(&keys[i], check->algorithm, kid) &&
            http_signature_valid(check->algorithm, &keys[i], check->signed_text, signature)) {
            check->key_mark = keys[i].mark;
            return true;
        }
    return false;
}

static bool is_published(const struct http_key_set *set, struct oms_str kid)
{
    for (size_t i = 0; set && oms_str_present(kid) && i < set->count; i++)
        if (oms_str_present(set->keys[i].kid) && oms_str_eq(set->keys[i].kid, kid))
            return true;
    return false;
}

static enum http_token_fault check_signature(struct check *check)
{
    const json_t *named = json_object_get(check->header, "kid");
    struct oms_str kid = text_of(named);
    const struct http_issuer *issuer = check->issuer;
    if (named && !oms_str_present(kid))
        return HTTP_TOKEN_MALFORMED; /* RFC 7515 section 4.1.4: a text */
    if (!http_issuer_publishes(issuer))
        return any_signed(check, issuer->keys, issuer->key_count, kid) ? HTTP_TOKEN_FINE
                                                                       : HTTP_TOKEN_SIGNATURE;
    const struct http_key_set *set = check->issuers->fetched[check->issuer_index];
    if (set && any_signed(check, set->keys, set->count, kid))
        return HTTP_TOKEN_FINE;
    bool may_come = kid.len <= OMS_JWKS_KID_BYTES_MAX && !is_published(set, kid);
    return may_come ? HTTP_TOKEN_KEY_UNKNOWN : HTTP_TOKEN_SIGNATURE;
}

/* ---- times and audience ---- */

/* A NumericDate: seconds since 1970, perhaps with a fraction, which is dropped (RFC 7519 section 2). */
static bool read_time(const json_t *value, int64_t *out)
{
    if (json_is_real(value)) {
        double time_s = json_real_value(value);
        if (time_s < 0 || time_s > (double)TIME_MAX_S)
            return false;
        *out = (int64_t)time_s;
        return true;
    }
    *out = json_integer_value(value);
    return json_is_integer(value) && *out >= 0 && *out <= TIME_MAX_S;
}

static enum http_token_fault check_times(struct check *check)
{
    static const char *const begins[] = {"nbf", "iat"};
    const json_t *expiry = json_object_get(check->payload, "exp");
    int64_t skew_s = HTTP_TOKEN_SKEW_MS / 1000, begin_s;
    if (!expiry)
        return HTTP_TOKEN_NO_EXPIRY;
    if (!read_time(expiry, &check->expires_s))
        return HTTP_TOKEN_MALFORMED;
    if (check->now_s > check->expires_s + skew_s)
        return HTTP_TOKEN_EXPIRED;
    for (size_t i = 0; i < OMS_COUNT_OF(begins); i++) {
        const json_t *begin = json_object_get(check->payload, begins[i]);
        if (!begin)
            continue;
        if (!read_time(begin, &begin_s))
            return HTTP_TOKEN_MALFORMED;
        if (begin_s > check->now_s + skew_s)
            return HTTP_TOKEN_NOT_YET;
    }
    return HTTP_TOKEN_FINE;
}

static bool wanted_audience(const struct http_issuer *issuer, const json_t *value)
{
    struct oms_str name = text_of(value);
    for (size_t i = 0; oms_str_present(name) && i < issuer->audience_count; i++)
        if (oms_str_eq(name, issuer->audiences[i]))
            return true;
    return false;
}

static enum http_token_fault check_audience(struct check *check)
{
    const json_t *audience = json_object_get(check->payload, "aud");
    if (wanted_audience(check->issuer, audience))
        return HTTP_TOKEN_FINE;
    for (size_t i = 0; i < json_array_size(audience); i++) /* 0 for what is no list */
        if (wanted_audience(check->issuer, json_array_get(audience, i)))
            return HTTP_TOKEN_FINE;
    return HTTP_TOKEN_AUDIENCE;
}

/* ---- claims ---- */

static json_t *follow(json_t *payload, const struct http_claim_path *path)
{
    json_t *value =
        oms_str_present(path->whole) ? json_object_getn(payload, path->whole.data, path->whole.len) : NULL;
    if (value)
        return value;
    value = payload;
    for (size_t i = 0; value && i < path->count; i++) /* NULL for what is no object */
        value = json_object_getn(value, path->names[i].data, path->names[i].len);
    return value;
}

static struct oms_str copy_text(struct http_claims *claims, json_t *payload,
                                const struct http_claim_path *path, size_t bytes_max)
{
    struct oms_str text = text_of(follow(payload, path));
    return text.len == 0 || text.len > bytes_max ? OMS_STR_NONE : oms_str_copy(&claims->arena, text);
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

/* The names of a claim, one after the other. */
struct name_cursor {
    json_t *value; /* NULL: no names */
    size_t index;
    void *entry; /* of an object: the next */
};

static struct name_cursor names_of(json_t *value)
{
    return (struct name_cursor){value, 0, json_object_iter(value)}; /* NULL for what is no object */
}

/*
 * A claim is a text, a list of texts or an object, whose keys count. False at the end; an item of a list that
 * is no text is an absent name.
 */
static bool next_name(struct name_cursor *cursor, struct oms_str *out)
{
    size_t index = cursor->index++;
    if (json_is_object(cursor->value)) {
        if (!cursor->entry)
            return false;
        *out = oms_str_make(json_object_iter_key(cursor->entry), json_object_iter_key_len(cursor->entry));
        cursor->entry = json_object_iter_next(cursor->value, cursor->entry);
        return true;
    }
    if (json_is_array(cursor->value)) {
        *out = text_of(json_array_get(cursor->value, index));
        return index < json_array_size(cursor->value);
    }
    *out = text_of(cursor->value);
    return index == 0 && oms_str_present(*out);
}

static bool read_tenants(const struct check *check, struct http_claims *claims)
{
    const struct http_issuer *issuer = check->issuer;
    json_t *value = follow(check->payload, &issuer->tenant);
    struct name_cursor cursor = names_of(value);
    struct oms_str name;
    claims->any_tenant = issuer->any_tenant;
    claims->allowed_tenants = issuer->any_tenant ? NULL : issuer->tenants;
    claims->allowed_tenant_count = issuer->any_tenant ? 0 : issuer->tenant_count;
    if (!value || json_is_null(value))
        return true;
    claims->tenant_claimed = true;
    size_t count = json_is_string(value) ? 1 : json_array_size(value) + json_object_size(value);
    size_t max = count < HTTP_CLAIMS_TENANTS_MAX ? count : HTTP_CLAIMS_TENANTS_MAX;
    struct names names = {&claims->arena, oms_arena_calloc(&claims->arena, max + 1, sizeof(struct oms_str)),
                          0, max, false};
    if (!names.items)
        return false;
    while (next_name(&cursor, &name))
        if (issuer->any_tenant || listed(name, issuer->tenants, issuer->tenant_count))
            names_add(&names, name);
    claims->tenants = names.items;
    claims->tenant_count = names.count;
    return !names.over;
}

static bool read_roles(const struct check *check, struct http_claims *claims)
{
    const struct http_issuer *issuer = check->issuer;
    struct names names = {&claims->arena,
                          oms_arena_calloc(&claims->arena, OMS_PRINCIPAL_ROLES_MAX, sizeof(struct oms_str)),
                          0, OMS_PRINCIPAL_ROLES_MAX, false};
    if (!names.items)
        return false;
    for (size_t p = 0; p < issuer->role_path_count; p++) {
        struct name_cursor cursor = names_of(follow(check->payload, &issuer->role_paths[p]));
        struct oms_str name;
        while (next_name(&cursor, &name)) {
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
    claims->key_mark = check->key_mark;
    claims->issuer = issuer->issuer; /* lives as long as the server */
    claims->subject = copy_text(claims, check->payload, &issuer->subject, OMS_ID_BYTES_MAX);
    if (!oms_str_present(claims->subject) || has_control(claims->subject))
        return HTTP_TOKEN_SUBJECT;
    claims->display_name = copy_text(claims, check->payload, &issuer->display_name, OMS_NAME_BYTES_MAX);
    claims->vendor_id = copy_text(claims, check->payload, &issuer->vendor_id, OMS_ID_BYTES_MAX);
    claims->customer_id = copy_text(claims, check->payload, &issuer->customer_id, OMS_ID_BYTES_MAX);
    return read_tenants(check, claims) && read_roles(check, claims) ? HTTP_TOKEN_FINE : HTTP_TOKEN_CLAIMS;
}

/* Whoever cannot be good anyhow is not worth a fetch; and is not told more than that the signature is none.
 */
static enum http_token_fault ask_for_key(struct check *check, struct http_unknown_key *unknown)
{
    struct oms_str kid = text_of(json_object_get(check->header, "kid"));
    if (check_times(check) != HTTP_TOKEN_FINE || check_audience(check) != HTTP_TOKEN_FINE)
        return HTTP_TOKEN_SIGNATURE;
    unknown->issuer = check->issuer_index;
    unknown->kid_len = kid.len;
    if (kid.len)
        memcpy(unknown->kid, kid.data, kid.len);
    return HTTP_TOKEN_KEY_UNKNOWN;
}

struct http_claims *http_token_verify_or_ask(const struct http_issuer_set *issuers, struct oms_str token,
                                             int64_t now_ms, struct http_unknown_key *unknown,
                                             enum http_token_fault *fault)
{
    static enum http_token_fault (*const steps[])(struct check *) = {
        check_form, check_issuer, check_signature, check_times, check_audience};
    struct check check = {.issuers = issuers, .token = token, .now_s = now_ms / 1000};
    struct http_claims *claims = NULL;
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
    } else if (*fault == HTTP_TOKEN_KEY_UNKNOWN) {
        *fault = ask_for_key(&check, unknown);
    }
    json_decref(check.header);
    json_decref(check.payload);
    oms_buf_fini(&check.bytes);
    return claims;
}

struct http_claims *http_token_verify(const struct http_issuer_set *issuers, struct oms_str token,
                                      int64_t now_ms, enum http_token_fault *fault)
{
    struct http_unknown_key unknown;
    return http_token_verify_or_ask(issuers, token, now_ms, &unknown, fault);
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
    [HTTP_TOKEN_KEY_UNKNOWN] = {"key_unknown", "the bearer token's key is not one that its issuer publishes"},
    [HTTP_TOKEN_NO_EXPIRY] = {"no_expiry", "the bearer token has no expiry"},
    [HTTP_TOKEN_EXPIRED] = {"expired", "the bearer token has expired"},
    [HTTP_TOKEN_NOT_YET] = {"not_yet", "the bearer token is not valid yet"},
    [HTTP_TOKEN_AUDIENCE] = {"audience", "the bearer token is not meant for this server"},
    [HTTP_TOKEN_SUBJECT] = {"subject", "the bearer token names no subject, or one that is too long"},
    [HTTP_TOKEN_CLAIMS] = {"claims", "the bearer token holds more tenants or roles than this server takes"},
    [HTTP_TOKEN_API_KEY] = {"api_key", "the API key is not valid: it is unknown or was revoked"},
    [HTTP_TOKEN_API_KEY_EXPIRED] = {"api_key_expired", "the API key has expired"},
};

const char *http_token_fault_message(enum http_token_fault fault)
{
    return faults[fault].message;
}

const char *http_token_fault_name(enum http_token_fault fault)
{
    return faults[fault].name;
}
