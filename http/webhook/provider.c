/* See provider.h: the table, and the two functions that read it. */
#include "http/webhook/provider.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "runtime/base/assert.h"
#include "runtime/base/datetime.h"
#include "runtime/base/encoding.h"

#define SECRET_BYTES_MAX     256
#define SIGNATURES_MAX       8 /* of one delivery, during the sender's rotation */
#define SIGNATURE_HEADER_MAX 2048

/* What the signature covers. */
enum covered {
    COVERS_BODY,
    COVERS_TIME_BODY,             /* timestamp "." body */
    COVERS_ID_TIME_BODY,          /* id "." timestamp "." body */
    COVERS_TIME_METHOD_PATH_BODY, /* joined by nothing */
};

/* How the header writes it. */
enum form {
    FORM_HEX,    /* perhaps behind a prefix */
    FORM_BASE64, /* the same */
    FORM_LIST,   /* "v1,<base64>", several apart by spaces */
    FORM_STRIPE, /* "t=<seconds>,v1=<hex>,v1=<hex>" */
};

struct scheme {
    const char *header;      /* the signature's, lower case */
    const char *header_name; /* as it is sent */
    const char *prefix;
    const char *time_header, *time_header_name; /* signed; NULL: none, or in the signature's own header */
    enum covered covers;
    enum form form;
};

struct webhook_provider {
    const char *name;
    struct scheme schemes[2]; /* the first whose header is there is the one */
    unsigned scheme_count;
    const char *id_header, *id_header_name; /* signed */
    const char *id_field;                   /* of the payload, which is signed */
    const char *label_header, *label_header_name;
    bool secret_base64; /* "whsec_" and base64 */
};

static const struct webhook_provider providers[] = {
    {.name = "wss",
     .schemes = {{"x-wss-signature-v2", "X-Wss-Signature-V2", "", "x-wss-timestamp", "X-Wss-Timestamp",
                  COVERS_TIME_BODY, FORM_HEX},
                 {"x-wss-signature", "X-Wss-Signature", "", NULL, NULL, COVERS_BODY, FORM_HEX}},
     .scheme_count = 2},
    {.name = "github",
     .schemes = {{"x-hub-signature-256", "X-Hub-Signature-256", "sha256=", NULL, NULL, COVERS_BODY,
                  FORM_HEX}},
     .scheme_count = 1,
     .label_header = "x-github-delivery",
     .label_header_name = "X-GitHub-Delivery"},
    {.name = "standard",
     .schemes = {{"webhook-signature", "webhook-signature", "v1,", "webhook-timestamp", "webhook-timestamp",
                  COVERS_ID_TIME_BODY, FORM_LIST}},
     .scheme_count = 1,
     .id_header = "webhook-id",
     .id_header_name = "webhook-id",
     .secret_base64 = true},
    {.name = "shopify",
     .schemes = {{"x-shopify-hmac-sha256", "X-Shopify-Hmac-Sha256", "", NULL, NULL, COVERS_BODY,
                  FORM_BASE64}},
     .scheme_count = 1,
     .label_header = "x-shopify-webhook-id",
     .label_header_name = "X-Shopify-Webhook-Id"},
    {.name = "easypost",
     .schemes = {{"x-hmac-signature-v2", "X-Hmac-Signature-V2", "hmac-sha256-hex=", "x-timestamp",
                  "X-Timestamp", COVERS_TIME_METHOD_PATH_BODY, FORM_HEX}},
     .scheme_count = 1,
     .id_field = "id"},
    {.name = "stripe",
     .schemes = {{"stripe-signature", "Stripe-Signature", "v1=", NULL, NULL, COVERS_TIME_BODY, FORM_STRIPE}},
     .scheme_count = 1,
     .id_field = "id"},
    {.name = "nats"}, /* the broker: it has no scheme, so no request can be from it */
};
/* Those that sign requests. */
#define SIGNING (OMS_COUNT_OF(providers) - 1)

const struct webhook_provider *webhook_provider_nats(void)
{
    return &providers[SIGNING];
}

const struct webhook_provider *webhook_provider_at(size_t index)
{
    return index < SIGNING ? &providers[index] : NULL;
}

const struct webhook_provider *webhook_provider_find(struct oms_str name)
{
    for (size_t i = 0; i < SIGNING; i++)
        if (oms_str_eq_c(name, providers[i].name))
            return &providers[i];
    return NULL;
}

const char *webhook_provider_name(const struct webhook_provider *provider)
{
    return provider->name;
}

size_t webhook_provider_index(const struct webhook_provider *provider)
{
    return (size_t)(provider - providers);
}

const char *webhook_provider_id_field(const struct webhook_provider *provider)
{
    return provider->id_field;
}

const char *webhook_provider_label_header(const struct webhook_provider *provider)
{
    return provider->label_header;
}

