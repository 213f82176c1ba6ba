/*
 * What an operator sets of a tenant while the server runs: its status, currency, origins and limits; and how
 * that gets on with the configuration, which may say the same things.
 *
 * The rule, as for workflows: what was set through the API is not undone by a restart with the same
 * configuration. A version remembers, per part, a hash of what the configuration said last. A part whose
 * configuration is as it was then keeps the value that it has now, wherever that came from; one whose
 * configuration has changed takes it.
 */
#ifndef TENANT_SETTINGS_H
#define TENANT_SETTINGS_H

#include "actors/tenant.h"

/* ---- changes, of a copy of the version ---- */

/*
 * Gives it a status; `reason` and `by` (the subject; both may be absent) are kept with the time. The same
 * status again changes nothing.
 */
void tenant_version_set_status(struct tenant_version *wanted, enum tenant_status status,
                               struct oms_str reason, struct oms_str by, int64_t now_ms);
/*
 * Sets "currency", "cors_origins" or "limits" from a tree as the configuration has it; limits that it does
 * not name stay. OMS_INVALID, OMS_LIMIT with the error.
 */
OMS_MUST_USE enum oms_status tenant_version_set_part(struct tenant_version *wanted, const char *key,
                                                     const struct oms_value *value, struct oms_error *error);

/* ---- for tenant_version_follow and tenant_parse ---- */

/* Notes what the version, just read from a configuration, says of each part. */
void tenant_settings_note(struct tenant_version *tenant);
/* Forgets that: the version was not configured but made through the API. */
void tenant_settings_unnote(struct tenant_version *tenant);
/* Takes over from `before` what the configuration does not say anew, and when and why its status is what it
 * is. */
void tenant_settings_follow(struct tenant_version *wanted, const struct tenant_version *before);

#endif
