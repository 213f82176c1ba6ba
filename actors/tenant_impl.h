/*
 * What the files that make tenant versions share; see tenant.h.
 */
#ifndef TENANT_IMPL_H
#define TENANT_IMPL_H

#include "actors/tenant.h"

/* An active version 1 with an empty arena, to be filled; one hold. */
struct tenant_version *tenant_blank(void);
/* Whether no holder has more than OMS_TENANT_GRANTS_MAX rules: a caller's request walks all of its scopes. */
bool tenant_grants_bounded(const struct permission_rule *rules, size_t count);

/* From a snapshot that has been taken in; a version that was told before is kept where none is told now. */
void tenant_source_set(struct tenant_source *source, const struct tenant_snapshot *snapshot);

#endif