bool webhook_provider_signs_time(const struct webhook_provider *provider)
{
    for (unsigned i = 0; i < provider->scheme_count; i++)
        if (provider->schemes[i].covers != COVERS_BODY)
            return true;
    return false;
}

/* ---- the code ---- */

/* The bytes of a secret; false when it is none. */
static bool secret_bytes(const struct webhook_provider *provider, struct oms_str secret,
                         unsigned char out[SECRET_BYTES_MAX], size_t *len)
{
    char space[SECRET_BYTES_MAX];
    struct oms_buf bytes = {.data = space, .cap = sizeof(space), .max = sizeof(space)};

    if (!provider->secret_base64) {
        if (secret.len == 0 || secret.len > SECRET_BYTES_MAX)
            return false;
        memcpy(out, secret.data, secret.len);
        *len = secret.len;
        return true;
    }
    if (oms_str_starts(secret, OMS_STR("whsec_")))
        secret = oms_str_make(secret.data + 6, secret.len - 6);
    bool fine =
        secret.len <= SECRET_BYTES_MAX && oms_base64_decode(secret, &bytes) == OMS_OK && bytes.len > 0;
    if (fine) {
        memcpy(out, bytes.data, bytes.len);
        *len = bytes.len;
    }
    OPENSSL_cleanse(space, sizeof(space));
    return fine;
}

bool webhook_secret_valid(const struct webhook_provider *provider, struct oms_str secret)
{
    unsigned char bytes[SECRET_BYTES_MAX];
    size_t len;
    bool valid = secret_bytes(provider, secret, bytes, &len);

    OPENSSL_cleanse(bytes, sizeof(bytes));
    return valid;
}

#define PIECES_MAX 5

/* What is signed, in pieces, so that no body is copied. */
struct message {
    struct oms_str pieces[PIECES_MAX];
    unsigned count;
};

static void compose(const struct scheme *scheme, const struct webhook_delivery *delivery, struct oms_str id,
                    struct oms_str time, struct oms_str path, struct message *out)
{
    out->count = 0;
    if (scheme->covers == COVERS_ID_TIME_BODY) {
        out->pieces[out->count++] = id;
        out->pieces[out->count++] = OMS_STR(".");
    }
    if (scheme->covers != COVERS_BODY)
        out->pieces[out->count++] = time;
    if (scheme->covers == COVERS_TIME_METHOD_PATH_BODY) {
        out->pieces[out->count++] = delivery->method;
        out->pieces[out->count++] = path;
    } else if (scheme->covers != COVERS_BODY) {
        out->pieces[out->count++] = OMS_STR(".");
    }
    out->pieces[out->count++] = delivery->body;
}

static EVP_MAC *hmac;
static pthread_once_t hmac_once = PTHREAD_ONCE_INIT;

static void fetch_hmac(void)
{
    hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    OMS_ASSERT(hmac);
}

static void hmac_sha256(const unsigned char *key, size_t key_len, const struct message *message,
                        unsigned char out[WEBHOOK_DIGEST_SIZE])
{
    static char sha256[] = "SHA256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", sha256, 0),
                                 OSSL_PARAM_construct_end()};
    size_t len = 0;

    pthread_once(&hmac_once, fetch_hmac);
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(hmac);
    int done = context && EVP_MAC_init(context, key, key_len, params);
    for (unsigned i = 0; i < message->count; i++)
        done = done && EVP_MAC_update(context, (const unsigned char *)message->pieces[i].data,
                                      message->pieces[i].len);
    done = done && EVP_MAC_final(context, out, &len, WEBHOOK_DIGEST_SIZE);
    OMS_ASSERT(done && len == WEBHOOK_DIGEST_SIZE); /* only without memory */
    EVP_MAC_CTX_free(context);
}

static void sha256(const struct message *message, unsigned char out[WEBHOOK_DIGEST_SIZE])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int done = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL);
    for (unsigned i = 0; i < message->count; i++)
        done = done && EVP_DigestUpdate(context, message->pieces[i].data, message->pieces[i].len);
    done = done && EVP_DigestFinal_ex(context, out, NULL);
    OMS_ASSERT(done);
    EVP_MD_CTX_free(context);
}

/* ---- reading headers ---- */

/* The signatures that a header carries, and what else stands in it. */
struct signatures {
    unsigned char digests[SIGNATURES_MAX][WEBHOOK_DIGEST_SIZE];
    unsigned count;
    struct oms_str time; /* FORM_STRIPE */
};

static void take_hex(struct signatures *out, struct oms_str text)
{
    if (out->count < SIGNATURES_MAX && text.len == 2u * WEBHOOK_DIGEST_SIZE &&
        oms_hex_decode(text, out->digests[out->count], WEBHOOK_DIGEST_SIZE) == OMS_OK)
        out->count++;
}

