/*
 * What clients send: operations on orders, changes of tenants, reads of the store. Each is checked against
 * the model where it is rendered (on the order's shard) and where it comes home.
 */
#include <inttypes.h>

#include "actors/order_codec.h"
#include "actors/tenant_settings.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "tests/sim/world_impl.h"

/* ---- flights ---- */

static struct flight *flight_create(struct world *world)
{
    struct flight *flight = oms_calloc(1, sizeof(*flight));
    flight->world = world;
    flight->life = world->life;
    flight->next = world->flights;
    if (world->flights)
        world->flights->prev = flight;
    world->flights = flight;
    world->flight_count++;
    oms_arena_init(&flight->call.arena, 4096, CALL_ARENA_MAX);
    oms_buf_init(&flight->call.out, CALL_ARENA_MAX);
    oms_buf_init(&flight->call.frozen, CALL_ARENA_MAX);
    oms_buf_init(&flight->bytes, CALL_ARENA_MAX);
    tenant_call_init(&flight->tenant);
    return flight;
}

void flight_destroy(struct flight *flight)
{
    struct world *world = flight->world;
    *(flight->prev ? &flight->prev->next : &world->flights) = flight->next;
    if (flight->next)
        flight->next->prev = flight->prev;
    world->flight_count--;
    oms_arena_fini(&flight->call.arena);
    oms_buf_fini(&flight->call.out);
    oms_buf_fini(&flight->call.frozen);
    oms_buf_fini(&flight->bytes);
    tenant_call_fini(&flight->tenant);
    oms_free(flight);
}

static struct rt_shard *some_shard(struct world *world)
{
    return world->host->shards[world_below(world, world->shards)];
}

/* ---- calls to orders ---- */

static void render(struct order_call *call, const struct order_reply *reply)
{
    struct flight *flight = OMS_CONTAINER_OF(call, struct flight, call);
    struct world *world = flight->world;
    const struct world_tenant *tenant = &world->tenants[flight->op.tenant];
    enum model_tenant how = tenant->changing    ? MODEL_TENANT_CHANGING
                            : tenant->suspended ? MODEL_TENANT_SUSPENDED
                                                : MODEL_TENANT_ACTIVE;
    if (flight->rendered)
        model_fail(world->model, "operation %" PRIu64 " was rendered twice", flight->op.serial);
    flight->rendered = true;
    if (world_failed(world))
        return;
    bool refused = reply->refusals && reply->refusals->count;
    world_tell(world, "  render %" PRIu64 ": version %" PRIu64 "%s%s %s", flight->op.serial,
               reply->order ? reply->order->version : 0, reply->created ? " created" : "",
               reply->replayed ? " replayed" : "",
               refused ? refusal_code_name(reply->refusals->items[0].code) : "");
    flight->shown = model_render(world->model, &flight->op, how, reply);
    world_note(world, flight->shown << 8 | (refused ? reply->refusals->items[0].code : 0));
}

/* A copy of the order, in order_freeze's form or absent. Returns its version. */
static uint64_t check_copy(struct world *world, const struct flight *flight, unsigned person,
                           struct oms_str bytes)
{
    uint64_t version = 0;
    struct order *order = bytes.len ? order_create() : NULL;
    if (order && order_thaw(bytes, order) != OMS_OK) {
        model_fail(world->model, "a copy of order %u/%u does not thaw", flight->op.tenant, flight->op.slot);
    } else {
        version = order ? order->version : 0;
        model_check_copy(world->model, flight->op.tenant, flight->op.slot, person, order, flight->at_least);
    }
    order_destroy(order);
    world->counts.copies++;
    return version;
}

static void call_done(struct world *world, struct flight *flight)
{
    world->counts.done++;
    if (flight->call.was_frozen)
        flight->shown = check_copy(world, flight, flight->op.person, oms_buf_str(&flight->call.frozen));
    else if (!flight->rendered)
        model_fail(world->model, "operation %" PRIu64 " came home without a reply", flight->op.serial);
    if (!world_failed(world))
        model_acknowledge(world->model, &flight->op, flight->shown);
}

