/*
 * createOrders: many orders in one request, each as if it had come alone, with its own key and its own fate.
 * They are decided side by side on their shards; two with one reference meet at one order, in the batch's
 * sequence.
 */
#include <stdio.h>

#include "actors/order_input.h"
#include "http/api/fan.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

static const struct oms_value *input_of(const struct api_task *task)
{
    return oms_value_get_set(task->field->args, "input");
}

/* A batch belongs to one tenant: an order may name it again, but no other. */
static bool check_tenant(struct api_task *item, const struct oms_value *input)
{
    const struct oms_value *tenant = oms_value_get_set(input, "tenantId");
    if (!tenant || oms_str_eq(tenant->text, item->tenant->name))
        return true;
    return refusal_add(&item->refusals, REFUSAL_INVALID, REFUSAL_FIELD("tenantId"),
                       "All orders of a batch belong to one tenant, '%.*s' here",
                       OMS_STR_ARG(item->tenant->name));
}

/* The header Idempotency-Key names the batch: an order without a key of its own gets "<key>#3". */
static struct oms_str header_key(struct api_task *item)
{
    const struct api_request *request = item->request;
    char number[24];
    if (request->root_count != 1 || !oms_str_present(request->key_header))
        return OMS_STR_NONE;
    struct oms_str key = request->key_header;
    int len = snprintf(number, sizeof(number), "#%zu", item->item);
    char *text = oms_arena_alloc(&item->call.arena, key.len + (size_t)len);
    if (!text)
        return key;
    memcpy(text, key.data, key.len);
    memcpy(text + key.len, number, (size_t)len);
    return oms_str_make(text, key.len + (size_t)len);
}

static void start_item(struct api_task *item)
{
    const struct oms_value *orders = oms_value_get_set(input_of(item), "orders");
    const struct oms_value *input = &orders->list.items[item->item];
    item->client_mutation_id = order_input_client_mutation_id(input);
    if (check_tenant(item, input))
        api_mutation_run(item, ORDER_COMMAND_CREATE_ORDER, input, header_key(item));
    else
        api_mutation_refuse(item);
}

static void batch_done(struct api_task *head)
{
    const struct api_fan *fan = head->fan;
    char message[96];
    struct api_payload payload = {.client_mutation_id = head->client_mutation_id, .fan = fan};
    if (fan->refused) {
        int len = snprintf(message, sizeof(message), "%zu of %zu orders were refused: see their userErrors",
                           fan->refused, fan->count);
        payload.message = oms_str_make(message, (size_t)len);
    }
    api_task_execute(head, &payload);
    api_task_finish(head);
}

static void start_create_orders(struct api_task *task)
{
    const struct oms_value *input = input_of(task);
    OMS_ASSERT(input); /* the schema says so */
    const struct oms_value *tenant = oms_value_get_set(input, "tenantId");
    size_t count = oms_value_get_set(input, "orders")->list.count;
    task->is_mutation = true;
    task->client_mutation_id = order_input_client_mutation_id(input);
    refusal_list_init(&task->refusals, &task->call.arena);
    if (!api_task_tenant(task, tenant ? tenant->text : OMS_STR_NONE))
        return;
    if (count == 0)
        refusal_add(&task->refusals, REFUSAL_REQUIRED, REFUSAL_FIELD("orders"),
                    "A batch has 1 to %d orders, this one has none", OMS_BATCH_ORDERS_MAX);
    else if (count > OMS_BATCH_ORDERS_MAX)
        refusal_add(&task->refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_FIELD("orders"),
                    "A batch has 1 to %d orders, this one has %zu: nothing was done", OMS_BATCH_ORDERS_MAX,
                    count);
    if (task->refusals.count)
        api_mutation_refuse(task);
    else if (!api_fan_start(task, "results", "orders", count, start_item, batch_done))
        api_task_fail(task, "INTERNAL", "The answer is too large");
}

static const struct api_root_op op_create_orders = {start_create_orders, ORDER_COMMAND_NONE};
static const struct gql_binding bindings[] = {
    {"Mutation.createOrders", GQL_ROOT, 0, {.host = &op_create_orders}},
};

void api_bind_batches(struct api_bindings *to)
{
    api_bindings_add(to, bindings, OMS_COUNT_OF(bindings));
}
