/* What mutations answer: payloads, refusals, and what may be done next. */
#include <stdio.h>

#include "actors/order.h"
#include "http/api/fan.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"

/* ---- payloads ---- */

static bool refused(const struct api_payload *p)
{
    return p->refusals && p->refusals->count;
}

API_LEAF_FN(payload_client_id, struct api_payload, api_write_text(out, p->client_mutation_id))
API_LEAF_FN(payload_replayed, struct api_payload, api_write_bool(out, p->replayed))
API_LEAF_FN(payload_created, struct api_payload, api_write_bool(out, p->created))
API_LEAF_FN(payload_index, struct api_payload, api_write_int(out, (int64_t)p->index))
API_LEAF_FN(payload_results, struct api_payload, api_fan_write(x, p->fan, out))
API_LEAF_FN(result_success, struct api_payload,
            api_write_bool(out, !refused(p) && !oms_str_present(p->message)))
API_LEAF_FN(result_message, struct api_payload,
            api_write_text(out, refused(p)                    ? p->refusals->items[0].message
                                : oms_str_present(p->message) ? p->message
                                : p->replayed ? OMS_STR("Done before, under the same idempotency key")
                                              : OMS_STR("Done")))

static const void *payload_result(struct gql_exec *x, const void *parent)
{
    (void)x;
    return parent;
}

static const void *payload_order(struct gql_exec *x, const void *parent)
{
    (void)x;
    return ((const struct api_payload *)parent)->order;
}

static const void *refusal_item(struct gql_exec *x, const void *context, size_t index)
{
    (void)x;
    return &((const struct refusal_list *)context)->items[index];
}

static bool payload_errors(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    const struct api_payload *p = parent;
    (void)x;
    *out = (struct gql_list){p->refusals ? p->refusals->count : 0, refusal_item, p->refusals};
    return true;
}

/* ---- UserError ---- */

API_LEAF_FN(error_code, struct refusal, api_write_name(out, refusal_code_name(p->code)))
API_LEAF_FN(error_message, struct refusal, api_write_text(out, p->message))

/* "lineItems.0.orderQuantity" → ["input","lineItems","0","orderQuantity"] */
static bool error_field(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    const struct refusal *p = parent;
    (void)x;
    if (!oms_str_present(p->field))
        return false;
    oms_buf_append_lit(out, "[\"input\"");
    for (size_t start = 0, i = 0; i <= p->field.len; i++) {
        if (i < p->field.len && p->field.data[i] != '.')
            continue;
        oms_buf_append_char(out, ',');
        oms_json_write_string(out, oms_str_make(p->field.data + start, i - start));
        start = i + 1;
    }
    oms_buf_append_char(out, ']');
    return true;
}

/* ---- AvailableAction ---- */

API_LEAF_FN(action_command, struct order_action,
            api_write_name(out, order_command_info(p->command)->mutation))
API_LEAF_FN(action_allowed, struct order_action, api_write_bool(out, p->allowed))

static bool action_reasons(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    const struct order_action *p = parent;
    (void)x;
    *out = (struct gql_list){p->reasons.count, refusal_item, &p->reasons};
    return true;
}

static const void *action_item(struct gql_exec *x, const void *context, size_t index)
{
    (void)x;
    return &((const struct order_action *)context)[index];
}

static bool order_actions(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    const struct api_order *p = parent;
    const struct api_scene *scene = api_scene_of(x);
    struct order_action *actions =
        oms_arena_calloc(gql_exec_arena(x), ORDER_ACTIONS_MAX, sizeof(struct order_action));
    if (!actions) {
        gql_fail(x, "INTERNAL", "The answer is too large");
        return false;
    }
    struct order_context context = {
        .now_ms = scene->now_ms,
        .principal = scene->principal,
        .access = scene->access,
        .workflow = tenant_workflow(scene->tenant, p->order->workflow_version),
    };
    size_t count = order_available_actions(p->order, &context, gql_exec_arena(x), actions);
    for (size_t i = 0; i < count && scene->tenant->status != TENANT_ACTIVE; i++) {
        if (actions[i].allowed)
            refusal_add(&actions[i].reasons, REFUSAL_TENANT_SUSPENDED, REFUSAL_NO_FIELD,
                        "The tenant is suspended");
        actions[i].allowed = false;
    }
    *out = (struct gql_list){count, action_item, actions};
    return true;
}

