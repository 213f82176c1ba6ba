/*
 * From settings to issuers: who they are, their keys or where these are published, and what they may assert.
 */
#include "http/auth/issuer.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "http/auth/jwks_url.h"
#include "http/auth/public_key.h"
#include "http/settings.h"
#include "runtime/base/alloc.h"
#include "runtime/base/arena.h"
#include "runtime/base/assert.h"

#define KEY_FILE_BYTES_MAX (64u << 10)
#define REFETCH_INTERVAL_S 5
#define STALE_HOURS        24

static const struct {
    const char *name;
    enum http_key_kind key;
} algorithms[HTTP_ALG_COUNT] = {
    [HTTP_ALG_HS256] = {"HS256", HTTP_KEY_HMAC}, [HTTP_ALG_RS256] = {"RS256", HTTP_KEY_RSA},
    [HTTP_ALG_RS384] = {"RS384", HTTP_KEY_RSA},  [HTTP_ALG_RS512] = {"RS512", HTTP_KEY_RSA},
    [HTTP_ALG_ES256] = {"ES256", HTTP_KEY_P256}, [HTTP_ALG_ES384] = {"ES384", HTTP_KEY_P384},
    [HTTP_ALG_ES512] = {"ES512", HTTP_KEY_P521},
};

const char *http_algorithm_name(enum http_algorithm algorithm)
{
    OMS_ASSERT(algorithm < HTTP_ALG_COUNT);
    return algorithms[algorithm].name;
}

enum http_algorithm http_algorithm_parse(struct oms_str name)
{
    unsigned i = 0;
    while (i < HTTP_ALG_COUNT && !oms_str_eq_c(name, algorithms[i].name))
        i++;
    return (enum http_algorithm)i;
}

enum http_key_kind http_algorithm_key(enum http_algorithm algorithm)
{
    OMS_ASSERT(algorithm < HTTP_ALG_COUNT);
    return algorithms[algorithm].key;
}

/* ---- keys ---- */

/* A public key, or a certificate's; NULL with the reason. */
static EVP_PKEY *read_pem(struct oms_str pem, struct oms_error *error)
{
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    OMS_ASSERT(bio);
    EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    if (!key) {
        BIO_reset(bio);
        X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        key = certificate ? X509_get_pubkey(certificate) : NULL;
        X509_free(certificate);
    }
    BIO_free(bio);
    ERR_clear_error();
    if (key)
        return key;
    bool private = memmem(pem.data, pem.len, "PRIVATE KEY", 11) != NULL;
    oms_error_set(error, OMS_INVALID,
                  private ? "holds a private key; give the public one, the server needs no other"
                          : "must hold a public key or a certificate in PEM format");
    return NULL;
}

enum oms_status http_issuer_add_pem(struct http_issuer *issuer, struct oms_str pem, struct oms_str kid,
                                    struct oms_arena *arena, struct oms_error *error)
{
    struct http_issuer_key *slot = &issuer->keys[issuer->key_count];
    if (issuer->key_count == HTTP_ISSUER_KEYS_MAX)
        return oms_error_set(error, OMS_INVALID, "has too many keys; %d are the most", HTTP_ISSUER_KEYS_MAX);
    EVP_PKEY *key = read_pem(pem, error);
    if (!key)
        return OMS_INVALID;
    enum oms_status status = http_public_key(key, kid, arena, slot, error);
    EVP_PKEY_free(key);
    if (status == OMS_OK)
        issuer->key_count++;
    return status;
}

/* The file's name from the folder on; false when it is too long. */
static bool path_from(const char *folder, struct oms_str name, char out[4096])
{
    bool absolute = name.data[0] == '/' || !folder[0];
    int len = snprintf(out, 4096, "%s%s%.*s", absolute ? "" : folder, absolute ? "" : "/", OMS_STR_ARG(name));
    return len > 0 && len < 4096;
}

/* A whole small file into the arena. */
static struct oms_str read_file(struct http_settings *settings, const char *key, struct oms_str name,
                                const char *folder, struct oms_arena *arena)
{
    char path[4096];
    FILE *file = path_from(folder, name, path) ? fopen(path, "re") : NULL;
    if (!file) {
        http_settings_fault(settings, key, "names the file '%s', which cannot be read: %s", path,
                            strerror(errno));
        return OMS_STR_NONE;
    }
    char *data = oms_malloc(KEY_FILE_BYTES_MAX);
    size_t size = fread(data, 1, KEY_FILE_BYTES_MAX, file);
    bool failed = ferror(file) || size == KEY_FILE_BYTES_MAX;
    fclose(file);
    struct oms_str text = failed ? OMS_STR_NONE : oms_str_copy(arena, oms_str_make(data, size));
    explicit_bzero(data, KEY_FILE_BYTES_MAX);
    oms_free(data);
    if (!oms_str_present(text))
        http_settings_fault(settings, key, "names the file '%s', which cannot be read or is too large", path);
    return text;
}