/* Refused before anything happened: it must not have been rendered. */
static void call_untouched(struct world *world, const struct flight *flight, uint64_t *counter)
{
    ++*counter;
    if (flight->rendered)
        model_fail(world->model, "operation %" PRIu64 " was rendered and refused as not begun",
                   flight->op.serial);
}

static void call_result(struct world *world, struct flight *flight)
{
    switch (flight->call.result) {
    case ORDER_CALL_DONE:
        call_done(world, flight);
        return;
    case ORDER_CALL_UNKNOWN:
        world->counts.unknown++;
        break;
    case ORDER_CALL_FAULT:
        call_untouched(world, flight, &world->counts.fault);
        break;
    case ORDER_CALL_BUSY:
    case ORDER_CALL_STOPPING:
        call_untouched(world, flight, &world->counts.busy);
        return;
    case ORDER_CALL_NO_SPACE:
        call_untouched(world, flight, &world->counts.no_space);
        return;
    }
    if (!world->armed)
        model_fail(world->model, "operation %" PRIu64 " ended as %s without a fault", flight->op.serial,
                   flight->call.result == ORDER_CALL_FAULT ? "FAULT" : "UNKNOWN");
}

static void call_home(struct rt_shard *shard, struct rt_message *message)
{
    struct flight *flight = OMS_CONTAINER_OF(message, struct flight, call.message);
    struct world *world = flight->world;
    (void)shard;
    world_tell(world, "  home %" PRIu64 ": %s result %d", flight->op.serial, oms_status_name(message->status),
               (int)flight->call.result);
    world_note(world, flight->op.serial << 16 | (uint64_t)message->status << 8 | flight->call.result);
    if (flight->done)
        *flight->done = message->status == OMS_OK && flight->call.result == ORDER_CALL_DONE;
    if (!world_failed(world) && message->status == OMS_OK)
        call_result(world, flight);
    else if (!world_failed(world))
        call_untouched(world, flight, &world->counts.undelivered);
    flight_destroy(flight);
}

struct flight *flight_send_op(struct world *world, const struct sim_op *op)
{
    struct flight *flight = flight_create(world);
    struct order_call *call = &flight->call;
    flight->op = *op;
    flight->at_least = world->model->orders[op->tenant][op->slot].acked;
    sim_command_build(op, &world->places[op->tenant][op->slot], &world_id_key, &call->arena, &flight->built);
    world_address(world, op->tenant, op->slot, &call->message.to);
    call->message.on_return = call_home;
    call->kind = op->is_read ? ORDER_CALL_READ : ORDER_CALL_COMMAND;
    call->principal = &flight->built.principal;
    call->command = op->is_read ? NULL : &flight->built.command;
    call->command_type = op->type;
    call->render = render;
    call->freeze = op->is_frozen ? ORDER_CALL_FREEZE_ALWAYS : ORDER_CALL_FREEZE_NEVER;
    world->counts.operations++;
    world_tell(world, "send %" PRIu64 ": %s by %s on %u/%u key %d part %" PRIu64 " variant %" PRIu64,
               op->serial, op->is_read ? "read" : order_command_info(op->type)->mutation,
               sim_people[op->person].subject, op->tenant, op->slot, op->has_key ? (int)op->key : -1,
               op->content.part, op->content.variant);
    order_call_send(some_shard(world), call);
    return flight;
}

/* ---- tenants ---- */

static void tenant_home(struct rt_shard *shard, struct rt_message *message)
{
    struct flight *flight = OMS_CONTAINER_OF(message, struct flight, tenant.message);
    struct world *world = flight->world;
    struct world_tenant *tenant = &world->tenants[flight->op.tenant];
    enum oms_status status = message->status == OMS_OK ? flight->tenant.status : message->status;
    (void)shard;
    world_tell(world, "  tenant %u: %s", flight->op.tenant, oms_status_name(status));
    world_note(world, (uint64_t)status);
    if (status == OMS_OK) {
        tenant->number = flight->tenant.number;
        tenant->suspended = flight->suspends;
        world->counts.tenant_changes++;
    }
    if (status == OMS_IO && !world->armed)
        model_fail(world->model, "the change of tenant %u is unknown without a fault", flight->op.tenant);
    if (status != OMS_IO)
        tenant->changing = false; /* unknown: until the next life */
    if (flight->done)
        *flight->done = status == OMS_OK;
    flight_destroy(flight);
}

