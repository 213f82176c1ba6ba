/*
 * The document is read by the base parser (strict, bounded, without recursion); numbers go to OpenSSL, which
 * also says whether a point is on its curve and a modulus is none that anybody could factor at once.
 */
#include "http/auth/jwks.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "http/auth/public_key.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/encoding.h"
#include "runtime/base/hash.h"
#include "runtime/base/json.h"

#define JSON_DEPTH         16
#define TREE_BYTES_MAX     (16u << 20)
#define SET_BYTES_MAX      (256u << 10) /* 32 keys of 8192 bits in PEM are a fifth of it */
#define RSA_EXPONENT_BYTES 8
#define CURVE_BYTES_MAX    66 /* P-521 */

/* ---- the numbers of a key ---- */

/* The bytes of a base64url text; false for anything else, or more than `bytes_max` of them. */
static bool read_bytes(const struct oms_value *jwk, const char *name, size_t bytes_max, struct oms_buf *out)
{
    const struct oms_value *value = oms_value_get(jwk, name);
    oms_buf_init(out, bytes_max + 1);
    if (value && value->kind == OMS_VALUE_STRING && value->text.len > 0 && value->text.len <= 2 * bytes_max &&
        oms_base64url_decode(value->text, out) == OMS_OK && !out->overflow && out->len > 0 &&
        out->len <= bytes_max)
        return true;
    oms_buf_fini(out);
    return false;
}

/* Makes the key and looks at it as closely as OpenSSL does; NULL for one that is no good. */
static EVP_PKEY *make_key(const char *type, OSSL_PARAM_BLD *numbers)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(numbers);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL), *check = NULL;
    OMS_ASSERT(params && context);
    bool made = EVP_PKEY_fromdata_init(context) == 1 &&
                EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) == 1;
    if (made)
        check = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    if (!check || EVP_PKEY_public_check(check) != 1) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    EVP_PKEY_CTX_free(check);
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    ERR_clear_error();
    return key;
}

