/* See signature.h. */
#include "http/auth/signature.h"

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#include "runtime/base/assert.h"

#define DER_BYTES_MAX 144 /* two numbers of 66 bytes, each with a sign, and their heads */

static bool hmac_valid(const struct http_issuer_key *key, struct oms_str text, struct oms_str signature)
{
    unsigned char mac[SHA256_DIGEST_LENGTH];
    unsigned len = sizeof(mac);
    if (!HMAC(EVP_sha256(), key->material.data, (int)key->material.len, (const unsigned char *)text.data,
              text.len, mac, &len))
        return false;
    return signature.len == sizeof(mac) && CRYPTO_memcmp(mac, signature.data, sizeof(mac)) == 0;
}

/* A curve's signature is r and s side by side, each as long as the field; OpenSSL wants DER. 0: it is none.
 */
static size_t to_der(struct oms_str signature, size_t bytes, unsigned char out[DER_BYTES_MAX])
{
    if (signature.len != 2 * bytes)
        return 0;
    const unsigned char *data = (const unsigned char *)signature.data;
    BIGNUM *r = BN_bin2bn(data, (int)bytes, NULL), *s = BN_bin2bn(data + bytes, (int)bytes, NULL);
    ECDSA_SIG *pair = ECDSA_SIG_new();
    OMS_ASSERT(r && s && pair && ECDSA_SIG_set0(pair, r, s) == 1);
    int len = i2d_ECDSA_SIG(pair, NULL);
    OMS_ASSERT(len <= DER_BYTES_MAX);
    len = i2d_ECDSA_SIG(pair, &out);
    ECDSA_SIG_free(pair);
    return len > 0 ? (size_t)len : 0;
}

static EVP_PKEY *read_key(struct oms_str pem)
{
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    OMS_ASSERT(bio);
    EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return key;
}

static bool public_valid(const EVP_MD *hash, struct oms_str pem, struct oms_str text,
                         const unsigned char *signature, size_t signature_len)
{
    EVP_PKEY *key = read_key(pem);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    OMS_ASSERT(context);
    bool valid =
        key && EVP_DigestVerifyInit(context, NULL, hash, NULL, key) == 1 &&
        EVP_DigestVerify(context, signature, signature_len, (const unsigned char *)text.data, text.len) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return valid;
}

bool http_signature_valid(enum http_algorithm algorithm, const struct http_issuer_key *key,
                          struct oms_str text, struct oms_str signature)
{
    const EVP_MD *hash = algorithm == HTTP_ALG_RS384 || algorithm == HTTP_ALG_ES384   ? EVP_sha384()
                         : algorithm == HTTP_ALG_RS512 || algorithm == HTTP_ALG_ES512 ? EVP_sha512()
                                                                                      : EVP_sha256();
    unsigned char der[DER_BYTES_MAX];
    size_t len;
    OMS_ASSERT(key->kind == http_algorithm_key(algorithm) && key->material.len > 0);
    switch (key->kind) {
    case HTTP_KEY_HMAC:
        return hmac_valid(key, text, signature);
    case HTTP_KEY_RSA: /* PKCS #1 v1.5, which is OpenSSL's own choice for RSA keys */
        return public_valid(hash, key->material, text, (const unsigned char *)signature.data, signature.len);
    case HTTP_KEY_P256:
    case HTTP_KEY_P384:
    case HTTP_KEY_P521:
        len = to_der(signature, key->kind == HTTP_KEY_P256 ? 32 : key->kind == HTTP_KEY_P384 ? 48 : 66, der);
        return len && public_valid(hash, key->material, text, der, len);
    }
    OMS_UNREACHABLE();
}
