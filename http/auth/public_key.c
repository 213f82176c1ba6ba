/* See public_key.h. */
#include "http/auth/public_key.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "runtime/base/arena.h"
#include "runtime/base/assert.h"

static bool rsa_fits(EVP_PKEY *key, struct oms_error *error)
{
    int bits = EVP_PKEY_get_bits(key);
    if (bits >= HTTP_RSA_BITS_MIN && bits <= HTTP_RSA_BITS_MAX)
        return true;
    oms_error_set(error, OMS_INVALID, "holds an RSA key of %d bits; %d are the %s", bits,
                  bits < HTTP_RSA_BITS_MIN ? HTTP_RSA_BITS_MIN : HTTP_RSA_BITS_MAX,
                  bits < HTTP_RSA_BITS_MIN ? "least" : "most");
    return false;
}

static bool kind_of(EVP_PKEY *key, enum http_key_kind *kind, struct oms_error *error)
{
    char group[64] = "";
    if (EVP_PKEY_is_a(key, "RSA")) {
        *kind = HTTP_KEY_RSA;
        return rsa_fits(key, error);
    }
    if (EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1) {
        *kind = strcmp(group, "prime256v1") == 0  ? HTTP_KEY_P256
                : strcmp(group, "secp384r1") == 0 ? HTTP_KEY_P384
                : strcmp(group, "secp521r1") == 0 ? HTTP_KEY_P521
                                                  : HTTP_KEY_HMAC;
        if (*kind != HTTP_KEY_HMAC)
            return true;
    }
    oms_error_set(error, OMS_INVALID, "must hold an RSA key or one of the curves P-256, P-384, P-521");
    return false;
}

enum oms_status http_public_key(EVP_PKEY *key, struct oms_str kid, struct oms_arena *arena,
                                struct http_issuer_key *out, struct oms_error *error)
{
    char *data;
    *out = (struct http_issuer_key){0};
    if (!kind_of(key, &out->kind, error))
        return OMS_INVALID;
    BIO *bio = BIO_new(BIO_s_mem());
    OMS_ASSERT(bio);
    bool written = PEM_write_bio_PUBKEY(bio, key) == 1;
    if (written) {
        long len = BIO_get_mem_data(bio, &data);
        out->material = oms_str_copy(arena, oms_str_make(data, (size_t)len));
    }
    BIO_free(bio);
    out->kid = oms_str_copy(arena, kid);
    if (!written)
        return oms_error_set(error, OMS_INVALID, "cannot be written as a public key");
    if (!oms_str_present(out->material) || (oms_str_present(kid) && !oms_str_present(out->kid)))
        return oms_error_set(error, OMS_LIMIT, "is too large");
    return OMS_OK;
}
