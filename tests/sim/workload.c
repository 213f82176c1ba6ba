/* Drawing operations, and building production commands from them. See workload.h. */
#include "tests/sim/workload.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "actors/money.h"
#include "runtime/base/assert.h"
#include "tests/sim/model.h"

const struct sim_person sim_people[SIM_PEOPLE + 1] = {
    {"anna", "admin", SIM_STAFF},       {"boris", "staff", SIM_STAFF},  {"carla", "customer", SIM_CUSTOMER},
    {"dora", "customer", SIM_CUSTOMER}, {"vega", "vendor", SIM_VENDOR}, {"wald", "vendor", SIM_VENDOR},
    {"parcel", "staff", SIM_STAFF},
};

/* ---- contents ---- */

unsigned sim_variant_lines(uint64_t variant, struct sim_line lines[SIM_LINES_MAX])
{
    static const struct sim_line table[SIM_VARIANTS][SIM_LINES_MAX] = {
        {{SIM_VENDOR_A, 2, 1000}},
        {{SIM_VENDOR_A, 1, 500}, {SIM_VENDOR_B, 3, 250}},
        {{SIM_VENDOR_B, 1, 1999}},
        {{SIM_VENDOR_A, 1, 100}, {SIM_VENDOR_A, 2, 333}, {SIM_VENDOR_B, 1, 5}},
        {{SIM_VENDOR_A, 4, 25}, {SIM_VENDOR_A, 1, 25}},
        {{SIM_VENDOR_B, 2, 0}},
    };
    unsigned count = 0;
    while (count < SIM_LINES_MAX && table[variant][count].quantity) {
        lines[count] = table[variant][count];
        count++;
    }
    return count;
}

enum order_stage sim_variant_stage(uint64_t variant)
{
    static const enum order_stage table[SIM_VARIANTS] = {
        ORDER_STAGE_CONFIRMED, ORDER_STAGE_CONFIRMED, ORDER_STAGE_PENDING,
        ORDER_STAGE_DRAFT,     ORDER_STAGE_CONFIRMED, ORDER_STAGE_PENDING,
    };
    return table[variant];
}

/* ---- steps ---- */

static const struct sim_step built_in_steps[] = {
    {"confirm_order", ORDER_STAGE_PENDING, false, ORDER_COMMAND_CONFIRM_ORDER, 0, 0},
    {"review_order", ORDER_STAGE_CONFIRMED, true, ORDER_COMMAND_REVIEW_ORDER, 0, 0},
    {"pick_and_pack", ORDER_STAGE_CONFIRMED, true, ORDER_COMMAND_NONE, 0, 0},
    {"mark_as_shipped", ORDER_STAGE_CONFIRMED, false, ORDER_COMMAND_MARK_AS_SHIPPED, 0, 0},
    {"mark_as_completed", ORDER_STAGE_SHIPPED, false, ORDER_COMMAND_MARK_AS_COMPLETED, 0, 0},
};

static const struct sim_step strict_steps[] = {
    {"check", ORDER_STAGE_CONFIRMED, true, ORDER_COMMAND_NONE, 0, 0},
    {"review_order", ORDER_STAGE_CONFIRMED, false, ORDER_COMMAND_REVIEW_ORDER, 0, 0},
    {"insure", ORDER_STAGE_CONFIRMED, false, ORDER_COMMAND_NONE, 3, 0},
    {"pack", ORDER_STAGE_CONFIRMED, false, ORDER_COMMAND_NONE, 0, 4000},
    {"mark_as_shipped", ORDER_STAGE_CONFIRMED, false, ORDER_COMMAND_MARK_AS_SHIPPED, 0, 0},
    {"thank", ORDER_STAGE_SHIPPED, true, ORDER_COMMAND_NONE, 0, 0},
};

static const char strict_json[] =
    "{\"steps\":["
    "{\"stage\":\"CONFIRMED\",\"stepName\":\"check\",\"activityStatus\":\"Checking\",\"sequence\":10,"
    "\"optional\":true},"
    "{\"stage\":\"CONFIRMED\",\"stepName\":\"review_order\",\"activityStatus\":\"InReview\",\"sequence\":20},"
    "{\"stage\":\"CONFIRMED\",\"stepName\":\"insure\",\"activityStatus\":\"Insuring\",\"sequence\":25,"
    "\"when\":[{\"field\":\"lineCount\",\"op\":\"gte\",\"value\":3}]},"
    "{\"stage\":\"CONFIRMED\",\"stepName\":\"pack\",\"activityStatus\":\"Packing\",\"sequence\":30,\"dueIn\":"
    "\"PT4S\","
    "\"onDue\":\"skip\"},"
    "{\"stage\":\"CONFIRMED\",\"stepName\":\"mark_as_shipped\",\"activityStatus\":\"Shipping\",\"sequence\":"
    "40},"
    "{\"stage\":\"SHIPPED\",\"stepName\":\"thank\",\"activityStatus\":\"Thanking\",\"sequence\":10,"
    "\"optional\":true}]}";

