/* The way of a tenant's change through the API. See roots_tenant.h. */
#include "http/api/roots_tenant.h"

#include "actors/ids.h"
#include "actors/order_input.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

static const struct oms_value *input_of(const struct api_task *task)
{
    return oms_value_get_set(task->field->args, "input");
}

bool api_tenant_may(struct api_task *task, enum permission permission)
{
    const struct tenant_version *now = actors_tenant(task->request->as->shard, task->tenant->number);
    struct principal who = task->principal;
    struct access access;
    actors_principal_own(task->request->as->shard, &who);
    return now && permission_evaluate(&now->permissions, &who, &task->call.arena, &access) &&
           access_unscoped(&access, permission);
}

bool api_tenant_begin(struct api_tenant_task *own, struct api_task *task, enum permission permission)
{
    const struct oms_value *input = input_of(task), *tenant = oms_value_get_set(input, "tenantId");
    own->task = task;
    task->client_mutation_id = order_input_client_mutation_id(input);
    refusal_list_init(&task->refusals, &task->call.arena);
    if (!api_task_tenant(task, tenant ? tenant->text : OMS_STR_NONE))
        return false;
    if (!api_tenant_may(task, permission)) {
        refusal_add(&task->refusals, REFUSAL_FORBIDDEN, REFUSAL_NO_FIELD, "This needs the permission %s",
                    permission_name(permission));
        own->answer(own);
        return false;
    }
    return true;
}

void api_tenant_payload_init(struct api_tenant_task *own, struct api_tenant_payload *payload)
{
    struct api_task *task = own->task;
    const struct tenant_version *now = actors_tenant(task->request->as->shard, task->tenant->number);
    struct access *access = OMS_ARENA_NEW(&task->call.arena, struct access);
    if (now)
        api_task_under(task, now);
    if (access &&
        !permission_evaluate(&task->tenant->permissions, &task->principal, &task->call.arena, access))
        access = NULL;
    task->scene = (struct api_scene){.tenant = task->tenant,
                                     .principal = &task->principal,
                                     .access = access,
                                     .now_ms = rt_now_ms(task->request->as->api->config.host),
                                     .api = task->request->as->api,
                                     .arena = &task->call.arena};
    *payload = (struct api_tenant_payload){
        .shared = {.client_mutation_id = task->client_mutation_id,
                   .refusals = &task->refusals,
                   .replayed = own->call.replayed},
        .tenant = task->tenant,
    };
}

/* ---- the key ---- */

/* What the caller asks for, less the key and clientMutationId: the coerced input in the schema's order. */
static struct oms_hash128 fingerprint_of(const struct api_task *task, const struct oms_value *input)
{
    const struct oms_hash_key *key = actors_id_key(task->request->as->api->config.system);
    struct oms_siphash hash;
    struct oms_buf text;
    oms_siphash_init(&hash, key);
    oms_buf_init(&text, OMS_REQUEST_ARENA_BYTES_MAX);
    for (size_t i = 0; i < input->object.count; i++) {
        const struct oms_field *field = &input->object.fields[i];
        if (oms_str_eq_c(field->name, "idempotencyKey") || oms_str_eq_c(field->name, "clientMutationId") ||
            oms_str_eq_c(field->name, "tenantId"))
            continue;
        oms_buf_reset(&text);
        oms_value_write_json(&field->value, &text);
        oms_siphash_update(&hash, field->name.data, field->name.len);
        oms_siphash_update(&hash, text.data, text.len);
    }
    oms_buf_fini(&text);
    return oms_siphash_final(&hash);
}

static bool take_key(struct api_tenant_task *own)
{
    struct api_task *task = own->task;
    const struct oms_value *given = oms_value_get_set(input_of(task), "idempotencyKey");
    struct oms_str key = given                            ? given->text
                         : task->request->root_count == 1 ? task->request->key_header
                                                          : OMS_STR_NONE;
    if (!oms_str_present(key))
        return true;
    if (key.len == 0 || key.len > OMS_ID_BYTES_MAX)
        return refusal_add(&task->refusals, REFUSAL_INVALID, REFUSAL_FIELD("idempotencyKey"),
                           "idempotencyKey must have 1 to %d bytes", OMS_ID_BYTES_MAX);
    own->change.has_key = true;
    own->change.key =
        ids_idempotency(actors_id_key(task->request->as->api->config.system),
                        task->tenant ? task->tenant->number : 0, task->request->claims->subject,
                        task->field->field, task->tenant ? task->tenant->name : OMS_STR(""), key);
    own->change.fingerprint = fingerprint_of(task, input_of(task));
    return true;
}

/* ---- there and back ---- */

static void returned(struct rt_shard *shard, struct rt_message *message)
{
    struct api_tenant_task *own = OMS_CONTAINER_OF(message, struct api_tenant_task, call.message);
    struct refusal_list *refusals = &own->task->refusals;
    enum oms_status status = message->status == OMS_OK ? own->call.status : OMS_BUSY;
    (void)shard;
    tenant_call_fini(&own->call);
    if (status == OMS_IO)
        refusal_add(refusals, REFUSAL_OUTCOME_UNKNOWN, REFUSAL_NO_FIELD,
                    "The write failed, so its outcome is unknown: retry with the same idempotency key");
    else if (status == OMS_NO_SPACE)
        refusal_add(refusals, REFUSAL_BUSY, REFUSAL_NO_FIELD,
                    "The disk is full: nothing was changed; retry when there is room again");
    else if (status == OMS_LIMIT)
        refusal_add(refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_NO_FIELD,
                    own->call.config.len
                        ? "The server has as many tenants as it can have"
                        : "The tenant with this change would be larger than a tenant may be");
    else if (status != OMS_OK)
        refusal_add(refusals, REFUSAL_BUSY, REFUSAL_NO_FIELD,
                    "Too much is in flight: retry in a moment; nothing was changed");
    own->answer(own);
}

static void call(struct api_tenant_task *own, uint32_t number, struct oms_str config)
{
    tenant_call_init(&own->call);
    own->call.change = &own->change;
    own->call.config = config;
    own->call.refusals = &own->task->refusals;
    own->call.number = number;
    own->call.message.on_return = returned;
    tenant_call_send(own->task->request->as->shard, &own->call);
}

void api_tenant_send(struct api_tenant_task *own)
{
    struct api_task *task = own->task;
    if (task->tenant->status != TENANT_ACTIVE && !own->also_suspended)
        refusal_add(&task->refusals, REFUSAL_TENANT_SUSPENDED, REFUSAL_NO_FIELD,
                    "The tenant is suspended: it can be read but not changed");
    if (!take_key(own) || task->refusals.count) {
        own->answer(own);
        return;
    }
    call(own, task->tenant->number, OMS_STR_NONE);
}

void api_tenant_create(struct api_tenant_task *own, struct oms_str config)
{
    if (take_key(own))
        call(own, 0, config);
    else
        own->answer(own);
}
