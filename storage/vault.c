/* Sealing by OpenSSL's EVP. See vault.h. A failure to encrypt is out of memory or a bug: it stops the
 * process. */
#include "storage/vault.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

struct store_vault {
    unsigned char master[STORE_VAULT_KEY_SIZE];
    struct oms_hash_key hash;
    EVP_CIPHER *cipher; /* fetched once: a look-up by name costs more than the encryption */
};

static const unsigned char nonce[STORE_VAULT_NONCE_SIZE]; /* a data key seals one message */

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
    vault->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    OMS_ASSERT(vault->cipher);
    derive_hash_key(vault);
    return vault;
}

void store_vault_destroy(struct store_vault *vault)
{
    if (!vault)
        return;
    EVP_CIPHER_free(vault->cipher);
    OPENSSL_cleanse(vault, sizeof(*vault));
    oms_free(vault);
}

struct message {
    const unsigned char *key, *nonce;
    struct oms_str belongs, text;
};

/* Writes text.len bytes and the tag. */
static void encrypt(const struct store_vault *vault, EVP_CIPHER_CTX *context, const struct message *message,
                    unsigned char *out)
{
    int len = 0, rest = 0;
    OMS_ASSERT(EVP_EncryptInit_ex2(context, vault->cipher, message->key, message->nonce, NULL) == 1);
    OMS_ASSERT(!message->belongs.len ||
               EVP_EncryptUpdate(context, NULL, &len, (const unsigned char *)message->belongs.data,
                                 (int)message->belongs.len) == 1);
    len = 0;
    OMS_ASSERT(!message->text.len ||
               EVP_EncryptUpdate(context, out, &len, (const unsigned char *)message->text.data,
                                 (int)message->text.len) == 1);
    OMS_ASSERT(EVP_EncryptFinal_ex(context, out + len, &rest) == 1);
    OMS_ASSERT(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, STORE_VAULT_TAG_SIZE,
                                   out + message->text.len) == 1);
}

/* Reads text.len bytes and the tag behind them; false when the tag does not fit. */
static bool decrypt(const struct store_vault *vault, EVP_CIPHER_CTX *context, const struct message *message,
                    unsigned char *out)
{
    const unsigned char *in = (const unsigned char *)message->text.data;
    int len = 0, rest = 0;
    return EVP_DecryptInit_ex2(context, vault->cipher, message->key, message->nonce, NULL) == 1 &&
           (!message->belongs.len ||
            EVP_DecryptUpdate(context, NULL, &len, (const unsigned char *)message->belongs.data,
                              (int)message->belongs.len) == 1) &&
           (!message->text.len || EVP_DecryptUpdate(context, out, &len, in, (int)message->text.len) == 1) &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, STORE_VAULT_TAG_SIZE,
                               (void *)(uintptr_t)(in + message->text.len)) == 1 &&
           EVP_DecryptFinal_ex(context, out + message->text.len, &rest) == 1;
}

void store_vault_seal(const struct store_vault *vault, const unsigned char random[STORE_VAULT_RANDOM_SIZE],
                      struct oms_str belongs, struct oms_str plain, struct oms_buf *out,
                      unsigned char wrapped[STORE_VAULT_WRAPPED_SIZE])
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    const unsigned char *wrap_nonce = random + STORE_VAULT_KEY_SIZE;
    const struct message text = {random, nonce, belongs, plain};
    const struct message key = {vault->master, wrap_nonce, OMS_STR_NONE,
                                oms_str_make(random, STORE_VAULT_KEY_SIZE)};
    OMS_ASSERT(context && plain.len < INT_MAX - STORE_VAULT_TAG_SIZE);
    if (oms_buf_reserve(out, plain.len + STORE_VAULT_TAG_SIZE)) {
        encrypt(vault, context, &text, (unsigned char *)out->data + out->len);
        out->len += plain.len + STORE_VAULT_TAG_SIZE;
    }
    memcpy(wrapped, wrap_nonce, STORE_VAULT_NONCE_SIZE);
    encrypt(vault, context, &key, wrapped + STORE_VAULT_NONCE_SIZE);
    EVP_CIPHER_CTX_free(context);
}

static bool unwrap(const struct store_vault *vault, EVP_CIPHER_CTX *context, struct oms_str wrapped,
                   unsigned char data_key[STORE_VAULT_KEY_SIZE])
{
    const struct message key = {vault->master, (const unsigned char *)wrapped.data, OMS_STR_NONE,
                                oms_str_make(wrapped.data + STORE_VAULT_NONCE_SIZE, STORE_VAULT_KEY_SIZE)};
    return wrapped.len == STORE_VAULT_WRAPPED_SIZE && decrypt(vault, context, &key, data_key);
}

enum oms_status store_vault_open(const struct store_vault *vault, struct oms_str wrapped,
                                 struct oms_str belongs, struct oms_str sealed, char *out)
{
    unsigned char data_key[STORE_VAULT_KEY_SIZE];
    if (sealed.len < STORE_VAULT_TAG_SIZE || sealed.len > INT_MAX)
        return OMS_CORRUPT;
    const struct message text = {data_key, nonce, belongs,
                                 oms_str_make(sealed.data, sealed.len - STORE_VAULT_TAG_SIZE)};
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    OMS_ASSERT(context);
    bool fits =
        unwrap(vault, context, wrapped, data_key) && decrypt(vault, context, &text, (unsigned char *)out);
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
