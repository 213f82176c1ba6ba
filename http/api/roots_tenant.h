/*
 * Mutations on tenants: the way of a change of one part (workflow, and whatever comes after it) from the
 * input to the tenant's actor and back. A new mutation is an `apply` function, a payload that begins with
 * api_tenant_payload, and its root in a file of its own.
 */
#ifndef API_ROOTS_TENANT_H
#define API_ROOTS_TENANT_H

#include "actors/system.h"
#include "http/api/request.h"

/* Value of the payloads of such mutations; more may stand behind it. */
struct api_tenant_payload {
    struct api_payload shared;           /* first: its resolvers take the payload for one */
    const struct tenant_version *tenant; /* as it is after the change; NULL: the caller may not see it */
};

struct api_tenant_task {
    struct api_task *task;
    struct tenant_change change; /* first of it: apply; what it reads stands behind this structure */
    struct tenant_call call;
    bool also_suspended; /* the change is made on a suspended tenant, too */
    /* Executes the payload on the tenant as it is now, and finishes the task. On the home shard. */
    void (*answer)(struct api_tenant_task *own);
};

/*
 * Reads tenantId and clientMutationId, finds the tenant, and checks the permission, which must be held for
 * the whole tenant. False: the task is finished already, or, with a refusal in task->refusals, `own->answer`
 * was called.
 */
bool api_tenant_begin(struct api_tenant_task *own, struct api_task *task, enum permission permission);
/* Whether the caller holds it now, for the whole tenant: asked again after a wait. */
bool api_tenant_may(struct api_task *task, enum permission permission);
/*
 * Sends the change to the tenant's actor, under the input's idempotency key; own->answer is called when it is
 * durable and everywhere, or refused. `own` lives in the task's arena, with what `apply` reads.
 */
void api_tenant_send(struct api_tenant_task *own);
/* The same for a tenant that must not exist yet: `config` is its version, encoded, and stays until the
 * answer. */
void api_tenant_create(struct api_tenant_task *own, struct oms_str config);
/* The payload's first part. */
void api_tenant_payload_init(struct api_tenant_task *own, struct api_tenant_payload *payload);

/* roots_workflow.c, resolve_workflow.c */
void api_bind_workflow_roots(struct api_bindings *bindings);
void api_bind_workflows(struct api_bindings *bindings);
void api_bind_api_keys(struct api_bindings *bindings);    /* roots_api_key.c */
void api_bind_operator(struct api_bindings *bindings);    /* roots_operator.c */
void api_bind_users(struct api_bindings *bindings);       /* roots_user.c */
void api_bind_rolemap(struct api_bindings *bindings);     /* roots_rolemap.c */
void api_bind_fulfillment(struct api_bindings *bindings); /* roots_fulfillment.c */
void api_bind_privacy(struct api_bindings *bindings);     /* roots_privacy.c */
/* roots_endpoint.c, resolve_endpoint.c */
void api_bind_endpoints(struct api_bindings *bindings);
void api_bind_endpoint_types(struct api_bindings *bindings);

#endif
