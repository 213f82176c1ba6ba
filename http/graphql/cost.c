/*
 * An object has two sums, since its lists' length is known only by who asks for it: `fixed` for what is there
 * once, `item` for one item of each of its lists. A connection's field multiplies the latter by its page; a
 * field that does something for every item of a list in its input (its type has GQL_PARTS), by that list,
 * whether the answer shows the items or not.
 *
 * Numbers saturate: a hostile document's cost is large, not small again.
 */
#include "http/graphql/cost.h"

#include "http/graphql/request.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

#define COST_MAX UINT64_C(1000000000000)
#define PAGE_MAX INT64_C(1000000) /* so that no product overflows 64 bits */

/* The sums of objects that depend on variables, by cost_slot; NULL while planning. */
struct gql_costing {
    const struct gql_request *request;
    const struct gql_cost *sums;
};

static uint64_t gql_cost_capped(uint64_t cost)
{
    return cost < COST_MAX ? cost : COST_MAX;
}

static struct gql_cost gql_cost_of(const struct gql_costing *c, const struct gql_plan_object *object)
{
    return c->sums && object->cost_slot != GQL_NO_SLOT ? c->sums[object->cost_slot] : object->cost;
}

/* What is selected below a step; nothing for a leaf. */
static struct gql_cost gql_cost_below(const struct gql_costing *c, const struct gql_step *step)
{
    struct gql_cost most = {0, 0};

    if (step->object)
        return gql_cost_of(c, step->object);
    for (uint32_t i = 0; step->choice && i < step->choice->count; i++) {
        struct gql_cost one = gql_cost_of(c, step->choice->objects[i]);
        if (one.fixed > most.fixed)
            most.fixed = one.fixed;
        if (one.item > most.item)
            most.item = one.item;
    }
    return most;
}

static bool gql_cost_is_batch(const struct gql_step *step)
{
    if (!step->object || !gql_find_input(step->field->args, step->field->arg_count, OMS_STR("input")))
        return false;
    for (uint32_t i = 0; i < step->object->type->field_count; i++) {
        const struct gql_binding *binding = step->object->type->fields[i].binding;
        if (binding && binding->kind == GQL_PARTS)
            return true;
    }
    return false;
}

/* How many items the input has: its longest list is what the field works on. */
static uint64_t gql_cost_batch(const struct gql_costing *c, const struct gql_step *step)
{
    const struct oms_value *args = step->args, *input;
    size_t most = 0;

    if (step->slot != GQL_NO_SLOT)
        args = c->request ? c->request->slots[step->slot].args : NULL;
    input = args ? oms_value_get_set(args, "input") : NULL;
    for (size_t i = 0; input && input->kind == OMS_VALUE_OBJECT && i < input->object.count; i++) {
        const struct oms_value *value = &input->object.fields[i].value;
        if (value->kind == OMS_VALUE_LIST && value->list.count > most)
            most = value->list.count;
    }
    return most;
}

static bool gql_cost_is_page(const struct gql_step *step)
{
    return step->field && (gql_find_input(step->field->args, step->field->arg_count, OMS_STR("first")) ||
                           gql_find_input(step->field->args, step->field->arg_count, OMS_STR("last")));
}

static uint64_t gql_cost_page(const struct gql_costing *c, const struct gql_step *step)
{
    static const char *const names[] = {"first", "last"};
    const struct oms_value *args = step->args;

    if (step->slot != GQL_NO_SLOT)
        args = c->request ? c->request->slots[step->slot].args : NULL;
    for (unsigned i = 0; args && i < OMS_COUNT_OF(names); i++) {
        const struct oms_value *size = oms_value_get_set(args, names[i]);
        if (size && size->kind == OMS_VALUE_INT)
            return (uint64_t)(size->integer < 0 ? 0 : size->integer > PAGE_MAX ? PAGE_MAX : size->integer);
    }
    return OMS_PAGE_SIZE_DEFAULT;
}

