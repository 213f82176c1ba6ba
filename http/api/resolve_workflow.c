/* A tenant's workflow as the API shows it: steps and conditions as objects, as JSON, and as a picture's text.
 */
#include "http/api/resolve_workflow.h"
#include "actors/money.h"
#include "http/api/roots_tenant.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"

const struct api_workflow *api_workflow(struct gql_exec *x, const struct tenant_version *tenant,
                                        const struct workflow *workflow)
{
    struct api_workflow *value = OMS_ARENA_NEW(gql_exec_arena(x), struct api_workflow);
    if (!value) {
        gql_fail(x, "INTERNAL", "The answer is too large");
        return NULL;
    }
    *value = (struct api_workflow){tenant, workflow};
    return value;
}

static const void *tenant_workflow_of(struct gql_exec *x, const void *parent)
{
    const struct tenant_version *tenant = parent;
    const struct api_scene *scene = api_scene_of(x);
    const struct oms_value *version = gql_arg(x, "version");
    bool given = version && version->kind == OMS_VALUE_INT;
    const struct workflow *workflow;
    if (!scene || !scene->access || !access_unscoped(scene->access, PERMISSION_MANAGE_WORKFLOW)) {
        gql_fail(x, "FORBIDDEN", "This needs the permission manage_workflow");
        return NULL;
    }
    workflow = given && (version->integer < 1 || version->integer > UINT32_MAX)
                   ? NULL
                   : tenant_workflow(tenant, given ? (uint32_t)version->integer : 0);
    if (!workflow) {
        gql_fail(x, "NOT_FOUND", "The tenant's workflow has no version %lld", (long long)version->integer);
        return NULL;
    }
    return api_workflow(x, tenant, workflow);
}

/* ---- Workflow ---- */

API_LEAF_FN(workflow_version, struct api_workflow, api_write_int(out, p->workflow->version))
API_LEAF_FN(workflow_current, struct api_workflow,
            api_write_bool(out, p->workflow->version == tenant_workflow(p->tenant, 0)->version))
API_LEAF_FN(workflow_source, struct api_workflow,
            api_write_name(out, workflow_origin_name(p->workflow->origin)))
API_LEAF_FN(workflow_source_version, struct api_workflow,
            p->workflow->origin_version &&api_write_int(out, p->workflow->origin_version))
API_LEAF_FN(workflow_updated, struct api_workflow, api_write_instant(out, p->workflow->updated_at))
API_LEAF_FN(workflow_json, struct api_workflow, api_write_raw(out, p->workflow->source))

static bool workflow_text(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    const struct api_workflow *p = parent;
    const struct oms_value *format = gql_arg(x, "format");
    bool dot = format && oms_str_eq_c(format->text, "DOT");
    struct oms_buf text;
    oms_buf_init(&text, OMS_RESPONSE_BYTES_MAX);
    workflow_draw(p->workflow, dot ? WORKFLOW_DOT : WORKFLOW_MERMAID, &text);
    oms_json_write_string(out, oms_buf_str(&text));
    oms_buf_fini(&text);
    return true;
}

static const void *step_item(struct gql_exec *x, const void *context, size_t index)
{
    struct api_workflow_step *step = OMS_ARENA_NEW(gql_exec_arena(x), struct api_workflow_step);
    const struct api_workflow *of = context;
    if (step)
        *step = (struct api_workflow_step){of->workflow, &of->workflow->steps[index]};
    else
        gql_fail(x, "INTERNAL", "The answer is too large");
    return step;
}

static bool workflow_steps(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    const struct api_workflow *p = parent;
    (void)x;
    *out = (struct gql_list){p->workflow->step_count, step_item, p};
    return true;
}

static const void *workflow_defaults(struct gql_exec *x, const void *parent)
{
    (void)x;
    return &((const struct api_workflow *)parent)->workflow->defaults;
}

/* ---- WorkflowStep ---- */

static bool write_on_reject(struct oms_buf *out, const struct api_workflow_step *p)
{
    if (p->step->on_reject == WORKFLOW_REJECT_HOLD)
        return api_write_name(out, "hold");
    if (p->step->on_reject == WORKFLOW_REJECT_CANCEL)
        return api_write_name(out, "cancel");
    struct oms_str name = p->of->steps[p->step->retry_step].name;
    struct oms_buf text;
    oms_buf_init(&text, 4096);
    oms_buf_append_lit(&text, "retry:");
    oms_buf_append_str(&text, name);
    oms_json_write_string(out, oms_buf_str(&text));
    oms_buf_fini(&text);
    return true;
}

static bool write_due_in(struct oms_buf *out, int64_t ms)
{
    char text[32];
    if (!ms)
        return false;
    workflow_duration_text(ms, text);
    return api_write_name(out, text);
}

static const char *on_due_name(const struct workflow_step *step)
{
    static const char *const names[] = {"NOTIFY", "ESCALATE", "SKIP", "CANCEL"};
    return step->due_in_ms ? names[step->on_due] : NULL;
}

API_LEAF_FN(step_stage, struct api_workflow_step, api_write_name(out, order_stage_name(p->step->stage)))
API_LEAF_FN(step_name, struct api_workflow_step, api_write_text(out, p->step->name))
API_LEAF_FN(step_status, struct api_workflow_step, api_write_text(out, p->step->activity_status))
API_LEAF_FN(step_sequence, struct api_workflow_step, api_write_int(out, p->step->sequence))
API_LEAF_FN(step_optional, struct api_workflow_step,
            api_write_bool(out, p->step->optional || p->step->conditions_only))
