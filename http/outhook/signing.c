/* See signing.h. */
#include "http/outhook/signing.h"

#include <curl/curl.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/encoding.h"
#include "runtime/base/limits.h"
#include "runtime/base/prng.h"

#define PREFIX        "whsec_"
#define SECRET_BYTES  32
#define KEY_BYTES_MIN 16

void outhook_secret_make(char out[OUTHOOK_SECRET_TEXT_SIZE])
{
    unsigned char secret[SECRET_BYTES];
    struct oms_buf text;

    oms_random_bytes(secret, sizeof secret);
    oms_buf_init(&text, OUTHOOK_SECRET_TEXT_SIZE);
    oms_buf_append_lit(&text, PREFIX);
    oms_base64_encode(&text, secret, sizeof secret);
    OMS_ASSERT(!text.overflow && text.len == OUTHOOK_SECRET_TEXT_SIZE);
    memcpy(out, text.data, text.len);
    explicit_bzero(text.data, text.len);
    explicit_bzero(secret, sizeof secret);
    oms_buf_fini(&text);
}

bool outhook_key_parse(struct oms_str secret, struct outhook_key *out)
{
    struct oms_str prefix = OMS_STR(PREFIX);
    struct oms_buf bytes;
    bool fine;

    if (!oms_str_starts(secret, prefix))
        return false;
    oms_buf_init(&bytes, OUTHOOK_KEY_BYTES_MAX);
    fine = oms_base64_decode(oms_str_make(secret.data + prefix.len, secret.len - prefix.len), &bytes) ==
               OMS_OK &&
           !bytes.overflow && bytes.len >= KEY_BYTES_MIN;
    out->len = fine ? bytes.len : 0;
    if (fine)
        memcpy(out->bytes, bytes.data, bytes.len);
    if (bytes.len)
        explicit_bzero(bytes.data, bytes.len);
    oms_buf_fini(&bytes);
    return fine;
}

/* Kept, since fetching the algorithm costs more than using it. */
struct outhook_signer {
    EVP_MAC_CTX *context;
};

struct outhook_signer *outhook_signer_create(void)
{
    struct outhook_signer *signer = oms_calloc(1, sizeof *signer);
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);

    signer->context = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
    EVP_MAC_free(hmac);
    OMS_ASSERT(signer->context);
    return signer;
}

void outhook_signer_destroy(struct outhook_signer *signer)
{
    EVP_MAC_CTX_free(signer->context);
    oms_free(signer);
}

void outhook_sign(struct outhook_signer *signer, const struct outhook_key *key, struct oms_str id,
                  int64_t timestamp_s, struct oms_str body, struct oms_buf *out)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_utf8_string("digest", digest, sizeof digest - 1), OSSL_PARAM_END};
    EVP_MAC_CTX *context = signer->context;
    unsigned char mac[EVP_MAX_MD_SIZE];
    char timestamp[32];
    size_t len = 0;
    int digits = snprintf(timestamp, sizeof timestamp, ".%lld.", (long long)timestamp_s);
    bool fine = EVP_MAC_init(context, key->bytes, key->len, params) == 1 &&
                EVP_MAC_update(context, (const unsigned char *)id.data, id.len) == 1 &&
                EVP_MAC_update(context, (const unsigned char *)timestamp, (size_t)digits) == 1 &&
                EVP_MAC_update(context, (const unsigned char *)body.data, body.len) == 1 &&
                EVP_MAC_final(context, mac, &len, sizeof mac) == 1;

    OMS_ASSERT(fine);
    oms_buf_append_lit(out, "v1,");
    oms_base64_encode(out, mac, len);
}

/* ---- names ---- */

void outhook_type_name(struct oms_str event_type, char *out, size_t size)
{
    size_t len = event_type.len < size - 1 ? event_type.len : size - 1, last = len;

    for (size_t i = 0; i < len; i++) {
        char c = event_type.data[i];

        out[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
        if (c == '_')
            last = i;
    }
    out[len] = '\0';
    if (last < len)
        out[last] = '.';
}

/* ---- pauses ---- */

int64_t outhook_pause_ms(unsigned attempt, int64_t first_ms, int64_t max_ms, uint64_t random)
{
    int64_t most = first_ms;

    for (unsigned i = 2; i < attempt && most < max_ms; i++)
        most *= 2;
    if (most > max_ms)
        most = max_ms;
    return 1 + (int64_t)(random % (uint64_t)(most > 0 ? most : 1));
}

int64_t outhook_retry_after_ms(struct oms_str value, int64_t now_ms)
{
    struct oms_str text = oms_str_trim(value);
    char copy[64];
    int64_t ms;

    if (!text.len || text.len >= sizeof copy)
        return 0;
    if (oms_str_to_i64(text, &ms) == OMS_OK) {
        ms = ms > OMS_OUTHOOK_RETRY_AFTER_MAX_MS / 1000 ? OMS_OUTHOOK_RETRY_AFTER_MAX_MS : ms * 1000;
    } else {
        snprintf(copy, sizeof copy, "%.*s", OMS_STR_ARG(text));
        int64_t at_s = (int64_t)curl_getdate(copy, NULL);
        ms = at_s < 0 ? 0 : at_s * 1000 - now_ms;
    }
    if (ms < 0)
        return 0;
    return ms < OMS_OUTHOOK_RETRY_AFTER_MAX_MS ? ms : OMS_OUTHOOK_RETRY_AFTER_MAX_MS;
}