static void take_base64(struct signatures *out, struct oms_str text)
{
    char space[WEBHOOK_DIGEST_SIZE + 3];
    struct oms_buf bytes = {.data = space, .cap = sizeof(space), .max = sizeof(space)};

    if (out->count < SIGNATURES_MAX && text.len <= 48 && oms_base64_decode(text, &bytes) == OMS_OK &&
        bytes.len == WEBHOOK_DIGEST_SIZE)
        memcpy(out->digests[out->count++], bytes.data, WEBHOOK_DIGEST_SIZE);
}

static struct oms_str behind(struct oms_str text, const char *prefix)
{
    struct oms_str wanted = oms_str_of(prefix);

    return oms_str_starts(text, wanted) ? oms_str_make(text.data + wanted.len, text.len - wanted.len)
                                        : OMS_STR_NONE;
}

/* The next part of `rest` up to the separator; false at the end. */
static bool next_part(struct oms_str *rest, char separator, struct oms_str *part)
{
    if (!rest->len)
        return false;
    const char *end = memchr(rest->data, separator, rest->len);
    size_t len = end ? (size_t)(end - rest->data) : rest->len;
    *part = oms_str_trim(oms_str_make(rest->data, len));
    *rest = end ? oms_str_make(end + 1, rest->len - len - 1) : OMS_STR_NONE;
    return true;
}

static void read_signatures(const struct scheme *scheme, struct oms_str header, struct signatures *out)
{
    struct oms_str part, text;

    out->count = 0;
    out->time = OMS_STR_NONE;
    if (header.len > SIGNATURE_HEADER_MAX)
        return;
    switch (scheme->form) {
    case FORM_HEX:
        take_hex(out, behind(oms_str_trim(header), scheme->prefix));
        return;
    case FORM_BASE64:
        take_base64(out, behind(oms_str_trim(header), scheme->prefix));
        return;
    case FORM_LIST:
        while (next_part(&header, ' ', &part))
            if (oms_str_present(text = behind(part, scheme->prefix)))
                take_base64(out, text);
        return;
    case FORM_STRIPE:
        while (next_part(&header, ',', &part)) {
            if (oms_str_present(text = behind(part, scheme->prefix)))
                take_hex(out, text);
            else if (oms_str_present(text = behind(part, "t=")) && !oms_str_present(out->time))
                out->time = text;
        }
        return;
    }
    OMS_UNREACHABLE();
}

/* Seconds since 1970, RFC 3339, or a date of RFC 5322 section 3.3 as e-mail has it. */
static bool read_time(struct oms_str text, int64_t *ms)
{
    char copy[64];
    struct tm broken = {0};
    int64_t seconds;

    text = oms_str_trim(text);
    if (oms_str_to_i64(text, &seconds) == OMS_OK) {
        if (seconds < 0 || seconds > INT64_C(99999999999))
            return false;
        *ms = seconds * 1000;
        return true;
    }
    if (oms_datetime_parse(text, ms) == OMS_OK)
        return true;
    if (text.len == 0 || text.len >= sizeof(copy))
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    const char *end = strptime(copy, "%a, %d %b %Y %H:%M:%S", &broken);
    if (!end || (strcmp(end, " -0000") != 0 && strcmp(end, " +0000") != 0 && strcmp(end, " GMT") != 0))
        return false;
    *ms = (int64_t)timegm(&broken) * 1000;
    return true;
}

/* The path that EasyPost signed: ours, or that of a proxy before us which took off a prefix. */
static struct oms_str signed_path(const struct webhook_delivery *delivery)
{
    struct oms_str given = delivery->header(delivery->context, "x-path"), own = delivery->path;

    if (given.len < own.len || memcmp(given.data + given.len - own.len, own.data, own.len) != 0)
        return own;
    return given;
}

/* ---- verifying ---- */

/* Each secret with each signature, and no way out before the end: how long it takes tells nothing. */
static bool any_matches(const struct webhook_provider *provider, const struct signatures *signatures,
                        const struct message *message, const struct oms_str *secrets, size_t count)
{
    unsigned char key[SECRET_BYTES_MAX], digest[WEBHOOK_DIGEST_SIZE];
    int found = 0;
    size_t len;

    for (size_t s = 0; s < count && s < WEBHOOK_SECRETS_MAX; s++) {
        if (!secret_bytes(provider, secrets[s], key, &len))
            continue;
        hmac_sha256(key, len, message, digest);
        for (unsigned i = 0; i < signatures->count; i++)
            found |= CRYPTO_memcmp(digest, signatures->digests[i], sizeof(digest)) == 0;
    }
    OPENSSL_cleanse(key, sizeof(key));
    OPENSSL_cleanse(digest, sizeof(digest));
    return found != 0;
}

