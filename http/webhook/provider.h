/*
 * The signature schemes of webhook providers, as rows of one table: which headers, what is signed, how it is
 * written, whether a timestamp is part of what is signed, and where the delivery's id is.
 *
 * What an attacker could change without the secret counts for nothing: a timestamp is looked at only where it
 * is signed, and so is a delivery id; where a scheme signs no id, the delivery is known by a hash of what it
 * signs. Comparison takes the same time wherever signatures differ. Pure functions, any thread.
 *
 * Sources: GitHub "Validating webhook deliveries"; Standard Webhooks 1.0; Shopify "Verify webhooks through
 * HTTPS"; EasyPost's second HMAC scheme (timestamp, method, path, body); Stripe "Check the webhook
 * signatures"; `wss` is this project's own (docs/webhooks.md).
 */
#ifndef WEBHOOK_PROVIDER_H
#define WEBHOOK_PROVIDER_H

#include <stdint.h>

#include "runtime/base/buf.h"
#include "runtime/base/str.h"

#define WEBHOOK_MAX_AGE_S_DEFAULT 300
#define WEBHOOK_DIGEST_SIZE       32
#define WEBHOOK_SECRETS_MAX       4 /* live at once, for rotation */

struct webhook_provider; /* a row; static storage */

/* NULL for a name that is not in the table. */
const struct webhook_provider *webhook_provider_find(struct oms_str name);
/* By place from 0; NULL behind the last. */
const struct webhook_provider *webhook_provider_at(size_t index);
const char *webhook_provider_name(const struct webhook_provider *provider);
/* The broker that events come from, as a sender of updates; in no list of those who sign. */
const struct webhook_provider *webhook_provider_nats(void);
/* Its place in the table. */
size_t webhook_provider_index(const struct webhook_provider *provider);
/* Whether one of its schemes signs a timestamp: then max_age_seconds means something. */
bool webhook_provider_signs_time(const struct webhook_provider *provider);
/* Whether the scheme can use this secret (a whsec_ secret is base64 behind the prefix). */
bool webhook_secret_valid(const struct webhook_provider *provider, struct oms_str secret);

/* What is verified; headers are asked for by lower-case name and absent when there is none. */
struct webhook_delivery {
    struct oms_str method;
    struct oms_str path; /* as requested, without the query */
    struct oms_str body;
    struct oms_str (*header)(const void *context, const char *name);
    const void *context;
};

enum webhook_verdict {
    WEBHOOK_VALID,
    WEBHOOK_UNSIGNED, /* no signature, or none that can be read */
    WEBHOOK_FORGED,   /* no secret makes this signature */
    WEBHOOK_STALE,    /* signed, but too long ago, or in the future */
    WEBHOOK_UNTIMED,  /* signed by a scheme without a timestamp, where a maximum age was asked for */
};

struct webhook_verified {
    struct oms_str id; /* signed delivery id, borrowed from the headers; absent: the scheme has none there */
    unsigned char digest[WEBHOOK_DIGEST_SIZE]; /* SHA-256 of what was signed */
};

/*
 * Verifies a delivery against up to WEBHOOK_SECRETS_MAX live secrets. `max_age_s` 0: the default where a
 * timestamp is signed, and schemes without one are accepted; else only schemes that sign one are. `out` is
 * filled for WEBHOOK_VALID.
 */
enum webhook_verdict webhook_verify(const struct webhook_provider *provider,
                                    const struct webhook_delivery *delivery, const struct oms_str *secrets,
                                    size_t secret_count, unsigned max_age_s, int64_t now_ms,
                                    struct webhook_verified *out);

/* The field of the (signed) payload that holds the delivery's id; NULL: there is none. */
const char *webhook_provider_id_field(const struct webhook_provider *provider);
/* The header that names the delivery for people, though nothing signs it; NULL: there is none. */
const char *webhook_provider_label_header(const struct webhook_provider *provider);

/*
 * Signs as the provider would: appends "Name: value\r\n" for each header. `id` names the delivery. false when
 * the secret cannot be used.
 */
bool webhook_sign(const struct webhook_provider *provider, struct oms_str secret, struct oms_str method,
                  struct oms_str path, struct oms_str body, struct oms_str id, int64_t now_ms,
                  struct oms_buf *out);

#endif