const struct sim_step *sim_steps(unsigned tenant, unsigned *count)
{
    *count = tenant ? OMS_COUNT_OF(strict_steps) : OMS_COUNT_OF(built_in_steps);
    return tenant ? strict_steps : built_in_steps;
}

const char *sim_workflow_json(unsigned tenant)
{
    return tenant ? strict_json : NULL;
}

struct oms_hash128 sim_op_fingerprint(const struct sim_op *op)
{
    static const struct oms_hash_key key = {1, 2};
    struct oms_siphash hash;
    uint32_t type = op->type;
    oms_siphash_init(&hash, &key);
    oms_siphash_update(&hash, &type, sizeof(type));
    oms_siphash_update(&hash, &op->content, sizeof(op->content));
    return oms_siphash_final(&hash);
}

void sim_place_init(struct sim_place *place, const struct oms_hash_key *id_key, uint32_t number,
                    unsigned tenant, unsigned slot)
{
    char key[24];
    memset(place, 0, sizeof(*place));
    place->tenant_number = number;
    if (slot == SIM_SLOT_UNKNOWN) {
        ids_order_random(1, tenant, slot, place->id);
    } else if (slot >= SIM_SLOT_UNKNOWN - SIM_SLOTS_BY_KEY) {
        place->owner = slot % SIM_VENDOR_A; /* staff or customer */
        place->creation_key = 900 + slot;
        snprintf(key, sizeof(key), "key-%u", place->creation_key);
        ids_order_from_key(id_key, number, oms_str_of(sim_people[place->owner].subject), oms_str_of(key),
                           place->id);
    } else {
        /* The same references in both tenants: they must never meet. */
        snprintf(place->reference, sizeof(place->reference), "ref-%u", slot);
        ids_order_from_reference(id_key, number, OMS_STR("api"), oms_str_of(place->reference), place->id);
    }
    ids_order_text(place->id, place->id_text);
}

/* ---- drawing ---- */

static uint64_t below(struct sim_workload *workload, uint64_t bound)
{
    return oms_prng_below(&workload->prng, bound);
}

static bool chance(struct sim_workload *workload, unsigned percent)
{
    return below(workload, 100) < percent;
}

void sim_workload_init(struct sim_workload *workload, uint64_t seed)
{
    memset(workload, 0, sizeof(*workload));
    oms_prng_seed(&workload->prng, seed);
    workload->next_serial = 1;
}

static void draw_creation(struct sim_workload *workload, struct sim_op *op)
{
    bool by_key = op->slot >= SIM_SLOT_UNKNOWN - SIM_SLOTS_BY_KEY;
    op->type = ORDER_COMMAND_CREATE_ORDER;
    if (by_key) {
        op->person = op->slot % SIM_VENDOR_A;
        op->has_key = true;
        op->key = 900 + op->slot;
    }
    /* Mostly the slot's own content, so that repeats are repeats. */
    op->content.variant =
        chance(workload, 85) ? (op->tenant + op->slot) % SIM_VARIANTS : below(workload, SIM_VARIANTS);
    if (sim_people[op->person].role == SIM_STAFF)
        op->content.customer = op->slot % 3 ? 3 + op->slot % 2 : 0; /* carla, dora, or nobody */
    else if (chance(workload, 50))
        op->content.customer = chance(workload, 90) ? op->person + 1 : 3 + below(workload, 2);
}

static int64_t draw_expiry(struct sim_workload *workload, int64_t now_ms)
{
    if (chance(workload, 40))
        return 0;
    return now_ms + 1 + (int64_t)below(workload, chance(workload, 50) ? 20 : 3000);
}

static void draw_hold(struct sim_workload *workload, int64_t now_ms, struct sim_op *op)
{
    static const order_command_set blocks[] = {
        0, ORDER_COMMAND_BIT(ORDER_COMMAND_CANCEL_ORDER), ORDER_COMMAND_BIT(ORDER_COMMAND_MARK_AS_SHIPPED),
        ORDER_COMMAND_BIT(ORDER_COMMAND_ADD_SHIPMENT) | ORDER_COMMAND_BIT(ORDER_COMMAND_PROCESS_REFUND),
        ORDER_COMMAND_BIT(ORDER_COMMAND_CHANGE_QUANTITY) | ORDER_COMMAND_BIT(ORDER_COMMAND_REQUEST_RETURN) |
            ORDER_COMMAND_BIT(ORDER_COMMAND_CANCEL_LINE_ITEMS)};
    op->content.at = draw_expiry(workload, now_ms);
    op->content.blocks = blocks[below(workload, OMS_COUNT_OF(blocks))];
}

