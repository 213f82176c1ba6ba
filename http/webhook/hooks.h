/*
 * Who may send webhooks, compiled: a tenant's (or the operator's) entries with their provider's row, topics
 * and maps found. One copy per shard, replaced when the tenant has a new version; used within one turn.
 */
#ifndef WEBHOOK_HOOKS_H
#define WEBHOOK_HOOKS_H

#include "actors/tenant_webhook.h"
#include "http/webhook/field_map.h"
#include "http/webhook/topic.h"
#include "runtime/base/limits.h"

struct webhook_hook {
    const struct webhook_provider *provider;
    struct oms_str secrets[OMS_WEBHOOK_SECRETS_MAX];
    size_t secret_count;
    unsigned max_age_s;
    uint32_t topics;               /* bits by place in the table */
    const struct field_map **maps; /* by place in the table; NULL: read by names */
};

struct webhook_hooks {
    struct oms_arena arena;
    struct webhook_hook *items;
    size_t count;
};

/*
 * Copies and compiles. `is_operator`: of the carrier account, which has the one topic shipment_tracker.
 * OMS_INVALID with the place ("webhooks[1].map: …"), never with a secret.
 */
OMS_MUST_USE enum oms_status webhook_hooks_create(const struct tenant_webhook *from, size_t count,
                                                  bool is_operator, struct webhook_hooks **out,
                                                  struct oms_error *error);
/* NULL is allowed. Secrets are overwritten. */
void webhook_hooks_destroy(struct webhook_hooks *hooks);
/* NULL when there is none of this provider; `hooks` may be NULL. */
const struct webhook_hook *webhook_hooks_find(const struct webhook_hooks *hooks,
                                              const struct webhook_provider *provider);

#endif