static const struct gql_binding bindings[] = {
    API_LEAF("MutationResult.success", result_success),
    API_LEAF("MutationResult.message", result_message),
    API_LEAF("UserError.code", error_code),
    API_LEAF("UserError.field", error_field),
    API_LEAF("UserError.message", error_message),
    API_LIST_NEEDS("Order.availableActions", order_actions, API_NEEDS_CALLER),
    API_LEAF("AvailableAction.command", action_command),
    API_LEAF("AvailableAction.allowed", action_allowed),
    API_LIST("AvailableAction.reasons", action_reasons),
    API_LEAF("CreateOrderPayload.created", payload_created),
    /* A batch. */
    API_LEAF("CreateOrdersPayload.clientMutationId", payload_client_id),
    API_OBJECT("CreateOrdersPayload.result", payload_result),
    API_LIST("CreateOrdersPayload.userErrors", payload_errors),
    {"CreateOrdersPayload.results", GQL_PARTS, 0, {.leaf = payload_results}},
    API_LEAF("CreateOrdersResult.index", payload_index),
    API_LEAF("CreateOrdersResult.clientMutationId", payload_client_id),
    API_OBJECT("CreateOrdersResult.order", payload_order),
    API_LIST("CreateOrdersResult.userErrors", payload_errors),
    API_LEAF("CreateOrdersResult.replayed", payload_replayed),
    API_LEAF("CreateOrdersResult.created", payload_created),
    /* A payload without an order. */
    API_LEAF("StreamTicketPayload.clientMutationId", payload_client_id),
    API_OBJECT("StreamTicketPayload.result", payload_result),
    API_LIST("StreamTicketPayload.userErrors", payload_errors),
    /* Those of tenants. */
    API_LEAF("UpdateWorkflowPayload.clientMutationId", payload_client_id),
    API_OBJECT("UpdateWorkflowPayload.result", payload_result),
    API_LIST("UpdateWorkflowPayload.userErrors", payload_errors),
    API_LEAF("UpdateWorkflowPayload.replayed", payload_replayed),
    API_LEAF("EraseCustomerPayload.clientMutationId", payload_client_id),
    API_OBJECT("EraseCustomerPayload.result", payload_result),
    API_LIST("EraseCustomerPayload.userErrors", payload_errors),
    API_LEAF("TestWebhookEndpointPayload.clientMutationId", payload_client_id),
    API_OBJECT("TestWebhookEndpointPayload.result", payload_result),
    API_LIST("TestWebhookEndpointPayload.userErrors", payload_errors),
    API_LEAF("RedeliverWebhookPayload.clientMutationId", payload_client_id),
    API_OBJECT("RedeliverWebhookPayload.result", payload_result),
    API_LIST("RedeliverWebhookPayload.userErrors", payload_errors),
    API_LEAF("ReplayWebhookPayload.clientMutationId", payload_client_id),
    API_OBJECT("ReplayWebhookPayload.result", payload_result),
    API_LIST("ReplayWebhookPayload.userErrors", payload_errors),
    API_LEAF("MigrateOrdersPayload.clientMutationId", payload_client_id),
    API_OBJECT("MigrateOrdersPayload.result", payload_result),
    API_LIST("MigrateOrdersPayload.userErrors", payload_errors),
};

/* The five fields that all payloads share; "%s" is the payload's type. */
static const struct {
    const char *field;
    struct gql_binding binding;
} shared[] = {
    {"clientMutationId", API_LEAF(NULL, payload_client_id)},
    {"result", API_OBJECT(NULL, payload_result)},
    {"order", API_OBJECT(NULL, payload_order)},
    {"userErrors", API_LIST(NULL, payload_errors)},
    {"replayed", API_LEAF(NULL, payload_replayed)},
};

/* Payloads of changes of a tenant: the same without an order. */
static const char *const tenant_payloads[] = {
    "CreateApiKeyPayload",
    "RevokeApiKeyPayload",
    "CreateTenantPayload",
    "UpdateTenantPayload",
    "SuspendTenantPayload",
    "ActivateTenantPayload",
    "RemoveTenantPayload",
    "UpdateUserAuthorizationPayload",
    "RemoveUserAuthorizationPayload",
    "UpdateRolemapPayload",
    "UpdateFulfillmentPayload",
    "CreateWebhookEndpointPayload",
    "UpdateWebhookEndpointPayload",
    "DeleteWebhookEndpointPayload",
    "RotateWebhookSecretPayload",
};

static char tenant_names[OMS_COUNT_OF(tenant_payloads)][OMS_COUNT_OF(shared)][64];

static void bind_tenant_payloads(struct api_bindings *to)
{
    for (size_t type = 0; type < OMS_COUNT_OF(tenant_payloads); type++)
        for (size_t i = 0; i < OMS_COUNT_OF(shared); i++) {
            char *name = tenant_names[type][i];
            struct gql_binding binding = shared[i].binding;
            if (strcmp(shared[i].field, "order") == 0)
                continue;
            int len =
                snprintf(name, sizeof(tenant_names[0][0]), "%s.%s", tenant_payloads[type], shared[i].field);
            OMS_ASSERT(len > 0 && (size_t)len < sizeof(tenant_names[0][0]));
            binding.field = name;
            api_bindings_add(to, &binding, 1);
        }
}

static char names[ORDER_COMMAND_LAST_PUBLIC + 1][OMS_COUNT_OF(shared)][64];

void api_bind_payloads(struct api_bindings *to)
{
    api_bindings_add(to, bindings, OMS_COUNT_OF(bindings));
    bind_tenant_payloads(to);
    for (unsigned type = 1; type <= ORDER_COMMAND_LAST_PUBLIC; type++) {
        const char *input_type = order_command_info((enum order_command_type)type)->input_type;
        for (size_t i = 0; i < OMS_COUNT_OF(shared); i++) {
            /* "CreateOrderInput", "replayed" → "CreateOrderPayload.replayed" */
            int len = snprintf(names[type][i], sizeof(names[type][i]), "%.*sPayload.%s",
                               (int)(strlen(input_type) - strlen("Input")), input_type, shared[i].field);
            OMS_ASSERT(len > 0 && (size_t)len < sizeof(names[type][i]));
            struct gql_binding binding = shared[i].binding;
            binding.field = names[type][i];
            api_bindings_add(to, &binding, 1);
        }
    }
}