/* The text of `key`, or of the file that `key_file` names; absent when there is neither. */
static struct oms_str text_or_file(struct http_settings *settings, const char *key, const char *file_key,
                                   const char *folder, struct oms_arena *arena, const char **used)
{
    struct oms_str text = OMS_STR_NONE, file = OMS_STR_NONE;
    http_settings_text(settings, key, &text);
    http_settings_text(settings, file_key, &file);
    if (oms_str_present(text) && oms_str_present(file)) {
        http_settings_fault(settings, key, "and '%s' are given; one is enough", file_key);
        return OMS_STR_NONE;
    }
    *used = oms_str_present(file) ? file_key : key;
    if (oms_str_present(file))
        return read_file(settings, file_key, file, folder, arena);
    return oms_str_copy(arena, text);
}

static void add_pem_key(struct http_settings *settings, struct http_issuer *issuer, const char *folder,
                        struct oms_arena *arena)
{
    struct oms_str kid = OMS_STR_NONE;
    const char *used = "key";
    struct oms_error fault;
    struct oms_str pem = text_or_file(settings, "key", "key_file", folder, arena, &used);
    http_settings_text(settings, "kid", &kid);
    if (settings->failed || !oms_str_present(pem))
        return;
    if (http_issuer_add_pem(issuer, pem, kid, arena, &fault) != OMS_OK)
        http_settings_fault(settings, used, "%s", fault.message);
}

static void add_hmac_key(struct http_settings *settings, struct http_issuer *issuer, const char *folder,
                         struct oms_arena *arena)
{
    const char *used = "hmac_secret";
    struct oms_str secret = text_or_file(settings, "hmac_secret", "hmac_secret_file", folder, arena, &used);
    if (settings->failed || !oms_str_present(secret))
        return;
    secret = oms_str_trim(secret); /* editors end files with a newline */
    if (secret.len < HTTP_HMAC_BYTES_MIN)
        http_settings_fault(settings, used, "must have at least %d bytes", HTTP_HMAC_BYTES_MIN);
    else if (memmem(secret.data, secret.len, "-----BEGIN", 10))
        http_settings_fault(settings, used, "must be a secret; a key in PEM format belongs under 'key_file'");
    else
        issuer->keys[issuer->key_count++] =
            (struct http_issuer_key){.kind = HTTP_KEY_HMAC, .material = oms_str_copy(arena, secret)};
}

static void read_keys(struct http_settings *settings, struct http_issuer *issuer, const char *folder,
                      struct oms_arena *arena)
{
    static const char *const keys[] = {"kid", "key", "key_file"};
    const struct oms_value *items = NULL;
    size_t count = 0;
    add_hmac_key(settings, issuer, folder, arena);
    add_pem_key(settings, issuer, folder, arena);
    http_settings_list(settings, "keys", &items, &count);
    for (size_t i = 0; i < count && !settings->failed; i++) {
        struct http_settings item;
        char path[160];
        http_settings_path(settings, "keys", (long)i, path);
        http_settings_begin(&item, &items[i], path, settings->error);
        http_settings_only(&item, keys, OMS_COUNT_OF(keys));
        size_t before = issuer->key_count;
        add_pem_key(&item, issuer, folder, arena);
        if (!item.failed && issuer->key_count == before)
            http_settings_fault(&item, NULL, "needs 'key' or 'key_file'");
        settings->failed = item.failed;
    }
}

/* ---- published keys ---- */

/* RFC 8414 and OpenID Connect Discovery 1.0 section 4: below the issuer's own URL. */
static struct oms_str discovery_url(struct oms_str issuer, struct oms_arena *arena)
{
    static const struct oms_str below = {"/.well-known/openid-configuration", 33};
    while (issuer.len && issuer.data[issuer.len - 1] == '/')
        issuer.len--;
    char *text = oms_arena_alloc(arena, issuer.len + below.len + 1);
    OMS_ASSERT(text); /* the settings that hold the text are larger */
    memcpy(text, issuer.data, issuer.len);
    memcpy(text + issuer.len, below.data, below.len + 1);
    return oms_str_make(text, issuer.len + below.len);
}

