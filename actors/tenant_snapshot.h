/*
 * Snapshots in a tenant's version: read-only copies of facts that other systems own. The workflow is one
 * (tenant.h), the rolemap and what is known of fulfillment are here. Each knows where it came from and which
 * version its source gave it; an older version never replaces a newer one, whatever way it comes.
 */
#ifndef TENANT_SNAPSHOT_H
#define TENANT_SNAPSHOT_H

#include "actors/tenant.h"

/*
 * Reads a source's version: a whole number of at least 1, as a number or its digits; NULL: not told, 0. False
 * with a refusal of the field "version".
 */
bool tenant_snapshot_version(const struct oms_value *value, int64_t *out, struct refusal_list *refusals);

/*
 * Replaces the rolemap of a copy by `rows` (a list, as the configuration has them); the same as now with no
 * newer version changes nothing. The rows of the role "operator" stay as they are. False with refusals, whose
 * fields begin with "rows": faults, no role that may manage access, CONFLICT (then snapshot->older tells
 * which kind).
 */
bool tenant_version_set_rolemap(struct tenant_version *wanted, const struct oms_value *rows,
                                struct tenant_snapshot *snapshot, struct refusal_list *refusals);
/* Takes over the rolemap of another version. False when the memory for it is full. */
bool tenant_version_copy_rolemap(struct tenant_version *wanted, const struct tenant_version *from);

/*
 * Replaces the sections of what is known of fulfillment that `sections` has ({ warehouses, carriers }, each a
 * list; fulfillment.h). Each section has its own version. False with refusals and without any change: faults,
 * a section that is missing altogether, CONFLICT.
 */
bool tenant_version_set_fulfillment(struct tenant_version *wanted, const struct oms_value *sections,
                                    struct tenant_snapshot *snapshot, struct refusal_list *refusals);
/* Takes it over from another version. False when the memory for it is full. */
bool tenant_version_copy_fulfillment(struct tenant_version *wanted, const struct tenant_version *from);

/*
 * Whether a snapshot may replace what `now` says; `same`: its content is what is there. False with CONFLICT
 * on `field`.
 */
bool tenant_snapshot_check(const struct tenant_source *now, struct tenant_snapshot *snapshot, bool same,
                           const char *field, struct refusal_list *refusals);

#endif
