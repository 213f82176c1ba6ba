/*
 * Signatures of what is sent: Standard Webhooks (github.com/standard-webhooks, spec v1, symmetric scheme):
 * "v1," and the base64 of HMAC-SHA256 over "id.timestamp.body", keyed by what stands as base64 behind
 * "whsec_". Pure functions, any thread, but for the signer.
 */
#ifndef OUTHOOK_SIGNING_H
#define OUTHOOK_SIGNING_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/buf.h"

#define OUTHOOK_SECRET_TEXT_SIZE 50 /* "whsec_" and the base64 of 32 bytes */
#define OUTHOOK_KEY_BYTES_MAX    64

struct outhook_key {
    unsigned char bytes[OUTHOOK_KEY_BYTES_MAX];
    size_t len;
};

/* A new secret of 256 random bits. */
void outhook_secret_make(char out[OUTHOOK_SECRET_TEXT_SIZE]);
/* The key of a secret; false for other text. */
bool outhook_key_parse(struct oms_str secret, struct outhook_key *out);
/* What signing needs; one per thread. */
struct outhook_signer;
struct outhook_signer *outhook_signer_create(void);
void outhook_signer_destroy(struct outhook_signer *signer);
/* Appends "v1,…". */
void outhook_sign(struct outhook_signer *signer, const struct outhook_key *key, struct oms_str id,
                  int64_t timestamp_s, struct oms_str body, struct oms_buf *out);

/* How the API's ORDER_SHIPPED is called in a payload: "order.shipped", the last '_' being the '.'. At most
 * `size` − 1 bytes and a NUL. */
void outhook_type_name(struct oms_str event_type, char *out, size_t size);

/* A pause before attempt `attempt` (2, 3, …): at random up to first_ms × 2^(attempt − 2), max_ms at most, of
 * a random word ("full jitter"); never 0. */
int64_t outhook_pause_ms(unsigned attempt, int64_t first_ms, int64_t max_ms, uint64_t random);
/* Retry-After (RFC 9110 section 10.2.3) in milliseconds from now_ms, bounded by limits.h; 0: none, or not
 * understood. */
int64_t outhook_retry_after_ms(struct oms_str value, int64_t now_ms);

#endif