/* `discovery` is true for the usual place, or its URL. */
static void read_discovery(struct http_settings *settings, struct http_issuer *issuer,
                           struct oms_arena *arena)
{
    const struct oms_value *value = http_settings_get(settings, "discovery");
    bool wanted = value != NULL;
    if (value && value->kind == OMS_VALUE_STRING && value->text.len)
        issuer->jwks.url = oms_str_copy(arena, value->text);
    else if (value && value->kind == OMS_VALUE_BOOL && value->boolean && oms_str_present(issuer->issuer))
        issuer->jwks.url = discovery_url(issuer->issuer, arena);
    else if (value && value->kind == OMS_VALUE_BOOL)
        wanted = false;
    else if (value)
        http_settings_fault(settings, "discovery",
                            "must be true (the place below the issuer's own URL) or the document's URL");
    issuer->jwks.is_discovery = wanted;
}

static void read_ca_file(struct http_settings *settings, struct http_issuer *issuer, const char *folder,
                         struct oms_arena *arena)
{
    struct oms_str name = OMS_STR_NONE;
    char path[4096];
    http_settings_text(settings, "jwks_ca_file", &name);
    if (!oms_str_present(name))
        return;
    if (!path_from(folder, name, path) || access(path, R_OK) != 0)
        http_settings_fault(settings, "jwks_ca_file", "names the file '%s', which cannot be read: %s", path,
                            strerror(errno));
    issuer->jwks.ca_file = oms_str_copy(arena, oms_str_of(path));
}

static void read_source(struct http_settings *settings, struct http_issuer *issuer, const char *folder,
                        struct oms_arena *arena)
{
    unsigned stale_hours = STALE_HOURS;
    struct oms_str url = OMS_STR_NONE;
    issuer->jwks.refetch_interval_s = REFETCH_INTERVAL_S;
    http_settings_text(settings, "jwks_url", &url);
    read_discovery(settings, issuer, arena);
    http_settings_bool(settings, "jwks_allow_http", &issuer->jwks.allow_http);
    http_settings_unsigned(settings, "jwks_refetch_interval_s", 1, 3600, &issuer->jwks.refetch_interval_s);
    http_settings_unsigned(settings, "jwks_stale_hours", 1, 24 * 366, &stale_hours);
    issuer->jwks.stale_s = stale_hours * 3600;
    read_ca_file(settings, issuer, folder, arena);
    if (oms_str_present(url) && issuer->jwks.is_discovery)
        http_settings_fault(settings, "jwks_url", "and 'discovery' are given; one is enough");
    if (oms_str_present(url))
        issuer->jwks.url = oms_str_copy(arena, url);
    if (settings->failed || !http_issuer_publishes(issuer))
        return;
    const char *why = http_jwks_url_fault(issuer->jwks.url, issuer->jwks.allow_http);
    if (why)
        http_settings_fault(settings, issuer->jwks.is_discovery ? "discovery" : "jwks_url", "%s", why);
    else if (issuer->key_count)
        http_settings_fault(settings, NULL, "has keys of its own and publishes others; one is enough");
    else if (issuer->algorithms & 1u << HTTP_ALG_HS256)
        http_settings_fault(settings, "algorithms",
                            "holds HS256, whose secret cannot be published; name the issuer's others");
}

/* ---- claims ---- */

static struct http_claim_path path_of(struct oms_str whole, struct oms_arena *arena)
{
    struct http_claim_path path = {.whole = whole};
    size_t count = 1;
    for (size_t i = 0; i < whole.len; i++)
        count += whole.data[i] == '.';
    struct oms_str *names = oms_arena_calloc(arena, count, sizeof(*names));
    OMS_ASSERT(names); /* the settings that hold the text are larger */
    size_t begin = 0;
    for (size_t i = 0; i <= whole.len; i++) {
        if (i == whole.len || whole.data[i] == '.') {
            names[path.count++] = oms_str_make(whole.data + begin, i - begin);
            begin = i + 1;
        }
    }
    path.names = names;
    return path;
}