/* One of the numbers that are there, mostly. */
static uint64_t draw_part(struct sim_workload *workload, size_t count)
{
    return count && chance(workload, 90) ? 1 + below(workload, count) : count + 1;
}

static void draw_payment(struct sim_workload *workload, const struct model_state *state, struct sim_op *op)
{
    static const int64_t amounts[] = {2000, 1250, 700, 1999, 771, 100, 125};
    op->content.amount = amounts[below(workload, OMS_COUNT_OF(amounts))];
    if (state->final > state->paid && chance(workload, 40))
        op->content.amount = state->final - state->paid; /* the rest */
    op->content.payment_id = below(workload, 8);         /* few, so that transactions repeat; 0: cash */
    op->content.status = chance(workload, 70) ? ORDER_PAYMENT_CAPTURED : ORDER_PAYMENT_AUTHORIZED;
}

static void draw_refund(struct sim_workload *workload, const struct model_state *state, struct sim_op *op)
{
    if (state->refund_count && chance(workload, 50)) {
        op->content.part = draw_part(workload, state->refund_count);
        op->content.status = chance(workload, 70) ? ORDER_REFUND_SUCCEEDED : ORDER_REFUND_FAILED;
    } else {
        if (state->return_count && chance(workload, 70))
            op->content.of = draw_part(workload, state->return_count);
        if (!op->content.of || chance(workload, 40))
            op->content.amount = 1 + (int64_t)below(workload, 1000);
        op->content.status = chance(workload, 70) ? ORDER_REFUND_PENDING : ORDER_REFUND_SUCCEEDED;
    }
}

/* Mostly a line that is there. */
static uint64_t draw_line(struct sim_workload *workload, const struct model_state *state)
{
    if (state->line_count && chance(workload, 85))
        return state->lines[below(workload, state->line_count)].id;
    return 1 + below(workload, 5);
}

static void draw_edit(struct sim_workload *workload, const struct model_state *state, struct sim_op *op)
{
    if (op->type == ORDER_COMMAND_CHANGE_DESTINATION)
        return;
    op->content.part = draw_line(workload, state);
    op->content.quantity = 1 + (int64_t)below(workload, 4);
    if (op->type == ORDER_COMMAND_CANCEL_LINE_ITEMS && chance(workload, 40))
        op->content.quantity = -1; /* all that can be */
    if (op->type != ORDER_COMMAND_ADD_LINE_ITEM)
        return;
    op->content.part = chance(workload, 50) ? SIM_VENDOR_A : SIM_VENDOR_B;
    op->content.amount = (int64_t)below(workload, 500);
    if (state->line_count >= SIM_LINES_GROWN)
        op->type = ORDER_COMMAND_ADD_NOTE;
}

/* A carrier says something of a parcel, perhaps late and perhaps again. */
static void draw_scan(struct sim_workload *workload, const struct model_state *state, int64_t now_ms,
                      struct sim_op *op)
{
    static const enum order_shipment_status said[] = {
        ORDER_SHIPMENT_CONFIRMED,         ORDER_SHIPMENT_IN_TRANSIT, ORDER_SHIPMENT_IN_TRANSIT,
        ORDER_SHIPMENT_DELIVERED,         ORDER_SHIPMENT_DELIVERED,  ORDER_SHIPMENT_FAILED,
        ORDER_SHIPMENT_RETURNED_TO_SENDER};
    if (chance(workload, 95))
        op->person = SIM_CARRIER;
    op->content.part = draw_part(workload, state->shipment_count);
    op->content.status = said[below(workload, OMS_COUNT_OF(said))];
    op->content.at = chance(workload, 60) ? 0 : now_ms - (int64_t)below(workload, 2000);
}

static void draw_return(struct sim_workload *workload, const struct model_state *state, struct sim_op *op)
{
    if (op->type == ORDER_COMMAND_REQUEST_RETURN) {
        op->content.part = chance(workload, 60) ? draw_line(workload, state) : 0;
        if (op->content.part)
            op->content.quantity = chance(workload, 30) ? -1 : 1 + (int64_t)below(workload, 3);
        return;
    }
    op->content.part = draw_part(workload, state->return_count);
    if (op->type == ORDER_COMMAND_RECEIVE_RETURN && chance(workload, 40)) {
        op->content.of = draw_line(workload, state);
        op->content.quantity = 1 + (int64_t)below(workload, 2);
    }
}