static const struct scheme *scheme_of(const struct webhook_provider *provider,
                                      const struct webhook_delivery *delivery, struct oms_str *header)
{
    for (unsigned i = 0; i < provider->scheme_count; i++) {
        *header = delivery->header(delivery->context, provider->schemes[i].header);
        if (oms_str_present(*header))
            return &provider->schemes[i];
    }
    return NULL;
}

static bool is_fresh(struct oms_str time, unsigned max_age_s, int64_t now_ms)
{
    int64_t signed_ms = 0, age = (int64_t)max_age_s * 1000;

    return read_time(time, &signed_ms) && now_ms - signed_ms <= age && signed_ms - now_ms <= age;
}

enum webhook_verdict webhook_verify(const struct webhook_provider *provider,
                                    const struct webhook_delivery *delivery, const struct oms_str *secrets,
                                    size_t secret_count, unsigned max_age_s, int64_t now_ms,
                                    struct webhook_verified *out)
{
    struct oms_str header, id = OMS_STR_NONE, time = OMS_STR_NONE;
    const struct scheme *scheme = scheme_of(provider, delivery, &header);
    struct signatures signatures;
    struct message message;

    if (!scheme)
        return WEBHOOK_UNSIGNED;
    read_signatures(scheme, header, &signatures);
    if (provider->id_header)
        id = delivery->header(delivery->context, provider->id_header);
    time = scheme->time_header ? delivery->header(delivery->context, scheme->time_header) : signatures.time;
    if (!signatures.count || (provider->id_header && !id.len) || (scheme->covers != COVERS_BODY && !time.len))
        return WEBHOOK_UNSIGNED;
    compose(scheme, delivery, id, time,
            scheme->covers == COVERS_TIME_METHOD_PATH_BODY ? signed_path(delivery) : OMS_STR_NONE, &message);
    if (!any_matches(provider, &signatures, &message, secrets, secret_count))
        return WEBHOOK_FORGED;
    if (scheme->covers == COVERS_BODY && max_age_s)
        return WEBHOOK_UNTIMED;
    if (scheme->covers != COVERS_BODY &&
        !is_fresh(time, max_age_s ? max_age_s : WEBHOOK_MAX_AGE_S_DEFAULT, now_ms))
        return WEBHOOK_STALE;
    out->id = id;
    sha256(&message, out->digest);
    return WEBHOOK_VALID;
}

/* ---- signing ---- */

static void put_header(struct oms_buf *out, const char *name, struct oms_str value)
{
    oms_buf_appendf(out, "%s: ", name);
    oms_buf_append_str(out, value);
    oms_buf_append_lit(out, "\r\n");
}

static void put_signature(const struct scheme *scheme, const unsigned char digest[WEBHOOK_DIGEST_SIZE],
                          struct oms_str time, struct oms_buf *out)
{
    char hex[2 * WEBHOOK_DIGEST_SIZE];

    oms_buf_appendf(out, "%s: ", scheme->header_name);
    if (scheme->form == FORM_STRIPE)
        oms_buf_appendf(out, "t=%.*s,", OMS_STR_ARG(time));
    oms_buf_append_str(out, oms_str_of(scheme->prefix));
    if (scheme->form == FORM_HEX || scheme->form == FORM_STRIPE) {
        oms_hex_encode(digest, WEBHOOK_DIGEST_SIZE, hex);
        oms_buf_append(out, hex, sizeof(hex));
    } else {
        oms_base64_encode(out, digest, WEBHOOK_DIGEST_SIZE);
    }
    oms_buf_append_lit(out, "\r\n");
}

bool webhook_sign(const struct webhook_provider *provider, struct oms_str secret, struct oms_str method,
                  struct oms_str path, struct oms_str body, struct oms_str id, int64_t now_ms,
                  struct oms_buf *out)
{
    const struct scheme *scheme = &provider->schemes[0];
    const struct webhook_delivery delivery = {.method = method, .path = path, .body = body};
    unsigned char key[SECRET_BYTES_MAX], digest[WEBHOOK_DIGEST_SIZE];
    struct message message;
    char seconds[24];
    size_t len;

    if (!secret_bytes(provider, secret, key, &len))
        return false;
    snprintf(seconds, sizeof(seconds), "%lld", (long long)(now_ms / 1000));
    struct oms_str time = oms_str_of(seconds);
    compose(scheme, &delivery, id, time, path, &message);
    hmac_sha256(key, len, &message, digest);
    OPENSSL_cleanse(key, sizeof(key));
    if (provider->id_header)
        put_header(out, provider->id_header_name, id);
    if (provider->label_header)
        put_header(out, provider->label_header_name, id);
    if (scheme->time_header)
        put_header(out, scheme->time_header_name, time);
    if (scheme->covers == COVERS_TIME_METHOD_PATH_BODY)
        put_header(out, "X-Path", path);
    put_signature(scheme, digest, time, out);
    return !out->overflow;
}
