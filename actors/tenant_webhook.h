/*
 * Who may send a tenant webhooks: a provider, its live secrets, which topics, and how its payloads are read.
 *
 * Kept here as plain data, stored with the tenant's version; what a provider, a topic or a map means is known
 * above (http/webhook). Secrets leave this structure only to be compared with: no query and no log shows
 * them.
 */
#ifndef TENANT_WEBHOOK_H
#define TENANT_WEBHOOK_H

#include "runtime/base/str.h"

struct oms_arena;
struct oms_buf;
struct oms_value;

struct tenant_webhook {
    struct oms_str provider;
    const struct oms_str *secrets; /* newest first by custom; all are live */
    size_t secret_count;
    uint32_t max_age_s;           /* 0: the provider's default */
    const struct oms_str *topics; /* none: all of the provider's */
    size_t topic_count;
    struct oms_str map; /* JSON object of maps by topic; absent: the ready ones */
};

/*
 * From a list of { "provider", "secrets": [...], "max_age_seconds", "topics": [...], "map": {…} }. The result
 * lives in the arena; `error` names the place ("webhooks[0].secrets"), never a secret. Any thread.
 */
OMS_MUST_USE enum oms_status tenant_webhooks_parse(const struct oms_value *list, struct oms_arena *arena,
                                                   const struct tenant_webhook **out, size_t *count,
                                                   struct oms_error *error);

/* The stored form of one (runtime/base/wire.h), without a tag of its own. */
void tenant_webhook_encode(const struct tenant_webhook *webhook, struct oms_buf *out);
/* Copies into the arena. OMS_CORRUPT for other bytes. */
OMS_MUST_USE enum oms_status tenant_webhook_decode(struct oms_str bytes, struct oms_arena *arena,
                                                   struct tenant_webhook *out);

#endif
