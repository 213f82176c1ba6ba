/* Values of the workflow's types. */
#ifndef API_RESOLVE_WORKFLOW_H
#define API_RESOLVE_WORKFLOW_H

#include "http/api/resolve.h"

/* Value of Workflow. */
struct api_workflow {
    const struct tenant_version *tenant; /* whose it is, or would be */
    const struct workflow *workflow;
};

/* Value of WorkflowStep. */
struct api_workflow_step {
    const struct workflow *of;
    const struct workflow_step *step;
};

/* In the execution's arena; NULL after gql_fail. */
const struct api_workflow *api_workflow(struct gql_exec *x, const struct tenant_version *tenant,
                                        const struct workflow *workflow);

#endif
