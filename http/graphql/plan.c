/*
 * Planning, breadth first: a queue of objects whose steps are still to be made. An object of the same type
 * with the same selection sets at the same level is made once (fragments reused in many places cost once per
 * level).
 */
#include "http/graphql/plan.h"

#include "http/graphql/coerce.h"
#include "http/graphql/cost.h"
#include "http/graphql/errors.h"
#include "http/graphql/memory.h"
#include "http/graphql/plan_collect.h"
#include "runtime/base/alloc.h"

/* An object that was asked for; its steps are made when its turn comes. */
struct gql_pending {
    struct gql_pending *next;     /* in the queue, by level */
    struct gql_pending *previous; /* the other way, for what is summed up from below */
    struct gql_plan_object *object;
    const struct gql_set **sets;
    uint32_t set_count;
    uint32_t level; /* of fields, from 1 for the root fields */
};

struct gql_planner {
    const struct gql_schema *schema;
    struct gql_document *document;
    struct gql_plan *plan;
    struct oms_arena *arena; /* of the plan */
    struct gql_errors *errors;
    struct gql_collector collector;
    struct oms_arena work; /* pending objects, keys, slots being gathered */
    struct oms_arena collect_arena;
    struct gql_map known;
    struct gql_pending *first, *last;
    uint32_t steps, levels;
    uint32_t stack[OMS_GQL_DEPTH_MAX + 2]; /* frames that a level may need */
    struct gql_plan_slot *slots;           /* on the heap until their number is known */
    uint32_t slot_cap;
    bool failed;
};

static void gql_plan_limit(struct gql_planner *p, uint32_t at, const char *what, unsigned max)
{
    if (!p->failed)
        gql_error_at(p->errors, GQL_CODE_LIMIT, p->document->source, at, "The document has more than %u %s.",
                     max, what);
    p->failed = true;
}

/* ---- objects ---- */

/* The object for `type` and `sets` at `level`, queued unless it is known. `sets` is copied. */
static const struct gql_plan_object *gql_plan_ask(struct gql_planner *p, const struct gql_type *type,
                                                  const struct gql_set **sets, uint32_t count, uint32_t level)
{
    uint32_t *key = GQL_ARRAY(&p->work, uint32_t, count + 2);
    struct gql_pending *pending = GQL_NEW(&p->work, struct gql_pending), *known;

    key[0] = type->index;
    key[1] = level;
    pending->sets = GQL_ARRAY(&p->work, const struct gql_set *, count);
    pending->set_count = count;
    pending->level = level;
    for (uint32_t i = 0; i < count; i++) {
        pending->sets[i] = sets[i];
        key[2 + i] = sets[i]->id;
    }
    known = gql_map_add(&p->known, oms_str_make(key, (2 + (size_t)count) * sizeof(*key)), pending);
    if (known)
        return known->object;
    pending->object = GQL_NEW(p->arena, struct gql_plan_object);
    pending->object->type = type;
    pending->previous = p->last;
    if (p->last)
        p->last->next = pending;
    else
        p->first = pending;
    p->last = pending;
    return pending->object;
}

static const struct gql_plan_choice *gql_plan_choose(struct gql_planner *p, const struct gql_type *abstract,
                                                     const struct gql_collected *field, uint32_t level)
{
    struct gql_plan_choice *choice = GQL_NEW(p->arena, struct gql_plan_choice);

    OMS_ASSERT(abstract->type_binding);
    choice->abstract = abstract;
    choice->type_of = abstract->type_binding->type_of;
    choice->count = abstract->possible_count;
    choice->objects = GQL_ARRAY(p->arena, const struct gql_plan_object *, choice->count);
    for (uint32_t i = 0; i < choice->count; i++)
        choice->objects[i] = gql_plan_ask(p, abstract->possible[i], field->sets, field->set_count, level);
    return choice;
}

/* ---- arguments ---- */

