/* Sealing by OpenSSL's EVP. See vault.h. A failure to encrypt is out of memory or a bug: it stops the
 * process. */
#include "storage/vault.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

#define NONCE_SIZE 12

struct store_vault {
    unsigned char master[STORE_VAULT_KEY_SIZE];
    struct oms_hash_key hash;
    EVP_CIPHER *seal; /* fetched once: a look-up by name costs more than the encryption */
    EVP_CIPHER *wrap;
};

static const unsigned char nonce[NONCE_SIZE]; /* a data key seals one message */

/* HMAC-SHA-256 of a label under the master key. */
static void derive_hash_key(struct store_vault *vault)
{
    static const unsigned char label[] = "liteoms: hashes of index terms";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    OMS_ASSERT(
        HMAC(EVP_sha256(), vault->master, STORE_VAULT_KEY_SIZE, label, sizeof(label) - 1, digest, &len) &&
        len >= sizeof(vault->hash));
    memcpy(&vault->hash, digest, sizeof(vault->hash));
    OPENSSL_cleanse(digest, sizeof(digest));
}

struct store_vault *store_vault_create(const unsigned char master[STORE_VAULT_KEY_SIZE])
{
    struct store_vault *vault = oms_calloc(1, sizeof(*vault));
    memcpy(vault->master, master, sizeof(vault->master));
    vault->seal = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    vault->wrap = EVP_CIPHER_fetch(NULL, "AES-256-WRAP", NULL);
    OMS_ASSERT(vault->seal && vault->wrap);
    derive_hash_key(vault);
    return vault;
}

void store_vault_destroy(struct store_vault *vault)
{
    if (!vault)
        return;
    EVP_CIPHER_free(vault->seal);
    EVP_CIPHER_free(vault->wrap);
    OPENSSL_cleanse(vault, sizeof(*vault));
    oms_free(vault);
}

/* One pass of the key wrap in either direction; false when it does not fit. */
static bool wrap_pass(const struct store_vault *vault, EVP_CIPHER_CTX *context, bool encrypts,
                      struct oms_str in, unsigned char *out, int size)
{
    int len = 0, rest = 0;
    EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    return EVP_CipherInit_ex2(context, vault->wrap, vault->master, NULL, encrypts, NULL) == 1 &&
           EVP_CipherUpdate(context, out, &len, (const unsigned char *)in.data, (int)in.len) == 1 &&
           EVP_CipherFinal_ex(context, out + len, &rest) == 1 && len + rest == size;
}

static bool unwrap(const struct store_vault *vault, EVP_CIPHER_CTX *context, struct oms_str wrapped,
                   unsigned char data_key[STORE_VAULT_KEY_SIZE])
{
    unsigned char room[STORE_VAULT_WRAPPED_SIZE];
    bool fits = wrapped.len == STORE_VAULT_WRAPPED_SIZE &&
                wrap_pass(vault, context, false, wrapped, room, STORE_VAULT_KEY_SIZE);
    memcpy(data_key, room, STORE_VAULT_KEY_SIZE);
    OPENSSL_cleanse(room, sizeof(room));
    return fits;
}

void store_vault_seal(const struct store_vault *vault, const unsigned char data_key[STORE_VAULT_KEY_SIZE],
                      struct oms_str belongs, struct oms_str plain, struct oms_buf *out,
                      unsigned char wrapped[STORE_VAULT_WRAPPED_SIZE])
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int len = 0, rest = 0;
    OMS_ASSERT(context && plain.len < INT_MAX - STORE_VAULT_TAG_SIZE);
    if (oms_buf_reserve(out, plain.len + STORE_VAULT_TAG_SIZE)) {
        unsigned char *to = (unsigned char *)out->data + out->len;
        OMS_ASSERT(
            EVP_EncryptInit_ex2(context, vault->seal, data_key, nonce, NULL) == 1 &&
            EVP_EncryptUpdate(context, NULL, &len, (const unsigned char *)belongs.data, (int)belongs.len) ==
                1 &&
            EVP_EncryptUpdate(context, to, &len, (const unsigned char *)plain.data, (int)plain.len) == 1 &&
            EVP_EncryptFinal_ex(context, to + len, &rest) == 1 &&
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, STORE_VAULT_TAG_SIZE, to + plain.len) == 1);
        out->len += plain.len + STORE_VAULT_TAG_SIZE;
    }
    EVP_CIPHER_CTX_reset(context);
    OMS_ASSERT(wrap_pass(vault, context, true, oms_str_make(data_key, STORE_VAULT_KEY_SIZE), wrapped,
                         STORE_VAULT_WRAPPED_SIZE));
    EVP_CIPHER_CTX_free(context);
}

static bool decrypt(const struct store_vault *vault, EVP_CIPHER_CTX *context,
                    const unsigned char data_key[STORE_VAULT_KEY_SIZE], struct oms_str belongs,
                    struct oms_str sealed, char *out)
{
    size_t size = sealed.len - STORE_VAULT_TAG_SIZE;
    const unsigned char *in = (const unsigned char *)sealed.data;
    unsigned char *to = (unsigned char *)out;
    int len = 0, rest = 0;
    EVP_CIPHER_CTX_reset(context);
    return EVP_DecryptInit_ex2(context, vault->seal, data_key, nonce, NULL) == 1 &&
           EVP_DecryptUpdate(context, NULL, &len, (const unsigned char *)belongs.data, (int)belongs.len) ==
               1 &&
           EVP_DecryptUpdate(context, to, &len, in, (int)size) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, STORE_VAULT_TAG_SIZE,
                               (void *)(uintptr_t)(in + size)) == 1 &&
           EVP_DecryptFinal_ex(context, to + len, &rest) == 1;
}

enum oms_status store_vault_open(const struct store_vault *vault, struct oms_str wrapped,
                                 struct oms_str belongs, struct oms_str sealed, char *out)
{
    unsigned char data_key[STORE_VAULT_KEY_SIZE];
    if (sealed.len < STORE_VAULT_TAG_SIZE || sealed.len > INT_MAX)
        return OMS_CORRUPT;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    OMS_ASSERT(context);
    bool fits =
        unwrap(vault, context, wrapped, data_key) && decrypt(vault, context, data_key, belongs, sealed, out);
    EVP_CIPHER_CTX_free(context);
    OPENSSL_cleanse(data_key, sizeof(data_key));
    return fits ? OMS_OK : OMS_CORRUPT;
}

struct oms_hash128 store_vault_hash(const struct store_vault *vault, const void *data, size_t len)
{
    static const struct oms_hash_key none;
    return oms_siphash128(vault ? &vault->hash : &none, data, len);
}

bool store_vault_fits(const struct store_vault *vault, struct oms_str wrapped)
{
    unsigned char data_key[STORE_VAULT_KEY_SIZE];
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    OMS_ASSERT(context);
    bool fits = unwrap(vault, context, wrapped, data_key);
    EVP_CIPHER_CTX_free(context);
    OPENSSL_cleanse(data_key, sizeof(data_key));
    return fits;
}