static void gql_cost_add(const struct gql_costing *c, const struct gql_step *step, struct gql_cost *sum)
{
    struct gql_cost below;
    uint64_t lists = OMS_GQL_COST_LIST, each;
    bool page;

    if (!step->object && !step->choice)
        return;
    page = gql_cost_is_page(step);
    below = gql_cost_below(c, step);
    if (page)
        lists = gql_cost_page(c, step);
    if (gql_cost_is_batch(step)) {
        each = below.item ? below.item : 1;
        sum->fixed = gql_cost_capped(sum->fixed + 1 + below.fixed + gql_cost_batch(c, step) * each);
        return;
    }
    if (step->list_depth == 0) {
        sum->fixed = gql_cost_capped(sum->fixed + 1 + below.fixed + gql_cost_capped(lists * below.item));
        return;
    }
    each = gql_cost_capped(1 + below.fixed + OMS_GQL_COST_LIST * below.item);
    for (unsigned depth = 1; depth < step->list_depth; depth++)
        each = gql_cost_capped(OMS_GQL_COST_LIST * each);
    if (page) /* a list that is its own page */
        sum->fixed = gql_cost_capped(sum->fixed + lists * each);
    else
        sum->item = gql_cost_capped(sum->item + each);
}

static struct gql_cost gql_cost_sum(const struct gql_costing *c, const struct gql_plan_object *object)
{
    struct gql_cost sum = {0, 0};

    for (uint32_t i = 0; i < object->count; i++)
        gql_cost_add(c, &object->steps[i], &sum);
    return sum;
}

/* Lists of a root type have nobody who pages them. */
static uint64_t gql_cost_total(struct gql_cost sum)
{
    return gql_cost_capped(sum.fixed + gql_cost_capped(OMS_GQL_COST_LIST * sum.item));
}

static bool gql_cost_varies(const struct gql_step *step)
{
    if (step->object)
        return step->object->cost_slot != GQL_NO_SLOT ||
               (step->slot != GQL_NO_SLOT && (gql_cost_is_page(step) || gql_cost_is_batch(step)));
    if (!step->choice)
        return false;
    for (uint32_t i = 0; i < step->choice->count; i++)
        if (step->choice->objects[i]->cost_slot != GQL_NO_SLOT)
            return true;
    return step->slot != GQL_NO_SLOT && gql_cost_is_page(step);
}

void gql_cost_object(struct gql_plan *plan, struct gql_plan_object *object)
{
    const struct gql_costing c = {NULL, NULL};
    bool varies = false;

    object->cost = gql_cost_sum(&c, object);
    object->cost_slot = GQL_NO_SLOT;
    for (uint32_t i = 0; i < object->count && !varies; i++)
        varies = gql_cost_varies(&object->steps[i]);
    if (varies) {
        object->cost_slot = plan->varying_count++;
        object->cost_next = NULL;
        if (plan->varying_last)
            plan->varying_last->cost_next = object;
        else
            plan->varying = object;
        plan->varying_last = object;
    }
    if (object == plan->root)
        plan->cost = gql_cost_total(object->cost);
}

static __attribute__((noinline)) uint64_t gql_cost_again(const struct gql_request *request,
                                                         struct oms_arena *arena)
{
    const struct gql_plan *plan = request->plan;
    struct gql_costing c = {request, NULL};
    struct gql_cost *sums = oms_arena_alloc(arena, plan->varying_count * sizeof(*sums));

    if (!sums)
        return COST_MAX;
    c.sums = sums;
    for (const struct gql_plan_object *object = plan->varying; object; object = object->cost_next)
        sums[object->cost_slot] = gql_cost_sum(&c, object);
    return gql_cost_total(sums[plan->root->cost_slot]); /* the root depends on all that varies */
}

uint64_t gql_request_cost(const struct gql_request *request, struct oms_arena *arena)
{
    return request->plan->varying_count == 0 ? request->plan->cost : gql_cost_again(request, arena);
}