API_LEAF_FN(step_command, struct api_workflow_step,
            p->step->command &&api_write_name(out, order_command_info(p->step->command)->mutation))
API_LEAF_FN(step_role, struct api_workflow_step, api_write_text(out, p->step->role))
API_LEAF_FN(step_due_in, struct api_workflow_step, write_due_in(out, p->step->due_in_ms))
API_LEAF_FN(step_on_due, struct api_workflow_step, api_write_name(out, on_due_name(p->step)))
API_LEAF_FN(step_escalate_to, struct api_workflow_step, api_write_text(out, p->step->escalate_to))
API_LEAF_FN(step_on_reject, struct api_workflow_step, write_on_reject(out, p))

static const void *step_conditions(struct gql_exec *x, const void *parent)
{
    (void)x;
    return &((const struct api_workflow_step *)parent)->step->conditions;
}

static const void *when_item(struct gql_exec *x, const void *context, size_t index)
{
    (void)x;
    return &((const struct workflow_step *)context)->when[index];
}

static bool step_when(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    const struct workflow_step *step = ((const struct api_workflow_step *)parent)->step;
    (void)x;
    *out = (struct gql_list){step->when_count, when_item, step};
    return true;
}

API_LEAF_FN(when_field, struct workflow_when, api_write_name(out, workflow_fact_name(p->fact)))
API_LEAF_FN(when_op, struct workflow_when, api_write_name(out, workflow_op_name(p->op)))
API_LEAF_FN(when_value, struct workflow_when, api_write_raw(out, p->given))

/* ---- WorkflowConditions ---- */

static bool write_percent(struct oms_buf *out, int64_t percent)
{
    char text[MONEY_TEXT_SIZE];
    size_t len = money_format(percent, 4, text);
    while (text[len - 1] == '0')
        text[--len] = '\0';
    if (text[len - 1] == '.')
        text[--len] = '\0';
    return api_write_name(out, text);
}

static bool write_patterns(struct oms_buf *out, const struct workflow_conditions *p)
{
    oms_buf_append_char(out, '[');
    for (size_t i = 0; i < p->non_returnable_count; i++) {
        if (i)
            oms_buf_append_char(out, ',');
        oms_json_write_string(out, p->non_returnable_text[i]);
    }
    oms_buf_append_char(out, ']');
    return true;
}

API_LEAF_FN(conditions_days, struct workflow_conditions,
            p->has_days_to_return &&api_write_int(out, p->days_to_return))
API_LEAF_FN(conditions_patterns, struct workflow_conditions, write_patterns(out, p))
API_LEAF_FN(conditions_partial, struct workflow_conditions, api_write_bool(out, !p->whole_returns_only))
API_LEAF_FN(conditions_approve, struct workflow_conditions, api_write_bool(out, p->auto_approve))
API_LEAF_FN(conditions_fee, struct workflow_conditions, write_percent(out, p->restocking_fee))
API_LEAF_FN(conditions_refund, struct workflow_conditions, api_write_text(out, p->max_refund_amount))
API_LEAF_FN(conditions_complete, struct workflow_conditions,
            api_write_name(out, p->complete_requires_delivered ? "DELIVERED" : "SHIPPED"))

static const struct gql_binding bindings[] = {
    API_OBJECT("Tenant.workflow", tenant_workflow_of),
    API_LEAF("Workflow.version", workflow_version),
    API_LEAF("Workflow.current", workflow_current),
    API_LEAF("Workflow.source", workflow_source),
    API_LEAF("Workflow.sourceVersion", workflow_source_version),
    API_LEAF("Workflow.updatedAt", workflow_updated),
    API_LIST("Workflow.steps", workflow_steps),
    API_OBJECT("Workflow.defaults", workflow_defaults),
    API_LEAF("Workflow.json", workflow_json),
    API_LEAF("Workflow.text", workflow_text),
    API_LEAF("WorkflowStep.stage", step_stage),
    API_LEAF("WorkflowStep.stepName", step_name),
    API_LEAF("WorkflowStep.activityStatus", step_status),
    API_LEAF("WorkflowStep.sequence", step_sequence),
    API_LEAF("WorkflowStep.optional", step_optional),
    API_LEAF("WorkflowStep.command", step_command),
    API_LEAF("WorkflowStep.role", step_role),
    API_LIST("WorkflowStep.when", step_when),
    API_OBJECT("WorkflowStep.conditions", step_conditions),
    API_LEAF("WorkflowStep.dueIn", step_due_in),
    API_LEAF("WorkflowStep.onDue", step_on_due),
    API_LEAF("WorkflowStep.escalateTo", step_escalate_to),
    API_LEAF("WorkflowStep.onReject", step_on_reject),
    API_LEAF("WorkflowWhen.field", when_field),
    API_LEAF("WorkflowWhen.op", when_op),
    API_LEAF("WorkflowWhen.value", when_value),
    API_LEAF("WorkflowConditions.daysToReturn", conditions_days),
    API_LEAF("WorkflowConditions.nonReturnableSkuPatterns", conditions_patterns),
    API_LEAF("WorkflowConditions.allowPartialReturn", conditions_partial),
    API_LEAF("WorkflowConditions.autoApprove", conditions_approve),
    API_LEAF("WorkflowConditions.restockingFeePercent", conditions_fee),
    API_LEAF("WorkflowConditions.maxRefundAmount", conditions_refund),
    API_LEAF("WorkflowConditions.completeRequires", conditions_complete),
};

void api_bind_workflows(struct api_bindings *to)
{
    api_bindings_add(to, bindings, OMS_COUNT_OF(bindings));
}