static void gql_plan_args(struct gql_planner *p, struct gql_step *step, const struct gql_selection *s)
{
    const struct gql_field *field = step->field;
    struct gql_plan *plan = p->plan;
    struct gql_coercion c;
    struct oms_value *args;
    bool has_variable = false;

    step->slot = GQL_NO_SLOT;
    if (field->arg_count == 0)
        return;
    for (const struct gql_arg *arg = s->args; arg; arg = arg->next)
        has_variable |= arg->value->has_variable;
    if (has_variable) {
        if (plan->slot_count == p->slot_cap) {
            p->slot_cap = p->slot_cap ? p->slot_cap * 2 : 8;
            p->slots = oms_reallocarray(p->slots, p->slot_cap, sizeof(*p->slots));
        }
        step->slot = plan->slot_count;
        p->slots[plan->slot_count++] = (struct gql_plan_slot){field, s->args, s->at};
        return;
    }
    args = GQL_NEW(p->arena, struct oms_value);
    gql_coercion_init(&c, p->arena, NULL, NULL);
    /* Validation coerced every literal already; a scalar binding must give the same answer twice. */
    if (!gql_coerce_args(&c, field->args, field->arg_count, s->args, args)) {
        gql_error_at(p->errors, GQL_CODE_VALIDATE, p->document->source, s->at, "%s", c.message);
        p->failed = true;
    }
    step->args = args;
}

/* ---- steps ---- */

static void gql_plan_shape(struct gql_planner *p, struct gql_step *step, const struct gql_collected *field,
                           uint32_t level)
{
    const struct gql_typeref *type = step->field->type;
    const struct gql_type *named = type->named;
    unsigned lists = 0;

    for (;; type = type->of) {
        if (type->kind == GQL_KIND_NON_NULL)
            type = type->of;
        else
            step->nullable |= (uint8_t)(1u << lists);
        if (type->kind != GQL_KIND_LIST)
            break;
        OMS_ASSERT(lists < OMS_GQL_LIST_DEPTH_MAX); /* bind.c refuses deeper ones */
        lists++;
    }
    step->kind = GQL_LEAF;
    if (!gql_is_composite(named))
        return;
    step->kind = lists ? GQL_LIST : GQL_OBJECT;
    if (step->field->binding && step->field->binding->kind == GQL_PARTS)
        step->kind = GQL_LEAF; /* with the plan of its objects, for gql_execute_part */
    step->list_depth = (uint8_t)lists;
    if (level + 1 > OMS_GQL_DEPTH_MAX) {
        gql_plan_limit(p, field->first->at, "levels of fields", OMS_GQL_DEPTH_MAX);
        return;
    }
    if (gql_is_abstract(named))
        step->choice = gql_plan_choose(p, named, field, level + 1);
    else
        step->object = gql_plan_ask(p, named, field->sets, field->set_count, level + 1);
    if (p->stack[level] < lists + 1)
        p->stack[level] = lists + 1;
}

static void gql_plan_resolver(struct gql_step *step, const struct gql_binding *binding)
{
    if (!binding)
        return; /* a meta field at the root */
    switch (binding->kind) {
    case GQL_ROOT:
        break;
    case GQL_LEAF:
    case GQL_PARTS:
        step->resolve.leaf = binding->resolve.leaf;
        break;

    case GQL_OBJECT:
        step->resolve.object = binding->resolve.object;
        break;
    case GQL_LIST:
        step->resolve.list = binding->resolve.list;
        break;
    }
}

/* The definition on the object's own type: the document may have named the interface's. */
static const struct gql_field *gql_plan_field(const struct gql_planner *p, const struct gql_type *type,
                                              const struct gql_selection *s)
{
    const struct gql_field *field = gql_type_field(p->schema, type, s->name);

    OMS_ASSERT(field);
    return field;
}

static const char *gql_plan_bytes(struct gql_planner *p, struct oms_buf *buf, uint32_t *len)
{
    char *bytes = gql_calloc(p->arena, 1, buf->len);

    memcpy(bytes, buf->data, buf->len);
    *len = (uint32_t)buf->len;
    oms_buf_reset(buf);
    return bytes;
}