static void draw_step(struct sim_workload *workload, const struct model_state *state, struct sim_op *op)
{
    unsigned count;
    sim_steps(op->tenant, &count);
    if (op->type == ORDER_COMMAND_ESCALATE_REVIEWER) {
        op->content.part = below(workload, 2);
    } else if (op->type == ORDER_COMMAND_REVIEW_ORDER) {
        op->content.status = chance(workload, 80);
        if (state->reviewer && chance(workload, 80))
            op->person = state->reviewer - 1;
    } else {
        op->content.part = below(workload, count + 1); /* the last one is nobody's */
    }
}

static void draw_content(struct sim_workload *workload, const struct model_state *state, int64_t now_ms,
                         struct sim_op *op)
{
    op->content.mark = op->serial;
    switch (op->type) {
    case ORDER_COMMAND_PLACE_HOLD:
        draw_hold(workload, now_ms, op);
        break;
    case ORDER_COMMAND_ERASE_CUSTOMER:
        op->content.status = chance(workload, 60); /* also when it is not finished */
        if (chance(workload, 80))
            op->person = SIM_CLERK;
        break;
    case ORDER_COMMAND_RELEASE_HOLD:
        op->content.part = state->hold_count && chance(workload, 70)
                               ? state->holds[below(workload, state->hold_count)].id
                               : 1 + below(workload, state->hold_next + 1);
        break;
    case ORDER_COMMAND_RECORD_PAYMENT:
        draw_payment(workload, state, op);
        break;
    case ORDER_COMMAND_PROCESS_REFUND:
        draw_refund(workload, state, op);
        break;
    case ORDER_COMMAND_ADD_SHIPMENT:
        op->content.part = chance(workload, 60) ? 1 + below(workload, SIM_LINES_MAX) : 0;
        op->content.quantity = op->content.part ? 1 + (int64_t)below(workload, 2) : 0;
        break;
    case ORDER_COMMAND_CONFIRM_SHIPMENT:
    case ORDER_COMMAND_DISPATCH_SHIPMENT:
    case ORDER_COMMAND_DELIVER_SHIPMENT:
    case ORDER_COMMAND_CANCEL_SHIPMENT:
    case ORDER_COMMAND_ADD_SHIPPING_TRACKING_REFERENCE:
        op->content.part = draw_part(workload, state->shipment_count);
        break;
    case ORDER_COMMAND_FAIL_SHIPMENT:
        op->content.part = draw_part(workload, state->shipment_count);
        op->content.status = chance(workload, 50) ? ORDER_SHIPMENT_FAILED : ORDER_SHIPMENT_RETURNED_TO_SENDER;
        break;
    case ORDER_COMMAND_TRACK_SHIPMENT:
        draw_scan(workload, state, now_ms, op);
        break;
    case ORDER_COMMAND_ADD_LINE_ITEM:
    case ORDER_COMMAND_REMOVE_LINE_ITEM:
    case ORDER_COMMAND_CHANGE_QUANTITY:
    case ORDER_COMMAND_CHANGE_DESTINATION:
    case ORDER_COMMAND_CANCEL_LINE_ITEMS:
        draw_edit(workload, state, op);
        break;
    case ORDER_COMMAND_REQUEST_RETURN:
    case ORDER_COMMAND_APPROVE_RETURN:
    case ORDER_COMMAND_REJECT_RETURN:
    case ORDER_COMMAND_RECEIVE_RETURN:
    case ORDER_COMMAND_CANCEL_RETURN:
        draw_return(workload, state, op);
        break;
    case ORDER_COMMAND_ESCALATE_REVIEWER:
    case ORDER_COMMAND_REVIEW_ORDER:
    case ORDER_COMMAND_COMPLETE_ACTIVITY:
    case ORDER_COMMAND_SKIP_ACTIVITY:
        draw_step(workload, state, op);
        break;
    default:
        break;
    }
}

#define C(type) ORDER_COMMAND_BIT(ORDER_COMMAND_##type)

