/* Mutation.streamTicket: a way into a stream for clients that cannot send a token (http/auth/ticket.h). */
#include "actors/order_input.h"
#include "http/api/request.h"
#include "http/auth/ticket.h"

/* Its payload: the fields that all payloads share, and the ticket. */
struct ticket_payload {
    struct api_payload shared; /* first: its resolvers take the payload for one */
    struct oms_str ticket;     /* absent: refused */
    int64_t expires_ms;
};

static void issue(struct api_task *task, struct ticket_payload *payload, char text[HTTP_TICKET_TEXT_SIZE])
{
    const struct api_config *config = &task->request->as->api->config;
    enum oms_status status = OMS_BUSY;
    if (config->ticket)
        status = config->ticket(config->stream_context, task->request->as->shard, task->request->claims, text,
                                &payload->expires_ms);
    if (status == OMS_OK)
        payload->ticket = oms_str_of(text);
    else
        refusal_add(&task->refusals, REFUSAL_BUSY, REFUSAL_NO_FIELD,
                    "Too many tickets are waiting to be used: retry in a moment");
}

static void start_ticket(struct api_task *task)
{
    const struct oms_value *input = oms_value_get_set(task->field->args, "input");
    const struct oms_value *tenant = input ? oms_value_get_set(input, "tenantId") : NULL;
    struct ticket_payload payload = {.shared.refusals = &task->refusals};
    char text[HTTP_TICKET_TEXT_SIZE];
    refusal_list_init(&task->refusals, &task->call.arena);
    if (!api_task_tenant(task, tenant ? tenant->text : OMS_STR_NONE))
        return;
    if (input)
        payload.shared.client_mutation_id = order_input_client_mutation_id(input);
    issue(task, &payload, text);
    api_task_execute(task, &payload);
    api_task_finish(task);
}

static const struct api_root_op op = {start_ticket, ORDER_COMMAND_NONE};

API_LEAF_FN(ticket_text, struct ticket_payload, api_write_text(out, p->ticket))
API_LEAF_FN(ticket_expires, struct ticket_payload, api_write_instant(out, p->expires_ms))

static const struct gql_binding bindings[] = {
    {"Mutation.streamTicket", GQL_ROOT, 0, {.host = &op}},
    API_LEAF("StreamTicketPayload.ticket", ticket_text),
    API_LEAF("StreamTicketPayload.expiresAt", ticket_expires),
};

void api_bind_ticket(struct api_bindings *to)
{
    api_bindings_add(to, bindings, sizeof(bindings) / sizeof(bindings[0]));
}