/* Writes `{"key":` or `,"key":`. Names need no escapes. */
static void gql_plan_key(struct oms_buf *buf, bool first, struct oms_str key)
{
    oms_buf_append_char(buf, first ? '{' : ',');
    oms_buf_append_char(buf, '"');
    oms_buf_append_str(buf, key);
    oms_buf_append_lit(buf, "\":");
}

static void gql_plan_step(struct gql_planner *p, struct gql_step *step, const struct gql_collected *field,
                          const struct gql_field *definition, uint32_t level)
{
    const struct gql_selection *s = field->first;

    step->key = s->key;
    step->at = s->at;
    step->field = definition;
    gql_plan_resolver(step, definition->binding);
    gql_plan_args(p, step, s);
    gql_plan_shape(p, step, field, level);
    if (definition == p->schema->meta_typename)
        step->meta = GQL_META_TYPENAME;
    else if (definition == p->schema->meta_schema)
        step->meta = GQL_META_SCHEMA;
    else if (definition == p->schema->meta_type)
        step->meta = GQL_META_TYPE;
}

static void gql_plan_object_make(struct gql_planner *p, const struct gql_pending *pending)
{
    struct gql_plan_object *object = pending->object;
    struct gql_collected *fields;
    struct oms_buf buf;
    uint32_t count = 0;
    bool first = true, is_root = pending->level == 1;

    oms_arena_reset(&p->collect_arena);
    fields = gql_collect(&p->collector, object->type, pending->sets, pending->set_count);
    object->refused = p->collector.refused;
    for (const struct gql_collected *f = fields; f; f = f->next)
        count++;
    p->steps += count;
    if (p->steps > OMS_GQL_PLAN_STEPS_MAX || p->collector.visits > OMS_GQL_PLAN_VISITS_MAX) {
        gql_plan_limit(p, pending->sets[0]->at, "fields once its fragments are expanded",
                       OMS_GQL_PLAN_STEPS_MAX);
        return;
    }
    object->steps = GQL_ARRAY(p->arena, struct gql_step, count);
    oms_buf_init(&buf, GQL_ARENA_UNBOUNDED);
    for (const struct gql_collected *f = fields; f && !p->failed; f = f->next) {
        const struct gql_field *definition = gql_plan_field(p, object->type, f->first);
        struct gql_step *step;
        gql_plan_key(&buf, first, f->first->key);
        first = false;
        if (definition == p->schema->meta_typename && !is_root) {
            oms_buf_append_char(&buf, '"');
            oms_buf_append_str(&buf, object->type->name);
            oms_buf_append_char(&buf, '"');
            continue;
        }
        step = &object->steps[object->count++];
        step->lead = gql_plan_bytes(p, &buf, &step->lead_len);
        gql_plan_step(p, step, f, definition, pending->level);
    }
    oms_buf_append_str(&buf, first ? OMS_STR("{}") : OMS_STR("}"));
    object->tail = gql_plan_bytes(p, &buf, &object->tail_len);
    oms_buf_fini(&buf);
    if (pending->level > p->levels)
        p->levels = pending->level;
}

/* ---- sums ---- */

unsigned gql_step_needs(const struct gql_step *step)
{
    unsigned needs = step->field->binding ? step->field->binding->flags : 0;

    if (step->object)
        needs |= step->object->needs;
    for (uint32_t i = 0; step->choice && i < step->choice->count; i++)
        needs |= step->choice->objects[i]->needs;
    return needs;
}

static void gql_plan_sum(struct gql_planner *p)
{
    uint32_t frames = 0;

    /* Deeper levels were queued later. */
    for (struct gql_pending *pending = p->last; pending; pending = pending->previous) {
        for (uint32_t i = 0; i < pending->object->count; i++)
            pending->object->needs |= gql_step_needs(&pending->object->steps[i]);
        gql_cost_object(p->plan, pending->object);
    }
    for (uint32_t level = 1; level <= p->levels; level++)
        frames += p->stack[level];
    if (frames > OMS_GQL_STACK_MAX)
        gql_plan_limit(p, 0, "levels of lists and objects", OMS_GQL_STACK_MAX);
    if (p->plan->root->count > OMS_GQL_ROOT_FIELDS_MAX)
        gql_plan_limit(p, p->plan->root->steps[OMS_GQL_ROOT_FIELDS_MAX].at, "root fields",
                       OMS_GQL_ROOT_FIELDS_MAX);
}

