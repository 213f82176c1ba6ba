#include "http_fixture.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/encoding.h"

/* ---- exchanges ---- */

static struct oms_str find_header(struct http_exchange *exchange, const char *name)
{
    struct fake_exchange *fake = OMS_CONTAINER_OF(exchange, struct fake_exchange, exchange);
    for (unsigned i = 0; i < fake->request_count; i++)
        if (oms_str_eq_c(fake->request[i].name, name))
            return fake->request[i].value;
    return OMS_STR_NONE;
}

static unsigned count_headers(const struct http_exchange *exchange, const char *name)
{
    const struct fake_exchange *fake = OMS_CONTAINER_OF(exchange, const struct fake_exchange, exchange);
    unsigned count = 0;
    for (unsigned i = 0; i < fake->request_count; i++)
        count += oms_str_eq_c(fake->request[i].name, name);
    return count;
}

static void keep_header(struct fake_exchange *fake, const struct http_header *header)
{
    size_t len = strlen(fake->headers);
    snprintf(fake->headers + len, sizeof(fake->headers) - len, "%.*s: %.*s\n", OMS_STR_ARG(header->name),
             OMS_STR_ARG(header->value));
}

static struct fake_exchange *fake_of(struct http_exchange *exchange)
{
    return OMS_CONTAINER_OF(exchange, struct fake_exchange, exchange);
}

static void keep_head(struct http_exchange *exchange, unsigned status, const char *content_type,
                      const struct http_header *headers, size_t header_count)
{
    struct fake_exchange *fake = fake_of(exchange);
    fake->answers++;
    fake->status = status;
    snprintf(fake->content_type, sizeof(fake->content_type), "%s", content_type ? content_type : "");
    for (unsigned i = 0; i < exchange->cors_count; i++)
        keep_header(fake, &exchange->cors[i]);
    for (size_t i = 0; i < header_count; i++)
        keep_header(fake, &headers[i]);
}

static void keep_answer(struct http_exchange *exchange, unsigned status, const char *content_type,
                        const struct http_header *headers, size_t header_count)
{
    struct fake_exchange *fake = fake_of(exchange);
    keep_head(exchange, status, content_type, headers, header_count);
    snprintf(fake->body, sizeof(fake->body), "%.*s", (int)exchange->out.len,
             exchange->out.data ? exchange->out.data : "");
}

/* ---- streams ---- */

static bool begin_stream(struct http_exchange *exchange, unsigned status, const char *content_type,
                         const struct http_header *headers, size_t header_count,
                         const struct http_stream_events *events, void *context)
{
    struct fake_exchange *fake = fake_of(exchange);
    keep_head(exchange, status, content_type, headers, header_count);
    if (exchange->gone)
        return false;
    fake->events = events;
    fake->events_context = context;
    fake->sending = true; /* the head */
    oms_arena_fini(&exchange->arena);
    oms_arena_init(&exchange->arena, 1024, 1u << 20);
    exchange->path = exchange->query = exchange->body = exchange->authority = OMS_STR_NONE;
    return true;
}

static bool stream_is_ready(const struct http_exchange *exchange)
{
    const struct fake_exchange *fake = OMS_CONTAINER_OF(exchange, const struct fake_exchange, exchange);
    return !fake->sending;
}

static void keep_chunks(struct http_exchange *exchange, const struct http_chunk *chunks, size_t count)
{
    struct fake_exchange *fake = fake_of(exchange);
    OMS_ASSERT(fake->events && !fake->stream_ended && !exchange->gone);
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(fake->body);
        snprintf(fake->body + len, sizeof(fake->body) - len, "%.*s", OMS_STR_ARG(chunks[i].text));
        http_payload_release(chunks[i].payload);
    }
    fake->sends++;
    fake->sending = true;
}

static void end_stream(struct http_exchange *exchange, const struct http_chunk *chunks, size_t count)
{
    keep_chunks(exchange, chunks, count);
    fake_of(exchange)->stream_ended = true;
}

static void abort_stream(struct http_exchange *exchange)
{
    keep_chunks(exchange, NULL, 0);
    fake_of(exchange)->stream_ended = fake_of(exchange)->aborted = true;
}

void fake_take(struct fake_exchange *fake)
{
    OMS_ASSERT(fake->sending);
    fake->sending = false;
    if (fake->events && !fake->stream_ended && !fake->exchange.gone)
        fake->events->ready(&fake->exchange, fake->events_context);
}

void fake_go(struct fake_exchange *fake)
{
    fake->exchange.gone = true;
    if (fake->events && !fake->stream_ended)
        fake->events->gone(&fake->exchange, fake->events_context);
}

/* ---- beginning and ending ---- */