static struct tenant_version *wanted_tenant(unsigned index)
{
    const char *workflow = sim_workflow_json(index);
    struct oms_field fields[2] = {{.name = OMS_STR("name")}, {.name = OMS_STR("workflow")}};
    struct oms_value config = {.kind = OMS_VALUE_OBJECT, .object = {.fields = fields, .count = 1}};
    struct tenant_version *wanted;
    struct oms_arena arena;
    oms_arena_init(&arena, 4096, CALL_ARENA_MAX);
    fields[0].value =
        (struct oms_value){.kind = OMS_VALUE_STRING, .text = oms_str_of(world_tenant_names[index])};
    if (workflow) {
        OMS_ASSERT(oms_json_parse(oms_str_of(workflow), OMS_JSON_DEPTH_MAX, &arena, &fields[1].value, NULL) ==
                   OMS_OK);
        config.object.count = 2;
    }
    OMS_ASSERT(tenant_parse(&config, &wanted, NULL) == OMS_OK);
    oms_arena_fini(&arena);
    return wanted;
}

struct flight *flight_send_tenant(struct world *world, unsigned index, bool suspends)
{
    struct flight *flight = flight_create(world);
    struct tenant_version *wanted = wanted_tenant(index);
    wanted->status = suspends ? TENANT_SUSPENDED : TENANT_ACTIVE;
    tenant_settings_note(wanted);
    tenant_version_encode(wanted, &flight->bytes);
    tenant_version_release(wanted);
    flight->op.tenant = index;
    flight->suspends = suspends;
    flight->tenant.config = oms_buf_str(&flight->bytes);
    flight->tenant.number = world->tenants[index].number;
    flight->tenant.message.on_return = tenant_home;
    world->tenants[index].changing = true;
    world_tell(world, "tenant %u: %s", index, suspends ? "suspend" : "activate");
    tenant_call_send(some_shard(world), &flight->tenant);
    return flight;
}

/* ---- reads of the store ---- */

static void read_run(struct store_read *read, struct store_engine *engine, struct store_view *view)
{
    struct flight *flight = OMS_CONTAINER_OF(read, struct flight, read);
    struct rt_address address;
    unsigned char key[STORE_ADDRESS_KEY_SIZE];
    world_address(flight->world, flight->op.tenant, flight->op.slot, &address);
    store_address_key(&address, key);
    flight->status = engine->ops->view_get(view, STORE_STATE, oms_str_make(key, sizeof(key)), &flight->bytes);
}

static void read_home(struct rt_shard *shard, struct rt_message *message)
{
    struct flight *flight = OMS_CONTAINER_OF(message, struct flight, read.job.message);
    struct world *world = flight->world;
    bool done = message->status == OMS_OK && (flight->status == OMS_OK || flight->status == OMS_NOT_FOUND);
    (void)shard;
    world_note(world, flight->bytes.len);
    if (!done && !world->armed && !world->stopping && !world_failed(world))
        model_fail(world->model, "a read of the store ended as %s without a fault",
                   oms_status_name(message->status));
    if (done && !world_failed(world))
        check_copy(world, flight, SIM_CLERK, oms_buf_str(&flight->bytes));
    world->counts.store_reads++;
    flight_destroy(flight);
}

void flight_send_read(struct world *world)
{
    struct flight *flight = flight_create(world);
    flight->op.tenant = (unsigned)world_below(world, SIM_TENANTS);
    flight->op.slot = (unsigned)world_below(world, SIM_SLOTS);
    flight->at_least = world->model->orders[flight->op.tenant][flight->op.slot].acked;
    flight->read.run = read_run;
    flight->read.job.message.on_return = read_home;
    store_read(world->store, some_shard(world), &flight->read);
}

/* ---- a crash ---- */

void flight_discard(struct rt_message *message)
{
    if (store_owns_message(message) || actors_discard(message))
        return;
    /* A flight: all of them are in the world's list. */
    OMS_ASSERT(message->on_return == call_home || message->on_return == tenant_home ||
               message->on_return == read_home);
}