/* What makes sense in a stage comes up more often there. */
static order_command_set usual(enum order_stage stage)
{
    static const order_command_set table[ORDER_STAGE_COUNT] = {
        [ORDER_STAGE_DRAFT] = C(PLACE_ORDER) | C(ADD_LINE_ITEM) | C(REMOVE_LINE_ITEM) | C(CHANGE_QUANTITY),
        [ORDER_STAGE_PENDING] = C(CONFIRM_ORDER) | C(ADD_LINE_ITEM) | C(REMOVE_LINE_ITEM) |
                                C(CHANGE_QUANTITY) | C(CHANGE_DESTINATION) | C(CANCEL_LINE_ITEMS),
        [ORDER_STAGE_CONFIRMED] = C(ADD_SHIPMENT) | C(CONFIRM_SHIPMENT) | C(DISPATCH_SHIPMENT) |
                                  C(TRACK_SHIPMENT) | C(ESCALATE_REVIEWER) | C(REVIEW_ORDER) |
                                  C(COMPLETE_ACTIVITY) | C(MARK_AS_SHIPPED),
        [ORDER_STAGE_SHIPPED] = C(TRACK_SHIPMENT) | C(DELIVER_SHIPMENT) | C(MARK_AS_COMPLETED) |
                                C(REQUEST_RETURN) | C(APPROVE_RETURN) | C(RECEIVE_RETURN) | C(CANCEL_RETURN) |
                                C(PROCESS_REFUND),
        [ORDER_STAGE_COMPLETED] = C(REQUEST_RETURN) | C(APPROVE_RETURN) | C(REJECT_RETURN) |
                                  C(RECEIVE_RETURN) | C(CANCEL_RETURN) | C(PROCESS_REFUND),
    };
    return table[stage];
}

static enum order_command_type draw_type(struct sim_workload *workload, enum order_stage stage)
{
    struct weighted {
        enum order_command_type type;
        unsigned weight;
    };
    static const struct weighted table[] = {
        {ORDER_COMMAND_PLACE_HOLD, 14},       {ORDER_COMMAND_RELEASE_HOLD, 12},
        {ORDER_COMMAND_RECORD_PAYMENT, 16},   {ORDER_COMMAND_PROCESS_REFUND, 8},
        {ORDER_COMMAND_ADD_NOTE, 12},         {ORDER_COMMAND_ADD_SHIPMENT, 9},
        {ORDER_COMMAND_CONFIRM_SHIPMENT, 4},  {ORDER_COMMAND_DISPATCH_SHIPMENT, 7},
        {ORDER_COMMAND_DELIVER_SHIPMENT, 5},  {ORDER_COMMAND_CANCEL_SHIPMENT, 3},
        {ORDER_COMMAND_FAIL_SHIPMENT, 3},     {ORDER_COMMAND_TRACK_SHIPMENT, 6},
        {ORDER_COMMAND_MARK_AS_SHIPPED, 4},   {ORDER_COMMAND_ADD_SHIPPING_TRACKING_REFERENCE, 3},
        {ORDER_COMMAND_MARK_AS_COMPLETED, 4}, {ORDER_COMMAND_PLACE_ORDER, 4},
        {ORDER_COMMAND_CONFIRM_ORDER, 4},     {ORDER_COMMAND_CANCEL_ORDER, 2},
        {ORDER_COMMAND_ADD_LINE_ITEM, 3},     {ORDER_COMMAND_REMOVE_LINE_ITEM, 2},
        {ORDER_COMMAND_CHANGE_QUANTITY, 3},   {ORDER_COMMAND_CHANGE_DESTINATION, 3},
        {ORDER_COMMAND_CANCEL_LINE_ITEMS, 3}, {ORDER_COMMAND_REQUEST_RETURN, 9},
        {ORDER_COMMAND_APPROVE_RETURN, 8},    {ORDER_COMMAND_REJECT_RETURN, 3},
        {ORDER_COMMAND_RECEIVE_RETURN, 9},    {ORDER_COMMAND_CANCEL_RETURN, 3},
        {ORDER_COMMAND_ESCALATE_REVIEWER, 4}, {ORDER_COMMAND_REVIEW_ORDER, 5},
        {ORDER_COMMAND_COMPLETE_ACTIVITY, 5}, {ORDER_COMMAND_SKIP_ACTIVITY, 2},
        {ORDER_COMMAND_ERASE_CUSTOMER, 3},
    };
    unsigned weights[OMS_COUNT_OF(table)];
    unsigned total = 0;
    for (size_t i = 0; i < OMS_COUNT_OF(table); i++) {
        bool often = (usual(stage) & ORDER_COMMAND_BIT(table[i].type)) != 0;
        weights[i] = table[i].weight * (often ? 8 : 1);
        total += weights[i];
    }
    uint64_t ticket = below(workload, total);
    for (size_t i = 0; i < OMS_COUNT_OF(table); i++) {
        if (ticket < weights[i])
            return table[i].type;
        ticket -= weights[i];
    }
    OMS_UNREACHABLE();
}