void fake_begin(struct fake_exchange *fake, const char *method, const char *path)
{
    static const struct http_exchange_ops ops = {
        .header = find_header,
        .header_count = count_headers,
        .respond = keep_answer,
        .stream_begin = begin_stream,
        .stream_is_ready = stream_is_ready,
        .stream_send = keep_chunks,
        .stream_end = end_stream,
        .stream_abort = abort_stream,
    };
    memset(fake, 0, sizeof(*fake));
    fake->exchange.ops = &ops;
    fake->exchange.method_text = oms_str_of(method);
    fake->exchange.method = http_method_parse(fake->exchange.method_text);
    fake->exchange.path = oms_str_of(path);
    fake->exchange.peer = OMS_STR("192.0.2.1:1");
    oms_arena_init(&fake->exchange.arena, 1024, 1u << 20);
    oms_buf_init(&fake->exchange.out, 1u << 20);
}

void fake_header(struct fake_exchange *fake, const char *name, const char *value)
{
    OMS_ASSERT(fake->request_count < FAKE_HEADERS_MAX);
    fake->request[fake->request_count++] = (struct http_header){oms_str_of(name), oms_str_of(value)};
}

void fake_end(struct fake_exchange *fake)
{
    oms_arena_fini(&fake->exchange.arena);
    oms_buf_fini(&fake->exchange.out);
}

const char *fake_answer(const struct fake_exchange *fake, const char *name)
{
    static char value[1024];
    size_t len = strlen(name);
    for (const char *line = fake->headers; *line; line = strchr(line, '\n') + 1) {
        if (strncmp(line, name, len) == 0 && strncmp(line + len, ": ", 2) == 0) {
            snprintf(value, sizeof(value), "%.*s", (int)strcspn(line + len + 2, "\n"), line + len + 2);
            return value;
        }
    }
    return NULL;
}

/* ---- keys ---- */

EVP_PKEY *fixture_key(const char *type)
{
    EVP_PKEY *key = strcmp(type, "RSA") == 0 ? EVP_RSA_gen(2048) : EVP_EC_gen(type);
    OMS_ASSERT(key);
    return key;
}

static char *take_bio(BIO *bio)
{
    char *data;
    long len = BIO_get_mem_data(bio, &data);
    char *text = oms_str_dup(oms_str_make(data, (size_t)len));
    BIO_free(bio);
    return text;
}

char *fixture_public_pem(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    OMS_ASSERT(PEM_write_bio_PUBKEY(bio, key) == 1);
    return take_bio(bio);
}

char *fixture_private_pem(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    OMS_ASSERT(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    return take_bio(bio);
}

/* ---- tokens ---- */

static const EVP_MD *digest_of(const char *algorithm)
{
    const char *bits = algorithm + 2;
    return strcmp(bits, "256") == 0 ? EVP_sha256() : strcmp(bits, "384") == 0 ? EVP_sha384() : EVP_sha512();
}

/* JWS wants r and s side by side (RFC 7518 section 3.4); OpenSSL gives them in DER. */
static size_t raw_signature(const unsigned char *der, size_t der_len, unsigned char *out, int part)
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)der_len);
    OMS_ASSERT(sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, part) == part &&
               BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + part, part) == part);
    ECDSA_SIG_free(sig);
    return 2 * (size_t)part;
}

static size_t sign(const char *algorithm, EVP_PKEY *key, const struct oms_buf *text, unsigned char out[1024])
{
    unsigned char der[1024];
    size_t len = sizeof(der);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    OMS_ASSERT(EVP_DigestSignInit(context, NULL, digest_of(algorithm), NULL, key) == 1);
    OMS_ASSERT(EVP_DigestSign(context, der, &len, (const unsigned char *)text->data, text->len) == 1);
    EVP_MD_CTX_free(context);
    if (algorithm[0] == 'E')
        return raw_signature(der, len, out, (EVP_PKEY_get_bits(key) + 7) / 8);
    memcpy(out, der, len);
    return len;
}

char *fixture_token(const char *algorithm, EVP_PKEY *key, struct oms_str secret, const char *header,
                    const char *payload)
{
    struct oms_buf text;
    unsigned char signature[1024];
    size_t len = 0;
    unsigned mac_len = 0;
    oms_buf_init(&text, 1u << 20);
    oms_base64url_encode(&text, header, strlen(header));
    oms_buf_append_char(&text, '.');
    oms_base64url_encode(&text, payload, strlen(payload));
    if (algorithm[0] == 'H') {
        HMAC(digest_of(algorithm), secret.data, (int)secret.len, (const unsigned char *)text.data, text.len,
             signature, &mac_len);
        len = mac_len;
    } else if (strcmp(algorithm, "none") != 0) {
        len = sign(algorithm, key, &text, signature);
    }
    oms_buf_append_char(&text, '.');
    oms_base64url_encode(&text, signature, len);
    char *token = oms_str_dup(oms_buf_str(&text));
    oms_buf_fini(&text);
    return token;
}
