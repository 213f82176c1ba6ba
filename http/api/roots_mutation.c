/* The fields of Mutation: one per command of an order. The input becomes a command, the command goes to its
 * order. */
#include "actors/order_input.h"
#include "http/api/request.h"
#include "runtime/base/assert.h"

void api_mutation_refuse(struct api_task *task)
{
    struct api_payload payload = {.client_mutation_id = task->client_mutation_id,
                                  .refusals = &task->refusals};
    api_task_execute(task, &payload);
    api_task_finish(task);
}

void api_mutation_run(struct api_task *task, enum order_command_type type, const struct oms_value *input,
                      struct oms_str header_key)
{
    struct api *api = task->request->as->api;
    struct rt_host *host = api->config.host;
    bool known;
    struct order_input_context context = {
        .principal = &task->principal,
        .id_key = actors_id_key(api->config.system),
        .now_ms = rt_now_ms(host),
        .header_key = header_key,
    };
    if (type == ORDER_COMMAND_CREATE_ORDER) {
        context.random_hi = rt_random(host);
        context.random_lo = rt_random(host);
    }
    if (order_input_parse(type, input, &context, &task->call.arena, &task->command, task->id, &known,
                          &task->refusals)) {
        api_task_call(task, ORDER_CALL_COMMAND);
    } else if (known) {
        task->call.refused = &task->refusals;
        api_task_call(task, ORDER_CALL_READ);
    } else {
        api_mutation_refuse(task);
    }
}

static void start_mutation(struct api_task *task)
{
    const struct api_root_op *op = task->field->host;
    const struct oms_value *input = oms_value_get_set(task->field->args, "input");
    OMS_ASSERT(input); /* the schema says so */
    const struct oms_value *tenant = oms_value_get_set(input, "tenantId");
    task->is_mutation = true;
    task->client_mutation_id = order_input_client_mutation_id(input);
    refusal_list_init(&task->refusals, &task->call.arena);
    if (!api_task_tenant(task, tenant ? tenant->text : OMS_STR_NONE))
        return;
    api_mutation_run(task, op->command, input,
                     task->request->root_count == 1 ? task->request->key_header : OMS_STR_NONE);
}

static struct api_root_op ops[ORDER_COMMAND_LAST_PUBLIC + 1];
static char names[ORDER_COMMAND_LAST_PUBLIC + 1][64];

void api_bind_mutations(struct api_bindings *to)
{
    for (unsigned type = 1; type <= ORDER_COMMAND_LAST_PUBLIC; type++) {
        const struct order_command_info *info = order_command_info((enum order_command_type)type);
        ops[type] = (struct api_root_op){start_mutation, (enum order_command_type)type};
        memcpy(names[type], "Mutation.", 9);
        OMS_ASSERT(strlen(info->mutation) + 10 < sizeof(names[type]));
        memcpy(names[type] + 9, info->mutation, strlen(info->mutation) + 1);
        struct gql_binding binding = {names[type], GQL_ROOT, 0, {.host = &ops[type]}};
        api_bindings_add(to, &binding, 1);
    }
}