/* A text with dots, or a list of names as they are. */
static bool read_path(const struct oms_value *value, struct oms_arena *arena, struct http_claim_path *out)
{
    if (value->kind == OMS_VALUE_STRING && value->text.len) {
        *out = path_of(value->text, arena);
        return true;
    }
    if (value->kind != OMS_VALUE_LIST || value->list.count == 0)
        return false;
    struct oms_str *names = oms_arena_calloc(arena, value->list.count, sizeof(*names));
    OMS_ASSERT(names);
    for (size_t i = 0; i < value->list.count; i++) {
        if (value->list.items[i].kind != OMS_VALUE_STRING)
            return false;
        names[i] = value->list.items[i].text;
    }
    *out = (struct http_claim_path){.names = names, .count = value->list.count};
    return true;
}

static void claim(struct http_settings *settings, const char *key, struct oms_arena *arena,
                  struct http_claim_path *out)
{
    const struct oms_value *value = http_settings_get(settings, key);
    if (value && !read_path(value, arena, out))
        http_settings_fault(settings, key,
                            "must be a claim's name, such as \"sub\" or \"realm_access.roles\", "
                            "or a list of names from the outside in");
}

/* One path as a text, or a list of paths. */
static void role_claims(struct http_settings *settings, struct oms_arena *arena, struct http_issuer *issuer)
{
    const struct oms_value *value = http_settings_get(settings, "roles");
    if (!value)
        return;
    const struct oms_value *items = value->kind == OMS_VALUE_LIST ? value->list.items : value;
    size_t count = value->kind == OMS_VALUE_LIST ? value->list.count : 1;
    bool valid = count > 0 && count <= HTTP_CLAIM_PATHS_MAX;
    for (size_t i = 0; i < count && valid; i++)
        valid = read_path(&items[i], arena, &issuer->role_paths[i]);
    issuer->role_path_count = count;
    if (!valid)
        http_settings_fault(settings, "roles",
                            "must be a claim's name or a list of at most %d, each a text such as "
                            "\"realm_access.roles\" or a list of names from the outside in",
                            HTTP_CLAIM_PATHS_MAX);
}

void http_issuer_default_claims(struct http_issuer *issuer)
{
    static const struct oms_str sub[] = {{"sub", 3}}, tenant[] = {{"tenant_id", 9}}, name[] = {{"name", 4}},
                                vendor[] = {{"vendor_id", 9}}, customer[] = {{"customer_id", 11}},
                                roles[] = {{"roles", 5}}, keycloak[] = {{"realm_access", 12}, {"roles", 5}};
    issuer->subject = (struct http_claim_path){.names = sub, .count = 1};
    issuer->tenant = (struct http_claim_path){.names = tenant, .count = 1};
    issuer->display_name = (struct http_claim_path){.names = name, .count = 1};
    issuer->vendor_id = (struct http_claim_path){.names = vendor, .count = 1};
    issuer->customer_id = (struct http_claim_path){.names = customer, .count = 1};
    issuer->role_paths[0] = (struct http_claim_path){.names = roles, .count = 1};
    issuer->role_paths[1] = (struct http_claim_path){.names = keycloak, .count = 2};
    issuer->role_path_count = 2;
}

static void read_claims(struct http_settings *settings, struct oms_arena *arena, struct http_issuer *issuer)
{
    static const char *const keys[] = {"sub", "tenant_id", "roles", "name", "vendor_id", "customer_id"};
    const struct oms_value *value = http_settings_get(settings, "claims");
    struct http_settings claims;
    char path[160];
    if (!value)
        return;
    http_settings_path(settings, "claims", -1, path);
    http_settings_begin(&claims, value, path, settings->error);
    http_settings_only(&claims, keys, OMS_COUNT_OF(keys));
    claim(&claims, "sub", arena, &issuer->subject);
    claim(&claims, "tenant_id", arena, &issuer->tenant);
    claim(&claims, "name", arena, &issuer->display_name);
    claim(&claims, "vendor_id", arena, &issuer->vendor_id);
    claim(&claims, "customer_id", arena, &issuer->customer_id);
    role_claims(&claims, arena, issuer);
    settings->failed = claims.failed;
}

/* ---- the whole ---- */

static void read_algorithms(struct http_settings *settings, struct oms_arena *arena,
                            struct http_issuer *issuer)
{
    const struct oms_str *names = NULL;
    size_t count = 0;
    http_settings_texts(settings, "algorithms", arena, &names, &count);
    if (!settings->failed && count == 0)
        http_settings_fault(settings, "algorithms", "is required: a list such as [\"RS256\"]");
    for (size_t i = 0; i < count && !settings->failed; i++) {
        enum http_algorithm algorithm = http_algorithm_parse(names[i]);
        if (algorithm == HTTP_ALG_COUNT)
            http_settings_fault(settings, "algorithms",
                                "holds '%.*s'; known are RS256, RS384, RS512, ES256, ES384, ES512 and HS256",
                                OMS_STR_ARG(names[i]));
        else
            issuer->algorithms |= 1u << algorithm;
    }
}