/* The same again: of somebody else, or with other content under the same key, at times. */
static bool draw_repeat(struct sim_workload *workload, struct sim_op *op)
{
    uint64_t serial = op->serial;
    if (!workload->kept_count || !chance(workload, 15))
        return false;
    *op = workload->kept[below(workload, workload->kept_count)];
    op->serial = serial;
    if (chance(workload, 12) && op->type == ORDER_COMMAND_CREATE_ORDER)
        op->content.variant = (op->content.variant + 1) % SIM_VARIANTS;
    else if (chance(workload, 12))
        op->content.mark = serial;
    if (chance(workload, 10) && op->type != ORDER_COMMAND_CREATE_ORDER)
        op->person = (unsigned)below(workload, SIM_PEOPLE);
    if (chance(workload, 10))
        op->has_expected = false;
    return true;
}

static void keep(struct sim_workload *workload, const struct sim_op *op)
{
    unsigned at = workload->kept_count;
    if (at == SIM_REPEATS_KEPT)
        at = (unsigned)below(workload, SIM_REPEATS_KEPT);
    else
        workload->kept_count++;
    workload->kept[at] = *op;
}

static void draw_who(struct sim_workload *workload, struct sim_op *op)
{
    op->tenant = (unsigned)below(workload, SIM_TENANTS);
    op->slot = SIM_SLOTS - 1;
    for (unsigned i = 0; i < 3; i++) { /* the first ones are hot: some orders must come to their end */
        unsigned slot = (unsigned)below(workload, SIM_SLOTS);
        op->slot = slot < op->slot ? slot : op->slot;
    }
    op->person = chance(workload, 60) ? (unsigned)below(workload, 2) : (unsigned)below(workload, SIM_PEOPLE);
}

static void draw_command(struct sim_workload *workload, const struct model_state *state, int64_t now_ms,
                         struct sim_op *op)
{
    bool can_create = op->slot != SIM_SLOT_UNKNOWN;
    if (can_create && chance(workload, state->version ? 8 : 75)) {
        draw_creation(workload, op);
    } else {
        op->type = draw_type(workload, state->stage);
        draw_content(workload, state, now_ms, op);
        if (chance(workload, 15) && state->version) {
            op->has_expected = true;
            op->expected = state->version - (chance(workload, 40) ? 1 : 0);
        }
    }
    if (!op->has_key && chance(workload, 50)) {
        op->has_key = true;
        op->key = chance(workload, 90) ? 1000 + (unsigned)op->serial : (unsigned)below(workload, 8);
    }
    if (op->has_key)
        keep(workload, op);
}

void sim_workload_next(struct sim_workload *workload, const struct model *model, int64_t now_ms,
                       struct sim_op *out)
{
    memset(out, 0, sizeof(*out));
    out->serial = workload->next_serial++;
    if (!draw_repeat(workload, out)) {
        draw_who(workload, out);
        if (chance(workload, 18)) {
            out->is_read = true;
            out->is_frozen = chance(workload, 50);
        } else {
            draw_command(workload, &model->orders[out->tenant][out->slot].tip, now_ms, out);
        }
    }
    if (!out->is_read && model->orders[out->tenant][out->slot].tip.version >= SIM_VERSIONS_MAX) {
        out->is_read = true; /* long enough */
        out->has_key = false;
    }
}

/* ---- building ---- */

static struct oms_str text(struct oms_arena *arena, const char *format, ...) OMS_PRINTF(2, 3);

static struct oms_str text(struct oms_arena *arena, const char *format, ...)
{
    char bytes[64];
    va_list args;
    va_start(args, format);
    vsnprintf(bytes, sizeof(bytes), format, args);
    va_end(args);
    return oms_str_copy(arena, oms_str_of(bytes));
}

static struct order_amount amount(struct oms_arena *arena, int64_t minor)
{
    return (struct order_amount){.text = text(arena, "%" PRId64 ".%02" PRId64, minor / SIM_CURRENCY_DIGITS,
                                              minor % SIM_CURRENCY_DIGITS),
                                 .currency = MONEY_CODE('U', 'S', 'D')};
}