/* RFC 7518 section 6.3.1. */
static EVP_PKEY *read_rsa(const struct oms_value *jwk)
{
    struct oms_buf n_bytes, e_bytes;
    EVP_PKEY *key = NULL;
    if (!read_bytes(jwk, "n", HTTP_RSA_BITS_MAX / 8 + 1, &n_bytes))
        return NULL;
    if (!read_bytes(jwk, "e", RSA_EXPONENT_BYTES, &e_bytes)) {
        oms_buf_fini(&n_bytes);
        return NULL;
    }
    BIGNUM *n = BN_bin2bn((const unsigned char *)n_bytes.data, (int)n_bytes.len, NULL);
    BIGNUM *e = BN_bin2bn((const unsigned char *)e_bytes.data, (int)e_bytes.len, NULL);
    OSSL_PARAM_BLD *numbers = OSSL_PARAM_BLD_new();
    OMS_ASSERT(n && e && numbers);
    /* What is cheap to see is seen first: looking for factors takes its time. */
    bool fits = BN_num_bits(n) >= HTTP_RSA_BITS_MIN && BN_num_bits(n) <= HTTP_RSA_BITS_MAX && BN_is_odd(n) &&
                BN_is_odd(e) && !BN_is_one(e);
    if (fits && OSSL_PARAM_BLD_push_BN(numbers, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(numbers, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        key = make_key("RSA", numbers);
    OSSL_PARAM_BLD_free(numbers);
    BN_free(n);
    BN_free(e);
    oms_buf_fini(&n_bytes);
    oms_buf_fini(&e_bytes);
    return key;
}

/* RFC 7518 section 6.2.1: both coordinates are exactly as long as the curve's field. */
static EVP_PKEY *read_ec(const struct oms_value *jwk)
{
    static const struct {
        const char *name, *group;
        size_t bytes;
    } curves[] = {{"P-256", "prime256v1", 32}, {"P-384", "secp384r1", 48}, {"P-521", "secp521r1", 66}};
    const struct oms_value *curve = oms_value_get(jwk, "crv");
    unsigned char point[1 + 2 * CURVE_BYTES_MAX] = {0x04}; /* uncompressed: SEC 1 section 2.3.3 */
    struct oms_buf x, y;
    size_t i = 0;
    if (!curve || curve->kind != OMS_VALUE_STRING)
        return NULL;
    while (i < OMS_COUNT_OF(curves) && !oms_str_eq_c(curve->text, curves[i].name))
        i++;
    if (i == OMS_COUNT_OF(curves) || !read_bytes(jwk, "x", curves[i].bytes, &x))
        return NULL;
    if (!read_bytes(jwk, "y", curves[i].bytes, &y)) {
        oms_buf_fini(&x);
        return NULL;
    }
    EVP_PKEY *key = NULL;
    size_t bytes = curves[i].bytes;
    if (x.len == bytes && y.len == bytes) {
        OSSL_PARAM_BLD *numbers = OSSL_PARAM_BLD_new();
        OMS_ASSERT(numbers);
        memcpy(point + 1, x.data, bytes);
        memcpy(point + 1 + bytes, y.data, bytes);
        if (OSSL_PARAM_BLD_push_utf8_string(numbers, OSSL_PKEY_PARAM_GROUP_NAME, curves[i].group, 0) == 1 &&
            OSSL_PARAM_BLD_push_octet_string(numbers, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * bytes) == 1)
            key = make_key("EC", numbers);
        OSSL_PARAM_BLD_free(numbers);
    }
    oms_buf_fini(&x);
    oms_buf_fini(&y);
    return key;
}

/* ---- what a key is for ---- */

/* Members that only a private or symmetric key has (RFC 7518 sections 6.2.2, 6.3.2, 6.4.1). */
static bool is_secret(const struct oms_value *jwk)
{
    static const char *const names[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};
    for (size_t i = 0; i < OMS_COUNT_OF(names); i++)
        if (oms_value_get(jwk, names[i]))
            return true;
    return false;
}

/* RFC 7517 sections 4.2 and 4.3: absent, or they say that it verifies. */
static bool may_verify(const struct oms_value *jwk)
{
    const struct oms_value *use = oms_value_get(jwk, "use"), *ops = oms_value_get(jwk, "key_ops");
    if (use && (use->kind != OMS_VALUE_STRING || !oms_str_eq(use->text, OMS_STR("sig"))))
        return false;
    if (!ops)
        return true;
    bool verifies = false;
    for (size_t i = 0; ops->kind == OMS_VALUE_LIST && i < ops->list.count; i++)
        verifies = verifies || (ops->list.items[i].kind == OMS_VALUE_STRING &&
                                oms_str_eq(ops->list.items[i].text, OMS_STR("verify")));
    return verifies;
}

/* RFC 7517 section 4.5. One that could break a line of the log, or is huge, is none. */
static bool read_kid(const struct oms_value *jwk, struct oms_str *out)
{
    const struct oms_value *kid = oms_value_get(jwk, "kid");
    *out = OMS_STR_NONE;
    if (!kid)
        return true;
    if (kid->kind != OMS_VALUE_STRING || kid->text.len == 0 || kid->text.len > OMS_JWKS_KID_BYTES_MAX)
        return false;
    for (size_t i = 0; i < kid->text.len; i++)
        if ((unsigned char)kid->text.data[i] < 0x20 || kid->text.data[i] == 0x7f)
            return false;
    *out = kid->text;
    return true;
}

/* Those of the issuer's algorithms that a key of this kind can serve, and no other than its own `alg`. */
static unsigned algorithms_of(const struct oms_value *jwk, enum http_key_kind kind, unsigned allowed)
{
    const struct oms_value *alg = oms_value_get(jwk, "alg");
    unsigned fitting = 0;
    for (unsigned a = 0; a < HTTP_ALG_COUNT; a++)
        if (http_algorithm_key((enum http_algorithm)a) == kind)
            fitting |= 1u << a;
    if (alg) {
        enum http_algorithm named =
            alg->kind == OMS_VALUE_STRING ? http_algorithm_parse(alg->text) : HTTP_ALG_COUNT;
        fitting &= named == HTTP_ALG_COUNT ? 0 : 1u << named;
    }
    return fitting & allowed;
}

static uint64_t mark_of(const struct http_issuer_key *key)
{
    static const struct oms_hash_key plain = {0, 0}; /* whoever publishes keys gains nothing by a collision */
    struct oms_siphash hash;
    const uint64_t head[] = {key->kind, key->algorithms, key->kid.len};
    oms_siphash_init(&hash, &plain);
    oms_siphash_update(&hash, head, sizeof(head));
    oms_siphash_update(&hash, key->kid.data ? key->kid.data : "", key->kid.len);
    oms_siphash_update(&hash, key->material.data, key->material.len);
    return oms_siphash_final(&hash).lo | 1;
}

/* NULL, or why the key does not count. */
static const char *read_key(const struct oms_value *jwk, unsigned allowed, struct oms_arena *arena,
                            struct http_issuer_key *out)
{
    struct oms_error error;
    struct oms_str kid;
    EVP_PKEY *key = NULL;
    if (jwk->kind != OMS_VALUE_OBJECT)
        return "it is no object";
    const struct oms_value *kty = oms_value_get(jwk, "kty");
    if (!kty || kty->kind != OMS_VALUE_STRING)
        return "it has no kty";
    if (oms_str_eq(kty->text, OMS_STR("oct")))
        return "it is symmetric";
    if (is_secret(jwk))
        return "it is private";
    if (!may_verify(jwk))
        return "it is not for verification";
    if (!read_kid(jwk, &kid))
        return "its kid is not usable";
    if (oms_str_eq(kty->text, OMS_STR("RSA")))
        key = read_rsa(jwk);
    else if (oms_str_eq(kty->text, OMS_STR("EC")))
        key = read_ec(jwk);
    else
        return "its kty is not known";
    if (!key)
        return "its numbers make no key that is strong enough";
    enum oms_status status = http_public_key(key, kid, arena, out, &error);
    EVP_PKEY_free(key);
    if (status != OMS_OK)
        return "its numbers make no key of a known kind";
    out->algorithms = algorithms_of(jwk, out->kind, allowed);
    if (!out->algorithms)
        return "it serves none of the issuer's algorithms";
    out->mark = mark_of(out);
    return NULL;
}

/* ---- sets ---- */

static bool in_set(const struct http_key_set *set, uint64_t mark)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->keys[i].mark == mark)
            return true;
    return false;
}

static void fill(struct http_key_set *set, const struct oms_value *items, size_t count, unsigned allowed)
{
    for (size_t i = 0; i < count; i++) {
        struct http_issuer_key key;
        const char *why = read_key(&items[i], allowed, &set->arena, &key);
        if (!why && in_set(set, key.mark))
            why = "it is there twice";
        if (!why)
            set->keys[set->count++] = key;
        else if (set->skipped++ == 0)
            set->skipped_why = why;
    }
}

static const struct http_key_set *make_set(const struct oms_value *document, unsigned allowed,
                                           struct oms_error *error)
{
    const struct oms_value *keys = oms_value_get(document, "keys"); /* NULL for what is no object */
    if (!keys || keys->kind != OMS_VALUE_LIST) {
        oms_error_set(error, OMS_INVALID, "the document has no list 'keys'");
        return NULL;
    }
    if (keys->list.count > OMS_JWKS_KEYS_MAX) {
        oms_error_set(error, OMS_INVALID, "the document has %zu keys; %d are the most", keys->list.count,
                      OMS_JWKS_KEYS_MAX);
        return NULL;
    }
    struct http_key_set *set = oms_calloc(1, sizeof(*set));
    atomic_init(&set->holds, 1);
    oms_arena_init(&set->arena, 4096, SET_BYTES_MAX);
    fill(set, keys->list.items, keys->list.count, allowed);
    return set;
}

const struct http_key_set *http_jwks_parse(struct oms_str document, unsigned algorithms,
                                           struct oms_error *error)
{
    const struct http_key_set *set = NULL;
    struct oms_arena arena;
    struct oms_value tree;
    struct oms_json_error fault;
    if (document.len > OMS_JWKS_BYTES_MAX) {
        oms_error_set(error, OMS_INVALID, "the document is larger than %u bytes", OMS_JWKS_BYTES_MAX);
        return NULL;
    }
    oms_arena_init(&arena, 16u << 10, TREE_BYTES_MAX);
    if (oms_json_parse(document, JSON_DEPTH, &arena, &tree, &fault) == OMS_OK)
        set = make_set(&tree, algorithms, error);
    else
        oms_error_set(error, OMS_INVALID, "the document is no JSON: line %u, column %u: %s", fault.line,
                      fault.column, fault.message);
    oms_arena_fini(&arena);
    return set;
}

/* Only the count changes: to all readers they are constant. */
static struct http_key_set *writable(const struct http_key_set *set)
{
    return (struct http_key_set *)(uintptr_t)set;
}

const struct http_key_set *http_key_set_hold(const struct http_key_set *set)
{
    /* Whoever holds has one already, so nothing needs to be ordered. */
    unsigned before = atomic_fetch_add_explicit(&writable(set)->holds, 1, memory_order_relaxed);
    OMS_ASSERT(before > 0);
    return set;
}

void http_key_set_release(const struct http_key_set *set)
{
    if (!set)
        return;
    struct http_key_set *ours = writable(set);
    /* Release: our reads are done before another thread frees; acquire: the last one sees that of all. */
    unsigned before = atomic_fetch_sub_explicit(&ours->holds, 1, memory_order_acq_rel);
    OMS_ASSERT(before > 0);
    if (before > 1)
        return;
    oms_arena_fini(&ours->arena);
    oms_free(ours);
}

bool http_key_set_has(const struct http_key_set *set, uint64_t mark)
{
    return set && in_set(set, mark);
}

bool http_key_set_same(const struct http_key_set *a, const struct http_key_set *b)
{
    if (!a || !b)
        return a == b;
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!in_set(b, a->keys[i].mark))
            return false;
    return true;
}