static void gql_plan_roots(struct gql_planner *p)
{
    static const struct oms_value no_args = {.kind = OMS_VALUE_OBJECT};
    struct gql_plan *plan = p->plan;

    plan->roots = GQL_ARRAY(p->arena, struct gql_root, plan->root->count);
    for (uint32_t i = 0; i < plan->root->count; i++) {
        const struct gql_step *step = &plan->root->steps[i];
        struct gql_place place = gql_place_of(p->document->source, step->at);
        plan->roots[i] = (struct gql_root){
            .response_key = step->key,
            .field = step->field->name,
            .host = step->field->binding ? step->field->binding->resolve.host : NULL,
            .args = step->args ? step->args : &no_args,
            .needs = gql_step_needs(step),
            .line = place.line,
            .column = place.column,
        };
    }
}

/* ---- the plan ---- */

static void gql_planner_init(struct gql_planner *p, struct gql_operation_ast *operation,
                             const unsigned char *mask)
{
    oms_arena_init(&p->work, 4096, GQL_ARENA_UNBOUNDED);
    oms_arena_init(&p->collect_arena, 4096, GQL_ARENA_UNBOUNDED);
    gql_map_init(&p->known, &p->work, &p->schema->key);
    p->collector = (struct gql_collector){
        .schema = p->schema,
        .operation = operation,
        .mask = mask,
        .mask_count = &operation->mask_count,
        .arena = &p->collect_arena,
        .stamp = &p->document->stamp,
    };
}

/* What is known only at the end. */
static void gql_plan_finish(struct gql_planner *p, const struct gql_operation_ast *operation,
                            const unsigned char *mask)
{
    struct gql_plan *plan = p->plan;
    struct gql_plan_slot *slots = GQL_ARRAY(p->arena, struct gql_plan_slot, plan->slot_count);

    gql_plan_roots(p);
    for (uint32_t i = 0; i < plan->slot_count; i++)
        slots[i] = p->slots[i];
    plan->slots = slots;
    plan->mask = gql_calloc(p->arena, 1, operation->mask_count);
    if (mask)
        memcpy(plan->mask, mask, operation->mask_count);
}

enum oms_status gql_plan_create(const struct gql_schema *schema, struct gql_document *document,
                                struct gql_operation_ast *operation, const unsigned char *mask,
                                struct oms_arena *arena, struct gql_plan **out, struct gql_errors *errors)
{
    struct gql_plan *plan = arena ? GQL_NEW(arena, struct gql_plan) : oms_calloc(1, sizeof(*plan));
    struct gql_planner p = {
        .schema = schema, .document = document, .plan = plan, .arena = arena, .errors = errors};
    const struct gql_set *set = operation->set;

    if (!arena) {
        oms_arena_init(&plan->arena, 2048, GQL_ARENA_UNBOUNDED);
        p.arena = &plan->arena;
    }
    gql_planner_init(&p, operation, mask);
    plan->root = gql_plan_ask(&p, operation->root, &set, 1, 1);
    for (struct gql_pending *pending = p.first; pending && !p.failed; pending = pending->next)
        gql_plan_object_make(&p, pending);
    if (!p.failed)
        gql_plan_sum(&p);
    if (!p.failed)
        gql_plan_finish(&p, operation, mask);
    oms_free(p.slots);
    oms_arena_fini(&p.work);
    oms_arena_fini(&p.collect_arena);
    if (!p.failed)
        *out = plan;
    else if (!arena)
        gql_plan_destroy(plan);
    return p.failed ? OMS_LIMIT : OMS_OK;
}

size_t gql_plan_room(const struct gql_plan *plan)
{
    /* An arena wastes at most half of what it takes, by ends of chunks that the next allocation did not fit.
     */
    return 3 * plan->arena.used + 4096;
}

void gql_plan_destroy(struct gql_plan *plan)
{
    if (!plan)
        return;
    oms_arena_fini(&plan->arena);
    oms_free(plan);
}