/* Each algorithm has a key that can serve it, and each key an algorithm. */
static void match_keys(struct http_settings *settings, const struct http_issuer *issuer)
{
    for (unsigned a = 0; a < HTTP_ALG_COUNT; a++) {
        bool served = false;
        for (size_t k = 0; k < issuer->key_count; k++)
            served = served || issuer->keys[k].kind == algorithms[a].key;
        if ((issuer->algorithms & 1u << a) && !served)
            http_settings_fault(settings, "algorithms", "holds %s, but no key of the issuer can serve it",
                                algorithms[a].name);
    }
    for (size_t k = 0; k < issuer->key_count; k++) {
        bool used = false;
        for (unsigned a = 0; a < HTTP_ALG_COUNT; a++)
            used = used || ((issuer->algorithms & 1u << a) && issuer->keys[k].kind == algorithms[a].key);
        if (!used)
            http_settings_fault(settings, NULL, "has a key that none of its algorithms can use");
    }
}

static void read_grants(struct http_settings *settings, const char *key, struct oms_arena *arena, bool *any,
                        const struct oms_str **names, size_t *count)
{
    http_settings_texts(settings, key, arena, names, count);
    for (size_t i = 0; i < *count; i++)
        *any = *any || oms_str_eq((*names)[i], OMS_STR("*"));
    if (!settings->failed && *count == 0)
        http_settings_fault(settings, key, "is required: the %s that the issuer may assert, or \"*\" for all",
                            key);
}

enum oms_status http_issuer_parse(const struct oms_value *value, const char *path, const char *folder,
                                  struct oms_arena *arena, struct http_issuer *out, struct oms_error *error)
{
    static const char *const keys[] = {"issuer",
                                       "audience",
                                       "algorithms",
                                       "key",
                                       "key_file",
                                       "keys",
                                       "tenants",
                                       "hmac_secret",
                                       "roles",
                                       "hmac_secret_file",
                                       "claims",
                                       "operator",
                                       "jwks_url",
                                       "discovery",
                                       "jwks_ca_file",
                                       "jwks_allow_http",
                                       "jwks_refetch_interval_s",
                                       "jwks_stale_hours"};
    struct http_settings settings;
    *out = (struct http_issuer){0};
    http_issuer_default_claims(out);
    http_settings_begin(&settings, value, path, error);
    http_settings_only(&settings, keys, OMS_COUNT_OF(keys));
    http_settings_text(&settings, "issuer", &out->issuer);
    if (!settings.failed && !oms_str_present(out->issuer))
        http_settings_fault(&settings, "issuer", "is required: the exact text of the tokens' claim 'iss'");
    http_settings_texts(&settings, "audience", arena, &out->audiences, &out->audience_count);
    if (!settings.failed && out->audience_count == 0)
        http_settings_fault(&settings, "audience", "is required: what the tokens' claim 'aud' must hold");
    read_algorithms(&settings, arena, out);
    read_keys(&settings, out, folder, arena);
    read_source(&settings, out, folder, arena);
    if (!settings.failed && out->key_count == 0 && !http_issuer_publishes(out))
        http_settings_fault(&settings, NULL,
                            "needs a key: 'jwks_url', 'discovery', 'key_file', 'key', 'keys', "
                            "'hmac_secret_file' or 'hmac_secret'");
    if (!settings.failed && !http_issuer_publishes(out))
        match_keys(&settings, out);
    read_grants(&settings, "tenants", arena, &out->any_tenant, &out->tenants, &out->tenant_count);
    read_grants(&settings, "roles", arena, &out->any_role, &out->roles, &out->role_count);
    http_settings_bool(&settings, "operator", &out->is_operator);
    read_claims(&settings, arena, out);
    return settings.failed ? OMS_INVALID : OMS_OK;
}

size_t http_issuer_find(const struct http_issuer_set *set, struct oms_str issuer)
{
    size_t i = 0;
    while (i < set->count && !oms_str_eq(set->items[i]->issuer, issuer))
        i++;
    return i;
}
