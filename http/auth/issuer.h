/*
 * Who may issue tokens, with which keys, for whom: an issuer's configuration, read once and immutable then.
 *
 * A key's kind decides which algorithms it can serve: an HMAC secret only HS256, an RSA key only RS*, a curve
 * only its own ES*. So a public key never verifies an HMAC. What an issuer may assert (tenants, roles,
 * operator) is part of it.
 */
#ifndef HTTP_AUTH_ISSUER_H
#define HTTP_AUTH_ISSUER_H

#include "runtime/base/str.h"
#include "runtime/base/value.h"

#define HTTP_ISSUERS_MAX     64                     /* that a configuration may name */
#define HTTP_ISSUERS_ALL     (HTTP_ISSUERS_MAX + 2) /* with the host's and the development issuer */
#define HTTP_ISSUER_KEYS_MAX 16
#define HTTP_CLAIM_PATHS_MAX 8
#define HTTP_HMAC_BYTES_MIN  32   /* RFC 7518 section 3.2: as long as the hash */
#define HTTP_RSA_BITS_MIN    2048 /* RFC 7518 section 3.3 */
#define HTTP_RSA_BITS_MAX    8192 /* a verification then takes half a millisecond */

enum http_algorithm {
    HTTP_ALG_HS256,
    HTTP_ALG_RS256,
    HTTP_ALG_RS384,
    HTTP_ALG_RS512,
    HTTP_ALG_ES256,
    HTTP_ALG_ES384,
    HTTP_ALG_ES512,
    HTTP_ALG_COUNT
};

enum http_key_kind { HTTP_KEY_HMAC, HTTP_KEY_RSA, HTTP_KEY_P256, HTTP_KEY_P384, HTTP_KEY_P521 };

struct http_issuer_key {
    enum http_key_kind kind;
    struct oms_str kid;      /* absent: fits any kid */
    struct oms_str material; /* a public key in PEM, or the secret's bytes; a NUL follows */
    unsigned algorithms; /* 1u << enum http_algorithm: those that it may serve; 0: all that fit its kind */
    uint64_t mark;       /* of a published key: tells it from every other; 0 for configured ones */
};

/* Where an issuer publishes its keys (RFC 7517); see jwks_keeper.h. */
struct http_jwks_source {
    struct oms_str url;          /* of the key set, or of a discovery document; absent: keys are configured */
    bool is_discovery;           /* `url` leads to a document whose `jwks_uri` leads to the keys */
    bool allow_http;             /* clear text also to other machines than this one */
    struct oms_str ca_file;      /* trusted instead of the system's authorities; absent: these */
    unsigned refetch_interval_s; /* between fetches for the sake of unknown keys */
    unsigned stale_s;            /* keys that could not be fetched again for so long do not count any more */
};

/* Names of a claim's path from the payload down: "realm_access" → "roles". */
struct http_claim_path {
    struct oms_str
        whole; /* tried first as one name, since some issuers have dots in theirs; absent for lists */
    const struct oms_str *names;
    size_t count;
};

struct http_issuer {
    struct oms_str issuer;
    const struct oms_str *audiences; /* one of them must be in `aud` */
    size_t audience_count;
    unsigned algorithms; /* 1u << enum http_algorithm */
    struct http_issuer_key keys[HTTP_ISSUER_KEYS_MAX];
    size_t key_count; /* 0 with a source */
    struct http_jwks_source jwks;
    bool any_tenant, any_role;
    const struct oms_str *tenants; /* that it may assert */
    size_t tenant_count;
    const struct oms_str *roles; /* that it may assert */
    size_t role_count;
    bool is_operator; /* may assert the role `operator` */
    struct http_claim_path subject, tenant, display_name, vendor_id, customer_id;
    struct http_claim_path role_paths[HTTP_CLAIM_PATHS_MAX];
    size_t role_path_count;
};

struct http_key_set;

/* Those that a server trusts, and the keys that they published as one shard knows them. */
struct http_issuer_set {
    const struct http_issuer *items[HTTP_ISSUERS_ALL];
    const struct http_key_set *fetched[HTTP_ISSUERS_ALL]; /* NULL: configured, or not known yet */
    size_t count;
};

/* "RS256"; static storage. */
const char *http_algorithm_name(enum http_algorithm algorithm);
/* HTTP_ALG_COUNT for a name that we do not know; "none" is not known. */
enum http_algorithm http_algorithm_parse(struct oms_str name);
/* Which kind of key the algorithm needs. */
enum http_key_kind http_algorithm_key(enum http_algorithm algorithm);

/*
 * Reads an issuer's settings (docs/configuration.md). `path` is their place for messages; files are looked
 * for from `folder` on (NUL-terminated; "": the current one). All text is put into or borrowed from `arena`'s
 * life. OMS_INVALID with the place and what would be right.
 */
OMS_MUST_USE enum oms_status http_issuer_parse(const struct oms_value *settings, const char *path,
                                               const char *folder, struct oms_arena *arena,
                                               struct http_issuer *out, struct oms_error *error);
/* The paths of the claims that we read when nothing else is configured. */
void http_issuer_default_claims(struct http_issuer *issuer);
/*
 * Adds a public key or certificate in PEM. OMS_INVALID: not one, a private key, too short, or a curve that no
 * algorithm of ours has; `error` says which. The key is kept in `arena`.
 */
OMS_MUST_USE enum oms_status http_issuer_add_pem(struct http_issuer *issuer, struct oms_str pem,
                                                 struct oms_str kid, struct oms_arena *arena,
                                                 struct oms_error *error);
/* The index of the issuer of that name; the set's count when there is none. */
size_t http_issuer_find(const struct http_issuer_set *set, struct oms_str issuer);
/* Its keys come from a source. */
static inline bool http_issuer_publishes(const struct http_issuer *issuer)
{
    return oms_str_present(issuer->jwks.url);
}

#endif
