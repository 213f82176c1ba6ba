/*
 * Sealing what must be erasable although it lies in a log that is never rewritten.
 *
 * The personal texts of a unit are encrypted under a data key of their own; the data key is wrapped by the
 * master key and stored beside the log. Who destroys the wrapped key destroys the texts. Both are AES-256-GCM
 * (NIST SP 800-38D). A data key seals one message, so its nonce is fixed; what the message belongs to is
 * authenticated with it, so that no sealed text can be put into another record. A wrapped key has a random
 * nonce of 96 bits: one master key is good for 2^32 units by the standard's count. (RFC 3394's key wrap needs
 * none, but costs many times as much in OpenSSL 3.)
 *
 * A vault is immutable after init: any thread.
 */
#ifndef STORE_VAULT_H
#define STORE_VAULT_H

#include "runtime/base/buf.h"
#include "runtime/base/hash.h"
#include "runtime/base/status.h"
#include "runtime/base/str.h"

#define STORE_VAULT_KEY_SIZE     32
#define STORE_VAULT_NONCE_SIZE   12
#define STORE_VAULT_RANDOM_SIZE  (STORE_VAULT_KEY_SIZE + STORE_VAULT_NONCE_SIZE)
#define STORE_VAULT_TAG_SIZE     16 /* a sealed text is so much longer */
#define STORE_VAULT_WRAPPED_SIZE (STORE_VAULT_NONCE_SIZE + STORE_VAULT_KEY_SIZE + STORE_VAULT_TAG_SIZE)

struct store_vault;

struct store_vault *store_vault_create(const unsigned char master[STORE_VAULT_KEY_SIZE]);
void store_vault_destroy(struct store_vault *vault);

/* Appends the sealed form of `plain` to `out` and writes the wrapped key. `random` is the data key and the
 * nonce of its wrapping: never used twice. `belongs` is authenticated. */
void store_vault_seal(const struct store_vault *vault, const unsigned char random[STORE_VAULT_RANDOM_SIZE],
                      struct oms_str belongs, struct oms_str plain, struct oms_buf *out,
                      unsigned char wrapped[STORE_VAULT_WRAPPED_SIZE]);
/*
 * Writes the text, sealed.len - STORE_VAULT_TAG_SIZE bytes, to `out`. OMS_CORRUPT when the key was wrapped by
 * another master key, or the text was changed or belongs elsewhere; nothing of it is to be used then.
 */
OMS_MUST_USE enum oms_status store_vault_open(const struct store_vault *vault, struct oms_str wrapped,
                                              struct oms_str belongs, struct oms_str sealed, char *out);
/* A hash of what must be found again and not be read: the same in one store, and nothing without its master
 * key. NULL: a store without a vault, whose hashes tell. */
struct oms_hash128 store_vault_hash(const struct store_vault *vault, const void *data, size_t len);
/* Only whether the wrapped key is the master key's. */
bool store_vault_fits(const struct store_vault *vault, struct oms_str wrapped);

#endif