static void build_creation(const struct sim_op *op, const struct sim_place *place, struct oms_arena *arena,
                           struct order_create_input *out)
{
    struct sim_line lines[SIM_LINES_MAX];
    unsigned count = sim_variant_lines(op->content.variant, lines);
    struct order_line_input *inputs = oms_arena_calloc(arena, count, sizeof(*inputs));
    OMS_ASSERT(inputs);
    for (unsigned i = 0; i < count; i++) {
        inputs[i].sku = text(arena, "sku-%u", i);
        inputs[i].name = OMS_STR("A thing");
        inputs[i].vendor.id = oms_str_of(sim_people[lines[i].vendor].subject);
        inputs[i].quantity = lines[i].quantity;
        inputs[i].price = amount(arena, lines[i].price);
    }
    out->order_id = oms_str_of(place->id_text);
    out->external_ref = place->reference[0] ? oms_str_of(place->reference) : OMS_STR_NONE;
    out->stage = sim_variant_stage(op->content.variant);
    out->customer.name = OMS_STR("Somebody");
    if (op->content.customer)
        out->customer.customer_id = oms_str_of(sim_people[op->content.customer - 1].subject);
    out->destination.city = OMS_STR("Lima");
    out->destination.country = OMS_STR("PE");
    out->has_destination = true;
    out->lines = inputs;
    out->line_count = count;
}

static void build_lines(const struct sim_op *op, struct oms_arena *arena, struct order_lines_input *out)
{
    const struct sim_content *content = &op->content;
    if (op->type == ORDER_COMMAND_ADD_LINE_ITEM) {
        struct order_line_input *line = oms_arena_calloc(arena, 1, sizeof(*line));
        OMS_ASSERT(line);
        line->sku = text(arena, "sku-%" PRIu64, content->mark);
        line->name = OMS_STR("Another thing");
        line->vendor.id = oms_str_of(sim_people[content->part].subject);
        line->quantity = content->quantity;
        line->price = amount(arena, content->amount);
        out->added = line;
        out->added_count = 1;
        return;
    }
    struct order_line_ref *ref = oms_arena_calloc(arena, 1, sizeof(*ref));
    OMS_ASSERT(ref);
    ref->line_item_id = (uint32_t)content->part;
    ref->quantity = content->quantity;
    out->refs = ref;
    out->ref_count = 1;
}

static void build_return(const struct sim_op *op, struct oms_arena *arena, struct order_return_input *out)
{
    const struct sim_content *content = &op->content;
    bool asks = op->type == ORDER_COMMAND_REQUEST_RETURN;
    uint64_t line = asks ? content->part : content->of;
    out->reason = text(arena, "because %" PRIu64, content->mark);
    if (!asks)
        out->return_id = (uint32_t)content->part;
    if (line) {
        struct order_return_item_input *item = oms_arena_calloc(arena, 1, sizeof(*item));
        OMS_ASSERT(item);
        item->ref.line_item_id = (uint32_t)line;
        item->ref.quantity = content->quantity;
        out->items = item;
        out->item_count = 1;
    }
}

static void build_step(const struct sim_op *op, struct order_step_input *out)
{
    unsigned count;
    const struct sim_step *steps = sim_steps(op->tenant, &count);
    if (op->type == ORDER_COMMAND_ESCALATE_REVIEWER) {
        out->reviewer = oms_str_of(sim_people[op->content.part].subject);
    } else if (op->type == ORDER_COMMAND_REVIEW_ORDER) {
        out->has_is_approved = true;
        out->is_approved = op->content.status != 0;
    } else {
        out->step_name = oms_str_of(op->content.part < count ? steps[op->content.part].name : "nap");
    }
}

static void build_shipment(const struct sim_op *op, struct oms_arena *arena, struct order_shipment_input *out)
{
    out->reason = text(arena, "because %" PRIu64, op->content.mark);
    if (op->type == ORDER_COMMAND_FAIL_SHIPMENT || op->type == ORDER_COMMAND_TRACK_SHIPMENT) {
        out->status = (enum order_shipment_status)op->content.status;
        out->occurred_at = op->content.at;
    } else if (op->type == ORDER_COMMAND_ADD_SHIPPING_TRACKING_REFERENCE) {
        out->tracking_reference = text(arena, "T-%" PRIu64, op->content.mark);
        out->tracking_url = text(arena, "https://carrier.example/%" PRIu64, op->content.mark);
    }
    if (op->type != ORDER_COMMAND_ADD_SHIPMENT) {
        out->shipment = (uint32_t)op->content.part;
    } else if (op->content.part) {
        struct order_line_ref *ref = oms_arena_calloc(arena, 1, sizeof(*ref));
        OMS_ASSERT(ref);
        ref->line_item_id = (uint32_t)op->content.part;
        ref->quantity = op->content.quantity;
        out->items = ref;
        out->item_count = 1;
    }
}

static void build_input(const struct sim_op *op, const struct sim_place *place, struct oms_arena *arena,
                        struct order_command *out)
{
    const struct sim_content *content = &op->content;
    struct oms_str mark = text(arena, "mark %" PRIu64, content->mark);
    switch (op->type) {
    case ORDER_COMMAND_CREATE_ORDER:
        build_creation(op, place, arena, &out->create);
        break;
    case ORDER_COMMAND_PLACE_HOLD:
        out->hold =
            (struct order_hold_input){.reason = mark, .expires_at = content->at, .blocks = content->blocks};
        break;
    case ORDER_COMMAND_RELEASE_HOLD:
        out->hold = (struct order_hold_input){.hold = (uint32_t)content->part, .reason = mark};
        break;
    case ORDER_COMMAND_RECORD_PAYMENT:
        out->payment = (struct order_payment_input){
            .method = mark,
            .provider = OMS_STR("bank"),
            .transaction_id =
                content->payment_id ? text(arena, "tx-%" PRIu64, content->payment_id) : OMS_STR_NONE,
            .amount = amount(arena, content->amount),
            .status = (enum order_payment_entry_status)content->status,
        };
        break;
    case ORDER_COMMAND_PROCESS_REFUND:
        out->refund = (struct order_refund_input){
            .refund_id = (uint32_t)content->part,
            .reason = mark,
            .status = (enum order_refund_status)content->status,
        };
        out->refund.return_id = (uint32_t)content->of;
        if (!content->part && content->amount)
            out->refund.amount = amount(arena, content->amount);
        break;
    case ORDER_COMMAND_ADD_LINE_ITEM:
    case ORDER_COMMAND_REMOVE_LINE_ITEM:
    case ORDER_COMMAND_CHANGE_QUANTITY:
        build_lines(op, arena, &out->lines);
        break;
    case ORDER_COMMAND_CANCEL_LINE_ITEMS: {
        struct order_lines_input named = {0};
        build_lines(op, arena, &named);
        out->cancel = (struct order_cancel_input){mark, named.refs, named.ref_count};
        break;
    }
    case ORDER_COMMAND_CHANGE_DESTINATION:
        out->destination.destination.street = mark;
        out->destination.destination.city = OMS_STR("Lima");
        out->destination.destination.country = OMS_STR("PE");
        out->destination.has_destination = true;
        break;
    case ORDER_COMMAND_REQUEST_RETURN:
    case ORDER_COMMAND_APPROVE_RETURN:
    case ORDER_COMMAND_REJECT_RETURN:
    case ORDER_COMMAND_RECEIVE_RETURN:
    case ORDER_COMMAND_CANCEL_RETURN:
        build_return(op, arena, &out->returns);
        break;
    case ORDER_COMMAND_ESCALATE_REVIEWER:
    case ORDER_COMMAND_REVIEW_ORDER:
    case ORDER_COMMAND_COMPLETE_ACTIVITY:
    case ORDER_COMMAND_SKIP_ACTIVITY:
        build_step(op, &out->step);
        break;
    case ORDER_COMMAND_ERASE_CUSTOMER:
        out->erase.force = content->status != 0;
        break;
    case ORDER_COMMAND_ADD_NOTE:
        out->note.text = mark;
        out->note.visible_to_customer = content->mark % 2 == 0;
        break;
    case ORDER_COMMAND_CANCEL_ORDER:
        out->cancel.reason = mark;
        break;
    default:
        build_shipment(op, arena, &out->shipment);
        break;
    }
}

void sim_command_build(const struct sim_op *op, const struct sim_place *place,
                       const struct oms_hash_key *id_key, struct oms_arena *arena, struct sim_command *out)
{
    const struct sim_person *person = &sim_people[op->person];
    memset(out, 0, sizeof(*out));
    out->role = oms_str_of(person->role_name);
    out->principal = (struct principal){
        .kind = op->person == SIM_CARRIER ? PRINCIPAL_WEBHOOK : PRINCIPAL_USER,
        .tenant = place->tenant_number,
        .subject = oms_str_of(person->subject),
        .roles = &out->role,
        .role_count = 1,
    };
    if (op->is_read)
        return;
    struct order_command *command = &out->command;
    command->type = op->type;
    command->has_expected_version = op->has_expected;
    command->expected_version = op->expected;
    command->fingerprint = sim_op_fingerprint(op);
    command->principal = &out->principal;
    if (op->has_key) {
        command->has_key = true;
        command->idempotency_key = text(arena, "key-%u", op->key);
        command->key = ids_idempotency(id_key, place->tenant_number, out->principal.subject,
                                       oms_str_of(order_command_info(op->type)->mutation),
                                       oms_str_make(place->id, sizeof(place->id)), command->idempotency_key);
    }
    build_input(op, place, arena, command);
}
